"""Products of a tile of 32 points with rows, in float32 or of bytes. All sums of a few rows stay in registers."""

from __future__ import annotations

import math

import numpy as np

from steinhaus.engines.bounds.rounding import BYTES, FLAT, MOST, chunk
from steinhaus.engines.dense.factors import TILE, Factors
from steinhaus.engines.dense.records import Framed, Scratch
from steinhaus.engines.dense.tiled_products import LEAST_ROWS, tiled_products
from steinhaus.jit.build import apart, inner, kernel, loose, shared_kernel
from steinhaus.jit.declared import unroll
from steinhaus.jit.operations import (
    add_byte_products,
    bits_of,
    convert,
    fma,
    from_bits,
    load,
    local,
    splat,
    store,
    vector,
    word,
    words,
)
from steinhaus.jit.target import BYTE_LANES, BYTE_TILES
from steinhaus.jit.types import Array, boolean, f32, f64, i8, i32, i64, literal, u8

_Floats, _Bytes = Array[f32], Array[i8]


@shared_kernel
def full_products(
    x: Framed, scratch: Scratch, factors: Factors, chosen: Array[i64], count: i64, out: Array[f32]
) -> None:
    """Write the products of a gathered tile with the rows chosen[c], c < count, summed in chunks of features.

    chosen: (K,); out: (32 K,), 32 products a row.
    """
    d = x.rows.d
    if x.bytewise or x.quantiser.step > 0.0:
        width = (d + 63) // 64 * 64
        for t in range(0, d, BYTES):
            quarter = (min(BYTES, d - t) + 3) // 4
            byte_products(scratch.quads + 16 * t, width, factors, t, chosen, count, quarter, out, t == 0)
    else:
        size = chunk(d)
        for t in range(0, d, size):
            low = scratch.lanes + 16 * t
            products(low, low + 16 * d, factors.rows + t, d, chosen, count, min(size, d - t), out, t == 0)


@shared_kernel
def products(
    low: Array[f32],
    high: Array[f32],
    rows: Array[f32],
    length: i64,
    chosen: Array[i64],
    count: i64,
    p: i64,
    out: Array[f32],
    fresh: boolean,
) -> None:
    """Add the products of two groups of sixteen points with the rows chosen[c], c < count, over p features, to `out`.

    If `fresh`, they are written instead of added. low, high: (p, 16) the groups; rows: (K, length); chosen: (count,);
    out: (32 count,), 32 products a row.
    """
    c = 0
    for size in unroll(8, 0, -1):
        if size % 2 == 0 or size <= 3:  # 8, 6, 4, 3, 2, 1
            while count - c >= size:
                _dot_tile(size, low, high, rows, length, chosen + c, p, out + TILE * c, fresh)
                c += size


@apart
def _dot_tile(
    size: literal,
    low: Array[f32],
    high: Array[f32],
    rows: Array[f32],
    length: i64,
    chosen: Array[i64],
    p: i64,
    out: Array[f32],
    fresh: boolean,
) -> None:
    """See `products`, for `size` rows. chosen: (size,); out: (32 size,)."""
    starts = local(_Floats, size)
    sums = local(vector(f32, 16), 2 * size)
    for s in unroll(size):
        starts[s] = rows + chosen[s] * length
        sums[2 * s] = splat(0.0, f32, 16)
        sums[2 * s + 1] = splat(0.0, f32, 16)
    for q in range(p):
        a = load(low, 16 * q, 16)
        b = load(high, 16 * q, 16)
        for s in unroll(size):
            factor = splat(starts[s][q], f32, 16)
            sums[2 * s] = fma(a, factor, sums[2 * s])
            sums[2 * s + 1] = fma(b, factor, sums[2 * s + 1])
    if not fresh:
        for s in unroll(2 * size):
            sums[s] = load(out, 16 * s, 16) + sums[s]
    for s in unroll(2 * size):
        store(out, 16 * s, sums[s])


@shared_kernel
def byte_products(
    quads: Array[u8],
    width: i64,
    factors: Factors,
    column: i64,
    chosen: Array[i64],
    count: i64,
    quarter: i64,
    out: Array[f32],
    fresh: boolean,
) -> None:
    """See `products`, for products of bytes over 4 `quarter` features from `column` on.

    quads: (2, W / 4, 16, 4) from the column on; chosen: (count,); out: (32 count,).
    """
    if BYTE_LANES > 0:
        c = 0
        if BYTE_TILES and count >= LEAST_ROWS:
            c = tiled_products(quads, width, factors, column, chosen, count, quarter, out, fresh)
        for size in unroll(6, 0, -1):
            if size % 2 == 0 or size == 1:  # 6, 4, 2, 1
                while count - c >= size:
                    _byte_tile(size, quads, width, factors, column, chosen + c, quarter, out + TILE * c, fresh)
                    c += size


@apart
def _byte_tile(
    size: literal,
    quads: Array[u8],
    width: i64,
    factors: Factors,
    column: i64,
    chosen: Array[i64],
    quarter: i64,
    out: Array[f32],
    fresh: boolean,
) -> None:
    """See `byte_products`, for `size` rows. chosen: (size,); out: (32 size,).

    quads: (2, W / 4, 16, 4) holds four features of a point side by side. Sums are exact for up to 2^15 features. Two
    conversions, a fused sum and a fused product follow.
    """
    starts = local(_Bytes, 2 * size)
    sums = local(vector(i32, 16), 4 * size)
    for s in unroll(size):
        starts[2 * s] = factors.high + (chosen[s] * width + column)
        starts[2 * s + 1] = factors.low + (chosen[s] * width + column)
        for g in unroll(4):
            sums[4 * s + g] = splat(0, i32, 16)
    for q in range(quarter):
        a = words(quads, 64 * q, 16)
        b = words(quads, 16 * width + 64 * q, 16)
        for s in unroll(2 * size):
            factor = splat(word(starts[s], 4 * q), i32, 16)
            sums[2 * s] = add_byte_products(sums[2 * s], a, factor)
            sums[2 * s + 1] = add_byte_products(sums[2 * s + 1], b, factor)
    before = local(vector(f32, 16), 2 * size)
    for s in unroll(2 * size):
        before[s] = splat(0.0, f32, 16)
    if not fresh:
        for s in unroll(2 * size):
            before[s] = load(out, 16 * s, 16)
    for s in unroll(size):
        scale = splat(factors.scales[chosen[s]], f32, 16)
        for g in unroll(2):
            whole = fma(convert(sums[4 * s + g], f32), 128.0, convert(sums[4 * s + 2 + g], f32))
            store(out, TILE * s + 16 * g, fma(whole, scale, before[2 * s + g]))


@loose
def halve(row: Array[f64], j: i64, d: i64, factors: Factors) -> f64:
    """Round a row, (d,), to two signed bytes a feature, as row j of the factors; return |row rounded - row|."""
    most = 0.0
    for t in range(d):
        most = max(most, abs(row[t]))
    scale, per_scale = 1.0, 0.0
    if most > FLAT:
        exponent = ((bits_of(most / f64(MOST)) >> 52) & 0x7FF) - 1022
        scale = from_bits((exponent + 1023) << 52)
        per_scale = 1.0 / scale
    rest = 0.0
    width = (d + 63) // 64 * 64
    at = j * width
    for t in range(d):
        q = i32(np.rint(row[t] * per_scale))
        high = (q + 64) >> 7
        factors.high[at + t] = i8(high)
        factors.low[at + t] = i8(q - 128 * high)
        off = row[t] - scale * f64(q)
        rest += off * off
    factors.scales[j] = f32(scale)
    return math.sqrt(rest)


@inner
def halved_sums(factors: Factors, j: i64, d: i64) -> tuple[f64, f64]:
    """The sum of row j, as `halve` rounded it, and that of its high bytes."""
    width, high, low = (d + 63) // 64 * 64, 0, 0
    for t in range(j * width, j * width + d):
        high += i64(factors.high[t])
        low += i64(factors.low[t])
    scale = f64(factors.scales[j])
    return scale * f64(128 * high + low), scale * f64(128 * high)


@loose
def halved_rest(row: Array[f64], j: i64, d: i64, factors: Factors) -> f64:
    """How far the high bytes of row j, as `halve` rounded it, are from the row, (d,)."""
    rest, at, scale = 0.0, j * ((d + 63) // 64 * 64), 128.0 * f64(factors.scales[j])
    for t in range(d):
        off = row[t] - scale * f64(factors.high[at + t])
        rest += off * off
    return math.sqrt(rest)


@kernel
def halve_rows(rows: Array[f64], k: i64, d: i64, factors: Factors, rest: Array[f64]) -> None:
    """Round rows, (k, d), to the bytes of `factors`. rest: (k,) gets |row rounded - row| of each."""
    for j in range(k):
        rest[j] = halve(rows + j * d, j, d, factors)
