"""K-means by small batches, for streams and for data too large to be passed over often: approximate, reproducible."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import _fit_context
from sklearn.utils._param_validation import Interval, StrOptions

from steinhaus.centroids import inertia, means
from steinhaus.engines import opened
from steinhaus.estimators.clusterer import (
    Clusterer,
    Init,
    assigned,
    centroid_dtype,
    check_enough,
    checked_start,
    checked_weights,
    seed_of,
)
from steinhaus.points import Float64, Run
from steinhaus.seeding import Stream, starts


class MiniBatchKMeans(Clusterer):
    """K-means by stochastic updates (Sculley, 2010): each batch moves a centroid towards the mean of its rows there.

    A centroid is always the mean of all rows that were ever given to it, by the centroids as they then were; so the
    result depends on the order of the rows and is not a fixed point of Lloyd's algorithm. Within a batch labels and
    sums are exact, and batches are drawn from the seed: the same bits for the same seed, whatever the number of
    threads. It has fewer parameters than scikit-learn's, and does not reassign clusters that stay empty.

    Parameters
    ----------
    n_clusters
        The number of clusters.
    init
        "k-means++" or "random", from the first 3 batches' rows; or an (n_clusters, n_features) array.
    max_iter
        The most passes of `fit` over X.
    batch_size
        Rows a batch.
    tol
        `fit` ends when a pass lowers the batches' inertia by no more than `tol` times what it was in the pass before.
    random_state
        An integer makes results reproducible.
    n_threads
        The number of threads; None: one a core, or as many as OMP_NUM_THREADS says. It does not change the result.

    Attributes
    ----------
    cluster_centers_ : (n_clusters, n_features) float64, float32 for float32 X
        The centroids, in the units of X.
    labels_ : (n,) int32
        The labels of the rows of X, of `partial_fit`'s last batch; they belong to `cluster_centers_`.
    inertia_ : float
        Of those rows, weighted.
    counts_ : (n_clusters,) float64
        The weight of all rows that each centroid is the mean of.
    n_iter_ : int
        Passes over X.
    n_steps_ : int
        Batches.

    References
    ----------
    D. Sculley, Web-scale k-means clustering, WWW 2010.

    Examples
    --------
    >>> import numpy as np
    >>> from steinhaus import MiniBatchKMeans
    >>> stream = (np.array([[i % 2 * 10.0 + i / 100]] * 4) for i in range(20))
    >>> kmeans = MiniBatchKMeans(2, init=[[0.0], [10.0]])
    >>> for batch in stream:
    ...     kmeans = kmeans.partial_fit(batch)
    >>> kmeans.cluster_centers_.ravel().round(2).tolist()
    [0.09, 10.1]
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "n_clusters": [Interval(Integral, 1, None, closed="left")],
        "init": [StrOptions({"k-means++", "random"}), "array-like"],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "random_state": ["random_state"],
        "n_threads": [Interval(Integral, 1, None, closed="left"), None],
    }

    counts_: Float64
    n_steps_: int

    def __init__(
        self,
        n_clusters: int = 8,
        *,
        init: Init = "k-means++",
        max_iter: int = 100,
        batch_size: int = 1024,
        tol: float = 1e-3,
        random_state: int | np.random.RandomState | None = None,
        n_threads: int | None = None,
    ) -> None:
        self.n_clusters = n_clusters
        self.init = init
        self.max_iter = max_iter
        self.batch_size = batch_size
        self.tol = tol
        self.random_state = random_state
        self.n_threads = n_threads

    @_fit_context(prefer_skip_nested_validation=True)  # type: ignore[untyped-decorator]
    def fit(self, X: ArrayLike, y: None = None, sample_weight: ArrayLike | None = None) -> Self:
        """Find centroids in passes over X, each in another order.

        Parameters
        ----------
        X : (n, n_features) array-like or sparse matrix
            Rows to cluster, finite.
        y
            Ignored.
        sample_weight : (n,) array-like, optional
            Not negative, not all zero; none: 1 each.

        Raises
        ------
        ValueError
            A parameter is out of range; X is not finite, or has fewer rows than clusters.
        """
        x = self._validated(X, reset=True)
        weights = checked_weights(sample_weight, x)
        n = x.shape[0]
        stream = Stream(seed_of(self.random_state), self.n_clusters, 0)
        self._begin(x, weights, stream.distinct(min(n, 3 * self.batch_size), n), stream)
        before = np.inf
        for _ in range(self.max_iter):
            self.n_iter_ += 1
            cost, order = 0.0, stream.permutation(n)
            for first in range(0, n, self.batch_size):
                batch = order[first : first + self.batch_size]
                cost += self._step(x[batch], None if weights is None else weights[batch])
            if cost >= (1.0 - self.tol) * before:
                break
            before = cost
        return self._finish(x, weights)

    @_fit_context(prefer_skip_nested_validation=True)  # type: ignore[untyped-decorator]
    def partial_fit(self, X: ArrayLike, y: None = None, sample_weight: ArrayLike | None = None) -> Self:
        """Learn from one more batch, all of X; the first one must have as many rows as there are clusters.

        Parameters are `fit`'s.
        """
        first = not hasattr(self, "counts_")
        x = self._validated(X, reset=first)
        weights = checked_weights(sample_weight, x)
        if first:
            stream = Stream(seed_of(self.random_state), self.n_clusters, 0)
            self._begin(x, weights, np.arange(x.shape[0]), stream)
        self.n_iter_ += 1
        self._step(x, weights)
        return self._finish(x, weights)

    def _state(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        plain, arrays = super()._state()
        return {**plain, "n_steps_": self.n_steps_}, {**arrays, "counts_": self.counts_, "exact": self._centers}

    def _set_state(self, plain: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> None:
        counts, exact = arrays.pop("counts_"), arrays.pop("exact")
        super()._set_state(plain, arrays)
        with np.errstate(over="ignore"):
            rounded = exact.astype(self.cluster_centers_.dtype)
        if exact.dtype != np.float64 or not np.array_equal(rounded, self.cluster_centers_):
            raise ValueError("its exact centroids are not those that it gives")
        if counts.dtype != np.float64 or counts.shape != (len(exact),) or not (counts >= 0).all():
            raise ValueError("its counts are not a number of at least 0 for each cluster")
        if type(plain["n_steps_"]) is not int or plain["n_steps_"] < 1:
            raise ValueError("its number of batches is not a whole number of at least 1")
        self.counts_, self._centers, self.n_steps_ = counts, exact, plain["n_steps_"]

    def _begin(self, x: Any, weights: Float64 | None, sample: NDArray[np.int64], stream: Stream) -> None:
        """Choose the first centroids, from these rows where they are not given."""
        check_enough(x, self.n_clusters)
        init: Any = self.init
        if isinstance(init, str):
            sample = sample if len(sample) >= self.n_clusters else np.arange(x.shape[0])
            chosen = None if weights is None else weights[sample]
            with opened(x[sample], weights=chosen, threads=self._threads) as points:
                kind: Any = init
                self._centers = starts(points, self.n_clusters, kind, stream, weights=points.totals.weights)
        else:
            self._centers = checked_start(init, self.n_clusters, x.shape[1])
        self.counts_ = np.zeros(self.n_clusters)
        self.n_steps_ = self.n_iter_ = 0

    def _step(self, x: Any, weights: Float64 | None) -> float:
        """Learn from a batch; its inertia before that."""
        if weights is not None and not weights.any():
            return 0.0
        with opened(x, weights=weights, threads=self._threads) as points:
            (tally,) = points.assign([Run(0, self._centers)])
            cost = inertia(points.grid, points.totals, tally, self._centers)
            following = means(points.grid, tally, self._centers)
            added = tally.counts * points.totals.unit
        self.counts_ += added
        rates = np.divide(added, self.counts_, out=np.zeros(self.n_clusters), where=added > 0)
        self._centers = self._centers + rates[:, np.newaxis] * (following - self._centers)
        self.n_steps_ += 1
        return cost

    def _finish(self, x: Any, weights: Float64 | None) -> Self:
        """Label these rows by the centroids as they are now."""
        self.cluster_centers_ = self._centers.astype(centroid_dtype(x))
        self._n_features_out = self.n_clusters
        with opened(x, weights=weights, threads=self._threads) as points:
            self.inertia_, _ = assigned(points, 0, self._centroids())
            self.labels_ = points.labels(0)
        return self
