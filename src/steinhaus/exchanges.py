"""Exchanges: single points move to other clusters where that lowers the inertia. See `engines.exact.exchanging`.

Lloyd's algorithm ends when each point is in the cluster of its nearest centroid. A move also changes both means, so it
may lower the inertia even then. A clustering without such moves is a fixed point of Lloyd's algorithm, too.
"""

from __future__ import annotations

import numpy as np

from steinhaus.engines import exchange, two_nearest
from steinhaus.points import Fit, Float64, Points, Run

_POINTS = 256  # the most points a cluster, on average. Larger clusters gain less than 0.01 % (docs/benchmarks.md)


def exchanges_pay(points: Points, k: int) -> bool:
    """Whether exchanges between k clusters are worth their time."""
    return k > 1 and points.n <= _POINTS * k


def exchanged(points: Points, fit: Fit) -> Float64 | None:
    """Give every point one chance to move, in the order of the points. The points must have the labels of the fit.

    Returns
    -------
    (k, d) the means of the clusters afterwards, not rounded like those of Lloyd's algorithm; None: no point moves.
    """
    run = Run(fit.key, fit.centroids)
    own, second = two_nearest(points, run)
    labels, weights = np.asarray(points.labels(fit.key), np.int32), points.totals.weights
    w = np.ones(points.n) if weights is None else weights.astype(np.float64)
    counts = fit.counts.astype(np.float64)
    left = counts[labels] - w
    lost = np.divide(own * counts[labels], left, out=np.zeros(points.n), where=(left > 0.0) & (w > 0.0))
    least = counts[counts > 0.0].min()
    rows = np.flatnonzero(lost > second * (least / (least + w)))
    if not len(rows):
        return None
    centroids, moved = exchange(points.rows(rows), labels[rows], w[rows], fit.centroids, counts)
    return centroids if moved else None
