"""Find the second nearest centroids of points, screened by products of all features."""

from __future__ import annotations

from steinhaus.engines.bounds.distances import is_beyond, product_error
from steinhaus.engines.bounds.rounding import length_above
from steinhaus.engines.dense.lanes import Readers
from steinhaus.engines.dense.products import full_products
from steinhaus.engines.dense.records import TILE, Framed, Limited, Scratch, Tiles
from steinhaus.jit.build import kernel
from steinhaus.jit.types import Array, f64, i32, i64, u8


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
    """Lower `out`, (n,), for the points of the tiles first <= tile < end, to the least distance to an open centroid.

    The point's own centroid does not count. Distances are screened as in `limited`, against the limit and the least
    upper bound of the others. opened: (T, k); labels: (n,).
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
                        slope, floor = limited.slopes[j], limited.floors[j]
                        error = product_error(length, limited.norms[j], slope, floor, limited.floor)
                        about = squared + limited.squares[j] - 2.0 * f64(found[TILE * c + lane])
                        if turn == 0:
                            limit = min(limit, about + error)
                        elif not is_beyond(about - error, limit):
                            out[i] = min(out[i], readers.distance(points, i, limited.exact, j))
