//! `rebalance(table, country, strata => (…) [, size => n])`: which strata a table has too few of beside the country's
//! people, and how many are missing.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::{Result, exec_err, plan_err};
use datafusion::execution::TaskContext;
use datafusion::logical_expr::LogicalPlan;
use datafusion::logical_expr::planner::RelationPlannerContext;
use futures::TryStreamExt;
use futures::stream::BoxStream;
use populace_population::Pack;

use super::strata::CountryStrata;
use crate::call::arguments::Arguments;
use crate::call::arguments::MAX_COUNT;
use crate::call::arguments::elements;
use crate::call::table_function::{Parameter, TableFunction};
use crate::host::packs::Packs;
use crate::judgement::domain::Domain;
use crate::nodes::relation_function::{Input, RelationFunction, Wanted, columns, columns_of, in_thread, relation};

pub(crate) const NAME: &str = "rebalance";

/// What is said of each stratum, after its own columns.
const SAID: [(&str, DataType); 7] = [
    ("observed", DataType::Int64),
    ("observed_share", DataType::Float64),
    ("expected_share", DataType::Float64),
    ("residual", DataType::Float64),
    ("expected", DataType::Int64),
    ("missing", DataType::Int64),
    ("given", DataType::Utf8),
];

/// The function, as a session has it.
pub(crate) const FUNCTION: TableFunction = TableFunction {
    name: NAME,
    parameters: &[
        Parameter::required("table", "").relation(),
        Parameter::required("country", ""),
        Parameter::required("strata", "(expression [, …])"),
        Parameter::optional("given", "predicate"),
        Parameter::optional("size", "number"),
    ],
    positional: 2,
    description: "Which strata a table has too few rows of beside a country's people, most missing first: the rows `observed`, those `expected` in a table of `size` rows (as many as it has, unless told), how many are `missing`, and a predicate that holds of the stratum's people, for `given`. Strata are combinations of columns and of expressions over one variable each; their shares are told exactly by the country's network. With `given`, they are those of the people of whom it holds, and rows of which it does not are left out. `residual` is the difference of the shares in standard errors.",
    example: "SELECT sex, age_band, observed, expected, missing, given FROM rebalance(usa, 'usa', strata => (sex, age_band(age, 30, 60)))",
    plan: |arguments, populace, context| plan(arguments, &populace.packs, context),
};

fn plan(mut arguments: Arguments, packs: &Packs, context: &mut dyn RelationPlannerContext) -> Result<LogicalPlan> {
    let input = arguments.table("table", context)?;
    let pack = packs.get(&arguments.required_text("country", context)?)?;
    let (input, domain) = Domain::plan(NAME, &mut arguments, input, pack.clone(), context)?;
    let Some(sql) = arguments.take("strata") else {
        return plan_err!("{NAME}: the argument `strata` is missing, as in strata => (sex, age_band(age, 30, 60))");
    };
    let strata = CountryStrata::plan(NAME, "strata", elements(sql), &input, &pack, context)?;
    for (name, _) in strata.columns() {
        if SAID.iter().any(|(said, _)| *said == name) {
            return plan_err!("{NAME}: a stratum cannot be called `{name}`, which is a column of the result");
        }
    }
    let size = arguments.integer("size", 1..=MAX_COUNT, context)?.map(|size| size as u64);
    let mut fields: Vec<Field> = strata.columns().map(|(name, kind)| Field::new(name, kind.clone(), true)).collect();
    fields.extend(SAID.map(|(name, kind)| Field::new(name, kind, true)));
    let schema = Arc::new(Schema::new(fields));
    let rows = columns(&input, strata.on_table())?;
    relation(Rebalance { domain, strata, size, schema }, vec![rows], None)
}

/// One call.
#[derive(Debug)]
struct Rebalance {
    domain: Domain,
    strata: CountryStrata,
    size: Option<u64>,
    schema: SchemaRef,
}

impl RelationFunction for Rebalance {
    fn operator(&self) -> &'static str {
        "RebalanceExec"
    }

    fn name(&self) -> &'static str {
        NAME
    }

    fn pack(&self) -> Option<Arc<Pack>> {
        Some(self.domain.pack.clone())
    }

    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn details(&self) -> String {
        format!("country={}, strata=({})", self.domain.pack.name(), self.strata.text())
    }

    fn start(self: Arc<Self>, wanted: Wanted) -> BoxStream<'static, Result<RecordBatch>> {
        let Wanted { task, projection, inputs, .. } = wanted;
        columns_of(async move { self.batch(&inputs[0], &task).await }, projection)
    }
}

impl Rebalance {
    async fn batch(&self, table: &Input, task: &Arc<TaskContext>) -> Result<RecordBatch> {
        let (strata, domain) = (self.strata.clone(), self.domain.clone());
        let (mut strata, mut shares) = in_thread(move || strata.of_country(&domain)).await??;
        let mut rows = table.rows(task)?;
        let mut observed = vec![0u64; strata.len()];
        while let Some(batch) = rows.try_next().await? {
            let numbers = strata.numbers(batch.columns(), batch.num_rows())?;
            observed.resize(strata.len(), 0);
            numbers.into_iter().for_each(|number| observed[number] += 1);
        }
        let strangers: u64 = observed[shares.len()..].iter().sum();
        if 2 * strangers > observed.iter().sum() {
            let first = strata.labels()?.into_iter().nth(shares.len()).unwrap_or_default();
            return exec_err!(
                "{NAME}: {strangers} rows, most of the table, are of strata of {} in which {} has nobody, such as {first}: \
                 validate(table) names the values that are none of the country's; write its own in their place, in a \
                 subquery",
                self.strata.text(),
                self.domain.pack.name()
            );
        }
        // Strata that the country has nobody in come last.
        shares.resize(strata.len(), 0.0);
        let n: u64 = observed.iter().sum();
        let expected = apportion(self.size.unwrap_or(n), &shares);
        let missing: Vec<u64> = expected.iter().zip(&observed).map(|(e, o)| e.saturating_sub(*o)).collect();
        let mut order: Vec<usize> = (0..strata.len()).collect();
        order.sort_by_key(|at| std::cmp::Reverse(missing[*at]));
        let at = UInt32Array::from_iter_values(order.iter().map(|at| *at as u32));
        let values = strata.values()?;
        let mut columns = values.iter().map(|v| Ok(take(v, &at, None)?)).collect::<Result<Vec<ArrayRef>>>()?;
        let given = self.strata.predicates(&self.domain.pack, &columns)?;
        let within = |given: String| match self.domain.text() {
            Some(of) => format!("({of}) AND {given}"),
            None => given,
        };
        let count =
            |of: &[u64]| Arc::new(Int64Array::from_iter_values(order.iter().map(|at| of[*at] as i64))) as ArrayRef;
        let number = |of: &dyn Fn(usize) -> Option<f64>| {
            Arc::new(order.iter().map(|at| of(*at)).collect::<Float64Array>()) as ArrayRef
        };
        let share = |at: usize| (n > 0).then(|| observed[at] as f64 / n as f64);
        let residual = |at: usize| {
            let error = (shares[at] * (1.0 - shares[at]) / n as f64).sqrt();
            share(at).map(|share| if share == shares[at] { 0.0 } else { (share - shares[at]) / error })
        };
        columns.extend([
            count(&observed),
            number(&share),
            number(&|at| Some(shares[at])),
            number(&residual),
            count(&expected),
            count(&missing),
            Arc::new(
                given
                    .into_iter()
                    .zip(&order)
                    .map(|(g, at)| g.filter(|_| shares[*at] > 0.0).map(within))
                    .collect::<StringArray>(),
            ),
        ]);
        Ok(RecordBatch::try_new(self.schema.clone(), columns)?)
    }
}

/// Divides a number of people by shares: each gets the whole part of its due, and the largest remainders one more.
fn apportion(size: u64, shares: &[f64]) -> Vec<u64> {
    let total: f64 = shares.iter().sum();
    if total <= 0.0 {
        return vec![0; shares.len()];
    }
    let due: Vec<f64> = shares.iter().map(|share| share / total * size as f64).collect();
    let mut people: Vec<u64> = due.iter().map(|due| due.floor() as u64).collect();
    let left = size.saturating_sub(people.iter().sum()) as usize;
    let mut order: Vec<usize> = (0..shares.len()).collect();
    order.sort_by(|a, b| due[*b].fract().total_cmp(&due[*a].fract()).then(a.cmp(b)));
    order.into_iter().take(left).for_each(|at| people[at] += 1);
    people
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_is_apportioned() {
        assert_eq!(apportion(10, &[0.5, 0.26, 0.24]), [5, 3, 2]);
        assert_eq!(apportion(1, &[0.4, 0.4, 0.2]), [1, 0, 0]);
        assert_eq!(apportion(0, &[0.5, 0.5]), [0, 0]);
        assert_eq!(apportion(7, &[]), Vec::<u64>::new());
        assert_eq!(apportion(7, &[0.0, 0.3]), [0, 7]);
        let thirds = apportion(1_000_000_007, &[1.0 / 3.0; 3]);
        assert_eq!(thirds.iter().sum::<u64>(), 1_000_000_007);
    }
}
