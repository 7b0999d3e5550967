//! Calls at work.

use std::fmt;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::common::{Result, exec_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{EquivalenceProperties, PhysicalSortExpr};
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet, MetricsSet};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, Distribution, ExecutionPlan, PlanProperties};

use super::{Input, RelationFunction, Wanted, measured};
use crate::nodes::call::Call;
use crate::nodes::properties::as_they_come;

/// A call at work: one partition.
pub(crate) struct RelationFunctionExec {
    function: Arc<dyn RelationFunction>,
    /// As it was written
    call: Option<Arc<Call>>,
    projection: Vec<usize>,
    carried: Vec<String>,
    inputs: Vec<Input>,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl RelationFunctionExec {
    pub(super) fn new(
        (function, call): (Arc<dyn RelationFunction>, Option<Arc<Call>>),
        (projection, carried): (Vec<usize>, Vec<String>),
        inputs: Vec<Input>,
        schema: SchemaRef,
    ) -> RelationFunctionExec {
        let mut equivalences = EquivalenceProperties::new(schema.clone());
        if let Some((column, options)) = function.ordering()
            && let Ok(at) = schema.index_of(column)
        {
            let expr = Arc::new(Column::new(column, at));
            equivalences.add_ordering([PhysicalSortExpr { expr, options }]);
        }
        RelationFunctionExec {
            function,
            call,
            projection,
            carried,
            inputs,
            properties: as_they_come(equivalences, 1),
            metrics: ExecutionPlanMetricsSet::new(),
        }
    }

    pub fn function(&self) -> &dyn RelationFunction {
        self.function.as_ref()
    }

    /// As it was written, and the columns that it shows and carries; `None` where nobody knows how it was written.
    pub fn parts(&self) -> Option<(&Arc<Call>, &[usize], &[String])> {
        Some((self.call.as_ref()?, &self.projection, &self.carried))
    }
}

impl fmt::Debug for RelationFunctionExec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.function.operator(), self.function.details())
    }
}

impl DisplayAs for RelationFunctionExec {
    fn fmt_as(&self, kind: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        match kind {
            DisplayFormatType::TreeRender => write!(f, "{}", self.function.details()),
            _ => write!(f, "{}: {}", self.function.operator(), self.function.details()),
        }
    }
}

impl ExecutionPlan for RelationFunctionExec {
    fn name(&self) -> &str {
        self.function.operator()
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        self.inputs.iter().map(|input| &input.physical).collect()
    }

    fn required_input_distribution(&self) -> Vec<Distribution> {
        vec![Distribution::SinglePartition; self.inputs.len()]
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false; self.inputs.len()]
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        if children.len() != self.inputs.len() {
            return exec_err!("{} has {} inputs", self.function.name(), self.inputs.len());
        }
        let inputs = self.inputs.iter().zip(children);
        let inputs = inputs.map(|(input, physical)| input.by(physical));
        Ok(Arc::new(RelationFunctionExec {
            function: self.function.clone(),
            call: self.call.clone(),
            projection: self.projection.clone(),
            carried: self.carried.clone(),
            inputs: inputs.collect(),
            properties: self.properties.clone(),
            metrics: ExecutionPlanMetricsSet::new(),
        }))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }

    fn execute(&self, partition: usize, task: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        if partition != 0 {
            return exec_err!("{} has one partition", self.function.name());
        }
        let metrics = BaselineMetrics::new(&self.metrics, partition);
        let wanted = Wanted {
            task,
            projection: self.projection.clone(),
            carried: self.carried.clone(),
            schema: self.schema(),
            inputs: self.inputs.clone(),
        };
        let rows = measured(self.function.clone().start(wanted), metrics);
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), rows)))
    }
}
