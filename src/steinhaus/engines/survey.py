"""What is learnt of an array of points before the first pass: that it is finite, its grid, its totals, its frame."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steinhaus.engines import counting
from steinhaus.engines.bounds.scores import Frame
from steinhaus.engines.records import Rows
from steinhaus.engines.workers import Workers
from steinhaus.errors import DataError
from steinhaus.points import Float64, Grid, Int64, Totals
from steinhaus.simd import takes_bytes

_GRID_BITS = 48  # a column's values are at most this many bits of its grid's step away from its offset
_ROWS = 2**13  # rows a task: no limb of `counting.grid_totals` overflows
_LARGEST = 2.0**480  # beyond, squares overflow float64


def are_integers(dtype: np.dtype[Any]) -> bool:
    """Whether points of this type are their own grid: integers whose squares can be summed in int64."""
    return dtype.kind in "ui" and dtype.itemsize <= 2


@dataclass(frozen=True)
class Survey:
    """The points' grid and totals for `Points`, and what kernels need to read a row on that grid or in that frame."""

    grid: Grid
    totals: Totals
    squares: Fraction | int  # what `totals.squares` is rounded from
    frame: Frame
    rows: Rows
    lengths: Float64  # (n,) squared norms of the points in the frame


@dataclass(frozen=True)
class Ranges:
    """What points spread over, or where the first one is that is not finite."""

    least: NDArray[Any]  # (d,) of the points' type
    most: NDArray[Any]
    bad: tuple[int, int, float] | None = None  # row, column, value

    def __add__(self, other: Ranges) -> Ranges:
        """The ranges of both."""
        return Ranges(np.minimum(self.least, other.least), np.maximum(self.most, other.most), self.bad or other.bad)


def survey(x: NDArray[Any], workers: Workers, grid: Grid | None = None) -> Survey:
    """Read the points (n, d) twice at most; DataError where one is not finite or too large to be squared.

    grid: that of the whole, where these points are a part of it, and known to be finite.
    """
    integers = are_integers(x.dtype)
    grid = grid or grid_of(x.dtype, None if integers else ranges(x, workers), x.shape[1])
    per_step = 1.0 / grid.step
    kind = x.dtype if x.dtype.kind == "f" else np.dtype(np.float64)
    scale = 1.0 if integers else _scale_of(float(grid.step.max()), kind)
    flat = x.reshape(-1).view()
    flat.flags.writeable = False  # one type of array for all callers, so that kernels are compiled once
    n, d = x.shape
    offset, line = grid.offset.astype(kind), 64 // x.itemsize
    reference = np.zeros(d, np.float32)  # not known yet
    rows = Rows(flat, n, d, integers, offset, kind.type(scale), grid.offset, per_step, line, reference)
    lengths = np.empty(len(x))
    sums, squares = (_integer_totals if integers else _grid_totals)(rows, grid, workers, lengths)
    totals = Totals(sums, two_float(squares), len(x))
    limbs = totals.sums[:, 0].astype(np.float64)
    mean = (limbs[-1] if len(limbs) == 1 else limbs[0] * 2.0**32 + limbs[1]) / totals.n
    frame = Frame(grid.offset, scale, mean * grid.step * scale, not integers, takes_bytes(x.dtype))
    reference[:] = frame.reference
    return Survey(grid, totals, squares, frame, rows, lengths)


def _scale_of(step: float, kind: np.dtype[Any]) -> float:
    """The frame's scale for a grid whose largest step this is, a power of two: points are about 1 there, so that
    float32 holds them and products with them.

    At most 2^120: the squares of what float32 then holds at all are far from float64's underflow. At least 2^-120 for
    points of float32, whose scale is a float32 itself.
    """
    most = 120 if kind == np.float32 else 500  # points are below 2^480
    return float(2.0 ** -int(np.clip(np.frexp(step)[1] + _GRID_BITS, -120, most)))


def ranges(x: NDArray[Any], workers: Workers) -> Ranges:
    """Least and greatest value of each column."""
    n, d = x.shape
    flat = x.reshape(-1)
    least = np.repeat(x[:1], workers.count, axis=0)
    most = least.copy()
    bad = np.full(workers.count, n, np.int64)

    def look(worker: int, first: int, end: int) -> None:
        if (row := counting.ranges(flat, d, first, end, least[worker], most[worker])) >= 0:
            bad[worker] = min(bad[worker], row)

    workers.each(look, n, _ROWS)
    if (row := int(bad.min())) < n:
        column = int(np.flatnonzero(~np.isfinite(x[row]))[0])
        return Ranges(least.min(0), most.max(0), (row, column, float(x[row, column])))
    return Ranges(least.min(0), most.max(0))


def grid_of(dtype: np.dtype[Any], ranges: Ranges | None, d: int) -> Grid:
    """The grid of points of a type and of these ranges; small integers are their own grid, and need none.

    A column's offset is the middle of its range, its step the power of two that puts its values within 2^48 steps.
    """
    if ranges is None:
        return Grid(np.zeros(d), np.ones(d))
    if ranges.bad:
        row, column, value = ranges.bad
        raise DataError(
            f"Points must be finite, but row {row}, column {column} holds {value}. Remove the row, or replace the "
            "value."
        )
    low, high = ranges.least.astype(np.float64), ranges.most.astype(np.float64)
    if (largest := float(np.maximum(-low, high).max())) > _LARGEST:
        raise DataError(f"Points must be below 2^480 in magnitude, but one holds {largest:.3g}. Scale them down.")
    offset = low / 2 + high / 2
    if dtype.kind == "f":
        offset = offset.astype(dtype).astype(np.float64)
    half = np.maximum(high - offset, offset - low)
    exponent = np.where(half > 0, np.frexp(half)[1] - _GRID_BITS, -_GRID_BITS)
    return Grid(offset, np.ldexp(1.0, np.maximum(exponent, -500)))


def _integer_totals(rows: Rows, grid: Grid, workers: Workers, lengths: Float64) -> tuple[Int64, int]:
    sums = np.zeros((workers.count, rows.d), np.int64)
    squares = np.zeros(workers.count, np.int64)

    def add(worker: int, first: int, end: int) -> None:
        squares[worker] += counting.integer_totals(rows, first, end, sums[worker], lengths)

    workers.each(add, rows.n, _ROWS)
    return sums.sum(0)[np.newaxis, np.newaxis], sum(squares.tolist())


def _grid_totals(rows: Rows, grid: Grid, workers: Workers, lengths: Float64) -> tuple[Int64, Fraction]:
    sums = np.zeros((workers.count, 2, rows.d), np.int64)
    squares = np.zeros((workers.count, 6, rows.d), np.int64)  # three limbs of up to 62 bits, each split at 2^32

    def add(worker: int, first: int, end: int) -> None:
        part = np.zeros((3, rows.d), np.int64)
        counting.grid_totals(rows, first, end, sums[worker], part, lengths)
        squares[worker, :3] += part >> 32
        squares[worker, 3:] += part & 0xFFFFFFFF

    workers.each(add, rows.n, _ROWS)
    a, b, c, e, f, g = squares.sum(0).astype(object)
    columns = (a << 80) + (e << 48) + (b << 56) + (f << 24) + (c << 32) + g
    scales = (Fraction(step) ** 2 for step in grid.step.tolist())
    exact = sum((column * scale for column, scale in zip(columns, scales, strict=True)), Fraction(0))
    return sums.sum(0)[:, np.newaxis], exact


def two_float(exact: Fraction | int) -> Float64:
    """An exact number as high + low, (2,)."""
    high = float(exact)
    return np.array([high, float(exact - Fraction(high))])
