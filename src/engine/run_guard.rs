//! Runs while they are at work: what they have done, how they end, and whose calls to models are.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use datafusion::common::{DataFusionError, Result, exec_err};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::{StreamExt, stream};

use super::Engine;
use crate::catalog::{Catalog, Run, Status, Stop};
use crate::database::Database;
use crate::error::{Error, message};
use crate::servers::Activity;

impl Engine {
    /// Notes the start of a run.
    ///
    /// # Errors
    /// If the catalogue cannot be written.
    pub fn begin(&self, run: &Run) -> Result<RunGuard> {
        let catalog = self.catalog()?;
        let bounds = self.options.asking.limits.bounds();
        catalog.start(&Run { bounds, ..run.clone() }).map_err(|e| DataFusionError::Execution(e.to_string()))?;
        self.activity.set_run(Some(run.id.clone()));
        tracing::info!(run = %run.id, table = run.table, narrator = run.narrator, "run began");
        let done = AtomicU64::new(run.done);
        let (activity, stop, database) = (self.activity.clone(), catalog.watch(&run.id), self.database.clone());
        Ok(RunGuard(Some(GuardedRun { catalog, id: run.id.clone(), done, activity, stop, database })))
    }

    /// Notes calls to models for a run that has ended, until what is returned is dropped.
    pub fn bill(&self, run: &Run) -> Billed {
        self.activity.set_run(Some(run.id.clone()));
        Billed(self.activity.clone())
    }
}

/// Calls to models are a run's while this is kept.
pub struct Billed(Arc<Activity>);

impl Drop for Billed {
    fn drop(&mut self) {
        self.0.set_run(None);
    }
}

/// A run that the catalogue knows of, or none. One that is dropped before its end was interrupted.
pub struct RunGuard(Option<GuardedRun>);

struct GuardedRun {
    catalog: Arc<Catalog>,
    database: Arc<Database>,
    id: String,
    done: AtomicU64,
    activity: Arc<Activity>,
    /// Tells that the run was cancelled in another process, or taken up by one
    stop: Arc<Stop>,
}

impl Drop for GuardedRun {
    fn drop(&mut self) {
        self.activity.set_run(None);
        self.catalog.leave(&self.id);
    }
}

/// How often the end of a run is noted, where the catalogue is held by another process.
const ATTEMPTS: u32 = 3;

impl RunGuard {
    /// No run.
    pub(super) fn none() -> RunGuard {
        RunGuard(None)
    }

    pub(super) fn id(&self) -> Option<String> {
        self.0.as_ref().map(|n| n.id.clone())
    }

    /// Rows that end with an error when the run is cancelled elsewhere.
    pub fn until_stopped(&self, rows: SendableRecordBatchStream) -> SendableRecordBatchStream {
        let Some(GuardedRun { stop, id, .. }) = &self.0 else { return rows };
        let (schema, stop, id) = (rows.schema(), stop.clone(), id.clone());
        let rows = stream::try_unfold((rows, stop, id), |(mut rows, stop, id)| async move {
            let next = tokio::select! {
                biased;
                () = stop.wait() => return exec_err!("run {id} was cancelled; what it wrote stays"),
                next = rows.next() => next,
            };
            Ok(next.transpose()?.map(|batch| (batch, (rows, stop, id))))
        });
        Box::pin(RecordBatchStreamAdapter::new(schema, rows))
    }

    /// Notes how many of the run's people are in the table. One that cannot be noted is noted with the next.
    pub fn progress(&self, done: u64) {
        if let Some(GuardedRun { catalog, id, done: noted, .. }) = &self.0 {
            noted.store(done, Ordering::Relaxed);
            catalog.note_progress(id, done);
        }
    }

    /// Notes how the run ended, and with how many people. What is committed is done, whether that can be noted or not.
    ///
    /// # Errors
    /// What the run ended with.
    pub fn end<T>(self, result: Result<(T, u64)>) -> Result<T> {
        let Some(noted) = self.0 else { return result.map(|(value, _)| value) };
        let GuardedRun { catalog, database, id, done, .. } = &noted;
        match &result {
            Ok((_, people)) => tracing::info!(run = %id, people, "run ended"),
            Err(error) => tracing::info!(run = %id, kind = ?Error::from(error).kind, "run failed"),
        }
        match result {
            Ok((value, people)) => {
                let mut noted = catalog.end(id, people, Status::Done, None);
                for _ in 1..ATTEMPTS {
                    noted = noted.or_else(|_| catalog.end(id, people, Status::Done, None));
                }
                if let Err(error) = noted {
                    database.notice(format!("run {id} is done, which could not be noted: {error}"));
                }
                Ok(value)
            }
            Err(error) => {
                // What went wrong first is what matters.
                _ = catalog.end(id, done.load(Ordering::Relaxed), Status::Failed, Some(&message(&error)));
                Err(error)
            }
        }
    }
}
