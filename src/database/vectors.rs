//! Vectors of a table in memory, for exact searches one after another.

use std::collections::VecDeque;
use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};

use datafusion::arrow::array::{Array, AsArray, FixedSizeListArray, RecordBatch};
use datafusion::arrow::datatypes::{DataType, Float32Type, UInt64Type};
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::memory_pool::{MemoryLimit, MemoryReservation};
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::logical_expr::Expr;
use futures::{Stream, TryStreamExt};
use lance::dataset::{Dataset, ROW_ID};
use lance_linalg::distance::dot;
use rayon::prelude::*;

use super::memory::reservation;

/// Bytes of vectors that are kept, and of the largest column that is.
const KEPT: usize = 1 << 30;
const LARGEST: usize = 1 << 29;

/// Rows that one thread scores at a time.
const CHUNK: usize = 4096;

/// A column of vectors, as of a version of its table.
#[derive(Debug)]
pub(super) struct Vectors {
    /// Of the rows that have a vector, ascending
    rows: Vec<u64>,
    /// One vector after another
    numbers: Vec<f32>,
    /// Of each vector, Euclidean
    lengths: Vec<f32>,
    dimension: usize,
    /// What they take of the memory of statements
    _held: MemoryReservation,
}

/// Columns by their table, its version and the time of that, the latest used first.
#[derive(Debug, Default)]
pub(super) struct VectorCache(Mutex<VecDeque<(Key, Arc<Vectors>)>>);

type Key = (String, u64, u128, String);

impl VectorCache {
    /// The vectors of a column; `None` if they are too many to be kept, in all or beside what statements hold.
    ///
    /// # Errors
    /// If they cannot be read.
    pub async fn get(&self, dataset: &Dataset, column: &str, memory: &RuntimeEnv) -> Result<Option<Arc<Vectors>>> {
        let key = key(dataset, column);
        if let Some(known) = self.known(&key) {
            return Ok(Some(known));
        }
        let Some(vectors) = Vectors::read(dataset, column, memory).await? else { return Ok(None) };
        let vectors = Arc::new(vectors);
        let mut cache = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // An older version of the same column is not searched again soon.
        cache.retain(|((uri, .., name), _)| (uri, name) != (&key.0, &key.3));
        cache.push_front((key, vectors.clone()));
        while cache.len() > 1 && cache.iter().map(|(_, v)| v.bytes()).sum::<usize>() > KEPT {
            cache.pop_back();
        }
        Ok(Some(vectors))
    }

    /// Whether the vectors of a column are in memory.
    pub fn has(&self, dataset: &Dataset, column: &str) -> bool {
        self.known(&key(dataset, column)).is_some()
    }

    fn known(&self, key: &Key) -> Option<Arc<Vectors>> {
        let mut cache = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = cache.iter().position(|(k, _)| k == key)?;
        let used = cache.remove(found)?;
        let vectors = used.1.clone();
        cache.push_front(used);
        Some(vectors)
    }
}

fn key(dataset: &Dataset, column: &str) -> Key {
    let manifest = dataset.manifest();
    (dataset.uri().to_string(), manifest.version, manifest.timestamp_nanos, column.to_string())
}

/// Bytes of the memory of statements that a column may take: it is kept, and they go on.
fn part_of(memory: &RuntimeEnv) -> usize {
    match memory.memory_pool.memory_limit() {
        MemoryLimit::Finite(bytes) => bytes / 4,
        _ => usize::MAX,
    }
}

/// Memory for a row: its vector, the length of that, its number.
fn row_bytes(dimension: usize) -> usize {
    (dimension + 1) * size_of::<f32>() + size_of::<u64>()
}

impl Vectors {
    fn bytes(&self) -> usize {
        self.rows.len() * row_bytes(self.dimension)
    }

    async fn read(dataset: &Dataset, column: &str, memory: &RuntimeEnv) -> Result<Option<Vectors>> {
        // Told before anything is read: a column that is too large is searched by Lance's scan each time.
        let dimension = match dataset.schema().field(column).map(|f| f.data_type()) {
            Some(DataType::FixedSizeList(_, dimension)) => dimension as usize,
            _ => return Ok(None),
        };
        let bytes = dataset.count_rows(None).await? * row_bytes(dimension);
        let held = reservation(memory, "vectors for searches");
        if bytes > LARGEST || bytes > part_of(memory) || held.try_grow(bytes).is_err() {
            return Ok(None);
        }
        let mut scan = dataset.scan();
        scan.project(&[column])?.with_row_id();
        let mut batches = scan.try_into_stream().await?;
        let mut vectors = Vectors { rows: vec![], numbers: vec![], lengths: vec![], dimension, _held: held };
        while let Some(batch) = batches.try_next().await? {
            let (Some(column), Some(ids)) = (batch.column_by_name(column), batch.column_by_name(ROW_ID)) else {
                return Ok(None);
            };
            let Some(list) = column.as_fixed_size_list_opt() else { return Ok(None) };
            let Some(numbers) = list.values().as_primitive_opt::<Float32Type>() else { return Ok(None) };
            for (i, id) in ids.as_primitive::<UInt64Type>().values().iter().enumerate() {
                if list.is_valid(i) {
                    let start = list.value_offset(i) as usize;
                    vectors.rows.push(*id);
                    vectors.numbers.extend_from_slice(&numbers.values()[start..start + vectors.dimension]);
                }
            }
        }
        if dimension == 0 || !vectors.rows.is_sorted() {
            return Ok(None);
        }
        vectors.lengths = vectors.numbers.par_chunks_exact(vectors.dimension).map(|v| dot(v, v).sqrt()).collect();
        Ok(Some(vectors))
    }

    /// The rows nearest to a vector and their cosine similarities, nearest first; among `of` alone, which ascend.
    pub fn nearest(&self, query: &[f32], k: usize, of: Option<&[u64]>) -> Vec<(u64, f32)> {
        let length = dot(query, query).sqrt();
        let score = |place: usize| {
            let vector = &self.numbers[place * self.dimension..(place + 1) * self.dimension];
            let lengths = self.lengths[place] * length;
            if lengths > 0.0 { dot(vector, query) / lengths } else { 0.0 }
        };
        let places: Vec<u32> = match of {
            None => (0..self.rows.len() as u32).collect(),
            Some(of) => self.places(of),
        };
        let mut scored: Vec<(u32, f32)> =
            places.par_chunks(CHUNK).flat_map_iter(|chunk| chunk.iter().map(|p| (*p, score(*p as usize)))).collect();
        let order = |a: &(u32, f32), b: &(u32, f32)| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0));
        if scored.len() > k {
            scored.select_nth_unstable_by(k, order);
            scored.truncate(k);
        }
        scored.sort_unstable_by(order);
        scored.into_iter().map(|(place, score)| (self.rows[place as usize], score)).collect()
    }

    /// The places of rows; those without a vector have none.
    fn places(&self, of: &[u64]) -> Vec<u32> {
        let mut at = 0;
        let mut places = Vec::with_capacity(of.len());
        for row in of {
            at += self.rows[at..].iter().take_while(|r| *r < row).count();
            if self.rows.get(at) == Some(row) {
                places.push(at as u32);
            }
        }
        places
    }
}

/// The cosine similarity of each vector to another; nothing for a row without one.
pub(super) fn similarities(vectors: &FixedSizeListArray, numbers: &[f32], query: &[f32]) -> Vec<Option<f32>> {
    let of_query = dot(query, query).sqrt();
    let similarity = |row: usize| {
        let start = vectors.value_offset(row) as usize;
        let vector = &numbers[start..start + query.len()];
        let lengths = dot(vector, vector).sqrt() * of_query;
        vectors.is_valid(row).then(|| if lengths > 0.0 { dot(vector, query) / lengths } else { 0.0 })
    };
    (0..vectors.len()).map(similarity).collect()
}

/// The `k` rows of the highest scores, highest first; equal ones in the order of the rows.
pub(super) fn keep_nearest(scored: &mut Vec<(u64, f32)>, k: usize) {
    scored.sort_unstable_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    scored.truncate(k);
}

/// Numbers of rows, ascending.
#[derive(Debug)]
pub(super) struct RowIds {
    ids: Vec<u64>,
    /// What they take of the memory of statements
    _held: MemoryReservation,
}

impl Deref for RowIds {
    type Target = [u64];

    fn deref(&self) -> &[u64] {
        &self.ids
    }
}

impl RowIds {
    /// The numbers that are the one column of some rows.
    ///
    /// # Errors
    /// If they cannot be read, or there is no memory for them.
    pub async fn read(
        mut batches: impl Stream<Item = Result<RecordBatch>> + Unpin,
        memory: &RuntimeEnv,
    ) -> Result<RowIds> {
        let (mut ids, held) = (vec![], reservation(memory, "numbers of the rows that are searched"));
        while let Some(batch) = batches.try_next().await? {
            let found = batch.column(0).as_primitive::<UInt64Type>().values();
            // Lists double as they grow.
            held.try_grow(found.len() * 2 * size_of::<u64>())?;
            ids.extend_from_slice(found);
        }
        ids.sort_unstable();
        Ok(RowIds { ids, _held: held })
    }

    /// Those of the rows that match a predicate.
    ///
    /// # Errors
    /// If they cannot be read, or there is no memory for them.
    pub async fn matching(dataset: &Dataset, predicate: Expr, memory: &RuntimeEnv) -> Result<RowIds> {
        let mut scan = dataset.scan();
        scan.empty_project()?.with_row_id().filter_expr(predicate);
        RowIds::read(scan.try_into_stream().await?.map_err(DataFusionError::from), memory).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_come_first_and_only_those_asked_for() {
        let numbers = vec![1.0, 0.0, 0.0, 2.0, 3.0, 3.0, 0.0, 0.0];
        let lengths = numbers.chunks(2).map(|v| dot(v, v).sqrt()).collect();
        let memory = RuntimeEnv::default();
        let held = reservation(&memory, "vectors");
        let vectors = Vectors { rows: vec![10, 20, 30, 40], numbers, lengths, dimension: 2, _held: held };
        let ids = |found: Vec<(u64, f32)>| found.into_iter().map(|(id, _)| id).collect::<Vec<_>>();
        assert_eq!(ids(vectors.nearest(&[0.0, 1.0], 2, None)), [20, 30]);
        assert_eq!(ids(vectors.nearest(&[0.0, 1.0], 9, Some(&[5, 10, 30, 35]))), [30, 10]);
        let all = vectors.nearest(&[2.0, 0.0], 4, None);
        assert_eq!(all[0], (10, 1.0));
        assert!((all[1].1 - 0.5f32.sqrt()).abs() < 1e-6);
    }
}
