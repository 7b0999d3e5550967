//! The table functions: one list, from which calls are planned, statements rewritten, and the routines, the
//! documentation and the syntax of errors come.
//!
//! `information_schema.routines` lists scalar functions only. So each table function has one of its name, which carries
//! its documentation, and which tells whoever calls it within an expression where it belongs.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::{Result, exec_err, plan_err};
use datafusion::logical_expr::planner::RelationPlannerContext;
use datafusion::logical_expr::{
    ColumnarValue, DocSection, Documentation, LogicalPlan, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};

use crate::arguments::Arguments;
use crate::search::functions as search;
use crate::weighting::{rake, rebalance};
use crate::{
    Populace, assumed_independences, compare, complete_persona, counterfactual, duplicates, fidelity, generate_persona,
    persona_probability, sample_persona, stereotype_index, stratified_sample, table_sample, validate,
};

/// All of them, in the order of their names.
pub(crate) const FUNCTIONS: [&TableFunction; 19] = [
    &assumed_independences::FUNCTION,
    &compare::FUNCTION,
    &complete_persona::FUNCTION,
    &counterfactual::FUNCTION,
    &duplicates::FUNCTION,
    &search::FACT_SEARCH,
    &fidelity::FUNCTION,
    &generate_persona::FUNCTION,
    &search::HYBRID_SEARCH,
    &persona_probability::FUNCTION,
    &rake::FUNCTION,
    &rebalance::FUNCTION,
    &sample_persona::FUNCTION,
    &search::SEMANTIC_SEARCH,
    &search::SIMILAR_TO,
    &stereotype_index::FUNCTION,
    &stratified_sample::FUNCTION,
    &search::TEXT_SEARCH,
    &validate::FUNCTION,
];

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
    takes: &'static str,
    required: bool,
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
    /// The function of a name in small letters.
    pub fn named(name: &str) -> Option<&'static TableFunction> {
        FUNCTIONS.iter().find(|function| function.name == name).copied()
    }

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
            // Words that SQL has for itself stand in quotes.
            let reserved = ["column", "where"].contains(&parameter.name);
            let name = if reserved { format!("\"{}\"", parameter.name) } else { parameter.name.to_string() };
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

/// The entry of a table function among the routines.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Routine {
    name: &'static str,
    example: &'static str,
    signature: Signature,
    documentation: Documentation,
}

impl Routine {
    fn new(name: &'static str, description: &str, syntax: &str, example: &'static str) -> Routine {
        let section = DocSection { include: true, label: "Table Functions", description: None };
        let documentation = Documentation::builder(section, description, syntax).with_sql_example(example).build();
        Routine { name, example, signature: Signature::variadic_any(Volatility::Volatile), documentation }
    }

    fn misplaced(&self) -> String {
        format!("{} is a table function, written where tables are: {}", self.name, self.example)
    }
}

/// The entry of a table function of a host's own among the routines.
pub fn table_function(name: &'static str, description: &str, syntax: &str, example: &'static str) -> ScalarUDF {
    ScalarUDF::from(Routine::new(name, description, syntax, example))
}

/// Whether there is a table function of that name, in small letters.
pub fn is_table_function(name: &str) -> bool {
    TableFunction::named(name).is_some()
}

/// What a function stands for in a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FunctionKind {
    Table,
    /// Of the values of a row
    Scalar,
    Aggregate,
}

impl FunctionKind {
    pub const ALL: [FunctionKind; 3] = [FunctionKind::Table, FunctionKind::Scalar, FunctionKind::Aggregate];

    pub fn title(self) -> &'static str {
        match self {
            FunctionKind::Table => "Table functions",
            FunctionKind::Scalar => "Functions of a row",
            FunctionKind::Aggregate => "Aggregates",
        }
    }
}

/// A function as people read of it.
#[derive(Debug, Clone)]
pub struct Function {
    pub name: String,
    pub kind: FunctionKind,
    pub syntax: String,
    /// What it returns, in Markdown
    pub description: String,
    /// What is said of its arguments, by their names
    pub arguments: Vec<(String, String)>,
    /// The parameters that a table function takes by name
    pub parameters: Vec<&'static str>,
    /// A statement
    pub example: Option<String>,
}

impl Function {
    /// A function by its name and documentation.
    pub fn new(name: &str, kind: FunctionKind, documentation: &Documentation) -> Function {
        let parameters = match (kind, TableFunction::named(name)) {
            (FunctionKind::Table, Some(function)) => function.parameters.iter().map(|p| p.name).collect(),
            _ => vec![],
        };
        let example = documentation.sql_example.as_ref();
        Function {
            name: name.into(),
            kind,
            syntax: documentation.syntax_example.clone(),
            description: documentation.description.clone(),
            arguments: documentation.arguments.clone().unwrap_or_default(),
            parameters,
            example: example.map(|e| e.trim().trim_start_matches("```sql").trim_matches('`').trim().to_string()),
        }
    }
}

/// All functions of a session, by kind.
pub fn functions() -> Vec<Function> {
    let table = routines().map(|r| Function::new(r.name, FunctionKind::Table, &r.documentation));
    let documented = |name: &str, kind, of: Option<&Documentation>| of.map(|d| Function::new(name, kind, d));
    let scalars = crate::plugin::scalars(&Populace::new());
    let scalars = scalars.iter().filter_map(|f| documented(f.name(), FunctionKind::Scalar, f.documentation()));
    let aggregates = crate::plugin::aggregates();
    let aggregates = aggregates.iter().filter_map(|f| documented(f.name(), FunctionKind::Aggregate, f.documentation()));
    table.chain(scalars).chain(aggregates).collect()
}

/// All functions of a session, each with what it takes, what it returns and an example, in Markdown.
pub fn reference() -> String {
    let mut text = String::from("# Functions\n\n");
    text += "Table functions stand where tables are. Their arguments come by name, `name => value`, the first ones also by \
             place; a table is one by its name, a call of a table function, or a query in parentheses.\n";
    let functions = functions();
    for kind in FunctionKind::ALL {
        text += &format!("\n## {}\n", kind.title());
        for function in functions.iter().filter(|f| f.kind == kind) {
            text += &format!("\n### {}\n\n```text\n{}\n```\n", function.name, function.syntax);
            text += &format!("\n{}\n", function.description);
            for (argument, what) in &function.arguments {
                text += &format!("\n- `{argument}`: {what}");
            }
            if !function.arguments.is_empty() {
                text.push('\n');
            }
            if let Some(example) = &function.example {
                text += &format!("\n```sql\n{example}\n```\n");
            }
        }
    }
    text
}

/// The entries of all table functions, and of TABLESAMPLE.
pub(crate) fn routines() -> impl Iterator<Item = Routine> {
    let functions = FUNCTIONS.iter().map(|f| Routine::new(f.name, f.description, &f.syntax(), f.example));
    functions.chain([Routine::new(
        table_sample::NAME,
        table_sample::DESCRIPTION,
        table_sample::SYNTAX,
        table_sample::EXAMPLE,
    )])
}

impl ScalarUDFImpl for Routine {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        plan_err!("{}", self.misplaced())
    }

    fn invoke_with_args(&self, _: ScalarFunctionArgs) -> Result<ColumnarValue> {
        exec_err!("{}", self.misplaced())
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&self.documentation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    /// `make docs` writes it anew.
    #[test]
    fn the_reference_is_what_the_functions_say() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/functions.md");
        if std::env::var_os("POPULACE_WRITE_DOCS").is_some() {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, reference()).unwrap();
        }
        let written = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(written == reference(), "docs/functions.md is not what the functions say: `make docs` writes it anew");
    }

    #[test]
    fn functions_are_listed_by_name_and_parameters_known() {
        assert!(FUNCTIONS.windows(2).all(|pair| pair[0].name < pair[1].name));
        for function in FUNCTIONS {
            let required = function.parameters.iter().take_while(|p| p.required && p.takes.is_empty()).count();
            assert!(
                required <= function.positional && function.positional <= function.parameters.len(),
                "{}",
                function.name
            );
        }
    }
}
