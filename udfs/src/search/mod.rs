//! Search: by meaning, by words, by both, by facts and near a person; with filters, quotas and diversity.

mod bm25;
mod choose;
mod collected;
mod facts;
pub(crate) mod functions;
mod rank;
mod request;
mod rerank;
mod run;
mod usual;

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::SortOptions;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::Result;
use futures::stream::BoxStream;
use futures::{StreamExt, stream};

use self::rank::Fusion;
use self::rerank::Rerank;
use crate::host::Populace;
use crate::host::words::Words;
use crate::nodes::relation_function::{RelationFunction, Wanted};
use crate::scalars::embed;

#[cfg(feature = "checks")]
pub(crate) use request::{text_column, vector_column};
#[cfg(feature = "checks")]
pub(crate) use run::vectors_of;

const SCORE: &str = "score";

/// Whether a function, by its name, turns texts into vectors: `embed`, and the searches by meaning.
pub fn is_embedding(function: &str) -> bool {
    [embed::NAME, "semantic_search", "hybrid_search", "fact_search"].contains(&function)
}

/// What a search goes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    /// The meaning of a text
    Meaning,
    /// Its words
    Words,
    Both,
    /// What is known of people, and the meaning of their texts
    Facts,
    /// The texts of a person
    Person,
}

/// One search, as a table: the columns searched, `score`, and what else tells of it.
#[derive(Debug)]
struct Search {
    function: &'static str,
    by: By,
    /// The columns of the table
    table: SchemaRef,
    /// As the statement has it; the rows that are read satisfy it
    condition: Option<String>,
    /// The text, or the person's uuid
    wanted: String,
    k: usize,
    /// As the statement calls them
    columns: Vec<String>,
    /// With the vectors, for a search by meaning or near a person
    vectors: Vec<String>,
    /// With the texts, for a search by words
    texts: Vec<String>,
    words: Option<Words>,
    /// The columns that are known of people, and whether they are lists, for a search by facts
    facts: Vec<String>,
    is_list: Vec<bool>,
    fusion: Fusion,
    quotas: Vec<(String, usize)>,
    /// The vectors by which rows are told apart, where diversity is asked for
    pool: Option<String>,
    diversity: Option<f32>,
    rerank: Option<Rerank>,
    populace: Arc<Populace>,
}

impl Search {
    /// Beside the columns of the table.
    fn added(&self) -> Vec<Field> {
        let field = |name, kind| Field::new(name, kind, true);
        let mut fields = vec![Field::new(SCORE, DataType::Float32, false)];
        if self.by == By::Both {
            fields.push(field("text_score", DataType::Float32));
            fields.push(field("text_rank", DataType::Int64));
            fields.push(field("semantic_score", DataType::Float32));
            fields.push(field("semantic_rank", DataType::Int64));
        } else if self.by == By::Facts {
            fields.push(field("fact", DataType::Utf8));
            fields.push(field("fact_score", DataType::Float32));
            fields.push(field("semantic_score", DataType::Float32));
        } else if self.columns.len() > 1 && matches!(self.fusion, Fusion::Best) {
            fields.push(field("matched", DataType::Utf8));
        }
        fields
    }

    fn full_schema(&self) -> SchemaRef {
        let mut fields: Vec<Field> = self.table.fields().iter().map(|f| f.as_ref().clone()).collect();
        fields.extend(self.added());
        Arc::new(Schema::new(fields))
    }
}

impl RelationFunction for Search {
    fn operator(&self) -> &'static str {
        "SearchExec"
    }

    fn name(&self) -> &'static str {
        self.function
    }

    fn schema(&self) -> SchemaRef {
        self.full_schema()
    }

    fn embedded_text(&self) -> Option<&str> {
        matches!(self.by, By::Meaning | By::Both | By::Facts).then_some(self.wanted.as_str())
    }

    fn details(&self) -> String {
        let k = self.rerank.as_ref().map_or(self.k, |rerank| rerank.k);
        let mut details = format!("k={k}, columns=({})", self.columns.join(", "));
        if let Some(condition) = &self.condition {
            details.push_str(&format!(", where={condition}"));
        }
        if self.by == By::Facts {
            details.push_str(&format!(", facts=({})", self.facts.join(", ")));
        }
        for (column, most) in &self.quotas {
            details.push_str(&format!(", max_per=({column}, {most})"));
        }
        if let Some(weight) = self.diversity {
            details.push_str(&format!(", diversity={weight}"));
        }
        if let Some(Rerank { by, .. }) = &self.rerank {
            details.push_str(&format!(", rerank={} of {}", by.name(), self.k));
        }
        details
    }

    fn start(self: Arc<Self>, wanted: Wanted) -> BoxStream<'static, Result<RecordBatch>> {
        stream::once(async move { self.run(wanted).await }).boxed()
    }

    fn is_subset(&self) -> bool {
        true
    }

    fn carries(&self) -> bool {
        true
    }

    fn passes(&self) -> Vec<Option<(usize, String)>> {
        let table = self.table.fields().iter().map(|f| Some((0, f.name().clone())));
        table.chain(self.added().iter().map(|_| None)).collect()
    }

    fn reads(&self) -> Vec<(usize, String)> {
        self.searched().into_iter().map(|name| (0, name)).collect()
    }

    fn ordering(&self) -> Option<(&'static str, SortOptions)> {
        // Diversity is not by the score alone.
        self.diversity.is_none().then_some((SCORE, SortOptions { descending: true, nulls_first: false }))
    }
}
