//! SIGINT and SIGTERM: commands end cleanly, with a code that says so and the place to go on from.
#![cfg(unix)]

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

mod support;
use support::{populace, ran_on};

const SIGNALS: [(&str, i32); 2] = [("-INT", 130), ("-TERM", 143)];

/// Hours of work.
const LONG: &str = "sample_persona('usa', 900000000)";

fn started(database: &Path, arguments: &[&str]) -> Child {
    populace(database).args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Waits until something is so.
fn until(what: &str, mut is: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is() {
        assert!(begun.elapsed() < Duration::from_secs(60), "{what}: not within a minute");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The exit code and the standard error of a program that was sent a signal.
fn ended(mut child: Child, signal: &str) -> (Option<i32>, String) {
    assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
    let mut error = String::new();
    child.stderr.take().unwrap().read_to_string(&mut error).unwrap();
    (child.wait().unwrap().code(), error)
}

fn entries(folder: &Path) -> Vec<String> {
    let found = std::fs::read_dir(folder).into_iter().flatten().flatten();
    found.map(|entry| entry.file_name().into_string().unwrap()).collect()
}

#[test]
fn statements_and_recipes_end_on_both() {
    let database = tempfile::tempdir().unwrap();
    assert_eq!(ran_on(database.path(), &["sql", "CREATE TABLE t AS SELECT 1 AS one"]).0, 0);
    for (signal, code) in SIGNALS {
        let sql = format!("SELECT one FROM t; SELECT state, count(*) FROM {LONG} GROUP BY 1");
        let mut child = started(database.path(), &["sql", "--format", "csv", &sql]);
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        // What it says of the first statement tells that it is at the second, or about to be.
        while line != "1\n" {
            line.clear();
            assert!(out.read_line(&mut line).unwrap() > 0);
        }
        let (ended_with, error) = ended(child, signal);
        assert_eq!((ended_with, error.contains("error: interrupted")), (Some(code), true), "{signal}: {error}");
    }
}

#[test]
fn an_export_leaves_nothing_behind() {
    let place = tempfile::tempdir().unwrap();
    for (signal, code) in SIGNALS {
        let folder = place.path().join(signal);
        let from = format!("(SELECT uuid, age FROM {LONG})");
        let to = folder.display().to_string();
        let child = started(&place.path().join("db"), &["export", &from, "--to", &to, "--format", "csv"]);
        until("a part of the file", || !entries(&folder).is_empty());
        let (ended_with, error) = ended(child, signal);
        assert_eq!((ended_with, error.contains("interrupted")), (Some(code), true), "{signal}: {error}");
        assert_eq!(entries(&folder), Vec::<String>::new());
    }
}

#[test]
fn an_import_goes_on_by_the_same_command() {
    const ROWS: usize = 20_000;
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("p.csv");
    let rows: String = (0..ROWS).map(|n| format!("u{n},{},keeps bees {n}\n", n % 90)).collect();
    std::fs::write(&file, format!("uuid,age,persona\n{rows}")).unwrap();
    let import = ["import", file.to_str().unwrap(), "--into", "people", "--embed", "persona"];
    for (signal, code) in SIGNALS {
        let database = place.path().join(signal);
        let child = started(&database, &import);
        // It is there once it has its name, and the import has come to its rows.
        let there = "SELECT count(*) FROM tables WHERE state = 'there'";
        until("a table", || {
            let read = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
            let catalog = rusqlite::Connection::open_with_flags(database.join("catalog.sqlite"), read);
            catalog.and_then(|c| c.query_row(there, [], |row| row.get::<_, i64>(0))).is_ok_and(|tables| tables == 1)
        });
        let (ended_with, error) = ended(child, signal);
        // It may have come to its end meanwhile.
        if ended_with != Some(0) {
            assert_eq!(ended_with, Some(code), "{error}");
            assert!(error.contains("the same again goes on from there"), "{error}");
        }
        let (code, _, error) = ran_on(&database, &import);
        assert_eq!(code, 0, "{error}");
        let sql = "SELECT count(*), count(DISTINCT uuid) FROM people";
        let (_, count, _) = ran_on(&database, &["sql", "--format", "csv", sql]);
        assert_eq!(count.lines().last(), Some(format!("{ROWS},{ROWS}").as_str()));
    }
}
