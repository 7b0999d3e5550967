//! The rule that lets a statement sort by asynchronous calls, and says where they cannot stand.
//!
//! DataFusion calls them in projections, filters and the arguments of aggregates; elsewhere it fails while running.

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, ident};
use datafusion::optimizer::AnalyzerRule;

#[derive(Debug)]
pub(crate) struct AsyncCalls;

impl AnalyzerRule for AsyncCalls {
    fn name(&self) -> &str {
        "async_calls"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        Ok(plan.transform_up_with_subqueries(place)?.data)
    }
}

fn place(node: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    let (exprs, place): (Vec<&Expr>, &str) = match &node {
        LogicalPlan::Sort(sort) if sort.expr.iter().any(|s| call(&s.expr).is_some()) => return sort_below(node),
        LogicalPlan::Aggregate(aggregate) => (aggregate.group_expr.iter().collect(), "GROUP BY"),
        LogicalPlan::Window(window) => (window.window_expr.iter().collect(), "a window"),
        LogicalPlan::Values(values) => (values.values.iter().flatten().collect(), "VALUES"),
        _ => return Ok(Transformed::no(node)),
    };
    match exprs.into_iter().find_map(call) {
        Some(name) => plan_err!("{name} cannot stand in {place}: compute it in a subquery first, and use its column"),
        None => Ok(Transformed::no(node)),
    }
}

/// The first asynchronous function that an expression calls.
fn call(expr: &Expr) -> Option<String> {
    let mut found = None;
    // The closure returns no error.
    let _ = expr.apply(|e| match e {
        Expr::ScalarFunction(f) if f.func.as_async().is_some() => {
            found = Some(f.func.name().to_string());
            Ok(TreeNodeRecursion::Stop)
        }
        _ => Ok(TreeNodeRecursion::Continue),
    });
    found
}

/// Sorts by columns that a projection below has computed, and drops them again.
fn sort_below(node: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    let LogicalPlan::Sort(sort) = node else { return Ok(Transformed::no(node)) };
    let columns: Vec<Expr> = sort.input.schema().columns().into_iter().map(Expr::Column).collect();
    let (mut keys, mut order) = (vec![], sort.expr);
    for key in &mut order {
        if call(&key.expr).is_some() {
            let name = format!("__sort_key_{}", keys.len());
            keys.push(std::mem::replace(&mut key.expr, ident(&name)).alias(name));
        }
    }
    let below = columns.iter().cloned().chain(keys);
    let sorted = LogicalPlanBuilder::from(sort.input.as_ref().clone()).project(below)?;
    let plan = sorted.sort_with_limit(order, sort.fetch)?.project(columns)?.build()?;
    Ok(Transformed::yes(plan))
}
