//! EXPLAIN: what a statement would do, and what its calls to models would come to. Nobody is asked, nothing is written.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, RecordBatch, StringArray};
use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::catalog::TableProvider;
use datafusion::common::{Column, Result, plan_err};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::logical_expr::dml::InsertOp;
use datafusion::logical_expr::{
    DdlStatement, DmlStatement, Explain, Expr, LogicalPlan, LogicalPlanBuilder, PlanType, ToStringifiedPlan, WriteOp,
};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::prelude::DataFrame;
use futures::{StreamExt, TryStreamExt, stream};
use populace_udfs::Estimate;

use super::Engine;
use super::change::changed_columns;
use super::write::target;
use crate::database::{BYTES_OF_TOKEN, embedded_narrative, is_narrative, texts_of};
use crate::sql::{Access, Command, Needs};

/// Rows whose texts are read.
const SAMPLE: usize = 1_000;

/// A statement that writes, in a sentence, and the query whose rows it writes.
type Writes = (String, LogicalPlan);

impl Engine {
    /// The plan of a statement, and what its calls to models would come to.
    pub(super) async fn explain(&self, mut explain: Explain) -> Result<SendableRecordBatchStream> {
        let mut said = None;
        let written = self.embedded_texts(&explain.plan);
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
        let mut estimate = match state.create_physical_plan(&asked).await {
            Ok(plan) => {
                let estimate = populace_udfs::estimate(&plan, self.context.task_ctx()).await?;
                self.with_embedded(estimate, &plan).await?
            }
            // EXPLAIN itself says what is wrong.
            Err(_) => None,
        };
        if let Some((query, texts)) = written {
            estimate = self.with_vectors(estimate, query, &texts).await?;
        }
        let rows = self.rows(LogicalPlan::Explain(explain)).await?;
        let schema = rows.schema();
        let before = said.map(|(writes, _)| row(&schema, "statement", &writes));
        let after = estimate.map(|estimate| row(&schema, "calls_to_models", &told(&estimate)));
        let rows = stream::iter(before).chain(rows).chain(stream::iter(after));
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, rows)))
    }

    /// What it would take with the vectors of texts that the plan has embedded itself, by a model behind a server.
    async fn with_embedded(
        &self,
        estimate: Option<Estimate>,
        plan: &Arc<dyn ExecutionPlan>,
    ) -> Result<Option<Estimate>> {
        if self.database.embedder().asks().is_none() {
            return Ok(estimate);
        }
        let texts = populace_udfs::embedded(plan, self.context.task_ctx()).await?;
        if texts.count == 0 {
            return Ok(estimate);
        }
        let mut total = estimate.unwrap_or_default();
        self.database.embedder().estimate(texts.count, texts.bytes, &mut total)?;
        Ok(Some(total))
    }

    /// The query whose rows a statement writes, and those of its columns that get vectors of a model behind a server.
    fn embedded_texts(&self, plan: &LogicalPlan) -> Option<(LogicalPlan, Vec<String>)> {
        self.database.embedder().asks()?;
        let (query, texts): (&LogicalPlan, Vec<String>) = match plan {
            LogicalPlan::Ddl(DdlStatement::CreateMemoryTable(create)) => {
                let fields = create.input.schema().fields().iter();
                (&create.input, fields.filter(|f| is_narrative(f)).map(|f| f.name().clone()).collect())
            }
            LogicalPlan::Dml(dml) if matches!(dml.op, WriteOp::Insert(_)) => {
                let table = target(dml)?.schema();
                let embedded = table.fields().iter().filter_map(|f| embedded_narrative(f));
                let come = |name: &&str| dml.input.schema().has_column_with_unqualified_name(name);
                (&dml.input, embedded.filter(come).map(String::from).collect())
            }
            _ => return None,
        };
        (!texts.is_empty()).then(|| (query.clone(), texts))
    }

    /// What it would take with the vectors of these columns. The texts of some rows are read where no model writes them;
    /// else their tokens are those of the answers.
    async fn with_vectors(
        &self,
        estimate: Option<Estimate>,
        query: LogicalPlan,
        texts: &[String],
    ) -> Result<Option<Estimate>> {
        let mut total = estimate.unwrap_or_default();
        let (mut count, mut bytes) = (0, 0);
        if total.calls + total.known == 0 {
            let columns = texts.iter().map(|name| Expr::Column(Column::from_name(name)));
            let people = DataFrame::new(self.context.state(), query.clone()).count().await?;
            let some = LogicalPlanBuilder::from(query).project(columns)?.limit(0, Some(SAMPLE))?.build()?;
            let mut rows = self.rows(some).await?;
            while let Some(batch) = rows.try_next().await? {
                let (more, of_bytes) = texts_of(&batch)?;
                (count, bytes) = (count + more, bytes + of_bytes);
            }
            if people > SAMPLE {
                let scale = |number: u64| (number as f64 * people as f64 / SAMPLE as f64).round() as u64;
                (count, bytes, total.sampled) = (scale(count), scale(bytes), true);
            }
        } else {
            // An answer has one text at least.
            count = total.calls + total.known;
            bytes = total.completion_tokens * BYTES_OF_TOKEN;
        }
        let any = self.database.embedder().estimate(count, bytes, &mut total)?;
        Ok(any.then_some(total))
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
