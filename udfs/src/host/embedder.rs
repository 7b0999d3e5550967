//! What turns text into vectors: the trait that a host implements.

use std::fmt::Debug;

use async_trait::async_trait;
use datafusion::common::Result;

/// Which side of a search a text is on; models of the E5 family mark it with a prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Purpose {
    Query,
    Passage,
}

/// Turns texts into vectors of unit length.
#[async_trait]
pub trait Embedder: Debug + Send + Sync {
    /// Which model, as stored with a table that it filled: `multilingual-e5-small`.
    fn name(&self) -> &str;

    /// The length of its vectors.
    fn dimension(&self) -> usize;

    /// One vector of [`dimension`](Self::dimension) numbers for each text, in order.
    ///
    /// # Errors
    /// If the model is not installed or fails; the message says what to run.
    async fn embed(&self, texts: Vec<String>, purpose: Purpose) -> Result<Vec<Vec<f32>>>;
}
