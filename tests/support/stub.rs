//! A server that answers chat completions as a test wants it to, one by one or in batches, on a port of the loopback
//! interface.
#![allow(dead_code, reason = "not every test has a use for each")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

#[path = "things.rs"]
mod things;
use things::{THINGS, hash};

/// What the server does with a request.
pub enum Reply {
    /// A completion with this content
    Content(String),
    /// This status, headers and body
    Status(u16, Vec<(&'static str, String)>, String),
    /// The connection is closed without a word
    Close,
    /// These bytes, whatever they are, and the connection is closed
    Raw(String),
}

/// What a request is: where it goes, and what it brings.
struct Request {
    get: bool,
    path: String,
    body: Vec<u8>,
}

/// Batches that are listed at once.
const PAGE: usize = 2;

struct Batch {
    file: usize,
    metadata: Value,
    /// How often it was looked at
    looks: usize,
    /// The file with the answers, when it is done
    answers: Option<usize>,
}

/// Files and batches that were handed over.
#[derive(Default)]
pub struct Batches {
    files: Vec<String>,
    batches: Vec<Batch>,
    /// Looks after which a batch is done
    pub looks: usize,
    /// Batches whose handing over is not answered, though they are taken
    pub lose: usize,
    /// Whether there are no batches here
    pub none: bool,
}

pub struct Stub {
    pub base: String,
    /// The bodies of all requests, in the order of their arrival
    pub requests: Arc<Mutex<Vec<Value>>>,
    /// The most requests that were in work at once
    pub peak: Arc<AtomicUsize>,
    pub batches: Arc<Mutex<Batches>>,
}

impl Stub {
    /// Starts a server; `reply` is given the number of the request, from 0, and its body.
    pub fn start(delay: Duration, reply: impl Fn(usize, &Value) -> Reply + Send + Sync + 'static) -> Stub {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}/v1", listener.local_addr().unwrap());
        let requests: Arc<Mutex<Vec<Value>>> = Arc::default();
        let (now, peak) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (seen, high, reply) = (requests.clone(), peak.clone(), Arc::new(reply));
        let batches: Arc<Mutex<Batches>> = Arc::default();
        let given = batches.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (seen, high, now, reply) = (seen.clone(), high.clone(), now.clone(), reply.clone());
                let given = given.clone();
                thread::spawn(move || {
                    let mut reader = BufReader::new(stream.try_clone().unwrap());
                    let mut stream = stream;
                    while let Some(request) = request(&mut reader) {
                        let number = |body: &Value| {
                            let mut seen = seen.lock().unwrap();
                            seen.push(body.clone());
                            seen.len() - 1
                        };
                        let path = request.path.split('?').next().unwrap();
                        if !["/chat/completions", "/embeddings", "/rerank"].iter().any(|end| path.ends_with(end)) {
                            let answered = |body: &Value| reply(number(body), body);
                            let told = given.lock().unwrap().tell(&request, answered);
                            if !answer(&mut stream, told) {
                                return;
                            }
                            continue;
                        }
                        let Ok(body) = serde_json::from_slice::<Value>(&request.body) else { return };
                        let number = number(&body);
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
        Stub { base, requests, peak, batches }
    }

    /// A server that makes vectors of so many numbers.
    pub fn embedder(dimension: usize) -> Stub {
        Stub::start(Duration::ZERO, move |_, body| Reply::Status(200, vec![], vectors(body, dimension).to_string()))
    }

    /// A server that writes every text that is asked for.
    pub fn writer(delay: Duration) -> Stub {
        Stub::start(delay, |_, body| Reply::Content(texts(body)))
    }

    pub fn count(&self) -> usize {
        self.requests.lock().unwrap().len()
    }
}

impl Batches {
    /// What is said to a request about files and batches; `answered` answers a request in a batch.
    fn tell(&mut self, request: &Request, answered: impl Fn(&Value) -> Reply) -> Reply {
        let text = String::from_utf8_lossy(&request.body);
        let said = |value: Value| Reply::Status(200, vec![], value.to_string());
        let number = |name: &str| name.rsplit('-').next().unwrap().parse::<usize>().unwrap();
        let path: Vec<&str> = request.path.trim_start_matches("/v1/").split(['/', '?']).collect();
        match (request.get, &path[..]) {
            _ if self.none => Reply::Status(404, vec![], r#"{"error": {"message": "Not Found"}}"#.into()),
            (false, ["files"]) => {
                // The part between its headers and the end of the form.
                let file = text.split("jsonl\r\n\r\n").nth(1).unwrap().rsplit_once("\r\n--").unwrap().0;
                self.files.push(file.into());
                said(json!({ "id": format!("file-{}", self.files.len() - 1) }))
            }
            (false, ["batches"]) => {
                let asked: Value = serde_json::from_str(&text).unwrap();
                let file = number(asked["input_file_id"].as_str().unwrap());
                self.batches.push(Batch { file, metadata: asked["metadata"].clone(), looks: 0, answers: None });
                if self.lose > 0 {
                    self.lose -= 1;
                    return Reply::Close;
                }
                said(self.standing(self.batches.len() - 1))
            }
            (true, ["batches", query]) if query.starts_with("limit=100") => {
                // The newest first, a few at a time.
                let before = query.split_once("after=").map_or(self.batches.len(), |(_, id)| number(id));
                let page: Vec<Value> = (0..before).rev().take(PAGE).map(|n| self.standing(n)).collect();
                said(json!({ "data": page, "has_more": before > PAGE }))
            }
            (true, ["batches", id]) if number(id) < self.batches.len() => {
                let id = number(id);
                self.batches[id].looks += 1;
                // It answers when it is looked at for the last time.
                if self.batches[id].looks == self.looks + 1 {
                    let lines = self.files[self.batches[id].file].lines().map(|line| {
                        let line: Value = serde_json::from_str(line).unwrap();
                        let (status, body) = match answered(&line["body"]) {
                            Reply::Content(content) => (200, completion(content)),
                            Reply::Status(status, _, body) => (status, serde_json::from_str(&body).unwrap()),
                            _ => return String::new(),
                        };
                        let response = json!({ "status_code": status, "body": body });
                        json!({ "custom_id": line["custom_id"], "response": response, "error": null }).to_string()
                    });
                    let lines: Vec<String> = lines.collect();
                    self.files.push(lines.join("\n"));
                    self.batches[id].answers = Some(self.files.len() - 1);
                }
                said(self.standing(id))
            }
            (true, ["files", id, "content"]) => Reply::Status(200, vec![], self.files[number(id)].clone()),
            _ => Reply::Status(404, vec![], r#"{"error": {"message": "no such thing"}}"#.into()),
        }
    }

    /// Batches that were handed over.
    pub fn count(&self) -> usize {
        self.batches.len()
    }

    fn standing(&self, number: usize) -> Value {
        let Batch { file, metadata, answers, .. } = &self.batches[number];
        let lines = self.files[*file].lines().count();
        json!({
            "id": format!("batch-{number}"),
            "status": if answers.is_some() { "completed" } else { "in_progress" },
            "metadata": metadata,
            "request_counts": { "total": lines, "completed": answers.map_or(0, |_| lines), "failed": 0 },
            "output_file_id": answers.map(|n| format!("file-{n}")),
        })
    }
}

/// A text for each key of the schema that a request carries: the key, the person's name, and words that go by the facts,
/// so that no two people have the same.
pub fn texts(body: &Value) -> String {
    let prompt = body["messages"][1]["content"].as_str().unwrap_or_default();
    let name = prompt.lines().find_map(|l| l.strip_prefix("- Name: ")).unwrap_or("nobody");
    let facts = prompt.split("\n\n").next().unwrap_or_default();
    let keys = body["response_format"]["json_schema"]["schema"]["required"].as_array().cloned().unwrap_or_default();
    let texts = keys.iter().map(|k| match k.as_str().unwrap() {
        score if score.starts_with("judge_") => (score.to_string(), json!(4)),
        key => (key.to_string(), json!(format!("{key} of {name}, in so many words: {}", words(key, facts)))),
    });
    Value::Object(texts.collect()).to_string()
}

/// Things, as many as a text has that says something.
fn words(key: &str, facts: &str) -> String {
    let thing = |at: u32| THINGS[hash((key, facts, at)) as usize % THINGS.len()];
    let things: Vec<&str> = (0..24).map(thing).collect();
    things.chunks(3).map(|few| format!("the {}", few.join(" "))).collect::<Vec<_>>().join(", ")
}

/// Vectors of the texts of a request, of so many numbers: texts that share words are near.
pub fn vectors(body: &Value, dimension: usize) -> Value {
    let vector = |text: &str| {
        let mut vector = vec![0.01; dimension];
        for word in text.split(|c: char| !c.is_alphanumeric()).filter(|w| w.len() > 3) {
            vector[hash(("word", &word.to_lowercase(), 0)) as usize % dimension] += 1.0;
        }
        vector
    };
    let texts = body["input"].as_array().cloned().unwrap_or_default();
    let one = |(at, text): (usize, &Value)| json!({ "index": at, "embedding": vector(text.as_str().unwrap()) });
    let data: Vec<Value> = texts.iter().enumerate().map(one).collect();
    let tokens = texts.iter().map(|t| t.as_str().unwrap().len() as u64 / 4).sum::<u64>();
    json!({ "object": "list", "data": data, "usage": { "prompt_tokens": tokens, "total_tokens": tokens } })
}

fn request(reader: &mut BufReader<TcpStream>) -> Option<Request> {
    let mut length = 0;
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut words = line.split(' ');
    let (get, path) = (words.next()? == "GET", words.next()?.to_string());
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
    Some(Request { get, path, body })
}

fn completion(content: String) -> Value {
    completion_of(content, Some((100, 50)))
}

/// A completion that took so many tokens, if it tells.
pub fn completion_of(content: String, usage: Option<(u64, u64)>) -> Value {
    let choice = json!({ "index": 0, "message": { "role": "assistant", "content": content }, "finish_reason": "stop" });
    let usage = usage.map(|(asked, answered)| {
        json!({ "prompt_tokens": asked, "completion_tokens": answered, "total_tokens": asked + answered })
    });
    json!({ "id": "x", "object": "chat.completion", "choices": [choice], "usage": usage })
}

fn answer(stream: &mut TcpStream, reply: Reply) -> bool {
    let (status, headers, body) = match reply {
        Reply::Content(content) => (200, vec![], completion(content).to_string()),
        Reply::Status(status, headers, body) => (status, headers, body),
        Reply::Close => return false,
        Reply::Raw(bytes) => {
            _ = stream.write_all(bytes.as_bytes());
            return false;
        }
    };
    let mut head =
        format!("HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    stream.write_all(format!("{head}\r\n{body}").as_bytes()).is_ok()
}
