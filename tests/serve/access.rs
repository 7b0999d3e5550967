//! Who may what, and how much of it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use super::server::{ENDLESS, Server, reply, token, until};
use super::support::stub::{Reply as Said, Stub};
use super::support::{populace, ran_on};
use super::{problem, sql};

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
fn one_takes_no_more_than_its_share() {
    let database = tempfile::tempdir().unwrap();
    let arguments = ["--max-statements", "2", "--max-wait", "0", "--statement-timeout", "2", "--max-answer", "16MB"];
    let server = Server::start(database.path(), &arguments);
    let slow = sql(ENDLESS).to_string();
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
