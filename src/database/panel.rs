//! How the panel was drawn that a table is.

use datafusion::arrow::datatypes::Schema;
use datafusion::common::Result;

use super::Database;

/// Metadata of a table: the design of the panel, in JSON.
const PANEL: &str = "populace:panel";

/// The design of the panel that a table is; `None` if it is none.
pub fn panel_design(schema: &Schema) -> Option<&str> {
    schema.metadata().get(PANEL).map(String::as_str)
}

impl Database {
    /// Notes with a table that it is a panel, and how that was drawn.
    ///
    /// # Errors
    /// If there is no such table, or it cannot be written.
    pub async fn set_panel_design(&self, table: &str, design: &str) -> Result<()> {
        let table = self.write(table).await?;
        table.newest().await?.update_schema_metadata([(PANEL.to_string(), design.to_string())]).await?;
        table.sync().await
    }
}
