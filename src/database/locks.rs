//! Who writes a table, and who reads it, within the process and among processes.
//!
//! A writer has the table's file locked; a reader has a file of its own locked, whose name says which version it reads.
//! The system unlocks both when a process ends, however it does. On file systems where locks do nothing (NFS without a
//! lock daemon, some FUSE) one process at a time is to use the database.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::OwnedMutexGuard;

/// The longest pause between two looks at a lock that another process has.
const PAUSE: Duration = Duration::from_millis(25);

/// Keeps other writers waiting until it is dropped.
#[derive(Debug)]
pub(super) struct TableLock {
    _file: File,
    _turn: OwnedMutexGuard<()>,
}

/// The version that stands for all of a table: whoever opens it does not know yet which it will read.
pub(super) const ANY: u64 = 0;

/// Says that a version of a table is read, until it is dropped.
#[derive(Debug)]
pub(super) struct ReadLease {
    path: PathBuf,
    _file: File,
}

impl Drop for ReadLease {
    fn drop(&mut self) {
        _ = fs::remove_file(&self.path);
    }
}

type Turns = HashMap<String, Weak<tokio::sync::Mutex<()>>>;
type Leases = HashMap<(String, u64), Weak<ReadLease>>;

/// The locks of a database, in a folder of their own.
#[derive(Debug)]
pub(super) struct Locks {
    folder: PathBuf,
    turns: Mutex<Turns>,
    leases: Mutex<Leases>,
}

impl Locks {
    pub fn new(folder: PathBuf) -> Locks {
        Locks { folder, turns: Mutex::default(), leases: Mutex::default() }
    }

    /// Waits until nobody else writes what goes by `key`. No thread waits: whoever gives up, by being dropped, is gone.
    pub async fn lock(&self, key: &str) -> io::Result<TableLock> {
        let turn = self.turn(key).lock_owned().await;
        let file = self.file(key)?;
        let mut pause = Duration::from_millis(1);
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(TableLock { _file: file, _turn: turn }),
                Err(TryLockError::WouldBlock) => tokio::time::sleep(pause).await,
                Err(TryLockError::Error(error)) => return Err(error),
            }
            pause = (pause * 2).min(PAUSE);
        }
    }

    /// The lock, if nobody else has it.
    pub fn try_lock(&self, key: &str) -> io::Result<Option<TableLock>> {
        let Ok(turn) = self.turn(key).try_lock_owned() else { return Ok(None) };
        let file = self.file(key)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(TableLock { _file: file, _turn: turn })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// Removes the file of a lock that nobody will ask for again.
    pub fn forget(&self, key: &str) {
        _ = fs::remove_file(self.folder.join(format!("{key}.lock")));
    }

    fn turn(&self, key: &str) -> Arc<tokio::sync::Mutex<()>> {
        let mut turns = held(&self.turns);
        if let Some(turn) = turns.get(key).and_then(Weak::upgrade) {
            return turn;
        }
        turns.retain(|_, turn| turn.strong_count() > 0);
        let turn = Arc::default();
        turns.insert(key.into(), Arc::downgrade(&turn));
        turn
    }

    fn file(&self, key: &str) -> io::Result<File> {
        fs::create_dir_all(&self.folder)?;
        let path = self.folder.join(format!("{key}.lock"));
        File::options().create(true).truncate(false).write(true).open(path)
    }

    /// Says that a version of a table is read. All readers of it in the process share one file.
    ///
    /// # Errors
    /// If the folder cannot be written.
    pub fn read(&self, table: &str, version: u64) -> io::Result<Arc<ReadLease>> {
        let mut leases = held(&self.leases);
        let key = (table.to_string(), version);
        if let Some(lease) = leases.get(&key).and_then(Weak::upgrade) {
            return Ok(lease);
        }
        leases.retain(|_, lease| lease.strong_count() > 0);
        fs::create_dir_all(&self.folder)?;
        loop {
            let name = format!("{table}.{version}.{}.reader", uuid::Uuid::new_v4().simple());
            let path = self.folder.join(name);
            let file = File::options().create_new(true).write(true).open(&path)?;
            // Whoever looks for readers that died may take this one for such before it is locked.
            if file.try_lock().is_ok() && path.exists() {
                let lease = Arc::new(ReadLease { path, _file: file });
                leases.insert(key, Arc::downgrade(&lease));
                return Ok(lease);
            }
        }
    }

    /// The versions of a table that are read, by any process; [`ANY`] among them where somebody is about to.
    ///
    /// # Errors
    /// If the folder cannot be read.
    pub fn readers(&self, table: &str) -> io::Result<HashSet<u64>> {
        let mut versions = HashSet::new();
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(versions),
            Err(error) => return Err(error),
        };
        for entry in entries {
            let path = entry?.path();
            if let Some(version) = version_read(&path, table)
                && is_held(&path)
            {
                versions.insert(version);
            }
        }
        Ok(versions)
    }
}

fn version_read(path: &Path, table: &str) -> Option<u64> {
    let name = path.file_name()?.to_str()?.strip_suffix(".reader")?;
    let (version, _) = name.strip_prefix(table)?.strip_prefix('.')?.split_once('.')?;
    version.parse().ok()
}

/// Whether a reader lives; the file of one that does not is removed.
fn is_held(path: &Path) -> bool {
    let Ok(file) = File::open(path) else { return false };
    match file.try_lock() {
        Ok(()) => {
            _ = fs::remove_file(path);
            false
        }
        Err(_) => true,
    }
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn writers_take_turns_and_readers_are_seen() {
        let folder = tempfile::tempdir().unwrap();
        let (ours, theirs) = (Locks::new(folder.path().join("locks")), Locks::new(folder.path().join("locks")));
        assert!(ours.readers("t").unwrap().is_empty());
        let lock = ours.lock("t").await.unwrap();
        assert!(theirs.try_lock("t").unwrap().is_none() && ours.try_lock("t").unwrap().is_none());
        assert!(theirs.try_lock("u").unwrap().is_some());
        drop(lock);
        assert!(theirs.try_lock("t").unwrap().is_some());
        let (one, same) = (ours.read("t", 3).unwrap(), ours.read("t", 3).unwrap());
        let other = theirs.read("t", 5).unwrap();
        assert_eq!(theirs.readers("t").unwrap(), HashSet::from([3, 5]));
        drop((one, other));
        assert_eq!(theirs.readers("t").unwrap(), HashSet::from([3]));
        drop(same);
        // One whose process died leaves its file.
        std::fs::write(folder.path().join("locks/t.7.x.reader"), "").unwrap();
        assert!(theirs.readers("t").unwrap().is_empty());
        assert_eq!(std::fs::read_dir(folder.path().join("locks")).unwrap().count(), 2);
    }
}
