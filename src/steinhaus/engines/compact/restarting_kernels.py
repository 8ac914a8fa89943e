"""Restarts of small problems, from seeding to the end, in one call.

These kernels read no points. They call those that do by address, so they are compiled once for all types of points.
"""

from __future__ import annotations

from math import inf
from typing import NamedTuple

from steinhaus import arithmetic
from steinhaus.engines.compact.kernels import advance, label, place, rows
from steinhaus.engines.compact.records import BOX, GROUP, TILE, Draw, Labels, Lanes, Sites
from steinhaus.engines.compact.seeding_kernels import choose, draw_numbers
from steinhaus.engines.exact.updating import Steps
from steinhaus.jit.annotations import Array, Point, f64, i64, u64
from steinhaus.jit.build import apart, kernel
from steinhaus.jit.types import Function, boolean, f32

CONVERGED, TOLERANCE, MAX_ITER = 0, 1, 2  # reasons to stop
UNFINISHED = -1  # a cluster is empty, or there are too few rows, random words or iterations


class Ends(NamedTuple):
    """The starts of R restarts with k centroids each, and how they ended."""

    count: i64  # random words for a restart
    most: i64  # iterations of a restart for which there is memory
    words: Array[u64]  # (R, count)
    firsts: Array[i64]  # (R,) the first row; -1: it is drawn evenly
    centroids: Array[f64]  # (R, k, d) the starts if they are given, and then the centroids at the end
    counts: Array[i64]  # (R, k)
    history: Array[f64]  # (R, most) the inertia of each iteration
    costs: Array[f64]  # (R,) the inertia at the end
    told: Array[i64]  # (R, 2) iterations, reason to stop


class Restarts(NamedTuple):
    """The memory of a thread for restarts with k centroids each."""

    choose: Function(choose)
    rows: Function(rows)
    place: Function(place)
    label: Function(label)
    advance: Function(advance)
    x: Lanes
    values: Array[Point]  # (n, d) the points as rows
    k: i64
    limbs: i64
    boxed: i64  # `boxes` of `kernels.label`
    single: i64  # whether the centroids of a run that stops early are rounded to float32
    draw: Draw
    run: Labels
    sites: Sites
    steps: Steps
    ends: Ends


@kernel
def restart(work: Restarts, first: i64, end: i64, trials: i64, bits: i64, tolerance: f64, limit: i64) -> i64:
    """Make the restarts first <= r < end; return 1, or 0 if one of them must be left to `lloyd`.

    trials, bits: see `seeding_kernels.choose`; trials is 0 if the starts are given. limit: the most iterations.
    """
    for r in range(first, end):
        if trials > 0 and not _choose(work, r, trials, bits):
            return 0
        work.place(work.ends.centroids + r * work.k * work.x.d, work.k, work.x.d, work.sites)
        reason = _iterate(work, r, tolerance, limit)
        if reason == UNFINISHED:
            return 0
        work.ends.told[2 * r + 1] = reason
        _finish(work, r, reason)
    return 1


@apart
def _choose(work: Restarts, r: i64, trials: i64, bits: i64) -> boolean:
    """Choose the starting rows of a restart as `seeding.plus_plus` does; False if that takes something else."""
    draw, ends, n, words = work.draw, work.ends, work.x.n, work.ends.count
    for at in range(words):
        draw.words[at] = ends.words[r * words + at]
    draw.state[0], draw.state[1] = 1, 0
    draw.chosen[0] = ends.firsts[r]
    if ends.firsts[r] < 0:
        draw.state[1] = draw_numbers(draw, 1, n, words)
        if draw.state[1] < 0:
            return False
        draw.chosen[0] = draw.candidates[0]
    for i in range(n):
        draw.closest[i] = inf
    boxes = (n + TILE * BOX - 1) // (TILE * BOX)
    for box in range((boxes + GROUP - 1) // GROUP * GROUP):
        draw.far[box] = inf if box < boxes else -1.0
        draw.most[box], draw.inside[box] = 0.0, -1
    if work.choose(work.x, work.values, draw, work.k, trials, bits, words) != 0 or draw.state[0] < work.k:
        return False
    work.rows(work.values, work.x.d, draw.chosen, work.k, ends.centroids + r * work.k * work.x.d)
    return True


@apart
def _iterate(work: Restarts, r: i64, tolerance: f64, limit: i64) -> i64:
    """Do the iterations of a run, as `lloyd`; return the reason why it stops. `following` is then its centroids."""
    run, steps, ends, k, d, limbs = work.run, work.steps, work.ends, work.k, work.x.d, work.limbs
    most = ends.most
    done = work.advance(work.x, run, limbs, k, work.boxed, work.sites, steps, tolerance, most - 1)
    if done == most - 1:
        _label(work)
    for j in range(k):
        if run.counts[j] == 0:
            return UNFINISHED
    arithmetic.mean_rows(run.sums, limbs, k, d, run.counts, steps.offset, steps.step, steps.following)
    for at in range(done):
        ends.history[r * most + at] = steps.history[at]
    ends.history[r * most + done] = _cost(work)
    ends.told[2 * r] = done + 1
    same = True
    for at in range(k * d):
        if steps.following[at] != work.sites.rows[at]:
            same = False
    if same:
        return CONVERGED
    if arithmetic.has_moved(work.sites.rows, steps.following, k * d, tolerance) == 0:
        return TOLERANCE
    return MAX_ITER if done + 1 == limit else UNFINISHED


@apart
def _finish(work: Restarts, r: i64, reason: i64) -> None:
    """Write the centroids, the counts and the inertia of a run that stops, after one more assignment if need be."""
    ends, following, k, size = work.ends, work.steps.following, work.k, work.k * work.x.d
    if reason != CONVERGED:
        if work.single != 0:
            for at in range(size):
                following[at] = f64(f32(following[at]))
        work.place(following, k, work.x.d, work.sites)
        _label(work)
    ends.costs[r] = _cost(work)
    for at in range(size):
        ends.centroids[r * size + at] = following[at]
    for j in range(k):
        ends.counts[r * k + j] = work.run.counts[j]


@apart
def _label(work: Restarts) -> None:
    boxes = (work.x.n + TILE * BOX - 1) // (TILE * BOX)
    work.label(work.x, work.run, work.limbs, 0, boxes, work.sites, work.k, work.boxed)


@apart
def _cost(work: Restarts) -> f64:
    """The inertia of the labels with the centroids in `following`, in counts."""
    run, steps = work.run, work.steps
    return arithmetic.cost(
        steps.squares,
        run.sums,
        work.limbs,
        work.k,
        work.x.d,
        run.counts,
        steps.following,
        steps.offset,
        steps.step,
        steps.table,
    )
