//! Calls of functions over relations as nodes of a plan, with those relations as their inputs: optimisers, parameters and
//! EXPLAIN reach them.

mod background;
mod exec;

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::SortOptions;
use arrow::datatypes::{FieldRef, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DFSchema, DFSchemaRef, Result, plan_err};
use datafusion::execution::context::{ExecutionProps, QueryPlanner};
use datafusion::execution::session_state::SessionState;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{
    Expr, Extension, LogicalPlan, LogicalPlanBuilder, UserDefinedLogicalNode, UserDefinedLogicalNodeCore,
};
use datafusion::physical_expr::create_physical_expr;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::metrics::{BaselineMetrics, RecordOutput};
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use datafusion::physical_planner::{DefaultPhysicalPlanner, ExtensionPlanner, PhysicalPlanner};
use datafusion::sql::TableReference;
use futures::stream::BoxStream;
use futures::{Stream, StreamExt, stream};
use populace_population::Pack;

pub(crate) use self::background::{in_background, in_thread};
pub(crate) use self::exec::RelationFunctionExec;
use crate::nodes::call::Call;

/// One call of a function over relations: what it was given beside them.
///
/// The relations are inputs of the node that [`relation`] makes, which have the columns that the call reads, in its
/// order and under its names. What a call computes of their rows, it computes in projections and filters of these
/// inputs, where parameters are bound and types agree.
pub(crate) trait RelationFunction: fmt::Debug + Send + Sync + 'static {
    /// The function's name.
    fn name(&self) -> &'static str;

    /// What EXPLAIN calls its operator.
    fn operator(&self) -> &'static str;

    /// Its columns, if all are wanted.
    fn schema(&self) -> SchemaRef;

    /// What EXPLAIN shows of it.
    fn details(&self) -> String;

    /// The text that it has embedded itself, besides those of its rows.
    fn embedded_text(&self) -> Option<&str> {
        None
    }

    /// For each column of the schema, the input and the column there that it is, where it is one as it is. Where
    /// nobody wants it, the input comes without it, unless the call reads it itself.
    fn passes(&self) -> Vec<Option<(usize, String)>> {
        vec![]
    }

    /// Columns of inputs that are read whether they are shown or not.
    fn reads(&self) -> Vec<(usize, String)> {
        vec![]
    }

    /// The column that rows come in the order of, and which order that is.
    fn ordering(&self) -> Option<(&'static str, SortOptions)> {
        None
    }

    /// Whether each row that it shows is a row of the input whose columns it passes, and none of them is shown twice.
    fn is_subset(&self) -> bool {
        false
    }

    /// Whether it shows columns of that input besides its own, where these are asked for: [`Wanted::carried`].
    fn carries(&self) -> bool {
        false
    }

    /// How many rows of an input are worked out at most, where it asks for those alone by a condition.
    fn most_rows_of(&self, _input: usize) -> Option<u64> {
        None
    }

    /// A column of its own in which no two rows have the same value.
    fn key(&self) -> Option<&'static str> {
        None
    }

    /// The country whose figures it goes by: a plan that is sent elsewhere is for the same edition of it.
    fn pack(&self) -> Option<Arc<Pack>> {
        None
    }

    /// The call that is run in its stead, with other inputs, where these are such that there is a shorter way to their
    /// rows. An input that stays is one of those given.
    ///
    /// # Errors
    /// If an input cannot be planned so.
    fn planned(&self, _: &[Input], _: &Arc<SessionState>) -> Result<Option<Planned>> {
        Ok(None)
    }

    /// Runs it: batches of the columns that are wanted.
    fn start(self: Arc<Self>, wanted: Wanted) -> BoxStream<'static, Result<RecordBatch>>;
}

/// A call, and the inputs that it is run with.
pub(crate) type Planned = (Arc<dyn RelationFunction>, Vec<Input>);

/// What is wanted of a call, and what it may use.
pub(crate) struct Wanted {
    pub task: Arc<TaskContext>,
    /// The columns, by their places
    pub projection: Vec<usize>,
    /// Columns of the input whose columns it passes, which it shows after these
    pub carried: Vec<String>,
    /// Of all these columns
    pub schema: SchemaRef,
    /// The relations, in the order in which they were given to [`relation`]
    pub inputs: Vec<Input>,
}

/// A relation that a call reads.
#[derive(Debug, Clone)]
pub(crate) struct Input {
    /// Where it was planned in this session; plans that come from elsewhere are rows alone
    pub planned: Option<PlannedHere>,
    physical: Arc<dyn ExecutionPlan>,
}

/// A relation as this session planned it.
#[derive(Debug, Clone)]
pub(crate) struct PlannedHere {
    /// As it was optimised
    pub logical: Arc<LogicalPlan>,
    pub state: Arc<SessionState>,
}

impl Input {
    /// An input whose rows come another way than its relation's.
    pub fn by(&self, physical: Arc<dyn ExecutionPlan>) -> Input {
        Input { planned: self.planned.clone(), physical }
    }

    /// The rows that satisfy a condition over its columns: planned anew, so that the condition reaches what is below,
    /// where it was planned here.
    ///
    /// # Errors
    /// If it cannot be planned or run.
    pub async fn filtered(&self, condition: Expr, task: &Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let Some(PlannedHere { logical, state }) = &self.planned else {
            let schema = DFSchema::try_from(self.physical.schema())?;
            let condition = create_physical_expr(&condition, &schema, &ExecutionProps::new())?;
            let rows = Arc::new(FilterExec::try_new(condition, self.physical.clone())?);
            return execute_stream(rows, task.clone());
        };
        let plan = LogicalPlanBuilder::from(logical.as_ref().clone()).filter(condition)?.build()?;
        // It has been analysed already.
        let plan = state.optimizer().optimize(plan, state.as_ref(), |_, _| {})?;
        let plan = state.query_planner().create_physical_plan(&plan, state).await?;
        execute_stream(plan, task.clone())
    }

    /// Its rows. A call reads each of its inputs once: operators keep what they have done.
    ///
    /// # Errors
    /// If it cannot be run.
    pub fn rows(&self, task: &Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        execute_stream(self.physical.clone(), task.clone())
    }

    /// The place of a column.
    ///
    /// # Errors
    /// If there is none, as nobody wants it.
    pub fn place(&self, name: &str) -> Result<usize> {
        Ok(self.physical.schema().index_of(name)?)
    }
}

/// The columns that are wanted of a call that comes to one batch.
pub(crate) fn columns_of(
    batch: impl Future<Output = Result<RecordBatch>> + Send + 'static,
    projection: Vec<usize>,
) -> BoxStream<'static, Result<RecordBatch>> {
    stream::once(async move { Ok(batch.await?.project(&projection)?) }).boxed()
}

/// A stream whose rows are counted, and the time that it takes.
pub(crate) fn measured(
    mut rows: BoxStream<'static, Result<RecordBatch>>,
    metrics: BaselineMetrics,
) -> impl Stream<Item = Result<RecordBatch>> + Send {
    stream::poll_fn(move |context| {
        let timer = metrics.elapsed_compute().timer();
        let batch = rows.poll_next_unpin(context);
        timer.done();
        batch.map(|batch| batch.map(|batch| batch.record_output(&metrics)))
    })
}

/// Expressions over a relation, as an input of a call: the columns are called `column_0`, `column_1` and so on.
///
/// # Errors
/// If an expression is not over the relation.
pub(crate) fn columns(relation: &LogicalPlan, exprs: impl IntoIterator<Item = Expr>) -> Result<LogicalPlan> {
    let exprs = exprs.into_iter().enumerate().map(|(at, expr)| expr.alias(column(at)));
    LogicalPlanBuilder::from(relation.clone()).project(exprs.collect::<Vec<_>>())?.build()
}

/// What [`columns`] calls a column.
pub(crate) fn column(at: usize) -> String {
    format!("column_{at}")
}

/// All columns of a relation, in order.
pub(crate) fn all(relation: &LogicalPlan) -> impl Iterator<Item = Expr> {
    relation.schema().columns().into_iter().map(Expr::Column)
}

/// A call as a relation, which is called as the function is, or as `called`.
///
/// # Errors
/// If its columns have the same name twice.
pub(crate) fn relation(
    function: impl RelationFunction,
    inputs: Vec<LogicalPlan>,
    called: Option<TableReference>,
) -> Result<LogicalPlan> {
    let called = called.unwrap_or_else(|| TableReference::bare(function.name()));
    let projection = (0..function.schema().fields().len()).collect();
    let node = RelationFunctionNode::new((Arc::new(function), None), projection, vec![], inputs)?;
    let plan = LogicalPlan::Extension(Extension { node: Arc::new(node) });
    LogicalPlanBuilder::from(plan).alias(called)?.build()
}

/// A call, in a logical plan.
#[derive(Debug, Clone)]
pub(crate) struct RelationFunctionNode {
    function: Arc<dyn RelationFunction>,
    /// As it was written
    call: Option<Arc<Call>>,
    /// The columns that it shows, by their places in the function's schema
    projection: Vec<usize>,
    /// The columns that it carries, by their names in the input whose columns it passes
    carried: Vec<String>,
    inputs: Vec<LogicalPlan>,
    schema: DFSchemaRef,
}

impl RelationFunctionNode {
    fn new(
        (function, call): (Arc<dyn RelationFunction>, Option<Arc<Call>>),
        projection: Vec<usize>,
        carried: Vec<String>,
        inputs: Vec<LogicalPlan>,
    ) -> Result<RelationFunctionNode> {
        let own = function.schema().project(&projection)?;
        let mut fields: Vec<FieldRef> = own.fields().iter().cloned().collect();
        let passing = passing(function.as_ref());
        for column in &carried {
            let of = passing.and_then(|input| inputs.get(input));
            match of.map(|of| of.schema().field_with_unqualified_name(column)) {
                Some(field) => fields.push(field?.clone()),
                None => return plan_err!("{} carries no columns", function.name()),
            }
        }
        let schema = Arc::new(DFSchema::try_from(Schema::new_with_metadata(fields, own.metadata().clone()))?);
        Ok(RelationFunctionNode { function, call, projection, carried, inputs, schema })
    }

    /// The same, of which is known how it was written.
    pub fn written(self, call: Arc<Call>) -> RelationFunctionNode {
        RelationFunctionNode { call: Some(call), ..self }
    }

    /// As it was written, and the columns that it shows and carries; `None` where nobody knows how it was written.
    pub fn parts(&self) -> Option<(&Arc<Call>, &[usize], &[String])> {
        Some((self.call.as_ref()?, &self.projection, &self.carried))
    }

    /// The call over the relations of another plan, of which it shows and carries these columns.
    ///
    /// # Errors
    /// If the relations are not those that it reads.
    pub fn over(
        &self,
        inputs: Vec<LogicalPlan>,
        projection: Vec<usize>,
        carried: Vec<String>,
    ) -> Result<RelationFunctionNode> {
        let schemas: Vec<&Schema> = inputs.iter().map(|input| input.schema().as_arrow()).collect();
        self.check(&schemas, &projection, &carried)?;
        RelationFunctionNode::new((self.function.clone(), self.call.clone()), projection, carried, inputs)
    }

    /// The call at work over inputs that were planned elsewhere, with this schema.
    ///
    /// # Errors
    /// If the inputs are not those that it reads, or the schema is not that of the columns.
    pub fn at_work(
        &self,
        inputs: &[Arc<dyn ExecutionPlan>],
        (projection, carried): (Vec<usize>, Vec<String>),
        schema: SchemaRef,
    ) -> Result<RelationFunctionExec> {
        let schemas: Vec<SchemaRef> = inputs.iter().map(|input| input.schema()).collect();
        self.check(&schemas.iter().map(|s| s.as_ref()).collect::<Vec<_>>(), &projection, &carried)?;
        let own = self.function.schema().project(&projection)?;
        let names = own.fields().iter().map(|f| f.name()).chain(&carried);
        if !names.eq(schema.fields().iter().map(|f| f.name())) {
            return plan_err!("{}: its columns are not those that it is said to have", self.function.name());
        }
        let inputs = inputs.iter().map(|physical| Input { planned: None, physical: physical.clone() }).collect();
        let call = (self.function.clone(), self.call.clone());
        Ok(RelationFunctionExec::new(call, (projection, carried), inputs, schema))
    }

    /// That relations have the columns that the call reads or shows.
    fn check(&self, inputs: &[&Schema], projection: &[usize], carried: &[String]) -> Result<()> {
        let name = self.function.name();
        if inputs.len() != self.inputs.len() {
            return plan_err!("{name} has {} inputs, not {}", self.inputs.len(), inputs.len());
        }
        let (passes, reads) = (self.function.passes(), self.function.reads());
        if passes.iter().all(Option::is_none) {
            // Such a call reads all columns, by their places or their names.
            let width = |known: &LogicalPlan| known.schema().fields().len();
            return match self.inputs.iter().zip(inputs).position(|(known, input)| width(known) != input.fields().len())
            {
                Some(at) => plan_err!("{name}: its input {at} has other columns than it had"),
                None => Ok(()),
            };
        }
        for (at, (known, input)) in self.inputs.iter().zip(inputs).enumerate() {
            for field in known.schema().fields() {
                let is_it = |(of, column): &(usize, String)| *of == at && column == field.name();
                let mut shown = passes.iter().enumerate().filter(|(_, passed)| passed.as_ref().is_some_and(is_it));
                let passed = shown.clone().next().is_some();
                let needed = !passed || reads.iter().any(is_it) || shown.any(|(of, _)| projection.contains(&of));
                if needed && input.column_with_name(field.name()).is_none() {
                    return plan_err!("{name}: its input {at} has no column `{}`", field.name());
                }
            }
        }
        let of = passing(self.function.as_ref()).filter(|_| self.function.carries()).and_then(|at| inputs.get(at));
        match carried.iter().find(|column| of.is_none_or(|of| of.column_with_name(column).is_none())) {
            Some(column) => plan_err!("{name}: its input has no column `{column}` to carry"),
            None => Ok(()),
        }
    }

    /// The relation whose columns it passes, where it can carry others of it.
    pub fn carried_of(&self) -> Option<&LogicalPlan> {
        self.inputs.get(passing(self.function.as_ref()).filter(|_| self.function.carries())?)
    }

    /// Whether a column of that relation is passed, and nothing depends on what it holds.
    pub fn only_passes(&self, column: &str) -> bool {
        let of = passing(self.function.as_ref());
        let is_it = |(input, name): &(usize, String)| Some(*input) == of && name == column;
        self.function.passes().iter().flatten().any(is_it) && !self.function.reads().iter().any(is_it)
    }

    /// What it shows a column of that relation as, if it passes it.
    pub fn shows_as(&self, column: &str) -> Option<String> {
        Some(self.function.schema().field(self.passed_at(column)?).name().clone())
    }

    fn passed_at(&self, column: &str) -> Option<usize> {
        let of = passing(self.function.as_ref());
        let is_it = |(input, name): &(usize, String)| Some(*input) == of && name == column;
        self.function.passes().iter().position(|passed| passed.as_ref().is_some_and(is_it))
    }

    /// Whether none of its columns is called so, shown or not.
    pub fn is_free(&self, name: &str) -> bool {
        self.function.schema().column_with_name(name).is_none() && self.carried.iter().all(|c| c != name)
    }

    /// The same call of another relation in the place of that one, of which it shows these columns besides those that it
    /// shows already: what it does not pass, it carries. What it passed of columns that are not there any more, it does
    /// not show.
    ///
    /// # Errors
    /// If the relation has not these columns.
    pub fn showing(&self, relation: LogicalPlan, columns: Vec<String>) -> Result<RelationFunctionNode> {
        let mut node = self.clone();
        match passing(self.function.as_ref()).and_then(|input| node.inputs.get_mut(input)) {
            Some(input) => *input = relation,
            None => return plan_err!("{} carries no columns", self.function.name()),
        }
        for column in columns {
            match self.passed_at(&column) {
                Some(at) if node.projection.contains(&at) => {}
                Some(at) => node.projection.push(at),
                None => node.carried.push(column),
            }
        }
        UserDefinedLogicalNodeCore::with_exprs_and_inputs(&node, vec![], node.inputs.clone())
    }

    /// The call.
    pub fn function(&self) -> &dyn RelationFunction {
        self.function.as_ref()
    }

    /// The relations that it reads.
    pub fn relations(&self) -> &[LogicalPlan] {
        &self.inputs
    }

    /// The input that a column is a column of, as it is, and its place there.
    pub fn passed(&self, at: usize) -> Option<(&LogicalPlan, usize)> {
        let (input, column) = self.function.passes().into_iter().nth(*self.projection.get(at)?)??;
        let relation = self.inputs.get(input)?;
        Some((relation, relation.schema().fields().iter().position(|f| *f.name() == column)?))
    }
}

/// The relation that a column of a call is from, as it is there, and its place: of functions such as samples and searches,
/// whose rows are rows of that relation.
pub fn passed_column(node: &dyn UserDefinedLogicalNode, column: usize) -> Option<(&LogicalPlan, usize)> {
    let node = node.as_any().downcast_ref::<RelationFunctionNode>()?;
    node.passed(column).filter(|_| node.function.is_subset())
}

/// The input whose columns a call passes.
fn passing(function: &dyn RelationFunction) -> Option<usize> {
    function.passes().into_iter().flatten().next().map(|(input, _)| input)
}

impl PartialEq for RelationFunctionNode {
    fn eq(&self, other: &RelationFunctionNode) -> bool {
        Arc::ptr_eq(&self.function, &other.function)
            && self.projection == other.projection
            && self.carried == other.carried
            && self.inputs == other.inputs
    }
}

impl Eq for RelationFunctionNode {}

impl Hash for RelationFunctionNode {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.function).cast::<()>().hash(state);
        self.projection.hash(state);
        self.carried.hash(state);
        self.inputs.hash(state);
    }
}

impl PartialOrd for RelationFunctionNode {
    fn partial_cmp(&self, other: &RelationFunctionNode) -> Option<Ordering> {
        (self == other).then_some(Ordering::Equal)
    }
}

impl UserDefinedLogicalNodeCore for RelationFunctionNode {
    fn name(&self) -> &str {
        self.function.name()
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        self.inputs.iter().collect()
    }

    fn schema(&self) -> &DFSchemaRef {
        &self.schema
    }

    fn expressions(&self) -> Vec<Expr> {
        vec![]
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}: {}", self.function.name(), self.function.details())
    }

    /// An input from which an optimiser has taken columns says which are shown no more.
    fn with_exprs_and_inputs(&self, exprs: Vec<Expr>, inputs: Vec<LogicalPlan>) -> Result<RelationFunctionNode> {
        if !exprs.is_empty() || inputs.len() != self.inputs.len() {
            return plan_err!("{} has {} inputs and no expressions", self.function.name(), self.inputs.len());
        }
        let passes = self.function.passes();
        let there = |at: &usize| match passes.get(*at) {
            Some(Some((input, column))) => inputs[*input].schema().fields().iter().any(|f| f.name() == column),
            _ => true,
        };
        let projection = self.projection.iter().copied().filter(there).collect();
        let of = passing(self.function.as_ref()).and_then(|input| inputs.get(input));
        let has = |name: &&String| of.is_some_and(|of| of.schema().fields().iter().any(|f| f.name() == *name));
        let carried = self.carried.iter().filter(has).cloned().collect();
        RelationFunctionNode::new((self.function.clone(), self.call.clone()), projection, carried, inputs)
    }

    fn necessary_children_exprs(&self, output: &[usize]) -> Option<Vec<Vec<usize>>> {
        let passes = self.function.passes();
        if passes.iter().all(Option::is_none) {
            return None;
        }
        let reads = self.function.reads();
        let wanted: Vec<usize> = output.iter().filter_map(|at| self.projection.get(*at).copied()).collect();
        let carried = output.iter().filter_map(|at| at.checked_sub(self.projection.len()));
        let carried: Vec<&String> = carried.filter_map(|at| self.carried.get(at)).collect();
        let of = passing(self.function.as_ref());
        let needed = self.inputs.iter().enumerate().map(|(input, plan)| {
            let is_needed = |name: &String| {
                let mut shown = passes
                    .iter()
                    .enumerate()
                    .filter(|(_, p)| p.as_ref().is_some_and(|(of, column)| *of == input && column == name));
                let passed = shown.clone().next().is_some();
                let read = reads.iter().any(|(of, column)| *of == input && column == name);
                if of == Some(input) && self.carried.contains(name) {
                    return carried.contains(&name);
                }
                read || !passed || shown.any(|(at, _)| wanted.contains(&at))
            };
            let fields = plan.schema().fields().iter().enumerate();
            fields.filter(|(_, field)| is_needed(field.name())).map(|(at, _)| at).collect()
        });
        Some(needed.collect())
    }
}

/// Plans calls. A session with a query planner of its own gives it to that.
#[derive(Debug)]
pub struct RelationFunctionPlanner;

#[async_trait]
impl ExtensionPlanner for RelationFunctionPlanner {
    async fn plan_extension(
        &self,
        _: &dyn PhysicalPlanner,
        node: &dyn UserDefinedLogicalNode,
        logical_inputs: &[&LogicalPlan],
        physical_inputs: &[Arc<dyn ExecutionPlan>],
        state: &SessionState,
    ) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        let Some(node) = node.as_any().downcast_ref::<RelationFunctionNode>() else { return Ok(None) };
        let state = Arc::new(state.clone());
        let inputs = logical_inputs.iter().zip(physical_inputs).map(|(logical, physical)| {
            let planned = PlannedHere { logical: Arc::new((*logical).clone()), state: state.clone() };
            Input { planned: Some(planned), physical: physical.clone() }
        });
        let inputs = inputs.collect::<Vec<_>>();
        let (call, inputs) = match node.function.planned(&inputs, &state)? {
            // It is of this host's tables.
            Some((function, inputs)) => ((function, None), inputs),
            None => ((node.function.clone(), node.call.clone()), inputs),
        };
        let columns = (node.projection.clone(), node.carried.clone());
        Ok(Some(Arc::new(RelationFunctionExec::new(call, columns, inputs, node.schema.inner().clone()))))
    }
}

/// A session's query planner that plans calls too: those without any, by the planner that was there.
#[derive(Debug)]
pub(crate) struct WithRelationFunctions(pub Option<Arc<dyn QueryPlanner + Send + Sync>>);

#[async_trait]
impl QueryPlanner for WithRelationFunctions {
    async fn create_physical_plan(&self, plan: &LogicalPlan, state: &SessionState) -> Result<Arc<dyn ExecutionPlan>> {
        let mut calls = false;
        plan.apply_with_subqueries(|node| {
            calls |= matches!(node, LogicalPlan::Extension(e) if e.node.as_any().is::<RelationFunctionNode>());
            Ok(if calls { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
        })?;
        if let (false, Some(planner)) = (calls, &self.0) {
            return planner.create_physical_plan(plan, state).await;
        }
        let planner = DefaultPhysicalPlanner::with_extension_planners(vec![Arc::new(RelationFunctionPlanner)]);
        planner.create_physical_plan(plan, state).await
    }
}
