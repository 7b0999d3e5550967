//! SQL functions over synthetic people, for any DataFusion session.
//!
//! [`register`] adds them to a session: `sample_persona`, `persona_probability`, `assumed_independences`, `embed`,
//! `cosine_similarity`, `semantic_search`, and the catalogue `census`. What they need of a host, models above all, is named by small traits.

mod arguments;
mod assumed_independences;
mod census;
mod cosine_similarity;
mod embed;
mod embedder;
mod facts;
mod generate_narrative;
mod given;
mod narrator;
mod packs;
mod persona_probability;
mod plugin;
mod relations;
mod rewrite;
mod row_facts;
mod sample_persona;
mod semantic_search;
mod table_search;

pub use embedder::{Embedder, Purpose};
pub use narrator::{Narrative, NarrativeError, NarrativeRequest, Narrator, Prompt};
pub use plugin::{Populace, register};
pub use rewrite::rewrite;
pub use table_search::{TableSearch, VectorSearch};
