"""Principal components, by a method whose bits depend neither on threads nor on where the points are.

The covariance matrix is summed exactly over blocks (`exact.products`). Its eigenvectors come from LAPACK on one thread.
The sign of a component makes its largest entry positive. Another LAPACK may give other last bits, so a study keeps its
components.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steinhaus.errors import PlanError
from steinhaus.features.exact import Float64, add_gram_of_bytes, gram, products, products_of_bytes

Arrays = dict[str, Float64]
MOST_WHOLE = 10_000_000  # for so many points of bytes, n times a sum of squares fits into 63 bits


def fitted(blocks: Iterable[NDArray[Any]], mean: Float64, n: int, components: int) -> Arrays:
    """The mean (d,) and the leading components (N, d) of points that come in blocks.

    Raises
    ------
    PlanError
        If there are fewer values, or fewer points, than components.
    """
    d = len(mean)
    if components > min(d, n):
        raise PlanError(
            f"pca:{components} asks for {components:,} components of {n:,} vectors with {d:,} values, but there are at "
            f"most {min(d, n):,}. Ask for fewer."
        )
    return {"mean": mean, "components": leading(_covariance(blocks, mean, n), components)}


def _covariance(blocks: Iterable[NDArray[Any]], mean: Float64, n: int) -> Float64:
    """The covariance matrix, (d, d). For bytes, all sums are whole numbers below 2^53, so they are exact."""
    # in: blocks (m, d) each; mean (d,) float64
    d = len(mean)
    total = np.zeros((d, d), order="F")
    sums = np.zeros(d)
    whole = True
    for block in blocks:
        whole = block.dtype == np.uint8
        if whole:
            total = add_gram_of_bytes(total, block)
            sums += block.sum(axis=0, dtype=np.float64)
        else:
            total += gram(np.ascontiguousarray((block - mean).T))
    if not whole:
        return total / n
    total = np.triu(total) + np.triu(total, 1).T
    if n <= MOST_WHOLE:
        integers, of_columns = total.astype(np.int64), sums.astype(np.int64)
        return np.asarray((n * integers - np.outer(of_columns, of_columns)) / (float(n) * n))
    return np.asarray(total / n - np.outer(sums / n, sums / n))


def leading(covariance: Float64, components: int) -> Float64:
    """The leading eigenvectors of (d, d) as rows, (N, d), each with a positive largest entry."""
    from scipy.linalg import eigh
    from threadpoolctl import threadpool_limits

    d = len(covariance)
    with threadpool_limits(1, "blas"):
        _, vectors = eigh(covariance, subset_by_index=(d - components, d - 1), driver="evr")
    rows = np.ascontiguousarray(vectors.T[::-1])
    largest = rows[np.arange(components), np.abs(rows).argmax(axis=1)]
    return np.asarray(rows * np.where(largest < 0, -1.0, 1.0)[:, np.newaxis])


def applied(arrays: Arrays, rows: NDArray[Any]) -> Float64:
    """The coordinates of points, (n, d) -> (n, N)."""
    mean, components = arrays["mean"], arrays["components"]
    if rows.dtype == np.uint8:
        return products_of_bytes(rows, components) - products(mean[np.newaxis], components)
    return products(rows - mean, components)
