//! What is committed is whole.
//!
//! Lance's local writer forgets it when its last write to a file fails: on a disk that is full, or broken, a file comes to
//! its place without its end and is committed, and the table cannot be read any more. Whoever commits looks at the files
//! before it lets go of the table, and takes a version back that is not whole.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use lance::dataset::Dataset;
use lance::dataset::builder::DatasetBuilder;
use lance::index::DatasetIndexExt;

use super::durable::COARSE;

/// Why the newest version of a table is not whole, as far as it was written since a time: a file that is shorter than it
/// says, or cannot be read.
///
/// # Errors
/// If that is so.
pub(super) async fn check(table: &Path, since: SystemTime) -> Result<(), String> {
    // Without what is remembered of files: they are read anew.
    let read = DatasetBuilder::from_uri(table.to_string_lossy()).load().await;
    let dataset = read.map_err(|e| super::versions::plain(&e))?;
    let since = since.checked_sub(COARSE).unwrap_or(SystemTime::UNIX_EPOCH);
    for (path, size) in sizes(&dataset, table).await? {
        // What was broken before is not this writer's, who may be about to mend it.
        let Ok(about) = fs::metadata(&path) else { continue };
        if about.len() != size && about.modified().is_ok_and(|at| at >= since) {
            return Err(format!("{} has {} bytes of {size}", path.display(), about.len()));
        }
    }
    // Which rows are deleted is in small files that say nothing of their size, named by the file of rows that they are of.
    for entry in fs::read_dir(table.join("_deletions")).into_iter().flatten().flatten() {
        let new = entry.metadata().and_then(|about| about.modified()).is_ok_and(|at| at >= since);
        let of = entry.file_name().to_str().and_then(|name| name.split('-').next()?.parse().ok());
        if let (true, Some(fragment)) = (new, of.and_then(|id| dataset.get_fragment(id))) {
            fragment.get_deletion_vector().await.map_err(|e| super::versions::plain(&e))?;
        }
    }
    Ok(())
}

/// The files of a version's rows and indexes, and how large it says they are.
async fn sizes(dataset: &Dataset, table: &Path) -> Result<Vec<(PathBuf, u64)>, String> {
    let mut files = vec![];
    for file in dataset.fragments().iter().flat_map(|fragment| &fragment.files) {
        if let (Some(size), None) = (file.file_size_bytes.get(), file.base_id) {
            files.push((table.join("data").join(&file.path), size.get()));
        }
    }
    let indexes = dataset.load_indices().await.map_err(|e| super::versions::plain(&e))?;
    for index in indexes.iter().filter(|index| index.base_id.is_none()) {
        let folder = table.join("_indices").join(index.uuid.to_string());
        let of_index = index.files.iter().flatten();
        files.extend(of_index.map(|file| (folder.join(&file.path), file.size_bytes)));
    }
    Ok(files)
}

/// Takes the newest version of a table back if it is newer than `base`; whether there was one.
///
/// # Errors
/// If it cannot be removed.
pub(super) fn take_back(table: &Path, base: u64) -> io::Result<bool> {
    let folder = table.join("_versions");
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    let numbered = entries.flatten().filter_map(|entry| Some((version(entry.file_name().to_str()?)?, entry.path())));
    let Some((_, path)) = numbered.filter(|(version, _)| *version > base).max_by_key(|(version, _)| *version) else {
        return Ok(false);
    };
    fs::remove_file(path)?;
    File::open(folder)?.sync_all()?;
    Ok(true)
}

/// The version that a manifest is of: newer ones have names that come first in order, of twenty digits.
fn version(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".manifest")?;
    let number: u64 = digits.parse().ok()?;
    Some(if digits.len() == 20 { u64::MAX - number } else { number })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_told_by_the_names_of_their_manifests() {
        assert_eq!(version("18446744073709551612.manifest"), Some(3));
        assert_eq!(version("3.manifest"), Some(3));
        assert_eq!(version("latest_version_hint.json"), None);
        let table = tempfile::tempdir().unwrap();
        assert!(!take_back(table.path(), 0).unwrap());
        let folder = table.path().join("_versions");
        fs::create_dir(&folder).unwrap();
        for version in 1..=3u64 {
            fs::write(folder.join(format!("{:020}.manifest", u64::MAX - version)), "").unwrap();
        }
        assert!(take_back(table.path(), 2).unwrap());
        assert!(!take_back(table.path(), 2).unwrap());
        assert_eq!(fs::read_dir(folder).unwrap().count(), 2);
    }
}
