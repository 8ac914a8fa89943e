"""Batches of points: each call labels some rows and adds them up exactly. No state is kept between calls.

The grid is that of all points, so a batch needs no ranges of its own.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from steinhaus.engines.dense.predict import nearest
from steinhaus.engines.exact.batch_kernels import add_batch
from steinhaus.engines.exact.grid import are_integers, grid_of, ranges
from steinhaus.engines.exact.rows import dense_rows
from steinhaus.engines.workers import Workers
from steinhaus.jit.handed import Handed
from steinhaus.points import Float64, Int64, Tally

_SCREENED = 2**23  # points times centroids times features: above this, screens save more than they cost
_SHARE = 2**20  # points times centroids times features for each thread


class Batches:
    """(n, d) points in memory for mini-batches, without weights.

    Parameters
    ----------
    x
        (n, d) array of a real type, C-contiguous.
    threads
        Threads to use, the calling one included; None: one a core. Results are the same.

    Attributes
    ----------
    grid
        The grid of the sums.

    Raises
    ------
    DataError
        A point is not finite, or too large to be squared.
    """

    def __init__(self, x: NDArray[Any], *, threads: int | None = None) -> None:
        self._x, self._threads = x, threads
        self._integers = are_integers(x.dtype)
        self._workers = Workers(threads)  # its threads end with it
        self.grid = grid_of(x.dtype, None if self._integers else ranges(x, self._workers), x.shape[1])
        self._rows = Handed(dense_rows(x, self.grid))
        self._kernel = add_batch[x.dtype]

    def add(self, rows: Int64, centroids: Float64) -> tuple[Tally, float]:
        """Label some of the points and add them up.

        Parameters
        ----------
        rows
            (m,) the points. A point that stands several times counts as often.
        centroids
            (k, d)

        Returns
        -------
        Tally
            Without `farthest`.
        float
            The inertia of the labels with these centroids.
        """
        m, (k, d) = len(rows), centroids.shape
        labels, distances = np.empty(m, np.int32), np.empty(m)
        screened = m * k * d > _SCREENED
        if screened:
            labels = nearest(self._x[rows], centroids, threads=self._threads)
        step = max(-(-m // self._workers.count), _SHARE // ((1 if screened else k) * d), 1)
        parts = -(-m // step)
        sums, counts = np.zeros((parts, 1 if self._integers else 2, k, d), np.int64), np.zeros((parts, k), np.int64)

        def add(_: int, first: int, end: int) -> None:
            self._kernel(
                self._rows,
                rows[first:end],
                end - first,
                centroids,
                0 if screened else k,
                labels[first:end],
                distances[first:end],
                k * d,
                sums[first // step],
                counts[first // step],
            )

        self._workers.each(add, m, step)
        tally = Tally(*((sums[0], counts[0]) if parts == 1 else (sums.sum(0), counts.sum(0))))
        return tally, float(np.cumsum(distances)[-1])  # a cumulative sum has the same order with every NumPy
