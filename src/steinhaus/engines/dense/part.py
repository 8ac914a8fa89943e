"""Engines for parts of the points, with weights or without."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steinhaus.engines.dense.points import MemoryPoints
from steinhaus.engines.exact import distances, parts
from steinhaus.engines.exact.closest import Closest
from steinhaus.engines.exact.weighing import Weights
from steinhaus.engines.exact.weighted_sums import WeightedSums, weighed
from steinhaus.engines.workers import Workers
from steinhaus.points import Float64, Grid, Int32, Int64, Run, Tally


class Part:
    """A part of the points, with weights. The dense engine labels it.

    Parameters
    ----------
    x
        (n, d) the rows of the part, C-contiguous.
    weights
        The weights of these rows.
    grid
        The grid of all points; None: the grid of these.
    workers
        Threads of the caller, which stay open.
    memory
        The most bytes for tables of screens; see `MemoryPoints`.
    """

    def __init__(
        self, x: NDArray[Any], weights: Weights, *, grid: Grid | None, workers: Workers, memory: int | None
    ) -> None:
        self._engine = engine = MemoryPoints(x, grid=grid, workers=workers, memory=memory)
        self.n, self.d, self.grid = engine.n, engine.d, engine.grid
        self._weights = weights
        self._sums: WeightedSums | None = None
        self.totals, squares = engine.totals, None
        if weights.counts is not None:
            self._sums = WeightedSums(x, engine.grid, len(engine.totals.sums), weights, workers)
            squares = self._sums.squares()
            self.totals = weighed(engine.totals, weights, squares, engine.grid)
        self._near: tuple[Hashable, Closest] | None = None
        self.sums = parts.Sums(engine.totals.sums, engine.squares, engine.n, squares)

    def assign(self, runs: Sequence[Run]) -> list[Tally]:
        """See `Points.assign`."""
        tallies = self.tallies(runs)
        for place, run in enumerate(runs):
            if empty := int(np.count_nonzero(tallies[place].empty)):
                tallies[place] = replace(tallies[place], farthest=self.farthest(run, empty)[0])
        return tallies

    def tallies(self, runs: Sequence[Run]) -> list[Tally]:
        """As `assign`, without `farthest`."""
        self._near = None  # starts are drawn before the first assignment
        tallies = self._engine.tallies(runs)
        if (sums := self._sums) is None:
            return tallies
        return [sums.tally(run, self._engine.labels(run.key)) for run in runs]

    def farthest(self, run: Run, wanted: int) -> tuple[Int64, Float64]:
        """See `distances.farthest`. The run must be one that was just assigned. Points without weight are left out."""
        own = self._engine.own_distances(run)
        if (draws := self._weights.draws) is not None:
            own[draws == 0] = 0.0
        return distances.farthest(own, self._engine.labels(run.key), wanted)

    def rows(self, indices: Int64) -> Float64:
        """See `Points.rows`."""
        return self._engine.rows(indices)

    def squared_distances_to(self, chosen: Float64, below: Float64 | None = None) -> Float64:
        """See `MemoryPoints.squared_distances_to`."""
        return self._engine.squared_distances_to(chosen, below)

    def near(self, key: Hashable, rows: Float64) -> Closest:
        """The nearest of these rows, (m, d), to each point. The result of an earlier call with this key is extended."""
        known, closest = self._near or (key, Closest(self.n, self._weights.draws))
        if known != key:
            closest = Closest(self.n, self._weights.draws)
        self._near = key, closest
        self._engine.bring(rows, closest)
        return closest

    def bring(self, rows: Float64, closest: Closest) -> None:
        """See `MemoryPoints.bring`."""
        self._engine.bring(rows, closest)

    def labels(self, key: Hashable) -> Int32:
        """See `Points.labels`."""
        return self._engine.labels(key)

    def knows(self, run: Run) -> bool:
        """See `MemoryPoints.knows`."""
        return self._engine.knows(run)

    def allow(self, memory: int) -> None:
        """See `MemoryPoints.allow`."""
        self._engine.allow(memory)

    def lend(self, x: NDArray[Any] | None) -> None:
        """See `MemoryPoints.lend`."""
        self._engine.lend(x)
        if self._sums is not None:
            self._sums.lend(x)

    def forget(self, key: Hashable) -> None:
        """See `Points.forget`."""
        self._engine.forget(key)
        if self._sums is not None:
            self._sums.forget(key)

    @property
    def nbytes(self) -> int:
        """Bytes of all tables, without the points themselves."""
        weights = sum(level.nbytes for level in self._weights.levels)
        return self._engine.nbytes + weights + (0 if self._sums is None else self._sums.nbytes)
