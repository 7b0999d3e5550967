//! SQL functions over synthetic people, for any DataFusion session.

mod embedder;
mod narrator;
mod table_search;

pub use embedder::{Embedder, Purpose};
pub use narrator::{Narrative, NarrativeError, NarrativeRequest, Narrator, Prompt};
pub use table_search::{TableSearch, VectorSearch};
