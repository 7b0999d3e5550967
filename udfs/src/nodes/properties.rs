//! What operators say of their rows.

use std::sync::Arc;

use datafusion::physical_expr::EquivalenceProperties;
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::{Partitioning, PlanProperties};

/// The properties of an operator that gives its rows as they come, and an end of them, in so many partitions of which
/// nothing else is known.
pub(crate) fn as_they_come(equivalences: EquivalenceProperties, partitions: usize) -> Arc<PlanProperties> {
    let partitions = Partitioning::UnknownPartitioning(partitions);
    Arc::new(PlanProperties::new(equivalences, partitions, EmissionType::Incremental, Boundedness::Bounded))
}
