"""Lloyd's algorithm, for many runs at once.

S. P. Lloyd, Least squares quantization in PCM, IEEE Transactions on Information Theory 28, 1982.

All active runs advance together: one pass over the points serves every run, and a run that has ended leaves. This
module knows only the protocol `Points`, not where the points are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from steinhaus.centroids import inertia, means, refill, shift, tolerance_of
from steinhaus.points import Advancing, Fit, Float64, Points, Run, Stop, Tally, offers


def lloyd(
    points: Points,
    runs: Sequence[Run],
    *,
    max_iter: int = 300,
    tol: float = 0.0,
    watch: Callable[[Sequence[Run]], Sequence[Run] | None] | None = None,
    project: Callable[[Float64], Float64] | None = None,
    rounded: Callable[[Float64], Float64] | None = None,
) -> Iterator[Fit]:
    """Iterate every run to its end, and yield each as it ends.

    Parameters
    ----------
    points
        The engine that holds the points.
    runs
        The runs, each at its start or at any later state that `watch` was given. Both end in the same bits.
    max_iter
        The most iterations of one run, counted from its start.
    tol
        Relative tolerance, as in scikit-learn: a run ends when the sum of squares by which its centroids moved is at
        most `tol` times the mean variance of the features. 0: when no centroid moved.
    watch
        Called after every iteration with the active runs. It may return them, with a `stop` for each run that shall
        end there.
    project
        Changes the means after each update, (k, d) float64 -> (k, d) float64. Spherical k-means scales them. None: the
        means are the centroids.
    rounded
        Rounds the centroids of a run that stops before it has converged, (k, d) float64 -> (k, d) float64. Its last
        assignment is then by these. None: they are kept as they are.

    Yields
    ------
    Fit
        While the caller holds it, `points.labels(fit.key)` are its labels; then the engine forgets the run.
    """
    tolerance = tolerance_of(points, tol)
    active = [_begun(run, max_iter) for run in runs]
    alone = offers(type(points), Advancing) and watch is None and project is None
    while active:
        if alone:
            active = _ahead(points, active, max_iter, tolerance)
        if rounded:
            active = [replace(run, centroids=rounded(run.centroids)) if run.stop else run for run in active]
        tallies = points.assign(active)
        outcomes = [
            _finish(points, run, tally, run.stop)
            if run.stop
            else _advance(points, run, tally, max_iter, tolerance, project)
            for run, tally in zip(active, tallies, strict=True)
        ]
        del tallies  # so that their sums are not in memory twice in the next assignment
        active = [outcome for outcome in outcomes if isinstance(outcome, Run)]
        for outcome in outcomes:
            if isinstance(outcome, Fit):
                yield outcome
                points.forget(outcome.key)
        if watch:
            active = list(watch(active) or active)


def _begun(run: Run, max_iter: int) -> Run:
    """The run with C-contiguous centroids. It stops at once if it already has `max_iter` iterations."""
    stop = Stop.MAX_ITER if len(run.history) >= max_iter else run.stop
    return replace(run, centroids=np.ascontiguousarray(run.centroids), stop=stop)


def _ahead(points: Any, runs: Sequence[Run], max_iter: int, tolerance: float) -> list[Run]:
    """Let the engine advance each run up to the iteration that ends it. `lloyd` itself does that iteration."""
    left = [run for run in runs if not run.stop]
    most = [max_iter - 1 - len(run.history) for run in left]
    gone = iter(points.advance(left, tolerance=tolerance, most=most))
    return [run if run.stop else next(gone) for run in runs]


def _advance(
    points: Points,
    run: Run,
    tally: Tally,
    max_iter: int,
    tolerance: float,
    project: Callable[[Float64], Float64] | None,
) -> Run | Fit:
    """Update the centroids. The run then continues, or ends, or needs one more assignment.

    In the last case it has a `stop`: the assignment gives it labels that belong to its last centroids.
    """
    filled = refill(points, tally)
    centroids = means(points.grid, filled, run.centroids)
    centroids = np.ascontiguousarray(project(centroids)) if project else centroids
    history = (*run.history, inertia(points.grid, points.totals, filled, centroids))
    following = replace(run, centroids=centroids, history=history)
    if np.array_equal(centroids, run.centroids):
        return _finish(points, following, tally, Stop.CONVERGED)
    if shift(run.centroids, centroids) <= tolerance:
        return replace(following, stop=Stop.TOLERANCE)
    if len(history) >= max_iter:
        return replace(following, stop=Stop.MAX_ITER)
    return following


def _finish(points: Points, run: Run, tally: Tally, stop: Stop) -> Fit:
    cost = inertia(points.grid, points.totals, tally, run.centroids)
    return Fit(run.key, run.centroids, tally.counts, run.history, cost, stop)
