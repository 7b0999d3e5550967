//! Settings of a connection, and the zone that moments are told in.

use super::postgres::Client;
use super::start;

#[test]
fn settings_are_told_as_they_were_set() {
    let database = tempfile::tempdir().unwrap();
    let (_server, address) = start(database.path(), &["--no-auth"]);
    let mut client = Client::connect(&address, None);
    let mut other = Client::connect(&address, None);
    let current = "SELECT current_setting('application_name')";
    assert_eq!(client.query(current).value(), "test");
    let set = client.query("SET application_name = 'x'");
    assert_eq!(set.parameters, [("application_name".to_string(), "x".to_string())]);
    assert_eq!(client.query(current).value(), "x");
    assert_eq!(client.run(current, &[]).value(), "x");
    assert_eq!(client.query("SELECT setting FROM pg_settings WHERE name = 'application_name'").value(), "x");
    assert_eq!(other.query(current).value(), "test");
    assert_eq!(client.query("SELECT current_setting('nonsense', true)").value(), "NULL");
    let set = client.query("SELECT set_config('application_name', 'y', false)");
    assert_eq!((set.value(), set.parameters.len()), ("y", 1));
    assert_eq!(client.query("SHOW application_name").value(), "y");
    assert_eq!(client.query("SELECT set_config('client_encoding', 'LATIN1', false)").code(), "22023");
    // It is set when it is asked for, and not when it is described.
    client.parse("", "SELECT set_config('application_name', 'z', false)", &[]);
    client.send(b'D', b"S\0");
    assert!(client.sync().errors.is_empty());
    assert_eq!(client.query(current).value(), "y");
    assert_eq!(client.query("RESET ALL").parameters, [("application_name".to_string(), "test".to_string())]);
    assert_eq!(client.query(current).value(), "test");
    client.query("SET statement_timeout = '3s'");
    assert_eq!(client.query("DISCARD ALL; SELECT current_setting('statement_timeout')").value(), "0");
}

#[test]
fn moments_are_told_in_the_zone_that_was_set() {
    let database = tempfile::tempdir().unwrap();
    let (_server, address) = start(database.path(), &[]);
    let mut client = Client::connect(&address, None);
    let moment = "SELECT arrow_cast('2026-07-01T12:00:00.5Z', 'Timestamp(Microsecond, Some(\"UTC\"))') AS a";
    assert_eq!(client.query(moment).value(), "2026-07-01 12:00:00.500+00");
    for (zone, told, shown) in [
        ("'Europe/Berlin'", "2026-07-01 14:00:00.500+02", "Europe/Berlin"),
        ("'europe/berlin'", "2026-07-01 14:00:00.500+02", "Europe/Berlin"),
        ("'Asia/Kolkata'", "2026-07-01 17:30:00.500+05:30", "Asia/Kolkata"),
        ("'America/New_York'", "2026-07-01 08:00:00.500-04", "America/New_York"),
        ("-3.5", "2026-07-01 08:30:00.500-03:30", "<-03:30>+03:30"),
        ("'<-03:30>+03:30'", "2026-07-01 08:30:00.500-03:30", "<-03:30>+03:30"),
        // As in POSIX, where what is west has a plus.
        ("'GMT-2'", "2026-07-01 14:00:00.500+02", "<+02>-02"),
        ("INTERVAL '+02:00' HOUR TO MINUTE", "2026-07-01 14:00:00.500+02", "<+02>-02"),
        ("DEFAULT", "2026-07-01 12:00:00.500+00", "UTC"),
    ] {
        client.query("SET TIME ZONE 'Africa/Nairobi'");
        let set = client.query(&format!("SET TIME ZONE {zone}"));
        assert_eq!(set.parameters, [("TimeZone".to_string(), shown.to_string())], "{zone}: {set:?}");
        assert_eq!(client.query(moment).value(), told, "{zone}");
        assert_eq!(client.run(moment, &[]).value(), told, "{zone}");
        assert_eq!(client.query("SHOW TIME ZONE").value(), shown);
        assert_eq!(client.query(&moment.replace(" AS a", "::timestamptz = '2026-07-01T12:00:00.5Z'")).value(), "t");
    }
    client.query("SET TIME ZONE 'Europe/Berlin'");
    // What has no zone is of that one, and now() is told in it.
    assert_eq!(client.query("SELECT '2026-01-01 12:00:00'::timestamptz").value(), "2026-01-01 12:00:00+01");
    assert_eq!(client.run("SELECT $1::timestamptz", &[Some("2026-01-01 12:00:00")]).value(), "2026-01-01 12:00:00+01");
    assert_eq!(client.query("SELECT now()").columns[0].1, 1184);
    assert_eq!(
        client.query("SELECT [now()] IS NULL, TIMESTAMP '2026-01-01 12:00:00'").rows[0][1].as_deref(),
        Some("2026-01-01 12:00:00")
    );
    client.query("RESET timezone");
    assert_eq!(client.query("SELECT now()").columns[0].1, 1114);
    for wrong in ["'Nowhere/At_All'", "'+02:00'", "99", "''''"] {
        let said = client.query(&format!("SET TIME ZONE {wrong}"));
        assert_eq!((said.code(), said.parameters.len()), ("22023", 0), "{wrong}");
    }
    // As drivers say it when they connect.
    let mut client = Client::connect_with(&address, None, &[("TimeZone", "Asia/Tokyo")]).unwrap();
    assert!(client.parameters.contains(&("TimeZone".into(), "Asia/Tokyo".into())));
    assert_eq!(client.query(moment).value(), "2026-07-01 21:00:00.500+09");
    client.query("SELECT set_config('TimeZone', 'Europe/Berlin', false)");
    assert_eq!(client.query(moment).value(), "2026-07-01 14:00:00.500+02");
    let client = Client::connect_with(&address, None, &[("TimeZone", "Nowhere")]).unwrap();
    assert!(client.parameters.contains(&("TimeZone".into(), "UTC".into())));
}
