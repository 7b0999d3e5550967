//! Unknown variables of one person, drawn together from their posterior by rejection, under an envelope that bounds what
//! is known.
//!
//! Each variable is drawn from its table, weighed by what is known below it: by the probability of a known child, and by a
//! bound of what all later variables can still make of those known below them. The bounds are those of mini-buckets: a
//! variable is summed out together with all that weighs it, but what would make a table too large is taken at its largest
//! instead. Where a bound turns out to have promised too much, the draw is taken back in the same proportion and begun
//! anew: what is accepted has the posterior's distribution exactly, whatever the bounds. (Dechter and Rish, "Mini-buckets:
//! a general scheme for bounded inference", Journal of the ACM 50, 2003; von Neumann, "Various techniques used in
//! connection with random digits", 1951.)
//!
//! A bound depends on what is known below its variable, not on all that is known: it is the same for many people, and kept.

use std::sync::Arc;

use crate::draw::bounds::{Bound, Function, LOOKED_UP, Of, Step, Top, bound, unknown_axes};
use crate::draw::pattern::Part;
use crate::draw::rows::{Inverse, in_all, span};
use crate::draw::trellis::{base, row};
use crate::draw::values::{Values, likelihoods, listed};
use crate::model::network::{Network, WORDS};
use crate::model::potential::{Axis, cells, strides};
use crate::pack::Pack;

/// The most cells of the probabilities of a known variable.
const MOST_LIKELIHOODS: u128 = 1 << 18;

/// How the variables of a part are drawn and what bounds them, for all people of whom the same variables are known.
#[derive(Debug)]
pub(crate) struct Envelope {
    functions: Vec<Function>,
    /// In the order of drawing.
    steps: Vec<Step>,
    /// The known variables that are bounded by groups of their levels.
    grouped: Vec<usize>,
}

/// The envelope of a person, or of all who are known alike.
#[derive(Debug)]
pub(crate) struct Enveloped {
    values: Vec<Values>,
    bases: Vec<u32>,
    /// Of those that are bounded by groups, the base and the level.
    grouped: Vec<(u32, i32)>,
}

impl Enveloped {
    pub fn bytes(&self) -> usize {
        self.values.iter().map(|v| 24 + v.bytes()).sum::<usize>()
            + size_of_val(&self.bases[..])
            + size_of_val(&self.grouped[..])
    }
}

impl Envelope {
    /// Of the unknown variables of a part and the known ones that they are parents of, both in ascending order; where it is
    /// `grouped`, these are bounded by the groups that their levels are in. A bound that has to be made for every person may
    /// take so much work, in products; `people` tells how many share one that depends on some words of the part's key. `None` if something known has too many probabilities to be laid out.
    pub fn new(
        network: &Network,
        part: &Part,
        inverses: &[Option<Arc<Inverse>>],
        grouped: bool,
        people: &dyn Fn(&[usize]) -> u64,
        work: u64,
    ) -> Option<Envelope> {
        let (variables, observed) = (&part.variables[..], &part.observed[..]);
        let unknown_parents = |of: usize| -> Vec<(usize, usize)> {
            let parents = network.tables[of].parents.iter().enumerate();
            parents.filter_map(|(place, a)| Some((variables.binary_search(&a.variable).ok()?, place))).collect()
        };
        let mut bounded = vec![];
        let mut functions: Vec<Function> = vec![];
        let mut steps: Vec<Step> = variables
            .iter()
            .map(|v| {
                let parents = unknown_parents(*v);
                Step { variable: *v, parents, factors: vec![], lists: vec![], tops: vec![], bound: None }
            })
            .collect();
        let add = |functions: &mut Vec<Function>, steps: &mut Vec<Step>, of: Of, axes: Vec<Axis>, key| {
            let sizes = strides(&axes);
            let read = |(axis, stride): (&Axis, usize)| {
                let adds = axis.partition.class_of().iter().map(|c| u32::from(*c) * stride as u32).collect();
                Some((variables.binary_search(&axis.variable).ok()?, adds))
            };
            let reads: Vec<(usize, Vec<u32>)> = axes.iter().zip(sizes).filter_map(read).collect();
            // The last of its variables that is drawn is weighed by it.
            if let Some(last) = reads.iter().map(|(step, _)| *step).max() {
                match of {
                    Of::Listed(..) => steps[last].lists.push(functions.len()),
                    _ => steps[last].factors.push(functions.len()),
                }
            }
            functions.push(Function { of, axes, reads, key });
        };
        for (at, v) in observed.iter().enumerate() {
            let axes = unknown_axes(&network.tables[*v], variables);
            if cells(&axes) > MOST_LIKELIHOODS {
                return None;
            }
            let groups = part.groups.get(at).and_then(Option::as_ref).filter(|_| grouped);
            let (of, words) = match (&inverses[*v], groups) {
                (Some(inverse), _) => (Of::Listed(*v, inverse.clone()), 1),
                (None, Some(groups)) => {
                    let parents = unknown_parents(*v);
                    if let Some(last) = parents.iter().map(|(step, _)| *step).max() {
                        steps[last].tops.push(Top { at: bounded.len(), parents, groups: groups.clone() });
                        bounded.push(*v);
                    }
                    (Of::Grouped(*v, groups.clone()), 2)
                }
                (None, None) => (Of::Known(*v), 1),
            };
            let key = vec![variables.len() + at, variables.len() + words * observed.len() + at];
            add(&mut functions, &mut steps, of, axes, key);
        }
        for at in (0..steps.len()).rev() {
            let Some((axes, key, bound)) = bound(network, variables, &functions, &steps, at, people, work) else {
                continue;
            };
            steps[at].bound = Some(Bound { function: functions.len(), ..bound });
            add(&mut functions, &mut steps, Of::Bound(at), axes, key);
        }
        Some(Envelope { functions, steps, grouped: bounded })
    }

    /// Whether something known is bounded by groups of its levels.
    #[cfg(test)]
    pub fn is_grouped(&self) -> bool {
        !self.grouped.is_empty()
    }

    /// The bounds for somebody. `find` gives values by a function's number and the words of its key, or makes them and
    /// tells how many products that took. `None` if somebody like that cannot be.
    pub fn over(
        &self,
        pack: &Pack,
        codes: &[i32],
        mut find: impl FnMut(usize, &[usize], &dyn Fn() -> (Values, u64)) -> Values,
    ) -> Option<Enveloped> {
        let mut values: Vec<Values> = Vec::with_capacity(self.functions.len());
        for (number, function) in self.functions.iter().enumerate() {
            let make = || match &function.of {
                Of::Known(v) => {
                    let rows = &pack.network.tables[*v].rows;
                    let of = |row| span(rows, row, codes[*v]).map_or(0.0, |(low, high)| f64::from(high - low) / WORDS);
                    let made = likelihoods(pack, *v, &function.axes, codes, of);
                    let work = 4 * made.all().len() as u64;
                    (made, work)
                }
                Of::Grouped(v, groups) => {
                    let group = groups.of(codes[*v]);
                    let made = likelihoods(pack, *v, &function.axes, codes, |row| groups.top(group, row));
                    let work = 2 * made.all().len() as u64;
                    (made, work)
                }
                Of::Listed(v, inverse) => {
                    let made = listed(pack, *v, inverse, codes);
                    let work = LOOKED_UP * made.listed().len() as u64;
                    (made, work)
                }
                Of::Bound(step) => self.steps[*step].summed(pack, codes, &self.functions, &values),
            };
            let made = find(number, &function.key, &make);
            if made.is_nothing() {
                return None;
            }
            values.push(made);
        }
        let bases = self.steps.iter().map(|step| base(&pack.addresses[step.variable], codes)).collect();
        let grouped = self.grouped.iter().map(|v| (base(&pack.addresses[*v], codes), codes[*v])).collect();
        Some(Enveloped { values, bases, grouped })
    }

    /// Draws a level of each variable, by four words for each of so many tries; whether one was accepted, and how many
    /// levels were weighed.
    pub fn draw(
        &self,
        pack: &Pack,
        of: &Enveloped,
        tries: std::ops::Range<u32>,
        words: impl Fn(u32, usize) -> [u32; 4],
        levels: &mut [u16],
    ) -> (bool, u64) {
        let (mut weights, mut weighed): (Vec<(u16, f64)>, u64) = (vec![], 0);
        let accepted = tries.into_iter().any(|lane| {
            self.steps.iter().enumerate().all(|(at, step)| {
                weights.clear();
                let taken = self.take(pack, of, at, || words(lane, step.variable), levels, &mut weights);
                weighed += weights.len() as u64 + 4;
                taken
            })
        });
        (accepted, weighed)
    }

    /// Draws the level of one step; whether it is not taken back.
    fn take(
        &self,
        pack: &Pack,
        of: &Enveloped,
        at: usize,
        words: impl Fn() -> [u32; 4],
        levels: &mut [u16],
        weights: &mut Vec<(u16, f64)>,
    ) -> bool {
        let step = &self.steps[at];
        let table = &pack.network.tables[step.variable];
        let address = &pack.addresses[step.variable];
        let add = |(from, place): &(usize, usize)| address.parents[*place].1[usize::from(levels[*from])];
        let Some(row) = row(table, of.bases[at] + step.parents.iter().map(add).sum::<u32>()) else { return false };
        let Some(bound) = &step.bound else {
            levels[at] = table.rows.pick(row, words()[0]);
            return true;
        };
        let mut total = 0.0;
        let cell = |function: &Function| {
            let reads = function.reads.iter().filter(|(from, _)| *from != at);
            reads.map(|(from, adds)| adds[usize::from(levels[*from])]).sum::<u32>()
        };
        let own = |function: &usize| {
            let function = &self.functions[*function];
            function.reads.iter().find(|(from, _)| *from == at).map_or(&[][..], |(_, adds)| &adds[..])
        };
        let lists: Vec<&[(u16, f64)]> = step.lists.iter().map(|list| of.values[*list].listed()).collect();
        match &step.factors[..] {
            factors if !lists.is_empty() => {
                let parts: Vec<(&[f64], &[u32])> = factors
                    .iter()
                    .map(|f| (&of.values[*f].all()[cell(&self.functions[*f]) as usize..], own(f)))
                    .collect();
                in_all(&lists, |level, weight| {
                    let Some((low, high)) = span(&table.rows, row, i32::from(level)) else { return };
                    let weight = weight * f64::from(high - low) / WORDS;
                    let weight =
                        parts.iter().fold(weight, |w, (values, own)| w * values[own[usize::from(level)] as usize]);
                    if weight > 0.0 {
                        total += weight;
                        weights.push((level, total));
                    }
                });
            }
            [one] => {
                let (values, own) = (&of.values[*one].all()[cell(&self.functions[*one]) as usize..], own(one));
                table.rows.each(row, |level, p| {
                    let weight = p * values[own[level] as usize];
                    if weight > 0.0 {
                        total += weight;
                        weights.push((level as u16, total));
                    }
                });
            }
            factors => {
                let parts: Vec<(&[f64], &[u32])> = factors
                    .iter()
                    .map(|f| (&of.values[*f].all()[cell(&self.functions[*f]) as usize..], own(f)))
                    .collect();
                table.rows.each(row, |level, p| {
                    let weight = parts.iter().fold(p, |w, (values, own)| w * values[own[level] as usize]);
                    if weight > 0.0 {
                        total += weight;
                        weights.push((level as u16, total));
                    }
                });
            }
        }
        let promised = of.values[bound.function].all()[cell(&self.functions[bound.function]) as usize];
        let [high, low, more, less] = words();
        let share = |high: u32, low: u32| ((u64::from(high) << 32 | u64::from(low)) >> 11) as f64 / (1u64 << 53) as f64;
        if total <= 0.0 {
            return false;
        }
        let drawn = share(high, low) * total;
        let place = weights.partition_point(|(_, sum)| *sum <= drawn).min(weights.len() - 1);
        levels[at] = weights[place].0;
        let of_group = step.tops.iter().map(|top| self.of_group(pack, of, top, levels)).product::<f64>();
        share(more, less) * promised < total * of_group
    }

    /// What share a known level has of what bounds its group.
    fn of_group(&self, pack: &Pack, of: &Enveloped, top: &Top, levels: &[u16]) -> f64 {
        let (variable, (base, level)) = (self.grouped[top.at], of.grouped[top.at]);
        let (table, address) = (&pack.network.tables[variable], &pack.addresses[variable]);
        let add = |(from, place): &(usize, usize)| address.parents[*place].1[usize::from(levels[*from])];
        let share = |row| {
            let (low, high) = span(&table.rows, row, level)?;
            Some(top.groups.share(level, row, f64::from(high - low) / WORDS))
        };
        row(table, base + top.parents.iter().map(add).sum::<u32>()).and_then(share).unwrap_or(0.0)
    }
}
