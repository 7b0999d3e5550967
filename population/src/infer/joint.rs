//! The joint distribution of some variables under evidence, and the marginal one of each, by variable elimination.

use crate::error::{Error, Result};
use crate::infer::eliminated::Wanted;
use crate::infer::elimination::{MAX_BYTES, MAX_CELLS, eliminate_all};
use crate::infer::evidence::{Evidence, Masks};
use crate::infer::order::Order;
use crate::infer::prepared::{Asked, Plan, prepare};
use crate::infer::product::offsets_present;
use crate::infer::reduction::Reduced;
use crate::interrupt;
use crate::model::network::Network;
use crate::model::partition::Partition;
use crate::model::potential::{Axis, Potential, cells};

/// A joint distribution.
#[derive(Debug)]
pub(crate) struct Joint {
    /// A share for each cell, row-major, the last axis fastest; all 0 where nobody is left.
    pub shares: Vec<f64>,
    /// P(evidence), by the weights of the factors.
    pub probability: f64,
    pub plan: Plan,
}

/// The joint distribution of some variables in classes, among those who satisfy the evidence, weighed by factors. A
/// factor's largest weight is to be near 1.
///
/// A factor that is 1 everywhere is eliminated with the others: the derivative of the sum by its cells, which comes back
/// along its path, is what each of them has of it.
///
/// # Errors
/// If it needs more memory than the bound.
pub(crate) fn joint(network: &Network, evidence: &Evidence, factors: &[Potential], shown: &[Axis]) -> Result<Joint> {
    let too_much = |bytes: u128, variables: String| Error::TooMuchMemory { bytes, bound: MAX_BYTES, variables };
    // A factor of its own, the same over atoms, and a share.
    let own = cells(shown).saturating_mul(24);
    if own > u128::from(MAX_BYTES) {
        let names = shown.iter().map(|axis| network.variables[axis.variable].name.as_str());
        return Err(too_much(own, names.collect::<Vec<_>>().join(", ")));
    }
    let size = cells(shown) as usize;
    let ones = Potential { axes: shown.to_vec(), values: vec![1.0; size] };
    let factors: Vec<Potential> = factors.iter().cloned().chain([ones]).collect();
    let mut prepared = prepare(network, evidence, Asked { factors: &factors, ..Asked::default() }, MAX_BYTES)?;
    // Factors come last.
    let last = |reduced: &Reduced<'_>| reduced.potentials.len() - 1;
    let path = prepared.cases.iter().map(|(reduced, order)| (order.path_bytes(last(reduced)), order));
    if let Some((path, order)) = path.max_by_key(|(bytes, _)| *bytes) {
        let bytes = u128::from(prepared.plan.bytes).saturating_add(path).saturating_add(own);
        // Each case before the last leaves a number for each cell.
        let bytes = bytes.saturating_add(cells(shown).saturating_mul(8 * (prepared.plan.cases as u128 - 1)));
        if bytes > u128::from(MAX_BYTES) {
            return Err(too_much(bytes, order.costly(network)));
        }
        prepared.plan.bytes = bytes as u64;
    }
    let mut cases = vec![];
    for (mut reduced, order) in prepared.cases {
        let follow = Some(last(&reduced));
        let Some(left) = eliminate_all(&mut reduced, &order, Wanted::Nothing, follow)? else { continue };
        let log = left.log + left.pool.iter().map(|p| p.values.iter().product::<f64>().ln()).sum::<f64>();
        let mut values = vec![1.0];
        for (product, input) in left.path.iter().rev() {
            values = product.back(*input, &values);
            let largest = values.iter().copied().fold(0.0, f64::max);
            if largest > 0.0 {
                values.iter_mut().for_each(|x| *x /= largest);
            }
        }
        cases.push((log, values));
    }
    let largest = cases.iter().map(|(log, _)| *log).fold(f64::NEG_INFINITY, f64::max);
    let (mut shares, mut total) = (vec![0.0; size], 0.0);
    for (log, values) in cases {
        let (weight, sum) = ((log - largest).exp(), values.iter().sum::<f64>());
        if !(weight > 0.0 && sum > 0.0) {
            continue;
        }
        total += weight;
        shares.iter_mut().zip(values).for_each(|(share, value)| *share += weight * value / sum);
    }
    if total > 0.0 {
        shares.iter_mut().for_each(|share| *share /= total);
    }
    let probability = if total > 0.0 { (largest.exp() * total).min(1.0) } else { 0.0 };
    Ok(Joint { shares, probability, plan: prepared.plan })
}

/// Which levels of a variable are left when another has one level: what is ruled out has no support in some table on the
/// way, and nobody has it. Of what is left somebody may have it, or nobody after all.
pub(crate) fn supported(network: &Network, variable: usize, (other, level): (usize, usize)) -> Vec<bool> {
    let levels = network.variables[variable].len();
    let tie =
        Potential { axes: vec![Axis { variable, partition: Partition::finest(levels) }], values: vec![1.0; levels] };
    let mut masks: Masks = vec![None; network.variables.len()];
    masks[other] = Some((0..network.variables[other].len()).map(|l| l == level).collect());
    let mut left = vec![false; levels];
    if let Some(reduced) = Reduced::new(network, &masks, std::slice::from_ref(&tie)) {
        let (root, view) = reduced.root(variable);
        for level in &reduced.levels[root] {
            left[usize::from(view.as_ref().map_or(*level, |v| v[usize::from(*level)]))] = true;
        }
    }
    left
}

/// The marginal distribution of one variable: a probability for each level.
///
/// # Errors
/// If it needs more memory than the bound.
pub(crate) fn marginal(network: &Network, variable: usize) -> Result<Vec<f64>> {
    let levels = network.variables[variable].len();
    // A tie that says nothing tells all levels apart.
    let axes = vec![Axis { variable, partition: Partition::finest(levels) }];
    let tie = Potential { axes, values: vec![1.0; levels] };
    let masks = vec![None; network.variables.len()];
    let Some(mut reduced) = Reduced::new(network, &masks, std::slice::from_ref(&tie)) else {
        return Ok(vec![0.0; levels]);
    };
    let (root, view) = reduced.root(variable);
    let order = Order::new(&reduced, Some(root), false);
    if order.bytes > u128::from(MAX_BYTES) {
        // Scopes without links may be smaller, where the variable has very many levels.
        let finest = Axis { variable, partition: Partition::finest(levels) };
        if let Some(marginal) = network.marginal(&[finest], MAX_CELLS) {
            return Ok(marginal.values);
        }
        interrupt::check()?;
        let variables = order.costly(network);
        return Err(Error::TooMuchMemory { bytes: order.bytes, bound: MAX_BYTES, variables });
    }
    let Some(left) = eliminate_all(&mut reduced, &order, Wanted::Nothing, None)? else { return Ok(vec![0.0; levels]) };
    let scope = [Axis { variable: root, partition: Partition::finest(reduced.levels[root].len()) }];
    let places: Vec<Vec<usize>> =
        left.pool.iter().map(|p| offsets_present(&scope, &p.axes).pop().unwrap_or_default()).collect();
    let scale = left.log.exp();
    let mut marginal = vec![0.0; levels];
    for (atom, level) in reduced.levels[root].iter().enumerate() {
        let p: f64 = left.pool.iter().zip(&places).map(|(p, at)| p.values[at[atom]]).product();
        // All levels of an atom are shown as one.
        marginal[usize::from(view.as_ref().map_or(*level, |v| v[usize::from(*level)]))] += p * scale;
    }
    Ok(marginal)
}
