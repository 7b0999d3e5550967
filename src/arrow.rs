//! Columns in forms that other programs read.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, DictionaryArray, Int32Array, RecordBatch, RecordBatchOptions, StringArray,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Fields, Int32Type, Schema, SchemaRef};
use arrow::error::ArrowError;
use serde_json::Value;

/// Metadata of a field that was coded by a dictionary, for whoever stores it again.
pub(crate) const CODED: &str = "populace:coded";

/// Dictionaries as plain text: other readers expect it, and the formats encode repeated values themselves.
pub(crate) fn plain_schema(schema: &Schema) -> SchemaRef {
    let plain = |f: &Arc<Field>| f.as_ref().clone().with_data_type(plain_type(f.data_type()));
    Arc::new(Schema::new(schema.fields().iter().map(plain).collect::<Vec<_>>()))
}

/// The same, with a mark on those that were coded.
pub(crate) fn marked_schema(schema: &Schema) -> SchemaRef {
    let plain = plain_schema(schema);
    let fields = plain.fields().iter().zip(schema.fields()).map(|(plain, coded)| {
        let mut metadata = plain.metadata().clone();
        if matches!(coded.data_type(), DataType::Dictionary(..)) {
            metadata.insert(CODED.into(), "dictionary".into());
        }
        plain.as_ref().clone().with_metadata(metadata)
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

fn plain_type(kind: &DataType) -> DataType {
    let plain = |f: &Arc<Field>| Arc::new(f.as_ref().clone().with_data_type(plain_type(f.data_type())));
    match kind {
        DataType::Dictionary(_, values) => plain_type(values),
        DataType::List(item) => DataType::List(plain(item)),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(plain).collect::<Fields>()),
        other => other.clone(),
    }
}

/// # Errors
/// If a column has no such form.
pub(crate) fn plain_batch(batch: &RecordBatch, plain: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    let columns = batch.columns().iter().zip(plain.fields()).map(|(c, f)| cast(c, f.data_type()));
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(plain.clone(), columns.collect::<Result<_, _>>()?, &options)
}

/// The same column, whose dictionary has each text once. Where batches were put together, their dictionaries stand one
/// behind the other, which pandas refuses to read.
#[must_use]
pub fn each_once(column: ArrayRef) -> ArrayRef {
    let Some(coded) = column.as_dictionary_opt::<Int32Type>() else { return column };
    let Some(values) = coded.values().as_string_opt::<i32>() else { return column };
    let (mut texts, mut places) = (vec![], HashMap::with_capacity(values.len()));
    let new: Vec<Option<i32>> = values
        .iter()
        .map(|value| {
            let text = value?;
            Some(*places.entry(text).or_insert_with(|| {
                texts.push(text);
                texts.len() as i32 - 1
            }))
        })
        .collect();
    if texts.len() == values.len() {
        return column;
    }
    let keys: Int32Array = coded.keys().unary_opt(|key| new.get(usize::try_from(key).ok()?).copied().flatten());
    match DictionaryArray::try_new(keys, Arc::new(StringArray::from(texts))) {
        Ok(coded) => Arc::new(coded),
        Err(_) => column,
    }
}

/// Makes `each_once` of the batches of a stream: a dictionary that many of them share is looked through once.
#[derive(Debug, Default)]
pub struct EachOnce {
    /// By column, the dictionary that was looked through last, and needed no change
    looked_through: Vec<Option<ArrayRef>>,
}

impl EachOnce {
    /// The column at a place of a batch.
    #[must_use]
    pub fn column(&mut self, at: usize, column: ArrayRef) -> ArrayRef {
        let Some(values) = column.as_dictionary_opt::<Int32Type>().map(|coded| coded.values().clone()) else {
            return column;
        };
        if self.looked_through.len() <= at {
            self.looked_through.resize(at + 1, None);
        }
        if self.looked_through[at].as_ref().is_some_and(|known| Arc::ptr_eq(known, &values)) {
            return column;
        }
        let once = each_once(column);
        if once.as_any_dictionary().values().len() == values.len() {
            self.looked_through[at] = Some(values);
        }
        once
    }
}

/// Lists and structures as texts of JSON, for formats that have no other way to hold them; other columns as they are.
///
/// # Errors
/// If JSON has no form for a value.
pub(crate) fn flat_batch(batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let schema = batch.schema();
    let columns = batch.columns().iter().zip(schema.fields()).map(|(column, field)| match column.data_type() {
        kind if kind.is_nested() && !matches!(kind, DataType::Dictionary(..)) => json_texts(field, column),
        _ => Ok(column.clone()),
    });
    let columns: Vec<ArrayRef> = columns.collect::<Result<_, _>>()?;
    let fields = schema.fields().iter().zip(&columns).map(|(f, c)| Field::new(f.name(), c.data_type().clone(), true));
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::new(Schema::new(fields.collect::<Vec<_>>())), columns, &options)
}

/// A column's values as texts of JSON.
///
/// # Errors
/// If JSON has no form for a value.
pub(crate) fn json_texts(field: &Field, column: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    // Texts alone, as most lists are, need no more than their quotes.
    if let Some(lists) = column.as_list_opt::<i32>()
        && lists.value_type() == DataType::Utf8
    {
        let texts = lists.iter().map(|list| {
            let items = list?;
            let items: Vec<Option<&str>> = items.as_string::<i32>().iter().collect();
            serde_json::to_string(&items).ok()
        });
        return Ok(Arc::new(texts.collect::<StringArray>()));
    }
    let name = "value";
    let schema = Schema::new(vec![field.clone().with_name(name)]);
    let mut writer = arrow::json::ArrayWriter::new(vec![]);
    writer.write(&RecordBatch::try_new(Arc::new(schema), vec![column.clone()])?)?;
    writer.finish()?;
    let rows: Vec<Value> =
        serde_json::from_slice(&writer.into_inner()).map_err(|e| ArrowError::JsonError(e.to_string()))?;
    let texts = (0..column.len()).map(|i| match rows.get(i).and_then(|row| row.get(name)) {
        Some(value) if column.is_valid(i) => Some(value.to_string()),
        _ => None,
    });
    Ok(Arc::new(texts.collect::<StringArray>()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Float32Array, ListArray};
    use arrow::datatypes::Float32Type;

    #[test]
    fn nested_values_become_json() {
        let numbers: ArrayRef = Arc::new(ListArray::from_iter_primitive::<Float32Type, _, _>([
            Some(vec![Some(0.5), None]),
            None,
            Some(vec![]),
        ]));
        let plain: ArrayRef = Arc::new(Float32Array::from(vec![1.0, 2.0, 3.0]));
        let batch = RecordBatch::try_from_iter_with_nullable([("v", numbers, true), ("x", plain, true)]).unwrap();
        let flat = flat_batch(&batch).unwrap();
        let texts: Vec<Option<&str>> = flat.column(0).as_string::<i32>().iter().collect();
        assert_eq!(texts, [Some("[0.5,null]"), None, Some("[]")]);
        assert_eq!(flat.column(1).data_type(), &DataType::Float32);
    }

    #[test]
    fn dictionaries_one_behind_the_other_become_one() {
        let keys = Int32Array::from(vec![Some(0), Some(3), None, Some(2), Some(4)]);
        let values = StringArray::from(vec![Some("VT"), Some("CA"), Some("VT"), Some("CA"), None]);
        let doubled: ArrayRef = Arc::new(DictionaryArray::try_new(keys, Arc::new(values)).unwrap());
        let mut stream = EachOnce::default();
        for _ in 0..2 {
            let once = stream.column(1, doubled.clone());
            let once = once.as_dictionary::<Int32Type>();
            let texts: Vec<Option<&str>> = once.values().as_string::<i32>().iter().collect();
            assert_eq!(texts, [Some("VT"), Some("CA")]);
            let rows: Vec<Option<&str>> = once.downcast_dict::<StringArray>().unwrap().into_iter().collect();
            assert_eq!(rows, [Some("VT"), Some("CA"), None, Some("VT"), None]);
        }
        let fine: ArrayRef = Arc::new(["VT", "CA"].into_iter().collect::<DictionaryArray<Int32Type>>());
        for _ in 0..2 {
            assert!(Arc::ptr_eq(&stream.column(1, fine.clone()), &fine));
        }
    }
}
