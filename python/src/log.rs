//! What the library says of its work, for `logging`. Records are kept here until a thread of Python that waits or calls
//! comes by: a thread of the library that took the interpreter's lock to say something could wait for one that waits
//! for it.

use std::collections::VecDeque;
use std::fmt::{self, Write};
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Mutex, Once, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use pyo3::prelude::*;
use tracing::field::{Field, Visit};
use tracing::subscriber::Interest;
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt};

/// Records that are kept at most; what comes then is lost.
const MOST: usize = 10_000;

/// The level of `logging` from which on records are wanted; 255 for none.
static LEVEL: AtomicU8 = AtomicU8::new(u8::MAX);
static IS_THERE: AtomicBool = AtomicBool::new(false);
static RECORDS: Mutex<VecDeque<Record>> = Mutex::new(VecDeque::new());

struct Record {
    level: u8,
    target: &'static str,
    text: String,
    /// Seconds since 1970
    at: f64,
}

/// The number that `logging` has for a level.
fn number(level: &Level) -> u8 {
    match *level {
        Level::ERROR => 40,
        Level::WARN => 30,
        Level::INFO => 20,
        Level::DEBUG => 10,
        Level::TRACE => 5,
    }
}

fn is_wanted(metadata: &Metadata<'_>) -> bool {
    // What Lance and DataFusion say is of interest to those who mend them.
    number(metadata.level()) >= LEVEL.load(Ordering::Relaxed) && metadata.target().starts_with("populace")
}

struct Bridge;

impl<S: Subscriber> Layer<S> for Bridge {
    fn register_callsite(&self, _: &'static Metadata<'static>) -> Interest {
        // The level may change at any time.
        Interest::sometimes()
    }

    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        is_wanted(metadata)
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let metadata = event.metadata();
        let mut text = Text::default();
        event.record(&mut text);
        let at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        let record = Record { level: number(metadata.level()), target: metadata.target(), text: text.0, at };
        let mut records = RECORDS.lock().unwrap_or_else(PoisonError::into_inner);
        if records.len() < MOST {
            records.push_back(record);
            IS_THERE.store(true, Ordering::Relaxed);
        }
    }
}

/// The message of an event, and its fields after it.
#[derive(Default)]
struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        _ = match field.name() {
            "message" if self.0.is_empty() => write!(self.0, "{value:?}"),
            "message" => {
                let fields = std::mem::take(&mut self.0);
                write!(self.0, "{value:?} {fields}")
            }
            name if self.0.is_empty() => write!(self.0, "{name}={value:?}"),
            name => write!(self.0, " {name}={value:?}"),
        };
    }
}

/// Says from which level of `logging` on records are wanted.
#[pyfunction]
pub(crate) fn log_level(level: u8) {
    static BRIDGE: Once = Once::new();
    BRIDGE.call_once(|| {
        // Nothing is said where the process has another subscriber already.
        _ = tracing::subscriber::set_global_default(tracing_subscriber::registry().with(Bridge));
    });
    LEVEL.store(level, Ordering::Relaxed);
}

/// Hands what was said to `logging`.
pub(crate) fn deliver(py: Python<'_>) {
    if !IS_THERE.swap(false, Ordering::Relaxed) {
        return;
    }
    let records = std::mem::take(&mut *RECORDS.lock().unwrap_or_else(PoisonError::into_inner));
    let records: Vec<_> = records.into_iter().map(|r| (r.level, r.target.replace("::", "."), r.text, r.at)).collect();
    // A handler that fails is no reason for a statement to fail.
    let said = py.import("populace._log").and_then(|module| module.getattr("emit")?.call1((records,)));
    if let Err(error) = said {
        error.write_unraisable(py, None);
    }
}
