"""Points in memory as they are seen in a frame: their distances to any rows, and starts."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from steinhaus.engines.bounds import bytes as rounding
from steinhaus.engines.bounds import scores
from steinhaus.engines.bounds.doubles import SMALLEST
from steinhaus.engines.dense import lanes
from steinhaus.engines.dense.centroids import prepare
from steinhaus.engines.dense.directions import Projected, Reading, projected
from steinhaus.engines.dense.labelling import assign
from steinhaus.engines.dense.policy import THRESHOLDS, Policy, Screen
from steinhaus.engines.dense.predict import framed
from steinhaus.engines.dense.seeding import bring, distances_below, plus_plus
from steinhaus.engines.dense.survey import survey, tiles_of
from steinhaus.engines.exact.closest import Closest, by_distances
from steinhaus.engines.exact.distances import all_distances_to, distances_of
from steinhaus.engines.exact.grid import are_integers
from steinhaus.engines.exact.rows import dense_rows
from steinhaus.engines.exact.updating import update
from steinhaus.engines.workers import Workers
from steinhaus.jit.build import compile_ahead
from steinhaus.jit.handed import Handed
from steinhaus.jit.target import BYTE_LANES
from steinhaus.points import Float64, Grid, Int32, Int64

TASKS = 4  # tasks a worker, in a pass over the points


class FramedPoints:
    """An (n, d) array of points in a frame. For its parameters see `MemoryPoints`, which adds runs."""

    def __init__(
        self,
        x: NDArray[Any],
        *,
        threads: int | None,
        memory: int | None,
        screen: Screen,
        grid: Grid | None,
        workers: Workers | None,
    ) -> None:
        # x: (n, d).
        self.n, self.d = x.shape
        self._workers = workers or Workers(threads)
        self._ends_workers = workers is None
        if self._workers.count > 1:
            compile_ahead(*((each, ()) for each in (assign, prepare, update)))
        memory = max(2**30, x.nbytes) if memory is None else memory
        found = survey(x, grid, self._workers)
        self.grid, self.totals, self.squares = found.grid, found.totals, found.squares
        self._lengths, self._frame = found.lengths, found.frame
        self._x = x = found.x
        self._halves = found.halves  # if x are bytes that came as another type
        self._policy = Policy(self.n, self.d, memory, screen, self._frame.bytewise, are_integers(x.dtype))
        self._tiles_a_task = max(1, min(512, -(-self._policy.tiles // (TASKS * self._workers.count))))
        self._readers = lanes.readers(x.dtype)
        self._framed = framed(x, self._frame)._replace(rows=dense_rows(x, self.grid))
        self._points = Handed(self._framed)
        self._basis = scores.Basis(np.empty((self.d, 0), np.float32), 0.0)
        self._rates = scores.rates(self._frame, self._basis)
        self._tiles = tiles_of(self._lengths, self._frame)
        self._shapeless = False  # whether leading directions were found to be of no use
        self._projected: Projected | None = None  # coordinates that have not been used for tiles yet

    def bring(self, rows: Float64, closest: Closest) -> None:
        """Update the nearest of some rows, (m, d)."""
        if not closest.many:
            closest.distances[:] = self.squared_distances_to(rows[:1])[0]
            closest.many = 1
        pays = len(rows) - closest.many >= THRESHOLDS.rows_added and closest.distances.max() >= SMALLEST
        if pays and (found := self._seeding(len(rows))) is not None:
            bring(self._reading(), self._lengths, found, rows, closest)
        else:
            by_distances(self.squared_distances_to, rows, closest)

    def rows(self, indices: Int64) -> Float64:
        """See `Points.rows`."""
        return self._x[indices].astype(np.float64)

    def plus_plus(self, k: int, stream: Any, weights: Int64 | None, trials: int) -> Int64:
        """See `Seeding.plus_plus`."""
        few, found = self._policy.few_rows(k, trials), None
        if few < k and (found := self._seeding(k)) is None:
            return np.empty(0, np.int64)
        return plus_plus(self._reading(), self._lengths, found, k, stream, weights, trials, few)

    def _seeding(self, k: int) -> Projected | None:
        """The coordinates of the points along directions for choosing k rows; None if all features are faster."""
        if self._policy.screen == "none" or self._basis.p:
            return None
        p = self._policy.seeding_directions(k, bool(BYTE_LANES) and (self._frame.bytewise or self._frame.rounded))
        found = self._project(p) if p and not self._shapeless else None
        return found or projected(self._reading(), 0)

    def squared_distances(self, indices: Int64, below: Float64 | None = None) -> Float64:
        """See `Points.squared_distances`."""
        return self.squared_distances_to(self.rows(indices), below)

    def squared_distances_to(self, chosen: Float64, below: Float64 | None = None) -> Float64:
        """The squared distances of all points to any rows: chosen (m, d) -> (m, n). below: (n,), as in `Points`."""
        if below is None or self._policy.screen == "none":
            return all_distances_to(self._framed.rows, chosen, self._workers)
        return distances_below(self._reading(), self._lengths, self._rates, chosen, below, self._tiles_a_task)

    def _distances_of(self, labels: Int32, centroids: Float64) -> Float64:
        """The squared distance of each point to the centroid of a label: labels (n,), centroids (k, d) -> (n,)."""
        return distances_of(self._framed.rows, labels, centroids, self._workers)

    def lend(self, x: NDArray[Any] | None) -> None:
        """Replace the array by another with the same points, (n, d). None: release the array until the next call."""
        if x is None:
            x, self._projected = np.empty((0, self.d), self._x.dtype), None
        self._x = x.astype(self._x.dtype, copy=False)
        self._framed = self._framed._replace(rows=self._framed.rows._replace(values=self._x))
        self._points = Handed(self._framed)

    def _project(self, p: int, room: NDArray[np.float32] | None = None) -> Projected | None:
        """The coordinates of the points along p leading directions; None if these hold too little. room: any shape."""
        if self._projected is None or self._projected.basis.p != p:
            self._projected = projected(self._reading(), p, forced=self._policy.screen == "drift", room=room)
            self._shapeless = self._projected is None
        return self._projected

    def _reading(self) -> Reading:
        points = self._framed._replace(quantiser=rounding.NOT_ROUNDED)
        return Reading(points, self._readers, self._frame, self._tiles, self._workers)
