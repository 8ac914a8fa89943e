"""Numba leaf functions for points in compressed sparse rows: arrays in, arrays out.

Notation as in `sparse`: point i has entries x_t, its centroids are c_j, its score for j is s_j = x . c_j - |c_j|^2 /
2; the nearest centroid has the largest score.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from steinhaus import simd as v
from steinhaus.compiled import compiled, inlined
from steinhaus.engines import limbs
from steinhaus.engines.bounds.distances import score_error
from steinhaus.engines.products import squared_distance


class Rows(NamedTuple):
    """The points: entries of row i stand at starts[i] .. starts[i + 1], columns ascending and distinct."""

    values: np.ndarray  # (entries,) of any real type
    columns: np.ndarray  # (entries,) int32 or int64
    starts: np.ndarray  # (n + 1,) int64
    d: int
    offset: np.ndarray  # (d,) float64; the grid is (x - offset) * per_step
    per_step: np.ndarray  # (d,) float64
    zeros: np.ndarray  # (d,) int64, the grid's integer of 0
    integers: bool  # small integers: their own grid, sums have one limb


@inlined
def integer(x, e):
    """The grid's integer of an entry, less that of 0."""
    if x.integers:
        return np.int64(x.values[e])
    t = x.columns[e]
    return np.int64(np.rint((np.float64(x.values[e]) - x.offset[t]) * x.per_step[t])) - x.zeros[t]


@compiled
def label(x, first, end, across, half, firsts, most, norms, rate, exact, scores, row, labels):  # noqa: PLR0912
    """Label the points first <= i < end for R runs: scores in float64, then `squared_distance` where they are close.

    across: (d, K) float64, the centroids of all runs, transposed; exact: (K, d). half: (K,) half their squared norms.
    firsts: (R + 1,) where each run's centroids begin; most: (R,) its largest norm. norms: (n,) of the points. rate:
    of `score_error`. scores: (K,), row: (d,) zeros, float64 scratch.
    labels: (R, n) int32.
    """
    k, d = exact.shape
    decide_x, decide_c = v.pointer(row), v.pointer(exact)
    for i in range(first, end):
        scores[:] = 0.0
        for e in range(x.starts[i], x.starts[i + 1]):
            t, value = x.columns[e], np.float64(x.values[e])
            for j in range(k):
                scores[j] += value * across[t, j]
        spread = False
        for r in range(len(most)):
            j0, j1 = firsts[r], firsts[r + 1]
            best, found = -np.inf, 0
            for j in range(j0, j1):
                scores[j] -= half[j]
                if scores[j] > best:
                    best, found = scores[j], j - j0
            reach = norms[i] + most[r]
            least = best - 2.0 * score_error(rate, reach)
            candidates = 0
            for j in range(j0, j1):
                candidates += scores[j] >= least
            if candidates > 1:
                if not spread:
                    _spread(x, i, row)
                    spread = True
                nearest = np.inf
                for j in range(j0, j1):
                    if scores[j] >= least:
                        distance = squared_distance(decide_x, 0, decide_c, j * d, d)
                        if distance < nearest:
                            nearest, found = distance, j - j0
            labels[r, i] = found
        if spread:
            for e in range(x.starts[i], x.starts[i + 1]):
                row[x.columns[e]] = 0.0


@inlined
def _spread(x, i, row):
    for e in range(x.starts[i], x.starts[i + 1]):
        row[x.columns[e]] = x.values[e]


@compiled
def move(x, weights, old, new, sums, counts):
    """Take the points whose label has changed out of their old cluster's sums, and add them to their new one's: as
    far as their integers differ from those of 0.

    weights: (n,) int64, or one number for all. old: (n,) int32, -1 for none yet; new: (n,). sums: (limbs, k, d),
    counts: (k,) int64, in place. Returns how many moved.
    """
    limb_count, k, d = sums.shape
    flat = sums.reshape(-1)
    other = (limb_count - 1) * k * d
    moved = 0
    for i in range(len(new)):
        if old[i] == new[i]:
            continue
        moved += 1
        weight = weights[i if len(weights) > 1 else 0]
        for e in range(x.starts[i], x.starts[i + 1]):
            q, t = integer(x, e), x.columns[e]
            if x.integers:
                if old[i] >= 0:
                    flat[old[i] * d + t] -= q * weight
                flat[new[i] * d + t] += q * weight
            else:
                if old[i] >= 0:
                    limbs.add(q, weight, -1, flat, old[i] * d + t, other)
                limbs.add(q, weight, 1, flat, new[i] * d + t, other)
        if old[i] >= 0:
            counts[old[i]] -= weight
        counts[new[i]] += weight
    return moved


@compiled
def distances(x, first, end, to, squares, norms, out):
    """Squared distances of points to m rows, |x|^2 + |y|^2 - 2 x . y, at least 0: to (m, d), out (m, n) float64.

    norms: (n,) squared norms of the points, squares: (m,) of the rows, both by `square_sum` or a sum in the same
    order, so that a point is at distance 0 from itself.
    """
    for i in range(first, end):
        for j in range(len(to)):
            product = 0.0
            for e in range(x.starts[i], x.starts[i + 1]):
                product += np.float64(x.values[e]) * to[j, x.columns[e]]
            out[j, i] = max((norms[i] - product) + (squares[j] - product), 0.0)


@compiled
def own_scores(x, first, end, labels, exact, half, out):
    """The score of each point for the centroid of its label, (n,) float64."""
    for i in range(first, end):
        j = labels[i]
        product = 0.0
        for e in range(x.starts[i], x.starts[i + 1]):
            product += np.float64(x.values[e]) * exact[j, x.columns[e]]
        out[i] = product - half[j]


@compiled
def own_distances(x, chosen, labels, exact, out):
    """Squared distance of each chosen point to the centroid of its label, by `squared_distance`: chosen, out (m,)."""
    d = x.d
    row = np.zeros(d)
    for place, i in enumerate(chosen):
        _spread(x, i, row)
        out[place] = squared_distance(v.pointer(row), 0, v.pointer(exact), labels[i] * d, d)
        for e in range(x.starts[i], x.starts[i + 1]):
            row[x.columns[e]] = 0.0


@compiled
def ranges(x, reach):
    """The largest magnitude in each column, (d,) float64; returns the first row with a value not finite, or -1."""
    for i in range(len(x.starts) - 1):
        for e in range(x.starts[i], x.starts[i + 1]):
            value = abs(np.float64(x.values[e]))
            if not value < np.inf:
                return i
            reach[x.columns[e]] = max(reach[x.columns[e]], value)
    return -1


@compiled
def totals(x, weights, sums, squares):
    """Sums of the grid's integers, (limbs, d), and of their squares, (3, 4, d), each times its point's weight."""
    flat = sums.reshape(-1)
    other = (len(sums) - 1) * x.d
    for i in range(len(x.starts) - 1):
        weight = weights[i if len(weights) > 1 else 0]
        for e in range(x.starts[i], x.starts[i + 1]):
            q, t = integer(x, e), x.columns[e]
            if x.integers:
                flat[t] += q * weight
            else:
                limbs.add(q, weight, 1, flat, t, other)
            limbs.add_square(q, weight, squares, t)


@compiled
def count_values(x, d, first, end, starts):
    """How many values of the rows first <= i < end of a dense array, flat, are not 0: into starts[i + 1]."""
    for i in range(first, end):
        found = 0
        for t in range(d):
            found += x[i * d + t] != 0
        starts[i + 1] = found


@compiled
def take_values(x, d, first, end, starts, values, columns):
    """Write the values of these rows that are not 0, and their columns, from starts[i] on."""
    for i in range(first, end):
        e = starts[i]
        for t in range(d):
            value = x[i * d + t]
            if value != 0:
                values[e], columns[e] = value, t
                e += 1


@compiled
def lengths(x, out):
    """The squared norm of each point, (n,) float64, summed in order."""
    for i in range(len(x.starts) - 1):
        total = 0.0
        for e in range(x.starts[i], x.starts[i + 1]):
            total += np.float64(x.values[e]) * np.float64(x.values[e])
        out[i] = total


@compiled
def square_sum(rows, out):
    """The squared norm of each row, (m, d) -> (m,) float64, summed in order: zeros change nothing."""
    for j in range(len(rows)):
        total = 0.0
        for t in range(rows.shape[1]):
            total += rows[j, t] * rows[j, t]
        out[j] = total
