"""Leading directions of the points, their coordinates along them, and an order that puts near points into tiles.

Numba leaf functions: arrays in, arrays out.
"""

from __future__ import annotations

import numpy as np

from steinhaus import simd as v
from steinhaus.compiled import compiled, compiled_loosely, inner
from steinhaus.engines.products import framed, full_products, products, spread
from steinhaus.engines.records import TILE
from steinhaus.handing import taken


@compiled
def gather(points, indices, reference, first, end, lanes, columns):
    """Bring the points first <= s < end of a sample, less the reference point (d,), into the two layouts of `lead`.

    points: Rows, handed over; indices: (32 S,) int64; columns may be empty.
    """
    x = taken(points)
    for s in range(first, end):
        at = indices[s] * x.d
        for t in range(x.d):
            value = framed(x, at + t, t) - reference[t]
            lanes[s // TILE, s % TILE // 16, t, s % 16] = value
            if len(columns):
                columns[t // TILE, t % TILE // 16, s, t % 16] = value


@compiled_loosely
def lead(lanes, columns, directions, sweeps):
    """Turn rows into leading directions of a sample of points: subspace iteration (Golub and Van Loan, Matrix
    Computations, 8.2.4).

    The sample stands here twice, float32: lanes (S, 2, d, 16), points in tiles; columns (U, 2, 32 S, 16), features in
    tiles, filled up with zeros. directions: (p, 32 U) float32, in place.
    """
    p, wide = directions.shape
    many = lanes.shape[0]
    chosen, out = np.arange(p), np.empty(TILE * p, np.float32)
    along = np.empty((p, TILE * many), np.float32)
    for sweep in range(sweeps + 1):
        if sweep:
            coordinates_of(lanes, directions, chosen, out, along)
            for u in range(columns.shape[0]):
                products(
                    v.pointer(columns), 32 * TILE * many * u, 16 * TILE * many, v.pointer(along), v.pointer(chosen),
                    TILE * many, np.int64(0), TILE * many, p, v.pointer(out), p > 0,
                )  # fmt: skip
                for q in range(p):
                    for lane in range(TILE):
                        directions[q, TILE * u + lane] = out[TILE * q + lane]
        for _ in range(2):  # Gram and Schmidt's, modified, twice
            for q in range(p):
                for r in range(q):
                    share = np.float32(0)
                    for t in range(wide):
                        share += directions[q, t] * directions[r, t]
                    for t in range(wide):
                        directions[q, t] -= share * directions[r, t]
                square = np.float32(0)
                for t in range(wide):
                    square += directions[q, t] * directions[q, t]
                scale = np.float32(1) / np.sqrt(square) if square > 0 else np.float32(0)
                for t in range(wide):
                    directions[q, t] *= scale


@inner
def coordinates_of(lanes, directions, chosen, out, along):
    """Coordinates of points in tiles, lanes (S, 2, d, 16), along directions (p, W), into (p, 32 S); all float32."""
    p, d = len(directions), lanes.shape[2]
    for tile in range(lanes.shape[0]):
        products(
            v.pointer(lanes), 32 * d * tile, 16 * d, v.pointer(directions), v.pointer(chosen), directions.shape[1],
            np.int64(0), d, p, v.pointer(out), p > 0,
        )  # fmt: skip
        for q in range(p):
            for lane in range(TILE):
                along[q, TILE * tile + lane] = out[TILE * q + lane]


@compiled_loosely
def skew(directions):
    """|P'P - I| of rows (p, d) float32, in float64 (Frobenius)."""
    total = 0.0
    for q in range(len(directions)):
        for r in range(q + 1):
            share = 0.0
            for t in range(directions.shape[1]):
                share += np.float64(directions[q, t]) * np.float64(directions[r, t])
            share -= q == r
            total += share * share * (1.0 if q == r else 2.0)
    return np.sqrt(total)


@compiled
def energy(lanes, directions):
    """The sum of squared coordinates of points in tiles along directions, as in `lead`."""
    p = len(directions)
    along = np.empty((p, TILE * lanes.shape[0]), np.float32)
    coordinates_of(lanes, directions, np.arange(p), np.empty(TILE * p, np.float32), along)
    total = 0.0
    for value in along.flat:
        total += value * value
    return total


@compiled
def project(points, known, factors, shift, scratch, first, end, coordinates, squares, along_reference):
    """Coordinates of the points of the tiles first <= tile < end along the leading directions, less the reference's.

    points: Rows, known: Known, factors: Factors of p + 1 rows, the directions and then the reference point, scratch:
    Scratch, handed over; shift: (p,) float32, the reference's coordinates -> coordinates (N, p) float32, b; squares
    (N,) float64, |b|^2; along_reference (N,) float64, z . m.
    """
    x, known, factors, scratch = taken(points), taken(known), taken(factors), taken(scratch)
    out, chosen = scratch.out, scratch.chosen
    p = len(shift)
    for q in range(p + 1):
        chosen[q] = q
    for tile in range(first, end):
        spread(x, known, tile * TILE, scratch)
        full_products(x, scratch, factors, chosen, p + 1, out)
        for lane in range(TILE):
            at = tile * TILE + lane
            along_reference[at] = out[TILE * p + lane]
            square = 0.0
            for q in range(p):
                coordinates[at, q] = b = out[TILE * q + lane] - shift[q]
                square += np.float64(b) * np.float64(b)
            squares[at] = square


@compiled
def split(coordinates, axes, order, keys, first, middle, end):
    """Reorder order[first:end] so that its part up to `middle` lies lower along the axis of largest variance.

    coordinates: (N, p) float32, of points, of which `axes` are looked at; order: (n,) int64, in place; keys: (n,)
    float32, scratch. Quickselect (C. A. R. Hoare, Algorithm 65: Find, Commun. ACM, 1961).
    """
    stride = max(1, (end - first) // 128)  # 128 points or so tell which axis is the longest
    best, axis = np.float32(-1.0), 0
    for a in range(axes):
        total = square = count = np.float32(0)
        for s in range(first, end, stride):
            value = coordinates[order[s], a]
            total += value
            square += value * value
            count += 1
        variance = (square - total * total / count) / count
        if variance > best:
            best, axis = variance, a
    for s in range(first, end):
        keys[s] = coordinates[order[s], axis]
    low, high = first, end - 1
    while low < high:
        pivot = keys[(low + high) // 2]
        i, j = low, high
        while i <= j:
            while keys[i] < pivot:
                i += 1
            while keys[j] > pivot:
                j -= 1
            if i <= j:
                keys[i], keys[j] = keys[j], keys[i]
                order[i], order[j] = order[j], order[i]
                i += 1
                j -= 1
        if middle <= j:
            high = j
        elif middle >= i:
            low = i
        else:
            break


@compiled
def near_order(coordinates, axes, order, keys, first, end):
    """Reorder order[first:end] so that tiles hold points near to each other: split in halves of whole tiles, down to
    tiles. See `split`.
    """
    starts, ends = np.empty(64, np.int64), np.empty(64, np.int64)
    starts[0], ends[0] = first, end
    depth = 1
    while depth:
        depth -= 1
        a, b = starts[depth], ends[depth]
        if b - a > TILE:
            middle = halfway(a, b)
            split(coordinates, axes, order, keys, a, middle, b)
            starts[depth], ends[depth], starts[depth + 1], ends[depth + 1] = a, middle, middle, b
            depth += 2


@compiled
def halfway(first, end):
    """Where a range of points is to be split: near its middle, a whole number of tiles from its start."""
    return first + (end - first + TILE) // (2 * TILE) * TILE


@compiled
def regroup(coordinates, order, tiles, projections):
    """Bring coordinates (N, p) of points into tiles (T, 2, p, 16): lane l of tile t is point order[32 t + l]."""
    p = coordinates.shape[1]
    for tile in range(tiles[0], tiles[1]):
        for lane in range(TILE):
            i = order[TILE * tile + lane]
            for q in range(p):
                projections[tile, lane // 16, q, lane % 16] = coordinates[i, q]
