"""Label a few tiles together: points rounded to bytes, whose runs keep no gaps.

A run is compared with all its centroids (`halved`), or begins from the neighbours of each point (`neighbours`).
"""

from __future__ import annotations

from steinhaus.engines.dense.certifying import settle_lanes
from steinhaus.engines.dense.halved import begin_lists, bound_by_halves, enter, set_aside, take_up
from steinhaus.engines.dense.neighbours import label_by_neighbours, list_neighbours, moved_far
from steinhaus.engines.dense.records import (
    COMPUTED,
    FEATURES,
    GATHERED,
    LISTED,
    PAIRS,
    RENEW,
    TILE,
    TOGETHER,
    Framed,
    Orders,
    View,
    Worker,
)
from steinhaus.engines.dense.screening import certify
from steinhaus.engines.dense.slices import RunSlice, Source, Tile
from steinhaus.engines.dense.tallies import move
from steinhaus.jit.build import apart, inner
from steinhaus.jit.types import boolean, f32, i64, u32


@inner
def are_whole(points: Framed, view: View, orders: Orders) -> boolean:
    """Whether tiles can be labelled together, for all active runs."""
    whole = points.quantiser.step > 0.0
    for a in range(orders.many[0]):
        mode = i64(orders.modes[orders.active[a]])
        whole = whole and (mode == FEATURES or mode == LISTED or (mode == RENEW and view.sizes.gapped == 0))
    return whole


@apart
def label_together(s: Source, view: View, orders: Orders, worker: Worker, first: i64, end: i64) -> None:
    """Label the points of the tiles first <= number < end, for all active runs."""
    while first < end:
        many, gathered = min(TOGETHER, end - first), False
        for slot in range(many):
            enter(s, worker.group, slot, TILE * (first + slot))
        for a in range(orders.many[0]):
            r = orders.active[a]
            mode = i64(orders.modes[r])
            if _begin(s, view, worker, first, many, r, mode) > 0 and not gathered:
                _gather(s, view, worker, first, many, r)
                gathered = True
            if mode == LISTED:
                moved = view.neighbours
                bound_by_halves(s.x.rows.d, worker.group, many, moved.factors, moved.scores, view.firsts[r], False)
            else:
                keeps = mode == RENEW and view.sizes.room > 0
                bound_by_halves(s.x.rows.d, worker.group, many, view.factors, view.halved, view.firsts[r], keeps)
            for slot in range(many):
                _label(s, view, worker, slot, first + slot, r, mode)
        first += many


@inner
def _begin(s: Source, view: View, worker: Worker, first: i64, many: i64, r: i64, mode: i64) -> i64:
    """Begin the lists of `many` tiles from `first` on; return the most centroids that a tile must be compared with."""
    group, most, k = worker.group, 0, view.firsts[r + 1] - view.firsts[r]
    for slot in range(many):
        number = first + slot
        labels = view.labels + TILE * (number * view.sizes.runs + r)
        begin_lists(s, group, slot, TILE * number, labels, view, view.firsts[r])
        group.upto[slot] = moved_far(s, view, group, slot, number, r) if mode == LISTED else k
        most = max(most, group.upto[slot])
        worker.change.work[COMPUTED * view.sizes.runs + r] += group.upto[slot]
    return most


@inner
def _gather(s: Source, view: View, worker: Worker, first: i64, many: i64, r: i64) -> None:
    """Gather the features of `many` tiles, for all runs. r: the run for which it is counted."""
    for slot in range(many):
        s.readers.gather(s.x, s.tiles, TILE * (first + slot), s.scratch)
        set_aside(s, worker.group, slot)
    worker.change.work[GATHERED * view.sizes.runs + r] += many


@inner
def _label(s: Source, view: View, worker: Worker, slot: i64, number: i64, r: i64, mode: i64) -> None:
    """Label the points of a tile that has been screened, for one run."""
    group, change, base, first = worker.group, worker.change, TILE * number, view.firsts[r]
    present = u32(0xFFFFFFFF) >> u32(TILE - min(TILE, s.x.rows.n - base))
    tile = Tile(number, base, present, f32(0.0))
    at_tile = number * view.sizes.runs + r
    run = RunSlice(r, first, view.firsts[r + 1] - first, 0, 0, 0, at_tile, 0, view.anchors.products)
    if mode == LISTED:
        change.work[PAIRS * view.sizes.runs + r] += label_by_neighbours(s, view, group, slot, tile, run)
    else:
        count = take_up(s, group, slot)
        opened, many = certify(s, run, count, False)
        opened = tile.present & opened
        if opened:
            settle_lanes(s, view, change, tile, run, mode, opened, many)
        if mode == RENEW and view.sizes.room > 0:
            list_neighbours(s, view, group, slot, run, count)
    move(s, view, change, tile, run, False, False)
