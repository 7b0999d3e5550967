//! `vendi_score(vector)`: how many different vectors a group comes to.

use arrow::array::{ArrayRef, AsArray, Float64Array};
use arrow::datatypes::{DataType, FieldRef, Float64Type, UInt64Type};
use datafusion::common::{Result, ScalarValue, exec_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{Accumulator, AggregateUDFImpl, Documentation, Signature, Volatility};
use datafusion_macros::user_doc;
use nalgebra::DMatrix;
use std::sync::Arc;

use super::{count_field, list, list_field, lists, no_distinct, unit_vectors};

pub(crate) const NAME: &str = "vendi_score";

/// The numbers of the longest vectors whose products are summed up: half a gigabyte.
const LONGEST: usize = 8192;

/// Friedman and Dieng, "The Vendi score: a diversity evaluation metric for machine learning", TMLR 2023, of order 1 and
/// with the cosine for its kernel.
#[user_doc(
    doc_section(label = "Statistical Functions"),
    description = "How many vectors that have nothing in common a group is as diverse as (the Vendi score, with the cosine for its kernel): 1 where all point the same way, n where n are at right angles. The exponential of the entropy of the eigenvalues of their similarities. Vectors that are NULL or all zeros do not count; NULL for none.",
    syntax_example = "vendi_score(vector)",
    sql_example = "SELECT narrator, vendi_score(persona_embedding) FROM usa GROUP BY narrator",
    argument(name = "vector", description = "Vectors of one length: lists of numbers.")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct VendiScore {
    signature: Signature,
}

impl VendiScore {
    pub fn new() -> VendiScore {
        VendiScore { signature: Signature::any(1, Volatility::Immutable) }
    }
}

impl AggregateUDFImpl for VendiScore {
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
        let part = |part| list_field(args.name, part, DataType::Float64);
        Ok(vec![count_field(args.name), part("vectors"), part("products")])
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        no_distinct(&args)?;
        Ok(Box::new(Vectors::default()))
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.doc()
    }
}

/// Unit vectors of d numbers: as they are while there are fewer than d, so that small groups are small, and then as the
/// sum of their products with themselves. The matrices V Vᵀ and Vᵀ V have the same eigenvalues but for zeros, so that
/// the smaller one is enough.
#[derive(Debug, Default)]
struct Vectors {
    count: u64,
    dimension: Option<usize>,
    /// One after the other, those that are not in the sum
    vectors: Vec<f64>,
    /// d × d, its upper half; empty before there is one
    products: Vec<f64>,
}

impl Vectors {
    fn add(&mut self, units: &[f64]) {
        self.vectors.extend_from_slice(units);
        let dimension = self.dimension.unwrap_or(0);
        if self.vectors.len() >= dimension * dimension {
            self.sum_up();
        }
    }

    fn sum_up(&mut self) {
        let dimension = self.dimension.unwrap_or(0);
        self.products.resize(dimension * dimension, 0.0);
        for vector in self.vectors.chunks_exact(dimension.max(1)) {
            for (i, x) in vector.iter().enumerate() {
                let row = &mut self.products[i * dimension + i..(i + 1) * dimension];
                row.iter_mut().zip(&vector[i..]).for_each(|(product, y)| *product += x * y);
            }
        }
        self.vectors.clear();
    }

    fn score(&mut self) -> Option<f64> {
        let dimension = self.dimension.filter(|_| self.count > 0)?;
        let matrix = if self.products.is_empty() {
            let rows: Vec<&[f64]> = self.vectors.chunks_exact(dimension).collect();
            let cosine = |i: usize, j: usize| rows[i].iter().zip(rows[j]).map(|(x, y)| x * y).sum();
            DMatrix::from_fn(rows.len(), rows.len(), cosine)
        } else {
            self.sum_up();
            DMatrix::from_fn(dimension, dimension, |i, j| self.products[i.min(j) * dimension + i.max(j)])
        };
        let eigenvalues = (matrix / self.count as f64).symmetric_eigenvalues();
        // Rounding leaves some of the zeros below zero.
        let entropy: f64 = eigenvalues.iter().filter(|l| **l > 0.0).map(|l| -l * l.ln()).sum();
        Some(entropy.exp().clamp(1.0, self.count as f64))
    }
}

impl Accumulator for Vectors {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let (mut dimension, mut units) = (self.dimension, vec![]);
        let mut count = 0;
        unit_vectors::for_each(NAME, &values[0], &mut dimension, |unit| {
            units.extend_from_slice(unit);
            count += 1;
        })?;
        if dimension.is_some_and(|d| d > LONGEST) {
            return exec_err!("{NAME}: vectors of more than {LONGEST} numbers");
        }
        self.dimension = dimension;
        self.count += count;
        for unit in units.chunks_exact(dimension.unwrap_or(1).max(1)) {
            self.add(unit);
        }
        Ok(())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let counts = states[0].as_primitive::<UInt64Type>();
        for ((count, vectors), products) in counts.iter().flatten().zip(lists(&states[1])).zip(lists(&states[2])) {
            if count == 0 {
                continue;
            }
            let (vectors, products) = (vectors.as_primitive::<Float64Type>(), products.as_primitive::<Float64Type>());
            // Their products are of d × d numbers, or else all vectors are there.
            let dimension = match products.len() {
                0 => vectors.len() / count as usize,
                squared => squared.isqrt(),
            };
            let expected = *self.dimension.get_or_insert(dimension);
            if expected != dimension {
                return exec_err!("{NAME}: vectors of {expected} and {dimension} numbers");
            }
            self.count += count;
            if !products.is_empty() {
                self.products.resize(dimension * dimension, 0.0);
                self.products.iter_mut().zip(products.values()).for_each(|(sum, x)| *sum += x);
            }
            vectors.values().chunks_exact(dimension.max(1)).for_each(|unit| self.add(unit));
        }
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let part = |numbers: &mut Vec<f64>| list(Arc::new(Float64Array::from(std::mem::take(numbers))));
        let (vectors, products) = (part(&mut self.vectors), part(&mut self.products));
        Ok(vec![ScalarValue::UInt64(Some(self.count)), vectors, products])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(ScalarValue::Float64(self.score()))
    }

    fn size(&self) -> usize {
        size_of_val(self) + (self.vectors.capacity() + self.products.capacity()) * size_of::<f64>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn score(vectors: &[&[f64]]) -> f64 {
        let mut all = Vectors::default();
        for vector in vectors {
            let length = vector.iter().map(|x| x * x).sum::<f64>().sqrt();
            all.dimension = Some(vector.len());
            all.count += 1;
            all.add(&vector.iter().map(|x| x / length).collect::<Vec<_>>());
        }
        all.score().unwrap()
    }

    #[test]
    fn scores() {
        let near = |a: f64, b: f64| assert!((a - b).abs() < 1e-12, "{a} {b}");
        near(score(&[&[2.0, 0.0]]), 1.0);
        near(score(&[&[1.0, 0.0, 0.0], &[0.0, 1.0, 0.0]]), 2.0);
        // Eigenvalues 3/4 and 1/4: two vectors at 60 degrees, as they are and as a sum of products.
        let expected = (0.75 * (4.0f64 / 3.0).ln() + 0.25 * 4.0f64.ln()).exp();
        let (a, b) = ([1.0, 0.0], [0.5, 0.75f64.sqrt()]);
        near(score(&[&a, &b]), expected);
        near(score(&[&a, &b, &a, &b, &b, &a]), expected);
        near(score(&[&[1.0, 0.0, 0.0], &[0.5, 0.0, 0.75f64.sqrt()]]), expected);
        near(score(&[&[3.0], &[-1.0], &[2.0]]), 1.0);
    }
}
