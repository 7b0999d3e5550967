//! The planner of the table functions: it sees their named arguments, predicates and subqueries as they were written.

use std::sync::Arc;

use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::planner::{PlannedRelation, RelationPlanner, RelationPlannerContext, RelationPlanning};
use datafusion::sql::sqlparser::ast::TableFactor;

use crate::call::arguments::function_name;
use crate::host::Populace;
use crate::samples::table_sample;
use crate::session::rewrite::call;
use crate::session::{functions, left_out};

#[derive(Debug)]
pub(crate) struct Relations(pub Arc<Populace>);

impl RelationPlanner for Relations {
    fn plan_relation(
        &self,
        mut relation: TableFactor,
        context: &mut dyn RelationPlannerContext,
    ) -> Result<RelationPlanning> {
        if let Some(kind) = table_sample::clause(&mut relation).and_then(Option::take) {
            let (TableFactor::Table { alias, .. } | TableFactor::Derived { alias, .. }) = &mut relation else {
                return Ok(RelationPlanning::Original(Box::new(relation)));
            };
            let alias = alias.take();
            let plan = table_sample::plan(kind, relation, self.0.search.clone(), context)?;
            return Ok(RelationPlanning::Planned(Box::new(PlannedRelation::new(plan, alias))));
        }
        let numbered = matches!(relation, TableFactor::Table { with_ordinality: true, .. });
        let Some((name, args, alias)) = call(&mut relation) else {
            return Ok(RelationPlanning::Original(Box::new(relation)));
        };
        let name = function_name(name).unwrap_or_default();
        let Some(function) = functions::named(&name) else {
            left_out::refuse(&name)?;
            return Ok(RelationPlanning::Original(Box::new(relation)));
        };
        if numbered {
            let name = function.name;
            return plan_err!("{name}: WITH ORDINALITY is not there: number its rows with row_number() OVER ()");
        }
        let plan = (function.plan)(function.arguments(args.clone())?, &self.0, context)?;
        Ok(RelationPlanning::Planned(Box::new(PlannedRelation::new(plan, alias.clone()))))
    }
}
