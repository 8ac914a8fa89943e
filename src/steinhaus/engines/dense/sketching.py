"""Make sketches: of the points of a tile, and of centroids. See `bounds.sketches`."""

from __future__ import annotations

import numpy as np

from steinhaus.engines.bounds.scores import FAR, UNKNOWN
from steinhaus.engines.bounds.sketches import length_of, off_of, rest_of, sketched_bound
from steinhaus.engines.dense.centroids import along_directions
from steinhaus.engines.dense.factors import TILE
from steinhaus.engines.dense.group_records import Sketches
from steinhaus.engines.dense.halved import byte_sums
from steinhaus.engines.dense.lanes import Readers
from steinhaus.engines.dense.records import CentroidFrame, Framed, Scratch, Tiles, View
from steinhaus.jit.build import apart, inner, kernel, loose, loose_kernel
from steinhaus.jit.declared import unroll
from steinhaus.jit.operations import (
    add_byte_products,
    convert,
    fma,
    largest,
    load,
    maximum,
    minimum,
    splat,
    store,
    words,
)
from steinhaus.jit.target import BYTE_LANES
from steinhaus.jit.tiles import begin_tiles, end_tiles
from steinhaus.jit.types import Array, I32x16, f32, f64, i8, i32, i64, u8

_ROWS = 32  # directions at a time


@apart
def sketch_tile(quads: Array[u8], rhos: Array[f32], d: i64, sketches: Sketches, base: i64, sums: Array[i32]) -> None:
    """Write the sketches of the tile at `base`, which was gathered.

    quads: (2, W / 4, 16, 4), its features as bytes; rhos: (32,) at least |rho|; sums: (32, 32), work space.
    """
    width, m = (d + 63) // 64 * 64, sketches.m
    to = sketches.quads + base * m
    for side in range(0, TILE, 16):
        store(sketches.rests, base + side, splat(0.0, f32, 16))
        store(sketches.offs, base + side, splat(0.0, f32, 16))
    for first in range(0, m, _ROWS):
        byte_sums(quads, width, sketches.high + first * width, _ROWS, sums)
        for group in range(2):
            at, side = base + 16 * group, 16 * group
            size, square = load(sketches.rests, at, 16), load(sketches.offs, at, 16)
            for t in range(0, _ROWS, 4):
                quad = splat(0, i32, 16)
                for i in unroll(4):
                    centred = load(sums, TILE * (t + i) + side, 16) - sketches.sums[first + t + i]
                    alpha = convert(centred, f32) * sketches.units[first + t + i]
                    z = minimum(maximum(np.rint(alpha), -128.0), 127.0)
                    off = alpha - z
                    size, square = fma(alpha, alpha, size), fma(off, off, square)
                    quad = quad + (convert(z + 128.0, i32) << 8 * i)
                store(to, 16 * m * group + 16 * (first + t), quad)
            store(sketches.rests, at, size)
            store(sketches.offs, at, square)
    for group in range(2):
        at = base + 16 * group
        size = load(sketches.rests, at, 16)
        off = off_of(load(sketches.offs, at, 16), size)
        whole = convert(_squares(quads + 16 * width * group, d), f32) * sketches.whole
        store(sketches.rests, at, rest_of(whole, size, off, sketches.delta) * sketches.step)
        rho = load(rhos, 16 * group, 16)
        store(sketches.offs, at, fma(off, sketches.step, rho))
        store(sketches.sizes, at, length_of(whole, sketches.step, rho))


@inner
def _squares(quads: Array[u8], d: i64) -> I32x16:
    """The sums of (q - 128)^2 of sixteen points: exact for up to 2^15 features. quads: (W / 4, 16, 4)."""
    total, ones = splat(0, i32, 16), splat(0x01010101, i32, 16)
    if BYTE_LANES > 0:
        for t in range(0, d, 4):
            quad = words(quads, 16 * t, 16)
            total = add_byte_products(total, quad, quad ^ -0x7F7F7F80)  # q (q - 128)
            total = total - 128 * add_byte_products(splat(-512, i32, 16), quad, ones)
    return total - i32(16384 * ((d + 3) // 4 * 4 - d))  # less the bytes past the last feature, which are 0


@kernel
def extent(
    points: Framed,
    readers: Readers,
    tiles: Tiles,
    sketches: Sketches,
    scratch: Scratch,
    some: Array[i64],
    many: i64,
    sums: Array[i32],
) -> f64:
    """The greatest |alpha| of the points of some tiles. some: (many,) their numbers; sums: (32, 32), work space."""
    most, d = splat(0.0, f32, 16), points.rows.d
    width = (d + 63) // 64 * 64
    begin_tiles()
    for s in range(many):
        readers.gather(points, tiles, TILE * some[s], scratch)
        for first in range(0, sketches.m, _ROWS):
            byte_sums(scratch.quads, width, sketches.high + first * width, _ROWS, sums)
            for t in range(_ROWS):
                for side in range(0, TILE, 16):
                    centred = convert(load(sums, TILE * t + side, 16) - sketches.sums[first + t], f32)
                    most = maximum(abs(centred * sketches.units[first + t]), most)
    end_tiles()
    return f64(largest(most))


# Centroids


@kernel
def coordinates(view: View, frame: CentroidFrame, first: i64, end: i64, along: Array[f64]) -> None:
    """Write c of the centroids first <= j < end, which `prepare` has prepared, into `along`, (end - first, m)."""
    j, m = first, view.sketches.m
    for size in unroll(4, 0, -1):
        if size != 3:  # 4, 2, 1
            while end - j >= size:
                rows, to = view.gaps.rows + j * frame.d, along + (j - first) * m
                along_directions(size, rows, view.sketches.along, frame.d, m, to)
                j += size


@kernel
def place_sketches(
    view: View, frame: CentroidFrame, first: i64, end: i64, along: Array[f64], unit: f64, work: Array[f64]
) -> None:
    """Write the sketches of the centroids first <= j < end, and their bounds, into `view.sketched`.

    along: (end - first, m) c; unit: gamma, a float32; work: (m,), work space.
    """
    m = view.sketches.m
    for j in range(first, end):
        _place_sketch(view, frame, j, along + (j - first) * m, unit, work)


@inner
def _place_sketch(view: View, frame: CentroidFrame, j: i64, along: Array[f64], unit: f64, work: Array[f64]) -> None:
    """See `place_sketches`, for centroid j. along: (m,) c; work: (m,)."""
    sketches, to, norm, m = view.sketches, view.sketched, view.gaps.norms[j], view.sketches.m
    total, step, seen = 0.0, f64(sketches.step), norm < FAR
    for t in range(m):
        h = min(max(np.rint(along[t] / unit), -127.0), 127.0) if seen else 0.0
        to.factors.high[j * m + t] = i8(h)
        work[t] = unit * h
        total += h
    shared, kept, size, leak = _shares(along, work, sketches.gram, m)
    half = 0.5 * norm * norm + 128.0 * step * unit * total
    slope, lag, ext, floor = sketched_bound(
        norm * norm, shared, kept, np.sqrt(size), np.sqrt(leak), half, step, f64(sketches.delta), m, frame.rates
    )
    if not seen:
        half, slope, lag, ext, floor = 0.0, 0.0, 0.0, 0.0, UNKNOWN
    to.factors.scales[j], to.half[j], to.slope[j] = f32(step * unit), f32(half), f32(slope)
    to.lag[j], to.ext[j], to.floor[j] = f32(lag), f32(ext), f32(floor)


@loose
def _shares(along: Array[f64], row: Array[f64], gram: Array[f64], m: i64) -> tuple[f64, f64, f64, f64]:
    """G . c, g . Gg, |g|^2 and |c - Gg|^2. along: (m,) c; row: (m,) g; gram: (m, m)."""
    shared, kept, size, leak = 0.0, 0.0, 0.0, 0.0
    for t in range(m):
        turned = 0.0
        for u in range(m):
            turned += gram[t * m + u] * row[u]
        shared += row[t] * along[t]
        kept += row[t] * turned
        size += row[t] * row[t]
        leak += (along[t] - turned) * (along[t] - turned)
    return shared, kept, size, leak


# Directions


@loose_kernel
def gram_of(rows: Array[f64], m: i64, d: i64, out: Array[f64]) -> None:
    """The products of rows, (m, d), with each other. out: (m, m)."""
    for q in range(m):
        for r in range(q + 1):
            share = 0.0
            for t in range(d):
                share += rows[q * d + t] * rows[r * d + t]
            out[q * m + r], out[r * m + q] = share, share


@loose_kernel
def square_of(matrix: Array[f64], m: i64, out: Array[f64]) -> None:
    """The square of a matrix, (m, m). out: (m, m)."""
    for q in range(m):
        for u in range(m):
            out[q * m + u] = 0.0
        for r in range(m):
            for u in range(m):
                out[q * m + u] += matrix[q * m + r] * matrix[r * m + u]
