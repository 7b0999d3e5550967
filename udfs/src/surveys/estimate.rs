//! `estimate(table, value, by => (…))`: what a sample tells of a mean, by group.

use datafusion::common::Result;
use datafusion::logical_expr::planner::RelationPlannerContext;
use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder};

use crate::call::arguments::Arguments;
use crate::call::table_function::{Parameter, TableFunction};
use crate::surveys::{Means, STRATUM, STRATUM_SIZE, UNIT, WEIGHT, by_group, design, field, named};

pub(crate) const NAME: &str = "estimate";

/// What is told of each group.
const TOLD: [&str; 6] = ["mean", "standard_error", "lower", "upper", "n", "design"];

/// The function, as a session has it.
pub(crate) const FUNCTION: TableFunction = TableFunction {
    name: NAME,
    parameters: &[
        Parameter::required("table", "").relation(),
        Parameter::required("value", ""),
        Parameter::optional("by", "(expression [, …])"),
        UNIT,
        WEIGHT,
        STRATUM,
        STRATUM_SIZE,
    ],
    positional: 2,
    description: "What the answers of a sample's people tell of all: the `mean` of a value in each group, its `standard_error`, an interval of 95 % (`lower`, `upper`), how many people were asked (`n`), and by which `design`. A sample of `stratified_sample` is known by its columns `sampling_weight`, `stratum` and `stratum_size`, whatever was joined to them, rows of `rake` by their `weight`; without these each row counts as one; `weight`, `stratum` and `stratum_size` name others. Several rows of a person (`unit`, the `uuid` without it) are one answer, their mean, as when everybody was asked three times. Standard errors are those of `survey_mean`, which says what they are of; groups that are not strata are domains. Where a stratum has one person in the sample and others in the table, the group's standard error is that of the weights alone, which leaves out what the strata gain, and `design` is `weights`. Rows without a value are left out.",
    example: "SELECT * FROM estimate(usa, age, by => (sex, census_region))",
    plan: |arguments, _, context| plan(arguments, context),
};

fn plan(mut arguments: Arguments, context: &mut dyn RelationPlannerContext) -> Result<LogicalPlan> {
    let Means { plan, by, has_strata, .. } = Means::new(NAME, &TOLD, &mut arguments, |_, _, _| Ok(vec![]), context)?;
    let mut columns: Vec<_> = by.iter().map(|name| named(name)).collect();
    for name in ["mean", "standard_error", "lower", "upper"] {
        columns.push(field(name, has_strata)?.alias(name));
    }
    columns.push(field("rows", has_strata)?.alias("n"));
    columns.push(design(has_strata)?.alias("design"));
    by_group(LogicalPlanBuilder::from(plan), &by, has_strata)?.project(columns)?.build()
}
