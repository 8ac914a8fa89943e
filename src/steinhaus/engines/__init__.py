"""The engines: each holds points and labels them, pass by pass. `choose` takes the engine that suits the data.

- `bounds`: the bounds of all screens, with their derivations
- `exact`: the arithmetic that decides labels and sums
- `dense`: arrays in memory
- `compact`: arrays of few features or few values
- `wide`: arrays of few points with many features
- `sparse`: compressed rows
- `stream`: points on disk, read block by block; `dense` labels each block
- `splitting`: parts of points, for starts in two levels
- `cluster`: points on Dask's workers; `dense` labels each part

Callers use an engine only through `Points`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any, Literal, cast

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from steinhaus.engines.dense.batches import Batches
    from steinhaus.engines.dense.policy import Screen
    from steinhaus.engines.exact.scoring import Labelled
    from steinhaus.engines.splitting.parts import PointsInParts
    from steinhaus.points import Float64, Int32, Int64, Points, Run

_SURVEYED_VALUES = 2**18  # for up to this many values, preparing an engine takes longer than all distances
_ADDED_BY_ROWS = 8  # from this many features on, rows are added up in place in less time than lanes take to fill


def choose(
    x: Any,
    *,
    k: int | None = None,
    threads: int | None = None,
    memory: int | None = None,
    screen: Screen | Literal["compact", "wide"] = "auto",
) -> Points:
    """Choose the engine for points x, (n, d).

    - Arrays get `compact.CompactPoints` if they have few features or few values, `wide.WidePoints` if they have few
      points with many features, and else `dense.MemoryPoints`. With `screen` or `memory` given, they get
      `dense.MemoryPoints`, or the engine that `screen` names.
    - Pixels on disk get `stream.BlockPoints`. It uses at most `memory` bytes.
    - Dask collections get `cluster.DaskPoints`. Their workers have threads and memory of their own.
    - CSR matrices get `sparse.SparsePoints`.

    Parameters
    ----------
    x
        (n, d) points.
    k
        The centroids of a run, if known. It helps to choose, and changes no result.
    threads
        Threads to use, the calling one included; None: one a core.
    memory
        Bytes; see `dense.MemoryPoints` and `stream.BlockPoints`.
    screen
        See `dense.MemoryPoints`; "compact" and "wide" name these engines.
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
    n, d = x.shape
    if screen == "auto" and memory is None:
        screen = engine_for(n, d, k)
    if screen == "compact":
        from steinhaus.engines.compact.points import CompactPoints

        return CompactPoints(np.ascontiguousarray(x), threads=threads)
    if screen == "wide":
        from steinhaus.engines.wide.points import WidePoints

        return WidePoints(np.ascontiguousarray(x), threads=threads)
    from steinhaus.engines.dense.points import MemoryPoints

    return MemoryPoints(np.ascontiguousarray(x), threads=threads, memory=memory, screen=screen)


def engine_for(n: int, d: int, k: int | None = None) -> Literal["compact", "wide", "auto"]:
    """The engine for an array of (n, d) points; "auto" is the dense one. k: the centroids of a run, if known."""
    from steinhaus.engines.compact import policy as compact
    from steinhaus.engines.wide import policy as wide

    if wide.serves(n, d, k):
        return "wide"
    return "compact" if compact.serves(n, d, k) else "auto"


def is_collection(x: Any) -> bool:
    """Whether x is a Dask array or data frame."""
    return type(x).__module__.startswith("dask.") and hasattr(x, "__dask_graph__")


def is_stored(x: Any) -> bool:
    """Whether x is pixels on disk, read block by block."""
    return hasattr(x, "source")


def is_sparse(x: Any) -> bool:
    """Whether x is a CSR matrix or array of SciPy."""
    return hasattr(x, "indptr")


@contextmanager
def opened(
    x: Any, *, k: int | None = None, weights: Float64 | None = None, threads: int | None = None
) -> Iterator[Points]:
    """The engine for points x, (n, d), an array or a CSR matrix. It is closed at the end of the block.

    Parameters
    ----------
    x
        (n, d) points.
    k
        The centroids of a run, if known. It changes no result.
    weights
        (n,) at least 0, not all 0; None: 1 each.
    threads
        Threads to use, the calling one included; None: one a core.

    Raises
    ------
    DataError
        Points or weights are not finite.
    """
    points = choose(x, k=k, threads=threads) if weights is None else weighted(x, weights, k=k, threads=threads)
    try:
        yield points
    finally:
        points.close()


@contextmanager
def in_parts(
    points: Points, x: Any, weights: Int64 | None = None, *, threads: int | None = None
) -> Iterator[PointsInParts]:
    """Parts of points, for `hierarchy.hierarchical`. Their threads end with the block.

    points: the engine for x, (n, d). weights: (n,) the count of each point; None: 1 each.
    """
    from steinhaus.engines.splitting.parts import PointsInParts

    far = is_collection(x) or is_stored(x) or is_sparse(x)
    with closing(PointsInParts(points, None if far else x, weights, threads)) as parts:
        yield parts


def weighted(
    x: Any, weights: Float64, *, k: int | None = None, threads: int | None = None, memory: int | None = None
) -> Points:
    """Choose the engine for points x, (n, d), with weights, (n,); see `opened`."""
    import numpy as np

    from steinhaus.engines.exact.weighing import weigh

    put = weigh(weights)
    if is_collection(x):
        from steinhaus.engines.cluster.points import DaskPoints

        return DaskPoints(x, weights=put)
    if is_stored(x):
        from steinhaus.engines.stream.points import BlockPoints

        return BlockPoints(x.source, take=x.take, weights=put, threads=threads, memory=memory)
    if is_sparse(x):
        from steinhaus.engines.sparse.points import SparsePoints

        return SparsePoints(x, weights=put, threads=threads)
    if memory is None and not put.finer and engine_for(x.shape[0], x.shape[1], k) == "compact":
        from steinhaus.engines.compact.points import CompactPoints

        return CompactPoints(np.ascontiguousarray(x), threads=threads, weights=put)
    points = choose(x, k=k, threads=threads, memory=memory)
    if put.counts is None:
        return points
    from steinhaus.engines.exact.weighted import WeightedPoints

    return WeightedPoints(points, x, put, threads=threads)


def spread(rows: Any, client: Any = None, *, weights: Float64 | None = None) -> Points:
    """Bring points, an array or pixels on disk, to the workers of a cluster.

    Parameters
    ----------
    rows
        (n, d); see `cluster.points.spread`.
    client
        The cluster; None: the current `distributed.Client`.
    weights
        (n,) at least 0, not all 0; None: 1 each.
    """
    from steinhaus.engines.cluster import points
    from steinhaus.engines.exact.weighing import weigh

    return points.spread(rows, client, weigh(weights))


def nearest(x: NDArray[Any], centroids: Float64, *, threads: int | None = None) -> Int32:
    """The label of each point's nearest centroid, ties to the lowest: the labels of a float64 brute force.

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
    from steinhaus.engines.compact import policy as narrow
    from steinhaus.engines.wide import policy as wide

    if wide.serves(x.shape[0], x.shape[1], len(centroids)):
        from steinhaus.engines.wide.distances import nearest as nearest_of_wide

        return nearest_of_wide(x, centroids, threads=threads)
    n, d = x.shape
    if narrow.labels(n, d, len(centroids)):
        from steinhaus.engines.compact import predict as compact

        return compact.nearest(x, centroids, threads=threads)
    from steinhaus.engines.dense import predict as dense

    return dense.nearest(x, centroids, threads=threads)


def labelled(x: NDArray[Any], centroids: Float64, *, threads: int | None = None) -> Labelled:
    """The labels of `nearest`, with the exact sums of the points by these labels. x: (n, d); centroids: (k, d).

    Raises
    ------
    DataError
        A point is not finite, or too large to be squared.
    """
    from steinhaus.engines.compact import policy as narrow
    from steinhaus.engines.compact import predict as compact
    from steinhaus.engines.exact import scoring
    from steinhaus.points import Run

    if x.shape[1] >= _ADDED_BY_ROWS or x.size <= _SURVEYED_VALUES:
        n, d = x.shape
        if narrow.labels_and_adds(n, d, len(centroids)):
            return compact.labelled(x, centroids, threads=threads)
        return scoring.labelled(x, nearest(x, centroids, threads=threads), len(centroids), threads=threads)
    with opened(x, k=len(centroids), threads=threads) as points:
        (tally,) = points.assign([Run(0, centroids)])
        return scoring.Labelled(points.labels(0), points.grid, points.totals, tally)


def own_distances(points: Points, run: Run) -> Float64:
    """The squared distance of each point to its centroid, (n,): see `TwoNearest.own_distances`."""
    from steinhaus.engines.exact import nearest
    from steinhaus.points import TwoNearest, offers

    if offers(type(points), TwoNearest):
        return cast("TwoNearest", points).own_distances(run)
    return nearest.own_distances(points, run)


def two_nearest(points: Points, run: Run) -> tuple[Float64, Float64]:
    """The squared distances of each point to its centroid and to the nearest other centroid: see `TwoNearest`.

    If the engine has no such method, all distances are measured.
    """
    from steinhaus.engines.exact import nearest
    from steinhaus.points import TwoNearest, offers

    if offers(type(points), TwoNearest):
        return cast("TwoNearest", points).two_nearest(run)
    return nearest.two_nearest(points, run)


def exchange(
    rows: Float64, labels: Int32, weights: Float64, centroids: Float64, counts: Float64
) -> tuple[Float64, int]:
    """Move rows, (m, d), to other clusters, one after the other; see `exact.exchanging`."""
    from steinhaus.engines.exact import exchanging

    return exchanging.exchange(rows, labels, weights, centroids, counts)


def batches(x: NDArray[Any], *, threads: int | None = None) -> Batches:
    """Points x, (n, d) C-contiguous, for mini-batches: each call labels and adds up some of them."""
    from steinhaus.engines.dense.batches import Batches

    return Batches(x, threads=threads)


def counts_of(weights: Float64 | None) -> Int64 | None:
    """The counts by which rows are drawn at random, (n,) whole numbers; None: 1 each.

    weights: (n,); DataError if one is not valid.
    """
    from steinhaus.engines.exact.weighing import weigh
    from steinhaus.points import drawn

    levels = weigh(weights).levels
    return drawn(levels) if levels else None


def unit_rows(x: NDArray[Any], *, threads: int | None = None) -> NDArray[np.floating[Any]]:
    """Scale rows x, (n, d) C-contiguous, to unit length; rows of zeros stay zeros. See `exact.unit`."""
    from steinhaus.engines.exact import unit

    return unit.unit_rows(x, threads=threads)


def distances_to_own(x: NDArray[Any], labels: Int32, centroids: Float64, *, threads: int | None = None) -> Float64:
    """The Euclidean distance of each point, (n, d) C-contiguous, to the centroid of its label, (n,) float64.

    It is the root of the squared distance that decides labels.
    """
    from steinhaus.engines.exact import members

    return members.distances_to_own(x, labels, centroids, threads=threads)


def add_members(sums: Float64, x: NDArray[Any], labels: Int32, weights: Float64, *, threads: int | None = None) -> None:
    """Add each row, (n, d) C-contiguous, times its weight, (n,), to the sums of its label, (k, d), in place.

    Rows are added in their order, so that the bits are the same on any number of threads.
    """
    from steinhaus.engines.exact import members

    members.add_members(sums, x, labels, weights, threads=threads)


def distances(x: Any, rows: Float64, *, threads: int | None = None) -> Float64:
    """The Euclidean distances of points x, (n, d), to other rows, (m, d) float64 -> (n, m) float64.

    For an array these are the roots of the squared distances that decide labels. For a CSR matrix they are the roots of
    `|x|^2 + |y|^2 - 2 x . y`, with an error relative to the norms.
    """
    import numpy as np

    from steinhaus.engines.compact.policy import LIMITS

    if is_sparse(x):
        from steinhaus.engines.sparse.points import SparsePoints

        points = SparsePoints(x, threads=threads)
        squares = points.distances_to(rows)
        points.close()
        return np.sqrt(np.ascontiguousarray(squares.T))
    if x.shape[1] < LIMITS.features:
        from steinhaus.engines.compact import predict

        return predict.distances(np.ascontiguousarray(x), np.ascontiguousarray(rows), threads=threads)
    from steinhaus.engines.exact.distances import table_of_distances
    from steinhaus.engines.workers import Workers

    with closing(Workers(threads)) as workers:
        out = table_of_distances(np.ascontiguousarray(x), np.ascontiguousarray(rows), workers)
    return np.sqrt(out, out=out)
