//! The rows of a table, made a line of cells at a time: the thresholds of a level in all of them together. They are those that
//! `quantise` makes of each row by itself.

use rayon::prelude::*;

use crate::infer::lines::{Formed, Lines, form};
use crate::infer::product::Product;
use crate::infer::weighed::{Row, Spread};
use crate::model::network::{Rows, Table, UNREACHABLE, quantise, threshold};
use crate::model::potential::{cells, walk};
use crate::model::width::of_any_width;

/// The rows that a part of the configurations has, one after another.
#[derive(Default)]
pub(crate) struct Part {
    pub reached: Vec<u32>,
    pub lengths: Vec<u32>,
    pub levels: Vec<u16>,
    pub thresholds: Vec<u32>,
    /// A number of each row, where they are told apart; few that differ have the same.
    pub numbers: Vec<u64>,
}

/// What is done with rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keep {
    /// They are kept, each of them.
    Each,
    /// They are kept with their numbers, so that those that are alike can be held once.
    Alike,
    /// Only how long they are and their numbers.
    Numbers,
}

/// Forms a product: the message that it sums to, and, where they are kept, the rows of its own variable. `own` is that
/// variable's table in the network.
pub(super) fn formed(product: &Product, spread: &Spread, own: &Table, keep: Option<Keep>) -> (Vec<f64>, Vec<Part>) {
    let (line, groups) = (product.line, product.groups);
    let lines = Lines::new(product);
    let mut values = vec![0.0; cells(&product.scope) as usize * groups];
    let chunk = (4096 / (groups * line)).max(1);
    let mut begins = lines.begin();
    let from = product.scope.len() - product.along;
    // The row of the variable's own table, where its line begins and along it.
    let mut along = vec![0; line];
    if let Spread::Rows { outer, .. } = spread {
        walk(&product.scope[from..], &[outer[from..].to_vec()], 0..line, |cell, at| along[cell] = at[0] as u32);
        begins.push(outer[..from].to_vec());
    }
    let maker = keep.map(|keep| Maker { lines: &lines, spread, own, along, groups, keep });
    let parts = values
        .par_chunks_mut(chunk * line * groups)
        .enumerate()
        .map(|(n, out)| {
            let first = n * chunk;
            let (mut part, mut formed, mut making) = (Part::default(), Formed::default(), Making::default());
            walk(&product.scope[..from], &begins, first..first + out.len() / (groups * line), |number, at| {
                let out = &mut out[(number - first) * line * groups..][..line * groups];
                form(&lines, at, out, &mut formed, maker.is_some());
                if let Some(maker) = &maker {
                    maker.make(number * line, at, &mut formed, &mut making, &mut part);
                }
            });
            part
        })
        .collect();
    (values, parts)
}

/// The rows of a table of so many configurations one after another, and which of them each configuration has.
pub(super) fn one_after_another(configs: usize, parts: Vec<Part>) -> (Rows, Vec<u32>) {
    let entries = parts.iter().map(|p| p.levels.len()).sum();
    let mut compact = vec![UNREACHABLE; configs];
    let (mut at, mut levels, mut thresholds) = (vec![0], Vec::with_capacity(entries), Vec::with_capacity(entries));
    for part in parts {
        for (config, length) in part.reached.into_iter().zip(part.lengths) {
            compact[config as usize] = at.len() as u32 - 1;
            at.push(at[at.len() - 1] + length);
        }
        levels.extend(part.levels);
        thresholds.extend(part.thresholds);
    }
    (Rows::Sparse { offsets: at, levels, thresholds }, compact)
}

/// Working memory.
#[derive(Default)]
pub(crate) struct Making {
    /// The levels that the rows of a line may have, in order; for each of them the cells' weights, and their thresholds.
    levels: Vec<u16>,
    weights: Vec<f64>,
    thresholds: Vec<u32>,
    sums: [Vec<f64>; 2],
    numbers: Vec<u64>,
    /// Where the weights of each class are in what is formed.
    place: Vec<u32>,
    hits: Vec<(u16, usize, f64)>,
    row: Row,
}

/// What all lines are made by.
struct Maker<'a> {
    lines: &'a Lines<'a>,
    spread: &'a Spread,
    /// The variable's own table, and what each cell of a line adds to the number of its row.
    own: &'a Table,
    along: Vec<u32>,
    groups: usize,
    keep: Keep,
}

impl Maker<'_> {
    /// Adds the rows of the line that begins at a configuration, at which the inputs, and last the own table's row, are at
    /// these cells.
    fn make(&self, begin: usize, at: &[usize], formed: &mut Formed, making: &mut Making, part: &mut Part) {
        let line = self.along.len();
        let one_row = self.along.iter().all(|along| *along == 0);
        if let (Spread::Rows { .. }, false) = (self.spread, one_row) {
            return self.make_each(begin, at, formed, making, part);
        }
        let mut from = 0;
        while let Some((_, group)) = formed.classes.get(from).copied() {
            let count = formed.classes[from..].iter().take_while(|(_, of)| *of == group).count();
            making.levels.clear();
            match self.spread {
                Spread::Levels(levels) => {
                    let classes = &formed.classes[from..from + count];
                    making.levels.extend(classes.iter().map(|(class, _)| levels[usize::from(*class)]));
                    making.weights.clear();
                    making.weights.extend_from_slice(&formed.weights[from * line..(from + count) * line]);
                }
                Spread::Rows { .. } => self.widen(from, count, at, formed, making),
            }
            emit(making, self.keep, line, part, [begin * self.groups + group, self.groups]);
            from += count;
        }
    }

    /// The levels of classes that are one group, by the one row of the own table that the line has.
    fn widen(&self, from: usize, count: usize, at: &[usize], formed: &mut Formed, making: &mut Making) {
        let Spread::Rows { input, base, class_of, group_of, inner, .. } = self.spread else { return };
        let line = self.along.len();
        making.place.clear();
        making.place.resize(group_of.len(), u32::MAX);
        for place in from..from + count {
            let class = usize::from(formed.classes[place].0);
            let own = self.lines.value(*input, class, at, 0);
            formed.weights[place * line..][..line].iter_mut().for_each(|weight| *weight /= own);
            making.place[class] = place as u32;
        }
        let group = formed.classes[from].1;
        let row = base + at.last().copied().unwrap_or_default() + inner[group];
        let row = self.own.compact.as_ref().map_or(row as u32, |rows| rows[row]);
        making.weights.clear();
        if row == UNREACHABLE {
            return;
        }
        self.own.rows.each(row as usize, |level, p| {
            let place = making.place.get(usize::from(class_of[level])).copied().unwrap_or(u32::MAX);
            if place != u32::MAX {
                let lambda = &formed.weights[place as usize * line..][..line];
                making.levels.push(level as u16);
                making.weights.extend(lambda.iter().map(|lambda| p * lambda));
            }
        });
    }

    /// One row after another.
    fn make_each(&self, begin: usize, at: &[usize], formed: &Formed, making: &mut Making, part: &mut Part) {
        let line = self.along.len();
        let Making { hits, row, .. } = making;
        for cell in 0..line {
            hits.clear();
            for (place, (class, group)) in formed.classes.iter().enumerate() {
                let weight = formed.weights[place * line + cell];
                if weight > 0.0 {
                    hits.push((*class, *group, weight));
                }
            }
            for hits in hits.chunk_by(|a, b| a.1 == b.1) {
                let own = |class: usize| match self.spread {
                    Spread::Rows { input, .. } => self.lines.value(*input, class, at, cell),
                    Spread::Levels(_) => 1.0,
                };
                let of_row = at.last().copied().unwrap_or_default() + self.along[cell] as usize;
                self.spread.spread(self.own, hits, own, of_row, row);
                if !row.weights.is_empty() {
                    let before = part.thresholds.len();
                    quantise(&row.weights, &mut part.thresholds);
                    if self.keep != Keep::Each {
                        let words = row.levels.iter().zip(&part.thresholds[before..]);
                        part.numbers.push(words.fold(0, |n, (level, threshold)| number(n, *level, *threshold)));
                    }
                    match self.keep {
                        Keep::Numbers => part.thresholds.clear(),
                        Keep::Each | Keep::Alike => part.levels.extend(&row.levels),
                    }
                    part.reached.push(((begin + cell) * self.groups + hits[0].1) as u32);
                    part.lengths.push(row.levels.len() as u32);
                }
            }
        }
    }
}

/// The number of a row with one more level.
#[inline(always)]
fn number(of: u64, level: u16, threshold: u32) -> u64 {
    (of ^ (u64::from(level) << 32 | u64::from(threshold))).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(29)
}

of_any_width! {
    /// Adds the rows of a line to a part, the first of them that of one configuration, the others in steps from it.
    emit = emit_line(making: &mut Making, keep: Keep, line: usize, part: &mut Part, first_and_step: [usize; 2])
}

#[inline(always)]
fn emit_line(making: &mut Making, keep: Keep, line: usize, part: &mut Part, [first, step]: [usize; 2]) {
    let Making { levels, weights, thresholds, sums: [sums, totals], numbers, .. } = making;
    for of in [&mut *sums, &mut *totals] {
        of.clear();
        of.resize(line, 0.0);
    }
    for weights in weights.chunks_exact(line) {
        totals.iter_mut().zip(weights).for_each(|(total, weight)| *total += weight);
    }
    thresholds.resize(weights.len(), 0);
    for (weights, thresholds) in weights.chunks_exact(line).zip(thresholds.chunks_exact_mut(line)) {
        let sums = sums.iter_mut().zip(&*totals);
        for ((threshold_of, weight), (sum, total)) in thresholds.iter_mut().zip(weights).zip(sums) {
            *sum += weight;
            *threshold_of = threshold(*sum, *total);
        }
    }
    numbers.clear();
    numbers.resize(line, 0);
    if keep != Keep::Each {
        let rows = weights.chunks_exact(line).zip(thresholds.chunks_exact(line));
        for ((weights, thresholds), level) in rows.zip(&*levels) {
            for ((of, weight), threshold) in numbers.iter_mut().zip(weights).zip(thresholds) {
                let with = number(*of, *level, *threshold);
                *of = if *weight > 0.0 { with } else { *of };
            }
        }
    }
    for cell in 0..line {
        let length = match keep {
            Keep::Numbers => (0..levels.len()).map(|at| u32::from(weights[at * line + cell] > 0.0)).sum(),
            Keep::Each | Keep::Alike => {
                let before = part.levels.len();
                for (at, level) in levels.iter().enumerate() {
                    if weights[at * line + cell] > 0.0 {
                        part.levels.push(*level);
                        part.thresholds.push(thresholds[at * line + cell]);
                    }
                }
                (part.levels.len() - before) as u32
            }
        };
        if length > 0 {
            part.lengths.push(length);
            if keep != Keep::Each {
                part.numbers.push(numbers[cell]);
            }
            if keep != Keep::Numbers {
                part.reached.push((first + cell * step) as u32);
            }
        }
    }
}
