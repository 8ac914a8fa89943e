"""Kernels for points in compressed sparse rows: scores, labels, sums and distances from the entries.

Notation as in `points`: point i has entries x_t, the centroids are c_j, and its score for j is s_j = x . c_j -
|c_j|^2 / 2. The nearest centroid has the largest score. Products are summed in the order of the entries.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from steinhaus.engines.bounds.distances import score_error
from steinhaus.engines.exact import limbs
from steinhaus.engines.exact.distances import squared_distance
from steinhaus.jit.annotations import Array, Column, Point, f64, i32, i64
from steinhaus.jit.build import inlined, inner, kernel
from steinhaus.jit.declared import unroll
from steinhaus.jit.operations import load, local, small_integer, splat, store, vector
from steinhaus.jit.types import boolean, literal


class SparseRows(NamedTuple):
    """The points. The entries of row i are starts[i] <= e < starts[i + 1]; their columns are ascending and distinct."""

    values: Array[Point]  # (entries,)
    columns: Array[Column]  # (entries,)
    starts: Array[i64]  # (n + 1,)
    n: i64
    d: i64
    per_step: Array[f64]  # (d,); the integer that stands for a value x is x * per_step, rounded


class Sought(NamedTuple):
    """The centroids of R runs, K in all."""

    runs: i64
    width: i64  # K rounded up to a multiple of 8
    d: i64
    rows: Array[f64]  # (K, d)
    across: Array[f64]  # (d, width) the rows transposed, with zeros after them
    half: Array[f64]  # (K,) half the squared norms of the rows
    firsts: Array[i64]  # (R + 1,) the first row of each run, and K
    most: Array[f64]  # (R,) at least the largest norm of each run's rows
    rate: f64  # of `score_error`


@inlined
def _integer(x: SparseRows, e: i64) -> i64:
    """The grid's integer of an entry."""
    if small_integer(Point):
        return i64(x.values[e])
    return i64(np.rint(f64(x.values[e]) * x.per_step[x.columns[e]]))


@kernel
def label(
    x: SparseRows,
    sought: Sought,
    first: i64,
    end: i64,
    norms: Array[f64],
    scores: Array[f64],
    row: Array[f64],
    labels: Array[i32],
) -> None:
    """Label the points first <= i < end for every run: by scores, or by `squared_distance` if scores are close.

    norms: (n,) at least the norms of the points. labels: (R, n). scores: (width,) and row: (d,) zeros, work space.
    """
    for i in range(first, end):
        _score(x, i, sought, scores)
        is_spread = False
        for r in range(sought.runs):
            j0, j1 = sought.firsts[r], sought.firsts[r + 1]
            best, found = _best(scores, sought.half, j0, j1)
            reach = norms[i] + sought.most[r]
            least = best - 2.0 * score_error(sought.rate, reach)
            if _are_several(scores, j0, j1, least):
                if not is_spread:
                    _spread(x, i, row)
                    is_spread = True
                found = _nearest(row, sought, scores, j0, j1, least)
            labels[r * x.n + i] = i32(found - j0)
        if is_spread:
            _clear(x, i, row)


@inner
def _score(x: SparseRows, i: i64, sought: Sought, scores: Array[f64]) -> None:
    """The products of a point with all centroids. scores: (width,)."""
    j = 0
    while j < sought.width:
        if sought.width - j >= 32:
            _products(4, x, i, sought.across + j, sought.width, scores + j)
            j += 32
        else:
            _products(1, x, i, sought.across + j, sought.width, scores + j)
            j += 8


@inlined
def _products(size: literal, x: SparseRows, i: i64, across: Array[f64], width: i64, out: Array[f64]) -> None:
    """The products of a point with 8 `size` centroids. Their sums stay in registers.

    across: (d, width) from the first of these centroids on; out: (8 size,).
    """
    sums = local(vector(f64, 8), size)
    for s in unroll(size):
        sums[s] = splat(0.0, f64, 8)
    for e in range(x.starts[i], x.starts[i + 1]):
        value, factors = splat(f64(x.values[e]), f64, 8), across + i64(x.columns[e]) * width
        for s in unroll(size):
            sums[s] = sums[s] + value * load(factors, 8 * s, 8)
    for s in unroll(size):
        store(out, 8 * s, sums[s])


@inner
def _best(scores: Array[f64], half: Array[f64], j0: i64, j1: i64) -> tuple[f64, i64]:
    """Turn the products of a run, j0 <= j < j1, into scores; find the largest. scores: (width,); half: (K,)."""
    best, found = -np.inf, j0
    for j in range(j0, j1):
        scores[j] -= half[j]
        if scores[j] > best:
            best, found = scores[j], j
    return best, found


@inner
def _are_several(scores: Array[f64], j0: i64, j1: i64, least: f64) -> boolean:
    # Whether at least two scores, (width,), are not below `least`.
    candidates = 0
    for j in range(j0, j1):
        candidates += i64(scores[j] >= least)
    return candidates > 1


@inner
def _nearest(row: Array[f64], sought: Sought, scores: Array[f64], j0: i64, j1: i64, least: f64) -> i64:
    """The nearest of the centroids whose score is not below `least`. row: (d,) the point; scores: (width,)."""
    nearest, found = np.inf, j0
    for j in range(j0, j1):
        if scores[j] >= least:
            distance = squared_distance(row, sought.rows + j * sought.d, sought.d)
            if distance < nearest:
                nearest, found = distance, j
    return found


@inlined
def _spread(x: SparseRows, i: i64, row: Array[f64]) -> None:
    # Write the entries of a point into a row of zeros, (d,).
    for e in range(x.starts[i], x.starts[i + 1]):
        row[x.columns[e]] = f64(x.values[e])


@inlined
def _clear(x: SparseRows, i: i64, row: Array[f64]) -> None:
    # Make a row, (d,), zeros again after `_spread`.
    for e in range(x.starts[i], x.starts[i + 1]):
        row[x.columns[e]] = 0.0


@kernel
def move(
    x: SparseRows,
    weights: Array[i64],
    each: i64,
    old: Array[i32],
    new: Array[i32],
    other: i64,
    sums: Array[i64],
    counts: Array[i64],
) -> None:
    """Move each point whose label has changed from its old cluster to its new one.

    weights: (n,) if `each` is 1, (1,) if it is 0. old: (n,), -1: no label yet. new: (n,). sums: (limbs, k, d); a low
    limb stands `other` places after its high limb, and 0 says that there is one limb. counts: (k,). Sums and counts
    change in place.
    """
    for i in range(x.n):
        if old[i] != new[i]:
            weight = weights[i * each]
            if old[i] >= 0:
                _add(x, i, weight, -1, sums, i64(old[i]), other)
                counts[old[i]] -= weight
            _add(x, i, weight, 1, sums, i64(new[i]), other)
            counts[new[i]] += weight


@inner
def _add(x: SparseRows, i: i64, weight: i64, sign: i64, sums: Array[i64], j: i64, other: i64) -> None:
    # sums: (limbs, k, d), in place.
    for e in range(x.starts[i], x.starts[i + 1]):
        limbs.add(_integer(x, e), weight, sign, sums, j * x.d + i64(x.columns[e]), other)


@kernel
def totals(x: SparseRows, weights: Array[i64], each: i64, other: i64, sums: Array[i64], squares: Array[i64]) -> None:
    """Add up the grid's integers and their squares, each times its point's weight.

    sums: (limbs, d). squares: (3, 4, d), see `limbs.add_square`. weights, each and other: as in `move`.
    """
    for i in range(x.n):
        weight = weights[i * each]
        _add(x, i, weight, 1, sums, 0, other)
        for e in range(x.starts[i], x.starts[i + 1]):
            limbs.add_square(_integer(x, e), weight, squares, i64(x.columns[e]), x.d)


@inlined
def _product(x: SparseRows, i: i64, row: Array[f64]) -> f64:
    # row: (d,).
    total = 0.0
    for e in range(x.starts[i], x.starts[i + 1]):
        total += f64(x.values[e]) * row[x.columns[e]]
    return total


@kernel
def distances(
    x: SparseRows,
    first: i64,
    end: i64,
    rows: Array[f64],
    m: i64,
    squares: Array[f64],
    norms: Array[f64],
    out: Array[f64],
) -> None:
    """The squared distances of points to m rows, |x|^2 + |y|^2 - 2 x . y, at least 0. rows: (m, d); out: (m, n).

    norms: (n,) squared norms of the points; squares: (m,) of the rows. Both are summed in order, so that a point is at
    distance 0 from itself.
    """
    for i in range(first, end):
        for j in range(m):
            product = _product(x, i, rows + j * x.d)
            out[j * x.n + i] = max((norms[i] - product) + (squares[j] - product), 0.0)


@kernel
def own_scores(
    x: SparseRows, first: i64, end: i64, labels: Array[i32], rows: Array[f64], half: Array[f64], out: Array[f64]
) -> None:
    """The score of each point for the centroid of its label.

    labels: (n,); rows: (k, d) the centroids; half: (k,) half their squared norms; out: (n,).
    """
    for i in range(first, end):
        j = i64(labels[i])
        out[i] = _product(x, i, rows + j * x.d) - half[j]


@kernel
def own_distances(
    x: SparseRows, chosen: Array[i64], m: i64, labels: Array[i32], rows: Array[f64], row: Array[f64], out: Array[f64]
) -> None:
    """The squared distances of chosen points to the centroids of their labels, by `squared_distance`.

    chosen: (m,); labels: (n,); rows: (k, d) the centroids; row: (d,) zeros, work space; out: (m,).
    """
    for place in range(m):
        i = chosen[place]
        _spread(x, i, row)
        out[place] = squared_distance(row, rows + i64(labels[i]) * x.d, x.d)
        _clear(x, i, row)


@kernel
def reaches(x: SparseRows, out: Array[f64]) -> i64:
    """Find the largest magnitude in each column; return the first row with a value that is not finite, or -1.

    out: (d,) zeros before.
    """
    for i in range(x.n):
        for e in range(x.starts[i], x.starts[i + 1]):
            value, t = abs(f64(x.values[e])), x.columns[e]
            if not value < np.inf:
                return i
            out[t] = max(out[t], value)
    return -1


@kernel
def lengths(x: SparseRows, out: Array[f64]) -> None:
    """The squared norm of each point, summed in order. out: (n,)."""
    for i in range(x.n):
        total = 0.0
        for e in range(x.starts[i], x.starts[i + 1]):
            value = f64(x.values[e])
            total += value * value
        out[i] = total


@kernel
def square_sums(rows: Array[f64], m: i64, d: i64, out: Array[f64]) -> None:
    """The squared norm of each of m rows, summed in order; zeros do not change the sum. rows: (m, d); out: (m,)."""
    for j in range(m):
        total = 0.0
        for t in range(j * d, (j + 1) * d):
            total += rows[t] * rows[t]
        out[j] = total
