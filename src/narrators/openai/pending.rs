//! A call that takes several answers: texts that pass are kept, and only the others are asked for again.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError};

use populace_udfs::checks::{Copies, Likeness, Severity, Shingles, Violation, Wording, check_text};
use serde_json::{Map, Value};

use super::OpenAiNarrator;
use super::answer::{Completion, read};
use super::prompts::Rendered;

/// Texts of each narrative that a new one is compared with. What a model falls into it falls into again and again, and
/// `validate` compares all that is stored.
const LATEST: usize = 500;

/// Which answer to a call it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    /// A doubtful text is asked for once more
    First,
    Again,
    /// What an earlier process had already taken
    Kept,
}

/// What was asked for, and what of it is there.
#[derive(Debug)]
pub(super) struct Pending {
    whole: Arc<Rendered>,
    /// The prompt for what is missing
    asked: Arc<Rendered>,
    kept: Map<String, Value>,
    /// What was wrong with the texts that are missing
    failed: BTreeMap<String, String>,
    /// The one answer that had it all, as it came
    as_it_came: Option<String>,
    finish_reason: Option<String>,
}

impl Pending {
    pub fn new(whole: Rendered) -> Pending {
        let whole = Arc::new(whole);
        let (kept, failed) = (Map::new(), BTreeMap::new());
        Pending { asked: whole.clone(), whole, kept, failed, as_it_came: None, finish_reason: None }
    }

    /// All that is asked for.
    pub fn whole(&self) -> &Rendered {
        &self.whole
    }

    /// The prompt for what is missing.
    pub fn asked(&self) -> Arc<Rendered> {
        self.asked.clone()
    }

    fn missing(&self) -> Vec<&String> {
        self.whole.keys.iter().filter(|k| !self.kept.contains_key(*k)).collect()
    }

    pub fn has_some(&self) -> bool {
        !self.kept.is_empty()
    }

    /// Whether anything is known of a text: that it is there, or what is wrong with it.
    pub fn says_of_texts(&self) -> bool {
        self.has_some() || !self.failed.is_empty()
    }

    /// What the catalogue is to keep of it.
    pub fn answer(&self) -> Option<String> {
        let kept = || self.has_some().then(|| serde_json::to_string(&self.kept).unwrap_or_default());
        self.as_it_came.clone().or_else(kept)
    }

    pub fn finish_reason(&self) -> Option<String> {
        self.finish_reason.clone()
    }

    /// The texts that are there, and what is wrong with the others: that, where nothing was wrong with a text itself.
    pub fn end(&mut self, failure: Option<String>) -> (Map<String, Value>, BTreeMap<String, String>) {
        let failure = failure.unwrap_or_default();
        let why = |k: &String| self.failed.get(k).cloned().unwrap_or_else(|| failure.clone());
        let failed = self.missing().into_iter().map(|k| (k.clone(), why(k))).collect();
        (std::mem::take(&mut self.kept), failed)
    }
}

/// A text that a template asks for may be anything, but for the narratives of one's own, which `validate` checks as it
/// does the others; scores were checked as they were read.
fn is_checked(asked: &Rendered) -> bool {
    (!asked.free || asked.own.is_some()) && !asked.scores
}

impl OpenAiNarrator {
    /// Takes from an answer what can stand; on the first, a doubtful text is asked for once more.
    ///
    /// # Errors
    /// What is wrong with what is missing still; the message is for the model too.
    pub(super) fn take(
        &self,
        pending: &mut Pending,
        completion: &Completion,
        facts: &Arc<Map<String, Value>>,
        first: bool,
    ) -> Result<(), String> {
        pending.finish_reason = completion.finish_reason();
        let text = completion.text()?;
        let alone = !pending.has_some();
        let answer = if first { Answer::First } else { Answer::Again };
        self.sort(pending, &text, completion.is_cut(), facts, answer)?;
        let missing = pending.missing();
        if missing.is_empty() {
            pending.as_it_came = Some(text).filter(|_| alone);
            return Ok(());
        }
        let complaint = |k: &&String| Some(format!("{k}: {}", pending.failed.get(*k)?));
        let complaints: Vec<String> = missing.iter().filter_map(complaint).collect();
        self.narrow(pending, facts);
        Err(complaints.join("; "))
    }

    /// Takes what an earlier answer had of use.
    pub(super) fn keep(&self, pending: &mut Pending, text: &str, facts: &Arc<Map<String, Value>>) {
        if self.sort(pending, text, false, facts, Answer::Kept).is_ok() {
            self.narrow(pending, facts);
        }
    }

    /// Asks for what is missing alone, from now on.
    fn narrow(&self, pending: &mut Pending, facts: &Arc<Map<String, Value>>) {
        let narrowed = self.prompts(facts).ok().and_then(|p| p.narrowed(&pending.whole, &pending.missing(), facts));
        pending.asked = narrowed.map_or(pending.asked.clone(), Arc::new);
    }

    /// Keeps the texts that can stand, and notes what is wrong with the others.
    fn sort(
        &self,
        pending: &mut Pending,
        text: &str,
        cut: bool,
        facts: &Map<String, Value>,
        answer: Answer,
    ) -> Result<(), String> {
        let asked = pending.asked.clone();
        let (texts, missing) = read(text, &asked, cut)?;
        pending.failed.extend(missing);
        let vocabulary = self.vocabulary(facts);
        let prompts = self.prompts(facts).ok().filter(|_| is_checked(&asked));
        let kinds: Vec<&str> = prompts.iter().flat_map(|p| p.kinds.iter().map(|k| k.name.as_str())).collect();
        // Of the texts that are there, those of an earlier call among the facts.
        let there = |name: &&str| {
            let text = pending.kept.get(*name).or(facts.get(*name))?.as_str()?;
            Some((name.to_string(), Shingles::of(&Wording::of(text))))
        };
        let mut written: HashMap<String, Shingles> = kinds.iter().filter_map(there).collect();
        for (kind, text) in texts {
            let (mut wrong, mut own) = (None, None);
            if let (Some(text), Some(prompts)) = (text.as_str(), &prompts) {
                let wording = Wording::of(text);
                let shingles = Shingles::of(&wording);
                let mut found = check_text(text, facts, &vocabulary);
                found.extend(prompts.instructions.echo(text, &wording));
                let name = asked.own.as_ref().unwrap_or(&kind);
                let others = kinds.iter().filter(|other| *other != name);
                found.extend(shingles.repeat(others.filter_map(|name| Some((*name, written.get(*name)?)))));
                wrong = found.into_iter().find(|v| answer == Answer::First || v.severity == Severity::Error);
                let copied = || self.copied(name, &Likeness::of((text, &wording), facts)?, answer);
                wrong = wrong.or_else(copied);
                own = Some(shingles);
            }
            match wrong {
                Some(Violation { check, detail, .. }) => {
                    pending.failed.insert(kind, format!("{check}: {detail}"));
                }
                None => {
                    pending.failed.remove(&kind);
                    written.extend(own.map(|own| (kind.clone(), own)));
                    pending.kept.insert(kind, text);
                }
            }
        }
        Ok(())
    }

    /// Remembers texts that are at hand, for others to be compared with.
    pub(super) fn note(&self, asked: &Rendered, texts: &Map<String, Value>, facts: &Map<String, Value>) {
        if !is_checked(asked) {
            return;
        }
        for (kind, text) in texts {
            let kind = asked.own.as_ref().unwrap_or(kind);
            let likeness = |text: &str| Likeness::of((text, &Wording::of(text)), facts);
            if let Some(likeness) = text.as_str().and_then(likeness) {
                self.copies(kind, |copies| copies.note(&likeness));
            }
        }
    }

    /// Whether a text nearly copies one about somebody else; if not, others are compared with it.
    fn copied(&self, kind: &str, text: &Likeness, answer: Answer) -> Option<Violation> {
        self.copies(kind, |copies| {
            // What was taken is not refused for what has come since.
            let copied = if answer == Answer::Kept { None } else { copies.copied(text) };
            if copied.is_none() {
                copies.note(text);
            }
            copied
        })
    }

    /// What was written of late of a narrative.
    fn copies<T>(&self, kind: &str, of: impl FnOnce(&mut Copies) -> T) -> T {
        let mut copies = self.copies.lock().unwrap_or_else(PoisonError::into_inner);
        of(copies.entry(kind.to_string()).or_insert_with(|| Copies::among_latest(LATEST)))
    }
}
