//! Search within tables: what a host implements where it can do better than to read all rows.

use std::fmt::Debug;
use std::sync::Arc;

use arrow::array::RecordBatch;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::Result;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::logical_expr::Expr;

use crate::{Embedder, Words};

/// The words that texts are searched for.
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
