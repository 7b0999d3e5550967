//! A session with the functions and its codecs: one side of two.
#![allow(dead_code, reason = "not every test has a use for each")]

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::collect;
use datafusion::prelude::SessionContext;
use datafusion_proto::bytes::{
    logical_plan_from_bytes_with_extension_codec, logical_plan_to_bytes_with_extension_codec,
    physical_plan_from_bytes_with_extension_codec, physical_plan_to_bytes_with_extension_codec,
};
use populace_codec::{PopulaceLogicalCodec, PopulacePhysicalCodec};
use populace_udfs::{Populace, register};

use crate::session::{Greeter, populace, shown};

/// A session with the functions, and its codecs.
pub struct Side {
    pub context: SessionContext,
    pub logical: PopulaceLogicalCodec,
    pub physical: PopulacePhysicalCodec,
}

impl Side {
    /// With the countries of the tests; the narrator has so many rows in work at once.
    pub fn new(window: usize) -> Side {
        Side::of(populace(Greeter { window, ..Greeter::default() }))
    }

    pub fn of(populace: Populace) -> Side {
        let populace = Arc::new(populace);
        let context = SessionContext::new();
        register(&context, populace.clone()).unwrap();
        let logical = PopulaceLogicalCodec::new(populace.clone());
        Side { context, logical, physical: PopulacePhysicalCodec::new(populace) }
    }

    /// A logical plan, as it arrives there.
    pub fn send(&self, plan: &LogicalPlan, to: &Side) -> Result<LogicalPlan> {
        let bytes = logical_plan_to_bytes_with_extension_codec(plan, &self.logical)?;
        logical_plan_from_bytes_with_extension_codec(&bytes, &to.context.task_ctx(), &to.logical)
    }

    /// The rows of a logical plan, in an order that is the same for the same rows.
    pub async fn rows(&self, plan: LogicalPlan) -> Result<Vec<Vec<String>>> {
        sorted(shown(&self.context.execute_logical_plan(plan).await?.collect().await?))
    }

    /// The same of its physical plan, run there.
    pub async fn rows_there(&self, plan: &LogicalPlan, to: &Side) -> Result<Vec<Vec<String>>> {
        let plan = self.context.state().create_physical_plan(plan).await?;
        let bytes = physical_plan_to_bytes_with_extension_codec(plan, &self.physical)?;
        let task = to.context.task_ctx();
        let plan = physical_plan_from_bytes_with_extension_codec(&bytes, &task, &to.physical)?;
        sorted(shown(&collect(plan, task).await?))
    }
}

fn sorted(rows: Result<Vec<Vec<String>>>) -> Result<Vec<Vec<String>>> {
    let mut rows = rows?;
    rows.sort();
    Ok(rows)
}
