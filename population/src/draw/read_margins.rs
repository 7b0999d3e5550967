//! Reading margins: the rows of a query as tables of shares.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Float32Type, Float64Type};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::{DataType, Schema};

use crate::draw::facts::{Texts, integers};
use crate::error::{Error, Result, did_you_mean, nearest};
use crate::infer::projection::MAX_MARGIN;
use crate::model::partition::Partition;
use crate::model::potential::{Axis, Potential, cells, strides};
use crate::model::variable::{Levels, Variable};
use crate::pack::{Column, Pack};

/// The most margins of one query.
const MAX_MARGINS: usize = 64;

/// How far the sum of what are shares already may be from 1.
const ROUNDING: f64 = 1e-9;

/// What a row names of a variable: the first level and the last.
type Named = (u32, u32);

/// A row of the query.
struct Row {
    /// Counted from 1, over all batches.
    number: usize,
    /// Of each column; `None` for NULL.
    named: Vec<Option<Named>>,
    amount: f64,
}

/// The columns of the query.
struct Columns {
    /// The place of each, its variable and the variable's name.
    variables: Vec<(usize, usize)>,
    /// That of the shares.
    amounts: usize,
}

/// A margin, and what its figures are rounded to.
pub(super) struct Read {
    /// Shares that sum to 1.
    pub table: Potential,
    /// The last digit that any of its figures is written with, as a share.
    pub digit: f64,
}

fn wrong<T>(place: impl Into<String>, message: impl Into<String>) -> Result<T> {
    Err(Error::Margins { place: place.into(), message: message.into() })
}

/// The margins that the rows of a query are, as tables of shares that sum to 1, in the order of their variables' names,
/// with axes in that order too. An axis of one class, which says nothing, is left out, and so is a margin without axes.
///
/// # Errors
/// As those of [`Margins::read`](super::margins::Margins::read), but for contradictions.
pub(super) fn read(pack: &Pack, batches: &[RecordBatch]) -> Result<Vec<Read>> {
    let Some(first) = batches.first() else { return wrong("the query", "it has no rows") };
    let columns = columns(pack, &first.schema())?;
    let rows = rows(pack, &columns, batches)?;
    if rows.is_empty() {
        return wrong("the query", "it has no rows");
    }
    let of = |at: &usize| &pack.network.variables[columns.variables[*at].1];
    let mut margins: BTreeMap<Vec<bool>, Vec<&Row>> = BTreeMap::new();
    for row in &rows {
        margins.entry(row.named.iter().map(Option::is_some).collect()).or_default().push(row);
    }
    if margins.len() > MAX_MARGINS {
        return wrong("the query", format!("it has {} margins, more than {MAX_MARGINS}", margins.len()));
    }
    no_doubtful_nulls(pack, &columns, &rows, &margins)?;
    let mut read = vec![];
    for (over, rows) in margins {
        let mut over: Vec<usize> = (0..over.len()).filter(|at| over[*at]).collect();
        over.sort_by(|a, b| of(a).name.cmp(&of(b).name));
        if over.is_empty() {
            let message = "all its columns are NULL, so that it is of no margin: leave the grand total out";
            return wrong(format!("row {}", rows[0].number), message);
        }
        let names: Vec<&str> = over.iter().map(|at| of(at).name.as_str()).collect();
        let variables: Vec<usize> = over.iter().map(|at| columns.variables[*at].1).collect();
        let of = margin(pack, &over, &variables, &rows)?;
        if !of.table.axes.is_empty() {
            read.push((names, of));
        }
    }
    read.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(read.into_iter().map(|(_, table)| table).collect())
}

fn columns(pack: &Pack, schema: &Schema) -> Result<Columns> {
    let shown: Vec<usize> =
        pack.columns.iter().filter_map(|c| if let Column::Variable(v) = c { Some(*v) } else { None }).collect();
    let names = || shown.iter().map(|v| pack.network.variables[*v].name.as_str());
    let (mut variables, mut amounts): (Vec<(usize, usize)>, Vec<usize>) = (vec![], vec![]);
    for (at, field) in schema.fields().iter().enumerate() {
        let place = || format!("column `{}`", field.name());
        if pack.list_names().any(|l| l == field.name()) {
            return wrong(place(), "it is a list of items, and a margin is over variables: leave it out");
        }
        match pack.network.variables.iter().position(|v| v.name == *field.name()) {
            Some(v) if variables.iter().any(|(_, other)| *other == v) => {
                return wrong(place(), "it is there twice: name each column once");
            }
            Some(v) if shown.contains(&v) => variables.push((at, v)),
            Some(_) => {
                let message = format!(
                    "it is hidden: nobody is shown with it. There are: {}",
                    names().collect::<Vec<_>>().join(", ")
                );
                return wrong(place(), message);
            }
            None if field.data_type().is_numeric() => amounts.push(at),
            None => {
                return Err(Error::UnknownVariable {
                    name: field.name().clone(),
                    suggestion: nearest(field.name(), names()),
                    available: names().map(String::from).collect(),
                });
            }
        }
    }
    if variables.is_empty() {
        let all: Vec<&str> = names().collect();
        return wrong(
            "the query",
            format!("no column is a variable of {}. There are: {}", pack.name(), all.join(", ")),
        );
    }
    match amounts[..] {
        [amounts] => Ok(Columns { variables, amounts }),
        [] => wrong(
            "the query",
            "no column has the shares: select one of numbers beside the variables, such as count(*) AS people",
        ),
        [one, other, ..] => {
            let [one, other] = [one, other].map(|at| schema.field(at).name());
            let hint = [one, other].map(|name| did_you_mean(name, names())).concat();
            wrong("the query", format!("`{one}` and `{other}` are no variables: one column has the shares{hint}"))
        }
    }
}

fn rows(pack: &Pack, columns: &Columns, batches: &[RecordBatch]) -> Result<Vec<Row>> {
    let mut rows: Vec<Row> = vec![];
    for batch in batches {
        let schema = batch.schema();
        let names = |schema: &Schema| schema.fields().iter().map(|f| f.name().clone()).collect::<Vec<_>>();
        if names(&schema) != names(&batches[0].schema()) {
            return wrong("the query", "its batches have different columns");
        }
        let first = rows.len() + 1;
        let name = schema.field(columns.amounts).name();
        let amounts = amounts(name, batch.column(columns.amounts))?;
        for (at, amount) in amounts.into_iter().enumerate() {
            let place = || format!("row {}, column `{name}`", first + at);
            let amount = match amount {
                Some(amount) if amount.is_finite() && amount >= 0.0 => amount,
                Some(amount) => {
                    return wrong(place(), format!("a share is a finite number of 0 or more, and not {amount}"));
                }
                None => return wrong(place(), "the share is NULL: write 0 for nobody, or leave the row out"),
            };
            rows.push(Row { number: first + at, named: Vec::with_capacity(columns.variables.len()), amount });
        }
        for (at, v) in &columns.variables {
            let variable = &pack.network.variables[*v];
            let named = named(variable, batch.column(*at), first)?;
            rows[first - 1..].iter_mut().zip(named).for_each(|(row, named)| row.named.push(named));
        }
    }
    Ok(rows)
}

fn amounts(column: &str, array: &ArrayRef) -> Result<Vec<Option<f64>>> {
    Ok(match array.data_type() {
        DataType::Float64 => array.as_primitive::<Float64Type>().iter().collect(),
        DataType::Float32 => array.as_primitive::<Float32Type>().iter().map(|x| x.map(f64::from)).collect(),
        DataType::Decimal128(_, scale) => {
            let unit = 10f64.powi(i32::from(*scale));
            array.as_primitive::<Decimal128Type>().iter().map(|x| x.map(|x| x as f64 / unit)).collect()
        }
        other => {
            let whole = integers(column, array);
            let whole =
                whole.or_else(|_| wrong(format!("column `{column}`"), format!("it holds {other}; cast it to DOUBLE")));
            whole?.into_iter().map(|x| x.map(|x| x as f64)).collect()
        }
    })
}

/// What each row of a column names of its variable.
fn named(variable: &Variable, array: &ArrayRef, first: usize) -> Result<Vec<Option<Named>>> {
    let place = |row: usize| format!("row {}, column `{}`", first + row, variable.name);
    let level = |row: usize, value: String| match variable.level(&value) {
        Some(level) => Ok((level as u32, level as u32)),
        None => wrong(place(row), variable.unknown_level(&value).to_string()),
    };
    // What the reader of people says of a column, said of a margin's.
    let of_margin = |error: Error| match error {
        Error::People { column, message } => Error::Margins { place: format!("column `{column}`"), message },
        error => error,
    };
    let texts = match (&variable.levels, array.data_type()) {
        (Levels::Integer { .. }, DataType::Float64 | DataType::Float32) => {
            let numbers = amounts(&variable.name, array)?.into_iter().enumerate();
            return numbers.map(|(row, x)| x.map(|x| level(row, x.to_string())).transpose()).collect();
        }
        (Levels::Integer { .. }, kind) if kind.is_integer() => {
            let integers = integers(&variable.name, array).map_err(of_margin)?.into_iter().enumerate();
            return integers.map(|(row, x)| x.map(|x| level(row, x.to_string())).transpose()).collect();
        }
        _ => Texts::read(&variable.name, array).map_err(of_margin)?,
    };
    let mut known: HashMap<&str, Named> = HashMap::new();
    let mut of_text = |row: usize, text| {
        if let Some(named) = known.get(text) {
            return Ok(*named);
        }
        let (levels, beyond) = match variable.named(text) {
            Ok(named) => named,
            Err(error) => return wrong(place(row), error.to_string()),
        };
        if levels.is_empty() || beyond {
            let (low, high) = (variable.label(0), variable.label(variable.len() - 1));
            let message = format!(
                "the band {text} reaches beyond `{}`, which goes from {low} to {high}: leave out who is not in the country's \
                 people, and split the band",
                variable.name
            );
            return wrong(place(row), message);
        }
        let named = (levels.start as u32, levels.end as u32 - 1);
        known.insert(text, named);
        Ok(named)
    };
    (0..array.len()).map(|row| texts.get(row).map(|text| of_text(row, text)).transpose()).collect()
}

/// NULL says that a row's margin is not over a column. Where rows differ in nothing but whether columns are NULL that
/// people are shown NULL in, and the level that is NULL is named nowhere, it may well be meant.
fn no_doubtful_nulls(
    pack: &Pack,
    columns: &Columns,
    rows: &[Row],
    margins: &BTreeMap<Vec<bool>, Vec<&Row>>,
) -> Result<()> {
    let variable = |at: usize| &pack.network.variables[columns.variables[at].1];
    let names_null = |at: usize, null: u16| {
        let within = |(low, high): &Named| (*low..=*high).contains(&u32::from(null));
        rows.iter().any(|row| row.named[at].as_ref().is_some_and(within))
    };
    let may_be: Vec<bool> = (0..columns.variables.len())
        .map(|at| variable(at).null_level.is_some_and(|null| !names_null(at, null)))
        .collect();
    let doubtful = |at: usize, row: &Row| {
        let v = variable(at);
        let level = v.null_level.map_or(String::new(), |null| v.label(usize::from(null)));
        let value =
            if let Levels::Text(_) = v.levels { format!("'{}'", level.replace('\'', "''")) } else { level.clone() };
        let message = format!(
            "NULL may be the level {level}, or say that the row is of another margin: write COALESCE({}, {value}) below the \
             GROUP BY, or leave the column out",
            v.name
        );
        wrong(format!("row {}, column `{}`", row.number, v.name), message)
    };
    for (at, _) in may_be.iter().enumerate().filter(|(_, may_be)| **may_be) {
        if margins.keys().all(|over| !over[at]) {
            return doubtful(at, &rows[0]);
        }
    }
    for (one, of_one) in margins {
        for other in margins.keys().filter(|other| *other != one) {
            let differ: Vec<usize> = (0..one.len()).filter(|at| one[*at] != other[*at]).collect();
            if differ.iter().all(|at| may_be[*at])
                && let Some(at) = differ.iter().find(|at| !one[**at])
            {
                return doubtful(*at, of_one[0]);
            }
        }
    }
    Ok(())
}

/// One margin, from its rows.
fn margin(pack: &Pack, over: &[usize], variables: &[usize], rows: &[&Row]) -> Result<Read> {
    let of = |at: usize| &pack.network.variables[variables[at]];
    let names = variables.iter().map(|v| pack.network.variables[*v].name.as_str()).collect::<Vec<_>>().join(", ");
    let label = |at: usize, (low, high): Named| match low == high {
        true => of(at).label(low as usize),
        false => format!("{}-{}", of(at).label(low as usize), of(at).label(high as usize)),
    };
    let keys: Vec<Vec<Named>> = rows.iter().map(|row| over.iter().filter_map(|at| row.named[*at]).collect()).collect();
    let mut known: HashMap<&[Named], usize> = HashMap::with_capacity(rows.len());
    for (row, key) in rows.iter().zip(&keys) {
        if let Some(before) = known.insert(key, row.number) {
            let cell = key.iter().enumerate().map(|(at, named)| label(at, *named));
            let cell = cell.collect::<Vec<_>>().join(", ");
            let message = format!("the cell {cell} of the margin over {names} is there twice, first in row {before}");
            return wrong(format!("row {}", row.number), format!("{message}: add them up"));
        }
    }
    for at in 0..over.len() {
        let named: BTreeSet<Named> = keys.iter().map(|key| key[at]).collect();
        let mut before: Option<Named> = None;
        for now in named {
            if let Some(before) = before.filter(|before| before.1 >= now.0) {
                let (now, before, name) = (label(at, now), label(at, before), &of(at).name);
                let message = format!("{now} overlaps {before} in `{name}`: a margin has each level in one band");
                return wrong(format!("the one over {names}"), message);
            }
            before = Some(now);
        }
    }
    // The sum does not depend on the order of the rows, and what are shares already is left as it is.
    let mut amounts: Vec<f64> = rows.iter().map(|row| row.amount).collect();
    amounts.sort_by(f64::total_cmp);
    let total: f64 = amounts.iter().sum();
    if !(total > 0.0 && total.is_finite()) {
        return wrong(
            format!("the one over {names}"),
            format!("its shares sum to {total}, so that nobody can be drawn"),
        );
    }
    let total = if (total - 1.0).abs() <= ROUNDING { 1.0 } else { total };
    let met = || rows.iter().zip(&keys).filter(|(row, _)| row.amount > 0.0);
    // Bands with nobody are one class with what no row names.
    let axis = |at: usize| {
        let mut signature = vec![u32::MAX; of(at).len()];
        for (_, key) in met() {
            let (low, high) = key[at];
            signature[low as usize..=high as usize].fill(low);
        }
        Axis { variable: variables[at], partition: Partition::by_signature(signature) }
    };
    let axes: Vec<Axis> = (0..over.len()).map(axis).collect();
    let size = cells(&axes);
    if size > u128::from(MAX_MARGIN) {
        let message = format!("it has {size} cells, more than {MAX_MARGIN}: have fewer variables, or coarser bands");
        return wrong(format!("the one over {names}"), message);
    }
    let steps = strides(&axes);
    let mut values = vec![0.0; size as usize];
    for (row, key) in met() {
        let class =
            |(at, (low, _)): (usize, &Named)| usize::from(axes[at].partition.class_of()[*low as usize]) * steps[at];
        let cell: usize = key.iter().enumerate().map(class).sum();
        values[cell] = twelve_digits(row.amount / total);
    }
    let sum: f64 = values.iter().sum();
    values.iter_mut().for_each(|share| *share /= sum);
    // An axis of one class has no stride of its own.
    let axes = axes.into_iter().filter(|axis| axis.partition.classes() > 1).collect();
    let digit = met().map(|(row, _)| last_digit(row.amount)).fold(f64::INFINITY, f64::min) / total;
    Ok(Read { table: Potential { axes, values }, digit })
}

/// What a figure's last digit counts that is not 0: 0.0001 of 0.4873, 1000 of 12000.
fn last_digit(amount: f64) -> f64 {
    // A number of 32 bits has no more digits than these.
    let text = match amount as f32 {
        short if f64::from(short) == amount => format!("{short}"),
        _ => format!("{amount}"),
    };
    let zeros = text.len() - text.trim_end_matches('0').len();
    match text.find('.') {
        Some(point) => 10f64.powi(-((text.len() - point - 1) as i32)),
        None => 10f64.powi(zeros as i32),
    }
}

/// A share to 12 digits: counts and shares that were divided elsewhere are the same.
pub(super) fn twelve_digits(share: f64) -> f64 {
    format!("{share:.11e}").parse().unwrap_or(share)
}
