//! The check `plausibility`: what somebody who lives in a country would not dispute, held against the people of a table
//! together.

use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::Int64Type;
use datafusion::common::tree_node::TreeNode;
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::context::ExecutionProps;
use datafusion::logical_expr::planner::RelationPlannerContext;
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::optimizer::analyzer::type_coercion::TypeCoercionRewriter;
use datafusion::physical_expr::create_physical_expr;
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::Parser;

use crate::call::arguments::expression;
use crate::host::Populace;
use crate::host::plausibility::{CountryStatements, PlausibilityStatement, PlausibilityVerdict};
use crate::quality::checks::{Severity, Violation};

/// Of whom a statement does not speak, of whom it does, and who is as it says.
const OTHERS: i64 = 0;
const SPOKEN_OF: i64 = 1;
const AS_EXPECTED: i64 = 2;

/// Statements that can be held against a table, and the column that each has of its rows.
pub(crate) struct PlannedStatements {
    pub statements: Vec<Arc<PlausibilityStatement>>,
    pub columns: Vec<Expr>,
}

/// The statements of the country that is named, or of all that rows may say they are of, as columns of a table. One is left
/// out where the table has not what it reads.
pub(crate) fn plan_statements(
    function: &str,
    country: Option<&str>,
    populace: &Populace,
    input: &LogicalPlan,
    context: &mut dyn RelationPlannerContext,
) -> PlannedStatements {
    let countries = country.map_or_else(|| populace.packs.names(), |country| vec![country.to_string()]);
    let mut planned = PlannedStatements { statements: vec![], columns: vec![] };
    for name in countries {
        let CountryStatements { code, statements } = populace.plausibility.of(&name);
        if statements.is_empty() {
            continue;
        }
        let Some(of_country) = rows_of(&name, code, country.is_some(), input) else { continue };
        for statement in statements {
            let (given, expect) = (statement.given.as_deref().unwrap_or("true"), &statement.expect);
            let counted = format!(
                "CASE WHEN ({of_country}) AND ({given}) THEN CASE WHEN ({expect}) THEN {AS_EXPECTED} ELSE {SPOKEN_OF} END \
                 ELSE {OTHERS} END"
            );
            if let Ok(column) = column(function, &counted, input, context) {
                planned.columns.push(column);
                planned.statements.push(Arc::new(statement));
            }
        }
    }
    planned
}

/// The rows that are judged by a country's statements: those that say they are of it, or all where it is named; none that
/// were drawn under a condition, as they are not like the country's people. `None` if rows do not say whose they are.
fn rows_of(name: &str, code: Option<String>, named: bool, input: &LogicalPlan) -> Option<String> {
    let has = |column: &str| input.schema().fields().iter().any(|f| f.name() == column);
    let drawn_freely = if has("given") { "\"given\" IS NULL" } else { "true" };
    if named {
        return Some(drawn_freely.into());
    }
    let text = |column: &str| format!("CAST({column} AS VARCHAR)");
    let like = name.replace('_', "\\_");
    let by_pack = format!("{pack} = '{name}' OR {pack} LIKE '{like}@%'", pack = text("\"pack\""));
    let by_country = code.filter(|_| has("country")).map(|code| {
        let code = code.replace('\'', "''");
        format!("lower({}) IN ('{name}', lower('{code}'))", text("country"))
    });
    let of_country = match (has("pack"), by_country) {
        (true, Some(by_country)) => format!("{by_pack} OR \"pack\" IS NULL AND {by_country}"),
        (true, None) => by_pack,
        (false, Some(by_country)) => by_country,
        (false, None) => return None,
    };
    Some(format!("({of_country}) AND {drawn_freely}"))
}

/// # Errors
/// If the table has not what the expression reads, or has it of another type.
fn column(function: &str, sql: &str, input: &LogicalPlan, context: &mut dyn RelationPlannerContext) -> Result<Expr> {
    let sql = Parser::new(&GenericDialect {}).try_with_sql(sql).and_then(|mut parser| parser.parse_expr());
    let sql = sql.map_err(|error| DataFusionError::SQL(Box::new(error), None))?;
    let expr = expression(function, "plausibility", sql, input.schema(), context)?;
    let coerced = expr.clone().rewrite(&mut TypeCoercionRewriter::new(input.schema()))?.data;
    create_physical_expr(&coerced, input.schema(), &ExecutionProps::new())?;
    Ok(expr)
}

/// How many of the rows so far each statement speaks of, and how many are as it says.
pub(crate) struct PlausibilityTally {
    counts: Vec<(u64, u64)>,
}

impl PlausibilityTally {
    pub fn of(statements: usize) -> PlausibilityTally {
        PlausibilityTally { counts: vec![(0, 0); statements] }
    }

    /// Counts rows by the columns of the statements, in their order from the column `first` on.
    pub fn count(&mut self, rows: &RecordBatch, first: usize) {
        for (count, column) in self.counts.iter_mut().zip(&rows.columns()[first..]) {
            let codes = column.as_primitive::<Int64Type>();
            let of = |code: i64| codes.values().iter().filter(|c| **c == code).count() as u64;
            let as_expected = of(AS_EXPECTED);
            *count = (count.0 + of(SPOKEN_OF) + as_expected, count.1 + as_expected);
        }
    }

    /// The statements that do not hold.
    pub fn violations(&self, statements: &[Arc<PlausibilityStatement>]) -> Vec<Violation> {
        let violation = |(statement, (people, expected)): (&Arc<PlausibilityStatement>, &(u64, u64))| {
            let verdict = statement.verdict(*people as f64, *expected as f64);
            if matches!(verdict, PlausibilityVerdict::Met | PlausibilityVerdict::TooFew) {
                return None;
            }
            let percent = |share: f64| (1000.0 * share).round() / 10.0;
            let [low, high] = statement.share.map(percent);
            let share = percent(*expected as f64 / *people as f64);
            let PlausibilityStatement { name, says, status, source, .. } = statement.as_ref();
            let detail = format!(
                "{says}: {share} % of {people} people, where {low} to {high} % would be ({name}; {status}: {source})"
            );
            Some(Violation { check: "plausibility", severity: Severity::Warning, detail })
        };
        statements.iter().zip(&self.counts).filter_map(violation).collect()
    }
}
