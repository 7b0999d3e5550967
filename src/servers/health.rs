//! Whether a server can be asked at all: while it fails everyone, requests wait instead of being burnt.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Failures in a row, of any requests, after which the server is taken to be down.
const IN_A_ROW: u32 = 8;

/// Pauses for which one of several servers is left alone.
const ALONE: u32 = 6;

/// A circuit breaker that pauses. It trips only for a server that has answered before: one that never did fails as it
/// is, so that a slip in its address is told at once.
#[derive(Debug)]
pub(crate) struct Health {
    patience: Duration,
    /// Between one request that tries whether the server is back and the next
    pause: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    answered: bool,
    failures: u32,
    down: Option<Down>,
}

#[derive(Debug)]
struct Down {
    since: Instant,
    next: Instant,
    message: String,
}

impl Health {
    pub fn new(patience: Duration, pause: Duration) -> Health {
        Health { patience, pause, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the server can be asked: it is up, or it is this request's turn to try.
    ///
    /// # Errors
    /// If it has been down for longer than the patience; the message is that of its last failure.
    pub async fn wait(&self) -> Result<(), String> {
        loop {
            let until = {
                let mut state = self.state();
                let Some(down) = &mut state.down else { return Ok(()) };
                let now = Instant::now();
                if now - down.since >= self.patience {
                    return Err(format!("{}, for {} s now", down.message, self.patience.as_secs()));
                }
                if now >= down.next {
                    down.next = now + self.pause;
                    return Ok(());
                }
                down.next
            };
            tokio::time::sleep_until(until.into()).await;
        }
    }

    /// Whether a request would not have to wait.
    pub fn is_up(&self) -> bool {
        self.state().down.as_ref().is_none_or(|down| Instant::now() >= down.next)
    }

    /// Takes a server that is of no use now, and not the only one, to be down for a while.
    pub fn leave_alone(&self, message: &str) {
        let now = Instant::now();
        let since = self.state().down.take().map_or(now, |d| d.since);
        self.state().down = Some(Down { since, next: now + self.pause * ALONE, message: message.into() });
    }

    pub fn answered(&self) {
        *self.state() = State { answered: true, failures: 0, down: None };
    }

    /// Notes a failure of the server; true while it is taken to be down.
    pub fn failed(&self, message: &str) -> bool {
        let mut state = self.state();
        state.failures += 1;
        if state.answered && state.failures >= IN_A_ROW && state.down.is_none() {
            let now = Instant::now();
            state.down = Some(Down { since: now, next: now + self.pause, message: message.into() });
        }
        state.down.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_server_that_answered_is_waited_for() {
        let health = Health::new(Duration::from_millis(200), Duration::from_millis(20));
        assert!((0..100).all(|_| !health.failed("503")));
        health.answered();
        assert_eq!((0..10).filter(|_| health.failed("503")).count(), 3);
        let started = Instant::now();
        assert!(health.wait().await.is_ok() && started.elapsed() >= Duration::from_millis(20));
        health.answered();
        assert!(health.wait().await.is_ok());
        (0..8).for_each(|_| _ = health.failed("503"));
        tokio::time::sleep(Duration::from_millis(210)).await;
        assert!(health.wait().await.unwrap_err().starts_with("503, for"));
    }
}
