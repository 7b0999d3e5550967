//! The parser around DataFusion's.
//!
//! A text is made into tokens once, and cut into statements at their semicolons. A statement about a table as a whole
//! (RESTORE, OPTIMIZE, tags, COPY … FROM, UNDROP) is read here; any other goes to DataFusion's parser, less what that
//! one does not know: `BY NAME`, which is noted beside the statement, and `usa VERSION AS OF 3`, whose tokens become
//! those of `at_version('usa', 3)`.

use std::path::PathBuf;

use datafusion::common::{DataFusionError, Result};
use datafusion::sql::parser::{DFParserBuilder, ExplainStatement, Statement as Sql};
use datafusion::sql::sqlparser::ast::{self, DescribeAlias};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::tokenizer::{Span, Token, TokenWithSpan, Tokenizer, Word};

use super::{At, ByName, Command, Kind, Missing, Statement};
use crate::error::{Error, ErrorKind, Position};

const RESTORE: &str = "RESTORE TABLE usa TO VERSION AS OF 3, or TO VERSION AS OF 'tag'";
const TAG: &str = "ALTER TABLE usa CREATE [OR REPLACE] TAG name [VERSION AS OF 3], and ALTER TABLE usa DROP TAG name";

/// Parses statements, parted by semicolons; a comment may stand anywhere. `recursion_limit` bounds how deep they nest.
///
/// # Errors
/// If the text is not SQL; the error says where.
pub fn parse(sql: &str, recursion_limit: usize) -> Result<Vec<Statement>> {
    let tokens = Tokenizer::new(&GenericDialect {}, sql)
        .tokenize_with_location()
        .map_err(|e| syntax(e.message, position(Span::new(e.location, e.location))))?;
    let tokens: Vec<TokenWithSpan> =
        tokens.into_iter().filter(|t| !matches!(t.token, Token::Whitespace(_) | Token::EOF)).collect();
    let mut statements = vec![];
    // Each with its semicolon, at which a statement that is cut short is told to end.
    for tokens in tokens.split_inclusive(|t| t.token == Token::SemiColon) {
        statements.extend(statement(tokens, recursion_limit)?);
    }
    Ok(statements)
}

/// The statement that tokens make; `None` for a semicolon alone.
fn statement(tokens: &[TokenWithSpan], recursion_limit: usize) -> Result<Option<Statement>> {
    let Some(first) = tokens.first().filter(|t| t.token != Token::SemiColon) else { return Ok(None) };
    let position = position(first.span).unwrap_or_default();
    let words = || Words::of(tokens);
    let mut explained = words();
    let explain = explained.explain();
    if let Some(command) = command(explained)? {
        return match explain {
            None => Ok(Some(Statement { kind: Kind::Command(command), position })),
            Some(Explain { analyze: false }) => Ok(Some(Statement { kind: Kind::Explain(command), position })),
            Some(Explain { analyze: true }) => Err(syntax(
                format!("EXPLAIN ANALYZE runs queries; {command} is none: EXPLAIN says what it would do"),
                Some(position),
            )),
        };
    }
    let mut tokens = tokens.to_vec();
    let by_name = take_by_name(&mut tokens);
    versions_as_calls(&mut tokens);
    let mut parser =
        DFParserBuilder::new(tokens).with_dialect(&GenericDialect {}).with_recursion_limit(recursion_limit).build()?;
    let mut statements = parser.parse_statements()?;
    let Some(statement) = statements.pop_front() else { return Ok(None) };
    let statement = Box::new(explanation(statement));
    Ok(Some(Statement { kind: Kind::Sql { statement, by_name }, position }))
}

/// sqlparser's EXPLAIN, which stands within PREPARE, as DataFusion's.
pub(crate) fn explanation(statement: Sql) -> Sql {
    let Sql::Statement(inner) = statement else { return statement };
    match *inner {
        ast::Statement::Explain {
            describe_alias: DescribeAlias::Explain, analyze, verbose, statement, format, ..
        } => Sql::Explain(ExplainStatement {
            analyze,
            verbose,
            format: format.map(|f| f.to_string()),
            statement: Box::new(Sql::Statement(statement)),
        }),
        other => Sql::Statement(Box::new(other)),
    }
}

fn position(span: Span) -> Option<Position> {
    Position::of(span.start)
}

fn syntax(message: impl Into<String>, position: Option<Position>) -> DataFusionError {
    Error { position, ..Error::new(ErrorKind::Syntax, message) }.into()
}

/// Whether a token is this word, unquoted.
fn is_word(token: &Token, word: &str) -> bool {
    matches!(token, Token::Word(Word { value, quote_style: None, .. }) if value.eq_ignore_ascii_case(word))
}

/// A word as the name that it is: in small letters where it is not quoted.
fn folded(word: &Word) -> String {
    if word.quote_style.is_some() { word.value.clone() } else { word.value.to_lowercase() }
}

/// Takes `BY NAME [ON MISSING COLUMNS ADD | DROP]` out of an INSERT or REPLACE.
fn take_by_name(tokens: &mut Vec<TokenWithSpan>) -> Option<ByName> {
    let is = |at: usize, word: &str| tokens.get(at).is_some_and(|t| is_word(&t.token, word));
    for into in 1..tokens.len() {
        if !(is(into, "into") && (is(into - 1, "insert") || is(into - 1, "replace"))) {
            continue;
        }
        // The table: words with full stops between them.
        let mut at = into + 1;
        if is(at, "table") && !is(at + 1, "by") {
            at += 1;
        }
        let is_name = |at: usize| tokens.get(at).is_some_and(|t| matches!(t.token, Token::Word(_)));
        if !is_name(at) {
            continue;
        }
        at += 1;
        while tokens.get(at).is_some_and(|t| t.token == Token::Period) && is_name(at + 1) {
            at += 2;
        }
        if !(is(at, "by") && is(at + 1, "name")) {
            continue;
        }
        let (mut end, mut missing) = (at + 2, Missing::Refused);
        if is(end, "on") && is(end + 1, "missing") && is(end + 2, "columns") {
            missing = match (is(end + 3, "add"), is(end + 3, "drop")) {
                (true, _) => Missing::Added,
                (_, true) => Missing::Dropped,
                // Left to the parser, which says that it does not know it.
                _ => continue,
            };
            end += 4;
        }
        tokens.drain(at..end);
        return Some(ByName { missing });
    }
    None
}

/// `usa VERSION AS OF 3` as the tokens of `at_version('usa', 3)`, and with a tag or a parameter likewise.
fn versions_as_calls(tokens: &mut Vec<TokenWithSpan>) {
    let is = |t: &TokenWithSpan, word: &str| is_word(&t.token, word);
    let mut made = Vec::with_capacity(tokens.len());
    let mut rest = std::mem::take(tokens).into_iter().peekable();
    let mut ahead: std::collections::VecDeque<TokenWithSpan> = std::collections::VecDeque::new();
    while let Some(token) = ahead.pop_front().or_else(|| rest.next()) {
        let Token::Word(table) = &token.token else {
            made.push(token);
            continue;
        };
        while ahead.len() < 4 {
            match rest.next() {
                Some(next) => ahead.push_back(next),
                None => break,
            }
        }
        let version = match ahead.make_contiguous() {
            [v, a, o, version] if is(v, "version") && is(a, "as") && is(o, "of") => Some(version.clone()),
            _ => None,
        };
        let is_version =
            |t: &Token| matches!(t, Token::Number(..) | Token::SingleQuotedString(_) | Token::Placeholder(_));
        match version.filter(|v| is_version(&v.token)) {
            Some(version) => {
                ahead.clear();
                let (span, end) = (token.span, version.span);
                let at = |token, span| TokenWithSpan { token, span };
                made.extend([
                    at(Token::make_word("at_version", None), span),
                    at(Token::LParen, span),
                    at(Token::SingleQuotedString(folded(table)), span),
                    at(Token::Comma, end),
                    version,
                    at(Token::RParen, end),
                ]);
            }
            None => made.push(token),
        }
    }
    *tokens = made;
}

struct Explain {
    analyze: bool,
}

/// What is left of a statement.
#[derive(Clone, Copy)]
struct Words<'a> {
    left: &'a [TokenWithSpan],
    /// Where the last word stood that was taken
    at: Option<Position>,
}

impl<'a> Words<'a> {
    /// The words of a statement, less its semicolon.
    fn of(tokens: &'a [TokenWithSpan]) -> Words<'a> {
        let left = match tokens {
            [tokens @ .., last] if last.token == Token::SemiColon => tokens,
            tokens => tokens,
        };
        Words { left, at: None }
    }

    fn next(&mut self) -> Option<&'a Token> {
        let (first, rest) = self.left.split_first()?;
        self.left = rest;
        self.at = position(first.span);
        Some(&first.token)
    }

    /// Takes a word, if it comes next.
    fn take(&mut self, word: &str) -> bool {
        let there = self.left.first().is_some_and(|t| is_word(&t.token, word));
        if there {
            self.next();
        }
        there
    }

    fn is_done(&self) -> bool {
        self.left.is_empty()
    }

    /// Takes `EXPLAIN [ANALYZE] [VERBOSE] [FORMAT tree]`, if it comes next.
    fn explain(&mut self) -> Option<Explain> {
        if !self.take("explain") {
            return None;
        }
        let analyze = self.take("analyze");
        self.take("verbose");
        if self.take("format") {
            self.next();
        }
        Some(Explain { analyze })
    }

    /// A name, in small letters where it is not quoted.
    fn name(&mut self) -> Option<String> {
        match self.next()? {
            Token::Word(word) => Some(folded(word)),
            _ => None,
        }
    }

    /// A tag: a name, or a text.
    fn label(&mut self) -> Option<String> {
        if let Some(Token::SingleQuotedString(text)) = self.left.first().map(|t| &t.token) {
            self.next();
            return Some(text.clone());
        }
        self.name()
    }

    /// `VERSION AS OF 3`, or the version alone.
    fn version(&mut self) -> Option<At> {
        if self.take("version") && self.take("as") {
            self.take("of");
        }
        match self.next()? {
            Token::Number(number, _) => number.parse().ok().map(At::Version),
            Token::SingleQuotedString(tag) => Some(At::named(tag)),
            _ => None,
        }
    }

    fn expected<T>(&self, what: String) -> Result<T> {
        Err(syntax(what, self.at))
    }
}

/// The statement about a table as a whole, if it is one.
///
/// # Errors
/// If it begins like such a statement and goes on otherwise.
fn command(mut words: Words<'_>) -> Result<Option<Command>> {
    if words.take("optimize") {
        words.take("table");
        return match (words.name(), words.is_done()) {
            (Some(table), true) => Ok(Some(Command::Optimize { table })),
            _ => words.expected("OPTIMIZE takes a table: OPTIMIZE usa".into()),
        };
    }
    if words.take("undrop") {
        let there = words.take("table");
        return match (there, words.name(), words.is_done()) {
            (true, Some(table), true) => Ok(Some(Command::Undrop { table })),
            _ => words.expected("a table that was dropped comes back by UNDROP TABLE usa".into()),
        };
    }
    if words.take("restore") {
        words.take("table");
        let table = words.name();
        words.take("to");
        return match (table, words.version(), words.is_done()) {
            (Some(table), Some(at), true) => Ok(Some(Command::Restore { table, at })),
            _ => words.expected(format!("a table goes back to a version by {RESTORE}")),
        };
    }
    if words.take("rollback") && !words.is_done() && (words.take("table") || words.name().is_some()) {
        return words.expected(format!("a table goes back to a version by {RESTORE}"));
    }
    if words.take("copy") {
        let Some(table) = words.name() else { return Ok(None) };
        if !words.take("from") {
            return Ok(None);
        }
        return files(words, table).map(Some);
    }
    if !(words.take("alter") && words.take("table")) {
        return Ok(None);
    }
    let Some(table) = words.name() else { return Ok(None) };
    if words.take("restore") || words.take("rollback") {
        return words.expected(format!("a table goes back to a version by {RESTORE}"));
    }
    if words.take("create") {
        let replace = words.take("or") && words.take("replace");
        let tag = if words.take("tag") { words.label() } else { None };
        let at = match words.is_done() {
            true => Some(None),
            false => words.version().map(Some),
        };
        return match (tag, at, words.is_done()) {
            (Some(tag), Some(at), true) => Ok(Some(Command::CreateTag { table, tag, at, replace })),
            _ => words.expected(format!("a version gets a name by {TAG}")),
        };
    }
    if words.take("drop") && words.take("tag") {
        return match (words.label(), words.is_done()) {
            (Some(tag), true) => Ok(Some(Command::DropTag { table, tag })),
            _ => words.expected("a version loses a name by ALTER TABLE usa DROP TAG name".into()),
        };
    }
    Ok(None)
}

/// The files of `COPY usa FROM 'a.csv', 'b.csv'`.
fn files(mut words: Words<'_>, table: String) -> Result<Command> {
    let mut files = vec![];
    loop {
        match words.next() {
            Some(Token::SingleQuotedString(file)) => files.push(PathBuf::from(file)),
            _ => return words.expected(format!("COPY takes files in quotes: COPY {table} FROM 'people.parquet'")),
        }
        match words.next() {
            None => return Ok(Command::Import { table, files }),
            Some(Token::Comma) => {}
            Some(_) => {
                return words.expected(
                    "COPY … FROM takes files and nothing else; `populace import` maps columns and meets broken values"
                        .into(),
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;

    use super::*;
    use datafusion::sql::sqlparser::ast::{Value, ValueWithSpan, VisitMut, VisitorMut};
    use proptest::prelude::*;

    use crate::sql::{quoted_name, quoted_text};

    fn parsed(sql: &str) -> Vec<Statement> {
        parse(sql, 50).unwrap_or_else(|e| panic!("{sql}: {e}"))
    }

    /// The statements, with `x` in the place of every text; sqlparser writes texts with two quotes in a row otherwise
    /// than it reads them.
    fn shape(sql: &str) -> Vec<Kind> {
        struct Texts;
        impl VisitorMut for Texts {
            type Break = ();
            fn pre_visit_value(&mut self, value: &mut ValueWithSpan) -> ControlFlow<()> {
                if matches!(value.value, Value::SingleQuotedString(_)) {
                    *value = Value::SingleQuotedString("x".into()).into();
                }
                ControlFlow::Continue(())
            }
        }
        let x = || "x".to_string();
        let kinds = parsed(sql).into_iter().map(|s| match s.kind {
            Kind::Sql { mut statement, by_name } => {
                if let Some(inner) = crate::sql::explained(&mut statement) {
                    let _: ControlFlow<()> = VisitMut::visit(inner, &mut Texts);
                }
                Kind::Sql { statement, by_name }
            }
            Kind::Command(Command::Restore { table, .. }) => {
                Kind::Command(Command::Restore { table, at: At::Tag(x()) })
            }
            Kind::Command(Command::DropTag { table, .. }) => Kind::Command(Command::DropTag { table, tag: x() }),
            Kind::Command(Command::CreateTag { table, at, replace, .. }) => {
                Kind::Command(Command::CreateTag { table, tag: x(), at, replace })
            }
            Kind::Command(Command::Import { table, files }) => {
                Kind::Command(Command::Import { table, files: vec![x().into(); files.len()] })
            }
            other => other,
        });
        kinds.collect()
    }

    #[test]
    fn statements_about_tables_are_read() {
        let (usa, tag) = (|| "usa".to_string(), |t: &str| At::Tag(t.into()));
        for (sql, expected) in [
            ("RESTORE TABLE Usa TO VERSION AS OF 3", Command::Restore { table: usa(), at: At::Version(3) }),
            (
                "restore table \"Usa\" to version as of 'be''fore';",
                Command::Restore { table: "Usa".into(), at: tag("be'fore") },
            ),
            (
                "ALTER TABLE usa CREATE TAG checked",
                Command::CreateTag { table: usa(), tag: "checked".into(), at: None, replace: false },
            ),
            (
                "ALTER TABLE usa CREATE OR REPLACE TAG v1 VERSION AS OF 2",
                Command::CreateTag { table: usa(), tag: "v1".into(), at: Some(At::Version(2)), replace: true },
            ),
            ("ALTER TABLE usa DROP TAG 'v1.0'", Command::DropTag { table: usa(), tag: "v1.0".into() }),
            ("OPTIMIZE usa", Command::Optimize { table: usa() }),
            ("UNDROP TABLE usa", Command::Undrop { table: usa() }),
            (
                "-- so\nCOPY usa FROM 'a.csv', 'b.csv'",
                Command::Import { table: usa(), files: vec!["a.csv".into(), "b.csv".into()] },
            ),
        ] {
            let [statement] = &parsed(sql)[..] else { panic!("{sql}: not one statement") };
            assert_eq!(statement.kind, Kind::Command(expected), "{sql}");
            let [again] = &parsed(&statement.to_string())[..] else { panic!("{statement}") };
            assert_eq!(again.kind, statement.kind);
            let [explained] = &parsed(&format!("EXPLAIN {sql}"))[..] else { panic!("{sql}") };
            assert!(matches!(&explained.kind, Kind::Explain(_)), "{sql}");
        }
        for same in [
            "SELECT restore FROM usa",
            "ALTER TABLE usa ADD COLUMN tag VARCHAR",
            "ALTER TABLE usa DROP COLUMN tag",
            "COPY usa TO 'x.csv'",
            "COPY (SELECT 1) TO 'x.csv'",
            "ROLLBACK",
            "CREATE TABLE restore AS SELECT 1 AS x",
        ] {
            assert!(matches!(&parsed(same)[..], [Statement { kind: Kind::Sql { .. }, .. }]), "{same}");
        }
    }

    #[test]
    fn others_are_told_what_to_write() {
        for (sql, says) in [
            ("ALTER TABLE usa RESTORE VERSION 3", "RESTORE TABLE usa TO VERSION AS OF 3"),
            ("RESTORE usa", "RESTORE TABLE usa TO VERSION AS OF 3"),
            ("ROLLBACK TABLE usa TO VERSION 3", "RESTORE TABLE"),
            ("ALTER TABLE usa CREATE BRANCH b", "CREATE [OR REPLACE] TAG"),
            ("OPTIMIZE", "OPTIMIZE usa"),
            ("UNDROP usa", "UNDROP TABLE usa"),
            ("COPY usa FROM STDIN", "in quotes"),
            ("COPY usa FROM 'a.csv' WITH CSV", "populace import"),
            ("EXPLAIN ANALYZE OPTIMIZE usa", "EXPLAIN says what it would do"),
        ] {
            let error = parse(sql, 50).unwrap_err().to_string();
            assert!(error.contains(says), "{sql}: {error}");
        }
    }

    #[test]
    fn by_name_is_taken_from_what_is_inserted_alone() {
        let by_name = |sql: &str| match &parsed(sql)[..] {
            [Statement { kind: Kind::Sql { statement, by_name }, .. }] => (statement.to_string(), *by_name),
            other => panic!("{sql}: {other:?}"),
        };
        let refused = Some(ByName { missing: Missing::Refused });
        for (sql, rest, taken) in [
            ("INSERT INTO t BY NAME SELECT 1 AS a", "INSERT INTO t SELECT 1 AS a", refused),
            ("-- é\ninsert into a.\"b c\" by\nname SELECT 'é'", "INSERT INTO a.\"b c\" SELECT 'é'", refused),
            ("REPLACE INTO t BY NAME SELECT 1 AS a", "REPLACE INTO t SELECT 1 AS a", refused),
            ("EXPLAIN INSERT INTO t BY NAME SELECT 1 AS a", "EXPLAIN INSERT INTO t SELECT 1 AS a", refused),
            (
                "INSERT INTO t BY NAME ON MISSING COLUMNS ADD SELECT 1 AS a",
                "INSERT INTO t SELECT 1 AS a",
                Some(ByName { missing: Missing::Added }),
            ),
            (
                "INSERT INTO t BY NAME ON MISSING COLUMNS DROP SELECT 1 AS a",
                "INSERT INTO t SELECT 1 AS a",
                Some(ByName { missing: Missing::Dropped }),
            ),
            ("SELECT * FROM t ORDER BY name", "SELECT * FROM t ORDER BY name", None),
            ("SELECT 'INSERT INTO t BY NAME'", "SELECT 'INSERT INTO t BY NAME'", None),
        ] {
            let (text, found) = by_name(sql);
            assert_eq!((text.split_whitespace().collect::<Vec<_>>().join(" ").as_str(), found), (rest, taken), "{sql}");
        }
        assert!(parse("INSERT INTO t BY NAME ON MISSING COLUMNS IGNORE SELECT 1", 50).is_err());
    }

    #[test]
    fn versions_are_arguments() {
        for (sql, expected) in [
            ("SELECT * FROM usa VERSION AS OF 3 WHERE x", "SELECT * FROM at_version('usa', 3) WHERE x"),
            ("SELECT 1 FROM Usa version as of 12", "SELECT 1 FROM at_version('usa', 12)"),
            ("SELECT 1 FROM \"a\"\"b\" VERSION AS OF 'v''1' AS t", "SELECT 1 FROM at_version('a\"b', 'v''1') AS t"),
            ("SELECT 1 FROM usa VERSION AS OF $1 before", "SELECT 1 FROM at_version('usa', $1) AS before"),
            ("SELECT 'usa VERSION AS OF 3'", "SELECT 'usa VERSION AS OF 3'"),
        ] {
            let text = parsed(sql)[0].to_string();
            assert_eq!(text.replace(" before", " AS before").replace("AS AS", "AS"), expected);
        }
        assert!(parse("SELECT version AS of FROM t", 50).is_ok());
    }

    #[test]
    fn comments_begin_statements_and_semicolons_end_them() {
        for (sql, count) in [
            ("-- so\nSELECT 1", 1),
            ("/* a; b */ SELECT 1; -- then\n SELECT ';'", 2),
            (";;SELECT 1;;", 1),
            ("-- nothing", 0),
            ("", 0),
        ] {
            assert_eq!(parsed(sql).len(), count, "{sql}");
        }
        let [_, second] = &parsed("SELECT 1;\n\n  SELECT 2")[..] else { panic!("two statements") };
        assert_eq!((second.position.line, second.position.column), (3, 3));
    }

    #[test]
    fn errors_point_into_what_was_written() {
        for (sql, line, column) in [
            ("INSERT INTO t BY NAME\n  SELECT 1 +;", 2, 13),
            ("SELECT 1;\nSELECT 1 FROM usa VERSION AS OF 3 WHERE )", 2, 41),
            ("SELECT 1;\nOPTIMIZE usa now", 2, 10),
            ("SELECT 'abc", 1, 8),
        ] {
            let error = Error::from(&parse(sql, 50).unwrap_err());
            let position = error.position.unwrap_or_else(|| panic!("{sql}: {error}"));
            assert_eq!((position.line, position.column), (line, column), "{sql}: {error}");
            assert_eq!(error.kind, ErrorKind::Syntax);
        }
    }

    proptest! {
        // 1.2: what stands in a literal or in quotes changes no statement's shape.
        #[test]
        fn any_literal_leaves_statements_their_shape(text in any::<String>()) {
            let quoted = quoted_text(&text);
            for sql in [
                "SELECT a FROM t VERSION AS OF TEXT",
                "SELECT a FROM at_version('t', TEXT)",
                "RESTORE TABLE t TO VERSION AS OF TEXT",
                "ALTER TABLE t CREATE TAG TEXT",
                "ALTER TABLE t DROP TAG TEXT",
                "COPY t FROM TEXT",
                "INSERT INTO t BY NAME SELECT TEXT AS a",
                "UPDATE t SET a = TEXT WHERE b = TEXT",
                "EXPLAIN DELETE FROM t WHERE b = TEXT",
                "PREPARE p AS SELECT TEXT",
            ] {
                let (with, other) = (shape(&sql.replace("TEXT", &quoted)), shape(&sql.replace("TEXT", "'x'")));
                prop_assert_eq!(with.len(), 1);
                prop_assert_eq!(with, other);
            }
        }

        #[test]
        fn any_name_leaves_statements_their_shape(name in "[^\0]+") {
            let quoted = quoted_name(&name);
            for sql in [
                "SELECT NAME FROM NAME VERSION AS OF 3",
                "INSERT INTO NAME BY NAME SELECT 1 AS NAME",
                "RESTORE TABLE NAME TO VERSION AS OF 3",
                "OPTIMIZE NAME",
                "UNDROP TABLE NAME",
                "SELECT self_similarity(NAME) FROM usa",
            ] {
                // The name of BY NAME is none.
                let sql = sql.replace("BY NAME", "BY_").replace("NAME", &quoted).replace("BY_", "BY NAME");
                prop_assert_eq!(parsed(&sql).len(), 1);
            }
        }

        // Whatever is typed: an answer or an error, no panic.
        #[test]
        fn no_text_ends_the_parser(sql in "([A-Za-z]{1,8}|[ \n;,.()'\"$@*=<>-]|[0-9]{1,3}|VERSION AS OF|BY NAME|INSERT INTO|é){0,40}") {
            _ = parse(&sql, 50);
        }
    }
}
