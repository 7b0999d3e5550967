//! Unknown variables of one person, drawn together from their posterior: weights are carried forward, variable by
//! variable, and levels are drawn on the way back.
//!
//! The variables are taken in an order of drawing. A state is what later tables see of those taken so far, by the classes
//! that they tell apart; ways to one state are summed. What is known weighs a way as soon as all that it depends on is
//! taken, so that what cannot be is dropped at once. The last state is that of all ways: from it one way is drawn
//! backward, each with its weight's share, which is exact. (Variable elimination along one order, Koller and Friedman,
//! Probabilistic Graphical Models, 2009, chapter 9; backward sampling as Scott, "Bayesian Methods for Hidden Markov
//! Models", JASA 97 (2002).)

use std::collections::HashMap;
use std::sync::Arc;

use crate::draw::facts::UNKNOWN;
use crate::draw::rows::{Inverse, in_all, span};
use crate::draw::values::{Values, listed};
use crate::model::network::{Address, Network, Table, UNREACHABLE, WORDS};
use crate::model::partition::Partition;
use crate::pack::Pack;

/// The most ways of a trellis that is tried before an envelope: with more, rejection is likely to take less.
pub(crate) const FEW_WAYS: usize = 1 << 11;

/// The most ways of any trellis: with more, the elimination in the order of least work is left to do it.
pub(crate) const MAX_WAYS: usize = 1 << 15;

/// States of so few combinations of classes are found by a table.
const TABLED: u64 = 1 << 12;

const NONE: u32 = u32::MAX;

/// The order in which some variables are taken, and what each takes along.
#[derive(Debug)]
pub(crate) struct Sweep {
    steps: Vec<Step>,
}

#[derive(Debug)]
struct Step {
    variable: usize,
    parents: Vec<Input>,
    /// Known variables that depend on this one alone, of which some tell at once which levels they leave, and those that
    /// depend on others too.
    alone: Vec<usize>,
    listed: Vec<(usize, Arc<Inverse>)>,
    ties: Vec<Tie>,
    keeps: Vec<Keep>,
    /// Combinations of what is kept.
    states: u64,
}

/// A known variable, and its unknown parents.
#[derive(Debug)]
struct Tie {
    observed: usize,
    parents: Vec<Input>,
}

/// An unknown parent: where a state has it, the variable of the step itself without one, and its place in the address.
#[derive(Debug)]
struct Input {
    slot: Option<usize>,
    place: usize,
}

/// What the next state keeps of a variable.
#[derive(Debug)]
struct Keep {
    slot: Option<usize>,
    classes: Partition,
}

/// The ways of one person, or of all who are known alike.
#[derive(Debug)]
pub(crate) struct Trellis {
    layers: Vec<Layer>,
}

/// The ways to the states after one step: of each state the last, from which the others follow, and the sum.
#[derive(Debug, Default)]
struct Layer {
    variable: usize,
    last: Vec<u32>,
    totals: Vec<f64>,
    ways: Vec<Way>,
}

#[derive(Debug)]
struct Way {
    from: u32,
    before: u32,
    level: u16,
    weight: f64,
}

/// What carrying forward comes to.
pub(crate) enum Carried {
    Trellis(Trellis),
    Impossible,
    TooManyWays,
}

/// What remains to be taken of a part.
struct Rest<'a> {
    network: &'a Network,
    variables: Vec<usize>,
    observed: Vec<usize>,
}

impl Rest<'_> {
    fn tables(&self) -> impl Iterator<Item = &Table> {
        self.variables.iter().chain(&self.observed).map(|v| &self.network.tables[*v])
    }

    /// What the tables that remain tell apart of a variable; `None` if none has it for a parent.
    fn told_apart(&self, variable: usize) -> Option<Partition> {
        let uses = self.tables().flat_map(|t| &t.parents).filter(|a| a.variable == variable);
        uses.fold(None, |known: Option<Partition>, axis| {
            Some(known.map_or_else(|| axis.partition.clone(), |k| k.refine(&axis.partition)))
        })
    }

    /// About how many classes that makes, without making them; 1 if none has it.
    fn about(&self, variable: usize) -> u128 {
        let uses = self.tables().flat_map(|t| &t.parents).filter(|a| a.variable == variable);
        uses.map(|a| a.partition.classes() as u128).max().unwrap_or(1)
    }
}

impl Sweep {
    /// Of the unknown variables of a part, and the known ones that they are parents of. `None` if no state could be told
    /// from the others by a number.
    pub fn new(
        network: &Network,
        variables: &[usize],
        observed: &[usize],
        inverses: &[Option<Arc<Inverse>>],
    ) -> Option<Sweep> {
        let mut rest = Rest { network, variables: variables.to_vec(), observed: observed.to_vec() };
        let (mut live, mut steps): (Vec<usize>, Vec<Step>) = (vec![], vec![]);
        while !rest.variables.is_empty() {
            // Of those whose parents are taken, the one after which the fewest states are left.
            let waits = |v: usize| network.tables[v].parents.iter().any(|p| rest.variables.contains(&p.variable));
            let ready: Vec<usize> = rest.variables.iter().copied().filter(|v| !waits(*v)).collect();
            let states = |v: usize| {
                let rest = rest.without(v);
                live.iter().chain([&v]).map(|u| rest.about(*u)).fold(1, u128::saturating_mul)
            };
            let variable = ready.into_iter().min_by_key(|v| states(*v))?;
            let taken = rest.without(variable);
            let inputs = |of: usize| {
                let parents = network.tables[of].parents.iter().enumerate();
                let input = |(place, axis): (usize, &crate::model::potential::Axis)| match axis.variable == variable {
                    true => Some(Input { slot: None, place }),
                    false => {
                        let slot = live.iter().position(|u| *u == axis.variable)?;
                        Some(Input { slot: Some(slot), place })
                    }
                };
                parents.filter_map(input).collect::<Vec<Input>>()
            };
            let (mut alone, mut listed, mut ties) = (vec![], vec![], vec![]);
            for observed in rest.observed.iter().copied().filter(|o| !taken.observed.contains(o)) {
                let parents = inputs(observed);
                match (parents.iter().all(|p| p.slot.is_none()), &inverses[observed]) {
                    (true, Some(inverse)) => listed.push((observed, inverse.clone())),
                    (true, None) => alone.push(observed),
                    (false, _) => ties.push(Tie { observed, parents }),
                }
            }
            let kept = live.iter().enumerate().map(|(slot, u)| (Some(slot), *u)).chain([(None, variable)]);
            let kept: Vec<(usize, Keep)> =
                kept.filter_map(|(slot, u)| Some((u, Keep { slot, classes: taken.told_apart(u)? }))).collect();
            let states = kept.iter().try_fold(1u64, |n, (_, k)| n.checked_mul(k.classes.classes() as u64))?;
            let parents = inputs(variable);
            live = kept.iter().map(|(u, _)| *u).collect();
            let keeps = kept.into_iter().map(|(_, keep)| keep).collect();
            steps.push(Step { variable, parents, alone, listed, ties, keeps, states });
            rest = taken;
        }
        Some(Sweep { steps })
    }

    /// Carries the weights forward for somebody, of whom all parents of the part's variables outside of it are known.
    pub fn carry(&self, pack: &Pack, codes: &[i32], most: usize) -> Carried {
        let mut layers = vec![];
        let (mut states, mut width, mut weights): (Vec<u16>, usize, Vec<f64>) = (vec![], 0, vec![1.0]);
        for step in &self.steps {
            let taken = Taken::new(pack, step, codes);
            let mut next = Next::new(step);
            for (from, weight) in weights.iter().enumerate() {
                let state = &states[from * width..(from + 1) * width];
                taken.each(state, |level, p| next.way(from, state, level, weight * p));
                if next.layer.ways.len() > most {
                    return Carried::TooManyWays;
                }
            }
            let largest = next.layer.totals.iter().copied().fold(0.0, f64::max);
            if largest <= 0.0 {
                return Carried::Impossible;
            }
            // Weights are scaled, so that no product of many small numbers becomes none at all.
            weights = next.layer.totals.iter().map(|total| total / largest).collect();
            (states, width) = (next.states, step.keeps.len());
            layers.push(next.layer);
        }
        Carried::Trellis(Trellis { layers })
    }
}

impl<'a> Rest<'a> {
    /// What remains when a variable is taken, and with it what depends on nothing else that remains.
    fn without(&self, variable: usize) -> Rest<'a> {
        let variables: Vec<usize> = self.variables.iter().copied().filter(|v| *v != variable).collect();
        let waits = |o: &usize| self.network.tables[*o].parents.iter().any(|p| variables.contains(&p.variable));
        let observed = self.observed.iter().copied().filter(waits).collect();
        Rest { network: self.network, variables, observed }
    }
}

/// The table of a step, with what is known of somebody put in.
struct Taken<'a> {
    pack: &'a Pack,
    step: &'a Step,
    codes: &'a [i32],
    base: u32,
    /// Of each tie.
    bases: Vec<u32>,
    /// The levels that what depends on this variable alone leaves, and the weight of every level.
    alone: Option<(Vec<u16>, Vec<f64>)>,
    /// The levels that are left, with their weights, where they are told at once.
    listed: Option<Vec<(u16, f64)>>,
}

impl<'a> Taken<'a> {
    fn new(pack: &'a Pack, step: &'a Step, codes: &'a [i32]) -> Taken<'a> {
        let base = base(&pack.addresses[step.variable], codes);
        let bases = step.ties.iter().map(|t| self::base(&pack.addresses[t.observed], codes)).collect();
        let levels = pack.network.variables[step.variable].len();
        let listed = (!step.listed.is_empty()).then(|| {
            let lists: Vec<Values> = step.listed.iter().map(|(v, inverse)| listed(pack, *v, inverse, codes)).collect();
            let mut left = vec![];
            let alone: Vec<(&Address, u32)> =
                step.alone.iter().map(|v| (&pack.addresses[*v], self::base(&pack.addresses[*v], codes))).collect();
            in_all(&lists.iter().map(Values::listed).collect::<Vec<_>>(), |level, weight| {
                let mut weight = weight;
                for (observed, (address, base)) in step.alone.iter().zip(&alone) {
                    let offsets = address.parents.iter().find(|(p, _)| *p == step.variable).map(|(_, offsets)| offsets);
                    let offset = offsets.map_or(0, |offsets| offsets[usize::from(level)]);
                    weight *= likelihood(pack, *observed, base + offset, codes);
                }
                if weight > 0.0 {
                    left.push((level, weight));
                }
            });
            left
        });
        let alone = (!step.alone.is_empty() && listed.is_none()).then(|| {
            let mut weights = vec![1.0; levels];
            for observed in &step.alone {
                let (address, base) = (&pack.addresses[*observed], self::base(&pack.addresses[*observed], codes));
                let offsets = address.parents.iter().find(|(p, _)| *p == step.variable).map(|(_, offsets)| offsets);
                let each = weights.iter_mut().zip(offsets.into_iter().flatten()).filter(|(w, _)| **w > 0.0);
                each.for_each(|(w, offset)| *w *= likelihood(pack, *observed, base + offset, codes));
            }
            let left = weights.iter().enumerate().filter(|(_, w)| **w > 0.0).map(|(level, _)| level as u16);
            (left.collect::<Vec<u16>>(), weights)
        });
        Taken { pack, step, codes, base, bases, alone, listed }
    }

    /// Visits the levels that can follow a state, with their weights.
    fn each(&self, state: &[u16], mut visit: impl FnMut(u16, f64)) {
        let table = &self.pack.network.tables[self.step.variable];
        let address = &self.pack.addresses[self.step.variable];
        let Some(row) = row(table, at(address, self.base, &self.step.parents, state, 0)) else { return };
        let mut weighed = |level: u16, p: f64| {
            let mut weight = p;
            for (tie, base) in self.step.ties.iter().zip(&self.bases) {
                if weight == 0.0 {
                    return;
                }
                let row = at(&self.pack.addresses[tie.observed], *base, &tie.parents, state, level);
                weight *= likelihood(self.pack, tie.observed, row, self.codes);
            }
            if weight > 0.0 {
                visit(level, weight);
            }
        };
        if let Some(listed) = &self.listed {
            for (level, weight) in listed {
                if let Some((low, high)) = span(&table.rows, row, i32::from(*level)) {
                    weighed(*level, f64::from(high - low) / WORDS * weight);
                }
            }
            return;
        }
        match &self.alone {
            None => table.rows.each(row, |level, p| weighed(level as u16, p)),
            Some((left, weights)) if left.len() * 4 < weights.len() => {
                for level in left {
                    if let Some((low, high)) = span(&table.rows, row, i32::from(*level)) {
                        weighed(*level, f64::from(high - low) / WORDS * weights[usize::from(*level)]);
                    }
                }
            }
            Some((_, weights)) => table.rows.each(row, |level, p| weighed(level as u16, p * weights[level])),
        }
    }
}

/// The states after a step, as ways to them are found.
struct Next<'a> {
    step: &'a Step,
    layer: Layer,
    states: Vec<u16>,
    tabled: Vec<u32>,
    mapped: HashMap<u64, u32>,
}

impl<'a> Next<'a> {
    fn new(step: &'a Step) -> Next<'a> {
        let tabled = if step.states <= TABLED { vec![NONE; step.states as usize] } else { vec![] };
        let layer = Layer { variable: step.variable, ..Layer::default() };
        Next { step, layer, states: vec![], tabled, mapped: HashMap::new() }
    }

    fn way(&mut self, from: usize, state: &[u16], level: u16, weight: f64) {
        let code = |slot: Option<usize>| slot.map_or(level, |slot| state[slot]);
        let class = |keep: &Keep| u64::from(keep.classes.class_of()[usize::from(code(keep.slot))]);
        let number = self.step.keeps.iter().fold(0, |n, keep| n * keep.classes.classes() as u64 + class(keep));
        let layer = &mut self.layer;
        let next = layer.last.len() as u32;
        let to = match self.tabled.get_mut(number as usize) {
            Some(to) => to,
            None => self.mapped.entry(number).or_insert(NONE),
        };
        if *to == NONE {
            *to = next;
            layer.last.push(NONE);
            layer.totals.push(0.0);
            self.states.extend(self.step.keeps.iter().map(|keep| code(keep.slot)));
        }
        let to = *to as usize;
        let before = std::mem::replace(&mut layer.last[to], layer.ways.len() as u32);
        layer.ways.push(Way { from: from as u32, before, level, weight });
        layer.totals[to] += weight;
    }
}

impl Trellis {
    pub fn ways(&self) -> usize {
        self.layers.iter().map(|layer| layer.ways.len()).sum()
    }

    pub fn bytes(&self) -> usize {
        self.layers.iter().map(|l| size_of::<Way>() * l.ways.len() + 12 * l.last.len() + 100).sum()
    }

    /// Draws a level of each variable, and tells of it, by four words for each.
    pub fn draw(&self, words: impl Fn(usize) -> [u32; 4], mut tell: impl FnMut(usize, u16)) {
        let mut state = 0;
        for layer in self.layers.iter().rev() {
            let [high, low, ..] = words(layer.variable);
            let share = ((u64::from(high) << 32 | u64::from(low)) >> 11) as f64 / (1u64 << 53) as f64;
            let mut left = share * layer.totals[state];
            let mut way = &layer.ways[layer.last[state] as usize];
            while left >= way.weight && way.before != NONE {
                left -= way.weight;
                way = &layer.ways[way.before as usize];
            }
            tell(layer.variable, way.level);
            state = way.from as usize;
        }
    }
}

/// What the known parents add to the number of a row.
pub(crate) fn base(address: &Address, codes: &[i32]) -> u32 {
    let known = address.parents.iter().filter(|(p, _)| codes[*p] != UNKNOWN);
    known.map(|(p, offsets)| offsets[codes[*p] as usize]).sum()
}

/// The number of a row, with what the unknown parents add.
fn at(address: &Address, base: u32, parents: &[Input], state: &[u16], own: u16) -> u32 {
    let level = |input: &Input| usize::from(input.slot.map_or(own, |slot| state[slot]));
    base + parents.iter().map(|input| address.parents[input.place].1[level(input)]).sum::<u32>()
}

pub(crate) fn row(table: &Table, config: u32) -> Option<usize> {
    let row = table.compact.as_ref().map_or(config, |rows| rows[config as usize]);
    (row != UNREACHABLE).then_some(row as usize)
}

/// The probability of what is known of a variable, in a row of its table.
fn likelihood(pack: &Pack, observed: usize, config: u32, codes: &[i32]) -> f64 {
    let table = &pack.network.tables[observed];
    let span = row(table, config).and_then(|row| span(&table.rows, row, codes[observed]));
    span.map_or(0.0, |(low, high)| f64::from(high - low) / WORDS)
}
