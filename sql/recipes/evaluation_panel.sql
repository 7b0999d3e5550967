-- A panel for an evaluation: people by strata, in proportion to the table, with the weight that each stands for.
--
-- param table identifier = usa -- the table of people
-- param n number = 100 -- how many people
-- param strata expression = (sex, census_region, age_band(age, 18, 35, 55, 75)) -- what the panel is to be in proportion by
-- param columns identifiers = uuid, first_name, age, city, state, occupation -- what to show of them
-- param seed number = 7 -- another seed takes others
SELECT {{ columns }}, stratum, round(sampling_weight, 2) AS sampling_weight
FROM stratified_sample({{ table }}, {{ n }}, strata => {{ strata }}, seed => {{ seed }}) ORDER BY stratum, uuid;
