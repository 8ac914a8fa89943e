"""Starts in two levels, for K in the thousands: a few coarse clusters, each split into its share of the K.

About sqrt(K) coarse clusters are found on a sample. Each is then clustered by itself, into a share of K in proportion
to its points. A step on one level compares a point with about sqrt(K) centroids instead of K. This is a start, not an
approximation: Lloyd's algorithm goes on from it as from any other.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import AbstractContextManager

import numpy as np

from steinhaus.lloyd import lloyd
from steinhaus.points import Float64, Int64, Points, Run
from steinhaus.seeding import Stream, starts

_PER_CLUSTER = 128  # rows of the sample for each cluster, about: with 64, far groups are missed
_ITERATIONS = 5  # of Lloyd's algorithm on each level

Open = Callable[[Int64], AbstractContextManager[Points]]


def hierarchical(points: Points, k: int, stream: Stream, open_rows: Open, *, weights: Int64 | None = None) -> Float64:
    """Choose k centroids to start from, in two levels, (k, d) float64.

    Parameters
    ----------
    points
        The points; they label a sample by the coarse clusters.
    stream
        The run's random numbers.
    open_rows
        Opens an engine for some of the points alone, given their numbers in ascending order, with their weights.
    weights
        (n,) how often each point counts; None: once. Points of weight 0 are left out if there are k others.
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
    """Share out k clusters in proportion to weights, (m,) int64: by the largest remainder, the first of equals.

    A part gets at least one cluster, unless it is empty, and at most as many as it has points.

    Parameters
    ----------
    sizes
        (m,) points in each part, k or more in all, in at most k parts.
    weights
        (m,) what the parts count for, not all 0.
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
    """How many coarse clusters there are for k."""
    return max(1, round(math.sqrt(k)))


def _weighty(weights: Int64, k: int) -> Int64:
    """The points that have weight; all of them, if fewer than k have."""
    rows = np.flatnonzero(weights > 0)
    return rows if len(rows) >= k else np.arange(len(weights))


def _drawn(rows: Int64, many: int, stream: Stream) -> Int64:
    """About so many of these rows, evenly drawn, ascending; all of them, if they are not twice as many."""
    if len(rows) <= 2 * many:
        return rows
    return rows[np.unique(stream.integers(many, len(rows)))]


def _parts(values: Int64, sizes: Int64) -> list[Int64]:
    """Values that stand part by part, a piece for each part."""
    return np.split(values, np.cumsum(sizes)[:-1])


def _centroids(rows: Int64, k: int, stream: Stream, open_rows: Open) -> Float64:
    """Cluster some points by themselves: greedy k-means++, then a few iterations; (k, d) float64."""
    with open_rows(rows) as points:
        start = starts(points, k, "k-means++", stream, weights=points.totals.draws)
        (fit,) = lloyd(points, [Run("part", start)], max_iter=_ITERATIONS)
        return fit.centroids
