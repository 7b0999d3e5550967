//! Statements that make and drop tables and views.

use datafusion::common::{Result, TableReference, plan_err};
use datafusion::datasource::TableType;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::logical_expr::{DdlStatement, DropTable, LogicalPlan};
use datafusion::sql::parser::Statement;
use populace_population::there_are;

use super::Engine;
use crate::catalog::Run;
use crate::database::{VIEW, counted};

impl Engine {
    /// Runs a statement that defines something. What is not named here is refused: DataFusion would keep it for the
    /// session alone, or drop what is stored on the way.
    pub(super) async fn ddl(
        &self,
        ddl: DdlStatement,
        statement: &Statement,
        run: Option<&Run>,
    ) -> Result<SendableRecordBatchStream> {
        match ddl {
            DdlStatement::CreateMemoryTable(create) => self.create_table(create, statement, run).await,
            DdlStatement::DropTable(drop) => self.drop_table(&drop).await,
            DdlStatement::DropView(drop) => {
                let name = drop.name.table();
                if self.tables.session_type(name).is_none() && self.database.tables().iter().any(|t| t == name) {
                    return plan_err!("{name} is a table: DROP TABLE drops it");
                }
                self.rows(LogicalPlan::Ddl(DdlStatement::DropView(drop))).await
            }
            // They live as long as the session; a table of their name stands in their way.
            ddl @ (DdlStatement::CreateView(_) | DdlStatement::CreateExternalTable(_)) => {
                self.rows(LogicalPlan::Ddl(ddl)).await
            }
            DdlStatement::CreateCatalogSchema(_)
            | DdlStatement::CreateCatalog(_)
            | DdlStatement::DropCatalogSchema(_) => {
                plan_err!("a database has one schema, in which all its tables are: name another database with --db")
            }
            DdlStatement::CreateFunction(_) | DdlStatement::DropFunction(_) => {
                plan_err!("functions of one's own are not supported; CREATE VIEW names a query")
            }
            DdlStatement::CreateIndex(create) => {
                plan_err!("an index is made as in CREATE INDEX ON usa USING text (persona), not of {}", create.table)
            }
        }
    }

    async fn drop_table(&self, drop: &DropTable) -> Result<SendableRecordBatchStream> {
        let name = drop.name.table();
        if name == VIEW {
            return plan_err!("{VIEW} is the view over all tables: it goes with them");
        }
        if !self.is_own(&drop.name) {
            return plan_err!("{} is no table of the database and cannot be dropped", drop.name);
        }
        match self.tables.session_type(name) {
            Some(TableType::View) => return plan_err!("{name} is a view: DROP VIEW drops it"),
            Some(_) => {
                self.context.deregister_table(drop.name.clone())?;
                return counted(0);
            }
            None => {}
        }
        let tables = self.database.tables();
        if !tables.iter().any(|t| t == name) {
            let version = name.rsplit_once('@').filter(|(table, _)| tables.iter().any(|t| t == table));
            return match version {
                Some((table, _)) => plan_err!(
                    "a version is not dropped by itself: OPTIMIZE {table} removes old ones, DROP TABLE {table} all"
                ),
                None if drop.if_exists => counted(0),
                None => plan_err!("there is no table {name}{}", there_are(name, &tables)),
            };
        }
        self.database.drop_table(name).await?;
        counted(0)
    }

    /// Whether a name is one in the schema of the database's tables.
    fn is_own(&self, name: &TableReference) -> bool {
        name.catalog().is_none_or(|c| c == "datafusion") && name.schema().is_none_or(|s| s == "public")
    }
}
