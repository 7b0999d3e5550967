//! Batches: requests that were handed to a provider together, to be answered within a day. What is known of them here
//! is what lets another process fetch the answers.

use rusqlite::{Connection, Row, params};

use super::budgets::settle;
use super::calls::insert;
use super::owners::{at_work, reap};
use super::{Amount, Call, Catalog, Error, explain};

/// A batch that a provider has, or is about to be given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// What it is called here, which the provider is told as well
    pub id: String,
    /// What the provider calls it; nothing before it has answered
    pub provider_id: Option<String>,
    pub run: Option<String>,
    /// What its calls are paid from, where that is bounded or noted
    pub account: Option<String>,
    /// The server that has it
    pub base: String,
    pub model: String,
    /// How it stands, in the provider's words
    pub state: String,
    pub requests: u64,
    /// Those that the provider says are done
    pub done: u64,
}

/// The key of a call: the hash of all that the answer depends on.
type Key = [u8; 32];

/// A batch with the calls in it that have no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenBatch {
    pub batch: Batch,
    pub keys: Vec<Key>,
    /// Whether a process is about to hand it over, or knows how it stands
    pub at_work: bool,
}

impl Catalog {
    /// Notes a batch that is about to be handed over, with those of the calls that nobody else asks for: they are
    /// returned, and what is reserved for each is settled when its answer comes. Nothing is noted if there are none.
    ///
    /// # Errors
    /// If the catalogue cannot be written.
    pub async fn plan_batch(&self, batch: &Batch, calls: Vec<(Key, Amount)>) -> Result<Vec<Key>, Error> {
        let (batch, owner) = (batch.clone(), self.owner.clone());
        let plan = move |connection: &Connection| {
            owner.renew(connection)?;
            reap(connection)?;
            let free = "SELECT NOT EXISTS (SELECT 1 FROM calls WHERE key = ?1 AND answer IS NOT NULL
                                           AND outcome = 'answered')
                           AND NOT EXISTS (SELECT 1 FROM asking WHERE key = ?1)
                           AND NOT EXISTS (SELECT 1 FROM batch_calls WHERE key = ?1)";
            let mut free = connection.prepare_cached(free)?;
            let sql = "INSERT INTO batch_calls (key, batch, tokens, cost_usd) VALUES (?1, ?2, ?3, ?4)";
            let mut insert = connection.prepare_cached(sql)?;
            let mut taken = vec![];
            for (key, Amount { tokens, cost_usd, .. }) in calls {
                if free.query_row([&key[..]], |r| r.get(0))? {
                    insert.execute(params![&key[..], batch.id, tokens as i64, cost_usd])?;
                    taken.push(key);
                }
            }
            if taken.is_empty() {
                return Ok(taken);
            }
            let Batch { id, run, account, base, model, state, .. } = &batch;
            let sql = "INSERT INTO batches (id, run, account, base, model, state, requests, owner)
                       VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
            let requests = taken.len() as i64;
            connection.execute(sql, params![id, run, account, base, model, state, requests, owner.id])?;
            Ok(taken)
        };
        self.write(plan).await
    }

    /// Keeps a call that a batch has answered, and settles what was reserved for it; false if another process has done
    /// so already.
    ///
    /// # Errors
    /// If the catalogue cannot be written.
    pub async fn record_of_batch(&self, call: Call, batch: &Batch) -> Result<bool, Error> {
        let (batch, account) = (batch.id.clone(), batch.account.clone());
        let record = move |connection: &Connection| {
            let sql = "DELETE FROM batch_calls WHERE key = ?1 AND batch = ?2 RETURNING tokens, cost_usd";
            let mut delete = connection.prepare_cached(sql)?;
            let amount =
                |r: &Row| Ok(Amount { calls: 1, tokens: r.get::<_, i64>(0)?.cast_unsigned(), cost_usd: r.get(1)? });
            let reserved = delete.query_map(params![&call.key[..], batch], amount)?;
            let Some(reserved) = reserved.collect::<Result<Vec<_>, _>>()?.pop() else { return Ok(false) };
            if let Some(account) = &account {
                let tokens = call.prompt_tokens.unwrap_or(0) + call.completion_tokens.unwrap_or(0);
                let taken = Amount { calls: 1, tokens, cost_usd: call.cost_usd.unwrap_or(0.0) };
                settle(connection, account, reserved, taken)?;
            }
            insert(connection, &call)?;
            Ok(true)
        };
        self.write(record).await
    }

    /// Notes how a batch stands.
    ///
    /// # Errors
    /// If the catalogue cannot be written.
    pub async fn note_batch(&self, batch: &Batch) -> Result<(), Error> {
        let batch = batch.clone();
        let note = move |connection: &Connection| {
            let sql = "UPDATE batches SET provider_id = ?2, state = ?3, done = ?4,
                       updated = strftime('%Y-%m-%dT%H:%M:%SZ', 'now') WHERE id = ?1";
            let Batch { id, provider_id, state, done, .. } = batch;
            connection.execute(sql, params![id, provider_id, state, done as i64]).map(|_| ())
        };
        self.write(note).await
    }

    /// Notes that a batch is of no more use for these calls: what it says of them is recorded, or it will say nothing,
    /// and what was reserved for them is free again.
    ///
    /// # Errors
    /// If the catalogue cannot be written.
    pub async fn leave_batch(&self, batch: &Batch, keys: Vec<Key>) -> Result<(), Error> {
        let (batch, account) = (batch.id.clone(), batch.account.clone());
        let leave = move |connection: &Connection| {
            let sql = "DELETE FROM batch_calls WHERE key = ?1 AND batch = ?2 RETURNING tokens, cost_usd";
            let mut calls = connection.prepare_cached(sql)?;
            for key in keys {
                let left = calls.query_map(params![&key[..], batch], |r| {
                    Ok(Amount { calls: 1, tokens: r.get::<_, i64>(0)?.cast_unsigned(), cost_usd: r.get(1)? })
                })?;
                for reserved in left.collect::<Result<Vec<_>, _>>()? {
                    if let Some(account) = &account {
                        settle(connection, account, reserved, Amount { calls: 1, ..Amount::default() })?;
                    }
                }
            }
            Ok(())
        };
        self.write(leave).await
    }

    /// The batches of a model at a server that calls without an answer are in, each with those calls.
    ///
    /// # Errors
    /// If the catalogue cannot be read.
    pub fn open_batches(&self, base: &str, model: &str) -> Result<Vec<OpenBatch>, Error> {
        let connection = self.connection();
        let read = || {
            reap(&connection)?;
            let mut batches = connection.prepare("SELECT * FROM batches WHERE base = ?1 AND model = ?2 ORDER BY id")?;
            let found = |r: &Row| Ok((batch(r)?, r.get::<_, Option<String>>("owner")?));
            let batches = batches.query_map([base, model], found)?.collect::<Result<Vec<_>, _>>()?;
            let mut calls = connection.prepare(
                "SELECT b.key FROM batch_calls AS b WHERE b.batch = ?1
                 AND NOT EXISTS (SELECT 1 FROM calls AS c WHERE c.key = b.key AND c.outcome = 'answered')",
            )?;
            let mut open = vec![];
            for (batch, owner) in batches {
                let keys = calls.query_map([&batch.id], |r| r.get::<_, Key>(0))?.collect::<Result<Vec<Key>, _>>()?;
                if !keys.is_empty() {
                    let at_work = owner.is_some_and(|owner| at_work(&connection, &owner).is_ok_and(|o| o.is_some()));
                    open.push(OpenBatch { batch, keys, at_work });
                }
            }
            Ok(open)
        };
        read().map_err(|e| explain(&self.path, &e))
    }

    /// The batches of a run, the oldest first.
    ///
    /// # Errors
    /// If the catalogue cannot be read.
    pub fn batches(&self, run: &str) -> Result<Vec<Batch>, Error> {
        let connection = self.connection();
        let read = || {
            let mut batches = connection.prepare_cached("SELECT * FROM batches WHERE run = ?1 ORDER BY id")?;
            batches.query_map([run], batch)?.collect::<Result<Vec<Batch>, _>>()
        };
        read().map_err(|e| explain(&self.path, &e))
    }
}

fn batch(row: &Row) -> rusqlite::Result<Batch> {
    Ok(Batch {
        id: row.get("id")?,
        provider_id: row.get("provider_id")?,
        run: row.get("run")?,
        account: row.get("account")?,
        base: row.get("base")?,
        model: row.get("model")?,
        state: row.get("state")?,
        requests: row.get::<_, i64>("requests")? as u64,
        done: row.get::<_, i64>("done")? as u64,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_batch_is_open_while_a_call_in_it_has_no_answer() {
        let folder = tempfile::tempdir().unwrap();
        let catalog = Catalog::open(folder.path()).unwrap();
        let mut batch = Batch {
            id: "1".into(),
            provider_id: None,
            run: Some("r".into()),
            account: None,
            base: "http://one/v1".into(),
            model: "m".into(),
            state: "planned".into(),
            requests: 2,
            done: 0,
        };
        let calls = |keys: &[u8]| keys.iter().map(|k| ([*k; 32], Amount::default())).collect();
        assert_eq!(catalog.plan_batch(&batch, calls(&[1, 2])).await.unwrap(), [[1; 32], [2; 32]]);
        // Another takes what is left.
        let other = Batch { id: "2".into(), ..batch.clone() };
        assert_eq!(catalog.plan_batch(&other, calls(&[2, 3])).await.unwrap(), [[3; 32]]);
        catalog.leave_batch(&other, vec![[3; 32]]).await.unwrap();
        batch = Batch { provider_id: Some("batch_1".into()), state: "in_progress".into(), done: 1, ..batch };
        catalog.note_batch(&batch).await.unwrap();
        let open = || catalog.open_batches("http://one/v1", "m").unwrap();
        let whole = OpenBatch { batch: batch.clone(), keys: vec![[1; 32], [2; 32]], at_work: true };
        assert_eq!(open(), [whole]);
        catalog.leave_batch(&batch, vec![[1; 32]]).await.unwrap();
        assert_eq!(open()[0].keys, [[2; 32]]);
        assert!(catalog.open_batches("http://one/v1", "other").unwrap().is_empty());
        catalog.leave_batch(&batch, vec![[2; 32]]).await.unwrap();
        assert!(open().is_empty());
        assert_eq!(catalog.batches("r").unwrap()[0], batch);
    }
}
