//! `assumed_independences(country)`: what the network of a country takes to be independent.

use std::sync::Arc;

use arrow::array::{RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::Result;
use datafusion::datasource::MemTable;
use datafusion::logical_expr::LogicalPlan;
use datafusion::logical_expr::planner::RelationPlannerContext;

use crate::arguments::Arguments;
use crate::packs::Packs;
use crate::scan::scan;

pub(crate) const NAME: &str = "assumed_independences";

/// One row an assumption: `variable` does not depend on `independent_of` once `given` is known.
pub(crate) fn plan(
    mut arguments: Arguments,
    packs: &Packs,
    context: &mut dyn RelationPlannerContext,
) -> Result<LogicalPlan> {
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
