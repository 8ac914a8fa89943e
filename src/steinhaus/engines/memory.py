"""Points in memory (or memory-mapped): tiles of 32 points, shared out over a few threads."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from steinhaus.engines import (
    centroid_kernels,
    distance_kernels,
    kernels,
    products,
    records,
)
from steinhaus.engines.batch import Batch, batch_of
from steinhaus.engines.bounds.bytes import NO_GRAIN, grain_of, may_pay, pays
from steinhaus.engines.bounds.distances import float64_floor, settled_floor
from steinhaus.engines.bounds.rounding import length_above, norms_above, upward
from steinhaus.engines.bounds.scores import Basis, plain_floor, product_slope, rates
from steinhaus.engines.outline import outline
from steinhaus.engines.parts import chances
from steinhaus.engines.records import BRUTE, FULL, PLAIN, TILE
from steinhaus.engines.survey import survey
from steinhaus.engines.workers import Workers
from steinhaus.handing import Handed
from steinhaus.points import Float64, Grid, Int32, Int64, Run, Tally

Screen = Literal["auto", "drift", "plain", "none"]

_FEW_CENTROIDS, _FEW_DIRECTIONS, _DIRECTIONS = 20, 32, 48
_FEW_FEATURES = 128  # a million embeddings of so many, K = 256: 32 directions are as fast as 48, and are smaller tables
_STEP = 4096  # points a task, for what is done seldom
_SAMPLE = 1024  # points that tell how long a step of such bytes is
_TASKS = 4  # tasks a worker, in a pass over the points
_CENTROIDS = 64  # centroids a task, when bounds are worked out
# Points a cluster, on average, from which on it pays to order points by their cluster first: a million embeddings, K =
# 256, 5.7 s instead of 6.5; MNIST, K = 100, 0.73 s instead of 0.79; K = 1000, 60 points a cluster, no gain.
_CLUSTER = 128


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
        "auto"; or always the same: "drift" (from the second pass on, bounds from anchors), "plain" (float32 products
        of all features), "none" (every pair is settled in float64). Results are the same.
    grid
        Where x is a part of the points, known to be finite: the grid of the whole. Tallies of parts add up then.
    workers
        Threads to use instead of some of its own; they stay open.

    Raises
    ------
    DataError
        A point is not finite, or too large to be squared.
    """

    def __init__(
        self,
        x: NDArray[Any],
        *,
        threads: int | None = None,
        memory: int | None = None,
        screen: Screen = "auto",
        grid: Grid | None = None,
        workers: Workers | None = None,
    ) -> None:
        self.n, self.d = x.shape
        self._x = x
        self._workers = workers or Workers(threads)
        self._ends_workers = workers is None
        self._memory = max(2**30, x.nbytes) if memory is None else memory
        self._screen = screen
        self._tiles = -(-self.n // TILE)
        self._tiles_a_task = max(1, min(512, -(-self._tiles // (_TASKS * self._workers.count))))
        self._tiles_at_once = max(1, min(32, self._tiles // (_TASKS * self._workers.count)))
        self._survey = survey(x, self._workers, grid)
        self.grid, self.totals = self._survey.grid, self._survey.totals
        self._rows, self._points = self._survey.rows, Handed(self._survey.rows)
        self._basis, self._grain = Basis(np.empty((self.d, 0), np.float32), 0.0), NO_GRAIN
        self._look()
        frame, width = self._survey.frame, self._tiles * TILE
        norms = norms_above(self._survey.lengths)
        order = np.minimum(np.arange(width), self.n - 1)
        placed = norms[order]
        self._known = records.Known(
            order=order,
            norms=placed,
            residuals=upward(placed.astype(np.float64) + frame.reach),
            projections=np.empty((self._tiles, 2, 0, 16), np.float32),
            p=0,
            reach=upward(np.array([frame.reach]))[0],
            floor=upward(np.array([settled_floor(self.d)]))[0],
            coarse=placed,
        )
        self._rounding_pays = True  # until a pass shows otherwise
        self._shapeless = False  # whether leading directions were found to be of no use
        self._batch: Batch | None = None
        self._view: Handed | None = None  # the kernels' view of it
        self.work = np.zeros((5, 0), np.int64)  # of the last pass, a column a run: see records.Change

    def assign(self, runs: Sequence[Run]) -> list[Tally]:
        """See `Points.assign`."""
        tallies = self.tallies(runs)
        for place, run in enumerate(runs):
            if empty := int(np.count_nonzero(tallies[place].counts == 0)):
                tallies[place] = replace(tallies[place], farthest=self.farthest(run, empty)[0])
        return tallies

    def tallies(self, runs: Sequence[Run]) -> list[Tally]:
        """As `assign`, but `farthest` stays out."""
        batch = self._remember(runs)
        active = np.array([batch.rows[run.key] for run in runs], np.int64)
        modes = self._modes(batch)
        view = self._view_of(batch)
        self._prepare(batch, view, runs, active, modes)
        fresh = active[modes[active] == PLAIN]
        orders = batch.orders
        orders.queue[:] = 0, self._tiles, self._tiles_at_once
        orders.many[0] = len(active)
        orders.active[: len(active)], orders.modes[:] = active, modes
        if len(fresh):
            orders.spare[:] = batch.spare(fresh)

        def label(worker: int, _first: int, _end: int) -> None:
            kernels.assign(self._points, view, batch.handed_orders, batch.handed_workers[worker])

        self._workers.each(label, min(self._workers.count, -(-self._tiles // self._tiles_at_once)), 1)
        self.work = work = np.zeros((records.WORKS, len(modes)), np.int64)
        for change in batch.handed_changes:
            kernels.collect(view, change, batch.sums, batch.counts, work)
        batch.account(work, fresh, self._known.p / self.d)
        if self._screen == "auto":
            full = (modes == PLAIN) | (modes == FULL)
            pairs, computed = work[records.PAIRS, full].sum(), work[records.COMPUTED, full].sum()
            if self._grain.step and not pays(int(pairs), int(computed), self.d):
                self._rounding_pays = False
                self._take_grain(False)
                batch.debts[:] = np.inf  # products that are kept are those of rounded points
            batch.rest(modes, work)
        moved = work[records.MOVED].tolist()
        return [self._tally(batch, row, moved[row]) for row in active.tolist()]

    def without_the_pass(self, runs: Sequence[Run]) -> list[Tally]:
        """Do what comes before and after the kernels' pass, to compile it (see `warming`); tallies are empty."""
        batch = self._remember(runs)
        active = np.arange(len(runs))
        self._take_outline(batch, self._how_many_directions(len(batch.counts)))
        self._take_up_gaps(batch)
        view = self._view_of(batch)
        self._prepare(batch, view, runs, active, np.full(len(runs), PLAIN, np.int8))
        work = np.zeros((records.WORKS, len(runs)), np.int64)
        for change in batch.handed_changes:
            kernels.collect(view, change, batch.sums, batch.counts, work)
        self._batch = None
        return [self._tally(batch, row, 0) for row in active.tolist()]

    def types_of_pass(self, runs: Sequence[Run]) -> tuple[Any, ...]:
        """The types of what `kernels.assign` is called with."""
        batch = self._remember(runs)
        return self._points.kind, self._view_of(batch).kind, batch.handed_orders.kind, batch.handed_workers[0].kind

    def farthest(self, run: Run, wanted: int, labels: Int32 | None = None) -> tuple[Int64, Float64]:
        """The points that lie farthest from their centroids, for a run that was just assigned, or by given labels.

        Returns
        -------
        (e, 2) int64, e <= wanted
            The points and their clusters, as in a tally.
        (e,) float64
            Their squared distances.
        """
        labels = self.labels(run.key) if labels is None else labels
        distances = self.own_distances(run, labels)
        order = np.argsort(-distances, kind="stable")[:wanted]
        order = order[distances[order] > 0]
        return np.stack([order, labels[order].astype(np.int64)], axis=1), distances[order]

    def explain(self, k: int, runs: int = 1) -> str:
        """Say how `runs` runs with k centroids each would be screened, and why."""
        sizes = np.full(runs, k)
        p = self._how_many_directions(k * runs)
        tables = self._table_bytes(sizes) / 2**20
        kind = "bytes" if self._survey.frame.bytewise else "float32"
        if self._is_rounded(k * runs):
            kind = "bytes (points are rounded to them)"
        if self._screen in ("plain", "none"):
            return f"Asked for: {self._screen}."
        if not p:
            return (
                f"Products of all features in {kind}, every time: {self.n} points are too few to take directions from."
            )
        if self._shapeless:
            return (
                f"Products of all features in {kind}, every time: leading directions hold too little of these points."
            )
        if not self._fits(sizes):
            return (
                f"Products of all features in {kind}, every time: gaps and anchors would take {tables:,.0f} MiB of the "
                f"{self._memory / 2**20:,.0f} MiB that screening may use. Allow more with memory=."
            )
        return (
            f"First pass: products of all {self.d} features in {kind}. Then {p} leading directions are taken, and the "
            f"points ordered into {self._tiles:,} tiles of {TILE} near ones. A tile looks only at centroids whose gap "
            f"may have closed, by the directions and from anchors; what stays open is computed from the features. "
            f"Tables: {tables:,.0f} MiB. A run takes new anchors when what their age costs comes to what they cost."
        )

    def own_distances(self, run: Run, labels: Int32 | None = None) -> Float64:
        """The squared distance of each point to its own centroid, (n,) float64, for a run that was just assigned, or by
        given labels, (n,).
        """
        distances, labels = np.empty(self.n), self.labels(run.key) if labels is None else labels

        def measure(_: int, first: int, end: int) -> None:
            distance_kernels.own_distances(self._rows, first, end, labels, run.centroids, distances)

        self._workers.each(measure, self.n, _STEP)
        return distances

    def sample(self, run: Run, factor: float, seed: int) -> Int64:
        """See `seeding.Sampled`."""
        return np.flatnonzero(chances(seed, np.arange(self.n)) < factor * self.own_distances(run))

    def rows(self, indices: Int64) -> Float64:
        """See `Points.rows`."""
        return self._x[indices].astype(np.float64)

    def squared_distances(self, indices: Int64, below: Float64 | None = None) -> Float64:
        """See `Points.squared_distances`."""
        return self.squared_distances_to(self.rows(indices), below)

    def squared_distances_to(self, chosen: Float64, below: Float64 | None = None) -> Float64:
        """The squared distances of all points to any others, (m, d) -> (m, n) float64; see `Points` for `below`."""
        m, out = len(chosen), np.empty((len(chosen), self.n))
        if below is None or self._screen == "none":

            def measure(_: int, first: int, end: int) -> None:
                distance_kernels.all_distances(self._rows, first, end, chosen, out)

            self._workers.each(measure, self.n, _STEP)
            return out
        frame, d = self._survey.frame, self.d
        placed = (chosen - frame.offset) * frame.scale
        factors = records.factors_of(m, d, frame.bytewise)
        factors.rows[:] = placed
        rests = products.halved(placed, Handed(factors)) if frame.bytewise else np.zeros(m)
        squares = np.square(placed).sum(axis=1)
        norms = length_above.py_func(squares)
        slopes = product_slope.py_func(norms, rests, self._rates.plain, self._rates)
        floors = plain_floor.py_func(norms, 0.0, self._rates)
        with np.errstate(over="ignore", under="ignore"):
            limits = below * frame.scale**2
        rooms = [Handed(records.room_of(m, d, frame.bytewise)) for _ in range(self._workers.count)]
        points, known, within = Handed(self._rows), Handed(self._known), Handed(
            records.Within(
                m, self._survey.lengths, limits, chosen, factors, norms, squares, slopes, floors,
                float64_floor(d),
            )
        )  # fmt: skip

        def screen(worker: int, first: int, end: int) -> None:
            distance_kernels.distances_below(points, known, within, rooms[worker], first, end, out)

        self._workers.each(screen, self._tiles, self._tiles_a_task)
        return out

    def labels(self, key: Hashable) -> Int32:
        """See `Points.labels`."""
        if self._batch is None or key not in self._batch.rows:
            raise KeyError(f"No labels of run {key!r} are remembered: it was never assigned, or has been forgotten.")
        return self._by_index(self._batch.labels[self._batch.rows[key]])

    def knows(self, run: Run) -> bool:
        """Whether `labels` are those of this run's centroids."""
        if (batch := self._batch) is None or run.key not in batch.rows:
            return False
        row = batch.rows[run.key]
        return np.array_equal(batch.exact[batch.firsts[row] : batch.firsts[row + 1]], run.centroids)

    def forget(self, key: Hashable) -> None:
        """See `Points.forget`."""
        if self._batch is not None:
            self._batch.rows.pop(key, None)
            if not self._batch.rows:
                self._batch = None

    def close(self) -> None:
        """See `Points.close`."""
        if self._ends_workers:
            self._workers.close()
        self._batch = None

    @property
    def squares(self) -> Fraction | int:
        """What `totals.squares` is rounded from."""
        return self._survey.squares

    @property
    def nbytes(self) -> int:
        """Bytes of all that is remembered, the points themselves left out."""
        return _bytes_of([self._survey.lengths, self._basis.directions, self._known, vars(self._batch or self._basis)])

    def lend(self, x: NDArray[Any] | None) -> None:
        """Put the same points, read again, in the place of the array that was given; None: let go of it until then."""
        self._x = np.empty((0, self.d), self._x.dtype) if x is None else x
        flat = self._x.reshape(-1).view()
        flat.flags.writeable = False
        self._rows = self._rows._replace(values=flat)
        self._points = Handed(self._rows._replace(grain=self._grain))
        self._survey = replace(self._survey, rows=self._rows)

    def _remember(self, runs: Sequence[Run]) -> Batch:
        """The cache for these runs; a new one where any of them is not in it."""
        if self._batch is not None and all(run.key in self._batch.rows for run in runs):
            return self._batch
        sizes = np.array([len(run.centroids) for run in runs])
        self._take_grain(self._is_rounded(int(sizes.sum())))
        self._batch = batch_of(
            [run.key for run in runs],
            sizes,
            self._wanted(sizes) if self._fits(sizes) else np.zeros_like(sizes),
            limbs=len(self.totals.sums),
            d=self.d,
            p=self._basis.p,
            tiles=self._tiles,
            workers=self._workers.count,
            bytewise=self._survey.frame.bytewise,
            grained=bool(self._grain.step),
            narrow=self._x.dtype.itemsize == 1 and self.n < 2**23,  # then n x 255 < 2^31
        )
        self._view = None
        return self._batch

    def _wanted(self, sizes: Int64) -> Int64:
        """How many products to keep for each run in every tile, (R,): of all few centroids, of the nearest of many."""
        return np.minimum(np.minimum(sizes, 16 + sizes // 16), records.MANY_SLOTS)

    def _table_bytes(self, sizes: Int64) -> int:
        """What gaps, anchors' products and projections of runs of these sizes take."""
        columns = int((-(-sizes // 16) * 16).sum())
        floats = TILE * (self._how_many_directions(int(sizes.sum())) + int(self._wanted(sizes).sum()))
        return int(self._tiles * (columns * (4 + 1 + 1) + 4 * floats))

    def _fits(self, sizes: Int64) -> bool:
        return self._screen in ("auto", "drift") and self._table_bytes(sizes) <= self._memory

    def _by_index(self, by_position: NDArray[Any]) -> NDArray[Any]:
        """Bring values from the order of positions into that of the points."""
        values = np.empty(self.n, by_position.dtype)
        values[self._known.order[: self.n]] = by_position[: self.n]
        return values

    def _modes(self, batch: Batch) -> NDArray[np.int8]:
        """How each run is screened in this pass; runs in mode PLAIN take new anchors, where anchors are kept."""
        runs = len(batch.firsts) - 1
        if self._screen == "none":
            return np.full(runs, BRUTE, np.int8)
        p = self._how_many_directions(int(batch.firsts[-1]))
        if not len(batch.anchors.slots) or not p:
            return np.full(runs, PLAIN, np.int8)
        if batch.passes or self._screen == "drift":
            if not self._basis.p and not self._shapeless:
                self._take_outline(batch, p)
            if self._shapeless:
                return np.full(runs, FULL, np.int8)
            if not len(batch.gaps.gaps):
                self._take_up_gaps(batch)
        batch.passes += 1
        return batch.modes()

    def _how_many_directions(self, k: int) -> int:
        """How many leading directions to take for k centroids: a multiple of 16, 0 for none."""
        if self.d <= _FEW_DIRECTIONS:
            return int(-(-self.d // 16) * 16)
        most = _FEW_DIRECTIONS if k <= _FEW_CENTROIDS or self.d <= _FEW_FEATURES else _DIRECTIONS
        return int(min(most, self.n // 16 * 16))

    def _view_of(self, batch: Batch) -> Handed:
        if self._view is None:
            self._view = batch.handed(self._known)
        return self._view

    def _prepare(self, batch: Batch, view: Handed, runs: Sequence[Run], active: Int64, modes: NDArray[np.int8]) -> None:
        """Work out the bounds of the active runs' centroids."""
        parts = []
        for run, row in zip(runs, active.tolist(), strict=True):
            first, end = int(batch.firsts[row]), int(batch.firsts[row + 1])
            batch.exact[first:end] = run.centroids
            column = int(batch.columns[row])
            starts = range(first, end, _CENTROIDS)
            parts += [(j, min(j + _CENTROIDS, end), column + j - first, modes[row] == PLAIN) for j in starts]

        def prepare(_: int, first: int, end: int) -> None:
            for j0, j1, column, fresh in parts[first:end]:
                centroid_kernels.prepare(view, self._lens, j0, j1, column, fresh)

        self._workers.each(prepare, len(parts), 1)
        if batch.anchors.apart.size and any(fresh for *_, fresh in parts):
            self._space(batch, view, active[modes[active] == PLAIN])

    def _space(self, batch: Batch, view: Handed, fresh: Int64) -> None:
        """Measure how far apart the new anchors of these runs are."""
        runs = [(int(batch.firsts[row]), int(batch.firsts[row + 1])) for row in fresh]
        parts = [
            (j, min(j + _CENTROIDS, end), first, end) for first, end in runs for j in range(first, end, _CENTROIDS)
        ]

        def space(_: int, first: int, end: int) -> None:
            for part in parts[first:end]:
                centroid_kernels.space(view, self.d, *part)

        self._workers.each(space, len(parts), 1)

    def _tally(self, batch: Batch, row: int, moved: int) -> Tally:
        part = slice(batch.firsts[row], batch.firsts[row + 1])
        return Tally(batch.sums[:, part].copy(), batch.counts[part].copy(), moved)

    def _look(self) -> None:
        """See centroids by the frame, the basis and the grain as they are now."""
        frame, basis, step = self._survey.frame, self._basis, float(self._grain.step)
        self._rates = rates(frame, basis)
        self._lens = Handed(
            records.Lens(
                frame.offset, frame.scale, frame.reference, basis.directions.astype(np.float64), self.d, basis.p,
                records.width_of(self.d, frame.bytewise or step > 0), step,
                rates(frame, basis, self._grain.rate) if step else self._rates,
            )
        )  # fmt: skip

    def _is_rounded(self, k: int) -> bool:
        """Whether points of floats are to be rounded to bytes, for k centroids."""
        if not products.TAKES_BYTES or self._rows.integers:
            return False
        if self._screen == "auto":
            return self._rounding_pays and may_pay(self.d, k)
        return self._screen == "drift"

    def _take_grain(self, rounded: bool) -> None:
        """From now on round points to bytes, or multiply them as they are."""
        if rounded == bool(self._grain.step):
            return
        self._grain = NO_GRAIN
        if rounded:
            frame, some = self._survey.frame, np.linspace(0, self.n - 1, min(self.n, _SAMPLE)).astype(np.int64)
            self._grain = grain_of(frame, frame.place(self.rows(some)))
        self._known = self._known._replace(coarse=self._coarse(self._known.norms))
        self._points = Handed(self._rows._replace(grain=self._grain))
        self._view = None
        self._look()

    def _coarse(self, norms: NDArray[np.float32]) -> NDArray[np.float32]:
        """What stands in place of the points' norms where they are rounded: not known before they are."""
        return np.full_like(norms, np.inf) if self._grain.step else norms

    def _take_outline(self, batch: Batch, p: int) -> None:
        """Look for p leading directions; where they tell something, bring what is known into the points' new order."""
        alone = len(batch.labels) == 1 and batch.passes > 0 and self.n >= _CLUSTER * len(batch.counts)
        labels, forced = batch.labels[0, : self.n] if alone else None, self._screen == "drift"
        room = batch.anchors.products  # nothing is in it before the next pass
        found = outline(
            self._rows, self._survey.frame, self._known, p, self._workers, labels=labels, forced=forced, room=room
        )
        self._shapeless = found is None
        if found:
            self._basis, self._known = found.basis, found.known._replace(coarse=self._coarse(found.known.norms))
            self._look()
            self._view = None
            batch.labels = np.ascontiguousarray(batch.labels[:, found.known.order])

    def _take_up_gaps(self, batch: Batch) -> None:
        """From now on keep gaps and anchors, in the points' new order; the next pass is a full one."""
        k, p = len(batch.counts), self._basis.p
        batch.drift, batch.far = (records.scores_of(np.empty((k, p), np.float32)) for _ in range(2))
        batch.anchors = batch.anchors._replace(along=np.zeros((k, p)))
        batch.gaps = batch.gaps._replace(gaps=np.full((self._tiles, int(batch.columns[-1])), -np.inf, np.float32))
        batch.debts[:] = np.inf
        self._view = None


def _bytes_of(held: Any) -> int:
    """Bytes of the arrays in a record, and in the records within it."""
    return sum({id(array): array.nbytes for array in _arrays_of(held)}.values())


def _arrays_of(held: Any) -> Iterator[NDArray[Any]]:
    if isinstance(held, np.ndarray):
        yield held
    for part in held.values() if isinstance(held, dict) else held if isinstance(held, tuple | list) else ():
        yield from _arrays_of(part)
