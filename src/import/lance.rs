//! Lance: the table of another database, as it lies in its folder.

use std::path::Path;

use datafusion::common::{Result, exec_datafusion_err};
use futures::StreamExt;
use tokio::runtime::Handle;

use super::source::{Batches, Format, ROWS, Source};
use crate::database::{Elsewhere, PACK, sources_of};

/// The runtime that the thread was made by, which waits for files.
fn runtime() -> Result<Handle> {
    Handle::try_current().map_err(|e| exec_datafusion_err!("{e}"))
}

pub(super) fn open(path: &Path) -> Result<Source> {
    let opened = runtime()?.block_on(async {
        let table = Elsewhere::open(path).await?;
        Ok::<_, datafusion::common::DataFusionError>((table.schema(), table.count().await?))
    });
    let (schema, rows) = opened?;
    let fields = schema.fields().iter().map(|f| f.as_ref().clone()).collect();
    let (pack, from) = (schema.metadata().get(PACK).cloned(), sources_of(&schema));
    Ok(Source { path: path.into(), format: Format::Lance, fields, rows, delimiter: 0, pack, from })
}

pub(super) fn read(source: &Source, columns: &[usize]) -> Result<Batches> {
    let names: Vec<String> = columns.iter().map(|c| source.fields[*c].name().clone()).collect();
    let (runtime, path) = (runtime()?, source.path.clone());
    let mut rows = runtime.block_on(async { Elsewhere::open(&path).await?.rows(&names, ROWS).await })?;
    Ok(Box::new(std::iter::from_fn(move || runtime.block_on(rows.next()))))
}
