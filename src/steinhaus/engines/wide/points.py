"""Few points of many features, in memory. The engine computes only their sums in advance, and copies nothing."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steinhaus.engines.exact.closest import NearestRows, by_distances
from steinhaus.engines.exact.distances import farthest
from steinhaus.engines.exact.grid import Ranges, are_integers, grid_of, unit_grid
from steinhaus.engines.exact.held import no_labels
from steinhaus.engines.exact.rows import dense_rows
from steinhaus.engines.exact.squares import squares_of
from steinhaus.engines.exact.totals import two_float
from steinhaus.engines.wide import kernels
from steinhaus.engines.wide.distances import squared_distances
from steinhaus.engines.wide.policy import step
from steinhaus.engines.workers import Workers
from steinhaus.jit.handed import Handed
from steinhaus.points import Float64, Grid, Int32, Int64, Nearest, Run, Tally, Totals


class _Held:
    """The labels, distances and sums of a run."""

    def __init__(self, n: int, limbs: int, k: int, d: int) -> None:
        self.labels = np.full(n, -1)  # int64
        self.distances = np.empty(n)  # squared, of each point to its centroid
        self.sums = np.zeros((limbs, k, d), np.int64)


class WidePoints:
    """An (n, d) array of points with small n and large d. See `Points` for the contract.

    Parameters
    ----------
    x
        (n, d) array of a real type, C-contiguous, n >= 1, d >= 1.
    threads
        Threads to use, the calling one included; None: one a core.

    Raises
    ------
    DataError
        A point is not finite, or too large to be squared.
    """

    def __init__(self, x: NDArray[Any], *, threads: int | None = None) -> None:
        self.n, self.d = x.shape
        self._x, self._kind = x, x.dtype
        self._workers = Workers(threads)
        self.grid = self._grid()
        self._rows = Handed(dense_rows(x, self.grid))
        self.totals = self._totals()
        self._held: dict[Hashable, _Held] = {}

    def assign(self, runs: Sequence[Run]) -> list[Tally]:
        """See `Points.assign`."""
        return [self._tally(run) for run in runs]

    def rows(self, indices: Int64) -> Float64:
        """See `Points.rows`."""
        return self._x[indices].astype(np.float64)

    def squared_distances(self, indices: Int64, below: Float64 | None = None) -> Float64:
        """See `Points.squared_distances`."""
        return squared_distances(self._x, self._rows, self.rows(indices), self._workers)

    def nearest(self, weights: Int64 | None) -> Nearest:
        """See `Sampling.nearest`."""

        def measure(rows: Float64, _below: Float64) -> Float64:
            return squared_distances(self._x, self._rows, rows, self._workers)

        def few(rows: Float64) -> WidePoints:
            # rows: (m, d)
            return WidePoints(rows.astype(self._kind), threads=self._workers.count)

        return NearestRows(self.n, self.rows, partial(by_distances, measure), few, weights)

    def labels(self, key: Hashable) -> Int32:
        """See `Points.labels`."""
        if key not in self._held:
            raise no_labels(key)
        return self._held[key].labels.astype(np.int32)

    def explain(self, k: int, runs: int = 1) -> str:
        """See `Points.explain`."""
        several = f", {runs} runs one after the other" if runs > 1 else ""
        return (
            f"Wide, because there are only {self.n} points, of {self.d} features: each pass measures all distances to "
            f"{k} centroids{several}, in float64. To prepare the points for screens would take longer than it saves."
        )

    def forget(self, key: Hashable) -> None:
        """See `Points.forget`."""
        self._held.pop(key, None)

    def close(self) -> None:
        """See `Points.close`."""
        self._held.clear()
        self._workers.close()

    def _tally(self, run: Run) -> Tally:
        k, limbs = len(run.centroids), len(self.totals.sums)
        held = self._held.get(run.key)
        if held is None or held.sums.shape[1] != k:
            held = self._held[run.key] = _Held(self.n, limbs, k, self.d)
        table = squared_distances(self._x, self._rows, run.centroids, self._workers)
        old, held.labels, held.distances = held.labels, table.argmin(0), table.min(0)
        move, other = kernels.move[self._kind], (limbs - 1) * k * self.d
        if moved := int(np.count_nonzero(old != held.labels)):
            sums = held.sums.copy() if old[0] >= 0 else held.sums  # the last tally keeps its sums
            self._strips(lambda _, first, end: move(self._rows, first, end, old, held.labels, other, sums), moved)
            held.sums = sums
        counts = np.bincount(held.labels, minlength=k)
        tally = Tally(held.sums, counts)
        if empty := int(np.count_nonzero(counts == 0)):
            return replace(tally, farthest=farthest(held.distances, held.labels, empty)[0])
        return tally

    def _strips(self, work: Callable[[int, int, int], None], points: int) -> None:
        """Share out the features among the workers; points: how many of them take part."""
        self._workers.each(work, self.d, min(step(points, kernels.STRIP), 4 * kernels.STRIP))

    def _grid(self) -> Grid:
        if are_integers(self._kind):
            return unit_grid(self.d)
        lowest, highest = np.empty((2, self.d))
        rows, find = Handed(dense_rows(self._x, unit_grid(self.d))), kernels.extremes[self._kind]
        bad = np.zeros(self._workers.count, np.int64)

        def look(worker: int, first: int, end: int) -> None:
            bad[worker] |= find(rows, first, end, lowest, highest)

        self._strips(look, self.n)
        place = None
        if bad.any():
            row, column = np.argwhere(~np.isfinite(self._x))[0].tolist()
            place = row, column, float(self._x[row, column])
        return grid_of(self._kind, Ranges(lowest, highest, place), self.d)

    def _totals(self) -> Totals:
        """The exact sums of all points and of their squares."""
        sums, squares = np.zeros((2, self.d), np.int64), np.zeros((6, self.d), np.int64)
        add = kernels.totals[self._kind]

        def total(_: int, first: int, end: int) -> None:
            add(self._rows, first, end, np.zeros((3, end - first), np.int64), sums, squares)

        self._strips(total, self.n)
        of_all = ((sums[0] << 32) + sums[1])[np.newaxis] if are_integers(self._kind) else sums
        return Totals(of_all[:, np.newaxis], two_float(squares_of(squares, self.grid.step)), self.n)
