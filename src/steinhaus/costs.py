"""Errors and utilities of clusters. They are summed in the order of the points, so every engine gives the same bits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

import numpy as np

from steinhaus.engines import own_distances, two_nearest
from steinhaus.points import BoundedMargins, Float64, Int32, Points, Run, offers

_AT_FIRST = 8  # clusters whose utilities are wanted at first


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


def by_utility(points: Points, run: Run) -> Iterator[int]:
    """Yield the clusters of a run in the order of their utilities, the least first, ties to the lowest.

    The utility of a centroid is the rise of the inertia if it were removed and no other moved. Each of its points would
    go to its second nearest centroid. The run must be the one that was just assigned, with at least two centroids.

    If the engine has bounds of margins, only the utilities that may be next are measured. Sums of bounds are bounds of
    the sums, because they are rounded in the same order.
    """
    labels, counts, k = np.asarray(points.labels(run.key)), points.totals.weights, len(run.centroids)
    if not offers(type(points), BoundedMargins):
        nearest, second = two_nearest(points, run)
        missed = second - nearest if counts is None else (second - nearest) * counts
        yield from np.argsort(_sums(missed, labels, k), kind="stable").tolist()
        return
    margins = cast("BoundedMargins", points).margins(run)
    least, most = (
        _sums(bound if counts is None else bound * counts, labels, k) for bound in (margins.least, margins.most)
    )
    measured, done, wanted = np.zeros(k, bool), 0, _AT_FIRST
    while done < k:
        limit = np.partition(most, min(wanted, k) - 1)[min(wanted, k) - 1]
        opened = (least <= limit) & ~measured
        rows = np.flatnonzero(opened[labels])
        found = margins.measured(rows)
        sums = _sums(found if counts is None else found * counts[rows], labels[rows], k)
        least[opened] = most[opened] = sums[opened]
        measured |= opened
        order = [int(j) for j in np.argsort(most, kind="stable") if measured[j] and most[j] <= limit]
        yield from order[done:]
        done = len(order)
        wanted = 2 * max(done, wanted)  # more than are done, so that the limit rises


def _sums(values: Float64, labels: Int32, k: int) -> Float64:
    """The sums of values in each cluster, (k,), in the order of the points. values: (n,); labels: (n,)."""
    return np.bincount(labels, values, k).astype(np.float64, copy=False)
