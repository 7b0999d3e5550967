//! Rows that a client writes into a table as they come.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use arrow_flight::sql::{CommandStatementIngest, TableExistsOption, TableNotExistOption};
use datafusion::catalog::streaming::StreamingTable;
use datafusion::catalog::{MemorySchemaProvider, SchemaProvider};
use datafusion::common::{Result as Planned, exec_datafusion_err};
use datafusion::execution::SendableRecordBatchStream;
use tonic::Status;

use super::received::Rows;
use super::status::status;
use crate::engine::{Engine, Error, ErrorKind};
use crate::sql::quoted_name;

/// The schema of the session, which is nobody's to be kept from, and the table in it, from which what comes is read.
const PLACE: (&str, &str) = ("pg_catalog", "written");

/// What a client wants to be written where.
pub(super) struct Ingest {
    table: String,
    new: TableNotExistOption,
    known: TableExistsOption,
}

impl Ingest {
    /// # Errors
    /// If it is asked for in a way that there is none of here.
    pub fn new(command: &CommandStatementIngest) -> Result<Ingest, Status> {
        let refused = |text: &str| Err(status(Error::new(ErrorKind::Unsupported, text)));
        if command.temporary {
            return refused("there are no temporary tables: name a table, and drop it");
        }
        if command.transaction_id.is_some() {
            return refused("there are no transactions: a table is written in one commit, or not at all");
        }
        let named =
            |name: &Option<String>, own: &str| name.as_deref().is_none_or(|name| name.is_empty() || name == own);
        if !named(&command.catalog, super::metadata::DATABASE) || !named(&command.schema, "public") {
            return refused("tables are written in the schema `public` of the catalogue `datafusion` alone");
        }
        let options = command.table_definition_options.unwrap_or_default();
        let (new, known) = (options.if_not_exist(), options.if_exists());
        Ok(Ingest { table: command.table.clone(), new, known })
    }

    /// The statement that writes rows with these columns.
    fn statement(&self, is_there: bool, schema: &SchemaRef) -> Result<String, Error> {
        let table = quoted_name(&self.table);
        let columns: Vec<String> = schema.fields().iter().map(|field| quoted_name(field.name())).collect();
        let columns = columns.join(", ");
        let rows = format!("SELECT {columns} FROM {}.{}", PLACE.0, PLACE.1);
        match (is_there, self.new, self.known) {
            (false, TableNotExistOption::Fail, _) => {
                let error = Error::new(ErrorKind::NotFound, format!("there is no table {}", self.table));
                Err(error.hint("let it be created: mode `create` or `create_append`"))
            }
            (false, ..) => Ok(format!("CREATE TABLE {table} AS {rows}")),
            (true, _, TableExistsOption::Append) => Ok(format!("INSERT INTO {table} ({columns}) {rows}")),
            (true, _, TableExistsOption::Replace) => Ok(format!("CREATE OR REPLACE TABLE {table} AS {rows}")),
            (true, ..) => {
                let error = Error::new(ErrorKind::Exists, format!("the table {} exists already", self.table));
                Err(error.hint("append to it or replace it: mode `append` or `replace`"))
            }
        }
    }

    /// Writes rows that come.
    ///
    /// # Errors
    /// If they may not be written, or break off: then none is.
    pub async fn run(self, engine: Engine, rows: Rows) -> Planned<SendableRecordBatchStream> {
        let is_there = engine.database().tables().contains(&self.table);
        let text = self.statement(is_there, &rows.schema)?;
        let source = StreamingTable::try_new(rows.schema.clone(), vec![Arc::new(rows)])?;
        let catalog = engine.context().catalog(super::metadata::DATABASE);
        let catalog = catalog.ok_or_else(|| exec_datafusion_err!("the session has no tables"))?;
        let place = MemorySchemaProvider::new();
        place.register_table(PLACE.1.into(), Arc::new(source))?;
        catalog.register_schema(PLACE.0, Arc::new(place))?;
        let statement = crate::serve::statements::one(&engine, &text)?;
        engine.run(statement).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::datatypes::{DataType, Field, Schema};
    use arrow_flight::sql::TableDefinitionOptions;

    #[test]
    fn tables_are_made_added_to_or_replaced_as_asked() {
        let schema: SchemaRef = Schema::new(vec![Field::new("a \"b\"", DataType::Int64, true)]).into();
        let told = |new: TableNotExistOption, known: TableExistsOption, is_there| {
            let table_definition_options =
                Some(TableDefinitionOptions { if_not_exist: new as i32, if_exists: known as i32 });
            let command = CommandStatementIngest {
                table: "t".into(),
                table_definition_options,
                ..CommandStatementIngest::default()
            };
            let ingest = Ingest::new(&command).unwrap();
            ingest.statement(is_there, &schema).unwrap_or_else(|e| e.message)
        };
        use {TableExistsOption as Known, TableNotExistOption as New};
        let rows = "SELECT \"a \"\"b\"\"\" FROM pg_catalog.written";
        let (made, added) =
            (format!("CREATE TABLE \"t\" AS {rows}"), format!("INSERT INTO \"t\" (\"a \"\"b\"\"\") {rows}"));
        assert_eq!(told(New::Create, Known::Fail, false), made);
        assert_eq!(told(New::Create, Known::Fail, true), "the table t exists already");
        assert_eq!(told(New::Fail, Known::Append, false), "there is no table t");
        assert_eq!(told(New::Fail, Known::Append, true), added);
        assert_eq!(told(New::Create, Known::Append, true), added);
        assert_eq!(told(New::Create, Known::Replace, true), format!("CREATE OR REPLACE TABLE \"t\" AS {rows}"));
        let command = CommandStatementIngest { temporary: true, ..CommandStatementIngest::default() };
        assert!(Ingest::new(&command).is_err());
    }
}
