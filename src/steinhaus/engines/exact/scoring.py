"""The exact sums of points by given labels, without an engine: `score` needs them for points that were not fitted."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from steinhaus.engines.exact.batch_kernels import add_labelled
from steinhaus.engines.exact.grid import are_integers, grid_of, ranges
from steinhaus.engines.exact.rows import dense_rows
from steinhaus.engines.exact.totals import squares_of, two_float
from steinhaus.engines.workers import Workers
from steinhaus.jit.handed import Handed
from steinhaus.points import Grid, Int32, Tally, Totals

_ROWS = 2**13  # rows a call, so that no limb overflows


class Labelled(NamedTuple):
    """Labels of points, and the sums from which the inertia is computed."""

    labels: Int32  # (n,)
    grid: Grid
    totals: Totals
    tally: Tally


def labelled(x: NDArray[Any], labels: Int32, k: int) -> Labelled:
    """Add up a few points x, (n, d) C-contiguous and finite, by their labels, (n,), in k clusters.

    Raises
    ------
    DataError
        A point is too large to be squared.
    """
    n, d = x.shape
    integers, kernel = are_integers(x.dtype), add_labelled[x.dtype]
    grid = grid_of(x.dtype, None if integers else ranges(x, Workers(1)), d)
    rows = Handed(dense_rows(x, grid))
    sums, counts = np.zeros((1 if integers else 2, k, d), np.int64), np.zeros(k, np.int64)
    squares = np.zeros((3, 2, d), np.int64)
    for first in range(0, n, _ROWS):
        part = np.zeros((3, d), np.int64)
        kernel(rows, first, min(first + _ROWS, n), labels, k * d, sums, counts, part)
        squares[:, 0] += part >> 32
        squares[:, 1] += part & 0xFFFFFFFF
    whole = two_float(squares_of(squares.reshape(6, d), grid.step))
    return Labelled(labels, grid, Totals(sums.sum(1, keepdims=True), whole, n), Tally(sums, counts))
