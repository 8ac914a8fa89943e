"""K-means by small batches, for streams and for large data. It is approximate, but reproducible."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import ExitStack
from numbers import Integral, Real
from typing import Any, ClassVar, Self, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import _fit_context
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions

from steinhaus.engines import opened
from steinhaus.estimators.checking import (
    centroid_dtype,
    check_enough,
    checked_start,
    checked_weights,
    named_by_scikit_learn,
    restarts_of,
    seed_of,
)
from steinhaus.estimators.clusterer import Clusterer, Init, assigned, labels_and_inertia
from steinhaus.estimators.improving import Improvement
from steinhaus.estimators.supply import Added, Supply
from steinhaus.points import Float64, Int64
from steinhaus.seeding import Init as Seeding
from steinhaus.seeding import Stream, starts


class MiniBatchKMeans(Clusterer):
    """K-means by stochastic updates (Sculley, 2010): each batch moves a centroid towards the mean of its rows.

    It is a drop-in replacement for `sklearn.cluster.MiniBatchKMeans`, with the same parameters, rules and defaults.
    Labels and sums within a batch are exact, and the seed decides the batches. So the same seed gives the same bits for
    any number of threads.

    It differs from scikit-learn in four points: the same seed draws other rows; starts are drawn from different rows;
    centroids are float64 until the end of a call, also for float32 X; the largest cluster is never reassigned.

    Between reassignments, a centroid is the mean of all rows that were assigned to it, each at its time. So the result
    depends on the order of the rows, and is not a fixed point of Lloyd's algorithm.

    Parameters
    ----------
    n_clusters
        The number of clusters, at most the number of rows of `fit` or of the first `partial_fit`. Default 8.
    init
        "k-means++" (default) or "random", from `init_size` rows; an (n_clusters, n_features) array; or a function
        `init(X, n_clusters, random_state=...)` of those rows that returns such an array.
    max_iter
        The most rows that `fit` draws, as a number of passes over X. Default 100.
    batch_size
        Rows per batch. They are drawn with replacement and, if there are weights, by weight. Default 1024.
    verbose
        Above 0, every batch is printed. Default 0.
    compute_labels
        Whether to label all of X at the end. Default True. If not, there is no `labels_`, and `inertia_` is an
        estimate.
    random_state
        An integer makes results reproducible. Default: drawn from NumPy's global state, as in scikit-learn.
    tol
        `fit` ends when the squared shift of the centroids in a batch is at most `tol` times the mean variance of the
        features. Default 0: this rule is not used.
    max_no_improvement
        `fit` ends after so many batches in a row that do not lower the smoothed inertia. Default 10. None: this rule is
        not used.
    init_size
        The number of rows from which the start is chosen, at least `n_clusters`. Default: 3 batches, or 3 rows per
        cluster if that is more.
    n_init
        The number of starts that `fit` tries. It uses the one with the smallest inertia on `init_size` rows. "auto"
        (default): 1 for "k-means++" and arrays, 3 for "random" and functions.
    reassignment_ratio
        A cluster with less than this share of the largest cluster's weight restarts at a random row of the batch. This
        is checked after every 10 rows per cluster, and while a cluster is empty. Default 0.01. 0: never.
    n_threads
        The number of threads. It does not change the result. Default: OMP_NUM_THREADS, or one per core.

    Attributes
    ----------
    cluster_centers_ : (n_clusters, n_features) float64, float32 for float32 X
        The centroids, in the units of X.
    labels_ : (n,) int32
        The label of each row of X, or of the last batch of `partial_fit`, for `cluster_centers_`.
    inertia_ : float
        The inertia of those rows, weighted, in squared units of X.
    counts_ : (n_clusters,) float64
        The weight of the rows in each centroid's mean. In `fit`, rows are drawn by weight and count once.
    n_iter_ : int
        The number of rows in all batches as passes over X, rounded up. Calls of `partial_fit` are added.
    n_steps_ : int
        The number of batches.
    n_features_in_ : int
        The number of features.
    feature_names_in_ : (n_features,) object
        The names of the features, if X had names.

    References
    ----------
    D. Sculley, Web-scale k-means clustering, WWW 2010.

    Examples
    --------
    >>> import numpy as np
    >>> from steinhaus import MiniBatchKMeans
    >>> stream = (np.array([[i % 2 * 10.0 + i / 100]] * 4) for i in range(20))
    >>> kmeans = MiniBatchKMeans(2, init=[[0.0], [10.0]], reassignment_ratio=0)
    >>> for batch in stream:
    ...     kmeans = kmeans.partial_fit(batch)
    >>> kmeans.cluster_centers_.ravel().round(2).tolist()
    [0.09, 10.1]
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "n_clusters": [Interval(Integral, 1, None, closed="left")],
        "init": [StrOptions({"k-means++", "random"}), callable, "array-like"],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "verbose": ["verbose"],
        "compute_labels": ["boolean"],
        "random_state": ["random_state"],
        "tol": [Interval(Real, 0, None, closed="left")],
        "max_no_improvement": [Interval(Integral, 0, None, closed="left"), None],
        "init_size": [Interval(Integral, 1, None, closed="left"), None],
        "n_init": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "reassignment_ratio": [Interval(Real, 0, None, closed="left")],
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
        verbose: int = 0,
        compute_labels: bool = True,
        random_state: int | np.random.RandomState | None = None,
        tol: float = 0.0,
        max_no_improvement: int | None = 10,
        init_size: int | None = None,
        n_init: int | str = "auto",
        reassignment_ratio: float = 0.01,
        n_threads: int | None = None,
    ) -> None:
        self.n_clusters = n_clusters
        self.init = init
        self.max_iter = max_iter
        self.batch_size = batch_size
        self.verbose = verbose
        self.compute_labels = compute_labels
        self.random_state = random_state
        self.tol = tol
        self.max_no_improvement = max_no_improvement
        self.init_size = init_size
        self.n_init = n_init
        self.reassignment_ratio = reassignment_ratio
        self.n_threads = n_threads

    @_fit_context(prefer_skip_nested_validation=True)  # type: ignore[untyped-decorator]
    def fit(self, X: ArrayLike, y: None = None, sample_weight: ArrayLike | None = None) -> Self:
        """Learn from batches drawn from X.

        Parameters
        ----------
        X : (n, n_features) array-like or sparse matrix
            Rows to cluster, finite.
        y
            Ignored.
        sample_weight : (n,) array-like, optional
            The weights: at least 0, not all 0. Default: every row has weight 1. Rows are drawn by weight.

        Returns
        -------
        self

        Warns
        -----
        RuntimeWarning
            If `init` is an array and `n_init` is more than 1, or if `init_size` is less than `n_clusters`.

        Raises
        ------
        ValueError
            If a parameter is out of range, or if X is not finite or has fewer rows than clusters.
        """
        x = self._validated(X, reset=True, finite=False)
        weights = checked_weights(sample_weight, x)
        self._check_against(x)
        with named_by_scikit_learn(self, x):
            supply = Supply(x, weights, self._threads)
        n, size = x.shape[0], min(self.batch_size, x.shape[0])
        stream = self._begin(supply, self._n_init)
        steps = self.max_iter * n // size
        improvement = Improvement(
            batch_size=size, n=n, steps=steps, tolerance=self.tol and self.tol * supply.mean_variance(),
            patience=self.max_no_improvement, verbose=bool(self.verbose),
        )  # fmt: skip
        for _ in range(steps):
            rows, before = supply.drawn(size, stream), self._centers
            inertia = self._step(supply, rows, supply.add(rows, before), stream)
            if improvement.ends(inertia, float(np.square(self._centers - before).sum()) if self.tol else 0.0):
                break
        self.n_iter_ = -(-self.n_steps_ * size // n)
        self._finish(x, weights)
        if not self.compute_labels:
            self.inertia_ = improvement.smoothed * (n if weights is None else float(weights.sum()))
        return self

    @_fit_context(prefer_skip_nested_validation=True)  # type: ignore[untyped-decorator]
    def partial_fit(self, X: ArrayLike, y: None = None, sample_weight: ArrayLike | None = None) -> Self:
        """Learn from one batch, which is all of X. A fitted estimator continues from its centroids.

        Parameters
        ----------
        X : (n, n_features) array-like or sparse matrix
            The batch, finite. The first one needs at least as many rows as clusters.
        y
            Ignored.
        sample_weight : (n,) array-like, optional
            The weights of the rows: at least 0, not all 0. Default: every row has weight 1.

        Returns
        -------
        self
        """
        first = not hasattr(self, "counts_")
        x = self._validated(X, reset=first, finite=False)
        weights = checked_weights(sample_weight, x)
        if first:
            self._check_against(x)
        with named_by_scikit_learn(self, x):
            supply = Supply(x, weights, self._threads)
        if first:
            self._begin(supply, 1)
        stream = Stream(self._seed, self.n_clusters, 0, self.n_steps_ + 2)
        self._step(supply, np.arange(x.shape[0]), supply.add_all(self._centers), stream)
        self.n_iter_ += 1
        self._finish(x, weights)
        return self

    def _check_against(self, x: Any) -> None:
        """Check the parameters against x (n, d). Set the number of starts, and of the rows to choose them from."""
        check_enough(x, self.n_clusters)
        self._n_init = restarts_of(self, 3)
        size = 3 * min(self.batch_size, x.shape[0]) if self.init_size is None else self.init_size
        if size < self.n_clusters:
            if self.init_size is not None:
                warnings.warn(
                    f"init_size={self.init_size} should be larger than n_clusters={self.n_clusters}. Setting it to "
                    "min(3*n_clusters, n_samples)",
                    RuntimeWarning,
                    stacklevel=4,
                )
            size = 3 * self.n_clusters
        self._init_size = min(size, x.shape[0])

    def _begin(self, supply: Supply, tries: int) -> Stream:
        """Choose the first centroids. Return the stream from which batches are drawn."""
        self._seed = seed_of(self.random_state)
        stream = Stream(self._seed, self.n_clusters, 0, 1)
        streams = [Stream(self._seed, self.n_clusters, place) for place in range(tries)]
        found = [*(self._seeded if isinstance(self.init, str) else self._given)(supply, streams)]
        best = 0
        if tries > 1:
            rows = supply.drawn(self._init_size, stream)
            costs = [supply.add(rows, start).inertia for start in found]
            for place, cost in enumerate(costs):
                self._say(f"Inertia for init {place + 1}/{tries}: {cost}")
            best = int(np.argmin(costs))
        self._centers = found[best]
        self.counts_ = np.zeros(self.n_clusters)
        self.n_steps_ = self.n_iter_ = self._since = 0
        return stream

    def _seeded(self, supply: Supply, streams: list[Stream]) -> Iterator[Float64]:
        """Choose the starting centroids of each try, (n_clusters, n_features), from rows of its own, or from all."""
        with ExitStack() as stack:
            points = None
            for stream in streams:
                rows = supply.distinct(self._init_size, self.n_clusters, stream)
                if points is None or rows is not None:
                    stack.close()
                    x, weights = supply.some(rows)
                    engine = opened(x, k=self.n_clusters, weights=weights, threads=self._threads)
                    points = stack.enter_context(engine)
                yield starts(points, self.n_clusters, cast(Seeding, self.init), stream, weights=points.totals.draws)

    def _given(self, supply: Supply, streams: list[Stream]) -> Iterator[Float64]:
        """The user's starting centroids of each try, (n_clusters, n_features)."""
        init: Any = self.init
        random = check_random_state(self.random_state) if callable(init) else None
        for stream in streams:
            start = init
            if callable(init):
                x, _ = supply.some(supply.distinct(self._init_size, self.n_clusters, stream))
                start = init(x, self.n_clusters, random_state=random)
            yield checked_start(start, self.n_clusters, supply.x.shape[1])

    def _step(self, supply: Supply, rows: Int64, added: Added, stream: Stream) -> float:
        """Learn from a batch. Return its inertia before the update. rows: (m,) int64."""
        self._since += min(self.batch_size, len(rows))
        due = not self.counts_.all() or self._since >= 10 * self.n_clusters
        self.counts_ = self.counts_ + added.weights
        rates = np.divide(added.weights, self.counts_, out=np.zeros(self.n_clusters), where=self.counts_ > 0)
        self._centers = self._centers + rates[:, np.newaxis] * (added.means - self._centers)
        if due:
            self._since = 0
            self._reassign(supply, rows, stream)
        self.n_steps_ += 1
        return added.inertia

    def _reassign(self, supply: Supply, rows: Int64, stream: Stream) -> None:
        """Restart small clusters at rows of the batch, the smallest first, at most half of them."""
        # in: rows (m,) int64
        small = np.flatnonzero(self.counts_ < self.reassignment_ratio * self.counts_.max())
        small = small[np.argsort(self.counts_[small], kind="stable")]
        small = small[small != np.argmax(self.counts_)][: len(rows) // 2]
        if len(small):
            self._say(f"[MiniBatchKMeans] Reassigning {len(small)} cluster centers.")
            self._centers[small] = supply.values(rows[stream.distinct(len(small), len(rows))])
            self.counts_[small] = np.delete(
                self.counts_, small
            ).min()  # enough, so that they are not reassigned at once

    def _finish(self, x: Any, weights: Float64 | None) -> None:
        """Set the attributes: the current centroids, and the labels of x (n, d)."""
        self.cluster_centers_ = self._centers.astype(centroid_dtype(x))
        self._n_features_out = self.n_clusters
        if not self.compute_labels:
            self.__dict__.pop("labels_", None)
            return
        if weights is None and isinstance(x, np.ndarray):
            self.labels_, self.inertia_ = labels_and_inertia(x, self._centroids(), self._threads)
            return
        with opened(x, k=self.n_clusters, weights=weights, threads=self._threads) as points:
            self.inertia_, _ = assigned(points, 0, self._centroids())
            self.labels_ = points.labels(0)

    def _say(self, line: str) -> None:
        if self.verbose:
            sys.stdout.write(f"{line}\n")

    def _state(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        plain, arrays = super()._state()
        plain |= {"n_steps_": self.n_steps_, "seed": self._seed, "since": self._since}
        return plain, {**arrays, "counts_": self.counts_, "exact": self._centers}

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
        if any(type(plain[name]) is not int or plain[name] < 0 for name in ("seed", "since")):
            raise ValueError("its seed, or its rows since clusters were reassigned, is not a whole number")
        self.counts_, self._centers, self.n_steps_ = counts, exact, plain["n_steps_"]
        self._seed, self._since = plain["seed"], plain["since"]
