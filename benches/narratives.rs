//! A run that asks a model's endpoint: how much of what the endpoint could do is used. `cargo bench --bench narratives`
//!
//! The endpoint is a process of its own, on the loopback interface, which takes 200 ms for each answer, however many it is
//! asked at once. `cargo bench --bench narratives -- serve` starts it alone, until its input ends.

use std::io::{BufRead, Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use populace::catalog::{Run, Work};
use populace::database::{Database, EmbedderChoice};
use populace::engine::{Engine, Options};
use populace::runs;
use populace::servers::RequestOptions;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

#[path = "../tests/support/things.rs"]
mod things;
use things::{THINGS, hash};

/// As the program has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ANSWER: Duration = Duration::from_millis(200);

/// Answers that were given.
static ANSWERED: AtomicU64 = AtomicU64::new(0);

fn main() {
    if std::env::args().any(|a| a == "serve") {
        return serve();
    }
    // `cargo test` runs this too, to see that it works.
    let people = if std::env::args().any(|a| a == "--bench") { 5000 } else { 50 };
    // The attributes, then the personas.
    let calls = 2.0 * people as f64;
    println!("| at once | seconds | ideal | used | CPU, ms a call | peak memory, MB |\n|---|---|---|---|---|---|");
    for at_once in [64, 512] {
        let (mut server, base) = started();
        let folder = tempfile::tempdir().unwrap();
        let servers = folder.path().join("servers.toml");
        write!(std::fs::File::create(&servers).unwrap(), "[[server]]\nbase = \"{base}\"\n").unwrap();
        let embedder = EmbedderChoice::named(Some("hash".into()));
        let database: Arc<Database> = Database::open(folder.path().join("db"), embedder).unwrap();
        let asking = RequestOptions { concurrency: Some(at_once), servers: Some(servers), ..RequestOptions::default() };
        let options = Options { narrator: Some("openai:stub".into()), asking, ..Options::default() };
        let engine = Engine::new(database, options).unwrap();
        let pack = runs::pack_id("usa").unwrap();
        let work = Work::Generate { country: "usa".into(), pack, seed: 1, given: None, count: people };
        let run = Run::new(work, "usa", "openai:stub", true);
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let (started, cpu) = (Instant::now(), cpu_seconds());
        let written = runtime.block_on(runs::run(&engine, &run, None, |_| ())).unwrap();
        assert_eq!(written, people);
        let (seconds, cpu) = (started.elapsed().as_secs_f64(), cpu_seconds() - cpu);
        let ideal = calls * ANSWER.as_secs_f64() / at_once as f64;
        println!(
            "| {at_once} | {seconds:.2} | {ideal:.2} | {:.0} % | {:.2} | {} |",
            100.0 * ideal / seconds,
            1e3 * cpu / calls,
            peak_megabytes()
        );
        drop(server.stdin.take());
        let mut answered = String::new();
        server.stdout.take().unwrap().read_to_string(&mut answered).unwrap();
        server.wait().unwrap();
        // Nothing was asked for again.
        assert_eq!(answered.trim(), (2 * people).to_string());
    }
}

/// Starts the server as a process, which ends with this one; the address to ask.
fn started() -> (Child, String) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    let mut server = command.arg("serve").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut base = String::new();
    std::io::BufReader::new(server.stdout.as_mut().unwrap()).read_line(&mut base).unwrap();
    (server, base.trim().into())
}

/// The server: writes its address, answers until its input ends, and then writes how many answers it gave.
fn serve() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    println!("http://{}/v1", listener.local_addr().unwrap());
    std::thread::spawn(|| {
        _ = std::io::stdin().read_to_end(&mut Vec::new());
        println!("{}", ANSWERED.load(Ordering::Relaxed));
        std::process::exit(0);
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let listener = TcpListener::from_std(listener).unwrap();
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(stream));
        }
    });
}

/// Answers the requests of one connection, one after another.
async fn answer(stream: TcpStream) -> Option<()> {
    _ = stream.set_nodelay(true);
    let mut stream = BufReader::new(stream);
    loop {
        let (mut length, mut line) = (0, String::new());
        loop {
            line.clear();
            if stream.read_line(&mut line).await.ok()? == 0 {
                return None;
            }
            if let Some(n) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = n.trim().parse().ok()?;
            }
            if line.trim().is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await.ok()?;
        let due = tokio::time::Instant::now() + ANSWER;
        let answer = texts(&serde_json::from_slice(&body).ok()?)?;
        tokio::time::sleep_until(due).await;
        let head =
            format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n", answer.len());
        stream.get_mut().write_all((head + &answer).as_bytes()).await.ok()?;
        ANSWERED.fetch_add(1, Ordering::Relaxed);
    }
}

/// A text for each key that is asked for.
fn texts(asked: &Value) -> Option<String> {
    // A string or, as some clients send it, parts.
    let said = &asked["messages"][1]["content"];
    let prompt = said.as_str().or_else(|| said[0]["text"].as_str())?;
    let name = prompt.lines().find_map(|l| l.strip_prefix("- Name: ")).unwrap_or("nobody");
    let keys = asked["response_format"]["json_schema"]["schema"]["required"].as_array()?;
    let facts = hash(prompt.split("\n\n").next().unwrap_or_default());
    let text = |key: &Value| {
        let key = key.as_str().unwrap_or_default();
        let of = key.split('_').next().unwrap_or_default();
        // No two people have the same text, nor two of a person's texts the same words.
        let things = |at: usize| {
            let chance = hash((facts, key, at));
            [0, 1, 2, 3, 4, 5, 6, 7, 8, 9].map(|place| THINGS[(chance >> (5 * place)) as usize % THINGS.len()])
        };
        let sentence = |at: usize| {
            let [a, b, c, d, e, f, g, h, i, j] = things(at);
            format!("{name} keeps the {of} {a} and {b} {c}, {d} {e} of {f} {g}, for the {h} {i} {j} of a day. ")
        };
        let text: String = [0, 1, 2].map(sentence).concat();
        (key.to_string(), Value::String(text.trim().into()))
    };
    let content = Value::Object(keys.iter().map(text).collect()).to_string();
    let choice = json!({ "message": { "role": "assistant", "content": content }, "finish_reason": "stop" });
    Some(json!({ "choices": [choice], "usage": { "prompt_tokens": 900, "completion_tokens": 300 } }).to_string())
}

/// What this process has used of all cores; 0 where the system does not say.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after = stat.rsplit(')').next().unwrap_or_default();
    let ticks: f64 = after.split_whitespace().skip(11).take(2).filter_map(|t| t.parse::<f64>().ok()).sum();
    ticks / 100.0
}

/// The most memory that this process has held; 0 where the system does not say.
fn peak_megabytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"));
    line.and_then(|l| l.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) / 1024
}
