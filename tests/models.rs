//! Narratives by models, through the program.

use std::time::Duration;

mod support;
use support::stub::{self, Reply, Stub};
use support::{asked, ran_on};

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
    let (code, _, error) = ask(named);
    assert!(code == 1 && error.contains("--allow-models openai:other"), "{error}");
    let allowed = ["sql", "--allow-models", "openai:other", "--format", "csv", named];
    let (_, out, error) = asked(directory.path(), &stub.base, &allowed);
    assert_eq!(out, "narrator\nopenai:other\nopenai:other\n", "{error}");
}

/// 1.17: a recipe or a file of somebody else's spends nothing on its own.
#[test]
fn a_session_without_a_model_spends_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let stub = Stub::writer(Duration::ZERO);
    let named = "generate_persona('usa', 2, seed => 7, narrator => 'openai:stub')";
    for sql in [
        format!("SELECT narrator FROM {named}"),
        format!("CREATE TABLE t AS SELECT * FROM {named}"),
        format!("CREATE VIEW v AS SELECT * FROM {named}; SELECT * FROM v"),
        format!("SELECT * FROM stratified_sample((SELECT * FROM {named}), 1, strata => (sex))"),
        format!("EXPLAIN ANALYZE SELECT * FROM {named}"),
        format!("PREPARE p AS SELECT * FROM {}; EXECUTE p ('openai:stub')", named.replace("'openai:stub'", "$1")),
    ] {
        let (code, _, error) = asked(directory.path(), &stub.base, &["sql", &sql]);
        assert!(code == 1 && error.contains("--allow-models openai:stub"), "{sql}: {error}");
    }
    assert_eq!(stub.count(), 0);
}

/// Users' 18: what a statement that writes would cost is told before it is paid.
#[test]
fn statements_that_write_tell_their_calls_before() {
    let directory = tempfile::tempdir().unwrap();
    let stub = Stub::writer(Duration::ZERO);
    let ask =
        |sql: &str| asked(directory.path(), &stub.base, &["sql", "--narrator", "openai:stub", "--format", "csv", sql]);
    let made = "CREATE TABLE t AS SELECT uuid, age, first_name, CAST(NULL AS VARCHAR) AS tweet FROM sample_persona('usa', 7, seed => 1)";
    assert_eq!(ask(made).0, 0);
    let text = "generate_narrative('Write one tweet by {{first_name}}, {{age}}.')";
    for sql in [
        format!("UPDATE t SET tweet = {text}"),
        format!("CREATE TABLE u AS SELECT uuid, {text} AS tweet FROM t"),
        format!("CREATE OR REPLACE TABLE t AS SELECT uuid, {text} AS tweet FROM t"),
        format!("REPLACE INTO t BY NAME SELECT uuid, {text} AS tweet FROM t"),
        format!("INSERT INTO t BY NAME SELECT uuid, {text} AS tweet FROM t"),
        format!("DELETE FROM t WHERE {text} = 'x'"),
    ] {
        let (code, out, error) = ask(&format!("EXPLAIN {sql}"));
        assert!(code == 0 && out.contains("7 to be made, 0 answered already"), "{sql}: {out}{error}");
        let prepared = ask(&format!("PREPARE p AS {sql}; EXPLAIN EXECUTE p"));
        assert!(prepared.1.contains("7 to be made"), "{sql}: {prepared:?}");
    }
    assert_eq!(stub.count(), 0);
    assert_eq!(ask("SELECT count(*) AS n FROM t").1, "n\n7\n");
}

/// 1.17: loops without an end are no prompt.
#[test]
fn templates_end() {
    let directory = tempfile::tempdir().unwrap();
    let stub = Stub::writer(Duration::ZERO);
    let long = "{% for a in range(9999) %}{% for b in range(9999) %}{{ first_name }}{% endfor %}{% endfor %}";
    let sql = format!("EXPLAIN SELECT generate_narrative('{long}') FROM sample_persona('usa', 1, seed => 1)");
    let (code, out, error) = asked(directory.path(), &stub.base, &["sql", "--narrator", "openai:stub", &sql]);
    assert!(code == 0 || error.contains("steps"), "{out}{error}");
    assert_eq!(stub.count(), 0);
}

/// 1.13: a text of a text is two calls, one after the other.
#[test]
fn calls_made_from_what_others_return_are_made() {
    let directory = tempfile::tempdir().unwrap();
    let stub = Stub::writer(Duration::ZERO);
    let sql = "SELECT generate_narrative('Summarise: {{p}}') AS s FROM \
        (SELECT generate_narrative('Write of {{first_name}}') AS p FROM sample_persona('usa', 3, seed => 1))";
    let ask =
        |sql: &str| asked(directory.path(), &stub.base, &["sql", "--narrator", "openai:stub", "--format", "csv", sql]);
    assert_eq!(ask(&format!("EXPLAIN {sql}")).0, 0);
    assert_eq!(stub.count(), 0);
    let (code, out, error) = ask(sql);
    assert!(code == 0 && out.lines().count() == 4, "{out}{error}");
    assert!(stub.count() >= 4, "{}", stub.count());
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
    assert!(code == 1 && error.contains("the limit of 15 calls is reached"), "{error}");
    assert_eq!(stub.count(), 15);
    let (code, _, error) = asked(&database, &stub.base, &[&resume[..], &["--max-calls", "100"]].concat());
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
fn a_narrative_of_ones_own_is_written_stored_and_found() {
    let directory = tempfile::tempdir().unwrap();
    let database = directory.path().join("db");
    let file = directory.path().join("finance.j2");
    std::fs::write(&file, "How does {{first_name}}, {{age}}, a {{occupation}}, think of money? Two sentences.\n- Name: {{first_name}} {{last_name}}")
        .unwrap();
    let stub = Stub::writer(Duration::ZERO);
    let narratives = |arguments: &[&str]| ran_on(&database, &[&["narratives"], arguments].concat());
    let (code, out, error) = narratives(&["add", "finance_persona", file.to_str().unwrap()]);
    assert!(code == 0 && out.contains("ADD COLUMN finance_persona"), "{out}{error}");
    assert!(narratives(&[]).1.contains("finance_persona              How does {{first_name}}"));
    for (name, says) in [("persona", "take another name"), ("age", "take another name"), ("A b", "small letters")] {
        let (code, _, error) = narratives(&["add", name, file.to_str().unwrap()]);
        assert!(code == 1 && error.contains(says), "{name}: {error}");
    }
    assert!(narratives(&["show", "finance_person"]).2.contains("did you mean `finance_persona`?"));
    let generate = ["generate", "usa", "--count", "10", "--seed", "7", "--narrator", "openai:stub"];
    // With a model it is one of the texts that `generate` writes; or one of those that are asked for.
    let (code, out, error) = asked(&database, &stub.base, &generate);
    assert_eq!((code, stub.count()), (0, 30), "{out}{error}");
    let few = [&generate[..], &["--into", "few", "--narratives", "persona,finance_persona"]].concat();
    assert_eq!(asked(&database, &stub.base, &few).0, 0);
    let query = |sql: &str| ran_on(&database, &["sql", "--format", "csv", sql]).1;
    let counts = "SELECT count(finance_persona), count(finance_persona_embedding), count(sports_persona) FROM ";
    assert!(query(&format!("{counts} usa")).contains("10,10,10"));
    assert!(query(&format!("{counts} few")).contains("10,10,0"));
    let found = "SELECT count(*) FROM semantic_search(usa, 'money', 4, \"column\" => 'finance_persona')";
    assert!(query(found).contains("\n4\n"));
    let (code, _, error) = asked(&database, &stub.base, &[&generate[..], &["--narratives", "finance"]].concat());
    assert!(code == 1 && error.contains("writes no narrative `finance`"), "{error}");
    // A table that was made before: it has no such column, then it has.
    assert_eq!(ran_on(&database, &["generate", "usa", "--count", "5", "--seed", "7", "--into", "old"]).0, 0);
    let more = ["generate", "usa", "--count", "8", "--seed", "7", "--narrator", "openai:stub", "--into", "old"];
    let (code, _, error) = asked(&database, &stub.base, &more);
    assert!(code == 0 && error.contains("ALTER TABLE old ADD COLUMN finance_persona VARCHAR"), "{error}");
    let sql = |text: &str| asked(&database, &stub.base, &["sql", "--narrator", "openai:stub", "--format", "csv", text]);
    assert_eq!(sql("ALTER TABLE old ADD COLUMN finance_persona VARCHAR").0, 0);
    let (code, _, error) = sql("UPDATE old SET finance_persona = generate_narrative('finance_persona')");
    assert_eq!(code, 0, "{error}");
    assert!(query(&format!("{counts} old")).contains("8,8,8"));
    let (code, _, error) = sql("SELECT generate_narrative('finance_persona') FROM (SELECT age FROM old)");
    assert!(code == 1 && error.contains("first_name"), "{error}");
    // It is checked as the others are.
    let short = Stub::start(Duration::ZERO, |_, _| Reply::Content("{\"text\": \"3\"}".into()));
    let three = ["generate", "usa", "--count", "2", "--seed", "9", "--narrator", "openai:short", "--into", "short"];
    let three = [&three[..], &["--narratives", "finance_persona"]].concat();
    assert_eq!(asked(&database, &short.base, &three).0, 0);
    let wrong = query("SELECT DISTINCT narrative_error FROM short");
    assert!(wrong.contains("too_short: 1 words"), "{wrong}");
    assert_eq!(narratives(&["remove", "finance_persona"]).0, 0);
    assert!(sql("SELECT generate_narrative('finance_persona') FROM old").2.contains("writes no 'finance_persona'"));
}

#[test]
fn exactly_so_many_sound_people_are_written() {
    let directory = tempfile::tempdir().unwrap();
    // One in three or so is not written up.
    let stub = Stub::start(Duration::ZERO, |_, body| {
        let prompt = body["messages"][1]["content"].as_str().unwrap();
        match prompt.len() % 3 {
            0 => Reply::Status(422, vec![], r#"{"error": {"message": "I had rather not"}}"#.into()),
            _ => Reply::Content(stub::texts(body)),
        }
    });
    let generate = |n: &str, more: &[&str]| {
        let fixed = ["generate", "usa", "--exactly", n, "--seed", "7", "--narrator", "openai:stub"];
        asked(directory.path(), &stub.base, &[&fixed[..], more].concat())
    };
    let (code, out, error) = generate("40", &[]);
    assert!(code == 0 && out.contains("40 people written"), "{out}{error}");
    let sql =
        "SELECT count(*), count(DISTINCT uuid), count(persona), count(narrative_error), max(row_index) > 40 FROM usa";
    assert!(ran_on(directory.path(), &["sql", "--format", "csv", sql]).1.contains("40,40,40,0,true"));
    // The same again has nothing to do.
    let (code, out, error) = generate("40", &[]);
    assert!(code == 0 && out.contains("0 people written, 40 were there already"), "{out}{error}");
    // Who refuses everybody is not asked for ever.
    let refusing = Stub::start(Duration::ZERO, |_, _| {
        Reply::Status(422, vec![], r#"{"error": {"message": "I had rather not"}}"#.into())
    });
    let none = ["generate", "usa", "--exactly", "5", "--seed", "8", "--narrator", "openai:other", "--into", "none"];
    let (code, _, error) = asked(directory.path(), &refusing.base, &none);
    assert!(code == 1 && error.contains("0 of 5 people passed, of 50 who were drawn"), "{error}");
    assert!(error.contains("I had rather not"), "{error}");
    assert_eq!(ran_on(directory.path(), &["generate", "usa", "--exactly", "5", "--count", "5"]).0, 2);
}

#[test]
fn a_judge_scores_texts_into_columns() {
    let directory = tempfile::tempdir().unwrap();
    let stub = Stub::writer(Duration::ZERO);
    let generate = |more: &[&str]| {
        let fixed = ["generate", "usa", "--count", "10", "--seed", "7", "--judge", "openai:judge"];
        asked(directory.path(), &stub.base, &[&fixed[..], more].concat())
    };
    let (code, out, error) = generate(&["--narrator", "openai:stub", "--dry-run"]);
    assert!(code == 0 && out.contains("30 to be made"), "{out}{error}");
    let (code, out, error) = generate(&["--narrator", "openai:stub"]);
    assert_eq!((code, stub.count()), (0, 30), "{out}{error}");
    let query = |sql: &str| ran_on(directory.path(), &["sql", "--format", "csv", sql]).1;
    let sql = "SELECT count(judge_consistency), min(judge_respect), min(judge), min(narrator), count(judge_error), count(persona) FROM usa";
    assert!(query(sql).contains("10,4,openai:judge,openai:stub,0,10"), "{}", query(sql));
    // It reads what was written.
    let requests = stub.requests.lock().unwrap().clone();
    let judged: Vec<_> = requests.iter().filter(|r| r["model"] == "judge").collect();
    assert_eq!(judged.len(), 10);
    let prompt = judged[0]["messages"][1]["content"].as_str().unwrap();
    assert!(prompt.contains("- persona: persona of") && prompt.contains("judge_plausibility: 5:"), "{prompt}");
    // A narrative of one's own among it; none goes by the name of a score.
    let file = directory.path().join("own.j2");
    std::fs::write(&file, "How does {{first_name}} think of money?\n- Name: {{first_name}} {{last_name}}").unwrap();
    let add = |name: &str| ran_on(directory.path(), &["narratives", "add", name, file.to_str().unwrap()]);
    assert!(add("judge_money").2.contains("take another name"));
    assert_eq!(add("money").0, 0);
    // It is in every run of the database: what that takes is told before, and how to leave it out.
    let (_, out, error) = generate(&["--narrator", "openai:stub", "--into", "rich", "--dry-run"]);
    assert!(out.contains("own       money: a call for each person"), "{out}{error}");
    let without = out.split_once("--narratives ").and_then(|(_, rest)| rest.split_once(" leaves")).unwrap().0;
    let (_, out, error) =
        generate(&["--narrator", "openai:stub", "--into", "rich", "--dry-run", "--narratives", without]);
    assert!(!out.contains("money") && out.contains("to be made"), "{out}{error}");
    assert_eq!(generate(&["--narrator", "openai:stub", "--into", "rich"]).0, 0);
    let requests = stub.requests.lock().unwrap().clone();
    let last = requests.iter().rev().find(|r| r["model"] == "judge").unwrap();
    assert!(last["messages"][1]["content"].as_str().unwrap().contains("- money: text of"), "{last}");
    assert_eq!(ran_on(directory.path(), &["narratives", "remove", "money"]).0, 0);
    // Whoever wrote the texts; and what is stored already, in SQL.
    assert_eq!(generate(&["--into", "outlined"]).0, 0);
    assert!(query("SELECT count(judge_language), min(narrator) FROM outlined").contains("10,outline"));
    let sql = "SELECT min(generate_narrative('judge_respect')) FROM usa";
    let (code, out, error) =
        asked(directory.path(), &stub.base, &["sql", "--narrator", "openai:judge", "--format", "csv", sql]);
    assert!(code == 0 && out.contains("\n4\n"), "{out}{error}");
    // A judge must be a model, and have somewhere to put the scores.
    let (code, _, error) = ran_on(directory.path(), &["generate", "usa", "--count", "5", "--judge", "outline"]);
    assert!(code == 1 && error.contains("outline is no judge"), "{error}");
    assert_eq!(ran_on(directory.path(), &["generate", "usa", "--count", "5", "--into", "plain"]).0, 0);
    let (code, _, error) = generate(&["--into", "plain"]);
    assert!(code == 1 && error.contains("no column judge_consistency"), "{error}");
}
