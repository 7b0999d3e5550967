//! The network: one node a variable, each with the table of its levels given its parents.

use std::sync::OnceLock;

use crate::interrupt;
use crate::model::guide::Guide;
use crate::model::partition::Partition;
use crate::model::potential::{Axis, Potential, cells, strides};
use crate::model::variable::Variable;

/// Thresholds divide the words `0..2^32-1` among the levels: a level's probability is its share of them.
pub(crate) const WORDS: f64 = u32::MAX as f64;

/// A Bayesian network; node `i` draws variable `i`, and its parents have lower indices.
#[derive(Debug)]
pub(crate) struct Network {
    pub variables: Vec<Variable>,
    pub tables: Vec<Table>,
}

/// P(variable | parents), one row for each joint configuration of the parents' classes.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    pub parents: Vec<Axis>,
    pub rows: Rows,
    /// Where not every configuration can be met: the row of each, [`UNREACHABLE`] for those that cannot.
    pub compact: Option<Vec<u32>>,
}

pub(crate) const UNREACHABLE: u32 = u32::MAX;

/// The rows of a table. Level `k` of a row is drawn by the words from its predecessor's threshold (or 0) up to,
/// not including, its own; the last level that can be drawn has `u32::MAX`.
#[derive(Debug, Clone)]
pub(crate) enum Rows {
    /// All `width` levels in every row.
    Dense { width: usize, thresholds: Vec<u32> },
    /// Only the levels that can be drawn; row `r` is `offsets[r]..offsets[r + 1]`.
    Sparse { offsets: Vec<u32>, levels: Vec<u16>, thresholds: Vec<u32> },
    /// One certain level a row.
    Function { levels: Vec<u16> },
}

impl Rows {
    pub fn len(&self) -> usize {
        match self {
            Rows::Dense { width, thresholds } => thresholds.len() / width,
            Rows::Sparse { offsets, .. } => offsets.len() - 1,
            Rows::Function { levels } => levels.len(),
        }
    }

    /// How many levels all rows list together.
    pub fn entries(&self) -> usize {
        match self {
            Rows::Dense { thresholds, .. } => thresholds.len(),
            Rows::Sparse { levels, .. } | Rows::Function { levels } => levels.len(),
        }
    }

    /// The level that a word draws.
    #[inline]
    pub fn pick(&self, row: usize, word: u32) -> u16 {
        let word = word.min(u32::MAX - 1);
        match self {
            Rows::Dense { width, thresholds } => {
                let row = &thresholds[row * width..(row + 1) * width];
                if *width <= 16 {
                    row.iter().map(|t| u16::from(*t <= word)).sum()
                } else {
                    row.partition_point(|t| *t <= word) as u16
                }
            }
            Rows::Sparse { offsets, levels, thresholds } => {
                let (from, to) = (offsets[row] as usize, offsets[row + 1] as usize);
                let at = thresholds[from..to].partition_point(|t| *t <= word);
                levels[from + at]
            }
            Rows::Function { levels } => levels[row],
        }
    }

    /// Visits the levels of a row that can be drawn, with their probabilities.
    pub fn each(&self, row: usize, mut visit: impl FnMut(usize, f64)) {
        match self {
            Rows::Dense { width, thresholds } => {
                let mut before = 0;
                for (level, t) in thresholds[row * width..(row + 1) * width].iter().enumerate() {
                    if *t > before {
                        visit(level, f64::from(t - before) / WORDS);
                        before = *t;
                    }
                }
            }
            Rows::Sparse { offsets, levels, thresholds } => {
                let mut before = 0;
                for at in offsets[row] as usize..offsets[row + 1] as usize {
                    if thresholds[at] > before {
                        visit(usize::from(levels[at]), f64::from(thresholds[at] - before) / WORDS);
                        before = thresholds[at];
                    }
                }
            }
            Rows::Function { levels } => visit(usize::from(levels[row]), 1.0),
        }
    }

    /// Whether one of the levels of a row that can be drawn is so.
    pub fn any(&self, row: usize, is: impl Fn(usize) -> bool) -> bool {
        let drawn =
            |at: usize, thresholds: &[u32]| thresholds[at] > at.checked_sub(1).map_or(0, |before| thresholds[before]);
        match self {
            Rows::Dense { width, thresholds } => {
                let thresholds = &thresholds[row * width..(row + 1) * width];
                (0..*width).any(|level| is(level) && drawn(level, thresholds))
            }
            Rows::Sparse { offsets, levels, thresholds } => {
                let (from, to) = (offsets[row] as usize, offsets[row + 1] as usize);
                let (levels, thresholds) = (&levels[from..to], &thresholds[from..to]);
                (0..levels.len()).any(|at| is(usize::from(levels[at])) && drawn(at, thresholds))
            }
            Rows::Function { levels } => is(usize::from(levels[row])),
        }
    }

    /// The words that draw a level of a row: from the first number to before the second. `None` if none do.
    pub fn span(&self, row: usize, level: u16) -> Option<(u32, u32)> {
        let (low, high) = match self {
            Rows::Dense { width, thresholds } => {
                let row = &thresholds[row * width..(row + 1) * width];
                let at = usize::from(level);
                (if at == 0 { 0 } else { row[at - 1] }, *row.get(at)?)
            }
            Rows::Sparse { offsets, levels, thresholds } => {
                let (from, to) = (offsets[row] as usize, offsets[row + 1] as usize);
                let at = from + levels[from..to].binary_search(&level).ok()?;
                (if at == from { 0 } else { thresholds[at - 1] }, thresholds[at])
            }
            Rows::Function { levels } => return (levels[row] == level).then_some((0, u32::MAX)),
        };
        (low < high).then_some((low, high))
    }
}

/// Appends the thresholds of one row of weights, which need not sum to one. All-zero weights give a row that draws
/// its first level; no such row is ever reached.
pub(crate) fn quantise(weights: &[f64], thresholds: &mut Vec<u32>) {
    let total: f64 = weights.iter().sum();
    let last = weights.iter().rposition(|w| *w > 0.0).unwrap_or(weights.len() - 1);
    let mut sum = 0.0;
    for (i, weight) in weights.iter().enumerate() {
        sum += weight;
        thresholds.push(if i >= last { u32::MAX } else { threshold(sum, total) });
    }
}

/// The threshold of a level up to which weights of `total` sum to `sum`: the nearest integer, and halves up, as `round` has
/// it, which is a call where a machine may lack the instruction. What is added is the number below one half.
#[inline(always)]
pub(crate) fn threshold(sum: f64, total: f64) -> u32 {
    ((sum / total).min(1.0) * WORDS + 0.499_999_999_999_999_94) as u32
}

/// The place of the level that a word draws by the thresholds that [`quantise`] makes of these weights, none of them 0; they
/// become the sums up to each. `None` of none.
pub(crate) fn pick_weighed(weights: &mut [f64], word: u32) -> Option<usize> {
    let word = word.min(u32::MAX - 1);
    let mut total = 0.0;
    for weight in weights.iter_mut() {
        total += *weight;
        *weight = total;
    }
    let (_, sums) = weights.split_last()?;
    Some(sums.partition_point(|sum| threshold(*sum, total) <= word))
}

impl Rows {
    /// Rows of `width` levels each, from their thresholds: kept whole, or only the levels that can be drawn where that
    /// is smaller.
    pub fn of(width: usize, thresholds: Vec<u32>) -> Rows {
        let dense = Rows::Dense { width, thresholds };
        let (mut offsets, mut levels, mut kept) = (vec![0], vec![], vec![]);
        let Rows::Dense { thresholds, .. } = &dense else {
            return dense;
        };
        for row in thresholds.chunks_exact(width) {
            let mut before = 0;
            for (level, threshold) in row.iter().enumerate().filter(|(_, t)| **t > 0) {
                if *threshold > before {
                    levels.push(level as u16);
                    kept.push(*threshold);
                    before = *threshold;
                }
            }
            offsets.push(levels.len() as u32);
        }
        // Four bytes a threshold and an offset, two a level.
        if kept.len() * 6 + offsets.len() * 4 < thresholds.len() * 4 * 3 / 4 {
            return Rows::Sparse { offsets, levels, thresholds: kept };
        }
        dense
    }
}

impl Table {
    /// The probability of each class of `partition` in each row: rows × classes.
    pub fn coarsened(&self, partition: &Partition) -> Vec<f64> {
        let (classes, class_of) = (partition.classes(), partition.class_of());
        let mut values = vec![0.0; self.rows.len() * classes];
        for row in 0..self.rows.len() {
            self.rows.each(row, |level, p| values[row * classes + usize::from(class_of[level])] += p);
        }
        values
    }

    /// This table as a factor over its parents and the classes of its own variable.
    fn factor(&self, variable: usize, partition: Partition) -> Potential {
        let values = self.coarsened(&partition);
        let mut axes = self.parents.clone();
        axes.push(Axis { variable, partition });
        Potential { axes, values }
    }
}

/// The most products that are formed to make one table of a marginal: some seconds of work, of which nothing is held.
const MAX_WORK: u128 = 1 << 31;

impl Network {
    /// The variables that these ones depend on, themselves included.
    pub fn ancestors(&self, of: impl IntoIterator<Item = usize>) -> Vec<bool> {
        let mut wanted = vec![false; self.tables.len()];
        of.into_iter().for_each(|v| wanted[v] = true);
        for v in (0..self.tables.len()).rev() {
            if wanted[v] {
                self.tables[v].parents.iter().for_each(|p| wanted[p.variable] = true);
            }
        }
        wanted
    }

    /// The joint distribution of some variables on some partitions, by variable elimination. Only the first
    /// `self.tables.len()` variables may be asked for. `None` if it would hold more than `bound` cells in a table, or form
    /// more than 2^31 products to make one; or if the work is given up, which [`check`](crate::interrupt::check) tells.
    pub fn marginal(&self, keep: &[Axis], bound: u64) -> Option<Potential> {
        self.marginal_within(keep, bound, MAX_WORK)
    }

    /// The same, of no more than so many products for a table.
    pub fn marginal_within(&self, keep: &[Axis], bound: u64, most_work: u128) -> Option<Potential> {
        if cells(keep) > u128::from(bound) {
            return None;
        }
        let (axes, classes): (Vec<Axis>, Vec<Option<Vec<usize>>>) =
            keep.iter().map(|axis| self.seen_through_its_parent(axis, keep)).unzip();
        let joint = self.eliminated_onto(&axes, bound, most_work)?;
        if classes.iter().all(Option::is_none) {
            return Some(joint);
        }
        let (from, to) = (strides(&axes), strides(keep));
        let mut values = vec![0.0; cells(keep) as usize];
        for (cell, share) in joint.values.iter().enumerate() {
            let class = |at: usize| cell / from[at] % axes[at].partition.classes();
            let own = |at: usize| classes[at].as_ref().map_or(class(at), |of| of[class(at)]);
            values[(0..axes.len()).map(|at| own(at) * to[at]).sum::<usize>()] += share;
        }
        Some(Potential { axes: keep.to_vec(), values })
    }

    /// An axis of a variable that is a function of its one parent, as an axis of that parent with the class that each of
    /// its classes is: nothing is eliminated between the two, of which the parent may have very many levels. Another axis,
    /// one whose parent is kept too, or whose variable others depend on, is left as it is.
    fn seen_through_its_parent(&self, axis: &Axis, keep: &[Axis]) -> (Axis, Option<Vec<usize>>) {
        let as_it_is = (axis.clone(), None);
        let of = |variable: usize| match (&self.tables[variable].rows, &self.tables[variable].parents[..]) {
            (Rows::Function { levels }, [parent]) => Some((levels, parent)),
            _ => None,
        };
        let Some((levels, parent)) = of(axis.variable) else { return as_it_is };
        let shared = keep.iter().filter(|other| other.variable != axis.variable).any(|other| {
            other.variable == parent.variable || of(other.variable).is_some_and(|(_, p)| p.variable == parent.variable)
        });
        let wanted = self.ancestors(keep.iter().map(|a| a.variable));
        let mut tables = wanted.iter().zip(&self.tables).filter(|(wanted, _)| **wanted);
        if shared || tables.any(|(_, table)| table.parents.iter().any(|p| p.variable == axis.variable)) {
            return as_it_is;
        }
        let compact = self.tables[axis.variable].compact.as_ref();
        let class_of = |class: &u16| {
            let row = compact.map_or(u32::from(*class), |rows| rows[usize::from(*class)]);
            let level = levels.get(row as usize).map_or(0, |level| usize::from(*level));
            axis.partition.class_of()[level]
        };
        let of_levels: Vec<u16> = parent.partition.class_of().iter().map(class_of).collect();
        let partition = Partition::by_numbers(of_levels.iter().map(|level| u32::from(*level)));
        let classes = partition.members().iter().map(|levels| usize::from(of_levels[levels[0]])).collect();
        (Axis { variable: parent.variable, partition }, Some(classes))
    }

    fn eliminated_onto(&self, keep: &[Axis], bound: u64, most_work: u128) -> Option<Potential> {
        let wanted = self.ancestors(keep.iter().map(|a| a.variable));
        let mut seen: Vec<Partition> = self.variables.iter().map(|v| Partition::whole(v.len())).collect();
        let relevant = || (0..self.tables.len()).filter(|v| wanted[*v]);
        for axis in keep.iter().chain(relevant().flat_map(|v| &self.tables[v].parents)) {
            seen[axis.variable] = seen[axis.variable].refine(&axis.partition);
            // A table seen in so many classes is a potential of so many cells, before anything is multiplied.
            let cells = self.tables[axis.variable].rows.len() as u128 * seen[axis.variable].classes() as u128;
            if cells > u128::from(bound) {
                return None;
            }
        }
        let product = |factors: &[Potential], keep: &[Axis]| {
            Potential::product_while(&factors.iter().collect::<Vec<_>>(), keep, || interrupt::check().is_ok())
        };
        let mut pool: Vec<Potential> = relevant().map(|v| self.tables[v].factor(v, seen[v].clone())).collect();
        let mut rest: Vec<usize> = relevant().filter(|v| !keep.iter().any(|a| a.variable == *v)).collect();
        while !rest.is_empty() {
            // The variable whose elimination makes the smallest table goes first.
            let (at, scope) = rest
                .iter()
                .enumerate()
                .map(|(at, v)| {
                    let mut scope = vec![];
                    for axis in pool.iter().filter(|f| f.mentions(*v)).flat_map(|f| &f.axes) {
                        crate::model::potential::widen(&mut scope, axis);
                    }
                    (at, scope)
                })
                .min_by_key(|(_, scope)| cells(scope))?;
            let variable = rest.swap_remove(at);
            let (with, without): (Vec<Potential>, Vec<Potential>) =
                pool.into_iter().partition(|f| f.mentions(variable));
            let work = cells(&scope);
            let kept: Vec<Axis> = scope.into_iter().filter(|a| a.variable != variable).collect();
            if work > most_work || cells(&kept) > u128::from(bound) {
                return None;
            }
            pool = without;
            pool.push(product(&with, &kept)?);
        }
        let mut scope = keep.to_vec();
        pool.iter().flat_map(|f| &f.axes).for_each(|a| crate::model::potential::widen(&mut scope, a));
        if cells(&scope) > most_work {
            return None;
        }
        product(&pool, keep)
    }
}

/// Where a table's rows are found from the codes of its parents, and where in them to begin to look.
#[derive(Debug)]
pub(crate) struct Address {
    /// For each parent, the offset of each level
    pub parents: Vec<(usize, Vec<u32>)>,
    guide: OnceLock<Guide>,
}

/// Rows of which so many are drawn at once are worth a guide.
const WORTH_A_GUIDE: usize = 2048;

impl Address {
    pub fn new(parents: &[Axis]) -> Address {
        let strides = strides(parents);
        let parents = parents
            .iter()
            .zip(strides)
            .map(|(axis, stride)| {
                let offsets =
                    axis.partition.class_of().iter().map(|c| (usize::from(*c) * stride) as u32).collect::<Vec<_>>();
                (axis.variable, offsets)
            })
            .collect();
        Address { parents, guide: OnceLock::new() }
    }

    /// The guide of the table that this is the address of, made where so many people are drawn that it is worth it.
    pub fn guide(&self, rows: &Rows, people: usize) -> Option<&Guide> {
        match people < WORTH_A_GUIDE {
            true => self.guide.get(),
            false => Some(self.guide.get_or_init(|| Guide::new(rows))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_share_out_the_words() {
        let mut thresholds = vec![];
        quantise(&[1.0, 0.0, 3.0, 0.0], &mut thresholds);
        assert_eq!(thresholds[0], thresholds[1]);
        assert_eq!(&thresholds[2..], [u32::MAX, u32::MAX]);
        let rows = Rows::Dense { width: 4, thresholds };
        assert_eq!(rows.pick(0, 0), 0);
        assert_eq!(rows.pick(0, u32::MAX), 2);
        let mut seen = vec![];
        rows.each(0, |l, p| seen.push((l, p)));
        assert_eq!(seen.len(), 2);
        assert!((seen[0].1 - 0.25).abs() < 1e-9 && (seen[0].1 + seen[1].1 - 1.0).abs() < 1e-15);
    }

    #[test]
    fn levels_are_looked_up_as_they_are_visited() {
        for (width, every) in [(5, 2), (60, 19)] {
            let mut thresholds = vec![];
            for row in 0..4 {
                let weight = |level: usize| if (level + row).is_multiple_of(every) { level as f64 + 1.0 } else { 0.0 };
                quantise(&(0..width).map(weight).collect::<Vec<f64>>(), &mut thresholds);
            }
            let rows = Rows::of(width, thresholds);
            assert_eq!(matches!(rows, Rows::Sparse { .. }), width == 60);
            for row in 0..4 {
                let mut visited = vec![None; width];
                rows.each(row, |level, p| visited[level] = Some(p));
                for (level, p) in visited.into_iter().enumerate() {
                    let span = rows.span(row, level as u16);
                    assert_eq!(span.map(|(low, high)| f64::from(high - low) / WORDS), p);
                    assert_eq!(rows.any(row, |other| other == level), p.is_some());
                }
            }
        }
    }

    #[test]
    fn a_row_that_is_worked_out_draws_as_its_thresholds_do() {
        let mut random = 7u64;
        for length in 1..40 {
            let mut next = || {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                random >> 33
            };
            let weights: Vec<f64> = (0..length).map(|_| (next() % 8) as f64 * next() as f64).collect();
            let mut thresholds = vec![];
            quantise(&weights, &mut thresholds);
            let (total, mut sum) = (weights.iter().sum::<f64>(), 0.0);
            for (weight, threshold) in weights.iter().zip(&thresholds).take_while(|(_, t)| **t < u32::MAX) {
                sum += weight;
                assert_eq!(*threshold, ((sum / total).min(1.0) * WORDS).round() as u32);
            }
            let words = thresholds.iter().flat_map(|t| [t.wrapping_sub(1), *t, t.wrapping_add(1)]);
            for word in words.chain([0, u32::MAX]) {
                let level = thresholds.partition_point(|t| *t <= word.min(u32::MAX - 1));
                assert_eq!(pick_weighed(&mut weights.clone(), word), Some(level), "{word} of {weights:?}");
            }
        }
        assert_eq!(pick_weighed(&mut [], 0), None);
        let halves = [0.5, 1.5, 2.5, 0.499_999_999_999_999_94, 4_294_967_294.5, 4_294_967_294.499_999_5];
        for x in halves {
            assert_eq!(threshold(x / WORDS, 1.0), (x / WORDS * WORDS).round() as u32);
        }
    }

    #[test]
    fn mostly_empty_rows_are_kept_sparse_and_draw_alike() {
        let mut thresholds = vec![];
        quantise(&[0.0, 0.0, 1.0, 0.0, 0.0, 3.0, 0.0, 0.0], &mut thresholds);
        quantise(&[0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0], &mut thresholds);
        let dense = Rows::Dense { width: 8, thresholds: thresholds.clone() };
        let sparse = Rows::of(8, thresholds);
        assert!(matches!(sparse, Rows::Sparse { .. }));
        for row in 0..2 {
            for word in [0, 1 << 29, 1 << 30, (1 << 30) + 1, u32::MAX] {
                assert_eq!(dense.pick(row, word), sparse.pick(row, word));
            }
        }
    }

    #[test]
    fn a_level_of_probability_zero_is_never_drawn() {
        let mut thresholds = vec![];
        quantise(&[0.0, 1.0, 0.0], &mut thresholds);
        let rows = Rows::Dense { width: 3, thresholds };
        for word in [0, 1, u32::MAX - 1, u32::MAX] {
            assert_eq!(rows.pick(0, word), 1);
        }
    }
}
