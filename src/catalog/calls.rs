//! Calls: each request to a model, and what it answered. An answer that was paid for is never asked for again.

use std::fs::File;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, params};
use tokio::sync::oneshot;

use super::{Catalog, Error, connect, explain};

/// Calls that are committed together at most. None waits for others: what is not committed yet is paid again after a
/// kill.
const GROUP: usize = 1000;

/// From one time that the disk has taken what was committed to the next, at least.
const SYNC: Duration = Duration::from_millis(25);

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
    pub prompt_tokens: Option<u64>,
    pub completion_tokens: Option<u64>,
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
    /// US dollars, of those calls whose price was known
    pub cost_usd: Option<f64>,
    /// The commonest failures, with how often each happened
    pub failures: Vec<(String, u64)>,
}

impl Catalog {
    /// The answer to a call that was made before: the whole one, if there is one, or else as much as there was of use.
    ///
    /// # Errors
    /// If the catalogue cannot be read.
    pub fn answer(&self, key: &[u8; 32]) -> Result<Option<Answer>, Error> {
        let connection = self.connection();
        let find = || {
            let sql = "SELECT answer, finish_reason, prompt_tokens, completion_tokens, outcome = 'answered' FROM calls
                       WHERE key = ?1 AND answer IS NOT NULL ORDER BY outcome <> 'answered', id LIMIT 1";
            let mut statement = connection.prepare_cached(sql)?;
            let answer = statement.query_row([&key[..]], |r| {
                let count = |i| Ok::<_, rusqlite::Error>(r.get::<_, Option<i64>>(i)?.map(|n| n as u64));
                Ok(Answer {
                    text: r.get(0)?,
                    is_whole: r.get(4)?,
                    finish_reason: r.get(1)?,
                    prompt_tokens: count(2)?,
                    completion_tokens: count(3)?,
                })
            });
            answer.optional()
        };
        find().map_err(|e| explain(&self.path, &e))
    }

    /// What the newest answers of a model with these texts took; `None` where there are too few to tell.
    ///
    /// # Errors
    /// If the catalogue cannot be read.
    pub fn typical(&self, model: &str, texts: &str) -> Result<Option<Typical>, Error> {
        let sql = "SELECT count(*), total(prompt_tokens), total(letters * attempts), total(completion_tokens),
                   total(length(answer)) FROM
                   (SELECT * FROM calls WHERE model = ?1 AND texts = ?2 AND outcome = 'answered'
                    AND prompt_tokens > 0 AND completion_tokens > 0 ORDER BY id DESC LIMIT 500)";
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
        let (sender, written) = oneshot::channel();
        let writer = self.writer.get_or_init(|| Writer::start(self.path.clone()));
        let gone = || Error::Other(self.path.clone(), "its writer has ended".into());
        writer.0.send((call, sender)).map_err(|_| gone())?;
        written.await.map_err(|_| gone())?
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
                       total(attempts), total(prompt_tokens), total(completion_tokens), sum(cost_usd) FROM calls WHERE run = ?1";
            let mut totals = connection.query_row(sql, [run], |r| {
                Ok(CallTotals {
                    answered: r.get::<_, i64>(0)? as u64,
                    failed: r.get::<_, i64>(1)? as u64,
                    attempts: r.get::<_, f64>(2)? as u64,
                    prompt_tokens: r.get::<_, f64>(3)? as u64,
                    completion_tokens: r.get::<_, f64>(4)? as u64,
                    cost_usd: r.get(5)?,
                    failures: vec![],
                })
            })?;
            let sql = "SELECT error, count(*) FROM calls WHERE run = ?1 AND outcome <> 'answered'
                       GROUP BY error ORDER BY 2 DESC, 1 LIMIT 5";
            let mut failures = connection.prepare_cached(sql)?;
            let failures = failures.query_map([run], |r| Ok((r.get(0)?, r.get::<_, i64>(1)? as u64)))?;
            totals.failures = failures.collect::<Result<_, _>>()?;
            Ok(totals)
        };
        read().map_err(|e| explain(&self.path, &e))
    }
}

type Written = oneshot::Sender<Result<(), Error>>;

/// A thread of its own, so that waiting for the disk holds up no task; it ends with the catalogue.
#[derive(Debug)]
pub(super) struct Writer(Sender<(Call, Written)>);

impl Writer {
    fn start(path: String) -> Writer {
        let (sender, calls) = mpsc::channel();
        thread::spawn(move || match connect(&path) {
            Ok(connection) => write(&connection, &path, &calls),
            Err(error) => calls.iter().for_each(|(_, written)| _ = written.send(Err(error.clone()))),
        });
        Writer(sender)
    }
}

/// Has the disk take what was committed, again and again while something is, on a thread of its own: a commit that
/// waited for it would keep the answers that come meanwhile in memory alone, for a kill to lose.
fn synced(path: &str) -> Sender<()> {
    let (sender, committed) = mpsc::channel();
    // SQLite locks other files than its log: opening and closing this one lets go of no lock.
    let log = format!("{path}-wal");
    thread::spawn(move || {
        while committed.recv().is_ok() {
            thread::sleep(SYNC);
            while committed.try_recv().is_ok() {}
            // Where it fails, the disk gets it in its own time, as SQLite's log does at a checkpoint.
            _ = File::open(&log).and_then(|log| log.sync_data());
        }
    });
    sender
}

fn write(connection: &Connection, path: &str, calls: &Receiver<(Call, Written)>) {
    let synced = synced(path);
    while let Ok(first) = calls.recv() {
        let group: Vec<(Call, Written)> = std::iter::once(first).chain(calls.try_iter().take(GROUP - 1)).collect();
        let insert = || {
            let transaction = connection.unchecked_transaction()?;
            for (call, _) in &group {
                insert(&transaction, call)?;
            }
            transaction.commit()
        };
        let done = insert().map_err(|e| explain(path, &e));
        _ = synced.send(());
        for (_, written) in group {
            // Nobody waits where the statement was cancelled; the answer is kept all the same.
            _ = written.send(done.clone());
        }
    }
}

fn insert(connection: &Connection, call: &Call) -> rusqlite::Result<()> {
    let sql = "INSERT INTO calls (key, run, model, outcome, answer, error, finish_reason, attempts, prompt_tokens,
                                  completion_tokens, latency_ms, cost_usd, texts, letters)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)";
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
        call.letters as i64
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
        for key in 3..20 {
            catalog.record(call(key, Ok("later"))).await.unwrap();
        }
        let typical = catalog.typical("m", "persona").unwrap().unwrap();
        assert_eq!((typical.tokens_per_letter, typical.completion_tokens), (0.25, 20.0));
        assert!(typical.answer_letters > 4.0 && typical.answer_letters < 5.0);
    }
}
