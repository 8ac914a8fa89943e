"""Runs that advance together in compiled calls, of many iterations if they keep gaps already."""

from __future__ import annotations

import ctypes
import sys
from functools import cache
from time import perf_counter
from typing import NamedTuple

import numpy as np

from steinhaus.engines.dense import advancing_kernels as kernels
from steinhaus.engines.dense.advancing_kernels import AVERAGE, PREPARE, Steps
from steinhaus.engines.dense.policy import THRESHOLDS
from steinhaus.engines.dense.records import WORKS
from steinhaus.engines.dense.state import Batch
from steinhaus.engines.dense.whole import Halves
from steinhaus.engines.exact.updating import squares_of
from steinhaus.engines.workers import Workers
from steinhaus.jit.handed import Handed
from steinhaus.points import Grid, Int64, Totals

_AT_ONCE = 256  # the most iterations of a call
_SECONDS = 0.1  # of a call, about: interrupts wait for its end
_FIRST = 4  # iterations of the first call
_PART = 4  # centroids whose bounds are computed together


class Read(NamedTuple):
    """The records by which kernels read the points and a batch of runs."""

    points: Handed
    readers: Handed
    view: Handed
    frame: Handed  # of centroids


class Advance:
    """Some runs of a batch that advance together.

    Parameters
    ----------
    batch, active
        The batch, and the rows of the runs, (A,).
    grid, totals, halves
        Those of the points.
    most
        The most iterations.
    tolerance
        See `Advancing.advance`.
    """

    def __init__(
        self,
        batch: Batch,
        active: Int64,
        grid: Grid,
        totals: Totals,
        halves: Halves | None,
        most: int,
        tolerance: float,
        workers: Workers,
    ) -> None:
        k, d = batch.exact.shape
        none, limbs = np.empty(0, np.int64), len(batch.sums) if halves is None else 2
        parts = [
            (row, first, min(first + _PART, int(batch.firsts[row + 1])))
            for row in active.tolist()
            for first in range(int(batch.firsts[row]), int(batch.firsts[row + 1]), _PART)
        ]
        self._batch, self._workers, self._seconds = batch, workers, 0.0
        self.gone, self.ends = 0, False  # iterations made; whether the next update would end a run
        self.history = np.empty((len(active), most))  # inertia of each
        self._steps = Steps(
            control=np.zeros(kernels.WORDS, np.int64), yields=_yields(), most=1, workers=1, done=0,
            parts=np.array(parts, np.int64), many=len(parts), changed=np.empty(len(parts), np.int64),
            tolerance=tolerance, limbs=limbs, squares=squares_of(totals), offset=grid.offset, step=grid.step,
            twice=none if halves is None else halves.twice, shifts=none if halves is None else halves.shifts,
            halved=int(halves is not None), added=batch.sums, limbs_added=len(batch.sums), counts=batch.counts,
            sums=np.empty(limbs * k * d, np.int64), following=np.empty((k, d)), history=self.history, length=most,
            work=np.zeros((0, WORKS, len(batch.costs)), np.int64), costs=batch.costs, debts=batch.debts,
            gathering=THRESHOLDS.gathering, products=THRESHOLDS.products,
            rows=np.empty((workers.count, 4, d)), along=np.empty((workers.count, 4, 0)),
            table=np.empty((workers.count, 2, d)),
        )  # fmt: skip

    def update(self, read: Read) -> None:
        """Make the step after a pass."""
        self._call(AVERAGE, 1, 0, read)

    def iterate(self, limit: int, tasks: int, read: Read) -> Int64:
        """Make iterations, at most `limit`; return the work of each pass, (passes, WORKS, R). tasks: of a pass."""
        most = min(limit, _AT_ONCE, max(1, int(_SECONDS / self._seconds)) if self._seconds else _FIRST)
        began, before = perf_counter(), self.gone
        work = self._call(PREPARE, most, tasks, read)
        passes = self.gone - before + int(self.ends)
        self._seconds = (perf_counter() - began) / passes
        self._batch.passes += passes
        return work[:passes]

    def _call(self, phase: int, most: int, tasks: int, read: Read) -> Int64:
        """Call the kernel, from a phase on; return the work of each pass, (most, WORKS, R)."""
        batch, steps, p = self._batch, self._steps, read.frame.record.p  # type: ignore[attr-defined]
        work = np.zeros((most, *steps.work.shape[1:]), np.int64)
        along = steps.along if steps.along.shape[-1] == p else np.empty((self._workers.count, 4, p))
        self._steps = steps = steps._replace(most=most, workers=tasks, done=self.gone, work=work, along=along)
        steps.control[:] = 0
        steps.control[kernels.PHASE], steps.control[kernels.END] = phase, steps.many
        handed = Handed(steps)

        def advance(worker: int, _first: int, _end: int) -> None:
            kernels.advance(*read, batch.handed_orders, batch.handed_workers[worker], handed, worker)

        self._workers.each(advance, min(self._workers.count, max(tasks, steps.many)), 1)
        self.gone += int(steps.control[kernels.GONE])
        self.ends = bool(steps.control[kernels.ENDS])
        return work


@cache
def _yields() -> int:
    """The address of the system's function that lets other threads run."""
    try:
        if sys.platform == "win32":
            return ctypes.cast(ctypes.windll.kernel32.SwitchToThread, ctypes.c_void_p).value or 0
        return ctypes.cast(ctypes.CDLL(None).sched_yield, ctypes.c_void_p).value or 0
    except (AttributeError, OSError):
        return kernels.stay[()].address
