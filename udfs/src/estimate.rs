//! What the calls of a plan would come to, before it runs.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};
use futures::{StreamExt, TryStreamExt};

use crate::facts::facts_of;
use crate::generate_persona::NarrateExec;
use crate::narrate_calls::NarrateCalls;
use crate::{Estimate, NarrativeRequest, Narrator};

/// Estimates the calls to models that a plan would make; `None` if it makes none. What the calls are made from is
/// computed, nobody is asked. Calls made from what others return cannot be told beforehand, and are not counted.
///
/// # Errors
/// If what they are made from cannot be computed.
pub async fn estimate(plan: &Arc<dyn ExecutionPlan>, context: Arc<TaskContext>) -> Result<Option<Estimate>> {
    let mut paying: Vec<Arc<dyn ExecutionPlan>> = vec![];
    plan.apply(|node| {
        if asks(node) {
            paying.push(node.clone());
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    let (mut total, mut any) = (Estimate::default(), false);
    for node in paying {
        if let Some(calls) = node.downcast_ref::<NarrateCalls>() {
            let input = calls.input();
            if input.exists(|node| Ok(asks(node)))? {
                continue;
            }
            for partition in 0..input.output_partitioning().partition_count() {
                let mut rows = input.execute(partition, context.clone())?;
                while let Some(batch) = rows.try_next().await? {
                    for asked in calls.asked(&batch, context.session_config().options())? {
                        any |= calls.narrator().estimate(&asked, &mut total)?;
                    }
                }
            }
        } else if let Some(people) = node.downcast_ref::<NarrateExec>() {
            any |= of_people(people.narrator().as_ref(), people.kinds(), people.people(), &mut total).await?;
        }
    }
    Ok(any.then_some(total))
}

/// Adds what it would come to to write people up with texts of these kinds; false if the narrator asks nobody.
///
/// # Errors
/// If the people cannot be drawn.
pub async fn of_people(
    narrator: &dyn Narrator,
    kinds: &[String],
    mut people: SendableRecordBatchStream,
    estimate: &mut Estimate,
) -> Result<bool> {
    let mut any = false;
    while let Some(batch) = people.next().await.transpose()? {
        for facts in facts_of(&batch)? {
            any |= narrator.estimate(&NarrativeRequest::of_kinds(kinds, facts), estimate)?;
            if !any {
                return Ok(false);
            }
        }
    }
    Ok(any)
}

fn asks(node: &Arc<dyn ExecutionPlan>) -> bool {
    node.downcast_ref::<NarrateCalls>().is_some() || node.downcast_ref::<NarrateExec>().is_some()
}
