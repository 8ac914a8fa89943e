"""Points with weights: another engine labels them, and this one adds them up."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from steinhaus.engines.exact.distances import farthest, own_distances
from steinhaus.engines.exact.rows import dense_rows
from steinhaus.engines.exact.weighing import Weights
from steinhaus.engines.exact.weighted_sums import WeightedSums, weighed
from steinhaus.engines.workers import Workers
from steinhaus.jit.handed import Handed
from steinhaus.points import Float64, Int32, Int64, Nearest, Points, Run, Sampling, Seeding, Tally

_STEP = 4096  # points a task


class WeightedPoints:
    """An (n, d) array of points with weights. See `Points` for the contract.

    Labels do not depend on weights, so another engine finds them. This one keeps sums and counts, and updates them by
    the points whose label has changed (`WeightedSums`).

    Parameters
    ----------
    points
        The engine that labels the points.
    x
        (n, d) the points, C-contiguous.
    weights
        The weights of the points.
    threads
        Threads to use, the calling one included; None: one a core.
    """

    def __init__(self, points: Points, x: NDArray[Any], weights: Weights, *, threads: int | None = None) -> None:
        self._points = points
        self.n, self.d, self.grid = points.n, points.d, points.grid
        self._workers = Workers(threads)
        self._kind, self._rows = x.dtype, Handed(dense_rows(x, points.grid))
        self._sums = WeightedSums(x, points.grid, len(points.totals.sums), weights, self._workers)
        self.totals = weighed(points.totals, weights, self._sums.squares(), points.grid)

    def assign(self, runs: Sequence[Run]) -> list[Tally]:
        """See `Points.assign`."""
        self._points.assign(runs)
        return [self._tally(run) for run in runs]

    def rows(self, indices: Int64) -> Float64:
        """See `Points.rows`."""
        return self._points.rows(indices)

    def squared_distances(self, indices: Int64, below: Float64 | None = None) -> Float64:
        """See `Points.squared_distances`."""
        return self._points.squared_distances(indices, below)

    def plus_plus(self, k: int, stream: Any, weights: Int64 | None, trials: int) -> Int64:
        """See `Seeding.plus_plus`."""
        points = self._points
        return points.plus_plus(k, stream, weights, trials) if isinstance(points, Seeding) else np.empty(0, np.int64)

    def nearest(self, weights: Int64 | None) -> Nearest:
        """See `Sampling.nearest`."""
        return cast(Sampling, self._points).nearest(weights)  # every engine of an array can do that

    def labels(self, key: Hashable) -> Int32:
        """See `Points.labels`."""
        return self._points.labels(key)

    def explain(self, k: int, runs: int = 1) -> str:
        """See `Points.explain`."""
        told = self._points.explain(k, runs)
        return f"Labels do not depend on weights; points whose label changes are added up by them. {told}"

    def forget(self, key: Hashable) -> None:
        """See `Points.forget`."""
        self._sums.forget(key)
        self._points.forget(key)

    def close(self) -> None:
        """See `Points.close`."""
        self._sums.clear()
        self._workers.close()
        self._points.close()

    def _tally(self, run: Run) -> Tally:
        labels = self._points.labels(run.key)
        tally = self._sums.tally(run, labels)
        if empty := int(np.count_nonzero(tally.empty)):
            return replace(tally, farthest=self._farthest(labels, run.centroids, empty))
        return tally

    def _farthest(self, labels: Int32, centroids: Float64, wanted: int) -> Int64:
        """The farthest points with weight, and their clusters, (e, 2), e <= wanted. labels: (n,); centroids: (k, d)."""
        distances = np.empty(self.n)

        def measure(_: int, first: int, end: int) -> None:
            own_distances[self._kind](self._rows, first, end, labels, centroids, distances)

        self._workers.each(measure, self.n, _STEP)
        distances[cast(Int64, self.totals.draws) == 0] = 0.0
        return farthest(distances, labels, wanted)[0]
