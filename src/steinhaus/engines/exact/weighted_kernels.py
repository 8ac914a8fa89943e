"""Numba leaf functions for rows in memory that count by weights: arrays in, arrays out."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from steinhaus.compiled import compiled, inlined
from steinhaus.engines import limbs


class Rows(NamedTuple):
    """The points, and their grid."""

    values: np.ndarray  # (n, d) of any real type, flat
    d: int
    offset: np.ndarray  # (d,) float64; the grid is (x - offset) * per_step
    per_step: np.ndarray  # (d,) float64
    integers: bool  # small integers: their own grid, sums have one limb


@inlined
def integer(x, i, t):
    """The grid's integer of feature t of point i."""
    if x.integers:
        return np.int64(x.values[i * x.d + t])
    return np.int64(np.rint((np.float64(x.values[i * x.d + t]) - x.offset[t]) * x.per_step[t]))


@inlined
def _add(x, i, weight, sign, sums, j, other):
    for t in range(x.d):
        q = integer(x, i, t)
        if x.integers:
            sums[j * x.d + t] += sign * (q * weight)
        else:
            limbs.add(q, weight, sign, sums, j * x.d + t, other)


@compiled
def move(x, weights, first, end, old, new, sums, counts):
    """Take those of the points first <= i < end whose label has changed out of their old cluster, and add them to the
    new.

    weights: (n,) int64. old: (n,) int32, -1 for none yet; new: (n,). sums: (limbs, k, d), counts: (k,) int64, in place.
    Returns how many moved.
    """
    flat = sums.reshape(-1)
    other = (sums.shape[0] - 1) * sums.shape[1] * x.d
    moved = 0
    for i in range(first, end):
        if old[i] == new[i]:
            continue
        moved += 1
        if old[i] >= 0:
            _add(x, i, weights[i], -1, flat, old[i], other)
            counts[old[i]] -= weights[i]
        _add(x, i, weights[i], 1, flat, new[i], other)
        counts[new[i]] += weights[i]
    return moved


@compiled
def weighted_squares(x, weights, first, end, squares):
    """Add up the grid's integers squared, each times its point's weight: squares (3, 4, d) int64, see `limbs`."""
    for i in range(first, end):
        for t in range(x.d):
            limbs.add_square(integer(x, i, t), weights[i], squares, t)
