//! The values of a numeric column, counted in memory that does not grow with the rows.

use std::collections::BTreeMap;

/// The most different values that are kept apart.
const MOST: usize = 10_000;
/// The most different values that are compared one by one; more are put in bands.
const MOST_LEVELS: usize = 100;
/// How many bands.
const BANDS: usize = 10;

/// Counts of values in two tables. Beyond 10,000 different ones, neighbours that differ in their last binary digits alone
/// are counted together: as few digits as need be, so that the order of the rows changes nothing.
#[derive(Debug, Default)]
pub(crate) struct Numbers {
    /// By their place in the order of numbers, without the last `dropped` digits
    counts: BTreeMap<u64, [f64; 2]>,
    dropped: u32,
    nulls: [f64; 2],
}

impl Numbers {
    /// Counts a value of table 0 or 1, by its weight.
    pub fn add(&mut self, table: usize, value: Option<f64>, weight: f64) {
        let Some(value) = value else {
            self.nulls[table] += weight;
            return;
        };
        self.counts.entry(place(value) >> self.dropped).or_default()[table] += weight;
        while self.counts.len() > MOST {
            let mut coarser: BTreeMap<u64, [f64; 2]> = BTreeMap::new();
            for (key, [a, b]) in std::mem::take(&mut self.counts) {
                let count = coarser.entry(key >> 1).or_default();
                *count = [count[0] + a, count[1] + b];
            }
            self.counts = coarser;
            self.dropped += 1;
        }
    }

    /// The counts of each value, or of ten bands with about as many rows in each, of both tables together; NULL last.
    pub fn cells(&self) -> (Cells, bool) {
        let banded = self.counts.len() > MOST_LEVELS;
        let mut cells: Cells = vec![];
        if banded {
            let total: f64 = self.counts.values().map(|[a, b]| a + b).sum();
            let mut before = 0.0;
            for [a, b] in self.counts.values() {
                let band = ((before / total * BANDS as f64) as usize).min(BANDS - 1);
                cells.resize(cells.len().max(band + 1), [0.0, 0.0]);
                cells[band] = [cells[band][0] + a, cells[band][1] + b];
                before += a + b;
            }
            cells.retain(|c| *c != [0.0, 0.0]);
        } else {
            cells.extend(self.counts.values());
        }
        if self.nulls != [0.0, 0.0] {
            cells.push(self.nulls);
        }
        (cells, banded)
    }
}

/// For each cell, its rows in either table, by their weights.
pub(crate) type Cells = Vec<[f64; 2]>;

/// Numbers in their order, as integers.
fn place(value: f64) -> u64 {
    // Both zeros are one.
    let bits = (value + 0.0).to_bits();
    if bits >> 63 == 1 { !bits } else { bits | 1 << 63 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_values_are_levels() {
        let mut numbers = Numbers::default();
        for (table, value) in
            [(0, Some(3.0)), (1, Some(-2.5)), (0, Some(3.0)), (1, None), (0, Some(0.0)), (1, Some(-0.0))]
        {
            numbers.add(table, value, 1.0);
        }
        assert_eq!(numbers.cells(), (vec![[0.0, 1.0], [1.0, 1.0], [2.0, 0.0], [0.0, 1.0]], false));
    }

    #[test]
    fn many_values_are_bands() {
        let mut numbers = Numbers::default();
        (0..50_000u64).for_each(|i| numbers.add((i % 2) as usize, Some((i * 7919 % 50_000) as f64), 1.0));
        let (cells, banded) = numbers.cells();
        assert!(banded && numbers.counts.len() <= MOST);
        assert_eq!(cells.len(), BANDS);
        assert_eq!(cells.iter().flatten().sum::<f64>(), 50_000.0);
        assert!(cells.iter().all(|[a, b]| (a + b - 5000.0).abs() < 100.0), "{cells:?}");
        let mut reversed = Numbers::default();
        (0..50_000u64).rev().for_each(|i| reversed.add((i % 2) as usize, Some((i * 7919 % 50_000) as f64), 1.0));
        assert_eq!(reversed.cells().0, cells);
    }

    #[test]
    fn any_number_is_taken() {
        let mut numbers = Numbers::default();
        [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, f64::MIN_POSITIVE]
            .into_iter()
            .for_each(|x| numbers.add(0, Some(x), 1.0));
        assert_eq!(numbers.cells().0.len(), 5);
        assert_eq!(Numbers::default().cells().0.len(), 0);
    }
}
