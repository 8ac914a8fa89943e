"""Numba leaf functions: arrays in, arrays out. They import NumPy, Numba and `simd` alone.

Notation, as in `screening`: point i is x_i, its screened form z_i (float32, shifted and scaled), centroid j of the concatenated
centroids of all runs is c_j, its screened form e_j. A tile is 32 consecutive points, in two groups of 16 lanes.

Shapes: n points, d features, R runs, K centroids of all runs together, T tiles, N = 32 T >= n, p directions, S anchor slots.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from steinhaus.engines import simd as v

TILE = 32
NO_SLOT = -1
BRUTE, PLAIN, DRIFT = 0, 1, 2  # how a run is screened: not at all, from the features, from its anchors
CHUNK = 112  # features summed at a time: two groups of lanes and a tile of rows stay in 32 KiB; see screening.summation
_compiled = {"nogil": True, "cache": True, "error_model": "numpy"}


class Known(NamedTuple):
    """What the screens know of the points."""

    norms: np.ndarray  # (N,) float32, at least |z_i|
    residuals: np.ndarray  # (N,) float32, at least |y_i - P b_i|
    projections: np.ndarray  # (T, 2, p, 16) float32, b_i
    offset: np.ndarray  # (d,) of the points' type; empty for integers
    scale: float  # of the points' type
    reach: float  # at least the norm of the reference point
    floor: float  # float64's own rounding, relative to (|z_i| + reach)^2


class Scores(NamedTuple):
    """Turns products into scores with bounds: score = product - half[j], error <= norm_i slope[j] + residual_i lag[j] + floor[j]."""

    rows: np.ndarray  # (..., K, d or p) float32: what the lanes are multiplied with
    half: np.ndarray  # (..., K) float32
    slope: np.ndarray  # (..., K) float32
    lag: np.ndarray  # (..., K) float32
    floor: np.ndarray  # (..., K) float32


class Cache(NamedTuple):
    """What is remembered of the runs between passes. Losing it costs time alone."""

    labels: np.ndarray  # (R, N) int32, -1: none yet
    anchors: np.ndarray  # (T, K, 32) float32, x_i . a_j; (0, K, 32) where there is no room
    slots: np.ndarray  # (R, T) int8: which anchors a tile's products belong to


class Change(NamedTuple):
    """What one worker's part of an assignment changes in the tallies."""

    sums: np.ndarray  # (limbs, K, d) int64
    counts: np.ndarray  # (K,) int64
    touched: np.ndarray  # (K,) bool
    moved: np.ndarray  # (R,) int64
    pairs: np.ndarray  # (R,) int64, settled
    refreshed: np.ndarray  # (R,) int64, tiles whose products were computed from the features


@njit(inline="always", **_compiled)
def squared_distance(x, a, c, b, d):
    """The squared distance of two rows of d features, float64: the function that decides every label.

    x is flat, any real type, its row begins at a; c is flat float64, its row at b. Sixteen running sums over the features taken
    sixteen at a time, folded by halves; then the rest in order. No product is fused with a sum.
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


@njit(**_compiled)
def nearest(x, centroids, j0, j1, i, upper, least, lane):
    """Settle point i among the rows j0..j1 of `centroids` whose upper bound reaches `least`: the label, and how many pairs.

    upper is flat float32, 32 a row; the bounds of the point stand in column `lane`.
    """
    d = centroids.shape[1]
    flat = centroids.reshape(-1)
    best, label, pairs = np.inf, -1, 0
    for j in range(j0, j1):
        if upper[32 * j + lane] >= least:
            pairs += 1
            distance = squared_distance(x, i * d, flat, j * d, d)
            if distance < best or label < 0:
                best, label = distance, j - j0
    return label, pairs


@njit(**_compiled)
def products(lanes, at, stride, rows, row, length, p, j0, j1, out):
    """Add lanes . rows[j] over p features to row j of `out`, for j0 <= j < j1, eight rows and two groups at a time."""
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


@njit(**_compiled)
def spread(x, n, d, base, offset, scale, lanes):
    """Bring the 32 points from `base` on into lanes, (2, d, 16) float32; past the last point, the last one stands again."""
    for group in range(2):
        first = base + 16 * group
        to = 16 * d * group
        whole = d - d % 16 if first + 16 <= n else 0
        for t in range(0, whole, 16):
            v.transpose(x, first * d + t, d, offset, t, scale, lanes, to + 16 * t)
        for t in range(whole, d):
            for lane in range(16):
                value = x[min(first + lane, n - 1) * d + t]
                if len(offset):
                    value = (value - offset[t]) * scale
                lanes[to + 16 * t + lane] = value


@njit(**_compiled)
def full_products(lanes, d, rows, j0, j1, out):
    """Write the products of a tile with the rows j0..j1, (K, d) float32, into `out`, summed in chunks of features."""
    out[32 * j0 : 32 * j1] = 0.0
    flat = rows.reshape(-1)
    for t in range(0, d, CHUNK):
        products(lanes, 16 * t, 16 * d, flat, j0 * d + t, d, min(CHUNK, d - t), j0, j1, out)


@njit(**_compiled)
def bounds(out, j0, j1, half, slope, lag, floor, known, base, labels, least):
    """Turn products into upper bounds, in place; find the best lower bound of each lane, its label, and who is open.

    A lane is certified where every other centroid's upper bound is below its best lower bound by more than the rounding of the
    distances that would settle it. `least` (32,) gets the bound that a candidate's upper bound must reach, `labels` (32,) the
    best centroid. Returns the open lanes as bits.
    """
    open_lanes = np.uint32(0)
    for group in range(2):
        side = 16 * group
        norm = v.load(known.norms, base + side)
        residual = v.load(known.residuals, base + side)
        low = v.splat(np.float32(-np.inf))
        high = second = low
        label = v.splat_int(np.int32(0))
        for j in range(j0, j1):
            at = 32 * j + side
            score = v.subtract(v.load(out, at), v.splat(half[j]))
            error = v.multiply_add(
                norm, v.splat(slope[j]), v.multiply_add(residual, v.splat(lag[j]), v.splat(floor[j]))
            )
            lower, upper = v.subtract(score, error), v.add(score, error)
            v.store(out, at, upper)
            better = v.greater(lower, low)
            second = v.maximum(second, v.select(better, high, upper))
            high = v.select(better, upper, high)
            low = v.select(better, lower, low)
            label = v.select(better, v.splat_int(np.int32(j - j0)), label)
        size = v.add(norm, v.splat(np.float32(known.reach)))
        margin = v.multiply(v.multiply(size, size), v.splat(np.float32(known.floor)))
        need = v.subtract(low, margin)
        v.store(least, side, need)
        v.store(labels, side, label)
        certified = v.bits(v.greater(need, second))
        open_lanes |= (np.uint32(0xFFFF) & ~certified) << np.uint32(side)
    return open_lanes


@njit(**_compiled)
def count_pairs(out, j0, j1, least, open_lanes):
    """How many (lane, centroid) pairs of the open lanes would have to be settled."""
    pairs = np.int64(0)
    for group in range(2):
        half_open = (open_lanes >> np.uint32(16 * group)) & np.uint32(0xFFFF)
        if half_open == 0:
            continue
        need = v.load(least, 16 * group)
        for j in range(j0, j1):
            pairs += v.count(half_open & ~v.bits(v.greater(need, v.load(out, 32 * j + 16 * group))))
    return pairs


@njit(**_compiled)
def add_row(x, i, d, sign, offset, step, limbs, sums, j):
    """Add a point's integers to the sums of cluster j, (limbs, K, d) int64, or take them away (sign -1)."""
    if len(offset) == 0:
        for t in range(d):
            sums[0, j, t] += sign * np.int64(x[i * d + t])
    else:
        for t in range(d):
            q = np.int64(np.rint((np.float64(x[i * d + t]) - offset[t]) * step[t]))
            sums[0, j, t] += sign * (q >> 32)
            sums[1, j, t] += sign * (q & 0xFFFFFFFF)


@njit(**_compiled)
def assign(
    x,
    n,
    tiles,
    runs,
    firsts,
    modes,
    slot,
    exact,
    plain,
    drift,
    known,
    cache,
    offset,
    per_step,
    limit,
    lanes,
    out,
    change,
):
    """Label the points of some tiles for some runs: screen, then settle; and note what that changes in the tallies.

    x: flat points, n rows. tiles: (first, end). runs: (A,) the active runs' rows in the cache; firsts: (R + 1,) where each run's
    centroids begin among the K. modes: (R,). slot: the anchor slot that products computed now belong to. exact: (K, d) float64
    centroids; plain, drift: Scores, drift's with a leading axis of slots. offset, per_step: the grid (offset empty for integers,
    1 / step). limit: a tile is computed afresh where more pairs than limit x its centroids would have to be settled.
    lanes: (2 d 16,), out: (32 K,) float32 scratch.
    """
    d = exact.shape[1]
    p = known.projections.shape[2]
    limbs = change.sums.shape[0]
    least = np.empty(32, np.float32)
    labels = np.empty(32, np.int32)
    projections = known.projections.reshape(-1)
    anchored = cache.anchors.shape[0] > 0
    for tile in range(tiles[0], tiles[1]):
        base = tile * 32
        count = min(32, n - base)
        present = np.uint32(0xFFFFFFFF) >> np.uint32(32 - count)
        fresh = False
        for r in runs:
            j0, j1 = firsts[r], firsts[r + 1]
            open_lanes = np.uint32(0)
            slot_now = cache.slots[r, tile] if modes[r] == DRIFT else NO_SLOT
            if slot_now >= 0:
                for j in range(j0, j1):
                    out[32 * j : 32 * j + 32] = 0.0
                products(
                    projections, tile * 32 * p, 16 * p, drift.rows[slot_now].reshape(-1), j0 * p, p, p, j0, j1, out
                )
                for j in range(j0, j1):
                    for lane in range(32):
                        out[32 * j + lane] += cache.anchors[tile, j, lane]
                open_lanes = present & bounds(
                    out, j0, j1, drift.half[slot_now], drift.slope[slot_now], drift.lag[slot_now], drift.floor[slot_now],
                    known, base, labels, least,
                )  # fmt: skip
                if open_lanes and count_pairs(out, j0, j1, least, open_lanes) > limit * (j1 - j0):
                    slot_now = NO_SLOT
            if slot_now < 0 and modes[r] != BRUTE:
                if not fresh:
                    spread(x, n, d, base, known.offset, known.scale, lanes)
                    fresh = True
                full_products(lanes, d, plain.rows, j0, j1, out)
                if anchored:
                    cache.anchors[tile, j0:j1] = out[32 * j0 : 32 * j1].reshape(j1 - j0, 32)
                    cache.slots[r, tile] = slot
                open_lanes = present & bounds(
                    out, j0, j1, plain.half, plain.slope, plain.lag, plain.floor, known, base, labels, least
                )
                change.refreshed[r] += 1
            if modes[r] == BRUTE:
                open_lanes = present
                least[:] = -np.inf
            if open_lanes:
                for lane in range(count):
                    if (open_lanes >> np.uint32(lane)) & np.uint32(1):
                        label, pairs = nearest(x, exact, j0, j1, base + lane, out, least[lane], lane)
                        labels[lane] = label
                        change.pairs[r] += pairs
            moved = v.bits(v.differs(v.load(labels, 0), v.load(cache.labels[r], base)))
            moved |= v.bits(v.differs(v.load(labels, 16), v.load(cache.labels[r], base + 16))) << np.uint32(16)
            moved &= present
            if moved:
                for lane in range(count):
                    if (moved >> np.uint32(lane)) & np.uint32(1):
                        old, new = cache.labels[r, base + lane], labels[lane]
                        if old >= 0:
                            add_row(x, base + lane, d, -1, offset, per_step, limbs, change.sums, j0 + old)
                            change.counts[j0 + old] -= 1
                            change.touched[j0 + old] = True
                        add_row(x, base + lane, d, 1, offset, per_step, limbs, change.sums, j0 + new)
                        change.counts[j0 + new] += 1
                        change.touched[j0 + new] = True
                        change.moved[r] += 1
                        cache.labels[r, base + lane] = new


@njit(**_compiled)
def collect(change, sums, counts):
    """Add a worker's changes to the sums and counts of all clusters, and clear them."""
    for j in range(len(counts)):
        if change.touched[j]:
            sums[:, j] += change.sums[:, j]
            counts[j] += change.counts[j]
            change.sums[:, j] = 0
            change.counts[j] = 0
            change.touched[j] = False


@njit(**_compiled)
def own_distances(x, d, first, end, labels, centroids, out):
    """Squared distance of each point to the centroid of its label, (n,) float64."""
    flat = centroids.reshape(-1)
    for i in range(first, end):
        out[i] = squared_distance(x, i * d, flat, labels[i] * d, d)


@njit(**_compiled)
def all_distances(x, d, first, end, centroids, out):
    """Squared distance of each point to every centroid, (k, n) float64."""
    flat = centroids.reshape(-1)
    for i in range(first, end):
        for j in range(centroids.shape[0]):
            out[j, i] = squared_distance(x, i * d, flat, j * d, d)


@njit(**_compiled)
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


@njit(**_compiled)
def integer_totals(x, d, first, end, sums, squares):
    """Sums of the values and of their squares, a column each, (d,) int64."""
    for i in range(first, end):
        for t in range(d):
            q = np.int64(x[i * d + t])
            sums[t] += q
            squares[t] += q * q


@njit(**_compiled)
def grid_totals(x, d, first, end, offset, per_step, sums, squares):
    """Sums of the grid's integers q, in two limbs (2, d), and of their squares, in three (3, d): q = a 2^24 + b, a^2, 2ab, b^2.

    At most 2^13 points a call, so that no limb overflows.
    """
    for i in range(first, end):
        for t in range(d):
            q = np.int64(np.rint((np.float64(x[i * d + t]) - offset[t]) * per_step[t]))
            sums[0, t] += q >> 32
            sums[1, t] += q & 0xFFFFFFFF
            a, b = q >> 24, q & 0xFFFFFF
            squares[0, t] += a * a
            squares[1, t] += 2 * a * b
            squares[2, t] += b * b


@njit(**_compiled)
def lengths(x, d, first, end, offset, scale, out):
    """The squared norm of each screened point before it is rounded to float32, (n,) float64."""
    for i in range(first, end):
        total = 0.0
        for t in range(d):
            value = np.float64(x[i * d + t])
            if len(offset):
                value = (value - np.float64(offset[t])) * np.float64(scale)
            total += value * value
        out[i] = total


@njit(**_compiled)
def project(x, n, tiles, rows, shift, offset, scale, lanes, out, projections, along_reference, squares):
    """Coordinates of the points along the leading directions, less the reference point's.

    rows: (p + 1, d) float32, the directions and then the reference point; shift: (p,) float32, the reference's coordinates ->
    projections (T, 2, p, 16) float32; along_reference, squares (N,) float64: z . m and |b|^2.
    """
    p, d = rows.shape[0] - 1, rows.shape[1]
    for tile in range(tiles[0], tiles[1]):
        spread(x, n, d, tile * 32, offset, scale, lanes)
        full_products(lanes, d, rows, 0, p + 1, out)
        for lane in range(32):
            at = tile * 32 + lane
            along_reference[at] = out[32 * p + lane]
            total = 0.0
            for q in range(p):
                b = out[32 * q + lane] - shift[q]
                projections[tile, lane // 16, q, lane % 16] = b
                total += np.float64(b) * np.float64(b)
            squares[at] = total
