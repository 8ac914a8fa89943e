"""Where few points of many features are read as they stand: limits, each measured.

Nothing here can change a result.
"""

from __future__ import annotations

from typing import NamedTuple


class Limits(NamedTuple):
    """Where another engine takes over."""

    features: int = 1024
    points: int = 1024
    # Products of values and rows, or values that are added up, that make a task, some 100 us.
    task: int = 2**20


LIMITS = Limits()


def serves(n: int, d: int, k: int | None = None) -> bool:
    """Whether (n, d) points are for this engine; k: the centroids of a run, where that is known."""
    return d >= LIMITS.features and n <= LIMITS.points


def step(work: int, at_once: int) -> int:
    """How many make a task, a multiple of `at_once`, where one takes so much work."""
    return at_once * max(1, LIMITS.task // (work * at_once))
