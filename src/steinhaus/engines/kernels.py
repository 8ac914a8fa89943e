"""The passes of Lloyd's algorithm: bounds for centroids, labels for points, and what they change in the tallies.

Numba leaf functions: arrays in, arrays out.
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
    Gaps,
    factors_at,
    known_at,
    rows_at,
    scores_at,
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


@compiled
def assign(
    x, queue, runs, firsts, columns, rooms, modes, spare, straight, exact, factors, plain, fine, drift, far, anchors,
    gaps, known, labels, limit, scratch, change,
):  # fmt: skip
    """Label the points of all tiles that this worker comes to, for some runs: screen, then settle; and note what that
    changes in the tallies.

    x: Rows. queue: (3,) int64, the next tile that is free, how many there are, how many to take at once; shared by all
    workers. runs: (A,) the active runs' rows; firsts, columns, rooms: (R + 1,) where each run's
    centroids begin among the K, their columns among the H, their kept products among the M. modes: (R,); spare: (R,)
    float32, how far centroids may go until the next anchors: products are kept of what may be candidates by then.
    straight: (R,) int64, how many candidates of a tile are computed from the features at once, in a full pass, without
    a look at the directions first. exact: (K, d) float64 centroids; factors: Factors, the same in the frame; plain,
    fine, drift, far: their Scores; anchors: Anchors, renewed where a run's mode is PLAIN; gaps: Gaps. labels: (R, N)
    int32, by position. limit: pairs a candidate above which a tile's products are computed from the features after
    all. scratch: Scratch; change: Change.
    """
    d = exact.shape[1]
    positions, many_tiles = labels.shape[1], anchors.used.shape[1]
    wide, room_wide = columns[-1], rooms[-1]
    kept_gaps = gaps.gaps.shape[0] > 0
    other = exact.shape[0] * d  # from a high limb to its low limb
    line = 64 // x.values.itemsize  # values in a line of the cache
    n = x.n
    full = False  # whether all tiles' features are needed
    for r in runs:
        full |= modes[r] == PLAIN or modes[r] == FULL
    x, known = rows_at(x), known_at(known)
    plain, fine, drift, far = scores_at(plain), scores_at(fine), scores_at(drift), scores_at(far)
    gaps = Gaps(
        v.pointer(gaps.gaps), v.pointer(gaps.present), v.pointer(gaps.sunk), v.pointer(gaps.size), v.pointer(gaps.fall),
        v.pointer(gaps.travelled), v.pointer(gaps.risen), v.pointer(gaps.rows), v.pointer(gaps.norms),
    )  # fmt: skip
    factors, anchor_factors, slots = factors_at(factors), factors_at(anchors.factors), v.pointer(anchors.slots)
    used, kept_products = v.pointer(anchors.used), v.pointer(anchors.products)
    exact, labels = v.pointer(exact), v.pointer(labels)
    lanes, quads = v.pointer(scratch.lanes), v.pointer(scratch.quads)
    out, upper = v.pointer(scratch.out), v.pointer(scratch.upper)
    chosen, least, found = v.pointer(scratch.chosen), v.pointer(scratch.least), v.pointer(scratch.found)
    near, starts = v.pointer(scratch.near), v.pointer(scratch.starts)
    others, kept_ones = v.pointer(scratch.others[0]), v.pointer(scratch.others[1])
    sums, counts, touched = v.pointer(change.sums), v.pointer(change.counts), v.pointer(change.touched)
    queue = v.pointer(queue)
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
            for lane in range(32, 64):
                for t in range(0, d, line):
                    v.prefetch(x.values, known.order[base + lane] * d + t)
        for r in runs:
            first, end = firsts[r], firsts[r + 1]
            mode, opened, count = modes[r], present, end - first
            bounded = kept_gaps and mode in (PLAIN, DRIFT)
            if mode == FULL:
                mode = PLAIN
            column, width, at = columns[r], columns[r + 1] - columns[r], tile * wide + columns[r]
            at_tile = r * many_tiles + tile
            room = rooms[r + 1] - rooms[r]
            products_at = v.offset(kept_products, 32 * (tile * room_wide + rooms[r]))
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
                    change.work[SCREENED, r] += count
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
                        change.work[SPREADS, r] += 1
                    to = v.offset(products_at, 32 * kept)
                    full_products(x, lanes, quads, anchor_factors, others, missing, to)
                    change.work[COMPUTED, r] += missing
                    for o in range(missing):
                        slots[at + others[o] - first] = kept + o + 1
                    used[at_tile] = kept + missing
                if mode == DRIFT:
                    drift_products(tile, known, drift.rows, chosen, count, first, slots, at, products_at, out)
                    change.work[SCREENED, r] += count
                    opened &= bounds(out, chosen, count, first, drift, known, base, upper, found, least)
                    if opened and count_pairs(upper, count, least, opened) > limit * count:
                        mode = PLAIN
            if mode == PLAIN and count > 1:
                if not spread_yet:
                    spread(x, known.order, base, lanes, quads, starts)
                    spread_yet = True
                    change.work[SPREADS, r] += 1
                full_products(x, lanes, quads, factors, chosen, count, out)
                change.work[COMPUTED, r] += count
                opened = present & bounds(out, chosen, count, first, plain, known, base, upper, found, least)
            if bounded and count > 1:
                measure(upper, least, chosen, count, first, gaps, at, column, size, sunk, near)
                if modes[r] == PLAIN:
                    used[at_tile] = keep(out, chosen, count, first, near, slots, at, products_at, room)
            if opened:
                for lane in range(32):
                    if (opened >> np.uint32(lane)) & np.uint32(1):
                        i = known.order[base + lane]
                        for t in range(0, d, line):
                            v.prefetch(x.values, i * d + t)
                for lane in range(32):
                    if (opened >> np.uint32(lane)) & np.uint32(1):
                        i = known.order[base + lane]
                        if mode == BRUTE:
                            found[lane] = nearest(x, i, exact, first, end)
                            change.work[PAIRS, r] += end - first
                        else:
                            label, pairs = settle(
                                x, i, base + lane, lane, exact, factors, fine, chosen, count, first, known, upper,
                                least[lane],
                            )  # fmt: skip
                            found[lane] = label
                            change.work[PAIRS, r] += pairs
            here = r * positions + base
            moved = v.bits(v.differs(v.load(found, 0), v.load(labels, here)))
            moved |= v.bits(v.differs(v.load(found, 16), v.load(labels, here + 16))) << np.uint32(16)
            moved &= present
            if moved:
                for lane in range(32):
                    if (moved >> np.uint32(lane)) & np.uint32(1):
                        i, old, new = known.order[base + lane], labels[here + lane], found[lane]
                        if old >= 0:
                            add_row(x, i, -1, sums, other, (first + old) * d)
                            counts[first + old] -= 1
                            touched[first + old] = 1
                        add_row(x, i, 1, sums, other, (first + new) * d)
                        counts[first + new] += 1
                        touched[first + new] = 1
                        labels[here + lane] = new
                        change.work[MOVED, r] += 1
            if bounded and (moved or modes[r] == PLAIN):
                for q in range(width):
                    gaps.present[at + q] = 0
                for lane in range(32):
                    gaps.present[at + found[lane]] = 1
        tile += 1


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
def collect(change, sums, counts):
    """Add a worker's changes to the sums and counts of all clusters, and clear them."""
    limbs, k, d = sums.shape
    for j in range(k):
        if change.touched[j]:
            counts[j] += change.counts[j]
            change.counts[j] = 0
            change.touched[j] = 0
            for limb in range(limbs):
                for t in range(d):
                    sums[limb, j, t] += change.sums[limb, j, t]
                    change.sums[limb, j, t] = 0
    for what in range(change.work.shape[0]):
        for r in range(change.work.shape[1]):
            change.work[what, r] = 0


@compiled_loosely
def prepare(
    first,
    end,
    column,
    exact,
    offset,
    scale,
    reference,
    directions,
    rates,
    fresh,
    factors,
    plain,
    fine,
    drift,
    far,
    anchors,
    gaps,
):
    """Bounds for the centroids first <= j < end of a run, (K, d) float64, whose columns begin at `column`.

    offset, reference: (d,) float64; directions: (d, p) float64, p a multiple of 16 -> factors: Factors; plain, fine,
    drift, far: Scores; gaps: Gaps (how far the centroids went in this step), all in place. Where `fresh`, the
    centroids become the run's anchors.
    """
    d, p = directions.shape
    along, row = np.empty(p), np.empty(d)
    for j in range(first, end):
        square = half = moved = lean = step = turned = 0.0
        for t in range(d):
            e = (exact[j, t] - offset[t]) * scale - reference[t]
            if fresh:
                anchors.rows[j, t] = e
            last = gaps.rows[j, t]
            delta = e - anchors.rows[j, t]
            square += e * e
            half += reference[t] * e
            moved += delta * delta
            lean += reference[t] * delta
            step += (e - last) * (e - last)
            turned += (e + last) * (e - last)
            factors.rows[j, t] = e
            row[t] = e
        _along(v.pointer(row), v.pointer(directions), d, p, v.pointer(along))
        norm, half = np.sqrt(square), half + 0.5 * square
        rest = halve(row, j, d, factors) if factors.limbs.shape[2] else 0.0
        taken = product_slope(norm * SLACK, rest, rates.plain, rates)
        if fresh:
            anchors.norms[j], anchors.slopes[j] = norm, taken
            for q in range(p):
                anchors.along[j, q] = along[q]
            for t in range(d):
                anchors.factors.rows[j, t] = factors.rows[j, t]
            anchors.factors.scales[j] = factors.scales[j]
            for limb in range(2):
                for t in range(factors.limbs.shape[2]):
                    anchors.factors.limbs[j, limb, t] = factors.limbs[j, limb, t]
        size, whole, held = 0.0, 0.0, anchors.norms[j]
        for q in range(p):
            b = along[q] - anchors.along[j, q]
            drift.rows[j, q], far.rows[j, q] = b, along[q]
            size += b * b
            whole += along[q] * along[q]
        across = across_bound(moved, size, norm + held, p, rates)
        plain.half[j] = fine.half[j] = half
        plain.floor[j] = fine.floor[j] = plain_floor(norm * SLACK, half, rates)
        plain.slope[j], fine.slope[j] = taken, product_slope(norm * SLACK, rest, rates.fine, rates)
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
                factors.rows[j, t] = anchors.factors.rows[j, t] = 0.0
            factors.scales[j] = anchors.factors.scales[j] = 0.0
            for q in range(p):
                drift.rows[j, q] = far.rows[j, q] = 0.0
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
            gaps.rows[j, t] = row[t]


@inner
def _along(row, directions, d, p, out):
    """Coordinates of a row along the directions, (d, p) float64 with p a multiple of 16 -> (p,) float64."""
    for q in range(0, p, 16):
        low, high = v.zeros64(), v.zeros64()
        for t in range(d):
            e = v.constant(row[t], low)
            low = v.multiply_add(e, v.load_float64(directions, t * p + q), low)
            high = v.multiply_add(e, v.load_float64(directions, t * p + q + 8), high)
        v.store(out, q, low)
        v.store(out, q + 8, high)


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
def distances_below(
    x, tiles, order, lengths, below, centroids, factors, norms, squares, slopes, floors, floor, scratch, out
):  # fmt: skip
    """Squared distances of the points of some tiles to every centroid, (k, n) float64, where they can be below a limit.

    |x' - c'|^2 = |x'|^2 + |c'|^2 - 2 x' . c', where the product is off by at most |x'| slope + floor. Elsewhere they
    are infinite.

    x: Rows. order: (N,) int64; lengths: (n,) |x'|^2; below: (n,) the limits, in the frame; centroids: (k, d), factors:
    Factors, the same in the frame; norms, squares: (k,) their lengths there, slopes, floors: (k,) of the products;
    floor: float64's, relative to (|x'| + |c'|)^2.
    """
    k, d, n = centroids.shape[0], x.d, x.n
    view, rows, of = rows_at(x), v.pointer(centroids), factors_at(factors)
    lanes, quads, found = v.pointer(scratch.lanes), v.pointer(scratch.quads), v.pointer(scratch.out)
    for j in range(k):
        scratch.chosen[j] = j
    for tile in range(tiles[0], tiles[1]):
        spread(view, v.pointer(order), tile * 32, lanes, quads, v.pointer(scratch.starts))
        full_products(view, lanes, quads, of, v.pointer(scratch.chosen), k, found)
        for lane in range(min(32, n - tile * 32)):
            i = order[tile * 32 + lane]
            length = np.sqrt(lengths[i]) * SLACK
            for j in range(k):
                size = length + norms[j]
                error = 2.0 * (length * slopes[j] + floors[j]) + floor * size * size
                least = lengths[i] + squares[j] - 2.0 * np.float64(found[32 * j + lane]) - error
                if least > below[i] and least > 2.0**-100:
                    out[j, i] = np.inf
                else:
                    out[j, i] = squared_distance(view.values, i * d, rows, j * d, d)
