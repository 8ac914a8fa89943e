"""KMeans with scikit-learn's interface and Steinhaus's engine."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import astuple, dataclass
from numbers import Integral, Real
from typing import Any, ClassVar, Self, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import _fit_context
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions

from steinhaus.engines import in_parts, opened
from steinhaus.estimators.checking import (
    centroid_dtype,
    check_enough,
    checked_start,
    checked_weights,
    init_for,
    named_by_scikit_learn,
    restarts_of,
    rounding_to,
    seed_of,
)
from steinhaus.estimators.clusterer import Clusterer, Init, assigned, labels_of
from steinhaus.estimators.listening import Callback, CallbackSupportMixin, Progress
from steinhaus.points import Fit, Float64, Points, Run, Step, Stop
from steinhaus.seeding import Init as Seeding
from steinhaus.seeding import Stream, starts


@dataclass(frozen=True)
class Restart:
    """The result of one restart.

    Attributes
    ----------
    inertia_history
        Inertia after each iteration's update of the centroids, in squared units of X, weighted.
    n_iter
        The number of iterations.
    inertia
        The inertia of the final labels with the final centroids, in squared units of X, weighted.
    stop_reason
        The reason why it ended, a `Stop`.
    """

    inertia_history: tuple[float, ...]
    n_iter: int
    inertia: float
    stop_reason: Stop


class KMeans(CallbackSupportMixin, Clusterer):  # type: ignore[misc]
    """K-means clustering by Lloyd's algorithm: exact labels, the same bits on every machine and number of threads.

    It is a drop-in replacement for `sklearn.cluster.KMeans`, with the same parameters, attributes, warnings and errors.
    If `init` is an array, it takes the same iterations as scikit-learn in float64. The page "Coming from scikit-learn"
    lists the intended differences.

    Parameters
    ----------
    n_clusters
        The number of clusters, at most the number of rows. Default 8.
    init
        How restarts begin:

        - "auto" (default): "k-means||" for rows on a cluster or on disk, else "k-means++"; `init_` tells which;
        - "k-means++": greedy k-means++ (Arthur and Vassilvitskii, SODA 2007);
        - "random": different rows;
        - "k-means||": six passes over the rows for any k (Bahmani et al., PVLDB 2012);
        - "hierarchical": for thousands of clusters. A sample is split into about sqrt(n_clusters) coarse clusters, and
          each of these into its share. The iterations that follow are exact and use all rows;
        - an (n_clusters, n_features) array;
        - a function `init(X, n_clusters, random_state=...)` that returns such an array.
    n_init
        The number of restarts. The best one is kept. "auto" (default): 10 for "random" and functions, else 1. Restarts
        advance together, so X is read once per iteration for all of them.
    max_iter
        The most iterations per restart. Default 300.
    tol
        A restart ends when the squared shift of its centroids is at most `tol` times the mean variance of the features.
        Default 1e-4. 0: it ends when no centroid moves.
    verbose
        Above 0, every iteration is printed. Default 0.
    random_state
        An integer makes results reproducible: restart r has the same start as run r of a study with that seed. Default:
        drawn from NumPy's global state, as in scikit-learn.
    copy_x
        Accepted for compatibility. X is never changed, and it is copied only if necessary.
    algorithm
        Accepted for compatibility. "lloyd" (default) and "elkan" do the same.
    n_threads
        The number of threads. It does not change the result. Default: OMP_NUM_THREADS, or one per core.
    callback
        A function that is called with an `Iteration` after every iteration and every step of refining. If it returns
        True, that restart or the refining stops. Default: none.
    refine
        "breathing": improve the best restart with breathing k-means (Fritzke, 2020). It adds a few centroids where the
        error is largest, removes as many where they matter least, moves single points, and keeps the better result. The
        result is never worse, and as reproducible. Default None: the best restart is the result.
    refine_steps
        The most steps of refining. Default: until they no longer help.
    refine_time
        Seconds after which no further step begins. The result then depends on the speed of the machine. Default: no
        limit.

    Attributes
    ----------
    cluster_centers_ : (n_clusters, n_features) float64, float32 for float32 X
        The centroids, in the units of X.
    labels_ : (n,) int32
        The label of each row's nearest centroid in `cluster_centers_`, ties to the lowest.
    inertia_ : float
        The weighted sum of squared distances of the rows to their centroids, in squared units of X.
    n_iter_ : int
        The number of iterations of the best restart, without refining.
    inertia_history_ : (n_iter,) float64
        Inertia after each iteration of the best restart.
    init_ : str
        How the restarts began: the name of the start, never "auto"; "array" or "function" if one was given.
    stop_reason_ : Stop
        The reason why the best restart, or the last iterations of refining, ended. `stop_reason_.value` is a sentence.
    runs_ : list of Restart
        Every restart, in order.
    refine_ : list of Step
        The steps of refining, in order: `added` centroids, the `inertia` found, whether it was `kept`, `iterations` and
        `seconds`. Empty without `refine`.
    n_features_in_ : int
        The number of features.
    feature_names_in_ : (n_features,) object
        The names of the features, if X had names.

    References
    ----------
    S. P. Lloyd, Least squares quantization in PCM, IEEE Transactions on Information Theory 28, 1982.
    B. Fritzke, The breathing k-means algorithm, arXiv 2006.15666, 2020.

    Examples
    --------
    >>> from steinhaus import KMeans
    >>> X = [[1, 2], [1, 4], [1, 0], [10, 2], [10, 4], [10, 0]]
    >>> kmeans = KMeans(n_clusters=2, random_state=0).fit(X)
    >>> sorted(kmeans.cluster_centers_.tolist())
    [[1.0, 2.0], [10.0, 2.0]]
    >>> bool(kmeans.predict([[0, 0]]) == kmeans.labels_[0])
    True
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "n_clusters": [Interval(Integral, 1, None, closed="left")],
        "init": [StrOptions({"auto", "k-means++", "random", "k-means||", "hierarchical"}), callable, "array-like"],
        "n_init": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "verbose": ["verbose"],
        "random_state": ["random_state"],
        "copy_x": ["boolean"],
        "algorithm": [StrOptions({"lloyd", "elkan"})],
        "n_threads": [Interval(Integral, 1, None, closed="left"), None],
        "callback": [callable, None],
        "refine": [StrOptions({"breathing"}), None],
        "refine_steps": [Interval(Integral, 1, None, closed="left"), None],
        "refine_time": [Interval(Real, 0, None, closed="neither"), None],
    }

    _project: Callable[[Float64], Float64] | None = None  # applied to the means (k, d) after each update
    inertia_history_: Float64
    init_: str
    stop_reason_: Stop
    runs_: list[Restart]
    refine_: list[Step]

    def __init__(
        self,
        n_clusters: int = 8,
        *,
        init: Init = "auto",
        n_init: int | str = "auto",
        max_iter: int = 300,
        tol: float = 1e-4,
        verbose: int = 0,
        random_state: int | np.random.RandomState | None = None,
        copy_x: bool = True,
        algorithm: str = "lloyd",
        n_threads: int | None = None,
        callback: Callback | None = None,
        refine: str | None = None,
        refine_steps: int | None = None,
        refine_time: float | None = None,
    ) -> None:
        self.n_clusters = n_clusters
        self.init = init
        self.n_init = n_init
        self.max_iter = max_iter
        self.tol = tol
        self.verbose = verbose
        self.random_state = random_state
        self.copy_x = copy_x
        self.algorithm = algorithm
        self.n_threads = n_threads
        self.callback = callback
        self.refine = refine
        self.refine_steps = refine_steps
        self.refine_time = refine_time

    @_fit_context(prefer_skip_nested_validation=True)  # type: ignore[untyped-decorator]
    def fit(self, X: ArrayLike, y: None = None, sample_weight: ArrayLike | None = None) -> Self:
        """Find centroids.

        Parameters
        ----------
        X : (n, n_features) array-like, sparse matrix, Dask array or data frame, or stored rows
            Rows to cluster, finite. Integers and floats keep their type, and CSR stays sparse. A Dask collection stays
            on the workers of the current `distributed.Client`; its labels stay there, too, as a Dask array. Stored
            rows, `open_images(path, stored=True).rows`, are read from disk once per iteration.
        y
            Ignored.
        sample_weight : (n,) array-like, optional
            The weights: at least 0, not all 0. Default: every row has weight 1. They weight means, inertia and the
            drawing of starts. Whole numbers are exact: a row of weight 2 counts as two rows. Other weights are rounded
            to a multiple of 2^-46 of their sum or 2^-20 of the smallest, whichever is finer. With a Dask collection, a
            Dask array is accepted, too; all weights are brought to this process, 8 bytes per row.

        Returns
        -------
        self

        Warns
        -----
        ConvergenceWarning
            If there are fewer different rows than clusters.

        Raises
        ------
        ValueError
            If a parameter is out of range, or if X is not finite or has fewer rows than clusters.
        """
        x = self._validated(X, reset=True, finite=False)
        weights = checked_weights(sample_weight, x)
        self._check_against(x)
        how: dict[str, Any] = {"k": self.n_clusters, "weights": weights, "threads": self._threads}
        with named_by_scikit_learn(self, x), opened(x, **how) as points:
            seed = seed_of(self.random_state) if isinstance(self.init, str) or self.refine else 0
            progress = Progress(self, self._n_init, {"X": x, "metadata": {"sample_weight": weights}})
            fits: dict[Any, Fit] = {}
            for fit in self._fits(points, x, weights, seed, progress):
                progress.end(fit)
                if all((fit.inertia, fit.key) < (other.inertia, other.key) for other in fits.values()):
                    found, best = self._keep(points, fit, centroid_dtype(x)), fit
                fits[fit.key] = fit
            self.refine_ = []
            if self.refine is not None:
                found = self._refined(points, best, seed, progress, centroid_dtype(x))
        self.runs_ = [Restart(fit.history, fit.iterations, fit.inertia, fit.stop) for _, fit in sorted(fits.items())]
        progress.close({name: value for name, value in vars(self).items() if name.endswith("_")})
        if found < self.n_clusters:
            self._warn_of_empty_clusters(found)
        return self

    def _check_against(self, x: Any) -> None:
        """Check the parameters against the points, and set the number of restarts."""
        check_enough(x, self.n_clusters)
        self._n_init, self.init_ = restarts_of(self, 10), init_for(self.init, x)
        if self.refine is None and (self.refine_steps is not None or self.refine_time is not None):
            raise ValueError(
                "refine_steps and refine_time limit how long refining takes, but refine is None. Set "
                'refine="breathing", or leave them None.'
            )
        if self.algorithm == "elkan" and self.n_clusters == 1:
            warnings.warn(
                "algorithm='elkan' doesn't make sense for a single cluster. Using 'lloyd' instead.",
                RuntimeWarning,
                stacklevel=4,
            )

    def _fits(self, points: Points, x: Any, weights: Float64 | None, seed: int, progress: Progress) -> Iterator[Fit]:
        """Make the restarts, and yield each as it ends, while the engine holds its labels."""
        # in: x (n, d); weights (n,) float64
        from steinhaus.lloyd import lloyd
        from steinhaus.restarts import restarted

        dtype = centroid_dtype(x)
        single = dtype == np.float32 and self.refine is None
        how: dict[str, Any] = {"max_iter": self.max_iter, "tol": self.tol}
        starts = None if self.init_ == "k-means++" else [*self._starts(points, x, weights, seed)]
        if not progress.is_heard and self._project is None:
            streams = () if starts else [Stream(seed, self.n_clusters, restart) for restart in range(self._n_init)]
            if fits := restarted(points, self.n_clusters, starts or streams, single=single, **how):
                yield from fits
                return
        starts = starts or [*self._starts(points, x, weights, seed)]
        progress.begin()
        yield from lloyd(
            points,
            [Run(restart, start) for restart, start in enumerate(starts)],
            watch=progress.watch if progress.is_heard else None,
            project=self._project,
            rounded=rounding_to(dtype) if single else None,
            **how,
        )

    def _starts(self, points: Points, x: Any, weights: Float64 | None, seed: int) -> Iterator[Float64]:
        """Yield the starting centroids of each restart, (n_clusters, n_features) float64."""
        # in: x (n, d); weights (n,) float64
        from steinhaus.hierarchy import hierarchical

        init: Any = self.init
        if isinstance(self.init, str):
            for restart in range(self._n_init):
                stream = Stream(seed, self.n_clusters, restart)
                counts = points.totals.draws
                if self.init_ == "hierarchical":
                    with in_parts(points, x, counts, threads=self._threads) as parts:
                        start = hierarchical(points, self.n_clusters, stream, parts, weights=counts)
                    yield start
                else:
                    yield starts(points, self.n_clusters, cast(Seeding, self.init_), stream, weights=counts)
        elif callable(init):
            random = check_random_state(self.random_state)
            for _ in range(self._n_init):
                yield self._checked_start(init(x, self.n_clusters, random_state=random), x)
        else:
            yield self._checked_start(init, x)

    def _checked_start(self, start: ArrayLike, x: Any) -> Float64:
        return checked_start(start, self.n_clusters, x.shape[1])

    def _refined(self, points: Points, best: Fit, seed: int, progress: Progress, dtype: np.dtype[Any]) -> int:
        """Refine the best restart and make it the result. Return the number of clusters that have rows."""
        from steinhaus.refining import Budget, Lloyd, Search, refine, streams

        how = Lloyd(self.max_iter, self.tol, self._project)
        budget = Budget(self.refine_steps, self.refine_time)
        draws = streams(seed, self.n_clusters, int(str(best.key)))
        search = refine(points, Search(best), draws, how, budget, progress.step if progress.is_heard else None)
        self.refine_ = [*search.steps]
        iterations = self.n_iter_, self.inertia_history_
        found = self._keep(points, search.best, dtype)
        self.n_iter_, self.inertia_history_ = iterations
        return found

    def _keep(self, points: Points, fit: Fit, dtype: np.dtype[Any]) -> int:
        """Make this fit the result. Return the number of clusters that have rows.

        If centroids are only now rounded to float32, labels and inertia are computed again.
        """
        self.cluster_centers_ = fit.centroids.astype(dtype)
        self.inertia_, counts = fit.inertia, fit.counts
        if not np.array_equal(self._centroids(), fit.centroids):
            self.inertia_, counts = assigned(points, fit.key, self._centroids())
        self.labels_ = labels_of(points, fit.key)
        self.n_iter_ = fit.iterations
        self.inertia_history_ = np.array(fit.history)
        self.stop_reason_ = fit.stop
        self._n_features_out = len(fit.centroids)
        if points.totals.weights is not None:  # a cluster whose rows have no weight counts, too
            counts = np.bincount(self.labels_)
        return int(np.count_nonzero(counts))

    def _state(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        plain, arrays = super()._state()
        plain["stop_reason_"] = self.stop_reason_.name
        plain["init_"] = self.init_
        plain["runs_"] = [[list(run.inertia_history), run.inertia, run.stop_reason.name] for run in self.runs_]
        if self.refine_:
            plain["refine_"] = [list(astuple(step)) for step in self.refine_]
        return plain, {**arrays, "inertia_history_": self.inertia_history_}

    def _set_state(self, plain: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> None:
        history = arrays.pop("inertia_history_")
        super()._set_state(plain, arrays)
        if history.dtype != np.float64 or history.shape != (self.n_iter_,) or not np.isfinite(history).all():
            raise ValueError("its inertia history is not one finite number per iteration")
        runs = [
            Restart(tuple(map(float, told)), len(told), float(cost), Stop[reason])
            for told, cost, reason in plain["runs_"]
        ]
        self.init_ = str(plain.get("init_", self.init if isinstance(self.init, str) else "array"))
        self.inertia_history_, self.stop_reason_, self.runs_ = history, Stop[plain["stop_reason_"]], runs
        self.refine_ = [
            Step(int(added), float(cost), bool(kept), int(iterations), float(seconds))
            for added, cost, kept, iterations, seconds in plain.get("refine_", [])
        ]

    def _warn_of_empty_clusters(self, found: int) -> None:
        reason = "Possibly due to duplicate points in X."
        if self.stop_reason_ is Stop.MAX_ITER:
            reason = f"Further iterations than max_iter={self.max_iter} may fill empty clusters. {reason}"
        warnings.warn(
            f"Number of distinct clusters ({found}) found smaller than n_clusters ({self.n_clusters}). {reason}",
            ConvergenceWarning,
            stacklevel=4,
        )
