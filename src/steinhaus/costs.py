"""Errors and utilities of clusters, summed over the points in their own order: the same bits wherever they are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from steinhaus.engines import two_nearest
from steinhaus.points import Float64, Int32, Points, Run


@dataclass(frozen=True)
class Costs:
    """What points cost in the clusters of a run, by their weights.

    Attributes
    ----------
    labels
        (n,) the cluster of each point.
    nearest
        (n,) its squared distance to the centroid.
    errors
        (k,) the sum of these in each cluster.
    utilities
        (k,) by how much the inertia would rise without this centroid, if no other moved: the sum over its points of
        what the second nearest centroid is farther.
    """

    labels: Int32
    nearest: Float64
    errors: Float64
    utilities: Float64


def costs_of(points: Points, run: Run) -> Costs:
    """The costs of a run that was just assigned, of two centroids or more."""
    nearest, second = two_nearest(points, run)
    labels, k, counts = np.asarray(points.labels(run.key)), len(run.centroids), points.totals.weights
    missed = second - nearest
    if counts is not None:
        nearest, missed = nearest * counts, missed * counts
    return Costs(labels, nearest, _sums(nearest, labels, k), _sums(missed, labels, k))


def _sums(values: Float64, labels: Int32, k: int) -> Float64:
    """The sums of values by label, from the first to the last point."""
    return np.bincount(labels, values, k).astype(np.float64, copy=False)
