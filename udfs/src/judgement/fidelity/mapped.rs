//! A figure, seen through the columns that a table has.

use std::collections::HashMap;

use populace_population::{Figure, FigureColumn, Pack, distance_from_margins, distance_of_shares};

/// No label: the figure does not cover this level.
pub(crate) const OUTSIDE: u64 = u64::MAX;
/// No level: a value that the variable does not have.
pub(crate) const UNMATCHED: u64 = u64::MAX - 1;
const NO_CELL: u32 = u32::MAX;

/// The most combinations of labels that are kept as a table; more are looked up.
const MAX_GRID: u64 = 1 << 22;

/// One column of a figure, as the table has it.
#[derive(Debug, Clone)]
pub(crate) struct MappedColumn {
    /// The name of the table's column, and of the variable.
    pub variable: String,
    pub labels: Vec<String>,
    /// What each level adds to the key of a row, or [`OUTSIDE`]; the last one is for values that are no level.
    pub offsets: Vec<u64>,
    /// The label of each cell.
    pub cells: Vec<u16>,
}

/// A figure whose cells are combinations of values that the table can have.
#[derive(Debug, Clone)]
pub(crate) struct MappedFigure {
    /// Whether the network was made to meet the figure in the last pass.
    pub binding: bool,
    pub columns: Vec<MappedColumn>,
    /// The share of the population in each cell, and in combinations of labels without one.
    pub expected: Vec<f64>,
    pub elsewhere: f64,
    /// Whether it says nothing of combinations that it has no cell for: rows there are outside of it.
    pub says_of_cells_alone: bool,
    /// The figure's own shares, where it has any.
    pub own: Option<Vec<f64>>,
    /// How far these are from what the network says: their total variation distance.
    pub drift: Option<f64>,
    pub index: CellIndex,
}

/// Which cell a key is.
#[derive(Debug, Clone)]
pub(crate) enum CellIndex {
    Grid(Vec<u32>),
    Map(HashMap<u64, u32>),
}

impl CellIndex {
    #[inline]
    pub fn get(&self, key: u64) -> Option<usize> {
        let cell = match self {
            CellIndex::Grid(grid) => grid.get(key as usize).copied().unwrap_or(NO_CELL),
            CellIndex::Map(map) => map.get(&key).copied().unwrap_or(NO_CELL),
        };
        (cell != NO_CELL).then_some(cell as usize)
    }
}

/// How a column of a figure is found in a table.
#[derive(Debug)]
pub(crate) enum ColumnMatch {
    /// The variable itself.
    Column,
    /// Another variable that the hidden one decides on: its name, and its level for each level of the hidden one.
    Shown(String, Vec<u16>),
    /// Not at all, but the figure covers everybody in this respect, so that its cells can be added up.
    Summed,
}

/// How each column of a figure is found in a table with these columns, or why it is not.
pub(crate) fn find(pack: &Pack, figure: &Figure, has: &dyn Fn(&str) -> bool) -> Result<Vec<ColumnMatch>, String> {
    let find = |column: &FigureColumn| {
        let Some(variable) = pack.variable(&column.variable) else {
            return Err(format!("`{}` is an item of a list", column.variable));
        };
        if has(&variable.name) {
            return Ok(ColumnMatch::Column);
        }
        if !variable.hidden {
            return Err(format!("the table has no column `{}`", variable.name));
        }
        if let Some((shown, levels)) = pack.shown_as(&variable.name) {
            return match has(&shown.name) {
                true => Ok(ColumnMatch::Shown(shown.name.clone(), levels)),
                false => Err(format!("the table has no column `{}`", shown.name)),
            };
        }
        match pack.labels_of_levels(column) {
            Ok(labels) if labels.iter().all(Option::is_some) => Ok(ColumnMatch::Summed),
            Ok(_) => Err(format!("it is of some levels of `{}` only, which is hidden", variable.name)),
            Err(error) => Err(error.to_string()),
        }
    };
    let found = figure.columns.iter().map(find).collect::<Result<Vec<_>, _>>()?;
    match found.iter().all(|f| matches!(f, ColumnMatch::Summed)) {
        true => Err("it is of hidden variables alone".into()),
        false => Ok(found),
    }
}

/// The labels that a column has in the table: their names, the label of each level, and of each of the figure's labels.
struct ColumnLabels {
    variable: String,
    names: Vec<String>,
    of_levels: Vec<Option<u16>>,
    of_labels: Vec<Option<u16>>,
}

/// Maps a figure onto a table.
pub(crate) fn map(
    pack: &Pack,
    figure: &Figure,
    found: &[ColumnMatch],
    expected: &populace_population::Expected,
) -> Result<MappedFigure, String> {
    let error = |e: populace_population::Error| e.to_string();
    let (codes, _) = figure.cells().map_err(error)?;
    let own = expected.own_shares(figure).map_err(error)?;
    let mut columns: Vec<(ColumnLabels, &Vec<u16>)> = vec![];
    for ((column, found), codes) in figure.columns.iter().zip(found).zip(&codes) {
        let of_levels = pack.labels_of_levels(column).map_err(error)?;
        match found {
            ColumnMatch::Summed => {}
            ColumnMatch::Column => {
                let of_labels = (0..column.labels.len()).map(|label| Some(label as u16)).collect();
                let (variable, names) = (column.variable.clone(), column.labels.to_vec());
                columns.push((ColumnLabels { variable, names, of_levels, of_labels }, codes));
            }
            ColumnMatch::Shown(shown, levels) => {
                let names = pack.variable(shown).map(|v| (0..v.len()).map(|level| v.label(level)).collect::<Vec<_>>());
                let merged = merge(&of_levels, column.labels.len(), levels, &names.unwrap_or_default());
                if merged.names.is_empty() {
                    return Err(format!("`{shown}` does not tell apart what it counts of `{}`", column.variable));
                }
                columns.push((ColumnLabels { variable: shown.clone(), ..merged }, codes));
            }
        }
    }
    let coarser = found.iter().any(|f| !matches!(f, ColumnMatch::Column));
    if coarser && expected.elsewhere > 1e-6 {
        return Err("it leaves out combinations of hidden levels".into());
    }
    let mut stride = 1u64;
    let mut strides = vec![];
    for (labels, _) in &columns {
        strides.push(stride);
        stride = match stride.checked_mul(labels.names.len().max(1) as u64) {
            Some(next) if next < UNMATCHED => next,
            _ => return Err("it has too many combinations of labels".into()),
        };
    }
    // Cells that the table cannot tell apart are one.
    let mut index: HashMap<u64, u32> = HashMap::new();
    let (mut shares, mut owns, mut cells) = (vec![], vec![], vec![vec![]; columns.len()]);
    for (cell, share) in expected.cells.iter().enumerate() {
        let labels = columns.iter().map(|(l, codes)| l.of_labels.get(usize::from(codes[cell])).copied().flatten());
        let Some(labels) = labels.collect::<Option<Vec<u16>>>() else { continue };
        let key = labels.iter().zip(&strides).map(|(label, stride)| u64::from(*label) * stride).sum();
        let at = *index.entry(key).or_insert(shares.len() as u32) as usize;
        if at == shares.len() {
            shares.push(0.0);
            owns.push(0.0);
            cells.iter_mut().zip(&labels).for_each(|(cells, label)| cells.push(*label));
        }
        shares[at] += share;
        owns[at] += own.as_ref().and_then(|own| own.get(cell)).copied().unwrap_or(0.0);
    }
    let index = match stride <= MAX_GRID {
        true => {
            let mut grid = vec![NO_CELL; stride as usize];
            index.into_iter().for_each(|(key, cell)| grid[key as usize] = cell);
            CellIndex::Grid(grid)
        }
        false => CellIndex::Map(index),
    };
    let mut mapped = vec![];
    for (((labels, _), stride), cells) in columns.into_iter().zip(&strides).zip(cells) {
        let offset = |label: &Option<u16>| label.map_or(OUTSIDE, |label| u64::from(label) * stride);
        let mut offsets: Vec<u64> = labels.of_levels.iter().map(offset).collect();
        offsets.push(UNMATCHED);
        mapped.push(MappedColumn { variable: labels.variable, labels: labels.names, offsets, cells });
    }
    let own = own.map(|_| owns);
    Ok(MappedFigure {
        binding: figure.fits.last().is_some_and(|fit| fit.binding),
        columns: mapped,
        drift: own.as_ref().and_then(|own| distance_of_shares(own, &shares)),
        expected: shares,
        elsewhere: expected.elsewhere,
        says_of_cells_alone: false,
        own,
        index,
    })
}

/// The finest labels that both a figure and a shown variable can tell: labels that share a shown level are one, and one
/// that shares a level with what the figure does not cover is none.
fn merge(of_levels: &[Option<u16>], labels: usize, shown: &[u16], names: &[String]) -> ColumnLabels {
    // The group of each label, of what is not covered (at `labels`), and of each shown level after it.
    let mut group: Vec<usize> = (0..labels + 1 + names.len()).collect();
    for (label, shown) in of_levels.iter().zip(shown) {
        let (a, b) = (group[label.map_or(labels, usize::from)], group[labels + 1 + usize::from(*shown)]);
        group.iter_mut().filter(|g| **g == a).for_each(|g| *g = b);
    }
    let uncovered = group[labels];
    let mut merged = ColumnLabels { variable: String::new(), names: vec![], of_levels: vec![], of_labels: vec![] };
    let mut number: HashMap<usize, u16> = HashMap::new();
    for at in group[..labels].iter().filter(|g| **g != uncovered) {
        if !number.contains_key(at) {
            number.insert(*at, merged.names.len() as u16);
            let of_group =
                names.iter().zip(&group[labels + 1..]).filter(|(_, g)| *g == at).map(|(name, _)| name.as_str());
            merged.names.push(of_group.collect::<Vec<_>>().join(" or "));
        }
    }
    merged.of_labels = group[..labels].iter().map(|g| number.get(g).copied()).collect();
    merged.of_levels = group[labels + 1..].iter().map(|g| number.get(g).copied()).collect();
    merged
}

impl MappedFigure {
    /// The same, of which its own shares are expected, not the network's.
    ///
    /// # Errors
    /// If it has none.
    pub fn by_itself(self) -> Result<MappedFigure, String> {
        let Some(own) = self.own.clone().filter(|own| own.iter().sum::<f64>() > 0.0) else {
            return Err("it has no shares of its own".into());
        };
        let (covered, total) = (self.expected.iter().sum::<f64>(), own.iter().sum::<f64>());
        let expected = own.iter().map(|share| share / total * covered).collect();
        Ok(MappedFigure { binding: true, expected, elsewhere: 0.0, says_of_cells_alone: true, ..self })
    }

    /// How far what is expected would be from people in whom the columns have nothing to do with each other, but each its
    /// margin; `None` of one column.
    pub fn baseline(&self) -> Option<f64> {
        let labels: Vec<&[u16]> = self.columns.iter().map(|column| column.cells.as_slice()).collect();
        distance_from_margins(&labels, &self.expected)
    }

    /// The names of its columns, as the table has them.
    pub fn variables(&self) -> String {
        self.columns.iter().map(|c| c.variable.as_str()).collect::<Vec<_>>().join(", ")
    }

    /// A cell in words: `state=CA, sex=Female`.
    pub fn cell(&self, cell: usize) -> String {
        let label = |column: &MappedColumn| {
            let label = column.cells.get(cell).and_then(|label| column.labels.get(usize::from(*label)));
            format!("{}={}", column.variable, label.map_or("", String::as_str))
        };
        self.columns.iter().map(label).collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_merge_where_the_shown_variable_does_not_tell_them_apart() {
        let names = ["never", "present", "separated"].map(String::from);
        // Hidden levels: never, present, absent, separated; the figure tells all apart.
        let merged = merge(&[Some(0), Some(1), Some(2), Some(3)], 4, &[0, 1, 2, 2], &names);
        assert_eq!(merged.names, ["never", "present", "separated"]);
        assert_eq!(merged.of_labels, [Some(0), Some(1), Some(2), Some(2)]);
        assert_eq!(merged.of_levels, [Some(0), Some(1), Some(2)]);
        // The figure takes present and absent together: so are present and separated.
        let merged = merge(&[Some(0), Some(1), Some(1), Some(2)], 3, &[0, 1, 2, 2], &names);
        assert_eq!(merged.names, ["never", "present or separated"]);
        assert_eq!(merged.of_labels, [Some(0), Some(1), Some(1)]);
        // The figure leaves the absent out, who are shown as separated.
        let merged = merge(&[Some(0), Some(1), None, Some(2)], 3, &[0, 1, 2, 2], &names);
        assert_eq!(merged.names, ["never", "present"]);
        assert_eq!(merged.of_levels, [Some(0), Some(1), None]);
    }
}
