//! Writing whole people up: one column a kind of text.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::compute::interleave_record_batch;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::runtime::SpawnedTask;
use datafusion::common::{DataFusionError, Result, exec_err};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchReceiverStream;
use futures::future::ready;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt, stream};
use serde_json::{Map, Value};

use crate::host::facts::{LANGUAGE, facts_of};
use crate::host::narrator::{Narrative, NarrativeError, NarrativeRequest, Narrator, Prompt, narrative_field};

/// People who leave together.
const PEOPLE_PER_BATCH: usize = 64;

/// The narrator can write nothing for now: its endpoint is down, or refuses the key.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub struct Outage(pub String);

impl Outage {
    /// The outage that an error came of, if it did.
    pub fn find(error: &DataFusionError) -> Option<&Outage> {
        match error.find_root() {
            DataFusionError::External(cause) => cause.downcast_ref(),
            _ => None,
        }
    }
}

/// What becomes of people whom a narrator cannot write up for now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnOutage {
    /// They have no texts, the error says why, and the stream ends with one that says how many there are
    Tell,
    /// The stream ends with an [`Outage`], after those before them
    Stop,
}

/// Texts that an outage has cost.
#[derive(Debug, Default)]
pub(crate) struct Missing {
    of: u64,
    texts: u64,
    why: String,
}

impl Missing {
    pub fn count(&mut self, written: &[Result<Narrative, NarrativeError>]) {
        self.of += written.len() as u64;
        for error in written.iter().filter_map(|w| w.as_ref().err()).filter(|e| e.outage) {
            self.texts += 1;
            if self.why.is_empty() {
                self.why = error.message.clone();
            }
        }
    }

    /// # Errors
    /// If there are any: how many, and why.
    pub fn told(&self) -> Result<()> {
        match self.texts {
            0 => Ok(()),
            texts => exec_err!("{texts} of {} texts are missing: {}", self.of, self.why),
        }
    }
}

/// The columns that [`narrate`] adds: one for each kind, then `narrator` and `narrative_error`.
pub fn narrated(people: &Schema, kinds: &[String]) -> SchemaRef {
    let text = |name: &str| Arc::new(Field::new(name, DataType::Utf8, true));
    let texts = kinds.iter().map(|k| Arc::new(narrative_field(k)));
    let added = texts.chain(["narrator", "narrative_error"].map(text));
    Arc::new(Schema::new(people.fields().iter().cloned().chain(added).collect::<Vec<_>>()))
}

/// The schema of people whose texts are to be in a language that the row names.
pub(crate) fn in_language_schema(people: &Schema) -> SchemaRef {
    let coded = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    let added = Arc::new(Field::new(LANGUAGE, coded, true));
    Arc::new(Schema::new(people.fields().iter().cloned().chain([added]).collect::<Vec<_>>()))
}

/// Writes texts of these kinds about each person. People leave in their order; as many as the narrator's window are in
/// work at once, so that one who takes long holds up nobody but those behind the window. It works ahead of whoever
/// takes the rows, by a few batches, and ends when the stream is dropped. What cannot be written is NULL, and
/// `narrative_error` says why: an error belongs to its row.
///
/// # Errors
/// In the stream: if the people cannot be drawn, the narrator breaks its contract, or, where that is to stop it, on an
/// [`Outage`].
pub fn narrate(
    narrator: Arc<dyn Narrator>,
    kinds: Vec<String>,
    people: SendableRecordBatchStream,
    on_outage: OnOutage,
) -> SendableRecordBatchStream {
    let schema = narrated(&people.schema(), &kinds);
    let mut builder = RecordBatchReceiverStream::builder(schema.clone(), 2);
    let sender = builder.tx();
    builder.spawn(async move {
        let window = narrator.window().max(1);
        let kinds: Arc<[String]> = kinds.into();
        let stopped = AtomicBool::new(false);
        let mut written = prepared(narrator.clone(), &kinds, people)
            .map_ok(|batch| stream::iter(rows(batch)))
            .try_flatten()
            .take_while(|_| ready(!stopped.load(Ordering::Relaxed)))
            .map(|person| {
                // A task each: they share the processors, and go on while whoever takes the rows is busy.
                let task = SpawnedTask::spawn(write(narrator.clone(), kinds.clone(), person, on_outage));
                async move { task.join_unwind().await.map_err(|e| DataFusionError::External(Box::new(e)))? }
            })
            .buffered(window)
            .boxed();
        let (mut done, mut missing) = (Vec::with_capacity(PEOPLE_PER_BATCH), Missing::default());
        loop {
            let next = written.next().await;
            let ended = match next {
                Some(Ok(person)) => {
                    missing.count(&person.1);
                    done.push(person);
                    None
                }
                Some(Err(error)) => Some(Err(error)),
                None => Some(missing.told()),
            };
            if !done.is_empty() && (done.len() == PEOPLE_PER_BATCH || ended.is_some()) {
                let batch = assemble(&schema, std::mem::take(&mut done), kinds.len());
                if sender.send(batch).await.is_err() {
                    return Ok(());
                }
            }
            if let Some(ended) = ended {
                // Calls in flight are paid for: they are waited for, so that what they bring is kept. None is begun.
                if ended.as_ref().is_err_and(|e| Outage::find(e).is_some()) {
                    stopped.store(true, Ordering::Relaxed);
                    while written.next().await.is_some() {}
                }
                return ended;
            }
        }
    });
    builder.build()
}

/// People, with the answers about them ready as far as the narrator makes them so, for many at a time.
fn prepared(
    narrator: Arc<dyn Narrator>,
    kinds: &[String],
    people: SendableRecordBatchStream,
) -> BoxStream<'static, Result<RecordBatch>> {
    let ahead = narrator.ahead();
    if ahead == 0 {
        return people.boxed();
    }
    let prompts: Vec<Prompt> = kinds.iter().map(|k| Prompt::Kind(k.clone())).collect();
    let groups = stream::try_unfold((people, narrator, prompts), move |(mut people, narrator, prompts)| async move {
        let (mut batches, mut facts) = (vec![], vec![]);
        while facts.len() < ahead
            && let Some(batch) = people.try_next().await?
        {
            facts.extend(facts_of(&batch)?);
            batches.push(Ok(batch));
        }
        if batches.is_empty() {
            return Ok(None);
        }
        let outage = |e: NarrativeError| DataFusionError::External(Box::new(Outage(e.message)));
        narrator.prepare(&prompts, facts).await.map_err(outage)?;
        Ok::<_, DataFusionError>(Some((stream::iter(batches), (people, narrator, prompts))))
    });
    groups.try_flatten().boxed()
}

/// One row of several: a row by itself takes many times its room.
type Row = (Arc<RecordBatch>, usize);

/// A person: one row, and the same as facts.
type FactsOfRow = (Row, Map<String, Value>);

/// The people of a batch, a few at a time: facts take many times the room of rows.
fn rows(batch: RecordBatch) -> impl Iterator<Item = Result<FactsOfRow>> {
    (0..batch.num_rows()).step_by(PEOPLE_PER_BATCH).flat_map(move |at| {
        let some = Arc::new(batch.slice(at, PEOPLE_PER_BATCH.min(batch.num_rows() - at)));
        match facts_of(&some) {
            Ok(facts) => facts.into_iter().enumerate().map(|(i, facts)| Ok(((some.clone(), i), facts))).collect(),
            Err(error) => vec![Err(error)],
        }
    })
}

type WrittenPerson = (Row, Vec<Result<Narrative, NarrativeError>>);

async fn write(
    narrator: Arc<dyn Narrator>,
    kinds: Arc<[String]>,
    person: Result<FactsOfRow>,
    on_outage: OnOutage,
) -> Result<WrittenPerson> {
    let (row, facts) = person?;
    let written = narrator.narrate(NarrativeRequest::of_kinds(&kinds, facts)).await;
    if written.len() != kinds.len() {
        return exec_err!("the narrator {} did not answer each of {} requests", narrator.name(), kinds.len());
    }
    let outage = written.iter().filter_map(|w| w.as_ref().err()).find(|e| e.outage && on_outage == OnOutage::Stop);
    match outage {
        Some(error) => Err(DataFusionError::External(Box::new(Outage(error.message.clone())))),
        None => Ok((row, written)),
    }
}

/// Rows with their texts, as a batch.
fn assemble(schema: &SchemaRef, people: Vec<WrittenPerson>, kinds: usize) -> Result<RecordBatch> {
    if people.is_empty() {
        return Ok(RecordBatch::new_empty(schema.clone()));
    }
    // They leave in the order in which they came.
    let mut batches: Vec<&RecordBatch> = vec![];
    let mut places = Vec::with_capacity(people.len());
    for ((batch, at), _) in &people {
        if batches.last().is_none_or(|last| !std::ptr::eq(*last, batch.as_ref())) {
            batches.push(batch);
        }
        places.push((batches.len() - 1, *at));
    }
    let rows = interleave_record_batch(&batches, &places)?;
    let mut texts: Vec<Vec<Option<String>>> = vec![Vec::with_capacity(people.len()); kinds];
    let (mut narrators, mut errors) = (Vec::with_capacity(people.len()), Vec::with_capacity(people.len()));
    for (_, written) in people {
        let (mut by, mut failures) = (None, vec![]);
        for (at, (written, texts)) in written.into_iter().zip(&mut texts).enumerate() {
            match written {
                Ok(narrative) => {
                    by = Some(narrative.model);
                    texts.push(Some(narrative.text));
                }
                Err(error) => {
                    failures.push(format!("{}: {error}", schema.field(rows.num_columns() + at).name()));
                    texts.push(None);
                }
            }
        }
        narrators.push(by);
        errors.push((!failures.is_empty()).then(|| failures.join("; ")));
    }
    let mut columns = rows.columns().to_vec();
    columns.extend(texts.into_iter().chain([narrators, errors]).map(|c| Arc::new(StringArray::from(c)) as ArrayRef));
    Ok(RecordBatch::try_new(schema.clone(), columns)?)
}
