"""The update of a run's centroids in one compiled call: the step that `lloyd` makes from a tally to centroids."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from steinhaus import arithmetic
from steinhaus.jit.annotations import Array, f64, i64
from steinhaus.jit.build import shared_kernel
from steinhaus.points import Float64, Grid, Run, Totals


class Steps(NamedTuple):
    """The grid, the totals and the work space for updates of one run."""

    squares: Array[f64]  # (2,) sum of squares of all points, high + low
    offset: Array[f64]  # (d,) of the grid
    step: Array[f64]  # (d,) of the grid
    following: Array[f64]  # (k, d) the next centroids
    table: Array[f64]  # (2, d) work space
    history: Array[f64]  # (iterations,) inertia of each iteration


def steps_of(grid: Grid, totals: Totals, k: int, most: int) -> Steps:
    """The record for a run of k centroids and at most `most` iterations."""
    return Steps(
        squares=squares_of(totals),
        offset=grid.offset,
        step=grid.step,
        following=np.empty((k, len(grid.step))),
        table=np.empty((2, len(grid.step))),
        history=np.empty(most),
    )


def squares_of(totals: Totals) -> Float64:
    """The sum of squares of all points, with their weights, (2,)."""
    return totals.squares if totals.weighted is None else totals.weighted


def gone_on(run: Run, centroids: Float64, totals: Totals, history: Float64) -> Run:
    """The run after some iterations. centroids: (k, d), copied. history: (iterations,) the inertia of each."""
    costs = (history * totals.unit).tolist()
    return replace(run, centroids=centroids.copy(), history=(*run.history, *costs))


@shared_kernel
def update(
    sums: Array[i64],
    limbs: i64,
    k: i64,
    d: i64,
    counts: Array[i64],
    centroids: Array[f64],
    steps: Steps,
    tolerance: f64,
    done: i64,
) -> i64:
    """Write the next centroids and the inertia; return 1.

    It returns 0, and leaves the iteration to `lloyd`, if the update would end the run or if a cluster is empty. sums:
    (limbs, k, d); counts: (k,); centroids: (k, d).
    """
    for j in range(k):
        if counts[j] == 0:
            return 0
    arithmetic.mean_rows(sums, limbs, k, d, counts, steps.offset, steps.step, steps.following)
    same = True
    for at in range(k * d):
        if steps.following[at] != centroids[at]:
            same = False
            break
    if same or not arithmetic.has_moved(centroids, steps.following, k * d, tolerance):
        return 0
    steps.history[done] = arithmetic.cost(
        steps.squares, sums, limbs, k, d, counts, steps.following, steps.offset, steps.step, steps.table
    )
    return 1
