-- As many people as fit into a context of so many tokens, each as one block of text.
--
-- A token of a language model is taken to be four letters of English.
--
-- param table identifier = usa -- the table of people
-- param tokens number = 2000 -- tokens that there is room for
-- param where expression = true -- whom to take
-- param seed number = 7 -- another seed takes others
WITH blocks AS (
  SELECT uuid, concat_ws(' ', concat(first_name, ' ', last_name, ', ', age, ', ', city, ', ', state, '.'), persona,
                         professional_persona, cultural_background) AS block
  FROM stratified_sample((SELECT * FROM {{ table }} WHERE ({{ where }})), 1000, strata => sex, on_short => 'take_all',
                         seed => {{ seed }})
), counted AS (
  SELECT block, ceil(character_length(block) / 4.0) AS tokens, sum(ceil(character_length(block) / 4.0)) OVER (ORDER BY uuid) AS upto
  FROM blocks
)
SELECT CAST(upto AS INT) AS tokens, block FROM counted WHERE upto <= {{ tokens }} ORDER BY upto;
