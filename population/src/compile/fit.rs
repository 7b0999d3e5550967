//! Fitting a node: its table given its parents, of maximum entropy under the figures named for it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::figure::Figure;
use super::manifest::{Levels as ZeroLevels, NodeSection};
use super::met::{Binding, RELATIVE, Verdict};
use super::places::source;
use crate::compile::raking::{Margin, OUTSIDE, rake_within};
use crate::error::{Error, Result};
use crate::model::network::{Network, Rows, Table, quantise};
use crate::model::partition::Partition;
use crate::model::potential::{Axis, cells};
use crate::model::variable::Variable;
use crate::pack::Fit;

/// The most cells of a joint table that is raked.
const MAX_JOINT: u128 = 16 << 20;

/// A figure that a node is to meet.
pub(super) struct Target<'a> {
    pub figure: Cow<'a, Figure>,
    /// Whether it is a sum of the figure that was named, which tells of less than that figure does
    pub summed: bool,
    /// The variables within which its shares hold; none if it is a joint margin.
    pub given: Vec<usize>,
    pub pass: Option<&'a str>,
}

/// Everything about a node that does not change between passes.
pub(super) struct Fitting<'a> {
    pub section: &'a NodeSection,
    pub variables: &'a [Variable],
    pub variable: usize,
    pub parents: Vec<Axis>,
    pub targets: Vec<Target<'a>>,
    pub seed: Option<(&'a Figure, f64)>,
}

/// A fitted node: its table as probabilities, rows × levels, and how it meets its figures.
pub(super) struct Fitted {
    pub conditional: Vec<f64>,
    pub table: Table,
    pub fits: Vec<(String, Fit)>,
    /// What is not wrong, and yet better known.
    pub notices: Vec<String>,
}

impl Fitting<'_> {
    fn place(&self) -> String {
        format!("pack.toml, node `{}`", self.section.variable)
    }

    fn width(&self) -> usize {
        self.variables[self.variable].len()
    }

    /// The parents, then the node's own variable: the axes of the joint table.
    fn axes(&self) -> Vec<Axis> {
        let own = Axis { variable: self.variable, partition: Partition::finest(self.width()) };
        self.parents.iter().cloned().chain([own]).collect()
    }

    /// Which cells of the joint table fall in which cell of a figure.
    fn cell_map(&self, figure: &Figure) -> Result<Vec<u32>> {
        let axes = self.axes();
        let total = cells(&axes) as usize;
        let mut index = std::collections::HashMap::new();
        for cell in 0..figure.values.len() {
            let key: Vec<u16> = figure.codes.iter().map(|c| c[cell]).collect();
            index.insert(key, cell as u32);
        }
        let mut labels: Vec<(usize, Vec<Option<u16>>)> = vec![];
        for (at, column) in figure.columns.iter().enumerate() {
            let axis = axes.iter().position(|a| a.variable == column.variable).ok_or_else(|| {
                let name = &self.variables[column.variable].name;
                let message = format!(
                    "figure `{}` has a column for `{name}`, which is neither this node's variable nor a parent; only \
                         counts of every cell can be summed over it",
                    figure.name
                );
                source(self.place(), message)
            })?;
            labels.push((axis, figure.class_labels(at, &axes[axis].partition, self.variables)?));
        }
        let strides = crate::model::potential::strides(&axes);
        let mut map = Vec::with_capacity(total);
        let mut key = vec![0; labels.len()];
        for cell in 0..total {
            let mut inside = true;
            for ((axis, labels), key) in labels.iter().zip(&mut key) {
                let class = cell / strides[*axis] % axes[*axis].partition.classes();
                match labels[class] {
                    Some(label) => *key = label,
                    None => inside = false,
                }
            }
            map.push(if inside { index.get(&key).copied().unwrap_or(OUTSIDE) } else { OUTSIDE });
        }
        Ok(map)
    }

    fn margin(&self, target: &Target) -> Result<Margin> {
        let figure = target.figure.as_ref();
        let cell = self.cell_map(figure)?;
        let given: Vec<usize> = target
            .given
            .iter()
            .map(|v| {
                figure.column(*v).ok_or_else(|| {
                    let message = format!(
                        "figure `{}` has no column for `{}`, named in `given`",
                        figure.name, self.variables[*v].name
                    );
                    source(self.place(), message)
                })
            })
            .collect::<Result<_>>()?;
        let mut groups: BTreeMap<Vec<u16>, (u32, f64)> = BTreeMap::new();
        let mut group = vec![];
        for (at, value) in figure.values.iter().enumerate() {
            let key: Vec<u16> = given.iter().map(|c| figure.codes[*c][at]).collect();
            let next = groups.len() as u32;
            let entry = groups.entry(key).or_insert((next, 0.0));
            entry.1 += value;
            group.push(entry.0);
        }
        let mut totals = vec![0.0; groups.len()];
        groups.values().for_each(|(g, total)| totals[*g as usize] = *total);
        // A group without anybody says nothing about shares.
        let empty = |c: u32| c != OUTSIDE && totals[group[c as usize] as usize] <= 0.0;
        let cell = cell.into_iter().map(|c| if empty(c) { OUTSIDE } else { c }).collect();
        let share = figure
            .values
            .iter()
            .zip(&group)
            .map(|(v, g)| if totals[*g as usize] > 0.0 { v / totals[*g as usize] } else { 0.0 })
            .collect();
        Ok(Margin { cell, group, share, groups: totals.len() })
    }

    /// Where structural zeros forbid a cell.
    fn forbidden(&self) -> Result<Vec<bool>> {
        let axes = self.axes();
        let strides = crate::model::potential::strides(&axes);
        let total = cells(&axes) as usize;
        let mut forbidden = vec![false; total];
        for zero in &self.section.zeros {
            let mut tests: Vec<(usize, Vec<bool>)> = vec![];
            for (name, levels) in zero {
                let variable = crate::model::variable::find(self.variables, name)
                    .map_err(|e| source(self.place(), e.to_string()))?;
                let axis = axes.iter().position(|a| a.variable == variable).ok_or_else(|| {
                    source(
                        self.place(),
                        format!("a structural zero names `{name}`, which is neither this node's variable nor a parent"),
                    )
                })?;
                let v = &self.variables[variable];
                let names = match levels {
                    ZeroLevels::One(one) => std::slice::from_ref(one),
                    ZeroLevels::Many(many) => many,
                };
                let mut mask = vec![false; v.len()];
                for name in names {
                    match v.band(name) {
                        Some((band, _)) => mask[band].fill(true),
                        None => {
                            let level =
                                v.level(name).ok_or_else(|| source(self.place(), v.unknown_level(name).to_string()))?;
                            mask[level] = true;
                        }
                    }
                }
                let members = axes[axis].partition.members();
                let classes = members.iter().map(|levels| {
                    let hit = levels.iter().filter(|l| mask[**l]).count();
                    if hit != 0 && hit != levels.len() {
                        let message = format!("a structural zero on `{}` cuts through the class of {}; the parent's grouping must split there", v.name, v.label(levels[0]));
                        return Err(source(self.place(), message));
                    }
                    Ok(hit != 0)
                });
                tests.push((axis, classes.collect::<Result<_>>()?));
            }
            for (cell, forbidden) in forbidden.iter_mut().enumerate() {
                let hit = |(axis, classes): &(usize, Vec<bool>)| classes[cell / strides[*axis] % classes.len()];
                *forbidden |= tests.iter().all(hit);
            }
        }
        Ok(forbidden)
    }

    /// The table before any figure: the seed's densities, or all alike.
    fn seed(&self) -> Result<Vec<f64>> {
        let total = cells(&self.axes()) as usize;
        let Some((figure, smoothing)) = self.seed else {
            return Ok(vec![1.0; total]);
        };
        let map = self.cell_map(figure)?;
        let mut covered = vec![0usize; figure.values.len()];
        map.iter().filter(|c| **c != OUTSIDE).for_each(|c| covered[*c as usize] += 1);
        let density = |c: u32| {
            if c == OUTSIDE { 0.0 } else { figure.values[c as usize] / covered[c as usize] as f64 }
        };
        let mean = map.iter().map(|c| density(*c)).sum::<f64>() / total as f64;
        if mean <= 0.0 {
            return Err(source(self.place(), format!("seed `{}` covers no cell of the table", figure.name)));
        }
        Ok(map.iter().map(|c| density(*c) / mean + smoothing).collect())
    }

    /// Fits the node on the population that the network before it makes, from its own table of the pass before or from
    /// its seed.
    pub fn fit(&self, network: &Network, pass: &str, before: Option<&[f64]>) -> Result<Fitted> {
        let width = self.width();
        let axes = self.axes();
        if cells(&axes) > MAX_JOINT {
            let message = format!(
                "its joint table with its parents has {} cells, more than {MAX_JOINT}; use coarser groupings",
                cells(&axes)
            );
            return Err(source(self.place(), message));
        }
        let population = network.marginal(&self.parents, crate::infer::elimination::MAX_CELLS).ok_or_else(|| {
            source(
                self.place(),
                "the joint distribution of its parents takes too much memory; use fewer or coarser parents",
            )
        })?;
        let forbidden = self.forbidden()?;
        let mut start = match before {
            Some(conditional) => conditional.to_vec(),
            None => self.seed()?,
        };
        start.iter_mut().zip(&forbidden).filter(|(_, f)| **f).for_each(|(v, _)| *v = 0.0);
        for (row, weights) in start.chunks_exact(width).enumerate() {
            if weights.iter().all(|w| *w <= 0.0) && population.values[row] > 0.0 {
                return Err(source(
                    self.place(),
                    format!("no level is possible for {}", configuration(&self.parents, self.variables, row)),
                ));
            }
        }
        let mut margins = vec![];
        for target in &self.targets {
            let binding = target.pass.is_none_or(|p| p == pass);
            margins.push((target, binding, self.margin(target)?));
        }
        let (active, others): (Vec<_>, Vec<_>) = margins.into_iter().partition(|(_, binding, _)| *binding);
        let binding = active.into_iter().map(|(target, _, margin)| Binding::new(target, margin)).collect::<Vec<_>>();
        // Said once, of the first pass.
        let mut notices: Vec<String> = match before {
            None => self.sampling_zeros(&start, &forbidden, &population.values, &binding).into_iter().collect(),
            Some(_) => vec![],
        };
        let mut table = self.raked(pass, &start, &population.values, &binding)?;
        if let Some(section) = &self.section.smooth {
            let smoothed = self.smoothed(section, &table, &population.values, &forbidden)?;
            // What a row says of nobody stays as it was.
            let rows = start.chunks_exact_mut(width).zip(smoothed.chunks_exact(width));
            for (row, smoothed) in rows.filter(|(_, smoothed)| smoothed.iter().any(|p| *p > 0.0)) {
                row.copy_from_slice(smoothed);
            }
            table = self.raked(pass, &start, &population.values, &binding)?;
        }
        // A configuration that nobody is in keeps what the seed says of it.
        for (row, start) in table.chunks_exact_mut(width).zip(start.chunks_exact(width)) {
            let from = if row.iter().sum::<f64>() > 0.0 { row.to_vec() } else { start.to_vec() };
            let total: f64 = from.iter().sum();
            for (to, from) in row.iter_mut().zip(from) {
                *to = if total > 0.0 { from / total } else { 1.0 / width as f64 };
            }
        }
        let conditional = table;
        let mut thresholds = Vec::with_capacity(conditional.len());
        conditional.chunks_exact(width).for_each(|row| quantise(row, &mut thresholds));
        let table = Table { parents: self.parents.clone(), rows: Rows::of(width, thresholds), compact: None };
        // What is told is told of the thresholds that people are drawn by.
        let drawn = drawn(&table, width, &population.values);
        for b in &binding {
            let name = &b.target.figure.name;
            if let Some((cell, gap)) = b.worst(&drawn, Some(&b.finest(width, &population.values))) {
                let message =
                    format!("`{name}` is met by the fit, and not by its thresholds: cell {cell} is {gap:.1e} off");
                return Err(source(self.place(), message));
            }
            let vanished = b.vanished(&drawn);
            if vanished > 0 && before.is_none() {
                notices.push(format!(
                    "{}: {vanished} cells of `{name}` are rarer than the words that draw can tell, 2^-33 of a row: nobody \
                     will be drawn there",
                    self.place()
                ));
            }
        }
        let report = |target: &Target, margin: &Margin, binding: bool| {
            let agreement = margin.agreement(&drawn);
            let fit = Fit {
                node: self.section.variable.clone(),
                pass: pass.to_string(),
                given: target.given.iter().map(|v| self.variables[*v].name.clone()).collect(),
                binding,
                max_difference: agreement.max_difference,
                total_variation: agreement.total_variation,
            };
            (target.figure.name.clone(), fit)
        };
        let whole = binding.iter().filter(|b| !b.target.summed);
        let mut fits: Vec<(String, Fit)> = whole.map(|b| report(b.target, &b.margin, true)).collect();
        fits.extend(others.iter().filter(|(t, ..)| !t.summed).map(|(t, _, m)| report(t, m, false)));
        Ok(Fitted { conditional, table, fits, notices })
    }

    /// The table that meets the figures: exactly, or, where that cannot be, each within the margin that it declares.
    fn raked(&self, pass: &str, start: &[f64], population: &[f64], binding: &[Binding]) -> Result<Vec<f64>> {
        let width = self.width();
        let rake = |binding: &[&Binding], within: bool| {
            let mut table = start.to_vec();
            let margins: Vec<Margin> = binding.iter().map(|b| b.margin.clone()).collect();
            let tolerances: Vec<Option<&[f64]>> =
                binding.iter().map(|b| b.tolerance.as_deref().filter(|_| within)).collect();
            let raked = rake_within(&mut table, width, population, &margins, &tolerances, RELATIVE / 10.0)?;
            Ok::<_, Error>((table, raked))
        };
        let all: Vec<&Binding> = binding.iter().collect();
        let (mut table, mut raked) = rake(&all, false)?;
        let mut verdict = Verdict::worst(binding, &table);
        if verdict.is_some() && binding.iter().any(|b| b.tolerance.is_some()) {
            (table, raked) = rake(&all, true)?;
            verdict = Verdict::worst(binding, &table);
        }
        let empty = |(row, mass): (&[f64], &f64)| *mass > 1e-12 && row.iter().sum::<f64>() <= 0.0;
        if let Some(row) = table.chunks_exact(width).zip(population).position(empty) {
            let message = format!(
                "the figures and structural zeros leave no level possible for {}",
                configuration(&self.parents, self.variables, row)
            );
            return Err(source(self.place(), message));
        }
        let Some(verdict) = verdict else { return Ok(table) };
        // Those without which the figure could be met are those that it contradicts.
        let mut figures = vec![verdict.figure(binding).to_string()];
        for other in (0..binding.len()).filter(|other| *other != verdict.target) {
            let rest: Vec<&Binding> =
                binding.iter().enumerate().filter(|(at, _)| *at != other).map(|(_, b)| b).collect();
            let (table, _) = rake(&rest, rest.iter().any(|b| b.tolerance.is_some()))?;
            let name = &binding[other].target.figure.name;
            if rest.iter().all(|b| b.worst(&table, None).is_none()) && !figures.contains(name) {
                figures.push(name.clone());
            }
        }
        let figures: Vec<String> = figures.iter().map(|f| format!("`{f}`")).collect();
        let figures = match &figures[..] {
            [one] => format!("{one} (against its parents' figures, structural zeros or several others at once)"),
            many => many.join(" and "),
        };
        Err(Error::Inconsistent {
            node: self.section.variable.clone(),
            pass: pass.to_string(),
            figures,
            gap: verdict.gap,
            cell: verdict.cell_name(binding),
            sweeps: raked.sweeps,
        })
    }

    /// Cells of the seed that are 0 although nothing says that nobody can be in them: a survey that met nobody there.
    fn sampling_zeros(
        &self,
        start: &[f64],
        forbidden: &[bool],
        population: &[f64],
        binding: &[Binding],
    ) -> Option<String> {
        let (seed, _) = self.seed?;
        let open = |cell: &usize| {
            let zero =
                |b: &Binding| b.margin.cell[*cell] != OUTSIDE && b.margin.share[b.margin.cell[*cell] as usize] <= 0.0;
            !forbidden[*cell] && population[*cell / self.width()] > 0.0 && !binding.iter().any(zero)
        };
        let possible = (0..start.len()).filter(open).count();
        let zeros = (0..start.len()).filter(|cell| start[*cell] <= 0.0).filter(open).count();
        (zeros > 0).then(|| {
            format!(
                "{}: its seed `{}` is 0 in {zeros} of the {possible} cells that its figures and `zeros` leave possible: \
                 nobody will be drawn there; a `smoothing` above 0 keeps them possible",
                self.place(),
                seed.name
            )
        })
    }
}

/// The joint table that people are drawn by: the thresholds, decoded, on the population of the parents.
fn drawn(table: &Table, width: usize, population: &[f64]) -> Vec<f64> {
    let mut joint = vec![0.0; population.len() * width];
    for (row, (cells, mass)) in joint.chunks_exact_mut(width).zip(population).enumerate() {
        table.rows.each(row, |level, p| cells[level] = mass * p);
    }
    joint
}

/// A row of a table with these parents in words.
pub(super) fn configuration(parents: &[Axis], variables: &[Variable], row: usize) -> String {
    let mut text = vec![];
    let strides = crate::model::potential::strides(parents);
    for (axis, stride) in parents.iter().zip(strides) {
        let class = row / stride % axis.partition.classes();
        let members = &axis.partition.members()[class];
        let v = &variables[axis.variable];
        let last = v.label(members[members.len() - 1]);
        let first = v.label(members[0]);
        let range = if members.len() == 1 { first } else { format!("{first}…{last}") };
        text.push(format!("{} = {range}", v.name));
    }
    if text.is_empty() { "the whole population".into() } else { text.join(", ") }
}
