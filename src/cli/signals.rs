//! Ctrl-C and SIGTERM: commands end cleanly on both, and say from where they go on.

use std::future::Future;
use std::pin::pin;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use datafusion::common::DataFusionError;

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

/// The code of the last signal that anybody here has heard of; 0 while there was none. Several listeners may wait for one
/// signal, and hear of it one after the other.
static HEARD: AtomicU8 = AtomicU8::new(0);

/// What the program ends with where a command failed.
pub(super) fn failed() -> ExitCode {
    match ENDED_BY.load(Ordering::Relaxed) {
        0 => ExitCode::FAILURE,
        code => ExitCode::from(code),
    }
}

/// Hears of signals from the moment it is made: one that comes before it is asked is told all the same.
struct Signals {
    #[cfg(unix)]
    interrupted: Option<tokio::signal::unix::Signal>,
    #[cfg(unix)]
    terminated: Option<tokio::signal::unix::Signal>,
    #[cfg(windows)]
    interrupted: Option<tokio::signal::windows::CtrlC>,
}

impl Signals {
    /// Without a way to hear of one, it ends the program as it always did.
    #[cfg(unix)]
    fn listen() -> Signals {
        use tokio::signal::unix::{SignalKind, signal};
        Signals { interrupted: signal(SignalKind::interrupt()).ok(), terminated: signal(SignalKind::terminate()).ok() }
    }

    #[cfg(windows)]
    fn listen() -> Signals {
        Signals { interrupted: tokio::signal::windows::ctrl_c().ok() }
    }

    /// Waits for the next signal.
    async fn next(&mut self) -> Signal {
        let interrupted = async {
            match &mut self.interrupted {
                Some(signals) => _ = signals.recv().await,
                None => std::future::pending().await,
            }
        };
        #[cfg(unix)]
        let terminated = async {
            match &mut self.terminated {
                Some(signals) => _ = signals.recv().await,
                None => std::future::pending().await,
            }
        };
        #[cfg(not(unix))]
        let terminated = std::future::pending::<()>();
        let signal = tokio::select! {
            () = interrupted => Signal::Interrupt,
            () = terminated => Signal::Terminate,
        };
        HEARD.store(signal.code(), Ordering::Relaxed);
        signal
    }
}

/// Waits for a signal that comes from now on.
pub(super) fn signal() -> impl Future<Output = Signal> {
    let mut signals = Signals::listen();
    async move { signals.next().await }
}

/// Waits for Ctrl-C pressed from now on; SIGTERM stays what it is.
///
/// Where there is no way to hear of it, it ends the program as it always did.
pub(super) fn interrupt() -> impl Future<Output = ()> {
    #[cfg(unix)]
    let signals = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::interrupt());
    #[cfg(windows)]
    let signals = tokio::signal::windows::ctrl_c();
    async {
        match signals {
            Ok(mut signals) => _ = signals.recv().await,
            Err(_) => std::future::pending().await,
        }
        HEARD.store(Signal::Interrupt.code(), Ordering::Relaxed);
    }
}

/// How long work may take to say itself how it was interrupted.
const TO_SAY_IT: Duration = Duration::from_millis(100);

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
        HEARD.store(0, Ordering::Relaxed);
        let outcome = self.0.block_on(async {
            // Both hear from here on: work may be long at its first step, which may make what others wait for to signal.
            let watch = tokio::spawn(watch(Signals::listen()));
            let (mut work, mut ended) = (pin!(work), pin!(signal()));
            let (outcome, signal) = tokio::select! {
                // What knows better what to say is asked first.
                biased;
                outcome = &mut work => (outcome, None),
                // Work that waits for signals itself may have been at something else when it came.
                signal = &mut ended => match tokio::time::timeout(TO_SAY_IT, &mut work).await {
                    Ok(outcome) => (outcome, Some(signal)),
                    Err(_) => (O::interrupted(said), Some(signal)),
                },
            };
            // Work that waits for signals itself may hear of one before the listener here does.
            let code = signal.map_or_else(|| HEARD.load(Ordering::Relaxed), Signal::code);
            if outcome.is_failure() && code != 0 {
                ENDED_BY.store(code, Ordering::Relaxed);
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
async fn watch(mut signals: Signals) {
    signals.next().await;
    let second = signals.next().await;
    std::process::exit(second.code().into());
}

#[cfg(all(test, unix))]
mod tests {
    use std::sync::{Mutex, PoisonError};

    use super::*;

    /// A signal goes to all threads: one test at a time.
    static ALONE: Mutex<()> = Mutex::new(());

    /// What work comes to, and what the program ends with then.
    fn ended<T>(work: impl Future<Output = Result<T, Failure>>) -> (Result<T, Failure>, u8) {
        let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        ENDED_BY.store(0, Ordering::Relaxed);
        let runtime =
            Runtime::new(tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap());
        (runtime.block_on(work), ENDED_BY.swap(0, Ordering::Relaxed))
    }

    fn kill(signal: &str) {
        let kill = std::process::Command::new("kill").args([signal, &std::process::id().to_string()]).status();
        assert!(kill.unwrap().success());
    }

    #[test]
    fn a_signal_during_the_first_step_is_heard() {
        let (outcome, code) = ended(async {
            // The thread that hears of signals for others hears of this one before the work lets go.
            std::thread::sleep(Duration::from_millis(200));
            kill("-TERM");
            std::thread::sleep(Duration::from_millis(200));
            tokio::time::sleep(Duration::from_secs(5)).await;
            Ok::<_, Failure>(())
        });
        assert!(outcome.unwrap_err().0.starts_with("interrupted"));
        assert_eq!(code, 143);
    }

    #[test]
    fn a_signal_that_the_work_hears_of_first_is_told() {
        for _ in 0..50 {
            let (outcome, code) = ended(async {
                let heard = interrupt();
                kill("-INT");
                heard.await;
                Err::<(), _>(Failure("its own words".into()))
            });
            assert_eq!((outcome.unwrap_err().0.as_str(), code), ("its own words", 130));
        }
    }
}
