//! A compiled country pack: the network to draw from, and the figures and sources that it was fitted to.

pub(crate) mod codec;

use std::path::Path;
use std::sync::{Arc, OnceLock};

use arrow_array::{ArrayRef, DictionaryArray, Float64Array, Int32Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::infer::predicate::{Comparison, Predicate, Value};
use crate::judge::expected::Expected;
use crate::judge::independence::Independence;
use crate::model::network::{Address, Network, Table};
use crate::model::potential::Potential;
use crate::model::variable::{Levels, Variable};

/// Whether a figure was published by a statistical office, or derived.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    Official,
    Estimate,
}

impl std::fmt::Display for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Status::Official => "official",
            Status::Estimate => "estimate",
        })
    }
}

/// Where figures come from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    pub id: String,
    pub agency: String,
    pub title: String,
    pub year: String,
    pub licence: String,
    /// Text to ship with the figures, where the licence asks for it.
    #[serde(default)]
    pub attribution: Option<String>,
    /// How the figures were obtained.
    #[serde(default)]
    pub origin: Option<String>,
}

/// How a fitted node agrees with one of its figures, on the population of one pass.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fit {
    pub node: String,
    pub pass: String,
    /// The variables within which the figure's shares are to hold; none if its joint shares are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub given: Vec<String>,
    /// Whether the node was made to meet the figure in this pass; otherwise this says how far it has drifted since.
    pub binding: bool,
    /// The largest difference between a cell of the model's margin and the figure's, as a share of the population
    /// that the figure covers.
    pub max_difference: f64,
    /// Half the sum of the absolute differences, over the population that the figure covers.
    pub total_variation: f64,
}

/// One column of a figure: a variable, in the levels or bands in which it is published.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FigureColumn {
    pub name: String,
    pub variable: String,
    pub labels: Vec<String>,
    /// Where the labels are groups of the pack's own: the label of each level, by its index. Otherwise empty: each label
    /// is a level or a band of integers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<Option<u16>>,
}

/// One table of the pack: counts or shares over some variables.
#[derive(Debug, Clone)]
pub struct Figure {
    pub name: String,
    pub title: String,
    pub status: Status,
    /// The id of its [`Source`].
    pub source: String,
    pub table: String,
    pub year: String,
    pub note: String,
    /// `count` (persons) or `share`.
    pub measure: String,
    pub columns: Vec<FigureColumn>,
    pub fits: Vec<Fit>,
    pub(crate) cells: crate::pack::codec::Cells,
    /// What the network says of its cells, once somebody has asked.
    pub(crate) expected: OnceLock<Arc<Expected>>,
}

impl Figure {
    /// How many cells it has.
    pub fn len(&self) -> usize {
        self.cells.rows
    }

    /// Whether it has no cell; never so in a pack.
    pub fn is_empty(&self) -> bool {
        self.cells.rows == 0
    }

    /// Its columns as text, then the measure as Float64.
    pub fn schema(&self) -> SchemaRef {
        let text = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
        let mut fields: Vec<Field> = self.columns.iter().map(|c| Field::new(&c.name, text.clone(), false)).collect();
        fields.push(Field::new(&self.measure, DataType::Float64, false));
        Arc::new(Schema::new(fields))
    }

    /// Its cells: for each column the label of every cell, as an index into the column's labels; and their values.
    ///
    /// # Errors
    /// If the pack is damaged.
    pub fn cells(&self) -> Result<(Vec<Vec<u16>>, Vec<f64>)> {
        let (codes, values) = self.cells.decode(self.columns.len())?;
        let known = |(codes, column): (&Vec<u16>, &FigureColumn)| {
            codes.iter().all(|code| usize::from(*code) < column.labels.len())
        };
        match codes.iter().zip(&self.columns).all(known) {
            true => Ok((codes, values)),
            false => Err(Error::NotAPack(format!("the cells of the figure `{}` are damaged", self.name))),
        }
    }

    /// Its cells, as a table.
    ///
    /// # Errors
    /// If the pack is damaged.
    pub fn batch(&self) -> Result<RecordBatch> {
        let (codes, values) = self.cells()?;
        let mut columns: Vec<ArrayRef> = vec![];
        for (column, codes) in self.columns.iter().zip(codes) {
            let labels = Arc::new(StringArray::from(column.labels.clone()));
            let keys = Int32Array::from_iter_values(codes.iter().map(|c| i32::from(*c)));
            columns.push(Arc::new(DictionaryArray::try_new(keys, labels)?));
        }
        columns.push(Arc::new(Float64Array::from(values)));
        Ok(RecordBatch::try_new(self.schema(), columns)?)
    }
}

/// A list of items drawn for each person, such as hobbies: not a variable, so that no draw is conditioned on it.
#[derive(Debug)]
pub(crate) struct List {
    pub name: String,
    pub items: Arc<StringArray>,
    pub table: Table,
    pub min: usize,
    pub max: usize,
}

/// What a column of a draw holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Column {
    Uuid,
    Variable(usize),
    List(usize),
    Country,
    Seed,
    RowIndex,
    /// The condition under which a row was drawn, in SQL; NULL without one.
    Given,
    PackId,
}

/// A compiled country pack. Share it as an [`Arc`]; drawing from it takes no lock.
#[derive(Debug)]
pub struct Pack {
    pub(crate) name: String,
    pub(crate) title: String,
    pub(crate) country: String,
    pub(crate) language: String,
    pub(crate) year: String,
    pub(crate) universe: String,
    pub(crate) population: f64,
    pub(crate) hash: [u8; 32],
    pub(crate) network: Network,
    pub(crate) lists: Vec<List>,
    pub(crate) columns: Vec<Column>,
    pub(crate) schema: SchemaRef,
    pub(crate) figures: Vec<Figure>,
    pub(crate) sources: Vec<Source>,
    pub(crate) addresses: Vec<Address>,
    pub(crate) list_addresses: Vec<Address>,
    /// The joint distribution of the parents of each node, once somebody has asked.
    pub(crate) parents: Vec<OnceLock<Potential>>,
    /// The texts of each variable's levels, as the values of its dictionary arrays.
    pub(crate) dictionaries: Vec<Option<Arc<StringArray>>>,
}

impl Pack {
    /// Reads a compiled pack.
    ///
    /// # Errors
    /// [`Error::NotAPack`] if the bytes are not one, are damaged, or of a later version.
    pub fn from_bytes(bytes: &[u8]) -> Result<Arc<Pack>> {
        crate::pack::codec::decode(bytes).map(Arc::new)
    }

    /// Reads a compiled pack from a file.
    ///
    /// # Errors
    /// As [`from_bytes`](Self::from_bytes), and if the file cannot be read.
    pub fn open(path: &Path) -> Result<Arc<Pack>> {
        let bytes = std::fs::read(path).map_err(|source| Error::Io { path: path.into(), source })?;
        Pack::from_bytes(&bytes)
    }

    /// The name by which SQL knows it: `usa`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The country's name in words.
    pub fn title(&self) -> &str {
        &self.title
    }

    /// What the column `country` holds.
    pub fn country(&self) -> &str {
        &self.country
    }

    /// The language that its people are written up in, as an IETF tag.
    pub fn language(&self) -> &str {
        &self.language
    }

    /// The year that the population is of.
    pub fn year(&self) -> &str {
        &self.year
    }

    /// Whom the pack stands for, in words.
    pub fn universe(&self) -> &str {
        &self.universe
    }

    /// How many people the pack stands for.
    pub fn population(&self) -> f64 {
        self.population
    }

    /// The edition of the pack: people of one edition are who they are, whatever else is fitted anew.
    pub fn edition(&self) -> u32 {
        1
    }

    /// The BLAKE3 hash of everything that decides who is drawn.
    pub fn hash(&self) -> &[u8; 32] {
        &self.hash
    }

    /// Name and short hash: `usa@1a2b3c4d`.
    pub fn id(&self) -> String {
        let [a, b, c, d, ..] = self.hash;
        format!("{}@{a:02x}{b:02x}{c:02x}{d:02x}", self.name)
    }

    /// The schema of a draw: `uuid`, the facts, `country`, `seed`, `row_index`, `given`, `pack`.
    pub fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    /// All variables, in the order of drawing.
    pub fn variables(&self) -> &[Variable] {
        &self.network.variables
    }

    /// The names of the lists that are drawn beside the variables.
    pub fn list_names(&self) -> impl Iterator<Item = &str> {
        self.lists.iter().map(|l| l.name.as_str())
    }

    pub fn figures(&self) -> &[Figure] {
        &self.figures
    }

    pub fn sources(&self) -> &[Source] {
        &self.sources
    }

    /// The independences that the network imposes, by its local Markov property.
    pub fn independences(&self) -> Vec<Independence> {
        crate::judge::independence::list(&self.network)
    }

    /// P(predicate) in the whole population, and 0 where nobody satisfies it.
    ///
    /// # Errors
    /// If the predicate names what the pack does not have, or needs more memory than the bound.
    pub fn probability(&self, given: &Predicate) -> Result<f64> {
        if let Some(list) = self.lists.iter().find(|l| given.mentions(&l.name)) {
            return Err(Error::List(list.name.clone()));
        }
        crate::infer::elimination::probability(&self.network, given)
    }

    /// The marginal distribution of one variable: a probability for each level.
    ///
    /// # Errors
    /// If there is no such variable.
    pub fn marginal(&self, variable: &str) -> Result<Vec<f64>> {
        let at = crate::model::variable::find(&self.network.variables, variable)?;
        crate::infer::elimination::marginal(&self.network, at)
    }

    pub(crate) fn finish(&mut self, names: &[String]) -> Result<()> {
        self.addresses = self.network.tables.iter().map(|t| Address::new(&t.parents)).collect();
        self.parents = self.network.tables.iter().map(|_| OnceLock::new()).collect();
        self.list_addresses = self.lists.iter().map(|l| Address::new(&l.table.parents)).collect();
        self.dictionaries = self
            .network
            .variables
            .iter()
            .map(|v| match &v.levels {
                Levels::Text(names) => Some(Arc::new(StringArray::from_iter_values(names.iter()))),
                Levels::Integer { .. } => None,
            })
            .collect();
        let text = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
        let (mut columns, mut fields) = (vec![Column::Uuid], vec![Field::new("uuid", DataType::Utf8, false)]);
        for name in names {
            if let Some(list) = self.lists.iter().position(|l| l.name == *name) {
                let item = Arc::new(Field::new("item", text.clone(), true));
                columns.push(Column::List(list));
                fields.push(Field::new(name, DataType::List(item), false));
            } else {
                let at = crate::model::variable::find(&self.network.variables, name)?;
                let variable = &self.network.variables[at];
                let kind = match variable.levels {
                    Levels::Text(_) => text.clone(),
                    Levels::Integer { .. } => DataType::Int32,
                };
                columns.push(Column::Variable(at));
                fields.push(Field::new(name, kind, variable.null_level.is_some()));
            }
        }
        let constants = [
            (Column::Country, Field::new("country", text.clone(), false)),
            (Column::Seed, Field::new("seed", DataType::UInt64, false)),
            (Column::RowIndex, Field::new("row_index", DataType::UInt64, false)),
            (Column::Given, Field::new("given", text.clone(), true)),
            (Column::PackId, Field::new("pack", text, false)),
        ];
        for (column, field) in constants {
            columns.push(column);
            fields.push(field);
        }
        self.columns = columns;
        self.schema = Arc::new(Schema::new(fields));
        Ok(())
    }
}

/// `variable = 'level'` as a predicate, the commonest of them.
pub fn equals(variable: &str, level: &str) -> Predicate {
    Predicate::Compare { variable: variable.into(), op: Comparison::Eq, value: Value::Text(level.into()) }
}
