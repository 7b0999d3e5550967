//! The catalogue: what was run. All that is done with SQLite.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OptionalExtension, Row, params};

/// The version of the catalogue's tables.
const VERSION: i64 = 1;

const TABLES: &str = "
    CREATE TABLE runs (
        id TEXT PRIMARY KEY,
        country TEXT NOT NULL,
        pack TEXT NOT NULL,
        seed INTEGER NOT NULL,
        given TEXT,
        narrator TEXT NOT NULL,
        destination TEXT NOT NULL,
        count INTEGER NOT NULL,
        embed INTEGER NOT NULL,
        status TEXT NOT NULL,
        done INTEGER NOT NULL DEFAULT 0,
        error TEXT,
        started TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ', 'now')),
        updated TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ', 'now'))
    ) STRICT;
    PRAGMA user_version = 1;
";

/// Why the catalogue did not answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    #[error("the catalogue {0} was made by a newer version of populace: update populace")]
    Newer(String),
    #[error("the catalogue {0} is locked by another process: try again when it is done")]
    Locked(String),
    #[error("the catalogue {0} cannot be written: {1}")]
    ReadOnly(String, String),
    #[error("the catalogue {0}: {1}")]
    Other(String, String),
}

/// A run as the catalogue has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    pub id: String,
    pub country: String,
    pub pack: String,
    pub seed: i64,
    pub given: Option<String>,
    pub narrator: String,
    pub table: String,
    pub count: u64,
    pub embed: bool,
    /// running, done, failed or cancelled; a run that was killed stays running
    pub status: String,
    pub done: u64,
    pub error: Option<String>,
    pub started: String,
    pub updated: String,
}

/// The catalogue of a database.
#[derive(Debug)]
pub struct Catalog {
    connection: Connection,
    path: String,
}

impl Catalog {
    /// Opens the catalogue of a database directory, made where it is not there yet.
    ///
    /// # Errors
    /// If it cannot be written, is locked, or is of a newer version.
    pub fn open(database: &Path) -> Result<Catalog, Error> {
        let path = database.join("catalog.sqlite").display().to_string();
        let connection = Connection::open(&path).map_err(|e| explain(&path, &e))?;
        let catalog = Catalog { connection, path };
        catalog.prepare()?;
        Ok(catalog)
    }

    fn prepare(&self) -> Result<(), Error> {
        let sql = |e: rusqlite::Error| explain(&self.path, &e);
        self.connection.busy_timeout(Duration::from_secs(10)).map_err(sql)?;
        self.connection.pragma_update(None, "journal_mode", "wal").map_err(sql)?;
        let version = || self.connection.query_row("PRAGMA user_version", [], |r| r.get::<_, i64>(0)).map_err(sql);
        if version()? == 0 {
            self.connection.execute_batch("BEGIN IMMEDIATE").map_err(sql)?;
            // Another process may have made the tables while this one waited for its turn.
            let made = match version()? {
                0 => self.connection.execute_batch(TABLES).map_err(sql),
                _ => Ok(()),
            };
            let end = if made.is_ok() { "COMMIT" } else { "ROLLBACK" };
            self.connection.execute_batch(end).map_err(sql)?;
            made?;
        }
        if version()? > VERSION {
            return Err(Error::Newer(self.path.clone()));
        }
        Ok(())
    }

    /// Notes the start of a run.
    ///
    /// # Errors
    /// If the catalogue cannot be written.
    pub fn start(&self, run: &Run) -> Result<(), Error> {
        let Run { id, country, pack, seed, given, narrator, table, count, embed, .. } = run;
        let sql = "INSERT INTO runs (id, country, pack, seed, given, narrator, destination, count, embed, status)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 'running')
                   ON CONFLICT (id) DO UPDATE SET status = 'running', error = NULL";
        self.execute(sql, params![id, country, pack, seed, given, narrator, table, *count as i64, embed])
    }

    /// Notes how far a run is, and how it stands.
    ///
    /// # Errors
    /// If the catalogue cannot be written.
    pub fn progress(&self, id: &str, done: u64, status: &str, error: Option<&str>) -> Result<(), Error> {
        let sql = "UPDATE runs SET done = ?2, status = ?3, error = ?4,
                   updated = strftime('%Y-%m-%dT%H:%M:%SZ', 'now') WHERE id = ?1";
        self.execute(sql, params![id, done as i64, status, error])
    }

    /// Marks a run that is not done as cancelled; false if there is no such run.
    ///
    /// # Errors
    /// If the catalogue cannot be written.
    pub fn cancel(&self, id: &str) -> Result<bool, Error> {
        let sql = "UPDATE runs SET status = 'cancelled' WHERE id = ?1 AND status <> 'done'";
        let changed = self.connection.execute(sql, [id]);
        Ok(changed.map_err(|e| explain(&self.path, &e))? > 0)
    }

    /// All runs, the newest first.
    ///
    /// # Errors
    /// If the catalogue cannot be read.
    pub fn runs(&self) -> Result<Vec<Run>, Error> {
        let rows = || {
            let mut statement = self.connection.prepare("SELECT * FROM runs ORDER BY id DESC")?;
            statement.query_map([], run)?.collect::<Result<Vec<Run>, _>>()
        };
        rows().map_err(|e| explain(&self.path, &e))
    }

    /// One run by its identifier, or by the beginning of it.
    ///
    /// # Errors
    /// If the catalogue cannot be read.
    pub fn run(&self, id: &str) -> Result<Option<Run>, Error> {
        let sql = "SELECT * FROM runs WHERE substr(id, 1, length(?1)) = ?1 ORDER BY id DESC LIMIT 1";
        self.connection.query_row(sql, [id], run).optional().map_err(|e| explain(&self.path, &e))
    }

    fn execute(&self, sql: &str, values: impl rusqlite::Params) -> Result<(), Error> {
        self.connection.execute(sql, values).map_err(|e| explain(&self.path, &e))?;
        Ok(())
    }
}

fn run(row: &Row) -> rusqlite::Result<Run> {
    Ok(Run {
        id: row.get("id")?,
        country: row.get("country")?,
        pack: row.get("pack")?,
        seed: row.get("seed")?,
        given: row.get("given")?,
        narrator: row.get("narrator")?,
        table: row.get("destination")?,
        count: row.get::<_, i64>("count")? as u64,
        embed: row.get("embed")?,
        status: row.get("status")?,
        done: row.get::<_, i64>("done")? as u64,
        error: row.get("error")?,
        started: row.get("started")?,
        updated: row.get("updated")?,
    })
}

fn explain(path: &str, error: &rusqlite::Error) -> Error {
    let (path, text) = (path.to_string(), error.to_string());
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Error::Locked(path),
        Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::DiskFull | ErrorCode::PermissionDenied) => {
            Error::ReadOnly(path, text)
        }
        _ => Error::Other(path, text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newer_catalogue_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        drop(Catalog::open(folder.path()).unwrap());
        assert!(Catalog::open(folder.path()).unwrap().runs().unwrap().is_empty());
        let connection = Connection::open(folder.path().join("catalog.sqlite")).unwrap();
        connection.pragma_update(None, "user_version", 99).unwrap();
        assert!(matches!(Catalog::open(folder.path()), Err(Error::Newer(_))));
    }
}
