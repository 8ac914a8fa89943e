"""What to say when memory has run out: how much is free here, and what would fit into it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from steinhaus.images import Images
    from steinhaus.study import Study

DIRECTIONS = 64  # float32 numbers an image that the engine keeps at most, besides products with centroids
SHARE = 0.8  # of what is free; the rest is for everything else


def free(root: Path = Path("/")) -> int | None:
    """Bytes that this process may still take: by its own limit, its control group's, and the machine's.

    Parameters
    ----------
    root
        Where `proc` and `sys` are; another folder in tests.

    Returns
    -------
    int or None
        None where nothing of this can be read, as on systems other than Linux.
    """
    limits = [_under_ulimit(root), _under_cgroup(root), _field(root / "proc/meminfo", "MemAvailable:", 1024)]
    known = [limit for limit in limits if limit is not None]
    return max(0, min(known)) if known else None


def advice() -> str:
    """What is free here, in a sentence or two."""
    from steinhaus.images.limits import size_text

    left = free()
    told = "" if left is None else f"About {size_text(left)} are free here. "
    return f"{told}Give a smaller source, or free some memory."


def what_would_fit(study: Study, images: Images, at_first: int | None) -> str:
    """How many images of these, by this plan, would fit into what was free before they were opened."""
    from steinhaus.images.limits import size_text

    if at_first is None:
        return advice()
    left, each = max(0, at_first - images.pixels.nbytes), per_image(study, images)
    told = (
        f"Beside the images about {size_text(left)} are free here, and each image to train on takes {size_text(each)}."
    )
    fitting = min(images.n - 1, int(left * SHARE) // each)
    if fitting >= max(study.ks):
        return f"{told} About {fitting:,} of {images.n:,} would fit: --train {fitting}; or ask for fewer runs."
    return f"{told} Ask for fewer runs (--k, --restarts), or free some memory."


def per_image(study: Study, images: Images) -> int:
    """Bytes that an image of the training part takes besides the source: its copy, labels, products with centroids."""
    runs, clusters = len(study.keys), study.restarts * sum(study.ks)
    return math.prod(images.shape) * int(images.pixels.itemsize) + 4 * (runs + clusters + DIRECTIONS)


def _under_ulimit(root: Path) -> int | None:
    import resource

    soft = resource.getrlimit(resource.RLIMIT_AS)[0]
    mapped = _field(root / "proc/self/status", "VmSize:", 1024)
    return None if soft == resource.RLIM_INFINITY or mapped is None else soft - mapped


def _under_cgroup(root: Path) -> int | None:
    """Version 2 of control groups, as containers see theirs: at the root."""
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
