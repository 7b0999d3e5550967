//! `fidelity(table, country, …)`: whether a table agrees with the figures of a country.
//!
//! Every figure is judged against what the network of the country says of its cells, by exact inference: for a figure
//! that the network was made to meet in the last pass (`basis` is `figure`) these are the figure's own shares, within the
//! columns where it is told to hold; one that it met in an earlier pass, or that was only its starting point (`network`),
//! has drifted since, and `drift` says how far. A figure covers the rows that have a label in each of its columns; others
//! are `outside` of it.

pub(crate) mod levels;
pub(crate) mod mapped;
mod report;
mod tally;
mod verdict;

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::cast as cast_array;
use arrow::datatypes::{DataType, Float64Type, SchemaRef};
use arrow::util::display::array_value_to_string;
use datafusion::common::{DataFusionError, Result, exec_datafusion_err, exec_err, plan_err};
use datafusion::execution::TaskContext;
use datafusion::logical_expr::planner::RelationPlannerContext;
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder};
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt, stream};
use populace_population::{Figure, Pack, there_are};

use self::levels::{can_hold, levels};
use self::mapped::{ColumnMatch, MappedFigure, find, map};
use self::report::{ComparedFigure, FidelityDetail, JudgedFigure};
use self::tally::FigureCount;
use self::verdict::{adjust, compare};
use crate::call::arguments::Arguments;
use crate::call::arguments::value_of_a_row;
use crate::call::table_function::{Parameter, TableFunction};
use crate::host::packs::Packs;
use crate::judgement::domain::Domain;
use crate::nodes::relation_function::{Input, RelationFunction, Wanted, in_thread, relation};

pub(crate) const NAME: &str = "fidelity";

const DETAILS: [(&str, FidelityDetail); 3] =
    [("figures", FidelityDetail::Figures), ("margins", FidelityDetail::Margins), ("cells", FidelityDetail::Cells)];

/// What a table is held against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Against {
    /// What the country's network was fitted to
    Figures,
    /// What was kept from the fit
    Holdouts,
}

const AGAINST: [(&str, Against); 2] = [("figures", Against::Figures), ("holdouts", Against::Holdouts)];

impl Against {
    fn figures(self, pack: &Pack) -> &[Figure] {
        match self {
            Against::Figures => pack.figures(),
            Against::Holdouts => pack.holdouts(),
        }
    }
}

/// The function, as a session has it.
pub(crate) const FUNCTION: TableFunction = TableFunction {
    name: NAME,
    parameters: &[
        Parameter::required("table", "").relation(),
        Parameter::required("country", ""),
        Parameter::optional("figure", "name"),
        Parameter::optional("against", "'figures' | 'holdouts'"),
        Parameter::optional("detail", "'figures' | 'margins' | 'cells'"),
        Parameter::optional("given", "predicate"),
        Parameter::optional("weights", "number"),
        Parameter::optional("alpha", "number"),
    ],
    positional: 2,
    description: "Whether a table agrees with the figures of a country, one row a figure, a margin or a cell: the total variation distance `tvd`, the one that chance alone makes in a sample of this size (`noise_floor`), the Jensen-Shannon distance in base 2 (`jsd`), a chi-square test with neighbouring cells pooled until 5 rows are expected in each, and a verdict. A figure differs if its joint table or the margin of one of its columns does; Holm's correction over all of them keeps the chance that any figure differs in a sample of the country's people at `alpha`. Figures are judged against the country's network: `basis` is `figure` where it was made to meet them, and otherwise `drift` says how far it is from their own shares. `baseline` is how far the figure's joint table is from one in which its columns have nothing to do with each other. Against 'holdouts', official figures that nothing was fitted to, it is their own shares that are expected, and `drift` is how far the network is from them. With `given`, it is the people of whom it holds, and the rows, that are compared. Rows that a figure does not cover are `outside`; values that are no level are `unmatched`. With `weights`, `n` is Kish's effective number of rows.",
    example: "SELECT figure, tvd, noise_floor, verdict FROM fidelity((SELECT * FROM sample_persona('usa', 100000)), 'usa')",
    plan: |arguments, populace, context| plan(arguments, &populace.packs, context),
};

fn plan(mut arguments: Arguments, packs: &Packs, context: &mut dyn RelationPlannerContext) -> Result<LogicalPlan> {
    let input = arguments.table("table", context)?;
    let pack = packs.get(&arguments.required_text("country", context)?)?;
    let (input, domain) = Domain::plan(NAME, &mut arguments, input, pack.clone(), context)?;
    let figure = arguments.text("figure", context)?;
    let against = arguments.choice("against", &AGAINST, context)?.unwrap_or(Against::Figures);
    let all = against.figures(&pack);
    if against == Against::Holdouts && all.is_empty() {
        return plan_err!("{NAME}: `{}` has no hold-outs: [[holdout]] in a pack.toml makes a figure one", pack.name());
    }
    if against == Against::Holdouts && !domain.is_everybody() {
        return plan_err!(
            "{NAME}: hold-outs are of everybody, and not of those of whom a condition holds: leave out `given`"
        );
    }
    let detail = arguments.choice("detail", &DETAILS, context)?.unwrap_or(FidelityDetail::Figures);
    let alpha = arguments.share("alpha", context)?.unwrap_or(0.05);
    let weights = match arguments.take("weights") {
        Some(sql) => Some(weights(NAME, "weights", sql, &input, context)?),
        None => None,
    };
    let figures: Vec<usize> = match &figure {
        None => (0..all.len()).collect(),
        Some(name) => match all.iter().position(|f| f.name == *name) {
            Some(at) => vec![at],
            None => {
                let names: Vec<&str> = all.iter().map(|f| f.name.as_str()).collect();
                let hint = there_are(name, &names);
                let kind = if against == Against::Holdouts { "hold-out" } else { "figure" };
                return plan_err!("{NAME}: `{}` has no {kind} `{name}`{hint}", pack.name());
            }
        },
    };
    let has = |name: &str| column(&input, name).is_some_and(|kind| can_hold(&kind));
    let found: Vec<Result<Vec<ColumnMatch>, String>> =
        figures.iter().map(|at| find(&pack, &all[*at], &has).map_err(|why| typed(why, &input, &pack))).collect();
    match (&figure, found.as_slice()) {
        (Some(name), [Err(reason)]) => return plan_err!("{NAME}: the figure `{name}` cannot be compared: {reason}"),
        (None, found) if found.iter().all(Result::is_err) => {
            let columns: Vec<&str> = input.schema().fields().iter().map(|f| f.name().as_str()).collect();
            return plan_err!(
                "{NAME}: no figure of `{}` can be compared with a table of the columns {}; name them as \
                 census.{}.variables has them, in a subquery",
                pack.name(),
                columns.join(", "),
                pack.name()
            );
        }
        _ => {}
    }
    let names = read_of(all, figures.iter().zip(&found).filter_map(|(at, found)| Some((*at, found.as_deref().ok()?))));
    let rows = named_columns(NAME, &input, &names, weights.clone())?;
    let fidelity = Fidelity { domain, against, figures, found, weighted: weights.is_some(), detail, alpha };
    relation(fidelity, vec![rows], None)
}

/// The columns of a table that figures are read from, each once, in the order of their names.
pub(crate) fn read_of<'a>(all: &[Figure], figures: impl Iterator<Item = (usize, &'a [ColumnMatch])>) -> Vec<String> {
    let mut names = BTreeSet::new();
    for (at, found) in figures {
        for (column, found) in all[at].columns.iter().zip(found) {
            match found {
                ColumnMatch::Column => _ = names.insert(column.variable.clone()),
                ColumnMatch::Shown(shown, _) => _ = names.insert(shown.clone()),
                ColumnMatch::Summed => {}
            }
        }
    }
    names.into_iter().collect()
}

/// What [`named_columns`] calls the weights.
pub(crate) const WEIGHTS: &str = "__weights";

/// Columns of a table by their names, and the weights of its rows where they have any.
pub(crate) fn named_columns(
    function: &str,
    input: &LogicalPlan,
    names: &[String],
    weights: Option<Expr>,
) -> Result<LogicalPlan> {
    let all = input.schema().columns();
    let column = |name: &String| match all.iter().find(|c| c.name == *name) {
        Some(column) => Ok(Expr::Column(column.clone()).alias(name)),
        None => plan_err!("{function}: the table has no column `{name}`"),
    };
    let columns = names.iter().map(column).chain(weights.map(|weights| Ok(weights.alias(WEIGHTS))));
    LogicalPlanBuilder::from(input.clone()).project(columns.collect::<Result<Vec<_>>>()?)?.build()
}

/// The type of a column by its name.
pub(crate) fn column(input: &LogicalPlan, name: &str) -> Option<DataType> {
    input.schema().fields().iter().find(|f| f.name() == name).map(|f| f.data_type().clone())
}

/// Why a figure is not comparable, where the table has the column, but of a type that no level has.
pub(crate) fn typed(why: String, input: &LogicalPlan, pack: &Pack) -> String {
    let of = pack.variables().iter().find(|v| why == format!("the table has no column `{}`", v.name));
    match of.and_then(|v| Some((v, column(input, &v.name)?))) {
        Some((v, kind)) => format!("the table's column `{}` is {kind}, neither a text nor a number", v.name),
        None => why,
    }
}

/// An argument that is a number of each row.
pub(crate) fn weights(
    function: &str,
    name: &'static str,
    sql: datafusion::sql::sqlparser::ast::Expr,
    input: &LogicalPlan,
    context: &mut dyn RelationPlannerContext,
) -> Result<Expr> {
    let text = sql.to_string();
    let expr = value_of_a_row(function, name, sql, input, context)?;
    let kind = expr.get_type(input.schema())?;
    if !kind.is_numeric() {
        return plan_err!("{function}: `{name}` must be a number, `{text}` is {kind}");
    }
    Ok(expr)
}

/// One call.
#[derive(Debug)]
struct Fidelity {
    domain: Domain,
    against: Against,
    /// Places in the pack's figures, or hold-outs
    figures: Vec<usize>,
    /// How each of these figures is found in the table, or why it is not
    found: Vec<Result<Vec<ColumnMatch>, String>>,
    weighted: bool,
    detail: FidelityDetail,
    alpha: f64,
}

impl RelationFunction for Fidelity {
    fn operator(&self) -> &'static str {
        "FidelityExec"
    }

    fn name(&self) -> &'static str {
        NAME
    }

    fn pack(&self) -> Option<Arc<Pack>> {
        Some(self.domain.pack.clone())
    }

    fn schema(&self) -> SchemaRef {
        report::schema(self.detail)
    }

    fn details(&self) -> String {
        let against = if self.against == Against::Holdouts { "holdouts" } else { "figures" };
        format!("country={}, {against}={}", self.domain.pack.name(), self.figures.len())
    }

    fn start(self: Arc<Self>, wanted: Wanted) -> BoxStream<'static, Result<RecordBatch>> {
        let Wanted { task, projection, inputs, .. } = wanted;
        let (detail, alpha) = (self.detail, self.alpha);
        let judged = stream::once(async move { self.judge(&inputs[0], &task).await });
        let batches = judged.map_ok(move |judged: Vec<JudgedFigure>| match detail {
            FidelityDetail::Figures | FidelityDetail::Margins => {
                stream::iter([report::figures(&judged, detail, alpha)]).boxed()
            }
            FidelityDetail::Cells => {
                stream::iter(judged).filter_map(|j| async move { report::cells(&j).transpose() }).boxed()
            }
        });
        batches.try_flatten().map(move |batch| Ok(batch?.project(&projection)?)).boxed()
    }
}

impl Fidelity {
    async fn judge(self: Arc<Self>, table: &Input, task: &Arc<TaskContext>) -> Result<Vec<JudgedFigure>> {
        let this = self.clone();
        let mapped = in_thread(move || this.map()).await?;
        let counts = self.count(&mapped, table, task).await?;
        let mut comparisons: Vec<_> =
            mapped.iter().zip(&counts).map(|(m, count)| m.as_ref().map_or(vec![], |m| compare(m, count))).collect();
        adjust(&mut comparisons);
        let rows = self.figures.iter().zip(mapped).zip(counts.into_iter().zip(comparisons));
        let judged = rows.map(|((at, mapped), (count, comparisons))| {
            let figure = &self.against.figures(&self.domain.pack)[*at];
            let variables = match &mapped {
                Ok(mapped) => mapped.variables(),
                Err(_) => figure.columns.iter().map(|c| c.variable.as_str()).collect::<Vec<_>>().join(", "),
            };
            let outcome = mapped.map(|mapped| ComparedFigure { mapped, count, comparisons });
            JudgedFigure { figure: figure.name.clone(), status: figure.status, variables, outcome }
        });
        Ok(judged.collect())
    }

    /// Each figure as the table has it, or why it is not comparable.
    fn map(&self) -> Vec<Result<MappedFigure, String>> {
        let figure = |at: &usize| &self.against.figures(&self.domain.pack)[*at];
        let wanted = self.figures.iter().zip(&self.found).filter(|(_, found)| found.is_ok());
        let wanted: Vec<&Figure> = wanted.map(|(at, _)| figure(at)).collect();
        let mut expected = self.domain.expected(&wanted).into_iter();
        let map = |(at, found): (&usize, &Result<Vec<ColumnMatch>, String>)| {
            let found = found.as_ref().map_err(String::clone)?;
            let expected = expected.next().ok_or("nothing is expected of it")??;
            let mapped = map(&self.domain.pack, figure(at), found, &expected)?;
            match (self.against, self.domain.is_everybody()) {
                (Against::Holdouts, _) => mapped.by_itself(),
                (_, true) => Ok(mapped),
                (_, false) => Ok(MappedFigure { binding: false, own: None, drift: None, ..mapped }),
            }
        };
        self.figures.iter().zip(&self.found).map(map).collect()
    }

    /// Reads the table once, and counts its rows for all figures.
    async fn count(
        &self,
        mapped: &[Result<MappedFigure, String>],
        table: &Input,
        task: &Arc<TaskContext>,
    ) -> Result<Vec<FigureCount>> {
        let mut counts: Vec<FigureCount> =
            mapped.iter().map(|m| m.as_ref().map_or_else(|_| FigureCount::default(), FigureCount::new)).collect();
        let mut names: Vec<&str> =
            mapped.iter().flatten().flat_map(|m| &m.columns).map(|c| c.variable.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        let variables = names.iter().map(|name| self.domain.pack.variable(name));
        let Some(variables) = variables.collect::<Option<Vec<_>>>() else {
            return exec_err!("{NAME}: a variable is missing");
        };
        let of_names = names.iter().map(|name| table.place(name)).collect::<Result<Vec<usize>>>()?;
        let of_weights = if self.weighted { Some(table.place(WEIGHTS)?) } else { None };
        let places: Vec<Vec<usize>> = mapped
            .iter()
            .map(|m| {
                let of_figure = m.as_ref().map(|m| m.columns.as_slice()).unwrap_or_default().iter();
                of_figure.filter_map(|c| names.iter().position(|name| *name == c.variable)).collect()
            })
            .collect();
        // Rows, and the values of each column that are no level, with one of them.
        let (mut rows, mut strange) = (0, vec![(0, None); names.len()]);
        let mut batches = table.rows(task)?;
        while let Some(batch) = batches.try_next().await? {
            let weights = of_weights.map(|at| weight_values(NAME, &batch, at)).transpose()?;
            let of_columns = of_names.iter().zip(&variables).map(|(at, v)| levels(batch.column(*at), v));
            let of_columns: Vec<Vec<u32>> = of_columns.collect::<Result<_>>()?;
            rows += batch.num_rows();
            for (((count, first), at), levels) in strange.iter_mut().zip(&of_names).zip(&of_columns) {
                let values = batch.column(*at);
                let nulls = values.logical_nulls();
                let valid = |row: usize| nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row));
                let foreign = |row: &usize| levels[*row] == levels::UNMATCHED && valid(*row);
                *count += (0..levels.len()).filter(foreign).count();
                if first.is_none()
                    && let Some(row) = (0..levels.len()).find(foreign)
                {
                    *first = Some(array_value_to_string(values, row)?);
                }
            }
            for ((mapped, count), places) in mapped.iter().zip(&mut counts).zip(&places) {
                if let Ok(mapped) = mapped {
                    let columns: Vec<&[u32]> = places.iter().map(|at| of_columns[*at].as_slice()).collect();
                    count.add(mapped, &columns, weights.as_deref());
                }
            }
        }
        for ((count, first), name) in strange.into_iter().zip(&names) {
            if let Some(first) = first.filter(|_| 2 * count > rows) {
                return exec_err!(
                    "{NAME}: {count} of {rows} rows have a `{name}` that is none of {}, such as {first}: validate(table) \
                     names them; write the country's own in their place, in a subquery",
                    self.domain.pack.name()
                );
            }
        }
        Ok(counts)
    }
}

/// The weights in a column of a batch.
pub(crate) fn weight_values(function: &str, batch: &RecordBatch, at: usize) -> Result<Vec<f64>> {
    let values = cast_array(batch.column(at), &DataType::Float64)?;
    let wrong = |what: &str| -> DataFusionError {
        exec_datafusion_err!(
            "{function}: a weight is {what}; weights are numbers of 0 or more, so filter or mend those rows"
        )
    };
    let weight = |value: Option<f64>| match value {
        None => Err(wrong("NULL")),
        Some(value) if value.is_finite() && value >= 0.0 => Ok(value),
        Some(value) => Err(wrong(&value.to_string())),
    };
    values.as_primitive::<Float64Type>().iter().map(weight).collect()
}
