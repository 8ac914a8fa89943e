"""A pass of Lloyd's algorithm: it labels the points, and adds the points whose label has changed to the tallies.

`assign` is the loop over tiles and runs. `_label` does one tile and run, in four phases: select candidates, screen
them, certify or compute, settle and move. `together` labels tiles of points that are rounded to bytes.
"""

from __future__ import annotations

from steinhaus.engines.dense.candidates import (
    anchored_products,
    fetch_kept,
    keep_products,
    measure_gaps,
    select_candidates,
    split_by_anchors,
)
from steinhaus.engines.dense.certifying import bounds, fetch, list_open, settle_lanes
from steinhaus.engines.dense.factors import TILE
from steinhaus.engines.dense.lanes import Readers
from steinhaus.engines.dense.products import full_products
from steinhaus.engines.dense.records import (
    ANCHORED,
    BRUTE,
    COMPUTED,
    FEATURES,
    GATHERED,
    RENEW,
    SCREENED,
    Change,
    Framed,
    Orders,
    View,
    Worker,
)
from steinhaus.engines.dense.screening import bound_by_features, certify
from steinhaus.engines.dense.slices import RunSlice, Source, Tile
from steinhaus.engines.dense.tallies import move
from steinhaus.engines.dense.together import are_whole, label_together
from steinhaus.jit.build import apart, inner, shared_kernel
from steinhaus.jit.operations import claim, largest, load, maximum
from steinhaus.jit.tiles import begin_tiles, end_tiles
from steinhaus.jit.types import boolean, f32, i32, i64, u8, u32


@shared_kernel
def assign(points: Framed, readers: Readers, view: View, orders: Orders, worker: Worker) -> None:
    """Label the points of all tiles that this worker takes, for the active runs, and record changes of the tallies.

    Runs in mode RENEW get new anchors.
    """
    begin_tiles()
    tiles = view.tiles
    source = Source(points, readers, tiles, worker.scratch)
    full = False  # whether the features of all tiles are needed
    for a in range(orders.many[0]):
        mode = i64(orders.modes[orders.active[a]])
        full = full or mode == RENEW or mode == FEATURES
    gapped = view.sizes.gapped != 0
    all_tiles, step = orders.queue[1], orders.queue[2]
    number = claim(orders.queue, step)
    together = are_whole(points, view, orders)
    while number < all_tiles:
        upto = min(number + step, all_tiles)
        if together:
            label_together(source, view, orders, worker, number, upto)
            number = upto
        while number < upto:
            if full and number + 1 < upto:
                fetch(points, tiles, TILE * (number + 1), u32(0xFFFFFFFF))
            size, gathered = _size(source, number), False
            for a in range(orders.many[0]):
                if gapped:
                    if a + 1 < orders.many[0]:
                        fetch_kept(view, number, orders.active[a + 1], size)
                    elif number + 1 < all_tiles:
                        fetch_kept(view, number + 1, orders.active[0], size)
                gathered = _label(source, view, orders, worker, number, orders.active[a], gathered)
            number += 1
        number = claim(orders.queue, step)
    end_tiles()


@inner
def _size(s: Source, number: i64) -> f32:
    """At least |y| of every lane of a tile."""
    norms, base = s.tiles.norms, TILE * number
    return largest(maximum(load(norms, base, 16), load(norms, base + 16, 16))) + s.tiles.reach


@inner
def _label(s: Source, view: View, orders: Orders, worker: Worker, number: i64, r: i64, gathered: boolean) -> boolean:
    """Label the points of a tile for one run; return whether the tile's features have been gathered."""
    sizes, change, base = view.sizes, worker.change, TILE * number
    present = u32(0xFFFFFFFF) >> u32(TILE - min(TILE, s.x.rows.n - base))
    tile = Tile(number, base, present, _size(s, number))
    first, column = view.firsts[r], view.columns[r]
    run = RunSlice(
        r,
        first,
        view.firsts[r + 1] - first,
        column,
        view.columns[r + 1] - column,
        number * sizes.wide + column,
        number * sizes.runs + r,
        view.kept_firsts[r + 1] - view.kept_firsts[r],
        view.anchors.products + TILE * (number * sizes.kept + view.kept_firsts[r]),
    )
    mode, count, bounded, opened = i64(orders.modes[r]), run.k, False, u32(0)
    gapped = sizes.gapped != 0 and (mode == RENEW or mode == ANCHORED)
    if gapped:
        count, bounded, opened = select_candidates(s, view, change, tile, run, mode)
    else:
        for c in range(count):
            s.scratch.chosen[c] = first + c
    if bounded:
        opened = tile.present & opened
        measure_gaps(s, view.gaps, tile, run, count)
        many = list_open(s, count, opened)
    else:
        opened, many, gathered = _certify(s, view, change, tile, run, mode, count, gathered)
    if opened:
        settle_lanes(s, view, change, tile, run, mode, opened, many)
    move(s, view, change, tile, run, gapped, mode == RENEW)
    return gathered


@inner
def _certify(
    s: Source, view: View, change: Change, tile: Tile, run: RunSlice, mode: i64, count: i64, gathered: boolean
) -> tuple[u32, i64, boolean]:
    """Certify lanes: because one candidate is left, from anchors, or by products of all features.

    Returns the open lanes, the number of open candidates, and whether the tile's features have been gathered.
    """
    if count == 1:
        for lane in range(TILE):
            s.scratch.found[lane] = i32(s.scratch.chosen[0] - run.first)
        return u32(0), 0, gathered
    if mode == BRUTE:
        return tile.present, 0, gathered
    if mode == ANCHORED and count < view.sizes.direct:
        opened, many, gathered = _from_anchors(s, view, change, tile, run, count, gathered)
        if many >= 0:
            return opened, many, gathered
    if not gathered:
        _gather(s, change, view, tile, run)
    opened, many = _from_features(s, view, change, tile, run, count, mode)
    return opened, many, True


@inner
def _gather(s: Source, change: Change, view: View, tile: Tile, run: RunSlice) -> None:
    """Gather the features of a tile into lanes."""
    s.readers.gather(s.x, s.tiles, tile.base, s.scratch)
    change.work[GATHERED * view.sizes.runs + run.run] += 1


@apart
def _from_anchors(
    s: Source, view: View, change: Change, tile: Tile, run: RunSlice, count: i64, gathered: boolean
) -> tuple[u32, i64, boolean]:
    """Certify lanes by the bounds from anchors.

    Returns the open lanes, the number of open candidates, and whether the tile's features have been gathered. The
    number is -1 if so much is open that products of all features cost less.
    """
    scratch, anchors, runs = s.scratch, view.anchors, view.sizes.runs
    kept = i64(anchors.used[run.at_tile])
    missing, _ours = split_by_anchors(view, run, scratch.chosen, count, scratch.others, scratch.kept)
    if kept + missing > run.room:
        return tile.present, -1, gathered
    if missing:
        if not gathered:
            _gather(s, change, view, tile, run)
            gathered = True
        full_products(s.x, scratch, anchors.factors, scratch.others, missing, run.kept + TILE * kept)
        change.work[COMPUTED * runs + run.run] += missing
        for o in range(missing):
            anchors.slots[run.at + scratch.others[o] - run.first] = u8(kept + o + 1)
        anchors.used[run.at_tile] = u8(kept + missing)
    anchored_products(s, view, tile, run, scratch.chosen, count)
    change.work[SCREENED * runs + run.run] += count
    opened = tile.present & bounds(s, tile, run, view.anchored, s.tiles.rounded_norms, scratch.chosen, count)
    measure_gaps(s, view.gaps, tile, run, count)
    return opened, list_open(s, count, opened), gathered


@apart
def _from_features(
    s: Source, view: View, change: Change, tile: Tile, run: RunSlice, count: i64, mode: i64
) -> tuple[u32, i64]:
    """Certify lanes by products of all features. Returns the open lanes, and the number of open candidates."""
    gapped = view.sizes.gapped != 0 and (mode == RENEW or mode == ANCHORED)
    keeps = gapped and mode == RENEW and count < view.sizes.direct
    bound_by_features(s, tile, view.factors, view.features, s.tiles.rounded_norms, count, keeps)
    change.work[COMPUTED * view.sizes.runs + run.run] += count
    if gapped:
        measure_gaps(s, view.gaps, tile, run, count)
        if keeps:
            view.anchors.used[run.at_tile] = u8(keep_products(s, view, run, count))
    opened, many = certify(s, run, count, gapped)
    return tile.present & opened, many
