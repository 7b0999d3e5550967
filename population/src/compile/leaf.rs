//! Leaves: sparse tables read straight from figures, and functions of one parent.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;

use super::figure::{Figure, read_levels};
use super::manifest::MapSection;
use crate::error::{Error, Result};
use crate::model::network::{Rows, Table, quantise};
use crate::model::potential::{Axis, cells, strides};
use crate::model::variable::Variable;

fn source(place: &str, message: impl Into<String>) -> Error {
    Error::Source { place: place.to_string(), message: message.into() }
}

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

/// P(level | parents) ∝ the product of the tables' cells. The first table says which levels are possible; where a
/// further table lacks a level altogether, its mean over the levels it has stands in. A configuration without any cell
/// takes the sum over the last parent's classes, then the last two, and so on.
pub(super) fn table(
    own: usize,
    parents: Vec<Axis>,
    tables: &[&Figure],
    variables: &[Variable],
    place: &str,
) -> Result<Table> {
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
    fall_back(&mut rows, &parents);
    let (mut offsets, mut levels, mut thresholds) = (vec![0], vec![], vec![]);
    for row in rows {
        if row.is_empty() {
            return Err(source(place, "its tables have no cell above 0"));
        }
        let weights: Vec<f64> = row.iter().map(|(_, w)| *w).collect();
        quantise(&weights, &mut thresholds);
        levels.extend(row.into_iter().map(|(level, _)| level));
        offsets.push(levels.len() as u32);
    }
    Ok(Table { parents, rows: Rows::Sparse { offsets, levels, thresholds }, compact: None })
}

fn fall_back(rows: &mut [Vec<(u16, f64)>], parents: &[Axis]) {
    let mut span = 1;
    for axis in parents.iter().rev() {
        span *= axis.partition.classes();
        for group in rows.chunks_mut(span) {
            if group.iter().all(|r| !r.is_empty()) {
                continue;
            }
            let mut sum: BTreeMap<u16, f64> = BTreeMap::new();
            group.iter().flatten().for_each(|(level, weight)| *sum.entry(*level).or_insert(0.0) += weight);
            let pooled: Vec<(u16, f64)> = sum.into_iter().collect();
            group.iter_mut().filter(|r| r.is_empty()).for_each(|r| r.clone_from(&pooled));
        }
    }
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
                levels[at] = Some(to as u16);
            }
        }
        (None, None, Some(groups), None) => {
            for (label, members) in groups {
                for member in members {
                    let at = from.level(member).ok_or_else(|| source(place, from.unknown_level(member).to_string()))?;
                    levels[at] = Some(target(label)?);
                }
            }
        }
        (None, None, None, Some(bands)) => {
            for (label, band) in bands {
                let (band, _) = from
                    .band(band)
                    .ok_or_else(|| source(place, format!("`{band}` is not a band of `{}`", from.name)))?;
                levels[band].fill(Some(target(label)?));
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
