//! Smooths a node's table along an integer parent, most often age, where figures tell of bands alone.
//!
//! A table that meets figures by bands is flat within them and jumps at their edges. Between the edges of the bands nobody
//! knows more than that people do not change overnight: of all curves that keep every band's total, a smooth one is taken, by
//! Tobler's pycnophylactic interpolation (Tobler 1979, "Smooth pycnophylactic interpolation for geographical regions",
//! Journal of the American Statistical Association 74): what is on either side diffuses over the edges, and each band is
//! scaled back to its total, in turn.

use rayon::prelude::*;

use super::fit::Fitting;
use super::manifest::SmoothSection;
use super::places::source;
use crate::error::Result;
use crate::model::partition::Partition;
use crate::model::potential::strides;
use crate::model::variable::Levels;

/// The squares of the distances, in years, over which is diffused in each turn: from far to near.
const REACH: [f64; 24] = [
    25.0, 25.0, 16.0, 16.0, 16.0, 9.0, 9.0, 9.0, 4.0, 4.0, 4.0, 4.0, 2.0, 2.0, 2.0, 2.0, 1.0, 1.0, 1.0, 1.0, 0.5, 0.5,
    0.5, 0.5,
];
/// Turns of scaling columns and rows of a band after each diffusion.
const SCALINGS: usize = 4;
/// After the last.
const LAST_SCALINGS: usize = 40;

/// Along what a table is smoothed.
struct Line {
    /// The distance between the rows of neighbouring classes, and how many rows there are until it begins anew.
    stride: usize,
    /// Classes of the parent in the order of their integers.
    order: Vec<usize>,
    /// The middle and the width of each, in that order.
    middle: Vec<f64>,
    width: Vec<f64>,
    /// Whether a real step is before it: nothing diffuses over it.
    step: Vec<bool>,
    /// The band each is in.
    band: Vec<usize>,
}

impl Fitting<'_> {
    /// The table (rows × levels, each row's levels in proportion) smoothed, with the same total of each level in each
    /// band of each configuration of the other parents.
    ///
    /// # Errors
    /// If `smooth` names no parent of integers, or a step that cuts through one of its classes.
    pub(super) fn smoothed(
        &self,
        section: &SmoothSection,
        table: &[f64],
        population: &[f64],
        forbidden: &[bool],
    ) -> Result<Vec<f64>> {
        let (line, width) = (self.line(section)?, self.variables[self.variable].len());
        let mut smoothed = table.to_vec();
        let block = line.stride * line.order.len() * width;
        smoothed.par_chunks_mut(block).enumerate().for_each(|(block_at, values)| {
            for offset in 0..line.stride {
                let row = |class: usize| offset + class * line.stride;
                let first = block_at * line.stride * line.order.len();
                let weights: Vec<f64> = line.order.iter().map(|class| population[first + row(*class)]).collect();
                if weights.iter().all(|w| *w <= 0.0) {
                    continue;
                }
                let at = |class: usize| row(class) * width..(row(class) + 1) * width;
                let mut rows: Vec<Vec<f64>> = line.order.iter().map(|class| proportions(&values[at(*class)])).collect();
                let closed: Vec<&[bool]> = line
                    .order
                    .iter()
                    .map(|class| &forbidden[(first + row(*class)) * width..(first + row(*class) + 1) * width])
                    .collect();
                smooth_rows(&line, &mut rows, &weights, &closed);
                for (class, new) in line.order.iter().zip(&rows) {
                    values[at(*class)].copy_from_slice(new);
                }
            }
        });
        Ok(smoothed)
    }

    fn line(&self, section: &SmoothSection) -> Result<Line> {
        let place = format!("pack.toml, node `{}`, `smooth`", self.section.variable);
        let by = &section.by;
        let Some(axis) = self.parents.iter().position(|p| self.variables[p.variable].name == *by) else {
            return Err(source(place, format!("`{by}` is no parent of this node")));
        };
        let parent = &self.parents[axis];
        let Levels::Integer { min: first, .. } = self.variables[parent.variable].levels else {
            return Err(source(place, format!("`{by}` is no variable of integers: there is no order to smooth along")));
        };
        let members = parent.partition.members();
        let mut order: Vec<usize> = (0..members.len()).filter(|class| !members[*class].is_empty()).collect();
        order.sort_by_key(|class| members[*class][0]);
        let mut step = vec![false; order.len()];
        for wanted in &section.steps {
            let level = |class: usize| i64::from(first) + members[class][0] as i64;
            match order.iter().position(|class| level(*class) == *wanted) {
                Some(at) => step[at] = true,
                None => {
                    let message = format!("no class of `{by}` begins at {wanted}: its grouping must split there");
                    return Err(source(place, message));
                }
            }
        }
        let middle = order
            .iter()
            .map(|class| members[*class].iter().map(|l| *l as f64).sum::<f64>() / members[*class].len() as f64);
        let (middle, width) = (middle.collect(), order.iter().map(|class| members[*class].len() as f64).collect());
        let band = self.bands(axis)?;
        let band = order.iter().map(|class| band[*class]).collect();
        Ok(Line { stride: strides(&self.parents)[axis], order, middle, width, step, band })
    }

    /// The band of each class of a parent: those that no figure of the node tells apart.
    fn bands(&self, axis: usize) -> Result<Vec<usize>> {
        let parent = &self.parents[axis];
        let mut labels: Vec<Vec<Option<u16>>> = vec![];
        let figures = self.targets.iter().map(|t| t.figure.as_ref()).chain(self.seed.map(|(figure, _)| figure));
        for figure in figures {
            for (at, column) in figure.columns.iter().enumerate() {
                if column.variable == parent.variable {
                    labels.push(figure.class_labels(at, &parent.partition, self.variables)?);
                }
            }
        }
        let signatures =
            (0..parent.partition.classes()).map(|class| labels.iter().map(|l| l[class]).collect::<Vec<_>>());
        let bands = Partition::by_signature(signatures);
        Ok(bands.class_of().iter().map(|band| usize::from(*band)).collect())
    }
}

/// A row that adds up to 1, or zeros.
fn proportions(row: &[f64]) -> Vec<f64> {
    let total: f64 = row.iter().sum();
    row.iter().map(|v| if total > 0.0 { v / total } else { 0.0 }).collect()
}

/// Smooths the rows along the line: `weights` are the people of each, `closed` the levels that nobody can have there.
fn smooth_rows(line: &Line, rows: &mut [Vec<f64>], weights: &[f64], closed: &[&[bool]]) {
    let levels = rows[0].len();
    let bands = line.band.iter().max().map_or(0, |last| last + 1);
    // Where nobody is, a trace of the others' weight: what is said of nobody is smooth too.
    let trace = weights.iter().sum::<f64>() * 1e-9 / weights.len() as f64;
    let weights: Vec<f64> = weights.iter().map(|w| w.max(trace)).collect();
    let mut totals = vec![0.0; bands * levels];
    for ((row, band), weight) in rows.iter().zip(&line.band).zip(&weights) {
        row.iter().enumerate().for_each(|(level, p)| totals[band * levels + level] += p * weight);
    }
    for reach in REACH {
        (0..levels).for_each(|level| diffuse(line, rows, level, reach, closed));
        scale(line, rows, &weights, &totals, SCALINGS);
    }
    scale(line, rows, &weights, &totals, LAST_SCALINGS);
}

/// One implicit step of the diffusion of a level's shares: what flows between neighbours is in proportion to their
/// difference over their distance; nothing flows over steps, nor to where the level is closed or the row is empty.
fn diffuse(line: &Line, rows: &mut [Vec<f64>], level: usize, reach: f64, closed: &[&[bool]]) {
    let n = rows.len();
    let open = |at: usize| !closed[at][level] && rows[at].iter().any(|p| *p > 0.0);
    // The conductance to the one before.
    let mut flow = vec![0.0; n + 1];
    for (at, flow) in flow.iter_mut().enumerate().take(n).skip(1) {
        if !line.step[at] && open(at) && open(at - 1) {
            *flow = reach / (line.middle[at] - line.middle[at - 1]);
        }
    }
    // Thomas's algorithm; the matrix is diagonally dominant.
    let (mut upper, mut value) = (vec![0.0; n], vec![0.0; n]);
    for at in 0..n {
        let (below, above) = (flow[at] / line.width[at], flow[at + 1] / line.width[at]);
        let (before, from) = if at > 0 { (upper[at - 1], value[at - 1]) } else { (0.0, 0.0) };
        let pivot = 1.0 + below + above + below * before;
        upper[at] = -above / pivot;
        value[at] = (rows[at][level] + below * from) / pivot;
    }
    for at in (0..n.saturating_sub(1)).rev() {
        value[at] -= upper[at] * value[at + 1];
    }
    rows.iter_mut().zip(value).for_each(|(row, value)| row[level] = value.max(0.0));
}

/// Scales the levels of each band to their totals and each row to 1, in turn.
fn scale(line: &Line, rows: &mut [Vec<f64>], weights: &[f64], totals: &[f64], turns: usize) {
    let levels = rows[0].len();
    for _ in 0..turns {
        let mut now = vec![0.0; totals.len()];
        for ((row, band), weight) in rows.iter().zip(&line.band).zip(weights) {
            row.iter().enumerate().for_each(|(level, p)| now[band * levels + level] += p * weight);
        }
        for (row, band) in rows.iter_mut().zip(&line.band) {
            for (level, p) in row.iter_mut().enumerate() {
                let cell = band * levels + level;
                *p = if now[cell] > 0.0 { *p * totals[cell] / now[cell] } else { 0.0 };
            }
            let whole: f64 = row.iter().sum();
            if whole > 0.0 {
                row.iter_mut().for_each(|p| *p /= whole);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Single years from 0, in bands of ten.
    fn years(years: usize, steps: &[usize]) -> Line {
        Line {
            stride: 1,
            order: (0..years).collect(),
            middle: (0..years).map(|year| year as f64).collect(),
            width: vec![1.0; years],
            step: (0..years).map(|year| steps.contains(&year)).collect(),
            band: (0..years).map(|year| year / 10).collect(),
        }
    }

    fn smoothed(line: &Line, shares: &[f64], weights: &[f64], closed_below: usize) -> Vec<f64> {
        let mut rows: Vec<Vec<f64>> = line.band.iter().map(|band| vec![shares[*band], 1.0 - shares[*band]]).collect();
        let closed: Vec<Vec<bool>> = (0..rows.len()).map(|at| vec![at < closed_below, false]).collect();
        let closed: Vec<&[bool]> = closed.iter().map(Vec::as_slice).collect();
        smooth_rows(line, &mut rows, weights, &closed);
        for row in &rows {
            assert!((row.iter().sum::<f64>() - 1.0).abs() < 1e-9);
        }
        rows.iter().map(|row| row[0]).collect()
    }

    fn steps(shares: &[f64]) -> Vec<f64> {
        shares.windows(2).map(|pair| (pair[1] - pair[0]).abs()).collect()
    }

    #[test]
    fn bands_become_a_curve_and_keep_their_totals() {
        let line = years(40, &[]);
        let weights: Vec<f64> = (0..40).map(|year| 100.0 - f64::from(year)).collect();
        let shares = [0.9, 0.6, 0.3, 0.2];
        let smooth = smoothed(&line, &shares, &weights, 0);
        for (band, share) in shares.iter().enumerate() {
            let of = band * 10..band * 10 + 10;
            let total: f64 = of.clone().map(|year| weights[year]).sum();
            let is: f64 = of.map(|year| weights[year] * smooth[year]).sum();
            assert!((is / total - share).abs() < 1e-6, "band {band}: {}", is / total);
        }
        // A band falls by 0.3 in ten years: no year by much more than a tenth of that.
        let steps = steps(&smooth);
        for (year, step) in steps.iter().enumerate() {
            let beside: Vec<f64> = (year.saturating_sub(3)..(year + 4).min(39)).map(|y| steps[y]).collect();
            let mean = beside.iter().sum::<f64>() / beside.len() as f64;
            assert!(*step < 0.07 && *step < 0.005 + 2.0 * mean, "{year}: {step} beside {mean}: {smooth:?}");
        }
    }

    #[test]
    fn steps_of_the_law_stay() {
        let smooth = smoothed(&years(20, &[10]), &[0.9, 0.1], &[1.0; 20], 0);
        assert!(
            smooth[..10].iter().all(|p| (p - 0.9).abs() < 1e-9) && smooth[10..].iter().all(|p| (p - 0.1).abs() < 1e-9)
        );
    }

    #[test]
    fn what_nobody_can_be_stays_so() {
        let line = years(20, &[]);
        let mut rows: Vec<Vec<f64>> =
            (0..20).map(|year| if year < 10 { vec![0.0, 1.0] } else { vec![0.4, 0.6] }).collect();
        let closed: Vec<Vec<bool>> = (0..20).map(|year| vec![year < 10, false]).collect();
        let closed: Vec<&[bool]> = closed.iter().map(Vec::as_slice).collect();
        smooth_rows(&line, &mut rows, &[1.0; 20], &closed);
        assert!(rows[..10].iter().all(|row| row[0] == 0.0));
        let share = rows[10..].iter().map(|row| row[0]).sum::<f64>() / 10.0;
        assert!((share - 0.4).abs() < 1e-6);
    }
}
