//! SQL over synthetic people: a DataFusion session with the query plugin and the packs that the binary carries.

use std::sync::Arc;

use datafusion::catalog::default_table_source::DefaultTableSource;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, DataFusionError, Result, SchemaError, plan_err};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::logical_expr::{
    CreateMemoryTable, DdlStatement, DmlStatement, Expr, LogicalPlan, LogicalPlanBuilder, WriteOp, col,
};
use datafusion::physical_plan::execute_stream;
use datafusion::prelude::{SessionConfig, SessionContext};
use datafusion::sql::TableReference;
use datafusion::sql::parser::{DFParserBuilder, Statement};
use datafusion::sql::sqlparser::ast::{self, TableObject};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use populace_udfs::{Populace, Purpose, TableSearch, VectorSearch};

use crate::database::{CreateTable, Database, LanceSearch, Shape, Table, Tables, counted};
use crate::statements;
use crate::{narrators, packs};

/// Whether statements may read and write files outside of the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Files {
    #[default]
    Forbidden,
    Allowed,
}

/// A search for people by the meaning of one of their narratives.
#[derive(Debug, Clone)]
pub struct Search {
    pub text: String,
    pub table: String,
    /// The narrative, `persona`
    pub column: String,
    pub k: usize,
    /// What holds of the people, in SQL; applied before the search
    pub predicate: Option<String>,
}

/// A session. Cheap to make: packs are read when a statement first names them.
pub struct Engine {
    context: SessionContext,
    database: Arc<Database>,
    files: Files,
}

impl Engine {
    /// # Errors
    /// If the functions cannot be registered.
    pub fn new(database: Arc<Database>, files: Files) -> Result<Engine> {
        let mut config = SessionConfig::new().with_information_schema(true);
        // Draws run on all cores within one partition; dealing their rows out to others would lose their order.
        config.options_mut().optimizer.enable_round_robin_repartition = false;
        let context = SessionContext::new_with_config(config);
        let embedder = database.embedder().clone();
        let mut populace = Populace::new()
            .with_table_search(Arc::new(LanceSearch::new(embedder.clone())))
            .with_lazy_embedder(move || embedder.get());
        for name in narrators::NAMES {
            populace = populace.with_narrator(narrators::open(name).map_err(DataFusionError::Plan)?);
        }
        for name in packs::NAMES {
            populace = populace.with_lazy_pack(name, move || {
                packs::open(name).unwrap_or_else(|| Err(populace_population::Error::NotAPack(name.into())))
            });
        }
        populace_udfs::register(&context, populace)?;
        if let Some(catalog) = context.catalog("datafusion") {
            catalog.register_schema("public", Arc::new(Tables::new(database.clone())))?;
        }
        Ok(Engine { context, database, files })
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
        let sql = &statements::by_name_as_columns(sql);
        let limit = self.context.copied_config().options().sql_parser.recursion_limit;
        let mut parser =
            DFParserBuilder::new(sql.as_str()).with_dialect(&GenericDialect {}).with_recursion_limit(limit).build()?;
        Ok(parser.parse_statements()?.into())
    }

    /// Plans and runs one statement; its rows come as they are made.
    ///
    /// # Errors
    /// If the statement cannot be planned, or is not allowed.
    pub async fn run(&self, mut statement: Statement) -> Result<SendableRecordBatchStream> {
        if let Statement::Statement(statement) = &mut statement {
            populace_udfs::rewrite(statement);
            statements::versions_as_tables(statement);
            if let ast::Statement::Insert(insert) = statement.as_mut() {
                self.name_columns(insert).await?;
            }
        }
        let plan = self.context.state().statement_to_plan(statement.clone()).await?;
        self.check(&plan)?;
        match plan {
            LogicalPlan::Ddl(DdlStatement::CreateMemoryTable(create)) => self.create_table(create).await,
            LogicalPlan::Dml(dml) if matches!(dml.op, WriteOp::Update | WriteOp::Delete | WriteOp::Truncate) => {
                self.change(&dml, statement).await
            }
            plan => self.rows(plan).await,
        }
    }

    /// The people nearest in meaning, nearest first, with the narrative and the `score`: the cosine similarity.
    ///
    /// # Errors
    /// If there is no such table or column, the predicate is not one of columns, literals and operators, or the table
    /// was made with another embedder.
    pub async fn search(&self, search: Search) -> Result<SendableRecordBatchStream> {
        let table = self.context.table_provider(TableReference::bare(search.table.as_str())).await?;
        let schema = table.schema();
        let column = crate::database::embedding_column(&search.column);
        if schema.column_with_name(&column).is_none() {
            return plan_err!("the table {} has no vectors of {}", search.table, search.column);
        }
        let shown = ["uuid", "first_name", "last_name", "age", "city", "state", "occupation", search.column.as_str()];
        let projection = shown.iter().filter_map(|n| Some(schema.column_with_name(n)?.0)).collect();
        let filter = match &search.predicate {
            Some(text) => Some(self.context.parse_sql_expr(text, &DFSchema::try_from(schema.as_ref().clone())?)?),
            None => None,
        };
        let embedder = self.database.embedder();
        let mut vectors = embedder.get()?.embed(vec![search.text], Purpose::Query).await?;
        let query = vectors.pop().unwrap_or_default();
        let vector = VectorSearch { column, query, k: search.k, filter, projection: Some(projection) };
        let state = self.context.state();
        match LanceSearch::new(embedder.clone()).vector_search(&state, &table, &vector).await? {
            Some(plan) => execute_stream(plan, self.context.task_ctx()),
            None => plan_err!("the condition of a search is made of columns, literals and operators alone"),
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
                let hint = populace_population::nearest(unknown, columns);
                let hint = hint.map_or(String::new(), |h| format!("; did you mean {h}?"));
                return plan_err!("the table {name} has no column {unknown}{hint}");
            }
            None if by_name || names.len() != table.fields().len() => {
                let quoted = |n: &&String| ast::ObjectName::from(vec![ast::Ident::with_quote('"', n.as_str())]);
                insert.columns = names.iter().map(quoted).collect();
            }
            _ => {}
        }
        Ok(())
    }

    async fn create_table(&self, create: CreateMemoryTable) -> Result<SendableRecordBatchStream> {
        let table = create.name.table();
        if create.temporary {
            return plan_err!("temporary tables are not supported; CREATE VIEW lives as long as the session");
        }
        if create.if_not_exists && self.database.tables().iter().any(|t| t == table) {
            return counted(0);
        }
        let rows = self.rows(create.input.as_ref().clone()).await?;
        let shape = Shape::of(&rows.schema());
        let options = CreateTable { shape, replace: create.or_replace, embed: true, pack: None };
        counted(self.database.create_table(table, rows, options).await?.written)
    }

    /// UPDATE, DELETE and TRUNCATE. DataFusion would hand a table the filters alone, less those that its optimizer
    /// turned into joins; here the rows that the statement reaches are a query like any other.
    async fn change(&self, dml: &DmlStatement, statement: Statement) -> Result<SendableRecordBatchStream> {
        let source = dml.target.downcast_ref::<DefaultTableSource>();
        let Some(table) = source.and_then(|s| s.table_provider.downcast_ref::<Table>()) else {
            return plan_err!("{} cannot be changed: it is no table of the database", dml.table_name);
        };
        let table = table.writable()?;
        let lock = self.database.lock(table).await?;
        // Planned again, now that nobody else writes: what it reads is the newest version.
        let LogicalPlan::Dml(dml) = self.context.state().statement_to_plan(statement).await? else {
            return plan_err!("the table {table} changed while the statement was planned; run it again");
        };
        let count = match dml.op {
            WriteOp::Update => {
                let changed = changed_columns(&dml.input);
                let rows = self.rows(dml.input.as_ref().clone()).await?;
                self.database.update(table, rows, &changed, &lock).await?
            }
            WriteOp::Truncate => self.database.delete(table, None, &lock).await?.unwrap_or(0),
            _ => {
                let state = self.context.state();
                let input = dml.input.as_ref().clone();
                let input = state.analyzer().execute_and_check(input, state.config_options(), |_, _| {})?;
                let deleted = match predicate(&input)? {
                    Some(predicate) => self.database.delete(table, predicate, &lock).await?,
                    None => None,
                };
                match deleted {
                    Some(count) => count,
                    None => {
                        let people = LogicalPlanBuilder::from(input).project([col("uuid")])?.build()?;
                        self.database.delete_people(table, self.rows(people).await?, &lock).await?
                    }
                }
            }
        };
        counted(count)
    }

    fn check(&self, plan: &LogicalPlan) -> Result<()> {
        if self.files == Files::Allowed {
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

/// The columns that an UPDATE assigns: those that its projection does not merely pass on.
fn changed_columns(input: &LogicalPlan) -> Vec<String> {
    let LogicalPlan::Projection(projection) = input else { return Vec::new() };
    let names = projection.schema.fields().iter().map(|f| f.name());
    let passed = |e: &Expr, name: &str| matches!(e.clone().unalias(), Expr::Column(c) if c.name == name);
    projection.expr.iter().zip(names).filter(|(e, n)| !passed(e, n)).map(|(_, n)| n.clone()).collect()
}

/// The predicate of a DELETE over a plain scan, its columns unqualified; the outer `None` for any other plan.
fn predicate(input: &LogicalPlan) -> Result<Option<Option<Expr>>> {
    match input {
        LogicalPlan::TableScan(scan) if scan.filters.is_empty() => Ok(Some(None)),
        LogicalPlan::Filter(filter) if matches!(*filter.input, LogicalPlan::TableScan(_)) => {
            let bare = filter.predicate.clone().transform(|e| {
                Ok(match e {
                    Expr::Column(c) => Transformed::yes(Expr::Column(Column::new_unqualified(c.name))),
                    e => Transformed::no(e),
                })
            })?;
            Ok(Some(Some(bare.data)))
        }
        _ => Ok(None),
    }
}

/// What a person is told of an error: the innermost message, without the names of the layers it came through.
pub fn message(error: &DataFusionError) -> String {
    match error {
        DataFusionError::Plan(text) | DataFusionError::Execution(text) | DataFusionError::NotImplemented(text) => {
            strip(text)
        }
        DataFusionError::SQL(error, _) => strip(&error.to_string()),
        DataFusionError::SchemaError(error, _) => match error.as_ref() {
            SchemaError::FieldNotFound { field, valid_fields } => no_column(&field.name, valid_fields),
            other => strip(&other.to_string()),
        },
        DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner) => message(inner),
        DataFusionError::Shared(inner) => message(inner),
        DataFusionError::Collection(errors) => errors.iter().map(message).collect::<Vec<_>>().join("\n"),
        DataFusionError::External(error) => match error.downcast_ref::<DataFusionError>() {
            Some(inner) => message(inner),
            None => strip(&error.to_string()),
        },
        other => strip(&other.strip_backtrace()),
    }
}

/// An unknown column, with the nearest of those there are.
fn no_column(name: &str, columns: &[Column]) -> String {
    let names: Vec<&str> = columns.iter().map(|c| c.name.as_str()).collect();
    match populace_population::nearest(name, names.iter().copied()) {
        Some(near) => format!("no column `{name}`; did you mean `{near}`?"),
        None if names.is_empty() => format!("no column `{name}`: there is no table to take it from"),
        None => format!("no column `{name}`. There are: {}", names.join(", ")),
    }
}

fn strip(text: &str) -> String {
    let text = text.split("\n\nbacktrace:").next().unwrap_or(text);
    let prefixes =
        ["Error during planning: ", "Execution error: ", "External error: ", "sql parser error: ", "Schema error: "];
    let mut text = text;
    while let Some(rest) = prefixes.iter().find_map(|p| text.strip_prefix(p)) {
        text = rest;
    }
    text.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::TryStreamExt;

    async fn error(sql: &str) -> String {
        let directory = tempfile::tempdir().unwrap();
        let embedder = crate::database::EmbedderChoice::named(Some("hash".into()));
        let engine = Engine::new(Database::open(directory.path(), embedder).unwrap(), Files::Forbidden).unwrap();
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
        assert!(error("SELECT * FROM 'datasets/usa/levels/hobby.csv'").await.contains("not found"));
    }

    #[tokio::test]
    async fn messages_are_plain() {
        assert_eq!(error("SELECT 1 +").await.lines().count(), 1);
        let unknown = error("SELECT * FROM sample_persona('usaa', 5)").await;
        assert!(unknown.starts_with("unknown country 'usaa'; did you mean 'usa'?"), "{unknown}");
    }
}
