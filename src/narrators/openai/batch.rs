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
use super::{OpenAiNarrator, key, lost};
use crate::catalog::{Amount, Batch, Catalog, OpenBatch};
use crate::servers::{Answer, Failure, Server, Usage, as_told};

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
                let render = |prompts: &Prompts, facts: &mut Facts| self.render_own(prompts, template, facts).ok();
                self.calls(render, &mut people).await?;
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
            let Some(mut batches) = self.batches(server, &catalog, &wanted, round).await? else { return Ok(()) };
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
                    self.activity.budget.in_time().map_err(|limit| Failure::outage(limit, false))?;
                    tokio::time::sleep(pause).await;
                    pause = (pause * 3 / 2).min(PAUSES.1);
                }
            }
        }
        Ok(())
    }

    /// The batches that have the calls of a round, each of which is in one, whoever handed it over; nothing where they
    /// are too few for another.
    async fn batches(
        &self,
        server: &Server,
        catalog: &Catalog,
        wanted: &BTreeMap<Key, Wanted>,
        round: u32,
    ) -> Result<Option<Vec<(Batch, Vec<Key>)>>, Failure> {
        let mut pause = PAUSES.0;
        loop {
            // What another process handed over is waited for, not handed over again.
            let (mut batches, others) = self.handed_over(server, catalog, wanted).await?;
            let there: HashSet<Key> = batches.iter().flat_map(|(_, keys)| keys.iter().copied()).collect();
            let new = wanted.iter().filter(|(key, _)| !there.contains(*key) && !others.contains(*key));
            let new = self.within_limits(new.map(|(key, wanted)| (*key, wanted)).collect()).await?;
            let mut is_elsewhere = !others.is_empty();
            if round == 0 || new.len() >= WORTH {
                let count = new.len();
                let (submitted, taken) = self.submit(server, catalog, new, round).await?;
                batches.extend(submitted);
                // Somebody was quicker with some: those are looked for again.
                is_elsewhere |= taken < count;
            }
            if !batches.is_empty() || !is_elsewhere {
                return Ok(Some(batches).filter(|b| !b.is_empty()));
            }
            self.activity.budget.in_time().map_err(|limit| Failure::outage(limit, false))?;
            tokio::time::sleep(pause).await;
            pause = (pause * 3 / 2).min(PAUSES.1);
            if wanted.iter().all(|(key, _)| answered(catalog, key)) {
                return Ok(None);
            }
        }
    }

    /// The batches that any of the calls are in already, and the calls that another process is about to hand over. A
    /// batch that was about to be handed over when its process ended is looked for at the provider, by its name.
    async fn handed_over(
        &self,
        server: &Server,
        catalog: &Catalog,
        wanted: &BTreeMap<Key, Wanted>,
    ) -> Result<(Vec<(Batch, Vec<Key>)>, HashSet<Key>), Failure> {
        let (mut open, mut others) = (vec![], HashSet::new());
        let found = catalog.open_batches(server.shown(), &self.client.endpoint().model).map_err(lost)?;
        for OpenBatch { mut batch, keys, at_work } in found {
            if !keys.iter().any(|k| wanted.contains_key(k)) {
                continue;
            }
            if batch.provider_id.is_none() {
                if at_work {
                    others.extend(keys.into_iter().filter(|k| wanted.contains_key(k)));
                    continue;
                }
                match self.patiently(|| server.named(&batch.id)).await? {
                    Some(standing) => {
                        batch = noted(batch, &standing);
                        catalog.note_batch(&batch).await.map_err(lost)?;
                    }
                    None => {
                        catalog.leave_batch(&batch, keys).await.map_err(lost)?;
                        continue;
                    }
                }
            }
            open.push((batch, keys));
        }
        Ok((open, others))
    }

    /// Those calls that the limits leave room for, by what they are expected to take, which is reserved.
    async fn within_limits<'a>(
        &self,
        calls: Vec<(Key, &'a Wanted)>,
    ) -> Result<Vec<(Key, &'a Wanted, Amount)>, Failure> {
        let price = self.client.endpoint().price.map(|p| p.in_batch());
        let mut admitted = vec![];
        for (key, wanted) in calls {
            let (_, expected) = self.expecting(wanted.pending().asked());
            let reserved = self.activity.budget.reserve_now(expected, price).await;
            match reserved.map_err(|limit| Failure::outage(limit, false))? {
                Ok(reserved) => admitted.push((key, wanted, reserved.amount())),
                Err(_) => break,
            }
        }
        Ok(admitted)
    }

    /// Hands calls over, in as many batches as they need, but those that somebody else asks for; how many they are.
    async fn submit(
        &self,
        server: &Server,
        catalog: &Catalog,
        calls: Vec<(Key, &Wanted, Amount)>,
        round: u32,
    ) -> Result<(Vec<(Batch, Vec<Key>)>, usize), Failure> {
        let (mut batches, mut part, mut bytes, mut taken) = (vec![], vec![], 0, 0);
        let count = calls.len();
        for (at, (key, wanted, amount)) in calls.into_iter().enumerate() {
            let seed = super::seed(&key).wrapping_add(round);
            let body = server.body(&wanted.pending().asked(), seed, wanted.complaint.as_deref());
            let line = line(&name(&key), &body);
            bytes += line.len();
            part.push((key, amount, line));
            if part.len() < REQUESTS && bytes < BYTES && at + 1 < count {
                continue;
            }
            bytes = 0;
            let batch = Batch {
                id: uuid::Uuid::now_v7().simple().to_string(),
                provider_id: None,
                run: self.current_run(),
                account: self.activity.budget.account(),
                base: server.shown().into(),
                model: self.client.endpoint().model.clone(),
                state: "planned".into(),
                requests: part.len() as u64,
                done: 0,
            };
            let part = std::mem::take(&mut part);
            let planned = part.iter().map(|(key, amount, _)| (*key, *amount)).collect();
            let keys = catalog.plan_batch(&batch, planned).await.map_err(lost)?;
            let ours: HashSet<Key> = keys.iter().copied().collect();
            let (lines, others): (Vec<_>, Vec<_>) = part.into_iter().partition(|(key, ..)| ours.contains(key));
            if let Some(account) = &batch.account {
                let nothing = Amount::default();
                others.iter().for_each(|(_, amount, _)| catalog.settle(account.clone(), *amount, nothing));
            }
            if keys.is_empty() {
                continue;
            }
            taken += keys.len();
            let batch = Batch { requests: keys.len() as u64, ..batch };
            let lines: Vec<u8> = lines.into_iter().flat_map(|(.., line)| line).collect();
            let submit = || async {
                match server.submit(&batch.id, &lines).await {
                    // It may have been taken all the same.
                    Err(failure) if failure.passing => server.named(&batch.id).await?.ok_or(failure),
                    submitted => submitted,
                }
            };
            let batch = noted(batch.clone(), &self.patiently(submit).await?);
            catalog.note_batch(&batch).await.map_err(lost)?;
            batches.push((batch, keys));
        }
        Ok((batches, taken))
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
        catalog.note_batch(&batch).await.map_err(lost)?;
        if !standing.ended() {
            return Ok(Some(batch));
        }
        let answers = self.patiently(|| server.answers(&standing)).await?;
        let answers = answers.into_iter().filter_map(|(name, answer)| Some((of_name(&name)?, answer)));
        let (asked, of) = (&*wanted, &batch);
        let outcomes = stream::iter(answers)
            .map(|(key, answer)| self.outcome((catalog, of), key, answer, (asked, people, round)))
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
        catalog.leave_batch(&batch, left).await.map_err(lost)?;
        match refused {
            Some(why) => Err(Failure::outage(format!("{} takes no batch such as this: {why}", server.shown()), false)),
            None => Ok(None),
        }
    }

    /// Records what a batch says of a call, if anyone here asked for it: the complaint, where the answer is of no use.
    async fn outcome(
        &self,
        (catalog, batch): (&Catalog, &Batch),
        key: Key,
        answer: Result<Completion, String>,
        (wanted, people, round): (&BTreeMap<Key, Wanted>, &[Option<Facts>], u32),
    ) -> Result<Option<(Key, Option<String>)>, Failure> {
        let Some(wanted) = wanted.get(&key) else { return Ok(None) };
        let Some(Some(facts)) = people.get(wanted.person) else { return Ok(None) };
        // What was not answered is not paid.
        let usage = answer.as_ref().ok().map(|a| {
            let (_, expected) = self.expecting(wanted.pending().asked());
            expected.told(a.told(), a.letters())
        });
        let price = self.client.endpoint().price.map(|p| p.in_batch());
        let Usage { prompt, completion, .. } = usage.unwrap_or_default();
        let cost = price.map(|p| p.of(prompt, completion));
        let taken = answer.and_then(|answer| self.take(&mut wanted.pending(), &answer, facts, round == 0));
        let complaint = taken.err();
        let call = self.call(key, (&wanted.pending(), complaint.clone()), usage, (1, cost, Duration::ZERO));
        let noted = call.clone();
        if catalog.record_of_batch(call, batch).await.map_err(lost)? {
            self.activity.tally.called(&noted);
        }
        // Another process that waited for the batch may have recorded it: what it took counts.
        Ok(Some((key, complaint.filter(|_| !answered(catalog, &key)))))
    }

    /// Does again what fails in passing, within the endpoint's attempts.
    async fn patiently<T, F: Future<Output = Result<T, Failure>>>(
        &self,
        what: impl FnMut() -> F,
    ) -> Result<T, Failure> {
        let done = what.retry(self.client.policy()).when(|f: &Failure| f.passing);
        done.adjust(as_told).await.map_err(|f| Failure { outage: true, ..f })
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
