"""People drawn from Python, beside the command line and beside what else draws people there.

    make wheel && pip install target/wheels/populace-*.whl pandas==3.1.1 pyarrow==26.0.1
    pip install faker==40.63.0 mimesis==22.2.0 sdv==2.0.0 pgmpy==1.1.2    # whichever is there is measured
    python3 benches/peers/from_python.py [--people 1000000]

- Populace: a million people of the USA into a data frame of pandas, all columns and ten of them; the command line writes the
  same as an Arrow stream to nowhere.
- pgmpy: a Bayesian network over the same ten columns, each given the one or two before it that tell most of it, estimated
  from 20,000 of these people, and sampled forward.
- SDV: its GaussianCopulaSynthesizer over the same ten columns, fitted to the same 20,000.
- Faker `simple_profile()` and mimesis: a name, sex, age, address and job each; no population stands behind them.

Also how long `import populace` takes, in a fresh process. Medians of three; one line of JSON at the end.
"""

import argparse
import json
import logging
import os
import platform
import subprocess
import sys
import time
import warnings
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median

import pandas as pd
import populace

from common import executables

# Ten columns that all four can draw.
COLUMNS = [
    "state",
    "sex",
    "age",
    "race_ethnicity",
    "education_level",
    "marital_status",
    "labour_status",
    "industry",
    "household_size",
    "language_at_home",
]
# Of the network for pgmpy: what each is given.
PARENTS = {
    "state": [],
    "sex": [],
    "age": ["sex"],
    "race_ethnicity": ["state"],
    "education_level": ["race_ethnicity", "sex"],
    "marital_status": ["age"],
    "labour_status": ["sex", "education_level"],
    "industry": ["labour_status", "sex"],
    "household_size": ["marital_status"],
    "language_at_home": ["race_ethnicity"],
}
FITTED = 20_000
FEW = 100_000  # people that the slower ones draw
FEWEST = 2_000
REPEATS = 3


def seconds(work, repeats=REPEATS):
    def once():
        start = time.perf_counter()
        work()
        return time.perf_counter() - start

    return median(once() for _ in range(repeats))


def has(package):
    try:
        return version(package)
    except PackageNotFoundError:
        print(f"{package} is not there, and not measured: pip install {package}", file=sys.stderr)
        return None


def of_populace(rates, people):
    db = populace.connect()
    columns = ", ".join(COLUMNS)
    sql = f"SELECT {columns} FROM sample_persona('usa', $n, seed => $seed)"
    rates["populace, all columns, pandas"] = people / seconds(lambda: populace.sample("usa", people, seed=42).to_pandas())
    rates["populace, ten columns, pandas"] = people / seconds(lambda: db.sql(sql, n=people, seed=42).to_pandas())
    binary = executables("cargo", "build", "--release", "--bin", "populace")["populace"]
    command = [binary, "sql", "--format", "arrow", f"SELECT * FROM sample_persona('usa', {people}, seed => 42)"]
    with open(os.devnull, "wb") as nowhere:
        start = seconds(lambda: subprocess.run([*command[:-1], "SELECT 1"], stdout=nowhere, check=True))
        took = seconds(lambda: subprocess.run(command, stdout=nowhere, check=True))
    rates["populace, all columns, command line"] = people / (took - start)


def of_pgmpy(rates, frame):
    from pgmpy.estimators import MaximumLikelihoodEstimator
    from pgmpy.models import DiscreteBayesianNetwork
    from pgmpy.sampling import BayesianModelSampling

    logging.getLogger("pgmpy").setLevel(logging.ERROR)
    network = DiscreteBayesianNetwork([(parent, child) for child, parents in PARENTS.items() for parent in parents])
    network.add_nodes_from(COLUMNS)
    network.add_cpds(*MaximumLikelihoodEstimator(network, frame.astype(str)).get_parameters())
    sampler = BayesianModelSampling(network)
    rates["pgmpy, ten columns"] = FEW / seconds(lambda: sampler.forward_sample(FEW, show_progress=False))


def of_sdv(rates, frame):
    from sdv.metadata import Metadata
    from sdv.single_table import GaussianCopulaSynthesizer

    metadata = Metadata.detect_from_dataframe(frame)
    synthesizer = GaussianCopulaSynthesizer(metadata)
    synthesizer.fit(frame)
    rates["SDV, ten columns"] = FEW / seconds(lambda: synthesizer.sample(FEW))


def of_faker(rates):
    from faker import Faker

    faker = Faker("en_US")
    rates["Faker, simple_profile()"] = FEWEST / seconds(lambda: [faker.simple_profile() for _ in range(FEWEST)])


def of_mimesis(rates):
    from mimesis import Address, Person
    from mimesis.locales import Locale

    person, address = Person(Locale.EN), Address(Locale.EN)

    def profile():
        return {
            "first_name": person.first_name(),
            "last_name": person.last_name(),
            "sex": person.gender(),
            "birthdate": person.birthdate(),
            "occupation": person.occupation(),
            "city": address.city(),
            "state": address.state(),
            "zipcode": address.zip_code(),
        }

    rates["mimesis, eight fields"] = FEWEST / seconds(lambda: [profile() for _ in range(FEWEST)])


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--people", type=int, default=1_000_000)
    people = options.parse_args().people
    warnings.simplefilter("ignore")
    rates = {}
    of_populace(rates, people)
    sample = populace.connect().sql(
        f"SELECT {', '.join(COLUMNS)} FROM sample_persona('usa', {FITTED}, seed => 1)"
    ).to_pandas()
    frame = sample.astype({name: str for name in COLUMNS if name not in ("age", "household_size")})
    versions = {"populace": populace.__version__, "pandas": pd.__version__}
    for package, measure in [
        ("pgmpy", lambda: of_pgmpy(rates, frame)),
        ("sdv", lambda: of_sdv(rates, frame)),
        ("faker", lambda: of_faker(rates)),
        ("mimesis", lambda: of_mimesis(rates)),
    ]:
        if found := has(package):
            versions[package] = found
            measure()
    importing = "import time; start = time.perf_counter(); import populace; print(time.perf_counter() - start)"
    took = [float(subprocess.check_output([sys.executable, "-c", importing])) for _ in range(9)]
    for name, rate in rates.items():
        print(f"{name:40} {rate:14,.0f} people a second")
    print(f"{'import populace':40} {median(took) * 1000:14.0f} ms")
    print(json.dumps({"rates": rates, "import": median(took), "versions": versions, "machine": platform.processor(),
                      "load": os.getloadavg()[0], "cores": os.cpu_count()}))


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent))
    main()
