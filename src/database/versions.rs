//! The versions of a table: what made each, names for them, going back to one, and keeping the files in shape.

use std::collections::HashMap;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use datafusion::common::{DataFusionError, Result, exec_datafusion_err, exec_err};
use futures::{StreamExt, TryStreamExt, stream};
use lance::dataset::Dataset;
use lance::dataset::cleanup::{CleanupPolicy, RemovalStats};
use lance::dataset::optimize::{CompactionOptions, compact_files};
use lance::table::format::Fragment;
use populace_population::there_are;

use super::append::RUN;
use super::indexes::indexes;
use super::locks::ANY;
use super::{Database, Snapshot, TableWriter};

/// Versions whose transactions are read at once.
const AT_ONCE: usize = 8;

/// Files of fewer rows are written together when so many of them follow each other.
const SMALL: usize = 16_384;
const MANY: usize = 32;

/// Rows that are read at once to be written anew: with their texts and vectors some 20 MiB.
const REWRITTEN: usize = 512;

pub use crate::sql::At;

/// What is known of a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    pub version: u64,
    pub time: DateTime<Utc>,
    /// What made it, in a word
    pub operation: &'static str,
    pub rows: Option<u64>,
    /// The run that wrote it
    pub run: Option<String>,
    /// In their order
    pub tags: Vec<String>,
}

/// A step of keeping a table's files in shape, and what it did, or why not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    pub name: &'static str,
    pub done: Result<String, String>,
}

impl Database {
    /// The versions of a table that are kept, the newest first.
    ///
    /// # Errors
    /// If there is no such table, or it cannot be read.
    pub async fn versions(&self, table: &str) -> Result<Vec<Version>> {
        let snapshot = self.newest(table).await?;
        let dataset = &snapshot.dataset;
        let mut tags: HashMap<u64, Vec<String>> = HashMap::new();
        for (tag, contents) in dataset.tags().list().await? {
            tags.entry(contents.version).or_default().push(tag);
        }
        let versions = dataset.versions().await?;
        let read = versions.into_iter().rev().map(|version| {
            let mut tags = tags.remove(&version.version).unwrap_or_default();
            tags.sort();
            async move {
                let made = dataset.read_version_transaction(version.version).await?.transaction;
                let properties = made.as_ref().and_then(|t| t.transaction_properties.clone());
                Ok(Version {
                    version: version.version,
                    time: version.timestamp,
                    operation: made.map_or("unknown", |t| operation(t.operation.name())),
                    rows: version.metadata.get("total_rows").and_then(|rows| rows.parse().ok()),
                    run: properties.and_then(|p| p.get(RUN).cloned()),
                    tags,
                })
            }
        });
        stream::iter(read.collect::<Vec<_>>()).buffered(AT_ONCE).try_collect().await
    }

    /// The number of a version.
    ///
    /// # Errors
    /// If there is no such tag.
    async fn number(&self, table: &str, dataset: &Dataset, at: &At) -> Result<u64> {
        let tag = match at {
            At::Version(version) => return Ok(*version),
            At::Tag(tag) => tag,
        };
        let tags = dataset.tags().list().await?;
        match tags.get(tag) {
            Some(contents) => Ok(contents.version),
            None if tags.is_empty() => exec_err!(
                "there is no tag {tag} of {table}, nor any other: ALTER TABLE {table} CREATE TAG {tag} makes one"
            ),
            None => {
                let mut names: Vec<String> = tags.into_keys().collect();
                names.sort();
                exec_err!("there is no tag {tag} of {table}{}", there_are(tag, &names))
            }
        }
    }

    /// A table as it was.
    ///
    /// # Errors
    /// If there is no such version any more, or no such tag.
    pub(super) async fn at(&self, newest: &Snapshot, at: &At) -> Result<Snapshot> {
        let table = &newest.table.name;
        let number = self.number(table, &newest.dataset, at).await?;
        match self.snapshot_at(newest.table.clone(), Some(number)).await {
            Ok(snapshot) => Ok(snapshot),
            Err(_) => exec_err!(
                "there is no version {number} of {table}; the newest is {}, and versions('{table}') lists those that are kept",
                newest.dataset.version().version
            ),
        }
    }
}

impl TableWriter<'_> {
    /// Makes a table what it was at a version, as a new version: those between stay. What that is now is returned.
    ///
    /// # Errors
    /// If there is no such table or version, or it cannot be written.
    pub async fn restore(&self, at: &At) -> Result<u64> {
        let there = self.database.snapshot_at(self.table.clone(), None).await?;
        self.newest().await?;
        let mut dataset = self.database.at(&there, at).await?.dataset.as_ref().clone();
        dataset.restore().await?;
        self.sync().await?;
        Ok(self.newest().await?.version().version)
    }

    /// Names a version, the newest without `at`: it is kept until the tag is dropped.
    ///
    /// # Errors
    /// If there is no such table or version, the name is none, or it is taken and not to be replaced.
    pub async fn create_tag(&self, tag: &str, at: Option<&At>, replace: bool) -> Result<u64> {
        let table = self.name();
        let there = self.database.snapshot_at(self.table.clone(), None).await?;
        let newest = &there.dataset;
        let sound = |c: char| c.is_alphanumeric() || c == '_' || c == '-' || c == '.';
        let number = tag.chars().all(|c| c.is_ascii_digit());
        if tag.is_empty() || number || tag.starts_with('.') || tag.ends_with('.') || !tag.chars().all(sound) {
            return exec_err!("{tag:?} is no name for a tag: use letters, digits, _ and -, and not digits alone");
        }
        let version = match at {
            Some(at) => self.database.at(&there, at).await?.dataset.version().version,
            None => newest.version().version,
        };
        let tagged = newest.tags().list().await?.get(tag).map(|contents| contents.version);
        match tagged {
            Some(there) if there != version && !replace => exec_err!(
                "there is a tag {tag} of {table} already, for version {there}: CREATE OR REPLACE TAG moves it"
            ),
            Some(there) if there == version => Ok(version),
            Some(_) => Ok(newest.tags().update(tag, version).await.map(|()| version)?),
            None => Ok(newest.tags().create(tag, version).await.map(|()| version)?),
        }
    }

    /// Forgets a name; the version it stood for stays until files are cleaned up.
    ///
    /// # Errors
    /// If there is no such table or tag.
    pub async fn drop_tag(&self, tag: &str) -> Result<()> {
        let newest = self.newest().await?;
        self.database.number(self.name(), &newest, &At::Tag(tag.into())).await?;
        Ok(newest.tags().delete(tag).await?)
    }

    /// Keeps a table's files in shape, in three steps, of which none keeps the next from being taken: small files and
    /// those with deleted rows are written anew, indexes take up the rows that they lack, and versions older than
    /// `keep` are removed, but for those with a tag.
    ///
    /// # Errors
    /// If there is no such table.
    pub async fn optimize(&self, keep: Duration) -> Result<Vec<Step>> {
        let compacted = compact(&mut self.newest().await?).await;
        let indexed = self.index().await;
        self.sync().await?;
        let cleaned = self.clean(keep).await;
        let step = |name, done: lance::Result<String>| Step { name, done: done.map_err(|e| plain(&e)) };
        Ok(vec![step("compact", compacted), Step { name: "index", done: indexed }, step("clean up", cleaned)])
    }

    /// Brings each index up to the newest row. One that fails does not keep the others back.
    async fn index(&self) -> Result<String, String> {
        let refreshed = async {
            let failed = self.refresh_indexes(true).await?;
            let names: Vec<String> = indexes(&self.newest().await?).await?.into_iter().map(|i| i.name).collect();
            Ok::<_, DataFusionError>((names, failed))
        };
        let (names, failed) = refreshed.await.map_err(|e| crate::error::message(&e))?;
        match (names.is_empty(), failed.is_empty()) {
            (_, false) => {
                Err(failed.into_iter().map(|(name, why)| format!("{name}: {why}")).collect::<Vec<_>>().join("; "))
            }
            (true, true) => Ok("nothing to do: no index".into()),
            (false, true) => Ok(format!("up to date: {}", names.join(", "))),
        }
    }

    /// Removes versions older than `keep`, but for the newest, those with a tag and those that somebody reads, and files
    /// that no version has.
    async fn clean(&self, keep: Duration) -> lance::Result<String> {
        let dataset = self.newest().await.map_err(|e| lance::Error::io(e.to_string()))?;
        let read = self.database.shared.locks.readers(&self.table.id).map_err(|e| lance::Error::io(e.to_string()))?;
        if read.contains(&ANY) {
            return Ok("left for another time: a statement begins to read the table".into());
        }
        let before = TimeDelta::from_std(keep).ok().and_then(|keep| Utc::now().checked_sub_signed(keep));
        let before = before.unwrap_or(DateTime::<Utc>::MIN_UTC);
        let newest = dataset.version().version;
        let tagged: Vec<u64> = dataset.tags().list().await?.into_values().map(|tag| tag.version).collect();
        let versions = dataset.versions().await?;
        let old = versions.iter().filter(|v| v.timestamp < before && v.version != newest).map(|v| v.version);
        let (in_use, old): (Vec<u64>, Vec<u64>) =
            old.filter(|version| !tagged.contains(version)).partition(|version| read.contains(version));
        let policy = CleanupPolicy {
            versions: Some(old.into_iter().collect()),
            // Whoever writes files of this table has its lock, so that what no version has is nobody's.
            delete_unverified: true,
            error_if_tagged_old_versions: false,
            ..CleanupPolicy::default()
        };
        let RemovalStats { bytes_removed, old_versions, data_files_removed, .. } =
            dataset.cleanup_with_policy(policy).await?;
        let kept = dataset.count_versions().await?;
        let in_use = match in_use.len() {
            0 => String::new(),
            1 => ", one of them for who reads it".into(),
            read => format!(", {read} of them for who reads them"),
        };
        Ok(match old_versions {
            0 => format!("nothing to do: {kept} versions kept{in_use}"),
            _ => format!(
                "{old_versions} versions and {data_files_removed} files removed, {bytes_removed} bytes; {kept} versions kept{in_use}"
            ),
        })
    }
}

/// Writes the small files that a table ends with together, once there are many: each commit of a long run leaves one.
/// Such a file is written anew once or twice, however long the run.
///
/// # Errors
/// If they cannot be read or written; the table is as it was.
pub(super) async fn gather(dataset: &mut Dataset) -> lance::Result<()> {
    let small = |rows: Option<usize>| rows.is_some_and(|rows| rows < SMALL);
    let last = dataset.fragments().iter().rev().take_while(|f| small(f.num_rows())).count();
    if last >= MANY {
        let options = CompactionOptions {
            target_rows_per_fragment: SMALL,
            materialize_deletions: false,
            batch_size: Some(REWRITTEN),
            num_threads: Some(1),
            ..CompactionOptions::default()
        };
        compact_files(dataset, options, None).await?;
    }
    Ok(())
}

/// Writes small files together, and those with deleted rows anew. One row in a hundred deleted is worth it.
async fn compact(dataset: &mut Dataset) -> lance::Result<String> {
    let before = dataset.count_fragments();
    let options = CompactionOptions { materialize_deletions_threshold: 0.01, ..CompactionOptions::default() };
    let done = compact_files(dataset, options, None).await?;
    Ok(match done.fragments_removed {
        0 if before == 1 => "nothing to do: 1 file".into(),
        0 => format!("nothing to do: {before} files"),
        removed => format!("{removed} of {before} files written anew as {}", done.fragments_added),
    })
}

/// The fragments of a version that an earlier one has not, or has otherwise than `same` says.
pub(super) fn changed_since(
    before: &Dataset,
    now: &Dataset,
    same: impl Fn(&Fragment, &Fragment) -> bool,
) -> Vec<Fragment> {
    let old: HashMap<u64, &Fragment> = before.fragments().iter().map(|f| (f.id, f)).collect();
    let changed = |f: &&Fragment| old.get(&f.id).is_none_or(|old| !same(old, f));
    now.fragments().iter().filter(changed).cloned().collect()
}

/// What Lance says, without where in its sources.
pub(super) fn plain(error: &lance::Error) -> String {
    let text = exec_datafusion_err!("{error}");
    crate::error::message(&text)
}

/// What made a version, in the words of a database.
fn operation(lance: &str) -> &'static str {
    match lance {
        "Append" => "insert",
        "Delete" => "delete",
        "Overwrite" => "create",
        "Update" => "update",
        "Rewrite" => "compact",
        "Merge" => "add column",
        "Project" => "alter columns",
        "Restore" => "restore",
        "CreateIndex" => "index",
        "UpdateConfig" => "settings",
        "ReserveFragments" => "reserve",
        _ => "other",
    }
}
