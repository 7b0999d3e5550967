//! Ctrl-C and SIGTERM: commands end cleanly on both, and say from where they go on.

use std::future::Future;
use std::pin::pin;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use datafusion::common::DataFusionError;
use futures::FutureExt;

use super::Failure;

/// What asks the program to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signal {
    Interrupt,
    Terminate,
}

impl Signal {
    /// As shells have it: 128 and the number of the signal.
    fn code(self) -> u8 {
        match self {
            Signal::Interrupt => 130,
            Signal::Terminate => 143,
        }
    }
}

/// The code of the signal that ended the work of this process; 0 while none did.
static ENDED_BY: AtomicU8 = AtomicU8::new(0);

/// What the program ends with where a command failed.
pub(super) fn failed() -> ExitCode {
    match ENDED_BY.load(Ordering::Relaxed) {
        0 => ExitCode::FAILURE,
        code => ExitCode::from(code),
    }
}

/// Waits for a signal.
pub(super) async fn signal() -> Signal {
    let interrupted = async {
        if tokio::signal::ctrl_c().await.is_err() {
            // Without a way to hear of it, it ends the program as it always did.
            std::future::pending::<()>().await;
        }
        Signal::Interrupt
    };
    #[cfg(unix)]
    let terminated = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut terminated) => _ = terminated.recv().await,
            Err(_) => std::future::pending::<()>().await,
        }
        Signal::Terminate
    };
    #[cfg(not(unix))]
    let terminated = std::future::pending::<Signal>();
    tokio::select! {
        signal = interrupted => signal,
        signal = terminated => signal,
    }
}

/// How long work may take to say itself how it was interrupted.
const HEARD: Duration = Duration::from_millis(100);

/// How long threads that cannot be stopped are waited for after a signal.
const PATIENCE: Duration = Duration::from_secs(5);

/// Runs the work of commands until it is done, or a signal comes.
pub(super) struct Runtime(tokio::runtime::Runtime);

impl Runtime {
    pub fn new(runtime: tokio::runtime::Runtime) -> Runtime {
        Runtime(runtime)
    }

    /// Runs a prompt, which takes Ctrl-C for itself.
    ///
    /// # Errors
    /// Of the prompt.
    pub fn at_prompt<T>(self, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        self.0.block_on(work)
    }

    /// The outcome of the work; or that a signal came first.
    pub fn block_on<O: Outcome>(self, work: impl Future<Output = O>) -> O {
        self.block_on_or(work, "interrupted; what is committed stays, and `populace runs` lists what can be resumed")
    }

    /// As [`Runtime::block_on`], with what is said when a signal ends the work. It is dropped then, with all that hangs
    /// on it; a second signal ends the program wherever it is.
    pub fn block_on_or<O: Outcome>(self, work: impl Future<Output = O>, said: &str) -> O {
        let outcome = self.0.block_on(async {
            let watch = tokio::spawn(watch());
            let (mut work, mut ended) = (pin!(work), pin!(signal()));
            let (outcome, signal) = tokio::select! {
                // What knows better what to say is asked first.
                biased;
                outcome = &mut work => (outcome, None),
                // Work that waits for signals itself may have been at something else when it came.
                signal = &mut ended => match tokio::time::timeout(HEARD, &mut work).await {
                    Ok(outcome) => (outcome, Some(signal)),
                    Err(_) => (O::interrupted(said), Some(signal)),
                },
            };
            if outcome.is_failure()
                && let Some(signal) = signal.or_else(|| ended.now_or_never())
            {
                ENDED_BY.store(signal.code(), Ordering::Relaxed);
            }
            watch.abort();
            outcome
        });
        if ENDED_BY.load(Ordering::Relaxed) != 0 {
            self.0.shutdown_timeout(PATIENCE);
        }
        outcome
    }
}

/// What work comes to, where a signal may end it.
pub(super) trait Outcome {
    fn interrupted(said: &str) -> Self;

    fn is_failure(&self) -> bool;
}

impl<T> Outcome for Result<T, Failure> {
    fn interrupted(said: &str) -> Self {
        Err(Failure(said.into()))
    }

    fn is_failure(&self) -> bool {
        self.is_err()
    }
}

impl<T> Outcome for Result<T, DataFusionError> {
    fn interrupted(said: &str) -> Self {
        Err(DataFusionError::Execution(said.into()))
    }

    fn is_failure(&self) -> bool {
        self.is_err()
    }
}

/// Ends the program at the second signal, whatever it is at.
async fn watch() {
    signal().await;
    let second = signal().await;
    std::process::exit(second.code().into());
}
