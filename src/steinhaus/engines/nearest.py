"""Labels alone, in one pass: for floats that are not fitted, and so need no grid, no sums and no cache.

They are screened by scores from BLAS, s_j = x . e_j - h_j in the type of the rows, with e_j = c_j - m, m the mean
of the centroids and h_j = (|c_j|^2 - |m|^2) / 2; what is close is settled by `kernels.squared_distance`, as
everywhere. In units u of the type, a score is off by at most |x| |e_j| (gamma_d + 2 u) + 2 u |h_j| and products of
these, in any order of summation (N. J. Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed. 2002, section
3.1), and by what underflows; the squared distances by gamma_(d + 3) of themselves, which is at most gamma_(d + 3)
(|x| + |c_j|)^2, and a gap of g between scores is one of 2 g between them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from steinhaus.engines import dense_kernels
from steinhaus.engines.blas import blas_threads
from steinhaus.engines.screening import SLACK, float64_floor, gamma
from steinhaus.engines.weighted import dense_rows
from steinhaus.engines.workers import Workers
from steinhaus.points import Float64, Grid, Int32

_SCORES = 2**22  # at a time
_STEP = 512  # points a task


def nearest(x: NDArray[np.floating[Any]], centroids: Float64, *, threads: int | None = None) -> Int32:
    """The label of each point's nearest centroid, ties to the lowest: what a float64 brute force gives.

    Parameters
    ----------
    x
        (n, d) points, float32 or float64, C-contiguous, finite.
    centroids
        (k, d)
    threads
        Threads to use, the calling one included; None: one a core.

    Returns
    -------
    (n,) int32
    """
    n, d = x.shape
    mean = centroids.mean(axis=0)
    rows = centroids - mean
    half = rows @ mean + np.square(rows).sum(axis=1) / 2.0
    with np.errstate(over="ignore"):
        across, offsets = np.ascontiguousarray(rows.T, x.dtype), half.astype(x.dtype)
    view = dense_rows(x, Grid(np.zeros(d), np.ones(d)))
    bounds = _bounds(x.dtype, rows, half, centroids)
    labels = np.empty(n, np.int32)
    workers = Workers(threads)
    block = max(_STEP, _SCORES // len(centroids))
    with blas_threads(workers.count if threads else None), np.errstate(all="ignore"):
        for start in range(0, n, block):
            scores = x[start : start + block] @ across - offsets

            def settle(_: int, first: int, end: int, scores: Any = scores, start: int = start) -> None:
                dense_kernels.settle(view, start, first, end, scores, bounds, centroids, labels)

            workers.each(settle, len(scores), _STEP)
    workers.close()
    return labels


def _bounds(kind: np.dtype[Any], rows: Float64, half: Float64, centroids: Float64) -> dense_kernels.Bounds:
    d = rows.shape[1]
    unit, tiny = float(np.finfo(kind).eps) / 2, float(np.finfo(kind).tiny)
    longest = float(np.sqrt(np.square(rows).sum(axis=1).max())) * SLACK
    highest = float(np.abs(half).max())
    safe = highest < float(np.finfo(kind).max) / 16
    return dense_kernels.Bounds(
        slope=(longest * (gamma(d, unit) + 4 * unit) + d * tiny) * SLACK,
        constant=4 * unit * highest + d * tiny * (1.0 + longest),
        floor=float64_floor(d),
        reach=float(np.sqrt(np.square(centroids).sum(axis=1).max())) * SLACK,
        largest=float(np.finfo(kind).max) / (16 * max(longest, tiny)) if safe else 0.0,
    )
