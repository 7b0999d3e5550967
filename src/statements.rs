//! Forms of SQL that the parser or the planner does not know, turned into forms that they do.

use std::ops::ControlFlow;

use datafusion::common::{Result, plan_err};
use datafusion::sql::sqlparser::ast::{
    Expr, FromTable, FunctionArg, FunctionArgExpr, Ident, Insert, ObjectName, ObjectNamePart, Statement, TableFactor,
    Value, VisitMut, VisitorMut,
};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer, Word};

/// One expression, whole: nothing that would end it and begin something else.
///
/// # Errors
/// If the text is anything else.
pub(crate) fn one_expression(text: &str) -> std::result::Result<Expr, ParserError> {
    let mut parser = Parser::new(&GenericDialect {}).try_with_sql(text)?;
    let expression = parser.parse_expr()?;
    parser.expect_token(&Token::EOF)?;
    Ok(expression)
}

/// What SHOW TABLES asks for: the tables and views of the database, not the figures of every country.
pub(crate) const OWN_TABLES: &str = "SELECT table_name, table_type FROM information_schema.tables
    WHERE table_catalog <> 'census' AND table_schema NOT IN ('information_schema', 'populace') ORDER BY table_name";

/// The list of columns that stands for BY NAME.
const BY_NAME: &str = "_by_n";

/// `INSERT INTO t BY NAME SELECT …` as an INSERT with a list of columns that [`is_by_name`] knows again. Text that is
/// no SQL is returned as it is: the parser says what is wrong with it.
pub(crate) fn by_name_as_columns(sql: &str) -> String {
    let tokens = tokens(sql);
    let is = |i: usize, text: &str| is_word(&tokens[i].token, text);
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
        if first >= 2 && is(first - 1, "into") && (is(first - 2, "insert") || is(first - 2, "replace")) {
            let (from, to) = (offset(sql, tokens[i].span.start), offset(sql, tokens[i + 1].span.end));
            text.replace_range(from..to, &format!("({BY_NAME})"));
        }
    }
    text
}

/// What a text is made of, less its white space; nothing if it is no SQL.
pub(crate) fn tokens(sql: &str) -> Vec<TokenWithSpan> {
    let tokens = Tokenizer::new(&GenericDialect {}, sql).tokenize_with_location().unwrap_or_default();
    tokens.into_iter().filter(|t| !matches!(t.token, Token::Whitespace(_) | Token::EOF)).collect()
}

/// Whether a token is this word, unquoted.
pub(crate) fn is_word(token: &Token, word: &str) -> bool {
    matches!(token, Token::Word(Word { value, quote_style: None, .. }) if value.eq_ignore_ascii_case(word))
}

/// `usa VERSION AS OF 3` as the table `"usa@3"`, and `usa VERSION AS OF 'tag'` likewise.
pub(crate) fn versions_in_names(sql: &str) -> String {
    let tokens = tokens(sql);
    let is = |i: usize, text: &str| is_word(&tokens[i].token, text);
    let mut text = sql.to_string();
    for i in (1..tokens.len().saturating_sub(3)).rev() {
        if is(i, "version")
            && is(i + 1, "as")
            && is(i + 2, "of")
            && let Token::Word(table) = &tokens[i - 1].token
            && let Token::Number(version, _) | Token::SingleQuotedString(version) = &tokens[i + 3].token
        {
            let (from, to) = (offset(sql, tokens[i - 1].span.start), offset(sql, tokens[i + 3].span.end));
            let table = if table.quote_style.is_some() { table.value.clone() } else { table.value.to_lowercase() };
            text.replace_range(from..to, &quoted_name(&format!("{table}@{version}")));
        }
    }
    text
}

/// The statement as the parser has it; that which EXPLAIN explains.
pub(crate) fn ast(statement: &mut datafusion::sql::parser::Statement) -> Option<&mut Statement> {
    use datafusion::sql::parser::Statement as Outer;
    match statement {
        Outer::Statement(statement) => Some(statement),
        Outer::Explain(explain) => ast(&mut explain.statement),
        _ => None,
    }
}

/// Refuses a table that would be made anywhere but in the database.
///
/// # Errors
/// If a CREATE TABLE names another schema or catalogue.
pub(crate) fn check_place(statement: &Statement) -> Result<()> {
    let Statement::CreateTable(create) = statement else { return Ok(()) };
    let parts: Vec<String> = create.name.0.iter().filter_map(|p| Some(p.as_ident()?.value.to_lowercase())).collect();
    match parts.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [_] | ["public", _] | ["datafusion", "public", _] => Ok(()),
        [.., table] => {
            plan_err!("tables are made in the database itself, not in {}: write CREATE TABLE {table}", create.name)
        }
        [] => Ok(()),
    }
}

/// Whether a statement stores rows of a query.
pub(crate) fn writes_people(statement: &Statement) -> bool {
    match statement {
        Statement::Insert(insert) => insert.source.is_some(),
        Statement::CreateTable(create) => create.query.is_some(),
        _ => false,
    }
}

/// `DELETE FROM usa AS u WHERE u.age > 30` and the like UPDATE without the alias, which the planner drops but for the
/// columns that are qualified with it.
pub(crate) fn without_aliases(statement: &mut Statement) {
    let tables = match statement {
        Statement::Delete(delete) => match &mut delete.from {
            FromTable::WithFromKeyword(tables) | FromTable::WithoutKeyword(tables) => tables.first_mut(),
        },
        Statement::Update(update) => Some(&mut update.table),
        _ => None,
    };
    let Some(TableFactor::Table { name, alias, .. }) = tables.map(|t| &mut t.relation) else { return };
    let Some(removed) = alias.take() else { return };
    let Some(ObjectNamePart::Identifier(table)) = name.0.last().cloned() else { return };
    struct Unalias {
        alias: Ident,
        table: Ident,
    }
    impl VisitorMut for Unalias {
        type Break = ();
        fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
            if let Expr::CompoundIdentifier(parts) = expr
                && parts.len() == 2
                && parts[0] == self.alias
            {
                parts[0] = self.table.clone();
            }
            ControlFlow::Continue(())
        }
    }
    let _: ControlFlow<()> = statement.visit(&mut Unalias { alias: removed.name, table });
}

/// The place in the text of a line and column, both counted from 1, in characters.
pub(crate) fn offset(sql: &str, at: datafusion::sql::sqlparser::tokenizer::Location) -> usize {
    let start: usize = sql.split_inclusive('\n').take(at.line as usize - 1).map(str::len).sum();
    sql[start..].char_indices().nth(at.column as usize - 1).map_or(sql.len(), |(i, _)| start + i)
}

pub(crate) fn is_by_name(insert: &Insert) -> bool {
    matches!(&insert.columns[..], [name] if name.to_string() == BY_NAME)
}

/// `at_version('usa', 3)`, wherever a table may stand, as the table `"usa@3"`; and `versions(usa)` with the table's name
/// as the text that it takes.
pub(crate) fn versions_as_tables(statement: &mut Statement) {
    struct Versions;
    impl VisitorMut for Versions {
        type Break = ();
        fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<()> {
            let TableFactor::Table { name, args, .. } = factor else { return ControlFlow::Continue(()) };
            let Some(given) = args else { return ControlFlow::Continue(()) };
            if name.to_string().eq_ignore_ascii_case("at_version")
                && let [table, version] = &given.args[..]
                && let Some(table) = table_name(table)
                && let Some(Value::Number(version, _) | Value::SingleQuotedString(version)) = literal(version)
            {
                *name = ObjectName::from(vec![Ident::with_quote('"', format!("{table}@{version}"))]);
                *args = None;
            } else if name.to_string().eq_ignore_ascii_case("versions")
                && let [table] = &mut given.args[..]
                && let Some(named) = table_name(table)
            {
                let text = Expr::Value(Value::SingleQuotedString(named).into());
                *table = FunctionArg::Unnamed(FunctionArgExpr::Expr(text));
            }
            ControlFlow::Continue(())
        }
    }
    let _: ControlFlow<()> = statement.visit(&mut Versions);
}

/// A table that is an argument, by its name or as a text.
fn table_name(argument: &FunctionArg) -> Option<String> {
    match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Identifier(name))) => Some(match name.quote_style {
            Some(_) => name.value.clone(),
            None => name.value.to_lowercase(),
        }),
        argument => match literal(argument)? {
            Value::SingleQuotedString(name) => Some(name.clone()),
            _ => None,
        },
    }
}

fn literal(argument: &FunctionArg) -> Option<&Value> {
    match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Value(value))) => Some(&value.value),
        _ => None,
    }
}

/// A text as SQL has it, in quotes.
pub fn quoted_text(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A name as SQL has it, in quotes.
pub fn quoted_name(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
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
    fn versions_are_parts_of_names() {
        assert_eq!(versions_in_names("SELECT * FROM usa VERSION AS OF 3 WHERE x"), "SELECT * FROM \"usa@3\" WHERE x");
        assert_eq!(versions_in_names("SELECT 1 FROM Usa version as of 12"), "SELECT 1 FROM \"usa@12\"");
        assert_eq!(versions_in_names("FROM usa VERSION AS OF 'v1'"), "FROM \"usa@v1\"");
        // Neither a literal nor a name ends before its own quotes do.
        let hostile = "SELECT a FROM t VERSION AS OF '1\"; DROP TABLE u; --'";
        assert_eq!(versions_in_names(hostile), "SELECT a FROM \"t@1\"\"; DROP TABLE u; --\"");
        assert_eq!(versions_in_names("SELECT a FROM \"a\"\"b\" VERSION AS OF 1"), "SELECT a FROM \"a\"\"b@1\"");
        for same in ["SELECT version AS of FROM t", "SELECT 'usa VERSION AS OF 3'"] {
            assert_eq!(versions_in_names(same), same);
        }
    }

    #[test]
    fn aliases_of_changed_tables_give_way_to_their_names() {
        let turned = |sql| {
            let mut statement = Parser::parse_sql(&GenericDialect {}, sql).unwrap().remove(0);
            without_aliases(&mut statement);
            statement.to_string()
        };
        assert_eq!(turned("DELETE FROM usa AS u WHERE u.age > 30"), "DELETE FROM usa WHERE usa.age > 30");
        assert_eq!(turned("UPDATE usa AS u SET age = u.age + 1"), "UPDATE usa SET age = usa.age + 1");
    }

    #[test]
    fn a_version_becomes_a_table() {
        let mut statement =
            Parser::parse_sql(&GenericDialect {}, "SELECT 1 FROM at_version('usa', 3) AS t").unwrap().remove(0);
        versions_as_tables(&mut statement);
        assert_eq!(statement.to_string(), "SELECT 1 FROM \"usa@3\" AS t");
        let sql = "SELECT 1 FROM at_version(Usa, 'v1'), versions(usa)";
        let mut statement = Parser::parse_sql(&GenericDialect {}, sql).unwrap().remove(0);
        versions_as_tables(&mut statement);
        assert_eq!(statement.to_string(), "SELECT 1 FROM \"usa@v1\", versions('usa')");
    }
}
