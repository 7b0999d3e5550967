//! `persona_probability(country, given => …)`: the exact share of a population that satisfies a predicate.

use std::sync::Arc;

use arrow::array::{Float64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::{Result, plan_err};
use datafusion::datasource::MemTable;
use datafusion::logical_expr::LogicalPlan;
use datafusion::logical_expr::planner::RelationPlannerContext;

use crate::call::arguments::Arguments;
use crate::call::table_function::{Parameter, TableFunction};
use crate::host::packs::{Packs, population_error};
use crate::nodes::scan::scan;

pub(crate) const NAME: &str = "persona_probability";

/// One row: `probability`, `expected_people` (of the population the pack stands for), `population`. A predicate that
/// nobody satisfies has probability 0; it is no error here.
/// The function, as a session has it.
pub(crate) const FUNCTION: TableFunction = TableFunction {
    name: NAME,
    parameters: &[Parameter::required("country", ""), Parameter::required("given", "predicate")],
    positional: 2,
    description: "The exact share of a country's population that satisfies a predicate, and the number of people it comes to.",
    example: "SELECT * FROM persona_probability('usa', given => state = 'WY' AND age > 95)",
    plan: |arguments, populace, context| plan(arguments, &populace.packs, context),
};

fn plan(mut arguments: Arguments, packs: &Packs, context: &mut dyn RelationPlannerContext) -> Result<LogicalPlan> {
    let pack = packs.get(&arguments.required_text("country", context)?)?;
    let Some(given) = arguments.take("given") else {
        return plan_err!("{NAME}: the argument `given` is missing: given => age >= 65, say");
    };
    let given = crate::call::given::plan(NAME, given, &pack, context)?;
    let probability = pack.probability(&given).map_err(population_error)?;
    let names = ["probability", "expected_people", "population"];
    let schema = Arc::new(Schema::new(names.map(|n| Field::new(n, DataType::Float64, false)).to_vec()));
    let values = [probability, probability * pack.population(), pack.population()];
    let columns = values.map(|v| Arc::new(Float64Array::from(vec![v])) as _).to_vec();
    let batch = RecordBatch::try_new(schema.clone(), columns)?;
    let table = Arc::new(MemTable::try_new(schema, vec![vec![batch]])?);
    scan(NAME, table)
}
