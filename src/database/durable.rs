//! What is committed is on the disk.
//!
//! Lance's local writer leaves that to the system, so that a loss of power could take away people whom the catalogue
//! calls written, or leave a version without its files.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// File systems that keep times in whole seconds.
pub(super) const COARSE: Duration = Duration::from_secs(2);

/// Has the disk take the files of a table that were written since a time, and the folders that name them.
///
/// # Errors
/// If the disk does not take them.
pub(super) async fn sync_since(table: &Path, since: SystemTime) -> io::Result<()> {
    let (table, since) = (table.to_path_buf(), since.checked_sub(COARSE).unwrap_or(SystemTime::UNIX_EPOCH));
    tokio::task::spawn_blocking(move || sync(&table, since).map(|_| ())).await.map_err(io::Error::other)?
}

/// Whether there was anything new.
fn sync(folder: &Path, since: SystemTime) -> io::Result<bool> {
    let mut new = false;
    let mut folders: Vec<PathBuf> = vec![];
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let Some(about) = there(entry.metadata())? else { continue };
        if about.is_dir() {
            folders.push(entry.path());
        } else if about.modified()? >= since
            && let Some(file) = there(File::open(entry.path()))?
        {
            file.sync_all()?;
            new = true;
        }
    }
    for inner in folders {
        new |= sync(&inner, since)?;
    }
    if new {
        File::open(folder)?.sync_all()?;
    }
    Ok(new)
}

/// A file that was removed meanwhile needs no disk.
fn there<T>(found: io::Result<T>) -> io::Result<Option<T>> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Writes a small file whole or not at all: beside its place, to the disk, then renamed.
///
/// # Errors
/// If it cannot be written.
pub(super) fn write_whole(path: &Path, text: &str) -> io::Result<()> {
    let beside = path.with_extension(format!("{}.new", uuid::Uuid::new_v4().simple()));
    let written = fs::write(&beside, text).and_then(|()| File::open(&beside)?.sync_all());
    let placed = written.and_then(|()| fs::rename(&beside, path));
    if placed.is_err() {
        _ = fs::remove_file(&beside);
    }
    placed?;
    match path.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}
