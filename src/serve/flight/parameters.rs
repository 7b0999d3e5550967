//! Values that clients bind, a row of Arrow at a time, as constants of SQL.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use arrow::util::display::array_value_to_string;
use datafusion::sql::sqlparser::ast::{self, ExactNumberInfo, TimezoneInfo};

use crate::engine::{Error, ErrorKind};
use crate::sql::Parameter;

/// The values of a row.
///
/// # Errors
/// If SQL has no constant for one.
pub(super) fn row(batch: &RecordBatch, row: usize) -> Result<Vec<Parameter>, Error> {
    let of = |(at, column): (usize, &ArrayRef)| {
        value(column, row).map_err(|why| Error::new(ErrorKind::Usage, format!("the value of ${}: {why}", at + 1)))
    };
    batch.columns().iter().enumerate().map(of).collect()
}

/// A value that stands for one of a type while a statement is described.
pub(super) fn stand_in() -> Parameter {
    Parameter::Typed(Box::new(Parameter::Null), ast::DataType::Text)
}

/// What SQL calls a type, where a constant does not have it by itself.
fn sql_type(kind: &DataType) -> Option<ast::DataType> {
    Some(match kind {
        DataType::Boolean => ast::DataType::Boolean,
        DataType::Int8 | DataType::UInt8 | DataType::Int16 => ast::DataType::SmallInt(None),
        DataType::UInt16 | DataType::Int32 => ast::DataType::Integer(None),
        DataType::UInt32 | DataType::Int64 | DataType::UInt64 => ast::DataType::BigInt(None),
        DataType::Float16 | DataType::Float32 => ast::DataType::Real,
        DataType::Float64 => ast::DataType::DoublePrecision,
        DataType::Decimal32(digits, scale)
        | DataType::Decimal64(digits, scale)
        | DataType::Decimal128(digits, scale) => {
            ast::DataType::Numeric(ExactNumberInfo::PrecisionAndScale(u64::from(*digits), i64::from(*scale)))
        }
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => ast::DataType::Text,
        DataType::Date32 | DataType::Date64 => ast::DataType::Date,
        DataType::Time32(_) | DataType::Time64(_) => ast::DataType::Time(None, TimezoneInfo::None),
        DataType::Timestamp(_, None) => ast::DataType::Timestamp(None, TimezoneInfo::None),
        DataType::Timestamp(_, Some(_)) => ast::DataType::Timestamp(None, TimezoneInfo::WithTimeZone),
        _ => return None,
    })
}

fn value(column: &ArrayRef, row: usize) -> Result<Parameter, String> {
    let kind = column.data_type();
    if let DataType::Dictionary(_, values) = kind {
        let plain = cast(&column.slice(row, 1), values).map_err(|e| e.to_string())?;
        return value(&plain, 0);
    }
    if column.is_null(row) || kind.is_null() {
        let null = Parameter::Null;
        return Ok(sql_type(kind).map_or(Parameter::Null, |kind| Parameter::Typed(Box::new(null), kind)));
    }
    let text = || array_value_to_string(column, row).map_err(|e| e.to_string());
    let typed = |text: String| match sql_type(kind) {
        Some(kind) => Ok(Parameter::Typed(Box::new(Parameter::Text(text)), kind)),
        None => Err(format!("SQL has no constants of {kind}")),
    };
    match kind {
        DataType::Boolean => Ok(Parameter::Boolean(column.as_boolean().value(row))),
        kind if kind.is_integer() => Ok(Parameter::Number(text()?)),
        kind if kind.is_floating() => {
            let text = text()?;
            // Infinite ones, and what is none, are no numbers of SQL.
            if text.bytes().all(|b| b.is_ascii_digit() || b".eE+-".contains(&b)) {
                Ok(Parameter::Number(text))
            } else {
                typed(text)
            }
        }
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Ok(Parameter::Text(text()?)),
        DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(..) => {
            let items = match kind {
                DataType::List(_) => column.as_list::<i32>().value(row),
                DataType::LargeList(_) => column.as_list::<i64>().value(row),
                _ => column.as_fixed_size_list().value(row),
            };
            (0..items.len()).map(|at| value(&items, at)).collect::<Result<_, _>>().map(Parameter::List)
        }
        _ => typed(text()?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{
        BinaryArray, BooleanArray, Date32Array, Decimal128Array, DictionaryArray, Float64Array, Int32Array, ListArray,
        StringArray, TimestampMillisecondArray, UInt64Array,
    };
    use arrow::datatypes::Int32Type;
    use std::sync::Arc;

    #[test]
    fn every_type_that_clients_bind_is_a_constant() {
        let shown = |column: ArrayRef, at: usize| {
            let batch = RecordBatch::try_from_iter_with_nullable([("c", column, true)]).unwrap();
            let statement = crate::sql::parse("SELECT $1", 50).unwrap().remove(0);
            let bound = row(&batch, at).and_then(|v| statement.with_parameters(&v).map_err(|e| Error::from(&e)));
            match bound.map(|s| s.kind).map_err(|e| e.message) {
                Ok(crate::sql::Kind::Sql { statement, .. }) => statement.to_string(),
                Ok(_) => unreachable!(),
                Err(error) => error,
            }
        };
        let coded: DictionaryArray<Int32Type> = vec![Some("it's"), None].into_iter().collect();
        let lists = ListArray::from_iter_primitive::<Int32Type, _, _>([Some(vec![Some(1), None])]);
        for (column, at, expected) in [
            (Arc::new(Int32Array::from(vec![-3])) as ArrayRef, 0, "SELECT -3"),
            (Arc::new(UInt64Array::from(vec![u64::MAX])), 0, "SELECT 18446744073709551615"),
            (Arc::new(Float64Array::from(vec![1.5e300])), 0, "SELECT 1.5e300"),
            (Arc::new(Float64Array::from(vec![f64::NAN])), 0, "SELECT CAST('NaN' AS DOUBLE PRECISION)"),
            (Arc::new(BooleanArray::from(vec![true])), 0, "SELECT true"),
            (Arc::new(StringArray::from(vec!["o'clock"])), 0, "SELECT 'o''clock'"),
            (Arc::new(StringArray::from(vec![None::<&str>])), 0, "SELECT CAST(NULL AS TEXT)"),
            (Arc::new(coded.clone()), 0, "SELECT 'it''s'"),
            (Arc::new(coded), 1, "SELECT CAST(NULL AS TEXT)"),
            (Arc::new(Date32Array::from(vec![19_000])), 0, "SELECT CAST('2022-01-08' AS DATE)"),
            (Arc::new(TimestampMillisecondArray::from(vec![0])), 0, "SELECT CAST('1970-01-01T00:00:00' AS TIMESTAMP)"),
            (
                Arc::new(Decimal128Array::from(vec![-1234]).with_precision_and_scale(9, 2).unwrap()),
                0,
                "SELECT CAST('-12.34' AS NUMERIC(9,2))",
            ),
            (Arc::new(lists), 0, "SELECT ARRAY[1, CAST(NULL AS INTEGER)]"),
            (Arc::new(BinaryArray::from(vec![&b"x"[..]])), 0, "the value of $1: SQL has no constants of Binary"),
        ] {
            assert_eq!(shown(column, at), expected);
        }
    }
}
