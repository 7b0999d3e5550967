//! `permanent_random_number(uuid [, seed])`: the number that samples of a seed take or leave a person by.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, UInt64Type};
use datafusion::common::{Result, exec_err, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility, lit,
};
use datafusion_macros::user_doc;

use super::ranks::rank_of;
use crate::types::plain;

pub(crate) const NAME: &str = "permanent_random_number";

#[user_doc(
    doc_section(label = "Other Functions"),
    description = "A number from 0 to 1, evenly spread, that the key of a row and a seed decide on (Ohlsson 1995): the same for a person in whatever table, so that samples can be coordinated. `TABLESAMPLE BERNOULLI (5) REPEATABLE (7)` of people who are told apart by `uuid` takes those whose number is below 0.05 with seed 7, where no sample lies beneath it. NULL where the key is.",
    syntax_example = "permanent_random_number(uuid [, seed])",
    sql_example = "SELECT * FROM usa WHERE permanent_random_number(uuid, 7) BETWEEN 0.05 AND 0.1",
    argument(name = "uuid", description = "The key of a row, a text."),
    argument(name = "seed", description = "A whole number from 0; 0 where none is given.")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct PermanentRandomNumber {
    signature: Signature,
}

impl PermanentRandomNumber {
    pub fn new() -> PermanentRandomNumber {
        PermanentRandomNumber { signature: Signature::variadic_any(Volatility::Immutable) }
    }
}

/// Whether a row with this key may be among the lowest `share` of all with this seed. It says so of the ranks that are
/// nearest above the share too, as a number has 53 of a rank's 64 bits.
pub(crate) fn may_be_below(key: Expr, seed: u64, share: f64) -> Expr {
    ScalarUDF::from(PermanentRandomNumber::new()).call(vec![key, lit(seed)]).lt_eq(lit(share))
}

impl ScalarUDFImpl for PermanentRandomNumber {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, kinds: &[DataType]) -> Result<DataType> {
        match kinds {
            [key] | [key, _] if plain(key) != DataType::Utf8 && !key.is_null() => {
                plan_err!("{NAME}: the key of a row is a text, {key} is not")
            }
            [_, seed] if !seed.is_integer() && !seed.is_null() => {
                plan_err!("{NAME}: the seed must be a whole number, {seed} is not")
            }
            [_] | [_, _] => Ok(DataType::Float64),
            _ => plan_err!("{NAME} takes the key of a row and a seed, as in {NAME}(uuid, 7)"),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let Some((keys, seeds)) = args.args.split_first() else { return exec_err!("{NAME}: the key is missing") };
        let keys = cast(&keys.to_array(args.number_rows)?, &DataType::Utf8)?;
        let keys = keys.as_string::<i32>();
        let seeds = match seeds.first() {
            Some(seeds) => Some(whole(&seeds.to_array(args.number_rows)?)?),
            None => None,
        };
        let seed = |row: usize| match &seeds {
            Some(seeds) => seeds.is_valid(row).then(|| seeds.as_primitive::<UInt64Type>().value(row)),
            None => Some(0),
        };
        let number = |row: usize| {
            let rank = rank_of(keys.is_valid(row).then(|| keys.value(row))?, seed(row)?);
            // As many of its first bits as a number has.
            Some((rank >> 75) as f64 / 2f64.powi(53))
        };
        let numbers: Float64Array = (0..keys.len()).map(number).collect();
        Ok(ColumnarValue::Array(Arc::new(numbers)))
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.doc()
    }
}

fn whole(seeds: &ArrayRef) -> Result<ArrayRef> {
    let cast = cast(seeds, &DataType::UInt64)?;
    match cast.null_count() == seeds.logical_null_count() {
        true => Ok(cast),
        false => exec_err!("{NAME}: the seed must be a whole number from 0 to {}", u64::MAX),
    }
}
