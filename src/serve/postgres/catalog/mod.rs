//! The system's own tables, as clients of PostgreSQL ask for them: made from what whoever asks may see, when they ask.

mod functions;
mod rewrite;
mod tables;

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use datafusion::catalog::{SchemaProvider, TableProvider};
use datafusion::common::{DataFusionError, Result, exec_datafusion_err};
use datafusion::datasource::MemTable;
use datafusion::sql::parser::Statement as Sql;
use datafusion::sql::sqlparser::ast;
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::Parser;

use super::names::Names;
use super::settings::Settings;
use crate::engine::{Access, Engine, Error};
use crate::sql::Statement;

/// The table, in the schema of the system, of what is copied in.
pub(super) const COPIED: &str = "copied";

/// Who a connection is of.
#[derive(Debug, Clone)]
pub(super) struct Visitor {
    pub user: String,
    pub access: Access,
    pub process: i32,
    /// Of the connection
    pub settings: Settings,
}

/// Words of which one is in every text that asks for something of the system.
const MARKS: &[&str] = &[
    "pg_",
    "information_schema",
    "current_",
    "session_user",
    "version()",
    "regclass",
    "regtype",
    "regproc",
    "obj_description",
    "col_description",
    "format_type",
    "quote_",
    "set_config",
    "has_",
];

/// What a client asks for.
pub(super) struct Asked {
    pub statement: Statement,
    /// How many values it takes, as it was asked: what is made of a question about the system may need fewer
    pub takes: usize,
    /// What its columns are called
    pub names: Names,
}

impl Asked {
    fn new(statement: Statement) -> Asked {
        Asked { takes: statement.parameters(), names: Names::of(&statement), statement }
    }
}

/// The statement of a text.
///
/// # Errors
/// If it is no statement, or several.
pub(super) fn parsed(engine: &Engine, text: &str) -> std::result::Result<Asked, Error> {
    let small = text.to_lowercase();
    if MARKS.iter().any(|mark| small.contains(mark))
        && let Some(asked) = of_system(text)
    {
        return Ok(asked);
    }
    let statement = crate::serve::statements::one(engine, text).map_err(|e| Error::from(&e))?;
    Ok(Asked::new(statement))
}

/// A query in PostgreSQL's own words; `None` for what is none.
fn of_system(text: &str) -> Option<Asked> {
    let of = |query: ast::Statement| Statement::of_sql(Sql::Statement(Box::new(query)));
    let mut query = query(text)?;
    let asked = Asked::new(of(query.clone()));
    rewrite::rewrite(&mut query);
    Some(Asked { statement: of(query), ..asked })
}

/// Whether it is what asyncpg asks about types that it does not know: a tree of them, down to the types of their parts.
pub(super) fn asks_for_types(text: &str) -> bool {
    text.contains("typeinfo_tree(")
}

/// The same of types that there are here, none of which has parts but arrays.
const TYPES: &str = "
    SELECT t.oid AS oid, 'pg_catalog' AS ns, t.typname AS name, 'b' AS kind, CAST(NULL AS BIGINT) AS basetype,
        nullif(t.typelem, 0) AS elemtype, ',' AS elemdelim, CAST(NULL AS BIGINT) AS range_subtype,
        CAST(NULL AS VARCHAR) AS attrtypoids, CAST(NULL AS VARCHAR) AS attrnames, 0 AS depth,
        CAST(NULL AS VARCHAR) AS basetype_name, e.typname AS elemtype_name, CAST(NULL AS VARCHAR) AS range_subtype_name
    FROM pg_type t LEFT JOIN pg_type e ON e.oid = t.typelem WHERE t.oid = ANY($1::oid[])";

fn query(text: &str) -> Option<ast::Statement> {
    let text = if asks_for_types(text) { TYPES } else { text };
    let parser = Parser::new(&PostgreSqlDialect {}).with_recursion_limit(50);
    let mut statements = parser.try_with_sql(text).ok()?.parse_statements().ok()?;
    match (statements.pop(), statements.is_empty()) {
        (Some(query @ ast::Statement::Query(_)), true) => Some(query),
        _ => None,
    }
}

/// Gives a session what clients of PostgreSQL ask for.
///
/// # Errors
/// If it cannot be registered.
pub(super) fn register(engine: &Engine, visitor: Visitor) -> Result<()> {
    let context = engine.context();
    let catalog = context.catalog("datafusion").ok_or_else(|| exec_datafusion_err!("the session has no tables"))?;
    let public = catalog.schema("public").ok_or_else(|| exec_datafusion_err!("the session has no tables"))?;
    let routines = tables::routines(&engine.functions());
    for function in functions::all(&visitor, &routines) {
        context.register_udf(function);
    }
    let (listed, access) = (public.clone(), visitor.access.clone());
    let names =
        move || listed.table_names().into_iter().filter(|name| access.tables.has(name)).collect::<Vec<String>>();
    for function in functions::of_tables(Arc::new(names)) {
        context.register_udf(function);
    }
    let system = System { public, visitor, routines, copied: Mutex::default() };
    catalog.register_schema("pg_catalog", Arc::new(system))?;
    Ok(())
}

/// Puts what is copied in where an INSERT can read it, or takes it away.
///
/// # Errors
/// If the session is none of a connection.
pub(super) fn copied(engine: &Engine, table: Option<Arc<dyn TableProvider>>) -> Result<()> {
    let schema = engine.context().catalog("datafusion").and_then(|catalog| catalog.schema("pg_catalog"));
    let schema = schema.ok_or_else(|| exec_datafusion_err!("the session is none of a connection"))?;
    match table {
        Some(table) => schema.register_table(COPIED.into(), table).map(|_| ()),
        None => schema.deregister_table(COPIED).map(|_| ()),
    }
}

#[derive(Debug)]
struct System {
    public: Arc<dyn SchemaProvider>,
    visitor: Visitor,
    routines: Vec<tables::Routine>,
    copied: Mutex<Option<Arc<dyn TableProvider>>>,
}

impl System {
    /// The tables that may be seen, with their columns.
    async fn seen(&self) -> Result<Vec<tables::Seen>> {
        let mut seen = vec![];
        for name in self.public.table_names() {
            if !self.visitor.access.tables.has(&name) {
                continue;
            }
            // One that cannot be read is not in the way of the others.
            if let Ok(Some(table)) = self.public.table(&name).await {
                seen.push(tables::Seen { kind: table.table_type(), schema: table.schema(), name });
            }
        }
        Ok(seen)
    }
}

#[async_trait]
impl SchemaProvider for System {
    fn table_names(&self) -> Vec<String> {
        // They are asked for by their names, and not listed among the database's own.
        vec![]
    }

    async fn table(&self, name: &str) -> std::result::Result<Option<Arc<dyn TableProvider>>, DataFusionError> {
        if name == COPIED {
            return Ok(self.copied.lock().unwrap_or_else(PoisonError::into_inner).clone());
        }
        if !tables::is_known(name) {
            return Ok(None);
        }
        let seen = if tables::is_of_tables(name) { self.seen().await? } else { vec![] };
        let rows = tables::rows(name, &seen, &self.routines, &self.visitor)?;
        Ok(Some(Arc::new(MemTable::try_new(rows.schema(), vec![vec![rows]])?)))
    }

    fn table_exist(&self, name: &str) -> bool {
        tables::is_known(name)
    }

    fn register_table(&self, name: String, table: Arc<dyn TableProvider>) -> Result<Option<Arc<dyn TableProvider>>> {
        match name.as_str() {
            COPIED => Ok(self.copied.lock().unwrap_or_else(PoisonError::into_inner).replace(table)),
            _ => datafusion::common::exec_err!("the tables of the system cannot be changed"),
        }
    }

    fn deregister_table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        match name {
            COPIED => Ok(self.copied.lock().unwrap_or_else(PoisonError::into_inner).take()),
            _ => datafusion::common::exec_err!("the tables of the system cannot be changed"),
        }
    }
}
