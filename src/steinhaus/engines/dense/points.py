"""Points in memory, or memory-mapped: threads label them in tiles of 32 points."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steinhaus.engines.bounds import bytes as rounding
from steinhaus.engines.bounds import scores
from steinhaus.engines.dense import records, tallies
from steinhaus.engines.dense.advancing import Advance, Read
from steinhaus.engines.dense.becoming import become
from steinhaus.engines.dense.directions import arranged
from steinhaus.engines.dense.framed import TASKS, FramedPoints
from steinhaus.engines.dense.labelling import assign
from steinhaus.engines.dense.moves import order_by_moves
from steinhaus.engines.dense.policy import Screen, rounding_pays
from steinhaus.engines.dense.preparing import prepare
from steinhaus.engines.dense.records import BRUTE, FEATURES, LISTED, RENEW, bytes_of
from steinhaus.engines.dense.second import Seconds
from steinhaus.engines.dense.sketches import Sketching, place_sketches
from steinhaus.engines.dense.state import Batch, batch_of
from steinhaus.engines.dense.survey import sampled_quantiser
from steinhaus.engines.exact.closest import NearestRows
from steinhaus.engines.exact.distances import farthest
from steinhaus.engines.exact.held import no_labels
from steinhaus.engines.exact.nearest import two_nearest
from steinhaus.engines.exact.updating import gone_on
from steinhaus.engines.workers import Workers
from steinhaus.jit.handed import Handed
from steinhaus.points import Float64, Grid, Int32, Int64, Margins, Nearest, Run, Tally

_AT_ONCE = 4096  # the most iterations of one call of `advance`


class MemoryPoints(FramedPoints):
    """An (n, d) array of points, with the tables of its screens. See `Points` for the contract.

    Parameters
    ----------
    x
        (n, d) array of a real type, C-contiguous, n >= 1, d >= 1.
    threads
        Threads to use, the calling one included; None: one a core.
    memory
        The most bytes for tables of screens; None: the larger of 1 GiB and the size of x.
    screen
        "auto", or one screen for all passes: "drift" (bounds from anchors, from the second pass on), "plain" (products
        of all features in float32) or "none" (every pair is settled in float64). Results are the same.
    grid
        The grid of all points, if x is a part of them and known to be finite. Then tallies of parts add up.
    workers
        Threads of the caller, which stay open; None: threads of its own.

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
        super().__init__(x, threads=threads, memory=memory, screen=screen, grid=grid, workers=workers)
        self._tiles_at_once = max(1, min(32, self._policy.tiles // (TASKS * self._workers.count)))
        self._handed_readers = Handed(self._readers)
        self._look()
        self._rounding_pays = True  # until a pass shows otherwise
        self._sketching = Sketching()
        self._batch: Batch | None = None
        self._view: Handed | None = None  # the record by which kernels read the batch
        self._ended: set[Hashable] = set()  # runs whose points `advance` has labelled for the next iteration
        self._longest = float(self._tiles.norms.max() + self._tiles.reach)  # at least |y| of all points
        self._left = _AT_ONCE  # the most passes that runs still need, as far as known
        self.work = np.zeros((records.WORKS, 0), np.int64)  # of the last pass, a column a run: see records.Change

    def assign(self, runs: Sequence[Run]) -> list[Tally]:
        """See `Points.assign`."""
        tallies = self.tallies(runs)
        for place, run in enumerate(runs):
            if not run.stop and (empty := int(np.count_nonzero(tallies[place].counts == 0))):
                tallies[place] = replace(tallies[place], farthest=self.farthest(run, empty)[0])
        return tallies

    def tallies(self, runs: Sequence[Run]) -> list[Tally]:
        """As `assign`, without `farthest`."""
        batch = self._remember(runs)
        left = [run for run in runs if run.key not in self._ended or not self.knows(run)]
        self._ended.clear()
        if left:
            self._pass(batch, batch.place(left), 1 if all(run.stop for run in left) else self._left)
        return [self._tally(batch, batch.rows[run.key]) for run in runs]

    def advance(self, runs: Sequence[Run], *, tolerance: float, most: Sequence[int]) -> list[Run]:
        """See `Advancing.advance`. All runs advance together, up to the iteration that ends any of them."""
        limit = min([_AT_ONCE, *most])
        self._left = max(most, default=0) + 2  # lloyd does the last iteration, and perhaps labels the points once more
        if not runs or not limit:
            return list(runs)
        batch = self._remember(runs)
        active = batch.place(runs)
        going = Advance(batch, active, self.grid, self.totals, self._halves, limit, tolerance, self._workers)
        self._ended.clear()
        while going.gone < limit and not going.ends:
            if self._is_steady(batch):
                self._iterate(batch, going, active, limit - going.gone)
            else:
                self._pass(batch, active, self._left - going.gone)
                going.update(self._read(batch))
        if going.ends:
            self._ended = {run.key for run in runs}
        return [
            gone_on(run, batch.exact[batch.part(row)], self.totals, costs[: going.gone])
            for run, row, costs in zip(runs, active.tolist(), going.history, strict=True)
        ]

    def farthest(self, run: Run, wanted: int) -> tuple[Int64, Float64]:
        """See `distances.farthest`. The run must be one that was just assigned."""
        return farthest(self.own_distances(run), self.labels(run.key), wanted)

    def explain(self, k: int, runs: int = 1) -> str:
        """See `Points.explain`."""
        return self._policy.explain(k, runs, pays=self._rounding_pays, shapeless=self._shapeless)

    def own_distances(self, run: Run) -> Float64:
        """The squared distance of each point to its own centroid, (n,) float64, for a run that was just assigned."""
        return self._distances_of(self.labels(run.key), np.ascontiguousarray(run.centroids))

    def two_nearest(self, run: Run) -> tuple[Float64, Float64]:
        """See `TwoNearest.two_nearest`."""
        if self._policy.screen == "none" or len(run.centroids) == 1:
            return two_nearest(self, run)
        return self._seconds(run).distances(np.arange(self.n))

    def margins(self, run: Run) -> Margins:
        """See `BoundedMargins.margins`."""
        return self._seconds(run).margins()

    def _seconds(self, run: Run) -> Seconds:
        batch, centroids = self._remember([run]), np.ascontiguousarray(run.centroids)
        labels = self.labels(run.key)
        return Seconds(self._reading(), batch, batch.rows[run.key], labels, centroids, self._tiles_a_task)

    def nearest(self, weights: Int64 | None) -> Nearest:
        """See `Sampling.nearest`."""
        few = partial(few_points, self._x.dtype, self._workers.count)
        return NearestRows(self.n, self.rows, self.bring, few, weights)

    def labels(self, key: Hashable) -> Int32:
        """See `Points.labels`."""
        if self._batch is None or key not in self._batch.rows:
            raise no_labels(key)
        by_position = self._batch.labels[:, self._batch.rows[key]].reshape(-1)
        labels = np.empty(self.n, np.int32)
        labels[self._tiles.order[: self.n]] = by_position[: self.n]
        return labels

    def knows(self, run: Run) -> bool:
        """Whether the labels of this run belong to its centroids."""
        if (batch := self._batch) is None or run.key not in batch.rows:
            return False
        return np.array_equal(batch.exact[batch.part(batch.rows[run.key])], run.centroids)

    def forget(self, key: Hashable) -> None:
        """See `Points.forget`."""
        if self._batch is not None:
            self._batch.rows.pop(key, None)
            self._ended.discard(key)
            if not self._batch.rows:
                self._batch = None

    def close(self) -> None:
        """See `Points.close`."""
        if self._ends_workers:
            self._workers.close()
        self._batch = None

    @property
    def nbytes(self) -> int:
        """Bytes of all tables, without the points themselves."""
        tables = [self._lengths, self._basis.directions, self._tiles, self._sketching.made]
        return bytes_of([*tables, vars(self._batch or self._basis)])

    def allow(self, memory: int) -> None:
        """Set the most bytes for tables of screens, from the next new runs on."""
        self._policy = replace(self._policy, memory=memory)

    def _look(self) -> None:
        """Update the records for centroids after a change of the frame, the basis or the quantiser."""
        self._rates = scores.rates(self._frame, self._basis)
        self._centroid_frame = Handed(records.centroid_frame_of(self._frame, self._basis, self._framed.quantiser))

    def _remember(self, runs: Sequence[Run]) -> Batch:
        """The state of these runs; a new one if any of them is not in it."""
        batch = self._batch
        if batch is not None and all(batch.holds(run) for run in runs):
            return batch
        sizes = np.array([len(run.centroids) for run in runs])
        goes_on = batch is not None and batch.is_of(runs) and self._policy.fits(sizes)
        if not goes_on:
            self._round(self._policy.rounds(int(sizes.sum()), self._rounding_pays))
        kept = self._policy.kept(sizes) if self._policy.fits(sizes) else np.zeros_like(sizes)
        shape = self._policy.capacity(
            self._x.dtype, self._basis.p, self._workers.count, quantised=bool(self._framed.quantiser.step)
        )
        if batch is not None and goes_on:
            self._batch = become(batch, runs[0], int(kept[0]), shape, self._centroid_frame, self._workers)
        else:
            self._batch = batch_of([run.key for run in runs], sizes, kept, shape)
        self._view = None
        self._ended.clear()
        return self._batch

    def _pass(self, batch: Batch, active: Int64, left: int) -> None:
        """Label the points by the centroids in the batch.

        active: (m,) rows of the runs; left: the most passes of any of them, this one included.
        """
        modes = self._modes(batch, left)
        read = self._read(batch)
        prepare(batch, read.view, read.frame, active, modes, self._workers)
        if self._sketch(batch, read):
            read = self._read(batch)
        if batch.directions_sketched:
            place_sketches(batch, read.view, read.frame, active, self._workers)
        fresh, listed = active[modes[active] == RENEW], active[modes[active] == LISTED]
        order_by_moves(batch, listed, self._longest)
        batch.order(active, modes)
        work, first = np.zeros((records.WORKS, len(modes)), np.int64), 0
        if self._sketching.are_new(batch):
            first = self._policy.probed
            self._label(batch, read, work, 0, first)
            if self._sketching.give_up(batch, work):
                self._view = None
                read = self._read(batch)
                order_by_moves(batch, listed, self._longest)
        self._label(batch, read, work, first, self._policy.tiles)
        if self._sketching.are_new(batch):
            self._sketching.have_been_computed()
            self._view = None
        self._count(work)
        batch.account(work, fresh)
        batch.listed[fresh] = len(batch.neighbours.names) > 0
        if self._policy.screen == "auto":
            self._judge_rounding(batch, modes)
        if self._sketching.give_up(batch, work):
            self._view = None

    def _label(self, batch: Batch, read: Read, work: Int64, first: int, end: int) -> None:
        """Label the points of the tiles first <= number < end. work: (WORKS, R), to which it is added."""
        batch.orders.queue[:] = first, end, self._tiles_at_once

        def label(worker: int, _first: int, _end: int) -> None:
            assign(read.points, read.readers, read.view, batch.handed_orders, batch.handed_workers[worker])

        self._workers.each(label, self._tasks(), 1)
        for change in batch.handed_changes:
            tallies.collect(read.view, change, self.d, len(batch.sums), batch.sums, batch.counts, work)

    def _sketch(self, batch: Batch, read: Read) -> bool:
        """Let the batch use sketches if they pay; return whether its tables have changed."""
        m = self._policy.sketched(np.diff(batch.firsts)) if self._is_listing(batch) else 0
        if changed := self._sketching.take_up(batch, self._reading()._replace(points=self._framed), m):
            self._view = None
        return changed

    def _is_listing(self, batch: Batch) -> bool:
        """Whether points are rounded to bytes, and keep no gaps."""
        return bool(self._framed.quantiser.step) and not len(batch.gaps.gaps)

    def _iterate(self, batch: Batch, going: Advance, active: Int64, limit: int) -> None:
        """Make some iterations, at most `limit`, of runs that keep gaps. active: (m,) their rows."""
        batch.order(active, batch.modes())
        batch.orders.queue[:] = 0, self._policy.tiles, self._tiles_at_once
        for work in going.iterate(limit, self._tasks(), self._read(batch)):
            self._count(work)

    def _is_steady(self, batch: Batch) -> bool:
        """Whether nothing of the screens will change but anchors."""
        rounded = bool(self._framed.quantiser.step)  # rounding to bytes is judged after each full pass
        return len(batch.gaps.gaps) > 0 and not rounded and not len(batch.anchorless)

    def _read(self, batch: Batch) -> Read:
        """The records by which kernels read the points and the batch."""
        self._view = self._view or batch.handed(self._tiles, self._sketching.of(batch), self._direct())
        return Read(self._points, self._handed_readers, self._view, self._centroid_frame)

    def _direct(self) -> int:
        return self._policy.direct(bool(self._framed.bytewise or self._framed.quantiser.step))

    def _tasks(self) -> int:
        """Threads that label the points of a pass."""
        return min(self._workers.count, -(-self._policy.tiles // self._tiles_at_once))

    def _count(self, work: Int64) -> None:
        """Keep the work of a pass, (WORKS, R)."""
        self.work = work

    def _modes(self, batch: Batch, left: int) -> NDArray[np.int8]:
        """The mode of each run in this pass, (R,). Runs in mode RENEW take new anchors, if anchors are kept.

        left: see `_pass`.
        """
        runs = len(batch.firsts) - 1
        if self._policy.screen == "none":
            return np.full(runs, BRUTE, np.int8)
        if self._is_listing(batch) and (room := self._policy.room(np.diff(batch.firsts))):
            sketched = self._sketching.pays and self._policy.sketched(np.diff(batch.firsts)) > 0
            modes = batch.listing_modes(self._policy.lists_at_once(left, sketched), left == 1)
            if (modes == RENEW).any() and not len(batch.neighbours.names):
                batch.keep_neighbours(self.d, room)
                self._view = None
            return modes
        few = left < self._policy.least_passes(self._direct())  # for gaps and directions to pay
        p = self._policy.directions(int(batch.firsts[-1]))
        if not len(batch.anchors.slots) or not p:
            return np.full(runs, RENEW, np.int8)
        if few and not len(batch.gaps.gaps) and self._policy.screen != "drift":
            return np.full(runs, FEATURES, np.int8)
        if batch.passes or self._policy.screen == "drift":
            if not self._basis.p and not self._shapeless:
                self._take_directions(batch, p)
            if self._shapeless:
                return np.full(runs, FEATURES, np.int8)
            if not len(batch.gaps.gaps):
                batch.take_up_gaps(self._basis.p, self._policy.tiles, self._workers)
                self._view = None
        batch.passes += 1
        return batch.modes()

    def _tally(self, batch: Batch, row: int) -> Tally:
        part = batch.part(row)
        return Tally(self._sums(batch, part).copy(), batch.counts[part].copy())

    def _sums(self, batch: Batch, part: slice) -> Int64:
        """The sums of a run's clusters on the grid, (limbs, k, d)."""
        sums = batch.sums[:, part]
        return np.ascontiguousarray(sums if self._halves is None else self._halves.limbs(sums, batch.counts[part]))

    def _judge_rounding(self, batch: Batch, modes: NDArray[np.int8]) -> None:
        """Stop rounding points to bytes if settling takes longer than rounding saves. modes: (R,)."""
        if not self._framed.quantiser.step:
            return
        full = (modes == RENEW) | (modes == FEATURES)
        rows = [records.COMPUTED, records.SCREENED] if batch.directions_sketched else [records.COMPUTED]
        pairs, computed = int(self.work[records.PAIRS, full].sum()), int(self.work[rows][:, full].sum())
        if not rounding_pays(pairs, computed, self.d):
            self._rounding_pays = False
            self._round(False)
            batch.keep_neighbours(self.d, 0)
            batch.debts[:] = np.inf  # the products that are kept are those of rounded points, and of no use now

    def _round(self, rounded: bool) -> None:
        """Round points to bytes from the next pass on, or multiply them in float32."""
        if rounded == bool(self._framed.quantiser.step):
            return
        quantiser = rounding.NOT_ROUNDED
        if rounded:
            quantiser = sampled_quantiser(self._x, self._frame)
        self._framed = self._framed._replace(quantiser=quantiser)
        self._sketching.drop()
        self._points = Handed(self._framed)
        self._tiles = self._tiles._replace(rounded_norms=self._rounded_norms(self._tiles.norms))
        self._view = None
        self._look()

    def _rounded_norms(self, norms: NDArray[np.float32]) -> NDArray[np.float32]:
        """The first `rounded_norms`, (N,): infinite before points are rounded, and the norms if they are not."""
        return np.full_like(norms, np.inf) if self._framed.quantiser.step else norms

    def _take_directions(self, batch: Batch, p: int) -> None:
        """Compute p leading directions. If they hold enough, reorder the points, and labels with them."""
        found = self._project(p, batch.anchors.products)  # empty before the next pass, and so free as work space
        if found:
            placed = arranged(self._reading(), found)
            self._basis, self._projected = found.basis, None
            self._tiles = placed._replace(rounded_norms=self._rounded_norms(placed.norms))
            self._look()
            self._view = None
            batch.reorder(placed.order)


def few_points(kind: np.dtype[Any], threads: int | None, rows: Float64) -> MemoryPoints:
    """The engine for a few rows, (m, d), as points of a type."""
    return MemoryPoints(rows.astype(kind), threads=threads)
