//! SQL as people write it: a parser around DataFusion's, as DataFusion's is one around sqlparser.
//!
//! It may touch the text and its syntax trees alone, no session and no table; the engine plans and runs what comes out.
//! No text is edited on the way: what DataFusion's parser does not know is taken out of the tokens before it sees them,
//! so that a literal stays a literal, and errors point into what was written.

pub mod access;
mod columns;
mod forms;
mod parameters;
mod parser;
mod quote;

use std::fmt;
use std::path::PathBuf;

use datafusion::sql::parser::Statement as Sql;
use datafusion::sql::sqlparser::ast;

pub use access::{Access, Files, Models, Needs, Scope};
pub use parameters::Parameter;
pub use parser::parse;
pub use quote::{expression_text, quoted_name, quoted_text};

pub(crate) use columns::refuse_what_is_not_kept;
pub(crate) use forms::{
    changes_tables, check_place, explained, is_show_tables, named_tables, own_tables, query, refuse_unsupported,
    versions_as_tables, without_aliases, writes_people,
};
pub(crate) use parameters::{Prepared, execution};
pub(crate) use parser::explanation;
pub(crate) use quote::{identifier, statement_text};

use crate::error::Position;

/// A statement, parsed; nothing of it has run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    pub(crate) kind: Kind,
    /// Where it begins in the text that was parsed
    pub position: Position,
}

impl Statement {
    /// Whether it is a query, which reads and nothing else.
    pub fn is_query(&self) -> bool {
        let Kind::Sql { statement, .. } = &self.kind else { return false };
        matches!(statement.as_ref(), Sql::Statement(query) if matches!(query.as_ref(), ast::Statement::Query(_)))
    }

    /// A statement that somebody else has parsed.
    pub(crate) fn of_sql(statement: Sql) -> Statement {
        Statement { kind: Kind::Sql { statement: Box::new(statement), by_name: None }, position: Position::default() }
    }

    /// Whether it makes a table of the rows of a query.
    pub(crate) fn is_of_query(&self) -> bool {
        let Kind::Sql { statement, .. } = &self.kind else { return false };
        matches!(statement.as_ref(), Sql::Statement(statement)
            if matches!(statement.as_ref(), ast::Statement::CreateTable(create) if create.query.is_some()))
    }

    /// The same with a seed for each draw that names none, as a text that draws the same people whenever it runs; `None`
    /// where there is no such draw, or it has no text.
    pub(crate) fn seeded(&self) -> Option<String> {
        let Kind::Sql { statement, by_name: None } = &self.kind else { return None };
        let mut seeded = statement.as_ref().clone();
        populace_udfs::with_seeds(explained(&mut seeded)?);
        if seeded == **statement { None } else { statement_text(&seeded) }
    }

    /// A text that is the same statement when it is read again, if there is one.
    pub(crate) fn text(&self) -> Option<String> {
        match &self.kind {
            Kind::Sql { statement, by_name: None } => statement_text(statement),
            _ => None,
        }
    }

    /// What it is in a word, for whoever follows what a program does: none of its texts.
    pub fn name(&self) -> &'static str {
        match &self.kind {
            Kind::Command(_) => "command",
            Kind::Explain(_) => "explain",
            Kind::Sql { statement, .. } => match statement.as_ref() {
                Sql::Statement(statement) => match statement.as_ref() {
                    ast::Statement::Query(_) => "query",
                    ast::Statement::Insert(_) => "insert",
                    ast::Statement::Update(_) => "update",
                    ast::Statement::Delete(_) => "delete",
                    ast::Statement::CreateTable(_) => "create table",
                    ast::Statement::CreateView(_) => "create view",
                    ast::Statement::Drop { .. } => "drop",
                    ast::Statement::AlterTable(_) => "alter table",
                    ast::Statement::Prepare { .. } => "prepare",
                    ast::Statement::Execute { .. } => "execute",
                    ast::Statement::Set(_) => "set",
                    _ => "statement",
                },
                Sql::Explain(_) => "explain",
                Sql::CopyTo(_) => "copy",
                Sql::CreateExternalTable(_) => "create external table",
                Sql::Reset(_) => "reset",
            },
        }
    }

    /// Whether it adds rows to a table: people are committed as they come, all else at once.
    pub(crate) fn appends(&self) -> bool {
        matches!(&self.kind, Kind::Sql { statement, .. } if appends(statement))
    }
}

/// Whether a statement adds rows to a table.
pub(crate) fn appends(statement: &Sql) -> bool {
    let Sql::Statement(statement) = statement else { return false };
    matches!(statement.as_ref(), ast::Statement::Insert(insert) if !insert.replace_into)
}

/// What a statement is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    /// What DataFusion's parser knows
    Sql { statement: Box<Sql>, by_name: Option<ByName> },
    /// What it does not know: statements about a table as a whole
    Command(Command),
    /// EXPLAIN of such a one
    Explain(Command),
}

/// `INSERT INTO t BY NAME SELECT …`: columns go by their names, not by their places.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ByName {
    pub missing: Missing,
}

/// What becomes of columns that the query has and the table has not: `ON MISSING COLUMNS ADD` or `DROP`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Missing {
    #[default]
    Refused,
    Added,
    Dropped,
}

/// A statement about a table as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// `RESTORE TABLE usa TO VERSION AS OF 3`, or `'tag'`
    Restore { table: String, at: At },
    /// `ALTER TABLE usa CREATE [OR REPLACE] TAG checked [VERSION AS OF 3]`
    CreateTag { table: String, tag: String, at: Option<At>, replace: bool },
    /// `ALTER TABLE usa DROP TAG checked`
    DropTag { table: String, tag: String },
    /// `OPTIMIZE [TABLE] usa`
    Optimize { table: String },
    /// `COPY usa FROM 'people.parquet'`
    Import { table: String, files: Vec<PathBuf> },
    /// `UNDROP TABLE usa`
    Undrop { table: String },
}

impl Command {
    /// The table that it is about.
    pub fn table(&self) -> &str {
        match self {
            Command::Restore { table, .. }
            | Command::CreateTag { table, .. }
            | Command::DropTag { table, .. }
            | Command::Optimize { table }
            | Command::Import { table, .. }
            | Command::Undrop { table } => table,
        }
    }

    /// What it would do, in a sentence.
    pub(crate) fn does(&self) -> String {
        match self {
            Command::Restore { table, at } => format!("{table} becomes what it was at {at}, as a new version"),
            Command::CreateTag { table, tag, at: Some(at), .. } => format!("{tag} becomes a name of {table} at {at}"),
            Command::CreateTag { table, tag, .. } => format!("{tag} becomes a name of the newest version of {table}"),
            Command::DropTag { table, tag } => format!("{tag} is no tag of {table} any more; its version stays"),
            Command::Optimize { table } => format!(
                "small files of {table} are written together, its indexes brought up to date, versions older than a \
                 week removed"
            ),
            Command::Import { table, files } => {
                let files: Vec<String> = files.iter().map(|f| f.display().to_string()).collect();
                format!("the rows of {} are written into {table}", files.join(", "))
            }
            Command::Undrop { table } => format!("{table} is what it was when it was dropped"),
        }
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = |at: &At| match at {
            At::Version(version) => format!("VERSION AS OF {version}"),
            At::Tag(tag) => format!("VERSION AS OF {}", quoted_text(tag)),
        };
        let name = |name: &str| identifier(name).unwrap_or_else(|_| quoted_name(name));
        let table = name(self.table());
        match self {
            Command::Restore { at: to, .. } => write!(f, "RESTORE TABLE {table} TO {}", at(to)),
            Command::CreateTag { tag, at: of, replace, .. } => {
                let or_replace = if *replace { "OR REPLACE " } else { "" };
                write!(f, "ALTER TABLE {table} CREATE {or_replace}TAG {}", quoted_text(tag))?;
                of.as_ref().map_or(Ok(()), |of| write!(f, " {}", at(of)))
            }
            Command::DropTag { tag, .. } => write!(f, "ALTER TABLE {table} DROP TAG {}", quoted_text(tag)),
            Command::Optimize { .. } => write!(f, "OPTIMIZE {table}"),
            Command::Import { files, .. } => {
                let files: Vec<String> = files.iter().map(|f| quoted_text(&f.to_string_lossy())).collect();
                write!(f, "COPY {table} FROM {}", files.join(", "))
            }
            Command::Undrop { .. } => write!(f, "UNDROP TABLE {table}"),
        }
    }
}

/// A version of a table: by its number, or by a tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum At {
    Version(u64),
    Tag(String),
}

impl At {
    /// What stands after the @ of a table's name.
    pub fn named(text: &str) -> At {
        text.parse().map_or_else(|_| At::Tag(text.into()), At::Version)
    }
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            At::Version(version) => write!(f, "version {version}"),
            At::Tag(tag) => write!(f, "the tag {tag}"),
        }
    }
}

impl fmt::Display for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Sql { statement, .. } => statement.fmt(f),
            Kind::Command(command) => command.fmt(f),
            Kind::Explain(command) => write!(f, "EXPLAIN {command}"),
        }
    }
}
