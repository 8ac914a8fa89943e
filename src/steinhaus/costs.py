"""Errors and utilities of clusters. They are summed in the order of the points, so every engine gives the same bits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from steinhaus.engines import own_distances, two_nearest
from steinhaus.points import Float64, Int32, Points, Run


@dataclass(frozen=True)
class Errors:
    """The errors of the clusters of a run. Points count by their weights.

    Attributes
    ----------
    labels
        (n,) the cluster of each point.
    nearest
        (n,) the squared distance of each point to its centroid, times its count.
    errors
        (k,) the sum of `nearest` in each cluster.
    """

    labels: Int32
    nearest: Float64
    errors: Float64


def errors_of(points: Points, run: Run) -> Errors:
    """The errors of a run. The run must be the one that was just assigned."""
    nearest, labels, counts = own_distances(points, run), np.asarray(points.labels(run.key)), points.totals.weights
    nearest = nearest if counts is None else nearest * counts
    return Errors(labels, nearest, _sums(nearest, labels, len(run.centroids)))


def utilities_of(points: Points, run: Run) -> Float64:
    """The utilities of the centroids of a run with at least two, (k,). The run must be the one that was just assigned.

    The utility of a centroid is the rise of the inertia if it were removed and no other moved. Each of its points would
    go to its second nearest centroid.
    """
    nearest, second = two_nearest(points, run)
    missed, counts = second - nearest, points.totals.weights
    return _sums(missed if counts is None else missed * counts, np.asarray(points.labels(run.key)), len(run.centroids))


def _sums(values: Float64, labels: Int32, k: int) -> Float64:
    """The sums of values in each cluster, (k,), in the order of the points. values: (n,); labels: (n,)."""
    return np.bincount(labels, values, k).astype(np.float64, copy=False)
