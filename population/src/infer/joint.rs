//! The joint distribution of some variables under evidence, and the marginal one of each, by variable elimination.

use crate::error::{Error, Result};
use crate::infer::elimination::{Asked, MAX_BYTES, MAX_CELLS, Plan, eliminate_all, offsets_present, prepare};
use crate::infer::evidence::Evidence;
use crate::infer::order::Order;
use crate::infer::reduction::Reduced;
use crate::model::network::Network;
use crate::model::partition::Partition;
use crate::model::potential::{Axis, Potential, cells, walk};

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
/// # Errors
/// If it needs more memory than the bound.
pub(crate) fn joint(network: &Network, evidence: &Evidence, factors: &[Potential], shown: &[Axis]) -> Result<Joint> {
    // A share and what is added to it, at a time.
    let bytes = cells(shown).saturating_mul(16);
    if bytes > u128::from(MAX_BYTES) {
        let names = shown.iter().map(|axis| network.variables[axis.variable].name.as_str());
        let variables = names.collect::<Vec<_>>().join(", ");
        return Err(Error::TooMuchMemory { bytes, bound: MAX_BYTES, variables });
    }
    let size = cells(shown) as usize;
    let prepared = prepare(network, evidence, Asked { factors, shown, draw: false })?;
    let finest = |(at, axis): (usize, &Axis)| Axis {
        variable: network.tables.len() + at,
        partition: Partition::finest(axis.partition.classes()),
    };
    let scope: Vec<Axis> = shown.iter().enumerate().map(finest).collect();
    let mut cases = vec![];
    for (mut reduced, order) in prepared.cases {
        let Some(left) = eliminate_all(&mut reduced, &order, false)? else { continue };
        let tables: Vec<Vec<Vec<usize>>> = left.pool.iter().map(|p| offsets_present(&scope, &p.axes)).collect();
        let mut values = vec![0.0; size];
        walk(&scope, &tables, 0..size, |cell, at| {
            values[cell] = left.pool.iter().zip(at).map(|(p, i)| p.values[*i]).product();
        });
        cases.push((left.log, values));
    }
    let largest = cases.iter().map(|(log, _)| *log).fold(f64::NEG_INFINITY, f64::max);
    let mut shares = vec![0.0; size];
    for (log, values) in cases {
        let scale = (log - largest).exp();
        shares.iter_mut().zip(values).for_each(|(share, value)| *share += scale * value);
    }
    let total: f64 = shares.iter().sum();
    if total > 0.0 {
        shares.iter_mut().for_each(|share| *share /= total);
    }
    let probability = if total > 0.0 { (largest + total.ln()).exp().min(1.0) } else { 0.0 };
    Ok(Joint { shares, probability, plan: prepared.plan })
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
    let order = Order::new(&reduced, &[root], false);
    if order.bytes > u128::from(MAX_BYTES) {
        // Scopes without links may be smaller, where the variable has very many levels.
        let finest = Axis { variable, partition: Partition::finest(levels) };
        return network.marginal(&[finest], MAX_CELLS).map(|m| m.values).ok_or_else(|| {
            let variables = order.costly(network);
            Error::TooMuchMemory { bytes: order.bytes, bound: MAX_BYTES, variables }
        });
    }
    let Some(left) = eliminate_all(&mut reduced, &order, false)? else { return Ok(vec![0.0; levels]) };
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
