//! What a CREATE TABLE says of its columns and no table keeps.

use datafusion::common::Result;
use datafusion::sql::sqlparser::ast::{ColumnOption, Statement};

use crate::error::{Error, ErrorKind};

/// Refuses keys, defaults and conditions that would be accepted and forgotten: a column is a name and a type.
///
/// # Errors
/// If a CREATE TABLE has any.
pub(crate) fn refuse_what_is_not_kept(statement: &Statement) -> Result<()> {
    let Statement::CreateTable(create) = statement else { return Ok(()) };
    for column in &create.columns {
        for option in &column.options {
            if !matches!(option.option, ColumnOption::Null) {
                return not_kept(&format!("{} of the column {}", option.option, column.name));
            }
        }
    }
    match create.constraints.first() {
        Some(constraint) => not_kept(&constraint.to_string()),
        None => Ok(()),
    }
}

fn not_kept(what: &str) -> Result<()> {
    Err(Error::new(ErrorKind::Unsupported, format!("{what} is not kept by any table"))
        .hint("a column takes a name and a type; a column `uuid` of texts is the key of a table")
        .into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::sql::sqlparser::dialect::GenericDialect;
    use datafusion::sql::sqlparser::parser::Parser;

    #[test]
    fn what_would_be_forgotten_is_refused() {
        let told = |sql: &str| {
            let statement = Parser::parse_sql(&GenericDialect {}, sql).unwrap().remove(0);
            refuse_what_is_not_kept(&statement).err().map(|e| Error::from(&e).message).unwrap_or_default()
        };
        for (sql, says) in [
            ("CREATE TABLE t (a INT PRIMARY KEY, b VARCHAR)", "PRIMARY KEY of the column a"),
            ("CREATE TABLE t (a INT, b VARCHAR NOT NULL DEFAULT 'x')", "NOT NULL of the column b"),
            ("CREATE TABLE t (a INT DEFAULT 1)", "DEFAULT 1 of the column a"),
            ("CREATE TABLE t (a INT UNIQUE)", "UNIQUE of the column a"),
            ("CREATE TABLE t (a INT CHECK (a > 1))", "CHECK (a > 1) of the column a"),
            ("CREATE TABLE t (a INT, b INT, PRIMARY KEY (a, b))", "PRIMARY KEY (a, b) is not kept"),
        ] {
            assert!(told(sql).starts_with(says), "{sql}: {}", told(sql));
        }
        for fine in ["CREATE TABLE t (a INT, b VARCHAR NULL)", "CREATE TABLE t AS SELECT 1 AS a"] {
            assert_eq!(told(fine), "");
        }
    }
}
