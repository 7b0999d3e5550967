//! How a table agrees with the figures of its country, and with those that nothing was fitted to.

use datafusion::common::Result;
use serde::Serialize;

use super::numbers::{count, percent};
use super::{Subject, audit};
use crate::sql::quoted_name;

/// In what `fidelity` says of a table that has none of the country's columns.
const NO_FIGURE: &str = "no figure of";

/// A figure in the list of fidelity.
#[derive(Debug, Serialize)]
pub(super) struct Figure {
    pub name: String,
    pub variables: String,
    pub rows: String,
    pub tvd: String,
    pub floor: String,
    /// The distance less the floor, in points of a percentage
    pub beyond: String,
    pub p_value: String,
    /// The distance and the floor, in percent of the longest bar
    pub bar: String,
    pub mark: String,
    pub verdict: String,
    pub differs: bool,
    pub official: bool,
}

/// A figure that nothing was fitted to.
#[derive(Debug, Serialize)]
pub(super) struct Holdout {
    pub name: String,
    pub variables: String,
    pub rows: String,
    /// How far the table is from it, and how far chance alone would make it
    pub tvd: String,
    pub floor: String,
    /// How far the country's network is from it
    pub drift: String,
    /// How far its margins alone are from it
    pub baseline: String,
    /// The distance and the baseline, in percent of the longest bar
    pub bar: String,
    pub mark: String,
}

/// What a section says of the figures.
pub(super) struct Fidelity {
    pub official: Vec<Figure>,
    pub others: Vec<Figure>,
    pub left_out: usize,
    pub verdict: String,
    pub agrees: bool,
}

impl Subject<'_> {
    /// How the table agrees with the figures of the country.
    pub async fn fidelity(&self) -> Result<Fidelity> {
        let weights = self.weights_argument();
        let (table, country, given) = (&self.table, self.quoted_country(), self.given_argument());
        let sql = format!(
            "SELECT figure, status, basis, variables, n, tvd, noise_floor, adjusted_p_value, verdict, differs_in \
             FROM fidelity({table}, {country}{given}{weights})"
        );
        let rows = match self.read(&sql).await {
            Ok(rows) => rows,
            // A table without any of the country's columns.
            Err(error) if error.to_string().contains(NO_FIGURE) => {
                let verdict = "No figure can be compared with the columns of this table.".into();
                return Ok(Fidelity { official: vec![], others: vec![], left_out: 0, verdict, agrees: false });
            }
            Err(error) => return Err(error),
        };
        let (names, status, basis) = (rows.texts("figure")?, rows.texts("status")?, rows.texts("basis")?);
        let (variables, verdicts, where_) =
            (rows.texts("variables")?, rows.texts("verdict")?, rows.texts("differs_in")?);
        let (n, tvd, floors) = (rows.numbers("n")?, rows.numbers("tvd")?, rows.numbers("noise_floor")?);
        let p_values = rows.numbers("adjusted_p_value")?;
        let longest = tvd.iter().chain(&floors).flatten().fold(0.01f64, |a, b| a.max(*b));
        let (mut official, mut others, mut left_out) = (vec![], vec![], 0);
        for at in 0..names.len() {
            let verdict = verdicts[at].clone().unwrap_or_default();
            let (Some(distance), Some(floor)) = (tvd[at], floors[at]) else {
                left_out += 1;
                continue;
            };
            // Among the people of a condition no figure is one that the network was made to meet.
            let by_figure = basis[at].as_deref() == Some("figure") || self.given.is_some();
            let met = by_figure && status[at].as_deref() == Some("official");
            let differs = verdict == "differs";
            let verdict = match (&where_[at], differs) {
                (Some(columns), true) => format!("differs in {columns}"),
                _ => verdict,
            };
            let figure = Figure {
                name: names[at].clone().unwrap_or_default(),
                variables: variables[at].clone().unwrap_or_default(),
                rows: count(n[at].unwrap_or(0.0)),
                tvd: percent(distance),
                floor: percent(floor),
                beyond: format!("{:+.1}", 100.0 * (distance - floor)).replace('-', "\u{2212}"),
                p_value: p_values[at].map_or("–".into(), audit::p_value),
                bar: format!("{:.2}", 100.0 * distance / longest),
                mark: format!("{:.2}", 100.0 * floor / longest),
                verdict,
                differs,
                official: met,
            };
            if met { official.push(figure) } else { others.push(figure) }
        }
        let judged = official.len() + others.len();
        let differing = official.iter().chain(&others).filter(|f| f.differs).count();
        let verdict = match differing {
            0 => format!("Agrees with all {judged} figures that it can be held against, as far as its size can tell."),
            n => format!("Differs from {n} of the {judged} figures that it can be held against, by more than chance."),
        };
        Ok(Fidelity { official, others, left_out, verdict, agrees: differing == 0 })
    }

    /// How the table, and the country's network, do on figures that nothing was fitted to. There are none where the table
    /// has none of their columns, and of a condition, since they are of everybody.
    pub async fn holdouts(&self) -> Result<Vec<Holdout>> {
        if self.pack()?.holdouts().is_empty() || self.given.is_some() {
            return Ok(vec![]);
        }
        let (table, country, weights) = (&self.table, self.quoted_country(), self.weights_argument());
        let sql = format!(
            "SELECT figure, variables, n, tvd, noise_floor, drift, baseline \
             FROM fidelity({table}, {country}, against => 'holdouts'{weights}) ORDER BY drift DESC"
        );
        let rows = match self.read(&sql).await {
            Ok(rows) => rows,
            Err(error) if error.to_string().contains(NO_FIGURE) => return Ok(vec![]),
            Err(error) => return Err(error),
        };
        let (names, variables) = (rows.texts("figure")?, rows.texts("variables")?);
        let (n, tvd, floors) = (rows.numbers("n")?, rows.numbers("tvd")?, rows.numbers("noise_floor")?);
        let (drift, baseline) = (rows.numbers("drift")?, rows.numbers("baseline")?);
        let longest = tvd.iter().chain(&baseline).flatten().fold(0.01f64, |a, b| a.max(*b));
        let mut told = vec![];
        for at in 0..names.len() {
            let (Some(distance), Some(floor), Some(drift)) = (tvd[at], floors[at], drift[at]) else { continue };
            told.push(Holdout {
                name: names[at].clone().unwrap_or_default(),
                variables: variables[at].clone().unwrap_or_default(),
                rows: count(n[at].unwrap_or(0.0)),
                tvd: percent(distance),
                floor: percent(floor),
                drift: percent(drift),
                baseline: baseline[at].map_or("–".into(), percent),
                bar: format!("{:.2}", 100.0 * distance / longest),
                mark: format!("{:.2}", 100.0 * baseline[at].unwrap_or(0.0) / longest),
            });
        }
        Ok(told)
    }

    /// The column of weights as a further argument of `fidelity`.
    fn weights_argument(&self) -> String {
        self.weights.as_ref().map_or(String::new(), |w| format!(", weights => {}", quoted_name(&w.column)))
    }
}
