//! From a pack's folder to a compiled pack: reads the figures, fits the nodes in order, writes one binary.

mod checks;
mod figure;
mod fit;
pub(crate) mod harmonised;
mod leaf;
mod manifest;
mod met;
mod places;
pub mod raking;
mod smooth;
mod variables;

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use arrow_array::StringArray;

use self::checks::{Faults, check_pack};
pub use self::figure::read_text;
use self::figure::{Figure as Read, Grouping};
use self::fit::{Fitting, Target, configuration};
use self::harmonised::Harmonised;
use self::leaf::Leaf;
use self::manifest::{FigureSection, Manifest, NodeSection};
pub(crate) use self::places::csv_error;
pub use self::places::place;
use self::places::source;
use self::variables::{levels_of, of_manifest, variable};
use crate::error::{Error, Result, did_you_mean};
use crate::model::potential::Axis;
use crate::pack::codec::Cells;
use crate::pack::encode::encode;

use crate::model::network::Network;
use crate::model::variable::{Levels, Variable};
use crate::pack::{Figure, FigureColumn, Fit, List, MAX_LIST, Pack, PackParts};

/// A pack that was compiled: its bytes, and what they hold.
#[derive(Debug)]
pub struct Compiled {
    pub bytes: Vec<u8>,
    pub pack: Arc<Pack>,
    /// What is not wrong, and yet better known, each with its place.
    pub notices: Vec<String>,
}

/// Several errors as one.
pub(crate) fn gather(mut errors: Vec<Error>) -> Result<()> {
    match errors.len() {
        0 => Ok(()),
        1 => Err(errors.remove(0)),
        _ => Err(Error::Sources(errors)),
    }
}

/// Compiles the pack in a folder: reads `pack.toml` and what it names, fits every node by raking, and encodes the lot.
/// The same sources give the same bytes on any machine.
///
/// # Errors
/// If the sources are wrong, with file and line for each fault that can be found at once; if figures contradict each
/// other, with the gap.
pub fn compile(dir: &Path) -> Result<Compiled> {
    let manifest = manifest::read(dir)?;
    compiled(dir, &manifest, false).map_err(|e| places::located(&manifest.text, e))
}

/// Compiles the pack in a folder as [`compile`] does, and reads what lies beside it for the view over all countries
/// (`harmonised.toml`).
///
/// # Errors
/// All that is wrong with either, with file and line.
pub fn check(dir: &Path) -> Result<Compiled> {
    let manifest = match manifest::read(dir) {
        Ok(manifest) => manifest,
        // Without variables the mapping can be read alone.
        Err(error) => {
            let mut errors = vec![error];
            if let Ok(text) = figure::read_text(dir, harmonised::FILE)
                && let Err(error) = Harmonised::parse(&text, &|file| figure::read_text(dir, file))
            {
                errors.push(error);
            }
            return Err(Error::Sources(flat(errors)));
        }
    };
    compiled(dir, &manifest, true).map_err(|e| places::located(&manifest.text, e))
}

/// Errors one by one.
fn flat(errors: Vec<Error>) -> Vec<Error> {
    let one = |error| match error {
        Error::Sources(errors) => flat(errors),
        error => vec![error],
    };
    errors.into_iter().flat_map(one).collect()
}

fn compiled(dir: &Path, manifest: &Manifest, mapping: bool) -> Result<Compiled> {
    let mut faults = Faults::default();
    check_pack(manifest, &mut faults);
    let sources = Sources::read(dir, manifest, &mut faults);
    let leaves = sources.check_nodes(dir, manifest, &mut faults);
    if mapping {
        sources.check_levels(dir, manifest, &mut faults);
        match figure::read_text(dir, harmonised::FILE) {
            Ok(text) => {
                let file = |file: &str| figure::read_text(dir, file);
                let found = harmonised::faults(&text, &file, &sources.variables[..sources.nodes], &faults.broken);
                faults.errors.extend(found);
            }
            Err(Error::Io { source: why, .. }) if why.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => faults.errors.push(error),
        }
    }
    gather(flat(std::mem::take(&mut faults.errors)))?;
    let Fits { network, mut fits, notices } = sources.fit(manifest, leaves)?;
    let lists = sources.lists(manifest, &network)?;
    let mut packed = |(section, read): (&FigureSection, &Read)| {
        let columns = read.columns.iter().map(|c| FigureColumn {
            name: c.name.clone(),
            variable: sources.variables[c.variable].name.clone(),
            labels: c.labels.iter().collect(),
            groups: if c.grouped { c.label_of.clone() } else { vec![] },
        });
        Figure {
            name: section.name.clone(),
            title: section.title.clone(),
            status: section.status,
            source: section.source.clone(),
            table: section.table.clone(),
            year: section.year.clone(),
            note: section.note.clone(),
            measure: read.measure.clone(),
            columns: columns.collect(),
            fits: fits.remove(&section.name).unwrap_or_default(),
            cells: Cells::encode(&read.codes, &read.values),
        }
    };
    let figures = manifest.figures.iter().zip(sources.figures.iter().flatten()).map(&mut packed).collect();
    let holdouts = manifest.holdouts.iter().zip(sources.holdouts.iter().flatten()).map(&mut packed).collect();
    let p = &manifest.pack;
    let population = sources.figure(manifest, "[pack]", &p.population_figure)?;
    let parts = PackParts {
        name: p.name.clone(),
        edition: p.edition,
        title: p.title.clone(),
        country: p.country.clone(),
        language: p.language.clone(),
        year: p.year.clone(),
        universe: p.universe.clone(),
        population: population.values.iter().sum(),
        network,
        lists,
        columns: p.columns.clone(),
        figures,
        holdouts,
        sources: manifest.sources.clone(),
    };
    // What is read back is what anybody will read: checked as a pack from elsewhere is.
    let bytes = encode(&parts)?;
    let pack = Pack::from_bytes(&bytes)?;
    Ok(Compiled { bytes, pack, notices })
}

/// In the place of a variable that could not be read.
fn stand_in(name: &str) -> Variable {
    Variable::new(name.into(), String::new(), Levels::Text([String::new()].into()), true, None)
}

/// The section of a figure that nothing is fitted to.
const HOLDOUT: &str = "holdout";

/// What came of the fit.
struct Fits {
    network: Network,
    /// By figure.
    fits: HashMap<String, Vec<Fit>>,
    notices: Vec<String>,
}

/// A pack's sources, read and checked.
struct Sources {
    /// In the order of the nodes; then one for the items of each list, which figures may name but nodes may not.
    variables: Vec<Variable>,
    nodes: usize,
    groupings: HashMap<String, Grouping>,
    /// One for each of the manifest; nothing where it could not be read
    figures: Vec<Option<Read>>,
    holdouts: Vec<Option<Read>>,
}

impl Sources {
    fn read(dir: &Path, manifest: &Manifest, faults: &mut Faults) -> Sources {
        let mut declared: HashMap<&str, Variable> = HashMap::new();
        for section in &manifest.variables {
            if declared.contains_key(section.name.as_str()) {
                let place = format!("pack.toml, variable `{}`", section.name);
                faults.errors.push(source(place, format!("variable `{}` is declared twice", section.name)));
                continue;
            }
            let read = faults.keep(&section.name, variable(dir, section));
            declared.insert(&section.name, read.unwrap_or_else(|| stand_in(&section.name)));
        }
        let mut variables = vec![];
        let declared_names: Vec<String> = declared.keys().map(|k| k.to_string()).collect();
        for node in &manifest.nodes {
            let place = format!("pack.toml, node `{}`", node.variable);
            match declared.remove(node.variable.as_str()) {
                Some(v) => variables.push(v),
                None if variables.iter().any(|v: &Variable| v.name == node.variable) => {
                    faults.errors.push(source(place, "there are two nodes for this variable"));
                }
                None => {
                    let hint = did_you_mean(&node.variable, declared_names.iter().map(String::as_str));
                    faults.errors.push(source(place, format!("there is no such variable `{}`{hint}", node.variable)));
                }
            }
        }
        let mut left: Vec<&str> = declared.keys().copied().collect();
        left.sort_unstable();
        for name in left {
            let place = format!("pack.toml, variable `{name}`");
            faults.errors.push(source(place, "no node draws it"));
            // Figures may name it; it is not told of twice.
            faults.broken.insert(name.to_string());
        }
        let nodes = variables.len();
        for list in &manifest.lists {
            let items = figure::read_levels(dir, &list.items_file, "level")
                .map_err(|e| of_manifest(e, &format!("list `{}`", list.name), &list.items_file))
                .and_then(|rows| levels_of(rows, &list.items_file));
            let item = match faults.keep(&list.item, items) {
                Some(items) => Variable::new(list.item.clone(), String::new(), Levels::Text(items.into()), true, None),
                None => stand_in(&list.item),
            };
            variables.push(item);
        }
        let mut groupings = HashMap::new();
        for section in &manifest.groupings {
            if faults.is_broken(&section.variable) {
                faults.broken.insert(section.name.clone());
            } else if let Some(grouping) = faults.keep(&section.name, figure::grouping(section, &variables)) {
                groupings.insert(section.name.clone(), grouping);
            }
        }
        let mut names = HashSet::new();
        let mut read = |kind: &str, section: &FigureSection| {
            let place = format!("pack.toml, {kind} `{}`", section.name);
            if !names.insert(section.name.clone()) {
                faults.errors.push(source(&place, "is declared twice"));
            }
            if kind == HOLDOUT && (section.tolerance.is_some() || section.margin_of_error.is_some()) {
                let message = "nothing is fitted to a hold-out, within whatever tolerance or margin of error";
                faults.errors.push(source(&place, message));
            }
            if !manifest.sources.iter().any(|s| s.id == section.source) {
                let hint = did_you_mean(&section.source, manifest.sources.iter().map(|s| s.id.as_str()));
                faults.errors.push(source(&place, format!("no [[source]] has the id `{}`{hint}", section.source)));
            }
            match figure::read(dir, section, &variables, &groupings, &|view| faults.is_broken(view)) {
                Ok(figure) => figure,
                Err(error) => {
                    faults.errors.push(of_manifest(error, &format!("{kind} `{}`", section.name), &section.file));
                    None
                }
            }
        };
        let figures = manifest.figures.iter().map(|section| read("figure", section)).collect();
        let holdouts = manifest.holdouts.iter().map(|section| read(HOLDOUT, section)).collect();
        Sources { variables, nodes, groupings, figures, holdouts }
    }

    fn figure(&self, manifest: &Manifest, place: &str, name: &str) -> Result<&Read> {
        let at = manifest.figures.iter().position(|f| f.name == name);
        at.and_then(|at| self.figures[at].as_ref()).ok_or_else(|| {
            if manifest.holdouts.iter().any(|f| f.name == name) {
                let message = format!("`{name}` is a hold-out: nothing is fitted to what the fit is judged by");
                return source(format!("pack.toml, {place}"), message);
            }
            let hint = did_you_mean(name, manifest.figures.iter().map(|f| f.name.as_str()));
            source(format!("pack.toml, {place}"), format!("unknown figure `{name}`{hint}"))
        })
    }

    fn axes(&self, parents: &[String], before: usize, place: &str) -> Result<Vec<Axis>> {
        let place = format!("pack.toml, {place}");
        let mut axes: Vec<Axis> = vec![];
        for text in parents {
            let (variable, grouping) =
                figure::view(text, &self.variables, &self.groupings).map_err(|e| source(&place, e))?;
            let name = &self.variables[variable].name;
            if variable >= before {
                let message =
                    format!("its parent `{name}` is not drawn before it: put the nodes in order, without a cycle");
                return Err(source(&place, message));
            }
            if axes.iter().any(|a| a.variable == variable) {
                return Err(source(&place, format!("`{name}` is a parent twice")));
            }
            let partition = figure::partition(&self.variables[variable], grouping).map_err(|e| source(&place, e))?;
            axes.push(Axis { variable, partition });
        }
        Ok(axes)
    }

    /// Fits all nodes, pass by pass.
    fn fit(&self, manifest: &Manifest, leaves: Vec<Option<Leaf>>) -> Result<Fits> {
        let mut fits: HashMap<String, Vec<Fit>> = HashMap::new();
        let mut conditionals: Vec<Option<Vec<f64>>> = vec![None; self.nodes];
        let mut notices = vec![];
        let mut network = Network { variables: self.variables[..self.nodes].to_vec(), tables: vec![] };
        for pass in &manifest.pack.passes {
            network.tables.clear();
            for (v, node) in manifest.nodes.iter().enumerate() {
                if let Some(Some(leaf)) = leaves.get(v) {
                    let table = leaf.table(&network)?;
                    network.tables.push(table);
                    continue;
                }
                let fitted = self.fitting(manifest, v, node)?.fit(&network, pass, conditionals[v].as_deref())?;
                fitted.fits.into_iter().for_each(|(figure, fit)| fits.entry(figure).or_default().push(fit));
                notices.extend(fitted.notices.iter().map(|notice| places::told(&manifest.text, notice)));
                conditionals[v] = Some(fitted.conditional);
                network.tables.push(fitted.table);
            }
        }
        Ok(Fits { network, fits, notices })
    }

    fn leaf(&self, dir: &Path, manifest: &Manifest, v: usize, node: &NodeSection) -> Result<Leaf> {
        let place = format!("node `{}`", node.variable);
        let full = format!("pack.toml, {place}");
        if !node.figures.is_empty()
            || node.seed.is_some()
            || node.smooth.is_some()
            || !node.zeros.is_empty()
            || (!node.tables.is_empty() && node.map.is_some())
        {
            return Err(source(
                full,
                "a node has `figures` (with `seed`, `zeros` and `smooth`), or `tables`, or a `map`",
            ));
        }
        let parents = self.axes(&node.parents, v, &place)?;
        match &node.map {
            Some(map) => leaf::function(dir, v, parents, map, &self.variables, &full).map(Leaf::Function),
            None => leaf::rows(v, parents, &self.tables(manifest, &node.tables, &place)?, &self.variables, &full),
        }
    }

    fn tables(&self, manifest: &Manifest, names: &[String], place: &str) -> Result<Vec<&Read>> {
        names.iter().map(|n| self.figure(manifest, place, n)).collect()
    }

    fn fitting<'a>(&'a self, manifest: &'a Manifest, v: usize, node: &'a NodeSection) -> Result<Fitting<'a>> {
        let place = format!("node `{}`", node.variable);
        let parents = self.axes(&node.parents, v, &place)?;
        let mut targets = vec![];
        for constraint in &node.figures {
            let figure = self.figure(manifest, &place, &constraint.figure)?;
            let given = constraint.given.iter().map(|g| {
                let found = crate::model::variable::find(&self.variables, g);
                found.map_err(|e| source(format!("pack.toml, {place}, `given`"), e.to_string()))
            });
            let given = given.collect::<Result<Vec<usize>>>()?;
            // A table of counts over more variables than the node and its parents says how many there are of these.
            let kept = |variable: usize| variable == v || parents.iter().any(|p| p.variable == variable);
            let own = figure.column(v).is_some() && given.iter().all(|g| kept(*g));
            let wide = figure.columns.iter().any(|c| !kept(c.variable));
            let sums = if own && wide { figure.summed(&kept) } else { None };
            let summed = sums.is_some();
            let figure = sums.map_or(Cow::Borrowed(figure), Cow::Owned);
            targets.push(Target { figure, summed, given, pass: constraint.pass.as_deref() });
        }
        let seed = match &node.seed {
            Some(seed) => Some((self.figure(manifest, &place, &seed.figure)?, seed.smoothing)),
            None => None,
        };
        if targets.is_empty() && seed.is_none() {
            let message = "it has neither figures, tables, a seed nor a map: nothing says how it is distributed";
            return Err(source(format!("pack.toml, {place}"), message));
        }
        Ok(Fitting { section: node, variables: &self.variables, variable: v, parents, targets, seed })
    }

    fn lists(&self, manifest: &Manifest, network: &Network) -> Result<Vec<List>> {
        let mut lists = vec![];
        for (at, list) in manifest.lists.iter().enumerate() {
            let place = format!("list `{}`", list.name);
            let parents = self.axes(&list.parents, self.nodes, &place)?;
            let own = self.nodes + at;
            let figures = self.tables(manifest, &list.tables, &place)?;
            let leaf = leaf::rows(own, parents, &figures, &self.variables, &format!("pack.toml, {place}"))?;
            let table = leaf.table(network)?;
            let [min, max] = list.size;
            let Levels::Text(items) = &self.variables[own].levels else {
                return Err(source(format!("pack.toml, {place}"), "its items are not text"));
            };
            if min > max || max > MAX_LIST || max > items.len() {
                let message = format!(
                    "`size` is [fewest, most], at most {MAX_LIST} and no more than the {} items there are",
                    items.len()
                );
                return Err(source(format!("pack.toml, {place}"), message));
            }
            // A person has at least as many items as the list promises, each once.
            for row in 0..table.rows.len() {
                let mut possible = 0;
                table.rows.each(row, |_, _| possible += 1);
                if possible < min {
                    let message = format!(
                        "`size` is at least {min}, but {possible} items alone are possible for {}: give more of them a \
                         weight there, or ask for fewer",
                        configuration(&table.parents, &self.variables, row)
                    );
                    return Err(source(format!("pack.toml, {place}"), message));
                }
            }
            let items = Arc::new(StringArray::from_iter_values(items.texts()));
            lists.push(List { name: list.name.clone(), items, table, min, max });
        }
        Ok(lists)
    }
}
