//! Lance tables outside of the database, to be read once.

use std::path::Path;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::Schema;
use datafusion::common::{DataFusionError, Result, exec_datafusion_err};
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use lance::dataset::Dataset;

/// A table in a folder of its own, as another database or another program of Lance wrote it.
#[derive(Debug, Clone)]
pub(crate) struct Elsewhere {
    dataset: Dataset,
    place: String,
}

impl Elsewhere {
    /// Whether a folder holds a Lance table.
    pub fn is_table(folder: &Path) -> bool {
        folder.join("_versions").is_dir()
    }

    /// Opens the newest version.
    ///
    /// # Errors
    /// If it cannot be read.
    pub async fn open(folder: &Path) -> Result<Elsewhere> {
        let place = folder.display().to_string();
        let dataset =
            Dataset::open(&place).await.map_err(|e| exec_datafusion_err!("{place} is no whole table: {e}"))?;
        Ok(Elsewhere { dataset, place })
    }

    pub fn schema(&self) -> Schema {
        Schema::from(self.dataset.schema())
    }

    /// # Errors
    /// If it cannot be read.
    pub async fn count(&self) -> Result<u64> {
        Ok(self.dataset.count_rows(None).await? as u64)
    }

    /// The rows, with some of the columns, in that order.
    ///
    /// # Errors
    /// If it cannot be read.
    pub async fn rows(&self, columns: &[String], batch: usize) -> Result<BoxStream<'static, Result<RecordBatch>>> {
        let mut scan = self.dataset.scan();
        scan.project(columns)?.batch_size(batch).scan_in_order(true);
        let place = self.place.clone();
        let rows = scan.try_into_stream().await?;
        Ok(rows.map_err(move |e| DataFusionError::from(e).context(place.clone())).boxed())
    }
}
