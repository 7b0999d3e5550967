//! Statements of every kind, and what a database is after them: as one line, the same for the same rows.
#![allow(dead_code, reason = "not every test has a use for each")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use datafusion::arrow::array::{Array, RecordBatch};
use datafusion::arrow::util::display::array_value_to_string;
use datafusion::common::{DataFusionError, exec_err};
use futures::{StreamExt, TryStreamExt};
use populace::database::{Database, EmbedderChoice};
use populace::engine::{Engine, Options, message};
use populace::import::{Import, prepare};
use populace::runs;
use populace::servers::RequestOptions;

use crate::support::stub::{Reply, Stub, texts};
use crate::support::{asked, ran_on};

pub fn open(root: &Path) -> Arc<Database> {
    Database::open(root, EmbedderChoice::named(Some("hash".into()))).unwrap()
}

/// A session of a process of its own: nothing but the files is shared.
pub fn session(root: &Path) -> Engine {
    Engine::new(open(root), Options::default()).unwrap()
}

pub async fn rows(engine: &Engine, sql: &str) -> Result<Vec<RecordBatch>, DataFusionError> {
    let mut all = vec![];
    for statement in engine.parse(sql)? {
        all.extend(engine.run(statement).await?.try_collect::<Vec<_>>().await?);
    }
    Ok(all)
}

pub async fn done(engine: &Engine, sql: &str) {
    rows(engine, sql).await.unwrap_or_else(|e| panic!("{sql}: {}", message(&e)));
}

pub fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(|e| e.unwrap()) {
        let place = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &place),
            false => _ = std::fs::copy(entry.path(), place).unwrap(),
        }
    }
}

/// What a statement is, and whether it is for tables without a key too.
pub const KINDS: [(&str, bool); 18] = [
    ("INSERT", false),
    ("keyless INSERT", true),
    ("UPDATE", false),
    ("REPLACE", false),
    ("DELETE", true),
    ("DELETE IN", false),
    ("DROP", true),
    ("UNDROP", true),
    ("CREATE OR REPLACE", true),
    ("RENAME", true),
    ("ADD COLUMN", true),
    ("RESTORE", true),
    ("OPTIMIZE", true),
    ("CREATE INDEX", true),
    ("failing import", false),
    ("retry", false),
    ("resume", false),
    ("SELECT", true),
];

/// Whether two kinds are for one table: that of people, or the one without a key where one of them inserts there.
pub fn table_of(one: (&str, bool), two: (&str, bool)) -> Option<&'static str> {
    match one.0 == "keyless INSERT" || two.0 == "keyless INSERT" {
        false => Some("usa"),
        true => (one.1 && two.1).then_some("log"),
    }
}

/// What a session, or a program, is told to do; `n` keeps it apart from others of its kind.
pub fn statement(kind: &str, table: &str, n: u32) -> Option<String> {
    let people = |count: u32, seed: u32| match table {
        "usa" => format!("SELECT * FROM sample_persona('usa', {count}, seed => {seed})"),
        _ => format!("SELECT age, sex FROM sample_persona('usa', {count}, seed => {seed})"),
    };
    Some(match kind {
        "INSERT" => format!("INSERT INTO usa BY NAME {}", people(40, n)),
        "keyless INSERT" => format!("INSERT INTO log {}", people(40, n)),
        "UPDATE" => "UPDATE usa SET age = age + 1 WHERE sex = 'Female'".into(),
        "REPLACE" => format!("REPLACE INTO usa BY NAME {}", people(30, 1)),
        "DELETE" => format!("DELETE FROM {table} WHERE age > 70"),
        "DELETE IN" => "DELETE FROM usa WHERE uuid IN (SELECT uuid FROM usa WHERE age < 25)".into(),
        "DROP" => format!("DROP TABLE {table}"),
        "UNDROP" => format!("UNDROP TABLE {table}"),
        "CREATE OR REPLACE" => format!("CREATE OR REPLACE TABLE {table} AS {}", people(50, n)),
        "RENAME" => format!("ALTER TABLE {table} RENAME TO {table}{n}"),
        "ADD COLUMN" => format!("ALTER TABLE {table} ADD COLUMN c{n} INT"),
        "RESTORE" => format!("RESTORE TABLE {table} TO VERSION AS OF 2"),
        "CREATE INDEX" => format!("CREATE INDEX ages{n} ON {table} USING btree (age)"),
        "SELECT" => format!("SELECT * FROM {table}"),
        _ => return None,
    })
}

/// A database on which any of the statements does something, and what they need beside it.
pub struct Base {
    pub folder: tempfile::TempDir,
    pub stub: Stub,
    /// The run some of whose texts are missing, and one that was killed
    retry: String,
    resume: String,
}

impl Base {
    pub async fn new() -> Base {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("db");
        // One answer in six is of no use, and one server in the end gives them all.
        let failing = Stub::start(Duration::ZERO, |_, body| match body["messages"][1]["content"].as_str() {
            Some(prompt) if blake3::hash(prompt.as_bytes()).as_bytes()[0] < 42 => Reply::Content("no".into()),
            _ => Reply::Content(texts(body)),
        });
        let engine = session(&database);
        done(&engine, "CREATE TABLE usa AS SELECT * FROM sample_persona('usa', 10, seed => 9); DROP TABLE usa").await;
        done(&engine, "CREATE TABLE log AS SELECT 1::BIGINT AS age; DROP TABLE log").await;
        done(&engine, "CREATE TABLE log AS SELECT age, sex FROM sample_persona('usa', 30, seed => 1)").await;
        done(&engine, "INSERT INTO log SELECT age, sex FROM sample_persona('usa', 30, seed => 2)").await;
        drop(engine);
        let made =
            ["generate", "usa", "--count", "60", "--seed", "1", "--narrator", "openai:stub", "--narratives", "persona"];
        let (code, out, error) = asked(&database, &failing.base, &made);
        assert_eq!(code, 0, "{out}{error}");
        let more = ["generate", "usa", "--count", "30", "--seed", "2", "--narrator", "none"];
        let (code, out, error) = ran_on(&database, &more);
        assert_eq!(code, 0, "{out}{error}");
        let engine = session(&database);
        let runs = engine.catalog().unwrap().runs().unwrap();
        let (resume, retry) = (runs[0].id.clone(), runs[1].id.clone());
        // It was killed after half of its people.
        done(&engine, &format!("DELETE FROM usa WHERE run_id = '{resume}' AND age < 50")).await;
        drop(engine);
        let catalog = rusqlite::Connection::open(database.join("catalog.sqlite")).unwrap();
        let set = "UPDATE runs SET status = 'running', done = 0 WHERE id = ?1";
        assert_eq!(catalog.execute(set, [&resume]).unwrap(), 1);
        std::fs::write(folder.path().join("broken.csv"), "uuid,age\nx1,30\nx2,many\n").unwrap();
        let stub = Stub::writer(Duration::from_millis(1));
        let servers = format!("[[server]]\nbase = \"{}\"\n", stub.base);
        std::fs::write(folder.path().join("servers.toml"), servers).unwrap();
        let base = Base { folder, stub, retry, resume };
        let lacking = rows(&session(&base.database()), "SELECT 1 FROM usa WHERE narrative_error IS NOT NULL").await;
        assert!(lacking.unwrap().iter().map(RecordBatch::num_rows).sum::<usize>() > 2);
        base
    }

    pub fn database(&self) -> PathBuf {
        self.folder.path().join("db")
    }

    fn file(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    /// A copy of the database.
    pub fn copy(&self) -> tempfile::TempDir {
        let place = tempfile::tempdir().unwrap();
        copy(&self.database(), place.path());
        place
    }

    /// A statement in a session.
    pub async fn perform(&self, engine: &Engine, kind: &str, table: &str, n: u32) -> Result<(), DataFusionError> {
        match kind {
            "OPTIMIZE" => match engine.optimize(table, Duration::ZERO).await?.into_iter().find_map(|s| s.done.err()) {
                Some(error) => exec_err!("{error}"),
                None => Ok(()),
            },
            "failing import" => {
                let file = self.folder.path().join("broken.csv");
                let import = Import { files: vec![file], table: table.into(), ..Import::default() };
                let prepared = prepare(engine.database(), import).await?;
                prepared.run(engine.database(), |_| {}).await.map(|_| ())
            }
            "retry" => {
                let asking = RequestOptions {
                    servers: Some(self.folder.path().join("servers.toml")),
                    ..RequestOptions::default()
                };
                let options = Options { narrator: Some("openai:stub".into()), asking, ..Options::default() };
                let engine = Engine::new(engine.database().clone(), options)?;
                let run = engine.catalog()?.run(&self.retry).unwrap().unwrap();
                Box::pin(runs::retry_failed(&engine, &run)).await.map(|_| ())
            }
            "resume" => {
                let run = engine.catalog()?.run(&self.resume).unwrap().unwrap();
                Box::pin(runs::run(engine, &run, None, |_| {})).await.map(|_| ())
            }
            "SELECT" => {
                let statement = engine.parse(&statement(kind, table, n).unwrap())?.remove(0);
                let mut reading = engine.run(statement).await?;
                let mut read = 0;
                while let Some(batch) = reading.next().await {
                    read += batch?.num_rows();
                    tokio::time::sleep(Duration::from_millis(30)).await;
                }
                if read == 0 { exec_err!("nobody is there") } else { Ok(()) }
            }
            kind => rows(engine, &statement(kind, table, n).unwrap()).await.map(|_| ()),
        }
    }

    /// The arguments by which a program does the same.
    pub fn arguments(&self, kind: &str, table: &str, n: u32) -> Vec<String> {
        let words = |words: &[&str]| words.iter().map(|w| w.to_string()).collect();
        match kind {
            "OPTIMIZE" => words(&["optimize", table, "--keep-days", "0"]),
            "failing import" => words(&["import", &self.file("broken.csv"), "--into", table]),
            "retry" => words(&["runs", "retry", &self.retry, "--failed", "--servers", &self.file("servers.toml")]),
            "resume" => words(&["runs", "resume", &self.resume]),
            kind => words(&["sql", "--format", "csv", &statement(kind, table, n).unwrap()]),
        }
    }
}

/// What may be said of a statement that another came before.
pub const HONEST: [&str; 20] = [
    "there is no table",
    "dropped or replaced",
    "changed while",
    "no version 2",
    "there is a table",
    "no dropped table",
    "was given back or removed",
    "is at work",
    "exists already",
    "was made meanwhile",
    "made meanwhile",
    "broken.csv: column age, row 2",
    "nobody is there",
    "left for another time",
    "has not",
    "has no column",
    "no column",
    "has a column",
    "has such an index already",
    "is taken",
];

/// What a database is: each table with its columns and rows, all of them read; every key once. What differs from run to
/// run is left out: the run's name, and vectors, of which there is one for each text.
///
/// # Errors
/// If a table cannot be read, has a key twice, or a text without its vector.
pub async fn state(root: &Path) -> Result<Vec<String>, String> {
    let engine = session(root);
    let mut tables = vec![];
    for name in engine.database().tables() {
        let all = rows(&engine, &format!("SELECT * FROM \"{name}\"")).await;
        let all = all.map_err(|e| format!("{name}: {}", message(&e)))?;
        let (mut lines, mut keys, mut names) = (vec![], std::collections::HashSet::new(), vec![]);
        for batch in &all {
            let schema = batch.schema();
            names = schema.fields().iter().map(|f| f.name().clone()).collect();
            let shown = |name: &String| !name.ends_with("_embedding") && name != "run_id";
            let columns: Vec<usize> = (0..names.len()).filter(|at| shown(&names[*at])).collect();
            for row in 0..batch.num_rows() {
                let text = |at: &usize| array_value_to_string(batch.column(*at), row).unwrap();
                lines.push(columns.iter().map(text).collect::<Vec<_>>().join("\u{1f}"));
                if let Some(uuid) = batch.column_by_name("uuid").filter(|c| c.is_valid(row)) {
                    let uuid = array_value_to_string(uuid, row).unwrap();
                    if !keys.insert(uuid.clone()) {
                        return Err(format!("{name} has {uuid} twice"));
                    }
                }
            }
            let nulls = |name: &str| batch.column_by_name(name).map(|c| c.null_count());
            if let (Some(texts), Some(vectors)) = (nulls("persona"), nulls("persona_embedding"))
                && texts != vectors
            {
                return Err(format!("{name} has texts without vectors"));
            }
        }
        lines.sort();
        names.retain(|name| !name.ends_with("_embedding"));
        let hash = blake3::hash(lines.join("\n").as_bytes()).to_hex();
        tables.push(format!("{name}: {} rows of {} columns, {}", lines.len(), names.len(), &hash[..8]));
    }
    Ok(tables)
}

/// What lies in the folder of tables and is no table's, once what was dropped is removed.
pub fn stray(root: &Path) -> Vec<String> {
    let database = open(root);
    database.remove_dropped(Duration::ZERO).unwrap();
    let catalog = database.catalog().unwrap();
    let known: Vec<String> = catalog.tables().unwrap().into_iter().map(|t| t.folder).collect();
    let there = std::fs::read_dir(root.join("tables")).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
    there.filter(|name| !known.contains(name)).collect()
}
