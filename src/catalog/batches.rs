//! Batches: requests that were handed to a provider together, to be answered within a day. What is known of them here
//! is what lets another process fetch the answers.

use rusqlite::{Row, params};

use super::{Catalog, Error, explain};

/// A batch that a provider has, or is about to be given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// What it is called here, which the provider is told as well
    pub id: String,
    /// What the provider calls it; nothing before it has answered
    pub provider_id: Option<String>,
    pub run: Option<String>,
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

impl Catalog {
    /// Notes a batch that is about to be handed over, with the calls in it.
    ///
    /// # Errors
    /// If the catalogue cannot be written.
    pub fn plan_batch(&self, batch: &Batch, keys: &[Key]) -> Result<(), Error> {
        let connection = self.connection();
        let insert = || {
            let transaction = connection.unchecked_transaction()?;
            let Batch { id, run, base, model, state, requests, .. } = batch;
            let sql = "INSERT INTO batches (id, run, base, model, state, requests) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
            transaction.execute(sql, params![id, run, base, model, state, *requests as i64])?;
            let mut calls = transaction.prepare("INSERT OR REPLACE INTO batch_calls (key, batch) VALUES (?1, ?2)")?;
            for key in keys {
                calls.execute(params![&key[..], id])?;
            }
            drop(calls);
            transaction.commit()
        };
        insert().map_err(|e| explain(&self.path, &e))
    }

    /// Notes how a batch stands.
    ///
    /// # Errors
    /// If the catalogue cannot be written.
    pub fn note_batch(&self, batch: &Batch) -> Result<(), Error> {
        let sql = "UPDATE batches SET provider_id = ?2, state = ?3, done = ?4,
                   updated = strftime('%Y-%m-%dT%H:%M:%SZ', 'now') WHERE id = ?1";
        let Batch { id, provider_id, state, done, .. } = batch;
        self.execute(sql, params![id, provider_id, state, *done as i64])?;
        Ok(())
    }

    /// Notes that a batch is of no more use for these calls: what it says of them is recorded, or it will say nothing.
    ///
    /// # Errors
    /// If the catalogue cannot be written.
    pub fn leave_batch(&self, id: &str, keys: &[Key]) -> Result<(), Error> {
        let connection = self.connection();
        let delete = || {
            let transaction = connection.unchecked_transaction()?;
            let mut calls = transaction.prepare("DELETE FROM batch_calls WHERE key = ?1 AND batch = ?2")?;
            for key in keys {
                calls.execute(params![&key[..], id])?;
            }
            drop(calls);
            transaction.commit()
        };
        delete().map_err(|e| explain(&self.path, &e))
    }

    /// The batches of a model at a server that calls without an answer are in, each with those calls.
    ///
    /// # Errors
    /// If the catalogue cannot be read.
    pub fn open_batches(&self, base: &str, model: &str) -> Result<Vec<(Batch, Vec<Key>)>, Error> {
        let connection = self.connection();
        let read = || {
            let mut batches = connection.prepare("SELECT * FROM batches WHERE base = ?1 AND model = ?2 ORDER BY id")?;
            let batches = batches.query_map([base, model], batch)?.collect::<Result<Vec<Batch>, _>>()?;
            let mut calls = connection.prepare(
                "SELECT b.key FROM batch_calls AS b WHERE b.batch = ?1
                 AND NOT EXISTS (SELECT 1 FROM calls AS c WHERE c.key = b.key AND c.outcome = 'answered')",
            )?;
            let mut open = vec![];
            for batch in batches {
                let keys = calls.query_map([&batch.id], |r| r.get::<_, Key>(0))?.collect::<Result<Vec<Key>, _>>()?;
                if !keys.is_empty() {
                    open.push((batch, keys));
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

    #[test]
    fn a_batch_is_open_while_a_call_in_it_has_no_answer() {
        let folder = tempfile::tempdir().unwrap();
        let catalog = Catalog::open(folder.path()).unwrap();
        let mut batch = Batch {
            id: "1".into(),
            provider_id: None,
            run: Some("r".into()),
            base: "http://one/v1".into(),
            model: "m".into(),
            state: "planned".into(),
            requests: 2,
            done: 0,
        };
        catalog.plan_batch(&batch, &[[1; 32], [2; 32]]).unwrap();
        batch = Batch { provider_id: Some("batch_1".into()), state: "in_progress".into(), done: 1, ..batch };
        catalog.note_batch(&batch).unwrap();
        let open = || catalog.open_batches("http://one/v1", "m").unwrap();
        assert_eq!(open(), [(batch.clone(), vec![[1; 32], [2; 32]])]);
        catalog.leave_batch("1", &[[1; 32]]).unwrap();
        assert_eq!(open()[0].1, [[2; 32]]);
        assert!(catalog.open_batches("http://one/v1", "other").unwrap().is_empty());
        catalog.leave_batch("1", &[[2; 32]]).unwrap();
        assert!(open().is_empty());
        assert_eq!(catalog.batches("r").unwrap(), [batch]);
    }
}
