"""The methods that all estimators share after fitting: assign, measure, transform, save."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable
from functools import cache
from pathlib import Path
from typing import Any, Self, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import issparse
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, ClusterMixin, TransformerMixin
from sklearn.utils import Tags, estimator_html_repr
from sklearn.utils.validation import (
    _check_feature_names,
    _check_n_features,
    assert_all_finite,
    check_is_fitted,
    validate_data,
)

from steinhaus.engines import distances, is_collection, is_stored, labelled, nearest, opened
from steinhaus.errors import DataError
from steinhaus.estimators.checking import centroid_dtype, checked_weights, named_by_scikit_learn
from steinhaus.points import Float64, Int32, Int64, LabelsArray, Points, Run, offers
from steinhaus.resources import available_cores

Init = str | Callable[..., ArrayLike] | ArrayLike  # the start of the centroids
DTYPES = [np.float64, np.float32, np.uint8, np.int8, np.uint16, np.int16, np.int32, np.uint32, np.int64, np.uint64]
_READ_AS_THEY_ARE = frozenset(map(np.dtype, DTYPES))


class Clusterer(
    ClassNamePrefixFeaturesOutMixin,  # type: ignore[misc]
    TransformerMixin,  # type: ignore[misc]
    ClusterMixin,  # type: ignore[misc]
    BaseEstimator,  # type: ignore[misc]
    ABC,
):
    """The abstract base of estimators whose model is their centroids. Subclasses add parameters and `fit`."""

    cluster_centers_: NDArray[Any]  # (n_clusters, n_features) float64; float32 if X was
    labels_: Int32  # (n,)
    inertia_: float
    n_iter_: int
    n_features_in_: int
    n_threads: int | None

    @abstractmethod
    def fit(self, X: ArrayLike, y: None = None, sample_weight: ArrayLike | None = None) -> Self:
        """Find centroids."""

    def fit_predict(self, X: ArrayLike, y: None = None, sample_weight: ArrayLike | None = None) -> Int32:
        """Find centroids, and return the label of each row of X.

        Parameters
        ----------
        X, y, sample_weight
            As in `fit`.

        Returns
        -------
        labels : (n,) int32
        """
        return self.fit(X, sample_weight=sample_weight).labels_

    def fit_transform(
        self, X: ArrayLike, y: None = None, sample_weight: ArrayLike | None = None
    ) -> NDArray[np.floating[Any]]:
        """Find centroids, and return each row's distances to them.

        Parameters
        ----------
        X, y, sample_weight
            As in `fit`.

        Returns
        -------
        distances : (n, n_clusters), float32 for float32 X, float64 otherwise
            As in `transform`.
        """
        return self.fit(X, sample_weight=sample_weight).transform(X)

    def predict(self, X: ArrayLike) -> Int32:
        """Find the label of each row's nearest centroid. Ties go to the lowest label.

        Parameters
        ----------
        X : (n, n_features) array-like, sparse matrix, Dask array or data frame
            In the units of the X that was fitted.

        Returns
        -------
        labels : (n,) int32
            The labels of a float64 brute force. For a Dask collection, a Dask array.
        """
        self._check_is_fitted()
        x = self._validated(X, reset=False, finite=False)
        if isinstance(x, np.ndarray):
            with named_by_scikit_learn(self, x):
                return nearest(x, self._centroids(), threads=self._threads)
        with opened(x, threads=self._threads) as points:
            assigned(points, 0, self._centroids())
            labels: Int32 = labels_of(points, 0)
        return labels

    def transform(self, X: ArrayLike) -> NDArray[np.floating[Any]]:
        """Measure the Euclidean distance of each row to each centroid.

        Parameters
        ----------
        X : (n, n_features) array-like or sparse matrix
            In the units of the X that was fitted.

        Returns
        -------
        distances : (n, n_clusters), float32 for float32 X, float64 otherwise
            In the units of X. Dense, also for sparse X.
        """
        self._check_is_fitted()
        if is_collection(X):
            raise DataError("Transform a Dask collection block by block: X.map_blocks(kmeans.transform).")
        if is_stored(X):
            raise DataError("Transform stored rows in pieces: kmeans.transform(X[:1000]).")
        x = self._validated(X, reset=False)
        return distances(x, self._centroids(), threads=self._threads).astype(centroid_dtype(x), copy=False)

    def score(self, X: ArrayLike, y: None = None, sample_weight: ArrayLike | None = None) -> float:
        """Return minus the inertia of X: the weighted sum of squared distances to the nearest centroids.

        Parameters
        ----------
        X : (n, n_features) array-like or sparse matrix
            In the units of the X that was fitted.
        y
            Ignored.
        sample_weight : (n,) array-like, optional
            The weights: at least 0, not all 0. Default: every row has weight 1.

        Returns
        -------
        float
            In squared units of X, at most 0.
        """
        self._check_is_fitted()
        x = self._validated(X, reset=False, finite=False)
        weights = checked_weights(sample_weight, x)
        with named_by_scikit_learn(self, x):
            if weights is None and isinstance(x, np.ndarray):
                return -labels_and_inertia(x, self._centroids(), self._threads)[1]
            with opened(x, k=len(self.cluster_centers_), weights=weights, threads=self._threads) as points:
                return -assigned(points, 0, self._centroids())[0]

    def save(self, path: str | Path) -> None:
        """Write the fitted model to a file in the safetensors format; `steinhaus.load` reads it.

        Parameters
        ----------
        path
            The file. An existing file is replaced.

        Raises
        ------
        SteinhausError
            If a parameter is a function, or an object that cannot be written as plain values.
        """
        from steinhaus.saving import save

        save(self, path)

    def to_onnx(self, path: str | Path) -> None:
        """Write the fitted model as an ONNX graph that labels float32 rows; see `steinhaus.onnx`.

        Parameters
        ----------
        path
            The file. An existing file is replaced.
        """
        from steinhaus.onnx import export

        export(self, path)

    @classmethod
    @cache
    def _get_param_names(cls) -> list[str]:
        """The names of the parameters. They are read from the signature once, because every fit needs them."""
        names: list[str] = super()._get_param_names()
        return names

    def _check_is_fitted(self) -> None:
        """Raise scikit-learn's NotFittedError if there are no centroids yet."""
        if "cluster_centers_" not in vars(self):
            check_is_fitted(self)

    def _validated(self, X: ArrayLike, *, reset: bool, finite: bool = True) -> Any:
        """X (n, d) as a C-contiguous array or CSR matrix of a type that the engines read. It is copied only if needed.

        Dask collections become Dask arrays with known chunks, and stored images stored rows. If `finite` is false,
        arrays are not searched for values that are not finite, because the engine does that: see
        `named_by_scikit_learn`.
        """
        if type(X) is np.ndarray and self._needs_no_change(X, reset=reset):
            if finite:
                assert_all_finite(X, estimator_name=type(self).__name__, input_name="X")
            if reset:
                self.n_features_in_ = X.shape[1]
                self.__dict__.pop("feature_names_in_", None)
            return X
        if is_stored(X):
            rows = cast(Any, X).reshape(len(cast(Any, X)), -1)
            _check_feature_names(self, rows, reset=reset)
            _check_n_features(self, rows, reset=reset)
            return rows
        if is_collection(X):
            from steinhaus.engines.cluster.arrays import collected

            x = collected(X)
            _check_feature_names(
                self, getattr(X, "_meta", X), reset=reset
            )  # the empty frame of a Dask data frame has its names
            _check_n_features(self, x, reset=reset)
            return x
        return validate_data(
            self, X, reset=reset, accept_sparse="csr", dtype=DTYPES, order="C",
            ensure_all_finite=finite or issparse(X),
        )  # fmt: skip

    def _needs_no_change(self, x: NDArray[Any], *, reset: bool) -> bool:
        """Whether scikit-learn's `validate_data` would only search x (n, d) for values that are not finite.

        For up to a hundred rows, that function takes longer than everything else.
        """
        return (
            x.ndim == 2
            and x.size > 0
            and x.flags.c_contiguous
            and x.dtype in _READ_AS_THEY_ARE
            and (reset or (x.shape[1] == self.n_features_in_ and "feature_names_in_" not in vars(self)))
        )

    @property
    def _threads(self) -> int | None:
        """`n_threads`; if it is None, the number in OMP_NUM_THREADS, as in scikit-learn.

        joblib sets that variable for its processes, so that they do not compete for cores.
        """
        allowed = os.environ.get("OMP_NUM_THREADS", "")
        if self.n_threads is not None or not allowed.isdecimal() or not int(allowed):
            return None if self.n_threads is None else int(self.n_threads)  # True is 1, as elsewhere in Python
        return min(int(allowed), available_cores())

    def _centroids(self) -> Float64:
        return np.ascontiguousarray(self.cluster_centers_, np.float64)

    def _state(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """The fitted attributes for `save`: plain values, and arrays."""
        plain: dict[str, Any] = {
            "inertia_": float(self.inertia_), "n_iter_": int(self.n_iter_), "n_features_in_": int(self.n_features_in_),
        }  # fmt: skip
        if hasattr(self, "feature_names_in_"):
            plain["feature_names_in_"] = self.feature_names_in_.tolist()
        arrays: dict[str, NDArray[Any]] = {"cluster_centers_": self.cluster_centers_}
        if hasattr(self, "labels_"):  # a fit may leave them out
            arrays["labels_"] = np.asarray(self.labels_)
        return plain, arrays

    def _set_state(self, plain: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> None:
        """Restore the attributes from `_state`. Raise ValueError if they are not valid."""
        centers, labels = arrays.pop("cluster_centers_"), arrays.pop("labels_", None)
        if centers.ndim != 2 or not centers.size or centers.dtype.kind != "f" or not np.isfinite(centers).all():
            raise ValueError("its centroids are not a table of finite numbers")
        if labels is not None:
            if labels.ndim != 1 or labels.dtype != np.int32 or not ((labels >= 0) & (labels < len(centers))).all():
                raise ValueError("its labels are not those of its clusters")
            self.labels_ = labels
        if plain["n_features_in_"] != centers.shape[1]:
            raise ValueError("its centroids have another number of features than it says")
        if not isinstance(plain["inertia_"], float) or not plain["inertia_"] >= 0:
            raise ValueError("its inertia is not a number of at least 0")
        if type(plain["n_iter_"]) is not int or plain["n_iter_"] < 1:
            raise ValueError("its number of iterations is not a whole number of at least 1")
        names = plain.get("feature_names_in_")
        if names is not None:
            if len(names) != centers.shape[1] or not all(isinstance(name, str) for name in names):
                raise ValueError("its features' names are not a list of one string each")
            self.feature_names_in_ = np.array(names, object)
        if arrays:
            raise ValueError(f"it holds tensors that its class does not have: {', '.join(map(repr, arrays))}")
        self.cluster_centers_ = centers
        self.inertia_, self.n_iter_ = plain["inertia_"], plain["n_iter_"]
        self.n_features_in_ = centers.shape[1]
        self._n_features_out = len(centers)

    def _html_repr(self) -> str:
        """The view in a notebook. After fitting, it shows clusters, their sizes and, for images, their means."""
        if not hasattr(self, "cluster_centers_"):
            return str(estimator_html_repr(self))
        from steinhaus.estimators.html import render

        return render(self)

    def _repr_html_inner(self) -> str:  # scikit-learn before 1.7 does not call `_html_repr`
        return self._html_repr()

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def labels_and_inertia(x: NDArray[Any], centroids: Float64, threads: int | None) -> tuple[Int32, float]:
    """Label the rows of x (n, d) by centroids (k, d): labels (n,) int32 and inertia, bit for bit as in a fit."""
    from steinhaus.centroids import inertia

    told = labelled(x, centroids, threads=threads)
    return told.labels, inertia(told.grid, told.totals, told.tally, centroids)


def assigned(points: Points, key: Hashable, centroids: Float64) -> tuple[float, Int64]:
    """Label the points by centroids (k, d) float64. Return the inertia and the clusters' counts, (k,) int64."""
    from steinhaus.centroids import inertia

    (tally,) = points.assign([Run(key, centroids)])
    return inertia(points.grid, points.totals, tally, centroids), tally.counts


def labels_of(points: Points, key: Hashable) -> Any:
    """The labels of a run, (n,) int32; a Dask array, left on the workers, where the points are there."""
    there: Any = points
    return there.labels_array(key) if offers(type(points), LabelsArray) else points.labels(key)
