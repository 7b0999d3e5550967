"""What the tests of the converters share: folders for made tables, and the whole conversion of a pack."""

import csv
import filecmp
import gzip
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
import unittest

from .tables import FOLDERS, TABLES_READ, rows_of

SCRIPTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


class Pack:
    """The files of a country's pack."""

    def __init__(self, country):
        self.folder = os.path.join(os.path.dirname(SCRIPTS), "datasets", country)

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    def rows(self, *parts):
        return rows_of(self.path(*parts))

    def column(self, name, *parts):
        return [r[name] for r in self.rows(*parts)]

    def toml(self, *parts):
        with open(self.path(*parts), "rb") as f:
            return tomllib.load(f)


def run(country, *arguments):
    """Runs a converter as from a shell."""
    command = [sys.executable, os.path.join(SCRIPTS, f"convert_{country}.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True)


class Folders(unittest.TestCase):
    """Empty folders of tables and of a pack."""

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        for name in FOLDERS:
            path = os.path.join(self.folder.name, name)
            os.mkdir(path)
            self.addCleanup(FOLDERS.__setitem__, name, FOLDERS[name])
            FOLDERS[name] = path
        os.mkdir(os.path.join(FOLDERS["pack"], "assumptions"))
        self.addCleanup(TABLES_READ.clear)

    def table(self, name, header, rows):
        self.write(os.path.join(FOLDERS["tables"], name), header, rows)

    def assumption(self, name, header, rows):
        self.write(os.path.join(FOLDERS["pack"], "assumptions", name), header, rows)

    def write(self, path, header, rows):
        with open(path, "w", encoding="utf-8", newline="") as f:
            csv.writer(f).writerows([header.split(","), *rows])

    def bytes_of(self, figure):
        with open(os.path.join(FOLDERS["pack"], "figures", figure + ".csv.gz"), "rb") as f:
            return f.read()

    def cells(self, figure):
        """{key: value} of a figure that was written."""
        rows = list(csv.reader(gzip.decompress(self.bytes_of(figure)).decode().splitlines()))
        return {tuple(r[:-1]): float(r[-1]) for r in rows[1:]}

    def levels(self, name):
        """The levels of a list that was written."""
        with open(os.path.join(FOLDERS["pack"], "levels", name + ".csv"), encoding="utf-8", newline="") as f:
            return [r["level"] for r in csv.DictReader(f)]


class Whole:
    """The conversion of the source tables, which POPULACE_TABLES_COUNTRY names, gives the pack byte for byte."""

    country = ""

    def test_the_conversion_gives_the_pack_byte_for_byte(self):
        variable = f"POPULACE_TABLES_{self.country.upper()}"
        if not os.environ.get(variable):
            self.skipTest(f"{variable} names no folder of source tables")
        pack = Pack(self.country).folder
        with tempfile.TemporaryDirectory() as folder:
            made = os.path.join(folder, self.country)
            shutil.copytree(pack, made, ignore=lambda at, _: ["figures", "levels"] if at == pack else [])
            done = run(self.country, os.environ[variable], made)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertEqual(files(made), files(pack))
            _, differ, odd = filecmp.cmpfiles(pack, made, files(pack), shallow=False)
            self.assertEqual((differ, odd), ([], []))


def files(folder):
    """The paths of all files below a folder."""
    return sorted(os.path.relpath(os.path.join(at, name), folder) for at, _, names in os.walk(folder) for name in names)
