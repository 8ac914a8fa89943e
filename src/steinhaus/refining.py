"""Breathing k-means: a search from a clustering to a better one.

B. Fritzke, The breathing k-means algorithm, arXiv 2006.15666.

A step has two halves. First, some centroids are added, one in each of the clusters with the largest errors, and Lloyd's
algorithm runs with all centroids. Then as many are removed, those with the least utilities, and Lloyd's algorithm runs
again. If this lowers the inertia, the step has succeeded: single points are exchanged (`exchanges`), Lloyd's algorithm
runs once more, and the search continues from the result. If not, the search continues from the clustering before, with
other clusters or with fewer. Most centroids do not move in a step. So a step is cheap for an engine that keeps its
bounds for the others.

The search differs from the paper in four things. A new centroid is a row of its cluster, drawn by its squared distance
to the centroid, not a point next to the centroid. A step that fails is tried again with the clusters of the next
largest errors, before fewer centroids are added. Lloyd's algorithm runs for at most 8 iterations at a time. The paper
has no exchanges.

An engine may make a step in one call (`Breathing`). `_tried` defines what the step is.

Errors and utilities are summed in the order of the points, ties go to the lowest cluster, and random numbers depend on
the number of the step alone. So the search is the same with every engine.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from math import inf
from typing import cast

import numpy as np

from steinhaus.breathing import Breathing, Found, Trial
from steinhaus.centroids import mean_variance
from steinhaus.costs import Errors, by_utility, errors_of
from steinhaus.exchanges import exchanged, exchanges_pay
from steinhaus.lloyd import lloyd
from steinhaus.points import Fit, Float64, Int64, Points, Run, Step, TwoNearest, offers
from steinhaus.seeding import Stream, integers_of

_WIDTH = 5  # centroids that the first step adds
_TRIES = 2  # steps that may fail before fewer centroids are added
_AROUND = 1.1  # in root mean squared distances: of two centroids that are closer, only one is removed in a step
_LEAST = 1e-4  # the least gain of a successful step, as a share of the inertia
_LEAST_EXCHANGED = 3e-4  # the same if points are exchanged, which alone gains about as much
_TOL = 1e-4  # the tolerance of Lloyd's algorithm in a step, unless the user's is larger
_ITERATIONS = 8  # the most iterations of Lloyd's algorithm in half a step: enough to tell whether the step succeeds


@dataclass(frozen=True)
class Search:
    """The state of a search. It can be continued from it.

    Attributes
    ----------
    best
        The best clustering so far.
    added
        The number of centroids that the next step adds; 0: the search has ended.
    failed
        The number of steps of this size that have failed since the last success.
    steps
        The steps so far.
    """

    best: Fit
    added: int = _WIDTH
    failed: int = 0
    steps: tuple[Step, ...] = ()


@dataclass(frozen=True)
class Lloyd:
    """The parameters of Lloyd's algorithm: see `lloyd`."""

    max_iter: int = 300
    tol: float = 0.0
    project: Callable[[Float64], Float64] | None = None


@dataclass(frozen=True)
class Budget:
    """The limits of a search, in steps and in seconds. None: no limit.

    The time is checked between steps. The number of steps within a time depends on the machine, and so does the result.
    """

    steps: int | None = None
    seconds: float | None = None


def streams(seed: int, k: int, restart: int) -> Callable[[int], Stream]:
    """The random numbers for refining a run: the number of a step -> its stream."""
    return lambda step: Stream(seed, k, restart, step + 1)


def refine(
    points: Points,
    search: Search,
    stream: Callable[[int], Stream],
    how: Lloyd,
    budget: Budget = Budget(),
    watch: Callable[[Search], object] | None = None,
) -> Search:
    """Search for a better clustering than `search.best`, until the search or the budget ends.

    Parameters
    ----------
    points
        The engine that holds the points.
    search
        The state from which to continue.
    stream
        The number of a step -> its random numbers.
    how
        The parameters of Lloyd's algorithm.
    budget
        The limits of the search.
    watch
        Called after every step; True ends the search.

    Returns
    -------
    Search
        The state at the end. Its `best` is never worse than before, and `points.labels(best.key)` are its labels.
        `best` has converged by `how`. To continue a search, use a state that was given to `watch`.
    """
    began = time.monotonic()
    most = inf if budget.steps is None else budget.steps
    steps = _steps(points, search, stream, how)
    while len(search.steps) < most and (following := next(steps, None)) is not None:
        search = following
        if watch is not None and watch(search) is True:
            break
        if budget.seconds is not None and time.monotonic() - began >= budget.seconds:
            break
    return replace(search, best=_ended(points, search, how))


def _steps(points: Points, search: Search, stream: Callable[[int], Stream], how: Lloyd) -> Iterator[Search]:
    """Make steps until the search ends; yield its state after each."""
    tolerance = max(how.tol, _TOL) * mean_variance(points.grid, points.totals)
    most, at_once = min(how.max_iter, _ITERATIONS), offers(type(points), Breathing) and how.project is None
    exchanging = _exchanging(points, search, how)
    least = _LEAST_EXCHANGED if exchanging else _LEAST
    known = None  # errors of the best clustering, once they are needed
    while search.added and len(search.best.centroids) > 1:
        best, began = search.best, time.perf_counter()
        draws = stream(len(search.steps))
        trial = Trial(search.added, search.failed * search.added, _AROUND**2, draws, tolerance, most, exchanging)
        found = cast(Breathing, points).breathe(best, trial) if at_once else None
        if found is None:
            known = known or errors_of(points, _assigned(points, best))
            found = _tried(points, best, known, trial, how)
        if not found.added:
            search = _failed(search)
            continue
        fit, kept = found.fit, found.fit.inertia < best.inertia
        step = Step(found.added, fit.inertia, kept, found.iterations, time.perf_counter() - began)
        succeeded = fit.inertia < best.inertia * (1.0 - least)
        search = replace(search, steps=(*search.steps, step), best=fit if kept else best)
        search = replace(search, failed=0) if succeeded else _failed(search)
        known = None if kept else known
        yield search


def _tried(points: Points, best: Fit, known: Errors, trial: Trial, how: Lloyd) -> Found:
    """Make a step from the best clustering, whose errors are known. Some engines do this in one call: `Breathing`."""
    how = replace(how, tol=max(how.tol, _TOL), max_iter=trial.most)
    clusters = _worst(known, trial)
    if not len(clusters):
        return Found(best, 0, 0)
    rows = _drawn(known, clusters, trial.stream)
    grown = _converged(points, best, np.concatenate([best.centroids, points.rows(rows)]), how)
    found = _converged(points, best, grown.centroids[_missed(points, grown, len(rows), trial.around)], how)
    iterations = grown.iterations + found.iterations
    if trial.exchanging and found.inertia < best.inertia and (further := _exchanged(points, found, how)):
        found, iterations = further, iterations + further.iterations
    return Found(replace(found, history=()), len(rows), iterations)


def _failed(search: Search) -> Search:
    """The state after a step that failed."""
    if search.failed + 1 < _TRIES:
        return replace(search, failed=search.failed + 1)
    return replace(search, added=search.added - 1, failed=0)


def _worst(known: Errors, trial: Trial) -> Int64:
    """The clusters that get another centroid: those of the largest errors, ties to the lowest.

    Clusters that were tried since the last success of this size are left out.
    """
    order = np.argsort(-known.errors, kind="stable")
    chosen = order[trial.tried : trial.tried + trial.added]
    return chosen[known.errors[chosen] > 0]


def _drawn(known: Errors, clusters: Int64, stream: Stream) -> Int64:
    """Draw one row of each of these clusters, (m,) -> (m,), by its squared distance to the centroid."""
    members = [np.flatnonzero(known.labels == cluster) for cluster in clusters.tolist()]
    ends = [np.cumsum(integers_of(known.nearest[rows])) for rows in members]
    drawn = stream.below(np.array([of[-1] for of in ends])).tolist()
    places = [int(np.searchsorted(of, at, side="right")) for of, at in zip(ends, drawn, strict=True)]
    return np.array([rows[place] for rows, place in zip(members, places, strict=True)], np.int64)


def _missed(points: Points, fit: Fit, many: int, around: float) -> Int64:
    """The clusters that stay when the `many` clusters of the least utilities are removed, ascending.

    The utility of a cluster assumes that its neighbours stay. So if a cluster is removed, those near it stay, unless
    too few others are left. Ties go to the lowest cluster.
    """
    k = len(fit.centroids)
    weights = points.totals.weights
    around = around * fit.inertia / (points.n if weights is None else float(weights.sum()) * points.totals.unit)
    stays, goes, left = np.zeros(k, bool), np.zeros(k, bool), many
    for j in by_utility(points, Run(fit.key, fit.centroids)):
        if stays[j]:
            continue
        goes[j] = True
        left -= 1
        if not left:
            break
        distances = np.cumsum(np.square(fit.centroids - fit.centroids[j]), axis=1)[:, -1]  # summed in order
        near = np.flatnonzero((distances < around) & ~goes & ~stays)
        spare = k - int(stays.sum()) - many
        stays[near[np.argsort(distances[near], kind="stable")][:spare]] = True
    return np.flatnonzero(~goes)


def _assigned(points: Points, fit: Fit) -> Run:
    run = Run(fit.key, fit.centroids)
    _make_room(points, run)
    points.assign([run])
    return run


def _converged(points: Points, fit: Fit, centroids: Float64, how: Lloyd) -> Fit:
    """Run Lloyd's algorithm from centroids, (k, d). The engine may use its state of the run."""
    run = Run(fit.key, centroids)
    _make_room(points, run)
    return next(lloyd(points, [run], max_iter=how.max_iter, tol=how.tol, project=how.project))


def _make_room(points: Points, run: Run) -> None:
    """Make an engine forget the run if it cannot change the number of centroids of a run."""
    if not offers(type(points), TwoNearest):
        points.forget(run.key)


def _ended(points: Points, search: Search, how: Lloyd) -> Fit:
    """The best clustering, converged with the user's parameters. The engine then holds its labels."""
    best = search.best
    if any(step.kept for step in search.steps):
        further = _converged(points, best, best.centroids, how)
        if further.inertia <= best.inertia:
            return further
    _assigned(points, best)
    return best


def _exchanging(points: Points, search: Search, how: Lloyd) -> bool:
    """Whether single points are exchanged. Projected centroids are not means, to which alone exchanges apply."""
    return how.project is None and exchanges_pay(points, len(search.best.centroids))


def _exchanged(points: Points, fit: Fit, how: Lloyd) -> Fit | None:
    """Exchange points of a clustering whose labels the engine holds, and converge; None: no point moves."""
    centroids = exchanged(points, fit)
    return None if centroids is None else _converged(points, fit, centroids, how)
