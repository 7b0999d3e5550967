//! `differences(table, value, arm => model, by => (…))`: how the same people's answers differ between arms.

use arrow::datatypes::DataType;
use datafusion::common::{Column, NullEquality, Result, plan_err};
use datafusion::functions::core::expr_fn::least;
use datafusion::functions_aggregate::count::count_udaf;
use datafusion::functions_aggregate::min_max::{max_udaf, min_udaf};
use datafusion::functions_window::expr_fn::row_number;
use datafusion::logical_expr::expr::WindowFunction;
use datafusion::logical_expr::planner::RelationPlannerContext;
use datafusion::logical_expr::{
    Expr, ExprFunctionExt, JoinType, LogicalPlan, LogicalPlanBuilder, WindowFrame, WindowFunctionDefinition, cast, lit,
    when,
};

use crate::call::arguments::{Arguments, value_of_a_row};
use crate::call::table_function::{Parameter, TableFunction};
use crate::surveys::{
    Means, OF_STRATUM, OF_STRATUM_SIZE, OF_UNIT, OF_WEIGHT, STRATUM, STRATUM_SIZE, UNIT, VALUE, WEIGHT, by_group,
    design, field, named,
};

pub(crate) const NAME: &str = "differences";

/// What the arm is called between the steps.
const ARM: &str = "__arm";

/// What the p-values are adjusted by, and on the way.
const RANK: &str = "__rank";
const TESTS: &str = "__tests";
const STEP: &str = "__step";
const ADJUSTED: &str = "__adjusted";

#[derive(Debug, Clone, Copy)]
enum Adjust {
    Holm,
    FalseDiscoveryRate,
    None,
}

const ADJUST: [(&str, Adjust); 3] =
    [("holm", Adjust::Holm), ("fdr", Adjust::FalseDiscoveryRate), ("none", Adjust::None)];

/// What is told of each group.
const TOLD: [&str; 10] =
    ["arm_a", "arm_b", "difference", "standard_error", "lower", "upper", "p_value", "adjusted_p_value", "n", "design"];

/// The function, as a session has it.
pub(crate) const FUNCTION: TableFunction = TableFunction {
    name: NAME,
    parameters: &[
        Parameter::required("table", "").relation(),
        Parameter::required("value", ""),
        Parameter::required("arm", "expression"),
        Parameter::optional("by", "(expression [, …])"),
        Parameter::optional("adjust", "'holm' | 'fdr' | 'none'"),
        UNIT,
        WEIGHT,
        STRATUM,
        STRATUM_SIZE,
    ],
    positional: 2,
    description: "How the answers of the same people differ between arms, such as models or prompts: a row for each two arms, `arm_a` and `arm_b`, in each group, with the mean of `arm_b` less `arm_a` (`difference`), its `standard_error` and interval of 95 % (`lower`, `upper`), the `p_value` of there being none, by Student's t on the differences of each person, and `adjusted_p_value`, for all rows of the result together: by Holm (1979), `adjust => 'fdr'` by Benjamini and Hochberg (1995), whose false discoveries are few among those that are found, or `'none'`. `n` are the people who answered in both arms; others are left out. Several rows of a person (`unit`, the `uuid` without it) in one arm are one answer, their mean. The design is that of `estimate`.",
    example: "SELECT * FROM differences((SELECT * FROM usa CROSS JOIN (VALUES ('a'), ('b')) AS models (model)), age, arm => model, by => sex)",
    plan: |arguments, _, context| plan(arguments, context),
};

fn plan(mut arguments: Arguments, context: &mut dyn RelationPlannerContext) -> Result<LogicalPlan> {
    let adjust = arguments.choice("adjust", &ADJUST, context)?.unwrap_or(Adjust::Holm);
    let Some(arm) = arguments.take("arm") else {
        return plan_err!("{NAME}: the argument `arm` is missing: what tells the arms apart, as in arm => model");
    };
    let further = |_: &mut Arguments, input: &LogicalPlan, context: &mut dyn RelationPlannerContext| {
        Ok(vec![cast(value_of_a_row(NAME, "arm", arm, input, context)?, DataType::Utf8).alias(ARM)])
    };
    let Means { plan: means, by, has_unit, has_strata } = Means::new(NAME, &TOLD, &mut arguments, further, context)?;
    if !has_unit {
        return plan_err!("{NAME}: the table has no column `uuid` to know people by: name another with unit => …");
    }
    let side = |name: &str| LogicalPlanBuilder::from(means.clone()).alias(name);
    let of = |side: &str, name: &str| Expr::Column(Column::new(Some(side), name));
    let keys = || by.iter().map(String::as_str).chain([OF_UNIT]);
    let columns = |side: &'static str| keys().map(|name| Column::new(Some(side), name)).collect::<Vec<_>>();
    let mut kept: Vec<Expr> = by.iter().map(|name| of("a", name).alias(name)).collect();
    kept.push(of("a", ARM).alias("arm_a"));
    kept.push(of("b", ARM).alias("arm_b"));
    kept.push(of("a", OF_WEIGHT).alias(OF_WEIGHT));
    if has_strata {
        kept.extend([OF_STRATUM, OF_STRATUM_SIZE].map(|name| of("a", name).alias(name)));
    }
    kept.push((of("b", VALUE) - of("a", VALUE)).alias(VALUE));
    let pairs = side("a")?
        .join_detailed(
            side("b")?.build()?,
            JoinType::Inner,
            (columns("a"), columns("b")),
            Some(of("a", ARM).lt(of("b", ARM))),
            NullEquality::NullEqualsNull,
        )?
        .project(kept)?;
    let groups: Vec<String> = by.iter().cloned().chain(["arm_a", "arm_b"].map(String::from)).collect();
    let mut found: Vec<Expr> = groups.iter().map(|name| named(name)).collect();
    found.push(field("mean", has_strata)?.alias("difference"));
    for name in ["standard_error", "lower", "upper", "p_value"] {
        found.push(field(name, has_strata)?.alias(name));
    }
    found.push(field("rows", has_strata)?.alias("n"));
    found.push(design(has_strata)?.alias("design"));
    let found = by_group(pairs, &groups, has_strata)?.project(found)?;
    let mut columns: Vec<Expr> = groups.iter().map(|name| named(name)).collect();
    columns.extend(["difference", "standard_error", "lower", "upper", "p_value"].map(named));
    columns.push(named(ADJUSTED).alias("adjusted_p_value"));
    columns.extend(["n", "design"].map(named));
    adjusted(found, adjust)?.project(columns)?.build()
}

/// The rows with their p-values adjusted for all of them: the steps of Holm go up from the least, those of Benjamini and
/// Hochberg down from the largest.
fn adjusted(rows: LogicalPlanBuilder, adjust: Adjust) -> Result<LogicalPlanBuilder> {
    let p = || named("p_value");
    let number = |name: &str| cast(named(name), DataType::Float64);
    let (function, of, ascending) = match adjust {
        Adjust::Holm => (max_udaf(), p() * (number(TESTS) - number(RANK) + lit(1.0)), true),
        Adjust::FalseDiscoveryRate => (min_udaf(), p() * number(TESTS) / number(RANK), false),
        Adjust::None => {
            let all: Vec<Expr> = rows.schema().fields().iter().map(|f| named(f.name())).collect();
            return rows.project(all.into_iter().chain([p().alias(ADJUSTED)]));
        }
    };
    let over = |function, of: Expr| {
        Expr::from(WindowFunction::new(WindowFunctionDefinition::AggregateUDF(function), vec![of]))
    };
    let rank = row_number().order_by(vec![p().sort(true, false)]).build()?;
    let tests = over(count_udaf(), p()).window_frame(WindowFrame::new(None)).build()?;
    let step = over(function, of)
        .order_by(vec![named(RANK).sort(ascending, false)])
        .window_frame(WindowFrame::new(Some(true)))
        .build()?;
    let known = when(p().is_not_null(), least(vec![lit(1.0), named(STEP)])).end()?;
    let all: Vec<Expr> = rows.schema().fields().iter().map(|f| named(f.name())).collect();
    // One node has windows of one order alone.
    rows.window(vec![rank.alias(RANK)])?
        .window(vec![tests.alias(TESTS)])?
        .window(vec![step.alias(STEP)])?
        .project(all.into_iter().chain([known.alias(ADJUSTED)]))
}
