//! The one way to change a table: whoever has its writer has it alone, among all processes.

use std::io;
use std::pin::pin;
use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime};

use chrono::{DateTime, Utc};
use datafusion::common::{Result, exec_datafusion_err, exec_err};
use lance::dataset::Dataset;

use super::durable::sync_since;
use super::locks::TableLock;
use super::{Database, StoredTable, VIEW, check_name, in_catalog, unreadable, whole};
use crate::catalog::{Named, TableState};

/// How long others who write are waited for before that is said.
const SOON: Duration = Duration::from_secs(2);

/// How long the files of a table that was dropped or replaced stay, for whoever wants it back.
const KEPT: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// A table and its lock: as long as this lives, nobody else changes the table, drops it or gives it another name.
#[derive(Debug)]
pub struct TableWriter<'a> {
    pub(super) database: &'a Database,
    pub(super) table: StoredTable,
    /// When the lock was had: what is newer on the disk was written under it
    since: SystemTime,
    /// The version that was the newest then, once it was read
    base: OnceLock<u64>,
    _lock: TableLock,
}

impl Database {
    /// Waits until nobody else writes a table, and keeps others waiting until the writer is dropped.
    ///
    /// # Errors
    /// If there is no such table, or the database cannot be written.
    pub async fn write(&self, name: &str) -> Result<TableWriter<'_>> {
        loop {
            let table = self.existing(name)?;
            let lock = self.lock(&table.id).await?;
            // Another may have been given the name while this waited.
            if self.find(name)?.is_some_and(|now| now.id == table.id) {
                return Ok(TableWriter::new(self, table, lock));
            }
        }
    }

    /// The same for a table that was found before, whatever it is called now.
    ///
    /// # Errors
    /// If the table was dropped or replaced meanwhile, or the database cannot be written.
    pub(super) async fn write_again(&self, table: &StoredTable) -> Result<TableWriter<'_>> {
        let lock = self.lock(&table.id).await?;
        match self.catalog()?.table_by_id(&table.id).map_err(in_catalog)? {
            Some(entry) if entry.state == TableState::There => Ok(TableWriter::new(self, self.stored(entry), lock)),
            _ => exec_err!(
                "the table {} was dropped or replaced while it was written; run the statement again",
                table.name
            ),
        }
    }

    /// Waits for the lock that goes by a key; one that waits long says so.
    pub(super) async fn lock(&self, key: &str) -> Result<TableLock> {
        self.create()?;
        let mut lock = pin!(self.shared.locks.lock(key));
        let had = match tokio::time::timeout(SOON, &mut lock).await {
            Ok(had) => had,
            Err(_) => {
                let table = self.catalog()?.table_by_id(key).map_err(in_catalog)?;
                let what = table.map_or_else(|| "what this would write".into(), |t| format!("the table {}", t.name));
                self.notice(format!("another statement writes {what}: waiting until it is done"));
                lock.await
            }
        };
        had.map_err(|e| self.cannot_be_written(&e))
    }

    /// Takes turns with others who make a table of a name.
    pub(super) async fn lock_name(&self, name: &str) -> Result<TableLock> {
        check_name(name)?;
        self.lock(&format!("name-{}", &blake3::hash(name.as_bytes()).to_hex()[..32])).await
    }

    /// Takes a table's name away. What reads it goes on; its files stay for some days, in which
    /// [`undrop`](Self::undrop) has it back. A table that cannot be read any more can be dropped.
    ///
    /// # Errors
    /// If there is no such table, or the database cannot be written.
    pub async fn drop_table(&self, name: &str) -> Result<()> {
        self.write(name).await?.drop()
    }

    /// Gives back a table that was dropped or replaced, the last of its name.
    ///
    /// # Errors
    /// If there is none, its files are gone, or another table has the name.
    pub async fn undrop(&self, name: &str) -> Result<()> {
        let _name = self.lock_name(name).await?;
        let catalog = self.catalog()?;
        let dropped = catalog.dropped_tables().map_err(in_catalog)?;
        let Some(entry) = dropped.iter().find(|t| t.name == name) else {
            let mut names: Vec<&str> = dropped.iter().map(|t| t.name.as_str()).collect();
            names.dedup();
            return match names.is_empty() {
                true => exec_err!("there is no dropped table {name}, nor any other"),
                false => exec_err!("there is no dropped table {name}. There are: {}", names.join(", ")),
            };
        };
        let lock = self.lock(&entry.id).await?;
        let table = self.stored(entry.clone());
        if !table.path.is_dir() {
            drop(lock);
            catalog.forget_table(&table.id).map_err(in_catalog)?;
            return exec_err!("the files of the dropped table {name} are gone");
        }
        match catalog.undrop_table(&table.id).map_err(in_catalog)? {
            Named::Done => Ok(()),
            Named::Taken(_) => exec_err!(
                "there is a table {name} again: ALTER TABLE {name} RENAME TO another_name makes room for the one that was dropped"
            ),
            Named::Gone => exec_err!("the dropped table {name} was given back or removed by another"),
        }
    }

    /// Removes the files of tables that were dropped longer ago than `keep`, and of those whose making was cut short;
    /// how many. A table that somebody reads still stays until the next time.
    ///
    /// # Errors
    /// If the catalogue cannot be read or written.
    pub fn remove_dropped(&self, keep: Duration) -> Result<u64> {
        let Some(catalog) = self.existing_catalog()? else { return Ok(0) };
        let mut removed = 0;
        let begun = catalog.begun_tables().map_err(in_catalog)?;
        let dropped = catalog.dropped_tables().map_err(in_catalog)?;
        for entry in begun.into_iter().chain(dropped) {
            if entry.dropped.as_deref().is_some_and(|at| age(at) < keep) {
                continue;
            }
            // Whoever makes it, gives it back or removes it has its lock.
            let Ok(Some(lock)) = self.shared.locks.try_lock(&entry.id) else { continue };
            let now = catalog.table_by_id(&entry.id).map_err(in_catalog)?;
            if now.is_none_or(|now| now.state != entry.state)
                || !self.shared.locks.readers(&entry.id).is_ok_and(|r| r.is_empty())
            {
                continue;
            }
            let table = self.stored(entry);
            let gone = std::fs::remove_dir_all(&table.path);
            if gone.is_ok() || !table.path.exists() {
                catalog.forget_table(&table.id).map_err(in_catalog)?;
                removed += 1;
            }
            drop(lock);
            self.shared.locks.forget(&table.id);
        }
        Ok(removed)
    }

    /// The same for what is long past, where that is nobody's statement: what cannot be removed is left for another time.
    pub(super) fn sweep(&self) {
        _ = self.remove_dropped(KEPT);
    }
}

/// How long ago a time of the catalogue is.
fn age(at: &str) -> Duration {
    let since = DateTime::parse_from_rfc3339(at).map(|at| Utc::now().signed_duration_since(at));
    since.ok().and_then(|since| since.to_std().ok()).unwrap_or_default()
}

impl<'a> TableWriter<'a> {
    fn new(database: &'a Database, table: StoredTable, lock: TableLock) -> TableWriter<'a> {
        TableWriter { database, table, since: SystemTime::now(), base: OnceLock::new(), _lock: lock }
    }
}

impl TableWriter<'_> {
    /// The table's name.
    pub fn name(&self) -> &str {
        &self.table.name
    }

    /// The newest version.
    pub(super) async fn newest(&self) -> Result<Dataset> {
        let newest = self.database.load(&self.table.path, None).await.map_err(|e| unreadable(&self.table.name, e))?;
        self.base.get_or_init(|| newest.version().version);
        Ok(newest)
    }

    /// Has the disk take what was written since the table was locked.
    ///
    /// # Errors
    /// If it does not.
    pub(super) async fn flush(&self) -> Result<()> {
        let (name, path) = (&self.table.name, &self.table.path);
        let failed = |e: io::Error| exec_datafusion_err!("the table {name} could not be brought to the disk: {e}");
        let begun = Instant::now();
        sync_since(path, self.since).await.map_err(failed)?;
        tracing::debug!(table = name, milliseconds = begun.elapsed().as_millis() as u64, "on the disk");
        Ok(())
    }

    /// The same after a commit. Versions that are not whole are taken back.
    ///
    /// # Errors
    /// If the disk does not take it, or there are such.
    pub(super) async fn sync(&self) -> Result<()> {
        self.flush().await?;
        let (name, path) = (&self.table.name, &self.table.path);
        let Err(why) = whole::check(path, self.since).await else { return Ok(()) };
        let mut broken = self.base.get().is_some_and(|base| whole::take_back(path, *base).unwrap_or(false));
        while broken && whole::check(path, self.since).await.is_err() {
            broken = self.base.get().is_some_and(|base| whole::take_back(path, *base).unwrap_or(false));
        }
        exec_err!("the table {name} cannot be written: the disk took a part of it alone, and it is as it was ({why})")
    }

    /// As [`Database::drop_table`].
    ///
    /// # Errors
    /// If the catalogue cannot be written.
    pub fn drop(self) -> Result<()> {
        match self.database.catalog()?.drop_table(&self.table.id).map_err(in_catalog)? {
            Named::Done => Ok(()),
            Named::Taken(_) | Named::Gone => exec_err!("there is no table {}", self.table.name),
        }
    }

    /// Drops the table if it has no rows.
    ///
    /// # Errors
    /// If it cannot be read, or the catalogue cannot be written.
    pub async fn drop_if_empty(self) -> Result<()> {
        match self.newest().await?.count_rows(None).await? {
            0 => self.drop(),
            _ => Ok(()),
        }
    }

    /// Gives the table another name.
    ///
    /// # Errors
    /// If the name is none, or another table has it.
    pub fn rename(self, to: &str) -> Result<()> {
        check_name(to)?;
        if to == VIEW {
            return exec_err!("{VIEW} is the view over all tables: choose another name");
        }
        match self.database.catalog()?.rename_table(&self.table.id, to).map_err(in_catalog)? {
            Named::Done => Ok(()),
            Named::Taken(_) => exec_err!("there is a table {to} already"),
            Named::Gone => exec_err!("there is no table {}", self.table.name),
        }
    }
}
