"""Distances to the second nearest centroids: of those that gaps leave open for a tile, screened."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from steinhaus.engines.bounds.distances import is_beyond, product_error
from steinhaus.engines.bounds.gaps import second_is_open
from steinhaus.engines.bounds.rounding import length_above
from steinhaus.engines.dense.lanes import Readers
from steinhaus.engines.dense.products import full_products
from steinhaus.engines.dense.records import ANCHORED, RENEW, TILE, Framed, Limited, Scratch, Tiles
from steinhaus.engines.dense.state import Batch
from steinhaus.jit.build import kernel
from steinhaus.jit.types import Array, f64, i32, i64, u8
from steinhaus.points import Float64


def open_tiles(batch: Batch, row: int, tiles: Tiles, spare: Float64) -> NDArray[np.uint8]:
    """Which centroids of a run can be second nearest to a point of a tile, (T, k); all, where no gaps are kept.

    spare: (n,) how much farther than its own centroid another one is from a point, squared, in the frame.
    """
    part, gaps = batch.part(row), batch.gaps
    wide, count = part.stop - part.start, len(tiles.order) // TILE
    if not len(gaps.gaps) or batch.orders.modes[row] not in (RENEW, ANCHORED):
        return np.ones((count, wide), np.uint8)
    columns = slice(int(batch.columns[row]), int(batch.columns[row]) + wide)
    size = tiles.norms.reshape(-1, TILE).max(axis=1) + np.float32(tiles.reach)
    spared = spare[tiles.order].reshape(-1, TILE).max(axis=1)
    kept, travelled, risen = gaps.gaps[:, columns], gaps.travelled[columns], gaps.risen[columns]
    return second_is_open(kept, size, travelled, risen, gaps.fallen[row], spared).astype(np.uint8)


@kernel
def find(
    points: Framed,
    readers: Readers,
    tiles: Tiles,
    limited: Limited,
    opened: Array[u8],
    labels: Array[i32],
    scratch: Scratch,
    first: i64,
    end: i64,
    out: Array[f64],
) -> None:
    """Lower the distances of the points of the tiles first <= tile < end, (n,), to those of the nearest centroid but
    their own, among those that are open, (T, k).

    labels: (n,). Distances are screened as in `limited`, against the limit and the least upper bound of the others.
    """
    found, chosen, n, k = scratch.out, scratch.chosen, points.rows.n, limited.k
    for tile in range(first, end):
        count = 0
        for j in range(k):
            if opened[tile * k + j] != u8(0):
                chosen[count] = j
                count += 1
        readers.gather(points, tiles, tile * TILE, scratch)
        full_products(points, scratch, limited.factors, chosen, count, found)
        for lane in range(min(TILE, n - tile * TILE)):
            i = tiles.order[tile * TILE + lane]
            squared, own, limit = limited.lengths[i], i64(labels[i]), limited.below[i]
            length = length_above(squared)
            for turn in range(2):
                for c in range(count):
                    j = chosen[c]
                    if j != own:
                        error = product_error(
                            length, limited.norms[j], limited.slopes[j], limited.floors[j], limited.floor
                        )
                        about = squared + limited.squares[j] - 2.0 * f64(found[TILE * c + lane])
                        if turn == 0:
                            limit = min(limit, about + error)
                        elif not is_beyond(about - error, limit):
                            out[i] = min(out[i], readers.distance(points, i, limited.exact, j))
