//! COPY, out and in, as text, as CSV and in binary.

use std::time::Duration;

use super::postgres::{Answer, Client};
use super::server::random;
use super::start;

#[test]
fn rows_are_copied_out_and_in() {
    let database = tempfile::tempdir().unwrap();
    let (_server, address) = start(database.path(), &["--no-auth"]);
    let mut client = Client::connect(&address, None);
    client.query("CREATE TABLE t AS SELECT * FROM (VALUES (1, 'a,b', 0.5), (2, NULL, 1.5)) v (n, x, y)");
    let said = client.query("COPY (SELECT * FROM t ORDER BY n) TO STDOUT WITH (FORMAT csv, HEADER)");
    assert_eq!(String::from_utf8_lossy(&said.copied), "n,x,y\n1,\"a,b\",0.5\n2,,1.5\n");
    assert_eq!(said.tags, ["COPY 2"]);
    let said = client.query("COPY t (n, x) TO STDOUT");
    assert!(String::from_utf8_lossy(&said.copied).contains("2\t\\N\n"), "{said:?}");
    let said = client.query("COPY (SELECT 1::int AS n) TO STDOUT (FORMAT binary)");
    assert!(said.copied.starts_with(b"PGCOPY\n\xff\r\n\0") && said.copied.ends_with(&[0, 0, 0, 1, 0xff, 0xff]));
    // The head stands with the first row, where drivers look for it, or with the end.
    client.send(b'Q', b"COPY (SELECT 1::int AS n LIMIT 0) TO STDOUT (FORMAT binary)\0");
    let messages: Vec<(u8, usize)> = (0..5).map(|_| client.receive().unwrap()).map(|(k, b)| (k, b.len())).collect();
    assert_eq!(messages[..2], [(b'H', 5), (b'd', 21)]);
    client.send(b'Q', b"COPY (SELECT 1::int AS n) TO STDOUT (FORMAT binary)\0");
    let messages: Vec<(u8, usize)> = (0..6).map(|_| client.receive().unwrap()).map(|(k, b)| (k, b.len())).collect();
    assert_eq!(messages[..3], [(b'H', 5), (b'd', 29), (b'd', 2)]);
    let mut copy = |sql: &str, pieces: &[&[u8]], ends: bool| {
        assert_eq!(client.query(sql).status, 0, "{sql}");
        pieces.iter().for_each(|piece| client.send(b'd', piece));
        if ends {
            client.send(b'c', b"");
        } else {
            client.send(b'f', b"no\0");
        }
        client.answer()
    };
    let said = copy("COPY t (n, x, y) FROM STDIN", &[b"3\tc\\td\t2.", b"5\n4\t\\N\t1e1\n", b"\\.\n"], true);
    assert_eq!(said.tags, ["COPY 2"], "{said:?}");
    let said = copy("COPY t FROM STDIN WITH (FORMAT csv, HEADER)", &[b"n,x,y\n5,\"q \"\"r\"\"\n\",0\n"], true);
    assert_eq!(said.tags, ["COPY 1"], "{said:?}");
    // Nothing of what is broken off or broken.
    assert_eq!(copy("COPY t FROM STDIN", &[b"6\tx\t1\n"], false).code(), "57014");
    assert_eq!(copy("COPY t FROM STDIN", &[b"7\tx\n"], true).code(), "22P04");
    let said = copy("COPY t FROM STDIN", &[b"seven\tx\t1\n"], true);
    assert!(!said.errors.is_empty(), "{said:?}");
    let many: String = (0..20_000).map(|n| format!("{}\tm\t1\n", 100 + n)).collect();
    let pieces: Vec<&[u8]> = many.as_bytes().chunks(10_000).collect();
    assert_eq!(copy("COPY t FROM STDIN", &pieces, true).tags, ["COPY 20000"]);
    let counted = client.query("SELECT count(*), min(n), max(n), count(x) FROM t");
    let counted: Vec<&str> = counted.rows[0].iter().flatten().map(String::as_str).collect();
    assert_eq!(counted, ["20005", "1", "20099", "20003"]);
    assert_eq!(client.query("SELECT x FROM t WHERE n = 5").value(), "q \"r\"\n");
    assert_eq!(client.query("SELECT x FROM t WHERE n = 3").value(), "c\td");
    assert_eq!(client.query("COPY nothing FROM STDIN").code(), "42P01");
    // A client that leaves in the midst of it writes nothing.
    client.query("COPY t FROM STDIN");
    client.send(b'd', b"9\tx\t1\n");
    drop(client);
    let mut client = Client::connect(&address, None);
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(client.query("SELECT count(*) FROM t WHERE n = 9").value(), "0");
}

/// Copies these bytes in, by messages of so many.
fn copied(client: &mut Client, sql: &str, bytes: &[u8], piece: usize) -> Answer {
    let begun = client.query(sql);
    assert_eq!((begun.status, begun.errors.len()), (0, 0), "{sql}: {begun:?}");
    bytes.chunks(piece).for_each(|piece| client.send(b'd', piece));
    client.send(b'c', b"");
    client.answer()
}

/// A column of each type that PostgreSQL has a binary form for, some of them NULL.
const TYPES: &str = "
    SELECT true AS a, 1::smallint AS b, -2::int AS c, 3::bigint AS d, 1.5::real AS e, 2.5::double AS f, 'é' AS g,
        DATE '2026-01-02' AS h, TIMESTAMP '1999-01-02 03:04:05.678' AS i, TIME '23:04:05' AS j,
        -12345.678::decimal(10, 3) AS k, X'0aff' AS l, ['x', NULL] AS m, [0.5::real, 2::real] AS n,
        arrow_cast('q', 'Dictionary(Int32, Utf8)') AS o, arrow_cast(18446744073709551615, 'UInt64') AS p,
        arrow_cast(7, 'UInt8') AS q, arrow_cast(0, 'Timestamp(Second, Some(\"+02:00\"))') AS r
    UNION ALL
    SELECT false, NULL, NULL, NULL, NULL, 'NaN'::double, NULL, NULL, NULL, NULL, NULL, NULL, [], NULL, NULL, NULL, NULL, NULL";

#[test]
fn rows_in_binary_come_back() {
    let database = tempfile::tempdir().unwrap();
    let (_server, address) = start(database.path(), &["--no-auth"]);
    let mut client = Client::connect(&address, None);
    let made = client.query(&format!("CREATE TABLE t AS {TYPES}"));
    assert_eq!(made.tags, ["SELECT 2"], "{made:?}");
    client.query("CREATE TABLE u AS SELECT * FROM t LIMIT 0");
    let out = client.query("COPY t TO STDOUT (FORMAT binary)").copied;
    for piece in [usize::MAX, 1000, 7, 1] {
        client.query("DELETE FROM u WHERE true");
        let said = copied(&mut client, "COPY u FROM STDIN (FORMAT binary)", &out, piece);
        assert_eq!(said.tags, ["COPY 2"], "{piece}: {said:?}");
        assert_eq!(client.query("COPY u TO STDOUT").copied, client.query("COPY t TO STDOUT").copied, "{piece}");
    }
    // Some columns, in another order; without the mark of the end, and with something more in its head.
    let some = client.query("COPY (SELECT c, g FROM t) TO STDOUT (FORMAT binary)").copied;
    let mut head = some[..15].to_vec();
    head.extend([0, 0, 0, 3, 1, 2, 3]);
    head.extend(&some[19..some.len() - 2]);
    assert_eq!(copied(&mut client, "COPY u (c, g) FROM STDIN (FORMAT binary)", &head, 5).tags, ["COPY 2"]);
    assert_eq!(client.query("SELECT count(*) FROM u WHERE g = 'é' AND c = -2").value(), "2");
    // Many rows.
    client.query("CREATE TABLE n AS SELECT 1::bigint AS a LIMIT 0");
    let query = "COPY (SELECT value AS a FROM generate_series(1, 100000) g (value)) TO STDOUT (FORMAT binary)";
    let many = client.query(query).copied;
    assert_eq!(copied(&mut client, "COPY n FROM STDIN (FORMAT binary)", &many, 60_000).tags, ["COPY 100000"]);
    assert_eq!(client.query("SELECT sum(a) FROM n").value(), "5000050000");
}

#[test]
fn rows_in_binary_that_are_broken_are_refused_whole() {
    let database = tempfile::tempdir().unwrap();
    let (server, address) = start(database.path(), &["--no-auth"]);
    let mut client = Client::connect(&address, None);
    client.query("CREATE TABLE t AS SELECT 1::int AS a, 'x' AS b LIMIT 0");
    let into = "COPY t FROM STDIN (FORMAT binary)";
    let head = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
    let row = b"\0\x02\0\0\0\x04\0\0\0\x07\0\0\0\x01y";
    let of = |parts: &[&[u8]]| [&[&head[..]][..], parts].concat().concat();
    for (bytes, code) in [
        (vec![], "22P04"),
        (b"7\tx\n".to_vec(), "22P04"),
        (b"PGCOPY\n\xff\r\n\0\0\x01\0\0\0\0\0\0".to_vec(), "22P04"),
        (b"PGCOPY\n\xff\r\n\0\0\0\0\0\xff\xff\xff\xff".to_vec(), "22P04"),
        (b"PGCOPY\n\xff\r\n\0\0\0\0\0\x7f\xff\xff\xff".to_vec(), "22P04"),
        (head[..12].to_vec(), "22P04"),
        // Fewer or more values, none of a length, values cut short, something after the end.
        (of(&[b"\0\x01\0\0\0\x04\0\0\0\x07"]), "22P04"),
        (of(&[row, b"\0\x03"]), "22P04"),
        (of(&[b"\xff\xfe"]), "22P04"),
        (of(&[b"\0\x02\xff\xff\xff\xfe"]), "22P04"),
        (of(&[b"\0\x02\x7f\xff\xff\xff"]), "54000"),
        (of(&[row, &row[..9]]), "22P04"),
        (of(&[row, b"\xff\xff", row]), "22P04"),
        // No values of their types.
        (of(&[b"\0\x02\0\0\0\x03\0\0\x07\0\0\0\x01y"]), "22P03"),
        (of(&[b"\0\x02\0\0\0\x04\0\0\0\x07\0\0\0\x02\xff\xfe"]), "22P03"),
    ] {
        let said = copied(&mut client, into, &bytes, 1 << 20);
        assert_eq!(said.code(), code, "{bytes:?}: {said:?}");
        let said = copied(&mut client, into, &bytes, 3);
        assert_eq!(said.code(), code, "{bytes:?}: {said:?}");
    }
    assert_eq!(client.query("SELECT count(*) FROM t").value(), "0");
    // A value that never ends is not kept.
    client.query(into);
    client.send(b'd', &of(&[b"\0\x02\0\0\0\x04\0\0\0\x07\x00\xff\xff\xff"]));
    (0..64).for_each(|_| client.send(b'd', &[b'x'; 1 << 20]));
    client.send(b'c', b"");
    assert!(!client.answer().errors.is_empty());
    // Whatever is sent, it is rows or an error, and the connection goes on.
    client.query(&format!("CREATE TABLE u AS {TYPES}"));
    let out = client.query("COPY u TO STDOUT (FORMAT binary)").copied;
    let mut random = random();
    for _ in 0..if std::env::var("POPULACE_LONG").is_ok() { 5000 } else { 200 } {
        let mut bytes = out.clone();
        for _ in 0..=random(3) {
            let at = 11 + random(bytes.len() - 11);
            match random(3) {
                0 => bytes[at] = random(256) as u8,
                1 => _ = bytes.drain(at..(at + 1 + random(8)).min(bytes.len())),
                _ => bytes.insert(at, random(256) as u8),
            }
        }
        let said = copied(&mut client, "COPY u FROM STDIN (FORMAT binary)", &bytes, 1 + random(200));
        assert!(said.errors.len() + said.tags.len() == 1 && said.status == b'I', "{bytes:?}: {said:?}");
    }
    assert!(server.metric("populace_resident_memory_bytes ", None) < 2e9);
}
