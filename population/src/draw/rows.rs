//! Rows of tables: whose they are, and what they say of a level.

use crate::model::network::{Address, Network, Rows, Table, UNREACHABLE};
use crate::model::potential::Axis;

/// A parent of fewer levels is gone through as a whole.
const MANY: usize = 256;

/// The row of a table for somebody; `None` if the table has none, or a parent is unknown.
pub(crate) fn row_of(table: &Table, address: &Address, codes: &[i32]) -> Option<usize> {
    let mut config = 0;
    for (parent, offsets) in &address.parents {
        config += *offsets.get(usize::try_from(codes[*parent]).ok()?)?;
    }
    let row = table.compact.as_ref().map_or(config, |rows| rows[config as usize]);
    (row != UNREACHABLE).then_some(row as usize)
}

/// The words that draw a level in a row of a pack's table, from the first up to, not including, the second.
pub(crate) fn span(rows: &Rows, row: usize, level: i32) -> Option<(u32, u32)> {
    rows.span(row, u16::try_from(level).ok()?)
}

/// A table of some rows of another one.
pub(crate) fn of_rows(of: &Rows, parents: Vec<Axis>, which: &[u32]) -> Table {
    let reached: Vec<usize> = which.iter().filter(|r| **r != UNREACHABLE).map(|r| *r as usize).collect();
    let compact = (reached.len() < which.len()).then(|| {
        let mut next = 0..reached.len() as u32;
        which.iter().map(|r| if *r == UNREACHABLE { *r } else { next.next().unwrap_or(UNREACHABLE) }).collect()
    });
    let rows = match of {
        Rows::Function { levels } => Rows::Function { levels: reached.iter().map(|r| levels[*r]).collect() },
        Rows::Dense { width, thresholds } => {
            let rows = reached.iter().flat_map(|r| &thresholds[r * width..(r + 1) * width]);
            Rows::Dense { width: *width, thresholds: rows.copied().collect() }
        }
        Rows::Sparse { offsets, levels, thresholds } => {
            let (mut at, mut of_levels, mut kept) = (vec![0], vec![], vec![]);
            for r in reached {
                let range = offsets[r] as usize..offsets[r + 1] as usize;
                of_levels.extend_from_slice(&levels[range.clone()]);
                kept.extend_from_slice(&thresholds[range]);
                at.push(of_levels.len() as u32);
            }
            Rows::Sparse { offsets: at, levels: of_levels, thresholds: kept }
        }
    };
    Table { parents, rows, compact }
}

/// Of a variable with one parent: the levels of the parent at which each of its own can be.
#[derive(Debug)]
pub(crate) struct Inverse {
    pub parent: usize,
    offsets: Vec<u32>,
    levels: Vec<u16>,
}

impl Inverse {
    /// `None` where there are other parents, or where it would save little.
    pub fn new(network: &Network, variable: usize) -> Option<Inverse> {
        let (table, levels) = (&network.tables[variable], network.variables[variable].len());
        let [axis] = &table.parents[..] else { return None };
        let of_parent = axis.partition.class_of();
        let row = |class: u16| table.compact.as_ref().map_or(u32::from(class), |rows| rows[usize::from(class)]);
        let each = |visit: &mut dyn FnMut(usize, usize)| {
            for (of, class) in of_parent.iter().enumerate() {
                let row = row(*class);
                if row != UNREACHABLE {
                    table.rows.each(row as usize, |level, _| visit(level, of));
                }
            }
        };
        let mut offsets = vec![0u32; levels + 1];
        if of_parent.len() < MANY {
            return None;
        }
        each(&mut |level, _| offsets[level + 1] += 1);
        (0..levels).for_each(|level| offsets[level + 1] += offsets[level]);
        let entries = offsets[levels] as usize;
        if entries / levels.max(1) > of_parent.len() / 8 {
            return None;
        }
        let (mut next, mut listed) = (offsets.clone(), vec![0; entries]);
        each(&mut |level, of| {
            listed[next[level] as usize] = of as u16;
            next[level] += 1;
        });
        Some(Inverse { parent: axis.variable, offsets, levels: listed })
    }

    /// The levels of the parent, in ascending order; none for what is no level.
    pub fn of(&self, level: i32) -> &[u16] {
        let at = usize::try_from(level).unwrap_or(usize::MAX);
        match (self.offsets.get(at), self.offsets.get(at.saturating_add(1))) {
            (Some(from), Some(to)) => &self.levels[*from as usize..*to as usize],
            _ => &[],
        }
    }

    /// How many levels of the parent there are for one of its own, on average.
    pub fn each(&self) -> usize {
        self.levels.len() / (self.offsets.len() - 1).max(1) + 1
    }
}

/// Visits the levels that all of some lists have, in ascending order, with the product of their weights.
pub(crate) fn in_all(lists: &[&[(u16, f64)]], mut visit: impl FnMut(u16, f64)) {
    let Some((shortest, list)) = lists.iter().enumerate().min_by_key(|(_, list)| list.len()) else { return };
    'levels: for (level, weight) in list.iter() {
        let mut weight = *weight;
        for (_, other) in lists.iter().enumerate().filter(|(at, _)| *at != shortest) {
            match other.binary_search_by_key(level, |(level, _)| *level) {
                Ok(at) => weight *= other[at].1,
                Err(_) => continue 'levels,
            }
        }
        visit(*level, weight);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_all_has_what_all_have() {
        let (a, b) = ([(1, 0.5), (4, 0.25), (9, 1.0)], [(0, 1.0), (1, 0.5), (2, 1.0), (9, 0.5)]);
        let mut met = vec![];
        in_all(&[&a, &b], |level, weight| met.push((level, weight)));
        assert_eq!(met, [(1, 0.25), (9, 0.5)]);
        in_all(&[&a, &[]], |_, _| panic!("an empty list has nothing"));
    }
}
