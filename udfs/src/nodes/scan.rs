//! The rows of one call of a table function, as a relation.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use datafusion::catalog::TableProvider;
use datafusion::common::Result;
use datafusion::datasource::provider_as_source;
use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder};
use datafusion::sql::TableReference;

/// Reads a table, and calls it `name`.
///
/// DataFusion takes two scans for one when their tables have the same name, and computes equal subqueries once: beneath
/// the function's name, each call has one of its own.
pub(crate) fn scan(name: impl Into<TableReference>, table: Arc<dyn TableProvider>) -> Result<LogicalPlan> {
    static CALLS: AtomicU64 = AtomicU64::new(0);
    let name = name.into();
    let own = format!("{}#{}", name.table(), CALLS.fetch_add(1, Ordering::Relaxed));
    LogicalPlanBuilder::scan(TableReference::bare(own), provider_as_source(table), None)?.alias(name)?.build()
}
