#!/usr/bin/env bash
# What `make demo` shows: people of the USA in a table, questions asked of them in SQL, a search by meaning.
set -euo pipefail
cd "$(dirname "$0")/.."
populace=${CARGO_TARGET_DIR:-target}/debug/populace
export POPULACE_DB=${POPULACE_DB:-populace-data}

show() {
  printf '\n── %s\n' "$1"
  printf '%s\n' "$2"
  "$populace" sql "$2"
}

printf '── A thousand people of the USA, written up and embedded, in %s (nothing to do when they are there)\n' "$POPULACE_DB"
"$populace" generate usa --count 1000 --seed 42

show "Some of them" "SELECT first_name, last_name, age, city, state, replace(occupation, '_', ' ') AS occupation
FROM usa ORDER BY row_index LIMIT 5"

printf '\n── One of them in words\n'
"$populace" sql --format ndjson "SELECT persona, career_goals_and_ambitions FROM usa WHERE labour_status = 'employed' ORDER BY row_index LIMIT 1"

show "Counted by region and sex" "SELECT census_region, count(*) FILTER (WHERE sex = 'Female') AS women, count(*) FILTER (WHERE sex = 'Male') AS men,
  round(avg(age), 1) AS mean_age, round(100.0 * avg(CASE WHEN marital_status = 'married_present' THEN 1 ELSE 0 END), 1) AS married_percent
FROM usa GROUP BY census_region ORDER BY census_region"

show "A conditioned draw: exact, however rare" "SELECT first_name, age, city, state, occupation
FROM sample_persona('usa', 5, seed => 7, given => age BETWEEN 30 AND 45 AND state IN ('CA', 'NV') AND occupation LIKE '%engineer%')"

show "How many there are" "SELECT probability, round(expected_people) AS people
FROM persona_probability('usa', given => age BETWEEN 30 AND 45 AND state IN ('CA', 'NV') AND occupation LIKE '%engineer%')"

show "A search by meaning" "SELECT first_name, age, state, round(score, 3) AS score, substr(hobbies_and_interests, 1, 70) AS hobbies_and_interests
FROM semantic_search(usa, 'retired, likes to grow vegetables and flowers', 4, \"column\" => 'hobbies_and_interests', \"where\" => age >= 65)"
