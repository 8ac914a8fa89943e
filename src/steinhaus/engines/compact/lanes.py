"""Points in lanes: tiles of sixteen points, feature by feature, and their squared distances to rows.

Every distance is summed in the order of `exact.distances.squared_distance`, for each lane by itself: so it has the same
bits, and labels need no screen.
"""

from __future__ import annotations

from math import inf
from typing import NamedTuple

import numpy as np

from steinhaus.jit.build import apart, inlined, inner
from steinhaus.jit.operations import convert, load, local, select, small_integer, splat, store, vector
from steinhaus.jit.translate import unroll
from steinhaus.jit.types import Array, F64x8, I64x8, Point, f64, i32, i64

TILE = 16  # points
TOGETHER = 4  # centroids that few features are compared with at once: their number is rounded up to it

F64x16, I64x16 = f64.of(TILE), i64.of(TILE)


class Lanes(NamedTuple):
    """The points, and their grid: the integers are (x - offset) * per_step."""

    values: Array[Point]  # (tiles, d, 16); after the last point, copies of it
    n: i64
    d: i64
    offset: Array[f64]  # (d,)
    per_step: Array[f64]  # (d,)


def centroid_rows(k: int) -> int:
    """Rows of a table for k centroids: the last one is repeated, which no tie ever goes to."""
    return -(-k // TOGETHER) * TOGETHER


@inlined
def integers(x: Lanes, tile: Array[Point], t: i64) -> I64x16:
    """The grid's integers of feature t of a tile."""
    if small_integer(Point):
        return convert(load(tile, TILE * t, TILE), i64)
    return convert(np.rint((convert(load(tile, TILE * t, TILE), f64) - x.offset[t]) * x.per_step[t]), i64)


@inlined
def few_distances(tile: Array[Point], row: Array[f64], d: i64) -> F64x16:
    """The squared distances of a tile to a row of fewer than sixteen features: summed in order."""
    total = splat(0.0, f64, TILE)
    for t in range(d):
        e = convert(load(tile, TILE * t, TILE), f64) - row[t]
        total = total + e * e
    return total


@apart
def many_distances(tile: Array[Point], row: Array[f64], d: i64) -> F64x8:
    """The squared distances of half a tile to a row of sixteen features or more: sixteen running sums, folded by
    halves; then the rest in order.

    tile: where the half begins.
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
    """Write the squared distances of a tile's points to a row, (16,)."""
    if d < 16:
        store(out, 0, few_distances(tile, row, d))
    else:
        store(out, 0, many_distances(tile, row, d))
        store(out, 8, many_distances(tile + 8, row, d))


@inner
def nearest(tile: Array[Point], rows: Array[f64], k: i64, d: i64, labels: Array[i32]) -> None:
    """Write the labels of a tile's points, (16,): the nearest of k rows, (centroid_rows(k), d); ties to the lowest."""
    if d < 16:
        store(labels, 0, convert(_nearest_of_few(tile, rows, k, d), i32))
    else:
        store(labels, 0, convert(_nearest_of_many(tile, rows, k, d), i32))
        store(labels, 8, convert(_nearest_of_many(tile + 8, rows, k, d), i32))


@apart
def _nearest_of_few(tile: Array[Point], rows: Array[f64], k: i64, d: i64) -> I64x16:
    best, label = splat(inf, f64, TILE), splat(0, i64, TILE)
    for j in range(0, k, TOGETHER):
        row = rows + j * d
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
            label = select(nearer, splat(j + s, i64, TILE), label)
    return label


@apart
def _nearest_of_many(tile: Array[Point], rows: Array[f64], k: i64, d: i64) -> I64x8:
    best, label = splat(inf, f64, 8), splat(0, i64, 8)
    for j in range(k):
        total = many_distances(tile, rows + j * d, d)
        nearer = total < best
        best = select(nearer, total, best)
        label = select(nearer, splat(j, i64, 8), label)
    return label
