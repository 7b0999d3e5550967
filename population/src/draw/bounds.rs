//! Bounds of what later variables can make of those known below them, by mini-buckets.

use std::borrow::Cow;
use std::cell::Cell;
use std::sync::Arc;

use crate::draw::groups::Groups;
use crate::draw::rows::{Inverse, in_all, span};
use crate::draw::trellis::{base, row};
use crate::draw::values::Values;
use crate::model::network::{Network, Table, WORDS};
use crate::model::partition::Partition;
use crate::model::potential::{Axis, cells, offsets, strides, walk, walk_sizes, widen};
use crate::pack::Pack;

/// The most work of any bound, and the most cells.
const MOST_WORK: u128 = 1 << 21;
const MOST_CELLS: u128 = 1 << 15;

/// What a level that is looked up in a row takes, in products.
pub(super) const LOOKED_UP: u64 = 4;

/// Weights over some unknown variables.
#[derive(Debug)]
pub(super) struct Function {
    pub of: Of,
    pub axes: Vec<Axis>,
    /// For each axis the step that draws its variable, and what each level adds to the cell.
    pub reads: Vec<(usize, Vec<u32>)>,
    /// Which words of the key of what is known around the part it depends on.
    pub key: Vec<usize>,
}

#[derive(Debug)]
pub(super) enum Of {
    /// The probability of a known variable.
    Known(usize),
    /// That of one that tells at once at which levels of its parent it is not 0.
    Listed(usize, Arc<Inverse>),
    /// What bounds that of a known variable's level and those like it.
    Grouped(usize, Arc<Groups>),
    /// What a step bounds.
    Bound(usize),
}

#[derive(Debug)]
pub(super) struct Step {
    pub variable: usize,
    /// Its unknown parents: the step that draws each, and its place in the address.
    pub parents: Vec<(usize, usize)>,
    /// The functions that weigh its levels, and those that list the ones which they leave.
    pub factors: Vec<usize>,
    pub lists: Vec<usize>,
    /// Known variables bounded by groups whose last parent it draws.
    pub tops: Vec<Top>,
    pub bound: Option<Bound>,
}

/// A known variable that is bounded by its level's group.
#[derive(Debug)]
pub(super) struct Top {
    /// Its place among those.
    pub at: usize,
    /// Its unknown parents: the step that draws each, and its place in the address.
    pub parents: Vec<(usize, usize)>,
    pub groups: Arc<Groups>,
}

/// A step's variable summed out of its table and its factors, over what is drawn before it.
#[derive(Debug)]
pub(super) struct Bound {
    pub function: usize,
    /// Whether its largest weight is taken, not the sum by its table.
    pub largest: bool,
    pub own: Partition,
    /// For each axis of the function, what each class adds to the row of the table.
    pub rows: Vec<Vec<usize>>,
    pub factors: Vec<Factor>,
    /// How many levels a row of the variable's table lists, or what is known leaves, on average.
    pub listed: usize,
}

/// A factor as a bound reads it: what remains of its axes, and what each class of the bound's axes and of the variable
/// itself adds to the cell.
#[derive(Debug)]
pub(super) struct Factor {
    pub function: usize,
    /// From all cells onto those of the axes that remain, where some do not: how many, and where each axis goes.
    pub onto: Option<(usize, Vec<Vec<usize>>)>,
    pub outer: Vec<Vec<usize>>,
    pub own: Vec<usize>,
    /// Of those of the bound's axes that it has, the stride and the classes.
    pub sizes: Vec<(usize, usize, usize)>,
}

/// The parents of a table that are among some variables.
pub(super) fn unknown_axes(table: &Table, variables: &[usize]) -> Vec<Axis> {
    table.parents.iter().filter(|a| variables.binary_search(&a.variable).is_ok()).cloned().collect()
}

/// What a step bounds: over which axes, by which words of the key, and how; nothing if nothing weighs its variable.
pub(super) fn bound(
    network: &Network,
    variables: &[usize],
    functions: &[Function],
    steps: &[Step],
    at: usize,
    people: &dyn Fn(&[usize]) -> u64,
    work: u64,
) -> Option<(Vec<Axis>, Vec<usize>, Bound)> {
    let step = &steps[at];
    let (variable, table) = (step.variable, &network.tables[step.variable]);
    let mut own = Partition::whole(network.variables[variable].len());
    let mut key: Vec<usize> = vec![at];
    for function in step.factors.iter().map(|f| &functions[*f]) {
        key.extend(&function.key);
        function.axes.iter().filter(|a| a.variable == variable).for_each(|a| own = own.refine(&a.partition));
    }
    step.lists.iter().for_each(|list| key.extend(&functions[*list].key));
    if step.factors.is_empty() && step.lists.is_empty() {
        return None;
    }
    key.sort_unstable();
    key.dedup();
    let parents = unknown_axes(table, variables);
    let mut scope = parents.clone();
    for function in step.factors.iter().map(|f| &functions[*f]) {
        function.axes.iter().filter(|a| a.variable != variable).for_each(|a| widen(&mut scope, a));
    }
    let work = u128::from(work.saturating_mul(people(&key))).min(MOST_WORK);
    let most = MOST_CELLS.min(work);
    let left = step.lists.iter().filter_map(|list| match &functions[*list].of {
        Of::Listed(_, inverse) => Some(inverse.each() * LOOKED_UP as usize),
        _ => None,
    });
    let listed = left.min().unwrap_or(table.rows.entries() / table.rows.len().max(1) + 1);
    let fits = |scope: &[Axis]| {
        let each = if step.lists.is_empty() { listed.min(2 * own.classes()) } else { listed };
        cells(scope) <= most && cells(scope).saturating_mul(each as u128) <= work
    };
    let of_parents = |a: &Axis| parents.iter().any(|p| p.variable == a.variable);
    // What its own table does not have goes first, and of that what makes the table smallest.
    while !fits(&scope) {
        let others = scope.iter().enumerate().filter(|(_, a)| !of_parents(a));
        let Some((most, _)) = others.max_by_key(|(_, a)| a.partition.classes()) else { break };
        scope.remove(most);
    }
    let largest = !fits(&scope);
    if largest {
        scope.clear();
        for function in step.factors.iter().map(|f| &functions[*f]) {
            function.axes.iter().filter(|a| a.variable != variable).for_each(|a| widen(&mut scope, a));
        }
        while !fits(&scope) {
            let Some((most, _)) = scope.iter().enumerate().max_by_key(|(_, a)| a.partition.classes()) else { break };
            scope.remove(most);
        }
    }
    scope.retain(|a| a.partition.classes() > 1);
    let mut rows: Vec<Vec<usize>> = scope.iter().map(|a| vec![0; a.partition.classes()]).collect();
    if !largest {
        for (axis, stride) in table.parents.iter().zip(strides(&table.parents)) {
            let Some(at) = scope.iter().position(|a| a.variable == axis.variable) else { continue };
            let onto = scope[at].partition.onto(&axis.partition)?;
            rows[at].iter_mut().zip(onto).for_each(|(row, class)| *row += usize::from(class) * stride);
        }
    }
    let own_axis = Axis { variable, partition: own.clone() };
    let with_own: Vec<Axis> = scope.iter().chain([&own_axis]).cloned().collect();
    let factor = |f: &usize| {
        let axes = &functions[*f].axes;
        let stays = |a: &&Axis| with_own.iter().any(|s| s.variable == a.variable);
        let left: Vec<Axis> = axes.iter().filter(stays).cloned().collect();
        let onto = (left.len() < axes.len()).then(|| (cells(&left) as usize, offsets(axes, &left, None)));
        let mut outer = offsets(&with_own, &left, None);
        let own = outer.pop().unwrap_or_default();
        let size = |(axis, stride): (&Axis, usize)| {
            let at = scope.iter().position(|s| s.variable == axis.variable)?;
            Some((at, stride, axis.partition.classes()))
        };
        let sizes = left.iter().zip(strides(&left)).filter_map(size).collect();
        Factor { function: *f, onto, outer, own, sizes }
    };
    let factors = step.factors.iter().map(factor).collect();
    Some((scope, key, Bound { function: 0, largest, own, rows, factors, listed }))
}

impl Step {
    /// The values of its bound.
    pub fn summed(&self, pack: &Pack, codes: &[i32], functions: &[Function], values: &[Values]) -> (Values, u64) {
        let Some(bound) = &self.bound else { return (vec![].into(), 0) };
        let table = &pack.network.tables[self.variable];
        let from = base(&pack.addresses[self.variable], codes);
        let scope = &functions[bound.function].axes;
        let factors: Vec<Cow<'_, [f64]>> = bound
            .factors
            .iter()
            .map(|factor| {
                let whole = values[factor.function].all();
                let Some((cells, onto)) = &factor.onto else { return whole.into() };
                let mut most = vec![0.0f64; *cells];
                walk(&functions[factor.function].axes, std::slice::from_ref(onto), 0..whole.len(), |cell, at| {
                    most[at[0]] = most[at[0]].max(whole[cell]);
                });
                most.into()
            })
            .collect();
        // Classes that a factor leaves nothing of are passed over.
        let mut left: Vec<Vec<bool>> = scope.iter().map(|a| vec![true; a.partition.classes()]).collect();
        for (factor, values) in bound.factors.iter().zip(&factors) {
            if !values.contains(&0.0) {
                continue;
            }
            for (axis, stride, classes) in &factor.sizes {
                let mut met = vec![false; *classes];
                for (block, weights) in values.chunks(*stride).enumerate() {
                    met[block % classes] |= weights.iter().any(|w| *w > 0.0);
                }
                left[*axis].iter_mut().zip(&factor.outer[*axis]).for_each(|(left, add)| *left &= met[add / stride]);
            }
        }
        let only = |adds: &[Vec<usize>]| -> Vec<Vec<usize>> {
            let kept = |(adds, left): (&Vec<usize>, &Vec<bool>)| {
                adds.iter().zip(left).filter(|(_, left)| **left).map(|(add, _)| *add).collect()
            };
            adds.iter().zip(&left).map(kept).collect()
        };
        let places: Vec<Vec<usize>> = scope
            .iter()
            .zip(strides(scope))
            .map(|(a, stride)| (0..a.partition.classes()).map(|c| c * stride).collect())
            .collect();
        let mut tables = vec![only(&bound.rows)];
        tables.extend(bound.factors.iter().map(|f| only(&f.outer)));
        tables.push(only(&places));
        let sizes: Vec<usize> = left.iter().map(|left| left.iter().filter(|l| **l).count()).collect();
        let class_of = bound.own.class_of();
        let mut summed = vec![0.0; cells(scope) as usize];
        let lists: Vec<&[(u16, f64)]> = self.lists.iter().map(|list| values[*list].listed()).collect();
        let mut few = vec![];
        in_all(&lists, |level, weight| few.push((level, weight)));
        let count = bound.factors.len();
        let varies = bound.factors.iter().any(|f| f.outer.iter().flatten().any(|add| *add > 0));
        // Where a row lists fewer levels than there are classes, only theirs are weighed.
        let sparse = varies && !bound.largest && bound.listed < 2 * bound.own.classes();
        let sparse = sparse || !lists.is_empty();
        let mut weights = vec![0.0; if sparse { 0 } else { bound.own.classes() }];
        let mut weighed = false;
        let work = Cell::new(summed.len() as u64 / 8 + 64);
        walk_sizes(&sizes, &tables, 0..sizes.iter().product(), |_, at| {
            if !sparse && (varies || !weighed) {
                let (first, others) = (&bound.factors[0], &bound.factors[1..]);
                for (weight, own) in weights.iter_mut().zip(&first.own) {
                    *weight = factors[0][at[1] + own];
                }
                for ((factor, values), at) in others.iter().zip(&factors[1..]).zip(&at[2..]) {
                    for (weight, own) in weights.iter_mut().zip(&factor.own) {
                        *weight *= values[at + own];
                    }
                }
                weighed = true;
                work.set(work.get() + (count * weights.len()) as u64);
            }
            let place = at[count + 1];
            if !lists.is_empty() {
                let row = if bound.largest { None } else { row(table, from + at[0] as u32) };
                for (level, weight) in &few {
                    let p = match row {
                        Some(row) => span(&table.rows, row, i32::from(*level))
                            .map_or(0.0, |(low, high)| f64::from(high - low) / WORDS),
                        None if bound.largest => 1.0,
                        None => 0.0,
                    };
                    let class = usize::from(class_of[usize::from(*level)]);
                    let each = bound.factors.iter().zip(&factors).zip(&at[1..]);
                    let weight = each.fold(p * weight, |w, ((factor, values), at)| w * values[at + factor.own[class]]);
                    summed[place] = if bound.largest { weight.max(summed[place]) } else { summed[place] + weight };
                }
                work.set(work.get() + LOOKED_UP * few.len() as u64);
                return;
            }
            if bound.largest {
                summed[place] = weights.iter().copied().fold(0.0, f64::max);
                return;
            }
            let Some(row) = row(table, from + at[0] as u32) else { return };
            let mut sum = 0.0;
            work.set(work.get() + bound.listed as u64);
            match sparse {
                true => table.rows.each(row, |level, p| {
                    let class = usize::from(class_of[level]);
                    let each = bound.factors.iter().zip(&factors).zip(&at[1..]);
                    sum += each.fold(p, |w, ((factor, values), at)| w * values[at + factor.own[class]]);
                }),
                false => table.rows.each(row, |level, p| sum += p * weights[usize::from(class_of[level])]),
            }
            summed[place] = sum;
        });
        (summed.into(), work.get())
    }
}
