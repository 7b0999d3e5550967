//! Statements that write rows: CREATE TABLE AS, INSERT, REPLACE.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use datafusion::arrow::datatypes::{Field, Schema};
use datafusion::catalog::TableProvider;
use datafusion::catalog::default_table_source::DefaultTableSource;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{DataFusionError, Result, plan_err};
use datafusion::datasource::source_as_provider;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::logical_expr::{
    CreateMemoryTable, DmlStatement, Expr, LogicalPlan, LogicalPlanBuilder, TableScan, Volatility,
};
use datafusion::sql::parser::Statement;
use populace_udfs::NARRATIVE;

use super::Engine;
use super::newcomers::newcomers;
use super::run_guard::RunGuard;
use crate::catalog::{Run, Work};
use crate::database::{
    Append, Appended, CreateTable, IfThere, SampleOf, Shape, Table, counted, embedded_by, embedded_narrative,
};
use crate::error::message;
use crate::servers::Asked;
use crate::{packs, sql};

impl Engine {
    pub(super) async fn create_table(
        &self,
        create: CreateMemoryTable,
        statement: &Statement,
        run: Option<&Run>,
    ) -> Result<SendableRecordBatchStream> {
        let table = create.name.table();
        if create.temporary {
            return plan_err!("temporary tables are not supported; CREATE VIEW lives as long as the session");
        }
        if self.tables.session_type(table).is_some() {
            return plan_err!(
                "{table} is a view or an external table of this session: choose another name, or drop it"
            );
        }
        if create.if_not_exists && create.or_replace {
            return plan_err!("OR REPLACE and IF NOT EXISTS exclude each other: leave one of them out");
        }
        if create.if_not_exists && self.database.tables().iter().any(|t| t == table) {
            return counted(0);
        }
        let narrator = narrates(&create.input)?.then(|| self.narrator_name().to_string());
        let shape = Shape::of(create.input.schema().as_arrow());
        let run = self.statement_run(&create.input, shape == Shape::Persona, table, statement, run)?;
        let rows = run.until_stopped(self.rows(create.input.as_ref().clone()).await?);
        let id = run.id();
        let if_there = if create.or_replace { IfThere::Replace } else { IfThere::Fail };
        let narratives = narrated_columns(&create.input);
        let embedded = self.embedded(&create.input);
        let written = written_columns(&create.input);
        let own = own_pack(create.input.schema().as_arrow(), statement)?;
        let (pack, pack_path) = own.unzip();
        let sample = sample(&create.input)?;
        let options = CreateTable {
            sample,
            if_there,
            narratives,
            embedded,
            run: id,
            narrator,
            written,
            pack,
            pack_path,
            ..CreateTable::new(shape)
        };
        let made = self.database.create_table(table, rows, options).await;
        let made = run.end(made.map(|m| (m, m.written)))?;
        if made.repeated > 0 {
            self.database.notice(format!(
                "{} of {} rows repeat a uuid: all are in {table}, which has no key for it",
                made.repeated, made.written
            ));
        }
        counted(made.written)
    }

    /// INSERT, as a run where it writes people: committed as it goes, and resumable.
    pub(super) async fn insert(
        &self,
        dml: DmlStatement,
        statement: &Statement,
        run: Option<&Run>,
    ) -> Result<SendableRecordBatchStream> {
        let Some(table) = target(&dml) else {
            return self.rows(LogicalPlan::Dml(dml)).await;
        };
        let name = table.writable()?;
        let narrator = narrates(&dml.input)?.then(|| self.narrator_name().to_string());
        let run = self.statement_run(&dml.input, table.has_key(), name, statement, run)?;
        let (mut query, mut known) = (without_provenance(&dml.input)?, Arc::default());
        if narrator.is_some() && table.has_key() {
            // Nothing is asked, and paid, about people who would be left out.
            (query, known) = newcomers(query, self.database.uuids(name).await?)?;
        }
        let rows = run.until_stopped(self.rows(query).await?);
        let id = run.id();
        let (progress, embedded) = (|a: Appended| run.progress(a.written + a.skipped), self.embedded(&dml.input));
        let append = Append {
            run: id.as_deref(),
            narrator: narrator.as_deref(),
            embedded: &embedded,
            progress: &progress,
            ..Append::default()
        };
        let appended = self.database.append(name, rows, append).await;
        let own = own_columns(&dml.input);
        if let (Some(narrator), false) = (&narrator, own.is_empty()) {
            self.noted(name, async { self.database.write(name).await?.note_writer(&own, narrator).await }).await;
        }
        let known = |a: &Appended| a.skipped + known.load(Ordering::Relaxed);
        let appended = run.end(appended.map(|a| (a, a.written + known(&a))))?;
        self.database.notice_skipped(known(&appended), name);
        counted(appended.written)
    }

    /// REPLACE INTO: people who are there already are written anew, whole, in the same commit as the others.
    pub(super) async fn replace(
        &self,
        dml: &DmlStatement,
        statement: Statement,
        run: Option<&Run>,
    ) -> Result<SendableRecordBatchStream> {
        let Some(table) = target(dml) else {
            return plan_err!("{} cannot be written: it is no table of the database", dml.table_name);
        };
        let name = table.writable()?;
        let writer = self.database.write(name).await?;
        // Planned again, now that nobody else writes.
        let LogicalPlan::Dml(dml) = self.context.state().statement_to_plan(statement.clone()).await? else {
            return plan_err!("the table {name} changed while the statement was planned; run it again");
        };
        let narrator = narrates(&dml.input)?.then(|| self.narrator_name().to_string());
        let run = self.statement_run(&dml.input, table.has_key(), name, &statement, run)?;
        let rows = run.until_stopped(self.rows(without_provenance(&dml.input)?).await?);
        let id = run.id();
        let embedded = self.embedded(&dml.input);
        let append =
            Append { run: id.as_deref(), narrator: narrator.as_deref(), embedded: &embedded, ..Append::default() };
        let replaced = writer.replace(rows, &append).await;
        if let Some(narrator) = &narrator {
            self.noted(name, writer.note_writer(&own_columns(&dml.input), narrator)).await;
        }
        let replaced = run.end(replaced.map(|r| (r, r.written + r.replaced)))?;
        match replaced.replaced {
            0 => {}
            1 => self.database.notice(format!("1 person was in {name} already: replaced")),
            people => self.database.notice(format!("{people} people were in {name} already: replaced")),
        }
        counted(replaced.written + replaced.replaced)
    }

    /// Waits until it is noted with columns of a table who wrote them. What is written stays where that cannot be noted.
    pub(super) async fn noted(&self, table: &str, noted: impl Future<Output = Result<()>>) {
        if let Err(error) = Box::pin(noted).await {
            self.database.notice(format!("who wrote columns of {table} could not be noted: {}", message(&error)));
        }
    }

    /// Narratives of a query whose vectors are those that would be made of them; none where no model is at hand.
    fn embedded(&self, input: &LogicalPlan) -> Vec<String> {
        let any = input.schema().fields().iter().any(|f| embedded_narrative(f).is_some());
        match any.then(|| self.database.embedder().get()) {
            Some(Ok(embedder)) => embedded_columns(input, embedder.name()),
            _ => vec![],
        }
    }

    /// Notes a statement that writes people, or asks a model, as a run; other statements are none.
    fn statement_run(
        &self,
        input: &LogicalPlan,
        people: bool,
        table: &str,
        statement: &Statement,
        run: Option<&Run>,
    ) -> Result<RunGuard> {
        let mut reads = false;
        input.apply(|node| {
            reads |= matches!(node, LogicalPlan::TableScan(_));
            Ok(if reads { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
        })?;
        let asks = self.narrator_name() != "outline" && narrates(input)?;
        match run {
            Some(run) => self.begin(run),
            None if (people || asks) && reads => {
                let fresh = self.options.asking.fresh.clone();
                // One that no text stands for is noted as a comment, which cannot be run again.
                let comment = || format!("-- {}", statement.to_string().replace(['\n', '\r'], " "));
                let text = sql::statement_text(statement).unwrap_or_else(comment);
                let run = Run::new(Work::Statement(text), table, self.narrator_name(), true);
                // What is committed at once is there as a whole, or can be written again.
                let once = if people && sql::appends(statement) { once(input, table)? } else { None };
                if let Some(why) = &once {
                    self.database.notice(format!("run {} cannot be resumed if it is interrupted: {why}", run.id));
                }
                self.begin(&Run { fresh, once, ..run })
            }
            None => Ok(RunGuard::none()),
        }
    }

    /// What came of asking models since this was last called.
    pub fn asked(&self) -> Asked {
        self.activity.asked()
    }
}

/// The pack of one's own that all people of a new table are drawn from, and where it lies. Of built-in packs the people
/// tell themselves.
fn own_pack(rows: &Schema, statement: &Statement) -> Result<Option<(String, String)>> {
    let mut statement = statement.clone();
    let countries = sql::explained(&mut statement).map(populace_udfs::drawn_from).unwrap_or_default();
    let [country] = &countries[..] else { return Ok(None) };
    if !packs::path::is_path(country) || rows.column_with_name("uuid").is_none() {
        return Ok(None);
    }
    let pack = packs::path::open(country).map_err(|e| DataFusionError::Plan(e.to_string()))?;
    Ok(Some((pack.id(), packs::path::absolute(country))))
}

/// Why a query would not have the same rows when it runs again, if it would not: it is no function of its seeds.
fn once(query: &LogicalPlan, table: &str) -> Result<Option<String>> {
    let mut why = None;
    query.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node
            && scan.table_name.table() == table
        {
            why = Some(format!("it reads {table}, which it writes"));
        }
        node.apply_expressions(|expr| {
            expr.apply(|e| {
                if let Expr::ScalarFunction(function) = e
                    && function.func.signature().volatility == Volatility::Volatile
                    && !function.name().ends_with("generate_narrative")
                {
                    why = Some(format!("{}() returns something else each time", function.name()));
                }
                Ok(TreeNodeRecursion::Continue)
            })
        })
    })?;
    Ok(why)
}

/// The table of the database that a statement changes, if it is one.
pub(super) fn target(dml: &DmlStatement) -> Option<&Table> {
    dml.target.downcast_ref::<DefaultTableSource>()?.table_provider.downcast_ref()
}

/// Whether a query has texts written.
pub(super) fn narrates(input: &LogicalPlan) -> Result<bool> {
    let mut found = false;
    input.apply_with_subqueries(|node| {
        node.apply_expressions(|expr| {
            expr.apply(|e| {
                found |= matches!(e, Expr::ScalarFunction(f) if populace_udfs::is_narrating(f.name()));
                Ok(TreeNodeRecursion::Continue)
            })
        })
    })?;
    Ok(found)
}

/// The columns of a query that hold texts by a narrator: written by it, or read from where such texts are kept.
fn narrated_columns(input: &LogicalPlan) -> Vec<String> {
    let fields = input.schema().fields().iter().enumerate();
    fields.filter(|(i, _)| is_narrated(input, *i)).map(|(_, f)| f.name().clone()).collect()
}

/// The columns of a query whose texts its narrator writes.
fn written_columns(input: &LogicalPlan) -> Vec<String> {
    let fields = input.schema().fields().iter().enumerate();
    let written = fields.filter(|(i, _)| {
        let mut from = match origin(input, *i) {
            Some(Origin::Expression(expression)) => expression,
            _ => return false,
        };
        while let Expr::Cast(cast) = from {
            from = *cast.expr;
        }
        matches!(from, Expr::ScalarFunction(function) if function.name() == "generate_narrative")
    });
    written.map(|(_, field)| field.name().clone()).collect()
}

/// Those of them that are one's own: of the pack's narratives the rows say who wrote them.
pub(super) fn own_columns(input: &LogicalPlan) -> Vec<String> {
    written_columns(input).into_iter().filter(|column| !packs::is_narrative(column)).collect()
}

fn is_narrated(plan: &LogicalPlan, column: usize) -> bool {
    match origin(plan, column) {
        Some(Origin::Expression(Expr::ScalarFunction(function))) => function.name() == "generate_narrative",
        Some(Origin::Scan(_, field)) => field.metadata().contains_key(NARRATIVE),
        _ => false,
    }
}

/// Narratives of a query whose vectors come with them: both are columns of one scan, passed on as they are, and the
/// vectors were made by this embedder.
fn embedded_columns(input: &LogicalPlan, embedder: &str) -> Vec<String> {
    let schema = input.schema();
    let mut come = vec![];
    for (at, field) in schema.fields().iter().enumerate() {
        let Some(Origin::Scan(scan, vectors)) = origin(input, at) else { continue };
        let Some(narrative) = embedded_narrative(vectors).filter(|_| embedded_by(vectors) == Some(embedder)) else {
            continue;
        };
        let text = schema.fields().iter().position(|f| f.name() == narrative);
        let of_text = text.and_then(|text| origin(input, text));
        let same =
            matches!(of_text, Some(Origin::Scan(of, text)) if std::ptr::eq(of, scan) && text.name() == narrative);
        if same && field.name() == vectors.name() {
            come.push(narrative.to_string());
        }
    }
    come
}

/// Whose people the rows of a query are, where they are all those of one stored table, as it has them: each with its own
/// `uuid`, and its own value in every column of that table's that the query has.
fn sample(input: &LogicalPlan) -> Result<Option<SampleOf>> {
    let fields = input.schema().fields();
    let uuid = fields.iter().position(|f| f.name() == "uuid").and_then(|at| origin(input, at));
    let Some(Origin::Scan(scan, uuid)) = uuid else { return Ok(None) };
    let provider = source_as_provider(&scan.source)?;
    let Some(table) = provider.downcast_ref::<Table>().filter(|t| t.has_key() && t.writable().is_ok()) else {
        return Ok(None);
    };
    let as_it_was = |(at, field): (usize, &Arc<Field>)| match table.schema().column_with_name(field.name()) {
        None => true,
        Some(_) => matches!(
            origin(input, at),
            Some(Origin::Scan(of, column)) if std::ptr::eq(of, scan) && column.name() == field.name()
        ),
    };
    let same = uuid.name() == "uuid" && fields.iter().enumerate().all(as_it_was);
    match same {
        true => Ok(Some(SampleOf::new(table, populace_udfs::sample_design(input)?))),
        false => Ok(None),
    }
}

/// Where the values of a column of a plan are from.
enum Origin<'a> {
    Scan(&'a TableScan, &'a Field),
    Expression(Expr),
}

fn origin(plan: &LogicalPlan, column: usize) -> Option<Origin<'_>> {
    match plan {
        LogicalPlan::Projection(projection) => match projection.expr.get(column)?.clone().unalias() {
            Expr::Column(c) => origin(&projection.input, projection.input.schema().maybe_index_of_column(&c)?),
            other => Some(Origin::Expression(other)),
        },
        LogicalPlan::TableScan(scan) => Some(Origin::Scan(scan, scan.projected_schema.field(column))),
        // Those that pass on the columns of their input as they are.
        LogicalPlan::SubqueryAlias(_) | LogicalPlan::Filter(_) | LogicalPlan::Sort(_) | LogicalPlan::Limit(_) => {
            origin(plan.inputs().into_iter().next()?, column)
        }
        LogicalPlan::Extension(call) => {
            let (of, column) = populace_udfs::passed_column(call.node.as_ref(), column)?;
            origin(of, column)
        }
        _ => None,
    }
}

/// The query of an INSERT without the columns of provenance that the statement does not name, which the planner fills
/// with NULL: they are the run's to fill.
fn without_provenance(input: &LogicalPlan) -> Result<LogicalPlan> {
    let LogicalPlan::Projection(projection) = input else { return Ok(input.clone()) };
    let ours = |name: &str| name == "run_id" || name == "narrator";
    let null = |e: &Expr| match e.clone().unalias() {
        Expr::Literal(value, _) => value.is_null(),
        Expr::Cast(cast) => matches!(&*cast.expr, Expr::Literal(value, _) if value.is_null()),
        _ => false,
    };
    let fields = projection.schema.fields().iter();
    let kept = projection.expr.iter().zip(fields).filter(|(e, f)| !(ours(f.name()) && null(e))).map(|(e, _)| e.clone());
    LogicalPlanBuilder::from(projection.input.as_ref().clone()).project(kept)?.build()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::{Database, EmbedderChoice};
    use crate::engine::Options;
    use datafusion::sql::sqlparser::dialect::GenericDialect;
    use datafusion::sql::sqlparser::parser::Parser;
    use futures::TryStreamExt;

    #[tokio::test(flavor = "multi_thread")]
    async fn vectors_come_with_the_texts_that_they_were_made_of() {
        let directory = tempfile::tempdir().unwrap();
        let embedder = EmbedderChoice::named(Some("hash".into()));
        let engine = Engine::new(Database::open(directory.path(), embedder).unwrap(), Options::default()).unwrap();
        for table in ["usa", "other"] {
            let sql = format!("CREATE TABLE {table} AS SELECT * FROM generate_persona('usa', 5, seed => 1)");
            let statement = engine.parse(&sql).unwrap().pop().unwrap();
            engine.run(statement).await.unwrap().try_collect::<Vec<_>>().await.unwrap();
        }
        for (query, come) in [
            ("SELECT * FROM usa", 10),
            ("SELECT * FROM usa WHERE age > 20 ORDER BY age LIMIT 3", 10),
            ("SELECT u.uuid, u.persona, u.persona_embedding FROM usa AS u", 1),
            ("SELECT * FROM stratified_sample(usa, 3, strata => sex)", 10),
            ("SELECT * REPLACE (upper(persona) AS persona) FROM usa", 9),
            ("SELECT uuid, skills_and_expertise AS persona, persona_embedding FROM usa", 0),
            ("SELECT a.persona, b.persona_embedding FROM usa AS a JOIN other AS b ON a.age = b.age", 0),
        ] {
            let mut statement = Parser::parse_sql(&GenericDialect {}, query).unwrap().remove(0);
            populace_udfs::rewrite(&mut statement);
            let plan =
                engine.context.state().statement_to_plan(Statement::Statement(Box::new(statement))).await.unwrap();
            assert_eq!(embedded_columns(&plan, "hash").len(), come, "{query}");
            assert!(embedded_columns(&plan, "another").is_empty(), "{query}");
        }
    }
}
