//! `generate_persona(country, count [, seed => …] [, given => …] [, narrator => …] [, language => …])`: whole people,
//! every narrative of their pack; in another of its languages, which the column `narrative_language` then names.

use std::fmt;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{Result, exec_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::planner::RelationPlannerContext;
use datafusion::logical_expr::{Expr, LogicalPlan, TableType};
use datafusion::physical_expr::EquivalenceProperties;
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties};
use futures::StreamExt;

use crate::arguments::Arguments;
use crate::narrate::{OnOutage, in_language, in_language_schema, narrate, narrated};
use crate::narrator::for_statement;
use crate::sample_persona::{Draw, draw_stream};
use crate::scan::scan;
use crate::{Narrator, Populace};

pub(crate) const NAME: &str = "generate_persona";

/// People who are written up together: bounds the texts in memory, and how long the first of them take.
const BATCH: usize = 256;

pub(crate) fn plan(
    mut arguments: Arguments,
    populace: &Populace,
    context: &mut dyn RelationPlannerContext,
) -> Result<LogicalPlan> {
    let narrator = arguments.text("narrator", context)?;
    let narrator = populace.narrators.get(narrator.as_deref())?;
    let language = arguments.text("language", context)?;
    let draw = Draw::plan(NAME, &mut arguments, &populace.packs, context)?;
    let pack = draw.sampler.pack().name();
    let language = language.map(|asked| narrator.language(pack, &asked)).transpose()?;
    let kinds = narrator.kinds_of(pack, language.as_deref())?;
    let people = match language {
        Some(_) => in_language_schema(&draw.sampler.schema()),
        None => draw.sampler.schema(),
    };
    let schema = narrated(&people, &kinds);
    scan(NAME, Arc::new(Personas { draw, language, narrator, kinds, schema }))
}

#[derive(Debug)]
struct Personas {
    draw: Draw,
    /// Where it was asked for
    language: Option<String>,
    narrator: Arc<dyn Narrator>,
    /// All that it writes of these people
    kinds: Vec<String>,
    schema: SchemaRef,
}

/// The name of the narrator that writes the people of a table up, if it is a call of `generate_persona`.
pub fn narrator_of(table: &dyn TableProvider) -> Option<&str> {
    table.downcast_ref::<Personas>().map(|people| people.narrator.name())
}

#[async_trait]
impl TableProvider for Personas {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Temporary
    }

    async fn scan(
        &self,
        _: &dyn Session,
        projection: Option<&Vec<usize>>,
        _: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let mut draw = self.draw.clone();
        draw.count = draw.count.min(limit.map_or(u64::MAX, |l| l as u64));
        let columns: Vec<usize> = match projection {
            Some(columns) => columns.clone(),
            None => (0..self.schema.fields().len()).collect(),
        };
        // Texts that nobody asked for are not written. `narrator` and `narrative_error` speak of all of them.
        let asked = |name: &str| columns.iter().any(|c| self.schema.field(*c).name() == name);
        let provenance = asked("narrator") || asked("narrative_error");
        let kinds: Vec<String> = self.kinds.iter().filter(|k| provenance || asked(k)).cloned().collect();
        let narrator = (self.narrator.clone(), kinds);
        Ok(Arc::new(NarrateExec::new(draw, self.language.clone(), narrator, &self.schema, &columns)?))
    }
}

/// Draws people and writes them up, in order.
#[derive(Debug)]
pub(crate) struct NarrateExec {
    draw: Draw,
    language: Option<String>,
    narrator: Arc<dyn Narrator>,
    kinds: Vec<String>,
    properties: Arc<PlanProperties>,
}

impl NarrateExec {
    fn new(
        draw: Draw,
        language: Option<String>,
        (narrator, kinds): (Arc<dyn Narrator>, Vec<String>),
        schema: &SchemaRef,
        columns: &[usize],
    ) -> Result<NarrateExec> {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(Arc::new(schema.project(columns)?)),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        Ok(NarrateExec { draw, language, narrator, kinds, properties: Arc::new(properties) })
    }

    pub fn narrator(&self) -> &Arc<dyn Narrator> {
        &self.narrator
    }

    pub fn kinds(&self) -> &[String] {
        &self.kinds
    }

    /// The people, not written up.
    pub fn people(&self) -> SendableRecordBatchStream {
        let people = draw_stream(self.draw.clone(), None, BATCH);
        let people = Box::pin(RecordBatchStreamAdapter::new(self.draw.sampler.schema(), people));
        match &self.language {
            Some(language) => in_language(people, language),
            None => people,
        }
    }
}

impl DisplayAs for NarrateExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        let Draw { sampler, count, given } = &self.draw;
        let (country, seed) = (sampler.pack().id(), sampler.seed());
        write!(f, "NarrateExec: narrator={}, kinds=[{}], ", self.narrator.name(), self.kinds.join(", "))?;
        write!(f, "country={country}, rows={count}, seed={seed}")?;
        self.language.as_ref().map_or(Ok(()), |language| write!(f, ", language={language}"))?;
        given.as_ref().map_or(Ok(()), |g| write!(f, ", given={g}, probability={:.6e}", sampler.probability()))
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
        vec![]
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        if children.is_empty() { Ok(self) } else { exec_err!("NarrateExec has no inputs") }
    }

    fn execute(&self, _: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let schema = self.schema();
        let narrator = for_statement(self.narrator.clone(), context.session_config().options());
        let on_outage = if narrator.stops() { OnOutage::Stop } else { OnOutage::Tell };
        let written = narrate(narrator, self.kinds.clone(), self.people(), on_outage);
        let from = written.schema();
        let columns: Vec<usize> =
            schema.fields().iter().map(|f| from.index_of(f.name())).collect::<Result<_, ArrowError>>()?;
        let written = written.map(move |batch| Ok(batch?.project(&columns)?));
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, written)))
    }
}
