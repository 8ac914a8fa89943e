"""The cores and the free memory that this process may use."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path


def available_cores() -> int:
    """The number of cores that this process may use, by its affinity and its control group.

    joblib counts them. It reads control groups of versions 1 and 2 and rounds parts of a core up. LOKY_MAX_CPU_COUNT,
    if set, is the most.
    """
    affinity = frozenset(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None
    return _cores(affinity, os.environ.get("LOKY_MAX_CPU_COUNT"))


@cache
def _cores(affinity: frozenset[int] | None, most: str | None) -> int:
    """Count the cores anew only if the affinity or the variable has changed, since it takes half a millisecond."""
    from joblib import cpu_count

    return int(cpu_count())


def free_memory(root: Path = Path("/")) -> int | None:
    """The memory that this process may still take, by its own limit, that of its control group and the machine's.

    Parameters
    ----------
    root
        The folder with `proc` and `sys`; another one in tests.

    Returns
    -------
    int or None
        Bytes; None if no limit can be read, as on systems other than Linux.
    """
    limits = [_under_ulimit(root), _under_cgroup(root), _field(root / "proc/meminfo", "MemAvailable:", 1024)]
    known = [limit for limit in limits if limit is not None]
    return max(0, min(known)) if known else None


def _under_ulimit(root: Path) -> int | None:
    import resource

    soft = resource.getrlimit(resource.RLIMIT_AS)[0]
    mapped = _field(root / "proc/self/status", "VmSize:", 1024)
    return None if soft == resource.RLIM_INFINITY or mapped is None else soft - mapped


def _under_cgroup(root: Path) -> int | None:
    """By the control group, version 2. A container finds its group at the root."""
    try:
        most, used = ((root / f"sys/fs/cgroup/memory.{name}").read_text().strip() for name in ("max", "current"))
        return int(most) - int(used)
    except (OSError, ValueError):  # no control groups here, or "max": no limit
        return None


def _field(path: Path, name: str, unit: int) -> int | None:
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * unit for line in lines if line.startswith(name)), None)
