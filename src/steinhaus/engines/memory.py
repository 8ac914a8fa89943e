"""Points in memory (or memory-mapped): tiles of 32 points, shared out over a few threads."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from steinhaus.engines import kernels, screening
from steinhaus.engines.kernels import BRUTE, DRIFT, PLAIN, TILE
from steinhaus.engines.survey import survey
from steinhaus.engines.workers import Workers
from steinhaus.points import Float64, Int32, Int64, Run, Tally

Screen = Literal["auto", "drift", "plain", "none"]

_PAIRS = 4.0  # a tile is computed from the features where more than so many pairs a centroid are open, of 32
_DIRECTIONS = 64
_EARLY = 2
_COMPANY = 0.6
_SAMPLE = 1024  # points that the leading directions are taken from
_STEP = 4096  # points a task, for what is done seldom


@dataclass
class _Batch:
    """What is remembered of a set of runs: their centroids stand side by side, K in all."""

    rows: dict[Hashable, int]  # a run's row in the arrays
    firsts: Int64  # (R + 1,) where each run's centroids begin
    labels: Int32  # (R, N), -1: none yet
    sums: Int64  # (limbs, K, d)
    counts: Int64  # (K,)
    exact: Float64  # (K, d) the centroids of this pass
    plain: kernels.Scores
    fine: kernels.Scores
    drift: kernels.Scores
    anchors: kernels.Anchors
    debts: Float64  # (R,) what settling has cost since the anchors were taken, in pairs
    changes: list[kernels.Change]  # one a worker
    scratch: list[tuple[NDArray[np.float32], NDArray[np.float32]]]  # one a worker
    passes: int = 0


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
        self._x = x
        self._workers = Workers(threads)
        self._memory = max(2**30, x.nbytes) if memory is None else memory
        self._screen = screen
        self._tiles = -(-self.n // TILE)
        self._tiles_a_task = max(1, min(256, -(-self._tiles // (8 * self._workers.count))))
        self._survey = survey(x, self._workers)
        self.grid, self.totals = self._survey.grid, self._survey.totals
        self._rows = self._survey.rows
        self._basis = screening.Basis(np.empty((self.d, 0), np.float32), 0.0)
        norms = np.zeros(self._tiles * TILE, np.float32)
        norms[: self.n] = screening.upward(np.sqrt(self._survey.lengths) * (1 + 1e-6))
        frame = self._survey.frame
        self._known = kernels.Known(
            norms=norms,
            residuals=screening.upward(norms.astype(np.float64) + frame.reach),
            projections=np.empty((self._tiles, 2, 0, 16), np.float32),
            p=0,
            reach=screening.upward(frame.reach)[()],
            floor=screening.upward(2.0 * screening.float64_floor(self.d))[()],
        )
        self._batch: _Batch | None = None

    def assign(self, runs: Sequence[Run]) -> list[Tally]:
        """See `Points.assign`."""
        batch = self._remember(runs)
        active = np.array([batch.rows[run.key] for run in runs], np.int64)
        modes = self._modes(batch, active)
        self._prepare(batch, runs, active, modes)

        def label(worker: int, first: int, end: int) -> None:
            kernels.assign(
                self._rows, (first, end), active, batch.firsts, modes, batch.exact, batch.plain, batch.fine, batch.drift,
                batch.anchors, self._known, batch.labels, _PAIRS, *batch.scratch[worker], batch.changes[worker],
            )  # fmt: skip

        self._workers.each(label, self._tiles, self._tiles_a_task)
        moved, pairs, computed = (
            np.sum([getattr(change, name) for change in batch.changes], axis=0)
            for name in ("moved", "pairs", "computed")
        )
        self.statistics = {"moved": moved, "pairs": pairs, "computed": computed}
        batch.debts[active] += pairs[active] + np.where(modes == DRIFT, computed, 0)[active] * self._tile_cost(batch)[active]
        for change in batch.changes:
            kernels.collect(change, batch.sums, batch.counts)
        return [self._tally(batch, run, row, int(moved[row])) for run, row in zip(runs, active.tolist(), strict=True)]

    def rows(self, indices: Int64) -> Float64:
        """See `Points.rows`."""
        return self._x[indices].astype(np.float64)

    def squared_distances(self, indices: Int64) -> Float64:
        """See `Points.squared_distances`."""
        chosen = self.rows(indices)
        out = np.empty((len(indices), self.n))

        def measure(_: int, first: int, end: int) -> None:
            kernels.all_distances(self._rows, first, end, chosen, out)

        self._workers.each(measure, self.n, _STEP)
        return out

    def labels(self, key: Hashable) -> Int32:
        """See `Points.labels`."""
        if self._batch is None or key not in self._batch.rows:
            raise KeyError(f"No labels of run {key!r} are remembered: it was never assigned, or has been forgotten.")
        return self._batch.labels[self._batch.rows[key], : self.n].copy()

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
        bytes_alone = self._x.dtype.itemsize == 1 and self.n < 2**23  # then n x 255 < 2^31
        narrow = np.int32 if bytes_alone else np.int64
        changes = [
            kernels.Change(
                sums=np.zeros((limbs, k, self.d), narrow),
                counts=np.zeros(k, np.int64),
                touched=np.zeros(k, np.uint8),
                moved=np.zeros(len(runs), np.int64),
                pairs=np.zeros(len(runs), np.int64),
                computed=np.zeros(len(runs), np.int64),
            )
            for _ in range(self._workers.count)
        ]
        rows = np.empty((k, self.d), np.float32)
        self._batch = _Batch(
            rows={run.key: row for row, run in enumerate(runs)},
            firsts=firsts,
            labels=np.full((len(runs), width), -1, np.int32),
            sums=np.zeros((limbs, k, self.d), np.int64),
            counts=np.zeros(k, np.int64),
            exact=np.empty((k, self.d)),
            plain=_scores(rows),
            fine=_scores(rows),
            drift=_scores(np.empty((k, self._basis.p), np.float32)),
            anchors=kernels.Anchors(
                products=np.empty((self._tiles if anchored else 0, k, TILE), np.float32),
                rows=np.zeros((k, self.d)),
                along=np.zeros((k, self._basis.p)),
                norms=np.zeros(k),
            ),
            debts=np.full(len(runs), np.inf),
            changes=changes,
            scratch=[
                (np.empty(TILE * self.d, np.float32), np.empty(TILE * k, np.float32))
                for _ in range(self._workers.count)
            ],
        )
        return self._batch

    def _modes(self, batch: _Batch, active: Int64) -> NDArray[np.int8]:
        """How each run is screened in this pass; runs in mode PLAIN get new anchors."""
        runs, k = len(batch.firsts) - 1, int(batch.firsts[-1])
        if self._screen == "none":
            return np.full(runs, BRUTE, np.int8)
        if not len(batch.anchors.products):
            return np.full(runs, PLAIN, np.int8)
        p = min(_DIRECTIONS, self.d // 64 * 16, self.n // 16 * 16)
        if not self._basis.p and p and (batch.passes >= _EARLY or self._screen == "drift"):
            self._find_directions(p)
            batch.drift = _scores(np.empty((k, p), np.float32))
            along = batch.anchors.rows @ self._basis.directions.astype(np.float64)
            batch.anchors = batch.anchors._replace(along=along)
        batch.passes += 1
        due = batch.debts / (self._tiles * self._tile_cost(batch))
        if (due[active] >= 1).any():
            due = due / _COMPANY
        drifting = (due < 1) & (bool(self._basis.p) or self._screen == "drift")
        modes = np.where(drifting, DRIFT, PLAIN).astype(np.int8)
        renewed = active[~drifting[active]]
        batch.debts[renewed] = 0
        return modes

    def _tile_cost(self, batch: _Batch) -> Float64:
        """What it costs to compute a tile's products from the features, in pairs settled, (R,)."""
        return 25 + 3.0 * np.diff(batch.firsts)

    def _prepare(self, batch: _Batch, runs: Sequence[Run], active: Int64, modes: NDArray[np.int8]) -> None:
        """Work out the bounds of the active runs' centroids."""
        frame = self._survey.frame
        directions = self._basis.directions.astype(np.float64)
        rates = screening.rates(frame, self._basis)

        def prepare(_: int, first: int, end: int) -> None:
            for run, row in zip(runs[first:end], active[first:end], strict=True):
                j0, j1 = batch.firsts[row], batch.firsts[row + 1]
                batch.exact[j0:j1] = run.centroids
                kernels.prepare(
                    j0, j1, batch.exact, frame.offset, frame.scale, frame.reference, directions, rates,
                    modes[row] == PLAIN, batch.plain, batch.fine, batch.drift, batch.anchors,
                )  # fmt: skip

        self._workers.each(prepare, len(runs), 1)

    def _tally(self, batch: _Batch, run: Run, row: int, moved: int) -> Tally:
        part = slice(batch.firsts[row], batch.firsts[row + 1])
        counts = batch.counts[part].copy()
        tally = Tally(batch.sums[:, part].copy(), counts, moved)
        empty = int(np.count_nonzero(counts == 0))
        if not empty:
            return tally
        return Tally(tally.sums, counts, moved, self._farthest(batch.labels[row, : self.n], run.centroids, empty))

    def _farthest(self, labels: Int32, centroids: Float64, wanted: int) -> Int64:
        """The points farthest from their centroids, and their clusters, (e, 2); e <= wanted."""
        distances = np.empty(self.n)

        def measure(_: int, first: int, end: int) -> None:
            kernels.own_distances(self._rows, first, end, labels, centroids, distances)

        self._workers.each(measure, self.n, _STEP)
        order = np.argsort(-distances, kind="stable")[:wanted]
        order = order[distances[order] > 0]
        return np.stack([order, labels[order].astype(np.int64)], axis=1)

    def _find_directions(self, p: int) -> None:
        """Take leading directions from a sample, and project all points on them."""
        n, frame, known = self.n, self._survey.frame, self._known
        sample = frame.place(self.rows(np.linspace(0, n - 1, min(n, _SAMPLE)).astype(np.int64)))
        with threadpool_limits(1, "blas"):
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
                self._rows, (first, end), rows, shift, *scratch[worker], projections, along, squares
            )  # fmt: skip

        self._workers.each(project, self._tiles, self._tiles_a_task)
        residuals = screening.residuals(frame, basis, known.norms.astype(np.float64), along, squares)
        self._known = known._replace(projections=projections, residuals=residuals, p=p)


def _scores(rows: NDArray[np.float32]) -> kernels.Scores:
    return kernels.Scores(rows, *np.zeros((4, len(rows)), np.float32))
