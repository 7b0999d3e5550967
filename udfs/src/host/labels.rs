//! Vectors of labels: short texts of which there are few, embedded once and kept.

use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::{Mutex, PoisonError};

use datafusion::common::{Result, exec_err};

use crate::host::embedder::{Embedder, Purpose};

/// Labels that are handed to an embedder, and kept, at a time: one that is stopped has kept what it did.
const TOGETHER: usize = 256;

/// Keeps the vectors of labels. A host that has a place for them hands one in; without it they are kept in memory.
pub trait LabelStore: Debug + Send + Sync {
    /// The vectors of labels, by an embedder of this name, in order; `None` for those that are not kept.
    ///
    /// # Errors
    /// If they cannot be read.
    fn read(&self, embedder: &str, purpose: Purpose, labels: &[String]) -> Result<Vec<Option<Vec<f32>>>>;

    /// Keeps vectors. One that cannot be kept is made again.
    fn keep(&self, embedder: &str, purpose: Purpose, labels: &[String], vectors: &[Vec<f32>]);
}

/// As long as the session lives.
#[derive(Debug, Default)]
pub(crate) struct InMemory(Mutex<HashMap<(String, Purpose, String), Vec<f32>>>);

impl LabelStore for InMemory {
    fn read(&self, embedder: &str, purpose: Purpose, labels: &[String]) -> Result<Vec<Option<Vec<f32>>>> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(labels.iter().map(|label| kept.get(&(embedder.to_string(), purpose, label.clone())).cloned()).collect())
    }

    fn keep(&self, embedder: &str, purpose: Purpose, labels: &[String], vectors: &[Vec<f32>]) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let keys = labels.iter().map(|label| (embedder.to_string(), purpose, label.clone()));
        kept.extend(keys.zip(vectors.iter().cloned()));
    }
}

/// The vector of each label, in order: what is kept, and of what is not, what the embedder makes of it.
///
/// # Errors
/// If the embedder fails, or what is kept cannot be read.
pub(crate) async fn label_vectors(
    embedder: &dyn Embedder,
    store: &dyn LabelStore,
    purpose: Purpose,
    labels: &[String],
) -> Result<Vec<Vec<f32>>> {
    let (name, dimension) = (embedder.name(), embedder.dimension());
    let mut vectors = store.read(name, purpose, labels)?;
    let missing: Vec<usize> =
        (0..labels.len()).filter(|at| vectors[*at].as_ref().is_none_or(|v| v.len() != dimension)).collect();
    for places in missing.chunks(TOGETHER) {
        let texts: Vec<String> = places.iter().map(|at| labels[*at].clone()).collect();
        let made = embedder.embed(texts.clone(), purpose).await?;
        if made.len() != texts.len() || made.iter().any(|v| v.len() != dimension) {
            return exec_err!("the embedder {name} did not return {} vectors of {dimension} numbers", texts.len());
        }
        store.keep(name, purpose, &texts, &made);
        for (at, vector) in places.iter().zip(made) {
            vectors[*at] = Some(vector);
        }
    }
    Ok(vectors.into_iter().flatten().collect())
}
