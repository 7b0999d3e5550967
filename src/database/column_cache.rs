//! Columns of codes and numbers in memory, for statements one after another: decoding them takes longer than most of what
//! is asked of them.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use datafusion::arrow::array::{Array, ArrayRef, RecordBatch, RecordBatchOptions};
use datafusion::arrow::compute::concat;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::stats::Precision;
use datafusion::common::{Result, Statistics, exec_err};
use datafusion::execution::memory_pool::{MemoryLimit, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::EquivalenceProperties;
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet, MetricsSet, RecordOutput};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties};
use futures::{StreamExt, TryStreamExt, stream};
use lance::dataset::Dataset;
use lance::table::format::Fragment;
use tokio::sync::OnceCell;

use super::{Database, Snapshot, memory};
use crate::arrow::each_once;

/// Bytes of columns that are kept at most, and of those that one scan may read.
const KEPT: usize = 1 << 29;
const LARGEST: usize = 1 << 28;

/// The part of what statements may hold together that is kept of columns.
const PART: usize = 8;

/// Rows of a batch.
const BATCH: usize = 65_536;

/// How many columns are remembered that were read.
const REMEMBERED: usize = 4096;

/// Columns of fragments. A fragment's files are never written again, so that nothing here grows stale.
#[derive(Debug, Default)]
pub(super) struct ColumnCache(Mutex<Held>);

#[derive(Debug, Default)]
struct Held {
    columns: HashMap<Key, Column>,
    /// Tables and their columns that were read before
    read: HashSet<(String, String)>,
    /// How many columns were asked for so far
    clock: u64,
    reservation: Option<MemoryReservation>,
}

/// A column of a fragment, as of what is deleted of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    table: String,
    file: String,
    field: i32,
    deleted: Option<(u64, u64)>,
}

#[derive(Debug)]
struct Column {
    /// Of as many rows as a batch has, but the last
    parts: Arc<Vec<ArrayRef>>,
    bytes: usize,
    /// The clock when it was last asked for
    used: u64,
}

impl ColumnCache {
    fn held(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that columns are read, for the next time.
    pub fn note_read(&self, table: &str, columns: &[String]) {
        let mut held = self.held();
        if held.read.len() > REMEMBERED {
            held.read.clear();
        }
        held.read.extend(columns.iter().map(|column| (table.to_string(), column.clone())));
    }

    /// Whether columns are worth keeping: all of them were read before. What is read once passes through.
    fn were_read(&self, table: &str, columns: &[String]) -> bool {
        let held = self.held();
        columns.iter().all(|column| held.read.contains(&(table.to_string(), column.clone())))
    }

    fn known(&self, key: &Key) -> Option<Arc<Vec<ArrayRef>>> {
        let mut held = self.held();
        held.clock += 1;
        let now = held.clock;
        let column = held.columns.get_mut(key)?;
        column.used = now;
        Some(column.parts.clone())
    }

    /// Keeps a column, and lets go of those that were not asked for the longest. One for which there is no memory is not
    /// kept.
    fn keep(&self, key: Key, parts: Arc<Vec<ArrayRef>>, database: &Database) -> Result<()> {
        let bytes = parts.iter().map(|p| p.get_buffer_memory_size()).sum();
        let runtime = database.runtime()?;
        let mut held = self.held();
        let Held { columns, clock, reservation, .. } = &mut *held;
        let reservation = reservation.get_or_insert_with(|| memory::reservation(&runtime, "columns kept in memory"));
        let most = match runtime.memory_pool.memory_limit() {
            MemoryLimit::Finite(limit) => KEPT.min(limit / PART),
            _ => KEPT,
        };
        while reservation.size() + bytes > most {
            let oldest = columns.iter().min_by_key(|(_, column)| column.used).map(|(key, _)| key.clone());
            let Some(column) = oldest.and_then(|key| columns.remove(&key)) else { return Ok(()) };
            reservation.shrink(column.bytes);
        }
        if !columns.contains_key(&key) && reservation.try_grow(bytes).is_ok() {
            columns.insert(key, Column { parts, bytes, used: *clock });
        }
        Ok(())
    }

    /// The rows of a fragment, in batches; those of its columns that are not here yet are read.
    async fn batches(&self, of: &Columns, fragment: &Fragment) -> Result<Vec<RecordBatch>> {
        let dataset = &of.snapshot.dataset;
        let keys = of.schema.fields().iter().map(|field| key(dataset, fragment, field.name()));
        let Some(keys) = keys.collect::<Option<Vec<Key>>>() else {
            return exec_err!("a file of table {} lacks a column", of.snapshot.table.name);
        };
        let mut columns: Vec<Option<Arc<Vec<ArrayRef>>>> = keys.iter().map(|key| self.known(key)).collect();
        let missing: Vec<usize> = (0..keys.len()).filter(|at| columns[*at].is_none()).collect();
        let read = match missing.is_empty() {
            true => vec![],
            false => read(of, fragment, &missing).await?,
        };
        for (at, parts) in missing.into_iter().zip(read) {
            let parts = Arc::new(parts);
            self.keep(keys[at].clone(), parts.clone(), &of.database)?;
            columns[at] = Some(parts);
        }
        let columns: Vec<Arc<Vec<ArrayRef>>> = columns.into_iter().flatten().collect();
        let parts = columns.first().map_or(0, |c| c.len());
        let batch = |part: usize| {
            let arrays: Vec<ArrayRef> = columns.iter().filter_map(|c| c.get(part).cloned()).collect();
            let rows = arrays.first().map_or(0, |a| a.len());
            let options = RecordBatchOptions::new().with_row_count(Some(rows));
            Ok(RecordBatch::try_new_with_options(of.schema.clone(), arrays, &options)?)
        };
        (0..parts).map(batch).collect()
    }
}

/// Which column of which file a column of a fragment is. `None` where it is not in one file.
fn key(dataset: &Dataset, fragment: &Fragment, column: &str) -> Option<Key> {
    let field = dataset.schema().field(column)?.id;
    let mut files = fragment.files.iter().filter(|file| file.fields.contains(&field));
    let file = files.next().filter(|_| files.next().is_none() && fragment.overlays.is_empty())?;
    let deleted = fragment.deletion_file.as_ref().map(|d| (d.read_version, d.id));
    Some(Key { table: dataset.uri().to_string(), file: file.path.clone(), field, deleted })
}

/// Columns of a fragment, by their places, cut where batches end.
async fn read(of: &Columns, fragment: &Fragment, places: &[usize]) -> Result<Vec<Vec<ArrayRef>>> {
    let mut scan = of.snapshot.dataset.scan();
    let names: Vec<&str> = places.iter().map(|at| of.schema.field(*at).name().as_str()).collect();
    scan.project(&names)?.with_fragments(vec![fragment.clone()]).batch_size(BATCH);
    let batches: Vec<RecordBatch> = scan.try_into_stream().await?.try_collect().await?;
    let column = |(place, at): (usize, &usize)| {
        let arrays: Vec<&dyn Array> = batches.iter().map(|b| b.column(place).as_ref()).collect();
        if arrays.is_empty() {
            return Ok(vec![]);
        }
        let whole = each_once(concat(&arrays)?);
        if whole.data_type() != of.schema.field(*at).data_type() {
            return exec_err!("column {} has another type in its files", of.schema.field(*at).name());
        }
        let cut = |start: usize| whole.slice(start, BATCH.min(whole.len() - start));
        Ok((0..whole.len()).step_by(BATCH).map(cut).collect())
    };
    places.iter().enumerate().map(column).collect()
}

/// Some columns of a version of a table.
#[derive(Debug)]
struct Columns {
    database: Arc<Database>,
    snapshot: Arc<Snapshot>,
    schema: SchemaRef,
    /// The batches of each fragment: read once, by whichever partition comes to it first
    fragments: Vec<(Fragment, OnceCell<Vec<RecordBatch>>)>,
}

impl Columns {
    async fn batches(&self, fragment: usize) -> Result<&[RecordBatch]> {
        let (fragment, batches) = &self.fragments[fragment];
        let read = || self.database.shared.columns.batches(self, fragment);
        Ok(batches.get_or_try_init(read).await?)
    }
}

/// Reads columns of a table that are kept in memory.
pub(super) struct CachedScanExec {
    columns: Arc<Columns>,
    rows: Option<usize>,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl CachedScanExec {
    /// A scan of columns of codes and numbers. `None` where it is not worth keeping them: they are too many, or were not
    /// read before. Of one partition, the rows come in their order.
    pub fn new(
        database: &Arc<Database>,
        snapshot: &Arc<Snapshot>,
        schema: SchemaRef,
        partitions: usize,
    ) -> Option<CachedScanExec> {
        let dataset = &snapshot.dataset;
        let rows: usize = dataset.fragments().iter().map(|f| f.physical_rows).sum::<Option<usize>>()?;
        let width: usize = schema.fields().iter().map(|f| f.data_type().primitive_width().unwrap_or(4)).sum();
        let names: Vec<String> = schema.fields().iter().map(|f| f.name().clone()).collect();
        let are_there = dataset.fragments().iter().all(|f| names.iter().all(|name| key(dataset, f, name).is_some()));
        if rows < 2 * BATCH || names.is_empty() || rows * width > LARGEST || !are_there {
            return None;
        }
        if !database.shared.columns.were_read(dataset.uri(), &names) {
            return None;
        }
        let fragments = dataset.fragments().iter().map(|f| (f.clone(), OnceCell::new())).collect();
        let columns = Columns { database: database.clone(), snapshot: snapshot.clone(), schema, fragments };
        let properties = PlanProperties::new(
            EquivalenceProperties::new(columns.schema.clone()),
            Partitioning::UnknownPartitioning(partitions),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        let left = dataset.fragments().iter().map(|f| f.num_rows()).sum();
        Some(CachedScanExec {
            columns: Arc::new(columns),
            rows: left,
            properties: Arc::new(properties),
            metrics: ExecutionPlanMetricsSet::new(),
        })
    }
}

impl fmt::Debug for CachedScanExec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fmt_as(DisplayFormatType::Default, f)
    }
}

impl DisplayAs for CachedScanExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        let columns: Vec<&str> = self.columns.schema.fields().iter().map(|f| f.name().as_str()).collect();
        let (table, partitions) = (&self.columns.snapshot.table.name, self.properties.partitioning.partition_count());
        write!(f, "CachedScanExec: table={table}, columns=[{}], partitions={partitions}", columns.join(", "))
    }
}

impl ExecutionPlan for CachedScanExec {
    fn name(&self) -> &str {
        "CachedScanExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![]
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        if children.is_empty() { Ok(self) } else { exec_err!("CachedScanExec has no inputs") }
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }

    fn partition_statistics(&self, partition: Option<usize>) -> Result<Arc<Statistics>> {
        let mut told = Statistics::new_unknown(&self.columns.schema);
        if let (None, Some(rows)) = (partition, self.rows) {
            told.num_rows = Precision::Exact(rows);
        }
        Ok(Arc::new(told))
    }

    fn execute(&self, partition: usize, _: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let partitions = self.properties.partitioning.partition_count();
        if partition >= partitions {
            return exec_err!("CachedScanExec has {partitions} partitions");
        }
        let metrics = BaselineMetrics::new(&self.metrics, partition);
        let columns = self.columns.clone();
        let rows = stream::iter(0..columns.fragments.len()).then(move |fragment| {
            let columns = columns.clone();
            async move {
                let batches = columns.batches(fragment).await?;
                // The batches of a fragment in turns, so that a single one is work for all.
                Ok::<_, datafusion::error::DataFusionError>(
                    batches.iter().skip(partition).step_by(partitions).cloned().collect::<Vec<_>>(),
                )
            }
        });
        let rows = rows.map_ok(|batches| stream::iter(batches.into_iter().map(Ok))).try_flatten();
        let rows = rows.map(move |batch| batch.map(|batch: RecordBatch| batch.record_output(&metrics)));
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.columns.schema.clone(), rows)))
    }
}
