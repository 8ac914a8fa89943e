"""Many iterations in one call: passes, updates and the bounds of the next centroids, by all threads together.

An iteration has phases, each of some tasks. Tasks of all phases are numbered consecutively. A thread takes the next
number, and waits until the phase of this task begins. The thread that ends the last task of a phase begins the next
one. So a thread that comes late, or never, is missed by nobody.
"""

from __future__ import annotations

from typing import NamedTuple

from steinhaus import arithmetic
from steinhaus.engines.dense import centroids, labelling, tallies
from steinhaus.engines.dense.lanes import Readers
from steinhaus.engines.dense.records import (
    ANCHORED,
    COMPUTED,
    GATHERED,
    PAIRS,
    RENEW,
    WORKS,
    CentroidFrame,
    Framed,
    Orders,
    View,
    Worker,
)
from steinhaus.jit.annotations import Array, f64, i64
from steinhaus.jit.build import inner, kernel
from steinhaus.jit.operations import claim
from steinhaus.jit.types import Function, i8

# Phases: bounds of the centroids; labels; sums and means; the step to the next centroids, and their bounds.
PREPARE, ASSIGN, AVERAGE, STEP, OVER = range(5)
# Words of `Steps.control`: the next task; tasks done; the end of this phase's tasks; this phase, its first task, the
# iterations made, whether a run ends; threads that asked to add up, and that have added up.
NEXT, DONE, END, PHASE, FIRST, GONE, ENDS, ASKED, SERVED = 0, 16, 32, 48, 49, 50, 51, 64, 80
WORDS = 96
_SPINS = 500  # of a waiting thread before it lets others run: some microseconds
_ALL = 2**62


@kernel
def stay() -> i64:
    """Do nothing: in place of the system's function that lets other threads run, if there is none."""
    return 0


class Steps(NamedTuple):
    """The state of runs that advance together, A of them. `limbs` is the number of limbs of the grid's integers."""

    control: Array[i64]  # (WORDS,)
    yields: Function(stay)  # type: ignore[valid-type]
    most: i64  # iterations of this call
    workers: i64  # tasks of a pass
    done: i64  # iterations before this call
    parts: Array[i64]  # (C, 3) at most four centroids of a run: row of the run; first centroid; end
    many: i64  # C
    changed: Array[i64]  # (C,) whether a centroid of the part moves; -1: a cluster is empty
    tolerance: f64
    limbs: i64
    squares: Array[f64]  # (2,) sum of squares of all points, high + low
    offset: Array[f64]  # (d,) of the grid
    step: Array[f64]  # (d,) of the grid
    twice: Array[i64]  # (d,) and `shifts`: see `whole.Halves`; (0,) if sums are those of the grid already
    shifts: Array[i64]  # (d,)
    halved: i64
    added: Array[i64]  # (l, K, d) sums of the clusters, of points as they are stored
    limbs_added: i64  # l
    counts: Array[i64]  # (K,)
    sums: Array[i64]  # (K limbs d,) the same on the grid: (limbs, k, d), run by run
    following: Array[f64]  # (K, d) the next centroids
    history: Array[f64]  # (A, length) inertia of each iteration
    length: i64
    work: Array[i64]  # (most, WORKS, R) see `Change.work`, of each pass
    costs: Array[f64]  # (R,) and `debts`: see `Batch`
    debts: Array[f64]  # (R,)
    gathering: f64  # see `Thresholds`
    products: f64
    rows: Array[f64]  # (workers, 4, d) work space
    along: Array[f64]  # (workers, 4, p) work space
    table: Array[f64]  # (workers, 2, d) work space


@kernel
def advance(
    points: Framed,
    readers: Readers,
    view: View,
    frame: CentroidFrame,
    orders: Orders,
    worker: Worker,
    steps: Steps,
    number: i64,
) -> None:
    """Do tasks until the iterations are made, or until the next update would end a run or leave a cluster empty.

    number: of this worker.
    """
    control, d = steps.control, frame.d
    while True:
        task, spins = claim(control + NEXT, 1), 0
        while claim(control + END, 0) <= task:
            spins += 1
            if spins > _SPINS:
                steps.yields()
        phase, task = control[PHASE], task - control[FIRST]
        if phase == OVER:
            return
        if phase == ASSIGN:
            labelling.assign(points, readers, view, orders, worker)
            _collect(view, worker, d, steps)
        elif phase == AVERAGE:
            _average(view, d, steps, task)
        elif phase == STEP and task < orders.many[0]:
            _cost(view, orders, d, steps, task, steps.table + number * 2 * d)
        else:
            if phase == STEP:
                task -= orders.many[0]
                _step(view, d, steps, task)
            if phase == PREPARE or control[GONE] + 1 < steps.most:
                _prepare(view, frame, orders, steps, task, number)
        if claim(control + DONE, 1) + 1 == claim(control + END, 0):
            _next(view, orders, d, steps, phase)


@inner
def _next(view: View, orders: Orders, d: i64, steps: Steps, phase: i64) -> None:
    """Begin the phase after this one."""
    control, tasks = steps.control, steps.many
    if phase == PREPARE:
        phase = ASSIGN
    elif phase == ASSIGN:
        _account(view, orders, steps)
        phase = AVERAGE
    elif phase == AVERAGE:
        phase = STEP
        tasks += orders.many[0]
        if _ends(view, orders, d, steps) != 0:
            control[ENDS] = 1
            phase = OVER
    else:
        control[GONE] += 1
        phase = ASSIGN if control[GONE] < steps.most else OVER
    if phase == STEP:
        for r in range(view.sizes.runs):
            orders.modes[r] = i8(ANCHORED if steps.debts[r] < steps.costs[r] else RENEW)
    if phase == ASSIGN:
        orders.queue[0] = 0
        tasks = steps.workers
    if phase == OVER:
        tasks = _ALL
    control[PHASE], control[FIRST] = phase, control[END]
    claim(control + END, tasks)


@inner
def _collect(view: View, worker: Worker, d: i64, steps: Steps) -> None:
    """Add a worker's changes to the sums, one worker at a time."""
    control = steps.control
    turn, spins = claim(control + ASKED, 1), 0
    while claim(control + SERVED, 0) != turn:
        spins += 1
        if spins > _SPINS:
            steps.yields()
    work = steps.work + control[GONE] * WORKS * view.sizes.runs
    tallies.collect(view, worker.change, d, steps.limbs_added, steps.added, steps.counts, work)
    claim(control + SERVED, 1)


@inner
def _account(view: View, orders: Orders, steps: Steps) -> None:
    """Account for a pass: see `Batch.account`."""
    runs = view.sizes.runs
    work = steps.work + steps.control[GONE] * WORKS * runs
    for a in range(orders.many[0]):
        r = orders.active[a]
        cost = steps.gathering * f64(work[GATHERED * runs + r]) + steps.products * f64(work[COMPUTED * runs + r])
        steps.debts[r] += cost + f64(work[PAIRS * runs + r])
        if i64(orders.modes[r]) == RENEW:
            steps.costs[r], steps.debts[r] = max(cost, 1.0), 0.0


@inner
def _average(view: View, d: i64, steps: Steps, part: i64) -> None:
    """Compute the next centroids of a part, and whether any of them is another one."""
    first, end, limbs = steps.parts[3 * part + 1], steps.parts[3 * part + 2], steps.limbs
    r = steps.parts[3 * part]
    start, k = view.firsts[r], view.firsts[r + 1] - view.firsts[r]
    upper, changed = (limbs - 1) * k * d, 0
    for j in range(first, end):
        sums = steps.sums + (limbs * start * d + upper + (j - start) * d)  # the low limbs
        _bring(view, d, steps, j, sums, upper)
        if steps.counts[j] == 0:
            steps.changed[part] = -1
            return
        out, exact = steps.following + j * d, view.exact + j * d
        arithmetic.mean_row(sums, upper, d, f64(steps.counts[j]), steps.offset, steps.step, out)
        for t in range(d):
            changed |= i64(out[t] != exact[t])
    steps.changed[part] = changed


@inner
def _bring(view: View, d: i64, steps: Steps, j: i64, sums: Array[i64], upper: i64) -> None:
    """Bring the sums of cluster j to the grid, and to their place. sums: (d,), the low limbs."""
    other, added = view.sizes.k * d, steps.added + j * d
    if steps.halved != 0:
        n = steps.counts[j]
        for t in range(d):
            sums[t - upper] = (2 * added[t] - n * steps.twice[t]) << steps.shifts[t]
            sums[t] = 0
    else:
        for limb in range(steps.limbs):
            for t in range(d):
                sums[t - upper + limb * upper] = added[limb * other + t]


@inner
def _ends(view: View, orders: Orders, d: i64, steps: Steps) -> i64:
    """Whether the update would end a run, or a cluster of it is empty: see `updating.update`."""
    part = 0
    for a in range(orders.many[0]):
        r = orders.active[a]
        first, found = view.firsts[r + 1] * d, False
        while part < steps.many and steps.parts[3 * part] == r:
            if steps.changed[part] < 0:
                return 1
            if steps.changed[part] > 0 and not found:  # what comes before does not move
                first, found = steps.parts[3 * part + 1] * d, True
            part += 1
        rest = view.firsts[r + 1] * d - first
        if not found or not arithmetic.has_moved(view.exact + first, steps.following + first, rest, steps.tolerance):
            return 1
    return 0


@inner
def _cost(view: View, orders: Orders, d: i64, steps: Steps, a: i64, table: Array[f64]) -> None:
    """Compute the inertia of a run with its next centroids. table: (2, d), work space."""
    first, end = view.firsts[orders.active[a]], view.firsts[orders.active[a] + 1]
    steps.history[a * steps.length + steps.done + steps.control[GONE]] = arithmetic.cost(
        steps.squares, steps.sums + steps.limbs * first * d, steps.limbs, end - first, d, steps.counts + first,
        steps.following + first * d, steps.offset, steps.step, table,
    )  # fmt: skip


@inner
def _step(view: View, d: i64, steps: Steps, part: i64) -> None:
    """Put the next centroids of a part into the place of the last ones."""
    for at in range(steps.parts[3 * part + 1] * d, steps.parts[3 * part + 2] * d):
        view.exact[at] = steps.following[at]


@inner
def _prepare(view: View, frame: CentroidFrame, orders: Orders, steps: Steps, part: i64, number: i64) -> None:
    """Compute the bounds of the centroids of a part for the next pass."""
    r, first, end = steps.parts[3 * part], steps.parts[3 * part + 1], steps.parts[3 * part + 2]
    fresh = i64(i64(orders.modes[r]) == RENEW)
    rows, along = steps.rows + number * 4 * frame.d, steps.along + number * 4 * frame.p
    centroids.prepare(view, frame, first, end, view.columns[r] + first - view.firsts[r], fresh, rows, along)
