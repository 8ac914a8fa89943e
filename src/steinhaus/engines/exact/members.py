"""The members of clusters: how far each is from its centroid, and what they add up to."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steinhaus.engines.exact.distances import own_distances
from steinhaus.engines.exact.grid import unit_grid
from steinhaus.engines.exact.members_kernels import add_columns
from steinhaus.engines.exact.rows import dense_rows
from steinhaus.engines.workers import Workers
from steinhaus.jit.handed import Handed
from steinhaus.points import Float64, Int32

_ROWS = 512  # a task
_LINE = 64  # columns: what two threads write to lies in different lines of the cache


def distances_to_own(x: NDArray[Any], labels: Int32, centroids: Float64, *, threads: int | None = None) -> Float64:
    """The distance of each point, (n, d) C-contiguous, to the centroid of its label, (n,) float64.

    It is the root of the squared distance that decides labels.
    """
    out = np.empty(len(x))
    rows, measure = Handed(dense_rows(x, unit_grid(x.shape[1]))), own_distances[x.dtype]
    with closing(Workers(threads)) as workers:
        workers.each(lambda _, first, end: measure(rows, first, end, labels, centroids, out), len(x), _ROWS)
    return np.sqrt(out, out=out)


def add_members(sums: Float64, x: NDArray[Any], labels: Int32, weights: Float64, *, threads: int | None = None) -> None:
    """Add each row, (n, d) C-contiguous, times its weight, (n,), to the sums of its label, (k, d), in place.

    Threads share out the columns, and rows are added in their order, so that the bits are always the same.
    """
    (n, d), add = x.shape, add_columns[x.dtype]
    with closing(Workers(threads)) as workers:
        step = max(_LINE, -(-d // workers.count // _LINE) * _LINE)
        workers.each(lambda _, first, end: add(x, n, d, first, end, labels, weights, sums), d, step)
