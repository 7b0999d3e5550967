//! Vectors as they come in columns, each scaled to length 1.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Float64Type};
use datafusion::common::{Result, exec_err, plan_err};
use std::sync::Arc;

/// Whether a type is that of vectors.
pub(super) fn check(function: &str, kinds: &[DataType]) -> Result<()> {
    match kinds {
        [DataType::Null] => Ok(()),
        [DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _)]
            if item.data_type().is_numeric() || item.data_type().is_null() =>
        {
            Ok(())
        }
        [other] => plan_err!("{function}: a vector is a list of numbers, {other} is not"),
        _ => plan_err!("{function} takes one vector"),
    }
}

/// Calls `each` with the vectors of a column, scaled to length 1: those that are not NULL and not all zeros.
pub(super) fn for_each(
    function: &str,
    column: &ArrayRef,
    dimension: &mut Option<usize>,
    mut each: impl FnMut(&[f64]),
) -> Result<()> {
    if column.data_type().is_null() {
        return Ok(());
    }
    let item = Arc::new(Field::new("item", DataType::Float64, true));
    let vectors = cast(column, &DataType::List(item))?;
    let mut unit: Vec<f64> = vec![];
    for vector in vectors.as_list::<i32>().iter().flatten() {
        let vector = vector.as_primitive::<Float64Type>();
        let largest = vector.values().iter().fold(0.0, |m: f64, x| if x.is_nan() { *x } else { m.max(x.abs()) });
        if vector.null_count() > 0 || vector.values().iter().any(|x| !x.is_finite()) {
            return exec_err!("{function}: a vector has NULL, NaN or infinity in it; leave such out with a FILTER");
        }
        if largest == 0.0 {
            continue;
        }
        let expected = *dimension.get_or_insert(vector.len());
        if vector.len() != expected {
            return exec_err!("{function}: vectors of {expected} and {} numbers", vector.len());
        }
        unit.clear();
        unit.extend(vector.values().iter().map(|x| x / largest));
        let length = unit.iter().map(|x| x * x).sum::<f64>().sqrt();
        unit.iter_mut().for_each(|x| *x /= length);
        each(&unit);
    }
    Ok(())
}
