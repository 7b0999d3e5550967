-- Adds to a table the people that it lacks beside the country's population, in one statement, and shows what came of it.
--
-- A draw of people is made to choose from, without those who are there already; each stratum gets as many of them as it
-- is short of in a table of the wanted size. A stratum that the draw has too few people of is an error: draw more, take
-- coarser strata, or draw the rare ones by themselves: `rebalance` has a predicate for each, for sample_persona's `given`.
-- Who is in too great a number stays: a table far from the population comes near it only when it is much larger.
--
-- param table identifier = usa -- the table of people that is added to
-- param country text = usa -- the country that it is to represent
-- param strata expression = (sex, age_band(age, 30, 60)) -- columns, and expressions over one each, that are to be in proportion
-- param size number = 1500 -- how many people the table is to have, more or less
-- param draw number = 20000 -- how many people are drawn to choose from
-- param seed number = 7 -- another seed draws others
INSERT INTO {{ table }} BY NAME
SELECT * EXCEPT (stratum, sampling_weight, stratum_size)
FROM stratified_sample((SELECT p.* FROM sample_persona({{ country }}, {{ draw }}, seed => {{ seed }}) AS p
                        LEFT ANTI JOIN {{ table }} AS t ON p.uuid = t.uuid), strata => {{ strata }},
       allocation => (SELECT * EXCEPT (observed, observed_share, expected_share, residual, expected, given)
                      FROM rebalance({{ table }}, {{ country }}, strata => {{ strata }}, size => {{ size }})),
       seed => {{ seed }});
SELECT * EXCEPT (observed_share, expected_share, residual, given),
       round(100 * observed_share, 2) AS percent, round(100 * expected_share, 2) AS percent_of_population
FROM rebalance({{ table }}, {{ country }}, strata => {{ strata }}, size => {{ size }}) ORDER BY expected DESC;
