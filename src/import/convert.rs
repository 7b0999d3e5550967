//! Values of files as the table has them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use datafusion::arrow::array::{Array, ArrayRef, AsArray, BooleanArray, ListBuilder, StringArray, StringBuilder};
use datafusion::arrow::compute::{CastOptions, can_cast_types, cast, cast_with_options, nullif};
use datafusion::arrow::datatypes::{DataType, Field, Float64Type};
use datafusion::arrow::util::display::array_value_to_string;
use datafusion::common::{DataFusionError, Result, exec_err};

use super::lists::parse_list;
use super::source::OnError;
use crate::arrow::json_texts;

/// Letters of a value that an error shows.
const SHOWN: usize = 60;

/// Where values come from, and what becomes of broken ones.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub file: String,
    pub on_error: OnError,
    /// Whether the table is new, so that its columns may have other types
    pub new: bool,
    /// Values that became NULL as they were broken
    pub nulled: Arc<AtomicU64>,
}

/// Whether values of a type may become values of another; each may still fail.
pub(super) fn can_convert(from: &DataType, to: &DataType) -> bool {
    match (from, plain(to)) {
        // A file that has nothing but NULL in a column says nothing of its type.
        (DataType::Null, _) => true,
        (from, to) if is_text(from) && is_list(to) => true,
        (DataType::FixedSizeBinary(_), DataType::Utf8) => true,
        (from, to) if is_list(from) != is_list(to) => matches!(to, DataType::Utf8),
        (from, to) if from.is_nested() && matches!(to, DataType::Utf8) => true,
        (DataType::Boolean, to) if to.is_numeric() => false,
        (from, DataType::Boolean) if from.is_numeric() => false,
        (from, to) => can_cast_types(from, to),
    }
}

fn plain(kind: &DataType) -> &DataType {
    if let DataType::Dictionary(_, values) = kind { values } else { kind }
}

fn is_list(kind: &DataType) -> bool {
    matches!(kind, DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(..))
}

pub(super) fn is_text(kind: &DataType) -> bool {
    matches!(plain(kind), DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}

impl Place {
    /// A column's values in another type. `first` rows came before them.
    ///
    /// # Errors
    /// If one has no such form; the message has the file, the column, the row and the value.
    pub fn convert(&self, column: &ArrayRef, name: &str, to: &DataType, first: u64) -> Result<ArrayRef> {
        let mut column = match column.data_type() {
            DataType::Dictionary(_, values) => cast(column, values)?,
            _ => column.clone(),
        };
        if column.data_type() == to {
            return Ok(column);
        }
        if column.logical_null_count() == column.len() {
            return Ok(datafusion::arrow::array::new_null_array(to, column.len()));
        }
        let kind = column.data_type().clone();
        match plain(to) {
            target if is_text(&kind) && is_list(target) => column = self.lists(&column, name, first)?,
            DataType::Utf8 if matches!(kind, DataType::FixedSizeBinary(_)) => column = hexadecimal(&column),
            DataType::Utf8 if kind.is_nested() => {
                column = json_texts(&Field::new(name, kind.clone(), true), &column)?;
            }
            target if is_text(&kind) && !is_text(target) => column = trimmed(&column, target.is_integer())?,
            target if target.is_integer() && kind.is_floating() => column = self.whole(&column, name, target, first)?,
            _ => {}
        }
        let strict = CastOptions { safe: false, ..Default::default() };
        let Err(error) = cast_with_options(&column, to, &strict).map(|done| column = done) else { return Ok(column) };
        let done = cast(&column, to)?;
        let broken = |i: &usize| column.is_valid(*i) && done.is_null(*i);
        match (0..column.len()).find(broken) {
            None => exec_err!("{}: column {name}: {error}", self.file),
            Some(row) if self.on_error == OnError::Stop => Err(self.broken(&column, name, plain(to), row, first, "")),
            Some(_) => {
                let count = (0..column.len()).filter(broken).count() as u64;
                self.nulled.fetch_add(count, Ordering::Relaxed);
                Ok(done)
            }
        }
    }

    /// Texts that are lists.
    fn lists(&self, column: &ArrayRef, name: &str, first: u64) -> Result<ArrayRef> {
        let texts = cast(column, &DataType::Utf8)?;
        let mut lists = ListBuilder::new(StringBuilder::new());
        for (row, text) in texts.as_string::<i32>().iter().enumerate() {
            match text.filter(|t| !t.trim().is_empty()).map(parse_list).transpose() {
                Ok(items) => lists.append_option(items),
                Err(_) if self.on_error == OnError::Null => {
                    self.nulled.fetch_add(1, Ordering::Relaxed);
                    lists.append_null();
                }
                Err(why) => {
                    let list = DataType::new_list(DataType::Utf8, true);
                    return Err(self.broken(&texts, name, &list, row, first, &format!(" ({why})")));
                }
            }
        }
        Ok(Arc::new(lists.finish()))
    }

    /// Whole numbers that are written as others are, as pandas does where some are missing.
    fn whole(&self, column: &ArrayRef, name: &str, to: &DataType, first: u64) -> Result<ArrayRef> {
        let numbers = cast(column, &DataType::Float64)?;
        let numbers = numbers.as_primitive::<Float64Type>();
        let missing: BooleanArray = numbers.iter().map(|x| Some(x.is_some_and(f64::is_nan))).collect();
        let broken: BooleanArray =
            numbers.iter().map(|x| Some(x.is_some_and(|x| !x.is_nan() && x.fract() != 0.0))).collect();
        let count = broken.true_count();
        if count > 0 && self.on_error == OnError::Stop {
            let row = broken.values().set_indices().next().unwrap_or_default();
            return Err(self.broken(column, name, to, row, first, ""));
        }
        self.nulled.fetch_add(count as u64, Ordering::Relaxed);
        Ok(nullif(&nullif(numbers, &missing)?, &broken)?)
    }

    fn broken(
        &self,
        column: &ArrayRef,
        name: &str,
        to: &DataType,
        row: usize,
        first: u64,
        why: &str,
    ) -> DataFusionError {
        let value = array_value_to_string(column, row).unwrap_or_default();
        let mut shown: String = value.chars().take(SHOWN).collect();
        if shown.len() < value.len() {
            shown.push('…');
        }
        let what = match to {
            kind if kind.is_integer() => "a whole number in range",
            kind if kind.is_numeric() => "a number",
            DataType::Boolean => "true or false",
            DataType::Utf8 => "text in UTF-8",
            kind if is_list(kind) => "a list",
            _ => "such a value",
        };
        let text = match self.new && is_text(column.data_type()) {
            true => format!("; --as-text {name} keeps the column as text"),
            false => String::new(),
        };
        DataFusionError::Execution(format!(
            "{}: column {name}, row {}: {shown:?} is not {what}{why}. Mend it, or have NULL in the place of what is broken \
             with --on-error null{text}",
            self.file,
            first + row as u64 + 1
        ))
    }
}

/// Without white space around; what is nothing else is NULL. Whole numbers may be written as others are: 34.0.
fn trimmed(column: &ArrayRef, whole: bool) -> Result<ArrayRef> {
    let texts = cast(column, &DataType::Utf8)?;
    let bare = |text: &str| match text.split_once('.') {
        Some((number, zeros)) if whole && !number.is_empty() && zeros.bytes().all(|b| b == b'0') => number.to_string(),
        _ => text.to_string(),
    };
    let trimmed = texts.as_string::<i32>().iter().map(|t| t.map(str::trim).filter(|t| !t.is_empty()).map(bare));
    Ok(Arc::new(trimmed.collect::<StringArray>()))
}

/// Bytes as their hexadecimal digits: so keys are written that are kept as 16 bytes.
fn hexadecimal(column: &ArrayRef) -> ArrayRef {
    let bytes = column.as_fixed_size_binary();
    let text = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
    Arc::new(bytes.iter().map(|b| b.map(text)).collect::<StringArray>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::arrow::array::{BinaryArray, FixedSizeBinaryArray, Float64Array, Int64Array};

    fn place(on_error: OnError) -> Place {
        Place { file: "people.csv".into(), on_error, new: true, nulled: Arc::default() }
    }

    fn texts(values: &[Option<&str>]) -> ArrayRef {
        Arc::new(values.iter().copied().collect::<StringArray>())
    }

    #[test]
    fn an_error_has_the_file_the_column_the_row_and_what_to_do() {
        let ages = texts(&[Some("34.0"), None, Some(" 35 "), Some("n/a")]);
        let error = place(OnError::Stop).convert(&ages, "age", &DataType::Int32, 100).unwrap_err().to_string();
        for says in
            ["people.csv: column age, row 104: \"n/a\" is not a whole number", "--on-error null", "--as-text age"]
        {
            assert!(error.contains(says), "{error}");
        }
        let place = place(OnError::Null);
        let ages = place.convert(&ages, "age", &DataType::Int32, 0).unwrap();
        assert_eq!((ages.null_count(), place.nulled.load(Ordering::Relaxed)), (2, 1));
    }

    #[test]
    fn numbers_keep_their_value_or_are_refused() {
        let floats: ArrayRef = Arc::new(Float64Array::from(vec![Some(34.0), Some(f64::NAN), None]));
        let ages = place(OnError::Stop).convert(&floats, "age", &DataType::Int64, 0).unwrap();
        assert_eq!(ages.as_ref(), &Int64Array::from(vec![Some(34), None, None]) as &dyn Array);
        let half: ArrayRef = Arc::new(Float64Array::from(vec![1.0, 34.5]));
        let error = place(OnError::Stop).convert(&half, "age", &DataType::Int64, 0).unwrap_err().to_string();
        assert!(error.contains("row 2: \"34.5\" is not a whole number"), "{error}");
        let large: ArrayRef = Arc::new(Int64Array::from(vec![1, 1 << 40]));
        assert!(place(OnError::Stop).convert(&large, "age", &DataType::Int32, 0).is_err());
        let negative: ArrayRef = Arc::new(Float64Array::from(vec![-1.0]));
        assert!(place(OnError::Stop).convert(&negative, "n", &DataType::UInt64, 0).is_err());
    }

    #[test]
    fn lists_texts_and_keys_change_form() {
        let list = DataType::new_list(DataType::Utf8, true);
        let hobbies = texts(&[Some("['a', 'b']"), Some("[]"), Some(""), None]);
        let lists = place(OnError::Stop).convert(&hobbies, "hobbies_list", &list, 0).unwrap();
        assert_eq!((lists.null_count(), lists.as_list::<i32>().value_length(0)), (2, 2));
        let back = place(OnError::Stop).convert(&lists, "hobbies", &DataType::Utf8, 0).unwrap();
        assert_eq!(back.as_string::<i32>().value(0), r#"["a","b"]"#);
        let broken = texts(&[Some("['a'"), Some("['b']")]);
        let error = place(OnError::Stop).convert(&broken, "l", &list, 0).unwrap_err().to_string();
        assert!(error.contains("row 1") && error.contains("expected ]"), "{error}");
        let key: ArrayRef = Arc::new(FixedSizeBinaryArray::try_from_iter([[0xabu8, 0x01]].into_iter()).unwrap());
        let key = place(OnError::Stop).convert(&key, "uuid", &DataType::Utf8, 0).unwrap();
        assert_eq!(key.as_string::<i32>().value(0), "ab01");
        let bytes: ArrayRef = Arc::new(BinaryArray::from(vec![b"caf\xc3\xa9".as_slice(), b"caf\xe9"]));
        let error = place(OnError::Stop).convert(&bytes, "persona", &DataType::Utf8, 0).unwrap_err().to_string();
        assert!(error.contains("row 2") && error.contains("UTF-8"), "{error}");
        let mended = place(OnError::Null).convert(&bytes, "persona", &DataType::Utf8, 0).unwrap();
        assert_eq!((mended.as_string::<i32>().value(0), mended.is_null(1)), ("café", true));
    }
}
