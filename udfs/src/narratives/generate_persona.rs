//! `generate_persona(country, count [, seed => …] [, given => …] [, narrator => …] [, language => …])`: whole people,
//! every narrative of their pack; in another of its languages, which the column `narrative_language` then names.

use std::fmt;
use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::{DataType, SchemaRef};
use arrow::error::ArrowError;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{Column, DFSchema, Result, ScalarValue, exec_err};
use datafusion::datasource::{provider_as_source, source_as_provider};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::expr_rewriter::unnormalize_col;
use datafusion::logical_expr::planner::RelationPlannerContext;
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{
    Expr, LogicalPlan, LogicalPlanBuilder, SortExpr, TableProviderFilterPushDown, TableScan, TableType, lit,
};
use datafusion::physical_expr::EquivalenceProperties;
use datafusion::physical_plan::execution_plan::CardinalityEffect;
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet, MetricsSet, RecordOutput};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, Distribution, ExecutionPlan, PlanProperties};
use futures::{StreamExt, TryStreamExt, stream};
use populace_population::Pack;

use crate::call::arguments::Arguments;
use crate::call::table_function::{Parameter, TableFunction};
use crate::host::Populace;
use crate::host::facts::LANGUAGE;
use crate::host::narrator::Narrator;
use crate::host::narrator::for_statement;
use crate::host::table_search::has_subquery;
use crate::narratives::narrate::{OnOutage, in_language_schema, narrate, narrated};
use crate::nodes::properties::as_they_come;
use crate::nodes::scan::scan;
use crate::nodes::unbound_draw::UnboundDraw;
use crate::people::sample_persona::Draw;

pub(crate) const NAME: &str = "generate_persona";

/// People who are written up together: bounds the texts in memory, and how long the first of them take.
const PEOPLE_AT_ONCE: usize = 256;

/// The function, as a session has it.
pub(crate) const FUNCTION: TableFunction = TableFunction {
    name: NAME,
    parameters: &[
        Parameter::required("country", ""),
        Parameter::required("count", ""),
        Parameter::optional("seed", "number").seed(),
        Parameter::optional("given", "predicate"),
        Parameter::optional("narrator", "name"),
        Parameter::optional("language", "code"),
    ],
    positional: 4,
    description: "People drawn from a country's official figures and written up: their facts, every narrative, the narrator, and why a narrative is missing. `language` is one of those that the country's texts are written in; the column `narrative_language` then says which.",
    example: "SELECT first_name, persona FROM generate_persona('usa', 5, seed => 42)",
    plan: |arguments, populace, context| plan(arguments, populace, context),
};

fn plan(
    mut arguments: Arguments,
    populace: &Populace,
    context: &mut dyn RelationPlannerContext,
) -> Result<LogicalPlan> {
    let narrator = arguments.text("narrator", context)?;
    let narrator = populace.narrators.get(narrator.as_deref())?;
    let language = arguments.text("language", context)?;
    let of = |pack: &Pack| -> Result<PersonaTexts> {
        let language = language.as_ref().map(|asked| narrator.language(pack.name(), asked)).transpose()?;
        let kinds = narrator.kinds_of(pack.name(), language.as_deref())?;
        Ok(PersonaTexts { narrator: narrator.clone(), language, kinds })
    };
    if arguments.have_parameters(&["count", "seed", "given"]) {
        let pack = populace.packs.get(&arguments.required_text("country", context)?)?;
        let written = of(&pack)?;
        if let Some(expressions) = Draw::with_parameters(NAME, &mut arguments, &pack, context)? {
            let schema = DFSchema::try_from(written.schema(&pack.schema()))?;
            return UnboundDraw::relation(NAME, expressions, schema, move |expressions| {
                written.relation(&Draw::bound(NAME, &pack, expressions)?)
            });
        }
    }
    let draw = Draw::plan(NAME, &mut arguments, &populace.packs, context)?;
    of(draw.sampler.pack())?.relation(&draw)
}

/// What is written of people.
#[derive(Debug, Clone)]
struct PersonaTexts {
    narrator: Arc<dyn Narrator>,
    /// Where it was asked for
    language: Option<String>,
    /// All that the narrator writes of these people
    kinds: Vec<String>,
}

impl PersonaTexts {
    fn schema(&self, drawn: &SchemaRef) -> SchemaRef {
        match self.language {
            Some(_) => narrated(&in_language_schema(drawn), &self.kinds),
            None => narrated(drawn, &self.kinds),
        }
    }

    fn relation(&self, draw: &Draw) -> Result<LogicalPlan> {
        let PersonaTexts { narrator, language, kinds } = self.clone();
        let schema = self.schema(&draw.sampler.schema());
        let drawn = draw.relation()?;
        let people = match &language {
            Some(language) => {
                let word = ScalarValue::Utf8(Some(language.clone()));
                let word = ScalarValue::Dictionary(Box::new(DataType::Int32), Box::new(word));
                let columns: Vec<Expr> = drawn.schema().columns().into_iter().map(Expr::Column).collect();
                let columns = columns.into_iter().chain([lit(word).alias(LANGUAGE)]);
                LogicalPlanBuilder::from(drawn).project(columns)?.build()?
            }
            None => drawn,
        };
        scan(NAME, Arc::new(Personas { people, sorted: false, language, narrator, kinds, schema }))
    }
}

#[derive(Debug)]
pub(crate) struct Personas {
    /// Without their texts, as they are to be written up
    pub people: LogicalPlan,
    /// Whether they are those that an ORDER BY with a LIMIT needs
    pub sorted: bool,
    /// Where it was asked for
    pub language: Option<String>,
    pub narrator: Arc<dyn Narrator>,
    /// All that it writes of these people
    pub kinds: Vec<String>,
    pub schema: SchemaRef,
}

/// The name of the narrator that writes the people of a table up, if it is a call of `generate_persona`.
pub fn narrator_of(table: &dyn TableProvider) -> Option<&str> {
    table.downcast_ref::<Personas>().map(|people| people.narrator.name())
}

impl Personas {
    /// Whether an expression is over what is drawn, so that it can be asked before anything is written.
    fn is_of_people(&self, expr: &Expr) -> bool {
        let drawn = |c: &Column| self.people.schema().fields().iter().any(|f| f.name() == &c.name);
        !expr.is_volatile() && !has_subquery(expr) && expr.column_refs().into_iter().all(drawn)
    }
}

/// The same people, of whom those alone are written up that come first in an order of what is drawn; `None` where a
/// table is no call of `generate_persona`, or its order is of texts.
///
/// # Errors
/// If the order is of other columns.
pub(crate) fn first_of(scan: &TableScan, order: &[SortExpr], fetch: usize) -> Result<Option<TableScan>> {
    let provider = source_as_provider(&scan.source).ok();
    let Some(of) = provider.as_ref().and_then(|p| p.downcast_ref::<Personas>()) else { return Ok(None) };
    if of.sorted || scan.fetch.is_some() || !order.iter().all(|key| of.is_of_people(&key.expr)) {
        return Ok(None);
    }
    let mut people = LogicalPlanBuilder::from(of.people.clone());
    if let Some(filter) = conjunction(scan.filters.iter().cloned().map(unnormalize_col)) {
        people = people.filter(filter)?;
    }
    let order: Vec<SortExpr> = order.iter().map(|key| key.with_expr(unnormalize_col(key.expr.clone()))).collect();
    let personas = Personas {
        people: people.sort_with_limit(order, Some(fetch))?.build()?,
        sorted: true,
        language: of.language.clone(),
        narrator: of.narrator.clone(),
        kinds: of.kinds.clone(),
        schema: of.schema.clone(),
    };
    Ok(Some(TableScan { source: provider_as_source(Arc::new(personas)), filters: vec![], ..scan.clone() }))
}

#[async_trait]
impl TableProvider for Personas {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Temporary
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        let of = |filter: &&Expr| match self.is_of_people(filter) {
            true => TableProviderFilterPushDown::Exact,
            false => TableProviderFilterPushDown::Unsupported,
        };
        Ok(filters.iter().map(of).collect())
    }

    async fn scan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let mut people = LogicalPlanBuilder::from(self.people.clone());
        if let Some(filter) = conjunction(filters.iter().cloned().map(unnormalize_col)) {
            people = people.filter(filter)?;
        }
        if limit.is_some() {
            people = people.limit(0, limit)?;
        }
        let people = session.create_physical_plan(&people.build()?).await?;
        let columns: Vec<usize> = match projection {
            Some(columns) => columns.clone(),
            None => (0..self.schema.fields().len()).collect(),
        };
        // Texts that nobody asked for are not written. `narrator` and `narrative_error` speak of all of them.
        let asked = |name: &str| columns.iter().any(|c| self.schema.field(*c).name() == name);
        let provenance = asked("narrator") || asked("narrative_error");
        let kinds: Vec<String> = self.kinds.iter().filter(|k| provenance || asked(k)).cloned().collect();
        let narrator = (self.narrator.clone(), kinds);
        Ok(Arc::new(NarrateExec::new(people, narrator, Arc::new(self.schema.project(&columns)?))))
    }
}

/// Writes people up, in order.
#[derive(Debug)]
pub(crate) struct NarrateExec {
    people: Arc<dyn ExecutionPlan>,
    narrator: Arc<dyn Narrator>,
    kinds: Vec<String>,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl NarrateExec {
    pub fn new(
        people: Arc<dyn ExecutionPlan>,
        (narrator, kinds): (Arc<dyn Narrator>, Vec<String>),
        schema: SchemaRef,
    ) -> NarrateExec {
        let properties = as_they_come(EquivalenceProperties::new(schema), 1);
        let metrics = ExecutionPlanMetricsSet::new();
        NarrateExec { people, narrator, kinds, properties, metrics }
    }

    pub fn narrator(&self) -> &Arc<dyn Narrator> {
        &self.narrator
    }

    pub fn kinds(&self) -> &[String] {
        &self.kinds
    }

    /// The people, not written up.
    pub fn input(&self) -> &Arc<dyn ExecutionPlan> {
        &self.people
    }
}

impl DisplayAs for NarrateExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "NarrateExec: narrator={}, kinds=[{}]", self.narrator.name(), self.kinds.join(", "))
    }
}

impl ExecutionPlan for NarrateExec {
    fn name(&self) -> &str {
        "NarrateExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.people]
    }

    fn required_input_distribution(&self) -> Vec<Distribution> {
        vec![Distribution::SinglePartition]
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn cardinality_effect(&self) -> CardinalityEffect {
        CardinalityEffect::Equal
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        let [people] = &children[..] else { return exec_err!("NarrateExec has one input") };
        let narrator = (self.narrator.clone(), self.kinds.clone());
        Ok(Arc::new(NarrateExec::new(people.clone(), narrator, self.schema())))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let schema = self.schema();
        let narrator = for_statement(self.narrator.clone(), context.session_config().options());
        let on_outage = if narrator.stops() { OnOutage::Stop } else { OnOutage::Tell };
        let people = self.people.execute(partition, context)?;
        let of_people = people.schema();
        let people = people.map_ok(|batch| {
            let parts = (0..batch.num_rows()).step_by(PEOPLE_AT_ONCE);
            stream::iter(parts.map(move |at| Ok(batch.slice(at, PEOPLE_AT_ONCE.min(batch.num_rows() - at)))))
        });
        let people = Box::pin(RecordBatchStreamAdapter::new(of_people, people.try_flatten()));
        let written = narrate(narrator, self.kinds.clone(), people, on_outage);
        let from = written.schema();
        let columns: Vec<usize> =
            schema.fields().iter().map(|f| from.index_of(f.name())).collect::<Result<_, ArrowError>>()?;
        let (to, metrics) = (schema.clone(), BaselineMetrics::new(&self.metrics, partition));
        let written = written.map(move |batch| {
            let batch = batch?;
            let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
            let columns = columns.iter().map(|at| batch.column(*at).clone()).collect();
            Ok(RecordBatch::try_new_with_options(to.clone(), columns, &options)?.record_output(&metrics))
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, written)))
    }
}
