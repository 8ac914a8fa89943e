"""The passes of Lloyd's algorithm: bounds for centroids, labels for points, and what they change in the tallies.

Numba leaf functions; see `records` for what they are handed.
"""

from __future__ import annotations

import numpy as np

from steinhaus import simd as v
from steinhaus.compiled import compiled, compiled_loosely, inner
from steinhaus.engines.products import full_products, halve, spread, squared_distance
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
from steinhaus.engines.screening import (
    FAR,
    SLACK,
    UNKNOWN,
    across_bound,
    drift_bound,
    plain_floor,
    product_slope,
    step_bound,
)
from steinhaus.engines.tiles import (
    bounds,
    count_pairs,
    direct_products,
    drift_products,
    drop,
    keep,
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
    lanes, quads, out, upper, chosen, near, others, kept_ones, least, found, starts = worker.scratch
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
        size, floor = tile_size(known, base)
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
            sunk = np.float32(0)
            if bounded:
                gaps.sunk[at_tile] += sink(gaps, at, column, width, size) * np.float32(1.00001)
                sunk = gaps.sunk[at_tile] + floor
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
                ours = many = np.int64(0)  # those whose products are kept, ahead in `chosen`'s copy; and the others
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
                        bounds(out, kept_ones, ours, first, drift, known, base, upper, found, least)
                        direct_products(tile, known, far.rows, others, many, out)
                        uppers(out, others, many, far, known, base, upper)
                    else:
                        direct_products(tile, known, far.rows, others, many, out)
                        bounds(out, others, many, first, far, known, base, upper, found, least)
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
                        spread(x, known.order, base, lanes, quads, starts)
                        spread_yet = True
                        work[SPREADS * runs + r] += 1
                    to = v.offset(products_at, 32 * kept)
                    full_products(x, lanes, quads, anchors.factors, others, missing, to)
                    work[COMPUTED * runs + r] += missing
                    for o in range(missing):
                        slots[at + others[o] - first] = kept + o + 1
                    used[at_tile] = kept + missing
                if mode == DRIFT:
                    drift_products(tile, known, drift.rows, chosen, count, first, slots, at, products_at, out)
                    work[SCREENED * runs + r] += count
                    opened &= bounds(out, chosen, count, first, drift, known, base, upper, found, least)
                    if opened and count_pairs(upper, count, least, opened) > sizes.limit * count:
                        mode = PLAIN
            if mode == PLAIN and count > 1:
                if not spread_yet:
                    spread(x, known.order, base, lanes, quads, starts)
                    spread_yet = True
                    work[SPREADS * runs + r] += 1
                full_products(x, lanes, quads, factors, chosen, count, out)
                work[COMPUTED * runs + r] += count
                opened = present & bounds(out, chosen, count, first, plain, known, base, upper, found, least)
            if bounded and count > 1:
                measure(upper, least, chosen, count, first, gaps, at, column, size, sunk, near)
                if modes[r] == PLAIN:
                    used[at_tile] = keep(out, chosen, count, first, near, slots, at, products_at, room)
            if opened:
                fetch(x, known, base, opened, line)
                if mode == BRUTE:
                    work[PAIRS * runs + r] += settle_all(x, known, base, opened, exact, first, end, found)
                else:
                    work[PAIRS * runs + r] += settle_open(
                        x, known, base, opened, exact, factors, fine, chosen, count, first, upper, least, found
                    )
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
def settle_open(x, known, base, opened, exact, factors, fine, chosen, count, first, upper, least, found):
    """Settle the open lanes among their candidates: see `settle`. Returns how many pairs were looked at."""
    pairs = np.int64(0)
    for lane in range(32):
        if (opened >> np.uint32(lane)) & np.uint32(1):
            i = known.order[base + lane]
            label, looked = settle(
                x, i, base + lane, lane, exact, factors, fine, chosen, count, first, known, upper, least[lane]
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


@compiled_loosely
def prepare(view, lens, first, end, column, fresh):
    """Work out the bounds of the centroids first <= j < end of a run, whose columns begin at `column`: the View's
    factors, scores, and gaps (how far the centroids went in this step), in place.

    view: View, lens: Lens, handed over. Where `fresh`, the centroids become the run's anchors.
    """
    view, lens = taken(view), taken(lens)
    exact, factors, plain, fine, drift, far = view.exact, view.factors, view.plain, view.fine, view.drift, view.far
    anchors, gaps = view.anchors, view.gaps
    offset, scale, reference, directions, d, p, width, rates = lens
    along_, row_ = np.empty(p), np.empty(d)
    along, row = v.pointer(along_), v.pointer(row_)
    for j in range(first, end):
        square = half = moved = lean = step = turned = 0.0
        for t in range(d):
            e = (exact[j * d + t] - offset[t]) * scale - reference[t]
            if fresh:
                anchors.rows[j * d + t] = e
            last = gaps.rows[j * d + t]
            delta = e - anchors.rows[j * d + t]
            square += e * e
            half += reference[t] * e
            moved += delta * delta
            lean += reference[t] * delta
            step += (e - last) * (e - last)
            turned += (e + last) * (e - last)
            factors.rows[j * d + t] = e
            row[t] = e
        _along(row, directions, d, p, along)
        norm, half = np.sqrt(square), half + 0.5 * square
        rest = halve(row, j, d, factors) if width else 0.0
        slope = product_slope(norm * SLACK, rest, rates.plain, rates)
        if fresh:
            anchors.norms[j], anchors.slopes[j] = norm, slope
            for q in range(p):
                anchors.along[j * p + q] = along[q]
            for t in range(d):
                anchors.factors.rows[j * d + t] = factors.rows[j * d + t]
            anchors.factors.scales[j] = factors.scales[j]
            for t in range(2 * j * width, 2 * (j + 1) * width):
                anchors.factors.limbs[t] = factors.limbs[t]
        size, whole, held = 0.0, 0.0, anchors.norms[j]
        for q in range(p):
            b = along[q] - anchors.along[j * p + q]
            drift.rows[j * p + q], far.rows[j * p + q] = b, along[q]
            size += b * b
            whole += along[q] * along[q]
        across = across_bound(moved, size, norm + held, p, rates)
        plain.half[j] = fine.half[j] = half
        plain.floor[j] = fine.floor[j] = plain_floor(norm * SLACK, half, rates)
        plain.slope[j], fine.slope[j] = slope, product_slope(norm * SLACK, rest, rates.fine, rates)
        drift.half[j] = half - lean
        drift.slope[j], drift.lag[j], drift.floor[j] = drift_bound(
            norm * SLACK, held * SLACK, anchors.slopes[j], np.sqrt(size) * SLACK, across, half - lean, p, rates
        )
        across = across_bound(square, whole, norm, p, rates)
        far.half[j] = 0.5 * square
        far.slope[j], far.lag[j], far.floor[j] = drift_bound(
            norm * SLACK, 0.0, 0.0, np.sqrt(whole) * SLACK, across, 0.5 * square, p, rates
        )
        length, rise, fall = step_bound(np.sqrt(step), 0.5 * turned, norm + gaps.norms[j], rates)
        beyond = not (norm < FAR and held < FAR)
        if beyond:
            for t in range(d):
                factors.rows[j * d + t] = anchors.factors.rows[j * d + t] = 0.0
            factors.scales[j] = anchors.factors.scales[j] = 0.0
            for q in range(p):
                drift.rows[j * p + q] = far.rows[j * p + q] = 0.0
            plain.half[j] = fine.half[j] = drift.half[j] = far.half[j] = 0.0
            plain.slope[j] = fine.slope[j] = drift.slope[j] = drift.lag[j] = far.slope[j] = far.lag[j] = 0.0
            plain.floor[j] = fine.floor[j] = drift.floor[j] = far.floor[j] = UNKNOWN
        if beyond or not gaps.norms[j] < FAR:
            length, rise, fall = 0.0, UNKNOWN, UNKNOWN
        h = column + j - first
        gaps.size[h], gaps.fall[h] = length, fall
        gaps.travelled[h] = gaps.travelled[h] * np.float32(1.000001) + np.float32(length)
        gaps.risen[h] += np.float32(rise) + np.float32(1e-6) * abs(gaps.risen[h])
        gaps.norms[j] = norm
        for t in range(d):
            gaps.rows[j * d + t] = row[t]


@inner
def _along(row, directions, d, p, out):
    """Coordinates of a row along the directions, (d, p) float64 with p a multiple of 16 -> (p,) float64."""
    half = d // 2 * p
    for q in range(0, p, 16):
        low, high, lower, higher = v.zeros64(), v.zeros64(), v.zeros64(), v.zeros64()
        for t in range(d // 2):  # two halves, so that a sum need not wait for the one before
            at = t * p + q
            e, f = v.constant(row[t], low), v.constant(row[d // 2 + t], low)
            low = v.multiply_add(e, v.load_float64(directions, at), low)
            high = v.multiply_add(e, v.load_float64(directions, at + 8), high)
            lower = v.multiply_add(f, v.load_float64(directions, half + at), lower)
            higher = v.multiply_add(f, v.load_float64(directions, half + at + 8), higher)
        if d % 2:
            e, at = v.constant(row[d - 1], low), (d - 1) * p + q
            low = v.multiply_add(e, v.load_float64(directions, at), low)
            high = v.multiply_add(e, v.load_float64(directions, at + 8), high)
        v.store(out, q, v.add(low, lower))
        v.store(out, q + 8, v.add(high, higher))


@compiled
def own_distances(x, first, end, labels, centroids, out):
    """Squared distance of each point to the centroid of its label, (n,) float64."""
    values, rows = v.pointer(x.values), v.pointer(centroids)
    for i in range(first, end):
        out[i] = squared_distance(values, i * x.d, rows, labels[i] * x.d, x.d)


@compiled
def all_distances(x, first, end, centroids, out):
    """Squared distance of each point to every centroid, (k, n) float64."""
    values, rows = v.pointer(x.values), v.pointer(centroids)
    for i in range(first, end):
        for j in range(centroids.shape[0]):
            out[j, i] = squared_distance(values, i * x.d, rows, j * x.d, x.d)


@compiled
def distances_below(points, known, within, scratch, first, end, out):
    """Squared distances of the points of the tiles first <= tile < end to every centroid, (k, n) float64, where they
    can be below a limit.

    |x' - c'|^2 = |x'|^2 + |c'|^2 - 2 x' . c', where the product is off by at most |x'| slope + floor. Elsewhere they
    are infinite. points: Rows, known: Known, within: Within, scratch: Scratch, handed over.
    """
    x, known = taken(points), taken(known)
    k, lengths, below, exact, factors, norms, squares, slopes, floors, floor = taken(within)
    lanes, quads, found, _, chosen, _, _, _, _, _, starts = taken(scratch)
    d, n = x.d, x.n
    for j in range(k):
        chosen[j] = j
    for tile in range(first, end):
        spread(x, known.order, tile * 32, lanes, quads, starts)
        full_products(x, lanes, quads, factors, chosen, k, found)
        for lane in range(min(32, n - tile * 32)):
            i = known.order[tile * 32 + lane]
            length = np.sqrt(lengths[i]) * SLACK
            for j in range(k):
                size = length + norms[j]
                error = 2.0 * (length * slopes[j] + floors[j]) + floor * size * size
                least = lengths[i] + squares[j] - 2.0 * np.float64(found[32 * j + lane]) - error
                if least > below[i] and least > 2.0**-100:
                    out[j, i] = np.inf
                else:
                    out[j, i] = squared_distance(x.values, i * d, exact, j * d, d)
