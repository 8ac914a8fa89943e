"""Label a few tiles together: points rounded to bytes, whose runs keep no gaps.

A run is compared with all its centroids (`halved`), or begins from the neighbours of each point (`neighbours`).
"""

from __future__ import annotations

from steinhaus.engines.bounds.neighbours import SKIN
from steinhaus.engines.dense.certifying import settle_lanes
from steinhaus.engines.dense.factors import TILE
from steinhaus.engines.dense.group_records import TOGETHER
from steinhaus.engines.dense.halved import begin_lists, bound_by_halves, enter, set_aside, take_up
from steinhaus.engines.dense.neighbours import label_by_neighbours, list_neighbours, moved_far
from steinhaus.engines.dense.pairs import find_pairs, keep_pairs, label_by_pairs, put_in_rows
from steinhaus.engines.dense.records import (
    COMPUTED,
    FEATURES,
    GATHERED,
    LISTED,
    PAIRS,
    RENEW,
    SCREENED,
    SINGLES,
    Framed,
    Orders,
    View,
    Worker,
)
from steinhaus.engines.dense.screening import certify
from steinhaus.engines.dense.sketched import screen_by_sketches
from steinhaus.engines.dense.sketching import sketch_tile
from steinhaus.engines.dense.slices import RunSlice, Source, Tile
from steinhaus.engines.dense.tallies import move
from steinhaus.jit.build import apart, inner
from steinhaus.jit.operations import load, store
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
    group = worker.group
    while first < end:
        many, gathered = min(TOGETHER, end - first), False
        for slot in range(many):
            enter(s, group, slot, TILE * (first + slot))
        for a in range(orders.many[0]):
            r = orders.active[a]
            mode = i64(orders.modes[r])
            most = _begin(s, view, worker, first, many, r, mode)
            new = view.sketches.m > 0 and not view.sketches.known
            if not gathered and (new or (most > 0 and not (view.sketches.m > 0 and mode == LISTED))):
                _gather(s, view, worker, first, many, r)
                gathered = True
            if view.sketches.m > 0:
                for side in range(0, TILE * many, 16):
                    store(group.sizes, side, load(view.sketches.sizes, TILE * first + side, 16))
                _label_by_sketches(s, view, worker, first, many, r, mode)
            else:
                _label_by_features(s, view, worker, first, many, r, mode)
        first += many


@inner
def _begin(s: Source, view: View, worker: Worker, first: i64, many: i64, r: i64, mode: i64) -> i64:
    """Begin the lists of `many` tiles from `first` on; return the most centroids that a tile must be compared with."""
    group, most, k = worker.group, 0, view.firsts[r + 1] - view.firsts[r]
    work = worker.change.work + (SCREENED if view.sketches.m > 0 else COMPUTED) * view.sizes.runs
    for slot in range(many):
        number = first + slot
        labels = view.labels + TILE * (number * view.sizes.runs + r)
        begin_lists(s, group, slot, TILE * number, labels, view, view.firsts[r])
        group.upto[slot] = moved_far(s, view, group, slot, number, r) if mode == LISTED else k
        most = max(most, group.upto[slot])
        work[r] += group.upto[slot]
    return most


@inner
def _label_by_features(s: Source, view: View, worker: Worker, first: i64, many: i64, r: i64, mode: i64) -> None:
    """Label the points of `many` tiles from `first` on, for a run, by products of all features."""
    group, moved = worker.group, view.neighbours
    if mode == LISTED:
        bound_by_halves(s.x.rows.d, group, many, moved.factors, moved.scores, view.firsts[r], False)
    else:
        keeps = mode == RENEW and view.sizes.room > 0
        bound_by_halves(s.x.rows.d, group, many, view.factors, view.halved, view.firsts[r], keeps)
    for slot in range(many):
        if mode == LISTED or group.upto[slot] > 0:
            _label(s, view, worker, slot, first + slot, r, mode)


@inner
def _label_by_sketches(s: Source, view: View, worker: Worker, first: i64, many: i64, r: i64, mode: i64) -> None:
    """Label the points of `many` tiles from `first` on, for a run, by sketches first.

    All features are multiplied for tiles in which too many pairs are left.
    """
    group, work, runs, from_first = worker.group, worker.change.work, view.sizes.runs, view.firsts[r]
    if mode == LISTED:
        screen_by_sketches(s, view, group, many, first, view.neighbours.sketched, from_first, f32(0.0), False)
        for slot in range(many):
            _label(s, view, worker, slot, first + slot, r, mode)
        return
    keeps, left = mode == RENEW and view.sizes.room > 0, 0
    share = f32(SKIN) if keeps else f32(0.0)
    work[SINGLES * runs + r] += screen_by_sketches(s, view, group, many, first, view.sketched, from_first, share, True)
    for slot in range(many):
        if _label_by_pairs(s, view, worker, slot, first + slot, r, keeps):
            group.upto[slot] = 0
        else:
            group.nears[slot] = 0
            work[COMPUTED * runs + r] += group.upto[slot]
            left += 1
    if left > 0:
        _label_by_features(s, view, worker, first, many, r, mode)


@inner
def _label_by_pairs(s: Source, view: View, worker: Worker, slot: i64, number: i64, r: i64, keeps: boolean) -> boolean:
    """Label the points of a tile by the pairs that sketches have left, unless these are too many: then return False.

    keeps: whether neighbours are listed.
    """
    group, work, runs = worker.group, worker.change.work, view.sizes.runs
    share, rest, first = f32(SKIN) if keeps else f32(0.0), group.top + TILE * slot, view.firsts[r]
    if not find_pairs(s, group, slot, share, rest):
        return False
    tile = Tile(number, TILE * number, _present(s, number), f32(0.0))
    at_tile = number * runs + r
    run = RunSlice(r, first, view.firsts[r + 1] - first, 0, 0, 0, at_tile, 0, view.anchors.products)
    settled, singles = label_by_pairs(s, view, group, slot, tile, run, share, rest)
    work[PAIRS * runs + r] += settled
    work[SINGLES * runs + r] += singles
    if keeps:
        keep_pairs(view, group, slot, run, rest)
    move(s, view, worker.change, tile, run, False, False)
    return True


@inner
def _present(s: Source, number: i64) -> u32:
    """The lanes of a tile that hold points, as bits."""
    return u32(0xFFFFFFFF) >> u32(TILE - min(TILE, s.x.rows.n - TILE * number))


@inner
def _gather(s: Source, view: View, worker: Worker, first: i64, many: i64, r: i64) -> None:
    """Gather the features of `many` tiles, for all runs. r: the run for which it is counted."""
    for slot in range(many):
        s.readers.gather(s.x, s.tiles, TILE * (first + slot), s.scratch)
        set_aside(s, worker.group, slot)
        if view.sketches.m > 0:
            put_in_rows(worker.group, slot, s.x.rows.d)
            if not view.sketches.known:
                base, rhos = TILE * (first + slot), worker.group.rests + TILE * slot
                sketch_tile(s.scratch.quads, rhos, s.x.rows.d, view.sketches, base, worker.group.sums)
    worker.change.work[GATHERED * view.sizes.runs + r] += many


@inner
def _label(s: Source, view: View, worker: Worker, slot: i64, number: i64, r: i64, mode: i64) -> None:
    """Label the points of a tile that has been screened, for one run."""
    group, change, first = worker.group, worker.change, view.firsts[r]
    tile = Tile(number, TILE * number, _present(s, number), f32(0.0))
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
