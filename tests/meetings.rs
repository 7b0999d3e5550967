//! Statements that meet: what two of them leave explains itself, whichever comes first.

mod support;

#[cfg(target_os = "linux")]
#[path = "support/faults.rs"]
mod faults;
#[path = "support/meeting.rs"]
mod meeting;

use std::path::Path;
use std::sync::Arc;

use datafusion::arrow::array::AsArray;
use datafusion::arrow::datatypes::Int64Type;
use futures::StreamExt;
use meeting::{Base, HONEST, KINDS, copy, done, rows, session, state, stray, table_of};
use populace::engine::{Engine, message};
use support::one_table;

async fn number(engine: &Engine, sql: &str) -> i64 {
    let rows = rows(engine, sql).await.unwrap_or_else(|e| panic!("{sql}: {}", message(&e)));
    rows[0].column(0).as_primitive::<Int64Type>().value(0)
}

async fn refused(engine: &Engine, sql: &str) -> String {
    message(&rows(engine, sql).await.expect_err(sql))
}

const PEOPLE: &str = "SELECT * FROM sample_persona('usa', 300, seed => 1)";

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_keeps_what_it_reads() {
    let root = tempfile::tempdir().unwrap();
    let (engine, other) = (session(root.path()), session(root.path()));
    done(&engine, "CREATE TABLE usa AS SELECT * FROM sample_persona('usa', 300000, seed => 1)").await;
    for (meanwhile, leaves) in [
        ("UPDATE usa SET age = age + 1 WHERE age < 60; OPTIMIZE usa", 300_000),
        ("CREATE OR REPLACE TABLE usa AS SELECT * FROM sample_persona('usa', 300000, seed => 2)", 300_000),
        ("DROP TABLE usa", 0),
    ] {
        let statement = engine.parse("SELECT * FROM usa").unwrap().pop().unwrap();
        let mut reading = engine.run(statement).await.unwrap();
        let mut read = reading.next().await.unwrap().unwrap().num_rows();
        done(&other, meanwhile).await;
        // As `optimize --keep-days 0` does.
        if leaves > 0 {
            other.optimize("usa", std::time::Duration::ZERO).await.unwrap();
        }
        other.database().remove_dropped(std::time::Duration::ZERO).unwrap();
        while let Some(batch) = reading.next().await {
            read += batch.unwrap_or_else(|e| panic!("{meanwhile}: {}", message(&e))).num_rows();
        }
        assert_eq!(read, 300_000, "{meanwhile}");
        drop(reading);
    }
    // Nobody reads it any more.
    assert!(other.database().remove_dropped(std::time::Duration::ZERO).unwrap() >= 1);
    assert_eq!(std::fs::read_dir(root.path().join("tables")).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_is_replaced_takes_no_rows_meant_for_another() {
    let root = tempfile::tempdir().unwrap();
    let (engine, other) = (session(root.path()), session(root.path()));
    done(&engine, &format!("CREATE TABLE usa AS {PEOPLE}")).await;
    // The INSERT has found its table, and waits for its rows.
    let gate = Arc::new(tokio::sync::Notify::new());
    let rows = {
        let (gate, batch) = (gate.clone(), rows(&engine, PEOPLE).await.unwrap().remove(0));
        let schema = batch.schema();
        let stream = futures::stream::once(async move {
            gate.notified().await;
            Ok(batch)
        });
        Box::pin(datafusion::physical_plan::stream::RecordBatchStreamAdapter::new(schema, stream))
    };
    let database = engine.database().clone();
    let inserting =
        tokio::spawn(async move { database.append("usa", rows, populace::database::Append::default()).await });
    tokio::task::yield_now().await;
    done(&other, "CREATE OR REPLACE TABLE usa AS SELECT * FROM sample_persona('usa', 20, seed => 2)").await;
    gate.notify_one();
    // It found the old one, in which its people are already, or the new one, to which it adds them all; no other.
    match inserting.await.unwrap() {
        Ok(appended) => assert!(appended.written == 0 || appended.written == 300, "{appended:?}"),
        Err(error) => assert!(message(&error).contains("dropped or replaced"), "{}", message(&error)),
    }
    let (count, keys) = ("SELECT count(*) FROM usa", "SELECT count(DISTINCT uuid) FROM usa");
    assert_eq!(number(&other, count).await, number(&other, keys).await);
    done(&other, "DROP TABLE usa").await;
    assert!(refused(&engine, count).await.starts_with("there is no table usa"));
}

#[tokio::test(flavor = "multi_thread")]
async fn dropped_tables_come_back_and_tables_change_their_names() {
    let root = tempfile::tempdir().unwrap();
    let engine = session(root.path());
    done(&engine, &format!("CREATE TABLE usa AS {PEOPLE}")).await;
    assert!(refused(&engine, "ALTER TABLE usa RENAME TO \"two thousand\"").await.contains("no name for a table"));
    done(&engine, "ALTER TABLE usa RENAME TO panel").await;
    assert_eq!(number(&engine, "SELECT count(*) FROM panel").await, 300);
    assert!(refused(&engine, "SELECT 1 FROM usa").await.starts_with("there is no table usa"));
    done(&engine, "DROP TABLE panel").await;
    engine.database().undrop("panel").await.unwrap();
    done(&engine, "CREATE OR REPLACE TABLE panel AS SELECT 1 AS x").await;
    let taken = message(&engine.database().undrop("panel").await.unwrap_err());
    assert!(taken.contains("RENAME TO"), "{taken}");
    done(&engine, "ALTER TABLE panel RENAME TO small").await;
    engine.database().undrop("panel").await.unwrap();
    assert_eq!(number(&engine, "SELECT count(*) FROM panel").await, 300);
    assert_eq!(number(&engine, "SELECT count(*) FROM small").await, 1);
    let none = message(&engine.database().undrop("japan").await.unwrap_err());
    assert!(none.contains("no dropped table japan"), "{none}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_table_breaks_itself_alone() {
    let root = tempfile::tempdir().unwrap();
    let engine = session(root.path());
    done(&engine, "CREATE TABLE junk AS SELECT * FROM generate_persona('usa', 5, seed => 1)").await;
    std::fs::remove_dir_all(one_table(root.path()).join("_versions")).unwrap();
    let engine = session(root.path());
    done(&engine, "CREATE TABLE usa AS SELECT * FROM generate_persona('usa', 5, seed => 1)").await;
    for sql in [
        "SELECT count(*) FROM personas_harmonised",
        "SELECT count(*) FROM usa",
        "SELECT count(*) FROM information_schema.columns",
    ] {
        assert!(number(&engine, sql).await >= 5, "{sql}");
    }
    done(&engine, "SELECT * FROM populace.indexes").await;
    assert!(engine.database().take_notices().iter().any(|n| n.contains("junk")));
    for sql in ["SELECT max(age) FROM junk", "SELECT * FROM junk", "DELETE FROM junk WHERE age > 3"] {
        let error = refused(&engine, sql).await;
        assert!(error.contains("junk cannot be read") && error.contains("DROP TABLE junk"), "{sql}: {error}");
    }
    done(&engine, "DROP TABLE junk").await;
    assert_eq!(engine.database().tables(), ["usa"]);
}

/// A database that the program made before tables were rows of the catalogue.
fn first_layout(root: &Path) {
    let place = one_table(root);
    std::fs::rename(place, root.join("tables/usa.lance")).unwrap();
    for file in ["catalog.sqlite", "catalog.sqlite-wal", "catalog.sqlite-shm"] {
        _ = std::fs::remove_file(root.join(file));
    }
    std::fs::write(root.join("VERSION"), "1\n").unwrap();
    std::fs::write(root.join("tables/.usa.lock"), "").unwrap();
    _ = std::fs::remove_dir_all(root.join("locks"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_the_first_layout_is_brought_to_this_one() {
    let root = tempfile::tempdir().unwrap();
    done(&session(root.path()), &format!("CREATE TABLE usa AS {PEOPLE}")).await;
    for killed_between in [false, true] {
        first_layout(root.path());
        if killed_between {
            let aside = format!(".usa.{}.dropped", uuid::Uuid::now_v7());
            std::fs::rename(root.path().join("tables/usa.lance"), root.path().join("tables").join(aside)).unwrap();
        }
        let engine = session(root.path());
        assert_eq!(number(&engine, "SELECT count(*) FROM usa").await, 300);
        assert_eq!(std::fs::read_to_string(root.path().join("VERSION")).unwrap().trim(), "2");
        done(&engine, "UPDATE usa SET age = age + 0").await;
        if killed_between {
            break;
        }
        // And back again, for the other way.
        done(&engine, "CREATE TABLE again AS SELECT * FROM usa; DROP TABLE usa; ALTER TABLE again RENAME TO usa").await;
        engine.database().remove_dropped(std::time::Duration::ZERO).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_column_that_is_called_uuid_is_no_key_by_that() {
    let root = tempfile::tempdir().unwrap();
    let engine = session(root.path());
    done(&engine, "CREATE TABLE t AS SELECT 'a' AS k, 1 AS v UNION ALL SELECT 'a', 2 UNION ALL SELECT 'b', 5").await;
    done(&engine, "ALTER TABLE t RENAME COLUMN k TO uuid").await;
    let error = refused(&engine, "REPLACE INTO t SELECT 'a' AS uuid, 30 AS v").await;
    assert!(error.contains("which t has not"), "{error}");
    // The row that is reached changes, not those with the same uuid.
    done(&engine, "UPDATE t SET v = 30 WHERE v = 1").await;
    assert_eq!(number(&engine, "SELECT sum(v) FROM t").await, 37);
    done(&engine, "UPDATE t SET uuid = 'c' WHERE v = 2").await;
    assert_eq!(number(&engine, "SELECT sum(v) FROM t WHERE uuid = 'a'").await, 30);
}

/// Every two kinds of statements at once, in two sessions that share nothing but files, on a disk that is slow at random.
/// Whatever each says of itself, the table is whole: every row can be read, nobody is in it twice, no file is nobody's.
#[tokio::test(flavor = "multi_thread")]
async fn any_two_statements_leave_a_table_that_is_whole() {
    let base = Base::new().await;
    let slow = tempfile::tempdir().unwrap();
    let slow = slow.path().canonicalize().unwrap();
    #[cfg(target_os = "linux")]
    faults::arm(&slow, faults::Fault::Waits { seed: 1, most: 4 });
    let mut wrong = vec![];
    let mut meeting = 0;
    for (at, first) in KINDS.into_iter().enumerate() {
        for second in &KINDS[at..] {
            let Some(table) = table_of(first, *second) else { continue };
            meeting += 1;
            let root = slow.join(meeting.to_string());
            copy(&base.database(), &root);
            let (a, b) = (session(&root), session(&root));
            let (one, two) = tokio::join!(base.perform(&a, first.0, table, 2), base.perform(&b, second.0, table, 3));
            for (kind, done) in [(first.0, &one), (second.0, &two)] {
                if let Err(error) = done
                    && !HONEST.iter().any(|known| message(error).contains(known))
                {
                    wrong.push(format!("{} with {}: {kind}: {}", first.0, second.0, message(error)));
                }
            }
            let word = |done: bool| if done { "done" } else { "refused" };
            let left = match state(&root).await {
                Ok(tables) => tables.join("; "),
                Err(error) => {
                    wrong.push(format!("{} with {}: {error}", first.0, second.0));
                    error
                }
            };
            println!("{:17} with {:17}: {}, {}; {left}", first.0, second.0, word(one.is_ok()), word(two.is_ok()));
            drop((one, two, a, b));
            let stray = stray(&root);
            if !stray.is_empty() {
                wrong.push(format!("{} with {}: {stray:?} are nobody's", first.0, second.0));
            }
            std::fs::remove_dir_all(root).unwrap();
        }
    }
    assert!(wrong.is_empty(), "{} in {meeting} meetings\n{}", wrong.len(), wrong.join("\n"));
}
