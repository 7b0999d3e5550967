//! The tables of the database, by name.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use datafusion::catalog::{SchemaProvider, TableProvider};
use datafusion::common::{DataFusionError, Result, exec_err};
use datafusion::datasource::TableType;

use super::table::Unreadable;
use super::{At, Database, Harmonised, Notices, Table, VIEW};

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

    /// What there is to say of tables that statements of the session name.
    pub(crate) fn notices(&self) -> &Notices {
        self.database.notices()
    }

    /// Whether a name is that of a table of the database.
    fn is_stored(&self, name: &str) -> bool {
        self.database.find(name).is_ok_and(|table| table.is_some())
    }

    /// What a view or an external table is, if the session has one of this name.
    pub(crate) fn session_type(&self, name: &str) -> Option<TableType> {
        self.view(name).map(|view| view.table_type())
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
        let mut snapshot = match self.database.snapshot(table).await {
            Ok(Some(snapshot)) => snapshot,
            Ok(None) => return Ok(None),
            // Those who list all tables go on; those who ask this one are told.
            Err(error) => return Ok(Some(Arc::new(Unreadable::new(&error)))),
        };
        if let Some(at) = &at {
            snapshot = self.database.at(&snapshot, at).await?;
        }
        Ok(Some(Arc::new(Table::new(self.database.clone(), snapshot, at.is_none()))))
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
        if self.is_stored(&name) {
            return exec_err!("{name} is a table of the database: choose another name, or drop it with DROP TABLE");
        }
        Ok(self.views.write().unwrap_or_else(PoisonError::into_inner).insert(name, table))
    }

    /// Forgets a view or an external table. What is stored stays: DataFusion asks for this whatever stands in the way of
    /// a new view.
    fn deregister_table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        let view = self.views.write().unwrap_or_else(PoisonError::into_inner).remove(name);
        if view.is_some() {
            return Ok(view);
        }
        if name == VIEW {
            return exec_err!("{VIEW} is the view over all tables: it goes with them");
        }
        if self.is_stored(name) {
            return exec_err!("{name} is a table of the database: choose another name, or drop it with DROP TABLE");
        }
        Ok(None)
    }

    fn table_exist(&self, name: &str) -> bool {
        name == VIEW || self.view(name).is_some() || self.is_stored(name)
    }
}
