#!/usr/bin/env python3
"""Whether the page of `populace serve` does what it is for: its sources are checked and built again, what comes out is
compared with `web/dist`, which the binary carries, and a headless Chromium uses each of its views.

    python3 scripts/page.py PATH_OF_POPULACE [FOLDER_FOR_SCREENSHOTS]
    python3 scripts/page.py --build           builds web/dist anew, and does no more

Node must be there. Its packages, pinned in web/package-lock.json, live in populace/page in the user's cache; they are
installed once. A Chromium that is missing is installed by Debian's package manager.
"""

import http.server
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

WEB = Path(__file__).resolve().parent.parent / "web"
DIST = WEB / "dist"
MARK = "INSTALLED"
# Of a million people: all their columns would take a minute.
FEW = "uuid, first_name, last_name, age, sex, state, education_level, occupation, marital_status"


def say(text):
    print(f"page: {text}", flush=True)


def packages():
    """Has the packages of web/package-lock.json where node looks for them."""
    if not shutil.which("npm"):
        sys.exit("page: no npm: install Node 20 or newer (https://nodejs.org); on Debian: nodejs, npm")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "populace" / "page"
    modules = WEB / "node_modules"
    wanted = (WEB / "package-lock.json").read_text()
    if not (cache / MARK).exists() or (cache / MARK).read_text() != wanted:
        say(f"installing the packages of web/package-lock.json into {cache}, once")
        shutil.rmtree(cache, ignore_errors=True)
        cache.mkdir(parents=True)
        for file in ("package.json", "package-lock.json", ".npmrc"):
            shutil.copy(WEB / file, cache)
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        done = subprocess.run(command, cwd=cache, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"page: npm ci failed:\n{done.stdout[-1000:]}{done.stderr[-2000:]}")
        (cache / MARK).write_text(wanted)
    if modules.is_symlink() or not modules.exists():
        modules.unlink(missing_ok=True)
        modules.symlink_to(cache / "node_modules")


def build(out):
    done = subprocess.run(["node", "build.mjs", str(out)], cwd=WEB, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"page: the build failed:\n{done.stdout}{done.stderr}")


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def is_current():
    """That the types agree, the lock names no host, and what is built is what is carried."""
    lock = json.loads((WEB / "package-lock.json").read_text())
    hosts = [name for name, package in lock["packages"].items() if "resolved" in package]
    assert not hosts, f"web/package-lock.json says where {hosts[0]} is from: npm writes it so without web/.npmrc"
    checked = subprocess.run(["node", "node_modules/typescript/bin/tsc", "--noEmit"], cwd=WEB, capture_output=True, text=True)
    if checked.returncode:
        sys.exit(f"page: the types do not agree:\n{checked.stdout[-3000:]}")
    with tempfile.TemporaryDirectory() as out:
        build(Path(out))
        built, carried = contents(Path(out)), contents(DIST)
    differs = sorted(name for name in {*built, *carried} if built.get(name) != carried.get(name))
    if differs:
        sys.exit(f"page: web/dist is not what web/src makes: {', '.join(differs)}; `make web` builds it anew")
    say(f"web/dist is what web/src makes: {len(built)} files")


def browser():
    """A Chromium, installed where there is none."""
    names = ("chromium", "chromium-browser", "google-chrome")
    found = next(filter(None, map(shutil.which, names)), None)
    if found:
        return found
    if not shutil.which("apt-get"):
        sys.exit("page: no Chromium, and no apt-get to install it with")
    say("installing chromium with the system's package manager")
    root = [] if os.geteuid() == 0 else ["sudo"]
    for command in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", "chromium"]):
        done = subprocess.run([*root, "apt-get", *command], capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"page: apt-get {command[0]} failed:\n{done.stderr[-2000:]}")
    return browser()


class Useless(http.server.BaseHTTPRequestHandler):
    """A model that answers, and never with a text that could be used."""

    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        message = {"role": "assistant", "content": "I'm sorry, but I can't help with that."}
        answer = {
            "id": "1", "object": "chat.completion", "created": 1, "model": "m",
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 300, "completion_tokens": 12, "total_tokens": 312},
        }
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def people(common):
    """Tables to look at: people with texts, many people, a run that was killed, and one whose model is of no use."""
    run = lambda *command, **options: subprocess.run([*common, *command], capture_output=True, text=True, **options)
    for arguments in (
        ["generate", "usa", "--count", "300", "--seed", "7"],
        ["generate", "singapore", "--count", "60", "--seed", "7"],
        ["generate", "usa", "--count", "20000", "--seed", "7", "--narrator", "none", "--into", "many"],
        ["sql", f"CREATE TABLE million AS SELECT {FEW} FROM sample_persona('usa', 1000000, seed => 1)"],
    ):
        done = run(*arguments)
        assert done.returncode == 0, done.stderr
    killed = subprocess.Popen(
        [*common, "generate", "usa", "--count", "1500", "--seed", "9", "--into", "killed"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )
    for _ in range(200):
        time.sleep(0.1)
        if "killed" in run("runs").stdout:
            break
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    model = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Useless)
    threading.Thread(target=model.serve_forever, daemon=True).start()
    environ = {**os.environ, "OPENAI_BASE_URL": f"http://127.0.0.1:{model.server_port}/v1", "OPENAI_API_KEY": "none"}
    run("generate", "usa", "--count", "2", "--seed", "3", "--narrator", "openai:m", "--into", "modelled", env=environ)
    model.shutdown()


def served(command):
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    return server, server.stdout.readline().strip()


def main(binary, shots):
    packages()
    is_current()
    chromium = browser()
    with tempfile.TemporaryDirectory() as database:
        common = [binary, "--db", database, "--embedder", "hash"]
        people(common)
        serve = [*common, "serve", "--listen", "127.0.0.1:0"]
        everything, url = served([*serve, "--no-auth"])
        add = [*common, "tokens", "add", "page", "--role", "reader"]
        token = subprocess.run(add, check=True, capture_output=True, text=True).stdout.strip()
        guarded, token_url = served([*serve, "--audit", str(Path(database) / "guarded.log")])
        try:
            command = ["node", "test/page.mjs", chromium, str(shots), url, token_url, token]
            failed = subprocess.run(command, cwd=WEB).returncode
        finally:
            for server in (everything, guarded):
                server.terminate()
        assert [server.wait(timeout=60) for server in (everything, guarded)] == [0, 0], "a server did not end as it should"
    if failed:
        sys.exit(f"page: it failed; what was seen is in {shots}")


if __name__ == "__main__":
    if sys.argv[1:] == ["--build"]:
        packages()
        build(DIST)
        say(f"web/dist: {len(contents(DIST))} files")
    elif len(sys.argv) in (2, 3) and Path(sys.argv[1]).is_file():
        folder = sys.argv[2] if len(sys.argv) == 3 else "target/page"
        main(os.path.abspath(sys.argv[1]), Path(folder).resolve())
    else:
        sys.exit(__doc__)
