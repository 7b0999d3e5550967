//! Requests that are handed to a provider in batches.

use std::process::Stdio;
use std::time::{Duration, Instant};

mod support;
use support::stub::{self, Reply, Stub};
use support::{asked, populace, ran_on};

const PEOPLE: usize = 60;

fn generate<'a>(more: &[&'a str]) -> Vec<&'a str> {
    let fixed = ["generate", "usa", "--count", "60", "--seed", "7", "--narrator", "openai:stub", "--batch"];
    [&fixed[..], more].concat()
}

/// Requests that came, and those of them that repeat another's prompt.
fn requests(stub: &Stub) -> (usize, usize) {
    let requests = stub.requests.lock().unwrap();
    let prompts: std::collections::HashSet<String> = requests.iter().map(|r| r["messages"][1].to_string()).collect();
    (requests.len(), requests.len() - prompts.len())
}

#[test]
fn a_run_hands_its_requests_over_in_batches_at_half_the_price() {
    let directory = tempfile::tempdir().unwrap();
    let database = directory.path().join("db");
    let prices = directory.path().join("prices.toml");
    std::fs::write(&prices, "[models.stub]\nprompt = 10\ncompletion = 20\n").unwrap();
    let prices = ["--prices", prices.to_str().unwrap()];
    let stub = Stub::writer(Duration::ZERO);
    // The answer to the first is lost on its way; the batch is found again by its name.
    stub.batches.lock().unwrap().lose = 1;
    let dry = |more: &[&'static str]| {
        let all = [&generate(&prices)[..], more].concat();
        asked(&database, &stub.base, &all).1
    };
    let cost = |out: &str| out.split("cost").nth(1).unwrap().split_whitespace().next().unwrap().parse::<f64>().unwrap();
    let expected = cost(&dry(&["--dry-run"]));
    let (code, out, error) = asked(&database, &stub.base, &generate(&prices));
    assert_eq!(code, 0, "{out}{error}");
    // One batch of attributes, one of personas; nothing besides.
    assert_eq!((stub.batches.lock().unwrap().count(), requests(&stub)), (2, (2 * PEOPLE, 0)));
    let sql =
        "SELECT count(persona), count(cultural_background), count(persona_embedding), count(narrative_error) FROM usa";
    assert!(ran_on(&database, &["sql", "--format", "csv", sql]).1.contains("60,60,60,0"));
    let shown = ran_on(&database, &["runs", "show"]).1;
    assert!(shown.contains("batch-1: 60 of 60 answered, completed"), "{shown}");
    // 120 calls of 100 and 50 tokens at 10 and 20 dollars a million: 0.24 dollars, by halves.
    assert_eq!(cost(&shown), 0.12, "{shown}");
    assert!(expected > 0.0);
}

#[test]
fn a_batch_is_waited_for_by_whoever_takes_the_run_up_again() {
    let directory = tempfile::tempdir().unwrap();
    let stub = Stub::writer(Duration::ZERO);
    stub.batches.lock().unwrap().looks = 2;
    let mut command = populace(directory.path());
    command.env("OPENAI_BASE_URL", &stub.base).env("OPENAI_API_KEY", "sk-secret").args(generate(&[]));
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    for step in 1..=2 {
        let patience = Instant::now();
        while stub.batches.lock().unwrap().count() < step {
            assert!(patience.elapsed() < Duration::from_secs(120), "no batch {step}");
            std::thread::sleep(Duration::from_millis(10));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let mut command = populace(directory.path());
        command.env("OPENAI_BASE_URL", &stub.base).env("OPENAI_API_KEY", "sk-secret").args(["runs", "resume"]);
        child = command.stdout(Stdio::null()).spawn().unwrap();
    }
    assert!(child.wait().unwrap().success());
    assert_eq!((stub.batches.lock().unwrap().count(), requests(&stub)), (2, (2 * PEOPLE, 0)));
    let sql = "SELECT count(DISTINCT uuid), count(persona), count(narrative_error) FROM usa";
    assert!(ran_on(directory.path(), &["sql", "--format", "csv", sql]).1.contains("60,60,0"));
}

#[test]
fn what_a_batch_leaves_is_asked_for_again() {
    let directory = tempfile::tempdir().unwrap();
    // Everyone's first attributes are of no use; some of the personas never are in a batch.
    let stub = Stub::start(Duration::ZERO, |n, body| match n {
        0..PEOPLE => Reply::Content("{}".into()),
        _ if n % 10 == 0 => Reply::Status(500, vec![], r#"{"error": {"message": "try again"}}"#.into()),
        _ => Reply::Content(stub::texts(body)),
    });
    let (code, out, error) = asked(directory.path(), &stub.base, &generate(&[]));
    assert_eq!(code, 0, "{out}{error}");
    let sql = "SELECT count(persona), count(cultural_background), count(narrative_error) FROM usa";
    assert!(ran_on(directory.path(), &["sql", "--format", "csv", sql]).1.contains("60,60,0"));
    // The attributes twice, then the personas; the few that were left are asked for one by one.
    assert_eq!(stub.batches.lock().unwrap().count(), 3);
    let complaints = stub.requests.lock().unwrap().iter().filter(|r| r["messages"][2].is_object()).count();
    assert_eq!(complaints, PEOPLE);
    let shown = ran_on(directory.path(), &["runs", "show"]).1;
    assert!(shown.contains("60 times: cultural_background: the answer has no such text"), "{shown}");
}

#[test]
fn limits_hold_and_servers_without_batches_are_named() {
    let directory = tempfile::tempdir().unwrap();
    let stub = Stub::writer(Duration::ZERO);
    let (code, _, error) = asked(directory.path(), &stub.base, &generate(&["--max-calls", "30"]));
    assert!(code == 1 && error.contains("the limit of 30 calls is reached"), "{error}");
    assert_eq!(requests(&stub), (30, 0));
    assert_eq!(asked(directory.path(), &stub.base, &["runs", "resume", "--max-calls", "1000"]).0, 0);
    assert_eq!(requests(&stub), (2 * PEOPLE, 0));
    let none = Stub::writer(Duration::ZERO);
    none.batches.lock().unwrap().none = true;
    let (code, _, error) = asked(directory.path(), &none.base, &generate(&["--into", "other", "--temperature", "1"]));
    assert!(code == 1 && error.contains("has no files (404): leave --batch out"), "{error}");
    let servers = directory.path().join("servers.toml");
    let text = format!("[[server]]\nbase = \"{0}\"\n[[server]]\nbase = \"{0}/\"\n", none.base);
    std::fs::write(&servers, text).unwrap();
    let several = ["--into", "other", "--temperature", "1", "--servers", servers.to_str().unwrap()];
    let (code, _, error) = asked(directory.path(), &none.base, &generate(&several));
    assert!(code == 1 && error.contains("a batch is handed to one server, and 2 are named"), "{error}");
}
