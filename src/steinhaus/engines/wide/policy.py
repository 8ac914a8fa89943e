"""The limits within which the wide engine is the fastest. Each is measured, and none can change a result."""

from __future__ import annotations

from typing import NamedTuple


class Limits(NamedTuple):
    """Limits of the wide engine, as `benchmarks/borders.py` measures them."""

    # From this many features on, distances row by row are as fast as the compact engine's sixteen points at a time.
    features: int = 512
    # Up to this many points, and this many points times centroids, all distances take less time than it takes to
    # prepare the points for screens.
    points: int = 2048
    distances: int = 2**15
    # Products, or values that are added up, in one task: about 100 us.
    task: int = 2**20


LIMITS = Limits()
_SOME = 16  # centroids, if K is not known


def serves(n: int, d: int, k: int | None = None) -> bool:
    """Whether this engine should take (n, d) points; k: the centroids of a run, if known."""
    return d >= LIMITS.features and n <= LIMITS.points and n * (k or _SOME) <= LIMITS.distances


def step(work: int, at_once: int) -> int:
    """The number of items in a task, a multiple of `at_once`; work: that of one item."""
    return at_once * max(1, LIMITS.task // (work * at_once))
