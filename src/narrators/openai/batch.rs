//! Answers that are had ready in batches, at a part of the price: requests are handed to the provider together, their
//! answers fetched within a day and kept in the catalogue, where whoever writes the people finds them.
//!
//! A batch is in the catalogue before it is handed over, and stays open there until each of its calls has an answer or
//! will get none: a process that takes the run up again waits for it instead of paying twice.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use backon::Retryable;
use futures::{StreamExt, stream};
use populace_udfs::Prompt;
use serde_json::{Map, Value};

use super::answer::{Completion, texts};
use super::pending::Pending;
use super::prompts::{About, Prompts, Rendered, Step};
use super::provider::{Standing, line};
use super::server::{Failure, Server};
use super::{OpenAiNarrator, key, lost};
use crate::catalog::{Batch, Catalog};

/// People whose requests are handed over together: their facts are in memory meanwhile.
pub(super) const PEOPLE: usize = 20_000;

/// What providers take as one batch: requests, and bytes of their file.
const REQUESTS: usize = 50_000;
const BYTES: usize = 100 << 20;

/// How often what is missing still is handed over again. After that, it is asked for one by one.
const ROUNDS: u32 = 3;

/// Requests that are worth the wait for another batch; fewer are asked for one by one.
const WORTH: usize = 50;

/// Between two looks at a batch: at first, and at most.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// Answers on their way into the catalogue at once.
const RECORDED: usize = 512;

type Key = [u8; 32];
type Facts = Arc<Map<String, Value>>;

/// A call that is to be made, about one of the people.
struct Wanted {
    pending: Mutex<Pending>,
    person: usize,
    /// What was wrong with the answer that it had
    complaint: Option<String>,
}

impl Wanted {
    fn pending(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl OpenAiNarrator {
    /// Has the answers to prompts about people ready, as far as batches bring them.
    ///
    /// # Errors
    /// If the server cannot be reached, has no batches, or there is no time left.
    pub(super) async fn hand_over(&self, prompts: &[Prompt], people: Vec<Map<String, Value>>) -> Result<(), Failure> {
        let asked: Vec<(usize, Prompt)> = prompts.iter().cloned().enumerate().collect();
        let mut people: Vec<Option<Facts>> = people.into_iter().map(|facts| Some(Arc::new(facts))).collect();
        for step in [Step::Attributes, Step::Personas, Step::Judge] {
            let render = |prompts: &Prompts, facts: &mut Facts| {
                let (_, kinds) = prompts.wanted(step, &asked);
                if kinds.is_empty() {
                    return None;
                }
                let mut about = About::new(std::mem::take(facts));
                about.take(&kinds, prompts);
                *facts = about.facts().clone();
                // A prompt that fails is told of where it is written.
                prompts.render(step, &kinds, &mut about).ok()
            };
            let keys = self.calls(render, &mut people).await?;
            if step == Step::Attributes {
                // The personas are written from the attributes: those without wait for theirs.
                for (person, call) in people.iter_mut().zip(keys) {
                    let Some((key, asked)) = call else { continue };
                    match (self.known(&key, &asked)?, person.as_mut()) {
                        (Some(texts), Some(facts)) => Arc::make_mut(facts).extend(texts),
                        _ => *person = None,
                    }
                }
            }
        }
        for prompt in prompts {
            if let Prompt::Template(template) = prompt {
                self.calls(|prompts, facts| prompts.render_own(template, facts).ok(), &mut people).await?;
            }
        }
        Ok(())
    }

    /// Has one call about each person answered; what was asked for each.
    async fn calls(
        &self,
        render: impl Fn(&Prompts, &mut Facts) -> Option<Rendered>,
        people: &mut [Option<Facts>],
    ) -> Result<Vec<Option<(Key, Rendered)>>, Failure> {
        let (mut calls, mut wanted) = (Vec::with_capacity(people.len()), BTreeMap::new());
        for (person, facts) in people.iter_mut().enumerate() {
            let call = facts.as_mut().and_then(|facts| Some((self.prompts(facts).ok()?, facts)));
            let call = call.and_then(|(prompts, facts)| render(&prompts, facts));
            let call = call.map(|asked| (key(self.client.endpoint(), &asked), asked));
            if let Some((key, asked)) = &call
                && self.known(key, asked)?.is_none()
            {
                wanted.entry(*key).or_insert_with(|| {
                    let pending = Mutex::new(Pending::new(asked.clone()));
                    Wanted { pending, person, complaint: None }
                });
            }
            calls.push(call);
        }
        self.rounds(wanted, people).await?;
        Ok(calls)
    }

    /// The texts of an answer that is at hand.
    fn known(&self, key: &Key, asked: &Rendered) -> Result<Option<Map<String, Value>>, Failure> {
        let answer = self.ledger()?.answer(key).map_err(lost)?;
        Ok(answer.and_then(|a| texts(&a.text, asked).ok()))
    }

    async fn rounds(&self, mut wanted: BTreeMap<Key, Wanted>, people: &[Option<Facts>]) -> Result<(), Failure> {
        if wanted.is_empty() {
            return Ok(());
        }
        let catalog = self.ledger()?;
        let server = self.client.server().map_err(|e| Failure::outage(e, false))?;
        for round in 0..ROUNDS {
            // What an earlier process handed over is waited for, not handed over again.
            let mut batches = self.handed_over(server, &catalog, &wanted).await?;
            let there: HashSet<Key> = batches.iter().flat_map(|(_, keys)| keys.iter().copied()).collect();
            let new = wanted.iter().filter(|(key, _)| !there.contains(*key));
            let new = self.within_limits(new.map(|(key, wanted)| (*key, wanted)).collect())?;
            if round == 0 || new.len() >= WORTH {
                batches.extend(self.submit(server, &catalog, &new, round).await?);
            }
            if batches.is_empty() {
                return Ok(());
            }
            let mut pause = PAUSES.0;
            while !batches.is_empty() {
                let mut waiting = vec![];
                for (batch, keys) in batches {
                    if let Some(batch) = self.look(server, &catalog, batch, &keys, (&mut wanted, people, round)).await?
                    {
                        waiting.push((batch, keys));
                    }
                }
                batches = waiting;
                if !batches.is_empty() {
                    self.client.budget().in_time().map_err(|limit| Failure::outage(limit, false))?;
                    tokio::time::sleep(pause).await;
                    pause = (pause * 3 / 2).min(PAUSES.1);
                }
            }
        }
        Ok(())
    }

    /// The batches that any of the calls are in already. One that was about to be handed over when a process ended is
    /// looked for at the provider, by its name.
    async fn handed_over(
        &self,
        server: &Server,
        catalog: &Catalog,
        wanted: &BTreeMap<Key, Wanted>,
    ) -> Result<Vec<(Batch, Vec<Key>)>, Failure> {
        let mut open = vec![];
        for (mut batch, keys) in catalog.open_batches(server.base(), &self.client.endpoint().model).map_err(lost)? {
            if !keys.iter().any(|k| wanted.contains_key(k)) {
                continue;
            }
            if batch.provider_id.is_none() {
                match self.patiently(|| server.named(&batch.id)).await? {
                    Some(standing) => {
                        batch = noted(batch, &standing);
                        catalog.note_batch(&batch).map_err(lost)?;
                    }
                    None => {
                        catalog.leave_batch(&batch.id, &keys).map_err(lost)?;
                        continue;
                    }
                }
            }
            open.push((batch, keys));
        }
        Ok(open)
    }

    /// Those calls that the limits leave room for, by what they are expected to take.
    fn within_limits<'a>(&self, calls: Vec<(Key, &'a Wanted)>) -> Result<Vec<(Key, &'a Wanted)>, Failure> {
        let price = self.client.endpoint().price.map(|p| p.in_batch());
        let (mut admitted, mut tokens, mut cost) = (vec![], 0, 0.0);
        for (key, wanted) in calls {
            let (prompt, completion) = self.expected(&wanted.pending().asked()).map_err(Failure::lasting)?;
            tokens += prompt + completion;
            cost += price.map_or(0.0, |p| p.of(prompt, completion));
            let budget = self.client.budget();
            if budget.room(tokens, cost).and_then(|()| budget.take()).is_err() {
                break;
            }
            admitted.push((key, wanted));
        }
        Ok(admitted)
    }

    /// Hands calls over, in as many batches as they need.
    async fn submit(
        &self,
        server: &Server,
        catalog: &Catalog,
        calls: &[(Key, &Wanted)],
        round: u32,
    ) -> Result<Vec<(Batch, Vec<Key>)>, Failure> {
        let (mut batches, mut keys, mut lines) = (vec![], vec![], vec![]);
        for (at, (key, wanted)) in calls.iter().enumerate() {
            let seed = super::seed(key).wrapping_add(round);
            let body = server.body(&wanted.pending().asked(), seed, wanted.complaint.as_deref());
            lines.extend(line(&name(key), &body));
            keys.push(*key);
            if keys.len() < REQUESTS && lines.len() < BYTES && at + 1 < calls.len() {
                continue;
            }
            let (keys, lines) = (std::mem::take(&mut keys), std::mem::take(&mut lines));
            let batch = Batch {
                id: uuid::Uuid::now_v7().simple().to_string(),
                provider_id: None,
                run: self.current_run(),
                base: server.base().into(),
                model: self.client.endpoint().model.clone(),
                state: "planned".into(),
                requests: keys.len() as u64,
                done: 0,
            };
            catalog.plan_batch(&batch, &keys).map_err(lost)?;
            let submit = || async {
                match server.submit(&batch.id, &lines).await {
                    // It may have been taken all the same.
                    Err(failure) if failure.passing => server.named(&batch.id).await?.ok_or(failure),
                    submitted => submitted,
                }
            };
            let batch = noted(batch.clone(), &self.patiently(submit).await?);
            catalog.note_batch(&batch).map_err(lost)?;
            batches.push((batch, keys));
        }
        Ok(batches)
    }

    /// Looks at a batch: it is given back while it is at work; once it has ended, its answers are recorded.
    async fn look(
        &self,
        server: &Server,
        catalog: &Catalog,
        batch: Batch,
        keys: &[Key],
        (wanted, people, round): (&mut BTreeMap<Key, Wanted>, &[Option<Facts>], u32),
    ) -> Result<Option<Batch>, Failure> {
        let id = batch.provider_id.clone().unwrap_or_default();
        let standing = match self.patiently(|| server.standing(&id)).await {
            Ok(standing) => standing,
            // The provider has forgotten it: what was in it is handed over again.
            Err(failure) if failure.unsupported => Standing::gone(),
            Err(failure) => return Err(failure),
        };
        let batch = noted(batch, &standing);
        catalog.note_batch(&batch).map_err(lost)?;
        if !standing.ended() {
            return Ok(Some(batch));
        }
        let answers = self.patiently(|| server.answers(&standing)).await?;
        let answers = answers.into_iter().filter_map(|(name, answer)| Some((of_name(&name)?, answer)));
        let asked = &*wanted;
        let outcomes = stream::iter(answers)
            .map(|(key, answer)| self.outcome(catalog, key, answer, (asked, people, round)))
            .buffer_unordered(RECORDED)
            .collect::<Vec<_>>()
            .await;
        for outcome in outcomes {
            let Some((key, complaint)) = outcome? else { continue };
            match complaint {
                None => _ = wanted.remove(&key),
                Some(_) => _ = wanted.entry(key).and_modify(|w| w.complaint = complaint),
            }
        }
        let refused = standing.refused();
        // What it holds for nobody who is here stays, for whoever asks for it.
        let of_no_use = |key: &&Key| refused.is_some() || wanted.contains_key(*key) || answered(catalog, key);
        let left: Vec<Key> = keys.iter().filter(of_no_use).copied().collect();
        catalog.leave_batch(&batch.id, &left).map_err(lost)?;
        match refused {
            Some(why) => Err(Failure::outage(format!("{} takes no batch such as this: {why}", server.base()), false)),
            None => Ok(None),
        }
    }

    /// Records what a batch says of a call, if anyone here asked for it: the complaint, where the answer is of no use.
    async fn outcome(
        &self,
        catalog: &Catalog,
        key: Key,
        answer: Result<Completion, String>,
        (wanted, people, round): (&BTreeMap<Key, Wanted>, &[Option<Facts>], u32),
    ) -> Result<Option<(Key, Option<String>)>, Failure> {
        let Some(wanted) = wanted.get(&key) else { return Ok(None) };
        let Some(Some(facts)) = people.get(wanted.person) else { return Ok(None) };
        let tokens = answer.as_ref().map_or((None, None), |a| (a.prompt_tokens(), a.completion_tokens()));
        let (prompt, completion) = (tokens.0.unwrap_or(0), tokens.1.unwrap_or(0));
        let cost = self.client.endpoint().price.map(|p| p.in_batch().of(prompt, completion));
        self.client.budget().spend(prompt + completion, cost);
        let taken = answer.and_then(|answer| self.take(&mut wanted.pending(), &answer, facts, round == 0));
        let complaint = taken.err();
        let call = self.call(key, (&wanted.pending(), complaint.clone()), tokens, (1, cost, Duration::ZERO));
        catalog.record(call).await.map_err(lost)?;
        Ok(Some((key, complaint)))
    }

    /// Does again what fails in passing, within the endpoint's attempts.
    async fn patiently<T, F: Future<Output = Result<T, Failure>>>(
        &self,
        what: impl FnMut() -> F,
    ) -> Result<T, Failure> {
        let done = what.retry(self.client.policy()).when(|f: &Failure| f.passing);
        done.adjust(super::client::as_told).await.map_err(|f| Failure { outage: true, ..f })
    }
}

fn answered(catalog: &Catalog, key: &Key) -> bool {
    catalog.answer(key).is_ok_and(|a| a.is_some_and(|a| a.is_whole))
}

/// A batch as it stands now.
fn noted(batch: Batch, standing: &Standing) -> Batch {
    let provider_id = Some(standing.id.clone()).filter(|id| !id.is_empty()).or(batch.provider_id);
    Batch { provider_id, state: standing.status.clone(), done: standing.done(), ..batch }
}

/// What a call is named in a batch.
fn name(key: &Key) -> String {
    blake3::Hash::from_bytes(*key).to_hex().to_string()
}

fn of_name(name: &str) -> Option<Key> {
    blake3::Hash::from_hex(name).ok().map(|h| *h.as_bytes())
}
