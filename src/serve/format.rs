//! What rows are sent as.

use serde::Deserialize;
use utoipa::ToSchema;

/// What rows are sent as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Format {
    /// One object, with `columns` and `rows`
    #[default]
    Json,
    /// One object a line
    Ndjson,
    Csv,
    /// Arrow's stream of record batches
    Arrow,
}
