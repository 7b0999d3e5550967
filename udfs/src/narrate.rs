//! Writing whole people up: a batch of facts, and one column a kind of text.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::{Result, exec_err};

use crate::facts::facts;
use crate::{NarrativeRequest, Narrator, Prompt};

/// The columns that [`narrate`] adds: one for each kind, then `narrator` and `narrative_error`.
pub fn narrated(people: &Schema, kinds: &[String]) -> SchemaRef {
    let text = |name: &str| Arc::new(Field::new(name, DataType::Utf8, true));
    let added = kinds.iter().map(|k| text(k)).chain(["narrator", "narrative_error"].map(text));
    Arc::new(Schema::new(people.fields().iter().cloned().chain(added).collect::<Vec<_>>()))
}

/// Writes texts of these kinds about each person. What cannot be written is NULL, and `narrative_error` says why; an
/// error belongs to its row.
///
/// # Errors
/// If the narrator breaks its contract, or the facts cannot be read.
pub async fn narrate(narrator: &dyn Narrator, kinds: &[String], people: &RecordBatch) -> Result<RecordBatch> {
    let rows = people.num_rows();
    let names: Vec<String> = people.schema().fields().iter().map(|f| f.name().clone()).collect();
    let facts = facts(&names, people.columns().to_vec(), rows)?;
    let mut requests = Vec::with_capacity(rows * kinds.len());
    for facts in facts {
        let ask = |kind: &String| NarrativeRequest { prompt: Prompt::Kind(kind.clone()), facts: facts.clone() };
        requests.extend(kinds.iter().map(ask));
    }
    let wanted = requests.len();
    let written = narrator.narrate(requests).await;
    if written.len() != wanted {
        return exec_err!("the narrator {} did not answer each of {wanted} requests", narrator.name());
    }
    let mut texts: Vec<Vec<Option<String>>> = vec![Vec::with_capacity(rows); kinds.len()];
    let (mut narrators, mut errors) = (Vec::with_capacity(rows), Vec::with_capacity(rows));
    let mut written = written.into_iter();
    for _ in 0..rows {
        let (mut by, mut failures) = (None, vec![]);
        for (kind, texts) in kinds.iter().zip(&mut texts) {
            match written.next() {
                Some(Ok(narrative)) => {
                    by = Some(narrative.model);
                    texts.push(Some(narrative.text));
                }
                Some(Err(error)) => {
                    failures.push(format!("{kind}: {error}"));
                    texts.push(None);
                }
                None => return exec_err!("the narrator {} fell silent", narrator.name()),
            }
        }
        narrators.push(by);
        errors.push((!failures.is_empty()).then(|| failures.join("; ")));
    }
    let mut columns = people.columns().to_vec();
    columns.extend(texts.into_iter().chain([narrators, errors]).map(|c| Arc::new(StringArray::from(c)) as ArrayRef));
    Ok(RecordBatch::try_new(narrated(&people.schema(), kinds), columns)?)
}
