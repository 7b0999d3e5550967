"""The README's Python section, as it stands."""

import os
import re
from pathlib import Path

README = Path(__file__).resolve().parents[2] / "README.md"


def test_the_readme_runs_as_it_stands(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    _, section = README.read_text().split("\n## In Python\n")
    blocks = re.findall(r"```python\n(.*?)```", section.split("\n## ")[0], re.DOTALL)
    assert len(blocks) >= 2 and os.environ["POPULACE_EMBEDDER"] == "hash"
    names: dict = {}
    for block in blocks:
        exec(compile(block, str(README), "exec"), names)
    assert len(names["people"]) == 1000 and len(names["db"]["usa"]) == 100
