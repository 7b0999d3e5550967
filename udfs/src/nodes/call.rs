//! A call as it was written, by which it is planned again in another session, where its relations are not.

use std::cmp::Ordering;
use std::fmt;

use datafusion::common::{DFSchemaRef, Result, plan_err};
use datafusion::logical_expr::{Expr, LogicalPlan, UserDefinedLogicalNodeCore};

/// A call of a function over relations, and what planning saw of these.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// In SQL, as it stands in FROM, without an alias; with the seed that was drawn where none was written
    pub sql: String,
    /// In the order in which planning asked for them
    pub relations: Vec<RelationFacts>,
}

/// What planning a call sees of a relation.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RelationFacts {
    pub schema: DFSchemaRef,
    /// The columns called `uuid`, by their places, in which no two rows have the same value
    pub keys: Vec<usize>,
    /// How many samples lie beneath it, one over the other
    pub samples: u64,
}

/// A relation of which nothing is there but these facts: it stands for another while a call is planned.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct KnownRelation(pub RelationFacts);

impl PartialOrd for KnownRelation {
    fn partial_cmp(&self, other: &KnownRelation) -> Option<Ordering> {
        (self == other).then_some(Ordering::Equal)
    }
}

impl UserDefinedLogicalNodeCore for KnownRelation {
    fn name(&self) -> &str {
        "KnownRelation"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![]
    }

    fn schema(&self) -> &DFSchemaRef {
        &self.0.schema
    }

    fn expressions(&self) -> Vec<Expr> {
        vec![]
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("KnownRelation")
    }

    fn with_exprs_and_inputs(&self, exprs: Vec<Expr>, inputs: Vec<LogicalPlan>) -> Result<KnownRelation> {
        match exprs.is_empty() && inputs.is_empty() {
            true => Ok(self.clone()),
            false => plan_err!("a relation that is only known has no inputs and no expressions"),
        }
    }
}
