"""Checks of the estimators' arguments, with scikit-learn's messages if it has them."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.utils import check_array, check_random_state
from sklearn.utils.validation import _check_sample_weight, assert_all_finite

from steinhaus.engines import is_collection, is_stored
from steinhaus.errors import DataError
from steinhaus.points import Float64


@contextmanager
def named_by_scikit_learn(estimator: BaseEstimator, x: Any) -> Iterator[None]:
    """Turn an engine's error about a point that is not finite into scikit-learn's error. x: (n, d)."""
    try:
        yield
    except DataError:
        if isinstance(x, np.ndarray):
            assert_all_finite(x, estimator_name=type(estimator).__name__, input_name="X")
        raise


def centroid_dtype(x: Any) -> np.dtype[Any]:
    """The dtype of centroids and distances for points x (n, d): float32 for float32, else float64."""
    return np.dtype(np.float32 if x.dtype == np.float32 else np.float64)


def rounding_to(dtype: np.dtype[Any]) -> Callable[[Float64], Float64] | None:
    """The function that rounds float64 centroids, (k, d), to a dtype and back; None: float64 needs no rounding."""
    return None if dtype == np.float64 else lambda centroids: centroids.astype(dtype).astype(np.float64)


def check_enough(x: Any, n_clusters: int) -> None:
    """Raise ValueError if x (n, d) has fewer rows than clusters."""
    if x.shape[0] < n_clusters:
        raise ValueError(
            f"n_samples={x.shape[0]} should be >= n_clusters={n_clusters}. Give more rows, or ask for fewer clusters."
        )


def init_for(init: Any, x: Any) -> str:
    """The name of the start, "function" or "array". The place of the rows decides "auto"."""
    if isinstance(init, str):
        return init if init != "auto" else "k-means||" if is_collection(x) or is_stored(x) else "k-means++"
    return "function" if callable(init) else "array"


def restarts_of(estimator: Any, several: int) -> int:
    """The number of restarts. "auto" means 1, or `several` for random rows and functions. An array is one start."""
    init, asked = estimator.init, estimator.n_init
    by_name, by_function = isinstance(init, str), callable(init)
    at_random = by_function or (by_name and init == "random")
    restarts = int(asked) if not isinstance(asked, str) else several if at_random else 1
    if by_name or by_function or restarts == 1:
        return restarts
    warnings.warn(
        "Explicit initial center position passed: performing only one init in "
        f"{type(estimator).__name__} instead of n_init={restarts}.",
        RuntimeWarning,
        stacklevel=5,
    )
    return 1


def checked_start(start: ArrayLike, k: int, d: int) -> Float64:
    """The centroids to start from, (k, d) float64, of an array or sparse matrix; ValueError where it is not that."""
    if type(start) is np.ndarray and start.dtype == np.float64 and start.shape == (k, d) and np.isfinite(start).all():
        return start.copy(order="C")  # as all of this would end, after a tenth of a millisecond
    checked: Any = check_array(start, dtype=np.float64, copy=True, order="C", accept_sparse="csr")
    rows: Float64 = checked if isinstance(checked, np.ndarray) else checked.toarray()
    for size, (what, need) in zip(
        rows.shape, {"number of clusters": k, "number of features of the data": d}.items(), strict=True
    ):
        if size != need:
            raise ValueError(f"The shape of the initial centers {rows.shape} does not match the {what} {need}.")
    return rows


def checked_weights(sample_weight: Any, x: Any) -> Float64 | None:
    """The weights as (n,) float64, at least 0; None for None. A Dask array of weights is computed."""
    if sample_weight is None:
        return None
    if is_collection(sample_weight):
        sample_weight = sample_weight.compute()
    weights: Float64 = _check_sample_weight(sample_weight, x, dtype=np.float64, ensure_non_negative=True)
    return weights


def seed_of(random_state: Any) -> int:
    """The seed of a fit: the integer itself, or a number drawn from another random state."""
    if isinstance(random_state, Integral):
        return int(random_state)
    return int(check_random_state(random_state).randint(np.iinfo(np.int32).max))
