//! Tables whose people are all people of another table: samples of it, and those whom a condition or a search chose.

use datafusion::arrow::datatypes::Schema;
use datafusion::common::Result;
use serde::{Deserialize, Serialize};

use super::{Table, TableWriter};

/// Metadata of a table: a [`SampleOf`] in JSON.
pub(super) const SAMPLE: &str = "populace:sample";

/// Whose people those of a table are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SampleOf {
    /// The table that they were taken from, as it was called then
    pub table: String,
    /// The function that took them with its arguments, as EXPLAIN shows them
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub design: Option<String>,
    /// That table, and those that its people were taken from in turn
    ids: Vec<String>,
}

impl SampleOf {
    pub(crate) fn new(table: &Table, design: Option<String>) -> SampleOf {
        let schema = Schema::from(table.snapshot().dataset.schema());
        let further = sample_of(&schema).map(|sample| sample.ids).unwrap_or_default();
        let ids = std::iter::once(table.snapshot().table.id.clone()).chain(further).collect();
        SampleOf { table: table.name().to_string(), design, ids }
    }

    /// Whether its people are among those of tables of these ids.
    pub(super) fn is_among(&self, tables: &[String]) -> bool {
        self.ids.iter().any(|id| tables.contains(id))
    }

    pub(super) fn metadata(&self) -> Option<(String, String)> {
        serde_json::to_string(self).ok().map(|text| (SAMPLE.to_string(), text))
    }
}

/// Whose people those of a table are, if it says that they are another's.
pub fn sample_of(schema: &Schema) -> Option<SampleOf> {
    schema.metadata().get(SAMPLE).and_then(|text| serde_json::from_str(text).ok())
}

impl TableWriter<'_> {
    /// Notes that the table gets rows that may be anybody's.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(super) async fn takes_others(&self) -> Result<()> {
        let mut dataset = self.newest().await?;
        if sample_of(&Schema::from(dataset.schema())).is_none() {
            return Ok(());
        }
        dataset.update_schema_metadata([(SAMPLE.to_string(), None::<String>)]).await?;
        self.sync().await
    }
}
