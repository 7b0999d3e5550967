//! What names mean in SQL: of columns, of functions, and of columns that hold an expression.

use datafusion::sql::sqlparser::ast::{Expr as SqlExpr, Ident, ObjectName, ObjectNamePart, Value as SqlValue};

/// The name of the column that an argument is, as SQL has names: in small letters unless quoted, of a table or without.
pub(crate) fn column_name(sql: &SqlExpr) -> Option<String> {
    match sql {
        SqlExpr::Identifier(name) => Some(folded(name)),
        SqlExpr::CompoundIdentifier(names) => names.last().map(folded),
        SqlExpr::Nested(inner) => column_name(inner),
        _ => None,
    }
}

/// What a column is called that holds an expression: a column's own name, a function's, or else the expression as it is
/// written.
pub(crate) fn expression_name(sql: &SqlExpr) -> String {
    match (column_name(sql), sql) {
        (Some(name), _) => name,
        (None, SqlExpr::Function(call)) => call.name.to_string().to_lowercase(),
        (None, sql) => sql.to_string(),
    }
}

/// The column whose name a text is, where it stands by itself: a constant would say the same of every row.
pub(crate) fn by_name(sql: SqlExpr) -> SqlExpr {
    match sql {
        SqlExpr::Value(value) => match value.value {
            SqlValue::SingleQuotedString(name) => SqlExpr::Identifier(Ident::with_quote('"', name)),
            _ => SqlExpr::Value(value),
        },
        sql => sql,
    }
}

/// A name as SQL has it: in small letters, unless it stands in quotes.
pub(crate) fn folded(name: &Ident) -> String {
    if name.quote_style.is_some() { name.value.clone() } else { name.value.to_lowercase() }
}

/// The name of the function that is called.
pub(crate) fn function_name(name: &ObjectName) -> Option<String> {
    match &name.0[..] {
        [ObjectNamePart::Identifier(name)] => Some(folded(name)),
        _ => None,
    }
}
