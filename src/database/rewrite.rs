//! Writing rows that changed: as new columns of the fragments that they are in, or as whole rows somewhere else,
//! whichever is less to write; and deleting rows. Rows go by their addresses, whether the table has a key or not.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use datafusion::arrow::compute::concat_batches;
use datafusion::arrow::datatypes::{Schema, SchemaRef, UInt64Type};
use datafusion::common::runtime::JoinSet;
use datafusion::common::{DataFusionError, Result, exec_datafusion_err, exec_err};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::memory_pool::MemoryReservation;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::physical_plan::stream::{RecordBatchReceiverStream, RecordBatchStreamAdapter};
use futures::{Stream, StreamExt, stream};
use lance::dataset::fragment::FileFragment;
use lance::dataset::transaction::{Operation, TransactionBuilder, UpdateMode};
use lance::dataset::{CommitBuilder, Dataset, InsertBuilder, WriteMode, WriteParams};
use lance::table::format::Fragment;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tracing::Instrument;

use super::append::{cannot_write, compact, slices};
use super::memory::reservation;
use super::patch::patch;
use super::table::ROW_ADDRESS;

/// Changed values of one fragment that are held at once: beyond it, its rows are written anew as they come.
const HELD: usize = 64 << 20;

/// Rows that are read to be written anew, together: in bytes, about, and at most.
const READ: u64 = 8 << 20;
const MOST: u64 = 65_536;

/// Batches of rows that wait to be written.
const QUEUE: usize = 2;

/// Fragments of which columns are written at once.
const PATCHED: usize = 2;

/// Bytes of an address among others, with room to grow.
const ADDRESS: usize = 8;

/// Rows by fragment, each by its place in it.
#[derive(Debug)]
pub(super) struct Addresses {
    places: BTreeMap<u64, Vec<u32>>,
    memory: MemoryReservation,
}

impl Addresses {
    fn new(memory: &RuntimeEnv) -> Addresses {
        Addresses { places: BTreeMap::new(), memory: reservation(memory, "addresses of rows") }
    }

    fn add(&mut self, addresses: &[u64]) -> Result<()> {
        self.memory.try_grow(addresses.len() * ADDRESS)?;
        for address in addresses {
            let (fragment, row) = parted(*address);
            self.places.entry(fragment).or_default().push(row);
        }
        Ok(())
    }

    /// The addresses that are a stream's one column.
    ///
    /// # Errors
    /// What the stream ends with, or if there is no memory for them.
    pub async fn read(mut rows: SendableRecordBatchStream, memory: &RuntimeEnv) -> Result<Addresses> {
        let mut addresses = Addresses::new(memory);
        while let Some(batch) = rows.next().await.transpose()? {
            addresses.add(self::addresses(&batch)?)?;
        }
        Ok(addresses)
    }

    /// How many there are; each is to be in it once.
    pub fn len(&self) -> u64 {
        self.places.values().map(|rows| rows.len() as u64).sum()
    }

    /// What the fragments are without these rows, and which of them are no more.
    async fn deleted(self, dataset: &Dataset, patched: &[Fragment]) -> Result<(Vec<Fragment>, Vec<u64>)> {
        let (mut left, mut gone) = (vec![], vec![]);
        for (id, rows) in self.places {
            let fragment = match patched.iter().find(|f| f.id == id) {
                Some(fragment) => FileFragment::new(Arc::new(dataset.clone()), fragment.clone()),
                None => fragment(dataset, id)?,
            };
            match fragment.extend_deletions(rows).await.map_err(cannot_write)? {
                Some(fragment) => left.push(fragment.metadata().clone()),
                None => gone.push(id),
            }
        }
        Ok((left, gone))
    }
}

/// The fragment of an address, and the place in it.
pub(super) fn parted(address: u64) -> (u64, u32) {
    (address >> 32, address as u32)
}

fn fragment(dataset: &Dataset, id: u64) -> Result<FileFragment> {
    let found = usize::try_from(id).ok().and_then(|id| dataset.get_fragment(id));
    found.ok_or_else(|| exec_datafusion_err!("the table has no fragment {id} any more"))
}

fn addresses(batch: &RecordBatch) -> Result<&[u64]> {
    let column = batch.column_by_name(ROW_ADDRESS).and_then(|c| c.as_primitive_opt::<UInt64Type>());
    match column {
        Some(column) if column.null_count() == 0 => Ok(column.values()),
        _ => exec_err!("rows that are changed have their addresses with them"),
    }
}

/// Deletes rows, in one commit; none where there are none.
///
/// # Errors
/// If the table cannot be written.
pub(super) async fn delete(dataset: Dataset, rows: Addresses, predicate: String) -> Result<u64> {
    let count = rows.len();
    if count == 0 {
        return Ok(0);
    }
    let (updated_fragments, deleted_fragment_ids) = rows.deleted(&dataset, &[]).await?;
    commit(dataset, Operation::Delete { updated_fragments, deleted_fragment_ids, predicate }).await?;
    Ok(count)
}

/// Which rows an UPDATE changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Changed {
    /// All that there are: their columns are written as they come, whatever they hold
    All,
    Some,
}

/// Writes changed values of rows, in one commit; how many rows. `rows` come fragment by fragment, in the order of their
/// addresses there, the column [`ROW_ADDRESS`], beside columns of the table's types.
///
/// # Errors
/// What the rows end with, if they are in another order, or if the table cannot be written.
pub(super) async fn update(
    dataset: Dataset,
    rows: impl Stream<Item = Result<RecordBatch>> + Send,
    changed: Changed,
    write: WriteParams,
    memory: Arc<RuntimeEnv>,
) -> Result<u64> {
    let all: SchemaRef = Arc::new(Schema::from(dataset.schema()));
    let moved = RecordBatchReceiverStream::builder(all.clone(), QUEUE);
    let mut rewrite = Rewrite {
        dataset: dataset.clone(),
        all,
        moved: Some(moved.tx()),
        open: None,
        patching: JoinSet::new(),
        patched: vec![],
        fields: vec![],
        deleted: Addresses::new(&memory),
        seen: BTreeSet::new(),
        count: 0,
        memory,
    };
    // Either of them that fails ends the other.
    let ((), new_fragments) =
        tokio::try_join!(rewrite.take_in(rows, changed), written(&dataset, moved.build(), write))?;
    if rewrite.count == 0 {
        return Ok(0);
    }
    let Rewrite { patched, mut fields, deleted, count, .. } = rewrite;
    fields.sort_unstable();
    fields.dedup();
    let update_mode =
        Some(if deleted.places.is_empty() { UpdateMode::RewriteColumns } else { UpdateMode::RewriteRows });
    let (left, removed_fragment_ids) = deleted.deleted(&dataset, &patched).await?;
    let mut updated_fragments = left;
    let rest = patched.into_iter().filter(|p| !updated_fragments.iter().any(|f| f.id == p.id)).collect::<Vec<_>>();
    updated_fragments.extend(rest);
    let update = Operation::Update {
        removed_fragment_ids,
        updated_fragments,
        new_fragments,
        fields_modified: fields,
        compacted_sstables: vec![],
        fields_for_preserving_frag_bitmap: vec![],
        update_mode,
        inserted_rows_filter: None,
        updated_fragment_offsets: None,
    };
    commit(dataset, update).await?;
    Ok(count)
}

async fn commit(dataset: Dataset, operation: Operation) -> Result<()> {
    let transaction = TransactionBuilder::new(dataset.version().version, operation).build();
    let commit = tracing::debug_span!("commit");
    CommitBuilder::new(Arc::new(dataset)).execute(transaction).instrument(commit).await.map_err(cannot_write)?;
    Ok(())
}

/// The fragments of rows that are written anew; none where there are no rows.
async fn written(dataset: &Dataset, rows: SendableRecordBatchStream, write: WriteParams) -> Result<Vec<Fragment>> {
    let schema = rows.schema();
    let mut rows = Box::pin(rows.peekable());
    if rows.as_mut().peek().await.is_none() {
        return Ok(vec![]);
    }
    let rows: SendableRecordBatchStream = Box::pin(RecordBatchStreamAdapter::new(schema, rows));
    let params = WriteParams { mode: WriteMode::Append, ..write };
    let insert = InsertBuilder::new(Arc::new(dataset.clone())).with_params(&params);
    match insert.execute_uncommitted_stream(rows).await.map_err(cannot_write)?.operation {
        Operation::Append { fragments } => Ok(fragments),
        other => exec_err!("rows that were to be appended are to be {other}"),
    }
}

/// What an UPDATE has written so far.
struct Rewrite {
    dataset: Dataset,
    /// The table's columns
    all: SchemaRef,
    /// Takes rows that are written anew; nothing once all are known
    moved: Option<Sender<Result<RecordBatch>>>,
    /// The fragment whose columns are written as its rows come, and what takes these
    open: Option<(u64, Sender<Result<RecordBatch>>)>,
    patching: JoinSet<Result<(Fragment, Vec<u32>)>>,
    /// Fragments with new columns, and the fields of those
    patched: Vec<Fragment>,
    fields: Vec<u32>,
    /// Rows that were written anew
    deleted: Addresses,
    /// Fragments of which rows have come
    seen: BTreeSet<u64>,
    count: u64,
    memory: Arc<RuntimeEnv>,
}

/// The changed values of a fragment that are not written yet.
struct Held {
    fragment: u64,
    rows: Vec<RecordBatch>,
    count: u64,
    bytes: usize,
    memory: MemoryReservation,
    /// Whether there were too many to hold, so that its rows are written anew
    spilled: bool,
}

impl Rewrite {
    async fn take_in(&mut self, rows: impl Stream<Item = Result<RecordBatch>> + Send, changed: Changed) -> Result<()> {
        let taken = self.take_all(rows, changed).await;
        if taken.is_err() {
            // What was begun is ended first, so that it leaves no half a file.
            self.open = None;
            while self.patching.join_next().await.is_some() {}
        }
        taken
    }

    async fn take_all(&mut self, rows: impl Stream<Item = Result<RecordBatch>> + Send, changed: Changed) -> Result<()> {
        let mut rows = std::pin::pin!(rows);
        let mut held: Option<Held> = None;
        let mut last = None;
        while let Some(batch) = rows.next().await.transpose()? {
            for (fragment, part) in by_fragment(&batch)? {
                if last != Some(fragment) && !self.seen.insert(fragment) {
                    return exec_err!("rows that are changed do not come fragment by fragment; nothing was written");
                }
                last = Some(fragment);
                self.count += part.num_rows() as u64;
                match changed {
                    Changed::All => self.pass_on(fragment, part).await?,
                    Changed::Some => self.hold(&mut held, fragment, part).await?,
                }
            }
        }
        if let Some(done) = held {
            self.write(done).await?;
        }
        self.open = None;
        while !self.patching.is_empty() {
            self.join_one().await?;
        }
        self.moved = None;
        Ok(())
    }

    /// Hands rows to what writes their fragment's columns.
    async fn pass_on(&mut self, fragment: u64, part: RecordBatch) -> Result<()> {
        if self.open.as_ref().is_none_or(|(open, _)| *open != fragment) {
            self.open = None;
            let (to, rows) = channel(QUEUE);
            self.patch(fragment, part.schema(), received(rows), true, None).await?;
            self.open = Some((fragment, to));
        }
        let Some((_, to)) = &self.open else { return exec_err!("rows came after the last") };
        if to.send(Ok(part)).await.is_err() {
            // What takes them has failed, and says why.
            self.open = None;
            while !self.patching.is_empty() {
                self.join_one().await?;
            }
            return exec_err!("columns of rows that are changed could not be written");
        }
        Ok(())
    }

    /// Keeps rows until all of their fragment are known.
    async fn hold(&mut self, held: &mut Option<Held>, fragment: u64, part: RecordBatch) -> Result<()> {
        if held.as_ref().is_some_and(|h| h.fragment != fragment)
            && let Some(done) = held.take()
        {
            self.write(done).await?;
        }
        let held = held.get_or_insert_with(|| {
            let memory = reservation(&self.memory, "changed values of rows");
            Held { fragment, rows: vec![], count: 0, bytes: 0, memory, spilled: false }
        });
        let bytes = bytes(&part)?;
        held.count += part.num_rows() as u64;
        held.bytes += bytes;
        held.rows.push(part);
        if held.spilled || held.bytes > HELD || held.memory.try_grow(bytes).is_err() {
            held.spilled = true;
            held.bytes = 0;
            held.memory.free();
            let rows = std::mem::take(&mut held.rows);
            self.move_rows(fragment, rows).await?;
        }
        Ok(())
    }

    /// Writes the changed values of a fragment: its columns anew, or its rows.
    async fn write(&mut self, held: Held) -> Result<()> {
        let Some(schema) = held.rows.first().map(RecordBatch::schema) else { return Ok(()) };
        let fragment = fragment(&self.dataset, held.fragment)?;
        let all = fragment.metadata().physical_rows.unwrap_or(usize::MAX) as u64;
        let changed = (held.bytes as u64 / held.count.max(1)).max(1);
        let columns = all.saturating_mul(changed);
        let rows = held.count.saturating_mul(width(fragment.metadata()));
        // Where all that a row has is changed, there is nothing to keep.
        let whole = schema.fields().len() > self.all.fields().len();
        match !whole && columns <= rows {
            true => {
                let all = fragment.metadata().num_rows().is_some_and(|rows| rows as u64 == held.count);
                let rows = stream::iter(held.rows.into_iter().map(Ok));
                self.patch(held.fragment, schema, rows, all, Some(held.memory)).await
            }
            false => self.move_rows(held.fragment, held.rows).await,
        }
    }

    /// Has columns of a fragment written anew beside what else is done.
    async fn patch(
        &mut self,
        id: u64,
        schema: SchemaRef,
        rows: impl Stream<Item = Result<RecordBatch>> + Send + 'static,
        all: bool,
        memory: Option<MemoryReservation>,
    ) -> Result<()> {
        while self.patching.len() >= PATCHED {
            self.join_one().await?;
        }
        let fragment = fragment(&self.dataset, id)?;
        let patched = async move {
            let patched = patch(fragment, rows, schema, all).await;
            drop(memory);
            patched
        };
        self.patching.spawn(patched.in_current_span());
        Ok(())
    }

    async fn join_one(&mut self) -> Result<()> {
        if let Some(patched) = self.patching.join_next().await {
            let (patched, fields) = patched.map_err(|e| DataFusionError::External(Box::new(e)))??;
            self.patched.push(patched);
            self.fields.extend(fields);
        }
        Ok(())
    }

    /// Writes rows of a fragment anew, elsewhere.
    async fn move_rows(&mut self, id: u64, rows: Vec<RecordBatch>) -> Result<()> {
        let Some(schema) = rows.first().map(RecordBatch::schema) else { return Ok(()) };
        let size = (READ / width(fragment(&self.dataset, id)?.metadata()).max(1)).clamp(512, MOST) as usize;
        let rows = concat_batches(&schema, &rows)?;
        let kept: Vec<&str> = self
            .all
            .fields()
            .iter()
            .map(|f| f.name().as_str())
            .filter(|n| schema.column_with_name(n).is_none())
            .collect();
        let projection = Arc::new(self.dataset.schema().project(&kept).map_err(cannot_write)?);
        for part in slices(rows, size) {
            let places = addresses(&part)?.to_vec();
            let old = match kept.is_empty() {
                true => None,
                false => Some(self.dataset.take_rows(&places, projection.clone()).await.map_err(cannot_write)?),
            };
            if old.as_ref().is_some_and(|old| old.num_rows() != places.len()) {
                return exec_err!("rows that are changed are not in the table any more");
            }
            let column = |name: &str| part.column_by_name(name).or_else(|| old.as_ref()?.column_by_name(name)).cloned();
            let columns: Option<Vec<ArrayRef>> = self.all.fields().iter().map(|f| column(f.name())).collect();
            let Some(columns) = columns else {
                return exec_err!("a column of rows that are changed cannot be read");
            };
            let whole = compact(&RecordBatch::try_new(self.all.clone(), columns)?)?;
            self.deleted.add(&places)?;
            let Some(moved) = &self.moved else { return exec_err!("rows came after the last") };
            if moved.send(Ok(whole)).await.is_err() {
                // Whoever writes them has failed, says why, and ends this.
                std::future::pending::<()>().await;
            }
        }
        Ok(())
    }
}

/// The batches that come through a channel.
fn received(rows: Receiver<Result<RecordBatch>>) -> impl Stream<Item = Result<RecordBatch>> + Send {
    stream::unfold(rows, |mut rows| async move { rows.recv().await.map(|batch| (batch, rows)) })
}

/// Parts of a batch whose rows are of one fragment.
fn by_fragment(batch: &RecordBatch) -> Result<Vec<(u64, RecordBatch)>> {
    let fragments: Vec<u64> = addresses(batch)?.iter().map(|a| parted(*a).0).collect();
    let (mut parts, mut start) = (vec![], 0);
    for same in fragments.chunk_by(|a, b| a == b) {
        parts.push((same[0], batch.slice(start, same.len())));
        start += same.len();
    }
    Ok(parts)
}

/// Bytes of the rows themselves: a slice keeps the buffers of what it was cut from.
fn bytes(rows: &RecordBatch) -> Result<usize> {
    let columns = rows.columns().iter().map(|column| column.to_data().get_slice_memory_size());
    Ok(columns.sum::<std::result::Result<usize, _>>()?)
}

/// Bytes of a row on the disk, about.
fn width(fragment: &Fragment) -> u64 {
    let bytes: Option<u64> = fragment.files.iter().map(|f| f.file_size_bytes.get().map(u64::from)).sum();
    let rows = fragment.physical_rows.unwrap_or_default().max(1) as u64;
    // Where nobody has noted how large the files are, as with what other writers made.
    bytes.map_or(1024, |bytes| bytes.div_ceil(rows))
}
