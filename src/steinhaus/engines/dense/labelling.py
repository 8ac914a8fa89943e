"""A pass of Lloyd's algorithm: it labels the points, and adds the points whose label has changed to the tallies.

`assign` is the loop over tiles and runs. `_label` does one tile and run, in four phases: select candidates, screen
them, certify or compute, settle and move.
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
from steinhaus.engines.dense.certifying import bounds, fetch, list_open, nearest, settle
from steinhaus.engines.dense.halved import begin_lists, bound_by_halves, set_aside, take_up
from steinhaus.engines.dense.lanes import Readers
from steinhaus.engines.dense.products import full_products
from steinhaus.engines.dense.records import (
    ANCHORED,
    BRUTE,
    COMPUTED,
    FEATURES,
    GATHERED,
    MOST_MOVES,
    MOVED,
    PAIRS,
    RENEW,
    SCREENED,
    SPILLED,
    TILE,
    TOGETHER,
    WORKS,
    Change,
    Framed,
    Orders,
    View,
    Worker,
)
from steinhaus.engines.dense.screening import bound_by_features, certify
from steinhaus.engines.dense.slices import RunSlice, Source, Tile
from steinhaus.jit.build import apart, inner, shared_kernel
from steinhaus.jit.operations import bits_of, claim, count_ones, largest, load, lowest_one, maximum
from steinhaus.jit.tiles import begin_tiles, end_tiles
from steinhaus.jit.types import Array, boolean, f32, i32, i64, u8, u32


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
    together = _are_whole(points, view, orders)
    while number < all_tiles:
        upto = min(number + step, all_tiles)
        if together:
            _label_together(source, view, orders, worker, number, upto)
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
                gathered = _label(source, view, orders, worker, number, orders.active[a], -1, gathered)
            number += 1
        number = claim(orders.queue, step)
    end_tiles()


@inner
def _size(s: Source, number: i64) -> f32:
    """At least |y| of every lane of a tile."""
    norms, base = s.tiles.norms, TILE * number
    return largest(maximum(load(norms, base, 16), load(norms, base + 16, 16))) + s.tiles.reach


@inner
def _are_whole(points: Framed, view: View, orders: Orders) -> boolean:
    """Whether every active run is screened by one byte a feature of all its centroids."""
    whole = points.quantiser.step > 0.0
    for a in range(orders.many[0]):
        mode = i64(orders.modes[orders.active[a]])
        whole = whole and (mode == FEATURES or (mode == RENEW and view.sizes.gapped == 0))
    return whole


@apart
def _label_together(s: Source, view: View, orders: Orders, worker: Worker, first: i64, end: i64) -> None:
    """Label the points of the tiles first <= number < end, for runs that are screened by one byte a feature."""
    group, d = worker.group, s.x.rows.d
    while first < end:
        many = min(TOGETHER, end - first)
        for slot in range(many):
            s.readers.gather(s.x, s.tiles, TILE * (first + slot), s.scratch)
            set_aside(s, group, slot, TILE * (first + slot))
        for a in range(orders.many[0]):
            r = orders.active[a]
            k = view.firsts[r + 1] - view.firsts[r]
            for slot in range(many):
                labels = view.labels + TILE * ((first + slot) * view.sizes.runs + r)
                begin_lists(s, group, slot, TILE * (first + slot), labels, view, view.firsts[r])
            bound_by_halves(d, group, many, view.factors, view.halved, view.firsts[r], k)
            if a == 0:  # gathered once, for all runs
                worker.change.work[GATHERED * view.sizes.runs + r] += many
            worker.change.work[COMPUTED * view.sizes.runs + r] += many * k
            for slot in range(many):
                _label(s, view, orders, worker, first + slot, r, slot, True)
        first += many


@inner
def _label(
    s: Source, view: View, orders: Orders, worker: Worker, number: i64, r: i64, slot: i64, gathered: boolean
) -> boolean:
    """Label the points of a tile for one run; return whether the tile's features have been gathered.

    slot: of the tile in the group that has been screened; -1: the tile has not been screened.
    """
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
    if slot >= 0:
        count = take_up(s, worker.group, slot, run.k)
    elif gapped:
        count, bounded, opened = select_candidates(s, view, change, tile, run, mode)
    else:
        for c in range(count):
            s.scratch.chosen[c] = first + c
    if slot >= 0:
        opened, many = certify(s, run, count, False)
        opened = tile.present & opened
    elif bounded:
        opened = tile.present & opened
        measure_gaps(s, view.gaps, tile, run, count)
        many = list_open(s, count, opened)
    else:
        opened, many, gathered = _certify(s, view, change, tile, run, mode, count, gathered)
    if opened:
        _settle(s, view, change, tile, run, mode, opened, many)
    _move(s, view, change, tile, run, gapped, mode == RENEW)
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


@apart
def _settle(
    s: Source, view: View, change: Change, tile: Tile, run: RunSlice, mode: i64, opened: u32, many: i64
) -> None:
    """Settle the open lanes: among their candidates, or among all centroids of the run if nothing was screened."""
    fetch(s.x, s.tiles, tile.base, opened)
    pairs = 0
    while opened:
        lane = lowest_one(opened)
        opened = opened & (opened - 1)
        if mode == BRUTE:
            label = nearest(s, s.tiles.order[tile.base + lane], view.exact, run.first, run.k)
            looked = run.k
        else:
            label, looked = settle(s, tile.base + lane, lane, view.exact, view.factors, view.single, many)
            label -= run.first
        s.scratch.found[lane] = i32(label)
        pairs += looked
    change.work[PAIRS * view.sizes.runs + run.run] += pairs


@apart
def _move(s: Source, view: View, change: Change, tile: Tile, run: RunSlice, gapped: boolean, renewed: boolean) -> None:
    """Move the points of a tile whose label has changed. If gaps are kept, record the labels in the tile."""
    sizes, d, found = view.sizes, s.x.rows.d, s.scratch.found
    labels = view.labels + TILE * run.at_tile
    moved = bits_of(load(found, 0, 16) != load(labels, 0, 16))
    moved = moved | bits_of(load(found, 16, 16) != load(labels, 16, 16)) << u32(16)
    moved = moved & tile.present
    fetch(s.x, s.tiles, tile.base, moved)
    left = moved
    while left:
        lane = lowest_one(left)
        left = left & (left - 1)
        i, old, new = s.tiles.order[tile.base + lane], i64(labels[lane]), i64(found[lane])
        if old >= 0:
            _add(s, change, i, -1, run.first + old, sizes.k * d)
        _add(s, change, i, 1, run.first + new, sizes.k * d)
        labels[lane] = i32(new)
    many = count_ones(moved)
    change.work[MOVED * sizes.runs + run.run] += many
    if gapped and (many > 0 or renewed):
        for q in range(run.width):
            view.gaps.present[run.at + q] = u8(0)
        for lane in range(TILE):
            view.gaps.present[run.at + i64(found[lane])] = u8(1)


@inner
def _add(s: Source, change: Change, i: i64, sign: i64, j: i64, other: i64) -> None:
    """Add a point to a tally (sign 1), or subtract it (sign -1); a low limb stands `other` places after its high limb.

    j: the cluster, among all centroids of the runs.
    """
    d = s.x.rows.d
    change.touched[j] = max(change.touched[j], u8(1))
    change.counts[j] += sign
    if change.is_narrow:
        s.readers.add_row_narrow(s.x, i, sign, change.narrow, j * d)
    else:
        s.readers.add_row(s.x, i, sign, change.sums, j * d)
        change.moves[j] += 1
        if change.limbs == 2 and change.moves[j] == MOST_MOVES:
            _split(change.sums + j * d, d, change.spilled + j * d, other)
            change.touched[j], change.moves[j] = u8(SPILLED), 0


@apart
def _split(sums: Array[i64], d: i64, to: Array[i64], other: i64) -> None:
    """Add sums, (d,), to sums in two limbs, and clear them. to: (d,) high limbs; `other` places after, low ones."""
    for t in range(d):
        to[t] += sums[t] >> 32
        to[other + t] += sums[t] & 0xFFFFFFFF
        sums[t] = 0


@shared_kernel
def collect(
    view: View, change: Change, d: i64, limbs: i64, sums: Array[i64], counts: Array[i64], work: Array[i64]
) -> None:
    """Add a worker's changes to the sums, counts and work of all workers, and clear them.

    sums: (limbs, K, d); counts: (K,); work: (WORKS, R).
    """
    k = view.sizes.k
    for j in range(k):
        if change.touched[j]:
            counts[j] += change.counts[j]
            if change.is_narrow:
                for t in range(j * d, (j + 1) * d):
                    sums[t] += i64(change.narrow[t])
                    change.narrow[t] = 0
            elif limbs == 1:
                for t in range(j * d, (j + 1) * d):
                    sums[t] += change.sums[t]
                    change.sums[t] = 0
            else:
                _split(change.sums + j * d, d, sums + j * d, k * d)
            if change.touched[j] == SPILLED:
                for limb in range(limbs):
                    at = (limb * k + j) * d
                    for t in range(at, at + d):
                        sums[t] += change.spilled[t]
                        change.spilled[t] = 0
            change.counts[j], change.moves[j], change.touched[j] = 0, 0, u8(0)
    for what in range(WORKS * view.sizes.runs):
        work[what] += change.work[what]
        change.work[what] = 0
