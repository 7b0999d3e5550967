//! EXPLAIN: what a statement would do, and what its calls to models would come to. Nobody is asked, nothing is written.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, RecordBatch, StringArray};
use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::{Result, plan_err};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::logical_expr::dml::InsertOp;
use datafusion::logical_expr::{
    DdlStatement, DmlStatement, Explain, LogicalPlan, PlanType, ToStringifiedPlan, WriteOp,
};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::{StreamExt, stream};
use populace_udfs::Estimate;

use super::Engine;
use super::change::changed_columns;
use super::write::target;
use crate::sql::{Access, Command, Needs};

/// A statement that writes, in a sentence, and the query whose rows it writes.
type Writes = (String, LogicalPlan);

impl Engine {
    /// The plan of a statement, and what its calls to models would come to.
    pub(super) async fn explain(&self, mut explain: Explain) -> Result<SendableRecordBatchStream> {
        let mut said = None;
        match explain.plan.as_ref() {
            // DataFusion has no operators for these: their queries are planned, as they are when they run.
            LogicalPlan::Ddl(DdlStatement::CreateMemoryTable(create)) => {
                let or_replace = if create.or_replace { "OR REPLACE " } else { "" };
                let writes = format!("CREATE {or_replace}TABLE {}: of the rows of this query", create.name);
                said = Some((writes, create.input.as_ref().clone()));
            }
            LogicalPlan::Dml(dml) if dml.op != WriteOp::Insert(InsertOp::Append) => said = Some(writes(dml)?),
            LogicalPlan::Ddl(ddl) => return says(&format!("{}; no model is asked", ddl.display())),
            LogicalPlan::Statement(statement) => return says(&statement.display().to_string()),
            _ => {}
        }
        if let Some((_, query)) = &said {
            explain.stringified_plans = vec![query.to_stringified(PlanType::InitialLogicalPlan)];
            explain.plan = Arc::new(query.clone());
        }
        let asked = explain.plan.as_ref().clone();
        let state = self.context.state();
        let estimate = match state.create_physical_plan(&asked).await {
            Ok(plan) => populace_udfs::estimate(&plan, self.context.task_ctx()).await?,
            // EXPLAIN itself says what is wrong.
            Err(_) => None,
        };
        let rows = self.rows(LogicalPlan::Explain(explain)).await?;
        let schema = rows.schema();
        let before = said.map(|(writes, _)| row(&schema, "statement", &writes));
        let after = estimate.map(|estimate| row(&schema, "calls_to_models", &told(&estimate)));
        let rows = stream::iter(before).chain(rows).chain(stream::iter(after));
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, rows)))
    }

    /// What a statement about a table as a whole would do.
    pub(super) fn explain_command(&self, command: &Command, access: &Access) -> Result<SendableRecordBatchStream> {
        access.check(&Needs::of_command(command), self.narrator_name())?;
        if !matches!(command, Command::Undrop { .. }) {
            self.known(command.table())?;
        }
        says(&format!("{command}: {}; no model is asked", command.does()))
    }
}

/// What a statement that changes a table does.
fn writes(dml: &DmlStatement) -> Result<Writes> {
    let table = &dml.table_name;
    let Some(own) = target(dml) else {
        return plan_err!("{table} cannot be changed: it is no table of the database");
    };
    own.writable()?;
    let writes = match dml.op {
        WriteOp::Update => {
            let columns = changed_columns(&dml.input).join(", ");
            format!("UPDATE {table}: {columns} of the rows of this query, in one commit")
        }
        WriteOp::Delete => format!("DELETE FROM {table}: the rows of this query"),
        WriteOp::Truncate => format!("TRUNCATE {table}: all rows, in one commit"),
        WriteOp::Insert(InsertOp::Replace) => {
            format!("REPLACE INTO {table}: the rows of this query by their uuid, in one commit")
        }
        WriteOp::Insert(InsertOp::Append) => format!("INSERT INTO {table}: the rows of this query"),
        WriteOp::Insert(InsertOp::Overwrite) => {
            return plan_err!("INSERT OVERWRITE is not supported: CREATE OR REPLACE TABLE {table} AS … is");
        }
        WriteOp::Ctas => format!("CREATE TABLE {table}: of the rows of this query"),
    };
    Ok((writes, dml.input.as_ref().clone()))
}

/// A row of EXPLAIN that says what a statement without a plan does.
pub(super) fn says(text: &str) -> Result<SendableRecordBatchStream> {
    let fields = ["plan_type", "plan"].map(|name| Field::new(name, DataType::Utf8, false));
    let schema = Arc::new(Schema::new(fields.to_vec()));
    let row = row(&schema, "statement", text);
    Ok(Box::pin(RecordBatchStreamAdapter::new(schema, stream::iter([row]))))
}

fn row(schema: &Arc<Schema>, what: &str, text: &str) -> Result<RecordBatch> {
    let columns = [what, text].map(|t| Arc::new(StringArray::from(vec![t])) as ArrayRef);
    Ok(RecordBatch::try_new(schema.clone(), columns.to_vec())?)
}

fn told(estimate: &Estimate) -> String {
    let Estimate { calls, known, prompt_tokens, completion_tokens, cost_usd, sampled, .. } = estimate;
    let about = if *sampled { "about " } else { "" };
    let cost = match cost_usd {
        Some(cost) => format!("about {cost:.4} US dollars"),
        None if *calls == 0 => "nothing to pay".into(),
        None => "no price known: name a file of prices with --prices".into(),
    };
    format!(
        "{about}{calls} to be made, {known} answered already\nabout {prompt_tokens} tokens asked, {completion_tokens} answered\n{cost}"
    )
}
