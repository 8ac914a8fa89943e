"""Distances to the second nearest centroids, by screening."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from steinhaus.points import Float64, Int32

_TOGETHER = 16  # centroids that are compared with all points at once


def second_nearest(
    labels: Int32,
    centroids: Float64,
    others: Int32,
    distances_of: Callable[[Int32, Float64], Float64],
    distances_to: Callable[[Float64, Float64], Float64],
) -> Float64:
    """The squared distance of each point to the nearest other centroid than its own, (n,) float64.

    The centroid that is nearest to the point's own one gives a first limit. Then all centroids are screened for nearer
    ones, a few at a time.

    Parameters
    ----------
    labels, centroids
        (n,) the labels of the points, and (k, d) the centroids.
    others
        (k,) the nearest other centroid of each centroid; of no effect if k = 1.
    distances_of
        (labels (n,), centroids (k, d)) -> the squared distances of points to the centroids of labels, (n,).
    distances_to
        (rows (m, d), limits (n,)) -> the squared distances of points to rows, (m, n); infinite from the limit on.
    """
    n, k = len(labels), len(centroids)
    if k == 1:
        return np.full(n, np.inf)
    places = np.arange(n)
    second = distances_of(others[labels], centroids)
    for begin in range(0, k, _TOGETHER):
        distances = distances_to(centroids[begin : begin + _TOGETHER], second)
        own = np.flatnonzero((labels >= begin) & (labels < begin + _TOGETHER))
        distances[labels[own] - begin, places[own]] = np.inf
        np.minimum(second, distances.min(axis=0), out=second)
    return second
