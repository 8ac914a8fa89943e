"""Draws of points by greedy k-means++: the integers, their scale, and candidates. See `seeding.plus_plus`."""

from __future__ import annotations

import math

import numpy as np

from steinhaus.engines.bounds.doubles import SMALLEST
from steinhaus.engines.dense.potentials import BLOCK, Drawn, Potential, locate
from steinhaus.jit.handed import Handed
from steinhaus.points import Int64
from steinhaus.seeding import sum_bits

_USED = 2**62  # above all integers


def potential_of(n: int, weights: Int64 | None) -> Potential:
    """Room for the integers of n points; weights: (n,) the count of each; None: 1 each."""
    times = np.empty(0) if weights is None else weights.astype(np.float64)
    return Potential(n, 0.0, np.zeros(n, np.int64), np.zeros(-(-n // BLOCK), np.int64), times, int(weights is not None))


def scale_for(potential: Potential, largest: float) -> float:
    """The scale at which all integers have a sum below 2^62; 0 if all distances are 0, or nearly so.

    largest: of the squared distances times weights.
    """
    if largest < SMALLEST:
        return 0.0
    return math.ldexp(1.0, sum_bits(potential.n) - 1 - math.frexp(largest)[1])


def drawn_from(potential: Potential, numbers: Int64) -> Drawn:
    """The points in whose intervals random numbers, (m,), lie, and the places within the intervals.

    The intervals are those of `seeding.plus_plus`: in the order of the points, each as long as the point's integer.
    """
    points, within = np.empty((2, len(numbers)), np.int64)
    drawn = Drawn(points, within, len(numbers))
    locate(Handed(potential), np.cumsum(potential.blocks), numbers, len(numbers), Handed(drawn))
    return drawn


def next_tried(potential: Potential, drawn: Drawn, trials: int) -> Int64 | None:
    """The places of the next `trials` candidates that still count, (trials,); None if fewer are left.

    They, and all candidates before them, do not count again.
    """
    tried = np.flatnonzero(drawn.within < potential.values[drawn.candidates])[:trials]
    if len(tried) < trials:
        return None
    drawn.within[: tried[-1] + 1] = _USED
    return tried
