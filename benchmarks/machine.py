"""The machine of a measurement, and the versions of all libraries involved."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = (
    "numpy",
    "llvmlite",
    "scipy",
    "scikit-image",
    "scikit-learn",
    "scikit-learn-intelex",
    "faiss-cpu",
    "superkmeans",
)


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def keep_to(threads: int) -> None:
    """Limit this process to so many cores. Call it before a library counts them."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])


def sentence(about: dict[str, Any]) -> str:
    """The result of `machine`, in words."""
    versions = ", ".join(f"{name} {version}" for name, version in about["versions"].items())
    return (
        f"{about['processor']}, {about['threads']} threads on {about['cores']} cores, {about['system']}. "
        f"Python {about['python']}, {versions}. Commit {about['commit']}. The load before was {about['load']:.1f}."
    )


def machine(threads: int) -> dict[str, Any]:
    """Processor, memory, system, versions, commit, and how busy the machine is."""
    return {
        "processor": _line("/proc/cpuinfo", "model name") or platform.processor(),
        "family": [_line("/proc/cpuinfo", name) for name in ("cpu family", "model")],
        "cores": os.cpu_count(),
        "threads": threads,
        "memory": int((_line("/proc/meminfo", "MemTotal") or "0 kB").split()[0]) * 1024,
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "versions": {name: installed for name in PACKAGES if (installed := _version(name))},
        "blas": _blas(),
        "commit": _commit(),
        "load": os.getloadavg()[0],
    }


def _line(path: str, name: str) -> str | None:
    try:
        lines = Path(path).read_text().splitlines()
    except OSError:
        return None
    return next((line.partition(":")[2].strip() for line in lines if line.partition(":")[0].strip() == name), None)


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _blas() -> str:
    import numpy as np

    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    return f"{blas['name']} {blas['version']}"


def _commit() -> str | None:
    here = Path(__file__).parent
    git = ["git", "-C", str(here), "describe", "--always", "--dirty", "--exclude=*"]
    done = subprocess.run(git, capture_output=True, text=True, check=False)
    return done.stdout.strip() or None
