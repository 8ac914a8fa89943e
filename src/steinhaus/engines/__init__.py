"""Where points live and passes happen: the data decides the engine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from steinhaus.engines.dense.points import Screen
    from steinhaus.points import Float64, Points


def choose(x: Any, *, threads: int | None = None, memory: int | None = None, screen: Screen = "auto") -> Any:
    """Choose the engine, a `Points`, for (n, d) points.

    Arrays get `MemoryPoints`, whose parameters these are. Pixels that stay where they are stored get `BlockPoints`, and
    `memory` is all that it may use; Dask collections get `DaskPoints`, whose workers have threads and memory of their
    own.
    """
    import numpy as np

    if is_collection(x):
        from steinhaus.engines.cluster.points import DaskPoints

        return DaskPoints(x)
    if hasattr(x, "source"):
        from steinhaus.engines.stream.points import BlockPoints

        return BlockPoints(x.source, take=x.take, threads=threads, memory=memory)
    from steinhaus.engines.dense.points import MemoryPoints

    return MemoryPoints(np.ascontiguousarray(x), threads=threads, memory=memory, screen=screen)


def is_collection(x: Any) -> bool:
    """Whether x is a Dask array or data frame."""
    return type(x).__module__.startswith("dask.") and hasattr(x, "__dask_graph__")


@contextmanager
def opened(x: Any, *, weights: Float64 | None = None, threads: int | None = None) -> Iterator[Points]:
    """The engine for (n, d) points, an array or a CSR matrix, for as long as it is needed.

    Parameters
    ----------
    weights
        (n,) at least 0, not all 0; None: 1 each.
    threads
        Threads to use, the calling one included; None: one a core.
    """
    from steinhaus.engines.exact.weighing import weigh
    from steinhaus.errors import DataError

    if weights is not None and (is_collection(x) or hasattr(x, "source")):
        raise DataError("Weights need points in memory, so far. Leave them out, or load the points.")
    put = weigh(weights)
    points: Any
    if hasattr(x, "indptr"):
        from steinhaus.engines.sparse.points import SparsePoints

        points = SparsePoints(x, weights=put, threads=threads)
    else:
        points = choose(x, threads=threads)
        if put.counts is not None:
            from steinhaus.engines.exact.weighted import WeightedPoints

            points = WeightedPoints(points, x, counts=put.counts, unit=put.unit, threads=threads)
    try:
        yield points
    finally:
        points.close()


def distances(x: Any, rows: Float64, *, threads: int | None = None) -> Float64:
    """The Euclidean distances of (n, d) points to other rows, (m, d) float64 -> (n, m) float64.

    Of an array they are roots of what decides labels; of a CSR matrix, of |x|^2 + |y|^2 - 2 x . y, with an error
    relative to the norms.
    """
    import numpy as np

    if hasattr(x, "indptr"):
        from steinhaus.engines.sparse.points import SparsePoints

        points = SparsePoints(x, threads=threads)
        squares = points.distances_to(rows)
        points.close()
        return np.sqrt(np.ascontiguousarray(squares.T))
    from steinhaus.engines.exact.distances import all_distances
    from steinhaus.engines.exact.grid import unit_grid
    from steinhaus.engines.exact.rows import dense_rows
    from steinhaus.engines.workers import Workers
    from steinhaus.jit.handed import Handed

    x, rows, grid = np.ascontiguousarray(x), np.ascontiguousarray(rows), unit_grid(x.shape[1])
    out = np.empty((len(x), len(rows)))

    def measure(_: int, first: int, end: int) -> None:
        part, found = Handed(dense_rows(x[first:end], grid)), np.empty((len(rows), end - first))
        all_distances[x.dtype](part, 0, end - first, rows, len(rows), found)
        np.sqrt(found.T, out=out[first:end])

    workers = Workers(threads)
    workers.each(measure, len(x), 1024)
    workers.close()
    return out
