//! Operators of physical plans.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::common::{Result, plan_err};
use datafusion::execution::TaskContext;
use datafusion::physical_expr::async_scalar_function::AsyncFuncExpr;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::async_func::AsyncFuncExec;

use super::{CallParts, DrawParts, inputs};
use crate::host::Populace;
use crate::narratives::generate_persona::NarrateExec;
use crate::narratives::narrate_calls::NarrateCalls;
use crate::nodes::relation_function::RelationFunctionExec;
use crate::people::sample_persona::SamplePersonaExec;
use crate::samples::numbered::NumberedRowsExec;

/// More partitions than any cluster has cores; a number beyond it is a slip.
const MOST_PARTITIONS: usize = 1 << 20;

/// An operator of a physical plan, without its inputs.
#[derive(Debug, Clone)]
pub enum OperatorParts {
    SamplePersona {
        draw: DrawParts,
        projection: Option<Vec<usize>>,
        partitions: usize,
    },
    RelationFunction {
        parts: CallParts,
        /// What comes out of it
        schema: SchemaRef,
    },
    /// Writes people up
    Narrate {
        narrator: String,
        kinds: Vec<String>,
        schema: SchemaRef,
    },
    /// Makes calls about rows, which are expressions over its input
    NarrateCalls {
        narrator: String,
        enough: Option<usize>,
        calls: Vec<Arc<AsyncFuncExpr>>,
    },
}

impl OperatorParts {
    /// `None` where it is none of the functions'.
    ///
    /// # Errors
    /// If it cannot be sent elsewhere, as what reads a host's own table.
    pub fn of(plan: &dyn ExecutionPlan) -> Result<Option<OperatorParts>> {
        if let Some(of) = plan.downcast_ref::<SamplePersonaExec>() {
            let (draw, projection) = (DrawParts::of(&of.draw), of.projection.clone());
            return Ok(Some(OperatorParts::SamplePersona { draw, projection, partitions: of.partitions() }));
        }
        if let Some(of) = plan.downcast_ref::<RelationFunctionExec>() {
            let parts = CallParts::of(of.function(), of.parts())?;
            return Ok(Some(OperatorParts::RelationFunction { parts, schema: plan.schema() }));
        }
        if let Some(of) = plan.downcast_ref::<NarrateExec>() {
            let (narrator, kinds) = (of.narrator().name().to_string(), of.kinds().to_vec());
            return Ok(Some(OperatorParts::Narrate { narrator, kinds, schema: plan.schema() }));
        }
        if let Some(of) = plan.downcast_ref::<NarrateCalls>() {
            let (narrator, calls) = (of.narrator().name().to_string(), of.calls().to_vec());
            return Ok(Some(OperatorParts::NarrateCalls { narrator, enough: of.enough, calls }));
        }
        match plan.is::<NumberedRowsExec>() {
            true => plan_err!("NumberedRowsExec reads a table of this host, and cannot be sent elsewhere"),
            false => Ok(None),
        }
    }

    /// The operator, over these inputs.
    ///
    /// # Errors
    /// If it is no operator, if the inputs are not those that it reads, or if the session has not what it needs: the same
    /// pack, and a narrator of the same name.
    pub fn planned(
        self,
        children: &[Arc<dyn ExecutionPlan>],
        populace: &Arc<Populace>,
        task: &TaskContext,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        match self {
            OperatorParts::SamplePersona { draw, projection, partitions } => {
                let [] = inputs("SamplePersonaExec", children)?;
                if !(1..=MOST_PARTITIONS).contains(&partitions) {
                    return plan_err!("SamplePersonaExec of {partitions} partitions");
                }
                Ok(Arc::new(SamplePersonaExec::new(draw.planned(populace)?, projection, partitions)?))
            }
            OperatorParts::RelationFunction { parts, schema } => {
                let node = parts.planned(populace, task)?;
                Ok(Arc::new(node.at_work(children, (parts.projection, parts.carried), schema)?))
            }
            OperatorParts::Narrate { narrator, kinds, schema } => {
                let [people] = inputs("NarrateExec", children)?;
                let narrator = populace.narrators.get(Some(&narrator))?;
                Ok(Arc::new(NarrateExec::new(people, (narrator, kinds), schema)))
            }
            OperatorParts::NarrateCalls { narrator, enough, calls } => {
                let [rows] = inputs("NarrateCalls", children)?;
                let narrator = populace.narrators.get(Some(&narrator))?;
                Ok(Arc::new(NarrateCalls::new(&AsyncFuncExec::try_new(calls, rows)?, &narrator).until(enough)))
            }
        }
    }
}
