//! In which order variables are eliminated, and what that takes: all scopes, before any table is made.

use crate::infer::reduction::{Link, Reduced, Roots, join};
use crate::model::network::Network;
use crate::model::partition::Partition;
use crate::model::potential::{Axis, cells};

/// Plans of more cells and words are compared with others.
const DEAR: u128 = 1 << 19;

/// One elimination.
#[derive(Debug)]
pub(crate) struct Step {
    pub variable: usize,
    /// The potentials that mention it, by their numbers.
    pub inputs: Vec<usize>,
    /// The variables of these, and those that it is linked with.
    pub within: Vec<usize>,
    pub outer: Vec<Axis>,
    /// Its classes; `None` where it is a function of a variable in the scope.
    pub own: Option<Partition>,
    /// Variables that are functions of it, and remain.
    pub inner: Vec<Axis>,
    /// Whether its rows are worked out as they are drawn from: no table of them is made.
    pub as_drawn: bool,
}

/// The bytes that a step takes.
#[derive(Debug, Clone, Copy)]
struct Takes {
    /// The potentials that go into it.
    used: u128,
    message: u128,
    /// Its table, twice, as it is while it is made, and as it stays.
    full: u128,
    stays: u128,
}

/// The eliminations of one case.
pub(crate) struct Order {
    pub steps: Vec<Step>,
    pub cells: u128,
    /// What orders are compared by: the most bytes held at a time, with all tables twice, as they are while they are made.
    pub bytes: u128,
    /// For each step the bytes that are held while it is done, its table twice, and those of the tables before it, which stay.
    pub held: Vec<(u128, u128)>,
    /// Bytes of the tables to draw from, which stay.
    pub kept: u128,
    /// For each step the bytes that are held while it is done, its own table among them and those before it not, as it is done.
    pub held_in_fact: Vec<u128>,
    takes: Vec<Takes>,
    /// The bytes of each potential before the first.
    first: Vec<u128>,
}

pub(crate) fn mentioned(axes: &[Axis], variable: usize) -> bool {
    axes.iter().any(|a| a.variable == variable)
}

impl Order {
    /// The eliminations of all variables but `keep`: by the greedy order of least work, or, where that takes much, by the
    /// best of several greedy orders.
    pub fn new(reduced: &Reduced<'_>, keep: Option<usize>, draw: bool) -> Order {
        let weighs = |order: &Order| order.cells.saturating_add(order.bytes / 8);
        let mut best = Order::greedy(reduced, keep, draw, &|products, _| products as f64);
        if weighs(&best) > DEAR {
            let by: [&dyn Fn(u128, u128) -> f64; 3] = [
                &|_, result| result as f64,
                &|products, result| (products as f64).sqrt() * result as f64,
                &|products, result| products as f64 * (result as f64).sqrt(),
            ];
            for weight in by {
                let order = Order::greedy(reduced, keep, draw, weight);
                if weighs(&order) < weighs(&best) {
                    best = order;
                }
            }
        }
        best
    }

    /// As [`new`](Self::new), but the best by what it takes in fact, where the rows of large tables are worked out as they are
    /// drawn from. For what has no room otherwise.
    pub fn spared(reduced: &Reduced<'_>, draw: bool, large: u128) -> Order {
        let by: [&dyn Fn(u128, u128) -> f64; 4] = [
            &|_, result| result as f64,
            &|products, _| products as f64,
            &|products, result| (products as f64).sqrt() * result as f64,
            &|products, result| products as f64 * (result as f64).sqrt(),
        ];
        let mut orders = by.into_iter().map(|weight| {
            let mut order = Order::greedy(reduced, None, draw, weight);
            if draw {
                order.spare(large, 0);
            }
            order
        });
        let first = orders.next();
        let weighs = |order: &Order| (order.working_in_fact(), order.cells);
        // There are four.
        orders.chain(first).min_by_key(weighs).unwrap_or_else(|| Order::new(reduced, None, draw))
    }

    /// The order in which the variable of least weight, by its products and its result, is eliminated next.
    fn greedy(reduced: &Reduced<'_>, keep: Option<usize>, draw: bool, weight: &dyn Fn(u128, u128) -> f64) -> Order {
        let mut pool: Vec<Option<Vec<Axis>>> = reduced.potentials.iter().map(|(p, _)| Some(p.axes.clone())).collect();
        // What is held at a time, and the most of it; tables to draw from stay.
        let mut held: u128 = reduced.potentials.iter().map(|(p, _)| 8 * p.values.len() as u128).sum();
        let (mut most, mut drawn) = (held, 0u128);
        let mut rest = reduced.relevant.clone();
        let first = reduced.potentials.iter().map(|(p, _)| 8 * p.values.len() as u128).collect();
        let mut order = Order {
            steps: vec![],
            cells: 0,
            bytes: 0,
            held: vec![],
            kept: 0,
            held_in_fact: vec![],
            takes: vec![],
            first,
        };
        let mut known: Vec<Option<(Step, u128)>> = (0..reduced.network.tables.len()).map(|_| None).collect();
        while rest.len() > usize::from(keep.is_some()) {
            // The rows of a table of more levels than atoms are needed whole: its parents wait for it, unless it is kept
            // and none is drawn from it.
            let waits = |v: usize| {
                rest.iter().filter(|c| Some(**c) != keep).any(|c| {
                    reduced.alive[*c].len() > reduced.levels[*c].len()
                        && reduced.parents[*c].iter().any(|p| p.variable == v)
                })
            };
            let mut best: Option<(f64, usize)> = None;
            for at in (0..rest.len()).rev() {
                let v = rest[at];
                if Some(v) == keep || waits(v) {
                    continue;
                }
                let (step, cost) = known[v].get_or_insert_with(|| step(reduced, &pool, &rest, v));
                let cost = weight(*cost, cells(&step.outer).saturating_mul(cells(&step.inner)));
                if best.is_none_or(|(least, _)| cost < least) {
                    best = Some((cost, at));
                }
            }
            let Some((_, at)) = best else { break };
            let v = rest.remove(at);
            let Some((step, cost)) = known[v].take() else { break };
            let size = |axes: &[Axis]| cells(axes).saturating_mul(8);
            let used = step.inputs.iter().filter_map(|i| pool[*i].as_ref()).map(|axes| size(axes)).sum::<u128>();
            step.inputs.iter().for_each(|i| pool[*i] = None);
            step.within.iter().for_each(|w| known[*w] = None);
            let result: Vec<Axis> = step.outer.iter().chain(&step.inner).cloned().collect();
            let rows = cells(&result);
            let (full, stays) = match (&step.own, reduced.alive[v].len()) {
                _ if !draw => (0, 0),
                (None, _) | (_, 1) => (0, 0),
                _ => {
                    let own = step.inputs.iter().any(|i| reduced.potentials.get(*i).is_some_and(|p| p.1 == Some(v)));
                    let classes = step.own.as_ref().map_or(1, Partition::classes) as f64;
                    let entries = if own { reduced.entries[v] } else { classes / cells(&step.inner) as f64 };
                    let twice = rows.saturating_mul(12).saturating_add((rows as f64 * entries * 12.0) as u128);
                    (twice, rows.saturating_mul(8).saturating_add((rows as f64 * entries * 6.0) as u128))
                }
            };
            held = held.saturating_add(size(&result));
            drawn = drawn.saturating_add(full);
            most = most.max(held.saturating_add(drawn));
            order.held.push((held.saturating_add(full), order.kept));
            order.held_in_fact.push(held.saturating_add(full));
            order.kept = order.kept.saturating_add(stays);
            held = held.saturating_sub(used);
            order.cells = order.cells.saturating_add(cost);
            order.takes.push(Takes { used, message: size(&result), full, stays });
            order.steps.push(step);
            pool.push(Some(result));
        }
        order.bytes = most;
        order
    }

    /// The most bytes held at a time, where tables that stay take one part in `less_full` of what is planned.
    pub fn working(&self, less_full: u128) -> u128 {
        let of_steps = self.held.iter().map(|(held, before)| held.saturating_add(before / less_full));
        of_steps.max().unwrap_or_default().max(self.begins())
    }

    /// Says of which steps rows are worked out as they are drawn from: where their table is large and what goes into it is not
    /// larger, or than `beside`. What orders and cases are compared by stays what it was: it decides who is drawn.
    pub fn spare(&mut self, large: u128, beside: u128) {
        let takes = self.steps.iter_mut().zip(&self.takes);
        for (((step, takes), held), (in_full, _)) in takes.zip(&mut self.held_in_fact).zip(&self.held) {
            step.as_drawn = takes.stays >= large.max(1) && takes.used <= takes.stays.max(beside);
            *held = if step.as_drawn { in_full - takes.full } else { *in_full };
        }
    }

    /// The bytes that making the table of a step takes, with the message that comes of it.
    pub fn making(&self, step: usize) -> u64 {
        let takes = &self.takes[step];
        u64::try_from(takes.full.saturating_add(takes.message)).unwrap_or(u64::MAX)
    }

    /// The bytes that stay of each step, as they are done.
    fn stay_in_fact(&self) -> impl Iterator<Item = u128> {
        self.steps.iter().zip(&self.takes).map(|(step, takes)| if step.as_drawn { takes.used } else { takes.stays })
    }

    /// The bytes of what stays to be drawn from.
    pub fn kept_in_fact(&self) -> u128 {
        self.stay_in_fact().fold(0, u128::saturating_add)
    }

    /// The most bytes held at a time, by what is planned to be full.
    pub fn working_in_fact(&self) -> u128 {
        let (mut before, mut most) = (0u128, self.begins());
        for (held, stays) in self.held_in_fact.iter().zip(self.stay_in_fact()) {
            most = most.max(held.saturating_add(before));
            before = before.saturating_add(stays);
        }
        most
    }

    /// The bytes of what it begins with.
    pub fn begins(&self) -> u128 {
        self.first.iter().sum()
    }

    /// The bytes of what goes into the steps of a potential's path, and of what comes back along it.
    pub fn path_bytes(&self, potential: usize) -> u128 {
        let (mut follow, mut bytes) = (potential, 0u128);
        for (at, step) in self.steps.iter().enumerate() {
            if step.inputs.contains(&follow) {
                let each = |at: usize| self.takes.get(at).map_or(0, |takes| takes.message + takes.full);
                let of =
                    |input: &usize| self.first.get(*input).copied().unwrap_or_else(|| each(input - self.first.len()));
                bytes += step.inputs.iter().map(of).sum::<u128>() + each(at);
                follow = self.first.len() + at;
            }
        }
        bytes
    }

    /// The variables of the step that takes most.
    pub fn dearest_scope(&self) -> Vec<usize> {
        let takes = |at: &usize| self.takes[*at].message.saturating_add(self.takes[*at].used);
        let most = (0..self.steps.len()).max_by_key(takes);
        most.map(|at| self.steps[at].within.clone()).unwrap_or_default()
    }

    /// The names of the variables of the steps that cost most.
    pub fn costly(&self, network: &Network) -> String {
        let most = (0..self.steps.len()).max_by_key(|s| self.takes[*s].message.saturating_add(self.takes[*s].full));
        let Some(step) = most.map(|s| &self.steps[s]) else { return String::new() };
        let mut axes: Vec<&Axis> = step.outer.iter().chain(&step.inner).collect();
        axes.sort_by_key(|a| std::cmp::Reverse(a.partition.classes()));
        let others = axes.iter().take(5).map(|a| network.variables[a.variable].name.as_str());
        let own = network.variables[step.variable].name.as_str();
        [own].into_iter().chain(others).collect::<Vec<_>>().join(", ")
    }
}

/// The elimination of a variable from a pool, and how many products it forms.
fn step(reduced: &Reduced<'_>, pool: &[Option<Vec<Axis>>], rest: &[usize], variable: usize) -> (Step, u128) {
    let inputs: Vec<usize> =
        (0..pool.len()).filter(|i| pool[*i].as_ref().is_some_and(|axes| mentioned(axes, variable))).collect();
    let mut within = vec![variable];
    let mut add = |v: usize| {
        if !within.contains(&v) && (v == variable || rest.contains(&v)) {
            within.push(v);
        }
    };
    inputs.iter().filter_map(|i| pool[*i].as_ref()).flatten().for_each(|a| add(a.variable));
    for link in &reduced.links {
        match (link.child == variable, link.parent == variable) {
            (true, _) => add(link.parent),
            (_, true) => add(link.child),
            _ => {}
        }
    }
    if reduced.alive[variable].len() > reduced.levels[variable].len() {
        reduced.parents[variable].iter().filter(|p| reduced.levels[p.variable].len() > 1).for_each(|p| add(p.variable));
    }
    let roots = Roots::new(&within, &reduced.links, variable);
    let mut scope: Vec<Axis> = vec![];
    for axis in inputs.iter().filter_map(|i| pool[*i].as_ref()).flatten() {
        join(&mut scope, &roots.rewrite(axis));
    }
    let finest = |v: usize| Axis { variable: v, partition: Partition::finest(reduced.levels[v].len()) };
    let mut inner = vec![];
    for v in within.iter().copied().filter(|v| *v != variable) {
        if let Some((root, _)) = roots.of(v)
            && root == variable
        {
            join(&mut scope, &roots.rewrite(&finest(v)));
            inner.push(finest(v));
        }
    }
    for (one, other) in agreements(&roots, variable) {
        for link in [one, other] {
            let partition = Partition::from_classes(link.map.clone(), reduced.levels[link.parent].len());
            join(&mut scope, &Axis { variable: link.child, partition });
        }
    }
    let own = match roots.of(variable) {
        Some(_) => None,
        None => Some(
            scope
                .iter()
                .find(|a| a.variable == variable)
                .map_or_else(|| Partition::whole(reduced.levels[variable].len()), |a| a.partition.clone()),
        ),
    };
    scope.retain(|a| a.variable != variable && a.partition.classes() > 1);
    let mut cost = cells(&scope).saturating_mul(own.as_ref().map_or(1, Partition::classes) as u128);
    if own.is_some() && inputs.iter().any(|i| reduced.potentials.get(*i).is_some_and(|p| p.1 == Some(variable))) {
        // Only the levels that a row of its own table has are visited.
        cost = (cost as f64 * reduced.density[variable]).ceil() as u128;
    }
    (Step { variable, inputs, within, outer: scope, own, inner, as_drawn: false }, cost)
}

/// The agreements that an elimination has to see to: those that end with it.
pub(crate) fn agreements<'a>(roots: &Roots<'a>, variable: usize) -> Vec<(&'a Link, &'a Link)> {
    let concerns = |(one, other): &&(&'a Link, &'a Link)| {
        one.parent == variable || one.child == variable || other.child == variable
    };
    roots.agreements.iter().filter(concerns).copied().collect()
}
