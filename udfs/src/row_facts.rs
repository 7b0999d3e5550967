//! The rule that gives facts their names, and fills them in: `generate_narrative('persona')` takes from the row what its
//! prompt needs.
//!
//! An optimiser may put expressions in the place of columns, so that a call's arguments no longer say what they were
//! called. The rule writes the names down first: `generate_narrative(what, names, column …)`.

use arrow::datatypes::DataType;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, DataFusionError, Result, ScalarValue, plan_err};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{Expr, LogicalPlan, lit};
use datafusion::optimizer::AnalyzerRule;
use populace_population::nearest;

use crate::generate_narrative::{NAME, TRY_NAME, prompt};
use crate::plugin::Narrators;
use crate::{Prompt, template_names};

#[derive(Debug)]
pub(crate) struct RowFacts(pub Narrators);

impl AnalyzerRule for RowFacts {
    fn name(&self) -> &str {
        "row_facts"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let done = plan.transform_up_with_subqueries(|node| {
            let schema = merge_schema(&node.inputs());
            let names = NamePreserver::new(&node);
            let filled = node.map_expressions(|expr| {
                let name = names.save(&expr);
                let filled = expr.transform_up(|e| self.fill(e, &schema))?;
                Ok(filled.update_data(|e| name.restore(e)))
            })?;
            if filled.transformed { filled.map_data(LogicalPlan::recompute_schema) } else { Ok(filled) }
        })?;
        Ok(done.data)
    }
}

impl RowFacts {
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
        let mut names: Vec<String> = given.iter().map(name).collect();
        let mut columns = given.to_vec();
        if let (Expr::Literal(what, _), true) = (what, given.is_empty()) {
            let narrator = self.0.get(None)?;
            let available: Vec<String> = schema.fields().iter().map(|f| f.name().clone()).collect();
            if let Some(Some(what)) = what.try_as_str() {
                names = narrator.columns(&prompt(narrator.as_ref(), what)?, &available);
            }
            names.retain(|n| available.contains(n));
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
        other => other.schema_name().to_string(),
    }
}
