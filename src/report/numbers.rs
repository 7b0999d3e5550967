//! Rows of a statement, and numbers as a page has them.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::{cast, concat_batches};
use arrow::datatypes::{DataType, Float64Type, SchemaRef};
use datafusion::common::{Result, exec_datafusion_err};
use futures::TryStreamExt;

use crate::engine::Engine;

/// All rows of a statement.
pub(super) struct Rows(RecordBatch);

impl Rows {
    pub async fn read(engine: &Engine, sql: &str) -> Result<Rows> {
        let rows = engine.query_one(sql).await?;
        let schema = rows.schema();
        let batches: Vec<RecordBatch> = rows.try_collect().await?;
        Ok(Rows(concat_batches(&schema, &batches)?))
    }

    pub fn schema(&self) -> SchemaRef {
        self.0.schema()
    }

    pub fn len(&self) -> usize {
        self.0.num_rows()
    }

    fn column(&self, name: &str, kind: &DataType) -> Result<arrow::array::ArrayRef> {
        let column = self.0.column_by_name(name).ok_or_else(|| exec_datafusion_err!("no column {name}"))?;
        Ok(cast(column, kind)?)
    }

    pub fn texts(&self, name: &str) -> Result<Vec<Option<String>>> {
        let column = self.column(name, &DataType::Utf8)?;
        Ok(column.as_string::<i32>().iter().map(|text| text.map(String::from)).collect())
    }

    pub fn numbers(&self, name: &str) -> Result<Vec<Option<f64>>> {
        let column = self.column(name, &DataType::Float64)?;
        let numbers = column.as_primitive::<Float64Type>();
        Ok((0..numbers.len()).map(|row| numbers.is_valid(row).then(|| numbers.value(row))).collect())
    }
}

/// A whole number, in groups of three digits.
pub(super) fn count(number: f64) -> String {
    let digits = format!("{:.0}", number.max(0.0));
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A share as a percentage.
pub(super) fn percent(share: f64) -> String {
    let percent = 100.0 * share;
    match percent.abs() {
        p if p < 0.1 => format!("{percent:.2} %"),
        _ => format!("{percent:.1} %"),
    }
}

/// The interval that Wilson's score leaves a share, at 95 % (E. B. Wilson, Journal of the American Statistical
/// Association 22, 1927).
pub(super) fn wilson(successes: f64, trials: f64) -> Option<(f64, f64)> {
    const Z: f64 = 1.959_964;
    if trials <= 0.0 {
        return None;
    }
    let (p, z2) = (successes / trials, Z * Z / trials);
    let half = Z * (p * (1.0 - p) / trials + z2 / (4.0 * trials)).sqrt();
    let scale = 1.0 + z2;
    Some((((p + z2 / 2.0 - half) / scale).max(0.0), ((p + z2 / 2.0 + half) / scale).min(1.0)))
}

/// A name as a heading: `career_goals` as `Career goals`.
pub(super) fn words(level: &str) -> String {
    let spaced = level.replace('_', " ");
    let mut letters = spaced.chars();
    match letters.next() {
        Some(first) => first.to_uppercase().chain(letters).collect(),
        None => spaced,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_as_a_page_has_them() {
        assert_eq!([0.0, 999.0, 1000.0, 266_978_268.4].map(count), ["0", "999", "1,000", "266,978,268"]);
        assert_eq!([0.0, 0.0004, 0.1234, 1.0].map(percent), ["0.00 %", "0.04 %", "12.3 %", "100.0 %"]);
        assert_eq!(["never_married", "", "é"].map(words), ["Never married", "", "É"]);
    }

    #[test]
    fn intervals_as_r_has_them() {
        // prop.test(8, 10, correct = FALSE)$conf.int
        let (low, high) = wilson(8.0, 10.0).unwrap();
        assert!((low - 0.490_162_5).abs() < 1e-6 && (high - 0.943_317_8).abs() < 1e-6, "{low} {high}");
        assert_eq!(wilson(0.0, 0.0), None);
        assert_eq!(wilson(0.0, 5.0).unwrap().0, 0.0);
    }
}
