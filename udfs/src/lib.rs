//! SQL functions over synthetic people, for any DataFusion session.
//!
//! [`register`] adds them to a session: `sample_persona`, `generate_persona`, `generate_narrative`,
//! `try_generate_narrative`, `persona_probability`, `assumed_independences`, `embed`, `cosine_similarity`,
//! `fact_search`, `semantic_search`, `text_search`, `hybrid_search`, `similar_to`, `duplicates`, `validate`, `fidelity`, `compare`,
//! `rake`, `rebalance`, `stereotype_index`, `stratified_sample`, `estimate`, `differences`, TABLESAMPLE, `age_band`, `unaccent`, aggregates of diversity such
//! as `vendi_score`, and the catalogue `census`. What they need of a host, models above all, is named by small traits.
//!
//! All of them are there unless a feature is left out: `search`, `checks` (`validate` and `duplicates`; with `search`) or
//! `narratives` (`generate_persona`, `generate_narrative` and `try_generate_narrative`). A call of a function that is left
//! out says which feature it needs.

// What a feature alone uses of the modules that all share.
#![cfg_attr(not(all(feature = "checks", feature = "narratives")), allow(dead_code))]

mod aggregates;
mod call;
mod host;
mod judgement;
#[cfg(feature = "narratives")]
mod narratives;
mod nodes;
#[cfg(feature = "narratives")]
pub mod parts;
mod people;
#[cfg(feature = "checks")]
mod quality;
mod samples;
mod scalars;
#[cfg(feature = "search")]
mod search;
mod session;
#[cfg(all(test, feature = "default"))]
mod simulation;
mod statistics;
mod surveys;
mod types;

pub use call::seed::fresh_seed;
pub use host::Populace;
pub use host::embedder::{Embedder, Purpose};
pub use host::facts::{LANGUAGE, facts, facts_of, language_of, pack_name, same_language};
pub use host::labels::LabelStore;
pub use host::language::{TELLING, languages_of};
pub use host::narrator::{
    Estimate, NARRATIVE, NARRATIVES, Narrative, NarrativeError, NarrativeRequest, Narrator, Prompt, StatementOptions,
    narrative_field,
};
pub use host::plausibility::{CountryStatements, PlausibilityStatement, PlausibilityVerdict};
#[cfg(feature = "search")]
pub use host::reranker::Reranker;
#[cfg(feature = "search")]
pub use host::table_search::TextQuery;
pub use host::table_search::{SearchRows, TableSearch};
#[cfg(feature = "search")]
pub use host::words::{LONGEST_WORD, Words};
#[cfg(feature = "narratives")]
pub use narratives::estimate::{EmbeddedTexts, RowSample, embedded, estimate};
#[cfg(feature = "narratives")]
pub use narratives::generate_narrative::is_narrating;
#[cfg(feature = "narratives")]
pub use narratives::generate_persona::narrator_of;
#[cfg(feature = "narratives")]
pub use narratives::narrate::{OnOutage, Outage, narrate, narrated};
#[cfg(feature = "narratives")]
pub use narratives::template::{bounded, render_bounded, template_names};
pub use nodes::relation_function::{RelationFunctionPlanner, passed_column};
#[cfg(feature = "checks")]
pub use quality::checks;
pub use samples::lineage::sample_design;
#[cfg(feature = "search")]
pub use search::is_embedding;
pub use session::expr_fn;
pub use session::functions::{Function, FunctionKind, functions, is_table_function, reference, table_function};
pub use session::register::{aggregates, build_into, register, scalars};
#[cfg(feature = "narratives")]
pub use session::rewrite::narrators;
pub use session::rewrite::{drawn_from, rewrite, with_seeds};
pub use session::rules::draws_in_any_order::scans_in_any_order;
pub use session::table_call::{Argument, TableCall};
