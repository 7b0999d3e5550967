//! How varied a group of rows is, as aggregates.

pub(crate) mod distinct_ngrams;
pub(crate) mod self_similarity;
pub(crate) mod unit_vectors;
pub(crate) mod value_diversity;
pub(crate) mod vendi_score;

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray};
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::utils::SingleRowListArrayBuilder;
use datafusion::common::{Result, ScalarValue, not_impl_err};
use datafusion::logical_expr::AggregateUDF;
use datafusion::logical_expr::function::AccumulatorArgs;

use distinct_ngrams::DistinctNgrams;
use self_similarity::SelfSimilarity;
use value_diversity::{Measure, ValueDiversity};
use vendi_score::VendiScore;

/// All of them.
pub(crate) fn aggregates() -> Vec<AggregateUDF> {
    let of_values = [Measure::ShannonEntropy, Measure::GiniSimpson, Measure::Evenness];
    let of_values = of_values.map(|measure| AggregateUDF::from(ValueDiversity::new(measure)));
    let others = [DistinctNgrams::new().into(), SelfSimilarity::new().into(), AggregateUDF::from(VendiScore::new())];
    of_values.into_iter().chain(others).collect()
}

/// Refuses DISTINCT, which would have to be done by each of them.
pub(crate) fn no_distinct(args: &AccumulatorArgs) -> Result<()> {
    match args.is_distinct {
        true => not_impl_err!("{}: DISTINCT within it; select distinct rows in a subquery", args.name),
        false => Ok(()),
    }
}

/// A part of a state: a list of these.
pub(crate) fn list_field(name: &str, part: &str, item: DataType) -> FieldRef {
    Arc::new(Field::new_list(format!("{name}[{part}]"), Field::new_list_field(item, true), true))
}

/// A part of a state: a number of rows.
fn count_field(name: &str) -> FieldRef {
    Arc::new(Field::new(format!("{name}[count]"), DataType::UInt64, true))
}

pub(crate) fn list(items: ArrayRef) -> ScalarValue {
    SingleRowListArrayBuilder::new(items).build_list_scalar()
}

/// The lists of a part of several states.
pub(crate) fn lists(states: &ArrayRef) -> impl Iterator<Item = ArrayRef> {
    states.as_list::<i32>().iter().flatten()
}
