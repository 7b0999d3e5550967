//! What follows for certain from what is known of somebody.

use std::sync::Arc;

use crate::draw::facts::UNKNOWN;
use crate::draw::rows::{Inverse, row_of};
use crate::model::network::{Network, Rows, UNREACHABLE};
use crate::model::potential::{cells, strides};
use crate::pack::Pack;

/// What a variable would be told of by those that depend on it.
#[derive(Debug)]
pub(crate) struct Links {
    of: Vec<Vec<Link>>,
    inverses: Vec<Option<Arc<Inverse>>>,
}

/// What no level goes with.
const NONE: u16 = u16::MAX;

/// A variable above another that goes with each level of it at one level only, as a state with its towns; [`NONE`] where a
/// level may go with several.
#[derive(Debug)]
struct Link {
    above: usize,
    level_of: Vec<u16>,
}

impl Links {
    pub fn new(network: &Network) -> Links {
        let count = network.tables.len();
        let mut of: Vec<Vec<Link>> = Vec::with_capacity(count);
        let inverses: Vec<Option<Arc<Inverse>>> = (0..count).map(|v| Inverse::new(network, v).map(Arc::new)).collect();
        for (v, inverse) in inverses.iter().enumerate() {
            let mut links = links(network, v);
            // What its parent's levels go with, where all those that it can have go with one, as the postcodes of a county.
            if let Some(inverse) = inverse {
                for link in &of[inverse.parent] {
                    let one = |level: usize| {
                        let mut above = inverse.of(level as i32).iter().map(|of| link.level_of[usize::from(*of)]);
                        let first = above.next()?;
                        above.all(|level| level == first).then_some(first)
                    };
                    let level_of = (0..network.variables[v].len()).map(|level| one(level).unwrap_or(NONE)).collect();
                    links.push(Link { above: link.above, level_of });
                }
            }
            of.push(links);
        }
        Links { of, inverses }
    }

    /// Of variables with one parent, where it tells much less than all levels.
    pub fn inverses(&self) -> &[Option<Arc<Inverse>>] {
        &self.inverses
    }

    /// Puts in what follows from what is known for certain: parents that go with one level, and functions.
    pub fn follow(&self, pack: &Pack, codes: &mut [i32]) {
        for (v, links) in self.of.iter().enumerate().rev() {
            let Ok(level) = usize::try_from(codes[v]) else { continue };
            for link in links {
                if codes[link.above] == UNKNOWN && link.level_of[level] != NONE {
                    codes[link.above] = i32::from(link.level_of[level]);
                }
            }
        }
        for (v, table) in pack.network.tables.iter().enumerate() {
            if let (UNKNOWN, Rows::Function { levels }) = (codes[v], &table.rows)
                && let Some(row) = row_of(table, &pack.addresses[v], codes)
            {
                codes[v] = i32::from(levels[row]);
            }
        }
    }
}

/// Parents of which each level of a variable goes with one level only.
fn links(network: &Network, variable: usize) -> Vec<Link> {
    let table = &network.tables[variable];
    let levels = network.variables[variable].len();
    let mut open: Vec<(usize, Vec<u16>)> = table
        .parents
        .iter()
        .enumerate()
        .filter(|(_, axis)| axis.partition.is_finest() && axis.partition.classes() > 1)
        .map(|(at, _)| (at, vec![NONE; levels]))
        .collect();
    let strides = strides(&table.parents);
    for config in 0..cells(&table.parents) as usize {
        if open.is_empty() {
            break;
        }
        let row = table.compact.as_ref().map_or(config as u32, |rows| rows[config]);
        if row == UNREACHABLE {
            continue;
        }
        open.retain_mut(|(at, level_of)| {
            let axis = &table.parents[*at];
            let class = (config / strides[*at] % axis.partition.classes()) as u16;
            let mut one = true;
            table.rows.each(row as usize, |level, _| {
                one &= level_of[level] == NONE || level_of[level] == class;
                level_of[level] = class;
            });
            one
        });
    }
    let link = |(at, classes): (usize, Vec<u16>)| {
        let axis = &table.parents[at];
        let mut levels = vec![0; axis.partition.classes()];
        axis.partition
            .class_of()
            .iter()
            .enumerate()
            .for_each(|(level, class)| levels[usize::from(*class)] = level as u16);
        // Whoever has a level that nobody has cannot be, whatever the parent is.
        let level_of =
            classes.iter().map(|class| if *class == NONE { 0 } else { levels[usize::from(*class)] }).collect();
        Link { above: axis.variable, level_of }
    };
    open.into_iter().map(link).collect()
}
