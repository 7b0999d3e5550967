//! Counting the rows of a table in the cells of all figures at once.

use super::mapped::{MappedFigure, OUTSIDE, UNMATCHED};

/// What was counted for one figure.
#[derive(Debug, Clone, Default)]
pub(crate) struct FigureCount {
    /// The weight of the rows in each cell.
    pub cells: Vec<f64>,
    /// The weight of the rows in combinations of labels without a cell.
    pub elsewhere: f64,
    /// Rows in cells and elsewhere, their weight, and the sum of its squares.
    pub rows: u64,
    pub weight: f64,
    pub squares: f64,
    /// Rows that the figure does not cover.
    pub outside: u64,
    /// Rows with a value that is no level, or a NULL that stands for none.
    pub unmatched: u64,
}

impl FigureCount {
    pub fn new(figure: &MappedFigure) -> FigureCount {
        FigureCount { cells: vec![0.0; figure.expected.len()], ..FigureCount::default() }
    }

    /// Adds a batch: for each column of the figure the levels of its rows; and the weights of the rows, each 1 where none
    /// are given.
    pub fn add(&mut self, figure: &MappedFigure, columns: &[&[u32]], weights: Option<&[f64]>) {
        let rows = columns.first().map_or(0, |c| c.len());
        'rows: for row in 0..rows {
            let (mut key, mut unmatched) = (0, false);
            for (column, levels) in figure.columns.iter().zip(columns) {
                let last = column.offsets.len() - 1;
                match column.offsets[(levels[row] as usize).min(last)] {
                    OUTSIDE => {
                        self.outside += 1;
                        continue 'rows;
                    }
                    UNMATCHED => unmatched = true,
                    offset => key += offset,
                }
            }
            if unmatched {
                self.unmatched += 1;
                continue;
            }
            let weight = weights.map_or(1.0, |w| w[row]);
            match figure.index.get(key) {
                Some(cell) => self.cells[cell] += weight,
                None if figure.says_of_cells_alone => {
                    self.outside += 1;
                    continue;
                }
                None => self.elsewhere += weight,
            }
            self.rows += 1;
            self.weight += weight;
            self.squares += weight * weight;
        }
    }

    /// How many rows of equal weight would tell as much: (Σw)² / Σw² (Kish, Survey Sampling, 1965).
    pub fn effective(&self) -> f64 {
        if self.squares > 0.0 { self.weight * self.weight / self.squares } else { 0.0 }
    }
}
