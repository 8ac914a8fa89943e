"""Numba leaf functions: arrays in, arrays out. They import NumPy, Numba, `simd` and the bounds of `screening` alone.

Notation, as in `screening`: point i is x_i, its screened form z_i (float32, in the frame), centroid j of the concatenated
centroids of all runs is c_j, its screened form e_j. A tile is 32 consecutive points, in two groups of 16 lanes.

Shapes: n points, d features, R runs, K centroids of all runs together, T tiles, N = 32 T >= n, p directions.

The outer functions take arrays; inner ones take addresses (`simd.pointer`), indexed like the flat array, because an array
passed between compiled functions costs two atomic updates of its reference count, more than the work on a tile.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from steinhaus.compiled import compiled, inlined

from steinhaus import simd as v
from steinhaus.engines.screening import CHUNK, FAR, SLACK, UNKNOWN, across_bound, drift_bound, plain_bound

TILE = 32
_AHEAD = 512  # products that are asked for before they are needed, in float32: a run or two
BRUTE, PLAIN, DRIFT = 0, 1, 2  # how a run is screened: not at all, from the features, from its anchors


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
    """What the screens know of the points."""

    norms: np.ndarray  # (N,) float32, at least |z_i|
    residuals: np.ndarray  # (N,) float32, at least |y_i - P b_i|
    projections: np.ndarray  # (T, 2, p, 16) float32, b_i
    p: int
    reach: float  # float32, at least the norm of the reference point
    floor: float  # float32, float64's own rounding, relative to (|z_i| + reach)^2


class Scores(NamedTuple):
    """Turns products into scores with bounds: score = product - half[j], error <= n slope[j] + r lag[j] + floor[j]."""

    rows: np.ndarray  # (K, d or p) float32: what the points are multiplied with
    half: np.ndarray  # (K,) float32
    slope: np.ndarray  # (K,) float32
    lag: np.ndarray  # (K,) float32
    floor: np.ndarray  # (K,) float32


class Anchors(NamedTuple):
    """Centroids at the time of each run's last full pass, in the frame, and the products of the points with them."""

    products: np.ndarray  # (T, K, 32) float32, x_i . a_j; (0, K, 32) where there is no room
    rows: np.ndarray  # (K, d) float64, a_j
    along: np.ndarray  # (K, p) float64, P'a_j
    norms: np.ndarray  # (K,) float64


class Change(NamedTuple):
    """What one worker's part of an assignment changes in the tallies."""

    sums: np.ndarray  # (limbs, K, d) int64, or int32 where no sum of a pass can overflow it
    counts: np.ndarray  # (K,) int64
    touched: np.ndarray  # (K,) uint8
    moved: np.ndarray  # (R,) int64
    pairs: np.ndarray  # (R,) int64, settled
    computed: np.ndarray  # (R,) int64, tiles whose products were computed from the features


@inlined
def _rows(x):
    return Rows(
        v.pointer(x.values), x.n, x.d, x.integers, v.pointer(x.offset), x.scale, v.pointer(x.grid_offset),
        v.pointer(x.per_step),
    )  # fmt: skip


@inlined
def _known(known):
    return Known(
        v.pointer(known.norms), v.pointer(known.residuals), v.pointer(known.projections), known.p, known.reach, known.floor
    )


@inlined
def _scores(scores):
    return Scores(
        v.pointer(scores.rows), v.pointer(scores.half), v.pointer(scores.slope), v.pointer(scores.lag),
        v.pointer(scores.floor),
    )  # fmt: skip


# The two measures


@compiled
def squared_distance(x, a, c, b, d):
    """The squared distance of two rows of d features, float64: the function that decides every label.

    x is the address of points of any real type, the row begins at a; c that of float64 rows, the row begins at b. Sixteen
    running sums over the features taken sixteen at a time, folded by halves; then the rest in order. No product is fused
    with a sum.
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


@compiled
def product(x, i, rows, b):
    """The product of point i in the frame with a row of float32, summed in 64 lanes, folded, then the rest in order."""
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


@compiled
def products(lanes, at, stride, rows, row, length, p, j0, j1, out):
    """Add lanes . rows[j] over p features to row j of `out`, for j0 <= j < j1, up to eight rows and two groups at a time."""
    j = j0
    while j < j1:
        k = min(j1 - j, 8)
        r, to = row + (j - j0) * length, 32 * j
        if k == 8:
            v.dot_tile(8, lanes, at, stride, rows, r, length, p, out, to)
        elif k >= 6:
            k = 6
            v.dot_tile(6, lanes, at, stride, rows, r, length, p, out, to)
        elif k == 5:
            v.dot_tile(5, lanes, at, stride, rows, r, length, p, out, to)
        elif k == 4:
            v.dot_tile(4, lanes, at, stride, rows, r, length, p, out, to)
        elif k >= 2:
            k = 2
            v.dot_tile(2, lanes, at, stride, rows, r, length, p, out, to)
        else:
            v.dot_tile(1, lanes, at, stride, rows, r, length, p, out, to)
        j += k


@compiled
def clear(out, j0, j1):
    """Zero the rows j0..j1 of a (K, 32) table."""
    for i in range(32 * j0, 32 * j1):
        out[i] = np.float32(0)


@compiled
def spread(x, base, lanes):
    """Bring the 32 points from `base` on into lanes, (2, d, 16) float32; past the last point, the last one stands again."""
    n, d = x.n, x.d
    for group in range(2):
        first = base + 16 * group
        to = 16 * d * group
        whole = d - d % 16 if first + 16 <= n else 0
        for t in range(0, whole, 16):
            v.transpose(x.values, first * d + t, d, x.offset, t, x.scale, lanes, to + 16 * t)
        for t in range(whole, d):
            for lane in range(16):
                lanes[to + 16 * t + lane] = framed(x, min(first + lane, n - 1) * d + t, t)


@compiled
def full_products(lanes, d, rows, j0, j1, out):
    """Write the products of a tile with the rows j0..j1, (K, d) float32, into `out`, summed in chunks of features."""
    clear(out, j0, j1)
    for t in range(0, d, CHUNK):
        products(lanes, 16 * t, 16 * d, rows, j0 * d + t, d, min(CHUNK, d - t), j0, j1, out)


@compiled
def drift_products(tile, known, rows, anchors, k, j0, j1, out):
    """Write the products of a tile with the rows j0..j1 of a run from their anchors, (T, K, 32): x . a + b . P'delta."""
    clear(out, j0, j1)
    p = known.p
    products(known.projections, tile * 32 * p, 16 * p, rows, j0 * p, p, p, j0, j1, out)
    at = 32 * (tile * k)
    for i in range(32 * j0, 32 * j1, 16):
        v.prefetch(anchors, at + i + _AHEAD)
        v.store(out, i, v.add(v.load(out, i), v.load(anchors, at + i)))


@compiled
def bounds(out, j0, j1, scores, known, base, found, least):
    """Turn products into upper bounds, in place; find the best lower bound of each lane, its label, and who is open.

    A lane is certified where every other centroid's upper bound is below its best lower bound by more than the rounding
    of the distances that would settle it. `least` (32,) gets the bound that a candidate's upper bound must reach, `found`
    (32,) the best centroid. Returns the open lanes as bits.
    """
    opened = np.uint32(0)
    for group in range(2):
        side = 16 * group
        norm = v.load(known.norms, base + side)
        residual = v.load(known.residuals, base + side)
        low = v.splat(np.float32(-np.inf))
        high = second = low
        label = v.splat_int(np.int32(0))
        for j in range(j0, j1):
            at = 32 * j + side
            score = v.subtract(v.load(out, at), v.splat(scores.half[j]))
            constant = v.multiply_add(residual, v.splat(scores.lag[j]), v.splat(scores.floor[j]))
            error = v.multiply_add(norm, v.splat(scores.slope[j]), constant)
            lower, upper = v.subtract(score, error), v.add(score, error)
            v.store(out, at, upper)
            better = v.greater(lower, low)
            second = v.maximum(second, v.select(better, high, upper))
            high = v.select(better, upper, high)
            low = v.select(better, lower, low)
            label = v.select(better, v.splat_int(np.int32(j - j0)), label)
        size = v.add(norm, v.splat(known.reach))
        need = v.subtract(low, v.multiply(v.multiply(size, size), v.splat(known.floor)))
        v.store(least, side, need)
        v.store(found, side, label)
        opened |= (np.uint32(0xFFFF) & ~v.bits(v.greater(need, second))) << np.uint32(side)
    return opened


@compiled
def count_pairs(out, j0, j1, least, opened):
    """How many (lane, centroid) pairs of the open lanes would have to be settled."""
    pairs = np.int64(0)
    for group in range(2):
        here = (opened >> np.uint32(16 * group)) & np.uint32(0xFFFF)
        if here == 0:
            continue
        need = v.load(least, 16 * group)
        for j in range(j0, j1):
            pairs += v.count(here & ~v.bits(v.greater(need, v.load(out, 32 * j + 16 * group))))
    return pairs


# Single points


@compiled
def settle(x, i, lane, exact, fine, j0, j1, known, upper, least):
    """The label of a point among its candidates: a finer screen, then float64.

    Candidates are the centroids j0 <= j < j1 whose upper bound, in column `lane` of `upper` (32 a row), reaches `least`;
    exact is (K, d) float64, fine the Scores of `product`. Returns the label, and how many pairs were looked at.
    """
    d = x.d
    norm = known.norms[i]
    margin = (norm + known.reach) * (norm + known.reach) * known.floor
    pairs, low = 0, np.float32(-np.inf)
    for j in range(j0, j1):
        at = 32 * j + lane
        if upper[at] >= least:
            pairs += 1
            score = product(x, i, fine.rows, j * d) - fine.half[j]
            error = norm * fine.slope[j] + fine.floor[j]
            low = max(low, score - error - margin)
            upper[at] = score + error
        else:
            upper[at] = -np.inf
    left, label = 0, -1
    for j in range(j0, j1):
        if upper[32 * j + lane] >= low:
            left, label = left + 1, j - j0
    if left == 1:
        return label, pairs
    best, label = np.inf, -1
    for j in range(j0, j1):
        if upper[32 * j + lane] >= low:
            distance = squared_distance(x.values, i * d, exact, j * d, d)
            if distance < best or label < 0:
                best, label = distance, j - j0
    return label, pairs


@compiled
def nearest(x, i, exact, j0, j1):
    """The label of a point among the centroids j0 <= j < j1, (K, d) float64, all of them settled."""
    best, label = np.inf, 0
    for j in range(j0, j1):
        distance = squared_distance(x.values, i * x.d, exact, j * x.d, x.d)
        if distance < best:
            best, label = distance, j - j0
    return label


@compiled
def add_row(x, i, sign, sums, other, at):
    """Add a point's integers (sign 1), or take them away (-1), from the sums at `at`; `other` is where the low limbs are."""
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
def assign(x, tiles, runs, firsts, modes, exact, plain, fine, drift, anchors, known, labels, limit, lanes, out, change):
    """Label the points of some tiles for some runs: screen, then settle; and note what that changes in the tallies.

    x: Rows. tiles: (first, end). runs: (A,) the active runs' rows; firsts: (R + 1,) where each run's centroids begin among
    the K. modes: (R,). exact: (K, d) float64 centroids; plain, fine, drift: their Scores; anchors: Anchors. labels: (R, N)
    int32. limit: pairs a centroid above which a tile's products are computed from the features after all. lanes: (32 d,),
    out: (32 K,) float32 scratch. change: Change.
    """
    k, d = exact.shape
    width = labels.shape[1]
    anchored = anchors.products.shape[0] > 0
    other = k * d  # from a high limb to its low limb
    line = 64 // x.values.itemsize  # values in a line of the cache
    x, known = _rows(x), _known(known)
    plain, fine, drift = _scores(plain), _scores(fine), _scores(drift)
    exact, anchor_products, labels = v.pointer(exact), v.pointer(anchors.products), v.pointer(labels)
    lanes, out = v.pointer(lanes), v.pointer(out)
    sums, counts, touched = v.pointer(change.sums), v.pointer(change.counts), v.pointer(change.touched)
    least_array, found_array = np.empty(32, np.float32), np.empty(32, np.int32)
    least, found = v.pointer(least_array), v.pointer(found_array)
    for tile in range(tiles[0], tiles[1]):
        base = tile * 32
        count = min(32, x.n - base)
        present = np.uint32(0xFFFFFFFF) >> np.uint32(32 - count)
        spread_yet = False
        for r in runs:
            j0, j1 = firsts[r], firsts[r + 1]
            mode, opened = modes[r], present
            if mode == DRIFT:
                drift_products(tile, known, drift.rows, anchor_products, k, j0, j1, out)
                opened &= bounds(out, j0, j1, drift, known, base, found, least)
                if opened and count_pairs(out, j0, j1, least, opened) > limit * (j1 - j0):
                    mode, opened = PLAIN, present
            if mode == PLAIN:
                if not spread_yet:
                    spread(x, base, lanes)
                    spread_yet = True
                full_products(lanes, d, plain.rows, j0, j1, out)
                change.computed[r] += 1
                if anchored and modes[r] == PLAIN:
                    for i in range(32 * j0, 32 * j1, 16):
                        v.store(anchor_products, 32 * tile * k + i, v.load(out, i))
                opened &= bounds(out, j0, j1, plain, known, base, found, least)
            if opened:
                for lane in range(count):
                    if (opened >> np.uint32(lane)) & np.uint32(1):
                        for t in range(0, d, line):
                            v.prefetch(x.values, (base + lane) * d + t)
                for lane in range(count):
                    if (opened >> np.uint32(lane)) & np.uint32(1):
                        if mode == BRUTE:
                            found[lane] = nearest(x, base + lane, exact, j0, j1)
                            change.pairs[r] += j1 - j0
                        else:
                            label, pairs = settle(x, base + lane, lane, exact, fine, j0, j1, known, out, least[lane])
                            found[lane] = label
                            change.pairs[r] += pairs
            at = r * width + base
            moved = v.bits(v.differs(v.load(found, 0), v.load(labels, at)))
            moved |= v.bits(v.differs(v.load(found, 16), v.load(labels, at + 16))) << np.uint32(16)
            moved &= present
            if moved:
                for lane in range(count):
                    if (moved >> np.uint32(lane)) & np.uint32(1):
                        i, old, new = base + lane, labels[at + lane], found[lane]
                        if old >= 0:
                            add_row(x, i, -1, sums, other, (j0 + old) * d)
                            counts[j0 + old] -= 1
                            touched[j0 + old] = 1
                        add_row(x, i, 1, sums, other, (j0 + new) * d)
                        counts[j0 + new] += 1
                        touched[j0 + new] = 1
                        labels[at + lane] = new
                        change.moved[r] += 1


@compiled
def collect(change, sums, counts):
    """Add a worker's changes to the sums and counts of all clusters, and clear them."""
    for j in range(len(counts)):
        if change.touched[j]:
            sums[:, j] += change.sums[:, j]
            counts[j] += change.counts[j]
            change.sums[:, j] = 0
            change.counts[j] = 0
            change.touched[j] = 0
    for counter in (change.moved, change.pairs, change.computed):
        counter[:] = 0


@compiled
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
def prepare(j0, j1, exact, offset, scale, reference, directions, rates, fresh, plain, fine, drift, anchors):
    """Bounds for the centroids j0 <= j < j1 of a run, (K, d) float64; where `fresh`, they become its anchors.

    offset, reference: (d,) float64; directions: (d, p) float64, p a multiple of 16 -> plain, fine, drift: Scores; anchors: Anchors, in place.
    """
    d, p = directions.shape
    along = np.empty(p)
    row = np.empty(d)
    for j in range(j0, j1):
        square = half = moved = lean = 0.0
        for t in range(d):
            e = (exact[j, t] - offset[t]) * scale - reference[t]
            delta = e - anchors.rows[j, t]
            square += e * e
            half += reference[t] * e
            moved += delta * delta
            lean += reference[t] * delta
            plain.rows[j, t] = e
            if fresh:
                anchors.rows[j, t] = e
            row[t] = e
        _along(v.pointer(row), v.pointer(directions), d, p, v.pointer(along))
        norm, half = np.sqrt(square), half + 0.5 * square
        plain.half[j] = fine.half[j] = half
        plain.slope[j], plain.floor[j] = plain_bound(norm * SLACK, half, rates.plain, rates)
        fine.slope[j], fine.floor[j] = plain_bound(norm * SLACK, half, rates.fine, rates)
        if fresh:
            anchors.along[j], anchors.norms[j] = along, norm
        size = 0.0
        for q in range(p):
            b = along[q] - anchors.along[j, q]
            drift.rows[j, q] = b
            size += b * b
        held = anchors.norms[j]
        across = across_bound(moved, size, norm + held, p, rates)
        drift.half[j] = half - lean
        drift.slope[j], drift.lag[j], drift.floor[j] = drift_bound(
            norm * SLACK, held * SLACK, np.sqrt(size) * SLACK, across, half - lean, p, rates
        )
        if not (norm < FAR and held < FAR):
            plain.rows[j], drift.rows[j] = 0.0, 0.0
            plain.half[j] = fine.half[j] = drift.half[j] = 0.0
            plain.slope[j] = fine.slope[j] = drift.slope[j] = drift.lag[j] = 0.0
            plain.floor[j] = fine.floor[j] = drift.floor[j] = UNKNOWN


@compiled
def project(x, tiles, rows, shift, lanes, out, projections, along_reference, squares):
    """Coordinates of the points along the leading directions, less the reference point's.

    x: Rows. rows: (p + 1, d) float32, the directions and then the reference point; shift: (p,) float32, the reference's
    coordinates -> projections (T, 2, p, 16) float32; along_reference, squares (N,) float64: z . m and |b|^2.
    """
    p = rows.shape[0] - 1
    view, table, scratch = _rows(x), v.pointer(out), v.pointer(lanes)
    for tile in range(tiles[0], tiles[1]):
        spread(view, tile * 32, scratch)
        full_products(scratch, view.d, v.pointer(rows), 0, p + 1, table)
        for group in range(2):
            at = tile * 32 + 16 * group
            squares[at : at + 16] = 0.0
            for q in range(p):
                for lane in range(16):
                    b = out[32 * q + 16 * group + lane] - shift[q]
                    projections[tile, group, q, lane] = b
                    squares[at + lane] += np.float64(b) * np.float64(b)
            for lane in range(16):
                along_reference[at + lane] = out[32 * p + 16 * group + lane]


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
    """Least and greatest value of each column, (d,) of the points' type; returns the first row with a non-finite value, or -1."""
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


@compiled
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
    """Add the columns of small integers to `sums`, (d,) int64; write the points' squared norms, and return their sum."""
    values = v.pointer(x.values)
    block = np.zeros(x.d, np.int32)
    partial = v.pointer(block)
    squares = np.int64(0)
    for i in range(first, end):  # at most 2^13 rows of 16 bits: no int32 overflows
        length = _length_and_sums(values, i * x.d, x.d, partial)
        lengths[i] = length
        squares += length
    sums += block
    return squares


@compiled
def grid_totals(x, first, end, sums, squares, lengths):
    """Add up the grid's integers q, in two limbs (2, d), and their squares, in three (3, d): a^2, 2ab, b^2, q = a 2^24 + b.

    At most 2^13 points a call, so that no limb overflows. lengths: the points' squared norms in the frame, (n,) float64.
    """
    offset, per_step = x.grid_offset, x.per_step
    for i in range(first, end):
        length = 0.0
        for t in range(x.d):
            value = np.float64(x.values[i * x.d + t]) - offset[t]
            q = np.int64(np.rint(value * per_step[t]))
            sums[0, t] += q >> 32
            sums[1, t] += q & 0xFFFFFFFF
            a, b = q >> 24, q & 0xFFFFFF
            squares[0, t] += a * a
            squares[1, t] += 2 * a * b
            squares[2, t] += b * b
            value *= np.float64(x.scale)
            length += value * value
        lengths[i] = length
