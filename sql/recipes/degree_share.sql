-- The share of people with a bachelor's degree or more, by state or another column, with its standard error.
--
-- The standard error is that of a simple random sample: sqrt(p (1 - p) / n).
--
-- param table identifier = usa -- the table of people
-- param by identifier = state -- what to group by
-- param from_age number = 25 -- the youngest who count: many of the younger are still at school
-- param least number = 5 -- groups with fewer people are left out
-- param degrees expression = education_level IN ('bachelors', 'graduate') -- what counts as a degree
WITH shares AS (
  SELECT {{ by }}, count(*) AS people, avg(CASE WHEN ({{ degrees }}) THEN 1.0 ELSE 0.0 END) AS p
  FROM {{ table }} WHERE age >= {{ from_age }} GROUP BY 1 HAVING count(*) >= {{ least }}
)
SELECT {{ by }}, people, round(100 * p, 1) AS percent, round(100 * sqrt(p * (1 - p) / people), 1) AS standard_error
FROM shares ORDER BY p DESC, 1;
