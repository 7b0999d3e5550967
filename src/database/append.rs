//! Writing rows: typed as the table has them, people already there left out, narratives embedded.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arrow_select::dictionary::garbage_collect_any_dictionary;
use datafusion::arrow::array::{
    ArrayRef, AsArray, BooleanArray, RecordBatch, RecordBatchOptions, StringArray, new_null_array,
};
use datafusion::arrow::compute::kernels::zip::zip;
use datafusion::arrow::compute::{CastOptions, cast_with_options, concat, filter_record_batch, is_not_null, nullif};
use datafusion::arrow::datatypes::{DataType, FieldRef, Schema, SchemaRef};
use datafusion::common::{DataFusionError, Result, exec_datafusion_err};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchReceiverStream;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt, stream};
use lance::dataset::{CommitBuilder, Dataset, InsertBuilder, WriteMode, WriteParams};
use populace_udfs::{Embedder, Outage};
use tokio::sync::Mutex;
use tokio::time::Instant;
use tracing::Instrument;

use super::embedding::embed_columns;
use super::keys::{KeySet, KnownPeople, uuids};
use super::shape::{check_embedder, embedded_narrative};
use super::versions::gather;
use super::{Database, StoredTable, has_key, sample_of};
use crate::arrow::each_once;

/// The property of a commit that names its run.
pub(super) const RUN: &str = "populace:run";

/// Rows that are embedded together, and that are worth a commit of their own.
pub(super) const CHUNK: usize = 512;

/// Batches that wait to be written while one is.
const QUEUE: usize = 2;

/// How much waits for a commit: memory, the time after which rows enough are committed, and any rows.
const CHUNK_BYTES: usize = 16 << 20;
const SOON: Duration = Duration::from_secs(5);
const LONGEST: Duration = Duration::from_secs(30);

/// What became of the rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Appended {
    pub written: u64,
    /// People who were in the table already
    pub skipped: u64,
    /// Rows of a new table with the uuid of one before them
    pub repeated: u64,
}

impl Database {
    /// The people of a table's newest version; none where there is no table, or no column `uuid`.
    ///
    /// # Errors
    /// If the table cannot be read.
    pub async fn uuids(&self, table: &str) -> Result<KeySet> {
        match self.snapshot(table).await? {
            Some(snapshot) => uuids(&snapshot.dataset, self.runtime_of_statements()?.as_ref()).await,
            None => Ok(KeySet::default()),
        }
    }

    /// Refuses a table that rows could not be appended to.
    ///
    /// # Errors
    /// If there is none of this name, or its vectors are of another embedder, or of one that is not installed.
    pub async fn check_table(&self, table: &str) -> Result<()> {
        let snapshot = self.newest(table).await?;
        self.embedder_of(table, &Schema::from(snapshot.dataset.schema())).map(|_| ())
    }

    /// Appends rows. People are committed in chunks, each of which carries the run: what is committed stays whatever
    /// comes then, and the same rows again finish what was interrupted. Rows without a key are committed at once, as
    /// they could not be told from each other. Takes turns with other writers, chunk by chunk.
    ///
    /// # Errors
    /// If there is no such table, the rows do not fit it, or it cannot be written.
    pub async fn append(&self, table: &str, rows: SendableRecordBatchStream, options: Append<'_>) -> Result<Appended> {
        let stored = self.existing(table)?;
        let mut dataset = self.snapshot_at(stored.clone(), None).await?.dataset;
        if sample_of(&Schema::from(dataset.schema())).is_some() {
            self.write_again(&stored).await?.takes_others().await?;
            dataset = self.snapshot_at(stored.clone(), None).await?.dataset;
        }
        let writer = self.row_writer(&dataset, table, &options, Twins::LeftOut).await?;
        if !has_key(&writer.schema) {
            let table = self.write_again(&stored).await?;
            let dataset = table.newest().await?;
            let appended = self.append_at_once(dataset, writer, rows, &options).await?;
            table.sync().await?;
            table.keep_indexes().await;
            return Ok(appended);
        }
        let mut ready = ahead(&writer, rows);
        let mut chunk = Chunk::new(options.chunk);
        let mut appended = Appended::default();
        let ended = loop {
            let next = match chunk.deadline() {
                Some(deadline) => tokio::time::timeout_at(deadline, ready.next()).await,
                None => Ok(ready.next().await),
            };
            let ended = match next {
                Ok(Some(Ok(batch))) => {
                    chunk.add(batch);
                    (options.ready)(appended.written + chunk.count as u64 + writer.repeated.load(Ordering::Relaxed));
                    None
                }
                Ok(Some(Err(error))) => Some(Err(error)),
                Ok(None) => Some(Ok(())),
                Err(_) => None,
            };
            // A statement that fails before its first commit has written nothing; a narrator that is out of reach for
            // now fails no person that is written already.
            let keep = match &ended {
                None => chunk.is_due(),
                Some(Ok(())) => true,
                Some(Err(error)) => Outage::find(error).is_some(),
            };
            if keep && !chunk.rows.is_empty() {
                appended.written += self.commit(&stored, &writer, chunk.take(), &options).await?;
                appended.skipped = writer.repeated.load(Ordering::Relaxed);
                (options.progress)(appended);
            }
            if let Some(ended) = ended {
                break ended;
            }
        };
        appended.skipped = writer.repeated.load(Ordering::Relaxed);
        if appended.written > 0
            && let Ok(table) = self.write_again(&stored).await
        {
            table.keep_indexes().await;
        }
        match ended {
            Ok(()) => Ok(appended),
            Err(error) if appended.written > 0 => {
                let written =
                    format!("{} people were written before; the same again goes on from there", appended.written);
                Err(error.context(written))
            }
            Err(error) => Err(error),
        }
    }

    /// What makes the vectors of a table; nothing for one that has none.
    ///
    /// # Errors
    /// If they were made by another embedder, or it is not installed.
    pub(super) fn embedder_of(&self, table: &str, schema: &Schema) -> Result<Option<Arc<dyn Embedder>>> {
        if !schema.fields().iter().any(|f| embedded_narrative(f).is_some()) {
            return Ok(None);
        }
        let embedder = self.embedder().get()?;
        check_embedder(table, schema.metadata(), embedder.as_ref())?;
        Ok(Some(embedder))
    }

    pub(super) async fn row_writer(
        &self,
        dataset: &Dataset,
        table: &str,
        options: &Append<'_>,
        twins: Twins,
    ) -> Result<Arc<Writer>> {
        let schema: SchemaRef = Arc::new(Schema::from(dataset.schema()));
        let embedder = self.embedder_of(table, &schema)?;
        let known =
            if has_key(&schema) { Some(KnownPeople::of(dataset, self.runtime_of_statements()?).await?) } else { None };
        Ok(Arc::new(Writer {
            known: Mutex::new(Known { people: known, others: KeySet::new(self.runtime_of_statements()?.as_ref()) }),
            schema,
            embedder,
            constants: options.constants(),
            vectors_come: options.embedded.to_vec(),
            twins,
            written: AtomicU64::new(0),
            repeated: AtomicU64::new(0),
        }))
    }

    /// Commits people who are ready; those whom another process wrote meanwhile are left out.
    async fn commit(
        &self,
        stored: &StoredTable,
        writer: &Writer,
        rows: Vec<RecordBatch>,
        options: &Append<'_>,
    ) -> Result<u64> {
        let table = self.write_again(stored).await?;
        let dataset = Arc::new(table.newest().await?);
        let now: SchemaRef = Arc::new(Schema::from(dataset.schema()));
        let rows = writer.without_others(rows, &dataset).await?;
        let count: usize = rows.iter().map(RecordBatch::num_rows).sum();
        if count == 0 {
            return Ok(0);
        }
        let params = self.appending();
        let insert = InsertBuilder::new(dataset.clone()).with_params(&params);
        let mut whole = concatenated(&writer.schema, rows)?;
        if now != writer.schema {
            // Columns were added or dropped meanwhile: what is ready fits all the same.
            whole = typed(&whole, &now, &writer.constants)?;
        }
        let mut transaction = insert.execute_uncommitted(vec![compact(&whole)?]).await.map_err(cannot_write)?;
        transaction.transaction_properties = options.properties();
        // First what a version is made of, then the version.
        table.flush().await?;
        let commit = tracing::debug_span!("commit", table = table.name(), rows = count);
        let committed = CommitBuilder::new(dataset).execute(transaction).instrument(commit).await;
        let mut committed = committed.map_err(cannot_write)?;
        // The rows are in the table, whatever becomes of its files.
        if let Err(error) = gather(&mut committed).await {
            self.notice(format!("the small files of {} could not be written together: {error}", table.name()));
        }
        table.sync().await?;
        if let Some(people) = &mut writer.known.lock().await.people {
            people.committed(&committed);
        }
        Ok(count as u64)
    }

    pub(super) fn appending(&self) -> WriteParams {
        WriteParams { mode: WriteMode::Append, session: Some(self.lance_session()), ..Default::default() }
    }

    pub(super) async fn append_at_once(
        &self,
        dataset: Dataset,
        writer: Arc<Writer>,
        rows: SendableRecordBatchStream,
        options: &Append<'_>,
    ) -> Result<Appended> {
        let dataset = Arc::new(dataset);
        let rows = ahead(&writer, rows);
        let params = self.appending();
        let insert = InsertBuilder::new(dataset.clone()).with_params(&params);
        let mut transaction = insert.execute_uncommitted_stream(rows).await.map_err(cannot_write)?;
        transaction.transaction_properties = options.properties();
        let count = |c: &AtomicU64| c.load(Ordering::Relaxed);
        let (written, twins) = (count(&writer.written), count(&writer.repeated));
        let (skipped, repeated) = if writer.twins == Twins::Kept { (0, twins) } else { (twins, 0) };
        let appended = Appended { written, skipped, repeated };
        if appended.written > 0 {
            let commit = tracing::debug_span!("commit", rows = appended.written);
            CommitBuilder::new(dataset).execute(transaction).instrument(commit).await.map_err(cannot_write)?;
        }
        Ok(appended)
    }
}

/// How rows are appended.
#[derive(Clone, Copy)]
pub struct Append<'a> {
    /// The run that writes: in the properties of each commit, and in `run_id` where the rows have none
    pub run: Option<&'a str>,
    /// What wrote the narratives, for `narrator` where the rows have none
    pub narrator: Option<&'a str>,
    /// Narratives whose vectors come with the rows, made of the same texts by the same embedder
    pub embedded: &'a [String],
    /// People who are committed together; without it, those who are ready in some seconds
    pub chunk: Option<usize>,
    /// Hears after each commit how far it is
    pub progress: &'a (dyn Fn(Appended) + Sync),
    /// Hears how many people are ready, committed or not, with those who were there
    pub ready: &'a (dyn Fn(u64) + Sync),
}

impl Default for Append<'_> {
    fn default() -> Self {
        Append { run: None, narrator: None, embedded: &[], chunk: None, progress: &|_| {}, ready: &|_| {} }
    }
}

impl Append<'_> {
    /// What columns of provenance hold that the rows leave out.
    pub(super) fn constants(&self) -> Vec<(String, String)> {
        let named = [("run_id", self.run), ("narrator", self.narrator)];
        named.into_iter().filter_map(|(name, value)| Some((name.into(), value?.into()))).collect()
    }

    /// What a commit carries. It is set on the transaction itself, as Lance 14 drops what its commit is given.
    pub(super) fn properties(&self) -> Option<Arc<HashMap<String, String>>> {
        self.run.map(|run| Arc::new(HashMap::from([(RUN.to_string(), run.to_string())])))
    }
}

/// People who are ready and not committed yet.
struct Chunk {
    rows: Vec<RecordBatch>,
    count: usize,
    bytes: usize,
    since: Option<Instant>,
    size: Option<usize>,
}

impl Chunk {
    fn new(size: Option<usize>) -> Chunk {
        Chunk { rows: Vec::new(), count: 0, bytes: 0, since: None, size }
    }

    fn add(&mut self, batch: RecordBatch) {
        self.count += batch.num_rows();
        self.bytes += batch.get_array_memory_size();
        if batch.num_rows() > 0 {
            self.since.get_or_insert_with(Instant::now);
            self.rows.push(batch);
        }
    }

    /// Few rows a commit make a table slow to read; many make an interruption dear.
    fn is_due(&self) -> bool {
        let age = self.since.map_or(Duration::ZERO, |s| s.elapsed());
        match self.size {
            Some(size) => self.count >= size,
            None => self.bytes >= CHUNK_BYTES || age >= LONGEST || (age >= SOON && self.count >= CHUNK),
        }
    }

    fn deadline(&self) -> Option<Instant> {
        self.size.is_none().then_some(self.since? + LONGEST)
    }

    fn take(&mut self) -> Vec<RecordBatch> {
        let next = Chunk::new(self.size);
        std::mem::replace(self, next).rows
    }
}

/// The rows as the table has them, made while others are written.
fn ahead(writer: &Arc<Writer>, rows: SendableRecordBatchStream) -> SendableRecordBatchStream {
    let mut builder = RecordBatchReceiverStream::builder(writer.schema.clone(), QUEUE);
    let sender = builder.tx();
    let mut ready = writer.clone().ready(rows);
    builder.spawn(async move {
        while let Some(batch) = ready.next().await {
            if sender.send(batch).await.is_err() {
                break;
            }
        }
        Ok(())
    });
    builder.build()
}

/// Lance's errors name the place in its own source; what a person can do something about is the disk.
pub(super) fn cannot_write(error: lance::Error) -> DataFusionError {
    let mut cause: &dyn std::error::Error = &error;
    loop {
        if let Some(io) = cause.downcast_ref::<std::io::Error>() {
            let hint = match io.kind() {
                std::io::ErrorKind::StorageFull => ": make room on the disk and run it again",
                _ => "",
            };
            return exec_datafusion_err!("the table cannot be written: {io}{hint}");
        }
        match cause.source() {
            Some(source) => cause = source,
            None => return error.into(),
        }
    }
}

/// Batches as one, column by column, so that there are never two of all: vectors are large.
fn concatenated(schema: &SchemaRef, batches: Vec<RecordBatch>) -> Result<RecordBatch> {
    let rows = batches.iter().map(RecordBatch::num_rows).sum();
    let mut batches: Vec<_> = batches.into_iter().map(|batch| batch.columns().to_vec().into_iter()).collect();
    let column = |_: &FieldRef| {
        let parts: Vec<ArrayRef> = batches.iter_mut().filter_map(Iterator::next).collect();
        concat(&parts.iter().map(AsRef::as_ref).collect::<Vec<_>>())
    };
    let columns = schema.fields().iter().map(column).collect::<std::result::Result<_, _>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    Ok(RecordBatch::try_new_with_options(schema.clone(), columns, &options)?)
}

/// Rows with dictionaries of their own values alone, each once: each file holds those of its columns.
pub(super) fn compact(rows: &RecordBatch) -> Result<RecordBatch> {
    let columns = rows.columns().iter().map(|column| match column.as_any_dictionary_opt() {
        Some(coded) if coded.values().len() > 1 => garbage_collect_any_dictionary(coded).map(each_once),
        _ => Ok(column.clone()),
    });
    Ok(RecordBatch::try_new(rows.schema(), columns.collect::<std::result::Result<_, _>>()?)?)
}

pub(super) fn slices(batch: RecordBatch, size: usize) -> impl Iterator<Item = RecordBatch> {
    let rows = batch.num_rows();
    (0..rows).step_by(size).map(move |at| batch.slice(at, size.min(rows - at)))
}

/// Whom the rows are told from.
#[derive(Debug)]
struct Known {
    /// Nobody where the table has no key
    people: Option<KnownPeople>,
    /// The people whom others wrote since the statement began
    others: KeySet,
}

pub(super) struct Writer {
    schema: SchemaRef,
    embedder: Option<Arc<dyn Embedder>>,
    /// What columns hold that the rows leave out
    constants: Vec<(String, String)>,
    known: Mutex<Known>,
    /// Narratives whose vectors come with the rows
    vectors_come: Vec<String>,
    /// What becomes of a row with the uuid of another
    twins: Twins,
    written: AtomicU64,
    /// Those that were left out, or kept although they repeat a uuid
    repeated: AtomicU64,
}

/// What becomes of a row whose uuid another has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Twins {
    LeftOut,
    /// The table is new, and has a key only if there are none
    Kept,
}

impl Writer {
    /// The rows as the table has them: typed, without people who are there, embedded; in their order.
    fn ready(self: Arc<Self>, rows: SendableRecordBatchStream) -> BoxStream<'static, Result<RecordBatch>> {
        // Rows that are not embedded are written in batches as they come.
        let size = if self.embedder.is_some() { CHUNK } else { usize::MAX };
        let (typing, embedding) = (self.clone(), self);
        rows.then(move |batch| {
            let writer = typing.clone();
            async move { writer.typed(&batch?).await }
        })
        .map_ok(move |batch| stream::iter(slices(batch, size).map(Ok::<_, DataFusionError>)))
        .try_flatten()
        .map(move |batch| {
            let writer = embedding.clone();
            async move { writer.embedded(batch?).await }
        })
        .buffered(2)
        .boxed()
    }

    /// The rows of people not known yet, typed as the table has them; columns of vectors are empty still.
    async fn typed(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let batch = typed(batch, &self.schema, &self.constants)?;
        let mut known = self.known.lock().await;
        let (Some(people), Some(uuids)) = (&mut known.people, keys(&batch)) else {
            self.written.fetch_add(batch.num_rows() as u64, Ordering::Relaxed);
            return Ok(batch);
        };
        let new = BooleanArray::from(people.take_up(&uuids.iter().collect::<Vec<_>>()).await?);
        drop(known);
        let (rows, count) = (batch.num_rows() as u64, new.true_count() as u64);
        self.repeated.fetch_add(rows - count, Ordering::Relaxed);
        if self.twins == Twins::Kept {
            self.written.fetch_add(rows, Ordering::Relaxed);
            return Ok(batch);
        }
        self.written.fetch_add(count, Ordering::Relaxed);
        Ok(filter_record_batch(&batch, &new)?)
    }

    /// Leaves out people whom others wrote, up to a version, after these rows were taken up: among them those that were
    /// ready while the statement committed others of its own.
    async fn without_others(&self, rows: Vec<RecordBatch>, dataset: &Dataset) -> Result<Vec<RecordBatch>> {
        let mut known = self.known.lock().await;
        let Known { people: Some(people), others } = &mut *known else { return Ok(rows) };
        if people.version() != dataset.version().version {
            others.add(&people.renew(dataset).await?)?;
        }
        if others.is_empty() {
            return Ok(rows);
        }
        rows.iter()
            .map(|batch| {
                let Some(uuids) = keys(batch) else { return Ok(batch.clone()) };
                let new: BooleanArray = uuids.iter().map(|u| Some(u.is_none_or(|u| !others.contains(u)))).collect();
                self.repeated.fetch_add((batch.num_rows() - new.true_count()) as u64, Ordering::Relaxed);
                Ok(filter_record_batch(batch, &new)?)
            })
            .collect()
    }

    async fn embedded(&self, batch: RecordBatch) -> Result<RecordBatch> {
        match &self.embedder {
            Some(embedder) => embed_batch(embedder.as_ref(), batch, |_| true, &self.vectors_come).await,
            None => Ok(batch),
        }
    }
}

fn keys(batch: &RecordBatch) -> Option<&StringArray> {
    batch.column_by_name("uuid")?.as_string_opt::<i32>()
}

/// Rows with a table's columns and types; a column that is left out holds its constant, or NULL.
pub(super) fn typed(batch: &RecordBatch, schema: &SchemaRef, constants: &[(String, String)]) -> Result<RecordBatch> {
    let rows = batch.num_rows();
    // A value that does not fit its column is an error, not a NULL.
    let strict = CastOptions { safe: false, ..Default::default() };
    let column = |name: &str, kind: &DataType| match batch.column_by_name(name) {
        Some(column) => cast_with_options(column, kind, &strict),
        None => match constants.iter().find(|(n, _)| n == name) {
            Some((_, value)) if *kind == DataType::Utf8 => {
                Ok(Arc::new(StringArray::from(vec![value.as_str(); rows])) as _)
            }
            _ => Ok(new_null_array(kind, rows)),
        },
    };
    let columns = schema.fields().iter().map(|f| column(f.name(), f.data_type()));
    let columns: Vec<ArrayRef> = columns.collect::<std::result::Result<_, _>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    Ok(RecordBatch::try_new_with_options(schema.clone(), columns, &options)?)
}

/// Fills the columns of vectors of those narratives that `stale` names. Of those in `come`, vectors that are there are
/// kept: a copy of a person needs no model.
pub(super) async fn embed_batch(
    embedder: &dyn Embedder,
    batch: RecordBatch,
    stale: impl Fn(&str) -> bool,
    come: &[String],
) -> Result<RecordBatch> {
    let schema = batch.schema();
    let mut columns = batch.columns().to_vec();
    let mut places = Vec::new();
    let mut texts = Vec::new();
    for (place, field) in schema.fields().iter().enumerate() {
        if let Some(narrative) = embedded_narrative(field).filter(|n| stale(n))
            && let Some(text) = batch.column_by_name(narrative)
        {
            let there = come.iter().any(|c| c == narrative).then(|| is_not_null(&columns[place])).transpose()?;
            let text = match &there {
                Some(there) => nullif(text, there)?,
                None => text.clone(),
            };
            places.push((place, there));
            texts.push(text);
        }
    }
    for ((place, there), vectors) in places.into_iter().zip(embed_columns(embedder, &texts).await?) {
        columns[place] = match there {
            Some(there) if there.true_count() == there.len() => continue,
            Some(there) => zip(&there, &columns[place], &vectors)?,
            None => vectors,
        };
    }
    Ok(RecordBatch::try_new(schema, columns)?)
}
