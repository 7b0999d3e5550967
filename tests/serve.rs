//! `populace serve` over HTTP: what it answers, to whom, and what it withstands.
#![cfg(feature = "serve")]

mod support;

#[path = "support/server.rs"]
mod server;

use std::io::{Read, Write};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use arrow::ipc::reader::StreamReader;
use serde_json::{Value, json};

use server::{Reply, Server, mangle, reply};
use support::stub::{Reply as Said, Stub};
use support::{populace, ran_on};

/// A token of a database.
fn token(database: &Path, arguments: &[&str]) -> String {
    let (code, out, err) = ran_on(database, &[&["tokens", "add"], arguments].concat());
    assert_eq!(code, 0, "{err}");
    out.trim().into()
}

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

/// Waits until something holds.
fn until(what: &str, within: Duration, holds: impl Fn() -> bool) {
    let since = Instant::now();
    while !holds() {
        assert!(since.elapsed() < within, "{what} took longer than {within:?}");
        std::thread::sleep(Duration::from_millis(30));
    }
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
fn who_may_what() {
    let database = tempfile::tempdir().unwrap();
    for (table, seed) in [("usa", "1"), ("secret", "2")] {
        let arguments = ["generate", "usa", "--count", "5", "--seed", seed, "--into", table, "--narrator", "none"];
        assert_eq!(ran_on(database.path(), &arguments).0, 0);
    }
    let asked = std::sync::Arc::new(AtomicUsize::new(0));
    let counted = asked.clone();
    let stub = Stub::start(Duration::ZERO, move |_, _| {
        counted.fetch_add(1, Ordering::SeqCst);
        Said::Status(500, vec![], "no".into())
    });
    let mut server = Server::of(
        populace(database.path())
            .args(["serve", "--listen", "127.0.0.1:0"])
            .env("OPENAI_BASE_URL", &stub.base)
            .env("OPENAI_API_KEY", "sk-secret"),
    );
    // Without any token there is a reader, on this machine.
    assert_eq!(server.post("/v1/sql", sql("SELECT count(*) AS n FROM usa")).json()["rows"][0]["n"], 5);
    for statement in ["DELETE FROM usa", "CREATE TABLE t AS SELECT 1 AS a", "DROP TABLE usa", "OPTIMIZE usa"] {
        problem(&server.post("/v1/sql", sql(statement)), 403, "permission");
    }
    // From the first token on there is nobody without one.
    let reader = token(database.path(), &["reader", "--tables", "usa", "--max-rows", "3"]);
    let writer = token(database.path(), &["writer", "--role", "writer"]);
    let unknown = server.get("/v1/tables");
    problem(&unknown, 401, "permission");
    assert!(unknown.header("www-authenticate").unwrap().starts_with("Bearer"));
    for wrong in ["x", "pop_0123456789abcdef_", &format!("{reader}0"), &writer[..writer.len() - 1]] {
        problem(&server.as_(wrong, "GET", "/v1/tables", None), 401, "permission");
    }
    assert_eq!((server.get("/healthz").status, server.get("/openapi.json").status), (200, 200));
    problem(&server.get("/metrics"), 401, "permission");
    // One that may name a table sees no other.
    let tables = server.as_(&reader, "GET", "/v1/tables", None).json();
    assert_eq!(tables.as_array().unwrap().len(), 1, "{tables}");
    problem(&server.as_(&reader, "GET", "/v1/tables/secret", None), 404, "not-found");
    problem(&server.as_(&reader, "GET", "/v1/tables/secret/rows", None), 404, "not-found");
    problem(&server.as_(&reader, "GET", "/v1/report/secret", None), 404, "not-found");
    for statement in ["SELECT age FROM secret", "SELECT age FROM usa WHERE age IN (SELECT age FROM secret)"] {
        problem(&server.as_(&reader, "POST", "/v1/sql", Some(sql(statement))), 403, "permission");
    }
    for statement in [
        "SELECT * FROM versions('secret')",
        "SELECT * FROM personas_harmonised",
        "SELECT * FROM \"secret@1\"",
        "SELECT * FROM secret VERSION AS OF 1",
        "SELECT * FROM public.secret",
        "SELECT * FROM datafusion.public.secret",
        "SELECT * FROM populace.tables",
        "SELECT * FROM populace.columns",
        "SELECT * FROM information_schema.columns",
        "SHOW TABLES",
        "DESCRIBE secret",
        "EXPLAIN SELECT age FROM secret",
        "SELECT * FROM stratified_sample(secret, 2, strata => (sex))",
        "SELECT * FROM stratified_sample((SELECT * FROM secret), 2, strata => (sex))",
        "SELECT * FROM fidelity(secret, 'usa')",
        "SELECT * FROM text_search(secret, 'x', 1)",
        "SELECT * FROM semantic_search(secret, 'x', 1)",
        "SELECT * FROM fact_search(secret, 'x', 1)",
        "SELECT * FROM hybrid_search(secret, 'x', 1)",
        "SELECT * FROM at_version('secret', 1)",
        "SELECT * FROM at_version(secret, 1)",
        "SELECT * FROM \"at_version\"('secret@1')",
        "SELECT * FROM compare(usa, secret)",
        "SELECT * FROM rake(secret, 'usa')",
        "SELECT * FROM rebalance(secret, 'usa', strata => (sex))",
        "SELECT * FROM validate(secret)",
        "SELECT * FROM complete_persona('usa', (SELECT age FROM secret))",
        "SELECT * FROM sample_persona('usa', 1) s JOIN secret ON true",
        "WITH sample_persona AS (SELECT * FROM secret) SELECT * FROM sample_persona",
        "SELECT * FROM counterfactual('usa', (SELECT * FROM secret), set => (sex = 'Male'))",
        "SELECT * FROM sample_persona('usa', 1, given => age IN (SELECT age FROM secret))",
    ] {
        let said = server.as_(&reader, "POST", "/v1/sql", Some(sql(statement)));
        assert!(said.status >= 400 && !said.text().contains("uuid"), "{statement}: {}", said.text());
    }
    // What it may: draw people, and ask of those in its table.
    for statement in [
        "SELECT count(*) AS n FROM sample_persona('usa', 100, seed => 1)",
        "SELECT count(*) AS n FROM fidelity(usa, 'usa')",
        "SELECT count(*) AS n FROM stratified_sample(usa, 4, strata => (sex))",
        "EXPLAIN SELECT count(*) FROM generate_persona('usa', 3)",
        "SELECT count(*) AS n FROM generate_series(1, 3)",
    ] {
        let said = server.as_(&reader, "POST", "/v1/sql", Some(sql(statement)));
        assert_eq!(said.status, 200, "{statement}: {}", said.text());
    }
    let within = "/v1/tables/usa/rows?where=age%20IN%20(SELECT%20age%20FROM%20secret)";
    problem(&server.as_(&reader, "GET", within, None), 403, "permission");
    let search = json!({ "text": "x", "table": "secret" });
    problem(&server.as_(&reader, "POST", "/v1/search", Some(search)), 403, "permission");
    let unknown = server.as_(&reader, "POST", "/v1/sql", Some(sql("SELECT * FROM usaa")));
    assert!(unknown.status == 404 && !unknown.text().contains("secret"), "{}", unknown.text());
    // What is published of a country is nobody's own.
    let census = server.as_(&reader, "POST", "/v1/sql", Some(sql("SELECT * FROM census.usa.sources")));
    assert_eq!(census.status, 200, "{}", census.text());
    assert_eq!(server.as_(&reader, "GET", "/v1/runs", None).json().as_array().unwrap().len(), 1);
    // No more rows than it may have.
    let rows = server.as_(&reader, "POST", "/v1/sql", Some(sql("SELECT * FROM usa LIMIT 3"))).json();
    assert_eq!(rows["rows"].as_array().unwrap().len(), 3);
    let rows = server.as_(&reader, "POST", "/v1/sql", Some(sql("SELECT uuid FROM usa"))).json();
    assert_eq!(rows["error"]["kind"], "limit", "{rows}");
    // A writer writes, and spends nothing.
    let made = server.as_(&writer, "POST", "/v1/sql", Some(sql("CREATE TABLE t AS SELECT 1 AS a")));
    assert_eq!(made.status, 200, "{}", made.text());
    let spend = "SELECT generate_narrative(p, 'persona', 'openai:m') FROM (SELECT * FROM usa) p";
    let paid = "SELECT persona FROM generate_persona('usa', 1, narrator => 'openai:m')";
    for statement in [spend, paid] {
        let said = server.as_(&writer, "POST", "/v1/sql", Some(sql(statement)));
        assert!(said.status >= 400, "{}", said.text());
    }
    let run = json!({ "generate": { "country": "usa", "count": 1, "narrator": "openai:m" } });
    problem(&server.as_(&writer, "POST", "/v1/runs", Some(run.clone())), 403, "permission");
    problem(&server.as_(&reader, "POST", "/v1/runs", Some(run)), 403, "permission");
    assert_eq!(asked.load(Ordering::SeqCst), 0);
    // A file is out of reach for everybody.
    let admin = token(database.path(), &["admin", "--role", "admin"]);
    for statement in ["COPY usa TO '/tmp/x.csv'", "CREATE EXTERNAL TABLE x STORED AS CSV LOCATION '/etc/passwd'"] {
        problem(&server.as_(&admin, "POST", "/v1/sql", Some(sql(statement))), 403, "permission");
    }
    // A token that is removed is nobody's from then on.
    assert_eq!(ran_on(database.path(), &["tokens", "remove", "reader"]).0, 0);
    problem(&server.as_(&reader, "GET", "/v1/tables", None), 401, "permission");
    let (_, listed, _) = ran_on(database.path(), &["tokens", "list"]);
    assert!(listed.contains("writer") && !listed.contains("reader ") && !listed.contains("pop_"), "{listed}");
    // What was asked is noted, without what was said.
    server.signal("-TERM");
    assert_eq!(server.code(Duration::from_secs(10)), Some(0));
    let audit = std::fs::read_to_string(database.path().join("audit.jsonl")).unwrap();
    let entries: Vec<Value> = audit.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(entries.iter().any(|e| e["principal"] == "reader" && e["outcome"] == "permission"), "{audit}");
    assert!(entries.iter().any(|e| e["outcome"] == "401"), "{audit}");
    for secret in ["SELECT", "sk-secret", &writer, "secret/rows"] {
        assert!(!audit.contains(secret), "{secret} is in {audit}");
    }
}

#[test]
fn what_a_token_may_spend_in_all_is_for_all_that_it_asks() {
    let database = tempfile::tempdir().unwrap();
    let people = ["generate", "usa", "--count", "5", "--seed", "1", "--narrator", "none"];
    assert_eq!(ran_on(database.path(), &people).0, 0);
    let stub = Stub::writer(Duration::ZERO);
    let server = Server::of(
        populace(database.path())
            .args(["serve", "--listen", "127.0.0.1:0"])
            .env("OPENAI_BASE_URL", &stub.base)
            .env("OPENAI_API_KEY", "sk-secret"),
    );
    let wanted = ["analyst", "--role", "writer", "--models", "openai:m", "--total-calls", "5"];
    let analyst = token(database.path(), &wanted);
    let written = |seed: u32| {
        let drawn = format!("SELECT persona FROM generate_persona('usa', 3, seed => {seed}, narrator => 'openai:m')");
        server.as_(&analyst, "POST", "/v1/sql", Some(sql(&drawn)))
    };
    let first = written(1).json();
    assert_eq!(first["rows"].as_array().map(Vec::len), Some(3), "{first}");
    assert!(stub.count() < 5, "{}", stub.count());
    let second = written(2).text().to_string();
    assert!(second.contains("the token analyst may spend 5 calls in all, and has"), "{second}");
    // A statement that begins when nothing is left asks nobody; what was answered costs nothing.
    let third = written(3);
    assert!(third.text().contains("the token analyst may spend"), "{}", third.text());
    assert_eq!((stub.count(), written(1).json()["rows"].as_array().map(Vec::len)), (5, Some(3)));
    let run =
        json!({ "generate": { "country": "usa", "count": 3, "seed": 4, "table": "more", "narrator": "openai:m" } });
    let begun = server.as_(&analyst, "POST", "/v1/runs", Some(run));
    // It may be told before the run is known, or by the run.
    if begun.status == 202 {
        let at = format!("/v1/runs/{}", begun.json()["id"].as_str().unwrap());
        let state = || server.as_(&analyst, "GET", &at, None).json();
        until("the run to end", Duration::from_secs(30), || state()["status"] != "running");
        assert!(state()["error"].as_str().unwrap().contains("the token analyst may spend"), "{}", state());
    } else {
        assert!(begun.text().contains("the token analyst may spend"), "{}", begun.text());
    }
    assert_eq!(stub.count(), 5);
    let (_, listed, _) = ran_on(database.path(), &["tokens", "list"]);
    assert!(listed.contains("5 calls in all (5 made)"), "{listed}");
}

#[test]
fn a_server_for_others_wants_tokens_and_tls() {
    let database = tempfile::tempdir().unwrap();
    let refused = |arguments: &[&str]| {
        let (code, _, err) = ran_on(database.path(), &[&["serve"], arguments].concat());
        assert_eq!(code, 1, "{err}");
        err
    };
    assert!(refused(&["--listen", "0.0.0.0:0"]).contains("--tls-cert"));
    assert!(refused(&["--listen", "0.0.0.0:0", "--no-auth"]).contains("--no-auth would let everybody in"));
    assert!(refused(&["--tls-cert", "no.pem", "--tls-key", "no.pem"]).contains("no.pem"));
}

#[test]
fn pages_elsewhere_are_refused() {
    let database = tempfile::tempdir().unwrap();
    let server = Server::start(database.path(), &["--allow-host", "populace.test"]);
    let body = sql("SELECT 1 AS a").to_string();
    let port = server.address.rsplit_once(':').unwrap().1.to_string();
    let ask = |headers: &[(&str, &str)]| server.ask("POST", "/v1/sql", headers, &body).status;
    assert_eq!(ask(&[]), 200);
    assert_eq!(ask(&[("host", &format!("localhost:{port}"))]), 200);
    assert_eq!(ask(&[("host", "populace.test")]), 200);
    // An address that somebody else's name points to.
    assert_eq!(ask(&[("host", "evil.test")]), 403);
    assert_eq!(ask(&[("host", "127.0.0.1.evil.test")]), 403);
    assert_eq!(ask(&[("host", "")]), 403);
    assert_eq!(ask(&[("origin", "https://evil.test")]), 403);
    assert_eq!(ask(&[("origin", "null")]), 403);
    assert_eq!(ask(&[("sec-fetch-site", "cross-site")]), 403);
    assert_eq!(ask(&[("origin", &format!("http://{}", server.address))]), 200);
    let headers = server.get("/v1/countries");
    assert_eq!(headers.header("access-control-allow-origin"), None);
    assert_eq!(headers.header("x-content-type-options"), Some("nosniff"));
    assert!(headers.header("content-security-policy").unwrap().contains("frame-ancestors 'none'"));
    // Names are guarded before anything of the server is told.
    assert_eq!(server.ask("GET", "/healthz", &[("host", "evil.test")], "").status, 403);
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
fn the_page_is_served_as_it_is_and_nothing_beside_it() {
    let database = tempfile::tempdir().unwrap();
    // Whoever has no token gets the page, which asks for one, and nothing that it is about.
    token(database.path(), &["writer", "--role", "writer"]);
    let server = Server::start(database.path(), &[]);
    let index = server.get("/");
    assert_eq!((index.status, index.header("content-type")), (200, Some("text/html; charset=utf-8")));
    assert_eq!(index.header("cache-control"), Some("no-cache"));
    let policy = index.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self';"), "{policy}");
    assert!(!policy.contains("unsafe") && policy.contains("frame-ancestors 'none'"), "{policy}");
    assert_eq!(index.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(index.header("cross-origin-opener-policy"), Some("same-origin"));
    let parts: Vec<&str> =
        index.text().split("\"assets/").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    assert!(parts.len() >= 3, "{}", index.text());
    for name in parts {
        let path = format!("/assets/{name}");
        let file = server.get(&path);
        let kind = match name.rsplit_once('.').unwrap().1 {
            "js" => "text/javascript; charset=utf-8",
            "css" => "text/css; charset=utf-8",
            _ => "image/svg+xml",
        };
        assert_eq!((file.status, file.header("content-type")), (200, Some(kind)), "{path}");
        assert_eq!(file.header("content-security-policy"), Some(policy), "{path}");
        let is_named_by_content = !name.ends_with(".svg");
        assert_eq!(file.header("cache-control").unwrap().contains("immutable"), is_named_by_content, "{path}");
        // What a client has is not sent again; what it may unpack is packed.
        let tag = file.header("etag").unwrap().to_string();
        let again = server.ask("GET", &path, &[("if-none-match", &tag)], "");
        assert_eq!((again.status, again.body.len(), again.header("etag")), (304, 0, Some(&*tag)), "{path}");
        let packed = server.ask("GET", &path, &[("accept-encoding", "gzip")], "");
        assert_eq!(packed.header("content-encoding"), Some("gzip"), "{path}");
        assert!(packed.body.starts_with(&[0x1f, 0x8b]) && packed.header("etag") != Some(&*tag), "{path}");
        assert_eq!(packed.header("vary"), Some("accept-encoding"));
        assert_eq!(file.header("content-encoding"), None);
        assert_eq!(server.ask("HEAD", &path, &[], "").body.len(), 0);
    }
    for path in [
        "/assets/..%2f..%2fCargo.toml",
        "/assets/%2e%2e/%2e%2e/etc/passwd",
        "/assets//etc/passwd",
        "/assets/../index.html",
        "/assets/index.html%00.js",
        "/assets/",
        "/assets/nothing.js",
    ] {
        let refused = server.get(path);
        assert!(matches!(refused.status, 400 | 401 | 404), "{path}: {}", refused.status);
        assert_eq!(refused.header("content-type"), Some("application/problem+json"), "{path}");
    }
    problem(&server.ask("POST", "/", &[], "{}"), 405, "usage");
    problem(&server.ask("GET", "/", &[("host", "evil.example")], ""), 403, "permission");
    for path in ["/v1/whoami", "/v1/countries", "/v1/countries/usa/map"] {
        problem(&server.get(path), 401, "permission");
    }
}

#[test]
fn the_page_is_told_what_it_shows() {
    let database = tempfile::tempdir().unwrap();
    let server = Server::start(database.path(), &[]);
    assert_eq!(server.get("/v1/whoami").json(), json!({ "name": "local", "role": "reader" }));
    let map = server.get("/v1/countries/usa/map");
    let said = map.json();
    let states = said["objects"]["state"]["geometries"].as_array().unwrap();
    assert!(states.len() == 52 && said["licence"].is_string(), "{}", states.len());
    let tag = map.header("etag").unwrap();
    assert_eq!(server.ask("GET", "/v1/countries/usa/map", &[("if-none-match", tag)], "").status, 304);
    problem(&server.get("/v1/countries/singapore/map"), 404, "not-found");
    problem(&server.get("/v1/countries/atlantis/map"), 404, "not-found");
    assert_eq!(server.get("/v1/countries/japan").json()["map"], "prefecture");
    assert!(server.get("/v1/countries/singapore").json().get("map").is_none());
    let states = server.get("/v1/countries/usa/variables/state?prefix=cali").json();
    assert_eq!(
        (states[0]["level"].as_str(), states[0]["label"].as_str()),
        (Some("CA"), Some("California")),
        "{states}"
    );
    let recipe = server.get("/v1/recipes/evaluation_panel").json();
    assert!(recipe["sql"].as_str().unwrap().contains("FROM stratified_sample(usa, 100,"), "{recipe}");
    // The shares behind maps and pyramids, exactly: they add up, and are those that are told of one.
    let shares = "SELECT sex, expected_share FROM rebalance((SELECT * FROM sample_persona('usa', 1, seed => 1)), 'usa', \
                  strata => (sex), given => age > 80, size => 1000000) ORDER BY sex";
    let rows = server.post("/v1/sql", sql(shares)).json();
    let told = |given: &str| {
        let asked = json!({ "country": "usa", "given": given });
        server.post("/v1/probability", asked).json()["probability"].as_f64().unwrap()
    };
    let female = told("age > 80 AND sex = 'Female'") / told("age > 80");
    assert!((rows["rows"][0]["expected_share"].as_f64().unwrap() - female).abs() < 1e-9, "{rows}");
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
    for statement in [
        "SELECT count(*) FROM sample_persona('usa', 4000000000, seed => 1) WHERE age > 200",
        "SELECT * FROM sample_persona('usa', 4000000000, seed => 1)",
    ] {
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

#[test]
fn one_takes_no_more_than_its_share() {
    let database = tempfile::tempdir().unwrap();
    let arguments = ["--max-statements", "2", "--max-wait", "0", "--statement-timeout", "2", "--max-answer", "16MB"];
    let server = Server::start(database.path(), &arguments);
    let slow = sql("SELECT count(*) FROM sample_persona('usa', 4000000000, seed => 1) WHERE age > 200").to_string();
    let waiting: Vec<_> = (0..2).map(|_| server.send("POST", "/v1/sql", &[], &slow)).collect();
    until("two", Duration::from_secs(20), || server.metric("populace_statements_at_work ", None) == 2.0);
    let refused = server.post("/v1/sql", sql("SELECT 1"));
    problem(&refused, 429, "limit");
    assert_eq!(refused.header("retry-after"), Some("1"));
    // Who asks for no statement is answered all the same.
    assert_eq!((server.get("/readyz").status, server.get("/v1/countries").status), (200, 200));
    for stream in waiting {
        let said = problem(&reply(stream), 429, "limit");
        assert!(said["detail"].as_str().unwrap().contains("longer than 2 s"), "{said}");
    }
    let large = json!({ "statement": "SELECT * FROM sample_persona('usa', 100000, seed => 1)", "format": "ndjson" });
    let body = server.post("/v1/sql", large);
    let last: Value = serde_json::from_str(body.text().lines().last().unwrap()).unwrap();
    assert!(last["error"]["detail"].as_str().unwrap().contains("bytes") && body.body.len() < 17 << 20, "{last}");
}

#[test]
fn one_holds_no_more_memory_than_its_share() {
    let database = tempfile::tempdir().unwrap();
    let bounds = ["--max-memory", "20MB"];
    let little = token(database.path(), &[&["little"], &bounds[..]].concat());
    let usual = token(database.path(), &["usual"]);
    let server = Server::start(database.path(), &["--max-memory-each", "400MB"]);
    // A hash of as many keys as rows, which cannot go to the disk.
    let large = sql("SELECT count(*) AS n FROM sample_persona('usa', 600000, seed => 1) a
                     JOIN sample_persona('usa', 600000, seed => 2) b ON a.uuid = b.uuid");
    let ask = |token: &str, body: &Value| server.as_(token, "POST", "/v1/sql", Some(body.clone()));
    let said = problem(&ask(&little, &large), 429, "limit");
    assert!(said["detail"].as_str().unwrap().contains("--max-memory"), "{said}");
    assert_eq!(ask(&usual, &large).json()["rows"][0]["n"], 0);
    // What can, does.
    let sorted = sql("SELECT max(age) AS n FROM (SELECT age, state, uuid, row_number() OVER (ORDER BY uuid) AS r
                      FROM sample_persona('usa', 600000, seed => 1)) WHERE r > 0");
    let answer = ask(&little, &sorted);
    assert!(answer.status == 200, "{}", answer.text());
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
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
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
