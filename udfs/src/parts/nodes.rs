//! Nodes of logical plans.

use std::sync::Arc;

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{Result, plan_err};
use datafusion::execution::TaskContext;
use datafusion::logical_expr::{Expr, Extension, LogicalPlan, UserDefinedLogicalNode};

use super::CallParts;
use crate::host::Populace;
use crate::nodes::call::Call;
use crate::nodes::relation_function::RelationFunctionNode;
use crate::nodes::unbound_draw::{DrawExpressions, UnboundDraw};
use crate::session::replay::replay;

/// A node of a logical plan, without its inputs.
#[derive(Debug, Clone, PartialEq)]
pub enum NodeParts {
    RelationFunction(CallParts),
    /// A draw that waits for parameters
    UnboundDraw(Box<UnboundDrawParts>),
}

/// A draw whose arguments are expressions with parameters.
#[derive(Debug, Clone, PartialEq)]
pub struct UnboundDrawParts {
    pub call: Call,
    pub count: Expr,
    pub seed: Option<Expr>,
    pub given: Option<Expr>,
}

impl NodeParts {
    /// `None` where it is none of the functions'.
    ///
    /// # Errors
    /// If it cannot be sent elsewhere.
    pub fn of(node: &dyn UserDefinedLogicalNode) -> Result<Option<NodeParts>> {
        let any = node.as_any();
        if let Some(node) = any.downcast_ref::<RelationFunctionNode>() {
            return Ok(Some(NodeParts::RelationFunction(CallParts::of(node.function(), node.parts())?)));
        }
        let Some(draw) = any.downcast_ref::<UnboundDraw>() else { return Ok(None) };
        let Some((call, DrawExpressions { count, seed, given })) = draw.parts() else {
            return plan_err!("nobody knows how a draw was written");
        };
        Ok(Some(NodeParts::UnboundDraw(Box::new(UnboundDrawParts {
            call: call.as_ref().clone(),
            count: count.clone(),
            seed: seed.clone(),
            given: given.clone(),
        }))))
    }

    /// The node, over these inputs.
    ///
    /// # Errors
    /// If it is no node, if the inputs are not those that it reads, or if the session has not what it needs: the same
    /// pack, above all.
    pub fn planned(
        self,
        inputs: &[LogicalPlan],
        populace: &Arc<Populace>,
        task: &TaskContext,
    ) -> Result<Arc<dyn UserDefinedLogicalNode>> {
        match self {
            NodeParts::RelationFunction(parts) => {
                let node = parts.planned(populace, task)?;
                Ok(Arc::new(node.over(inputs.to_vec(), parts.projection, parts.carried)?))
            }
            NodeParts::UnboundDraw(draw) => {
                let UnboundDrawParts { call, count, seed, given } = *draw;
                let [] = super::inputs("a draw", inputs)?;
                let call = Arc::new(call);
                match first::<UnboundDraw>(&replay(&call, populace, task)?)? {
                    Some(draw) => Ok(Arc::new(draw.written(call).of(DrawExpressions { count, seed, given }))),
                    None => plan_err!("`{}` is no draw with parameters", call.sql),
                }
            }
        }
    }
}

/// The topmost node of a kind.
pub(super) fn first<N: Clone + 'static>(plan: &LogicalPlan) -> Result<Option<N>> {
    let mut found = None;
    plan.apply(|plan| {
        if let LogicalPlan::Extension(Extension { node }) = plan {
            found = node.as_any().downcast_ref::<N>().cloned();
        }
        Ok(if found.is_some() { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    })?;
    Ok(found)
}
