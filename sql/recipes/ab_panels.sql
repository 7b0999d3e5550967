-- Two panels of the same people, A and B, for a paired comparison: each person is asked once in each, in an order that
-- is as good as chance and the same for the same seed.
--
-- param table identifier = usa -- the table of people
-- param n number = 50 -- how many people
-- param strata expression = (sex, age_band(age, 18, 45, 65)) -- what the panels are to be in proportion by
-- param seed number = 7 -- another seed takes others
SELECT p.uuid, v.variant, CASE WHEN (ascii(right(p.uuid, 1)) % 2 = 0) = (v.variant = 'A') THEN 1 ELSE 2 END AS turn,
       p.first_name, p.age, p.occupation, p.persona
FROM stratified_sample({{ table }}, {{ n }}, strata => {{ strata }}, seed => {{ seed }}) AS p
CROSS JOIN (SELECT 'A' AS variant UNION ALL SELECT 'B') AS v ORDER BY p.uuid, turn;
