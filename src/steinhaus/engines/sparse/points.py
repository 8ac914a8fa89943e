"""Points in compressed sparse rows. Values that are not stored cost no time.

The screen is the score, s_ij = x_i . c_j - |c_j|^2 / 2, computed in float64 over the entries of x_i. If the best score
exceeds all others by more than the error of `bounds.distances`, its label is certified. Other points are settled on the
dense row, by `exact.distances.squared_distance`.

The grid has no offset, so that a value of 0 is the integer 0.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from steinhaus.engines.bounds.distances import about_error, score_rate
from steinhaus.engines.bounds.rounding import CLOSE
from steinhaus.engines.exact import limbs
from steinhaus.engines.exact.distances import farthest
from steinhaus.engines.exact.grid import are_integers, steps, unit_grid
from steinhaus.engines.exact.held import Held, no_labels
from steinhaus.engines.exact.weighing import Weights
from steinhaus.engines.sparse import kernels
from steinhaus.engines.sparse.kernels import Sought, SparseRows
from steinhaus.engines.workers import Workers
from steinhaus.errors import DataError
from steinhaus.jit.handed import Handed
from steinhaus.points import Float64, Grid, Int32, Int64, Run, Tally, Totals

_STEP = 1024  # points a task


class SparsePoints:
    """An (n, d) CSR matrix or array of SciPy. See `Points` for the contract.

    Here `squared_distances` are |x|^2 + |y|^2 - 2 x . y, so that their error is relative to the norms. Labels are
    exact, as in every engine.

    Parameters
    ----------
    x
        (n, d) of a real type, n >= 1, d >= 1. Duplicate entries are added up in a copy.
    weights
        The weights of the points; None: 1 each.
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
        weights = weights or Weights(None)
        self._levels, self._digits = weights.levels or (np.ones(1, np.int64),), weights.digits
        self._each = int(weights.counts is not None)
        self._x = x
        self._types = x.data.dtype, x.indices.dtype
        self.grid = unit_grid(self.d) if are_integers(x.dtype) else self._grid()
        self._rows = self._on(self.grid)
        self._limbs = 1 if are_integers(x.dtype) else 2
        self.totals = self._totals(weights)
        self._norms = np.empty(self.n)  # squared
        kernels.lengths[self._types](self._rows, self._norms)
        self._lengths = np.sqrt(self._norms) * CLOSE
        self._held: dict[Hashable, list[Held]] = {}  # run -> one a level of weights
        self._workers = Workers(threads)

    def assign(self, runs: Sequence[Run]) -> list[Tally]:
        """See `Points.assign`."""
        for run in runs:
            if run.key not in self._held:
                k = len(run.centroids)
                self._held[run.key] = [Held.nothing(self.n, self._limbs, k, self.d) for _ in self._levels]
        labels = self._label(runs)

        def move(_: int, first: int, end: int) -> None:
            for place in range(first, end):
                for held, counts in zip(self._held[runs[place].key], self._levels, strict=True):
                    kernels.move[self._types](
                        self._rows, counts, self._each, held.labels, labels[place],
                        (self._limbs - 1) * len(held.counts) * self.d, held.sums, held.counts,
                    )  # fmt: skip
                    held.labels = labels[place]

        self._workers.each(move, len(runs), 1)
        return [self._tally(run) for run in runs]

    def rows(self, indices: Int64) -> Float64:
        """See `Points.rows`."""
        dense: Float64 = self._x[indices].toarray().astype(np.float64)
        return dense

    def squared_distances(self, indices: Int64, below: Float64 | None = None) -> Float64:
        """See `Points.squared_distances`."""
        return self.distances_to(self.rows(indices))

    def distances_to(self, rows: Float64) -> Float64:
        """The squared distances of all points to these rows, (m, d) float64 -> (m, n) float64."""
        rows = np.ascontiguousarray(rows)
        m, squares, out = len(rows), self._squares(rows), np.empty((len(rows), self.n))

        def measure(_: int, first: int, end: int) -> None:
            kernels.distances[self._types](self._rows, first, end, rows, m, squares, self._norms, out)

        self._workers.each(measure, self.n, _STEP)
        return out

    def labels(self, key: Hashable) -> Int32:
        """See `Points.labels`."""
        if key not in self._held:
            raise no_labels(key)
        return self._held[key][0].labels.copy()

    def explain(self, k: int, runs: int = 1) -> str:
        """See `Points.explain`."""
        held = self._x.nnz
        return (
            f"Each pass computes scores in float64 from the stored entries: {held:,} of {self.n * self.d:,} values, "
            f"{held / (self.n * self.d):.1%}. Labels that scores leave open are settled on dense rows."
        )

    def forget(self, key: Hashable) -> None:
        """See `Points.forget`."""
        self._held.pop(key, None)

    def close(self) -> None:
        """See `Points.close`."""
        self._workers.close()
        self._held.clear()

    def _label(self, runs: Sequence[Run]) -> Int32:
        """The labels of all points for all runs, (R, n) int32."""
        rows = np.concatenate([run.centroids for run in runs])
        width, squares = -(-len(rows) // 8) * 8, self._squares(rows)
        firsts = np.cumsum([0, *(len(run.centroids) for run in runs)])
        most = np.sqrt(np.maximum.reduceat(squares, firsts[:-1])) * CLOSE
        across = np.zeros((self.d, width))
        across[:, : len(rows)] = rows.T
        sought = Handed(Sought(len(runs), width, self.d, rows, across, squares / 2.0, firsts, most, score_rate(self.d)))
        labels = np.empty((len(runs), self.n), np.int32)
        scratch = [(np.empty(width), np.zeros(self.d)) for _ in range(self._workers.count)]

        def label(worker: int, first: int, end: int) -> None:
            kernels.label[self._types](self._rows, sought, first, end, self._lengths, *scratch[worker], labels)

        self._workers.each(label, self.n, _STEP)
        return labels

    def _tally(self, run: Run) -> Tally:
        first, *finer = [Tally(level.sums.copy(), level.counts.copy()) for level in self._held[run.key]]
        tally = replace(first, finer=tuple(finer), digits=self._digits)
        if empty := int(np.count_nonzero(tally.empty)):
            return replace(tally, farthest=self._farthest(self.labels(run.key), run.centroids, empty))
        return tally

    def _farthest(self, labels: Int32, centroids: Float64, wanted: int) -> Int64:
        """The points farthest from their centroids, and their clusters, (e, 2), e <= wanted.

        A squared distance is |x|^2 - 2 s. Points whose upper bound is below the `wanted` largest lower bounds are left
        out, and the others are measured. labels: (n,); centroids: (k, d).
        """
        squares, scores = self._squares(centroids), np.empty(self.n)
        half = squares / 2.0

        def score(_: int, first: int, end: int) -> None:
            kernels.own_scores[self._types](self._rows, first, end, labels, centroids, half, scores)

        self._workers.each(score, self.n, _STEP)
        error = about_error(score_rate(self.d), self._lengths + np.sqrt(squares)[labels] * CLOSE)
        about = self._norms - 2.0 * scores
        if (counts := self.totals.draws) is not None:
            about[counts == 0] = -np.inf
        lower = about - error
        least = np.partition(lower, self.n - wanted)[self.n - wanted] if wanted < self.n else -np.inf
        chosen = np.flatnonzero((about + error >= least) & (about > -np.inf))
        distances = np.empty(len(chosen))
        kernels.own_distances[self._types](
            self._rows, chosen, len(chosen), labels, centroids, np.zeros(self.d), distances
        )
        return farthest(distances, labels[chosen], wanted, chosen)[0]

    def _on(self, grid: Grid) -> Handed:
        """The record by which kernels read the points, on a grid."""
        x = self._x
        return Handed(SparseRows(x.data, x.indices, x.indptr.astype(np.int64), self.n, self.d, 1.0 / grid.step))

    def _grid(self) -> Grid:
        """The grid: the step of a column is the power of two that puts its values within 2^48 steps of 0."""
        reach = np.zeros(self.d)
        if (row := kernels.reaches[self._types](self._on(unit_grid(self.d)), reach)) >= 0:
            raise DataError(
                f"Points must be finite, but row {row} holds a value that is not. Remove the row, or replace it."
            )
        return Grid(np.zeros(self.d), steps(reach, reach))

    def _totals(self, weights: Weights) -> Totals:
        def total(counts: Int64) -> tuple[Int64, Float64]:
            # counts: (n,) or (1,) -> sums (limbs, 1, d), squares (2,).
            sums = np.zeros((self._limbs, 1, self.d), np.int64)
            squares = np.zeros((3, limbs.PIECES, self.d), np.int64)
            each, other = int(len(counts) > 1), (self._limbs - 1) * self.d
            kernels.totals[self._types](self._rows, counts, each, other, sums, squares)
            return sums, limbs.squares_of(squares, self.grid.step)

        sums, squares = total(np.ones(1, np.int64))
        totals = Totals(sums, squares, self.n)
        if weights.counts is None:
            return totals
        (counts, weighted), *finer = [(level, total(level)[1]) for level in weights.levels]
        return replace(totals, weights=counts, weighted=weighted, unit=weights.unit, finer=tuple(finer))

    def _squares(self, rows: Float64) -> Float64:
        """The squared norms of some rows, (m, d) -> (m,)."""
        out = np.empty(len(rows))
        kernels.square_sums[self._types](rows, *rows.shape, out)
        return out
