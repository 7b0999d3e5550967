//! Calls: each request to a model, and what it answered. An answer that was paid for is never asked for again.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, params};

use super::failures::Failures;
use super::owners::reap;
use super::{Catalog, Error, explain};

/// Answers that tell what others will take.
const ENOUGH: i64 = 10;

/// One call, with its retries.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// The hash of all that the answer depends on: model, parameters, prompt
    pub key: [u8; 32],
    pub run: Option<String>,
    pub model: String,
    /// The names of the texts that were asked for
    pub texts: String,
    /// Letters of the prompt
    pub letters: u64,
    /// What the model said that is of use: all that was asked for, or some
    pub answer: Option<String>,
    /// What is wrong, where that is not all
    pub error: Option<String>,
    pub finish_reason: Option<String>,
    /// Of all attempts
    pub prompt_tokens: Option<u64>,
    pub completion_tokens: Option<u64>,
    /// Whether the server did not tell all of the tokens
    pub estimated: bool,
    /// Requests sent, retries included
    pub attempts: u32,
    /// US dollars, where the price was known
    pub cost_usd: Option<f64>,
    pub latency_ms: u64,
}

/// What a model answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub text: String,
    /// Whether it is all that was asked for, rather than some
    pub is_whole: bool,
    pub finish_reason: Option<String>,
    /// The day and time at which it was asked for
    pub at: String,
}

/// Leave to ask for answers, each of which nobody else asks for until it is recorded, or this is dropped.
#[derive(Debug)]
pub struct Claim {
    pub(super) catalog: Arc<Catalog>,
    pub(super) keys: Vec<[u8; 32]>,
}

impl Drop for Claim {
    fn drop(&mut self) {
        let (keys, owner) = (std::mem::take(&mut self.keys), self.catalog.owner.id.clone());
        self.catalog.post(move |connection| keys.iter().try_for_each(|key| let_go(connection, key, &owner)));
    }
}

/// What comes of wanting an answer.
#[derive(Debug)]
pub enum Claimed {
    /// It is to be asked for
    Ours(Claim),
    /// It came meanwhile, as a whole
    Known(Answer),
    /// Somebody else asks for it
    Taken,
}

/// Which answers are to be forgotten.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Forget {
    /// Those that a run paid for
    Run(String),
    Model(String),
    /// Those asked for before a day: 2026-11-22
    Before(String),
}

/// What answers of a model took, on the average of those at hand.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Typical {
    /// Of the prompt
    pub tokens_per_letter: f64,
    pub completion_tokens: f64,
    pub answer_letters: f64,
}

/// What the calls of a run come to.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CallTotals {
    pub answered: u64,
    pub failed: u64,
    pub attempts: u64,
    pub prompt_tokens: u64,
    pub completion_tokens: u64,
    /// Calls whose tokens the server did not tell
    pub estimated: u64,
    /// US dollars, of those calls whose price was known
    pub cost_usd: Option<f64>,
    /// The commonest failures, by check, with how often each happened
    pub failures: Vec<(String, u64)>,
}

impl Catalog {
    /// The answer to a call that was made before: the whole one, if there is one, or else as much as there was of use.
    ///
    /// # Errors
    /// If the catalogue cannot be read.
    pub fn answer(&self, key: &[u8; 32]) -> Result<Option<Answer>, Error> {
        answer(&self.connection(), key).map_err(|e| explain(&self.path, &e))
    }

    /// Leave to ask for an answer: of all who want it at once, in whatever process, one gets it. Where what is known is
    /// of no use, it can be had `anyway`.
    ///
    /// # Errors
    /// If the catalogue cannot be written.
    pub async fn claim(self: &Arc<Self>, key: [u8; 32], anyway: bool) -> Result<Claimed, Error> {
        let owner = self.owner.id.clone();
        let claimed = self.write(move |connection| {
            if let Some(known) = answer(connection, &key)?.filter(|a| a.is_whole && !anyway) {
                return Ok(Err(Some(known)));
            }
            if take(connection, &key, &owner)? {
                return Ok(Ok(()));
            }
            // Who asks for it may be gone.
            reap(connection)?;
            Ok(if take(connection, &key, &owner)? { Ok(()) } else { Err(None) })
        });
        Ok(match claimed.await? {
            Ok(()) => Claimed::Ours(Claim { catalog: self.clone(), keys: vec![key] }),
            Err(Some(known)) => Claimed::Known(known),
            Err(None) => Claimed::Taken,
        })
    }

    /// What the newest answers of a model with these texts took; `None` where there are too few to tell.
    ///
    /// # Errors
    /// If the catalogue cannot be read.
    pub fn typical(&self, model: &str, texts: &str) -> Result<Option<Typical>, Error> {
        let sql = "SELECT count(*), total(prompt_tokens), total(letters * attempts), total(completion_tokens),
                   total(length(answer)) FROM
                   (SELECT * FROM calls WHERE model = ?1 AND texts = ?2 AND outcome = 'answered'
                    AND NOT estimated AND answer IS NOT NULL AND prompt_tokens > 0 AND completion_tokens > 0 ORDER BY id DESC LIMIT 500)";
        let read = self.connection().query_row(sql, [model, texts], |r| {
            let (count, prompt, letters): (i64, f64, f64) = (r.get(0)?, r.get(1)?, r.get(2)?);
            let mean = |column| Ok::<_, rusqlite::Error>(r.get::<_, f64>(column)? / count as f64);
            let (completion_tokens, answer_letters) = (mean(3)?, mean(4)?);
            let typical = Typical { tokens_per_letter: prompt / letters, completion_tokens, answer_letters };
            Ok((count >= ENOUGH).then_some(typical))
        });
        read.map_err(|e| explain(&self.path, &e))
    }

    /// Keeps a call: when this returns, no end of the process loses it. A loss of power does not either, once the disk
    /// has it, which is at work on it then. Calls that end together are committed together.
    ///
    /// # Errors
    /// If the catalogue cannot be written.
    pub async fn record(&self, call: Call) -> Result<(), Error> {
        let owner = self.owner.id.clone();
        let record = move |connection: &Connection| {
            insert(connection, &call)?;
            let_go(connection, &call.key, &owner)
        };
        self.write(record).await
    }

    /// Forgets answers, so that they are asked for again; the bills stay as they are. How many they are, and what they
    /// cost in US dollars, where that is known.
    ///
    /// # Errors
    /// If the catalogue cannot be written.
    pub fn forget(&self, which: &Forget) -> Result<(u64, Option<f64>), Error> {
        let (what, value) = match which {
            Forget::Run(run) => ("run = ?1", run),
            Forget::Model(model) => ("model = ?1", model),
            Forget::Before(day) => ("at < ?1", day),
        };
        self.at_once(|connection| {
            let sql = format!("SELECT count(*), sum(cost_usd) FROM calls WHERE answer IS NOT NULL AND {what}");
            let found =
                connection.query_row(&sql, [value], |r| Ok((r.get::<_, i64>(0)?.cast_unsigned(), r.get(1)?)))?;
            connection
                .execute(&format!("UPDATE calls SET answer = NULL WHERE answer IS NOT NULL AND {what}"), [value])?;
            Ok(found)
        })
    }

    /// What the calls of a run come to.
    ///
    /// # Errors
    /// If the catalogue cannot be read.
    pub fn calls(&self, run: &str) -> Result<CallTotals, Error> {
        let connection = self.connection();
        let read = || {
            let sql =
                "SELECT count(*) FILTER (WHERE outcome = 'answered'), count(*) FILTER (WHERE outcome <> 'answered'),
                       total(attempts), total(prompt_tokens), total(completion_tokens), sum(cost_usd), total(estimated)
                       FROM calls WHERE run = ?1";
            let mut totals = connection.query_row(sql, [run], |r| {
                Ok(CallTotals {
                    answered: r.get::<_, i64>(0)? as u64,
                    failed: r.get::<_, i64>(1)? as u64,
                    attempts: r.get::<_, f64>(2)? as u64,
                    prompt_tokens: r.get::<_, f64>(3)? as u64,
                    completion_tokens: r.get::<_, f64>(4)? as u64,
                    cost_usd: r.get(5)?,
                    estimated: r.get::<_, f64>(6)? as u64,
                    failures: vec![],
                })
            })?;
            let sql = "SELECT error, count(*) FROM calls WHERE run = ?1 AND outcome <> 'answered' GROUP BY error";
            let mut statement = connection.prepare_cached(sql)?;
            let mut rows = statement.query([run])?;
            let mut failures = Failures::default();
            while let Some(row) = rows.next()? {
                failures.add(&row.get::<_, String>(0)?, row.get::<_, i64>(1)? as u64);
            }
            totals.failures = failures.commonest();
            Ok(totals)
        };
        read().map_err(|e| explain(&self.path, &e))
    }
}

/// The answer to a call: the whole one, if there is one, or else as much as there was of use.
fn answer(connection: &Connection, key: &[u8; 32]) -> rusqlite::Result<Option<Answer>> {
    let sql = "SELECT answer, finish_reason, outcome = 'answered', at FROM calls
               WHERE key = ?1 AND answer IS NOT NULL ORDER BY outcome <> 'answered', id LIMIT 1";
    let read = |r: &rusqlite::Row| {
        Ok(Answer { text: r.get(0)?, finish_reason: r.get(1)?, is_whole: r.get(2)?, at: r.get(3)? })
    };
    connection.prepare_cached(sql)?.query_row([&key[..]], read).optional()
}

/// Whether an answer is asked for by this owner from now on, and was by nobody.
pub(super) fn take(connection: &Connection, key: &[u8; 32], owner: &str) -> rusqlite::Result<bool> {
    let sql = "INSERT INTO asking (key, owner) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
    Ok(connection.prepare_cached(sql)?.execute(params![&key[..], owner])? == 1)
}

/// Nobody asks for an answer any more.
pub(super) fn let_go(connection: &Connection, key: &[u8; 32], owner: &str) -> rusqlite::Result<()> {
    let sql = "DELETE FROM asking WHERE key = ?1 AND owner = ?2";
    connection.prepare_cached(sql)?.execute(params![&key[..], owner])?;
    Ok(())
}

pub(super) fn insert(connection: &Connection, call: &Call) -> rusqlite::Result<()> {
    let sql = "INSERT INTO calls (key, run, model, outcome, answer, error, finish_reason, attempts, prompt_tokens,
                                  completion_tokens, latency_ms, cost_usd, texts, letters, estimated)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)";
    let outcome = if call.error.is_none() { "answered" } else { "failed" };
    let count = |n: Option<u64>| n.map(|n| n as i64);
    let values = params![
        &call.key[..],
        call.run,
        call.model,
        outcome,
        call.answer,
        call.error,
        call.finish_reason,
        call.attempts,
        count(call.prompt_tokens),
        count(call.completion_tokens),
        call.latency_ms as i64,
        call.cost_usd,
        call.texts,
        call.letters as i64,
        call.estimated
    ];
    connection.prepare_cached(sql)?.execute(values)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(key: u8, answer: Result<&str, &str>) -> Call {
        Call {
            key: [key; 32],
            run: Some("r".into()),
            model: "m".into(),
            texts: "persona".into(),
            letters: 40,
            answer: answer.ok().map(String::from),
            error: answer.err().map(String::from),
            finish_reason: Some("stop".into()),
            prompt_tokens: Some(10),
            completion_tokens: Some(20),
            estimated: false,
            attempts: 1,
            cost_usd: Some(0.25),
            latency_ms: 5,
        }
    }

    #[tokio::test]
    async fn answers_are_found_again_and_failures_are_not_answers() {
        let folder = tempfile::tempdir().unwrap();
        let catalog = Catalog::open(folder.path()).unwrap();
        let calls = [call(1, Ok("yes")), call(2, Err("refused")), call(2, Err("refused")), call(1, Ok("later"))];
        let recorded = futures::future::join_all(calls.map(|c| catalog.record(c))).await;
        assert!(recorded.iter().all(Result::is_ok));
        drop(catalog);
        let catalog = Catalog::open(folder.path()).unwrap();
        assert_eq!(catalog.answer(&[1; 32]).unwrap().unwrap().text, "yes");
        assert_eq!(catalog.answer(&[2; 32]).unwrap(), None);
        let totals = catalog.calls("r").unwrap();
        assert_eq!((totals.answered, totals.failed, totals.attempts), (2, 2, 4));
        assert_eq!((totals.prompt_tokens, totals.completion_tokens, totals.cost_usd), (40, 80, Some(1.0)));
        assert_eq!(totals.failures, [("refused".to_string(), 2)]);
        // Some of an answer is there until there is all of it.
        let some = Call { answer: Some("some".into()), ..call(2, Err("the rest is missing")) };
        catalog.record(some).await.unwrap();
        assert_eq!(catalog.answer(&[2; 32]).unwrap().unwrap().text, "some");
        catalog.record(call(2, Ok("all"))).await.unwrap();
        assert_eq!(catalog.answer(&[2; 32]).unwrap().unwrap().text, "all");
        assert_eq!(catalog.typical("m", "persona").unwrap(), None);
        // What is forgotten is not known any more, and was paid for all the same.
        assert_eq!(catalog.forget(&Forget::Model("other".into())).unwrap(), (0, None));
        assert_eq!(catalog.forget(&Forget::Before("2001-01-01".into())).unwrap(), (0, None));
        let paid = catalog.calls("r").unwrap();
        assert_eq!(catalog.forget(&Forget::Run("r".into())).unwrap(), (4, Some(1.0)));
        assert_eq!((catalog.answer(&[1; 32]).unwrap(), catalog.calls("r").unwrap()), (None, paid));
        for key in 3..20 {
            catalog.record(call(key, Ok("later"))).await.unwrap();
        }
        let typical = catalog.typical("m", "persona").unwrap().unwrap();
        assert_eq!((typical.tokens_per_letter, typical.completion_tokens), (0.25, 20.0));
        assert_eq!(typical.answer_letters, 5.0);
    }

    #[tokio::test]
    async fn an_answer_is_asked_for_by_one_of_all_who_want_it() {
        let folder = tempfile::tempdir().unwrap();
        let [one, two] = [(); 2].map(|()| Arc::new(Catalog::open(folder.path()).unwrap()));
        let Claimed::Ours(claim) = one.claim([1; 32], false).await.unwrap() else { panic!("nobody else wants it") };
        for other in [&two, &one] {
            assert!(matches!(other.claim([1; 32], false).await.unwrap(), Claimed::Taken));
        }
        // It was of no use, and another may try; then it came.
        drop(claim);
        one.write(|_| Ok(())).await.unwrap();
        let Claimed::Ours(claim) = two.claim([1; 32], false).await.unwrap() else { panic!("it is free") };
        two.record(call(1, Ok("yes"))).await.unwrap();
        assert!(
            matches!(one.claim([1; 32], false).await.unwrap(), Claimed::Known(Answer { text, .. }) if text == "yes")
        );
        drop(claim);
        // Who has left asks for nothing.
        let Claimed::Ours(_claim) = two.claim([2; 32], false).await.unwrap() else { panic!("nobody else wants it") };
        let gone = two.owner.clone();
        two.write(move |connection| gone.leave(connection)).await.unwrap();
        assert!(matches!(one.claim([2; 32], false).await.unwrap(), Claimed::Ours(_)));
    }
}
