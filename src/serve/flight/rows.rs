//! Rows on their way to a client of Flight: as it was told that they would be.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef, UInt64Type};
use arrow::util::display::array_value_to_string;
use arrow_flight::FlightData;
use arrow_flight::encode::FlightDataEncoderBuilder;
use arrow_flight::error::FlightError;
use futures::{Stream, StreamExt, stream};
use tokio_util::sync::CancellationToken;
use tonic::Status;

use super::handle::Id;
use super::status::{internal, status};
use crate::arrow::plain_batch;
use crate::engine::{Error, ErrorKind};
use crate::serve::answers::Answers;
use crate::serve::principal::Principal;
use crate::serve::statements::Answer;

pub(super) type Data = Pin<Box<dyn Stream<Item = Result<FlightData, Status>> + Send>>;

/// Rows as clients are told of them. Drivers compare this with what then comes, types and NULLs, and know fewer types than we
/// have: texts and lists are plain, and every column may be NULL.
pub(super) fn shown(schema: &Schema) -> SchemaRef {
    let fields = schema.fields().iter().map(|f| Field::new(f.name(), shown_type(f.data_type()), true));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

fn shown_type(kind: &DataType) -> DataType {
    let item = |f: &FieldRef| Arc::new(Field::new(f.name(), shown_type(f.data_type()), true));
    match kind {
        DataType::Dictionary(_, values) => shown_type(values),
        DataType::RunEndEncoded(_, values) => shown_type(values.data_type()),
        DataType::Utf8View => DataType::Utf8,
        DataType::BinaryView => DataType::Binary,
        DataType::List(of) | DataType::LargeList(of) | DataType::ListView(of) | DataType::LargeListView(of) => {
            DataType::List(item(of))
        }
        DataType::FixedSizeList(of, length) => DataType::FixedSizeList(item(of), *length),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(item).collect()),
        other => other.clone(),
    }
}

/// What a statement that has no rows is answered with.
pub(super) fn without_rows(answers: &Answers) -> SchemaRef {
    let field = match answers {
        Answers::Counted(_) => Field::new("count", DataType::Int64, true),
        _ => Field::new("done", DataType::Utf8, true),
    };
    Arc::new(Schema::new(vec![field]))
}

/// What is being fetched, and how it is ended: by whose ticket, and which of those who fetch it, as two may at once.
#[derive(Default)]
pub(super) struct Fetched {
    all: Mutex<HashMap<(Id, String, u64), CancellationToken>>,
    begun: AtomicU64,
}

impl Fetched {
    pub fn begin(self: &Arc<Self>, id: Id, who: &Principal) -> Fetching {
        let key = (id, who.name.clone(), self.begun.fetch_add(1, Ordering::Relaxed));
        let cancelled = CancellationToken::new();
        self.all().insert(key.clone(), cancelled.clone());
        Fetching { of: self.clone(), key, cancelled }
    }

    /// Ends whatever is fetched by a ticket; whether there was anything.
    pub fn cancel(&self, id: Id, who: &Principal) -> bool {
        let mut was_there = false;
        for ((ticket, name, _), token) in self.all().iter() {
            if *ticket == id && *name == who.name {
                was_there |= !token.is_cancelled();
                token.cancel();
            }
        }
        was_there
    }

    fn all(&self) -> MutexGuard<'_, HashMap<(Id, String, u64), CancellationToken>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Something that is being fetched, as long as it is there.
pub(super) struct Fetching {
    of: Arc<Fetched>,
    key: (Id, String, u64),
    pub cancelled: CancellationToken,
}

impl Drop for Fetching {
    fn drop(&mut self) {
        self.of.all().remove(&self.key);
    }
}

pub(super) fn cancelled() -> Status {
    status(Error::new(ErrorKind::Interrupted, "the client cancelled it").hint("what is committed stays"))
}

/// Sends the rows of an answer as they come, no more bytes than whoever asks may have.
pub(super) fn send(answer: Answer, schema: SchemaRef, who: &Principal, fetching: Fetching) -> Data {
    let most = who.bytes;
    let told = schema.clone();
    let rows = stream::unfold(Some((answer, fetching)), move |state| {
        let schema = told.clone();
        async move {
            let (mut answer, fetching) = state?;
            let next = tokio::select! {
                biased;
                () = fetching.cancelled.cancelled() => Some(Err(cancelled())),
                next = answer.next() => next.map(|batch| batch.map_err(status)),
            };
            let failed = |status: Status| FlightError::Tonic(Box::new(status));
            match next? {
                Ok(batch) if batch.num_columns() != schema.fields().len() => {
                    let text = "a table has changed since the ticket was given, and its rows with it";
                    let error = Error::new(ErrorKind::Conflict, text).hint("ask for the statement again");
                    Some((Err(failed(status(error))), None))
                }
                Ok(batch) => match plain_batch(&batch, &schema) {
                    Ok(batch) => Some((Ok(batch), Some((answer, fetching)))),
                    Err(error) => {
                        let error = Error::new(ErrorKind::Unsupported, format!("the rows have no such form: {error}"));
                        Some((Err(failed(status(error))), None))
                    }
                },
                Err(status) => Some((Err(failed(status)), None)),
            }
        }
    });
    let mut sent = 0;
    let data = FlightDataEncoderBuilder::new().with_schema(schema).build(rows);
    let data = data.map(move |data| {
        let data = data.map_err(Status::from)?;
        sent += (data.data_header.len() + data.data_body.len()) as u64;
        match sent > most {
            true => {
                let error = Error::new(ErrorKind::Limit, format!("the answer has more than {most} bytes"));
                Err(status(error.hint("fewer columns, or a LIMIT, keep it short")))
            }
            false => Ok(data),
        }
    });
    Box::pin(until_failed(data))
}

/// What comes before the first failure, and that.
fn until_failed(
    data: impl Stream<Item = Result<FlightData, Status>>,
) -> impl Stream<Item = Result<FlightData, Status>> {
    data.scan(false, |failed, next| {
        let over = std::mem::replace(failed, next.is_err());
        std::future::ready((!over).then_some(next))
    })
}

/// Sends what is known at once.
pub(super) fn ready(batch: RecordBatch) -> Data {
    let data = FlightDataEncoderBuilder::new().with_schema(batch.schema()).build(stream::iter([Ok(batch)]));
    Box::pin(data.map(|data| data.map_err(Status::from)))
}

/// How many rows a statement has written, once it has ended.
///
/// # Errors
/// Of the statement.
pub(super) async fn count(answer: Answer) -> Result<i64, Status> {
    let (batches, _) = answer.all().await.map_err(status)?;
    let counts = batches.iter().filter_map(|batch| batch.columns().first()?.as_primitive_opt::<UInt64Type>());
    Ok(counts.flat_map(|counts| counts.iter().flatten()).fold(0, |sum, count| sum + count as i64))
}

/// Waits for the end of a statement without rows: what became of it, as a text.
///
/// # Errors
/// Of the statement.
pub(super) async fn outcome(answer: Answer, answers: &Answers) -> Result<String, Status> {
    if let Answers::Counted(_) = answers {
        return Ok(count(answer).await?.to_string());
    }
    let (batches, told) = answer.all().await.map_err(status)?;
    let mut lines = vec![];
    for batch in &batches {
        for row in 0..batch.num_rows() {
            let texts = batch.columns().iter().map(|column| array_value_to_string(column, row));
            lines.push(texts.collect::<Result<Vec<_>, _>>().map_err(internal)?.join(": "));
        }
    }
    lines.extend(told.notices);
    Ok(lines.join("\n"))
}

/// The same as a row.
///
/// # Errors
/// If it is none of these columns.
pub(super) fn outcome_row(outcome: &str, schema: SchemaRef) -> Result<RecordBatch, Status> {
    let counted = outcome.parse().ok().filter(|_| schema.field(0).data_type() == &DataType::Int64);
    let column: ArrayRef = match counted {
        Some(count) => Arc::new(Int64Array::from_iter_values([count])),
        None => Arc::new(StringArray::from_iter_values(Some(outcome).filter(|said| !said.is_empty()))),
    };
    RecordBatch::try_new(schema, vec![column]).map_err(internal)
}

#[cfg(test)]
mod tests {
    use tokio::sync::Semaphore;

    use super::*;
    use crate::catalog::Role;
    use crate::serve::principal::{Share, tests::bounds};

    #[test]
    fn each_who_fetches_a_ticket_is_ended() {
        let share = Share { places: Arc::new(Semaphore::new(1)), memory: None };
        let who = Principal::of_this_machine(Role::Reader, &bounds(), share);
        let (fetched, ticket) = (Arc::new(Fetched::default()), [1; 16]);
        let (one, other) = (fetched.begin(ticket, &who), fetched.begin(ticket, &who));
        // One is done; the other is still there to be ended, and once.
        drop(one);
        assert!(!fetched.cancel([2; 16], &who) && fetched.cancel(ticket, &who) && other.cancelled.is_cancelled());
        assert!(!fetched.cancel(ticket, &who));
        // Who fetches it again is not.
        assert!(!fetched.begin(ticket, &who).cancelled.is_cancelled());
    }

    #[test]
    fn drivers_are_told_of_plain_types() {
        let coded = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
        let list = DataType::LargeList(Arc::new(Field::new("item", coded.clone(), false)));
        let vector = DataType::FixedSizeList(Arc::new(Field::new("item", DataType::Float32, true)), 3);
        let schema = Schema::new(vec![
            Field::new("a", coded, false).with_metadata(HashMap::from([("k".into(), "v".into())])),
            Field::new("b", list, false),
            Field::new("c", vector.clone(), true),
            Field::new("d", DataType::Utf8View, true),
        ]);
        let told = shown(&schema);
        let plain = DataType::List(Arc::new(Field::new("item", DataType::Utf8, true)));
        let kinds: Vec<&DataType> = told.fields().iter().map(|f| f.data_type()).collect();
        assert_eq!(kinds, [&DataType::Utf8, &plain, &vector, &DataType::Utf8]);
        assert!(told.fields().iter().all(|f| f.is_nullable() && f.metadata().is_empty()));
    }
}
