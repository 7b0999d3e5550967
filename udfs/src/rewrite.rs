//! What a host does to a statement before it is planned.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{Expr, Statement, visit_expressions_mut};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::Parser;

use crate::persona_probability;

/// Turns `persona_probability(…)` within expressions into a subquery over the table function of that name: the
/// predicate it is given names columns of the country, which are not in the statement's scope, so that no scalar
/// function could be planned with it. A host that plans statements without this has the table function alone.
pub fn rewrite(statement: &mut Statement) {
    let _: ControlFlow<()> = visit_expressions_mut(statement, |expr| {
        if let Expr::Function(function) = expr
            && function.name.to_string().eq_ignore_ascii_case(persona_probability::NAME)
        {
            let text = format!("(SELECT probability FROM {function})");
            if let Ok(subquery) = Parser::new(&GenericDialect {}).try_with_sql(&text).and_then(|mut p| p.parse_expr()) {
                *expr = subquery;
            }
        }
        ControlFlow::Continue(())
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scalar_form_becomes_a_subquery() {
        let sql = "SELECT persona_probability('usa', given => age > 95) AS p";
        let mut statement = Parser::parse_sql(&GenericDialect {}, sql).unwrap().remove(0);
        rewrite(&mut statement);
        let expected = "SELECT (SELECT probability FROM persona_probability('usa', given => age > 95)) AS p";
        assert_eq!(statement.to_string(), expected);
    }
}
