"""Distances to the second nearest centroids, by screening: gaps tell which centroids each tile is compared with."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from steinhaus.engines.bounds.gaps import second_is_open
from steinhaus.engines.dense.directions import Reading
from steinhaus.engines.dense.records import ANCHORED, RENEW, TILE, Tiles, scratch_of
from steinhaus.engines.dense.second_kernels import find
from steinhaus.engines.dense.state import Batch
from steinhaus.jit.handed import Handed
from steinhaus.points import Float64, Int32


def open_tiles(batch: Batch, row: int, tiles: Tiles, spare: Float64) -> NDArray[np.uint8]:
    """Which centroids of a run can be second nearest to a point of a tile, (T, k). If no gaps are kept, all can.

    spare: (n,) by how much some other centroid is farther from a point than its own one, squared, in the frame.
    """
    part, gaps = batch.part(row), batch.gaps
    wide, count = part.stop - part.start, len(tiles.order) // TILE
    if not len(gaps.gaps) or batch.orders.modes[row] not in (RENEW, ANCHORED):
        return np.ones((count, wide), np.uint8)
    columns = slice(int(batch.columns[row]), int(batch.columns[row]) + wide)
    size = tiles.norms.reshape(-1, TILE).max(axis=1) + np.float32(tiles.reach)
    spared = spare[tiles.order].reshape(-1, TILE).max(axis=1)
    kept, travelled, risen = gaps.gaps[:, columns], gaps.travelled[columns], gaps.risen[columns]
    return second_is_open(kept, size, travelled, risen, gaps.fallen[:, row], spared).astype(np.uint8)


def lower(
    reading: Reading,
    limits: Handed,
    opened: NDArray[np.uint8],
    labels: Int32,
    out: Float64,
    at_once: int,
) -> None:
    """Run `find` over all tiles, `at_once` a task. opened: (T, k); labels, out: (n,)."""
    points, readers, tiles = Handed(reading.points), Handed(reading.readers), Handed(reading.tiles)
    (count, k), workers = opened.shape, reading.workers
    scratch = [
        Handed(scratch_of(k, len(reading.frame.reference), reading.frame.bytewise)) for _ in range(workers.count)
    ]
    workers.each(
        lambda worker, first, end: find(
            points, readers, tiles, limits, opened, labels, scratch[worker], first, end, out
        ),
        count,
        at_once,
    )
