//! UPDATE and DELETE.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use datafusion::arrow::array::{Array, AsArray, RecordBatch, StringArray};
use datafusion::arrow::datatypes::{Schema, SchemaRef};
use datafusion::common::{Result, exec_err};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::logical_expr::{Expr, col, lit};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::{StreamExt, TryStreamExt};
use lance::dataset::{DeleteBuilder, MergeInsertBuilder, WhenMatched, WhenNotMatched};

use super::append::{embed_batch, typed};
use super::shape::embedded_narrative;
use super::table::is_plain;
use super::{Database, WriteLock, has_key};

/// Keys that go into one deletion.
const KEYS: usize = 10_000;

impl Database {
    /// Replaces people by their changed rows, in one commit. The vectors of changed narratives are made anew, and
    /// `narrator` is noted as who wrote them.
    ///
    /// # Errors
    /// If the table has no key, a change touches the key or a vector, or the rows cannot be written.
    pub async fn update(
        &self,
        table: &str,
        rows: SendableRecordBatchStream,
        changed: &[String],
        narrator: Option<&str>,
        lock: &WriteLock,
    ) -> Result<u64> {
        let dataset = self.newest(table).await?;
        let schema: SchemaRef = Arc::new(Schema::from(dataset.schema()));
        if !has_key(&schema) {
            return exec_err!("UPDATE finds rows again by their uuid, which {table} has not");
        }
        if changed.iter().any(|c| c == "uuid") {
            return exec_err!("uuid is the key of {table} and cannot be changed");
        }
        let vectors = |c: &&String| schema.field_with_name(c).is_ok_and(|f| embedded_narrative(f).is_some());
        if let Some(column) = changed.iter().find(vectors) {
            return exec_err!("{column} follows from its text: change the text instead");
        }
        let stale: Vec<String> = changed
            .iter()
            .filter(|c| schema.fields().iter().any(|f| embedded_narrative(f) == Some(c)))
            .cloned()
            .collect();
        let embedder = if stale.is_empty() { None } else { self.embedder_of(table, &schema)? };
        let count = Arc::new(AtomicU64::new(0));
        let (counted, to) = (count.clone(), schema.clone());
        let narrator = narrator.map(String::from);
        let rows = rows.then(move |batch| {
            let (embedder, stale, to, counted) = (embedder.clone(), stale.clone(), to.clone(), counted.clone());
            let narrator = narrator.clone();
            async move {
                let mut batch = typed(&batch?, &to, &[])?;
                if batch.column_by_name("uuid").is_some_and(|u| u.null_count() > 0) {
                    return exec_err!("UPDATE finds rows again by their uuid, which some of these have not");
                }
                if let (Some(narrator), Ok(at)) = (narrator, to.index_of("narrator")) {
                    let mut columns = batch.columns().to_vec();
                    columns[at] = Arc::new(StringArray::from(vec![narrator; batch.num_rows()]));
                    batch = RecordBatch::try_new(to.clone(), columns)?;
                }
                counted.fetch_add(batch.num_rows() as u64, Ordering::Relaxed);
                match embedder {
                    Some(e) => embed_batch(e.as_ref(), batch, |n| stale.iter().any(|s| s == n)).await,
                    None => Ok(batch),
                }
            }
        });
        let batches: Vec<_> = rows.try_collect().await?;
        if count.load(Ordering::Relaxed) > 0 {
            let mut merge = MergeInsertBuilder::try_new(Arc::new(dataset), vec!["uuid".into()])?;
            merge.when_matched(WhenMatched::UpdateAll).when_not_matched(WhenNotMatched::DoNothing);
            merge.try_build()?.execute_batches(batches).await?;
            self.keep_indexes(table, Some(lock)).await;
        }
        Ok(count.load(Ordering::Relaxed))
    }

    /// Deletes the rows that match a predicate of columns, literals and operators; all of them without one.
    /// `None` if the predicate is of another form: then [`delete_people`](Self::delete_people) does it.
    ///
    /// # Errors
    /// If there is no such table, or it cannot be written.
    pub async fn delete(&self, table: &str, predicate: Option<Expr>, _: &WriteLock) -> Result<Option<u64>> {
        let dataset = self.newest(table).await?;
        let predicate = predicate.unwrap_or_else(|| lit(true));
        if !is_plain(&predicate) {
            return Ok(None);
        }
        Ok(Some(DeleteBuilder::from_expr(Arc::new(dataset), predicate).execute().await?.num_deleted_rows))
    }

    /// Deletes people by their keys, the one column of `uuids`.
    ///
    /// # Errors
    /// If there is no such table, it has no key, or it cannot be written.
    pub async fn delete_people(&self, table: &str, mut uuids: SendableRecordBatchStream, _: &WriteLock) -> Result<u64> {
        let mut keys: Vec<Expr> = Vec::new();
        while let Some(batch) = uuids.try_next().await? {
            if batch.column(0).null_count() > 0 {
                return exec_err!(
                    "DELETE by a subquery finds rows again by their uuid, which some of these have not: name their columns alone"
                );
            }
            keys.extend(batch.column(0).as_string::<i32>().iter().flatten().map(lit));
        }
        let mut deleted = 0;
        for keys in keys.chunks(KEYS) {
            let dataset = self.newest(table).await?;
            let these = col("uuid").in_list(keys.to_vec(), false);
            deleted += DeleteBuilder::from_expr(Arc::new(dataset), these).execute().await?.num_deleted_rows;
        }
        Ok(deleted)
    }
}

/// One row that says how many rows a statement wrote, as DataFusion answers an INSERT.
pub(crate) fn counted(count: u64) -> Result<SendableRecordBatchStream> {
    use datafusion::arrow::array::{RecordBatch, UInt64Array};
    use datafusion::arrow::datatypes::{DataType, Field};
    let schema = Arc::new(Schema::new(vec![Field::new("count", DataType::UInt64, false)]));
    let row = RecordBatch::try_new(schema.clone(), vec![Arc::new(UInt64Array::from(vec![count]))])?;
    Ok(Box::pin(RecordBatchStreamAdapter::new(schema, futures::stream::iter([Ok(row)]))))
}
