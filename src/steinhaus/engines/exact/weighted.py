"""Points with weights: another engine labels them, and this one adds them up."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from steinhaus.engines.exact import limbs, weighted_kernels
from steinhaus.engines.exact.distances import farthest, own_distances
from steinhaus.engines.exact.held import Held
from steinhaus.engines.exact.rows import dense_rows
from steinhaus.engines.exact.weighing import Weights
from steinhaus.engines.workers import Workers
from steinhaus.jit.handed import Handed
from steinhaus.points import Float64, Int32, Int64, Points, Run, Seeding, Tally

_STEP = 4096  # points a task


class WeightedPoints:
    """An (n, d) array of points with weights. See `Points` for the contract.

    Labels do not depend on weights, so another engine finds them. This one keeps sums and counts, and updates them by
    the points whose label has changed.

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
        self._levels, self._digits = weights.levels, weights.digits
        self._workers = Workers(threads)
        self._kind, self._rows = x.dtype, Handed(dense_rows(x, points.grid))
        weighted, *finer = [(counts, self._squares(counts)) for counts in self._levels]
        self.totals = replace(
            points.totals, weights=weighted[0], weighted=weighted[1], unit=weights.unit, finer=tuple(finer)
        )
        self._held: dict[Hashable, list[Held]] = {}  # run -> one a level of weights

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

    def labels(self, key: Hashable) -> Int32:
        """See `Points.labels`."""
        return self._points.labels(key)

    def explain(self, k: int, runs: int = 1) -> str:
        """See `Points.explain`."""
        told = self._points.explain(k, runs)
        return f"Labels do not depend on weights; points whose label changes are added up by them. {told}"

    def forget(self, key: Hashable) -> None:
        """See `Points.forget`."""
        self._held.pop(key, None)
        self._points.forget(key)

    def close(self) -> None:
        """See `Points.close`."""
        self._held.clear()
        self._workers.close()
        self._points.close()

    def _squares(self, counts: Int64) -> Float64:
        """The sum of the points' squares as high + low, (2,). counts: (n,), by which each square is multiplied."""
        squares = np.zeros((self._workers.count, 3, limbs.PIECES, self.d), np.int64)

        def add(worker: int, first: int, end: int) -> None:
            weighted_kernels.squares[self._kind](self._rows, counts, first, end, squares[worker])

        self._workers.each(add, self.n, _STEP)
        return limbs.squares_of(squares.sum(axis=0), self.grid.step)

    def _tally(self, run: Run) -> Tally:
        k, limb_count = len(run.centroids), len(self.totals.sums)
        nothing = [Held.nothing(self.n, limb_count, k, self.d) for _ in self._levels]
        labels, held = self._points.labels(run.key), self._held.get(run.key, nothing)
        self._held[run.key] = held = [self._moved(*each, labels) for each in zip(held, self._levels, strict=True)]
        first, *finer = [Tally(level.sums, level.counts) for level in held]
        tally = replace(first, finer=tuple(finer), digits=self._digits)
        if empty := int(np.count_nonzero(tally.empty)):
            return replace(tally, farthest=self._farthest(labels, run.centroids, empty))
        return tally

    def _moved(self, held: Held, weights: Int64, labels: Int32) -> Held:
        """A level after its points get new labels. weights: (n,) of this level; labels: (n,)."""
        k = len(held.counts)
        sums = np.zeros((self._workers.count, *held.sums.shape), np.int64)
        counts = np.zeros((self._workers.count, *held.counts.shape), np.int64)
        other = (len(held.sums) - 1) * k * self.d

        def move(worker: int, first: int, end: int) -> None:
            weighted_kernels.move[self._kind](
                self._rows, weights, first, end, held.labels, labels, other, sums[worker], counts[worker]
            )

        self._workers.each(move, self.n, _STEP)
        return Held(labels, held.sums + sums.sum(axis=0), held.counts + counts.sum(axis=0))

    def _farthest(self, labels: Int32, centroids: Float64, wanted: int) -> Int64:
        """The farthest points with weight, and their clusters, (e, 2), e <= wanted. labels: (n,); centroids: (k, d)."""
        distances = np.empty(self.n)

        def measure(_: int, first: int, end: int) -> None:
            own_distances[self._kind](self._rows, first, end, labels, centroids, distances)

        self._workers.each(measure, self.n, _STEP)
        distances[cast(Int64, self.totals.draws) == 0] = 0.0
        return farthest(distances, labels, wanted)[0]
