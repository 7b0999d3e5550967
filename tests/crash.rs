//! A run that is killed is finished by resuming it: no one twice, no one missing.

mod support;

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const PEOPLE: u64 = 4000;

fn populace(database: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_populace"));
    command.arg("--db").arg(database).args(["--embedder", "hash"]).stderr(Stdio::null());
    command
}

fn people(database: &Path) -> String {
    let sql = "SELECT uuid, age, state, persona, array_to_string(persona_embedding, ' ') FROM usa ORDER BY uuid";
    let output = populace(database).args(["sql", "--format", "csv", sql]).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

fn generate(database: &Path) -> Command {
    let mut command = populace(database);
    command.args(["generate", "usa", "--count", &PEOPLE.to_string(), "--seed", "7", "--chunk", "500"]);
    command.stdout(Stdio::null());
    command
}

#[test]
fn a_killed_run_is_resumed() {
    let unbroken = tempfile::tempdir().unwrap();
    assert!(generate(unbroken.path()).status().unwrap().success());
    let expected = people(unbroken.path());
    assert_eq!(expected.lines().count() as u64, PEOPLE + 1);

    let broken = tempfile::tempdir().unwrap();
    // Killed after the table was made, in the middle, and near the end, wherever each moment falls.
    for commits in [1, 3, 6] {
        let mut child = generate(broken.path()).spawn().unwrap();
        let patience = Instant::now();
        while support::versions(broken.path()) < commits && child.try_wait().unwrap().is_none() {
            assert!(patience.elapsed() < Duration::from_secs(300), "no {commits} commits");
            std::thread::yield_now();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        // The first kill at the least falls long before the end.
        assert!(commits > 1 || (people(broken.path()).lines().count() as u64) < PEOPLE);
    }
    let resumed = populace(broken.path()).args(["runs", "resume"]).status().unwrap();
    assert!(resumed.success());
    assert_eq!(people(broken.path()), expected);
}

/// How the runs stand, the newest first.
fn statuses(database: &Path) -> Vec<String> {
    let output = populace(database).arg("runs").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|l| l.split_whitespace().nth(1).unwrap().to_string()).collect()
}

#[test]
fn a_killed_insert_is_resumed() {
    let directory = tempfile::tempdir().unwrap();
    let database = directory.path();
    let sql = |sql: &str| populace(database).args(["sql", sql]).stdout(Stdio::null()).status().unwrap().success();
    assert!(sql("CREATE TABLE usa AS SELECT * FROM generate_persona('usa', 10, seed => 1)"));
    // Without a seed of its own: the run knows which one it took.
    let insert = "INSERT INTO usa SELECT * FROM generate_persona('usa', 9000)";
    let mut child = populace(database).args(["sql", insert]).stdout(Stdio::null()).spawn().unwrap();
    let (before, patience) = (support::versions(database), Instant::now());
    while support::versions(database) == before && child.try_wait().unwrap().is_none() {
        assert!(patience.elapsed() < Duration::from_secs(300), "no commit");
        std::thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let written = people(database).lines().count() - 11;
    assert!(written > 0 && written < 9000, "{written}");
    assert_eq!(statuses(database), ["interrupted", "done"]);
    assert!(populace(database).args(["runs", "resume"]).stdout(Stdio::null()).status().unwrap().success());
    assert_eq!(people(database).lines().count(), 9011);
    assert_eq!(statuses(database), ["done", "done"]);
    let twice = "SELECT count(*) - count(DISTINCT uuid) AS n FROM usa";
    let output = populace(database).args(["sql", "--format", "csv", twice]).output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "n\n0\n");
}

#[test]
fn two_processes_write_one_table() {
    let directory = tempfile::tempdir().unwrap();
    let write = |count: &str, seed: &str| {
        let mut command = populace(directory.path());
        command.args(["generate", "usa", "--count", count, "--seed", seed, "--chunk", "100"]).stdout(Stdio::null());
        command.spawn().unwrap()
    };
    assert!(write("10", "1").wait().unwrap().success());
    // Two draw the same people, one draws others.
    let children = [write("900", "7"), write("900", "7"), write("500", "8")];
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    let people = people(directory.path());
    let uuids: std::collections::HashSet<&str> = people.lines().skip(1).map(|l| &l[..32]).collect();
    assert_eq!((people.lines().count() - 1, uuids.len()), (1410, 1410));
}
