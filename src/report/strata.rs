//! Strata of a table beside the country's, and shares of people with what chance leaves open of them.

use std::collections::HashMap;

use datafusion::common::Result;

use super::Subject;
use super::charts::Bar;
use super::numbers::{count, percent, wilson};
use crate::sql::quoted_name;

/// Groups of fewer people have no bar: what they show is chance.
const FEW: f64 = 5.0;
/// Standard errors that are asked for together.
const TOGETHER: usize = 40;

/// Some of the rows: how many, how many people they stand for, and the sum of the squares of their weights.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Group {
    pub rows: f64,
    pub weight: f64,
    pub squares: f64,
}

impl Group {
    /// Rows that stand for themselves alone.
    fn alone(rows: f64) -> Group {
        Group { rows, weight: rows, squares: rows }
    }

    /// How many rows of equal weight would tell as much: (Σw)² / Σw² (Kish, Survey Sampling, 1965).
    fn effective(self) -> f64 {
        if self.squares > 0.0 { self.weight * self.weight / self.squares } else { 0.0 }
    }
}

impl std::ops::Add for Group {
    type Output = Group;

    fn add(self, other: Group) -> Group {
        Group {
            rows: self.rows + other.rows,
            weight: self.weight + other.weight,
            squares: self.squares + other.squares,
        }
    }
}

impl std::iter::Sum for Group {
    fn sum<I: Iterator<Item = Group>>(groups: I) -> Group {
        groups.fold(Group::default(), |all, group| all + group)
    }
}

/// A stratum: its values, the rows in it, and its share of the country's people.
pub(super) struct Stratum {
    pub values: Vec<String>,
    pub observed: Group,
    pub expected: f64,
}

/// A share of the people of a group.
pub(super) struct Share {
    pub bar: Bar,
    /// Who is counted, as a condition
    pub counted: String,
    /// Among whom
    pub among: String,
}

impl Share {
    /// Some of a group, beside the share in the country.
    pub fn of(label: String, (some, all): (Group, Group), expected: f64, counted: String, among: String) -> Share {
        let observed = (all.weight > 0.0).then(|| some.weight / all.weight);
        let interval = observed.and_then(|share| interval(share, all.effective()));
        let bar = Bar {
            label,
            rows: all.rows,
            observed: observed.filter(|_| all.rows >= FEW).map(|share| 100.0 * share),
            interval,
            expected: 100.0 * expected,
        };
        Share { bar, counted, among }
    }
}

/// What chance leaves open of a share, in percent, where so many rows tell it.
fn interval(share: f64, rows: f64) -> Option<(f64, f64)> {
    wilson(share * rows, rows).map(|(low, high)| (100.0 * low, 100.0 * high))
}

/// What the numbers of a chart of shares are called, after what its bars are.
pub(super) fn head(bars: &[&str]) -> Vec<String> {
    bars.iter().chain(&["People", "Table", "95\u{a0}%", "Country"]).map(|name| name.to_string()).collect()
}

/// The numbers of a bar.
pub(super) fn numbers(bar: &Bar) -> Vec<String> {
    let of = |share: f64| percent(share / 100.0);
    let observed = match bar.observed {
        Some(observed) => of(observed),
        None if bar.rows > 0.0 => "too few".into(),
        None => "–".into(),
    };
    let interval = bar.interval.map_or("–".to_string(), |(low, high)| format!("{} to {}", of(low), of(high)));
    vec![bar.label.clone(), count(bar.rows), observed, interval, of(bar.expected)]
}

impl Subject<'_> {
    /// The strata of some expressions, each with its name as `rebalance` has it; or why they cannot be compared.
    pub(super) async fn strata(&self, of: &[(&str, &str)]) -> Result<std::result::Result<Vec<Stratum>, String>> {
        let expressions = of.iter().map(|(expression, _)| *expression).collect::<Vec<_>>().join(", ");
        let (table, country, given) = (&self.table, self.quoted_country(), self.given_argument());
        let sql = format!("SELECT * FROM rebalance({table}, {country}, strata => ({expressions}){given})");
        let rows = match self.read(&sql).await {
            Ok(rows) => rows,
            Err(error) => return Ok(Err(format!("It cannot be compared: {}.", crate::engine::message(&error)))),
        };
        let columns = of.iter().map(|(_, name)| rows.texts(name)).collect::<Result<Vec<_>>>()?;
        let (observed, expected) = (rows.numbers("observed")?, rows.numbers("expected_share")?);
        let weighted = self.weighted(of).await?;
        let stratum = |at: usize| {
            let values: Vec<String> = columns.iter().map(|c| c[at].clone().unwrap_or_default()).collect();
            let observed = match &weighted {
                Some(weighted) => weighted.get(&values).copied().unwrap_or_default(),
                None => Group::alone(observed[at].unwrap_or(0.0)),
            };
            Stratum { observed, expected: expected[at].unwrap_or(0.0), values }
        };
        Ok(Ok((0..rows.len()).map(stratum).collect()))
    }

    /// The rows of each stratum by its values, where they have weights.
    async fn weighted(&self, of: &[(&str, &str)]) -> Result<Option<HashMap<Vec<String>, Group>>> {
        let Some(weights) = &self.weights else { return Ok(None) };
        let weight = format!("CAST({} AS DOUBLE)", quoted_name(&weights.column));
        let values: Vec<String> =
            of.iter().enumerate().map(|(at, (value, _))| format!("CAST({value} AS VARCHAR) AS value_{at}")).collect();
        let groups: Vec<String> = (1..=of.len()).map(|at| at.to_string()).collect();
        let sql = format!(
            "SELECT {}, count(*) AS rows, sum({weight}) AS weight, sum({weight} * {weight}) AS squares FROM {} GROUP BY {}",
            values.join(", "),
            self.people,
            groups.join(", ")
        );
        let rows = self.read(&sql).await?;
        let values = (0..of.len()).map(|at| rows.texts(&format!("value_{at}"))).collect::<Result<Vec<_>>>()?;
        let numbers = [rows.numbers("rows")?, rows.numbers("weight")?, rows.numbers("squares")?];
        let group = |at: usize| {
            let [rows, weight, squares] = [0, 1, 2].map(|of: usize| numbers[of][at].unwrap_or(0.0));
            (values.iter().map(|v| v[at].clone().unwrap_or_default()).collect(), Group { rows, weight, squares })
        };
        Ok(Some((0..rows.len()).map(group).collect()))
    }

    /// Gives shares the intervals that the design of a sample leaves open, where the rows say what it was: its strata are
    /// alike within, so that a sample of them tells more than so many of all rows, or less.
    pub(super) async fn by_design(&self, shares: &mut [Share]) -> Result<()> {
        let Some(weights) = self.weights.as_ref().filter(|w| w.by_design) else { return Ok(()) };
        let weight = quoted_name(&weights.column);
        for shares in shares.chunks_mut(TOGETHER) {
            let asked = shares.iter().enumerate().map(|(at, share)| {
                let (counted, among) = (&share.counted, &share.among);
                format!(
                    "survey_mean(coalesce({counted}, false), {weight}, stratum, stratum_size) FILTER (WHERE {among}) AS s{at}"
                )
            });
            let shown = (0..shares.len()).map(|at| format!("s{at}['standard_error'] AS s{at}"));
            let sql = format!(
                "SELECT {} FROM (SELECT {} FROM {})",
                shown.collect::<Vec<_>>().join(", "),
                asked.collect::<Vec<_>>().join(", "),
                self.people
            );
            // Weights that were changed since are none of the design.
            let Ok(errors) = self.read(&sql).await else { return Ok(()) };
            for (at, share) in shares.iter_mut().enumerate() {
                let error = errors.numbers(&format!("s{at}"))?.first().copied().flatten().unwrap_or(0.0);
                let observed = share.bar.observed.unwrap_or(0.0) / 100.0;
                let variance = observed * (1.0 - observed);
                if error > 0.0 && variance > 0.0 {
                    share.bar.interval = interval(observed, variance / (error * error));
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_widen_what_chance_leaves_open() {
        let share = |some: Group, all: Group| Share::of("a".into(), (some, all), 0.5, String::new(), String::new()).bar;
        let even = share(Group::alone(10.0), Group::alone(40.0));
        assert_eq!((even.observed, even.rows), (Some(25.0), 40.0));
        // The same share of rows that stand for 1 and for 9 people.
        let heavy = Group { rows: 2.0, weight: 18.0, squares: 162.0 };
        let light = Group { rows: 54.0, weight: 54.0, squares: 54.0 };
        let uneven = share(heavy, heavy + light);
        assert_eq!(uneven.observed, Some(25.0));
        assert!((heavy + light).effective() < 25.0);
        let width = |bar: &Bar| bar.interval.map_or(0.0, |(low, high)| high - low);
        assert!(width(&uneven) > width(&even));
    }

    #[test]
    fn one_person_is_no_share() {
        let all = Group::alone(1.0);
        let one = Share::of("DC".into(), (all, all), 0.6, String::new(), String::new()).bar;
        assert_eq!(one.observed, None);
        assert_eq!(numbers(&one), ["DC", "1", "too few", "20.7 % to 100.0 %", "60.0 %"]);
        let nobody =
            Share::of("WY".into(), (Group::default(), Group::default()), 0.3, String::new(), String::new()).bar;
        assert_eq!(numbers(&nobody), ["WY", "0", "–", "–", "30.0 %"]);
    }
}
