//! Registering the functions.

use std::sync::Arc;

use datafusion::catalog::MemoryCatalogProviderList;
use datafusion::common::Result;
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::logical_expr::async_udf::AsyncScalarUDF;
use datafusion::logical_expr::{AggregateUDF, ScalarUDF};
use datafusion::prelude::SessionContext;

use crate::aggregates::diversity;
use crate::aggregates::survey_mean::SurveyMean;
use crate::host::Populace;
#[cfg(feature = "narratives")]
use crate::narratives::generate_narrative::{GenerateNarrative, TryGenerateNarrative};
#[cfg(feature = "narratives")]
use crate::narratives::narrate_calls::PlanCalls;
use crate::nodes::relation_function::WithRelationFunctions;
use crate::nodes::unbound_draw::BindDraws;
use crate::people::census::Census;
use crate::samples::permanent_random_number::PermanentRandomNumber;
use crate::scalars::age_band::AgeBand;
use crate::scalars::cosine_similarity::CosineSimilarity;
use crate::scalars::embed::Embed;
use crate::scalars::unaccent::Unaccent;
use crate::session::functions::routines;
use crate::session::left_out;
use crate::session::relations::Relations;
use crate::session::rules::async_calls::AsyncCalls;
use crate::session::rules::draws_in_any_order::DrawsInAnyOrder;
use crate::session::rules::lazy_calls::{LateCalls, LazyCalls};
#[cfg(feature = "narratives")]
use crate::session::rules::row_facts::RowFacts;

/// The functions of a row that need nothing of a host: `age_band`, `cosine_similarity`, `permanent_random_number` and
/// `unaccent`, for a session that wants no more.
///
/// ```
/// let context = datafusion::prelude::SessionContext::new();
/// populace_udfs::scalars().into_iter().for_each(|function| context.register_udf(function));
/// populace_udfs::aggregates().into_iter().for_each(|function| context.register_udaf(function));
/// ```
pub fn scalars() -> Vec<ScalarUDF> {
    vec![
        AgeBand::new().into(),
        CosineSimilarity::new().into(),
        PermanentRandomNumber::new().into(),
        Unaccent::new().into(),
    ]
}

/// All functions of a row. Where a host gives no model, those that need one say so when they are planned.
pub(crate) fn scalars_of(populace: &Populace) -> Vec<ScalarUDF> {
    let mut functions = scalars();
    functions.push(Embed::new(populace.embedder.clone().unwrap_or_default()).into());
    #[cfg(feature = "narratives")]
    functions.extend([
        ScalarUDF::from(GenerateNarrative::new(populace.narrators.clone())),
        ScalarUDF::from(TryGenerateNarrative::new(populace.narrators.clone())),
    ]);
    functions.sort_by(|one, other| one.name().cmp(other.name()));
    functions
}

/// Those of them that ask a model, as they are called; a session lists the ones above under the same names.
pub(crate) fn asynchronous(populace: &Populace) -> Vec<Arc<ScalarUDF>> {
    let embedder = populace.embedder.clone().unwrap_or_default();
    #[cfg(feature = "narratives")]
    let narrators = populace.narrators.clone();
    Vec::from([
        Arc::new(AsyncScalarUDF::new(Arc::new(Embed::new(embedder))).into_scalar_udf()),
        #[cfg(feature = "narratives")]
        Arc::new(AsyncScalarUDF::new(Arc::new(GenerateNarrative::new(narrators.clone()))).into_scalar_udf()),
        #[cfg(feature = "narratives")]
        Arc::new(AsyncScalarUDF::new(Arc::new(TryGenerateNarrative::new(narrators))).into_scalar_udf()),
    ])
}

/// The aggregates; they need nothing of a host.
pub fn aggregates() -> Vec<AggregateUDF> {
    diversity::aggregates().into_iter().chain([AggregateUDF::from(SurveyMean::new())]).collect()
}

/// Adds the functions to a session, and the catalogue `census`. What a session has been given by SQL stays, but for the
/// statements that it has prepared.
///
/// # Errors
/// If the session refuses one of them.
pub fn register(context: &SessionContext, populace: impl Into<Arc<Populace>>) -> Result<()> {
    let (state, id) = (context.state(), context.session_id());
    let builder = SessionStateBuilder::new_from_existing(state).with_session_id(id);
    *context.state_ref().write() = build_into(builder, populace).build();
    Ok(())
}

/// Adds the functions to a session that is being built, and the catalogue `census`: for hosts that make many sessions.
/// A query planner that plans nodes of its own is asked for statements without calls of functions over relations; it
/// plans those too if it is given a [`RelationFunctionPlanner`](crate::nodes::relation_function::RelationFunctionPlanner).
pub fn build_into(mut builder: SessionStateBuilder, populace: impl Into<Arc<Populace>>) -> SessionStateBuilder {
    let populace = populace.into();
    #[cfg(feature = "narratives")]
    let narrators = populace.narrators.clone();
    // The first that plans a relation does.
    builder.relation_planners().get_or_insert_default().insert(0, Arc::new(Relations(populace.clone())));
    let routines = routines().map(ScalarUDF::from);
    let functions = routines.chain(scalars_of(&populace)).chain(left_out::scalars()).map(Arc::new);
    builder.scalar_functions().get_or_insert_default().extend(functions);
    builder.aggregate_functions().get_or_insert_default().extend(aggregates().into_iter().map(Arc::new));
    let asynchronous = asynchronous(&populace);
    let search = populace.search.clone();
    let planner = Arc::new(WithRelationFunctions(builder.query_planner().take()));
    let catalogs = builder.catalog_list().get_or_insert_with(|| Arc::new(MemoryCatalogProviderList::new()));
    catalogs.register_catalog("census".into(), Arc::new(Census(populace)));
    let builder = builder.with_analyzer_rule(Arc::new(BindDraws));
    // Before the next rule, so that what it fills in is sorted by too.
    #[cfg(feature = "narratives")]
    let builder = builder
        .with_analyzer_rule(Arc::new(RowFacts(narrators.clone())))
        .with_physical_optimizer_rule(Arc::new(PlanCalls(narrators)));
    builder
        .with_analyzer_rule(Arc::new(AsyncCalls(asynchronous)))
        .with_optimizer_rule(Arc::new(LateCalls(search)))
        .with_optimizer_rule(Arc::new(LazyCalls))
        .with_optimizer_rule(Arc::new(DrawsInAnyOrder))
        .with_query_planner(planner)
}
