//! Registering the functions.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::catalog::MemoryCatalogProviderList;
use datafusion::common::{Result, plan_err};
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::logical_expr::async_udf::AsyncScalarUDF;
use datafusion::logical_expr::{AggregateUDF, ScalarUDF};
use datafusion::prelude::SessionContext;
use populace_population::{Pack, there_are};

use crate::age_band::AgeBand;
use crate::async_calls::AsyncCalls;
use crate::census::Census;
use crate::cosine_similarity::CosineSimilarity;
use crate::diversity;
use crate::draws_in_any_order::DrawsInAnyOrder;
use crate::embed::Embed;
use crate::generate_narrative::{GenerateNarrative, TryGenerateNarrative};
use crate::labels::InMemory;
use crate::lazy_calls::{LateCalls, LazyCalls};
use crate::narrate_calls::PlanCalls;
use crate::packs::Packs;
use crate::relation_function::WithRelationFunctions;
use crate::relations::Relations;
use crate::row_facts::RowFacts;
use crate::survey_mean::SurveyMean;
use crate::table_functions::routines;
use crate::unaccent::Unaccent;
use crate::unbound_draw::BindDraws;
use crate::{Embedder, LabelStore, Narrator, TableSearch};

type OpenEmbedder = dyn Fn() -> Result<Arc<dyn Embedder>> + Send + Sync;

/// An embedder that is opened when a statement first needs it.
#[derive(Clone)]
pub(crate) struct LazyEmbedder(Arc<OpenEmbedder>);

impl LazyEmbedder {
    pub fn get(&self) -> Result<Arc<dyn Embedder>> {
        (self.0)()
    }
}

impl Default for LazyEmbedder {
    fn default() -> LazyEmbedder {
        LazyEmbedder(Arc::new(|| plan_err!("this session has no embedder: the host gives it one, with_embedder")))
    }
}

impl fmt::Debug for LazyEmbedder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LazyEmbedder")
    }
}

impl PartialEq for LazyEmbedder {
    fn eq(&self, other: &LazyEmbedder) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for LazyEmbedder {}

impl Hash for LazyEmbedder {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.0).cast::<()>().hash(state);
    }
}

/// Where the vectors of labels are kept.
#[derive(Debug, Clone)]
pub(crate) struct Labels(pub Arc<dyn LabelStore>);

impl Default for Labels {
    fn default() -> Labels {
        Labels(Arc::new(InMemory::default()))
    }
}

type OpenNarrator = dyn Fn(&str) -> Result<Arc<dyn Narrator>> + Send + Sync;

/// The narrators of a session; the first is the default.
#[derive(Clone, Default)]
pub(crate) struct Narrators {
    known: Vec<Arc<dyn Narrator>>,
    open: Option<Arc<OpenNarrator>>,
}

impl fmt::Debug for Narrators {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.known).finish()
    }
}

impl Narrators {
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    pub fn get(&self, name: Option<&str>) -> Result<Arc<dyn Narrator>> {
        let found = match name {
            None => self.known.first(),
            Some(name) => self.known.iter().find(|n| n.name() == name),
        };
        match (found, name, &self.open) {
            (Some(narrator), ..) => Ok(narrator.clone()),
            (None, None, _) => plan_err!("this session has no narrator: the host gives it one, with_narrator"),
            (None, Some(name), Some(open)) => open(name),
            (None, Some(name), None) => {
                let names: Vec<&str> = self.known.iter().map(|n| n.name()).collect();
                plan_err!("unknown narrator `{name}`{}", there_are(name, &names))
            }
        }
    }
}

impl PartialEq for Narrators {
    fn eq(&self, other: &Narrators) -> bool {
        self.known.len() == other.known.len() && self.known.iter().zip(&other.known).all(|(a, b)| Arc::ptr_eq(a, b))
    }
}

impl Eq for Narrators {}

impl Hash for Narrators {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.known.iter().for_each(|n| n.name().hash(state));
    }
}

/// What the functions have to work with.
#[derive(Debug, Default)]
pub struct Populace {
    pub(crate) packs: Packs,
    pub(crate) embedder: Option<LazyEmbedder>,
    pub(crate) search: Option<Arc<dyn TableSearch>>,
    pub(crate) labels: Labels,
    pub(crate) narrators: Narrators,
}

impl Populace {
    /// Nothing yet.
    pub fn new() -> Populace {
        Populace::default()
    }

    /// What `embed` and the searches by meaning turn texts into vectors with.
    pub fn with_embedder(self, embedder: Arc<dyn Embedder>) -> Populace {
        self.with_lazy_embedder(move || Ok(embedder.clone()))
    }

    /// The same, asked for whenever a statement needs it: a session without a model fails only where one is needed.
    pub fn with_lazy_embedder(
        mut self,
        open: impl Fn() -> Result<Arc<dyn Embedder>> + Send + Sync + 'static,
    ) -> Populace {
        self.embedder = Some(LazyEmbedder(Arc::new(open)));
        self
    }

    /// How the host searches its own tables; others are scanned.
    pub fn with_table_search(mut self, search: Arc<dyn TableSearch>) -> Populace {
        self.search = Some(search);
        self
    }

    /// Where the vectors of labels are kept that `fact_search` makes; in memory without it.
    pub fn with_label_store(mut self, labels: Arc<dyn LabelStore>) -> Populace {
        self.labels = Labels(labels);
        self
    }

    /// Adds a narrator, by its name; the first is the one that writes where none is named.
    pub fn with_narrator(mut self, narrator: Arc<dyn Narrator>) -> Populace {
        self.narrators.known.push(narrator);
        self
    }

    /// How narrators are opened that a statement names and the session has not, such as one for each model.
    pub fn with_narrators(
        mut self,
        open: impl Fn(&str) -> Result<Arc<dyn Narrator>> + Send + Sync + 'static,
    ) -> Populace {
        self.narrators.open = Some(Arc::new(open));
        self
    }

    /// Adds a country, under the pack's own name.
    pub fn with_pack(self, pack: Arc<Pack>) -> Populace {
        self.with_lazy_pack(pack.name().to_string(), move || Ok(pack.clone()))
    }

    /// Adds a country whose pack is read when a statement first names it.
    pub fn with_lazy_pack(
        mut self,
        name: impl Into<String>,
        load: impl Fn() -> populace_population::Result<Arc<Pack>> + Send + Sync + 'static,
    ) -> Populace {
        self.packs.add(name.into(), Box::new(load));
        self
    }

    /// How a country is opened that a statement names and the session does not know by name, such as a pack by its path;
    /// `None` where there is no such country.
    pub fn with_pack_opener(
        mut self,
        open: impl Fn(&str) -> Option<populace_population::Result<Arc<Pack>>> + Send + Sync + 'static,
    ) -> Populace {
        self.packs.open_with(Box::new(open));
        self
    }
}

/// The functions of a row. Where a host gives no model, those that need one say so when they are planned.
pub(crate) fn scalars(populace: &Populace) -> Vec<ScalarUDF> {
    vec![
        ScalarUDF::from(AgeBand::new()),
        ScalarUDF::from(CosineSimilarity::new()),
        ScalarUDF::from(Embed::new(populace.embedder.clone().unwrap_or_default())),
        ScalarUDF::from(GenerateNarrative::new(populace.narrators.clone())),
        ScalarUDF::from(TryGenerateNarrative::new(populace.narrators.clone())),
        ScalarUDF::from(Unaccent::new()),
    ]
}

/// The aggregates.
pub(crate) fn aggregates() -> Vec<AggregateUDF> {
    diversity::aggregates().into_iter().chain([AggregateUDF::from(SurveyMean::new())]).collect()
}

/// Adds the functions to a session, and the catalogue `census`. What a session has been given by SQL stays, but for the
/// statements that it has prepared.
///
/// # Errors
/// If the session refuses one of them.
pub fn register(context: &SessionContext, populace: Populace) -> Result<()> {
    let (state, id) = (context.state(), context.session_id());
    let builder = SessionStateBuilder::new_from_existing(state).with_session_id(id);
    *context.state_ref().write() = build_into(builder, populace).build();
    Ok(())
}

/// Adds the functions to a session that is being built, and the catalogue `census`: for hosts that make many sessions.
/// A query planner that plans nodes of its own is asked for statements without calls of functions over relations; it
/// plans those too if it is given a [`RelationFunctionPlanner`](crate::RelationFunctionPlanner).
pub fn build_into(mut builder: SessionStateBuilder, populace: Populace) -> SessionStateBuilder {
    let populace = Arc::new(populace);
    let (embedder, narrators) = (populace.embedder.clone().unwrap_or_default(), populace.narrators.clone());
    // The first that plans a relation does.
    builder.relation_planners().get_or_insert_default().insert(0, Arc::new(Relations(populace.clone())));
    let routines = routines().map(ScalarUDF::from);
    let functions = routines.chain(scalars(&populace)).map(Arc::new);
    builder.scalar_functions().get_or_insert_default().extend(functions);
    builder.aggregate_functions().get_or_insert_default().extend(aggregates().into_iter().map(Arc::new));
    let asynchronous = vec![
        Arc::new(AsyncScalarUDF::new(Arc::new(Embed::new(embedder))).into_scalar_udf()),
        Arc::new(AsyncScalarUDF::new(Arc::new(GenerateNarrative::new(narrators.clone()))).into_scalar_udf()),
        Arc::new(AsyncScalarUDF::new(Arc::new(TryGenerateNarrative::new(narrators.clone()))).into_scalar_udf()),
    ];
    let search = populace.search.clone();
    let planner = Arc::new(WithRelationFunctions(builder.query_planner().take()));
    let catalogs = builder.catalog_list().get_or_insert_with(|| Arc::new(MemoryCatalogProviderList::new()));
    catalogs.register_catalog("census".into(), Arc::new(Census(populace)));
    builder
        .with_analyzer_rule(Arc::new(BindDraws))
        .with_analyzer_rule(Arc::new(RowFacts(narrators.clone())))
        // After the rule above, so that what it fills in is sorted by too.
        .with_analyzer_rule(Arc::new(AsyncCalls(asynchronous)))
        .with_optimizer_rule(Arc::new(LateCalls(search)))
        .with_optimizer_rule(Arc::new(LazyCalls))
        .with_optimizer_rule(Arc::new(DrawsInAnyOrder))
        .with_physical_optimizer_rule(Arc::new(PlanCalls(narrators)))
        .with_query_planner(planner)
}
