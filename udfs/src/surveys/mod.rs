//! What the answers of a sample's people tell: means by group, and differences between arms on the same people.
//!
//! Both are plans of projections, aggregates and joins, so that EXPLAIN shows how they come about; the standard errors are
//! those of `survey_mean`.

pub(crate) mod differences;
pub(crate) mod estimate;

use arrow::datatypes::DataType;
use datafusion::common::{Column, Result, plan_err};
use datafusion::functions::core::expr_fn::get_field;
use datafusion::functions_aggregate::expr_fn::avg;
use datafusion::logical_expr::planner::RelationPlannerContext;
use datafusion::logical_expr::{AggregateUDF, Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, cast, lit, when};

use crate::aggregates::survey_mean::SurveyMean;
use crate::call::arguments::{Arguments, elements, value_of_a_row};
use crate::call::names::{by_name, expression_name};
use crate::call::table_function::Parameter;
use crate::types::plain;

/// The parameters of the design, which both functions take.
const UNIT: Parameter = Parameter::optional("unit", "column");
const WEIGHT: Parameter = Parameter::optional("weight", "number");
const STRATUM: Parameter = Parameter::optional("stratum", "expression");
const STRATUM_SIZE: Parameter = Parameter::optional("stratum_size", "number");

/// What the columns are called between the steps; none of a table's own.
const VALUE: &str = "__value";
const OF_UNIT: &str = "__unit";
const OF_WEIGHT: &str = "__weight";
const OF_STRATUM: &str = "__stratum";
const OF_STRATUM_SIZE: &str = "__stratum_size";
const STRATIFIED: &str = "__stratified";
const WEIGHTED: &str = "__weighted";

/// A column of that very name.
fn named(name: &str) -> Expr {
    Expr::Column(Column::new_unqualified(name))
}

/// The mean of each person's values in each group.
struct Means {
    /// Columns: those of `by`, the unit where there is one, the weight and perhaps the stratum, and the value
    plan: LogicalPlan,
    by: Vec<String>,
    has_unit: bool,
    has_strata: bool,
}

impl Means {
    /// Reads the arguments `table`, `value`, `by` and those of the design; `further` columns part the groups too. No group
    /// is called like one of the columns of the result that are `told` of it.
    fn new(
        function: &'static str,
        told: &[&str],
        arguments: &mut Arguments,
        further: impl FnOnce(&mut Arguments, &LogicalPlan, &mut dyn RelationPlannerContext) -> Result<Vec<Expr>>,
        context: &mut dyn RelationPlannerContext,
    ) -> Result<Means> {
        let input = arguments.table("table", context)?;
        let has = |name: &str| input.schema().fields().iter().any(|f| f.name() == name);
        let value = number_of_a_row(function, "value", arguments, &input, context)?;
        let Some(value) = value else { return plan_err!("{function}: the argument `value` is missing: a number") };
        let mut groups: Vec<(Expr, String)> = vec![];
        for sql in arguments.take("by").map(elements).unwrap_or_default() {
            let sql = by_name(sql);
            let is_taken =
                |name: &String| told.contains(&name.as_str()) || groups.iter().any(|(_, other)| other == name);
            // Of two bands by one function, the second is called as it is written, as is `upper(…)`.
            let names = [expression_name(&sql), sql.to_string()];
            let Some(name) = names.iter().find(|name| !is_taken(name)) else {
                return match told.contains(&names[1].as_str()) {
                    true => {
                        plan_err!("{function}: `by` names `{0}`, as the result does; rename it in a query", names[1])
                    }
                    false => plan_err!("{function}: `by` names `{}` twice", names[1]),
                };
            };
            groups.push((value_of_a_row(function, "by", sql, &input, context)?, name.clone()));
        }
        let by = groups.iter().map(|(_, name)| name.clone()).collect();
        let further = further(arguments, &input, context)?;
        let unit = match arguments.take("unit") {
            Some(sql) => Some(value_of_a_row(function, "unit", sql, &input, context)?),
            None => has("uuid").then(|| named("uuid")),
        };
        let design = Design::new(function, arguments, &input, context)?;
        let mut keys: Vec<Expr> = groups.into_iter().map(|(expr, name)| expr.alias(name)).chain(further).collect();
        keys.extend(unit.clone().map(|unit| unit.alias(OF_UNIT)));
        keys.push(cast(design.weight, DataType::Float64).alias(OF_WEIGHT));
        let has_strata = design.stratum.is_some();
        if let Some((stratum, size)) = design.stratum {
            keys.push(cast(stratum, DataType::Utf8).alias(OF_STRATUM));
            keys.push(cast(size, DataType::Float64).alias(OF_STRATUM_SIZE));
        }
        let kept: Vec<Expr> = keys.iter().map(|key| named(&key.schema_name().to_string())).collect();
        let value = cast(value, DataType::Float64);
        let rows = LogicalPlanBuilder::from(input)
            .project(keys.into_iter().chain([value.alias(VALUE)]))?
            .filter(named(VALUE).is_not_null())?;
        let rows = match unit.is_some() {
            // A person who was asked several times is one row of the sample all the same.
            true => rows.aggregate(kept.clone(), vec![avg(named(VALUE)).alias(VALUE)])?,
            false => rows,
        };
        Ok(Means { plan: rows.build()?, by, has_unit: unit.is_some(), has_strata })
    }
}

/// How the rows of a sample stand for its table.
struct Design {
    weight: Expr,
    /// The stratum, and how many rows of the table it has
    stratum: Option<(Expr, Expr)>,
}

impl Design {
    /// By the arguments, or else by the columns that `stratified_sample` and `rake` add, or else each row counts as one.
    fn new(
        function: &'static str,
        arguments: &mut Arguments,
        input: &LogicalPlan,
        context: &mut dyn RelationPlannerContext,
    ) -> Result<Design> {
        let has = |name: &str| input.schema().fields().iter().any(|f| f.name() == name);
        let weight = number_of_a_row(function, "weight", arguments, input, context)?;
        let stratum = match arguments.take("stratum") {
            Some(sql) => Some(value_of_a_row(function, "stratum", sql, input, context)?),
            None => None,
        };
        let size = number_of_a_row(function, "stratum_size", arguments, input, context)?;
        match (weight, stratum, size) {
            (Some(weight), Some(stratum), Some(size)) => Ok(Design { weight, stratum: Some((stratum, size)) }),
            (Some(weight), None, None) => Ok(Design { weight, stratum: None }),
            (None, None, None) => {
                let added = ["sampling_weight", "stratum", "stratum_size"];
                let stratified = added.into_iter().all(has);
                let weight = ["sampling_weight", "weight"].into_iter().find(|name| has(name));
                Ok(Design {
                    weight: weight.map_or_else(|| lit(1.0), named),
                    stratum: stratified.then(|| (named("stratum"), named("stratum_size"))),
                })
            }
            _ => plan_err!(
                "{function}: `stratum` and `stratum_size` go together and with a `weight`, as stratified_sample adds them"
            ),
        }
    }
}

/// An argument that is a number or a truth of each row.
fn number_of_a_row(
    function: &'static str,
    name: &'static str,
    arguments: &mut Arguments,
    input: &LogicalPlan,
    context: &mut dyn RelationPlannerContext,
) -> Result<Option<Expr>> {
    let Some(sql) = arguments.take(name) else { return Ok(None) };
    let text = sql.to_string();
    let expr = value_of_a_row(function, name, sql, input, context)?;
    let kind = plain(&expr.get_type(input.schema())?);
    match kind.is_numeric() || kind.is_null() || kind == DataType::Boolean {
        true => Ok(Some(expr)),
        false => plan_err!("{function}: `{name}` must be a number, `{text}` is {kind}"),
    }
}

/// Estimates of the mean of the values of these people in each group: by the design, and by the weights alone.
fn by_group(means: LogicalPlanBuilder, groups: &[String], has_strata: bool) -> Result<LogicalPlanBuilder> {
    let survey_mean =
        |columns: &[&str]| AggregateUDF::from(SurveyMean::new()).call(columns.iter().map(|name| named(name)).collect());
    let mut estimates = vec![survey_mean(&[VALUE, OF_WEIGHT]).alias(WEIGHTED)];
    if has_strata {
        estimates.push(survey_mean(&[VALUE, OF_WEIGHT, OF_STRATUM, OF_STRATUM_SIZE]).alias(STRATIFIED));
    }
    means.aggregate(groups.iter().map(|name| named(name)), estimates)
}

/// A field of the estimate: by the design, or by the weights alone where that tells no standard error.
fn field(name: &str, has_strata: bool) -> Result<Expr> {
    let weighted = get_field(named(WEIGHTED), name);
    if !has_strata {
        return Ok(weighted);
    }
    let lone = get_field(named(STRATIFIED), "standard_error").is_null();
    when(lone, weighted).otherwise(get_field(named(STRATIFIED), name))
}

/// Which of the two it is.
fn design(has_strata: bool) -> Result<Expr> {
    if !has_strata {
        return Ok(lit("weights"));
    }
    when(get_field(named(STRATIFIED), "standard_error").is_null(), lit("weights")).otherwise(lit("stratified"))
}
