//! Names and texts in quotes: the one place that makes SQL of what people and files call things.

use std::ops::ControlFlow;

use datafusion::sql::parser::{DFParserBuilder, Statement as Sql};
use datafusion::sql::sqlparser::ast::{Expr, Value, ValueWithSpan, VisitMut, VisitorMut};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use datafusion::sql::sqlparser::tokenizer::Token;

/// A text as SQL has it, in quotes.
pub fn quoted_text(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A name as SQL has it, in quotes.
pub fn quoted_name(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A name, quoted where it has to be.
///
/// # Errors
/// If it is empty.
pub(crate) fn identifier(name: &str) -> Result<String, String> {
    let name = name.trim();
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    match name.chars().next() {
        None => Err("a name is missing".into()),
        Some(first) if (first.is_ascii_lowercase() || first == '_') && name.chars().all(plain) => Ok(name.into()),
        Some(_) => Ok(quoted_name(name)),
    }
}

/// One expression, whole: nothing that would end it and begin something else.
///
/// # Errors
/// If the text is anything else.
fn one_expression(text: &str) -> Result<Expr, ParserError> {
    let mut parser = Parser::new(&GenericDialect {}).try_with_sql(text)?;
    let expression = parser.parse_expr()?;
    parser.expect_token(&Token::EOF)?;
    Ok(expression)
}

/// One expression as it may stand in a statement: written out again, and the same when it is read again.
///
/// # Errors
/// If the text is no single expression, or cannot be written out.
pub fn expression_text(text: &str) -> Result<String, String> {
    let expression = one_expression(text).map_err(|e| e.to_string())?;
    let mut texts = expression.clone();
    let _: ControlFlow<()> = VisitMut::visit(&mut texts, &mut DoubleQuotes);
    let written = texts.to_string();
    match one_expression(&written) {
        Ok(again) if again == expression => Ok(written),
        _ => Err("it cannot be written out: a quoted name in it has quotes or a backslash".into()),
    }
}

/// A statement as a text that is the same statement when it is read again; `None` if there is none, as a quoted name may
/// have quotes that sqlparser does not write as it reads them.
pub(crate) fn statement_text(statement: &Sql) -> Option<String> {
    let mut texts = statement.clone();
    if let Some(inner) = super::explained(&mut texts) {
        let _: ControlFlow<()> = VisitMut::visit(inner, &mut DoubleQuotes);
    }
    let text = texts.to_string();
    if !["\\", "\"\"", "``"].iter().any(|odd| text.contains(odd)) {
        return Some(text);
    }
    let mut parser = DFParserBuilder::new(text.as_str()).with_dialect(&GenericDialect {}).build().ok()?;
    let again = parser.parse_statements().ok()?;
    (again.len() == 1 && again.front() == Some(statement)).then_some(text)
}

/// Doubles the quotes in texts: sqlparser writes two quotes in a row, and one after a backslash, as if they were escaped
/// already.
struct DoubleQuotes;

impl VisitorMut for DoubleQuotes {
    type Break = ();

    fn pre_visit_value(&mut self, value: &mut ValueWithSpan) -> ControlFlow<()> {
        if let Value::SingleQuotedString(text) = &mut value.value {
            *text = text.replace('\'', "''");
        }
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_text_is_one_literal(text in any::<String>()) {
            let Expr::Value(value) = one_expression(&quoted_text(&text)).unwrap() else { panic!("no value") };
            prop_assert_eq!(value.value, Value::SingleQuotedString(text));
        }

        // A run is resumed by the text of its statement.
        #[test]
        fn statements_are_written_out_as_they_were_read(text in r"[a'\\; -]{0,12}", name in r#"[a"\\; -]{1,12}"#) {
            let sql = format!("INSERT INTO t SELECT {} AS a", quoted_text(&text));
            let read = |sql: &str| DFParserBuilder::new(sql).build().unwrap().parse_statements().unwrap();
            let written = statement_text(&read(&sql)[0]).unwrap();
            prop_assert_eq!(read(&written), read(&sql));
            let of_name = read(&format!("INSERT INTO t ({}) SELECT 1", quoted_name(&name)));
            if let Some(written) = statement_text(&of_name[0]) {
                prop_assert_eq!(read(&written), of_name);
            }
            let expression = format!("a = {}", quoted_text(&text));
            let written = expression_text(&expression).unwrap();
            prop_assert_eq!(one_expression(&written).unwrap(), one_expression(&expression).unwrap());
        }

        #[test]
        fn any_name_is_one_identifier(name in ".+") {
            let Expr::Identifier(parsed) = one_expression(&quoted_name(&name)).unwrap() else { panic!("no name") };
            prop_assert_eq!(parsed.value, name);
        }
    }
}
