//! Planning a call again, in a session where the relations of its are not: by its SQL, and what was seen of them.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::datatypes::DataType;
use datafusion::common::config::ConfigOptions;
use datafusion::common::{DFSchema, Result, plan_datafusion_err, plan_err};
use datafusion::execution::{SessionStateDefaults, TaskContext};
use datafusion::logical_expr::planner::{
    ContextProvider, ExprPlanner, PlannedRelation, RelationPlanner, RelationPlannerContext, RelationPlanning,
};
use datafusion::logical_expr::{
    AggregateUDF, Expr, Extension, HigherOrderUDF, LogicalPlan, ScalarUDF, TableSource, WindowUDF,
};
use datafusion::sql::TableReference;
use datafusion::sql::planner::{ParserOptions, SqlToRel};
use datafusion::sql::sqlparser::ast::{
    Expr as SqlExpr, Ident, ObjectName, TableFactor, Value as SqlValue, visit_expressions_mut,
};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::Parser;

use crate::host::Populace;
use crate::nodes::call::{Call, KnownRelation, RelationFacts};
use crate::session::relations;

/// Plans a call as it was planned before, over relations of which nothing is there but what was seen of them.
///
/// # Errors
/// If it is no call, or cannot be planned with what this session has.
pub(crate) fn replay(call: &Call, populace: &Arc<Populace>, task: &TaskContext) -> Result<LogicalPlan> {
    let wrong = |e: &dyn std::fmt::Display| plan_datafusion_err!("`{}` is no call of a table function: {e}", call.sql);
    let statements =
        Parser::parse_sql(&GenericDialect {}, &format!("SELECT * FROM {}", call.sql)).map_err(|e| wrong(&e))?;
    let replaying = Arc::new(Replaying {
        populace: populace.clone(),
        relations: Mutex::new(call.relations.iter().cloned().collect()),
        planned: Mutex::default(),
    });
    let session = Session {
        task,
        expr_planners: SessionStateDefaults::default_expr_planners(),
        relation_planners: vec![replaying.clone()],
    };
    let options = ParserOptions::from(&session.options().sql_parser);
    let [statement] = <[_; 1]>::try_from(statements).map_err(|all| wrong(&format!("{} statements", all.len())))?;
    SqlToRel::new_with_options(&session, options).sql_statement_to_plan(statement)?;
    let planned = replaying.planned.lock().unwrap_or_else(PoisonError::into_inner).take();
    planned.ok_or_else(|| wrong(&"nothing was planned"))
}

/// Plans the one call that there is.
#[derive(Debug)]
struct Replaying {
    populace: Arc<Populace>,
    /// Those that were not asked for yet
    relations: Mutex<VecDeque<RelationFacts>>,
    planned: Mutex<Option<LogicalPlan>>,
}

impl RelationPlanner for Replaying {
    fn plan_relation(
        &self,
        relation: TableFactor,
        context: &mut dyn RelationPlannerContext,
    ) -> Result<RelationPlanning> {
        let mut context = Known { context, relations: &self.relations };
        let plan = relations::plan(relation, &self.populace, &mut context)?;
        *self.planned.lock().unwrap_or_else(PoisonError::into_inner) = Some(plan.clone());
        Ok(RelationPlanning::Planned(Box::new(PlannedRelation::new(plan, None))))
    }
}

/// A planner that has for each relation, in the order in which they were asked for before, what was seen of it.
struct Known<'a> {
    context: &'a mut dyn RelationPlannerContext,
    relations: &'a Mutex<VecDeque<RelationFacts>>,
}

impl RelationPlannerContext for Known<'_> {
    fn context_provider(&self) -> &dyn ContextProvider {
        self.context.context_provider()
    }

    fn plan(&mut self, relation: TableFactor) -> Result<LogicalPlan> {
        match self.relations.lock().unwrap_or_else(PoisonError::into_inner).pop_front() {
            Some(facts) => Ok(LogicalPlan::Extension(Extension { node: Arc::new(KnownRelation(facts)) })),
            None => plan_err!("nothing is known of `{relation}`"),
        }
    }

    fn sql_to_expr(&mut self, expr: SqlExpr, schema: &DFSchema) -> Result<Expr> {
        self.context.sql_to_expr(without_queries(expr), schema)
    }

    fn sql_expr_to_logical_expr(&mut self, expr: SqlExpr, schema: &DFSchema) -> Result<Expr> {
        self.context.sql_expr_to_logical_expr(without_queries(expr), schema)
    }

    fn normalize_ident(&self, ident: Ident) -> String {
        self.context.normalize_ident(ident)
    }

    fn object_name_to_table_reference(&self, name: ObjectName) -> Result<TableReference> {
        self.context.object_name_to_table_reference(name)
    }
}

/// An expression of the same type: its queries are of tables that are not here. What it says of rows stands in inputs,
/// which come as they were planned before.
fn without_queries(mut expr: SqlExpr) -> SqlExpr {
    let _: ControlFlow<()> = visit_expressions_mut(&mut expr, |expr| {
        match expr {
            SqlExpr::Subquery(_) => *expr = SqlExpr::value(SqlValue::Null),
            SqlExpr::InSubquery { .. } | SqlExpr::Exists { .. } => *expr = SqlExpr::value(SqlValue::Boolean(true)),
            _ => {}
        }
        ControlFlow::Continue(())
    });
    expr
}

/// What planning a call asks of a session: its functions and settings, and no table.
struct Session<'a> {
    task: &'a TaskContext,
    expr_planners: Vec<Arc<dyn ExprPlanner>>,
    relation_planners: Vec<Arc<dyn RelationPlanner>>,
}

impl ContextProvider for Session<'_> {
    fn get_table_source(&self, name: TableReference) -> Result<Arc<dyn TableSource>> {
        plan_err!("table '{name}' not found")
    }

    fn get_expr_planners(&self) -> &[Arc<dyn ExprPlanner>] {
        &self.expr_planners
    }

    fn get_relation_planners(&self) -> &[Arc<dyn RelationPlanner>] {
        &self.relation_planners
    }

    fn get_function_meta(&self, name: &str) -> Option<Arc<ScalarUDF>> {
        self.task.scalar_functions().get(name).cloned()
    }

    fn get_higher_order_meta(&self, name: &str) -> Option<Arc<HigherOrderUDF>> {
        self.task.higher_order_functions().get(name).cloned()
    }

    fn get_aggregate_meta(&self, name: &str) -> Option<Arc<AggregateUDF>> {
        self.task.aggregate_functions().get(name).cloned()
    }

    fn get_window_meta(&self, name: &str) -> Option<Arc<WindowUDF>> {
        self.task.window_functions().get(name).cloned()
    }

    fn get_variable_type(&self, _: &[String]) -> Option<DataType> {
        None
    }

    fn options(&self) -> &ConfigOptions {
        self.task.session_config().options()
    }

    fn udf_names(&self) -> Vec<String> {
        self.task.scalar_functions().keys().cloned().collect()
    }

    fn higher_order_function_names(&self) -> Vec<String> {
        self.task.higher_order_functions().keys().cloned().collect()
    }

    fn udaf_names(&self) -> Vec<String> {
        self.task.aggregate_functions().keys().cloned().collect()
    }

    fn udwf_names(&self) -> Vec<String> {
        self.task.window_functions().keys().cloned().collect()
    }
}
