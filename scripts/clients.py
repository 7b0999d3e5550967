#!/usr/bin/env python3
"""Whether other programs' clients get what they ask of `populace serve` for: the official client of the Model Context
Protocol on both transports, schemathesis, which asks for whatever the OpenAPI document allows and much that it does not,
clients of PostgreSQL (postgres_clients.py) and of Arrow Flight SQL (flight_clients.py).

    python3 scripts/clients.py PATH_OF_POPULACE

The packages, pinned here, live in populace/clients in the user's cache; they are installed once. A small database is
made with the binary, and the server listens on a port of its own on the loopback interface.
"""

import asyncio
import contextlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import flight_clients
import postgres_clients
from packages import environment

PACKAGES = ["mcp==2.3.0", "schemathesis==4.32.5", *postgres_clients.PACKAGES, *flight_clients.PACKAGES]


def say(text):
    print(f"clients: {text}", flush=True)


def text(result):
    return "\n".join(part.text for part in result.content)


async def tools(client, transport):
    """Calls every tool, and holds what it says against what is known."""
    names = {tool.name for tool in (await client.list_tools()).tools}
    asked = set()

    async def call(name, arguments, wrong=False):
        asked.add(name)
        result = await client.call_tool(name, arguments)
        said = text(result)
        assert bool(result.is_error) == wrong, f"{transport}: {name}: {said}"
        assert len(said) <= 25_000, f"{transport}: {name}: {len(said)} letters"
        return said

    assert "japan" in await call("list_countries", {})
    assert "occupation" in await call("describe_country", {"country": "usa"})
    assert "Female" in await call("describe_country", {"country": "usa", "variable": "sex"})
    drawn = await call("sample_personas", {"country": "usa", "n": 3, "seed": 42, "given": "age > 80", "columns": ["age"]})
    ages = [int(line) for line in drawn.splitlines() if line.isdigit()]
    assert len(ages) == 3 and min(ages) > 80, drawn
    assert drawn == await call(
        "sample_personas", {"country": "usa", "n": 3, "seed": 42, "given": "age > 80", "columns": ["age"]}
    )
    assert "0.5" in await call("count_people", {"country": "usa", "given": "sex = 'Female'"})
    assert "usa | 20 rows" in await call("list_tables", {})
    assert "score" in await call("search_personas", {"query": "a nurse", "k": 2})
    panel = await call("evaluation_panel", {"from": "usa", "n": 4, "strata": ["sex"], "seed": 1})
    assert "sampling_weight" in panel and "4 rows" in panel, panel
    counted = await call("run_sql", {"statement": "SELECT count(*) AS n FROM usa"})
    assert counted.splitlines()[1] == "20", counted
    more = await call("run_sql", {"statement": "SELECT age FROM sample_persona('usa', 1000000000)", "max_rows": 5})
    assert "more than these 5 rows" in more, more
    assert "evaluation_panel" in await call("run_recipe", {})
    # What a model can mend is told as what the tool says.
    assert "did you mean" in await call("run_sql", {"statement": "SELECT agee FROM usa"}, wrong=True)
    assert "usa" in await call("sample_personas", {"country": "usaa", "n": 1}, wrong=True)
    await call("run_sql", {"statement": "DROP TABLE usa"}, wrong=True)
    await call("run_sql", {"statement": "SELECT 1; SELECT 2"}, wrong=True)
    assert asked == names, f"{transport}: {names ^ asked} were not asked"
    # A person, as a resource and as somebody to act.
    found = await client.call_tool("run_sql", {"statement": "SELECT uuid, first_name FROM usa LIMIT 1"})
    uuid, first_name = text(found).splitlines()[1].split(" | ")
    read = await client.read_resource(f"populace://persona/usa/{uuid}")
    assert f"first_name: {first_name}" in read.contents[0].text
    prompt = await client.get_prompt("act_as_persona", {"table": "usa", "uuid": uuid})
    assert first_name in prompt.messages[0].content.text
    say(f"mcp by {transport}: {len(names)} tools, a resource and a prompt")


async def mcp(binary, database, url):
    from mcp import Client, StdioServerParameters

    async with Client(f"{url}/mcp") as client:
        await tools(client, "HTTP")
    arguments = ["--db", database, "--embedder", "hash", "mcp"]
    async with Client(StdioServerParameters(command=binary, args=arguments)) as client:
        await tools(client, "standard input and output")


def fuzz(url, token):
    """Asks for whatever the document allows: every answer must be one that the document tells of, and none a fault."""
    command = [
        str(Path(sys.executable).parent / "schemathesis"), "run", f"{url}/openapi.json", "--url", url,
        "--phases", "examples,coverage,fuzzing", "--header", f"Authorization: Bearer {token}",
        "--max-examples", os.environ.get("POPULACE_EXAMPLES", "15"), "--seed", "1", "--workers", "2",
        "--exclude-path-regex", "/events$", "--exclude-checks", "unsupported_method,positive_data_acceptance",
        "--generation-deterministic", "--request-timeout", "60", "--suppress-health-check", "all",
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"clients: schemathesis:\n{done.stdout[-6000:]}{done.stderr[-2000:]}")
    counted = [line.strip() for line in done.stdout.splitlines() if " generated, " in line]
    say("schemathesis: " + "".join(counted))


def postgres(common):
    """Clients of PostgreSQL, with bounds that streams of many rows do not reach."""
    add = [*common, "tokens", "add", "postgres", "--role", "writer", "--max-rows", "100000000", "--max-bytes", "100000000000"]
    token = subprocess.run(add, check=True, capture_output=True, text=True).stdout.strip()
    serve = [
        *common, "serve", "--listen", "127.0.0.1:0", "--postgres", "127.0.0.1:0", "--max-rows", "100000000",
        "--max-answer", "100GB", "--statement-timeout", "900",
    ]
    server = subprocess.Popen(serve, stdout=subprocess.PIPE, text=True)
    try:
        server.stdout.readline()
        url = server.stdout.readline().strip().replace("postgres://", f"postgres://populace:{token}@")
        postgres_clients.all_of_them(server, url, Path(sys.executable).parents[1])
        assert server.poll() is None, "the server has ended"
    finally:
        server.terminate()
    assert server.wait(timeout=40) == 0, "the server did not end as it should"


def flight(common):
    """Clients of Arrow Flight SQL, in the clear and over TLS."""
    add = [*common, "tokens", "add", "flight", "--role", "writer"]
    token = subprocess.run(add, check=True, capture_output=True, text=True).stdout.strip()

    @contextlib.contextmanager
    def serve(*arguments):
        bounds = ["--statement-timeout", "60", "--max-rows", "1000000000", "--max-answer", "100GB"]
        command = [*common, "serve", "--listen", "127.0.0.1:0", *bounds, *arguments]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            yield server, server.stdout.readline().strip()
            assert server.poll() is None, "the server has ended"
        finally:
            server.terminate()
        assert server.wait(timeout=40) == 0, "the server did not end as it should"

    with serve() as (server, url):
        flight_clients.all_of_them(server, url.split("://")[1], token)
    flight_clients.over_tls(serve, token)


def main(binary):
    with tempfile.TemporaryDirectory() as database:
        common = [binary, "--db", database, "--embedder", "hash"]
        subprocess.run([*common, "generate", "usa", "--count", "20", "--seed", "7"], check=True, capture_output=True)
        serve = [*common, "serve", "--listen", "127.0.0.1:0", "--postgres", "127.0.0.1:0", "--statement-timeout", "20"]
        server = subprocess.Popen(serve, stdout=subprocess.PIPE, text=True)
        try:
            url = server.stdout.readline().strip()
            asyncio.run(mcp(binary, database, url))
            # From here on nobody is let in without it.
            add = [*common, "tokens", "add", "fuzz", "--role", "admin"]
            token = subprocess.run(add, check=True, capture_output=True, text=True).stdout.strip()
            fuzz(url, token)
            assert server.poll() is None, "the server has ended"
        finally:
            server.terminate()
        assert server.wait(timeout=40) == 0, "the server did not end as it should"
        flight(common)
        postgres(common)
    say("done")


if __name__ == "__main__":
    if len(sys.argv) != 2 or not Path(sys.argv[1]).is_file():
        sys.exit(__doc__)
    python = environment("clients", PACKAGES)
    if Path(sys.executable).resolve() != python.resolve() or sys.prefix == sys.base_prefix:
        os.execv(python, [str(python), os.path.abspath(__file__), os.path.abspath(sys.argv[1])])
    main(sys.argv[1])
