//! Vectors that a model behind a server made of texts: what was answered is not asked again.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, params};

use super::calls::{self, Call, Claim};
use super::labels::{bytes, numbers};
use super::owners::reap;
use super::{Catalog, Error, explain};

pub(super) const MIGRATION: &str =
    "CREATE TABLE vectors (key BLOB PRIMARY KEY, vector BLOB NOT NULL) STRICT, WITHOUT ROWID;";

/// What comes of wanting the vectors of texts, by their places among those that are wanted.
#[derive(Debug)]
pub struct ClaimedVectors {
    /// They came meanwhile
    pub known: Vec<(usize, Vec<f32>)>,
    /// They are to be asked for
    pub ours: Vec<usize>,
    /// Leave to ask for them
    pub claim: Claim,
    /// Somebody else asks for them
    pub taken: Vec<usize>,
}

impl Catalog {
    /// Leave to ask for vectors: each is asked for by one of all who want it at once, in whatever process. One that is
    /// known counts where it has the length that is wanted; 0 stands for any.
    ///
    /// # Errors
    /// If the catalogue cannot be written.
    pub async fn claim_vectors(
        self: &Arc<Self>,
        keys: Vec<[u8; 32]>,
        dimension: usize,
    ) -> Result<ClaimedVectors, Error> {
        let owner = self.owner.id.clone();
        let claimed = self.write(move |connection| {
            let (mut known, mut ours, mut taken, mut reaped) = (vec![], vec![], vec![], false);
            for (at, key) in keys.iter().enumerate() {
                if let Some(vector) = vector(connection, key)?.filter(|v| dimension == 0 || v.len() == dimension) {
                    known.push((at, vector));
                    continue;
                }
                let mut free = calls::take(connection, key, &owner)?;
                if !free && !reaped {
                    // Who asks for it may be gone.
                    reap(connection)?;
                    (reaped, free) = (true, calls::take(connection, key, &owner)?);
                }
                if free { ours.push(at) } else { taken.push(at) }
            }
            let claimed = ours.iter().map(|at| keys[*at]).collect();
            Ok((known, ours, taken, claimed))
        });
        let (known, ours, taken, keys) = claimed.await?;
        Ok(ClaimedVectors { known, ours, claim: Claim { catalog: self.clone(), keys }, taken })
    }

    /// The vectors of texts, in order, by the hashes of all that they depend on; `None` for those that are not there.
    ///
    /// # Errors
    /// If the catalogue cannot be read.
    pub fn vectors(&self, keys: &[[u8; 32]]) -> Result<Vec<Option<Vec<f32>>>, Error> {
        let connection = self.connection();
        let read = keys.iter().map(|key| vector(&connection, key)).collect::<rusqlite::Result<_>>();
        read.map_err(|e| explain(&self.path, &e))
    }

    /// Keeps a call and the vectors that it brought: when this returns, no end of the process loses them.
    ///
    /// # Errors
    /// If the catalogue cannot be written.
    pub async fn record_vectors(&self, call: Call, vectors: Vec<([u8; 32], Vec<f32>)>) -> Result<(), Error> {
        let owner = self.owner.id.clone();
        let record = move |connection: &Connection| {
            calls::insert(connection, &call)?;
            let sql = "INSERT OR REPLACE INTO vectors (key, vector) VALUES (?1, ?2)";
            let mut insert = connection.prepare_cached(sql)?;
            for (key, vector) in &vectors {
                insert.execute(params![&key[..], bytes(vector)])?;
                calls::let_go(connection, key, &owner)?;
            }
            Ok(())
        };
        self.write(record).await
    }
}

fn vector(connection: &Connection, key: &[u8; 32]) -> rusqlite::Result<Option<Vec<f32>>> {
    let mut statement = connection.prepare_cached("SELECT vector FROM vectors WHERE key = ?1")?;
    statement.query_row([&key[..]], |r| Ok(numbers(r.get_ref(0)?.as_blob()?))).optional()
}
