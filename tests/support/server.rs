//! `populace serve` as tests start it, and a client of it.
#![allow(dead_code, reason = "not every test has a use for each")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::support::{populace, ran_on};

/// A statement that draws for longer than anybody waits, and has no rows on the way.
pub const ENDLESS: &str = "SELECT count(*) FROM sample_persona('usa', 4000000000, seed => 1) WHERE age > 200";

/// A token of a database.
pub fn token(database: &Path, arguments: &[&str]) -> String {
    let (code, out, err) = ran_on(database, &[&["tokens", "add"], arguments].concat());
    assert_eq!(code, 0, "{err}");
    out.trim().into()
}

/// Makes a table of people.
pub fn people(database: &Path, table: &str, count: &str) {
    let arguments = ["generate", "usa", "--count", count, "--seed", "7", "--into", table, "--narrator", "none"];
    let made = ran_on(database, &arguments);
    assert_eq!(made.0, 0, "{}", made.2);
}

/// Waits until something holds.
pub fn until(what: &str, within: Duration, holds: impl Fn() -> bool) {
    let since = Instant::now();
    while !holds() {
        assert!(since.elapsed() < within, "{what} took longer than {within:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Numbers below others, the same in each test: Marsaglia, "Xorshift RNGs", Journal of Statistical Software 8 (14), 2003.
pub fn random() -> impl FnMut(usize) -> usize {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    move |below| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    }
}

/// A server on a port of its own, ended with what holds it.
pub struct Server {
    child: Child,
    /// `127.0.0.1:1234`
    pub address: String,
    /// Where it speaks PostgreSQL's protocol
    postgres: Option<String>,
    /// Reads what it says, which would wait for a reader
    listener: Option<JoinHandle<String>>,
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Reply {
    pub status: u16,
    /// As they came, a header a line
    pub head: String,
    pub body: Vec<u8>,
}

impl Reply {
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.text()))
    }

    /// A header, in small letters.
    pub fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.into_iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

impl Server {
    pub fn start(database: &Path, arguments: &[&str]) -> Server {
        Server::of(populace(database).arg("serve").args(["--listen", "127.0.0.1:0"]).args(arguments))
    }

    pub fn of(command: &mut Command) -> Server {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        let mut out = BufReader::new(child.stdout.as_mut().unwrap());
        out.read_line(&mut line).unwrap();
        let mut postgres = None;
        if command.get_args().any(|argument| argument == "--postgres") {
            let mut second = String::new();
            out.read_line(&mut second).unwrap();
            let address = second.trim().strip_prefix("postgres://").and_then(|rest| rest.strip_suffix("/populace"));
            postgres = address.map(String::from);
        }
        let mut stderr = child.stderr.take().unwrap();
        let listener = std::thread::spawn(move || {
            let mut said = vec![];
            _ = stderr.read_to_end(&mut said);
            String::from_utf8_lossy(&said).into_owned()
        });
        let Some((_, address)) = line.trim().split_once("://") else {
            panic!("no server: {line}{}", listener.join().unwrap());
        };
        Server { address: address.into(), postgres, child, listener: Some(listener) }
    }

    /// Where it speaks PostgreSQL's protocol.
    pub fn postgres(&self) -> String {
        self.postgres.clone().expect("it was started with --postgres")
    }

    /// Ends it; what it has said on standard error.
    pub fn said(&mut self) -> String {
        _ = self.child.kill();
        self.listener.take().map(|listener| listener.join().unwrap()).unwrap_or_default()
    }

    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(300))).unwrap();
        stream
    }

    /// Sends a request, with the headers of a client that knows its manners.
    pub fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> TcpStream {
        let mut stream = self.connect();
        let has = |name: &str| headers.iter().any(|(n, _)| n.eq_ignore_ascii_case(name));
        let mut text = format!("{method} {path} HTTP/1.1\r\nconnection: close\r\n");
        if !has("host") {
            text += &format!("host: {}\r\n", self.address);
        }
        if !body.is_empty() && !has("content-type") {
            text += "content-type: application/json\r\n";
        }
        if !has("content-length") {
            text += &format!("content-length: {}\r\n", body.len());
        }
        headers.iter().for_each(|(name, value)| text += &format!("{name}: {value}\r\n"));
        stream.write_all(format!("{text}\r\n{body}").as_bytes()).unwrap();
        stream
    }

    pub fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Reply {
        reply(self.send(method, path, headers, body))
    }

    pub fn get(&self, path: &str) -> Reply {
        self.ask("GET", path, &[], "")
    }

    pub fn post(&self, path: &str, body: Value) -> Reply {
        self.ask("POST", path, &[], &body.to_string())
    }

    /// The same with a token.
    pub fn as_(&self, token: &str, method: &str, path: &str, body: Option<Value>) -> Reply {
        let body = body.map_or(String::new(), |body| body.to_string());
        self.ask(method, path, &[("authorization", &format!("Bearer {token}"))], &body)
    }

    /// A number that the server tells of itself.
    pub fn metric(&self, name: &str, token: Option<&str>) -> f64 {
        let reply = match token {
            Some(token) => self.as_(token, "GET", "/metrics", None),
            None => self.get("/metrics"),
        };
        let lines = reply.text().lines().filter(|line| line.starts_with(name));
        lines.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok()).sum()
    }

    pub fn signal(&self, signal: &str) {
        let status = Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap();
        assert!(status.success());
    }

    /// The exit code, once it has ended by itself.
    pub fn code(&mut self, within: Duration) -> Option<i32> {
        let since = Instant::now();
        while since.elapsed() < within {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        None
    }

    pub fn is_there(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The processor time that it has taken, as Linux tells it.
    pub fn processor_time(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.id())).unwrap();
        let (_, numbers) = stat.rsplit_once(')').unwrap();
        let ticks: u64 = numbers.split_whitespace().skip(11).take(2).map(|n| n.parse::<u64>().unwrap()).sum();
        Duration::from_millis(10 * ticks)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// Reads an answer to its end; a body that breaks off ends where it does.
pub fn reply(stream: TcpStream) -> Reply {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 || line == "\r\n" {
            break;
        }
        head += &line;
    }
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    let mut body = vec![];
    if head.to_lowercase().contains("transfer-encoding: chunked") {
        loop {
            let mut size = String::new();
            if reader.read_line(&mut size).unwrap_or(0) == 0 {
                break;
            }
            let Ok(size) = usize::from_str_radix(size.trim(), 16) else { break };
            let mut chunk = vec![0; size + 2];
            if size == 0 || reader.read_exact(&mut chunk).is_err() {
                break;
            }
            body.extend_from_slice(&chunk[..size]);
        }
    } else {
        _ = reader.read_to_end(&mut body);
    }
    Reply { status, head, body }
}

/// Changes bytes at a place: one is another, one more is there, a piece of them comes again, or what follows is gone.
pub fn mangle(bytes: &mut Vec<u8>, at: usize, mut random: impl FnMut(usize) -> usize) {
    match random(4) {
        0 => bytes[at] = random(256) as u8,
        1 => bytes.truncate(at.max(1)),
        2 => bytes.insert(at, random(256) as u8),
        _ => {
            let from = random(bytes.len());
            let piece = bytes[from..(from + random(40)).min(bytes.len())].to_vec();
            bytes.splice(at..at, piece);
        }
    }
}
