//! Raking (iterative proportional fitting): the table nearest to a seed that has given margins.
//!
//! Deming and Stephan 1940; convergence to the minimum of the Kullback-Leibler divergence from the seed: Csiszár,
//! "I-divergence geometry of probability distributions and minimization problems", Annals of Probability 3, 1975.

use crate::error::Result;
use crate::interrupt;

/// One set of margins: the shares that some cells have within their groups.
#[derive(Debug, Clone)]
pub struct Margin {
    /// For each cell of the table, the cell of the margin that it counts in, or [`OUTSIDE`].
    pub cell: Vec<u32>,
    /// For each cell of the margin, its group, and its share of the group's mass.
    pub group: Vec<u32>,
    pub share: Vec<f64>,
    pub groups: usize,
}

/// No cell of a margin: what the margin says nothing of.
pub const OUTSIDE: u32 = u32::MAX;

/// How a table agrees with a margin; both as shares of the mass that the margin covers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Agreement {
    pub max_difference: f64,
    pub total_variation: f64,
    /// The largest difference of a cell by its own size, of those that some of the table is in.
    pub max_relative: f64,
    /// The margin's cell with the largest difference.
    pub worst: usize,
}

const NONE: Agreement = Agreement { max_difference: 0.0, total_variation: 0.0, max_relative: 0.0, worst: 0 };

impl Margin {
    pub(super) fn sums(&self, table: &[f64]) -> (Vec<f64>, Vec<f64>) {
        let mut sums = vec![0.0; self.share.len()];
        for (value, cell) in table.iter().zip(&self.cell) {
            if *cell != OUTSIDE {
                sums[*cell as usize] += value;
            }
        }
        let mut masses = vec![0.0; self.groups];
        for (sum, group) in sums.iter().zip(&self.group) {
            masses[*group as usize] += sum;
        }
        (sums, masses)
    }

    /// How a table agrees with the margin.
    pub fn agreement(&self, table: &[f64]) -> Agreement {
        let (sums, masses) = self.sums(table);
        self.compare(&sums, &masses)
    }

    fn compare(&self, sums: &[f64], masses: &[f64]) -> Agreement {
        let covered: f64 = masses.iter().sum::<f64>().max(f64::MIN_POSITIVE);
        let mut agreement = NONE;
        for (cell, sum) in sums.iter().enumerate() {
            let target = self.share[cell] * masses[self.group[cell] as usize];
            let difference = (sum - target).abs() / covered;
            if *sum > 0.0 && target > 0.0 {
                agreement.max_relative = agreement.max_relative.max((sum - target).abs() / target);
            }
            agreement.total_variation += difference / 2.0;
            if difference > agreement.max_difference {
                (agreement.max_difference, agreement.worst) = (difference, cell);
            }
        }
        agreement
    }

    /// Scales the table to the margin; says how far it was off before. Where cells have a tolerance, as a share of the
    /// group's mass, it is scaled no further than to the nearest end of what they allow.
    fn scale(&self, table: &mut [f64], tolerance: Option<&[f64]>) -> Agreement {
        let (mut sums, masses) = self.sums(table);
        let agreement = self.compare(&sums, &masses);
        for (cell, sum) in sums.iter_mut().enumerate() {
            let mass = masses[self.group[cell] as usize];
            let mut target = self.share[cell] * mass;
            if let Some(tolerance) = tolerance {
                let far = tolerance[cell] * mass;
                target = sum.max(target - far).min(target + far);
            }
            *sum = if *sum > 0.0 { target / *sum } else { 0.0 };
        }
        for (value, cell) in table.iter_mut().zip(&self.cell) {
            if *cell != OUTSIDE {
                *value *= sums[*cell as usize];
            }
        }
        agreement
    }
}

/// What came of a raking.
#[derive(Debug)]
pub struct Raked {
    pub sweeps: usize,
    /// The margin that is furthest from being met, and how far.
    pub worst_margin: usize,
    pub worst: Agreement,
}

/// Sweeps stop when every margin is met to this share of the population …
pub const CLOSE: f64 = 1e-10;
/// … or, where convergence is slow, when this many are done.
const MAX_SWEEPS: usize = 4000;

/// Rakes a table in place to its row sums and to every margin, from where it stands. Row sums are met exactly.
///
/// # Errors
/// [`Error::Interrupted`](crate::Error::Interrupted) if it is given up.
pub fn rake(table: &mut [f64], width: usize, row_sums: &[f64], margins: &[Margin]) -> Result<Raked> {
    rake_within(table, width, row_sums, margins, &vec![None; margins.len()], f64::INFINITY)
}

/// As [`rake`], until small cells too are met, to `relative` of their own size. A margin with tolerances, for each cell
/// as a share of its group, is met within them alone: the table is one that they allow, not the nearest of these.
///
/// # Errors
/// As [`rake`].
pub(crate) fn rake_within(
    table: &mut [f64],
    width: usize,
    row_sums: &[f64],
    margins: &[Margin],
    tolerances: &[Option<&[f64]>],
    relative: f64,
) -> Result<Raked> {
    scale_rows(table, width, row_sums);
    let mut raked = Raked { sweeps: 0, worst_margin: 0, worst: NONE };
    let mut milestone = (f64::INFINITY, f64::INFINITY);
    for sweep in 1..=MAX_SWEEPS {
        interrupt::check()?;
        let mut worst: Option<(usize, Agreement)> = None;
        let mut by_size = 0.0f64;
        for (at, (margin, tolerance)) in margins.iter().zip(tolerances).enumerate() {
            let agreement = margin.scale(table, *tolerance);
            if tolerance.is_none() {
                by_size = by_size.max(agreement.max_relative);
            }
            if worst.is_none_or(|(_, w)| agreement.max_difference > w.max_difference) {
                worst = Some((at, agreement));
            }
        }
        scale_rows(table, width, row_sums);
        let Some((at, agreement)) = worst else { break };
        (raked.sweeps, raked.worst_margin, raked.worst) = (sweep, at, agreement);
        // With one margin the row sums may have moved it: it is met only once a whole sweep leaves it in place.
        if agreement.max_difference < CLOSE && by_size < relative {
            break;
        }
        if sweep % 200 == 0 {
            // Contradictory margins circle for ever at the same distance.
            let now = (agreement.max_difference, if relative.is_finite() { by_size } else { f64::INFINITY });
            if now.0 > milestone.0 * 0.98 && now.1 >= milestone.1 * 0.98 {
                break;
            }
            milestone = now;
        }
    }
    Ok(raked)
}

fn scale_rows(table: &mut [f64], width: usize, row_sums: &[f64]) {
    for (row, sum) in table.chunks_exact_mut(width).zip(row_sums) {
        let now: f64 = row.iter().sum();
        let factor = if now > 0.0 { sum / now } else { 0.0 };
        row.iter_mut().for_each(|v| *v *= factor);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A 3 × 4 table by its two margins, with a seed whose odds ratios must survive. The reference is the same problem
    /// solved another way: Newton's method on the dual, the row and column potentials.
    #[test]
    fn agrees_with_newton_on_the_dual() {
        let seed = [4.0, 1.0, 2.0, 3.0, 1.0, 5.0, 2.0, 1.0, 2.0, 2.0, 1.0, 6.0];
        let rows = [0.5, 0.3, 0.2];
        let columns = [0.1, 0.4, 0.2, 0.3];
        let margin =
            Margin { cell: (0..12).map(|i| i % 4).collect(), group: vec![0; 4], share: columns.to_vec(), groups: 1 };
        let mut table = seed.to_vec();
        let raked = rake(&mut table, 4, &rows, &[margin]).unwrap();
        assert!(raked.worst.max_difference < CLOSE);

        // p_ij = s_ij exp(a_i + b_j), b_3 = 0: gradient of the dual is the margins' error, solved by damped Newton.
        let mut potentials = [0.0; 6];
        let fitted = |x: &[f64; 6]| -> Vec<f64> {
            (0..12).map(|i| seed[i] * (x[i / 4] + if i % 4 < 3 { x[3 + i % 4] } else { 0.0 }).exp()).collect()
        };
        for _ in 0..200 {
            let p = fitted(&potentials);
            let mut gradient = [0.0; 6];
            let mut hessian = [[0.0; 6]; 6];
            for (i, p) in p.iter().enumerate() {
                let (r, c) = (i / 4, i % 4);
                gradient[r] += p;
                hessian[r][r] += p;
                if c < 3 {
                    gradient[3 + c] += p;
                    hessian[3 + c][3 + c] += p;
                    hessian[r][3 + c] += p;
                    hessian[3 + c][r] += p;
                }
            }
            (0..3).for_each(|r| gradient[r] -= rows[r]);
            (0..3).for_each(|c| gradient[3 + c] -= columns[c]);
            let step = solve(hessian, gradient);
            let longest = step.iter().fold(0.0f64, |m, s| m.max(s.abs()));
            let damping = if longest > 1.0 { 1.0 / longest } else { 1.0 };
            (0..6).for_each(|i| potentials[i] -= damping * step[i]);
        }
        for (a, b) in table.iter().zip(fitted(&potentials)) {
            assert!((a - b).abs() < 1e-9, "{a} {b}");
        }
    }

    /// Gaussian elimination with partial pivoting.
    fn solve(mut a: [[f64; 6]; 6], mut b: [f64; 6]) -> [f64; 6] {
        for i in 0..6 {
            let pivot = (i..6).max_by(|x, y| a[*x][i].abs().total_cmp(&a[*y][i].abs())).unwrap();
            a.swap(i, pivot);
            b.swap(i, pivot);
            for j in i + 1..6 {
                let factor = a[j][i] / a[i][i];
                let pivot = a[i];
                a[j].iter_mut().zip(pivot).skip(i).for_each(|(x, p)| *x -= factor * p);
                b[j] -= factor * b[i];
            }
        }
        let mut x = [0.0; 6];
        for i in (0..6).rev() {
            x[i] = (b[i] - (i + 1..6).map(|k| a[i][k] * x[k]).sum::<f64>()) / a[i][i];
        }
        x
    }

    #[test]
    fn shares_within_groups_leave_the_groups_masses_alone() {
        // Two rows of two levels: in each row a quarter is of level 0, whatever the rows weigh.
        let margin =
            Margin { cell: vec![0, 1, 2, 3], group: vec![0, 0, 1, 1], share: vec![0.25, 0.75, 0.25, 0.75], groups: 2 };
        let mut table = vec![1.0; 4];
        rake(&mut table, 2, &[0.9, 0.1], &[margin]).unwrap();
        let expected = [0.225, 0.675, 0.025, 0.075];
        assert!(table.iter().zip(expected).all(|(t, e)| (t - e).abs() < 1e-12));
    }

    #[test]
    fn contradictory_margins_are_seen() {
        let margin =
            |share: f64| Margin { cell: vec![0, 1], group: vec![0, 0], share: vec![share, 1.0 - share], groups: 1 };
        let mut table = vec![0.5, 0.5];
        let raked = rake(&mut table, 2, &[1.0], &[margin(0.2), margin(0.3)]).unwrap();
        assert!((raked.worst.max_difference - 0.1).abs() < 1e-9);
    }
}
