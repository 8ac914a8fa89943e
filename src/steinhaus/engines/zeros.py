"""Points in memory that are mostly zeros: labels and sums come from what is not 0.

The grid, the totals and the distances are those of `MemoryPoints`, labels come by the scores of `sparse`, from a second
form of the points; a sum is that of the values that are not 0, less what 0 would have added in their place, and what
the cluster's points would add if all were 0. All in integers, so the bits are those of `MemoryPoints`.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steinhaus.engines import sparse_kernels
from steinhaus.engines.memory import MemoryPoints
from steinhaus.engines.parts import chances
from steinhaus.engines.sparse import SparseRuns
from steinhaus.engines.workers import Workers
from steinhaus.points import Float64, Grid, Int32, Int64, Run, Tally

# Up to this share of values that are not 0, by the bytes of a value. The engine for dense points over this one, 20
# iterations and all that comes before, K = 10 and K = 100: float32, 1 %: 1.0, 3.0; 2.5 %: 1.0, 2.3; 5 %: 0.9, 1.3;
# uint8, 1 %: 1.0, 2.9; 2 %: 0.8, 1.2; 5 %: 0.5, 0.7 (20,000 points of 2,000 features, 4,000 at 1 %).
MOST = {1: 0.01, 2: 0.025, 4: 0.025, 8: 0.025}
_SAMPLE = 256  # points that tell
_FEW = 64  # features, from which on it is worth while
_STEP = 4096  # points a task


def share_of_values(x: NDArray[Any]) -> float:
    """The share of values that are not 0, of a sample of points (n, d) spread evenly."""
    rows = np.linspace(0, len(x) - 1, min(len(x), _SAMPLE)).astype(np.int64)
    return float(np.count_nonzero(x[rows]) / (len(rows) * x.shape[1]))


def is_mostly_zeros(x: NDArray[Any], memory: int | None) -> bool:
    """Whether points (n, d) are labelled faster from what is not 0, and this takes no more than `memory` bytes."""
    if x.shape[1] < _FEW or x.dtype.itemsize not in MOST:
        return False
    share = share_of_values(x)
    fits = memory is None or 1.5 * share * x.size * (x.itemsize + 4) <= memory
    return fits and share <= MOST[x.dtype.itemsize]


def _integers_of_zero(grid: Grid) -> Int64:
    """The grid's integer of 0 in each column, (d,); 0 where that is out of reach, because no value is 0 there."""
    with np.errstate(over="ignore"):
        exact = np.rint(-grid.offset / grid.step)
    return np.where(np.abs(exact) <= 2.0**49, exact, 0.0).astype(np.int64)


class MostlyZeroPoints:
    """An (n, d) array that is mostly zeros. See `Points` for the contract.

    Parameters and what is raised are those of `MemoryPoints`.
    """

    def __init__(self, x: NDArray[Any], *, threads: int | None = None) -> None:
        self._workers = Workers(threads)
        self._dense = MemoryPoints(x, memory=0, screen="plain", workers=self._workers)
        self.n, self.d, self.grid, self.totals = self._dense.n, self._dense.d, self._dense.grid, self._dense.totals
        zeros = _integers_of_zero(self.grid)
        self._zeros = zeros[np.newaxis, np.newaxis]  # (limbs, 1, d)
        if len(self.totals.sums) == 2:
            self._zeros = np.stack([self._zeros[0] >> 32, self._zeros[0] & 0xFFFFFFFF])
        self._runs = SparseRuns(self._entries(x, zeros), np.ones(1, np.int64), self._workers)

    def assign(self, runs: Sequence[Run]) -> list[Tally]:
        """See `Points.assign`."""
        return [self._whole(run, tally) for run, tally in zip(runs, self._runs.assign(runs), strict=True)]

    def _whole(self, run: Run, tally: Tally) -> Tally:
        tally = replace(tally, sums=tally.sums + tally.counts[:, np.newaxis] * self._zeros)
        if empty := int(np.count_nonzero(tally.counts == 0)):
            return replace(tally, farthest=self._dense.farthest(run, empty, self.labels(run.key))[0])
        return tally

    def explain(self, k: int, runs: int = 1) -> str:
        """Say how `runs` runs with k centroids each would be screened, and why."""
        held = len(self._runs.rows.values)
        return (
            f"Scores in float64 from the values that are not 0, every time: they are {held:,} of {self.n * self.d:,}, "
            f"{held / (self.n * self.d):.1%}, and products of all features would cost more."
        )

    def sample(self, run: Run, factor: float, seed: int) -> Int64:
        """See `seeding.Sampled`."""
        distances = self._dense.own_distances(run, self.labels(run.key))
        return np.flatnonzero(chances(seed, np.arange(self.n)) < factor * distances)

    def rows(self, indices: Int64) -> Float64:
        """See `Points.rows`."""
        return self._dense.rows(indices)

    def squared_distances(self, indices: Int64, below: Float64 | None = None) -> Float64:
        """See `Points.squared_distances`."""
        return self._dense.squared_distances(indices, below)

    def labels(self, key: Hashable) -> Int32:
        """See `Points.labels`."""
        return self._runs.labels(key)

    def forget(self, key: Hashable) -> None:
        """See `Points.forget`."""
        self._runs.forget(key)

    def close(self) -> None:
        """See `Points.close`."""
        self._runs.clear()
        self._dense.close()
        self._workers.close()

    def _entries(self, x: NDArray[Any], zeros: Int64) -> sparse_kernels.Rows:
        flat = x.reshape(-1).view()
        flat.flags.writeable = False
        starts = np.zeros(self.n + 1, np.int64)

        def count(_: int, first: int, end: int) -> None:
            sparse_kernels.count_values(flat, self.d, first, end, starts)

        self._workers.each(count, self.n, _STEP)
        np.cumsum(starts, out=starts)
        values, columns = np.empty(int(starts[-1]), x.dtype), np.empty(int(starts[-1]), np.int32)

        def take(_: int, first: int, end: int) -> None:
            sparse_kernels.take_values(flat, self.d, first, end, starts, values, columns)

        self._workers.each(take, self.n, _STEP)
        integers = len(self.totals.sums) == 1
        offset, per_step = self.grid.offset, 1.0 / self.grid.step
        return sparse_kernels.Rows(values, columns, starts, self.d, offset, per_step, zeros, integers)
