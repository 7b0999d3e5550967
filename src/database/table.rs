//! A table as DataFusion sees it.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, DataFusionError, Result, exec_err, plan_err};
use datafusion::datasource::TableType;
use datafusion::datasource::sink::{DataSink, DataSinkExec};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::dml::InsertOp;
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown};
use datafusion::physical_plan::expressions::Column;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan};
use lance::dataset::ROW_ID;
use lance::dataset::scanner::MaterializationStyle;
use lance::io::exec::filtered_read::{FilteredReadExec, FilteredReadThreadingMode};

use super::column_cache::CachedScanExec;
use super::strip_metadata::StripMetadataExec;
use super::{Append, Database, Snapshot, has_key};

/// The column of a row's place in a version of its table: the fragment in the upper 32 bits, the row in the lower.
pub(crate) const ROW_ADDRESS: &str = "_rowaddr";

/// One version of a table: what a statement reads stays the same while it runs.
#[derive(Debug)]
pub struct Table {
    database: Arc<Database>,
    snapshot: Arc<Snapshot>,
    /// Without the table's metadata, which some plans of DataFusion lose on the way and then miss
    schema: SchemaRef,
    has_key: bool,
    /// Whether this is the newest version, which alone is written
    newest: bool,
    /// What says of each row which it is, in a column after the others
    row: Option<&'static str>,
    /// Whether its rows may come in any order, in several partitions
    in_any_order: bool,
}

impl Table {
    pub(super) fn new(database: Arc<Database>, snapshot: Snapshot, newest: bool) -> Table {
        let told = Schema::from(snapshot.dataset.schema());
        let has_key = has_key(&told);
        let schema = Arc::new(Schema::new(told.fields));
        Table { database, snapshot: Arc::new(snapshot), schema, has_key, newest, row: None, in_any_order: false }
    }

    /// The same version with the rows' addresses, [`ROW_ADDRESS`], by which they are changed.
    pub(crate) fn with_addresses(&self) -> Table {
        self.with_rows(ROW_ADDRESS)
    }

    /// The same version with the rows' ids, [`ROW_ID`], by which Lance finds them in searches.
    pub(super) fn with_row_ids(&self) -> Table {
        self.with_rows(ROW_ID)
    }

    fn with_rows(&self, column: &'static str) -> Table {
        let mut fields = self.schema.fields().to_vec();
        fields.push(Arc::new(Field::new(column, DataType::UInt64, true)));
        Table {
            database: self.database.clone(),
            snapshot: self.snapshot.clone(),
            schema: Arc::new(Schema::new(fields)),
            has_key: self.has_key,
            newest: self.newest,
            row: Some(column),
            in_any_order: false,
        }
    }

    /// The same version, read on all cores: its rows come in any order. Of few there is nothing to gain.
    pub(crate) fn in_any_order(&self) -> Option<Table> {
        let rows: Option<usize> = self.snapshot.dataset.fragments().iter().map(|f| f.physical_rows).sum();
        (!self.in_any_order && self.row.is_none() && rows.is_none_or(|rows| rows > 2 * NARROW_BATCH)).then(|| Table {
            database: self.database.clone(),
            snapshot: self.snapshot.clone(),
            schema: self.schema.clone(),
            has_key: self.has_key,
            newest: self.newest,
            row: None,
            in_any_order: true,
        })
    }

    /// The scan by columns that are kept in memory; `None` where those are not all codes and numbers, or not kept.
    fn cached(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        let Some(projection) = projection.filter(|_| limit.is_none() && self.row.is_none()) else { return Ok(None) };
        let filter = conjunction(filters.iter().cloned());
        let mut read = projection.clone();
        for column in filter.iter().flat_map(Expr::column_refs) {
            read.push(self.schema.index_of(column.name())?);
        }
        read.sort_unstable();
        read.dedup();
        let schema = Arc::new(self.schema.project(&read)?);
        if !schema.fields().iter().all(|f| is_narrow(f)) {
            return Ok(None);
        }
        let partitions = if self.in_any_order { session.config().target_partitions() } else { 1 };
        let rows = CachedScanExec::new(&self.database, &self.snapshot, schema.clone(), partitions.max(1));
        let Some(rows) = rows.map(|rows| Arc::new(rows) as Arc<dyn ExecutionPlan>) else { return Ok(None) };
        let rows = match filter {
            Some(filter) => {
                let filter = session.create_physical_expr(filter, &DFSchema::try_from(schema)?)?;
                Arc::new(FilterExec::try_new(filter, rows)?)
            }
            None => rows,
        };
        let place = |at: &usize| {
            let name = self.schema.field(*at).name();
            Ok((Arc::new(Column::new(name, rows.schema().index_of(name)?)) as _, name.to_string()))
        };
        let shown = projection.iter().map(place).collect::<Result<Vec<_>>>()?;
        Ok(Some(Arc::new(ProjectionExec::try_new(shown, rows)?)))
    }

    pub(super) fn snapshot(&self) -> &Arc<Snapshot> {
        &self.snapshot
    }

    pub(super) fn database(&self) -> &Arc<Database> {
        &self.database
    }

    pub(super) fn name(&self) -> &str {
        &self.snapshot.table.name
    }

    /// Whether its rows are people with a key.
    pub(crate) fn has_key(&self) -> bool {
        self.has_key
    }

    /// The table's name, if this is the version that one writes.
    ///
    /// # Errors
    /// If it is an old one.
    pub fn writable(&self) -> Result<&str> {
        match self.newest {
            true => Ok(self.name()),
            false => plan_err!("an old version of {} cannot be written", self.name()),
        }
    }
}

#[async_trait]
impl TableProvider for Table {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        if let Some(rows) = self.cached(session, projection, filters, limit)? {
            return Ok(rows);
        }
        let mut scan = self.snapshot.dataset.scan();
        let columns: Vec<&Field> = match projection {
            Some(places) => places.iter().map(|p| self.schema.field(*p)).collect(),
            None => self.schema.fields().iter().map(|f| f.as_ref()).collect(),
        };
        let names: Vec<&str> = columns.iter().map(|f| f.name().as_str()).collect();
        let stored: Vec<&str> = names.iter().copied().filter(|n| Some(*n) != self.row).collect();
        match stored.is_empty() && self.row.is_some() {
            true => scan.empty_project()?,
            false => scan.project(&stored)?,
        };
        if stored.len() < names.len() {
            match self.row {
                Some(ROW_ADDRESS) => scan.with_row_address(),
                _ => scan.with_row_id(),
            };
        }
        if let Some(filter) = conjunction(filters.iter().cloned()) {
            let read_by_it = |f: &&&Field| !filter.column_refs().iter().any(|c| c.name == *f.name());
            let beside: Vec<&str> = columns.iter().filter(read_by_it).map(|f| f.name().as_str()).collect();
            // Few columns of codes and numbers are read whole faster than row by row; Lance's own rule is made for
            // filters that leave one row in a thousand.
            if beside.len() <= FEW && columns.iter().all(|f| is_narrow(f)) {
                scan.materialization_style(MaterializationStyle::AllEarly);
            }
            scan.filter_expr(filter);
        }
        if columns.iter().all(|f| is_narrow(f)) {
            scan.batch_size(NARROW_BATCH);
        }
        scan.limit(limit.map(|l| l as i64), None)?;
        let rows = scan.create_plan().await?;
        let rows = match self.in_any_order && limit.is_none() {
            true => in_partitions(rows, session.config().target_partitions())?,
            false => rows,
        };
        let read = names.iter().copied().chain(filters.iter().flat_map(|f| f.column_refs()).map(|c| c.name.as_str()));
        let read = read.filter(|name| self.schema.field_with_name(name).is_ok_and(is_narrow));
        let read = read.map(String::from).collect();
        let rows: Arc<dyn ExecutionPlan> =
            Arc::new(StripMetadataExec::new(rows, self.database.clone(), self.snapshot.clone(), read));
        if self.row.is_none() {
            return Ok(rows);
        }
        let place =
            |name: &str| Ok((Arc::new(Column::new(name, rows.schema().index_of(name)?)) as _, name.to_string()));
        let places = names.iter().map(|name| place(name)).collect::<Result<Vec<_>>>()?;
        Ok(Arc::new(ProjectionExec::try_new(places, rows)?))
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        let answer = |f: &&Expr| match is_plain(f) {
            true => TableProviderFilterPushDown::Exact,
            false => TableProviderFilterPushDown::Unsupported,
        };
        Ok(filters.iter().map(answer).collect())
    }

    async fn insert_into(
        &self,
        _: &dyn Session,
        input: Arc<dyn ExecutionPlan>,
        op: InsertOp,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        if op != InsertOp::Append {
            return plan_err!("{op} is not supported: INSERT INTO leaves out people who are there already");
        }
        let table = self.writable()?.to_string();
        let sink = Sink { database: self.database.clone(), table, schema: self.schema() };
        Ok(Arc::new(DataSinkExec::new(input, Arc::new(sink), None)))
    }
}

/// A table that is there by its name and whose files cannot be read: it breaks nothing but itself.
#[derive(Debug)]
pub(crate) struct Unreadable {
    why: String,
    schema: SchemaRef,
}

impl Unreadable {
    pub fn new(error: &DataFusionError) -> Unreadable {
        Unreadable { why: crate::error::message(error), schema: Arc::new(Schema::empty()) }
    }

    pub fn why(&self) -> &str {
        &self.why
    }
}

#[async_trait]
impl TableProvider for Unreadable {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        _: &dyn Session,
        _: Option<&Vec<usize>>,
        _: &[Expr],
        _: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        exec_err!("{}", self.why)
    }
}

/// Columns of codes and numbers that a filtered scan reads whole.
const FEW: usize = 4;

/// Rows of such columns that are read together.
const NARROW_BATCH: usize = 65_536;

/// A scan of Lance whose batches go to whichever of the partitions asks next.
fn in_partitions(rows: Arc<dyn ExecutionPlan>, partitions: usize) -> Result<Arc<dyn ExecutionPlan>> {
    let read = |plan: Arc<dyn ExecutionPlan>| {
        let Some(read) = plan.downcast_ref::<FilteredReadExec>().filter(|read| read.row_stream_input().is_none())
        else {
            return Ok(Transformed::no(plan));
        };
        let partitions = FilteredReadThreadingMode::MultiplePartitions(partitions);
        let options = read.options().clone().with_threading_mode(partitions);
        let read = FilteredReadExec::try_new(read.dataset().clone(), options, read.index_input().cloned())?;
        Ok(Transformed::yes(Arc::new(read) as Arc<dyn ExecutionPlan>))
    };
    Ok(rows.transform_down(read)?.data)
}

/// Whether values are codes or numbers.
fn is_narrow(field: &Field) -> bool {
    field.data_type().is_primitive() || matches!(field.data_type(), DataType::Dictionary(..) | DataType::Boolean)
}

/// Whether an expression is made of columns, literals and built-in operators. Lance evaluates nothing else: functions
/// may be asynchronous, which its scan is not.
pub(super) fn is_plain(expr: &Expr) -> bool {
    let mut plain = true;
    let walked = expr.apply(|e| {
        plain &= matches!(
            e,
            Expr::Column(_)
                | Expr::Literal(..)
                | Expr::Alias(_)
                | Expr::BinaryExpr(_)
                | Expr::Not(_)
                | Expr::Negative(_)
                | Expr::IsNull(_)
                | Expr::IsNotNull(_)
                | Expr::IsTrue(_)
                | Expr::IsFalse(_)
                | Expr::IsNotTrue(_)
                | Expr::IsNotFalse(_)
                | Expr::Between(_)
                | Expr::InList(_)
                | Expr::Like(_)
                | Expr::Cast(_)
        );
        Ok(if plain { TreeNodeRecursion::Continue } else { TreeNodeRecursion::Stop })
    });
    walked.is_ok() && plain
}

/// Where an INSERT's rows go.
#[derive(Debug)]
struct Sink {
    database: Arc<Database>,
    table: String,
    schema: SchemaRef,
}

impl DisplayAs for Sink {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LanceAppend: table={}", self.table)
    }
}

#[async_trait]
impl DataSink for Sink {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    async fn write_all(&self, rows: SendableRecordBatchStream, _: &Arc<TaskContext>) -> Result<u64> {
        let appended = self.database.append(&self.table, rows, Append::default()).await?;
        self.database.notice_skipped(appended.skipped, &self.table);
        Ok(appended.written)
    }
}
