//! Every kind of statement on a disk that fails at one call, is full from one call on, or is gone with the program at
//! one: the database is as it was or as it is to be, and the same again makes it so.

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use libtest_mimic::Trial;

use super::faults::{self, Fault};
use super::meeting::{copy, done, session, state, stray};
use super::support::one_table;
use super::trial;

/// The program, where one of its calls meets a fault.
pub fn program(fault: &str) -> ExitCode {
    let folder = std::env::var_os("POPULACE_FAULT_FOLDER").expect("a folder");
    faults::arm(Path::new(&folder), Fault::read(fault).expect("a fault"));
    let code = populace::cli::main();
    if let Some(file) = std::env::var_os("POPULACE_FAULT_CALLS") {
        std::fs::write(file, faults::calls().to_string()).unwrap();
    }
    code
}

/// This program as `populace`.
pub fn faulty(database: &Path, fault: Fault) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    let folder = database.canonicalize().unwrap();
    command.arg("--db").arg(&folder).args(["--embedder", "hash"]);
    command.env("POPULACE_FAULT", fault.written()).env("POPULACE_FAULT_FOLDER", folder);
    command.stdin(Stdio::null());
    command
}

/// A statement, or a command, to which something may happen.
struct Case {
    name: &'static str,
    arguments: Vec<String>,
    /// Whether it does nothing when it is done already
    again: bool,
    /// Whether a part of it may be there
    parts: bool,
    /// Whether the database is of the first layout
    first_layout: bool,
}

fn cases() -> Vec<Case> {
    let sql = |name, sql: &str, again| {
        let arguments = vec!["sql".to_string(), "--format".into(), "csv".into(), sql.to_string()];
        Case { name, arguments, again, parts: false, first_layout: false }
    };
    let words = |words: &str| words.split(' ').map(String::from).collect();
    let people = "*, 'I was ' || first_name AS persona, 2 AS mark FROM sample_persona";
    vec![
        sql("INSERT", &format!("INSERT INTO usa BY NAME SELECT {people}('usa', 120, seed => 2)"), true),
        sql("keyless INSERT", "INSERT INTO log SELECT age, sex FROM usa WHERE age > 50", false),
        sql("UPDATE", "UPDATE usa SET mark = 2, persona = 'I was ' || first_name", true),
        sql("REPLACE", &format!("REPLACE INTO usa BY NAME SELECT {people}('usa', 230, seed => 1)"), true),
        sql("DELETE", "DELETE FROM usa WHERE age > 50", true),
        sql("DELETE IN", "DELETE FROM usa WHERE uuid IN (SELECT uuid FROM usa WHERE sex = 'Male')", true),
        sql("CREATE", &format!("CREATE TABLE other AS SELECT {people}('usa', 120, seed => 2)"), false),
        sql(
            "CREATE OR REPLACE",
            &format!("CREATE OR REPLACE TABLE usa AS SELECT {people}('usa', 120, seed => 2)"),
            true,
        ),
        sql("DROP", "DROP TABLE usa", false),
        sql("RENAME", "ALTER TABLE usa RENAME TO others", false),
        sql("ADD COLUMN", "ALTER TABLE usa ADD COLUMN tweet_persona VARCHAR", false),
        sql("RESTORE", "RESTORE TABLE usa TO VERSION AS OF 2", true),
        sql("CREATE INDEX", "CREATE INDEX IF NOT EXISTS words ON usa USING text (persona)", true),
        Case {
            arguments: words("generate usa --seed 3 --count 90 --chunk 30"),
            parts: true,
            ..sql("generate", "", true)
        },
        Case { arguments: words("optimize usa --keep-days 0"), ..sql("OPTIMIZE", "", true) },
        Case { first_layout: true, ..sql("migration", "SELECT count(*) FROM usa", true) },
    ]
}

/// A database with a table of people in two versions, one without a key, and one that was dropped.
fn base() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let people = "*, 'I am ' || first_name AS persona, 1 AS mark FROM sample_persona";
    wait(async {
        let engine = session(folder.path());
        for sql in [
            "CREATE TABLE gone AS SELECT 1 AS a; DROP TABLE gone".to_string(),
            format!("CREATE TABLE usa AS SELECT {people}('usa', 100, seed => 1)"),
            format!("INSERT INTO usa BY NAME SELECT {people}('usa', 200, seed => 1)"),
            "DELETE FROM usa WHERE age > 80".into(),
            "CREATE TABLE log AS SELECT age, sex FROM usa".into(),
        ] {
            done(&engine, &sql).await;
        }
    });
    folder
}

/// The same as the program left it before tables were rows of the catalogue.
fn first_layout() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    wait(async {
        let people =
            "CREATE TABLE usa AS SELECT *, 'I am ' || first_name AS persona FROM sample_persona('usa', 100, seed => 1)";
        done(&session(root), people).await;
    });
    let tables = root.join("tables");
    std::fs::rename(one_table(root), tables.join("usa.lance")).unwrap();
    for name in ["japan", "india"] {
        copy(&tables.join("usa.lance"), &tables.join(format!("{name}.lance")));
    }
    let id = uuid::Uuid::now_v7();
    // One was killed between two renames, one while it was made.
    std::fs::rename(tables.join("india.lance"), tables.join(format!(".india.{id}.dropped"))).unwrap();
    copy(&tables.join("japan.lance"), &tables.join(format!(".japan.{id}.new")));
    std::fs::write(tables.join(".usa.lock"), "").unwrap();
    for file in ["catalog.sqlite", "catalog.sqlite-wal", "catalog.sqlite-shm"] {
        _ = std::fs::remove_file(root.join(file));
    }
    std::fs::remove_dir_all(root.join("locks")).unwrap();
    std::fs::write(root.join("VERSION"), "1\n").unwrap();
    folder
}

pub fn wait<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().thread_stack_size(16 << 20).build().unwrap();
    runtime.block_on(work)
}

/// A database that a case begins with, and copies of it.
struct Start {
    folder: tempfile::TempDir,
    before: Vec<String>,
    after: Vec<String>,
    calls: u64,
}

impl Start {
    fn new(case: &Case) -> Start {
        let folder = if case.first_layout { first_layout() } else { base() };
        let unbroken = copied(folder.path());
        let counted = unbroken.path().with_extension("calls");
        let mut command = faulty(unbroken.path(), Fault::None);
        let out = command.env("POPULACE_FAULT_CALLS", &counted).args(&case.arguments).output().unwrap();
        assert!(out.status.success(), "{}: {}", case.name, String::from_utf8_lossy(&out.stderr));
        let calls = std::fs::read_to_string(&counted).unwrap().parse().unwrap();
        std::fs::remove_file(counted).unwrap();
        let after = wait(state(unbroken.path())).unwrap();
        let before = if case.first_layout { after.clone() } else { wait(state(copied(folder.path()).path())).unwrap() };
        Start { folder, before, after, calls }
    }

    /// Calls from first to last, as many as are wanted, and the last few, which clear up; all of them in a long run.
    fn calls(&self, wanted: u64) -> Vec<u64> {
        let wanted = if super::is_long() { self.calls } else { wanted };
        let mut calls: Vec<u64> = (0..wanted).map(|n| 1 + n * self.calls / wanted).collect();
        calls.extend(self.calls.saturating_sub(3).max(1)..=self.calls);
        calls.sort_unstable();
        calls.dedup();
        calls
    }
}

fn copied(from: &Path) -> tempfile::TempDir {
    let place = tempfile::tempdir().unwrap();
    copy(from, place.path());
    place
}

/// What came of a fault.
#[derive(Debug, Default)]
struct Seen {
    /// It was killed, or failed, and the database is as it was, as it is to be, or in part
    before: usize,
    after: usize,
    parts: usize,
    /// It did what it is to do all the same
    done: usize,
}

fn meets(case: &Case, start: &Start, fault: Fault, seen: &mut Seen) {
    let database = copied(start.folder.path());
    let out = faulty(database.path(), fault).args(&case.arguments).output().unwrap();
    let (said, place) = (String::from_utf8_lossy(&out.stderr), format!("{} {}", case.name, fault.written()));
    assert!(!said.contains("panicked") && !said.contains("RUST_BACKTRACE"), "{place}: {said}");
    let killed = out.status.signal() == Some(9);
    assert!(killed || matches!(out.status.code(), Some(0 | 1)), "{place}: {:?}: {said}", out.status);
    let now = wait(state(database.path())).unwrap_or_else(|error| panic!("{place}: {error}\n{said}"));
    match () {
        () if out.status.success() => {
            assert_eq!(now, start.after, "{place} is told to be done");
            seen.done += 1;
        }
        () if now == start.before => seen.before += 1,
        () if now == start.after => seen.after += 1,
        () if case.parts => seen.parts += 1,
        () => panic!(
            "{place}: neither what was there nor what is to be:\n{now:#?}\n{:#?}\n{:#?}\n{said}",
            start.before, start.after
        ),
    }
    if !killed && !out.status.success() {
        assert!(said.starts_with("error: ") || said.contains("\nerror: "), "{place}: {said}");
    }
    if case.again || now != start.after {
        let out = faulty(database.path(), Fault::None).args(&case.arguments).output().unwrap();
        let said = String::from_utf8_lossy(&out.stderr);
        assert!(out.status.success(), "{place}, again: {said}");
        assert_eq!(wait(state(database.path())).unwrap(), start.after, "{place}, again: {said}");
    }
    assert_eq!(stray(database.path()), Vec::<String>::new(), "{place}");
}

fn all(case: &Case, faults: [fn(u64) -> Fault; 3]) {
    let start = Start::new(case);
    for (kind, fault) in ["killed", "failing", "full"].iter().zip(faults) {
        let mut seen = Seen::default();
        let calls = start.calls(if *kind == "killed" { 15 } else { 5 });
        for call in &calls {
            meets(case, &start, fault(*call), &mut seen);
        }
        println!("{:18} {kind:8} at {:3} of {:3} calls: {seen:?}", case.name, calls.len(), start.calls);
    }
}

pub fn trials() -> Vec<Trial> {
    let of = |case: Case| {
        let name = format!("{}_on_a_disk_that_fails", case.name.replace(' ', "_"));
        trial(&name, move || all(&case, [Fault::Kills, Fault::Fails, Fault::Full]))
    };
    cases().into_iter().map(of).collect()
}
