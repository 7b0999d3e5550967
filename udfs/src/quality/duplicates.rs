//! `duplicates(table, column => …, method => …, threshold => …)`: texts that nearly copy another.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::{DataFusionError, Result, exec_err, plan_err};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::logical_expr::planner::RelationPlannerContext;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder};
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt, stream};

use crate::call::arguments::{Arguments, expression};
use crate::call::table_function::{Parameter, TableFunction};
use crate::nodes::relation_function::{RelationFunction, Wanted, columns, columns_of, relation};
use crate::quality::checks::Copies;
use crate::search::{text_column, vector_column, vectors_of};

pub(crate) const NAME: &str = "duplicates";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum DuplicateMethod {
    Words,
    Vectors,
}

/// From which similarity on a text is a copy, and the least that can be asked for: below it, words hash apart too often
/// to be found.
const BY_WORDS: f64 = 0.8;
const BY_VECTORS: f64 = 0.98;
const LEAST_THRESHOLD: f64 = 0.5;

/// People whose vectors are compared pair by pair.
const MOST_COMPARED: usize = 50_000;

/// Vectors that one thread compares with all before them.
const CHUNK: usize = 256;

/// The function, as a session has it.
pub(crate) const FUNCTION: TableFunction = TableFunction {
    name: NAME,
    parameters: &[
        Parameter::required("table", "").relation(),
        Parameter::optional("column", "narrative | (narrative, …)"),
        Parameter::optional("method", "'words' | 'vectors'"),
        Parameter::optional("threshold", "number"),
        Parameter::optional("where", "condition"),
    ],
    positional: 1,
    description: "Texts that nearly copy another, one row a copy: the person's `uuid`, whose text it copies (`copy_of`), which `narrative`, and how alike the two are (`similarity`). By words, the estimated Jaccard similarity of runs of three words, without the people's names; by vectors, the cosine similarity. Rows come in the order of the table; the earlier of two texts is the one copied.",
    example: "SELECT * FROM duplicates(usa, column => persona, threshold => 0.7)",
    plan: |arguments, _, context| plan(arguments, context),
};

fn plan(mut arguments: Arguments, context: &mut dyn RelationPlannerContext) -> Result<LogicalPlan> {
    let input = arguments.table("table", context)?;
    let methods = [("words", DuplicateMethod::Words), ("vectors", DuplicateMethod::Vectors)];
    let method = arguments.choice("method", &methods, context)?.unwrap_or(DuplicateMethod::Words);
    let names: Vec<&str> = input.schema().fields().iter().map(|f| f.name().as_str()).collect();
    let narratives = match arguments.columns("column", context)? {
        Some(narratives) => narratives,
        None => names.iter().filter_map(|n| n.strip_suffix("_embedding")).map(String::from).collect(),
    };
    if narratives.is_empty() {
        return plan_err!("{NAME}: the table has no narratives; name columns of texts with column => …");
    }
    let compared = narratives.iter().map(|n| match method {
        DuplicateMethod::Words => text_column(NAME, &input, n),
        DuplicateMethod::Vectors => vector_column(NAME, &input, n),
    });
    let compared = compared.collect::<Result<Vec<String>>>()?;
    if !names.contains(&"uuid") {
        return plan_err!("{NAME}: the table has no column `uuid` to know people by");
    }
    let threshold = arguments.fraction("threshold", context)?.unwrap_or(match method {
        DuplicateMethod::Words => BY_WORDS,
        DuplicateMethod::Vectors => BY_VECTORS,
    });
    if threshold < LEAST_THRESHOLD {
        return plan_err!(
            "{NAME}: `threshold` must be at least {LEAST_THRESHOLD}, {threshold} is less: that is no near-copy"
        );
    }
    let filter = match arguments.take("where") {
        Some(sql) => Some(expression(NAME, "where", sql, input.schema(), context)?),
        None => None,
    };
    let people = ["uuid", "first_name", "last_name"].into_iter().filter(|n| names.contains(n)).map(String::from);
    let read: Vec<String> = people.chain(compared).collect();
    let all = input.schema().columns();
    let exprs = read.iter().filter_map(|name| all.iter().find(|c| c.name == *name).cloned().map(Expr::Column));
    let rows = match filter {
        Some(filter) => LogicalPlanBuilder::from(input.clone()).filter(filter)?.build()?,
        None => input.clone(),
    };
    let rows = columns(&rows, exprs)?;
    relation(Work { narratives, read: read.len(), method, threshold }, vec![rows], None)
}

fn schema() -> SchemaRef {
    let text = |name: &str| Field::new(name, DataType::Utf8, true);
    let mut fields = ["uuid", "copy_of", "narrative"].map(text).to_vec();
    fields.push(Field::new("similarity", DataType::Float64, true));
    Arc::new(Schema::new(fields))
}

impl RelationFunction for Work {
    fn operator(&self) -> &'static str {
        "DuplicatesExec"
    }

    fn name(&self) -> &'static str {
        NAME
    }

    fn schema(&self) -> SchemaRef {
        schema()
    }

    fn details(&self) -> String {
        format!("narratives=({}), threshold={}", self.narratives.join(", "), self.threshold)
    }

    fn start(self: Arc<Self>, wanted: Wanted) -> BoxStream<'static, Result<RecordBatch>> {
        let Wanted { task, projection, inputs, .. } = wanted;
        columns_of(async move { self.found(inputs[0].rows(&task)?).await }, projection)
    }
}

#[derive(Debug)]
struct Work {
    narratives: Vec<String>,
    /// How many columns are read: the key, the names that there are, and what is compared of each narrative
    read: usize,
    method: DuplicateMethod,
    threshold: f64,
}

/// A person, whose text theirs copies, which narrative, and how alike the two are.
type DuplicatePair = (Option<String>, Option<String>, usize, f64);

impl Work {
    async fn found(&self, rows: SendableRecordBatchStream) -> Result<RecordBatch> {
        let first = self.read - self.narratives.len();
        let found = match self.method {
            DuplicateMethod::Words => self.by_words(rows, first).await?,
            DuplicateMethod::Vectors => self.by_vectors(rows, first).await?,
        };
        let text = |of: &dyn Fn(&DuplicatePair) -> Option<String>| -> ArrayRef {
            Arc::new(found.iter().map(of).collect::<StringArray>())
        };
        let columns = vec![
            text(&|f| f.0.clone()),
            text(&|f| f.1.clone()),
            text(&|f| self.narratives.get(f.2).cloned()),
            Arc::new(found.iter().map(|f| Some(f.3)).collect::<Float64Array>()) as ArrayRef,
        ];
        Ok(RecordBatch::try_new(schema(), columns)?)
    }

    async fn by_words(&self, mut rows: SendableRecordBatchStream, first: usize) -> Result<Vec<DuplicatePair>> {
        let mut copies: Vec<Copies> = self.narratives.iter().map(|_| Copies::above(self.threshold)).collect();
        let mut found = vec![];
        while let Some(batch) = rows.try_next().await? {
            let texts =
                batch.columns().iter().map(|c| cast(c, &DataType::Utf8)).collect::<Result<Vec<ArrayRef>, _>>()?;
            let value = |column: &ArrayRef, row| {
                let texts = column.as_string::<i32>();
                texts.is_valid(row).then(|| texts.value(row).to_string())
            };
            for row in 0..batch.num_rows() {
                let masked: Vec<String> = texts[1..first].iter().filter_map(|c| value(c, row)).collect();
                let masked: Vec<&str> = masked.iter().map(String::as_str).collect();
                let key = value(&texts[0], row);
                for (at, copies) in copies.iter_mut().enumerate() {
                    if let Some(text) = value(&texts[first + at], row)
                        && let Some((of, similarity)) = copies.add(key.as_deref().unwrap_or_default(), &text, &masked)
                    {
                        found.push((key.clone(), Some(of), at, similarity));
                    }
                }
            }
        }
        Ok(found)
    }

    async fn by_vectors(&self, mut rows: SendableRecordBatchStream, first: usize) -> Result<Vec<DuplicatePair>> {
        let mut keys: Vec<Option<String>> = vec![];
        let mut columns: Vec<Units> = self.narratives.iter().map(|_| Units::default()).collect();
        while let Some(batch) = rows.try_next().await? {
            let uuids = cast(batch.column(0), &DataType::Utf8)?;
            for (at, units) in columns.iter_mut().enumerate() {
                for (row, vector) in vectors_of(batch.column(first + at))?.into_iter().enumerate() {
                    units.add(keys.len() + row, vector)?;
                }
            }
            keys.extend(uuids.as_string::<i32>().iter().map(|k| k.map(String::from)));
            if keys.len() > MOST_COMPARED {
                return exec_err!(
                    "{NAME}: vectors are compared pair by pair, of {MOST_COMPARED} people at most; narrow them with \
                     where => …, or use method => 'words'"
                );
            }
        }
        let mut found = vec![];
        for (at, units) in columns.into_iter().enumerate() {
            let units = Arc::new(units);
            let threads = std::thread::available_parallelism().map_or(1, |n| n.get());
            let threshold = self.threshold;
            let parts = stream::iter((0..units.rows.len()).step_by(CHUNK)).map(|start| {
                let units = units.clone();
                tokio::task::spawn_blocking(move || units.copies(start..start + CHUNK, threshold))
            });
            let parts: Vec<Vec<(usize, usize, f64)>> =
                parts.buffered(threads).try_collect().await.map_err(|e| DataFusionError::External(e.into()))?;
            found.extend(parts.into_iter().flatten().map(|(a, b, s)| (keys[a].clone(), keys[b].clone(), at, s)));
        }
        Ok(found)
    }
}

/// Vectors of unit length, with the rows that they are of.
#[derive(Default)]
struct Units {
    rows: Vec<usize>,
    numbers: Vec<f32>,
    dimension: usize,
}

impl Units {
    fn add(&mut self, row: usize, vector: Option<Vec<f32>>) -> Result<()> {
        let Some(vector) = vector else { return Ok(()) };
        let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
        if length == 0.0 {
            return Ok(());
        }
        if self.dimension == 0 {
            self.dimension = vector.len();
        }
        if self.dimension != vector.len() {
            return exec_err!("{NAME}: vectors of {} and of {} numbers", self.dimension, vector.len());
        }
        self.rows.push(row);
        self.numbers.extend(vector.iter().map(|x| x / length));
        Ok(())
    }

    fn vector(&self, at: usize) -> &[f32] {
        &self.numbers[at * self.dimension..(at + 1) * self.dimension]
    }

    /// Of these vectors, those that are as near to an earlier one, with the nearest.
    fn copies(&self, of: std::ops::Range<usize>, threshold: f64) -> Vec<(usize, usize, f64)> {
        let mut found = vec![];
        for at in of.start..of.end.min(self.rows.len()) {
            let this = self.vector(at);
            let near = |other: usize| this.iter().zip(self.vector(other)).map(|(a, b)| a * b).sum::<f32>();
            let nearest =
                (0..at).map(|other| (other, near(other))).max_by(|a, b| a.1.total_cmp(&b.1).then(b.0.cmp(&a.0)));
            if let Some((other, similarity)) = nearest.filter(|(_, s)| f64::from(*s) >= threshold) {
                found.push((self.rows[at], self.rows[other], f64::from(similarity)));
            }
        }
        found
    }
}
