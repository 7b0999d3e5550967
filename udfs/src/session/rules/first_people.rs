//! People who are written up whole: of those whom an order with a limit leaves, and of nobody else.

use std::sync::Arc;

use datafusion::common::{Column, Result};
use datafusion::logical_expr::expr_rewriter::unnormalize_col;
use datafusion::logical_expr::{LogicalPlan, Projection, Sort, SortExpr, SubqueryAlias};

use crate::narratives::generate_persona::first_of;
use crate::session::rules::async_calls::{call, with_columns};

/// Of people who are written up whole those alone whom an order with a limit leaves.
pub(super) fn written_after(sort: &Sort) -> Result<Option<LogicalPlan>> {
    sort.fetch.map_or(Ok(None), |fetch| first_people(&sort.input, &sort.expr, fetch))
}

/// The same rows, of which those alone are written up that come first in an order: of a scan of people, whatever columns of
/// it are shown, in whatever order and under whatever name.
fn first_people(plan: &LogicalPlan, order: &[SortExpr], fetch: usize) -> Result<Option<LogicalPlan>> {
    match plan {
        LogicalPlan::TableScan(scan) => Ok(first_of(scan, order, fetch)?.map(LogicalPlan::TableScan)),
        LogicalPlan::SubqueryAlias(alias) => {
            let below = |key: &SortExpr| key.with_expr(unnormalize_col(key.expr.clone()));
            let order: Vec<SortExpr> = order.iter().map(below).collect();
            let Some(first) = first_people(&alias.input, &order, fetch)? else { return Ok(None) };
            let alias = SubqueryAlias::try_new(Arc::new(first), alias.alias.clone())?;
            Ok(Some(LogicalPlan::SubqueryAlias(alias)))
        }
        LogicalPlan::Projection(Projection { expr, input, schema, .. }) => {
            let shown = |column: &Column| Some(expr[schema.maybe_index_of_column(column)?].clone().unalias());
            let below = |key: &SortExpr| Ok(key.with_expr(with_columns(key.expr.clone(), shown)?));
            let order = order.iter().map(below).collect::<Result<Vec<_>>>()?;
            if order.iter().any(|key| call(&key.expr).is_some()) {
                return Ok(None);
            }
            let Some(first) = first_people(input, &order, fetch)? else { return Ok(None) };
            Ok(Some(LogicalPlan::Projection(Projection::try_new(expr.clone(), Arc::new(first))?)))
        }
        _ => Ok(None),
    }
}
