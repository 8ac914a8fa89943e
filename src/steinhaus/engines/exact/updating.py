"""The update of a run's centroids, in one call: what `lloyd` does to a tally, where nobody watches."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from steinhaus import arithmetic
from steinhaus.jit.annotations import Array, f64, i64
from steinhaus.jit.build import shared_kernel
from steinhaus.points import Float64, Grid, Run, Totals


class Steps(NamedTuple):
    """What the update of a run's centroids needs besides them and the sums."""

    squares: Array[f64]  # (2,) of all points
    offset: Array[f64]  # (d,) of the grid
    step: Array[f64]  # (d,)
    following: Array[f64]  # (k, d) the next centroids
    table: Array[f64]  # (2, d) to work in
    history: Array[f64]  # one an iteration


def steps_of(grid: Grid, totals: Totals, k: int, most: int) -> Steps:
    """Those of a run of k centroids, for so many iterations."""
    return Steps(
        squares=totals.squares if totals.weighted is None else totals.weighted,
        offset=grid.offset,
        step=grid.step,
        following=np.empty((k, len(grid.step))),
        table=np.empty((2, len(grid.step))),
        history=np.empty(most),
    )


def gone_on(run: Run, centroids: Float64, totals: Totals, history: Float64) -> Run:
    """The run after some iterations: with centroids of its own, and their inertias, which updates wrote."""
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
    """Write the centroids that follow these, (k, d), and the inertia; 0 where that is left undone, because it would end
    the run, or because a cluster is empty. sums: (limbs, k, d); counts: (k,).
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
    if same or arithmetic.moved(centroids, steps.following, k * d) <= tolerance:
        return 0
    steps.history[done] = arithmetic.cost(
        steps.squares, sums, limbs, k, d, counts, steps.following, steps.offset, steps.step, steps.table
    )
    return 1
