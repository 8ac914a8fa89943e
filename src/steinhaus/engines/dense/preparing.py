"""Compute the bounds of centroids before a pass, on all threads."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from steinhaus.engines.dense import centroids
from steinhaus.engines.dense.records import RENEW
from steinhaus.engines.dense.state import Batch
from steinhaus.engines.workers import Workers
from steinhaus.jit.handed import Handed
from steinhaus.points import Int64

_CENTROIDS = 64  # a task


def prepare(
    batch: Batch, view: Handed, frame: Handed, active: Int64, modes: NDArray[np.int8], workers: Workers
) -> None:
    """Compute the bounds of the active runs' centroids. In mode RENEW, all become anchors, too.

    In the other modes, only those in `anchorless` do.

    active: (m,) rows of the runs in the batch; modes: (R,).
    """
    d, p = frame.record.d, frame.record.p  # type: ignore[attr-defined]
    parts = []
    for row in active.tolist():
        first, end, column = int(batch.firsts[row]), int(batch.firsts[row + 1]), int(batch.columns[row])
        fresh = np.full(end - first, modes[row] == RENEW)
        fresh[batch.anchorless[(batch.anchorless >= first) & (batch.anchorless < end)] - first] = True
        changes = first + 1 + np.flatnonzero(fresh[1:] != fresh[:-1])
        starts = sorted({*range(first, end, _CENTROIDS), *changes.tolist()})
        ends = [*starts[1:], end]
        parts += [(j, to, column + j - first, int(fresh[j - first])) for j, to in zip(starts, ends, strict=True)]
    batch.anchorless = batch.anchorless[:0]

    def place(_: int, first: int, end: int) -> None:
        rows, along = np.empty((4, d)), np.empty((4, p))
        for part in parts[first:end]:
            centroids.prepare(view, frame, *part, rows, along)

    workers.each(place, len(parts), 1)
