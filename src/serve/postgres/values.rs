//! Values of columns as PostgreSQL writes them, as text and in binary.

use std::fmt::Write;
use std::sync::Arc;

use arrow::array::timezone::Tz;
use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BooleanArray, Date32Array, Float32Array, Float64Array, Int16Array,
    Int32Array, Int64Array, IntervalMonthDayNanoArray, ListArray, StringArray, Time64MicrosecondArray,
    TimestampMicrosecondArray,
};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{
    DataType, Date32Type, Field, Float32Type, Float64Type, Int16Type, Int32Type, Int64Type, IntervalMonthDayNanoType,
    Time64MicrosecondType, TimestampMicrosecondType,
};
use arrow::error::ArrowError;
use chrono::{FixedOffset, Offset, TimeZone};

use super::types;
use crate::arrow::json_texts;

/// Days, and microseconds, from 1970 to 2000, where PostgreSQL begins.
pub(super) const DAYS: i32 = 10_957;
pub(super) const MICROSECONDS: i64 = DAYS as i64 * 86_400_000_000;

/// A column whose values are written one by one.
pub(super) enum Values {
    Bool(BooleanArray),
    Int2(Int16Array),
    Int4(Int32Array),
    Int8(Int64Array),
    Oid(Int64Array),
    Float4(Float32Array),
    Float8(Float64Array),
    Text(StringArray),
    Bytes(BinaryArray),
    Date(Date32Array),
    Time(Time64MicrosecondArray),
    Timestamp(TimestampMicrosecondArray),
    /// A moment, told in a zone
    Moment(TimestampMicrosecondArray, Tz),
    Interval(IntervalMonthDayNanoArray),
    /// As its digits
    Numeric(StringArray),
    Array {
        lists: ListArray,
        items: Box<Values>,
        element: u32,
    },
}

impl Values {
    /// A column as values of the type of this number; moments are told in this zone.
    ///
    /// # Errors
    /// If a value is none of that type.
    pub fn of(column: &ArrayRef, oid: u32, zone: Tz) -> Result<Values, ArrowError> {
        let to = |kind: &DataType| {
            let options = CastOptions { safe: false, ..CastOptions::default() };
            cast_with_options(column, kind, &options)
        };
        if oid == types::JSON {
            let is_text = matches!(column.data_type(), DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View);
            let texts = match is_text {
                true => to(&DataType::Utf8)?,
                false => json_texts(&Field::new("value", column.data_type().clone(), true), column)?,
            };
            return Ok(Values::Text(texts.as_string().clone()));
        }
        if let Some(element) = types::element_of(oid) {
            let item = Arc::new(Field::new("item", types::plain(element), true));
            let lists = to(&DataType::List(item))?.as_list::<i32>().clone();
            let items = Box::new(Values::of(lists.values(), element, zone)?);
            return Ok(Values::Array { lists, items, element });
        }
        let column = to(&types::plain(oid))?;
        Ok(match oid {
            types::BOOL => Values::Bool(column.as_boolean().clone()),
            types::INT2 => Values::Int2(column.as_primitive::<Int16Type>().clone()),
            types::INT4 => Values::Int4(column.as_primitive::<Int32Type>().clone()),
            types::INT8 => Values::Int8(column.as_primitive::<Int64Type>().clone()),
            types::OID => Values::Oid(column.as_primitive::<Int64Type>().clone()),
            types::FLOAT4 => Values::Float4(column.as_primitive::<Float32Type>().clone()),
            types::FLOAT8 => Values::Float8(column.as_primitive::<Float64Type>().clone()),
            types::BYTEA => Values::Bytes(column.as_binary::<i32>().clone()),
            types::DATE => Values::Date(column.as_primitive::<Date32Type>().clone()),
            types::TIME => Values::Time(column.as_primitive::<Time64MicrosecondType>().clone()),
            types::TIMESTAMP => Values::Timestamp(column.as_primitive::<TimestampMicrosecondType>().clone()),
            types::TIMESTAMPTZ => Values::Moment(column.as_primitive::<TimestampMicrosecondType>().clone(), zone),
            types::INTERVAL => Values::Interval(column.as_primitive::<IntervalMonthDayNanoType>().clone()),
            types::NUMERIC => Values::Numeric(column.as_string().clone()),
            _ => Values::Text(column.as_string().clone()),
        })
    }

    fn array(&self) -> &dyn Array {
        match self {
            Values::Bool(a) => a,
            Values::Int2(a) => a,
            Values::Int4(a) => a,
            Values::Int8(a) | Values::Oid(a) => a,
            Values::Float4(a) => a,
            Values::Float8(a) => a,
            Values::Text(a) | Values::Numeric(a) => a,
            Values::Bytes(a) => a,
            Values::Date(a) => a,
            Values::Time(a) => a,
            Values::Timestamp(a) | Values::Moment(a, _) => a,
            Values::Interval(a) => a,
            Values::Array { lists, .. } => lists,
        }
    }

    pub fn is_null(&self, row: usize) -> bool {
        self.array().is_null(row)
    }

    /// Writes a value as text, of a row that has one.
    pub fn text(&self, row: usize, out: &mut Vec<u8>) {
        match self {
            Values::Bool(a) => out.push(if a.value(row) { b't' } else { b'f' }),
            Values::Int2(a) => shown(out, a.value(row)),
            Values::Int4(a) => shown(out, a.value(row)),
            Values::Int8(a) | Values::Oid(a) => shown(out, a.value(row)),
            Values::Float4(a) => float(out, a.value(row).into(), a.value(row)),
            Values::Float8(a) => float(out, a.value(row), a.value(row)),
            Values::Text(a) | Values::Numeric(a) => out.extend_from_slice(a.value(row).as_bytes()),
            Values::Bytes(a) => {
                out.extend_from_slice(b"\\x");
                a.value(row).iter().for_each(|byte| shown(out, format_args!("{byte:02x}")));
            }
            Values::Date(a) => match a.value_as_date(row) {
                Some(date) => shown(out, date.format("%Y-%m-%d")),
                None => shown(out, "infinity"),
            },
            Values::Time(a) => match a.value_as_time(row) {
                Some(time) => shown(out, time.format("%H:%M:%S%.f")),
                None => shown(out, "00:00:00"),
            },
            Values::Timestamp(a) => match a.value_as_datetime(row) {
                Some(time) => shown(out, time.format("%Y-%m-%d %H:%M:%S%.f")),
                None => shown(out, "infinity"),
            },
            Values::Moment(a, zone) => {
                let there = a.value_as_datetime(row).and_then(|time| {
                    let offset = zone.offset_from_utc_datetime(&time).fix();
                    Some((time.checked_add_offset(offset)?, offset))
                });
                match there {
                    Some((time, offset)) => {
                        shown(out, time.format("%Y-%m-%d %H:%M:%S%.f"));
                        offset_text(offset, out);
                    }
                    None => shown(out, "infinity"),
                }
            }
            Values::Interval(a) => {
                let value = a.value(row);
                let micros = value.nanoseconds / 1000;
                let (sign, size) = (if micros < 0 { "-" } else { "" }, micros.unsigned_abs());
                let (seconds, rest) = (size / 1_000_000, size % 1_000_000);
                if value.months != 0 {
                    shown(out, format_args!("{} mons ", value.months));
                }
                if value.days != 0 {
                    shown(out, format_args!("{} days ", value.days));
                }
                shown(out, format_args!("{sign}{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60));
                if rest != 0 {
                    shown(out, format_args!(".{rest:06}"));
                }
            }
            Values::Array { lists, items, .. } => {
                out.push(b'{');
                let mut item = vec![];
                for (at, place) in items_of(lists, row).enumerate() {
                    if at > 0 {
                        out.push(b',');
                    }
                    if items.is_null(place) {
                        out.extend_from_slice(b"NULL");
                        continue;
                    }
                    item.clear();
                    items.text(place, &mut item);
                    quoted(&item, out);
                }
                out.push(b'}');
            }
        }
    }

    /// Writes a value in binary, of a row that has one.
    pub fn binary(&self, row: usize, out: &mut Vec<u8>) {
        match self {
            Values::Bool(a) => out.push(a.value(row).into()),
            Values::Int2(a) => out.extend_from_slice(&a.value(row).to_be_bytes()),
            Values::Int4(a) => out.extend_from_slice(&a.value(row).to_be_bytes()),
            Values::Int8(a) => out.extend_from_slice(&a.value(row).to_be_bytes()),
            Values::Oid(a) => out.extend_from_slice(&(a.value(row) as u32).to_be_bytes()),
            Values::Float4(a) => out.extend_from_slice(&a.value(row).to_be_bytes()),
            Values::Float8(a) => out.extend_from_slice(&a.value(row).to_be_bytes()),
            Values::Text(a) => out.extend_from_slice(a.value(row).as_bytes()),
            Values::Bytes(a) => out.extend_from_slice(a.value(row)),
            Values::Date(a) => out.extend_from_slice(&a.value(row).saturating_sub(DAYS).to_be_bytes()),
            Values::Time(a) => out.extend_from_slice(&a.value(row).to_be_bytes()),
            Values::Timestamp(a) | Values::Moment(a, _) => {
                out.extend_from_slice(&a.value(row).saturating_sub(MICROSECONDS).to_be_bytes());
            }
            Values::Interval(a) => {
                let value = a.value(row);
                out.extend_from_slice(&(value.nanoseconds / 1000).to_be_bytes());
                out.extend_from_slice(&value.days.to_be_bytes());
                out.extend_from_slice(&value.months.to_be_bytes());
            }
            Values::Numeric(a) => numeric(a.value(row), out),
            Values::Array { lists, items, element } => {
                let places = items_of(lists, row);
                let has_nulls = places.clone().any(|place| items.is_null(place));
                out.extend_from_slice(&i32::from(!places.is_empty()).to_be_bytes());
                out.extend_from_slice(&i32::from(has_nulls).to_be_bytes());
                out.extend_from_slice(&element.to_be_bytes());
                if places.is_empty() {
                    return;
                }
                out.extend_from_slice(&(places.len() as i32).to_be_bytes());
                out.extend_from_slice(&1_i32.to_be_bytes());
                for place in places {
                    items.field(place, true, out);
                }
            }
        }
    }

    /// Writes a value with its length before it; -1 for none.
    pub fn field(&self, row: usize, binary: bool, out: &mut Vec<u8>) {
        if self.is_null(row) {
            out.extend_from_slice(&(-1_i32).to_be_bytes());
            return;
        }
        let at = out.len();
        out.extend_from_slice(&[0; 4]);
        match binary {
            true => self.binary(row, out),
            false => self.text(row, out),
        }
        let length = i32::try_from(out.len() - at - 4).unwrap_or(i32::MAX);
        out[at..at + 4].copy_from_slice(&length.to_be_bytes());
    }
}

/// Where a list's items are.
fn items_of(lists: &ListArray, row: usize) -> std::ops::Range<usize> {
    let offsets = lists.value_offsets();
    offsets[row] as usize..offsets[row + 1] as usize
}

fn shown(out: &mut Vec<u8>, value: impl std::fmt::Display) {
    // Writing to memory does not fail.
    _ = std::io::Write::write_fmt(out, format_args!("{value}"));
}

/// How far a zone is from UTC: `+02`, `-03:30`.
fn offset_text(offset: FixedOffset, out: &mut Vec<u8>) {
    let east = offset.local_minus_utc();
    let (sign, size) = (if east < 0 { '-' } else { '+' }, east.unsigned_abs());
    shown(out, format_args!("{sign}{:02}", size / 3600));
    for part in [size / 60 % 60, size % 60].iter().take(if size % 60 != 0 { 2 } else { (size / 60 % 60 != 0).into() }) {
        shown(out, format_args!(":{part:02}"));
    }
}

fn float(out: &mut Vec<u8>, value: f64, shortest: impl std::fmt::Display + std::fmt::LowerExp) {
    let size = value.abs();
    match () {
        () if value.is_nan() => shown(out, "NaN"),
        () if value == f64::INFINITY => shown(out, "Infinity"),
        () if value == f64::NEG_INFINITY => shown(out, "-Infinity"),
        () if size != 0.0 && !(1e-5..1e16).contains(&size) => shown(out, format_args!("{shortest:e}")),
        () => shown(out, shortest),
    }
}

/// An item of an array as text, in quotes where it could be taken for something else.
fn quoted(item: &[u8], out: &mut Vec<u8>) {
    let plain = !item.is_empty()
        && !item.eq_ignore_ascii_case(b"null")
        && !item.iter().any(|b| b"{},\"\\".contains(b) || b.is_ascii_whitespace());
    if plain {
        out.extend_from_slice(item);
        return;
    }
    out.push(b'"');
    for byte in item {
        if matches!(byte, b'"' | b'\\') {
            out.push(b'\\');
        }
        out.push(*byte);
    }
    out.push(b'"');
}

/// A number of any size in binary: digits to the base of ten thousand.
fn numeric(text: &str, out: &mut Vec<u8>) {
    if !text.bytes().all(|b| b.is_ascii_digit() || b"-.eE+".contains(&b)) {
        // What is no number is told to be none.
        return out.extend_from_slice(&[0, 0, 0, 0, 0xc0, 0, 0, 0]);
    }
    let (negative, digits) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let (digits, exponent) = match digits.split_once(['e', 'E']) {
        Some((digits, exponent)) => (digits, exponent.parse::<i32>().unwrap_or(0)),
        None => (digits, 0),
    };
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    let scale = (part.len() as i32 - exponent).max(0);
    let mut all: String = [whole, part].concat();
    // The point stands after so many digits.
    let mut point = whole.len() as i32 + exponent;
    if exponent > 0 {
        (part.len() as i32..exponent).for_each(|_| all.push('0'));
    }
    while point % 4 != 0 {
        all.insert(0, '0');
        point += 1;
    }
    while !all.len().is_multiple_of(4) {
        all.push('0');
    }
    let mut groups: Vec<i16> = all
        .as_bytes()
        .chunks(4)
        .map(|four| four.iter().fold(0, |n, d| n * 10 + i16::from(d.wrapping_sub(b'0') % 10)))
        .collect();
    let mut weight = point / 4 - 1;
    while groups.first() == Some(&0) {
        groups.remove(0);
        weight -= 1;
    }
    while groups.last() == Some(&0) {
        groups.pop();
    }
    if groups.is_empty() {
        weight = 0;
    }
    out.extend_from_slice(&(groups.len() as i16).to_be_bytes());
    out.extend_from_slice(&(weight as i16).to_be_bytes());
    out.extend_from_slice(&(if negative { 0x4000_u16 } else { 0 }).to_be_bytes());
    out.extend_from_slice(&(scale as i16).to_be_bytes());
    groups.iter().for_each(|group| out.extend_from_slice(&group.to_be_bytes()));
}

/// A number of any size from its binary form, as text.
pub(super) fn numeric_text(bytes: &[u8]) -> Option<String> {
    let at = |i: usize| Some(i16::from_be_bytes(*bytes.get(i * 2..)?.first_chunk::<2>()?));
    let (count, weight, sign, scale) = (at(0)?, at(1)?, at(2)? as u16, at(3)?);
    if sign == 0xc000 {
        return Some("NaN".into());
    }
    if bytes.len() != 8 + 2 * usize::try_from(count).ok()? || !(-1000..=1000).contains(&weight) {
        return None;
    }
    let digit = |place: i32| match usize::try_from(i32::from(weight) - place) {
        Ok(i) if i < count as usize => at(4 + i).filter(|digit| (0..10_000).contains(digit)),
        _ => Some(0),
    };
    let mut text = String::from(if sign == 0x4000 { "-" } else { "" });
    let mut whole = String::new();
    for place in (0..=i32::from(weight).max(0)).rev() {
        _ = write!(whole, "{:04}", digit(place)?);
    }
    let whole = whole.trim_start_matches('0');
    text += if whole.is_empty() { "0" } else { whole };
    // Zeros that it says are behind its digits take room and say nothing.
    let scale = i32::from(scale).min(4 * (i32::from(count) - 1 - i32::from(weight)));
    if scale > 0 {
        let mut part = String::new();
        for place in 1..=(scale + 3) / 4 {
            _ = write!(part, "{:04}", digit(-place)?);
        }
        part.truncate(scale as usize);
        text = text + "." + &part;
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{DictionaryArray, FixedSizeListArray, ListBuilder, StringDictionaryBuilder, StructArray};
    use arrow::datatypes::{Int8Type, UInt16Type};

    fn text(column: ArrayRef, row: usize) -> String {
        let values = Values::of(&column, types::oid(column.data_type()), "+02:00".parse().unwrap()).unwrap();
        let mut out = vec![];
        values.text(row, &mut out);
        String::from_utf8(out).unwrap()
    }

    fn binary(column: ArrayRef, row: usize) -> Vec<u8> {
        let values = Values::of(&column, types::oid(column.data_type()), "+02:00".parse().unwrap()).unwrap();
        let mut out = vec![];
        values.binary(row, &mut out);
        out
    }

    #[test]
    fn columns_of_every_kind_have_texts() {
        let codes: DictionaryArray<UInt16Type> = ["Vermont", "Ohio"].into_iter().collect();
        assert_eq!(text(Arc::new(codes.clone()), 1), "Ohio");
        let vector = FixedSizeListArray::from_iter_primitive::<Float32Type, _, _>([Some([Some(0.5), None])], 2);
        assert_eq!(text(Arc::new(vector.clone()), 0), "{0.5,NULL}");
        let bytes = binary(Arc::new(vector), 0);
        assert_eq!(bytes[..20], [0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 2, 188, 0, 0, 0, 2, 0, 0, 0, 1]);
        let mut lists = ListBuilder::new(StringDictionaryBuilder::<Int8Type>::new());
        lists.append_value([Some("plain"), Some("two words"), Some(""), None, Some("a\"b"), Some("null")]);
        assert_eq!(text(Arc::new(lists.finish()), 0), r#"{plain,"two words","",NULL,"a\"b","null"}"#);
        let half: ArrayRef = Arc::new(Float32Array::from(vec![1.5]));
        let half = cast_with_options(&half, &DataType::Float16, &CastOptions::default()).unwrap();
        assert_eq!(text(half.clone(), 0), "1.5");
        let pair = StructArray::from(vec![(
            Arc::new(Field::new("a", DataType::Utf8, true)),
            Arc::new(StringArray::from(vec!["x"])) as ArrayRef,
        )]);
        assert_eq!(text(Arc::new(pair), 0), r#"{"a":"x"}"#);
        for (value, shown) in [(1e21, "1e21"), (0.1, "0.1"), (-3.0, "-3"), (f64::NAN, "NaN")] {
            assert_eq!(text(Arc::new(Float64Array::from(vec![value])), 0), shown);
        }
        for (micros, shown) in [(0, "1970-01-01 02:00:00+02"), (i64::MAX, "infinity")] {
            let moment = TimestampMicrosecondArray::from(vec![micros]).with_timezone("UTC");
            assert_eq!(text(Arc::new(moment), 0), shown);
        }
        for (east, shown) in [(0, "+00"), (-12_600, "-03:30"), (3208, "+00:53:28"), (-3600, "-01"), (7, "+00:00:07")] {
            let mut out = vec![];
            offset_text(FixedOffset::east_opt(east).unwrap(), &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), shown);
        }
        let day: ArrayRef = Arc::new(Date32Array::from(vec![DAYS + 1]));
        assert_eq!((text(day.clone(), 0), binary(day, 0)), ("2000-01-02".into(), vec![0, 0, 0, 1]));
    }

    #[test]
    fn numbers_of_any_size_come_back() {
        for number in ["0", "1", "-1", "10000", "123456789.25", "0.0001", "-0.05", "18446744073709551615", "99990000"] {
            let mut out = vec![];
            numeric(number, &mut out);
            assert_eq!(numeric_text(&out).as_deref(), Some(number));
        }
        for broken in [&[][..], &[0, 9, 0, 0, 0, 0, 0, 0], &[0, 1, 0x7f, 0xff, 0, 0, 0, 0, 0, 1]] {
            assert_eq!(numeric_text(broken), None);
        }
    }
}
