//! The margins that a table is raked to: cells with their shares, and the cell that each row counts in.

use arrow::array::{ArrayRef, RecordBatch};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::common::{Result, exec_err};
use populace_population::Pack;

use super::strata::CountryStrata;
use crate::judgement::domain::Domain;
use crate::judgement::fidelity::levels::levels;
use crate::judgement::fidelity::mapped::{ColumnMatch, MappedFigure, OUTSIDE, UNMATCHED, map};
use crate::samples::strata::Strata;

/// A margin with its shares, in the cells of a table.
pub(crate) struct Margin {
    pub name: String,
    /// The share of the country's people in each cell, those outside of a figure in one of their own; they add up to 1
    pub shares: Vec<f64>,
    of: MarginCells,
    /// Where its columns are among those that are read
    columns: Vec<usize>,
}

enum MarginCells {
    Figure(Box<MappedFigure>),
    Strata(Strata),
}

impl Margin {
    /// A figure of a country, as the country's network has it. `columns` are those of [`MappedFigure::columns`].
    pub fn of_figure(
        domain: &Domain,
        at: usize,
        found: &[ColumnMatch],
        place: impl Fn(&str) -> usize,
    ) -> std::result::Result<Margin, String> {
        let pack = &domain.pack;
        let figure = &pack.figures()[at];
        let expected = domain.expected(&[figure]).pop().ok_or("nothing is expected of it")??;
        let mapped = map(pack, figure, found, &expected)?;
        let mut shares = mapped.expected.clone();
        shares.push(mapped.elsewhere);
        let outside = 1.0 - shares.iter().sum::<f64>();
        // Rounding, where the figure is of everybody.
        shares.push(if outside > 1e-12 { outside } else { 0.0 });
        let columns = mapped.columns.iter().map(|c| place(&c.variable)).collect();
        Ok(Margin { name: figure.name.clone(), shares, of: MarginCells::Figure(Box::new(mapped)), columns })
    }

    /// Strata of a country, whose values are read in these columns.
    pub fn of_strata(domain: &Domain, strata: &CountryStrata, columns: Vec<usize>) -> Result<Margin> {
        let (numbers, shares) = strata.of_country(domain)?;
        Ok(Margin { name: strata.text(), shares, of: MarginCells::Strata(numbers), columns })
    }

    /// The cell of each row of a batch.
    pub fn cells(&mut self, function: &str, batch: &RecordBatch, pack: &Pack) -> Result<Vec<u32>> {
        let columns: Vec<ArrayRef> = self.columns.iter().map(|at| batch.column(*at).clone()).collect();
        let rows = batch.num_rows();
        match &mut self.of {
            MarginCells::Strata(strata) => {
                let cells = strata.known(&columns, rows)?;
                if let Some(row) = cells.iter().position(Option::is_none) {
                    let values = columns.iter().map(|c| Ok(shown(c, row)?)).collect::<Result<Vec<_>>>()?;
                    return exec_err!(
                        "{function}: a row is of the stratum {} of {}, in which the country has nobody; filter such rows \
                         in a subquery, or mend them: validate(table) names values that are none of the country's",
                        values.join(" | "),
                        self.name
                    );
                }
                Ok(cells.into_iter().flatten().map(|cell| cell as u32).collect())
            }
            MarginCells::Figure(mapped) => {
                let mut keys = vec![0u64; rows];
                for (column, values) in mapped.columns.iter().zip(&columns) {
                    let Some(variable) = pack.variable(&column.variable) else {
                        return exec_err!("{function}: a variable is missing");
                    };
                    let last = column.offsets.len() - 1;
                    for (row, level) in levels(values, variable)?.into_iter().enumerate() {
                        keys[row] = match (keys[row], column.offsets[(level as usize).min(last)]) {
                            (_, UNMATCHED) => {
                                let value = shown(values, row)?;
                                return exec_err!(
                                    "{function}: a row has {value} in `{}`, which is no level of it in the country; \
                                     filter such rows in a subquery, or mend them",
                                    column.variable
                                );
                            }
                            (OUTSIDE, _) | (_, OUTSIDE) => OUTSIDE,
                            (key, offset) => key + offset,
                        };
                    }
                }
                let elsewhere = mapped.expected.len();
                let cell = |key: u64| match key {
                    OUTSIDE => elsewhere + 1,
                    key => mapped.index.get(key).unwrap_or(elsewhere),
                };
                Ok(keys.into_iter().map(|key| cell(key) as u32).collect())
            }
        }
    }

    /// What a cell is called.
    pub fn cell(&self, cell: usize) -> String {
        match &self.of {
            MarginCells::Figure(mapped) if cell < mapped.expected.len() => mapped.cell(cell),
            MarginCells::Figure(mapped) if cell == mapped.expected.len() => "a combination without a cell".into(),
            MarginCells::Figure(_) => "those outside of the figure".into(),
            MarginCells::Strata(strata) => strata
                .labels()
                .ok()
                .and_then(|mut labels| (cell < labels.len()).then(|| labels.swap_remove(cell)))
                .unwrap_or_default(),
        }
    }
}

fn shown(column: &ArrayRef, row: usize) -> std::result::Result<String, arrow::error::ArrowError> {
    let options = FormatOptions::default().with_null("NULL");
    Ok(ArrayFormatter::try_new(column.as_ref(), &options)?.value(row).to_string())
}
