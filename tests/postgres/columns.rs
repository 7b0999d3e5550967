//! What columns are called, and what their types are called in errors.

use super::postgres::Client;
use super::server::people;
use super::start;

#[test]
fn columns_without_a_name_are_called_as_in_postgresql() {
    let database = tempfile::tempdir().unwrap();
    people(database.path(), "usa", "5");
    let (_server, address) = start(database.path(), &["--no-auth"]);
    let mut client = Client::connect(&address, None);
    for (sql, names) in [
        ("SELECT 1", "?column?"),
        ("SELECT 1, 'x', age + 1, -age, NOT true FROM usa", "?column?,?column?,?column?,?column?,?column?"),
        ("SELECT count(*), sum(age), max(u.age) FROM usa u", "count,sum,max"),
        ("SELECT \"age\", usa.state, upper(state) AS s FROM usa", "age,state,s"),
        (
            "SELECT 1::int, CAST('2' AS double), count(*)::text, age::bigint FROM usa GROUP BY age",
            "int4,float8,count,age",
        ),
        ("SELECT DATE '2026-01-01', true, INTERVAL '1 day', NULL::varchar", "date,bool,interval,varchar"),
        ("SELECT CASE WHEN age > 1 THEN 1 END, CASE WHEN age > 1 THEN 1 ELSE age END FROM usa", "case,age"),
        (
            "SELECT coalesce(age, 1), extract(year FROM now()), trim('x'), substr('abc', 2) FROM usa",
            "coalesce,extract,btrim,substr",
        ),
        (
            "SELECT row_number() OVER (ORDER BY age), sum(age) FILTER (WHERE age > 1) FROM usa GROUP BY age",
            "row_number,sum",
        ),
        ("SELECT (SELECT max(age) FROM usa), ARRAY[1, 2], [1]", "max,array,array"),
        ("WITH a AS (SELECT 1 AS x) SELECT x + 1 FROM a UNION ALL SELECT 2 AS y", "?column?"),
        ("(SELECT 1)", "?column?"),
        ("VALUES (1, 2)", "column1,column2"),
        ("SELECT *, 2 FROM (SELECT 1 AS a)", "a,?column?"),
        ("SELECT 0, t.* FROM (SELECT 1 AS a, 2 AS b) t", "?column?,a,b"),
        ("SELECT 1, *, 'x' FROM (SELECT 1 AS a) t", "?column?,a,?column?"),
        ("SELECT version(), current_database(), 'usa'::regclass", "version,current_database,regclass"),
        ("SELECT count(*), max(relname) FROM pg_trigger, pg_class", "count,max"),
        ("SELECT t.tgname, 1 FROM pg_trigger t", "tgname,?column?"),
        ("DESCRIBE usa", "column_name,data_type,is_nullable"),
    ] {
        let called =
            |columns: &[(String, u32)]| columns.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(",");
        let said = client.query(sql);
        assert_eq!(called(&said.columns), names, "{sql}: {:?}", said.errors);
        assert_eq!(called(&client.run(sql, &[]).columns), names, "{sql}");
        // Described before, as a statement.
        client.parse("", sql, &[]);
        client.send(b'D', b"S\0");
        assert_eq!(called(&client.sync().columns), names, "{sql}");
    }
    // Values that are bound do not change what a column is called.
    let said = client.run("SELECT $1, $2::int, $1 || 'x'", &[Some("a"), Some("2")]);
    assert_eq!(said.columns.iter().map(|c| c.0.as_str()).collect::<Vec<_>>(), ["?column?", "int4", "?column?"]);
    client.query("BEGIN; DECLARE c CURSOR FOR SELECT 1, count(*) FROM usa");
    assert_eq!(client.query("FETCH 1 FROM c").columns[0].0, "?column?");
    client.query("COMMIT");
    let copied = client.query("COPY (SELECT count(*), 1 FROM usa) TO STDOUT (FORMAT csv, HEADER)").copied;
    assert_eq!(String::from_utf8_lossy(&copied), "count,?column?\n5,1\n");
    // What is made of a query is called as everywhere else.
    client.query("CREATE TABLE t AS SELECT count(*) FROM usa");
    assert_eq!(client.query("SELECT * FROM t").columns[0].0, "count(*)");
}

#[test]
fn coded_text_is_told_as_text() {
    let database = tempfile::tempdir().unwrap();
    people(database.path(), "usa", "5");
    let (_server, address) = start(database.path(), &[]);
    let mut client = Client::connect(&address, None);
    let said = client.query("SELECT sum(state) FROM usa");
    assert!(said.errors[0].1.ends_with("which text is not"), "{said:?}");
}
