//! Evidence reduces domains: levels that it rules out, or that nothing can go with any more, are dropped before anything
//! is multiplied; levels that nothing tells apart are one atom.
//!
//! - A function of another variable is a view of it: tests of the view are tests of what it views.
//! - Levels without support in some table are dropped, table by table, until nothing changes (arc consistency; Mackworth,
//!   "Consistency in networks of relations", Artificial Intelligence 8 (1977)).
//! - Where each level of a variable goes with one level of a parent only, as a district with its state, the parent is
//!   [linked](Link) to it and takes no axis of its own beside it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use rayon::prelude::*;

use crate::infer::evidence::Masks;
use crate::model::network::{Network, Rows, Table, UNREACHABLE, WORDS};
use crate::model::partition::Partition;
use crate::model::potential::{Axis, Potential, cells, strides, walk, widen};

/// The mark of a level that is ruled out.
const NONE: u16 = u16::MAX;

/// A parent as a table sees it: what each of its levels adds to the number of the row.
#[derive(Debug)]
pub(crate) struct Parent {
    pub variable: usize,
    pub offsets: Vec<u32>,
}

/// `parent` is a function of `child`, by their atoms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Link {
    pub child: usize,
    pub parent: usize,
    pub map: Arc<[u16]>,
}

/// A network under evidence: what of it matters, over atoms.
#[derive(Debug)]
pub(crate) struct Reduced<'a> {
    pub network: &'a Network,
    /// The variables whose tables the evidence changes, in the order of drawing.
    pub relevant: Vec<usize>,
    /// For each variable the levels left, if it is relevant.
    pub alive: Vec<Vec<u16>>,
    /// The atom of each level; `u16::MAX` where it is ruled out.
    pub atom_of: Vec<Vec<u16>>,
    /// A level of each atom.
    pub levels: Vec<Vec<u16>>,
    /// The parents of each relevant variable's table.
    pub parents: Vec<Vec<Parent>>,
    pub links: Vec<Link>,
    /// The tables over atoms, each with the variable that it is the table of; then the ties.
    pub potentials: Vec<(Arc<Potential>, Option<usize>)>,
    /// How many levels a row of each relevant variable's table has left, on average.
    pub entries: Vec<f64>,
    /// The share of the cells of each relevant variable's table over atoms that are not 0.
    pub density: Vec<f64>,
}

/// A table over atoms; how many levels a row has left, and the share of its cells that are not 0.
#[derive(Debug, Clone)]
struct Made {
    table: Arc<Potential>,
    entries: f64,
    density: f64,
}

/// What a table over atoms is made of, beside the network.
#[derive(Debug, PartialEq, Eq)]
struct MadeOf {
    atom_of: Vec<u16>,
    /// A level of each atom of each parent.
    parents: Vec<Vec<u16>>,
    /// Those between the parents and the variable.
    links: Vec<Link>,
}

/// The tables over atoms that were made for other cases of the same evidence: far from what tells the cases apart, they are
/// the same.
#[derive(Debug, Default)]
pub(crate) struct Tables {
    made: Mutex<Vec<(usize, MadeOf, Made)>>,
    bytes: AtomicUsize,
}

/// So few levels that are left of a variable are looked up in each row of its table, instead of going through the row.
const LOOKED_UP: usize = 2;

/// No more bytes of tables are kept for other cases.
const KEPT: usize = 32 << 20;

/// What a variable is a function of, and its level for each of the other's.
type View = (usize, Arc<[u16]>);

/// What each variable is a function of, if it is of one other that is none itself.
fn views(network: &Network) -> Vec<Option<View>> {
    let mut views: Vec<Option<View>> = vec![];
    for table in &network.tables {
        let view = match (&table.rows, &table.parents[..], &table.compact) {
            (Rows::Function { levels }, [parent], None) => {
                let own: Vec<u16> = parent.partition.class_of().iter().map(|c| levels[usize::from(*c)]).collect();
                Some(match &views[parent.variable] {
                    Some((root, map)) => (*root, map.iter().map(|l| own[usize::from(*l)]).collect()),
                    None => (parent.variable, own.into()),
                })
            }
            _ => None,
        };
        views.push(view);
    }
    views
}

fn parents(table: &Table, views: &[Option<View>]) -> Vec<Parent> {
    let mut parents: Vec<Parent> = vec![];
    for (axis, stride) in table.parents.iter().zip(strides(&table.parents)) {
        let offset = |level: usize| (usize::from(axis.partition.class_of()[level]) * stride) as u32;
        let (variable, offsets) = match &views[axis.variable] {
            Some((root, map)) => (*root, map.iter().map(|l| offset(usize::from(*l))).collect::<Vec<u32>>()),
            None => (axis.variable, (0..axis.partition.class_of().len()).map(offset).collect()),
        };
        match parents.iter_mut().find(|p| p.variable == variable) {
            Some(known) => known.offsets.iter_mut().zip(offsets).for_each(|(k, o)| *k += o),
            None => parents.push(Parent { variable, offsets }),
        }
    }
    parents
}

/// The offsets that a parent's levels left can add, and which of them each level adds.
struct Choices {
    offsets: Vec<u32>,
    of_level: Vec<u16>,
}

impl Choices {
    fn new(parent: &Parent, alive: &[bool]) -> Choices {
        let (mut known, mut offsets) = (HashMap::new(), vec![]);
        let of_level = parent.offsets.iter().zip(alive).map(|(offset, alive)| match alive {
            false => NONE,
            true => *known.entry(*offset).or_insert_with(|| {
                offsets.push(*offset);
                offsets.len() as u16 - 1
            }),
        });
        let of_level = of_level.collect();
        Choices { offsets, of_level }
    }
}

/// Visits the rows of a table that are left: the choice of each parent, and the row.
fn each_row(table: &Table, choices: &[Choices], mut visit: impl FnMut(&[usize], usize) -> bool) {
    if choices.iter().any(|c| c.offsets.is_empty()) {
        return;
    }
    let mut digits = vec![0; choices.len()];
    loop {
        let config: usize = digits.iter().zip(choices).map(|(d, c)| c.offsets[*d] as usize).sum();
        let row = table.compact.as_ref().map_or(config as u32, |rows| rows[config]);
        if row != UNREACHABLE && !visit(&digits, row as usize) {
            return;
        }
        let mut turned = true;
        for (digit, choice) in digits.iter_mut().zip(choices).rev() {
            *digit = (*digit + 1) % choice.offsets.len();
            if *digit != 0 {
                turned = false;
                break;
            }
        }
        if turned {
            return;
        }
    }
}

impl<'a> Reduced<'a> {
    /// `None` if nobody is left.
    pub fn new(network: &'a Network, masks: &Masks, ties: &[Potential]) -> Option<Reduced<'a>> {
        Reduced::among(network, masks, ties, &Tables::default())
    }

    /// As [`new`](Self::new), one of several of the same network.
    pub fn among(network: &'a Network, masks: &Masks, ties: &[Potential], known: &Tables) -> Option<Reduced<'a>> {
        let views = views(network);
        let count = network.tables.len();
        let mut alive: Vec<Vec<bool>> = network.variables[..count].iter().map(|v| vec![true; v.len()]).collect();
        let mut masked = vec![false; count];
        for (variable, mask) in masks.iter().enumerate().take(count) {
            let Some(mask) = mask else { continue };
            let root = views[variable].as_ref().map_or(variable, |(root, _)| *root);
            for (level, alive) in alive[root].iter_mut().enumerate() {
                *alive &= mask[views[variable].as_ref().map_or(level, |(_, map)| usize::from(map[level]))];
            }
            masked[root] = true;
        }
        let ties: Vec<Potential> = ties
            .iter()
            .map(|tie| {
                let axes = tie.axes.iter().map(|axis| match &views[axis.variable] {
                    None => axis.clone(),
                    Some((root, map)) => {
                        let class_of = map.iter().map(|l| axis.partition.class_of()[usize::from(*l)]).collect();
                        let partition = Partition::from_classes(class_of, axis.partition.classes());
                        Axis { variable: *root, partition }
                    }
                });
                Potential { axes: axes.collect(), values: tie.values.clone() }
            })
            .collect();
        let mut wanted = masked.clone();
        ties.iter().flat_map(|t| &t.axes).for_each(|a| wanted[a.variable] = true);
        let mut of: Vec<Vec<Parent>> = (0..count).map(|_| vec![]).collect();
        for v in (0..count).rev().filter(|v| views[*v].is_none()) {
            if wanted[v] {
                of[v] = parents(&network.tables[v], &views);
                of[v].iter().for_each(|p| wanted[p.variable] = true);
            }
        }
        let relevant: Vec<usize> = (0..count).filter(|v| wanted[*v]).collect();
        let mut reduced = Reduced {
            network,
            relevant,
            alive: vec![vec![]; count],
            atom_of: vec![vec![]; count],
            levels: vec![vec![]; count],
            parents: of,
            links: vec![],
            potentials: vec![],
            entries: vec![0.0; count],
            density: vec![1.0; count],
        };
        let nobody = |v: &usize| !alive[*v].contains(&true);
        if reduced.relevant.iter().any(nobody) || !reduced.prune(&mut alive, &masked) {
            return None;
        }
        for v in &reduced.relevant {
            reduced.alive[*v] = (0..alive[*v].len()).filter(|l| alive[*v][*l]).map(|l| l as u16).collect();
        }
        let found = reduced.find_links(&alive);
        reduced.find_atoms(&ties, &found);
        reduced.link(found);
        let made: Vec<Made> = reduced.relevant.par_iter().map(|v| reduced.table_among(*v, known)).collect();
        for (v, made) in reduced.relevant.iter().zip(made) {
            reduced.entries[*v] = made.entries;
            reduced.density[*v] = made.density;
            reduced.potentials.push((made.table, Some(*v)));
        }
        for tie in ties {
            let axes = tie.axes.iter().map(|axis| {
                let levels = &reduced.levels[axis.variable];
                let class_of = levels.iter().map(|l| axis.partition.class_of()[usize::from(*l)]).collect();
                Axis { variable: axis.variable, partition: Partition::from_classes(class_of, axis.partition.classes()) }
            });
            reduced.potentials.push((Arc::new(Potential { axes: axes.collect(), values: tie.values }), None));
        }
        Some(reduced)
    }

    /// What a variable is a function of, itself if of nothing, and its level for each of the other's.
    pub fn root(&self, variable: usize) -> (usize, Option<Arc<[u16]>>) {
        match views(self.network).swap_remove(variable) {
            Some((root, map)) => (root, Some(map)),
            None => (variable, None),
        }
    }

    /// Drops levels without support. Whether all variables have some left.
    fn prune(&self, alive: &mut [Vec<bool>], masked: &[bool]) -> bool {
        let touched = |v: usize| masked[v] || self.parents[v].iter().any(|p| masked[p.variable]);
        let mut dirty: Vec<bool> = (0..alive.len()).map(touched).collect();
        for round in 0..16 {
            let mut order = self.relevant.clone();
            if round % 2 == 0 {
                order.reverse();
            }
            let mut changed = false;
            for v in order {
                if !std::mem::take(&mut dirty[v]) {
                    continue;
                }
                let table = &self.network.tables[v];
                let choices: Vec<Choices> =
                    self.parents[v].iter().map(|p| Choices::new(p, &alive[p.variable])).collect();
                let mut own = vec![false; alive[v].len()];
                let mut supported: Vec<Vec<bool>> = choices.iter().map(|c| vec![false; c.offsets.len()]).collect();
                // Once all are supported, one level tells of a row that it is.
                let mut unsupported = alive[v].iter().filter(|alive| **alive).count();
                each_row(table, &choices, |digits, row| {
                    let mut any = unsupported == 0 && table.rows.any(row, |level| alive[v][level]);
                    if unsupported > 0 {
                        table.rows.each(row, |level, p| {
                            if p > 0.0 && alive[v][level] {
                                unsupported -= usize::from(!std::mem::replace(&mut own[level], true));
                                any = true;
                            }
                        });
                    }
                    if any {
                        digits.iter().zip(&mut supported).for_each(|(d, s)| s[*d] = true);
                    }
                    true
                });
                let mut shrunk = vec![];
                if own != alive[v] {
                    alive[v] = own;
                    shrunk.push(v);
                }
                for ((parent, choices), supported) in self.parents[v].iter().zip(&choices).zip(&supported) {
                    if supported.iter().all(|s| *s) {
                        continue;
                    }
                    shrunk.push(parent.variable);
                    for (alive, choice) in alive[parent.variable].iter_mut().zip(&choices.of_level) {
                        *alive &= *choice != NONE && supported[usize::from(*choice)];
                    }
                }
                if shrunk.iter().any(|s| !alive[*s].contains(&true)) {
                    return false;
                }
                for other in self.relevant.iter().filter(|o| **o != v) {
                    if shrunk.contains(other) || self.parents[*other].iter().any(|p| shrunk.contains(&p.variable)) {
                        dirty[*other] = true;
                        changed = true;
                    }
                }
            }
            if !changed {
                break;
            }
        }
        true
    }

    /// Parents of which each level of the child goes with one only: child, parent, and the parent's level for each of
    /// the child's.
    fn find_links(&self, alive: &[Vec<bool>]) -> Vec<(usize, usize, Vec<u16>)> {
        let mut links: Vec<(usize, usize, Vec<u16>)> = vec![];
        for v in self.relevant.iter().copied().filter(|v| self.alive[*v].len() > 1) {
            let table = &self.network.tables[v];
            let choices: Vec<Choices> = self.parents[v].iter().map(|p| Choices::new(p, &alive[p.variable])).collect();
            let mut candidates: Vec<(usize, Vec<u16>)> = self.parents[v]
                .iter()
                .enumerate()
                .filter(|(at, p)| {
                    let levels = self.alive[p.variable].len();
                    levels > 1 && choices[*at].offsets.len() == levels
                })
                .map(|(at, _)| (at, vec![NONE; alive[v].len()]))
                .collect();
            if candidates.is_empty() {
                continue;
            }
            each_row(table, &choices, |digits, row| {
                candidates.retain_mut(|(at, of)| {
                    let choice = digits[*at] as u16;
                    let mut one = true;
                    table.rows.each(row, |level, p| {
                        if p > 0.0 && alive[v][level] {
                            one &= of[level] == NONE || of[level] == choice;
                            of[level] = choice;
                        }
                    });
                    one
                });
                !candidates.is_empty()
            });
            for (at, of) in candidates {
                let parent = self.parents[v][at].variable;
                let mut level_of = vec![0; choices[at].offsets.len()];
                for (level, choice) in choices[at].of_level.iter().enumerate().filter(|(_, c)| **c != NONE) {
                    level_of[usize::from(*choice)] = level as u16;
                }
                let map = of.iter().map(|c| if *c == NONE { NONE } else { level_of[usize::from(*c)] }).collect();
                links.push((v, parent, map));
            }
        }
        // What a parent determines, its child does.
        let mut closed: Vec<(usize, usize, Vec<u16>)> = vec![];
        for (child, parent, map) in links {
            let above: Vec<_> = closed.iter().filter(|(c, _, _)| *c == parent).cloned().collect();
            for (_, grandparent, upper) in above {
                if !closed.iter().any(|(c, p, _)| *c == child && *p == grandparent) {
                    let through = |l: &u16| if *l == NONE { NONE } else { upper[usize::from(*l)] };
                    closed.push((child, grandparent, map.iter().map(through).collect()));
                }
            }
            if !closed.iter().any(|(c, p, _)| *c == child && *p == parent) {
                closed.push((child, parent, map));
            }
        }
        closed
    }

    /// Levels that no table, tie or link tells apart are one atom.
    fn find_atoms(&mut self, ties: &[Potential], links: &[(usize, usize, Vec<u16>)]) {
        for v in self.relevant.clone() {
            let alive = &self.alive[v];
            let mut partition = Partition::whole(alive.len());
            let mut apart = |signatures: Vec<u32>| partition = partition.refine(&Partition::by_numbers(signatures));
            for child in &self.relevant {
                for parent in self.parents[*child].iter().filter(|p| p.variable == v) {
                    apart(alive.iter().map(|l| parent.offsets[usize::from(*l)]).collect());
                }
            }
            for axis in ties.iter().flat_map(|t| &t.axes).filter(|a| a.variable == v) {
                apart(alive.iter().map(|l| u32::from(axis.partition.class_of()[usize::from(*l)])).collect());
            }
            for (_, _, map) in links.iter().filter(|(child, _, _)| *child == v) {
                apart(alive.iter().map(|l| u32::from(map[usize::from(*l)])).collect());
            }
            let mut atom_of = vec![NONE; self.network.variables[v].len()];
            alive.iter().zip(partition.class_of().iter()).for_each(|(l, c)| atom_of[usize::from(*l)] = *c);
            self.levels[v] = partition.members().iter().map(|m| alive[m[0]]).collect();
            self.atom_of[v] = atom_of;
        }
    }

    fn link(&mut self, found: Vec<(usize, usize, Vec<u16>)>) {
        for (child, parent, map) in found {
            // A level that nobody has goes with none, and so with any.
            let atom = |l: &u16| match map[usize::from(*l)] {
                NONE => 0,
                level => self.atom_of[parent][usize::from(level)],
            };
            let map = self.levels[child].iter().map(atom).collect();
            self.links.push(Link { child, parent, map });
        }
    }

    /// The table of a variable over atoms, as it may have been made before.
    fn table_among(&self, v: usize, known: &Tables) -> Made {
        let parents = &self.parents[v];
        let within = |w: usize| w == v || parents.iter().any(|p| p.variable == w);
        let of = MadeOf {
            atom_of: self.atom_of[v].clone(),
            parents: parents.iter().map(|p| self.levels[p.variable].clone()).collect(),
            links: self.links.iter().filter(|l| within(l.child) && within(l.parent)).cloned().collect(),
        };
        // Whoever panicked while holding it left it as it was.
        let made = |made: &[(usize, MadeOf, Made)]| made.iter().find(|m| m.0 == v && m.1 == of).map(|m| m.2.clone());
        if let Some(made) = made(&known.made.lock().unwrap_or_else(PoisonError::into_inner)) {
            return made;
        }
        let made = self.table(v);
        if known.bytes.fetch_add(8 * made.table.values.len(), Relaxed) < KEPT {
            known.made.lock().unwrap_or_else(PoisonError::into_inner).push((v, of, made.clone()));
        }
        made
    }

    /// The table of a variable over atoms: P(atom | parents).
    fn table(&self, v: usize) -> Made {
        let table = &self.network.tables[v];
        let within: Vec<usize> = self.parents[v].iter().map(|p| p.variable).chain([v]).collect();
        let roots = Roots::new(&within, &self.links, v);
        // The rows are walked over all parents but those that another parent determines.
        let (mut scope, mut inner): (Vec<Axis>, Vec<Axis>) = (vec![], vec![]);
        for parent in &self.parents[v] {
            let levels = &self.levels[parent.variable];
            let signature = levels.iter().map(|l| parent.offsets[usize::from(*l)]);
            let axis = Axis { variable: parent.variable, partition: Partition::by_numbers(signature) };
            match roots.of(parent.variable) {
                Some((root, _)) if root == v => inner.push(axis),
                _ => join(&mut scope, &roots.rewrite(&axis)),
            }
        }
        scope.retain(|a| a.partition.classes() > 1);
        let outer = scope.clone();
        scope.extend(inner);
        let offsets = self.row_offsets(v, &scope, &roots);
        let own = self.levels[v].len();
        let blocks: usize = cells(&scope[outer.len()..]) as usize;
        let mut values = vec![0.0; cells(&outer) as usize * own];
        let size = cells(&scope) as usize;
        let mut entries = 0usize;
        let atom_of = &self.atom_of[v];
        let base: usize = self.fixed_offset(v, &scope, &roots);
        walk(&scope, &[offsets], 0..size, |config, at| {
            let row = base + at[0];
            let row = table.compact.as_ref().map_or(row as u32, |rows| rows[row]);
            if row == UNREACHABLE {
                return;
            }
            let values = &mut values[config / blocks * own..][..own];
            if self.alive[v].len() <= LOOKED_UP {
                for level in &self.alive[v] {
                    if let Some((low, high)) = table.rows.span(row as usize, *level) {
                        values[usize::from(atom_of[usize::from(*level)])] += f64::from(high - low) / WORDS;
                        entries += 1;
                    }
                }
                return;
            }
            table.rows.each(row as usize, |level, p| {
                if atom_of[level] != NONE {
                    values[usize::from(atom_of[level])] += p;
                    entries += 1;
                }
            });
        });
        let density = values.iter().filter(|p| **p > 0.0).count() as f64 / values.len().max(1) as f64;
        let mut axes = outer;
        // A variable of one atom but several levels is drawn by its own table's rows, and so keeps its axis.
        if self.alive[v].len() > 1 {
            axes.push(Axis { variable: v, partition: Partition::finest(own) });
        }
        Made { table: Arc::new(Potential { axes, values }), entries: entries as f64 / size as f64, density }
    }

    /// An axis over levels, from one over atoms. Levels that are ruled out are never drawn.
    pub fn over_levels(&self, axis: &Axis) -> Axis {
        let class = |atom: &u16| if *atom == NONE { 0 } else { axis.partition.class_of()[usize::from(*atom)] };
        let class_of = self.atom_of[axis.variable].iter().map(class).collect();
        Axis { variable: axis.variable, partition: Partition::from_classes(class_of, axis.partition.classes()) }
    }

    /// What the classes of a scope add to the number of a row in the table of `v`.
    pub fn row_offsets(&self, v: usize, scope: &[Axis], roots: &Roots<'_>) -> Vec<Vec<usize>> {
        let mut offsets: Vec<Vec<usize>> = scope.iter().map(|a| vec![0; a.partition.classes()]).collect();
        for parent in &self.parents[v] {
            let (on, map) = self.place(parent.variable, scope, roots);
            let Some(at) = on else { continue };
            for (class, atoms) in scope[at].partition.members().iter().enumerate() {
                let atom = map.map_or(atoms[0], |m| usize::from(m[atoms[0]]));
                offsets[at][class] += parent.offsets[usize::from(self.levels[parent.variable][atom])] as usize;
            }
        }
        offsets
    }

    /// What the parents that have one choice left, and so no axis in the scope, add.
    pub fn fixed_offset(&self, v: usize, scope: &[Axis], roots: &Roots<'_>) -> usize {
        let fixed = self.parents[v].iter().filter(|p| self.place(p.variable, scope, roots).0.is_none());
        fixed.map(|p| p.offsets[usize::from(self.levels[p.variable][0])] as usize).sum()
    }

    fn place<'r>(&self, v: usize, scope: &[Axis], roots: &'r Roots<'_>) -> (Option<usize>, Option<&'r [u16]>) {
        if let Some(at) = scope.iter().position(|a| a.variable == v) {
            return (Some(at), None);
        }
        match roots.of(v) {
            Some((root, map)) => match scope.iter().position(|a| a.variable == root) {
                Some(at) => (Some(at), Some(map)),
                None => (None, None),
            },
            None => (None, None),
        }
    }
}

/// Widens a scope by an axis of which some classes may have no atom.
pub(crate) fn join(scope: &mut Vec<Axis>, axis: &Axis) {
    let partition = Partition::by_numbers(axis.partition.class_of().iter().map(|class| u32::from(*class)));
    widen(scope, &Axis { variable: axis.variable, partition });
}

/// Which variables of a set are functions of others in it, and of which.
#[derive(Debug)]
pub(crate) struct Roots<'a> {
    of: Vec<(usize, usize, &'a Link)>,
    /// Functions of more than one: the variable's links from the chosen one and from another.
    pub agreements: Vec<(&'a Link, &'a Link)>,
}

impl<'a> Roots<'a> {
    /// A function of several is read from another than `avoid` if it can be.
    pub fn new(within: &[usize], links: &'a [Link], avoid: usize) -> Roots<'a> {
        let inside: Vec<&Link> =
            links.iter().filter(|l| within.contains(&l.child) && within.contains(&l.parent)).collect();
        let free = |v: usize| !inside.iter().any(|l| l.parent == v);
        let mut roots = Roots { of: vec![], agreements: vec![] };
        for v in within {
            let mut from: Vec<&Link> = inside.iter().copied().filter(|l| l.parent == *v && free(l.child)).collect();
            from.sort_by_key(|l| (l.child == avoid, l.child));
            if let Some((first, others)) = from.split_first() {
                roots.of.push((*v, first.child, first));
                roots.agreements.extend(others.iter().map(|o| (*first, *o)));
            }
        }
        roots
    }

    /// The variable that this one is a function of, and its atoms by the other's.
    pub fn of(&self, v: usize) -> Option<(usize, &'a [u16])> {
        self.of.iter().find(|(of, _, _)| *of == v).map(|(_, root, link)| (*root, &link.map[..]))
    }

    /// An axis as one of the variable that it is a function of; class numbers stay.
    pub fn rewrite(&self, axis: &Axis) -> Axis {
        match self.of(axis.variable) {
            None => axis.clone(),
            Some((root, map)) => {
                let class_of = map.iter().map(|atom| axis.partition.class_of()[usize::from(*atom)]).collect();
                Axis { variable: root, partition: Partition::from_classes(class_of, axis.partition.classes()) }
            }
        }
    }
}
