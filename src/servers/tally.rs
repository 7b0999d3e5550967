//! What came of asking models, for whoever ran the statement.

use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};

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
#[derive(Debug)]
pub(crate) struct Tally {
    counted: Mutex<(Asked, Failures)>,
    /// When it began: an answer from then on is the statement's own, though it found it in the catalogue
    since: DateTime<Utc>,
}

impl Tally {
    pub(crate) fn new() -> Tally {
        Tally { counted: Mutex::default(), since: Utc::now() }
    }

    fn lock(&self) -> MutexGuard<'_, (Asked, Failures)> {
        self.counted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn called(&self, call: &Call) {
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

    /// An answer was in the catalogue since a time, told to the second.
    pub(crate) fn knew(&self, at: &str) {
        if DateTime::parse_from_rfc3339(at).is_ok_and(|at| at.timestamp() >= self.since.timestamp()) {
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
        let tally = Tally::new();
        let at = |seconds: i64| (tally.since + chrono::TimeDelta::seconds(seconds)).format("%Y-%m-%dT%H:%M:%SZ");
        for (seconds, known) in [(-86_400, 1), (-1, 2), (0, 2), (5, 2)] {
            tally.knew(&at(seconds).to_string());
            assert_eq!(tally.lock().0.known, known, "{seconds} s after it began");
        }
    }
}
