//! The tables of the database, by name.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use datafusion::arrow::datatypes::Schema;
use datafusion::catalog::{SchemaProvider, TableProvider};
use datafusion::common::{DataFusionError, Result, exec_err};
use datafusion::datasource::TableType;
use datafusion::datasource::empty::EmptyTable;

use super::{At, Database, Harmonised, Table, VIEW};

/// Opens a table when a statement names it, at its newest version; `NAME@VERSION` and `NAME@TAG` are older ones.
#[derive(Debug)]
pub struct Tables {
    database: Arc<Database>,
    /// Views, and external tables where files are allowed; they live as long as the session
    views: RwLock<HashMap<String, Arc<dyn TableProvider>>>,
}

impl Tables {
    pub fn new(database: Arc<Database>) -> Tables {
        Tables { database, views: RwLock::default() }
    }

    fn view(&self, name: &str) -> Option<Arc<dyn TableProvider>> {
        self.views.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }
}

#[async_trait]
impl SchemaProvider for Tables {
    fn table_names(&self) -> Vec<String> {
        let mut names = self.database.tables();
        names.extend(self.views.read().unwrap_or_else(PoisonError::into_inner).keys().cloned());
        names.sort();
        names
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>, DataFusionError> {
        if let Some(view) = self.view(name) {
            return Ok(Some(view));
        }
        if name == VIEW {
            return Ok(Some(Arc::new(Harmonised::of(&self.database).await?)));
        }
        let (table, at) = match name.rsplit_once('@') {
            Some((table, at)) => (table, Some(At::named(at))),
            None => (name, None),
        };
        let Some(mut dataset) = self.database.dataset(table).await? else { return Ok(None) };
        if let Some(at) = &at {
            dataset = self.database.at(table, &dataset, at).await?;
        }
        Ok(Some(Arc::new(Table::new(self.database.clone(), table, dataset, at.is_none()))))
    }

    async fn table_type(&self, name: &str) -> Result<Option<TableType>> {
        match self.view(name) {
            Some(view) => Ok(Some(view.table_type())),
            None => Ok(self.table_exist(name).then_some(if name == VIEW { TableType::View } else { TableType::Base })),
        }
    }

    fn register_table(&self, name: String, table: Arc<dyn TableProvider>) -> Result<Option<Arc<dyn TableProvider>>> {
        if name == VIEW {
            return exec_err!("{VIEW} is the view over all tables: choose another name");
        }
        Ok(self.views.write().unwrap_or_else(PoisonError::into_inner).insert(name, table))
    }

    fn deregister_table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        let view = self.views.write().unwrap_or_else(PoisonError::into_inner).remove(name);
        if view.is_some() {
            return Ok(view);
        }
        if name == VIEW {
            return exec_err!("{VIEW} is the view over all tables: it goes with them");
        }
        if !self.table_exist(name) {
            return Ok(None);
        }
        self.database.drop_table(name)?;
        // DataFusion asks only whether there was something to remove.
        Ok(Some(Arc::new(EmptyTable::new(Arc::new(Schema::empty())))))
    }

    fn table_exist(&self, name: &str) -> bool {
        name == VIEW || self.view(name).is_some() || self.database.tables().iter().any(|t| t == name)
    }
}
