"""Measurements that are made once of all points: ranges, exact sums, sums of squares and norms."""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

import numpy as np

from steinhaus.engines.exact.rows import DenseRows, integer, short
from steinhaus.engines.exact.squares import squares_of
from steinhaus.engines.workers import Workers
from steinhaus.jit.build import inner, kernel
from steinhaus.jit.handed import Handed
from steinhaus.jit.operations import (
    convert,
    floating,
    fma,
    fold,
    load,
    maximum,
    minimum,
    size_of,
    small_integer,
    splat,
    store,
)
from steinhaus.jit.types import Array, Point, f64, i32, i64
from steinhaus.points import Float64, Int64

_ROWS = 2**13  # rows a task, so that no limb below overflows
_VALUES = 2**30  # small integers a task: each square is below 2^32, and their sum below 2^63
_GRID_ROWS = 64  # rows whose columns are added up one after the other; so few stay in the cache
_FEW_ROWS = 8  # rows whose range of sixteen columns stays in registers
_SQUARES = 2**18  # bytes whose squares are added up in sixteen int32


class Measured(NamedTuple):
    """Exact sums over points."""

    sums: Int64  # (limbs, 1, d) of the grid's integers
    squares: Fraction | int  # the sum of (step q)^2 over all points and features
    lengths: Float64  # (n,) squared norms of the points in the frame


def measure(rows: DenseRows, step: Float64, scale: float, workers: Workers) -> Measured:
    """Sum points on a grid. step: (d,) of the grid; scale: of the frame (`bounds.scores.Frame`)."""
    kind, handed = rows.values.dtype, Handed(rows)
    lengths = np.empty(rows.n)
    if kind.kind in "ui" and kind.itemsize <= 2:
        whole = np.zeros((workers.count, rows.d), np.int64)
        squared = [0] * workers.count  # Python's integers, since the sum over all tasks may exceed 64 bits
        block = np.zeros((workers.count, rows.d), np.int32)

        def add(worker: int, first: int, end: int) -> None:
            squared[worker] += integer_totals[kind](handed, first, end, block[worker], whole[worker], lengths)

        workers.each(add, rows.n, max(1, min(_ROWS, _VALUES // rows.d)))
        return Measured(whole.sum(0)[np.newaxis, np.newaxis], sum(squared), lengths)
    sums = np.zeros((workers.count, 2, rows.d), np.int64)
    squares = np.zeros((workers.count, 6, rows.d), np.int64)  # three limbs of up to 62 bits, each split at 2^32

    def add_grid(worker: int, first: int, end: int) -> None:
        part = np.zeros((3, rows.d), np.int64)
        grid_totals[kind](handed, first, end, scale, sums[worker], part, lengths)
        squares[worker, :3] += part >> 32
        squares[worker, 3:] += part & 0xFFFFFFFF

    workers.each(add_grid, rows.n, _ROWS)
    a, b, c, e, f, g = squares.sum(0)
    return Measured(sums.sum(0)[:, np.newaxis], squares_of(np.stack([a, e, b, f, c, g]), step), lengths)


def two_float(exact: Fraction | int) -> Float64:
    """An exact number as high + low, (2,)."""
    high = float(exact)
    return np.array([high, float(exact - Fraction(high))])


@kernel
def extremes(x: DenseRows, first: i64, end: i64, least: Array[Point], most: Array[Point]) -> i64:
    """Update the least and greatest value of each column by the points first <= i < end.

    Returns the first row with a value that is not finite, or -1. least, most: (d,), in place.
    """
    whole = x.d - x.d % 16 if floating(Point) else 0
    for start in range(first, end, _FEW_ROWS):
        stop, bad = min(start + _FEW_ROWS, end), 0.0
        if floating(Point):
            for t in range(0, whole, 16):
                low, high, odd = load(least, t, 16), load(most, t, 16), splat(0.0, Point, 16)
                for i in range(start, stop):
                    value = load(x.values, i * x.d + t, 16)
                    low, high, odd = minimum(low, value), maximum(high, value), odd + (value - value)
                store(least, t, low)
                store(most, t, high)
                bad += f64(fold(odd))
        for i in range(start, stop):
            for t in range(whole, x.d):
                one = x.values[i * x.d + t]
                if floating(Point):
                    bad += f64(one - one)
                least[t], most[t] = min(least[t], one), max(most[t], one)
        if bad != 0.0:
            return _first_bad(x, start)
    return -1


@inner
def _first_bad(x: DenseRows, start: i64) -> i64:
    """The first row, from `start` on, with a value that is not finite; there is one."""
    if floating(Point):
        for at in range(start * x.d, x.n * x.d):
            if x.values[at] - x.values[at] != x.values[at] - x.values[at]:
                return at // x.d
    return -1


@kernel
def integer_totals(x: DenseRows, first: i64, end: i64, block: Array[i32], sums: Array[i64], lengths: Array[f64]) -> i64:
    """Add the columns of small integers to `sums`, (d,). Write the points' squared norms, and return their sum.

    A call takes at most 2^13 rows and 2^30 values, so that no sum overflows. block: (d,) zeros, work space. lengths:
    (n,) the squared norms.
    """
    squares = 0
    if small_integer(Point):
        for i in range(first, end):
            length = _length_and_sums(x.values + i * x.d, x.d, block)
            lengths[i] = f64(length)
            squares += length
        for t in range(x.d):
            sums[t] += i64(block[t])
            block[t] = 0
    return squares


@inner
def _length_and_sums(values: Array[Point], d: i64, sums: Array[i32]) -> i64:
    # The squared norm of a row, (d,). Its values are added to `sums`, (d,), in the same loop.
    total, whole = 0, d - d % 16 if size_of(Point) == 1 else 0
    for start in range(0, whole, _SQUARES):
        squares = splat(0, i32, 16)
        for t in range(start, min(start + _SQUARES, whole), 16):
            some = convert(load(values, t, 16), i32)
            store(sums, t, load(sums, t, 16) + some)
            squares = squares + some * some
        total += fold(convert(squares, i64))
    for t in range(whole, d):
        q = i64(values[t])
        sums[t] += i32(q)
        total += q * q
    return total


@kernel
def grid_totals(
    x: DenseRows, first: i64, end: i64, scale: f64, sums: Array[i64], squares: Array[i64], lengths: Array[f64]
) -> None:
    """Add up the grid's integers q and their squares, and write the points' squared norms in the frame.

    A call takes at most 2^13 points, so that no limb overflows. sums: (2, d), high and low limbs. squares: (3, d), the
    sums of a^2, 2ab and b^2 of q = a 2^24 + b. lengths: (n,).
    """
    if not small_integer(Point):
        d = x.d
        whole = d - d % 8
        for start in range(first, end, _GRID_ROWS):
            stop = min(start + _GRID_ROWS, end)
            for i in range(start, stop):
                lengths[i] = _length(x, i * d, whole) * scale * scale
            for t in range(0, whole, 8):
                _add_columns(x, start, stop, t, sums, squares)
        for i in range(first, end):
            for t in range(whole, d):
                q = integer(x, i * d + t, t)
                sums[t] += q >> 32
                sums[d + t] += q & 0xFFFFFFFF
                a, b = q >> 24, q & 0xFFFFFF
                squares[t] += a * a
                squares[d + t] += 2 * a * b
                squares[2 * d + t] += b * b


@inner
def _length(x: DenseRows, at: i64, whole: i64) -> f64:
    total = splat(0.0, f64, 8)
    for t in range(0, whole, 8):
        e = convert(load(x.values, at + t, 8), f64) - load(x.offset, t, 8)
        total = fma(e, e, total)
    length = fold(total)
    for t in range(whole, x.d):
        r = f64(x.values[at + t]) - x.offset[t]
        length += r * r
    return length


@inner
def _add_columns(x: DenseRows, start: i64, stop: i64, t: i64, sums: Array[i64], squares: Array[i64]) -> None:
    """Add up eight columns of some rows. sums: (2, d); squares: (3, d)."""
    d, zero, steps = x.d, load(x.offset, t, 8), load(x.per_step, t, 8)
    high, low = splat(0, i64, 8), splat(0, i64, 8)
    upper, across, lower = splat(0, i64, 8), splat(0, i64, 8), splat(0, i64, 8)
    for i in range(start, stop):
        e = convert(load(x.values, i * d + t, 8), f64)
        q = convert(np.rint((e - zero) * steps), i64)
        high, low = high + (q >> 32), low + (q & 0xFFFFFFFF)
        a, b = short(q >> 24), short(q & 0xFFFFFF)
        upper, lower = upper + a * a, lower + b * b
        across = across + a * b
    store(sums, t, load(sums, t, 8) + high)
    store(sums, d + t, load(sums, d + t, 8) + low)
    store(squares, t, load(squares, t, 8) + upper)
    store(squares, d + t, load(squares, d + t, 8) + across + across)
    store(squares, 2 * d + t, load(squares, 2 * d + t, 8) + lower)
