//! The Model Context Protocol under nonsense, over HTTP and on standard input.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::Shutdown;
use std::process::{Child, ChildStdin, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::{Value, json};

use super::server::{Server, mangle, people, random, reply, until};
use super::support::populace;

/// No call below takes as long, whatever has become of it.
const PATIENCE: Duration = Duration::from_secs(120);

/// Calls that are good, of each kind that there is.
fn calls() -> Vec<Value> {
    let call = |method: &str, params: Value| json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
    let tool = |name: &str, arguments: Value| call("tools/call", json!({ "name": name, "arguments": arguments }));
    vec![
        initialize(),
        json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }),
        json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": 1, "reason": "none" } }),
        call("ping", json!({})),
        call("tools/list", json!({})),
        call("prompts/list", json!({ "cursor": "a" })),
        call("resources/templates/list", json!({})),
        call("resources/read", json!({ "uri": "populace://persona/people/0" })),
        call("prompts/get", json!({ "name": "act_as_persona", "arguments": { "table": "people", "uuid": "0" } })),
        tool("list_countries", json!({})),
        tool("list_tables", json!({})),
        tool("describe_country", json!({ "country": "usa", "variable": "sex" })),
        tool("sample_personas", json!({ "country": "usa", "n": 2, "seed": 7, "columns": ["age"] })),
        tool("count_people", json!({ "country": "singapore", "given": "age > 80" })),
        tool("run_sql", json!({ "statement": "SELECT count(*) FROM people WHERE age > 50", "max_rows": 3 })),
        tool("run_recipe", json!({ "name": "evaluation_panel", "parameters": { "table": "nobody" } })),
        tool("evaluation_panel", json!({ "from": "people", "n": 3, "strata": ["sex"], "seed": 1 })),
    ]
}

fn initialize() -> Value {
    let client = json!({ "name": "nonsense", "version": "1" });
    let params = json!({ "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": client });
    json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params })
}

/// What may stand where something else should.
fn strange(random: &mut impl FnMut(usize) -> usize) -> Value {
    match random(12) {
        0 => Value::Null,
        1 => json!(-1),
        2 => json!(u64::MAX),
        3 => json!(1e308),
        4 => json!(""),
        5 => json!("x".repeat(1 + random(20_000))),
        6 => json!("\u{0}\u{202e}\u{feff}é\u{1f3f3}';--"),
        7 => json!([]),
        8 => json!({}),
        9 => (0..random(100)).fold(json!(1), |inner, _| json!([inner])),
        10 => json!(vec![0; random(2_000)]),
        _ => json!(true),
    }
}

/// Puts something else in some place of a message, or takes it away.
fn twist(value: &mut Value, random: &mut impl FnMut(usize) -> usize) {
    match value {
        Value::Object(parts) if !parts.is_empty() && random(4) > 0 => {
            let key = parts.keys().nth(random(parts.len())).cloned().unwrap();
            match random(6) {
                0 => drop(parts.remove(&key)),
                1 => drop(parts.insert(format!("{key}s"), json!(1))),
                _ => twist(&mut parts[&key], random),
            }
        }
        Value::Array(parts) if !parts.is_empty() && random(4) > 0 => {
            let at = random(parts.len());
            twist(&mut parts[at], random);
        }
        _ => *value = strange(random),
    }
}

/// A message that is wrong in its meaning or in its letters, or good as it is.
fn message(calls: &[Value], random: &mut impl FnMut(usize) -> usize) -> Vec<u8> {
    let mut call = calls[random(calls.len())].clone();
    for _ in 0..random(3) {
        twist(&mut call, random);
    }
    // Several at once, which the protocol had once.
    if random(40) == 0 {
        call = json!([call, calls[random(calls.len())]]);
    }
    let mut bytes = call.to_string().into_bytes();
    if random(3) == 0 {
        for _ in 0..1 + random(3) {
            let at = random(bytes.len());
            mangle(&mut bytes, at, &mut *random);
        }
    }
    match random(200) {
        0 => vec![b'['; 1 + random(50_000)],
        1 => vec![],
        _ => bytes,
    }
}

fn rounds() -> usize {
    if std::env::var("POPULACE_LONG").is_ok() { 100_000 } else { 800 }
}

/// Whether a server's memory, after half of the messages and after all of them, is bounded. Countries are opened once,
/// each with the first call that names it.
fn is_bounded(before: f64, after: f64) -> bool {
    let room = if rounds() > 10_000 { 1e8 } else { 5e8 };
    after < 2e9 && after < before + room
}

#[test]
fn nonsense_over_http_is_answered() {
    let database = tempfile::tempdir().unwrap();
    people(database.path(), "people", "50");
    let mut server = Server::start(database.path(), &[]);
    let mut random = random();
    let calls = calls();
    let good = "application/json, text/event-stream";
    let strange = ["application/json", "text/event-stream", "*/*", "", "text/html;q=0.5, ,", "\u{fffd}"];
    let mut answers = BTreeMap::new();
    let memory = |server: &Server| server.metric("populace_resident_memory_bytes ", None);
    let mut before = 0.0;
    let rounds = rounds();
    for round in 0..rounds {
        let body = message(&calls, &mut random);
        let accept = if random(8) == 0 { strange[random(strange.len())] } else { good };
        let kind = if random(20) == 0 { strange[random(strange.len())] } else { "application/json" };
        let method = if random(20) == 0 { ["GET", "DELETE", "PUT", "OPTIONS"][random(4)] } else { "POST" };
        let length = if random(30) == 0 { random(1 << 20) } else { body.len() };
        let mut head = format!(
            "{method} /mcp HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncontent-type: {kind}\r\naccept: {accept}\r\n\
             content-length: {length}\r\n",
            server.address
        );
        match random(12) {
            0 => head += "mcp-protocol-version: 2025-06-18\r\n",
            1 => head += "mcp-protocol-version: 9999-99-99\r\n",
            2 => head += "mcp-session-id: 00000000-0000-0000-0000-000000000000\r\n",
            3 => head += "last-event-id: 7/7\r\nmcp-session-id: \u{e9}\r\n",
            4 => head += "mcp-method: tools/call\r\nmcp-name: run_sql\r\n",
            _ => {}
        }
        let mut stream = server.connect();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        // It may have answered, and closed, before it has read all of it.
        _ = stream.write_all(&[head.as_bytes(), b"\r\n", &body].concat());
        // Whoever closes is not answered; but what was promised and never comes is waited for.
        if length > body.len() {
            _ = stream.shutdown(Shutdown::Write);
        }
        let answer = reply(stream);
        // A body that is longer than it says is another request after the first, one that is shorter never comes.
        let is_cut = length != body.len();
        let told = || format!("{head}\n{}\n{answer:?}", String::from_utf8_lossy(&body));
        assert!(is_cut || (200..500).contains(&answer.status), "{}", told());
        let said = String::from_utf8_lossy(&answer.body);
        assert!(said.len() < 200_000 && !said.contains("fault of the program"), "{}", told());
        *answers.entry(answer.status).or_insert(0) += 1;
        if round == rounds / 2 {
            before = memory(&server);
        }
    }
    assert!(server.is_there());
    // What is told of a slip is no longer than what is told of anything else.
    let slip = json!({ "name": "run_sql", "arguments": { "statement": format!("SELECT {}", "x".repeat(900_000)) } });
    let slip = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": slip }).to_string();
    let told = server.ask("POST", "/mcp", &[("accept", good)], &slip);
    assert!(told.status == 200 && told.body.len() < 30_000, "{}: {} bytes", told.status, told.body.len());
    assert_eq!(told.json()["result"]["isError"], true);
    // Some of it was good, and answered; some was refused; and nothing of it is kept.
    assert!(answers[&200] > rounds / 20 && answers.iter().any(|(status, _)| *status >= 400), "{answers:?}");
    let after = memory(&server);
    assert!(is_bounded(before, after), "{before} bytes, then {after}");
    // Those of clients that have left end in a moment.
    until("its end", Duration::from_secs(20), || server.metric("populace_statements_at_work ", None) == 0.0);
    println!("{rounds} messages over HTTP, answered by {answers:?}; {before} bytes, then {after}");
    let said = server.said();
    assert!(!said.contains("panicked"), "{said}");
}

/// `populace mcp`, with a client at its other end.
struct Told {
    child: Child,
    to: Option<ChildStdin>,
    answers: Receiver<Value>,
}

impl Told {
    fn start(database: &std::path::Path) -> Told {
        let mut command = populace(database);
        let command = command.arg("mcp").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (send, answers) = channel();
        let out = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                // Whatever it says is a message.
                let said = serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line}"));
                if send.send(said).is_err() {
                    break;
                }
            }
        });
        let to = child.stdin.take();
        Told { child, to, answers }
    }

    fn say(&mut self, line: &[u8]) -> std::io::Result<()> {
        let to = self.to.as_mut().unwrap();
        to.write_all(line)?;
        to.write_all(b"\n")
    }

    /// Waits for the answer to a call.
    fn answer(&self, id: &str) -> Value {
        loop {
            let said = self.answers.recv_timeout(PATIENCE).unwrap_or_else(|e| panic!("no answer to {id}: {e}"));
            if said["id"] == id {
                return said;
            }
        }
    }

    /// Its end, once nothing more is said to it: how it ended, and what it had to tell.
    fn end(mut self) -> (Option<i32>, String) {
        drop(self.to.take());
        let mut told = String::new();
        let stderr = self.child.stderr.take().unwrap();
        BufReader::new(stderr).lines().map_while(Result::ok).for_each(|line| told += &(line + "\n"));
        (self.child.wait().unwrap().code(), told)
    }
}

/// Bytes of a process in memory, where the system says.
fn resident(id: u32) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<f64>().ok()? * 1024.0)
}

#[test]
fn nonsense_on_standard_input_is_passed_over() {
    let database = tempfile::tempdir().unwrap();
    people(database.path(), "people", "50");
    let mut random = random();
    let calls = calls();
    // Before it is greeted, nonsense may end it; it is an end like others.
    for _ in 0..3 * rounds().div_ceil(10_000) {
        let mut told = Told::start(database.path());
        for _ in 0..20 {
            // It may have ended.
            _ = told.say(&message(&calls, &mut random));
        }
        let (code, said) = told.end();
        assert!(matches!(code, Some(0..=2)) && !said.contains("panicked"), "{code:?}: {said}");
    }
    let mut told = Told::start(database.path());
    let mut hello = initialize();
    hello["id"] = json!("hello");
    told.say(hello.to_string().as_bytes()).unwrap();
    assert_eq!(told.answer("hello")["result"]["serverInfo"]["name"], "populace");
    told.say(calls[1].to_string().as_bytes()).unwrap();
    let (rounds, mut before) = (rounds(), 0.0);
    for round in 0..rounds {
        told.say(&message(&calls, &mut random)).unwrap();
        if round % 50 == 49 {
            let id = format!("round {round}");
            // (Greeted again, as a later version of the protocol has it, it would know no ping.)
            let list = json!({ "jsonrpc": "2.0", "id": id, "method": "tools/list" });
            told.say(list.to_string().as_bytes()).unwrap();
            let said = told.answer(&id);
            assert!(said["result"].is_object(), "round {round}: {said}");
        }
        if round == rounds / 2 {
            before = resident(told.child.id()).unwrap_or_default();
        }
    }
    // A line without an end is not kept, however long it is.
    let many = vec![b'x'; 1 << 20];
    (0..40).for_each(|_| told.to.as_mut().unwrap().write_all(&many).unwrap());
    told.say(b"").unwrap();
    let sql = json!({ "name": "run_sql", "arguments": { "statement": "SELECT count(*) AS n FROM people" } });
    let last = json!({ "jsonrpc": "2.0", "id": "last", "method": "tools/call", "params": sql });
    told.say(last.to_string().as_bytes()).unwrap();
    let said = told.answer("last");
    assert!(said["result"]["content"][0]["text"].as_str().unwrap().starts_with("n\n50\n"), "{said}");
    let after = resident(told.child.id()).unwrap_or_default();
    assert!(is_bounded(before, after), "{before} bytes, then {after}");
    println!("{rounds} messages on standard input; {before} bytes, then {after}");
    let (code, said) = told.end();
    assert!(code == Some(0) && !said.contains("panicked"), "{code:?}: {said}");
}
