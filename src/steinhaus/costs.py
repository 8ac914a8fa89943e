"""Errors and utilities of clusters, summed over the points in their own order: the same bits wherever they are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from steinhaus.engines import own_distances, two_nearest
from steinhaus.points import Float64, Int32, Points, Run


@dataclass(frozen=True)
class Errors:
    """What points cost in the clusters of a run, by their weights.

    Attributes
    ----------
    labels
        (n,) the cluster of each point.
    nearest
        (n,) its squared distance to the centroid.
    errors
        (k,) the sum of these in each cluster.
    """

    labels: Int32
    nearest: Float64
    errors: Float64


def errors_of(points: Points, run: Run) -> Errors:
    """The errors of a run that was just assigned."""
    nearest, labels, counts = own_distances(points, run), np.asarray(points.labels(run.key)), points.totals.weights
    nearest = nearest if counts is None else nearest * counts
    return Errors(labels, nearest, _sums(nearest, labels, len(run.centroids)))


def utilities_of(points: Points, run: Run) -> Float64:
    """The utilities of the centroids of a run that was just assigned, of two or more, (k,).

    By so much the inertia would rise without a centroid, if no other moved: the sum over its points of what the second
    nearest centroid is farther.
    """
    nearest, second = two_nearest(points, run)
    missed, counts = second - nearest, points.totals.weights
    return _sums(missed if counts is None else missed * counts, np.asarray(points.labels(run.key)), len(run.centroids))


def _sums(values: Float64, labels: Int32, k: int) -> Float64:
    """The sums of values by label, from the first to the last point."""
    return np.bincount(labels, values, k).astype(np.float64, copy=False)
