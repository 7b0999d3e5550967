//! `compare(a, b, columns => (…))`: whether two tables agree, column by column.

mod numbers;

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow::compute::cast as cast_array;
use arrow::datatypes::{DataType, Field, Float64Type, Schema, SchemaRef};
use datafusion::common::{Result, plan_err};
use datafusion::execution::TaskContext;
use datafusion::logical_expr::LogicalPlan;
use datafusion::logical_expr::planner::RelationPlannerContext;
use datafusion::sql::sqlparser::ast::Expr as SqlExpr;
use futures::TryStreamExt;
use futures::stream::BoxStream;
use populace_population::there_are;

use self::numbers::{Cells, Numbers};
use crate::call::arguments::Arguments;
use crate::call::names::{by_name, column_name};
use crate::call::table_function::{Parameter, TableFunction};
use crate::judgement::fidelity::{WEIGHTS, named_columns, weight_values, weights as weights_of};
use crate::nodes::relation_function::{Input, RelationFunction, Wanted, columns_of, relation};
use crate::samples::strata::Strata;
use crate::statistics::{Test, between_samples, holm, jensen_shannon, total_variation, two_samples};
use crate::types::plain;

pub(crate) const NAME: &str = "compare";

/// Columns that say where rows come from, which are compared only where they are named.
const PROVENANCE: [&str; 12] = [
    "uuid",
    "seed",
    "row_index",
    "pack",
    "given",
    "run_id",
    "narrator",
    "narrative_error",
    "twin_of",
    "stratum",
    "sampling_weight",
    "stratum_size",
];

/// The most different values of a text, or combinations of values, that are counted.
const MOST_VALUES: usize = 200_000;

/// The function, as a session has it.
pub(crate) const FUNCTION: TableFunction = TableFunction {
    name: NAME,
    parameters: &[
        Parameter::required("a", "").relation(),
        Parameter::required("b", "").relation(),
        Parameter::optional("columns", "(column | (column, column [, …]) [, …])"),
        Parameter::optional("weights_a", "expression"),
        Parameter::optional("weights_b", "expression"),
        Parameter::optional("alpha", "number"),
    ],
    positional: 2,
    description: "Whether two tables agree, one row a column that both have: the total variation distance `tvd`, the one that chance alone makes between samples of these sizes (`noise_floor`), the Jensen-Shannon distance in base 2 (`jsd`), a chi-square test, and a verdict. Numbers of many values are compared in ten bands. `columns` names the columns, and in parentheses the combinations, to compare; without it all that both have are compared, but those that say where rows come from, such as `uuid` and `seed`. Holm's correction over all rows keeps the chance that any of them says `differs` of two samples of the same people at `alpha`.",
    example: "SELECT * FROM compare(usa, imported, columns => (age, state, (sex, marital_status)))",
    plan: |arguments, _, context| plan(arguments, context),
};

fn plan(mut arguments: Arguments, context: &mut dyn RelationPlannerContext) -> Result<LogicalPlan> {
    let inputs = ["a", "b"].iter().map(|name| arguments.table(name, context)).collect::<Result<Vec<_>>>()?;
    let mut weights = [None, None];
    for (at, name) in ["weights_a", "weights_b"].into_iter().enumerate() {
        if let Some(sql) = arguments.take(name) {
            weights[at] = Some(weights_of(NAME, name, sql, &inputs[at], context)?);
        }
    }
    let alpha = arguments.share("alpha", context)?.unwrap_or(0.05);
    let names =
        |input: &LogicalPlan| -> Vec<String> { input.schema().fields().iter().map(|f| f.name().clone()).collect() };
    let (of_a, of_b) = (names(&inputs[0]), names(&inputs[1]));
    let shared: Vec<&str> = of_a.iter().filter(|name| of_b.contains(name)).map(String::as_str).collect();
    let wanted: Vec<Vec<String>> = match arguments.take("columns") {
        Some(sql) => columns(sql)?,
        // How people were drawn and written up says nothing of who they are.
        None => shared.iter().filter(|n| !PROVENANCE.contains(n)).map(|name| vec![name.to_string()]).collect(),
    };
    if wanted.is_empty() {
        return plan_err!(
            "{NAME}: the tables have no column of the same name that says who people are; give columns the same names in a \
             subquery, or name those to compare, columns => (…)"
        );
    }
    if let Some(name) = wanted.iter().flatten().find(|name| !shared.contains(&name.as_str())) {
        let lacks = if of_a.contains(name) { "b" } else { "a" };
        return plan_err!("{NAME}: `columns`: table {lacks} has no column `{name}`{}", there_are(name, &shared));
    }
    let units: Vec<ComparedColumns> = wanted.into_iter().map(|columns| unit(columns, &inputs)).collect();
    let counted = units.iter().filter(|u| !matches!(u.way, ComparedAs::Not(_)));
    let mut names: Vec<String> = counted.flat_map(|u| u.columns.clone()).collect();
    names.sort_unstable();
    names.dedup();
    let tables = inputs.iter().zip(weights).map(|(input, weights)| named_columns(NAME, input, &names, weights));
    relation(TableComparison { units, alpha }, tables.collect::<Result<_>>()?, None)
}

/// Columns, and combinations of columns in parentheses.
fn columns(sql: SqlExpr) -> Result<Vec<Vec<String>>> {
    let elements = match sql {
        SqlExpr::Tuple(elements) => elements,
        SqlExpr::Nested(element) => vec![*element],
        element => vec![element],
    };
    let name = |sql: SqlExpr| match column_name(&by_name(sql.clone())) {
        Some(name) => Ok(name),
        None => plan_err!("{NAME}: `columns`: `{sql}` is not the name of a column; compute it in a subquery"),
    };
    let combination = |sql: SqlExpr| match sql {
        SqlExpr::Tuple(elements) => elements.into_iter().map(name).collect(),
        SqlExpr::Nested(element) => Ok(vec![name(*element)?]),
        element => Ok(vec![name(element)?]),
    };
    elements.into_iter().map(combination).collect()
}

/// How a column or a combination is compared.
#[derive(Debug, Clone, PartialEq)]
enum ComparedAs {
    Texts,
    Numbers,
    Not(String),
}

/// A column, or a combination of columns.
#[derive(Debug)]
struct ComparedColumns {
    columns: Vec<String>,
    way: ComparedAs,
}

fn unit(columns: Vec<String>, inputs: &[LogicalPlan]) -> ComparedColumns {
    let kinds = |name: &String| -> Vec<DataType> {
        let of = |input: &LogicalPlan| {
            input.schema().fields().iter().find(|f| f.name() == name).map_or(DataType::Null, |f| plain(f.data_type()))
        };
        inputs.iter().map(of).collect()
    };
    let nested = columns.iter().flat_map(&kinds).find(|k| k.is_nested() || matches!(k, DataType::Binary));
    let is_number = |kind: &DataType| kind.is_numeric();
    let way = match (nested, columns.as_slice()) {
        (Some(kind), _) => {
            let name = match kind {
                DataType::Binary => "bytes",
                _ => "lists or records",
            };
            ComparedAs::Not(format!("it holds {name}"))
        }
        (None, [column]) => {
            let kinds = kinds(column);
            match kinds.iter().filter(|k| is_number(k)).count() {
                2 => ComparedAs::Numbers,
                1 if !kinds.contains(&DataType::Null) => {
                    ComparedAs::Not("it is a number in one table and none in the other".into())
                }
                1 => ComparedAs::Numbers,
                _ => ComparedAs::Texts,
            }
        }
        (None, _) => ComparedAs::Texts,
    };
    ComparedColumns { columns, way }
}

#[derive(Debug)]
struct TableComparison {
    units: Vec<ComparedColumns>,
    alpha: f64,
}

fn schema() -> SchemaRef {
    let text = |name: &str| Field::new(name, DataType::Utf8, true);
    let number = |name: &str| Field::new(name, DataType::Float64, true);
    let count = |name: &str| Field::new(name, DataType::Int64, true);
    Arc::new(Schema::new(vec![
        text("columns"),
        text("cells_are"),
        count("cells"),
        count("n_a"),
        count("n_b"),
        number("tvd"),
        number("noise_floor"),
        number("jsd"),
        number("chi_square"),
        count("df"),
        number("p_value"),
        number("adjusted_p_value"),
        text("verdict"),
        number("false_alarm_rate"),
    ]))
}

impl RelationFunction for TableComparison {
    fn operator(&self) -> &'static str {
        "CompareExec"
    }

    fn name(&self) -> &'static str {
        NAME
    }

    fn schema(&self) -> SchemaRef {
        schema()
    }

    fn details(&self) -> String {
        let details: Vec<String> = self.units.iter().map(|u| format!("({})", u.columns.join(", "))).collect();
        format!("columns={}", details.join(", "))
    }

    fn start(self: Arc<Self>, wanted: Wanted) -> BoxStream<'static, Result<RecordBatch>> {
        let Wanted { task, projection, inputs, .. } = wanted;
        columns_of(async move { self.rows(&inputs, &task).await }, projection)
    }
}

/// What is counted of a unit.
enum CellCounter {
    Texts {
        strata: Strata,
        cells: Cells,
    },
    Numbers(Numbers),
    /// Given up, and why
    Not(String),
}

impl CellCounter {
    fn of(unit: &ComparedColumns) -> Result<CellCounter> {
        Ok(match &unit.way {
            ComparedAs::Texts => {
                CellCounter::Texts { strata: Strata::new(unit.columns.iter().map(|_| &DataType::Utf8))?, cells: vec![] }
            }
            ComparedAs::Numbers => CellCounter::Numbers(Numbers::default()),
            ComparedAs::Not(reason) => CellCounter::Not(reason.clone()),
        })
    }

    fn add(&mut self, table: usize, columns: &[ArrayRef], weights: &[f64]) -> Result<()> {
        match self {
            CellCounter::Texts { strata, cells } => {
                let texts = columns.iter().map(|c| cast_array(c, &DataType::Utf8)).collect::<Result<Vec<_>, _>>()?;
                for (number, weight) in strata.numbers(&texts, weights.len())?.into_iter().zip(weights) {
                    cells.resize(cells.len().max(number + 1), [0.0, 0.0]);
                    cells[number][table] += weight;
                }
                if cells.len() > MOST_VALUES {
                    *self = CellCounter::Not(format!("it has more than {MOST_VALUES} different values"));
                }
            }
            CellCounter::Numbers(numbers) => {
                for column in columns {
                    let values = cast_array(column, &DataType::Float64)?;
                    let values = values.as_primitive::<Float64Type>().iter().zip(weights);
                    values.for_each(|(value, weight)| numbers.add(table, value, *weight));
                }
            }
            CellCounter::Not(_) => {}
        }
        Ok(())
    }

    /// The counts of cells, in an order that does not depend on them; and what the cells are.
    fn cells(self) -> Result<(Cells, &'static str), String> {
        match self {
            CellCounter::Texts { mut strata, cells } => {
                let order = strata.sort();
                Ok((order.into_iter().filter_map(|at| cells.get(at).copied()).collect(), "values"))
            }
            CellCounter::Numbers(numbers) => {
                let (cells, banded) = numbers.cells();
                Ok((cells, if banded { "bands" } else { "values" }))
            }
            CellCounter::Not(reason) => Err(reason),
        }
    }
}

/// The rows of a table.
#[derive(Debug, Clone, Copy, Default)]
struct TableWeight {
    count: u64,
    weight: f64,
    /// Of the weights
    squares: f64,
}

impl TableWeight {
    fn add(&mut self, weights: &[f64]) {
        self.count += weights.len() as u64;
        self.weight += weights.iter().sum::<f64>();
        self.squares += weights.iter().map(|w| w * w).sum::<f64>();
    }

    /// How many rows of equal weight would tell as much: (Σw)² / Σw² (Kish, Survey Sampling, 1965).
    fn effective(&self) -> f64 {
        if self.squares > 0.0 { self.weight * self.weight / self.squares } else { 0.0 }
    }
}

/// One row of the result.
#[derive(Debug)]
struct ComparisonRow {
    columns: String,
    cells_are: Option<&'static str>,
    cells: Option<usize>,
    rows: [TableWeight; 2],
    /// Total variation distance, its noise floor, Jensen-Shannon distance
    distances: Option<[f64; 3]>,
    test: Option<Test>,
    reason: Option<String>,
}

impl TableComparison {
    async fn rows(&self, tables: &[Input], task: &Arc<TaskContext>) -> Result<RecordBatch> {
        let mut counters = self.units.iter().map(CellCounter::of).collect::<Result<Vec<_>>>()?;
        let mut rows = [TableWeight::default(); 2];
        for (table, input) in tables.iter().enumerate() {
            let mut batches = input.rows(task)?;
            while let Some(batch) = batches.try_next().await? {
                let weights = match batch.schema().index_of(WEIGHTS) {
                    Ok(at) => weight_values(NAME, &batch, at)?,
                    Err(_) => vec![1.0; batch.num_rows()],
                };
                rows[table].add(&weights);
                for (unit, counter) in self.units.iter().zip(&mut counters) {
                    let columns = unit.columns.iter().filter_map(|name| batch.column_by_name(name).cloned());
                    counter.add(table, &columns.collect::<Vec<_>>(), &weights)?;
                }
            }
        }
        let units = self.units.iter().zip(counters);
        report(&units.map(|(unit, counter)| compared(unit, counter.cells(), rows)).collect::<Vec<_>>(), self.alpha)
    }
}

fn compared(
    unit: &ComparedColumns,
    cells: Result<(Cells, &'static str), String>,
    rows: [TableWeight; 2],
) -> ComparisonRow {
    let columns = unit.columns.join(", ");
    let (cells, cells_are) = match cells {
        Ok(cells) => cells,
        Err(reason) => {
            let (cells_are, cells, distances, test) = (None, None, None, None);
            return ComparisonRow { columns, cells_are, cells, rows, distances, test, reason: Some(reason) };
        }
    };
    let [n, m] = rows.map(|r| r.effective());
    let of = |table: usize| {
        let weight = rows[table].weight;
        cells.iter().map(|c| if weight > 0.0 { c[table] / weight } else { 0.0 }).collect::<Vec<f64>>()
    };
    let (p, q) = (of(0), of(1));
    let together: Vec<f64> = p.iter().zip(&q).map(|(p, q)| (n * p + m * q) / (n + m).max(1.0)).collect();
    let distances = (n > 0.0 && m > 0.0)
        .then(|| [total_variation(&p, &q), between_samples(n, m, &together), jensen_shannon(&p, &q)]);
    let test = match cells.len() {
        // Nothing to tell apart, in tables that have rows.
        1 if n.min(m) >= 5.0 => Some(Test { chi_square: 0.0, df: 0, p_value: 1.0 }),
        _ => two_samples((n, &p), (m, &q)),
    };
    ComparisonRow { columns, cells_are: Some(cells_are), cells: Some(cells.len()), rows, distances, test, reason: None }
}

fn report(rows: &[ComparisonRow], alpha: f64) -> Result<RecordBatch> {
    let mut adjusted = holm(&rows.iter().filter_map(|r| Some(r.test?.p_value)).collect::<Vec<_>>()).into_iter();
    let adjusted: Vec<Option<f64>> = rows.iter().map(|r| r.test.and_then(|_| adjusted.next())).collect();
    let verdict = |(row, adjusted): (&ComparisonRow, &Option<f64>)| match (&row.reason, adjusted) {
        (Some(reason), _) => format!("not comparable: {reason}"),
        (None, None) => "too few rows".into(),
        (None, Some(p)) if *p <= alpha => "differs".into(),
        (None, Some(_)) => "agrees".into(),
    };
    let number = |of: &dyn Fn(&ComparisonRow) -> Option<f64>| {
        Arc::new(rows.iter().map(of).collect::<Float64Array>()) as ArrayRef
    };
    let count =
        |of: &dyn Fn(&ComparisonRow) -> Option<i64>| Arc::new(rows.iter().map(of).collect::<Int64Array>()) as ArrayRef;
    let columns: Vec<ArrayRef> = vec![
        Arc::new(rows.iter().map(|r| Some(r.columns.as_str())).collect::<StringArray>()),
        Arc::new(rows.iter().map(|r| r.cells_are).collect::<StringArray>()),
        count(&|r| Some(r.cells? as i64)),
        count(&|r| Some(r.rows[0].count as i64)),
        count(&|r| Some(r.rows[1].count as i64)),
        number(&|r| Some(r.distances?[0])),
        number(&|r| Some(r.distances?[1])),
        number(&|r| Some(r.distances?[2])),
        number(&|r| Some(r.test?.chi_square)),
        count(&|r| Some(r.test?.df as i64)),
        number(&|r| Some(r.test?.p_value)),
        Arc::new(adjusted.iter().copied().collect::<Float64Array>()),
        Arc::new(rows.iter().zip(&adjusted).map(verdict).map(Some).collect::<StringArray>()),
        number(&|r| r.test.map(|_| alpha)),
    ];
    Ok(RecordBatch::try_new(schema(), columns)?)
}
