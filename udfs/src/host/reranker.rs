//! What puts texts in the order of a query: the trait that a host implements.

use std::fmt::{self, Debug};
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::common::config::ConfigOptions;
use datafusion::common::{Result, plan_err};

use crate::host::narrator::StatementOptions;

/// Reads a query and a text together, and says how well the one answers the other.
#[async_trait]
pub trait Reranker: Debug + Send + Sync {
    /// Which model: `bge-reranker-v2-m3`.
    fn name(&self) -> &str;

    /// A score of each text, in order: the larger, the better it answers the query. Scores of one model order texts of one
    /// query, and mean nothing beside others.
    ///
    /// # Errors
    /// If the model is not installed or fails; the message says what to do.
    async fn scores(&self, query: &str, texts: Vec<String>) -> Result<Vec<f32>>;

    /// The same reranker on behalf of a statement, by the id that the host gave it in [`StatementOptions`], for one whose
    /// calls are paid; `None` where it makes no difference.
    fn for_statement(&self, _statement: &str) -> Option<Arc<dyn Reranker>> {
        None
    }
}

type OpenReranker = dyn Fn(&str) -> Result<Arc<dyn Reranker>> + Send + Sync;

/// The rerankers of a session, which the host opens by their names.
#[derive(Clone, Default)]
pub(crate) struct Rerankers(pub Option<Arc<OpenReranker>>);

impl Debug for Rerankers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Rerankers")
    }
}

impl Rerankers {
    pub fn get(&self, name: &str) -> Result<Arc<dyn Reranker>> {
        match &self.0 {
            Some(open) => open(name),
            None => plan_err!("this session has no reranker: the host gives it one, with_rerankers"),
        }
    }
}

/// A reranker on behalf of the statement that runs with these options.
pub(crate) fn for_statement(reranker: &Arc<dyn Reranker>, options: &ConfigOptions) -> Arc<dyn Reranker> {
    let statement = options.extensions.get::<StatementOptions>().map_or("", |o| o.statement.as_str());
    reranker.for_statement(statement).unwrap_or_else(|| reranker.clone())
}
