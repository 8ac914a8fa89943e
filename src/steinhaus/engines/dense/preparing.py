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
    """Compute the bounds of the active runs' centroids. In mode RENEW, the centroids become anchors, too.

    active: (m,) rows of the runs in the batch; modes: (R,).
    """
    d, p = frame.record.d, frame.record.p  # type: ignore[attr-defined]
    parts = []
    for row in active.tolist():
        first, end, column = int(batch.firsts[row]), int(batch.firsts[row + 1]), int(batch.columns[row])
        starts = range(first, end, _CENTROIDS)
        parts += [(j, min(j + _CENTROIDS, end), column + j - first, int(modes[row] == RENEW)) for j in starts]

    def place(_: int, first: int, end: int) -> None:
        row, along = np.empty(d), np.empty(p)
        for part in parts[first:end]:
            centroids.prepare(view, frame, *part, row, along)

    workers.each(place, len(parts), 1)
