"""Greedy k-means++ on points in lanes, in one call: see `seeding_kernels`."""

from __future__ import annotations

import numpy as np

from steinhaus.engines.compact import seeding_kernels, seeding_many_kernels
from steinhaus.engines.compact.placing import Placed
from steinhaus.engines.compact.records import FEW, GROUP, ROWS, TILE, TOGETHER, Draw
from steinhaus.jit.handed import Handed
from steinhaus.points import Int64
from steinhaus.seeding import AHEAD, Stream, ahead, first_row, sum_bits


def plus_plus(points: Placed, k: int, stream: Stream, weights: Int64 | None, trials: int) -> Int64:
    """Choose rows, as many of k as there are at a distance from the others; see `Seeding.plus_plus`."""
    n, places, boxes = points.n, points.tiles * TILE, points.groups * GROUP
    points.look(k)
    closest, times = np.zeros(places), np.zeros(0 if weights is None else places)
    closest[:n] = np.inf
    if weights is not None:
        times[:n] = points.placed(weights)
    chosen, state = np.empty(k, np.int64), np.array([1, 0])
    chosen[0] = first_row(n, stream, weights)
    many, together = points.d >= FEW, -(-trials // TOGETHER) * TOGETHER
    count = 2 * trials * (k - 1 + AHEAD) + 16
    draw = Draw(
        closest=closest,
        times=times,
        weighted=int(weights is not None),
        far=np.where(np.arange(boxes) < points.boxes, np.inf, -1.0),
        most=np.zeros(boxes),
        inside=np.full(boxes, -1),
        integers=np.zeros(places, np.int64),
        sums=np.zeros(-(-n // ROWS), np.int64),
        words=stream.ahead(count),
        rows=np.empty((together, points.d)),
        halves=np.empty(together),
        squares=np.empty(places if many else 0),
        nearer=np.empty(together * points.tiles if many else 0, np.int64),
        away=np.empty(trials * places if many else 0),
        candidates=np.empty(trials * AHEAD, np.int64),
        ahead=np.array([ahead(chosen, k) for chosen in range(k)]),
        within=np.empty(trials * AHEAD, np.int64),
        picked=np.empty(trials, np.int64),
        chosen=chosen,
        state=state,
        gains=np.empty(trials, np.int64),
        whole=np.empty(TILE, np.int64),
    )
    choose = (seeding_many_kernels if many else seeding_kernels).choose[points.x.dtype]
    while choose(points.lanes, points.x, Handed(draw), k, trials, sum_bits(n), count):
        count *= 2
        draw = draw._replace(words=stream.ahead(count))
    stream.skip(int(state[1]))
    return chosen[: int(state[0])]
