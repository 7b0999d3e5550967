//! Which embedder fills the columns of vectors.

use std::sync::{Arc, OnceLock};

use datafusion::arrow::array::{AsArray, RecordBatch};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::{DataFusionError, Result};
use populace_udfs::{Embedder, Estimate};

use crate::embedders;
use crate::servers::ModelContext;
use crate::sql::access::refused_embedder;

/// Bytes of a text that come to a token, about.
pub(crate) const BYTES_OF_TOKEN: u64 = 4;

/// How many texts rows have in all their columns, and how many bytes of UTF-8 these are.
pub(crate) fn texts_of(rows: &RecordBatch) -> Result<(u64, u64)> {
    let (mut texts, mut bytes) = (0, 0);
    for column in rows.columns() {
        let column = cast(column, &DataType::Utf8)?;
        for text in column.as_string::<i32>().iter().flatten() {
            (texts, bytes) = (texts + 1, bytes + text.len() as u64);
        }
    }
    Ok((texts, bytes))
}

/// What fills the embedding columns.
#[derive(Debug, Clone)]
pub struct EmbedderChoice {
    name: Option<String>,
    opened: Arc<OnceLock<Arc<dyn Embedder>>>,
    /// The session that pays for one behind a server
    context: Option<ModelContext>,
    /// Whether the session may spend on it
    allowed: bool,
    /// On whose behalf it is asked
    statement: Option<String>,
}

impl EmbedderChoice {
    /// An embedder by name, opened when first needed; without a name, the default one.
    pub fn named(name: Option<String>) -> EmbedderChoice {
        EmbedderChoice { name, opened: Arc::default(), context: None, allowed: true, statement: None }
    }

    /// The model that is asked behind a server, and that may have to be paid: `openai:MODEL`.
    pub fn asks(&self) -> Option<&str> {
        self.name.as_deref().filter(|name| embedders::asks(name))
    }

    /// The same for a session: one behind a server is asked within its limits, if it is `allowed` to spend on it.
    pub(crate) fn of_session(&self, context: ModelContext, allowed: bool) -> EmbedderChoice {
        match self.asks() {
            Some(_) => EmbedderChoice { context: Some(context), allowed, ..EmbedderChoice::named(self.name.clone()) },
            None => self.clone(),
        }
    }

    /// The same on behalf of a statement of the session, by its id.
    pub(crate) fn for_statement(&self, statement: &str) -> EmbedderChoice {
        EmbedderChoice { statement: Some(statement.into()), ..self.clone() }
    }

    /// # Errors
    /// If there is no such embedder, its model is not installed, or its server does not answer; if the session may not
    /// spend on it.
    pub fn get(&self) -> Result<Arc<dyn Embedder>> {
        if let (Some(name), false) = (self.asks(), self.allowed) {
            return Err(refused_embedder(name));
        }
        let embedder = match self.opened.get() {
            Some(embedder) => embedder.clone(),
            None => {
                let embedder = embedders::open(self.name.as_deref(), self.context.as_ref());
                let embedder = embedder.map_err(DataFusionError::Execution)?;
                self.opened.get_or_init(|| embedder).clone()
            }
        };
        Ok(self.statement.as_deref().and_then(|id| embedder.for_statement(id)).unwrap_or(embedder))
    }

    /// Adds what vectors of so many texts, of so many bytes in all, would take; false if nobody is asked.
    ///
    /// # Errors
    /// If there is no such server or key, or the file of prices is at fault.
    pub fn estimate(&self, texts: u64, bytes: u64, estimate: &mut Estimate) -> Result<bool> {
        let (Some(name), Some(context)) = (self.asks(), &self.context) else { return Ok(false) };
        embedders::estimate(name, &context.asking, (texts, bytes / BYTES_OF_TOKEN), estimate)
            .map_err(DataFusionError::Execution)?;
        Ok(true)
    }
}
