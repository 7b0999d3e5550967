//! Indexes of vectors: how they are built, and how far a search looks in them, by measured recall.

use std::collections::HashSet;
use std::fmt;

use datafusion::arrow::array::{Array, AsArray};
use datafusion::arrow::datatypes::{DataType, Float32Type};
use datafusion::common::{Result, exec_err};
use lance::dataset::scanner::Scanner;
use lance::dataset::{Dataset, ProjectionRequest};
use lance::index::DatasetIndexExt;
use lance::index::vector::VectorIndexParams;
use lance_index::IndexType;
use lance_index::vector::ivf::IvfBuildParams;
use lance_index::vector::pq::PQBuildParams;
use lance_linalg::distance::MetricType;
use serde::{Deserialize, Serialize};

use super::super::Database;
use super::super::search::found;
use super::Kind;

/// Vectors in a part of the index, about.
const PART: usize = 4096;
const LEAST_PARTS: usize = 16;

/// Numbers of a vector that are coded together, in one byte.
const CODED: [usize; 4] = [8, 4, 2, 1];

/// How thoroughly codes are learnt: vectors for each of 256 codes, and rounds of k-means. Four times as much of each, as
/// by default, takes some ten times as long; what searches find is measured anyway.
const LEARNT: usize = 64;
const ROUNDS: usize = 15;

/// Stored vectors that recall is measured with, and how many nearest each is asked for.
const ASKED: usize = 64;
const NEAREST: usize = 10;

/// The recall aimed at: .95 is promised, and the sample has an error of its own.
const RECALL: f64 = 0.97;

/// How far a search looks in an index: parts that are looked at, and how many times as many rows as wanted are compared
/// by their full vectors in the end.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Probes {
    parts: usize,
    of: usize,
    refine: u32,
    /// Of the ten nearest, measured when the index was made
    recall: f64,
}

impl fmt::Display for Probes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Probes { parts, of, refine, recall } = self;
        write!(f, "{parts} of {of} parts, refined {refine} times, recall@{NEAREST} {recall:.3}")
    }
}

fn key(index: &str) -> String {
    format!("populace.index.{index}")
}

impl Probes {
    /// How far to look in the index of a column; `None` if it has none.
    pub async fn of(dataset: &Dataset, column: &str) -> Result<Option<Probes>> {
        let Some(index) = Kind::Vector.on(dataset, column).await? else { return Ok(None) };
        // One that somebody else made was not measured.
        let wide = Probes { parts: 64, of: 64, refine: 20, recall: 0.0 };
        Ok(Some(Probes::kept(dataset, &index.name).unwrap_or(wide)))
    }

    /// What was measured when the index was made.
    pub fn kept(dataset: &Dataset, index: &str) -> Option<Probes> {
        serde_json::from_str(dataset.config().get(&key(index))?).ok()
    }

    pub async fn forget(dataset: &mut Dataset, index: &str) -> Result<()> {
        if dataset.config().contains_key(&key(index)) {
            dataset.update_config([(key(index).as_str(), None::<&str>)]).await?;
        }
        Ok(())
    }

    /// Has a search for the `k` nearest look so far, among rows of which a filter keeps this share: at as many of those
    /// as without a filter, and further for more than the ten that were measured, which lie further out.
    pub fn apply(&self, scan: &mut Scanner, k: usize, share: f64) {
        let further = (k as f64 / NEAREST as f64).max(1.0).sqrt();
        let parts = (self.parts as f64 * further / share.max(1e-6)).ceil().min(self.of as f64) as usize;
        scan.minimum_nprobes(parts.max(1)).maximum_nprobes(self.of.max(1)).refine(self.refine);
    }
}

/// Builds an index of vectors (inverted file with product quantization: Jégou, Douze and Schmid 2011, "Product
/// Quantization for Nearest Neighbor Search"), and measures how far searches have to look in it.
pub(super) async fn build(database: &Database, dataset: &mut Dataset, name: &str, column: &str) -> Result<()> {
    let rows = dataset.count_rows(None).await?;
    let dimension = match dataset.schema().field(column).map(|f| f.data_type()) {
        Some(DataType::FixedSizeList(_, dimension)) if dimension > 0 => dimension as usize,
        _ => return exec_err!("{column} holds no vectors"),
    };
    let parts = (rows / PART).max(LEAST_PARTS);
    let coded = CODED.into_iter().find(|c| dimension % c == 0).unwrap_or(1);
    let codes = PQBuildParams {
        num_sub_vectors: dimension / coded,
        num_bits: 8,
        max_iters: ROUNDS,
        sample_rate: LEARNT,
        ..Default::default()
    };
    let params = VectorIndexParams::with_ivf_pq_params(MetricType::Cosine, IvfBuildParams::new(parts), codes);
    dataset.create_index(&[column], IndexType::Vector, Some(name.to_string()), &params, false).await?;
    let probes = measure(database, dataset, column, parts).await?;
    let kept = serde_json::to_string(&probes).unwrap_or_default();
    dataset.update_config([(key(name).as_str(), Some(kept.as_str()))]).await?;
    Ok(())
}

/// The least work that finds what is nearest to vectors of the table's own.
async fn measure(database: &Database, dataset: &Dataset, column: &str, parts: usize) -> Result<Probes> {
    let rows = dataset.count_rows(None).await? as u64;
    let places: Vec<u64> = (0..ASKED as u64).map(|i| i * rows / ASKED as u64).collect();
    let projection = ProjectionRequest::from_columns([column], dataset.schema());
    let asked = dataset.take(&places, projection).await?;
    let asked = asked.column(0).as_fixed_size_list();
    let vector = |at: usize| {
        let value = asked.is_valid(at).then(|| asked.value(at))?;
        Some(value.as_primitive::<Float32Type>().values().to_vec())
    };
    let asked: Vec<Vec<f32>> = (0..asked.len()).filter_map(vector).collect();
    let mut exact: Vec<HashSet<u64>> = vec![];
    let vectors = database.shared.vectors.get(dataset, column, database.runtime()?.as_ref()).await?;
    for query in &asked {
        let nearest = match &vectors {
            Some(vectors) => vectors.nearest(query, NEAREST, None),
            None => found(dataset, None, column, query, NEAREST, |scan| _ = scan.use_index(false)).await?,
        };
        exact.push(nearest.into_iter().map(|(row, _)| row).collect());
    }
    let steps = [4, 8, 16, 32, 64, 128, 256, 512].into_iter().filter(|n| *n < parts);
    let mut tried = Probes { parts, of: parts, refine: 1, recall: 0.0 };
    for probed in steps.chain([parts]) {
        for refine in [5, 20, 80] {
            tried = Probes { parts: probed, of: parts, refine, recall: 0.0 };
            let (mut hits, mut all) = (0, 0);
            for (query, exact) in asked.iter().zip(&exact) {
                let nearest =
                    found(dataset, None, column, query, NEAREST, |scan| tried.apply(scan, NEAREST, 1.0)).await?;
                hits += nearest.iter().filter(|(row, _)| exact.contains(row)).count();
                all += exact.len();
            }
            tried.recall = if all == 0 { 1.0 } else { hits as f64 / all as f64 };
            if tried.recall >= RECALL {
                return Ok(tried);
            }
        }
    }
    Ok(tried)
}
