//! Evidence: a predicate in its canonical form, as masks of single variables and ties between several.
//!
//! The rule: each part of the conjunction is reduced by the others, a part that follows from the others is left out, and
//! what remains is kept as a decision diagram. Predicates that mean the same then are the same evidence, however they
//! were spelt: the order and the number of their parts, De Morgan's laws, IN against OR, BETWEEN against comparisons make
//! no difference. Meaning is that of the levels alone: two predicates that differ in levels that nobody has differ.

use crate::error::{Error, Result};
use crate::infer::diagram::{Diagrams, FALSE, TRUE};
use crate::infer::predicate::{Comparison, Predicate, Value};
use crate::infer::resolve::{Atom, MAX_COMBINATIONS, Resolved};
use crate::model::partition::Partition;
use crate::model::potential::{Axis, Potential, cells, strides};
use crate::model::variable::{Levels, Variable};

/// The most disjoint cases that a predicate is split into.
pub(crate) const MAX_CASES: u128 = 64;

/// Up to so many conjunctions a tie is written out as their disjunction; beyond, as it was asked.
const WRITTEN_PATHS: u128 = 16;

/// For each variable, the levels that it may have; `None` for all.
pub(crate) type Masks = Vec<Option<Vec<bool>>>;

/// A predicate in its canonical form.
#[derive(Debug)]
pub(crate) struct Evidence {
    /// One mask a variable, for what is known of it whatever the others are.
    pub masks: Masks,
    /// What ties variables together, each tie over its own.
    ties: Vec<Tie>,
    /// Nobody satisfies it, whatever the network says.
    pub nobody: bool,
    diagrams: Diagrams,
    /// The variables that are tested, by name, and the classes that the tests tell apart.
    order: Vec<(usize, Partition)>,
    canonical: Vec<u8>,
    predicate: Predicate,
}

#[derive(Debug)]
struct Tie {
    root: u32,
    /// The parts of the predicate that it was made of.
    parts: Vec<usize>,
}

/// Makes diagrams of resolved predicates.
struct Builder<'a> {
    variables: &'a [Variable],
    atoms: &'a [Atom],
    order: &'a [(usize, Partition)],
    /// A level of each class.
    levels: Vec<Vec<usize>>,
    diagrams: Diagrams,
}

impl Builder<'_> {
    /// The people for whom it is true, and those for whom it is false.
    fn sets(&mut self, of: &Resolved) -> Result<(u32, u32)> {
        let mut fold = |parts: &[Resolved], all: bool| {
            let mut sets = if all { (TRUE, FALSE) } else { (FALSE, TRUE) };
            for part in parts {
                let (holds, fails) = self.sets(part)?;
                sets = match all {
                    true => (self.diagrams.and(sets.0, holds)?, self.diagrams.or(sets.1, fails)?),
                    false => (self.diagrams.or(sets.0, holds)?, self.diagrams.and(sets.1, fails)?),
                };
            }
            Ok(sets)
        };
        match of {
            Resolved::Literal(Some(true)) => Ok((TRUE, FALSE)),
            Resolved::Literal(Some(false)) => Ok((FALSE, TRUE)),
            Resolved::Literal(None) => Ok((FALSE, FALSE)),
            Resolved::And(parts) => fold(parts, true),
            Resolved::Or(parts) => fold(parts, false),
            Resolved::Not(inner) => self.sets(inner).map(|(holds, fails)| (fails, holds)),
            Resolved::Test(atom) => {
                let atom = &self.atoms[*atom];
                let tested = atom.variables();
                let places: Vec<usize> = (0..self.order.len()).filter(|p| tested.contains(&self.order[*p].0)).collect();
                let size = places.iter().map(|p| self.levels[*p].len() as u128).product::<u128>();
                if size > u128::from(MAX_COMBINATIONS) {
                    let names: Vec<&str> = tested.iter().map(|v| self.variables[*v].name.as_str()).collect();
                    let (bound, variables) = (MAX_COMBINATIONS, names.join(", "));
                    return Err(Error::TooLarge { cells: size, bound, variables });
                }
                self.grow(atom, &places, &mut vec![])
            }
        }
    }

    fn grow(&mut self, atom: &Atom, places: &[usize], known: &mut Vec<(usize, usize)>) -> Result<(u32, u32)> {
        let Some((place, rest)) = places.split_first() else {
            let level = |variable| known.iter().find(|(v, _)| *v == variable).map_or(0, |(_, level)| *level);
            return Ok(match atom.answer(level) {
                Some(true) => (TRUE, FALSE),
                Some(false) => (FALSE, TRUE),
                None => (FALSE, FALSE),
            });
        };
        let (mut holds, mut fails) = (vec![], vec![]);
        for class in 0..self.levels[*place].len() {
            known.push((self.order[*place].0, self.levels[*place][class]));
            let (h, f) = self.grow(atom, rest, known)?;
            known.pop();
            holds.push(h);
            fails.push(f);
        }
        Ok((self.diagrams.make(*place as u32, holds)?, self.diagrams.make(*place as u32, fails)?))
    }
}

impl Evidence {
    /// The evidence of some parts that must all hold.
    pub fn new(parts: &[Predicate], variables: &[Variable]) -> Result<Evidence> {
        let mut atoms = vec![];
        let resolved: Vec<Resolved> = parts.iter().map(|p| p.resolve(variables, &mut atoms)).collect::<Result<_>>()?;
        let mut tested: Vec<usize> = atoms.iter().flat_map(Atom::variables).collect();
        tested.sort_by(|a, b| variables[*a].name.cmp(&variables[*b].name));
        tested.dedup();
        let mut of_variable: Vec<Vec<&Atom>> = vec![vec![]; variables.len()];
        atoms.iter().for_each(|a| a.variables().into_iter().for_each(|v| of_variable[v].push(a)));
        let order: Vec<(usize, Partition)> = tested
            .into_iter()
            .map(|variable| {
                let levels = variables[variable].len();
                let mut partition = Partition::whole(levels);
                for atom in &of_variable[variable] {
                    partition = partition.refine(&Partition::by_numbers(atom.signature(variable, levels)));
                }
                (variable, partition)
            })
            .collect();
        let levels = order.iter().map(|(_, p)| p.members().iter().map(|m| m[0]).collect()).collect();
        let mut builder = Builder { variables, atoms: &atoms, order: &order, levels, diagrams: Diagrams::default() };
        let mut nodes = vec![];
        for (part, resolved) in resolved.iter().enumerate() {
            let (node, _) = builder.sets(resolved)?;
            if node == FALSE {
                return Err(Error::Impossible { predicates: vec![parts[part].brief()] });
            }
            nodes.push((node, vec![part]));
        }
        let diagrams = std::mem::take(&mut builder.diagrams);
        let mut evidence = Evidence {
            masks: vec![None; variables.len()],
            ties: vec![],
            nobody: false,
            diagrams,
            order,
            canonical: vec![],
            predicate: Predicate::Literal(Some(true)),
        };
        evidence.reduce(nodes)?;
        evidence.write(parts, variables);
        Ok(evidence)
    }

    /// Takes the parts apart into masks and ties.
    fn reduce(&mut self, nodes: Vec<(u32, Vec<usize>)>) -> Result<()> {
        let d = &mut self.diagrams;
        let mut masks: Vec<u32> = vec![TRUE; self.order.len()];
        let mut ties = nodes;
        // Masks reduce the ties, and a tie may leave another mask.
        loop {
            let before = masks.clone();
            let mut left = vec![];
            for (mut node, parts) in ties {
                for at in d.tested(node) {
                    node = d.and(node, masks[at as usize])?;
                }
                node = take_apart(d, node, &mut masks)?;
                if node == FALSE || masks.contains(&FALSE) {
                    self.nobody = true;
                    return Ok(());
                }
                if node != TRUE {
                    left.push((node, parts));
                }
            }
            ties = left;
            if masks == before {
                break;
            }
        }
        // The same set twice is one.
        let mut once: Vec<(u32, Vec<usize>)> = vec![];
        for (node, parts) in ties {
            match once.iter_mut().find(|(known, _)| *known == node) {
                Some((_, known)) => known.extend(parts),
                None => once.push((node, parts)),
            }
        }
        // What follows from the others goes, the widest first.
        let names =
            |d: &Diagrams, node: u32| (std::cmp::Reverse(d.tested(node).len()), d.tested(node), d.below(node).len());
        once.sort_by_cached_key(|(node, _)| names(d, *node));
        let mut at = 0;
        while at < once.len() {
            let (node, _) = once[at];
            let touching = component(d, &once, at);
            let mut others = TRUE;
            for other in touching.into_iter().filter(|o| *o != at) {
                others = d.and(others, once[other].0)?;
            }
            for place in d.tested(node) {
                others = d.and(others, masks[place as usize])?;
            }
            let without = d.not(node)?;
            match d.and(others, without)? == FALSE {
                true => _ = once.remove(at),
                false => at += 1,
            }
        }
        while !once.is_empty() {
            let members = component(d, &once, 0);
            let (mut node, mut parts) = (TRUE, vec![]);
            for member in members.iter().rev() {
                let (other, of) = once.remove(*member);
                node = d.and(node, other)?;
                parts.extend(of);
            }
            for place in d.tested(node) {
                node = d.and(node, masks[place as usize])?;
            }
            node = take_apart(d, node, &mut masks)?;
            if node == FALSE {
                self.nobody = true;
                return Ok(());
            }
            if node != TRUE {
                parts.sort_unstable();
                self.ties.push(Tie { root: node, parts });
            }
        }
        for (place, mask) in masks.iter().enumerate() {
            if let Some(node) = self.diagrams.node(*mask) {
                let classes: Vec<bool> = node.kids.iter().map(|k| *k == TRUE).collect();
                let (variable, partition) = &self.order[place];
                self.masks[*variable] = Some(of_levels(partition, &classes));
            }
        }
        Ok(())
    }

    /// Its canonical bytes and its predicate, by names and labels: what else a pack has makes no difference.
    fn write(&mut self, parts: &[Predicate], variables: &[Variable]) {
        let mut bytes = vec![];
        let mut predicates = vec![];
        for (variable, _) in &self.order {
            if let Some(mask) = &self.masks[*variable] {
                bytes.push(b'M');
                push_text(&mut bytes, &variables[*variable].name);
                push_levels(&mut bytes, &variables[*variable], (0..mask.len()).filter(|l| mask[*l]));
                predicates.push(of_mask(&variables[*variable], mask));
            }
        }
        let mut ties: Vec<(Vec<u8>, Tie)> = vec![];
        for tie in std::mem::take(&mut self.ties) {
            ties.push((self.tie_bytes(&tie, variables), tie));
        }
        ties.sort_by(|a, b| a.0.cmp(&b.0));
        for (tie_bytes, tie) in ties {
            bytes.push(b'T');
            bytes.extend(tie_bytes);
            if self.diagrams.count_paths(tie.root) <= WRITTEN_PATHS {
                let path = |path: &Vec<(u32, Vec<bool>)>| {
                    let tests = path.iter().map(|(place, mask)| {
                        let (variable, partition) = &self.order[*place as usize];
                        of_mask(&variables[*variable], &of_levels(partition, mask))
                    });
                    Predicate::And(tests.collect())
                };
                predicates.push(Predicate::Or(self.diagrams.paths(tie.root).iter().map(path).collect()));
            } else {
                predicates.extend(tie.parts.iter().map(|p| parts[*p].clone()));
            }
            self.ties.push(tie);
        }
        self.canonical = bytes;
        self.predicate = match predicates.len() {
            0 => Predicate::Literal(Some(true)),
            1 => predicates.remove(0),
            _ => Predicate::And(predicates),
        };
    }

    fn tie_bytes(&self, tie: &Tie, variables: &[Variable]) -> Vec<u8> {
        let nodes = self.diagrams.below(tie.root);
        let number = |of: u32| nodes.iter().position(|n| *n == of).map_or(of, |at| at as u32 + 2);
        let mut bytes = vec![];
        for of in &nodes {
            let Some(node) = self.diagrams.node(*of) else { continue };
            let (variable, partition) = &self.order[node.at as usize];
            push_text(&mut bytes, &variables[*variable].name);
            let mut kids: Vec<(u32, Vec<usize>)> = vec![];
            for (level, class) in partition.class_of().iter().enumerate() {
                let kid = node.kids[usize::from(*class)];
                match kids.iter_mut().find(|(known, _)| *known == kid) {
                    Some((_, levels)) => levels.push(level),
                    None => kids.push((kid, vec![level])),
                }
            }
            for (kid, levels) in kids.into_iter().filter(|(kid, _)| *kid != FALSE) {
                bytes.extend(number(kid).to_le_bytes());
                push_levels(&mut bytes, &variables[*variable], levels.into_iter());
            }
            bytes.extend(u32::MAX.to_le_bytes());
        }
        bytes
    }

    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        !self.nobody && self.ties.is_empty() && self.masks.iter().all(Option::is_none)
    }

    /// The same bytes for predicates that mean the same.
    pub fn canonical(&self) -> &[u8] {
        &self.canonical
    }

    /// The predicate in its canonical form.
    pub fn predicate(&self) -> &Predicate {
        &self.predicate
    }

    /// Whether it has ties, so that [`cases`](Self::cases) may do without.
    pub fn has_ties(&self) -> bool {
        !self.ties.is_empty()
    }

    /// The names of the variables that its ties are over.
    pub fn tied(&self, network: &crate::model::network::Network) -> Vec<String> {
        let places = self.ties.iter().flat_map(|t| self.diagrams.tested(t.root));
        places.map(|p| network.variables[self.order[p as usize].0].name.clone()).collect()
    }

    /// Its ties as tables of 0 and 1 over classes of levels; `None` if one has too many combinations.
    pub fn potentials(&self) -> Option<Vec<Potential>> {
        self.ties.iter().map(|t| self.potential(t)).collect()
    }

    fn potential(&self, tie: &Tie) -> Option<Potential> {
        let places = self.diagrams.tested(tie.root);
        let nodes = self.diagrams.below(tie.root);
        let mut merged = vec![];
        for place in &places {
            let own: Vec<_> = nodes.iter().filter_map(|n| self.diagrams.node(*n)).filter(|n| n.at == *place).collect();
            let (_, partition) = &self.order[*place as usize];
            let signature = |class: usize| own.iter().map(|n| n.kids[class]).collect::<Vec<_>>();
            merged.push(Partition::by_signature((0..partition.classes()).map(signature)));
        }
        let axes: Vec<Axis> = places
            .iter()
            .zip(&merged)
            .map(|(place, merged)| {
                let (variable, partition) = &self.order[*place as usize];
                let class_of = partition.class_of().iter().map(|c| merged.class_of()[usize::from(*c)]).collect();
                Axis { variable: *variable, partition: Partition::from_classes(class_of, merged.classes()) }
            })
            .collect();
        let size = cells(&axes);
        if size > u128::from(MAX_COMBINATIONS) {
            return None;
        }
        let classes: Vec<Vec<usize>> = merged.iter().map(|m| m.members().iter().map(|m| m[0]).collect()).collect();
        let mut values = Vec::with_capacity(size as usize);
        let mut digits = vec![0; axes.len()];
        for _ in 0..size {
            let class = |at: u32| places.iter().position(|p| *p == at).map_or(0, |i| classes[i][digits[i]]);
            values.push(f64::from(u8::from(self.diagrams.holds(tie.root, class))));
            for i in (0..digits.len()).rev() {
                digits[i] = (digits[i] + 1) % classes[i].len();
                if digits[i] != 0 {
                    break;
                }
            }
        }
        Some(Potential { axes, values })
    }

    /// Disjoint cases that together are the evidence, each a mask for every variable and no tie; `None` if there are
    /// more than [`MAX_CASES`].
    pub fn cases(&self) -> Option<Vec<Masks>> {
        let counts = self.ties.iter().map(|t| self.diagrams.count_paths(t.root));
        if counts.fold(1, u128::saturating_mul) > MAX_CASES {
            return None;
        }
        let mut cases = vec![self.masks.clone()];
        for tie in &self.ties {
            let paths = self.diagrams.paths(tie.root);
            let with = |case: &Masks, path: &Vec<(u32, Vec<bool>)>| {
                let mut case = case.clone();
                for (place, mask) in path {
                    let (variable, partition) = &self.order[*place as usize];
                    let levels = of_levels(partition, mask);
                    match &mut case[*variable] {
                        Some(known) => known.iter_mut().zip(levels).for_each(|(k, l)| *k &= l),
                        none => *none = Some(levels),
                    }
                }
                case
            };
            cases = cases.iter().flat_map(|c| paths.iter().map(move |p| with(c, p))).collect();
        }
        Some(cases)
    }

    /// At most `count` disjoint cases, one after another, that together are the evidence, each what is left of its ties where the widest of them is
    /// over some classes only of its smallest variable; `None` if a tie has too many combinations.
    pub fn pieces(&self, count: usize) -> Option<impl Iterator<Item = Vec<Potential>>> {
        let Divided { ties, widest, axis, order } = self.divided()?;
        let pieces: Vec<Vec<usize>> = order.chunks(classes_of_piece(&order, count)).map(<[usize]>::to_vec).collect();
        Some(pieces.into_iter().map(move |classes| {
            let of = |at: usize| match at == widest {
                true => within(&ties[at], axis, &classes),
                false => ties[at].clone(),
            };
            (0..ties.len()).map(of).collect()
        }))
    }

    /// Of these counts, those by which [`pieces`](Self::pieces) are not the ones of a count before.
    pub fn different_pieces(&self, counts: &[usize]) -> Vec<usize> {
        let Some(Divided { order, .. }) = self.divided() else { return vec![] };
        let mut counts = counts.to_vec();
        counts.dedup_by_key(|count| classes_of_piece(&order, *count));
        counts
    }

    /// How it is divided into pieces; `None` if a tie has too many combinations, or there is none.
    fn divided(&self) -> Option<Divided> {
        let ties = self.potentials()?;
        let widest = (0..ties.len()).max_by_key(|at| (ties[*at].values.len(), std::cmp::Reverse(*at)))?;
        let axes = &ties[widest].axes;
        let axis = (0..axes.len()).min_by_key(|at| axes[*at].partition.classes())?;
        // Those that go with much of the others, and those with little: of an order, one after another.
        let step = strides(axes)[axis];
        let classes = axes[axis].partition.classes();
        let mut weights = vec![0.0; classes];
        ties[widest].values.iter().enumerate().for_each(|(cell, value)| weights[cell / step % classes] += value);
        let mut order: Vec<usize> = (0..classes).filter(|class| weights[*class] > 0.0).collect();
        order.sort_by(|a, b| weights[*a].total_cmp(&weights[*b]));
        Some(Divided { ties, widest, axis, order })
    }
}

/// The ties of evidence, the widest of them, its smallest axis, and the classes of that which have weight, in the order in which
/// they become pieces.
struct Divided {
    ties: Vec<Potential>,
    widest: usize,
    axis: usize,
    order: Vec<usize>,
}

fn classes_of_piece(order: &[usize], count: usize) -> usize {
    order.len().div_ceil(count.max(1)).max(1)
}

/// A tie where one of its variables is in some classes only; classes that are then alike are one.
fn within(tie: &Potential, axis: usize, classes: &[usize]) -> Potential {
    let mut tie = tie.clone();
    let (step, count) = (strides(&tie.axes)[axis], tie.axes[axis].partition.classes());
    let mut kept = vec![false; count];
    classes.iter().for_each(|class| kept[*class] = true);
    let outside = tie.values.iter_mut().enumerate().filter(|(cell, _)| !kept[cell / step % count]);
    outside.for_each(|(_, value)| *value = 0.0);
    for at in 0..tie.axes.len() {
        let (step, partition) = (strides(&tie.axes)[at], &tie.axes[at].partition);
        let block = step * partition.classes();
        let slice = |class: usize| -> Vec<bool> {
            let of = tie.values.chunks(block).flat_map(|b| &b[class * step..(class + 1) * step]);
            of.map(|value| *value > 0.0).collect()
        };
        let merged = Partition::by_signature((0..partition.classes()).map(slice));
        let first: Vec<usize> = merged.members().iter().map(|members| members[0]).collect();
        let class_of = partition.class_of().iter().map(|class| merged.class_of()[usize::from(*class)]).collect();
        let values = tie.values.chunks(block).flat_map(|b| first.iter().flat_map(|c| &b[c * step..(c + 1) * step]));
        tie.values = values.copied().collect();
        tie.axes[at].partition = Partition::from_classes(class_of, merged.classes());
    }
    tie
}

/// The members of `ties` that hang together with the one at `from`, in order.
fn component(d: &Diagrams, ties: &[(u32, Vec<usize>)], from: usize) -> Vec<usize> {
    let tested: Vec<Vec<u32>> = ties.iter().map(|(node, _)| d.tested(*node)).collect();
    let mut within = vec![false; ties.len()];
    within[from] = true;
    loop {
        let more: Vec<usize> = (0..ties.len())
            .filter(|t| !within[*t])
            .filter(|t| (0..ties.len()).any(|o| within[o] && tested[o].iter().any(|p| tested[*t].contains(p))))
            .collect();
        if more.is_empty() {
            return (0..ties.len()).filter(|t| within[*t]).collect();
        }
        more.into_iter().for_each(|t| within[t] = true);
    }
}

/// Moves what stands apart in a diagram into the masks.
fn take_apart(d: &mut Diagrams, mut node: u32, masks: &mut [u32]) -> Result<u32> {
    for at in d.tested(node) {
        if let Some((mask, rest)) = d.apart(node, at)? {
            let mask = d.make(at, mask.into_iter().map(|m| if m { TRUE } else { FALSE }).collect())?;
            masks[at as usize] = d.and(masks[at as usize], mask)?;
            node = rest;
        }
    }
    Ok(node)
}

fn of_levels(partition: &Partition, classes: &[bool]) -> Vec<bool> {
    partition.class_of().iter().map(|c| classes[usize::from(*c)]).collect()
}

fn push_text(bytes: &mut Vec<u8>, text: &str) {
    bytes.extend((text.len() as u32).to_le_bytes());
    bytes.extend(text.as_bytes());
}

fn push_levels(bytes: &mut Vec<u8>, variable: &Variable, levels: impl Iterator<Item = usize>) {
    let at = bytes.len();
    bytes.extend([0; 4]);
    let mut count = 0u32;
    for level in levels {
        push_text(bytes, &variable.label(level));
        count += 1;
    }
    bytes[at..at + 4].copy_from_slice(&count.to_le_bytes());
}

/// A mask in the shortest SQL: ranges of integers, or the shorter of IN and NOT IN.
pub(crate) fn of_mask(variable: &Variable, mask: &[bool]) -> Predicate {
    let name = || variable.name.clone();
    let null = variable.null_level.map(usize::from);
    let value = |level: usize| match &variable.levels {
        Levels::Integer { min, .. } => Value::Integer(i64::from(*min) + level as i64),
        Levels::Text(_) => Value::Text(variable.label(level)),
    };
    let known: Vec<usize> = (0..mask.len()).filter(|l| Some(*l) != null).collect();
    let (within, without): (Vec<usize>, Vec<usize>) = known.iter().partition(|l| mask[**l]);
    let with_null = null.is_some_and(|n| mask[n]);
    let is_null = |negated| Predicate::IsNull { variable: name(), negated };
    // Runs of consecutive integers; what is NULL lies between none.
    let run = |levels: &[usize]| match (&variable.levels, null, levels.first(), levels.last()) {
        (Levels::Integer { .. }, None, Some(first), Some(last)) if last - first + 1 == levels.len() => {
            Some((*first, *last))
        }
        _ => None,
    };
    let compare = |op, level| Predicate::Compare { variable: name(), op, value: value(level) };
    let between =
        |(low, high), negated| Predicate::Between { variable: name(), low: value(low), high: value(high), negated };
    let tests = match (&within[..], &without[..]) {
        ([], _) => return if with_null { is_null(false) } else { Predicate::Literal(Some(false)) },
        (_, []) if with_null => return Predicate::Literal(Some(true)),
        (_, []) => return is_null(true),
        ([one], _) => compare(Comparison::Eq, *one),
        (within, without) => match (run(within), run(without)) {
            (Some((low, high)), _) if high + 1 == mask.len() => compare(Comparison::GtEq, low),
            (Some((0, high)), _) => compare(Comparison::LtEq, high),
            (Some(range), _) => between(range, false),
            (_, Some((one, other))) if one == other => compare(Comparison::NotEq, one),
            (_, Some(range)) => between(range, true),
            _ => match (within, without) {
                (_, [one]) => compare(Comparison::NotEq, *one),
                _ => {
                    let negated = without.len() < within.len();
                    let levels = if negated { without } else { within };
                    Predicate::In { variable: name(), values: levels.iter().map(|l| value(*l)).collect(), negated }
                }
            },
        },
    };
    if with_null { Predicate::Or(vec![is_null(false), tests]) } else { tests }
}
