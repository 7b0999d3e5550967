//! The tables that tell of the database itself, in the schema `populace`.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::array::{Array, ArrayRef, RecordBatch, StringArray, UInt64Array};
use datafusion::arrow::datatypes::{Field, FieldRef, Schema};
use datafusion::catalog::{SchemaProvider, TableProvider};
use datafusion::common::{DataFusionError, Result};
use datafusion::datasource::{MemTable, TableType};

use super::shape::writers;
use super::{Database, Index, embedded_by, embedded_narrative, in_catalog, is_narrative};
use crate::catalog::TableEntry;

const INDEXES: &str = "indexes";
const TABLES: &str = "tables";
const COLUMNS: &str = "columns";

/// `populace.columns`, `populace.indexes` and `populace.tables`: the columns of all tables with who wrote their texts, the
/// indexes, and the tables with where their files are, those that were dropped and can be had back among them, as they
/// are when a statement asks.
#[derive(Debug)]
pub struct SystemSchema {
    database: Arc<Database>,
}

impl SystemSchema {
    pub fn new(database: Arc<Database>) -> SystemSchema {
        SystemSchema { database }
    }

    async fn indexes(&self) -> Result<RecordBatch> {
        let mut found: Vec<(String, Index)> = vec![];
        for table in self.database.tables() {
            let indexes = match self.database.indexes(&table).await {
                Ok(indexes) => indexes,
                Err(error) => {
                    self.database.notice(crate::error::message(&error));
                    continue;
                }
            };
            found.extend(indexes.into_iter().map(|index| (table.clone(), index)));
        }
        let state = |i: &Index| if i.rows_not_indexed == 0 { "current" } else { "behind" };
        let text = |of: &dyn Fn(&(String, Index)) -> String| -> ArrayRef {
            Arc::new(found.iter().map(|i| Some(of(i))).collect::<StringArray>())
        };
        let number = |of: &dyn Fn(&Index) -> Option<u64>| -> ArrayRef {
            Arc::new(found.iter().map(|(_, i)| of(i)).collect::<UInt64Array>())
        };
        let columns = vec![
            ("table_name", text(&|(table, _)| table.clone())),
            ("index_name", text(&|(_, i)| i.name.clone())),
            ("kind", text(&|(_, i)| i.kind.name().to_string())),
            ("columns", text(&|(_, i)| i.columns.join(", "))),
            ("rows_indexed", number(&|i| Some(i.rows_indexed))),
            ("rows_not_indexed", number(&|i| Some(i.rows_not_indexed))),
            ("state", text(&|(_, i)| state(i).to_string())),
            ("bytes", number(&|i| i.bytes)),
            ("detail", text(&|(_, i)| i.detail.clone())),
        ];
        batch(columns)
    }

    async fn columns(&self) -> Result<RecordBatch> {
        let mut found: Vec<(String, FieldRef)> = vec![];
        for table in self.database.tables() {
            match self.database.schema(&table).await {
                Ok(schema) => {
                    let fields = schema.into_iter().flat_map(|s| s.fields().iter().cloned().collect::<Vec<_>>());
                    found.extend(fields.map(|field| (table.clone(), field)));
                }
                Err(error) => self.database.notice(crate::error::message(&error)),
            }
        }
        let text = |of: &dyn Fn(&(String, FieldRef)) -> Option<String>| -> ArrayRef {
            Arc::new(found.iter().map(of).collect::<StringArray>())
        };
        let use_of = |field: &Field| match embedded_narrative(field) {
            Some(of) => Some(format!("vectors of {of}")),
            None => is_narrative(field).then(|| "narrative".to_string()),
        };
        let by = |field: &Field| Some(writers(field).join(", ")).filter(|names| !names.is_empty());
        batch(vec![
            ("table_name", text(&|(table, _)| Some(table.clone()))),
            ("column_name", text(&|(_, field)| Some(field.name().clone()))),
            ("data_type", text(&|(_, field)| Some(field.data_type().to_string()))),
            ("use", text(&|(_, field)| use_of(field))),
            ("written_by", text(&|(_, field)| by(field))),
            ("embedded_by", text(&|(_, field)| embedded_by(field).map(String::from))),
        ])
    }

    fn tables(&self) -> Result<RecordBatch> {
        let mut entries = vec![];
        if let Some(catalog) = self.database.existing_catalog()? {
            entries.extend(catalog.tables().map_err(in_catalog)?);
            entries.extend(catalog.dropped_tables().map_err(in_catalog)?);
        }
        let text = |of: &dyn Fn(&TableEntry) -> Option<String>| -> ArrayRef {
            Arc::new(entries.iter().map(of).collect::<StringArray>())
        };
        let state = |entry: &TableEntry| Some(if entry.dropped.is_some() { "dropped" } else { "there" }.to_string());
        batch(vec![
            ("table_name", text(&|entry| Some(entry.name.clone()))),
            ("id", text(&|entry| Some(entry.id.clone()))),
            ("folder", text(&|entry| Some(entry.folder.clone()))),
            ("state", text(&state)),
            ("created", text(&|entry| Some(entry.created.clone()))),
            ("dropped", text(&|entry| entry.dropped.clone())),
        ])
    }
}

fn batch(columns: Vec<(&str, ArrayRef)>) -> Result<RecordBatch> {
    let field = |(name, column): &(&str, ArrayRef)| Field::new(*name, column.data_type().clone(), true);
    let schema = Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()));
    Ok(RecordBatch::try_new(schema, columns.into_iter().map(|(_, column)| column).collect())?)
}

#[async_trait]
impl SchemaProvider for SystemSchema {
    fn table_names(&self) -> Vec<String> {
        vec![COLUMNS.into(), INDEXES.into(), TABLES.into()]
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>, DataFusionError> {
        let rows = match name {
            COLUMNS => self.columns().await?,
            INDEXES => self.indexes().await?,
            TABLES => self.tables()?,
            _ => return Ok(None),
        };
        Ok(Some(Arc::new(MemTable::try_new(rows.schema(), vec![vec![rows]])?)))
    }

    // Asked by whoever lists tables, for which none need be read.
    async fn table_type(&self, name: &str) -> Result<Option<TableType>> {
        Ok(self.table_exist(name).then_some(TableType::View))
    }

    fn table_exist(&self, name: &str) -> bool {
        [COLUMNS, INDEXES, TABLES].contains(&name)
    }
}
