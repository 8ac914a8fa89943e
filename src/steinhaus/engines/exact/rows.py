"""Points that stand in an array, as kernels read them: on the grid of their exact sums."""

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
    """The points, and their grid: the integers are (x - offset) * per_step."""

    values: Array[Point]  # (n, d)
    n: i64
    d: i64
    offset: Array[f64]  # (d,)
    per_step: Array[f64]  # (d,)


def dense_rows(x: NDArray[Any], grid: Grid) -> DenseRows:
    """Points in memory, (n, d) C-contiguous, on a grid."""
    return DenseRows(x, *x.shape, grid.offset, 1.0 / grid.step)


@inlined
def integer(x: DenseRows, at: i64, t: i64) -> i64:
    """The grid's integer of the value at a flat index, of feature t."""
    if small_integer(Point):
        return i64(x.values[at])
    return i64(np.rint((f64(x.values[at]) - x.offset[t]) * x.per_step[t]))


@inlined
def eight_integers(x: DenseRows, at: i64, t: i64) -> I64x8:
    """The same of eight values and features from these on, where the points are no small integers."""
    e = convert(load(x.values, at, 8), f64) - load(x.offset, t, 8)
    return convert(np.rint(e * load(x.per_step, t, 8)), i64)


@inlined
def short(q: Number) -> Number:
    """The same integers, of 32 bits at most: processors multiply these several times as fast."""
    return convert(convert(q, i32), i64)
