//! What the network of a pack says of a figure's cells, exactly: what a sample of its people is judged against.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use rayon::prelude::*;

use crate::error::{Error, Result};
use crate::infer::elimination::MAX_CELLS;
use crate::interrupt::{Interrupt, check};
use crate::judge::Analysis;
use crate::model::network::UNREACHABLE;
use crate::model::partition::Partition;
use crate::model::potential::{Axis, Potential, cells, labelled, strides};
use crate::pack::{Figure, FigureColumn};

/// The shares of a pack's population that are in the cells of a figure, as the network has them.
#[derive(Debug, Clone, PartialEq)]
pub struct Expected {
    /// A share of the whole population for each cell, in the order of [`Figure::cells`].
    pub cells: Vec<f64>,
    /// The share of those who have a label in every column, but in a combination for which the figure has no cell.
    pub elsewhere: f64,
}

/// A figure's column: the variable, and the label of each of its levels.
type Labelled = (usize, Vec<Option<u16>>);

/// A parent of a node that a figure has a column for: its place among the parents, the figure's column, and the label of
/// each class through which the node sees it.
type LabelledParent = (usize, usize, Vec<Option<u16>>);

/// Which cell a combination of labels is.
struct CellIndex {
    strides: Vec<u64>,
    cells: HashMap<u64, usize>,
}

impl CellIndex {
    fn new(figure: &Figure) -> Result<CellIndex> {
        let mut strides = vec![];
        let mut next = 1u64;
        for column in &figure.columns {
            strides.push(next);
            next = next.checked_mul(column.labels.len().max(1) as u64).ok_or_else(|| too_large(figure))?;
        }
        let (codes, values) = figure.cells()?;
        let key = |cell: usize| codes.iter().zip(&strides).map(|(c, stride)| u64::from(c[cell]) * stride).sum::<u64>();
        let cells = (0..values.len()).map(|cell| (key(cell), cell)).collect();
        Ok(CellIndex { strides, cells })
    }
}

/// Why there is nothing for a figure: unless the work was given up, it is too large.
fn too_large(figure: &Figure) -> Error {
    if let Err(given_up) = check() {
        return given_up;
    }
    let variables = figure.columns.iter().map(|c| c.variable.as_str()).collect::<Vec<_>>().join(", ");
    Error::TooLarge { cells: u128::from(MAX_CELLS) + 1, bound: MAX_CELLS, variables }
}

impl Analysis<'_> {
    /// What the network says of the cells of each figure, by exact inference: the expectation of the people drawn from
    /// the pack, to the last bit of its tables. It is worked out once, on all cores.
    ///
    /// # Errors
    /// For each figure: if the work is given up; if a column is of a list's items, if it ties together more variables than memory has room for,
    /// or if the pack is damaged.
    pub fn expected(&self, figures: &[&Figure]) -> Vec<Result<Arc<Expected>>> {
        let columns: Vec<Result<Vec<Labelled>>> = figures.iter().map(|f| self.labelled(f)).collect();
        let missing = |(figure, columns): (&&Figure, &Result<Vec<Labelled>>)| match columns {
            Ok(columns) if self.known(figure).is_none_or(|known| known.get().is_none()) => {
                columns.iter().map(|(variable, _)| *variable).max()
            }
            _ => None,
        };
        let nodes: BTreeSet<usize> = figures.iter().zip(&columns).filter_map(missing).collect();
        let interrupt = Interrupt::of_part();
        nodes.into_par_iter().for_each(|node| _ = interrupt.within(|| self.parents_of(node)));
        let expected = |(figure, columns): (&&Figure, Result<Vec<Labelled>>)| {
            let columns = columns?;
            interrupt.within(|| self.expected_of(figure, &columns))
        };
        figures.par_iter().zip(columns).map(expected).collect()
    }

    /// The joint distribution of some variables, each seen through a label for every level, by exact inference. Labels are
    /// numbered from 0 by their first appearance among the levels. The shares are row-major: the last variable's labels
    /// run fastest.
    ///
    /// # Errors
    /// If a variable is unknown or has another number of levels, or they are tied together by more than memory has room
    /// for.
    pub fn joint(&self, columns: &[(&str, &[u16])]) -> Result<Vec<f64>> {
        Ok(self.marginal(&labelled(&self.pack.network.variables, columns)?)?.values)
    }

    fn marginal(&self, axes: &[Axis]) -> Result<Potential> {
        let within = cells(axes) <= u128::from(MAX_CELLS);
        let marginal = if within { self.pack.network.marginal(axes, MAX_CELLS) } else { None };
        if marginal.is_none() {
            check()?;
        }
        marginal.ok_or_else(|| {
            let names = axes.iter().map(|axis| self.pack.network.variables[axis.variable].name.as_str());
            let cells = cells(axes).max(u128::from(MAX_CELLS) + 1);
            Error::TooLarge { cells, bound: MAX_CELLS, variables: names.collect::<Vec<_>>().join(", ") }
        })
    }

    fn labelled(&self, figure: &Figure) -> Result<Vec<Labelled>> {
        let labelled = |column: &FigureColumn| {
            let at = crate::model::variable::find(&self.pack.network.variables, &column.variable)?;
            Ok((at, self.pack.labels_of_levels(column)?))
        };
        figure.columns.iter().map(labelled).collect()
    }

    /// The joint distribution of a node's parents, on the classes through which it sees them.
    fn parents_of(&self, node: usize) -> Option<&Potential> {
        let known = self.worked.parents.get(node)?;
        if known.get().is_none() {
            _ = known.set(self.pack.network.marginal(&self.pack.network.tables[node].parents, MAX_CELLS)?);
        }
        known.get()
    }

    fn expected_of(&self, figure: &Figure, columns: &[Labelled]) -> Result<Arc<Expected>> {
        if let Some(expected) = self.known(figure).and_then(|known| known.get()) {
            return Ok(expected.clone());
        }
        let index = CellIndex::new(figure)?;
        let mut expected = Expected { cells: vec![0.0; figure.len()], elsewhere: 0.0 };
        let mut add = |key: u64, share: f64| match index.cells.get(&key) {
            Some(cell) => expected.cells[*cell] += share,
            None => expected.elsewhere += share,
        };
        let Some(node) = columns.iter().map(|(variable, _)| *variable).max() else { return Err(too_large(figure)) };
        match self.parent_labels(node, columns) {
            Some(labels) => {
                let parents = self.parents_of(node).ok_or_else(|| too_large(figure))?;
                let own = columns.iter().zip(&index.strides).find(|((variable, _), _)| *variable == node);
                let Some(((_, own), own_stride)) = own else { return Err(too_large(figure)) };
                let table = &self.pack.network.tables[node];
                let steps = strides(&table.parents);
                for (config, share) in parents.values.iter().enumerate().filter(|(_, share)| **share > 0.0) {
                    let row = table.compact.as_ref().map_or(config as u32, |rows| rows[config]);
                    let key = labels.iter().map(|(parent, column, labels)| {
                        let class = config / steps[*parent] % labels.len();
                        Some(u64::from(labels[class]?) * index.strides[*column])
                    });
                    let (Some(key), true) = (key.sum::<Option<u64>>(), row != UNREACHABLE) else { continue };
                    table.rows.each(row as usize, |level, p| {
                        if let Some(label) = own[level] {
                            add(key + u64::from(label) * own_stride, share * p);
                        }
                    });
                }
            }
            None => {
                let axis = |(variable, labels): &Labelled| Axis {
                    variable: *variable,
                    partition: Partition::by_signature(labels.iter().copied()),
                };
                let axes: Vec<Axis> = columns.iter().map(axis).collect();
                let joint = self.marginal(&axes)?;
                let steps = strides(&axes);
                let labels: Vec<Vec<Option<u16>>> =
                    axes.iter().zip(columns).map(|(axis, (_, labels))| of_classes(&axis.partition, labels)).collect();
                for (config, share) in joint.values.iter().enumerate().filter(|(_, share)| **share > 0.0) {
                    let key = labels.iter().zip(&steps).zip(&index.strides).map(|((labels, step), stride)| {
                        Some(u64::from(labels[config / step % labels.len()]?) * stride)
                    });
                    if let Some(key) = key.sum::<Option<u64>>() {
                        add(key, *share);
                    }
                }
            }
        }
        let expected = Arc::new(expected);
        Ok(self.known(figure).map_or(&expected, |known| known.get_or_init(|| expected.clone())).clone())
    }

    /// Where a figure is of a node and some of its parents, in bands that the node sees apart: these parents.
    fn parent_labels(&self, node: usize, columns: &[Labelled]) -> Option<Vec<LabelledParent>> {
        let parents = &self.pack.network.tables[node].parents;
        let others = columns.iter().enumerate().filter(|(_, (variable, _))| *variable != node);
        let labels = others.map(|(column, (variable, labels))| {
            let parent = parents.iter().position(|p| p.variable == *variable)?;
            let partition = &parents[parent].partition;
            let of_class = of_classes(partition, labels);
            let whole = partition.class_of().iter().zip(labels).all(|(class, l)| of_class[usize::from(*class)] == *l);
            whole.then_some((parent, column, of_class))
        });
        labels.collect()
    }
}

/// The label of the first level of each class.
fn of_classes(partition: &Partition, labels: &[Option<u16>]) -> Vec<Option<u16>> {
    partition.members().iter().map(|levels| levels.first().and_then(|level| labels[*level])).collect()
}

impl Expected {
    /// A figure's own shares of the cells of which this is what is expected, as shares of the pack's population: its shares within the columns where it
    /// is told to hold, on the population that the network has there. `None` where the figure says nothing of joint
    /// shares, as a table of weights does.
    ///
    /// # Errors
    /// If the pack is damaged.
    pub fn own_shares(&self, figure: &Figure) -> Result<Option<Vec<f64>>> {
        let fit = figure.fits.last();
        if fit.is_none() && figure.measure != "count" {
            return Ok(None);
        }
        let (codes, values) = figure.cells()?;
        let given: Vec<&Vec<u16>> = figure
            .columns
            .iter()
            .zip(&codes)
            .filter(|(column, _)| fit.is_some_and(|fit| fit.given.contains(&column.variable)))
            .map(|(_, codes)| codes)
            .collect();
        let group = |cell: usize| -> Vec<u16> { given.iter().map(|codes| codes[cell]).collect() };
        let mut totals: HashMap<Vec<u16>, (f64, f64)> = HashMap::new();
        for (cell, (value, share)) in values.iter().zip(&self.cells).enumerate() {
            let total = totals.entry(group(cell)).or_default();
            total.0 += value;
            total.1 += share;
        }
        let share = |(cell, value): (usize, &f64)| match totals.get(&group(cell)) {
            Some((total, share)) if *total > 0.0 => value / total * share,
            _ => 0.0,
        };
        Ok(Some(values.iter().enumerate().map(share).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tiny() -> Arc<crate::Pack> {
        let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../udfs/tests/packs/tiny");
        crate::compile(&dir).unwrap().pack
    }

    #[test]
    fn a_figure_that_is_met_is_what_is_expected() {
        let pack = tiny();
        let figures: Vec<&Figure> =
            pack.figures().iter().filter(|f| f.fits.last().is_some_and(|fit| fit.binding)).collect();
        assert!(figures.len() >= 4);
        for (figure, expected) in figures.iter().zip(Analysis::of(&pack).expected(&figures)) {
            let expected = expected.unwrap();
            let own = expected.own_shares(figure).unwrap().unwrap();
            for (own, expected) in own.iter().zip(&expected.cells) {
                assert!((own - expected).abs() < 1e-6, "{}: {own} against {expected}", figure.name);
            }
            let all = expected.cells.iter().sum::<f64>() + expected.elsewhere;
            assert!(all > 0.0 && all < 1.0 + 1e-9, "{}: {all}", figure.name);
        }
    }

    /// Both ways to what is expected, through a node's parents and by elimination alone, agree.
    #[test]
    fn elimination_agrees() {
        let pack = tiny();
        let figure = pack.figures().iter().find(|f| f.name == "jobs").unwrap();
        let by_node = Analysis::of(&pack).expected(&[figure]).remove(0).unwrap();
        let columns = Analysis::of(&pack).labelled(figure).unwrap();
        let axes: Vec<Axis> = columns
            .iter()
            .map(|(variable, labels)| Axis {
                variable: *variable,
                partition: Partition::by_signature(labels.iter().copied()),
            })
            .collect();
        let joint = pack.network.marginal(&axes, MAX_CELLS).unwrap();
        let mut by_elimination: Vec<f64> = joint.values.iter().copied().filter(|v| *v > 0.0).collect();
        let mut cells: Vec<f64> = by_node.cells.iter().copied().filter(|v| *v > 0.0).collect();
        by_elimination.sort_by(f64::total_cmp);
        cells.sort_by(f64::total_cmp);
        assert_eq!(by_elimination.len(), cells.len());
        assert!(by_elimination.iter().zip(cells).all(|(a, b)| (a - b).abs() < 1e-12));
    }

    /// The joint distribution of two variables is that of the figure that they were fitted to.
    #[test]
    fn the_joint_distribution_of_variables() {
        let pack = tiny();
        let figure = pack.figures().iter().find(|f| f.name == "jobs").unwrap();
        let of_figure = Analysis::of(&pack).expected(&[figure]).remove(0).unwrap();
        let finest = |name: &str| (0..pack.variable(name).unwrap().len() as u16).collect::<Vec<_>>();
        let (sex, job) = (finest("sex"), finest("job"));
        let joint = Analysis::of(&pack).joint(&[("sex", &sex), ("job", &job)]).unwrap();
        let (codes, _) = figure.cells().unwrap();
        for (cell, expected) in of_figure.cells.iter().enumerate() {
            let level = |column: usize| {
                let FigureColumn { variable, labels, .. } = &figure.columns[column];
                pack.variable(variable).unwrap().level(&labels[usize::from(codes[column][cell])]).unwrap()
            };
            assert!((joint[level(0) * job.len() + level(1)] - expected).abs() < 1e-12);
        }
        // Of one label for all levels, everybody.
        assert!((Analysis::of(&pack).joint(&[("job", &vec![0; job.len()])]).unwrap()[0] - 1.0).abs() < 1e-12);
        assert!(matches!(Analysis::of(&pack).joint(&[("hobby", &[0])]), Err(Error::UnknownVariable { .. })));
        assert!(matches!(Analysis::of(&pack).joint(&[("job", &[0])]), Err(Error::Labels { levels: 4, labels: 1, .. })));
    }

    #[test]
    fn items_of_lists_are_no_variable() {
        let pack = tiny();
        let figure = pack.figures().iter().find(|f| f.name == "hobbies").unwrap();
        assert!(matches!(Analysis::of(&pack).expected(&[figure])[0], Err(Error::UnknownVariable { .. })));
    }
}
