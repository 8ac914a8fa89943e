"""Numba leaf functions: arrays in, arrays out. They import NumPy, Numba, `simd` and the bounds of `screening` alone.

Notation, as in `screening`: point i is x_i, its screened form z_i (float32, in the frame), centroid j of the
concatenated centroids of all runs is c_j, its screened form e_j. A tile is 32 consecutive points, in two groups of 16
lanes.

Shapes: n points, d features, R runs, K centroids of all runs together, T tiles, N = 32 T >= n, p directions.

The outer functions take arrays; inner ones take addresses (`simd.pointer`), indexed like the flat array, because an
array passed between compiled functions costs two atomic updates of its reference count, more than the work on a tile.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from steinhaus import simd as v
from steinhaus.compiled import compiled, compiled_loosely, inlined, inner
from steinhaus.engines.screening import (
    BYTES, CHUNK, FAR, MOST, SLACK, UNKNOWN, across_bound, drift_bound, plain_floor, product_slope, step_bound,
)  # fmt: skip

TILE = 32
GRID_ROWS = 64  # rows whose columns are added up one after the other
MANY_SLOTS = 255  # anchors' products that a tile can keep of a run: their numbers are bytes
# Rows of `Change.work`: points that changed their label; pairs settled; tiles whose features were needed; rows of
# products computed from the features of a tile, and from the directions.
MOVED, PAIRS, SPREADS, COMPUTED, SCREENED = range(5)
# How a run is screened: not at all; from the features, taking new anchors; from its anchors; from the features alone.
BRUTE, PLAIN, DRIFT, FULL = 0, 1, 2, 3


class Rows(NamedTuple):
    """The points, and how to read them."""

    values: np.ndarray  # (n, d) of any real type, flat
    n: int
    d: int
    integers: bool  # small integers: their own grid and frame
    offset: np.ndarray  # (d,) of the points' type; the frame is (x - offset) * scale
    scale: float  # of the points' type
    grid_offset: np.ndarray  # (d,) float64; the grid is (x - grid_offset) * per_step
    per_step: np.ndarray  # (d,) float64


class Known(NamedTuple):
    """What the screens know of the points, in tiles: lane l of tile t is point order[32 t + l]; past the last, it
    stands again.
    """

    order: np.ndarray  # (N,) int64
    norms: np.ndarray  # (N,) float32, at least |z_i|
    residuals: np.ndarray  # (N,) float32, at least |y_i - P b_i|
    projections: np.ndarray  # (T, 2, p, 16) float32, b_i
    p: int
    reach: np.float32  # at least the norm of the reference point
    floor: np.float32  # float64's own rounding, relative to (|z_i| + reach)^2


class Scores(NamedTuple):
    """Turns products into scores with bounds: score = product - half[j], error <= n slope[j] + r lag[j] + floor[j]."""

    rows: np.ndarray  # (K, d or p) float32: what the points are multiplied with
    half: np.ndarray  # (K,) float32
    slope: np.ndarray  # (K,) float32
    lag: np.ndarray  # (K,) float32
    floor: np.ndarray  # (K,) float32


class Factors(NamedTuple):
    """Rows that points are multiplied with over all features: in float32, or in two signed bytes a feature.

    Of bytes, row j is scales[j] (128 high + low); W is d rounded up to a multiple of 64, or 0 where they are not used.
    """

    rows: np.ndarray  # (K, d) float32
    limbs: np.ndarray  # (K, 2, W) int8, high and low; 0 past d
    scales: np.ndarray  # (K,) float32, powers of two


class Anchors(NamedTuple):
    """Where each run's centroids stood at its last full pass, and the products of the tiles' candidates with them."""

    rows: np.ndarray  # (K, d) float64, a_j, in the frame
    factors: Factors  # a_j
    along: np.ndarray  # (K, p) float64, P'a_j
    norms: np.ndarray  # (K,) float64
    slopes: np.ndarray  # (K,) float64, of the products
    slots: np.ndarray  # (T, H) uint8: which product of the tile is that with a_j, from 1; 0: it is not kept
    used: np.ndarray  # (R, T) uint8: how many are kept
    products: np.ndarray  # (T, M, 32) float32, x_i . a_j


class Gaps(NamedTuple):
    """What is out of the question for whole tiles: see `screening`, "Gaps".

    In tables of tiles by centroids a run's columns begin at a multiple of 16 (`columns` in `assign`) and fill it up:
    H in all. size, rise and fall are of the last step; travelled and risen are summed over all steps.
    """

    gaps: np.ndarray  # (T, H) float32; (0, H): none are kept
    present: np.ndarray  # (T, H) uint8: whether a point of the tile has this label
    sunk: np.ndarray  # (R, T) float32: how much the best score of any lane can have sunk over all steps
    size: np.ndarray  # (H,) float32
    fall: np.ndarray  # (H,) float32
    travelled: np.ndarray  # (H,) float32, sum of the sizes
    risen: np.ndarray  # (H,) float32, sum of the rises
    rows: np.ndarray  # (K, d) float64, e_j at the last step
    norms: np.ndarray  # (K,) float64


class Scratch(NamedTuple):
    """A worker's room to work in."""

    lanes: np.ndarray  # (32 d,) float32, a tile's features
    quads: np.ndarray  # (2, W / 4, 16, 4) uint8, flat, the same, of bytes; see `simd.byte_tile`
    out: np.ndarray  # (32 K,) float32, products
    upper: np.ndarray  # (32 K,) float32, upper bounds
    chosen: np.ndarray  # (K,) int64, candidates of a tile
    near: np.ndarray  # (K,) float32, their gaps now
    others: np.ndarray  # (2, K) int64, candidates whose products are not kept, and those whose are
    least: np.ndarray  # (32,) float32
    found: np.ndarray  # (32,) int32
    starts: np.ndarray  # (16,) int64


class Change(NamedTuple):
    """What one worker's part of an assignment changes in the tallies."""

    sums: np.ndarray  # (limbs, K, d) int64, or int32 where no sum of a pass can overflow it
    counts: np.ndarray  # (K,) int64
    touched: np.ndarray  # (K,) uint8
    work: np.ndarray  # (5, R) int64, what was done: MOVED, PAIRS, SPREADS, COMPUTED, SCREENED


@inlined
def _rows(x):
    return Rows(
        v.pointer(x.values), x.n, x.d, x.integers, v.pointer(x.offset), x.scale, v.pointer(x.grid_offset),
        v.pointer(x.per_step),
    )  # fmt: skip


@inlined
def _known(known):
    return Known(
        v.pointer(known.order), v.pointer(known.norms), v.pointer(known.residuals), v.pointer(known.projections),
        known.p, known.reach, known.floor,
    )  # fmt: skip


@inlined
def _scores(scores):
    return Scores(
        v.pointer(scores.rows), v.pointer(scores.half), v.pointer(scores.slope), v.pointer(scores.lag),
        v.pointer(scores.floor),
    )  # fmt: skip


@inlined
def _factors(factors):
    return Factors(v.pointer(factors.rows), v.pointer(factors.limbs), v.pointer(factors.scales))


# The two measures


@inner
def squared_distance(x, a, c, b, d):
    """The squared distance of two rows of d features, float64: the function that decides every label.

    x is the address of points of any real type, the row begins at a; c that of float64 rows, the row begins at b.
    Sixteen running sums over the features taken sixteen at a time, folded by halves; then the rest in order. No
    product is fused with a sum.
    """
    low, high = v.zeros64(), v.zeros64()
    whole = d - d % 16
    for t in range(0, whole, 16):
        e = v.subtract(v.load_float64(x, a + t), v.load_float64(c, b + t))
        low = v.add(low, v.multiply(e, e))
        e = v.subtract(v.load_float64(x, a + t + 8), v.load_float64(c, b + t + 8))
        high = v.add(high, v.multiply(e, e))
    total = v.fold(v.add(low, high))
    for t in range(whole, d):
        r = np.float64(x[a + t]) - c[b + t]
        total += r * r
    return total


@inner
def product(x, i, factors, j):
    """The product of point i in the frame with row j, summed in lanes that are folded in the end."""
    if v.in_bytes(x.values):
        return _product_of_bytes(x, i, factors, j)
    return _product_of_floats(x, i, factors.rows, j * x.d)


@inner
def _product_of_bytes(x, i, factors, j):
    values, d, limbs = x.values, x.d, factors.limbs
    width = (d + 63) // 64 * 64
    b, end = 2 * j * width, x.n * d - 64  # past a row's end the next one is read, times 0; not past the last one's
    total = np.float32(0)
    for t0 in range(0, d, BYTES):
        high = low = v.splat_int(np.int32(0))
        t1 = min(t0 + BYTES, d)
        whole = t1 if i * d + t1 <= end else t1 - t1 % 64
        for t in range(t0, whole, 64):
            high = v.add_bytes(high, values, i * d + t, limbs, b + t)
            low = v.add_bytes(low, values, i * d + t, limbs, b + width + t)
        total += v.fold(v.multiply_add(v.as_float(high), v.splat(np.float32(128)), v.as_float(low)))
        above = below = np.int32(0)
        for t in range(whole, t1):
            above += np.int32(values[i * d + t]) * np.int32(limbs[b + t])
            below += np.int32(values[i * d + t]) * np.int32(limbs[b + width + t])
        total += np.float32(128 * above + below)
    return total * factors.scales[j]


@inner
def _product_of_floats(x, i, rows, b):
    s0, s1, s2, s3 = v.splat(np.float32(0)), v.splat(np.float32(0)), v.splat(np.float32(0)), v.splat(np.float32(0))
    values, offset, scale = x.values, x.offset, x.scale
    a, whole = i * x.d, x.d - x.d % 64
    for t in range(0, whole, 64):
        s0 = v.multiply_add(v.load_framed(values, a + t, offset, t, scale), v.load(rows, b + t), s0)
        s1 = v.multiply_add(v.load_framed(values, a + t + 16, offset, t + 16, scale), v.load(rows, b + t + 16), s1)
        s2 = v.multiply_add(v.load_framed(values, a + t + 32, offset, t + 32, scale), v.load(rows, b + t + 32), s2)
        s3 = v.multiply_add(v.load_framed(values, a + t + 48, offset, t + 48, scale), v.load(rows, b + t + 48), s3)
    rest = x.d - x.d % 16
    for t in range(whole, rest, 16):
        s0 = v.multiply_add(v.load_framed(values, a + t, offset, t, scale), v.load(rows, b + t), s0)
    total = v.fold(v.add(v.add(s0, s1), v.add(s2, s3)))
    for t in range(rest, x.d):
        total += framed(x, a + t, t) * rows[b + t]
    return total


@inlined
def framed(x, at, t):
    """One value of feature t in the frame, float32."""
    value = x.values[at]
    if not x.integers:
        value = (value - x.offset[t]) * x.scale
    return np.float32(value)


# Tiles


@inner
def products(lanes, at, stride, rows, chosen, length, column, p, count, out, fresh):
    """Add lanes . rows[chosen[c]] over p features to row c of `out`, for c < count, up to eight rows and two groups at
    a time; or write them there, where `fresh`.
    """
    c = 0
    while c < count:
        k = min(count - c, 8)
        if k == 8:
            v.dot_tile(8, lanes, at, stride, rows, chosen, c, length, column, p, out, 32 * c, fresh)
        elif k >= 6:
            k = 6
            v.dot_tile(6, lanes, at, stride, rows, chosen, c, length, column, p, out, 32 * c, fresh)
        elif k >= 4:
            k = 4
            v.dot_tile(4, lanes, at, stride, rows, chosen, c, length, column, p, out, 32 * c, fresh)
        elif k == 3:
            v.dot_tile(3, lanes, at, stride, rows, chosen, c, length, column, p, out, 32 * c, fresh)
        elif k == 2:
            v.dot_tile(2, lanes, at, stride, rows, chosen, c, length, column, p, out, 32 * c, fresh)
        else:
            v.dot_tile(1, lanes, at, stride, rows, chosen, c, length, column, p, out, 32 * c, fresh)
        c += k


@inner
def byte_products(quads, at, stride, factors, chosen, width, column, quarter, count, out, fresh):
    """As `products`, of bytes: over 4 `quarter` features, up to six rows at a time."""
    limbs, scales, c = factors.limbs, factors.scales, 0
    while c < count:
        k = min(count - c, 6)
        if k == 6:
            v.byte_tile(6, quads, at, stride, limbs, scales, chosen, c, width, column, quarter, out, 32 * c, fresh)
        elif k >= 4:
            k = 4
            v.byte_tile(4, quads, at, stride, limbs, scales, chosen, c, width, column, quarter, out, 32 * c, fresh)
        elif k >= 2:
            k = 2
            v.byte_tile(2, quads, at, stride, limbs, scales, chosen, c, width, column, quarter, out, 32 * c, fresh)
        else:
            v.byte_tile(1, quads, at, stride, limbs, scales, chosen, c, width, column, quarter, out, 32 * c, fresh)
        c += k


@inner
def spread(x, order, base, lanes, quads, starts):
    """Bring the 32 points at positions `base` and after into lanes, (2, d, 16) float32, or into quads, (2, W / 4, 16,
    4) uint8: what `full_products` takes of these points. starts: (16,) int64 scratch.
    """
    d = x.d
    for group in range(2):
        for lane in range(16):
            starts[lane] = order[base + 16 * group + lane] * d
        if v.in_bytes(x.values):
            to = 16 * ((d + 63) // 64 * 64) * group
            whole = d - d % 64
            for t in range(0, whole, 64):
                v.transpose_bytes(x.values, starts, t, quads, to + 16 * t)
            if whole < d and d % 4 == 0 and whole > 0:  # the last 64 once more, some of them
                v.transpose_bytes(x.values, starts, d - 64, quads, to + 16 * (d - 64))
                whole = d
            for t in range(whole, d):
                for lane in range(16):
                    quads[to + 64 * (t // 4) + 4 * lane + t % 4] = x.values[starts[lane] + t]
        else:
            to = 16 * d * group
            whole = d - d % 16
            for t in range(0, whole, 16):
                v.transpose(x.values, starts, x.offset, t, x.scale, lanes, to + 16 * t)
            for t in range(whole, d):
                for lane in range(16):
                    lanes[to + 16 * t + lane] = framed(x, starts[lane] + t, t)


@inlined
def full_products(x, lanes, quads, factors, chosen, count, out):
    """Write the products of a tile, once `spread`, with some rows into `out`, summed in chunks of features."""
    d = x.d
    if v.in_bytes(x.values):
        width = (d + 63) // 64 * 64
        for t in range(0, d, BYTES):
            quarter = (min(BYTES, d - t) + 3) // 4
            byte_products(quads, 16 * t, 16 * width, factors, chosen, width, t, quarter, count, out, t == 0)
    else:
        for t in range(0, d, CHUNK):
            products(lanes, 16 * t, 16 * d, factors.rows, chosen, d, t, min(CHUNK, d - t), count, out, t == 0)


@inner
def halve(row, j, d, factors):
    """Round a row of d float64 to two signed bytes a feature, row j of the factors; returns |row rounded - row|."""
    most = 0.0
    for t in range(d):
        most = max(most, abs(row[t]))
    scale, per_scale = 1.0, 0.0
    if most > 2.0**-90:
        scale = math.ldexp(1.0, math.frexp(most / MOST)[1])
        per_scale = 1.0 / scale
    rest = 0.0
    for t in range(d):
        q = np.int32(np.rint(row[t] * per_scale))
        high = (q + 64) >> 7
        factors.limbs[j, 0, t], factors.limbs[j, 1, t] = high, q - 128 * high
        off = row[t] - scale * q
        rest += off * off
    factors.scales[j] = scale
    return math.sqrt(rest)


@compiled
def halved(rows, factors):
    """Round rows, (k, d) float64, to the factors' bytes; returns by how much, (k,) float64."""
    rest = np.empty(len(rows))
    for j in range(len(rows)):
        rest[j] = halve(rows[j], j, rows.shape[1], factors)
    return rest


@inner
def bounds(out, chosen, count, first, scores, known, base, upper, found, least):
    """From products to upper bounds; the best lower bound of each lane, its label, and who is open.

    A lane is certified where every other centroid's upper bound is below its best lower bound by more than the rounding
    of the distances that would settle it. `least` (32,) gets the bound that a candidate's upper bound must reach,
    `found` (32,) the best centroid, less `first`. Returns the open lanes as bits.
    """
    opened = np.uint32(0)
    for group in range(2):
        side = 16 * group
        norm = v.load(known.norms, base + side)
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
        size = v.add(norm, v.splat(known.reach))
        need = v.subtract(low, v.multiply(v.multiply(size, size), v.splat(known.floor)))
        v.store(least, side, need)
        v.store(found, side, label)
        opened |= (np.uint32(0xFFFF) & ~v.bits(v.greater(need, second))) << np.uint32(side)
    return opened


@inner
def count_pairs(upper, count, least, opened):
    """How many (lane, centroid) pairs of the open lanes would have to be settled."""
    pairs = np.int64(0)
    for group in range(2):
        here = (opened >> np.uint32(16 * group)) & np.uint32(0xFFFF)
        if here == 0:
            continue
        need = v.load(least, 16 * group)
        for c in range(count):
            pairs += v.count(here & ~v.bits(v.greater(need, v.load(upper, 32 * c + 16 * group))))
    return pairs


# Candidates of a tile: see `screening`, "Gaps"


@inner
def tile_size(known, base):
    """At least |y| of every lane of a tile, and the rounding of float64 to allow for: reach + |z| bounds |y|."""
    norm = v.largest(v.maximum(v.load(known.norms, base), v.load(known.norms, base + 16)))
    size = norm + known.reach
    return size, size * size * known.floor


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
    """By how much every lane's best score exceeds the upper bound of candidate c; low0, low1: the lanes' `least`."""
    slack = v.splat(np.float32(2.0**-20))
    above0, above1 = v.load(upper, 32 * c), v.load(upper, 32 * c + 16)
    gap0 = v.subtract(v.subtract(low0, above0), v.multiply(v.add(v.magnitude(low0), v.magnitude(above0)), slack))
    gap1 = v.subtract(v.subtract(low1, above1), v.multiply(v.add(v.magnitude(low1), v.magnitude(above1)), slack))
    return v.least(v.minimum(gap0, gap1))


@inlined
def record(gap, q, gaps, at, column, size, sunk):
    """Write a gap into the table, relative to all steps so far."""
    since = size * gaps.travelled[column + q] + gaps.risen[column + q] + sunk
    gaps.gaps[at + q] = gap + since - np.float32(2.0**-20) * (abs(gap) + abs(since))


@inner
def measure(upper, least, chosen, count, first, gaps, at, column, size, sunk, near):
    """Record the gaps of the listed centroids as they are now; `near` gets them bare."""
    low0, low1 = v.load(least, 0), v.load(least, 16)
    for c in range(count):
        near[c] = gap = gap_now(upper, c, low0, low1)
        record(gap, chosen[c] - first, gaps, at, column, size, sunk)


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


@inlined
def direct_products(tile, known, rows, chosen, count, out):
    """Write the products of a tile's projections with some rows of (K, p) float32 into `out`."""
    p = known.p
    products(known.projections, tile * 32 * p, 16 * p, rows, chosen, p, 0, p, count, out, True)


@inlined
def drift_products(tile, known, rows, chosen, count, first, slots, at, kept, out):
    """Write the products of a tile with listed centroids from their anchors, x . a + b . P'delta, into `out`."""
    direct_products(tile, known, rows, chosen, count, out)
    for c in range(count):
        slot = 32 * (np.int64(slots[at + chosen[c] - first]) - 1)
        v.store(out, 32 * c, v.add(v.load(out, 32 * c), v.load(kept, slot)))
        v.store(out, 32 * c + 16, v.add(v.load(out, 32 * c + 16), v.load(kept, slot + 16)))


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
def settle(x, i, position, lane, exact, factors, fine, chosen, count, first, known, upper, least):
    """The label of a point among its candidates: a finer screen, then float64.

    Candidates are the listed centroids whose upper bound, in column `lane` of `upper` (32 a row), reaches `least`;
    exact is (K, d) float64, factors the same in the frame, fine the Scores of their `product`. Returns the label, less `first`, and how many pairs were
    looked at.
    """
    d = x.d
    norm = known.norms[position]
    margin = (norm + known.reach) * (norm + known.reach) * known.floor
    pairs, low = 0, np.float32(-np.inf)
    for c in range(count):
        at = 32 * c + lane
        if upper[at] >= least:
            j = chosen[c]
            pairs += 1
            score = product(x, i, factors, j) - fine.half[j]
            error = norm * fine.slope[j] + fine.floor[j]
            low = max(low, score - error - margin)
            upper[at] = score + error
        else:
            upper[at] = -np.inf
    left, label = 0, np.int64(-1)
    for c in range(count):
        if upper[32 * c + lane] >= low:
            left, label = left + 1, chosen[c]
    if left != 1:
        best, label = np.inf, np.int64(-1)
        for c in range(count):
            if upper[32 * c + lane] >= low:
                distance = squared_distance(x.values, i * d, exact, chosen[c] * d, d)
                if distance < best or label < 0:
                    best, label = distance, chosen[c]
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


# Passes


@compiled
def assign(
    x, queue, runs, firsts, columns, rooms, modes, spare, straight, exact, factors, plain, fine, drift, far, anchors, gaps, known,
    labels, limit, scratch, change,
):  # fmt: skip
    """Label the points of all tiles that this worker comes to, for some runs: screen, then settle; and note what that changes in the tallies.

    x: Rows. queue: (3,) int64, the next tile that is free, how many there are, how many to take at once; shared by all
    workers. runs: (A,) the active runs' rows; firsts, columns, rooms: (R + 1,) where each run's
    centroids begin among the K, their columns among the H, their kept products among the M. modes: (R,); spare: (R,)
    float32, how far centroids may go until the next anchors: products are kept of what may be candidates by then.
    straight: (R,) int64, how many candidates of a tile are computed from the features at once, in a full pass, without a
    look at the directions first. exact: (K, d) float64 centroids; factors: Factors, the same in the frame; plain, fine, drift, far: their Scores; anchors: Anchors, renewed where a run's
    mode is PLAIN; gaps: Gaps. labels: (R, N) int32, by position. limit: pairs a candidate above which a tile's
    products are computed from the features after all. scratch: Scratch; change: Change.
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
    x, known = _rows(x), _known(known)
    plain, fine, drift, far = _scores(plain), _scores(fine), _scores(drift), _scores(far)
    gaps = Gaps(
        v.pointer(gaps.gaps), v.pointer(gaps.present), v.pointer(gaps.sunk), v.pointer(gaps.size), v.pointer(gaps.fall),
        v.pointer(gaps.travelled), v.pointer(gaps.risen), v.pointer(gaps.rows), v.pointer(gaps.norms),
    )  # fmt: skip
    factors, anchor_factors, slots = _factors(factors), _factors(anchors.factors), v.pointer(anchors.slots)
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
                ours, many = 0, 0  # those whose products are kept, ahead in `chosen`'s copy; and the others
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
                kept, missing = np.int64(used[at_tile]), 0
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
    drift, far: Scores; gaps: Gaps (how far the centroids went in this step), all in place. Where `fresh`, the centroids become
    the run's anchors.
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


@compiled
def project(x, order, tiles, factors, shift, scratch, coordinates, squares, along_reference):
    """Coordinates of the points along the leading directions, less the reference point's.

    x: Rows. order: (N,) int64, which point stands where. factors: of p + 1 rows, the directions and then the
    reference point; shift: (p,) float32, the reference's coordinates -> coordinates (N, p) float32, b;
    squares (N,) float64, |b|^2; along_reference (N,) float64, z . m.
    """
    p = factors.rows.shape[0] - 1
    view, lanes, table, out = _rows(x), v.pointer(scratch.lanes), v.pointer(scratch.out), scratch.out
    quads, factors = v.pointer(scratch.quads), _factors(factors)
    for q in range(p + 1):
        scratch.chosen[q] = q
    for tile in range(tiles[0], tiles[1]):
        spread(view, v.pointer(order), tile * TILE, lanes, quads, v.pointer(scratch.starts))
        full_products(view, lanes, quads, factors, v.pointer(scratch.chosen), p + 1, table)
        for lane in range(TILE):
            at = tile * TILE + lane
            along_reference[at] = out[TILE * p + lane]
            square = 0.0
            for q in range(p):
                coordinates[at, q] = b = out[TILE * q + lane] - shift[q]
                square += np.float64(b) * np.float64(b)
            squares[at] = square


@compiled
def gather(x, indices, reference, lanes, columns):
    """Bring a sample of points, less the reference point (d,), into the two layouts of `lead`.

    x: Rows; indices: (32 S,) int64; columns may be empty.
    """
    for s in range(len(indices)):
        at = indices[s] * x.d
        for t in range(x.d):
            value = framed(x, at + t, t) - reference[t]
            lanes[s // TILE, s % TILE // 16, t, s % 16] = value
            if len(columns):
                columns[t // TILE, t % TILE // 16, s, t % 16] = value


@compiled_loosely
def lead(lanes, columns, directions, sweeps):
    """Turn rows into leading directions of a sample of points: subspace iteration (Golub and Van Loan, Matrix
    Computations, 8.2.4).

    The sample stands here twice, float32: lanes (S, 2, d, 16), points in tiles; columns (U, 2, 32 S, 16), features in
    tiles, filled up with zeros. directions: (p, 32 U) float32, in place.
    """
    p, wide = directions.shape
    many, d = lanes.shape[0], lanes.shape[2]
    chosen, out = np.arange(p), np.empty(TILE * p, np.float32)
    along = np.empty((p, TILE * many), np.float32)
    for sweep in range(sweeps + 1):
        if sweep:
            coordinates_of(lanes, directions, chosen, out, along)
            for u in range(columns.shape[0]):
                products(
                    v.pointer(columns), 32 * TILE * many * u, 16 * TILE * many, v.pointer(along), v.pointer(chosen),
                    TILE * many, 0, TILE * many, p, v.pointer(out), True,
                )  # fmt: skip
                for q in range(p):
                    for lane in range(TILE):
                        directions[q, TILE * u + lane] = out[TILE * q + lane]
        for _ in range(2):  # Gram and Schmidt's, modified, twice
            for q in range(p):
                for r in range(q):
                    share = np.float32(0)
                    for t in range(wide):
                        share += directions[q, t] * directions[r, t]
                    for t in range(wide):
                        directions[q, t] -= share * directions[r, t]
                square = np.float32(0)
                for t in range(wide):
                    square += directions[q, t] * directions[q, t]
                scale = np.float32(1) / np.sqrt(square) if square > 0 else np.float32(0)
                for t in range(wide):
                    directions[q, t] *= scale


@inner
def coordinates_of(lanes, directions, chosen, out, along):
    """Coordinates of points in tiles, lanes (S, 2, d, 16), along directions (p, W), into (p, 32 S); all float32."""
    p, d = len(directions), lanes.shape[2]
    for tile in range(lanes.shape[0]):
        products(
            v.pointer(lanes), 32 * d * tile, 16 * d, v.pointer(directions), v.pointer(chosen), directions.shape[1], 0,
            d, p, v.pointer(out), True,
        )  # fmt: skip
        for q in range(p):
            for lane in range(TILE):
                along[q, TILE * tile + lane] = out[TILE * q + lane]


@compiled_loosely
def skew(directions):
    """|P'P - I| of rows (p, d) float32, in float64 (Frobenius)."""
    total = 0.0
    for q in range(len(directions)):
        for r in range(q + 1):
            share = 0.0
            for t in range(directions.shape[1]):
                share += np.float64(directions[q, t]) * np.float64(directions[r, t])
            share -= q == r
            total += share * share * (1.0 if q == r else 2.0)
    return np.sqrt(total)


@compiled
def energy(lanes, directions):
    """The sum of squared coordinates of points in tiles along directions, as in `lead`."""
    p = len(directions)
    along = np.empty((p, TILE * lanes.shape[0]), np.float32)
    coordinates_of(lanes, directions, np.arange(p), np.empty(TILE * p, np.float32), along)
    total = 0.0
    for value in along.flat:
        total += value * value
    return total


@compiled
def split(coordinates, axes, order, keys, first, middle, end):
    """Reorder order[first:end] so that its part up to `middle` lies lower along the axis of largest variance.

    coordinates: (N, p) float32, of points, of which `axes` are looked at; order: (n,) int64, in place; keys: (n,)
    float32, scratch. Quickselect (C. A. R. Hoare, Algorithm 65: Find, Commun. ACM, 1961).
    """
    stride = max(1, (end - first) // 128)  # 128 points or so tell which axis is the longest
    best, axis = np.float32(-1.0), 0
    for a in range(axes):
        total = square = count = np.float32(0)
        for s in range(first, end, stride):
            value = coordinates[order[s], a]
            total += value
            square += value * value
            count += 1
        variance = (square - total * total / count) / count
        if variance > best:
            best, axis = variance, a
    for s in range(first, end):
        keys[s] = coordinates[order[s], axis]
    low, high = first, end - 1
    while low < high:
        pivot = keys[(low + high) // 2]
        i, j = low, high
        while i <= j:
            while keys[i] < pivot:
                i += 1
            while keys[j] > pivot:
                j -= 1
            if i <= j:
                keys[i], keys[j] = keys[j], keys[i]
                order[i], order[j] = order[j], order[i]
                i += 1
                j -= 1
        if middle <= j:
            high = j
        elif middle >= i:
            low = i
        else:
            break


@compiled
def near_order(coordinates, axes, order, keys, first, end):
    """Reorder order[first:end] so that tiles hold points near to each other: split in halves of whole tiles, down to
    tiles. See `split`.
    """
    starts, ends = np.empty(64, np.int64), np.empty(64, np.int64)
    starts[0], ends[0] = first, end
    depth = 1
    while depth:
        depth -= 1
        a, b = starts[depth], ends[depth]
        if b - a > TILE:
            middle = halfway(a, b)
            split(coordinates, axes, order, keys, a, middle, b)
            starts[depth], ends[depth], starts[depth + 1], ends[depth + 1] = a, middle, middle, b
            depth += 2


@compiled
def halfway(first, end):
    """Where a range of points is to be split: near its middle, a whole number of tiles from its start."""
    return first + (end - first + TILE) // (2 * TILE) * TILE


@compiled
def regroup(coordinates, order, tiles, projections):
    """Bring coordinates (N, p) of points into tiles (T, 2, p, 16): lane l of tile t is point order[32 t + l]."""
    p = coordinates.shape[1]
    for tile in range(tiles[0], tiles[1]):
        for lane in range(TILE):
            i = order[TILE * tile + lane]
            for q in range(p):
                projections[tile, lane // 16, q, lane % 16] = coordinates[i, q]


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


# What is measured once


@compiled
def ranges(x, d, first, end, least, most):
    """Least and greatest value of each column, (d,) of the points' type; returns the first row with a non-finite
    value, or -1.
    """
    for i in range(first, end):
        bad = np.float64(0.0)
        for t in range(d):
            value = x[i * d + t]
            bad += value - value
            least[t] = min(least[t], value)
            most[t] = max(most[t], value)
        if bad != 0.0:
            return i
    return -1


@inner
def _length_and_sums(values, at, d, sums):
    # Small integers: the squared norm of a row, while its values are added to the columns' sums.
    total = np.int64(0)
    for t in range(d):
        q = np.int64(values[at + t])
        sums[t] += np.int32(q)
        total += q * q
    return total


@compiled
def integer_totals(x, first, end, sums, lengths):
    """Add the columns of small integers to `sums`, (d,) int64; write the points' squared norms, return their sum."""
    values = v.pointer(x.values)
    block = np.zeros(x.d, np.int32)
    partial = v.pointer(block)
    squares = np.int64(0)
    for i in range(first, end):  # at most 2^13 rows of 16 bits: no int32 overflows
        length = _length_and_sums(values, i * x.d, x.d, partial)
        lengths[i] = length
        squares += length
    for t in range(x.d):
        sums[t] += block[t]
    return squares


@compiled
def grid_totals(x, first, end, sums, squares, lengths):
    """Add up the grid's integers q, in two limbs (2, d), and their squares, in three (3, d): a^2, 2ab, b^2, q = a
    2^24 + b.

    At most 2^13 points a call, so that no limb overflows. lengths: the points' squared norms in the frame, (n,)
    float64.
    """
    d, scale = x.d, np.float64(x.scale)
    values, offset, per_step = v.pointer(x.values), v.pointer(x.grid_offset), v.pointer(x.per_step)
    whole = d - d % 8
    for i in range(first, end):
        total = v.zeros64()
        for t in range(0, whole, 8):
            e = v.subtract(v.load_float64(values, i * d + t), v.load_float64(offset, t))
            total = v.multiply_add(e, e, total)
        length = v.fold(total)
        for t in range(whole, d):
            e = np.float64(x.values[i * d + t]) - offset[t]
            length += e * e
        lengths[i] = length * scale * scale
    for start in range(first, end, GRID_ROWS):  # few enough for the cache
        stop = min(start + GRID_ROWS, end)
        for t in range(0, whole, 8):
            zero, steps = v.load_float64(offset, t), v.load_float64(per_step, t)
            high = low = upper = across = lower = v.none64()
            for i in range(start, stop):
                q = v.rounded(v.multiply(v.subtract(v.load_float64(values, i * d + t), zero), steps))
                high, low = v.plus(high, v.shifted(q, 32)), v.plus(low, v.masked(q, 32))
                a, b = v.shifted(q, 24), v.masked(q, 24)
                upper, lower = v.plus(upper, v.times(a, a)), v.plus(lower, v.times(b, b))
                across = v.plus(across, v.times(a, b))
            v.add_to(sums, t, high)
            v.add_to(sums, d + t, low)
            v.add_to(squares, t, upper)
            v.add_to(squares, d + t, v.plus(across, across))
            v.add_to(squares, 2 * d + t, lower)
    for i in range(first, end):
        for t in range(whole, d):
            q = np.int64(np.rint((np.float64(x.values[i * d + t]) - offset[t]) * per_step[t]))
            sums[0, t] += q >> 32
            sums[1, t] += q & 0xFFFFFFFF
            a, b = q >> 24, q & 0xFFFFFF
            squares[0, t] += a * a
            squares[1, t] += 2 * a * b
            squares[2, t] += b * b
