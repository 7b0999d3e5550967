"""Many clients at once: `populace serve`, PostgreSQL, and DuckDB behind Buena Vista, all asked by pgbench.

    apt install postgresql; pip install duckdb buenavista sqlglot pyarrow
    cargo build --release
    python3 benches/peers/serve.py [--populace target/release/populace] [--people 1000000] [--seconds 600]

All three have the same people and are asked the same questions in the same parts, over 64 connections by PostgreSQL's
protocol. Buena Vista is a server of PostgreSQL's protocol for DuckDB, in Python. Then Populace has what it alone is asked
for among them, people drawn under a condition and rows written, and clients that are killed while it works.
"""

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

from common import Populace, machine, options

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))
from processes import resident  # noqa: E402

CLIENTS = 64
COLUMNS = "uuid, age, sex, state, city, occupation, marital_status, household_size, first_name, last_name"

# What is asked for, how often, and the ranges that pgbench draws its values from.
QUESTIONS = {
    "one person": (85, r"\set id random(1, {people})", "SELECT first_name, last_name, age FROM people WHERE id = :id;"),
    "a page": (8, r"\set age random(0, 80)",
               "SELECT id, first_name, age FROM people WHERE age >= :age ORDER BY id LIMIT 50;"),
    "how many": (5, r"\set age random(0, 80)", "SELECT count(*) FROM people WHERE age = :age AND sex = 'Female';"),
    "by state": (2, r"\set age random(0, 80)",
                 "SELECT state, count(*), avg(age) FROM people WHERE age >= :age GROUP BY state ORDER BY state;"),
}
OWN = {
    "people drawn": (4, r"\set age random(18, 80)",
                     "SELECT first_name, occupation FROM sample_persona('usa', 100, given => age = :age);"),
    "a row written": (1, r"\set id random(1, 1000000000)", "INSERT INTO notes VALUES (:id, 'written');"),
}
ENDLESS = "SELECT count(*) FROM sample_persona('usa', 4000000000, seed => 1) WHERE age > 200;"


def free_port():
    with socket.socket() as it:
        it.bind(("127.0.0.1", 0))
        return it.getsockname()[1]


def asked(name, questions, port, user, seconds, people, folder):
    """Runs pgbench; by question, the seconds of each answer, sorted; and what went wrong."""
    folder = Path(folder) / name
    folder.mkdir()
    scripts = []
    for at, (weight, values, sql) in enumerate(questions.values()):
        (folder / f"{at}.sql").write_text(values.format(people=people) + "\n" + sql + "\n")
        scripts += ["-f", f"{folder}/{at}.sql@{weight}"]
    command = ["pgbench", "-n", "-c", str(CLIENTS), "-j", "2", "-T", str(seconds), "--log", f"--log-prefix={folder}/log"]
    command += [*scripts, "-h", "127.0.0.1", "-p", str(port), "-U", user, "populace"]
    done = subprocess.run(command, capture_output=True, text=True)
    wrong = [line for line in done.stderr.splitlines() if "error" in line.lower() or "abort" in line.lower()]
    times = {question: [] for question in questions}
    names = list(questions)
    for log in folder.glob("log*"):
        for line in log.read_text().splitlines():
            _, _, microseconds, script, *_ = line.split()
            # What failed has a word in its place.
            if microseconds.isdigit():
                times[names[int(script)]].append(int(microseconds) / 1e6)
    return {question: sorted(taken) for question, taken in times.items()}, wrong


def told(name, times, wrong, seconds):
    for question, taken in times.items():
        if taken:
            p50, p99 = (taken[min(int(len(taken) * q), len(taken) - 1)] * 1e3 for q in (0.5, 0.99))
            print(f"| {name} | {question} | {len(taken) / seconds:,.1f} | {p50:,.1f} ms | {p99:,.1f} ms |", flush=True)
    if wrong:
        print(f"{name}: {len(wrong)} errors, the first: {wrong[0]}", flush=True)


@contextmanager
def postgresql(csv):
    """A server of PostgreSQL with the people, its settings those of Debian but for a quarter of the memory as buffers."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not programs:
        sys.exit("there is no PostgreSQL: apt install postgresql")
    as_whom = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o777)
        data, port = f"{folder}/data", free_port()
        run = lambda *command: subprocess.run([*as_whom, *command], check=True, capture_output=True, cwd="/")  # noqa: E731
        run(f"{programs[-1]}/initdb", "-D", data, "-U", "populace", "-A", "trust")
        settings = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c shared_buffers=4GB -c max_connections=100"
        run(f"{programs[-1]}/pg_ctl", "-D", data, "-o", settings, "-l", f"{folder}/log", "-w", "start")
        try:
            psql = ["psql", "-q", "-h", "127.0.0.1", "-p", str(port), "-U", "populace", "-v", "ON_ERROR_STOP=1"]
            types = "id bigint PRIMARY KEY, uuid text, age int, sex text, state text, city text, occupation text, marital_status text, household_size int, first_name text, last_name text"
            subprocess.run([*psql, "-d", "postgres", "-c", "CREATE DATABASE populace"], check=True)
            for sql in [f"CREATE TABLE people ({types})", rf"\copy people FROM '{csv}' CSV HEADER", "VACUUM ANALYZE people"]:
                subprocess.run([*psql, "-d", "populace", "-c", sql], check=True)
            yield port
        finally:
            run(f"{programs[-1]}/pg_ctl", "-D", data, "-m", "immediate", "stop")


@contextmanager
def duckdb(csv):
    """DuckDB behind Buena Vista, with the people and an index of their numbers."""
    with tempfile.TemporaryDirectory() as folder:
        import duckdb as database

        with database.connect(f"{folder}/people.duckdb") as connection:
            connection.execute(f"CREATE TABLE people AS SELECT * FROM read_csv('{csv}')")
            connection.execute("CREATE UNIQUE INDEX of_id ON people (id)")
        port = free_port()
        environment = {**os.environ, "BUENAVISTA_HOST": "127.0.0.1", "BUENAVISTA_PORT": str(port)}
        command = [sys.executable, "-m", "buenavista.examples.duckdb_postgres", f"{folder}/people.duckdb"]
        server = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            waited(port)
            yield port
        finally:
            server.kill()
            server.wait()


def waited(port):
    for _ in range(200):
        with socket.socket() as it:
            if it.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    sys.exit(f"nobody listens on port {port}")


@contextmanager
def populace(binary, database):
    """The server; its process, its URL and its port of PostgreSQL."""
    command = [binary, "--db", database, "--embedder", "hash", "serve", "--listen", "127.0.0.1:0"]
    command += ["--postgres", "127.0.0.1:0", "--no-auth", "--max-wait", "60", "--statement-timeout", "60"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        url, postgres = (server.stdout.readline().strip() for _ in range(2))
        yield server, url, re.search(r":(\d+)/", postgres).group(1)
    finally:
        server.terminate()
        server.wait()


def at_work(url):
    text = urllib.request.urlopen(f"{url}/metrics").read().decode()
    return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith("populace_statements_at_work"))


def killed(url, port):
    """Kills clients while they wait for an answer; the seconds until nothing is at work, once for each of five."""
    taken = []
    for _ in range(5):
        with tempfile.NamedTemporaryFile("w", suffix=".sql") as script:
            script.write(ENDLESS + "\n")
            script.flush()
            command = ["pgbench", "-n", "-c", "8", "-j", "2", "-T", "60", "-f", script.name]
            client = subprocess.Popen([*command, "-h", "127.0.0.1", "-p", port, "-U", "a", "populace"],
                                      stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            while at_work(url) < 8:
                time.sleep(0.05)
            client.send_signal(signal.SIGKILL)
            client.wait()
            since = time.monotonic()
            while at_work(url) > 0:
                if time.monotonic() - since > 30:
                    sys.exit("what nobody waits for goes on")
                time.sleep(0.01)
            taken.append(time.monotonic() - since)
    return taken


def main():
    given = options(seconds=600)
    seconds, beside = given.seconds, max(given.seconds // 5, 10)
    print(f"{machine()}, {CLIENTS} connections, {given.people:,} people\n")
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        ours = Populace(given.populace, f"{folder}/db")
        ours.run("sql", f"CREATE TABLE people AS SELECT row_number() OVER () AS id, {COLUMNS} "
                        f"FROM sample_persona('usa', {given.people}, seed => 1)")
        ours.run("sql", "CREATE INDEX ON people USING btree (id)")
        ours.run("sql", "CREATE TABLE notes (id BIGINT, text VARCHAR)")
        csv = f"{folder}/people.csv"
        with open(csv, "wb") as out:
            subprocess.run([*ours.command, "sql", "--format", "csv", "SELECT * FROM people"], stdout=out, check=True)
        print("| | question | answers/s | p50 | p99 |\n|---|---|---|---|---|")
        with populace(given.populace, f"{folder}/db") as (server, url, port):
            told("Populace", *asked("populace", QUESTIONS, port, "a", beside, given.people, folder), beside)
        with postgresql(csv) as port:
            told("PostgreSQL", *asked("postgresql", QUESTIONS, port, "populace", beside, given.people, folder), beside)
        with duckdb(csv) as port:
            told("DuckDB", *asked("duckdb", QUESTIONS, port, "a", beside, given.people, folder), beside)
        with populace(given.populace, f"{folder}/db") as (server, url, port):
            seen, ended = [], []

            def watch():
                while not ended:
                    seen.append(resident(server))
                    time.sleep(1)

            watching = threading.Thread(target=watch)
            watching.start()
            mixed = asked("mixed", QUESTIONS | OWN, port, "a", seconds, given.people, folder)
            ended.append(True)
            watching.join()
            told(f"Populace, {seconds} s of all", *mixed, seconds)
            quarter = [max(seen[len(seen) * part // 4 : len(seen) * (part + 1) // 4] or [0]) for part in range(4)]
            print(f"\nMB resident, the most in each quarter: {quarter}; at work then: {at_work(url):.0f}")
            taken = ", ".join(f"{t:.2f}" for t in killed(url, port))
            print(f"8 clients killed, seconds until nothing is at work: {taken}")


if __name__ == "__main__":
    main()
