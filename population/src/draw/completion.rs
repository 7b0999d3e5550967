//! Completion: what is not known of people, drawn from its posterior given what is.

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::{Field, Schema, SchemaRef};

use crate::draw::counterfactual::impossible;
use crate::draw::facts::{Facts, list_column, lists};
use crate::draw::kernels::draw_items;
use crate::draw::posteriors::Posteriors;
use crate::draw::rows::row_of;
use crate::draw::stream::{Noise, Use, named};
use crate::error::{Error, Result};
use crate::pack::{Column, Pack};

/// What becomes of a row whose facts nobody has together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnImpossible {
    /// An error that names the row and the facts that contradict each other
    #[default]
    Error,
    /// What is not known of it stays NULL.
    Null,
}

/// Completes rows of facts: what is stated stays, and the rest is drawn from the posterior given it, exactly.
#[derive(Debug, Clone)]
pub struct Completion {
    pack: Arc<Pack>,
    seed: u64,
    on_impossible: OnImpossible,
    nulls_are_known: bool,
    schema: SchemaRef,
    posteriors: Arc<Posteriors>,
    needed: Arc<[bool]>,
    lists: Arc<[[u32; 2]]>,
}

impl Completion {
    pub fn new(pack: Arc<Pack>, seed: u64, on_impossible: OnImpossible) -> Completion {
        let of = pack.schema();
        let facts = pack.columns.iter().zip(of.fields()).filter(|(c, _)| is_fact(**c));
        let nullable = on_impossible == OnImpossible::Null;
        let field = |f: &Arc<Field>| f.as_ref().clone().with_nullable(f.is_nullable() || nullable);
        let schema = Arc::new(Schema::new(facts.map(|(_, f)| field(f)).collect::<Vec<Field>>()));
        let mut needed = vec![false; pack.network.variables.len()];
        for column in &pack.columns {
            match column {
                Column::Variable(v) => needed[*v] = true,
                Column::List(l) => pack.list_addresses[*l].parents.iter().for_each(|(p, _)| needed[*p] = true),
                _ => {}
            }
        }
        let lists = pack.list_names().map(|l| named(&["list", l])).collect();
        let posteriors = Arc::new(Posteriors::new(pack.clone()));
        Completion {
            pack,
            seed,
            on_impossible,
            nulls_are_known: false,
            schema,
            posteriors,
            needed: needed.into(),
            lists,
        }
    }

    /// Whether NULL is known to be the level that is NULL, as an occupation's is for those without a job, where the
    /// variable has one. Without this NULL is what is not known.
    pub fn nulls_are_known(self, known: bool) -> Completion {
        Completion { nulls_are_known: known, ..self }
    }

    pub fn pack(&self) -> &Arc<Pack> {
        &self.pack
    }

    /// The facts and lists of a draw, without who and whence they are.
    pub fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    /// One row for each of a batch that has facts, by name; other columns are passed over. What is drawn depends on the
    /// pack, the seed, and the row's facts and key alone: not on the order of rows or on the batch.
    ///
    /// # Errors
    /// If there is not one key a row; if a fact is no level of its variable; if a row's facts have no probability in this
    /// pack and that is to be an error; if a posterior needs more memory than the bound.
    pub fn complete(&self, people: &RecordBatch, keys: &[Vec<u8>]) -> Result<RecordBatch> {
        let (pack, rows) = (&self.pack, people.num_rows());
        if keys.len() != rows {
            return Err(Error::Keys { rows, keys: keys.len() });
        }
        let mut facts = Facts::read(pack, people, self.nulls_are_known)?;
        let as_stated = facts.clone();
        let noises: Vec<Noise> = keys.iter().map(|key| Noise::new(self.seed, key)).collect();
        let possible = self.posteriors.fill(&mut facts, &noises, &self.needed)?;
        for row in (0..rows).filter(|row| !possible[*row]) {
            if self.on_impossible == OnImpossible::Error {
                let who = match std::str::from_utf8(&keys[row]) {
                    Ok(key) if !key.contains(char::is_control) => format!("the row of key `{key}`"),
                    _ => format!("row {row}"),
                };
                return Err(impossible(pack, who, as_stated.row(row)));
            }
            let span = row * facts.width..(row + 1) * facts.width;
            facts.codes[span].copy_from_slice(as_stated.row(row));
        }
        let arrays = pack.columns.iter().filter(|c| is_fact(**c)).map(|column| match column {
            Column::List(l) => self.list(*l, people, &facts, &noises),
            Column::Variable(v) => facts.column(pack, *v),
            _ => Err(Error::Projection { index: 0, columns: pack.columns.len() }),
        });
        let arrays = arrays.collect::<Result<Vec<ArrayRef>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        Ok(RecordBatch::try_new_with_options(self.schema.clone(), arrays, &options)?)
    }

    /// The lists that are stated, and the others by what they depend on; nothing where that is not known.
    fn list(&self, l: usize, people: &RecordBatch, facts: &Facts, noises: &[Noise]) -> Result<ArrayRef> {
        let spec = &self.pack.lists[l];
        let stated = match people.column_by_name(&spec.name) {
            Some(array) => lists(spec, array)?,
            None => vec![None; noises.len()],
        };
        let of = |(row, stated): (usize, Option<Vec<i32>>)| {
            stated.unwrap_or_else(|| {
                let mut items = vec![];
                if let Some(at) = row_of(&spec.table, &self.pack.list_addresses[l], facts.row(row)) {
                    draw_items(spec, at, &mut items, |lane| noises[row].block(self.lists[l], lane as u32, Use::Items));
                }
                items
            })
        };
        list_column(spec, &stated.into_iter().enumerate().map(of).collect::<Vec<_>>())
    }
}

fn is_fact(column: Column) -> bool {
    matches!(column, Column::Variable(_) | Column::List(_))
}
