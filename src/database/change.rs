//! UPDATE, REPLACE and DELETE.
//!
//! UPDATE and DELETE go by the addresses of rows, and an UPDATE writes the columns that it changes. REPLACE finds rows
//! again by their key and writes them whole, as they come: what is held in memory of them is as many as are embedded or
//! written together, beside the keys of the table and what Lance reads ahead.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use datafusion::arrow::array::{Array, AsArray, RecordBatch};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::{DataFusionError, Result, exec_err};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::logical_expr::lit;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt, stream};
use lance::dataset::{CommitBuilder, Dataset, DeleteBuilder, MergeInsertBuilder, WhenMatched, WhenNotMatched};

use super::append::{CHUNK, cannot_write, compact, embed_batch, slices, typed};
use super::keys::KeySet;
use super::rewrite::{self, Addresses, Changed};
use super::shape::embedded_narrative;
use super::{Append, ROW_ADDRESS, TableWriter, has_key};

impl TableWriter<'_> {
    /// Writes changed values of rows, in one commit. `rows` have their addresses, fragment by fragment and in their order
    /// there, and the columns that change, no others. The vectors of changed narratives are made anew, and `narrator` is
    /// noted as who wrote them.
    ///
    /// # Errors
    /// If a change touches the key or a vector, or the rows cannot be written.
    pub async fn update(
        &self,
        rows: SendableRecordBatchStream,
        changes: Changed,
        narrator: Option<&str>,
    ) -> Result<u64> {
        let (dataset, table) = (self.newest().await?, self.name());
        let schema: SchemaRef = Arc::new(Schema::from(dataset.schema()));
        let changed: Vec<String> =
            rows.schema().fields().iter().map(|f| f.name().clone()).filter(|n| n != ROW_ADDRESS).collect();
        if has_key(&schema) && changed.iter().any(|c| c == "uuid") {
            return exec_err!("uuid is the key of {table} and cannot be changed");
        }
        let vectors = |c: &&String| schema.field_with_name(c).is_ok_and(|f| embedded_narrative(f).is_some());
        if let Some(column) = changed.iter().find(vectors) {
            return exec_err!("{column} follows from its text: change the text instead");
        }
        let is_changed = |name: &str| changed.iter().any(|c| c == name);
        let stale = schema.fields().iter().any(|f| embedded_narrative(f).is_some_and(is_changed));
        let embedder = if stale { self.database.embedder_of(table, &schema)? } else { None };
        let narrator = narrator.filter(|_| schema.column_with_name("narrator").is_some());
        let written = schema.fields().iter().filter(|f| {
            let by_narrator = narrator.is_some() && f.name() == "narrator";
            is_changed(f.name()) || by_narrator || embedded_narrative(f).is_some_and(is_changed)
        });
        let written: SchemaRef = Arc::new(Schema::new(written.cloned().collect::<Vec<_>>()));
        let constants: Vec<_> = narrator.map(|n| ("narrator".to_string(), n.to_string())).into_iter().collect();
        // Rows that are not embedded are written in batches as they come.
        let size = if embedder.is_some() { CHUNK } else { usize::MAX };
        let rows = rows
            .map_ok(move |batch| stream::iter(slices(batch, size).map(Ok::<_, DataFusionError>)))
            .try_flatten()
            .then(move |batch| {
                let (embedder, written, constants) = (embedder.clone(), written.clone(), constants.clone());
                async move {
                    let batch = batch?;
                    let Some(addresses) = batch.column_by_name(ROW_ADDRESS).cloned() else {
                        return exec_err!("rows that are changed have their addresses with them");
                    };
                    let mut values = typed(&batch, &written, &constants)?;
                    if let Some(embedder) = embedder {
                        values = embed_batch(embedder.as_ref(), values, |_| true, &[]).await?;
                    }
                    let address = Field::new(ROW_ADDRESS, DataType::UInt64, true);
                    let fields =
                        values.schema().fields().iter().cloned().chain([Arc::new(address)]).collect::<Vec<_>>();
                    let columns = values.columns().iter().cloned().chain([addresses]).collect();
                    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?)
                }
            });
        let count =
            rewrite::update(dataset, rows, changes, self.database.appending(), self.database.runtime_of_statements()?)
                .await?;
        self.sync().await?;
        self.keep_indexes().await;
        Ok(count)
    }

    /// Writes people, in one commit: those who are in the table already are replaced, whole, by their uuid. Vectors are
    /// made where none come with the rows; a column that the rows leave out is NULL.
    ///
    /// # Errors
    /// If the table has no key, two of the rows have the same, or they cannot be written. Then nothing is.
    pub async fn replace(&self, rows: SendableRecordBatchStream, options: &Append<'_>) -> Result<Replaced> {
        self.takes_others().await?;
        let (dataset, table) = (self.newest().await?, self.name());
        let schema: SchemaRef = Arc::new(Schema::from(dataset.schema()));
        if !has_key(&schema) {
            return exec_err!("REPLACE finds rows again by their uuid, which {table} has not: INSERT INTO appends");
        }
        let embedder = self.database.embedder_of(table, &schema)?;
        let (to, constants, seen) = (
            schema.clone(),
            options.constants(),
            Mutex::new(KeySet::new(self.database.runtime_of_statements()?.as_ref())),
        );
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

    /// Deletes rows by their addresses, the one column of `rows`, in one commit that says it was for `predicate`.
    ///
    /// # Errors
    /// If the rows cannot be read, or the table cannot be written.
    pub async fn delete(&self, rows: SendableRecordBatchStream, predicate: String) -> Result<u64> {
        let dataset = self.newest().await?;
        let deleted = rewrite::delete(
            dataset,
            Addresses::read(rows, self.database.runtime_of_statements()?.as_ref()).await?,
            predicate,
        )
        .await?;
        self.sync().await?;
        Ok(deleted)
    }

    /// Deletes all rows, in one commit; how many.
    ///
    /// # Errors
    /// If the table cannot be written.
    pub async fn delete_all(&self) -> Result<u64> {
        let dataset = self.newest().await?;
        let deleted = DeleteBuilder::from_expr(Arc::new(dataset), lit(true)).execute().await?.num_deleted_rows;
        self.sync().await?;
        Ok(deleted)
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
fn check_keys(batch: &RecordBatch, seen: &mut KeySet) -> Result<()> {
    let Some(uuids) = batch.column_by_name("uuid").and_then(|c| c.as_string_opt::<i32>()) else { return Ok(()) };
    seen.make_room(uuids.len())?;
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
