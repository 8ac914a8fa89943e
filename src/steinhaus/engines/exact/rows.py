"""The record by which kernels read points of an array, and the integers that stand for their values."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from steinhaus.jit.annotations import Array, Point, f64, i64
from steinhaus.jit.build import inlined
from steinhaus.jit.operations import convert, load, small_integer
from steinhaus.jit.types import I64x8, Number, i32
from steinhaus.points import Grid


class DenseRows(NamedTuple):
    """Points and their grid. The integer that stands for a value x is (x - offset) * per_step, rounded."""

    values: Array[Point]  # (n, d)
    n: i64
    d: i64
    offset: Array[f64]  # (d,)
    per_step: Array[f64]  # (d,)


def dense_rows(x: NDArray[Any], grid: Grid) -> DenseRows:
    """The record of points x, (n, d) C-contiguous, on a grid."""
    return DenseRows(x, *x.shape, grid.offset, 1.0 / grid.step)


@inlined
def integer(x: DenseRows, at: i64, t: i64) -> i64:
    """The integer that stands for the value at flat index `at`, of feature t."""
    if small_integer(Point):
        return i64(x.values[at])
    return i64(np.rint((f64(x.values[at]) - x.offset[t]) * x.per_step[t]))


@inlined
def eight_integers(x: DenseRows, at: i64, t: i64) -> I64x8:
    """`integer` for eight consecutive values and features. The points must not be small integers."""
    e = convert(load(x.values, at, 8), f64) - load(x.offset, t, 8)
    return convert(np.rint(e * load(x.per_step, t, 8)), i64)


@inlined
def short(q: Number) -> Number:
    """The same integers, if they fit into 32 bits. Processors multiply such integers several times as fast."""
    return convert(convert(q, i32), i64)
