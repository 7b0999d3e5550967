//! Exact inference: P(evidence) and the posterior tables, by eliminating variables against the order of drawing.
//!
//! Eliminating the last variable first leaves, for each variable, a table over the variables drawn before it: drawing
//! forward from these tables draws from the posterior, row by row, at the same cost however rare the evidence is.
//! (Koller and Friedman, Probabilistic Graphical Models, 2009, chapter 9; forward sampling from the posterior, 12.1.)

use rayon::prelude::*;

use crate::error::{Error, Result};
use crate::infer::evidence::Evidence;
use crate::infer::predicate::Predicate;
use crate::model::network::{Network, Rows, Table, UNREACHABLE, own, quantise};
use crate::model::partition::Partition;
use crate::model::potential::{Axis, Factor, cells, offsets, walk, widen};

/// The most cells that one step of elimination, or one posterior table, may have (8 bytes each while it is made).
pub(crate) const MAX_CELLS: u64 = 1 << 26;

/// What evidence makes of a network.
#[derive(Debug)]
pub(crate) struct Posterior {
    pub probability: f64,
    /// The table of each variable given those before it; `None` where the prior's holds unchanged.
    pub tables: Vec<Option<Table>>,
}

/// One elimination: a variable, and the factors that were multiplied to sum it out.
struct Step {
    variable: usize,
    scope: Vec<Axis>,
    own: Partition,
    factors: Vec<Factor>,
}

fn eliminate(network: &Network, evidence: &Evidence, keep_steps: bool) -> Result<(f64, Vec<Step>)> {
    let mut pool: Vec<Factor> = evidence.factors().cloned().collect();
    let mut steps = vec![];
    for variable in (0..network.tables.len()).rev() {
        let (mut factors, rest): (Vec<Factor>, Vec<Factor>) = pool.into_iter().partition(|f| f.mentions(variable));
        pool = rest;
        if factors.is_empty() {
            continue;
        }
        let table = &network.tables[variable];
        let mut scope: Vec<Axis> = vec![];
        let mut own_partition = Partition::by_signature(vec![0; network.variables[variable].len()]);
        for axis in table.parents.iter().chain(factors.iter().flat_map(|f| &f.axes)) {
            if axis.variable == variable {
                own_partition = own_partition.refine(&axis.partition);
            } else {
                widen(&mut scope, axis);
            }
        }
        // The masks of the scope's variables are 0/1, so that multiplying them in once more changes nothing but this:
        // configurations that cannot be met are zero at once, and no row is made for them.
        for mask in &evidence.masks {
            if scope.iter().any(|s| s.variable == mask.axes[0].variable) {
                widen(&mut scope, &mask.axes[0]);
                factors.push(mask.clone());
            }
        }
        let size = cells(&scope) * own_partition.classes() as u128;
        if size > u128::from(MAX_CELLS) {
            let names: Vec<&str> = scope.iter().map(|a| network.variables[a.variable].name.as_str()).collect();
            let variables = format!("{}, {}", network.variables[variable].name, names.join(", "));
            return Err(Error::TooLarge { cells: size, bound: MAX_CELLS, variables });
        }
        let values = message(network, variable, &scope, &own_partition, &factors);
        pool.push(Factor { axes: scope.clone(), values });
        if keep_steps {
            steps.push(Step { variable, scope, own: own_partition, factors });
        }
    }
    let probability = pool.iter().map(|f| f.values[0]).product();
    Ok((probability, steps))
}

/// Σ over the variable of P(variable | parents) × the factors, for each configuration of the scope.
fn message(
    network: &Network,
    variable: usize,
    scope: &[Axis],
    own_partition: &Partition,
    factors: &[Factor],
) -> Vec<f64> {
    let table = &network.tables[variable];
    let classes = own_partition.classes();
    let prior = table.coarsened(own_partition);
    let mut tables = vec![offsets(scope, &table.parents, None)];
    tables.extend(factors.iter().map(|f| offsets(scope, &f.axes, Some(variable))));
    let owns: Vec<Vec<usize>> = factors.iter().map(|f| own(variable, own_partition, f)).collect();
    let mut values = vec![0.0; cells(scope) as usize];
    let chunk = 4096;
    values.par_chunks_mut(chunk).enumerate().for_each(|(n, out)| {
        let from = n * chunk;
        walk(scope, &tables, from..from + out.len(), |config, at| {
            let row = &prior[at[0] * classes..][..classes];
            let mut sum = 0.0;
            for (class, p) in row.iter().enumerate() {
                let mut weight = *p;
                for ((factor, base), own) in factors.iter().zip(&at[1..]).zip(&owns) {
                    weight *= factor.values[base + own[class]];
                }
                sum += weight;
            }
            out[config - from] = sum;
        });
    });
    values
}

/// P(evidence).
pub(crate) fn probability(network: &Network, evidence: &Evidence) -> Result<f64> {
    Ok(eliminate(network, evidence, false)?.0)
}

/// P(evidence) and the tables to draw from. Impossible evidence is an error that names the parts that contradict.
pub(crate) fn condition(network: &Network, given: &Predicate) -> Result<(Evidence, Posterior)> {
    let parts = given.conjuncts();
    let evidence = Evidence::new(&parts, &network.variables)?;
    let (probability, steps) = eliminate(network, &evidence, true)?;
    if probability <= 0.0 {
        return Err(contradiction(network, parts));
    }
    let mut tables: Vec<Option<Table>> = network.tables.iter().map(|_| None).collect();
    for step in &steps {
        // A function of its parents stays one, whatever else is known.
        if matches!(network.tables[step.variable].rows, Rows::Function { .. }) {
            continue;
        }
        tables[step.variable] = Some(posterior(network, step)?);
    }
    Ok((evidence, Posterior { probability, tables }))
}

/// P(variable | scope, evidence), for the configurations of the scope that can be met.
fn posterior(network: &Network, step: &Step) -> Result<Table> {
    let prior = &network.tables[step.variable];
    let class_of = step.own.class_of();
    let mut tables = vec![offsets(&step.scope, &prior.parents, None)];
    tables.extend(step.factors.iter().map(|f| offsets(&step.scope, &f.axes, Some(step.variable))));
    let owns: Vec<Vec<usize>> = step.factors.iter().map(|f| own(step.variable, &step.own, f)).collect();
    let configs = cells(&step.scope) as usize;
    let chunk = 1024;
    type Part = (Vec<u32>, Vec<u32>, Vec<u16>, Vec<u32>);
    let parts: Vec<Part> = (0..configs.div_ceil(chunk))
        .into_par_iter()
        .map(|n| {
            let (mut reached, mut lengths, mut levels, mut thresholds) = (vec![], vec![], vec![], vec![]);
            let (mut lambda, mut weights) = (vec![0.0; step.own.classes()], vec![]);
            walk(&step.scope, &tables, n * chunk..((n + 1) * chunk).min(configs), |config, at| {
                let mut any = false;
                for (class, lambda) in lambda.iter_mut().enumerate() {
                    let factors = step.factors.iter().zip(&at[1..]).zip(&owns);
                    *lambda = factors.map(|((f, base), own)| f.values[base + own[class]]).product();
                    any |= *lambda > 0.0;
                }
                if !any {
                    return;
                }
                weights.clear();
                let before = levels.len();
                prior.rows.each(at[0], |level, p| {
                    let weight = p * lambda[usize::from(class_of[level])];
                    if weight > 0.0 {
                        weights.push(weight);
                        levels.push(level as u16);
                    }
                });
                if !weights.is_empty() {
                    quantise(&weights, &mut thresholds);
                    reached.push(config as u32);
                    lengths.push((levels.len() - before) as u32);
                }
            });
            (reached, lengths, levels, thresholds)
        })
        .collect();
    let entries: usize = parts.iter().map(|p| p.2.len()).sum();
    if entries as u64 > MAX_CELLS {
        let variables = network.variables[step.variable].name.clone();
        return Err(Error::TooLarge { cells: entries as u128, bound: MAX_CELLS, variables });
    }
    let mut compact = vec![UNREACHABLE; configs];
    let (mut at, mut levels, mut thresholds) = (vec![0], Vec::with_capacity(entries), Vec::with_capacity(entries));
    for (reached, lengths, part_levels, part_thresholds) in parts {
        for (config, length) in reached.into_iter().zip(lengths) {
            compact[config as usize] = at.len() as u32 - 1;
            at.push(at[at.len() - 1] + length);
        }
        levels.extend(part_levels);
        thresholds.extend(part_thresholds);
    }
    let rows = Rows::Sparse { offsets: at, levels, thresholds };
    Ok(Table { parents: step.scope.clone(), rows, compact: Some(compact) })
}

/// A smallest set of parts that contradict each other: parts are left out as long as the rest stays impossible.
fn contradiction(network: &Network, mut parts: Vec<Predicate>) -> Error {
    let impossible = |parts: &[Predicate]| match Evidence::new(parts, &network.variables) {
        Ok(evidence) => matches!(probability(network, &evidence), Ok(p) if p <= 0.0),
        Err(_) => false,
    };
    let mut at = 0;
    while at < parts.len() && parts.len() > 1 {
        let left_out = parts.remove(at);
        if !impossible(&parts) {
            parts.insert(at, left_out);
            at += 1;
        }
    }
    Error::Impossible { predicates: parts.iter().map(Predicate::to_string).collect() }
}
