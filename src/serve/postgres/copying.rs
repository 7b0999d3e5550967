//! COPY at work: rows of a query to the client, and rows of the client into a table.

use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::catalog::streaming::StreamingTable;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::PartitionStream;
use futures::StreamExt;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::binary::{SIGNATURE, Tuples};
use super::catalog::{Asked, COPIED};
use super::copy::{Copied, Copy, Format};
use super::lines::Lines;
use super::messages::Frontend;
use super::session::{Session, Stop, most};
use super::text::{Piece, What};
use super::types;
use crate::catalog::Role;
use crate::engine::{Engine, Error, ErrorKind};
use crate::serve::observed::Named;
use crate::sql::quoted_name;

/// Rows that become one batch.
pub(super) const BATCH: usize = 4096;

/// Bytes of rows that become one, though they are fewer.
pub(super) const BYTES: usize = 8 << 20;

/// The longest row.
pub(super) const ROW: usize = 16 << 20;

impl Session {
    pub async fn copy(&mut self, copy: &Copy) -> Result<(), Stop> {
        if let Some(unknown) = &copy.unknown {
            let text = format!("COPY does not know {unknown}");
            let hint = "FORMAT text, csv or binary, HEADER, DELIMITER and NULL are known";
            return Err(Error::new(ErrorKind::Unsupported, text).hint(hint).into());
        }
        match &copy.what {
            Copied::Out(query) => self.copy_out(copy, query).await,
            Copied::In { table, columns } => {
                self.writes();
                self.copy_in(copy, table, columns).await?;
                self.wrote();
                Ok(())
            }
        }
    }

    async fn copy_out(&mut self, copy: &Copy, query: &str) -> Result<(), Stop> {
        let piece = Piece { text: query.into(), before: 0, what: What::Sql };
        let Asked { statement, names, .. } = self.parsed(&piece).await?;
        if !statement.is_query() {
            return Err(Error::new(ErrorKind::Usage, "COPY … TO STDOUT is of a table or a query").into());
        }
        let mut flow = self.start("copy", statement, None).await?;
        flow.schema = names.told(flow.schema);
        let columns = flow.schema.fields().len();
        let binary = copy.format == Format::Binary;
        self.socket.said.copy(b'H', columns, binary);
        // It stands in one message with what follows, which is how clients read it.
        let mut head = if binary { [SIGNATURE, &[0; 8]].concat() } else { vec![] };
        if copy.header && !binary {
            let names = flow.schema.fields().clone();
            self.socket.said.message(b'd', |b| {
                for (at, field) in names.iter().enumerate() {
                    if at > 0 {
                        b.push(copy.delimiter);
                    }
                    copy.write(Some(field.name().as_bytes()), b);
                }
                b.push(b'\n');
            });
        }
        let mut text = vec![];
        self.flow(&mut flow, 0, |out, values, row| {
            out.push(b'd');
            let at = out.len();
            out.extend_from_slice(&[0; 4]);
            if binary {
                out.append(&mut head);
                out.extend_from_slice(&(values.len() as i16).to_be_bytes());
                values.iter().for_each(|values| values.field(row, true, out));
            } else {
                for (at, values) in values.iter().enumerate() {
                    if at > 0 {
                        out.push(copy.delimiter);
                    }
                    text.clear();
                    let there = !values.is_null(row);
                    if there {
                        values.text(row, &mut text);
                    }
                    copy.write(there.then_some(&text), out);
                }
                out.push(b'\n');
            }
            let length = i32::try_from(out.len() - at).unwrap_or(i32::MAX);
            out[at..at + 4].copy_from_slice(&length.to_be_bytes());
        })
        .await?;
        if binary {
            self.socket.said.message(b'd', |b| {
                b.append(&mut head);
                b.extend_from_slice(&(-1_i16).to_be_bytes());
            });
        }
        self.socket.said.step(b'c');
        self.socket.said.done(&format!("COPY {}", flow.rows));
        Ok(())
    }

    /// Has an INSERT read what the client sends, as it comes. Nothing is written where it breaks off.
    async fn copy_in(&mut self, copy: &Copy, table: &str, columns: &[String]) -> Result<(), Stop> {
        // A client that may not write is told before it sends a line.
        self.who.must_be(Role::Writer)?;
        let binary = copy.format == Format::Binary;
        let (mut rows, schema) = if binary {
            let rows = Tuples::new(self.columns_of(table, columns).await?);
            let schema = rows.schema().clone();
            (Rows::Tuples(rows), schema)
        } else {
            let columns = match columns {
                [] => self.columns_of(table, &[]).await?.into_iter().map(|(name, _)| name).collect(),
                named => named.to_vec(),
            };
            let fields: Vec<Field> = columns.iter().map(|name| Field::new(name, DataType::Utf8, true)).collect();
            let schema: SchemaRef = Arc::new(Schema::new(fields));
            (Rows::Lines(Lines::new(copy, schema.clone())), schema)
        };
        let (sender, receiver) = mpsc::channel(2);
        let batches = Batches { schema: schema.clone(), receiver: Mutex::new(Some(receiver)) };
        let source = StreamingTable::try_new(schema.clone(), vec![Arc::new(batches)]).map_err(|e| Error::from(&e))?;
        let quoted = listed(schema.fields().iter().map(|field| field.name()));
        let text = format!("INSERT INTO {table} ({quoted}) SELECT {quoted} FROM pg_catalog.{COPIED}");
        self.known().await?;
        self.zoned().await?;
        let given = self.given();
        let until = (Instant::now() + given, given);
        let (host, who, engine) = (self.host.clone(), self.who.clone(), self.engine.clone());
        let work = move |engine: Engine| async move {
            super::catalog::copied(&engine, Some(Arc::new(source)))?;
            let statement = crate::serve::statements::one(&engine, &text);
            let rows = match statement {
                Ok(statement) => engine.run(statement).await,
                Err(error) => Err(error),
            };
            super::catalog::copied(&engine, None)?;
            rows
        };
        // It waits for the first line before it has anything to tell.
        let written = tokio::spawn(async move {
            let named = Named { protocol: "postgres", action: "copy" };
            let answer = host.start_in(Some(engine), &who, named, work).await?;
            answer.all().await
        });
        let mut written = tokio_util::task::AbortOnDropHandle::new(written);
        self.socket.said.copy(b'G', schema.fields().len(), binary);
        self.pressed(until).await?;
        let ended = loop {
            let cancel = self.cancel.clone();
            let message = tokio::select! {
                biased;
                () = cancel.cancelled() => return Err(super::session::cancelled().into()),
                () = tokio::time::sleep_until(until.0) => return Err(super::session::too_long(given).into()),
                message = self.socket.receive(most) => message?,
                // Refused, or failed while rows came.
                done = &mut written => break Some(done),
            };
            match message? {
                Frontend::CopyData(bytes) => rows.take(&bytes)?,
                Frontend::CopyDone => {
                    rows.end()?;
                    break None;
                }
                Frontend::CopyFail(why) => {
                    let text = format!("the client broke the copy off: {why}");
                    return Err(Error::new(ErrorKind::Interrupted, text).into());
                }
                Frontend::Flush | Frontend::Sync => {}
                _ => return Err(super::messages::broken("it is none of a copy").into()),
            }
            let mut broken_off = false;
            while let Some(batch) = rows.batch(false)? {
                broken_off |= self.guarded(until, async { Ok(sender.send(Some(batch)).await) }).await?.is_err();
            }
            if broken_off {
                break Some((&mut written).await);
            }
        };
        let done = match ended {
            Some(done) => done,
            None => {
                while let Some(batch) = rows.batch(true)? {
                    if self.guarded(until, async { Ok(sender.send(Some(batch)).await) }).await?.is_err() {
                        break;
                    }
                }
                // It may have failed meanwhile, which it tells itself.
                _ = self.guarded(until, async { Ok(sender.send(None).await) }).await?;
                self.guarded(until, async { Ok((&mut written).await) }).await?
            }
        };
        done.map_err(|_| Error::new(ErrorKind::Internal, "the copy ended without a word"))??;
        self.socket.said.done(&format!("COPY {}", rows.count()));
        Ok(())
    }

    /// These columns of a table, or all where none are named, with the numbers of their types.
    async fn columns_of(&mut self, table: &str, columns: &[String]) -> Result<Vec<(String, u32)>, Stop> {
        let shown = if columns.is_empty() { "*".into() } else { listed(columns) };
        let piece = Piece { text: format!("SELECT {shown} FROM {table} LIMIT 0"), before: 0, what: What::Sql };
        let statement = self.parsed(&piece).await?.statement;
        let mut flow = self.start("copy", statement, None).await?;
        self.count(&mut flow).await?;
        Ok(flow.schema.fields().iter().map(|field| (field.name().clone(), types::oid(field.data_type()))).collect())
    }
}

/// Names as they stand in a statement.
fn listed<'a>(names: impl IntoIterator<Item = &'a String>) -> String {
    names.into_iter().map(|name| quoted_name(name)).collect::<Vec<_>>().join(", ")
}

/// Rows of the client, as batches.
enum Rows<'a> {
    Lines(Lines<'a>),
    Tuples(Tuples),
}

impl Rows<'_> {
    fn take(&mut self, bytes: &[u8]) -> Result<(), Stop> {
        match self {
            Rows::Lines(rows) => rows.take(bytes),
            Rows::Tuples(rows) => rows.take(bytes),
        }
    }

    /// What is left when all has come.
    fn end(&mut self) -> Result<(), Stop> {
        match self {
            Rows::Lines(rows) => rows.end(),
            Rows::Tuples(rows) => rows.end(),
        }
    }

    /// The rows that have come, once there are enough of them, or they are the last.
    fn batch(&mut self, last: bool) -> Result<Option<RecordBatch>, Stop> {
        match self {
            Rows::Lines(rows) => rows.batch(last),
            Rows::Tuples(rows) => rows.batch(last),
        }
    }

    fn count(&self) -> u64 {
        match self {
            Rows::Lines(rows) => rows.count,
            Rows::Tuples(rows) => rows.count,
        }
    }
}

/// That what is copied in is not of the form that it is said to be of.
pub(super) fn broken(why: &str) -> Stop {
    Stop::Coded("22P04", Error::new(ErrorKind::Execution, format!("the copy is broken: {why}")))
}

/// The batches as a table, which is read once.
#[derive(Debug)]
struct Batches {
    schema: SchemaRef,
    /// Without its end, the copy was broken off
    receiver: Mutex<Option<mpsc::Receiver<Option<RecordBatch>>>>,
}

impl PartitionStream for Batches {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let receiver = self.receiver.lock().unwrap_or_else(PoisonError::into_inner).take();
        let batches = futures::stream::unfold(receiver, async |receiver| {
            let mut receiver = receiver?;
            match receiver.recv().await {
                Some(Some(batch)) => Some((Ok(batch), Some(receiver))),
                Some(None) => None,
                None => Some((datafusion::common::exec_err!("the copy was broken off"), None)),
            }
        });
        Box::pin(RecordBatchStreamAdapter::new(self.schema.clone(), batches.boxed()))
    }
}
