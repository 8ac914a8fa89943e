"""`k_means` and `kmeans_plusplus`, which replace scikit-learn's functions."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_array
from sklearn.utils._param_validation import Interval, validate_params

from steinhaus.engines import opened
from steinhaus.estimators.checking import check_enough, checked_weights, seed_of
from steinhaus.estimators.clusterer import DTYPES, Init
from steinhaus.estimators.kmeans import KMeans
from steinhaus.points import Int32, Int64
from steinhaus.seeding import Stream, plus_plus


@validate_params({"sample_weight": ["array-like", None], "return_n_iter": [bool]}, prefer_skip_nested_validation=False)  # type: ignore[untyped-decorator]
def k_means(
    X: ArrayLike,
    n_clusters: int,
    *,
    sample_weight: ArrayLike | None = None,
    init: Init = "k-means++",
    n_init: int | str = "auto",
    max_iter: int = 300,
    verbose: bool = False,
    tol: float = 1e-4,
    random_state: int | np.random.RandomState | None = None,
    copy_x: bool = True,
    algorithm: str = "lloyd",
    return_n_iter: bool = False,
) -> tuple[NDArray[np.floating[Any]], Int32, float] | tuple[NDArray[np.floating[Any]], Int32, float, int]:
    """Find clusters like `KMeans(...).fit(X)`, and return them.

    It is a drop-in replacement for `sklearn.cluster.k_means`.

    Parameters
    ----------
    X : (n, n_features) array-like, sparse matrix, Dask array or data frame
        Rows to cluster, finite.
    n_clusters
        The number of clusters, at most n.
    sample_weight : (n,) array-like, optional
        The weights: at least 0, not all 0. Default: every row has weight 1.
    init, n_init, max_iter, tol, verbose, random_state, copy_x, algorithm
        As in `KMeans`, with the same defaults.
    return_n_iter
        Whether to return the number of iterations, too. Default False.

    Returns
    -------
    centroids : (n_clusters, n_features) float64, float32 for float32 X
        In the units of X.
    labels : (n,) int32
        The label of each row's nearest centroid, ties to the lowest.
    inertia : float
        The weighted sum of squared distances of the rows to their centroids, in squared units of X.
    n_iter : int
        The number of iterations of the best restart. Returned only if `return_n_iter`.

    Raises
    ------
    ValueError
        If a parameter is out of range, or if X is not finite or has fewer rows than clusters.

    Examples
    --------
    >>> from steinhaus import k_means
    >>> X = [[1, 2], [1, 4], [1, 0], [10, 2], [10, 4], [10, 0]]
    >>> centroids, labels, inertia = k_means(X, 2, init=[[1, 2], [10, 2]])
    >>> centroids.tolist(), labels.tolist(), inertia
    ([[1.0, 2.0], [10.0, 2.0]], [0, 0, 0, 1, 1, 1], 16.0)
    """
    kmeans = KMeans(
        n_clusters, init=init, n_init=n_init, max_iter=max_iter, tol=tol, verbose=verbose,
        random_state=random_state, copy_x=copy_x, algorithm=algorithm,
    ).fit(X, sample_weight=sample_weight)  # fmt: skip
    found = kmeans.cluster_centers_, kmeans.labels_, kmeans.inertia_
    return (*found, kmeans.n_iter_) if return_n_iter else found


@validate_params(
    {
        "X": ["array-like", "sparse matrix"],
        "n_clusters": [Interval(Integral, 1, None, closed="left")],
        "sample_weight": ["array-like", None],
        "x_squared_norms": ["array-like", None],
        "random_state": ["random_state"],
        "n_local_trials": [Interval(Integral, 1, None, closed="left"), None],
    },
    prefer_skip_nested_validation=True,
)  # type: ignore[untyped-decorator]
def kmeans_plusplus(
    X: ArrayLike,
    n_clusters: int,
    *,
    sample_weight: ArrayLike | None = None,
    x_squared_norms: ArrayLike | None = None,
    random_state: int | np.random.RandomState | None = None,
    n_local_trials: int | None = None,
) -> tuple[NDArray[Any], Int64]:
    """Choose starting rows by greedy k-means++ (Arthur and Vassilvitskii, SODA 2007).

    It is a drop-in replacement for `sklearn.cluster.kmeans_plusplus`. With an integer `random_state`, it returns the
    starting rows of `KMeans(n_clusters, random_state=...)`.

    Parameters
    ----------
    X : (n, n_features) array-like or sparse matrix
        Rows to choose from, finite.
    n_clusters
        The number of rows to choose, at most n.
    sample_weight : (n,) array-like, optional
        Not negative, not all zero; none: 1 each.
    x_squared_norms : (n,) array-like, optional
        Accepted for compatibility. It is not used.
    random_state
        An integer makes the choice reproducible. Default: drawn from NumPy's global state, as in scikit-learn.
    n_local_trials
        The number of candidates per row; the best one is chosen. Default: 2 + log(n_clusters), rounded down. 1 is plain
        k-means++.

    Returns
    -------
    centers : (n_clusters, n_features)
        The chosen rows, dense, in the dtype of X.
    indices : (n_clusters,) int64
        Their row numbers in X.

    Raises
    ------
    ValueError
        If a parameter is out of range, or if X is not finite or has fewer rows than clusters.

    Examples
    --------
    >>> from steinhaus import kmeans_plusplus
    >>> X = [[1, 2], [1, 4], [1, 0], [10, 2], [10, 4], [10, 0]]
    >>> centers, indices = kmeans_plusplus(X, 2, random_state=0)
    >>> centers.tolist() == [X[row] for row in indices]
    True
    """
    x: Any = check_array(X, accept_sparse="csr", dtype=DTYPES, order="C")
    weights = checked_weights(sample_weight, x)
    check_enough(x, n_clusters)
    if x_squared_norms is not None and (size := len(check_array(x_squared_norms, ensure_2d=False))) != x.shape[0]:
        raise ValueError(
            f"The length of x_squared_norms {size} should be equal to the length of n_samples {x.shape[0]}. Give one "
            "number per row, or leave them out: they are not needed."
        )
    with opened(x, k=n_clusters, weights=weights) as points:
        stream = Stream(seed_of(random_state), n_clusters, 0)
        indices = plus_plus(points, n_clusters, stream, points.totals.draws, trials=n_local_trials)
    rows = x[indices]
    return rows if isinstance(rows, np.ndarray) else rows.toarray(), indices
