//! `similar_to(table, uuid, k, "column" => …, "where" => …)`: the people nearest to a person, by the vectors of their texts.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::logical_expr::LogicalPlan;
use datafusion::logical_expr::planner::RelationPlannerContext;

use crate::Populace;
use crate::arguments::Arguments;
use crate::search::{self, By};

pub(crate) const NAME: &str = "similar_to";

pub(crate) const ARGUMENTS: [&str; 8] = ["table", "uuid", "k", "column", "weights", "where", "max_per", "diversity"];

pub(crate) fn plan(
    arguments: Arguments,
    populace: &Arc<Populace>,
    context: &mut dyn RelationPlannerContext,
) -> Result<LogicalPlan> {
    search::plan(NAME, By::Person, arguments, populace, context)
}
