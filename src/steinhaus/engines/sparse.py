"""Points in compressed sparse rows: nothing is done for an entry that is 0.

The screen is the score itself, s_ij = x_i . c_j - |c_j|^2 / 2, in float64 over the entries of x_i. Scores further apart
than `bounds.distances` says are those of a certified label. The rest is settled on the dense row, by
`products.squared_distance`, as everywhere.

Grids have no offset here, so that what is 0 stays 0.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from steinhaus.engines import limbs, sparse_kernels
from steinhaus.engines.bounds.distances import about_error, score_rate
from steinhaus.engines.bounds.rounding import CLOSE
from steinhaus.engines.survey import are_integers
from steinhaus.engines.weighing import Weights
from steinhaus.engines.workers import Workers
from steinhaus.errors import DataError
from steinhaus.points import Float64, Grid, Int32, Int64, Run, Tally, Totals

_GRID_BITS = 48
_LARGEST = 2.0**480  # beyond, squares overflow float64
_STEP = 1024  # points a task


@dataclass
class _Held:
    """What is remembered of a run."""

    labels: Int32  # (n,), -1: none yet
    sums: Int64  # (limbs, k, d)
    counts: Int64  # (k,)


class SparseRuns:
    """Labels and sums of runs over points in compressed sparse rows.

    Parameters
    ----------
    rows
        The points.
    weights
        (n,) or (1,) what each counts for.
    workers
        Threads to use.
    """

    def __init__(self, rows: sparse_kernels.Rows, weights: Int64, workers: Workers) -> None:
        self.rows = rows
        self.n = len(rows.starts) - 1
        self._weights = weights
        self._workers = workers
        self.norms = np.empty(self.n)  # squared
        sparse_kernels.lengths(rows, self.norms)
        self.rate = score_rate(rows.d)
        self.lengths = np.sqrt(self.norms) * CLOSE
        self._held: dict[Hashable, _Held] = {}

    def assign(self, runs: Sequence[Run]) -> list[Tally]:
        """As `Points.assign`, but `farthest` stays out, and sums are those of the integers less those of 0."""
        for run in runs:
            if run.key not in self._held:
                self._held[run.key] = self._nothing(len(run.centroids))
        labels = self._label(runs)
        moved = np.zeros(len(runs), np.int64)

        def move(_: int, first: int, end: int) -> None:
            for place in range(first, end):
                held = self._held[runs[place].key]
                moved[place] = sparse_kernels.move(
                    self.rows, self._weights, held.labels, labels[place], held.sums, held.counts
                )
                held.labels = labels[place]

        self._workers.each(move, len(runs), 1)
        tallied = [self._held[run.key] for run in runs]
        pairs = zip(tallied, moved.tolist(), strict=True)
        return [Tally(held.sums.copy(), held.counts.copy(), count) for held, count in pairs]

    def labels(self, key: Hashable) -> Int32:
        """See `Points.labels`."""
        if key not in self._held:
            raise KeyError(f"No labels of run {key!r} are remembered: it was never assigned, or has been forgotten.")
        return self._held[key].labels.copy()

    def forget(self, key: Hashable) -> None:
        """See `Points.forget`."""
        self._held.pop(key, None)

    def clear(self) -> None:
        """Forget all runs."""
        self._held.clear()

    def _nothing(self, k: int) -> _Held:
        labels, limb_count = np.full(self.n, -1, np.int32), 1 if self.rows.integers else 2
        return _Held(labels, np.zeros((limb_count, k, self.rows.d), np.int64), np.zeros(k, np.int64))

    def _label(self, runs: Sequence[Run]) -> Int32:
        """The labels of all points for all runs, (R, n) int32."""
        exact = np.concatenate([run.centroids for run in runs])
        firsts = np.cumsum([0, *(len(run.centroids) for run in runs)])
        squares = np.empty(len(exact))
        sparse_kernels.square_sum(exact, squares)
        half, most = squares / 2.0, np.sqrt(np.maximum.reduceat(squares, firsts[:-1])) * CLOSE
        across = np.ascontiguousarray(exact.T)
        labels = np.empty((len(runs), self.n), np.int32)
        scratch = [(np.empty(len(exact)), np.zeros(self.rows.d)) for _ in range(self._workers.count)]

        def label(worker: int, first: int, end: int) -> None:
            sparse_kernels.label(
                self.rows, first, end, across, half, firsts, most, self.lengths, self.rate, exact, *scratch[worker],
                labels,
            )  # fmt: skip

        self._workers.each(label, self.n, _STEP)
        return labels


class SparsePoints:
    """An (n, d) CSR matrix or array of SciPy. See `Points` for the contract.

    `squared_distances` are |x|^2 + |y|^2 - 2 x . y here, so their error is relative to the norms; labels are settled as
    everywhere.

    Parameters
    ----------
    x
        (n, d) of a real type, n >= 1, d >= 1; entries that stand twice are added up in a copy.
    weights
        What each point counts for.
    threads
        Threads to use, the calling one included; None: one a core.

    Raises
    ------
    DataError
        A point is not finite, or too large to be squared.
    """

    def __init__(self, x: Any, *, weights: Weights | None = None, threads: int | None = None) -> None:
        if not x.has_canonical_format:
            x = x.copy()
            x.sum_duplicates()
        self.n, self.d = x.shape
        self.weights, unit = weights or Weights(None)
        self._counts = np.ones(1, np.int64) if self.weights is None else self.weights
        self._x = x
        integers = are_integers(x.dtype)
        self._rows = sparse_kernels.Rows(
            x.data, x.indices, x.indptr.astype(np.int64), self.d, np.zeros(self.d), np.ones(self.d),
            np.zeros(self.d, np.int64), integers,
        )  # fmt: skip
        self.grid = Grid(np.zeros(self.d), np.ones(self.d)) if integers else self._grid()
        self._rows = self._rows._replace(per_step=1.0 / self.grid.step)
        self.totals = self._totals(unit)
        self._workers = Workers(threads)
        self._runs = SparseRuns(self._rows, self._counts, self._workers)

    def assign(self, runs: Sequence[Run]) -> list[Tally]:
        """See `Points.assign`."""
        return [self._filled(run, tally) for run, tally in zip(runs, self._runs.assign(runs), strict=True)]

    def rows(self, indices: Int64) -> Float64:
        """See `Points.rows`."""
        dense: Float64 = self._x[indices].toarray().astype(np.float64)
        return dense

    def squared_distances(self, indices: Int64, below: Float64 | None = None) -> Float64:
        """See `Points.squared_distances`."""
        return self.distances_to(self.rows(indices))

    def distances_to(self, to: Float64) -> Float64:
        """The squared distances of all points to these rows, (m, d) float64 -> (m, n) float64."""
        squares = np.empty(len(to))
        sparse_kernels.square_sum(to, squares)
        out = np.empty((len(to), self.n))

        def measure(_: int, first: int, end: int) -> None:
            sparse_kernels.distances(self._rows, first, end, to, squares, self._runs.norms, out)

        self._workers.each(measure, self.n, _STEP)
        return out

    def labels(self, key: Hashable) -> Int32:
        """See `Points.labels`."""
        return self._runs.labels(key)

    def forget(self, key: Hashable) -> None:
        """See `Points.forget`."""
        self._runs.forget(key)

    def close(self) -> None:
        """See `Points.close`."""
        self._workers.close()
        self._runs.clear()

    def _filled(self, run: Run, tally: Tally) -> Tally:
        if empty := int(np.count_nonzero(tally.counts == 0)):
            return replace(tally, farthest=self._farthest(self.labels(run.key), run.centroids, empty))
        return tally

    def _farthest(self, labels: Int32, centroids: Float64, wanted: int) -> Int64:
        """The points farthest from their centroids, and their clusters, (e, 2); e <= wanted.

        Found by scores, then measured: a squared distance is |x|^2 - 2 s, so one that scores leave below the wanted
        ones by more than the bounds need not be measured.
        """
        squares, scores = np.empty(len(centroids)), np.empty(self.n)
        sparse_kernels.square_sum(centroids, squares)
        half = squares / 2.0

        def score(_: int, first: int, end: int) -> None:
            sparse_kernels.own_scores(self._rows, first, end, labels, centroids, half, scores)

        self._workers.each(score, self.n, _STEP)
        error = about_error(self._runs.rate, self._runs.lengths + np.sqrt(squares)[labels] * CLOSE)
        about = self._runs.norms - 2.0 * scores
        if self.weights is not None:
            about[self.weights == 0] = -np.inf
        lower = about - error
        least = np.partition(lower, self.n - wanted)[self.n - wanted] if wanted < self.n else -np.inf
        chosen = np.flatnonzero((about + error >= least) & (about > -np.inf))
        distances = np.empty(len(chosen))
        sparse_kernels.own_distances(self._rows, chosen, labels, centroids, distances)
        order = np.argsort(-distances, kind="stable")[:wanted]
        order = order[distances[order] > 0]
        return np.stack([chosen[order], labels[chosen[order]].astype(np.int64)], axis=1)

    def _grid(self) -> Grid:
        """A column's step is the power of two that puts its values within 2^48 steps of 0."""
        reach = np.zeros(self.d)
        if (row := sparse_kernels.ranges(self._rows, reach)) >= 0:
            raise DataError(
                f"Points must be finite, but row {row} holds a value that is not. Remove the row, or replace it."
            )
        if (largest := float(reach.max())) > _LARGEST:
            raise DataError(f"Points must be below 2^480 in magnitude, but one holds {largest:.3g}. Scale them down.")
        exponent = np.where(reach > 0, np.frexp(reach)[1] - _GRID_BITS, -_GRID_BITS)
        return Grid(np.zeros(self.d), np.ldexp(1.0, np.maximum(exponent, -500)))

    def _totals(self, unit: float) -> Totals:
        limb_count = 1 if self._rows.integers else 2

        def total(weights: Int64) -> tuple[Int64, Float64]:
            sums = np.zeros((limb_count, self.d), np.int64)
            squares = np.zeros((3, limbs.PIECES, self.d), np.int64)
            sparse_kernels.totals(self._rows, weights, sums, squares)
            return sums[:, np.newaxis], limbs.squares_of(squares, self.grid.step)

        sums, squares = total(np.ones(1, np.int64))
        weighted = None if self.weights is None else total(self.weights)[1]
        return Totals(sums, squares, self.n, self.weights, weighted, unit)
