"""The distances of points to their two nearest centroids, for engines that cannot find them by screening."""

from __future__ import annotations

from contextlib import closing

import numpy as np

from steinhaus.engines.exact.distances import own_distances as measure_own
from steinhaus.engines.exact.distances import table_of_distances
from steinhaus.engines.exact.grid import unit_grid
from steinhaus.engines.exact.rows import dense_rows
from steinhaus.engines.workers import Workers
from steinhaus.jit.handed import Handed
from steinhaus.points import Float64, Points, Run

_VALUES = 2**22  # values of points and distances that are held at once, about


def own_distances(points: Points, run: Run) -> Float64:
    """The squared distance of each point to its centroid, (n,). The run must be the one that was just assigned.

    Rows are brought to this process a block at a time.
    """
    centroids, labels = np.ascontiguousarray(run.centroids), np.asarray(points.labels(run.key), np.int32)
    distances, block = np.empty(points.n), max(1, _VALUES // points.d)
    for begin in range(0, points.n, block):
        part = slice(begin, min(begin + block, points.n))
        x = np.ascontiguousarray(points.rows(np.arange(part.start, part.stop)))
        rows = Handed(dense_rows(x, unit_grid(points.d)))
        measure_own[x.dtype](rows, 0, len(x), np.ascontiguousarray(labels[part]), centroids, distances[part])
    return distances


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
