//! UPDATE, DELETE and TRUNCATE: statements that change rows where they are.

use std::sync::Arc;

use datafusion::catalog::default_table_source::DefaultTableSource;
use datafusion::common::{Column, Result, plan_err};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::logical_expr::{DmlStatement, Expr, LogicalPlan, LogicalPlanBuilder, WriteOp, col};
use datafusion::sql::TableReference;
use datafusion::sql::parser::Statement;

use super::Engine;
use super::write::{narrates, own_columns, target};
use crate::database::{Changed, ROW_ADDRESS, Table, counted};
use crate::packs;

impl Engine {
    /// UPDATE, DELETE and TRUNCATE. DataFusion would hand a table the filters alone, less those that its optimizer
    /// turned into joins; here the rows that the statement reaches are a query like any other, for their addresses.
    pub(super) async fn change(&self, dml: &DmlStatement, statement: Statement) -> Result<SendableRecordBatchStream> {
        let Some(table) = target(dml) else {
            return plan_err!("{} cannot be changed: it is no table of the database", dml.table_name);
        };
        let writer = self.database.write(table.writable()?).await?;
        // Planned again, now that nobody else writes: what it reads is the newest version.
        let LogicalPlan::Dml(dml) = self.context.state().statement_to_plan(statement).await? else {
            return plan_err!("the table {} changed while the statement was planned; run it again", writer.name());
        };
        let Some(table) = target(&dml) else {
            return plan_err!("{} cannot be changed: it is no table of the database", dml.table_name);
        };
        let source = Arc::new(table.with_addresses());
        let count = match (&dml.op, dml.input.as_ref()) {
            (WriteOp::Truncate, _) | (WriteOp::Delete, LogicalPlan::TableScan(_)) => writer.delete_all().await?,
            (WriteOp::Update, LogicalPlan::Projection(projection)) => {
                let changed = changed_columns(&dml.input);
                let by = narrates(&dml.input)?.then(|| self.narrator_name());
                // The column says who wrote the texts that the pack has; those of one's own are not among them.
                let texts = changed.iter().any(|c| packs::is_narrative(c));
                let narrator = by.filter(|_| texts && !changed.iter().any(|c| c == "narrator"));
                let (rows, address) = with_addresses(&projection.input, source)?;
                let fields = projection.schema.fields().iter();
                let values = projection.expr.iter().zip(fields).filter(|(_, f)| changed.contains(f.name()));
                let values = values.map(|(e, f)| e.clone().unalias().alias(f.name()));
                let rows = LogicalPlanBuilder::from(rows).project(values.chain([address.alias(ROW_ADDRESS)]))?;
                // A table that is read whole comes in its order.
                let (rows, changes) = match reads_all(&projection.input) {
                    true => (rows.build()?, Changed::All),
                    false => (rows.sort([col(ROW_ADDRESS).sort(true, false)])?.build()?, Changed::Some),
                };
                let updated = writer.update(self.rows(rows).await?, changes, narrator).await?;
                if let Some(by) = by {
                    self.noted(writer.name(), writer.note_writer(&own_columns(&dml.input), by)).await;
                }
                updated
            }
            (_, input) => {
                let predicate = match input {
                    LogicalPlan::Filter(filter) => filter.predicate.to_string(),
                    _ => String::new(),
                };
                let (rows, address) = with_addresses(input, source)?;
                let rows = LogicalPlanBuilder::from(rows).project([address])?.build()?;
                writer.delete(self.rows(rows).await?, predicate).await?
            }
        };
        counted(count)
    }

    /// Rows of a table of the database with their addresses, in the order of these.
    ///
    /// # Errors
    /// If there is no such table, or it cannot be read.
    pub(crate) async fn rows_with_addresses(&self, table: &str, predicate: Expr) -> Result<SendableRecordBatchStream> {
        let provider = self.context.table_provider(TableReference::bare(table)).await?;
        let Some(table) = provider.downcast_ref::<Table>() else {
            return plan_err!("{table} is no table of the database");
        };
        let rows = self.context.read_table(Arc::new(table.with_addresses()))?.filter(predicate)?;
        rows.sort(vec![col(ROW_ADDRESS).sort(true, false)])?.execute_stream().await
    }
}

/// The rows that an UPDATE or DELETE reaches, read from `source` instead of the table that it names, and the column of
/// their addresses.
fn with_addresses(plan: &LogicalPlan, source: Arc<Table>) -> Result<(LogicalPlan, Expr)> {
    let rows = reading(plan, source)?;
    let (qualifier, _) = rows.schema().qualified_field_with_unqualified_name(ROW_ADDRESS)?;
    let address = Expr::Column(Column::new(qualifier.cloned(), ROW_ADDRESS));
    Ok((rows, address))
}

fn reading(plan: &LogicalPlan, source: Arc<Table>) -> Result<LogicalPlan> {
    match plan {
        LogicalPlan::TableScan(scan) => {
            let source = Arc::new(DefaultTableSource::new(source));
            let (name, filters) = (scan.table_name.clone(), scan.filters.clone());
            LogicalPlanBuilder::scan_with_filters(name, source, None, filters)?.build()
        }
        LogicalPlan::Filter(filter) => {
            let rows = reading(&filter.input, source)?;
            LogicalPlanBuilder::from(rows).filter(filter.predicate.clone())?.build()
        }
        LogicalPlan::SubqueryAlias(alias) => {
            LogicalPlanBuilder::from(reading(&alias.input, source)?).alias(alias.alias.clone())?.build()
        }
        other => plan_err!("rows that come by way of {} cannot be changed", other.display()),
    }
}

/// Whether a plan has all rows of the table that it reads, as they are.
fn reads_all(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::TableScan(scan) => scan.filters.is_empty() && scan.fetch.is_none(),
        LogicalPlan::SubqueryAlias(alias) => reads_all(&alias.input),
        _ => false,
    }
}

/// The columns that an UPDATE assigns: those that its projection does not merely pass on.
pub(super) fn changed_columns(input: &LogicalPlan) -> Vec<String> {
    let LogicalPlan::Projection(projection) = input else { return Vec::new() };
    let names = projection.schema.fields().iter().map(|f| f.name());
    let passed = |e: &Expr, name: &str| matches!(e.clone().unalias(), Expr::Column(c) if c.name == name);
    projection.expr.iter().zip(names).filter(|(e, n)| !passed(e, n)).map(|(_, n)| n.clone()).collect()
}
