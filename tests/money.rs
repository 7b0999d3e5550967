//! Money: limits that hold however many requests are on their way, answers that are paid for once whoever asks, and
//! keys that stay where they belong.

use std::collections::HashSet;
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

mod support;
use support::stub::{self, Reply, Stub};
use support::{asked, output, populace, ran_on};

/// A process that asks a server; what it says of errors is there to be read.
fn started(database: &Path, base: &str, arguments: &[&str]) -> Child {
    let mut command = populace(database);
    command.env("OPENAI_BASE_URL", base).env("OPENAI_API_KEY", "sk-secret").args(arguments);
    command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Waits until something holds.
fn until(what: &str, holds: impl Fn() -> bool) {
    let patience = Instant::now();
    while !holds() {
        assert!(patience.elapsed() < Duration::from_secs(120), "never: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Requests that came, and the prompts in them.
fn requests(stub: &Stub) -> (usize, usize) {
    let requests = stub.requests.lock().unwrap();
    let prompts: HashSet<String> = requests.iter().map(|r| r["messages"][1].to_string()).collect();
    (requests.len(), prompts.len())
}

fn query(database: &Path, sql: &str) -> String {
    ran_on(database, &["sql", "--format", "csv", sql]).1
}

fn prices(folder: &Path, prompt: f64, completion: f64) -> String {
    let file = folder.join("prices.toml");
    std::fs::write(&file, format!("[models.stub]\nprompt = {prompt:?}\ncompletion = {completion:?}\n")).unwrap();
    file.to_str().unwrap().to_string()
}

/// The number behind a word of `runs show`.
fn shown(database: &Path, word: &str) -> f64 {
    let shown = ran_on(database, &["runs", "show"]).1;
    let line = shown.lines().find_map(|l| l.strip_prefix(word)).unwrap_or_else(|| panic!("{word} in {shown}"));
    line.split_whitespace().next().unwrap().parse().unwrap()
}

fn newest(database: &Path) -> String {
    ran_on(database, &["runs"]).1.split_whitespace().next().unwrap().to_string()
}

#[test]
fn two_processes_pay_for_each_answer_once() {
    let directory = tempfile::tempdir().unwrap();
    let stub = Stub::writer(Duration::from_millis(30));
    let generate = ["generate", "usa", "--count", "60", "--seed", "7", "--narrator", "openai:stub"];
    let few = ["--concurrency", "4"];
    let mut first = started(directory.path(), &stub.base, &[&generate[..], &few].concat());
    until("ten requests", || stub.count() >= 10);
    // The run is at work: nobody takes it up.
    let (code, out, error) = asked(directory.path(), &stub.base, &["runs", "resume"]);
    assert!(code == 0 && out.contains("is at work in process"), "{out}{error}");
    let (code, out, error) = asked(directory.path(), &stub.base, &["runs", "resume", &newest(directory.path())]);
    assert!(code == 1 && error.contains(&format!("is at work in process {}", first.id())), "{out}{error}");
    // Whoever wants the same answers waits for them.
    let again = [&generate[..], &few, &["--into", "again"]].concat();
    let (code, out, error) = asked(directory.path(), &stub.base, &again);
    assert_eq!(code, 0, "{out}{error}");
    assert!(first.wait().unwrap().success());
    assert_eq!(requests(&stub), (120, 120));
    let sql = "SELECT count(persona) FROM usa UNION ALL SELECT count(persona) FROM again";
    assert!(query(directory.path(), sql).ends_with("\n60\n60\n"));
    assert!(ran_on(directory.path(), &["runs"]).1.lines().all(|l| l.contains("done")));
}

#[test]
fn a_run_whose_process_is_gone_is_taken_up_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let stub = Stub::writer(Duration::from_millis(20));
    let generate =
        ["generate", "usa", "--count", "40", "--seed", "7", "--narrator", "openai:stub", "--concurrency", "4"];
    let mut first = started(directory.path(), &stub.base, &generate);
    until("ten requests", || stub.count() >= 10);
    first.kill().unwrap();
    first.wait().unwrap();
    assert!(ran_on(directory.path(), &["runs"]).1.contains("interrupted"));
    let (code, out, error) = asked(directory.path(), &stub.base, &["runs", "resume"]);
    assert_eq!(code, 0, "{out}{error}");
    let (all, prompts) = requests(&stub);
    assert!(prompts == 80 && all <= 80 + 5, "{all} requests of {prompts}");
}

#[test]
fn two_processes_with_batches_hand_each_call_over_once() {
    let directory = tempfile::tempdir().unwrap();
    let stub = Stub::writer(Duration::ZERO);
    stub.batches.lock().unwrap().looks = 2;
    let generate = ["generate", "usa", "--count", "60", "--seed", "7", "--narrator", "openai:stub", "--batch"];
    let processes = ["one", "two"]
        .map(|table| started(directory.path(), &stub.base, &[&generate[..], &["--into", table]].concat()));
    for process in processes {
        let ended = process.wait_with_output().unwrap();
        assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    }
    assert_eq!(requests(&stub), (120, 120));
    let sql = "SELECT count(persona) FROM one UNION ALL SELECT count(persona) FROM two";
    assert!(query(directory.path(), sql).ends_with("\n60\n60\n"));
}

#[test]
fn a_limit_holds_however_many_are_asked_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let database = directory.path().join("db");
    let prices = prices(directory.path(), 0.1, 0.2);
    // Each answer takes far more than is expected of it: 0.0007 dollars.
    let stub = Stub::start(Duration::from_millis(20), |_, body| {
        Reply::Status(200, vec![], stub::completion_of(stub::texts(body), Some((3000, 2000))).to_string())
    });
    let generate = ["generate", "usa", "--count", "300", "--seed", "7", "--narrator", "openai:stub"];
    let limited = ["--concurrency", "256", "--prices", &prices, "--max-cost", "0.01"];
    let (code, _, error) = asked(&database, &stub.base, &[&generate[..], &limited].concat());
    assert!(code == 1 && error.contains("the limit of 0.01 US dollars is reached"), "{error}");
    let (cost, calls) = (shown(&database, "cost"), stub.count());
    assert!((0.007..=0.0105).contains(&cost), "{cost} dollars, {calls} calls");
    // Of the requests that were not sent, nothing is noted.
    assert!(ran_on(&database, &["runs", "show"]).1.contains(&format!("{calls} requests")));
    // The limit is the run's, whichever process goes on with it.
    let resume = ["runs", "resume", "--prices", &prices, "--max-cost"];
    let (code, _, error) = asked(&database, &stub.base, &[&resume[..], &["0.01"]].concat());
    assert!(code == 1 && error.contains("the limit of 0.01 US dollars is reached"), "{error}");
    // One at most, of which less was expected.
    assert!(stub.count() <= calls + 1 && shown(&database, "cost") <= 0.0105, "{}", stub.count());
    let calls = stub.count();
    assert_eq!(asked(&database, &stub.base, &[&resume[..], &["0.012"]].concat()).0, 1);
    assert!(stub.count() > calls && shown(&database, "cost") <= 0.0126, "{}", shown(&database, "cost"));
}

#[test]
fn a_limit_holds_where_the_server_tells_no_tokens() {
    let directory = tempfile::tempdir().unwrap();
    let stub = Stub::start(Duration::ZERO, |_, body| {
        Reply::Status(200, vec![], stub::completion_of(stub::texts(body), None).to_string())
    });
    let generate = ["generate", "usa", "--count", "100", "--seed", "7", "--narrator", "openai:stub"];
    let (code, _, error) = asked(directory.path(), &stub.base, &[&generate[..], &["--max-tokens", "20000"]].concat());
    assert!(code == 1 && error.contains("the limit of 20000 tokens is reached"), "{error}");
    assert!((5..60).contains(&stub.count()), "{}", stub.count());
    let shown = ran_on(directory.path(), &["runs", "show"]).1;
    assert!(shown.contains("estimated: the server does not tell"), "{shown}");
}

#[test]
fn a_limit_stops_a_statement_too() {
    let directory = tempfile::tempdir().unwrap();
    let database = directory.path();
    let stub = Stub::writer(Duration::ZERO);
    assert_eq!(ran_on(database, &["generate", "usa", "--count", "20", "--seed", "7"]).0, 0);
    let sql = |more: &[&str], statement: &str| {
        let fixed = ["sql", "--narrator", "openai:stub", "--format", "csv", "--concurrency", "2"];
        asked(database, &stub.base, &[&fixed[..], more, &[statement]].concat())
    };
    let tweets =
        "SELECT uuid, generate_narrative('Write one tweet by {{first_name}}, {{age}}, of {{city}}.') AS tweet FROM usa";
    // Rows, and then what is missing of them.
    let (code, out, error) = sql(&["--max-calls", "5"], tweets);
    assert!(code == 1 && error.contains("15 of 20 texts are missing: the limit of 5 calls is reached"), "{out}{error}");
    assert!(error.contains("calls     5 answered, 0 failed, 5 requests"), "{error}");
    let (code, _, error) = sql(&["--max-calls", "1"], &format!("{tweets} LIMIT 8"));
    assert!(code == 1 && error.contains("are missing: the limit of 1 calls is reached"), "{error}");
    // One that writes stops, and is finished later.
    let (code, _, error) = sql(&["--max-calls", "4"], &format!("CREATE TABLE tweets AS {tweets}"));
    assert!(code == 1 && error.contains("the limit of 4 calls is reached"), "{error}");
    assert!(query(database, "SHOW TABLES").lines().all(|l| l != "tweets"));
    // The limit is the run's: whoever goes on with it says another, or asks for no more.
    let before = stub.count();
    let (code, _, error) = asked(database, &stub.base, &["runs", "resume"]);
    assert!(
        code == 1 && error.contains("the limit of 4 calls is reached: a larger --max-calls lets it go on"),
        "{error}"
    );
    assert_eq!(stub.count(), before);
    assert!(ran_on(database, &["runs", "show"]).1.contains("limits    4 calls"));
    let (code, out, error) = asked(database, &stub.base, &["runs", "resume", "--max-calls", "100"]);
    assert_eq!(code, 0, "{out}{error}");
    assert_eq!(
        (query(database, "SELECT count(tweet) AS n FROM tweets").as_str(), stub.count()),
        ("n\n20\n", 20),
        "{before}"
    );
    // What was answered before is said.
    let (code, _, error) = sql(&[], tweets);
    assert!(code == 0 && error.contains("20 answers were in the catalogue (asked 20"), "{error}");
    assert_eq!(stub.count(), 20);
    // A server that is not there.
    let dead =
        |statement: &str| asked(database, "http://127.0.0.1:9/v1", &["sql", "--narrator", "openai:other", statement]);
    let (code, _, error) = dead("CREATE TABLE dead AS SELECT * FROM generate_persona('usa', 5, seed => 1)");
    assert!(code == 1 && error.contains("cannot be reached"), "{error}");
    let (code, _, error) = dead("SELECT * FROM generate_persona('usa', 5, seed => 1)");
    assert!(code == 1 && error.contains("texts are missing") && error.contains("cannot be reached"), "{error}");
}

#[test]
fn a_template_without_a_model_is_an_error_before_it_runs() {
    let directory = tempfile::tempdir().unwrap();
    let statement = "SELECT generate_narrative('You are {{first_name}}.') FROM sample_persona('usa', 3, seed => 1)";
    let (code, out, error) = ran_on(directory.path(), &["sql", statement]);
    assert!(code == 1 && out.is_empty() && error.contains("--narrator openai:MODEL"), "{out}{error}");
}

#[test]
fn answers_are_asked_for_anew_and_forgotten() {
    let directory = tempfile::tempdir().unwrap();
    let database = directory.path();
    let stub = Stub::writer(Duration::ZERO);
    let generate = |into: &str, more: &[&str]| {
        let fixed = ["generate", "usa", "--count", "5", "--seed", "7", "--narrator", "openai:stub", "--into", into];
        asked(database, &stub.base, &[&fixed[..], more].concat())
    };
    assert_eq!((generate("a", &[]).0, stub.count()), (0, 10));
    let (code, out, _) = generate("b", &[]);
    assert!(code == 0 && out.contains("10 answers were in the catalogue (asked 20"), "{out}");
    // Interrupted, a run that asks anew goes on with its own answers.
    let (code, _, error) = generate("c", &["--fresh", "--max-calls", "4"]);
    assert!(code == 1 && error.contains("4 calls"), "{error}");
    assert_eq!(asked(database, &stub.base, &["runs", "resume", "--max-calls", "10"]).0, 0);
    assert_eq!((stub.count(), requests(&stub).1), (20, 10));
    let forget = |arguments: &[&str]| ran_on(database, &[&["runs", "forget"], arguments].concat());
    assert_eq!(forget(&["--model", "openai:other"]).1, "0 answers forgotten\n");
    assert_eq!(forget(&["--before", "2001-01-01"]).1, "0 answers forgotten\n");
    assert_eq!(forget(&[&newest(database)]).1, "10 answers forgotten\n");
    assert_eq!(forget(&["--model", "stub"]).1, "10 answers forgotten\n");
    assert_eq!(forget(&[]).0, 2);
    assert_eq!((generate("d", &[]).0, stub.count()), (0, 30));
}

#[test]
fn keys_and_passwords_stay_where_they_belong() {
    let directory = tempfile::tempdir().unwrap();
    let database = directory.path().join("db");
    // Behind so many words that a part of the key would be left where they are cut before it is taken out.
    let said = format!("{} bad key sk-very-secret-0123456789 of alice:hunter2 and qs-secret-77", "no ".repeat(48));
    let stub = Stub::start(Duration::ZERO, move |_, _| {
        Reply::Status(500, vec![], serde_json::json!({ "error": { "message": said } }).to_string())
    });
    let base = format!("{}?api-key=qs-secret-77", stub.base.replace("http://", "http://alice:hunter2@"));
    let mut command = populace(&database);
    command.env("OPENAI_BASE_URL", &base).env("OPENAI_API_KEY", "sk-very-secret-0123456789");
    command.args(["generate", "usa", "--count", "2", "--seed", "1", "--narrator", "openai:stub", "--timeout", "5"]);
    let (_, out, error) = output(&mut command);
    let told = format!("{out}{error}{}", query(&database, "SELECT narrative_error FROM usa"));
    assert!(told.contains("answers 500"), "{told}");
    let mut kept: Vec<u8> = told.clone().into_bytes();
    for file in ["catalog.sqlite", "catalog.sqlite-wal"] {
        kept.extend(std::fs::read(database.join(file)).unwrap_or_default());
    }
    for secret in ["hunter2", "qs-secret", "sk-very"] {
        assert!(!kept.windows(secret.len()).any(|w| w == secret.as_bytes()), "{secret} in {told}");
    }
}

#[test]
fn a_server_is_not_followed_elsewhere_and_not_read_for_ever() {
    let directory = tempfile::tempdir().unwrap();
    let elsewhere = Stub::writer(Duration::ZERO);
    let to = format!("{}/chat/completions", elsewhere.base);
    let stub =
        Stub::start(Duration::ZERO, move |_, _| Reply::Status(307, vec![("location", to.clone())], String::new()));
    let generate = ["generate", "usa", "--count", "1", "--seed", "1", "--narrator", "openai:stub"];
    let (code, _, error) = asked(directory.path(), &stub.base, &generate);
    assert!(code == 1 && error.contains("sends requests elsewhere"), "{error}");
    assert!((1..=2).contains(&stub.count()) && elsewhere.count() == 0, "{}", stub.count());
    let (code, _, error) = asked(directory.path(), "http://models.example/v1", &generate);
    assert!(code == 1 && error.contains("everyone on the way can read it"), "{error}");
    let long = Stub::start(Duration::ZERO, |_, _| Reply::Content("word ".repeat(3600 << 10)));
    let (_, out, error) = asked(directory.path(), &long.base, &generate);
    let told = query(directory.path(), "SELECT narrative_error FROM usa");
    assert!(told.contains("more than 16 MiB"), "{out}{error}{told}");
}

#[test]
fn a_statement_whose_commit_was_not_noted_is_not_done_again() {
    let directory = tempfile::tempdir().unwrap();
    let database = directory.path();
    let sql = |statement: &str| ran_on(database, &["sql", "--format", "csv", statement]);
    let killed = || {
        let catalog = rusqlite::Connection::open(database.join("catalog.sqlite")).unwrap();
        catalog.execute("UPDATE runs SET status = 'running' WHERE id = (SELECT max(id) FROM runs)", []).unwrap();
    };
    let count = || query(database, "SELECT count(*) AS n FROM usa");
    for create in ["CREATE TABLE", "CREATE OR REPLACE TABLE"] {
        assert_eq!(sql(&format!("{create} usa AS SELECT * FROM generate_persona('usa', 20, seed => 1)")).0, 0);
        killed();
        let id = newest(database);
        assert_eq!(sql("INSERT INTO usa SELECT * FROM generate_persona('usa', 10, seed => 2)").0, 0);
        let (code, out, error) = ran_on(database, &["runs", "resume"]);
        assert!(code == 0 && out.contains(&format!("run {id} was done already")), "{out}{error}");
        assert_eq!(count(), "n\n30\n");
    }
    let replace = "REPLACE INTO usa SELECT * FROM generate_persona('usa', 20, seed => 1)";
    assert_eq!(sql(replace).0, 0);
    killed();
    assert_eq!(sql("UPDATE usa SET city = 'Edited'").0, 0);
    let (code, out, error) = ran_on(database, &["runs", "resume"]);
    assert!(code == 0 && out.contains("was done already"), "{out}{error}");
    assert_eq!(query(database, "SELECT count(*) AS n FROM usa WHERE city = 'Edited'"), "n\n30\n");
    // One that would write other people says so, and is not repeated.
    let other = "INSERT INTO usa BY NAME SELECT * REPLACE (CAST(uuid() AS VARCHAR) AS uuid) FROM sample_persona('usa', 5, seed => 3)";
    let (code, out, error) = sql(other);
    assert!(code == 0 && error.contains("cannot be resumed if it is interrupted: uuid()"), "{out}{error}");
    killed();
    let (code, _, error) = ran_on(database, &["runs", "resume"]);
    assert!(code == 1 && error.contains("cannot be taken up: uuid()"), "{error}");
    assert_eq!(count(), "n\n35\n");
}

#[test]
fn a_run_that_is_cancelled_ends_in_its_own_process() {
    let directory = tempfile::tempdir().unwrap();
    let stub = Stub::writer(Duration::from_millis(50));
    let generate =
        ["generate", "usa", "--count", "2000", "--seed", "7", "--narrator", "openai:stub", "--concurrency", "2"];
    let mut run = started(directory.path(), &stub.base, &generate);
    until("ten requests", || stub.count() >= 10);
    let (code, out, error) = ran_on(directory.path(), &["runs", "cancel", &newest(directory.path())]);
    assert!(code == 0 && out.contains(&format!("it ends in process {}", run.id())), "{out}{error}");
    assert!(!run.wait().unwrap().success());
    assert!(stub.count() < 1000, "{}", stub.count());
    assert!(ran_on(directory.path(), &["runs"]).1.contains("cancelled"));
}

#[test]
fn a_retry_leaves_what_others_wrote_meanwhile() {
    let directory = tempfile::tempdir().unwrap();
    let database = directory.path();
    let works = Arc::new(AtomicBool::new(false));
    let now = works.clone();
    // It writes the attributes; the personas when it works.
    let stub = Stub::start(Duration::ZERO, move |_, body| {
        let required = &body["response_format"]["json_schema"]["schema"]["required"];
        if now.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(300));
        } else if required.as_array().unwrap().iter().any(|k| k == "persona") {
            return Reply::Status(422, vec![], r#"{"error": {"message": "I had rather not"}}"#.into());
        }
        Reply::Content(stub::texts(body))
    });
    let generate = ["generate", "usa", "--count", "8", "--seed", "7", "--narrator", "openai:stub"];
    assert_eq!(asked(database, &stub.base, &generate).0, 0);
    let before = stub.count();
    works.store(true, Ordering::SeqCst);
    let mut retry = started(database, &stub.base, &["runs", "retry", "--failed", "--concurrency", "1"]);
    until("a request", || stub.count() > before);
    let edit = "ALTER TABLE usa ADD COLUMN grade VARCHAR; UPDATE usa SET city = 'Edited', grade = 'A', sports_persona = 'Mine.'";
    let (code, out, error) = ran_on(database, &["sql", edit]);
    assert_eq!(code, 0, "{out}{error}");
    assert!(retry.wait().unwrap().success());
    let sql = "SELECT count(*) AS n, count(persona) AS t, count(narrative_error) AS e FROM usa
               WHERE city = 'Edited' AND grade = 'A' AND sports_persona = 'Mine.'";
    assert_eq!(query(database, sql), "n,t,e\n8,8,0\n");
    // Its calls are the run's.
    assert!(ran_on(database, &["runs", "show"]).1.contains(&format!("{} requests", stub.count())));
}

#[test]
fn nobody_is_asked_about_people_who_are_left_out() {
    let directory = tempfile::tempdir().unwrap();
    let stub = Stub::writer(Duration::from_millis(1));
    let sql = |sql: &str| asked(directory.path(), &stub.base, &["sql", "--narrator", "openai:stub", sql]);
    let (code, _, error) = sql(
        "CREATE TABLE usa AS SELECT *, generate_narrative('persona') AS persona FROM sample_persona('usa', 20, seed => 1)",
    );
    assert_eq!(code, 0, "{error}");
    let before = stub.count();
    let insert = "INSERT INTO usa BY NAME SELECT *, generate_narrative('sports_persona') AS persona
                  FROM sample_persona('usa', 22, seed => 1)";
    let (code, _, error) = sql(insert);
    assert!(code == 0 && error.contains("20 people were in usa already: skipped"), "{error}");
    let made = stub.count() - before;
    assert!((1..=6).contains(&made), "{made} requests for two people");
}
