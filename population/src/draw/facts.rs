//! Facts: what the columns of a batch say of people, as codes of levels, and the way back.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type, UInt64Type};
use arrow_array::{
    Array, ArrayRef, ArrowPrimitiveType, DictionaryArray, Int32Array, ListArray, RecordBatch, StringArray,
};
use arrow_buffer::{NullBuffer, OffsetBuffer};
use arrow_schema::{DataType, Field};

use crate::error::{Error, Result};
use crate::infer::predicate::{Comparison, Predicate, Value};
use crate::model::variable::{Levels, Variable};
use crate::pack::{Column, List, Pack};

/// The code of a fact that is not known.
pub(crate) const UNKNOWN: i32 = -1;

/// The codes of some people, one after another: one for each variable of the pack, hidden ones too.
#[derive(Debug, Clone)]
pub(crate) struct Facts {
    pub width: usize,
    pub codes: Vec<i32>,
}

impl Facts {
    /// What a batch says of the variables that people are shown with, whatever else it has. NULL is the level that is
    /// NULL, if the variable has one and `nulls_are_known`; else it says nothing.
    ///
    /// # Errors
    /// If a column is of a kind that its variable is not, or holds what is no level of it.
    pub fn read(pack: &Pack, people: &RecordBatch, nulls_are_known: bool) -> Result<Facts> {
        let width = pack.network.variables.len();
        let mut facts = Facts { width, codes: vec![UNKNOWN; width * people.num_rows()] };
        for column in &pack.columns {
            let Column::Variable(v) = column else { continue };
            let variable = &pack.network.variables[*v];
            let Some(array) = people.column_by_name(&variable.name) else { continue };
            let null = variable.null_level.filter(|_| nulls_are_known).map_or(UNKNOWN, i32::from);
            let codes = codes_of(variable, array, null)?;
            facts.codes.iter_mut().skip(*v).step_by(width.max(1)).zip(codes).for_each(|(to, from)| *to = from);
        }
        Ok(facts)
    }

    pub fn row(&self, row: usize) -> &[i32] {
        &self.codes[row * self.width..(row + 1) * self.width]
    }

    /// One variable, as a draw shows it; what is not known is NULL.
    pub fn column(&self, pack: &Pack, v: usize) -> Result<ArrayRef> {
        let variable = &pack.network.variables[v];
        let null = variable.null_level.map_or(UNKNOWN, i32::from);
        let codes = || self.codes.iter().skip(v).step_by(self.width.max(1)).copied();
        let known: Vec<bool> = codes().map(|c| c != UNKNOWN && c != null).collect();
        let nulls = known.contains(&false).then(|| NullBuffer::from(known));
        let base = match &variable.levels {
            Levels::Integer { min, .. } => *min,
            Levels::Text(_) => 0,
        };
        let values = Int32Array::new(codes().map(|c| c.max(0) + base).collect(), nulls);
        Ok(match &pack.dictionaries[v] {
            Some(texts) => Arc::new(DictionaryArray::try_new(values, texts.clone())?),
            None => Arc::new(values),
        })
    }
}

/// What a row says, as a predicate.
pub(crate) fn stated(pack: &Pack, codes: &[i32]) -> Predicate {
    let known = pack.network.variables.iter().zip(codes).filter(|(_, code)| **code != UNKNOWN);
    Predicate::And(known.map(|(variable, code)| is(variable, *code as usize)).collect())
}

/// `variable = level`, or IS NULL.
fn is(variable: &Variable, level: usize) -> Predicate {
    let name = variable.name.clone();
    if variable.null_level.map(usize::from) == Some(level) {
        return Predicate::IsNull { variable: name, negated: false };
    }
    let value = match &variable.levels {
        Levels::Text(_) => Value::Text(variable.label(level)),
        Levels::Integer { min, .. } => Value::Integer(i64::from(*min) + level as i64),
    };
    Predicate::Compare { variable: name, op: Comparison::Eq, value }
}

fn codes_of(variable: &Variable, array: &ArrayRef, null: i32) -> Result<Vec<i32>> {
    match variable.levels {
        Levels::Text(_) => {
            let texts = Texts::read(&variable.name, array)?;
            let level = |text: &Option<&str>| match text {
                None => Ok(null),
                Some(text) => variable.level(text).map(|l| l as i32).ok_or_else(|| variable.unknown_level(text)),
            };
            match &texts.keys {
                None => texts.values.iter().map(level).collect(),
                Some(keys) => {
                    // Only values that a row has need be levels.
                    let mut levels: Vec<Option<i32>> = vec![None; texts.values.len()];
                    let of = |key: &Option<usize>| {
                        let Some(key) = key else { return Ok(null) };
                        if let Some(known) = levels[*key] {
                            return Ok(known);
                        }
                        let code = level(&texts.values[*key])?;
                        levels[*key] = Some(code);
                        Ok(code)
                    };
                    keys.iter().map(of).collect()
                }
            }
        }
        Levels::Integer { min, max } => {
            let level = |value: Option<i64>| match value {
                None => Ok(null),
                Some(x) if (i64::from(min)..=i64::from(max)).contains(&x) => Ok((x - i64::from(min)) as i32),
                Some(x) => Err(variable.unknown_level(&x.to_string())),
            };
            integers(&variable.name, array)?.into_iter().map(level).collect()
        }
    }
}

/// A column of texts: the values, and for a dictionary which of them each row has.
pub(crate) struct Texts<'a> {
    values: Vec<Option<&'a str>>,
    keys: Option<Vec<Option<usize>>>,
}

impl<'a> Texts<'a> {
    pub fn read(column: &str, array: &'a dyn Array) -> Result<Texts<'a>> {
        let values = match array.data_type() {
            DataType::Utf8 => array.as_string::<i32>().iter().collect(),
            DataType::LargeUtf8 => array.as_string::<i64>().iter().collect(),
            DataType::Utf8View => array.as_string_view().iter().collect(),
            DataType::Null => vec![None; array.len()],
            DataType::Dictionary(_, _) => {
                let dictionary = array.as_any_dictionary();
                let values = Texts::read(column, dictionary.values().as_ref())?;
                if values.keys.is_some() || values.values.is_empty() {
                    // A dictionary without values has NULLs only.
                    return Ok(Texts { values: vec![None; array.len()], keys: None });
                }
                let keys = dictionary.normalized_keys().into_iter().enumerate();
                let known = keys.map(|(row, key)| (!dictionary.keys().is_null(row)).then_some(key)).collect();
                return Ok(Texts { values: values.values, keys: Some(known) });
            }
            other => {
                let message = format!("it holds {other}, and texts are wanted; cast it to VARCHAR");
                return Err(Error::People { column: column.into(), message });
            }
        };
        Ok(Texts { values, keys: None })
    }

    pub fn get(&self, row: usize) -> Option<&'a str> {
        match &self.keys {
            None => self.values[row],
            Some(keys) => keys[row].and_then(|k| self.values[k]),
        }
    }
}

/// A column of integers of any width.
pub(crate) fn integers(column: &str, array: &dyn Array) -> Result<Vec<Option<i64>>> {
    fn of<T: ArrowPrimitiveType>(array: &dyn Array) -> Vec<Option<i64>>
    where
        T::Native: TryInto<i64>,
    {
        // What is too large for 64 bits with a sign is no level of anything.
        array.as_primitive::<T>().iter().map(|x| x.map(|x| x.try_into().unwrap_or(i64::MAX))).collect()
    }
    Ok(match array.data_type() {
        DataType::Int8 => of::<Int8Type>(array),
        DataType::Int16 => of::<Int16Type>(array),
        DataType::Int32 => of::<Int32Type>(array),
        DataType::Int64 => of::<Int64Type>(array),
        DataType::UInt8 => of::<UInt8Type>(array),
        DataType::UInt16 => of::<UInt16Type>(array),
        DataType::UInt32 => of::<UInt32Type>(array),
        DataType::UInt64 => of::<UInt64Type>(array),
        DataType::Null => vec![None; array.len()],
        other => {
            let message = format!("it holds {other}, and integers are wanted; cast it to BIGINT");
            return Err(Error::People { column: column.into(), message });
        }
    })
}

/// Seeds and indices of rows; `None` for all where the column is not there or is of another kind.
pub(crate) fn unsigned(people: &RecordBatch, column: &str) -> Option<Vec<Option<u64>>> {
    let array = people.column_by_name(column)?;
    if *array.data_type() == DataType::UInt64 {
        return Some(array.as_primitive::<UInt64Type>().iter().collect());
    }
    let values = integers(column, array).ok()?;
    Some(values.into_iter().map(|x| x.and_then(|x| u64::try_from(x).ok())).collect())
}

/// The lists that a column states; `None` where it is NULL.
pub(crate) fn lists(spec: &List, array: &ArrayRef) -> Result<Vec<Option<Vec<i32>>>> {
    let spans: Vec<Option<(usize, usize)>>;
    let values = match array.data_type() {
        DataType::List(_) => {
            let lists = array.as_list::<i32>();
            let span = |row: usize| (lists.value_offsets()[row] as usize, lists.value_offsets()[row + 1] as usize);
            spans = (0..lists.len()).map(|row| (!lists.is_null(row)).then(|| span(row))).collect();
            lists.values()
        }
        DataType::LargeList(_) => {
            let lists = array.as_list::<i64>();
            let span = |row: usize| (lists.value_offsets()[row] as usize, lists.value_offsets()[row + 1] as usize);
            spans = (0..lists.len()).map(|row| (!lists.is_null(row)).then(|| span(row))).collect();
            lists.values()
        }
        DataType::Null => return Ok(vec![None; array.len()]),
        other => {
            let message = format!("it holds {other}, and lists of texts are wanted");
            return Err(Error::People { column: spec.name.clone(), message });
        }
    };
    let texts = Texts::read(&spec.name, values)?;
    let known: std::collections::HashMap<&str, i32> =
        spec.items.iter().enumerate().filter_map(|(at, item)| item.map(|i| (i, at as i32))).collect();
    let item = |at: usize| {
        let text = texts.get(at).unwrap_or_default();
        known.get(text).copied().ok_or_else(|| Error::UnknownLevel {
            variable: spec.name.clone(),
            name: text.to_string(),
            suggestion: crate::error::nearest(text, known.keys().copied()),
            available: vec![],
        })
    };
    spans.into_iter().map(|span| span.map(|(from, to)| (from..to).map(item).collect()).transpose()).collect()
}

/// A column that has the same text in every row.
pub(crate) fn constant(text: &str, rows: usize) -> Result<ArrayRef> {
    let values = Arc::new(StringArray::from(vec![text]));
    Ok(Arc::new(DictionaryArray::try_new(Int32Array::from(vec![0; rows]), values)?))
}

/// Lists of items as a draw shows them.
pub(crate) fn list_column(spec: &List, lists: &[Vec<i32>]) -> Result<ArrayRef> {
    let items: Int32Array = lists.iter().flatten().copied().collect::<Vec<i32>>().into();
    let values = DictionaryArray::try_new(items, spec.items.clone())?;
    let text = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    let field = Arc::new(Field::new("item", text, true));
    let offsets = OffsetBuffer::from_lengths(lists.iter().map(Vec::len));
    Ok(Arc::new(ListArray::try_new(field, offsets, Arc::new(values), None)?))
}
