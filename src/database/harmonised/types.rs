//! One type for the columns of one name.

use std::sync::Arc;

use datafusion::arrow::compute::can_cast_types;
use datafusion::arrow::datatypes::{DataType, Field};

/// The type that holds the values of all these: their own where they agree, the wider of numbers, lists of what holds
/// their items, and text otherwise.
pub(super) fn common(kinds: &[&DataType]) -> DataType {
    let Some(first) = kinds.first() else { return DataType::Utf8 };
    if kinds.iter().all(|k| k == first) {
        return (*first).clone();
    }
    if kinds.iter().all(|k| k.is_integer()) {
        return DataType::Int64;
    }
    if kinds.iter().all(|k| k.is_numeric()) {
        return DataType::Float64;
    }
    let items: Option<Vec<&DataType>> = kinds.iter().map(|k| item(k)).collect();
    match items {
        Some(items) => DataType::List(Arc::new(Field::new("item", common(&items), true))),
        None => DataType::Utf8,
    }
}

fn item(kind: &DataType) -> Option<&DataType> {
    match kind {
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => Some(item.data_type()),
        _ => None,
    }
}

/// Whether values of one type have a form in another.
pub(super) fn converts(from: &DataType, to: &DataType) -> bool {
    let nested = matches!(from, DataType::Struct(_) | DataType::Map(..) | DataType::Union(..));
    from == to || (!nested && (item(from).is_none() || item(to).is_some()) && can_cast_types(from, to))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(kind: DataType) -> DataType {
        DataType::List(Arc::new(Field::new("item", kind, true)))
    }

    #[test]
    fn types_that_differ_meet() {
        use DataType::{Boolean, Float32, Float64, Int32, Int64, Utf8};
        let coded = DataType::Dictionary(Box::new(Int32), Box::new(Utf8));
        assert_eq!(common(&[&coded, &coded]), coded);
        assert_eq!(common(&[&coded, &Utf8]), Utf8);
        assert_eq!(common(&[&Int32, &Int64]), Int64);
        assert_eq!(common(&[&Int32, &Float32]), Float64);
        assert_eq!(common(&[&Int32, &Utf8]), Utf8);
        assert_eq!(common(&[&Int32, &Boolean]), Utf8);
        assert_eq!(common(&[&list(Utf8), &list(Int32)]), list(Utf8));
        assert_eq!(common(&[&list(Utf8), &Utf8]), Utf8);
        let vector = |n| DataType::FixedSizeList(Arc::new(Field::new("item", Float32, true)), n);
        assert_eq!(common(&[&vector(3), &vector(3)]), vector(3));
        assert_eq!(common(&[&vector(3), &vector(4)]), list(Float32));
        assert!(converts(&coded, &Utf8) && converts(&vector(3), &list(Float32)) && !converts(&list(Utf8), &Utf8));
    }
}
