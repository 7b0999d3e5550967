//! A disk without room for large files, and a catalogue that another process holds.

use std::process::Command;
use std::time::{Duration, Instant};

use super::support::stub::Stub;
use super::support::{output, populace, ran_on};

const PEOPLE: usize = 150;
const AT_ONCE: usize = 8;

/// Files may not grow beyond so many KiB: to a program that is a disk without room.
fn without_room(command: &Command, size: u32) -> Command {
    let limited = format!("trap '' XFSZ; ulimit -f {size}; exec \"$0\" \"$@\"");
    let mut shell = Command::new("bash");
    shell.arg("-c").arg(limited).arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        _ = value.map(|value| shell.env(name, value));
    }
    shell
}

pub fn full() {
    let directory = tempfile::tempdir().unwrap();
    let stub = Stub::writer(Duration::from_millis(1));
    let run = |arguments: &[&str]| {
        let mut command = populace(directory.path());
        command.env("OPENAI_BASE_URL", &stub.base).env("OPENAI_API_KEY", "sk-secret").args(arguments);
        command
    };
    let (count, at_once) = (PEOPLE.to_string(), AT_ONCE.to_string());
    let generate =
        ["generate", "usa", "--count", &count, "--seed", "7", "--narrator", "openai:stub", "--concurrency", &at_once];
    let (code, out, error) = output(&mut without_room(&run(&generate), 2000));
    assert_eq!(code, 1, "{out}{error}");
    assert!(error.contains("disk") || error.contains("too large"), "{error}");
    let before = stub.count();
    assert!(before > AT_ONCE && before < 2 * PEOPLE, "{before} requests");
    let (code, out, error) = output(&mut run(&["runs", "resume"]));
    assert_eq!(code, 0, "{out}{error}");
    let sql = "SELECT count(DISTINCT uuid), count(persona), count(narrative_error) FROM usa";
    assert!(ran_on(directory.path(), &["sql", "--format", "csv", sql]).1.contains("150,150,0"));
    // Nothing is asked for again but what could not be kept: requests in flight, and a quarter as many answers.
    assert!(stub.count() <= 2 * PEOPLE + AT_ONCE + AT_ONCE / 4, "{} requests", stub.count());
}

pub fn held() {
    let directory = tempfile::tempdir().unwrap();
    assert_eq!(ran_on(directory.path(), &["generate", "usa", "--count", "5", "--seed", "1"]).0, 0);
    let catalog = rusqlite::Connection::open(directory.path().join("catalog.sqlite")).unwrap();
    catalog.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let started = Instant::now();
    let (code, _, error) = ran_on(directory.path(), &["generate", "usa", "--count", "9", "--seed", "1"]);
    assert!(code == 1 && error.contains("is locked by another process: try again"), "{error}");
    assert!(started.elapsed() < Duration::from_secs(90), "{:?}", started.elapsed());
    catalog.execute_batch("COMMIT").unwrap();
    let (code, out, _) = ran_on(directory.path(), &["generate", "usa", "--count", "9", "--seed", "1"]);
    assert!(code == 0 && out.contains("4 people written, 5 were there already"), "{out}");
}
