"""Labels and distances of points that were not fitted. Each tile is read once, and nothing is computed in advance."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steinhaus.engines.compact import predict_kernels
from steinhaus.engines.compact.held import sites_of
from steinhaus.engines.compact.policy import step
from steinhaus.engines.compact.records import GROUP, TILE
from steinhaus.engines.exact import scoring
from steinhaus.engines.exact.grid import are_integers, grid_of, ranges_of, unit_grid
from steinhaus.engines.exact.rows import dense_rows
from steinhaus.engines.exact.scoring import Labelled
from steinhaus.engines.workers import Workers
from steinhaus.errors import DataError
from steinhaus.jit.handed import Handed
from steinhaus.points import Float64, Int32
from steinhaus.resources import available_cores

_SHARE = 2**21  # products for each further thread
_ADDED = 8  # adding a value up takes as long as so many products


def nearest(x: NDArray[Any], centroids: Float64, *, threads: int | None = None) -> Int32:
    """The nearest centroid of each point of x, (n, d) -> (n,). Ties go to the lowest. centroids: (k, d).

    See `engines.nearest`.
    """
    (n, d), k = x.shape, len(centroids)
    tiles, kernel = -(-n // TILE), predict_kernels.label[x.dtype]
    labels, sites = np.empty(tiles * TILE, np.int32), sites_of(centroids)

    def label(_: int, first: int, end: int) -> None:
        tile = np.empty((d, TILE), x.dtype)
        if kernel(x, n, d, first, end, sites, k, tile, labels):
            row = first * TILE + int(np.flatnonzero(~np.isfinite(x[first * TILE : end * TILE]).all(axis=1))[0])
            raise DataError(
                f"Points must be finite, but row {row} holds a value that is not. Remove the row, or replace it."
            )

    workers = _workers(threads, x.size * k)
    workers.each(label, tiles, step(d, k, TILE))
    workers.close()
    return labels[:n]


def labelled(x: NDArray[Any], centroids: Float64, *, threads: int | None = None) -> Labelled:
    """The labels of `nearest`, and the exact sums of the points by them. Points are read twice.

    See `engines.labelled`. x: (n, d); centroids: (k, d).
    """
    (n, d), k = x.shape, len(centroids)
    if are_integers(x.dtype):
        return scoring.labelled(x, nearest(x, centroids, threads=threads), k, threads=threads)
    tiles, survey, rows = -(-n // TILE), predict_kernels.survey[x.dtype], Handed(dense_rows(x, unit_grid(d)))
    labels, sites = np.empty(tiles * TILE, np.int32), sites_of(centroids)
    with closing(_workers(threads, x.size * (k + _ADDED) // 4)) as workers:
        least = np.repeat(x[:1], workers.count, axis=0)
        most, bad = least.copy(), np.full(workers.count, n, np.int64)

        def look(worker: int, first: int, end: int) -> None:
            tile = np.empty((d, TILE), x.dtype)
            row = survey(rows, first, end, sites, k, tile, labels, least[worker], most[worker])
            if row >= 0:
                bad[worker] = min(bad[worker], row)

        workers.each(look, tiles, step(d, k, TILE))
        grid = grid_of(x.dtype, ranges_of(x, least, most, bad), d)
        return scoring.added(x, labels[:n], k, grid, workers)


def distances(x: NDArray[Any], rows: Float64, *, threads: int | None = None) -> Float64:
    """The Euclidean distances of points x, (n, d), of few features, to rows, (m, d) -> (n, m) float64."""
    (n, d), m = x.shape, len(rows)
    wide, kernel = -(-m // GROUP) * GROUP, predict_kernels.measure[x.dtype]
    across, out = np.zeros((d, wide)), np.empty((n, m))
    across[:, :m] = rows.T

    def measure(_: int, first: int, end: int) -> None:
        kernel(x, d, first, end, across, m, wide, np.empty(GROUP), out)

    workers = _workers(threads, x.size * m)
    workers.each(measure, n, step(d, m, 1))
    workers.close()
    return out


def _workers(threads: int | None, work: int) -> Workers:
    """At most as many threads as the work, in products, is enough for."""
    most = 1 + work // _SHARE
    return Workers(min(threads or available_cores(), most) if most > 1 else 1)
