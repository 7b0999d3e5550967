//! Search: by meaning, by words, by both, and near a person; with filters, quotas and diversity.

mod bm25;
mod choose;
mod collected;
mod rank;
mod request;
mod run;
mod words;

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{Result, exec_err};
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::{Expr, LogicalPlan, TableType};
use datafusion::physical_plan::ExecutionPlan;
use futures::{StreamExt, stream};

use self::rank::Fusion;
use crate::Populace;
use crate::sampling::deferred::DeferredExec;

pub(crate) use request::{plan, text_column, vector_column};
pub(crate) use run::vectors_of;
pub use words::{LONGEST_WORD, Words};

const SCORE: &str = "score";

/// What a search goes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    /// The meaning of a text
    Meaning,
    /// Its words
    Words,
    Both,
    /// The texts of a person
    Person,
}

/// One search, as a table: the columns searched, `score`, and what else tells of it.
#[derive(Debug)]
struct Search {
    function: &'static str,
    by: By,
    input: LogicalPlan,
    filter: Option<Expr>,
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
    fusion: Fusion,
    quotas: Vec<(String, usize)>,
    diversity: Option<f32>,
    populace: Arc<Populace>,
}

impl Search {
    /// Beside the columns of the table.
    fn added(&self) -> Vec<Field> {
        let field = |name, kind| Field::new(name, kind, true);
        let mut fields = vec![field(SCORE, DataType::Float32)];
        if self.by == By::Both {
            fields.push(field("text_score", DataType::Float32));
            fields.push(field("text_rank", DataType::Int64));
            fields.push(field("semantic_score", DataType::Float32));
            fields.push(field("semantic_rank", DataType::Int64));
        } else if self.columns.len() > 1 && matches!(self.fusion, Fusion::Best) {
            fields.push(field("matched", DataType::Utf8));
        }
        fields
    }

    fn full_schema(&self) -> SchemaRef {
        let mut fields: Vec<Field> = self.input.schema().fields().iter().map(|f| f.as_ref().clone()).collect();
        fields.extend(self.added());
        Arc::new(Schema::new(fields))
    }

    fn details(&self) -> String {
        let mut details = format!("k={}, columns=({})", self.k, self.columns.join(", "));
        if let Some(filter) = &self.filter {
            details.push_str(&format!(", where={filter}"));
        }
        for (column, most) in &self.quotas {
            details.push_str(&format!(", max_per=({column}, {most})"));
        }
        if let Some(weight) = self.diversity {
            details.push_str(&format!(", diversity={weight}"));
        }
        details
    }
}

/// A search with its columns.
#[derive(Debug)]
struct SearchTable {
    search: Arc<Search>,
    schema: SchemaRef,
}

#[async_trait]
impl TableProvider for SearchTable {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Temporary
    }

    async fn scan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        _: &[Expr],
        _: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let Some(state) = session.as_any().downcast_ref::<SessionState>() else {
            return exec_err!("{}: this session cannot plan while it runs", self.search.function);
        };
        let state = Arc::new(state.clone());
        let projection = projection.cloned().unwrap_or_else(|| (0..self.schema.fields().len()).collect());
        let schema = Arc::new(self.schema.project(&projection)?);
        let search = self.search.clone();
        let to = schema.clone();
        let start = move |_| {
            let (search, state, projection, to) = (search.clone(), state.clone(), projection.clone(), to.clone());
            stream::once(async move { search.run(&state, &projection, to).await }).boxed()
        };
        Ok(Arc::new(DeferredExec::new("SearchExec", self.search.details(), schema, start)))
    }
}
