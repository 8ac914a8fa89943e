"""Breathing k-means: a search from a clustering to a better one.

B. Fritzke, The breathing k-means algorithm, arXiv 2006.15666.

A step breathes in and out. In: some centroids are added, one in each of the clusters of the largest error, and Lloyd's
algorithm goes on with all of them. Out: as many are removed, those that are missed least, and it goes on again. If that
lowers the inertia, the search goes on from there; if not, from where it was, with other clusters or with fewer. Most
centroids do not move in a step, so an engine that remembers what it knows of them makes a step cheap.

It differs from the paper in three things. A new centroid is a row of its cluster, drawn by its squared distance to the
centroid, not a point next to the centroid. A step that fails is tried again with the clusters of the next largest
errors, before fewer centroids are added. After either half of a step, Lloyd's algorithm goes on for at most 8
iterations.

Errors and utilities are sums in the order of the points, ties go to the lowest cluster, and draws depend on the step's
number alone: the search takes the same way wherever the points are.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from math import inf

import numpy as np

from steinhaus.costs import Errors, errors_of, utilities_of
from steinhaus.lloyd import lloyd
from steinhaus.points import Fit, Float64, Int64, Points, Run, Step, finds_two
from steinhaus.seeding import Stream, integers_of

_WIDTH = 5  # centroids that the first step adds
_TRIES = 2  # steps that may fail before fewer centroids are added
_AROUND = 1.1  # root mean squared distances: within, no two centroids are removed at once
_LEAST = 1e-4  # the share of the inertia that a step must gain to count as a success
_TOL = 1e-4  # while searching, Lloyd's algorithm ends at this tolerance or the user's
_ITERATIONS = 8  # and after so many iterations: a step tells by then whether it is any good


@dataclass(frozen=True)
class Search:
    """Where a search stands: all that is needed to go on with it.

    Attributes
    ----------
    best
        The best clustering so far.
    added
        How many centroids the next step adds; 0: the search has ended.
    failed
        How many steps of this size have failed since the last success.
    steps
        The steps so far.
    """

    best: Fit
    added: int = _WIDTH
    failed: int = 0
    steps: tuple[Step, ...] = ()


@dataclass(frozen=True)
class Lloyd:
    """How Lloyd's algorithm goes: see `lloyd`."""

    max_iter: int = 300
    tol: float = 0.0
    project: Callable[[Float64], Float64] | None = None


@dataclass(frozen=True)
class Budget:
    """How long a search may take: so many steps, so many seconds. None: until it has ended.

    Seconds are looked at between steps. How many steps they are enough for depends on the machine, and so does the
    result.
    """

    steps: int | None = None
    seconds: float | None = None


def streams(seed: int, k: int, restart: int) -> Callable[[int], Stream]:
    """The random numbers of the steps that refine a run, by their number."""
    return lambda step: Stream(seed, k, restart, step + 1)


def refine(
    points: Points,
    search: Search,
    stream: Callable[[int], Stream],
    how: Lloyd,
    budget: Budget = Budget(),
    watch: Callable[[Search], object] | None = None,
) -> Search:
    """Search for a better clustering than `search.best`, from where the search stands to its end.

    Parameters
    ----------
    stream
        Gives the random numbers of a step, by its number.
    watch
        Called after every step; True ends the search.

    Returns
    -------
    Search
        Its `best` is as good as before or better, and `points.labels(best.key)` are its labels.
        It has converged as the user asked; to go on with a search, take what `watch` was told.
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
    """The search after each further step, to its end."""
    searching = replace(how, tol=max(how.tol, _TOL), max_iter=min(how.max_iter, _ITERATIONS))
    known = None  # errors of the best clustering
    while search.added and len(search.best.centroids) > 1:
        best, began = search.best, time.perf_counter()
        known = known or errors_of(points, _assigned(points, best))
        clusters = _worst(known, search)
        if not len(clusters):
            search = _failed(search)
            continue
        rows = _drawn(known, clusters, stream(len(search.steps)))
        grown = _converged(points, best, np.concatenate([best.centroids, points.rows(rows)]), searching)
        found = _converged(points, best, grown.centroids[_missed(points, grown, len(rows))], searching)
        kept = found.inertia < best.inertia
        step = Step(
            added=len(rows),
            inertia=found.inertia,
            kept=kept,
            iterations=grown.iterations + found.iterations,
            seconds=time.perf_counter() - began,
        )
        succeeded = found.inertia < best.inertia * (1.0 - _LEAST)
        search = replace(search, steps=(*search.steps, step), best=found if kept else best)
        search = replace(search, failed=0) if succeeded else _failed(search)
        known = None if kept else known
        yield search


def _failed(search: Search) -> Search:
    """After a step that did not succeed."""
    if search.failed + 1 < _TRIES:
        return replace(search, failed=search.failed + 1)
    return replace(search, added=search.added - 1, failed=0)


def _worst(known: Errors, search: Search) -> Int64:
    """The clusters that get another centroid: those of the largest errors, ties to the lowest.

    Clusters that were tried since the last success of this size are left out.
    """
    order = np.argsort(-known.errors, kind="stable")
    tried = search.failed * search.added
    chosen = order[tried : tried + search.added]
    return chosen[known.errors[chosen] > 0]


def _drawn(known: Errors, clusters: Int64, stream: Stream) -> Int64:
    """Draw a row of each of these clusters by its squared distance to the centroid, (m,)."""
    members = [np.flatnonzero(known.labels == cluster) for cluster in clusters.tolist()]
    ends = [np.cumsum(integers_of(known.nearest[rows])) for rows in members]
    drawn = stream.below(np.array([of[-1] for of in ends])).tolist()
    places = [int(np.searchsorted(of, at, side="right")) for of, at in zip(ends, drawn, strict=True)]
    return np.array([rows[place] for rows, place in zip(members, places, strict=True)], np.int64)


def _missed(points: Points, fit: Fit, many: int) -> Int64:
    """The clusters that stay when so many of the least utility go, ascending; ties to the lowest.

    A cluster stays if one near it goes, as its utility counted on that one: unless there are too few others.
    """
    k = len(fit.centroids)
    utilities = utilities_of(points, Run(fit.key, fit.centroids))
    weights = points.totals.weights
    around = _AROUND**2 * fit.inertia / (points.n if weights is None else float(weights.sum()) * points.totals.unit)
    stays, goes, left = np.zeros(k, bool), np.zeros(k, bool), many
    for j in np.argsort(utilities, kind="stable").tolist():
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
    """What Lloyd's algorithm makes of these centroids. The engine keeps what it knows of the run."""
    run = Run(fit.key, centroids)
    _make_room(points, run)
    return next(lloyd(points, [run], max_iter=how.max_iter, tol=how.tol, project=how.project))


def _make_room(points: Points, run: Run) -> None:
    """Have an engine that cannot go on with another number of centroids forget the run."""
    if not finds_two(type(points)):
        points.forget(run.key)


def _ended(points: Points, search: Search, how: Lloyd) -> Fit:
    """The best clustering, converged as the user asked; its labels are the engine's."""
    best = search.best
    if any(step.kept for step in search.steps):
        further = _converged(points, best, best.centroids, how)
        if further.inertia <= best.inertia:
            return further
    _assigned(points, best)
    return best
