//! What a table's files are after many commits: few.

use std::path::Path;
use std::time::Duration;

use datafusion::arrow::util::display::array_value_to_string;
use futures::TryStreamExt;
use populace::database::{Database, EmbedderChoice};
use populace::engine::{Engine, Options, message};

/// The only value that a statement comes to.
async fn value(engine: &Engine, sql: &str) -> String {
    let mut value = String::new();
    for statement in engine.parse(sql).unwrap() {
        let stream = engine.run(statement).await.unwrap_or_else(|e| panic!("{sql}: {}", message(&e)));
        for batch in stream.try_collect::<Vec<_>>().await.unwrap() {
            value = array_value_to_string(batch.column(0), 0).unwrap();
        }
    }
    value
}

#[tokio::test(flavor = "multi_thread")]
async fn small_files_are_written_together_as_they_come() {
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(folder.path());
    let people = |count: usize| {
        format!(
            "SELECT uuid, age, row_index, 'I am ' || first_name AS persona FROM sample_persona('usa', {count}, seed => 1)"
        )
    };
    value(&engine, &format!("CREATE TABLE usa AS {}", people(5))).await;
    value(&engine, "CREATE INDEX ON usa USING btree (age)").await;
    for commit in 2..=80 {
        assert_eq!(value(&engine, &format!("INSERT INTO usa BY NAME {}", people(5 * commit))).await, "5");
    }

    let compactions = value(&engine, "SELECT count(*) FROM versions('usa') WHERE operation = 'compact'").await;
    assert!((2..=4).contains(&compactions.parse::<usize>().unwrap()), "{compactions}");
    let whole =
        "SELECT count(*) || ' ' || count(DISTINCT uuid) || ' ' || sum(row_index) || ' ' || count(persona_embedding)
                 FROM usa";
    let expected = format!("400 400 {} 400", 399 * 400 / 2);
    assert_eq!(value(&engine, whole).await, expected);
    // The index, and a version from before, know the rows where they are.
    let drawn = value(&engine, &format!("SELECT count(*) FROM ({}) WHERE age = 44", people(400))).await;
    assert_ne!(drawn, "0");
    assert_eq!(value(&engine, "SELECT count(*) FROM usa WHERE age = 44").await, drawn);
    let before = value(&engine, "SELECT rows FROM versions('usa') WHERE version = 5").await;
    assert_eq!(value(&engine, "SELECT count(*) FROM usa VERSION AS OF 5").await, before);

    let steps = engine.optimize("usa", Duration::ZERO).await.unwrap();
    let said = steps[0].done.clone().unwrap();
    let files: usize = said.split(" of ").nth(1).and_then(|s| s.split(' ').next()).unwrap().parse().unwrap();
    assert!(files < 40, "{said}");
    assert_eq!(steps[1].done.clone().unwrap(), "up to date: age_btree");
    assert_eq!(value(&engine, whole).await, expected);
}

fn engine(folder: &Path) -> Engine {
    let embedder = EmbedderChoice::named(Some("hash".into()));
    Engine::new(Database::open(folder, embedder).unwrap(), Options::default()).unwrap()
}

/// The bytes of all files of the tables.
fn bytes(folder: &Path) -> u64 {
    let mut folders = vec![folder.join("tables")];
    let mut all = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            match entry.file_type().unwrap().is_dir() {
                true => folders.push(entry.path()),
                false => all += entry.metadata().unwrap().len(),
            }
        }
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_writes_what_it_changes() {
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(folder.path());
    let people = "SELECT uuid, row_index, age, 'I am ' || first_name || ' from ' || city AS persona
                  FROM sample_persona('usa', 5000, seed => 1)";
    value(&engine, &format!("CREATE TABLE usa AS {people}")).await;
    value(&engine, "CREATE INDEX ON usa USING btree (age)").await;
    let (whole, sum) = (bytes(folder.path()), value(&engine, "SELECT sum(age) FROM usa").await);

    // A number of every person: one narrow column, and no row moves.
    value(&engine, "UPDATE usa SET age = age + 100").await;
    let after = bytes(folder.path());
    assert!(after - whole < whole / 10, "{} of {whole} bytes", after - whole);
    let raised = sum.parse::<i64>().unwrap() + 100 * 5000;
    assert_eq!(value(&engine, "SELECT sum(age) FROM usa").await, raised.to_string());
    assert_eq!(value(&engine, "SELECT count(*) FROM usa WHERE age < 118").await, "0");
    assert_eq!(value(&engine, "SELECT count(*) FROM usa WHERE age >= 118").await, "5000");
    assert_eq!(value(&engine, "SELECT row_index FROM usa LIMIT 1 OFFSET 4321").await, "4321");

    // A number of one person: that row, and nothing of the others.
    assert_eq!(value(&engine, "UPDATE usa SET age = 7 WHERE row_index = 4321").await, "1");
    let one = bytes(folder.path()) - after;
    assert!(one < whole / 20, "{one} of {whole} bytes");
    assert_eq!(value(&engine, "SELECT row_index FROM usa WHERE age = 7").await, "4321");
    assert_eq!(
        value(&engine, "SELECT count(DISTINCT uuid) FROM usa WHERE persona_embedding IS NOT NULL").await,
        "5000"
    );
}

/// Changes of a table beside the same as queries over another, in whatever files and with whatever rows deleted: with
/// a key, and where rows share a uuid.
#[tokio::test(flavor = "multi_thread")]
async fn changes_are_what_the_same_query_would_be() {
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(folder.path());
    let columns = "uuid, row_index, age, sex, persona";
    let people = |n: usize, seed: usize| {
        format!(
            "SELECT uuid, row_index + {seed} * 1000 AS row_index, age, sex, occupation AS persona
             FROM sample_persona('usa', {n}, seed => {seed})"
        )
    };
    for table in ["keyed", "keyless"] {
        let twice = if table == "keyless" { format!(" UNION ALL {}", people(20, 1)) } else { String::new() };
        value(&engine, &format!("CREATE TABLE {table} AS {}{twice}", people(400, 1))).await;
        for seed in 2..5 {
            value(&engine, &format!("INSERT INTO {table} {}", people(300, seed))).await;
        }
        value(&engine, &format!("CREATE TABLE shadow AS SELECT {columns}, 1 AS n FROM {table}")).await;
        let changes = [
            ("age", "age + 1", "age > 30"),
            ("sex", "upper(sex)", "row_index % 7 = 3"),
            ("persona", "persona || '.'", "row_index IN (5, 1005, 3007)"),
            ("age", "(SELECT max(age) FROM shadow)", "uuid = (SELECT min(uuid) FROM shadow)"),
            ("", "", "row_index BETWEEN 1020 AND 1200"),
            ("age", "row_index", "true"),
            ("persona", "NULL", "row_index > 2900"),
            ("", "", "row_index % 5 = 0"),
            ("age", "-age", "row_index % 2 = 0 AND persona IS NOT NULL"),
            ("persona", "upper(persona)", "sex LIKE 'F%'"),
            ("", "", "uuid IN (SELECT uuid FROM shadow WHERE age < 0)"),
        ];
        for (column, to, condition) in changes {
            let (change, query) = match column {
                "" => (
                    format!("DELETE FROM {table} WHERE {condition}"),
                    format!("SELECT {columns}, 1 AS n FROM shadow WHERE NOT coalesce({condition}, false)"),
                ),
                column => (
                    format!("UPDATE {table} SET {column} = {to} WHERE {condition}"),
                    format!(
                        "SELECT * REPLACE (CASE WHEN {condition} THEN {to} ELSE {column} END AS {column}) FROM shadow"
                    ),
                ),
            };
            let reached = value(&engine, &format!("SELECT count(*) FROM {table} WHERE {condition}")).await;
            assert_eq!(value(&engine, &change).await, reached, "{change}");
            value(&engine, &format!("CREATE OR REPLACE TABLE next AS {query}")).await;
            value(&engine, "CREATE OR REPLACE TABLE shadow AS SELECT * FROM next").await;
            let grouped = |from: &str| format!("SELECT {columns}, count(*) AS n FROM {from} GROUP BY {columns}");
            let (a, b) = (grouped(table), grouped("shadow"));
            let differ = format!("SELECT count(*) FROM (({a} EXCEPT {b}) UNION ALL ({b} EXCEPT {a}))");
            assert_eq!(value(&engine, &differ).await, "0", "{table}: {change}");
        }
        value(&engine, "DROP TABLE shadow; DROP TABLE next").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn people_of_a_large_table_are_looked_up() {
    let folder = tempfile::tempdir().unwrap();
    let (engine, other) = (engine(folder.path()), engine(folder.path()));
    let people = |n: usize| format!("SELECT uuid, age FROM sample_persona('usa', {n}, seed => 1)");
    value(&engine, &format!("CREATE TABLE usa AS {}", people(500_000))).await;
    let index = "SELECT index_name FROM populace.indexes WHERE table_name = 'usa'";
    assert_eq!(value(&engine, index).await, "uuid_key");
    assert_eq!(value(&engine, &format!("INSERT INTO usa {}", people(500_003))).await, "3");
    // Those whom another has written since are not in the index.
    assert_eq!(value(&other, &format!("INSERT INTO usa {} WHERE age < 200", people(500_010))).await, "7");
    let some = format!("SELECT * FROM ({}) LIMIT 30 OFFSET 499990", people(500_020));
    assert_eq!(value(&engine, &format!("INSERT INTO usa {some}")).await, "10");
    value(&other, "DELETE FROM usa WHERE uuid IN (SELECT uuid FROM usa LIMIT 5)").await;
    assert_eq!(value(&engine, &format!("INSERT INTO usa {}", people(10))).await, "5");
    assert_eq!(value(&engine, "SELECT count(*) || ' ' || count(DISTINCT uuid) FROM usa").await, "500020 500020");
}
