//! `rake(table, country, figures => …, margins => …)`: a weight for each row, by which the table has a country's margins.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, RecordBatchOptions, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::{DataFusionError, Result, exec_datafusion_err, exec_err, plan_err};
use datafusion::logical_expr::planner::RelationPlannerContext;
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::sql::sqlparser::ast::{Expr as SqlExpr, Value as SqlValue};
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt, stream};
use populace_population::raking::Agreement;
use populace_population::{Pack, there_are};

use super::fit::{FittedWeights, RowProfile, Unfitted, UnmetMargin, fit};
use super::margins::Margin;
use super::strata::CountryStrata;
use crate::call::arguments::Arguments;
use crate::call::arguments::MAX_COUNT;
use crate::call::arguments::elements;
use crate::call::names::folded;
use crate::call::table_function::{Parameter, TableFunction};
use crate::host::packs::Packs;
use crate::judgement::domain::Domain;
use crate::judgement::fidelity::levels::can_hold;
use crate::judgement::fidelity::mapped::{ColumnMatch, find};
use crate::judgement::fidelity::{column, read_of, typed, weight_values, weights};
use crate::nodes::relation_function::{
    RelationFunction, Wanted, all, column as column_name, columns, in_thread, relation,
};

pub(crate) const NAME: &str = "rake";

/// What it adds to the columns of the table.
const WEIGHT: &str = "weight";

/// What becomes of cells that people are in, but no row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OnEmpty {
    Error,
    Skip,
}

const ON_EMPTY: [(&str, OnEmpty); 2] = [("error", OnEmpty::Error), ("skip", OnEmpty::Skip)];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RakeDetail {
    Rows,
    Margins,
}

const DETAILS: [(&str, RakeDetail); 2] = [("rows", RakeDetail::Rows), ("margins", RakeDetail::Margins)];

/// One call.
#[derive(Debug)]
struct Rake {
    /// The columns of the table
    table: SchemaRef,
    domain: Domain,
    /// Places in the pack's figures, and how each is found in the table
    figures: Vec<(usize, Vec<ColumnMatch>)>,
    strata: Vec<CountryStrata>,
    /// What is read of the table: the variables of the figures, the strata, and the weights that rows come with; so many
    /// columns
    variables: Vec<String>,
    width: usize,
    weighted: bool,
    max_weight: Option<f64>,
    on_empty: OnEmpty,
    /// What the weights add up to, if not the number of rows
    total: Option<f64>,
    detail: RakeDetail,
}

/// The function, as a session has it.
pub(crate) const FUNCTION: TableFunction = TableFunction {
    name: NAME,
    parameters: &[
        Parameter::required("table", "").relation(),
        Parameter::required("country", ""),
        Parameter::optional("figures", "(name [, …])"),
        Parameter::optional("margins", "(expression | (expression, expression [, …]) [, …])"),
        Parameter::optional("given", "predicate"),
        Parameter::optional("weights", "number"),
        Parameter::optional("max_weight", "number"),
        Parameter::optional("on_empty", "'error' | 'skip'"),
        Parameter::optional("total", "number"),
        Parameter::optional("detail", "'rows' | 'margins'"),
    ],
    positional: 2,
    description: "A table with a `weight` for each row, by which it has the margins of a country's people: those of its `figures`, and of `margins`, columns and expressions such as age_band(age, 30, 60), alone or several in parentheses, whose shares are told exactly by the country's network. With `given`, the margins are those of the people of whom it holds, and rows of which it does not are left out. The weights are those nearest to the ones that rows come with (`weights`, or all alike) by iterative proportional fitting, and add up to the number of rows or to `total`; rows of stratified_sample bring `weights => sampling_weight`, which stays beside the `weight`. `max_weight` cuts weights to so many times the mean one. Cells with people but no rows are an error, or spread over the others. `detail => 'margins'` says how each margin was met before and after, and what the weights cost: `effective_rows` is Kish's number of rows of equal weight.",
    example: "SELECT sum(weight * age) / sum(weight) FROM rake(usa, 'usa', margins => (state, (sex, age_band(age, 30, 45, 60))))",
    plan: |arguments, populace, context| plan(arguments, &populace.packs, context),
};

fn plan(mut arguments: Arguments, packs: &Packs, context: &mut dyn RelationPlannerContext) -> Result<LogicalPlan> {
    let input = arguments.table("table", context)?;
    if column(&input, WEIGHT).is_some() {
        return plan_err!("{NAME}: the table has a column `{WEIGHT}` already; leave it out with a subquery");
    }
    let pack = packs.get(&arguments.required_text("country", context)?)?;
    let (input, domain) = Domain::plan(NAME, &mut arguments, input, pack.clone(), context)?;
    let figures = match arguments.take("figures") {
        None => vec![],
        Some(sql) => elements(sql).into_iter().map(|sql| figure(sql, &input, &pack)).collect::<Result<_>>()?,
    };
    let strata = match arguments.take("margins") {
        None => vec![],
        Some(sql) => margins(sql, &input, &pack, context)?,
    };
    if figures.is_empty() && strata.is_empty() {
        return plan_err!(
            "{NAME}: nothing to rake to; name figures of `{}`, as in figures => 'NAME', or columns whose shares the \
             weights are to meet, as in margins => (state, (sex, age_band(age, 30, 60)))",
            pack.name()
        );
    }
    let weights = match arguments.take("weights") {
        Some(sql) => Some(weights(NAME, "weights", sql, &input, context)?),
        None => None,
    };
    let max_weight = arguments.number("max_weight", context)?;
    if let Some(most) = max_weight
        && most <= 1.0
    {
        return plan_err!("{NAME}: `max_weight` is a multiple of the mean weight, more than 1; {most} is not");
    }
    let on_empty = arguments.choice("on_empty", &ON_EMPTY, context)?.unwrap_or(OnEmpty::Error);
    let total = arguments.integer("total", 1..=MAX_COUNT, context)?.map(|total| total as f64);
    let detail = arguments.choice("detail", &DETAILS, context)?.unwrap_or(RakeDetail::Rows);
    let variables = read_of(pack.figures(), figures.iter().map(|(at, found)| (*at, found.as_slice())));
    let of_table = input.schema().columns();
    let mut read = vec![];
    for name in &variables {
        match of_table.iter().find(|c| c.name == *name) {
            Some(column) => read.push(Expr::Column(column.clone())),
            None => return plan_err!("{NAME}: the table has no column `{name}`"),
        }
    }
    read.extend(strata.iter().flat_map(CountryStrata::on_table));
    read.extend(weights.clone());
    let mut inputs = vec![columns(&input, read.clone())?];
    if detail == RakeDetail::Rows {
        inputs.push(columns(&input, read.iter().cloned().chain(all(&input)))?);
    }
    let table = input.schema().inner().clone();
    let (width, weighted) = (read.len(), weights.is_some());
    let rake = Rake { table, domain, figures, strata, variables, width, weighted, max_weight, on_empty, total, detail };
    relation(rake, inputs, None)
}

/// A figure by its name, and how it is found in the table.
fn figure(sql: SqlExpr, input: &LogicalPlan, pack: &Pack) -> Result<(usize, Vec<ColumnMatch>)> {
    let name = match &sql {
        SqlExpr::Value(value) => match &value.value {
            SqlValue::SingleQuotedString(name) => name.clone(),
            other => return plan_err!("{NAME}: a figure is named by a text, {other} is none"),
        },
        SqlExpr::Identifier(name) => folded(name),
        other => return plan_err!("{NAME}: a figure is named by a text, `{other}` is none"),
    };
    let Some(at) = pack.figures().iter().position(|f| f.name == name) else {
        let names: Vec<&str> = pack.figures().iter().map(|f| f.name.as_str()).collect();
        return plan_err!("{NAME}: `{}` has no figure `{name}`{}", pack.name(), there_are(&name, &names));
    };
    let has = |name: &str| column(input, name).is_some_and(|kind| can_hold(&kind));
    match find(pack, &pack.figures()[at], &has) {
        Ok(found) => Ok((at, found)),
        Err(why) => plan_err!("{NAME}: the table cannot be raked to `{name}`: {}", typed(why, input, pack)),
    }
}

/// Margins: one expression each, or several in parentheses.
fn margins(
    sql: SqlExpr,
    input: &LogicalPlan,
    pack: &Pack,
    context: &mut dyn RelationPlannerContext,
) -> Result<Vec<CountryStrata>> {
    let each = match sql {
        SqlExpr::Tuple(each) => each,
        SqlExpr::Nested(one) => vec![*one],
        one => vec![one],
    };
    each.into_iter().map(|sql| CountryStrata::plan(NAME, "margins", elements(sql), input, pack, context)).collect()
}

impl RelationFunction for Rake {
    fn operator(&self) -> &'static str {
        "RakeExec"
    }

    fn name(&self) -> &'static str {
        NAME
    }

    fn pack(&self) -> Option<Arc<Pack>> {
        Some(self.domain.pack.clone())
    }

    fn schema(&self) -> SchemaRef {
        if self.detail == RakeDetail::Margins {
            let field = |(name, kind): (&str, DataType)| Field::new(name, kind, false);
            let (count, number) = (DataType::Int64, DataType::Float64);
            let fields = [
                ("margin", DataType::Utf8),
                ("cells", count.clone()),
                ("empty", count.clone()),
                ("max_difference_before", number.clone()),
                ("tvd_before", number.clone()),
                ("max_difference", number.clone()),
                ("tvd", number.clone()),
                ("rows", count.clone()),
                ("effective_rows", number.clone()),
                ("least_weight", number.clone()),
                ("largest_weight", number),
                ("cut", count.clone()),
                ("sweeps", count),
            ];
            return Arc::new(Schema::new(fields.map(field).to_vec()));
        }
        let mut fields: Vec<Field> = self.table.fields().iter().map(|f| f.as_ref().clone()).collect();
        fields.push(Field::new(WEIGHT, DataType::Float64, false));
        Arc::new(Schema::new(fields))
    }

    fn details(&self) -> String {
        format!("country={}, margins={}", self.domain.pack.name(), self.figures.len() + self.strata.len())
    }

    fn start(self: Arc<Self>, wanted: Wanted) -> BoxStream<'static, Result<RecordBatch>> {
        stream::once(async move { self.rows(wanted).await }).try_flatten().boxed()
    }

    fn is_subset(&self) -> bool {
        self.detail == RakeDetail::Rows
    }

    fn passes(&self) -> Vec<Option<(usize, String)>> {
        match self.detail {
            RakeDetail::Margins => vec![],
            RakeDetail::Rows => {
                let table = (0..self.table.fields().len()).map(|at| Some((1, column_name(self.width + at))));
                table.chain([None]).collect()
            }
        }
    }
}

/// Rows as raking knows them.
struct Profiles {
    margins: Vec<Margin>,
    index: HashMap<Box<[u32]>, usize>,
    known: Vec<RowProfile>,
}

impl Rake {
    fn margins(&self) -> Result<Vec<Margin>> {
        let place = |name: &str| self.variables.iter().position(|v| v == name).unwrap_or(0);
        let mut margins = vec![];
        for (at, found) in &self.figures {
            let margin = Margin::of_figure(&self.domain, *at, found, place);
            let name = &self.domain.pack.figures()[*at].name;
            margins
                .push(margin.map_err(|e| exec_datafusion_err!("{NAME}: the table cannot be raked to `{name}`: {e}"))?);
        }
        let mut from = self.variables.len();
        for strata in &self.strata {
            let to = from + strata.columns().count();
            margins.push(Margin::of_strata(&self.domain, strata, (from..to).collect())?);
            from = to;
        }
        Ok(margins)
    }

    async fn rows(self: Arc<Self>, wanted: Wanted) -> Result<BoxStream<'static, Result<RecordBatch>>> {
        let Wanted { task, projection, schema, inputs, .. } = wanted;
        let (this, width) = (self.clone(), self.width);
        let margins = in_thread(move || this.margins()).await??;
        let mut profiles = Profiles { margins, index: HashMap::new(), known: vec![] };
        let mut batches = inputs[0].rows(&task)?;
        while let Some(batch) = batches.try_next().await? {
            for key in self.keys(&mut profiles, &batch, width)? {
                profiles.add(key);
            }
        }
        let (this, projected) = (self.clone(), projection.clone());
        let fitted = in_thread(move || {
            let (fitted, empty) = this.fit(&profiles)?;
            Ok::<_, DataFusionError>((fitted, empty, profiles))
        });
        let (fitted, empty, mut profiles) = fitted.await??;
        if self.detail == RakeDetail::Margins {
            let batch = self.report(&profiles, &fitted, &empty)?.project(&projected)?;
            return Ok(stream::iter([Ok(batch)]).boxed());
        }
        let table = self.table.fields().len();
        let place = |at: &usize| match *at < table {
            true => inputs[1].place(&column_name(width + at)).map(Some),
            false => Ok(None),
        };
        let places = projection.iter().map(place).collect::<Result<Vec<Option<usize>>>>()?;
        let rows: f64 = profiles.known.iter().map(|p| p.rows).sum::<u64>() as f64;
        let scale = self.total.map_or(1.0, |total| total / rows);
        let batches = inputs[1].rows(&task)?;
        let weighted = batches.map(move |batch| {
            let batch = batch?;
            let keys = self.keys(&mut profiles, &batch, width)?;
            let weight = |key: Box<[u32]>| profiles.index.get(&key).map(|at| fitted.weights[*at] * scale);
            let Some(weights) = keys.into_iter().map(weight).collect::<Option<Vec<f64>>>() else {
                return exec_err!(
                    "{NAME}: the rows were others when they were read the second time; keep them in a table and rake that"
                );
            };
            let weights: ArrayRef = Arc::new(Float64Array::from(weights));
            let column = |place: &Option<usize>| place.map_or(weights.clone(), |at| batch.column(at).clone());
            let columns: Vec<ArrayRef> = places.iter().map(column).collect();
            let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
            Ok(RecordBatch::try_new_with_options(schema.clone(), columns, &options)?)
        });
        Ok(weighted.boxed())
    }

    /// What each row of a batch is known by: its cells, and the weight it comes with.
    fn keys(&self, profiles: &mut Profiles, batch: &RecordBatch, width: usize) -> Result<Vec<Box<[u32]>>> {
        let cells = profiles.margins.iter_mut().map(|m| m.cells(NAME, batch, &self.domain.pack));
        let cells: Vec<Vec<u32>> = cells.collect::<Result<_>>()?;
        let weights = match self.weighted {
            true => Some(weight_values(NAME, batch, width - 1)?),
            false => None,
        };
        let key = |row: usize| {
            let bits = weights.as_ref().map_or(1.0, |w| w[row]).to_bits();
            cells.iter().map(|c| c[row]).chain([(bits >> 32) as u32, bits as u32]).collect()
        };
        Ok((0..batch.num_rows()).map(key).collect())
    }

    /// The weights, and how many cells of each margin have no rows though people are in them.
    fn fit(&self, profiles: &Profiles) -> Result<(FittedWeights, Vec<usize>)> {
        if profiles.known.iter().all(|p| p.base <= 0.0) {
            return exec_err!(
                "{NAME}: the table has no rows with a weight, so nothing can stand for the country's people"
            );
        }
        let (mut shares, mut empties) = (vec![], vec![]);
        for (at, margin) in profiles.margins.iter().enumerate() {
            let mut there = vec![false; margin.shares.len()];
            profiles.known.iter().filter(|p| p.base > 0.0).for_each(|p| there[p.cells[at] as usize] = true);
            let empty: Vec<usize> = (0..there.len()).filter(|c| !there[*c] && margin.shares[*c] > 0.0).collect();
            let largest = empty.iter().max_by(|a, b| margin.shares[**a].total_cmp(&margin.shares[**b]));
            if let (Some(largest), OnEmpty::Error) = (largest, self.on_empty) {
                let share: f64 = empty.iter().map(|c| margin.shares[*c]).sum();
                return exec_err!(
                    "{NAME}: `{}` cannot be met: {} of its {} cells have no rows, among them {}; {:.4} % of the people are \
                     in these cells. Rake to something coarser, as margins => (…) allows, or have \
                     on_empty => 'skip' spread them over the other cells",
                    margin.name,
                    empty.len(),
                    margin.shares.iter().filter(|s| **s > 0.0).count(),
                    margin.cell(*largest),
                    100.0 * share
                );
            }
            let met: Vec<f64> =
                margin.shares.iter().zip(&there).map(|(s, there)| if *there { *s } else { 0.0 }).collect();
            let total: f64 = met.iter().sum();
            if total <= 0.0 {
                return exec_err!("{NAME}: `{}` cannot be met: no row is where the country has people", margin.name);
            }
            shares.push(met.into_iter().map(|s| s / total).collect::<Vec<f64>>());
            empties.push(empty.len());
        }
        let unfitted = |unfitted: Unfitted| {
            let UnmetMargin { margin, cell, difference, cut } = match unfitted {
                Unfitted::Unmet(unmet) => unmet,
                Unfitted::Interrupted(error) => return DataFusionError::External(error.into()),
            };
            let margin = &profiles.margins[margin];
            let why = match cut {
                true => "with no weight above `max_weight`; allow larger ones, or rake to something coarser",
                false => "together with the others; leave one out, or rake to something coarser",
            };
            exec_datafusion_err!(
                "{NAME}: `{}` cannot be met {why}. Its cell {} stays {:.4} points off",
                margin.name,
                margin.cell(cell),
                100.0 * difference
            )
        };
        Ok((fit(&profiles.known, &shares, self.max_weight).map_err(unfitted)?, empties))
    }

    /// One row a margin.
    fn report(&self, profiles: &Profiles, fitted: &FittedWeights, empty: &[usize]) -> Result<RecordBatch> {
        let margins = &profiles.margins;
        let rows: u64 = profiles.known.iter().map(|p| p.rows).sum();
        let sums = |power: i32| -> f64 {
            let weighted = fitted.weights.iter().zip(&profiles.known);
            weighted.map(|(weight, p)| weight.powi(power) * p.rows as f64).sum()
        };
        let scale = self.total.map_or(1.0, |total| total / rows as f64);
        let least = fitted.weights.iter().copied().fold(f64::INFINITY, f64::min) * scale;
        let largest = fitted.weights.iter().copied().fold(0.0, f64::max) * scale;
        let count = |of: &dyn Fn(usize) -> u64| {
            Arc::new((0..margins.len()).map(|m| Some(of(m) as i64)).collect::<Int64Array>()) as ArrayRef
        };
        let number = |of: &dyn Fn(usize) -> f64| {
            Arc::new((0..margins.len()).map(|m| Some(of(m))).collect::<Float64Array>()) as ArrayRef
        };
        let before = |m: usize| -> &Agreement { &fitted.before[m] };
        let after = |m: usize| -> &Agreement { &fitted.after[m] };
        let columns = vec![
            Arc::new(margins.iter().map(|m| Some(m.name.as_str())).collect::<StringArray>()) as ArrayRef,
            count(&|m| margins[m].shares.iter().filter(|s| **s > 0.0).count() as u64),
            count(&|m| empty[m] as u64),
            number(&|m| before(m).max_difference),
            number(&|m| before(m).total_variation),
            number(&|m| after(m).max_difference),
            number(&|m| after(m).total_variation),
            count(&|_| rows),
            number(&|_| sums(1).powi(2) / sums(2)),
            number(&|_| least),
            number(&|_| largest),
            count(&|_| fitted.cut),
            count(&|_| fitted.sweeps as u64),
        ];
        Ok(RecordBatch::try_new(self.schema(), columns)?)
    }
}

impl Profiles {
    fn add(&mut self, key: Box<[u32]>) {
        if let Some(at) = self.index.get(&key) {
            self.known[*at].rows += 1;
            return;
        }
        let (cells, base) = key.split_at(self.margins.len());
        let base = f64::from_bits(base.iter().fold(0, |bits, half| bits << 32 | u64::from(*half)));
        self.known.push(RowProfile { cells: cells.into(), base, rows: 1 });
        self.index.insert(key, self.known.len() - 1);
    }
}
