//! What is wrong with a pack's sources, all of it at once.

use std::collections::HashSet;
use std::path::Path;

use super::Sources;
use super::figure::read_levels;
use super::leaf::Leaf;
use super::manifest::{Manifest, NodeSection};
use super::places::source;
use crate::error::{Error, Result, there_are};
use crate::model::variable::Levels;
use crate::pack::names::{column_name, pack_name};

/// What was found wrong so far.
#[derive(Default)]
pub(super) struct Faults {
    pub errors: Vec<Error>,
    /// Variables and groupings that are wrong: nothing more is said of what names them
    pub broken: HashSet<String>,
}

impl Faults {
    /// Keeps what could be read; notes what could not.
    pub fn keep<T>(&mut self, name: &str, read: Result<T>) -> Option<T> {
        match read {
            Ok(value) => Some(value),
            Err(error) => {
                self.errors.push(error);
                self.broken.insert(name.to_string());
                None
            }
        }
    }

    /// Whether `variable` or `variable:grouping` names what is wrong.
    pub fn is_broken(&self, view: &str) -> bool {
        view.split(':').any(|part| self.broken.contains(part))
    }
}

/// Says what is wrong with `[pack]` and with what the manifest calls its columns.
pub(super) fn check_pack(manifest: &Manifest, faults: &mut Faults) {
    let pack = &manifest.pack;
    let mut wrong =
        |key: &str, message: String| faults.errors.push(source(format!("pack.toml, [pack], `{key}`"), message));
    if let Err(message) = pack_name(&pack.name) {
        wrong("name", message);
    }
    if pack.edition == 0 {
        wrong("edition", "`edition` is counted from 1".into());
    }
    let mut passes = HashSet::new();
    if pack.passes.is_empty() || !pack.passes.iter().all(|p| passes.insert(p)) {
        wrong("passes", "`passes` names the passes of the fit, at least one, each once".into());
    }
    let mut columns = HashSet::new();
    for name in &pack.columns {
        if !columns.insert(name) {
            wrong("columns", format!("`columns` names `{name}` twice"));
        }
        if manifest.variables.iter().any(|v| v.hidden && v.name == *name) {
            wrong("columns", format!("`columns` names `{name}`, which is hidden"));
        }
        let names = || {
            let shown = manifest.variables.iter().filter(|v| !v.hidden).map(|v| v.name.as_str());
            shown.chain(manifest.lists.iter().map(|l| l.name.as_str()))
        };
        if !manifest.variables.iter().any(|v| v.name == *name) && !names().any(|n| n == name) {
            let hint = there_are(name, &names().collect::<Vec<_>>());
            wrong("columns", format!("unknown variable: `{name}`{hint}"));
        }
    }
    let mut names: HashSet<&str> = manifest.variables.iter().map(|v| v.name.as_str()).collect();
    for list in &manifest.lists {
        for name in [&list.name, &list.item] {
            if !names.insert(name) {
                let message = format!("`{name}` is the name of a variable or another list: call it something else");
                faults.errors.push(source(format!("pack.toml, list `{}`", list.name), message));
            }
        }
    }
    let variables = manifest.variables.iter().map(|v| ("variable", &v.name));
    for (kind, name) in variables.chain(manifest.lists.iter().map(|l| ("list", &l.name))) {
        if let Err(message) = column_name(name) {
            faults.errors.push(source(format!("pack.toml, {kind} `{name}`"), message));
        }
    }
    for node in &manifest.nodes {
        if let Some(seed) = &node.seed
            && !(seed.smoothing.is_finite() && seed.smoothing >= 0.0)
        {
            let message = format!("`smoothing` is {}: it must be 0 or more", seed.smoothing);
            faults.errors.push(source(format!("pack.toml, node `{}`", node.variable), message));
        }
    }
}

/// Levels of one variable that are told of as standing in no figure.
const MOST_LEVELS: usize = 10;

impl Sources {
    /// Whether all that a node names was read: what is wrong with the rest has been said.
    fn is_whole(&self, manifest: &Manifest, node: &NodeSection, faults: &Faults) -> bool {
        let figures = node.figures.iter().map(|c| &c.figure).chain(node.seed.iter().map(|s| &s.figure));
        !figures.chain(&node.tables).any(|name| self.is_unread(manifest, name))
            && !node.parents.iter().chain([&node.variable]).any(|p| faults.is_broken(p))
    }

    /// Reads the leaves, and says what is wrong with any node.
    pub(super) fn check_nodes(&self, dir: &Path, manifest: &Manifest, faults: &mut Faults) -> Vec<Option<Leaf>> {
        let mut leaves = vec![];
        if let Err(error) = self.figure(manifest, "[pack]", &manifest.pack.population_figure)
            && !self.is_unread(manifest, &manifest.pack.population_figure)
        {
            faults.errors.push(error);
        }
        // Where nodes and variables do not answer to each other, their places mean nothing.
        if manifest.nodes.len() != self.nodes {
            return leaves;
        }
        for (v, node) in manifest.nodes.iter().enumerate() {
            let unknown = node.figures.iter().filter_map(|c| c.pass.as_ref());
            for pass in unknown.filter(|p| !manifest.pack.passes.contains(p)) {
                let message = format!("unknown pass `{pass}`; there are {}", manifest.pack.passes.join(", "));
                faults.errors.push(source(format!("pack.toml, node `{}`", node.variable), message));
            }
            leaves.push(None);
            if !self.is_whole(manifest, node, faults) {
                continue;
            }
            let leaf = !node.tables.is_empty() || node.map.is_some();
            let read = match leaf {
                true => self.leaf(dir, manifest, v, node).map(Some),
                false => self.fitting(manifest, v, node).map(|_| None),
            };
            match read {
                Ok(leaf) => leaves[v] = leaf,
                Err(error) => faults.errors.push(error),
            }
        }
        leaves
    }

    /// Says which levels no figure of their node knows: nobody, or anybody, could have them.
    pub(super) fn check_levels(&self, dir: &Path, manifest: &Manifest, faults: &mut Faults) {
        if manifest.nodes.len() != self.nodes {
            return;
        }
        for (v, node) in manifest.nodes.iter().enumerate() {
            let variable = &self.variables[v];
            let (Levels::Text(levels), true) = (&variable.levels, self.is_whole(manifest, node, faults)) else {
                continue;
            };
            let named = node.figures.iter().map(|c| &c.figure).chain(node.seed.iter().map(|s| &s.figure));
            let known = |name: &String| {
                let at = manifest.figures.iter().position(|f| f.name == *name)?;
                let figure = self.figures[at].as_ref()?;
                figure.column(v).map(|c| &figure.columns[c].label_of)
            };
            let known: Vec<&Vec<Option<u16>>> = named.chain(&node.tables).filter_map(known).collect();
            // Structural zeros may leave a level to those of whom the figures do not speak.
            if known.is_empty() || !node.zeros.is_empty() {
                continue;
            }
            let unknown: Vec<&String> = levels
                .iter()
                .enumerate()
                .filter(|(l, _)| {
                    variable.null_level != Some(*l as u16) && known.iter().all(|labels| labels[*l].is_none())
                })
                .map(|(_, level)| level)
                .collect();
            let section = manifest.variables.iter().find(|s| s.name == variable.name);
            let file = section.and_then(|s| s.levels_file.as_ref());
            let rows = file.and_then(|f| read_levels(dir, f, "level").ok()).unwrap_or_default();
            for (at, level) in unknown.iter().enumerate() {
                let row = rows.iter().find(|r| r.level == **level);
                let place = match (file, row) {
                    (Some(file), Some(row)) => format!("{file}:{}", row.line),
                    _ => format!("pack.toml, variable `{}`", variable.name),
                };
                if at == MOST_LEVELS {
                    faults.errors.push(source(place, format!("nor {} more levels", unknown.len() - at)));
                    break;
                }
                let message = format!(
                    "the level `{level}` of `{}` stands in no figure of its node; write 0 where nobody has it",
                    variable.name
                );
                faults.errors.push(source(place, message));
            }
        }
    }

    fn is_unread(&self, manifest: &Manifest, name: &str) -> bool {
        let at = manifest.figures.iter().position(|f| f.name == name);
        at.is_some_and(|at| self.figures[at].is_none())
    }
}
