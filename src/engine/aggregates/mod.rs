//! The rules by which aggregates over stored people use all cores, and group by codes.

mod codes;

use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::common::Result;
use datafusion::common::tree_node::Transformed;
use datafusion::logical_expr::LogicalPlan;
use datafusion::optimizer::optimizer::ApplyOrder;
use datafusion::optimizer::{OptimizerConfig, OptimizerRule};
use populace_udfs::scans_in_any_order;

use crate::database::Table;

pub(super) use codes::GroupByCodes;

/// Has stored rows read in partitions, side by side, where an aggregate comes to the same whatever their order.
#[derive(Debug)]
pub(super) struct ReadsInAnyOrder;

impl OptimizerRule for ReadsInAnyOrder {
    fn name(&self) -> &str {
        "reads_in_any_order"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::TopDown)
    }

    fn supports_rewrite(&self) -> bool {
        true
    }

    fn rewrite(&self, plan: LogicalPlan, _: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        scans_in_any_order(plan, |table| {
            let table = table.downcast_ref::<Table>()?.in_any_order()?;
            Some(Arc::new(table) as Arc<dyn TableProvider>)
        })
    }
}
