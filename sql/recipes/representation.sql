-- Which groups a table has too many or too few of, beside the country's population.
--
-- The population is told by a draw of its own, large enough that its noise is a tenth of a percentage point or so. `z`
-- is the difference in standard errors of a sample as large as the table: beyond 3 it is hardly chance.
--
-- param table identifier = usa -- the table of people
-- param country text = usa -- the country that it is to represent
-- param by identifier = race_ethnicity -- what to group by
WITH here AS (
  SELECT {{ by }} AS level, count(*) AS people, 1.0 * count(*) / sum(count(*)) OVER () AS share,
         sum(count(*)) OVER () AS n
  FROM {{ table }} GROUP BY 1
), there AS (
  SELECT {{ by }} AS level, count(*) / 300000.0 AS share FROM sample_persona({{ country }}, 300000, seed => 1) GROUP BY 1
)
SELECT coalesce(here.level, there.level) AS {{ by }}, coalesce(people, 0) AS people,
       round(100 * coalesce(here.share, 0), 2) AS percent, round(100 * there.share, 2) AS percent_of_population,
       round((coalesce(here.share, 0) - there.share)
             / sqrt(there.share * (1 - there.share) / (SELECT count(*) FROM {{ table }})), 1) AS z
FROM here FULL JOIN there ON here.level = there.level ORDER BY there.share DESC, 1;
