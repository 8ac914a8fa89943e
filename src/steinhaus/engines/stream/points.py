"""Points on disk, which are read block by block, once a pass."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from steinhaus.engines.dense.part import Part
from steinhaus.engines.dense.points import MemoryPoints, few_points
from steinhaus.engines.dense.policy import Policy
from steinhaus.engines.exact import parts
from steinhaus.engines.exact.closest import Closest, NearestRows
from steinhaus.engines.exact.grid import Ranges, are_integers, grid_of, ranges
from steinhaus.engines.exact.held import no_labels
from steinhaus.engines.exact.weighing import Weights
from steinhaus.engines.stream.reading import IN_FLIGHT, Reader, Reading, Source
from steinhaus.engines.workers import Workers
from steinhaus.errors import PlanError
from steinhaus.jit.target import takes_bytes
from steinhaus.points import Float64, Int32, Int64, Nearest, Run, Tally, Totals
from steinhaus.resources import free_memory

_BLOCK = 64 * 2**20  # bytes of a block, if the memory allows it
_FINER = 4  # of `Workers`: the reading thread takes a share of the cores, so ranges are cut finer
_SHARE = 16  # a block takes at most this part of the memory: one in 16
_UNKNOWN = 2**32  # bytes that are assumed to be free if the system does not tell
_POINT = 40  # bytes a point without screens: its place in a part, and the results of the first pass


class BlockPoints:
    """The rows of a source, (n, d), read once a pass. See `Points` for the contract.

    Parameters
    ----------
    source
        The source of the rows.
    take
        (n,) int64: the points are these rows, in this order; None: all rows.
    weights
        The weights of the points; None: 1 each.
    threads
        Threads that compute, the calling one included; None: one a core. One more thread reads.
    memory
        The most bytes for blocks, labels and tables of screens. If it is too little for all, screens are given up
        first, then the state between passes. None: half of the free memory.

    Raises
    ------
    DataError
        A row is not finite, or too large to be squared; or the source cannot be read.
    PlanError
        The memory is too small for a few rows.
    """

    def __init__(
        self,
        source: Source,
        *,
        take: Int64 | None = None,
        weights: Weights | None = None,
        threads: int | None = None,
        memory: int | None = None,
    ) -> None:
        self._source, self._weights = source, weights or Weights(None)
        self.d = source.shape[1]
        self._memory = (free_memory() or _UNKNOWN) // 2 if memory is None else memory
        row = self.d * source.dtype.itemsize
        most = min(_BLOCK, self._memory // _SHARE)
        if most < 32 * row:
            raise PlanError(
                f"{self._memory:,} bytes of memory are too little for rows of {row:,} bytes; "
                f"allow {_SHARE * 32 * row:,}."
            )
        self._layout = parts.Layout(parts.grouped(source.bounds, most // row), take)
        self.n = self._layout.n
        self._room = self._memory - IN_FLIGHT * most
        self._held: list[Part | None] = [None] * len(self._layout)
        self._bytes = np.zeros(len(self._layout), np.int64)  # of the engines held
        self._sums: list[parts.Sums | None] = [None] * len(self._layout)
        self._totals: Totals | None = None
        self._last: dict[Hashable, Run] = {}
        self._workers = Workers(threads, finer=_FINER)
        self._reader = Reader(source, self._layout)
        try:
            self.grid = grid_of(source.dtype, self._ranges(), self.d)
        except BaseException:
            self.close()
            raise

    @property
    def totals(self) -> Totals:
        """See `Points`. The first assignment computes them. Before that, they take a pass of their own."""
        if self._totals is None:
            for part, x in self._reader.parts():
                self._keep(part, self._part(part, x))
        return cast(Totals, self._totals)

    def assign(self, runs: Sequence[Run]) -> list[Tally]:
        """See `Points.assign`."""
        fresh = [run for run in runs if run.key not in self._last]
        self._last.update((run.key, run) for run in runs)
        if fresh:  # the engines may have been made while starts were drawn, for other runs
            self._allow(runs)
        tallies = parts.added(self._tallies(runs))
        wanted = parts.empties(tallies)
        if wanted:
            found = self._farthest([runs[place] for place in wanted], list(wanted.values()))
            for place, pairs in zip(wanted, found, strict=True):
                tallies[place] = replace(tallies[place], farthest=pairs)
        return tallies

    def rows(self, indices: Int64) -> Float64:
        """See `Points.rows`."""
        return self._source.pick(self._layout.source_rows(np.asarray(indices))).astype(np.float64)

    def squared_distances(self, indices: Int64, below: Float64 | None = None) -> Float64:
        """See `Points.squared_distances`."""
        chosen = self.rows(indices)
        out = np.empty((len(chosen), self.n))
        for part, x in self._reader.parts():
            engine, members = self._part(part, x), self._layout.members(part)
            out[:, members] = engine.squared_distances_to(chosen, None if below is None else below[members])
            self._keep(part, engine)
        return out

    def nearest(self, weights: Int64 | None) -> Nearest:
        """See `Sampling.nearest`."""
        few = partial(few_points, self._source.dtype, self._workers.count)
        return NearestRows(self.n, self.rows, self._bring, few, weights)

    def _bring(self, rows: Float64, closest: Closest) -> None:
        """Update the nearest of some rows, (m, d), in one pass."""
        for part, x in self._reader.parts():
            engine, members = self._part(part, x), self._layout.members(part)
            some = closest.of(members)
            engine.bring(rows, some)
            closest.put(members, some)
            self._keep(part, engine)
        closest.many = len(rows)

    def labels(self, key: Hashable) -> Int32:
        """See `Points.labels`."""
        if key not in self._last:
            raise no_labels(key)
        run = self._last[key]
        out = np.empty(self.n, np.int32)
        lost = []
        for part, engine in enumerate(self._held):
            if engine and engine.knows(run):
                out[self._layout.members(part)] = engine.labels(key)
            else:
                lost.append(part)
        for part, x in self._reader.parts(lost):
            alone = MemoryPoints(x, grid=self.grid, workers=self._workers, memory=0)
            alone.tallies([run])
            out[self._layout.members(part)] = alone.labels(key)
        return out

    def forget(self, key: Hashable) -> None:
        """See `Points.forget`."""
        self._last.pop(key, None)
        for engine in self._held:
            if engine:
                engine.forget(key)

    def close(self) -> None:
        """See `Points.close`."""
        self._reader.close()
        self._workers.close()
        self._held = [None] * len(self._layout)

    def explain(self, k: int, runs: int = 1) -> str:
        """See `Points.explain`."""
        told = self._policy(0).explain(k, runs, pays=True, shapeless=False)
        sizes = np.full(runs, k)
        screened = sum(self._room_for(part, sizes) > 0 for part in range(len(self._layout)))
        return (
            f"The points stay on disk and are read in {len(self._layout)} blocks a pass. There is memory to screen "
            f"{screened} of them from what earlier passes found. Each block: {told}"
        )

    @property
    def reading(self) -> Reading:
        """The times of reading."""
        return self._reader.times

    @property
    def nbytes(self) -> int:
        """Bytes of the state between passes."""
        return int(self._bytes.sum())

    def _ranges(self) -> Ranges | None:
        """The ranges of the points; None for small integers, whose grid needs none."""
        if are_integers(self._source.dtype):
            return None
        found = [ranges(x, self._workers) for _, x in self._reader.parts(range(len(self._layout)))]
        return parts.checked(found, self._layout, "row")

    def _tallies(self, runs: Sequence[Run]) -> Iterator[list[Tally]]:
        """The tallies of every part, in one pass."""
        for part, x in self._reader.parts():
            engine = self._part(part, x, runs)
            yield engine.tallies(runs)
            self._keep(part, engine)

    def _farthest(self, runs: Sequence[Run], wanted: Sequence[int]) -> list[Int64]:
        """The farthest points of each run, in one more pass. The runs must be those that were just assigned."""
        found: list[list[parts.Far]] = [[] for _ in runs]
        for part, x in self._reader.parts():
            engine = self._part(part, x, runs)
            if not all(engine.knows(run) for run in runs):
                engine.tallies(runs)
            for run, most, of_run in zip(runs, wanted, found, strict=True):
                pairs, distances = engine.farthest(run, most)
                of_run.append((np.stack([self._layout.members(part)[pairs[:, 0]], pairs[:, 1]], axis=1), distances))
            self._keep(part, engine)
        return [parts.farthest(of_run, most) for of_run, most in zip(found, wanted, strict=True)]

    def _part(self, part: int, x: NDArray[Any], runs: Sequence[Run] = ()) -> Part:
        """The engine of a part, with its rows x, (m, d), and its state, if that was kept."""
        if engine := self._held[part]:
            engine.lend(x)
            return engine
        weights, memory = self._weights.of(self._layout.members(part)), self._screening(part, runs)
        engine = Part(x, weights, grid=self.grid, workers=self._workers, memory=memory)
        self._sums[part] = engine.sums
        if self._totals is None and all(self._sums):
            self._totals = parts.totals([sums for sums in self._sums if sums], self.grid, self._weights)
        return engine

    def _allow(self, runs: Sequence[Run]) -> None:
        """Set the memory of the screens of the engines held, for these runs."""
        for part, engine in enumerate(self._held):
            if engine:
                engine.allow(self._screening(part, runs))

    def _screening(self, part: int, runs: Sequence[Run]) -> int:
        """Bytes for the screens of a part: all that they need for the first parts, 0 once the memory is used up."""
        return self._room_for(part, np.array([len(run.centroids) for run in runs], np.int64))

    def _room_for(self, part: int, sizes: Int64) -> int:
        """As `_screening`. sizes: (R,) the centroids of each run."""
        runs, k, levels = len(sizes), int(sizes.sum()), len(self._weights.levels)
        point = _POINT + 4 * runs + (8 * levels + 4 * runs if levels else 0)
        bare = self.n * point + len(self._layout) * k * self.d * (40 + 8 * self._workers.count)
        wanted = [self._policy(part).table_bytes(sizes) for part in range(part + 1)]
        return wanted[part] if bare + sum(wanted) <= self._room else 0

    def _policy(self, part: int) -> Policy:
        kind = self._source.dtype
        return Policy(int(self._layout.sizes[part]), self.d, self._room, "auto", takes_bytes(kind), are_integers(kind))

    def _keep(self, part: int, engine: Part) -> None:
        """Keep the engine of a part if there is memory for it. Its rows are released."""
        engine.lend(None)
        self._bytes[part] = 0
        if kept := int(self._bytes.sum()) + engine.nbytes <= self._room:
            self._bytes[part] = engine.nbytes
        self._held[part] = engine if kept else None
