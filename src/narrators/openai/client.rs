//! Requests for answers: spread over the servers, bounded in number and time, tried again where that may help.

use std::fmt;
use std::num::NonZero;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};

use super::answer::Completion;
use super::endpoint::Endpoint;
use super::limits::{Budget, Pace, Usage};
use super::prompts::Rendered;
use super::server::{Failure, Server, causes};

/// Asks the servers of an endpoint.
pub(super) struct Client {
    endpoint: Arc<Endpoint>,
    servers: Vec<Server>,
    pace: Pace,
    /// Prompts that are made, and answers that are checked, at once
    turns: Semaphore,
    /// Requests at the servers, and answers that are not in the catalogue yet: what a kill loses is hardly more than may
    /// be in flight
    unrecorded: Arc<Semaphore>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.endpoint.fmt(f)
    }
}

impl Client {
    /// # Errors
    /// If there is no way to speak TLS.
    pub fn new(endpoint: Endpoint) -> Result<Client, String> {
        // Another library may have chosen a provider already; then that one does.
        _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .connect_timeout(Duration::from_secs(10).min(endpoint.timeout))
            .timeout(endpoint.timeout)
            // What is sent is meant for the server that was named, and for no other.
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|e| format!("no HTTP client: {}", causes(&e)))?;
        let endpoint = Arc::new(endpoint);
        let servers = endpoint.addresses.iter().map(|a| Server::new(a.clone(), endpoint.clone(), &http)).collect();
        let pace = Pace::new(&endpoint.limits);
        let turns = Semaphore::new(thread::available_parallelism().map_or(1, NonZero::get));
        let unrecorded = Arc::new(Semaphore::new(endpoint.concurrency + (endpoint.concurrency / 4).max(2)));
        Ok(Client { endpoint, servers, pace, turns, unrecorded })
    }

    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
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
        match &self.servers[..] {
            [server] => Ok(server),
            servers => Err(format!("a batch is handed to one server, and {} are named", servers.len())),
        }
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
            let (completion, usage) = self.request(budget, &asked(), (seed, last.as_deref()), attempts).await?;
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

    /// How often, and after which pauses, something is tried again.
    pub fn policy(&self) -> ExponentialBuilder {
        ExponentialBuilder::default()
            .with_min_delay(self.endpoint.backoff)
            .with_max_delay(Duration::from_secs(30))
            .with_max_times(self.endpoint.attempts.saturating_sub(1))
            .with_jitter()
    }

    /// One answer, of the server that has least to do for its weight. A failure of one of several is told to none but
    /// the next attempt, which another takes.
    async fn request(
        &self,
        budget: &Arc<Budget>,
        (asked, expected): &(Arc<Rendered>, Usage),
        (seed, complaint): (u32, Option<&str>),
        attempts: &AtomicU32,
    ) -> Result<(Completion, Usage), Failure> {
        // One attempt, however many servers it goes to.
        let sent = AtomicBool::new(false);
        let count = || {
            if !sent.swap(true, Ordering::Relaxed) {
                attempts.fetch_add(1, Ordering::Relaxed);
            }
        };
        loop {
            let Some((server, others)) = self.least() else {
                return Err(Failure::lasting("no server is named".into()));
            };
            let bounds = (&self.pace, budget, *expected);
            match server.request((asked, seed, complaint), bounds, others(), &count).await {
                Ok(Some(answered)) => return Ok(answered),
                // It went down meanwhile.
                Ok(None) => {}
                Err(failure) if failure.outage && failure.of_server && others() => {
                    server.health.leave_alone(&failure.message);
                    return Err(Failure { outage: false, passing: true, wait: None, ..failure });
                }
                Err(failure) => return Err(failure),
            }
        }
    }

    /// The server that has least to do, of those that are up if any is; and whether others are up.
    fn least(&self) -> Option<(&Server, impl Fn() -> bool)> {
        let by_load = |a: &&Server, b: &&Server| a.load().total_cmp(&b.load());
        let up = self.servers.iter().filter(|s| s.health.is_up());
        let server = up.min_by(by_load).or_else(|| self.servers.iter().min_by(by_load))?;
        let others = move || self.servers.iter().filter(|s| !std::ptr::eq(*s, server)).any(|s| s.health.is_up());
        Some((server, others))
    }
}

/// The pause before another attempt: as long as the server asks for, if that is longer.
pub(super) fn as_told(failure: &Failure, pause: Option<Duration>) -> Option<Duration> {
    pause.map(|p| failure.wait.map_or(p, |w| w.max(p)))
}
