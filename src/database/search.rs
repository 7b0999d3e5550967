//! Search by vector: exact, over the rows that match.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::array::{AsArray, Float32Array, RecordBatch, new_empty_array};
use datafusion::arrow::compute::kernels::numeric::sub;
use datafusion::arrow::datatypes::{DataType, Field, Float32Type, Schema, SchemaRef};
use datafusion::catalog::streaming::StreamingTable;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::PartitionStream;
use futures::{FutureExt, StreamExt, TryStreamExt, stream};
use lance::dataset::{Dataset, ProjectionRequest};
use lance_linalg::distance::MetricType;
use populace_udfs::{TableSearch, VectorSearch};

use super::shape::check_embedder;
use super::table::{Table, is_plain};
use super::vectors::{Vectors, matching};
use super::{Database, EmbedderChoice};

/// Exact search, with the filter applied before it: in memory where the vectors fit, else by Lance's scan.
#[derive(Debug)]
pub struct LanceSearch {
    embedder: EmbedderChoice,
}

impl LanceSearch {
    /// Searches with the vectors of `embedder`.
    pub fn new(embedder: EmbedderChoice) -> LanceSearch {
        LanceSearch { embedder }
    }
}

#[async_trait]
impl TableSearch for LanceSearch {
    async fn vector_search(
        &self,
        session: &dyn Session,
        table: &Arc<dyn TableProvider>,
        search: &VectorSearch,
    ) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        let Some(table) = table.downcast_ref::<Table>() else { return Ok(None) };
        let schema = table.schema();
        let metadata = &table.dataset().schema().metadata.clone();
        check_embedder(table.name(), metadata, self.embedder.get()?.as_ref())?;
        if search.filter.as_ref().is_some_and(|f| !is_plain(f)) {
            return Ok(None);
        }
        let mut fields: Vec<Field> = match &search.projection {
            Some(places) => places.iter().map(|p| schema.field(*p).clone()).collect(),
            None => schema.fields().iter().map(|f| f.as_ref().clone()).collect(),
        };
        let columns: Vec<String> = fields.iter().map(|f| f.name().clone()).collect();
        fields.push(Field::new("score", DataType::Float32, true));
        let schema = Arc::new(Schema::new(fields));
        let (database, dataset) = (table.database().clone(), table.dataset());
        let nearest = Nearest { database, dataset, search: search.clone(), columns, schema: schema.clone() };
        let plan = StreamingTable::try_new(schema, vec![Arc::new(nearest)])?;
        Ok(Some(plan.scan(session, None, &[], None).await?))
    }
}

#[derive(Debug)]
struct Nearest {
    database: Arc<Database>,
    dataset: Arc<Dataset>,
    search: VectorSearch,
    columns: Vec<String>,
    schema: SchemaRef,
}

impl PartitionStream for Nearest {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let (dataset, search, mut columns) = (self.dataset.clone(), self.search.clone(), self.columns.clone());
        let (schema, database) = (self.schema.clone(), self.database.clone());
        let rows = async move {
            if let Some(vectors) = database.vectors.get(&dataset, &search.column).boxed().await? {
                let rows = in_memory(vectors, &dataset, search, &columns, &schema).boxed().await?;
                return Ok(stream::iter([Ok(rows)]).left_stream());
            }
            let mut scan = dataset.scan();
            columns.push("_distance".into());
            scan.project(&columns)?;
            scan.nearest(&search.column, &Float32Array::from(search.query), search.k)?;
            scan.distance_metric(MetricType::Cosine).use_index(false).prefilter(true);
            if let Some(filter) = search.filter {
                scan.filter_expr(filter);
            }
            let rows = scan.try_into_stream().await?;
            Ok::<_, DataFusionError>(rows.map(move |batch| scored(&batch?, &schema)).right_stream())
        };
        Box::pin(RecordBatchStreamAdapter::new(self.schema.clone(), stream::once(rows).try_flatten()))
    }
}

/// The same among vectors that are in memory.
async fn in_memory(
    vectors: Arc<Vectors>,
    dataset: &Arc<Dataset>,
    search: VectorSearch,
    columns: &[String],
    schema: &SchemaRef,
) -> Result<RecordBatch> {
    let of = match search.filter {
        Some(filter) => Some(matching(dataset, filter).await?),
        None => None,
    };
    let nearest = move || vectors.nearest(&search.query, search.k, of.as_deref());
    let found = tokio::task::spawn_blocking(nearest).await.map_err(|e| DataFusionError::External(e.into()))?;
    let (ids, scores): (Vec<u64>, Vec<f32>) = found.into_iter().unzip();
    let mut taken = match columns.is_empty() || ids.is_empty() {
        true => columns
            .iter()
            .map(|c| new_empty_array(schema.field_with_name(c).map_or(&DataType::Null, |f| f.data_type())))
            .collect(),
        false => {
            let projection = ProjectionRequest::from_columns(columns, dataset.schema());
            dataset.take_rows(&ids, projection).await?.columns().to_vec()
        }
    };
    taken.push(Arc::new(Float32Array::from(scores)));
    Ok(RecordBatch::try_new(schema.clone(), taken)?)
}

/// The cosine similarity instead of the cosine distance.
fn scored(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let mut columns = batch.columns().to_vec();
    let distance = columns.pop().unwrap_or_else(|| Arc::new(Float32Array::from(Vec::<f32>::new())));
    let score = sub(&Float32Array::new_scalar(1.0), distance.as_primitive::<Float32Type>())?;
    columns.push(score);
    Ok(RecordBatch::try_new(schema.clone(), columns)?)
}
