"""Greedy k-means++ on points in lanes, in one call: see `seeding_kernels`."""

from __future__ import annotations

import numpy as np

from steinhaus.engines.compact import seeding_kernels
from steinhaus.engines.compact.placing import Placed
from steinhaus.engines.compact.records import GROUP, ROWS, TILE, Draw
from steinhaus.jit.handed import Handed
from steinhaus.points import Int64
from steinhaus.seeding import AHEAD, Stream, ahead, first_row, sum_bits


def plus_plus(points: Placed, k: int, stream: Stream, weights: Int64 | None, trials: int) -> Int64:
    """Choose k rows, or fewer if all other points are at distance 0; see `Seeding.plus_plus`. weights: (n,)."""
    n, places, boxes = points.n, points.tiles * TILE, points.groups * GROUP
    points.look(k)
    closest, times = np.zeros(places), np.zeros(0 if weights is None else places)
    closest[:n] = np.inf
    if weights is not None:
        times[:n] = points.placed(weights)
    chosen, state = np.empty(k, np.int64), np.array([1, 0])
    chosen[0] = first_row(n, stream, weights)
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
        rows=np.empty((trials, points.d)),
        candidates=np.empty(trials * AHEAD, np.int64),
        ahead=np.array([ahead(chosen, k) for chosen in range(k)]),
        within=np.empty(trials * AHEAD, np.int64),
        picked=np.empty(trials, np.int64),
        chosen=chosen,
        state=state,
        gains=np.empty(trials, np.int64),
        near=np.empty(TILE),
        whole=np.empty(TILE, np.int64),
    )
    choose = seeding_kernels.choose[points.x.dtype]
    while choose(points.lanes, points.x, Handed(draw), k, trials, sum_bits(n), count):
        count *= 2
        draw = draw._replace(words=stream.ahead(count))
    stream.skip(int(state[1]))
    return chosen[: int(state[0])]
