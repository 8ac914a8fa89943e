"""The distances of points to their two nearest centroids, for engines that cannot find them by screening."""

from __future__ import annotations

from contextlib import closing

import numpy as np

from steinhaus.engines.exact.distances import table_of_distances
from steinhaus.engines.workers import Workers
from steinhaus.points import Float64, Points, Run

_VALUES = 2**22  # values of points and distances that are held at once, about


def two_nearest(points: Points, run: Run) -> tuple[Float64, Float64]:
    """The squared distances of each point to its centroid and to the nearest other centroid, (n,) each.

    The second is infinite if there is no other centroid. The run must be the one that was just assigned. All distances
    are measured, and rows are brought to this process a block at a time.
    """
    centroids, labels = np.ascontiguousarray(run.centroids), np.asarray(points.labels(run.key))
    first, second = np.empty(points.n), np.empty(points.n)
    block = max(1, _VALUES // (points.d + len(centroids)))
    with closing(Workers()) as workers:
        for begin in range(0, points.n, block):
            rows = np.arange(begin, min(begin + block, points.n))
            distances = table_of_distances(points.rows(rows), centroids, workers)
            own = np.arange(len(rows)), labels[rows]
            first[rows] = distances[own]
            distances[own] = np.inf
            second[rows] = distances.min(axis=1)
    return first, second
