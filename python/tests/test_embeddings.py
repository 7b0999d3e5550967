"""A real embedding model, where there is one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import populace
from populace import _onnx


def test_texts_are_found_by_their_meaning(tmp_path):
    models = os.environ.get("POPULACE_MODELS")
    if not models or not (Path(models) / "multilingual-e5-small").exists():
        if os.environ.get("POPULACE_REQUIRE_MODELS") == "1":
            pytest.fail("there is no embedding model")
        pytest.skip("there is no embedding model: make setup")
    with populace.connect(tmp_path / "db", embedder="multilingual-e5-small") as db:
        db.generate("usa", 4, seed=1, narratives=["persona"])
        assert len(db.search("somebody", table="usa", by="meaning", k=2)) == 2


def test_onnx_runtime_is_found_in_its_own_wheel(tmp_path):
    package = tmp_path / "onnxruntime"
    (package / "capi").mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "capi" / "libonnxruntime.so.1.99.0").touch()
    info = tmp_path / "onnxruntime-1.99.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: onnxruntime\nVersion: 1.99.0\n")
    text = "import os, populace; populace.connect(); print(os.environ.get('ORT_DYLIB_PATH'))"
    environment = {name: value for name, value in os.environ.items() if name != "ORT_DYLIB_PATH"}

    def said(**others):
        done = subprocess.run(
            [sys.executable, "-c", text], capture_output=True, text=True, env={**environment, **others}
        )
        return done.stdout.strip()

    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    found = said(PYTHONPATH=path)
    if sys.platform.startswith("linux"):
        assert found.endswith("libonnxruntime.so.1.99.0")
    assert said(PYTHONPATH=path, ORT_DYLIB_PATH="/elsewhere") == "/elsewhere"
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: onnxruntime\nVersion: 1.20.0\n")
    assert said(PYTHONPATH=path) == "None"
    assert _onnx.find() is None or _onnx.find().is_file()
