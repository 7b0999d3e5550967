-- How a group of occupations, or any other column, is spread over ages: people, and their share within an age band.
--
-- param table identifier = usa -- the table of people
-- param column identifier = occupation_group -- what is counted
-- param where expression = occupation_group <> 'none' -- whom to count
-- param n number = 30 -- how many rows at most, the largest first
WITH counted AS (
  SELECT {{ column }}, age_band(age, 18, 25, 35, 45, 55, 65, 75) AS age_band, count(*) AS people
  FROM {{ table }} WHERE ({{ where }}) GROUP BY 1, 2
)
SELECT {{ column }}, age_band, people, round(100.0 * people / sum(people) OVER (PARTITION BY age_band), 1) AS percent_of_band
FROM counted ORDER BY people DESC, 1, 2 LIMIT {{ n }};
