//! `sample_persona(country, count [, seed => …] [, given => …] [, margins => …])`: people drawn from a country's
//! statistics.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::runtime::SpawnedTask;
use datafusion::common::stats::Precision;
use datafusion::common::{
    DFSchema, DataFusionError, Result, Statistics, exec_datafusion_err, exec_err, plan_datafusion_err, plan_err,
};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::planner::RelationPlannerContext;
use datafusion::logical_expr::{Expr, LogicalPlan, TableType};
use datafusion::physical_expr::EquivalenceProperties;
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet, MetricsSet, RecordOutput, Time};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt, stream};
use populace_population::{Margins, Pack, Plan, Predicate, Sampler};

use crate::call::arguments::MAX_COUNT;
use crate::call::arguments::{Arguments, fold, whole};
use crate::call::seed::fresh_seed;
use crate::call::table_function::{Parameter, TableFunction};
use crate::host::packs::{Packs, population_error};
use crate::nodes::properties::as_they_come;
use crate::nodes::relation_function::{RelationFunction, Wanted, in_thread, relation};
use crate::nodes::scan::scan;
use crate::nodes::unbound_draw::{DrawExpressions, UnboundDraw, typed};

pub(crate) const NAME: &str = "sample_persona";

/// Rows that are drawn in one go: enough for all cores, and a few megabytes.
const DRAW: u64 = 65_536;
/// The first rows come sooner.
const FIRST_DRAW: u64 = 8_192;

/// What a statement asks to be drawn.
#[derive(Debug, Clone)]
pub(crate) struct Draw {
    pub sampler: Sampler,
    pub count: u64,
    pub given: Option<Predicate>,
}

impl Draw {
    /// Plans the arguments `country`, `count`, `seed` and `given`.
    pub fn plan(
        function: &'static str,
        arguments: &mut Arguments,
        packs: &Packs,
        context: &mut dyn RelationPlannerContext,
    ) -> Result<Draw> {
        let DrawArguments { pack, count, seed, given } = DrawArguments::plan(function, arguments, packs, context)?;
        Draw::new(pack, count, seed, given)
    }

    /// The arguments `count`, `seed` and `given`, where one has parameters; `None` where they are known.
    pub fn with_parameters(
        function: &'static str,
        arguments: &mut Arguments,
        pack: &Pack,
        context: &mut dyn RelationPlannerContext,
    ) -> Result<Option<DrawExpressions>> {
        if !arguments.have_parameters(&["count", "seed", "given"]) {
            return Ok(None);
        }
        let Some(count) = arguments.expression("count", context)? else {
            return plan_err!("{function}: the argument `count` is missing: how many people to draw");
        };
        let count = typed(count, "count", DataType::Int64);
        let seed = arguments.expression("seed", context)?.map(|seed| typed(seed, "seed", DataType::UInt64));
        let given = match arguments.take("given") {
            Some(sql) => Some(crate::call::given::expression(function, sql, pack, context)?.0),
            None => None,
        };
        Ok(Some(DrawExpressions { count, seed, given }))
    }

    /// A draw whose parameters are bound; a fresh seed where none is given.
    pub fn bound(function: &'static str, pack: &Arc<Pack>, expressions: &DrawExpressions) -> Result<Draw> {
        let constant = |name: &str, expr: &Expr, range| match fold(expr.clone(), &Arc::new(DFSchema::empty()))? {
            Expr::Literal(value, _) => whole(function, name, &value, range),
            other => plan_err!("{function}: `{name}` must be a constant, `{other}` is not"),
        };
        let count = constant("count", &expressions.count, 1..=MAX_COUNT)? as u64;
        let seed = match &expressions.seed {
            Some(seed) => constant("seed", seed, 0..=i128::from(u64::MAX))? as u64,
            None => fresh_seed(),
        };
        let given = match &expressions.given {
            Some(given) => {
                let schema = Arc::new(crate::call::given::schema(pack)?);
                Some(crate::call::given::predicate(function, given.clone(), &schema, pack)?)
            }
            None => None,
        };
        Draw::new(pack.clone(), count, seed, given)
    }

    /// So many people, of whom a predicate holds.
    ///
    /// # Errors
    /// If it holds of nobody, or is about what the country has not.
    pub fn new(pack: Arc<Pack>, count: u64, seed: u64, given: Option<Predicate>) -> Result<Draw> {
        let sampler = match &given {
            Some(given) => Sampler::given(pack, seed, given).map_err(population_error)?,
            None => Sampler::new(pack, seed),
        };
        Ok(Draw { sampler, count, given })
    }

    /// The people, as a relation.
    pub fn relation(&self) -> Result<LogicalPlan> {
        scan(NAME, Arc::new(SamplePersona { draw: self.clone(), any_order: false }))
    }
}

/// The arguments that functions which draw have in common.
#[derive(Debug, Clone)]
struct DrawArguments {
    pack: Arc<Pack>,
    count: u64,
    seed: u64,
    given: Option<Predicate>,
}

impl DrawArguments {
    fn plan(
        function: &'static str,
        arguments: &mut Arguments,
        packs: &Packs,
        context: &mut dyn RelationPlannerContext,
    ) -> Result<DrawArguments> {
        let pack = packs.get(&arguments.required_text("country", context)?)?;
        let Some(count) = arguments.integer("count", 1..=MAX_COUNT, context)? else {
            return plan_err!("{function}: the argument `count` is missing: how many people to draw");
        };
        let seed = match arguments.integer("seed", 0..=i128::from(u64::MAX), context)? {
            Some(seed) => seed as u64,
            None => fresh_seed(),
        };
        let given = match arguments.take("given") {
            Some(sql) => Some(crate::call::given::plan(function, sql, &pack, context)?),
            None => None,
        };
        Ok(DrawArguments { pack, count: count as u64, seed, given })
    }
}

/// The function, as a session has it.
pub(crate) const FUNCTION: TableFunction = TableFunction {
    name: NAME,
    parameters: &[
        Parameter::required("country", ""),
        Parameter::required("count", ""),
        Parameter::optional("seed", "number").seed(),
        Parameter::optional("given", "predicate"),
        Parameter::optional("margins", "query").relation(),
    ],
    positional: 4,
    description: "People drawn from a country's official figures, all of whom satisfy the predicate; the same people for the same seed. Without a seed a fresh one is taken, and the column `seed` has it. With `margins` they are drawn to other totals, such as another year's ages: from the distribution nearest to the country's, of all that meet the totals (the one of least Kullback-Leibler divergence; Csiszár 1975), of those who satisfy the predicate where there is one. The query has columns of the country and one of numbers, counts or shares; each row is a cell of the margin over its columns that are not NULL, so that GROUPING SETS of several are several margins. Integers may be bands, '18-24' or '85+'. Totals that cannot be met are told with the gap.",
    example: "SELECT * FROM sample_persona('usa', 1000, given => age >= 65)",
    plan: |arguments, populace, context| plan(arguments, &populace.packs, context),
};

fn plan(mut arguments: Arguments, packs: &Packs, context: &mut dyn RelationPlannerContext) -> Result<LogicalPlan> {
    if arguments.has("margins") {
        let margins = arguments.table("margins", context)?;
        let draw = DrawArguments::plan(NAME, &mut arguments, packs, context)?;
        let columns = margins.schema().fields().iter().map(|f| f.name().clone()).collect();
        return relation(DrawToMargins { draw, columns }, vec![margins], None);
    }
    if arguments.have_parameters(&["count", "seed", "given"]) {
        let pack = packs.get(&arguments.required_text("country", context)?)?;
        if let Some(expressions) = Draw::with_parameters(NAME, &mut arguments, &pack, context)? {
            let schema = DFSchema::try_from(pack.schema())?;
            return UnboundDraw::relation(NAME, expressions, schema, move |e| Draw::bound(NAME, &pack, e)?.relation());
        }
    }
    Draw::plan(NAME, &mut arguments, packs, context)?.relation()
}

/// A draw to margins, which a query tells when it runs.
#[derive(Debug)]
pub(crate) struct DrawToMargins {
    draw: DrawArguments,
    /// Of the query of margins
    columns: Vec<String>,
}

impl RelationFunction for DrawToMargins {
    fn operator(&self) -> &'static str {
        "SamplePersonaExec"
    }

    fn name(&self) -> &'static str {
        NAME
    }

    fn pack(&self) -> Option<Arc<Pack>> {
        Some(self.draw.pack.clone())
    }

    fn schema(&self) -> SchemaRef {
        self.draw.pack.schema()
    }

    fn key(&self) -> Option<&'static str> {
        Some("uuid")
    }

    fn details(&self) -> String {
        let DrawArguments { pack, count, seed, given } = &self.draw;
        let given = given.as_ref().map_or(String::new(), |given| format!(", given={given}"));
        format!("country={}, rows={count}, seed={seed}{given}, margins=[{}]", pack.id(), self.columns.join(", "))
    }

    fn start(self: Arc<Self>, wanted: Wanted) -> BoxStream<'static, Result<RecordBatch>> {
        let Wanted { task, projection, inputs, .. } = wanted;
        let begin = async move {
            let batch_size = task.session_config().batch_size().max(1);
            let margins: Vec<RecordBatch> = inputs[0].rows(&task)?.try_collect().await?;
            let DrawArguments { pack, count, seed, given } = self.draw.clone();
            let fit = in_thread(move || {
                let margins = Margins::read(&pack, &margins)?;
                Sampler::to_margins(seed, given.as_ref(), &margins)
            });
            let sampler = fit.await?.map_err(|e| plan_datafusion_err!("{NAME}: {e}"))?;
            Ok::<_, DataFusionError>(draw_stream(sampler, 0..count, Some(projection), batch_size, None))
        };
        stream::once(begin).try_flatten().boxed()
    }
}

/// The people of one draw, as a table.
#[derive(Debug)]
pub(crate) struct SamplePersona {
    pub draw: Draw,
    /// Whether rows may come in any order, so that partitions draw them side by side
    pub any_order: bool,
}

impl SamplePersona {
    /// The same people in any order; `None` where that is known already, or they are too few to be worth it.
    pub fn in_any_order(&self) -> Option<SamplePersona> {
        let many = !self.any_order && self.draw.count >= 2 * DRAW;
        many.then(|| SamplePersona { draw: self.draw.clone(), any_order: true })
    }
}

#[async_trait]
impl TableProvider for SamplePersona {
    fn schema(&self) -> SchemaRef {
        self.draw.sampler.schema()
    }

    fn table_type(&self) -> TableType {
        TableType::Temporary
    }

    async fn scan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        _: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let mut draw = self.draw.clone();
        draw.count = draw.count.min(limit.map_or(u64::MAX, |l| l as u64));
        let partitions = if self.any_order { session.config().target_partitions().max(1) } else { 1 };
        Ok(Arc::new(SamplePersonaExec::new(draw, projection.cloned(), partitions)?))
    }
}

/// Draws rows 0 to `count` of a stream of people: in order in one partition, on all cores; or in several partitions, each
/// its part of them.
#[derive(Debug, Clone)]
pub(crate) struct SamplePersonaExec {
    pub draw: Draw,
    pub projection: Option<Vec<usize>>,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl SamplePersonaExec {
    pub fn new(draw: Draw, projection: Option<Vec<usize>>, partitions: usize) -> Result<SamplePersonaExec> {
        let schema = match &projection {
            Some(columns) => Arc::new(draw.sampler.schema().project(columns)?),
            None => draw.sampler.schema(),
        };
        let properties = as_they_come(EquivalenceProperties::new(schema), partitions);
        let metrics = ExecutionPlanMetricsSet::new();
        Ok(SamplePersonaExec { draw, projection, properties, metrics })
    }

    pub fn partitions(&self) -> usize {
        self.properties.partitioning.partition_count()
    }

    /// The rows that a partition draws.
    fn part(&self, partition: usize) -> Range<u64> {
        let (count, of) = (u128::from(self.draw.count), self.partitions() as u128);
        let bound = |at: usize| (count * at as u128 / of) as u64;
        bound(partition)..bound(partition + 1)
    }
}

impl DisplayAs for SamplePersonaExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        let Draw { sampler, count, given } = &self.draw;
        write!(f, "SamplePersonaExec: country={}, rows={count}, seed={}", sampler.pack().id(), sampler.seed())?;
        if self.partitions() > 1 {
            write!(f, ", partitions={}", self.partitions())?;
        }
        if let Some(given) = given {
            write!(f, ", given={given}, probability={:.6e}", sampler.probability())?;
        }
        if let Some(Plan { bytes, cells, cases }) = sampler.plan() {
            write!(f, ", prepared=[{cells} cells, {bytes} bytes")?;
            if cases > 1 {
                write!(f, ", {cases} cases")?;
            }
            f.write_str("]")?;
        }
        Ok(())
    }
}

impl ExecutionPlan for SamplePersonaExec {
    fn name(&self) -> &str {
        "SamplePersonaExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![]
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        if children.is_empty() { Ok(self) } else { exec_err!("SamplePersonaExec has no inputs") }
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        if partition >= self.partitions() {
            return exec_err!("SamplePersonaExec has {} partitions, no {partition}", self.partitions());
        }
        let batch_size = context.session_config().batch_size().max(1);
        let metrics = BaselineMetrics::new(&self.metrics, partition);
        let drawing = Some(metrics.elapsed_compute().clone());
        let (sampler, projection) = (self.draw.sampler.clone(), self.projection.clone());
        let rows = draw_stream(sampler, self.part(partition), projection, batch_size, drawing);
        let rows = rows.map(move |batch| batch.map(|batch| batch.record_output(&metrics)));
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), rows)))
    }

    fn partition_statistics(&self, partition: Option<usize>) -> Result<Arc<Statistics>> {
        let rows = partition.map_or(self.draw.count, |partition| self.part(partition).end - self.part(partition).start);
        let statistics = Statistics::new_unknown(&self.schema());
        Ok(Arc::new(statistics.with_num_rows(Precision::Exact(rows as usize))))
    }

    // `supports_limit_pushdown` stays false: it speaks of operators that pass a limit on to their inputs, and a leaf that
    // says so loses the limit, and the offset with it.
    fn with_fetch(&self, limit: Option<usize>) -> Option<Arc<dyn ExecutionPlan>> {
        if self.partitions() > 1 {
            return None;
        }
        let mut limited = self.clone();
        limited.draw.count = self.draw.count.min(limit? as u64);
        Some(Arc::new(limited))
    }
}

/// Batches of at most `batch_size` of these rows, drawn two goes ahead of whoever reads them; `drawing` is the time that
/// it takes.
fn draw_stream(
    sampler: Sampler,
    rows: Range<u64>,
    projection: Option<Vec<usize>>,
    batch_size: usize,
    drawing: Option<Time>,
) -> impl futures::Stream<Item = Result<RecordBatch>> + Send {
    let Range { start, end } = rows;
    let goes = futures::stream::unfold(start, move |from| async move {
        let length = if from == start { FIRST_DRAW } else { DRAW };
        (from < end).then(|| (from..(from + length).min(end), (from + length).min(end)))
    });
    goes.map(move |range| {
        let (sampler, projection, drawing) = (sampler.clone(), projection.clone(), drawing.clone());
        // Dropping the stream drops the task: at most the goes ahead are drawn in vain.
        let drawn = SpawnedTask::spawn_blocking(move || {
            let _timer = drawing.as_ref().map(Time::timer);
            sampler.draw(range, projection.as_deref())
        });
        async move {
            let batch = drawn.join_unwind().await.map_err(|e| exec_datafusion_err!("{e}"))?;
            batch.map_err(|e| DataFusionError::External(Box::new(e)))
        }
    })
    .buffered(2)
    .map_ok(move |batch| {
        let slices: Vec<_> = (0..batch.num_rows())
            .step_by(batch_size)
            .map(|from| Ok(batch.slice(from, batch_size.min(batch.num_rows() - from))))
            .collect();
        futures::stream::iter(slices)
    })
    .try_flatten()
}
