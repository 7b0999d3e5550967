//! A run that is killed is finished by resuming it: no one twice, no one missing.

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
    let sql = "SELECT uuid, age, state, first_name FROM usa ORDER BY uuid";
    let output = populace(database).args(["sql", "--format", "csv", sql]).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

fn generate(database: &Path) -> Command {
    let mut command = populace(database);
    command.args(["generate", "usa", "--count", &PEOPLE.to_string(), "--seed", "7"]).stdout(Stdio::null());
    command
}

fn versions(database: &Path) -> usize {
    std::fs::read_dir(database.join("tables/usa.lance/_versions")).map_or(0, Iterator::count)
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
        while versions(broken.path()) < commits && child.try_wait().unwrap().is_none() {
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
