"""Squared distances of points to rows, as far as they can be below a limit: seeding needs only these."""

from __future__ import annotations

import numpy as np

from steinhaus.engines.bounds.distances import float64_floor, is_beyond, product_error
from steinhaus.engines.bounds.rounding import Float64, length_above
from steinhaus.engines.bounds.scores import Frame, Rates, plain_floor, product_slope
from steinhaus.engines.dense.factors import TILE, factors_of
from steinhaus.engines.dense.lanes import Readers
from steinhaus.engines.dense.products import full_products, halve_rows
from steinhaus.engines.dense.records import Framed, Limited, Scratch, Tiles
from steinhaus.jit.build import kernel
from steinhaus.jit.handed import Handed
from steinhaus.jit.tiles import begin_tiles, end_tiles
from steinhaus.jit.types import Array, f64, i64

INFINITY = float("inf")


@kernel
def distances_below(
    points: Framed,
    readers: Readers,
    tiles: Tiles,
    limited: Limited,
    scratch: Scratch,
    first: i64,
    end: i64,
    out: Array[f64],
) -> None:
    """The squared distances of the points of the tiles first <= tile < end to all rows. out: (k, n).

    A distance that cannot be below the point's limit is infinite. |x' - c'|^2 = |x'|^2 + |c'|^2 - 2 x' . c', and the
    product is off by at most |x'| slope + floor.
    """
    found, chosen, n = scratch.out, scratch.chosen, points.rows.n
    for j in range(limited.k):
        chosen[j] = j
    begin_tiles()
    for tile in range(first, end):
        readers.gather(points, tiles, tile * TILE, scratch)
        full_products(points, scratch, limited.factors, chosen, limited.k, found)
        for lane in range(min(TILE, n - tile * TILE)):
            i = tiles.order[tile * TILE + lane]
            squared = limited.lengths[i]
            length = length_above(squared)
            for j in range(limited.k):
                error = product_error(length, limited.norms[j], limited.slopes[j], limited.floors[j], limited.floor)
                least = squared + limited.squares[j] - 2.0 * f64(found[TILE * j + lane]) - error
                if is_beyond(least, limited.below[i]):
                    out[j * n + i] = INFINITY
                else:
                    out[j * n + i] = readers.distance(points, i, limited.exact, j)
    end_tiles()


def limited_to(chosen: Float64, below: Float64, lengths: Float64, frame: Frame, rates: Rates) -> Limited:
    """The record of rows with their bounds, and of the limits.

    chosen: (m, d) the rows; below: (n,) the limits; lengths: (n,) the squared norms of the points in the frame.
    """
    m, d = chosen.shape
    placed = (chosen - frame.offset) * frame.scale
    factors = factors_of(m, d, frame.bytewise)
    factors.rows[:] = placed
    rests = np.zeros(m)
    if frame.bytewise:
        halve_rows(placed, m, d, Handed(factors), rests)
    squares = np.square(placed).sum(axis=1)
    norms = length_above(squares)
    slopes, floors = product_slope(norms, rests, rates.plain, rates), plain_floor(norms, 0.0, rates)
    with np.errstate(over="ignore", under="ignore"):
        limits = below * frame.scale**2
    return Limited(m, lengths, limits, chosen, factors, norms, squares, slopes, floors, float64_floor(d))
