//! What is asked for in other words than SQL, by whatever protocol, and the statements that it comes to.

use serde::Deserialize;
use utoipa::ToSchema;

use super::format::Format;
use crate::engine::{By, Error, ErrorKind, Search};
use crate::packs;
use crate::sql::{expression_text, quoted_name, quoted_text};

fn usage(text: impl Into<String>) -> Error {
    Error::new(ErrorKind::Usage, text)
}

/// People to draw.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SampleRequest {
    /// One of `/v1/countries`
    #[schema(example = "usa")]
    pub country: String,
    /// How many
    #[schema(example = 10)]
    pub count: u64,
    /// Draws the same people every time; a fresh one is taken, and told, without it
    #[serde(default)]
    #[schema(maximum = 9007199254740991_i64)]
    pub seed: Option<u64>,
    /// What holds of all of them, in SQL
    #[serde(default)]
    #[schema(example = "age >= 65 AND state = 'VT'")]
    pub given: Option<String>,
    /// Only these columns
    #[serde(default)]
    pub columns: Option<Vec<String>>,
    /// What the rows are sent as
    #[serde(default)]
    pub format: Option<Format>,
}

impl SampleRequest {
    /// The statement that draws them, and its seed.
    pub fn statement(&self) -> Result<(String, u64), Error> {
        let seed = self.seed.unwrap_or_else(populace_udfs::fresh_seed);
        if self.seed.is_some_and(|seed| seed >= 1 << 53) {
            return Err(usage("seed: a whole number below 2^53"));
        }
        let columns = match &self.columns {
            Some(columns) if !columns.is_empty() => {
                columns.iter().map(|c| quoted_name(c)).collect::<Vec<_>>().join(", ")
            }
            _ => "*".into(),
        };
        let (country, given) = (known(&self.country)?, given(self.given.as_deref())?);
        Ok((format!("SELECT {columns} FROM sample_persona({country}, {}, seed => {seed}{given})", self.count), seed))
    }
}

/// The name of a country, in quotes.
fn known(country: &str) -> Result<String, Error> {
    match packs::NAMES.contains(&country) {
        true => Ok(quoted_text(country)),
        false => Err(Error::new(ErrorKind::NotFound, packs::unknown(country))),
    }
}

/// A condition as an argument of a function; nothing without one.
fn given(predicate: Option<&str>) -> Result<String, Error> {
    match predicate.map(str::trim).filter(|p| !p.is_empty()) {
        None => Ok(String::new()),
        Some(predicate) => match expression_text(predicate) {
            Ok(predicate) => Ok(format!(", given => ({predicate})")),
            Err(error) => Err(usage(format!("given: {predicate} is no expression: {error}"))),
        },
    }
}

/// Whose share is asked for.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ProbabilityRequest {
    /// One of `/v1/countries`
    #[schema(example = "usa")]
    pub country: String,
    /// What holds of them, in SQL
    #[schema(example = "state = 'WY' AND age > 95")]
    pub given: String,
}

impl ProbabilityRequest {
    /// The statement that tells it.
    pub fn statement(&self) -> Result<String, Error> {
        let (country, given) = (known(&self.country)?, given(Some(&self.given))?);
        if given.is_empty() {
            return Err(usage("given: a condition is wanted, such as age > 65"));
        }
        Ok(format!("SELECT probability, expected_people FROM persona_probability({country}{given})"))
    }
}

/// What people are found by.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Means {
    /// What is known of them, and what their texts mean
    #[default]
    Facts,
    Meaning,
    Words,
    /// Meaning and words, the two rankings fused
    Both,
}

/// Whom to find.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SearchRequest {
    #[schema(example = "retired nurse who gardens")]
    pub text: String,
    /// All tables of people without it
    #[serde(default)]
    pub table: Option<String>,
    /// What holds of those among whom is searched, in SQL
    #[serde(default, rename = "where")]
    #[schema(example = "age > 60")]
    pub predicate: Option<String>,
    /// How many
    #[serde(default = "ten")]
    #[schema(maximum = 1000, minimum = 1)]
    pub k: usize,
    #[serde(default)]
    pub by: Means,
    /// The narrative that is searched
    #[serde(default = "persona")]
    pub column: String,
    /// What the rows are sent as
    #[serde(default)]
    pub format: Option<Format>,
}

fn ten() -> usize {
    10
}

fn persona() -> String {
    "persona".into()
}

impl SearchRequest {
    pub fn search(self) -> Result<Search, Error> {
        if !(1..=1000).contains(&self.k) {
            return Err(usage("k: from 1 to 1000"));
        }
        let by = match self.by {
            Means::Facts => By::Facts,
            Means::Meaning => By::Meaning,
            Means::Words => By::Words,
            Means::Both => By::Both,
        };
        let SearchRequest { text, table, predicate, k, column, .. } = self;
        Ok(Search { text, by, table, column, k, predicate, rerank: None })
    }
}
