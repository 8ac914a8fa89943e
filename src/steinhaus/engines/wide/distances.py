"""Distances of few points of many features, and the labels that follow from them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from steinhaus.engines.exact.grid import unit_grid
from steinhaus.engines.exact.rows import dense_rows
from steinhaus.engines.wide import kernels
from steinhaus.engines.wide.policy import step
from steinhaus.engines.workers import Workers
from steinhaus.errors import DataError
from steinhaus.jit.handed import Handed
from steinhaus.points import Float64, Int32


def squared_distances(x: NDArray[Any], points: Handed, rows: Float64, workers: Workers) -> Float64:
    """The squared distances of points x, (n, d), to rows, (m, d) -> (m, n) float64. points: the record of x."""
    (n, d), m, measure = x.shape, len(rows), kernels.distances[x.dtype]
    out = np.empty((m, n))

    def find(_: int, first: int, end: int) -> None:
        measure(points, first, end, rows, m, np.empty(kernels.POINTS * m * 16), out)

    workers.each(find, n, step(m * d, kernels.POINTS))
    return out


def nearest(x: NDArray[Any], centroids: Float64, *, threads: int | None = None) -> Int32:
    """The nearest centroid of each point of x, (n, d): (n,). Ties go to the lowest. centroids: (k, d).

    See `engines.nearest`.
    """
    workers = Workers(threads)
    table = squared_distances(x, Handed(dense_rows(x, unit_grid(x.shape[1]))), centroids, workers)
    workers.close()
    if not np.isfinite(table).all() and len(bad := np.flatnonzero(~np.isfinite(x).all(axis=1))):
        raise DataError(
            f"Points must be finite, but row {bad[0]} holds a value that is not. Remove the row, or replace it."
        )
    labels: Int32 = table.argmin(axis=0).astype(np.int32)
    return labels
