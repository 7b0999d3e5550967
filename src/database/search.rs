//! Search within the tables: by vector, exactly or by index, and by words where there is an index of them.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::array::{AsArray, Float32Array, RecordBatch, RecordBatchOptions};
use datafusion::arrow::datatypes::{DataType, Field, Float32Type, Schema, UInt64Type};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{DataFusionError, Result, exec_err};
use datafusion::datasource::provider_as_source;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::logical_expr::{Expr, LogicalPlanBuilder, col};
use datafusion::physical_plan::execute_stream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::{StreamExt, TryStreamExt, stream};
use lance::dataset::scanner::{DatasetRecordBatchStream, Scanner};
use lance::dataset::{Dataset, ProjectionRequest, ROW_ID};
use lance_index::scalar::FullTextSearchQuery;
use lance_index::scalar::inverted::query::MatchQuery;
use lance_linalg::distance::MetricType;
use populace_udfs::{Embedder, SearchRows, TableSearch, TextQuery};
use tokio::sync::OnceCell;

use super::harmonised::AllRows;
use super::indexes::{Kind, Probes};
use super::shape::check_embedder;
use super::table::{Table, is_plain};
use super::vectors::RowIds;
use super::{Database, Harmonised, Snapshot};

/// Rows that are compared one by one rather than found by an index of vectors, which would have to look nearly
/// everywhere for so few.
const FEW: usize = 20_000;

/// Rows that an index of vectors is asked for at most: more would be compared by their full vectors many times over.
const DEEP: usize = 1000;

/// Rows beyond the best that are kept before they are told apart.
const ASIDE: usize = 100_000;

/// Rows that are read together by their numbers.
const TAKEN: usize = 8192;

/// Searches the tables of a database, with the filter applied before.
#[derive(Debug)]
pub struct LanceSearch;

#[async_trait]
impl TableSearch for LanceSearch {
    async fn open(
        &self,
        session: &dyn Session,
        table: &Arc<dyn TableProvider>,
        filter: Option<Expr>,
    ) -> Result<Option<Arc<dyn SearchRows>>> {
        if let Some(view) = table.downcast_ref::<Harmonised>() {
            return Ok(Some(Arc::new(AllRows::open(view.clone(), session, filter).await?)));
        }
        let Some(of) = table.downcast_ref::<Table>() else { return Ok(None) };
        let (database, snapshot, name) = (of.database().clone(), of.snapshot().clone(), of.name().to_string());
        let (filter, rows) = match filter {
            Some(filter) if !is_plain(&filter) => {
                let source = provider_as_source(Arc::new(of.with_row_ids()));
                let plan = LogicalPlanBuilder::scan(name.as_str(), source, None)?
                    .filter(filter)?
                    .project([col(ROW_ID)])?
                    .build()?;
                let plan = session.create_physical_plan(&plan).await?;
                let rows = execute_stream(plan, session.task_ctx())?;
                let rows = RowIds::read(rows, database.runtime_of_statements()?.as_ref()).await?;
                (None, OnceCell::new_with(Some(Some(Arc::new(rows)))))
            }
            filter => (filter, OnceCell::new()),
        };
        let dataset = snapshot.dataset.clone();
        Ok(Some(Arc::new(LanceRows { database, dataset, _snapshot: snapshot, name, filter, rows })))
    }

    fn has_key(&self, table: &Arc<dyn TableProvider>) -> bool {
        table.downcast_ref::<Table>().is_some_and(Table::has_key)
    }
}

/// The rows of one version of a table that satisfy a filter. Their numbers are Lance's.
#[derive(Debug)]
struct LanceRows {
    database: Arc<Database>,
    dataset: Arc<Dataset>,
    /// Keeps the files that are searched
    _snapshot: Arc<Snapshot>,
    name: String,
    /// One that Lance applies
    filter: Option<Expr>,
    /// The numbers of the rows, ascending; `None` where they are all rows. Found when first needed, or known where the
    /// filter is one that Lance cannot apply
    rows: OnceCell<Option<Arc<RowIds>>>,
}

impl LanceRows {
    async fn rows(&self) -> Result<Option<Arc<RowIds>>> {
        let find = || async {
            match &self.filter {
                Some(filter) => {
                    let memory = self.database.runtime_of_statements()?;
                    Ok(Some(Arc::new(RowIds::matching(&self.dataset, filter.clone(), &memory).await?)))
                }
                None => Ok(None),
            }
        };
        self.rows.get_or_try_init(find).await.cloned()
    }

    /// Whether the filter is Lance's to apply, or there is none.
    fn is_filtered_by_lance(&self) -> bool {
        self.filter.is_some() || !matches!(self.rows.get(), Some(Some(_)))
    }

    /// Exactly: in memory where the vectors fit, else by a scan.
    async fn exact(&self, column: &str, query: &[f32], k: usize) -> Result<Vec<(u64, f32)>> {
        let memory = self.database.runtime()?;
        let Some(vectors) = self.database.shared.vectors.get(&self.dataset, column, &memory).await? else {
            return self.exact_by_scan(column, query, k).await;
        };
        let (of, query) = (self.rows().await?, query.to_vec());
        let nearest = move || vectors.nearest(&query, k, of.as_ref().map(|rows| &***rows));
        tokio::task::spawn_blocking(nearest).await.map_err(|e| DataFusionError::External(e.into()))
    }

    async fn exact_by_scan(&self, column: &str, query: &[f32], k: usize) -> Result<Vec<(u64, f32)>> {
        if self.is_filtered_by_lance() {
            return self.scored(column, query, k, |scan| _ = scan.use_index(false)).await;
        }
        // The rows are known by number alone.
        let mut found = vec![];
        for rows in self.rows().await?.iter().flat_map(|rows| rows.chunks(TAKEN)) {
            let taken = self.take(rows, &[column.to_string()]).await?;
            let vectors = taken.column(0).as_fixed_size_list();
            let numbers = vectors.values().as_primitive::<Float32Type>().values();
            let scores = super::vectors::similarities(vectors, numbers, query);
            found.extend(rows.iter().zip(scores).filter_map(|(row, score)| Some((*row, score?))));
            if found.len() > k.saturating_add(ASIDE) {
                super::vectors::keep_nearest(&mut found, k);
            }
        }
        super::vectors::keep_nearest(&mut found, k);
        Ok(found)
    }

    async fn scored(
        &self,
        column: &str,
        query: &[f32],
        k: usize,
        with: impl FnOnce(&mut Scanner),
    ) -> Result<Vec<(u64, f32)>> {
        found(&self.dataset, self.filter.clone(), column, query, k, with).await
    }
}

/// The rows nearest to a vector by Lance's search, whose distances become similarities; nearest first.
pub(super) async fn found(
    dataset: &Dataset,
    filter: Option<Expr>,
    column: &str,
    query: &[f32],
    k: usize,
    with: impl FnOnce(&mut Scanner),
) -> Result<Vec<(u64, f32)>> {
    let mut scan = dataset.scan();
    scan.project(&["_distance"])?.with_row_id();
    scan.nearest(column, &Float32Array::from(query.to_vec()), k)?;
    scan.distance_metric(MetricType::Cosine).prefilter(true);
    with(&mut scan);
    if let Some(filter) = filter {
        scan.filter_expr(filter);
    }
    let mut found = pairs(scan.try_into_stream().await?, "_distance").await?;
    found.iter_mut().for_each(|(_, distance)| *distance = 1.0 - *distance);
    super::vectors::keep_nearest(&mut found, k);
    Ok(found)
}

#[async_trait]
impl SearchRows for LanceRows {
    fn check_embedder(&self, embedder: &dyn Embedder) -> Result<()> {
        check_embedder(&self.name, &self.dataset.schema().metadata, embedder)
    }

    async fn nearest(&self, column: &str, query: &[f32], k: usize) -> Result<Vec<(u64, f32)>> {
        let dimension = match self.dataset.schema().field(column).map(|f| f.data_type()) {
            Some(DataType::FixedSizeList(_, dimension)) => dimension as usize,
            _ => 0,
        };
        if dimension != query.len() {
            return exec_err!("the vectors of {column} have {dimension} numbers, not {}", query.len());
        }
        // No more than there are: Lance sets memory apart for as many.
        let k = k.min(self.dataset.count_rows(None).await?).max(1);
        let Some(probes) = Probes::of(&self.dataset, column).await? else { return self.exact(column, query, k).await };
        if k > DEEP || !self.is_filtered_by_lance() {
            return self.exact(column, query, k).await;
        }
        let share = match self.rows().await? {
            Some(rows) if rows.len() <= FEW => return self.exact_of_few(column, query, k).await,
            Some(rows) => rows.len() as f64 / self.dataset.count_rows(None).await?.max(1) as f64,
            None => 1.0,
        };
        self.scored(column, query, k, |scan| probes.apply(scan, k, share)).await
    }

    async fn matching(&self, column: &str, query: &TextQuery, k: usize) -> Result<Option<Vec<(u64, f32)>>> {
        let words = match Kind::Text.on(&self.dataset, column).await? {
            Some(index) => index.words(),
            None => return Ok(None),
        };
        if query.words.is_some() && query.words != words {
            return Ok(None);
        }
        let filtered = self.is_filtered_by_lance();
        let asked = if filtered { i64::try_from(k).unwrap_or(i64::MAX) } else { i64::MAX };
        let asked = asked.min(self.dataset.count_rows(None).await? as i64).max(1);
        let terms = MatchQuery::new(query.text.clone()).with_column(Some(column.to_string()));
        let mut scan = self.dataset.scan();
        scan.project(&["_score"])?.with_row_id().prefilter(true);
        scan.full_text_search(FullTextSearchQuery::new_query(terms.into()).limit(Some(asked)))?;
        if let Some(filter) = &self.filter {
            scan.filter_expr(filter.clone());
        }
        let mut found = pairs(scan.try_into_stream().await?, "_score").await?;
        if !filtered && let Some(of) = self.rows().await? {
            found.retain(|(row, _)| of.binary_search(row).is_ok());
        }
        super::vectors::keep_nearest(&mut found, k);
        Ok(Some(found))
    }

    async fn scan(&self, columns: &[String]) -> Result<SendableRecordBatchStream> {
        let schema = self.dataset.schema();
        let fields: Vec<Field> =
            columns.iter().filter_map(|c| schema.field(c).map(|f| Field::new(c, f.data_type(), true))).collect();
        if fields.len() < columns.len() {
            return exec_err!("the table {} has not all of the columns {}", self.name, columns.join(", "));
        }
        let number = Field::new(ROW_ID, DataType::UInt64, true);
        let schema = Arc::new(Schema::new(fields.into_iter().chain([number]).collect::<Vec<_>>()));
        let to = schema.clone();
        let bare = move |batch: RecordBatch| {
            let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
            Ok(RecordBatch::try_new_with_options(to.clone(), batch.columns().to_vec(), &options)?)
        };
        let rows = if self.is_filtered_by_lance() {
            let mut scan = self.dataset.scan();
            scan.project(columns)?.with_row_id();
            if let Some(filter) = &self.filter {
                scan.filter_expr(filter.clone());
            }
            let rows = scan.try_into_stream().await?;
            rows.map_err(DataFusionError::from).and_then(move |batch| futures::future::ready(bare(batch))).boxed()
        } else {
            let (dataset, names) = (self.dataset.clone(), columns.to_vec());
            let chunks: Vec<Vec<u64>> = match self.rows().await? {
                Some(rows) => rows.chunks(TAKEN).map(<[u64]>::to_vec).collect(),
                None => vec![],
            };
            let taken = stream::iter(chunks).then(move |rows| {
                let (dataset, names) = (dataset.clone(), names.clone());
                async move {
                    let taken = take(&dataset, &rows, &names).await?;
                    let numbers = Arc::new(datafusion::arrow::array::UInt64Array::from(rows));
                    let mut columns = taken.columns().to_vec();
                    columns.push(numbers);
                    Ok::<_, DataFusionError>(columns)
                }
            });
            let to = schema.clone();
            taken.map(move |columns| Ok(RecordBatch::try_new(to.clone(), columns?)?)).boxed()
        };
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, rows)))
    }

    async fn take(&self, rows: &[u64], columns: &[String]) -> Result<RecordBatch> {
        take(&self.dataset, rows, columns).await
    }
}

impl LanceRows {
    /// Exactly, without reading vectors of rows that are not asked for, unless they are in memory already.
    async fn exact_of_few(&self, column: &str, query: &[f32], k: usize) -> Result<Vec<(u64, f32)>> {
        match self.database.shared.vectors.has(&self.dataset, column) {
            true => self.exact(column, query, k).await,
            false => self.exact_by_scan(column, query, k).await,
        }
    }
}

async fn take(dataset: &Arc<Dataset>, rows: &[u64], columns: &[String]) -> Result<RecordBatch> {
    let projection = ProjectionRequest::from_columns(columns, dataset.schema());
    let taken = dataset.take_rows(rows, projection).await?;
    // In the order of the statement, not of the table.
    let places = columns.iter().map(|c| taken.schema().index_of(c)).collect::<std::result::Result<Vec<_>, _>>()?;
    if taken.num_rows() != rows.len() {
        return exec_err!("rows of {} are missing; run the statement again", dataset.uri());
    }
    Ok(taken.project(&places)?)
}

/// The numbers of rows and what a search says of each.
async fn pairs(mut batches: DatasetRecordBatchStream, value: &str) -> Result<Vec<(u64, f32)>> {
    let mut found = vec![];
    while let Some(batch) = batches.try_next().await? {
        let (Some(ids), Some(values)) = (batch.column_by_name(ROW_ID), batch.column_by_name(value)) else {
            return exec_err!("a search gave no {value}");
        };
        let (ids, values) = (ids.as_primitive::<UInt64Type>(), values.as_primitive::<Float32Type>());
        found.extend(ids.values().iter().zip(values).filter_map(|(id, value)| Some((*id, value?))));
    }
    Ok(found)
}
