//! Errors with what there is in the place of what there is not.

use datafusion::common::DataFusionError;
use populace_population::did_you_mean;

use crate::database::VIEW;
use crate::error::{Error, ErrorKind, message};
use crate::sql::Files;

/// Names the nearest table or table function where a statement named one that there is not.
pub(super) fn with_names(
    error: DataFusionError,
    tables: &[String],
    functions: &[String],
    files: Files,
) -> DataFusionError {
    let text = message(&error);
    let near = |name: &str, among: &[String]| {
        did_you_mean(name, among.iter().map(String::as_str).chain([VIEW]).filter(|n| *n != name))
    };
    let all = |hint: String, tables: &[String]| match (hint.is_empty(), tables.is_empty()) {
        (true, false) if tables.len() <= 20 => format!(". There are: {}", tables.join(", ")),
        (true, true) => "; the database has no tables yet, `populace generate` makes one".to_string(),
        _ => hint,
    };
    if let Some(name) = between(&text, "table 'datafusion.public.", "' not found") {
        if is_file(name) {
            return match files {
                Files::Allowed => told(ErrorKind::NotFound, format!("there is no file {name}, or it cannot be read")),
                Files::Forbidden => {
                    let text = format!("{name} is a file outside of the database; start with --allow-files to read it");
                    told(ErrorKind::Permission, text)
                }
            };
        }
        return told(ErrorKind::NotFound, format!("there is no table {name}{}", all(near(name, tables), tables)));
    }
    if let Some(name) = between(&text, "table '", "' not found") {
        return told(ErrorKind::NotFound, format!("there is no table {name}"));
    }
    for (before, after) in [("No table named '", "'"), ("Table '", "' doesn't exist"), ("View '", "' doesn't exist")] {
        if let Some(name) = between(&text, before, after) {
            return told(ErrorKind::NotFound, format!("there is no table {name}{}", all(near(name, tables), tables)));
        }
    }
    if text.starts_with("Column count doesn't match insert query") || text.starts_with("Inconsistent data length") {
        let text = "the rows have another number of columns than the table: name those they have, as in \
                    INSERT INTO t (a, b) …, or write INSERT INTO t BY NAME SELECT …";
        return told(ErrorKind::Usage, text.into());
    }
    for what in ["table function '", "Invalid function '"] {
        if let Some(name) = between(&text, what, "'") {
            return told(ErrorKind::NotFound, format!("there is no function {name}{}", near(name, functions)));
        }
    }
    error
}

fn told(kind: ErrorKind, text: String) -> DataFusionError {
    Error::new(kind, text).into()
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    let start = text.find(before)? + before.len();
    text[start..].split_once(after).map(|(name, _)| name)
}

/// Whether a name is that of a file that could be read.
fn is_file(name: &str) -> bool {
    let extension = name.rsplit_once('.').map(|(_, extension)| extension);
    extension.is_some_and(|e| ["csv", "parquet", "json", "ndjson", "jsonl", "arrow"].contains(&e))
}
