//! Vectors that a model behind a server made of texts: what was answered is not asked again.

use rusqlite::{OptionalExtension, params};

use super::calls::{self, Call};
use super::labels::{bytes, numbers};
use super::{Catalog, Error, explain};

pub(super) const MIGRATION: &str =
    "CREATE TABLE vectors (key BLOB PRIMARY KEY, vector BLOB NOT NULL) STRICT, WITHOUT ROWID;";

impl Catalog {
    /// The vectors of texts, in order, by the hashes of all that they depend on; `None` for those that are not there.
    ///
    /// # Errors
    /// If the catalogue cannot be read.
    pub fn vectors(&self, keys: &[[u8; 32]]) -> Result<Vec<Option<Vec<f32>>>, Error> {
        let connection = self.connection();
        let read = || {
            let mut statement = connection.prepare_cached("SELECT vector FROM vectors WHERE key = ?1")?;
            let mut read =
                |key: &[u8; 32]| statement.query_row([&key[..]], |r| Ok(numbers(r.get_ref(0)?.as_blob()?))).optional();
            keys.iter().map(&mut read).collect::<rusqlite::Result<_>>()
        };
        read().map_err(|e| explain(&self.path, &e))
    }

    /// Keeps a call and the vectors that it brought: when this returns, no end of the process loses them.
    ///
    /// # Errors
    /// If the catalogue cannot be written.
    pub async fn record_vectors(&self, call: Call, vectors: Vec<([u8; 32], Vec<f32>)>) -> Result<(), Error> {
        let record = move |connection: &rusqlite::Connection| {
            calls::insert(connection, &call)?;
            let sql = "INSERT OR REPLACE INTO vectors (key, vector) VALUES (?1, ?2)";
            let mut insert = connection.prepare_cached(sql)?;
            for (key, vector) in &vectors {
                insert.execute(params![&key[..], bytes(vector)])?;
            }
            Ok(())
        };
        self.write(record).await
    }
}
