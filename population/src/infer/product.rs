//! The product that one elimination forms and sums, and the way back through it.

use crate::infer::order::{Step, agreements, mentioned};
use crate::infer::reduction::{Reduced, Roots};
use crate::model::partition::Partition;
use crate::model::potential::{Axis, Potential, cells, offsets, strides, walk};

/// The most cells of a line: what is read and written for it stays in the first-level cache.
pub(super) const LINE: usize = 512;

/// Of a line of which the weights of all classes are wanted.
pub(super) const LINE_WITH_ROWS: usize = 64;

/// Lines of fewer cells are not worth an order of axes of their own.
const SHORT: usize = 16;

/// The potentials that one elimination multiplies, as they are read in its scope.
#[derive(Debug)]
pub(crate) struct Product {
    /// The outer axes in the order in which they are walked; the last ones are those of a line.
    pub scope: Vec<Axis>,
    /// How many of them a line runs along, and its cells.
    pub along: usize,
    pub line: usize,
    pub inputs: Vec<Potential>,
    /// For each input, what each class of each outer axis adds to the cell.
    pub outer: Vec<Vec<Vec<usize>>>,
    /// For each input, what each own class adds.
    pub own: Vec<Vec<usize>>,
    /// The own classes, by the inner configuration that they belong to, and that configuration.
    pub classes: Vec<(u16, usize)>,
    pub groups: usize,
    pub sparse: Option<Sparse>,
}

/// Of the variable's own table, where it is mostly empty: the classes that each row has, in the order of all of them.
#[derive(Debug)]
pub(crate) struct Sparse {
    input: usize,
    /// How many cells a row has, and what a fixed parent adds to the first.
    width: usize,
    base: usize,
    starts: Vec<u32>,
    classes: Vec<(u16, usize)>,
}

impl Sparse {
    pub fn new(input: usize, base: usize, of: &Potential, own: &Partition, all: &[(u16, usize)]) -> Sparse {
        let width = own.class_of().len();
        let mut rank = vec![0; own.classes()];
        all.iter().enumerate().for_each(|(at, (class, _))| rank[usize::from(*class)] = at);
        let (mut starts, mut classes) = (vec![0], vec![]);
        for row in of.values.chunks_exact(width) {
            let from = classes.len();
            let met = row.iter().enumerate().filter(|(_, p)| **p > 0.0);
            classes.extend(met.map(|(atom, _)| all[rank[usize::from(own.class_of()[atom])]]));
            classes[from..].sort_unstable_by_key(|(class, _)| rank[usize::from(*class)]);
            starts.push(classes.len() as u32);
        }
        Sparse { input, width, base, starts, classes }
    }

    /// The bytes that it holds.
    pub fn size(&self) -> usize {
        size_of_val(&self.starts[..]) + size_of_val(&self.classes[..])
    }

    fn row(&self, at: &[usize]) -> &[(u16, usize)] {
        let row = (at[self.input] + self.base) / self.width;
        &self.classes[self.starts[row] as usize..self.starts[row + 1] as usize]
    }
}

impl Product {
    /// `line` is the most cells of a line.
    pub fn new(
        reduced: &Reduced<'_>,
        step: &Step,
        inputs: Vec<Potential>,
        own_table: Option<usize>,
        line: usize,
    ) -> Product {
        let roots = Roots::new(&step.within, &reduced.links, step.variable);
        let mut inputs: Vec<Potential> = inputs
            .into_iter()
            .map(|p| Potential { axes: p.axes.iter().map(|a| roots.rewrite(a)).collect(), values: p.values })
            .collect();
        for (one, other) in agreements(&roots, step.variable) {
            let size = reduced.levels[one.parent].len();
            let axes = [one, other]
                .map(|l| Axis { variable: l.child, partition: Partition::from_classes(l.map.clone(), size) });
            let values = (0..size * size).map(|i| f64::from(u8::from(i / size == i % size))).collect();
            inputs.push(Potential { axes: axes.to_vec(), values });
        }
        let one = Partition::whole(reduced.levels[step.variable].len());
        let own = Axis { variable: step.variable, partition: step.own.clone().unwrap_or(one) };
        let few = own_table
            .filter(|_| step.own.is_some() && own.partition.classes() >= 8 && reduced.density[step.variable] < 0.5);
        // Lines of one row each are short where the row's parents are most of the scope: then all classes are looked at, in
        // long ones, unless a row has next to none of them.
        let length = |input: usize| unknown(&step.outer, line, &inputs[input]).0;
        let few = few.filter(|input| reduced.density[step.variable] < 0.1 || length(*input) >= SHORT);
        // Levels of a class are made of the row, for all of a line where it has one.
        let coarse = reduced.alive[step.variable].len() > reduced.levels[step.variable].len();
        let one_row = few.or(own_table.filter(|input| coarse && length(*input) >= SHORT / 2));
        let (mut scope, along) = in_lines(&step.outer, &inputs, one_row, line);
        let outer_axes = scope.clone();
        let line = cells(&scope[scope.len() - along..]) as usize;
        scope.push(own.clone());
        // An axis of one class is none, but may be an input's; where it is no scope's, its only class is the first met.
        let mut fixed = vec![];
        for input in &mut inputs {
            let steps = strides(&input.axes);
            let missing = |a: &Axis| !mentioned(&scope, a.variable);
            let base: usize = input
                .axes
                .iter()
                .zip(&steps)
                .filter(|(a, _)| missing(a))
                .map(|(a, s)| usize::from(a.partition.class_of()[0]) * s)
                .sum();
            fixed.push(base);
        }
        let (mut outer, mut owns) = (vec![], vec![]);
        for (input, base) in inputs.iter().zip(&fixed) {
            let mut all = offsets_present(&scope, &input.axes);
            let mut own = all.pop().unwrap_or_default();
            own.iter_mut().for_each(|o| *o += *base);
            outer.push(all);
            owns.push(own);
        }
        let inner: Vec<Axis> = step.inner.iter().map(|a| roots.rewrite(a)).collect();
        let groups = cells(&step.inner) as usize;
        let of_class = offsets(std::slice::from_ref(&own), &inner, None).pop().unwrap_or_default();
        let mut classes: Vec<(u16, usize)> =
            of_class.into_iter().enumerate().map(|(class, group)| (class as u16, group)).collect();
        classes.sort_by_key(|(class, group)| (*group, *class));
        let sparse = few.map(|input| Sparse::new(input, fixed[input], &inputs[input], &own.partition, &classes));
        Product { scope: outer_axes, along, line, inputs, outer, own: owns, classes, groups, sparse }
    }

    /// The weight of a class where the inputs are at these cells.
    #[inline]
    pub fn weight(&self, at: &[usize], class: usize) -> f64 {
        let mut weight = 1.0;
        for ((input, base), own) in self.inputs.iter().zip(at).zip(&self.own) {
            weight *= input.values[base + own[class]];
            if weight == 0.0 {
                break;
            }
        }
        weight
    }

    /// The own classes that may have weight where the inputs are at these cells.
    pub fn classes_at(&self, at: &[usize]) -> &[(u16, usize)] {
        self.sparse.as_ref().map_or(&self.classes[..], |sparse| sparse.row(at))
    }
}

/// Which outer axes of a kind a line runs along, at most `most` cells together, and how many these are.
fn along(outer: &[Axis], most: usize, of: impl Fn(&Axis) -> bool) -> (usize, Vec<bool>) {
    let (mut line, mut along) = (1, vec![false; outer.len()]);
    for at in (0..outer.len()).rev().filter(|at| of(&outer[*at])) {
        let longer = line * outer[at].partition.classes();
        if longer <= most {
            (line, along[at]) = (longer, true);
        }
    }
    (line, along)
}

/// Those that an input does not know, so that it is read once for all of a line.
fn unknown(outer: &[Axis], most: usize, input: &Potential) -> (usize, Vec<bool>) {
    along(outer, most, |axis| !mentioned(&input.axes, axis.variable))
}

/// The outer axes, those last that a line runs along, and how many these are. A line has one row of the table
/// that is the input `one_row`.
fn in_lines(outer: &[Axis], inputs: &[Potential], one_row: Option<usize>, most: usize) -> (Vec<Axis>, usize) {
    let along = match one_row {
        Some(input) => unknown(outer, most, &inputs[input]).1,
        None => {
            let best = inputs.iter().map(|input| unknown(outer, most, input)).max_by_key(|(line, _)| *line);
            best.filter(|(line, _)| *line >= SHORT).unwrap_or_else(|| along(outer, most, |_| true)).1
        }
    };
    let of = |which: bool| outer.iter().zip(&along).filter(move |(_, a)| **a == which).map(|(axis, _)| axis.clone());
    (of(false).chain(of(true)).collect(), along.iter().filter(|a| **a).count())
}

impl Product {
    /// The derivative of a sum by each cell of an input, from those by the cells of the message. (Darwiche, "A differential
    /// approach to inference in Bayesian networks", Journal of the ACM 50, 2003.)
    pub fn back(&self, input: usize, message: &[f64]) -> Vec<f64> {
        let mut weights = vec![0.0; self.inputs[input].values.len()];
        walk(&self.scope, &self.outer, 0..message.len() / self.groups.max(1), |config, at| {
            for (class, group) in self.classes_at(at) {
                let k = usize::from(*class);
                let mut weight = message[config * self.groups + group];
                let mut cell = 0;
                for (i, ((of, base), own)) in self.inputs.iter().zip(at).zip(&self.own).enumerate() {
                    if weight == 0.0 {
                        break;
                    }
                    if i == input {
                        cell = base + own[k];
                    } else {
                        weight *= of.values[base + own[k]];
                    }
                }
                if weight > 0.0 {
                    weights[cell] += weight;
                }
            }
        });
        weights
    }
}

/// As [`offsets`], but passes over axes of which the scope has no variable.
pub(super) fn offsets_present(scope: &[Axis], axes: &[Axis]) -> Vec<Vec<usize>> {
    let strides = strides(axes);
    let mut offsets: Vec<Vec<usize>> = scope.iter().map(|a| vec![0; a.partition.classes()]).collect();
    for (axis, stride) in axes.iter().zip(strides) {
        let Some(at) = scope.iter().position(|s| s.variable == axis.variable) else { continue };
        let mut known = vec![false; offsets[at].len()];
        for (mine, theirs) in scope[at].partition.class_of().iter().zip(axis.partition.class_of().iter()) {
            let mine = usize::from(*mine);
            if !std::mem::replace(&mut known[mine], true) {
                offsets[at][mine] += usize::from(*theirs) * stride;
            }
        }
    }
    offsets
}
