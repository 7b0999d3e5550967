//! A run whose requests are handed over in batches, killed again and again.

use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;
use std::time::Duration;

use super::faults::Fault;
use super::faulty::faulty;
use super::is_long;
use super::support::ran_on;
use super::support::stub::Stub;

const PEOPLE: usize = 60;

/// Whenever it is killed, whoever takes the run up finds the batches, and the answers in them, again: nobody is written
/// twice, and nothing is asked twice.
pub fn killed() {
    let count = PEOPLE.to_string();
    let generate =
        ["generate", "usa", "--count", &count, "--seed", "7", "--narrator", "openai:stub", "--batch", "--chunk", "20"];
    let (mut life, mut kills, mut lives) = (0, 0, 0);
    while kills < if is_long() { 200 } else { 15 } {
        let directory = tempfile::tempdir().unwrap();
        let stub = Stub::writer(Duration::ZERO);
        // The server is slow, so that a kill finds batches that are not done.
        stub.batches.lock().unwrap().looks = 1;
        loop {
            life += 1;
            // As good as random, and later and later, so that it comes to an end.
            let chance = u64::from(blake3::hash(&u64::to_le_bytes(life)).as_bytes()[0]);
            let at = 1 + chance + 40 * (kills % 15);
            let mut command = faulty(directory.path(), Fault::Kills(at));
            command.env("OPENAI_BASE_URL", &stub.base).env("OPENAI_API_KEY", "sk-secret").args(generate);
            let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
            if status.success() {
                break;
            }
            assert_eq!(status.signal(), Some(9));
            kills += 1;
        }
        lives += 1;
        let requests = stub.requests.lock().unwrap().len();
        assert_eq!((stub.batches.lock().unwrap().count(), requests), (2, 2 * PEOPLE), "{kills} kills");
        let sql = "SELECT count(*), count(DISTINCT uuid), count(persona), count(narrative_error) FROM usa";
        let (_, rows, error) = ran_on(directory.path(), &["sql", "--format", "csv", sql]);
        assert!(rows.contains("60,60,60,0"), "{rows}{error}");
    }
    println!("{kills} kills in {lives} runs: 2 batches and {} requests in each", 2 * PEOPLE);
}
