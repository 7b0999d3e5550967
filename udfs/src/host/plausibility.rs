//! What somebody who lives in a country would not dispute of its people.

use std::fmt;
use std::sync::Arc;

use serde::Deserialize;

/// A share of fewer people than this is not told.
const FEWEST: f64 = 30.0;
/// How far beyond its bounds chance may take a share, in standard errors.
const BY_CHANCE: f64 = 3.0;

/// What holds of a share of a country's people, within bounds, though nothing is fitted to it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlausibilityStatement {
    /// Its name among those of its country
    pub name: String,
    /// The same in words
    pub says: String,
    /// Of whom it speaks: a condition in SQL on columns of the country; of everybody where there is none
    #[serde(default)]
    pub given: Option<String>,
    /// What is counted among them, likewise
    pub expect: String,
    /// The least and the largest share that nobody would dispute, from 0 to 1
    pub share: [f64; 2],
    /// `official` or `estimate`
    pub status: String,
    pub source: String,
}

/// How the people of a table do by a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlausibilityVerdict {
    /// Fewer than 30 of whom it speaks
    TooFew,
    Below,
    Above,
    Met,
}

impl fmt::Display for PlausibilityVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            PlausibilityVerdict::TooFew => "too few",
            PlausibilityVerdict::Below => "below",
            PlausibilityVerdict::Above => "above",
            PlausibilityVerdict::Met => "met",
        })
    }
}

impl PlausibilityStatement {
    /// The verdict on `expected` of `people`. A share is beyond its bounds if it is so by more than three standard errors of
    /// a share among so many.
    pub fn verdict(&self, people: f64, expected: f64) -> PlausibilityVerdict {
        if people < FEWEST {
            return PlausibilityVerdict::TooFew;
        }
        let share = expected / people;
        let error = (share * (1.0 - share) / people).sqrt().max(1.0 / people);
        match self.share {
            [low, _] if share < low - BY_CHANCE * error => PlausibilityVerdict::Below,
            [_, high] if share > high + BY_CHANCE * error => PlausibilityVerdict::Above,
            _ => PlausibilityVerdict::Met,
        }
    }
}

/// What is stated of a country.
#[derive(Debug, Clone, Default)]
pub struct CountryStatements {
    /// What the column `country` says of its people; nothing where only a call that names the country is to find it
    pub code: Option<String>,
    pub statements: Vec<PlausibilityStatement>,
}

type OpenStatements = dyn Fn(&str) -> CountryStatements + Send + Sync;

/// The statements of countries, read when a call first asks for them.
#[derive(Clone, Default)]
pub(crate) struct PlausibilityStatements(pub Option<Arc<OpenStatements>>);

impl PlausibilityStatements {
    /// Those of a country, by its name or the path of its pack; none where nothing is stated.
    pub fn of(&self, country: &str) -> CountryStatements {
        self.0.as_ref().map(|open| open(country)).unwrap_or_default()
    }
}

impl fmt::Debug for PlausibilityStatements {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PlausibilityStatements")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chance_is_no_verdict() {
        let statement = PlausibilityStatement {
            name: "two_in_five".into(),
            says: "Two in five".into(),
            given: None,
            expect: "true".into(),
            share: [0.4, 0.5],
            status: "estimate".into(),
            source: "nobody".into(),
        };
        use PlausibilityVerdict::{Above, Below, Met, TooFew};
        for (people, expected, verdict) in [
            (29.0, 0.0, TooFew),
            (30.0, 5.0, Below),
            (30.0, 8.0, Met),
            (1000.0, 360.0, Met),
            (1000.0, 350.0, Below),
            (1000.0, 545.0, Met),
            (1000.0, 560.0, Above),
            (1000.0, 0.0, Below),
        ] {
            assert_eq!(statement.verdict(people, expected), verdict, "{expected} of {people}");
        }
    }
}
