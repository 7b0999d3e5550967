//! Search by vector within a table: the trait that a host implements where it can do better than a full scan.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::Result;
use datafusion::logical_expr::Expr;
use datafusion::physical_plan::ExecutionPlan;

/// One search by vector.
#[derive(Debug, Clone)]
pub struct VectorSearch {
    /// The vector column, `persona_embedding`.
    pub column: String,
    pub query: Vec<f32>,
    /// How many rows to return, nearest first.
    pub k: usize,
    /// Applied before the search, so that k rows come back wherever k rows match.
    pub filter: Option<Expr>,
    /// Columns of the table to return; all if `None`. The plan's schema is these, then `score` (Float32, the cosine
    /// similarity, larger is nearer).
    pub projection: Option<Vec<usize>>,
}

/// Searches tables by vector. A host that stores vectors hands one in; without it the plugin scans the table.
#[async_trait]
pub trait TableSearch: Debug + Send + Sync {
    /// The plan that answers the search, or `None` where this provider is not one of the host's.
    async fn vector_search(
        &self,
        session: &dyn Session,
        table: &Arc<dyn TableProvider>,
        search: &VectorSearch,
    ) -> Result<Option<Arc<dyn ExecutionPlan>>>;
}
