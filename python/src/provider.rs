//! A table for another DataFusion, such as that of the package `datafusion`: its scans are queries in a session of the
//! database.

use std::ffi::CStr;
use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::SchemaRef;
use datafusion::catalog::Session;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DataFusionError, Result};
use datafusion::datasource::{TableProvider, TableType};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use datafusion::sql::unparser::expr_to_sql;
use datafusion_ffi::proto::logical_extension_codec::FFI_LogicalExtensionCodec;
use datafusion_ffi::table_provider::FFI_TableProvider;
use futures::{StreamExt, stream};
use populace::sql::quoted_name;
use pyo3::prelude::*;
use pyo3::types::PyCapsule;
use tokio::sync::mpsc::channel;

use crate::database::{Open, one};
use crate::error::{exception, usage};
use crate::wait::{Ended, runtime};

const PROVIDER: &CStr = c"datafusion_table_provider";
const CODEC: &CStr = c"datafusion_logical_extension_codec";

/// Batches that wait for whoever reads.
const AHEAD: usize = 2;

/// The table as what `SessionContext.register_table` of the package takes.
///
/// # Errors
/// If the session is none of the package's.
pub(crate) fn capsule<'py>(
    py: Python<'py>,
    open: &Arc<Open>,
    name: &str,
    schema: SchemaRef,
    session: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyCapsule>> {
    let codec = session.call_method0("__datafusion_logical_extension_codec__")?;
    let codec = codec.cast::<PyCapsule>()?.pointer_checked(Some(CODEC))?.cast::<FFI_LogicalExtensionCodec>();
    // SAFETY: a capsule of this name holds such a codec, which lives as long as it; that it is of this version has been
    // asked by the caller.
    let codec = unsafe { codec.as_ref() }.clone();
    let threads = runtime().map_err(|error| exception(py, &error))?;
    let table = Arc::new(Table { open: open.clone(), name: quoted_name(name), schema });
    let table = FFI_TableProvider::new_with_ffi_codec(table, true, Some(threads.handle().clone()), codec);
    PyCapsule::new_with_value(py, table, PROVIDER)
}

/// That the package is of the version whose structures these are.
///
/// # Errors
/// If it is not.
pub(crate) fn is_of(py: Python<'_>, version: &str) -> PyResult<()> {
    let ours = datafusion_ffi::version();
    match version.split('.').next().and_then(|major| major.parse().ok()) == Some(ours) {
        true => Ok(()),
        false => Err(usage(
            py,
            format!("tables are for datafusion {ours}, and this is {version}: pip install \"datafusion=={ours}.*\""),
        )),
    }
}

#[derive(Debug)]
struct Table {
    open: Arc<Open>,
    /// As SQL has it
    name: String,
    schema: SchemaRef,
}

/// A filter as SQL, where it means the same in both sessions: no functions, which either may have its own of.
fn as_sql(filter: &Expr) -> Option<String> {
    let mut is_plain = true;
    let walk = filter.apply(|part| {
        is_plain &= matches!(
            part,
            Expr::Column(_)
                | Expr::Literal(..)
                | Expr::BinaryExpr(_)
                | Expr::Not(_)
                | Expr::IsNull(_)
                | Expr::IsNotNull(_)
                | Expr::Between(_)
                | Expr::InList(_)
                | Expr::Like(_)
        );
        Ok(TreeNodeRecursion::Continue)
    });
    walk.ok().filter(|_| is_plain)?;
    // Of whatever the table is called there.
    let bare = filter.clone().transform(|part| {
        Ok(match part {
            Expr::Column(column) => Transformed::yes(Expr::Column(Column::new_unqualified(column.name))),
            other => Transformed::no(other),
        })
    });
    expr_to_sql(&bare.ok()?.data).ok().map(|sql| sql.to_string())
}

#[async_trait::async_trait]
impl TableProvider for Table {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        let of = |filter: &&Expr| match as_sql(filter) {
            Some(_) => TableProviderFilterPushDown::Exact,
            None => TableProviderFilterPushDown::Unsupported,
        };
        Ok(filters.iter().map(of).collect())
    }

    async fn scan(
        &self,
        _: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let schema = match projection {
            Some(columns) => Arc::new(self.schema.project(columns)?),
            None => self.schema.clone(),
        };
        let columns: Vec<String> = schema.fields().iter().map(|field| quoted_name(field.name())).collect();
        // Rows without columns are counted alone.
        let columns = if columns.is_empty() { "1".into() } else { columns.join(", ") };
        let mut sql = format!("SELECT {columns} FROM {}", self.name);
        let filters: Option<Vec<String>> = filters.iter().map(as_sql).collect();
        let filters = filters.ok_or_else(|| DataFusionError::Internal("a filter was not asked about".into()))?;
        if !filters.is_empty() {
            let filters: Vec<String> = filters.iter().map(|filter| format!("({filter})")).collect();
            sql.push_str(&format!(" WHERE {}", filters.join(" AND ")));
        }
        if let Some(limit) = limit {
            sql.push_str(&format!(" LIMIT {limit}"));
        }
        let rows = Arc::new(Query { open: self.open.clone(), sql, schema: schema.clone() });
        Ok(Arc::new(StreamingTableExec::try_new(schema, vec![rows], None, None, false, None)?))
    }
}

/// A query, run anew whenever its rows are asked for.
#[derive(Debug)]
struct Query {
    open: Arc<Open>,
    sql: String,
    schema: SchemaRef,
}

impl PartitionStream for Query {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let (say, said) = channel(AHEAD);
        let (open, sql, schema) = (self.open.clone(), self.sql.clone(), self.schema.clone());
        let work = async move {
            let run = async {
                let engine = open.engine()?.for_statement();
                let statement = one(&engine, &sql)?;
                engine.run(statement).await
            };
            let mut rows = match run.await {
                Ok(rows) => rows,
                Err(error) => {
                    _ = say.send(Err(error)).await;
                    return;
                }
            };
            while let Some(batch) = rows.next().await {
                let batch = batch.and_then(|batch| shaped(&batch, &schema));
                if say.send(batch).await.is_err() {
                    return;
                }
            }
        };
        // Plans nest deep: on threads with room for that, which are not those of whoever reads.
        let rows = match runtime() {
            Ok(threads) => {
                let task = Ended(threads.spawn(work));
                stream::unfold((said, task), |(mut said, task)| async {
                    said.recv().await.map(|batch| (batch, (said, task)))
                })
                .boxed()
            }
            Err(error) => stream::iter([Err(error.into())]).boxed(),
        };
        Box::pin(RecordBatchStreamAdapter::new(self.schema.clone(), rows))
    }
}

/// Rows with the columns that were asked for, which may be none.
fn shaped(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let columns = batch.columns()[..schema.fields().len()].to_vec();
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok(RecordBatch::try_new_with_options(schema.clone(), columns, &options)?)
}
