//! The table of all rows that are worked out as they are drawn from: what is made of it after all, once enough are drawn.

use crate::infer::made::{Keep, formed, one_after_another};
use crate::infer::weighed::Weighed;
use crate::model::network::Table;
use crate::model::potential::cells;

impl Weighed {
    /// How many rows the table has.
    pub fn rows(&self) -> u64 {
        cells(&self.axes) as u64
    }

    /// The bytes that making it takes at most, by what was planned.
    pub fn would_take(&self) -> u64 {
        self.would_take
    }

    /// The table; `None` where it takes more bytes than these. `own` is the variable's table in the network.
    pub fn table(&self, own: &Table, most: u64) -> Option<Table> {
        let (_, parts) = formed(&self.product, &self.spread, own, Some(Keep::Each));
        let entries: usize = parts.iter().map(|part| part.levels.len()).sum();
        if entries as u64 * 6 + self.rows() * 8 > most {
            return None;
        }
        let (rows, compact) = one_after_another(self.rows() as usize, parts);
        Some(Table { parents: self.axes.clone(), rows, compact: Some(compact) })
    }
}
