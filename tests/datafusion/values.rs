//! Values as DataFusion's own tests write them.

use datafusion::arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use datafusion::arrow::datatypes::{
    DataType, Decimal128Type, Decimal256Type, DecimalType, Fields, Float16Type, Float32Type, Float64Type,
};
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use sqllogictest::ColumnType;

/// Digits after the point that are looked at.
const DIGITS: usize = 12;

/// The letters by which a test names the types of its columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Letter(char);

impl ColumnType for Letter {
    fn from_char(letter: char) -> Option<Letter> {
        Some(Letter(if "BDIPRT".contains(letter) { letter } else { '?' }))
    }

    fn to_char(&self) -> char {
        self.0
    }
}

pub fn letters(columns: &Fields) -> Vec<Letter> {
    columns.iter().map(|field| Letter(letter(field.data_type()))).collect()
}

fn letter(kind: &DataType) -> char {
    match kind {
        DataType::Boolean => 'B',
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => 'T',
        DataType::Dictionary(_, values) if letter(values) == 'T' => 'T',
        DataType::Date32 | DataType::Date64 | DataType::Time32(_) | DataType::Time64(_) => 'D',
        DataType::Timestamp(..) => 'P',
        kind if kind.is_integer() => 'I',
        kind if kind.is_numeric() => 'R',
        _ => '?',
    }
}

/// The rows of a batch; one whose last value has several lines, as plans have, is a row for each.
pub fn rows(batch: &RecordBatch) -> Result<Vec<Vec<String>>, datafusion::arrow::error::ArrowError> {
    let mut rows = vec![];
    for row in 0..batch.num_rows() {
        let mut values: Vec<String> = batch.columns().iter().map(|c| text(c, row)).collect::<Result<_, _>>()?;
        match values.last().filter(|last| last.contains('\n')).cloned() {
            None => rows.push(values),
            Some(last) => {
                values.pop();
                rows.push(values);
                rows.extend(last.split('\n').enumerate().map(|(at, line)| {
                    let words = line.trim_start();
                    vec![format!("{:02}){}{words}", at + 1, "-".repeat(line.len() - words.len()))]
                }));
            }
        }
    }
    Ok(rows)
}

fn text(column: &ArrayRef, row: usize) -> Result<String, datafusion::arrow::error::ArrowError> {
    if column.is_null(row) {
        return Ok("NULL".into());
    }
    let words = |text: &str| match text {
        "" => "(empty)".to_string(),
        text => text.trim_end_matches('\n').replace('\0', "\\0"),
    };
    Ok(match column.data_type() {
        DataType::Null => "NULL".into(),
        DataType::Boolean => column.as_boolean().value(row).to_string(),
        DataType::Float16 => float(column.as_primitive::<Float16Type>().value(row).to_string()),
        DataType::Float32 => float(column.as_primitive::<Float32Type>().value(row).to_string()),
        DataType::Float64 => float(column.as_primitive::<Float64Type>().value(row).to_string()),
        DataType::Decimal128(_, scale) => {
            let value = column.as_primitive::<Decimal128Type>().value(row);
            rounded(&Decimal128Type::format_decimal(value, u8::MAX, *scale))
        }
        DataType::Decimal256(_, scale) => {
            let value = column.as_primitive::<Decimal256Type>().value(row);
            rounded(&Decimal256Type::format_decimal(value, u8::MAX, *scale))
        }
        DataType::Utf8 => words(column.as_string::<i32>().value(row)),
        DataType::LargeUtf8 => words(column.as_string::<i64>().value(row)),
        DataType::Utf8View => words(column.as_string_view().value(row)),
        DataType::Dictionary(..) => {
            let coded = column.as_any_dictionary();
            text(coded.values(), coded.normalized_keys()[row])?
        }
        _ => {
            let options = FormatOptions::default().with_null("NULL");
            ArrayFormatter::try_new(column.as_ref(), &options)?.value(row).to_string()
        }
    })
}

fn float(text: String) -> String {
    match text.as_str() {
        "NaN" => text,
        "inf" => "Infinity".into(),
        "-inf" => "-Infinity".into(),
        _ => rounded(&text),
    }
}

/// A number without an exponent, rounded half to even, without zeros at its end.
fn rounded(number: &str) -> String {
    let (sign, digits) = number.strip_prefix('-').map_or(("", number), |rest| ("-", rest));
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    let mut all: Vec<u8> = whole.bytes().chain(part.bytes().take(DIGITS)).collect();
    let rest = part.get(DIGITS..).unwrap_or_default();
    let half = format!("5{}", "0".repeat(rest.len().saturating_sub(1)));
    let odd = all.last().is_some_and(|last| last % 2 == 1);
    let mut carry = rest.len() == half.len() && (rest > half.as_str() || (rest == half && odd));
    for digit in all.iter_mut().rev() {
        match (carry, *digit) {
            (false, _) => break,
            (true, b'9') => *digit = b'0',
            (true, _) => {
                *digit += 1;
                carry = false;
            }
        }
    }
    if carry {
        all.insert(0, b'1');
    }
    let point = all.len() - part.len().min(DIGITS);
    let text = String::from_utf8(all).unwrap();
    let (whole, part) = text.split_at(point);
    let (whole, part) = (whole.trim_start_matches('0'), part.trim_end_matches('0'));
    let whole = if whole.is_empty() { "0" } else { whole };
    match part {
        "" if whole == "0" => "0".into(),
        "" => format!("{sign}{whole}"),
        part => format!("{sign}{whole}.{part}"),
    }
}

#[test]
fn numbers_are_rounded_as_datafusion_does() {
    for (number, text) in [
        ("0.110", "0.11"),
        ("11", "11"),
        ("110.0", "110"),
        ("-0.0", "0"),
        ("-0.000000000000123", "0"),
        ("1.0000000000011", "1.000000000001"),
        ("0.12345678901234567890123456789012345678", "0.123456789012"),
        ("9.9999999999999", "10"),
        ("0.0000000000005", "0"),
        ("0.0000000000015", "0.000000000002"),
        ("12345678901234567890123456789012345678", "12345678901234567890123456789012345678"),
    ] {
        assert_eq!(rounded(number), text, "{number}");
    }
}
