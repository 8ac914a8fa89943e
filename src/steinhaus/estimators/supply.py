"""The rows of mini-batches: drawn, added up, and chosen as starts."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from steinhaus.engines import batches, counts_of, is_collection, is_stored, opened
from steinhaus.errors import DataError
from steinhaus.points import Float64, Int64, Run
from steinhaus.seeding import Stream


class Added(NamedTuple):
    """The sums of a batch."""

    means: Float64  # (k, d) mean of each cluster's rows; the old centroid if it has none
    weights: NDArray[Any]  # (k,) total weight of each cluster's rows
    inertia: float  # of the batch, before the centroids move


class Supply:
    """The rows from which batches are drawn. Rows of an array share a grid; others are opened batch by batch.

    Parameters
    ----------
    x
        (n, n_features) C-contiguous array or CSR matrix.
    weights
        (n,) float64, at least 0, not all 0. None: every row has weight 1.
    threads
        The number of threads. None: one per core.

    Raises
    ------
    DataError
        If a point is not finite, or x is a Dask collection or stored.
    """

    def __init__(self, x: Any, weights: Float64 | None, threads: int | None) -> None:
        if is_collection(x):
            raise DataError("Learn from a Dask collection block by block: partial_fit(block.compute()).")
        if is_stored(x):
            raise DataError("Learn from stored rows in pieces: partial_fit(X[:1000]).")
        counts = counts_of(weights)  # None also if all weights are 1
        self.x, self.weights, self._threads = x, None if counts is None else weights, threads
        self._ends = None if counts is None else np.cumsum(counts)
        self._batches = batches(x, threads=threads) if isinstance(x, np.ndarray) else None

    def drawn(self, m: int, stream: Stream) -> Int64:
        """Draw m rows with replacement, by weight, (m,) int64."""
        if self._ends is None:
            return stream.integers(m, self.x.shape[0])
        return np.searchsorted(self._ends, stream.integers(m, int(self._ends[-1])), side="right")

    def distinct(self, m: int, least: int, stream: Stream) -> Int64 | None:
        """Draw m rows without replacement, (m,) int64; None: all rows.

        Rows without weight are left out if at least `least` others remain.
        """
        rows = np.arange(self.x.shape[0]) if self.weights is None else np.flatnonzero(self.weights > 0)
        if len(rows) < least:
            rows = np.arange(self.x.shape[0])
        if m < len(rows):
            return rows[_distinct(m, len(rows), stream)]
        return None if len(rows) == self.x.shape[0] else rows

    def some(self, rows: Int64 | None) -> tuple[Any, Float64 | None]:
        """Some rows, (m, d), and their weights, (m,); rows: (m,) int64. None: all rows."""
        if rows is None:
            return self.x, self.weights
        return self.x[rows], None if self.weights is None else self.weights[rows]

    def add(self, rows: Int64, centroids: Float64) -> Added:
        """Label some rows (m,) int64 by centroids (k, d), and add them up; a row that is named twice counts twice."""
        if self._batches is None:
            return _added(self.x[rows], None, centroids, self._threads)
        from steinhaus.centroids import means

        tally, cost = self._batches.add(rows, centroids)
        return Added(means(self._batches.grid, tally, centroids), tally.counts, cost)

    def add_all(self, centroids: Float64) -> Added:
        """Label all rows by centroids (k, d), and add them up by weight."""
        if self._batches is not None and self._ends is None:
            return self.add(np.arange(self.x.shape[0]), centroids)
        return _added(self.x, self.weights, centroids, self._threads)

    def values(self, rows: Int64) -> Float64:
        """The values of rows (m,) int64, as (m, d) float64."""
        found = self.x[rows].astype(np.float64)
        return found if isinstance(found, np.ndarray) else np.asarray(found.toarray())

    def mean_variance(self) -> float:
        """The mean of the features' variances. Each row counts once."""
        from steinhaus.centroids import mean_variance

        with opened(self.x, threads=self._threads) as points:
            return mean_variance(points.grid, points.totals)


def _distinct(m: int, n: int, stream: Stream) -> Int64:
    """Draw m of the integers 0..n-1 without replacement, in random order, (m,) int64."""
    if 2 * m > n:
        return stream.distinct(m, n)
    drawn = stream.integers(2 * m, n)
    while len(firsts := np.unique(drawn, return_index=True)[1]) < m:
        drawn = np.concatenate([drawn, stream.integers(m, n)])
    return drawn[np.sort(firsts)[:m]]


def _added(x: Any, weights: Float64 | None, centroids: Float64, threads: int | None) -> Added:
    # in: x (m, d); weights (m,) float64; centroids (k, d) float64
    from steinhaus.centroids import inertia, means, weights_of

    with opened(x, weights=weights, threads=threads) as points:
        (tally,) = points.assign([Run(0, centroids)])
        return Added(
            means(points.grid, tally, centroids),
            weights_of(points.totals, tally),
            inertia(points.grid, points.totals, tally, centroids),
        )
