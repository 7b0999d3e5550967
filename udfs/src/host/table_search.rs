//! Search within tables: what a host implements where it can do better than to read all rows.

use std::fmt::Debug;
use std::sync::Arc;

use arrow::array::RecordBatch;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::Result;
use datafusion::common::tree_node::TreeNode;
use datafusion::datasource::source_as_provider;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::expr_rewriter::unnormalize_col;
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, LogicalPlan, TableScan};

use crate::host::embedder::Embedder;
#[cfg(feature = "search")]
use crate::host::words::Words;

/// The words that texts are searched for.
#[cfg(feature = "search")]
#[derive(Debug, Clone)]
pub struct TextQuery {
    pub text: String,
    /// How texts are taken apart; as an index of theirs does, or as their language is told, where it is not given
    pub words: Option<Words>,
}

/// Searches tables. A host that stores vectors or indexes hands one in; without it the plugin reads the rows.
#[async_trait]
pub trait TableSearch: Debug + Send + Sync {
    /// The rows of a table that satisfy a filter over its columns, which are named without the table; `None` where the
    /// table is none of the host's.
    ///
    /// # Errors
    /// If the table cannot be read, or the filter fails.
    async fn open(
        &self,
        session: &dyn Session,
        table: &Arc<dyn TableProvider>,
        filter: Option<Expr>,
    ) -> Result<Option<Arc<dyn SearchRows>>>;

    /// Whether no two rows of a table have the same `uuid`. Samples tell rows apart by it then, and need not read what
    /// else they hold; a host that answers yes where two rows share one gets samples that take both or fail. A table
    /// whose primary key is declared to DataFusion need not be known here.
    fn has_key(&self, _table: &Arc<dyn TableProvider>) -> bool {
        false
    }
}

/// The rows that a search is among, one version of them. A row is known by a number.
#[async_trait]
pub trait SearchRows: Debug + Send + Sync {
    /// Refuses an embedder that did not make the vectors of these rows.
    ///
    /// # Errors
    /// If they are known to be of another.
    fn check_embedder(&self, _: &dyn Embedder) -> Result<()> {
        Ok(())
    }

    /// At most `k` rows nearest to a vector, with their cosine similarities, nearest first; rows without a vector in
    /// the column are none. Fewer than `k` are all there are.
    ///
    /// # Errors
    /// If the vectors cannot be read, or are of another length.
    async fn nearest(&self, column: &str, query: &[f32], k: usize) -> Result<Vec<(u64, f32)>>;

    /// At most `k` rows with words of the query, with their BM25 scores, best first; `None` where there is no index
    /// that could tell.
    ///
    /// # Errors
    /// If the index cannot be read.
    #[cfg(feature = "search")]
    async fn matching(&self, _column: &str, _query: &TextQuery, _k: usize) -> Result<Option<Vec<(u64, f32)>>> {
        Ok(None)
    }

    /// These columns of all the rows, and after them the rows' numbers, as UInt64.
    ///
    /// # Errors
    /// If they cannot be read.
    async fn scan(&self, columns: &[String]) -> Result<SendableRecordBatchStream>;

    /// These columns, at least one, of the rows of these numbers, in their order.
    ///
    /// # Errors
    /// If they cannot be read.
    async fn take(&self, rows: &[u64], columns: &[String]) -> Result<RecordBatch>;
}

/// The rows of the table that a relation is, as they are but for filters and columns that are left out: by the host,
/// where the table is one of its.
///
/// # Errors
/// If the table cannot be read, or a filter fails.
pub(crate) async fn rows_of_table(
    host: Option<&dyn TableSearch>,
    input: &LogicalPlan,
    filter: Option<&Expr>,
    state: &SessionState,
) -> Result<Option<Arc<dyn SearchRows>>> {
    let (Some(host), Some((scan, below))) = (host, table_below(input)) else { return Ok(None) };
    let Ok(provider) = source_as_provider(&scan.source) else { return Ok(None) };
    let filters: Vec<Expr> = below.into_iter().chain(filter.cloned()).collect();
    if filters.iter().any(has_subquery) {
        return Ok(None);
    }
    host.open(state, &provider, conjunction(filters.into_iter().map(unnormalize_col))).await
}

/// All rows of the table that a relation is, whatever its filters: by the host, where the table is one of its.
///
/// # Errors
/// If the table cannot be read.
pub(crate) async fn whole_table(
    host: Option<&dyn TableSearch>,
    input: &LogicalPlan,
    state: &SessionState,
) -> Result<Option<Arc<dyn SearchRows>>> {
    let (Some(host), Some((scan, _))) = (host, table_below(input)) else { return Ok(None) };
    let Ok(provider) = source_as_provider(&scan.source) else { return Ok(None) };
    host.open(state, &provider, None).await
}

/// Whether an expression cannot be told from a row alone.
pub(crate) fn has_subquery(expr: &Expr) -> bool {
    expr.exists(|e| Ok(is_subquery(e))).unwrap_or(true)
}

fn is_subquery(expr: &Expr) -> bool {
    matches!(
        expr,
        Expr::ScalarSubquery(_)
            | Expr::InSubquery(_)
            | Expr::Exists(_)
            | Expr::SetComparison(_)
            | Expr::OuterReferenceColumn(..)
    )
}

/// The table whose rows a plan has, as they are but for filters, and those filters.
pub(crate) fn table_below(plan: &LogicalPlan) -> Option<(&TableScan, Vec<Expr>)> {
    match plan {
        LogicalPlan::SubqueryAlias(alias) => table_below(&alias.input),
        // Without some of the columns
        LogicalPlan::Projection(some) if some.expr.iter().all(|e| matches!(e, Expr::Column(_))) => {
            table_below(&some.input)
        }
        LogicalPlan::Filter(filter) => {
            let (scan, mut filters) = table_below(&filter.input)?;
            filters.push(filter.predicate.clone());
            Some((scan, filters))
        }
        LogicalPlan::TableScan(scan) if scan.fetch.is_none() => Some((scan, scan.filters.clone())),
        _ => None,
    }
}
