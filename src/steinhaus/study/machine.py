"""The machine and the versions that may matter to a study's result or speed."""

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
    """The system, the processor and the number of cores. Nothing names the machine or its user."""
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
    """The versions of Python, Steinhaus, and the libraries that compute or write a study."""
    libraries = {name: importlib.metadata.version(name) for name in ("numpy", "llvmlite", "scipy", "safetensors")}
    return {"python": platform.python_version(), "steinhaus": steinhaus.__version__, **libraries}
