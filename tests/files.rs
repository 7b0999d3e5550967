//! What a table's files are after many commits: few.

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
    let embedder = EmbedderChoice::named(Some("hash".into()));
    let engine = Engine::new(Database::open(folder.path(), embedder).unwrap(), Options::default()).unwrap();
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
