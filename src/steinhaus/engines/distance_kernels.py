"""Squared distances of points to centroids: their own, all, or those that can be below a limit.

Numba leaf functions; see `records` for what they are handed.
"""

from __future__ import annotations

import numpy as np

from steinhaus import simd as v
from steinhaus.compiled import compiled
from steinhaus.engines.bounds.distances import is_beyond, product_error
from steinhaus.engines.bounds.rounding import length_above
from steinhaus.engines.products import full_products, spread, squared_distance
from steinhaus.handing import taken


@compiled
def own_distances(x, first, end, labels, centroids, out):
    """Squared distance of each point to the centroid of its label, (n,) float64."""
    values, rows = v.pointer(x.values), v.pointer(centroids)
    for i in range(first, end):
        out[i] = squared_distance(values, i * x.d, rows, labels[i] * x.d, x.d)


@compiled
def all_distances(x, first, end, centroids, out):
    """Squared distance of each point to every centroid, (k, n) float64."""
    values, rows = v.pointer(x.values), v.pointer(centroids)
    for i in range(first, end):
        for j in range(centroids.shape[0]):
            out[j, i] = squared_distance(values, i * x.d, rows, j * x.d, x.d)


@compiled
def distances_below(points, known, within, scratch, first, end, out):
    """Squared distances of the points of the tiles first <= tile < end to every centroid, (k, n) float64, where they
    can be below a limit.

    |x' - c'|^2 = |x'|^2 + |c'|^2 - 2 x' . c', where the product is off by at most |x'| slope + floor. Elsewhere they
    are infinite. points: Rows, known: Known, within: Within, scratch: Scratch, handed over.
    """
    x, known = taken(points), taken(known)
    k, lengths, below, exact, factors, norms, squares, slopes, floors, floor = taken(within)
    scratch = taken(scratch)
    found, chosen = scratch.out, scratch.chosen
    d, n = x.d, x.n
    for j in range(k):
        chosen[j] = j
    for tile in range(first, end):
        spread(x, known, tile * 32, scratch)
        full_products(x, scratch, factors, chosen, k, found)
        for lane in range(min(32, n - tile * 32)):
            i = known.order[tile * 32 + lane]
            length = length_above(lengths[i])
            for j in range(k):
                error = product_error(length, norms[j], slopes[j], floors[j], floor)
                least = lengths[i] + squares[j] - 2.0 * np.float64(found[32 * j + lane]) - error
                if is_beyond(least, below[i]):
                    out[j, i] = np.inf
                else:
                    out[j, i] = squared_distance(x.values, i * d, exact, j * d, d)
