//! The rules that have calls to models made for no more rows than a statement needs.
//!
//! What they rest on: a call whose first argument is NULL asks nothing, and calls are made where they stand in a plan.
//! Optimisers merge and move expressions, so these rules come after all others, and again in each pass.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::datatypes::FieldRef;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, DataFusionError, JoinType, Result};
use datafusion::logical_expr::UserDefinedLogicalNodeCore;
use datafusion::logical_expr::expr::{Case, ScalarFunction};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::{conjunction, split_conjunction_owned};
use datafusion::logical_expr::{
    BinaryExpr, Expr, Extension, Filter, Join, Limit, LogicalPlan, LogicalPlanBuilder, Operator, Projection, Sort,
    ident, lit,
};
use datafusion::optimizer::optimizer::ApplyOrder;
use datafusion::optimizer::{OptimizerConfig, OptimizerRule};

use crate::host::table_search::TableSearch;
use crate::nodes::relation_function::RelationFunctionNode;
use crate::samples::lineage::tells_rows_apart;
use crate::session::rules::async_calls::{call, with_columns};
#[cfg(feature = "narratives")]
use crate::session::rules::first_people::written_after;

/// Makes calls after rows are left out: above LIMIT, ORDER BY with a limit and joins that do not depend on what they
/// return, and after the conditions of a filter that need none.
#[derive(Debug)]
pub(crate) struct LateCalls(pub Option<Arc<dyn TableSearch>>);

impl OptimizerRule for LateCalls {
    fn name(&self) -> &str {
        "late_calls"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::BottomUp)
    }

    fn supports_rewrite(&self) -> bool {
        true
    }

    fn rewrite(&self, plan: LogicalPlan, _: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        match plan {
            #[cfg(not(feature = "narratives"))]
            LogicalPlan::Sort(sort) => after_sort(sort),
            #[cfg(feature = "narratives")]
            LogicalPlan::Sort(sort) => match written_after(&sort)? {
                Some(input) => Ok(Transformed::yes(LogicalPlan::Sort(Sort { input: Arc::new(input), ..sort }))),
                None => after_sort(sort),
            },
            LogicalPlan::Limit(limit) => after_limit(limit),
            LogicalPlan::Filter(filter) => one_by_one(filter),
            LogicalPlan::Join(join) => after_join(join, self.0.as_deref()),
            LogicalPlan::Extension(extension) => after_choice(extension),
            other => Ok(Transformed::no(other)),
        }
    }
}

/// A projection that makes calls, perhaps under another name.
struct Calls {
    /// What it shows
    columns: Vec<(Column, Expr)>,
    input: Arc<LogicalPlan>,
}

impl Calls {
    fn of(plan: &LogicalPlan) -> Option<Calls> {
        match plan {
            LogicalPlan::Projection(Projection { expr, input, schema, .. }) => {
                let makes = |exprs: &[Expr]| exprs.iter().any(|e| call(e).is_some());
                let (exprs, input) = match makes(expr) {
                    true => (expr.clone(), input.clone()),
                    false => {
                        let below = Calls::of(input)?;
                        (below.under(expr)?, below.input)
                    }
                };
                let columns = schema.columns().into_iter().zip(exprs.iter().cloned()).collect();
                makes(&exprs).then_some(Calls { columns, input })
            }
            LogicalPlan::SubqueryAlias(alias) => {
                let mut calls = Calls::of(&alias.input)?;
                for ((column, _), shown) in calls.columns.iter_mut().zip(alias.schema.columns()) {
                    *column = shown;
                }
                Some(calls)
            }
            _ => None,
        }
    }

    /// An expression over what is shown, as one over the input; `None` if it depends on a call.
    fn beneath(&self, expr: Expr) -> Result<Option<Expr>> {
        let expr = with_columns(expr, |column| self.made(column).cloned())?;
        Ok(if expr.is_volatile() { None } else { Some(expr) })
    }

    /// Expressions over what is shown, as ones over the input; `None` if a call would stand there twice.
    fn under(&self, exprs: &[Expr]) -> Option<Vec<Expr>> {
        let mut met = HashSet::new();
        for column in exprs.iter().flat_map(|e| e.column_refs()) {
            if self.made(column).is_some_and(|e| e.is_volatile()) && !met.insert(column) {
                return None;
            }
        }
        let over = |e: &Expr| with_columns(e.clone().unalias(), |column| self.made(column).cloned()).ok();
        exprs.iter().map(over).collect()
    }

    /// What a column is made by.
    fn made(&self, column: &Column) -> Option<&Expr> {
        self.columns.iter().find(|(shown, _)| shown == column).map(|(_, expr)| expr)
    }

    /// The projection above a plan that has the columns of its input, and shows others after its own.
    fn above(self, plan: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
        self.beside(plan, vec![])
    }

    fn beside(self, plan: LogicalPlan, others: Vec<Expr>) -> Result<Transformed<LogicalPlan>> {
        let shown = self.columns.into_iter().map(|(column, expr)| match &expr {
            Expr::Column(same) if *same == column => expr,
            _ => expr.unalias().alias_qualified(column.relation, column.name),
        });
        let projection = Projection::try_new(shown.chain(others).collect(), Arc::new(plan))?;
        Ok(Transformed::yes(LogicalPlan::Projection(projection)))
    }
}

/// Takes the first rows before calls are made, and sorts again after: operators between the two need not keep an order.
fn after_sort(sort: Sort) -> Result<Transformed<LogicalPlan>> {
    let no = |sort| Ok(Transformed::no(LogicalPlan::Sort(sort)));
    let (Some(fetch), Some(calls)) = (sort.fetch, Calls::of(&sort.input)) else { return no(sort) };
    if is_sorted(&calls.input, fetch) {
        return no(sort);
    }
    let mut keys = vec![];
    for key in &sort.expr {
        match calls.beneath(key.expr.clone())? {
            Some(expr) => keys.push(key.with_expr(expr)),
            None => return no(sort),
        }
    }
    let first = LogicalPlan::Sort(Sort { expr: keys, input: calls.input.clone(), fetch: Some(fetch) });
    let input = Arc::new(calls.above(first)?.data);
    Ok(Transformed::yes(LogicalPlan::Sort(Sort { input, ..sort })))
}

fn is_sorted(plan: &LogicalPlan, fetch: usize) -> bool {
    match plan {
        LogicalPlan::Sort(sort) => sort.fetch == Some(fetch),
        LogicalPlan::Limit(limit) => is_sorted(&limit.input, fetch),
        _ => false,
    }
}

fn after_limit(mut limit: Limit) -> Result<Transformed<LogicalPlan>> {
    if let Some(calls) = Calls::of(&limit.input) {
        limit.input = calls.input.clone();
        return calls.above(LogicalPlan::Limit(limit));
    }
    // Rows that OFFSET leaves out of an order need no calls either.
    let LogicalPlan::Sort(sort) = limit.input.as_ref() else { return Ok(Transformed::no(LogicalPlan::Limit(limit))) };
    match (sort.fetch, Calls::of(&sort.input), &limit.skip) {
        (Some(fetch), Some(calls), Some(_)) if is_sorted(&calls.input, fetch) => {
            let sort = sort.clone();
            limit.input = calls.input.clone();
            let input = Arc::new(calls.above(LogicalPlan::Limit(limit))?.data);
            Ok(Transformed::yes(LogicalPlan::Sort(Sort { input, fetch: None, ..sort })))
        }
        _ => Ok(Transformed::no(LogicalPlan::Limit(limit))),
    }
}

/// Calls about rows that a sample is of, or a search is among, are made for those taken. Where it depends on what a call
/// returns, that one is not moved.
fn after_choice(extension: Extension) -> Result<Transformed<LogicalPlan>> {
    let node = extension.node.as_any().downcast_ref::<RelationFunctionNode>();
    let lifted = node.and_then(|node| {
        let (exprs, below) = projected(node.carried_of()?)?;
        let moves = |(name, expr): &(String, Expr)| call(expr).is_some() && node.only_passes(name);
        let (lifted, rest): (Vec<_>, Vec<_>) = exprs.into_iter().partition(moves);
        (!lifted.is_empty()).then_some((node, lifted, rest, below))
    });
    let Some((node, lifted, rest, below)) = lifted else {
        return Ok(Transformed::no(LogicalPlan::Extension(extension)));
    };
    let mut columns: Vec<Column> = lifted.iter().flat_map(|(_, expr)| expr.column_refs()).cloned().collect();
    // In an order that does not depend on hashes.
    columns.sort();
    columns.dedup();
    // What is passed is shown; the others are carried, by their own names where they are free.
    let (mut shown, mut carried) = (vec![], vec![]);
    for column in columns {
        let same = |expr: &Expr| matches!(expr, Expr::Column(c) if *c == column);
        let passed = rest.iter().find(|(name, expr)| same(expr) && node.shows_as(name).is_some());
        let (name, shows) = match passed {
            Some((name, _)) => (name.clone(), node.shows_as(name)),
            None => {
                let is_free = |name: &String| {
                    node.is_free(name) && rest.iter().all(|(n, _)| n != name) && carried.iter().all(|(n, _)| n != name)
                };
                let names = std::iter::once(column.name.clone()).chain((0..).map(|at| format!("carried_{at}")));
                let Some(name) = names.into_iter().find(is_free) else { continue };
                carried.push((name.clone(), column.clone()));
                (name.clone(), Some(name))
            }
        };
        shown.extend(shows.map(|shows| (column, name, shows)));
    }
    let named = |(name, expr): (String, Expr)| match expr {
        Expr::Column(column) if column.name == name => Expr::Column(column),
        expr => expr.unalias().alias(name),
    };
    let exprs = rest.into_iter().chain(carried.into_iter().map(|(name, column)| (name, Expr::Column(column))));
    let relation = LogicalPlanBuilder::from(below).project(exprs.map(named).collect::<Vec<_>>())?.build()?;
    let choice = node.showing(relation, shown.iter().map(|(_, name, _)| name.clone()).collect())?;
    let above = |(at, field): (usize, &FieldRef)| {
        let of = node.passed(at).map(|(relation, at)| relation.schema().field(at).name());
        let Some((_, expr)) = lifted.iter().find(|(name, _)| of == Some(name)) else { return Ok(ident(field.name())) };
        let shows = |column: &Column| shown.iter().find(|(c, ..)| c == column).map(|(.., shows)| ident(shows));
        Ok::<_, DataFusionError>(with_columns(expr.clone().unalias(), shows)?.alias(field.name()))
    };
    let above = node.schema().fields().iter().enumerate().map(above).collect::<Result<Vec<_>>>()?;
    let choice = LogicalPlan::Extension(Extension { node: Arc::new(choice) });
    Ok(Transformed::yes(LogicalPlanBuilder::from(choice).project(above)?.build()?))
}

/// The names and expressions of a projection, and what they are over; where it is over another one that makes calls, over
/// what is below that.
fn projected(plan: &LogicalPlan) -> Option<(Vec<(String, Expr)>, LogicalPlan)> {
    let LogicalPlan::Projection(Projection { expr, input, schema, .. }) = plan else {
        let calls = Calls::of(plan)?;
        let named = calls.columns.into_iter().map(|(column, expr)| (column.name, expr));
        return Some((named.collect(), calls.input.as_ref().clone()));
    };
    let names = schema.fields().iter().map(|f| f.name().clone());
    let (exprs, below) = match Calls::of(input) {
        None => (expr.clone(), input.clone()),
        Some(calls) => (calls.under(expr)?, calls.input),
    };
    Some((names.zip(exprs).collect(), below.as_ref().clone()))
}

/// Conditions without calls first, then those with calls, each for the rows that those before it leave.
fn one_by_one(filter: Filter) -> Result<Transformed<LogicalPlan>> {
    if call(&filter.predicate).is_none() {
        return Ok(Transformed::no(LogicalPlan::Filter(filter)));
    }
    let (calls, rest): (Vec<Expr>, Vec<Expr>) =
        split_conjunction_owned(filter.predicate).into_iter().partition(|e| call(e).is_some());
    let split = !rest.is_empty() || calls.len() > 1;
    let plan = conjunction(rest).into_iter().chain(calls).try_fold(filter.input, |input, step| {
        Ok::<_, DataFusionError>(Arc::new(LogicalPlan::Filter(Filter::try_new(step, input)?)))
    })?;
    let plan = Arc::unwrap_or_clone(plan);
    Ok(if split { Transformed::yes(plan) } else { Transformed::no(plan) })
}

/// Calls about rows of one side are made for the rows that a join leaves of it, where it shows none of them twice.
fn after_join(mut join: Join, host: Option<&dyn TableSearch>) -> Result<Transformed<LogicalPlan>> {
    // An optimiser takes a filter above an inner join for a condition of it, where calls cannot be made.
    if let (JoinType::Inner, Some(filter)) = (join.join_type, &join.filter)
        && call(filter).is_some()
    {
        let (calls, rest): (Vec<Expr>, Vec<Expr>) =
            split_conjunction_owned(filter.clone()).into_iter().partition(|e| call(e).is_some());
        join.filter = conjunction(rest);
        let plan = LogicalPlan::Join(join);
        return match conjunction(calls) {
            Some(calls) => Ok(Transformed::yes(LogicalPlan::Filter(Filter::try_new(calls, Arc::new(plan))?))),
            None => Ok(Transformed::yes(plan)),
        };
    }
    let left_once = match join.join_type {
        JoinType::LeftSemi | JoinType::LeftAnti => true,
        JoinType::Inner => has_key(&join.right, join.on.iter().map(|(_, right)| right), host),
        _ => false,
    };
    let right_once = match join.join_type {
        JoinType::RightSemi | JoinType::RightAnti => true,
        JoinType::Inner => has_key(&join.left, join.on.iter().map(|(left, _)| left), host),
        _ => false,
    };
    let (calls, left) = match (Calls::of(&join.left), Calls::of(&join.right)) {
        (Some(calls), _) if left_once => (calls, true),
        (_, Some(calls)) if right_once => (calls, false),
        _ => return Ok(Transformed::no(LogicalPlan::Join(join))),
    };
    let mut on = vec![];
    for (l, r) in &join.on {
        let key = calls.beneath(if left { l } else { r }.clone())?;
        match key {
            Some(key) => on.push(if left { (key, r.clone()) } else { (l.clone(), key) }),
            None => return Ok(Transformed::no(LogicalPlan::Join(join))),
        }
    }
    let filter = match &join.filter {
        None => None,
        Some(filter) => match calls.beneath(filter.clone())? {
            Some(filter) => Some(filter),
            None => return Ok(Transformed::no(LogicalPlan::Join(join))),
        },
    };
    let others = match (join.join_type, left) {
        (JoinType::Inner, true) => join.right.schema().columns(),
        (JoinType::Inner, false) => join.left.schema().columns(),
        _ => vec![],
    };
    // A name that both sides have would be ambiguous above.
    let below = calls.input.schema();
    if others.iter().any(|c| below.has_column(c)) {
        return Ok(Transformed::no(LogicalPlan::Join(join)));
    }
    let order = join.schema.columns();
    let side = if left { &mut join.left } else { &mut join.right };
    *side = calls.input.clone();
    let joined = Join::try_new(
        join.left,
        join.right,
        on,
        filter,
        join.join_type,
        join.join_constraint,
        join.null_equality,
        join.null_aware,
    )?;
    let shown = calls.beside(LogicalPlan::Join(joined), others.into_iter().map(Expr::Column).collect())?;
    if left {
        return Ok(shown);
    }
    // In the order in which the join shows them.
    let shown = LogicalPlanBuilder::from(shown.data).project(order.into_iter().map(Expr::Column))?.build()?;
    Ok(Transformed::yes(shown))
}

/// Whether at most one row of a relation has the same values of these columns.
fn has_key<'a>(
    relation: &LogicalPlan,
    mut columns: impl Iterator<Item = &'a Expr>,
    host: Option<&dyn TableSearch>,
) -> bool {
    columns.any(|e| match e {
        Expr::Column(column) => {
            let at = relation.schema().maybe_index_of_column(column);
            at.is_some_and(|at| tells_rows_apart(relation, at, host))
        }
        _ => false,
    })
}

/// Asks only for what the expressions around a call need of it: a branch of CASE, an argument of coalesce, one side of
/// AND or OR. A condition that has calls itself, and a call that is an argument of another, are computed in a projection
/// below: DataFusion makes asynchronous calls side by side, not one with what another returns.
#[derive(Debug)]
pub(crate) struct LazyCalls;

impl OptimizerRule for LazyCalls {
    fn name(&self) -> &str {
        "lazy_calls"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::BottomUp)
    }

    fn supports_rewrite(&self) -> bool {
        true
    }

    fn rewrite(&self, plan: LogicalPlan, _: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        let filters = matches!(plan, LogicalPlan::Filter(_));
        if !filters && !matches!(plan, LogicalPlan::Projection(_))
            || !plan.expressions().iter().any(|e| call(e).is_some())
        {
            return Ok(Transformed::no(plan));
        }
        let Some(input) = plan.inputs().first().map(|input| (*input).clone()) else { return Ok(Transformed::no(plan)) };
        let mut steps = Steps { first: input.schema().fields().len(), layers: vec![], changed: false };
        let names = NamePreserver::new(&plan);
        let node = plan.map_expressions(|expr| {
            let name = names.save(&expr);
            Ok(Transformed::yes(name.restore(steps.visit(expr, &[])?)))
        })?;
        if !steps.changed {
            return Ok(Transformed::no(node.data));
        }
        let columns: Vec<Expr> = input.schema().columns().into_iter().map(Expr::Column).collect();
        let below = steps.layers.into_iter().try_fold(input, |below, layer| {
            let columns = below.schema().columns().into_iter().map(Expr::Column);
            LogicalPlanBuilder::from(below.clone()).project(columns.chain(layer).collect::<Vec<_>>())?.build()
        })?;
        let hides = filters && below.schema().fields().len() > columns.len();
        let node = node.data.with_new_exprs(node.data.expressions(), vec![below])?;
        match hides {
            true => Ok(Transformed::yes(LogicalPlanBuilder::from(node).project(columns)?.build()?)),
            false => Ok(Transformed::yes(node)),
        }
    }
}

/// What is computed below a node before its own expressions, one projection upon another.
struct Steps {
    /// Columns of the input
    first: usize,
    layers: Vec<Vec<Expr>>,
    changed: bool,
}

impl Steps {
    /// Rewrites an expression that is needed only where none of `stops` is true: each of them is asked only where those
    /// before it are not true.
    fn visit(&mut self, expr: Expr, stops: &[Expr]) -> Result<Expr> {
        if call(&expr).is_none() {
            return Ok(expr);
        }
        match expr {
            Expr::Case(case) => self.case(case, stops),
            Expr::BinaryExpr(BinaryExpr { op: op @ (Operator::And | Operator::Or), .. }) => self.chain(expr, op, stops),
            Expr::ScalarFunction(function) if function.func.as_async().is_some() => self.asked(function, stops),
            Expr::ScalarFunction(function) if ["coalesce", "nvl", "ifnull"].contains(&function.func.name()) => {
                let (mut stops, mut args) = (stops.to_vec(), vec![]);
                for arg in function.args {
                    let arg = self.condition(arg, &stops)?;
                    stops.push(arg.clone().is_not_null());
                    args.push(arg);
                }
                Ok(Expr::ScalarFunction(ScalarFunction { func: function.func, args }))
            }
            other => Ok(other.map_children(|e| Ok(Transformed::yes(self.visit(e, stops)?)))?.data),
        }
    }

    /// What others depend on: computed once, where it may be another when it is computed again.
    fn condition(&mut self, expr: Expr, stops: &[Expr]) -> Result<Expr> {
        if !expr.is_volatile() {
            return Ok(expr);
        }
        let expr = self.visit(expr, stops)?;
        Ok(self.below(unless(stops, expr)))
    }

    fn case(&mut self, case: Case, stops: &[Expr]) -> Result<Expr> {
        let base = case.expr.map(|base| self.condition(*base, stops)).transpose()?;
        let (mut stops, mut arms) = (stops.to_vec(), vec![]);
        for (when, then) in case.when_then_expr {
            let when = match &base {
                Some(base) => base.clone().eq(*when),
                None => *when,
            };
            let when = self.condition(when, &stops)?;
            stops.push(when.clone().is_not_true());
            let then = self.visit(*then, &stops)?;
            stops.pop();
            stops.push(when.clone());
            arms.push((Box::new(when), Box::new(then)));
        }
        let otherwise = case.else_expr.map(|e| self.visit(*e, &stops)).transpose()?;
        Ok(Expr::Case(Case { expr: None, when_then_expr: arms, else_expr: otherwise.map(Box::new) }))
    }

    /// The parts of AND or OR, those without calls first.
    fn chain(&mut self, expr: Expr, op: Operator, stops: &[Expr]) -> Result<Expr> {
        let (calls, rest): (Vec<Expr>, Vec<Expr>) = parts(expr, op).into_iter().partition(|e| call(e).is_some());
        let (mut stops, mut done) = (stops.to_vec(), None);
        let last = (rest.len() + calls.len()).saturating_sub(1);
        for (at, part) in rest.into_iter().chain(calls).enumerate() {
            // Nothing depends on the last one.
            let part = if at == last { self.visit(part, &stops)? } else { self.condition(part, &stops)? };
            stops.push(if op == Operator::And { part.clone().is_false() } else { part.clone().is_true() });
            done = Some(match done {
                None => part,
                Some(before) => Expr::BinaryExpr(BinaryExpr::new(Box::new(before), op, Box::new(part))),
            });
        }
        Ok(done.unwrap_or_else(|| lit(op == Operator::And)))
    }

    /// A call that asks nothing where it is not needed, and whose arguments have no calls.
    fn asked(&mut self, function: ScalarFunction, stops: &[Expr]) -> Result<Expr> {
        let mut args = vec![];
        for arg in function.args {
            args.push(match call(&arg) {
                Some(_) => {
                    let arg = self.visit(arg, stops)?;
                    self.below(arg)
                }
                None => arg,
            });
        }
        if let Some(what) = args.first_mut()
            && !is_unless(what, stops)
        {
            self.changed = true;
            *what = unless(stops, what.clone());
        }
        Ok(Expr::ScalarFunction(ScalarFunction { func: function.func, args }))
    }

    /// Has an expression computed below; the column that it becomes.
    fn below(&mut self, expr: Expr) -> Expr {
        self.changed = true;
        let needed = |layer: &Vec<Expr>| {
            expr.column_refs()
                .iter()
                .any(|c| c.relation.is_none() && layer.iter().any(|e| matches!(e, Expr::Alias(a) if a.name == c.name)))
        };
        let at = self.layers.iter().rposition(needed).map_or(0, |at| at + 1);
        if at == self.layers.len() {
            self.layers.push(vec![]);
        }
        let count: usize = self.layers.iter().map(Vec::len).sum();
        let name = format!("__step_{}", self.first + count);
        self.layers[at].push(expr.alias(&name));
        ident(name)
    }
}

fn parts(expr: Expr, op: Operator) -> Vec<Expr> {
    match expr {
        Expr::BinaryExpr(BinaryExpr { left, op: found, right }) if found == op => {
            let mut all = parts(*left, op);
            all.extend(parts(*right, op));
            all
        }
        other => vec![other],
    }
}

/// NULL where one of `stops` is true: CASE in CASE, which asks each of them only where it must.
fn unless(stops: &[Expr], expr: Expr) -> Expr {
    stops.iter().rev().fold(expr, |expr, stop| {
        let open = stop.clone().is_not_true();
        Expr::Case(Case { expr: None, when_then_expr: vec![(Box::new(open), Box::new(expr))], else_expr: None })
    })
}

/// Whether a pass before this one has made it so: an optimiser may have written it otherwise since, so that it is known
/// by its form and its columns.
fn is_unless(mut expr: &Expr, stops: &[Expr]) -> bool {
    let mut columns = HashSet::new();
    while let Expr::Case(Case { expr: None, when_then_expr, else_expr: None }) = expr
        && let [(when, then)] = &when_then_expr[..]
    {
        columns.extend(when.column_refs());
        expr = then;
    }
    stops.iter().all(|stop| stop.column_refs().is_subset(&columns))
}
