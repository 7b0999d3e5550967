//! `FROM usa TABLESAMPLE BERNOULLI (5) REPEATABLE (7)`: some rows of a table, by chance.

use std::sync::Arc;

use arrow::array::{BooleanArray, RecordBatch, RecordBatchOptions};
use arrow::compute::filter;
use arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::{DFSchema, Result, ScalarValue, exec_err, plan_err};
use datafusion::execution::TaskContext;
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::planner::RelationPlannerContext;
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::sql::TableReference;
use datafusion::sql::sqlparser::ast::{
    Expr as SqlExpr, TableFactor, TableSample as Clause, TableSampleKind, TableSampleQuantity, TableSampleSeed,
    TableSampleUnit, Value as SqlValue,
};
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt, stream};

use crate::TableSearch;
use crate::arguments::fold;
use crate::deferred::{Deferred, Wanted, table};
use crate::sample_persona::{MAX_COUNT, fresh_seed};
use crate::sampling::allocation::{Allocation, Design, OnShort};
use crate::sampling::lineage::seed_over;
use crate::sampling::passes::{Sample, run};
use crate::sampling::ranks::{Key, Ranks};
use crate::scan::scan;

/// What it is listed as among the functions.
pub(crate) const NAME: &str = "tablesample";

/// What the list says of it.
pub(crate) const DESCRIPTION: &str = "Some rows of a table or a query, by chance: each by itself (BERNOULLI, and SYSTEM all the same), or so many ROWS. The same rows for the same seed, in whatever order the table has them: by `uuid`, where it is known to be each row's own (people who are drawn, tables whose key it is, and what keeps their rows apart), or else by all that a row holds, so that the rows of a person who is there several times, as after a join, are taken each by itself. A larger share of the same seed holds the smaller one. A sample of a sample, with the same seed or another, is independent of it, as long as both stand in one statement; of a sample that was kept in a table take one with another seed.";
pub(crate) const SYNTAX: &str =
    "table TABLESAMPLE BERNOULLI (percentage) | (number PERCENT) | (number ROWS) [REPEATABLE (seed)]";
pub(crate) const EXAMPLE: &str = "SELECT * FROM usa TABLESAMPLE BERNOULLI (5) REPEATABLE (7)";

const CLAUSE: &str = "TABLESAMPLE";

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
    relation: TableFactor,
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
    let name = match &relation {
        TableFactor::Table { name, .. } => context.object_name_to_table_reference(name.clone())?,
        _ => TableReference::bare(NAME),
    };
    let input = context.plan(relation)?;
    Key::of(&input, host.as_deref()).check(CLAUSE, &input)?;
    // How rows are stored says nothing of them here, so that blocks of rows, as of SYSTEM and BLOCK, are rows.
    let method = match quantity {
        Some(TableSampleQuantity { value, unit: Some(TableSampleUnit::Rows), .. }) => {
            let n = number(value, 1.0..=MAX_COUNT as f64, "number of rows", context)?;
            if n.fract() != 0.0 {
                return plan_err!("{CLAUSE}: the number of rows must be whole, {n} is not");
            }
            Method::Rows(n as u64)
        }
        Some(TableSampleQuantity { value, unit, .. }) if unit.is_some() || clause.name.is_some() => {
            Method::Share(number(value, 0.0..=100.0, "percentage", context)? / 100.0)
        }
        _ => return plan_err!("{CLAUSE}: how much? Write BERNOULLI (5), (5 PERCENT) or (100 ROWS)"),
    };
    let schema = Arc::new(input.schema().as_arrow().clone());
    let of_ranks = seed_over(&input, seed)?;
    scan(name, table(TableSample { host, input, method, seed, of_ranks, schema }))
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
enum Method {
    /// Each row with this chance, by itself
    Share(f64),
    /// So many rows; all of them, if there are fewer
    Rows(u64),
}

/// One sample.
#[derive(Debug)]
pub(crate) struct TableSample {
    host: Option<Arc<dyn TableSearch>>,
    input: LogicalPlan,
    method: Method,
    /// As the statement has it
    seed: u64,
    /// What ranks are made with
    of_ranks: u64,
    schema: SchemaRef,
}

impl TableSample {
    /// What it is a sample of.
    pub fn input(&self) -> &LogicalPlan {
        &self.input
    }
}

impl Deferred for TableSample {
    const OPERATOR: &'static str = "TableSampleExec";

    fn function(&self) -> &'static str {
        CLAUSE
    }

    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn details(&self) -> String {
        match self.method {
            Method::Share(share) => format!("share={share}, seed={}", self.seed),
            Method::Rows(n) => format!("rows={n}, seed={}", self.seed),
        }
    }

    fn start(self: Arc<Self>, wanted: Wanted) -> BoxStream<'static, Result<RecordBatch>> {
        let Wanted { state, task, projection, schema } = wanted;
        let (input, seed, host) = (self.input.clone(), self.of_ranks, self.host.clone());
        match self.method {
            Method::Rows(n) => {
                let (allocation, on_short) = (Allocation::Proportional, OnShort::TakeAll);
                let design = Design { n, allocation, min: Some(0), max: None, on_short };
                let (strata, study_variable, quotas) = (vec![], None, None);
                let (function, n) = (CLAUSE, Some(n));
                let sample = Sample { function, input, strata, study_variable, design, n, quotas, seed, host };
                Arc::new(sample).rows(state, task, projection)
            }
            Method::Share(share) => {
                let bernoulli = Bernoulli { input, share, seed, host, projection, schema };
                stream::once(async move { bernoulli.rows(&state, task).await }).try_flatten().boxed()
            }
        }
    }
}

/// The rows whose rank is in the lowest share of all numbers.
struct Bernoulli {
    input: LogicalPlan,
    share: f64,
    seed: u64,
    host: Option<Arc<dyn TableSearch>>,
    projection: Vec<usize>,
    schema: SchemaRef,
}

impl Bernoulli {
    async fn rows(
        &self,
        state: &SessionState,
        task: Arc<TaskContext>,
    ) -> Result<BoxStream<'static, Result<RecordBatch>>> {
        let fields = self.input.schema();
        let columns = fields.columns();
        let column = |at: usize| Expr::Column(columns[at].clone());
        let key = match Key::of(&self.input, self.host.as_deref()) {
            Key::Uuid(at) if fields.field(at).is_nullable() => {
                let missing = run(&self.input, Some(column(at).is_null()), vec![column(at)], state, &task).await?;
                let mut missing = missing.try_filter(|batch| std::future::ready(batch.num_rows() > 0));
                match missing.try_next().await? {
                    Some(_) => {
                        Key::Content.check(CLAUSE, &self.input)?;
                        Key::Content
                    }
                    None => Key::Uuid(at),
                }
            }
            key => key,
        };
        let places = key.columns(columns.len());
        let kinds: Vec<_> =
            places.iter().map(|at| fields.field(*at)).map(|f| (f.name().as_str(), f.data_type())).collect();
        let mut ranks = Ranks::new(&key, self.seed, &kinds)?;
        let wanted = self.projection.iter().chain(&places).map(|at| column(*at)).collect();
        let rows = run(&self.input, None, wanted, state, &task).await?;
        let below = (self.share * 2f64.powi(64)) as u128;
        let (schema, shown) = (self.schema.clone(), self.projection.len());
        let sampled = rows.map(move |batch| {
            let batch = batch?;
            let (shown, keys) = batch.columns().split_at(shown);
            let Some(ranks) = ranks.of(keys, batch.num_rows())? else {
                return exec_err!(
                    "{CLAUSE}: a row has no uuid any more when it is read; keep the rows in a table first"
                );
            };
            let mask: BooleanArray = ranks.into_iter().map(|rank| Some(rank >> 64 < below)).collect();
            let columns = shown.iter().map(|column| filter(column, &mask)).collect::<Result<Vec<_>, _>>()?;
            let options = RecordBatchOptions::new().with_row_count(Some(mask.true_count()));
            Ok(RecordBatch::try_new_with_options(schema.clone(), columns, &options)?)
        });
        Ok(sampled.try_filter(|batch| std::future::ready(batch.num_rows() > 0)).boxed())
    }
}
