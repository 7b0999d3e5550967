"""ONNX Runtime from its own wheel, `pip install populace[embeddings]`, so that nothing else is to be installed."""

from __future__ import annotations

import os
from pathlib import Path

_OLDEST = (1, 24)
"""What the library was built for; older ones lack functions that it calls."""


def find() -> Path | None:
    """The library in the wheel `onnxruntime`, if that is installed and new enough. It is not loaded."""
    from importlib import metadata, util

    try:
        version = tuple(int(part) for part in metadata.version("onnxruntime").split(".")[:2])
        spec = util.find_spec("onnxruntime")
    except (metadata.PackageNotFoundError, ValueError):
        return None
    if spec is None or version < _OLDEST or not spec.submodule_search_locations:
        return None
    folder = Path(spec.submodule_search_locations[0]) / "capi"
    for pattern in ("libonnxruntime.so*", "libonnxruntime*.dylib", "onnxruntime.dll"):
        for library in sorted(folder.glob(pattern)):
            return library
    return None


def use() -> None:
    """Has embedders load it, unless `ORT_DYLIB_PATH` names another."""
    if "ORT_DYLIB_PATH" not in os.environ and (library := find()):
        os.environ["ORT_DYLIB_PATH"] = str(library)
