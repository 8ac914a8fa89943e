"""From tallies to the next centroids: means, refill of empty clusters, shift and inertia."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from steinhaus import arithmetic
from steinhaus.points import Float64, Grid, Int64, Points, Tally, Totals


def refill(points: Points, tally: Tally) -> Tally:
    """Move one of the farthest points into each empty cluster, as scikit-learn does.

    The first empty cluster gets the farthest point, the next one the second farthest, and so on. If there are more
    empty clusters than points at a distance above 0 from their centroid, the remaining clusters stay empty.
    """
    if not len(tally.farthest):
        return tally
    totals = points.totals
    chosen, owners = tally.farthest.T
    moves = list(zip(np.flatnonzero(tally.empty).tolist(), owners.tolist(), strict=False))
    rows = points.rows(chosen)
    weights = np.ones(len(chosen), np.int64) if totals.weights is None else totals.weights[chosen]
    finer = [
        _moved(points.grid, level, rows, of_level[chosen], moves)
        for level, (of_level, _) in zip(tally.finer, totals.finer, strict=True)
    ]
    return replace(_moved(points.grid, tally, rows, weights, moves), finer=tuple(finer))


def _moved(grid: Grid, tally: Tally, rows: Float64, weights: Int64, moves: list[tuple[int, int]]) -> Tally:
    """The tally after points have moved. rows: (e, d); weights: (e,); moves: e pairs (new cluster, old cluster)."""
    sums, counts = tally.sums.copy(), tally.counts.copy()
    integers = grid.limbs(rows, len(sums), weights).swapaxes(0, 1)
    for (empty, owner), row, weight in zip(moves, integers, weights, strict=False):
        sums[:, owner] -= row
        sums[:, empty] += row
        counts[owner] -= weight
        counts[empty] += weight
    return replace(tally, sums=sums, counts=counts)


def means(grid: Grid, tally: Tally, centroids: Float64) -> Float64:
    """The means of the clusters, (k, d). A cluster without points keeps its old centroid. centroids: (k, d)."""
    following = centroids.copy()
    if tally.finer:
        return _means_of_levels(grid, tally, following)
    arithmetic.means(tally.sums, tally.counts, grid.offset, grid.step, following)
    return following


def _means_of_levels(grid: Grid, tally: Tally, following: Float64) -> Float64:
    """The means for weights in several levels, as quotients of Python's integers, rounded once.

    following: (k, d) the old centroids, changed in place and returned.
    """
    sums = np.zeros(tally.sums.shape[1:], object)
    counts = np.zeros(len(tally.counts), object)
    for level in (tally, *tally.finer):
        whole = level.sums[0].astype(object)
        for limb in level.sums[1:]:
            whole = (whole << 32) + limb.astype(object)
        sums, counts = (sums << tally.digits) + whole, (counts << tally.digits) + level.counts.astype(object)
    full = counts > 0
    quotients: Float64 = (sums[full] / counts[full, np.newaxis]).astype(np.float64)
    following[full] = grid.offset + grid.step * quotients
    return following


def weights_of(totals: Totals, tally: Tally) -> Float64:
    """The weight of each cluster, (k,)."""
    found = tally.counts * totals.unit
    for place, level in enumerate(tally.finer, 1):
        found = found + level.counts * math.ldexp(totals.unit, -place * tally.digits)
    return np.asarray(found, np.float64)


def inertia(grid: Grid, totals: Totals, tally: Tally, centroids: Float64) -> float:
    """The weighted sum of squared distances of the points to centroids, (k, d), in squared units of the points."""
    squares = totals.squares if totals.weighted is None else totals.weighted
    counted = arithmetic.inertia(squares, tally.sums, tally.counts, centroids, grid.offset, grid.step)
    of_levels = [float(counted) * totals.unit]
    for place, (level, (_, weighted)) in enumerate(zip(tally.finer, totals.finer, strict=True), 1):
        counted = arithmetic.inertia(weighted, level.sums, level.counts, centroids, grid.offset, grid.step)
        of_levels.append(float(counted) * math.ldexp(totals.unit, -place * tally.digits))
    return math.fsum(of_levels)


def shift(old: Float64, new: Float64) -> float:
    """The sum of the squared distances by which the centroids moved. old, new: (k, d)."""
    return float(arithmetic.shift(old, new))


def mean_variance(grid: Grid, totals: Totals) -> float:
    """The mean over all features of their variances: the unit of scikit-learn's `tol`."""
    return float(arithmetic.mean_variance(totals.squares, totals.sums, totals.n, grid.step))


def tolerance_of(points: Points, tol: float) -> float:
    """The greatest shift of centroids at which a run ends. tol: relative, as in `lloyd`."""
    return tol * mean_variance(points.grid, points.totals) if tol else 0.0
