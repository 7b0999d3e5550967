//! `survey_mean(value, weight [, stratum, stratum_size])`: the mean of a table, as a sample of it tells it, with its
//! standard error and an interval of confidence.

pub(crate) mod estimate;

use std::sync::{Arc, LazyLock};

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int64Array, StringArray, StructArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef, Fields, Float64Type};
use datafusion::common::{Result, ScalarValue, exec_datafusion_err, exec_err, plan_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{Accumulator, AggregateUDFImpl, Documentation, Signature, TypeSignature, Volatility};
use datafusion_macros::user_doc;

use crate::aggregates::diversity::{list, list_field, lists, no_distinct};
use crate::types::plain;
use estimate::{Spread, Stratum};
use estimate::{Stratified, Weighted};

pub(crate) const NAME: &str = "survey_mean";

/// What it returns.
static FIELDS: LazyLock<Fields> = LazyLock::new(|| {
    let number = |name| Field::new(name, DataType::Float64, true);
    let count = |name| Field::new(name, DataType::Int64, true);
    let numbers = ["mean", "standard_error", "lower", "upper"].map(number);
    numbers.into_iter().chain(["degrees_of_freedom", "rows"].map(count)).chain([number("p_value")]).collect()
});

#[user_doc(
    doc_section(label = "Statistical Functions"),
    description = "The weighted mean of a sample, and how far it may be from that of the table: a structure of `mean`, `standard_error`, `lower` and `upper` (an interval of 95 %, by Student's t), `degrees_of_freedom`, `rows`, and the `p_value` of a mean of 0, as of differences. With `stratum` and `stratum_size`, as `stratified_sample` adds them, the standard error is that of a stratified sample without replacement, by Taylor linearisation with the finite population correction. The groups of a GROUP BY, of a FILTER or of a WHERE are domains: rows outside of them count as zeros, as stratum_size / weight rows were taken of each stratum (Särndal, Swensson and Wretman 1992, chapters 5 and 10; Lumley 2010); the degrees of freedom are these rows less the strata, of the strata that the group has rows in. With `value` and `weight` alone the rows are one stratum drawn with replacement: for weights of other kinds, such as those of `rake`, whose gain is not counted, or 1 / p of a TABLESAMPLE BERNOULLI. Rows whose value is NULL are outside of every group. `standard_error`, `lower` and `upper` are NULL where a stratum has one row in the sample and others in the table: take two at least, `min_per_stratum => 2`, or strata that are larger. An error where weights differ within a stratum, where stratum_size / weight is no whole number, and where a group has more rows of a stratum than were taken.",
    syntax_example = "survey_mean(value, weight [, stratum, stratum_size])",
    sql_example = "SELECT sex, survey_mean(age, sampling_weight, stratum, stratum_size)['standard_error'] FROM stratified_sample(usa, 1000, strata => state, min_per_stratum => 2) GROUP BY sex",
    argument(name = "value", description = "A number, or a condition, whose mean is a share."),
    argument(name = "weight", description = "How many rows of the table a row stands for."),
    argument(name = "stratum", description = "The stratum of a row."),
    argument(name = "stratum_size", description = "The rows of its stratum in the table.")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct SurveyMean {
    signature: Signature,
}

impl SurveyMean {
    pub fn new() -> SurveyMean {
        let forms = vec![TypeSignature::Any(2), TypeSignature::Any(4)];
        SurveyMean { signature: Signature::one_of(forms, Volatility::Immutable) }
    }
}

impl AggregateUDFImpl for SurveyMean {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, kinds: &[DataType]) -> Result<DataType> {
        for (at, kind) in kinds.iter().map(plain).enumerate() {
            let (name, fits) = match at {
                0 => ("value", kind.is_numeric() || kind == DataType::Boolean),
                1 => ("weight", kind.is_numeric()),
                2 => ("stratum", !kind.is_nested()),
                _ => ("stratum_size", kind.is_numeric()),
            };
            if !fits && !kind.is_null() {
                let wanted = if at == 2 { "one value" } else { "a number" };
                return plan_err!("{NAME}: `{name}` must be {wanted}, {kind} is not");
            }
        }
        Ok(DataType::Struct(FIELDS.clone()))
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let strata = list_field(args.name, "strata", DataType::Utf8);
        Ok(vec![strata, list_field(args.name, "numbers", DataType::Float64)])
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        no_distinct(&args)?;
        Ok(Box::new(match args.exprs.len() {
            2 => Sample::Weighted(Weighted::default()),
            _ => Sample::Stratified(Stratified::default()),
        }))
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.doc()
    }
}

/// The rows of a group.
#[derive(Debug)]
enum Sample {
    Weighted(Weighted),
    Stratified(Stratified),
}

fn fault(why: String) -> datafusion::common::DataFusionError {
    exec_datafusion_err!("{NAME}: {why}")
}

/// A number that is there.
fn number(column: &Float64Array, row: usize, name: &str, positive: bool) -> Result<f64> {
    let value = column.is_valid(row).then(|| column.value(row));
    match value {
        Some(value) if value.is_finite() && (!positive || value > 0.0) => Ok(value),
        other => {
            let (told, wanted) =
                (other.map_or("NULL".into(), |v| v.to_string()), if positive { "above 0" } else { "finite" });
            exec_err!(
                "{NAME}: a {name} is {told}, where a number {wanted} is wanted; leave such rows out with a FILTER"
            )
        }
    }
}

impl Accumulator for Sample {
    fn update_batch(&mut self, columns: &[ArrayRef]) -> Result<()> {
        let numbers = |at: usize| -> Result<Float64Array> {
            Ok(cast(&columns[at], &DataType::Float64)?.as_primitive::<Float64Type>().clone())
        };
        let (values, weights) = (numbers(0)?, numbers(1)?);
        let rows = || (0..values.len()).filter(|row| values.is_valid(*row));
        match self {
            Sample::Weighted(sample) => {
                for row in rows() {
                    sample.add(number(&values, row, "value", false)?, number(&weights, row, "weight", true)?);
                }
            }
            Sample::Stratified(sample) => {
                let (names, sizes) = (cast(&columns[2], &DataType::Utf8)?, numbers(3)?);
                let names: &StringArray = names.as_string();
                for row in rows() {
                    let value = number(&values, row, "value", false)?;
                    let weight = number(&weights, row, "weight", true)?;
                    let size = number(&sizes, row, "stratum_size", true)?;
                    let name = names.is_valid(row).then(|| names.value(row));
                    sample.add(name, weight, size, value).map_err(fault)?;
                }
            }
        }
        Ok(())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        for (names, numbers) in lists(&states[0]).zip(lists(&states[1])) {
            let (names, numbers) = (names.as_string::<i32>(), numbers.as_primitive::<Float64Type>());
            match self {
                Sample::Weighted(sample) => {
                    let spread = |n: &[f64]| Spread { weight: n[0], mean: n[1], squares: n[2] };
                    for n in numbers.values().as_chunks::<7>().0 {
                        let (values, squared) = (spread(&n[1..4]), spread(&n[4..7]));
                        sample.merge(&Weighted { rows: n[0] as u64, values, squared });
                    }
                }
                Sample::Stratified(sample) => {
                    for (name, n) in names.iter().zip(numbers.values().as_chunks::<5>().0) {
                        let [weight, size, count, mean, squares] = *n;
                        let values = Spread { weight: count, mean, squares };
                        sample.merge(name, &Stratum { weight, size, values }).map_err(fault)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let spread = |s: &Spread| [s.weight, s.mean, s.squares];
        let (names, numbers): (StringArray, Vec<f64>) = match self {
            Sample::Weighted(Weighted { rows, values, squared }) => {
                (StringArray::new_null(0), [&[*rows as f64], &spread(values)[..], &spread(squared)].concat())
            }
            Sample::Stratified(sample) => (
                sample.strata.iter().map(|(name, _)| name.as_deref()).collect(),
                sample
                    .strata
                    .iter()
                    .flat_map(|(_, s)| [&[s.weight, s.size], &spread(&s.values)[..]].concat())
                    .collect(),
            ),
        };
        Ok(vec![list(Arc::new(names)), list(Arc::new(Float64Array::from(numbers)))])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let found = match self {
            Sample::Weighted(sample) => sample.estimate(),
            Sample::Stratified(sample) => sample.estimate().map_err(fault)?,
        };
        let interval = found.and_then(|f| f.interval());
        let number = |n: Option<f64>| Arc::new(Float64Array::from(vec![n])) as ArrayRef;
        let count = |n: Option<i64>| Arc::new(Int64Array::from(vec![n])) as ArrayRef;
        let columns = vec![
            number(found.map(|f| f.mean)),
            number(found.and_then(|f| f.standard_error)),
            number(interval.map(|(lower, _)| lower)),
            number(interval.map(|(_, upper)| upper)),
            count(found.map(|f| f.degrees_of_freedom as i64)),
            count(Some(found.map_or(0, |f| f.rows as i64))),
            number(found.and_then(|f| f.p_value())),
        ];
        Ok(ScalarValue::Struct(Arc::new(StructArray::try_new(FIELDS.clone(), columns, None)?)))
    }

    fn size(&self) -> usize {
        let strata = match self {
            Sample::Weighted(_) => 0,
            // Each name stands in two places.
            Sample::Stratified(sample) => {
                let name = |(name, _): &(Option<Box<str>>, Stratum)| name.as_deref().map_or(0, |name| 2 * name.len());
                sample.strata.iter().map(name).sum::<usize>() + sample.strata.capacity() * 128
            }
        };
        size_of_val(self) + strata
    }
}
