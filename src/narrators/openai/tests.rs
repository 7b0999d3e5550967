use std::time::{Duration, Instant};

use serde_json::json;

use super::*;
use crate::servers::{Address, Limits};

#[path = "../../../tests/support/stub.rs"]
mod stub;

use stub::{Reply, Stub, texts as write_all};

struct Session {
    narrator: Arc<OpenAiNarrator>,
    catalog: Arc<Catalog>,
    _folder: tempfile::TempDir,
}

fn common(catalog: Arc<Catalog>, limits: Limits) -> NarratorContext {
    let common = NarratorContext::new(Arc::new(move || Ok(catalog.clone())), Arc::new(|| Ok(vec![])), limits);
    common.session.set_run(Some("run".into()));
    common
}

fn session(base: &str, change: impl FnOnce(&mut Endpoint)) -> Session {
    let folder = tempfile::tempdir().unwrap();
    let catalog = Arc::new(Catalog::open(folder.path()).unwrap());
    let mut endpoint = Endpoint::new("stub", vec![Address::new(base, "sk-secret").unwrap()]);
    endpoint.backoff = Duration::from_millis(1);
    change(&mut endpoint);
    let opened = catalog.clone();
    let narrator = OpenAiNarrator::open(endpoint.clone(), &common(opened, endpoint.limits), "").unwrap();
    Session { narrator, catalog, _folder: folder }
}

fn facts(name: &str) -> Map<String, Value> {
    json!({ "first_name": name, "last_name": "Moss", "age": 40, "pack": "usa@1" }).as_object().unwrap().clone()
}

fn ask(name: &str, kind: &str) -> NarrativeRequest {
    NarrativeRequest { prompt: Prompt::Kind(kind.into()), facts: Arc::new(facts(name)) }
}

/// Whether a text is the one that the server writes of a kind about a person.
fn is_of(text: &str, kind: &str, name: &str) -> bool {
    text.starts_with(&format!("{kind} of {name}, in so many words: the "))
}

async fn one(session: &Session) -> Result<Narrative, NarrativeError> {
    session.narrator.narrate(vec![ask("Ada", "persona")]).await.remove(0)
}

#[tokio::test]
async fn a_person_takes_two_calls_and_the_second_knows_of_the_first() {
    let stub = Stub::writer(Duration::ZERO);
    let session = session(&stub.base, |_| {});
    let kinds = crate::packs::kinds("usa");
    let written = session.narrator.narrate(kinds.iter().map(|k| ask("Ada", k)).collect()).await;
    let texts: Vec<String> = written.iter().map(|w| w.as_ref().unwrap().text.clone()).collect();
    for (text, kind) in texts.iter().zip(&kinds) {
        assert!(is_of(text, kind, "Ada Moss"), "{text}");
    }
    assert_eq!(written.iter().map(|w| w.as_ref().unwrap().attempts).sum::<u32>(), 2);
    assert_eq!(written.iter().filter_map(|w| w.as_ref().unwrap().prompt_tokens).sum::<u64>(), 200);
    let requests = stub.requests.lock().unwrap();
    assert_eq!(requests.len(), 2);
    assert!(requests[1]["messages"][1]["content"].as_str().unwrap().contains("cultural_background of Ada Moss"));
    assert_eq!(requests[0]["response_format"]["json_schema"]["strict"], true);
    assert_eq!(requests[0]["model"], "stub");
}

#[tokio::test]
async fn equal_prompts_are_asked_once_and_answers_outlive_the_session() {
    let stub = Stub::writer(Duration::from_millis(50));
    let first = session(&stub.base, |_| {});
    let written = join_all((0..20).map(|_| one(&first))).await;
    assert!(written.iter().all(|w| is_of(&w.as_ref().unwrap().text, "persona", "Ada Moss")));
    assert_eq!(stub.count(), 1);
    let again = one(&first).await.unwrap();
    assert_eq!((again.attempts, again.prompt_tokens, stub.count()), (0, None, 1));
    let catalog = first.catalog.clone();
    let endpoint = Endpoint::new("stub", vec![Address::new(&stub.base, "").unwrap()]);
    let other = OpenAiNarrator::open(endpoint, &common(catalog, Limits::default()), "").unwrap();
    assert_eq!(other.narrate(vec![ask("Ada", "persona")]).await[0].as_ref().unwrap().attempts, 0);
    assert_eq!(stub.count(), 1);
    assert_eq!(first.catalog.calls("run").unwrap().answered, 1);
}

#[tokio::test]
async fn requests_in_flight_are_bounded() {
    let stub = Stub::writer(Duration::from_millis(20));
    let session = session(&stub.base, |e| e.concurrency = 4);
    let requests = (0..40).map(|i| ask(&format!("Ada{i}"), "persona")).collect();
    assert!(session.narrator.narrate(requests).await.iter().all(Result::is_ok));
    assert_eq!(stub.peak.load(std::sync::atomic::Ordering::SeqCst), 4);
}

#[tokio::test]
async fn passing_trouble_is_waited_out() {
    let stub = Stub::start(Duration::ZERO, |n, body| match n {
        0 => Reply::Status(429, vec![("retry-after", "0.2".into())], r#"{"error": {"message": "slow down"}}"#.into()),
        1 => Reply::Status(500, vec![], "oh no".into()),
        2 => Reply::Close,
        3 => Reply::Content("{\"persona\": \"\"}".into()),
        _ => Reply::Content(write_all(body)),
    });
    let session = session(&stub.base, |_| {});
    let started = Instant::now();
    let written = one(&session).await.unwrap();
    assert!(is_of(&written.text, "persona", "Ada Moss"), "{}", written.text);
    assert_eq!(written.attempts, 5);
    assert!(started.elapsed() >= Duration::from_millis(200));
    let requests = stub.requests.lock().unwrap();
    assert_ne!(requests[3]["seed"], requests[4]["seed"]);
}

#[tokio::test]
async fn a_text_that_contradicts_the_facts_is_asked_for_again_with_the_complaint() {
    let stub = Stub::start(Duration::ZERO, |n, body| match n {
        0 => Reply::Content("{\"persona\": \"Ada Moss, 63, keeps bees behind the house.\"}".into()),
        _ => Reply::Content(write_all(body)),
    });
    let session = session(&stub.base, |_| {});
    let written = one(&session).await.unwrap();
    assert!(is_of(&written.text, "persona", "Ada Moss"), "{}", written.text);
    assert_eq!(written.attempts, 2);
    let requests = stub.requests.lock().unwrap().clone();
    assert_eq!(requests[0]["messages"].as_array().unwrap().len(), 2);
    let complaint = requests[1]["messages"][2]["content"].as_str().unwrap();
    assert!(complaint.contains("another_age") && complaint.contains("63"), "{complaint}");
    let stubborn = Stub::start(Duration::ZERO, |_, _| {
        Reply::Content("{\"persona\": \"Ada: ada@example.com, at your service always.\"}".into())
    });
    let failed = self::session(&stubborn.base, |e| e.attempts = 2);
    assert!(one(&failed).await.unwrap_err().message.contains("contact_data"));
}

#[tokio::test]
async fn a_copy_of_another_persons_text_is_asked_for_again() {
    let copy = |name: &str| {
        let text =
            format!("{name} Moss keeps bees behind the house in Dayton, and sells the honey when the lines are long.");
        Reply::Content(json!({ "persona": text }).to_string())
    };
    let stub = Stub::start(Duration::ZERO, move |n, body| match n {
        0 => copy("Ada"),
        1 => copy("Bea"),
        _ => Reply::Content(write_all(body)),
    });
    let session = session(&stub.base, |_| {});
    assert_eq!(one(&session).await.unwrap().attempts, 1);
    let written = session.narrator.narrate(vec![ask("Bea", "persona")]).await.remove(0).unwrap();
    assert!(is_of(&written.text, "persona", "Bea Moss"), "{}", written.text);
    assert_eq!(written.attempts, 2);
    let complaint = stub.requests.lock().unwrap()[2]["messages"][2]["content"].as_str().unwrap().to_string();
    assert!(complaint.contains("copy: nearly the text of Ada Moss"), "{complaint}");

    // One that will not write another is told on; what is in the catalogue counts after a restart.
    let stubborn = Stub::start(Duration::ZERO, move |_, _| copy("Cleo"));
    let again = Endpoint { attempts: 2, ..Endpoint::new("stub", vec![Address::new(&stubborn.base, "").unwrap()]) };
    let again = OpenAiNarrator::open(again, &common(session.catalog.clone(), Limits::default()), "").unwrap();
    assert_eq!(again.narrate(vec![ask("Ada", "persona")]).await[0].as_ref().unwrap().attempts, 0);
    let error = again.narrate(vec![ask("Cleo", "persona")]).await.remove(0).unwrap_err();
    assert!(error.message.contains("copy") && error.attempts == 2, "{error}");
}

#[tokio::test]
async fn texts_that_pass_are_kept_and_only_the_others_asked_for_again() {
    // The first answer is cut off in its second text, the second has nobody's name, the third is whole.
    let stub = Stub::start(Duration::ZERO, |n, body| match n {
        0 => {
            let content = "{\"cultural_background\": \"Ada Moss grew up in a house full of bees.\", \"skills_and";
            let choice = json!({ "message": { "content": content }, "finish_reason": "length" });
            Reply::Status(200, vec![], json!({ "choices": [choice] }).to_string())
        }
        1 => Reply::Content("{\"skills_and_expertise\": \"Somebody can weld, and mend what was welded.\"}".into()),
        _ => Reply::Content(write_all(body)),
    });
    let session = session(&stub.base, |_| {});
    let both = || vec![ask("Ada", "cultural_background"), ask("Ada", "skills_and_expertise")];
    let written = session.narrator.narrate(both()).await;
    assert_eq!(written[0].as_ref().unwrap().text, "Ada Moss grew up in a house full of bees.");
    assert!(is_of(&written[1].as_ref().unwrap().text, "skills_and_expertise", "Ada Moss"));
    let asked =
        |i: usize| stub.requests.lock().unwrap()[i]["response_format"]["json_schema"]["schema"]["required"].clone();
    assert_eq!(asked(0), json!(["cultural_background", "skills_and_expertise"]));
    assert_eq!((asked(1), asked(2)), (json!(["skills_and_expertise"]), json!(["skills_and_expertise"])));
    let prompt = |i: usize| stub.requests.lock().unwrap()[i]["messages"].to_string();
    assert!(!prompt(1).contains("- cultural_background"), "{}", prompt(1));
    assert!(prompt(1).contains("cut off") && prompt(2).contains("name_missing"), "{}", prompt(2));
    // The whole is at hand from now on.
    assert_eq!(session.narrator.narrate(both()).await[1].as_ref().unwrap().attempts, 0);
    assert_eq!(stub.count(), 3);
}

#[tokio::test]
async fn what_passed_is_not_lost_with_what_did_not() {
    let stub = Stub::start(Duration::ZERO, |n, _| match n {
        0..2 => Reply::Content(
            json!({ "cultural_background": "Ada Moss grew up in a house full of bees.", "skills_and_expertise": "" })
                .to_string(),
        ),
        _ => Reply::Content("{\"skills_and_expertise\": \"Ada Moss mends what others have welded.\"}".into()),
    });
    let session = session(&stub.base, |e| e.attempts = 2);
    let both = || vec![ask("Ada", "cultural_background"), ask("Ada", "skills_and_expertise")];
    let written = session.narrator.narrate(both()).await;
    assert_eq!(written[0].as_ref().unwrap().text, "Ada Moss grew up in a house full of bees.");
    assert_eq!(written[1].as_ref().unwrap_err().message, "the answer has no such text");
    let totals = session.catalog.calls("run").unwrap();
    assert_eq!((totals.answered, totals.failed, totals.attempts), (0, 1, 2));
    let written = session.narrator.narrate(both()).await;
    assert_eq!(written[1].as_ref().unwrap().text, "Ada Moss mends what others have welded.");
    assert_eq!(written[0].as_ref().unwrap().text, "Ada Moss grew up in a house full of bees.");
    assert_eq!(stub.count(), 3);
}

#[tokio::test]
async fn a_text_that_failed_alone_says_so_once() {
    let stub = Stub::start(Duration::ZERO, |_, _| {
        let text = "Somebody can weld, and mend what was welded.";
        Reply::Content(json!({ "cultural_background": text, "skills_and_expertise": text }).to_string())
    });
    let session = session(&stub.base, |e| e.attempts = 2);
    let both = vec![ask("Ada", "cultural_background"), ask("Ada", "skills_and_expertise")];
    for error in session.narrator.narrate(both).await {
        let error = error.unwrap_err();
        assert!(error.message.starts_with("name_missing: ") && !error.message.contains("skills"), "{error}");
        assert_eq!(error.attempts, 2);
    }
    let failures = session.catalog.calls("run").unwrap().failures;
    let told = ["cultural_background: name_missing", "skills_and_expertise: name_missing"].map(|f| (f.to_string(), 1));
    assert_eq!(failures, told);
}

#[tokio::test]
async fn what_does_not_pass_is_an_error_of_the_row() {
    let nonsense = Stub::start(Duration::ZERO, |_, _| Reply::Status(200, vec![], "<html>".into()));
    let failed = session(&nonsense.base, |e| e.attempts = 2);
    let error = one(&failed).await.unwrap_err();
    assert!(error.message.contains("nonsense") && !error.outage, "{error}");
    assert_eq!((error.attempts, nonsense.count()), (2, 2));
    let refusing = Stub::start(Duration::ZERO, |_, _| Reply::Content("I'm sorry, but I can't help with that.".into()));
    let failed = session(&refusing.base, |e| e.attempts = 2);
    assert!(one(&failed).await.unwrap_err().message.contains("refused"));
    let totals = failed.catalog.calls("run").unwrap();
    assert_eq!((totals.answered, totals.failed, totals.attempts, totals.prompt_tokens), (0, 1, 2, 200));
    let slow = Stub::writer(Duration::from_secs(30));
    let failed = session(&slow.base, |e| (e.timeout, e.attempts) = (Duration::from_millis(100), 1));
    assert!(one(&failed).await.unwrap_err().message.contains("no answer within 0.1 s"));
}

#[tokio::test]
async fn an_endpoint_that_is_of_no_use_is_an_outage() {
    let said = r#"{"error": {"message": "Incorrect API key provided: sk-secret."}}"#;
    let closed = Stub::start(Duration::ZERO, move |_, _| Reply::Status(401, vec![], said.into()));
    let refused = session(&closed.base, |_| {});
    let error = one(&refused).await.unwrap_err();
    assert!(error.outage && error.message.contains("set OPENAI_API_KEY"), "{error}");
    assert!(!error.message.contains("sk-secret"), "{error}");
    // The next is not even sent.
    let next = refused.narrator.narrate(vec![ask("Bea", "persona")]).await.remove(0).unwrap_err();
    assert!(next.outage && next.attempts == 0 && closed.count() == 1);
    let unknown =
        Stub::start(Duration::ZERO, |_, _| Reply::Status(404, vec![], "{\"detail\": \"no such model\"}".into()));
    let error = one(&session(&unknown.base, |_| {})).await.unwrap_err();
    assert!(error.outage && error.message.contains("has no model stub"), "{error}");
    let down = session("http://127.0.0.1:9/v1", |e| e.attempts = 2);
    let error = one(&down).await.unwrap_err();
    assert!(error.outage && error.message.contains("cannot be reached") && error.attempts == 2, "{error}");
    let patient =
        Stub::start(Duration::ZERO, |_, _| Reply::Status(429, vec![("retry-after", "3600".into())], String::new()));
    let error = one(&session(&patient.base, |_| {})).await.unwrap_err();
    assert!(error.outage && error.attempts == 1, "{error}");
}

#[tokio::test]
async fn what_a_server_does_not_take_is_left_out() {
    let stub = Stub::start(Duration::ZERO, |_, body| {
        let complaint = |text: &str| Reply::Status(400, vec![], json!({ "error": { "message": text } }).to_string());
        match body["response_format"]["type"].as_str() {
            Some("json_schema") => complaint("response_format.type json_schema is not supported"),
            Some(_) => complaint("unknown field response_format"),
            None if body.get("seed").is_some() => complaint("seed: extra inputs are not permitted"),
            None => Reply::Content("```json\n{\"persona\": \"Ada Moss keeps bees behind the house.\"}\n```".into()),
        }
    });
    let session = session(&stub.base, |_| {});
    assert_eq!(one(&session).await.unwrap().text, "Ada Moss keeps bees behind the house.");
    assert_eq!(stub.count(), 4);
    assert!(session.narrator.narrate(vec![ask("Bea", "persona")]).await[0].is_ok());
    assert_eq!(stub.count(), 5);
}

#[tokio::test]
async fn templates_are_rendered_and_an_error_is_one_persons() {
    let stub = Stub::writer(Duration::ZERO);
    let session = session(&stub.base, |_| {});
    let template =
        |text: &str, name| NarrativeRequest { prompt: Prompt::Template(text.into()), facts: Arc::new(facts(name)) };
    let requests = vec![
        template("A tweet by {{first_name}}.", "Ada"),
        template("A tweet by {{surname}}.", "Ada"),
        ask("Ada", "no_such_kind"),
        ask("Ada", "persona"),
    ];
    let written = session.narrator.narrate(requests).await;
    assert!(is_of(&written[0].as_ref().unwrap().text, "text", "nobody"));
    assert!(written[1].as_ref().unwrap_err().message.contains("a fact that this row has not"));
    assert!(written[2].as_ref().unwrap_err().message.contains("no prompt for no_such_kind"));
    assert!(is_of(&written[3].as_ref().unwrap().text, "persona", "Ada Moss"));
    assert_eq!(session.narrator.columns(&Prompt::Template("{{ a }} {{ b }}".into()), &["b".into(), "c".into()]), ["b"]);
}

#[tokio::test]
async fn dropping_the_statement_drops_its_calls() {
    let stub = Stub::writer(Duration::from_millis(300));
    let session = session(&stub.base, |e| e.concurrency = 1);
    let requests = (0..5).map(|i| ask(&format!("Ada{i}"), "persona")).collect();
    let cancelled = tokio::time::timeout(Duration::from_millis(100), session.narrator.narrate(requests)).await;
    assert!(cancelled.is_err());
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(stub.count(), 1);
    assert!(session.narrator.in_flight.lock().unwrap().values().all(|f| f.upgrade().is_none()));
}

fn many(count: usize) -> Vec<NarrativeRequest> {
    (0..count).map(|i| ask(&format!("Ada{i}"), "persona")).collect()
}

#[tokio::test]
async fn a_server_that_turns_requests_away_is_asked_less() {
    let (now, refused) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
    let seen = refused.clone();
    let stub = Stub::start(Duration::ZERO, move |_, body| {
        let reply = match now.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
            0..4 => {
                std::thread::sleep(Duration::from_millis(5));
                Reply::Content(write_all(body))
            }
            _ => {
                seen.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                Reply::Status(429, vec![], String::new())
            }
        };
        now.fetch_sub(1, std::sync::atomic::Ordering::SeqCst);
        reply
    });
    let session = session(&stub.base, |e| (e.concurrency, e.attempts, e.backoff) = (32, 10, Duration::from_millis(5)));
    let written = session.narrator.narrate(many(400)).await;
    assert_eq!(written.iter().filter(|w| w.is_ok()).count(), 400);
    // Asked 32 at once throughout, it would turn away seven of eight.
    let refused = refused.load(std::sync::atomic::Ordering::SeqCst);
    assert!(refused < 400, "{refused}");
}

#[tokio::test]
async fn a_server_that_goes_away_is_waited_for() {
    let started = Instant::now();
    let away = move || (50..400).contains(&started.elapsed().as_millis());
    let stub = Stub::start(Duration::from_millis(5), move |_, body| match away() {
        true => Reply::Status(503, vec![], String::new()),
        false => Reply::Content(write_all(body)),
    });
    let session = session(&stub.base, |e| (e.concurrency, e.attempts, e.backoff) = (8, 3, Duration::from_millis(2)));
    let written = session.narrator.narrate(many(200)).await;
    assert_eq!(written.iter().filter(|w| w.is_ok()).count(), 200);
    // Not each of 200 people burnt three requests meanwhile.
    assert!(stub.count() < 350, "{}", stub.count());
}

#[tokio::test]
async fn patience_ends_and_budgets_do() {
    let stub = Stub::start(Duration::ZERO, |n, body| match n {
        0..5 => Reply::Content(write_all(body)),
        _ => Reply::Status(503, vec![], "{\"error\": \"overloaded\"}".into()),
    });
    let short = Duration::from_millis(200);
    let gone = session(&stub.base, |e| (e.concurrency, e.patience) = (2, short));
    let written = gone.narrator.narrate(many(30)).await;
    assert_eq!(written.iter().filter(|w| w.is_ok()).count(), 5);
    let outages: Vec<&NarrativeError> = written.iter().filter_map(|w| w.as_ref().err()).filter(|e| e.outage).collect();
    assert!(!outages.is_empty() && outages[0].message.contains("503"), "{outages:?}");
    let stub = Stub::writer(Duration::ZERO);
    let limits = Limits { calls: Some(7), ..Limits::default() };
    let limited = session(&stub.base, |e| e.limits = limits);
    let written = limited.narrator.narrate(many(20)).await;
    assert_eq!((written.iter().filter(|w| w.is_ok()).count(), stub.count()), (7, 7));
    let error = written.iter().find_map(|w| w.as_ref().err()).unwrap();
    assert!(error.outage && error.message.contains("the limit of 7 calls is reached"), "{error}");
}

#[tokio::test]
async fn several_servers_share_the_requests_and_one_that_goes_loses_none() {
    let [one, two] = [Stub::writer(Duration::from_millis(5)), Stub::writer(Duration::from_millis(5))];
    let address = |stub: &Stub, weight| Address { weight, ..Address::new(&stub.base, "sk-secret").unwrap() };
    let addresses = vec![address(&one, 3.0), address(&two, 1.0)];
    let session = session(&one.base, |e| (e.addresses, e.concurrency) = (addresses, 16));
    let written = |from: u32| {
        let people = (from..from + 200).map(|i| ask(&format!("P{i}"), "persona"));
        session.narrator.narrate(people.collect())
    };
    assert!(written(0).await.iter().all(Result::is_ok));
    let share = one.count() as f64 / two.count() as f64;
    assert!((2.2..3.8).contains(&share), "{} and {}", one.count(), two.count());
    // One that refuses the key from now on is left to the other.
    let deaf = Stub::start(Duration::ZERO, |_, _| Reply::Status(401, vec![], "{}".into()));
    let addresses = vec![address(&deaf, 1.0), address(&two, 1.0)];
    let session = self::session(&one.base, |e| (e.addresses, e.concurrency) = (addresses, 8));
    let people = (0..100).map(|i| ask(&format!("Q{i}"), "persona"));
    let written = session.narrator.narrate(people.collect()).await;
    assert!(written.iter().all(Result::is_ok), "{:?}", written.iter().find(|w| w.is_err()));
    assert!(deaf.count() < 40, "{}", deaf.count());
}

#[tokio::test]
async fn answers_are_limited_by_whichever_name_a_server_knows() {
    let stub = Stub::start(Duration::ZERO, |_, body| match body.get("max_completion_tokens") {
        Some(_) => {
            let said = r#"{"error": {"message": "Unrecognized request argument supplied: max_completion_tokens"}}"#;
            Reply::Status(400, vec![], said.into())
        }
        None => Reply::Content(write_all(body)),
    });
    let session = session(&stub.base, |e| e.max_answer_tokens = Some(450));
    assert_eq!(one(&session).await.unwrap().attempts, 1);
    let requests = stub.requests.lock().unwrap();
    assert_eq!((requests.len(), requests[0]["max_completion_tokens"].as_u64()), (2, Some(450)));
    assert_eq!(requests[1]["max_tokens"], 450);
}
