//! Strata: the combinations of values that rows have in some columns.

use std::collections::HashMap;

use arrow::array::{Array, ArrayRef, AsArray, UInt32Array};
use arrow::compute::{cast, take};
use arrow::datatypes::DataType;
use arrow::row::{RowConverter, SortField};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::common::Result;

use crate::types::plain;

/// Strata, by number: in the order in which they were met, until they are sorted.
pub(crate) struct Strata {
    kinds: Vec<DataType>,
    converter: RowConverter,
    numbers: HashMap<Box<[u8]>, usize>,
}

impl Strata {
    /// Strata by columns of these types; by none, all rows are one stratum.
    pub fn new<'a>(kinds: impl IntoIterator<Item = &'a DataType>) -> Result<Strata> {
        let kinds: Vec<DataType> = kinds.into_iter().map(plain).collect();
        let converter = RowConverter::new(kinds.iter().map(|k| SortField::new(k.clone())).collect())?;
        Ok(Strata { kinds, converter, numbers: HashMap::new() })
    }

    /// The stratum of each row; NULL is a value like any other. Those not met before get the next number.
    pub fn numbers(&mut self, columns: &[ArrayRef], rows: usize) -> Result<Vec<usize>> {
        let found = self.find(columns, rows, |numbers, row| {
            let next = numbers.len();
            numbers.insert(row.into(), next);
            Some(next)
        })?;
        Ok(found.into_iter().flatten().collect())
    }

    /// The stratum of each row, if it was met before.
    pub fn known(&mut self, columns: &[ArrayRef], rows: usize) -> Result<Vec<Option<usize>>> {
        self.find(columns, rows, |_, _| None)
    }

    fn find(
        &mut self,
        columns: &[ArrayRef],
        rows: usize,
        otherwise: impl Fn(&mut HashMap<Box<[u8]>, usize>, &[u8]) -> Option<usize>,
    ) -> Result<Vec<Option<usize>>> {
        if let Some((first, of)) = combinations(columns) {
            let few = columns.iter().map(|c| take(c, &first, None)).collect::<Result<Vec<_>, _>>()?;
            let found = self.find(&few, first.len(), otherwise)?;
            return Ok(of.into_iter().map(|combination| found[combination]).collect());
        }
        let columns = columns.iter().zip(&self.kinds).map(|(column, kind)| cast(column, kind));
        let columns = columns.collect::<Result<Vec<_>, _>>()?;
        let encoded = self.converter.convert_columns(&columns)?;
        let numbers = &mut self.numbers;
        let mut number = |row: &[u8]| numbers.get(row).copied().or_else(|| otherwise(numbers, row));
        Ok(match columns.is_empty() {
            true => (0..rows).map(|_| number(&[])).collect(),
            false => encoded.iter().map(|row| number(row.as_ref())).collect(),
        })
    }

    /// Numbers the strata anew in the order of their values, NULL first. Gives the old number of each.
    pub fn sort(&mut self) -> Vec<usize> {
        let mut sorted: Vec<(Box<[u8]>, usize)> = self.numbers.drain().collect();
        sorted.sort();
        let before = sorted.iter().map(|(_, number)| *number).collect();
        self.numbers = sorted.into_iter().enumerate().map(|(number, (row, _))| (row, number)).collect();
        before
    }

    /// The values of the strata, in the order of their numbers: one column for each that they are told apart by.
    pub fn values(&self) -> Result<Vec<ArrayRef>> {
        let mut rows: Vec<(&[u8], usize)> = self.numbers.iter().map(|(row, number)| (row.as_ref(), *number)).collect();
        rows.sort_by_key(|(_, number)| *number);
        let parser = self.converter.parser();
        Ok(self.converter.convert_rows(rows.iter().map(|(row, _)| parser.parse(row)))?)
    }

    /// How many strata there are.
    pub fn len(&self) -> usize {
        self.numbers.len()
    }

    /// What the strata are called: their values with ` | ` between them.
    pub fn labels(&self) -> Result<Vec<String>> {
        let columns = self.values()?;
        let options = FormatOptions::default().with_null("NULL");
        let formats = columns.iter().map(|c| ArrayFormatter::try_new(c, &options)).collect::<Result<Vec<_>, _>>()?;
        let label = |row| formats.iter().map(|f| f.value(row).to_string()).collect::<Vec<_>>().join(" | ");
        Ok((0..self.len()).map(label).collect())
    }
}

/// Codes are compared rather than what they stand for, where there are at most so many combinations of them.
const MOST_COMBINATIONS: usize = 1 << 16;

/// For columns that are all coded: the first row of each combination of codes, and the combination of each row, in the
/// order of these. `None` where this would save nothing, as for few rows, or there are rows without a code.
fn combinations(columns: &[ArrayRef]) -> Option<(UInt32Array, Vec<usize>)> {
    let coded: Vec<_> = columns.iter().map(|c| c.as_any_dictionary_opt()).collect::<Option<_>>()?;
    let rows = columns.first()?.len();
    let mut count = 1usize;
    for column in &coded {
        count = count.saturating_mul(column.values().len());
    }
    if coded.iter().any(|c| c.keys().null_count() > 0) || count == 0 || count > MOST_COMBINATIONS || count * 2 > rows {
        return None;
    }
    let mut codes = vec![0; rows];
    for column in &coded {
        let width = column.values().len();
        codes.iter_mut().zip(column.normalized_keys()).for_each(|(code, key)| *code = *code * width + key);
    }
    let (mut numbers, mut first) = (vec![usize::MAX; count], vec![]);
    for (row, code) in codes.iter_mut().enumerate() {
        let number = &mut numbers[*code];
        if *number == usize::MAX {
            *number = first.len();
            first.push(row as u32);
        }
        *code = *number;
    }
    Some((first.into(), codes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{DictionaryArray, Int32Array, StringArray};
    use arrow::datatypes::Int32Type;
    use std::sync::Arc;

    #[test]
    fn strata_are_numbered_and_named() {
        let states: DictionaryArray<Int32Type> = vec![Some("VT"), Some("CA"), None, Some("VT")].into_iter().collect();
        let ages: ArrayRef = Arc::new(Int32Array::from(vec![Some(3), None, Some(3), Some(3)]));
        let states: ArrayRef = Arc::new(states);
        let mut strata = Strata::new([states.data_type(), ages.data_type()]).unwrap();
        assert_eq!(strata.numbers(&[states, ages.clone()], 4).unwrap(), [0, 1, 2, 0]);
        assert_eq!(strata.sort(), [2, 1, 0]);
        assert_eq!(strata.labels().unwrap(), ["NULL | 3", "CA | NULL", "VT | 3"]);
        let plain: ArrayRef = Arc::new(StringArray::from(vec![Some("VT"), Some("WY")]));
        assert_eq!(strata.known(&[plain, ages.slice(2, 2)], 2).unwrap(), [Some(2), None]);
    }

    #[test]
    fn codes_are_the_values_they_stand_for() {
        let coded =
            |rows: &[&str]| -> ArrayRef { Arc::new(rows.iter().copied().collect::<DictionaryArray<Int32Type>>()) };
        let states = ["VT", "CA", "CA", "VT", "VT", "CA", "VT", "CA", "VT", "VT"];
        let sexes = ["f", "m", "f", "m", "f", "m", "f", "m", "f", "m"];
        let numbers = |columns: [ArrayRef; 2]| {
            let mut strata = Strata::new(columns.iter().map(|c| c.data_type())).unwrap();
            let numbers = strata.numbers(&columns, 10).unwrap();
            (numbers, strata.sort(), strata.labels().unwrap())
        };
        assert!(combinations(&[coded(&states), coded(&sexes)]).is_some());
        let plain = |rows: &[&str]| -> ArrayRef { Arc::new(StringArray::from(rows.to_vec())) };
        assert_eq!(numbers([coded(&states), coded(&sexes)]), numbers([plain(&states), plain(&sexes)]));
        // Few rows of many codes, and rows without one, go another way to the same.
        assert!(combinations(&[coded(&states[..3]), coded(&sexes[..3])]).is_none());
        let missing: DictionaryArray<Int32Type> = [Some("VT"), None, Some("VT"), Some("VT")].into_iter().collect();
        assert!(combinations(&[Arc::new(missing)]).is_none());
    }

    #[test]
    fn without_columns_all_rows_are_one() {
        let mut strata = Strata::new([]).unwrap();
        assert_eq!(strata.numbers(&[], 3).unwrap(), [0, 0, 0]);
        assert_eq!(strata.labels().unwrap(), [""]);
    }
}
