//! In what language the texts of rows are, as the rows say it.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int32Type};
use datafusion::common::Result;

use crate::host::facts::LANGUAGE;

/// The columns that say it, of which the first that has a value counts: the language itself, the pack that a person was
/// drawn from, the country that they live in.
pub const TELLING: [&str; 3] = [LANGUAGE, "pack", "country"];

/// The language of each of some rows, in BCP 47; `None` where nothing says it. `telling` are the names of the columns, some
/// of [`TELLING`] in their order, and `language` is that of a pack by its name, or of a country.
///
/// # Errors
/// If a column is no text.
pub fn languages_of(
    telling: &[String],
    columns: &[ArrayRef],
    rows: usize,
    language: impl Fn(&str) -> Option<String>,
) -> Result<Vec<Option<Arc<str>>>> {
    let mut told: Vec<Option<Arc<str>>> = vec![None; rows];
    for (name, column) in telling.iter().zip(columns) {
        if told.iter().all(Option::is_some) {
            break;
        }
        let coded = cast(column, &DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)))?;
        let coded = coded.as_dictionary::<Int32Type>();
        let values = coded.values().as_string::<i32>();
        let of_value = |value: &str| match name == LANGUAGE {
            true => Some(Arc::from(value)).filter(|_| !value.is_empty()),
            false => language(value.split('@').next().unwrap_or_default()).map(Arc::from),
        };
        // Of the values that rows have, each is asked about once.
        let mut known: Vec<Option<Option<Arc<str>>>> = vec![None; values.len()];
        for (row, told) in told.iter_mut().enumerate().filter(|(_, told)| told.is_none()) {
            if let Some(code) = coded.key(row).filter(|code| values.is_valid(*code)) {
                *told = known[code].get_or_insert_with(|| of_value(values.value(code))).clone();
            }
        }
    }
    Ok(told)
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::StringArray;

    #[test]
    fn each_row_says_its_own() {
        let columns: Vec<ArrayRef> = vec![
            Arc::new(StringArray::from(vec![Some("hi"), None, Some(""), None, None])),
            Arc::new(StringArray::from(vec![
                Some("india@1"),
                Some("brazil@2"),
                Some("usa@1"),
                Some("atlantis@1"),
                None,
            ])),
            Arc::new(StringArray::from(vec![None, None, None, Some("JPN"), None])),
        ];
        let language = |said: &str| match said {
            "brazil" => Some("pt".to_string()),
            "usa" => Some("en".into()),
            "JPN" => Some("ja".into()),
            _ => None,
        };
        let told = languages_of(&TELLING.map(String::from), &columns, 5, language).unwrap();
        let told: Vec<Option<&str>> = told.iter().map(Option::as_deref).collect();
        assert_eq!(told, [Some("hi"), Some("pt"), Some("en"), Some("ja"), None]);
    }
}
