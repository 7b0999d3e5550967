-- A mean before and after the table is weighted to the population's margins, and what the weights cost.
--
-- Raking (iterative proportional fitting) gives each person a weight so that every margin is met at once. The standard
-- error is that of a mean of so many people of equal weight (Kish's effective number).
--
-- param table identifier = usa -- the table of people
-- param country text = usa -- the country whose margins count
-- param margins expression = (state, (sex, age_band(age, 30, 45, 60)), race_ethnicity) -- the margins: columns, and combinations in parentheses
-- param measure expression = CASE WHEN education_level IN ('bachelors', 'graduate') THEN 1.0 ELSE 0.0 END -- what the mean is taken of
-- param max_weight number = 5 -- weights above so many times the mean one are cut
WITH weighted AS (
  SELECT ({{ measure }}) AS value, weight
  FROM rake({{ table }}, {{ country }}, margins => {{ margins }}, max_weight => {{ max_weight }}, on_empty => 'skip')
), told AS (
  SELECT count(*) AS people, avg(value) AS mean, stddev(value) AS deviation,
         sum(weight * value) / sum(weight) AS weighted_mean, sum(weight) * sum(weight) / sum(weight * weight) AS effective
  FROM weighted
)
SELECT people, round(mean, 4) AS mean, round(deviation / sqrt(people), 4) AS standard_error,
       round(weighted_mean, 4) AS weighted_mean, round(deviation / sqrt(effective), 4) AS weighted_standard_error,
       round(effective, 1) AS effective_people
FROM told;
