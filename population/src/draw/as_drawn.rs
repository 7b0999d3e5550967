//! A variable of which no table was made when its evidence was: rows are worked out as they are drawn from, until so many
//! people are drawn that the table pays after all. Both draw the same people.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use crate::draw::kernels::Of;
use crate::infer::weighed::Weighed;
use crate::model::network::{Address, Table};

/// A table is made once one person for so many of its rows is to be drawn by it: what was worked out until then is no more than
/// the table takes, where a row takes so much longer by itself than among others.
const PAYS: u64 = 2;

/// What draws a variable.
#[derive(Debug)]
pub(super) struct AsDrawn {
    weighed: Weighed,
    /// How many people it was to draw so far.
    people: AtomicU64,
    /// Whether its table is being made, is made, or has no room.
    begun: AtomicBool,
    table: OnceLock<(Table, Address)>,
    /// The bytes that tables may take, of all variables and cases together.
    room: Arc<AtomicU64>,
}

impl AsDrawn {
    pub fn new(weighed: Weighed, room: Arc<AtomicU64>) -> AsDrawn {
        AsDrawn { weighed, people: AtomicU64::new(0), begun: AtomicBool::new(false), table: OnceLock::new(), room }
    }

    /// The variables that it is drawn given, however it is.
    pub fn parents(&self) -> impl Iterator<Item = usize> {
        self.weighed.parents()
    }

    /// What so many more people are drawn from. `own` is the variable's table in the network.
    pub fn source<'a>(&'a self, own: &'a Table, people: u64) -> Of<'a> {
        let all = self.people.fetch_add(people, Ordering::Relaxed).saturating_add(people);
        // Nobody waits for a table: a thread that waits for its parts may be asked to draw by it.
        if all.saturating_mul(PAYS) >= self.weighed.rows() && !self.begun.swap(true, Ordering::Relaxed) {
            self.make(own);
        }
        match self.table.get() {
            Some((table, address)) => {
                let guide = address.guide(&table.rows, people as usize);
                Of::Table { table, address, guide }
            }
            None => Of::Weighed(&self.weighed, own),
        }
    }

    fn make(&self, own: &Table) {
        let takes = self.weighed.would_take();
        let taken = self.room.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |room| room.checked_sub(takes));
        if taken.is_err() {
            return;
        }
        let table = self.weighed.table(own, takes);
        // With its guide.
        let holds = table.as_ref().map_or(0, |table| 8 * table.rows.entries() as u64 + 8 * self.weighed.rows());
        self.room.fetch_add(takes.saturating_sub(holds), Ordering::Relaxed);
        if let Some(table) = table {
            let address = Address::new(&table.parents);
            // It is set once, by whoever began it.
            let _ = self.table.set((table, address));
        }
    }

    #[cfg(test)]
    pub fn is_made(&self) -> bool {
        self.table.get().is_some()
    }
}
