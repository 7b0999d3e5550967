//! What a statement's rows will be like, for those who ask before it runs.

use std::collections::HashMap;

use datafusion::arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::{Result, plan_err};

use super::Engine;
use crate::sql::{self, Kind, Needs, Statement};

/// What a statement will be answered with.
#[derive(Debug, Clone)]
pub struct Described {
    pub schema: SchemaRef,
    /// The types of its parameters, by their names, `$1`, where they follow from what they stand beside
    pub parameters: HashMap<String, DataType>,
}

impl Engine {
    /// Plans a statement, of which nothing runs. Its parameters may have no values yet.
    ///
    /// # Errors
    /// If it has no plan, cannot be planned, or is not allowed.
    pub async fn describe(&self, statement: Statement) -> Result<Described> {
        let described = self.described(statement).await;
        described.map_err(|error| self.explained(error))
    }

    async fn described(&self, statement: Statement) -> Result<Described> {
        let Kind::Sql { statement, .. } = statement.kind else {
            return plan_err!("only statements that have a plan are described");
        };
        let mut statement = *statement;
        if let Some((executed, _)) = self.executed(&mut statement)? {
            statement = executed;
        }
        let mut writers = vec![];
        if let Some(inner) = sql::explained(&mut statement) {
            super::refuse(inner)?;
            writers = super::for_the_planner(inner)?;
        }
        let state = self.context.state();
        let plan = state.statement_to_plan(statement.clone()).await?;
        let mut needs = Needs::of_plan(&plan, self.narrator_name())?;
        needs.narrate(writers, self.narrator_name());
        let names = state.resolve_table_references(&statement)?;
        needs.name(&sql::named_tables(names, &mut statement));
        self.options.access.check(&needs, self.narrator_name())?;
        let parameters = plan.get_parameter_types()?;
        let parameters = parameters.into_iter().filter_map(|(name, kind)| Some((name, kind?))).collect();
        // Types may change while they are matched, which a parameter without one stands in the way of.
        let matched = state.analyzer().execute_and_check(plan.clone(), state.config_options(), |_, _| {});
        let schema = matched.as_ref().unwrap_or(&plan).schema().inner().clone();
        Ok(Described { schema, parameters })
    }
}
