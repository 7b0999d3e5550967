//! Errors as exceptions: a class for each kind, with the hint and the place in the statement.

use populace::error::{Error, ErrorKind};
use pyo3::prelude::*;

/// The exception for an error, of the class that `populace._errors` has for its kind.
pub(crate) fn exception(py: Python<'_>, error: &Error) -> PyErr {
    let position = error.position.map(|at| (at.line, at.column));
    let arguments = (error.kind.name(), &error.message, &error.hint, position);
    let made = py.import("populace._errors").and_then(|module| module.getattr("of_kind")?.call1(arguments));
    made.map_or_else(|failed| failed, PyErr::from_value)
}

/// The exception for a slip of whoever calls.
pub(crate) fn usage(py: Python<'_>, text: impl Into<String>) -> PyErr {
    exception(py, &Error::new(ErrorKind::Usage, text))
}

/// What is told of a database that was closed.
pub(crate) fn closed() -> Error {
    Error::new(ErrorKind::Usage, "the database is closed").hint("populace.connect opens it again")
}

/// What is told where a task ended by a panic, which has said why on standard error.
pub(crate) fn gone() -> Error {
    Error::new(ErrorKind::Internal, "it ended without a word: a fault of the program's own")
}

/// What is told of work that was ended by Ctrl-C, or because nobody waits for it any more.
pub(crate) fn interrupted() -> Error {
    Error::new(ErrorKind::Interrupted, "it was interrupted").hint("what is committed stays")
}
