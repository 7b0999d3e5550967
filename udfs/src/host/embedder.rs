//! What turns text into vectors: the trait that a host implements.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;

use crate::host::narrator::StatementOptions;

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

    /// The same embedder on behalf of a statement, by the id that the host gave it in [`StatementOptions`], for one
    /// whose calls are paid; `None` where it makes no difference.
    fn for_statement(&self, _statement: &str) -> Option<Arc<dyn Embedder>> {
        None
    }
}

/// An embedder on behalf of the statement that runs with these options.
pub(crate) fn for_statement(embedder: Arc<dyn Embedder>, options: &ConfigOptions) -> Arc<dyn Embedder> {
    let statement = options.extensions.get::<StatementOptions>().map_or("", |o| o.statement.as_str());
    match statement.is_empty() {
        true => embedder,
        false => embedder.for_statement(statement).unwrap_or(embedder),
    }
}
