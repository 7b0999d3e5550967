//! Rows of a stored table with their numbers there, so that those that are taken need not be looked for again.

use std::fmt;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::{DFSchema, Result, exec_err};
use datafusion::datasource::source_as_provider;
use datafusion::execution::session_state::SessionState;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::expr_rewriter::unnormalize_col;
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::physical_expr::EquivalenceProperties;
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet, MetricsSet};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PhysicalExpr, PlanProperties};
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt, stream};
use tokio::sync::OnceCell;

use crate::host::table_search::{SearchRows, TableSearch, has_subquery, rows_of_table, table_below};
use crate::nodes::properties::as_they_come;
use crate::nodes::relation_function::measured;

/// What is read of one version of a stored table.
#[derive(Debug)]
pub(crate) struct Numbered {
    host: Arc<dyn TableSearch>,
    /// The table, perhaps with filters
    relation: Arc<LogicalPlan>,
    /// What is told of each row
    exprs: Vec<Expr>,
    /// Of these, and of the numbers after them
    schema: SchemaRef,
    state: Arc<SessionState>,
    rows: OnceCell<Arc<dyn SearchRows>>,
}

impl Numbered {
    /// The rows of a projection, where it is of a table that a host keeps, and can be told row by row; and where the
    /// columns of another projection, but for those `computed`, are columns of that table.
    pub fn of(
        host: &Arc<dyn TableSearch>,
        projection: &LogicalPlan,
        other: &LogicalPlan,
        computed: &[String],
        state: &Arc<SessionState>,
    ) -> Option<Arc<Numbered>> {
        let LogicalPlan::Projection(projection) = projection else { return None };
        let (scan, filters) = table_below(&projection.input)?;
        let told = |e: &Expr| !has_subquery(e) && !e.is_volatile();
        if !projection.expr.iter().chain(&filters).all(told) || !host.has_key(&source_as_provider(&scan.source).ok()?) {
            return None;
        }
        let LogicalPlan::Projection(other) = other else { return None };
        table_below(&other.input)?;
        let is_shown = |e: &&Expr| !computed.contains(&e.schema_name().to_string());
        if !other.expr.iter().filter(is_shown).all(|e| matches!(e.clone().unalias(), Expr::Column(_))) {
            return None;
        }
        let number = Arc::new(Field::new("number", DataType::UInt64, true));
        let fields: Vec<_> = projection.schema.fields().iter().cloned().chain([number]).collect();
        Some(Arc::new(Numbered {
            host: host.clone(),
            relation: projection.input.clone(),
            exprs: projection.expr.iter().map(|e| unnormalize_col(e.clone().unalias())).collect(),
            schema: Arc::new(Schema::new(fields)),
            state: state.clone(),
            rows: OnceCell::new(),
        }))
    }

    /// The projection's columns for each row, and after them the rows' numbers.
    pub fn rows(self: &Arc<Self>) -> Arc<dyn ExecutionPlan> {
        Arc::new(NumberedRowsExec::new(self.clone()))
    }

    async fn table(&self) -> Result<&Arc<dyn SearchRows>> {
        let open = || async {
            match rows_of_table(Some(self.host.as_ref()), &self.relation, None, &self.state).await? {
                Some(rows) => Ok(rows),
                None => exec_err!("a table is gone: {}", self.relation.display()),
            }
        };
        self.rows.get_or_try_init(open).await
    }

    async fn scan(&self) -> Result<BoxStream<'static, Result<RecordBatch>>> {
        let mut names: Vec<String> = vec![];
        for column in self.exprs.iter().flat_map(Expr::column_refs) {
            if !names.contains(&column.name) {
                names.push(column.name.clone());
            }
        }
        let mut batches = self.table().await?.scan(&names).await?.peekable();
        let Some(Ok(first)) = std::pin::Pin::new(&mut batches).peek().await else {
            // Nothing, or an error.
            return Ok(batches.map_ok(|batch| batch.slice(0, 0)).boxed());
        };
        let places: Vec<usize> = (0..names.len()).collect();
        let schema = DFSchema::try_from(first.schema().project(&places)?)?;
        let compiled = self.exprs.iter().map(|e| self.state.create_physical_expr(e.clone(), &schema));
        let compiled: Vec<Arc<dyn PhysicalExpr>> = compiled.collect::<Result<_>>()?;
        let schema = self.schema.clone();
        let evaluated = move |batch: Result<RecordBatch>| {
            let batch = batch?;
            let (values, number) = (batch.project(&places)?, batch.column(places.len()));
            let value = |(e, field): (&Arc<dyn PhysicalExpr>, &Arc<Field>)| {
                Ok(cast(&e.evaluate(&values)?.into_array(values.num_rows())?, field.data_type())?)
            };
            let columns = compiled.iter().zip(schema.fields()).map(value);
            let columns = columns.chain([Ok(number.clone())]).collect::<Result<Vec<ArrayRef>>>()?;
            Ok(RecordBatch::try_new(schema.clone(), columns)?)
        };
        Ok(batches.map(evaluated).boxed())
    }

    /// Columns of a projection of the same table, by their names there, of the rows of these numbers, in their order.
    ///
    /// # Errors
    /// If the table cannot be read.
    pub async fn take(&self, rows: &[u64], projection: &LogicalPlan, shown: &[String]) -> Result<Vec<ArrayRef>> {
        if shown.is_empty() {
            return Ok(vec![]);
        }
        let LogicalPlan::Projection(projection) = projection else { return exec_err!("no projection of a table") };
        let (mut names, mut kinds) = (vec![], vec![]);
        for name in shown {
            let mut found = projection.expr.iter().zip(projection.schema.fields());
            match found.find(|(_, field)| field.name() == name).map(|(e, field)| (e.clone().unalias(), field)) {
                Some((Expr::Column(column), field)) => {
                    names.push(column.name);
                    kinds.push(field.data_type());
                }
                _ => return exec_err!("no column `{name}` of a table"),
            }
        }
        // A column that is shown twice is read once.
        let mut read = names.clone();
        read.sort_unstable();
        read.dedup();
        let taken = self.table().await?.take(rows, &read).await?;
        let place = |name: &String| read.binary_search(name).unwrap_or(0);
        names.iter().zip(kinds).map(|(name, kind)| Ok(cast(taken.column(place(name)), kind)?)).collect()
    }
}

/// Reads a stored table with the rows' numbers.
pub(crate) struct NumberedRowsExec {
    numbered: Arc<Numbered>,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl NumberedRowsExec {
    fn new(numbered: Arc<Numbered>) -> NumberedRowsExec {
        let properties = as_they_come(EquivalenceProperties::new(numbered.schema.clone()), 1);
        NumberedRowsExec { numbered, properties, metrics: ExecutionPlanMetricsSet::new() }
    }
}

impl fmt::Debug for NumberedRowsExec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fmt_as(DisplayFormatType::Default, f)
    }
}

impl DisplayAs for NumberedRowsExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        let exprs: Vec<String> = self.numbered.exprs.iter().map(|e| e.to_string()).collect();
        write!(f, "NumberedRowsExec: ")?;
        if let Some((scan, filters)) = table_below(&self.numbered.relation) {
            write!(f, "table={}, ", scan.table_name)?;
            if !filters.is_empty() {
                let filters: Vec<String> = filters.iter().map(|e| e.to_string()).collect();
                write!(f, "filters=[{}], ", filters.join(", "))?;
            }
        }
        write!(f, "columns=[{}]", exprs.join(", "))
    }
}

impl ExecutionPlan for NumberedRowsExec {
    fn name(&self) -> &str {
        "NumberedRowsExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![]
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        if children.is_empty() { Ok(self) } else { exec_err!("NumberedRowsExec has no inputs") }
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }

    fn execute(&self, partition: usize, _: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let (numbered, metrics) = (self.numbered.clone(), BaselineMetrics::new(&self.metrics, partition));
        let rows = stream::once(async move { numbered.scan().await }).try_flatten().boxed();
        let rows = measured(rows, metrics);
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.numbered.schema.clone(), rows)))
    }
}
