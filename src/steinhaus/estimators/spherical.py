"""K-means by the angle between rows, for embeddings, texts and other data whose length has no meaning."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from steinhaus.engines import is_collection, is_stored, unit_rows
from steinhaus.errors import DataError
from steinhaus.estimators.kmeans import KMeans
from steinhaus.points import Float64


class SphericalKMeans(KMeans):
    """K-means on the unit sphere: rows are scaled to length 1, and so is every mean (Dhillon and Modha, 2001).

    For two rows x, c of length 1, `|x - c|^2 = 2 - 2 cos(x, c)`: the nearest centroid has the smallest angle. The
    parameters and attributes are those of `KMeans`. `cluster_centers_` have length 1, `inertia_` is the weighted sum of
    2 - 2 cos, and `transform` returns sqrt(2 - 2 cos). Rows of zeros have no direction: they are equally far from all
    centroids and get label 0.

    Parameters
    ----------
    n_clusters, init, n_init, max_iter, tol, verbose, random_state, copy_x, algorithm, n_threads, callback, refine, \
refine_steps, refine_time
        As in `KMeans`, with the same defaults. Starts are scaled to length 1, too.

    References
    ----------
    I. S. Dhillon and D. S. Modha, Concept decompositions for large sparse text data using clustering, Machine Learning
    42, 2001.

    Examples
    --------
    >>> from steinhaus import SphericalKMeans
    >>> spherical = SphericalKMeans(2, init=[[1, 0], [0, 1]]).fit([[1, 0], [50, 1], [0, 3], [0, 0.1]])
    >>> spherical.labels_.tolist()
    [0, 0, 1, 1]
    """

    def _validated(self, X: ArrayLike, *, reset: bool, finite: bool = True) -> Any:
        if is_stored(X):
            raise DataError(
                "Stored rows keep their length. Scale them to length 1 and use KMeans, or give a Dask array."
            )
        return unit(super()._validated(X, reset=reset), threads=self._threads)

    def _checked_start(self, start: ArrayLike, x: Any) -> Float64:
        rows: Float64 = unit(super()._checked_start(start, x))
        return rows

    @staticmethod
    def _project(centroids: Float64) -> Float64:
        # in: centroids (k, d) float64
        rows: Float64 = unit(centroids)
        return rows


def unit(x: Any, *, threads: int | None = None) -> Any:
    """The rows of an array, CSR matrix or Dask array (n, d), scaled to length 1, in the same kind of container.

    float32 stays float32; other types become float64. Rows of zeros do not change. Squares are added in the order of
    the features, so the bits are the same everywhere.
    """
    if isinstance(x, np.ndarray):
        return unit_rows(x, threads=threads)
    kind = np.float32 if x.dtype == np.float32 else np.float64
    if is_collection(x):  # its blocks hold whole rows, and stay on the workers
        return x.rechunk({1: -1}).map_blocks(_unit_block, dtype=kind, meta=np.empty((0, 0), kind))
    scaled = x.astype(kind)
    scaled.sum_duplicates()
    norms = _lengths(len(x.indptr) - 1, scaled)
    scaled.data = (scaled.data / np.repeat(norms, np.diff(scaled.indptr))).astype(kind)
    return scaled


def _unit_block(block: NDArray[Any]) -> NDArray[np.floating[Any]]:
    # in: block (m, d)
    return unit_rows(np.ascontiguousarray(block), threads=1)


def _lengths(n: int, x: Any) -> Float64:
    squares = np.zeros(n)
    entries = x.data.astype(np.float64)
    np.add.at(squares, np.repeat(np.arange(n), np.diff(x.indptr)), entries * entries)
    lengths = np.sqrt(squares)
    return np.where(lengths > 0, lengths, 1.0)
