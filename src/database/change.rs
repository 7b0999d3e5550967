//! UPDATE, REPLACE and DELETE.
//!
//! Changed rows are merged into the table as they come: what is held in memory of them is as many as are embedded or
//! written together, beside the keys of the table and what Lance reads ahead.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use datafusion::arrow::array::{Array, AsArray, RecordBatch, StringArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::{DataFusionError, Result, exec_err};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::logical_expr::{Expr, lit};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt, stream};
use lance::dataset::{CommitBuilder, Dataset, DeleteBuilder, MergeInsertBuilder, WhenMatched, WhenNotMatched};

use super::append::{CHUNK, Uuids, cannot_write, compact, embed_batch, slices, typed};
use super::shape::embedded_narrative;
use super::table::is_plain;
use super::{Append, TableWriter, has_key};

impl TableWriter<'_> {
    /// Replaces people by their changed rows, in one commit. The vectors of changed narratives are made anew, and
    /// `narrator` is noted as who wrote them.
    ///
    /// # Errors
    /// If the table has no key, a change touches the key or a vector, or the rows cannot be written.
    pub async fn update(
        &self,
        rows: SendableRecordBatchStream,
        changed: &[String],
        narrator: Option<&str>,
    ) -> Result<u64> {
        let (dataset, table) = (self.newest().await?, self.name());
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
        let embedder = if stale.is_empty() { None } else { self.database.embedder_of(table, &schema)? };
        let to = schema.clone();
        let narrator = narrator.map(String::from);
        let rows = rows.then(move |batch| {
            let (embedder, stale, to) = (embedder.clone(), stale.clone(), to.clone());
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
                match embedder {
                    Some(e) => embed_batch(e.as_ref(), batch, |n| stale.iter().any(|s| s == n), &[]).await,
                    None => Ok(batch),
                }
            }
        });
        let merged =
            merge(dataset, schema, rows.boxed(), WhenMatched::UpdateAll, WhenNotMatched::DoNothing, None).await?;
        self.sync().await?;
        self.keep_indexes().await;
        Ok(merged.replaced)
    }

    /// Writes people, in one commit: those who are in the table already are replaced, whole, by their uuid. Vectors are
    /// made where none come with the rows; a column that the rows leave out is NULL.
    ///
    /// # Errors
    /// If the table has no key, two of the rows have the same, or they cannot be written. Then nothing is.
    pub async fn replace(&self, rows: SendableRecordBatchStream, options: &Append<'_>) -> Result<Replaced> {
        let (dataset, table) = (self.newest().await?, self.name());
        let schema: SchemaRef = Arc::new(Schema::from(dataset.schema()));
        if !has_key(&schema) {
            return exec_err!("REPLACE finds rows again by their uuid, which {table} has not: INSERT INTO appends");
        }
        let embedder = self.database.embedder_of(table, &schema)?;
        let (to, constants, seen) = (schema.clone(), options.constants(), Mutex::new(Uuids::default()));
        let come: Arc<[String]> = options.embedded.into();
        let rows = rows
            .map(move |batch| {
                let batch = typed(&batch?, &to, &constants)?;
                check_keys(&batch, &mut seen.lock().unwrap_or_else(PoisonError::into_inner))?;
                Ok::<_, DataFusionError>(batch)
            })
            .map_ok(|batch| stream::iter(slices(batch, CHUNK).map(Ok::<_, DataFusionError>)))
            .try_flatten()
            .map(move |batch| {
                let (embedder, come) = (embedder.clone(), come.clone());
                async move {
                    match embedder {
                        Some(e) => embed_batch(e.as_ref(), compact(&batch?)?, |_| true, &come).await,
                        None => compact(&batch?),
                    }
                }
            })
            .buffered(2);
        let merged = merge(
            dataset,
            schema,
            rows.boxed(),
            WhenMatched::UpdateAll,
            WhenNotMatched::InsertAll,
            options.properties(),
        )
        .await?;
        self.sync().await?;
        self.keep_indexes().await;
        Ok(merged)
    }

    /// Deletes the rows that match a predicate of columns, literals and operators; all of them without one.
    /// `None` if the predicate is of another form: then [`delete_people`](Self::delete_people) does it.
    ///
    /// # Errors
    /// If there is no such table, or it cannot be written.
    pub async fn delete(&self, predicate: Option<Expr>) -> Result<Option<u64>> {
        let dataset = self.newest().await?;
        let predicate = predicate.unwrap_or_else(|| lit(true));
        if !is_plain(&predicate) {
            return Ok(None);
        }
        let deleted = DeleteBuilder::from_expr(Arc::new(dataset), predicate).execute().await?.num_deleted_rows;
        self.sync().await?;
        Ok(Some(deleted))
    }

    /// Deletes people by their keys, the one column of `uuids`, in one commit.
    ///
    /// # Errors
    /// If there is no such table, it has no key, or it cannot be written.
    pub async fn delete_people(&self, uuids: SendableRecordBatchStream) -> Result<u64> {
        let dataset = self.newest().await?;
        if !has_key(&Schema::from(dataset.schema())) {
            return exec_err!("DELETE by a subquery finds rows again by their uuid, which {} has not", self.name());
        }
        let schema: SchemaRef = Arc::new(Schema::new(vec![Field::new("uuid", DataType::Utf8, true)]));
        let (to, seen) = (schema.clone(), Mutex::new(Uuids::default()));
        // A join may name one person twice.
        let keys = uuids.map(move |batch| {
            let batch = batch?;
            if batch.column(0).null_count() > 0 {
                return exec_err!(
                    "DELETE by a subquery finds rows again by their uuid, which some of these have not: name their columns alone"
                );
            }
            let keys = cast(batch.column(0), &DataType::Utf8)?;
            let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            let new = keys.as_string::<i32>().iter().flatten().filter(|key| seen.insert(key));
            Ok(RecordBatch::try_new(to.clone(), vec![Arc::new(new.map(Some).collect::<StringArray>())])?)
        });
        let merged = merge(dataset, schema, keys.boxed(), WhenMatched::Delete, WhenNotMatched::DoNothing, None).await?;
        self.sync().await?;
        Ok(merged.deleted)
    }
}

/// What became of the rows of a REPLACE.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Replaced {
    /// People who were not in the table
    pub written: u64,
    /// People who were
    pub replaced: u64,
    /// People who are no more
    pub deleted: u64,
}

/// Refuses rows that cannot be told apart.
fn check_keys(batch: &RecordBatch, seen: &mut Uuids) -> Result<()> {
    let Some(uuids) = batch.column_by_name("uuid").and_then(|c| c.as_string_opt::<i32>()) else { return Ok(()) };
    for uuid in uuids {
        match uuid {
            None => return exec_err!("REPLACE finds rows again by their uuid, which some of these have not"),
            Some(uuid) if !seen.insert(uuid) => {
                return exec_err!("two of the rows have the uuid {uuid}: which is to stay? Leave one of them out");
            }
            Some(_) => {}
        }
    }
    Ok(())
}

/// Merges rows into a table by their key as they come, in one commit; none where there are no rows.
async fn merge(
    dataset: Dataset,
    schema: SchemaRef,
    rows: BoxStream<'static, Result<RecordBatch>>,
    there: WhenMatched,
    new: WhenNotMatched,
    properties: Option<Arc<HashMap<String, String>>>,
) -> Result<Replaced> {
    // Lance wraps what goes wrong in the rows.
    let failed: Arc<Mutex<Option<DataFusionError>>> = Arc::default();
    let keep = failed.clone();
    let rows = rows.try_filter(|batch| std::future::ready(batch.num_rows() > 0)).map_err(move |error| {
        let text = DataFusionError::Execution(error.to_string());
        *keep.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
        text
    });
    let mut rows = Box::pin(rows.peekable());
    if rows.as_mut().peek().await.is_none() {
        return Ok(Replaced::default());
    }
    let rows: SendableRecordBatchStream = Box::pin(RecordBatchStreamAdapter::new(schema, rows));
    let dataset = Arc::new(dataset);
    let merged = async {
        let mut merge = MergeInsertBuilder::try_new(dataset.clone(), vec!["uuid".into()])?;
        merge.when_matched(there).when_not_matched(new).conflict_retries(0);
        let mut merged = merge.try_build()?.execute_uncommitted(rows).await?;
        merged.transaction.transaction_properties = properties;
        let mut commit = CommitBuilder::new(dataset);
        if let Some(affected) = merged.affected_rows {
            commit = commit.with_affected_rows(affected);
        }
        commit.execute(merged.transaction).await?;
        let stats = merged.stats;
        Ok(Replaced {
            written: stats.num_inserted_rows,
            replaced: stats.num_updated_rows,
            deleted: stats.num_deleted_rows,
        })
    };
    merged.await.map_err(|error| {
        let cause = failed.lock().unwrap_or_else(PoisonError::into_inner).take();
        cause.unwrap_or_else(|| cannot_write(error))
    })
}

/// One row that says how many rows a statement wrote, as DataFusion answers an INSERT.
pub(crate) fn counted(count: u64) -> Result<SendableRecordBatchStream> {
    use datafusion::arrow::array::{RecordBatch, UInt64Array};
    use datafusion::arrow::datatypes::{DataType, Field};
    let schema = Arc::new(Schema::new(vec![Field::new("count", DataType::UInt64, false)]));
    let row = RecordBatch::try_new(schema.clone(), vec![Arc::new(UInt64Array::from(vec![count]))])?;
    Ok(Box::pin(RecordBatchStreamAdapter::new(schema, futures::stream::iter([Ok(row)]))))
}
