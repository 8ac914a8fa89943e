"""Sums and counts of points with weights, by label."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steinhaus.engines.exact import limbs, weighted_kernels
from steinhaus.engines.exact.held import Held
from steinhaus.engines.exact.rows import dense_rows
from steinhaus.engines.exact.weighing import Weights
from steinhaus.engines.workers import Workers
from steinhaus.jit.handed import Handed
from steinhaus.points import Grid, Int32, Int64, Run, Tally, Totals

_STEP = 4096  # points a task


class WeightedSums:
    """The sums of runs, kept between passes and updated by the points whose label has changed.

    Parameters
    ----------
    x
        (n, d) the points, C-contiguous.
    grid
        The grid of the sums.
    limbs
        The number of limbs of the sums.
    weights
        The weights of the points.
    workers
        Threads of the caller, which stay open.
    """

    def __init__(self, x: NDArray[Any], grid: Grid, limbs: int, weights: Weights, workers: Workers) -> None:
        self._grid, self._limbs, self._workers = grid, limbs, workers
        self._levels, self._digits = weights.levels, weights.digits
        self._held: dict[Hashable, list[Held]] = {}  # run -> one a level of weights
        self._shape, self._kind = x.shape, x.dtype
        self.lend(x)

    def lend(self, x: NDArray[Any] | None) -> None:
        """Replace the array by another with the same points, (n, d). None: release the array until the next call."""
        x = np.empty((0, self._shape[1]), self._kind) if x is None else x
        self._rows = Handed(dense_rows(x, self._grid))

    def squares(self) -> Int64:
        """The sums of the points' squares times their weights, (levels, 3, 4, d): see `limbs.squares_of`."""
        n, d = self._shape
        squares = np.zeros((len(self._levels), self._workers.count, 3, limbs.PIECES, d), np.int64)

        def add(worker: int, first: int, end: int) -> None:
            for counts, of_level in zip(self._levels, squares, strict=True):
                weighted_kernels.squares[self._kind](self._rows, counts, first, end, of_level[worker])

        self._workers.each(add, n, _STEP)
        totals: Int64 = squares.sum(axis=1)
        return totals

    def tally(self, run: Run, labels: Int32) -> Tally:
        """The tally of a run once its labels are these, (n,)."""
        n, d = self._shape
        nothing = [Held.nothing(n, self._limbs, len(run.centroids), d) for _ in self._levels]
        held = self._held.get(run.key, nothing)
        self._held[run.key] = held = [self._moved(*each, labels) for each in zip(held, self._levels, strict=True)]
        first, *finer = [Tally(level.sums, level.counts) for level in held]
        return replace(first, finer=tuple(finer), digits=self._digits)

    def forget(self, key: Hashable) -> None:
        """Drop the sums of a run."""
        self._held.pop(key, None)

    def clear(self) -> None:
        """Drop the sums of all runs."""
        self._held.clear()

    @property
    def nbytes(self) -> int:
        """Bytes of the sums and labels. The levels of a run share its labels."""
        sums = sum(level.sums.nbytes + level.counts.nbytes for held in self._held.values() for level in held)
        return sums + sum(held[0].labels.nbytes for held in self._held.values())

    def _moved(self, held: Held, weights: Int64, labels: Int32) -> Held:
        """A level after its points get new labels. weights: (n,) of this level; labels: (n,)."""
        k, (n, d) = len(held.counts), self._shape
        sums = np.zeros((self._workers.count, *held.sums.shape), np.int64)
        counts = np.zeros((self._workers.count, *held.counts.shape), np.int64)
        other = (len(held.sums) - 1) * k * d

        def move(worker: int, first: int, end: int) -> None:
            weighted_kernels.move[self._kind](
                self._rows, weights, first, end, held.labels, labels, other, sums[worker], counts[worker]
            )

        self._workers.each(move, n, _STEP)
        return Held(labels, held.sums + sums.sum(axis=0), held.counts + counts.sum(axis=0))


def weighed(totals: Totals, weights: Weights, squares: Int64, grid: Grid) -> Totals:
    """The totals with weights, from those without weights and from `WeightedSums.squares`, (levels, 3, 4, d)."""
    weighted = [limbs.squares_of(of_level, grid.step) for of_level in squares]
    (counts, of_first), *finer = zip(weights.levels, weighted, strict=True)
    return replace(totals, weights=counts, weighted=of_first, unit=weights.unit, finer=tuple(finer))
