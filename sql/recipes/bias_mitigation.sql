-- What weighting does about a table that has too many of some: a mean before and after each group counts as much as it
-- does in the population.
--
-- Post-stratification: a person's weight is the group's share of the population by its share of the table.
--
-- param table identifier = usa -- the table of people
-- param country text = usa -- the country whose population counts
-- param strata|by identifier = race_ethnicity -- the groups
-- param measure expression = age -- what the mean is taken of
WITH there AS (
  SELECT {{ strata }} AS level, count(*) / 300000.0 AS share FROM sample_persona({{ country }}, 300000, seed => 1) GROUP BY 1
), here AS (
  SELECT {{ strata }} AS level, 1.0 * count(*) / sum(count(*)) OVER () AS share, avg({{ measure }}) AS mean
  FROM {{ table }} GROUP BY 1
)
SELECT coalesce(CAST(here.level AS VARCHAR), 'all') AS {{ strata }},
       round(100 * sum(here.share), 2) AS percent_before,
       round(100 * sum(there.share) / max(whole.share), 2) AS percent_after,
       round(sum(here.share * mean) / sum(here.share), 3) AS mean_before,
       round(sum(there.share * mean) / sum(there.share), 3) AS mean_after
FROM here JOIN there ON here.level = there.level
CROSS JOIN (SELECT sum(there.share) AS share FROM there JOIN here ON here.level = there.level) AS whole
GROUP BY GROUPING SETS ((here.level), ()) ORDER BY percent_before, 1;
