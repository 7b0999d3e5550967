//! What a host does to a statement before it is planned.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, FunctionArg, FunctionArgExpr, Statement, TableFactor, VisitMut, VisitorMut,
};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::Parser;

use crate::{persona_probability, semantic_search};

/// Puts a statement into a form that DataFusion plans. A host calls it before planning; one that does not has to
/// write these forms itself.
///
/// - `persona_probability(…)` within expressions becomes a subquery over the table function of that name: the predicate
///   it is given names columns of the country, which are not in the statement's scope, so that no scalar function could
///   be planned with it.
/// - A table that is an argument, `semantic_search(usa, …)`, becomes `(SELECT * FROM usa)`: only tables that stand where
///   relations do are looked up before planning.
pub fn rewrite(statement: &mut Statement) {
    let _: ControlFlow<()> = statement.visit(&mut Rewrite);
}

struct Rewrite;

impl VisitorMut for Rewrite {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::Function(function) = expr
            && function.name.to_string().eq_ignore_ascii_case(persona_probability::NAME)
            && let Some(subquery) = parse(&format!("(SELECT probability FROM {function})"))
        {
            *expr = subquery;
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, relation: &mut TableFactor) -> ControlFlow<()> {
        let (name, args) = match relation {
            TableFactor::Table { name, args: Some(args), .. } => (name, &mut args.args),
            TableFactor::Function { name, args, .. } => (name, args),
            _ => return ControlFlow::Continue(()),
        };
        if name.to_string().eq_ignore_ascii_case(semantic_search::NAME)
            && let Some(table) = table_argument(args)
            && matches!(table, Expr::Identifier(_) | Expr::CompoundIdentifier(_))
            && let Some(subquery) = parse(&format!("(SELECT * FROM {table})"))
        {
            *table = subquery;
        }
        ControlFlow::Continue(())
    }
}

/// The argument `table`: by its name, or else the first without one.
fn table_argument(args: &mut [FunctionArg]) -> Option<&mut Expr> {
    let named = |a: &FunctionArg| match a {
        FunctionArg::Named { name, .. } => name.value.eq_ignore_ascii_case("table"),
        FunctionArg::ExprNamed { name: Expr::Identifier(name), .. } => name.value.eq_ignore_ascii_case("table"),
        _ => false,
    };
    let at = args.iter().position(named).or_else(|| args.iter().position(|a| matches!(a, FunctionArg::Unnamed(_))))?;
    let (FunctionArg::Named { arg, .. } | FunctionArg::ExprNamed { arg, .. } | FunctionArg::Unnamed(arg)) =
        args.get_mut(at)?;
    match arg {
        FunctionArgExpr::Expr(expr) => Some(expr),
        _ => None,
    }
}

fn parse(text: &str) -> Option<Expr> {
    Parser::new(&GenericDialect {}).try_with_sql(text).and_then(|mut p| p.parse_expr()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_as_an_argument_becomes_a_subquery() {
        let sql = "SELECT * FROM semantic_search(a.usa, 'bees', 5) AS s, f(usa)";
        let mut statement = Parser::parse_sql(&GenericDialect {}, sql).unwrap().remove(0);
        rewrite(&mut statement);
        let expected = "SELECT * FROM semantic_search((SELECT * FROM a.usa), 'bees', 5) AS s, f(usa)";
        assert_eq!(statement.to_string(), expected);
    }

    #[test]
    fn the_scalar_form_becomes_a_subquery() {
        let sql = "SELECT persona_probability('usa', given => age > 95) AS p";
        let mut statement = Parser::parse_sql(&GenericDialect {}, sql).unwrap().remove(0);
        rewrite(&mut statement);
        let expected = "SELECT (SELECT probability FROM persona_probability('usa', given => age > 95)) AS p";
        assert_eq!(statement.to_string(), expected);
    }
}
