"""Greedy k-means++ on points in lanes, in one call: see `seeding_kernels`."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from steinhaus.engines.compact import seeding_kernels, seeding_many_kernels
from steinhaus.engines.compact.placing import Placed
from steinhaus.engines.compact.records import FEW, GROUP, ROWS, TILE, TOGETHER, Draw
from steinhaus.jit.handed import Handed
from steinhaus.points import Int64
from steinhaus.seeding import AHEAD, Stream, ahead, first_row, sum_bits

_KEPT = 2**14  # points up to which memory is kept for the next start


class Drawing:
    """The memory that rows are drawn in: one start after the other, as many rows and candidates each.

    `integers` and their `sums` need not begin at 0, because the first count makes all integers anew.
    """

    def __init__(self, points: Placed, k: int, trials: int) -> None:
        n, places, boxes = points.n, points.tiles * TILE, points.groups * GROUP
        many, together = points.d >= FEW, -(-trials // TOGETHER) * TOGETHER
        self.count = 2 * trials * (k - 1 + AHEAD) + 16
        self.far = np.where(np.arange(boxes) < points.boxes, np.inf, -1.0)
        self.draw = Draw(
            closest=np.zeros(places),
            times=np.zeros(0),
            weighted=0,
            far=self.far.copy(),
            most=np.zeros(boxes),
            inside=np.full(boxes, -1),
            integers=np.zeros(places, np.int64),
            sums=np.zeros(-(-n // ROWS), np.int64),
            words=np.empty(self.count, np.uint64),
            rows=np.empty((together, points.d)),
            halves=np.empty(together),
            squares=np.empty(places if many else 0),
            nearer=np.empty(together * points.tiles if many else 0, np.int64),
            away=np.empty(trials * places if many else 0),
            candidates=np.empty(trials * AHEAD, np.int64),
            ahead=np.array([ahead(chosen, k) for chosen in range(k)]),
            within=np.empty(trials * AHEAD, np.int64),
            picked=np.empty(trials, np.int64),
            chosen=np.empty(k, np.int64),
            state=np.zeros(2, np.int64),
            gains=np.empty(trials, np.int64),
            whole=np.empty(TILE, np.int64),
        )

    @cached_property
    def handed(self) -> Handed:
        """The record, for kernels."""
        return Handed(self.draw)

    def begin(self, n: int, row: int) -> None:
        """Begin with a row, before any distance is known."""
        draw = self.draw
        draw.closest[:n], draw.far[:], draw.inside[:], draw.most[:] = np.inf, self.far, -1, 0.0
        draw.chosen[0], draw.state[:] = row, (1, 0)

    def weighted(self, points: Placed, weights: Int64 | None) -> Draw:
        """The record for points with weights, (n,); None: 1 each."""
        if weights is None:
            return self.draw
        times = np.zeros(points.tiles * TILE)
        times[: points.n] = points.placed(weights)
        return self.draw._replace(times=times, weighted=1)


def plus_plus(points: Placed, k: int, stream: Stream, weights: Int64 | None, trials: int) -> Int64:
    """Choose up to k rows at a distance from each other; see `Seeding.plus_plus`. weights: (n,)."""
    n = points.n
    points.look(k)
    drawing = points.drawings.get((k, trials))
    if drawing is None:
        points.drawings.clear()
        drawing = Drawing(points, k, trials)
        if n <= _KEPT:
            points.drawings[k, trials] = drawing
    drawing.begin(n, first_row(n, stream, weights))
    draw, handed, count = drawing.draw, drawing.handed, drawing.count
    draw.words[:] = stream.ahead(count)
    if weights is not None:
        draw = drawing.weighted(points, weights)
        handed = Handed(draw)
    choose = (seeding_many_kernels if points.d >= FEW else seeding_kernels).choose[points.x.dtype]
    while choose(points.lanes, points.x, handed, k, trials, sum_bits(n), count):
        count *= 2
        draw = draw._replace(words=stream.ahead(count))
        handed = Handed(draw)
    stream.skip(int(draw.state[1]))
    return draw.chosen[: int(draw.state[0])].copy()
