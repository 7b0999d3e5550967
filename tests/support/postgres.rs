//! A client of PostgreSQL's protocol, as small as tests need it.
#![allow(dead_code, reason = "not every test has a use for each")]

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// A message of the server: its kind and its body.
pub type Message = (u8, Vec<u8>);

pub struct Client {
    pub stream: TcpStream,
    pub process: i32,
    pub secret: i32,
    pub parameters: Vec<(String, String)>,
}

/// What a text was answered with.
#[derive(Debug, Default, Clone)]
pub struct Answer {
    pub columns: Vec<(String, u32)>,
    pub rows: Vec<Vec<Option<String>>>,
    pub tags: Vec<String>,
    /// Codes and messages
    pub errors: Vec<(String, String)>,
    /// Where in the text the last error is; 0 where that is not told
    pub place: usize,
    /// Settings that are told of
    pub parameters: Vec<(String, String)>,
    pub notices: Vec<(String, String)>,
    /// Of the block: `I`, `T` or `E`
    pub status: u8,
    pub copied: Vec<u8>,
}

impl Answer {
    /// The only error's code.
    #[track_caller]
    pub fn code(&self) -> &str {
        assert_eq!(self.errors.len(), 1, "{self:?}");
        &self.errors[0].0
    }

    /// The only value.
    #[track_caller]
    pub fn value(&self) -> &str {
        assert!(self.errors.is_empty() && self.rows.len() == 1, "{self:?}");
        self.rows[0][0].as_deref().unwrap_or("NULL")
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.iter().take_while(|b| **b != 0).copied().collect()).unwrap()
}

/// The fields of an error or a notice.
pub fn fields(body: &[u8]) -> Vec<(u8, String)> {
    body.split(|b| *b == 0).filter(|f| !f.is_empty()).map(|f| (f[0], text(&f[1..]))).collect()
}

pub fn field(body: &[u8], name: u8) -> String {
    fields(body).into_iter().find(|(n, _)| *n == name).map(|(_, value)| value).unwrap_or_default()
}

pub fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![kind];
    bytes.extend((body.len() as i32 + 4).to_be_bytes());
    bytes.extend(body);
    bytes
}

pub fn opening(code: i32, rest: &[u8]) -> Vec<u8> {
    let mut bytes = (rest.len() as i32 + 8).to_be_bytes().to_vec();
    bytes.extend(code.to_be_bytes());
    bytes.extend(rest);
    bytes
}

impl Client {
    #[track_caller]
    pub fn connect(address: &str, token: Option<&str>) -> Client {
        Client::try_connect(address, token).unwrap_or_else(|(code, message)| panic!("{code}: {message}"))
    }

    /// Connects, or is told why it may not.
    pub fn try_connect(address: &str, token: Option<&str>) -> Result<Client, (String, String)> {
        Client::connect_with(address, token, &[])
    }

    /// The same with settings.
    pub fn connect_with(
        address: &str,
        token: Option<&str>,
        settings: &[(&str, &str)],
    ) -> Result<Client, (String, String)> {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(120))).unwrap();
        let mut said = "user\0somebody\0database\0populace\0application_name\0test\0".to_string();
        settings.iter().for_each(|(name, value)| said += &format!("{name}\0{value}\0"));
        stream.write_all(&opening(196_608, format!("{said}\0").as_bytes())).unwrap();
        let mut client = Client { stream, process: 0, secret: 0, parameters: vec![] };
        loop {
            let (kind, body) = client.receive().map_err(|e| ("".to_string(), e.to_string()))?;
            match kind {
                b'R' if body == 3_i32.to_be_bytes() => {
                    client.send(b'p', format!("{}\0", token.unwrap_or_default()).as_bytes());
                }
                b'S' => {
                    let mut parts = body.split(|b| *b == 0);
                    client.parameters.push((text(parts.next().unwrap()), text(parts.next().unwrap())));
                }
                b'K' => {
                    client.process = i32::from_be_bytes(body[..4].try_into().unwrap());
                    client.secret = i32::from_be_bytes(body[4..].try_into().unwrap());
                }
                b'E' => return Err((field(&body, b'C'), field(&body, b'M'))),
                b'Z' => return Ok(client),
                _ => {}
            }
        }
    }

    pub fn send(&mut self, kind: u8, body: &[u8]) {
        self.stream.write_all(&message(kind, body)).unwrap();
    }

    pub fn receive(&mut self) -> io::Result<Message> {
        let mut head = [0; 5];
        self.stream.read_exact(&mut head)?;
        let length = i32::from_be_bytes(head[1..].try_into().unwrap()) as usize;
        let mut body = vec![0; length - 4];
        self.stream.read_exact(&mut body)?;
        Ok((head[0], body))
    }

    /// Reads up to the server being ready again.
    #[track_caller]
    pub fn answer(&mut self) -> Answer {
        self.try_answer().unwrap_or_else(|e| panic!("{e}"))
    }

    /// The same; an error is what was answered before the connection broke.
    pub fn try_answer(&mut self) -> Result<Answer, String> {
        let mut answer = Answer::default();
        loop {
            let (kind, body) = self.receive().map_err(|e| format!("{e}: {answer:?}"))?;
            match kind {
                b'T' => {
                    let mut rest = &body[2..];
                    answer.columns.clear();
                    while !rest.is_empty() {
                        let name = text(rest);
                        let after = &rest[name.len() + 1..];
                        answer.columns.push((name, u32::from_be_bytes(after[6..10].try_into().unwrap())));
                        rest = &after[18..];
                    }
                }
                b'D' => {
                    let (mut rest, mut row) = (&body[2..], vec![]);
                    while !rest.is_empty() {
                        let length = i32::from_be_bytes(rest[..4].try_into().unwrap());
                        rest = &rest[4..];
                        if length < 0 {
                            row.push(None);
                            continue;
                        }
                        row.push(Some(String::from_utf8_lossy(&rest[..length as usize]).into_owned()));
                        rest = &rest[length as usize..];
                    }
                    answer.rows.push(row);
                }
                b'C' => answer.tags.push(text(&body)),
                b'E' => {
                    answer.errors.push((field(&body, b'C'), field(&body, b'M')));
                    answer.place = field(&body, b'P').parse().unwrap_or(0);
                }
                b'S' => {
                    let mut parts = body.split(|b| *b == 0);
                    answer.parameters.push((text(parts.next().unwrap()), text(parts.next().unwrap())));
                }
                b'N' => answer.notices.push((field(&body, b'C'), field(&body, b'M'))),
                b'd' => answer.copied.extend(&body),
                b's' => answer.tags.push("suspended".into()),
                b'I' => answer.tags.push("empty".into()),
                b'n' => answer.tags.push("no data".into()),
                b'G' => return Ok(answer),
                b'Z' => {
                    answer.status = body[0];
                    return Ok(answer);
                }
                _ => {}
            }
        }
    }

    /// Asks a server that may be gone.
    pub fn try_query(&mut self, sql: &str) -> Result<Answer, String> {
        self.stream.write_all(&message(b'Q', format!("{sql}\0").as_bytes())).map_err(|e| e.to_string())?;
        self.try_answer()
    }

    pub fn query(&mut self, sql: &str) -> Answer {
        self.send(b'Q', format!("{sql}\0").as_bytes());
        self.answer()
    }

    pub fn parse(&mut self, name: &str, sql: &str, types: &[u32]) {
        let mut body = format!("{name}\0{sql}\0").into_bytes();
        body.extend((types.len() as u16).to_be_bytes());
        types.iter().for_each(|oid| body.extend(oid.to_be_bytes()));
        self.send(b'P', &body);
    }

    /// Binds texts, for results as text.
    pub fn bind(&mut self, portal: &str, statement: &str, values: &[Option<&str>]) {
        let mut body = format!("{portal}\0{statement}\0").into_bytes();
        body.extend([0, 0]);
        body.extend((values.len() as u16).to_be_bytes());
        for value in values {
            match value {
                Some(value) => {
                    body.extend((value.len() as i32).to_be_bytes());
                    body.extend(value.as_bytes());
                }
                None => body.extend((-1_i32).to_be_bytes()),
            }
        }
        body.extend([0, 0]);
        self.send(b'B', &body);
    }

    pub fn execute(&mut self, portal: &str, rows: i32) {
        let mut body = format!("{portal}\0").into_bytes();
        body.extend(rows.to_be_bytes());
        self.send(b'E', &body);
    }

    pub fn sync(&mut self) -> Answer {
        self.send(b'S', b"");
        self.answer()
    }

    /// Prepares, binds and executes in one go.
    pub fn run(&mut self, sql: &str, values: &[Option<&str>]) -> Answer {
        self.parse("", sql, &[]);
        self.bind("", "", values);
        self.send(b'D', b"P\0");
        self.execute("", 0);
        self.sync()
    }

    /// Asks, from beside it, for the end of what a connection does.
    pub fn cancel(&self, address: &str) {
        let mut body = self.process.to_be_bytes().to_vec();
        body.extend(self.secret.to_be_bytes());
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(&opening(80_877_102, &body)).unwrap();
        _ = stream.read(&mut [0]);
    }
}
