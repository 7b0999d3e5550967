//! Rows as facts: the JSON objects that narrators take.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::{Field, Schema};
use datafusion::common::{Result, exec_datafusion_err};
use serde_json::{Map, Value};

/// The rows of a batch as facts.
///
/// # Errors
/// If a column is of a type that JSON has no form for.
pub fn facts_of(rows: &RecordBatch) -> Result<Vec<Map<String, Value>>> {
    let names: Vec<String> = rows.schema().fields().iter().map(|f| f.name().clone()).collect();
    facts(&names, rows.columns().to_vec(), rows.num_rows())
}

/// The name of the pack that a person was drawn from: `usa` of `usa@2024.1`.
pub fn pack_name(facts: &Map<String, Value>) -> Option<&str> {
    facts.get("pack")?.as_str()?.split('@').next()
}

/// The column that says in what language a row's texts are, where that is not its pack's own; BCP 47.
pub const LANGUAGE: &str = "narrative_language";

/// The language of a person's texts, where the row says it.
pub fn language_of(facts: &Map<String, Value>) -> Option<&str> {
    facts.get(LANGUAGE)?.as_str().filter(|language| !language.is_empty())
}

/// Whether two codes in BCP 47 are of one language in one script, whatever the region: `pt` and `pt-BR`, not `hi` and
/// `hi-Latn`.
pub fn same_language(one: &str, other: &str) -> bool {
    let told = |code: &str| {
        let code = code.to_lowercase().replace('_', "-");
        let mut parts = code.split('-').map(String::from);
        let first = parts.next().unwrap_or_default();
        let usual = match first.as_str() {
            "hi" => "deva",
            "ja" => "jpan",
            _ => "latn",
        };
        let region = |part: &String| part.len() == 2 || part.len() == 3 && part.bytes().all(|b| b.is_ascii_digit());
        let rest: Vec<String> = parts.filter(|part| !region(part) && part != usual).collect();
        (first, rest)
    };
    told(one) == told(other)
}

/// One object a row, by column name; what is NULL is absent.
///
/// # Errors
/// If a column is of a type that JSON has no form for.
pub fn facts(names: &[String], columns: Vec<ArrayRef>, rows: usize) -> Result<Vec<Map<String, Value>>> {
    if columns.is_empty() || rows == 0 {
        return Ok(vec![Map::new(); rows]);
    }
    let fields: Vec<Field> =
        names.iter().zip(&columns).map(|(n, c)| Field::new(n, c.data_type().clone(), true)).collect();
    let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?;
    let mut writer = arrow::json::ArrayWriter::new(vec![]);
    writer.write(&batch)?;
    writer.finish()?;
    serde_json::from_slice(&writer.into_inner()).map_err(|e| exec_datafusion_err!("facts as JSON: {e}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn languages_have_regions_and_scripts() {
        for (one, other) in [("pt", "pt-BR"), ("en_SG", "EN"), ("hi", "hi_Deva_IN"), ("hi-Latn", "hi_latn_IN")] {
            assert!(same_language(one, other), "{one}, {other}");
        }
        for (one, other) in [("hi", "hi-Latn"), ("pt", "es"), ("", "en"), ("zh-Hant", "zh-Hans")] {
            assert!(!same_language(one, other), "{one}, {other}");
        }
    }
}
