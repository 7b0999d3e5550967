//! Runs: people drawn, written up and stored; a run that dies is finished by running it again.

mod judge;
mod retry;
mod statement;

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use datafusion::arrow::array::{AsArray, BooleanArray};
use datafusion::arrow::compute::{filter_record_batch, is_null};
use datafusion::common::{DataFusionError, Result, exec_err, plan_err};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::{StreamExt, TryStreamExt, stream};
use populace_population::there_are;
use populace_udfs::{Estimate, LANGUAGE, Narrator, OnOutage, RowSample, narrate, narrated};

use crate::catalog::{Failures, Run, Work};
use crate::database::{Append, Appended, BYTES_OF_TOKEN, CreateTable, IfThere, KeySet, Shape, embedding_column};
use crate::engine::{Engine, RunGuard};
use crate::sql::quoted_text;
use crate::{packs, sql};
use judge::Judge;

pub use retry::{Retried, retry_failed};
pub use statement::resume;

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
    let language = language(run, narrator.as_deref())?;
    let judge = judge(engine, run).await?;
    let people = draw(engine, (country, language.as_deref()), 0..*count, *seed, given.as_deref()).await?;
    let database = engine.database();
    if database.tables().contains(&run.table) {
        database.check_table(&run.table).await?;
        check_language(engine, run).await?;
    } else {
        let mut schema = match narrator {
            Some(_) => narrated(&people.schema(), &kinds),
            None => people.schema(),
        };
        if let Some(judge) = &judge {
            schema = judge.schema(&schema);
        }
        let empty = Box::pin(RecordBatchStreamAdapter::new(schema, stream::empty()));
        let shape = Shape::Persona;
        let pack_path = packs::path::is_path(country).then(|| country.clone());
        let if_there = IfThere::Keep;
        let options =
            CreateTable { if_there, embed: run.embed, pack: Some(pack.clone()), pack_path, ..CreateTable::new(shape) };
        database.create_table(&run.table, empty, options).await?;
    }
    let recorded = engine.begin(run)?;
    let writers = (narrator.map(|narrator| (narrator, kinds)), judge);
    let written = write(engine, (run, &recorded), writers, people, chunk, progress).await;
    recorded.end(written.map(|written| (written, *count)))
}

/// What a run would take.
#[derive(Debug)]
pub struct Expected {
    /// Whom it would write
    pub people: u64,
    /// Its calls to a model, if it makes any
    pub estimate: Option<Estimate>,
    /// The texts that a model would write about each of them
    pub texts: Vec<String>,
}

/// What a run would take: the people it would write, and its calls to a model, if it makes any.
///
/// # Errors
/// If the draw is refused, or the narrator cannot be opened.
pub async fn estimate(engine: &Engine, run: &Run) -> Result<Expected> {
    let Work::Generate { country, seed, given, count, .. } = &run.work else {
        return exec_err!("run {} is a statement", run.id);
    };
    let narrator = narrator(engine, run)?;
    let language = language(run, narrator.as_deref())?;
    let people = draw(engine, (country, language.as_deref()), 0..*count, *seed, given.as_deref()).await?;
    let known = engine.database().uuids(&run.table).await?;
    let (people, there) = unknown(people, known);
    let judge = judge(engine, run).await?;
    let writer = match narrator {
        Some(narrator) => Some((narrator.clone(), kinds(engine, run, Some(narrator.as_ref())).await?)),
        None => None,
    };
    let sample = RowSample::of(people, None).await?;
    let mut estimate = Estimate::default();
    let asks_model = match &writer {
        // One that calls nobody costs nothing.
        Some((narrator, kinds)) if narrator.window() > 1 => {
            sample.estimate(narrator.as_ref(), kinds, &mut estimate)?;
            true
        }
        _ => false,
    };
    // The tokens of the texts, by whom they are written.
    let written = match &writer {
        Some((narrator, _)) if narrator.window() > 1 => estimate.completion_tokens,
        _ => 0,
    };
    if let Some(judge) = &judge {
        sample.estimate(judge.narrator().as_ref(), &judge.narrator().scores(), &mut estimate)?;
    }
    let texts = writer.iter().filter(|_| asks_model).flat_map(|(_, kinds)| kinds.clone()).collect();
    let people = count - there.load(Ordering::Relaxed);
    let mut any = asks_model || judge.is_some();
    if let Some((narrator, kinds)) = writer {
        any |= estimate_vectors(engine, run, (people, narrator, kinds), written, &mut estimate).await?;
    }
    Ok(Expected { people, estimate: any.then_some(estimate), texts })
}

/// People who are written up without a model to tell how long texts are.
const SAMPLE: u64 = 100;

/// Adds what the vectors of the texts of so many people would take; false if nobody is asked for them. The texts are as
/// long as their tokens in all, where these are known, or as those of some of the people.
async fn estimate_vectors(
    engine: &Engine,
    run: &Run,
    (people, narrator, kinds): (u64, Arc<dyn Narrator>, Vec<String>),
    written: u64,
    estimate: &mut Estimate,
) -> Result<bool> {
    let Work::Generate { country, seed, given, .. } = &run.work else { return Ok(false) };
    let schema = engine.database().schema(&run.table).await?;
    let embedded = match &schema {
        Some(schema) => kinds.iter().filter(|k| schema.column_with_name(&embedding_column(k)).is_some()).count(),
        None if run.embed => kinds.len(),
        None => 0,
    };
    if engine.database().embedder().asks().is_none() || embedded == 0 || people == 0 {
        return Ok(false);
    }
    let share = embedded as f64 / kinds.len() as f64;
    let bytes = match written {
        0 => {
            let language = language(run, Some(narrator.as_ref()))?;
            let some =
                draw(engine, (country, language.as_deref()), 0..SAMPLE.min(people), *seed, given.as_deref()).await?;
            let mut rows = narrate(narrator, kinds.clone(), some, OnOutage::Stop);
            let (mut bytes, mut count) = (0, 0);
            while let Some(batch) = rows.try_next().await? {
                count += batch.num_rows();
                let texts = kinds.iter().filter_map(|k| batch.column_by_name(k)?.as_string_opt::<i32>());
                bytes += texts.map(|texts| texts.iter().flatten().map(str::len).sum::<usize>()).sum::<usize>();
            }
            bytes as f64 * people as f64 / count.max(1) as f64
        }
        tokens => (tokens * BYTES_OF_TOKEN) as f64,
    };
    engine.database().embedder().estimate(people * embedded as u64, (bytes * share) as u64, estimate)
}

/// What writes the people of a run up; nothing for one without narratives.
fn narrator(engine: &Engine, run: &Run) -> Result<Option<Arc<dyn Narrator>>> {
    match run.narrator.as_str() {
        "none" => Ok(None),
        name => engine.narrator(name).map(Some),
    }
}

/// The language of a run's texts, where that is not the pack's own, as the narrator has it.
///
/// # Errors
/// If the narrator does not write in it, or nothing is written.
fn language(run: &Run, narrator: Option<&dyn Narrator>) -> Result<Option<String>> {
    let (Some(asked), Work::Generate { pack, .. }) = (&run.language, &run.work) else { return Ok(None) };
    match narrator {
        Some(narrator) => narrator.language(pack_name(pack), asked).map(Some),
        None => plan_err!("without narratives there is nothing to write in the language `{asked}`"),
    }
}

/// The name of a pack by its identifier: `usa` of `usa@2024.1`.
fn pack_name(id: &str) -> &str {
    id.split('@').next().unwrap_or_default()
}

/// A table tells the language of texts that are not in the pack's own, or has none such.
async fn check_language(engine: &Engine, run: &Run) -> Result<()> {
    let columns = engine.database().columns(&run.table).await?.unwrap_or_default();
    match &run.language {
        Some(language) if !columns.iter().any(|c| c == LANGUAGE) => plan_err!(
            "the table {0} has no column {LANGUAGE}, which would say that texts are in the language `{language}`: name \
             another with --into, or ALTER TABLE {0} ADD COLUMN {LANGUAGE} VARCHAR",
            run.table
        ),
        _ => Ok(()),
    }
}

/// What scores the texts of a run, if anything does.
async fn judge(engine: &Engine, run: &Run) -> Result<Option<Judge>> {
    let Some(name) = &run.judge else { return Ok(None) };
    if run.narrator == "none" {
        return plan_err!("without narratives there is nothing to judge");
    }
    let judge = Judge::new(engine.narrator(name)?)?;
    if let Some(there) = engine.database().columns(&run.table).await?
        && let Some(missing) = judge.columns().iter().find(|c| !there.contains(c.name()))
    {
        return plan_err!(
            "the table {} has no column {} for what a judge says: name another with --into, or add {}",
            run.table,
            missing.name(),
            judge.columns().iter().map(|c| c.name().as_str()).collect::<Vec<_>>().join(", ")
        );
    }
    Ok(Some(judge))
}

/// The narratives that a run writes: those it was told to, or all that the narrator knows. A table that is there
/// already takes those that it has a column for: a text that nobody would keep is not paid for.
async fn kinds(engine: &Engine, run: &Run, narrator: Option<&dyn Narrator>) -> Result<Vec<String>> {
    let Some(narrator) = narrator else { return Ok(vec![]) };
    let known = match &run.work {
        Work::Generate { pack, .. } => {
            let language = language(run, Some(narrator))?;
            narrator.kinds_of(pack_name(pack), language.as_deref())?
        }
        Work::Statement(_) => narrator.kinds(),
    };
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
    match packs::named(country) {
        Some(pack) => Ok(pack.map_err(|e| DataFusionError::Plan(e.to_string()))?.id()),
        None => plan_err!("{}", packs::unknown(country)),
    }
}

async fn draw(
    engine: &Engine,
    (country, language): (&str, Option<&str>),
    rows: Range<u64>,
    seed: u64,
    given: Option<&str>,
) -> Result<SendableRecordBatchStream> {
    let given = match given {
        Some(text) => format!(", given => {}", expression(text)?),
        None => String::new(),
    };
    let language = match language {
        Some(code) => format!(", arrow_cast({}, 'Dictionary(Int32, Utf8)') AS {LANGUAGE}", quoted_text(code)),
        None => String::new(),
    };
    let country = quoted_text(country);
    let mut sql = format!("SELECT *{language} FROM sample_persona({country}, {}, seed => {seed}{given})", rows.end);
    if rows.start > 0 {
        sql += &format!(" WHERE row_index >= {}", rows.start);
    }
    engine.query_one(&sql).await
}

fn expression(text: &str) -> Result<String> {
    sql::expression_text(text).or_else(|error| plan_err!("given: {error}"))
}

/// Who writes people up, and with which narratives.
type Writer = (Arc<dyn Narrator>, Vec<String>);

/// Writes the people of a run who are not in the table yet; how many. A run of sound people alone draws others in the
/// place of those who are left out, until there are enough.
async fn write(
    engine: &Engine,
    (run, recorded): (&Run, &RunGuard),
    (writer, judge): (Option<Writer>, Option<Judge>),
    people: SendableRecordBatchStream,
    chunk: Option<usize>,
    ready: impl Fn(u64) + Sync,
) -> Result<u64> {
    let Work::Generate { country, seed, given, count, .. } = &run.work else {
        return exec_err!("run {} is a statement", run.id);
    };
    let database = engine.database();
    let language = match &writer {
        Some((narrator, _)) => language(run, Some(narrator.as_ref()))?,
        None => None,
    };
    let (mut people, mut drawn, mut before, mut written) = (people, *count, 0, 0);
    let failures = NotSound::default();
    loop {
        // Only those who are not in the table yet are written up.
        let (new, there) = unknown(people, database.uuids(&run.table).await?);
        let mut rows = match &writer {
            Some((narrator, kinds)) => narrate(narrator.clone(), kinds.clone(), new, OnOutage::Stop),
            None => new,
        };
        if let Some(judge) = &judge {
            rows = judge.judged(rows);
        }
        if run.exactly {
            rows = sound(rows, failures.clone());
        }
        let so_far = || before + there.load(Ordering::Relaxed);
        let progress = |a: Appended| recorded.progress(so_far() + a.written + a.skipped);
        let ready = |people: u64| ready(so_far() + people);
        let options = Append { run: Some(&run.id), chunk, progress: &progress, ready: &ready, ..Append::default() };
        let appended = database.append(&run.table, recorded.until_stopped(rows), options).await?;
        written += appended.written;
        before += there.load(Ordering::Relaxed) + appended.written + appended.skipped;
        if !run.exactly || before >= *count {
            return Ok(written);
        }
        if drawn >= count.saturating_mul(DRAWN_FOR_ONE) {
            return exec_err!(
                "{before} of {count} people passed, of {drawn} who were drawn; the commonest reason: {}",
                failures.commonest()
            );
        }
        let missing = count - before;
        people = draw(engine, (country, language.as_deref()), drawn..drawn + missing, *seed, given.as_deref()).await?;
        drawn += missing;
    }
}

/// People who are drawn for one who passes, before a run of sound people alone gives up.
const DRAWN_FOR_ONE: u64 = 10;

/// Why people did not pass, and how often.
#[derive(Clone, Default)]
struct NotSound(Arc<Mutex<Failures>>);

impl NotSound {
    fn commonest(&self) -> String {
        let commonest = self.0.lock().unwrap_or_else(PoisonError::into_inner).commonest();
        commonest.first().map_or("none was told".into(), |(reason, count)| format!("{reason} ({count} times)"))
    }
}

/// The people whose texts all came.
fn sound(people: SendableRecordBatchStream, failures: NotSound) -> SendableRecordBatchStream {
    let schema = people.schema();
    let sound = people.map(move |batch| {
        let batch = batch?;
        let Some(errors) = batch.column_by_name("narrative_error").and_then(|c| c.as_string_opt::<i32>()) else {
            return Ok(batch);
        };
        let mut tally = failures.0.lock().unwrap_or_else(PoisonError::into_inner);
        for error in errors.iter().flatten() {
            tally.add(error, 1);
        }
        Ok(filter_record_batch(&batch, &is_null(errors)?)?)
    });
    Box::pin(RecordBatchStreamAdapter::new(schema, sound))
}

/// The people who are not known, and a count of the others, which is whole when the stream has ended.
fn unknown(people: SendableRecordBatchStream, known: KeySet) -> (SendableRecordBatchStream, Arc<AtomicU64>) {
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
