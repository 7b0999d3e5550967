//! Types of Arrow as those of PostgreSQL, by their numbers there.

use arrow::datatypes::{DataType, IntervalUnit, SchemaRef, TimeUnit};

use super::messages::Column;

pub(super) const BOOL: u32 = 16;
pub(super) const BYTEA: u32 = 17;
pub(super) const NAME: u32 = 19;
pub(super) const INT8: u32 = 20;
pub(super) const INT2: u32 = 21;
pub(super) const INT4: u32 = 23;
pub(super) const TEXT: u32 = 25;
pub(super) const OID: u32 = 26;
pub(super) const JSON: u32 = 114;
pub(super) const FLOAT4: u32 = 700;
pub(super) const FLOAT8: u32 = 701;
pub(super) const UNKNOWN: u32 = 705;
pub(super) const BPCHAR: u32 = 1042;
pub(super) const VARCHAR: u32 = 1043;
pub(super) const DATE: u32 = 1082;
pub(super) const TIME: u32 = 1083;
pub(super) const TIMESTAMP: u32 = 1114;
pub(super) const TIMESTAMPTZ: u32 = 1184;
pub(super) const INTERVAL: u32 = 1186;
pub(super) const NUMERIC: u32 = 1700;
pub(super) const UUID: u32 = 2950;
pub(super) const JSONB: u32 = 3802;

/// A type that clients ask for: its number, its name in `pg_type`, what SQL calls it, its size, its category, and the
/// number of its array.
#[derive(Debug, Clone, Copy)]
pub(super) struct Type {
    pub oid: u32,
    pub name: &'static str,
    pub sql: &'static str,
    pub size: i16,
    pub category: &'static str,
    pub array: u32,
}

const fn kind(oid: u32, name: &'static str, sql: &'static str, size: i16, category: &'static str, array: u32) -> Type {
    Type { oid, name, sql, size, category, array }
}

pub(super) const TYPES: &[Type] = &[
    kind(BOOL, "bool", "boolean", 1, "B", 1000),
    kind(BYTEA, "bytea", "bytea", -1, "U", 1001),
    kind(18, "char", "\"char\"", 1, "S", 1002),
    kind(NAME, "name", "name", 64, "S", 1003),
    kind(INT8, "int8", "bigint", 8, "N", 1016),
    kind(INT2, "int2", "smallint", 2, "N", 1005),
    kind(INT4, "int4", "integer", 4, "N", 1007),
    kind(24, "regproc", "regproc", 4, "N", 1008),
    kind(TEXT, "text", "text", -1, "S", 1009),
    kind(OID, "oid", "oid", 4, "N", 1028),
    kind(JSON, "json", "json", -1, "U", 199),
    kind(FLOAT4, "float4", "real", 4, "N", 1021),
    kind(FLOAT8, "float8", "double precision", 8, "N", 1022),
    kind(UNKNOWN, "unknown", "unknown", -2, "X", 0),
    kind(BPCHAR, "bpchar", "character", -1, "S", 1014),
    kind(VARCHAR, "varchar", "character varying", -1, "S", 1015),
    kind(DATE, "date", "date", 4, "D", 1182),
    kind(TIME, "time", "time without time zone", 8, "D", 1183),
    kind(TIMESTAMP, "timestamp", "timestamp without time zone", 8, "D", 1115),
    kind(TIMESTAMPTZ, "timestamptz", "timestamp with time zone", 8, "D", 1185),
    kind(INTERVAL, "interval", "interval", 16, "T", 1187),
    kind(NUMERIC, "numeric", "numeric", -1, "N", 1231),
    kind(2205, "regclass", "regclass", 4, "N", 2210),
    kind(2206, "regtype", "regtype", 4, "N", 2211),
    kind(UUID, "uuid", "uuid", 16, "U", 2951),
    kind(JSONB, "jsonb", "jsonb", -1, "U", 3807),
];

/// The array of a type.
pub(super) fn array_of(element: u32) -> Option<u32> {
    TYPES.iter().find(|t| t.oid == element).map(|t| t.array).filter(|array| *array != 0)
}

/// The type of an array's elements.
pub(super) fn element_of(array: u32) -> Option<u32> {
    TYPES.iter().find(|t| t.array == array && array != 0).map(|t| t.oid)
}

/// What SQL calls a type.
pub(super) fn sql_name(oid: u32) -> Option<String> {
    let of = |oid| TYPES.iter().find(|t| t.oid == oid).map(|t| t.sql.to_string());
    of(oid).or_else(|| element_of(oid).and_then(of).map(|element| element + "[]"))
}

/// Bytes of a value; -1 where that differs.
pub(super) fn size(oid: u32) -> i16 {
    TYPES.iter().find(|t| t.oid == oid).map_or(-1, |t| t.size)
}

/// What a type is sent as: lists of what has an array as that, other nested ones as JSON.
pub(super) fn oid(kind: &DataType) -> u32 {
    match kind {
        DataType::Boolean => BOOL,
        DataType::Int8 | DataType::Int16 | DataType::UInt8 => INT2,
        DataType::Int32 | DataType::UInt16 => INT4,
        DataType::Int64 | DataType::UInt32 => INT8,
        DataType::UInt64
        | DataType::Decimal32(..)
        | DataType::Decimal64(..)
        | DataType::Decimal128(..)
        | DataType::Decimal256(..) => NUMERIC,
        DataType::Float16 | DataType::Float32 => FLOAT4,
        DataType::Float64 => FLOAT8,
        DataType::Null | DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => TEXT,
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => BYTEA,
        DataType::Date32 | DataType::Date64 => DATE,
        DataType::Time32(_) | DataType::Time64(_) => TIME,
        DataType::Timestamp(_, None) => TIMESTAMP,
        DataType::Timestamp(_, Some(_)) => TIMESTAMPTZ,
        DataType::Interval(_) | DataType::Duration(_) => INTERVAL,
        DataType::Dictionary(_, values) => oid(values),
        DataType::RunEndEncoded(_, values) => oid(values.data_type()),
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::FixedSizeList(item, _)
        | DataType::ListView(item)
        | DataType::LargeListView(item) => {
            let element = oid(item.data_type());
            // An array of arrays is one of equal lengths there, which lists need not be.
            match element_of(element).is_some() || element == JSON {
                true => JSON,
                false => array_of(element).unwrap_or(JSON),
            }
        }
        DataType::Struct(_) | DataType::Map(..) | DataType::Union(..) => JSON,
    }
}

/// The plain type of Arrow that values of a number are encoded from.
pub(super) fn plain(oid: u32) -> DataType {
    match oid {
        BOOL => DataType::Boolean,
        INT2 => DataType::Int16,
        INT4 => DataType::Int32,
        INT8 | OID => DataType::Int64,
        FLOAT4 => DataType::Float32,
        FLOAT8 => DataType::Float64,
        BYTEA => DataType::Binary,
        DATE => DataType::Date32,
        TIME => DataType::Time64(TimeUnit::Microsecond),
        TIMESTAMP => DataType::Timestamp(TimeUnit::Microsecond, None),
        TIMESTAMPTZ => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        INTERVAL => DataType::Interval(IntervalUnit::MonthDayNano),
        // Numbers of any size are written from their digits.
        _ => DataType::Utf8,
    }
}

/// The columns of rows, in these formats: none for text, one for all, or one for each.
pub(super) fn columns(schema: &SchemaRef, formats: &[i16]) -> Vec<Column> {
    let format = |at: usize| match formats {
        [] => 0,
        [one] => *one,
        each => each.get(at).copied().unwrap_or(0),
    };
    let column = |(at, field): (usize, &arrow::datatypes::FieldRef)| Column {
        name: field.name().clone(),
        oid: oid(field.data_type()),
        format: format(at),
    };
    schema.fields().iter().enumerate().map(column).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::datatypes::Field;
    use std::sync::Arc;

    #[test]
    fn types_have_numbers() {
        let list = |item: DataType| DataType::List(Arc::new(Field::new("item", item, true)));
        let dictionary = DataType::Dictionary(Box::new(DataType::UInt16), Box::new(DataType::Utf8));
        let vector = DataType::FixedSizeList(Arc::new(Field::new("item", DataType::Float32, true)), 384);
        for (kind, number) in [
            (dictionary.clone(), TEXT),
            (list(dictionary), 1009),
            (vector, 1021),
            (list(list(DataType::Int32)), JSON),
            (DataType::Struct(vec![Field::new("a", DataType::Int8, true)].into()), JSON),
            (DataType::UInt64, NUMERIC),
        ] {
            assert_eq!(oid(&kind), number, "{kind}");
        }
        assert_eq!((sql_name(1009).as_deref(), size(INT4)), (Some("text[]"), 4));
    }
}
