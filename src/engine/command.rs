//! Statements about tables: going back to a version, tags, files kept in shape, files taken in; and `versions`.

use std::sync::Arc;
use std::time::Duration;

use datafusion::arrow::array::{
    ArrayRef, ListBuilder, RecordBatch, StringArray, StringBuilder, TimestampMicrosecondArray, UInt64Array,
};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use datafusion::catalog::streaming::StreamingTable;
use datafusion::catalog::{TableFunctionArgs, TableFunctionImpl, TableProvider};
use datafusion::common::{Result, plan_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, ScalarUDF};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::PartitionStream;
use futures::stream;
use populace_population::there_are;

use super::Engine;
use crate::database::{Database, Step, Version, counted};
use crate::error::{Error, ErrorKind};
use crate::import::{Import, prepare};
use crate::sql::{Access, Command, Needs, Scope};

/// How old a version must be for cleaning up to remove it.
const KEPT: Duration = Duration::from_secs(7 * 24 * 60 * 60);

impl Engine {
    pub(super) async fn command(&self, command: Command, access: &Access) -> Result<SendableRecordBatchStream> {
        access.check(&Needs::of_command(&command), self.narrator_name())?;
        let database = &self.database;
        match command {
            Command::Restore { table, at } => {
                let version = database.write(self.known(&table)?).await?.restore(&at).await?;
                said(format!("{table} is what it was at {at}, as version {version}"))
            }
            Command::CreateTag { table, tag, at, replace } => {
                let writer = database.write(self.known(&table)?).await?;
                let version = writer.create_tag(&tag, at.as_ref(), replace).await?;
                said(format!("{tag} is version {version} of {table}"))
            }
            Command::DropTag { table, tag } => {
                database.write(self.known(&table)?).await?.drop_tag(&tag).await?;
                said(format!("{tag} is no tag of {table} any more"))
            }
            Command::Optimize { table } => steps(&Box::pin(self.optimize(&table, KEPT)).await?),
            Command::Import { table, files } => {
                let import = Import { files, table: self.known(&table)?.into(), ..Import::default() };
                let imported = Box::pin(prepare(database, import).await?.run(database, |_| {})).await?;
                database.notice_skipped(imported.appended.skipped, &table);
                counted(imported.appended.written)
            }
            Command::Undrop { table } => self.undrop(&table).await,
        }
    }

    /// Brings a table back that was dropped or replaced.
    async fn undrop(&self, table: &str) -> Result<SendableRecordBatchStream> {
        if self.tables.session_type(table).is_some() {
            let text = format!("{table} is a view or an external table of this session: drop it first");
            return Err(Error::new(ErrorKind::Exists, text).into());
        }
        self.database.undrop(table).await?;
        said(format!("{table} is there again"))
    }

    /// Keeps a table's files in shape; versions older than `keep` are removed.
    ///
    /// # Errors
    /// If there is no such table. A step that fails says so.
    pub async fn optimize(&self, table: &str, keep: Duration) -> Result<Vec<Step>> {
        self.database.write(self.known(table)?).await?.optimize(keep).await
    }

    /// A table's name, if there is such a table.
    pub(super) fn known<'a>(&self, table: &'a str) -> Result<&'a str> {
        known(&self.database, table).map(|()| table)
    }
}

fn known(database: &Database, table: &str) -> Result<()> {
    let tables = database.tables();
    match tables.iter().any(|t| t == table) {
        true => Ok(()),
        false => plan_err!("there is no table {table}{}", there_are(table, &tables)),
    }
}

fn rows(columns: Vec<(&str, ArrayRef)>) -> Result<SendableRecordBatchStream> {
    let batch = RecordBatch::try_from_iter(columns)?;
    Ok(Box::pin(RecordBatchStreamAdapter::new(batch.schema(), stream::iter([Ok(batch)]))))
}

fn said(text: String) -> Result<SendableRecordBatchStream> {
    rows(vec![("done", Arc::new(StringArray::from(vec![text])))])
}

fn steps(steps: &[Step]) -> Result<SendableRecordBatchStream> {
    let names: StringArray = steps.iter().map(|s| Some(s.name)).collect();
    let done = steps.iter().map(|s| Some(s.done.clone().unwrap_or_else(|why| format!("failed: {why}"))));
    rows(vec![("step", Arc::new(names)), ("done", Arc::new(done.collect::<StringArray>()))])
}

const NAME: &str = "versions";

/// The entries of the table functions of the database among the routines.
pub(super) fn documented() -> [ScalarUDF; 2] {
    [
        populace_udfs::table_function(
            NAME,
            "The versions of a table that are kept, the newest first: what made each, how many rows it has, the run that wrote it, and its tags.",
            "versions(table)",
            "SELECT version, time, operation, rows FROM versions('usa')",
        ),
        populace_udfs::table_function(
            "at_version",
            "A table as it was at a version, by its number or a tag; `usa VERSION AS OF 3` is the same.",
            "at_version(table, version | tag)",
            "SELECT count(*) FROM at_version('usa', 3)",
        ),
    ]
}

/// The table function `versions`.
#[derive(Debug)]
pub(super) struct Versions(pub Arc<Database>, pub Scope);

impl TableFunctionImpl for Versions {
    fn call_with_args(&self, args: TableFunctionArgs) -> Result<Arc<dyn TableProvider>> {
        let table = match args.exprs() {
            [Expr::Literal(table, _)] => table.try_as_str().flatten(),
            _ => None,
        };
        let Some(table) = table else {
            return plan_err!("{NAME} takes the name of a table: SELECT * FROM versions('usa')");
        };
        if !self.1.has(table) {
            let text = format!("the table {table} is out of reach here");
            return Err(Error::new(ErrorKind::Permission, text).into());
        }
        known(&self.0, table)?;
        let schema = Arc::new(Schema::new(vec![
            Field::new("version", DataType::UInt64, false),
            Field::new("time", DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), false),
            Field::new("operation", DataType::Utf8, false),
            Field::new("rows", DataType::UInt64, true),
            Field::new("run", DataType::Utf8, true),
            Field::new("tags", DataType::new_list(DataType::Utf8, true), false),
        ]));
        let read = Read { database: self.0.clone(), table: table.into(), schema: schema.clone() };
        Ok(Arc::new(StreamingTable::try_new(schema, vec![Arc::new(read)])?))
    }
}

/// Reads the versions when the statement runs.
#[derive(Debug)]
struct Read {
    database: Arc<Database>,
    table: String,
    schema: SchemaRef,
}

impl PartitionStream for Read {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let (database, table, schema) = (self.database.clone(), self.table.clone(), self.schema.clone());
        let versions = async move { batch(&database.versions(&table).await?, schema) };
        Box::pin(RecordBatchStreamAdapter::new(self.schema.clone(), stream::once(versions)))
    }
}

fn batch(versions: &[Version], schema: SchemaRef) -> Result<RecordBatch> {
    let mut tags = ListBuilder::new(StringBuilder::new());
    for version in versions {
        tags.append_value(version.tags.iter().map(Some));
    }
    let times = versions.iter().map(|v| v.time.timestamp_micros());
    let columns: Vec<ArrayRef> = vec![
        Arc::new(UInt64Array::from_iter_values(versions.iter().map(|v| v.version))),
        Arc::new(TimestampMicrosecondArray::from_iter_values(times).with_timezone("UTC")),
        Arc::new(versions.iter().map(|v| Some(v.operation)).collect::<StringArray>()),
        Arc::new(versions.iter().map(|v| v.rows).collect::<UInt64Array>()),
        Arc::new(versions.iter().map(|v| v.run.as_deref()).collect::<StringArray>()),
        Arc::new(tags.finish()),
    ];
    Ok(RecordBatch::try_new(schema, columns)?)
}
