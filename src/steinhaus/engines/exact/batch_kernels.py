"""Label and add up some points of an array: a batch, or points whose labels are given."""

from __future__ import annotations

from math import inf

from steinhaus.engines.exact.distances import four_squared_distances, squared_distance
from steinhaus.engines.exact.rows import DenseRows, eight_integers, integer, short
from steinhaus.jit.build import inlined, kernel
from steinhaus.jit.operations import convert, load, local, small_integer, store
from steinhaus.jit.types import Array, Point, f64, i32, i64


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
    x: DenseRows,
    first: i64,
    end: i64,
    labels: Array[i32],
    low: i64,
    sums: Array[i64],
    counts: Array[i64],
    squares: Array[i64],
) -> None:
    """Add the points first <= i < end to the sums of their clusters, and add up their squares.

    A call takes at most 2^13 points, so that no limb overflows. labels: (n,). All others change in place. sums: (limbs,
    k, d); a low limb stands `low` places after its high limb. counts: (k,). squares: (3, d), the sums of a^2, 2ab and
    b^2 of the grid's integers q = a 2^24 + b.
    """
    d = x.d
    whole = d - d % 8
    for i in range(first, end):
        label, at = i64(labels[i]), i * d
        counts[label] += 1
        out = sums + label * d
        for t in range(0, whole, 8):
            if small_integer(Point):
                q = convert(load(x.values, at + t, 8), i64)
                store(out, t, load(out, t, 8) + q)
                store(squares, 2 * d + t, load(squares, 2 * d + t, 8) + q * q)
            else:
                q = eight_integers(x, at + t, t)
                store(out, t, load(out, t, 8) + (q >> 32))
                store(out, low + t, load(out, low + t, 8) + (q & 0xFFFFFFFF))
                a, b = short(q >> 24), short(q & 0xFFFFFF)
                store(squares, t, load(squares, t, 8) + a * a)
                store(squares, d + t, load(squares, d + t, 8) + (a * b << 1))
                store(squares, 2 * d + t, load(squares, 2 * d + t, 8) + b * b)
        for t in range(whole, d):
            one = integer(x, at + t, t)
            if small_integer(Point):
                out[t] += one
                squares[2 * d + t] += one * one
            else:
                out[t] += one >> 32
                out[low + t] += one & 0xFFFFFFFF
                upper, lower = one >> 24, one & 0xFFFFFF
                squares[t] += upper * upper
                squares[d + t] += 2 * upper * lower
                squares[2 * d + t] += lower * lower
