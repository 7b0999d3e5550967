//! Writing the texts that a run could not write: only those, and only of the people who lack them.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray};
use datafusion::arrow::compute::{cast, concat_batches};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::{DataFusionError, Result, exec_err};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::prelude::{col, lit};
use futures::{StreamExt, TryStreamExt, stream};
use populace_udfs::{Narrative, NarrativeError, NarrativeRequest, Narrator, Outage, facts_of};
use serde_json::{Map, Value};

use crate::catalog::Run;
use crate::database::{Changed, PROVENANCE, ROW_ADDRESS};
use crate::engine::Engine;
use crate::sql::{quoted_name, quoted_text};

/// People whose texts are stored together: what an outage, or a kill, leaves to be stored again.
const CHUNK: usize = 256;

/// What became of the texts that were missing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Retried {
    /// People who lacked a text
    pub people: u64,
    /// Texts that are there now
    pub written: u64,
    /// Texts that are missing still
    pub missing: u64,
}

/// Asks again for the texts of a run's people that failed, and stores what comes, with its vectors, some hundreds of
/// people at a time: what else has become of them meanwhile stays. The calls are the run's.
///
/// # Errors
/// If the narrator cannot be reached, or the table cannot be read or written; what came before that is stored.
pub async fn retry_failed(engine: &Engine, run: &Run) -> Result<Retried> {
    let narrator = engine.narrator(&run.narrator)?;
    let _billed = engine.bill(run);
    let Some(columns) = engine.database().columns(&run.table).await? else {
        return exec_err!("there is no table {}", run.table);
    };
    if !["uuid", "run_id", "narrative_error"].iter().all(|name| columns.iter().any(|c| c == name)) {
        return Ok(Retried::default());
    }
    let kinds: Vec<String> = narrator.kinds().into_iter().filter(|k| columns.contains(k)).collect();
    let read: Vec<String> = columns.iter().filter(|c| !c.ends_with("_embedding")).map(|c| quoted_name(c)).collect();
    let sql = format!(
        "SELECT {} FROM {} WHERE run_id = {} AND narrative_error IS NOT NULL",
        read.join(", "),
        quoted_name(&run.table),
        quoted_text(&run.id)
    );
    let people =
        engine.query_one(&sql).await?.map(|batch| Ok::<_, DataFusionError>(stream::iter(missing(&batch?, &kinds)?)));
    let (asked, narrator) = (people.try_flatten(), narrator.as_ref());
    let mut answers = asked
        .map(|person: Result<Lacking>| async move { ask(narrator, person?).await })
        .buffered(narrator.window().max(1))
        .boxed();
    let mut retried = Retried::default();
    loop {
        let (mut chunk, mut ended) = (vec![], None);
        while chunk.len() < CHUNK && ended.is_none() {
            match answers.next().await {
                Some(Ok(person)) => chunk.push(person),
                Some(Err(error)) => ended = Some(Err(error)),
                None => ended = Some(Ok(())),
            }
        }
        retried.people += chunk.len() as u64;
        retried.missing += chunk.iter().flat_map(|(_, answers)| answers).filter(|(_, a)| a.is_err()).count() as u64;
        retried.written += store(engine, run, (&kinds, narrator.name()), chunk).await?;
        match ended {
            None => {}
            Some(Ok(())) => return Ok(retried),
            Some(Err(error)) => return Err(error),
        }
    }
}

/// A person by the key, the texts that are missing, and the facts.
type Lacking = (String, Vec<String>, Map<String, Value>);
type Answer = (String, Result<Narrative, NarrativeError>);

/// For each row, the texts that it lacks, and its facts: not what went wrong.
fn missing(rows: &RecordBatch, kinds: &[String]) -> Result<Vec<Result<Lacking>>> {
    let schema = rows.schema();
    let given = (0..rows.num_columns()).filter(|i| !PROVENANCE.contains(&schema.field(*i).name().as_str()));
    let facts = facts_of(&rows.project(&given.collect::<Vec<_>>())?)?;
    let uuids = uuids(rows)?;
    let lacks = |row: usize, kind: &String| rows.column_by_name(kind).is_some_and(|c| c.is_null(row));
    let of = |(row, facts)| {
        let lacking = kinds.iter().filter(|k| lacks(row, k)).cloned().collect();
        Ok((uuids.as_string::<i32>().value(row).to_string(), lacking, facts))
    };
    Ok(facts.into_iter().enumerate().map(of).collect())
}

fn uuids(rows: &RecordBatch) -> Result<ArrayRef> {
    match rows.column_by_name("uuid") {
        Some(uuids) => Ok(cast(uuids, &DataType::Utf8)?),
        None => exec_err!("the people have no uuid to find them by"),
    }
}

async fn ask(narrator: &dyn Narrator, (uuid, kinds, facts): Lacking) -> Result<(String, Vec<Answer>)> {
    let written = narrator.narrate(NarrativeRequest::of_kinds(&kinds, facts)).await;
    if let Some(outage) = written.iter().filter_map(|w| w.as_ref().err()).find(|e| e.outage) {
        return Err(DataFusionError::External(Box::new(Outage(outage.message.clone()))));
    }
    Ok((uuid, kinds.into_iter().zip(written).collect()))
}

/// Stores answers in the newest rows of the people; how many texts. What is there by now, and people who are not there
/// any more, or were written anew by another, are left as they are.
async fn store(
    engine: &Engine,
    run: &Run,
    (kinds, narrator): (&[String], &str),
    answers: Vec<(String, Vec<Answer>)>,
) -> Result<u64> {
    if answers.is_empty() {
        return Ok(0);
    }
    let database = engine.database();
    // Nobody writes between the reading and the writing of the rows.
    let writer = database.write(&run.table).await?;
    let keys = answers.iter().map(|(uuid, _)| lit(uuid.as_str())).collect();
    let of_run = col("run_id").eq(lit(run.id.as_str())).and(col("uuid").in_list(keys, false));
    let rows = engine.rows_with_addresses(&run.table, of_run).await?;
    let schema = rows.schema();
    let rows = concat_batches(&schema, &rows.try_collect::<Vec<_>>().await?)?;
    let (rows, written) = filled(&rows, (kinds, narrator), &answers.into_iter().collect())?;
    if rows.num_rows() > 0 {
        let provenance = ["narrative_error", "narrator", ROW_ADDRESS];
        let changed = |name: &str| provenance.contains(&name) || kinds.iter().any(|k| k == name);
        let columns: Vec<usize> = (0..schema.fields().len()).filter(|at| changed(schema.field(*at).name())).collect();
        let rows = rows.project(&columns)?;
        let rows = RecordBatchStreamAdapter::new(rows.schema(), stream::iter([Ok(rows)]));
        writer.update(Box::pin(rows), Changed::Some, None).await?;
    }
    Ok(written)
}

/// The rows with the texts that came where they have none, and with what is wrong still; how many texts those are.
fn filled(
    rows: &RecordBatch,
    (kinds, narrator): (&[String], &str),
    answers: &HashMap<String, Vec<Answer>>,
) -> Result<(RecordBatch, u64)> {
    let uuids = uuids(rows)?;
    let none: Vec<Answer> = vec![];
    let answers: Vec<&Vec<Answer>> =
        uuids.as_string::<i32>().iter().map(|u| u.and_then(|u| answers.get(u)).unwrap_or(&none)).collect();
    let text = |name: &str| rows.column_by_name(name).map(|c| cast(c, &DataType::Utf8)).transpose();
    let mut columns: HashMap<&str, ArrayRef> = HashMap::new();
    let mut written = vec![0_u64; rows.num_rows()];
    let mut failed: Vec<Vec<String>> = vec![vec![]; rows.num_rows()];
    for kind in kinds {
        let Some(old) = text(kind)? else { continue };
        let new = old.as_string::<i32>().iter().zip(&answers).enumerate().map(|(row, (old, answers))| {
            if old.is_some() {
                return old;
            }
            let (_, answer) = answers.iter().find(|(k, _)| k == kind)?;
            match answer {
                Ok(narrative) => {
                    written[row] += 1;
                    Some(narrative.text.as_str())
                }
                Err(error) => {
                    failed[row].push(format!("{kind}: {error}"));
                    None
                }
            }
        });
        let new: StringArray = new.collect();
        columns.insert(kind, Arc::new(new));
    }
    let errors: StringArray = failed.iter().map(|f| (!f.is_empty()).then(|| f.join("; "))).collect();
    columns.insert("narrative_error", Arc::new(errors));
    if let Some(old) = text("narrator")? {
        let by = old.as_string::<i32>().iter().zip(&written);
        let by: StringArray = by.map(|(old, written)| old.or((*written > 0).then_some(narrator))).collect();
        columns.insert("narrator", Arc::new(by));
    }
    let schema = rows.schema();
    let all =
        schema.fields().iter().zip(rows.columns()).map(|(field, old)| match columns.remove(field.name().as_str()) {
            Some(new) => Ok(cast(&new, field.data_type())?),
            None => Ok(old.clone()),
        });
    let rows = RecordBatch::try_new(schema.clone(), all.collect::<Result<_>>()?)?;
    Ok((rows, written.iter().sum()))
}
