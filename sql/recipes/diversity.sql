-- How diverse the people of a table are, and their texts: one row a group.
--
-- Entropy in nats; evenness is entropy by that of equal shares; distinct n-grams by all of them; self-similarity is the
-- mean cosine between two different people's vectors; the Vendi score counts how many different people the vectors
-- amount to.
--
-- param table identifier = usa -- the table of people
-- param by identifier = sex -- what to group by
-- param column identifier = occupation -- the column whose diversity is measured
-- param narrative identifier = persona -- the text whose diversity is measured
-- param embedding identifier = persona_embedding -- the vectors of that text
SELECT {{ by }}, count(*) AS people,
       round(shannon_entropy({{ column }}), 3) AS entropy,
       round(gini_simpson({{ column }}), 3) AS gini_simpson,
       round(evenness({{ column }}), 3) AS evenness,
       round(distinct_ngrams({{ narrative }}, 2), 3) AS distinct_2_grams,
       round(self_similarity({{ embedding }}), 3) AS self_similarity,
       round(vendi_score({{ embedding }}), 1) AS vendi_score
FROM {{ table }} GROUP BY 1 ORDER BY 1;
