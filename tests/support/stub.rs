//! A server that answers chat completions as a test wants it to, on a port of the loopback interface.
#![allow(dead_code, reason = "not every test has a use for each")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

/// What the server does with a request.
pub enum Reply {
    /// A completion with this content
    Content(String),
    /// This status, headers and body
    Status(u16, Vec<(&'static str, String)>, String),
    /// The connection is closed without a word
    Close,
}

pub struct Stub {
    pub base: String,
    /// The bodies of all requests, in the order of their arrival
    pub requests: Arc<Mutex<Vec<Value>>>,
    /// The most requests that were in work at once
    pub peak: Arc<AtomicUsize>,
}

impl Stub {
    /// Starts a server; `reply` is given the number of the request, from 0, and its body.
    pub fn start(delay: Duration, reply: impl Fn(usize, &Value) -> Reply + Send + Sync + 'static) -> Stub {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}/v1", listener.local_addr().unwrap());
        let requests: Arc<Mutex<Vec<Value>>> = Arc::default();
        let (now, peak) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (seen, high, reply) = (requests.clone(), peak.clone(), Arc::new(reply));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (seen, high, now, reply) = (seen.clone(), high.clone(), now.clone(), reply.clone());
                thread::spawn(move || {
                    let mut reader = BufReader::new(stream.try_clone().unwrap());
                    let mut stream = stream;
                    while let Some(body) = request(&mut reader) {
                        let number = {
                            let mut seen = seen.lock().unwrap();
                            seen.push(body.clone());
                            seen.len() - 1
                        };
                        high.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                        thread::sleep(delay);
                        let reply = reply(number, &body);
                        now.fetch_sub(1, Ordering::SeqCst);
                        if !answer(&mut stream, reply) {
                            return;
                        }
                    }
                });
            }
        });
        Stub { base, requests, peak }
    }

    /// A server that writes every text that is asked for.
    pub fn writer(delay: Duration) -> Stub {
        Stub::start(delay, |_, body| Reply::Content(texts(body)))
    }

    pub fn count(&self) -> usize {
        self.requests.lock().unwrap().len()
    }
}

/// A text for each key of the schema that a request carries: the key, and the person's name.
pub fn texts(body: &Value) -> String {
    let prompt = body["messages"][1]["content"].as_str().unwrap_or_default();
    let name = prompt.lines().find_map(|l| l.strip_prefix("- Name: ")).unwrap_or("nobody");
    let keys = body["response_format"]["json_schema"]["schema"]["required"].as_array().cloned().unwrap_or_default();
    let texts = keys.iter().map(|k| match k.as_str().unwrap() {
        score if score.starts_with("judge_") => (score.to_string(), json!(4)),
        key => (key.to_string(), json!(format!("{key} of {name}, in so many words"))),
    });
    Value::Object(texts.collect()).to_string()
}

fn request(reader: &mut BufReader<TcpStream>) -> Option<Value> {
    let mut length = 0;
    let mut line = String::new();
    loop {
        line.clear();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().ok()?;
        }
        if line.trim().is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    serde_json::from_slice(&body).ok()
}

fn answer(stream: &mut TcpStream, reply: Reply) -> bool {
    let (status, headers, body) = match reply {
        Reply::Content(content) => {
            let choice =
                json!({ "index": 0, "message": { "role": "assistant", "content": content }, "finish_reason": "stop" });
            let usage = json!({ "prompt_tokens": 100, "completion_tokens": 50, "total_tokens": 150 });
            (
                200,
                vec![],
                json!({ "id": "x", "object": "chat.completion", "choices": [choice], "usage": usage }).to_string(),
            )
        }
        Reply::Status(status, headers, body) => (status, headers, body),
        Reply::Close => return false,
    };
    let mut head =
        format!("HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    stream.write_all(format!("{head}\r\n{body}").as_bytes()).is_ok()
}
