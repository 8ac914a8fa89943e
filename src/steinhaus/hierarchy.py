"""Starts in two levels, for K in the thousands: a few coarse clusters, each split into some of the K clusters.

About sqrt(K) coarse clusters are found on a sample. Each is then clustered by itself. Its share of the K clusters is in
proportion to its points. So a step on either level compares a point with about sqrt(K) centroids instead of K. The
result is a start like any other, from which Lloyd's algorithm runs on all points.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import AbstractContextManager

import numpy as np

from steinhaus.lloyd import lloyd
from steinhaus.points import Float64, Int64, Points, Run
from steinhaus.seeding import Stream, starts

_PER_CLUSTER = 128  # sampled rows for each cluster, about; with more, the inertia after ten iterations is no lower
_ITERATIONS = 5  # iterations of Lloyd's algorithm on each level

Open = Callable[[Int64], AbstractContextManager[Points]]


def hierarchical(points: Points, k: int, stream: Stream, open_rows: Open, *, weights: Int64 | None = None) -> Float64:
    """Choose k centroids to start from, in two levels, (k, d) float64.

    Parameters
    ----------
    points
        The engine with all points. It labels a sample by the coarse clusters.
    k
        The number of centroids.
    stream
        The random numbers of the run.
    open_rows
        Opens an engine for some of the points, with their weights. It gets their numbers, (m,), ascending.
    weights
        (n,) the count of each point; None: 1 each. Points of weight 0 are left out if there are k others.
    """
    rows = _drawn(np.arange(points.n) if weights is None else _weighty(weights, k), _PER_CLUSTER * k, stream)
    coarse = _centroids(_drawn(rows, _PER_CLUSTER * _coarse(k), stream), _coarse(k), stream, open_rows)
    run = Run("hierarchical", coarse)
    points.assign([run])
    labels = np.asarray(points.labels(run.key))[rows]
    points.forget(run.key)
    order = np.argsort(labels, kind="stable")
    sizes = np.bincount(labels, minlength=len(coarse))
    heavy = sizes if weights is None else np.array([int(part.sum()) for part in _parts(weights[rows[order]], sizes)])
    found = [
        _centroids(part, share, stream, open_rows)
        for part, share in zip(_parts(rows[order], sizes), shares(sizes, heavy, k).tolist(), strict=True)
        if share
    ]
    return np.concatenate(found)


def shares(sizes: Int64, weights: Int64, k: int) -> Int64:
    """Share out k clusters among parts in proportion to their weights, by the largest remainder: (m,) int64.

    Ties go to the first part. A part that is not empty gets at least one cluster, and at most as many as it has points.

    Parameters
    ----------
    sizes
        (m,) points in each part; at least k in all, and m is at most k.
    weights
        (m,) the weight of each part, not all 0.
    k
        The number of clusters.
    """
    quotas = k * (weights / weights.sum())
    found: Int64 = np.minimum(np.maximum(np.floor(quotas).astype(np.int64), 1), sizes)
    while left := k - int(found.sum()):
        owed = quotas - found
        if left > 0:
            found[np.argmax(np.where(found < sizes, owed, -np.inf))] += 1
        else:
            found[np.argmin(np.where(found > 1, owed, np.inf))] -= 1
    return found


def _coarse(k: int) -> int:
    """The number of coarse clusters for k clusters."""
    return max(1, round(math.sqrt(k)))


def _weighty(weights: Int64, k: int) -> Int64:
    """The points whose weight is above 0; all points, if fewer than k have such a weight. weights: (n,)."""
    rows = np.flatnonzero(weights > 0)
    return rows if len(rows) >= k else np.arange(len(weights))


def _drawn(rows: Int64, many: int, stream: Stream) -> Int64:
    """About `many` of the rows, (m,), drawn evenly, ascending; all rows, if there are at most twice as many."""
    if len(rows) <= 2 * many:
        return rows
    return rows[np.unique(stream.integers(many, len(rows)))]


def _parts(values: Int64, sizes: Int64) -> list[Int64]:
    """Split values, (m,), that stand part by part, into the parts. sizes: (p,)."""
    return np.split(values, np.cumsum(sizes)[:-1])


def _centroids(rows: Int64, k: int, stream: Stream, open_rows: Open) -> Float64:
    """Cluster some points, rows (m,), by themselves -> (k, d): greedy k-means++, then a few iterations."""
    with open_rows(rows) as points:
        start = starts(points, k, "k-means++", stream, weights=points.totals.draws)
        (fit,) = lloyd(points, [Run("part", start)], max_iter=_ITERATIONS)
        return fit.centroids
