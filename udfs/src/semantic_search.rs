//! `semantic_search(table, query, k, "column" => …, "where" => …)`: the rows nearest in meaning to a text.

use std::sync::Arc;

use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::LogicalPlan;
use datafusion::logical_expr::planner::RelationPlannerContext;
use datafusion::sql::sqlparser::ast::{Expr as SqlExpr, ObjectName, ObjectNamePart, TableFactor};

use crate::Populace;
use crate::arguments::Arguments;
use crate::search::{self, By};

pub(crate) const NAME: &str = "semantic_search";

pub(crate) const ARGUMENTS: [&str; 8] = ["table", "query", "k", "column", "weights", "where", "max_per", "diversity"];

pub(crate) fn plan(
    arguments: Arguments,
    populace: &Arc<Populace>,
    context: &mut dyn RelationPlannerContext,
) -> Result<LogicalPlan> {
    search::plan(NAME, By::Meaning, arguments, populace, context)
}

/// A table's name or a subquery, given as an argument, as a relation.
pub(crate) fn relation(sql: SqlExpr) -> Result<TableFactor> {
    let named = |parts: Vec<ObjectNamePart>| TableFactor::Table {
        name: ObjectName(parts),
        alias: None,
        args: None,
        with_hints: vec![],
        version: None,
        with_ordinality: false,
        partitions: vec![],
        json_path: None,
        sample: None,
        index_hints: vec![],
    };
    match sql {
        SqlExpr::Identifier(name) => Ok(named(vec![ObjectNamePart::Identifier(name)])),
        SqlExpr::CompoundIdentifier(names) => Ok(named(names.into_iter().map(ObjectNamePart::Identifier).collect())),
        SqlExpr::Subquery(query) => {
            Ok(TableFactor::Derived { lateral: false, subquery: query, alias: None, sample: None })
        }
        SqlExpr::Nested(inner) => relation(*inner),
        other => plan_err!("`{other}` is neither a table nor a query in parentheses"),
    }
}
