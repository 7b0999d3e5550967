"""What real clients of PostgreSQL get of `populace serve --postgres`: psql, psycopg, asyncpg, SQLAlchemy, pandas, and
pgjdbc where there is java. Called by clients.py, with its packages."""

import asyncio
import decimal
import io
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
from pathlib import Path

from processes import resident

PACKAGES = ["psycopg[binary]==3.3.9", "asyncpg==0.31.0", "SQLAlchemy==2.1.9", "pandas==2.3.3"]

ENDLESS = "SELECT count(*) FROM sample_persona('usa', 4000000000, seed => 1) WHERE age > 200"
ROWS = "SELECT age, state FROM sample_persona('usa', 4000000000, seed => 1)"


def say(text):
    print(f"clients: {text}", flush=True)


def missing(what, why):
    """What cannot be tried is said loudly, and is a failure where all has to be tried."""
    if os.environ.get("CI"):
        sys.exit(f"clients: {what}: {why}")
    say(f"SKIPPED: {what}: {why}")


def apt(*arguments, folder=None):
    """Whether Debian's packages could be had; their lists are fetched where they are old."""
    def run(*words):
        return subprocess.run(["apt-get", *words], cwd=folder, capture_output=True, timeout=300).returncode == 0

    try:
        return run(*arguments) or (os.geteuid() == 0 and run("update") and run(*arguments))
    except (OSError, subprocess.SubprocessError):
        return False


def psql(url):
    if not shutil.which("psql") and not apt("install", "--yes", "--no-install-recommends", "postgresql-client"):
        return missing("psql", "it is not there, and could not be installed: apt-get install postgresql-client")

    def run(*commands, wrong=False):
        command = ["psql", url, "-X", "-v", "ON_ERROR_STOP=1", "-P", "pager=off"]
        for text in commands:
            command += ["-c", text]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        assert bool(done.returncode) == wrong, f"psql {commands}: {done.stdout}{done.stderr}"
        assert "ERROR" not in done.stderr or wrong, f"psql {commands}: {done.stderr}"
        return done.stdout + done.stderr

    show = "SELECT state, count(*) FROM sample_persona('usa', 100000) GROUP BY 1 ORDER BY 2 DESC LIMIT 3"
    shown = run(show)
    assert "CA" in shown and "(3 rows)" in shown, shown
    print(shown, end="")
    assert "usa" in run("\\dt") and "usa" in run("\\d")
    described = run("\\d usa")
    for line in ["age ", "integer", "text", "real[]"]:
        assert line in described, f"{line}: {described}"
    assert "usa" in run("\\d+ usa") and "usa" in run("\\dt+")
    assert "sample_persona" in run("\\df") and "sample_persona" in run("\\df sample_*")
    for command in ["\\l", "\\dn", "\\du", "\\dv", "\\di", "\\ds", "\\dT", "\\dx", "\\dp", "\\db", "\\conninfo", "\\df+ sample_persona"]:
        run(command)
    assert "did you mean" in run("SELECT agee FROM usa", wrong=True)
    assert "LINE 1: " in run("SELECT 1 FORM usa x y", wrong=True)
    assert "NOTICE" in run("BEGIN", "CREATE TABLE psql_t AS SELECT 1 AS a", "ROLLBACK")
    assert "2" in run("BEGIN; INSERT INTO psql_t VALUES (2); COMMIT", "SELECT count(*) FROM psql_t")
    with tempfile.TemporaryDirectory() as folder:
        file = f"{folder}/t.csv"
        assert "COPY 2" in run(f"\\copy psql_t TO '{file}' CSV HEADER")
        assert Path(file).read_text().splitlines()[0] == "a"
        assert "COPY 2" in run(f"\\copy psql_t FROM '{file}' CSV HEADER")
    assert "4" in run("SELECT count(*) FROM psql_t", "DROP TABLE psql_t")
    # Ctrl-C, while nothing has come and while rows flow.
    for text in [ENDLESS, ROWS]:
        process = subprocess.Popen(
            ["psql", url, "-X", "-v", "FETCH_COUNT=1000", "-c", text],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )
        time.sleep(1.5)
        since = time.monotonic()
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=20)[1]
        took = time.monotonic() - since
        assert took < 3 and ("cancel" in said.lower()), f"{took} s: {said}"
    say("psql: \\d, \\dt, \\df and others, \\copy, notices, Ctrl-C")


def psycopg(url, rows):
    import psycopg

    with psycopg.connect(url) as connection:
        cursor = connection.cursor()
        query = "SELECT first_name, age, state FROM sample_persona('usa', %s, seed => 42, given => age > %s)"
        drawn = cursor.execute(query, (5, 70)).fetchall()
        assert len(drawn) == 5 and all(isinstance(age, int) and age > 70 for _, age, _ in drawn), drawn
        assert [column.name for column in cursor.description] == ["first_name", "age", "state"]
        kinds = (
            "SELECT true, 1::smallint, 2::int, 3::bigint, 1.5::real, 2.5::double, 'é', NULL, DATE '2026-01-02',"
            " TIMESTAMP '2026-01-02 03:04:05.678', [1, 2, NULL], ['a', NULL], struct(1, 'x'), 1.25::decimal(10, 2),"
            " X'0aff'"
        )
        for binary in [False, True]:
            row = connection.cursor(binary=binary).execute(kinds).fetchone()
            assert row[:8] == (True, 1, 2, 3, 1.5, 2.5, "é", None), row
            assert str(row[8]) == "2026-01-02" and str(row[9]) == "2026-01-02 03:04:05.678000", row
            assert row[10:12] == ([1, 2, None], ["a", None]) and row[12] == {"c0": 1, "c1": "x"}, row
            assert row[13] == decimal.Decimal("1.25") and row[14] == b"\x0a\xff", row
        sent = cursor.execute(
            "SELECT %s, %s, %s, %s, %s, %s", (True, 7, 2.5, "it's", [1, 2], decimal.Decimal("1.5"))
        ).fetchone()
        assert sent[0] is True and sent[1] == 7 and sent[2] == 2.5 and sent[3] == "it's" and sent[4] == [1, 2], sent
        vector = cursor.execute("SELECT embed('a nurse') AS v").fetchone()[0]
        assert len(vector) > 8 and isinstance(vector[0], float), vector
        everything = cursor.execute("SELECT * FROM usa").fetchall()
        assert len(everything) == 20
        connection.commit()
        # Prepared by the client itself, after some executions.
        for at in range(8):
            assert cursor.execute("SELECT count(*) FROM usa WHERE age > %s", (at,), prepare=True).fetchone()[0] == 20 or at
        cursor.execute("CREATE TABLE py_t (a INT, b VARCHAR)")
        cursor.executemany("INSERT INTO py_t VALUES (%s, %s)", [(1, "x"), (2, None), (3, "z")])
        assert cursor.execute("UPDATE py_t SET b = 'y' WHERE a > 1").rowcount == 2
        with cursor.copy("COPY py_t FROM STDIN") as copy:
            for at in range(1000):
                copy.write_row((10 + at, "tab\tand \\ and\nline"))
        with cursor.copy("COPY (SELECT a, b FROM py_t WHERE a >= 10 ORDER BY a) TO STDOUT") as copy:
            copied = list(copy.rows())
        assert len(copied) == 1000 and copied[0] == ("10", "tab\tand \\ and\nline"), copied[:1]
        with cursor.copy("COPY py_t FROM STDIN (FORMAT binary)") as copy:
            copy.set_types(["int4", "text"])
            for at in range(5000):
                copy.write_row((-1 - at, None if at % 2 else "bin"))
        with cursor.copy("COPY (SELECT a, b FROM py_t WHERE a < 0 ORDER BY a DESC) TO STDOUT (FORMAT binary)") as copy:
            copy.set_types(["int4", "text"])
            copied = list(copy.rows())
        assert len(copied) == 5000 and copied[:2] == [(-1, "bin"), (-2, None)], copied[:2]
        names = cursor.execute("SELECT count(*), sum(a), 1, a::text, max(a) + %s FROM py_t GROUP BY a LIMIT 1", (1,))
        names = [column.name for column in names.description]
        assert names == ["count", "sum", "?column?", "a", "?column?"], names
        for zone, offset in [("Europe/Berlin", None), ("Asia/Kolkata", 19800), ("UTC", 0)]:
            connection.execute(f"SET TIME ZONE '{zone}'")
            assert connection.info.parameter_status("TimeZone") == zone
            for binary in [False, True]:
                moment = connection.cursor(binary=binary).execute("SELECT now()").fetchone()[0]
                told = moment.utcoffset()
                assert offset is None or (told.total_seconds() if told else 0) == offset, (zone, moment)
        connection.commit()
        try:
            cursor.execute("SELECT %s FORM py_t x y", (1,))
            raise AssertionError("no error")
        except psycopg.errors.SyntaxError as error:
            assert error.diag.statement_position == "16", error.diag.statement_position
            connection.rollback()
        try:
            cursor.execute("SELECT nothing FROM py_t")
            raise AssertionError("no error")
        except psycopg.errors.UndefinedColumn as error:
            assert "no column" in str(error)
        try:
            cursor.execute("SELECT 1")
            raise AssertionError("no error")
        except psycopg.errors.InFailedSqlTransaction:
            connection.rollback()
        with connection.cursor(name="server_side") as cursor:
            cursor.itersize = 100
            cursor.execute("SELECT age FROM sample_persona('usa', 1000, seed => 1)")
            assert sum(1 for _ in cursor) == 1000
        connection.rollback()
        # Rows one by one, as they come.
        count = 0
        for _ in connection.cursor().stream("SELECT age FROM sample_persona('usa', %s, seed => 1)", (rows,)):
            count += 1
        assert count == rows
        connection.execute("DROP TABLE py_t")
        # Cancelled from beside.
        timer = threading.Timer(1, connection.cancel)
        timer.start()
        since = time.monotonic()
        try:
            connection.execute(ENDLESS)
            raise AssertionError("no error")
        except psycopg.errors.QueryCanceled:
            assert time.monotonic() - since < 3
        connection.rollback()
    try:
        psycopg.connect(url.replace("pop_", "pop_0"))
        raise AssertionError("let in")
    except psycopg.OperationalError as error:
        assert "no token" in str(error), error
    say("psycopg: types as text and in binary, parameters, prepared statements, cursors, COPY both ways, zones, cancelling")


async def asyncpg(url, rows):
    import asyncpg

    connection = await asyncpg.connect(url)
    people = await connection.fetch("SELECT first_name, age FROM sample_persona('usa', $1, seed => 42)", 5)
    assert len(people) == 5 and isinstance(people[0]["age"], int)
    kinds = await connection.fetchrow(
        "SELECT true AS a, 2::int AS b, 1.5::real AS c, 'é' AS d, DATE '2026-01-02' AS e, [1.5, 2.5] AS f, ['a'] AS g,"
        " struct(1, 'x') AS h, TIMESTAMP '2026-01-02 03:04:05' AS i, 12345.678::decimal(10, 3) AS j"
    )
    assert kinds["a"] is True and kinds["b"] == 2 and kinds["f"] == [1.5, 2.5] and kinds["g"] == ["a"], kinds
    assert str(kinds["e"]) == "2026-01-02" and kinds["h"] == '{"c0":1,"c1":"x"}', kinds
    assert str(kinds["i"]) == "2026-01-02 03:04:05" and kinds["j"] == decimal.Decimal("12345.678"), kinds
    assert await connection.fetchval("SELECT count(*) FROM usa WHERE age > $1 AND state <> $2", 18, "XX") > 0
    assert await connection.fetchval("SELECT count(*) FROM sample_persona('usa', 100, given => age > $1::int)", 30) == 100
    everything = await connection.fetch("SELECT * FROM usa")
    assert len(everything) == 20
    await connection.execute("CREATE TABLE async_t (a INT, b VARCHAR)")
    await connection.executemany("INSERT INTO async_t VALUES ($1::int, $2::text)", [(1, "x"), (2, None)])
    assert await connection.execute("DELETE FROM async_t WHERE a = 1") == "DELETE 1"
    async with connection.transaction():
        count = 0
        async for _ in connection.cursor("SELECT age FROM sample_persona('usa', 1000, seed => 1)", prefetch=100):
            count += 1
        assert count == 1000
    try:
        await connection.fetch("SELECT * FROM usaa")
        raise AssertionError("no error")
    except asyncpg.UndefinedTableError:
        pass
    try:
        await connection.fetch(ENDLESS, timeout=1)
        raise AssertionError("no error")
    except asyncio.TimeoutError:
        pass
    assert await connection.fetchval("SELECT 1") == 1
    out = io.BytesIO()
    await connection.copy_from_query("SELECT a FROM async_t", output=out, format="csv")
    assert out.getvalue() == b"2\n"
    # In binary.
    assert await connection.copy_records_to_table("async_t", records=[(7, "x"), (8, None)]) == "COPY 2"
    assert [tuple(row) for row in await connection.fetch("SELECT * FROM async_t WHERE a > 6 ORDER BY a")] == [(7, "x"), (8, None)]
    await connection.execute("DROP TABLE async_t")
    await connection.close()
    say("asyncpg: parameters with inferred types, binary rows both ways, cursors, timeouts")


def sqlalchemy(url):
    import pandas
    from sqlalchemy import MetaData, create_engine, inspect, select, text

    engine = create_engine(url.replace("postgres://", "postgresql+psycopg://"))
    inspector = inspect(engine)
    assert "usa" in inspector.get_table_names()
    columns = {column["name"]: column for column in inspector.get_columns("usa")}
    assert str(columns["age"]["type"]) == "INTEGER", columns["age"]
    assert inspector.get_pk_constraint("usa")["constrained_columns"] == []
    assert inspector.get_indexes("usa") == [] and inspector.get_foreign_keys("usa") == []
    assert inspector.has_table("usa") and not inspector.has_table("usaa")
    assert inspector.get_view_names() is not None
    metadata = MetaData()
    metadata.reflect(engine, only=["usa"])
    usa = metadata.tables["usa"]
    with engine.connect() as connection:
        rows = connection.execute(select(usa.c.uuid, usa.c.age).where(usa.c.age > 18).limit(3)).all()
        assert len(rows) <= 3
    frame = pandas.read_sql(text("SELECT state, age FROM usa WHERE age > :age"), engine, params={"age": 1})
    assert list(frame.columns) == ["state", "age"] and str(frame["age"].dtype) == "int64", frame.dtypes
    grouped = pandas.read_sql("SELECT sex, count(*), avg(age), 1 FROM usa GROUP BY sex", engine)
    assert list(grouped.columns) == ["sex", "count", "avg", "?column?"], grouped.columns
    assert len(pandas.read_sql("usa", engine)) == 20
    chunks = pandas.read_sql("SELECT age FROM sample_persona('usa', 5000, seed => 1)", engine, chunksize=1000)
    assert [len(chunk) for chunk in chunks] == [1000] * 5
    pandas.DataFrame({"a": [1, 2], "b": ["x", None]}).to_sql("pandas_t", engine, index=False)
    assert len(pandas.read_sql("pandas_t", engine)) == 2
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE pandas_t"))
    engine.dispose()
    say("SQLAlchemy and pandas: reflection, read_sql by query, table and chunks, to_sql")


def memory(server, url, rows):
    """Whether the memory of the server stays where it is while a client takes rows by the million."""
    import psycopg

    if resident(server) is None:
        return
    query = "SELECT age, state, occupation FROM sample_persona('usa', {}, seed => 1)"
    seen, since = [], time.monotonic()
    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        with cursor.copy(f"COPY ({query.format(rows)}) TO STDOUT") as copy:
            taken = 0
            for block in copy:
                taken += bytes(block).count(b"\n")
                if not seen or time.monotonic() - since > len(seen):
                    seen.append(resident(server))
    assert taken == rows, taken
    half = seen[len(seen) // 4 :]
    say(f"{rows} rows by COPY in {time.monotonic() - since:.0f} s; MB resident: {seen[0]} at first, {min(half)} to {max(half)} then")
    assert max(half) - min(half) < 200, seen


JAVA = """
import java.sql.*;
import java.util.*;

public class Jdbc {
    static int count(ResultSet rows) throws SQLException {
        int n = 0;
        while (rows.next()) n++;
        return n;
    }

    public static void main(String[] arguments) throws Exception {
        Properties properties = new Properties();
        properties.put("user", "populace");
        properties.put("password", arguments[1]);
        try (Connection connection = DriverManager.getConnection(arguments[0], properties)) {
            DatabaseMetaData meta = connection.getMetaData();
            if (count(meta.getTables(null, "public", "usa", new String[] {"TABLE"})) != 1) throw new Exception("tables");
            ResultSet columns = meta.getColumns(null, "public", "usa", "age");
            if (!columns.next() || !columns.getString("TYPE_NAME").equals("int4")) throw new Exception("columns");
            count(meta.getSchemas());
            count(meta.getCatalogs());
            count(meta.getTableTypes());
            count(meta.getPrimaryKeys(null, "public", "usa"));
            count(meta.getIndexInfo(null, "public", "usa", false, true));
            count(meta.getImportedKeys(null, "public", "usa"));
            count(meta.getTypeInfo());
            try (PreparedStatement statement = connection.prepareStatement(
                    "SELECT first_name, age FROM usa WHERE age > ? AND state <> ?")) {
                // After the fifth it is prepared by the server, and rows come in binary.
                for (int i = 0; i < 8; i++) {
                    statement.setInt(1, 1);
                    statement.setString(2, "XX");
                    ResultSet rows = statement.executeQuery();
                    int n = 0;
                    while (rows.next()) {
                        if (rows.getInt(2) <= 1) throw new Exception("age");
                        n++;
                    }
                    if (n == 0) throw new Exception("no rows");
                }
            }
            connection.setAutoCommit(false);
            try (Statement statement = connection.createStatement()) {
                statement.setFetchSize(100);
                if (count(statement.executeQuery("SELECT age FROM sample_persona('usa', 1000, seed => 1)")) != 1000)
                    throw new Exception("fetch size");
            }
            connection.commit();
            connection.setAutoCommit(true);
            try (Statement statement = connection.createStatement()) {
                ResultSet rows = statement.executeQuery("SELECT count(*), 1, now() FROM usa");
                ResultSetMetaData called = rows.getMetaData();
                if (!called.getColumnName(1).equals("count") || !called.getColumnName(2).equals("?column?"))
                    throw new Exception("names");
                // The driver tells the zone that Java is in.
                rows.next();
                long late = System.currentTimeMillis() - rows.getTimestamp(3).getTime();
                if (Math.abs(late) > 60_000) throw new Exception("a moment " + late + " ms ago");
                statement.execute("CREATE TABLE jdbc_t AS SELECT 1::int AS a, 'x' AS b LIMIT 0");
                byte[] head = {'P', 'G', 'C', 'O', 'P', 'Y', 10, (byte) 0xff, 13, 10, 0, 0, 0, 0, 0, 0, 0, 0, 0};
                byte[] row = {0, 2, 0, 0, 0, 4, 0, 0, 0, 7, 0, 0, 0, 1, 'y', (byte) 0xff, (byte) 0xff};
                byte[] all = Arrays.copyOf(head, head.length + row.length);
                System.arraycopy(row, 0, all, head.length, row.length);
                long copied = connection.unwrap(org.postgresql.PGConnection.class).getCopyAPI()
                    .copyIn("COPY jdbc_t FROM STDIN (FORMAT binary)", new java.io.ByteArrayInputStream(all));
                if (copied != 1) throw new Exception("copied " + copied);
                statement.execute("DROP TABLE jdbc_t");
                try {
                    statement.executeQuery("SELECT 1 FORM usa x y");
                    throw new Exception("no error");
                } catch (org.postgresql.util.PSQLException error) {
                    if (error.getServerErrorMessage().getPosition() != 15)
                        throw new Exception("at " + error.getServerErrorMessage().getPosition());
                }
            }
        }
        System.out.println("ok");
    }
}
"""


def driver(cache):
    """pgjdbc: that of the system, or Debian's package, unpacked into the cache."""
    for folder in [Path("/"), cache / "jdbc"]:
        jar = folder / "usr/share/java/postgresql.jar"
        if jar.exists():
            return jar
    with tempfile.TemporaryDirectory() as folder:
        if not apt("download", "libpostgresql-jdbc-java", folder=folder):
            return None
        try:
            package = next(Path(folder).glob("*.deb"))
            subprocess.run(["dpkg", "-x", str(package), str(cache / "jdbc")], check=True, capture_output=True)
        except (OSError, subprocess.SubprocessError, StopIteration):
            return None
    return jar if jar.exists() else None


def jdbc(url, cache):
    if not shutil.which("java"):
        return missing("JDBC", "java is not there")
    jar = driver(cache)
    if jar is None:
        return missing("JDBC", "its driver is not there: apt-get install libpostgresql-jdbc-java")
    parts = urllib.parse.urlsplit(url)
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "Jdbc.java"
        source.write_text(JAVA)
        at = f"jdbc:postgresql://{parts.hostname}:{parts.port}/populace"
        command = ["java", "-Duser.timezone=Asia/Tokyo", "-cp", str(jar), str(source), at, parts.password]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "ok", f"JDBC: {done.stdout}{done.stderr}"
    say("pgjdbc: metadata, prepared statements in binary, fetch size, moments, COPY in binary, places of errors")


def all_of_them(server, url, cache):
    """With a URL that has the token of a writer in it."""
    rows = int(os.environ.get("POPULACE_ROWS", "200000"))
    psql(url)
    psycopg(url, rows)
    asyncio.run(asyncpg(url, rows))
    sqlalchemy(url)
    jdbc(url, cache)
    memory(server, url, int(os.environ.get("POPULACE_ROWS", "2000000")))
