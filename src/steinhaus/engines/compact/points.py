"""Few points, or points of few features, in memory: put into lanes, and labelled by squared distances in float64."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steinhaus.breathing import Found, Trial
from steinhaus.engines.compact import following_kernels, gaps, kernels
from steinhaus.engines.compact.following import Following
from steinhaus.engines.compact.gaps import Gapped
from steinhaus.engines.compact.held import Held
from steinhaus.engines.compact.placing import Placed
from steinhaus.engines.compact.policy import LIMITS, compared, gapped, ordered, step
from steinhaus.engines.compact.records import BOX, FEW, TILE, Labels
from steinhaus.engines.compact.restarting import Ending, restarted
from steinhaus.engines.compact.seeding import plus_plus
from steinhaus.engines.compact.seeding_kernels import choose
from steinhaus.engines.compact.stepping import Stepper
from steinhaus.engines.exact.closest import NearestRows, by_distances
from steinhaus.engines.exact.distances import farthest, own_distances
from steinhaus.engines.exact.held import no_labels
from steinhaus.engines.exact.rows import dense_rows
from steinhaus.engines.exact.updating import gone_on, steps_of, update
from steinhaus.engines.exact.weighing import Weights
from steinhaus.engines.workers import Workers
from steinhaus.jit.build import compile_ahead
from steinhaus.jit.handed import Handed
from steinhaus.points import Fit, Float64, Int32, Int64, Nearest, Run, Tally
from steinhaus.restarts import Starts
from steinhaus.seeding import Stream


class CompactPoints:
    """An (n, d) array of points in lanes. See `Points` for the contract.

    Parameters
    ----------
    x
        (n, d) array of a real type, C-contiguous, n >= 1, d >= 1.
    threads
        Threads to use, the calling one included; None: one a core.
    weights
        The weights of the points; None: 1 each.

    Raises
    ------
    DataError
        A point is not finite, or too large to be squared.
    """

    def __init__(self, x: NDArray[Any], *, threads: int | None = None, weights: Weights | None = None) -> None:
        self.n, self.d = x.shape
        self._x, self._kind = x, x.dtype
        self._workers = Workers(threads)
        if self._workers.count > 1:
            compile_ahead((choose, self._kind), (update, ()))
        self._placed = Placed(x, self._workers)
        self.grid = self._placed.grid
        self.totals = self._placed.totals()
        if weights is not None and weights.counts is not None:
            weighted = self._placed.weigh(weights.counts)
            self.totals = replace(self.totals, weights=weights.counts, weighted=weighted, unit=weights.unit)
        self._held: dict[Hashable, Held] = {}

    def assign(self, runs: Sequence[Run]) -> list[Tally]:
        """See `Points.assign`."""
        return [self._tally(run) for run in runs]

    def advance(self, runs: Sequence[Run], *, tolerance: float, most: Sequence[int]) -> list[Run]:
        """See `Advancing.advance`."""
        following = list(runs)
        held = [self._remember(run) for run in runs]
        if held and isinstance(held[0], Gapped) and self._placed.order is None and most[0]:
            held[0].place(runs[0].centroids)
            self._label(held[0])
            self._put_together(runs[0].key)
        work = [self.n * self.d * self._compared(of) for of in held]
        alone = [place for place in range(len(runs)) if work[place] <= LIMITS.alone]
        small = sum(work[place] for place in alone) <= LIMITS.task // 8

        def go(_: int, first: int, end: int) -> None:
            for place in alone[first:end]:
                following[place] = self._alone(runs[place], held[place], tolerance, most[place])

        self._workers.each(go, len(alone), max(1, len(alone)) if small else 1)
        for place in sorted({*range(len(runs))} - {*alone}):
            following[place] = self._together(runs[place], held[place], tolerance, most[place])
        return following

    def restarted(self, k: int, starts: Starts, *, max_iter: int, tolerance: float, single: bool) -> list[Fit] | None:
        """See `Restarting.restarted`. Runs that keep gaps, or that several threads make faster, are left to `lloyd`."""
        if gapped(self.n, self.d, k) or self.n * self.d * compared(self.n, self.d, k) > LIMITS.alone:
            return None
        self._look(k)
        found = restarted(self._placed, self.totals, k, starts, Ending(max_iter, tolerance, single))
        if found is None:
            return None
        fits, held = found
        best = min(fits, key=lambda fit: (fit.inertia, fit.key))
        self._held[best.key] = held
        self._labelled(Run(best.key, best.centroids))
        return fits

    def plus_plus(self, k: int, stream: Stream, weights: Int64 | None, trials: int) -> Int64:
        """See `Seeding.plus_plus`."""
        self._look(k)
        return plus_plus(self._placed, k, stream, weights, trials)

    def rows(self, indices: Int64) -> Float64:
        """See `Points.rows`."""
        return self._x[indices].astype(np.float64)

    def squared_distances(self, indices: Int64, below: Float64 | None = None) -> Float64:
        """See `Points.squared_distances`."""
        return self._distances_to(self.rows(indices), below)

    def _distances_to(self, rows: Float64, _below: Float64 | None) -> Float64:
        wide = self._placed.tiles * TILE
        out, measure = np.empty((len(rows), wide)), kernels.to_rows[self._kind]
        self._workers.each(
            lambda _, first, end: measure(self._placed.lanes, first, end, rows, len(rows), out, wide),
            self._placed.tiles,
            step(self.d, max(1, len(rows)), TILE),
        )
        return self._placed.rows(out[:, : self.n])

    def own_distances(self, run: Run) -> Float64:
        """See `TwoNearest.own_distances`. From then on the run follows its centroids (`following`)."""
        return self._placed.rows(self._followed(run).near.firsts[: self.n])

    def two_nearest(self, run: Run) -> tuple[Float64, Float64]:
        """See `TwoNearest.two_nearest`. From then on the run follows its centroids (`following`)."""
        held = self._followed(run)
        complete, at_once = following_kernels.complete[self._kind], self._at_once(held)
        handed, _ = self._parts(held, at_once)

        def find(worker: int, first: int, end: int) -> None:
            complete(self._placed.lanes, handed[worker], held.handed_near, first, end, held.handed_sites, held.k)

        self._workers.each(find, self._placed.tiles, at_once)
        return self._placed.rows(held.near.firsts[: self.n]), self._placed.rows(held.near.seconds[: self.n])

    def breathe(self, fit: Fit, trial: Trial) -> Found | None:
        """See `Breathing.breathe`. A step that several threads make faster is left to `refining`."""
        held, k = self._held.get(fit.key), len(fit.centroids)
        known = isinstance(held, Following) and held.stepper is not None and held.stepper.begins_from(fit.centroids)
        if not known:
            held = self._followed(Run(fit.key, fit.centroids))
            if self.n * self.d * self._compared(held) > LIMITS.refined:
                return None
            if held.stepper is None or held.stepper.k != k:
                held.stepper = Stepper(held, self._x, self.grid, self.totals)
        assert isinstance(held, Following)
        found: Found | None = held.stepper.step(self._placed, fit, trial, known)
        return found

    def nearest(self, weights: Int64 | None) -> Nearest:
        """See `Sampling.nearest`."""

        def few(rows: Float64) -> CompactPoints:
            # rows: (m, d)
            return CompactPoints(rows.astype(self._kind), threads=self._workers.count)

        return NearestRows(self.n, self.rows, partial(by_distances, self._distances_to), few, weights)

    def labels(self, key: Hashable) -> Int32:
        """See `Points.labels`."""
        if key not in self._held:
            raise no_labels(key)
        return self._placed.rows(self._held[key].labels[: self.n])

    def explain(self, k: int, runs: int = 1) -> str:
        """See `Points.explain`."""
        if gapped(self.n, self.d, k):
            how = "scores or distances in float64 to the centroids that gaps of 16 near points leave open"
        elif self.d < FEW and ordered(self.n, self.d, k):
            how = "distances in float64 to the centroids that a box around 64 near points leaves open"
        elif self.d < FEW:
            how = "all distances in float64"
        else:
            how = "scores in float64, and distances where these cannot tell"
        small = f"{self.d} features" + (f" and {k} centroids" if self.d >= FEW else "")
        if self.d >= FEW and self.n * self.d <= LIMITS.values:
            small = f"{self.n * self.d} values in all"
        several = f", {runs} runs one after the other" if runs > 1 else ""
        return (
            f"Compact, because there are only {small}: {how}, of sixteen points at once to {k} centroids{several}. To "
            "prepare the points for screens would take longer than it saves."
        )

    def forget(self, key: Hashable) -> None:
        """See `Points.forget`."""
        self._held.pop(key, None)

    def close(self) -> None:
        """See `Points.close`."""
        self._held.clear()
        self._workers.close()

    # Runs

    def _tally(self, run: Run) -> Tally:
        """The tally of a run. The points are labelled first if their labels do not belong to its centroids."""
        held = self._labelled(run)
        sums, counts = held.sums.copy(), held.counts.copy()
        tally = Tally(sums, counts)
        if empty := int(np.count_nonzero(counts == 0)):
            return replace(tally, farthest=self._farthest(run, empty))
        return tally

    def _remember(self, run: Run) -> Held:
        held, k = self._held.get(run.key), len(run.centroids)
        if isinstance(held, Following) and held.k != k <= held.room:
            held.become(run.centroids)
        elif held is None or held.k != k:
            if ordered(self.n, self.d, k):
                self._look(k)
            shape = self._placed.tiles, len(self.totals.sums), k, self.d
            held = Gapped(*shape, self._placed) if gapped(self.n, self.d, k) else Held(*shape)
            self._held[run.key] = held
        return held

    def _look(self, k: int) -> None:
        """Put near points next to each other if that saves time for k centroids, and reorder labels with them."""
        labels = {key: self._placed.rows(held.labels[: self.n]) for key, held in self._held.items()}
        if self._placed.look(k):
            self._reorder(labels)

    def _reorder(self, labels: dict[Hashable, Int32]) -> None:
        """Put labels, (n,) of each run in the order of rows, into the order of places."""
        for key, of_rows in labels.items():
            self._held[key].reorder(self._placed.placed(of_rows))

    def _followed(self, run: Run) -> Following:
        """The state of a run that follows its centroids, after it is labelled."""
        held = self._labelled(run)
        if not isinstance(held, Following):
            self._held[run.key] = self._following(run, held)
            held = self._labelled(run)
            assert isinstance(held, Following)
        return held

    def _labelled(self, run: Run) -> Held:
        """The state of a run, after it is labelled."""
        held = self._remember(run)
        if not held.are_of(run.centroids):
            held.place(run.centroids)
            self._label(held)
        return held

    def _put_together(self, key: Hashable) -> None:
        """Put points next to each other that are in the same cluster of a run."""
        labels = {key: self._placed.rows(held.labels[: self.n]) for key, held in self._held.items()}
        of_run = labels[key].astype(np.uint16) if self._held[key].k <= 2**16 else labels[key]
        self._placed.arrange(np.argsort(of_run, kind="stable"))
        self._reorder(labels)

    def _following(self, run: Run, held: Held) -> Following:
        """Make a run follow its centroids. Points of the same cluster are put next to each other."""
        self._put_together(run.key)
        following = Following(self._placed.tiles, held.limbs, held.k, self.d, held.centroids.copy())
        surround, lanes = following_kernels.surround[self._kind], self._placed.lanes
        surround(lanes, held.handed, following.handed_near, 0, self._placed.tiles)
        return following

    def _label(self, held: Held) -> None:
        """Label all points by the centroids of the run's state."""
        label, at_once = kernels.label[self._kind], step(self.d, compared(self.n, self.d, held.k), TILE * BOX)
        helpers = min(self._workers.count, -(-self._placed.boxes // at_once)) - 1
        parts = [held.part() for _ in range(helpers)]
        handed = [held.handed, *map(Handed, parts)]
        boxes = ordered(self.n, self.d, held.k)

        if isinstance(held, Following):
            return self._follow(held)
        if isinstance(held, Gapped):
            return held.label(self._placed)

        def find(worker: int, first: int, end: int) -> None:
            label(self._placed.lanes, handed[worker], held.limbs, first, end, held.handed_sites, held.k, boxes)

        self._workers.each(find, self._placed.boxes, at_once)
        held.add(parts)

    def _compared(self, held: Held) -> int:
        """The number of centroids that a point is compared with, about."""
        if isinstance(held, Following):
            return 1 + held.k // 16
        return gaps.compared(held.k) if isinstance(held, Gapped) else compared(self.n, self.d, held.k)

    def _at_once(self, held: Following) -> int:
        """The number of tiles in a task: all, if one thread is faster alone."""
        alone = self.n * self.d * self._compared(held) <= LIMITS.alone
        return self._placed.tiles if alone else step(self.d, self._compared(held), TILE)

    def _follow(self, held: Following) -> None:
        """Label all points by the centroids of the run's state, of which some have moved."""
        follow, at_once = following_kernels.follow[self._kind], self._at_once(held)
        handed, parts = self._parts(held, at_once)

        def find(worker: int, first: int, end: int) -> None:
            follow(
                self._placed.lanes, handed[worker], held.handed_near, held.limbs, first, end, held.handed_sites, held.k
            )

        self._workers.each(find, self._placed.tiles, at_once)
        held.add(parts)
        held.followed()

    def _parts(self, held: Held, at_once: int) -> tuple[list[Handed], list[Labels]]:
        """What threads work with that do so many tiles at once: records of all, and those of helpers."""
        helpers = min(self._workers.count, -(-self._placed.tiles // at_once)) - 1
        parts = [held.part() for _ in range(helpers)]
        return [held.handed, *map(Handed, parts)], parts

    def _alone(self, run: Run, held: Held, tolerance: float, most: int) -> Run:
        """Advance a run on this thread, in one call."""
        most = min(most, LIMITS.at_once)
        held.place(run.centroids)
        steps = steps_of(self.grid, self.totals, held.k, most)
        lanes, limbs, k, sites, handed = self._placed.lanes, held.limbs, held.k, held.handed_sites, Handed(steps)
        if isinstance(held, Following):
            go, near = following_kernels.advance[self._kind], held.handed_near
            done = go(lanes, held.handed, near, limbs, k, sites, handed, tolerance, most)
        elif isinstance(held, Gapped):
            done = held.advance(self._placed, handed, tolerance, most)
        else:
            go, boxes = kernels.advance[self._kind], ordered(self.n, self.d, k)
            done = go(lanes, held.handed, limbs, k, boxes, sites, handed, tolerance, most)
        held.labelled = done < most
        return gone_on(run, held.centroids, self.totals, steps.history[:done])

    def _together(self, run: Run, held: Held, tolerance: float, most: int) -> Run:
        """Advance a run on all threads, which meet after each pass."""
        most, done = min(most, LIMITS.at_once), 0
        held.place(run.centroids)
        steps = steps_of(self.grid, self.totals, held.k, most)
        handed, (k, d) = Handed(steps), held.centroids.shape
        while done < most:
            if not held.labelled:
                self._label(held)
            held.labelled = True
            if not update(held.sums, held.limbs, k, d, held.counts, held.centroids, handed, tolerance, done):
                break
            held.go_on(steps.following)
            done += 1
        return gone_on(run, held.centroids, self.totals, steps.history[:done])

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
