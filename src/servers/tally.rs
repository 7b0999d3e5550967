//! What came of asking models, for whoever ran the statement.

use std::sync::{Mutex, MutexGuard, PoisonError};

use rustc_hash::FxHashSet;

use crate::catalog::{Call, CallTotals, Failures};

/// What the calls of a statement came to.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Asked {
    pub totals: CallTotals,
    /// Answers that were in the catalogue
    pub known: u64,
    /// The first and the last day on which those were asked for
    pub days: Option<(String, String)>,
    /// Texts that are missing because nothing could be asked any more, and why
    pub missing: u64,
    pub outage: Option<String>,
}

/// Counts what comes of asking.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    counted: Mutex<(Asked, Failures)>,
    /// What was asked for, by the beginnings of keys: an answer to it is the statement's own, though it is found in the
    /// catalogue
    own: Mutex<FxHashSet<u64>>,
}

/// The beginning of a key, which is a hash.
fn beginning(key: &[u8; 32]) -> u64 {
    key.first_chunk().map_or(0, |first| u64::from_le_bytes(*first))
}

impl Tally {
    fn lock(&self) -> MutexGuard<'_, (Asked, Failures)> {
        self.counted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn own(&self) -> MutexGuard<'_, FxHashSet<u64>> {
        self.own.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn called(&self, call: &Call) {
        self.own().insert(beginning(&call.key));
        let mut tally = self.lock();
        match &call.error {
            None => tally.0.totals.answered += 1,
            Some(error) => {
                tally.0.totals.failed += 1;
                tally.1.add(error, 1);
            }
        }
        let totals = &mut tally.0.totals;
        totals.attempts += u64::from(call.attempts);
        totals.prompt_tokens += call.prompt_tokens.unwrap_or(0);
        totals.completion_tokens += call.completion_tokens.unwrap_or(0);
        totals.estimated += u64::from(call.estimated);
        if let Some(cost) = call.cost_usd {
            *totals.cost_usd.get_or_insert(0.0) += cost;
        }
    }

    /// The answer of a key was in the catalogue since a time.
    pub(crate) fn knew(&self, key: &[u8; 32], at: &str) {
        if self.own().contains(&beginning(key)) {
            return;
        }
        let day = at.split('T').next().unwrap_or_default();
        let asked = &mut self.lock().0;
        asked.known += 1;
        let (first, last) = asked.days.get_or_insert_with(|| (day.into(), day.into()));
        if day < first.as_str() {
            *first = day.into();
        }
        if day > last.as_str() {
            *last = day.into();
        }
    }

    /// A text is missing, as nothing can be asked for now.
    pub(crate) fn missed(&self, why: &str) {
        let asked = &mut self.lock().0;
        asked.missing += 1;
        asked.outage.get_or_insert_with(|| why.into());
    }

    /// What was counted since the last time.
    pub fn take(&self) -> Asked {
        let (mut asked, failures) = std::mem::take(&mut *self.lock());
        asked.totals.failures = failures.commonest();
        asked
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_finds_no_answers_of_its_own_in_the_catalogue() {
        let tally = Tally::default();
        let call = |key| Call {
            key,
            run: None,
            model: "m".into(),
            texts: "persona".into(),
            letters: 1,
            answer: Some("{}".into()),
            error: None,
            finish_reason: None,
            prompt_tokens: None,
            completion_tokens: None,
            estimated: false,
            attempts: 1,
            cost_usd: None,
            latency_ms: 1,
        };
        tally.called(&call([1; 32]));
        for key in [[1; 32], [2; 32], [1; 32]] {
            tally.knew(&key, "2026-11-24T12:00:00Z");
        }
        assert_eq!(tally.take().known, 1);
    }
}
