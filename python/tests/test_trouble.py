"""What goes wrong: closed databases, Ctrl-C, threads, forks, memory."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time

import pytest

import populace

LONG = "SELECT {} FROM sample_persona('usa', 100000000000, seed => 1)"


def test_a_closed_database_is_refused(tmp_path):
    db = populace.connect(tmp_path / "db")
    kept = db.sql("SELECT 1 AS a")
    assert len(kept) == 1
    unread, reading = db.sql("SELECT 2 AS a"), iter(db.sql(LONG.format("row_index")))
    people = db.sample("usa", 5)
    next(reading)
    db.close()
    db.close()
    assert db.closed and "closed" in repr(db) and kept.to_dicts() == [{"a": 1}]
    for call in (
        lambda: db.sql("SELECT 1"),
        lambda: unread.to_dicts(),
        lambda: list(reading),
        lambda: people.to_dicts(),
        lambda: db.sample("usa", 5),
        lambda: db.tables(),
        lambda: db["usa"],
        lambda: db.search("x"),
        lambda: db.generate("usa", 5),
        lambda: db.runs(),
        lambda: db.probability("usa", "age > 50"),
    ):
        with pytest.raises(populace.UsageError, match="the database is closed"):
            call()


def test_what_is_no_database_is_told(tmp_path):
    (tmp_path / "notes.txt").write_text("not a database")
    with pytest.raises(populace.Error):
        populace.connect(tmp_path).sql("CREATE TABLE t AS SELECT 1 AS a")
    with pytest.raises(TypeError):
        populace.connect(7)
    with pytest.raises(populace.UsageError, match="memory_limit"):
        populace.connect(memory_limit=1)
    with pytest.raises(populace.UsageError, match="statement_timeout"):
        populace.connect(statement_timeout=-1.0)


def test_a_statement_that_takes_too_long_ends():
    with populace.connect(statement_timeout=0.5) as db, pytest.raises(populace.LimitError):
        db.sql(LONG.format("max(age)")).to_dicts()


def interrupted(call, after=0.6):
    """Presses Ctrl-C while a call is at work; how long it took to end then."""
    pressed = []

    def press():
        pressed.append(time.monotonic())
        signal.raise_signal(signal.SIGINT)

    timer = threading.Timer(after, press)
    timer.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            try:
                call()
            finally:
                timer.join()
            # A consumer that makes an error of its own of it hears of it at the next step of the interpreter.
            for _ in range(1000):
                pass
    finally:
        timer.cancel()
    return time.monotonic() - pressed[0]


@pytest.mark.skipif(sys.platform == "win32", reason="signals are others there")
def test_ctrl_c_ends_every_long_call(db):
    import pyarrow

    def swallowed():
        try:
            pyarrow.table(db.sql(LONG.format("uuid")).stream())
        except pyarrow.ArrowException:
            pass
        except OSError as error:
            assert "interrupted" in str(error)

    for call in (
        lambda: db.sql(LONG.format("max(age)")).to_dicts(),
        lambda: len(db.sql(LONG.format("max(age)"))),
        lambda: [None for _ in db.sql(LONG.format("max(age)"))],
        lambda: db.sql(LONG.format("max(age)")).to_polars(),
        lambda: db.sql("CREATE TABLE long AS " + LONG.format("uuid, age")),
        lambda: db.generate("usa", 10**9, seed=1, narrator="none", embeddings=False),
        swallowed,
    ):
        assert interrupted(call) < 3
    # Nothing of it is left at work, and the database goes on.
    assert db.sql("SELECT 1").scalar() == 1 and "long" not in db


@pytest.mark.skipif(sys.platform == "win32", reason="signals are others there")
def test_an_interrupted_run_is_resumed(db):
    people = 800
    with pytest.raises(KeyboardInterrupt) as raised:
        threading.Timer(0.7, signal.raise_signal, (signal.SIGINT,)).start()
        db.generate("usa", people, seed=1, embeddings=False)
    [run] = db.runs()
    if sys.version_info >= (3, 11):
        assert f"db.resume('{run.id}')" in raised.value.__notes__[0]
    for _ in range(50):
        if run.status == "interrupted":
            break
        time.sleep(0.1)
    assert run.status == "interrupted" and run.done < people
    resumed = db.resume(run.id)
    assert (resumed.id, resumed.status, resumed.done) == (run.id, "done", people)
    uuids = db["usa"].select("uuid").column("uuid")
    assert len(uuids) == len(set(uuids)) == people


def test_a_run_whose_process_was_killed_is_resumed(db):
    text = """
        import populace, sys
        db = populace.connect(sys.argv[1])
        print("begins", flush=True)
        db.generate("usa", 300, seed=1, embeddings=False)
        print("done", flush=True)
        """
    command = [sys.executable, "-c", textwrap.dedent(text), db.path]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "begins\n"
        while not db.runs():
            time.sleep(0.05)
        process.kill()
        assert "done" not in process.stdout.read()
    [run] = db.runs()
    resumed = db.resume(run)
    assert (resumed.status, resumed.done, len(db["usa"])) == ("done", 300, 300)


def test_threads_share_a_result(db):
    result = db.sql("SELECT uuid FROM sample_persona('usa', 40000)")
    read: list = []
    threads = [threading.Thread(target=lambda: read.append([row["uuid"] for row in result])) for _ in range(4)]
    reader, taken = result._rows.again().reader(), []

    def take():
        while (batch := reader.next()) is not None:
            taken.append(len(batch))

    threads += [threading.Thread(target=take) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(read) == 4 and all(uuids == read[0] for uuids in read) and len(set(read[0])) == 40000
    # Two that read on with one reader each have other rows.
    assert sum(taken) == 40000


def test_other_threads_work_while_one_waits(db):
    ticks = []
    ended = threading.Event()

    def tick():
        while not ended.is_set():
            ticks.append(time.monotonic())
            time.sleep(0.01)

    thread = threading.Thread(target=tick)
    thread.start()
    db.sql("SELECT max(age) FROM sample_persona('usa', 2000000, seed => 1)").scalar()
    ended.set()
    thread.join()
    assert max(after - before for before, after in zip(ticks, ticks[1:], strict=False)) < 0.5


def python(text, *arguments):
    return subprocess.run(
        [sys.executable, *arguments, "-c", textwrap.dedent(text)], capture_output=True, text=True, timeout=120
    )


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_fork_is_refused_with_a_reason():
    done = python(
        """
        import os, populace
        people = populace.sample("usa", 5, seed=1)
        assert len(people.to_dicts()) == 5
        child = os.fork()
        if child == 0:
            for call in (lambda: populace.sample("usa", 5), people.to_dicts):
                try:
                    call()
                except populace.UsageError as error:
                    assert "spawn" in error.hint and "forked" in error.message, error
                else:
                    os._exit(3)
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert len(people.to_dicts()) == 5
        """,
        "-W",
        "ignore",
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_child_may_be_the_first_to_use_it():
    done = python(
        """
        import os, populace
        child = os.fork()
        if child == 0:
            os._exit(0 if len(populace.sample("usa", 5).to_dicts()) == 5 else 3)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        """
    )
    assert done.returncode == 0, done.stderr


def test_the_interpreter_ends_while_rows_are_read():
    done = python(
        """
        import populace, pyarrow, threading
        people = populace.sample("usa", 10**9, seed=1)
        threading.Thread(target=lambda: pyarrow.table(people), daemon=True).start()
        rows = iter(people)
        print(next(rows)["age"])
        """
    )
    assert done.returncode == 0 and done.stdout.strip().isdigit(), done.stderr


def test_importing_is_quick():
    text = "import time; t = time.perf_counter(); import populace; print(time.perf_counter() - t)"
    seconds = min(float(python(text).stdout) for _ in range(5))
    print(f"import populace: {seconds * 1000:.0f} ms")
    assert seconds < 0.1


def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="memory is told otherwise there")
def test_memory_does_not_grow(tmp_path):
    import pyarrow

    queries = 10_000 if os.environ.get("POPULACE_LONG") == "1" else 1_000

    def some(db, count):
        for at in range(count):
            people = db.sample("usa", 20, seed=at)
            pyarrow.table(people)
            people.to_dicts()
            db.sql("SELECT $1 AS a, $2 AS b", [at, "text"]).scalar()
            with pytest.raises(populace.Error):
                db.sql("SELECT * FROM nothing")
            # Read in part, and let go.
            db.sql("SELECT * FROM sample_persona('usa', 1000, seed => 1)").head(1)

    with populace.connect(tmp_path / "db") as db:
        # Four statements and a slip each.
        some(db, queries // 10)
        before = resident()
        some(db, queries // 5)
        grown = resident() - before
    print(f"{queries} statements: {grown / 2**20:.1f} MiB")
    assert grown < 48 << 20
    before = resident()
    for _ in range(50):
        with populace.connect(tmp_path / "db") as db:
            db.sql("SELECT 1").scalar()
    assert resident() - before < 32 << 20
