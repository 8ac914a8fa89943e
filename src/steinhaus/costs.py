"""Errors and utilities of clusters. They are summed in the order of the points, so every engine gives the same bits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from steinhaus.engines import two_nearest
from steinhaus.points import Float64, Int32, Points, Run


@dataclass(frozen=True)
class Costs:
    """The errors and utilities of the clusters of a run. Points count by their weights.

    Attributes
    ----------
    labels
        (n,) the cluster of each point.
    nearest
        (n,) the squared distance of each point to its centroid, times its count.
    errors
        (k,) the sum of `nearest` in each cluster.
    utilities
        (k,) the rise of the inertia if this centroid were removed and no other moved. Each of its points would go to
        its second nearest centroid.
    """

    labels: Int32
    nearest: Float64
    errors: Float64
    utilities: Float64


def costs_of(points: Points, run: Run) -> Costs:
    """The costs of a run with at least two centroids. The run must be the one that was just assigned."""
    nearest, second = two_nearest(points, run)
    labels, k, counts = np.asarray(points.labels(run.key)), len(run.centroids), points.totals.weights
    missed = second - nearest
    if counts is not None:
        nearest, missed = nearest * counts, missed * counts
    return Costs(labels, nearest, _sums(nearest, labels, k), _sums(missed, labels, k))


def _sums(values: Float64, labels: Int32, k: int) -> Float64:
    """The sums of values in each cluster, (k,), in the order of the points. values: (n,); labels: (n,)."""
    return np.bincount(labels, values, k).astype(np.float64, copy=False)
