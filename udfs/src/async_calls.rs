//! The rule that makes asynchronous functions of those that are registered, lets a statement sort by them, and says
//! where they cannot stand.
//!
//! A session's list of routines describes a function by its documentation, which DataFusion's wrapper of asynchronous
//! functions has not: registered are functions that are documented and cannot be called, and this rule puts the others
//! in their place. DataFusion calls those in projections, filters and the arguments of aggregates; elsewhere it fails
//! while running.

use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, ScalarUDF, ident};
use datafusion::optimizer::AnalyzerRule;

/// The asynchronous functions.
#[derive(Debug)]
pub(crate) struct AsyncCalls(pub Vec<Arc<ScalarUDF>>);

impl AsyncCalls {
    fn swap(&self, expr: Expr) -> Result<Transformed<Expr>> {
        let Expr::ScalarFunction(ScalarFunction { func, args }) = expr else { return Ok(Transformed::no(expr)) };
        match self.0.iter().find(|f| f.name() == func.name() && func.as_async().is_none()) {
            Some(ours) => Ok(Transformed::yes(Expr::ScalarFunction(ScalarFunction { func: ours.clone(), args }))),
            None => Ok(Transformed::no(Expr::ScalarFunction(ScalarFunction { func, args }))),
        }
    }
}

impl AnalyzerRule for AsyncCalls {
    fn name(&self) -> &str {
        "async_calls"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let swapped = |node: LogicalPlan| {
            let node = node.map_expressions(|expr| expr.transform_up(|e| self.swap(e)))?;
            node.transform_data(place)
        };
        Ok(plan.transform_up_with_subqueries(swapped)?.data)
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
