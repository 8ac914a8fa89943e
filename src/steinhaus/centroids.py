"""From tallies to the next centroids: means, refill of empty clusters, how far they moved, what they cost."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from steinhaus import arithmetic
from steinhaus.points import Float64, Grid, Points, Tally, Totals


def refill(points: Points, tally: Tally) -> Tally:
    """Give each empty cluster one of the farthest points, taken out of the cluster that has it; as scikit-learn does.

    Clusters are served in ascending order, points from the farthest on. Where there are fewer points off their
    centroid than empty clusters, the rest stay empty.
    """
    if not len(tally.farthest):
        return tally
    sums, counts = tally.sums.copy(), tally.counts.copy()
    chosen, owners = tally.farthest.T
    weights = np.ones(len(chosen), np.int64) if points.totals.weights is None else points.totals.weights[chosen]
    rows = points.grid.limbs(points.rows(chosen), len(sums), weights).swapaxes(0, 1)
    for empty, owner, row, weight in zip(np.flatnonzero(counts == 0), owners, rows, weights, strict=False):
        sums[:, owner] -= row
        sums[:, empty] += row
        counts[owner] -= weight
        counts[empty] += weight
    return replace(tally, sums=sums, counts=counts)


def means(grid: Grid, tally: Tally, centroids: Float64) -> Float64:
    """The means of the clusters, (k, d) float64; a cluster without points keeps its old centroid."""
    following = centroids.copy()
    arithmetic.means(tally.sums, tally.counts, grid.offset, grid.step, following)
    return following


def inertia(grid: Grid, totals: Totals, tally: Tally, centroids: Float64) -> float:
    """Sum of squared distances of the tallied points to these centroids, weighted, in squared units of the points."""
    squares = totals.squares if totals.weighted is None else totals.weighted
    counted = arithmetic.inertia(squares, tally.sums, tally.counts, centroids, grid.offset, grid.step)
    return float(counted) * totals.unit


def shift(old: Float64, new: Float64) -> float:
    """Sum of the squared distances that the centroids moved."""
    return float(arithmetic.shift(old, new))


def mean_variance(grid: Grid, totals: Totals) -> float:
    """The mean of the features' variances, the unit of scikit-learn's `tol`."""
    return float(arithmetic.mean_variance(totals.squares, totals.sums, totals.n, grid.step))
