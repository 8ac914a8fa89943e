"""Where few points of many features are read as they stand: limits, each measured.

Nothing here can change a result.
"""

from __future__ import annotations

from typing import NamedTuple


class Limits(NamedTuple):
    """Where one way takes over from another, as `benchmarks/borders.py` measures it."""

    # Features from which a distance of a row as it stands takes no longer than sixteen at once in lanes: 1,000 x 512, K
    # = 10, take two thirds of the compact engine's time, 1,000 x 256 as long.
    features: int = 512
    # Points up to which it takes longer to learn of them than to measure all distances; and points times centroids,
    # where K is known: 500 x 4,096, K = 50, take as long as screened, 2,000 x 1,024, K = 50, twice as long.
    points: int = 2048
    distances: int = 2**15
    # Products of values and rows, or values that are added up, that make a task, some 100 us.
    task: int = 2**20


LIMITS = Limits()
_SOME = 16  # centroids, where K is not known


def serves(n: int, d: int, k: int | None = None) -> bool:
    """Whether (n, d) points are for this engine; k: the centroids of a run, where that is known."""
    return d >= LIMITS.features and n <= LIMITS.points and n * (k or _SOME) <= LIMITS.distances


def step(work: int, at_once: int) -> int:
    """How many make a task, a multiple of `at_once`, where one takes so much work."""
    return at_once * max(1, LIMITS.task // (work * at_once))
