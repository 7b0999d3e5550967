//! Which people a table has, by their keys: read once where that is little, else asked for by an index.

use std::collections::HashSet;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::execution::memory_pool::MemoryReservation;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::logical_expr::{col, lit};
use futures::TryStreamExt;
use lance::dataset::Dataset;
use lance::table::format::Fragment;

use super::indexes::Kind;
use super::memory::reservation;
use super::versions::changed_since;

/// Rows from which on a table's keys get an index, and are looked up by it.
pub(super) const MANY: usize = 500_000;

/// Keys that a statement looks up; one that writes more reads all that there are.
const LOOKED_UP: usize = 20_000;

/// Bytes that a key takes among others, about: sets have room to spare, and are there twice while they grow.
const BYTES: usize = 32;

/// Keys of people.
#[derive(Debug, Default)]
pub struct KeySet {
    keys: HashSet<u128>,
    /// What they take of the memory of statements; nothing where none are ever taken up
    held: Option<MemoryReservation>,
}

impl KeySet {
    pub(super) fn new(memory: &RuntimeEnv) -> KeySet {
        KeySet { keys: HashSet::new(), held: Some(reservation(memory, "keys of people")) }
    }

    /// Makes room for more keys: those who take them up one by one ask for it before.
    ///
    /// # Errors
    /// If there is no memory for them.
    pub(super) fn make_room(&mut self, more: usize) -> Result<()> {
        let (wanted, room) = (self.keys.len() + more, self.keys.capacity());
        if wanted > room {
            // Sets double as they grow.
            let room = wanted.max(2 * room);
            if let Some(held) = &self.held {
                held.try_resize(room * BYTES)?;
            }
            self.keys.reserve(room - self.keys.len());
        }
        Ok(())
    }

    /// Takes a key up; whether it is new.
    pub(super) fn insert(&mut self, uuid: &str) -> bool {
        self.keys.insert(key(uuid))
    }

    pub fn contains(&self, uuid: &str) -> bool {
        self.keys.contains(&key(uuid))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Takes up what another has.
    ///
    /// # Errors
    /// If there is no memory for them.
    pub(super) fn add(&mut self, others: &KeySet) -> Result<()> {
        self.make_room(others.keys.len())?;
        self.keys.extend(&others.keys);
        Ok(())
    }

    /// Takes the keys of a column up.
    ///
    /// # Errors
    /// If there is no memory for them.
    fn extend(&mut self, column: &ArrayRef) -> Result<()> {
        self.make_room(column.len())?;
        self.keys.extend(column.as_string::<i32>().iter().flatten().map(key));
        Ok(())
    }
}

/// 16 bytes instead of 32 characters, as millions of them are held at once.
fn key(uuid: &str) -> u128 {
    let hex = uuid.len() == 32 && uuid.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    match u128::from_str_radix(uuid, 16) {
        Ok(key) if hex => key,
        // Keys of other sources, of whatever form.
        _ => u128::from_le_bytes(blake3::hash(uuid.as_bytes()).as_bytes()[..16].try_into().unwrap_or_default()),
    }
}

/// Whether a table has keys that can be read: of a key that is no text, nobody is known.
pub(super) fn readable(dataset: &Dataset) -> bool {
    dataset.schema().field("uuid").is_some_and(|f| f.data_type() == DataType::Utf8)
}

/// All keys of a version of a table; none where it has no column `uuid`.
///
/// # Errors
/// If the table cannot be read.
pub(super) async fn uuids(dataset: &Dataset, memory: &RuntimeEnv) -> Result<KeySet> {
    uuids_of(dataset, None, memory).await
}

async fn uuids_of(dataset: &Dataset, fragments: Option<Vec<Fragment>>, memory: &RuntimeEnv) -> Result<KeySet> {
    let mut uuids = KeySet::new(memory);
    if !readable(dataset) || fragments.as_ref().is_some_and(Vec::is_empty) {
        return Ok(uuids);
    }
    let mut scan = dataset.scan();
    scan.project(&["uuid"])?;
    if let Some(fragments) = fragments {
        scan.with_fragments(fragments);
    }
    let mut batches = scan.try_into_stream().await?;
    while let Some(batch) = batches.try_next().await? {
        uuids.extend(batch.column(0))?;
    }
    Ok(uuids)
}

/// The people of a version of a table and those whom a statement writes, for a statement to leave out who is there.
#[derive(Debug)]
pub(super) struct KnownPeople {
    dataset: Dataset,
    memory: Arc<RuntimeEnv>,
    /// The people whom the statement writes, and those of the table as far as they are read
    seen: KeySet,
    /// Whether the people of the table are looked up, as they are not read
    by_index: bool,
    looked_up: usize,
}

impl KnownPeople {
    /// The people of a version of a table.
    ///
    /// # Errors
    /// If the table cannot be read.
    pub async fn of(dataset: &Dataset, memory: Arc<RuntimeEnv>) -> Result<KnownPeople> {
        let by_index = readable(dataset)
            && dataset.count_rows(None).await? >= MANY
            && Kind::Btree.on(dataset, "uuid").await?.is_some();
        let seen = if by_index { KeySet::new(&memory) } else { uuids(dataset, &memory).await? };
        Ok(KnownPeople { dataset: dataset.clone(), memory, seen, by_index, looked_up: 0 })
    }

    pub fn version(&self) -> u64 {
        self.dataset.version().version
    }

    /// Takes people up; for each whether they are new: neither in the table nor named before.
    ///
    /// # Errors
    /// If the table cannot be read, or there is no memory for so many.
    pub async fn take_up(&mut self, keys: &[Option<&str>]) -> Result<Vec<bool>> {
        if self.by_index {
            self.look_up(keys).await?;
        }
        self.seen.make_room(keys.len())?;
        // Rows without a key are nobody's twin.
        Ok(keys.iter().map(|uuid| uuid.is_none_or(|uuid| self.seen.insert(uuid))).collect())
    }

    /// Notes which of these people the table has.
    async fn look_up(&mut self, keys: &[Option<&str>]) -> Result<()> {
        let asked: Vec<&str> = keys.iter().flatten().copied().filter(|uuid| !self.seen.contains(uuid)).collect();
        self.looked_up += asked.len();
        if self.looked_up > LOOKED_UP {
            self.by_index = false;
            let mut all = uuids(&self.dataset, &self.memory).await?;
            all.add(&self.seen)?;
            self.seen = all;
            return Ok(());
        }
        if asked.is_empty() {
            return Ok(());
        }
        let mut scan = self.dataset.scan();
        scan.project(&["uuid"])?;
        scan.filter_expr(col("uuid").in_list(asked.into_iter().map(lit).collect(), false));
        let mut found = scan.try_into_stream().await?;
        while let Some(batch) = found.try_next().await? {
            self.seen.extend(batch.column(0))?;
        }
        Ok(())
    }

    /// Goes on from a newer version; the people who came since, whom the caller leaves out of what was taken up before.
    ///
    /// # Errors
    /// If the table cannot be read.
    pub async fn renew(&mut self, dataset: &Dataset) -> Result<KeySet> {
        // Rows that were deleted may be back, in a fragment of old.
        let new = changed_since(&self.dataset, dataset, |old, now| {
            old.deletion_file == now.deletion_file && old.physical_rows == now.physical_rows
        });
        let others = uuids_of(dataset, Some(new), &self.memory).await?;
        self.seen.add(&others)?;
        self.dataset = dataset.clone();
        Ok(others)
    }

    /// Goes on from the version that the statement itself has committed.
    pub fn committed(&mut self, dataset: &Dataset) {
        self.dataset = dataset.clone();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_there_is_no_memory_for_are_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let memory = super::super::memory::runtime(folder.path(), 1 << 20).unwrap();
        let mut keys = KeySet::new(&memory);
        let mut taken = 0;
        let full = loop {
            match keys.make_room(1000) {
                Ok(()) => (0..1000).for_each(|n| assert!(keys.insert(&format!("{:032x}", taken + n)))),
                Err(error) => break error,
            }
            taken += 1000;
            assert!(keys.keys.capacity() * size_of::<u128>() <= 1 << 20, "{taken}");
        };
        assert!(taken >= 10_000, "{taken}");
        assert!(crate::error::message(&full).contains("--memory-limit"), "{full}");
        // What is dropped makes room for others.
        drop(keys);
        assert!(KeySet::new(&memory).make_room(10_000).is_ok());
    }

    #[test]
    fn keys_tell_uuids_apart() {
        assert_eq!(key("000000000000000000000000000000ff"), 255);
        assert_ne!(key("000000000000000000000000000000FF"), 255);
        assert_ne!(key("ff"), key("0ff"));
    }
}
