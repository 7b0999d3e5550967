"""Two calls of a model for every person: Populace and NVIDIA's NeMo Data Designer, at one server on the loopback.

    pip install data-designer==0.9.6
    cargo build --release
    python3 benches/peers/narratives.py        # five minutes after the builds; --people 500: one minute

The server, `serve` of benches/narratives.rs, takes 200 ms for an answer, however many it is asked at once: the ideal is
calls times 0.2 s by the calls at once. First Populace is run against a server that keeps what it is asked. Data
Designer gets those prompts as a seed dataset, and writes two structured columns, the second after the first, as a
person's personas build on the attributes. That it sends the same prompts, and takes the answers, is tried on a few
people. It adds the JSON Schema to a prompt, as it does for every structured column, and sends the `response_format`
that Populace sends; it gets answers as bare JSON.

Both run as processes of their own, one after the other. CPU is user and system time, memory the most that was
resident. Populace checks the texts, makes vectors by `hash` and stores people in Lance; Data Designer stores Parquet
and takes statistics, without the tokenizer that it would fetch. What its `create` took is told beside the process,
which also imports. It has the settings that ran best: the native template engine, which saves it a tenth of the CPU;
health checks, telemetry, metrics and early shutdown off. The rest are its defaults: row groups of 100 to 10,000, 3 to
16 of them at once, and 64 to 4,096 tasks in flight made no difference beyond noise. Its engine is always asynchronous.
"""

import argparse
import json
import multiprocessing
import os
import platform
import re
import resource
import subprocess
import sys
import tempfile
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from threading import Thread

from common import check_built, executables, machine, populace_option

ANSWER = 0.2  # seconds, as in benches/narratives.rs
STEPS = ["attributes", "personas"]
TRIED = 5  # people on whom it is tried that both send the same prompts


class Recorder(ThreadingHTTPServer):
    """Answers as benches/narratives.rs does, but at once, and keeps what it was asked."""

    daemon_threads, request_queue_size = True, 128

    class Handler(BaseHTTPRequestHandler):
        protocol_version, disable_nagle_algorithm, wbufsize = "HTTP/1.1", True, -1

        def do_POST(self):
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self.server.asked.append(asked)
            name = re.search("^- Name: (.*)$", text(asked["messages"][1]), re.M)[1]
            keys = asked["response_format"]["json_schema"]["schema"]["required"]
            of = {key: key.split("_")[0] for key in keys}
            said = "{} goes about the {o} of a day in {o} ways, with {o} and for {o} and to {o} ends."
            written = {key: " ".join([said.format(name, o=o)] * 3) for key, o in of.items()}
            message = {"role": "assistant", "content": json.dumps(written)}
            answer = {"choices": [{"message": message, "finish_reason": "stop"}],
                      "usage": {"prompt_tokens": 900, "completion_tokens": 300}}
            body = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    def __init__(self):
        super().__init__(("127.0.0.1", 0), self.Handler)
        self.asked, self.base = [], f"http://127.0.0.1:{self.server_address[1]}/v1"
        Thread(target=self.serve_forever, daemon=True).start()


class Server:
    """`serve` of benches/narratives.rs, a process; `requests` is how many it answered, where it says so at its end."""

    def __init__(self, program):
        self.command, self.requests = [program, "serve"], None

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.base = self.process.stdout.readline().strip()
        if not self.base.startswith("http"):
            sys.exit(f"{' '.join(self.command)} does not say its address")
        return self

    def __exit__(self, *_):
        said = self.process.communicate(timeout=30)[0].split()
        self.requests = int(said[-1]) if said else None


class Populace:
    name = "Populace"

    def __init__(self, binary):
        self.binary = binary

    def command(self, folder, people, at_once):
        return [*self.database(folder), "generate", "usa", "--count", str(people), "--seed", "1", "--narrator",
                "openai:stub", "--concurrency", str(at_once)]

    def database(self, folder):
        return [self.binary, "--db", f"{folder}/db", "--embedder", "hash"]

    def rows(self, folder):
        sql = "SELECT count(persona) FROM usa WHERE narrative_error IS NULL"
        done = subprocess.run([*self.database(folder), "sql", "--format", "csv", sql], capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"counting the people of Populace: {done.stderr}")
        return int(done.stdout.split()[-1])


class DataDesigner:
    name = "Data Designer"

    def __init__(self, prompts):
        self.prompts = prompts

    def command(self, folder, people, at_once):
        job = {"prompts": str(self.prompts), "folder": str(folder), "people": people, "at_once": at_once}
        return [sys.executable, __file__, "--designer", json.dumps(job)]

    def rows(self, folder):
        return self.create(folder)["rows"]

    def create(self, folder):
        """Rows, seconds and CPU seconds of `create`."""
        return json.loads(Path(folder, "done.json").read_text())


def text(message):
    """The content of a message: a string, or parts."""
    content = message["content"]
    return content if isinstance(content, str) else "".join(part["text"] for part in content)


def environment(base, folder):
    """That of both tools: where the model is, and nothing sent, fetched or kept elsewhere."""
    nowhere = dict.fromkeys(["HTTPS_PROXY", "https_proxy"], "http://127.0.0.1:9")
    quiet = {"NEMO_TELEMETRY_ENABLED": "false", "DATA_DESIGNER_HOME": f"{folder}/home", "NO_PROXY": "127.0.0.1"}
    return {**os.environ, **nowhere, **quiet, "OPENAI_BASE_URL": base, "OPENAI_API_KEY": "none"}


def run(tool, folder, people, at_once, base):
    """One run: seconds, CPU seconds, and the most megabytes in memory."""
    Path(folder).mkdir()
    with open(f"{folder}/log", "w+") as log:
        start = time.perf_counter()
        command = tool.command(folder, people, at_once)
        process = subprocess.Popen(command, env=environment(base, folder), stdout=log, stderr=log)
        _, status, used = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            log.seek(0)
            sys.exit(f"{log.read()[-3000:]}\n{tool.name} ended with status {process.returncode}")
    megabyte = 1 << 20 if sys.platform == "darwin" else 1 << 10
    return seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / megabyte


def design(job):
    """Data Designer's part, in a process of its own: writes down the rows, and the seconds and CPU of `create`."""
    import data_designer.config as dd
    from data_designer.interface import DataDesigner

    folder, people, at_once = Path(job["folder"]), job["people"], job["at_once"]
    prompts = json.loads(Path(job["prompts"]).with_suffix(".steps.json").read_text())
    provider = dd.ModelProvider(name="stub", endpoint=os.environ["OPENAI_BASE_URL"], api_key="none")
    builder = dd.DataDesignerConfigBuilder(model_configs=[
        dd.ModelConfig(alias=step, model="stub", provider="stub", skip_health_check=True,
                       inference_parameters=dd.ChatCompletionInferenceParams(
                           max_parallel_requests=at_once, timeout=120,
                           extra_body={"response_format": prompts[step]["response_format"]}))
        for step in STEPS])
    builder.with_seed_dataset(dd.LocalFileSeedSource(path=job["prompts"]))
    for step, template in zip(STEPS, ["{{ user_1 }}", "{% if attributes %}{{ user_2 }}{% endif %}"]):
        builder.add_column(dd.LLMStructuredColumnConfig(
            name=step, model_alias=step, system_prompt=prompts[step]["system"], prompt=template,
            output_format=prompts[step]["response_format"]["json_schema"]["schema"]))
    designer = DataDesigner(artifact_path=folder / "artifacts", model_providers=[provider])
    designer.set_run_config(dd.RunConfig(
        disable_early_shutdown=True, otel_metrics_port=None, jinja_rendering_engine=dd.JinjaRenderingEngine.NATIVE))

    def cpu():
        used = resource.getrusage(resource.RUSAGE_SELF)
        return used.ru_utime + used.ru_stime

    start, before = time.perf_counter(), cpu()
    results = designer.create(builder, num_records=people)
    seconds, busy = time.perf_counter() - start, cpu() - before
    rows = len(results.load_dataset()[STEPS].dropna())
    (folder / "done.json").write_text(json.dumps({"rows": rows, "seconds": seconds, "cpu": busy}))


def record(populace, folder, people):
    """Writes the prompts that Populace sends, a line a person, and tries that Data Designer sends the same."""
    server = Recorder()
    run(populace, folder / "recorded", people, 16, server.base)
    steps, found = {}, {}
    # One that is asked again, with a complaint about the first answer, is left out.
    first = [asked for asked in server.asked if len(asked["messages"]) == 2]
    for asked in first:
        system, user = map(text, asked["messages"])
        step = next(s for s, key in zip(STEPS, ["cultural_background", "persona"])
                    if key in asked["response_format"]["json_schema"]["schema"]["required"])
        how = {"system": system, "response_format": asked["response_format"]}
        if steps.setdefault(step, how) != how:
            sys.exit(f"Populace asks for {step} in more than one way")
        # Both prompts of a person begin with the facts.
        found.setdefault(user.split("\n\n")[0], {})[f"user_{1 + STEPS.index(step)}"] = user
    if len(first) != 2 * people or len(found) != people or any(len(row) != 2 for row in found.values()):
        sys.exit(f"{len(first)} prompts of {len(found)} people; two for each of {people} were expected")

    def write(name, rows):
        path = folder / name
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        path.with_suffix(".steps.json").write_text(json.dumps(steps))
        return path

    write("prompts.jsonl", found.values())
    few = list(found.values())[:TRIED]
    server.asked.clear()
    designer = DataDesigner(write("few.jsonl", few))
    run(designer, folder / "tried", len(few), 2, server.base)
    sent = sorted((text(asked["messages"][0]), text(asked["messages"][1])) for asked in server.asked)
    meant = sorted((steps[s]["system"], row[f"user_{n}"]) for row in few for n, s in enumerate(STEPS, 1))
    same = len(sent) == len(meant) and all(a == c and b.startswith(d) for (a, b), (c, d) in zip(sent, meant))
    if not same or designer.rows(folder / "tried") != len(few):
        sys.exit("Data Designer does not send the prompts that Populace sends, or cannot use the answers")


def served():
    """The benchmark `narratives`, whose `serve` is the server: its path, built where it has to be."""
    otherwise = "; or name the server's program with --server"
    found = executables("cargo", "bench", "--workspace", "--bench", "narratives", "--no-run", otherwise=otherwise)
    return found["narratives"]


def compare(given, program, folder, at_once):
    """Runs both, and prints a line for each: seconds, CPU seconds and megabytes, of Populace first."""
    measured, calls = [], 2 * given.people

    def line(name, figures, *more):
        seconds, cpu, memory = figures
        measured.append(figures)
        ideal = calls * ANSWER / at_once
        cells = [name, at_once, f"{seconds:.2f}", f"{calls / seconds:,.0f}", f"{ideal / seconds:.0%}",
                 f"{1e3 * cpu / calls:.2f}", f"{memory:,.0f}", *more]
        print(f"| {' | '.join(map(str, cells))} |", flush=True)

    for tool in [Populace(given.populace), DataDesigner(folder / "prompts.jsonl")]:
        at = folder / f"{tool.name} {at_once}"
        with Server(program) as server:
            figures = run(tool, at, given.people, at_once, server.base)
        lost = given.people - tool.rows(at)
        line(tool.name, figures, "" if server.requests is None else f"{server.requests:,}", lost)
    done = tool.create(at)
    line("Data Designer, `create` alone", (done["seconds"], done["cpu"], figures[2]), "", lost)
    return measured


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    populace_option(arguments)
    arguments.add_argument("--server", metavar="PROGRAM", help="the built benchmark `narratives`; cargo's without this")
    arguments.add_argument("--people", type=int, default=5000)
    arguments.add_argument("--at-once", type=int, nargs="+", default=[64, 512], help="calls at once")
    arguments.add_argument("--designer", type=json.loads, help=argparse.SUPPRESS)
    given = arguments.parse_args()
    if given.designer:
        return design(given.designer)
    try:
        designer = version("data-designer")
    except PackageNotFoundError:
        sys.exit("this benchmark runs Data Designer too; pip install data-designer==0.9.6")
    check_built(given.populace)
    program = given.server or served()
    # Either tool may open two connections for each call at once.
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if 0 < soft < 4096:
        resource.setrlimit(resource.RLIMIT_NOFILE, (4096 if hard < 0 else min(4096, hard), hard))
    print(f"{machine()}, Data Designer {designer}, Python {platform.python_version()}; {given.people:,} people, "
          f"{2 * given.people:,} calls\n")
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        # In a process of its own: what this one holds would count as the peak of those that it starts.
        recording = multiprocessing.Process(target=record, args=(Populace(given.populace), folder, given.people))
        recording.start()
        recording.join()
        if recording.exitcode:
            return recording.exitcode
        titles = ["", "at once", "seconds", "calls/s", "of the ideal", "CPU, ms a call", "peak memory, MB", "requests",
                  "rows lost"]
        print(f"| {' | '.join(titles)} |\n{'|---' * len(titles)}|", flush=True)
        found = [compare(given, program, folder, at_once) for at_once in given.at_once]
    print("\nPopulace : Data Designer\n\n| against | at once | calls/s | CPU | peak memory |\n|---|---|---|---|---|")
    for at_once, (ours, *theirs) in zip(given.at_once, found):
        for name, figures in zip(["the whole process", "`create` alone"], theirs):
            seconds, cpu, memory = (a / b for a, b in zip(ours, figures))
            print(f"| {name} | {at_once} | {1 / seconds:.2f} | {cpu:.3f} | {memory:.2f} |")


if __name__ == "__main__":
    sys.exit(main())
