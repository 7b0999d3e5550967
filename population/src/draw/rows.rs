//! Rows of tables: whose they are, and what they say of a level.

use crate::model::network::{Address, Rows, Table, UNREACHABLE};
use crate::model::potential::Axis;

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
    let level = u16::try_from(level).ok()?;
    let (low, high) = match rows {
        Rows::Dense { width, thresholds } => {
            let row = &thresholds[row * width..(row + 1) * width];
            let at = usize::from(level);
            (if at == 0 { 0 } else { row[at - 1] }, *row.get(at)?)
        }
        Rows::Sparse { offsets, levels, thresholds } => {
            let (from, to) = (offsets[row] as usize, offsets[row + 1] as usize);
            let at = from + levels[from..to].binary_search(&level).ok()?;
            (if at == from { 0 } else { thresholds[at - 1] }, thresholds[at])
        }
        Rows::Function { levels } => return (levels[row] == level).then_some((0, u32::MAX)),
    };
    (low < high).then_some((low, high))
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
