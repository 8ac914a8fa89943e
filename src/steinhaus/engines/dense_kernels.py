"""Numba leaf functions for what is done with rows in memory beside labelling them: arrays in, arrays out."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from steinhaus import simd as v
from steinhaus.compiled import compiled, inlined
from steinhaus.engines import limbs
from steinhaus.engines.kernels import squared_distance


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


@compiled
def own_distances(x, first, end, labels, centroids, out):
    """Squared distance of each point to the centroid of its label, (n,) float64."""
    values, rows = v.pointer(x.values), v.pointer(centroids)
    for i in range(first, end):
        out[i] = squared_distance(values, i * x.d, rows, labels[i] * x.d, x.d)


@compiled
def distances(x, first, end, rows, out):
    """Squared distance of each point to every row: rows (m, d), out (n, m) float64."""
    values, to = v.pointer(x.values), v.pointer(rows)
    for i in range(first, end):
        for j in range(rows.shape[0]):
            out[i, j] = squared_distance(values, i * x.d, to, j * x.d, x.d)


class Bounds(NamedTuple):
    """How far scores can be off, norm * slope + constant, and settling, floor * (norm + reach)^2, for all centroids."""

    slope: float
    constant: float
    floor: float
    reach: float  # at least the norm of every centroid
    largest: float  # of points of a norm beyond this, scores may have overflowed


@compiled
def settle(x, start, first, end, scores, bounds, centroids, labels):
    """Labels of points from their scores: those that bounds leave open are settled by `squared_distance`.

    scores: (m, k) of the points from `start` on; first, end: rows of it. centroids: (k, d) float64. labels: (n,) int32.
    """
    d, k = x.d, centroids.shape[0]
    origin = np.zeros(d)
    values, rows, zero = v.pointer(x.values), v.pointer(centroids), v.pointer(origin)
    for row in range(first, end):
        i = start + row
        norm = np.sqrt(squared_distance(values, i * d, zero, 0, d)) * 1.000001
        best, found = -np.inf, 0
        for j in range(k):
            score = np.float64(scores[row, j])
            if score > best:
                best, found = score, j
        whole = norm + bounds.reach
        least = best - 2.0 * (norm * bounds.slope + bounds.constant) - bounds.floor * whole * whole
        if not norm < bounds.largest:
            least = -np.inf
        candidates = 0
        for j in range(k):
            candidates += not np.float64(scores[row, j]) < least
        if candidates != 1:
            nearest = np.inf
            for j in range(k):
                if not np.float64(scores[row, j]) < least:
                    distance = squared_distance(values, i * d, rows, j * d, d)
                    if distance < nearest:
                        nearest, found = distance, j
        labels[i] = found
