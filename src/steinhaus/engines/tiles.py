"""What is decided for a tile of 32 points: bounds, candidates, and the labels of single points that stay open.

Numba leaf functions. Notation, as in `bounds`: point i is x_i, its screened form z_i (float32, in the frame),
centroid j of the concatenated centroids of all runs is c_j, its screened form e_j.
"""

from __future__ import annotations

import numpy as np

from steinhaus import simd as v
from steinhaus.compiled import by_type_of_points, inlined, inner
from steinhaus.engines.bounds.bytes import BLUR
from steinhaus.engines.bounds.gaps import SURPLUS, recorded
from steinhaus.engines.products import product, products, squared_distance


@inner
def bounds(out, chosen, count, first, scores, known, norms, base, upper, found, least):
    """From products to upper bounds; the best lower bound of each lane, its label, and who is open.

    A lane is certified where every other centroid's upper bound is below its best lower bound by more than the rounding
    of the distances that would settle it. `least` (32,) gets the bound that a candidate's upper bound must reach,
    `found` (32,) the best centroid, less `first`. norms: those that the slopes are for. Returns the open lanes as bits.
    """
    opened = np.uint32(0)
    for group in range(2):
        side = 16 * group
        norm = v.load(norms, base + side)
        residual = v.load(known.residuals, base + side)
        low = v.splat(np.float32(-np.inf))
        high = second = low
        label = v.splat_int(np.int32(0))
        for c in range(count):
            j, at = chosen[c], 32 * c + side
            score = v.subtract(v.load(out, at), v.splat(scores.half[j]))
            constant = v.multiply_add(residual, v.splat(scores.lag[j]), v.splat(scores.floor[j]))
            error = v.multiply_add(norm, v.splat(scores.slope[j]), constant)
            lower, above = v.subtract(score, error), v.add(score, error)
            v.store(upper, at, above)
            better = v.greater(lower, low)
            second = v.maximum(second, v.select(better, high, above))
            high = v.select(better, above, high)
            low = v.select(better, lower, low)
            label = v.select(better, v.splat_int(np.int32(j - first)), label)
        size = v.add(v.load(known.norms, base + side), v.splat(known.reach))
        need = v.subtract(low, v.multiply(v.multiply(size, size), v.splat(known.floor)))
        v.store(least, side, need)
        v.store(found, side, label)
        opened |= (np.uint32(0xFFFF) & ~v.bits(v.greater(need, second))) << np.uint32(side)
    return opened


@inner
def uppers(out, chosen, count, scores, known, base, upper):
    """From products to upper bounds alone."""
    for group in range(2):
        side = 16 * group
        norm, residual = v.load(known.norms, base + side), v.load(known.residuals, base + side)
        for c in range(count):
            j, at = chosen[c], 32 * c + side
            score = v.subtract(v.load(out, at), v.splat(scores.half[j]))
            constant = v.multiply_add(residual, v.splat(scores.lag[j]), v.splat(scores.floor[j]))
            v.store(upper, at, v.add(score, v.multiply_add(norm, v.splat(scores.slope[j]), constant)))


@inner
def list_open(upper, count, least, opened, listed, lanes):
    """List the candidates c whose upper bound reaches `least` in an open lane, and in `lanes` those lanes, as bits.
    Returns how many.
    """
    many = 0
    need0, need1 = v.load(least, 0), v.load(least, 16)
    for c in range(count):
        below = v.bits(v.greater(need0, v.load(upper, 32 * c)))
        below |= v.bits(v.greater(need1, v.load(upper, 32 * c + 16))) << np.uint32(16)
        if opened & ~below:
            listed[many], lanes[many] = c, opened & ~below
            many += 1
    return many


@inner
def leave_open(
    x, known, base, opened, chosen, count, first, scores, anchors, wide, now, out, upper, least, found, listed, lanes
):
    """What `bounds` has left open: see `list_open` and `narrow`. Returns how many candidates, and the lanes."""
    many = list_open(upper, count, least, opened, listed, lanes)
    return many, narrow(
        x, known, base, opened, chosen, first, scores, anchors, wide, now, out, found, listed, lanes, many
    )


@inner
def count_pairs(lanes, many):
    """How many (lane, centroid) pairs would have to be settled."""
    pairs = np.int64(0)
    for o in range(many):
        pairs += v.count(np.uint32(lanes[o]))
    return pairs


@by_type_of_points
def narrow(x, known, base, opened, chosen, first, scores, anchors, wide, now, out, found, listed, lanes, many):
    """Close lanes of points rounded to bytes whose other candidates are certainly farther than the best one: what
    rounding took off a point changes two scores alike where their rows are near (see `bounds.bytes`).

    out, found: as `bounds` left them; listed, lanes, many: as `list_open` did; pairs that are out of the question are
    taken off. now: whether the products are those of the centroids, not of their anchors; wide: 0 where the anchors'
    distances are not known. Returns the lanes that stay open.
    """
    return _leave, _narrow


def _leave(x, known, base, opened, chosen, first, scores, anchors, wide, now, out, found, listed, lanes, many):
    return opened


def _narrow(x, known, base, opened, chosen, first, scores, anchors, wide, now, out, found, listed, lanes, many):
    grain = x.grain
    if many == 0 or wide == 0 or grain.step == 0:
        return opened
    for lane in range(32):
        if not (opened >> np.uint32(lane)) & np.uint32(1):
            continue
        b, best = first + found[lane], np.float32(0)
        for o in range(many):
            if chosen[listed[o]] == b:
                best = out[32 * listed[o] + lane] - scores.half[b]
        size = known.norms[base + lane] + known.reach
        whole = size * grain.share + grain.tail
        rho = (known.coarse[base + lane] - whole) * grain.back + size * np.float32(BLUR)
        whole += rho
        lag = known.residuals[base + lane]
        ours = whole * scores.slope[b] + lag * scores.lag[b] + scores.floor[b] + size * size * known.floor
        left, bit = 0, np.int64(1) << lane
        for o in range(many):
            j = chosen[listed[o]]
            if lanes[o] & bit and j != b:
                far = anchors.apart[b * wide + j - first]
                if now:
                    far += anchors.moved[b] + anchors.moved[j]
                theirs = whole * scores.slope[j] + lag * scores.lag[j] + scores.floor[j] + rho * far
                if out[32 * listed[o] + lane] - scores.half[j] - best + ours + theirs < 0:
                    lanes[o] &= ~bit
                else:
                    left += 1
        if left == 0:
            opened &= ~(np.uint32(1) << np.uint32(lane))
            for o in range(many):
                lanes[o] &= ~bit
    return opened


# Candidates of a tile: see `bounds.gaps`


@inner
def tile_size(known, base):
    """At least |y| of every lane of a tile: reach + |z| bounds |y|."""
    return v.largest(v.maximum(v.load(known.norms, base), v.load(known.norms, base + 16))) + known.reach


@inner
def sink(gaps, at, column, width, size):
    """At most how much the best score of any lane sank in the last step: as much as the worst of the tile's labels."""
    most = v.splat(np.float32(0))
    for q in range(0, width, 16):
        fallen = v.multiply_add(v.load(gaps.size, column + q), v.splat(size), v.load(gaps.fall, column + q))
        most = v.maximum(most, v.select(v.load_flags(gaps.present, at + q), fallen, most))
    return v.largest(most)


@inner
def select(gaps, at, column, first, count, size, sunk, chosen):
    """List the centroids whose gap may have closed, ascending: `first` + q. Returns how many."""
    found = 0
    for q in range(0, count, 16):
        risen = v.multiply_add(v.load(gaps.travelled, column + q), v.splat(size), v.load(gaps.risen, column + q))
        open_here = np.uint32(0xFFFF) & ~v.bits(v.greater(v.load(gaps.gaps, at + q), v.add(risen, v.splat(sunk))))
        if q + 16 > count:
            open_here &= np.uint32(0xFFFF) >> np.uint32(q + 16 - count)
        lane = 0
        while open_here:
            if open_here & np.uint32(1):
                chosen[found] = first + q + lane
                found += 1
            open_here >>= np.uint32(1)
            lane += 1
    return found


@inlined
def gap_now(upper, c, low0, low1):
    """By how much every lane's best score exceeds the upper bound of candidate c, as `bounds.gaps.gap` has it; low0,
    low1: the lanes' `least`.
    """
    slack = v.splat(np.float32(SURPLUS))
    above0, above1 = v.load(upper, 32 * c), v.load(upper, 32 * c + 16)
    gap0 = v.subtract(v.subtract(low0, above0), v.multiply(v.add(v.magnitude(low0), v.magnitude(above0)), slack))
    gap1 = v.subtract(v.subtract(low1, above1), v.multiply(v.add(v.magnitude(low1), v.magnitude(above1)), slack))
    return v.least(v.minimum(gap0, gap1))


@inlined
def record(gap, q, gaps, at, column, size, sunk):
    """Write a gap into the table, relative to all steps so far."""
    gaps.gaps[at + q] = recorded(gap, size, gaps.travelled[column + q], gaps.risen[column + q], sunk)


@inner
def measure(upper, least, chosen, count, first, gaps, at, column, size, sunk, near):
    """Record the gaps of the listed centroids as they are now; `near` gets them bare."""
    low0, low1 = v.load(least, 0), v.load(least, 16)
    for c in range(count):
        near[c] = gap = gap_now(upper, c, low0, low1)
        record(gap, chosen[c] - first, gaps, at, column, size, sunk)


@inner
def drop(chosen, count, others, many, upper, least, first, gaps, at, column, size, sunk):
    """Take those of the `others`, part of the list, off it whose upper bounds reach no lane's `least`. Returns how
    many stay.
    """
    low0, low1 = v.load(least, 0), v.load(least, 16)
    stay, o = 0, 0
    for c in range(count):
        j = chosen[c]
        if o < many and others[o] == j:
            gap = gap_now(upper, o, low0, low1)
            o += 1
            if gap > 0:
                record(gap, j - first, gaps, at, column, size, sunk)
                continue
        chosen[stay] = j
        stay += 1
    return stay


# Products with the directions, and with anchors


@inlined
def direct_products(tile, known, rows, chosen, count, out):
    """Write the products of a tile's projections with some rows of (K, p) float32 into `out`."""
    p = known.p
    products(known.projections, tile * 32 * p, 16 * p, rows, chosen, p, np.int64(0), p, count, out, p > 0)


@inlined
def drift_products(tile, known, rows, chosen, count, first, slots, at, kept, out):
    """Write the products of a tile with listed centroids from their anchors, x . a + b . P'delta, into `out`."""
    direct_products(tile, known, rows, chosen, count, out)
    for c in range(count):
        slot = 32 * (np.int64(slots[at + chosen[c] - first]) - 1)
        v.store(out, 32 * c, v.add(v.load(out, 32 * c), v.load(kept, slot)))
        v.store(out, 32 * c + 16, v.add(v.load(out, 32 * c + 16), v.load(kept, slot + 16)))


@inner
def keep(out, chosen, count, first, near, slots, at, table, room):
    """Keep the products of the `room` nearest of the listed centroids. Returns how many.

    slots: numbers of the run's kept products, from `at` on, all 0 before; table: the tile's kept products.
    """
    limit = np.float32(np.inf)
    if count > room:  # halve the range until no more than there is room for lie below
        low, high = np.float32(-np.inf), np.float32(0)
        for c in range(count):
            high = max(high, near[c])
        below = np.float32(0)
        for _ in range(20):
            limit = np.float32(0.5) * (below + high)
            within = 0
            for c in range(count):
                within += near[c] <= limit
            if within > room:
                high = limit
            else:
                below = limit
        limit = max(below, low)
    kept = 0
    for c in range(count):
        if near[c] <= limit and kept < room:
            kept += 1
            slots[at + chosen[c] - first] = kept
            v.store(table, 32 * (kept - 1), v.load(out, 32 * c))
            v.store(table, 32 * (kept - 1) + 16, v.load(out, 32 * c + 16))
    return kept


# Single points


@inner
def settle(x, i, position, lane, exact, factors, fine, chosen, first, known, upper, listed, lanes, many):
    """The label of a point among its candidates: a finer screen, then float64.

    Candidates are those that are listed for its lane, see `list_open`; upper is scratch, (32, ...); exact is (K, d)
    float64, factors the same in the frame, fine the Scores of their `product`. Returns the label, less `first`, and how
    many pairs were looked at.
    """
    d, bit = x.d, np.int64(1) << lane
    norm = known.norms[position]
    margin = (norm + known.reach) * (norm + known.reach) * known.floor
    pairs, low = 0, np.float32(-np.inf)
    for o in range(many):
        if lanes[o] & bit:
            j = chosen[listed[o]]
            pairs += 1
            score = product(x, i, factors, j) - fine.half[j]
            error = norm * fine.slope[j] + fine.floor[j]
            low = max(low, score - error - margin)
            upper[32 * listed[o] + lane] = score + error
    left, label = 0, np.int64(-1)
    for o in range(many):
        if lanes[o] & bit and upper[32 * listed[o] + lane] >= low:
            left, label = left + 1, chosen[listed[o]]
    if left != 1:
        best, label = np.inf, np.int64(-1)
        for o in range(many):
            if lanes[o] & bit and upper[32 * listed[o] + lane] >= low:
                distance = squared_distance(x.values, i * d, exact, chosen[listed[o]] * d, d)
                if distance < best or label < 0:
                    best, label = distance, chosen[listed[o]]
    return label - first, pairs


@inner
def nearest(x, i, exact, first, end):
    """The label of a point among the centroids first <= j < end, (K, d) float64, all of them settled; less `first`."""
    best, label = np.inf, 0
    for j in range(first, end):
        distance = squared_distance(x.values, i * x.d, exact, j * x.d, x.d)
        if distance < best:
            best, label = distance, j - first
    return label
