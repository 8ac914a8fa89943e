"""The two nearest centroids of points, by all distances: for engines that know no shorter way."""

from __future__ import annotations

from contextlib import closing

import numpy as np

from steinhaus.engines.exact.distances import table_of_distances
from steinhaus.engines.workers import Workers
from steinhaus.points import Float64, Points, Run

_VALUES = 2**22  # of points and of distances that are held at once, about


def two_nearest(points: Points, run: Run) -> tuple[Float64, Float64]:
    """The squared distances of each point to its centroid and to the nearest of the others, (n,) each; infinite, where
    there is no other. The run was just assigned. Rows are brought here a block at a time.
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
