//! The rule that makes asynchronous functions of those that are registered, and puts their calls where DataFusion makes
//! them.
//!
//! A session's list of routines describes a function by its documentation, which DataFusion's wrapper of asynchronous
//! functions has not: registered are functions that are documented and cannot be called, and this rule puts the others
//! in their place. DataFusion calls those in projections and filters. Its aggregates mix up the calls of one node
//! (apache/datafusion#18149), and elsewhere it fails while running; so calls of other nodes are computed in a projection
//! below, or refused while planning.

use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, JoinType, Result, plan_err};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::utils::{conjunction, split_conjunction};
use datafusion::logical_expr::{
    Aggregate, Distinct, DistinctOn, Expr, Join, LogicalPlan, LogicalPlanBuilder, ScalarUDF, SortExpr, Window, ident,
    when,
};
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

/// Puts the calls of a node into a projection below it, unless it makes them itself.
fn place(node: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    let Some(name) = node.expressions().iter().find_map(call) else { return Ok(Transformed::no(node)) };
    let shown: Vec<_> = node.schema().iter().map(|(of, field)| (of.cloned(), field.name().clone())).collect();
    let (node, columns) = match node {
        LogicalPlan::Projection(_) | LogicalPlan::Filter(_) => return Ok(Transformed::no(node)),
        LogicalPlan::Sort(sort) => {
            let mut below = Below::new(&sort.input);
            let order = sort.expr.into_iter().map(|key| {
                let expr = below.column_of(key.expr.clone())?;
                Ok(key.with_expr(expr))
            });
            let order = order.collect::<Result<Vec<_>>>()?;
            let sorted = LogicalPlanBuilder::from(below.project(&sort.input)?).sort_with_limit(order, sort.fetch)?;
            (sorted.build()?, sort.input.schema().columns())
        }
        LogicalPlan::Aggregate(Aggregate { input, group_expr, aggr_expr, .. }) => {
            let mut below = Below::new(&input);
            let groups = below.columns_of(group_expr)?;
            let aggregates = below.columns_of(aggr_expr)?;
            let node = Aggregate::try_new(Arc::new(below.project(&input)?), groups, aggregates)?;
            let columns = node.schema.columns();
            (LogicalPlan::Aggregate(node), columns)
        }
        LogicalPlan::Window(Window { input, window_expr, .. }) => {
            let mut below = Below::new(&input);
            let windows = below.columns_of(window_expr)?;
            let node = Window::try_new(windows, Arc::new(below.project(&input)?))?;
            let first = node.input.schema().fields().len();
            let added = node.schema.columns().into_iter().skip(first);
            let columns = input.schema().columns().into_iter().chain(added).collect();
            (LogicalPlan::Window(node), columns)
        }
        LogicalPlan::Distinct(Distinct::On(DistinctOn { on_expr, select_expr, sort_expr, input, .. })) => {
            let mut below = Below::new(&input);
            let (on, select) = (below.columns_of(on_expr)?, below.columns_of(select_expr)?);
            let key = |key: SortExpr| {
                let expr = below.column_of(key.expr.clone())?;
                Ok(key.with_expr(expr))
            };
            let order = sort_expr.map(|keys| keys.into_iter().map(key).collect::<Result<Vec<_>>>()).transpose()?;
            let node = DistinctOn::try_new(on, select, order, Arc::new(below.project(&input)?))?;
            let columns = node.schema.columns();
            (LogicalPlan::Distinct(Distinct::On(node)), columns)
        }
        LogicalPlan::Join(join) => {
            let columns = join.schema.columns();
            (in_join(join, &name)?, columns)
        }
        LogicalPlan::Values(_) => return refuse(&name, "VALUES"),
        other => return refuse(&name, &other.display().to_string()),
    };
    let columns = columns.into_iter().zip(shown).map(|(column, (of, name))| {
        let same = column.relation == of && column.name == name;
        if same { Expr::Column(column) } else { Expr::Column(column).alias_qualified(of, name) }
    });
    let plan = LogicalPlanBuilder::from(node).project(columns.collect::<Vec<_>>())?.build()?;
    Ok(Transformed::yes(plan))
}

fn refuse<T>(function: &str, place: &str) -> Result<T> {
    plan_err!("{function} cannot stand in {place}: compute it in a subquery first, and use its column")
}

/// What a projection below a node computes for it.
struct Below {
    /// Columns that the input has
    first: usize,
    computed: Vec<Expr>,
}

impl Below {
    fn new(input: &LogicalPlan) -> Below {
        Below { first: input.schema().fields().len(), computed: vec![] }
    }

    /// The expressions, with columns in the place of the largest parts of one row each that have calls.
    fn columns_of(&mut self, exprs: Vec<Expr>) -> Result<Vec<Expr>> {
        exprs.into_iter().map(|e| self.column_of(e)).collect()
    }

    fn column_of(&mut self, expr: Expr) -> Result<Expr> {
        let expr = expr.transform_down(where_filtered)?.data;
        let replaced = expr.transform_down(|e| match e {
            // Of several rows
            Expr::AggregateFunction(_) | Expr::WindowFunction(_) | Expr::GroupingSet(_) => Ok(Transformed::no(e)),
            Expr::Alias(alias) if call(&alias.expr).is_some() => Ok(Transformed::no(Expr::Alias(alias))),
            e if call(&e).is_some() => Ok(Transformed::new(self.column(e), true, TreeNodeRecursion::Jump)),
            e => Ok(Transformed::new(e, false, TreeNodeRecursion::Jump)),
        });
        Ok(replaced?.data)
    }

    /// The column of an expression; one for equal ones, so that what is sorted by is what is shown.
    fn column(&mut self, expr: Expr) -> Expr {
        let at = self.computed.iter().position(|e| *e == expr).unwrap_or_else(|| {
            self.computed.push(expr);
            self.computed.len() - 1
        });
        ident(self.name(at))
    }

    fn name(&self, at: usize) -> String {
        format!("__computed_{}", self.first + at)
    }

    fn project(self, input: &LogicalPlan) -> Result<LogicalPlan> {
        let columns = input.schema().columns().into_iter().map(Expr::Column);
        let computed = self.computed.iter().enumerate().map(|(at, expr)| expr.clone().alias(self.name(at)));
        LogicalPlanBuilder::from(input.clone()).project(columns.chain(computed).collect::<Vec<_>>())?.build()
    }
}

/// An aggregate asks only of the rows that its FILTER leaves.
fn where_filtered(expr: Expr) -> Result<Transformed<Expr>> {
    let Expr::AggregateFunction(mut aggregate) = expr else { return Ok(Transformed::no(expr)) };
    match &aggregate.params.filter {
        Some(filter) if !filter.is_volatile() && aggregate.params.args.iter().any(|a| call(a).is_some()) => {
            for arg in aggregate.params.args.iter_mut().filter(|a| call(a).is_some()) {
                *arg = when(filter.as_ref().clone(), arg.clone()).end()?;
            }
            Ok(Transformed::new(Expr::AggregateFunction(aggregate), true, TreeNodeRecursion::Jump))
        }
        _ => Ok(Transformed::no(Expr::AggregateFunction(aggregate))),
    }
}

/// Calls of a join's condition: those about the rows of one side are made below that side, those about pairs after an
/// inner join, for the pairs that its other conditions leave.
fn in_join(join: Join, function: &str) -> Result<LogicalPlan> {
    let (mut left, mut right) = (Below::new(&join.left), Below::new(&join.right));
    // The names of the two sides differ.
    right.first += left.first;
    let mut side = |expr: Expr| -> Result<Expr> {
        let replaced = expr.transform_down(|e| {
            if call(&e).is_none() {
                return Ok(Transformed::new(e, false, TreeNodeRecursion::Jump));
            }
            let columns = e.column_refs();
            let of = |input: &LogicalPlan| columns.iter().all(|c| input.schema().has_column(c));
            match (of(&join.left), of(&join.right)) {
                (true, _) => Ok(Transformed::new(left.column(e), true, TreeNodeRecursion::Jump)),
                (_, true) => Ok(Transformed::new(right.column(e), true, TreeNodeRecursion::Jump)),
                _ => Ok(Transformed::no(e)),
            }
        });
        Ok(replaced?.data)
    };
    let on = join.on.into_iter().map(|(a, b)| Ok((side(a)?, side(b)?))).collect::<Result<Vec<_>>>()?;
    let filter = join.filter.map(side).transpose()?;
    let conjuncts = filter.as_ref().map(split_conjunction).unwrap_or_default();
    let (of_pairs, rest): (Vec<Expr>, Vec<Expr>) = conjuncts.into_iter().cloned().partition(|e| call(e).is_some());
    if join.join_type != JoinType::Inner && !of_pairs.is_empty() {
        return refuse(function, &format!("the condition of a {} join, about rows of both tables", join.join_type));
    }
    let (left, right) = (left.project(&join.left)?, right.project(&join.right)?);
    let joined = Join::try_new(
        Arc::new(left),
        Arc::new(right),
        on,
        conjunction(rest),
        join.join_type,
        join.join_constraint,
        join.null_equality,
        join.null_aware,
    )?;
    let plan = LogicalPlanBuilder::from(LogicalPlan::Join(joined));
    match conjunction(of_pairs) {
        Some(of_pairs) => plan.filter(of_pairs)?.build(),
        None => plan.build(),
    }
}

/// The first asynchronous function that an expression calls.
pub(crate) fn call(expr: &Expr) -> Option<String> {
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

/// An expression with others in the place of its columns, where they have any.
pub(super) fn with_columns(expr: Expr, of: impl Fn(&Column) -> Option<Expr>) -> Result<Expr> {
    let replaced = expr.transform_up(|e| match &e {
        Expr::Column(column) => {
            Ok(of(column).map_or_else(|| Transformed::no(e.clone()), |e| Transformed::yes(e.unalias())))
        }
        _ => Ok(Transformed::no(e)),
    });
    Ok(replaced?.data)
}
