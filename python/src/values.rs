//! Values that cross over: those of Python as parameters of statements, rows as objects of Python.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{
    DataType, Date32Type, Date64Type, Float16Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    TimeUnit, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::sql::sqlparser::ast::{DataType as SqlType, TimezoneInfo};
use populace::sql::Parameter;
use pyo3::IntoPyObjectExt;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};

/// How deep lists may nest.
const DEPTH: usize = 8;

/// A value for a parameter.
///
/// # Errors
/// `TypeError` if SQL has no such value, `ValueError` if it is no finite number.
pub(crate) fn parameter(value: &Bound<'_, PyAny>, depth: usize) -> PyResult<Parameter> {
    let text = |value: &Bound<'_, PyAny>| value.str().map(|text| text.to_string());
    if value.is_none() {
        return Ok(Parameter::Null);
    }
    if let Ok(truth) = value.cast::<PyBool>() {
        return Ok(Parameter::Boolean(truth.is_true()));
    }
    if value.is_instance_of::<PyInt>() {
        return text(&value.call_method0("__int__")?).map(Parameter::Number);
    }
    if let Ok(number) = value.cast::<PyFloat>() {
        let number = number.value();
        return match number.is_finite() {
            true => Ok(Parameter::Number(format!("{number:?}"))),
            false => Err(PyValueError::new_err(format!("{number} is no number that a statement takes"))),
        };
    }
    if value.is_instance_of::<PyString>() {
        return text(value).map(Parameter::Text);
    }
    if (value.is_instance_of::<PyList>() || value.is_instance_of::<PyTuple>()) && depth < DEPTH {
        let items = value.try_iter()?.map(|item| parameter(&item?, depth + 1));
        return items.collect::<PyResult<_>>().map(Parameter::List);
    }
    let (module, name) = (value.get_type().module()?.to_string(), value.get_type().name()?.to_string());
    let dated = |kind| {
        let written = value.call_method0("isoformat").and_then(|written| text(&written));
        written.map(|written| Parameter::Typed(Box::new(Parameter::Text(written)), kind))
    };
    match (module.as_str(), name.as_str()) {
        ("datetime", "date") => dated(SqlType::Date),
        ("datetime", "datetime") => dated(SqlType::Timestamp(None, TimezoneInfo::None)),
        ("decimal", "Decimal") if value.call_method0("is_finite")?.is_truthy()? => {
            text(&value.call_method1("__format__", ("f",))?).map(Parameter::Number)
        }
        ("uuid", "UUID") => text(value).map(Parameter::Text),
        // A number of NumPy.
        _ if depth < DEPTH && value.hasattr("item")? && value.hasattr("dtype")? => {
            parameter(&value.call_method0("item")?, depth + 1)
        }
        _ => Err(PyTypeError::new_err(format!("a statement takes no value of the type {module}.{name}"))),
    }
}

/// Rows as dictionaries by the names of columns.
///
/// # Errors
/// If there is no memory for them.
pub(crate) fn dicts<'py>(py: Python<'py>, rows: &RecordBatch) -> PyResult<Vec<Bound<'py, PyDict>>> {
    let dicts: Vec<_> = (0..rows.num_rows()).map(|_| PyDict::new(py)).collect();
    for (field, column) in rows.schema_ref().fields().iter().zip(rows.columns()) {
        let name = PyString::new(py, field.name());
        for (dict, value) in dicts.iter().zip(objects(py, column)?) {
            dict.set_item(&name, value)?;
        }
    }
    Ok(dicts)
}

type Objects<'py> = PyResult<Vec<Bound<'py, PyAny>>>;

/// The values of an array: numbers, texts, lists and structures as Python has them, NULL as `None`.
///
/// # Errors
/// If there is no memory for them.
pub(crate) fn objects<'py>(py: Python<'py>, array: &ArrayRef) -> Objects<'py> {
    macro_rules! numbers {
        ($kind:ty) => {
            all(py, array.as_primitive::<$kind>().iter())
        };
    }
    match array.data_type() {
        DataType::Null => Ok(vec![py.None().into_bound(py); array.len()]),
        DataType::Boolean => all(py, array.as_boolean().iter()),
        DataType::Int8 => numbers!(Int8Type),
        DataType::Int16 => numbers!(Int16Type),
        DataType::Int32 => numbers!(Int32Type),
        DataType::Int64 => numbers!(Int64Type),
        DataType::UInt8 => numbers!(UInt8Type),
        DataType::UInt16 => numbers!(UInt16Type),
        DataType::UInt32 => numbers!(UInt32Type),
        DataType::UInt64 => numbers!(UInt64Type),
        DataType::Float16 => all(py, array.as_primitive::<Float16Type>().iter().map(|v| v.map(f32::from))),
        DataType::Float32 => numbers!(Float32Type),
        DataType::Float64 => numbers!(Float64Type),
        DataType::Utf8 => all(py, array.as_string::<i32>().iter()),
        DataType::LargeUtf8 => all(py, array.as_string::<i64>().iter()),
        DataType::Utf8View => all(py, array.as_string_view().iter()),
        DataType::Binary => all(py, array.as_binary::<i32>().iter().map(|v| v.map(|v| PyBytes::new(py, v)))),
        DataType::LargeBinary => all(py, array.as_binary::<i64>().iter().map(|v| v.map(|v| PyBytes::new(py, v)))),
        DataType::BinaryView => all(py, array.as_binary_view().iter().map(|v| v.map(|v| PyBytes::new(py, v)))),
        DataType::FixedSizeBinary(_) => {
            all(py, array.as_fixed_size_binary().iter().map(|v| v.map(|v| PyBytes::new(py, v))))
        }
        DataType::Date32 => {
            let days = array.as_primitive::<Date32Type>().iter().map(|v| v.map(i64::from));
            dates(py, days)
        }
        DataType::Date64 => {
            dates(py, array.as_primitive::<Date64Type>().iter().map(|v| v.map(|v| v.div_euclid(86_400_000))))
        }
        DataType::Timestamp(unit, zone) => times(py, array, *unit, zone.is_some()),
        DataType::Decimal128(..) | DataType::Decimal256(..) => {
            let decimal = py.import("decimal")?.getattr("Decimal")?;
            let texts = texts(py, array)?.into_iter();
            texts.map(|text| if text.is_none() { Ok(text) } else { decimal.call1((text,)) }).collect()
        }
        DataType::List(_) => lists(py, array, array.as_list::<i32>().iter()),
        DataType::LargeList(_) => lists(py, array, array.as_list::<i64>().iter()),
        DataType::FixedSizeList(..) => lists(py, array, array.as_fixed_size_list().iter()),
        DataType::Struct(fields) => structures(py, array, fields),
        DataType::Dictionary(..) => {
            let coded = array.as_any_dictionary();
            if coded.values().len() > array.len() {
                // Few rows, and the codes of a whole country: those that stand here alone are looked at.
                let plain = arrow::compute::cast(array, coded.values().data_type());
                return objects(py, &plain.map_err(|error| PyValueError::new_err(error.to_string()))?);
            }
            if coded.values().is_empty() {
                // Keys have nothing to be keys of.
                return Ok(vec![py.None().into_bound(py); array.len()]);
            }
            let (values, keys) = (objects(py, coded.values())?, coded.normalized_keys());
            let value = |(at, key): (usize, usize)| match array.is_null(at) {
                true => py.None().into_bound(py),
                false => values[key].clone(),
            };
            Ok(keys.into_iter().enumerate().map(value).collect())
        }
        _ => texts(py, array),
    }
}

/// Values, each as Python has it.
fn all<'py, T: IntoPyObjectExt<'py>>(py: Python<'py>, values: impl Iterator<Item = Option<T>>) -> Objects<'py> {
    values.map(|value| value.into_bound_py_any(py)).collect()
}

/// What has no form of its own in Python, as Arrow writes it.
fn texts<'py>(py: Python<'py>, array: &ArrayRef) -> Objects<'py> {
    let options = FormatOptions::default();
    let texts = ArrayFormatter::try_new(array.as_ref(), &options);
    let texts = texts.map_err(|error| PyValueError::new_err(error.to_string()))?;
    all(py, (0..array.len()).map(|at| (!array.is_null(at)).then(|| texts.value(at).to_string())))
}

fn dates<'py>(py: Python<'py>, days: impl Iterator<Item = Option<i64>>) -> Objects<'py> {
    /// The day that Arrow counts from, as Python counts days.
    const FIRST: i64 = 719_163;
    let from = py.import("datetime")?.getattr("date")?.getattr("fromordinal")?;
    days.map(|day| day.map_or_else(|| Ok(py.None().into_bound(py)), |day| from.call1((day + FIRST,)))).collect()
}

/// Points in time; those of a zone are of UTC.
fn times<'py>(py: Python<'py>, array: &ArrayRef, unit: TimeUnit, has_zone: bool) -> Objects<'py> {
    let module = py.import("datetime")?;
    let zone = if has_zone { module.getattr("timezone")?.getattr("utc")? } else { py.None().into_bound(py) };
    let first = module.getattr("datetime")?.call1((1970, 1, 1, 0, 0, 0, 0, zone))?;
    let span = module.getattr("timedelta")?;
    let plain = DataType::Timestamp(unit, None);
    let numbers = arrow::compute::cast(array, &plain).and_then(|array| arrow::compute::cast(&array, &DataType::Int64));
    let numbers = numbers.map_err(|error| PyValueError::new_err(error.to_string()))?;
    let time = |number: i64| {
        let (seconds, microseconds) = match unit {
            TimeUnit::Second => (number, 0),
            TimeUnit::Millisecond => (number.div_euclid(1000), number.rem_euclid(1000) * 1000),
            TimeUnit::Microsecond => (number.div_euclid(1_000_000), number.rem_euclid(1_000_000)),
            TimeUnit::Nanosecond => (number.div_euclid(1_000_000_000), number.rem_euclid(1_000_000_000) / 1000),
        };
        first.add(span.call1((0, seconds, microseconds))?)
    };
    let numbers = numbers.as_primitive::<Int64Type>();
    numbers.iter().map(|n| n.map_or_else(|| Ok(py.None().into_bound(py)), time)).collect()
}

fn lists<'py>(py: Python<'py>, array: &ArrayRef, lists: impl Iterator<Item = Option<ArrayRef>>) -> Objects<'py> {
    let mut made = Vec::with_capacity(array.len());
    for list in lists {
        made.push(match list {
            Some(items) => PyList::new(py, objects(py, &items)?)?.into_any(),
            None => py.None().into_bound(py),
        });
    }
    Ok(made)
}

fn structures<'py>(py: Python<'py>, array: &ArrayRef, fields: &arrow::datatypes::Fields) -> Objects<'py> {
    let dicts: Vec<_> = (0..array.len()).map(|_| PyDict::new(py)).collect();
    for (field, column) in fields.iter().zip(array.as_struct().columns()) {
        for (dict, value) in dicts.iter().zip(objects(py, column)?) {
            dict.set_item(field.name(), value)?;
        }
    }
    let structure = |(at, dict): (usize, Bound<'py, PyDict>)| match array.is_null(at) {
        true => py.None().into_bound(py),
        false => dict.into_any(),
    };
    Ok(dicts.into_iter().enumerate().map(structure).collect())
}
