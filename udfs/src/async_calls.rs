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
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, ScalarUDF, ident};
use datafusion::optimizer::optimizer::ApplyOrder;
use datafusion::optimizer::{AnalyzerRule, OptimizerConfig, OptimizerRule};

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

/// Computes a call that stands in the arguments of another in a projection below it: DataFusion calls asynchronous
/// functions side by side, not one with what another returns. Such nests come of a query over a subquery, which an
/// optimiser makes one; so this rule comes after all others.
#[derive(Debug)]
pub(crate) struct NestedCalls;

impl OptimizerRule for NestedCalls {
    fn name(&self) -> &str {
        "nested_async_calls"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::BottomUp)
    }

    fn supports_rewrite(&self) -> bool {
        true
    }

    fn rewrite(&self, plan: LogicalPlan, _: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        // Those whose columns are not those of their input, and those whose are.
        match &plan {
            LogicalPlan::Projection(_) | LogicalPlan::Aggregate(_) => unnest(plan),
            LogicalPlan::Filter(_) | LogicalPlan::Sort(_) => {
                let columns: Vec<Expr> = plan.schema().columns().into_iter().map(Expr::Column).collect();
                let plan = unnest(plan)?;
                match plan.transformed {
                    true => Ok(Transformed::yes(LogicalPlanBuilder::from(plan.data).project(columns)?.build()?)),
                    false => Ok(plan),
                }
            }
            _ => Ok(Transformed::no(plan)),
        }
    }
}

fn unnest(mut node: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    let mut any = false;
    // Once for each level: the innermost calls first.
    loop {
        let Some(input) = node.inputs().first().map(|input| (*input).clone()) else { break };
        let (first, mut inner) = (input.schema().fields().len(), vec![]);
        let names = NamePreserver::new(&node);
        let outer = node.map_expressions(|expr| {
            let name = names.save(&expr);
            let outer = expr.transform_down(|e| pull(e, first, &mut inner))?;
            Ok(outer.update_data(|e| name.restore(e)))
        })?;
        node = outer.data;
        if inner.is_empty() {
            break;
        }
        any = true;
        let columns = input.schema().columns().into_iter().map(Expr::Column);
        let below = LogicalPlanBuilder::from(input.clone()).project(columns.chain(inner))?.build()?;
        node = node.with_new_exprs(node.expressions(), vec![below])?;
    }
    Ok(if any { Transformed::yes(node) } else { Transformed::no(node) })
}

/// Puts columns in the place of the innermost calls among the arguments of a call.
fn pull(expr: Expr, first: usize, inner: &mut Vec<Expr>) -> Result<Transformed<Expr>> {
    let Expr::ScalarFunction(ScalarFunction { func, args }) = expr else { return Ok(Transformed::no(expr)) };
    if func.as_async().is_none() || !args.iter().any(|a| call(a).is_some()) {
        return Ok(Transformed::no(Expr::ScalarFunction(ScalarFunction { func, args })));
    }
    let mut replace = |e: Expr| match &e {
        Expr::ScalarFunction(f) if f.func.as_async().is_some() && !f.args.iter().any(|a| call(a).is_some()) => {
            let name = format!("__call_{}", first + inner.len());
            inner.push(e.alias(&name));
            Ok(Transformed::new(ident(name), true, TreeNodeRecursion::Jump))
        }
        _ => Ok(Transformed::no(e)),
    };
    let args = args.into_iter().map(|a| Ok(a.transform_down(&mut replace)?.data)).collect::<Result<_>>()?;
    let outer = Expr::ScalarFunction(ScalarFunction { func, args });
    Ok(Transformed::new(outer, true, TreeNodeRecursion::Jump))
}
