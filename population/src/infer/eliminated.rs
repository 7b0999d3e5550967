//! One variable eliminated: its message to the variables that are eliminated later, and its table given them.

use std::collections::HashMap;

use rayon::prelude::*;

use crate::error::{Error, Result};
use crate::infer::elimination::MAX_BYTES;
use crate::infer::order::Step;
use crate::infer::product::Product;
use crate::infer::reduction::{Reduced, Roots};
use crate::model::network::{Rows, Table, UNREACHABLE, quantise};
use crate::model::partition::Partition;
use crate::model::potential::{Axis, Potential, cells, walk};

/// What is made of an elimination, beside its message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    Nothing,
    /// The tables to draw from.
    Tables,
    /// These, with rows that are alike held once, as long as what is held is within so many bytes: the same people are drawn.
    Shared(u64),
}

/// The rows that a part of the configurations has, one after another.
#[derive(Default)]
struct Part {
    reached: Vec<u32>,
    lengths: Vec<u32>,
    levels: Vec<u16>,
    thresholds: Vec<u32>,
}

/// The bytes of a table's rows.
pub(super) fn size(table: &Table) -> u64 {
    let rows = match &table.rows {
        Rows::Dense { thresholds, .. } => size_of_val(&thresholds[..]),
        Rows::Sparse { offsets, levels, thresholds } => {
            size_of_val(&offsets[..]) + size_of_val(&levels[..]) + size_of_val(&thresholds[..])
        }
        Rows::Function { levels } => size_of_val(&levels[..]),
    };
    (rows + table.compact.as_ref().map_or(0, |compact| size_of_val(&compact[..]))) as u64
}

/// How the classes of an elimination become levels.
enum Spread<'a> {
    /// Each is one level.
    Levels(Vec<u16>),
    /// By the rows of the variable's own table, of which input `input` is the one over classes.
    Rows { input: usize, table: &'a Table, base: usize, class_of: Vec<u16>, group_of: Vec<usize>, inner: Vec<usize> },
}

/// Eliminates one variable: the message to the others, and the table of the variable given them.
pub(super) fn eliminate(
    reduced: &Reduced<'_>,
    step: &Step,
    product: &Product,
    own_table: Option<usize>,
    wanted: Wanted,
) -> Result<(Potential, Option<Table>)> {
    let (v, draw) = (step.variable, wanted != Wanted::Nothing);
    let roots = Roots::new(&step.within, &reduced.links, v);
    let groups = product.groups;
    let configs = cells(&step.outer) as usize;
    let alive = &reduced.alive[v];
    let coarse = alive.len() > reduced.levels[v].len();
    let wants_rows = draw && step.own.is_some() && alive.len() > 1;
    let mut tables = product.outer.clone();
    let spread = match (&step.own, own_table) {
        (Some(own), Some(input)) if wants_rows && coarse => {
            let table = &reduced.network.tables[v];
            let scope: Vec<Axis> = step.outer.iter().chain(&step.inner).cloned().collect();
            let mut rows = reduced.row_offsets(v, &scope, &roots);
            let mut inner = vec![0; groups];
            let inner_rows = rows.split_off(step.outer.len());
            walk(&step.inner, &[inner_rows], 0..groups, |group, at| inner[group] = at[0]);
            tables.push(rows);
            let base = reduced.fixed_offset(v, &scope, &roots);
            let class = |atom: &u16| if *atom == u16::MAX { u16::MAX } else { own.class_of()[usize::from(*atom)] };
            let class_of = reduced.atom_of[v].iter().map(class).collect();
            let mut group_of = vec![0; own.classes()];
            product.classes.iter().for_each(|(class, group)| group_of[usize::from(*class)] = *group);
            Spread::Rows { input, table, base, class_of, group_of, inner }
        }
        (Some(own), _) => Spread::Levels(own.members().iter().map(|atoms| reduced.levels[v][atoms[0]]).collect()),
        (None, _) => Spread::Levels(vec![]),
    };
    let own_classes = step.own.as_ref().map_or(1, Partition::classes);
    let mut values = vec![0.0; configs * groups];
    let chunk = (4096 / groups.max(1)).max(64);
    let parts: Vec<Part> = values
        .par_chunks_mut(chunk * groups)
        .enumerate()
        .map(|(n, out)| {
            let from = n * chunk;
            let mut part = Part::default();
            let mut hits: Vec<(u16, usize, f64)> = Vec::with_capacity(product.classes.len());
            let (mut weights, mut lambda) = (vec![], vec![0.0; own_classes]);
            walk(&step.outer, &tables, from..from + out.len() / groups, |config, at| {
                hits.clear();
                let (first, others) = (&product.inputs[0], &product.inputs[1..]);
                for (class, group) in product.sparse.as_ref().map_or(&product.classes[..], |s| s.row(at)) {
                    let k = usize::from(*class);
                    let mut weight = first.values[at[0] + product.own[0][k]];
                    for ((input, base), own) in others.iter().zip(&at[1..]).zip(&product.own[1..]) {
                        if weight == 0.0 {
                            break;
                        }
                        weight *= input.values[base + own[k]];
                    }
                    if weight > 0.0 {
                        hits.push((*class, *group, weight));
                    }
                }
                let out = &mut out[(config - from) * groups..][..groups];
                hits.iter().for_each(|(_, group, weight)| out[*group] += weight);
                if !wants_rows || hits.is_empty() {
                    return;
                }
                for row in hits.chunk_by(|a, b| a.1 == b.1) {
                    let before = part.levels.len();
                    weights.clear();
                    match &spread {
                        Spread::Levels(levels) => {
                            for (class, _, weight) in row {
                                part.levels.push(levels[usize::from(*class)]);
                                weights.push(*weight);
                            }
                        }
                        Spread::Rows { input, table, base, class_of, group_of, inner } => {
                            for (class, _, weight) in row {
                                let k = usize::from(*class);
                                lambda[k] = weight / product.inputs[*input].values[at[*input] + product.own[*input][k]];
                            }
                            let at = base + at[product.inputs.len()] + inner[row[0].1];
                            let at = table.compact.as_ref().map_or(at as u32, |rows| rows[at]);
                            if at != UNREACHABLE {
                                table.rows.each(at as usize, |level, p| {
                                    let class = usize::from(class_of[level]);
                                    if class != usize::from(u16::MAX)
                                        && lambda[class] > 0.0
                                        && group_of[class] == row[0].1
                                    {
                                        part.levels.push(level as u16);
                                        weights.push(p * lambda[class]);
                                    }
                                });
                            }
                            row.iter().for_each(|(class, _, _)| lambda[usize::from(*class)] = 0.0);
                        }
                    }
                    if !weights.is_empty() {
                        quantise(&weights, &mut part.thresholds);
                        part.reached.push((config * groups + row[0].1) as u32);
                        part.lengths.push((part.levels.len() - before) as u32);
                    }
                }
            });
            part
        })
        .collect();
    let axes: Vec<Axis> = step.outer.iter().chain(&step.inner).cloned().collect();
    let table = match (draw, &step.own) {
        (false, _) => None,
        (true, None) => roots.of(v).map(|(root, map)| function_of(reduced, v, root, map)),
        (true, Some(_)) if alive.len() == 1 => {
            Some(Table { parents: vec![], rows: Rows::Function { levels: alive.clone() }, compact: None })
        }
        (true, Some(_)) => Some(assemble(reduced, v, &axes, parts, matches!(wanted, Wanted::Shared(_)))?),
    };
    Ok((Potential { axes, values }, table))
}

/// The parents of a table over levels, from axes over atoms. Levels that are ruled out are never drawn.
fn over_levels(reduced: &Reduced<'_>, axis: &Axis) -> Axis {
    let class = |atom: &u16| if *atom == u16::MAX { 0 } else { axis.partition.class_of()[usize::from(*atom)] };
    let class_of = reduced.atom_of[axis.variable].iter().map(class).collect();
    Axis { variable: axis.variable, partition: Partition::from_classes(class_of, axis.partition.classes()) }
}

fn function_of(reduced: &Reduced<'_>, v: usize, root: usize, map: &[u16]) -> Table {
    let partition = Partition::from_classes(map.into(), reduced.levels[v].len());
    let parents = vec![over_levels(reduced, &Axis { variable: root, partition })];
    Table { parents, rows: Rows::Function { levels: reduced.levels[v].clone() }, compact: None }
}

/// A number of a row; few that differ have the same.
fn hash((levels, thresholds): (&[u16], &[u32])) -> u64 {
    let words = levels.iter().zip(thresholds).map(|(level, threshold)| u64::from(*level) << 32 | u64::from(*threshold));
    words.fold(0, |hash, word| (hash ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(29))
}

/// With `share`, rows that are alike are held once.
fn assemble(reduced: &Reduced<'_>, v: usize, axes: &[Axis], parts: Vec<Part>, share: bool) -> Result<Table> {
    let entries: usize = parts.iter().map(|p| p.levels.len()).sum();
    if entries as u64 * 6 > MAX_BYTES {
        let variables = reduced.network.variables[v].name.clone();
        return Err(Error::TooMuchMemory { bytes: entries as u128 * 6, bound: MAX_BYTES, variables });
    }
    let mut compact = vec![UNREACHABLE; cells(axes) as usize];
    let held = if share { 0 } else { entries };
    let (mut at, mut levels, mut thresholds) = (vec![0], Vec::with_capacity(held), Vec::with_capacity(held));
    if share {
        let mut known: HashMap<u64, u32> = HashMap::new();
        for part in parts {
            let mut from = 0;
            for (config, length) in part.reached.into_iter().zip(part.lengths) {
                let range = from..from + length as usize;
                from = range.end;
                let row = (&part.levels[range.clone()], &part.thresholds[range]);
                let next = at.len() as u32 - 1;
                let first = *known.entry(hash(row)).or_insert(next);
                let alike = at.get(first as usize..first as usize + 2).is_some_and(|of| {
                    let of = of[0] as usize..of[1] as usize;
                    (&levels[of.clone()], &thresholds[of]) == row
                });
                compact[config as usize] = if alike { first } else { next };
                if !alike {
                    levels.extend_from_slice(row.0);
                    thresholds.extend_from_slice(row.1);
                    at.push(levels.len() as u32);
                }
            }
        }
        at.shrink_to_fit();
        levels.shrink_to_fit();
        thresholds.shrink_to_fit();
    } else {
        for part in parts {
            for (config, length) in part.reached.into_iter().zip(part.lengths) {
                compact[config as usize] = at.len() as u32 - 1;
                at.push(at[at.len() - 1] + length);
            }
            levels.extend(part.levels);
            thresholds.extend(part.thresholds);
        }
    }
    let rows = Rows::Sparse { offsets: at, levels, thresholds };
    Ok(Table { parents: axes.iter().map(|a| over_levels(reduced, a)).collect(), rows, compact: Some(compact) })
}
