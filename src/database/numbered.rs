//! A table with the numbers of its rows, for filters that Lance does not apply itself.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::Result;
use datafusion::datasource::TableType;
use datafusion::logical_expr::Expr;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::expressions::Column;
use datafusion::physical_plan::projection::ProjectionExec;
use lance::dataset::ROW_ID;

use super::Snapshot;
use super::bare::Bare;

/// The columns of a version of a table, and after them the rows' numbers.
#[derive(Debug)]
pub(super) struct Numbered {
    snapshot: Arc<Snapshot>,
    schema: SchemaRef,
}

impl Numbered {
    pub fn new(snapshot: Arc<Snapshot>) -> Numbered {
        let mut fields = Schema::from(snapshot.dataset.schema()).fields.to_vec();
        fields.push(Arc::new(Field::new(ROW_ID, DataType::UInt64, true)));
        Numbered { snapshot, schema: Arc::new(Schema::new(fields)) }
    }
}

#[async_trait]
impl TableProvider for Numbered {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Temporary
    }

    async fn scan(
        &self,
        _: &dyn Session,
        projection: Option<&Vec<usize>>,
        _: &[Expr],
        _: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let wanted: Vec<&str> = match projection {
            Some(places) => places.iter().map(|at| self.schema.field(*at).name().as_str()).collect(),
            None => self.schema.fields().iter().map(|f| f.name().as_str()).collect(),
        };
        let stored: Vec<&str> = wanted.iter().copied().filter(|n| *n != ROW_ID).collect();
        let mut scan = self.snapshot.dataset.scan();
        match stored.is_empty() {
            true => scan.empty_project()?,
            false => scan.project(&stored)?,
        };
        let rows: Arc<dyn ExecutionPlan> =
            Arc::new(Bare::new(scan.with_row_id().create_plan().await?, self.snapshot.clone()));
        let columns = wanted.iter().map(|name| {
            let at = rows.schema().index_of(name)?;
            Ok((Arc::new(Column::new(name, at)) as _, name.to_string()))
        });
        let columns = columns.collect::<Result<Vec<_>>>()?;
        Ok(Arc::new(ProjectionExec::try_new(columns, rows)?))
    }
}
