//! SQL functions over synthetic people, for any DataFusion session.
//!
//! [`register`] adds them to a session: `sample_persona`, `generate_persona`, `generate_narrative`,
//! `try_generate_narrative`, `persona_probability`, `assumed_independences`, `embed`, `cosine_similarity`,
//! `fact_search`, `semantic_search`, `text_search`, `hybrid_search`, `similar_to`, `duplicates`, `validate`, `fidelity`, `compare`,
//! `rake`, `rebalance`, `stereotype_index`, `stratified_sample`, TABLESAMPLE, `age_band`, `unaccent`, aggregates of diversity such
//! as `vendi_score`, and the catalogue `census`. What they need of a host, models above all, is named by small traits.

mod aggregates;
mod call;
mod host;
mod judgement;
mod narratives;
mod nodes;
pub mod parts;
mod people;
mod quality;
mod samples;
mod scalars;
mod search;
mod session;
#[cfg(test)]
mod simulation;
mod statistics;
mod types;

pub use call::seed::fresh_seed;
pub use host::Populace;
pub use host::embedder::{Embedder, Purpose};
pub use host::facts::{LANGUAGE, facts, facts_of, language_of, pack_name, same_language};
pub use host::labels::LabelStore;
pub use host::narrator::{
    Estimate, NARRATIVE, NARRATIVES, Narrative, NarrativeError, NarrativeRequest, Narrator, Prompt, StatementOptions,
    narrative_field,
};
pub use host::table_search::{SearchRows, TableSearch, TextQuery};
pub use host::words::{LONGEST_WORD, Words};
pub use narratives::estimate::{RowSample, estimate};
pub use narratives::generate_narrative::is_narrating;
pub use narratives::generate_persona::narrator_of;
pub use narratives::narrate::{OnOutage, Outage, narrate, narrated};
pub use narratives::template::{bounded, render_bounded, template_names};
pub use nodes::relation_function::{RelationFunctionPlanner, passed_column};
pub use quality::checks;
pub use session::functions::{Function, FunctionKind, functions, is_table_function, reference, table_function};
pub use session::register::{build_into, register};
pub use session::rewrite::{drawn_from, narrators, rewrite, with_seeds};
