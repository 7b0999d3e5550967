//! Raking the rows of a table to margins: iterative proportional fitting of their weights.
//!
//! W. E. Deming and F. F. Stephan, "On a least squares adjustment of a sampled frequency table when the expected marginal
//! totals are known", Annals of Mathematical Statistics 11, 1940. Weights above the cap are cut to it and the rest is
//! raked again, until both hold: M. P. Battaglia and others, "Practical considerations in raking survey data", Survey
//! Practice 2 (5), 2009.

use populace_population::Error;
use populace_population::raking::{Agreement, Margin, rake};

/// Rows that count in the same cell of every margin and come with the same weight.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct RowProfile {
    /// For each margin, its cell
    pub cells: Box<[u32]>,
    /// The weight that each row comes with
    pub base: f64,
    pub rows: u64,
}

/// A margin is met when no cell is off by more than this share of all weight.
pub(crate) const MET: f64 = 1e-6;

/// Weights may be above the cap by this much.
const ABOVE: f64 = 1e-6;

/// How often weights are cut and raked again.
const MAX_ROUNDS: usize = 200;

/// What came of raking.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct FittedWeights {
    /// The weight of a row of each profile; a row's is 1 in the mean
    pub weights: Vec<f64>,
    /// For each margin, how it was met before and after
    pub before: Vec<Agreement>,
    pub after: Vec<Agreement>,
    pub sweeps: usize,
    /// Rows that came to the cap
    pub cut: u64,
}

/// Why the margins cannot be met: the one that is furthest from it, its worst cell, and how far that is off.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct UnmetMargin {
    pub margin: usize,
    pub cell: usize,
    pub difference: f64,
    /// Whether weights were cut to the cap
    pub cut: bool,
}

/// Why there are no weights.
#[derive(Debug)]
pub(crate) enum Unfitted {
    Unmet(UnmetMargin),
    /// The work was given up
    Interrupted(Error),
}

impl From<UnmetMargin> for Unfitted {
    fn from(unmet: UnmetMargin) -> Unfitted {
        Unfitted::Unmet(unmet)
    }
}

/// Finds the weights, nearest to those that rows come with, by which every margin has its shares. `cap` is the largest
/// weight, as a multiple of the mean one.
pub(crate) fn fit(profiles: &[RowProfile], shares: &[Vec<f64>], cap: Option<f64>) -> Result<FittedWeights, Unfitted> {
    let margin = |(at, shares): (usize, &Vec<f64>)| Margin {
        cell: profiles.iter().map(|p| p.cells[at]).collect(),
        group: vec![0; shares.len()],
        share: shares.clone(),
        groups: 1,
    };
    let margins: Vec<Margin> = shares.iter().enumerate().map(margin).collect();
    let rows = profiles.iter().map(|p| p.rows).sum::<u64>() as f64;
    let mut table: Vec<f64> = profiles.iter().map(|p| p.base * p.rows as f64).collect();
    let total: f64 = table.iter().sum();
    table.iter_mut().for_each(|mass| *mass /= total);
    let before = margins.iter().map(|m| m.agreement(&table)).collect();
    let (mut sweeps, mut cut) = (0, 0);
    for round in 0..MAX_ROUNDS {
        let raked = rake(&mut table, profiles.len().max(1), &[1.0], &margins).map_err(Unfitted::Interrupted)?;
        sweeps += raked.sweeps;
        if raked.worst.max_difference > MET {
            let Agreement { worst, max_difference, .. } = raked.worst;
            let (margin, cut) = (raked.worst_margin, round > 0);
            return Err(UnmetMargin { margin, cell: worst, difference: max_difference, cut }.into());
        }
        let Some(cap) = cap else { break };
        cut = 0;
        let mut above = false;
        for (mass, profile) in table.iter_mut().zip(profiles) {
            let most = cap * profile.rows as f64 / rows;
            if *mass >= most * (1.0 - ABOVE) {
                above |= *mass > most * (1.0 + ABOVE);
                *mass = mass.min(most);
                cut += profile.rows;
            }
        }
        if !above {
            break;
        }
        if round + 1 == MAX_ROUNDS {
            // Cutting has moved the margins: which one most?
            let off = margins.iter().map(|m| m.agreement(&table)).enumerate();
            let worst = off.max_by(|(_, a), (_, b)| a.max_difference.total_cmp(&b.max_difference));
            if let Some((margin, Agreement { worst, max_difference, .. })) = worst
                && max_difference > MET
            {
                return Err(UnmetMargin { margin, cell: worst, difference: max_difference, cut: true }.into());
            }
        }
    }
    let after = margins.iter().map(|m| m.agreement(&table)).collect();
    let weight = |(mass, profile): (&f64, &RowProfile)| mass * rows / profile.rows as f64;
    Ok(FittedWeights { weights: table.iter().zip(profiles).map(weight).collect(), before, after, sweeps, cut })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile(cells: &[u32], base: f64, rows: u64) -> RowProfile {
        RowProfile { cells: cells.into(), base, rows }
    }

    fn unmet(fitted: Result<FittedWeights, Unfitted>) -> UnmetMargin {
        match fitted {
            Err(Unfitted::Unmet(unmet)) => unmet,
            other => panic!("{other:?}"),
        }
    }

    /// The 2 × 2 table of Deming and Stephan's method by hand: the odds ratio of the sample, 6, is kept, the margins are
    /// those asked for.
    #[test]
    fn margins_are_met_and_odds_ratios_kept() {
        let profiles = [
            profile(&[0, 0], 1.0, 30),
            profile(&[0, 1], 1.0, 10),
            profile(&[1, 0], 1.0, 20),
            profile(&[1, 1], 1.0, 40),
        ];
        let fitted = fit(&profiles, &[vec![0.5, 0.5], vec![0.6, 0.4]], None).unwrap();
        let mass: Vec<f64> = profiles.iter().zip(&fitted.weights).map(|(p, w)| w * p.rows as f64 / 100.0).collect();
        assert!((mass[0] + mass[1] - 0.5).abs() < 1e-9 && (mass[0] + mass[2] - 0.6).abs() < 1e-9);
        assert!((mass[0] * mass[3] / (mass[1] * mass[2]) - 6.0).abs() < 1e-6);
        assert!((fitted.before[0].max_difference - 0.1).abs() < 1e-12 && fitted.after[0].max_difference < MET);
    }

    #[test]
    fn weights_that_rows_come_with_are_the_start() {
        let profiles = [profile(&[0], 1.0, 10), profile(&[0], 3.0, 10), profile(&[1], 2.0, 20)];
        let fitted = fit(&profiles, &[vec![0.25, 0.75]], None).unwrap();
        let expected = [0.25, 0.75, 1.5];
        assert!(fitted.weights.iter().zip(expected).all(|(w, e)| (w - e).abs() < 1e-9), "{:?}", fitted.weights);
    }

    #[test]
    fn contradictions_are_named() {
        let profiles = [profile(&[0, 0], 1.0, 10), profile(&[1, 1], 1.0, 10)];
        let unmet = unmet(fit(&profiles, &[vec![0.2, 0.8], vec![0.5, 0.5]], None));
        assert!((unmet.difference - 0.3).abs() < 1e-6 && !unmet.cut, "{unmet:?}");
    }

    /// One stratum of women has few rows: its weights are cut to the cap, and other women make up for them.
    #[test]
    fn weights_are_cut_to_the_cap() {
        let profiles =
            [profile(&[0, 0], 1.0, 2), profile(&[0, 1], 1.0, 48), profile(&[1, 0], 1.0, 25), profile(&[1, 1], 1.0, 25)];
        let shares = [vec![0.5, 0.5], vec![0.35, 0.65]];
        let free = fit(&profiles, &shares, None).unwrap();
        let cap = 1.5;
        assert!(free.weights[0] > cap);
        let cut = fit(&profiles, &shares, Some(cap)).unwrap();
        assert!(cut.weights.iter().all(|w| *w <= cap + 1e-6), "{:?}", cut.weights);
        assert!(cut.cut == 2 && cut.after.iter().all(|a| a.max_difference <= MET), "{cut:?}");
        // A cap under which the shares are out of reach.
        let unmet = unmet(fit(&profiles, &[vec![0.5, 0.5], vec![0.9, 0.1]], Some(1.5)));
        assert!(unmet.cut && unmet.difference > MET, "{unmet:?}");
    }
}
