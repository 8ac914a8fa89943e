"""What a study ran on: the machine and the versions, as far as they may matter to its result or its speed."""

from __future__ import annotations

import functools
import importlib.metadata
import os
import platform
from pathlib import Path
from typing import Any

import steinhaus


@functools.cache
def machine() -> dict[str, Any]:
    """System, processor and number of cores; nothing that names the machine or its user."""
    return {"system": platform.system(), "processor": _processor(), "cores": os.cpu_count() or 1}


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines()
    except OSError:
        lines = []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor() or platform.machine()


@functools.cache
def versions() -> dict[str, str]:
    """Python's, Steinhaus's, and those of the libraries that compute or write a study."""
    libraries = {name: importlib.metadata.version(name) for name in ("numpy", "llvmlite", "scipy", "safetensors")}
    return {"python": platform.python_version(), "steinhaus": steinhaus.__version__, **libraries}
