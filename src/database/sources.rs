//! Where the rows of a table were imported from.

use datafusion::arrow::datatypes::Schema;
use datafusion::common::{Result, exec_datafusion_err};
use serde::{Deserialize, Serialize};

use super::Database;

/// Metadata of a table: a list of [`Source`] in JSON.
pub(crate) const SOURCES: &str = "populace:sources";

/// Where rows are from, as whoever imported them said it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// A dataset by its name or address, and whom it is owed to
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The identifier of a licence, as Hugging Face knows it: cc-by-4.0
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub licence: Option<String>,
}

/// The sources that a table, or a file that was made of it, tells of; none where it tells of none.
pub fn sources_of(schema: &Schema) -> Vec<Source> {
    schema.metadata().get(SOURCES).map(|text| sources_in(text)).unwrap_or_default()
}

pub(crate) fn sources_in(text: &str) -> Vec<Source> {
    serde_json::from_str(text).unwrap_or_default()
}

impl Database {
    /// Notes with a table where rows of it are from; what is noted already is not noted twice.
    ///
    /// # Errors
    /// If there is no such table, or it cannot be written.
    pub async fn add_sources(&self, table: &str, more: &[Source]) -> Result<()> {
        let known = self.schema(table).await?.map(|schema| sources_of(&schema)).unwrap_or_default();
        if more.iter().all(|source| known.contains(source)) {
            return Ok(());
        }
        let table = self.write(table).await?;
        let mut dataset = table.newest().await?;
        // Read again, now that nobody else writes.
        let mut all = sources_of(&Schema::from(dataset.schema()));
        for source in more {
            if !all.contains(source) {
                all.push(source.clone());
            }
        }
        let text = serde_json::to_string(&all).map_err(|e| exec_datafusion_err!("{e}"))?;
        dataset.update_schema_metadata([(SOURCES.to_string(), text)]).await?;
        table.sync().await
    }
}
