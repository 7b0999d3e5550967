//! Embedders behind a server: texts go in batches and once, failures are tried again, money is kept within limits, and
//! what is no vector is told of.

use std::collections::HashSet;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use populace::database::{Database, EmbedderChoice};
use populace::engine::{Access, Engine, Error, ErrorKind, Options};
use serde_json::{Value, json};

mod support;
use support::output;
use support::stub::{Reply, Stub, vectors};

fn command(database: &Path, base: &str, embedder: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_populace"));
    command.arg("--db").arg(database).args(["--embedder", embedder]);
    command.env("OPENAI_BASE_URL", base).env("OPENAI_API_KEY", "sk-secret");
    command
}

fn ran(database: &Path, base: &str, embedder: &str, arguments: &[&str]) -> (i32, String, String) {
    output(command(database, base, embedder).args(arguments))
}

/// The texts of all requests so far.
fn texts(stub: &Stub) -> Vec<String> {
    let requests = stub.requests.lock().unwrap();
    let inputs = requests.iter().flat_map(|r| r["input"].as_array().unwrap());
    inputs.map(|text| text.as_str().unwrap().to_string()).collect()
}

fn distinct(texts: &[String]) -> usize {
    texts.iter().collect::<HashSet<_>>().len()
}

fn answered(body: &Value, dimension: usize) -> Reply {
    Reply::Status(200, vec![], vectors(body, dimension).to_string())
}

fn prices(folder: &Path, prompt: f64) -> String {
    let file = folder.join("prices.toml");
    std::fs::write(&file, format!("[models.stub]\nprompt = {prompt:?}\ncompletion = 0\n")).unwrap();
    file.to_str().unwrap().to_string()
}

const EMBED: [&str; 4] = ["sql", "--format", "csv", "SELECT array_length(embed('a nurse')) AS n"];

#[test]
fn texts_are_embedded_in_batches_and_once_and_found() {
    let directory = tempfile::tempdir().unwrap();
    let stub = Stub::embedder(16);
    let run = |embedder: &str, arguments: &[&str]| ran(directory.path(), &stub.base, embedder, arguments);
    let generate = ["generate", "usa", "--count", "20", "--seed", "7"];
    let (code, out, error) = run("openai:stub", &generate);
    assert_eq!(code, 0, "{out}{error}");
    // One to learn the dimension, then ten texts a person.
    let sizes: Vec<usize> =
        stub.requests.lock().unwrap().iter().map(|r| r["input"].as_array().unwrap().len()).collect();
    assert!(sizes[0] == 1 && sizes[1..].iter().all(|n| (1..=32).contains(n)), "{sizes:?}");
    let asked = texts(&stub);
    assert_eq!((asked.len(), distinct(&asked)), (201, 201));
    // The first is no run's.
    assert!(out.contains(&format!("calls     {} answered", sizes.len() - 1)), "{out}");
    // A search asks for the query, and the second time for nothing.
    let search = ["search", "keeps bees", "--by", "meaning", "-k", "3", "--format", "csv"];
    for _ in 0..2 {
        let (code, out, error) = run("openai:stub", &search);
        assert!(code == 0 && out.lines().count() == 4 && out.contains("score"), "{out}{error}");
        assert_eq!(texts(&stub).len(), 202);
    }
    // What was answered is known to other tables too.
    let (code, _, error) = run("openai:stub", &[&generate[..], &["--into", "again"]].concat());
    assert!(code == 0 && texts(&stub).len() == 202, "{error}");
    // A table keeps its embedder and its dimension.
    for (other, told) in [("openai:other@16", "openai:other@16"), ("hash", "hash")] {
        let (code, _, error) = run(other, &[&search[..], &["--table", "usa"]].concat());
        let said = format!("were made with openai:stub (16 numbers), not with {told}");
        assert!(code == 1 && error.contains(&said), "{error}");
    }
    assert_eq!(texts(&stub).len(), 202);
}

#[test]
fn a_run_that_is_killed_asks_for_no_answered_text_again() {
    let directory = tempfile::tempdir().unwrap();
    let stub = Stub::start(Duration::from_millis(40), |_, body| answered(body, 16));
    let generate = ["generate", "usa", "--count", "60", "--seed", "7", "--concurrency", "2"];
    let mut first = command(directory.path(), &stub.base, "openai:stub");
    let mut first = first.args(generate).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let patience = Instant::now();
    while stub.count() < 8 {
        assert!(patience.elapsed() < Duration::from_secs(120), "nothing is asked");
        std::thread::sleep(Duration::from_millis(2));
    }
    first.kill().unwrap();
    first.wait().unwrap();
    let (code, out, error) = ran(directory.path(), &stub.base, "openai:stub", &generate);
    assert_eq!(code, 0, "{out}{error}");
    let asked = texts(&stub);
    // No more than were on their way.
    assert!(distinct(&asked) == 601 && asked.len() <= 601 + 2 * 32, "{} of {}", asked.len(), distinct(&asked));
}

#[test]
fn a_text_is_asked_for_by_one_of_two_processes() {
    let directory = tempfile::tempdir().unwrap();
    let stub = Stub::start(Duration::from_millis(2500), |_, body| answered(body, 16));
    // Each process wants what the other does, and texts of its own.
    let sql = |first: u64| {
        format!(
            "SELECT count(embed(uuid)) AS n FROM sample_persona('usa', 160, seed => 7) WHERE row_index >= {first} AND row_index < {first} + 96"
        )
    };
    let start = |first: u64| {
        let mut command = command(directory.path(), &stub.base, "openai:stub@16");
        command.args(["sql", "--format", "csv", &sql(first)]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let both = [start(0), start(64)];
    for process in both {
        let output = process.wait_with_output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), "n\n96\n", "{}", String::from_utf8_lossy(&output.stderr));
    }
    let asked = texts(&stub);
    assert_eq!((asked.len(), distinct(&asked)), (160, 160));
}

#[test]
fn failures_are_tried_again_as_the_server_asks() {
    let directory = tempfile::tempdir().unwrap();
    let stub = Stub::start(Duration::ZERO, |n, body| match n {
        0 => Reply::Status(429, vec![("retry-after", "1.2".into())], r#"{"error": {"message": "not now"}}"#.into()),
        1 => Reply::Status(500, vec![], "oh".into()),
        2 => Reply::Close,
        3 => Reply::Status(200, vec![], "{\"data\": [".into()),
        _ => answered(body, 8),
    });
    let started = Instant::now();
    let (code, out, error) = ran(directory.path(), &stub.base, "openai:stub@8", &EMBED);
    assert!(code == 0 && out == "n\n8\n", "{out}{error}");
    assert!(stub.count() == 5 && started.elapsed() >= Duration::from_millis(1200), "{}", stub.count());
    assert!(error.contains("calls     1 answered, 0 failed, 5 requests"), "{error}");
    assert!(stub.requests.lock().unwrap().iter().all(|r| r["dimensions"] == 8 && r["model"] == "stub"));
    // One that fails for good says so, after so many attempts.
    let busy = Stub::start(Duration::ZERO, |_, _| Reply::Status(503, vec![], "busy".into()));
    let (code, _, error) = ran(directory.path(), &busy.base, "openai:busy@8", &EMBED);
    assert!(code == 1 && error.contains("answers 503: busy") && busy.count() == 5, "{error} {}", busy.count());
}

#[test]
fn what_is_no_vector_is_told_of() {
    let directory = tempfile::tempdir().unwrap();
    let of = |data: Value| move |_: usize, _: &Value| Reply::Status(200, vec![], json!({ "data": data }).to_string());
    let two = json!([{ "index": 0, "embedding": [1, 2] }, { "index": 1, "embedding": [1, 2] }]);
    for (data, requests, says) in [
        (two, 5, "2 vectors of 1 texts"),
        (json!([{ "index": 0, "embedding": [1, null] }]), 5, "something in it that is no number"),
        // It has this length the next time too.
        (json!([{ "index": 0, "embedding": [1, 2, 3] }]), 1, "a vector of 3 numbers, where 2 are expected"),
    ] {
        let stub = Stub::start(Duration::ZERO, of(data));
        let (code, _, error) = ran(directory.path(), &stub.base, "openai:stub@2", &EMBED);
        assert!(code == 1 && error.contains(says) && error.contains(&stub.base), "{error}");
        assert_eq!(stub.count(), requests, "{error}");
    }
    // One that grows longer later: the table keeps what it has.
    let stub = Stub::start(Duration::ZERO, |n, body| answered(body, if n < 3 { 16 } else { 24 }));
    let generate = ["generate", "usa", "--count", "20", "--seed", "7", "--concurrency", "1"];
    let (code, _, error) = ran(directory.path(), &stub.base, "openai:stub", &generate);
    assert!(code == 1 && error.contains("a vector of 24 numbers, where 16 are expected"), "{error}");
    assert!(error.contains("--embedder openai:stub@24"), "{error}");
    let missing = Command::new(env!("CARGO_BIN_EXE_populace"))
        .arg("--db")
        .arg(directory.path())
        .args(["--embedder", "openai:text-embedding-3-small"])
        .args(EMBED)
        .env_remove("OPENAI_BASE_URL")
        .env_remove("OPENAI_API_KEY")
        .output()
        .unwrap();
    assert!(String::from_utf8_lossy(&missing.stderr).contains("needs a key: set OPENAI_API_KEY"));
    let (code, _, error) = ran(directory.path(), "http://127.0.0.1:9/v1", "openai:gone", &EMBED);
    assert!(code == 1 && error.contains("cannot be reached"), "{error}");
}

#[test]
fn a_server_without_dimensions_and_families_with_marks() {
    let directory = tempfile::tempdir().unwrap();
    let stub = Stub::start(Duration::ZERO, |_, body| match body.get("dimensions") {
        Some(_) => Reply::Status(400, vec![], r#"{"message": "the model does not support dimensions"}"#.into()),
        None => answered(body, 384),
    });
    let e5 = "openai:intfloat/multilingual-e5-small";
    let sql = "SELECT array_length(embed('bees', 'query')) + array_length(embed('bees')) AS n";
    for embedder in [e5, &format!("{e5}@384")] {
        let (code, out, error) = ran(directory.path(), &stub.base, embedder, &["sql", "--format", "csv", sql]);
        assert!(code == 0 && out == "n\n768\n", "{out}{error}");
    }
    // The dimension of a model that is known is not asked for.
    let asked: HashSet<String> = texts(&stub).into_iter().collect();
    assert_eq!(asked, HashSet::from(["query: bees".to_string(), "passage: bees".to_string()]));
}

#[test]
fn money_is_told_before_and_kept_within_limits() {
    let directory = tempfile::tempdir().unwrap();
    let database = directory.path().join("db");
    let stub = Stub::embedder(16);
    let prices = prices(directory.path(), 100.0);
    let run = |arguments: &[&str]| ran(&database, &stub.base, "openai:stub@16", arguments);
    let generate = ["generate", "usa", "--count", "40", "--seed", "7", "--prices", &prices];
    let (code, out, error) = run(&[&generate[..], &["--dry-run"]].concat());
    assert!(code == 0 && out.contains("calls     13 to be made") && stub.count() == 0, "{out}{error}");
    let told = |out: &str| -> f64 {
        let line = out.lines().find_map(|l| l.strip_prefix("cost ")).unwrap_or_else(|| panic!("no cost in {out}"));
        line.split_whitespace().next().unwrap().parse().unwrap()
    };
    let expected = told(&out);
    // Nor is EXPLAIN paid for.
    let insert = "EXPLAIN CREATE TABLE few AS SELECT * FROM generate_persona('usa', 40, seed => 7)";
    let (code, out, error) = run(&["sql", "--format", "csv", "--prices", &prices, insert]);
    assert!(code == 0 && out.contains("13 to be made") && out.contains("US dollars"), "{out}{error}");
    // What a statement has embedded itself counts, equal texts once.
    for (texts, requests) in [("uuid", "3"), ("'at home in ' || left(uuid, 0)", "1")] {
        let sql = format!("EXPLAIN SELECT embed({texts}) FROM sample_persona('usa', 70, seed => 7)");
        let (code, out, error) = run(&["sql", "--format", "csv", "--prices", &prices, &sql]);
        let says = format!("{requests} to be made");
        assert!(code == 0 && out.contains(&says) && out.contains("US dollars"), "{sql}: {out}{error}");
    }
    // Nor is an import: the texts of its first rows are counted, those that get vectors.
    let file = directory.path().join("people.csv");
    let lines: String = (0..2500).map(|n| format!("{n},{},short\n", "a text ".repeat(10))).collect();
    std::fs::write(&file, format!("uuid,persona,motto\n{lines}")).unwrap();
    let import = ["import", file.to_str().unwrap(), "--into", "told", "--dry-run", "--prices", &prices];
    for (more, requests) in [(&[][..], 79), (&["--narratives", "motto"][..], 157), (&["--no-embeddings"][..], 0)] {
        let (code, out, error) = run(&[&import[..], more].concat());
        assert_eq!(code, 0, "{error}");
        assert!(out.contains(&format!("{requests} to be made")), "{more:?}: {out}");
    }
    assert_eq!(stub.count(), 0);
    // The limit holds, and the run goes on from there.
    let (code, _, error) = run(&[&generate[..], &["--max-cost", "0.5", "--concurrency", "1"]].concat());
    assert!(code == 1 && error.contains("the limit of 0.5 US dollars is reached"), "{error}");
    let spent = told(&run(&["runs", "show"]).1);
    assert!(spent > 0.2 && spent <= 0.5, "{spent}");
    let (code, out, error) = run(&["runs", "resume", "--prices", &prices, "--max-cost", "100"]);
    assert_eq!(code, 0, "{out}{error}");
    let spent = told(&run(&["runs", "show"]).1);
    assert!((0.8..1.25).contains(&(spent / expected)), "{spent} of {expected}");
    let asked = texts(&stub);
    assert_eq!((asked.len(), distinct(&asked)), (400, 400));
    let search = "EXPLAIN SELECT uuid FROM semantic_search(usa, 'keeps bees', 3)";
    let (code, out, error) = run(&["sql", "--format", "csv", search]);
    assert!(code == 0 && out.contains("1 to be made") && texts(&stub).len() == 400, "{out}{error}");
    let (code, _, error) = run(&["generate", "usa", "--count", "1", "--max-cost", "1"]);
    assert!(code == 1 && error.contains("--max-cost needs the price of stub"), "{error}");
}

#[test]
fn a_search_is_reranked_by_a_server() {
    let directory = tempfile::tempdir().unwrap();
    // The longest texts are the best; a server of the other sort wants them as `texts`.
    let stub = Stub::start(Duration::ZERO, |_, body| match (body.get("documents"), body["texts"].as_array()) {
        (None, Some(texts)) => {
            let score = |(at, text): (usize, &Value)| json!({ "index": at, "score": text.as_str().unwrap().len() });
            let scores: Vec<Value> = texts.iter().enumerate().map(score).collect();
            Reply::Status(200, vec![], Value::Array(scores).to_string())
        }
        _ => Reply::Status(422, vec![], r#"{"error": "missing field `texts`", "error_type": "Validation"}"#.into()),
    });
    let run = |arguments: &[&str]| ran(directory.path(), &stub.base, "hash", arguments);
    assert_eq!(run(&["generate", "usa", "--count", "30", "--seed", "7"]).0, 0);
    let sql = |sql: &str| run(&["sql", "--format", "csv", sql]);
    let longest = sql("SELECT octet_length(persona) AS n FROM usa ORDER BY n DESC LIMIT 3").1;
    for by in ["meaning", "words", "both"] {
        let search = ["search", "keeps bees and sings", "--by", by, "-k", "3", "--format", "ndjson"];
        let (code, out, error) = run(&[&search[..], &["--rerank", "openai:stub"]].concat());
        assert!(code == 0 && out.lines().count() == 3, "{by}: {out}{error}");
        let rows = out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let found: Vec<(usize, f64)> =
            rows.map(|row| (row["persona"].as_str().unwrap().len(), row["score"].as_f64().unwrap())).collect();
        assert!(found.iter().all(|(length, score)| *length as f64 == *score), "{found:?}");
        assert!(found.is_sorted_by(|a, b| a.1 >= b.1), "{found:?}");
        if by == "meaning" {
            let found: String = found.iter().map(|(length, _)| format!("{length}\n")).collect();
            assert_eq!(format!("n\n{found}"), longest);
        }
    }
    // Facts are read with the text.
    let asked = stub.count();
    let (code, _, error) = run(&["search", "keeps bees", "-k", "3", "--rerank", "openai:stub"]);
    let last = stub.requests.lock().unwrap()[asked + 1].clone();
    assert!(code == 0 && last["query"] == "keeps bees", "{error}");
    assert!(last["texts"][0].as_str().unwrap().contains('\n'), "{last}");
    // A statement asks no model that was not named, and says what is wrong before anything is read.
    let before = stub.count();
    for (rerank, says) in [
        ("'openai:stub'", "this session may not spend on it"),
        ("'bge-reranker-bse'", "did you mean `bge-reranker-base`?"),
        ("'openai:stub', diversity => 0.5", "take one of them"),
    ] {
        let (code, _, error) = sql(&format!("SELECT * FROM semantic_search(usa, 'bees', 3, rerank => {rerank})"));
        assert!(code == 1 && error.contains(says), "{error}");
    }
    let empty = directory.path().join("bge-reranker-base");
    std::fs::create_dir(&empty).unwrap();
    let (code, _, error) = run(&["search", "bees", "--rerank", empty.to_str().unwrap()]);
    assert!(code == 1 && error.contains("no reranker bge-reranker-base (") && error.contains("is missing"), "{error}");
    assert_eq!(stub.count(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_may_ask_nobody_gets_no_vectors() {
    let directory = tempfile::tempdir().unwrap();
    let embedder = || EmbedderChoice::named(Some("openai:text-embedding-3-small".into()));
    let database = Database::open(directory.path(), embedder()).unwrap();
    let engine = Engine::new(database, Options { access: Access::read(), ..Options::default() }).unwrap();
    for sql in ["SELECT embed('a')", "EXPLAIN SELECT embed('a')"] {
        let statement = engine.parse(sql).unwrap().remove(0);
        let error = engine.run(statement).await.map(|_| ()).expect_err(sql);
        let error = Error::from(&error);
        assert_eq!(error.kind, ErrorKind::Permission, "{sql}: {error}");
        assert!(error.to_string().contains("openai:text-embedding-3-small would be asked for vectors"), "{error}");
    }
}
