//! The rows of any query, read whole, to be searched.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, UInt64Array};
use arrow::compute::{cast, interleave};
use arrow::datatypes::{DataType, Field, Float32Type, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::common::{Result, exec_datafusion_err, exec_err};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::{StreamExt, TryStreamExt, stream};

use super::rank;
use crate::host::table_search::SearchRows;
use crate::scalars::cosine_similarity::similarity;

/// Memory for the rows of a query that is searched.
const MOST_BYTES: usize = 4 << 30;

/// Rows in memory; they are numbered in their order.
#[derive(Debug)]
pub(super) struct Collected {
    schema: SchemaRef,
    batches: Vec<RecordBatch>,
    /// The number of each batch's first row
    starts: Vec<u64>,
    /// What they take of the memory of statements
    _held: MemoryReservation,
}

impl Collected {
    /// Reads the rows of a query.
    ///
    /// # Errors
    /// What they end with, or if there is no memory for them.
    pub async fn read(function: &str, mut rows: SendableRecordBatchStream, task: &TaskContext) -> Result<Collected> {
        let held = MemoryConsumer::new(format!("rows that {function} searches")).register(task.memory_pool());
        let schema = rows.schema();
        let (mut batches, mut starts, mut next, mut bytes) = (vec![], vec![], 0, 0);
        while let Some(batch) = rows.try_next().await? {
            bytes += batch.get_array_memory_size();
            if bytes > MOST_BYTES {
                return exec_err!(
                    "{function}: the query has more than {} GiB of rows to search; select fewer columns, or search the \
                     table itself with where => …",
                    MOST_BYTES >> 30
                );
            }
            held.try_resize(bytes)?;
            starts.push(next);
            next += batch.num_rows() as u64;
            batches.push(batch);
        }
        Ok(Collected { schema, batches, starts, _held: held })
    }

    fn place(&self, row: u64) -> (usize, usize) {
        let batch = self.starts.partition_point(|start| *start <= row).saturating_sub(1);
        (batch, (row - self.starts.get(batch).copied().unwrap_or(0)) as usize)
    }

    fn column(&self, name: &str) -> Result<usize> {
        Ok(self.schema.index_of(name)?)
    }
}

/// Vectors as lists of Float32, whatever they are lists of.
pub(super) fn as_vectors(column: &ArrayRef) -> Result<ArrayRef> {
    let item = Arc::new(Field::new("item", DataType::Float32, true));
    Ok(cast(column, &DataType::List(item))?)
}

#[async_trait]
impl SearchRows for Collected {
    async fn nearest(&self, column: &str, query: &[f32], k: usize) -> Result<Vec<(u64, f32)>> {
        let at = self.column(column)?;
        let mut scored = vec![];
        for (batch, start) in self.batches.iter().zip(&self.starts) {
            let vectors = as_vectors(batch.column(at))?;
            let vectors = vectors.as_list::<i32>();
            for row in (0..vectors.len()).filter(|row| vectors.is_valid(*row)) {
                let vector = vectors.value(row);
                let vector = vector.as_primitive::<Float32Type>().values();
                if vector.len() != query.len() {
                    return exec_err!("vectors of {} numbers in {column}, and of {}", vector.len(), query.len());
                }
                if let Some(score) = similarity(vector, query) {
                    scored.push((start + row as u64, score));
                }
            }
        }
        rank::sort(&mut scored);
        scored.truncate(k);
        Ok(scored)
    }

    async fn scan(&self, columns: &[String]) -> Result<SendableRecordBatchStream> {
        let places = columns.iter().map(|c| self.column(c)).collect::<Result<Vec<_>>>()?;
        let mut fields: Vec<Field> = places.iter().map(|at| self.schema.field(*at).clone()).collect();
        fields.push(Field::new("row", DataType::UInt64, false));
        let schema = Arc::new(Schema::new(fields));
        let numbered = |(batch, start): (&RecordBatch, &u64)| {
            let mut columns: Vec<ArrayRef> = places.iter().map(|at| batch.column(*at).clone()).collect();
            columns.push(Arc::new(UInt64Array::from_iter_values(*start..*start + batch.num_rows() as u64)));
            Ok(RecordBatch::try_new(schema.clone(), columns)?)
        };
        let batches: Vec<Result<RecordBatch>> = self.batches.iter().zip(&self.starts).map(numbered).collect();
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, stream::iter(batches).boxed())))
    }

    async fn take(&self, rows: &[u64], columns: &[String]) -> Result<RecordBatch> {
        let places: Vec<(usize, usize)> = rows.iter().map(|row| self.place(*row)).collect();
        let fields =
            columns.iter().map(|c| Ok(self.schema.field(self.column(c)?).clone())).collect::<Result<Vec<_>>>()?;
        if self.batches.is_empty() || rows.is_empty() {
            return Ok(RecordBatch::new_empty(Arc::new(Schema::new(fields))));
        }
        let taken = columns.iter().map(|name| {
            let at = self.column(name)?;
            let parts: Vec<&dyn Array> = self.batches.iter().map(|b| b.column(at).as_ref()).collect();
            interleave(&parts, &places).map_err(|e| exec_datafusion_err!("{name}: {e}"))
        });
        Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), taken.collect::<Result<Vec<_>>>()?)?)
    }
}
