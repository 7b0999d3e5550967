//! SQL functions over synthetic people, for any DataFusion session.
//!
//! [`register`] adds them to a session: `sample_persona`, `generate_persona`, `generate_narrative`,
//! `try_generate_narrative`, `persona_probability`, `assumed_independences`, `embed`, `cosine_similarity`,
//! `fact_search`, `semantic_search`, `text_search`, `hybrid_search`, `similar_to`, `duplicates`, `validate`, `fidelity`, `compare`,
//! `rake`, `rebalance`, `stereotype_index`, `stratified_sample`, TABLESAMPLE, `age_band`, `unaccent`, aggregates of diversity such
//! as `vendi_score`, and the catalogue `census`. What they need of a host, models above all, is named by small traits.

mod age_band;
mod arguments;
mod assumed_independences;
mod async_calls;
mod census;
pub mod checks;
mod compare;
mod complete_persona;
mod cosine_similarity;
mod counterfactual;
mod diversity;
mod draws_in_any_order;
mod domain;
mod duplicates;
mod embed;
mod embedder;
mod estimate;
mod facts;
mod fidelity;
mod generate_narrative;
mod generate_persona;
mod given;
mod goodness;
mod labels;
mod lazy_calls;
mod narrate;
mod narrate_calls;
mod narrator;
mod packs;
mod persona_probability;
mod plugin;
mod relation_function;
mod relations;
mod rewrite;
mod row_facts;
mod sample_persona;
mod sampling;
mod scan;
mod search;
mod stereotype_index;
mod stratified_sample;
mod survey_mean;
mod table_functions;
mod table_sample;
mod table_search;
mod template;
mod unaccent;
mod unbound_draw;
mod validate;
mod weighting;

pub use embedder::{Embedder, Purpose};
pub use estimate::{RowSample, estimate};
pub use facts::{LANGUAGE, facts, facts_of, language_of, pack_name, same_language};
pub use generate_narrative::is_narrating;
pub use generate_persona::narrator_of;
pub use labels::LabelStore;
pub use narrate::{OnOutage, Outage, narrate, narrated};
pub use narrator::{
    Estimate, NARRATIVE, NARRATIVES, Narrative, NarrativeError, NarrativeRequest, Narrator, Prompt, StatementOptions,
    narrative_field,
};
pub use plugin::{Populace, build_into, register};
pub use relation_function::{RelationFunctionPlanner, passed_column};
pub use rewrite::{drawn_from, narrators, rewrite, with_seeds};
pub use sample_persona::fresh_seed;
pub use search::{LONGEST_WORD, Words};
pub use table_functions::{Function, FunctionKind, functions, is_table_function, reference, table_function};
pub use table_search::{SearchRows, TableSearch, TextQuery};
pub use template::{bounded, render_bounded, template_names};
