//! COPY: rows to the client, and rows from it.

use datafusion::sql::sqlparser::tokenizer::Token;

use super::text::Words;

/// `COPY … TO STDOUT` or `COPY … FROM STDIN`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Copy {
    pub what: Copied,
    pub format: Format,
    /// What stands between values
    pub delimiter: u8,
    /// What stands for no value
    pub null: String,
    /// Whether the first line has the names of the columns
    pub header: bool,
    /// What is asked for that is not known
    pub unknown: Option<String>,
}

/// How far a line was looked through for its end.
#[derive(Debug, Default)]
pub(super) struct Looked {
    at: usize,
    quoted: bool,
    escaped: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Copied {
    /// The rows of a query
    Out(String),
    /// Into a table, or these columns of it
    In { table: String, columns: Vec<String> },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Text,
    Csv,
    Binary,
}

/// The COPY that a statement is, if it goes to or comes from the client.
pub(super) fn read(mut words: Words<'_>) -> Option<Copy> {
    if !words.take("copy") {
        return None;
    }
    let what = if words.take_token(&Token::LParen) {
        let query = words.within()?;
        (words.take("to") && words.take("stdout")).then_some(Copied::Out(query))?
    } else {
        let table = quoted_path(&mut words)?;
        let mut columns = vec![];
        if words.take_token(&Token::LParen) {
            loop {
                columns.push(words.name()?);
                match words.next()? {
                    Token::Comma => {}
                    Token::RParen => break,
                    _ => return None,
                }
            }
        }
        match () {
            () if words.take("to") && words.take("stdout") => {
                let quoted: Vec<String> = columns.iter().map(|c| crate::sql::quoted_name(c)).collect();
                let shown = if quoted.is_empty() { "*".into() } else { quoted.join(", ") };
                Copied::Out(format!("SELECT {shown} FROM {table}"))
            }
            () if words.take("from") && words.take("stdin") => Copied::In { table, columns },
            () => return None,
        }
    };
    let mut copy = Copy { what, format: Format::Text, delimiter: 0, null: String::new(), header: false, unknown: None };
    let mut null = None;
    words.take("with");
    let bracketed = words.take_token(&Token::LParen);
    while let Some(token) = words.next() {
        let Token::Word(word) = token else {
            if !matches!(token, Token::Comma | Token::RParen) {
                copy.unknown = Some(token.to_string());
            }
            continue;
        };
        let option = word.value.to_lowercase();
        let mut text = || {
            words.take("as");
            match words.peek() {
                Some(Token::SingleQuotedString(text) | Token::EscapedStringLiteral(text)) => {
                    words.next();
                    Some(text.clone())
                }
                _ => None,
            }
        };
        match option.as_str() {
            "csv" => copy.format = Format::Csv,
            "binary" => copy.format = Format::Binary,
            "text" => copy.format = Format::Text,
            "format" => {
                let quoted = text().map(|text| text.to_lowercase());
                copy.format = match quoted.or_else(|| words.name()).as_deref() {
                    Some("csv") => Format::Csv,
                    Some("binary") => Format::Binary,
                    Some("text") => Format::Text,
                    other => {
                        copy.unknown = Some(format!("FORMAT {}", other.unwrap_or_default()));
                        Format::Text
                    }
                }
            }
            "header" => {
                copy.header = true;
                if bracketed && (words.take("false") || words.take("off")) {
                    copy.header = false;
                }
                _ = bracketed && (words.take("true") || words.take("on"));
            }
            "delimiter" => match text().as_deref().map(str::as_bytes) {
                Some([one]) if one.is_ascii() => copy.delimiter = *one,
                Some(b"\\t") => copy.delimiter = b'\t',
                _ => copy.unknown = Some("DELIMITER of more than a byte".into()),
            },
            "null" => null = text(),
            "encoding" => _ = text(),
            "quote" => match text().as_deref() {
                Some("\"") => {}
                _ => copy.unknown = Some("QUOTE other than \"".into()),
            },
            "escape" => match text().as_deref() {
                Some("\"") => {}
                _ => copy.unknown = Some("ESCAPE other than \"".into()),
            },
            other => copy.unknown = Some(other.to_uppercase()),
        }
    }
    let csv = copy.format == Format::Csv;
    if copy.delimiter == 0 {
        copy.delimiter = if csv { b',' } else { b'\t' };
    }
    copy.null = null.unwrap_or_else(|| if csv { String::new() } else { "\\N".into() });
    Some(copy)
}

/// A table's name of several parts, as it is written in a statement.
fn quoted_path(words: &mut Words<'_>) -> Option<String> {
    let mut path = crate::sql::quoted_name(&words.name()?);
    while words.take_token(&Token::Period) {
        path = path + "." + &crate::sql::quoted_name(&words.name()?);
    }
    Some(path)
}

impl Copy {
    /// Writes a value as it stands in a line; `None` for none.
    pub fn write(&self, value: Option<&[u8]>, out: &mut Vec<u8>) {
        let Some(value) = value else { return out.extend_from_slice(self.null.as_bytes()) };
        if self.format == Format::Csv {
            let plain = value != self.null.as_bytes()
                && value != b"\\."
                && !value.iter().any(|b| matches!(b, b'"' | b'\n' | b'\r') || *b == self.delimiter);
            if plain {
                return out.extend_from_slice(value);
            }
            out.push(b'"');
            for byte in value {
                if *byte == b'"' {
                    out.push(b'"');
                }
                out.push(*byte);
            }
            return out.push(b'"');
        }
        for byte in value {
            match byte {
                b'\\' => out.extend_from_slice(b"\\\\"),
                b'\n' => out.extend_from_slice(b"\\n"),
                b'\r' => out.extend_from_slice(b"\\r"),
                b'\t' => out.extend_from_slice(b"\\t"),
                byte if *byte == self.delimiter => out.extend_from_slice(&[b'\\', *byte]),
                byte => out.push(*byte),
            }
        }
    }

    /// The end of the first line of these bytes, after it; `None` while its end has not come, which is then looked for
    /// from where this has ended.
    pub fn line(&self, bytes: &[u8], looked: &mut Looked) -> Option<usize> {
        while let Some(byte) = bytes.get(looked.at) {
            looked.at += 1;
            match byte {
                _ if looked.escaped => looked.escaped = false,
                b'\\' if self.format == Format::Text => looked.escaped = true,
                b'"' if self.format == Format::Csv => looked.quoted = !looked.quoted,
                b'\n' if !looked.quoted => return Some(std::mem::take(looked).at),
                _ => {}
            }
        }
        None
    }

    /// The values of a line, less its end, and of more than so many one more; `None` for one that is not UTF-8.
    pub fn values(&self, line: &[u8], most: usize) -> Option<Vec<Option<String>>> {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).ok();
        let (mut values, mut value, mut raw, mut was_quoted) = (vec![], vec![], vec![], false);
        let mut bytes = line.iter().copied().peekable();
        let mut quoted = false;
        loop {
            match bytes.next() {
                Some(b'"') if self.format == Format::Csv && quoted => match bytes.next_if_eq(&b'"') {
                    Some(_) => value.push(b'"'),
                    None => quoted = false,
                },
                Some(b'"') if self.format == Format::Csv => (quoted, was_quoted) = (true, true),
                Some(b'\\') if self.format == Format::Text => {
                    let next = bytes.next().unwrap_or(b'\\');
                    raw.extend_from_slice(&[b'\\', next]);
                    value.push(match next {
                        b'n' => b'\n',
                        b'r' => b'\r',
                        b't' => b'\t',
                        b'b' => 8,
                        b'f' => 12,
                        b'v' => 11,
                        other => other,
                    });
                }
                Some(byte) if quoted || byte != self.delimiter => {
                    raw.push(byte);
                    value.push(byte);
                }
                end => {
                    let is_null = !was_quoted && raw == self.null.as_bytes();
                    values.push(if is_null { None } else { Some(text(std::mem::take(&mut value))?) });
                    value.clear();
                    raw.clear();
                    was_quoted = false;
                    if end.is_none() || values.len() > most {
                        return Some(values);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serve::postgres::text::{What, pieces};

    fn copy(sql: &str) -> Copy {
        match pieces(sql).unwrap().remove(0).what {
            What::Copy(copy) => copy,
            other => panic!("{sql}: {other:?}"),
        }
    }

    #[test]
    fn copies_to_and_from_the_client_are_read() {
        let out =
            copy("COPY (SELECT ')' AS a FROM (SELECT 1) t) TO STDOUT WITH (FORMAT csv, HEADER true, DELIMITER ';')");
        assert_eq!(out.what, Copied::Out("      SELECT ')' AS a FROM (SELECT 1) t".into()));
        assert_eq!((out.format, out.header, out.delimiter, out.null.as_str()), (Format::Csv, true, b';', ""));
        let of_table = copy("copy public.\"Usa\" (age, \"a b\") to stdout (format binary)");
        assert_eq!(of_table.what, Copied::Out("SELECT \"age\", \"a b\" FROM \"public\".\"Usa\"".into()));
        let into = copy("COPY usa (a, b) FROM STDIN");
        assert_eq!(into.what, Copied::In { table: "\"usa\"".into(), columns: vec!["a".into(), "b".into()] });
        assert_eq!((into.delimiter, into.null.as_str()), (b'\t', "\\N"));
        assert!(copy("COPY usa FROM STDIN WITH (FREEZE)").unknown.is_some());
        for other in ["COPY usa FROM 'a.csv'", "COPY usa TO 'a.csv'"] {
            assert_eq!(pieces(other).unwrap().remove(0).what, What::Sql, "{other}");
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let values =
            [Some("plain"), None, Some(""), Some("a,b"), Some("two\nlines\t\"said\"\\"), Some("\\N"), Some("é")];
        for sql in ["COPY t FROM STDIN", "COPY t FROM STDIN CSV"] {
            let copy = copy(sql);
            let mut line = vec![];
            for (at, value) in values.iter().enumerate() {
                if at > 0 {
                    line.push(copy.delimiter);
                }
                copy.write(value.map(str::as_bytes), &mut line);
            }
            line.push(b'\n');
            let mut looked = Looked::default();
            assert!((0..line.len()).all(|end| copy.line(&line[..end], &mut looked).is_none()), "{sql}");
            assert_eq!(copy.line(&line, &mut looked), Some(line.len()), "{sql}");
            assert_eq!(copy.values(&line, 3).unwrap().len(), 4);
            let read = copy.values(&line, 100).unwrap();
            let read: Vec<Option<&str>> = read.iter().map(Option::as_deref).collect();
            assert_eq!(read, values, "{sql}");
        }
    }
}
