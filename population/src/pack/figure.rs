//! Figures: the published tables that a pack was fitted to, with their sources, and how closely they are met.

use std::sync::Arc;

use arrow_array::{ArrayRef, DictionaryArray, Float64Array, Int32Array, RecordBatch};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::model::variable::Names;
use crate::pack::codec::Cells;

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
#[serde(deny_unknown_fields)]
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
#[serde(deny_unknown_fields)]
pub struct FigureColumn {
    pub name: String,
    pub variable: String,
    pub labels: Names,
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
    pub(crate) cells: Cells,
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
            let labels = column.labels.array().clone();
            let keys = Int32Array::from_iter_values(codes.iter().map(|c| i32::from(*c)));
            columns.push(Arc::new(DictionaryArray::try_new(keys, labels)?));
        }
        columns.push(Arc::new(Float64Array::from(values)));
        Ok(RecordBatch::try_new(self.schema(), columns)?)
    }
}
