//! How long statements may take, and what is said of them while they run.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::{RecordBatchStream, SendableRecordBatchStream};
use futures::{FutureExt, Stream, StreamExt};
use populace_population::{Interrupt, Waiting};
use tokio::time::{Instant, Sleep};
use tracing::Span;

use crate::error::{Error, ErrorKind};
use crate::servers::Activity;

/// When a statement is to be done.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadline {
    at: Instant,
    given: Duration,
}

impl Deadline {
    pub fn after(given: Duration) -> Deadline {
        Deadline { at: Instant::now() + given, given }
    }

    /// What a future comes to, if it does so in time; else it is dropped, and what keeps a thread is given up.
    ///
    /// # Errors
    /// Of the future, or that the time is over.
    pub async fn keep<T>(&self, future: impl Future<Output = Result<T>>) -> Result<T> {
        let done = tokio::time::timeout_at(self.at, self.interrupt().around(future)).await;
        done.unwrap_or_else(|_| Err(self.passed().into())).map_err(|error| self.told(error))
    }

    /// What has work given up when the time is over.
    fn interrupt(&self) -> Interrupt {
        Interrupt::of_part_until(self.at.into_std())
    }

    /// An error of a statement whose time is over is that.
    fn told(&self, error: DataFusionError) -> DataFusionError {
        if Instant::now() < self.at { error } else { self.passed().into() }
    }

    fn passed(&self) -> Error {
        let text = format!("the statement took longer than {} s and was ended", self.given.as_secs_f64());
        Error::new(ErrorKind::Limit, text).hint("what it has committed stays; --statement-timeout gives it more")
    }
}

/// Rows that end when the time is over, and whose end is told.
pub(super) fn watched(
    rows: SendableRecordBatchStream,
    deadline: Option<Deadline>,
    (span, activity): (Span, Arc<Activity>),
) -> SendableRecordBatchStream {
    let schema = rows.schema();
    let interrupt = deadline.map_or_else(Interrupt::of_part, |deadline| deadline.interrupt());
    let over = deadline.map(|deadline| (Box::pin(tokio::time::sleep_until(deadline.at)), deadline));
    let _waiting = interrupt.waiting();
    Box::pin(Watched { rows: Some(rows), schema, over, interrupt, _waiting, span, _activity: activity, count: 0 })
}

struct Watched {
    /// Nothing once they have ended: what they hang on is dropped then
    rows: Option<SendableRecordBatchStream>,
    schema: SchemaRef,
    over: Option<(Pin<Box<Sleep>>, Deadline)>,
    interrupt: Interrupt,
    /// Whoever drops the rows waits for none
    _waiting: Waiting,
    span: Span,
    /// As long as rows come, the statement is at work
    _activity: Arc<Activity>,
    count: u64,
}

impl Stream for Watched {
    type Item = Result<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        let _at = this.span.enter();
        let Some(rows) = &mut this.rows else { return Poll::Ready(None) };
        let late = match &mut this.over {
            Some((sleep, deadline)) => sleep.poll_unpin(cx).is_ready().then_some(*deadline),
            None => None,
        };
        let next = match late {
            Some(deadline) => Some(Err(deadline.passed().into())),
            None => {
                let next = futures::ready!(this.interrupt.within(|| rows.poll_next_unpin(cx)));
                next.map(|batch| {
                    batch.map_err(|error| match &this.over {
                        Some((_, deadline)) => deadline.told(error),
                        None => error,
                    })
                })
            }
        };
        match &next {
            Some(Ok(batch)) => this.count += batch.num_rows() as u64,
            Some(Err(_)) if late.is_none() => tracing::info!("failed while rows came"),
            Some(Err(_)) => tracing::info!("took too long"),
            None => _ = this.span.record("rows", this.count),
        }
        if !matches!(next, Some(Ok(_))) {
            this.rows = None;
        }
        Poll::Ready(next)
    }
}

impl RecordBatchStream for Watched {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }
}
