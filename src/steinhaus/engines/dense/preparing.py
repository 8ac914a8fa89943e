"""Bounds of centroids before a pass, shared out over threads."""

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
    """Work out the bounds of the active runs' centroids, which are in place; of those in mode RENEW as new anchors."""
    d, p = frame.record.d, frame.record.p  # type: ignore[attr-defined]
    parts, renewed = [], set()
    for row in active.tolist():
        first, end, column = int(batch.firsts[row]), int(batch.firsts[row + 1]), int(batch.columns[row])
        fresh = np.full(end - first, modes[row] == RENEW)
        fresh[batch.anchorless[(batch.anchorless >= first) & (batch.anchorless < end)] - first] = True
        changes = first + 1 + np.flatnonzero(fresh[1:] != fresh[:-1])
        starts = sorted({*range(first, end, _CENTROIDS), *changes.tolist()})
        ends = [*starts[1:], end]
        parts += [(j, to, column + j - first, int(fresh[j - first])) for j, to in zip(starts, ends, strict=True)]
        if fresh.any():
            renewed.add(row)
    batch.anchorless = batch.anchorless[:0]

    def place(_: int, first: int, end: int) -> None:
        row, along = np.empty(d), np.empty(p)
        for part in parts[first:end]:
            centroids.prepare(view, frame, *part, row, along)

    workers.each(place, len(parts), 1)
    if batch.anchors.between.size and renewed:
        _measure_between(batch, sorted(renewed), d, workers)


def _measure_between(batch: Batch, fresh: list[int], d: int, workers: Workers) -> None:
    """Measure how far apart the new anchors of these runs are."""
    anchors, wide = Handed(batch.anchors), batch.anchors.between.shape[1]
    runs = [(int(batch.firsts[row]), int(batch.firsts[row + 1])) for row in fresh]
    parts = [(j, min(j + _CENTROIDS, end), first, end) for first, end in runs for j in range(first, end, _CENTROIDS)]

    def between(_: int, first: int, end: int) -> None:
        for part in parts[first:end]:
            centroids.measure_between(anchors, d, wide, *part)

    workers.each(between, len(parts), 1)
