//! Writing the texts that a run could not write: only those, and only of the people who lack them.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray};
use datafusion::arrow::compute::concat_batches;
use datafusion::common::{DataFusionError, Result};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::{StreamExt, TryStreamExt, stream};
use populace_udfs::{Narrative, NarrativeError, NarrativeRequest, Narrator, Outage, facts_of};
use serde_json::{Map, Value};

use crate::catalog::Run;
use crate::database::PROVENANCE;
use crate::engine::Engine;
use crate::sql::{quoted_name, quoted_text};

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

/// Asks again for the texts of a run's people that failed, and stores what comes, with its vectors, in one commit.
///
/// # Errors
/// If the narrator cannot be reached at all, or the table cannot be read or written; then nothing is changed.
pub async fn retry_failed(engine: &Engine, run: &Run) -> Result<Retried> {
    let narrator = engine.narrator(&run.narrator)?;
    let (table, id) = (quoted_name(&run.table), quoted_text(&run.id));
    let sql = format!("SELECT * FROM {table} WHERE run_id = {id} AND narrative_error IS NOT NULL");
    let rows = engine.query_one(&sql).await?;
    let schema = rows.schema();
    let batches: Vec<RecordBatch> = rows.try_collect().await?;
    let rows = concat_batches(&schema, &batches)?;
    if rows.num_rows() == 0 {
        return Ok(Retried::default());
    }
    let kinds: Vec<String> = narrator.kinds().into_iter().filter(|k| schema.column_with_name(k).is_some()).collect();
    let asked = missing(&rows, &kinds)?;
    let window = narrator.window().max(1);
    let narrator = &narrator;
    let answers: Vec<Vec<Answer>> = stream::iter(asked)
        .map(|(kinds, facts)| async move { ask(narrator.as_ref(), kinds, facts).await })
        .buffered(window)
        .try_collect()
        .await?;
    let mut retried = Retried { people: rows.num_rows() as u64, ..Retried::default() };
    for (_, answer) in answers.iter().flatten() {
        match answer {
            Ok(_) => retried.written += 1,
            Err(_) => retried.missing += 1,
        }
    }
    let changed = filled(&rows, &kinds, &answers)?;
    let columns: Vec<String> = kinds.iter().cloned().chain(["narrative_error".to_string()]).collect();
    let changed = RecordBatchStreamAdapter::new(schema, stream::iter([Ok(changed)]));
    let writer = engine.database().write(&run.table).await?;
    writer.update(Box::pin(changed), &columns, Some(narrator.name())).await?;
    Ok(retried)
}

type Answer = (String, Result<Narrative, NarrativeError>);
type Facts = Map<String, Value>;

/// For each row, the texts that it lacks, and its facts: not its vectors, nor what went wrong.
fn missing(rows: &RecordBatch, kinds: &[String]) -> Result<Vec<(Vec<String>, Facts)>> {
    let schema = rows.schema();
    let given: Vec<usize> = (0..rows.num_columns())
        .filter(|i| {
            let name = schema.field(*i).name();
            !name.ends_with("_embedding") && !PROVENANCE.contains(&name.as_str())
        })
        .collect();
    let facts = facts_of(&rows.project(&given)?)?;
    let lacks = |row: usize, kind: &String| rows.column_by_name(kind).is_some_and(|c| c.is_null(row));
    let of = |(row, facts)| (kinds.iter().filter(|k| lacks(row, k)).cloned().collect(), facts);
    Ok(facts.into_iter().enumerate().map(of).collect())
}

async fn ask(narrator: &dyn Narrator, kinds: Vec<String>, facts: Facts) -> Result<Vec<Answer>> {
    let written = narrator.narrate(NarrativeRequest::of_kinds(&kinds, facts)).await;
    if let Some(outage) = written.iter().filter_map(|w| w.as_ref().err()).find(|e| e.outage) {
        return Err(DataFusionError::External(Box::new(Outage(outage.message.clone()))));
    }
    Ok(kinds.into_iter().zip(written).collect())
}

/// The rows with the texts that came, and with what is wrong still.
fn filled(rows: &RecordBatch, kinds: &[String], answers: &[Vec<Answer>]) -> Result<RecordBatch> {
    let mut columns: HashMap<&str, ArrayRef> = HashMap::new();
    for kind in kinds {
        let Some(old) = rows.column_by_name(kind).and_then(|c| c.as_string_opt::<i32>()) else { continue };
        let new = old.iter().zip(answers).map(|(old, answers)| {
            let came = answers.iter().find(|(k, _)| k == kind).and_then(|(_, a)| Some(a.as_ref().ok()?.text.as_str()));
            old.or(came)
        });
        columns.insert(kind, Arc::new(new.collect::<StringArray>()));
    }
    let errors = answers.iter().map(|answers| {
        let failed = answers.iter().filter_map(|(k, a)| Some(format!("{k}: {}", a.as_ref().err()?)));
        let failed: Vec<String> = failed.collect();
        (!failed.is_empty()).then(|| failed.join("; "))
    });
    columns.insert("narrative_error", Arc::new(errors.collect::<StringArray>()));
    let schema = rows.schema();
    let all = schema.fields().iter().zip(rows.columns());
    let all = all.map(|(field, old)| columns.remove(field.name().as_str()).unwrap_or_else(|| old.clone()));
    Ok(RecordBatch::try_new(schema.clone(), all.collect())?)
}
