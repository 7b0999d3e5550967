//! Work that is done away from the threads that serve others, and given up when nobody waits for it.

use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::common::runtime::SpawnedTask;
use datafusion::common::{Result, exec_datafusion_err};
use futures::stream::BoxStream;
use futures::{Stream, StreamExt, TryStreamExt};
use populace_population::Interrupt;

/// What some work comes to, away from the threads that serve others; it is given up when nobody waits for it any more.
///
/// # Errors
/// If its thread cannot be waited for.
pub(crate) async fn in_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    let interrupt = Interrupt::of_part();
    let _waiting = interrupt.waiting();
    let done = SpawnedTask::spawn_blocking(move || interrupt.within(work));
    done.join_unwind().await.map_err(|e| exec_datafusion_err!("{e}"))
}

/// What becomes of each batch of a stream, worked out away from the threads that serve others, in order; the next is
/// worked out while the last is read.
pub(crate) fn in_background<T: Send + 'static>(
    batches: impl Stream<Item = Result<T>> + Send + 'static,
    work: impl Fn(T) -> Result<RecordBatch> + Send + Sync + 'static,
) -> BoxStream<'static, Result<RecordBatch>> {
    let work = Arc::new(work);
    let done = batches.map_ok(move |batch| {
        let work = work.clone();
        async move { in_thread(move || work(batch)).await? }
    });
    done.try_buffered(2).boxed()
}
