//! Runs: people drawn, written up and stored; a run that dies is finished by running it again.

mod retry;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use datafusion::arrow::array::{AsArray, BooleanArray};
use datafusion::arrow::compute::filter_record_batch;
use datafusion::common::{DataFusionError, Result, exec_err, plan_err};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::Parser;
use datafusion::sql::sqlparser::tokenizer::Token;
use futures::{StreamExt, TryStreamExt, stream};
use populace_population::there_are;
use populace_udfs::{Estimate, Narrator, OnOutage, estimate_people, narrate, narrated};

use crate::catalog::{Run, Work};
use crate::database::{Append, Appended, CreateTable, Shape, Uuids};
use crate::engine::Engine;
use crate::packs;

pub use retry::{Retried, retry_failed};

/// Finishes a run of `generate`: draws its people, leaves out those in the table, and writes the others; `chunk` of them
/// a commit, or as many as are ready in some seconds. `progress` hears how many
/// of the run's people are ready, in the table or about to be.
///
/// # Errors
/// If the draw is refused, the table cannot be written, or the narrator cannot be reached; people committed before
/// stay. Nothing is noted of a run that could not have begun.
pub async fn run(engine: &Engine, run: &Run, chunk: Option<usize>, progress: impl Fn(u64) + Sync) -> Result<u64> {
    let Work::Generate { country, pack, seed, given, count } = &run.work else {
        return exec_err!("run {} is a statement", run.id);
    };
    if *pack != pack_id(country)? {
        return plan_err!(
            "run {} drew from {pack}, this program has {}: the same seed gives other people now",
            run.id,
            pack_id(country)?
        );
    }
    let narrator = narrator(engine, run)?;
    let kinds = kinds(engine, run, narrator.as_deref()).await?;
    let people = draw(engine, country, *count, *seed, given.as_deref()).await?;
    let database = engine.database();
    if database.tables().contains(&run.table) {
        database.check_table(&run.table).await?;
    } else {
        let schema = match narrator {
            Some(_) => narrated(&people.schema(), &kinds),
            None => people.schema(),
        };
        let empty = Box::pin(RecordBatchStreamAdapter::new(schema, stream::empty()));
        let shape = Shape::Persona;
        let options = CreateTable { embed: run.embed, pack: Some(pack.clone()), ..CreateTable::new(shape) };
        database.create_table(&run.table, empty, options).await?;
    }
    let recorded = engine.begin(run)?;
    let writer = narrator.map(|narrator| (narrator, kinds));
    let written = write(engine, run, writer, people, chunk, |there| recorded.progress(there), progress).await;
    recorded.end(written.map(|written| (written, *count)))
}

/// What a run would take: the people it would write, and its calls to a model, if it makes any.
///
/// # Errors
/// If the draw is refused, or the narrator cannot be opened.
pub async fn estimate(engine: &Engine, run: &Run) -> Result<(u64, Option<Estimate>)> {
    let Work::Generate { country, seed, given, count, .. } = &run.work else {
        return exec_err!("run {} is a statement", run.id);
    };
    let narrator = narrator(engine, run)?;
    let people = draw(engine, country, *count, *seed, given.as_deref()).await?;
    let known = engine.database().uuids(&run.table).await?;
    let (mut people, there) = unknown(people, known);
    // One that calls nobody costs nothing.
    let estimate = match narrator.filter(|n| n.window() > 1) {
        Some(narrator) => {
            let mut estimate = Estimate::default();
            let kinds = kinds(engine, run, Some(narrator.as_ref())).await?;
            estimate_people(narrator.as_ref(), &kinds, people, &mut estimate).await?;
            Some(estimate)
        }
        None => {
            while people.try_next().await?.is_some() {}
            None
        }
    };
    Ok((count - there.load(Ordering::Relaxed), estimate))
}

/// What writes the people of a run up; nothing for one without narratives.
fn narrator(engine: &Engine, run: &Run) -> Result<Option<Arc<dyn Narrator>>> {
    match run.narrator.as_str() {
        "none" => Ok(None),
        name => engine.narrator(name).map(Some),
    }
}

/// The narratives that a run writes: those it was told to, or all that the narrator knows. A table that is there
/// already takes those that it has a column for: a text that nobody would keep is not paid for.
async fn kinds(engine: &Engine, run: &Run, narrator: Option<&dyn Narrator>) -> Result<Vec<String>> {
    let Some(narrator) = narrator else { return Ok(vec![]) };
    let known = narrator.kinds();
    if let Some(wanted) = &run.narratives
        && let Some(unknown) = wanted.iter().find(|w| !known.contains(w))
    {
        return plan_err!("{} writes no narrative `{unknown}`{}", narrator.name(), there_are(unknown, &known));
    }
    let wanted = known.into_iter().filter(|k| run.narratives.as_ref().is_none_or(|w| w.contains(k)));
    let Some(columns) = engine.database().columns(&run.table).await? else { return Ok(wanted.collect()) };
    let (taken, left): (Vec<String>, Vec<String>) = wanted.partition(|k| columns.contains(k));
    if let Some(first) = left.first() {
        engine.database().notice(format!(
            "not written, as {} has no such columns: {}; ALTER TABLE {} ADD COLUMN {first} VARCHAR makes one",
            run.table,
            left.join(", "),
            run.table
        ));
    }
    Ok(taken)
}

/// The identifier of a country's pack.
///
/// # Errors
/// If there is no such country.
pub fn pack_id(country: &str) -> Result<String> {
    match packs::open(country) {
        Some(pack) => Ok(pack.map_err(|e| DataFusionError::Plan(e.to_string()))?.id()),
        None => plan_err!("unknown country `{country}`{}", there_are(country, &packs::NAMES)),
    }
}

async fn draw(
    engine: &Engine,
    country: &str,
    count: u64,
    seed: u64,
    given: Option<&str>,
) -> Result<SendableRecordBatchStream> {
    let given = match given {
        Some(text) => format!(", given => {}", expression(text)?),
        None => String::new(),
    };
    let sql = format!("SELECT * FROM sample_persona('{country}', {count}, seed => {seed}{given})");
    let Some(statement) = engine.parse(&sql)?.pop() else { return plan_err!("no statement") };
    engine.run(statement).await
}

/// One expression, whole: nothing that would end it and begin something else.
fn expression(text: &str) -> Result<String> {
    let parsed = Parser::new(&GenericDialect {}).try_with_sql(text).and_then(|mut parser| {
        let expr = parser.parse_expr()?;
        parser.expect_token(&Token::EOF)?;
        Ok(expr)
    });
    match parsed {
        Ok(expr) => Ok(expr.to_string()),
        Err(error) => plan_err!("given: {error}"),
    }
}

async fn write(
    engine: &Engine,
    run: &Run,
    writer: Option<(Arc<dyn Narrator>, Vec<String>)>,
    people: SendableRecordBatchStream,
    chunk: Option<usize>,
    committed: impl Fn(u64) + Sync,
    ready: impl Fn(u64) + Sync,
) -> Result<u64> {
    let database = engine.database();
    // Only those who are not in the table yet are written up.
    let (new, there) = unknown(people, database.uuids(&run.table).await?);
    let rows = match writer {
        Some((narrator, kinds)) => narrate(narrator, kinds, new, OnOutage::Stop),
        None => new,
    };
    let before = || there.load(Ordering::Relaxed);
    let progress = |a: Appended| committed(before() + a.written + a.skipped);
    let ready = |people: u64| ready(before() + people);
    let options = Append { run: Some(&run.id), chunk, progress: &progress, ready: &ready, ..Append::default() };
    Ok(database.append(&run.table, rows, options).await?.written)
}

/// The people who are not known, and a count of the others, which is whole when the stream has ended.
fn unknown(people: SendableRecordBatchStream, known: Uuids) -> (SendableRecordBatchStream, Arc<AtomicU64>) {
    let there = Arc::new(AtomicU64::new(0));
    let counted = there.clone();
    let schema = people.schema();
    let new = people.map(move |batch| {
        let batch = batch?;
        let Some(uuid) = batch.column_by_name("uuid").and_then(|c| c.as_string_opt::<i32>()) else {
            return plan_err!("the draw has no uuid");
        };
        let new: BooleanArray = uuid.iter().map(|u| u.map(|u| !known.contains(u))).collect();
        counted.fetch_add((batch.num_rows() - new.true_count()) as u64, Ordering::Relaxed);
        Ok(filter_record_batch(&batch, &new)?)
    });
    (Box::pin(RecordBatchStreamAdapter::new(schema, new)), there)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evidence_is_one_expression() {
        assert_eq!(expression("age >= 65").unwrap(), "age >= 65");
        assert!(expression("true) AS x; DROP TABLE usa; --").is_err());
        assert!(expression("").is_err());
    }
}
