"""Points in memory, of few features or few in number: brought into lanes, labelled by all squared distances in float64."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steinhaus.engines.compact import kernels, seeding
from steinhaus.engines.compact.lanes import BOX, FEW, GROUP, TILE, Lanes, Sites, centroid_rows
from steinhaus.engines.exact import limbs, weighted_kernels
from steinhaus.engines.exact.distances import farthest, own_distances
from steinhaus.engines.exact.grid import Ranges, are_integers, grid_of
from steinhaus.engines.exact.held import no_labels
from steinhaus.engines.exact.parts import chances
from steinhaus.engines.exact.rows import dense_rows
from steinhaus.engines.exact.totals import squares_of, two_float
from steinhaus.engines.exact.weighing import Weights
from steinhaus.engines.workers import Workers
from steinhaus.jit.handed import Handed
from steinhaus.points import Float64, Grid, Int32, Int64, Run, Tally, Totals
from steinhaus.seeding import Stream, first_row, sum_bits

_TASK = 2**18  # what a task amounts to, in values of points times centroids: some 50 us
_ALONE = 2**19  # up to so many of them an iteration, one thread goes ahead by itself
_AT_ONCE = 4096  # iterations at most without a look at what else is going on
_ORDERED_POINTS, _ORDERED_CENTROIDS = 4096, 16  # from which on it pays to put near points next to each other
_SAMPLE = 1024  # points that tell how far they spread
_BLOCK = 32 * kernels.BLOCK  # tiles a task at most, for what is done once


class CompactPoints:
    """An (n, d) array of points in lanes. See `Points` for the contract.

    Parameters
    ----------
    x
        (n, d) array of a real type, C-contiguous, n >= 1, d >= 1.
    threads
        Threads to use, the calling one included; None: one a core.
    weights
        What points count for; None: 1 each.

    Raises
    ------
    DataError
        A point is not finite, or too large to be squared.
    """

    def __init__(self, x: NDArray[Any], *, threads: int | None = None, weights: Weights | None = None) -> None:
        self.n, self.d = x.shape
        self._x, self._kind = x, x.dtype
        self._workers = Workers(threads)
        self._tiles, self._boxes = -(-self.n // TILE), -(-self.n // (TILE * BOX))
        groups = -(-self._boxes // GROUP) if self.d < FEW else 0
        self._record = Lanes(
            values=np.empty((self._tiles, self.d, TILE), x.dtype),
            n=self.n,
            d=self.d,
            offset=np.zeros(self.d),
            per_step=np.ones(self.d),
            order=np.empty(0, np.int64),
            ordered=0,
            weights=np.empty(0, np.int64),
            weighted=0,
            low=np.empty((groups, self.d, GROUP)),
            high=np.empty((groups, self.d, GROUP)),
        )
        self._boxed = False  # whether bounds of boxes are known
        self._lanes = Handed(self._record)
        self.grid = self._turned()
        self._record = self._record._replace(offset=self.grid.offset, per_step=1.0 / self.grid.step)
        self._lanes = Handed(self._record)
        self.totals = self._summed()
        if weights is not None and weights.counts is not None:
            self._weigh(weights.counts, weights.unit)
        self._held: dict[Hashable, _Held] = {}

    def assign(self, runs: Sequence[Run]) -> list[Tally]:
        """See `Points.assign`."""
        return [self._tally(run) for run in runs]

    def advance(self, runs: Sequence[Run], *, tolerance: float, most: Sequence[int]) -> list[Run]:
        """See `Advancing.advance`."""
        following = list(runs)
        alone = [place for place, run in enumerate(runs) if run.centroids.size * self.n <= _ALONE]
        small = sum(runs[place].centroids.size for place in alone) * self.n <= _TASK // 8
        held = [self._remember(run) for run in runs]

        def go(_: int, first: int, end: int) -> None:
            for place in alone[first:end]:
                following[place] = self._alone(runs[place], held[place], tolerance, most[place])

        self._workers.each(go, len(alone), max(1, len(alone)) if small else 1)
        for place in sorted({*range(len(runs))} - {*alone}):
            following[place] = self._together(runs[place], held[place], tolerance, most[place])
        return following

    def plus_plus(self, k: int, stream: Stream, weights: Int64 | None, trials: int) -> Int64:
        """See `Seeding.plus_plus`."""
        self._look(k)
        kernel = seeding.choose[self._kind]
        places = self._tiles * TILE
        closest, times = np.zeros(places), np.zeros(0 if weights is None else places)
        closest[: self.n] = np.inf
        times[: self.n] = 0.0 if weights is None else self._placed(weights)
        chosen = np.empty(k, np.int64)
        chosen[0] = first_row(self.n, stream, weights)
        count, state = 2 * trials * (k - 1) + 16, np.array([1, 0])
        wide = -(-self._boxes // GROUP) * GROUP
        draw = seeding.Draw(
            closest=closest,
            times=times,
            weighted=int(weights is not None),
            far=np.where(np.arange(wide) < self._boxes, np.inf, -1.0),
            most=np.zeros(wide),
            inside=np.full(wide, -1),
            integers=np.zeros(places, np.int64),
            sums=np.zeros(-(-self.n // seeding.BLOCK), np.int64),
            words=stream.ahead(count),
            rows=np.empty((trials, self.d)),
            candidates=np.empty(trials, np.int64),
            chosen=chosen,
            state=state,
            gains=np.empty(trials, np.int64),
            near=np.empty(TILE),
            whole=np.empty(TILE, np.int64),
        )
        while kernel(self._lanes, self._x, Handed(draw), k, trials, sum_bits(self.n), count):
            count *= 2
            draw = draw._replace(words=stream.ahead(count))
        stream.skip(int(state[1]))
        return chosen[: int(state[0])]

    def rows(self, indices: Int64) -> Float64:
        """See `Points.rows`."""
        return self._x[indices].astype(np.float64)

    def squared_distances(self, indices: Int64, below: Float64 | None = None) -> Float64:
        """See `Points.squared_distances`."""
        rows, wide = self.rows(indices), self._tiles * TILE
        out = np.empty((len(rows), wide))
        measure = kernels.to_rows[self._kind]
        self._workers.each(
            lambda _, first, end: measure(self._lanes, first, end, rows, len(rows), out, wide),
            self._tiles,
            self._step(len(rows)),
        )
        if not self._record.ordered:
            return out[:, : self.n]
        found = np.empty((len(rows), self.n))
        found[:, self._record.order] = out[:, : self.n]
        return found

    def sample(self, run: Run, factor: float, seed: int) -> Int64:
        """See `Sampling.sample`."""
        return np.flatnonzero(chances(seed, np.arange(self.n)) < factor * self._own_distances(run))

    def labels(self, key: Hashable) -> Int32:
        """See `Points.labels`."""
        if key not in self._held:
            raise no_labels(key)
        labels = self._held[key].labels[: self.n]
        if not self._record.ordered:
            return labels.copy()
        found = np.empty(self.n, np.int32)
        found[self._record.order] = labels
        return found

    def explain(self, k: int, runs: int = 1) -> str:
        """See `Points.explain`."""
        several = f" {runs} runs are labelled one after the other." if runs > 1 else ""
        return (
            f"All squared distances in float64: {self.d} features of {self.n} points are compared with {k} centroids, "
            f"sixteen points at once; a screen would cost more than it saves.{several}"
        )

    def forget(self, key: Hashable) -> None:
        """See `Points.forget`."""
        self._held.pop(key, None)

    def close(self) -> None:
        """See `Points.close`."""
        self._held.clear()
        self._workers.close()

    # Points

    def _turned(self) -> Grid:
        """Bring the points into lanes; their grid."""
        integers, kind, workers = are_integers(self._kind), self._kind, self._workers.count
        lowest = np.repeat(self._x[0].astype(np.float64), TILE)[np.newaxis].repeat(workers, 0)
        highest, bad, turn = lowest.copy(), np.zeros(workers, np.int64), kernels.turn[kind]

        def bring(worker: int, first: int, end: int) -> None:
            bad[worker] |= turn(self._x, self._lanes, first, end, lowest[worker], highest[worker])

        self._workers.each(bring, self._tiles, self._step(2))
        if integers:
            return grid_of(kind, None, self.d)
        place = None
        if bad.any():
            row, column = np.argwhere(~np.isfinite(self._x))[0].tolist()
            place = row, column, float(self._x[row, column])
        lanes = (workers * TILE, self.d)
        lows, highs = (of.reshape(workers, self.d, TILE).swapaxes(1, 2).reshape(lanes) for of in (lowest, highest))
        return grid_of(kind, Ranges(lows.min(0), highs.max(0), place), self.d)

    def _summed(self) -> Totals:
        """Exact sums of all points and of their squares."""
        workers = self._workers.count
        sums, squares = np.zeros((workers, 2, self.d), np.int64), np.zeros((workers, 6, self.d), np.int64)
        inside = np.where(np.arange(TILE) < self.n - (self._tiles - 1) * TILE, -1, 0)
        add = kernels.totals[self._kind]

        def total(worker: int, first: int, end: int) -> None:
            for begin in range(first, end, kernels.BLOCK):
                add(self._lanes, begin, min(begin + kernels.BLOCK, end), inside, sums[worker], squares[worker])

        self._workers.each(total, self._tiles, self._step(2))
        high, low = sums.sum(0)
        of_all = ((high << 32) + low)[np.newaxis] if are_integers(self._kind) else np.stack([high, low])
        return Totals(of_all[:, np.newaxis], two_float(squares_of(squares.sum(0), self.grid.step)), self.n)

    def _weigh(self, counts: Int64, unit: float) -> None:
        """Have each point count for so many."""
        squares = np.zeros((3, limbs.PIECES, self.d), np.int64)
        weighted_kernels.squares[self._kind](Handed(dense_rows(self._x, self.grid)), counts, 0, self.n, squares)
        weighted = limbs.squares_of(squares, self.grid.step)
        self.totals = replace(self.totals, weights=counts, weighted=weighted, unit=unit)
        self._record = self._record._replace(weights=counts, weighted=1)
        self._lanes = Handed(self._record)

    def _step(self, k: int) -> int:
        """Tiles a task, where each point is compared with k rows."""
        return max(1, min(_BLOCK, _TASK // (k * self.d * TILE)))

    def _look(self, k: int) -> None:
        """Put near points next to each other, and see which boxes they fill, where that pays for k centroids."""
        if self.d >= FEW or (self._boxed and (self._record.ordered or not self._order_pays(k))):
            return
        if self._order_pays(k):
            order = self._near_ones()
            for held in self._held.values():
                held.labels[: self.n] = held.labels[: self.n][order]
            weights = self._record.weights
            self._record = self._record._replace(
                order=order, ordered=1, weights=weights[order] if self._record.weighted else weights
            )
            self._lanes = Handed(self._record)
            self._turned()
        enclose, boxes = kernels.enclose[self._kind], self._record.low.shape[0] * GROUP
        self._workers.each(lambda _, first, end: enclose(self._lanes, first, end), boxes, self._step(2))
        self._boxed = True

    def _order_pays(self, k: int) -> bool:
        return self.d < FEW and self.n >= _ORDERED_POINTS and k >= _ORDERED_CENTROIDS

    def _near_ones(self) -> Int64:
        """The rows in an order in which neighbours are near, (n,): by cells of a grid, whose longest side is halved
        again and again.
        """
        some = self._x[np.linspace(0, self.n - 1, min(self.n, _SAMPLE)).astype(np.int64)].astype(np.float64)
        low, high = np.quantile(some, [0.01, 0.99], axis=0)
        sides, features = high - low, []
        for _ in range(min(32, int(np.log2(self.n)) + 2)):
            features.append(int(sides.argmax()))
            sides[features[-1]] /= 2
        halved = np.bincount(features, minlength=self.d)
        left, shifts = halved.copy(), []
        for t in features:
            left[t] -= 1
            shifts.append(left[t])
        scale = np.divide(2.0**halved, high - low, out=np.zeros(self.d), where=high > low)
        cells = Handed(kernels.Cells(low, scale, 2.0**halved - 1, np.array(features), np.array(shifts)))
        out, number = np.empty(self._tiles * TILE, np.int64), kernels.keys[self._kind]
        self._workers.each(
            lambda _, first, end: number(self._lanes, first, end, cells, len(features), out), self._tiles, self._step(4)
        )
        return np.argsort(out[: self.n].astype(np.uint32))

    def _placed(self, of_rows: NDArray[Any]) -> NDArray[Any]:
        """What belongs to rows, (n,), in the order in which they stand here."""
        return of_rows[self._record.order] if self._record.ordered else of_rows

    # Runs

    def _tally(self, run: Run) -> Tally:
        """Label the points by a run's centroids, if they are not."""
        held = self._remember(run)
        if not held.are_of(run.centroids):
            held.place(run.centroids)
            self._label(held)
        sums, counts = held.sums.copy(), held.counts.copy()
        tally = Tally(sums, counts)
        if empty := int(np.count_nonzero(counts == 0)):
            return replace(tally, farthest=self._farthest(run, empty))
        return tally

    def _remember(self, run: Run) -> _Held:
        held = self._held.get(run.key)
        if held is None or held.k != len(run.centroids):
            self._look(len(run.centroids))
            held = self._held[run.key] = _Held(self._tiles, len(self.totals.sums), len(run.centroids), self.d)
        return held

    def _label(self, held: _Held) -> None:
        """Label all points by the centroids that are placed."""
        label, step = kernels.label[self._kind], max(1, self._step(held.k) // BOX)
        helpers = min(self._workers.count, -(-self._boxes // step)) - 1
        parts = [held.handed] + [Handed(held.part()) for _ in range(helpers)]
        boxes = self._order_pays(held.k)

        def find(worker: int, first: int, end: int) -> None:
            label(self._lanes, parts[worker], held.limbs, first, end, held.handed_sites, held.k, boxes)

        self._workers.each(find, self._boxes, step)
        for part in parts[1:]:
            held.sums += part.record.sums
            held.counts += part.record.counts

    def _alone(self, run: Run, held: _Held, tolerance: float, most: int) -> Run:
        """Go ahead with a run on this thread, in one call."""
        most = min(most, _AT_ONCE)
        steps = self._steps(run, held, most)
        done = kernels.advance[self._kind](
            self._lanes, held.handed, held.limbs, held.k, self._order_pays(held.k), Handed(steps), tolerance, most
        )
        held.labelled = done < most
        return self._gone(run, held, steps.history[:done])

    def _together(self, run: Run, held: _Held, tolerance: float, most: int) -> Run:
        """Go ahead with a run on all threads, which meet after each pass."""
        most = min(most, _AT_ONCE)
        steps, done = self._steps(run, held, most), 0
        handed, update = Handed(steps), kernels.update[self._kind]
        while done < most:
            if not held.labelled:
                self._label(held)
            held.labelled = True
            if not update(self._lanes, held.handed, held.limbs, held.k, handed, tolerance, done):
                break
            held.labelled = False
            done += 1
        return self._gone(run, held, steps.history[:done])

    def _steps(self, run: Run, held: _Held, most: int) -> kernels.Steps:
        held.place(run.centroids)
        return kernels.Steps(
            squares=self.totals.squares if self.totals.weighted is None else self.totals.weighted,
            step=self.grid.step,
            sites=held.sites,
            following=np.empty((held.k, self.d)),
            table=np.empty((2, self.d)),
            history=np.empty(most),
        )

    def _gone(self, run: Run, held: _Held, history: Float64) -> Run:
        """The run after some iterations."""
        told = (history * self.totals.unit).tolist()
        return replace(run, centroids=held.centroids.copy(), history=(*run.history, *told))

    def _own_distances(self, run: Run) -> Float64:
        """The squared distance of each point to its own centroid, (n,), for a run that was just assigned."""
        rows, out = Handed(dense_rows(self._x, self.grid)), np.empty(self.n)
        own_distances[self._kind](rows, 0, self.n, self.labels(run.key), np.ascontiguousarray(run.centroids), out)
        return out

    def _farthest(self, run: Run, wanted: int) -> Int64:
        distances = self._own_distances(run)
        if self.totals.weights is not None:
            distances[self.totals.weights == 0] = 0.0
        return farthest(distances, self.labels(run.key), wanted)[0]


class _Held:
    """What is remembered of a run: its labels, what points come to by them, and the centroids that they are of."""

    def __init__(self, tiles: int, limbs: int, k: int, d: int) -> None:
        self.k, self.d, self.limbs = k, d, limbs
        self.labels = np.full(tiles * TILE, -1, np.int32)
        self.sites = _sites(k, d)
        self.centroids = self.sites.rows[:k]
        self.handed_sites = Handed(self.sites)
        self.labelled = False  # whether labels are those of the centroids
        own = self.part()
        self.sums, self.counts = own.sums, own.counts
        self.handed = Handed(own)

    def part(self) -> kernels.Labels:
        """What a thread works with."""
        return kernels.Labels(
            labels=self.labels,
            sums=np.zeros((self.limbs, self.k, self.d), np.int64),
            counts=np.zeros(self.k, np.int64),
            added=np.zeros((self.k, self.d), np.int64),
            found=np.empty(TILE, np.int32),
            whole=np.empty((self.d, TILE), np.int64),
            some=_sites(self.k, self.d),
            bounds=np.empty(self.sites.across.shape[1]),
        )

    def place(self, centroids: Float64) -> None:
        """Make these the centroids."""
        if not self.are_of(centroids):
            kernels.place[np.float64](np.ascontiguousarray(centroids), self.k, self.d, self.handed_sites)
            self.labelled = False

    def are_of(self, centroids: Float64) -> bool:
        """Whether labels are those of these centroids."""
        return self.labelled and np.array_equal(self.centroids, centroids)


def sites_of(centroids: Float64) -> Handed:
    """Centroids as points are compared with them."""
    k, d = centroids.shape
    sites = Handed(_sites(k, d))
    kernels.place[np.float64](centroids, k, d, sites)
    return sites


def _sites(k: int, d: int) -> Sites:
    """Room for k centroids."""
    rows = centroid_rows(k)
    return Sites(np.empty((rows, d)), np.arange(rows), np.empty((d, -(-k // GROUP) * GROUP)))
