//! `populace serve --postgres`: what it answers to clients of PostgreSQL, to whom, and what it withstands.
#![cfg(feature = "serve")]

mod support;

#[path = "postgres/columns.rs"]
mod columns;
#[path = "postgres/copies.rs"]
mod copies;
#[path = "support/postgres.rs"]
mod postgres;
#[path = "support/server.rs"]
mod server;
#[path = "postgres/settings.rs"]
mod settings;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

use postgres::{Client, message, opening};
use server::{ENDLESS, Server, mangle, people, random, token, until};
use support::ran_on;

/// A server for both protocols, and where it speaks PostgreSQL's.
fn start(database: &Path, arguments: &[&str]) -> (Server, String) {
    let server = Server::start(database, &[&["--postgres", "127.0.0.1:0"], arguments].concat());
    let address = server.postgres();
    (server, address)
}

#[test]
fn statements_are_answered() {
    let database = tempfile::tempdir().unwrap();
    let (_server, address) = start(database.path(), &["--no-auth"]);
    let mut client = Client::connect(&address, None);
    assert!(client.parameters.iter().any(|(n, v)| n == "server_version" && v.starts_with("15.")));
    let said = client.query("SELECT 1 AS a, 'x' AS b, NULL AS c, true AS d; SELECT 2.5::double AS e");
    assert_eq!(said.rows, [vec![Some("1".into()), Some("x".into()), None, Some("t".into())], vec![Some("2.5".into())]]);
    assert_eq!((said.tags.as_slice(), said.status), (&["SELECT 1".to_string(), "SELECT 1".into()][..], b'I'));
    let people = "SELECT first_name, age FROM sample_persona('usa', $1, seed => 42, given => age > 80) ORDER BY age";
    let said = client.run(people, &[Some("3")]);
    assert_eq!(said.columns, [("first_name".to_string(), 25), ("age".into(), 23)], "{said:?}");
    assert!(said.rows.len() == 3 && said.rows.iter().all(|r| r[1].as_ref().unwrap().parse::<i32>().unwrap() > 80));
    // What is written is counted.
    let made = client.query("CREATE TABLE t AS SELECT * FROM (VALUES (1, 'a'), (2, 'b')) v (n, x)");
    assert_eq!(made.tags, ["SELECT 2"], "{made:?}");
    assert_eq!(client.query("INSERT INTO t VALUES (3, 'c')").tags, ["INSERT 0 1"]);
    assert_eq!(client.run("UPDATE t SET x = $1 WHERE n > 1", &[Some("it's")]).tags, ["no data", "UPDATE 2"]);
    assert_eq!(client.query("DELETE FROM t WHERE n = 1").tags, ["DELETE 1"]);
    assert_eq!(client.query("SELECT x FROM t WHERE n = 2").value(), "it's");
    assert_eq!(client.query("DROP TABLE t").tags, ["DROP TABLE"]);
    assert_eq!(client.query("").tags, ["empty"]);
    assert_eq!(client.query("-- nothing").tags, ["empty"]);
    // A session is its connection's.
    client.query("CREATE VIEW v AS SELECT 7 AS a");
    assert_eq!(client.query("SELECT a FROM v").value(), "7");
    assert_eq!(Client::connect(&address, None).query("SELECT a FROM v").code(), "42P01");
    // All columns of a person: dictionaries, lists, vectors.
    let all = client.query("SELECT * FROM sample_persona('usa', 3, seed => 1)");
    assert!(all.rows.len() == 3 && all.errors.is_empty(), "{all:?}");
    let nested = "SELECT embed('x') AS v, [1, NULL] AS l, struct(1, 'a') AS s, [[1], [2]] AS n, [arrow_cast('q', 'Dictionary(Int32, Utf8)')] AS d";
    let said = client.query(nested);
    assert!(said.errors.is_empty() && said.rows[0][0].as_ref().unwrap().starts_with('{'), "{said:?}");
    assert_eq!(said.rows[0][1].as_deref(), Some("{1,NULL}"));
    assert_eq!((said.rows[0][3].as_deref(), said.rows[0][4].as_deref()), (Some("[[1],[2]]"), Some("{q}")));
}

#[test]
fn slips_have_codes_and_places() {
    let database = tempfile::tempdir().unwrap();
    let (_server, address) = start(database.path(), &[]);
    let mut client = Client::connect(&address, None);
    for (sql, code) in [
        ("SELECT 1 +", "42601"),
        ("SELECT 'abc", "42601"),
        ("SELECT * FROM usaa", "42P01"),
        ("SELECT agee FROM (SELECT 1 AS age)", "42703"),
        ("CREATE TABLE t AS SELECT 1 AS a", "42501"),
        ("COPY (SELECT 1) TO '/tmp/x.csv'", "42501"),
        ("FETCH 1 FROM c", "34000"),
        ("DEALLOCATE p", "26000"),
        ("MERGE INTO t USING s ON t.a = s.a WHEN MATCHED THEN DELETE", "0A000"),
    ] {
        assert_eq!(client.query(sql).code(), code, "{sql}");
        assert_eq!(client.query("SELECT 1").value(), "1");
    }
    // Places are those in what was sent, in characters, whatever message brings it.
    assert_eq!(client.query("SELECT 'é';\nSELECT 1 FORM t x y").place, 27);
    for (sql, place) in [
        ("SELECT 1 FORM t x y", 15),
        (";SELECT 1 FORM t x y", 16),
        ("SELECT 'é',\n  1 FORM t x y", 22),
        ("DECLARE c CURSOR FOR SELECT 1 FORM t x y", 36),
        ("COPY (SELECT 1 FORM t x y) TO STDOUT", 21),
        ("SELECT 'abc", 8),
        ("SELECT 1 FORM pg_class x y", 15),
        ("SELECT * FROM usaa", 0),
    ] {
        assert_eq!(client.query(sql).place, place, "{sql}");
        let said = client.run(sql, &[]);
        assert_eq!((said.place, said.errors.len()), (place, 1), "{sql}: {said:?}");
    }
    // Messages after one that has failed are passed over up to the next Sync.
    client.parse("p", "SELECT $1 + 1", &[23]);
    client.bind("", "nothing", &[]);
    client.execute("", 0);
    let said = client.sync();
    assert_eq!((said.code(), said.rows.len()), ("26000", 0));
    client.bind("", "p", &[Some("x")]);
    assert_eq!(client.sync().code(), "22023");
    client.bind("", "p", &[]);
    assert_eq!(client.sync().code(), "08P01");
    client.bind("", "p", &[Some("41")]);
    client.execute("", 0);
    assert_eq!(client.sync().value(), "42");
    client.parse("p", "SELECT 1", &[]);
    assert_eq!(client.sync().code(), "42P05");
    client.parse("", "SELECT 1; SELECT 2", &[]);
    assert_eq!(client.sync().code(), "42601");
    // Later than the first rows.
    let late = client.query("SELECT 10 / (50000 - value) AS a FROM generate_series(1, 100000) g (value)");
    assert!(!late.errors.is_empty() && late.status == b'I', "{:?}", late.errors);
}

#[test]
fn statements_are_described_before_they_run() {
    let database = tempfile::tempdir().unwrap();
    people(database.path(), "usa", "20");
    let (server, address) = start(database.path(), &[]);
    let mut client = Client::connect(&address, None);
    let mut described = |sql: &str, types: &[u32]| {
        client.parse("", sql, types);
        client.send(b'D', b"S\0");
        client.send(b'S', b"");
        let (mut parameters, mut columns) = (vec![], None);
        loop {
            let (kind, body) = client.receive().unwrap();
            match kind {
                b't' => parameters = body[2..].chunks(4).map(|c| u32::from_be_bytes(c.try_into().unwrap())).collect(),
                b'T' => columns = Some(u16::from_be_bytes([body[0], body[1]])),
                b'E' => panic!("{sql}: {}", postgres::field(&body, b'M')),
                b'Z' => break (parameters, columns),
                _ => {}
            }
        }
    };
    assert_eq!(described("SELECT age, state FROM usa WHERE age > $1 AND state = $2", &[]), (vec![23, 25], Some(2)));
    assert_eq!(described("SELECT $1::int, $2::text LIMIT $3", &[]), (vec![23, 25, 20], Some(2)));
    assert_eq!(described("SELECT $1", &[701]), (vec![701], Some(1)));
    assert_eq!(described("SELECT age FROM sample_persona($1, $2, seed => $3)", &[]), (vec![25, 20, 20], Some(1)));
    assert_eq!(described("SELECT age FROM sample_persona('usa', 5, given => age > $1)", &[20]), (vec![20], Some(1)));
    assert_eq!(described("SHOW server_version", &[]), (vec![], Some(1)));
    assert_eq!(described("BEGIN", &[]), (vec![], None));
    assert_eq!(described("EXPLAIN SELECT 1", &[]), (vec![], Some(2)));
    // Nothing ran for that.
    assert_eq!(server.metric("populace_statements_at_work ", None), 0.0);
    // Rows in pieces: the portal stays open between them.
    client.send(b'Q', b"BEGIN\0");
    client.answer();
    client.parse("s", "SELECT value FROM generate_series(1, 100000) g (value)", &[]);
    client.bind("c", "s", &[]);
    client.execute("c", 10);
    client.execute("c", 5);
    let said = client.sync();
    assert_eq!((said.rows.len(), said.tags.as_slice()), (15, &["suspended".to_string(), "suspended".into()][..]));
    assert_eq!(said.rows[14][0].as_deref(), Some("15"));
    assert_eq!(server.metric("populace_statements_at_work ", None), 1.0);
    client.send(b'C', b"Pc\0");
    client.sync();
    until("its end", Duration::from_secs(5), || server.metric("populace_statements_at_work ", None) == 0.0);
    client.query("COMMIT");
    client.query("BEGIN; DECLARE k CURSOR FOR SELECT value FROM generate_series(1, 100000) g (value)");
    assert_eq!(client.query("FETCH 3 FROM k").tags, ["FETCH 3"]);
    assert_eq!(client.query("FETCH FORWARD 2 FROM k").rows[1][0].as_deref(), Some("5"));
    assert_eq!(client.query("COMMIT").status, b'I');
    assert_eq!(client.query("FETCH 1 FROM k").code(), "34000");
}

#[test]
fn blocks_are_honest() {
    let database = tempfile::tempdir().unwrap();
    let (_server, address) = start(database.path(), &["--no-auth"]);
    let mut client = Client::connect(&address, None);
    assert_eq!(client.query("BEGIN").status, b'T');
    assert!(client.query("SELECT 1").notices.is_empty());
    let made = client.query("CREATE TABLE t AS SELECT 1 AS a");
    assert!(made.notices.iter().any(|(_, text)| text.contains("ROLLBACK does not undo")), "{made:?}");
    // Said once.
    assert!(client.query("INSERT INTO t VALUES (2)").notices.is_empty());
    let back = client.query("ROLLBACK");
    assert!(back.notices[0].1.contains("2 statements of this block wrote"), "{back:?}");
    assert_eq!((back.tags.as_slice(), back.status), (&["ROLLBACK".to_string()][..], b'I'));
    assert_eq!(client.query("SELECT count(*) FROM t").value(), "2");
    // After an error nothing of a block runs.
    client.query("BEGIN");
    assert_eq!(client.query("SELECT nothing FROM t").status, b'E');
    assert_eq!(client.query("INSERT INTO t VALUES (3)").code(), "25P02");
    assert_eq!(client.query("COMMIT").tags, ["ROLLBACK"]);
    assert_eq!(client.query("SELECT count(*) FROM t").value(), "2");
    assert_eq!(client.query("COMMIT").notices[0].0, "25P01");
    // Settings.
    assert_eq!(client.query("SET application_name = 'x'; SHOW application_name").value(), "x");
    // As it was when the connection began.
    assert_eq!(client.query("RESET ALL; SHOW application_name").value(), "test");
    assert!(!client.query("SET nonsense = 1").notices.is_empty());
    assert_eq!(client.query("SET client_encoding = 'LATIN1'").code(), "22023");
    assert_eq!(client.query("DISCARD ALL").tags, ["DISCARD ALL"]);
    client.query("SET statement_timeout = '300ms'");
    assert_eq!(client.query(ENDLESS).code(), "57014");
}

#[test]
fn who_may_what() {
    let database = tempfile::tempdir().unwrap();
    people(database.path(), "usa", "5");
    people(database.path(), "secret", "5");
    let (mut server, address) = start(database.path(), &[]);
    let mut local = Client::connect(&address, None);
    assert_eq!(local.query("SELECT count(*) FROM usa").value(), "5");
    assert_eq!(local.query("DELETE FROM usa").code(), "42501");
    let reader = token(database.path(), &["reader", "--tables", "usa", "--max-rows", "3"]);
    let writer = token(database.path(), &["writer", "--role", "writer"]);
    // Who came without a token is nobody from the first on.
    local.send(b'Q', b"SELECT 1\0");
    assert_eq!(local.receive().unwrap().0, b'E');
    assert!(local.receive().is_err());
    for wrong in [None, Some("x"), Some("pop_0123456789abcdef_"), Some(&writer[..writer.len() - 1])] {
        assert_eq!(Client::try_connect(&address, wrong).err().unwrap().0, "28P01");
    }
    let mut client = Client::connect(&address, Some(&reader));
    for sql in [
        "SELECT age FROM secret",
        "SELECT age FROM usa WHERE age IN (SELECT age FROM secret)",
        "SELECT * FROM versions('secret')",
        "SELECT * FROM \"secret@1\"",
        "SELECT * FROM public.secret",
        "SELECT * FROM datafusion.public.secret",
        "SELECT * FROM populace.tables",
        "COPY secret TO STDOUT",
        "COPY (SELECT age FROM secret) TO STDOUT",
        "DECLARE c CURSOR FOR SELECT age FROM secret; FETCH 1 FROM c",
        "SELECT pg_backend_pid(), age FROM secret",
        "PREPARE p AS SELECT age FROM secret; EXECUTE p",
        "COPY usa (age) FROM STDIN",
    ] {
        let said = client.query(sql);
        assert!(!said.errors.is_empty() && said.rows.is_empty() && said.copied.is_empty(), "{sql}: {said:?}");
        if said.status == 0 {
            client.send(b'c', b"");
            assert_eq!(client.answer().code(), "42501");
        }
    }
    // What it may not name, it is not told of.
    for sql in [
        "SELECT relname FROM pg_catalog.pg_class WHERE relname = 'secret'",
        "SELECT table_name FROM information_schema.tables WHERE table_name = 'secret'",
        "SELECT table_name FROM information_schema.columns WHERE table_name = 'secret'",
        "SELECT tablename FROM pg_tables WHERE tablename = 'secret'",
    ] {
        let said = client.query(sql);
        assert!(said.errors.is_empty() && said.rows.is_empty(), "{sql}: {said:?}");
    }
    assert_eq!(client.query("SELECT 'secret'::regclass::oid").value(), "NULL");
    assert_eq!(client.query("SELECT relname FROM pg_class").value(), "usa");
    assert_eq!(client.query("SELECT uuid FROM usa").code(), "54000");
    assert_eq!(client.query("SELECT uuid FROM usa LIMIT 3").rows.len(), 3);
    assert_eq!(client.query("INSERT INTO usa SELECT * FROM usa").code(), "42501");
    assert_eq!(client.query("SET datafusion.execution.batch_size = 7").code(), "42501");
    let mut writing = Client::connect(&address, Some(&writer));
    assert_eq!(writing.query("CREATE TABLE t AS SELECT 1 AS a").tags, ["SELECT 1"]);
    assert_eq!(writing.query("SELECT generate_narrative(p, 'persona', 'openai:m') FROM usa p").errors.len(), 1);
    assert_eq!(writing.query("COPY t TO '/tmp/x.csv'").code(), "42501");
    // A token that is removed is nobody's from then on.
    assert_eq!(ran_on(database.path(), &["tokens", "remove", "reader"]).0, 0);
    client.send(b'Q', b"SELECT 1\0");
    let (kind, body) = client.receive().unwrap();
    assert!(kind == b'E' && postgres::field(&body, b'M').contains("good no more"));
    server.signal("-TERM");
    // Whoever is there is told.
    let (kind, body) = writing.receive().unwrap();
    assert_eq!((kind, postgres::field(&body, b'C').as_str()), (b'E', "57P01"));
    assert_eq!(server.code(Duration::from_secs(10)), Some(0));
    let audit = std::fs::read_to_string(database.path().join("audit.jsonl")).unwrap();
    for entry in
        ["\"protocol\":\"postgres\"", "\"action\":\"connect\"", "\"outcome\":\"28P01\"", "\"outcome\":\"permission\""]
    {
        assert!(audit.contains(entry), "{entry}: {audit}");
    }
    assert!(!audit.contains("SELECT") && !audit.contains(&writer), "{audit}");
}

#[test]
fn statements_are_cancelled_within_a_second() {
    let database = tempfile::tempdir().unwrap();
    let arguments = ["--max-rows", "4000000000", "--max-answer", "100GB"];
    let (server, address) = start(database.path(), &arguments);
    let at_work = || server.metric("populace_statements_at_work ", None);
    let rows = "SELECT * FROM sample_persona('usa', 4000000000, seed => 1)";
    // While nothing has come yet, and while rows flow, that are read and that are not.
    for (sql, reads) in [(ENDLESS, true), (rows, true), (rows, false)] {
        let mut client = Client::connect(&address, None);
        client.send(b'Q', format!("{sql}\0").as_bytes());
        until("its begin", Duration::from_secs(20), || at_work() > 0.0);
        std::thread::sleep(Duration::from_millis(400));
        let since = Instant::now();
        client.cancel(&address);
        if reads {
            assert_eq!(client.answer().code(), "57014", "{sql}");
            assert!(since.elapsed() < Duration::from_secs(2), "{sql}: {:?}", since.elapsed());
        }
        until("its end", Duration::from_secs(2), || at_work() == 0.0);
        if reads {
            assert_eq!(client.query("SELECT 1").value(), "1");
        }
    }
    // With another's key nothing is.
    let mut client = Client::connect(&address, None);
    client.send(b'Q', format!("{ENDLESS}\0").as_bytes());
    until("its begin", Duration::from_secs(20), || at_work() > 0.0);
    client.secret ^= 1;
    client.cancel(&address);
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(at_work(), 1.0);
    // A client that leaves ends it.
    drop(client);
    until("its end", Duration::from_secs(3), || at_work() == 0.0);
    // One that is idle is not disturbed.
    let mut idle = Client::connect(&address, None);
    idle.cancel(&address);
    assert_eq!(idle.query("SELECT 1").value(), "1");
}

#[test]
fn one_takes_no_more_than_its_share() {
    let database = tempfile::tempdir().unwrap();
    let arguments = [
        "--max-statements",
        "2",
        "--max-wait",
        "0",
        "--statement-timeout",
        "2",
        "--max-answer",
        "16MB",
        "--max-connections",
        "4",
    ];
    let (server, address) = start(database.path(), &arguments);
    let mut waiting: Vec<Client> = (0..2).map(|_| Client::connect(&address, None)).collect();
    waiting.iter_mut().for_each(|client| client.send(b'Q', format!("{ENDLESS}\0").as_bytes()));
    until("two", Duration::from_secs(20), || server.metric("populace_statements_at_work ", None) == 2.0);
    let mut third = Client::connect(&address, None);
    assert_eq!(third.query("SELECT 1").code(), "53300");
    let fourth = Client::connect(&address, None);
    assert_eq!(Client::try_connect(&address, None).err().unwrap().0, "53300");
    drop(fourth);
    for mut client in waiting {
        assert_eq!(client.answer().code(), "57014");
    }
    assert_eq!(third.query("SELECT * FROM sample_persona('usa', 100000, seed => 1)").code(), "54000");
    // Rows that nobody takes keep no place longer than that.
    third.query(
        "BEGIN; DECLARE c CURSOR FOR SELECT * FROM sample_persona('usa', 4000000000, seed => 1); FETCH 1 FROM c",
    );
    assert_eq!(server.metric("populace_statements_at_work ", None), 1.0);
    until("its end", Duration::from_secs(4), || server.metric("populace_statements_at_work ", None) == 0.0);
    assert_eq!(third.query("FETCH 1 FROM c").code(), "57014");
}

#[test]
fn it_ends_when_it_is_told() {
    let database = tempfile::tempdir().unwrap();
    let (mut server, address) = start(database.path(), &["--grace", "20"]);
    let mut busy = Client::connect(&address, None);
    busy.send(b'Q', b"SELECT count(*) AS n FROM sample_persona('usa', 2000000, seed => 1)\0");
    until("its begin", Duration::from_secs(20), || server.metric("populace_statements_at_work ", None) == 1.0);
    server.signal("-TERM");
    assert_eq!(busy.answer().value(), "2000000");
    let (kind, body) = busy.receive().unwrap();
    assert_eq!((kind, postgres::field(&body, b'C').as_str()), (b'E', "57P01"));
    assert_eq!(server.code(Duration::from_secs(10)), Some(0));
    let (mut server, address) = start(database.path(), &["--grace", "1"]);
    let mut busy = Client::connect(&address, None);
    busy.send(b'Q', format!("{ENDLESS}\0").as_bytes());
    until("its begin", Duration::from_secs(20), || server.metric("populace_statements_at_work ", None) == 1.0);
    server.signal("-INT");
    assert_eq!(busy.answer().code(), "57P01");
    assert_eq!(server.code(Duration::from_secs(12)), Some(0));
}

#[test]
fn what_clients_ask_of_the_system_is_answered() {
    let database = tempfile::tempdir().unwrap();
    people(database.path(), "usa", "5");
    let (_server, address) = start(database.path(), &[]);
    let mut client = Client::connect(&address, None);
    assert!(client.query("SELECT pg_catalog.version()").value().starts_with("PostgreSQL 15."));
    assert_eq!(client.query("SELECT current_database(), current_schema()").value(), "populace");
    assert_eq!(client.query("SELECT current_user").value(), "somebody");
    assert_eq!(client.query("SELECT 'usa'::regclass::oid = c.oid FROM pg_class c WHERE relname = 'usa'").value(), "t");
    let columns = "SELECT a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod), \
        (SELECT pg_catalog.pg_get_expr(d.adbin, d.adrelid, true) FROM pg_catalog.pg_attrdef d WHERE d.adrelid = a.attrelid \
        AND d.adnum = a.attnum AND a.atthasdef), a.attnotnull FROM pg_catalog.pg_attribute a \
        WHERE a.attrelid = 'usa'::regclass AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum";
    let said = client.query(columns);
    let age = said.rows.iter().find(|row| row[0].as_deref() == Some("age")).unwrap_or_else(|| panic!("{said:?}"));
    assert_eq!(age[1].as_deref(), Some("integer"));
    let empty =
        client.query("SELECT c.conname FROM pg_constraint c, pg_class r WHERE r.oid = c.conrelid ORDER BY c.oid");
    assert!(empty.errors.is_empty() && empty.rows.is_empty() && empty.columns[0].0 == "conname", "{empty:?}");
    let function = client.query("SELECT prokind FROM pg_proc WHERE proname = 'sample_persona'");
    assert_eq!(function.value(), "f");
}

#[test]
fn nonsense_breaks_nothing() {
    let database = tempfile::tempdir().unwrap();
    let (mut server, address) = start(database.path(), &["--statement-timeout", "5"]);
    let long = std::env::var("POPULACE_LONG").is_ok();
    let mut random = random();
    let startup = opening(196_608, b"user\0x\0database\0populace\0\0");
    let then = |messages: &[Vec<u8>]| [std::slice::from_ref(&startup), messages].concat().concat();
    let seeds = [
        then(&[message(b'Q', b"SELECT 1; BEGIN; SELECT 2; ROLLBACK\0")]),
        then(&[
            message(b'P', b"p\0SELECT $1, $2\0\0\x02\0\0\0\x17\0\0\0\x19"),
            message(b'B', b"c\0p\0\0\x01\0\x01\0\x02\0\0\0\x04\0\0\0\x01\0\0\0\x01x\0\x01\0\x01"),
            message(b'D', b"Sp\0"),
            message(b'D', b"Pc\0"),
            message(b'E', b"c\0\0\0\0\x05"),
            message(b'C', b"Sp\0"),
            message(b'S', b""),
        ]),
        then(&[message(b'Q', b"COPY (SELECT 1) TO STDOUT (FORMAT csv)\0"), message(b'd', b"x"), message(b'c', b"")]),
        then(&[message(b'Q', b"DECLARE c CURSOR FOR SELECT 1; FETCH 2 FROM c; CLOSE c; SET a = b; SHOW all\0")]),
        then(&[message(
            b'Q',
            b"SELECT c.relname FROM pg_class c WHERE c.relname OPERATOR(pg_catalog.~) '^x' ORDER BY 1\0",
        )]),
        opening(80_877_103, b""),
        opening(80_877_102, &[0; 8]),
    ];
    for _ in 0..if long { 100_000 } else { 3_000 } {
        let mut bytes = seeds[random(seeds.len())].clone();
        for _ in 0..random(5) {
            // Mostly after the startup, which is seldom wrong.
            let at = if random(4) > 0 && bytes.len() > startup.len() + 1 {
                startup.len() + random(bytes.len() - startup.len())
            } else {
                random(bytes.len())
            };
            mangle(&mut bytes, at, &mut random);
        }
        let mut stream = TcpStream::connect(&address).unwrap();
        // It may have closed already.
        _ = stream.write_all(&bytes);
        _ = stream.shutdown(std::net::Shutdown::Write);
        stream.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        let mut some = [0; 512];
        while stream.read(&mut some).is_ok_and(|read| read > 0) {}
    }
    assert!(server.is_there());
    // One that is too long, after it is known who is there.
    let mut client = Client::connect(&address, None);
    client.stream.write_all(&[b'Q', 0x7f, 0xff, 0xff, 0xff]).unwrap();
    let (kind, body) = client.receive().unwrap();
    assert_eq!((kind, postgres::field(&body, b'C').as_str()), (b'E', "54000"));
    // Those who say nothing are not waited for; when the flood is over, all is as it was.
    let flood: Vec<_> = (0..300).filter_map(|_| TcpStream::connect(&address).ok()).collect();
    std::thread::sleep(Duration::from_millis(300));
    drop(flood);
    until("an answer", Duration::from_secs(15), || Client::try_connect(&address, None).is_ok());
    until("the end of all", Duration::from_secs(8), || server.metric("populace_statements_at_work ", None) == 0.0);
    assert!(server.metric("populace_resident_memory_bytes ", None) < 2e9);
    let said = server.said();
    assert!(!said.contains("panicked"), "{said}");
}
