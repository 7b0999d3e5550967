"""The command line of a converter: two folders in, the steps of the conversion, one clear line where one fails."""

import os
import sys
import traceback

from .tables import FOLDERS, TABLES_READ

EXPECTED = (("tables", "TABLES_DIR", "SOURCES.csv"), ("pack", "DIR", "pack.toml"))


def convert(doc, steps):
    """Runs `steps` on the folders of tables and of the pack that the command line names; `doc` tells the usage."""
    if len(sys.argv) != 3:
        raise SystemExit(doc)
    FOLDERS["tables"], FOLDERS["pack"] = map(os.path.normpath, sys.argv[1:])
    usage = next(line for line in doc.splitlines() if line.startswith("Usage: "))
    for name, argument, holds in EXPECTED:
        folder = FOLDERS[name]
        if not os.path.isdir(folder):
            raise SystemExit(f"{folder}: no such folder, given as {argument}. {usage}")
        if not os.path.exists(os.path.join(folder, holds)):
            raise SystemExit(f"{folder}: no {holds} there, so this is not {argument}. {usage}")
    try:
        steps()
    except Exception as error:
        raise SystemExit(f"{trouble(error)} ({place(error)})") from error


def trouble(error):
    """What went wrong and what to do, in a line."""
    if isinstance(error, OSError) and error.filename:
        whole = "; DIR must be the whole folder of the pack" if isinstance(error, FileNotFoundError) else ""
        return f"{error.filename}: {error.strerror}{whole}"
    if isinstance(error, AssertionError) and str(error):
        return str(error)
    table = f"{TABLES_READ[-1]} or a table read before it" if TABLES_READ else "a table"
    if isinstance(error, KeyError):
        key = error.args[0]
        what = f"no row for {', '.join(map(str, key))}" if isinstance(key, tuple) else f"unknown code {key!r}"
        return f"{table}: {what}; correct the table, or add the code to the converter"
    what = str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
    return f"{table}: {' '.join(what.split())}; correct the table"


def place(error):
    """The line of the conversion that failed."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    package, file = frame.filename.split(os.sep)[-2:]
    return f"{package}/{file}, line {frame.lineno}, in {frame.name}"
