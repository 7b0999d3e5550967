//! The table functions: one list, from which calls are planned, statements rewritten, and the routines, the
//! documentation and the syntax of errors come.
//!
//! `information_schema.routines` lists scalar functions only. So each table function has one of its name, which carries
//! its documentation, and which tells whoever calls it within an expression where it belongs.

use arrow::datatypes::DataType;
use datafusion::common::{Result, exec_err, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, DocSection, Documentation, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use crate::call::table_function::TableFunction;
use crate::host::Populace;
use crate::judgement::weighting::{rake, rebalance};
use crate::judgement::{compare, fidelity, stereotype_index};
#[cfg(feature = "narratives")]
use crate::narratives::generate_persona;
use crate::people::{assumed_independences, complete_persona, counterfactual, persona_probability, sample_persona};
#[cfg(feature = "checks")]
use crate::quality::{duplicates, validate};
use crate::samples::{stratified_sample, table_sample};
#[cfg(feature = "search")]
use crate::search::functions as search;
use crate::surveys::{differences, estimate};

/// All of them, in the order of their names.
pub(crate) const FUNCTIONS: &[&TableFunction] = &[
    &assumed_independences::FUNCTION,
    &compare::FUNCTION,
    &complete_persona::FUNCTION,
    &counterfactual::FUNCTION,
    &differences::FUNCTION,
    #[cfg(feature = "checks")]
    &duplicates::FUNCTION,
    &estimate::FUNCTION,
    #[cfg(feature = "search")]
    &search::FACT_SEARCH,
    &fidelity::FUNCTION,
    #[cfg(feature = "narratives")]
    &generate_persona::FUNCTION,
    #[cfg(feature = "search")]
    &search::HYBRID_SEARCH,
    &persona_probability::FUNCTION,
    &rake::FUNCTION,
    &rebalance::FUNCTION,
    &sample_persona::FUNCTION,
    #[cfg(feature = "search")]
    &search::SEMANTIC_SEARCH,
    #[cfg(feature = "search")]
    &search::SIMILAR_TO,
    &stereotype_index::FUNCTION,
    &stratified_sample::FUNCTION,
    #[cfg(feature = "search")]
    &search::TEXT_SEARCH,
    #[cfg(feature = "checks")]
    &validate::FUNCTION,
];

/// The table function of a name in small letters.
pub(crate) fn named(name: &str) -> Option<&'static TableFunction> {
    FUNCTIONS.iter().find(|function| function.name == name).copied()
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
    named(name).is_some()
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
        let parameters = match (kind, named(name)) {
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
    let scalars = crate::session::register::scalars_of(&Populace::new());
    let scalars = scalars.iter().filter_map(|f| documented(f.name(), FunctionKind::Scalar, f.documentation()));
    let aggregates = crate::session::register::aggregates();
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
    #[cfg(all(feature = "checks", feature = "narratives"))]
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
