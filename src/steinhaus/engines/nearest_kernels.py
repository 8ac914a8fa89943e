"""Numba leaf functions for labels alone: tiles of points are screened as they come, and settled, in one pass.

A tile's products are summed with the features in lanes, four points by up to six centroids at a time: points need not
be brought into lanes of their own, which for few centroids takes longer than the products.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from steinhaus import simd as v
from steinhaus.compiled import compiled, inner
from steinhaus.engines.bounds.rounding import CHAIN, norm_above
from steinhaus.engines.bounds.scores import FAR
from steinhaus.engines.products import framed
from steinhaus.engines.records import TILE, Factors, Known, Scores
from steinhaus.engines.tiles import bounds, list_open, nearest, settle
from steinhaus.handing import taken


@inner
def _products(points, rows, width, k, out):
    """Products of four points with k rows, (4, width) and (k, width) float32: row j's at 32 j of `out`."""
    for j in range(k):
        for i in range(4):
            out[32 * j + i] = 0.0
    tiles = -(-k // 6)
    for first in range(0, width, CHAIN):
        end, j = min(first + CHAIN, width), 0
        for tile in range(tiles):
            size = (k - j) // (tiles - tile)
            at, to = v.offset(rows, j * width), v.offset(out, 32 * j)
            if size == 6:
                v.row_tile(6, points, at, width, first, end, to)
            elif size == 5:
                v.row_tile(5, points, at, width, first, end, to)
            elif size == 4:
                v.row_tile(4, points, at, width, first, end, to)
            elif size == 3:
                v.row_tile(3, points, at, width, first, end, to)
            elif size == 2:
                v.row_tile(2, points, at, width, first, end, to)
            else:
                v.row_tile(1, points, at, width, first, end, to)
            j += size


@inner
def _place(x, start, width, row):
    """Bring a point into the frame, (width,) float32, filled up with zeros. Returns its squared norm."""
    values, offset, scale, d = x.values, x.offset, x.scale, x.d
    whole = d - d % 16
    a = b = v.splat(np.float32(0))
    for t in range(0, whole - 16, 32):
        z = v.load_framed(values, start + t, offset, t, scale)
        v.store(row, t, z)
        a = v.multiply_add(z, z, a)
        z = v.load_framed(values, start + t + 16, offset, t + 16, scale)
        v.store(row, t + 16, z)
        b = v.multiply_add(z, z, b)
    if whole % 32:
        z = v.load_framed(values, start + whole - 16, offset, whole - 16, scale)
        v.store(row, whole - 16, z)
        a = v.multiply_add(z, z, a)
    square = v.fold(v.add(a, b))
    for t in range(whole, width):
        row[t] = framed(x, start + t, t) if t < d else np.float32(0)
        square += row[t] * row[t]
    return square


@inner
def _is_finite(x, i):
    total = 0.0
    for t in range(x.d):
        value = np.float64(x.values[i * x.d + t])
        total += value - value
    return total == 0.0


class Sought(NamedTuple):
    """The centroids that points are to be labelled with."""

    k: int
    width: int  # d rounded up to a multiple of 16
    placed: np.ndarray  # (k, width) float32, the centroids in the frame, filled up with zeros
    factors: Factors  # the same for single points
    plain: Scores
    fine: Scores
    exact: np.ndarray  # (k, d) float64, the centroids
    reach: np.float32  # as in Known
    floor: np.float32
    stretch: float  # what makes a computed norm an upper bound


@compiled
def label(points, sought, first, end, labels):
    """Label the points first <= i < end: screened by products of all features, settled where that leaves it open.

    points: Rows, sought: Sought, handed over; labels: (n,) int32. Returns the first point that is not finite, or n.
    """
    x = taken(points)
    k, width, placed, factors, plain, fine, exact, reach, floor, stretch = taken(sought)
    d, n = x.d, x.n
    tables = np.empty((2, TILE * k), np.float32)
    four, lines = np.empty(4 * width, np.float32), np.zeros((3, TILE), np.float32)
    numbers, found_, lists = np.arange(k), np.empty(TILE, np.int32), np.empty((2, k), np.int64)
    listed, lanes = v.pointer(lists[0]), v.pointer(lists[1])
    out, upper, row = v.pointer(tables[0]), v.pointer(tables[1]), v.pointer(four)
    norms, none, least = v.pointer(lines[0]), v.pointer(lines[1]), v.pointer(lines[2])
    chosen, found = v.pointer(numbers), v.pointer(found_)
    known = Known(chosen, norms, none, none, 0, reach, floor, norms)
    for base in range(first, end, TILE):
        present = min(TILE, end - base)
        for lane in range(0, present, 4):
            for q in range(lane, lane + 4):
                norms[q] = _place(x, min(base + q, n - 1) * d, width, v.offset(row, (q - lane) * width))
            _products(row, placed, width, k, v.offset(out, lane))
        beyond = np.uint32(0)
        for lane in range(present):
            norm = np.float32(norm_above(np.float64(norms[lane]), stretch))
            if not norm < FAR:
                beyond |= np.uint32(1) << np.uint32(lane)
                norm = np.float32(0)
            norms[lane] = norm
        opened = bounds(out, chosen, k, 0, plain, known, norms, 0, upper, found, least)
        many = list_open(upper, k, least, opened, listed, lanes)
        opened |= beyond
        for lane in range(present):
            if (opened >> np.uint32(lane)) & np.uint32(1):
                i = base + lane
                if (beyond >> np.uint32(lane)) & np.uint32(1):
                    if not _is_finite(x, i):
                        return i
                    found[lane] = nearest(x, i, exact, 0, k)
                else:
                    found[lane] = settle(
                        x, i, lane, lane, exact, factors, fine, chosen, 0, known, upper, listed, lanes, many
                    )[0]
            labels[base + lane] = found[lane]
    return n
