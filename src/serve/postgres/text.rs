//! What clients send as SQL: cut at semicolons, with those statements apart that are of the connection and not of the
//! database.

use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer, Word};

use super::copy::Copy;
use crate::engine::Error;

/// A statement of a text.
#[derive(Debug, Clone)]
pub(super) struct Piece {
    pub text: String,
    /// Characters of the text before it
    pub before: usize,
    pub what: What,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum What {
    Control(Control),
    Copy(Copy),
    /// What the engine is asked
    Sql,
}

/// What is of the connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Control {
    Begin,
    Commit,
    Rollback,
    /// SAVEPOINT and RELEASE
    Savepoint(&'static str),
    RollbackTo,
    Set {
        name: String,
        value: Option<String>,
    },
    Show(String),
    /// `DISCARD ALL`, or of something
    Discard {
        all: bool,
    },
    Deallocate(Option<String>),
    /// CLOSE of a cursor, or of all
    Close(Option<String>),
    Declare {
        name: String,
        query: String,
    },
    Fetch {
        name: String,
        rows: Option<u64>,
        moves: bool,
    },
    /// What has nothing to do here: its tag
    Nothing(&'static str),
}

/// The statements of a text.
///
/// # Errors
/// If it cannot be cut: a text within it has no end.
pub(super) fn pieces(sql: &str) -> Result<Vec<Piece>, Error> {
    let tokens = match Tokenizer::new(&GenericDialect {}, sql).tokenize_with_location() {
        Ok(tokens) => tokens,
        // The engine's own parser tells where.
        Err(_) => return crate::sql::parse(sql, 50).map(|_| vec![]).map_err(|e| Error::from(&e)),
    };
    // Where each begins, in bytes and in characters.
    let mut placed = Vec::with_capacity(tokens.len());
    let mut waiting = tokens.iter().peekable();
    let (mut line, mut column) = (1, 1);
    for (characters, (byte, c)) in sql.char_indices().enumerate() {
        while let Some(token) =
            waiting.next_if(|t| (t.span.start.line, t.span.start.column) <= (line, column) && t.token != Token::EOF)
        {
            placed.push(Placed { token: &token.token, byte, characters });
        }
        (line, column) = if c == '\n' { (line + 1, 1) } else { (line, column + 1) };
    }
    let mut pieces = vec![];
    for tokens in placed.split_inclusive(|t| *t.token == Token::SemiColon) {
        let end = tokens.last().filter(|t| *t.token == Token::SemiColon).map_or(sql.len(), |t| t.byte);
        let Some(first) = tokens.first() else { continue };
        let words: Vec<Placed> = tokens.iter().filter(|t| !matches!(t.token, Token::Whitespace(_))).copied().collect();
        if words.first().is_some_and(|t| *t.token != Token::SemiColon) {
            let text = sql.get(first.byte..end).unwrap_or_default().to_string();
            let words: Vec<Placed> = words.into_iter().filter(|t| *t.token != Token::SemiColon).collect();
            let what = what(Words { left: &words, sql, begin: first.byte, end });
            pieces.push(Piece { text, before: first.characters, what });
        }
    }
    Ok(pieces)
}

/// A token and where it begins.
#[derive(Debug, Clone, Copy)]
struct Placed<'a> {
    token: &'a Token,
    byte: usize,
    characters: usize,
}

/// What is left of a statement.
#[derive(Clone, Copy)]
pub(super) struct Words<'a> {
    left: &'a [Placed<'a>],
    sql: &'a str,
    /// Where it begins
    begin: usize,
    /// Where it ends
    end: usize,
}

impl<'a> Words<'a> {
    pub fn next(&mut self) -> Option<&'a Token> {
        let (first, rest) = self.left.split_first()?;
        self.left = rest;
        Some(first.token)
    }

    pub fn peek(&self) -> Option<&'a Token> {
        self.left.first().map(|t| t.token)
    }

    /// Takes a word, if it comes next.
    pub fn take(&mut self, word: &str) -> bool {
        let there = matches!(self.peek(), Some(Token::Word(Word { value, quote_style: None, .. }))
            if value.eq_ignore_ascii_case(word));
        if there {
            self.next();
        }
        there
    }

    /// Takes a token, if it comes next.
    pub fn take_token(&mut self, token: &Token) -> bool {
        let there = self.peek() == Some(token);
        if there {
            self.next();
        }
        there
    }

    pub fn is_done(&self) -> bool {
        self.left.is_empty()
    }

    /// A name, in small letters where it is not quoted.
    pub fn name(&mut self) -> Option<String> {
        match self.next()? {
            Token::Word(word) if word.quote_style.is_some() => Some(word.value.clone()),
            Token::Word(word) => Some(word.value.to_lowercase()),
            _ => None,
        }
    }

    /// A name of several parts: `a.b`.
    pub fn path(&mut self) -> Option<String> {
        let mut path = self.name()?;
        while self.take_token(&Token::Period) {
            path = path + "." + &self.name()?;
        }
        Some(path)
    }

    /// What follows up to the bracket that closes the one that was taken, as it was written and where.
    pub fn within(&mut self) -> Option<String> {
        let from = self.left.first()?.byte;
        let mut depth = 0_usize;
        loop {
            let first = *self.left.first()?;
            self.next();
            match first.token {
                Token::LParen => depth += 1,
                Token::RParen if depth == 0 => return self.in_place(from, first.byte),
                Token::RParen => depth -= 1,
                _ => {}
            }
        }
    }

    /// All that follows, as it was written and where.
    pub fn rest(&self) -> Option<String> {
        self.in_place(self.left.first()?.byte, self.end)
    }

    /// A part of the statement after as many blanks as there are characters before it, so that places in it are places
    /// in the statement.
    fn in_place(&self, from: usize, to: usize) -> Option<String> {
        let blank = |c: char| if c == '\n' { '\n' } else { ' ' };
        let before: String = self.sql.get(self.begin..from)?.chars().map(blank).collect();
        Some(before + self.sql.get(from..to)?)
    }
}

/// What a statement is.
fn what(words: Words<'_>) -> What {
    match control(words) {
        Some(control) => What::Control(control),
        None => super::copy::read(words).map_or(What::Sql, What::Copy),
    }
}

fn control(mut words: Words<'_>) -> Option<Control> {
    let first = match words.next()? {
        Token::Word(word) if word.quote_style.is_none() => word.value.to_lowercase(),
        _ => return None,
    };
    Some(match first.as_str() {
        "begin" => Control::Begin,
        "start" if words.take("transaction") => Control::Begin,
        "commit" | "end" => Control::Commit,
        "abort" => Control::Rollback,
        "rollback" => {
            _ = words.take("work") || words.take("transaction");
            match words.take("to") {
                true => Control::RollbackTo,
                // ROLLBACK TABLE … is told what to write instead.
                false if !words.is_done() && !words.take("and") => return None,
                false => Control::Rollback,
            }
        }
        "savepoint" => Control::Savepoint("SAVEPOINT"),
        "release" => Control::Savepoint("RELEASE"),
        "set" => return set(words),
        "reset" => match words.path() {
            Some(name) if name.starts_with("datafusion.") => return None,
            Some(name) => Control::Set { name, value: None },
            None => return None,
        },
        "show" => {
            let name = match () {
                () if words.take("transaction") => "transaction_isolation".into(),
                () if words.take("time") => "timezone".into(),
                () => words.path()?,
            };
            match super::settings::is_known(&name) || name == "all" {
                true => Control::Show(name),
                false => return None,
            }
        }
        "discard" => Control::Discard { all: words.take("all") },
        "deallocate" => {
            words.take("prepare");
            Control::Deallocate(Some(words.name()?).filter(|name| name != "all"))
        }
        "close" => Control::Close(Some(words.name()?).filter(|name| name != "all")),
        "declare" => {
            let name = words.name()?;
            // BINARY, INSENSITIVE, NO SCROLL CURSOR WITH HOLD: rows come once, and forwards, whatever is asked.
            while !words.take("for") {
                words.next()?;
            }
            Control::Declare { name, query: words.rest()? }
        }
        "fetch" | "move" => {
            let mut rows = Some(1);
            _ = words.take("forward") || words.take("next");
            match words.peek() {
                Some(Token::Number(number, _)) => {
                    rows = Some(number.parse().ok()?);
                    words.next();
                }
                _ if words.take("all") => rows = None,
                _ => {}
            }
            _ = words.take("from") || words.take("in");
            Control::Fetch { name: words.name()?, rows, moves: first == "move" }
        }
        "listen" => Control::Nothing("LISTEN"),
        "unlisten" => Control::Nothing("UNLISTEN"),
        "lock" => Control::Nothing("LOCK TABLE"),
        _ => return None,
    })
}

/// `SET [SESSION | LOCAL] name = value`.
fn set(mut words: Words<'_>) -> Option<Control> {
    if words.take("transaction") {
        return Some(Control::Nothing("SET"));
    }
    if words.take("session") && words.take("characteristics") {
        return Some(Control::Nothing("SET"));
    }
    words.take("local");
    let name = match () {
        () if words.take("time") && words.take("zone") => "timezone".to_string(),
        () if words.take("names") => "client_encoding".to_string(),
        () => {
            let name = words.path()?;
            // The engine's own settings, which not everybody may set.
            if name.starts_with("datafusion.") || !(words.take("to") || words.take_token(&Token::Eq)) {
                return None;
            }
            name
        }
    };
    let mut value: Option<String> = None;
    while let Some(token) = words.next() {
        let part = match token {
            Token::Word(word) if word.quote_style.is_none() && word.value.eq_ignore_ascii_case("default") => break,
            Token::Word(word) => word.value.clone(),
            Token::SingleQuotedString(text) => text.clone(),
            other => other.to_string(),
        };
        value = Some(value.map_or(String::new(), |value| if part == "," { value } else { value + " " }) + &part);
    }
    Some(Control::Set { name, value })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn one(sql: &str) -> What {
        let mut pieces = pieces(sql).unwrap();
        assert_eq!(pieces.len(), 1, "{sql}");
        pieces.remove(0).what
    }

    #[test]
    fn texts_are_cut_at_their_semicolons() {
        let cut = pieces(";SELECT 'é;'; -- a; b\n BEGIN ;;").unwrap();
        let cut: Vec<(&str, usize)> = cut.iter().map(|p| (p.text.as_str(), p.before)).collect();
        assert_eq!(cut, [("SELECT 'é;'", 1), (" -- a; b\n BEGIN ", 13)]);
        assert!(pieces("-- nothing").unwrap().is_empty());
        assert!(pieces("SELECT 'abc").unwrap_err().position.is_some());
    }

    #[test]
    fn what_is_of_the_connection_is_told_from_what_is_of_the_database() {
        let set = |name: &str, value: Option<&str>| {
            What::Control(Control::Set { name: name.into(), value: value.map(String::from) })
        };
        for (sql, expected) in [
            ("begin isolation level serializable", What::Control(Control::Begin)),
            ("ROLLBACK", What::Control(Control::Rollback)),
            ("ROLLBACK TO SAVEPOINT a", What::Control(Control::RollbackTo)),
            ("ROLLBACK TABLE usa TO VERSION 3", What::Sql),
            ("SET extra_float_digits = 3", set("extra_float_digits", Some("3"))),
            ("SET DateStyle TO ISO, MDY", set("datestyle", Some("ISO, MDY"))),
            ("SET SESSION TIME ZONE 'UTC'", set("timezone", Some("UTC"))),
            ("SET datafusion.execution.batch_size = 7", What::Sql),
            ("RESET ALL", set("all", None)),
            ("SHOW server_version", What::Control(Control::Show("server_version".into()))),
            ("SHOW TABLES", What::Sql),
            ("DEALLOCATE ALL", What::Control(Control::Deallocate(None))),
            (
                "DECLARE c NO SCROLL CURSOR FOR SELECT 1",
                What::Control(Control::Declare { name: "c".into(), query: " ".repeat(31) + "SELECT 1" }),
            ),
            ("FETCH FORWARD 5 FROM c", What::Control(Control::Fetch { name: "c".into(), rows: Some(5), moves: false })),
            ("SELECT 1", What::Sql),
            ("UPDATE t SET a = 1", What::Sql),
        ] {
            assert_eq!(one(sql), expected, "{sql}");
        }
    }

    proptest! {
        #[test]
        fn no_text_ends_the_cutter(sql in "([A-Za-z]{1,8}|[ \n;,.()'\"$=*-]|COPY|STDIN|DECLARE|FETCH|SET|é){0,30}") {
            _ = pieces(&sql);
        }
    }
}
