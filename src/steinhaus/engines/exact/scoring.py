"""The exact sums of points by given labels, without an engine: `score` needs them for points that were not fitted."""

from __future__ import annotations

from contextlib import closing
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from steinhaus.engines.exact.batch_kernels import add_labelled
from steinhaus.engines.exact.grid import are_integers, grid_of, ranges
from steinhaus.engines.exact.rows import dense_rows
from steinhaus.engines.exact.squares import squares_of
from steinhaus.engines.exact.totals import two_float
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
    with closing(shared(x, k, threads)) as workers:
        of_all = None if are_integers(x.dtype) else ranges(x, workers)
        return added(x, labels, k, grid_of(x.dtype, of_all, x.shape[1]), workers)


def shared(x: NDArray[Any], k: int, threads: int | None) -> Workers:
    """As many threads as points x, (n, d), are enough for, with k clusters."""
    most = 1 + (x.size + k * x.shape[1]) // _SHARE
    return Workers(1 if most == 1 else min(Workers(threads).count, most))


def added(x: NDArray[Any], labels: Int32, k: int, grid: Grid, workers: Workers) -> Labelled:
    """Add up points x, (n, d), on a grid by their labels, (n,); see `labelled`."""
    (n, d), integers, kernel = x.shape, are_integers(x.dtype), add_labelled[x.dtype]
    rows, helpers = Handed(dense_rows(x, grid)), workers.count
    sums, counts = np.zeros((helpers, 1 if integers else 2, k, d), np.int64), np.zeros((helpers, k), np.int64)
    squares, part = np.zeros((helpers, 3, 2, d), np.int64), np.zeros((helpers, 3, d), np.int64)
    pending = np.zeros((helpers, 0 if integers else k, d), np.int64)

    def add(worker: int, first: int, end: int) -> None:
        to, squared = sums[worker, 0] if integers else pending[worker], part[worker]
        kernel(rows, first, end, labels, to, counts[worker], squared)
        squares[worker, :, 0] += squared >> 32
        squares[worker, :, 1] += squared & _LOW
        squared[:] = 0
        if not integers:
            sums[worker, 0] += to >> 32
            sums[worker, 1] += to & _LOW
            to[:] = 0

    tasks = _TASKS * helpers if helpers > 1 else 1
    workers.each(add, n, min(_ROWS, max(_FEWEST, -(-n // tasks))))
    of_all, of_squares = (sums[0], squares[0]) if helpers == 1 else (sums.sum(0), squares.sum(0))
    whole = two_float(squares_of(of_squares.reshape(6, d), grid.step))
    return Labelled(labels, grid, Totals(of_all.sum(1, keepdims=True), whole, n), Tally(of_all, counts.sum(0)))
