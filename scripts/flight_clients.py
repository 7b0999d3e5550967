"""What real clients of Arrow Flight SQL get of `populace serve`: ADBC's driver, by itself and under pandas and Polars, and
pyarrow's own client of Flight. Called by clients.py, with its packages. The JDBC driver of Flight SQL is in no registry that
has Python's packages or Debian's, and is not tried here."""

import os
import shutil
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from processes import resident

PACKAGES = ["adbc-driver-flightsql==1.13.0", "adbc-driver-manager==1.13.0", "pyarrow==26.0.1", "polars==2.1.0"]

ENDLESS = "SELECT count(*) FROM sample_persona('usa', 4000000000, seed => 1) WHERE age > 200"
TYPES = """SELECT true AS a, 1::smallint AS b, 1::int AS c, 1::bigint AS d, 1.5::real AS e, 1.5::double AS f,
    1.25::decimal(9, 2) AS g, 'x' AS h, DATE '2024-01-02' AS i, TIME '10:00:00' AS j,
    TIMESTAMP '2024-01-02 03:04:05' AS k, [1, 2] AS l, ['x'] AS m, struct(1, 'y') AS n, NULL AS o,
    arrow_cast('x', 'Utf8View') AS p, arrow_cast('x', 'LargeUtf8') AS q, arrow_cast([1, 2], 'LargeList(Int64)') AS r,
    arrow_cast('x', 'Dictionary(Int32, Utf8)') AS s, X'0102' AS t, arrow_cast(1, 'UInt64') AS u, now() AS v,
    arrow_cast([1.5, 2.5], 'FixedSizeList(2, Float32)') AS w"""


def say(text):
    print(f"clients: {text}", flush=True)


def wrong(connection, sql):
    """What is said of a statement that fails."""
    with connection.cursor() as cursor:
        try:
            cursor.execute(sql)
            cursor.fetchall()
        except Exception as error:
            return str(error)
    raise AssertionError(f"{sql} did not fail")


def adbc(address, token):
    import adbc_driver_flightsql.dbapi as flight_sql
    import pyarrow

    def connect(**others):
        return flight_sql.connect(f"grpc://{address}", db_kwargs=others, autocommit=True)

    bearer = {"adbc.flight.sql.authorization_header": f"Bearer {token}"}
    for keywords in [bearer, {"username": "me", "password": token}]:
        with connect(**keywords) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT 1 AS one")
            assert cursor.fetchall() == [(1,)]
    with connect(**{"adbc.flight.sql.authorization_header": "Bearer pop_none"}) as connection:
        assert "a token that is good is wanted" in wrong(connection, "SELECT 1")
    with connect(**bearer) as connection, connection.cursor() as cursor:
        def rows(sql, values=None):
            cursor.execute(sql, values)
            return cursor.fetchall()

        shown = rows("SELECT state, count(*) FROM sample_persona('usa', 100000) GROUP BY 1 ORDER BY 2 DESC LIMIT 3")
        assert len(shown) == 3 and shown[0][0] == "CA", shown
        print(*shown, sep="\n")
        cursor.execute("SELECT * FROM usa")
        assert cursor.fetch_arrow_table().num_rows == 20
        cursor.execute("SELECT * FROM generate_persona('usa', 3)")
        assert cursor.fetch_arrow_table().num_rows == 3
        assert len(rows(TYPES)[0]) == 23
        # Values, by question marks and by numbers; the same statement with others.
        assert rows("SELECT ? + 1 AS a, ? AS b", (41, "it's")) == [(42, "it's")]
        for count, age in [(100, 60), (250, 80)]:
            drawn = rows("SELECT count(*), min(age) FROM sample_persona('usa', $1, given => age > $2)", (count, age))
            assert drawn[0][0] == count and drawn[0][1] > age, drawn
        # What writes has run, whether anybody looks at what became of it.
        cursor.execute("CREATE TABLE adbc_t AS SELECT 1 AS a, 'x' AS b")
        cursor.execute("INSERT INTO adbc_t VALUES (?, ?)", (2, "y"))
        assert cursor.rowcount == 1, cursor.rowcount
        cursor.executemany("INSERT INTO adbc_t VALUES (?, ?)", [(3, "z"), (4, None)])
        assert cursor.rowcount == 2, cursor.rowcount
        assert rows("SELECT * FROM adbc_t ORDER BY a") == [(1, "x"), (2, "y"), (3, "z"), (4, None)]
        # Tables of Arrow.
        table = pyarrow.table({"x": [1, 2, 3], "y": ["a", None, "c"], "z": [[1.5], [], None]})
        assert cursor.adbc_ingest("adbc_i", table, mode="create") == 3
        assert cursor.adbc_ingest("adbc_i", table, mode="append") == 3
        assert cursor.adbc_ingest("adbc_i", table.slice(0, 1), mode="create_append") == 1
        assert rows("SELECT count(*), count(y) FROM adbc_i") == [(7, 5)]
        try:
            cursor.adbc_ingest("adbc_i", table, mode="create")
            raise SystemExit("clients: adbc_ingest made a table that was there")
        except Exception as error:
            assert "exists already" in str(error), error
        assert cursor.adbc_ingest("adbc_i", table.to_reader(max_chunksize=1), mode="replace") == 3
        assert rows("SELECT count(*) FROM adbc_i") == [(3,)]
        # What there is, at every depth.
        for depth in ["catalogs", "db_schemas", "tables", "all"]:
            found = connection.adbc_get_objects(depth=depth, catalog_filter="datafusion").read_all().to_pylist()
            assert [catalog["catalog_name"] for catalog in found] == ["datafusion"], depth
        schemas = {schema["db_schema_name"]: schema["db_schema_tables"] for schema in found[0]["catalog_db_schemas"]}
        tables = {table["table_name"]: table["table_columns"] for table in schemas["public"]}
        assert [column["column_name"] for column in tables["adbc_t"]] == ["a", "b"], tables
        assert connection.adbc_get_table_schema("adbc_t").names == ["a", "b"]
        assert connection.adbc_get_table_types() == ["TABLE", "VIEW"]
        assert connection.adbc_get_info()["vendor_name"] == "Populace"
        # One ticket fetched twice, and by another connection: the same people, though nobody named a seed.
        parts, _ = cursor.adbc_execute_partitions("SELECT uuid FROM sample_persona('usa', 5)")
        drawn = []
        for _ in range(2):
            with connect(**bearer) as other, other.cursor() as reader:
                reader.adbc_read_partition(parts[0])
                drawn.append(reader.fetchall())
        assert drawn[0] == drawn[1] and len(drawn[0]) == 5
        assert "did you mean `age`?" in wrong(connection, "SELECT agee FROM usa")
        assert "line 1" in wrong(connection, "SELEC 1")
    # Cancelled from another thread.
    with connect(**bearer) as connection, connection.cursor() as cursor:
        threading.Timer(1, cursor.adbc_cancel).start()
        started = time.monotonic()
        try:
            cursor.execute(ENDLESS)
            cursor.fetchall()
            raise SystemExit("clients: adbc: what was cancelled went on")
        except Exception as error:
            assert "cancel" in str(error).lower(), error
        assert time.monotonic() - started < 5
    with connect(**bearer) as connection:
        import pandas
        import polars

        sql = "SELECT age, state FROM sample_persona('usa', 1000, seed => 1)"
        assert len(pandas.read_sql(sql, connection)) == 1000
        assert polars.read_database(sql, connection).shape == (1000, 2)
        frame = pandas.DataFrame({"a": [1, 2], "b": ["x", "y"]})
        assert frame.to_sql("adbc_p", connection, index=False) == 2
        with connection.cursor() as cursor:
            for table in ["adbc_t", "adbc_i", "adbc_p"]:
                cursor.execute(f"DROP TABLE {table}")
    say("ADBC, pandas, Polars: selected, bound, written, listed, cancelled")


def pyarrow_flight(address, token, scheme="grpc", **options):
    """The protocol by hand, as pyarrow has no Flight SQL: the command, in Protocol Buffers."""
    from pyarrow import flight

    def text(number, value):
        assert len(value) < 128
        return bytes([number << 3 | 2, len(value)]) + value

    command = b"type.googleapis.com/arrow.flight.protocol.sql.CommandStatementQuery"
    query = text(1, command) + text(2, text(1, b"SELECT uuid, age FROM sample_persona('usa', 1000)"))
    with flight.FlightClient(f"{scheme}://{address}", **options) as client:
        header, value = client.authenticate_basic_token("me", token)
        call = flight.FlightCallOptions(headers=[(header, value)])
        info = client.get_flight_info(flight.FlightDescriptor.for_command(query), call)
        ticket = info.endpoints[0].ticket
        first, again = (client.do_get(ticket, call).read_all() for _ in range(2))
        assert first.num_rows == 1000 and first.equals(again) and first.schema.equals(info.schema)
        assert "CancelFlightInfo" in {action.type for action in client.list_actions(call)}
        try:
            client.get_flight_info(flight.FlightDescriptor.for_command(query))
            raise SystemExit("clients: pyarrow.flight was let in without a token")
        except flight.FlightUnauthenticatedError as error:
            assert "a token that is good is wanted" in str(error)
    say(f"pyarrow.flight by {scheme}: 1,000 people, twice the same")


def memory(server, address, token, rows):
    """Whether the memory of the server stays where it is while a client takes rows by the million, and sends them."""
    import adbc_driver_flightsql.dbapi as flight_sql
    import pyarrow

    if resident(server) is None:
        return
    bearer = {"adbc.flight.sql.authorization_header": f"Bearer {token}"}
    with flight_sql.connect(f"grpc://{address}", db_kwargs=bearer, autocommit=True) as connection:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            cursor.fetchall()

            def watched(batches):
                for batch in batches:
                    nonlocal taken
                    taken += batch.num_rows
                    if time.monotonic() - since > len(seen) / 10:
                        seen.append(resident(server))
                    yield batch

            def told(how):
                spent, half = time.monotonic() - since, seen[len(seen) // 4 :]
                say(f"{rows} rows {how} by ADBC in {spent:.1f} s; MB resident: {seen[0]} at first, {min(half)} to {max(half)} then")
                assert taken == rows, taken
                assert max(half) - min(half) < 300, seen

            taken, seen, since = 0, [resident(server)], time.monotonic()
            cursor.execute(f"SELECT age, state, occupation FROM sample_persona('usa', {rows}, seed => 1)")
            for _ in watched(cursor.fetch_record_batch()):
                pass
            told("taken")
            # The first of them again and again, as the client is to make none.
            cursor.execute("SELECT age, state, occupation FROM sample_persona('usa', 10000, seed => 1)")
            first = cursor.fetch_arrow_table().combine_chunks()
            taken, seen, since = 0, [resident(server)], time.monotonic()
            again = (first.to_batches()[0] for _ in range(rows // first.num_rows))
            reader = pyarrow.RecordBatchReader.from_batches(first.schema, watched(again))
            assert cursor.adbc_ingest("adbc_many", reader, mode="create") == rows
            told("sent and written")
            cursor.execute("DROP TABLE adbc_many")


def all_of_them(server, address, token):
    adbc(address, token)
    pyarrow_flight(address, token)
    memory(server, address, token, int(os.environ.get("POPULACE_ROWS", "2000000")))


def over_tls(serve, token):
    """The same port with TLS, if there is something to make a certificate with; `serve` starts a server."""
    if not shutil.which("openssl"):
        return say("SKIPPED: Flight over TLS: there is no openssl to make a certificate")
    with tempfile.TemporaryDirectory() as folder:
        key, certificate = f"{folder}/key.pem", f"{folder}/cert.pem"
        make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate]
        make += ["-days", "1", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
        subprocess.run(make, check=True, capture_output=True)
        with serve("--tls-cert", certificate, "--tls-key", key) as (_, url):
            address = "localhost:" + url.rsplit(":", 1)[1]
            pyarrow_flight(address, token, "grpc+tls", tls_root_certs=Path(certificate).read_bytes())
