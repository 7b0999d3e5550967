//! The catalogue: what was run, and what models answered. All that is done with SQLite.

mod batches;
mod budgets;
mod calls;
mod failures;
mod labels;
mod narratives;
mod owners;
mod runs;
mod tables;
mod tokens;
mod vectors;
mod writer;

use std::path::Path;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};
use tokio::runtime::{Handle, RuntimeFlavor};

pub use batches::{Batch, OpenBatch};
pub use budgets::{Account, Amount, Bounds, Exhausted};
pub use calls::{Answer, Call, CallTotals, Claim, Claimed, Forget, Typical};
pub use failures::Failures;
pub use owners::AtWork;
pub use runs::{Run, Status, Work};
pub use tables::{Named, OnExisting, TableCountries, TableEntry, TableState};
pub use tokens::{Role, SecretHash, Token, TokenLimits};
pub use vectors::ClaimedVectors;
pub use writer::Stop;

/// What brings the tables from each version to the next.
const MIGRATIONS: &[&str] = &[
    "CREATE TABLE runs (
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
    ) STRICT;",
    // A run is a draw or a statement; the calls to models.
    "ALTER TABLE runs RENAME TO runs_1;
    CREATE TABLE runs (
        id TEXT PRIMARY KEY,
        statement TEXT,
        country TEXT,
        pack TEXT,
        seed INTEGER,
        given TEXT,
        count INTEGER,
        narrator TEXT NOT NULL,
        destination TEXT NOT NULL,
        embed INTEGER NOT NULL,
        status TEXT NOT NULL,
        done INTEGER NOT NULL DEFAULT 0,
        error TEXT,
        started TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ', 'now')),
        updated TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ', 'now'))
    ) STRICT;
    INSERT INTO runs (id, country, pack, seed, given, count, narrator, destination, embed, status, done, error, started,
                      updated)
    SELECT id, country, pack, seed, given, count, narrator, destination, embed, status, done, error, started, updated
    FROM runs_1;
    DROP TABLE runs_1;
    CREATE TABLE calls (
        id INTEGER PRIMARY KEY,
        key BLOB NOT NULL,
        run TEXT,
        model TEXT NOT NULL,
        texts TEXT NOT NULL,
        letters INTEGER NOT NULL,
        outcome TEXT NOT NULL,
        answer TEXT,
        error TEXT,
        finish_reason TEXT,
        attempts INTEGER NOT NULL,
        prompt_tokens INTEGER,
        completion_tokens INTEGER,
        latency_ms INTEGER NOT NULL,
        cost_usd REAL,
        at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ', 'now'))
    ) STRICT;
    CREATE INDEX calls_by_key ON calls (key) WHERE outcome = 'answered';
    CREATE INDEX calls_by_run ON calls (run);
    CREATE INDEX calls_by_texts ON calls (model, texts) WHERE outcome = 'answered';",
    // Narratives of the user's own; the kinds that a run writes, where it was told which; runs that take sound people
    // alone, or have a judge.
    "CREATE TABLE narratives (
        name TEXT PRIMARY KEY,
        template TEXT NOT NULL,
        added TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ', 'now'))
    ) STRICT;
    ALTER TABLE runs ADD COLUMN narratives TEXT;
    ALTER TABLE runs ADD COLUMN exactly INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE runs ADD COLUMN judge TEXT;",
    // Requests that a provider was handed together, and the runs that do so.
    "CREATE TABLE batches (
        id TEXT PRIMARY KEY,
        provider_id TEXT,
        run TEXT,
        base TEXT NOT NULL,
        model TEXT NOT NULL,
        state TEXT NOT NULL,
        requests INTEGER NOT NULL,
        done INTEGER NOT NULL DEFAULT 0,
        submitted TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ', 'now')),
        updated TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ', 'now'))
    ) STRICT;
    CREATE TABLE batch_calls (key BLOB NOT NULL, batch TEXT NOT NULL, PRIMARY KEY (batch, key)) STRICT, WITHOUT ROWID;
    ALTER TABLE runs ADD COLUMN batch INTEGER NOT NULL DEFAULT 0;",
    // Answers of which some is of use are found again too.
    "DROP INDEX calls_by_key;
    CREATE INDEX calls_by_key ON calls (key) WHERE answer IS NOT NULL;",
    // Texts in another language than the pack's own.
    "ALTER TABLE runs ADD COLUMN language TEXT;",
    tables::MIGRATION,
    owners::MIGRATION,
    // What a run may spend, also when it is resumed.
    "ALTER TABLE runs ADD COLUMN max_calls INTEGER;
    ALTER TABLE runs ADD COLUMN max_tokens INTEGER;
    ALTER TABLE runs ADD COLUMN max_cost_usd REAL;",
    labels::MIGRATION,
    vectors::MIGRATION,
    tokens::MIGRATION,
];

/// Why the catalogue did not answer.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    #[error("the catalogue {0} was made by a newer version of populace: update populace")]
    Newer(String),
    #[error("the catalogue {0} is locked by another process: try again when it is done")]
    Locked(String),
    #[error("the catalogue {0} cannot be written: {1}")]
    ReadOnly(String, String),
    #[error("run {0} is at work {1}: `populace runs cancel {0}` ends it there")]
    AtWork(String, AtWork),
    #[error("the catalogue {0}: {1}")]
    Other(String, String),
}

/// The catalogue of a database.
#[derive(Debug)]
pub struct Catalog {
    connection: Mutex<Connection>,
    path: String,
    owner: owners::Owner,
    watched: writer::Watched,
    writer: OnceLock<writer::Writer>,
}

impl Catalog {
    /// Opens the catalogue of a database directory, made where it is not there yet.
    ///
    /// # Errors
    /// If it cannot be written, is locked, or is of a newer version.
    pub fn open(database: &Path) -> Result<Catalog, Error> {
        let path = database.join("catalog.sqlite").display().to_string();
        let connection = connect(&path)?;
        migrate(&connection, &path)?;
        Ok(Catalog::new(connection, path))
    }

    /// Opens a catalogue that is there for reading alone, in a folder that cannot be written: then nobody else writes it
    /// either.
    ///
    /// # Errors
    /// If it cannot be read, or is of another version than this program's.
    pub fn open_read_only(database: &Path) -> Result<Catalog, Error> {
        let path = database.join("catalog.sqlite").display().to_string();
        let sql = |e: rusqlite::Error| explain(&path, &e);
        let encoded = path.replace('%', "%25").replace('?', "%3f").replace('#', "%23");
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
        let connection = Connection::open_with_flags(format!("file:{encoded}?immutable=1"), flags).map_err(sql)?;
        let version = connection.query_row("PRAGMA user_version", [], |r| r.get::<_, i64>(0)).map_err(sql)?;
        match version == MIGRATIONS.len() as i64 {
            true => Ok(Catalog::new(connection, path)),
            false => Err(Error::ReadOnly(path, "it is of an older version, and would have to be migrated".into())),
        }
    }

    fn new(connection: Connection, path: String) -> Catalog {
        Catalog {
            connection: Mutex::new(connection),
            path,
            owner: owners::Owner::new(),
            watched: writer::Watched::default(),
            writer: OnceLock::new(),
        }
    }

    fn writer(&self) -> &writer::Writer {
        self.writer.get_or_init(|| writer::Writer::start(self.path.clone(), self.owner.clone(), self.watched.clone()))
    }

    /// Writes without keeping a task from its work; what comes together is committed together.
    async fn write<T: Send + 'static>(
        &self,
        write: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Error> {
        let gone = |_| Error::Other(self.path.clone(), "its writer has ended".into());
        self.writer().write(write).await.map_err(gone)?
    }

    /// The same, of which nobody hears.
    fn post(&self, write: impl FnOnce(&Connection) -> rusqlite::Result<()> + Send + 'static) {
        drop(self.writer().write(write));
    }

    /// Writes at once, in a transaction; other tasks of the thread find another meanwhile.
    fn at_once<T>(&self, write: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, Error> {
        let work = || {
            let mut connection = self.connection();
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let value = write(&transaction)?;
            transaction.commit()?;
            Ok(value)
        };
        let many = Handle::try_current().is_ok_and(|h| h.runtime_flavor() == RuntimeFlavor::MultiThread);
        let done = if many { tokio::task::block_in_place(work) } else { work() };
        done.map_err(|e| explain(&self.path, &e))
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn execute(&self, sql: &str, values: impl rusqlite::Params) -> Result<usize, Error> {
        self.at_once(|connection| connection.execute(sql, values))
    }
}

/// How long others are waited for.
const PATIENCE: Duration = Duration::from_secs(10);

fn connect(path: &str) -> Result<Connection, Error> {
    let sql = |e: rusqlite::Error| explain(path, &e);
    let connection = Connection::open(path).map_err(sql)?;
    connection.busy_timeout(PATIENCE).map_err(sql)?;
    // Of two that make a new file one to be written ahead, SQLite turns one away at once, whatever the timeout.
    let started = Instant::now();
    loop {
        match connection.pragma_update(None, "journal_mode", "wal") {
            Err(error)
                if started.elapsed() < PATIENCE && error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) =>
            {
                thread::sleep(Duration::from_millis(5));
            }
            done => break done.map_err(sql)?,
        }
    }
    connection.pragma_update(None, "synchronous", "normal").map_err(sql)?;
    Ok(connection)
}

fn migrate(connection: &Connection, path: &str) -> Result<(), Error> {
    let sql = |e: rusqlite::Error| explain(path, &e);
    let version = || connection.query_row("PRAGMA user_version", [], |r| r.get::<_, i64>(0)).map_err(sql);
    let newest = MIGRATIONS.len() as i64;
    if version()? < newest {
        connection.execute_batch("BEGIN IMMEDIATE").map_err(sql)?;
        // Another process may have done it while this one waited for its turn.
        let made = version().and_then(|from| {
            let steps = MIGRATIONS.iter().skip(from.max(0) as usize);
            steps.map(|s| connection.execute_batch(s).map_err(sql)).collect::<Result<Vec<()>, _>>()?;
            connection.pragma_update(None, "user_version", newest).map_err(sql)
        });
        connection.execute_batch(if made.is_ok() { "COMMIT" } else { "ROLLBACK" }).map_err(sql)?;
        made?;
    }
    if version()? > newest { Err(Error::Newer(path.into())) } else { Ok(()) }
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

    #[test]
    fn many_make_a_catalogue_at_once() {
        for _ in 0..40 {
            let folder = tempfile::tempdir().unwrap();
            let together = std::sync::Barrier::new(8);
            let open = || {
                together.wait();
                Catalog::open(folder.path()).map(drop)
            };
            thread::scope(|scope| {
                let opened: Vec<_> = (0..8).map(|_| scope.spawn(open)).collect();
                opened.into_iter().for_each(|one| one.join().unwrap().unwrap());
            });
        }
    }

    #[test]
    fn a_catalogue_is_read_where_it_cannot_be_written() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("50% of #1?");
        std::fs::create_dir(&place).unwrap();
        assert!(Catalog::open_read_only(&place).is_err());
        let catalog = Catalog::open(&place).unwrap();
        catalog.begin_table("1", "usa", "1.lance").unwrap();
        catalog.publish_table("1", OnExisting::Fail).unwrap();
        drop(catalog);
        let catalog = Catalog::open_read_only(&place).unwrap();
        assert_eq!(catalog.table("usa").unwrap().unwrap().id, "1");
        assert!(matches!(catalog.drop_table("1"), Err(Error::ReadOnly(..))));
    }

    #[test]
    fn an_older_catalogue_keeps_its_runs() {
        let folder = tempfile::tempdir().unwrap();
        let connection = Connection::open(folder.path().join("catalog.sqlite")).unwrap();
        connection.execute_batch(MIGRATIONS[0]).unwrap();
        connection.pragma_update(None, "user_version", 1).unwrap();
        let insert = "INSERT INTO runs (id, country, pack, seed, narrator, destination, count, embed, status, done)
                      VALUES ('a1', 'usa', 'usa@0', 7, 'outline', 'people', 100, 1, 'running', 50)";
        connection.execute_batch(insert).unwrap();
        let run = Catalog::open(folder.path()).unwrap().run("a1").unwrap().unwrap();
        assert_eq!((run.done, run.status, run.table.as_str()), (50, Status::Interrupted, "people"));
        assert!(matches!(run.work, Work::Generate { seed: 7, count: 100, .. }));
    }

    #[test]
    fn a_file_that_is_no_catalogue_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("catalog.sqlite"), "nothing of the kind, and long enough to be seen")
            .unwrap();
        assert!(matches!(Catalog::open(folder.path()), Err(Error::Other(..))));
    }
}
