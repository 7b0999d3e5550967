//! Recipes: statements for what people do over and over, each a file in `sql/recipes/` with parameters.
//!
//! A file begins with a comment: what the recipe is for, then a line for each parameter:
//!
//! ```sql
//! -- People who meet criteria, in a few columns.
//! --
//! -- param table identifier = usa -- the table of people
//! -- param where expression = age >= 65 -- whom to take
//! -- param n number = 20 -- how many at most
//! SELECT * FROM {{ table }} WHERE ({{ where }}) LIMIT {{ n }};
//! ```
//!
//! `name|old` takes values by an older name too. A parameter without `=` has no default, and must be given. Kinds: `identifier` (a name of a table or column),
//! `identifiers` (several, parted by commas), `number`, `text` (quoted where it stands), and `expression` (any SQL
//! expression).

use std::collections::BTreeMap;

use minijinja::{Environment, UndefinedBehavior};
use populace_population::there_are;

use crate::sql;

macro_rules! recipes {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../sql/recipes/", $name, ".sql")))),*]
    };
}

/// The files, by the names of the recipes.
const FILES: &[(&str, &str)] = recipes!(
    "ab_panels",
    "balanced_training_set",
    "bias_mitigation",
    "context_pack",
    "degree_share",
    "diversity",
    "evaluation_panel",
    "filter_people",
    "occupation_by_age",
    "raked_mean",
    "rebalance",
    "representation",
    "stereotypes",
    "user_segments",
);

/// What a parameter stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Identifier,
    Identifiers,
    Number,
    Text,
    Expression,
}

impl Kind {
    fn named(name: &str) -> Option<Kind> {
        Some(match name {
            "identifier" => Kind::Identifier,
            "identifiers" => Kind::Identifiers,
            "number" => Kind::Number,
            "text" => Kind::Text,
            "expression" => Kind::Expression,
            _ => return None,
        })
    }

    /// A value as it stands in a statement.
    ///
    /// # Errors
    /// If it is none of this kind.
    pub fn sql(self, value: &str) -> Result<String, String> {
        let value = value.trim();
        match self {
            Kind::Identifier => sql::identifier(value),
            Kind::Identifiers => Ok(value.split(',').map(sql::identifier).collect::<Result<Vec<_>, _>>()?.join(", ")),
            Kind::Number => match value.parse::<f64>() {
                Ok(number) if number.is_finite() => Ok(value.into()),
                _ => Err(format!("{value} is no number")),
            },
            Kind::Text => Ok(sql::quoted_text(value)),
            Kind::Expression => sql::expression_text(value).map_err(|error| format!("{value}: {error}")),
        }
    }
}

/// A parameter of a recipe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    pub name: String,
    /// What it was called before, and may still be
    pub old_name: Option<String>,
    pub kind: Kind,
    pub default: Option<String>,
    pub description: String,
}

/// A recipe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipe {
    pub name: &'static str,
    /// What it is for; the first line says it in short
    pub description: String,
    pub parameters: Vec<Parameter>,
    statements: &'static str,
}

/// All recipes, by name.
pub fn all() -> Vec<Recipe> {
    // Each file is read by a test.
    FILES.iter().filter_map(|(name, text)| read(name, text).ok()).collect()
}

/// A recipe by its name.
///
/// # Errors
/// If there is none of this name.
pub fn find(name: &str) -> Result<Recipe, String> {
    let mut all = all();
    match all.iter().position(|r| r.name == name) {
        Some(at) => Ok(all.swap_remove(at)),
        None => {
            let names: Vec<&str> = all.iter().map(|r| r.name).collect();
            Err(format!("there is no recipe `{name}`{}", there_are(name, &names)))
        }
    }
}

fn read(name: &'static str, text: &'static str) -> Result<Recipe, String> {
    let wrong = |line: usize, what: &str| format!("sql/recipes/{name}.sql, line {}: {what}", line + 1);
    let (mut description, mut parameters, mut head) = (vec![], vec![], 0);
    for (at, line) in text.lines().enumerate() {
        let Some(said) = line.strip_prefix("--") else { break };
        head += line.len() + 1;
        let said = said.trim();
        let Some(parameter) = said.strip_prefix("param ") else {
            description.push(said);
            continue;
        };
        let (declared, what) = parameter.split_once(" -- ").ok_or_else(|| wrong(at, "no description"))?;
        let (declared, default) = match declared.split_once(" = ") {
            Some((declared, default)) => (declared, Some(default.trim().to_string())),
            None => (declared, None),
        };
        let (name, kind) = declared.trim().split_once(' ').ok_or_else(|| wrong(at, "no kind"))?;
        let kind = Kind::named(kind.trim()).ok_or_else(|| wrong(at, "no such kind of parameter"))?;
        let (name, old_name) = match name.split_once('|') {
            Some((name, old)) => (name, Some(old.to_string())),
            None => (name, None),
        };
        parameters.push(Parameter { name: name.into(), old_name, kind, default, description: what.trim().into() });
    }
    let description = description.join("\n").trim().to_string();
    if description.is_empty() {
        return Err(wrong(0, "it does not say what it is for"));
    }
    Ok(Recipe { name, description, parameters, statements: text.get(head..).unwrap_or_default() })
}

impl Recipe {
    /// The statements, with values for the parameters: those given, and the defaults of the others.
    ///
    /// # Errors
    /// If a parameter is unknown or missing, or a value is none of its kind.
    pub fn statements(&self, given: &[(String, String)]) -> Result<String, String> {
        let known: Vec<&str> = self.parameters.iter().map(|p| p.name.as_str()).collect();
        let is = |p: &Parameter, name: &str| p.name == name || p.old_name.as_deref() == Some(name);
        if let Some((name, _)) = given.iter().find(|(name, _)| !self.parameters.iter().any(|p| is(p, name))) {
            return Err(format!("the recipe {} has no parameter `{name}`{}", self.name, there_are(name, &known)));
        }
        let mut values = BTreeMap::new();
        for parameter in &self.parameters {
            let Parameter { name, kind, default, description, .. } = parameter;
            let value = given.iter().rev().find(|(n, _)| is(parameter, n)).map(|(_, v)| v).or(default.as_ref());
            let Some(value) = value else {
                return Err(format!("the recipe {} needs --param {name}=…: {description}", self.name));
            };
            values.insert(name.as_str(), kind.sql(value).map_err(|e| format!("the parameter {name}: {e}"))?);
        }
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.render_str(self.statements, values).map_err(|e| format!("sql/recipes/{}.sql: {e:#}", self.name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_a_recipe() {
        for (name, text) in FILES {
            let recipe = read(name, text).unwrap_or_else(|e| panic!("{e}"));
            let values: Vec<(String, String)> = recipe
                .parameters
                .iter()
                .filter(|p| p.default.is_none())
                .map(|p| (p.name.clone(), if p.kind == Kind::Number { "1" } else { "x" }.to_string()))
                .collect();
            let sql = recipe.statements(&values).unwrap_or_else(|e| panic!("{e}"));
            for parameter in &recipe.parameters {
                assert!(text.contains(&format!("{{{{ {} }}}}", parameter.name)), "{name} does not use {parameter:?}");
            }
            assert!(!sql.trim().is_empty(), "{name}");
        }
        let files = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/sql/recipes")).unwrap();
        assert_eq!(files.count(), FILES.len(), "a file in sql/recipes is not in the list");
    }

    /// A parameter is called as the argument of SQL that it fills: `strata` of samples and weights, `by` after GROUP BY.
    #[test]
    fn strata_are_called_strata_everywhere() {
        for recipe in all() {
            let has = |name: &str| recipe.parameters.iter().any(|p| p.name == name);
            let stratified = recipe.statements.contains("strata =>") || recipe.name == "bias_mitigation";
            assert!(!(stratified && has("by")), "{}", recipe.name);
        }
        for name in ["representation", "bias_mitigation"] {
            let recipe = find(name).unwrap();
            let sql = |name: &str| recipe.statements(&[(name.to_string(), "sex".to_string())]).unwrap();
            assert_eq!(sql("by"), sql("strata"));
        }
    }

    #[test]
    fn values_are_of_their_kind() {
        let text = "-- What it is for.\n-- param t identifier -- a table\n-- param e expression = age > 60 -- who\n-- param s text = x -- said\nSELECT {{ s }} FROM {{ t }} WHERE ({{ e }})\n";
        let recipe = read("r", text).unwrap();
        let sql = |given: &[(&str, &str)]| {
            recipe.statements(&given.iter().map(|(n, v)| (n.to_string(), v.to_string())).collect::<Vec<_>>())
        };
        assert_eq!(sql(&[("t", "usa")]).unwrap(), "SELECT 'x' FROM usa WHERE (age > 60)");
        let quoted = sql(&[("t", "My \"table"), ("s", "it's"), ("e", "a OR b")]).unwrap();
        assert_eq!(quoted, "SELECT 'it''s' FROM \"My \"\"table\" WHERE (a OR b)");
        assert!(sql(&[]).unwrap_err().contains("needs --param t=…: a table"));
        assert!(sql(&[("t", "usa"), ("e", "true); DROP TABLE usa; --")]).unwrap_err().starts_with("the parameter e: "));
        assert!(sql(&[("tt", "usa")]).unwrap_err().contains("did you mean `t`?"));
        assert!(read("r", "SELECT 1").is_err());
    }
}
