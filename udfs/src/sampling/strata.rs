//! Strata: the combinations of values that rows have in some columns.

use std::collections::HashMap;

use arrow::array::ArrayRef;
use arrow::compute::cast;
use arrow::datatypes::DataType;
use arrow::row::{RowConverter, SortField};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::common::Result;

use super::ranks::plain;

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
    fn without_columns_all_rows_are_one() {
        let mut strata = Strata::new([]).unwrap();
        assert_eq!(strata.numbers(&[], 3).unwrap(), [0, 0, 0]);
        assert_eq!(strata.labels().unwrap(), [""]);
    }
}
