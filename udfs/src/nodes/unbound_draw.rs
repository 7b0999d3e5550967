//! Draws with parameters, `sample_persona('usa', $1, given => age > $2)`: known when they are bound.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::datatypes::{DataType, Field};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, DFSchemaRef, Result, plan_err};
use datafusion::logical_expr::expr::Placeholder;
use datafusion::logical_expr::{Expr, Extension, LogicalPlan, LogicalPlanBuilder, UserDefinedLogicalNodeCore};
use datafusion::optimizer::AnalyzerRule;

use crate::nodes::call::Call;

/// The arguments of a draw that may have parameters in them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct DrawExpressions {
    pub count: Expr,
    pub seed: Option<Expr>,
    pub given: Option<Expr>,
}

impl DrawExpressions {
    fn all(&self) -> impl Iterator<Item = &Expr> {
        [&self.count].into_iter().chain(&self.seed).chain(&self.given)
    }

    pub fn have_parameters(&self) -> bool {
        !self.parameters().is_empty()
    }

    /// The parameters, each as often as it stands there.
    fn parameters(&self) -> Vec<Expr> {
        let mut found = vec![];
        for expr in self.all() {
            // The closure returns no error.
            let _ = expr.apply(|e| {
                if matches!(e, Expr::Placeholder(_)) {
                    found.push(e.clone());
                }
                Ok(TreeNodeRecursion::Continue)
            });
        }
        found
    }

    /// With other expressions in the place of the parameters, in their order.
    fn with(&self, exprs: Vec<Expr>) -> Result<DrawExpressions> {
        let mut exprs = exprs.into_iter();
        let mut put = |expr: Expr| -> Result<Expr> {
            let done = expr.transform_down(|e| match e {
                Expr::Placeholder(_) => match exprs.next() {
                    Some(expr) => Ok(Transformed::new(expr, true, TreeNodeRecursion::Jump)),
                    None => plan_err!("a draw has more parameters than values"),
                },
                e => Ok(Transformed::no(e)),
            });
            Ok(done?.data)
        };
        Ok(DrawExpressions {
            count: put(self.count.clone())?,
            seed: self.seed.clone().map(&mut put).transpose()?,
            given: self.given.clone().map(&mut put).transpose()?,
        })
    }
}

/// A parameter of a type, where it stands for a whole argument.
pub(crate) fn typed(expr: Expr, name: &str, kind: DataType) -> Expr {
    match expr {
        Expr::Placeholder(Placeholder { id, field: None }) => {
            let field = Arc::new(Field::new(name, kind, true));
            Expr::Placeholder(Placeholder { id, field: Some(field) })
        }
        other => other,
    }
}

/// Makes the relation of a draw whose parameters are bound.
type Bind = dyn Fn(&DrawExpressions) -> Result<LogicalPlan> + Send + Sync;

/// A draw, in a logical plan, whose parameters are not bound yet.
#[derive(Clone)]
pub(crate) struct UnboundDraw {
    function: &'static str,
    /// As it was written
    call: Option<Arc<Call>>,
    expressions: DrawExpressions,
    bind: Arc<Bind>,
    schema: DFSchemaRef,
}

impl UnboundDraw {
    /// The same, of which is known how it was written.
    pub fn written(self, call: Arc<Call>) -> UnboundDraw {
        UnboundDraw { call: Some(call), ..self }
    }

    /// As it was written, and its arguments, in which parameters may be bound by now; `None` where nobody knows how it
    /// was written.
    pub fn parts(&self) -> Option<(&Arc<Call>, &DrawExpressions)> {
        Some((self.call.as_ref()?, &self.expressions))
    }

    /// The same draw with other arguments.
    pub fn of(self, expressions: DrawExpressions) -> UnboundDraw {
        UnboundDraw { expressions, ..self }
    }

    /// The draw as a relation with columns of this schema.
    pub fn relation(
        function: &'static str,
        expressions: DrawExpressions,
        schema: DFSchema,
        bind: impl Fn(&DrawExpressions) -> Result<LogicalPlan> + Send + Sync + 'static,
    ) -> Result<LogicalPlan> {
        let node = UnboundDraw { function, call: None, expressions, bind: Arc::new(bind), schema: Arc::new(schema) };
        LogicalPlanBuilder::from(LogicalPlan::Extension(Extension { node: Arc::new(node) })).alias(function)?.build()
    }
}

impl fmt::Debug for UnboundDraw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {:?}", self.function, self.expressions)
    }
}

impl PartialEq for UnboundDraw {
    fn eq(&self, other: &UnboundDraw) -> bool {
        Arc::ptr_eq(&self.bind, &other.bind) && self.expressions == other.expressions
    }
}

impl Eq for UnboundDraw {}

impl Hash for UnboundDraw {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.bind).cast::<()>().hash(state);
        self.expressions.hash(state);
    }
}

impl PartialOrd for UnboundDraw {
    fn partial_cmp(&self, other: &UnboundDraw) -> Option<Ordering> {
        (self == other).then_some(Ordering::Equal)
    }
}

impl UserDefinedLogicalNodeCore for UnboundDraw {
    fn name(&self) -> &str {
        self.function
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![]
    }

    fn schema(&self) -> &DFSchemaRef {
        &self.schema
    }

    fn expressions(&self) -> Vec<Expr> {
        self.expressions.parameters()
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let DrawExpressions { count, seed, given } = &self.expressions;
        write!(f, "{}: count={count}", self.function)?;
        seed.as_ref().map_or(Ok(()), |seed| write!(f, ", seed={seed}"))?;
        given.as_ref().map_or(Ok(()), |given| write!(f, ", given={given}"))
    }

    fn with_exprs_and_inputs(&self, exprs: Vec<Expr>, _: Vec<LogicalPlan>) -> Result<UnboundDraw> {
        Ok(UnboundDraw { expressions: self.expressions.with(exprs)?, ..self.clone() })
    }
}

/// Draws whose parameters are bound take the place of those that waited for them.
#[derive(Debug)]
pub(crate) struct BindDraws;

impl AnalyzerRule for BindDraws {
    fn name(&self) -> &str {
        "bind_draws"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let bound = plan.transform_up_with_subqueries(|node| {
            let LogicalPlan::Extension(extension) = &node else { return Ok(Transformed::no(node)) };
            match extension.node.as_any().downcast_ref::<UnboundDraw>() {
                Some(draw) if !draw.expressions.have_parameters() => {
                    // Its columns have the names that they had in the node: without a table.
                    let plan = (draw.bind)(&draw.expressions)?;
                    let columns = plan.schema().columns().into_iter();
                    let columns = columns.map(|c| Expr::Column(c.clone()).alias(c.name)).collect::<Vec<_>>();
                    Ok(Transformed::yes(LogicalPlanBuilder::from(plan).project(columns)?.build()?))
                }
                _ => Ok(Transformed::no(node)),
            }
        });
        Ok(bound?.data)
    }
}
