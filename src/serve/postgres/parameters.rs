//! Values that clients bind, as constants of SQL.

use datafusion::sql::sqlparser::ast::{DataType, ExactNumberInfo, TimezoneInfo};

use super::types;
use super::values::numeric_text;
use crate::engine::{Error, ErrorKind};
use crate::sql::Parameter;

fn wrong(at: usize, why: &str) -> Error {
    Error::new(ErrorKind::Usage, format!("the value of ${}: {why}", at + 1))
}

/// A value as text, or in binary, of the type of this number; 0 where the client leaves that to us.
///
/// # Errors
/// If it is no value of that type.
pub(super) fn parameter(at: usize, oid: u32, binary: bool, bytes: Option<&[u8]>) -> Result<Parameter, Error> {
    let Some(bytes) = bytes else { return Ok(null(oid)) };
    if binary {
        return from_binary(oid, bytes).ok_or_else(|| {
            let name = types::sql_name(oid).unwrap_or_else(|| format!("type {oid}"));
            wrong(at, &format!("no binary {name}; send it as text"))
        });
    }
    let text = std::str::from_utf8(bytes).map_err(|_| wrong(at, "it is not UTF-8"))?;
    from_text(oid, text).ok_or_else(|| {
        let name = types::sql_name(oid).unwrap_or_else(|| format!("type {oid}"));
        wrong(at, &format!("`{text}` is no {name}"))
    })
}

/// No value, of a type.
fn null(oid: u32) -> Parameter {
    match sql_type(oid) {
        Some(kind) => Parameter::Typed(Box::new(Parameter::Null), kind),
        None => Parameter::Null,
    }
}

/// A value that stands for a parameter while a statement is described.
pub(super) fn stand_in(oid: u32) -> Parameter {
    Parameter::Typed(Box::new(Parameter::Null), sql_type(oid).unwrap_or(DataType::Text))
}

/// What SQL calls a type, where a constant does not have it by itself.
fn sql_type(oid: u32) -> Option<DataType> {
    Some(match oid {
        types::BOOL => DataType::Boolean,
        types::INT2 => DataType::SmallInt(None),
        types::INT4 => DataType::Integer(None),
        types::INT8 | types::OID => DataType::BigInt(None),
        types::FLOAT4 => DataType::Real,
        types::FLOAT8 => DataType::DoublePrecision,
        types::NUMERIC => DataType::Numeric(ExactNumberInfo::PrecisionAndScale(38, 10)),
        types::DATE => DataType::Date,
        types::TIME => DataType::Time(None, TimezoneInfo::None),
        types::TIMESTAMP => DataType::Timestamp(None, TimezoneInfo::None),
        types::TIMESTAMPTZ => DataType::Timestamp(None, TimezoneInfo::WithTimeZone),
        types::TEXT | types::VARCHAR | types::BPCHAR | types::NAME | types::JSON | types::JSONB | types::UUID => {
            DataType::Text
        }
        _ => return None,
    })
}

/// A number, if a text is one as SQL writes them.
fn number(text: &str) -> Option<Parameter> {
    let text = text.trim();
    let text = text.strip_prefix('+').unwrap_or(text);
    let digits = text.strip_prefix('-').unwrap_or(text);
    let plain = digits.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && digits.chars().all(|c| c.is_ascii_digit() || ".eE+-".contains(c))
        && text.parse::<f64>().is_ok();
    plain.then(|| Parameter::Number(text.into()))
}

fn typed(text: impl Into<String>, kind: DataType) -> Parameter {
    Parameter::Typed(Box::new(Parameter::Text(text.into())), kind)
}

fn from_text(oid: u32, text: &str) -> Option<Parameter> {
    Some(match oid {
        types::BOOL => match text.to_ascii_lowercase().as_str() {
            "t" | "true" | "1" | "on" | "yes" | "y" => Parameter::Boolean(true),
            "f" | "false" | "0" | "off" | "no" | "n" => Parameter::Boolean(false),
            _ => return None,
        },
        types::INT2 | types::INT4 | types::INT8 | types::OID => {
            text.trim().parse::<i64>().ok()?;
            number(text)?
        }
        types::FLOAT4 | types::FLOAT8 | types::NUMERIC => {
            number(text).or_else(|| text.parse::<f64>().ok().map(|_| typed(text, DataType::DoublePrecision)))?
        }
        types::DATE | types::TIME | types::TIMESTAMP => typed(text, sql_type(oid)?),
        // Moments are kept without a zone: those of one are told in UTC.
        types::TIMESTAMPTZ => typed(text, DataType::Timestamp(None, TimezoneInfo::WithTimeZone)),
        types::BYTEA => return None,
        array if types::element_of(array).is_some() => {
            let element = types::element_of(array)?;
            let items = items(text)?;
            let item = |item: Option<String>| item.map_or(Some(Parameter::Null), |text| from_text(element, &text));
            Parameter::List(items.into_iter().map(item).collect::<Option<_>>()?)
        }
        _ => Parameter::Text(text.into()),
    })
}

/// The items of an array as text: `{1,"two words",NULL}`.
fn items(text: &str) -> Option<Vec<Option<String>>> {
    let inner = text.trim().strip_prefix('{')?.strip_suffix('}')?;
    let (mut items, mut chars) = (vec![], inner.chars().peekable());
    if inner.trim().is_empty() {
        return Some(items);
    }
    loop {
        let (mut item, mut quoted) = (String::new(), false);
        loop {
            match chars.next() {
                Some('"') => {
                    quoted = true;
                    loop {
                        match chars.next()? {
                            '"' => break,
                            '\\' => item.push(chars.next()?),
                            other => item.push(other),
                        }
                    }
                }
                Some('\\') => item.push(chars.next()?),
                // An array of arrays.
                Some('{') => return None,
                Some(',') => {
                    items.push((quoted || !item.eq_ignore_ascii_case("null")).then_some(item));
                    break;
                }
                Some(other) => item.push(other),
                None => {
                    items.push((quoted || !item.eq_ignore_ascii_case("null")).then_some(item));
                    return Some(items);
                }
            }
        }
    }
}

fn from_binary(oid: u32, bytes: &[u8]) -> Option<Parameter> {
    let i64 = || bytes.try_into().ok().map(i64::from_be_bytes);
    let i32 = || bytes.try_into().ok().map(i32::from_be_bytes);
    let whole = |number: i64| Parameter::Number(number.to_string());
    let float = |number: f64, text: String| match number.is_finite() {
        true => Parameter::Number(text),
        false => typed(text, DataType::DoublePrecision),
    };
    let moment = |micros: i64| chrono::DateTime::from_timestamp_micros(micros.checked_add(946_684_800_000_000)?);
    Some(match oid {
        types::BOOL => match bytes {
            [byte] => Parameter::Boolean(*byte != 0),
            _ => return None,
        },
        types::INT2 => whole(bytes.try_into().ok().map(i16::from_be_bytes)?.into()),
        types::INT4 => whole(i32()?.into()),
        types::OID => whole(bytes.try_into().ok().map(u32::from_be_bytes)?.into()),
        types::INT8 => whole(i64()?),
        types::FLOAT4 => {
            let number = bytes.try_into().ok().map(f32::from_be_bytes)?;
            float(number.into(), number.to_string())
        }
        types::FLOAT8 => {
            let number = bytes.try_into().ok().map(f64::from_be_bytes)?;
            float(number, number.to_string())
        }
        types::NUMERIC => {
            let text = numeric_text(bytes)?;
            number(&text).unwrap_or_else(|| typed(text, DataType::DoublePrecision))
        }
        types::DATE => {
            let day = chrono::NaiveDate::from_ymd_opt(2000, 1, 1)?;
            let day = day.checked_add_signed(chrono::TimeDelta::try_days(i32()?.into())?)?;
            typed(day.format("%Y-%m-%d").to_string(), DataType::Date)
        }
        types::TIME => {
            let time = i64()?;
            let (seconds, micros) = (u32::try_from(time / 1_000_000).ok()?, u32::try_from(time % 1_000_000).ok()?);
            let time = chrono::NaiveTime::from_num_seconds_from_midnight_opt(seconds, micros * 1000)?;
            typed(time.format("%H:%M:%S%.f").to_string(), DataType::Time(None, TimezoneInfo::None))
        }
        types::TIMESTAMP => typed(moment(i64()?)?.format("%Y-%m-%dT%H:%M:%S%.f").to_string(), sql_type(oid)?),
        types::TIMESTAMPTZ => typed(moment(i64()?)?.format("%Y-%m-%dT%H:%M:%S%.fZ").to_string(), sql_type(oid)?),
        types::UUID => {
            let hex: String = <[u8; 16]>::try_from(bytes).ok()?.iter().map(|byte| format!("{byte:02x}")).collect();
            let parts = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]];
            Parameter::Text(parts.join("-"))
        }
        types::JSONB => Parameter::Text(String::from_utf8(bytes.strip_prefix(&[1])?.to_vec()).ok()?),
        0 | types::TEXT | types::VARCHAR | types::BPCHAR | types::NAME | types::JSON | types::UNKNOWN => {
            Parameter::Text(String::from_utf8(bytes.to_vec()).ok()?)
        }
        array if types::element_of(array).is_some() => array_from_binary(bytes)?,
        _ => return None,
    })
}

fn array_from_binary(bytes: &[u8]) -> Option<Parameter> {
    let mut rest = bytes;
    let mut next = || {
        let (taken, after) = rest.split_first_chunk::<4>()?;
        rest = after;
        Some(i32::from_be_bytes(*taken))
    };
    let (dimensions, _, element) = (next()?, next()?, next()? as u32);
    if dimensions == 0 {
        return Some(Parameter::List(vec![]));
    }
    let (count, _) = (next()?, next()?);
    if dimensions != 1 {
        return None;
    }
    let mut items = vec![];
    for _ in 0..count {
        let (length, after) = rest.split_first_chunk::<4>()?;
        rest = after;
        items.push(match usize::try_from(i32::from_be_bytes(*length)) {
            Err(_) => Parameter::Null,
            Ok(length) => {
                let (item, after) = rest.split_at_checked(length)?;
                rest = after;
                from_binary(element, item)?
            }
        });
    }
    rest.is_empty().then_some(Parameter::List(items))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn values_are_read_in_both_forms() {
        let text = |oid, text: &str| parameter(0, oid, false, Some(text.as_bytes()));
        assert_eq!(text(types::INT4, "42").unwrap(), Parameter::Number("42".into()));
        assert_eq!(text(0, "it's").unwrap(), Parameter::Text("it's".into()));
        assert_eq!(text(types::BOOL, "t").unwrap(), Parameter::Boolean(true));
        // What is no number does not stand in a statement as if it were one.
        for (oid, broken) in
            [(types::INT4, "1; DROP"), (types::FLOAT8, "1) --"), (types::NUMERIC, "e"), (1007, "{1,x}")]
        {
            assert!(text(oid, broken).is_err(), "{broken}");
        }
        let list = text(1009, r#"{a,"b c",NULL,"NULL"}"#).unwrap();
        let item = |text: &str| Parameter::Text(text.into());
        assert_eq!(list, Parameter::List(vec![item("a"), item("b c"), Parameter::Null, item("NULL")]));
        let binary = |oid, bytes: &[u8]| parameter(0, oid, true, Some(bytes));
        assert_eq!(binary(types::INT8, &7_i64.to_be_bytes()).unwrap(), Parameter::Number("7".into()));
        assert!(binary(types::INT8, &[1]).is_err());
        assert_eq!(binary(types::DATE, &1_i32.to_be_bytes()).unwrap(), typed("2000-01-02", DataType::Date));
    }

    proptest! {
        #[test]
        fn no_bytes_end_the_reader(
            oid in prop::sample::select(types::TYPES.iter().flat_map(|t| [t.oid, t.array]).collect::<Vec<_>>()),
            binary in any::<bool>(),
            bytes in prop::collection::vec(any::<u8>(), 0..40),
        ) {
            _ = parameter(0, oid, binary, Some(&bytes));
        }
    }
}
