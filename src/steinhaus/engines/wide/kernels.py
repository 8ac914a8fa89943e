"""Kernels for few points of many features. They measure, add up and compare points in strips of features."""

from __future__ import annotations

from steinhaus.engines.exact.rows import DenseRows, eight_integers, integer
from steinhaus.jit.build import inlined, inner, kernel
from steinhaus.jit.declared import unroll
from steinhaus.jit.operations import (
    convert,
    floating,
    fold,
    load,
    local,
    maximum,
    minimum,
    small_integer,
    splat,
    store,
    vector,
)
from steinhaus.jit.types import Array, Point, f64, i64

POINTS = 16  # points that are compared at once
STRIP = 256  # features that are compared at once; so many fit into the first-level cache
TOGETHER = 4  # rows that a point is compared with at once
ROWS = 2**13  # points whose integers can be added up before a sum may overflow


@kernel
def extremes(x: DenseRows, first: i64, end: i64, lowest: Array[f64], highest: Array[f64]) -> i64:
    """Write the least and greatest value of the features first <= t < end; return 1 if a value is not finite, else 0.

    lowest, highest: (d,).
    """
    whole, bad, odd = end - (end - first) % 8, splat(0.0, f64, 8), 0.0
    for t in range(first, end):
        lowest[t] = f64(x.values[t])
        highest[t] = f64(x.values[t])
    for i in range(x.n):
        at = i * x.d
        for t in range(first, whole, 8):
            value = convert(load(x.values, at + t, 8), f64)
            store(lowest, t, minimum(load(lowest, t, 8), value))
            store(highest, t, maximum(load(highest, t, 8), value))
            if floating(Point):
                bad = bad + (value - value)
        for t in range(whole, end):
            one = f64(x.values[at + t])
            lowest[t], highest[t] = min(lowest[t], one), max(highest[t], one)
            if floating(Point):
                odd += one - one
    return 0 if fold(bad) + odd == 0.0 else 1


@kernel
def totals(x: DenseRows, first: i64, end: i64, part: Array[i64], sums: Array[i64], squares: Array[i64]) -> None:
    """Add up the grid's integers q of the features first <= t < end, and their squares.

    sums: (2, d), high and low limbs. squares: (3, 2, d), the sums of a^2, 2ab and b^2 of q = a 2^24 + b, each as a high
    and a low limb. part: (3, end - first) zeros, work space.
    """
    d, wide = x.d, end - first
    for start in range(0, x.n, ROWS):
        for i in range(start, min(start + ROWS, x.n)):
            for t in range(first, end):
                q = integer(x, i * d + t, t)
                a, b = q >> 24, q & 0xFFFFFF
                sums[t] += q >> 32
                sums[d + t] += q & 0xFFFFFFFF
                part[t - first] += a * a
                part[wide + t - first] += 2 * a * b
                part[2 * wide + t - first] += b * b
        for s in range(3):
            for t in range(wide):
                squares[2 * s * d + first + t] += part[s * wide + t] >> 32
                squares[(2 * s + 1) * d + first + t] += part[s * wide + t] & 0xFFFFFFFF
                part[s * wide + t] = 0


@kernel
def move(
    x: DenseRows,
    first: i64,
    end: i64,
    old: Array[i64],
    new: Array[i64],
    other: i64,
    sums: Array[i64],
) -> None:
    """Move each point whose label has changed from its old cluster to its new one, in the features first <= t < end.

    old: (n,), -1: no label yet. new: (n,). sums: (limbs, k, d), in place; a low limb stands `other` places after its
    high limb, and 0 says that there is one limb.
    """
    for i in range(x.n):
        if old[i] != new[i]:
            if old[i] >= 0:
                _add(x, i * x.d, first, end, -1, other, sums + old[i] * x.d)
            _add(x, i * x.d, first, end, 1, other, sums + new[i] * x.d)


@inlined
def _add(x: DenseRows, at: i64, first: i64, end: i64, sign: i64, other: i64, sums: Array[i64]) -> None:
    """Add the grid's integers of a point to the sums of a cluster, (d,) in each limb, or subtract them (sign -1)."""
    if small_integer(Point):
        for t in range(first, end):
            sums[t] += sign * i64(x.values[at + t])
    else:
        whole = end - (end - first) % 8
        for t in range(first, whole, 8):
            q = eight_integers(x, at + t, t)
            store(sums, t, load(sums, t, 8) + sign * (q >> 32))
            store(sums, other + t, load(sums, other + t, 8) + sign * (q & 0xFFFFFFFF))
        for t in range(whole, end):
            one = integer(x, at + t, t)
            sums[t] += sign * (one >> 32)
            sums[other + t] += sign * (one & 0xFFFFFFFF)


@kernel
def distances(x: DenseRows, first: i64, end: i64, rows: Array[f64], m: i64, sums: Array[f64], out: Array[f64]) -> None:
    """The squared distances of the points first <= i < end to m rows, with the bits of `squared_distance`.

    rows: (m, d); out: (m, n); sums: (16, m, 16), work space.
    """
    d = x.d
    whole = d - d % 16
    for start in range(first, end, POINTS):
        stop = min(start + POINTS, end)
        for at in range(0, 16 * m * (stop - start), 8):
            store(sums, at, splat(0.0, f64, 8))
        for t in range(0, whole, STRIP):
            until = min(t + STRIP, whole)
            for j in range(0, m, TOGETHER):
                for i in range(start, stop):
                    to = sums + 16 * ((i - start) * m + j)
                    if j + TOGETHER <= m:
                        _go_on_with_four(x.values + i * d, rows + j * d, d, t, until, to)
                    else:
                        for s in range(m - j):
                            _go_on(x.values + i * d, rows + (j + s) * d, t, until, to + 16 * s)
        for i in range(start, stop):
            for j in range(m):
                at = 16 * ((i - start) * m + j)
                total = fold(load(sums, at, 8) + load(sums, at + 8, 8))
                for t in range(whole, d):
                    e = f64(x.values[i * d + t]) - rows[j * d + t]
                    total += e * e
                out[j * x.n + i] = total


@inner
def _go_on(x: Array[Point], row: Array[f64], first: i64, end: i64, sums: Array[f64]) -> None:
    """Continue the sixteen sums of a point and a row over the features first <= t < end.

    x: (d,); row: (d,); sums: (16,).
    """
    low, high = load(sums, 0, 8), load(sums, 8, 8)
    for t in range(first, end, 16):
        e = convert(load(x, t, 8), f64) - load(row, t, 8)
        low = low + e * e
        e = convert(load(x, t + 8, 8), f64) - load(row, t + 8, 8)
        high = high + e * e
    store(sums, 0, low)
    store(sums, 8, high)


@inner
def _go_on_with_four(x: Array[Point], rows: Array[f64], d: i64, first: i64, end: i64, sums: Array[f64]) -> None:
    """Continue the sums of a point and four rows. x: (d,); rows: (4, d); sums: (4, 16)."""
    low, high = local(vector(f64, 8), 4), local(vector(f64, 8), 4)
    for s in unroll(TOGETHER):
        low[s], high[s] = load(sums, 16 * s, 8), load(sums, 16 * s + 8, 8)
    for t in range(first, end, 16):
        lower, upper = convert(load(x, t, 8), f64), convert(load(x, t + 8, 8), f64)
        for s in unroll(TOGETHER):
            e = lower - load(rows, s * d + t, 8)
            low[s] = low[s] + e * e
            e = upper - load(rows, s * d + t + 8, 8)
            high[s] = high[s] + e * e
    for s in unroll(TOGETHER):
        store(sums, 16 * s, low[s])
        store(sums, 16 * s + 8, high[s])
