#!/usr/bin/env python3
"""Builds the wheel of the Python module, and tests it as somebody has it who installs it.

    python3 scripts/python.py wheel    # for release, into target/wheels
    python3 scripts/python.py test     # with the debug build of the dependencies, which the other tests have too

Maturin and the packages that the tests read people with, pinned here, live in populace/python in the user's cache; they
are installed once. The wheel goes into a fresh environment each time, where pytest runs python/tests, the docstrings
and the README's Python section.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from packages import environment

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = [
    "maturin==1.16.0",
    "pytest==9.2.0",
    "mypy==2.4.1",
    "pyarrow==26.0.1",
    "duckdb==2.0.0",
    "polars==2.1.0",
    "pandas==3.1.1",
    "datafusion==54.1.0",
]
# Stripped, and not packed: it is read once.
DEBUG = ["--profile", "dev", "--strip", "--compression-method", "stored"]


def build(python, profile, folder):
    """A wheel in a folder."""
    command = [
        str(python),
        "-m",
        "maturin",
        "build",
        "--manifest-path",
        str(ROOT / "python" / "Cargo.toml"),
        "--out",
        str(folder),
        "--interpreter",
        sys.executable,
        *profile,
    ]
    subprocess.run(command, check=True, cwd=ROOT)
    return max(folder.glob("populace-*.whl"), key=lambda wheel: wheel.stat().st_mtime)


def fresh(python, folder, wheel):
    """The Python of a fresh environment with the wheel in it, which sees the packages of the other one."""
    subprocess.run([str(python), "-m", "venv", str(folder)], check=True)
    own = folder / "bin" / "python"
    pip = [str(own), "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-index", str(wheel)]
    subprocess.run(pip, check=True)
    where = [str(own), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    packages = Path(subprocess.run(where, check=True, capture_output=True, text=True).stdout.strip())
    where[0] = str(python)
    others = subprocess.run(where, check=True, capture_output=True, text=True).stdout.strip()
    (packages / "populace_test_packages.pth").write_text(others)
    return own


def test(python, arguments):
    with tempfile.TemporaryDirectory() as temporary:
        temporary = Path(temporary)
        wheel = build(python, DEBUG, temporary / "wheels")
        own = fresh(python, temporary / "venv", wheel)
        module = [str(own), "-c", "import populace, pathlib; print(pathlib.Path(populace.__file__).parent)"]
        installed = subprocess.run(module, check=True, capture_output=True, text=True, cwd=temporary).stdout.strip()
        subprocess.run(
            [
                str(own),
                "-m",
                "mypy",
                "--strict",
                "--ignore-missing-imports",
                "--cache-dir",
                str(temporary / "mypy"),
                str(ROOT / "python" / "tests" / "typed.py"),
            ],
            check=True,
            cwd=temporary,
        )
        pytest = [
            str(own),
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "-c",
            str(ROOT / "python" / "pyproject.toml"),
            "--rootdir",
            str(ROOT / "python"),
            "--doctest-modules",
            "--durations=5",
            str(ROOT / "python" / "tests"),
            installed,
            *arguments,
        ]
        sys.exit(subprocess.run(pytest, cwd=temporary).returncode)


def main(arguments):
    if arguments == ["wheel"]:
        target = Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target")
        print(build(environment("python", PACKAGES), ["--release", "--strip"], target / "wheels"))
    elif arguments[:1] == ["test"]:
        test(environment("python", PACKAGES), arguments[1:])
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
