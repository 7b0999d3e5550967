//! The form in which evidence is worked out: as a whole, in disjoint cases, or in pieces, whichever takes less; and what that
//! takes, before it is taken.

use rayon::prelude::*;

use crate::error::{Error, Result};
use crate::infer::evidence::{Evidence, Masks};
use crate::infer::order::Order;
use crate::infer::reduction::{Reduced, Tables};
use crate::interrupt;
use crate::model::network::Network;
use crate::model::potential::Potential;

/// What has no room by its plan is begun where a table of this part of the planned size would have: tables turn out less full
/// than planned, and rows that are alike are then held once.
const LESS_FULL: u128 = 3;

/// How many pieces a tie is split into that has no room as a whole: the first that have.
pub(super) const PIECES: [usize; 3] = [3, 9, 27];

/// A tie whose elimination takes so few cells is not split into cases.
const SMALL: u128 = 1 << 20;

/// What has room in no other way is split by the levels of a variable of at most so many.
const SEPARATED: usize = 64;

/// What an exact answer takes, as it is known before the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Plan {
    /// The most bytes of tables and messages held at a time, by an estimate of how full the tables will be; where the
    /// estimate is beyond the bound and they turn out to be within it, as they turned out.
    pub bytes: u64,
    /// Products that are formed.
    pub cells: u64,
    /// Disjoint cases that the evidence is split into; 1 where it is not, 0 where nobody can satisfy it.
    pub cases: usize,
}

/// What goes into a table that is not made may take so many bytes, though the table would take less, where all cases together
/// take no more than one part in `PLENTY` of the bound.
const BESIDE: u128 = 8 << 20;
const PLENTY: u128 = 4;

/// What is asked of a network beside the evidence.
#[derive(Clone, Copy, Default)]
pub(super) struct Asked<'a> {
    /// Weights of some variables together.
    pub factors: &'a [Potential],
    /// Whether people are to be drawn.
    pub draw: bool,
    pub unmade: Unmade,
}

/// Tables of so many bytes are not made where what goes into them is less: their rows are worked out as they are drawn from.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Unmade {
    /// As it is planned what there is room for, which decides in which cases people are drawn, and so who is.
    pub planned: u128,
    /// Once that is decided: nobody sees it in the people.
    pub worked: u128,
}

/// Evidence in the form in which it is worked out: as ties or as cases, whichever takes less.
pub(super) struct Prepared<'a> {
    pub cases: Vec<(Reduced<'a>, Order)>,
    pub plan: Plan,
    /// Whether there is room only if tables turn out less full than planned.
    pub tight: bool,
}

/// The most bytes held at a time where cases are worked out one after another: what stays of those before it, what one takes
/// itself, and what those after it begin with. `of` says what a case takes and what stays of it.
fn peak(cases: &[(Reduced<'_>, Order)], of: impl Fn(&Order) -> (u128, u128)) -> u128 {
    let (mut before, mut most) = (0u128, 0u128);
    let mut after: u128 = cases.iter().map(|(_, order)| order.begins()).sum();
    for (_, order) in cases {
        after -= order.begins();
        let (takes, stays) = of(order);
        most = most.max(takes.saturating_add(before).saturating_add(after));
        before = before.saturating_add(stays);
    }
    most
}

/// As [`Order::spare`], of all cases; the most bytes that are then held at a time.
fn spare(cases: &mut [(Reduced<'_>, Order)], large: u128, beside: u128) -> u128 {
    cases.iter_mut().for_each(|(_, order)| order.spare(large, beside));
    peak(cases, |order| (order.working_in_fact(), order.kept_in_fact()))
}

/// Leaves tables of so many bytes unmade, and those that take less than what goes into them too, as long as there is plenty of
/// room for that; the most bytes that are then held at a time.
fn leave_unmade(cases: &mut [(Reduced<'_>, Order)], large: u128, bound: u64) -> u128 {
    match spare(cases, large, BESIDE) {
        bytes if bytes <= u128::from(bound) / PLENTY => bytes,
        _ => spare(cases, large, 0),
    }
}

/// What a case takes where all its tables are made, as one part in `less_full` of what is planned, and what stays of it.
fn made(less_full: u128) -> impl Fn(&Order) -> (u128, u128) {
    move |order| (order.working(less_full), order.kept / less_full)
}

fn products(cases: &[(Reduced<'_>, Order)]) -> u128 {
    cases.iter().map(|(_, order)| order.cells).fold(0, u128::saturating_add)
}

fn too_much_memory(network: &Network, bytes: u128, bound: u64, cases: &[(Reduced<'_>, Order)]) -> Error {
    let most = cases.iter().max_by_key(|(_, order)| order.bytes);
    let variables = most.map(|(_, order)| order.costly(network)).unwrap_or_default();
    Error::TooMuchMemory { bytes, bound, variables }
}

/// `bound` is the most bytes that it may take.
pub(super) fn prepare<'a>(
    network: &'a Network,
    evidence: &Evidence,
    asked: Asked<'_>,
    bound: u64,
) -> Result<Prepared<'a>> {
    prepare_in(network, evidence, asked, bound, 1)
}

/// In no fewer pieces than these; 1 is as a whole.
pub(super) fn prepare_in<'a>(
    network: &'a Network,
    evidence: &Evidence,
    asked: Asked<'_>,
    bound: u64,
    least: usize,
) -> Result<Prepared<'a>> {
    let tables = Tables::default();
    let with = |masks: &Masks, ties: &[Potential]| {
        let mut masks = masks.clone();
        rule_out(&mut masks, asked.factors);
        let ties: Vec<Potential> = ties.iter().chain(asked.factors).cloned().collect();
        Reduced::among(network, &masks, &ties, &tables).map(|reduced| {
            let order = Order::new(&reduced, None, asked.draw);
            (reduced, order)
        })
    };
    if evidence.nobody {
        return Ok(Prepared { cases: vec![], plan: Plan::default(), tight: false });
    }
    let mut prepared: Option<Vec<(Reduced<'a>, Order)>> = None;
    if least == 1
        && let Some(ties) = evidence.potentials()
    {
        prepared = Some(with(&evidence.masks, &ties).into_iter().collect());
    }
    let room = |cases: &[(Reduced<'_>, Order)]| peak(cases, made(LESS_FULL)) <= u128::from(bound);
    let dear = prepared.as_ref().is_none_or(|p| products(p) > SMALL || !room(p));
    interrupt::check()?;
    if least == 1
        && dear
        && evidence.has_ties()
        && let Some(cases) = evidence.cases()
    {
        let cases: Vec<(Reduced<'a>, Order)> = cases.par_iter().filter_map(|masks| with(masks, &[])).collect();
        // What takes fewer products; but what has no room is none.
        let better = |known: &Vec<(Reduced<'_>, Order)>| match (room(known), room(&cases)) {
            (true, false) => false,
            (false, true) => true,
            _ => products(&cases) < products(known),
        };
        if prepared.as_ref().is_none_or(better) {
            prepared = Some(cases);
        }
    }
    for count in PIECES.into_iter().filter(|count| *count >= least) {
        if prepared.as_ref().is_some_and(|p| room(p)) {
            break;
        }
        // Nothing that has room is known: fewer classes of one variable at a time.
        let Some(pieces) = evidence.pieces(count) else { break };
        let (mut cases, mut begun): (Vec<(Reduced<'a>, Order)>, u128) = (vec![], 0);
        for ties in pieces {
            interrupt::check()?;
            let mut masks = evidence.masks.clone();
            rule_out(&mut masks, &ties);
            cases.extend(with(&masks, &ties));
            begun = cases.iter().map(|(_, order)| order.begins()).sum();
            if begun > u128::from(bound) {
                break;
            }
        }
        if begun <= u128::from(bound) && room(&cases) {
            prepared = Some(cases);
        }
    }
    let Some(mut cases) = prepared else {
        let variables = evidence.tied(network).join(", ");
        let bound = crate::infer::resolve::MAX_COMBINATIONS;
        return Err(Error::TooLarge { cells: u128::from(bound) + 1, bound, variables });
    };
    let (mut bytes, has_room) = (peak(&cases, made(1)), room(&cases));
    let tight = has_room && bytes > u128::from(bound);
    if asked.draw {
        bytes = spare(&mut cases, asked.unmade.planned, 0);
    }
    if !has_room && bytes > u128::from(bound) {
        let refused = too_much_memory(network, bytes, bound, &cases);
        drop(cases);
        let apart = evidence
            .potentials()
            .filter(|_| least == 1)
            .and_then(|ties| separated(network, evidence, &ties, asked, bound));
        return apart.ok_or(refused);
    }
    let cells = u64::try_from(products(&cases)).unwrap_or(u64::MAX);
    let plan = Plan { bytes: u64::try_from(bytes).unwrap_or(u64::MAX), cells, cases: cases.len() };
    Ok(decided(Prepared { plan, tight, cases }, asked, bound))
}

/// What cases take in fact, and how many products they form.
fn in_fact(cases: Vec<(Reduced<'_>, Order)>) -> Prepared<'_> {
    let bytes = peak(&cases, |order| (order.working_in_fact(), order.kept_in_fact()));
    let [bytes, cells] = [bytes, products(&cases)].map(|x| u64::try_from(x).unwrap_or(u64::MAX));
    Prepared { plan: Plan { bytes, cells, cases: cases.len() }, cases, tight: false }
}

/// Once it is decided that it is worked out so: more tables are left unmade.
fn decided<'a>(mut prepared: Prepared<'a>, asked: Asked<'_>, bound: u64) -> Prepared<'a> {
    if asked.draw {
        let bytes = leave_unmade(&mut prepared.cases, asked.unmade.worked, bound);
        prepared.plan.bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
    }
    prepared
}

/// What has room in no other way: by the order that takes least in fact; if need be in cases, each one level of a variable of
/// few that separates much of the others, as the state separates what is told of its districts. (Cutset conditioning; Pearl,
/// Probabilistic Reasoning in Intelligent Systems, 1988, 4.4.2.)
pub(super) fn separated<'a>(
    network: &'a Network,
    evidence: &Evidence,
    ties: &[Potential],
    asked: Asked<'_>,
    bound: u64,
) -> Option<Prepared<'a>> {
    let mut masks = evidence.masks.clone();
    rule_out(&mut masks, asked.factors);
    let ties: Vec<Potential> = ties.iter().chain(asked.factors).cloned().collect();
    let tables = Tables::default();
    let with = |masks: &Masks| {
        let reduced = Reduced::among(network, masks, &ties, &tables)?;
        let order = Order::spared(&reduced, asked.draw, asked.unmade.planned);
        Some((reduced, order))
    };
    let whole = with(&masks)?;
    let by = separators(&whole.0, &whole.1);
    let prepared = in_fact(vec![whole]);
    if prepared.plan.bytes <= bound {
        return Some(decided(prepared, asked, bound));
    }
    drop(prepared);
    let at = |variable: usize, level: u16| {
        let mut masks = masks.clone();
        let levels = network.variables[variable].len();
        masks[variable] = Some((0..levels).map(|l| l == usize::from(level)).collect());
        with(&masks)
    };
    // The variable of which one level leaves least.
    let mut best: Option<(u128, usize, Vec<u16>)> = None;
    for (variable, levels) in by {
        let Some((_, order)) = at(variable, levels[levels.len() / 2]) else { continue };
        let takes = order.kept_in_fact().saturating_mul(levels.len() as u128).max(order.working_in_fact());
        if best.as_ref().is_none_or(|(least, ..)| takes < *least) {
            best = Some((takes, variable, levels));
        }
    }
    let (_, variable, levels) = best?;
    let mut cases = vec![];
    for level in levels {
        cases.extend(at(variable, level));
        if cases.iter().map(|(_, order): &(Reduced<'_>, Order)| order.begins()).sum::<u128>() > u128::from(bound) {
            return None;
        }
    }
    let prepared = in_fact(cases);
    (prepared.plan.bytes <= bound).then(|| decided(prepared, asked, bound))
}

/// Variables of few levels that the dearest step is over, or that are functions of such; and their levels.
fn separators(reduced: &Reduced<'_>, order: &Order) -> Vec<(usize, Vec<u16>)> {
    let dear = order.dearest_scope();
    let functions = reduced.links.iter().filter(|link| dear.contains(&link.child)).map(|link| link.parent);
    let mut all: Vec<usize> = dear.iter().copied().chain(functions).collect();
    all.sort_unstable();
    all.dedup();
    let few = all.into_iter().filter(|v| (2..=SEPARATED).contains(&reduced.alive[*v].len()));
    few.map(|v| (v, reduced.alive[v].clone())).collect()
}

/// Rules out the levels that no cell with weight has, before anything is multiplied.
pub(super) fn rule_out(masks: &mut Masks, ties: &[Potential]) {
    for tie in ties {
        for (axis, step) in tie.axes.iter().zip(crate::model::potential::strides(&tie.axes)) {
            let mut met = vec![false; axis.partition.classes()];
            for (cell, _) in tie.values.iter().enumerate().filter(|(_, x)| **x > 0.0) {
                met[cell / step % axis.partition.classes()] = true;
            }
            let levels = axis.partition.class_of();
            let mask = masks[axis.variable].get_or_insert_with(|| vec![true; levels.len()]);
            mask.iter_mut().zip(levels.iter()).for_each(|(m, class)| *m &= met[usize::from(*class)]);
        }
    }
}
