-- A table with as many people of each stratum, for training where no group is to weigh more than another.
--
-- Strata with too few people give what they have, and the others make up for it. `sampling_weight` says how many people
-- of the table each stands for: weighted by it, the set is the table again.
--
-- param table identifier = usa -- the table of people
-- param into identifier = training_set -- the table that is made
-- param n number = 1000 -- how many people
-- param strata identifiers = sex, race_ethnicity -- the columns whose levels are balanced
-- param seed number = 7 -- another seed takes others
CREATE TABLE {{ into }} AS
SELECT * FROM stratified_sample({{ table }}, {{ n }}, strata => ({{ strata }}), allocation => 'equal',
                                on_short => 'redistribute', seed => {{ seed }});
SELECT stratum, count(*) AS people, round(max(sampling_weight), 2) AS sampling_weight
FROM {{ into }} GROUP BY 1 ORDER BY 1;
