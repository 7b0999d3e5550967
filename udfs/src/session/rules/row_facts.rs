//! The rule that gives facts their names, and fills them in: `generate_narrative('persona')` takes from the row what its
//! prompt needs.
//!
//! An optimiser may put expressions in the place of columns, so that a call's arguments no longer say what they were
//! called. The rule writes the names down first: `generate_narrative(what, names, column …)`.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, DFSchema, DataFusionError, Result, ScalarValue, TableReference, plan_err};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, Projection, Sort, ident, lit};
use datafusion::optimizer::AnalyzerRule;
use populace_population::nearest;

use crate::host::Narrators;
use crate::host::narrator::Prompt;
use crate::narratives::generate_narrative::{NAME, TRY_NAME, prompt};
use crate::narratives::template::template_names;

#[derive(Debug)]
pub(crate) struct RowFacts(pub Narrators);

impl AnalyzerRule for RowFacts {
    fn name(&self) -> &str {
        "row_facts"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let done = plan.transform_up_with_subqueries(|node| {
            let node = match node {
                LogicalPlan::Sort(sort) => self.sort_by_rows(sort)?,
                node => node,
            };
            let schema = merge_schema(&node.inputs());
            let names = NamePreserver::new(&node);
            // Calls of an aggregate leave it, for a projection below: the rule in `async_calls` keeps its names, which
            // are its schema's.
            let aggregates = matches!(node, LogicalPlan::Aggregate(_));
            let filled = node.map_expressions(|expr| {
                let name = names.save(&expr);
                let filled = expr.transform_up(|e| self.fill(e, &schema))?;
                Ok(if aggregates { filled } else { filled.update_data(|e| name.restore(e)) })
            })?;
            if filled.transformed && !aggregates { filled.map_data(LogicalPlan::recompute_schema) } else { Ok(filled) }
        })?;
        Ok(done.data)
    }
}

impl RowFacts {
    /// A text that rows are sorted by takes what it needs from the rows of FROM, not from the columns that are shown:
    /// the projection computes it beside them.
    fn sort_by_rows(&self, mut sort: Sort) -> Result<LogicalPlan> {
        let LogicalPlan::Projection(Projection { expr, input, .. }) = sort.input.as_ref() else {
            return Ok(LogicalPlan::Sort(sort));
        };
        if !sort.expr.iter().any(|key| takes_from_row(&key.expr)) {
            return Ok(LogicalPlan::Sort(sort));
        }
        let (shown, mut exprs, mut keys) = (sort.input.schema().columns(), expr.clone(), vec![]);
        for key in &sort.expr {
            if !takes_from_row(&key.expr) {
                keys.push(key.clone());
                continue;
            }
            let over_rows = key.expr.clone().transform_up(|e| {
                let Expr::Column(column) = &e else { return Ok(Transformed::no(e)) };
                match shown.iter().position(|c| c == column) {
                    Some(at) => Ok(Transformed::yes(expr[at].clone().unalias())),
                    None => Ok(Transformed::no(e)),
                }
            })?;
            let filled = over_rows.data.transform_up(|e| self.fill(e, input.schema()))?;
            let name = format!("__sort_key_{}", exprs.len());
            exprs.push(filled.data.alias(&name));
            keys.push(key.with_expr(ident(name)));
        }
        sort.input = Arc::new(LogicalPlanBuilder::from(input.as_ref().clone()).project(exprs)?.build()?);
        sort.expr = keys;
        LogicalPlanBuilder::from(LogicalPlan::Sort(sort)).project(shown.into_iter().map(Expr::Column))?.build()
    }

    fn fill(&self, expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
        let Expr::ScalarFunction(ScalarFunction { func, args }) = &expr else { return Ok(Transformed::no(expr)) };
        let ours = func.name() == NAME || func.name() == TRY_NAME;
        let [what, given @ ..] = &args[..] else { return Ok(Transformed::no(expr)) };
        if !ours || matches!(given.first(), Some(Expr::Literal(ScalarValue::LargeList(_), _))) {
            return Ok(Transformed::no(expr));
        }
        if given.is_empty() && !matches!(what, Expr::Literal(..)) {
            return plan_err!(
                "{}: what it writes differs by row, so name the columns that it writes from",
                func.name()
            );
        }
        let mut columns = vec![];
        for argument in given {
            match argument {
                #[expect(deprecated, reason = "this is what `table.*` among the arguments of a function is")]
                Expr::Wildcard { qualifier, .. } => columns.extend(expand(qualifier.as_ref(), schema)),
                other => columns.push(other.clone()),
            }
        }
        let mut names: Vec<String> = columns.iter().map(name).collect();
        if let Some(twice) = names.iter().enumerate().find(|(at, n)| names[..*at].contains(n)) {
            return plan_err!(
                "{}: two of the columns to write from are called `{}`; give one another name in a subquery",
                func.name(),
                twice.1
            );
        }
        if let (Expr::Literal(what, _), true) = (what, given.is_empty()) {
            let narrator = self.0.get(None)?;
            let available: Vec<String> = schema.fields().iter().map(|f| f.name().clone()).collect();
            if let Some(Some(what)) = what.try_as_str() {
                let prompt = prompt(narrator.as_ref(), what)?;
                names = narrator.columns(&prompt, &available);
                names.retain(|n| available.contains(n));
                if names.is_empty() && matches!(prompt, Prompt::Kind(_)) {
                    return plan_err!(
                        "{}: here are none of the columns that '{what}' is written from: call it in a query whose FROM \
                         has them, or name those to write from: {}('{what}', column, …)",
                        func.name(),
                        func.name()
                    );
                }
            }
            if let Some(twice) = names.iter().find(|n| available.iter().filter(|a| a == n).count() > 1) {
                let of = schema.columns().into_iter().filter(|c| c.name == *twice);
                let of: Vec<String> = of.map(|c| c.quoted_flat_name()).collect();
                return plan_err!(
                    "{}: the column `{twice}` is ambiguous here: name those to write from, {}",
                    func.name(),
                    of.join(" or ")
                );
            }
            let of = |n: &String| schema.columns().into_iter().find(|c| c.name == *n).map(Expr::Column);
            columns = names.iter().filter_map(of).collect();
        }
        if let Expr::Literal(what, _) = what
            && let Some(Some(what)) = what.try_as_str()
            && let Prompt::Template(template) = prompt(self.0.get(None)?.as_ref(), what)?
        {
            let narrator = self.0.get(None)?;
            // `try_generate_narrative` says so of each row.
            if !narrator.follows_templates() && func.name() == NAME {
                return plan_err!(
                    "the {} narrator cannot follow a template: it takes a model, --narrator openai:MODEL",
                    narrator.name()
                );
            }
            check_template(&template, &names, schema)?;
        }
        let names: Vec<ScalarValue> = names.into_iter().map(|n| ScalarValue::Utf8(Some(n))).collect();
        let names = ScalarValue::LargeList(ScalarValue::new_large_list(&names, &DataType::Utf8));
        let args = [what.clone(), lit(names)].into_iter().chain(columns).collect();
        Ok(Transformed::yes(Expr::ScalarFunction(ScalarFunction { func: func.clone(), args })))
    }
}

/// Whether an expression calls for a text without naming what it is written from.
fn takes_from_row(expr: &Expr) -> bool {
    let call = |e: &Expr| matches!(e, Expr::ScalarFunction(f) if (f.func.name() == NAME || f.func.name() == TRY_NAME) && f.args.len() == 1);
    // The closure returns no error.
    expr.exists(|e| Ok(call(e))).unwrap_or(false)
}

/// The columns that `*` or `table.*` stands for.
fn expand(of: Option<&TableReference>, schema: &DFSchema) -> Vec<Expr> {
    let columns = schema.columns().into_iter();
    let wanted = |c: &Column| match (of, &c.relation) {
        (None, _) => true,
        (Some(of), Some(relation)) => of.resolved_eq(relation),
        (Some(_), None) => false,
    };
    columns.filter(wanted).map(Expr::Column).collect()
}

/// Every name in a template is a fact that it is given: a slip is found before the first row is drawn.
fn check_template(template: &str, names: &[String], schema: &DFSchema) -> Result<()> {
    let taken = template_names(template).map_err(DataFusionError::Plan)?;
    let Some(unknown) = taken.iter().find(|n| !names.contains(n)) else { return Ok(()) };
    if schema.fields().iter().any(|f| f.name() == unknown) {
        return plan_err!("the template names {{{{{unknown}}}}}, which is not among the columns that {NAME} is given");
    }
    let columns = schema.fields().iter().map(|f| f.name().as_str()).chain(names.iter().map(String::as_str));
    let hint = nearest(unknown, columns).map_or(String::new(), |n| format!("; did you mean {{{{{n}}}}}?"));
    plan_err!("the template names {{{{{unknown}}}}}, which is no column{hint}")
}

/// What an argument is called: a column or an alias by its name, anything else as it is written.
fn name(expr: &Expr) -> String {
    match expr {
        Expr::Column(column) => column.name.clone(),
        Expr::Alias(alias) => alias.name.clone(),
        Expr::Cast(cast) => name(&cast.expr),
        Expr::OuterReferenceColumn(_, column) => column.name.clone(),
        other => other.schema_name().to_string(),
    }
}
