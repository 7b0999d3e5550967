//! `populace serve`: what it answers to clients of Arrow Flight SQL, to whom, and what it withstands.
#![cfg(feature = "serve")]

mod support;

#[path = "support/server.rs"]
mod server;

use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{Int32Type, Int64Type};
use arrow::ipc::CompressionType;
use arrow::ipc::writer::IpcWriteOptions;
use arrow_flight::encode::FlightDataEncoderBuilder;
use arrow_flight::error::FlightError;
use arrow_flight::sql::client::FlightSqlServiceClient;
use arrow_flight::sql::{
    ActionCreatePreparedStatementRequest, Any, CommandGetTables, CommandStatementIngest, CommandStatementQuery,
    ProstMessageExt, SqlInfo, TableDefinitionOptions, TableExistsOption, TableNotExistOption, TicketStatementQuery,
};
use arrow_flight::{
    Action, CancelFlightInfoRequest, CancelFlightInfoResult, FlightData, FlightDescriptor, FlightInfo, Ticket,
};
use futures::{StreamExt, TryStreamExt, stream};
use prost::Message;
use server::{ENDLESS, Server, mangle, people, random, token};
use tonic::transport::{Channel, Endpoint};

type Client = FlightSqlServiceClient<Channel>;

async fn connect(server: &Server, token: Option<&str>) -> Client {
    let channel = Endpoint::new(format!("http://{}", server.address)).unwrap().connect().await.unwrap();
    let mut client = FlightSqlServiceClient::new(channel);
    if let Some(token) = token {
        client.set_token(token.into());
    }
    client
}

async fn fetch(client: &mut Client, info: FlightInfo) -> Result<Vec<RecordBatch>, FlightError> {
    let told = info.clone().try_decode_schema().unwrap();
    let ticket = info.endpoint[0].ticket.clone().unwrap();
    let mut rows = client.do_get(ticket).await?;
    let mut batches = vec![];
    while let Some(batch) = rows.next().await {
        batches.push(batch?);
    }
    // As it was told before.
    assert_eq!(rows.schema().map(|schema| schema.as_ref()), Some(&told));
    Ok(batches)
}

async fn query(client: &mut Client, sql: &str) -> Result<Vec<RecordBatch>, FlightError> {
    let info = client.execute(sql.into(), None).await?;
    fetch(client, info).await
}

fn rows(batches: &[RecordBatch]) -> usize {
    batches.iter().map(RecordBatch::num_rows).sum()
}

async fn number(client: &mut Client, sql: &str) -> i64 {
    let batches = query(client, sql).await.unwrap_or_else(|e| panic!("{sql}: {e}"));
    batches[0].column(0).as_primitive::<Int64Type>().value(0)
}

async fn refused(client: &mut Client, sql: &str) -> String {
    query(client, sql).await.expect_err(sql).to_string()
}

fn ingest(table: &str, new: TableNotExistOption, known: TableExistsOption) -> CommandStatementIngest {
    let table_definition_options = Some(TableDefinitionOptions { if_not_exist: new as i32, if_exists: known as i32 });
    CommandStatementIngest { table: table.into(), table_definition_options, ..CommandStatementIngest::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn statements_are_answered_as_they_were_told() {
    let database = tempfile::tempdir().unwrap();
    people(database.path(), "usa", "50");
    let server = Server::start(database.path(), &["--no-auth"]);
    let mut client = connect(&server, None).await;
    assert_eq!(number(&mut client, "SELECT count(*) FROM usa").await, 50);
    // Every column that there is, and every kind of value.
    assert_eq!(rows(&query(&mut client, "SELECT * FROM usa").await.unwrap()), 50);
    assert_eq!(rows(&query(&mut client, "SELECT * FROM generate_persona('usa', 3, seed => 1)").await.unwrap()), 3);
    let odd =
        "SELECT NULL AS a, arrow_cast('x', 'Utf8View') AS b, arrow_cast([1], 'LargeList(Int64)') AS c, struct(1) AS d,
        arrow_cast('x', 'Dictionary(Int32, Utf8)') AS e, 1.5::decimal(9, 2) AS f, now() AS g, X'00' AS h";
    assert_eq!(rows(&query(&mut client, odd).await.unwrap()), 1);
    assert_eq!(rows(&query(&mut client, "SELECT * FROM usa WHERE age > 200").await.unwrap()), 0);
    // What a ticket draws is the same whenever it is fetched, though the statement names no seed.
    let info = client.execute("SELECT uuid FROM sample_persona('usa', 20)".into(), None).await.unwrap();
    let first = fetch(&mut client, info.clone()).await.unwrap();
    assert_eq!(fetch(&mut client, info).await.unwrap(), first);
    let others = query(&mut client, "SELECT uuid FROM sample_persona('usa', 20)").await.unwrap();
    assert_ne!(others, first);
    // What writes has run when its information is there, once, whether anybody fetches what became of it.
    let info = client.execute("CREATE TABLE t AS SELECT 1 AS a, 'x' AS b".into(), None).await.unwrap();
    assert_eq!(number(&mut client, "SELECT count(*) FROM t").await, 1);
    assert_eq!(info.total_records, 1);
    let info = client.execute("INSERT INTO t VALUES (2, 'y')".into(), None).await.unwrap();
    for _ in 0..2 {
        let told = fetch(&mut client, info.clone()).await.unwrap();
        assert_eq!(told[0].column(0).as_primitive::<Int64Type>().value(0), 1);
    }
    assert_eq!(number(&mut client, "SELECT count(*) FROM t").await, 2);
    assert_eq!(client.execute_update("UPDATE t SET b = 'z'".into(), None).await.unwrap(), 2);
    assert_eq!(rows(&query(&mut client, "OPTIMIZE t").await.unwrap()), 1);
    // Errors say what was wrong, where, and what to do.
    assert!(refused(&mut client, "SELECT agee FROM usa").await.contains("did you mean `age`?"));
    assert!(refused(&mut client, "SELEC 1").await.contains("line 1"));
    assert!(refused(&mut client, "SELECT 1; SELECT 2").await.contains("one statement at a time"));
    assert!(refused(&mut client, "SELECT * FROM nobody").await.contains("there is no table nobody"));
}

#[tokio::test(flavor = "multi_thread")]
async fn values_are_bound_and_bound_again() {
    let database = tempfile::tempdir().unwrap();
    let server = Server::start(database.path(), &["--no-auth"]);
    let mut client = connect(&server, None).await;
    let one = |values: Vec<(&str, ArrayRef)>| {
        RecordBatch::try_from_iter_with_nullable(values.into_iter().map(|(n, a)| (n, a, true))).unwrap()
    };
    let numbers = |a: i64, b: i64| {
        one(vec![("1", Arc::new(Int64Array::from(vec![a])) as ArrayRef), ("2", Arc::new(Int64Array::from(vec![b])))])
    };
    let sql = "SELECT age FROM sample_persona('usa', ?, given => age > ?)";
    let mut prepared = client.prepare(sql.into(), None).await.unwrap();
    assert_eq!(prepared.parameter_schema().unwrap().fields().len(), 2);
    assert_eq!(prepared.dataset_schema().unwrap().fields().len(), 1);
    for (count, age) in [(10, 60), (25, 80)] {
        prepared.set_parameters(numbers(count, age)).unwrap();
        let info = prepared.execute().await.unwrap();
        let people = fetch(&mut client, info).await.unwrap();
        assert_eq!(rows(&people), count as usize);
        let youngest = people.iter().flat_map(|b| b.column(0).as_primitive::<Int32Type>().values()).min().unwrap();
        assert!(i64::from(*youngest) > age, "{youngest}");
    }
    prepared.close().await.unwrap();
    // Each row of values is a statement.
    client.execute_update("CREATE TABLE t (a BIGINT, b VARCHAR)".into(), None).await.unwrap();
    let mut prepared = client.prepare("INSERT INTO t VALUES ($1, $2)".into(), None).await.unwrap();
    assert!(prepared.dataset_schema().is_err() || prepared.dataset_schema().unwrap().fields().is_empty());
    let values = one(vec![
        ("1", Arc::new(Int64Array::from(vec![1, 2, 3])) as ArrayRef),
        ("2", Arc::new(StringArray::from(vec![Some("o'clock"), None, Some("$1")]))),
    ]);
    prepared.set_parameters(values).unwrap();
    assert_eq!(prepared.execute_update().await.unwrap(), 3);
    assert_eq!(number(&mut client, "SELECT count(*) FROM t WHERE b IN ('o''clock', '$1') OR b IS NULL").await, 3);
    let mut prepared = client.prepare("SELECT $1 + 1".into(), None).await.unwrap();
    prepared.set_parameters(numbers(1, 2)).unwrap();
    let error = prepared.execute().await.unwrap_err().to_string();
    assert!(error.contains("takes 1 value"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_are_written_as_rows_come() {
    use {TableExistsOption as Known, TableNotExistOption as New};
    let database = tempfile::tempdir().unwrap();
    let server = Server::start(database.path(), &["--no-auth"]);
    let mut client = connect(&server, None).await;
    let batch = |from: i64, count: i64| {
        let names: ArrayRef = Arc::new(StringArray::from_iter_values((from..from + count).map(|n| format!("n{n}"))));
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(from..from + count));
        RecordBatch::try_from_iter([("a", numbers), ("a \"name\"", names)]).unwrap()
    };
    let batches = (0..40).map(move |at| Ok(batch(at * 5000, 5000)));
    let command = ingest("t", New::Create, Known::Fail);
    assert_eq!(client.execute_ingest(command.clone(), stream::iter(batches)).await.unwrap(), 200_000);
    let again = client.execute_ingest(command, stream::iter([Ok(batch(0, 1))])).await.unwrap_err().to_string();
    assert!(again.contains("the table t exists already"), "{again}");
    let command = ingest("t", New::Fail, Known::Append);
    assert_eq!(client.execute_ingest(command, stream::iter([Ok(batch(0, 10))])).await.unwrap(), 10);
    assert_eq!(number(&mut client, "SELECT count(*) FROM t").await, 200_010);
    let command = ingest("none", New::Fail, Known::Append);
    assert!(client.execute_ingest(command, stream::iter([Ok(batch(0, 1))])).await.is_err());
    let command = ingest("t", New::Create, Known::Replace);
    assert_eq!(client.execute_ingest(command, stream::iter([Ok(batch(0, 3))])).await.unwrap(), 3);
    // A client that breaks off has written nothing.
    let broken = stream::iter([Ok(batch(0, 5))]).chain(stream::pending());
    let mut other = connect(&server, None).await;
    let writing =
        tokio::spawn(async move { other.execute_ingest(ingest("t", New::Create, Known::Append), broken).await });
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(server.metric("populace_statements_at_work", None) > 0.0);
    writing.abort();
    at_rest(&server).await;
    assert_eq!(number(&mut client, "SELECT count(*) FROM t").await, 3);
    assert_eq!(number(&mut client, "SELECT count(DISTINCT \"a \"\"name\"\"\") FROM t").await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn drivers_find_what_there_is() {
    let database = tempfile::tempdir().unwrap();
    people(database.path(), "usa", "5");
    people(database.path(), "theirs", "5");
    let of_one = token(database.path(), &["one", "--role", "reader", "--tables", "usa"]);
    let server = Server::start(database.path(), &[]);
    let mut client = connect(&server, Some(&of_one)).await;
    let catalogs = client.get_catalogs().await.unwrap();
    assert!(rows(&fetch(&mut client, catalogs).await.unwrap()) >= 1);
    let tables = |include_schema| CommandGetTables {
        db_schema_filter_pattern: Some("public".into()),
        include_schema,
        ..CommandGetTables::default()
    };
    for include_schema in [false, true] {
        let info = client.get_tables(tables(include_schema)).await.unwrap();
        let found = fetch(&mut client, info).await.unwrap();
        let names: Vec<&str> = found.iter().flat_map(|b| b.column(2).as_string::<i32>().iter().flatten()).collect();
        assert_eq!(names, ["usa"]);
        assert_eq!(found[0].num_columns(), if include_schema { 5 } else { 4 });
    }
    let info = client.get_table_types().await.unwrap();
    assert_eq!(rows(&fetch(&mut client, info).await.unwrap()), 2);
    let info = client.get_sql_info(vec![SqlInfo::FlightSqlServerName]).await.unwrap();
    assert_eq!(rows(&fetch(&mut client, info).await.unwrap()), 1);
    let info = client.get_xdbc_type_info(Default::default()).await.unwrap();
    assert!(rows(&fetch(&mut client, info).await.unwrap()) > 10);
    let info = client.get_primary_keys(Default::default()).await.unwrap();
    fetch(&mut client, info).await.unwrap();
    for info in [
        client.get_exported_keys(Default::default()).await.unwrap(),
        client.get_imported_keys(Default::default()).await.unwrap(),
        client.get_cross_reference(Default::default()).await.unwrap(),
    ] {
        assert_eq!(rows(&fetch(&mut client, info).await.unwrap()), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_gets_more_than_they_may() {
    use {TableExistsOption as Known, TableNotExistOption as New};
    let database = tempfile::tempdir().unwrap();
    people(database.path(), "usa", "5");
    people(database.path(), "theirs", "5");
    let of_one = token(database.path(), &["one", "--role", "reader", "--tables", "usa"]);
    let writer = token(database.path(), &["two", "--role", "writer", "--tables", "usa,made", "--max-rows", "100"]);
    let server = Server::start(database.path(), &[]);
    // Without a token that is good, nobody.
    for token in [None, Some("pop_no_such"), Some("")] {
        let mut client = connect(&server, token).await;
        let error = refused(&mut client, "SELECT 1").await;
        assert!(error.contains("a token that is good is wanted"), "{error}");
        assert!(client.get_catalogs().await.is_err() && client.handshake("me", "pop_no").await.is_err());
    }
    // Whoever comes with a name and the token as a password is let in.
    let mut reader = connect(&server, None).await;
    reader.handshake("me", &of_one).await.unwrap();
    assert_eq!(reader.token().map(String::as_str), Some(of_one.as_str()));
    assert_eq!(number(&mut reader, "SELECT count(*) FROM usa").await, 5);
    assert!(refused(&mut reader, "SELECT * FROM theirs").await.contains("out of reach"));
    let batch = RecordBatch::try_from_iter([("a", Arc::new(Int64Array::from(vec![1])) as ArrayRef)]).unwrap();
    for sql in ["CREATE TABLE made AS SELECT 1 AS a", "DROP TABLE usa", "DELETE FROM usa", "OPTIMIZE usa"] {
        assert!(refused(&mut reader, sql).await.contains("read alone"), "{sql}");
        assert!(reader.execute_update(sql.into(), None).await.is_err(), "{sql}");
        let mut prepared = reader.prepare(sql.into(), None).await.unwrap();
        assert!(prepared.execute_update().await.is_err() && prepared.execute().await.is_err(), "{sql}");
    }
    let into = |table: &str| ingest(table, New::Create, Known::Replace);
    assert!(reader.execute_ingest(into("usa"), stream::iter([Ok(batch.clone())])).await.is_err());
    let mut writer = connect(&server, Some(&writer)).await;
    for table in ["theirs", "new", "x\" AS SELECT 1; DROP TABLE usa; --"] {
        let done = writer.execute_ingest(into(table), stream::iter([Ok(batch.clone())])).await;
        assert!(done.is_err(), "{table}");
    }
    assert_eq!(writer.execute_ingest(into("made"), stream::iter([Ok(batch)])).await.unwrap(), 1);
    let error = refused(&mut writer, "SELECT * FROM sample_persona('usa', 101)").await;
    assert!(error.contains("more than 100 rows"), "{error}");
    // A ticket of somebody else is worth what one may oneself; one that is forged, nothing.
    let info = writer.execute("SELECT count(*) FROM made".into(), None).await.unwrap();
    assert!(fetch(&mut reader, info.clone()).await.unwrap_err().to_string().contains("out of reach"));
    let ticket = info.endpoint[0].ticket.clone().unwrap();
    let statement: TicketStatementQuery = Any::decode(&*ticket.ticket).unwrap().unpack().unwrap().unwrap();
    for at in 0..statement.statement_handle.len() {
        let mut forged = statement.statement_handle.to_vec();
        forged[at] ^= 1;
        let ticket = TicketStatementQuery { statement_handle: forged.into() }.as_any().encode_to_vec();
        let Err(error) = writer.do_get(Ticket::new(ticket)).await else { panic!("byte {at} may be forged") };
        assert!(error.to_string().contains("none of the tickets of this server"), "{error}");
    }
}

/// Messages as clients send them, changed at some places: none of them breaks the server, or gets anything written.
#[tokio::test(flavor = "multi_thread")]
async fn nonsense_breaks_nothing() {
    let database = tempfile::tempdir().unwrap();
    let mut server = Server::start(database.path(), &["--no-auth", "--statement-timeout", "5"]);
    let mut client = connect(&server, None).await;
    let long = std::env::var("POPULACE_LONG").is_ok();
    let mut random = random();
    client.execute_update("CREATE TABLE t AS SELECT 1 AS a, 'x' AS b".into(), None).await.unwrap();
    let info = client.execute("SELECT 1 AS a, 'x' AS b".into(), None).await.unwrap();
    let ticket = info.endpoint[0].ticket.clone().unwrap().ticket.to_vec();
    let query = CommandStatementQuery { query: "SELECT 1".into(), transaction_id: None }.as_any().encode_to_vec();
    let tables = CommandGetTables { include_schema: true, ..CommandGetTables::default() }.as_any().encode_to_vec();
    let prepare = ActionCreatePreparedStatementRequest { query: "SELECT $1".into(), transaction_id: None };
    let prepare = prepare.as_any().encode_to_vec();
    let ingest = ingest("t", TableNotExistOption::Create, TableExistsOption::Append).as_any().encode_to_vec();
    let batch = RecordBatch::try_from_iter([
        ("a", Arc::new(Int64Array::from_iter_values((0..300).map(|n| n / 100))) as ArrayRef),
        ("b", Arc::new(StringArray::from_iter_values((0..300).map(|n| format!("n{}", n % 3))))),
    ]);
    let batch = batch.unwrap();
    let mut streams: Vec<Vec<FlightData>> = vec![];
    for compressed in [None, Some(CompressionType::LZ4_FRAME), Some(CompressionType::ZSTD)] {
        let data = FlightDataEncoderBuilder::new()
            .with_options(IpcWriteOptions::default().try_with_compression(compressed).unwrap())
            .with_flight_descriptor(Some(FlightDescriptor::new_cmd(ingest.clone())))
            .build(stream::iter([Ok(batch.clone())]));
        streams.push(data.try_collect().await.unwrap());
    }
    let mut calls = client.inner().clone();
    for _ in 0..if long { 100_000 } else { 3_000 } {
        let mut mangled = |bytes: &[u8]| {
            let mut bytes = bytes.to_vec();
            for _ in 0..=random(4) {
                let at = random(bytes.len());
                mangle(&mut bytes, at, &mut random);
                if bytes.is_empty() {
                    break;
                }
            }
            bytes
        };
        let since = Instant::now();
        let kind = mangled(b"0123456").len() % 5;
        let said = match kind {
            0 => calls.get_flight_info(FlightDescriptor::new_cmd(mangled(&query))).await.map(|_| ()),
            1 => calls.get_flight_info(FlightDescriptor::new_cmd(mangled(&tables))).await.map(|_| ()),
            2 => match calls.do_get(Ticket::new(mangled(&ticket))).await {
                Ok(rows) => rows.into_inner().try_collect::<Vec<_>>().await.map(|_| ()),
                Err(error) => Err(error),
            },
            3 => calls.do_action(Action::new("CreatePreparedStatement", mangled(&prepare))).await.map(|_| ()),
            _ => {
                let mut sent = streams[mangled(b"0123").len() % streams.len()].clone();
                let at = mangled(b"01").len() % sent.len();
                match mangled(b"012").len() % 2 {
                    0 => sent[at].data_header = mangled(&sent[at].data_header).into(),
                    _ if !sent[at].data_body.is_empty() => sent[at].data_body = mangled(&sent[at].data_body).into(),
                    _ => sent.truncate(at),
                }
                match calls.do_put(stream::iter(sent)).await {
                    Ok(results) => results.into_inner().try_collect::<Vec<_>>().await.map(|_| ()),
                    Err(error) => Err(error),
                }
            }
        };
        if since.elapsed() > Duration::from_secs(1) {
            eprintln!("{kind} {:?} {said:?}", since.elapsed());
        }
        if let Err(error) = said {
            assert_ne!(error.code(), tonic::Code::Unknown, "{error}");
        }
    }
    assert!(number(&mut client, "SELECT count(*) FROM t").await >= 1);
    at_rest(&server).await;
    // Arrow's decoder gives up on some of it by a panic, which is caught and answered; nothing of ours does.
    let said = server.said();
    let ours = |line: &&str| line.contains("panicked at") && !line.contains("/arrow-");
    assert_eq!(said.lines().find(ours), None, "{said}");
}

const ROWS: &str = "SELECT age, state FROM sample_persona('usa', 4000000000, seed => 1)";

async fn at_rest(server: &Server) {
    let since = Instant::now();
    while server.metric("populace_statements_at_work", None) > 0.0 {
        assert!(since.elapsed() < Duration::from_secs(1), "work goes on that nobody waits for");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_waits_for_ends() {
    let database = tempfile::tempdir().unwrap();
    let server = Server::start(database.path(), &["--no-auth", "--max-rows", "10000000000", "--max-answer", "100GB"]);
    let mut client = connect(&server, None).await;
    // A client that leaves, before there are rows and while they come.
    for sql in [ENDLESS, ROWS] {
        let info = client.execute(sql.into(), None).await.unwrap();
        let ticket = info.endpoint[0].ticket.clone().unwrap();
        let mut other = client.clone();
        let fetching = tokio::spawn(async move {
            let mut rows = other.do_get(ticket).await.unwrap();
            rows.next().await;
            std::future::pending::<()>().await;
        });
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert!(server.metric("populace_statements_at_work", None) > 0.0, "{sql}");
        fetching.abort();
        at_rest(&server).await;
    }
    // One that cancels.
    for sql in [ENDLESS, ROWS] {
        let info = client.execute(sql.into(), None).await.unwrap();
        let (mut other, fetched) = (client.clone(), info.clone());
        let fetching = tokio::spawn(async move { fetch(&mut other, fetched).await });
        tokio::time::sleep(Duration::from_millis(500)).await;
        let body = CancelFlightInfoRequest::new(info).encode_to_vec();
        let action = Action::new("CancelFlightInfo", body);
        let mut said = client.do_action(tonic::Request::new(action.clone())).await.unwrap();
        let result = CancelFlightInfoResult::decode(said.try_next().await.unwrap().unwrap().body).unwrap();
        assert_eq!(result.status, 1, "{sql}");
        let error = fetching.await.unwrap().unwrap_err().to_string();
        assert!(error.contains("cancelled"), "{sql}: {error}");
        at_rest(&server).await;
        let mut said = client.do_action(tonic::Request::new(action)).await.unwrap();
        let result = CancelFlightInfoResult::decode(said.try_next().await.unwrap().unwrap().body).unwrap();
        assert_eq!(result.status, 3, "there is nothing left to cancel");
    }
}
