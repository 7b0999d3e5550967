//! Waiting for work on threads of the library's own, without the interpreter's lock, and with an ear for Ctrl-C.

use std::future::Future;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use datafusion::common::Result as Planned;
use populace::error::{Error, ErrorKind};
use pyo3::prelude::*;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

use crate::error::{exception, gone, interrupted};

/// How long a wait goes on before it is asked whether there was a signal.
pub(crate) const LOOK: Duration = Duration::from_millis(50);

/// Memory that is set apart for a thread's calls, as the command line does it: plans of long conditions nest deep.
const STACK: usize = 256 << 20;

/// The threads, and the process that they are in.
static RUNTIME: OnceLock<(u32, Result<Runtime, String>)> = OnceLock::new();

/// The threads that statements run on.
///
/// # Errors
/// If there can be none, or this process was forked off the one that has them.
pub(crate) fn runtime() -> Result<&'static Runtime, Error> {
    let (owner, runtime) = RUNTIME.get_or_init(|| {
        let builder = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .thread_name("populace")
            .thread_stack_size(STACK)
            .build();
        (std::process::id(), builder.map_err(|e| format!("no thread to run on: {e}")))
    });
    if *owner != std::process::id() {
        let text = "this process was forked off one that had used populace, whose threads and locks are not in it";
        let hint =
            "start processes by multiprocessing.set_start_method('spawn'), or use populace in the children alone";
        return Err(Error::new(ErrorKind::Usage, text).hint(hint));
    }
    runtime.as_ref().map_err(|text| Error::new(ErrorKind::Internal, text))
}

/// Ends work on behalf of another thread: `asyncio`, whose waiting threads hear of no signal.
#[pyclass(frozen, module = "populace._populace")]
#[derive(Default)]
pub(crate) struct Cancel(AtomicBool);

#[pymethods]
impl Cancel {
    #[new]
    fn new() -> Cancel {
        Cancel::default()
    }

    /// Ends it, now or as soon as it begins.
    fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Cancel {
    fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// A task that ends with whoever waits for it.
pub(crate) struct Ended(pub JoinHandle<()>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// How long work that was dropped may take to let go of what it holds.
const GRACE: Duration = Duration::from_secs(5);

/// Waits until work that was dropped is gone: whoever takes its run up again is not told then that it is at work.
pub(crate) fn until_gone<T>(told: &Receiver<T>) {
    let end = Instant::now() + GRACE;
    while told.recv_timeout(end.saturating_duration_since(Instant::now())).is_ok() {}
}

/// What is to be done between two looks: nothing where it says so, an exception where the wait is over.
///
/// # Errors
/// `KeyboardInterrupt`, what a signal's handler raised, or that another thread ended it.
pub(crate) fn look(py: Python<'_>, cancel: Option<&Cancel>) -> PyResult<()> {
    crate::log::deliver(py);
    py.check_signals()?;
    match cancel.is_some_and(Cancel::is_cancelled) {
        true => Err(exception(py, &interrupted())),
        false => Ok(()),
    }
}

/// Does work on the library's threads and waits for it; interrupted, the work is dropped.
///
/// # Errors
/// Those of the work, as exceptions; `KeyboardInterrupt`; whatever `tick` raises, which is called now and then.
pub(crate) fn wait<T: Send + 'static>(
    py: Python<'_>,
    cancel: Option<&Cancel>,
    work: impl Future<Output = Planned<T>> + Send + 'static,
    tick: impl Fn() -> PyResult<()>,
) -> PyResult<T> {
    let runtime = runtime().map_err(|error| exception(py, &error))?;
    let (tell, told) = sync_channel(1);
    let task = runtime.spawn(async move {
        let done = work.await.map_err(|error| Error::from(&error));
        // Whoever waited may have left.
        _ = tell.send(done);
    });
    let task = Ended(task);
    let mut waiting = told;
    loop {
        let (told, heard) = py.detach(move || {
            let heard = waiting.recv_timeout(LOOK);
            (waiting, heard)
        });
        waiting = told;
        match heard {
            Ok(done) => {
                crate::log::deliver(py);
                return done.map_err(|error| exception(py, &error));
            }
            Err(RecvTimeoutError::Timeout) => {
                if let Err(raised) = look(py, cancel).and_then(|()| tick()) {
                    drop(task);
                    py.detach(move || until_gone(&waiting));
                    return Err(raised);
                }
            }
            Err(RecvTimeoutError::Disconnected) => return Err(exception(py, &gone())),
        }
    }
}
