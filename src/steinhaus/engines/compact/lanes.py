"""Points in lanes: tiles of sixteen points, feature by feature, and their squared distances to rows.

In each lane, a distance is summed in the order of `exact.distances.squared_distance`, so it has the same bits. Points
of few features are labelled by distances. Points of many features are labelled by scores in float64, which take a third
of the operations. If the scores are too close, distances decide.
"""

from __future__ import annotations

from math import inf

import numpy as np

from steinhaus.engines.bounds.doubles import score_floor, score_stretch
from steinhaus.engines.compact.records import FEW, GROUP, TILE, TOGETHER, Lanes, Sites
from steinhaus.jit.build import apart, inlined, inner
from steinhaus.jit.declared import unroll
from steinhaus.jit.operations import (
    bits_of,
    convert,
    fma,
    least,
    load,
    local,
    lowest_one,
    maximum,
    minimum,
    select,
    small_integer,
    splat,
    store,
    transpose,
    vector,
)
from steinhaus.jit.types import Array, F64x8, I64x8, Point, f64, i32, i64, literal

F64x16, I64x16 = f64.of(TILE), i64.of(TILE)


@inlined
def integers(x: Lanes, tile: Array[Point], t: i64) -> I64x16:
    """The integers that stand for feature t of a tile, (d, 16)."""
    if small_integer(Point):
        return convert(load(tile, TILE * t, TILE), i64)
    return convert(np.rint((convert(load(tile, TILE * t, TILE), f64) - x.offset[t]) * x.per_step[t]), i64)


@inlined
def few_distances(tile: Array[Point], row: Array[f64], d: i64) -> F64x16:
    """The squared distances of a tile, (d, 16), to a row, (d,), of fewer than sixteen features, summed in order."""
    total = splat(0.0, f64, TILE)
    for t in range(d):
        e = convert(load(tile, TILE * t, TILE), f64) - row[t]
        total = total + e * e
    return total


@apart
def many_distances(tile: Array[Point], row: Array[f64], d: i64) -> F64x8:
    """The squared distances of half a tile to a row of at least sixteen features.

    Sixteen sums are folded by halves, and the remaining features are added in order. tile: (d, 16) from the half on;
    row: (d,).
    """
    sums = local(vector(f64, 8), 16)
    for s in unroll(16):
        sums[s] = splat(0.0, f64, 8)
    whole = d - d % 16
    for t in range(0, whole, 16):
        for s in unroll(16):
            e = convert(load(tile, TILE * (t + s), 8), f64) - row[t + s]
            sums[s] = sums[s] + e * e
    for stage in unroll(4):
        for s in unroll(8 >> stage):
            sums[s] = sums[s] + sums[s + (8 >> stage)]
    total = sums[0]
    for t in range(whole, d):
        e = convert(load(tile, TILE * t, 8), f64) - row[t]
        total = total + e * e
    return total


@apart
def distances(tile: Array[Point], row: Array[f64], d: i64, out: Array[f64]) -> None:
    """Write the squared distances of a tile, (d, 16), to a row, (d,). out: (16,)."""
    if d < FEW:
        store(out, 0, few_distances(tile, row, d))
    else:
        store(out, 0, many_distances(tile, row, d))
        store(out, 8, many_distances(tile + 8, row, d))


@inlined
def row_at(x: Lanes, place: i64) -> i64:
    """The row at a place. Places after the last one have the row of the last."""
    if x.ordered != 0:
        return x.order[min(place, x.n - 1)]
    return min(place, x.n - 1)


@apart
def gather(rows: Array[Point], starts: Array[i64], d: i64, to: Array[Point]) -> None:
    """Bring sixteen points into lanes. rows: (n, d); starts: (16,) their flat indices; to: (d, 16)."""
    whole = d - d % 8
    for half in unroll(2):
        for t in range(0, whole, 8):
            turned = local(vector(Point, 8), 8)
            for lane in unroll(8):
                turned[lane] = load(rows, starts[8 * half + lane] + t, 8)
            transpose(turned)
            for s in unroll(8):
                store(to, TILE * (t + s) + 8 * half, turned[s])
    if whole < d:
        for lane in range(TILE):
            row = rows + starts[lane]
            for t in range(whole, d):
                to[TILE * t + lane] = row[t]


@apart
def distances_to_boxes(x: Lanes, group: i64, row: Array[f64]) -> F64x16:
    """A lower bound of the squared distances from points in each of sixteen boxes to a row, (d,); 0 for many features.

    It needs no slack, because rounding is monotone. The computed difference to the near side of the box is at most that
    to any point inside. So are its square, and the sum of squares in the same order.
    """
    total, at = splat(0.0, f64, TILE), group * x.d * GROUP
    if x.d < FEW:
        for t in range(x.d):
            below, above = load(x.low, at + GROUP * t, GROUP) - row[t], row[t] - load(x.high, at + GROUP * t, GROUP)
            e = maximum(maximum(below, above), splat(0.0, f64, GROUP))
            total = total + e * e
    return total


@apart
def candidates(x: Lanes, box: i64, sites: Sites, k: i64, bounds: Array[f64], some: Sites) -> i64:
    """Write the centroids that may be nearest to a point in a box into `some`, and return their number.

    A centroid is left out if its lower bound exceeds another one's upper bound (see `distances_to_boxes`). bounds: (k
    rounded up to 16,), work space.
    """
    d, wide, at = x.d, (k + GROUP - 1) // GROUP * GROUP, (box // GROUP * x.d) * GROUP + box % GROUP
    limit = splat(inf, f64, GROUP)
    for j in range(0, wide, GROUP):
        near, far = splat(0.0, f64, GROUP), splat(0.0, f64, GROUP)
        for t in range(d):
            c = load(sites.across, t * wide + j, GROUP)
            below, above = x.low[at + GROUP * t] - c, c - x.high[at + GROUP * t]
            e = maximum(maximum(below, above), splat(0.0, f64, GROUP))
            near = near + e * e
            e = minimum(below, above)
            far = far + e * e
        store(bounds, j, near)
        limit = minimum(limit, far)
    most, found = least(limit), 0
    for j in range(0, wide, GROUP):
        left = i64(bits_of(load(bounds, j, GROUP) <= splat(most, f64, GROUP)))
        if j + GROUP > k:
            left = left & ((1 << (k - j)) - 1)
        while left != 0:
            name = j + lowest_one(left)
            left = left & (left - 1)
            pick(sites, name, some, found, d)
            found += 1
    for again in range(found, (found + TOGETHER - 1) // TOGETHER * TOGETHER):
        pick(some, found - 1, some, again, d)
    return found


@inlined
def pick(of: Sites, j: i64, to: Sites, place: i64, d: i64) -> None:
    """Put a centroid at a place among others."""
    to.names[place] = of.names[j]
    for t in range(d):
        to.rows[place * d + t] = of.rows[j * d + t]


@inner
def nearest(tile: Array[Point], sites: Sites, k: i64, d: i64, labels: Array[i32]) -> None:
    """Write the labels of a tile, (d, 16): the nearest of k centroids, ties to the first. labels: (16,)."""
    if d < FEW:
        store(labels, 0, convert(_nearest_of_few(tile, sites, k, d), i32))
    else:
        _nearest_of_many(tile, sites, k, d, labels)


@apart
def _nearest_of_few(tile: Array[Point], sites: Sites, k: i64, d: i64) -> I64x16:
    # By distances. tile: (d, 16).
    best, label = splat(inf, f64, TILE), splat(0, i64, TILE)
    for j in range(0, k, TOGETHER):
        row = sites.rows + j * d
        totals = local(vector(f64, 16), 4)
        for s in unroll(TOGETHER):
            totals[s] = splat(0.0, f64, TILE)
        for t in range(d):
            x = convert(load(tile, TILE * t, TILE), f64)
            for s in unroll(TOGETHER):
                e = x - row[s * d + t]
                totals[s] = totals[s] + e * e
        for s in unroll(TOGETHER):
            nearer = totals[s] < best
            best = select(nearer, totals[s], best)
            label = select(nearer, splat(sites.names[j + s], i64, TILE), label)
    return label


@apart
def _nearest_of_many(tile: Array[Point], sites: Sites, k: i64, d: i64, labels: Array[i32]) -> None:
    label_by_scores(0, tile, square_of(tile, d), sites, k, d, labels, sites.longest)


@inlined
def square_of(tile: Array[Point], d: i64) -> F64x16:
    """The squared norms of a tile's points, (d, 16)."""
    sums, whole = local(vector(f64, 16), 4), d - d % 4
    for s in unroll(4):
        sums[s] = splat(0.0, f64, TILE)
    for t in range(0, whole, 4):  # four sums, so that none waits for the other
        for s in unroll(4):
            x = convert(load(tile, TILE * (t + s), TILE), f64)
            sums[s] = fma(x, x, sums[s])
    square = (sums[0] + sums[1]) + (sums[2] + sums[3])
    for t in range(whole, d):
        x = convert(load(tile, TILE * t, TILE), f64)
        square = fma(x, x, square)
    return square


@inlined
def label_by_scores(
    keep: literal,
    tile: Array[Point],
    square: F64x16,
    sites: Sites,
    k: i64,
    d: i64,
    labels: Array[i32],
    scores: Array[f64],
) -> tuple[F64x16, F64x16]:
    """Label by scores; where the least two are too near for that, by distances: see `bounds.doubles`.

    Returns the least score of each point, and how much larger that of its label may be. keep: whether to write all
    scores, (k rounded up to 4, 16).
    """
    best, second, label = splat(inf, f64, TILE), splat(inf, f64, TILE), splat(0, i64, TILE)
    for j in range(0, k, TOGETHER):
        row = sites.rows + j * d
        products = local(vector(f64, 16), 4)
        for s in unroll(TOGETHER):
            products[s] = splat(0.0, f64, TILE)
        for t in range(d):
            x = convert(load(tile, TILE * t, TILE), f64)
            for s in unroll(TOGETHER):
                products[s] = fma(x, row[s * d + t], products[s])
        for s in unroll(TOGETHER):
            score = sites.halves[j + s] - products[s]
            if keep:
                store(scores, (j + s) * TILE, score)
            second = minimum(second, maximum(best, score))
            nearer = score < best
            best = select(nearer, score, best)
            label = select(nearer, splat(sites.names[j + s], i64, TILE), label)
    store(labels, 0, convert(label, i32))
    margin = (square + sites.longest[0]) * score_stretch(d) + score_floor(d)
    certain = i64(bits_of(second - best > margin))
    if (certain & 0xFF) != 0xFF:
        store(labels, 0, convert(_settled(tile, sites, k, d), i32))
    if (certain >> 8) != 0xFF:
        store(labels, 8, convert(_settled(tile + 8, sites, k, d), i32))
    return best, margin


@apart
def _settled(tile: Array[Point], sites: Sites, k: i64, d: i64) -> I64x8:
    """The labels of half a tile, by distances. tile: (d, 16) from the half on."""
    best, label = splat(inf, f64, 8), splat(0, i64, 8)
    for j in range(k):
        total = many_distances(tile, sites.rows + j * d, d)
        nearer = total < best
        best = select(nearer, total, best)
        label = select(nearer, splat(sites.names[j], i64, 8), label)
    return label
