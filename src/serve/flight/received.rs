//! Rows that a client sends.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::ipc::{self, MessageHeader};
use arrow_flight::FlightData;
use arrow_flight::decode::FlightRecordBatchStream;
use arrow_flight::error::FlightError;
use arrow_flight::sql::server::PeekableFlightDataStream;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::PartitionStream;
use futures::stream::BoxStream;
use futures::{Stream, StreamExt, stream};
use tonic::Status;

use super::status::status;
use crate::engine::{Error, ErrorKind};

/// The most bytes that the body of a message may be once it is decompressed.
const DECOMPRESSED: u64 = 1 << 30;

/// Rows that come, read once.
pub(super) struct Rows {
    pub schema: SchemaRef,
    batches: Mutex<Option<BoxStream<'static, Result<RecordBatch, FlightError>>>>,
}

impl fmt::Debug for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rows").field("schema", &self.schema).finish_non_exhaustive()
    }
}

impl Rows {
    /// Waits for the first, which tells what they are like.
    ///
    /// # Errors
    /// If they are no rows.
    pub async fn of(data: PeekableFlightDataStream) -> Result<Rows, Status> {
        let sound = data.map(|data| {
            let data = data.map_err(FlightError::from)?;
            within(&data).map_err(FlightError::DecodeError)?;
            Ok(data)
        });
        let mut batches = Decoded(Some(FlightRecordBatchStream::new_from_flight_data(sound)));
        let first = batches.next().await.transpose().map_err(wrong)?;
        let schema = match (&first, batches.schema()) {
            (Some(batch), _) => batch.schema(),
            (None, Some(schema)) => schema.clone(),
            (None, None) => return Err(wrong("they have no schema")),
        };
        let batches = stream::iter(first.map(Ok)).chain(batches).boxed();
        Ok(Rows { schema, batches: Mutex::new(Some(batches)) })
    }

    /// All of them, of which there are to be few.
    ///
    /// # Errors
    /// If there are more than `most`, or they break off.
    pub async fn all(self, most: usize) -> Result<Vec<RecordBatch>, Status> {
        let batches = self.batches.into_inner().unwrap_or_else(PoisonError::into_inner);
        let (mut all, mut count) = (vec![], 0);
        let Some(mut batches) = batches else { return Ok(all) };
        while let Some(batch) = batches.next().await {
            let batch = batch.map_err(wrong)?;
            count += batch.num_rows();
            if count > most {
                let error = Error::new(ErrorKind::Limit, format!("more than {most} rows of values for one statement"));
                return Err(status(error.hint("write many rows at once: `adbc_ingest`, or a table of them")));
            }
            all.push(batch);
        }
        Ok(all)
    }
}

/// Batches as they are decoded; the decoder, which is not made for what is no Arrow at all, is let go at its first error.
struct Decoded(Option<FlightRecordBatchStream>);

impl Decoded {
    fn schema(&self) -> Option<&SchemaRef> {
        self.0.as_ref()?.schema()
    }
}

impl Stream for Decoded {
    type Item = Result<RecordBatch, FlightError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(decoder) = &mut self.0 else { return Poll::Ready(None) };
        let polled = catch_unwind(AssertUnwindSafe(|| decoder.poll_next_unpin(context)));
        let next = ready!(polled.unwrap_or_else(|_| {
            let error = "a message that is no Arrow".into();
            Poll::Ready(Some(Err(FlightError::DecodeError(error))))
        }));
        if !matches!(next, Some(Ok(_))) {
            self.0 = None;
        }
        Poll::Ready(next)
    }
}

/// Whether the buffers of a message lie within its body, compressed or not, which the decoder takes for granted.
fn within(data: &FlightData) -> Result<(), String> {
    if data.data_header.is_empty() {
        return Ok(());
    }
    let message = ipc::root_as_message(&data.data_header).map_err(|e| e.to_string())?;
    let batch = match message.header_type() {
        MessageHeader::RecordBatch => message.header_as_record_batch(),
        MessageHeader::DictionaryBatch => {
            let dictionary = message.header_as_dictionary_batch().and_then(|dictionary| dictionary.data());
            Some(dictionary.ok_or("a dictionary without values")?)
        }
        _ => None,
    };
    let Some(batch) = batch else { return Ok(()) };
    let nodes = batch.nodes().into_iter().flatten();
    if batch.length() < 0 || nodes.into_iter().any(|node| node.length() < 0 || node.null_count() < 0) {
        return Err("a batch of less than no rows".into());
    }
    let mut decompressed = 0;
    for buffer in batch.buffers().into_iter().flatten() {
        let (offset, length) = (usize::try_from(buffer.offset()), usize::try_from(buffer.length()));
        let place = offset.ok().zip(length.ok()).and_then(|(from, length)| Some(from..from.checked_add(length)?));
        let Some(bytes) = place.and_then(|place| data.data_body.get(place)) else {
            return Err("a batch that is longer than its message".into());
        };
        if batch.compression().is_some()
            && let Some(length) = bytes.first_chunk::<8>()
        {
            // Negative: it is not compressed.
            decompressed += i64::from_le_bytes(*length).max(0).unsigned_abs();
            if decompressed > DECOMPRESSED {
                return Err(format!("a batch of more than {DECOMPRESSED} bytes"));
            }
        }
    }
    Ok(())
}

fn wrong(error: impl fmt::Display) -> Status {
    status(Error::new(ErrorKind::Usage, format!("the rows that were sent: {error}")))
}

impl PartitionStream for Rows {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let batches = self.batches.lock().unwrap_or_else(PoisonError::into_inner).take();
        let schema = self.schema.clone();
        let batches = stream::iter(batches).flatten().map(move |batch| match batch {
            // A client may send what it has not told of.
            Ok(batch) if batch.schema_ref().fields() != schema.fields() => {
                datafusion::common::exec_err!("rows came that are not like the first")
            }
            Ok(batch) => Ok(batch),
            Err(error) => datafusion::common::exec_err!("the rows broke off: {error}"),
        });
        Box::pin(RecordBatchStreamAdapter::new(self.schema.clone(), batches))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{ArrayRef, Int64Array};
    use arrow::ipc::CompressionType;
    use arrow::ipc::writer::IpcWriteOptions;
    use arrow_flight::encode::FlightDataEncoderBuilder;
    use futures::TryStreamExt;

    async fn messages(compressed: Option<CompressionType>) -> Vec<FlightData> {
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values((0..1000).map(|n| n / 100)));
        let batch = RecordBatch::try_from_iter([("a", numbers)]).unwrap();
        let options = IpcWriteOptions::default().try_with_compression(compressed).unwrap();
        let data = FlightDataEncoderBuilder::new().with_options(options).build(stream::iter([Ok(batch)]));
        data.try_collect().await.unwrap()
    }

    #[tokio::test]
    async fn buffers_lie_within_their_message() {
        for compressed in [None, Some(CompressionType::LZ4_FRAME), Some(CompressionType::ZSTD)] {
            let sound = messages(compressed).await;
            assert!(sound.iter().all(|data| within(data).is_ok()));
            let rows = Decoded(Some(FlightRecordBatchStream::new_from_flight_data(stream::iter(
                sound.clone().into_iter().map(Ok),
            ))));
            assert_eq!(rows.try_collect::<Vec<_>>().await.unwrap()[0].num_rows(), 1000);
            let mut short = sound[1].clone();
            short.data_body.truncate(20);
            assert!(within(&short).unwrap_err().contains("longer than its message"));
        }
        let mut much = messages(Some(CompressionType::ZSTD)).await.remove(1);
        let mut body = much.data_body.to_vec();
        body.chunks_exact_mut(8).for_each(|bytes| bytes.copy_from_slice(&i64::MAX.to_le_bytes()));
        much.data_body = body.into();
        assert!(within(&much).unwrap_err().contains("more than"));
    }
}
