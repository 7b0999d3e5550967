//! Rows of a stored table with their numbers there, so that those that are taken need not be looked for again.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{SchemaRef, UInt64Type};
use datafusion::common::{DFSchema, Result, exec_err};
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::expr_rewriter::unnormalize_col;
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::physical_plan::PhysicalExpr;
use futures::StreamExt;
use futures::stream::BoxStream;

use crate::table_search::{SearchRows, TableSearch, has_subquery, is_whole_table, rows_of_table};

/// Columns, and the rows that they have.
pub(crate) type Columns = (Vec<ArrayRef>, usize);

/// One version of a table.
pub(crate) struct Numbered {
    rows: Arc<dyn SearchRows>,
    schema: SchemaRef,
}

impl Numbered {
    /// The table that a relation is as it is, where the host keeps it, and expressions over it can be told row by row.
    ///
    /// # Errors
    /// If the table cannot be read.
    pub async fn open(
        host: Option<&dyn TableSearch>,
        input: &LogicalPlan,
        expressions: impl IntoIterator<Item = &Expr>,
        state: &SessionState,
    ) -> Result<Option<Numbered>> {
        if !is_whole_table(input) || expressions.into_iter().any(|e| has_subquery(e) || e.is_volatile()) {
            return Ok(None);
        }
        let rows = rows_of_table(host, input, None, state).await?;
        Ok(rows.map(|rows| Numbered { rows, schema: input.schema().inner().clone() }))
    }

    /// What expressions come to for each row, and after them the rows' numbers.
    ///
    /// # Errors
    /// If an expression fails, or the table cannot be read.
    pub async fn scan(
        &self,
        expressions: Vec<Expr>,
        state: &SessionState,
    ) -> Result<BoxStream<'static, Result<Columns>>> {
        let expressions: Vec<Expr> = expressions.into_iter().map(unnormalize_col).collect();
        let mut names: Vec<String> = vec![];
        for column in expressions.iter().flat_map(Expr::column_refs) {
            if !names.contains(&column.name) {
                names.push(column.name.clone());
            }
        }
        let mut batches = self.rows.scan(&names).await?.peekable();
        let Some(Ok(first)) = std::pin::Pin::new(&mut batches).peek().await else {
            // Nothing, or an error.
            return Ok(batches.map(|batch| batch.map(|b| (b.columns().to_vec(), b.num_rows()))).boxed());
        };
        let places: Vec<usize> = (0..names.len()).collect();
        let schema = DFSchema::try_from(first.schema().project(&places)?)?;
        let compiled: Vec<Arc<dyn PhysicalExpr>> =
            expressions.into_iter().map(|e| state.create_physical_expr(e, &schema)).collect::<Result<_>>()?;
        let evaluated = move |batch: Result<RecordBatch>| {
            let batch = batch?;
            let values = batch.project(&places)?;
            let value = |e: &Arc<dyn PhysicalExpr>| e.evaluate(&values)?.into_array(values.num_rows());
            let mut columns = compiled.iter().map(value).collect::<Result<Vec<_>>>()?;
            columns.push(batch.column(places.len()).clone());
            Ok((columns, batch.num_rows()))
        };
        Ok(batches.map(evaluated).boxed())
    }

    /// These columns of the rows of these numbers, in their order.
    ///
    /// # Errors
    /// If the table cannot be read.
    pub async fn take(&self, rows: &[u64], places: &[usize]) -> Result<Vec<ArrayRef>> {
        if places.is_empty() {
            return Ok(vec![]);
        }
        let fields: Vec<_> = places.iter().map(|at| self.schema.field(*at)).collect();
        let names: Vec<String> = fields.iter().map(|f| f.name().clone()).collect();
        let taken = self.rows.take(rows, &names).await?;
        taken.columns().iter().zip(fields).map(|(column, field)| Ok(cast(column, field.data_type())?)).collect()
    }
}

/// The numbers of rows, as the last column of a scan has them.
pub(crate) fn numbers(columns: &mut Vec<ArrayRef>) -> Result<ArrayRef> {
    match columns.pop() {
        Some(numbers) if numbers.as_primitive_opt::<UInt64Type>().is_some() => Ok(numbers),
        _ => exec_err!("rows without numbers"),
    }
}
