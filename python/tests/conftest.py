import os

import pytest

# Vectors of words alone: what is tested here is the module, not a model. `test_embeddings.py` has the model.
os.environ["POPULACE_EMBEDDER"] = "hash"

import populace

# For type checkers alone.
collect_ignore = ["typed.py"]


@pytest.fixture
def db(tmp_path):
    with populace.connect(tmp_path / "db") as db:
        yield db


@pytest.fixture(scope="session")
def people_db(tmp_path_factory):
    """A database with forty people in `usa`, which tests read."""
    with populace.connect(tmp_path_factory.mktemp("people") / "db") as db:
        db.generate("usa", 40, seed=42)
        yield db
