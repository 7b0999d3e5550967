//! Rows of a statement on their way to the client.

use std::time::Duration;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{SchemaRef, UInt64Type};
use tokio::time::Instant;

use super::messages::{Column, Severity};
use super::session::{Session, Stop};
use super::sqlstate;
use super::types;
use super::values::Values;
use crate::engine::{Engine, Error, ErrorKind};
use crate::serve::observed::Named;
use crate::serve::statements::Answer;
use crate::sql::Statement;

enum Source {
    Answer(Answer),
    /// What is known at once
    Ready(Option<RecordBatch>),
}

/// Rows that come.
pub(super) struct Flow {
    source: Source,
    /// As the client was told
    pub schema: SchemaRef,
    /// A batch, with the next of its rows
    batch: Option<(Vec<Values>, usize, usize)>,
    /// When they are to have come, and how long that was
    pub until: (Instant, Duration),
    /// Rows sent
    pub rows: u64,
    bytes: u64,
}

impl Flow {
    pub fn ready(batch: RecordBatch, given: Duration) -> Flow {
        let schema = batch.schema();
        let until = (Instant::now() + given, given);
        Flow { source: Source::Ready(Some(batch)), schema, batch: None, until, rows: 0, bytes: 0 }
    }
}

impl Session {
    /// Begins a statement. If the client was told what its rows are like, they are made to be like that.
    pub async fn start(
        &mut self,
        action: &'static str,
        statement: Statement,
        described: Option<&SchemaRef>,
    ) -> Result<Flow, Stop> {
        self.known().await?;
        self.zoned().await?;
        let given = self.given();
        let until = (Instant::now() + given, given);
        let (host, who, engine) = (self.host.clone(), self.who.clone(), self.engine.clone());
        let named = Named { protocol: "postgres", action };
        let work = move |engine: Engine| async move { engine.run(statement).await };
        let answer = self.guarded(until, host.start_in(Some(engine), &who, named, work)).await?;
        let schema = match described {
            Some(told) if told.fields().len() != answer.schema.fields().len() => {
                let text = "a table has changed since the statement was prepared, and its rows with it";
                return Err(Error::new(ErrorKind::Unsupported, text).hint("prepare it again").into());
            }
            Some(told) => told.clone(),
            None => answer.schema.clone(),
        };
        Ok(Flow { source: Source::Answer(answer), schema, batch: None, until, rows: 0, bytes: 0 })
    }

    /// The next rows, as they come from the engine.
    async fn next(&mut self, flow: &mut Flow) -> Result<Option<RecordBatch>, Stop> {
        let until = flow.until;
        match &mut flow.source {
            Source::Ready(batch) => Ok(batch.take()),
            Source::Answer(answer) => self.guarded(until, async { answer.next().await.transpose() }).await,
        }
    }

    /// Sends rows, at most so many where that is not 0, each made into a message by `write`. Whether they have ended.
    pub async fn flow(
        &mut self,
        flow: &mut Flow,
        most: u64,
        mut write: impl FnMut(&mut Vec<u8>, &[Values], usize) + Send,
    ) -> Result<bool, Stop> {
        let mut sent = 0;
        loop {
            while let Some((values, row, rows)) = &mut flow.batch {
                if row == rows {
                    flow.batch = None;
                    break;
                }
                if most > 0 && sent == most {
                    return Ok(false);
                }
                let before = self.socket.said.bytes.len();
                write(&mut self.socket.said.bytes, values, *row);
                *row += 1;
                sent += 1;
                flow.rows += 1;
                flow.bytes += (self.socket.said.bytes.len() - before) as u64;
                if flow.bytes > self.who.bytes {
                    let text = format!("the answer has more than {} bytes", self.who.bytes);
                    return Err(Error::new(ErrorKind::Limit, text)
                        .hint("fewer columns, or a LIMIT, keep it short")
                        .into());
                }
                if self.socket.is_full() {
                    self.pressed(flow.until).await?;
                }
            }
            match self.next(flow).await? {
                Some(batch) => {
                    let zone = self.settings.zone().tz;
                    let of = |(column, field): (_, &arrow::datatypes::FieldRef)| {
                        Values::of(column, types::oid(field.data_type()), zone)
                    };
                    let values = batch.columns().iter().zip(flow.schema.fields()).map(of).collect::<Result<_, _>>();
                    let values = values
                        .map_err(|e| Error::new(ErrorKind::Unsupported, format!("the rows have no such form: {e}")))?;
                    flow.batch = Some((values, 0, batch.num_rows()));
                }
                None => {
                    self.told(flow).await;
                    return Ok(true);
                }
            }
        }
    }

    /// Sends rows as those of a query.
    pub async fn rows(&mut self, flow: &mut Flow, columns: &[Column], most: u64) -> Result<bool, Stop> {
        let binary: Vec<bool> = columns.iter().map(|column| column.format == 1).collect();
        self.flow(flow, most, |out, values, row| {
            out.push(b'D');
            let at = out.len();
            out.extend_from_slice(&[0; 4]);
            out.extend_from_slice(&(values.len() as u16).to_be_bytes());
            values.iter().zip(&binary).for_each(|(values, binary)| values.field(row, *binary, out));
            let length = i32::try_from(out.len() - at).unwrap_or(i32::MAX);
            out[at..at + 4].copy_from_slice(&length.to_be_bytes());
        })
        .await
    }

    /// Waits for the end of a statement that has no rows for anybody, and how many it has written.
    pub async fn count(&mut self, flow: &mut Flow) -> Result<u64, Stop> {
        let mut count = 0;
        while let Some(batch) = self.next(flow).await? {
            let counts = batch.columns().first().and_then(|column| column.as_primitive_opt::<UInt64Type>());
            count += counts.map_or(0, |counts| counts.iter().flatten().sum());
        }
        self.told(flow).await;
        Ok(count)
    }

    /// Says what there was to say of a statement.
    async fn told(&mut self, flow: &mut Flow) {
        if let Source::Answer(answer) = &mut flow.source {
            for notice in answer.told().await.notices {
                self.say(Severity::Notice, sqlstate::NOTICE, &notice);
            }
        }
    }
}
