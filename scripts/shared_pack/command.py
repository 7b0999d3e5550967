"""The command line of a converter: two folders in, then the steps of the conversion."""

import os
import sys

from .tables import FOLDERS

EXPECTED = (("tables", "TABLES_DIR", "SOURCES.csv"), ("pack", "DIR", "pack.toml"))


def convert(doc, steps):
    """Runs `steps` on the folders of tables and of the pack that the command line names; `doc` tells the usage."""
    if len(sys.argv) != 3:
        raise SystemExit(doc)
    FOLDERS["tables"], FOLDERS["pack"] = sys.argv[1:]
    usage = next(line for line in doc.splitlines() if line.startswith("Usage: "))
    for name, argument, holds in EXPECTED:
        folder = FOLDERS[name]
        if not os.path.isdir(folder):
            raise SystemExit(f"{folder}: no such folder, given as {argument}. {usage}")
        if not os.path.exists(os.path.join(folder, holds)):
            raise SystemExit(f"{folder}: no {holds} there, so this is not {argument}. {usage}")
    steps()
