//! Exact inference: P(evidence) and the posterior tables, by variable elimination in any order.
//!
//! Eliminating a variable leaves a table of it over variables that are eliminated later: drawing in the reverse order from
//! these tables draws from the posterior, row by row, at the same cost however rare the evidence is. The order is the
//! greedy one of least work. (Koller and Friedman, Probabilistic Graphical Models, 2009, chapter 9; forward sampling from
//! the posterior, 12.1.) All scopes are worked out before any table is, so that what it takes is known before it is taken.

use std::sync::Arc;

use rayon::prelude::*;

use crate::error::{Error, Result};
use crate::infer::contradiction::contradiction;
use crate::infer::eliminated::{Eliminated, Wanted, eliminate, size, wants_rows};
use crate::infer::evidence::Evidence;
use crate::infer::order::Order;
use crate::infer::predicate::Predicate;
use crate::infer::prepared::{Asked, PIECES, Plan, Prepared, Unmade, prepare, prepare_in, rule_out};
use crate::infer::product::{LINE, LINE_WITH_ROWS, Product};
use crate::infer::reduction::Reduced;
use crate::infer::weighed::Weighed;
use crate::interrupt::{self, Interrupt};
use crate::model::network::{Network, Table};
use crate::model::potential::Potential;

/// The most cells that one marginal may have (8 bytes each while it is made).
pub(crate) const MAX_CELLS: u64 = 1 << 26;

/// The most bytes that the plan of an exact answer may take.
pub(crate) const MAX_BYTES: u64 = 256 << 20;

/// Which tables are not made. Few rows of a table are drawn from, unless many people are drawn.
const UNMADE: Unmade = Unmade { planned: 1 << 20, worked: 1 << 14 };

/// What evidence makes of a network: one posterior for each disjoint case of it.
#[derive(Debug)]
pub(crate) struct Posterior {
    pub probability: f64,
    pub cases: Vec<Case>,
    pub plan: Plan,
}

/// The posterior of one case.
#[derive(Debug)]
pub(crate) struct Case {
    /// The natural logarithm of its probability.
    pub log_probability: f64,
    /// The table of each variable given those before it in the order; `None` where the prior's holds unchanged, or
    pub tables: Vec<Option<Table>>,
    /// where its rows are worked out by this as they are drawn from.
    pub weighed: Vec<Option<Weighed>>,
    /// The variables in the order in which they can be drawn.
    pub order: Vec<usize>,
    held: Held,
}

/// The bytes that a case took.
#[derive(Debug, Clone, Copy, Default)]
struct Held {
    /// At most at a time.
    most: u128,
    /// To draw from.
    kept: u64,
    /// What all its tables would take: what is kept, where none is left out.
    made: u64,
}

/// What is left of a case when the variables of an order have been eliminated.
pub(super) struct Left {
    /// Over the variables that the order keeps; none is over others.
    pub pool: Vec<Potential>,
    /// The natural logarithm of what the potentials were divided by.
    pub log: f64,
    tables: Vec<Option<Table>>,
    weighed: Vec<Option<Weighed>>,
    held: Held,
    /// The products that a potential went into, from its own on, and its place or its message's among their inputs.
    pub path: Vec<(Product, usize)>,
}

/// Eliminates the variables of an order; `None` where nothing has weight. `follow` is a potential whose path is kept.
pub(super) fn eliminate_all(
    reduced: &mut Reduced<'_>,
    order: &Order,
    wanted: Wanted,
    follow: Option<usize>,
) -> Result<Option<Left>> {
    let (mut follow, mut path) = (follow, vec![]);
    let (mut pool, mut tables_of): (Vec<Option<Potential>>, Vec<Option<usize>>) = (vec![], vec![]);
    for (potential, of) in std::mem::take(&mut reduced.potentials) {
        pool.push(Some(Arc::unwrap_or_clone(potential)));
        tables_of.push(of);
    }
    let mut tables: Vec<Option<Table>> = (0..reduced.network.tables.len()).map(|_| None).collect();
    let mut weighed: Vec<Option<Weighed>> = tables.iter().map(|_| None).collect();
    // What is held in fact, and what would be if all tables were made.
    let (mut log, mut most, mut kept, mut made) = (0.0, 0u128, 0u64, 0u64);
    let held = order.held_in_fact.iter().zip(&order.held);
    for (at_step, (step, (in_fact, (in_full, _)))) in order.steps.iter().zip(held).enumerate() {
        interrupt::check()?;
        most = most.max(in_fact.saturating_add(u128::from(kept)));
        let needed = in_full.saturating_add(u128::from(made));
        if let Wanted::Shared(bound) = wanted
            && needed > u128::from(bound)
        {
            return Err(Error::TooMuchMemory { bytes: needed, bound, variables: order.costly(reduced.network) });
        }
        let own = step.inputs.iter().position(|i| tables_of.get(*i).copied().flatten() == Some(step.variable));
        let mut inputs: Vec<Potential> = step.inputs.iter().filter_map(|i| pool[*i].take()).collect();
        if inputs.is_empty() {
            inputs.push(Potential { axes: vec![], values: vec![1.0] });
        }
        let line = if wants_rows(reduced, step, wanted) { LINE_WITH_ROWS } else { LINE };
        let product = Product::new(reduced, step, inputs, own, line);
        let Eliminated { mut message, table, would_take } = eliminate(reduced, step, &product, own, wanted)?;
        if let Some(at) = follow.and_then(|f| step.inputs.iter().position(|input| *input == f)) {
            follow = Some(pool.len());
            path.push((product, at));
        } else if step.as_drawn && wanted != Wanted::Nothing {
            let rows = Weighed::new(reduced, step, product, own, order.making(at_step));
            kept = kept.saturating_add(rows.size());
            weighed[step.variable] = Some(rows);
        }
        // Messages are scaled, so that no product of many small numbers becomes none at all.
        let largest = largest(&message.values);
        if largest > 0.0 && !(1e-30..1e30).contains(&largest) {
            message.values.iter_mut().for_each(|x| *x /= largest);
            log += largest.ln();
        }
        let table_size = table.as_ref().map_or(0, size);
        kept = kept.saturating_add(table_size);
        made = made.saturating_add(table_size).saturating_add(would_take);
        tables[step.variable] = table;
        pool.push(Some(message));
        if largest <= 0.0 {
            return Ok(None);
        }
    }
    let held = Held { most, kept, made };
    Ok(Some(Left { pool: pool.into_iter().flatten().collect(), log, tables, weighed, held, path }))
}

/// The largest of some weights; many are compared at once.
fn largest(values: &[f64]) -> f64 {
    let mut lanes = [0.0f64; 16];
    let chunks = values.chunks_exact(lanes.len());
    let rest = chunks.remainder().iter().copied().fold(0.0, f64::max);
    for chunk in chunks {
        lanes.iter_mut().zip(chunk).for_each(|(most, x)| *most = if *x > *most { *x } else { *most });
    }
    lanes.into_iter().fold(rest, f64::max)
}

/// The posterior of one case, or only its probability; `None` where it has none.
fn run(mut reduced: Reduced<'_>, order: &Order, wanted: Wanted) -> Result<Option<Case>> {
    let count = reduced.network.tables.len();
    let Some(Left { pool, log, tables, weighed, held, .. }) = eliminate_all(&mut reduced, order, wanted, None)? else {
        return Ok(None);
    };
    // Nothing is left but numbers.
    let log = log + pool.iter().map(|p| p.values.iter().product::<f64>().ln()).sum::<f64>();
    let drawn: Vec<usize> = order.steps.iter().rev().map(|s| s.variable).collect();
    let others = (0..count).filter(|v| !drawn.contains(v));
    let order = drawn.iter().copied().chain(others).collect();
    Ok((log > f64::NEG_INFINITY).then_some(Case { log_probability: log, tables, weighed, order, held }))
}

fn posterior(network: &Network, evidence: &Evidence, asked: Asked<'_>, bound: u64) -> Result<Posterior> {
    let mut prepared = prepare(network, evidence, asked, bound)?;
    let (planned, tight) = (prepared.plan.bytes, prepared.tight);
    let mut pieces = if tight { evidence.different_pieces(&PIECES) } else { vec![] }.into_iter();
    loop {
        // What has no room after all may have it in pieces.
        let refused = match work(asked, prepared, bound) {
            Err(Error::TooMuchMemory { bytes, variables, .. }) => {
                Error::TooMuchMemory { bytes: bytes.max(u128::from(planned)), bound, variables }
            }
            done => return done,
        };
        let next = |least| prepare_in(network, evidence, asked, bound, least).ok();
        if let Some(next) = pieces.next().and_then(next) {
            prepared = next;
            continue;
        }
        // What had room for all tables in no division has it where they are not made.
        prepared = prepare_in(network, evidence, asked, bound, 1)?;
        if prepared.plan.bytes > bound {
            return Err(refused);
        }
        prepared.tight = false;
        return work(asked, prepared, bound);
    }
}

/// Works out all cases: side by side as long as there is room for that; one after another where it only turns out as they
/// are worked out whether there is room at all.
fn work(asked: Asked<'_>, prepared: Prepared<'_>, bound: u64) -> Result<Posterior> {
    let Prepared { cases, mut plan, tight } = prepared;
    let mut done = vec![];
    if tight {
        let mut begun: u128 = cases.iter().map(|(_, order)| order.begins()).sum();
        let (mut kept, mut made, mut most) = (0u64, 0u64, 0u128);
        for (reduced, order) in cases {
            begun -= order.begins();
            // How much room what is there beside it leaves. Whether there is room for all tables decides in which cases
            // people are drawn, and so who is, whether all are made or not.
            let beside = begun.saturating_add(u128::from(made));
            let wanted = match asked.draw {
                true => Wanted::Shared(u128::from(bound).saturating_sub(beside) as u64),
                false => Wanted::Nothing,
            };
            let Some(case) = run(reduced, &order, wanted)? else {
                continue;
            };
            most = most.max(begun.saturating_add(u128::from(kept)).saturating_add(case.held.most));
            kept = kept.saturating_add(case.held.kept);
            made = made.saturating_add(case.held.made);
            done.push(case);
        }
        plan.bytes = (most as u64).min(bound);
    } else {
        let wanted = if asked.draw { Wanted::Tables } else { Wanted::Nothing };
        let interrupt = Interrupt::of_part();
        for (cases, bytes) in side_by_side(cases, bound) {
            plan.bytes = plan.bytes.max(bytes);
            let cases = cases.into_par_iter().map(|(reduced, order)| interrupt.within(|| run(reduced, &order, wanted)));
            done.extend(cases.collect::<Result<Vec<_>>>()?.into_iter().flatten());
        }
    }
    // Not `sum`, which makes nothing of nobody, with a sign.
    let probability = done.iter().fold(0.0, |sum, c| sum + c.log_probability.exp()).min(1.0);
    Ok(Posterior { probability, cases: done, plan })
}

/// The cases in groups that there is room to work out at a time, one group after another; the bytes that are held meanwhile,
/// and 0 of a case by itself, for which there is room as planned.
fn side_by_side<'a>(cases: Vec<(Reduced<'a>, Order)>, bound: u64) -> Vec<(Vec<(Reduced<'a>, Order)>, u64)> {
    let mut after: u128 = cases.iter().map(|(_, order)| order.begins()).sum();
    let (mut before, mut working) = (0u128, 0u128);
    let mut groups: Vec<(Vec<(Reduced<'a>, Order)>, u64)> = vec![];
    for (reduced, order) in cases {
        after -= order.begins();
        let takes = order.working_in_fact();
        let together = before.saturating_add(working).saturating_add(takes).saturating_add(after);
        match groups.last_mut().filter(|_| together <= u128::from(bound)) {
            Some((group, bytes)) => {
                group.push((reduced, order));
                *bytes = together as u64;
                working += takes;
            }
            None => {
                let stays = groups.last().map_or(0, |(group, _)| {
                    group.iter().map(|(_, order)| order.kept_in_fact()).fold(0, u128::saturating_add)
                });
                before = before.saturating_add(stays);
                working = takes;
                groups.push((vec![(reduced, order)], 0));
            }
        }
    }
    groups
}

/// P(predicate), and 0 where nobody satisfies it; no tables are made.
pub(crate) fn probability(network: &Network, given: &Predicate) -> Result<f64> {
    let evidence = match Evidence::new(&given.conjuncts(), &network.variables) {
        Err(Error::Impossible { .. }) => return Ok(0.0),
        evidence => evidence?,
    };
    if evidence.is_empty() {
        return Ok(1.0);
    }
    Ok(posterior(network, &evidence, Asked::default(), MAX_BYTES)?.probability)
}

/// P(evidence) and the tables to draw from. Impossible evidence is an error that names the parts that contradict.
pub(crate) fn condition(network: &Network, given: &Predicate) -> Result<(Evidence, Posterior)> {
    condition_within(network, given, MAX_BYTES, UNMADE)
}

/// As [`condition`], in so many bytes at most.
pub(crate) fn condition_within(
    network: &Network,
    given: &Predicate,
    bound: u64,
    unmade: Unmade,
) -> Result<(Evidence, Posterior)> {
    let parts = given.conjuncts();
    let evidence = Evidence::new(&parts, &network.variables)?;
    let posterior = posterior(network, &evidence, Asked { factors: &[], draw: !evidence.is_empty(), unmade }, bound)?;
    if posterior.cases.is_empty() {
        return Err(contradiction(network, parts));
    }
    Ok((evidence, posterior))
}

/// Whether nobody satisfies the evidence.
pub(super) fn is_empty(network: &Network, evidence: &Evidence) -> Result<bool> {
    Ok(posterior(network, evidence, Asked::default(), MAX_BYTES)?.cases.is_empty())
}

/// The tables to draw from under evidence and weights of some variables together, its probability by these weights.
pub(super) fn tilted(network: &Network, evidence: &Evidence, factors: &[Potential]) -> Result<Posterior> {
    posterior(network, evidence, Asked { factors, draw: true, unmade: UNMADE }, MAX_BYTES)
}

/// The posterior of all variables under weights of some of them together; `None` where nobody is left.
pub(crate) fn weighed(network: &Network, ties: &[Potential]) -> Result<Option<Case>> {
    let mut masks = vec![None; network.variables.len()];
    rule_out(&mut masks, ties);
    let Some(reduced) = Reduced::new(network, &masks, ties) else { return Ok(None) };
    let order = Order::new(&reduced, None, true);
    if order.bytes > u128::from(MAX_BYTES) {
        let variables = order.costly(network);
        return Err(Error::TooMuchMemory { bytes: order.bytes, bound: MAX_BYTES, variables });
    }
    run(reduced, &order, Wanted::Tables)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::infer::predicate::Comparison;
    use crate::infer::prepared::separated;
    use crate::model::network::{Rows, UNREACHABLE, quantise};
    use crate::model::partition::Partition;
    use crate::model::potential::{Axis, cells};
    use crate::model::variable::{Levels, Variable};

    /// Two that are compared, each by two others; levels of these that are alike make rows that are.
    fn network() -> Network {
        let sizes = [10, 10, 7, 9];
        let names = ["first", "second", "left", "right"];
        let mut network = Network { variables: vec![], tables: vec![] };
        for (v, levels) in sizes.into_iter().enumerate() {
            let of = if v == 1 { 0..1 } else { 0..v.min(2) };
            let parents: Vec<Axis> = of.map(|p| Axis { variable: p, partition: Partition::finest(sizes[p]) }).collect();
            let mut thresholds = vec![];
            for config in 0..cells(&parents) as usize {
                let alike = config / 30 + config % 10 / 3;
                let weights: Vec<f64> = (0..levels).map(|level| ((level * 5 + alike * 3 + v) % 7) as f64).collect();
                quantise(&weights, &mut thresholds);
            }
            let levels = Levels::Integer { min: 0, max: levels as i32 - 1 };
            network.variables.push(Variable::new(names[v].into(), String::new(), levels, false, None));
            let width = sizes[v];
            network.tables.push(Table { parents, rows: Rows::Dense { width, thresholds }, compact: None });
        }
        network
    }

    /// P(level | levels of those before it).
    fn share(table: &Table, known: &[usize], level: usize) -> f64 {
        let config = table.parents.iter().fold(0, |config, axis| {
            config * axis.partition.classes() + usize::from(axis.partition.class_of()[known[axis.variable]])
        });
        let row = table.compact.as_ref().map_or(config as u32, |rows| rows[config]);
        let mut share = 0.0;
        if row != UNREACHABLE {
            table.rows.each(row as usize, |l, p| share += if l == level { p } else { 0.0 });
        }
        share
    }

    /// The probability of each joint configuration.
    fn joint(network: &Network, posterior: &Posterior) -> Vec<f64> {
        let sizes: Vec<usize> = network.variables.iter().map(Variable::len).collect();
        let configurations = sizes.iter().product();
        let levels = |mut at: usize| {
            let mut levels = vec![0; sizes.len()];
            for v in (0..sizes.len()).rev() {
                (levels[v], at) = (at % sizes[v], at / sizes[v]);
            }
            levels
        };
        let of_case = |case: &Case, known: &[usize]| {
            let table = |v: usize| case.tables[v].as_ref().unwrap_or(&network.tables[v]);
            case.order.iter().map(|v| share(table(*v), known, known[*v])).product::<f64>() * case.log_probability.exp()
        };
        (0..configurations).map(|at| posterior.cases.iter().map(|case| of_case(case, &levels(at))).sum()).collect()
    }

    /// A comparison of two variables in less memory than its tables were planned to take is answered all the same: by the
    /// same tables.
    #[test]
    fn what_has_no_room_by_its_plan_may_have_some() {
        let network = network();
        for op in [Comparison::Lt, Comparison::NotEq, Comparison::Eq] {
            let given = Predicate::CompareVariables { left: "left".into(), op, right: "right".into() };
            let evidence = Evidence::new(&given.conjuncts(), &network.variables).unwrap();
            let unmade = Unmade { planned: UNMADE.planned, worked: UNMADE.planned };
            let asked = Asked { factors: &[], draw: true, unmade };
            let prepared = prepare(&network, &evidence, asked, MAX_BYTES).unwrap();
            // What it took to be accepted when all tables were planned to be held twice, and of all cases at once.
            let planned = prepared.cases.iter().map(|(_, order)| order.bytes).sum::<u128>() as u64;
            let (_, whole) = condition_within(&network, &given, MAX_BYTES, unmade).unwrap();
            assert!(whole.plan.bytes <= planned);
            let expected: Vec<f64> = joint(&network, &whole);
            let prior = Posterior {
                probability: 1.0,
                cases: vec![Case {
                    log_probability: 0.0,
                    tables: network.tables.iter().map(|_| None).collect(),
                    weighed: vec![],
                    order: (0..4).collect(),
                    held: Held::default(),
                }],
                plan: Plan::default(),
            };
            for (at, (p, prior)) in expected.iter().zip(joint(&network, &prior)).enumerate() {
                let holds = op.holds((at / 9 % 7).cmp(&(at % 9)));
                assert!((p - if holds { prior } else { 0.0 }).abs() < 1e-8, "{op:?}, {at}: {p} of {prior}");
            }
            let (mut in_cases, mut least) = (0, planned);
            for part in 2..100 {
                let bound = planned * (100 - part) / 100;
                match condition_within(&network, &given, bound, unmade) {
                    Ok((_, posterior)) => {
                        assert!(posterior.plan.bytes <= bound);
                        in_cases = posterior.cases.len().max(in_cases);
                        least = bound;
                        for (p, e) in joint(&network, &posterior).iter().zip(&expected) {
                            assert!((p - e).abs() < 1e-8, "{op:?}: {p}, not {e}");
                        }
                        if posterior.cases.len() == whole.cases.len() {
                            assert_eq!(joint(&network, &posterior), expected);
                        }
                    }
                    Err(Error::TooMuchMemory { bytes, bound: told, .. }) => {
                        assert!(told == bound && bytes > u128::from(bound), "{bytes} in {bound}");
                    }
                    Err(e) => panic!("{e}"),
                }
            }
            // In pieces of the tie too.
            for least in PIECES {
                let prepared = prepare_in(&network, &evidence, asked, MAX_BYTES, least).unwrap();
                assert!(prepared.cases.len() > 1 && prepared.cases.len() <= least);
                let pieces = work(asked, prepared, MAX_BYTES).unwrap();
                for (p, e) in joint(&network, &pieces).iter().zip(&expected) {
                    assert!((p - e).abs() < 1e-8, "{op:?} in {least}: {p}, not {e}");
                }
            }
            // And in cases of another variable that separates them.
            let ties = evidence.potentials().unwrap();
            let whole = separated(&network, &evidence, &ties, asked, MAX_BYTES).unwrap();
            assert_eq!(whole.cases.len(), 1);
            let bound = (1..100).map(|part| whole.plan.bytes * (100 - part) / 100);
            let apart = bound.filter_map(|bound| separated(&network, &evidence, &ties, asked, bound)).next().unwrap();
            assert!(apart.cases.len() > 1 && apart.plan.bytes < whole.plan.bytes);
            for prepared in [whole, apart] {
                let apart = work(asked, prepared, MAX_BYTES).unwrap();
                for (p, e) in joint(&network, &apart).iter().zip(&expected) {
                    assert!((p - e).abs() < 1e-8, "{op:?} separated: {p}, not {e}");
                }
            }
            assert!(least < planned * 3 / 4, "{op:?}: {least} of {planned}");
            assert!(in_cases > 1, "{op:?}");
        }
    }
}
