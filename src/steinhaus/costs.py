"""Errors and utilities of clusters, as integers, so that no order of summation can change them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from steinhaus.engines import two_nearest
from steinhaus.points import Float64, Int32, Int64, Points, Run

_BITS = 30  # of the largest squared distance


@dataclass(frozen=True)
class Costs:
    """What points cost in the clusters of a run, weighted. Errors and utilities are integers in the same unit.

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
    errors: Int64
    utilities: Int64


def costs_of(points: Points, run: Run) -> Costs:
    """The costs of a run that was just assigned, of two centroids or more."""
    first, second = two_nearest(points, run)
    labels, k, weights = points.labels(run.key), len(run.centroids), points.totals.weights
    exponent = _BITS - int(np.frexp(second.max())[1])
    near, far = (np.floor(_scaled(distances, exponent)) for distances in (first, second))
    return Costs(
        labels,
        first if weights is None else first * weights,
        sums_of(near, labels, k, weights),
        sums_of(far - near, labels, k, weights),
    )


def sums_of(whole: Float64, labels: Int32, k: int, weights: Int64 | None = None) -> Int64:
    """Exact sums of whole numbers up to 2^30, (n,), by label, (k,): int64, or Python's integers where these are larger.

    weights: (n,) how often each counts; None: once. `numpy.bincount` adds up float64, exactly to 2^53: numbers are
    taken a few bits at a time where that is needed.
    """
    many = (len(labels) if weights is None else int(weights.sum())).bit_length()
    bits = min(53 - many, _BITS)
    total = np.zeros(k, np.int64 if _BITS + many < 63 else object)
    for shift in range(0, _BITS + 1, bits):
        part = np.fmod(np.floor(whole * 2.0**-shift), 2.0**bits)
        counted = np.bincount(labels, part if weights is None else part * weights, k)
        total += counted.astype(np.int64).astype(total.dtype) << shift
    return total


def _scaled(values: Float64, exponent: int) -> Float64:
    """Values times a power of two, which may be beyond float64's range itself."""
    return values * 2.0**exponent if abs(exponent) < 1000 else np.ldexp(values, exponent)
