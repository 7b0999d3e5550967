//! One variable eliminated: its message to the variables that are eliminated later, and its table given them.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};

use crate::error::{Error, Result};
use crate::infer::elimination::MAX_BYTES;
use crate::infer::made::{Keep, Part, formed, one_after_another};
use crate::infer::order::Step;
use crate::infer::product::Product;
use crate::infer::reduction::{Reduced, Roots};
use crate::infer::weighed::Spread;
use crate::model::network::{Rows, Table, UNREACHABLE};
use crate::model::partition::Partition;
use crate::model::potential::{Axis, Potential, cells};

/// What is made of an elimination, beside its message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    Nothing,
    /// The tables to draw from.
    Tables,
    /// These, with rows that are alike held once, as long as what tables of all rows would take is within so many bytes.
    Shared(u64),
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

/// Whether rows to draw from are made: not of what has one level or is a function. Of what is worked out as it is drawn they
/// are counted alone, where it matters how much they would take.
pub(super) fn wants_rows(reduced: &Reduced<'_>, step: &Step, wanted: Wanted) -> bool {
    let wanted = match wanted {
        Wanted::Nothing => false,
        Wanted::Tables => !step.as_drawn,
        Wanted::Shared(_) => true,
    };
    wanted && step.own.is_some() && reduced.alive[step.variable].len() > 1
}

/// What is left of a variable that is eliminated.
pub(super) struct Eliminated {
    /// Its message to the others.
    pub message: Potential,
    /// Its table given them.
    pub table: Option<Table>,
    /// The bytes that a table of its rows would take, those that are alike held once; asked for with [`Wanted::Shared`] of what
    /// is worked out as it is drawn.
    pub would_take: u64,
}

/// Eliminates one variable.
pub(super) fn eliminate(
    reduced: &Reduced<'_>,
    step: &Step,
    product: &Product,
    own_table: Option<usize>,
    wanted: Wanted,
) -> Result<Eliminated> {
    let (v, draw) = (step.variable, wanted != Wanted::Nothing);
    let roots = Roots::new(&step.within, &reduced.links, v);
    let groups = product.groups;
    let configs = cells(&product.scope) as usize;
    let alive = &reduced.alive[v];
    let wants_rows = wants_rows(reduced, step, wanted);
    let keep = match wanted {
        Wanted::Shared(_) if step.as_drawn => Keep::Numbers,
        Wanted::Shared(_) => Keep::Alike,
        Wanted::Tables | Wanted::Nothing => Keep::Each,
    };
    let spread = match wants_rows {
        true => Spread::new(reduced, step, product, own_table),
        false => Spread::Levels(vec![]),
    };
    let (values, parts) = formed(product, &spread, &reduced.network.tables[v], wants_rows.then_some(keep));
    let axes: Vec<Axis> = product.scope.iter().chain(&step.inner).cloned().collect();
    let would_take = match step.as_drawn && wants_rows {
        true => counted(reduced, v, configs * groups, &parts)?,
        false => 0,
    };
    let table = match (draw, &step.own) {
        (false, _) => None,
        (true, None) => roots.of(v).map(|(root, map)| function_of(reduced, v, root, map)),
        (true, Some(_)) if alive.len() == 1 => {
            Some(Table { parents: vec![], rows: Rows::Function { levels: alive.clone() }, compact: None })
        }
        (true, Some(_)) if step.as_drawn => None,
        (true, Some(_)) => Some(assemble(reduced, v, &axes, parts, matches!(wanted, Wanted::Shared(_)))?),
    };
    Ok(Eliminated { message: Potential { axes, values }, table, would_take })
}

/// The bytes that [`assemble`] would share these rows in, by their numbers.
fn counted(reduced: &Reduced<'_>, v: usize, configs: usize, parts: &[Part]) -> Result<u64> {
    let all = parts.iter().flat_map(|part| &part.lengths).map(|length| u64::from(*length)).sum::<u64>();
    within_bound(reduced, v, all)?;
    let mut known: HashSet<u64, Random> = HashSet::default();
    let (mut rows, mut entries) = (0u64, 0u64);
    for part in parts {
        for (number, length) in part.numbers.iter().zip(&part.lengths) {
            if known.insert(*number) {
                rows += 1;
                entries += u64::from(*length);
            }
        }
    }
    Ok(4 * configs as u64 + 4 * (rows + 1) + 6 * entries)
}

/// Levels of all rows of a table: more than there is room for are refused, before those that are alike are one.
fn within_bound(reduced: &Reduced<'_>, v: usize, entries: u64) -> Result<()> {
    match entries * 6 > MAX_BYTES {
        false => Ok(()),
        true => {
            let variables = reduced.network.variables[v].name.clone();
            Err(Error::TooMuchMemory { bytes: u128::from(entries) * 6, bound: MAX_BYTES, variables })
        }
    }
}

fn function_of(reduced: &Reduced<'_>, v: usize, root: usize, map: &[u16]) -> Table {
    let partition = Partition::from_classes(map.into(), reduced.levels[v].len());
    let parents = vec![reduced.over_levels(&Axis { variable: root, partition })];
    Table { parents, rows: Rows::Function { levels: reduced.levels[v].clone() }, compact: None }
}

type Random = BuildHasherDefault<Itself>;

/// Numbers that are as good as random are their own hashes.
#[derive(Default)]
struct Itself(u64);

impl Hasher for Itself {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.0 = self.0.rotate_left(8) ^ u64::from(*byte));
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// With `share`, rows that are alike are held once.
fn assemble(reduced: &Reduced<'_>, v: usize, axes: &[Axis], parts: Vec<Part>, share: bool) -> Result<Table> {
    let entries: usize = parts.iter().map(|p| p.levels.len()).sum();
    within_bound(reduced, v, entries as u64)?;
    let parents = axes.iter().map(|axis| reduced.over_levels(axis)).collect();
    let configs = cells(axes) as usize;
    let (rows, compact) = if share { each_once(configs, parts) } else { one_after_another(configs, parts) };
    Ok(Table { parents, rows, compact: Some(compact) })
}

/// The rows of a table, those that are alike once.
fn each_once(configs: usize, parts: Vec<Part>) -> (Rows, Vec<u32>) {
    let mut compact = vec![UNREACHABLE; configs];
    let (mut at, mut levels, mut thresholds) = (vec![0], vec![], vec![]);
    let mut known: HashMap<u64, u32, Random> = HashMap::default();
    for part in parts {
        let mut from = 0;
        for ((config, length), number) in part.reached.into_iter().zip(part.lengths).zip(part.numbers) {
            let range = from..from + length as usize;
            from = range.end;
            let row = (&part.levels[range.clone()], &part.thresholds[range]);
            let next = at.len() as u32 - 1;
            let first = *known.entry(number).or_insert(next);
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
    (Rows::Sparse { offsets: at, levels, thresholds }, compact)
}
