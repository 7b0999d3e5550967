//! What a person is told of an error.

use std::collections::BTreeSet;

use datafusion::common::{Column, DataFusionError, SchemaError};
use populace_population::{did_you_mean, there_are};

use crate::database::VIEW;

/// The innermost message of an error, without the names of the layers it came through.
pub fn message(error: &DataFusionError) -> String {
    match error {
        DataFusionError::Plan(text) | DataFusionError::Execution(text) | DataFusionError::NotImplemented(text) => {
            strip(text)
        }
        DataFusionError::SQL(error, _) => strip(&error.to_string()),
        DataFusionError::SchemaError(error, _) => match error.as_ref() {
            SchemaError::FieldNotFound { field, valid_fields } => no_column(&field.name, valid_fields),
            other => strip(&other.to_string()),
        },
        DataFusionError::Context(context, inner) if context.contains("written before") => {
            format!("{}. {context}", message(inner))
        }
        DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner) => message(inner),
        DataFusionError::Shared(inner) => message(inner),
        DataFusionError::Collection(errors) => errors.iter().map(message).collect::<Vec<_>>().join("\n"),
        DataFusionError::External(error) => match error.downcast_ref::<DataFusionError>() {
            Some(inner) => message(inner),
            None => strip(&error.to_string()),
        },
        other => strip(&other.strip_backtrace()),
    }
}

/// Names that are told one by one.
const TOLD: usize = 40;

/// An unknown column, with the nearest of those there are, or those that share a word with it, or all if they are few.
fn no_column(name: &str, columns: &[Column]) -> String {
    let names: Vec<&str> = columns.iter().map(|c| c.name.as_str()).collect();
    if names.is_empty() {
        return format!("no column `{name}`: there is no table to take it from");
    }
    let hint = did_you_mean(name, names.iter().copied());
    if !hint.is_empty() {
        return format!("no column `{name}`{hint}");
    }
    let wanted = name.to_lowercase();
    let shares_word = |column: &str| {
        let words = || wanted.split('_').filter(|word| word.chars().count() >= 3);
        column.to_lowercase().split('_').any(|own| words().any(|word| own.starts_with(word)))
    };
    // Who looks for a vector says so.
    let alike = names.iter().filter(|n| shares_word(n) && (!n.ends_with("_embedding") || wanted.contains("embedding")));
    let alike: Vec<String> = alike.take(6).map(|n| format!("`{n}`")).collect();
    if !alike.is_empty() {
        return format!("no column `{name}`; perhaps {}?", alike.join(" or "));
    }
    if names.len() <= TOLD {
        return format!("no column `{name}`{}", there_are(name, &names));
    }
    let tables: BTreeSet<Option<&str>> = columns.iter().map(|c| Some(c.relation.as_ref()?.table())).collect();
    match tables.first() {
        Some(Some(table)) if tables.len() == 1 => {
            format!("no column `{name}`. DESCRIBE {table} tells the {} that there are", names.len())
        }
        _ => format!("no column `{name}` among the {} that there are", names.len()),
    }
}

fn strip(text: &str) -> String {
    let mut text = text.split("\n\nbacktrace:").next().unwrap_or(text);
    // Lance says where in its sources it noticed.
    if let Some((said, place)) = text.rsplit_once(", ")
        && place.contains(".rs:")
        && !place.contains(' ')
    {
        text = said;
    }
    let prefixes = [
        "Error during planning: ",
        "Execution error: ",
        "External error: ",
        "Query Execution error: ",
        "sql parser error: ",
        "Schema error: ",
    ];
    while let Some(rest) = prefixes.iter().find_map(|p| text.strip_prefix(p)) {
        text = rest;
    }
    text.to_string()
}

/// Names the nearest table or table function where a statement named one that there is not.
pub(super) fn with_names(error: DataFusionError, tables: &[String], functions: &[String]) -> DataFusionError {
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
        return DataFusionError::Plan(format!("there is no table {name}{}", all(near(name, tables), tables)));
    }
    if let Some(name) = between(&text, "table '", "' not found") {
        return DataFusionError::Plan(format!("there is no table {name}"));
    }
    for (before, after) in [("No table named '", "'"), ("Table '", "' doesn't exist"), ("View '", "' doesn't exist")] {
        if let Some(name) = between(&text, before, after) {
            return DataFusionError::Plan(format!("there is no table {name}{}", all(near(name, tables), tables)));
        }
    }
    if text.starts_with("Column count doesn't match insert query") || text.starts_with("Inconsistent data length") {
        let text = "the rows have another number of columns than the table: name those they have, as in \
                    INSERT INTO t (a, b) …, or write INSERT INTO t BY NAME SELECT …";
        return DataFusionError::Plan(text.into());
    }
    for what in ["table function '", "Invalid function '"] {
        if let Some(name) = between(&text, what, "'") {
            return DataFusionError::Plan(format!("there is no function {name}{}", near(name, functions)));
        }
    }
    error
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    let start = text.find(before)? + before.len();
    text[start..].split_once(after).map(|(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_column_is_told_with_what_may_be_meant() {
        let column = |name: &str| Column::new(Some("people"), name);
        let few: Vec<Column> = ["age", "marital_code", "marital_status", "persona_embedding"].map(column).into();
        assert_eq!(no_column("agee", &few), "no column `agee`; did you mean `age`?");
        assert_eq!(no_column("marital", &few), "no column `marital`; perhaps `marital_code` or `marital_status`?");
        assert_eq!(
            no_column("religion", &few[..3]),
            "no column `religion`. There are: age, marital_code, marital_status"
        );
        assert_eq!(no_column("embedding", &few), "no column `embedding`; perhaps `persona_embedding`?");
        let many: Vec<Column> = (0..50).map(|at| column(&format!("column{at}"))).collect();
        assert_eq!(no_column("religion", &many), "no column `religion`. DESCRIBE people tells the 50 that there are");
        let two: Vec<Column> = many.iter().cloned().chain([Column::new(Some("places"), "city")]).collect();
        assert_eq!(no_column("religion", &two), "no column `religion` among the 51 that there are");
        assert_eq!(no_column("age", &[]), "no column `age`: there is no table to take it from");
    }
}
