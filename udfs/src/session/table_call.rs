//! Calls of table functions, for those who do not write SQL.

use std::sync::Arc;

use datafusion::common::{Result, internal_err};
use datafusion::dataframe::DataFrame;
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::logical_expr::planner::{PlannedRelation, RelationPlanner, RelationPlannerContext, RelationPlanning};
use datafusion::logical_expr::{Expr, Literal, LogicalPlan};
use datafusion::prelude::SessionContext;
use datafusion::sql::parser::Statement as SqlStatement;
use datafusion::sql::sqlparser::ast::{
    Expr as SqlExpr, FunctionArg, FunctionArgExpr, FunctionArgOperator, Ident, ObjectName, Statement, TableFactor,
};
use datafusion::sql::unparser::Unparser;

use crate::session::rewrite::{rewrite, subquery};

/// A call of a table function, with its arguments by name. It is planned as one in SQL is.
///
/// ```
/// # #[tokio::main]
/// # async fn main() -> datafusion::common::Result<()> {
/// # let pack = populace_population::compile(std::path::Path::new("tests/packs/tiny")).unwrap().pack;
/// # let context = datafusion::prelude::SessionContext::new();
/// # populace_udfs::register(&context, populace_udfs::Populace::new().with_pack(pack))?;
/// use datafusion::prelude::{col, lit};
/// use populace_udfs::TableCall;
///
/// let people = TableCall::new("sample_persona")
///     .with("country", "tinyland")
///     .with("count", 400)
///     .with("seed", 42)
///     .with("given", col("age").gt(lit(20)));
/// let people = people.call(&context).await?;
/// let sample = TableCall::new("stratified_sample")
///     .with("table", people)
///     .with("n", 20)
///     .with("strata", vec![col("sex"), col("state")]);
/// assert_eq!(sample.call(&context).await?.count().await?, 20);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct TableCall {
    function: String,
    arguments: Vec<(String, Argument)>,
}

/// What an argument of a table function is.
#[derive(Debug, Clone)]
pub enum Argument {
    /// A constant, a condition, a column, or an expression over columns
    Expr(Expr),
    /// Several, as in parentheses
    List(Vec<Argument>),
    /// The rows of a relation
    Relation(Box<LogicalPlan>),
}

impl From<Expr> for Argument {
    fn from(expr: Expr) -> Argument {
        Argument::Expr(expr)
    }
}

impl From<LogicalPlan> for Argument {
    fn from(plan: LogicalPlan) -> Argument {
        Argument::Relation(Box::new(plan))
    }
}

impl From<DataFrame> for Argument {
    fn from(rows: DataFrame) -> Argument {
        rows.into_unoptimized_plan().into()
    }
}

impl<T: Into<Argument>> From<Vec<T>> for Argument {
    fn from(all: Vec<T>) -> Argument {
        Argument::List(all.into_iter().map(Into::into).collect())
    }
}

macro_rules! constants {
    ($($kind:ty),*) => {
        $(impl From<$kind> for Argument {
            fn from(value: $kind) -> Argument {
                Argument::Expr(value.lit())
            }
        })*
    };
}

constants!(&str, String, bool, i32, i64, u32, u64, f64);

impl Argument {
    /// As SQL has it; relations are known by their place among all of them.
    fn sql(self, relations: &mut Vec<LogicalPlan>) -> Result<SqlExpr> {
        match self {
            Argument::Expr(expr) => Unparser::default().with_pretty(true).expr_to_sql(&expr),
            Argument::List(all) => {
                Ok(SqlExpr::Tuple(all.into_iter().map(|one| one.sql(relations)).collect::<Result<_>>()?))
            }
            Argument::Relation(plan) => {
                let name = ObjectName::from(vec![Ident::new(relation_name(relations.len()))]);
                relations.push(*plan);
                match subquery("(SELECT * FROM t)", &name, None) {
                    Some(query) => Ok(query),
                    None => internal_err!("a query over a relation"),
                }
            }
        }
    }
}

fn relation_name(at: usize) -> String {
    format!("__argument_{at}")
}

impl TableCall {
    /// A call of a function, by its name in small letters.
    pub fn new(function: impl Into<String>) -> TableCall {
        TableCall { function: function.into(), arguments: vec![] }
    }

    /// Gives it an argument.
    pub fn with(mut self, name: impl Into<String>, value: impl Into<Argument>) -> TableCall {
        self.arguments.push((name.into(), value.into()));
        self
    }

    /// Its rows, in a session that the functions are registered with; relations among its arguments are of that session
    /// too.
    ///
    /// # Errors
    /// If there is no such function, or an argument is none of its own, missing or of another kind.
    pub async fn call(self, session: &SessionContext) -> Result<DataFrame> {
        let mut relations = vec![];
        let arguments = self.arguments.into_iter().map(|(name, argument)| {
            let arg = FunctionArgExpr::Expr(argument.sql(&mut relations)?);
            Ok(FunctionArg::Named { name: Ident::new(name), arg, operator: FunctionArgOperator::RightArrow })
        });
        let arguments = arguments.collect::<Result<Vec<_>>>()?;
        let function = ObjectName::from(vec![Ident::new(self.function)]);
        let Some(SqlExpr::Subquery(query)) = subquery("(SELECT * FROM f())", &function, Some(arguments)) else {
            return internal_err!("a query over a call");
        };
        let mut statement = Statement::Query(query);
        rewrite(&mut statement);
        let state = session.state();
        let mut planning = SessionStateBuilder::new_from_existing(state.clone());
        planning.relation_planners().get_or_insert_default().insert(0, Arc::new(GivenRelations(relations)));
        let plan = planning.build().statement_to_plan(SqlStatement::Statement(Box::new(statement))).await?;
        Ok(DataFrame::new(state, plan))
    }
}

/// The relations among the arguments of a call, by the names that it gives them.
#[derive(Debug)]
struct GivenRelations(Vec<LogicalPlan>);

impl RelationPlanner for GivenRelations {
    fn plan_relation(&self, relation: TableFactor, _: &mut dyn RelationPlannerContext) -> Result<RelationPlanning> {
        let place = match &relation {
            TableFactor::Table { name, args: None, .. } => {
                (0..self.0.len()).find(|at| name.to_string() == relation_name(*at))
            }
            _ => None,
        };
        Ok(match place.and_then(|at| self.0.get(at)) {
            Some(plan) => RelationPlanning::Planned(Box::new(PlannedRelation::new(plan.clone(), None))),
            None => RelationPlanning::Original(Box::new(relation)),
        })
    }
}
