//! `age_band(age, 18, 30, 45, …)`: the band that a number falls in, as a text.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, DictionaryArray, Int32Array, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, FieldRef, Float64Type, Int32Type};
use datafusion::common::{Result, ScalarValue, exec_err, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};
use datafusion_macros::user_doc;

pub(crate) const NAME: &str = "age_band";

#[user_doc(
    doc_section(label = "Conditional Functions"),
    description = "The band that a number falls in: `under 18`, `18 to 29`, …, `75 and over`. NULL where the number is.",
    syntax_example = "age_band(age, cut [, …])",
    sql_example = "SELECT age_band(age, 18, 30, 45, 60, 75) AS band, count(*) FROM usa GROUP BY band",
    argument(name = "age", description = "A number."),
    argument(
        name = "cut",
        description = "Whole numbers, ascending: the lowest age of each band but the first, which is what is under them all."
    )
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct AgeBand {
    signature: Signature,
}

impl AgeBand {
    pub fn new() -> AgeBand {
        AgeBand { signature: Signature::variadic_any(Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for AgeBand {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, kinds: &[DataType]) -> Result<DataType> {
        match kinds.first() {
            Some(kind) if kind.is_numeric() || kind.is_null() => {}
            Some(kind) => return plan_err!("{NAME}: the age must be a number, {kind} is not"),
            None => return plan_err!("{NAME}: the age is missing, as in {NAME}(age, 18, 30, 45)"),
        }
        if kinds.len() < 2 {
            return plan_err!("{NAME}: the bands are missing, as in {NAME}(age, 18, 30, 45)");
        }
        Ok(DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)))
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        let kinds: Vec<DataType> = args.arg_fields.iter().map(|f| f.data_type().clone()).collect();
        let kind = self.return_type(&kinds)?;
        // What is no literal yet may be constant all the same, and is looked at when it is one.
        let cuts: Option<Vec<&ScalarValue>> = args.scalar_arguments.iter().skip(1).copied().collect();
        if let Some(cuts) = cuts {
            ascending(cuts.into_iter())?;
        }
        Ok(Arc::new(arrow::datatypes::Field::new(NAME, kind, true)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let Some((age, cuts)) = args.args.split_first() else { return exec_err!("{NAME}: the age is missing") };
        let constant = |cut: &ColumnarValue| match cut {
            ColumnarValue::Scalar(value) => Ok(value.clone()),
            ColumnarValue::Array(_) => exec_err!("{NAME}: a cut must be a constant, a column is not"),
        };
        let cuts = cuts.iter().map(constant).collect::<Result<Vec<_>>>()?;
        let bands = bands(&age.to_array(args.number_rows)?, &ascending(cuts.iter())?)?;
        match age {
            ColumnarValue::Scalar(_) => Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&bands, 0)?)),
            ColumnarValue::Array(_) => Ok(ColumnarValue::Array(bands)),
        }
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.doc()
    }
}

/// The cuts as numbers, each larger than the one before it.
fn ascending<'a>(cuts: impl Iterator<Item = &'a ScalarValue>) -> Result<Vec<i64>> {
    let mut numbers: Vec<i64> = vec![];
    for cut in cuts {
        let number = match cut.data_type().is_integer().then(|| cut.cast_to(&DataType::Int64)) {
            Some(Ok(ScalarValue::Int64(Some(number)))) => number,
            _ => return plan_err!("{NAME}: a cut must be a whole number, {cut} is not"),
        };
        if let Some(before) = numbers.last()
            && *before >= number
        {
            return plan_err!("{NAME}: the cuts must ascend, but {number} comes after {before}");
        }
        numbers.push(number);
    }
    Ok(numbers)
}

fn labels(cuts: &[i64]) -> StringArray {
    let first = cuts.first().map(|c| format!("under {c}"));
    let between = cuts.windows(2).map(|pair| match (pair[0], pair[1] - 1) {
        (low, high) if low == high => low.to_string(),
        (low, high) => format!("{low} to {high}"),
    });
    let last = cuts.last().map(|c| format!("{c} and over"));
    first.into_iter().chain(between).chain(last).map(Some).collect()
}

fn bands(ages: &ArrayRef, cuts: &[i64]) -> Result<ArrayRef> {
    let ages = cast(ages, &DataType::Float64)?;
    let band = |age: Option<f64>| {
        let age = age.filter(|a| !a.is_nan())?;
        Some(cuts.partition_point(|cut| *cut as f64 <= age) as i32)
    };
    let codes: Int32Array = ages.as_primitive::<Float64Type>().iter().map(band).collect();
    Ok(Arc::new(DictionaryArray::<Int32Type>::try_new(codes, Arc::new(labels(cuts)))?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::Float64Array;

    #[test]
    fn bands_are_closed_below() {
        let ages: ArrayRef = Arc::new(Float64Array::from(vec![
            Some(17.9),
            Some(18.0),
            Some(29.5),
            Some(30.0),
            Some(31.0),
            None,
            Some(f64::NAN),
        ]));
        let bands = cast(&bands(&ages, &[18, 30, 31]).unwrap(), &DataType::Utf8).unwrap();
        let bands: Vec<_> = bands.as_string::<i32>().iter().collect();
        let expected =
            [Some("under 18"), Some("18 to 29"), Some("18 to 29"), Some("30"), Some("31 and over"), None, None];
        assert_eq!(bands, expected);
    }
}
