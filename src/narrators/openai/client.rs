//! Requests for texts: bounded in number, checked, and tried again with what was wrong.

use std::fmt;
use std::num::NonZero;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use backon::{ExponentialBuilder, Retryable};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};

use super::answer::Completion;
use super::prompts::Rendered;
use crate::servers::{Budget, Endpoint, Failure, Pool, Server, Usage, as_told};

/// Asks the servers of an endpoint.
pub(super) struct Client {
    pool: Pool,
    /// Prompts that are made, and answers that are checked, at once
    turns: Semaphore,
    /// Requests at the servers, and answers that are not in the catalogue yet: what a kill loses is hardly more than may
    /// be in flight
    unrecorded: Arc<Semaphore>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.pool.fmt(f)
    }
}

impl Client {
    /// # Errors
    /// If there is no way to speak TLS.
    pub fn new(endpoint: Endpoint) -> Result<Client, String> {
        let turns = Semaphore::new(thread::available_parallelism().map_or(1, NonZero::get));
        let unrecorded = Arc::new(Semaphore::new(endpoint.concurrency + (endpoint.concurrency / 4).max(2)));
        Ok(Client { pool: Pool::new(endpoint)?, turns, unrecorded })
    }

    pub fn endpoint(&self) -> &Endpoint {
        self.pool.endpoint()
    }

    /// How often, and after which pauses, something is tried again.
    pub fn policy(&self) -> ExponentialBuilder {
        self.pool.policy()
    }

    /// Leave to work out something of some length, kept while it lasts. Who has it waits for nobody; those who wait for
    /// it stand back behind whatever is quick, so that no answer lies about, and no server idles, while others are
    /// checked.
    pub async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        tokio::task::yield_now().await;
        // It is never closed.
        self.turns.acquire().await.ok()
    }

    /// The one server that there is.
    ///
    /// # Errors
    /// If there are several.
    pub fn server(&self) -> Result<&Server, String> {
        self.pool.server()
    }

    /// Asks, as long as `may` does not object, until `accept` takes the answer, an attempt cannot help, or there have
    /// been enough; counts the `attempts` that were sent. `asked` says what is asked for, and what that is expected to
    /// take. What was wrong with an answer is told with the next attempt, which may ask for less. What comes with the
    /// answer is to be kept until that is in the catalogue.
    ///
    /// # Errors
    /// The last failure.
    pub async fn ask<T>(
        &self,
        budget: &Arc<Budget>,
        asked: impl Fn() -> (Arc<Rendered>, Usage),
        may: impl Fn() -> Result<(), Failure>,
        seed: u32,
        attempts: &AtomicU32,
        accept: impl FnMut(Completion, Usage) -> Result<T, Failure>,
    ) -> Result<(T, Option<OwnedSemaphorePermit>), Failure> {
        let (accept, complaint) = (Mutex::new(accept), Mutex::new(None::<String>));
        let attempt = || async {
            // It is never closed.
            let unrecorded = self.unrecorded.clone().acquire_owned().await.ok();
            may()?;
            let last = complaint.lock().unwrap_or_else(PoisonError::into_inner).take();
            // An answer that was of no use would come again from the same seed.
            let seed = seed.wrapping_add(attempts.load(Ordering::Relaxed));
            let (asked, expected) = asked();
            let body = |server: &Server| server.body(&asked, seed, last.as_deref());
            let request = self.pool.request::<Completion>(budget, (asked.tokens(), expected), &body, attempts);
            let (completion, usage) = request.await?;
            let _turn = self.turn().await;
            let mut accept = accept.lock().unwrap_or_else(PoisonError::into_inner);
            let accepted = accept(completion, usage);
            if let Err(failure) = &accepted {
                *complaint.lock().unwrap_or_else(PoisonError::into_inner) = Some(failure.message.clone());
            }
            accepted.map(|accepted| (accepted, unrecorded))
        };
        attempt.retry(self.policy()).when(|f: &Failure| f.passing).adjust(as_told).await
    }
}
