//! Writing rows: typed as the table has them, people already there left out, narratives embedded.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use datafusion::arrow::array::{
    ArrayRef, AsArray, BooleanArray, RecordBatch, RecordBatchIterator, RecordBatchOptions, new_null_array,
};
use datafusion::arrow::compute::{CastOptions, cast_with_options, filter_record_batch};
use datafusion::arrow::datatypes::{DataType, Schema, SchemaRef};
use datafusion::common::{DataFusionError, Result, exec_datafusion_err, exec_err};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::{StreamExt, TryStreamExt, stream};
use lance::dataset::{CommitBuilder, Dataset, InsertBuilder, WriteMode, WriteParams};
use populace_udfs::Embedder;

use super::embedding::embed_columns;
use super::shape::{Shape, check_embedder, embedded_narrative};
use super::{Database, WriteLock, check_name};

/// Rows that are embedded together.
const CHUNK: usize = 512;

/// What became of the rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Appended {
    pub written: u64,
    /// People who were in the table already
    pub skipped: u64,
}

/// The keys of a table's people.
#[derive(Debug, Default)]
pub struct Uuids(HashSet<u128>);

impl Uuids {
    pub fn contains(&self, uuid: &str) -> bool {
        self.0.contains(&key(uuid))
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
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

impl Database {
    /// The people of a table's newest version; none where there is no table, or no column `uuid`.
    ///
    /// # Errors
    /// If the table cannot be read.
    pub async fn uuids(&self, table: &str) -> Result<Uuids> {
        match self.dataset(table, None).await? {
            Some(dataset) => uuids(&dataset).await,
            None => Ok(Uuids::default()),
        }
    }

    /// Appends rows in one commit, which carries `properties`; takes turns with other writers.
    ///
    /// # Errors
    /// If there is no such table, the rows do not fit it, or it cannot be written; then nothing is.
    pub async fn append(
        &self,
        table: &str,
        rows: SendableRecordBatchStream,
        properties: HashMap<String, String>,
    ) -> Result<Appended> {
        let lock = self.lock(table).await?;
        let path = self.path(table);
        if !path.is_dir() {
            return exec_err!("there is no table {table}");
        }
        self.append_to(&path, table, rows, properties, &lock).await
    }

    async fn append_to(
        &self,
        path: &Path,
        table: &str,
        rows: SendableRecordBatchStream,
        properties: HashMap<String, String>,
        _: &WriteLock,
    ) -> Result<Appended> {
        let dataset = Arc::new(self.load(path, None).await?);
        let schema: SchemaRef = Arc::new(Schema::from(dataset.schema()));
        let embedded = schema.fields().iter().any(|f| embedded_narrative(f.name()).is_some());
        let embedder = if embedded { Some(self.embedder().get()?) } else { None };
        if let Some(embedder) = &embedder {
            check_embedder(table, schema.metadata(), embedder.as_ref())?;
        }
        let writer = Arc::new(Writer {
            known: Mutex::new(uuids(&dataset).await?),
            schema: schema.clone(),
            embedder,
            written: AtomicU64::new(0),
            skipped: AtomicU64::new(0),
        });
        let (typing, embedding) = (writer.clone(), writer.clone());
        let written = rows
            .map_ok(|batch| stream::iter(slices(batch).map(Ok::<_, DataFusionError>)))
            .try_flatten()
            .map(move |batch| typing.typed(&batch?))
            .map(move |batch| {
                let writer = embedding.clone();
                async move { writer.embedded(batch?).await }
            })
            .buffered(2);
        let rows = Box::pin(RecordBatchStreamAdapter::new(schema, written));
        let params = WriteParams { mode: WriteMode::Append, session: Some(self.lance_session()), ..Default::default() };
        let transaction = InsertBuilder::new(dataset.clone())
            .with_params(&params)
            .execute_uncommitted_stream(rows as SendableRecordBatchStream)
            .await?;
        let count = |c: &AtomicU64| c.load(Ordering::Relaxed);
        let appended = Appended { written: count(&writer.written), skipped: count(&writer.skipped) };
        if appended.written > 0 {
            CommitBuilder::new(dataset).with_transaction_properties(properties).execute(transaction).await?;
        }
        Ok(appended)
    }

    /// Makes a table of rows. It is there as a whole or, if anything fails, not at all; so is the one it replaces.
    ///
    /// # Errors
    /// If the table exists and is not to be replaced, or cannot be written.
    pub async fn create_table(
        &self,
        table: &str,
        rows: SendableRecordBatchStream,
        options: CreateTable,
    ) -> Result<Appended> {
        check_name(table)?;
        let lock = self.lock(table).await?;
        let path = self.path(table);
        if path.exists() && !options.replace {
            return exec_err!("the table {table} exists already; CREATE OR REPLACE TABLE replaces it");
        }
        let bare = options.shape.schema(&rows.schema(), None, options.pack.as_deref());
        let narrated = bare.fields().iter().any(|f| super::NARRATIVES.contains(&f.name().as_str()));
        let embedder = if narrated && options.embed { Some(self.embedder().get()?) } else { None };
        let schema = options.shape.schema(&rows.schema(), embedder.as_deref(), options.pack.as_deref());
        let beside = self.root().join("tables").join(format!(".{table}.{}.new", uuid::Uuid::now_v7()));
        let made = async {
            let params = WriteParams { mode: WriteMode::Create, ..Default::default() };
            let empty = RecordBatchIterator::new(Vec::new(), schema);
            Dataset::write(empty, beside.to_string_lossy().as_ref(), Some(params)).await?;
            let appended = self.append_to(&beside, table, rows, HashMap::new(), &lock).await?;
            if path.exists() {
                self.drop_table(table)?;
            }
            std::fs::rename(&beside, &path).map_err(|e| exec_datafusion_err!("cannot make the table {table}: {e}"))?;
            Ok(appended)
        };
        let made = made.await;
        if made.is_err() {
            _ = std::fs::remove_dir_all(&beside);
        }
        made
    }
}

/// How a table is made.
#[derive(Debug, Clone)]
pub struct CreateTable {
    pub shape: Shape,
    pub replace: bool,
    /// Whether narratives get columns of vectors
    pub embed: bool,
    /// The pack that its people are drawn from, kept with the table
    pub pack: Option<String>,
}

fn slices(batch: RecordBatch) -> impl Iterator<Item = RecordBatch> {
    let rows = batch.num_rows();
    (0..rows).step_by(CHUNK).map(move |at| batch.slice(at, CHUNK.min(rows - at)))
}

async fn uuids(dataset: &Dataset) -> Result<Uuids> {
    let mut uuids = Uuids::default();
    if dataset.schema().field("uuid").is_none_or(|f| f.data_type() != DataType::Utf8) {
        return Ok(uuids);
    }
    let mut scan = dataset.scan();
    scan.project(&["uuid"])?;
    let mut batches = scan.try_into_stream().await?;
    while let Some(batch) = batches.try_next().await? {
        uuids.0.extend(batch.column(0).as_string::<i32>().iter().flatten().map(key));
    }
    Ok(uuids)
}

struct Writer {
    schema: SchemaRef,
    embedder: Option<Arc<dyn Embedder>>,
    known: Mutex<Uuids>,
    written: AtomicU64,
    skipped: AtomicU64,
}

impl Writer {
    /// The rows of people not known yet, typed as the table has them; columns of vectors are empty still.
    fn typed(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let batch = typed(batch, &self.schema)?;
        let Some(uuid) = batch.column_by_name("uuid").and_then(|c| c.as_string_opt::<i32>()) else {
            self.written.fetch_add(batch.num_rows() as u64, Ordering::Relaxed);
            return Ok(batch);
        };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        // Rows without a key are nobody's twin.
        let new: BooleanArray = uuid.iter().map(|u| Some(u.is_none_or(|u| known.0.insert(key(u))))).collect();
        let count = new.true_count() as u64;
        self.written.fetch_add(count, Ordering::Relaxed);
        self.skipped.fetch_add(batch.num_rows() as u64 - count, Ordering::Relaxed);
        Ok(filter_record_batch(&batch, &new)?)
    }

    async fn embedded(&self, batch: RecordBatch) -> Result<RecordBatch> {
        match &self.embedder {
            Some(embedder) => embed_batch(embedder.as_ref(), batch, |_| true).await,
            None => Ok(batch),
        }
    }
}

/// Rows with a table's columns and types; a column that is left out is NULL.
pub(super) fn typed(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let rows = batch.num_rows();
    // A value that does not fit its column is an error, not a NULL.
    let strict = CastOptions { safe: false, ..Default::default() };
    let column = |name: &str, kind: &DataType| match batch.column_by_name(name) {
        Some(column) => cast_with_options(column, kind, &strict),
        None => Ok(new_null_array(kind, rows)),
    };
    let columns = schema.fields().iter().map(|f| column(f.name(), f.data_type()));
    let columns: Vec<ArrayRef> = columns.collect::<std::result::Result<_, _>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    Ok(RecordBatch::try_new_with_options(schema.clone(), columns, &options)?)
}

/// Fills the columns of vectors of those narratives that `stale` names.
pub(super) async fn embed_batch(
    embedder: &dyn Embedder,
    batch: RecordBatch,
    stale: impl Fn(&str) -> bool,
) -> Result<RecordBatch> {
    let schema = batch.schema();
    let mut columns = batch.columns().to_vec();
    let mut places = Vec::new();
    let mut texts = Vec::new();
    for (place, field) in schema.fields().iter().enumerate() {
        if let Some(narrative) = embedded_narrative(field.name()).filter(|n| stale(n))
            && let Some(text) = batch.column_by_name(narrative)
        {
            places.push(place);
            texts.push(text.clone());
        }
    }
    for (place, vectors) in places.into_iter().zip(embed_columns(embedder, &texts).await?) {
        columns[place] = vectors;
    }
    Ok(RecordBatch::try_new(schema, columns)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_tell_uuids_apart() {
        assert_eq!(key("000000000000000000000000000000ff"), 255);
        assert_ne!(key("000000000000000000000000000000FF"), 255);
        assert_ne!(key("ff"), key("0ff"));
    }
}
