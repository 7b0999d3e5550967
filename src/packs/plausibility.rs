//! What somebody who lives in a country would not dispute of its people: `plausibility.toml` beside a pack.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::path::Path;

use datafusion::sql::sqlparser::ast::{Expr, visit_expressions};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::Parser;
use populace_population::{Pack, there_are};
use populace_udfs::{CountryStatements, PlausibilityStatement};
use serde::Deserialize;
use toml::Spanned;

use super::{built_in, path};

/// The file beside a pack.
pub const FILE: &str = "plausibility.toml";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Statements {
    #[serde(default)]
    statement: Vec<Spanned<PlausibilityStatement>>,
}

/// The statements of a file, each with where it begins.
///
/// # Errors
/// If the text is no TOML of this form; with the line.
fn parse(text: &str) -> Result<Vec<Spanned<PlausibilityStatement>>, String> {
    let parsed: Result<Statements, toml::de::Error> = toml::from_str(text);
    parsed.map(|statements| statements.statement).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        format!("{}: {}", populace_population::place(FILE, text, at), error.message().trim())
    })
}

/// What is stated of a country, by its name or by the path of its pack; nothing where nothing is, or where
/// `populace countries check` finds the file to be no TOML.
pub fn of_country(country: &str) -> CountryStatements {
    let (code, text) = match built_in(country) {
        Some(country) => (Some(country.codes[0].to_string()), Some(country.statements.to_string())),
        None if path::is_path(country) => {
            (None, path::folder(country).and_then(|folder| std::fs::read_to_string(folder.join(FILE)).ok()))
        }
        None => (None, None),
    };
    let statements = text.and_then(|text| parse(&text).ok()).unwrap_or_default();
    CountryStatements { code, statements: statements.into_iter().map(Spanned::into_inner).collect() }
}

/// All that is wrong with the statements in a pack's folder, each with its place; nothing where there is no such file.
pub fn faults_in(dir: &Path, pack: &Pack) -> Vec<String> {
    if !dir.join(FILE).exists() {
        return vec![];
    }
    match populace_population::read_text(dir, FILE) {
        Ok(text) => faults(&text, pack),
        Err(error) => vec![error.to_string()],
    }
}

fn faults(text: &str, pack: &Pack) -> Vec<String> {
    let statements = match parse(text) {
        Ok(statements) => statements,
        Err(fault) => return vec![fault],
    };
    let (mut faults, mut names) = (vec![], HashMap::new());
    for statement in &statements {
        let place = populace_population::place(FILE, text, statement.span().start);
        let PlausibilityStatement { name, says, given, expect, share: [low, high], status, source } =
            statement.get_ref();
        let mut fault = |what: String| faults.push(format!("{place}, statement `{name}`: {what}"));
        if let Some(first) = names.insert(name, place.clone()) {
            fault(format!("there is another of this name at {first}"));
        }
        if !(0.0 <= *low && low <= high && *high <= 1.0) {
            fault(format!("`share` is [{low}, {high}]: it must rise, from 0 to 1"));
        }
        if !["official", "estimate"].contains(&status.as_str()) {
            fault(format!("`status` is `{status}`: official or estimate"));
        }
        for (key, text) in [("name", name), ("says", says), ("source", source)] {
            if text.trim().is_empty() {
                fault(format!("`{key}` is empty"));
            }
        }
        for (key, sql) in given.iter().map(|sql| ("given", sql)).chain([("expect", expect)]) {
            if let Err(why) = reads(sql, pack) {
                fault(format!("`{key}`: {why}"));
            }
        }
    }
    faults
}

/// Whether a condition is SQL that reads columns of the pack.
fn reads(sql: &str, pack: &Pack) -> Result<(), String> {
    let mut parser = Parser::new(&GenericDialect {}).try_with_sql(sql).map_err(|error| error.to_string())?;
    let condition = parser.parse_expr().map_err(|error| error.to_string())?;
    let rest = parser.peek_token().token.to_string();
    if rest != "EOF" {
        return Err(format!("it ends before `{rest}`"));
    }
    let schema = pack.schema();
    let columns: Vec<&str> = schema.fields().iter().map(|f| f.name().as_str()).collect();
    let unknown = visit_expressions(&condition, |expr| match expr {
        Expr::Identifier(name) if !columns.contains(&name.value.as_str()) => ControlFlow::Break(name.value.clone()),
        _ => ControlFlow::Continue(()),
    });
    match unknown {
        ControlFlow::Break(name) => Err(format!("the pack has no column `{name}`{}", there_are(&name, &columns))),
        ControlFlow::Continue(()) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packs;

    /// Each of forty statements or more, about columns that the country has.
    #[test]
    fn every_country_has_statements() {
        for name in packs::NAMES {
            let pack = packs::open(name).unwrap().unwrap();
            assert_eq!(faults(built_in(name).unwrap().statements, &pack), Vec::<String>::new(), "{name}");
            assert!(of_country(name).statements.len() >= 40, "{name}");
        }
    }
}
