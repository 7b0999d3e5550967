#!/usr/bin/env python3
"""Whether simulators and evaluation frameworks read the people that Populace exports for them, each by its own loader.

    python3 scripts/simulators.py PATH_OF_POPULACE [PEER]...

A thousand people of the USA are exported for every peer, and loaded by it: all must arrive, with age, sex, name and
occupation as the binary prints them; and a hundred of every other country, where an occupation is held against nothing but
that there is one. The packages, pinned here, live in populace/simulators in the user's cache; they are installed once.
promptfoo wants Node.js from 20.20 on, with npm, and lives in populace/promptfoo. TinyTroupe is in no registry (the package
of the name on PyPI is empty): POPULACE_TINYTROUPE names a checkout of github.com/microsoft/TinyTroupe. Where either is
missing, that peer is passed over, loudly.
"""

import asyncio
import importlib.machinery
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from unittest.mock import MagicMock

from packages import environment, folder

PACKAGES = [
    "edsl==1.0.9",
    "inspect_ai==0.3.285",
    "argilla==2.8.0",
    "langchain-core==1.8.3",
    "jq==1.13.0",
    "pyarrow==24.0.0",
    "duckdb==1.5.6",
    "igraph==1.0.0",
    "chevron==0.14.0",
    "colorama==0.4.6",
    "absl-py==2.4.0",
    "anyascii==0.3.3",
    "termcolor==3.3.0",
]
# Installed without what they depend on, which is torch, ray and much else, in versions that exclude each other, and has no
# part in reading people. What they import all the same is in the list above or stood in for (`stand_in`).
BARE = [
    "camel-oasis==0.2.5",
    "camel-ai==0.2.78",
    "gdm-concordia==2.1.0",
    "agentsociety==1.5.7",
    "langchain-community==0.4.2",
    "distilabel==1.5.3",
    "data-designer==0.9.7",
    "data-designer-config==0.9.7",
    "data-designer-engine==0.9.7",
]
PROMPTFOO = "promptfoo@0.120.27"

# How many people of which country.
COUNTRIES = {"usa": 1000, "brazil": 100, "india": 100, "japan": 100, "singapore": 100}
GENDERS = {"Feminino": "female", "女": "female", "Masculino": "male", "男": "male"}
# What is said of those who have no occupation, in the USA.
WITHOUT = {
    "not_in_labor_force": "neither working nor looking for work",
    "unemployed": "unemployed, looking for work",
}


def say(text):
    print(f"simulators: {text}", flush=True)


class StandIn:
    """Finds modules that are in the way of an import and of nothing else."""

    def __init__(self, packages):
        self.packages = packages

    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in self.packages:
            return importlib.machinery.ModuleSpec(name, self, is_package=True)
        return None

    def create_module(self, spec):
        module = MagicMock(name=spec.name)
        module.__path__, module.__spec__, module.__name__ = [], spec, spec.name
        return module

    def exec_module(self, module):
        pass


def stand_in(*packages):
    sys.meta_path.insert(0, StandIn(packages))


# What a line begins with that tells what was read; peers print much of their own.
READ = "read: "


# Each peer gives of every person that it has loaded: a uuid or its first six letters, name, age, gender and occupation.


def edsl(path):
    from edsl import AgentList

    agents = AgentList.load(str(path / "people.json"))
    assert len(set(agents.names)) == len(agents)
    for agent in agents:
        traits = agent.traits
        assert traits["full_name"] in agent.prompt().text
        yield traits["uuid"], traits["full_name"], traits["age"], traits["sex"], traits.get("occupation")


def tinytroupe(path):
    stand_in("llama_index", "openai", "tiktoken", "textdistance", "pypandoc", "docx", "markdown")
    stand_in("matplotlib", "seaborn", "scipy", "IPython", "ipywidgets", "msal")
    sys.path.insert(0, os.environ["POPULACE_TINYTROUPE"])
    from tinytroupe.agent import TinyPerson

    for person in TinyPerson.load_specifications_from_folder(str(path)):
        told = person.get
        assert json.dumps(told("demographics")["first_name"]) in person.generate_agent_system_prompt()
        assert person.name in TinyPerson.all_agents
        name = person.name.rpartition(" (")[0]
        yield told("demographics")["uuid"], name, told("age"), told("gender"), told("occupation")["title"]


def oasis_agents(path, file, load):
    """The agents of a graph, with their users' names for keys."""
    stand_in("torch", "sentence_transformers", "transformers", "sklearn", "openai", "neo4j", "mcp")
    os.chdir(path)  # it writes its logs where it is
    from camel.models import ModelFactory
    from camel.types import ModelPlatformType, ModelType
    from oasis.social_agent import agents_generator
    from oasis.social_agent.agent_action import SocialAction

    model = ModelFactory.create(model_platform=ModelPlatformType.OPENAI, model_type=ModelType.STUB)
    # To describe to every agent anew what it may do takes half a minute, and nobody is asked to do anything.
    SocialAction.get_openai_function_list = lambda self: []
    sys.stdout = open(os.devnull, "w")  # it prints every profile
    graph = asyncio.run(getattr(agents_generator, load)(str(path / file), model))
    sys.stdout = sys.__stdout__
    for _, agent in graph.get_agents():
        user = agent.user_info
        assert user.name in agent.system_message.content
        yield user


def oasis(path):
    told = {row["username"]: row for row in json.loads((path / "people.json").read_text())}
    for user in oasis_agents(path, "people.json", "generate_reddit_agent_graph"):
        other, row = user.profile["other_info"], told[user.name]
        assert other["country"] == row["country"] and other["user_profile"].startswith(row["realname"])
        yield user.name.rpartition("_")[2], row["realname"], other["age"], other["gender"], row["profession"]


def oasis_twitter(path):
    for user in oasis_agents(path, "people.csv", "generate_twitter_agent_graph"):
        profile = user.profile["other_info"]["user_profile"].split(". Interests: ")[0]
        name, age, gender, job = profile.split(", ", 3)
        yield user.name.rpartition("_")[2], name, int(age), gender, Beginning(job)


class Beginning(str):
    """A text that says something first and then more."""

    def __eq__(self, other):
        return self.startswith(other)

    __hash__ = str.__hash__


def concordia(path):
    import concordia.prefabs.entity as prefabs
    import numpy
    from concordia.language_model import no_language_model
    from concordia.prefabs.simulation import generic
    from concordia.typing import prefab
    from concordia.utils import helper_functions

    config = prefab.Config(prefabs=helper_functions.get_package_classes(prefabs), instances=[])
    model = no_language_model.NoLanguageModel()
    simulation = generic.Simulation(config=config, model=model, embedder=lambda text: numpy.ones(3))
    sys.stdout = open(os.devnull, "w")  # it prints every entity
    with open(path / "people.json", encoding="utf-8") as file:
        simulation.load_from_checkpoint(json.load(file))
    sys.stdout = sys.__stdout__
    for at, entity in enumerate(simulation.get_entities()):
        memory = entity.get_component("__memory__")
        remembered = memory.get_state()["buffer"]
        if at < 20:  # of all, it takes a quarter of a minute
            remembered = list(remembered)
            memory.update()
            assert list(memory.get_all_memories_as_text()) == remembered
        start = f"{entity.name}: "
        own = [line.removeprefix(start) for line in remembered[1:] if line.startswith(start)]
        facts = dict(line.split(": ", 1) for line in own)
        name, key = entity.name.removesuffix(")").rsplit(" (", 1)
        yield key, name, int(facts["age"]), facts["sex"], facts.get("occupation")


def agentsociety(path):
    stand_in("pycityproto", "grpc", "google", "pyproj", "shapely", "fastembed", "qdrant_client", "ray")
    stand_in("openai", "sqlalchemy")
    from agentsociety.agent.distribution import ConstantDistribution
    from agentsociety.agent.memory_config_generator import MemoryConfigGenerator, default_memory_config_citizen
    from agentsociety.configs.agent import AgentConfig
    from agentsociety.s3 import S3Config

    file = path / "people.json"
    count = len(json.loads(file.read_text()))
    config = AgentConfig(agent_class="citizen", number=count, memory_from_file=str(file))
    # Where people live and work is a matter of the simulation's map.
    places = {"home_aoi_id": ConstantDistribution(1), "work_aoi_id": ConstantDistribution(1)}
    generator = MemoryConfigGenerator(
        default_memory_config_citizen, None, config.number, config.memory_from_file, places, S3Config()
    )
    people = generator.get_agent_data_from_file()
    assert [row["id"] for row in people] == list(range(1, count + 1))
    for at, row in enumerate(people):
        memory = generator.generate(at).attributes
        name, age, gender, job = (memory[key].default_or_value for key in ("name", "age", "gender", "occupation"))
        yield row["uuid"], name, age, gender, job


def langchain(path):
    from langchain_community.document_loaders import JSONLoader
    from langchain_core.documents import Document

    loader = JSONLoader(
        path / "people.jsonl",
        jq_schema=".",
        content_key="page_content",
        json_lines=True,
        metadata_func=lambda row, metadata: metadata | row["metadata"],
    )
    plainly = [Document(**json.loads(line)) for line in open(path / "people.jsonl", encoding="utf-8")]
    for document, same in zip(loader.load(), plainly, strict=True):
        told = document.metadata
        assert same.page_content == document.page_content and same.metadata.items() <= told.items()
        assert document.page_content.startswith(told["name"])
        yield same.id, told["name"], told["age"], told["sex"], told.get("occupation")


def inspect(path):
    from inspect_ai.dataset import json_dataset

    for sample in json_dataset(str(path / "people.jsonl")):
        told = sample.metadata
        [message] = sample.input
        assert message.role == "system" and told["first_name"] in message.text
        yield sample.id, told["name"], told["age"], told["sex"], told.get("occupation")


def promptfoo(path):
    script = path / "read.mjs"
    script.write_text(
        f"""import {{ writeFileSync }} from "node:fs";
        import promptfoo from {json.dumps(str(folder("promptfoo") / "node_modules/promptfoo/dist/src/index.js"))};
        const suite = {{ prompts: ["{{{{system_prompt}}}}"], providers: ["echo"], tests: "file://people.json" }};
        const done = await promptfoo.evaluate({{ ...suite, writeLatestResults: false }}, {{ showProgressBar: false }});
        writeFileSync("read.json", JSON.stringify(done.results.map((r) => [r.testCase.vars, r.response.output])));
        process.exit(0);"""
    )
    quiet = {"PROMPTFOO_DISABLE_TELEMETRY": "1", "PROMPTFOO_DISABLE_UPDATE": "1", "PROMPTFOO_CONFIG_DIR": str(path)}
    done = subprocess.run(["node", script], cwd=path, env={**os.environ, **quiet}, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    for told, answer in json.loads((path / "read.json").read_text()):
        assert told["first_name"] in answer and answer == told["system_prompt"].strip()
        yield told["uuid"], told["name"], told["age"], told["sex"], told.get("occupation")


def argilla(path):
    from argilla import Record
    from argilla.records import DatasetRecords

    class Records(DatasetRecords):
        """Keeps what is sent to the server otherwise."""

        def __init__(self):
            pass

        def log(self, records):
            return records

    for record in Records().from_json(path / "people.json"):
        assert isinstance(record, Record)
        told = record.metadata
        assert record.fields["profile"].startswith(record.fields["name"])
        yield record.id, record.fields["name"], told["age"], told["gender"], told.get("occupation")


def distilabel(path):
    stand_in("scipy", "networkx", "tblib", "portalocker")
    from distilabel.steps import LoadDataFromFileSystem

    loader = LoadDataFromFileSystem(data_files=str(path / "people.jsonl"))
    loader.load()
    for rows, _ in loader.process():
        for row in rows:
            assert str(row["age"]) in row["system_prompt"] and row["instruction"]
            yield row["uuid"], row["name"], row["age"], row["gender"], row["occupation"]


def datadesigner(path):
    """A seed dataset is Parquet as it is exported anyway, and so are the people of its sampler of persons."""
    from data_designer.config.seed_source import LocalFileSeedSource
    from data_designer.engine.resources.managed_dataset_generator import ManagedDatasetGenerator
    from data_designer.engine.resources.person_reader import create_person_reader
    from data_designer.engine.resources.seed_reader import LocalFileSeedReader
    from data_designer.engine.sampling_gen.people_gen import PeopleGenFromDataset
    from data_designer.engine.secret_resolver import PlaintextResolver

    reader = LocalFileSeedReader()
    reader.attach(LocalFileSeedSource(path=str(path / "people.parquet")), PlaintextResolver())
    if path.name == "usa":
        (path / "datasets").mkdir()
        shutil.copy(path / "people.parquet", path / "datasets" / "en_US.parquet")
        people = PeopleGenFromDataset(ManagedDatasetGenerator(create_person_reader(str(path)), "en_US"), "en_US")
        women = people.generate(50, sex="Female", age_range=[30, 60])
        assert len(women) == 50 and all(she["sex"] == "Female" and 30 <= she["age"] <= 60 for she in women)
    batches = reader.create_batch_reader(batch_size=400, index_range=None, shuffle=False)
    while True:
        try:
            rows = batches.read_next_batch().to_pandas()
        except StopIteration:
            return
        for row in rows.to_dict("records"):
            yield row["uuid"], called(row), row["age"], row["sex"], row["occupation"]


# By format; what NeMo Data Designer reads is there for everybody.
PEERS = {
    "edsl": edsl,
    "tinytroupe": tinytroupe,
    "oasis": oasis,
    "oasis-twitter": oasis_twitter,
    "concordia": concordia,
    "agentsociety": agentsociety,
    "langchain": langchain,
    "inspect": inspect,
    "promptfoo": promptfoo,
    "argilla": argilla,
    "distilabel": distilabel,
    "parquet": datadesigner,
}
CALLED = {"parquet": "datadesigner"}


def called(row):
    """The name of a row of the table."""
    names = [row["first_name"], row["last_name"]]
    if row["country"] == "JPN" or row.get("name_order") == "Family Name First":
        names.reverse()
    return " ".join(name for name in names if name)


def is_told(occupation, row):
    """Whether a peer has the occupation of the table: as it is, in words, or why there is none."""
    if row["country"] != "USA":
        return bool(occupation) or not row["occupation"]
    if row["occupation"] != "not_in_workforce":
        return occupation == row["occupation"] or occupation == row["occupation"].replace("_", " ")
    return any(occupation == told for told in ("not_in_workforce", "none", WITHOUT[row["labour_status"]]))


def read(peer, here):
    """Loads what was exported for a peer, and holds it against what the binary printed."""
    for country, count in COUNTRIES.items():
        rows = [json.loads(line) for line in (here / f"{country}.ndjson").read_text().splitlines()]
        left = {row["uuid"]: row for row in rows}
        short = {uuid[:6]: uuid for uuid in left}
        assert len(left) == len(short) == count
        first = None
        for key, name, age, gender, occupation in PEERS[peer](here / peer / country):
            row = left.pop(short[key] if len(key) == 6 else key)
            assert name == called(row), f"{peer}: {name!r}: {row}"
            assert age == row["age"] and not isinstance(age, str), f"{peer}: {age!r}: {row}"
            assert gender.lower() in (row["sex"].lower(), GENDERS.get(row["sex"])), f"{peer}: {gender!r}: {row}"
            assert is_told(occupation, row), f"{peer}: {occupation!r}: {row}"
            first = first or f"{name}, {age}, {gender}, {occupation}"
        assert not left, f"{peer}: {len(left)} people of {country} did not arrive"
        print(f"{READ}{count} of {country}, such as {first}")


def missing(peer):
    """Why a peer cannot be tried here, if it cannot."""
    if peer == "tinytroupe" and not os.environ.get("POPULACE_TINYTROUPE"):
        return "POPULACE_TINYTROUPE names no checkout"
    if peer == "promptfoo":
        if not shutil.which("npm"):
            return "there is no npm"
        version = subprocess.run(["node", "--version"], check=True, capture_output=True, text=True).stdout
        if tuple(map(int, version.strip("v\n").split(".")[:2])) < (20, 20):
            return f"Node.js is {version.strip()}, and it wants 20.20"
    return None


def install_promptfoo():
    place = folder("promptfoo")
    mark = place / "PACKAGES"
    if mark.exists() and mark.read_text() == PROMPTFOO:
        return
    say(f"installing {PROMPTFOO} into {place}, once")
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    # Scripts would build its database, which is not asked for.
    npm = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--omit=optional", "--omit=peer", PROMPTFOO]
    done = subprocess.run([*npm, "--prefix", str(place)], cwd=place, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"simulators: promptfoo cannot be installed:\n{done.stderr[-2000:]}")
    mark.write_text(PROMPTFOO)


def main(binary, peers):
    python = environment("simulators", PACKAGES, BARE)
    failed = []
    with tempfile.TemporaryDirectory() as temporary:
        here = Path(temporary)

        def run(*arguments):
            done = subprocess.run([binary, "--db", here / "db", *arguments], capture_output=True, text=True)
            if done.returncode:
                sys.exit(f"simulators: {arguments}:\n{done.stderr}")
            return done.stdout

        queries = {
            country: f"SELECT * FROM sample_persona('{country}', {count}, seed => 1)"
            for country, count in COUNTRIES.items()
        }
        for country, query in queries.items():
            (here / f"{country}.ndjson").write_text(run("sql", "--format", "ndjson", query))
        for peer in peers:
            why = missing(peer)
            if why:
                say(f"{peer} IS NOT TRIED: {why}")
                continue
            if peer == "promptfoo":
                install_promptfoo()
            for country, query in queries.items():
                run("export", f"({query})", "--format", peer, "--to", str(here / peer / country))
            # A process each: they stand in for modules that others have, and patch what all share.
            start = time.monotonic()
            quiet = {"HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "DO_NOT_TRACK": "1", "PYTHONWARNINGS": "ignore"}
            quiet |= {"HF_HOME": str(here / "huggingface"), "OPENAI_API_KEY": "none"}
            command = [python, os.path.abspath(__file__), "--read", peer, here]
            done = subprocess.run(command, cwd=here, env={**os.environ, **quiet}, capture_output=True, text=True)
            took = f"{time.monotonic() - start:.1f} s"
            format_of, lines = CALLED.get(peer, peer), done.stdout.splitlines()
            if done.returncode:
                failed.append(format_of)
                say(f"{format_of}: FAILED:\n{done.stdout[-2000:]}{done.stderr[-4000:]}")
            else:
                say(f"{format_of}, in {took}: " + "; ".join(l.removeprefix(READ) for l in lines if l.startswith(READ)))
    if failed:
        sys.exit(f"simulators: not read: {', '.join(failed)}")
    say("all read")


if __name__ == "__main__":
    if len(sys.argv) == 4 and sys.argv[1] == "--read":
        read(sys.argv[2], Path(sys.argv[3]))
    elif len(sys.argv) < 2 or not Path(sys.argv[1]).is_file() or not set(sys.argv[2:]) <= set(PEERS):
        sys.exit(__doc__)
    else:
        main(os.path.abspath(sys.argv[1]), sys.argv[2:] or list(PEERS))
