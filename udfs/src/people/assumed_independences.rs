//! `assumed_independences(country)`: what the network of a country takes to be independent.

use std::sync::Arc;

use arrow::array::{RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::Result;
use datafusion::datasource::MemTable;
use datafusion::logical_expr::LogicalPlan;
use datafusion::logical_expr::planner::RelationPlannerContext;

use crate::call::arguments::Arguments;
use crate::call::table_function::{Parameter, TableFunction};
use crate::host::packs::Packs;
use crate::nodes::scan::scan;

pub(crate) const NAME: &str = "assumed_independences";

/// One row an assumption: `variable` does not depend on `independent_of` once `given` is known.
/// The function, as a session has it.
pub(crate) const FUNCTION: TableFunction = TableFunction {
    name: NAME,
    parameters: &[Parameter::required("country", "")],
    positional: 1,
    description: "What the network of a country takes to be independent: one row for each variable and those it does not depend on once others are given.",
    example: "SELECT * FROM assumed_independences('usa')",
    plan: |arguments, populace, context| plan(arguments, &populace.packs, context),
};

fn plan(mut arguments: Arguments, packs: &Packs, context: &mut dyn RelationPlannerContext) -> Result<LogicalPlan> {
    let pack = packs.get(&arguments.required_text("country", context)?)?;
    let rows = populace_population::Analysis::of(&pack).independences();
    let text = |of: fn(&populace_population::Independence) -> String| {
        Arc::new(rows.iter().map(|r| Some(of(r))).collect::<StringArray>()) as _
    };
    let names = ["variable", "independent_of", "given"];
    let schema = Arc::new(Schema::new(names.map(|n| Field::new(n, DataType::Utf8, false)).to_vec()));
    let columns =
        vec![text(|r| r.variable.clone()), text(|r| r.independent_of.join(", ")), text(|r| r.given.join(", "))];
    let batch = RecordBatch::try_new(schema.clone(), columns)?;
    let table = Arc::new(MemTable::try_new(schema, vec![vec![batch]])?);
    scan(NAME, table)
}
