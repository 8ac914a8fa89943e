"""Distances to the second nearest centroids, screened."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from steinhaus.points import Float64, Int32

_TOGETHER = 16  # centroids that all points are compared with at a time


def second_nearest(
    labels: Int32,
    centroids: Float64,
    others: Int32,
    distances_of: Callable[[Int32, Float64], Float64],
    distances_to: Callable[[Float64, Float64], Float64],
) -> Float64:
    """The squared distance of each point to the nearest centroid but its own, (n,) float64.

    The centroid that is nearest to a point's own one bounds it; then a few centroids at a time are screened for nearer
    ones.

    Parameters
    ----------
    labels, centroids
        (n,) and (k, d).
    others
        (k,) the nearest other centroid of each; of one centroid, whatever.
    distances_of
        The squared distances of points to the centroids of these labels, (n,).
    distances_to
        The squared distances of points to a few rows, (m, n), those of at least these limits left out.
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
