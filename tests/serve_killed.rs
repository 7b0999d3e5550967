//! `populace serve`, killed again and again while clients of three protocols write and a run asks a model: what was
//! answered is there once, what was not is there wholly or not at all, and nothing is paid for twice.
//! `POPULACE_LONG=1` kills it a hundred times.
#![cfg(feature = "serve")]

mod support;

#[path = "support/postgres.rs"]
mod postgres;
#[path = "support/server.rs"]
mod server;

use std::collections::{BTreeMap, HashSet};
use std::io::Write;
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use arrow_flight::sql::client::FlightSqlServiceClient;
use arrow_flight::sql::{CommandStatementIngest, TableDefinitionOptions, TableExistsOption, TableNotExistOption};
use futures::stream;
use serde_json::json;
use tonic::transport::Endpoint;

use postgres::Client;
use server::{Server, reply};
use support::stub::Stub;
use support::{output, populace, ran_on};

/// Rows of each write, all or none of which are there.
const ROWS: i64 = 3;

/// How many people a run is of, and how many of them are asked for at once.
const PEOPLE: usize = 120;
const AT_ONCE: usize = 4;

/// Requests that a kill may lose: those in flight, and as many whose answers were not in the catalogue yet.
const LOST: usize = 2 * AT_ONCE;

/// What a write is known to have done.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Known {
    Done,
    /// The server was gone before it said
    Unknown,
}

type Writes = BTreeMap<i64, Known>;

/// Writes rows with a number of their own, one statement after another, until the server is gone.
fn writes(next: &Arc<AtomicI64>, mut write: impl FnMut(i64) -> bool + Send + 'static) -> JoinHandle<Writes> {
    let next = next.clone();
    thread::spawn(move || {
        let mut writes = Writes::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let done = write(number);
            writes.insert(number, if done { Known::Done } else { Known::Unknown });
            if !done {
                return writes;
            }
        }
    })
}

fn values(number: i64) -> String {
    (0..ROWS).map(|row| format!("({number}, {row})")).collect::<Vec<_>>().join(", ")
}

/// Each client writes into a table that all write into, and into one of its own, by turns.
fn table(own: &str, number: i64) -> &str {
    if number % 2 == 0 { "everybodys" } else { own }
}

fn by_http(address: String) -> impl FnMut(i64) -> bool {
    move |number| {
        let body = json!({ "statement": format!("INSERT INTO {} VALUES {}", table("http", number), values(number)) });
        let body = body.to_string();
        let Ok(mut stream) = TcpStream::connect(&address) else { return false };
        let head =
            format!("POST /v1/sql HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-type: application/json");
        let sent = stream.write_all(format!("{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len()).as_bytes());
        // What is told of a failure would be an error of the server, which it is not to have.
        let answer = sent.map(|()| reply(stream));
        match answer {
            Ok(answer) if answer.status == 0 => false,
            Ok(answer) => {
                assert_eq!(answer.status, 200, "{}", answer.text());
                answer.text().contains("\"rows\"")
            }
            Err(_) => false,
        }
    }
}

fn by_postgres(address: &str) -> impl FnMut(i64) -> bool + use<> {
    let mut client = Client::connect(address, None);
    move |number| {
        let sql = format!("INSERT INTO {} VALUES {}", table("postgres", number), values(number));
        let Ok(answer) = client.try_query(&sql) else { return false };
        assert_eq!(answer.errors, []);
        true
    }
}

fn by_flight(address: String) -> impl FnMut(i64) -> bool {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let channel = runtime.block_on(Endpoint::new(format!("http://{address}")).unwrap().connect()).unwrap();
    let mut client = FlightSqlServiceClient::new(channel);
    move |number| {
        let options = TableDefinitionOptions {
            if_not_exist: TableNotExistOption::Fail as i32,
            if_exists: TableExistsOption::Append as i32,
        };
        let command = CommandStatementIngest {
            table: table("flight", number).into(),
            table_definition_options: Some(options),
            ..CommandStatementIngest::default()
        };
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values((0..ROWS).map(|_| number)));
        let rows: ArrayRef = Arc::new(Int64Array::from_iter_values(0..ROWS));
        let batch = RecordBatch::try_from_iter([("number", numbers), ("part", rows)]).unwrap();
        let written = runtime.block_on(client.execute_ingest(command, stream::iter([Ok(batch)])));
        written.is_ok_and(|written| written == ROWS)
    }
}

/// How many rows there are of each number, in all tables.
fn counted(database: &Path) -> BTreeMap<i64, (i64, i64)> {
    let all = ["everybodys", "http", "postgres", "flight"].map(|table| format!("SELECT * FROM {table}"));
    let sql = format!("SELECT number, count(*), count(DISTINCT part) FROM ({}) GROUP BY 1", all.join(" UNION ALL "));
    let (code, out, err) = ran_on(database, &["sql", "--format", "csv", &sql]);
    assert_eq!(code, 0, "{err}");
    let number = |text: &str| text.parse::<i64>().unwrap();
    let row = |line: &str| {
        let parts: Vec<i64> = line.split(',').map(number).collect();
        (parts[0], (parts[1], parts[2]))
    };
    out.lines().skip(1).map(row).collect()
}

#[test]
fn what_was_answered_is_there_once() {
    let kills: u64 = if std::env::var_os("POPULACE_LONG").is_some() { 100 } else { 8 };
    let database = tempfile::tempdir().unwrap();
    let database = database.path();
    for table in ["everybodys", "http", "postgres", "flight"] {
        let sql = format!("CREATE TABLE {table} (number BIGINT, part BIGINT)");
        assert_eq!(ran_on(database, &["sql", &sql]).0, 0);
    }
    let stub = Stub::writer(Duration::from_millis(2));
    let next = Arc::new(AtomicI64::new(0));
    let (mut known, mut started) = (Writes::new(), 0);
    for kill in 0..kills {
        let mut command = populace(database);
        command.args(["serve", "--listen", "127.0.0.1:0", "--postgres", "127.0.0.1:0", "--no-auth"]);
        command.args(["--concurrency", &AT_ONCE.to_string()]);
        command.env("OPENAI_BASE_URL", &stub.base).env("OPENAI_API_KEY", "sk-secret");
        let server = Server::of(&mut command);
        let writers = [
            writes(&next, by_http(server.address.clone())),
            writes(&next, by_postgres(&server.postgres())),
            writes(&next, by_flight(server.address.clone())),
        ];
        // A run of its own for every third server, so that there is one that was begun before too.
        if kill % 3 == 0 {
            let generate = json!({ "country": "usa", "count": PEOPLE, "seed": 100 + kill, "table": format!("run_{kill}"),
                                   "narrator": "openai:stub" });
            let begun = server.post("/v1/runs", json!({ "generate": generate }));
            assert_eq!(begun.status, 202, "{}", begun.text());
            started += 1;
        }
        // As good as random.
        let chance = u64::from(blake3::hash(&kill.to_le_bytes()).as_bytes()[0]);
        thread::sleep(Duration::from_millis(50 + chance * 5));
        drop(server);
        for writer in writers {
            known.extend(writer.join().unwrap());
        }
        let found = counted(database);
        for (number, known) in &known {
            match (known, found.get(number)) {
                (_, Some(&(ROWS, ROWS))) | (Known::Unknown, None) => {}
                (known, found) => panic!("{number}: {known:?}, and there are {found:?}, after {} kills", kill + 1),
            }
        }
        assert!(found.keys().all(|number| known.contains_key(number)));
    }
    let done = known.values().filter(|known| **known == Known::Done).count();
    assert!(done as u64 > 3 * kills, "{done} writes only");
    // The newest that is not done, one after another.
    for _ in 0..=started {
        let mut resume = populace(database);
        resume.env("OPENAI_BASE_URL", &stub.base).env("OPENAI_API_KEY", "sk-secret").args(["runs", "resume"]);
        let (code, out, err) = output(&mut resume);
        assert_eq!(code, 0, "{out}{err}");
        if out.contains("nothing to resume") {
            break;
        }
    }
    for kill in (0..kills).filter(|kill| kill % 3 == 0) {
        let count = format!("SELECT count(*), count(DISTINCT uuid), count(persona) FROM run_{kill}");
        let (code, out, err) = ran_on(database, &["sql", "--format", "csv", &count]);
        assert!(code == 0 && out.ends_with(&format!("{PEOPLE},{PEOPLE},{PEOPLE}\n")), "{out}{err}");
    }
    let requests = stub.requests.lock().unwrap();
    let prompts: HashSet<String> = requests.iter().map(|r| r["messages"][1].to_string()).collect();
    assert_eq!(prompts.len(), 2 * PEOPLE * started);
    let twice = requests.len() - prompts.len();
    println!("{kills} kills, {} writes, {done} answered; {} requests, {twice} again", known.len(), requests.len());
    assert!(twice <= started * LOST, "{twice} asked again");
}
