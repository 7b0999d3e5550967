//! Where the vectors of labels are kept: in the catalogue of the database.

use std::fmt;
use std::sync::Arc;

use datafusion::common::Result;
use populace_udfs::{LabelStore, Purpose};

use crate::database::Database;

pub(super) struct CatalogLabels(pub Arc<Database>);

impl fmt::Debug for CatalogLabels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CatalogLabels")
    }
}

fn name(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::Query => "query",
        Purpose::Passage => "passage",
    }
}

impl LabelStore for CatalogLabels {
    fn read(&self, embedder: &str, purpose: Purpose, labels: &[String]) -> Result<Vec<Option<Vec<f32>>>> {
        let none = || vec![None; labels.len()];
        // A search must not fail because the catalogue is locked or cannot be made: vectors are made again.
        let Ok(catalog) = self.0.catalog() else { return Ok(none()) };
        Ok(catalog.labels(embedder, name(purpose), labels).unwrap_or_else(|_| none()))
    }

    fn keep(&self, embedder: &str, purpose: Purpose, labels: &[String], vectors: &[Vec<f32>]) {
        if let Ok(catalog) = self.0.catalog()
            && let Err(error) = catalog.keep_labels(embedder, name(purpose), labels, vectors)
        {
            tracing::debug!(%error, "vectors of labels are not kept");
        }
    }
}
