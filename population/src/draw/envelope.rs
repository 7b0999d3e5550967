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

use std::borrow::Cow;
use std::cell::Cell;
use std::sync::Arc;

use crate::draw::rows::{Inverse, in_all, span};
use crate::draw::trellis::{base, row};
use crate::model::network::{Network, Table, WORDS};
use crate::model::partition::Partition;
use crate::model::potential::{Axis, cells, offsets, strides, walk, walk_sizes, widen};
use crate::pack::Pack;

/// The most work of any bound, and the most cells.
const MOST_WORK: u128 = 1 << 21;
const MOST_CELLS: u128 = 1 << 15;

/// What a level that is looked up in a row takes, in products.
const LOOKED_UP: u64 = 4;

/// The most cells of the probabilities of a known variable.
const MOST_LIKELIHOODS: u128 = 1 << 18;

/// How the variables of a part are drawn and what bounds them, for all people of whom the same variables are known.
#[derive(Debug)]
pub(crate) struct Envelope {
    functions: Vec<Function>,
    /// In the order of drawing.
    steps: Vec<Step>,
}

/// Weights over some unknown variables.
#[derive(Debug)]
struct Function {
    of: Of,
    axes: Vec<Axis>,
    /// For each axis the step that draws its variable, and what each level adds to the cell.
    reads: Vec<(usize, Vec<u32>)>,
    /// Which words of the key of what is known around the part it depends on.
    key: Vec<usize>,
}

#[derive(Debug)]
enum Of {
    /// The probability of a known variable.
    Known(usize),
    /// That of one that tells at once at which levels of its parent it is not 0.
    Listed(usize, Arc<Inverse>),
    /// What a step bounds.
    Bound(usize),
}

#[derive(Debug)]
struct Step {
    variable: usize,
    /// Its unknown parents: the step that draws each, and its place in the address.
    parents: Vec<(usize, usize)>,
    /// The functions that weigh its levels, and those that list the ones which they leave.
    factors: Vec<usize>,
    lists: Vec<usize>,
    bound: Option<Bound>,
}

/// A step's variable summed out of its table and its factors, over what is drawn before it.
#[derive(Debug)]
struct Bound {
    function: usize,
    /// Whether its largest weight is taken, not the sum by its table.
    largest: bool,
    own: Partition,
    /// For each axis of the function, what each class adds to the row of the table.
    rows: Vec<Vec<usize>>,
    factors: Vec<Factor>,
    /// How many levels a row of the variable's table lists, or what is known leaves, on average.
    listed: usize,
}

/// A factor as a bound reads it: what remains of its axes, and what each class of the bound's axes and of the variable
/// itself adds to the cell.
#[derive(Debug)]
struct Factor {
    function: usize,
    /// From all cells onto those of the axes that remain, where some do not: how many, and where each axis goes.
    onto: Option<(usize, Vec<Vec<usize>>)>,
    outer: Vec<Vec<usize>>,
    own: Vec<usize>,
    /// Of those of the bound's axes that it has, the stride and the classes.
    sizes: Vec<(usize, usize, usize)>,
}

/// What is kept of a function, by a key: its values, or the levels of its variable at which they are not 0, with them.
#[derive(Debug, Clone)]
pub(crate) enum Values {
    All(Arc<[f64]>),
    Listed(Arc<[(u16, f64)]>),
}

impl Values {
    pub fn bytes(&self) -> usize {
        size_of_val(self.all()) + size_of_val(self.listed())
    }

    fn all(&self) -> &[f64] {
        match self {
            Values::All(values) => values,
            Values::Listed(_) => &[],
        }
    }

    pub fn listed(&self) -> &[(u16, f64)] {
        match self {
            Values::All(_) => &[],
            Values::Listed(levels) => levels,
        }
    }

    /// Whether they say that nobody is like that.
    fn is_nothing(&self) -> bool {
        match self {
            Values::All(values) => values.len() == 1 && values[0] <= 0.0,
            Values::Listed(levels) => levels.is_empty(),
        }
    }
}

impl From<Vec<f64>> for Values {
    fn from(values: Vec<f64>) -> Values {
        Values::All(values.into())
    }
}

/// The envelope of a person, or of all who are known alike.
#[derive(Debug)]
pub(crate) struct Enveloped {
    values: Vec<Values>,
    bases: Vec<u32>,
}

impl Enveloped {
    pub fn bytes(&self) -> usize {
        self.values.iter().map(|v| 24 + v.bytes()).sum::<usize>() + size_of_val(&self.bases[..])
    }
}

impl Envelope {
    /// Of the unknown variables of a part and the known ones that they are parents of, both in ascending order. A bound
    /// that has to be made for every person may take so much work, in products; `people` tells how many share one that
    /// depends on some words of the part's key: the bases of the unknown and then of the known variables, and the levels of
    /// the known ones. `None` if something known has too many probabilities to be laid out.
    pub fn new(
        network: &Network,
        variables: &[usize],
        observed: &[usize],
        inverses: &[Option<Arc<Inverse>>],
        people: &dyn Fn(&[usize]) -> u64,
        work: u64,
    ) -> Option<Envelope> {
        let mut functions: Vec<Function> = vec![];
        let mut steps: Vec<Step> = variables
            .iter()
            .map(|v| {
                let parents = network.tables[*v].parents.iter().enumerate();
                let unknown = |(place, a): (usize, &Axis)| Some((variables.binary_search(&a.variable).ok()?, place));
                let parents = parents.filter_map(unknown).collect();
                Step { variable: *v, parents, factors: vec![], lists: vec![], bound: None }
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
            let key = vec![variables.len() + at, variables.len() + observed.len() + at];
            let of = match &inverses[*v] {
                Some(inverse) => Of::Listed(*v, inverse.clone()),
                None => Of::Known(*v),
            };
            add(&mut functions, &mut steps, of, axes, key);
        }
        for at in (0..steps.len()).rev() {
            let Some((axes, key, bound)) = bound(network, variables, &functions, &steps, at, people, work) else {
                continue;
            };
            steps[at].bound = Some(Bound { function: functions.len(), ..bound });
            add(&mut functions, &mut steps, Of::Bound(at), axes, key);
        }
        Some(Envelope { functions, steps })
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
                    let made = likelihoods(pack, *v, &function.axes, codes);
                    let work = 4 * made.all().len() as u64;
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
        Some(Enveloped { values, bases })
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
        if total <= 0.0 || share(more, less) * promised >= total {
            return false;
        }
        let drawn = share(high, low) * total;
        let place = weights.partition_point(|(_, sum)| *sum <= drawn).min(weights.len() - 1);
        levels[at] = weights[place].0;
        true
    }
}

/// The parents of a table that are among some variables.
fn unknown_axes(table: &Table, variables: &[usize]) -> Vec<Axis> {
    table.parents.iter().filter(|a| variables.binary_search(&a.variable).is_ok()).cloned().collect()
}

/// What a step bounds: over which axes, by which words of the key, and how; nothing if nothing weighs its variable.
fn bound(
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
    let mut own = Partition::by_signature(vec![0; network.variables[variable].len()]);
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

/// The levels of its parent at which what is known of a variable has a probability, with that.
pub(crate) fn listed(pack: &Pack, variable: usize, inverse: &Inverse, codes: &[i32]) -> Values {
    let (table, address) = (&pack.network.tables[variable], &pack.addresses[variable]);
    let offsets = address.parents.first().map_or(&[][..], |(_, offsets)| &offsets[..]);
    let weighed = |level: &u16| {
        let row = row(table, *offsets.get(usize::from(*level))?)?;
        let (low, high) = span(&table.rows, row, codes[variable])?;
        Some((*level, f64::from(high - low) / WORDS))
    };
    Values::Listed(inverse.of(codes[variable]).iter().filter_map(weighed).collect())
}

/// The probability of what is known of a variable, for each configuration of its unknown parents.
fn likelihoods(pack: &Pack, variable: usize, axes: &[Axis], codes: &[i32]) -> Values {
    let table = &pack.network.tables[variable];
    let mut adds = vec![];
    for (axis, stride) in table.parents.iter().zip(strides(&table.parents)) {
        if axes.iter().any(|a| a.variable == axis.variable) {
            adds.push((0..axis.partition.classes()).map(|c| c * stride).collect::<Vec<usize>>());
        }
    }
    let from = base(&pack.addresses[variable], codes);
    let mut values = vec![];
    walk(axes, std::slice::from_ref(&adds), 0..cells(axes) as usize, |_, at| {
        let span = row(table, from + at[0] as u32).and_then(|row| span(&table.rows, row, codes[variable]));
        values.push(span.map_or(0.0, |(low, high)| f64::from(high - low) / WORDS));
    });
    values.into()
}

impl Step {
    /// The values of its bound.
    fn summed(&self, pack: &Pack, codes: &[i32], functions: &[Function], values: &[Values]) -> (Values, u64) {
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
