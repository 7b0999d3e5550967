"""Environments of Python with the packages of other programs that Populace is tried with: made once, in the user's cache."""

import os
import subprocess
import sys
from pathlib import Path

MARK = "PACKAGES"


def environment(name, packages):
    """The Python of the environment populace/NAME with these packages, made where it is not there yet."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "populace" / name
    python = cache / "bin" / "python"
    wanted = "\n".join(packages)
    if (cache / MARK).exists() and (cache / MARK).read_text() == wanted:
        return python
    print(f"{name}: installing {', '.join(packages)} into {cache}, once", flush=True)
    done = subprocess.run([sys.executable, "-m", "venv", "--clear", str(cache)], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{name}: python3 -m venv failed; on Debian install python3-venv:\n{done.stdout}{done.stderr}")
    pip = [str(python), "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--only-binary=:all:", *packages]
    done = subprocess.run(pip, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{name}: the packages cannot be installed:\n{done.stderr[-2000:]}")
    (cache / MARK).write_text(wanted)
    return python
