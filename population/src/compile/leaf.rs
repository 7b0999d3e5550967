//! Leaves: sparse tables read straight from figures, and functions of one parent.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;

use super::figure::{Figure, read_levels};
use super::manifest::MapSection;
use super::places::source;
use crate::error::Result;
use crate::model::network::{Network, Rows, Table, quantise};
use crate::model::potential::{Axis, cells, strides};
use crate::model::variable::Variable;

/// One figure of a leaf, indexed by the configuration of the parents that it has columns for.
struct Indexed {
    /// For each parent that the figure has a column for: its position, and the label of each class.
    parents: Vec<(usize, Vec<Option<u16>>)>,
    rows: HashMap<Vec<u16>, BTreeMap<u16, f64>>,
    /// The levels that occur anywhere in the figure.
    levels: HashSet<u16>,
}

impl Indexed {
    fn new(figure: &Figure, own: usize, parents: &[Axis], variables: &[Variable], place: &str) -> Result<Indexed> {
        let own_column = figure.column(own).ok_or_else(|| {
            source(place, format!("table `{}` has no column for `{}`", figure.name, variables[own].name))
        })?;
        if figure.columns[own_column].labels.iter().enumerate().any(|(code, _)| {
            figure.columns[own_column].label_of.iter().filter(|l| **l == Some(code as u16)).count() > 1
        }) {
            return Err(source(
                place,
                format!("table `{}` must name single levels of `{}`", figure.name, variables[own].name),
            ));
        }
        let mut level_of = vec![0u16; figure.columns[own_column].labels.len()];
        for (level, code) in figure.columns[own_column].label_of.iter().enumerate() {
            if let Some(code) = code {
                level_of[usize::from(*code)] = level as u16;
            }
        }
        let mut columns = vec![];
        for (at, column) in figure.columns.iter().enumerate().filter(|(at, _)| *at != own_column) {
            let parent = parents.iter().position(|p| p.variable == column.variable).ok_or_else(|| {
                source(
                    place,
                    format!(
                        "table `{}` has a column for `{}`, which is no parent",
                        figure.name, variables[column.variable].name
                    ),
                )
            })?;
            columns.push((at, parent, figure.class_labels(at, &parents[parent].partition, variables)?));
        }
        let mut rows: HashMap<Vec<u16>, BTreeMap<u16, f64>> = HashMap::new();
        let mut levels = HashSet::new();
        for (cell, value) in figure.values.iter().enumerate() {
            let key = columns.iter().map(|(at, ..)| figure.codes[*at][cell]).collect();
            let level = level_of[usize::from(figure.codes[own_column][cell])];
            levels.insert(level);
            *rows.entry(key).or_default().entry(level).or_insert(0.0) += value;
        }
        let parents = columns.into_iter().map(|(_, parent, labels)| (parent, labels)).collect();
        Ok(Indexed { parents, rows, levels })
    }

    /// The key of a configuration, given by the class of each parent; `None` outside the figure.
    fn key(&self, classes: &[usize]) -> Option<Vec<u16>> {
        self.parents.iter().map(|(parent, labels)| labels[classes[*parent]]).collect()
    }
}

/// A node that is not fitted.
pub(super) enum Leaf {
    Function(Table),
    /// Read from figures, row by row; what a row without a cell takes depends on who the parents are.
    Rows {
        parents: Vec<Axis>,
        rows: Vec<Row>,
    },
}

/// P(level | parents) ∝ the product of the tables' cells. The first table says which levels are possible; where a
/// further table lacks a level altogether, its mean over the levels it has stands in.
pub(super) fn rows(
    own: usize,
    parents: Vec<Axis>,
    tables: &[&Figure],
    variables: &[Variable],
    place: &str,
) -> Result<Leaf> {
    let indexed =
        tables.iter().map(|t| Indexed::new(t, own, &parents, variables, place)).collect::<Result<Vec<_>>>()?;
    let (first, further) = indexed.split_first().ok_or_else(|| source(place, "`tables` is empty"))?;
    let means: Vec<HashMap<Vec<u16>, f64>> = further
        .iter()
        .map(|t| {
            let mean = |row: &BTreeMap<u16, f64>| row.values().sum::<f64>() / row.len() as f64;
            t.rows.iter().map(|(key, row)| (key.clone(), mean(row))).collect()
        })
        .collect();
    let strides = strides(&parents);
    let configs = cells(&parents) as usize;
    let mut rows: Vec<Vec<(u16, f64)>> = Vec::with_capacity(configs);
    for config in 0..configs {
        let classes: Vec<usize> =
            parents.iter().zip(&strides).map(|(p, s)| config / s % p.partition.classes()).collect();
        let mut row = vec![];
        for (level, weight) in first.key(&classes).and_then(|k| first.rows.get(&k)).into_iter().flatten() {
            let mut weight = *weight;
            for (table, means) in further.iter().zip(&means) {
                // A configuration outside a further table is left as the others have it.
                let Some(key) = table.key(&classes) else { continue };
                weight *= match table.rows.get(&key).and_then(|r| r.get(level)) {
                    Some(w) => *w,
                    None if table.levels.contains(level) => 0.0,
                    None => means.get(&key).copied().unwrap_or(0.0),
                };
            }
            if weight > 0.0 {
                row.push((*level, weight));
            }
        }
        rows.push(row);
    }
    if rows.iter().all(Vec::is_empty) {
        return Err(source(place, "its tables have no cell above 0"));
    }
    Ok(Leaf::Rows { parents, rows })
}

impl Leaf {
    /// The node's table, drawn after the network so far. A configuration without any cell takes what those have together
    /// that differ from it in the last parent, then in the last two, and so on: the mean of their rows, by how many
    /// people are in each.
    pub fn table(&self, network: &Network) -> Result<Table> {
        let (parents, rows) = match self {
            Leaf::Function(table) => return Ok(table.clone()),
            Leaf::Rows { parents, rows } => (parents, rows),
        };
        let known = match rows.iter().any(Vec::is_empty) {
            true => network.marginal(parents, crate::infer::elimination::MAX_CELLS),
            false => None,
        };
        // Where there are too many for memory, or nobody asks, each row stands for its own weights.
        let weights = |row: &Row| row.iter().map(|(_, weight)| weight).sum();
        let population = known.map_or_else(|| rows.iter().map(weights).collect(), |factor| factor.values);
        let (mut offsets, mut levels, mut thresholds) = (vec![0], vec![], vec![]);
        for row in fall_back(rows, parents, &population) {
            let weights: Vec<f64> = row.iter().map(|(_, w)| *w).collect();
            quantise(&weights, &mut thresholds);
            levels.extend(row.iter().map(|(level, _)| *level));
            offsets.push(levels.len() as u32);
        }
        Ok(Table { parents: parents.clone(), rows: Rows::Sparse { offsets, levels, thresholds }, compact: None })
    }
}

type Row = Vec<(u16, f64)>;

/// The rows, those without a cell from the ones around them. Only rows that were read are pooled, never one that was
/// itself a pool.
fn fall_back<'a>(rows: &'a [Row], parents: &[Axis], population: &[f64]) -> Vec<Cow<'a, Row>> {
    let mut filled: Vec<Cow<Row>> = rows.iter().map(Cow::Borrowed).collect();
    let mut span = 1;
    for axis in parents.iter().rev() {
        span *= axis.partition.classes();
        for (at, group) in rows.chunks(span).enumerate() {
            let range = at * span..at * span + group.len();
            if filled[range.clone()].iter().all(|r| !r.is_empty()) || group.iter().all(Vec::is_empty) {
                continue;
            }
            let pooled = pool(group, &population[range.clone()]);
            filled[range].iter_mut().filter(|r| r.is_empty()).for_each(|r| *r = Cow::Owned(pooled.clone()));
        }
    }
    filled
}

/// The mean of some rows by their population; where nobody is in any of them, each counts alike.
fn pool(rows: &[Row], population: &[f64]) -> Row {
    let read = || rows.iter().zip(population).filter(|(row, _)| !row.is_empty());
    let nobody = read().all(|(_, mass)| *mass <= 0.0);
    let mut sum: BTreeMap<u16, f64> = BTreeMap::new();
    for (row, mass) in read() {
        let mass = if nobody { 1.0 } else { *mass };
        let total: f64 = row.iter().map(|(_, weight)| weight).sum();
        for (level, weight) in row.iter().filter(|_| mass > 0.0) {
            *sum.entry(*level).or_insert(0.0) += mass * weight / total;
        }
    }
    sum.into_iter().collect()
}

/// A variable that is a function of its one parent.
pub(super) fn function(
    dir: &Path,
    own: usize,
    parents: Vec<Axis>,
    map: &MapSection,
    variables: &[Variable],
    place: &str,
) -> Result<Table> {
    let [parent] = &parents[..] else {
        return Err(source(place, "a map takes exactly one parent"));
    };
    if !parent.partition.is_finest() {
        return Err(source(place, "a map's parent is taken in its own levels, without a grouping"));
    }
    let (from, to) = (&variables[parent.variable], &variables[own]);
    let mut levels: Vec<Option<u16>> = vec![None; from.len()];
    // No level of the parent has two images.
    let set = |levels: &mut [Option<u16>], at: usize, image: u16, place: &str| match levels[at].replace(image) {
        None => Ok(()),
        Some(before) => {
            let message = format!(
                "{} is mapped twice, to `{}` and to `{}`",
                from.label(at),
                to.label(usize::from(before)),
                to.label(usize::from(image))
            );
            Err(source(place, message))
        }
    };
    let target = |label: &str| {
        to.level(label).map(|l| l as u16).ok_or_else(|| source(place, to.unknown_level(label).to_string()))
    };
    match (&map.file, &map.column, &map.groups, &map.bands) {
        (Some(file), Some(column), None, None) => {
            for row in read_levels(dir, file, column)? {
                let place = format!("{file}:{}", row.line);
                let unknown = |e: crate::Error| source(&place, e.to_string());
                let at = from.level(&row.level).ok_or_else(|| unknown(from.unknown_level(&row.level)))?;
                let to = to.level(&row.value).ok_or_else(|| unknown(to.unknown_level(&row.value)))?;
                set(&mut levels, at, to as u16, &place)?;
            }
        }
        (None, None, Some(groups), None) => {
            for (label, members) in groups {
                for member in members {
                    let at = from.level(member).ok_or_else(|| source(place, from.unknown_level(member).to_string()))?;
                    set(&mut levels, at, target(label)?, place)?;
                }
            }
        }
        (None, None, None, Some(bands)) => {
            for (label, band) in bands {
                let (range, straddles) = from
                    .band(band)
                    .ok_or_else(|| source(place, format!("`{band}` is not a band of `{}`", from.name)))?;
                if straddles {
                    let message = format!("band `{band}` reaches outside the range of `{}`", from.name);
                    return Err(source(place, message));
                }
                for at in range {
                    set(&mut levels, at, target(label)?, place)?;
                }
            }
        }
        _ => {
            return Err(source(place, "a map is given by `file` and `column`, by `groups`, or by `bands`"));
        }
    }
    if let Some(missing) = levels.iter().position(Option::is_none) {
        return Err(source(place, format!("the map says nothing of {} = {}", from.name, from.label(missing))));
    }
    let levels = levels.into_iter().flatten().collect();
    Ok(Table { parents, rows: Rows::Function { levels }, compact: None })
}
