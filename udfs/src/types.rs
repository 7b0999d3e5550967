//! Types of columns.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field};

/// The type of the same values without codes or views.
pub(crate) fn plain(kind: &DataType) -> DataType {
    match kind {
        DataType::Dictionary(_, values) => plain(values),
        DataType::Utf8View | DataType::LargeUtf8 => DataType::Utf8,
        DataType::BinaryView | DataType::LargeBinary => DataType::Binary,
        DataType::List(item) => DataType::List(plain_field(item)),
        DataType::LargeList(item) => DataType::LargeList(plain_field(item)),
        DataType::FixedSizeList(item, size) => DataType::FixedSizeList(plain_field(item), *size),
        other => other.clone(),
    }
}

fn plain_field(field: &Field) -> Arc<Field> {
    Arc::new(Field::new(field.name(), plain(field.data_type()), field.is_nullable()))
}
