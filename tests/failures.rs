//! A server that fails three requests in ten, in every way that servers fail: nobody is lost, nothing is asked too often.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::{Value, json};

mod support;
use support::stub::{self, Reply, Stub};
use support::{asked, ran_on};

const PEOPLE: usize = 200;

/// Requests for one answer at most.
const ATTEMPTS: usize = 5;

/// What a failing server does.
fn failure(kind: usize, body: &Value) -> Reply {
    let error = |status, headers| Reply::Status(status, headers, r#"{"error": {"message": "not now"}}"#.into());
    let message = |message: Value| {
        let answer = json!({ "choices": [{ "message": message, "finish_reason": "stop" }] });
        Reply::Status(200, vec![], answer.to_string())
    };
    match kind {
        0 => error(429, vec![]),
        1 => error(429, vec![("retry-after", "0.3".into())]),
        2 => error(500, vec![]),
        3 => error(503, vec![]),
        // Longer than the client has patience for.
        4 => {
            std::thread::sleep(Duration::from_secs(4));
            Reply::Content(stub::texts(body))
        }
        // The connection is reset.
        5 => Reply::Close,
        // It breaks off in the middle of the answer.
        6 => Reply::Raw("HTTP/1.1 200 OK\r\ncontent-length: 4000\r\n\r\n{\"choices\": [{\"mess".into()),
        // No JSON around the answer, and none in it.
        7 => Reply::Status(200, vec![], "<html>Bad gateway".into()),
        8 => Reply::Content(stub::texts(body)[..40].into()),
        // Another schema than was asked for.
        9 => Reply::Content(r#"{"name": "Ada", "texts": ["one", "two"]}"#.into()),
        10 => Reply::Content(String::new()),
        11 => message(json!({ "role": "assistant", "content": null, "refusal": "I cannot write about real people." })),
        _ => Reply::Content("I'm sorry, but I can't help with that.".into()),
    }
}

const KINDS: usize = 13;

#[test]
fn a_failing_server_costs_nobody_a_row() {
    let directory = tempfile::tempdir().unwrap();
    let stub = Stub::start(Duration::from_millis(5), |n, body| {
        // Which fail is as good as chance, and the same every time.
        let chance = blake3::hash(&n.to_le_bytes()).as_bytes()[..4].iter().fold(0, |n, b| n << 8 | *b as usize);
        match chance % 100 {
            0..30 => failure(chance / 100 % KINDS, body),
            _ => Reply::Content(stub::texts(body)),
        }
    });
    let generate = ["generate", "usa", "--count", "200", "--seed", "7", "--narrator", "openai:stub"];
    let how = ["--concurrency", "16", "--timeout", "2"];
    let (code, out, error) = asked(directory.path(), &stub.base, &[&generate[..], &how].concat());
    assert_eq!(code, 0, "{out}{error}");
    let count = |what: &str| {
        let sql = format!("SELECT count({what}) AS n FROM usa");
        let out = ran_on(directory.path(), &["sql", "--format", "csv", &sql]).1;
        out.lines().nth(1).unwrap().parse::<usize>().unwrap()
    };
    assert_eq!((count("*"), count("DISTINCT uuid")), (PEOPLE, PEOPLE));
    // Who lacks a text has an error beside it: of 400 calls, some one or two fail five times.
    let failed = count("narrative_error");
    assert!(failed <= 10, "{failed}");
    assert_eq!(count("CASE WHEN persona IS NULL AND narrative_error IS NULL THEN 1 END"), 0);
    assert!(count("persona") >= PEOPLE - failed);
    // No call is made more often than it may be, nor more of them at once.
    let mut asked_for: HashMap<String, usize> = HashMap::new();
    for request in stub.requests.lock().unwrap().iter() {
        *asked_for.entry(request["messages"][1].to_string()).or_default() += 1;
    }
    assert!(asked_for.values().all(|n| *n <= ATTEMPTS), "{}", asked_for.values().max().unwrap());
    assert!(asked_for.values().filter(|n| **n > 1).count() > 60);
    assert!(asked_for.len() >= 2 * PEOPLE - failed);
    // Hangs are given up, while the server still sleeps over them.
    assert!(stub.peak.load(Ordering::SeqCst) <= 16 + stub.requests.lock().unwrap().len() / 40);
    let shown = ran_on(directory.path(), &["runs", "show"]).1;
    assert!(shown.contains(&format!("{} requests", stub.count())), "{} requests: {shown}", stub.count());
    // What is missing is written by a server that works again.
    let sound = Stub::writer(Duration::ZERO);
    let (code, out, error) = asked(directory.path(), &sound.base, &["runs", "retry", "--failed"]);
    assert!(code == 0, "{out}{error}");
    assert_eq!((count("persona"), count("narrative_error")), (PEOPLE, 0));
}
