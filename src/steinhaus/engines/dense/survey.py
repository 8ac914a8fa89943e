"""Measure an array of points before the first pass: its grid, totals, frame and tiles."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from steinhaus.engines.bounds.bytes import SAMPLE, Quantiser, quantiser_of
from steinhaus.engines.bounds.distances import settled_floor
from steinhaus.engines.bounds.rounding import norms_above, upward
from steinhaus.engines.bounds.scores import Frame
from steinhaus.engines.dense.factors import TILE
from steinhaus.engines.dense.records import Tiles
from steinhaus.engines.dense.whole import Halves, brought, grid_over, halves_of, whole_bytes
from steinhaus.engines.exact.grid import GRID_BITS, are_integers, ranges, unit_grid
from steinhaus.engines.exact.rows import dense_rows
from steinhaus.engines.exact.totals import Measured, measure, two_float
from steinhaus.engines.workers import Workers
from steinhaus.jit.target import takes_bytes
from steinhaus.points import Float64, Grid, Totals


class Survey(NamedTuple):
    """The measurements of an array of points."""

    x: NDArray[Any]  # (n, d) the points, or the same numbers as bytes
    halves: Halves | None  # converts sums of these bytes to the grid
    grid: Grid
    totals: Totals
    squares: Fraction | int  # `totals.squares` before it is rounded
    lengths: Float64  # (n,) squared norms in the frame
    frame: Frame


def survey(x: NDArray[Any], grid: Grid | None, workers: Workers) -> Survey:
    """Measure points x, (n, d), by reading them at most twice. Whole numbers from 0 to 255 become bytes.

    grid: the grid of all points, if these are a part of them and known to be finite.

    Raises
    ------
    DataError
        A point is not finite, or too large to be squared.
    """
    kind, halves = x.dtype, None
    if grid is None and (seen := whole_bytes(x, workers)) is not None:
        x = seen
    integers = are_integers(x.dtype)
    if grid is None:
        grid = unit_grid(x.shape[1]) if are_integers(kind) else grid_over(kind, ranges(x, workers))
    scale = 1.0 if integers else _scale_of(float(grid.step.max()), kind)
    measured = measure(dense_rows(x, grid), grid.step, scale, workers)
    frame = _frame_of(measured, unit_grid(x.shape[1]) if integers else grid, scale, x)
    sums, squares = measured.sums, measured.squares
    if x.dtype != kind:
        halves = halves_of(grid)
        sums, squares = brought(measured, len(x), halves)
    return Survey(x, halves, grid, Totals(sums, two_float(squares), len(x)), squares, measured.lengths, frame)


def _frame_of(measured: Measured, grid: Grid, scale: float, x: NDArray[Any]) -> Frame:
    """The frame of points x, (n, d), with the reference at about their mean."""
    limbs = measured.sums[:, 0].astype(np.float64)
    mean = (limbs[-1] if len(limbs) == 1 else limbs[0] * 2.0**32 + limbs[1]) / len(x)
    return Frame(grid.offset, scale, mean * grid.step * scale, not are_integers(x.dtype), takes_bytes(x.dtype))


def _scale_of(step: float, kind: np.dtype[Any]) -> float:
    """The scale of the frame for a grid whose largest step is `step`: a power of two by which points are about 1.

    Then float32 holds the points and their products. The scale is at least 2^-500, or 2^-120 for points of float32,
    whose scale is a float32. It is at most 2^120. Squares of values that float32 then holds are far from float64's
    underflow.
    """
    most = 120 if kind == np.float32 else 500  # points are below 2^480
    return float(2.0 ** -int(np.clip(np.frexp(step)[1] + GRID_BITS, -120, most)))


def sampled_quantiser(x: NDArray[Any], frame: Frame) -> Quantiser:
    """The quantiser for points of floats x, (n, d), from a sample; `NOT_ROUNDED` if they cannot be rounded to bytes."""
    some = np.linspace(0, len(x) - 1, min(len(x), SAMPLE)).astype(np.int64)
    return quantiser_of(frame, frame.place(x[some].astype(np.float64)))


def tiles_of(lengths: Float64, frame: Frame) -> Tiles:
    """The record of points in tiles in their own order, without directions. lengths: (n,) their squared norms."""
    n, d, tiles = len(lengths), len(frame.reference), -(-len(lengths) // TILE)
    order = np.minimum(np.arange(tiles * TILE), n - 1)
    placed = norms_above(lengths)[order]
    return Tiles(
        order=order,
        norms=placed,
        residuals=upward(placed.astype(np.float64) + frame.reach),
        projections=np.empty((tiles, 2, 0, 16), np.float32),
        p=0,
        reach=upward(np.array([frame.reach]))[0],
        floor=upward(np.array([settled_floor(d)]))[0],
        rounded_norms=placed,
    )
