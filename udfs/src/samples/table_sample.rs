//! `FROM usa TABLESAMPLE BERNOULLI (5) REPEATABLE (7)`: some rows of a table, by chance.

use std::future::ready;
use std::sync::Arc;

use arrow::array::{BooleanArray, RecordBatch, RecordBatchOptions};
use arrow::compute::filter;
use arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::{DFSchema, DataFusionError, Result, ScalarValue, plan_err};
use datafusion::logical_expr::planner::RelationPlannerContext;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder};
use datafusion::sql::TableReference;
use datafusion::sql::sqlparser::ast::{
    Expr as SqlExpr, TableFactor, TableSample as Clause, TableSampleKind, TableSampleQuantity, TableSampleSeed,
    TableSampleUnit, Value as SqlValue,
};
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt, stream};

use crate::call::arguments::MAX_COUNT;
use crate::call::arguments::fold;
use crate::call::seed::fresh_seed;
use crate::host::table_search::TableSearch;
use crate::nodes::relation_function::{RelationFunction, Wanted, all, column, columns, relation};
use crate::samples::allocation::{Allocation, Design, OnShort};
use crate::samples::lineage::{seed_over, writes_people};
use crate::samples::passes::{Sample, no_key};
use crate::samples::permanent_random_number::may_be_below;
use crate::samples::ranks::Key;

/// What it is listed as among the functions.
pub(crate) const NAME: &str = "tablesample";

/// What the list says of it.
pub(crate) const DESCRIPTION: &str = "Some rows of a table or a query, by chance: each by itself (BERNOULLI, and SYSTEM all the same), or so many ROWS. The same rows for the same seed, in whatever order the table has them: by `uuid`, where it is known to be each row's own (people who are drawn, tables whose key it is, and what keeps their rows apart), or else by all that a row holds, so that the rows of a person who is there several times, as after a join, are taken each by itself. A larger share of the same seed holds the smaller one. A sample of a sample, with the same seed or another, is independent of it, as long as both stand in one statement; of a sample that was kept in a table take one with another seed.";
pub(crate) const SYNTAX: &str =
    "table TABLESAMPLE BERNOULLI (percentage) | (number PERCENT) | (number ROWS) [REPEATABLE (seed)]";
pub(crate) const EXAMPLE: &str = "SELECT * FROM usa TABLESAMPLE BERNOULLI (5) REPEATABLE (7)";

pub(crate) const CLAUSE: &str = "TABLESAMPLE";

const OPERATOR: &str = "TableSampleExec";

/// The sample that a relation asks for.
pub(crate) fn clause(relation: &mut TableFactor) -> Option<&mut Option<TableSampleKind>> {
    match relation {
        TableFactor::Table { sample, .. } | TableFactor::Derived { sample, .. } if sample.is_some() => Some(sample),
        _ => None,
    }
}

/// Plans a sample of the relation that is left when the clause and the alias are taken from it.
pub(crate) fn plan(
    kind: TableSampleKind,
    of: TableFactor,
    host: Option<Arc<dyn TableSearch>>,
    context: &mut dyn RelationPlannerContext,
) -> Result<LogicalPlan> {
    let (TableSampleKind::BeforeTableAlias(clause) | TableSampleKind::AfterTableAlias(clause)) = kind;
    let Clause { quantity, seed, bucket, offset, .. } = *clause;
    if bucket.is_some() || offset.is_some() {
        return plan_err!("{CLAUSE} takes neither BUCKET nor OFFSET: write BERNOULLI (5), (5 PERCENT) or (100 ROWS)");
    }
    let seed = match seed {
        Some(seed) => seed_of(&seed)?,
        None => fresh_seed(),
    };
    let name = match &of {
        TableFactor::Table { name, .. } => context.object_name_to_table_reference(name.clone())?,
        _ => TableReference::bare(NAME),
    };
    let input = context.plan(of)?;
    let key = Key::of(&input, host.as_deref());
    key.check(CLAUSE, &input)?;
    // How rows are stored says nothing of them here, so that blocks of rows, as of SYSTEM and BLOCK, are rows.
    let size = match quantity {
        Some(TableSampleQuantity { value, unit: Some(TableSampleUnit::Rows), .. }) => {
            let n = number(value, 1.0..=MAX_COUNT as f64, "number of rows", context)?;
            if n.fract() != 0.0 {
                return plan_err!("{CLAUSE}: the number of rows must be whole, {n} is not");
            }
            SampleSize::Rows(n as u64)
        }
        Some(TableSampleQuantity { value, unit, .. }) if unit.is_some() || clause.name.is_some() => {
            SampleSize::Share(number(value, 0.0..=100.0, "percentage", context)? / 100.0)
        }
        _ => return plan_err!("{CLAUSE}: how much? Write BERNOULLI (5), (5 PERCENT) or (100 ROWS)"),
    };
    let (table, of_ranks) = (input.schema().inner().clone(), seed_over(&input, seed)?);
    match size {
        SampleSize::Rows(n) => {
            let sample = Sample {
                function: CLAUSE,
                operator: OPERATOR,
                details: format!("rows={n}, seed={seed}"),
                table,
                key,
                strata: 0,
                design: Design {
                    n,
                    allocation: Allocation::Proportional,
                    min: Some(0),
                    max: None,
                    on_short: OnShort::TakeAll,
                },
                n: Some(n),
                seed: of_ranks,
                weighted: false,
                host,
            };
            let inputs = sample.inputs(&input, vec![], None, None)?;
            relation(sample, inputs, Some(name))
        }
        SampleSize::Share(share) => {
            let columns_of_table = input.schema().columns();
            let input = match key {
                // Whoever is not in the sample is not to be written up: told where people are drawn already.
                Key::Uuid(at) if share < 1.0 && writes_people(&input)? => {
                    let taken = may_be_below(Expr::Column(columns_of_table[at].clone()), of_ranks, share);
                    LogicalPlanBuilder::from(input).filter(taken)?.build()?
                }
                _ => input,
            };
            let keys = key.columns(columns_of_table.len()).into_iter();
            let keys = keys.map(|at| Expr::Column(columns_of_table[at].clone())).chain(all(&input));
            let inputs = vec![columns(&input, keys)?];
            relation(Bernoulli { table, key, share, seed, of_ranks }, inputs, Some(name))
        }
    }
}

fn seed_of(seed: &TableSampleSeed) -> Result<u64> {
    let parsed = match &seed.value.value {
        SqlValue::Number(text, _) => text.to_string().parse().ok(),
        _ => None,
    };
    match parsed {
        Some(seed) => Ok(seed),
        None => plan_err!("{CLAUSE}: the seed must be a whole number from 0 to {}, {} is not", u64::MAX, seed.value),
    }
}

fn number(
    sql: SqlExpr,
    range: std::ops::RangeInclusive<f64>,
    what: &str,
    context: &mut dyn RelationPlannerContext,
) -> Result<f64> {
    let (text, schema) = (sql.to_string(), DFSchema::empty());
    let expr = context.sql_to_expr(sql, &schema)?;
    let value = match fold(expr, &Arc::new(schema))? {
        Expr::Literal(value, _) if value.data_type().is_numeric() => value.cast_to(&DataType::Float64)?,
        _ => ScalarValue::Null,
    };
    match value {
        ScalarValue::Float64(Some(value)) if range.contains(&value) => Ok(value),
        _ => plan_err!("{CLAUSE}: the {what} must be from {} to {}, {text} is not", range.start(), range.end()),
    }
}

#[derive(Debug, Clone, Copy)]
enum SampleSize {
    /// Each row with this chance, by itself
    Share(f64),
    /// So many rows; all of them, if there are fewer
    Rows(u64),
}

/// The rows whose rank is in the lowest share of all numbers.
#[derive(Debug)]
struct Bernoulli {
    /// The columns of the relation
    table: SchemaRef,
    key: Key,
    share: f64,
    /// As the statement has it
    seed: u64,
    /// What ranks are made with
    of_ranks: u64,
}

impl Bernoulli {
    fn width(&self) -> usize {
        self.table.fields().len()
    }

    /// How many columns the key is; they come before those of the table
    fn keys(&self) -> usize {
        self.key.columns(self.width()).len()
    }
}

impl RelationFunction for Bernoulli {
    fn name(&self) -> &'static str {
        CLAUSE
    }

    fn operator(&self) -> &'static str {
        OPERATOR
    }

    fn schema(&self) -> SchemaRef {
        self.table.clone()
    }

    fn details(&self) -> String {
        format!("share={}, seed={}", self.share, self.seed)
    }

    fn passes(&self) -> Vec<Option<(usize, String)>> {
        (0..self.width()).map(|at| Some((0, column(self.keys() + at)))).collect()
    }

    fn is_subset(&self) -> bool {
        true
    }

    fn carries(&self) -> bool {
        true
    }

    fn start(self: Arc<Self>, wanted: Wanted) -> BoxStream<'static, Result<RecordBatch>> {
        let Wanted { task, projection, carried, schema, inputs, .. } = wanted;
        let begin = async move {
            let mut ranks = self.key.ranks(&self.table, self.of_ranks)?;
            let place = |at: usize| inputs[0].place(&column(at));
            let keys = (0..self.keys()).map(place).collect::<Result<Vec<_>>>()?;
            let shown = projection.iter().map(|at| place(self.keys() + at));
            let shown = shown.chain(carried.iter().map(|name| inputs[0].place(name))).collect::<Result<Vec<_>>>()?;
            let below = (self.share * 2f64.powi(64)) as u128;
            let sampled = inputs[0].rows(&task)?.map(move |batch| {
                let batch = batch?;
                let keys: Vec<_> = keys.iter().map(|at| batch.column(*at).clone()).collect();
                let Some(ranks) = ranks.of(&keys, batch.num_rows())? else { return no_key(CLAUSE) };
                let mask: BooleanArray = ranks.into_iter().map(|rank| Some(rank >> 64 < below)).collect();
                let columns = shown.iter().map(|at| filter(batch.column(*at), &mask)).collect::<Result<Vec<_>, _>>()?;
                let options = RecordBatchOptions::new().with_row_count(Some(mask.true_count()));
                Ok(RecordBatch::try_new_with_options(schema.clone(), columns, &options)?)
            });
            Ok::<_, DataFusionError>(sampled.try_filter(|batch| ready(batch.num_rows() > 0)))
        };
        stream::once(begin).try_flatten().boxed()
    }
}
