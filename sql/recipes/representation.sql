-- Which groups a table has too many or too few of, beside the country's population.
--
-- The population's shares are exact: they come from the network that the country's figures were fitted to. `z` is the
-- difference in standard errors of a sample as large as the table: beyond 3 it is hardly chance. `missing` is how many
-- people the group lacks in a table of this size.
--
-- param table identifier = usa -- the table of people
-- param country text = usa -- the country that it is to represent
-- param strata|by expression = race_ethnicity -- what to group by: a column, or several and expressions in parentheses
SELECT * EXCEPT (observed, observed_share, expected_share, residual, expected, missing, given), observed AS people,
       round(100 * observed_share, 2) AS percent, round(100 * expected_share, 2) AS percent_of_population, missing,
       round(residual, 1) AS z
FROM rebalance({{ table }}, {{ country }}, strata => {{ strata }}) ORDER BY expected_share DESC, 1;
