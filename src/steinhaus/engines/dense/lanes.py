"""Kernels that read points: tiles into lanes, single points, and integers into sums.

These are the only kernels of a pass that depend on the type of the points. They are compiled for each type. All others
call them by address (`Readers`).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from steinhaus.engines.bounds.rounding import BYTES
from steinhaus.engines.dense.factors import TILE, Factors
from steinhaus.engines.dense.records import Framed, Scratch, Tiles
from steinhaus.engines.exact.distances import squared_distance
from steinhaus.engines.exact.rows import integer
from steinhaus.jit.build import Bound, inlined, inner, kernel
from steinhaus.jit.declared import unroll
from steinhaus.jit.operations import (
    add_byte_products,
    convert,
    floating,
    fma,
    fold,
    load,
    local,
    maximum,
    minimum,
    size_of,
    small_integer,
    splat,
    store,
    takes_bytes,
    transpose,
    vector,
    words,
)
from steinhaus.jit.target import BYTE_LANES
from steinhaus.jit.types import Array, F32x16, Function, Point, f32, f64, i32, i64, u8


@inlined
def framed(x: Framed, at: i64, t: i64) -> f32:
    """The value at flat index `at`, of feature t, in the frame."""
    if small_integer(Point):
        return f32(x.rows.values[at])
    if floating(Point) and size_of(Point) == 4:
        return (x.rows.values[at] - x.offset[t]) * x.scale
    return f32((f64(x.rows.values[at]) - x.offset[t]) * x.scale)


# Tiles


@kernel
def gather(x: Framed, tiles: Tiles, base: i64, scratch: Scratch) -> None:
    """Bring the 32 points from position `base` on into lanes or quads, as `products.full_products` needs them.

    Points that are rounded to bytes get their `rounded_norms`.
    """
    d = x.rows.d
    for group in range(2):
        for lane in range(16):
            scratch.starts[lane] = tiles.order[base + 16 * group + lane] * d
        if takes_bytes(Point):
            _gather_bytes(x, scratch.starts, scratch.quads + 16 * ((d + 63) // 64 * 64) * group)
        else:
            _gather_floats(x, scratch.starts, scratch.lanes + 16 * d * group)
    if BYTE_LANES > 0 and x.quantiser.step > 0.0:
        _round(x, tiles, base, scratch.lanes, scratch.quads, scratch.rests)


@inlined
def _gather_floats(x: Framed, starts: Array[i64], lanes: Array[f32]) -> None:
    # starts: (16,) flat indices of the points; lanes: (d, 16).
    d = x.rows.d
    whole = d - d % 16
    for t in range(0, whole, 16):
        _turn(x, starts, t, lanes + 16 * t)
    for t in range(whole, d):
        for lane in range(16):
            lanes[16 * t + lane] = framed(x, starts[lane] + t, t)


@inner
def _turn(x: Framed, starts: Array[i64], t: i64, to: Array[f32]) -> None:
    """Transpose sixteen features, from t on, of sixteen points. starts: (16,) their flat indices; to: (16, 16)."""
    turned = local(vector(f32, 16), 16)
    for lane in unroll(16):
        at = starts[lane] + t
        if small_integer(Point):
            turned[lane] = convert(load(x.rows.values, at, 16), f32)
        elif floating(Point) and size_of(Point) == 4:
            turned[lane] = (load(x.rows.values, at, 16) - load(x.offset, t, 16)) * x.scale
        else:
            seen = (convert(load(x.rows.values, at, 16), f64) - load(x.offset, t, 16)) * x.scale
            turned[lane] = convert(seen, f32)
    transpose(turned)
    for lane in unroll(16):
        store(to, 16 * lane, turned[lane])


@inlined
def _gather_bytes(x: Framed, starts: Array[i64], quads: Array[u8]) -> None:
    # starts: (16,) flat indices of the points; quads: (W / 4, 16, 4).
    d = x.rows.d
    whole = d - d % 64
    for t in range(0, whole, 64):
        _turn_bytes(x.rows.values, starts, t, quads + 16 * t)
    if whole < d and d % 4 == 0 and whole > 0:  # the last 64 once more, some of them
        _turn_bytes(x.rows.values, starts, d - 64, quads + 16 * (d - 64))
        whole = d
    for t in range(whole, d):
        for lane in range(16):
            quads[64 * (t // 4) + 4 * lane + t % 4] = u8(x.rows.values[starts[lane] + t])


@inner
def _turn_bytes(values: Array[Point], starts: Array[i64], t: i64, to: Array[u8]) -> None:
    """Transpose 64 bytes, from t on, of sixteen points, four features at a time.

    values: the points, (n, d); starts: (16,) flat indices of the points; to: (16, 16, 4).
    """
    turned = local(vector(i32, 16), 16)
    for lane in unroll(16):
        turned[lane] = words(values, starts[lane] + t, 16)
    transpose(turned)
    for lane in unroll(16):
        store(to, 64 * lane, turned[lane])


@inner
def _round(x: Framed, tiles: Tiles, base: i64, lanes: Array[f32], quads: Array[u8], rests: Array[f32]) -> None:
    """Round the tile at `base` to bytes, and write its `rounded_norms` and `rests` (see `bounds.bytes`).

    rests: (32,); lanes: (2, d, 16); quads: (2, W / 4, 16, 4).
    """
    d, quantiser = x.rows.d, x.quantiser
    width = (d + 63) // 64 * 64
    for group in range(2):
        at, to = 16 * d * group, 16 * width * group
        squares = splat(0.0, f32, 16)
        for t in range(0, d, 4):
            low = splat(0.0, f32, 16)
            high = splat(0.0, f32, 16)
            for i in range(min(4, d - t)):
                y = load(lanes, at + 16 * (t + i), 16) - x.reference[t + i]
                q = np.rint(y * quantiser.per_step)
                q = minimum(maximum(q, -128.0), 127.0)
                off = fma(q, -quantiser.step, y)
                squares = fma(off, off, squares)
                q = q + 128.0
                if i % 2:
                    q = q * 256.0
                if i < 2:
                    low = low + q
                else:
                    high = high + q
            store(quads, to + 16 * t, convert(low, i32) + convert(high, i32) * 65536)
        size = load(tiles.norms, base + 16 * group, 16) + tiles.reach
        rho = np.sqrt(squares)
        store(rests, 16 * group, fma(size, quantiser.blur, rho * quantiser.wider))
        store(
            tiles.rounded_norms, base + 16 * group, fma(size, quantiser.share, rho * quantiser.factor + quantiser.tail)
        )


@kernel
def gather_sample(
    x: Framed, indices: Array[i64], first: i64, end: i64, features: i64, lanes: Array[f32], columns: Array[f32]
) -> None:
    """Bring the points first <= s < end of a sample, less the reference point, into the layouts of `lead`.

    indices: (32 S,); lanes: (S, 2, d, 16); columns: (U, 2, 32 S, 16), not written if `features` is 0.
    """
    d = x.rows.d
    for s in range(first, end):
        at = indices[s] * d
        for t in range(d):
            value = framed(x, at + t, t) - x.reference[t]
            lanes[(s // TILE * 2 + s % TILE // 16) * d * 16 + t * 16 + s % 16] = value
            if features > 0:
                columns[((t // TILE * 2 + t % TILE // 16) * features + s) * 16 + t % 16] = value


# Single points


@kernel
def product(x: Framed, i: i64, factors: Factors, j: i64) -> f32:
    """The product of point i in the frame with row j, summed in lanes, which are then folded."""
    if takes_bytes(Point):
        return _product_of_bytes(x, i, factors, j)
    return _product_of_floats(x, i, factors, j)


@inlined
def _product_of_bytes(x: Framed, i: i64, factors: Factors, j: i64) -> f32:
    values, d = x.rows.values, x.rows.d
    width = (d + 63) // 64 * 64
    b = j * width
    end = x.rows.n * d - 64  # reading may pass the end of a row, where factors are 0, but not the end of the array
    total = f32(0.0)
    for t0 in range(0, d, BYTES):
        high = splat(0, i32, 16)
        low = splat(0, i32, 16)
        t1 = min(t0 + BYTES, d)
        whole = t1 if i * d + t1 <= end else t1 - t1 % 64
        for t in range(t0, whole, 64):
            some = words(values, i * d + t, 16)
            high = add_byte_products(high, some, words(factors.high, b + t, 16))
            low = add_byte_products(low, some, words(factors.low, b + t, 16))
        total += fold(fma(convert(high, f32), 128.0, convert(low, f32)))
        above = i32(0)
        below = i32(0)
        for t in range(whole, t1):
            above += i32(values[i * d + t]) * i32(factors.high[b + t])
            below += i32(values[i * d + t]) * i32(factors.low[b + t])
        total += f32(128 * above + below)
    return total * factors.scales[j]


@inlined
def _product_of_floats(x: Framed, i: i64, factors: Factors, j: i64) -> f32:
    rows, d = factors.rows, x.rows.d
    a, b = i * d, j * d
    sums = local(vector(f32, 16), 4)
    for s in unroll(4):
        sums[s] = splat(0.0, f32, 16)
    whole, rest = d - d % 64, d - d % 16
    for t in range(0, whole, 64):
        for s in unroll(4):
            sums[s] = _add_product(x, a + t + 16 * s, t + 16 * s, rows + (b + t + 16 * s), sums[s])
    for t in range(whole, rest, 16):
        sums[0] = _add_product(x, a + t, t, rows + (b + t), sums[0])
    total = fold((sums[0] + sums[1]) + (sums[2] + sums[3]))
    for t in range(rest, d):
        total += framed(x, a + t, t) * rows[b + t]
    return total


@inlined
def _add_product(x: Framed, at: i64, t: i64, row: Array[f32], total: F32x16) -> F32x16:
    # row: (16,).
    return fma(load_framed(x, at, t), load(row, 0, 16), total)


@inlined
def load_framed(x: Framed, at: i64, t: i64) -> F32x16:
    """Sixteen features of a point in the frame, from feature t on."""
    if small_integer(Point):
        return convert(load(x.rows.values, at, 16), f32)
    if floating(Point) and size_of(Point) == 4:
        return (load(x.rows.values, at, 16) - load(x.offset, t, 16)) * x.scale
    return convert((convert(load(x.rows.values, at, 16), f64) - load(x.offset, t, 16)) * x.scale, f32)


@kernel
def distance(x: Framed, i: i64, rows: Array[f64], j: i64) -> f64:
    """The squared distance of point i to row j, by `distances.squared_distance`. rows: (k, d)."""
    return squared_distance(x.rows.values + i * x.rows.d, rows + j * x.rows.d, x.rows.d)


@kernel
def square(x: Framed, i: i64) -> f32:
    """The squared norm of a point in the frame."""
    start, whole = i * x.rows.d, x.rows.d - x.rows.d % 16
    a = splat(0.0, f32, 16)
    b = splat(0.0, f32, 16)
    for t in range(0, whole - 16, 32):
        z = load_framed(x, start + t, t)
        a = fma(z, z, a)
        z = load_framed(x, start + t + 16, t + 16)
        b = fma(z, z, b)
    if whole % 32:
        z = load_framed(x, start + whole - 16, whole - 16)
        a = fma(z, z, a)
    total = fold(a + b)
    for t in range(whole, x.rows.d):
        rest = framed(x, start + t, t)
        total += rest * rest
    return total


@kernel
def is_finite(x: Framed, i: i64) -> i64:
    """Whether all values of point i are finite."""
    total = 0.0
    for t in range(i * x.rows.d, (i + 1) * x.rows.d):
        total += f64(x.rows.values[t]) - f64(x.rows.values[t])
    return i64(total == 0.0)


# Sums


@kernel
def add_row(x: Framed, i: i64, sign: i64, sums: Array[i64], at: i64) -> None:
    """Add a point's integers to sums (sign 1), or subtract them (sign -1).

    sums: (1, K, d); the cluster's begin at `at`.
    """
    for t in range(x.rows.d):
        sums[at + t] += sign * integer(x.rows, i * x.rows.d + t, t)


@kernel
def add_row_narrow(x: Framed, i: i64, sign: i64, sums: Array[i32], at: i64) -> None:
    """See `add_row`, for sums in one limb of int32. sums: (1, K, d)."""
    d, values = x.rows.d, x.rows.values
    if small_integer(Point):
        if sign > 0:
            for t in range(d):
                sums[at + t] += i32(values[i * d + t])
        else:
            for t in range(d):
                sums[at + t] -= i32(values[i * d + t])


class Readers(NamedTuple):
    """The addresses of the functions that read points of a type."""

    gather: Function(gather)  # type: ignore[valid-type]
    product: Function(product)  # type: ignore[valid-type]
    distance: Function(distance)  # type: ignore[valid-type]
    square: Function(square)  # type: ignore[valid-type]
    is_finite: Function(is_finite)  # type: ignore[valid-type]
    add_row: Function(add_row)  # type: ignore[valid-type]
    add_row_narrow: Function(add_row_narrow)  # type: ignore[valid-type]


def readers(dtype: Any) -> Readers:
    """The readers for a type of points."""
    of: list[Bound] = [each[dtype] for each in (gather, product, distance, square, is_finite, add_row, add_row_narrow)]
    return Readers(*(each.address for each in of))
