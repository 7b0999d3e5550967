//! SQL over synthetic people: a DataFusion session with the query plugin and the packs that the binary carries.

mod alter;
mod command;
mod index;
mod message;
mod write;

use std::sync::{Arc, OnceLock};

use datafusion::arrow::array::{ArrayRef, RecordBatch, StringArray};
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{DataFusionError, Result, plan_err};
use datafusion::execution::{SendableRecordBatchStream, SessionStateBuilder};
use datafusion::logical_expr::dml::InsertOp;
use datafusion::logical_expr::{DdlStatement, Explain, LogicalPlan, WriteOp};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::prelude::{SessionConfig, SessionContext};
use datafusion::sql::TableReference;
use datafusion::sql::parser::{DFParserBuilder, Statement};
use datafusion::sql::sqlparser::ast::{self, TableObject};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use futures::{StreamExt, stream};
use populace_population::did_you_mean;
use populace_udfs::{Estimate, Narrator, Populace};

use crate::catalog::{Catalog, Run};
use crate::database::{Database, Harmonised, LanceSearch, Own, Tables, VIEW, late_columns};
use crate::narrators::openai::OpenCatalog;
use crate::narrators::{Asking, Common, ReadTemplates};
use crate::{commands, statements};
use crate::{narrators, packs};

pub use message::message;
pub use write::Recorded;
pub(crate) use write::appends;

/// Whether statements may read and write files outside of the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Files {
    #[default]
    Forbidden,
    Allowed,
}

/// What a search goes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum By {
    #[default]
    Meaning,
    Words,
    Both,
}

/// A search for people by one of their narratives.
#[derive(Debug, Clone)]
pub struct Search {
    pub text: String,
    pub by: By,
    /// All tables of people without it
    pub table: Option<String>,
    /// The narrative, `persona`
    pub column: String,
    pub k: usize,
    /// What holds of the people, in SQL; applied before the search
    pub predicate: Option<String>,
}

/// How a session works.
#[derive(Debug, Clone, Default)]
pub struct Options {
    pub files: Files,
    /// What writes where no narrator is named; `outline` without it
    pub narrator: Option<String>,
    pub asking: Asking,
    /// Packs by their paths that whoever runs the program has named: statements may draw from them, whatever `files`
    /// says
    pub packs: Vec<String>,
}

/// A session. Cheap to make: packs are read when a statement first names them, and models opened.
pub struct Engine {
    context: SessionContext,
    database: Arc<Database>,
    common: Common,
    options: Options,
}

impl Engine {
    /// # Errors
    /// If the functions cannot be registered, or the narrator cannot be opened.
    pub fn new(database: Arc<Database>, options: Options) -> Result<Engine> {
        let mut config = SessionConfig::new().with_information_schema(true);
        // Draws run on all cores within one partition; dealing their rows out to others would lose their order.
        config.options_mut().optimizer.enable_round_robin_repartition = false;
        // What is not known is of least interest, whichever way one sorts: `ORDER BY tvd DESC LIMIT 5`.
        config.options_mut().sql_parser.default_null_ordering = "nulls_last".into();
        let context = SessionContext::new_with_config(config);
        let embedder = database.embedder().clone();
        let catalog = open_catalog(database.clone());
        let templates = read_templates(database.clone(), catalog.clone());
        let common = Common::new(catalog, templates, options.asking.limits);
        let open = {
            let (asking, common) = (options.asking.clone(), common.clone());
            move |name: &str| narrators::open(name, &asking, &common).map_err(DataFusionError::Plan)
        };
        let narrator = open(options.narrator.as_deref().unwrap_or("outline"))?;
        let mut populace = Populace::new()
            .with_table_search(Arc::new(LanceSearch))
            .with_lazy_embedder(move || embedder.get())
            .with_narrator(narrator)
            .with_narrators(open);
        for name in packs::NAMES {
            populace = populace.with_lazy_pack(name, move || {
                packs::open(name).unwrap_or_else(|| Err(populace_population::Error::NotAPack(name.into())))
            });
        }
        let (files, named) = (options.files, options.packs.clone());
        populace = populace.with_pack_opener(move |country| {
            let path = packs::path::is_path(country);
            path.then(|| match files == Files::Allowed || named.iter().any(|n| packs::path::same(n, country)) {
                true => packs::path::open(country),
                false => Err(populace_population::Error::Source {
                    place: country.into(),
                    message:
                        "a pack by its path is a file outside of the database; start with --allow-files to allow it"
                            .into(),
                }),
            })
        });
        populace_udfs::register(&context, populace)?;
        context.register_udtf("versions", Arc::new(command::Versions(database.clone())));
        for function in command::documented() {
            context.register_udf(function);
        }
        let state = SessionStateBuilder::new_from_existing(context.state())
            .with_physical_optimizer_rule(late_columns())
            .build();
        *context.state_ref().write() = state;
        if let Some(catalog) = context.catalog("datafusion") {
            catalog.register_schema("public", Arc::new(Tables::new(database.clone())))?;
            catalog.register_schema("populace", Arc::new(Own::new(database.clone())))?;
        }
        Ok(Engine { context, database, common, options })
    }

    /// What writes narratives where a statement names nothing.
    pub fn narrator_name(&self) -> &str {
        self.options.narrator.as_deref().unwrap_or("outline")
    }

    /// A narrator by name.
    ///
    /// # Errors
    /// If there is none of this name, or it lacks an endpoint or a key.
    pub fn narrator(&self, name: &str) -> Result<Arc<dyn Narrator>> {
        narrators::open(name, &self.options.asking, &self.common).map_err(DataFusionError::Plan)
    }

    /// The catalogue, made where it is not there yet.
    ///
    /// # Errors
    /// If it cannot be opened.
    pub fn catalog(&self) -> Result<Arc<Catalog>> {
        (self.common.catalog)().map_err(DataFusionError::Execution)
    }

    pub fn database(&self) -> &Arc<Database> {
        &self.database
    }

    pub fn context(&self) -> &SessionContext {
        &self.context
    }

    /// Parses statements; nothing runs yet.
    ///
    /// # Errors
    /// If the text is not SQL.
    pub fn parse(&self, sql: &str) -> Result<Vec<Statement>> {
        let sql = &statements::by_name_as_columns(&statements::versions_in_names(&commands::as_calls(sql)?));
        let limit = self.context.copied_config().options().sql_parser.recursion_limit;
        let mut parser =
            DFParserBuilder::new(sql.as_str()).with_dialect(&GenericDialect {}).with_recursion_limit(limit).build()?;
        Ok(parser.parse_statements()?.into())
    }

    /// Plans and runs one statement; its rows come as they are made.
    ///
    /// # Errors
    /// If the statement cannot be planned, or is not allowed.
    pub async fn run(&self, statement: Statement) -> Result<SendableRecordBatchStream> {
        self.run_as(statement, None).await
    }

    /// Runs the statement of a run again: people it wrote already are left out.
    ///
    /// # Errors
    /// If the statement cannot be planned any more, or fails again.
    pub async fn resume(&self, run: &Run, sql: &str) -> Result<SendableRecordBatchStream> {
        match self.parse(sql)?.pop() {
            Some(statement) => self.run_as(statement, Some(run)).await,
            None => plan_err!("run {} has no statement", run.id),
        }
    }

    async fn run_as(&self, statement: Statement, run: Option<&Run>) -> Result<SendableRecordBatchStream> {
        // In a box, as what a statement may do is deeper than the compiler likes.
        Box::pin(self.statement(statement, run)).await.map_err(|error| self.explained(error))
    }

    /// An error with what there is in the place of what there is not.
    fn explained(&self, error: DataFusionError) -> DataFusionError {
        let mut functions: Vec<String> = self.context.state().scalar_functions().keys().cloned().collect();
        functions.push("at_version".into());
        message::with_names(error, &self.database.tables(), &functions)
    }

    async fn statement(&self, mut statement: Statement, run: Option<&Run>) -> Result<SendableRecordBatchStream> {
        if let Statement::Statement(alter) = &statement
            && let ast::Statement::AlterTable(alter) = alter.as_ref()
        {
            return Box::pin(self.alter(alter)).await;
        }
        if let Statement::Statement(call) = &statement
            && let ast::Statement::Call(call) = call.as_ref()
        {
            return Box::pin(self.command(call)).await;
        }
        if let Statement::Statement(other) = &statement
            && let Some(done) = Box::pin(self.index(other)).await?
        {
            return Ok(done);
        }
        if let Statement::Statement(show) = &statement
            && matches!(show.as_ref(), ast::Statement::ShowTables { .. })
            && show.to_string() == "SHOW TABLES"
            && let Some(tables) = self.parse(statements::OWN_TABLES)?.pop()
        {
            statement = tables;
        }
        if let Some(statement) = statements::ast(&mut statement) {
            populace_udfs::rewrite(statement);
            statements::versions_as_tables(statement);
            statements::without_aliases(statement);
            if let ast::Statement::Insert(insert) = statement {
                self.name_columns(insert).await?;
            }
            statements::check_place(statement)?;
            if statements::writes_people(statement) {
                populace_udfs::with_seeds(statement);
            }
        }
        let plan = self.context.state().statement_to_plan(statement.clone()).await?;
        self.check(&plan)?;
        match plan {
            LogicalPlan::Ddl(DdlStatement::CreateMemoryTable(create)) => {
                self.create_table(create, &statement, run).await
            }
            LogicalPlan::Dml(dml) => match dml.op {
                WriteOp::Update | WriteOp::Delete | WriteOp::Truncate => self.change(&dml, statement).await,
                WriteOp::Insert(InsertOp::Replace) => self.replace(&dml, statement, run).await,
                WriteOp::Insert(InsertOp::Append) => self.insert(dml, &statement, run).await,
                _ => self.rows(LogicalPlan::Dml(dml)).await,
            },
            LogicalPlan::Explain(explain) => self.explain(explain).await,
            plan => self.rows(plan).await,
        }
    }

    /// The plan of a statement, and what its calls to models would come to.
    async fn explain(&self, explain: Explain) -> Result<SendableRecordBatchStream> {
        let asked = match explain.plan.as_ref() {
            LogicalPlan::Ddl(DdlStatement::CreateMemoryTable(create)) => create.input.as_ref().clone(),
            plan => plan.clone(),
        };
        let state = self.context.state();
        let estimate = match state.create_physical_plan(&asked).await {
            Ok(plan) => populace_udfs::estimate(&plan, self.context.task_ctx()).await?,
            // EXPLAIN itself says what is wrong.
            Err(_) => None,
        };
        let rows = self.rows(LogicalPlan::Explain(explain)).await?;
        let Some(Estimate { calls, known, prompt_tokens, completion_tokens, cost_usd, .. }) = estimate else {
            return Ok(rows);
        };
        let cost = match cost_usd {
            Some(cost) => format!("about {cost:.4} US dollars"),
            None if calls == 0 => "nothing to pay".into(),
            None => "no price known: name a file of prices with --prices".into(),
        };
        let text = format!(
            "{calls} to be made, {known} answered already\nabout {prompt_tokens} tokens asked, {completion_tokens} answered\n{cost}"
        );
        let schema = rows.schema();
        let columns = ["calls_to_models", &text].map(|t| Arc::new(StringArray::from(vec![t])) as ArrayRef);
        let row = RecordBatch::try_new(schema.clone(), columns.to_vec())?;
        let rows = rows.chain(stream::iter([Ok(row)]));
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, rows)))
    }

    /// The people found, best first, with the narrative and the `score`.
    ///
    /// # Errors
    /// If there is no such table or column, the predicate is no expression over its columns, or the table was made with
    /// another embedder.
    pub async fn search(&self, search: Search) -> Result<SendableRecordBatchStream> {
        let table = match &search.table {
            Some(table) => table.clone(),
            None => self.people().await?,
        };
        let found = self.context.table_provider(TableReference::bare(table.as_str())).await;
        let schema = found.map_err(|e| self.explained(e))?.schema();
        let place: &[&str] = if table == VIEW { &["region_code"] } else { &["city", "state"] };
        let before = ["table_name", "uuid", "first_name", "last_name", "age"];
        let shown = before.iter().chain(place).chain(&["occupation"]).copied().chain([search.column.as_str()]);
        let (quoted, text) = (crate::statements::quoted_name, crate::statements::quoted_text);
        let shown: Vec<String> =
            shown.filter(|n| schema.column_with_name(n).is_some()).map(quoted).chain(["score".into()]).collect();
        let function = match search.by {
            By::Meaning => "semantic_search",
            By::Words => "text_search",
            By::Both => "hybrid_search",
        };
        let filter = match &search.predicate {
            Some(predicate) => match statements::one_expression(predicate) {
                Ok(predicate) => format!(", \"where\" => ({predicate})"),
                Err(error) => return plan_err!("the condition {predicate} is no expression: {error}"),
            },
            None => String::new(),
        };
        let (shown, table) = (shown.join(", "), quoted(&table));
        let (wanted, column) = (text(&search.text), text(&search.column));
        let sql =
            format!("SELECT {shown} FROM {function}({table}, {wanted}, {}, \"column\" => {column}{filter})", search.k);
        match self.parse(&sql)?.pop() {
            Some(statement) => self.run(statement).await,
            None => plan_err!("nothing to search for"),
        }
    }

    /// The table of people, or the view over all of them where there are several.
    async fn people(&self) -> Result<String> {
        let view = Harmonised::of(&self.database).await?;
        match (&view.tables()[..], &self.database.tables()[..]) {
            ([one], _) => Ok(one.to_string()),
            ([], [one]) => Ok(one.clone()),
            ([], []) => plan_err!("the database has no tables yet, `populace generate` makes one"),
            ([], tables) => {
                plan_err!("no table has people of a known country: name one of {} with --table", tables.join(", "))
            }
            _ => Ok(VIEW.into()),
        }
    }

    async fn rows(&self, plan: LogicalPlan) -> Result<SendableRecordBatchStream> {
        self.context.execute_logical_plan(plan).await?.execute_stream().await
    }

    /// Gives an INSERT the names of its query's columns: BY NAME, or where it names none and the query has not all
    /// columns of the table, as a query of people has no vectors.
    async fn name_columns(&self, insert: &mut ast::Insert) -> Result<()> {
        let by_name = statements::is_by_name(insert);
        let (TableObject::TableName(name), Some(source)) = (&insert.table, &insert.source) else { return Ok(()) };
        let unnamed = insert.columns.is_empty() && matches!(*source.body, ast::SetExpr::Select(_));
        if !by_name && !unnamed {
            return Ok(());
        }
        let table = self.context.table_provider(TableReference::parse_str(&name.to_string())).await?.schema();
        let query = ast::Statement::Query(source.clone());
        let query = self.context.state().statement_to_plan(Statement::Statement(Box::new(query))).await?;
        let names: Vec<&String> = query.schema().fields().iter().map(|f| f.name()).collect();
        let unknown = names.iter().find(|n| table.column_with_name(n).is_none());
        match unknown {
            Some(unknown) if by_name => {
                let columns = table.fields().iter().map(|f| f.name().as_str());
                return plan_err!("the table {name} has no column {unknown}{}", did_you_mean(unknown, columns));
            }
            None if by_name || names.len() != table.fields().len() => {
                let quoted = |n: &&String| ast::ObjectName::from(vec![ast::Ident::with_quote('"', n.as_str())]);
                insert.columns = names.iter().map(quoted).collect();
            }
            _ => {}
        }
        Ok(())
    }

    fn check(&self, plan: &LogicalPlan) -> Result<()> {
        if self.options.files == Files::Allowed {
            return Ok(());
        }
        let mut reach_out = None;
        plan.apply(|node| {
            reach_out = match node {
                LogicalPlan::Copy(_) => Some("COPY"),
                LogicalPlan::Ddl(DdlStatement::CreateExternalTable(_)) => Some("CREATE EXTERNAL TABLE"),
                _ => return Ok(TreeNodeRecursion::Continue),
            };
            Ok(TreeNodeRecursion::Stop)
        })?;
        match reach_out {
            Some(what) => {
                plan_err!("{what} reaches files outside of the database; start with --allow-files to allow it")
            }
            None => Ok(()),
        }
    }
}

/// Opens the catalogue of a database when it is first needed.
fn open_catalog(database: Arc<Database>) -> OpenCatalog {
    let opened: OnceLock<Arc<Catalog>> = OnceLock::new();
    Arc::new(move || {
        if let Some(catalog) = opened.get() {
            return Ok(catalog.clone());
        }
        database.create().map_err(|e| message(&e))?;
        let catalog = Catalog::open(database.root()).map_err(|e| e.to_string())?;
        Ok(opened.get_or_init(|| Arc::new(catalog)).clone())
    })
}

/// Reads the user's own narratives; there are none where there is no catalogue yet.
fn read_templates(database: Arc<Database>, catalog: OpenCatalog) -> ReadTemplates {
    Arc::new(move || match database.root().join("catalog.sqlite").exists() {
        true => catalog()?.narratives().map_err(|e| e.to_string()),
        false => Ok(vec![]),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::TryStreamExt;

    async fn error(sql: &str) -> String {
        let directory = tempfile::tempdir().unwrap();
        let embedder = crate::database::EmbedderChoice::named(Some("hash".into()));
        let engine = Engine::new(Database::open(directory.path(), embedder).unwrap(), Options::default()).unwrap();
        let run = async {
            for statement in engine.parse(sql)? {
                engine.run(statement).await?.try_collect::<Vec<_>>().await?;
            }
            Ok::<_, DataFusionError>(())
        };
        message(&run.await.expect_err(sql))
    }

    #[tokio::test]
    async fn files_are_out_of_reach() {
        for sql in [
            "COPY (SELECT 1) TO 'x.csv'",
            "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION 'x.csv'",
            "EXPLAIN COPY (SELECT 1) TO 'x.csv'",
        ] {
            assert!(error(sql).await.contains("--allow-files"), "{sql}");
        }
        assert!(error("SELECT * FROM 'datasets/usa/levels/hobby.csv'").await.starts_with("there is no table"));
    }

    #[tokio::test]
    async fn messages_are_plain() {
        assert_eq!(error("SELECT 1 +").await.lines().count(), 1);
        let unknown = error("SELECT * FROM sample_persona('usaa', 5)").await;
        assert!(unknown.starts_with("unknown country `usaa`; did you mean `usa`?"), "{unknown}");
    }
}
