//! From a pack's folder to a compiled pack: reads the figures, fits the nodes in order, writes one binary.

mod figure;
mod fit;
mod leaf;
mod manifest;

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use arrow_array::StringArray;
use arrow_schema::Schema;

use self::figure::{Figure as Read, Grouping};
use self::fit::{Fitting, Target};
use self::manifest::{Manifest, NodeSection, VariableSection};
use crate::binary::{Cells, encode};
use crate::error::{Error, Result, did_you_mean};
use crate::factor::Axis;
use crate::network::{Network, Table};
use crate::pack::{Figure, FigureColumn, Fit, List, Pack};
use crate::variable::{Levels, MAX_LEVELS, Variable};

/// A pack that was compiled: its bytes, and what they hold.
#[derive(Debug)]
pub struct Compiled {
    pub bytes: Vec<u8>,
    pub pack: Arc<Pack>,
}

fn source(place: impl Into<String>, message: impl Into<String>) -> Error {
    Error::Source { place: place.into(), message: message.into() }
}

/// Several errors as one.
fn gather(mut errors: Vec<Error>) -> Result<()> {
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
    let sources = Sources::read(dir, &manifest)?;
    let (network, mut fits) = sources.fit(dir, &manifest)?;
    let lists = sources.lists(&manifest)?;
    let mut figures = vec![];
    for (section, read) in manifest.figures.iter().zip(&sources.figures) {
        let columns = read.columns.iter().map(|c| FigureColumn {
            name: c.name.clone(),
            variable: sources.variables[c.variable].name.clone(),
            labels: c.labels.clone(),
            groups: if c.grouped { c.label_of.clone() } else { vec![] },
        });
        figures.push(Figure {
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
            expected: Default::default(),
        });
    }
    let p = &manifest.pack;
    let population = &sources.figures[sources.figure(&manifest, "[pack]", &p.population_figure)?];
    let pack = Pack {
        name: p.name.clone(),
        title: p.title.clone(),
        country: p.country.clone(),
        language: p.language.clone(),
        year: p.year.clone(),
        universe: p.universe.clone(),
        population: population.values.iter().sum(),
        hash: [0; 32],
        network,
        lists,
        columns: vec![],
        schema: Arc::new(Schema::empty()),
        figures,
        sources: manifest.sources,
        addresses: vec![],
        list_addresses: vec![],
        parents: vec![],
        dictionaries: vec![],
    };
    let hidden = |name: &str| pack.network.variables.iter().any(|v| v.hidden && v.name == name);
    if let Some(name) = p.columns.iter().find(|c| hidden(c)) {
        return Err(source("pack.toml, [pack]", format!("`columns` names `{name}`, which is hidden")));
    }
    let bytes = encode(&pack, &p.columns)?;
    let pack = Pack::from_bytes(&bytes).map_err(|e| match e {
        Error::UnknownVariable { .. } => source("pack.toml, [pack], `columns`", e.to_string()),
        e => e,
    })?;
    Ok(Compiled { bytes, pack })
}

/// A pack's sources, read and checked.
struct Sources {
    /// In the order of the nodes; then one for the items of each list, which figures may name but nodes may not.
    variables: Vec<Variable>,
    nodes: usize,
    groupings: HashMap<String, Grouping>,
    figures: Vec<Read>,
}

impl Sources {
    fn read(dir: &Path, manifest: &Manifest) -> Result<Sources> {
        let mut errors = vec![];
        let mut declared: HashMap<&str, Variable> = HashMap::new();
        for section in &manifest.variables {
            match variable(dir, section) {
                Ok(v) if !declared.contains_key(section.name.as_str()) => _ = declared.insert(&section.name, v),
                Ok(_) => errors.push(source("pack.toml", format!("variable `{}` is declared twice", section.name))),
                Err(e) => errors.push(e),
            }
        }
        gather(errors)?;
        let mut errors = vec![];
        let mut variables = vec![];
        let declared_names: Vec<String> = declared.keys().map(|k| k.to_string()).collect();
        for node in &manifest.nodes {
            let place = format!("pack.toml, node `{}`", node.variable);
            match declared.remove(node.variable.as_str()) {
                Some(v) => variables.push(v),
                None if variables.iter().any(|v: &Variable| v.name == node.variable) => {
                    errors.push(source(place, "there are two nodes for this variable"));
                }
                None => {
                    let hint = did_you_mean(&node.variable, declared_names.iter().map(String::as_str));
                    errors.push(source(place, format!("there is no such variable{hint}")));
                }
            }
        }
        let mut left: Vec<&str> = declared.keys().copied().collect();
        left.sort_unstable();
        errors.extend(left.iter().map(|v| source(format!("pack.toml, variable `{v}`"), "no node draws it")));
        gather(errors)?;
        let nodes = variables.len();
        for list in &manifest.lists {
            let items = figure::read_levels(dir, &list.items_file, "level")?;
            let items: Vec<String> = items.into_iter().map(|(level, _)| level).collect();
            check_levels(&items, &list.items_file)?;
            variables.push(Variable::new(list.item.clone(), String::new(), Levels::Text(items.into()), true, None));
        }
        let mut errors = vec![];
        let mut groupings = HashMap::new();
        for section in &manifest.groupings {
            match figure::grouping(section, &variables) {
                Ok(grouping) => _ = groupings.insert(section.name.clone(), grouping),
                Err(e) => errors.push(e),
            }
        }
        gather(errors)?;
        let mut errors = vec![];
        let mut figures = vec![];
        let mut names = HashSet::new();
        for section in &manifest.figures {
            let place = format!("pack.toml, figure `{}`", section.name);
            if !names.insert(&section.name) {
                errors.push(source(&place, "is declared twice"));
            }
            if !manifest.sources.iter().any(|s| s.id == section.source) {
                errors.push(source(&place, format!("no [[source]] has the id `{}`", section.source)));
            }
            match figure::read(dir, section, &variables, &groupings) {
                Ok(figure) => figures.push(figure),
                Err(e) => errors.push(e),
            }
        }
        gather(errors)?;
        Ok(Sources { variables, nodes, groupings, figures })
    }

    fn figure(&self, manifest: &Manifest, place: &str, name: &str) -> Result<usize> {
        manifest.figures.iter().position(|f| f.name == name).ok_or_else(|| {
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

    /// Fits all nodes, pass by pass. The fits are by figure.
    fn fit(&self, dir: &Path, manifest: &Manifest) -> Result<(Network, HashMap<String, Vec<Fit>>)> {
        let mut fits: HashMap<String, Vec<Fit>> = HashMap::new();
        let mut conditionals: Vec<Option<Vec<f64>>> = vec![None; self.nodes];
        let mut leaves: Vec<Option<Table>> = vec![None; self.nodes];
        let mut network = Network { variables: self.variables[..self.nodes].to_vec(), tables: vec![] };
        if let Some((node, pass)) = manifest.nodes.iter().find_map(|n| {
            let unknown =
                |c: &&manifest::ConstraintSection| c.pass.as_ref().is_some_and(|p| !manifest.pack.passes.contains(p));
            n.figures.iter().find(unknown).map(|c| (n, c.pass.clone().unwrap_or_default()))
        }) {
            let message = format!("unknown pass `{pass}`; there are {}", manifest.pack.passes.join(", "));
            return Err(source(format!("pack.toml, node `{}`", node.variable), message));
        }
        for pass in &manifest.pack.passes {
            network.tables.clear();
            for (v, node) in manifest.nodes.iter().enumerate() {
                let leaf = !node.tables.is_empty() || node.map.is_some();
                if leaf && leaves[v].is_none() {
                    leaves[v] = Some(self.leaf(dir, manifest, v, node)?);
                }
                if let Some(table) = &leaves[v] {
                    network.tables.push(table.clone());
                    continue;
                }
                let fitted = self.fitting(manifest, v, node)?.fit(&network, pass, conditionals[v].as_deref())?;
                fitted.fits.into_iter().for_each(|(figure, fit)| fits.entry(figure).or_default().push(fit));
                conditionals[v] = Some(fitted.conditional);
                network.tables.push(fitted.table);
            }
        }
        Ok((network, fits))
    }

    fn leaf(&self, dir: &Path, manifest: &Manifest, v: usize, node: &NodeSection) -> Result<Table> {
        let place = format!("node `{}`", node.variable);
        let full = format!("pack.toml, {place}");
        if !node.figures.is_empty()
            || node.seed.is_some()
            || !node.zeros.is_empty()
            || (!node.tables.is_empty() && node.map.is_some())
        {
            return Err(source(full, "a node has `figures` (with `seed` and `zeros`), or `tables`, or a `map`"));
        }
        let parents = self.axes(&node.parents, v, &place)?;
        match &node.map {
            Some(map) => leaf::function(dir, v, parents, map, &self.variables, &full),
            None => leaf::table(v, parents, &self.tables(manifest, &node.tables, &place)?, &self.variables, &full),
        }
    }

    fn tables(&self, manifest: &Manifest, names: &[String], place: &str) -> Result<Vec<&Read>> {
        names.iter().map(|n| self.figure(manifest, place, n).map(|f| &self.figures[f])).collect()
    }

    fn fitting<'a>(&'a self, manifest: &'a Manifest, v: usize, node: &'a NodeSection) -> Result<Fitting<'a>> {
        let place = format!("node `{}`", node.variable);
        let mut targets = vec![];
        for constraint in &node.figures {
            let figure = &self.figures[self.figure(manifest, &place, &constraint.figure)?];
            let given = constraint.given.iter().map(|g| {
                let found = crate::variable::find(&self.variables, g);
                found.map_err(|e| source(format!("pack.toml, {place}, `given`"), e.to_string()))
            });
            targets.push(Target { figure, given: given.collect::<Result<_>>()?, pass: constraint.pass.as_deref() });
        }
        let seed = match &node.seed {
            Some(seed) => Some((&self.figures[self.figure(manifest, &place, &seed.figure)?], seed.smoothing)),
            None => None,
        };
        if targets.is_empty() && seed.is_none() {
            let message = "it has neither figures, tables, a seed nor a map: nothing says how it is distributed";
            return Err(source(format!("pack.toml, {place}"), message));
        }
        let parents = self.axes(&node.parents, v, &place)?;
        Ok(Fitting { section: node, variables: &self.variables, variable: v, parents, targets, seed })
    }

    fn lists(&self, manifest: &Manifest) -> Result<Vec<List>> {
        let mut lists = vec![];
        for (at, list) in manifest.lists.iter().enumerate() {
            let place = format!("list `{}`", list.name);
            let parents = self.axes(&list.parents, self.nodes, &place)?;
            let own = self.nodes + at;
            let figures = self.tables(manifest, &list.tables, &place)?;
            let table = leaf::table(own, parents, &figures, &self.variables, &format!("pack.toml, {place}"))?;
            let [min, max] = list.size;
            if min > max || max > 32 {
                return Err(source(format!("pack.toml, {place}"), "`size` is [fewest, most], at most 32"));
            }
            let Levels::Text(items) = &self.variables[own].levels else {
                return Err(source(format!("pack.toml, {place}"), "its items are not text"));
            };
            let items = Arc::new(StringArray::from_iter_values(items.iter()));
            lists.push(List { name: list.name.clone(), items, table, min, max });
        }
        Ok(lists)
    }
}

fn variable(dir: &Path, section: &VariableSection) -> Result<Variable> {
    let place = format!("pack.toml, variable `{}`", section.name);
    let levels = match (&section.levels, &section.levels_file, section.integers) {
        (Some(levels), None, None) => {
            check_levels(levels, &place)?;
            Levels::Text(levels.clone().into())
        }
        (None, Some(file), None) => {
            let levels: Vec<String> = figure::read_levels(dir, file, "level")?.into_iter().map(|(l, _)| l).collect();
            check_levels(&levels, file)?;
            Levels::Text(levels.into())
        }
        (None, None, Some([min, max])) if min <= max && i64::from(max) - i64::from(min) < MAX_LEVELS as i64 => {
            Levels::Integer { min, max }
        }
        (None, None, Some(_)) => return Err(source(place, "`integers` is [lowest, highest], at most 65,536 of them")),
        _ => return Err(source(place, "give one of `levels`, `levels_file` or `integers`")),
    };
    let mut variable = Variable::new(section.name.clone(), section.description.clone(), levels, section.hidden, None);
    if let Some(null) = &section.null_level {
        let level = variable.level(null).ok_or_else(|| source(&place, variable.unknown_level(null).to_string()))?;
        variable.null_level = Some(level as u16);
    }
    Ok(variable)
}

fn check_levels(levels: &[String], place: &str) -> Result<()> {
    let mut seen = HashSet::new();
    if levels.is_empty() || levels.len() > MAX_LEVELS {
        return Err(source(place, format!("{} levels; a variable has 1 to {MAX_LEVELS}", levels.len())));
    }
    for level in levels {
        if level.is_empty() || level.contains('\n') {
            return Err(source(place, "a level without a name, or with a line break in it"));
        }
        if !seen.insert(level) {
            return Err(source(place, format!("level `{level}` stands there twice")));
        }
    }
    Ok(())
}
