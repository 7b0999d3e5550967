//! `pack.toml`: what a pack's folder says about itself.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

use super::places::place;
use crate::error::{Error, Result, there_are};
use crate::pack::{Source, Status};

#[derive(Debug)]
pub(super) struct Manifest {
    pub pack: PackSection,
    pub sources: Vec<Source>,
    pub variables: Vec<VariableSection>,
    pub groupings: Vec<GroupingSection>,
    pub figures: Vec<FigureSection>,
    /// Figures that no node is fitted to
    pub holdouts: Vec<FigureSection>,
    pub nodes: Vec<NodeSection>,
    pub lists: Vec<ListSection>,
    /// The file
    pub text: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PackSection {
    pub name: String,
    /// Counted up when its people are to be others; see FORMAT.md.
    #[serde(default = "first")]
    pub edition: u32,
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

fn first() -> u32 {
    1
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
    /// How far the table may be from each cell, as a share of the cell.
    pub tolerance: Option<f64>,
    /// The column of the file that has each cell's margin of error, in the units of the last column.
    pub margin_of_error: Option<String>,
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
    pub smooth: Option<SmoothSection>,
}

/// Along which parent of integers a table is smoothed, and at which of its integers a real step begins.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SmoothSection {
    pub by: String,
    #[serde(default)]
    pub steps: Vec<i64>,
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

/// The sections that the manifest is made of.
const SECTIONS: [&str; 8] = ["pack", "source", "variable", "grouping", "figure", "holdout", "node", "list"];

/// Reads the manifest.
///
/// # Errors
/// If it cannot be read; all sections that are wrong, with line and column.
pub(super) fn read(dir: &Path) -> Result<Manifest> {
    let text = super::figure::read_text(dir, FILE)?;
    let fault = |e: &toml::de::Error| Error::Source {
        place: place(FILE, &text, e.span().map_or(0, |span| span.start)),
        message: e.message().to_string(),
    };
    let (table, errors) = DeTable::parse_recoverable(&text);
    super::gather(errors.iter().map(fault).collect())?;
    let table = table.get_ref();
    let mut errors = vec![];
    for (name, _) in table.iter().filter(|(name, _)| !SECTIONS.contains(&name.get_ref().as_ref())) {
        let message = format!("unknown section `{}`{}", name.get_ref(), there_are(name.get_ref(), &SECTIONS));
        errors.push(Error::Source { place: place(FILE, &text, name.span().start), message });
    }
    for name in ["pack", "variable", "node"].into_iter().filter(|n| !table.contains_key(*n)) {
        let section = if name == "pack" { "[pack]".into() } else { format!("[[{name}]]") };
        errors.push(Error::Source { place: format!("{FILE}:1:1"), message: format!("there is no {section}") });
    }
    let mut wrong = |e: toml::de::Error| errors.push(fault(&e));
    let pack = table.get("pack").and_then(|pack| match one(pack) {
        Ok(pack) => Some(pack),
        Err(error) => {
            wrong(error);
            None
        }
    });
    let (sources, variables) = (many(table, "source", &mut wrong), many(table, "variable", &mut wrong));
    let (groupings, figures) = (many(table, "grouping", &mut wrong), many(table, "figure", &mut wrong));
    let holdouts = many(table, "holdout", &mut wrong);
    let (nodes, lists) = (many(table, "node", &mut wrong), many(table, "list", &mut wrong));
    super::gather(errors)?;
    match pack {
        Some(pack) => Ok(Manifest { pack, sources, variables, groupings, figures, holdouts, nodes, lists, text }),
        None => Err(Error::Source { place: format!("{FILE}:1:1"), message: "there is no [pack]".into() }),
    }
}

pub(super) const FILE: &str = "pack.toml";

fn one<T: DeserializeOwned>(value: &Spanned<DeValue<'_>>) -> Result<T, toml::de::Error> {
    T::deserialize(ValueDeserializer::from(value.clone()))
}

/// The sections of one kind, each read by itself.
fn many<T: DeserializeOwned>(table: &DeTable<'_>, name: &str, wrong: &mut impl FnMut(toml::de::Error)) -> Vec<T> {
    let Some(value) = table.get(name) else { return vec![] };
    let Some(sections) = value.get_ref().as_array() else {
        one::<Vec<T>>(value).err().into_iter().for_each(wrong);
        return vec![];
    };
    sections.iter().filter_map(|section| one(section).map_err(&mut *wrong).ok()).collect()
}
