"""Label and add up some points of an array: a batch, or points whose labels are given."""

from __future__ import annotations

from math import inf

import numpy as np

from steinhaus.engines.exact.distances import four_squared_distances, squared_distance
from steinhaus.engines.exact.rows import DenseRows, eight_integers, integer, short
from steinhaus.jit.build import inlined, kernel
from steinhaus.jit.operations import convert, fma, load, local, small_integer, splat, store
from steinhaus.jit.types import Array, Point, f64, i32, i64

_BLOCK = 8  # rows whose columns are added up eight at a time, so that their squares stay in registers


@kernel
def add_batch(
    x: DenseRows,
    rows: Array[i64],
    m: i64,
    centroids: Array[f64],
    k: i64,
    labels: Array[i32],
    distances: Array[f64],
    low: i64,
    sums: Array[i64],
    counts: Array[i64],
) -> None:
    """Label m points by their nearest centroids and add them up. With k = 0 the labels are given.

    rows: (m,) the points. centroids: (k, d). labels: (m,). distances: (m,) squared, to the centroid of the label. sums:
    (limbs, k, d), added to in place; a low limb stands `low` places after its high limb. counts: (k,), in place.
    """
    d, four = x.d, local(f64, 4)
    for i in range(m):
        point = x.values + rows[i] * d
        if k > 0:
            label, least = 0, inf
            for j in range(0, k, 4):
                if j + 4 <= k:
                    four_squared_distances(point, centroids + j * d, d, four)
                for s in range(min(4, k - j)):
                    distance = four[s] if j + 4 <= k else squared_distance(point, centroids + (j + s) * d, d)
                    if distance < least:
                        label, least = j + s, distance
            labels[i] = i32(label)
            distances[i] = least
        else:
            label = i64(labels[i])
            distances[i] = squared_distance(point, centroids + label * d, d)
        counts[label] += 1
        _add(x, rows[i] * d, low, sums + label * d)


@inlined
def _add(x: DenseRows, at: i64, low: i64, sums: Array[i64]) -> None:
    """Add the grid's integers of a point to the sums of a cluster, (d,) in each limb."""
    if small_integer(Point):
        for t in range(x.d):
            sums[t] += i64(x.values[at + t])
    else:
        whole = x.d - x.d % 8
        for t in range(0, whole, 8):
            q = eight_integers(x, at + t, t)
            store(sums, t, load(sums, t, 8) + (q >> 32))
            store(sums, low + t, load(sums, low + t, 8) + (q & 0xFFFFFFFF))
        for t in range(whole, x.d):
            one = integer(x, at + t, t)
            sums[t] += one >> 32
            sums[low + t] += one & 0xFFFFFFFF


@kernel
def add_labelled(
    x: DenseRows, first: i64, end: i64, labels: Array[i32], sums: Array[i64], counts: Array[i64], squares: Array[i64]
) -> None:
    """Add the points first <= i < end to the sums of their clusters, and add up their squares.

    labels: (n,). All others change in place. sums: (k, d), which hold at most 2^14 points. counts: (k,). squares: (3,
    d), of at most 2^13 points, the sums of a^2, 2ab and b^2 of the grid's integers q = a 2^24 + b.
    """
    d = x.d
    whole = d - d % 8
    for start in range(first, end, _BLOCK):
        stop = min(start + _BLOCK, end)
        for i in range(start, stop):
            counts[i64(labels[i])] += 1
        for t in range(0, whole, 8):
            _add_columns(x, start, stop, t, labels, sums + t, squares + t)
        for i in range(start, stop):
            out, at = sums + i64(labels[i]) * d, i * d
            for t in range(whole, d):
                one = integer(x, at + t, t)
                out[t] += one
                if small_integer(Point):
                    squares[2 * d + t] += one * one
                else:
                    upper, lower = one >> 24, one & 0xFFFFFF
                    squares[t] += upper * upper
                    squares[d + t] += 2 * upper * lower
                    squares[2 * d + t] += lower * lower


@inlined
def _add_columns(
    x: DenseRows, start: i64, stop: i64, t: i64, labels: Array[i32], sums: Array[i64], squares: Array[i64]
) -> None:
    """Add eight columns, from t on, of a block of points. labels: (n,); sums: (k, d) and squares: (3, d), from t on.

    With |q| <= 2^48, |a| <= 2^24 and |b| <= 2^23. So in float64, eight of each product add up exactly,
    and so does `fma`, rounded or not.
    """
    d = x.d
    if small_integer(Point):
        squared = splat(0, i64, 8)
        for i in range(start, stop):
            out, q = i64(labels[i]) * d, convert(load(x.values, i * d + t, 8), i64)
            store(sums, out, load(sums, out, 8) + q)
            squared = squared + short(q) * short(q)
        store(squares, 2 * d, load(squares, 2 * d, 8) + squared)
    else:
        upper, across, lower = splat(0.0, f64, 8), splat(0.0, f64, 8), splat(0.0, f64, 8)
        offset, per_step = load(x.offset, t, 8), load(x.per_step, t, 8)
        for i in range(start, stop):
            out, e = i64(labels[i]) * d, convert(load(x.values, i * d + t, 8), f64) - offset
            q = np.rint(e * per_step)
            store(sums, out, load(sums, out, 8) + convert(q, i64))
            a = np.rint(q * (1.0 / 2.0**24))
            b = fma(a, splat(-(2.0**24), f64, 8), q)
            upper, across, lower = fma(a, a, upper), fma(a, b, across), fma(b, b, lower)
        store(squares, 0, load(squares, 0, 8) + convert(upper, i64))
        store(squares, d, load(squares, d, 8) + convert(across + across, i64))
        store(squares, 2 * d, load(squares, 2 * d, 8) + convert(lower, i64))
