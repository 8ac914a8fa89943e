"""Labels of points that are not fitted, in one pass. They need no grid, no sums and no state.

Tiles of 32 points are screened by products of all features in float32. Close points are settled. Functions and bounds
are those of a fit's pass. For floats, the frame has the mean of the centroids as its origin, and the longest centroid
as its unit; m = 0. A point with a value that is not finite has no finite norm in this frame. So the screen finds such
points without reading the values once more.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from steinhaus.engines.bounds.distances import settled_floor
from steinhaus.engines.bounds.rounding import SLACK, stretch, upward
from steinhaus.engines.bounds.scores import FAR, UNKNOWN, Basis, Frame, plain_floor, product_slope, rates
from steinhaus.engines.dense import predict_kernels
from steinhaus.engines.dense.factors import TILE, Factors, Scores, apart, factors_of
from steinhaus.engines.dense.lanes import readers
from steinhaus.engines.dense.predict_kernels import Sought
from steinhaus.engines.dense.products import halve_rows
from steinhaus.engines.dense.records import Framed, Tiles, scratch_of
from steinhaus.engines.exact.grid import are_integers, unit_grid
from steinhaus.engines.exact.rows import dense_rows
from steinhaus.engines.workers import Workers
from steinhaus.errors import DataError
from steinhaus.jit.handed import Handed
from steinhaus.jit.target import takes_bytes
from steinhaus.points import Float64, Int32
from steinhaus.resources import available_cores

_FEATURES = 2**19  # values of points in a task


def nearest(x: NDArray[Any], centroids: Float64, *, threads: int | None = None) -> Int32:
    """The nearest centroid of each point of x, (n, d) -> (n,). Ties go to the lowest. centroids: (k, d).

    See `engines.nearest`.
    """
    n, d = x.shape
    k = len(centroids)
    with np.errstate(all="ignore"):  # scores that overflow are settled
        frame = _frame(x.dtype, centroids)
        factors, plain, single = scores_of(frame, centroids)
    points = Handed(framed(x, frame))
    readers_ = Handed(readers(x.dtype))
    reach, floor = upward(np.array([frame.reach, settled_floor(d)]))
    labels = np.empty(n, np.int32)
    step = max(1, _FEATURES // (TILE * d)) * TILE
    workers = Workers(min(threads or available_cores(), -(-n // step)))
    bad = np.full(workers.count, n, np.int64)
    none = np.zeros(TILE, np.float32)

    def own(_: int) -> tuple[Handed, Handed, Handed]:
        norms = apart(TILE, np.float32)
        tiles = Tiles(apart(TILE, np.int64), norms, none, none, 0, reach, floor, norms)
        sought = Sought(k, factors, plain, single, centroids, stretch(d))
        return Handed(tiles), Handed(sought), Handed(scratch_of(k, d, frame.bytewise))

    owned = [own(worker) for worker in range(workers.count)]

    def label(worker: int, first: int, end: int) -> None:
        tiles, sought, scratch = owned[worker]
        found = predict_kernels.label(points, readers_, tiles, sought, scratch, first, end, labels)
        bad[worker] = min(bad[worker], found)

    workers.each(label, n, step)
    workers.close()
    if (row := int(bad.min())) < n:
        raise DataError(
            f"Points must be finite, but row {row} holds a value that is not. Remove the row, or replace it."
        )
    return labels


def framed(x: NDArray[Any], frame: Frame) -> Framed:
    """The record of points x, (n, d), in a frame, without a grid."""
    kind = x.dtype if x.dtype == np.float32 else np.dtype(np.float64)
    return Framed(
        rows=dense_rows(x, unit_grid(x.shape[1])),
        offset=frame.offset.astype(kind),
        scale=kind.type(frame.scale),
        reference=frame.reference.astype(np.float32),
        bytewise=int(frame.bytewise),
        row_bytes=x.shape[1] * x.itemsize,
    )


def _frame(kind: np.dtype[Any], centroids: Float64) -> Frame:
    """The frame for points of a type: small integers unchanged, others from the centroids' mean. centroids: (k, d)."""
    mean = centroids.mean(axis=0)
    if are_integers(kind):
        return Frame(np.zeros_like(mean), 1.0, mean, rounded=False, bytewise=takes_bytes(kind))
    offset = mean.astype(kind).astype(np.float64) if kind.kind == "f" else mean
    longest = float(np.sqrt(np.square(centroids - offset).sum(axis=1).max()))
    scale = 2.0 ** -int(np.clip(np.frexp(longest)[1], -120, 120)) if longest else 1.0
    return Frame(offset, scale, np.zeros_like(mean), rounded=True)


def scores_of(frame: Frame, centroids: Float64) -> tuple[Factors, Scores, Scores]:
    """The centroids, (k, d), as factors, and the bounds of products in `predict_kernels` and of single points."""
    k, d = centroids.shape
    factors = rates(frame, Basis(np.empty((d, 0), np.float32), 0.0))
    placed = frame.place(centroids)
    norms = np.sqrt(np.square(placed).sum(axis=1))
    near = norms < FAR
    placed, norms = np.where(near[:, np.newaxis], placed, 0.0), np.where(near, norms * SLACK, 0.0)
    half = placed @ frame.reference + np.square(placed).sum(axis=1) / 2.0
    floor = np.where(near, plain_floor(norms, half, factors), UNKNOWN)
    single = factors_of(k, d, frame.bytewise)
    single.rows[:] = placed
    rest = np.zeros(k)
    if frame.bytewise:
        halve_rows(placed, k, d, Handed(single), rest)

    def scores(rate: float) -> Scores:
        slope = product_slope(norms, rest, rate, factors)
        lag = np.zeros(k, np.float32)
        return Scores(single.rows, half.astype(np.float32), upward(slope), lag, upward(floor))

    return single, scores(factors.plain), scores(factors.fine)
