"""Kernels that scale rows to unit length."""

from __future__ import annotations

import numpy as np

from steinhaus.jit.build import inlined, inner, kernel
from steinhaus.jit.declared import unroll
from steinhaus.jit.operations import convert, local
from steinhaus.jit.types import Array, Origin, Point, f64, i64, literal

INFINITY = float("inf")
SMALLEST = 2.0**-900  # underflow of d < 2^60 terms takes less than 2^-114 of a sum of squares above this
_ROWS = 8  # rows at once: each addition waits for the one before, so the eight sums fill the time


@kernel
def scale(x: Array[Point], first: i64, end: i64, d: i64, out: Array[Origin]) -> None:
    """Divide the rows first <= i < end by their lengths. x: (n, d); out: (n, d)."""
    whole = end - (end - first) % _ROWS
    for i in range(first, whole, _ROWS):
        _scale(_ROWS, x + i * d, d, out + i * d)
    for i in range(whole, end):
        _scale(1, x + i * d, d, out + i * d)


@inlined
def _scale(rows: literal, x: Array[Point], d: i64, out: Array[Origin]) -> None:
    # x: (rows, d); out: (rows, d).
    lengths = local(f64, _ROWS)
    for row in unroll(rows):
        lengths[row] = 0.0
    for t in range(d):
        for row in unroll(rows):
            value = f64(x[row * d + t])
            lengths[row] += value * value
    for row in unroll(rows):
        if lengths[row] > SMALLEST and lengths[row] < INFINITY:
            length = np.sqrt(lengths[row])
            for t in range(row * d, row * d + d):
                out[t] = convert(f64(x[t]) / length, Origin)
        else:
            _scale_by_largest(x + row * d, d, out + row * d)


@inner
def _scale_by_largest(x: Array[Point], d: i64, out: Array[Origin]) -> None:
    """Scale a row whose squares overflow or underflow: divide by its largest value first. Rows of zeros stay zeros.

    x: (d,); out: (d,).
    """
    largest, square = 0.0, 0.0
    for t in range(d):
        largest = max(largest, abs(f64(x[t])))
    scaled = largest > 0.0 and largest < INFINITY
    if scaled:
        for t in range(d):
            share = f64(x[t]) / largest
            square += share * share
    length = np.sqrt(square)
    for t in range(d):
        if scaled:
            out[t] = convert(f64(x[t]) / largest / length, Origin)
        else:
            out[t] = convert(x[t], Origin)
