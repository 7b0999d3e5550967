-- Segments of users by age and schooling, each with its size, what is typical of it, and one of its people.
--
-- param table identifier = usa -- the table of people
-- param where expression = true -- whom to take
-- param n number = 12 -- how many segments, the largest first
SELECT age_band(age, 18, 30, 45, 60, 75) AS age_band,
       CASE WHEN education_level IN ('bachelors', 'graduate') THEN 'degree'
            WHEN education_level IN ('some_college', 'associates') THEN 'some college' ELSE 'school' END AS schooling,
       count(*) AS people, round(100.0 * count(*) / sum(count(*)) OVER (), 1) AS percent,
       round(avg(household_size), 1) AS household, round(avg(openness)) AS openness,
       round(100.0 * avg(CASE WHEN labour_status = 'employed' THEN 1 ELSE 0 END)) AS percent_employed,
       first_value(concat(first_name, ', ', age, ', ', occupation, ', ', city) ORDER BY uuid) AS somebody
FROM {{ table }} WHERE ({{ where }}) GROUP BY 1, 2 ORDER BY people DESC, 1, 2 LIMIT {{ n }};
