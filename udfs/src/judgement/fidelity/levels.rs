//! The values of a column, as levels of a variable.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use datafusion::common::Result;
use populace_population::{Levels, Variable};

/// A value that is no level, and a NULL that stands for none.
pub(crate) const UNMATCHED: u32 = u32::MAX;

/// Whether the values of a column can be levels at all.
pub(crate) fn can_hold(kind: &DataType) -> bool {
    match kind {
        DataType::Dictionary(_, values) => can_hold(values),
        kind => kind.is_integer() || kind.is_floating() || kind.is_string() || matches!(kind, DataType::Null),
    }
}

/// The level of each value, or [`UNMATCHED`].
pub(crate) fn levels(values: &ArrayRef, variable: &Variable) -> Result<Vec<u32>> {
    let null = variable.null_level.map_or(UNMATCHED, u32::from);
    if let Some(dictionary) = values.as_any_dictionary_opt() {
        if dictionary.values().is_empty() {
            return Ok(vec![null; values.len()]);
        }
        let of_values = levels(dictionary.values(), variable)?;
        let keys = dictionary.normalized_keys();
        let level = |(row, key): (usize, usize)| match values.is_null(row) {
            true => null,
            false => of_values.get(key).copied().unwrap_or(UNMATCHED),
        };
        return Ok(keys.into_iter().enumerate().map(level).collect());
    }
    let Levels::Integer { min, max } = variable.levels else {
        let texts = cast(values, &DataType::Utf8)?;
        let level = |text: Option<&str>| match text {
            Some(text) => variable.level(text).map_or(UNMATCHED, |level| level as u32),
            None => null,
        };
        return Ok(texts.as_string::<i32>().iter().map(level).collect());
    };
    let of_number = |number: i64| match (i64::from(min)..=i64::from(max)).contains(&number) {
        true => (number - i64::from(min)) as u32,
        false => UNMATCHED,
    };
    let level = |(row, number): (usize, Option<i64>)| match number {
        Some(number) => of_number(number),
        None if values.is_null(row) => null,
        None => UNMATCHED,
    };
    if values.data_type().is_floating() {
        let numbers = cast(values, &DataType::Float64)?;
        let whole = |x: f64| (x.fract() == 0.0 && x.abs() < 1e15).then_some(x as i64);
        let numbers = numbers.as_primitive::<Float64Type>().iter().map(|x| x.and_then(whole));
        return Ok(numbers.enumerate().map(level).collect());
    }
    // What cannot be cast becomes NULL.
    let numbers = cast(values, &DataType::Int64)?;
    Ok(numbers.as_primitive::<Int64Type>().iter().enumerate().map(level).collect())
}
