//! Requests spread over the servers of an endpoint, tried again where that may help.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use backon::ExponentialBuilder;
use serde_json::Value;

use super::endpoint::Endpoint;
use super::limits::{Budget, Pace, Usage};
use super::server::{Answer, Failure, Server, causes};

/// The servers of an endpoint.
pub(crate) struct Pool {
    endpoint: Arc<Endpoint>,
    servers: Vec<Server>,
    pace: Pace,
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.endpoint.fmt(f)
    }
}

impl Pool {
    /// # Errors
    /// If there is no way to speak TLS.
    pub fn new(endpoint: Endpoint) -> Result<Pool, String> {
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
        Ok(Pool { endpoint, servers, pace })
    }

    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
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

    /// How often, and after which pauses, something is tried again.
    pub fn policy(&self) -> ExponentialBuilder {
        ExponentialBuilder::default()
            .with_min_delay(self.endpoint.backoff)
            .with_max_delay(Duration::from_secs(30))
            .with_max_times(self.endpoint.attempts.saturating_sub(1))
            .with_jitter()
    }

    /// One answer, of the server that has least to do for its weight, to what `body` says to it; `expected` is what it
    /// may take, `tokens` what counts for the pace. A failure of one of several is told to none but the next attempt,
    /// which another takes. Counts the `attempts` that were sent.
    ///
    /// # Errors
    /// What the server said instead, or that a limit is reached.
    pub async fn request<A: Answer>(
        &self,
        budget: &Arc<Budget>,
        (tokens, expected): (u64, Usage),
        body: &(dyn Fn(&Server) -> Value + Send + Sync),
        attempts: &AtomicU32,
    ) -> Result<(A, Usage), Failure> {
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
            let bounds = (&self.pace, budget, expected);
            match server.request((tokens, body), bounds, others(), &count).await {
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
pub(crate) fn as_told(failure: &Failure, pause: Option<Duration>) -> Option<Duration> {
    pause.map(|p| failure.wait.map_or(p, |w| w.max(p)))
}
