//! What statements ask of a model.

/// A statement, and a query for the most requests that it may make.
pub const STATEMENTS: [(&str, &str); 63] = [
    ("SELECT generate_narrative('Say hello.') FROM p", "1"),
    ("SELECT generate_narrative('persona') FROM p", "400"),
    ("SELECT generate_narrative('persona') FROM p LIMIT 7", "7"),
    ("SELECT generate_narrative('persona') FROM p LIMIT 7 OFFSET 3", "7"),
    ("SELECT first_name, generate_narrative('Tweet by {{first_name}} {{uuid}}') FROM p ORDER BY age DESC LIMIT 3", "3"),
    (
        "SELECT * FROM (SELECT *, generate_narrative('persona') AS t FROM p) AS s ORDER BY s.age, uuid LIMIT 5 OFFSET 2",
        "5",
    ),
    ("SELECT age FROM p ORDER BY generate_narrative('persona') LIMIT 2", "400"),
    (
        "SELECT age FROM p WHERE age > 27 ORDER BY generate_narrative('persona') LIMIT 2",
        "SELECT count(*) FROM p WHERE age > 27",
    ),
    (
        "SELECT first_name FROM p WHERE age > 27 AND generate_narrative('persona') LIKE '%bees%'",
        "SELECT count(*) FROM p WHERE age > 27",
    ),
    (
        "SELECT first_name FROM p WHERE generate_narrative('persona') LIKE '%bees%' AND length(state) > 4 AND random() >= 0",
        "SELECT count(*) FROM p WHERE length(state) > 4",
    ),
    (
        "SELECT uuid FROM p WHERE generate_narrative('{{uuid}} a') < '8' AND generate_narrative('{{uuid}} b') IS NOT NULL",
        "SELECT 400 + count(*) FROM p WHERE uuid < '8'",
    ),
    (
        "SELECT uuid FROM p WHERE age > 27 OR generate_narrative('persona') LIKE '%bees%'",
        "SELECT count(*) FROM p WHERE age <= 27",
    ),
    ("SELECT age > 27 AND generate_narrative('persona') LIKE '%bees%' FROM p", "SELECT count(*) FROM p WHERE age > 27"),
    ("SELECT generate_narrative('persona') LIKE '%bees%' OR age > 27 FROM p", "SELECT count(*) FROM p WHERE age <= 27"),
    (
        "SELECT NOT (job = 'nurse' AND generate_narrative('persona') LIKE '%bees%') FROM p",
        "SELECT count(*) FROM p WHERE job = 'nurse' OR job IS NULL",
    ),
    (
        "SELECT CASE WHEN age > 27 THEN generate_narrative('persona') END FROM p",
        "SELECT count(*) FROM p WHERE age > 27",
    ),
    (
        "SELECT CASE WHEN age > 27 THEN 'old' WHEN job IS NULL THEN 'none' ELSE generate_narrative('persona') END FROM p",
        "SELECT count(*) FROM p WHERE age <= 27 AND job IS NOT NULL",
    ),
    (
        "SELECT CASE job WHEN 'nurse' THEN generate_narrative('persona') WHEN 'civil_engineer' THEN generate_narrative('travel_persona') END FROM p",
        "SELECT count(*) FROM p WHERE job IN ('nurse', 'civil_engineer')",
    ),
    (
        "SELECT CASE WHEN age > 27 THEN CASE WHEN sex = 'Male' THEN upper(generate_narrative('persona')) END END FROM p",
        "SELECT count(*) FROM p WHERE age > 27 AND sex = 'Male'",
    ),
    (
        "SELECT CASE WHEN generate_narrative('{{uuid}}') < '8' THEN generate_narrative('persona') END FROM p",
        "SELECT 400 + count(*) FROM p WHERE uuid < '8'",
    ),
    (
        "SELECT CASE WHEN age <= 27 THEN 'young' WHEN 1 / (age - 27) > 0 THEN generate_narrative('persona') END FROM p",
        "SELECT count(*) FROM p WHERE age = 28",
    ),
    ("SELECT coalesce(job, generate_narrative('persona')) FROM p", "SELECT count(*) FROM p WHERE job IS NULL"),
    (
        "SELECT coalesce(job, nullif(first_name, 'Ada'), generate_narrative('persona')) FROM p",
        "SELECT count(*) FROM p WHERE job IS NULL AND first_name = 'Ada'",
    ),
    ("SELECT nvl(job, generate_narrative('persona')) FROM p", "SELECT count(*) FROM p WHERE job IS NULL"),
    (
        "SELECT CASE WHEN age > 27 THEN t END FROM (SELECT age, generate_narrative('persona') AS t FROM p)",
        "SELECT count(*) FROM p WHERE age > 27",
    ),
    (
        "SELECT max(generate_narrative('persona')) FILTER (WHERE age > 27) FROM p",
        "SELECT count(*) FROM p WHERE age > 27",
    ),
    (
        "SELECT count(*) FILTER (WHERE generate_narrative('persona') LIKE '%a%') FROM p WHERE age > 27",
        "SELECT count(*) FROM p WHERE age > 27",
    ),
    ("SELECT max(generate_narrative('{{first_name}} ')), max(generate_narrative('{{state}} ')) FROM p", "7"),
    (
        "SELECT count(DISTINCT generate_narrative('{{sex}} ')), array_agg(generate_narrative('{{state}} ') ORDER BY age) FROM p",
        "5",
    ),
    ("SELECT generate_narrative('{{state}} '), count(*) FROM p GROUP BY 1 ORDER BY 1", "3"),
    (
        "SELECT generate_narrative('{{state}} '), sex, count(*) FROM p GROUP BY GROUPING SETS ((generate_narrative('{{state}} ')), (sex))",
        "3",
    ),
    ("SELECT string_agg(first_name, ',' ORDER BY generate_narrative('{{state}} ')) FROM p", "3"),
    ("SELECT row_number() OVER (PARTITION BY generate_narrative('{{state}} ') ORDER BY age) FROM p", "3"),
    (
        "SELECT DISTINCT ON (generate_narrative('{{state}} ')) generate_narrative('{{state}} '), age FROM p ORDER BY generate_narrative('{{state}} '), age",
        "3",
    ),
    (
        "SELECT count(*) FROM p JOIN old ON p.uuid < generate_narrative('{{uuid}}', old.uuid)",
        "SELECT count(*) FROM old",
    ),
    ("SELECT count(*) FROM p JOIN old ON generate_narrative('{{uuid}}', p.uuid) = old.uuid", "400"),
    (
        "SELECT t FROM (SELECT uuid, generate_narrative('persona') AS t FROM p) a JOIN old USING (uuid)",
        "SELECT count(*) FROM old",
    ),
    (
        "SELECT t FROM (SELECT uuid, generate_narrative('persona') AS t FROM p) WHERE uuid IN (SELECT uuid FROM old)",
        "SELECT count(*) FROM old",
    ),
    (
        "SELECT t FROM (SELECT uuid, generate_narrative('persona') AS t FROM p) WHERE uuid NOT IN (SELECT uuid FROM old)",
        "SELECT 400 - count(*) FROM old",
    ),
    ("SELECT generate_narrative('again {{x}}', x) FROM (SELECT generate_narrative('{{state}} ') AS x FROM p)", "6"),
    (
        "SELECT generate_narrative('Rate {{x}}', x) FROM (SELECT age, generate_narrative('persona') AS x FROM p) ORDER BY age LIMIT 2",
        "4",
    ),
    ("SELECT embed(t) FROM (SELECT generate_narrative('{{state}} ') AS t FROM p)", "3"),
    ("SELECT generate_narrative('{{uuid}} {{state}}', p.*) FROM p LIMIT 2", "2"),
    (
        "SELECT persona FROM generate_persona('tinyland', 400, seed => 42) WHERE age > 27",
        "SELECT count(*) FROM p WHERE age > 27",
    ),
    ("SELECT persona FROM generate_persona('tinyland', 400, seed => 42) ORDER BY age DESC LIMIT 3", "3"),
    (
        "SELECT n, t FROM (SELECT age + 1 AS older, first_name AS n, persona AS t FROM generate_persona('tinyland', 400, seed => 42)) AS p ORDER BY older DESC, n LIMIT 3",
        "3",
    ),
    (
        "SELECT t FROM (SELECT uuid, generate_narrative('persona') AS t FROM sample_persona('tinyland', 400, seed => 42)) TABLESAMPLE BERNOULLI (10) REPEATABLE (1)",
        "SELECT count(*) FROM sample_persona('tinyland', 400, seed => 42) TABLESAMPLE BERNOULLI (10) REPEATABLE (1)",
    ),
    (
        "SELECT persona FROM generate_persona('tinyland', 400, seed => 42) TABLESAMPLE BERNOULLI (10) REPEATABLE (1)",
        "SELECT count(*) FROM sample_persona('tinyland', 400, seed => 42) TABLESAMPLE BERNOULLI (10) REPEATABLE (1)",
    ),
    (
        "SELECT * FROM (SELECT uuid, generate_narrative('persona') AS t FROM sample_persona('tinyland', 400, seed => 42)) TABLESAMPLE (7 ROWS)",
        "7",
    ),
    (
        "SELECT * FROM stratified_sample((SELECT uuid, sex, generate_narrative('persona') AS t FROM sample_persona('tinyland', 400, seed => 42)), 6, strata => sex)",
        "6",
    ),
    (
        "SELECT t FROM stratified_sample((SELECT uuid, sex, generate_narrative('persona') AS t FROM sample_persona('tinyland', 400, seed => 42)), 6, strata => sex) WHERE sex = 'Male' LIMIT 2",
        "2",
    ),
    (
        "SELECT count(*) FROM stratified_sample((SELECT uuid, generate_narrative('{{state}} ') AS state FROM sample_persona('tinyland', 400, seed => 42)), 6, strata => state)",
        "3",
    ),
    (
        "SELECT persona FROM stratified_sample((SELECT * FROM generate_persona('tinyland', 400, seed => 42)), 6, strata => sex)",
        "6",
    ),
    (
        "SELECT * FROM semantic_search((SELECT *, generate_narrative('persona') AS t FROM v), 'Ada', 3, \"column\" => 'name')",
        "3",
    ),
    (
        "SELECT uuid, upper(t) FROM semantic_search((SELECT uuid, name_embedding, generate_narrative('persona') AS t FROM v AS people), 'Ada', 5, \"column\" => 'name', \"where\" => uuid > '4', max_per => (uuid, 1)) AS found ORDER BY score DESC LIMIT 2",
        "2",
    ),
    (
        "SELECT t FROM semantic_search((SELECT *, generate_narrative('persona') AS t FROM v), 'Ada', 400, \"column\" => 'name', \"where\" => age > 27)",
        "SELECT count(*) FROM p WHERE age > 27",
    ),
    (
        "SELECT t FROM semantic_search((SELECT *, generate_narrative('persona') AS t FROM v), 'Ada', 3, \"column\" => 'name', \"where\" => t LIKE '%a%')",
        "400",
    ),
    (
        "SELECT uuid FROM semantic_search((SELECT *, generate_narrative('persona') AS t FROM v), 'Ada', 3, \"column\" => 'name') WHERE t LIKE '%a%'",
        "3",
    ),
    ("SELECT upper(t) FROM (SELECT age, generate_narrative('persona') AS t FROM p) AS s ORDER BY age LIMIT 2", "2"),
    (
        "SELECT * FROM similar_to((SELECT *, generate_narrative('persona') AS t FROM v), '003d5b1940345e06fb3f8145d2000c8f', 3, \"column\" => 'name')",
        "3",
    ),
    (
        "SELECT * FROM text_search((SELECT *, generate_narrative('persona') AS t, generate_narrative('{{state}} ') AS s FROM v), 'Ada', 3, \"column\" => first_name)",
        "SELECT 3 + count(DISTINCT state) FROM text_search((SELECT * FROM v), 'Ada', 3, \"column\" => first_name)",
    ),
    (
        "SELECT * FROM text_search((SELECT uuid, generate_narrative('{{state}} ') AS s FROM p), 'Yukon', 3, \"column\" => s)",
        "3",
    ),
    (
        "SELECT t, fact FROM fact_search((SELECT *, generate_narrative('persona') AS t FROM v), 'nurse', 3, facts => job, \"column\" => 'name')",
        "3",
    ),
];
