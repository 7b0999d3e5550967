//! What a table function says of itself.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::logical_expr::LogicalPlan;
use datafusion::logical_expr::planner::RelationPlannerContext;

use crate::call::arguments::Arguments;
use crate::host::Populace;

/// One table function.
#[derive(Debug)]
pub(crate) struct TableFunction {
    pub name: &'static str,
    pub parameters: &'static [Parameter],
    /// So many of the parameters may come without their names, in their order
    pub positional: usize,
    /// What its rows are, in Markdown
    pub description: &'static str,
    /// A statement
    pub example: &'static str,
    pub plan: Plan,
}

/// Plans a call.
type Plan = fn(Arguments, &Arc<Populace>, &mut dyn RelationPlannerContext) -> Result<LogicalPlan>;

/// A parameter of a table function.
#[derive(Debug)]
pub(crate) struct Parameter {
    pub name: &'static str,
    /// What it takes, as the syntax shows it; nothing where it is shown by its place alone
    pub takes: &'static str,
    pub required: bool,
    /// Where the syntax shows it as something else than its name
    shown: Option<&'static str>,
    hidden: bool,
    /// Whether it is a table, a call of a table function, or a query
    pub relation: bool,
    /// Whether it is a seed of which a fresh one is taken where none is given
    pub seed: bool,
}

impl Parameter {
    pub const fn required(name: &'static str, takes: &'static str) -> Parameter {
        Parameter { name, takes, required: true, shown: None, hidden: false, relation: false, seed: false }
    }

    pub const fn optional(name: &'static str, takes: &'static str) -> Parameter {
        Parameter { required: false, ..Parameter::required(name, takes) }
    }

    pub const fn relation(self) -> Parameter {
        Parameter { relation: true, ..self }
    }

    pub const fn seed(self) -> Parameter {
        Parameter { seed: true, ..self }
    }

    pub const fn shown(self, as_: &'static str) -> Parameter {
        Parameter { shown: Some(as_), ..self }
    }

    /// One that the syntax shows with another.
    pub const fn hidden(self) -> Parameter {
        Parameter { hidden: true, ..self }
    }
}

impl TableFunction {
    /// Sorts the arguments of a call.
    ///
    /// # Errors
    /// If one is unknown, given twice, or without a name that it needs.
    pub fn arguments(&self, given: Vec<datafusion::sql::sqlparser::ast::FunctionArg>) -> Result<Arguments> {
        let names: Vec<&'static str> = self.parameters.iter().map(|p| p.name).collect();
        Arguments::new(self.name, given, &names, self.positional)
    }

    /// `sample_persona(country, count [, seed => number] …)`.
    pub fn syntax(&self) -> String {
        let mut syntax = format!("{}(", self.name);
        for (at, parameter) in self.parameters.iter().filter(|p| !p.hidden).enumerate() {
            let name = parameter.name.to_string();
            let shown = match (parameter.shown, parameter.takes) {
                (Some(shown), _) => shown.to_string(),
                (None, "") => name,
                (None, takes) => format!("{name} => {takes}"),
            };
            let comma = if at > 0 { ", " } else { "" };
            match (parameter.required, at) {
                (true, _) => syntax += &format!("{comma}{shown}"),
                (false, 0) => syntax += &format!("[{shown}]"),
                (false, _) => syntax += &format!(" [{comma}{shown}]"),
            }
        }
        syntax + ")"
    }
}
