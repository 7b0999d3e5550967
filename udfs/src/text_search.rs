//! `text_search(table, query, k, "column" => …, "where" => …)`: the rows with the words of a text, by BM25.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::logical_expr::LogicalPlan;
use datafusion::logical_expr::planner::RelationPlannerContext;

use crate::Populace;
use crate::arguments::Arguments;
use crate::search::{self, By};

pub(crate) const NAME: &str = "text_search";

pub(crate) const ARGUMENTS: [&str; 9] =
    ["table", "query", "k", "column", "weights", "where", "max_per", "diversity", "language"];

pub(crate) fn plan(
    arguments: Arguments,
    populace: &Arc<Populace>,
    context: &mut dyn RelationPlannerContext,
) -> Result<LogicalPlan> {
    search::plan(NAME, By::Words, arguments, populace, context)
}
