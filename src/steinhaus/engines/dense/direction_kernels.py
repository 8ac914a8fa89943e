"""Kernels for leading directions, for coordinates along them, and for an order that puts near points into tiles."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from steinhaus.engines.dense.factors import TILE, Factors
from steinhaus.engines.dense.lanes import Readers
from steinhaus.engines.dense.products import full_products, products
from steinhaus.engines.dense.records import Framed, Scratch, Tiles
from steinhaus.jit.annotations import Array, f32, f64, i64
from steinhaus.jit.build import inner, kernel, loose, loose_kernel
from steinhaus.jit.declared import unroll
from steinhaus.jit.operations import (
    bits_of,
    convert,
    largest,
    load,
    local,
    lowest_one,
    splat,
    store,
    transpose,
    vector,
)
from steinhaus.jit.tiles import begin_tiles, end_tiles
from steinhaus.jit.types import literal, u32

AXES = 16  # the leading directions by which points are put in order


@kernel
def lead(
    lanes: Array[f32],
    columns: Array[f32],
    directions: Array[f32],
    p: i64,
    d: i64,
    tiles: i64,
    sweeps: i64,
    chosen: Array[i64],
    out: Array[f32],
    along: Array[f32],
) -> None:
    """Find leading directions of a sample of points by subspace iteration (Golub and Van Loan, Matrix Computations,
    8.2.4).

    The sample of 32 S points is given twice. lanes: (S, 2, d, 16), points in tiles; tiles: S. columns: (U, 2, 32 S,
    16), features in tiles, filled up with zeros. directions: (p, 32 U), the rows to start from, in place. chosen: (p,)
    the numbers 0 to p - 1. out: (32 p,) and along: (p, 32 S), work space.
    """
    many = TILE * tiles
    wide = (d + TILE - 1) // TILE * TILE
    for sweep in range(sweeps + 1):
        if sweep > 0:
            _coordinates(lanes, d, tiles, directions, wide, p, chosen, out, along)
            for u in range(wide // TILE):
                low = columns + TILE * many * u
                products(low, low + 16 * many, along, many, chosen, p, many, out, p > 0)
                for q in range(p):
                    for lane in range(TILE):
                        directions[q * wide + TILE * u + lane] = out[TILE * q + lane]
        _orthonormalise(directions, p, wide)
        _orthonormalise(directions, p, wide)


@loose
def _orthonormalise(rows: Array[f32], p: i64, wide: i64) -> None:
    """Make rows, (p, wide), orthonormal by the modified Gram-Schmidt method. Two calls are needed."""
    for q in range(p):
        row = rows + q * wide
        for r in range(q):
            other = rows + r * wide
            share = f32(0.0)
            for t in range(wide):
                share += row[t] * other[t]
            for t in range(wide):
                row[t] -= share * other[t]
        square = f32(0.0)
        for t in range(wide):
            square += row[t] * row[t]
        scale = f32(1.0) / np.sqrt(square) if square > 0.0 else f32(0.0)
        for t in range(wide):
            row[t] *= scale


@inner
def _coordinates(
    lanes: Array[f32],
    d: i64,
    tiles: i64,
    directions: Array[f32],
    wide: i64,
    p: i64,
    chosen: Array[i64],
    out: Array[f32],
    along: Array[f32],
) -> None:
    """The coordinates of points in tiles along directions.

    lanes: (S, 2, d, 16); directions: (p, wide); chosen: (p,); out: (32 p,), work space; along: (p, 32 S), the result.
    """
    for tile in range(tiles):
        low = lanes + TILE * d * tile
        products(low, low + 16 * d, directions, wide, chosen, p, d, out, p > 0)
        for q in range(p):
            for lane in range(TILE):
                along[(q * tiles + tile) * TILE + lane] = out[TILE * q + lane]


@loose_kernel
def skew(directions: Array[f32], p: i64, d: i64) -> f64:
    """|P'P - I| (Frobenius) of directions, (p, d), in float64.

    Rows of zeros are left out. Points and centroids are 0 along them, so that no bound depends on them.
    """
    total = 0.0
    for q in range(p):
        for r in range(q + 1):
            share = 0.0
            for t in range(d):
                share += f64(directions[q * d + t]) * f64(directions[r * d + t])
            if q == r and share > 0.0:
                share -= 1.0
            total += share * share * (1.0 if q == r else 2.0)
    return np.sqrt(total)


@kernel
def energy(
    lanes: Array[f32],
    directions: Array[f32],
    p: i64,
    d: i64,
    tiles: i64,
    chosen: Array[i64],
    out: Array[f32],
    along: Array[f32],
) -> f64:
    """The sum of the squared coordinates of points in tiles along directions. Arrays are as in `lead`."""
    _coordinates(lanes, d, tiles, directions, (d + TILE - 1) // TILE * TILE, p, chosen, out, along)
    total = 0.0
    for place in range(p * TILE * tiles):
        total += f64(along[place] * along[place])
    return total


class Projection(NamedTuple):
    """The results of a projection."""

    shift: Array[f32]  # (p,) the coordinates of the reference point, which are subtracted
    p: i64
    coordinates: Array[f32]  # (N, p) b
    axes: Array[f32]  # (16, N) the first 16 coordinates once more; (0, N) if p is 0
    many: i64  # N
    squares: Array[f64]  # (N,) |b|^2
    along_reference: Array[f64]  # (N,) z . m


@kernel
def project(
    points: Framed,
    readers: Readers,
    tiles: Tiles,
    factors: Factors,
    scratch: Scratch,
    to: Projection,
    first: i64,
    end: i64,
) -> None:
    """Project the points of the tiles first <= tile < end, less the reference point, on the leading directions.

    factors: p + 1 rows, the directions and then the reference point.
    """
    out, chosen, p = scratch.out, scratch.chosen, to.p
    for q in range(p + 1):
        chosen[q] = q
    begin_tiles()
    for tile in range(first, end):
        readers.gather(points, tiles, tile * TILE, scratch)
        full_products(points, scratch, factors, chosen, p + 1, out)
        for side in range(0, TILE, 16):
            at = tile * TILE + side
            store(to.along_reference, at, convert(load(out, TILE * p + side, 16), f64))
            squares = splat(0.0, f64, 16)
            for q in range(p):
                b = load(out, TILE * q + side, 16) - to.shift[q]
                store(out, TILE * q + side, b)
                squares = squares + convert(b, f64) * convert(b, f64)
                if q < AXES:
                    store(to.axes, q * to.many + at, b)
            store(to.squares, at, squares)
            for q in range(0, p, 16):
                turned = local(vector(f32, 16), 16)
                for row in unroll(16):
                    turned[row] = load(out, TILE * (q + row) + side, 16)
                transpose(turned)
                for lane in unroll(16):
                    store(to.coordinates, (at + lane) * p + q, turned[lane])
    end_tiles()


class Places(NamedTuple):
    """Coordinates of points, and an order of these points."""

    coordinates: Array[f32]  # (N, p)
    axes: Array[f32]  # (16, N) the first 16 coordinates
    p: i64
    many: i64  # N
    order: Array[i64]  # (n,)
    keys: Array[f32]  # (n,) work space


@kernel
def split(places: Places, first: i64, middle: i64, end: i64) -> None:
    """Reorder order[first:end] so that the points before `middle` are lower along one axis than the points after it.

    The axis is the one of largest variance, of the first 16. Quickselect (C. A. R. Hoare, Algorithm 65: Find, Commun.
    ACM, 1961), with N. Lomuto's partition, which needs no branches.
    """
    keys, low, high = places.keys, first, end
    axis = places.axes + places.many * _longest_axis(places, first, end)
    for s in range(first, end):
        keys[s] = axis[places.order[s]]
    while high - low > 1:
        pivot = _pivot(keys, low, high)
        at = _partition(0, places, low, high, pivot)
        if at > middle:
            high = at
        elif at == middle:
            break
        else:
            low = _partition(1, places, at, high, pivot)
            if low >= middle or low == at:
                break


@inner
def _partition(ties: literal, places: Places, low: i64, high: i64, pivot: f32) -> i64:
    """Bring the points with keys below `pivot`, and `ties` if these are wanted, to the front; return their end."""
    order, keys, at = places.order, places.keys, low
    for s in range(low, high):
        key, i = keys[s], order[s]
        keys[s], order[s] = keys[at], order[at]
        keys[at], order[at] = key, i
        at += i64(key <= pivot if ties else key < pivot)
    return at


@inner
def _pivot(keys: Array[f32], low: i64, high: i64) -> f32:
    """The middle one of three keys. keys: (n,)."""
    a, b, c = keys[low], keys[(low + high) // 2], keys[high - 1]
    return max(min(a, b), min(max(a, b), c))


@inner
def _longest_axis(places: Places, first: i64, end: i64) -> i64:
    """The axis of largest variance, of the first 16, estimated from about 128 points."""
    stride = max(1, (end - first) // 128)
    total, square, count = splat(0.0, f32, 16), splat(0.0, f32, 16), f32(0.0)
    for s in range(first, end, stride):
        value = load(places.coordinates, places.order[s] * places.p, 16)
        total, square = total + value, square + value * value
        count += 1.0
    spread = square - total * total / count
    return lowest_one(bits_of(spread == largest(spread)) | u32(0x10000)) % 16


@kernel
def near_order(places: Places, first: i64, end: i64, starts: Array[i64], ends: Array[i64]) -> None:
    """Reorder order[first:end] so that tiles hold near points: halve it again and again, at whole tiles.

    starts, ends: (64,), work space.
    """
    starts[0], ends[0] = first, end
    depth = 1
    while depth > 0:
        depth -= 1
        a, b = starts[depth], ends[depth]
        if b - a > TILE:
            middle = halfway(a, b)
            split(places, a, middle, b)
            starts[depth], ends[depth], starts[depth + 1], ends[depth + 1] = a, middle, middle, b
            depth += 2


@inner
def halfway(first: i64, end: i64) -> i64:
    """The place at which to halve a range of points: near its middle, a whole number of tiles from its start."""
    return first + (end - first + TILE) // (2 * TILE) * TILE


@kernel
def regroup(coordinates: Array[f32], p: i64, order: Array[i64], first: i64, end: i64, projections: Array[f32]) -> None:
    """Bring coordinates, (N, p), into tiles: lane l of tile t is point order[32 t + l].

    order: (N,); projections: (T, 2, p, 16).
    """
    for group in range(2 * first, 2 * end):
        for q in range(0, p, 16):
            turned = local(vector(f32, 16), 16)
            for lane in unroll(16):
                turned[lane] = load(coordinates, order[16 * group + lane] * p + q, 16)
            transpose(turned)
            for row in unroll(16):
                store(projections, (group * p + q + row) * 16, turned[row])
