//! The messages of PostgreSQL's protocol, version 3, as bytes.
//!
//! What a client sends is held against its own length before anything is read of it: a field that would reach beyond its
//! message is an error, never a panic, and never taken from the message after it.

use std::borrow::Cow;

use crate::engine::{Error, ErrorKind};

/// What a client asks before it says who it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Opening {
    /// For TLS
    Tls,
    /// For encryption by GSSAPI, which there is none of
    Gss,
    /// For the end of what another connection does
    Cancel {
        process: i32,
        secret: i32,
    },
    Startup {
        minor: u16,
        parameters: Vec<(String, String)>,
    },
}

/// What a client says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Frontend {
    Query(String),
    Parse {
        name: String,
        sql: String,
        types: Vec<u32>,
    },
    Bind(Bind),
    Describe(Named),
    Execute {
        portal: String,
        rows: i32,
    },
    Close(Named),
    Flush,
    Sync,
    Terminate,
    Password(String),
    CopyData(Vec<u8>),
    CopyDone,
    CopyFail(String),
    /// One that is not answered here
    Unknown(u8),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bind {
    pub portal: String,
    pub statement: String,
    pub formats: Vec<i16>,
    pub values: Vec<Option<Vec<u8>>>,
    pub results: Vec<i16>,
}

/// A prepared statement or a portal, by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Named {
    Statement(String),
    Portal(String),
}

/// A message that is none.
pub(super) fn broken(what: &str) -> Error {
    Error::new(ErrorKind::Syntax, format!("a message of the protocol is broken: {what}"))
}

/// What is left of a message.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], Error> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or_else(|| broken("it ends early"))?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let (taken, rest) = self.0.split_first_chunk::<N>().ok_or_else(|| broken("it ends early"))?;
        self.0 = rest;
        Ok(*taken)
    }

    fn i16(&mut self) -> Result<i16, Error> {
        self.array().map(i16::from_be_bytes)
    }

    fn i32(&mut self) -> Result<i32, Error> {
        self.array().map(i32::from_be_bytes)
    }

    /// How many fields follow.
    fn count(&mut self) -> Result<usize, Error> {
        self.array().map(u16::from_be_bytes).map(usize::from)
    }

    fn text(&mut self) -> Result<String, Error> {
        let end = self.0.iter().position(|byte| *byte == 0).ok_or_else(|| broken("a text has no end"))?;
        let text = self.take(end + 1)?;
        String::from_utf8(text[..end].to_vec()).map_err(|_| broken("a text is not UTF-8"))
    }

    fn formats(&mut self) -> Result<Vec<i16>, Error> {
        (0..self.count()?).map(|_| self.i16()).collect()
    }

    fn named(&mut self) -> Result<Named, Error> {
        match self.array()? {
            [b'S'] => self.text().map(Named::Statement),
            [b'P'] => self.text().map(Named::Portal),
            _ => Err(broken("neither a statement nor a portal")),
        }
    }

    fn end<T>(self, read: T) -> Result<T, Error> {
        if self.0.is_empty() { Ok(read) } else { Err(broken("it goes on after its end")) }
    }
}

impl Opening {
    /// Reads the body of a first message, after its length.
    ///
    /// # Errors
    /// If it is none.
    pub fn read(body: &[u8]) -> Result<Opening, Error> {
        let mut fields = Fields(body);
        match fields.i32()? {
            80_877_103 => fields.end(Opening::Tls),
            80_877_104 => fields.end(Opening::Gss),
            80_877_102 => {
                let (process, secret) = (fields.i32()?, fields.i32()?);
                fields.end(Opening::Cancel { process, secret })
            }
            version if version >> 16 == 3 => {
                let mut parameters = vec![];
                loop {
                    let name = fields.text()?;
                    if name.is_empty() {
                        break;
                    }
                    parameters.push((name, fields.text()?));
                }
                let minor = (version & 0xffff) as u16;
                fields.end(Opening::Startup { minor, parameters })
            }
            version => Err(Error::new(
                ErrorKind::Unsupported,
                format!("version {}.{} of the protocol is not spoken here: 3.0 is", version >> 16, version & 0xffff),
            )),
        }
    }
}

impl Frontend {
    /// Reads the body of a message of this kind, after its length.
    ///
    /// # Errors
    /// If it is none.
    pub fn read(kind: u8, body: &[u8]) -> Result<Frontend, Error> {
        let mut fields = Fields(body);
        let message = match kind {
            b'Q' => Frontend::Query(fields.text()?),
            b'P' => {
                let (name, sql) = (fields.text()?, fields.text()?);
                let types =
                    (0..fields.count()?).map(|_| fields.array().map(u32::from_be_bytes)).collect::<Result<_, _>>()?;
                Frontend::Parse { name, sql, types }
            }
            b'B' => {
                let (portal, statement, formats) = (fields.text()?, fields.text()?, fields.formats()?);
                let mut values = vec![];
                for _ in 0..fields.count()? {
                    let length = fields.i32()?;
                    values.push(match usize::try_from(length) {
                        Ok(length) => Some(fields.take(length)?.to_vec()),
                        Err(_) => None,
                    });
                }
                Frontend::Bind(Bind { portal, statement, formats, values, results: fields.formats()? })
            }
            b'D' => Frontend::Describe(fields.named()?),
            b'E' => Frontend::Execute { portal: fields.text()?, rows: fields.i32()? },
            b'C' => Frontend::Close(fields.named()?),
            b'H' => Frontend::Flush,
            b'S' => Frontend::Sync,
            b'X' => Frontend::Terminate,
            b'p' => Frontend::Password(fields.text()?),
            b'd' => Frontend::CopyData(std::mem::take(&mut fields.0).to_vec()),
            b'c' => Frontend::CopyDone,
            b'f' => Frontend::CopyFail(fields.text()?),
            other => return Ok(Frontend::Unknown(other)),
        };
        fields.end(message)
    }
}

/// A column, as a client is told of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Column {
    pub name: String,
    pub oid: u32,
    /// 1 for binary, 0 for text
    pub format: i16,
}

/// Where what is said to a client is written.
#[derive(Debug, Default)]
pub(super) struct Said {
    pub bytes: Vec<u8>,
}

/// How much weight what is told beside rows has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
pub(super) enum Severity {
    Notice,
    Warning,
    Error,
    /// The connection ends
    Fatal,
}

impl Severity {
    fn name(self) -> &'static str {
        match self {
            Severity::Notice => "NOTICE",
            Severity::Warning => "WARNING",
            Severity::Error => "ERROR",
            Severity::Fatal => "FATAL",
        }
    }
}

/// What is told beside rows.
#[derive(Debug, Clone)]
pub(super) struct Report<'a> {
    pub severity: Severity,
    pub code: &'a str,
    pub message: Cow<'a, str>,
    pub hint: Option<&'a str>,
    /// Where in the text, in characters from 1
    pub position: Option<usize>,
}

impl Said {
    /// Writes a message of this kind.
    pub fn message(&mut self, kind: u8, body: impl FnOnce(&mut Vec<u8>)) {
        self.bytes.push(kind);
        let at = self.bytes.len();
        self.bytes.extend_from_slice(&[0; 4]);
        body(&mut self.bytes);
        // What is longer than this is refused before: bounds on answers are smaller.
        let length = i32::try_from(self.bytes.len() - at).unwrap_or(i32::MAX);
        self.bytes[at..at + 4].copy_from_slice(&length.to_be_bytes());
    }

    pub fn authentication_ok(&mut self) {
        self.message(b'R', |b| b.extend_from_slice(&0_i32.to_be_bytes()));
    }

    /// Asks for the password as it is.
    pub fn authentication_password(&mut self) {
        self.message(b'R', |b| b.extend_from_slice(&3_i32.to_be_bytes()));
    }

    pub fn parameter(&mut self, name: &str, value: &str) {
        self.message(b'S', |b| {
            text(b, name);
            text(b, value);
        });
    }

    pub fn key(&mut self, process: i32, secret: i32) {
        self.message(b'K', |b| {
            b.extend_from_slice(&process.to_be_bytes());
            b.extend_from_slice(&secret.to_be_bytes());
        });
    }

    /// The newest minor version that is spoken, and what was asked for and is not known.
    pub fn version(&mut self, options: &[&str]) {
        self.message(b'v', |b| {
            b.extend_from_slice(&0_i32.to_be_bytes());
            b.extend_from_slice(&(options.len() as i32).to_be_bytes());
            options.iter().for_each(|option| text(b, option));
        });
    }

    pub fn ready(&mut self, status: u8) {
        self.message(b'Z', |b| b.push(status));
    }

    pub fn columns(&mut self, columns: &[Column]) {
        self.message(b'T', |b| {
            b.extend_from_slice(&(columns.len() as u16).to_be_bytes());
            for column in columns {
                text(b, &column.name);
                // Neither its table nor its number there.
                b.extend_from_slice(&[0; 6]);
                b.extend_from_slice(&column.oid.to_be_bytes());
                b.extend_from_slice(&super::types::size(column.oid).to_be_bytes());
                b.extend_from_slice(&(-1_i32).to_be_bytes());
                b.extend_from_slice(&column.format.to_be_bytes());
            }
        });
    }

    pub fn parameters(&mut self, types: &[u32]) {
        self.message(b't', |b| {
            b.extend_from_slice(&(types.len() as u16).to_be_bytes());
            types.iter().for_each(|oid| b.extend_from_slice(&oid.to_be_bytes()));
        });
    }

    pub fn done(&mut self, tag: &str) {
        self.message(b'C', |b| text(b, tag));
    }

    /// A message without a body: a step that is done.
    pub fn step(&mut self, kind: u8) {
        self.message(kind, |_| {});
    }

    /// That rows are copied, out (`H`) or in (`G`).
    pub fn copy(&mut self, kind: u8, columns: usize, binary: bool) {
        self.message(kind, |b| {
            b.push(binary.into());
            b.extend_from_slice(&(columns as u16).to_be_bytes());
            (0..columns).for_each(|_| b.extend_from_slice(&i16::from(binary).to_be_bytes()));
        });
    }

    pub fn report(&mut self, report: &Report) {
        let kind = if report.severity >= Severity::Error { b'E' } else { b'N' };
        self.message(kind, |b| {
            let mut field = |name: u8, value: &str| {
                b.push(name);
                text(b, value);
            };
            field(b'S', report.severity.name());
            field(b'V', report.severity.name());
            field(b'C', report.code);
            field(b'M', &report.message);
            if let Some(hint) = report.hint {
                field(b'H', hint);
            }
            if let Some(position) = report.position {
                field(b'P', &position.to_string());
            }
            b.push(0);
        });
    }
}

/// A text and its end; none has a zero byte within.
fn text(bytes: &mut Vec<u8>, text: &str) {
    bytes.extend(text.bytes().filter(|byte| *byte != 0));
    bytes.push(0);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn messages_are_read() {
        let parse = b"p\0SELECT $1\0\0\x01\0\0\0\x17";
        assert_eq!(
            Frontend::read(b'P', parse).unwrap(),
            Frontend::Parse { name: "p".into(), sql: "SELECT $1".into(), types: vec![23] }
        );
        let bind = b"\0p\0\0\0\0\x02\0\0\0\x01x\xff\xff\xff\xff\0\x01\0\x01";
        let Frontend::Bind(bind) = Frontend::read(b'B', bind).unwrap() else { panic!("no bind") };
        assert_eq!((bind.values, bind.results), (vec![Some(b"x".to_vec()), None], vec![1]));
        // A message that says less than it should takes nothing of the next.
        for (kind, body) in [(b'P', &b"p\0q\0\0\x01\0"[..]), (b'E', b"\0\0"), (b'Q', b"SELECT"), (b'S', b"x")] {
            assert!(Frontend::read(kind, body).is_err(), "{kind}");
        }
        assert_eq!(Opening::read(&80_877_103_i32.to_be_bytes()).unwrap(), Opening::Tls);
        assert!(Opening::read(&[0, 2, 0, 0]).unwrap_err().message.contains("version 2.0"));
    }

    proptest! {
        #[test]
        fn no_bytes_end_the_reader(kind in any::<u8>(), body in prop::collection::vec(any::<u8>(), 0..64)) {
            _ = Frontend::read(kind, &body);
            _ = Opening::read(&body);
        }
    }
}
