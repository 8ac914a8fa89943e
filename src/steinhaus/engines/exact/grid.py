"""The grid of exact sums. On a grid, an integer stands for each value of a point."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steinhaus.engines.exact.rows import dense_rows
from steinhaus.engines.exact.totals import extremes
from steinhaus.engines.workers import Workers
from steinhaus.errors import DataError
from steinhaus.jit.handed import Handed
from steinhaus.points import Float64, Grid, Int64

GRID_BITS = 48  # a column's values are at most 2^48 steps away from its offset
_ROWS = 2**13  # rows a task
_SHARE = 2**16  # values a task, because a thread takes longer to start than to read so few
_FEW = 2**8  # values: NumPy finds the range of so few in less time than it takes to call a kernel
_LARGEST = 2.0**480  # beyond, squares overflow float64


def are_integers(dtype: np.dtype[Any]) -> bool:
    """Whether points of this type need no grid: they are integers whose squares can be summed in int64."""
    return dtype.kind in "ui" and dtype.itemsize <= 2


def unit_grid(d: int) -> Grid:
    """The grid of small integers: offset 0 and step 1 in each of d columns."""
    return Grid(np.zeros(d), np.ones(d))


@dataclass(frozen=True)
class Ranges:
    """The least and greatest value of each column, and the first value that is not finite."""

    least: NDArray[Any]  # (d,) of the points' type
    most: NDArray[Any]  # (d,) of the points' type
    bad: tuple[int, int, float] | None = None  # row, column and value; None: all are finite

    def __add__(self, other: Ranges) -> Ranges:
        """The ranges of both sets of points together."""
        return Ranges(np.minimum(self.least, other.least), np.maximum(self.most, other.most), self.bad or other.bad)


def ranges(x: NDArray[Any], workers: Workers) -> Ranges:
    """The least and greatest value of each column of points x, (n, d)."""
    n, d = x.shape
    if x.size <= _FEW:
        least, most = x.min(axis=0), x.max(axis=0)
        if np.isfinite(least).all() and np.isfinite(most).all():
            return Ranges(least, most)
    rows = Handed(dense_rows(x, unit_grid(d)))
    least = np.repeat(x[:1], workers.count, axis=0)
    most = least.copy()
    bad = np.full(workers.count, n, np.int64)

    def look(worker: int, first: int, end: int) -> None:
        if (row := extremes[x.dtype](rows, first, end, least[worker], most[worker])) >= 0:
            bad[worker] = min(bad[worker], row)

    workers.each(look, n, max(1, min(_ROWS, max(-(-n // workers.count), _SHARE // d))))
    return ranges_of(x, least, most, bad)


def ranges_of(x: NDArray[Any], least: NDArray[Any], most: NDArray[Any], bad: Int64) -> Ranges:
    """The ranges that threads found. least, most: (threads, d); bad: (threads,) rows that are not finite; n: none."""
    low, high = (least[0], most[0]) if len(bad) == 1 else (least.min(0), most.max(0))
    if (row := int(bad.min())) < len(x):
        column = int(np.flatnonzero(~np.isfinite(x[row]))[0])
        return Ranges(low, high, (row, column, float(x[row, column])))
    return Ranges(low, high)


def grid_of(dtype: np.dtype[Any], ranges: Ranges | None, d: int) -> Grid:
    """The grid of points of a type with these ranges. Small integers need no ranges: their grid is `unit_grid`.

    The offset of a column is the middle of its range. Its step is the power of two that puts all values within 2^48
    steps of the offset.

    Raises
    ------
    DataError
        A point is not finite, or too large to be squared.
    """
    if ranges is None:
        return unit_grid(d)
    if ranges.bad:
        row, column, value = ranges.bad
        raise DataError(
            f"Points must be finite, but row {row}, column {column} holds {value}. Remove the row, or replace the "
            "value."
        )
    low, high = ranges.least.astype(np.float64), ranges.most.astype(np.float64)
    offset = low / 2 + high / 2
    if dtype.kind == "f":
        offset = offset.astype(dtype).astype(np.float64)
    return Grid(offset, steps(np.maximum(-low, high), np.maximum(high - offset, offset - low)))


def steps(largest: Float64, reach: Float64) -> Float64:
    """The steps of the grid, (d,): powers of two by which all values are within 2^48 steps of the offset.

    A step is at least 2^-500, so that its square is far from underflow. Values that are closer share an integer.

    largest: (d,) the largest magnitude in each column; DataError if one is too large to be squared. reach: (d,) how far
    the values of each column are from its offset at most.
    """
    if (most := float(largest.max())) > _LARGEST:
        raise DataError(f"Points must be below 2^480 in magnitude, but one holds {most:.3g}. Scale them down.")
    exponent = np.where(reach > 0, np.frexp(reach)[1] - GRID_BITS, -GRID_BITS)
    return np.ldexp(1.0, np.maximum(exponent, -500))
