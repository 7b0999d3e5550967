//! Narratives by a real model behind a real server: a small one on this machine. `make test-llm` fetches both.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use populace_udfs::NARRATIVES;

mod support;
use support::{output, populace, ran_on};

/// How long the server may take to read the model.
const START: Duration = Duration::from_secs(60);

/// Where `scripts/models.py llm` put the server and the model; nothing where it has not run.
fn installed() -> Option<(PathBuf, PathBuf)> {
    let models = match std::env::var_os("POPULACE_MODELS") {
        Some(folder) => PathBuf::from(folder),
        None => dirs::cache_dir()?.join("populace").join("models"),
    };
    let folder = models.join("llm");
    let model = std::fs::read_dir(folder)
        .ok()?
        .flatten()
        .map(|e| e.path())
        .find(|p| p.extension().is_some_and(|e| e == "gguf"))?;
    Some((models.join("llama"), model)).filter(|(server, _)| server.join("SERVER").exists())
}

/// A server on a port of the loopback interface, ended when dropped.
struct Server {
    process: Child,
    base: String,
}

impl Server {
    fn start(folder: &Path, model: &Path) -> Server {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut command = Command::new("python3");
        command.env("PYTHONPATH", folder).arg("scripts/language_server.py").arg(model).arg(port.to_string());
        let process = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let mut server = Server { process, base: format!("http://127.0.0.1:{port}/v1") };
        let (address, started) = (SocketAddr::from(([127, 0, 0, 1], port)), Instant::now());
        while started.elapsed() < START && !ready(address) {
            if let Some(status) = server.process.try_wait().unwrap() {
                panic!("the server of the language model ended: {status}");
            }
            std::thread::sleep(Duration::from_millis(200));
        }
        server
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        _ = self.process.kill();
        _ = self.process.wait();
    }
}

/// Whether the server has read its model.
fn ready(address: SocketAddr) -> bool {
    use std::io::{Read, Write};
    let Ok(mut stream) = TcpStream::connect(address) else { return false };
    let mut answer = String::new();
    let asked = stream.write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    asked.is_ok() && stream.read_to_string(&mut answer).is_ok() && answer.starts_with("HTTP/1.1 200")
}

#[test]
fn a_real_model_writes_people() {
    if std::env::var_os("POPULACE_REQUIRE_LLM").is_none() {
        eprintln!("SKIPPED: `make test-llm` fetches a language model and runs this test");
        return;
    }
    let (folder, model) = installed().expect("a language model: `python3 scripts/models.py llm` fetches it");
    let server = Server::start(&folder, &model);
    let directory = tempfile::tempdir().unwrap();
    let mut command = populace(directory.path());
    command.env("OPENAI_BASE_URL", &server.base).env_remove("OPENAI_API_KEY");
    // A small model now and then fails a check for good: then another person is drawn.
    command.args([
        "generate",
        "usa",
        "--exactly",
        "4",
        "--seed",
        "42",
        "--narrator",
        "openai:qwen2.5-coder-0.5b-instruct",
    ]);
    command.args(["--concurrency", "2", "--temperature", "0.7", "--max-answer-tokens", "450"]);
    let started = Instant::now();
    let (code, out, error) = output(&mut command);
    println!("{:.0} s: {out}{error}", started.elapsed().as_secs_f64());
    assert_eq!(code, 0, "{error}");
    let query = |sql: &str, format: &str| ran_on(directory.path(), &["sql", "--format", format, sql]).1;
    println!("{}", ran_on(directory.path(), &["runs", "show"]).1);
    println!("{}", query(&format!("SELECT first_name, age, {} FROM usa", NARRATIVES.join(", ")), "ndjson"));
    let counts = NARRATIVES.map(|k| format!("count({k})")).join(" + ");
    let sql = format!("SELECT count(*), {counts}, count(narrative_error), count(persona_embedding) FROM usa");
    assert_eq!(query(&sql, "csv").lines().last(), Some("4,40,0,4"));
    // What is stored passes the checks that the model's answers had to pass.
    assert!(query("SELECT count(*) FROM validate(usa) WHERE severity = 'error'", "csv").contains("\n0\n"));
}
