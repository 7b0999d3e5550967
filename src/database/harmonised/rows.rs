//! Search within all tables: each by its own vectors and indexes, and what they find merged by score.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::array::{AsArray, RecordBatch, RecordBatchOptions, UInt64Array};
use datafusion::arrow::compute::interleave_record_batch;
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef, UInt64Type};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{Result, exec_err};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::utils::split_conjunction_owned;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::{StreamExt, stream};
use lance::dataset::ROW_ID;
use populace_udfs::{Embedder, SearchRows, TableSearch, TextQuery};

use super::Harmonised;
use super::member::evaluated;
use crate::database::LanceSearch;
use crate::database::vectors::keep_nearest;

/// A row's number has its table's place above these bits, and below them its number in the table: Lance's are a
/// fragment's number, counted from 0 and never given twice, times 2³², and a place in the fragment: a million commits of
/// a table, and 4,096 tables.
const BITS: u32 = 52;

#[derive(Debug, Clone)]
struct Part {
    /// Its place among the members
    at: usize,
    rows: Arc<dyn SearchRows>,
}

/// The rows of all tables that satisfy a filter.
#[derive(Debug, Clone)]
pub(crate) struct AllRows {
    view: Harmonised,
    session: Arc<SessionState>,
    parts: Vec<Part>,
}

impl AllRows {
    /// # Errors
    /// If a table cannot be read, or the filter fails.
    pub async fn open(view: Harmonised, session: &dyn Session, filter: Option<Expr>) -> Result<AllRows> {
        let Some(state) = session.as_any().downcast_ref::<SessionState>() else {
            return exec_err!("this session cannot search all tables");
        };
        let filters = filter.map(split_conjunction_owned).unwrap_or_default();
        let mut parts = vec![];
        for (at, member) in view.members.iter().enumerate() {
            let filter = member.filter(session, &view.schema, &filters)?;
            if filter == Some(datafusion::logical_expr::lit(false)) {
                continue;
            }
            let table: Arc<dyn TableProvider> = member.table().clone();
            if let Some(rows) = LanceSearch.open(session, &table, filter).await? {
                parts.push(Part { at, rows });
            }
        }
        Ok(AllRows { session: Arc::new(state.clone()), view, parts })
    }

    /// The number here of a row of the member at a place.
    fn number(at: usize, row: u64) -> Result<u64> {
        match row >> BITS == 0 && at < 1 << (64 - BITS) {
            true => Ok((at as u64) << BITS | row),
            false => exec_err!("too many tables or rows to search at once: search one table"),
        }
    }

    /// The columns that a table has of its own, of a name.
    fn has(&self, part: &Part, column: &str) -> bool {
        self.view.members[part.at].table().schema().column_with_name(column).is_some()
    }

    /// Columns of the view as places in it.
    fn places(&self, columns: &[String]) -> Result<Vec<usize>> {
        columns.iter().map(|c| Ok(self.view.schema.index_of(c)?)).collect()
    }

    /// What a table has to be asked for, for these columns of the view; at least one column.
    fn natives(&self, part: &Part, places: &[usize]) -> Vec<String> {
        let member = &self.view.members[part.at];
        let mut natives: Vec<String> = vec![];
        for column in places.iter().flat_map(|at| member.expression(*at).column_refs()) {
            if !natives.contains(&column.name) {
                natives.push(column.name.clone());
            }
        }
        if natives.is_empty() {
            natives.extend(member.table().schema().fields().first().map(|f| f.name().clone()));
        }
        natives
    }

    /// Rows of the member at a place as rows of the view.
    fn harmonised(&self, at: usize, places: &[usize], schema: SchemaRef, rows: &RecordBatch) -> Result<RecordBatch> {
        let member = &self.view.members[at];
        let columns = places
            .iter()
            .map(|at| evaluated(self.session.as_ref(), member.expression(*at), rows))
            .collect::<Result<_>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
        Ok(RecordBatch::try_new_with_options(schema, columns, &options)?)
    }

    /// Rows with the numbers that they have here, best first.
    fn merged(found: Vec<(&Part, Vec<(u64, f32)>)>, k: usize) -> Result<Vec<(u64, f32)>> {
        let mut merged = vec![];
        for (part, rows) in found {
            for (row, score) in rows {
                merged.push((AllRows::number(part.at, row)?, score));
            }
        }
        keep_nearest(&mut merged, k);
        Ok(merged)
    }
}

#[async_trait]
impl SearchRows for AllRows {
    fn check_embedder(&self, embedder: &dyn Embedder) -> Result<()> {
        self.parts.iter().try_for_each(|part| part.rows.check_embedder(embedder))
    }

    async fn nearest(&self, column: &str, query: &[f32], k: usize) -> Result<Vec<(u64, f32)>> {
        let mut found = vec![];
        for part in self.parts.iter().filter(|p| self.has(p, column)) {
            found.push((part, part.rows.nearest(column, query, k).await?));
        }
        AllRows::merged(found, k)
    }

    async fn matching(&self, column: &str, query: &TextQuery, k: usize) -> Result<Option<Vec<(u64, f32)>>> {
        let mut found = vec![];
        for part in self.parts.iter().filter(|p| self.has(p, column)) {
            match part.rows.matching(column, query, k).await? {
                Some(matching) => found.push((part, matching)),
                // How rare a word is has to be counted in one way for all.
                None => return Ok(None),
            }
        }
        AllRows::merged(found, k).map(Some)
    }

    async fn scan(&self, columns: &[String]) -> Result<SendableRecordBatchStream> {
        let places = self.places(columns)?;
        let shown = Arc::new(self.view.schema.project(&places)?);
        let number = Field::new(ROW_ID, DataType::UInt64, true);
        let schema = Arc::new(Schema::new(
            shown.fields().iter().map(|f| f.as_ref().clone()).chain([number]).collect::<Vec<_>>(),
        ));
        let mut parts = vec![];
        for part in &self.parts {
            let natives = self.natives(part, &places);
            let (all, at) = (self.clone(), part.at);
            let (places, shown, to) = (places.clone(), shown.clone(), schema.clone());
            let rows = part.rows.scan(&natives).await?.map(move |batch| {
                let batch = batch?;
                let width = batch.num_columns() - 1;
                let numbers = batch.column(width).as_primitive::<UInt64Type>().values();
                let numbers = numbers.iter().map(|row| AllRows::number(at, *row)).collect::<Result<UInt64Array>>()?;
                let natives = batch.project(&(0..width).collect::<Vec<_>>())?;
                let mut columns = all.harmonised(at, &places, shown.clone(), &natives)?.columns().to_vec();
                columns.push(Arc::new(numbers));
                Ok(RecordBatch::try_new(to.clone(), columns)?)
            });
            parts.push(rows);
        }
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, stream::iter(parts).flatten())))
    }

    async fn take(&self, rows: &[u64], columns: &[String]) -> Result<RecordBatch> {
        let places = self.places(columns)?;
        let schema = Arc::new(self.view.schema.project(&places)?);
        let mut taken = vec![];
        let mut order = vec![(0, 0); rows.len()];
        for part in &self.parts {
            let ours: Vec<usize> = (0..rows.len()).filter(|i| (rows[*i] >> BITS) as usize == part.at).collect();
            if ours.is_empty() {
                continue;
            }
            let numbers: Vec<u64> = ours.iter().map(|i| rows[*i] & ((1 << BITS) - 1)).collect();
            let natives = part.rows.take(&numbers, &self.natives(part, &places)).await?;
            ours.iter().enumerate().for_each(|(at, i)| order[*i] = (taken.len(), at));
            taken.push(self.harmonised(part.at, &places, schema.clone(), &natives)?);
        }
        match taken.is_empty() {
            true => Ok(RecordBatch::new_empty(schema)),
            false => Ok(interleave_record_batch(&taken.iter().collect::<Vec<_>>(), &order)?),
        }
    }
}
