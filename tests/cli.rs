//! Exit codes and messages.

use std::process::Command;
use std::time::Duration;

mod stub;
use stub::{Reply, Stub};

fn populace(database: &std::path::Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_populace"));
    command.arg("--db").arg(database).args(["--embedder", "hash"]);
    command
}

/// The exit code, standard output and standard error of a command on a database of its own.
fn ran(arguments: &[&str]) -> (i32, String, String) {
    let directory = tempfile::tempdir().unwrap();
    ran_on(directory.path(), arguments)
}

fn ran_on(database: &std::path::Path, arguments: &[&str]) -> (i32, String, String) {
    let output = populace(database).args(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[test]
fn slips_end_with_1_and_a_hint() {
    for (arguments, says) in [
        (&["sql", "SELECT * FROM sample_persona('usaa', 5)"][..], "did you mean `usa`?"),
        (&["sql", "SELEC 1"], "SELEC"),
        (&["sql", "SELECT agee FROM sample_persona('usa', 5)"], "no column `agee`; did you mean `age`?"),
        (&["sql", "COPY (SELECT 1) TO 'x.csv'"], "--allow-files"),
        (&["generate", "usaa", "--count", "5"], "did you mean `usa`?"),
        (&["generate", "usa", "--count", "5", "--given", "agee > 3"], "did you mean `age`?"),
        (&["generate", "usa", "--count", "5", "--given", "true) --"], "given"),
        (&["runs", "show", "nothing"], "no runs"),
        (&["countries", "show", "usaa"], "did you mean `usa`?"),
    ] {
        let (code, _, error) = ran(arguments);
        assert_eq!(code, 1, "{arguments:?}: {error}");
        assert!(error.contains(says), "{arguments:?}: {error}");
        assert!(!error.contains("External error") && !error.contains("backtrace"), "{error}");
    }
}

#[test]
fn bad_usage_ends_with_2() {
    for arguments in [&["generate", "usa", "--count", "0"][..], &["generate", "usa", "--count", "-3"], &["sq"]] {
        assert_eq!(ran(arguments).0, 2, "{arguments:?}");
    }
}

#[test]
fn reading_makes_no_database() {
    let directory = tempfile::tempdir().unwrap();
    let database = directory.path().join("db");
    assert_eq!(ran_on(&database, &["sql", "SELECT 1"]).0, 0);
    assert!(!database.exists());
}

#[test]
fn a_directory_of_other_things_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("thesis.txt"), "precious").unwrap();
    let (code, _, error) = ran_on(directory.path(), &["generate", "usa", "--count", "5"]);
    assert_eq!(code, 1);
    assert!(error.contains("no populace database"), "{error}");
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
}

#[test]
fn a_newer_database_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("VERSION"), "99\n").unwrap();
    let (code, _, error) = ran_on(directory.path(), &["sql", "SELECT 1"]);
    assert_eq!(code, 1);
    assert!(error.contains("newer version"), "{error}");
}

#[test]
fn the_same_command_again_writes_nobody_and_a_larger_count_extends() {
    let directory = tempfile::tempdir().unwrap();
    for (count, written) in [("20", "20 people written"), ("20", "0 people written"), ("30", "10 people written")] {
        let arguments = ["generate", "usa", "--count", count, "--seed", "3"];
        let (code, output, error) = ran_on(directory.path(), &arguments);
        assert_eq!(code, 0, "{error}");
        assert!(output.contains(written), "{output}");
    }
    let count = ["sql", "--format", "csv", "SELECT count(*), count(DISTINCT uuid) FROM usa"];
    assert!(ran_on(directory.path(), &count).1.ends_with("30,30\n"));
}

#[test]
fn a_search_returns_the_nearest_of_those_that_match() {
    let directory = tempfile::tempdir().unwrap();
    let made = "CREATE TABLE usa AS SELECT *, 'keeps ' || CASE WHEN age < 40 THEN 'bees' ELSE 'goats' END AS persona
                FROM sample_persona('usa', 300, seed => 1)";
    assert_eq!(ran_on(directory.path(), &["sql", made]).0, 0);
    let search = ["search", "keeps bees", "-k", "5", "--format", "csv"];
    let (code, found, error) = ran_on(directory.path(), &search);
    assert_eq!(code, 0, "{error}");
    assert_eq!(found.matches("keeps bees,").count(), 5, "{found}");
    // Nobody who matches keeps bees: the condition holds before the search, and five come back all the same.
    let among = [&search[..], &["--where", "age >= 40"]].concat();
    assert_eq!(ran_on(directory.path(), &among).1.matches("keeps goats,").count(), 5);
    assert!(ran_on(directory.path(), &["search", "x", "--where", "agee > 3"]).2.contains("did you mean `age`?"));
}

/// A statement as long as a program writes it ends in an answer or an error, never in a crash.
#[test]
fn long_statements_do_not_exhaust_the_stack() {
    let chain = |links: usize| {
        let links: Vec<String> = (0..links).map(|i| format!("(v = {i} AND v > {i})")).collect();
        format!("SELECT count(*) FROM (VALUES (1)) AS t(v) WHERE {}", links.join(" OR "))
    };
    let directory = tempfile::tempdir().unwrap();
    for links in [800, 3_000] {
        let output = populace(directory.path()).args(["sql", &chain(links)]).output().unwrap();
        assert!(output.status.code().is_some(), "{links} links: killed by a signal");
    }
}

#[test]
fn evidence_may_be_a_long_chain() {
    let ages: Vec<String> = (0..1000).map(|i| format!("age = {}", 30 + i % 10)).collect();
    let sql = format!(
        "SELECT min(age) AS a, max(age) AS b FROM sample_persona('usa', 5000, seed => 1, given => {})",
        ages.join(" OR ")
    );
    let (code, out, error) = ran(&["sql", "--format", "csv", &sql]);
    assert_eq!((code, out.as_str()), (0, "a,b\n30,39\n"), "{error}");
}

#[test]
#[cfg(unix)]
fn an_interrupted_run_says_how_to_go_on() {
    let directory = tempfile::tempdir().unwrap();
    let child = populace(directory.path())
        .args(["generate", "usa", "--count", "100000", "--seed", "1", "--chunk", "50"])
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let versions = directory.path().join("tables/usa.lance/_versions");
    while std::fs::read_dir(&versions).map_or(0, Iterator::count) < 3 {
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(1) && error.contains("`populace runs resume "), "{error}");
    let count =
        ran_on(directory.path(), &["sql", "--format", "csv", "SELECT count(*) BETWEEN 50 AND 99999 AS n FROM usa"]).1;
    assert_eq!(count, "n\ntrue\n");
}

/// As `ran_on`, with a server that answers as OpenAI's would.
fn asked(database: &std::path::Path, base: &str, arguments: &[&str]) -> (i32, String, String) {
    let mut command = populace(database);
    command.env("OPENAI_BASE_URL", base).env("OPENAI_API_KEY", "sk-secret").args(arguments);
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[test]
fn a_model_writes_people_and_is_paid_once() {
    let directory = tempfile::tempdir().unwrap();
    let stub = Stub::writer(Duration::ZERO);
    let generate = ["generate", "usa", "--count", "20", "--seed", "7", "--narrator", "openai:stub"];
    let (code, out, error) = asked(directory.path(), &stub.base, &generate);
    assert_eq!((code, stub.count()), (0, 40), "{out}{error}");
    let sql = "SELECT count(persona), count(persona_embedding), count(DISTINCT narrator), min(narrator), count(narrative_error) FROM usa";
    assert!(ran_on(directory.path(), &["sql", "--format", "csv", sql]).1.contains("20,20,1,openai:stub,0"));
    let shown = ran_on(directory.path(), &["runs", "show"]).1;
    assert!(shown.contains("40 answered, 0 failed, 40 requests"), "{shown}");
    assert!(shown.contains("4000 asked, 2000 answered"), "{shown}");
    // The same people in another table: every answer is known.
    let again = ["generate", "usa", "--count", "20", "--seed", "7", "--narrator", "openai:stub", "--into", "again"];
    assert_eq!(asked(directory.path(), &stub.base, &again).0, 0);
    assert_eq!(stub.count(), 40);
    for file in ["catalog.sqlite", "catalog.sqlite-wal"] {
        let bytes = std::fs::read(directory.path().join(file)).unwrap_or_default();
        assert!(!bytes.windows(9).any(|w| w == b"sk-secret"));
    }
}

#[test]
fn a_model_answers_statements() {
    let directory = tempfile::tempdir().unwrap();
    let stub = Stub::writer(Duration::ZERO);
    let ask =
        |sql: &str| asked(directory.path(), &stub.base, &["sql", "--narrator", "openai:stub", "--format", "csv", sql]);
    let (code, out, error) =
        ask("SELECT try_generate_narrative('persona')['text'] AS t FROM sample_persona('usa', 3, seed => 7)");
    assert!(code == 0 && out.matches("persona of ").count() == 3, "{out}{error}");
    let template =
        "SELECT generate_narrative('Write one tweet by {{first_name}}, {{agee}}.') FROM sample_persona('usa', 5)";
    let (code, _, error) = ask(template);
    assert!(code == 1 && error.contains("did you mean {{age}}?"), "{error}");
    let (code, out, _) = ask(&template.replace("agee", "age"));
    assert!(code == 0 && out.matches("text of nobody").count() == 5, "{out}");
    let named = "SELECT narrator FROM generate_persona('usa', 2, seed => 7, narrator => 'openai:other')";
    assert_eq!(ask(named).1, "narrator\nopenai:other\nopenai:other\n");
}

/// The number before a word in a text.
fn before(word: &str, text: &str) -> f64 {
    let words: Vec<&str> = text.split_whitespace().collect();
    let at = words.iter().position(|w| w.trim_matches(',') == word).unwrap_or_else(|| panic!("{word} in {text}"));
    words[at - 1].parse().unwrap_or_else(|_| panic!("a number before {word} in {text}"))
}

#[test]
fn what_it_will_take_is_said_before_and_limits_are_kept() {
    let directory = tempfile::tempdir().unwrap();
    let stub = Stub::writer(Duration::ZERO);
    let prices = directory.path().join("prices.toml");
    std::fs::write(&prices, "[models.stub]\nprompt = 10\ncompletion = 20\n").unwrap();
    let database = directory.path().join("db");
    let generate = |count: &str, more: &[&str]| {
        let fixed =
            ["generate", "usa", "--count", count, "--seed", "7", "--narrator", "openai:stub", "--concurrency", "4"];
        asked(&database, &stub.base, &[&fixed[..], &["--prices", prices.to_str().unwrap()], more].concat())
    };
    let (code, out, error) = generate("20", &["--dry-run"]);
    assert!(code == 0 && out.contains("40 to be made, 0 answered already"), "{out}{error}");
    assert!(before("US", &out) > 0.0, "{out}");
    assert_eq!(stub.count(), 0);
    // A limit stops the run, what was paid for stays, and it goes on from there.
    let (code, _, error) = generate("20", &["--max-calls", "15"]);
    assert!(code == 1 && error.contains("the limit of 15 calls is reached"), "{error}");
    assert_eq!(stub.count(), 15);
    let resume = ["runs", "resume", "--prices", prices.to_str().unwrap()];
    let (code, _, error) = asked(&database, &stub.base, &resume);
    assert_eq!((code, stub.count()), (0, 40), "{error}");
    let (_, out, _) = generate("20", &["--dry-run"]);
    assert!(out.contains("0 people") || out.contains("people    0"), "{out}");
    // The server counts 100 and 50 tokens a call: the estimate has learnt it.
    let (_, out, _) = generate("40", &["--dry-run"]);
    assert!((before("asked", &out) / 4000.0 - 1.0).abs() < 0.1, "{out}");
    assert!((before("answered", out.split("asked").nth(1).unwrap()) / 2000.0 - 1.0).abs() < 0.1, "{out}");
    assert!((before("US", &out) / 0.08 - 1.0).abs() < 0.1, "{out}");
    let (code, _, error) = generate("40", &["--max-cost", "0.02"]);
    assert!(code == 1 && error.contains("US dollars is reached"), "{error}");
    assert!(stub.count() < 40 + 20, "{}", stub.count());
    let sql = ["sql", "--narrator", "openai:stub", "--format", "csv"];
    let explain = "EXPLAIN SELECT generate_narrative('persona', first_name, age, occupation) FROM usa LIMIT 7";
    let calls = stub.count();
    let (code, out, error) = asked(&database, &stub.base, &[&sql[..], &[explain]].concat());
    assert!(code == 0 && out.contains("7 to be made, 0 answered already"), "{out}{error}");
    assert_eq!(stub.count(), calls);
}

#[test]
fn a_statement_keeps_a_model_busy() {
    let directory = tempfile::tempdir().unwrap();
    // One answer in twenty takes long: batch by batch, each would hold up all the others.
    let stub = Stub::start(Duration::from_millis(10), |n, body| {
        if n % 20 == 0 {
            std::thread::sleep(Duration::from_millis(300));
        }
        Reply::Content(stub::texts(body))
    });
    let sql = "SELECT count(t) AS n FROM (SELECT generate_narrative('persona') AS t FROM sample_persona('usa', 400, seed => 1))";
    let arguments = ["sql", "--narrator", "openai:stub", "--concurrency", "8", "--format", "csv", sql];
    let (code, out, error) = asked(directory.path(), &stub.base, &arguments);
    assert_eq!((code, out.as_str()), (0, "n\n400\n"), "{error}");
    assert_eq!((stub.count(), stub.peak.load(std::sync::atomic::Ordering::SeqCst)), (400, 8));
}

#[test]
fn failed_texts_alone_are_asked_again() {
    let directory = tempfile::tempdir().unwrap();
    let works = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let now = works.clone();
    // It writes the attributes, and the personas of those alone whose prompt is of even length.
    let stub = Stub::start(Duration::ZERO, move |_, body| {
        let prompt = body["messages"][1]["content"].as_str().unwrap();
        match prompt.contains("career_goals_and_ambitions:")
            || prompt.len() % 2 == 0
            || now.load(std::sync::atomic::Ordering::SeqCst)
        {
            true => Reply::Content(stub::texts(body)),
            false => Reply::Status(422, vec![], r#"{"error": {"message": "I had rather not"}}"#.into()),
        }
    });
    let generate = ["generate", "usa", "--count", "30", "--seed", "7", "--narrator", "openai:stub"];
    let (code, _, error) = asked(directory.path(), &stub.base, &generate);
    assert_eq!(code, 0, "{error}");
    let sql = "SELECT count(persona) AS p, count(persona_embedding) AS e, count(cultural_background) AS c, count(narrative_error) AS x FROM usa";
    let counts = || {
        let out = ran_on(directory.path(), &["sql", "--format", "csv", sql]).1;
        out.lines().nth(1).unwrap().split(',').map(|n| n.parse::<usize>().unwrap()).collect::<Vec<_>>()
    };
    let before = counts();
    assert!(before[0] > 0 && before[0] < 30 && before[0] == before[1], "{before:?}");
    assert_eq!((before[2], before[3]), (30, 30 - before[0]));
    works.store(true, std::sync::atomic::Ordering::SeqCst);
    let calls = stub.count();
    let (code, out, error) = asked(directory.path(), &stub.base, &["runs", "retry", "--failed"]);
    assert!(code == 0 && out.contains("0 missing still"), "{out}{error}");
    assert_eq!(counts(), [30, 30, 30, 0]);
    assert_eq!(stub.count() - calls, 30 - before[0]);
    assert!(asked(directory.path(), &stub.base, &["runs", "retry", "--failed"]).1.contains("no text of run"));
}

#[test]
fn a_model_that_cannot_be_asked_stops_the_run_and_loses_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let stub = Stub::start(Duration::ZERO, |n, body| match n {
        0..30 => Reply::Content(stub::texts(body)),
        _ => Reply::Status(401, vec![], r#"{"error": {"message": "Incorrect API key provided: sk-secret"}}"#.into()),
    });
    let generate = |base: &str| {
        let narrator = ["generate", "usa", "--count", "30", "--seed", "7", "--narrator", "openai:stub"];
        asked(directory.path(), base, &[&narrator[..], &["--concurrency", "2"]].concat())
    };
    let (code, _, error) = generate(&stub.base);
    assert!(code == 1 && error.contains("set OPENAI_API_KEY") && !error.contains("sk-secret"), "{error}");
    assert!(ran_on(directory.path(), &["runs"]).1.contains("failed"));
    let count =
        ["sql", "--format", "csv", "SELECT count(*) AS n, count(persona) AS m, count(narrative_error) AS e FROM usa"];
    let written = ran_on(directory.path(), &count).1;
    let rest = Stub::writer(Duration::ZERO);
    let (code, out, error) = asked(directory.path(), &rest.base, &["runs", "resume"]);
    assert_eq!(code, 0, "{out}{error}");
    assert_eq!(ran_on(directory.path(), &count).1, "n,m,e\n30,30,0\n", "{written}");
    // What was answered before the outage was not asked again.
    assert_eq!(rest.count(), 30);
    assert!(!ran_on(directory.path(), &["runs"]).1.contains("failed"));
}

#[test]
fn a_run_that_cannot_begin_leaves_nothing() {
    for (arguments, says) in [
        (&["generate", "usa", "--count", "5", "--into", "../x"][..], "no name for a table"),
        (&["generate", "usa", "--count", "5", "--narrator", "openai:m"], "OPENAI_API_KEY"),
        (&["generate", "usa", "--count", "5", "--narrator", "outlin"], "did you mean `outline`?"),
        (&["generate", "usa", "--count", "5", "--embedder", "hsh"], "did you mean `hash`?"),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_populace"));
        command.env_remove("OPENAI_API_KEY").env_remove("OPENAI_BASE_URL").arg("--db").arg(directory.path());
        let embedder = if arguments.contains(&"--embedder") { &[][..] } else { &["--embedder", "hash"] };
        let output = command.args(embedder).args(arguments).output().unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(1) && error.contains(says), "{arguments:?}: {error}");
        let runs = ran_on(directory.path(), &["runs"]);
        assert_eq!((runs.0, runs.1.as_str()), (0, ""), "{arguments:?}");
        assert_eq!(
            std::fs::read_dir(directory.path().join("tables"))
                .map_or(0, |t| t.flatten().filter(|e| e.path().is_dir()).count()),
            0
        );
    }
}

#[test]
#[cfg(unix)]
fn a_directory_that_cannot_be_written_is_said_to_be() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    assert_eq!(ran_on(directory.path(), &["generate", "usa", "--count", "5", "--seed", "1"]).0, 0);
    let mut folders = vec![directory.path().to_path_buf()];
    let mut at = 0;
    while at < folders.len() {
        let inner = std::fs::read_dir(&folders[at]).unwrap().flatten().map(|e| e.path()).filter(|p| p.is_dir());
        folders.extend(inner.collect::<Vec<_>>());
        at += 1;
    }
    let mode =
        |mode| folders.iter().for_each(|f| std::fs::set_permissions(f, PermissionsExt::from_mode(mode)).unwrap());
    mode(0o555);
    // Whoever may write everywhere is not kept from it.
    let kept = std::fs::write(directory.path().join("probe"), "").is_err();
    let count = ran_on(directory.path(), &["sql", "--format", "csv", "SELECT count(*) AS n FROM usa"]);
    let (code, _, error) = ran_on(directory.path(), &["generate", "usa", "--count", "9", "--seed", "1"]);
    mode(0o755);
    assert_eq!(count.1, "n\n5\n");
    assert!(!kept || (code == 1 && error.contains("cannot") && error.contains("writ")), "{error}");
}

#[test]
fn a_reader_that_goes_ends_nothing_in_error() {
    for format in ["csv", "table", "json", "ndjson", "arrow", "parquet"] {
        let directory = tempfile::tempdir().unwrap();
        let sql = "SELECT * FROM sample_persona('usa', 20000, seed => 1)";
        let mut child = Command::new(env!("CARGO_BIN_EXE_populace"))
            .arg("--db")
            .arg(directory.path())
            .args(["sql", "--format", format, sql])
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{format}: {}", String::from_utf8_lossy(&output.stderr));
    }
}
