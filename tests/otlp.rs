//! What a collector of OpenTelemetry is told: each request and statement, and no text.
#![cfg(all(feature = "otlp", feature = "serve"))]

mod support;

#[path = "support/server.rs"]
mod server;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::json;

use server::Server;
use support::{output, populace};

/// A collector; its URL, and the bodies that it was sent.
fn collector() -> (String, Arc<Mutex<Vec<u8>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let told: Arc<Mutex<Vec<u8>>> = Arc::default();
    let kept = told.clone();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            stream.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
            let mut body = vec![];
            _ = stream.read_to_end(&mut body);
            assert!(body.starts_with(b"POST /v1/traces HTTP/1.1"), "{}", String::from_utf8_lossy(&body));
            kept.lock().unwrap().extend(body);
            _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        }
    });
    (url, told)
}

/// Names and values are plain in the messages.
fn has(told: &Mutex<Vec<u8>>, text: &str) -> bool {
    told.lock().unwrap().windows(text.len()).any(|bytes| bytes == text.as_bytes())
}

#[test]
fn a_collector_is_told_of_requests_and_statements() {
    let database = tempfile::tempdir().unwrap();
    let (url, told) = collector();
    let mut command = populace(database.path());
    command.args(["serve", "--listen", "127.0.0.1:0"]).env("OTEL_EXPORTER_OTLP_ENDPOINT", &url);
    let mut server = Server::of(&mut command);
    assert_eq!(server.post("/v1/sql", json!({ "statement": "SELECT 'a secret' AS text" })).status, 200);
    assert_eq!(server.post("/v1/sql", json!({ "statement": "SELECT a_secret" })).status, 404);
    // What is left is sent before it ends.
    server.signal("-TERM");
    assert_eq!(server.code(Duration::from_secs(20)), Some(0));
    for text in ["populace", "request", "statement", "protocol", "http", "principal", "local", "outcome", "ok"] {
        assert!(has(&told, text), "{text}");
    }
    assert!(!has(&told, "secret"), "{}", String::from_utf8_lossy(&told.lock().unwrap()));
    // Other commands too; a collector that is not there is in nobody's way.
    for url in [url.as_str(), "http://127.0.0.1:9"] {
        let mut command = populace(database.path());
        command.args(["sql", "SELECT 1 AS one"]).env("OTEL_EXPORTER_OTLP_ENDPOINT", url);
        let (code, out, err) = output(&mut command);
        assert!(code == 0 && out.contains("one"), "{out}{err}");
    }
}
