//! A call that takes several answers: texts that pass are kept, and only the others are asked for again.

use std::collections::BTreeMap;
use std::sync::Arc;

use populace_udfs::checks::{Severity, Violation, check_text, repeats};
use serde_json::{Map, Value};

use super::OpenAiNarrator;
use super::answer::{Completion, read};
use super::prompts::Rendered;

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

impl OpenAiNarrator {
    /// Takes from an answer what can stand; on the first, a doubtful text is asked for once more.
    ///
    /// # Errors
    /// What is wrong with what is missing still; the message is for the model too.
    pub(super) fn take(
        &self,
        pending: &mut Pending,
        completion: &Completion,
        facts: &Map<String, Value>,
        first: bool,
    ) -> Result<(), String> {
        pending.finish_reason = completion.finish_reason();
        let text = completion.text()?;
        let alone = !pending.has_some();
        self.sort(pending, &text, completion.is_cut(), facts, first)?;
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
    pub(super) fn keep(&self, pending: &mut Pending, text: &str, facts: &Map<String, Value>) {
        if self.sort(pending, text, false, facts, false).is_ok() {
            self.narrow(pending, facts);
        }
    }

    /// Asks for what is missing alone, from now on.
    fn narrow(&self, pending: &mut Pending, facts: &Map<String, Value>) {
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
        first: bool,
    ) -> Result<(), String> {
        let asked = pending.asked.clone();
        let (texts, missing) = read(text, &asked, cut)?;
        pending.failed.extend(missing);
        let vocabulary = self.vocabulary(facts);
        let prompts = self.prompts(facts).ok();
        for (kind, text) in texts {
            // A text of the caller's own kind may be anything; scores were checked as they were read.
            let found = match (text.as_str().filter(|_| !asked.free && !asked.scores), &prompts) {
                (Some(text), Some(prompts)) => {
                    let mut found = check_text(text, facts, &vocabulary);
                    found.extend(prompts.instructions.echo(text, vocabulary.code()));
                    let written = prompts.kinds.iter().map(|k| k.name.as_str()).filter(|name| *name != kind);
                    let others =
                        written.filter_map(|name| Some((name, pending.kept.get(name).or(facts.get(name))?.as_str()?)));
                    found.extend(repeats(text, others, vocabulary.code()));
                    found
                }
                _ => vec![],
            };
            match found.iter().find(|v| first || v.severity == Severity::Error) {
                Some(Violation { check, detail, .. }) => {
                    pending.failed.insert(kind, format!("{check}: {detail}"));
                }
                None => {
                    pending.failed.remove(&kind);
                    pending.kept.insert(kind, text);
                }
            }
        }
        Ok(())
    }
}
