//! A run with a model's endpoint, killed again and again: the same people in the end, and no answer paid for twice.
//! `POPULACE_LONG=1` kills it two hundred times. What kills do to statements, and to batches, is in `disk.rs`.

use std::collections::HashSet;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

mod support;
use support::stub::Stub;
use support::{output, populace};

const AT_ONCE: usize = 8;

/// Requests that a kill may lose: those in flight, and a quarter as many answers.
const LOST: usize = AT_ONCE + AT_ONCE / 4;

/// How many people, and how many kills.
fn length() -> (usize, usize) {
    if std::env::var_os("POPULACE_LONG").is_some() { (2000, 200) } else { (500, 25) }
}

fn generate(database: &Path, base: &str) -> Command {
    let mut command = populace(database);
    command.env("OPENAI_BASE_URL", base).env("OPENAI_API_KEY", "sk-secret");
    command.args(["generate", "usa", "--count", &length().0.to_string(), "--seed", "7", "--narrator", "openai:stub"]);
    command.args(["--concurrency", &AT_ONCE.to_string()]).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

fn people(database: &Path) -> String {
    let sql = "SELECT uuid, age, state, persona, cultural_background, narrative_error,
               array_to_string(persona_embedding, ' ') FROM usa ORDER BY uuid";
    output(populace(database).args(["sql", "--format", "csv", sql])).1
}

/// What was asked for since the last look, by prompt.
fn asked_since(stub: &Stub, seen: &mut usize) -> Vec<String> {
    let requests = stub.requests.lock().unwrap();
    let new = requests[*seen..].iter().map(|r| r["messages"][1].to_string()).collect();
    *seen = requests.len();
    new
}

/// Lets a process live until it has had so many answers, and then so long.
fn live(child: &mut Child, stub: &Stub, requests: usize, time: Duration) {
    let (before, patience) = (stub.count(), Instant::now());
    while stub.count() < before + requests && child.try_wait().unwrap().is_none() {
        assert!(patience.elapsed() < Duration::from_secs(120), "no {requests} requests");
        std::thread::sleep(Duration::from_millis(1));
    }
    std::thread::sleep(time);
}

#[test]
fn a_run_that_is_killed_again_and_again_pays_for_nothing_twice() {
    let (people_in_all, kills) = length();
    let delay = Duration::from_millis(2);
    let whole = Stub::writer(delay);
    let unbroken = tempfile::tempdir().unwrap();
    assert!(generate(unbroken.path(), &whole.base).status().unwrap().success());
    let complained = |body: &Value| body["messages"][2]["content"].as_str().map(String::from);
    let again: Vec<String> = whole.requests.lock().unwrap().iter().filter_map(complained).collect();
    assert_eq!((whole.count(), again), (2 * people_in_all, vec![]));
    let expected = people(unbroken.path());
    assert_eq!(expected.lines().count(), people_in_all + 1);

    let stub = Stub::writer(delay);
    let broken = tempfile::tempdir().unwrap();
    let (mut seen, mut paid, mut twice) = (0, HashSet::new(), 0);
    for kill in 0..kills {
        let mut child = generate(broken.path(), &stub.base).spawn().unwrap();
        // As good as random: after none to some two dozen requests, and up to a few thousandths of a second.
        let chance = *blake3::hash(&kill.to_le_bytes()).as_bytes();
        let requests = chance[0] as usize * 24 / 256;
        live(&mut child, &stub, requests, Duration::from_micros(u64::from(chance[1]) * 20));
        child.kill().unwrap();
        child.wait().unwrap();
        // Those that were on their way when it was killed are all that may be asked for again, now or after another
        // kill: the requests at the server, and the few answers that were not in the catalogue yet.
        let again = asked_since(&stub, &mut seen).into_iter().filter(|p| !paid.insert(p.clone())).count();
        twice += again;
        assert!(twice <= (kill + 1) * LOST, "{twice} asked again after {kill} kills and one");
    }
    assert!(people(broken.path()).lines().count() <= people_in_all, "it was done before the last kill");
    assert!(generate(broken.path(), &stub.base).status().unwrap().success());
    let again = asked_since(&stub, &mut seen).into_iter().filter(|p| !paid.insert(p.clone())).count();
    assert!(twice + again <= kills * LOST && paid.len() == 2 * people_in_all, "{again} again, {} in all", paid.len());
    println!("{kills} kills, {} requests of {}, {} in flight", stub.count(), 2 * people_in_all, twice + again);
    assert_eq!(people(broken.path()), expected);
}
