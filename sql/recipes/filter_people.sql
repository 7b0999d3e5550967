-- People who meet criteria, in a few columns.
--
-- param table identifier = usa -- the table of people
-- param where expression = age >= 65 AND sex = 'Female' -- whom to take
-- param columns identifiers = first_name, last_name, age, city, state, occupation -- what to show of them
-- param n number = 20 -- how many at most
SELECT {{ columns }} FROM {{ table }} WHERE ({{ where }}) ORDER BY uuid LIMIT {{ n }};
