//! `pack.toml`: what a pack's folder says about itself.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use crate::error::{Error, Result};
use crate::pack::{Source, Status};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Manifest {
    pub pack: PackSection,
    #[serde(default, rename = "source")]
    pub sources: Vec<Source>,
    #[serde(rename = "variable")]
    pub variables: Vec<VariableSection>,
    #[serde(default, rename = "grouping")]
    pub groupings: Vec<GroupingSection>,
    #[serde(default, rename = "figure")]
    pub figures: Vec<FigureSection>,
    #[serde(rename = "node")]
    pub nodes: Vec<NodeSection>,
    #[serde(default, rename = "list")]
    pub lists: Vec<ListSection>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PackSection {
    pub name: String,
    pub title: String,
    pub country: String,
    #[serde(default = "english")]
    pub language: String,
    pub year: String,
    #[serde(default)]
    pub universe: String,
    pub population_figure: String,
    #[serde(default = "one_pass")]
    pub passes: Vec<String>,
    pub columns: Vec<String>,
}

fn english() -> String {
    "en".into()
}

fn one_pass() -> Vec<String> {
    vec!["fit".into()]
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct VariableSection {
    pub name: String,
    #[serde(default)]
    pub description: String,
    pub levels: Option<Vec<String>>,
    pub levels_file: Option<String>,
    pub integers: Option<[i32; 2]>,
    pub null_level: Option<String>,
    #[serde(default)]
    pub hidden: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GroupingSection {
    pub name: String,
    pub variable: String,
    pub groups: Option<BTreeMap<String, Vec<String>>>,
    pub bands: Option<Vec<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FigureSection {
    pub name: String,
    #[serde(default)]
    pub title: String,
    pub file: String,
    pub status: Status,
    pub source: String,
    #[serde(default)]
    pub table: String,
    #[serde(default)]
    pub year: String,
    #[serde(default)]
    pub note: String,
    #[serde(default)]
    pub columns: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NodeSection {
    pub variable: String,
    #[serde(default)]
    pub parents: Vec<String>,
    pub seed: Option<SeedSection>,
    #[serde(default)]
    pub figures: Vec<ConstraintSection>,
    #[serde(default)]
    pub zeros: Vec<BTreeMap<String, Levels>>,
    #[serde(default)]
    pub tables: Vec<String>,
    pub map: Option<MapSection>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SeedSection {
    pub figure: String,
    #[serde(default)]
    pub smoothing: f64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ConstraintSection {
    pub figure: String,
    #[serde(default)]
    pub given: Vec<String>,
    pub pass: Option<String>,
}

/// Levels in a structural zero: names of a text variable, or one band of an integer variable.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Levels {
    One(String),
    Many(Vec<String>),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MapSection {
    pub file: Option<String>,
    pub column: Option<String>,
    pub groups: Option<BTreeMap<String, Vec<String>>>,
    pub bands: Option<BTreeMap<String, String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListSection {
    pub name: String,
    pub items_file: String,
    pub item: String,
    #[serde(default)]
    pub parents: Vec<String>,
    pub tables: Vec<String>,
    pub size: [usize; 2],
}

pub(super) fn read(dir: &Path) -> Result<Manifest> {
    let path = dir.join("pack.toml");
    let text = std::fs::read_to_string(&path).map_err(|source| Error::Io { path: path.clone(), source })?;
    toml::from_str(&text).map_err(|e| {
        let line = e.span().map_or(0, |span| text[..span.start.min(text.len())].matches('\n').count() + 1);
        Error::Source { place: format!("pack.toml:{line}"), message: e.message().to_string() }
    })
}
