"""The passes of Lloyd's algorithm: labels for points, and what they change in the tallies.

Numba leaf functions; see `records` for what they are handed.
"""

from __future__ import annotations

import numpy as np

from steinhaus import simd as v
from steinhaus.compiled import compiled, inner
from steinhaus.engines.bounds.gaps import accumulated
from steinhaus.engines.products import full_products, spread
from steinhaus.engines.records import (
    BRUTE,
    COMPUTED,
    DRIFT,
    FULL,
    MOVED,
    PAIRS,
    PLAIN,
    SCREENED,
    SPREADS,
    WORKS,
)
from steinhaus.engines.tiles import (
    bounds,
    count_pairs,
    direct_products,
    drift_products,
    drop,
    keep,
    leave_open,
    measure,
    nearest,
    select,
    settle,
    sink,
    tile_size,
    uppers,
)
from steinhaus.handing import taken


@compiled
def assign(points, view, orders, worker):
    """Label the points of all tiles that this worker comes to, for some runs: screen, then settle; and note what that
    changes in the tallies.

    points: Rows; view: View, whose anchors are renewed where a run's mode is PLAIN; orders: Orders; worker: Worker; all
    of them handed over.
    """
    x, orders, worker = taken(points), taken(orders), taken(worker)
    known, firsts, columns, rooms, labels, exact, factors, plain, fine, drift, far, anchors, gaps, sizes = taken(view)
    queue, active, modes, spare, straight = orders.queue, orders.active, orders.modes, orders.spare, orders.straight
    scratch = worker.scratch
    _, _, out, upper, chosen, near, others, kept_ones, least, found, _ = scratch
    change, work = worker.change, worker.change.work
    slots, used, kept_products = anchors.slots, anchors.used, anchors.products
    d, n, line, runs, wide, kept_gaps = x.d, x.n, x.line, sizes.runs, sizes.wide, sizes.gapped
    positions, many_tiles = 32 * sizes.tiles, sizes.tiles
    other = sizes.k * d  # from a high limb to its low limb
    full = False  # whether all tiles' features are needed
    for a in range(orders.many[0]):
        full |= modes[active[a]] == PLAIN or modes[active[a]] == FULL
    all_tiles, step = queue[1], queue[2]
    tile = upto = np.int64(0)
    while True:
        if tile == upto:
            tile = v.claim(queue, step)
            upto = min(tile + step, all_tiles)
            if tile >= all_tiles:
                break
        base = tile * 32
        present = np.uint32(0xFFFFFFFF) >> np.uint32(32 - min(32, n - base))
        size = tile_size(known, base)
        spread_yet = False
        if full and tile + 1 < upto:
            fetch(x, known, base + 32, np.uint32(0xFFFFFFFF), line)
        for a in range(orders.many[0]):
            r = active[a]
            first, end = firsts[r], firsts[r + 1]
            mode, opened, count = modes[r], present, end - first
            bounded = kept_gaps and mode in (PLAIN, DRIFT)
            if mode == FULL:
                mode = PLAIN
            column, width, at = columns[r], columns[r + 1] - columns[r], tile * wide + columns[r]
            at_tile = r * many_tiles + tile
            room = rooms[r + 1] - rooms[r]
            products_at = v.offset(kept_products, 32 * (tile * sizes.room + rooms[r]))
            sunk, many = np.float32(0), np.int64(0)
            if bounded:
                gaps.sunk[at_tile] = sunk = accumulated(gaps.sunk[at_tile], sink(gaps, at, column, width, size))
                ahead = spare[r] * size if mode == PLAIN else np.float32(0)
                count = select(gaps, at, column, first, count, size, sunk + ahead, chosen)
            else:
                for c in range(count):
                    chosen[c] = first + c
            if mode == PLAIN and bounded:
                used[at_tile] = 0
                for q in range(width):
                    slots[at + q] = 0
            if bounded and count > (1 if mode == DRIFT else straight[r]):
                ours = np.int64(0)  # those whose products are kept, ahead in `chosen`'s copy; and the others
                for c in range(count):
                    if slots[at + chosen[c] - first] == 0:
                        others[many] = chosen[c]
                        many += 1
                    else:
                        kept_ones[ours] = chosen[c]
                        ours += 1
                if many:
                    if ours:
                        drift_products(tile, known, drift.rows, kept_ones, ours, first, slots, at, products_at, out)
                        bounds(out, kept_ones, ours, first, drift, known, known.coarse, base, upper, found, least)
                        direct_products(tile, known, far.rows, others, many, out)
                        uppers(out, others, many, far, known, base, upper)
                    else:
                        direct_products(tile, known, far.rows, others, many, out)
                        bounds(out, others, many, first, far, known, known.norms, base, upper, found, least)
                    work[SCREENED * runs + r] += count
                    count = drop(chosen, count, others, many, upper, least, first, gaps, at, column, size, sunk)
            if count == 1:
                opened = np.uint32(0)
                for lane in range(32):
                    found[lane] = chosen[0] - first
            elif mode == DRIFT:
                kept, missing = np.int64(used[at_tile]), np.int64(0)
                for c in range(count):
                    if slots[at + chosen[c] - first] == 0:
                        others[missing] = chosen[c]
                        missing += 1
                if kept + missing > room:
                    mode = PLAIN
                elif missing:
                    if not spread_yet:
                        spread(x, known, base, scratch)
                        spread_yet = True
                        work[SPREADS * runs + r] += 1
                    to = v.offset(products_at, 32 * kept)
                    full_products(x, scratch, anchors.factors, others, missing, to)
                    work[COMPUTED * runs + r] += missing
                    for o in range(missing):
                        slots[at + others[o] - first] = kept + o + 1
                    used[at_tile] = kept + missing
                if mode == DRIFT:
                    drift_products(tile, known, drift.rows, chosen, count, first, slots, at, products_at, out)
                    work[SCREENED * runs + r] += count
                    opened &= bounds(out, chosen, count, first, drift, known, known.coarse, base, upper, found, least)
                    measure(upper, least, chosen, count, first, gaps, at, column, size, sunk, near)
                    many, opened = leave_open(
                        x, known, base, opened, chosen, count, first, drift, anchors, sizes.apart, False, out, upper,
                        least, found, others, kept_ones,
                    )  # fmt: skip
                    if opened and count_pairs(kept_ones, many) > sizes.limit * count:
                        mode = PLAIN
            if mode == PLAIN and count > 1:
                if not spread_yet:
                    spread(x, known, base, scratch)
                    spread_yet = True
                    work[SPREADS * runs + r] += 1
                full_products(x, scratch, factors, chosen, count, out)
                work[COMPUTED * runs + r] += count
                opened = present & bounds(
                    out, chosen, count, first, plain, known, known.coarse, base, upper, found, least
                )
                if bounded:
                    measure(upper, least, chosen, count, first, gaps, at, column, size, sunk, near)
                    if modes[r] == PLAIN:
                        used[at_tile] = keep(out, chosen, count, first, near, slots, at, products_at, room)
                many, opened = leave_open(
                    x, known, base, opened, chosen, count, first, plain, anchors, sizes.apart, True, out, upper, least,
                    found, others, kept_ones,
                )  # fmt: skip
            if opened:
                fetch(x, known, base, opened, line)
                if mode == BRUTE:
                    work[PAIRS * runs + r] += settle_all(x, known, base, opened, exact, first, end, found)
                else:
                    work[PAIRS * runs + r] += settle_open(
                        x, known, base, opened, exact, factors, fine, chosen, first, upper, found, others, kept_ones,
                        many,
                    )  # fmt: skip
            moved = move(x, known, base, present, found, labels, r * positions + base, change, first, other)
            work[MOVED * runs + r] += moved
            if bounded and (moved or modes[r] == PLAIN):
                for q in range(width):
                    gaps.present[at + q] = 0
                for lane in range(32):
                    gaps.present[at + found[lane]] = 1
        tile += 1


@inner
def fetch(x, known, base, lanes, line):
    """Ask for the features of the points in some lanes, given as bits, of the tile at `base`."""
    for lane in range(32):
        if (lanes >> np.uint32(lane)) & np.uint32(1):
            at = known.order[base + lane] * x.d
            for t in range(0, x.d, line):
                v.prefetch(x.values, at + t)


@inner
def settle_all(x, known, base, opened, exact, first, end, found):
    """Settle the open lanes among all centroids of a run. Returns how many pairs were looked at."""
    pairs = np.int64(0)
    for lane in range(32):
        if (opened >> np.uint32(lane)) & np.uint32(1):
            found[lane] = nearest(x, known.order[base + lane], exact, first, end)
            pairs += end - first
    return pairs


@inner
def settle_open(x, known, base, opened, exact, factors, fine, chosen, first, upper, found, listed, lanes, many):
    """Settle the open lanes among their candidates: see `settle`. Returns how many pairs were looked at."""
    pairs = np.int64(0)
    for lane in range(32):
        if (opened >> np.uint32(lane)) & np.uint32(1):
            i = known.order[base + lane]
            label, looked = settle(
                x, i, base + lane, lane, exact, factors, fine, chosen, first, known, upper, listed, lanes, many
            )
            found[lane] = label
            pairs += looked
    return pairs


@inner
def move(x, known, base, present, found, labels, here, change, first, other):
    """Note the points of a tile whose label, at `here` and after, is another now. Returns how many."""
    moved = v.bits(v.differs(v.load(found, 0), v.load(labels, here)))
    moved |= v.bits(v.differs(v.load(found, 16), v.load(labels, here + 16))) << np.uint32(16)
    moved &= present
    if moved:
        for lane in range(32):
            if (moved >> np.uint32(lane)) & np.uint32(1):
                i, old, new = known.order[base + lane], labels[here + lane], found[lane]
                if old >= 0:
                    add_row(x, i, -1, change.sums, other, (first + old) * x.d)
                    change.counts[first + old] -= 1
                    change.touched[first + old] = 1
                add_row(x, i, 1, change.sums, other, (first + new) * x.d)
                change.counts[first + new] += 1
                change.touched[first + new] = 1
                labels[here + lane] = new
    return v.count(moved)


@inner
def add_row(x, i, sign, sums, other, at):
    """Add a point's integers (sign 1), or take them away (-1), from the sums at `at`; `other` is where the low limbs
    are.
    """
    d, values = x.d, x.values
    if x.integers:
        if sign > 0:
            for t in range(d):
                sums[at + t] += values[i * d + t]
        else:
            for t in range(d):
                sums[at + t] -= values[i * d + t]
    else:
        for t in range(d):
            q = np.int64(np.rint((np.float64(values[i * d + t]) - x.grid_offset[t]) * x.per_step[t]))
            sums[at + t] += sign * (q >> 32)
            sums[other + at + t] += sign * (q & 0xFFFFFFFF)


@compiled
def collect(view, change, sums, counts, work):
    """Add a worker's changes to the sums and counts of all clusters, and its work to all that was done; clear them.

    view: View, change: Change, handed over; sums: (limbs, K, d) int64, counts: (K,) int64, work: (WORKS, R) int64.
    """
    view, change = taken(view), taken(change)
    limbs, k, d = sums.shape
    for j in range(k):
        if change.touched[j]:
            counts[j] += change.counts[j]
            change.counts[j] = 0
            change.touched[j] = 0
            for limb in range(limbs):
                at = (limb * k + j) * d
                for t in range(d):
                    sums[limb, j, t] += change.sums[at + t]
                    change.sums[at + t] = 0
    runs = view.sizes.runs
    for what in range(WORKS):
        for r in range(runs):
            work[what, r] += change.work[what * runs + r]
            change.work[what * runs + r] = 0
