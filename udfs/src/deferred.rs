//! Calls of table functions whose rows are found out about when they run, so that EXPLAIN runs nothing.

use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{Result, exec_err};
use datafusion::execution::session_state::SessionState;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_expr::EquivalenceProperties;
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties};
use futures::stream::BoxStream;
use futures::{StreamExt, stream};

/// One call of a table function.
pub(crate) trait Deferred: fmt::Debug + Send + Sync + 'static {
    /// What EXPLAIN calls its operator
    const OPERATOR: &'static str;

    /// The function, as errors name it.
    fn function(&self) -> &'static str;

    fn schema(&self) -> SchemaRef;

    /// What EXPLAIN shows of it.
    fn details(&self) -> String;

    /// Runs it: batches of the columns that are wanted.
    fn start(self: Arc<Self>, wanted: Wanted) -> BoxStream<'static, Result<RecordBatch>>;
}

/// What is wanted of a call, and what it may use.
pub(crate) struct Wanted {
    pub state: Arc<SessionState>,
    pub task: Arc<TaskContext>,
    /// The columns, by their places
    pub projection: Vec<usize>,
    /// Of these columns
    pub schema: SchemaRef,
}

/// The columns that are wanted of a call that comes to one batch.
pub(crate) fn columns_of(
    batch: impl Future<Output = Result<RecordBatch>> + Send + 'static,
    projection: Vec<usize>,
) -> BoxStream<'static, Result<RecordBatch>> {
    stream::once(async move { Ok(batch.await?.project(&projection)?) }).boxed()
}

/// A call, as a table.
pub(crate) fn table(call: impl Deferred) -> Arc<dyn TableProvider> {
    Arc::new(DeferredTable { schema: call.schema(), call: Arc::new(call) })
}

/// The call that a table is of, if it is one of these.
pub(crate) fn call<C: Deferred>(table: &Arc<dyn TableProvider>) -> Option<&C> {
    table.downcast_ref::<DeferredTable<C>>().map(|table| table.call.as_ref())
}

#[derive(Debug)]
struct DeferredTable<C> {
    call: Arc<C>,
    schema: SchemaRef,
}

#[async_trait]
impl<C: Deferred> TableProvider for DeferredTable<C> {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Temporary
    }

    async fn scan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        _: &[Expr],
        _: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let Some(state) = session.as_any().downcast_ref::<SessionState>() else {
            return exec_err!("{}: this session cannot plan while it runs", self.call.function());
        };
        let (call, state) = (self.call.clone(), Arc::new(state.clone()));
        let projection = projection.cloned().unwrap_or_else(|| (0..self.schema.fields().len()).collect());
        let schema = Arc::new(self.schema.project(&projection)?);
        let (details, of_columns) = (call.details(), schema.clone());
        let start = move |task| {
            let (state, projection, schema) = (state.clone(), projection.clone(), of_columns.clone());
            call.clone().start(Wanted { state, task, projection, schema })
        };
        Ok(Arc::new(DeferredExec::new(C::OPERATOR, details, schema, start)))
    }
}

type Start = dyn Fn(Arc<TaskContext>) -> BoxStream<'static, Result<RecordBatch>> + Send + Sync;

/// A leaf of one partition that plans and runs what it needs only when it is executed.
struct DeferredExec {
    name: &'static str,
    details: String,
    start: Box<Start>,
    properties: Arc<PlanProperties>,
}

impl DeferredExec {
    /// `details` are what EXPLAIN shows; `start` gives batches of the schema.
    fn new(
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
