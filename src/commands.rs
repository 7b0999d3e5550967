//! Statements about tables that no parser knows, as calls of procedures, which it does:
//!
//! | statement | call |
//! |---|---|
//! | `RESTORE TABLE usa TO VERSION AS OF 3` (or `'tag'`) | `CALL restore('usa', 3)` |
//! | `ALTER TABLE usa CREATE [OR REPLACE] TAG checked [VERSION AS OF 3]` | `CALL create_tag('usa', 'checked', 3, false)` |
//! | `ALTER TABLE usa DROP TAG checked` | `CALL drop_tag('usa', 'checked')` |
//! | `OPTIMIZE [TABLE] usa` | `CALL optimize('usa')` |
//! | `COPY usa FROM 'people.parquet'` | `CALL import('usa', 'people.parquet')` |

use std::path::PathBuf;
use std::time::Duration;

use datafusion::common::{Result, plan_err};
use datafusion::sql::sqlparser::ast::{Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Value};
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan, Word};
use populace_population::there_are;

use crate::database::At;
use crate::statements::{is_word, offset, quoted_text, tokens};

/// How old a version must be for cleaning up to remove it.
pub(crate) const KEPT: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// What a statement about a table does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Command {
    Restore { table: String, at: At },
    CreateTag { table: String, tag: String, at: Option<At>, replace: bool },
    DropTag { table: String, tag: String },
    Optimize { table: String },
    Import { table: String, files: Vec<PathBuf> },
}

const RESTORE: &str = "RESTORE TABLE usa TO VERSION AS OF 3, or TO VERSION AS OF 'tag'";
const TAG: &str = "ALTER TABLE usa CREATE [OR REPLACE] TAG name [VERSION AS OF 3], and ALTER TABLE usa DROP TAG name";

/// The procedures, and the statements that one would rather write.
const PROCEDURES: [(&str, &str); 5] = [
    ("restore", RESTORE),
    ("create_tag", TAG),
    ("drop_tag", TAG),
    ("optimize", "OPTIMIZE usa"),
    ("import", "COPY usa FROM 'people.parquet'"),
];

/// Statements about tables as calls; all others as they are.
///
/// # Errors
/// If one begins like such a statement and goes on otherwise.
pub(crate) fn as_calls(sql: &str) -> Result<String> {
    let tokens = tokens(sql);
    let mut text = sql.to_string();
    // From the end, so that what comes before keeps its place.
    for statement in tokens.split(|t| t.token == Token::SemiColon).rev() {
        if let (Some(first), Some(last), Some(call)) = (statement.first(), statement.last(), call(statement)?) {
            text.replace_range(offset(sql, first.span.start)..offset(sql, last.span.end), &call);
        }
    }
    Ok(text)
}

/// The statement as a call, if it is one about a table.
fn call(statement: &[TokenWithSpan]) -> Result<Option<String>> {
    let mut words = Words(statement);
    if words.take("optimize") {
        words.take("table");
        return match (words.name(), words.is_done()) {
            (Some(table), true) => Ok(Some(format!("CALL optimize({})", quoted_text(&table)))),
            _ => plan_err!("OPTIMIZE takes a table: OPTIMIZE usa"),
        };
    }
    if words.take("restore") {
        words.take("table");
        let table = words.name();
        words.take("to");
        return match (table, words.version(), words.is_done()) {
            (Some(table), Some(at), true) => Ok(Some(format!("CALL restore({}, {})", quoted_text(&table), value(&at)))),
            _ => plan_err!("a table goes back to a version by {RESTORE}"),
        };
    }
    if words.take("rollback") && !words.is_done() && (words.take("table") || words.name().is_some()) {
        return plan_err!("a table goes back to a version by {RESTORE}");
    }
    if words.take("copy") {
        let Some(table) = words.name() else { return Ok(None) };
        if !words.take("from") {
            return Ok(None);
        }
        let mut files = vec![quoted_text(&table)];
        loop {
            match words.next() {
                Some(Token::SingleQuotedString(file)) => files.push(quoted_text(file)),
                _ => return plan_err!("COPY takes files in quotes: COPY {table} FROM 'people.parquet'"),
            }
            match words.next() {
                None => return Ok(Some(format!("CALL import({})", files.join(", ")))),
                Some(Token::Comma) => {}
                Some(_) => {
                    return plan_err!(
                        "COPY … FROM takes files and nothing else; `populace import` maps columns and meets broken values"
                    );
                }
            }
        }
    }
    if !(words.take("alter") && words.take("table")) {
        return Ok(None);
    }
    let Some(table) = words.name().map(|t| quoted_text(&t)) else { return Ok(None) };
    if words.take("restore") || words.take("rollback") {
        return plan_err!("a table goes back to a version by {RESTORE}");
    }
    if words.take("create") {
        let replace = words.take("or") && words.take("replace");
        let tag = if words.take("tag") { words.label() } else { None };
        let at = match words.is_done() {
            true => Some("NULL".into()),
            false => words.version().map(|at| value(&at)),
        };
        return match (tag, at, words.is_done()) {
            (Some(tag), Some(at), true) => {
                Ok(Some(format!("CALL create_tag({table}, {}, {at}, {replace})", quoted_text(&tag))))
            }
            _ => plan_err!("a version gets a name by {TAG}"),
        };
    }
    if words.take("drop") && words.take("tag") {
        return match (words.label(), words.is_done()) {
            (Some(tag), true) => Ok(Some(format!("CALL drop_tag({table}, {})", quoted_text(&tag)))),
            _ => plan_err!("a version loses a name by ALTER TABLE usa DROP TAG name"),
        };
    }
    Ok(None)
}

fn value(at: &At) -> String {
    match at {
        At::Version(version) => version.to_string(),
        At::Tag(tag) => quoted_text(tag),
    }
}

/// What is left of a statement.
struct Words<'a>(&'a [TokenWithSpan]);

impl<'a> Words<'a> {
    fn next(&mut self) -> Option<&'a Token> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(&first.token)
    }

    /// Takes a word, if it comes next.
    fn take(&mut self, word: &str) -> bool {
        let there = self.0.first().is_some_and(|t| is_word(&t.token, word));
        if there {
            self.next();
        }
        there
    }

    fn is_done(&self) -> bool {
        self.0.is_empty()
    }

    /// A name, in small letters where it is not quoted.
    fn name(&mut self) -> Option<String> {
        match self.next()? {
            Token::Word(Word { value, quote_style: None, .. }) => Some(value.to_lowercase()),
            Token::Word(Word { value, .. }) => Some(value.clone()),
            _ => None,
        }
    }

    /// A tag: a name, or a text.
    fn label(&mut self) -> Option<String> {
        if let Some(Token::SingleQuotedString(text)) = self.0.first().map(|t| &t.token) {
            self.next();
            return Some(text.clone());
        }
        self.name()
    }

    /// `VERSION AS OF 3`, or the version alone.
    fn version(&mut self) -> Option<At> {
        if self.take("version") && self.take("as") {
            self.take("of");
        }
        match self.next()? {
            Token::Number(number, _) => number.parse().ok().map(At::Version),
            Token::SingleQuotedString(tag) => Some(At::named(tag)),
            _ => None,
        }
    }
}

impl Command {
    /// What a call does.
    ///
    /// # Errors
    /// If there is no such procedure, or its arguments are others.
    pub fn of(call: &Function) -> Result<Command> {
        let name = call.name.to_string().to_lowercase();
        let Some((_, usage)) = PROCEDURES.iter().find(|(p, _)| *p == name) else {
            let names: Vec<&str> = PROCEDURES.iter().map(|(p, _)| *p).collect();
            return plan_err!("there is no procedure {name}{}", there_are(&name, &names));
        };
        let values: Vec<&Value> = match &call.args {
            FunctionArguments::List(list) => list.args.iter().filter_map(literal).collect(),
            _ => vec![],
        };
        let texts: Vec<Option<&str>> = values.iter().map(|v| as_text(v)).collect();
        let given = match &call.args {
            FunctionArguments::List(list) => list.args.len(),
            _ => 0,
        };
        let table = texts.first().copied().flatten().map(String::from);
        let command = match (name.as_str(), table, values.as_slice()) {
            _ if given != values.len() => None,
            ("restore", Some(table), [_, at]) => as_version(at).map(|at| Command::Restore { table, at }),
            ("create_tag", Some(table), [_, tag, more @ ..]) if more.len() <= 2 => {
                let replace = matches!(more.get(1), Some(Value::Boolean(true)));
                as_text(tag).map(|tag| Command::CreateTag {
                    table,
                    tag: tag.into(),
                    at: more.first().and_then(|at| as_version(at)),
                    replace,
                })
            }
            ("drop_tag", Some(table), [_, tag]) => as_text(tag).map(|tag| Command::DropTag { table, tag: tag.into() }),
            ("optimize", Some(table), [_]) => Some(Command::Optimize { table }),
            ("import", Some(table), [_, _, ..]) => {
                let files: Option<Vec<PathBuf>> = texts[1..].iter().map(|t| t.map(PathBuf::from)).collect();
                files.map(|files| Command::Import { table, files })
            }
            _ => None,
        };
        match command {
            Some(command) => Ok(command),
            None => plan_err!("CALL {name} has other arguments than it takes; write {usage}"),
        }
    }
}

fn literal(argument: &FunctionArg) -> Option<&Value> {
    match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Value(value))) => Some(&value.value),
        _ => None,
    }
}

fn as_text(value: &Value) -> Option<&str> {
    if let Value::SingleQuotedString(text) = value { Some(text) } else { None }
}

fn as_version(value: &Value) -> Option<At> {
    match value {
        Value::Number(number, _) => number.parse().ok().map(At::Version),
        Value::SingleQuotedString(tag) => Some(At::named(tag)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_become_calls() {
        for (sql, call) in [
            ("RESTORE TABLE Usa TO VERSION AS OF 3", "CALL restore('usa', 3)"),
            ("restore table \"Usa\" to version as of 'be''fore'", "CALL restore('Usa', 'be''fore')"),
            ("ALTER TABLE usa CREATE TAG checked", "CALL create_tag('usa', 'checked', NULL, false)"),
            ("ALTER TABLE usa CREATE OR REPLACE TAG v1 VERSION AS OF 2", "CALL create_tag('usa', 'v1', 2, true)"),
            ("ALTER TABLE usa DROP TAG 'v1.0'", "CALL drop_tag('usa', 'v1.0')"),
            ("OPTIMIZE usa", "CALL optimize('usa')"),
            ("OPTIMIZE TABLE usa;\nSELECT 'é; RESTORE'", "CALL optimize('usa');\nSELECT 'é; RESTORE'"),
            ("COPY usa FROM 'a.csv', 'b.csv'", "CALL import('usa', 'a.csv', 'b.csv')"),
        ] {
            assert_eq!(as_calls(sql).unwrap(), call);
        }
        for same in [
            "SELECT restore FROM usa VERSION AS OF 3",
            "ALTER TABLE usa ADD COLUMN tag VARCHAR",
            "ALTER TABLE usa DROP COLUMN tag",
            "COPY usa TO 'x.csv'",
            "COPY (SELECT 1) TO 'x.csv'",
            "ROLLBACK",
            "CREATE TABLE restore AS SELECT 1 AS x",
            "'",
            "",
        ] {
            assert_eq!(as_calls(same).unwrap(), same);
        }
    }

    #[test]
    fn others_are_told_what_to_write() {
        for (sql, says) in [
            ("ALTER TABLE usa RESTORE VERSION 3", "RESTORE TABLE usa TO VERSION AS OF 3"),
            ("RESTORE usa", "RESTORE TABLE usa TO VERSION AS OF 3"),
            ("ROLLBACK TABLE usa TO VERSION 3", "RESTORE TABLE"),
            ("ALTER TABLE usa CREATE BRANCH b", "CREATE [OR REPLACE] TAG"),
            ("OPTIMIZE", "OPTIMIZE usa"),
            ("COPY usa FROM STDIN", "in quotes"),
            ("COPY usa FROM 'a.csv' WITH CSV", "populace import"),
        ] {
            let error = as_calls(sql).unwrap_err().to_string();
            assert!(error.contains(says), "{sql}: {error}");
        }
    }
}
