"""Steinhaus and its peers with one signature: from data and starting centroids to centroids, labels and iterations.

Every peer is set to use all points, no tolerance, and the threads it is given. scikit-learn and its Intel extension
take starting centroids and stop by themselves. faiss takes starting centroids and a number of iterations: as many as
scikit-learn needs in float64, which is as many as ours. The two SuperKMeans draw their own starts, and get a number of
iterations, too. These three return only centroids, so their time does not include the pass for final labels, as it does
for the others.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True)
class Job:
    """A task: one data set, and one fit per start."""

    x: Array  # (n, d)
    starts: list[Array]  # (k, d) float32 each
    max_iter: int
    iterations: list[int]  # for peers without a stopping rule
    threads: int


@dataclass(frozen=True)
class Outcome:
    """One fit."""

    centroids: Array  # (k, d)
    labels: Array | None  # (n,), or None if the peer returns none
    iterations: int


Fit = Callable[[Job], list[Outcome]]


@dataclass(frozen=True)
class Peer:
    """A peer: its title in tables, its package, and its type of data."""

    title: str
    package: str
    dtype: str  # "own": the type of the data; "float32", "float64"
    begin: Callable[[int], Fit]  # threads -> the function to measure; imports belong here
    own_starts: bool = False

    def version(self) -> str | None:
        """The installed version; None: it is not installed."""
        try:
            return version(self.package)
        except PackageNotFoundError:
            return None


def _ours(threads: int) -> Fit:
    from steinhaus.engines import choose
    from steinhaus.lloyd import lloyd
    from steinhaus.points import Run

    def fit(job: Job) -> list[Outcome]:
        points = choose(job.x, threads=threads)
        outcomes: dict[Any, Outcome] = {}
        runs = [Run(place, start.astype(np.float64)) for place, start in enumerate(job.starts)]
        for done in lloyd(points, runs, max_iter=job.max_iter, tol=0.0):
            outcomes[done.key] = Outcome(done.centroids, np.array(points.labels(done.key)), done.iterations)
        points.close()
        return [outcomes[place] for place in range(len(runs))]

    return fit


def _sklearn_like(module: str, algorithm: str) -> Callable[[int], Fit]:
    def begin(threads: int) -> Fit:
        from importlib import import_module

        estimator = import_module(module).KMeans

        def fit(job: Job) -> list[Outcome]:
            outcomes = []
            for start in job.starts:
                init = start.astype(job.x.dtype)
                model = estimator(len(init), init=init, n_init=1, max_iter=job.max_iter, tol=0.0, algorithm=algorithm)
                model.fit(job.x)
                outcomes.append(Outcome(model.cluster_centers_, model.labels_, int(model.n_iter_)))
            return outcomes

        return fit

    return begin


def _faiss(name: str) -> Callable[[int], Fit]:
    def begin(threads: int) -> Fit:
        import faiss

        faiss.omp_set_num_threads(threads)

        def fit(job: Job) -> list[Outcome]:
            n, d = job.x.shape
            outcomes = []
            for start, niter in zip(job.starts, job.iterations, strict=True):
                options = {"max_points_per_centroid": n, "min_points_per_centroid": 1}  # all points, always
                if hasattr(faiss.ClusteringParameters, "early_stop_threshold"):
                    # At 0 it ends once its float32 objective does not fall: MNIST, K = 10, at iteration 49 of 70.
                    options["early_stop_threshold"] = -1.0
                model = getattr(faiss, name)(d, len(start), niter=niter, seed=0, **options)
                model.train(job.x, **({"init_centroids": start} if name == "Kmeans" else {}))
                outcomes.append(Outcome(model.centroids, None, len(model.obj)))
            return outcomes

        return fit

    return begin


def _superkmeans(threads: int) -> Fit:
    from superkmeans import SuperKMeans

    def fit(job: Job) -> list[Outcome]:
        n, d = job.x.shape
        outcomes = []
        for start, iters in zip(job.starts, job.iterations, strict=True):
            model = SuperKMeans(
                len(start),
                d,
                hierarchical=False,
                iters=iters,
                sampling_fraction=1.0,
                max_points_per_cluster=n,
                n_threads=threads,
                seed=0,
                tol=0.0,
                early_termination=False,
            )
            centroids = model.train(job.x)
            if model.sampled_indices is not None:
                raise RuntimeError("superkmeans took a sample of the points, though it was told to use all")
            outcomes.append(Outcome(centroids, None, len(model.iteration_stats)))
        return outcomes

    return fit


PEERS = {
    "ours": Peer("Steinhaus", "llvmlite", "own", _ours),
    "before": Peer("Steinhaus, before", "llvmlite", "own", _ours),
    "sklearn": Peer("scikit-learn, lloyd", "scikit-learn", "float32", _sklearn_like("sklearn.cluster", "lloyd")),
    "sklearn-elkan": Peer("scikit-learn, elkan", "scikit-learn", "float32", _sklearn_like("sklearn.cluster", "elkan")),
    "sklearn-float64": Peer(
        "scikit-learn, lloyd, float64", "scikit-learn", "float64", _sklearn_like("sklearn.cluster", "lloyd")
    ),
    "sklearnex": Peer(
        "scikit-learn-intelex", "scikit-learn-intelex", "float32", _sklearn_like("sklearnex.cluster", "lloyd")
    ),
    "faiss": Peer("faiss, Kmeans", "faiss-cpu", "float32", _faiss("Kmeans")),
    "faiss-superkmeans": Peer("faiss, SuperKmeans", "faiss-cpu", "float32", _faiss("SuperKmeans"), own_starts=True),
    "superkmeans": Peer("superkmeans", "superkmeans", "float32", _superkmeans, own_starts=True),
}


def missing(name: str) -> str | None:
    """The reason why a peer cannot be measured here; None if it can."""
    peer = PEERS[name]
    if peer.version() is None:
        return f"{peer.package} is not installed (pip install 'steinhaus[bench]')"
    if name == "faiss-superkmeans":
        import faiss

        if not hasattr(faiss, "SuperKmeans"):
            return f"faiss-cpu {peer.version()} has no SuperKmeans"
    return None
