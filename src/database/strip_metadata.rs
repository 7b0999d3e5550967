//! The rows of a plan under a schema without metadata.

use std::fmt;
use std::sync::Arc;

use datafusion::arrow::array::{RecordBatch, RecordBatchOptions};
use datafusion::arrow::datatypes::{Schema, SchemaRef};
use datafusion::common::{Result, Statistics, exec_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::EquivalenceProperties;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::execution_plan::CardinalityEffect;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use futures::StreamExt;
use lance::io::exec::topk_late_materialization::TopKLateMaterialization;

use super::{Database, Snapshot};

/// Lance's scan carries the table's metadata in its schema. DataFusion drops it above asynchronous functions and then
/// finds that its plans differ, so that it is dropped here already.
#[derive(Debug)]
pub(super) struct StripMetadataExec {
    rows: Arc<dyn ExecutionPlan>,
    /// The table in the view over all of them, whose columns the rows have
    of: Option<(String, SchemaRef)>,
    /// What is read, whose files stay while it is
    read: Option<Arc<Reading>>,
    properties: Arc<PlanProperties>,
}

/// Columns of codes and numbers of a version.
#[derive(Debug)]
struct Reading {
    database: Arc<Database>,
    snapshot: Arc<Snapshot>,
    columns: Vec<String>,
}

impl StripMetadataExec {
    /// A scan of a version, and the columns of codes and numbers that it reads: it is noted that they are.
    pub fn new(
        rows: Arc<dyn ExecutionPlan>,
        database: Arc<Database>,
        snapshot: Arc<Snapshot>,
        columns: Vec<String>,
    ) -> StripMetadataExec {
        let schema = Arc::new(Schema::new(rows.schema().fields().clone()));
        let read = Some(Arc::new(Reading { database, snapshot, columns }));
        StripMetadataExec { read, ..StripMetadataExec::with_schema(rows, None, schema) }
    }

    /// Rows of a table with the names and types of a schema, under that schema.
    pub fn under(table: &str, rows: Arc<dyn ExecutionPlan>, schema: SchemaRef) -> StripMetadataExec {
        StripMetadataExec::with_schema(rows, Some((table.into(), schema.clone())), schema)
    }

    fn with_schema(
        rows: Arc<dyn ExecutionPlan>,
        table: Option<(String, SchemaRef)>,
        schema: SchemaRef,
    ) -> StripMetadataExec {
        let of = rows.properties();
        // What the rows are sorted by stays so: a sort may be put beneath.
        let ordered = of.equivalence_properties().clone().with_new_schema(schema.clone());
        let properties = PlanProperties::new(
            ordered.unwrap_or_else(|_| EquivalenceProperties::new(schema)),
            of.output_partitioning().clone(),
            of.emission_type,
            of.boundedness,
        );
        StripMetadataExec { rows, of: table, read: None, properties: Arc::new(properties) }
    }
}

/// Has `ORDER BY … LIMIT` read what it sorts by, and of the rows that are left the other columns.
pub(crate) fn late_columns() -> Arc<dyn PhysicalOptimizerRule + Send + Sync> {
    Arc::new(
        TopKLateMaterialization::new()
            .with_pass_through(|plan| plan.downcast_ref::<StripMetadataExec>().is_some_and(|b| b.of.is_none())),
    )
}

impl DisplayAs for StripMetadataExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        match &self.of {
            Some((table, _)) => write!(f, "Harmonised: table={table}"),
            None => f.write_str("StripMetadataExec"),
        }
    }
}

impl ExecutionPlan for StripMetadataExec {
    fn name(&self) -> &str {
        if self.of.is_some() { "Harmonised" } else { "StripMetadataExec" }
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.rows]
    }

    fn with_new_children(self: Arc<Self>, mut rows: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        match (rows.pop(), rows.is_empty()) {
            (Some(rows), true) => Ok(Arc::new(match &self.of {
                Some((table, schema)) => StripMetadataExec::under(table, rows, schema.clone()),
                None => {
                    let schema = Arc::new(Schema::new(rows.schema().fields().clone()));
                    StripMetadataExec { read: self.read.clone(), ..StripMetadataExec::with_schema(rows, None, schema) }
                }
            })),
            _ => exec_err!("TableScan has one input"),
        }
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn cardinality_effect(&self) -> CardinalityEffect {
        CardinalityEffect::Equal
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn partition_statistics(&self, partition: Option<usize>) -> Result<Arc<Statistics>> {
        self.rows.partition_statistics(partition)
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let schema = self.schema();
        let to: SchemaRef = schema.clone();
        let rows = self.rows.execute(partition, context)?;
        let read = self.read.clone();
        if let Some(Reading { database, snapshot, columns }) = read.as_deref() {
            database.shared.columns.note_read(snapshot.dataset.uri(), columns);
        }
        let rows = rows.map(move |batch| {
            // Held for as long as the rows are read.
            let _: &Option<Arc<Reading>> = &read;
            let batch: RecordBatch = batch?;
            let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
            Ok(RecordBatch::try_new_with_options(to.clone(), batch.columns().to_vec(), &options)?)
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, rows)))
    }
}
