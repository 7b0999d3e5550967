//! SQL over synthetic people: a DataFusion session with the query plugin and the packs that the binary carries.

mod aggregates;
mod alter;
mod change;
mod command;
mod ddl;
mod deadline;
mod describe;
mod explain;
mod index;
mod insert;
mod labels;
mod message;
mod newcomers;
mod prepare;
mod run_guard;
mod search;
mod weights;
mod write;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use datafusion::common::{DataFusionError, Result, plan_err};
use datafusion::execution::{SendableRecordBatchStream, SessionStateBuilder};
use datafusion::logical_expr::dml::InsertOp;
use datafusion::logical_expr::{LogicalPlan, WriteOp};
use datafusion::prelude::{DataFrame, SessionConfig, SessionContext};
use datafusion::sql::parser::Statement as Sql;
use datafusion::sql::sqlparser::ast;
use populace_udfs::{Function, FunctionKind, Narrator, Populace, StatementOptions};
use tracing::Instrument;

use crate::catalog::{Catalog, Run};
use crate::database::{Database, LanceSearch, MemoryShare, Notices, SystemSchema, Tables, Unreadable, late_columns};
use crate::narrators::{NarratorContext, ReadTemplates};
use crate::servers::{Activity, ModelContext, OpenCatalog, RequestOptions};
use crate::sql::access::{OUTLINE, refused_model};
use crate::sql::{self, ByName, Kind, Needs, Prepared};
use crate::{narrators, packs};

use self::aggregates::{GroupByCodes, ReadsInAnyOrder};
use self::deadline::Deadline;
use self::labels::CatalogLabels;

pub use crate::error::{Error, ErrorKind, message};
pub use crate::sql::{Access, Files, Models, Statement};
pub use describe::Described;
pub use run_guard::{Billed, RunGuard};
pub use search::{By, Search};
pub use weights::Weights;

/// How a session works.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// What its statements may do
    pub access: Access,
    /// What writes where no narrator is named; `outline` without it
    pub narrator: Option<String>,
    pub asking: RequestOptions,
    /// How long a statement may take, from its planning to its last row
    pub statement_timeout: Option<Duration>,
    /// Packs by their paths that whoever runs the program has named: statements may draw from them, whatever `access`
    /// says of files
    pub packs: Vec<String>,
    /// What its statements may hold of the memory of all, beside others that have the same share
    pub memory: Option<MemoryShare>,
}

/// A session. Cheap to make: packs are read when a statement first names them, and models opened.
#[derive(Clone)]
pub struct Engine {
    context: SessionContext,
    database: Arc<Database>,
    /// The tables, and the session's views
    tables: Arc<Tables>,
    common: NarratorContext,
    options: Options,
    /// Prepared statements, by their names
    prepared: Arc<Mutex<HashMap<String, Prepared>>>,
    /// What the statement does with models that this is for, or the session between statements
    activity: Arc<Activity>,
    /// What there is to say of the statement
    notices: Notices,
}

impl Engine {
    /// # Errors
    /// If the functions cannot be registered, or the narrator cannot be opened.
    pub fn new(database: Arc<Database>, options: Options) -> Result<Engine> {
        let catalog = open_catalog(database.clone());
        let templates = read_templates(database.clone(), catalog.clone());
        let common = NarratorContext::new(catalog, templates, options.asking.limits);
        Engine::open(database, options, common)
    }

    /// Another session over the same database, which shares memory, the catalogue, models and their pace with this one,
    /// and nothing else: neither views nor settings, notices nor limits.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn session(&self, options: Options) -> Result<Engine> {
        let common = self.common.of_another_session(options.asking.limits, options.asking.payer.clone());
        let database = self.database.session(options.memory.clone());
        Engine::open(Arc::new(database), options, common)
    }

    fn open(database: Arc<Database>, options: Options, common: NarratorContext) -> Result<Engine> {
        let embedder = database.embedder();
        let allowed = embedder.asks().is_none_or(|name| options.access.models.allow(name, name));
        let model_context = ModelContext {
            catalog: common.catalog.clone(),
            session: common.session.clone(),
            statements: common.statements.clone(),
            asking: options.asking.clone(),
        };
        let embedder = embedder.of_session(model_context.clone(), allowed);
        let database = Arc::new(database.with_embedder(embedder));
        let mut config = SessionConfig::new().with_information_schema(true);
        // Draws run on all cores within one partition; dealing their rows out to others would lose their order.
        config.options_mut().optimizer.enable_round_robin_repartition = false;
        // What is not known is of least interest, whichever way one sorts: `ORDER BY tvd DESC LIMIT 5`.
        config.options_mut().sql_parser.default_null_ordering = "nulls_last".into();
        config.options_mut().extensions.insert(StatementOptions::default());
        let mut context = SessionContext::new_with_config_rt(config, database.runtime_of_statements()?);
        if options.access.files == Files::Allowed {
            // `FROM 'scores.csv'`
            context = context.enable_url_table();
        }
        let embedder = database.embedder().clone();
        let of_session = options.narrator.clone().unwrap_or_else(|| OUTLINE.into());
        let narrator = narrators::open(&of_session, &options.asking, &common).map_err(DataFusionError::Plan)?;
        let of_reranker = of_session.clone();
        let open = {
            let (asking, common, models) = (options.asking.clone(), common.clone(), options.access.models.clone());
            move |name: &str| match models.allow(name, &of_session) {
                true => narrators::open(name, &asking, &common).map_err(DataFusionError::Plan),
                false => Err(refused_model(name)),
            }
        };
        let mut populace = Populace::new()
            .with_table_search(Arc::new(LanceSearch))
            .with_label_store(Arc::new(CatalogLabels(database.clone())))
            .with_lazy_embedder(move || embedder.get())
            .with_narrator(narrator)
            .with_narrators(open)
            .with_rerankers(search::rerankers_of(model_context, options.access.clone(), of_reranker));
        for name in packs::NAMES {
            populace = populace.with_lazy_pack(name, move || {
                packs::open(name).unwrap_or_else(|| Err(populace_population::Error::NotAPack(name.into())))
            });
        }
        let (files, named) = (options.access.files, options.packs.clone());
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
        populace = populace.with_plausibility(packs::plausibility::of_country);
        populace_udfs::register(&context, populace)?;
        context.register_udtf("versions", Arc::new(command::Versions(database.clone(), options.access.tables.clone())));
        for function in command::documented() {
            context.register_udf(function);
        }
        let state = SessionStateBuilder::new_from_existing(context.state())
            .with_optimizer_rule(Arc::new(ReadsInAnyOrder))
            .with_optimizer_rule(Arc::new(GroupByCodes))
            .with_physical_optimizer_rule(late_columns())
            .build();
        *context.state_ref().write() = state;
        let tables = Arc::new(Tables::new(database.clone()));
        if let Some(catalog) = context.catalog("datafusion") {
            catalog.register_schema("public", tables.clone())?;
            catalog.register_schema("populace", Arc::new(SystemSchema::new(database.clone())))?;
        }
        let (activity, notices) = (common.session.clone(), database.notices().clone());
        Ok(Engine { context, database, tables, common, options, prepared: Arc::default(), activity, notices })
    }

    /// What writes narratives where a statement names nothing.
    pub fn narrator_name(&self) -> &str {
        self.options.narrator.as_deref().unwrap_or(OUTLINE)
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

    /// The functions of its statements beside those of DataFusion, by kind.
    pub fn functions(&self) -> Vec<Function> {
        let of_database = command::documented();
        let of_database = of_database.iter().filter_map(|function| {
            Some(Function::new(function.name(), FunctionKind::Table, function.documentation()?))
        });
        populace_udfs::functions().into_iter().chain(of_database).collect()
    }

    /// Parses statements; nothing runs yet.
    ///
    /// # Errors
    /// If the text is not SQL.
    pub fn parse(&self, sql: &str) -> Result<Vec<Statement>> {
        sql::parse(sql, self.context.copied_config().options().sql_parser.recursion_limit)
    }

    /// Runs a query of the program's own: one, and nothing but a query, whatever names and texts were put into it. It may
    /// read what the session may, and nothing else.
    ///
    /// # Errors
    /// If the text is not one query, or it cannot be planned.
    pub async fn query_one(&self, sql: &str) -> Result<SendableRecordBatchStream> {
        self.query_one_as(sql, &Access::read()).await
    }

    async fn query_one_as(&self, sql: &str, access: &Access) -> Result<SendableRecordBatchStream> {
        let mut statements = self.parse(sql)?;
        match (statements.pop(), statements.is_empty()) {
            (Some(query), true) if query.is_query() => {
                let tables = self.options.access.tables.clone();
                self.run_as(query, None, &Access { tables, ..access.clone() }).await
            }
            _ => plan_err!("a single query is wanted, which this is not: {sql}"),
        }
    }

    /// The session for one statement: the run that it writes for, what it asks of models, and what there is to say of
    /// it, are told by what is returned, and apart from those of others.
    pub fn for_statement(&self) -> Engine {
        let notices = Notices::default();
        let activity = self.common.begin();
        let database = self.database.with_embedder(self.database.embedder().for_statement(&activity.id));
        let database = Arc::new(database.with_notices(notices.clone()));
        Engine { activity, database, notices, ..self.clone() }
    }

    /// Plans and runs one statement; its rows come as they are made.
    ///
    /// # Errors
    /// If the statement cannot be planned, or is not allowed; if it takes longer than the session gives it.
    pub async fn run(&self, statement: Statement) -> Result<SendableRecordBatchStream> {
        self.run_as(statement, None, &self.options.access).await
    }

    /// The run that was noted for the last statement, if it was one.
    pub fn run_id(&self) -> Option<String> {
        self.activity.last_run()
    }

    /// What there was to say beside rows, of the statement and of the session, since this was last asked.
    pub fn take_notices(&self) -> Vec<String> {
        let mut said = self.notices.take();
        said.extend(self.tables.notices().take());
        said
    }

    /// Runs the statement of a run again: people it wrote already are left out.
    ///
    /// # Errors
    /// If the statement cannot be planned any more, or fails again.
    pub async fn resume(&self, run: &Run, sql: &str) -> Result<SendableRecordBatchStream> {
        let mut statements = self.parse(sql)?;
        match (statements.pop(), statements.is_empty()) {
            (Some(statement), true) => self.run_as(statement, Some(run), &self.options.access).await,
            _ => plan_err!("run {} is not of one statement", run.id),
        }
    }

    async fn run_as(
        &self,
        statement: Statement,
        run: Option<&Run>,
        access: &Access,
    ) -> Result<SendableRecordBatchStream> {
        let deadline = self.options.statement_timeout.map(Deadline::after);
        let span = tracing::info_span!("statement", id = %self.activity.id, kind = statement.name(), rows = tracing::field::Empty);
        let done = async {
            // In boxes, as what a statement may do is deeper than the compiler likes.
            match statement.kind {
                Kind::Command(command) => Box::pin(self.command(command, access)).await,
                Kind::Explain(command) => self.explain_command(&command, access),
                Kind::Sql { statement, by_name } => Box::pin(self.statement(*statement, by_name, run, access)).await,
            }
        };
        let done = done.instrument(span.clone());
        let done = match &deadline {
            Some(deadline) => deadline.keep(done).await,
            None => done.await,
        };
        let rows = done.map_err(|error| {
            tracing::info!(parent: &span, kind = ?Error::from(&error).kind, "failed");
            self.explained(error)
        })?;
        Ok(deadline::watched(rows, deadline, (span, self.activity.clone())))
    }

    /// An error with what there is in the place of what there is not.
    fn explained(&self, error: DataFusionError) -> DataFusionError {
        let mut functions: Vec<String> = self.context.state().scalar_functions().keys().cloned().collect();
        functions.push("at_version".into());
        // Whoever may not name a table is not told of it either.
        let mut tables = self.database.tables();
        tables.retain(|table| self.options.access.tables.has(table));
        message::with_names(error, &tables, &functions, self.options.access.files)
    }

    async fn statement(
        &self,
        mut statement: Sql,
        mut by_name: Option<ByName>,
        run: Option<&Run>,
        access: &Access,
    ) -> Result<SendableRecordBatchStream> {
        if let Some((executed, of)) = self.executed(&mut statement)? {
            (statement, by_name) = (executed, of);
        }
        let explains = matches!(statement, Sql::Explain(_));
        let mut writers = vec![];
        if let Some(inner) = sql::explained(&mut statement) {
            refuse(inner)?;
            if let Some(done) = self.without_plan(inner, by_name, explains, access).await? {
                return Ok(done);
            }
            writers = for_the_planner(inner)?;
            if let ast::Statement::Insert(insert) = inner {
                self.name_columns(insert, by_name, explains, access).await?;
            }
            if sql::writes_people(inner) {
                populace_udfs::with_seeds(inner);
            }
        }
        let state = self.context.state();
        let plan = match state.statement_to_plan(statement.clone()).await {
            Ok(plan) => plan,
            Err(error) => return Err(self.unreadable(&statement).await.unwrap_or(error)),
        };
        let mut needs = Needs::of_plan(&plan, self.narrator_name())?;
        // What stands in the arguments of table functions is in no plan yet.
        needs.narrate(writers, self.narrator_name());
        needs.embedder = self.database.embedder().asks().filter(|_| needs.vectors).map(String::from);
        let names = state.resolve_table_references(&statement)?;
        needs.name(&sql::named_tables(names, &mut statement));
        access.check(&needs, self.narrator_name())?;
        match plan {
            LogicalPlan::Ddl(ddl) => self.ddl(ddl, &statement, run).await,
            LogicalPlan::Dml(dml) => match dml.op {
                WriteOp::Update | WriteOp::Delete | WriteOp::Truncate => self.change(&dml, statement).await,
                WriteOp::Insert(InsertOp::Replace) => self.replace(&dml, statement, run).await,
                WriteOp::Insert(InsertOp::Append) => self.insert(dml, &statement, run).await,
                WriteOp::Insert(InsertOp::Overwrite) | WriteOp::Ctas => self.rows(LogicalPlan::Dml(dml)).await,
            },
            LogicalPlan::Explain(explain) => self.explain(explain).await,
            LogicalPlan::Analyze(analyze) => match needs.write.or(needs.ddl).or(needs.files) {
                Some(what) => plan_err!(
                    "EXPLAIN ANALYZE runs what it explains, and {what} is not run that way: EXPLAIN says what it would do"
                ),
                None => self.rows(LogicalPlan::Analyze(analyze)).await,
            },
            plan => self.rows(plan).await,
        }
    }

    /// Why a table that a statement names cannot be read, where that is so: nothing is known of its columns.
    async fn unreadable(&self, statement: &Sql) -> Option<DataFusionError> {
        for name in self.context.state().resolve_table_references(statement).ok()? {
            if let Ok(provider) = self.context.table_provider(name).await
                && let Some(broken) = provider.downcast_ref::<Unreadable>()
            {
                return Some(DataFusionError::Execution(broken.why().into()));
            }
        }
        None
    }

    /// Runs, or explains, a statement that DataFusion has no plan for; `None` for any other.
    async fn without_plan(
        &self,
        statement: &ast::Statement,
        by_name: Option<ByName>,
        explains: bool,
        access: &Access,
    ) -> Result<Option<SendableRecordBatchStream>> {
        if let Some((what, tables)) = sql::changes_tables(statement) {
            access.check(&Needs::of_ddl(what, tables), self.narrator_name())?;
            if explains {
                return Ok(Some(explain::says(&format!("{statement}; no query is planned, no model is asked"))?));
            }
        }
        match statement {
            ast::Statement::AlterTable(alter) => Box::pin(self.alter(alter)).await.map(Some),
            ast::Statement::Prepare { .. } | ast::Statement::Deallocate { .. } if explains => {
                plan_err!("EXPLAIN explains the statement itself, or EXECUTE of one that is prepared")
            }
            ast::Statement::Prepare { name, data_types, statement } => {
                self.prepare(name, data_types, statement, by_name).map(Some)
            }
            ast::Statement::Deallocate { name, .. } => self.deallocate(name).map(Some),
            other => Box::pin(self.index(other)).await,
        }
    }

    /// Runs a plan on behalf of the statement that this is for, which functions are told by their options.
    async fn rows(&self, plan: LogicalPlan) -> Result<SendableRecordBatchStream> {
        if matches!(plan, LogicalPlan::Statement(_) | LogicalPlan::Ddl(_)) {
            // What it sets, prepares or makes is the session's.
            return self.context.execute_logical_plan(plan).await?.execute_stream().await;
        }
        let mut state = self.context.state();
        if let Some(options) = state.config_mut().options_mut().extensions.get_mut::<StatementOptions>() {
            options.statement.clone_from(&self.activity.id);
        }
        DataFrame::new(state, plan).execute_stream().await
    }
}

/// Refuses what is known and not run here.
fn refuse(statement: &ast::Statement) -> Result<()> {
    sql::refuse_unsupported(statement)?;
    sql::refuse_what_is_not_kept(statement)?;
    sql::check_place(statement)
}

/// Brings a statement into the form that DataFusion's planner knows; those that it names to write texts, by their names.
fn for_the_planner(statement: &mut ast::Statement) -> Result<Vec<Option<String>>> {
    if sql::is_show_tables(statement) {
        *statement = sql::own_tables()?;
    }
    populace_udfs::rewrite(statement);
    sql::versions_as_tables(statement);
    sql::without_aliases(statement);
    Ok(populace_udfs::narrators(statement))
}

/// Opens the catalogue of a database when it is first needed.
fn open_catalog(database: Arc<Database>) -> OpenCatalog {
    Arc::new(move || database.catalog().map_err(|e| message(&e)))
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
        let file = error("SELECT * FROM 'datasets/usa/levels/hobby.csv'").await;
        assert!(file.contains("start with --allow-files to read it"), "{file}");
        assert!(error("SELECT * FROM 'Cargo.toml'").await.starts_with("there is no table"));
    }

    #[tokio::test]
    async fn what_may_read_alone_does_nothing_else() {
        let directory = tempfile::tempdir().unwrap();
        let embedder = crate::database::EmbedderChoice::named(Some("hash".into()));
        let options = Options { narrator: Some("outline".into()), ..Options::default() };
        let engine = Engine::new(Database::open(directory.path(), embedder).unwrap(), options).unwrap();
        let one = engine.query_one("SELECT 1 AS a").await.unwrap().try_collect::<Vec<_>>().await.unwrap();
        assert_eq!(one[0].num_rows(), 1);
        for sql in ["SELECT 1; SELECT 2", "DROP TABLE usa", "SHOW TABLES", "EXPLAIN SELECT 1", ""] {
            assert!(engine.query_one(sql).await.is_err(), "{sql}");
        }
        // A query within which something is written is none that may read alone.
        let access = Access::read();
        for sql in [
            "CREATE VIEW v AS SELECT 1 AS a",
            "CREATE TABLE t AS SELECT 1 AS a",
            "EXPLAIN CREATE TABLE t AS SELECT 1 AS a",
            "OPTIMIZE usa",
            "EXPLAIN OPTIMIZE usa",
            "DROP TABLE usa",
            "CREATE INDEX ON usa (age)",
            "ALTER TABLE usa ADD COLUMN x INT",
            "SET datafusion.execution.batch_size = 7",
        ] {
            let statement = engine.parse(sql).unwrap().remove(0);
            let error = engine.run_as(statement, None, &access).await.map(|_| ()).expect_err(sql);
            assert_eq!(Error::from(&error).kind, ErrorKind::Permission, "{sql}: {}", message(&error));
        }
    }

    #[tokio::test]
    async fn errors_say_of_what_kind_they_are() {
        let directory = tempfile::tempdir().unwrap();
        let embedder = crate::database::EmbedderChoice::named(Some("hash".into()));
        let engine = Engine::new(Database::open(directory.path(), embedder).unwrap(), Options::default()).unwrap();
        for (sql, kind) in [
            ("SELECT 1 +", ErrorKind::Syntax),
            ("SELECT * FROM usaa", ErrorKind::NotFound),
            ("SELECT agee FROM (SELECT 1 AS age)", ErrorKind::NotFound),
            ("SELECT sum('a' || 'b')", ErrorKind::Usage),
            ("COPY (SELECT 1) TO 'x.csv'", ErrorKind::Permission),
            ("SET datafusion.runtime.memory_limit = '1M'", ErrorKind::Permission),
            ("MERGE INTO t USING s ON t.a = s.a WHEN MATCHED THEN DELETE", ErrorKind::Unsupported),
        ] {
            let run = async { engine.run(engine.parse(sql)?.remove(0)).await?.try_collect::<Vec<_>>().await };
            let error = run.await.expect_err(sql);
            assert_eq!(Error::from(&error).kind, kind, "{sql}: {}", message(&error));
        }
    }

    #[tokio::test]
    async fn messages_are_plain() {
        assert_eq!(error("SELECT 1 +").await.lines().count(), 1);
        let unknown = error("SELECT * FROM sample_persona('usaa', 5)").await;
        assert!(unknown.starts_with("unknown country `usaa`; did you mean `usa`?"), "{unknown}");
    }
}
