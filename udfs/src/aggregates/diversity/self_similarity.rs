//! `self_similarity(vector)`: how alike the vectors of a group are on average.

use arrow::array::{Array, ArrayRef, AsArray, Float64Array};
use arrow::datatypes::{DataType, FieldRef, Float64Type, UInt64Type};
use datafusion::common::{Result, ScalarValue, exec_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{Accumulator, AggregateUDFImpl, Documentation, Signature, Volatility};
use datafusion_macros::user_doc;
use std::sync::Arc;

use super::{count_field, list, list_field, lists, no_distinct, unit_vectors};

pub(crate) const NAME: &str = "self_similarity";

#[user_doc(
    doc_section(label = "Statistical Functions"),
    description = "The mean cosine similarity of all pairs of vectors in a group: 1 where all point the same way, near 0 where they have little in common. Exact, in one pass. Vectors that are NULL or all zeros do not count; NULL for less than two.",
    syntax_example = "self_similarity(vector)",
    sql_example = "SELECT narrator, self_similarity(persona_embedding) FROM usa GROUP BY narrator",
    argument(name = "vector", description = "Vectors of one length: lists of numbers.")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct SelfSimilarity {
    signature: Signature,
}

impl SelfSimilarity {
    pub fn new() -> SelfSimilarity {
        SelfSimilarity { signature: Signature::any(1, Volatility::Immutable) }
    }
}

impl AggregateUDFImpl for SelfSimilarity {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, kinds: &[DataType]) -> Result<DataType> {
        unit_vectors::check(NAME, kinds)?;
        Ok(DataType::Float64)
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        Ok(vec![count_field(args.name), list_field(args.name, "sum", DataType::Float64)])
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        no_distinct(&args)?;
        Ok(Box::new(Sum::default()))
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.doc()
    }
}

/// The sum of n unit vectors. Its squared length is n and twice the sum of the cosines of all pairs.
#[derive(Debug, Default)]
struct Sum {
    count: u64,
    dimension: Option<usize>,
    sum: Vec<f64>,
}

fn add(sum: &mut Vec<f64>, vector: &[f64]) {
    sum.resize(vector.len(), 0.0);
    sum.iter_mut().zip(vector).for_each(|(s, x)| *s += x);
}

impl Accumulator for Sum {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let (sum, count) = (&mut self.sum, &mut self.count);
        unit_vectors::for_each(NAME, &values[0], &mut self.dimension, |unit| {
            add(sum, unit);
            *count += 1;
        })
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let counts = states[0].as_primitive::<UInt64Type>();
        for (count, sum) in counts.iter().flatten().zip(lists(&states[1])) {
            if count == 0 {
                continue;
            }
            let expected = *self.dimension.get_or_insert(sum.len());
            if expected != sum.len() {
                return exec_err!("{NAME}: vectors of {expected} and {} numbers", sum.len());
            }
            add(&mut self.sum, sum.as_primitive::<Float64Type>().values());
            self.count += count;
        }
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let sum = Float64Array::from(std::mem::take(&mut self.sum));
        Ok(vec![ScalarValue::UInt64(Some(self.count)), list(Arc::new(sum))])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let n = self.count as f64;
        let squared: f64 = self.sum.iter().map(|x| x * x).sum();
        let mean = (self.count > 1).then(|| ((squared - n) / (n * (n - 1.0))).clamp(-1.0, 1.0));
        Ok(ScalarValue::Float64(mean))
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.sum.capacity() * size_of::<f64>()
    }
}
