//! `stratified_sample(table, n, strata => (…), …)`: so many rows of each stratum, with their weights.

use std::sync::Arc;

use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::planner::RelationPlannerContext;
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan};
use datafusion::sql::sqlparser::ast::{Expr as SqlExpr, Value as SqlValue};

use crate::call::arguments;
use crate::call::arguments::Arguments;
use crate::call::arguments::MAX_COUNT;
use crate::call::arguments::value_of_a_row;
use crate::call::seed::fresh_seed;
use crate::call::table_function::{Parameter, TableFunction};
use crate::host::table_search::TableSearch;
use crate::nodes::relation_function::relation;
use crate::samples::allocation::{Allocation, Design, OnShort};
use crate::samples::lineage::seed_over;
use crate::samples::passes::{SAMPLING_WEIGHT, STRATUM, STRATUM_SIZE, Sample};
use crate::samples::quotas;
use crate::samples::ranks::Key;
use crate::types::plain;

pub(crate) const NAME: &str = "stratified_sample";

const ALLOCATIONS: [(&str, Allocation); 3] =
    [("proportional", Allocation::Proportional), ("equal", Allocation::Equal), ("neyman", Allocation::Neyman)];

const ON_SHORT: [(&str, OnShort); 3] =
    [("error", OnShort::Error), ("take_all", OnShort::TakeAll), ("redistribute", OnShort::Redistribute)];

/// Whether a name is that of an allocation rather than of a table of quotas.
pub(crate) fn is_allocation(name: &str) -> bool {
    ALLOCATIONS.iter().any(|(known, _)| known.eq_ignore_ascii_case(name))
}

/// The function, as a session has it.
pub(crate) const FUNCTION: TableFunction = TableFunction {
    name: NAME,
    parameters: &[
        Parameter::required("table", "").relation(),
        Parameter::required("n", ""),
        Parameter::required("strata", "(expression [, …])"),
        Parameter::optional("allocation", "'proportional' | 'equal' | 'neyman' | quotas"),
        Parameter::optional("study_variable", "number"),
        Parameter::optional("min_per_stratum", "number"),
        Parameter::optional("max_per_stratum", "number"),
        Parameter::optional("on_short", "'error' | 'take_all' | 'redistribute'"),
        Parameter::optional("seed", "number").seed(),
    ],
    positional: 2,
    description: "So many rows of each stratum of a table, drawn without replacement, with their `stratum`, their `sampling_weight`, the rows of the stratum for each one taken, and its `stratum_size`, for `survey_mean`. Every stratum gives one row at least, two where the allocation is Neyman's and it has them, or `min_per_stratum`; with `min_per_stratum => 0` strata may be left out, whose people nobody stands for then. The other rows go by Webster's method, so that a larger sample of the same seed holds the smaller one. The same rows for the same seed, in whatever order the table has them: by `uuid`, where it is known to be each row's own (people who are drawn, tables whose key it is, and what keeps their rows apart), or else by all that a row holds. A sample of a sample, with the same seed or another, is independent of it, as long as both stand in one statement; of a sample that was kept in a table take one with another seed. A stratum with fewer rows than its quota is an error, unless `on_short` says otherwise.",
    example: "SELECT * FROM stratified_sample(usa, 1000, strata => (state, age_band(age, 30, 60)), seed => 7)",
    plan: |arguments, populace, context| plan(arguments, populace.search.clone(), context),
};

fn plan(
    mut arguments: Arguments,
    host: Option<Arc<dyn TableSearch>>,
    context: &mut dyn RelationPlannerContext,
) -> Result<LogicalPlan> {
    let input = arguments.table("table", context)?;
    let key = Key::of(&input, host.as_deref());
    key.check(NAME, &input)?;
    let has = |added: &&str| input.schema().fields().iter().any(|f| f.name() == added);
    let there: Vec<&str> = [STRATUM, SAMPLING_WEIGHT, STRATUM_SIZE].into_iter().filter(has).collect();
    if !there.is_empty() {
        let names = there.join(", ");
        return plan_err!(
            "{NAME}: the table has {names} already, as a sample has; leave them out: (SELECT * EXCEPT ({names}) FROM …)"
        );
    }
    let n = arguments.integer("n", 1..=MAX_COUNT, context)?.map(|n| n as u64);
    let strata = strata(&mut arguments, &input, context)?;
    let (allocation, quotas) = allocation(&mut arguments, &input, &strata, context)?;
    if n.is_none() && quotas.is_none() {
        return plan_err!("{NAME}: the argument `n` is missing: how many rows to take");
    }
    let study_variable = study_variable(&mut arguments, allocation, &input, context)?;
    let mut bound = |name| arguments.integer(name, 0..=MAX_COUNT, context).map(|bound| bound.map(|b| b as u64));
    let (min, max) = (bound("min_per_stratum")?, bound("max_per_stratum")?);
    match (min, max) {
        (Some(min), Some(max)) if min > max => {
            return plan_err!("{NAME}: `min_per_stratum`, {min}, is more than `max_per_stratum`, {max}");
        }
        (None, None) => {}
        _ if quotas.is_some() => {
            return plan_err!("{NAME}: a table of quotas leaves nothing to `min_per_stratum` and `max_per_stratum`");
        }
        _ => {}
    }
    let on_short = arguments.choice("on_short", &ON_SHORT, context)?.unwrap_or(OnShort::Error);
    let seed = arguments.integer("seed", 0..=i128::from(u64::MAX), context)?;
    let seed = seed.map_or_else(fresh_seed, |seed| seed as u64);
    let design = Design { n: n.unwrap_or(0), allocation, min, max, on_short };
    let names: Vec<String> = strata.iter().map(|e| e.schema_name().to_string()).collect();
    let rows = n.map_or(String::new(), |n| format!("n={n}, "));
    let allocation = format!("{allocation:?}").to_lowercase();
    let sample = Sample {
        function: NAME,
        operator: "StratifiedSampleExec",
        details: format!("{rows}strata=({}), allocation={allocation}, seed={seed}", names.join(", ")),
        table: input.schema().inner().clone(),
        key,
        strata: strata.len(),
        design,
        n,
        seed: seed_over(&input, seed)?,
        weighted: true,
        host,
    };
    let inputs = sample.inputs(&input, strata, study_variable, quotas)?;
    relation(sample, inputs, None)
}

/// What tells the strata apart: one expression, or several in parentheses.
fn strata(
    arguments: &mut Arguments,
    input: &LogicalPlan,
    context: &mut dyn RelationPlannerContext,
) -> Result<Vec<Expr>> {
    let elements = match arguments.take("strata") {
        Some(SqlExpr::Tuple(elements)) => elements,
        Some(SqlExpr::Nested(element)) => vec![*element],
        Some(element) => vec![element],
        None => return plan_err!("{NAME}: the argument `strata` is missing, as in strata => (state, sex)"),
    };
    if elements.is_empty() {
        return plan_err!("{NAME}: `strata` names nothing; name columns, as in strata => (state, sex)");
    }
    elements.into_iter().map(|sql| value_of_a_row(NAME, "strata", sql, input, context)).collect()
}

/// The name of an allocation, or a table of quotas.
fn allocation(
    arguments: &mut Arguments,
    input: &LogicalPlan,
    strata: &[Expr],
    context: &mut dyn RelationPlannerContext,
) -> Result<(Allocation, Option<LogicalPlan>)> {
    let sql = match arguments.take("allocation") {
        None => return Ok((Allocation::Proportional, None)),
        Some(SqlExpr::Identifier(name)) if is_allocation(&name.value) => {
            return plan_err!("{NAME}: the allocation stands in quotes: allocation => '{}'", name.value.to_lowercase());
        }
        Some(sql) => sql,
    };
    if let SqlExpr::Value(value) = &sql
        && let SqlValue::SingleQuotedString(name) = &value.value
    {
        return match ALLOCATIONS.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)) {
            Some((_, allocation)) => Ok((*allocation, None)),
            None => {
                let names = ALLOCATIONS.map(|(name, _)| name);
                let hint = populace_population::there_are(name, &names);
                plan_err!("{NAME}: unknown `allocation`, `{name}`{hint}, or a table of quotas without quotes")
            }
        };
    }
    let table = context.plan(arguments::relation(sql)?)?;
    let element = |e: &Expr| {
        let name = match e {
            Expr::Column(column) => column.name.clone(),
            other => other.schema_name().to_string(),
        };
        Ok((name, plain(&e.get_type(input.schema())?)))
    };
    let elements = strata.iter().map(element).collect::<Result<Vec<_>>>()?;
    Ok((Allocation::Quotas, Some(quotas::plan(NAME, table, &elements)?)))
}

fn study_variable(
    arguments: &mut Arguments,
    allocation: Allocation,
    input: &LogicalPlan,
    context: &mut dyn RelationPlannerContext,
) -> Result<Option<Expr>> {
    match (allocation, arguments.take("study_variable")) {
        (Allocation::Neyman, Some(sql)) => {
            let text = sql.to_string();
            let expr = value_of_a_row(NAME, "study_variable", sql, input, context)?;
            let kind = expr.get_type(input.schema())?;
            if !kind.is_numeric() && kind != arrow::datatypes::DataType::Boolean {
                return plan_err!("{NAME}: `study_variable` must be a number, `{text}` is {kind}");
            }
            Ok(Some(expr))
        }
        (Allocation::Neyman, None) => plan_err!(
            "{NAME}: the argument `study_variable` is missing: the number whose mean the sample is to tell best"
        ),
        (_, Some(_)) => plan_err!("{NAME}: `study_variable` goes with allocation => 'neyman'"),
        (_, None) => Ok(None),
    }
}
