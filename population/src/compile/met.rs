//! Whether a table meets the figures that bind it: small cells as well as large ones.

use super::figure::{Column, Figure};
use super::fit::Target;
use crate::compile::raking::{Margin, OUTSIDE};
use crate::model::network::WORDS;

/// A cell may be off by this share of the population that its figure covers …
const ABSOLUTE: f64 = 1e-6;
/// … and by this share of itself: a figure may not be met by taking a few people for nobody.
pub(super) const RELATIVE: f64 = 1e-3;

/// A figure that binds a pass, as a margin of the node's table.
pub(super) struct Binding<'a> {
    pub target: &'a Target<'a>,
    pub margin: Margin,
    /// For each cell, how far it may be off, as a share of its group.
    pub tolerance: Option<Vec<f64>>,
}

impl<'a> Binding<'a> {
    pub fn new(target: &'a Target<'a>, margin: Margin) -> Binding<'a> {
        let tolerance = target.figure.tolerances.as_ref().map(|tolerances| {
            let mut totals = vec![0.0; margin.groups];
            for (value, group) in target.figure.values.iter().zip(&margin.group) {
                totals[*group as usize] += value;
            }
            let share = |(tolerance, group): (&f64, &u32)| match totals[*group as usize] {
                total if total > 0.0 => tolerance / total,
                _ => 0.0,
            };
            tolerances.iter().zip(&margin.group).map(share).collect()
        });
        Binding { target, margin, tolerance }
    }

    /// The cell that is furthest from being met, and how far it is off as a share of what the figure covers; `None` if
    /// all are met. `finest` is the smallest share of the whole that each cell of the figure can be told by, if the table
    /// is one of thresholds.
    pub fn worst(&self, table: &[f64], finest: Option<&[f64]>) -> Option<(usize, f64)> {
        let (sums, masses) = self.margin.sums(table);
        let covered: f64 = masses.iter().sum::<f64>().max(f64::MIN_POSITIVE);
        let mut worst: Option<(usize, f64)> = None;
        for (cell, sum) in sums.iter().enumerate() {
            let mass = masses[self.margin.group[cell] as usize];
            let target = self.margin.share[cell] * mass;
            let off = (sum - target).abs() - finest.map_or(0.0, |finest| finest[cell]);
            let met = match &self.tolerance {
                Some(tolerance) => off <= tolerance[cell] * mass + (RELATIVE * target).min(ABSOLUTE * covered),
                None => off <= ABSOLUTE * covered && off <= RELATIVE * target,
            };
            let gap = off / covered;
            if !met && worst.is_none_or(|(_, most)| gap > most) {
                worst = Some((cell, gap));
            }
        }
        worst
    }
}

impl Binding<'_> {
    /// The smallest share of the whole by which each cell of the figure can change: that of a word, in all rows of the
    /// cell.
    pub fn finest(&self, width: usize, population: &[f64]) -> Vec<f64> {
        let mut finest = vec![0.0; self.margin.share.len()];
        for (at, cell) in self.margin.cell.iter().enumerate().filter(|(_, cell)| **cell != OUTSIDE) {
            finest[*cell as usize] += population[at / width] / WORDS;
        }
        finest
    }

    /// How many cells have somebody in the figure and nobody in the table.
    pub fn vanished(&self, table: &[f64]) -> usize {
        let (sums, masses) = self.margin.sums(table);
        let target = |cell: usize| self.margin.share[cell] * masses[self.margin.group[cell] as usize];
        (0..sums.len()).filter(|cell| sums[*cell] <= 0.0 && target(*cell) > 0.0).count()
    }
}

/// The cell of all figures that is furthest from being met.
pub(super) struct Verdict {
    pub target: usize,
    cell: usize,
    pub gap: f64,
}

impl Verdict {
    pub fn worst(binding: &[Binding], table: &[f64]) -> Option<Verdict> {
        let worst = binding.iter().enumerate().filter_map(|(target, b)| {
            let (cell, gap) = b.worst(table, None)?;
            Some(Verdict { target, cell, gap })
        });
        worst.max_by(|a, b| a.gap.total_cmp(&b.gap))
    }

    pub fn figure<'a>(&self, binding: &'a [Binding]) -> &'a str {
        &binding[self.target].target.figure.name
    }

    pub fn cell_name(&self, binding: &[Binding]) -> String {
        cell_name(&binding[self.target].target.figure, self.cell)
    }
}

fn cell_name(figure: &Figure, cell: usize) -> String {
    let label = |(c, codes): (&Column, &Vec<u16>)| format!("{} = {}", c.name, c.labels[usize::from(codes[cell])]);
    figure.columns.iter().zip(&figure.codes).map(label).collect::<Vec<_>>().join(", ")
}
