//! The planner of the table functions: it sees their named arguments, predicates and subqueries as they were written.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, Result, plan_err};
use datafusion::logical_expr::planner::{
    ContextProvider, PlannedRelation, RelationPlanner, RelationPlannerContext, RelationPlanning,
};
use datafusion::logical_expr::{Expr, Extension, LogicalPlan, UserDefinedLogicalNode};
use datafusion::sql::TableReference;
use datafusion::sql::sqlparser::ast::{Expr as SqlExpr, Ident, ObjectName, TableAlias, TableFactor};

use crate::call::names::function_name;
use crate::host::Populace;
use crate::nodes::call::{Call, RelationFacts};
use crate::nodes::relation_function::RelationFunctionNode;
use crate::nodes::unbound_draw::UnboundDraw;
use crate::samples::lineage::facts_of;
use crate::samples::table_sample;
use crate::session::rewrite::{call, with_seed};
use crate::session::{functions, left_out};

#[derive(Debug)]
pub(crate) struct Relations(pub Arc<Populace>);

impl RelationPlanner for Relations {
    fn plan_relation(
        &self,
        mut relation: TableFactor,
        context: &mut dyn RelationPlannerContext,
    ) -> Result<RelationPlanning> {
        if !is_ours(&mut relation) {
            if let Some(name) = call(&mut relation).and_then(|(name, ..)| function_name(name)) {
                left_out::refuse(&name)?;
            }
            return Ok(RelationPlanning::Original(Box::new(relation)));
        }
        let alias = alias(&mut relation).and_then(Option::take);
        with_seed(&mut relation);
        let sql = relation.to_string();
        let mut context = Noting { context, populace: &self.0, relations: vec![] };
        let plan = plan(relation, &self.0, &mut context)?;
        let plan = written(plan, &Arc::new(Call { sql, relations: context.relations }))?;
        Ok(RelationPlanning::Planned(Box::new(PlannedRelation::new(plan, alias))))
    }
}

/// Whether a relation is a call of a table function, or a sample.
fn is_ours(relation: &mut TableFactor) -> bool {
    let is_known = |name: &ObjectName| function_name(name).is_some_and(|name| functions::named(&name).is_some());
    table_sample::clause(relation).is_some() || call(relation).is_some_and(|(name, ..)| is_known(name))
}

fn alias(relation: &mut TableFactor) -> Option<&mut Option<TableAlias>> {
    match relation {
        TableFactor::Table { alias, .. } | TableFactor::Derived { alias, .. } | TableFactor::Function { alias, .. } => {
            Some(alias)
        }
        _ => None,
    }
}

/// Plans a call of a table function, or a sample, without its alias.
///
/// # Errors
/// If it is neither, or its arguments are wrong.
pub(crate) fn plan(
    mut relation: TableFactor,
    populace: &Arc<Populace>,
    context: &mut dyn RelationPlannerContext,
) -> Result<LogicalPlan> {
    if let Some(kind) = table_sample::clause(&mut relation).and_then(Option::take) {
        return table_sample::plan(kind, relation, populace.search.clone(), context);
    }
    let numbered = matches!(relation, TableFactor::Table { with_ordinality: true, .. });
    let function = call(&mut relation).and_then(|(name, args, _)| {
        let function = functions::named(&function_name(name)?)?;
        Some((function, std::mem::take(args)))
    });
    let Some((function, args)) = function else { return plan_err!("`{relation}` is no call of a table function") };
    if numbered {
        let name = function.name;
        return plan_err!("{name}: WITH ORDINALITY is not there: number its rows with row_number() OVER ()");
    }
    (function.plan)(function.arguments(args)?, populace, context)
}

/// Tells the node that a call has become how it was written.
fn written(plan: LogicalPlan, call: &Arc<Call>) -> Result<LogicalPlan> {
    let told = plan.transform_down(|plan| {
        let LogicalPlan::Extension(extension) = &plan else { return Ok(Transformed::no(plan)) };
        let of_call = extension.node.as_any().downcast_ref::<RelationFunctionNode>();
        let of_draw = extension.node.as_any().downcast_ref::<UnboundDraw>();
        let node: Arc<dyn UserDefinedLogicalNode> = match (of_call, of_draw) {
            (Some(node), _) if node.parts().is_none() => Arc::new(node.clone().written(call.clone())),
            (_, Some(draw)) if draw.parts().is_none() => Arc::new(draw.clone().written(call.clone())),
            _ => return Ok(Transformed::no(plan)),
        };
        Ok(Transformed::new(LogicalPlan::Extension(Extension { node }), true, TreeNodeRecursion::Stop))
    });
    Ok(told?.data)
}

/// A planner that notes what is seen of the relations that a call asks it for.
struct Noting<'a> {
    context: &'a mut dyn RelationPlannerContext,
    populace: &'a Populace,
    relations: Vec<RelationFacts>,
}

impl RelationPlannerContext for Noting<'_> {
    fn context_provider(&self) -> &dyn ContextProvider {
        self.context.context_provider()
    }

    fn plan(&mut self, relation: TableFactor) -> Result<LogicalPlan> {
        let plan = self.context.plan(relation)?;
        self.relations.push(facts_of(&plan, self.populace.search.as_deref())?);
        Ok(plan)
    }

    fn sql_to_expr(&mut self, expr: SqlExpr, schema: &DFSchema) -> Result<Expr> {
        self.context.sql_to_expr(expr, schema)
    }

    fn sql_expr_to_logical_expr(&mut self, expr: SqlExpr, schema: &DFSchema) -> Result<Expr> {
        self.context.sql_expr_to_logical_expr(expr, schema)
    }

    fn normalize_ident(&self, ident: Ident) -> String {
        self.context.normalize_ident(ident)
    }

    fn object_name_to_table_reference(&self, name: ObjectName) -> Result<TableReference> {
        self.context.object_name_to_table_reference(name)
    }
}
