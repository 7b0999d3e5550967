//! `shannon_entropy(x)`, `gini_simpson(x)`, `evenness(x)`: how evenly rows are spread over values.

use std::collections::HashMap;

use arrow::array::{Array, ArrayRef, AsArray, LargeBinaryArray, UInt64Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, FieldRef, UInt64Type};
use arrow::row::{RowConverter, SortField};
use datafusion::common::{Result, ScalarValue, exec_err, plan_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{Accumulator, AggregateUDFImpl, DocSection, Documentation, Signature, Volatility};
use std::sync::Arc;

use super::{list, list_field, lists, no_distinct};
use crate::types::plain;

/// What is computed of the shares pᵢ of k values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Measure {
    /// -Σ pᵢ ln pᵢ (Shannon, 1948), in nats
    ShannonEntropy,
    /// 1 - Σ pᵢ² (Simpson, Nature 163, 1949)
    GiniSimpson,
    /// The entropy over its maximum, ln k (Pielou, J. Theor. Biol. 13, 1966)
    Evenness,
}

impl Measure {
    fn name(self) -> &'static str {
        match self {
            Measure::ShannonEntropy => "shannon_entropy",
            Measure::GiniSimpson => "gini_simpson",
            Measure::Evenness => "evenness",
        }
    }

    fn description(self) -> &'static str {
        match self {
            Measure::ShannonEntropy => {
                "The entropy of the values of a group, -Σ p ln p, in nats: 0 where all are the same, ln k where k values are equally frequent. Divide by ln(2) for bits. NULLs do not count; NULL for a group without values."
            }
            Measure::GiniSimpson => {
                "The chance that two rows of a group, drawn one after the other and put back, differ in their value: 1 - Σ p². NULLs do not count; NULL for a group without values."
            }
            Measure::Evenness => {
                "How evenly the values of a group are spread, from 0 to 1: the entropy over its maximum for so many values (Pielou). NULLs do not count; NULL for a group with less than two values."
            }
        }
    }

    /// Of the rows that have each value.
    fn of(self, mut counts: Vec<u64>) -> Option<f64> {
        // In a fixed order, so that the sum has the same last bit each time.
        counts.sort_unstable();
        let total: u64 = counts.iter().sum();
        if total == 0 {
            return None;
        }
        let shares = || counts.iter().map(|c| *c as f64 / total as f64);
        let entropy = || 0.0 - shares().map(|p| p * p.ln()).sum::<f64>();
        match self {
            Measure::ShannonEntropy => Some(entropy()),
            Measure::GiniSimpson => Some(1.0 - shares().map(|p| p * p).sum::<f64>()),
            Measure::Evenness if counts.len() < 2 => None,
            Measure::Evenness => Some((entropy() / (counts.len() as f64).ln()).min(1.0)),
        }
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct ValueDiversity {
    measure: Measure,
    signature: Signature,
    documentation: Documentation,
}

impl ValueDiversity {
    pub fn new(measure: Measure) -> ValueDiversity {
        let section = DocSection { include: true, label: "Statistical Functions", description: None };
        let (name, example) =
            (measure.name(), format!("SELECT state, {}(occupation) FROM usa GROUP BY state", measure.name()));
        let documentation = Documentation::builder(section, measure.description(), format!("{name}(value)"))
            .with_sql_example(example)
            .with_argument("value", "A column or an expression.")
            .build();
        ValueDiversity { measure, signature: Signature::any(1, Volatility::Immutable), documentation }
    }
}

impl AggregateUDFImpl for ValueDiversity {
    fn name(&self) -> &str {
        self.measure.name()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, kinds: &[DataType]) -> Result<DataType> {
        match kinds.iter().find(|k| !RowConverter::supports_fields(&[SortField::new(plain(k))])) {
            Some(kind) => plan_err!("{}: values of {kind} cannot be compared", self.name()),
            None => Ok(DataType::Float64),
        }
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let part = |part, item| list_field(args.name, part, item);
        Ok(vec![part("values", DataType::LargeBinary), part("counts", DataType::UInt64)])
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        no_distinct(&args)?;
        let [field] = args.expr_fields else { return exec_err!("{} takes one value", self.name()) };
        let kind = plain(field.data_type());
        let converter = RowConverter::new(vec![SortField::new(kind.clone())])?;
        Ok(Box::new(Counts { measure: self.measure, kind, converter, counts: HashMap::new(), bytes: 0 }))
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&self.documentation)
    }
}

/// How many rows have each value.
#[derive(Debug)]
struct Counts {
    measure: Measure,
    kind: DataType,
    converter: RowConverter,
    counts: HashMap<Box<[u8]>, u64>,
    /// Of the values
    bytes: usize,
}

impl Counts {
    fn add(&mut self, value: &[u8], count: u64) {
        match self.counts.get_mut(value) {
            Some(before) => *before += count,
            None => {
                self.bytes += value.len();
                self.counts.insert(value.into(), count);
            }
        }
    }
}

impl Accumulator for Counts {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let values = cast(&values[0], &self.kind)?;
        let nulls = values.logical_nulls();
        let rows = self.converter.convert_columns(&[values])?;
        for (at, row) in rows.iter().enumerate() {
            if nulls.as_ref().is_none_or(|n| n.is_valid(at)) {
                self.add(row.as_ref(), 1);
            }
        }
        Ok(())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        for (values, counts) in lists(&states[0]).zip(lists(&states[1])) {
            let counts = counts.as_primitive::<UInt64Type>();
            for (value, count) in values.as_binary::<i64>().iter().zip(counts.values()) {
                self.add(value.unwrap_or_default(), *count);
            }
        }
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let values = LargeBinaryArray::from_iter_values(self.counts.keys());
        let counts = UInt64Array::from_iter_values(self.counts.values().copied());
        Ok(vec![list(Arc::new(values)), list(Arc::new(counts))])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(ScalarValue::Float64(self.measure.of(self.counts.values().copied().collect())))
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.converter.size() + self.bytes + self.counts.capacity() * 32
    }
}

#[cfg(test)]
mod tests {
    use super::Measure::*;

    #[test]
    fn measures() {
        let near = |a: Option<f64>, b: f64| assert!((a.unwrap() - b).abs() < 1e-12, "{a:?} {b}");
        near(ShannonEntropy.of(vec![3, 1]), 2.0 * 2f64.ln() - 0.75 * 3f64.ln());
        near(ShannonEntropy.of(vec![5]), 0.0);
        near(GiniSimpson.of(vec![3, 1]), 0.375);
        near(Evenness.of(vec![7; 11]), 1.0);
        assert_eq!(Evenness.of(vec![7]), None);
        assert_eq!(ShannonEntropy.of(vec![]), None);
    }
}
