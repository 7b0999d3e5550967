//! Vectors of labels, by the embedder that made them.

use rusqlite::{OptionalExtension, params};

use super::{Catalog, Error, explain};

pub(super) const MIGRATION: &str = "CREATE TABLE labels (
        embedder TEXT NOT NULL,
        purpose TEXT NOT NULL,
        label TEXT NOT NULL,
        vector BLOB NOT NULL,
        PRIMARY KEY (embedder, purpose, label)
    ) STRICT, WITHOUT ROWID;";

impl Catalog {
    /// The vectors of labels, in order; `None` for those that are not there.
    ///
    /// # Errors
    /// If the catalogue cannot be read.
    pub fn labels(&self, embedder: &str, purpose: &str, labels: &[String]) -> Result<Vec<Option<Vec<f32>>>, Error> {
        let connection = self.connection();
        let read = || {
            let sql = "SELECT vector FROM labels WHERE embedder = ?1 AND purpose = ?2 AND label = ?3";
            let mut statement = connection.prepare_cached(sql)?;
            let mut read = |label: &String| {
                statement
                    .query_row(params![embedder, purpose, label], |r| Ok(numbers(r.get_ref(0)?.as_blob()?)))
                    .optional()
            };
            labels.iter().map(&mut read).collect::<rusqlite::Result<_>>()
        };
        read().map_err(|e| explain(&self.path, &e))
    }

    /// Keeps the vectors of labels.
    ///
    /// # Errors
    /// If the catalogue cannot be written.
    pub fn keep_labels(
        &self,
        embedder: &str,
        purpose: &str,
        labels: &[String],
        vectors: &[Vec<f32>],
    ) -> Result<(), Error> {
        self.at_once(|connection| {
            let sql = "INSERT OR REPLACE INTO labels (embedder, purpose, label, vector) VALUES (?1, ?2, ?3, ?4)";
            let mut statement = connection.prepare_cached(sql)?;
            for (label, vector) in labels.iter().zip(vectors) {
                statement.execute(params![embedder, purpose, label, bytes(vector)])?;
            }
            Ok(())
        })
    }
}

pub(super) fn bytes(vector: &[f32]) -> Vec<u8> {
    vector.iter().flat_map(|x| x.to_le_bytes()).collect()
}

pub(super) fn numbers(bytes: &[u8]) -> Vec<f32> {
    bytes.chunks_exact(4).map(|x| f32::from_le_bytes([x[0], x[1], x[2], x[3]])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_are_kept_by_embedder_and_purpose() {
        let folder = tempfile::tempdir().unwrap();
        let labels = ["bees", "chess"].map(String::from);
        let vectors = [vec![0.5, -1.25], vec![3.0, 4.0]];
        Catalog::open(folder.path()).unwrap().keep_labels("e5", "passage", &labels, &vectors).unwrap();
        let catalog = Catalog::open(folder.path()).unwrap();
        let asked = ["chess", "golf", "bees"].map(String::from);
        let found = catalog.labels("e5", "passage", &asked).unwrap();
        assert_eq!(found, [Some(vectors[1].clone()), None, Some(vectors[0].clone())]);
        assert_eq!(catalog.labels("e5", "query", &asked).unwrap(), [None, None, None]);
        assert_eq!(catalog.labels("bge", "passage", &asked).unwrap(), [None, None, None]);
    }
}
