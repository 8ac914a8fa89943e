"""Points in memory (or memory-mapped): tiles of 32 points, shared out over a few threads."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from steinhaus.engines import kernels, screening
from steinhaus.engines.kernels import BRUTE, DRIFT, NO_SLOT, PLAIN, TILE
from steinhaus.engines.survey import survey
from steinhaus.engines.workers import Workers
from steinhaus.points import Float64, Int32, Int64, Run, Tally

Screen = Literal["auto", "drift", "plain", "none"]

_SLOTS = 4  # sets of anchors that tiles may refer to at once
_PAIRS = 2.0  # a tile is computed afresh where more than so many pairs a centroid are open, of 32
_DIRECTIONS = 64
_SAMPLE = 1024  # points that the leading directions are taken from
_STEP = 4096  # points a task, for what is done seldom


@dataclass
class _Batch:
    """What is remembered of a set of runs: their centroids stand side by side, K in all."""

    rows: dict[Hashable, int]  # a run's row in the cache
    firsts: Int64  # (R + 1,) where each run's centroids begin
    cache: kernels.Cache
    sums: Int64  # (limbs, K, d)
    counts: Int64  # (K,)
    changes: list[kernels.Change]  # one a worker
    scratch: list[NDArray[np.float32]]
    anchors: list[Float64] = field(default_factory=list)  # of each slot, e at the pass that took it, (K, d)
    computed: int = 0  # rows of products computed from the features, in units of passes


class MemoryPoints:
    """An (n, d) array of points and what the screens know of it. See `Points` for the contract.

    Parameters
    ----------
    x
        (n, d) array of a real type, C-contiguous, n >= 1, d >= 1.
    threads
        Threads to use, the calling one included; None: one a core.
    memory
        Bytes that screening may use; None: the larger of 1 GiB and the size of x.
    screen
        "auto"; or always the same: "drift" (from the second pass on, bounds from anchors), "plain" (float32 products of all
        features), "none" (every pair is settled in float64). Results are the same.

    Raises
    ------
    DataError
        A point is not finite, or too large to be squared.
    """

    def __init__(
        self, x: NDArray[Any], *, threads: int | None = None, memory: int | None = None, screen: Screen = "auto"
    ) -> None:
        self.n, self.d = x.shape
        self._x, self._flat = x, x.reshape(-1)
        self._workers = Workers(threads)
        self._memory = max(2**30, x.nbytes) if memory is None else memory
        self._screen = screen
        self._tiles = -(-self.n // TILE)
        self._tiles_a_task = max(1, min(256, -(-self._tiles // (8 * self._workers.count))))
        self._survey = survey(x, self._workers)
        self.grid, self.totals = self._survey.grid, self._survey.totals
        self._basis = screening.Basis(np.empty((self.d, 0), np.float32), 0.0)
        norms = np.zeros(self._tiles * TILE, np.float32)
        norms[: self.n] = screening.upward(np.sqrt(self._survey.lengths) * (1 + 1e-6))
        frame = self._survey.frame
        self._known = kernels.Known(
            norms=norms,
            residuals=screening.upward(norms.astype(np.float64) + frame.reach),
            projections=np.empty((self._tiles, 2, 0, 16), np.float32),
            offset=self._survey.offset,
            scale=self._survey.scale,
            reach=frame.reach,
            floor=2.0 * screening.float64_floor(self.d),
        )
        self._batch: _Batch | None = None

    def assign(self, runs: Sequence[Run]) -> list[Tally]:
        """See `Points.assign`."""
        batch = self._remember(runs)
        active = np.array([batch.rows[run.key] for run in runs], np.int64)
        exact = np.zeros((int(batch.firsts[-1]), self.d))
        for run, row in zip(runs, active, strict=True):
            exact[batch.firsts[row] : batch.firsts[row + 1]] = run.centroids
        modes = self._modes(batch)
        e = self._survey.frame.place(exact)
        plain = screening.plain(self._survey.frame, e)
        drift = screening.drift(self._survey.frame, self._basis, e, np.array(batch.anchors).reshape(-1, *e.shape))
        slot = self._take_slot(batch, e)
        lanes = [np.empty(TILE * self.d, np.float32) for _ in range(self._workers.count)]

        def work(worker: int, first: int, end: int) -> None:
            kernels.assign(
                self._flat, self.n, (first, end), active, batch.firsts, modes, slot, exact, plain, drift, self._known,
                batch.cache, self._survey.grid_offset, self._survey.per_step, _PAIRS, lanes[worker],
                batch.scratch[worker], batch.changes[worker],
            )  # fmt: skip

        self._workers.each(work, self._tiles, self._tiles_a_task)
        moved = sum(change.moved for change in batch.changes)
        self.statistics = {
            "pairs": sum(change.pairs for change in batch.changes),
            "refreshed": sum(change.refreshed for change in batch.changes),
            "moved": moved,
        }
        for change in batch.changes:
            kernels.collect(change, batch.sums, batch.counts)
            for counter in (change.moved, change.pairs, change.refreshed):
                counter[:] = 0
        return [self._tally(batch, run, row, int(moved[row])) for run, row in zip(runs, active.tolist(), strict=True)]

    def rows(self, indices: Int64) -> Float64:
        """See `Points.rows`."""
        return self._x[indices].astype(np.float64)

    def squared_distances(self, indices: Int64) -> Float64:
        """See `Points.squared_distances`."""
        chosen = self.rows(indices)
        out = np.empty((len(indices), self.n))

        def measure(_: int, first: int, end: int) -> None:
            kernels.all_distances(self._flat, self.d, first, end, chosen, out)

        self._workers.each(measure, self.n, _STEP)
        return out

    def labels(self, key: Hashable) -> Int32:
        """See `Points.labels`."""
        if self._batch is None or key not in self._batch.rows:
            raise KeyError(f"No labels of run {key!r} are remembered: it was never assigned, or has been forgotten.")
        return self._batch.cache.labels[self._batch.rows[key], : self.n].copy()

    def forget(self, key: Hashable) -> None:
        """See `Points.forget`."""
        if self._batch is not None:
            self._batch.rows.pop(key, None)
            if not self._batch.rows:
                self._batch = None

    def close(self) -> None:
        """See `Points.close`."""
        self._workers.close()
        self._batch = None

    def _remember(self, runs: Sequence[Run]) -> _Batch:
        """The cache for these runs; a new one where any of them is not in it."""
        if self._batch is not None and all(run.key in self._batch.rows for run in runs):
            return self._batch
        sizes = [len(run.centroids) for run in runs]
        firsts = np.cumsum([0, *sizes])
        k, limbs = int(firsts[-1]), self.totals.sums.shape[0]
        width = self._tiles * TILE
        anchored = self._screen in ("auto", "drift") and width * k * 4 <= self._memory
        cache = kernels.Cache(
            labels=np.full((len(runs), width), -1, np.int32),
            anchors=np.empty((self._tiles if anchored else 0, k, TILE), np.float32),
            slots=np.full((len(runs), self._tiles), NO_SLOT, np.int8),
        )
        changes = [
            kernels.Change(
                sums=np.zeros((limbs, k, self.d), np.int64),
                counts=np.zeros(k, np.int64),
                touched=np.zeros(k, np.bool_),
                moved=np.zeros(len(runs), np.int64),
                pairs=np.zeros(len(runs), np.int64),
                refreshed=np.zeros(len(runs), np.int64),
            )
            for _ in range(self._workers.count)
        ]
        self._batch = _Batch(
            rows={run.key: row for row, run in enumerate(runs)},
            firsts=firsts,
            cache=cache,
            sums=np.zeros((limbs, k, self.d), np.int64),
            counts=np.zeros(k, np.int64),
            changes=changes,
            scratch=[np.zeros(TILE * k, np.float32) for _ in range(self._workers.count)],
        )
        return self._batch

    def _modes(self, batch: _Batch) -> NDArray[np.int8]:
        """How each run is screened in this pass."""
        runs = len(batch.firsts) - 1
        if self._screen == "none":
            return np.full(runs, BRUTE, np.int8)
        if not len(batch.cache.anchors):
            return np.full(runs, PLAIN, np.int8)
        p = min(_DIRECTIONS, self.d // 4)
        if not self._basis.p and p and (batch.computed >= p / 2 or self._screen == "drift"):
            self._find_directions(min(p, self.n))
        batch.computed += int(batch.firsts[-1])
        drifting = self._basis.p or self._screen == "drift"
        return np.full(runs, DRIFT if drifting else PLAIN, np.int8)

    def _take_slot(self, batch: _Batch, e: Float64) -> int:
        """A slot for the anchors of this pass: the one that fewest tiles refer to; these are computed afresh."""
        slots = batch.cache.slots
        tiles = np.bincount(slots[slots >= 0], minlength=_SLOTS)
        slot = int(np.argmin(tiles))
        if tiles[slot]:
            slots[slots == slot] = NO_SLOT
        while len(batch.anchors) <= slot:
            batch.anchors.append(e)
        batch.anchors[slot] = e
        return slot

    def _tally(self, batch: _Batch, run: Run, row: int, moved: int) -> Tally:
        part = slice(batch.firsts[row], batch.firsts[row + 1])
        counts = batch.counts[part].copy()
        tally = Tally(batch.sums[:, part].copy(), counts, moved)
        empty = int(np.count_nonzero(counts == 0))
        if not empty:
            return tally
        return Tally(tally.sums, counts, moved, self._farthest(batch.cache.labels[row, : self.n], run.centroids, empty))

    def _farthest(self, labels: Int32, centroids: Float64, wanted: int) -> Int64:
        """The points farthest from their centroids, and their clusters, (e, 2); e <= wanted."""
        distances = np.empty(self.n)

        def measure(_: int, first: int, end: int) -> None:
            kernels.own_distances(self._flat, self.d, first, end, labels, centroids, distances)

        self._workers.each(measure, self.n, _STEP)
        order = np.argsort(-distances, kind="stable")[:wanted]
        order = order[distances[order] > 0]
        return np.stack([order, labels[order].astype(np.int64)], axis=1)

    def _find_directions(self, p: int) -> None:
        """Take leading directions from a sample, and project all points on them."""
        n, frame, known = self.n, self._survey.frame, self._known
        sample = frame.place(self.rows(np.linspace(0, n - 1, min(n, _SAMPLE)).astype(np.int64)))
        self._basis = basis = screening.leading_directions(sample, p)
        directions = np.ascontiguousarray(basis.directions.T)
        rows = np.concatenate([directions, frame.reference[np.newaxis].astype(np.float32)])
        shift = (directions.astype(np.float64) @ frame.reference).astype(np.float32)
        projections = np.empty((self._tiles, 2, p, 16), np.float32)
        along, squares = np.empty((2, self._tiles * TILE))
        scratch = [
            (np.empty(TILE * self.d, np.float32), np.empty(TILE * (p + 1), np.float32))
            for _ in range(self._workers.count)
        ]

        def project(worker: int, first: int, end: int) -> None:
            kernels.project(
                self._flat, n, (first, end), rows, shift, known.offset, known.scale, *scratch[worker],
                projections, along, squares,
            )  # fmt: skip

        self._workers.each(project, self._tiles, self._tiles_a_task)
        residuals = screening.residuals(frame, basis, known.norms.astype(np.float64), along, squares)
        self._known = known._replace(projections=projections, residuals=residuals)
