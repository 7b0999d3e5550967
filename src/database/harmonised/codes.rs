//! A country's levels as codes that are alike for all countries, as an expression.

use std::collections::{BTreeSet, HashMap};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, AsArray, DictionaryArray, Int32Array, StringArray, new_null_array};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Int32Type};
use datafusion::common::{Result, ScalarValue, exec_err};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};

/// Text that is coded by a dictionary.
pub(super) fn coded() -> DataType {
    DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))
}

/// How the levels of one column are coded for the rows of some countries.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Variant {
    /// What the column `country` says of these rows; all rows where it is not given
    pub countries: Option<BTreeSet<String>>,
    pub column: String,
    pub codes: HashMap<String, String>,
}

/// A code of a table's rows: that which the first variant for a row's country gives its level. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Recode {
    name: &'static str,
    variants: Arc<[Variant]>,
    /// All codes, in order
    values: Arc<[String]>,
    kind: DataType,
    signature: Signature,
}

/// The column that says which country a row is of.
pub(super) const COUNTRY: &str = "country";

impl Recode {
    /// `kind` is coded text, or Int32.
    pub fn new(name: &'static str, variants: Vec<Variant>, kind: DataType) -> Recode {
        let values: BTreeSet<String> = variants.iter().flat_map(|v| v.codes.values().cloned()).collect();
        let signature = Signature::variadic_any(Volatility::Immutable);
        Recode { name, variants: variants.into(), values: values.into_iter().collect(), kind, signature }
    }

    pub fn variants(&self) -> &[Variant] {
        &self.variants
    }

    pub fn values(&self) -> &[String] {
        &self.values
    }

    /// The columns that it takes, in this order.
    pub fn columns(&self) -> Vec<String> {
        let mut columns: Vec<String> = vec![];
        let guarded = self.variants.iter().any(|v| v.countries.is_some());
        let read = self.variants.iter().map(|v| v.column.clone());
        for column in guarded.then(|| COUNTRY.to_string()).into_iter().chain(read) {
            if !columns.contains(&column) {
                columns.push(column);
            }
        }
        columns
    }

    /// The codes of rows; `arrays` are those of [`columns`](Self::columns).
    fn recoded(&self, arrays: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
        let names = self.columns();
        let mut found: Vec<Option<i32>> = vec![None; rows];
        let mut read: HashMap<&str, DictionaryArray<Int32Type>> = HashMap::new();
        for (name, array) in names.iter().zip(arrays) {
            read.insert(name, cast(array, &coded())?.as_dictionary::<Int32Type>().clone());
        }
        for variant in self.variants.iter() {
            let Some(column) = read.get(variant.column.as_str()) else {
                return exec_err!("{}: no column {}", self.name, variant.column);
            };
            let place = |level: &str| {
                let code = variant.codes.get(level)?;
                self.values.binary_search(code).ok().map(|at| at as i32)
            };
            // Each level once, not each row.
            let codes = of_values(column, &place);
            let country = variant.countries.as_ref().and_then(|c| Some((c, read.get(COUNTRY)?)));
            match country {
                None => {
                    for (row, found) in found.iter_mut().enumerate() {
                        *found = found.or_else(|| codes[column.key(row)?]);
                    }
                }
                Some((countries, of)) => {
                    let ours = of_values(of, &|country| countries.contains(country).then_some(0));
                    for (row, found) in found.iter_mut().enumerate() {
                        let is_ours = || of.key(row).is_some_and(|key| ours[key].is_some());
                        *found = found.or_else(|| codes[column.key(row)?].filter(|_| is_ours()));
                    }
                }
            }
        }
        self.array(Int32Array::from(found))
    }

    /// Codes by their places among the values.
    fn array(&self, keys: Int32Array) -> Result<ArrayRef> {
        if self.kind == DataType::Int32 {
            let numbers: Vec<Option<i32>> = self.values.iter().map(|v| v.parse().ok()).collect();
            return Ok(Arc::new(keys.iter().map(|key| numbers.get(key? as usize).copied()?).collect::<Int32Array>()));
        }
        let values = StringArray::from_iter_values(self.values.iter());
        Ok(Arc::new(DictionaryArray::<Int32Type>::try_new(keys, Arc::new(values))?))
    }

    /// Every code, and at the end none.
    pub fn every_code(&self) -> Result<ArrayRef> {
        self.array((0..self.values.len() as i32).map(Some).chain([None]).collect())
    }
}

/// What each value of a dictionary comes to.
fn of_values(column: &DictionaryArray<Int32Type>, of: &dyn Fn(&str) -> Option<i32>) -> Vec<Option<i32>> {
    column.values().as_string::<i32>().iter().map(|value| of(value?)).collect()
}

impl PartialEq for Recode {
    fn eq(&self, other: &Recode) -> bool {
        (self.name, &self.variants, &self.kind) == (other.name, &other.variants, &other.kind)
    }
}

impl Eq for Recode {}

impl Hash for Recode {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
        self.variants.iter().for_each(|v| v.column.hash(state));
        self.values.hash(state);
    }
}

impl ScalarUDFImpl for Recode {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.kind.clone())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let constant = args.args.iter().all(|a| matches!(a, ColumnarValue::Scalar(_)));
        let rows = if constant { 1 } else { args.number_rows };
        let arrays = args.args.iter().map(|a| a.to_array(rows)).collect::<Result<Vec<_>>>()?;
        let found = match self.variants.is_empty() {
            true => new_null_array(&self.kind, rows),
            false => self.recoded(&arrays, rows)?,
        };
        match constant {
            true => Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&found, 0)?)),
            false => Ok(ColumnarValue::Array(found)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variant(countries: Option<&[&str]>, column: &str, codes: &[(&str, &str)]) -> Variant {
        Variant {
            countries: countries.map(|c| c.iter().map(|c| c.to_string()).collect()),
            column: column.into(),
            codes: codes.iter().map(|(level, code)| (level.to_string(), code.to_string())).collect(),
        }
    }

    fn texts(array: &ArrayRef) -> Vec<Option<String>> {
        let array = cast(array, &DataType::Utf8).unwrap();
        array.as_string::<i32>().iter().map(|t| t.map(String::from)).collect()
    }

    #[test]
    fn levels_become_codes() {
        let recode =
            Recode::new("region_code", vec![variant(None, "state", &[("PA", "US-PA"), ("AK", "US-AK")])], coded());
        assert_eq!(recode.columns(), ["state"]);
        let states: ArrayRef = Arc::new(StringArray::from(vec![Some("PA"), None, Some("??"), Some("AK")]));
        let codes = recode.recoded(&[states], 4).unwrap();
        assert_eq!(texts(&codes), [Some("US-PA".into()), None, None, Some("US-AK".into())]);
        assert_eq!(texts(&recode.every_code().unwrap()), [Some("US-AK".into()), Some("US-PA".into()), None]);
        assert_eq!(recode.recoded(&[new_null_array(&DataType::Utf8, 0)], 0).unwrap().len(), 0);
    }

    #[test]
    fn a_level_of_two_countries_has_the_code_of_the_rows_country() {
        let variants = vec![
            variant(Some(&["USA"]), "state", &[("PA", "US-PA")]),
            variant(Some(&["BRA"]), "state", &[("PA", "BR-PA")]),
        ];
        let recode = Recode::new("region_code", variants, coded());
        assert_eq!(recode.columns(), ["country", "state"]);
        let countries: ArrayRef = Arc::new(StringArray::from(vec![Some("BRA"), Some("USA"), Some("FRA"), None]));
        let states: ArrayRef = Arc::new(StringArray::from(vec!["PA"; 4]));
        let codes = recode.recoded(&[countries, states], 4).unwrap();
        assert_eq!(texts(&codes), [Some("BR-PA".into()), Some("US-PA".into()), None, None]);
    }

    #[test]
    fn levels_of_schooling_are_numbers() {
        let recode =
            Recode::new("education_isced", vec![variant(None, "school", &[("a", "3"), ("b", "0")])], DataType::Int32);
        let levels: ArrayRef = Arc::new(StringArray::from(vec!["a", "b", "c"]));
        let codes = recode.recoded(&[levels], 3).unwrap();
        assert_eq!(codes.as_primitive::<Int32Type>().iter().collect::<Vec<_>>(), [Some(3), Some(0), None]);
    }
}
