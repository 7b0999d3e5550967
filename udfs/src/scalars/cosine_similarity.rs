//! `cosine_similarity(a, b)`: how near two vectors are, 1 for the same direction.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float32Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Float32Type};
use datafusion::common::{Result, exec_err, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};
use datafusion_macros::user_doc;

pub(crate) const NAME: &str = "cosine_similarity";

#[user_doc(
    doc_section(label = "Array Functions"),
    description = "The cosine of the angle between two vectors, as Float32: 1 for the same direction, 0 for a right angle. NULL where one of them is NULL or all zeros.",
    syntax_example = "cosine_similarity(a, b)",
    sql_example = "SELECT cosine_similarity(persona_embedding, embed('a retired beekeeper', 'query')) FROM usa",
    argument(name = "a", description = "A vector: a list of numbers."),
    argument(name = "b", description = "A vector of the same length.")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct CosineSimilarity {
    signature: Signature,
}

impl CosineSimilarity {
    pub fn new() -> CosineSimilarity {
        CosineSimilarity { signature: Signature::any(2, Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for CosineSimilarity {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, kinds: &[DataType]) -> Result<DataType> {
        let list = |k: &DataType| {
            matches!(k, DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(..) | DataType::Null)
        };
        match kinds.iter().find(|k| !list(k)) {
            Some(other) => plan_err!("{NAME}: a vector is a list of numbers, {other} is not"),
            None => Ok(DataType::Float32),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [a, b] = &args.args[..] else { return exec_err!("{NAME} takes two vectors") };
        let (a, b) = (vectors(a, args.number_rows)?, vectors(b, args.number_rows)?);
        let (a, b) = (a.as_list::<i32>(), b.as_list::<i32>());
        let mut similarities = Vec::with_capacity(args.number_rows);
        for row in 0..args.number_rows {
            if a.is_null(row) || b.is_null(row) {
                similarities.push(None);
                continue;
            }
            let (x, y) = (a.value(row), b.value(row));
            let (x, y) = (x.as_primitive::<Float32Type>().values(), y.as_primitive::<Float32Type>().values());
            if x.len() != y.len() {
                return exec_err!("{NAME}: vectors of {} and {} numbers", x.len(), y.len());
            }
            similarities.push(similarity(x, y));
        }
        Ok(ColumnarValue::Array(Arc::new(Float32Array::from(similarities))))
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.doc()
    }
}

fn vectors(value: &ColumnarValue, rows: usize) -> Result<ArrayRef> {
    let item = Field::new("item", DataType::Float32, true);
    Ok(cast(&value.to_array(rows)?, &DataType::List(Arc::new(item)))?)
}

pub(crate) fn similarity(x: &[f32], y: &[f32]) -> Option<f32> {
    let (mut dot, mut of_x, mut of_y) = (0.0f32, 0.0f32, 0.0f32);
    for (a, b) in x.iter().zip(y) {
        dot += a * b;
        of_x += a * a;
        of_y += b * b;
    }
    let length = (of_x * of_y).sqrt();
    (length > 0.0).then(|| dot / length)
}

#[cfg(test)]
mod tests {
    use super::similarity;

    #[test]
    fn angles() {
        assert_eq!(similarity(&[1.0, 0.0], &[2.0, 0.0]), Some(1.0));
        assert_eq!(similarity(&[1.0, 0.0], &[0.0, 3.0]), Some(0.0));
        assert_eq!(similarity(&[0.0, 0.0], &[0.0, 3.0]), None);
    }
}
