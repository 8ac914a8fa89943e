"""Single points that change their clusters, one after the other, each where that lowers the inertia.

J. A. Hartigan, Clustering Algorithms, Wiley 1975, chapter 4; M. Telgarsky and A. Vattani, Hartigan's method: k-means
clustering without Voronoi, AISTATS 2010.

A cluster of weight n_j loses `n_j w / (n_j - w) |x - c_j|^2` of its error with a point x of weight w, and a cluster of
weight n_l gains `n_l w / (n_l + w) |x - c_l|^2`. After each move the means of both clusters are updated.
"""

from __future__ import annotations

import numpy as np

from steinhaus.jit.build import inlined, inner, kernel
from steinhaus.jit.operations import load, splat, store
from steinhaus.jit.types import Array, Point, f64, i32, i64
from steinhaus.points import Float64, Int32

_GROUP = 16  # centroids at once


def exchange(
    rows: Float64, labels: Int32, weights: Float64, centroids: Float64, counts: Float64
) -> tuple[Float64, int]:
    """Move rows, in their order, each to the cluster that lowers the inertia most, ties to the lowest.

    No cluster loses its last point, and none that is empty gets one.

    Parameters
    ----------
    rows
        (m, d) C-contiguous.
    labels
        (m,) the cluster of each row, in place.
    weights
        (m,) above 0.
    centroids
        (k, d) the means of the clusters, all points included.
    counts
        (k,) the weights of the clusters, all points included, in place.

    Returns
    -------
    centroids
        (k, d) the means afterwards. They are updated with each move, so rounding errors add up.
    moved
        The number of moves.
    """
    (m, d), k = rows.shape, len(centroids)
    wide = -(-k // _GROUP) * _GROUP
    across = np.zeros((d, wide))
    across[:, :k] = centroids.T
    moved = int(_exchange(rows, m, d, labels, weights, across, k, wide, counts, np.empty(wide)))
    return np.ascontiguousarray(across[:, :k].T), moved


@kernel
def _exchange(
    rows: Array[f64],
    m: i64,
    d: i64,
    labels: Array[i32],
    weights: Array[f64],
    across: Array[f64],
    k: i64,
    wide: i64,
    counts: Array[f64],
    distances: Array[f64],
) -> i64:
    """Move rows; see `exchange`. across: (d, wide) the centroids; distances: (wide,) work space."""
    moved = 0
    for i in range(m):
        j = i64(labels[i])
        to = move(rows + i * d, d, j, weights[i], across, k, wide, counts, distances)
        labels[i] = i32(to)
        if to != j:
            moved += 1
    return moved


@inner
def move(
    x: Array[Point],
    d: i64,
    j: i64,
    w: f64,
    across: Array[f64],
    k: i64,
    wide: i64,
    counts: Array[f64],
    distances: Array[f64],
) -> i64:
    """Move a row of weight w from cluster j to that which lowers the inertia most; return this one, or j if none does.

    x: (d,); the others as in `_exchange`. Both means and counts are updated.
    """
    if counts[j] <= w:
        return j
    for group in range(0, wide, _GROUP):
        _measure(x, across + group, d, wide, distances + group)
    to, least = j, distances[j] * (counts[j] / (counts[j] - w))
    for at in range(k):
        cost = distances[at] * (counts[at] / (counts[at] + w))
        if at != j and counts[at] > 0.0 and cost < least:
            to, least = at, cost
    if to != j:
        _shift(x, across + j, d, wide, -w / (counts[j] - w))
        _shift(x, across + to, d, wide, w / (counts[to] + w))
        counts[j] -= w
        counts[to] += w
    return to


@inlined
def _measure(x: Array[Point], across: Array[f64], d: i64, wide: i64, out: Array[f64]) -> None:
    """The squared distances of a row to sixteen centroids, features added in order. x: (d,); out: (16,)."""
    total = splat(0.0, f64, _GROUP)
    for t in range(d):
        e = splat(f64(x[t]), f64, _GROUP) - load(across, t * wide, _GROUP)
        total = total + e * e
    store(out, 0, total)


@inlined
def _shift(x: Array[Point], centroid: Array[f64], d: i64, wide: i64, share: f64) -> None:
    """Move a centroid towards a row, by a share of the way. x: (d,); centroid: column of (d, wide)."""
    for t in range(d):
        centroid[t * wide] += share * (f64(x[t]) - centroid[t * wide])
