"""The exact sums of points by given labels, without an engine: `score` needs them for points that were not fitted."""

from __future__ import annotations

from contextlib import closing
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

_ROWS = 2**13  # rows a task, so that no sum overflows
_FEWEST, _TASKS = 2**8, 4  # rows a task if there are few, and tasks for each thread
_LOW = 0xFFFFFFFF
_SHARE = 2**18  # values for each further thread


class Labelled(NamedTuple):
    """Labels of points, and the sums from which the inertia is computed."""

    labels: Int32  # (n,)
    grid: Grid
    totals: Totals
    tally: Tally


def labelled(x: NDArray[Any], labels: Int32, k: int, *, threads: int | None = None) -> Labelled:
    """Add up points x, (n, d) C-contiguous and finite, by their labels, (n,), in k clusters.

    Raises
    ------
    DataError
        A point is too large to be squared.
    """
    n, d = x.shape
    integers, kernel = are_integers(x.dtype), add_labelled[x.dtype]
    most = 1 + (x.size + k * d) // _SHARE
    with closing(Workers(min(Workers(threads).count, most))) as workers:
        grid = grid_of(x.dtype, None if integers else ranges(x, workers), d)
        rows, helpers = Handed(dense_rows(x, grid)), workers.count
        sums, counts = np.zeros((helpers, 1 if integers else 2, k, d), np.int64), np.zeros((helpers, k), np.int64)
        squares = np.zeros((helpers, 3, 2, d), np.int64)
        added = np.zeros((helpers, 0 if integers else k, d), np.int64)

        def add(worker: int, first: int, end: int) -> None:
            part, to = np.zeros((3, d), np.int64), sums[worker, 0] if integers else added[worker]
            kernel(rows, first, end, labels, to, counts[worker], part)
            squares[worker, :, 0] += part >> 32
            squares[worker, :, 1] += part & _LOW
            if not integers:
                sums[worker, 0] += to >> 32
                sums[worker, 1] += to & _LOW
                to[:] = 0

        tasks = _TASKS * helpers if helpers > 1 else 1
        workers.each(add, n, min(_ROWS, max(_FEWEST, -(-n // tasks))))
    of_all = sums[0] if helpers == 1 else sums.sum(0)
    whole = two_float(squares_of(squares.sum(0).reshape(6, d), grid.step))
    return Labelled(labels, grid, Totals(of_all.sum(1, keepdims=True), whole, n), Tally(of_all, counts.sum(0)))
