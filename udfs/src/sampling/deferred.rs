//! An operator whose rows are found out about when it runs.

use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::common::{Result, exec_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::EquivalenceProperties;
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties};
use futures::stream::BoxStream;

type Start = dyn Fn(Arc<TaskContext>) -> BoxStream<'static, Result<RecordBatch>> + Send + Sync;

/// A leaf of one partition that plans and runs what it needs only when it is executed, so that EXPLAIN runs nothing.
pub(crate) struct DeferredExec {
    name: &'static str,
    details: String,
    start: Box<Start>,
    properties: Arc<PlanProperties>,
}

impl DeferredExec {
    /// `details` are what EXPLAIN shows; `start` gives batches of the schema.
    pub fn new(
        name: &'static str,
        details: String,
        schema: SchemaRef,
        start: impl Fn(Arc<TaskContext>) -> BoxStream<'static, Result<RecordBatch>> + Send + Sync + 'static,
    ) -> DeferredExec {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(schema),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        DeferredExec { name, details, start: Box::new(start), properties: Arc::new(properties) }
    }
}

impl fmt::Debug for DeferredExec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.details)
    }
}

impl DisplayAs for DeferredExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.details)
    }
}

impl ExecutionPlan for DeferredExec {
    fn name(&self) -> &str {
        self.name
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![]
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        if children.is_empty() { Ok(self) } else { exec_err!("{} has no inputs", self.name) }
    }

    fn execute(&self, _: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), (self.start)(context))))
    }
}
