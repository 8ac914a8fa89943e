"""Kernels of the integers by which greedy k-means++ draws points: see `seeding.plus_plus`."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from steinhaus.jit.annotations import Array, f64, i64
from steinhaus.jit.build import inner, kernel

BLOCK = 256  # integers in a block


class Potential(NamedTuple):
    """The integers of n points, each of which is drawn in proportion to its own."""

    n: i64
    scale: f64  # factor from a squared distance times its weight to its integer
    values: Array[i64]  # (n,) the integers
    blocks: Array[i64]  # (n / BLOCK,) their sums
    times: Array[f64]  # (n,) counts of the points; (0,): 1 each
    weighted: i64


class Drawn(NamedTuple):
    """Candidates, in the order in which they were drawn, and where within their integers the numbers lay."""

    candidates: Array[i64]  # (m,) points
    within: Array[i64]  # (m,)
    many: i64  # m


@kernel
def locate(potential: Potential, ends: Array[i64], numbers: Array[i64], many: i64, drawn: Drawn) -> None:
    """Find the points in whose intervals random numbers lie, and the places within the intervals.

    ends: (n / BLOCK,) sums of the integers up to the end of each block; numbers: (many,).
    """
    for m in range(many):
        low, high = 0, (potential.n + BLOCK - 1) // BLOCK - 1
        while low < high:
            middle = (low + high) // 2
            if ends[middle] > numbers[m]:
                high = middle
            else:
                low = middle + 1
        left, point = numbers[m] - (ends[low - 1] if low > 0 else 0), low * BLOCK
        while left >= potential.values[point]:
            left -= potential.values[point]
            point += 1
        drawn.candidates[m], drawn.within[m] = point, left


@inner
def integer_of(potential: Potential, i: i64, distance: f64) -> i64:
    """The integer of point i at this squared distance."""
    whole = distance * potential.times[i] if potential.weighted else distance
    return i64(np.floor(whole * potential.scale))
