//! Two forms of SQL that the parser or the planner does not know, turned into forms that they do.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, FunctionArg, FunctionArgExpr, Ident, Insert, ObjectName, Statement, TableFactor, Value, VisitMut, VisitorMut,
};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer, Word};

/// The list of columns that stands for BY NAME.
const BY_NAME: &str = "_by_n";

/// `INSERT INTO t BY NAME SELECT …` as an INSERT with a list of columns that [`is_by_name`] knows again. Text that is
/// no SQL is returned as it is: the parser says what is wrong with it.
pub(crate) fn by_name_as_columns(sql: &str) -> String {
    let Ok(tokens) = Tokenizer::new(&GenericDialect {}, sql).tokenize_with_location() else { return sql.into() };
    let tokens: Vec<_> = tokens.iter().filter(|t| !matches!(t.token, Token::Whitespace(_) | Token::EOF)).collect();
    let is = |i: usize, text: &str| matches!(&tokens[i].token, Token::Word(Word { value, quote_style: None, .. }) if value.eq_ignore_ascii_case(text));
    let mut text = sql.to_string();
    // From the end, so that what comes before keeps its place.
    for i in (3..tokens.len().saturating_sub(1)).rev() {
        if !(is(i, "by") && is(i + 1, "name")) {
            continue;
        }
        let mut first = i - 1;
        while first >= 3 && tokens[first - 1].token == Token::Period {
            first -= 2;
        }
        if first >= 2 && is(first - 1, "into") && is(first - 2, "insert") {
            let (from, to) = (offset(sql, tokens[i].span.start), offset(sql, tokens[i + 1].span.end));
            text.replace_range(from..to, &format!("({BY_NAME})"));
        }
    }
    text
}

/// The place in the text of a line and column, both counted from 1, in characters.
fn offset(sql: &str, at: datafusion::sql::sqlparser::tokenizer::Location) -> usize {
    let start: usize = sql.split_inclusive('\n').take(at.line as usize - 1).map(str::len).sum();
    sql[start..].char_indices().nth(at.column as usize - 1).map_or(sql.len(), |(i, _)| start + i)
}

pub(crate) fn is_by_name(insert: &Insert) -> bool {
    matches!(&insert.columns[..], [name] if name.to_string() == BY_NAME)
}

/// `at_version('usa', 3)`, wherever a table may stand, as the table `"usa@3"`.
pub(crate) fn versions_as_tables(statement: &mut Statement) {
    struct Versions;
    impl VisitorMut for Versions {
        type Break = ();
        fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<()> {
            if let TableFactor::Table { name, args, .. } = factor
                && name.to_string().eq_ignore_ascii_case("at_version")
                && let Some(given) = args
                && let [table, version] = &given.args[..]
                && let (Some(Value::SingleQuotedString(table)), Some(Value::Number(version, _))) =
                    (literal(table), literal(version))
            {
                *name = ObjectName::from(vec![Ident::with_quote('"', format!("{table}@{version}"))]);
                *args = None;
            }
            ControlFlow::Continue(())
        }
    }
    let _: ControlFlow<()> = statement.visit(&mut Versions);
}

fn literal(argument: &FunctionArg) -> Option<&Value> {
    match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Value(value))) => Some(&value.value),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::sql::sqlparser::parser::Parser;

    #[test]
    fn by_name_is_found_after_insert_into_alone() {
        let turned = |sql| by_name_as_columns(sql);
        assert_eq!(turned("INSERT INTO t BY NAME SELECT 1 AS a"), "INSERT INTO t (_by_n) SELECT 1 AS a");
        assert_eq!(
            turned("-- é\ninsert into a.\"b c\" by\nname SELECT 'é'"),
            "-- é\ninsert into a.\"b c\" (_by_n) SELECT 'é'"
        );
        for same in ["SELECT * FROM t ORDER BY name", "SELECT 'INSERT INTO t BY NAME'", "BY NAME", "'"] {
            assert_eq!(turned(same), same);
        }
    }

    #[test]
    fn a_version_becomes_a_table() {
        let mut statement =
            Parser::parse_sql(&GenericDialect {}, "SELECT 1 FROM at_version('usa', 3) AS t").unwrap().remove(0);
        versions_as_tables(&mut statement);
        assert_eq!(statement.to_string(), "SELECT 1 FROM \"usa@3\" AS t");
    }
}
