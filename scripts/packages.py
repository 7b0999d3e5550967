"""Environments of Python with the packages of other programs that Populace is tried with: made once, in the user's cache."""

import os
import subprocess
import sys
from pathlib import Path

MARK = "PACKAGES"


def folder(name):
    """The folder populace/NAME in the user's cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "populace" / name


def environment(name, packages, bare=()):
    """The Python of the environment populace/NAME with these packages, made where it is not there yet. The bare ones come
    without what they depend on, and whatever Python they ask for."""
    cache = folder(name)
    python = cache / "bin" / "python"
    wanted = "\n".join([*packages, *(f"{package}, bare" for package in bare)])
    if (cache / MARK).exists() and (cache / MARK).read_text() == wanted:
        return python
    print(f"{name}: installing {', '.join([*packages, *bare])} into {cache}, once", flush=True)
    done = subprocess.run([sys.executable, "-m", "venv", "--clear", str(cache)], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{name}: python3 -m venv failed; on Debian install python3-venv:\n{done.stdout}{done.stderr}")
    pip = [str(python), "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--only-binary=:all:"]
    for arguments in [packages, ["--no-deps", "--ignore-requires-python", *bare]][: 2 if bare else 1]:
        done = subprocess.run([*pip, *arguments], capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"{name}: the packages cannot be installed:\n{done.stderr[-2000:]}")
    (cache / MARK).write_text(wanted)
    return python
