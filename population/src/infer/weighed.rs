//! Posterior rows that are worked out as they are drawn from: a variable's own table and what it is weighed by take far less
//! room than the product of both, and few of its rows are ever drawn from. They are the rows that a table would have, to the
//! last bit.

use crate::infer::order::Step;
use crate::infer::product::Product;
use crate::infer::reduction::{Reduced, Roots};
use crate::model::network::{Table, UNREACHABLE, pick_weighed};
use crate::model::potential::{Axis, strides, walk};

/// How the classes of an eliminated variable become its levels.
#[derive(Debug)]
pub(super) enum Spread {
    /// Each is one level.
    Levels(Vec<u16>),
    /// By the rows of the variable's own table, of which input `input` is the one over classes.
    Rows {
        input: usize,
        base: usize,
        class_of: Vec<u16>,
        group_of: Vec<usize>,
        inner: Vec<usize>,
        /// What each class of each outer axis adds to the number of the row.
        outer: Vec<Vec<usize>>,
    },
}

/// Working memory of one row.
#[derive(Default)]
pub(crate) struct Row {
    lambda: Vec<f64>,
    pub(super) levels: Vec<u16>,
    pub(super) weights: Vec<f64>,
}

impl Spread {
    pub fn new(reduced: &Reduced<'_>, step: &Step, product: &Product, own_table: Option<usize>) -> Spread {
        let v = step.variable;
        let Some(own) = &step.own else { return Spread::Levels(vec![]) };
        let Some(input) = own_table.filter(|_| reduced.alive[v].len() > reduced.levels[v].len()) else {
            return Spread::Levels(own.members().iter().map(|atoms| reduced.levels[v][atoms[0]]).collect());
        };
        let roots = Roots::new(&step.within, &reduced.links, v);
        let scope: Vec<Axis> = product.scope.iter().chain(&step.inner).cloned().collect();
        let mut outer = reduced.row_offsets(v, &scope, &roots);
        let mut inner = vec![0; product.groups];
        let inner_rows = outer.split_off(product.scope.len());
        walk(&step.inner, &[inner_rows], 0..product.groups, |group, at| inner[group] = at[0]);
        let base = reduced.fixed_offset(v, &scope, &roots);
        let class = |atom: &u16| if *atom == u16::MAX { u16::MAX } else { own.class_of()[usize::from(*atom)] };
        let class_of = reduced.atom_of[v].iter().map(class).collect();
        let mut group_of = vec![0; own.classes()];
        product.classes.iter().for_each(|(class, group)| group_of[usize::from(*class)] = *group);
        Spread::Rows { input, base, class_of, group_of, inner, outer }
    }

    /// The levels of a row and their weights, from those of its classes, which are all of one inner configuration. `own` is
    /// what the variable's own table has for a class, and `at` the number of its row without what the inner configuration
    /// adds.
    #[inline]
    pub fn spread(
        &self,
        table: &Table,
        hits: &[(u16, usize, f64)],
        own: impl Fn(usize) -> f64,
        at: usize,
        row: &mut Row,
    ) {
        row.levels.clear();
        row.weights.clear();
        let Some((_, group, _)) = hits.first() else { return };
        match self {
            Spread::Levels(levels) => {
                row.levels.extend(hits.iter().map(|(class, _, _)| levels[usize::from(*class)]));
                row.weights.extend(hits.iter().map(|(_, _, weight)| *weight));
            }
            Spread::Rows { base, class_of, group_of, inner, .. } => {
                let Row { lambda, levels, weights } = row;
                lambda.resize(group_of.len(), 0.0);
                hits.iter()
                    .for_each(|(class, _, weight)| lambda[usize::from(*class)] = weight / own(usize::from(*class)));
                let at = base + at + inner[*group];
                let at = table.compact.as_ref().map_or(at as u32, |rows| rows[at]);
                if at != UNREACHABLE {
                    table.rows.each(at as usize, |level, p| {
                        let class = usize::from(class_of[level]);
                        if class != usize::from(u16::MAX) && lambda[class] > 0.0 && group_of[class] == *group {
                            levels.push(level as u16);
                            weights.push(p * lambda[class]);
                        }
                    });
                }
                hits.iter().for_each(|(class, _, _)| lambda[usize::from(*class)] = 0.0);
            }
        }
    }
}

/// A variable that another is drawn given.
#[derive(Debug)]
struct Parent {
    variable: usize,
    /// What each of its levels adds to the cell of an input, or last to the number of the own table's row; those that it adds
    /// nothing to are not there.
    added: Vec<(usize, Vec<u32>)>,
}

/// A variable that is drawn given those before it by its own table, weighed by what is known of those after it.
#[derive(Debug)]
pub(crate) struct Weighed {
    pub(super) product: Product,
    pub(super) spread: Spread,
    /// The parents of the table that its rows would be.
    pub(super) axes: Vec<Axis>,
    /// The bytes that making this table would take, at most, if it is as full as planned.
    pub(super) would_take: u64,
    /// The variables that it is drawn given.
    parents: Vec<Parent>,
    /// Those among them that are functions of it, and what each of their levels adds to the inner configuration.
    inner: Vec<(usize, Vec<u32>)>,
}

/// Working memory of drawing.
#[derive(Default)]
pub(crate) struct Work {
    /// For each input, where it is for each person.
    at: Vec<Vec<u32>>,
    groups: Vec<u32>,
    here: Vec<usize>,
    hits: Vec<(u16, usize, f64)>,
    row: Row,
}

impl Weighed {
    pub(super) fn new(
        reduced: &Reduced<'_>,
        step: &Step,
        product: Product,
        own_table: Option<usize>,
        would_take: u64,
    ) -> Weighed {
        let spread = Spread::new(reduced, step, &product, own_table);
        let of_level = |axis: &Axis, of: &dyn Fn(usize) -> usize| -> Vec<u32> {
            // A level that is ruled out is never met.
            let class = |atom: &u16| if *atom == u16::MAX { 0 } else { axis.partition.class_of()[usize::from(*atom)] };
            reduced.atom_of[axis.variable].iter().map(|atom| of(usize::from(class(atom))) as u32).collect()
        };
        let rows = match &spread {
            Spread::Rows { outer, .. } => Some(outer),
            Spread::Levels(_) => None,
        };
        let parents = product.scope.iter().enumerate().map(|(at, axis)| {
            let added = product.outer.iter().chain(rows).map(|outer| of_level(axis, &|class| outer[at][class]));
            let added = added.enumerate().filter(|(_, added)| added.iter().any(|a| *a > 0)).collect();
            Parent { variable: axis.variable, added }
        });
        let parents = parents.collect();
        let steps = strides(&step.inner);
        let inner = step.inner.iter().zip(steps);
        let inner = inner.map(|(axis, stride)| (axis.variable, of_level(axis, &|class| class * stride))).collect();
        let axes = product.scope.iter().chain(&step.inner).map(|axis| reduced.over_levels(axis)).collect();
        Weighed { product, spread, axes, would_take, parents, inner }
    }

    /// The variables that it is drawn given.
    pub fn parents(&self) -> impl Iterator<Item = usize> {
        self.parents.iter().map(|p| p.variable).chain(self.inner.iter().map(|(v, _)| *v))
    }

    /// The bytes that it holds.
    pub(super) fn size(&self) -> u64 {
        let inputs = self.product.inputs.iter().map(|input| size_of_val(&input.values[..])).sum::<usize>();
        (inputs + self.product.sparse.as_ref().map_or(0, |sparse| sparse.size())) as u64
    }

    /// Draws a level for each person by the words, from the codes of those variables that it is drawn given. `own` is its
    /// table in the network.
    pub fn pick_all(&self, own: &Table, codes: &[Vec<u16>], words: &[u32], work: &mut Work, picked: &mut [u16]) {
        let (inputs, people) = (self.product.inputs.len(), picked.len());
        work.at.resize(work.at.len().max(inputs + 1), vec![]);
        for at in &mut work.at[..=inputs] {
            at.clear();
            at.resize(people, 0);
        }
        for Parent { variable, added } in &self.parents {
            for (input, added) in added {
                let each = work.at[*input].iter_mut().zip(&codes[*variable]);
                each.for_each(|(at, code)| *at += added[usize::from(*code)]);
            }
        }
        work.groups.clear();
        work.groups.resize(people, 0);
        for (parent, added) in &self.inner {
            let each = work.groups.iter_mut().zip(&codes[*parent]);
            each.for_each(|(group, code)| *group += added[usize::from(*code)]);
        }
        for person in 0..people {
            picked[person] = self.pick(own, words[person], person, work);
        }
    }

    fn pick(&self, own: &Table, word: u32, person: usize, work: &mut Work) -> u16 {
        let Work { at, groups, here, hits, row } = work;
        let (product, mine) = (&self.product, groups[person] as usize);
        let inputs = product.inputs.len();
        here.clear();
        here.extend(at[..inputs].iter().map(|at| at[person] as usize));
        let mine = product.classes_at(here).iter().filter(|(_, group)| *group == mine);
        let weights = mine.map(|(class, group)| (*class, *group, product.weight(here, usize::from(*class))));
        let weights = weights.filter(|(_, _, weight)| *weight > 0.0);
        if let Spread::Levels(levels) = &self.spread {
            row.levels.clear();
            row.weights.clear();
            for (class, _, weight) in weights {
                row.levels.push(levels[usize::from(class)]);
                row.weights.push(weight);
            }
            return pick_weighed(&mut row.weights, word).map_or(0, |at| row.levels[at]);
        }
        hits.clear();
        hits.extend(weights);
        let of_own = |class: usize| match &self.spread {
            Spread::Rows { input, .. } => product.inputs[*input].values[here[*input] + product.own[*input][class]],
            Spread::Levels(_) => 1.0,
        };
        self.spread.spread(own, hits, of_own, at[inputs][person] as usize, row);
        // Whoever is drawn can be met; were it not so, a wrong level is better than none.
        pick_weighed(&mut row.weights, word).map_or(0, |at| row.levels[at])
    }
}
