//! `populace serve` over HTTP: what it answers, to whom, and what it withstands.
#![cfg(feature = "serve")]

mod support;

#[path = "serve/access.rs"]
mod access;
#[path = "serve/mcp.rs"]
mod mcp;
#[path = "serve/page.rs"]
mod page;
#[path = "support/server.rs"]
mod server;

use std::io::{Read, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use arrow::ipc::reader::StreamReader;
use serde_json::{Value, json};

use server::{ENDLESS, Reply, Server, mangle, random, reply, token, until};
use support::stub::{Reply as Said, Stub};
use support::{populace, ran_on};

fn sql(text: &str) -> Value {
    json!({ "statement": text })
}

fn problem(reply: &Reply, status: u16, kind: &str) -> Value {
    assert_eq!(reply.status, status, "{}", reply.text());
    assert_eq!(reply.header("content-type"), Some("application/problem+json"));
    let problem = reply.json();
    assert_eq!((problem["kind"].as_str(), problem["status"].as_u64()), (Some(kind), Some(status.into())), "{problem}");
    problem
}

#[test]
fn statements_are_answered_in_every_form() {
    let database = tempfile::tempdir().unwrap();
    let server = Server::start(database.path(), &[]);
    let people = "SELECT first_name, age FROM sample_persona('usa', $1, seed => 42, given => age > $2)";
    let asked = |format: &str| json!({ "statement": people, "parameters": [3, 80], "format": format });
    let said = server.post("/v1/sql", asked("json")).json();
    let columns = json!([{ "name": "first_name", "type": "Utf8" }, { "name": "age", "type": "Int32" }]);
    assert_eq!(said["columns"], columns, "{said}");
    let rows = said["rows"].as_array().unwrap();
    assert!(rows.len() == 3 && rows.iter().all(|row| row["age"].as_i64().unwrap() > 80), "{said}");
    let lines = server.post("/v1/sql", asked("ndjson"));
    assert_eq!(lines.header("content-type"), Some("application/x-ndjson"));
    let lines: Vec<Value> = lines.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(&lines, rows);
    let csv = server.post("/v1/sql", asked("csv"));
    assert!(csv.text().starts_with("first_name,age\n") && csv.text().lines().count() == 4, "{}", csv.text());
    let arrow = server.post("/v1/sql", asked("arrow"));
    let batches: Vec<_> = StreamReader::try_new(&arrow.body[..], None).unwrap().map(Result::unwrap).collect();
    assert_eq!(batches.iter().map(|b| b.num_rows()).sum::<usize>(), 3);
    // What a request accepts is as good as what it says.
    let accepted = server.ask("POST", "/v1/sql", &[("accept", "text/csv")], &sql("SELECT 1 AS a").to_string());
    assert_eq!(accepted.text(), "a\n1\n");
    // A result without rows.
    let none = server.post("/v1/sql", sql("SELECT 1 AS a WHERE false")).json();
    assert_eq!((none["rows"].as_array().unwrap().len(), none["columns"][0]["name"].as_str()), (0, Some("a")));
}

#[test]
fn slips_are_problems_with_places() {
    let database = tempfile::tempdir().unwrap();
    let server = Server::start(database.path(), &[]);
    let said = problem(&server.post("/v1/sql", sql("SELECT\n  age FORM t")), 400, "syntax");
    assert_eq!(said["position"]["line"], 2, "{said}");
    let said = problem(&server.post("/v1/sql", sql("SELECT * FROM usaa")), 404, "not-found");
    assert!(said["detail"].as_str().unwrap().contains("usaa"), "{said}");
    problem(&server.post("/v1/sql", sql("SELECT 1; SELECT 2")), 400, "usage");
    problem(&server.post("/v1/sql", sql("")), 400, "usage");
    let more = json!({ "statement": "SELECT $1", "parameters": [1, 2] });
    problem(&server.post("/v1/sql", more), 400, "usage");
    problem(&server.post("/v1/sql", json!({ "sql": "SELECT 1" })), 400, "usage");
    problem(&server.post("/v1/sql", json!({ "statement": "SELECT 1", "parameters": [{}] })), 400, "usage");
    let form = [("content-type", "text/plain")];
    problem(&server.ask("POST", "/v1/sql", &form, &sql("SELECT 1").to_string()), 415, "usage");
    problem(&server.get("/v1/nothing"), 404, "not-found");
    problem(&server.get("/v1/sql"), 405, "usage");
    problem(&server.get("/v1/countries/atlantis"), 404, "not-found");
    problem(&server.post("/v1/sample", json!({ "country": "usa", "count": 1, "given": "age >" })), 400, "usage");
    problem(&server.post("/v1/sample", json!({ "country": "../usa.pack", "count": 1 })), 404, "not-found");
    // What fails after rows were sent is told in the body.
    let late = "SELECT 10 / (5 - value) AS a FROM generate_series(1, 100000) WHERE value <> 0";
    let said = server.post("/v1/sql", sql(&format!("SELECT a FROM ({late}) ORDER BY a LIMIT 5")));
    problem(&said, 422, "execution");
}

#[test]
fn people_are_drawn_counted_and_found() {
    let database = tempfile::tempdir().unwrap();
    let made = ran_on(database.path(), &["generate", "usa", "--count", "20", "--seed", "7"]);
    assert_eq!(made.0, 0, "{}", made.2);
    let small = ["generate", "singapore", "--count", "20", "--seed", "7"];
    assert_eq!(ran_on(database.path(), &small).0, 0);
    let server = Server::start(database.path(), &[]);
    let wanted =
        json!({ "country": "usa", "count": 2, "seed": 42, "given": "state = 'VT'", "columns": ["uuid", "state"] });
    let (once, again) = (server.post("/v1/sample", wanted.clone()).json(), server.post("/v1/sample", wanted).json());
    assert_eq!(once, again);
    assert_eq!((once["seed"].as_u64(), once["rows"][1]["state"].as_str()), (Some(42), Some("VT")), "{once}");
    let (_, by_cli, _) = ran_on(
        database.path(),
        &["sql", "SELECT uuid FROM sample_persona('usa', 2, seed => 42, given => state = 'VT')", "--format", "csv"],
    );
    assert_eq!(by_cli.lines().nth(1), once["rows"][0]["uuid"].as_str());
    // A seed that is not given is told.
    let fresh = server.post("/v1/sample", json!({ "country": "usa", "count": 1 })).json();
    assert!(fresh["seed"].is_u64(), "{fresh}");
    let share = server.post("/v1/probability", json!({ "country": "usa", "given": "sex = 'Female'" })).json();
    assert!((0.5..0.53).contains(&share["probability"].as_f64().unwrap()), "{share}");
    let found = server.post("/v1/search", json!({ "text": "a nurse", "k": 3 })).json();
    assert_eq!(found["rows"].as_array().unwrap().len(), 3, "{found}");
    let countries = server.get("/v1/countries").json();
    assert_eq!(countries.as_array().unwrap().len(), 5, "{countries}");
    let sexes = server.get("/v1/countries/usa/variables/sex").json();
    let share: f64 = sexes.as_array().unwrap().iter().map(|l| l["share"].as_f64().unwrap()).sum();
    assert!((share - 1.0).abs() < 1e-9 && sexes.as_array().unwrap().len() == 2, "{sexes}");
    let named = server.get("/v1/countries/usa/variables/first_name?prefix=mar&limit=3").json();
    assert!(named[0]["level"].as_str().unwrap().starts_with("Mar"), "{named}");
    let figures = server.get("/v1/countries/india/figures").json();
    assert!(figures.as_array().unwrap().iter().all(|f| f["source"]["licence"] != ""), "{figures}");
    assert!(figures.as_array().unwrap().iter().filter(|f| f["fitted"] == false).count() >= 10);
    let tables = server.get("/v1/tables").json();
    assert_eq!((tables[1]["name"].as_str(), tables[1]["rows"].as_u64()), (Some("usa"), Some(20)), "{tables}");
    let table = server.get("/v1/tables/usa").json();
    assert!(table["columns"].as_array().unwrap().iter().any(|c| c["name"] == "persona"), "{table}");
    // Pages, by the key of the last row.
    let (mut after, mut seen) = (String::new(), vec![]);
    loop {
        let page = server.get(&format!("/v1/tables/usa/rows?columns=uuid,age&limit=7{after}")).json();
        let rows = page["rows"].as_array().unwrap();
        let Some(last) = rows.last() else { break };
        after = format!("&after={}", last["uuid"].as_str().unwrap());
        seen.extend(rows.iter().map(|row| row["uuid"].as_str().unwrap().to_string()));
    }
    assert!(seen.len() == 20 && seen.is_sorted(), "{seen:?}");
    let old = server.get("/v1/tables/usa/rows?where=age%20%3E%2060&columns=age").json();
    assert!(old["rows"].as_array().unwrap().iter().all(|row| row["age"].as_i64().unwrap() > 60), "{old}");
    problem(&server.get("/v1/tables/usa/rows?where=age%20%3E%2060;DROP"), 400, "usage");
    problem(&server.get("/v1/tables/usaa"), 404, "not-found");
    let report = server.get("/v1/report/singapore");
    assert!(report.status == 200 && report.text().starts_with("<!"), "{}", report.status);
    assert!(report.header("content-security-policy").unwrap().contains("default-src 'none'"));
    let recipes = server.get("/v1/recipes").json();
    let name = recipes[0]["name"].as_str().unwrap();
    assert_eq!(server.get(&format!("/v1/recipes/{name}")).json()["name"], name);
}

#[test]
fn runs_outlive_requests() {
    let database = tempfile::tempdir().unwrap();
    let writer = token(database.path(), &["writer", "--role", "writer", "--models", "openai"]);
    let stub = Stub::start(Duration::from_millis(150), |_, _| Said::Status(400, vec![], "no".into()));
    let server = Server::of(
        populace(database.path())
            .args(["serve", "--listen", "127.0.0.1:0", "--concurrency", "1"])
            .env("OPENAI_BASE_URL", &stub.base)
            .env("OPENAI_API_KEY", "sk-secret"),
    );
    let begin = |body: Value| server.as_(&writer, "POST", "/v1/runs", Some(body));
    let begun = begin(json!({ "generate": { "country": "usa", "count": 50, "seed": 3 } }));
    assert_eq!(begun.status, 202, "{}", begun.text());
    let location = begun.header("location").unwrap().to_string();
    // Events until its end.
    let events = server.as_(&writer, "GET", &format!("{location}/events"), None);
    let last = events.text().lines().rfind(|line| line.starts_with("data: ")).unwrap();
    let last: Value = serde_json::from_str(&last["data: ".len()..]).unwrap();
    assert_eq!((last["status"].as_str(), last["done"].as_u64()), (Some("done"), Some(50)), "{last}");
    let count = sql("SELECT count(*) AS n, count(persona) AS texts FROM usa");
    let counted = server.as_(&writer, "POST", "/v1/sql", Some(count)).json();
    assert_eq!(counted["rows"][0], json!({ "n": 50, "texts": 50 }));
    // A statement, with the run that it is.
    let statement = "CREATE TABLE panel AS SELECT * FROM generate_persona('usa', 5, seed => 9)";
    let begun = begin(sql(statement));
    assert_eq!(begun.status, 202, "{}", begun.text());
    let id = begun.json()["id"].as_str().unwrap().to_string();
    let status = |id: &str| server.as_(&writer, "GET", &format!("/v1/runs/{id}"), None).json()["status"].clone();
    until("the statement", Duration::from_secs(30), || status(&id) == "done");
    problem(&server.as_(&writer, "POST", &format!("/v1/runs/{id}/cancel"), Some(json!({}))), 409, "conflict");
    // What cannot begin is told at once.
    problem(&begin(json!({ "generate": { "country": "usa", "count": 5, "given": "agee > 5" } })), 400, "usage");
    problem(&begin(json!({ "generate": { "country": "atlantis", "count": 5 } })), 404, "not-found");
    problem(&begin(json!({})), 400, "usage");
    // What failed is asked for again, by whoever may write.
    let retried = server.as_(&writer, "POST", &format!("/v1/runs/{id}/retry"), Some(json!({})));
    assert_eq!((retried.status, retried.json()["status"].as_str()), (202, Some("done")), "{}", retried.text());
    problem(&server.as_(&writer, "POST", "/v1/runs/nothing/retry", Some(json!({}))), 404, "not-found");
    // One that takes long is cancelled.
    let slow = json!({ "generate": { "country": "usa", "count": 500, "table": "slow", "narrator": "openai:m" } });
    let begun = begin(slow);
    assert_eq!(begun.status, 202, "{}", begun.text());
    let id = begun.json()["id"].as_str().unwrap().to_string();
    let cancelled = server.as_(&writer, "POST", &format!("/v1/runs/{id}/cancel"), Some(json!({})));
    assert_eq!(cancelled.status, 200, "{}", cancelled.text());
    until("the end of the run", Duration::from_secs(20), || status(&id) == "cancelled");
    until("the end of requests", Duration::from_secs(20), || {
        let before = stub.requests.lock().unwrap().len();
        std::thread::sleep(Duration::from_millis(600));
        before == stub.requests.lock().unwrap().len()
    });
    assert!(stub.requests.lock().unwrap().len() < 400);
}

#[test]
fn a_server_that_is_killed_loses_nothing() {
    let database = tempfile::tempdir().unwrap();
    let writer = token(database.path(), &["writer", "--role", "writer"]);
    let server = Server::start(database.path(), &[]);
    let run = json!({ "generate": { "country": "usa", "count": 3000, "seed": 5 } });
    let begun = server.as_(&writer, "POST", "/v1/runs", Some(run));
    assert_eq!(begun.status, 202, "{}", begun.text());
    // A statement beside it, of another table.
    let beside = "CREATE TABLE panel AS SELECT * FROM sample_persona('japan', 20000, seed => 9)";
    let stream =
        server.send("POST", "/v1/sql", &[("authorization", &format!("Bearer {writer}"))], &sql(beside).to_string());
    std::thread::sleep(Duration::from_millis(700));
    drop(server);
    drop(stream);
    let (code, out, err) = ran_on(database.path(), &["runs", "resume"]);
    assert_eq!(code, 0, "{out}{err}");
    let count = "SELECT count(*) AS n, count(DISTINCT uuid) AS people FROM usa";
    assert!(ran_on(database.path(), &["sql", count, "--format", "csv"]).1.ends_with("3000,3000\n"));
    // All of the other table, or nothing of it.
    let (code, out, _) = ran_on(database.path(), &["sql", "SELECT count(*) AS n FROM panel", "--format", "csv"]);
    assert!(code == 1 || out == "n\n20000\n", "{out}");
}

#[test]
fn a_client_that_leaves_ends_its_statement() {
    let database = tempfile::tempdir().unwrap();
    let server = Server::start(database.path(), &[]);
    let at_work = || server.metric("populace_statements_at_work ", None);
    // While rows are made that nobody has seen, and while they flow.
    for statement in [ENDLESS, "SELECT * FROM sample_persona('usa', 4000000000, seed => 1)"] {
        let body = json!({ "statement": statement, "format": "ndjson" }).to_string();
        let mut stream = server.send("POST", "/v1/sql", &[], &body);
        until("its begin", Duration::from_secs(20), || at_work() > 0.0);
        std::thread::sleep(Duration::from_millis(300));
        if statement.starts_with("SELECT *") {
            let mut some = [0; 1000];
            stream.read_exact(&mut some).unwrap();
        }
        drop(stream);
        until("its end", Duration::from_secs(5), || at_work() == 0.0);
    }
    let text = server.get("/metrics");
    assert_eq!(text.header("content-type"), Some("application/openmetrics-text; version=1.0.0; charset=utf-8"));
    assert!(text.text().contains("populace_statements_total{protocol=\"http\",outcome=\"cancelled\"} 2"));
}

/// Margins so many and so large that they are met by exact inference, for a minute.
const TO_MARGINS: &str = "SELECT count(*) FROM sample_persona('usa', 10, margins => (
    SELECT age, state, education_level, county, sex, count(*) AS share FROM sample_persona('usa', 300000, seed => 2)
    GROUP BY GROUPING SETS ((age, state), (county, sex), (state, education_level), (age, education_level))))";

/// Margins that contradict what people there are, which raking finds in some seconds.
const RAKED: &str = "SELECT sum(weight) FROM rake((SELECT * FROM sample_persona('usa', 200000, seed => 2)), 'usa',
    margins => ((age, state), (age, education_level), (occupation, sex), (state, education_level)), on_empty => 'skip')";

/// No thread sees that the statement is over that it infers, fits or rakes for: it asks.
#[cfg(target_os = "linux")]
#[test]
fn work_that_keeps_a_thread_is_given_up() {
    let database = tempfile::tempdir().unwrap();
    let server = Server::start(database.path(), &["--statement-timeout", "3"]);
    let ends = |name: &str| {
        std::thread::sleep(Duration::from_secs(1));
        let since = server.processor_time();
        std::thread::sleep(Duration::from_secs(1));
        let more = server.processor_time() - since;
        assert!(more < Duration::from_millis(200), "{name}: {more:?} a second later");
    };
    for (name, statement) in [("a fit to margins", TO_MARGINS), ("a rake", RAKED)] {
        let stream = server.send("POST", "/v1/sql", &[], &sql(statement).to_string());
        std::thread::sleep(Duration::from_millis(1500));
        drop(stream);
        ends(name);
        // The same when its time is over.
        problem(&server.post("/v1/sql", sql(statement)), 429, "limit");
        ends(name);
    }
}

#[test]
fn it_ends_when_it_is_told() {
    let database = tempfile::tempdir().unwrap();
    // A statement that is done within the grace is answered.
    let mut server = Server::start(database.path(), &["--grace", "20"]);
    let people = sql("SELECT count(*) AS n FROM sample_persona('usa', 2000000, seed => 1)").to_string();
    let stream = server.send("POST", "/v1/sql", &[], &people);
    until("its begin", Duration::from_secs(20), || server.metric("populace_statements_at_work ", None) == 1.0);
    server.signal("-TERM");
    assert_eq!(reply(stream).json()["rows"][0]["n"], 2_000_000);
    assert_eq!(server.code(Duration::from_secs(10)), Some(0));
    // One that is not is ended.
    let mut server = Server::start(database.path(), &["--grace", "1"]);
    let endless = sql("SELECT count(*) AS n FROM sample_persona('usa', 4000000000, seed => 1) WHERE age > 200");
    let stream = server.send("POST", "/v1/sql", &[], &endless.to_string());
    until("its begin", Duration::from_secs(20), || server.metric("populace_statements_at_work ", None) == 1.0);
    let since = Instant::now();
    server.signal("-INT");
    problem(&reply(stream), 503, "unavailable");
    assert_eq!(server.code(Duration::from_secs(12)), Some(0));
    assert!(since.elapsed() < Duration::from_secs(12), "{:?}", since.elapsed());
}

#[test]
fn nonsense_breaks_nothing() {
    let database = tempfile::tempdir().unwrap();
    let mut server = Server::start(database.path(), &["--max-connections", "64"]);
    let long = std::env::var("POPULACE_LONG").is_ok();
    let mut random = random();
    let host = server.address.clone();
    let seeds = [
        format!(
            "POST /v1/sql HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\ncontent-length: 24\r\n\r\n{{\"statement\":\"SELECT 1\"}} "
        ),
        format!("GET /v1/tables/usa/rows?limit=5&where=age HTTP/1.1\r\nhost: {host}\r\naccept: text/csv\r\n\r\n"),
        format!("GET /v1/countries/usa/variables/%C3%A9?prefix=%00 HTTP/1.1\r\nhost: {host}\r\n\r\n"),
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\u{4}\0\0\0\0\0".to_string(),
        format!("GET /../../etc/passwd HTTP/1.1\r\nhost: {host}\r\nauthorization: Basic Og==\r\n\r\n"),
    ];
    for _ in 0..if long { 100_000 } else { 1_500 } {
        let mut bytes = seeds[random(seeds.len())].clone().into_bytes();
        for _ in 0..random(6) {
            let at = random(bytes.len());
            mangle(&mut bytes, at, &mut random);
        }
        let mut stream = server.connect();
        // It may have closed already.
        _ = stream.write_all(&bytes);
        _ = stream.shutdown(std::net::Shutdown::Write);
        stream.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        let mut some = [0; 256];
        _ = stream.read(&mut some);
    }
    assert!(server.is_there());
    // A body that is too large, and one that never comes.
    let large = format!("{{\"statement\":\"{}\"}}", "x".repeat(2 << 20));
    let mut stream = server.connect();
    let head = format!(
        "POST /v1/sql HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        large.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    _ = stream.write_all(large.as_bytes());
    assert_eq!(reply(stream).status, 413);
    for path in
        ["/v1/tables/..%2f..%2fcatalog.sqlite", "/v1/report/..%2f..", "/v1/runs/%27%20OR%201=1", "/v1/recipes/..%2fx"]
    {
        assert_eq!(server.get(path).status, 404, "{path}");
    }
    // A flood: those beyond are closed, and when it is over, all is as it was.
    let flood: Vec<_> = (0..200).filter_map(|_| std::net::TcpStream::connect(&server.address).ok()).collect();
    std::thread::sleep(Duration::from_millis(300));
    drop(flood);
    until("an answer", Duration::from_secs(15), || {
        std::net::TcpStream::connect(&server.address).is_ok() && server.get("/healthz").status == 200
    });
    assert!(server.metric("populace_resident_memory_bytes ", None) < 2e9);
    assert!(server.metric("populace_requests_total", None) > 100.0);
}

#[test]
fn what_may_be_asked_is_written_down() {
    let (code, document, err) = ran_on(Path::new("nowhere"), &["serve", "--print-openapi"]);
    assert_eq!(code, 0, "{err}");
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/openapi.json");
    if std::env::var("POPULACE_WRITE_DOCS").is_ok() {
        std::fs::write(&file, &document).unwrap();
    }
    let written = std::fs::read_to_string(&file).unwrap_or_default();
    assert_eq!(written, document, "`make docs` writes it anew");
    let document: Value = serde_json::from_str(&document).unwrap();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, said) in methods.as_object().unwrap() {
            assert!(said["operationId"].is_string() && said["responses"].is_object(), "{method} {path}");
        }
    }
}
