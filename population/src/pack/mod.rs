//! A compiled country pack: the network to draw from, and the figures and sources that it was fitted to.

pub(crate) mod codec;
mod decode;
pub(crate) mod encode;
pub(crate) mod figure;
mod identity;
pub(crate) mod names;
#[doc(hidden)]
pub mod testing;

use std::any::Any;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use arrow_array::StringArray;
use arrow_schema::{DataType, Field, Schema, SchemaRef};

pub use self::figure::{Figure, FigureColumn, Fit, Source, Status};
use crate::error::{Error, Result};
use crate::infer::predicate::{Comparison, Predicate, Value};
use crate::model::network::{Address, Network, Rows, Table};
use crate::model::variable::{Levels, Variable};

/// A list of items drawn for each person, such as hobbies: not a variable, so that no draw is conditioned on it.
#[derive(Debug)]
pub(crate) struct List {
    pub name: String,
    pub items: Arc<StringArray>,
    pub table: Table,
    pub min: usize,
    pub max: usize,
}

/// The most items that a list has.
pub(crate) const MAX_LIST: usize = 32;

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

/// What is stored of a pack; [`Pack::new`] makes it one to draw from.
#[derive(Debug)]
pub(crate) struct PackParts {
    pub name: String,
    pub edition: u32,
    pub title: String,
    pub country: String,
    pub language: String,
    pub year: String,
    pub universe: String,
    pub population: f64,
    pub network: Network,
    pub lists: Vec<List>,
    /// The facts of a draw, in the order of emission.
    pub columns: Vec<String>,
    pub figures: Vec<Figure>,
    pub holdouts: Vec<Figure>,
    pub sources: Vec<Source>,
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
    pub(crate) edition: u32,
    pub(crate) hash: [u8; 32],
    pub(crate) network: Network,
    pub(crate) lists: Vec<List>,
    pub(crate) columns: Vec<Column>,
    pub(crate) schema: SchemaRef,
    pub(crate) figures: Vec<Figure>,
    pub(crate) holdouts: Vec<Figure>,
    pub(crate) sources: Vec<Source>,
    pub(crate) addresses: Vec<Address>,
    pub(crate) list_addresses: Vec<Address>,
    /// The texts of each variable's levels, as the values of its dictionary arrays.
    pub(crate) dictionaries: Vec<Option<Arc<StringArray>>>,
    /// What the rooms above have worked out of the pack, for as long as it is there.
    pub(crate) worked_out: OnceLock<Box<dyn Any + Send + Sync>>,
}

impl Pack {
    /// Reads a compiled pack.
    ///
    /// # Errors
    /// [`Error::NotAPack`] if the bytes are not one, are damaged, or of another version; if they say that they are
    /// people other than they hold.
    pub fn from_bytes(bytes: &[u8]) -> Result<Arc<Pack>> {
        decode::decode(bytes).map(Arc::new)
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
        self.edition
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

    /// Figures that no table of the pack was fitted to, kept to judge the fit by.
    pub fn holdouts(&self) -> &[Figure] {
        &self.holdouts
    }

    pub fn sources(&self) -> &[Source] {
        &self.sources
    }

    /// A variable by its name, hidden ones too.
    pub fn variable(&self, name: &str) -> Option<&Variable> {
        self.network.variables.iter().find(|v| v.name == name)
    }

    /// The label that a figure's column gives each level of its variable, as an index into the column's labels; `None`
    /// for the levels that the figure leaves out.
    ///
    /// # Errors
    /// If the column is of a list's items, which are no variable; if the pack is damaged.
    pub fn labels_of_levels(&self, column: &FigureColumn) -> Result<Vec<Option<u16>>> {
        let variable =
            &self.network.variables[crate::model::variable::find(&self.network.variables, &column.variable)?];
        if !column.groups.is_empty() {
            let known = |label: &Option<u16>| label.is_none_or(|l| usize::from(l) < column.labels.len());
            return match column.groups.len() == variable.len() && column.groups.iter().all(known) {
                true => Ok(column.groups.clone()),
                false => Err(Error::NotAPack(format!("the groups of the column `{}` are damaged", column.name))),
            };
        }
        let mut of_levels = vec![None; variable.len()];
        for (at, label) in column.labels.texts().enumerate() {
            let (levels, _) = variable.named(label)?;
            of_levels[levels].fill(Some(at as u16));
        }
        Ok(of_levels)
    }

    /// For a hidden variable that a visible one is a function of: the visible one, and its level for each level of the
    /// hidden one.
    pub fn shown_as(&self, hidden: &str) -> Option<(&Variable, Vec<u16>)> {
        let at = self.network.variables.iter().position(|v| v.name == hidden)?;
        self.network.tables.iter().enumerate().find_map(|(shown, table)| {
            let variable = &self.network.variables[shown];
            let Rows::Function { levels } = &table.rows else { return None };
            match table.parents.as_slice() {
                [parent] if parent.variable == at && !variable.hidden => {
                    let of = parent.partition.class_of().iter().map(|c| levels.get(usize::from(*c)).copied());
                    Some((variable, of.collect::<Option<Vec<u16>>>()?))
                }
                _ => None,
            }
        })
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
        crate::infer::joint::marginal(&self.network, at)
    }

    /// Makes a pack of its parts. Its hash is that of the parts, whoever made them.
    pub(crate) fn new(parts: PackParts) -> Result<Pack> {
        let hash = *identity::identity(&parts).as_bytes();
        let mut pack = Pack {
            name: parts.name,
            title: parts.title,
            country: parts.country,
            language: parts.language,
            year: parts.year,
            universe: parts.universe,
            population: parts.population,
            edition: parts.edition,
            hash,
            network: parts.network,
            lists: parts.lists,
            columns: vec![],
            schema: Arc::new(Schema::empty()),
            figures: parts.figures,
            holdouts: parts.holdouts,
            sources: parts.sources,
            addresses: vec![],
            list_addresses: vec![],
            dictionaries: vec![],
            worked_out: OnceLock::new(),
        };
        pack.finish(&parts.columns)?;
        Ok(pack)
    }

    pub(crate) fn finish(&mut self, names: &[String]) -> Result<()> {
        self.addresses = self.network.tables.iter().map(|t| Address::new(&t.parents)).collect();
        self.list_addresses = self.lists.iter().map(|l| Address::new(&l.table.parents)).collect();
        self.dictionaries = self
            .network
            .variables
            .iter()
            .map(|v| match &v.levels {
                Levels::Text(names) => Some(names.array().clone()),
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
