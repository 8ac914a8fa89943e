"""Put points into lanes, near ones next to each other, and compute their grid and sums."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from steinhaus.engines.compact import kernels
from steinhaus.engines.compact.policy import ordered, step
from steinhaus.engines.compact.records import BOX, FEW, GROUP, TILE, Cells, Lanes
from steinhaus.engines.exact import limbs, weighted_kernels
from steinhaus.engines.exact.grid import Ranges, are_integers, grid_of
from steinhaus.engines.exact.rows import dense_rows
from steinhaus.engines.exact.squares import squares_of
from steinhaus.engines.exact.totals import two_float
from steinhaus.engines.workers import Workers
from steinhaus.jit.handed import Handed
from steinhaus.points import Float64, Grid, Int64, Totals

_SAMPLE = 1024  # points from which ranges are estimated
_BITS = 32  # bits of a cell's number


class Placed:
    """Points x, (n, d), in lanes, in their own order or another one.

    Attributes
    ----------
    record, lanes
        The record by which kernels read the points.
    order
        (n,) the row at each place; None: the rows are in their own order.
    grid
        Of exact sums.
    longest
        At least the greatest of the points' squared norms.
    """

    def __init__(self, x: NDArray[Any], workers: Workers) -> None:
        self.n, self.d = x.shape
        self.x, self.workers = x, workers
        self.tiles, self.boxes = -(-self.n // TILE), -(-self.n // (TILE * BOX))
        self.groups = -(-self.boxes // GROUP)
        self.order: Int64 | None = None
        self.drawings: dict[tuple[int, int], Any] = {}  # memory of `seeding`, by the numbers of rows and candidates
        boxes = (self.groups if self.d < FEW else 0, self.d, GROUP)
        self._boxed = False  # whether the bounds of the boxes are known
        self._put(
            Lanes(
                values=np.empty((self.tiles, self.d, TILE), x.dtype),
                n=self.n,
                d=self.d,
                offset=np.zeros(self.d),
                per_step=np.ones(self.d),
                order=np.empty(0, np.int64),
                ordered=0,
                weights=np.empty(0, np.int64),
                weighted=0,
                low=np.empty(boxes),
                high=np.empty(boxes),
            )
        )
        ranges = self._turn()
        self.longest = _longest(x.dtype, ranges, self.d)
        self.grid: Grid = grid_of(x.dtype, None if are_integers(x.dtype) else ranges, self.d)
        self._put(self.record._replace(offset=self.grid.offset, per_step=1.0 / self.grid.step))

    def totals(self) -> Totals:
        """Exact sums of all points and of their squares."""
        threads, add = self.workers.count, kernels.totals[self.x.dtype]
        sums, squares = np.zeros((threads, 2, self.d), np.int64), np.zeros((threads, 6, self.d), np.int64)
        inside = np.where(np.arange(TILE) < self.n - (self.tiles - 1) * TILE, -1, 0)

        def total(worker: int, first: int, end: int) -> None:
            for begin in range(first, end, kernels.BLOCK):
                add(self.lanes, begin, min(begin + kernels.BLOCK, end), inside, sums[worker], squares[worker])

        self.workers.each(total, self.tiles, step(self.d, 2, TILE))
        high, low = sums.sum(0)
        of_all = ((high << 32) + low)[np.newaxis] if are_integers(self.x.dtype) else np.stack([high, low])
        return Totals(of_all[:, np.newaxis], two_float(squares_of(squares.sum(0), self.grid.step)), self.n)

    def weigh(self, counts: Int64) -> Float64:
        """Set the counts of rows, (n,); return the sum of all squares times these, (2,)."""
        squares = np.zeros((self.workers.count, 3, limbs.PIECES, self.d), np.int64)
        rows, add = Handed(dense_rows(self.x, self.grid)), weighted_kernels.squares[self.x.dtype]
        self.workers.each(
            lambda worker, first, end: add(rows, counts, first, end, squares[worker]), self.n, step(self.d, 8, 1)
        )
        self._put(self.record._replace(weights=self.placed(counts), weighted=1))
        return limbs.squares_of(squares.sum(0), self.grid.step)

    def look(self, k: int) -> bool:
        """Find the bounds of boxes, for points of few features; return whether the points have changed their order.

        If it saves time for k centroids, near points are put next to each other first.
        """
        pays = self.order is None and ordered(self.n, self.d, k)
        if self.d >= FEW or (self._boxed and not pays):
            return False
        if pays:
            self.arrange(self._near_ones())
        else:
            self._enclose()
        return pays

    def arrange(self, order: Int64) -> None:
        """Change the order of the points. order: (n,) the row at each place."""
        if self.record.weighted:
            of_rows = self.rows(self.record.weights)
            self._put(self.record._replace(weights=of_rows[order]))
        self.order = order
        self._put(self.record._replace(order=order, ordered=1))
        self._turn()
        if self.d < FEW:
            self._enclose()

    def _enclose(self) -> None:
        """Find the bounds of all boxes."""
        enclose = kernels.enclose[self.x.dtype]
        self.workers.each(
            lambda _, first, end: enclose(self.lanes, first, end), self.groups * GROUP, step(self.d, 2, TILE * BOX)
        )
        self._boxed = True

    def placed(self, of_rows: NDArray[Any]) -> NDArray[Any]:
        """Values of rows, of_rows (n,), in the order of places."""
        return of_rows if self.order is None else of_rows[self.order]

    def rows(self, of_places: NDArray[Any]) -> NDArray[Any]:
        """A copy of values of places, of_places (..., n), in the order of rows."""
        if self.order is None:
            return of_places.copy()
        found = np.empty_like(of_places)
        found[..., self.order] = of_places
        return found

    def _put(self, record: Lanes) -> None:
        self.record, self.lanes = record, Handed(record)

    def _turn(self) -> Ranges:
        """Bring the points into lanes; return their ranges in float64."""
        threads, turn = self.workers.count, kernels.turn[self.x.dtype]
        lowest = np.repeat(self.x[0].astype(np.float64), TILE)[np.newaxis].repeat(threads, 0)
        highest, bad = lowest.copy(), np.zeros(threads, np.int64)

        def bring(worker: int, first: int, end: int) -> None:
            bad[worker] |= turn(self.x, self.lanes, first, end, lowest[worker], highest[worker])

        self.workers.each(bring, self.tiles, step(self.d, 2, TILE))
        place = None
        if bad.any():
            row, column = np.argwhere(~np.isfinite(self.x))[0].tolist()
            place = row, column, float(self.x[row, column])
        low, high = (of.reshape(threads, self.d, TILE) for of in (lowest, highest))
        return Ranges(low.min(axis=(0, 2)), high.max(axis=(0, 2)), place)

    def _near_ones(self) -> Int64:
        """The rows in an order in which neighbours are near each other, (n,).

        They are sorted by the numbers of their cells. Cells come from a box around the points, whose longest side is
        halved again and again.
        """
        some = self.x[np.linspace(0, self.n - 1, min(self.n, _SAMPLE)).astype(np.int64)].astype(np.float64)
        low, high = np.percentile(some, [1, 99], axis=0)
        sides, features = high - low, []
        for _ in range(min(_BITS, int(np.log2(self.n)) + 2)):
            features.append(int(sides.argmax()))
            sides[features[-1]] /= 2
        halved = np.bincount(features, minlength=self.d)
        left, shifts = halved.copy(), []
        for t in features:
            left[t] -= 1
            shifts.append(left[t])
        with np.errstate(over="ignore"):
            scale = np.divide(2.0**halved, high - low, out=np.zeros(self.d), where=high > low)
        cells = Handed(Cells(low, scale, 2.0**halved - 1, np.array(features), np.array(shifts)))
        keys, number = np.empty(self.tiles * TILE, np.int64), kernels.keys[self.x.dtype]
        self.workers.each(
            lambda _, first, end: number(self.lanes, first, end, cells, len(features), keys),
            self.tiles,
            step(self.d, 4, TILE),
        )
        return np.argsort(keys[: self.n].astype(np.uint32))


def _longest(dtype: np.dtype[Any], ranges: Ranges, d: int) -> float:
    """At least the greatest squared norm of points of these ranges; of small integers it is that of their type."""
    if are_integers(dtype):
        return float(d) * float(max(-np.iinfo(dtype).min, np.iinfo(dtype).max)) ** 2
    with np.errstate(all="ignore"):
        return float(np.square(np.maximum(-ranges.least, ranges.most)).sum()) * (1.0 + 2.0**-20)
