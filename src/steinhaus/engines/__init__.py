"""Where points live and passes happen: the data decides the engine.

`bounds` holds every slack of the screens, derived; `exact` the arithmetic that decides labels and sums. Engines stand
on both: `dense` for arrays in memory, `sparse` for compressed rows; `stream`, for points read from disk, and `cluster`,
for points on Dask's workers, use `dense` for each part. No engine is used but through `Points`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from steinhaus.engines.dense.policy import Screen
    from steinhaus.points import Float64, Int32, Int64, Points

_FEW_FEATURES = 16
_FEW_VALUES = 2**19
_FEW_PRODUCTS = 2**21


def choose(x: Any, *, threads: int | None = None, memory: int | None = None, screen: Screen = "auto") -> Points:
    """Choose the engine for (n, d) points.

    Arrays get `dense.MemoryPoints`, whose parameters these are. Pixels that stay where they are stored get
    `stream.BlockPoints`, and `memory` is all that it may use; Dask collections get `cluster.DaskPoints`, whose workers
    have threads and memory of their own; CSR matrices get `sparse.SparsePoints`.
    """
    import numpy as np

    if is_collection(x):
        from steinhaus.engines.cluster.points import DaskPoints

        return DaskPoints(x)
    if is_stored(x):
        from steinhaus.engines.stream.points import BlockPoints

        return BlockPoints(x.source, take=x.take, threads=threads, memory=memory)
    if is_sparse(x):
        from steinhaus.engines.sparse.points import SparsePoints

        return SparsePoints(x, threads=threads)
    if screen == "compact" or (screen == "auto" and memory is None and compact_pays(*x.shape)):
        from steinhaus.engines.compact.points import CompactPoints

        return CompactPoints(np.ascontiguousarray(x), threads=threads)
    from steinhaus.engines.dense.points import MemoryPoints

    return MemoryPoints(np.ascontiguousarray(x), threads=threads, memory=memory, screen=screen)


def compact_pays(n: int, d: int) -> bool:
    """Whether all distances of (n, d) points are measured sooner than a screen spares them."""
    return d < _FEW_FEATURES or n * d <= _FEW_VALUES


def is_collection(x: Any) -> bool:
    """Whether x is a Dask array or data frame."""
    return type(x).__module__.startswith("dask.") and hasattr(x, "__dask_graph__")


def is_stored(x: Any) -> bool:
    """Whether x is pixels that stay where they are stored."""
    return hasattr(x, "source")


def is_sparse(x: Any) -> bool:
    """Whether x is a CSR matrix or array of SciPy."""
    return hasattr(x, "indptr")


@contextmanager
def opened(x: Any, *, weights: Float64 | None = None, threads: int | None = None) -> Iterator[Points]:
    """The engine for (n, d) points, an array or a CSR matrix, for as long as it is needed.

    Parameters
    ----------
    weights
        (n,) at least 0, not all 0; None: 1 each.
    threads
        Threads to use, the calling one included; None: one a core.

    Raises
    ------
    DataError
        Points or weights are not finite; or there are weights, and the points are not in memory.
    """
    points = choose(x, threads=threads) if weights is None else _weighted(x, weights, threads)
    try:
        yield points
    finally:
        points.close()


@contextmanager
def opened_rows(
    points: Points, x: Any, rows: Int64, *, weights: Float64 | None = None, threads: int | None = None
) -> Iterator[Points]:
    """An engine for some points alone, (m,) rows of x, for as long as it is needed; they are brought here if they are
    not in memory. points: the engine for x; see `opened`.
    """
    far = is_collection(x) or is_stored(x)
    some = points.rows(rows).astype(x.dtype) if far else x[rows]
    with opened(some, weights=None if weights is None else weights[rows], threads=threads) as part:
        yield part


def _weighted(x: Any, weights: Float64, threads: int | None) -> Points:
    import numpy as np

    from steinhaus.engines.exact.weighing import weigh
    from steinhaus.errors import DataError

    if is_collection(x) or is_stored(x):
        raise DataError("Weights need points in memory, so far. Leave them out, or load the points.")
    put = weigh(weights)
    if is_sparse(x):
        from steinhaus.engines.sparse.points import SparsePoints

        return SparsePoints(x, weights=put, threads=threads)
    if compact_pays(*x.shape):
        from steinhaus.engines.compact.points import CompactPoints

        return CompactPoints(np.ascontiguousarray(x), threads=threads, weights=put)
    points = choose(x, threads=threads)
    if put.counts is None:
        return points
    from steinhaus.engines.exact.weighted import WeightedPoints

    return WeightedPoints(points, x, counts=put.counts, unit=put.unit, threads=threads)


def nearest(x: NDArray[Any], centroids: Float64, *, threads: int | None = None) -> Int32:
    """The label of each point's nearest centroid, ties to the lowest: what a float64 brute force gives.

    Parameters
    ----------
    x
        (n, d) points of a real type, C-contiguous.
    centroids
        (k, d) float64, C-contiguous.
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
    if x.shape[1] < _FEW_FEATURES or x.size * len(centroids) <= _FEW_PRODUCTS:
        from steinhaus.engines.compact import predict as compact

        return compact.nearest(x, centroids, threads=threads)
    from steinhaus.engines.dense import predict as dense

    return dense.nearest(x, centroids, threads=threads)


def distances(x: Any, rows: Float64, *, threads: int | None = None) -> Float64:
    """The Euclidean distances of (n, d) points to other rows, (m, d) float64 -> (n, m) float64.

    Of an array they are roots of the squared distances that decide labels; of a CSR matrix, of |x|^2 + |y|^2 - 2 x . y,
    with an error relative to the norms.
    """
    import numpy as np

    if is_sparse(x):
        from steinhaus.engines.sparse.points import SparsePoints

        points = SparsePoints(x, threads=threads)
        squares = points.distances_to(rows)
        points.close()
        return np.sqrt(np.ascontiguousarray(squares.T))
    if x.shape[1] < _FEW_FEATURES:
        from steinhaus.engines.compact import predict

        return predict.distances(np.ascontiguousarray(x), np.ascontiguousarray(rows), threads=threads)
    from steinhaus.engines.exact.distances import table_of_distances
    from steinhaus.engines.workers import Workers

    workers = Workers(threads)
    out = table_of_distances(np.ascontiguousarray(x), np.ascontiguousarray(rows), workers)
    workers.close()
    return np.sqrt(out, out=out)
