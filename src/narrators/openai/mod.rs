//! Narratives by a language model behind an OpenAI-compatible server: OpenAI, vLLM, llama.cpp, Ollama and the like.
//!
//! A person takes two calls at most: the attributes first, then the personas, which build on them. Every answer is in
//! the catalogue before its row is anywhere; what was answered before, in whatever statement, is not asked again.

mod answer;
mod batch;
mod client;
mod estimate;
mod model;
mod pending;
mod prompts;
mod provider;
mod request;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::ops::Deref;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use datafusion::common::runtime::SpawnedTask;
use datafusion::common::{DataFusionError, Result};
use futures::FutureExt;
use futures::future::{BoxFuture, Shared, WeakShared, join_all};
use populace_udfs::{Estimate, LANGUAGE, Narrative, NarrativeError, NarrativeRequest, Narrator, Prompt};
use serde_json::{Map, Value};
use tokio::task::JoinError;

use self::answer::{Completion, texts};
use self::model::Model;
use self::pending::Pending;
use self::prompts::{About, Rendered, Step};
use super::{NarratorContext, ReadTemplates};
use crate::catalog::{Answer, Call, Catalog, Claim, Claimed};
use crate::packs;
use crate::servers::{Activities, Activity, Endpoint, Failure, Usage};

pub(super) use self::model::Models;

/// People in work for each call in flight, and besides: those before the slowest have been answered wait for it, not
/// their calls.
const WINDOW: (usize, usize) = (1, 512);

/// Between two looks for an answer that somebody else asks for: at first, and at most.
const PAUSES: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(1));

/// What a narrative of one's own is checked by, whatever its template speaks of.
const CHECKED: [&str; 8] = ["pack", "country", LANGUAGE, "first_name", "last_name", "age", "sex", "occupation"];

/// Writes narratives by a model, for a statement.
pub(in crate::narrators) struct OpenAiNarrator {
    model: Arc<Model>,
    activity: Arc<Activity>,
    statements: Arc<Activities>,
    this: Weak<OpenAiNarrator>,
}

impl Deref for OpenAiNarrator {
    type Target = Model;

    fn deref(&self) -> &Model {
        &self.model
    }
}

/// A call that several rows may wait for; it ends when none of them does any more.
type InFlight = BoxFuture<'static, Result<Arc<Reply>, Failure>>;

/// The texts that were written, what is wrong with the others, and what they took.
#[derive(Debug, Default)]
struct Reply {
    texts: Map<String, Value>,
    failed: BTreeMap<String, String>,
    attempts: u32,
    /// Nothing where the answer was known
    usage: Option<Usage>,
}

impl fmt::Debug for OpenAiNarrator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OpenAiNarrator {{ endpoint: {:?} }}", self.client.endpoint())
    }
}

impl OpenAiNarrator {
    /// A narrator that keeps its answers in a catalogue, and notes there for which run they were paid. Those who ask
    /// `alike` in the process share a model.
    ///
    /// # Errors
    /// If the prompts of a country do not parse, or there is no way to speak TLS.
    pub fn open(endpoint: Endpoint, common: &NarratorContext, alike: &str) -> Result<Arc<OpenAiNarrator>, String> {
        let mut models = common.models.lock().unwrap_or_else(PoisonError::into_inner);
        let model = match models.get(alike).and_then(Weak::upgrade) {
            Some(model) => model,
            None => {
                let model = Arc::new(Model::new(endpoint, common)?);
                models.retain(|_, model| model.strong_count() > 0);
                models.insert(alike.into(), Arc::downgrade(&model));
                model
            }
        };
        Ok(OpenAiNarrator::of(model, common.session.clone(), common.statements.clone()))
    }

    fn of(model: Arc<Model>, activity: Arc<Activity>, statements: Arc<Activities>) -> Arc<OpenAiNarrator> {
        Arc::new_cyclic(|this| OpenAiNarrator { model, activity, statements, this: this.clone() })
    }
}

impl OpenAiNarrator {
    fn ledger(&self) -> Result<Arc<Catalog>, Failure> {
        (self.catalog)().map_err(|e| Failure::outage(e, false))
    }

    fn current_run(&self) -> Option<String> {
        self.activity.run()
    }

    /// A call as the catalogue keeps it: what came of it, what is wrong with it, and what it took.
    fn call(
        &self,
        key: [u8; 32],
        (pending, error): (&Pending, Option<String>),
        usage: Option<Usage>,
        (attempts, cost_usd, latency): (u32, Option<f64>, Duration),
    ) -> Call {
        let asked = pending.whole();
        Call {
            key,
            run: self.current_run(),
            model: self.client.endpoint().model.clone(),
            texts: asked.keys.join(","),
            letters: asked.letters(),
            answer: pending.answer(),
            error,
            finish_reason: pending.finish_reason(),
            prompt_tokens: usage.map(|u| u.prompt),
            completion_tokens: usage.map(|u| u.completion),
            estimated: usage.is_some_and(|u| u.estimated),
            attempts,
            cost_usd,
            latency_ms: latency.as_millis() as u64,
        }
    }

    /// What an answer cost, where the price is known.
    fn cost(&self, usage: Usage) -> Option<f64> {
        Some(self.client.endpoint().price?.of(usage.prompt, usage.completion))
    }

    /// All texts about one person: an answer for each place that was asked for.
    async fn person(&self, facts: Map<String, Value>, asked: Vec<(usize, Prompt)>) -> Vec<(usize, Outcome)> {
        let mut outcomes = Vec::with_capacity(asked.len());
        let prompts = match self.prompts(&facts) {
            Ok(prompts) => prompts,
            Err(message) => {
                let error = Failure::lasting(message);
                return asked.into_iter().map(|(place, _)| (place, Err(error.clone()))).collect();
            }
        };
        let mut about = About::new(facts);
        for step in [Step::Attributes, Step::Personas, Step::Judge] {
            let (places, wanted) = prompts.wanted(step, &asked);
            if wanted.is_empty() {
                continue;
            }
            about.take(&wanted, &prompts);
            let turn = self.client.turn().await;
            let rendered = prompts.render(step, &wanted, &mut about);
            drop(turn);
            let reply = match rendered {
                Ok(rendered) => self.reply(rendered, about.facts()).await,
                Err(message) => Err(Failure::lasting(message)),
            };
            if let (Ok(reply), Step::Attributes) = (&reply, step) {
                about.add(reply.texts.clone(), &prompts);
            }
            for (at, (place, kind)) in places.into_iter().zip(wanted).enumerate() {
                // What a call took is counted once, with the first of its texts.
                outcomes.push((place, reply.clone().map(|r| (r, kind.name.clone(), at == 0))));
            }
        }
        for (place, prompt) in asked {
            match prompt {
                Prompt::Template(template) => {
                    let reply = match self.render_own(&prompts, &template, about.facts()) {
                        Ok(rendered) => self.reply(rendered, about.facts()).await,
                        Err(message) => Err(Failure::lasting(message)),
                    };
                    outcomes.push((place, reply.map(|r| (r, "text".into(), true))));
                }
                Prompt::Kind(name) if prompts.kind(&name).is_none() => {
                    outcomes.push((place, Err(Failure::lasting(format!("there is no prompt for {name}")))));
                }
                Prompt::Kind(_) => {}
            }
        }
        outcomes
    }

    /// The answer to a prompt: known already, on its way already, or asked for now.
    async fn reply(&self, asked: Rendered, facts: &Arc<Map<String, Value>>) -> Result<Arc<Reply>, Failure> {
        let key = key(self.client.endpoint(), &asked);
        // Answers that cannot be kept are paid for again: the run had better stop.
        let catalog = self.ledger()?;
        let known = catalog.answer(&key).map_err(lost)?;
        let mut pending = Pending::new(asked);
        if let Some(known) = known {
            match self.at_hand(&key, &pending, &known, facts) {
                Some(reply) => return Ok(reply),
                None => self.keep(&mut pending, &known.text, facts),
            }
        }
        let flight = {
            let mut in_flight = self.in_flight.lock().unwrap_or_else(PoisonError::into_inner);
            match in_flight.get(&key).and_then(WeakShared::upgrade) {
                Some(flight) => flight,
                None => {
                    let Some(this) = self.this.upgrade() else {
                        return Err(Failure::lasting("the narrator was closed".into()));
                    };
                    let facts = facts.clone();
                    // A task of its own, on any processor; it ends with those who wait for it.
                    let task = SpawnedTask::spawn(async move { this.claimed(key, pending, &facts, catalog).await });
                    let ended = |e: JoinError| Failure::outage(format!("a request was broken off: {e}"), false);
                    let asking = async move { task.join_unwind().await.map_err(ended)? };
                    let flight: Shared<InFlight> = asking.boxed().shared();
                    in_flight.extend(flight.downgrade().map(|f| (key, f)));
                    flight
                }
            }
        };
        let reply = flight.clone().await;
        let mut in_flight = self.in_flight.lock().unwrap_or_else(PoisonError::into_inner);
        // Another may have begun meanwhile.
        if in_flight.get(&key).and_then(WeakShared::upgrade).is_none_or(|there| there.ptr_eq(&flight)) {
            in_flight.remove(&key);
        }
        reply
    }

    /// The texts of a whole answer that is at hand.
    fn at_hand(
        &self,
        key: &[u8; 32],
        pending: &Pending,
        known: &Answer,
        facts: &Map<String, Value>,
    ) -> Option<Arc<Reply>> {
        let texts = texts(&known.text, pending.whole()).ok()?;
        self.activity.tally.knew(key, &known.at);
        self.note(pending.whole(), &texts, facts);
        Some(Arc::new(Reply { texts, ..Reply::default() }))
    }

    /// The answer to a prompt that nobody else in this process asks for: if another does, that is waited for.
    async fn claimed(
        &self,
        key: [u8; 32],
        pending: Pending,
        facts: &Arc<Map<String, Value>>,
        catalog: Arc<Catalog>,
    ) -> Result<Arc<Reply>, Failure> {
        let (mut pause, mut anyway) = (PAUSES.0, false);
        loop {
            self.rested()?;
            match catalog.claim(key, anyway).await.map_err(lost)? {
                Claimed::Ours(claim) => return self.ask(key, pending, facts, (&catalog, claim)).await,
                Claimed::Known(known) => match self.at_hand(&key, &pending, &known, facts) {
                    Some(reply) => return Ok(reply),
                    None => anyway = true,
                },
                Claimed::Taken => {
                    tokio::time::sleep(pause).await;
                    pause = (pause * 3 / 2).min(PAUSES.1);
                }
            }
        }
    }

    /// What is asked for, and what it is expected to take.
    fn expecting(&self, asked: Arc<Rendered>) -> (Arc<Rendered>, Usage) {
        let expected = self.expected(&asked).unwrap_or_else(|_| asked.expected());
        (asked, Usage::expected(expected))
    }

    async fn ask(
        &self,
        key: [u8; 32],
        pending: Pending,
        facts: &Arc<Map<String, Value>>,
        (catalog, claim): (&Catalog, Claim),
    ) -> Result<Arc<Reply>, Failure> {
        let started = Instant::now();
        let attempts = AtomicU32::new(0);
        let mut taken: Option<Usage> = None;
        let pending = Mutex::new(pending);
        let lock = || pending.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = self.client.ask(
            &self.activity.budget,
            || self.expecting(lock().asked()),
            || self.rested(),
            seed(&key),
            &attempts,
            |completion: Completion, usage| {
                taken = Some(taken.map_or(usage, |before| before.plus(usage)));
                let first = attempts.load(Ordering::Relaxed) <= 1;
                self.take(&mut lock(), &completion, facts, first).map_err(Failure::answer)
            },
        );
        let answer = answer.await;
        let attempts = attempts.into_inner();
        tracing::debug!(
            model = self.client.endpoint().model,
            run = self.current_run(),
            attempts,
            answered = answer.is_ok(),
            milliseconds = started.elapsed().as_millis() as u64,
            "call"
        );
        let mut pending = pending.into_inner().unwrap_or_else(PoisonError::into_inner);
        let error = answer.as_ref().err().map(|failure| failure.message.clone());
        let cost = self.cost(taken.unwrap_or_default());
        let call = self.call(key, (&pending, error), taken, (attempts, cost, started.elapsed()));
        // What was not sent is no call.
        if attempts > 0 {
            self.activity.tally.called(&call);
            if let Err(error) = catalog.record(call).await {
                return Err(self.out(lost(error)));
            }
        }
        drop(claim);
        let answer = answer.map(|((), unrecorded)| drop(unrecorded));
        match answer {
            Err(failure) if failure.outage || !pending.says_of_texts() => {
                let mut failure = failure;
                failure.attempts = attempts;
                // One that was not even sent because of an outage is no new one.
                Err(if failure.outage && attempts > 0 { self.out(failure) } else { failure })
            }
            answer => {
                let (texts, failed) = pending.end(answer.err().map(|f| f.message));
                Ok(Arc::new(Reply { texts, failed, attempts, usage: taken }))
            }
        }
    }
}

/// The texts of a person's call, the one that is meant, and whether it bears what the call took.
type Outcome = Result<(Arc<Reply>, String, bool), Failure>;

#[async_trait]
impl Narrator for OpenAiNarrator {
    fn name(&self) -> &str {
        &self.name
    }

    fn kinds(&self) -> Vec<String> {
        packs::all_kinds().to_vec()
    }

    fn languages(&self, pack: &str) -> Vec<String> {
        packs::prompt_languages(pack)
    }

    fn kinds_of(&self, pack: &str, language: Option<&str>) -> Result<Vec<String>> {
        let prompts = self.prompts_of(pack, language).map_err(DataFusionError::Plan)?;
        Ok(prompts.kinds.iter().map(|k| k.name.clone()).collect())
    }

    fn scores(&self) -> Vec<String> {
        self.first.scores.iter().map(|k| k.name.clone()).collect()
    }

    fn window(&self) -> usize {
        self.client.endpoint().concurrency * WINDOW.0 + WINDOW.1
    }

    fn ahead(&self) -> usize {
        if self.client.endpoint().batch { batch::PEOPLE } else { 0 }
    }

    fn stops(&self) -> bool {
        self.current_run().is_some()
    }

    fn for_statement(&self, statement: &str) -> Option<Arc<dyn Narrator>> {
        let activity = self.statements.get(statement)?;
        Some(OpenAiNarrator::of(self.model.clone(), activity, self.statements.clone()))
    }

    async fn prepare(&self, prompts: &[Prompt], people: Vec<Map<String, Value>>) -> Result<(), NarrativeError> {
        let handed = self.hand_over(prompts, people).await;
        handed.map_err(|f| NarrativeError { message: f.message, attempts: f.attempts, outage: true })
    }

    fn columns(&self, prompt: &Prompt, available: &[String]) -> Vec<String> {
        let names: BTreeSet<String> = match prompt {
            Prompt::Template(template) => {
                let mut names: BTreeSet<String> =
                    populace_udfs::template_names(template).unwrap_or_default().into_iter().collect();
                if self.own(template).is_some() {
                    names.extend(CHECKED.map(String::from));
                }
                names
            }
            Prompt::Kind(name) => {
                let of = |pack: &&str| {
                    let prompts = self.prompts_of(pack, None).ok()?;
                    prompts.kind(name).map(|k| prompts.names(k.step))
                };
                let mut names: BTreeSet<String> = packs::NAMES.iter().filter_map(of).flatten().collect();
                // Whose prompts they are, and in what language; a text is not written from itself.
                names.extend(["pack", "country", LANGUAGE].map(String::from));
                names.remove(name);
                names
            }
        };
        available.iter().filter(|a| names.contains(*a)).cloned().collect()
    }

    fn estimate(&self, requests: &[NarrativeRequest], estimate: &mut Estimate) -> Result<bool> {
        for (facts, asked) in by_person(requests.to_vec()) {
            self.estimate_person(facts, &asked, estimate).map_err(DataFusionError::Execution)?;
        }
        Ok(true)
    }

    async fn narrate(&self, requests: Vec<NarrativeRequest>) -> Vec<Result<Narrative, NarrativeError>> {
        let wanted = requests.len();
        let people = by_person(requests).into_iter().map(|(facts, asked)| self.person(facts, asked));
        let mut written: Vec<Option<Result<Narrative, NarrativeError>>> = vec![None; wanted];
        for (place, outcome) in join_all(people).await.into_iter().flatten() {
            written[place] = Some(match outcome {
                Ok((reply, kind, _)) if reply.failed.contains_key(&kind) => {
                    let message = reply.failed[&kind].clone();
                    Err(NarrativeError { message, attempts: reply.attempts, outage: false })
                }
                Ok((reply, kind, bears)) => {
                    // What is only supposed is no row's.
                    let told = reply.usage.filter(|u| bears && !u.estimated);
                    Ok(Narrative {
                        text: reply.texts.get(&kind).and_then(Value::as_str).unwrap_or_default().to_string(),
                        model: self.name.clone(),
                        attempts: if bears { reply.attempts } else { 0 },
                        prompt_tokens: told.map(|u| u.prompt),
                        completion_tokens: told.map(|u| u.completion),
                        cost_usd: told.and_then(|u| self.cost(u)),
                    })
                }
                Err(f) => {
                    if f.outage {
                        self.activity.tally.missed(&f.message);
                    }
                    Err(NarrativeError { message: f.message, attempts: f.attempts, outage: f.outage })
                }
            });
        }
        let silent = || Err(NarrativeError { message: "nothing was asked".into(), attempts: 0, outage: false });
        written.into_iter().map(|w| w.unwrap_or_else(silent)).collect()
    }
}

/// What is asked of one person: facts, and prompts with their places among the requests.
type Person<F = Map<String, Value>> = (F, Vec<(usize, Prompt)>);

fn by_person(requests: Vec<NarrativeRequest>) -> Vec<Person> {
    let mut people: Vec<Person<Arc<Map<String, Value>>>> = vec![];
    // Most share the facts of the one before; who does not may still be the same person.
    let mut known: HashMap<Arc<Map<String, Value>>, usize> = HashMap::new();
    for (place, NarrativeRequest { prompt, facts }) in requests.into_iter().enumerate() {
        let at = match people.last() {
            Some((last, _)) if Arc::ptr_eq(last, &facts) => people.len() - 1,
            _ => *known.entry(facts.clone()).or_insert_with(|| {
                people.push((facts, vec![]));
                people.len() - 1
            }),
        };
        people[at].1.push((place, prompt));
    }
    drop(known);
    people.into_iter().map(|(facts, asked)| (Arc::unwrap_or_clone(facts), asked)).collect()
}

/// The catalogue cannot be read or written: the disk is full, say.
fn lost(error: crate::catalog::Error) -> Failure {
    Failure::outage(error.to_string(), false)
}

/// What an answer depends on: the model and whose it is, the parameters, the prompt; and what sets it apart from answers
/// that are known.
fn key(endpoint: &Endpoint, asked: &Rendered) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    let mut parameters = serde_json::json!({ "temperature": endpoint.temperature, "schema": asked.schema() });
    // Said only where there is something to say, so that answers of before are found.
    for (name, value) in [("provider", Some(endpoint.provider())), ("fresh", endpoint.fresh.clone())] {
        if let Some(value) = value.filter(|v| !v.is_empty()) {
            parameters[name] = value.into();
        }
    }
    let parameters = parameters.to_string();
    for part in [&endpoint.model, &parameters, &asked.system, &asked.user] {
        hasher.update(&(part.len() as u64).to_le_bytes()).update(part.as_bytes());
    }
    *hasher.finalize().as_bytes()
}

/// What a model is to draw its words from: the same for the same prompt.
fn seed(key: &[u8; 32]) -> u32 {
    u32::from_le_bytes([key[0], key[1], key[2], key[3]])
}

#[cfg(test)]
mod tests;
