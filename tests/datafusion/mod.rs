//! DataFusion's own SQL logic tests, from the source of its published crate, through our session and, beside it, through
//! one of DataFusion's own with the features that we build it with.

mod values;

use std::collections::{BTreeMap, HashSet};
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use datafusion::config::ConfigOptions;
use datafusion::error::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::prelude::{SessionConfig, SessionContext};
use futures::{FutureExt, StreamExt, TryStreamExt, stream};
use sqllogictest::{
    AsyncDB, DBOutput, MakeConnection, Normalizer, Record, Runner, TestErrorKind, parse_file, strict_column_validator,
};
use values::Letter;

use populace::engine::{Access, Files, Options};

use super::{Failure, Populace, session};

/// The crate that carries the files; it is not built, as it would turn on features of DataFusion that the program has
/// not.
const CRATE: &str = "datafusion-sqllogictest-54.1.0";

/// Partitions that the tests expect.
const PARTITIONS: usize = 4;

/// What a statement may take.
const LONGEST: Duration = Duration::from_secs(60);

/// Files that are run each time; `POPULACE_LONG=1` runs them all.
const SHORT: [&str; 22] = [
    "aggregate.slt",
    "aggregates_",
    "case.slt",
    "cte.slt",
    "distinct_on.slt",
    "expr.slt",
    "group.slt",
    "group_by.slt",
    "grouping",
    "join",
    "lateral_join.slt",
    "limit.slt",
    "null_aware_anti_join.slt",
    "order.slt",
    "predicates.slt",
    "qualify.slt",
    "select.slt",
    "sort_merge_join.slt",
    "subquery",
    "union",
    "unnest.slt",
    "window",
];

/// Files that are about what the program has not: functions of Spark, data that is made elsewhere.
const ELSEWHERE: [&str; 3] = ["spark/", "tpch/", "clickbench"];

/// Why statements do otherwise than their tests expect, by what is found in the error or in the statement, or by its
/// place. The parser knows one dialect, and SET does not change it: that is told by the file. What comes after a table
/// could not be made is not counted again.
const REASONS: [(&str, &str); 37] = [
    // Tables keep no constraints, and say so.
    ("constraints", "is not kept by any table"),
    ("constraints", "cte.slt:1290"),
    // CREATE TABLE says how many rows it wrote, DROP TABLE and the like that they are done.
    ("counts", "is expected to affect"),
    // A database has one schema; figures of the countries are in another catalogue, which information_schema lists.
    ("schemas", "a database has one schema"),
    ("schemas", "failed to resolve schema"),
    ("schemas", "tables are made in the database itself"),
    ("schemas", "information_schema"),
    ("schemas", "show tables"),
    ("schemas", "information_schema.slt:"),
    ("schemas", "information_schema_multiple_catalogs.slt:"),
    // What all sessions share is not SET by one of them.
    ("settings", "datafusion.runtime"),
    ("settings", "parquet.slt:152"),
    ("settings", "parquet.slt:162"),
    // Tables keep views of text as text, coded numbers as numbers, lists of a fixed length as lists; columns may be NULL.
    ("types", "no table keeps values of the type"),
    ("types", "arrow_typeof"),
    ("types", "describe"),
    ("types", "desc test_desc_table"),
    ("types", "value_dict"),
    ("types", "ree_t"),
    ("types", "sensor_readings"),
    ("types", "array/array_append.slt:242"),
    ("types", "array/array_prepend.slt:247"),
    // Names with dots, and functions of one's own.
    ("names", "is no name for a table"),
    ("names", "with a dot in it"),
    ("names", "ddl.slt:374"),
    ("names", "ddl.slt:381"),
    ("functions", "functions of one's own"),
    ("functions", "create_function.slt:46"),
    // UPDATE finds rows again by their key.
    ("keys", "finds rows again by their uuid"),
    ("keys", "dml_update.slt:"),
    // A statement is planned when it is executed, with constants; what is explained is not done.
    ("prepared", "prepare.slt:41"),
    ("prepared", "prepare.slt:83"),
    ("prepared", "prepare.slt:318"),
    ("prepared", "prepare.slt:323"),
    ("prepared", "EXECUTE takes constants"),
    ("explain", "EXPLAIN ANALYZE runs what it explains"),
    ("explain", "EXPLAIN explains the statement itself"),
];

/// A session of DataFusion's own.
struct Plain(SessionContext);

/// Ours.
struct Ours(Populace);

async fn output(rows: SendableRecordBatchStream) -> Result<DBOutput<Letter>, Failure> {
    let types = values::letters(rows.schema().fields());
    let batches: Vec<_> = rows.try_collect().await?;
    let rows: Vec<_> =
        batches.iter().map(values::rows).collect::<Result<Vec<_>, _>>().map_err(DataFusionError::from)?;
    let rows = rows.concat();
    Ok(if rows.is_empty() && types.is_empty() {
        DBOutput::StatementComplete(0)
    } else {
        DBOutput::Rows { types, rows }
    })
}

#[async_trait::async_trait]
impl AsyncDB for Plain {
    type Error = Failure;
    type ColumnType = Letter;

    async fn run(&mut self, sql: &str) -> Result<DBOutput<Letter>, Failure> {
        output(self.0.sql(sql).await?.execute_stream().await?).await
    }

    fn engine_name(&self) -> &str {
        "DataFusion"
    }

    async fn shutdown(&mut self) {}
}

#[async_trait::async_trait]
impl AsyncDB for Ours {
    type Error = Failure;
    type ColumnType = Letter;

    async fn run(&mut self, sql: &str) -> Result<DBOutput<Letter>, Failure> {
        let mut done = Ok(DBOutput::StatementComplete(0));
        for statement in self.0.engine.parse(sql)? {
            done = output(self.0.engine.run(statement).await?).await;
        }
        done
    }

    fn engine_name(&self) -> &str {
        "DataFusion"
    }

    async fn shutdown(&mut self) {}
}

/// The folder of the files; fetched as cargo fetches the source of any crate, if it is not there.
fn folder() -> Option<PathBuf> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from).or_else(|| Some(dirs::home_dir()?.join(".cargo")))?;
    let find = || {
        let registries = std::fs::read_dir(home.join("registry/src")).ok()?;
        let mut places = registries.flatten().map(|r| r.path().join(CRATE).join("test_files"));
        places.find(|p| p.is_dir())
    };
    find().or_else(|| {
        let (name, version) = CRATE.rsplit_once('-')?;
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        _ = Command::new(cargo).args(["info", "-q", &format!("{name}@{version}")]).output();
        find()
    })
}

#[allow(clippy::ptr_arg, reason = "a normalizer is of this type")]
fn trimmed(text: &String) -> String {
    text.trim_end().into()
}

/// Whether rows are what is expected; `<slt:ignore>` stands for anything.
fn same(normal: Normalizer, actual: &[Vec<String>], expected: &[String]) -> bool {
    let actual: Vec<String> = actual.iter().map(|row| row.join(" ").trim_end().to_string()).collect();
    let expected: Vec<String> = expected.iter().map(normal).collect();
    let wanted = expected.join("\n");
    if !wanted.contains("<slt:ignore>") {
        return actual == expected;
    }
    let mut left = actual.join("\n");
    for (at, part) in wanted.split("<slt:ignore>").enumerate() {
        match left.find(part) {
            Some(found) if at > 0 || found == 0 => left = left.split_off(found + part.len()),
            _ => return false,
        }
    }
    true
}

fn runner<D, M>(make: M) -> Runner<D, M>
where
    D: AsyncDB<ColumnType = Letter>,
    M: MakeConnection<Conn = D>,
{
    let mut runner = Runner::new(make);
    runner.add_label("Datafusion");
    runner.with_column_validator(strict_column_validator);
    runner.with_normalizer(trimmed);
    runner.with_validator(same);
    runner
}

/// What became of a statement; `None` where it did what its test expects.
async fn tried<D, M>(runner: &mut Runner<D, M>, record: &Record<Letter>) -> Option<String>
where
    D: AsyncDB<ColumnType = Letter>,
    M: MakeConnection<Conn = D>,
{
    let run = AssertUnwindSafe(runner.run_async(record.clone())).catch_unwind();
    match tokio::time::timeout(LONGEST, run).await {
        Err(_) => Some("it takes too long".into()),
        Ok(Err(_)) => Some("it panics".into()),
        Ok(Ok(Ok(_))) => None,
        Ok(Ok(Err(error))) => match error.kind() {
            // An error where one is expected, in words of our own.
            TestErrorKind::ErrorMismatch { .. } => None,
            TestErrorKind::Fail { err, .. } => Some(format!("error: {err}")),
            TestErrorKind::Ok { .. } => Some("no error".into()),
            TestErrorKind::QueryResultMismatch { expected, actual, .. } => {
                Some(format!("rows:\n{expected}\n--- ours:\n{actual}"))
            }
            TestErrorKind::QueryResultColumnsMismatch { expected, actual, .. } => {
                Some(format!("types: {expected}, ours: {actual}"))
            }
            kind => Some(kind.to_string()),
        },
    }
}

/// What became of a file's statements.
#[derive(Default)]
struct Count {
    passed: usize,
    /// Those that need files or functions that are not there: they fail in DataFusion's own session too
    neither: usize,
    /// EXPLAIN of the same statement, with another plan
    plans: usize,
    /// Those that do otherwise for a reason
    reasons: BTreeMap<&'static str, usize>,
    failed: Vec<String>,
}

impl Count {
    fn line(&self, name: &str) -> String {
        let reasons: Vec<String> = self.reasons.iter().map(|(reason, count)| format!("{reason} {count}")).collect();
        format!(
            "{name}: {} passed, {} neither, {} plans; {}",
            self.passed,
            self.neither,
            self.plans,
            reasons.join(", ")
        )
    }
}

/// The statements of a file, in a session of one kind.
async fn all<D, M>(records: &[Record<Letter>], make: M) -> Vec<Option<String>>
where
    D: AsyncDB<ColumnType = Letter>,
    M: MakeConnection<Conn = D>,
{
    let mut runner = runner(make);
    let mut done = vec![];
    for record in records {
        done.push(tried(&mut runner, record).await);
    }
    runner.shutdown_async().await;
    done
}

/// Ours, which may do what the tests do: read and write files, and SET what they like.
fn ours() -> Result<Ours, Failure> {
    let options = ConfigOptions::default().entries().into_iter().map(|e| e.key);
    let settings: Vec<&'static str> = options
        .filter(|key| key != "datafusion.sql_parser.dialect")
        .map(|key| &*Box::leak(key.into_boxed_str()))
        .collect();
    let access =
        Access { files: Files::Allowed, settings: Box::leak(settings.into_boxed_slice()), ..Access::default() };
    Ok(Ours(session(Options { access, ..Options::default() })))
}

async fn file(name: &str, path: PathBuf) -> Count {
    let mut count = Count::default();
    let mut records = match parse_file::<Letter>(&path) {
        Ok(records) => records,
        Err(error) => {
            count.failed.push(format!("{name}: {error}"));
            return count;
        }
    };
    let end = records.iter().position(|r| matches!(r, Record::Halt { .. })).unwrap_or(records.len());
    records.truncate(end);
    records.retain(|r| !matches!(r, Record::System { .. } | Record::Sleep { .. }));
    let scratch = Path::new("test_files/scratch").join(path.file_stem().unwrap());
    std::fs::create_dir_all(&scratch).unwrap();
    let plain = SessionContext::new_with_config(SessionConfig::new().with_target_partitions(PARTITIONS));
    let theirs = all(&records, move || {
        let plain = plain.clone();
        async move { Ok(Plain(plain)) }
    })
    .await;
    std::fs::remove_dir_all(&scratch).unwrap();
    std::fs::create_dir_all(&scratch).unwrap();
    let ours = all(&records, || async {
        let mut session = ours()?;
        session.run(&format!("SET datafusion.execution.target_partitions = {PARTITIONS}")).await?;
        // What is not known comes last in ours, whichever way one sorts.
        session.run("SET datafusion.sql_parser.default_null_ordering = 'nulls_max'").await?;
        Ok(session)
    })
    .await;
    let (mut missing, mut generic) = (HashSet::new(), true);
    for ((record, there), here) in records.iter().zip(theirs).zip(ours) {
        let (Record::Statement { loc, sql, .. } | Record::Query { loc, sql, .. }) = record else { continue };
        let words = sql.to_lowercase();
        if words.contains("set datafusion.sql_parser.dialect") {
            generic = words.contains("generic") || words.trim_start().starts_with("reset");
        }
        let explains = words.trim_start().starts_with("explain");
        match here {
            None => count.passed += 1,
            Some(why) if explains && !why.starts_with("error") => count.plans += 1,
            Some(_) if there.is_some() => count.neither += 1,
            Some(why) => {
                let reason = match () {
                    () if !generic => Some("dialect"),
                    () if missing.iter().any(|table: &String| why.contains("no table") && why.contains(table)) => {
                        Some("after")
                    }
                    () => {
                        let place = format!("{name}:{}", loc.line());
                        let because = |text: &str| {
                            why.contains(text) || words.contains(text) || place == text || {
                                text.ends_with(".slt:") && place.starts_with(text)
                            }
                        };
                        REASONS.iter().find(|(_, text)| because(text)).map(|(reason, _)| *reason)
                    }
                };
                if let Some(name) = made(sql) {
                    missing.insert(name);
                }
                match reason {
                    Some(reason) => *count.reasons.entry(reason).or_default() += 1,
                    None => count.failed.push(format!("{name}:{}\n{sql}\n{why}", loc.line())),
                }
            }
        }
    }
    count
}

/// The table that a statement would make.
fn made(sql: &str) -> Option<String> {
    let words: Vec<String> =
        sql.split([' ', '\n', '(', '\t', ';']).filter(|w| !w.is_empty()).map(|w| w.to_lowercase()).collect();
    if words.first()? != "create" {
        return None;
    }
    let at = words.iter().take(6).position(|w| w == "table" || w == "view")?;
    let name = words[at + 1..].iter().find(|w| !["if", "not", "exists"].contains(&w.as_str()))?;
    Some(name.trim_matches('"').into())
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<_> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    entries.sort();
    for entry in entries {
        if entry.is_dir() {
            files(&entry, found);
        } else if entry.extension().is_some_and(|e| e == "slt") {
            found.push(entry);
        }
    }
}

/// Each file passes as many of its statements as `expected.txt` says, and each that does not has a reason. With
/// `POPULACE_ACCEPT=1` and `POPULACE_LONG=1` the list is written anew. With a clone of DataFusion and its submodules in
/// `POPULACE_DATAFUSION` the files find their data.
#[tokio::test(flavor = "multi_thread")]
async fn files_of_datafusion() {
    let Some(folder) = folder() else {
        assert!(std::env::var_os("POPULACE_REQUIRE_MODELS").is_none(), "{CRATE} could not be fetched");
        eprintln!("SKIPPED: {CRATE} could not be fetched");
        return;
    };
    let list = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/datafusion/expected.txt");
    let expected = std::fs::read_to_string(&list).unwrap_or_default();
    let expected = |name: &str| {
        let passed = expected.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")?.split(' ').next());
        passed.map_or(0, |passed| passed.parse().unwrap())
    };
    // Where the tests expect to be, with folders to write into.
    let place = tempfile::tempdir().unwrap();
    let inner = place.path().join("datafusion/sqllogictest");
    std::fs::create_dir_all(&inner).unwrap();
    std::env::set_current_dir(inner).unwrap();
    #[cfg(unix)]
    if let Some(clone) = std::env::var_os("POPULACE_DATAFUSION").map(PathBuf::from) {
        for data in ["testing", "parquet-testing", "datafusion/core"] {
            std::os::unix::fs::symlink(clone.join(data), place.path().join(data)).unwrap();
        }
    }
    let name = |path: &Path| path.strip_prefix(&folder).unwrap().display().to_string();
    let (accept, long) = (std::env::var_os("POPULACE_ACCEPT"), std::env::var_os("POPULACE_LONG"));
    let mut all = vec![];
    files(&folder, &mut all);
    all.retain(|path| {
        let name = name(path);
        let short = SHORT.iter().any(|start| name.starts_with(start));
        (short || long.is_some()) && !ELSEWHERE.iter().any(|start| name.starts_with(start))
    });
    let runs = all.into_iter().map(|path| {
        let name = name(&path);
        async move {
            let count = tokio::spawn(async move { (file(&name, path).await, name) });
            count.await.unwrap()
        }
    });
    let mut counts: BTreeMap<String, Count> = BTreeMap::new();
    let mut runs = stream::iter(runs).buffer_unordered(2);
    while let Some((count, name)) = runs.next().await {
        counts.insert(name, count);
    }
    let (mut lines, mut faults) = (vec![], vec![]);
    for (name, count) in &counts {
        lines.push(count.line(name));
        println!("{}", count.line(name));
        faults.extend(count.failed.iter().cloned());
        if count.passed < expected(name) && accept.is_none() {
            faults.push(format!("{name}: {} passed, {} are expected", count.passed, expected(name)));
        }
    }
    let sum = |of: fn(&Count) -> usize| counts.values().map(of).sum::<usize>();
    let because = sum(|c| c.reasons.values().sum());
    println!(
        "{} files: {} passed, {} neither, {} plans, {because} for a reason, {} without",
        counts.len(),
        sum(|c| c.passed),
        sum(|c| c.neither),
        sum(|c| c.plans),
        sum(|c| c.failed.len())
    );
    if accept.is_some() && long.is_some() {
        std::fs::write(list, lines.join("\n") + "\n").unwrap();
    }
    assert!(faults.is_empty(), "{} faults\n\n{}", faults.len(), faults.join("\n\n"));
}
