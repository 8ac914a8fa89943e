"""Labels alone, in one pass: for points that are not fitted, and so need no grid, no sums and no cache.

Tiles of 32 points are screened by float32 products of all features, and what is close is settled, by the functions
and bounds of the engine in memory. The frame of floats is about the centroids, its unit the longest of them: o their
mean, m = 0. So a point that is not finite has no finite norm there, and the look at every value that finds such points
is the screen's own.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from steinhaus.engines import nearest_kernels
from steinhaus.engines.bounds.distances import settled_floor
from steinhaus.engines.bounds.rounding import SLACK, gamma, rowed, stretch, upward
from steinhaus.engines.bounds.scores import FAR, UNKNOWN, Basis, Frame, plain_floor, product_slope, rates
from steinhaus.engines.nearest_kernels import Sought
from steinhaus.engines.products import halved
from steinhaus.engines.records import TILE, Factors, Rows, Scores, factors_of
from steinhaus.engines.survey import are_integers
from steinhaus.engines.workers import Workers, available_cores
from steinhaus.errors import DataError
from steinhaus.handing import Handed
from steinhaus.points import Float64, Int32
from steinhaus.simd import takes_bytes

_FEATURES = 2**19  # a task: so many features of points


def nearest(x: NDArray[Any], centroids: Float64, *, threads: int | None = None) -> Int32:
    """The label of each point's nearest centroid, ties to the lowest: what a float64 brute force gives.

    Parameters
    ----------
    x
        (n, d) points of a real type, C-contiguous.
    centroids
        (k, d)
    threads
        Threads to use, the calling one included; None: one a core.

    Returns
    -------
    (n,) int32

    Raises
    ------
    DataError
        A point is not finite.
    """
    n, d = x.shape
    with np.errstate(all="ignore"):  # what overflows is settled
        frame = _frame(x.dtype, centroids)
        factors, plain, fine = _scores(frame, centroids)
    width = -(-d // 16) * 16
    rows = np.zeros((len(centroids), width), np.float32)
    rows[:, :d] = factors.rows
    kind = x.dtype if x.dtype.kind == "f" else np.dtype(np.float64)
    flat = x.reshape(-1).view()
    flat.flags.writeable = False  # one type of array for all callers, so that kernels are compiled once
    none = np.empty(0)
    points = Handed(
        Rows(
            flat, n, d, are_integers(x.dtype), frame.offset.astype(kind), kind.type(frame.scale), none, none,
            64 // x.itemsize, np.empty(0, np.float32),
        )
    )  # fmt: skip
    reach, floor = upward(np.array([frame.reach, settled_floor(d)]))
    sought = Handed(Sought(len(centroids), width, rows, factors, plain, fine, centroids, reach, floor, stretch(d)))
    labels = np.empty(n, np.int32)
    step = max(1, _FEATURES // (TILE * d)) * TILE
    workers = Workers(min(threads or available_cores(), -(-n // step)))
    bad = np.full(workers.count, n, np.int64)

    def label(worker: int, first: int, end: int) -> None:
        bad[worker] = min(bad[worker], nearest_kernels.label(points, sought, first, end, labels))

    workers.each(label, n, step)
    workers.close()
    if (row := int(bad.min())) < n:
        raise DataError(
            f"Points must be finite, but row {row} holds a value that is not. Remove the row, or replace it."
        )
    return labels


def _frame(kind: np.dtype[Any], centroids: Float64) -> Frame:
    """Small integers are seen as they are, everything else from the centroids' mean."""
    mean = centroids.mean(axis=0)
    if are_integers(kind):
        return Frame(np.zeros_like(mean), 1.0, mean, rounded=False, bytewise=takes_bytes(kind))
    offset = mean.astype(kind).astype(np.float64) if kind.kind == "f" else mean
    longest = float(np.sqrt(np.square(centroids - offset).sum(axis=1).max()))
    scale = 2.0 ** -int(np.clip(np.frexp(longest)[1], -120, 120)) if longest else 1.0
    return Frame(offset, scale, np.zeros_like(mean), rounded=True)


def _scores(frame: Frame, centroids: Float64) -> tuple[Factors, Scores, Scores]:
    """The centroids as factors; their scores by products as in `nearest_kernels`, and by those of single points."""
    k, d = centroids.shape
    factors = rates(frame, Basis(np.empty((d, 0), np.float32), 0.0))
    placed = frame.place(centroids)
    norms = np.sqrt(np.square(placed).sum(axis=1))
    near = norms < FAR
    placed, norms = np.where(near[:, np.newaxis], placed, 0.0), np.where(near, norms * SLACK, 0.0)
    half = placed @ frame.reference + np.square(placed).sum(axis=1) / 2.0
    floor = np.where(near, plain_floor.py_func(norms, half, factors), UNKNOWN)
    single = factors_of(k, d, frame.bytewise)
    single.rows[:] = placed
    rest = halved(placed, Handed(single)) if frame.bytewise else np.zeros(k)

    def scores(rate: float, rest: Float64) -> Scores:
        slope = product_slope.py_func(norms, rest, rate, factors)
        lag = np.zeros(k, np.float32)
        return Scores(single.rows, half.astype(np.float32), upward(slope), lag, upward(floor))

    return single, scores(factors.plain + gamma(rowed(d)), np.zeros(k)), scores(factors.fine, rest)
