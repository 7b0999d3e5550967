//! Calls to a narrator within a statement: a window of rows in work at once, as `narrate` has it for whole people.
//!
//! DataFusion's own operator waits for all rows of a batch before it begins the next, and for one call of a row before
//! the next call: the slowest answer of each batch leaves an endpoint idle.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow::array::{ArrayRef, RecordBatch, new_null_array};
use arrow::compute::concat_batches;
use arrow::datatypes::DataType;
use datafusion::common::config::ConfigOptions;
use datafusion::common::{DataFusionError, Result, exec_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::ScalarFunctionArgs;
use datafusion::physical_expr::async_scalar_function::AsyncFuncExpr;
use datafusion::physical_expr::{PhysicalExpr, ScalarFunctionExpr};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::async_func::AsyncFuncExec;
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::execution_plan::CardinalityEffect;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::limit::{GlobalLimitExec, LocalLimitExec};
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet, MetricsSet, RecordOutput};
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::stream::RecordBatchReceiverStream;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties, with_new_children_if_necessary,
};
use futures::future::{ready, try_join_all};
use futures::{StreamExt, TryStreamExt, stream};
use tokio::sync::Semaphore;

use crate::host::Narrators;
use crate::host::narrator::for_statement;
use crate::host::narrator::{NarrativeRequest, Narrator};
use crate::narratives::generate_narrative::{NAME, NarrativeOrError, TRY_NAME, outcomes, requests, texts, write};
use crate::narratives::narrate::{Missing, OnOutage, Outage};

/// Rows that leave together, if so many are ready.
const ROWS_PER_BATCH: usize = 64;

/// Puts [`NarrateCalls`] where DataFusion planned its own operator for calls to a narrator.
#[derive(Debug)]
pub(crate) struct PlanCalls(pub Narrators);

impl PhysicalOptimizerRule for PlanCalls {
    fn name(&self) -> &str {
        "narrate_calls"
    }

    fn schema_check(&self) -> bool {
        true
    }

    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        if self.0.is_empty() {
            return Ok(plan);
        }
        let narrator = self.0.get(None)?;
        let window = narrator.window();
        // A narrator that calls nobody gains nothing.
        if window <= 1 {
            return Ok(plan);
        }
        placed(plan, &narrator, None)
    }
}

/// `enough` rows end whoever takes them of this plan.
fn placed(
    plan: Arc<dyn ExecutionPlan>,
    narrator: &Arc<dyn Narrator>,
    enough: Option<usize>,
) -> Result<Arc<dyn ExecutionPlan>> {
    let enough = match (plan.fetch(), enough) {
        (Some(fetch), Some(enough)) => Some(fetch.min(enough)),
        (fetch, enough) => fetch.or(enough),
    };
    // Those that pass rows on as they come, perhaps not all of them.
    let passes = is_round_robin(&plan)
        || plan.is::<FilterExec>()
        || plan.is::<ProjectionExec>()
        || plan.is::<GlobalLimitExec>()
        || plan.is::<LocalLimitExec>()
        || plan.is::<CoalescePartitionsExec>()
        || plan.is::<CooperativeExec>()
        || plan.is::<AsyncFuncExec>();
    let of_child = if passes { enough } else { None };
    let children = plan.children();
    let plan = match children.is_empty() {
        true => plan,
        false => {
            let children = children.into_iter().map(|child| placed(child.clone(), narrator, of_child));
            let mut children = children.collect::<Result<Vec<_>>>()?;
            // It would take all rows, whoever needs them.
            if is_round_robin(&plan) && children.iter().all(|child| child.is::<NarrateCalls>()) {
                return Ok(children.swap_remove(0));
            }
            with_new_children_if_necessary(plan, children)?
        }
    };
    let calls = plan.downcast_ref::<AsyncFuncExec>().filter(|n| n.async_exprs().iter().all(|e| narrates(e)));
    match calls {
        Some(calls) => Ok(Arc::new(NarrateCalls::new(calls, narrator).until(enough))),
        None => Ok(plan),
    }
}

fn is_round_robin(plan: &Arc<dyn ExecutionPlan>) -> bool {
    let repartition = plan.downcast_ref::<RepartitionExec>();
    repartition.is_some_and(|r| matches!(r.partitioning(), Partitioning::RoundRobinBatch(_)))
}

fn narrates(call: &AsyncFuncExpr) -> bool {
    let function = call.func.downcast_ref::<ScalarFunctionExpr>().map(|f| f.fun().name());
    function.is_some_and(|name| name == NAME || name == TRY_NAME)
}

/// Adds a column for each call; rows leave in their order.
#[derive(Debug)]
pub(crate) struct NarrateCalls {
    calls: Vec<Arc<AsyncFuncExpr>>,
    input: Arc<dyn ExecutionPlan>,
    narrator: Arc<dyn Narrator>,
    /// Rows with which whoever takes them may be content
    pub enough: Option<usize>,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl NarrateCalls {
    /// The calls of an operator of DataFusion's, by a narrator.
    pub fn new(planned: &AsyncFuncExec, narrator: &Arc<dyn Narrator>) -> NarrateCalls {
        NarrateCalls {
            calls: planned.async_exprs().to_vec(),
            input: planned.input().clone(),
            narrator: narrator.clone(),
            enough: None,
            properties: planned.properties().clone(),
            metrics: ExecutionPlanMetricsSet::new(),
        }
    }

    pub fn input(&self) -> &Arc<dyn ExecutionPlan> {
        &self.input
    }

    pub fn narrator(&self) -> &Arc<dyn Narrator> {
        &self.narrator
    }

    pub fn calls(&self) -> &[Arc<AsyncFuncExpr>] {
        &self.calls
    }

    /// Where so many rows may be enough.
    pub fn until(self, enough: Option<usize>) -> NarrateCalls {
        NarrateCalls { enough, ..self }
    }

    /// For each call, what is asked for and the facts, as columns of these rows.
    pub fn arguments(
        &self,
        rows: &RecordBatch,
        options: &Arc<ConfigOptions>,
    ) -> Result<Vec<(ArrayRef, Vec<ArrayRef>)>> {
        let functions = self.calls.iter().filter_map(|c| c.func.downcast_ref::<ScalarFunctionExpr>());
        let columns = functions.map(|function| {
            let args = arguments(function, rows, options)?;
            let mut columns = args.args.iter().map(|a| a.to_array(rows.num_rows()));
            let what = columns.next().transpose()?.unwrap_or_else(|| new_null_array(&DataType::Utf8, rows.num_rows()));
            // After the names of the facts.
            Ok((what, columns.skip(1).collect::<Result<_>>()?))
        });
        columns.collect()
    }

    /// What the calls would ask for about these rows: for each row and call.
    pub fn asked(&self, rows: &RecordBatch, options: &Arc<ConfigOptions>) -> Result<Vec<Vec<NarrativeRequest>>> {
        let functions = self.calls.iter().filter_map(|c| c.func.downcast_ref::<ScalarFunctionExpr>());
        let asked = functions.map(|function| {
            let args = arguments(function, rows, options)?;
            Ok(requests(self.narrator.as_ref(), &args)?.requests)
        });
        asked.collect()
    }
}

fn arguments(
    function: &ScalarFunctionExpr,
    rows: &RecordBatch,
    options: &Arc<ConfigOptions>,
) -> Result<ScalarFunctionArgs> {
    let fields = function.args().iter().map(|a| a.return_field(rows.schema_ref()));
    Ok(ScalarFunctionArgs {
        args: function.args().iter().map(|a| a.evaluate(rows)).collect::<Result<Vec<_>>>()?,
        arg_fields: fields.collect::<Result<Vec<_>>>()?,
        number_rows: rows.num_rows(),
        return_field: function.return_field(rows.schema_ref())?,
        config_options: options.clone(),
    })
}

impl DisplayAs for NarrateCalls {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        let calls: Vec<String> = self.calls.iter().map(ToString::to_string).collect();
        write!(f, "NarrateCalls: narrator={}, calls=[{}]", self.narrator.name(), calls.join(", "))
    }
}

impl ExecutionPlan for NarrateCalls {
    fn name(&self) -> &str {
        "NarrateCalls"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        let [input] = &children[..] else { return exec_err!("NarrateCalls has one input") };
        let planned = AsyncFuncExec::try_new(self.calls.clone(), input.clone())?;
        Ok(Arc::new(NarrateCalls::new(&planned, &self.narrator).until(self.enough)))
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn cardinality_effect(&self) -> CardinalityEffect {
        CardinalityEffect::Equal
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let rows = self.input.execute(partition, context.clone())?;
        let (calls, schema, window) = (Arc::new(self.calls.clone()), self.schema(), self.narrator.window());
        let options = context.session_config().options().clone();
        let narrator = for_statement(self.narrator.clone(), &options);
        let on_outage = if narrator.stops() { OnOutage::Stop } else { OnOutage::Tell };
        let metrics = BaselineMetrics::new(&self.metrics, partition);
        // Where few rows may be enough, so many are asked for first; each that leaves lets two more be asked for.
        let open = self.enough.map(|enough| Arc::new(Semaphore::new(enough.clamp(1, Semaphore::MAX_PERMITS))));
        let buffer = if open.is_some() { 1 } else { 2 };
        let mut builder = RecordBatchReceiverStream::builder(self.schema(), buffer);
        let sender = builder.tx();
        // In a task of its own, so that calls go on while whoever takes the rows is busy. It ends with the stream.
        builder.spawn(async move {
            let (to, asking) = (schema.clone(), open.clone());
            let stopped = AtomicBool::new(false);
            let written = rows
                .map_ok(|batch| {
                    stream::iter((0..batch.num_rows()).map(move |i| Ok::<_, DataFusionError>(batch.slice(i, 1))))
                })
                .try_flatten()
                .take_while(|_| ready(!stopped.load(Ordering::Relaxed)))
                .map(|row: Result<RecordBatch>| {
                    let (narrator, calls, options, to) = (narrator.clone(), calls.clone(), options.clone(), to.clone());
                    let asking = asking.clone();
                    async move {
                        let row = row?;
                        if let Some(asking) = asking
                            && let Ok(permit) = asking.acquire().await
                        {
                            permit.forget();
                        }
                        let texts = calls.iter().map(|c| call(c, &narrator, &row, &options, on_outage));
                        let (columns, written): (Vec<ArrayRef>, Vec<Vec<NarrativeOrError>>) =
                            try_join_all(texts).await?.into_iter().unzip();
                        let columns = row.columns().iter().cloned().chain(columns).collect();
                        Ok::<_, DataFusionError>((RecordBatch::try_new(to, columns)?, written))
                    }
                })
                .buffered(window);
            let mut written = Box::pin(written.ready_chunks(ROWS_PER_BATCH));
            let mut missing = Missing::default();
            while let Some(rows) = written.next().await {
                let (mut batches, mut failed) = (vec![], None);
                for row in rows {
                    match row {
                        Ok((row, texts)) if failed.is_none() => {
                            texts.iter().for_each(|texts| missing.count(texts));
                            batches.push(row);
                        }
                        Ok(_) => {}
                        Err(error) => failed = failed.or(Some(error)),
                    }
                }
                if !batches.is_empty() {
                    let batch = concat_batches(&schema, &batches).map_err(DataFusionError::from);
                    let left: usize = batches.iter().map(RecordBatch::num_rows).sum();
                    if sender.send(batch.record_output(&metrics)).await.is_err() {
                        return Ok(());
                    }
                    if let Some(open) = &open {
                        open.add_permits(2 * left);
                    }
                }
                if let Some(error) = failed {
                    // Calls in flight are paid for: they are waited for, so that what they bring is kept.
                    if Outage::find(&error).is_some() {
                        stopped.store(true, Ordering::Relaxed);
                        while written.next().await.is_some() {}
                    }
                    return Err(error);
                }
            }
            missing.told()
        });
        Ok(builder.build())
    }
}

/// The column of a call, and what came of each row.
async fn call(
    call: &AsyncFuncExpr,
    narrator: &Arc<dyn Narrator>,
    row: &RecordBatch,
    options: &Arc<ConfigOptions>,
    on_outage: OnOutage,
) -> Result<(ArrayRef, Vec<NarrativeOrError>)> {
    let Some(function) = call.func.downcast_ref::<ScalarFunctionExpr>() else {
        return exec_err!("{} is no function", call.name());
    };
    let written = write(narrator.as_ref(), arguments(function, row, options)?).await?;
    let outage = written.iter().filter_map(|w| w.as_ref().err()).find(|e| e.outage);
    if let (OnOutage::Stop, Some(outage)) = (on_outage, outage) {
        return Err(DataFusionError::External(Box::new(Outage(outage.message.clone()))));
    }
    let column = if function.fun().name() == NAME { texts(&written) } else { outcomes(&written)? };
    Ok((column, written))
}
