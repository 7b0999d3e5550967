//! Statements of our own files, changed at random: whatever is typed comes to rows or to an error, never to a panic, and
//! touches no file outside of its database.
//!
//! `POPULACE_MUTATIONS` says how many are parsed (one in forty is run as well), `POPULACE_SEED` which: a long run is
//! `POPULACE_MUTATIONS=1000000 cargo test --test mutations`.

#[path = "support/place.rs"]
mod place;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures::TryStreamExt;
use place::{Place, into, out};
use populace::database::{Database, EmbedderChoice};
use populace::engine::{By, Engine, Options, Search, Statement, message};
use populace::export::Format;
use populace::report;

/// SplitMix64, so that a seed says what was tried.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }

    fn of<'a, T: ?Sized>(&mut self, things: &'a [impl AsRef<T>]) -> &'a T {
        things[self.below(things.len())].as_ref()
    }
}

/// What breaks parsers and planners.
const ODD: [&str; 40] = [
    "''",
    "'\"; DROP TABLE usa; --'",
    "\"\"",
    "\"a\"\"b\"",
    "$1",
    "$0",
    "$99999999999999999999",
    "?",
    ";",
    ";;",
    "(",
    ")",
    "[",
    "]",
    "{",
    "=>",
    "@",
    "::",
    "NULL",
    "*",
    "-1",
    "1e999",
    "18446744073709551616",
    "9223372036854775807",
    "0x",
    "E'\\n'",
    "X'ff'",
    "--",
    "/*",
    "*/",
    "BY NAME",
    "VERSION AS OF",
    "VERSION AS OF 'x'",
    "EXPLAIN",
    "ANALYZE",
    "ON MISSING COLUMNS ADD",
    "é",
    "\u{202e}",
    "\u{0}",
    "INTERVAL '1'",
];

/// The statements of the files of tests.
fn statements() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files: Vec<PathBuf> = ["tests/slt", "udfs/tests/slt"]
        .iter()
        .flat_map(|folder| std::fs::read_dir(root.join(folder)).unwrap().map(|e| e.unwrap().path()))
        .collect();
    files.sort();
    let mut statements = vec![];
    for file in files {
        let text = std::fs::read_to_string(file).unwrap();
        for record in text.split("\n\n") {
            let lines = record.lines().skip_while(|l| !(l.starts_with("query") || l.starts_with("statement"))).skip(1);
            let sql: Vec<&str> = lines.take_while(|l| *l != "----").collect();
            if !sql.is_empty() {
                statements.push(sql.join("\n"));
            }
        }
    }
    assert!(statements.len() > 200, "{}", statements.len());
    statements
}

/// A statement in words, which may be put together again.
fn words(sql: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut kind = None;
    for c in sql.chars() {
        let this = if c.is_alphanumeric() || c == '_' {
            0
        } else if c.is_whitespace() {
            1
        } else {
            2
        };
        if (kind != Some(this) || this == 2)
            && let Some(last) = words.last()
            && !last.is_empty()
        {
            words.push(String::new());
        }
        kind = Some(this);
        if let Some(last) = words.last_mut() {
            last.push(c);
        }
    }
    words
}

fn mutated(statements: &[String], random: &mut Random) -> String {
    let mut sql = words(random.of(statements));
    for _ in 0..1 + random.below(4) {
        let at = random.below(sql.len());
        match random.below(7) {
            0 => _ = sql.remove(at),
            1 => sql.insert(at, format!(" {} ", random.of::<str>(&ODD))),
            2 => sql[at] = random.of::<str>(&ODD).into(),
            3 => {
                let other = random.below(sql.len());
                sql.swap(at, other);
            }
            4 => {
                let again: Vec<String> = sql[at..(at + 1 + random.below(6)).min(sql.len())].to_vec();
                sql.splice(at..at, again);
            }
            5 => {
                let other = words(random.of(statements));
                let from = random.below(other.len());
                let to = (from + 1 + random.below(12)).min(other.len());
                sql.splice(at..at, other[from..to].to_vec());
            }
            _ => sql.truncate(at.max(1)),
        }
        if sql.is_empty() {
            sql.push("SELECT".into());
        }
    }
    sql.concat()
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|n| n.parse().ok()).unwrap_or(default)
}

fn entries(folder: &Path) -> BTreeSet<PathBuf> {
    std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect()
}

#[test]
fn whatever_is_typed_ends_in_rows_or_an_error() {
    let (count, seed) = (number("POPULACE_MUTATIONS", 4_000), number("POPULACE_SEED", 1));
    let home = tempfile::tempdir().unwrap();
    let before = entries(Path::new("."));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().thread_stack_size(64 << 20).build().unwrap();
    let engine = {
        let embedder = EmbedderChoice::named(Some("hash".into()));
        let database = Database::open(home.path().join("db"), embedder).unwrap();
        std::sync::Arc::new(Engine::new(database, Options::default()).unwrap())
    };
    let (statements, mut random, mut parsed, mut ran) = (statements(), Random(seed), 0, 0);
    let run = |statement: Statement, sql: &str| {
        let engine = engine.clone();
        let work = async move { engine.run(statement).await?.try_collect::<Vec<_>>().await };
        // What takes long is left: a number may have become a larger one.
        let done = runtime.block_on(async { tokio::time::timeout(Duration::from_secs(2), tokio::spawn(work)).await });
        match done {
            Ok(Err(panic)) => panic!("seed {seed}: {sql}: {panic}"),
            Ok(Ok(Err(error))) => {
                let text = message(&error);
                assert!(!text.contains("panicked") && !text.contains(".cargo"), "seed {seed}: {sql}: {text}");
            }
            Ok(Ok(Ok(_))) | Err(_) => {}
        }
    };
    let sql =
        "CREATE TABLE usa AS SELECT *, 'I am ' || first_name AS persona FROM sample_persona('usa', 50, seed => 1)";
    run(engine.parse(sql).unwrap().remove(0), sql);
    for at in 0..count {
        let sql = mutated(&statements, &mut random);
        let Ok(found) = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| engine.parse(&sql))) else {
            panic!("seed {seed}: parsing {sql:?} panics");
        };
        let Ok(found) = found else { continue };
        parsed += 1;
        if at % 40 == 0 {
            for statement in found {
                ran += 1;
                run(statement, &sql);
            }
        }
    }
    assert!(parsed > count / 20 && ran > 0, "{parsed} of {count} parsed, {ran} ran");
    assert_eq!(entries(home.path()), BTreeSet::from([home.path().join("db")]));
    assert_eq!(entries(Path::new(".")), before);
    // Tasks of statements that were left end with the process.
    runtime.shutdown_background();
}

/// What the name of a column may be in somebody's file.
const NAMES: [&str; 12] = [
    "a\"b",
    "\"; DROP TABLE precious; --",
    "x\") FROM precious; DROP TABLE precious; --",
    "x'); DROP TABLE precious; --",
    "a; b",
    "/* a",
    "-- a",
    "{{ a }}{% for x in y %}",
    "$1",
    "SELECT",
    "Größe \u{202e}\u{1f600}",
    "a\nb\t\\",
];

/// Every command that makes SQL of names, with columns and a file of such names: they are names, whatever is in them.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_file_calls_its_columns_is_a_name_to_every_command() {
    for name in NAMES {
        let place = Place::new();
        place.sql("CREATE TABLE precious AS SELECT 1 AS a").await;
        let (text, number) = (format!("{name}_persona"), name.to_string());
        let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
        let cell = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
        let row =
            |n: u32| format!("{n},{},{},{}\n", n % 7, cell(&format!("A text of number {n}, and {name}.")), cell("f"));
        let head = format!("uuid,{},{},sex\n", cell(&number), cell(&text));
        let file = place.write("theirs.csv", head + &(0..60).map(row).collect::<String>());
        let import = populace::import::Import { delimiter: Some(b','), ..into("theirs", &[&file]) };
        let imported = place.import(import).await;
        assert_eq!(imported.map(|i| i.appended.written), Ok(60), "{name:?}");
        let columns = place.sql("SELECT column_name FROM information_schema.columns WHERE table_name = 'theirs'").await;
        assert!(columns.contains(&number) && columns.contains(&text), "{name:?}: {columns:?}");
        // Statements that name them do what they say.
        let (q_text, q_number) = (quoted(&text), quoted(&number));
        for sql in [
            format!("CREATE INDEX words ON theirs USING text ({q_text})"),
            format!("UPDATE theirs SET {q_number} = {q_number} + 1, {q_text} = 'New: ' || {q_text} WHERE uuid = '3'"),
            format!("INSERT INTO theirs BY NAME SELECT '99' AS uuid, 3 AS {q_number}, 'more' AS {q_text}"),
            format!("REPLACE INTO theirs BY NAME SELECT '99' AS uuid, 4 AS {q_number}"),
            format!("DELETE FROM theirs WHERE uuid IN (SELECT uuid FROM theirs WHERE {q_number} = 0)"),
            format!("SELECT count(*) FROM stratified_sample(theirs, 10, strata => {q_number}, seed => 1)"),
            format!("SELECT self_similarity({}) FROM theirs", quoted(&format!("{text}_embedding"))),
            format!("CREATE VIEW seen AS SELECT {q_number} FROM theirs"),
            format!("SELECT {q_number} FROM seen ORDER BY {q_number} LIMIT 1"),
            "CREATE TABLE copied AS SELECT * FROM theirs VERSION AS OF 2".into(),
            format!("ALTER TABLE copied RENAME COLUMN {q_number} TO plain"),
            format!("ALTER TABLE copied RENAME COLUMN plain TO {q_number}"),
            format!("ALTER TABLE copied DROP COLUMN {q_number}"),
        ] {
            place.sql(&sql).await;
        }
        // So do the commands that make statements of them.
        let search = |by| Search {
            text: "number".into(),
            by,
            table: Some("theirs".into()),
            column: text.clone(),
            k: 3,
            predicate: Some(format!("{q_number} < 6")),
            rerank: None,
        };
        for by in [By::Facts, By::Meaning, By::Words, By::Both] {
            let found = place.engine.search(search(by)).await.unwrap_or_else(|e| panic!("{name:?}: {}", message(&e)));
            let found: Vec<_> = found.try_collect().await.unwrap_or_else(|e| panic!("{name:?}: {}", message(&e)));
            assert_eq!(found.iter().map(|b| b.num_rows()).sum::<usize>(), 3, "{name:?}");
        }
        for format in [Format::Jsonl, Format::Csv, Format::Parquet] {
            let exported = place.export(out("theirs", &place.path(&format!("out-{format:?}")), format)).await;
            assert!(exported.is_ok(), "{name:?}: {exported:?}");
        }
        let options = report::Options {
            table: "theirs".into(),
            country: Some("usa".into()),
            given: None,
            weights: None,
            title: Some(name.into()),
            people: 3,
            seed: 1,
        };
        let page = report::write(&place.engine, &options).await;
        assert!(page.is_ok(), "{name:?}: {}", page.map_or_else(|e| message(&e), |_| String::new()));
        place.engine.optimize("theirs", Duration::ZERO).await.unwrap();
        assert_eq!(place.sql("SELECT * FROM precious").await, ["1"], "{name:?}");
    }
}
