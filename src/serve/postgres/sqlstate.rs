//! Our kinds of errors as PostgreSQL's codes.

use std::borrow::Cow;

use super::messages::{Report, Severity};
use super::session::Place;
use crate::engine::{Error, ErrorKind};

pub(super) const NO_TRANSACTION: &str = "25P01";
pub(super) const FAILED_TRANSACTION: &str = "25P02";
pub(super) const SHUT_DOWN: &str = "57P01";
pub(super) const PROTOCOL: &str = "08P01";
pub(super) const WARNING: &str = "01000";
pub(super) const NOTICE: &str = "00000";

/// The code of an error.
pub(super) fn code(error: &Error) -> &'static str {
    let says = |what: &str| error.message.contains(what);
    match error.kind {
        ErrorKind::Syntax if says("a message of the protocol") => PROTOCOL,
        ErrorKind::Syntax => "42601",
        ErrorKind::Usage => "22023",
        ErrorKind::NotFound if says("no column") => "42703",
        ErrorKind::NotFound if says("prepared statement") => "26000",
        ErrorKind::NotFound if says("portal") => "34000",
        ErrorKind::NotFound if says("function") => "42883",
        ErrorKind::NotFound if says("table") => "42P01",
        ErrorKind::NotFound => "42704",
        ErrorKind::Exists if says("prepared statement") => "42P05",
        ErrorKind::Exists => "42P07",
        ErrorKind::Conflict => "40001",
        ErrorKind::Permission => "42501",
        // Statements that took too long are ended as those that somebody cancelled.
        ErrorKind::Limit if says("took longer") => "57014",
        ErrorKind::Limit if says("statements at work") || says("connections") => "53300",
        ErrorKind::Limit if says("memory") => "53200",
        ErrorKind::Limit => "54000",
        ErrorKind::Unavailable if says("the server") && says("end") => SHUT_DOWN,
        ErrorKind::Unavailable => "57P03",
        ErrorKind::Interrupted => "57014",
        ErrorKind::Io => "58030",
        ErrorKind::Unsupported => "0A000",
        ErrorKind::Execution => "22000",
        _ => "XX000",
    }
}

/// An error as it is told, of the statement at a place of what was sent.
pub(super) fn report<'a>(error: &'a Error, severity: Severity, place: &Place) -> Report<'a> {
    let position = error.position.filter(|at| at.line > 0 && !place.text.is_empty()).map(|at| {
        let lines = place.text.split_inclusive('\n').take(at.line as usize - 1);
        place.before + lines.map(|line| line.chars().count()).sum::<usize>() + (at.column as usize).max(1)
    });
    let message = in_sql(&error.message);
    Report { severity, code: code(error), message, hint: error.hint.as_deref(), position }
}

/// A message with coded text called as clients know it: as text.
fn in_sql(message: &str) -> Cow<'_, str> {
    const CODED: &str = "Dictionary(";
    let mut told = Cow::Borrowed("");
    let mut rest = message;
    while let Some(at) = rest.find(CODED) {
        let (before, after) = (&rest[..at], &rest[at + CODED.len()..]);
        let coded = after.split_once(", Utf8)").filter(|(key, _)| key.chars().all(|c| c.is_ascii_alphanumeric()));
        told += before;
        (told, rest) = match coded {
            Some((_, after)) => (told + "text", after),
            None => (told + CODED, after),
        };
    }
    told + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coded_text_is_text() {
        for (message, told) in [
            ("no", "no"),
            ("which Dictionary(Int32, Utf8) is not", "which text is not"),
            ("Dictionary(UInt16, Utf8) = Dictionary(Int8, Utf8)", "text = text"),
            (
                "a List(Dictionary(Int32, Utf8)) and Dictionary(Int32, Int64)",
                "a List(text) and Dictionary(Int32, Int64)",
            ),
            ("'Dictionary(' é", "'Dictionary(' é"),
        ] {
            assert_eq!(in_sql(message), told);
        }
    }

    #[test]
    fn every_kind_has_a_code_and_places_are_counted_in_characters() {
        for (kind, text, expected) in [
            (ErrorKind::Syntax, "odd", "42601"),
            (ErrorKind::NotFound, "there is no table `usaa`", "42P01"),
            (ErrorKind::NotFound, "no column `agee`", "42703"),
            (ErrorKind::Limit, "the statement took longer than 2 s and was ended", "57014"),
            (ErrorKind::Limit, "the answer has more than 3 rows", "54000"),
            (ErrorKind::Limit, "the server has as many statements at work as it may", "53300"),
            (ErrorKind::Interrupted, "cancelled", "57014"),
            (ErrorKind::Internal, "odd", "XX000"),
        ] {
            assert_eq!(code(&Error::new(kind, text)), expected, "{text}");
        }
        let mut error = Error::new(ErrorKind::Syntax, "odd");
        error.position = Some(
            crate::sql::parse("SELECT 'é',\n  1 +;", 50)
                .map(|_| ())
                .map_err(|e| Error::from(&e).position.unwrap())
                .unwrap_err(),
        );
        assert_eq!(report(&error, Severity::Error, &Place::new("SELECT 'é',\n  1 +;", 10)).position, Some(10 + 12 + 6));
    }
}
