//! The types of values in files that do not tell them.

use std::sync::Arc;

use datafusion::arrow::array::{
    ArrayRef, BooleanArray, BooleanBuilder, Float64Array, Float64Builder, Int64Array, Int64Builder, ListBuilder,
    StringArray, StringBuilder, UInt64Array,
};
use datafusion::arrow::datatypes::{DataType, Field};
use serde_json::Value;

/// What the values of a column have in common.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) enum Kind {
    #[default]
    Null,
    Boolean,
    Integer,
    /// Beyond what a signed number holds
    Unsigned,
    Number,
    Text,
    List(Box<Kind>),
}

impl Kind {
    /// The kind of a value of CSV. Digits after a zero are a code, such as that of a place, and no number.
    pub fn of_text(text: &str) -> Kind {
        let text = text.trim();
        if text.is_empty() {
            return Kind::Null;
        }
        if text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false") {
            return Kind::Boolean;
        }
        let digits = text.strip_prefix('-').unwrap_or(text);
        let code = digits.len() > 1 && digits.starts_with('0') && digits.as_bytes()[1].is_ascii_digit();
        if code || !digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
            return Kind::Text;
        }
        match digits.bytes().all(|b| b.is_ascii_digit()) {
            true if text.parse::<i64>().is_ok() => Kind::Integer,
            true if text.parse::<u64>().is_ok() => Kind::Unsigned,
            true => Kind::Text,
            false if text.parse::<f64>().is_ok() => Kind::Number,
            false => Kind::Text,
        }
    }

    pub fn of_json(value: &Value) -> Kind {
        match value {
            Value::Null => Kind::Null,
            Value::Bool(_) => Kind::Boolean,
            Value::Number(n) if n.is_i64() => Kind::Integer,
            Value::Number(n) if n.is_u64() => Kind::Unsigned,
            Value::Number(_) => Kind::Number,
            Value::String(_) | Value::Object(_) => Kind::Text,
            Value::Array(items) => {
                Kind::List(Box::new(items.iter().map(Kind::of_json).fold(Kind::Null, Kind::with).flat()))
            }
        }
    }

    /// A list within a list is kept as text.
    fn flat(self) -> Kind {
        if matches!(self, Kind::List(_)) { Kind::Text } else { self }
    }

    /// What values of both kinds have in common.
    pub fn with(self, other: Kind) -> Kind {
        use Kind::{Integer, List, Null, Number, Text, Unsigned};
        match (self, other) {
            (a, b) if a == b => a,
            (Null, kind) | (kind, Null) => kind,
            (Integer | Unsigned, Number) | (Number, Integer | Unsigned) => Number,
            (List(a), List(b)) => List(Box::new(a.with(*b).flat())),
            _ => Text,
        }
    }

    pub fn data_type(&self) -> DataType {
        match self {
            Kind::Null => DataType::Null,
            Kind::Boolean => DataType::Boolean,
            Kind::Integer => DataType::Int64,
            Kind::Unsigned => DataType::UInt64,
            Kind::Number => DataType::Float64,
            Kind::Text => DataType::Utf8,
            Kind::List(item) => {
                let item = match item.data_type() {
                    DataType::Null | DataType::UInt64 => DataType::Utf8,
                    kind => kind,
                };
                DataType::List(Arc::new(Field::new("item", item, true)))
            }
        }
    }

    /// A column of values of JSON that are of this kind.
    pub fn array(&self, values: &[Value]) -> ArrayRef {
        match self {
            Kind::Null | Kind::Text => Arc::new(values.iter().map(text).collect::<StringArray>()),
            Kind::Boolean => Arc::new(values.iter().map(Value::as_bool).collect::<BooleanArray>()),
            Kind::Integer => Arc::new(values.iter().map(Value::as_i64).collect::<Int64Array>()),
            Kind::Unsigned => Arc::new(values.iter().map(Value::as_u64).collect::<UInt64Array>()),
            Kind::Number => Arc::new(values.iter().map(Value::as_f64).collect::<Float64Array>()),
            Kind::List(item) => match **item {
                Kind::Boolean => {
                    let mut lists = ListBuilder::new(BooleanBuilder::new());
                    values.iter().for_each(|v| lists.append_option(items(v).map(|i| i.map(Value::as_bool))));
                    Arc::new(lists.finish())
                }
                Kind::Integer => {
                    let mut lists = ListBuilder::new(Int64Builder::new());
                    values.iter().for_each(|v| lists.append_option(items(v).map(|i| i.map(Value::as_i64))));
                    Arc::new(lists.finish())
                }
                Kind::Number => {
                    let mut lists = ListBuilder::new(Float64Builder::new());
                    values.iter().for_each(|v| lists.append_option(items(v).map(|i| i.map(Value::as_f64))));
                    Arc::new(lists.finish())
                }
                _ => {
                    let mut lists = ListBuilder::new(StringBuilder::new());
                    values.iter().for_each(|v| lists.append_option(items(v).map(|i| i.map(text))));
                    Arc::new(lists.finish())
                }
            },
        }
    }
}

fn items(value: &Value) -> Option<std::slice::Iter<'_, Value>> {
    value.as_array().map(|items| items.iter())
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_told_from_codes() {
        for (text, kind) in [
            ("34", Kind::Integer),
            ("-7", Kind::Integer),
            ("0", Kind::Integer),
            ("01234", Kind::Text),
            ("-01", Kind::Text),
            ("18446744073709551615", Kind::Unsigned),
            ("99999999999999999999999", Kind::Text),
            ("0.5", Kind::Number),
            ("1e-3", Kind::Number),
            ("nan", Kind::Text),
            ("+5", Kind::Text),
            ("1.2.3", Kind::Text),
            (" ", Kind::Null),
            ("TRUE", Kind::Boolean),
        ] {
            assert_eq!(Kind::of_text(text), kind, "{text}");
        }
    }

    #[test]
    fn kinds_meet_in_what_holds_both() {
        assert_eq!(Kind::Integer.with(Kind::Number), Kind::Number);
        assert_eq!(Kind::Null.with(Kind::Boolean), Kind::Boolean);
        assert_eq!(Kind::Boolean.with(Kind::Integer), Kind::Text);
        assert_eq!(Kind::Integer.with(Kind::Unsigned), Kind::Text);
        let list = |json: &str| Kind::of_json(&serde_json::from_str(json).unwrap());
        assert_eq!(list("[1, 2.5]"), Kind::List(Box::new(Kind::Number)));
        assert_eq!(list("[]").with(list("['a']".replace('\'', "\"").as_str())), Kind::List(Box::new(Kind::Text)));
        assert_eq!(list("[[1], [2]]"), Kind::List(Box::new(Kind::Text)));
        assert_eq!(list("[1]").with(Kind::Text), Kind::Text);
    }
}
