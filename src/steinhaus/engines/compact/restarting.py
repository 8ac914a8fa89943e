"""All restarts of a small problem in one call: see `restarting_kernels`."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from steinhaus.engines.compact import kernels, restarting_kernels, seeding_kernels, seeding_many_kernels
from steinhaus.engines.compact.held import Held
from steinhaus.engines.compact.placing import Placed
from steinhaus.engines.compact.policy import LIMITS, compared, ordered
from steinhaus.engines.compact.records import FEW
from steinhaus.engines.compact.restarting_kernels import Ends, Restarts
from steinhaus.engines.compact.seeding import Drawing
from steinhaus.engines.exact.updating import steps_of
from steinhaus.jit.handed import Handed
from steinhaus.points import Fit, Stop, Totals
from steinhaus.restarts import Starts
from steinhaus.seeding import Stream, first_row, sum_bits, trials_of

_STOPS = {
    restarting_kernels.CONVERGED: Stop.CONVERGED,
    restarting_kernels.TOLERANCE: Stop.TOLERANCE,
    restarting_kernels.MAX_ITER: Stop.MAX_ITER,
}
_WORK = 2**24  # products of an iteration of all restarts of a call, so that an interrupt is heard soon


class Ending(NamedTuple):
    """When runs stop: see `lloyd`. single: whether centroids of runs that stop early are rounded to float32."""

    max_iter: int
    tolerance: float
    single: bool


def restarted(points: Placed, totals: Totals, k: int, starts: Starts, ending: Ending) -> tuple[list[Fit], Held] | None:
    """Make restarts; return how they ended, and the state of one of them. None: some are left to `lloyd`.

    See `Restarting.restarted`.
    """
    n, d, many, trials = points.n, points.d, len(starts), trials_of(k) if isinstance(starts[0], Stream) else 0
    small = many * n * d * k <= LIMITS.task // 8
    step = max(1, min(many, _WORK // (n * d * compared(n, d, k)))) if small else 1
    helpers = min(points.workers.count, -(-many // step))
    states = [Held(points.tiles, len(totals.sums), k, d) for _ in range(helpers)]
    drawings = [Drawing(points, k, trials) for _ in states]
    ends = _ends(points, totals, k, starts, drawings[0].count if trials else 0, min(ending.max_iter, LIMITS.iterations))
    given = [
        _handed(points, totals, held, drawing, ends, ending) for held, drawing in zip(states, drawings, strict=True)
    ]
    complete = [True] * helpers

    def go(worker: int, first: int, end: int) -> None:
        made = restarting_kernels.restart(
            given[worker], first, end, trials, sum_bits(n), ending.tolerance, ending.max_iter
        )
        complete[worker] &= bool(made)

    points.workers.each(go, many, step)
    if not all(complete):
        return None
    states[0].labelled = True
    return _fits(ends, totals.unit), states[0]


def _ends(points: Placed, totals: Totals, k: int, starts: Starts, count: int, most: int) -> Ends:
    """The memory for the ends of all restarts, with their starts. count: random words for each; most: iterations."""
    many, d = len(starts), points.d
    ends = Ends(
        count=count,
        most=most,
        words=np.empty((many, count), np.uint64),
        firsts=np.full(many, -1),
        centroids=np.empty((many, k, d)),
        counts=np.empty((many, k), np.int64),
        history=np.empty((many, most)),
        costs=np.empty(many),
        told=np.empty((many, 2), np.int64),
    )
    for r, start in enumerate(starts):
        if not isinstance(start, Stream):
            ends.centroids[r] = start
            continue
        if totals.draws is not None:
            ends.firsts[r] = first_row(points.n, start, totals.draws)
        ends.words[r] = start.raw(count)
    return ends


def _handed(points: Placed, totals: Totals, held: Held, drawing: Drawing, ends: Ends, ending: Ending) -> Handed:
    """The record of a thread."""
    kind, seeding = points.x.dtype, seeding_many_kernels if points.d >= FEW else seeding_kernels
    work = Restarts(
        choose=seeding.choose[kind].address,
        rows=kernels.rows[kind].address,
        place=kernels.place[kind].address,
        label=kernels.label[kind].address,
        advance=kernels.advance[kind].address,
        x=points.record,
        values=points.x,
        k=held.k,
        limbs=held.limbs,
        boxed=int(ordered(points.n, points.d, held.k)),
        single=int(ending.single),
        draw=drawing.weighted(points, totals.draws),
        run=held.own,
        sites=held.sites,
        steps=steps_of(points.grid, totals, held.k, ends.most),
        ends=ends,
    )
    return Handed(work)


def _fits(ends: Ends, unit: float) -> list[Fit]:
    """The fits, with the numbers of the restarts as keys. unit: the weight of one count."""
    fits = []
    for r, (iterations, reason) in enumerate(ends.told.tolist()):
        history = tuple((ends.history[r, :iterations] * unit).tolist())
        cost = float(ends.costs[r]) * unit
        fits.append(Fit(r, ends.centroids[r], ends.counts[r], history, cost, _STOPS[reason]))
    return fits
