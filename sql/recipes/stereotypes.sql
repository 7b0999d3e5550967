-- How well a simple model tells sex, age and ethnicity from the texts alone: the stereotype index, by field.
--
-- 0 is a guess, 1 certainty; below the noise floor is chance. A text tells where the p-value, adjusted for the number of
-- texts, is at most 0.05: an index a little above the floor need not be. Names, pronouns, titles and numbers are left out of the
-- texts. A text that tells need not be at fault: the facts differ between groups too, and the words say what it goes by.
-- `within` holds a fact still: occupation_group has people of one group of occupations compared with each other alone.
--
-- param table identifier = usa -- the table of people
-- param narratives identifiers = persona, professional_persona, hobbies_and_interests -- the texts
-- param ages expression = age_band(age, 35, 65) -- the groups of age
-- param ethnicity expression = race_ethnicity -- the groups of ethnicity
-- param within expression = true -- what people have in common who are compared; of true, nothing
-- param size number = 1000 -- how many people's texts are read
SELECT attribute, narrative, texts, round(accuracy, 3) AS accuracy, round(stereotype_index, 3) AS stereotype_index,
       round(noise_floor, 3) AS noise_floor, round(adjusted_p_value, 4) AS adjusted_p_value, verdict, words, notice
FROM (SELECT * FROM stereotype_index({{ table }}, attribute => sex, narratives => ({{ narratives }}), within => {{ within }}, size => {{ size }})
      UNION ALL
      SELECT * FROM stereotype_index({{ table }}, attribute => {{ ages }}, narratives => ({{ narratives }}), within => {{ within }}, size => {{ size }})
      UNION ALL
      SELECT * FROM stereotype_index({{ table }}, attribute => {{ ethnicity }}, narratives => ({{ narratives }}), within => {{ within }}, size => {{ size }}))
ORDER BY attribute, stereotype_index DESC;
