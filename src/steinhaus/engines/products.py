"""Products of points with rows, one point or a tile of 32 at a time; and the squared distance that decides.

Numba leaf functions; see `records` for what they are handed.
"""

from __future__ import annotations

import math

import numpy as np

from steinhaus import simd as v
from steinhaus.compiled import by_type_of_points, compiled, inlined, inner
from steinhaus.engines.bounds.rounding import BYTES, FLAT, MOST, chunk
from steinhaus.handing import taken

TAKES_BYTES = v.takes_bytes("uint8")  # whether this processor multiplies bytes


@inner
def squared_distance(x, a, c, b, d):
    """The squared distance of two rows of d features, float64: the function that decides every label.

    x is the address of points of any real type, the row begins at a; c that of float64 rows, the row begins at b.
    Sixteen running sums over the features taken sixteen at a time, folded by halves; then the rest in order. No
    product is fused with a sum.
    """
    low, high = v.zeros64(), v.zeros64()
    whole = d - d % 16
    for t in range(0, whole, 16):
        e = v.subtract(v.load_float64(x, a + t), v.load_float64(c, b + t))
        low = v.add(low, v.multiply(e, e))
        e = v.subtract(v.load_float64(x, a + t + 8), v.load_float64(c, b + t + 8))
        high = v.add(high, v.multiply(e, e))
    total = v.fold(v.add(low, high))
    for t in range(whole, d):
        r = np.float64(x[a + t]) - c[b + t]
        total += r * r
    return total


@inlined
def framed(x, at, t):
    """One value of feature t in the frame, float32."""
    value = x.values[at]
    if not x.integers:
        value = (value - x.offset[t]) * x.scale
    return np.float32(value)


@by_type_of_points
def product(x, i, factors, j):
    """The product of point i in the frame with row j, summed in lanes that are folded in the end."""
    return _product_of_bytes, _product_of_floats


def _product_of_bytes(x, i, factors, j):
    values, d, limbs = x.values, x.d, factors.limbs
    width = (d + 63) // 64 * 64
    b, end = 2 * j * width, x.n * d - 64  # past a row's end the next one is read, times 0; not past the last one's
    total = np.float32(0)
    for t0 in range(0, d, BYTES):
        high = low = v.splat_int(np.int32(0))
        t1 = min(t0 + BYTES, d)
        whole = t1 if i * d + t1 <= end else t1 - t1 % 64
        for t in range(t0, whole, 64):
            high = v.add_bytes(high, values, i * d + t, limbs, b + t)
            low = v.add_bytes(low, values, i * d + t, limbs, b + width + t)
        total += v.fold(v.multiply_add(v.as_float(high), v.splat(np.float32(128)), v.as_float(low)))
        above = below = np.int32(0)
        for t in range(whole, t1):
            above += np.int32(values[i * d + t]) * np.int32(limbs[b + t])
            below += np.int32(values[i * d + t]) * np.int32(limbs[b + width + t])
        total += np.float32(128 * above + below)
    return total * factors.scales[j]


def _product_of_floats(x, i, factors, j):
    rows, b = factors.rows, j * x.d
    s0, s1, s2, s3 = v.splat(np.float32(0)), v.splat(np.float32(0)), v.splat(np.float32(0)), v.splat(np.float32(0))
    values, offset, scale = x.values, x.offset, x.scale
    a, whole = i * x.d, x.d - x.d % 64
    for t in range(0, whole, 64):
        s0 = v.multiply_add(v.load_framed(values, a + t, offset, t, scale), v.load(rows, b + t), s0)
        s1 = v.multiply_add(v.load_framed(values, a + t + 16, offset, t + 16, scale), v.load(rows, b + t + 16), s1)
        s2 = v.multiply_add(v.load_framed(values, a + t + 32, offset, t + 32, scale), v.load(rows, b + t + 32), s2)
        s3 = v.multiply_add(v.load_framed(values, a + t + 48, offset, t + 48, scale), v.load(rows, b + t + 48), s3)
    rest = x.d - x.d % 16
    for t in range(whole, rest, 16):
        s0 = v.multiply_add(v.load_framed(values, a + t, offset, t, scale), v.load(rows, b + t), s0)
    total = v.fold(v.add(v.add(s0, s1), v.add(s2, s3)))
    for t in range(rest, x.d):
        total += framed(x, a + t, t) * rows[b + t]
    return total


@by_type_of_points
def spread(x, known, base, scratch):
    """Bring the 32 points at positions `base` and after into lanes, (2, d, 16) float32, or quads, (2, W / 4, 16, 4)
    uint8: what `full_products` takes of these points. Those that are rounded get their `coarse`.
    """
    return _spread_bytes, _spread_rounded if TAKES_BYTES else _spread_floats


def _spread_bytes(x, known, base, scratch):
    d, order, quads, starts = x.d, known.order, scratch.quads, scratch.starts
    for group in range(2):
        for lane in range(16):
            starts[lane] = order[base + 16 * group + lane] * d
        to = 16 * ((d + 63) // 64 * 64) * group
        whole = d - d % 64
        for t in range(0, whole, 64):
            v.transpose_bytes(x.values, starts, t, quads, to + 16 * t)
        if whole < d and d % 4 == 0 and whole > 0:  # the last 64 once more, some of them
            v.transpose_bytes(x.values, starts, d - 64, quads, to + 16 * (d - 64))
            whole = d
        for t in range(whole, d):
            for lane in range(16):
                quads[to + 64 * (t // 4) + 4 * lane + t % 4] = x.values[starts[lane] + t]


def _spread_rounded(x, known, base, scratch):
    _spread_floats(x, known, base, scratch)
    if x.grain.step > 0:
        _round(x, known, base, scratch.lanes, scratch.quads)


@inner
def _round(x, known, base, lanes, quads):
    """Round the lanes of the tile at `base` to bytes, into quads, and note by how much: see `bounds.bytes`."""
    d, grain, width = x.d, x.grain, (x.d + 63) // 64 * 64
    for group in range(2):
        at, to, squares = 16 * d * group, 16 * width * group, v.splat(np.float32(0))
        for t in range(0, d, 4):
            low = high = v.splat(np.float32(0))
            for i in range(min(4, d - t)):
                y = v.subtract(v.load(lanes, at + 16 * (t + i)), v.splat(x.reference[t + i]))
                q = v.whole(v.multiply(y, v.splat(grain.per_step)))
                q = v.minimum(v.maximum(q, v.splat(np.float32(-128))), v.splat(np.float32(127)))
                off = v.multiply_add(q, v.splat(-grain.step), y)
                squares = v.multiply_add(off, off, squares)
                q = v.add(q, v.splat(np.float32(128)))
                if i % 2:
                    q = v.multiply(q, v.splat(np.float32(256)))
                if i < 2:
                    low = v.add(low, q)
                else:
                    high = v.add(high, q)
            upper = v.times(v.as_int(high), v.splat_int(np.int32(65536)))
            v.store(quads, to + 16 * t, v.plus(v.as_int(low), upper))
        size = v.add(v.load(known.norms, base + 16 * group), v.splat(known.reach))
        rho = v.multiply(v.root(squares), v.splat(grain.factor))
        whole = v.multiply_add(size, v.splat(grain.share), v.add(rho, v.splat(grain.tail)))
        v.store(known.coarse, base + 16 * group, whole)


@inlined
def _spread_floats(x, known, base, scratch):
    d, order, lanes, starts = x.d, known.order, scratch.lanes, scratch.starts
    for group in range(2):
        for lane in range(16):
            starts[lane] = order[base + 16 * group + lane] * d
        to = 16 * d * group
        whole = d - d % 16
        for t in range(0, whole, 16):
            v.transpose(x.values, starts, x.offset, t, x.scale, lanes, to + 16 * t)
        for t in range(whole, d):
            for lane in range(16):
                lanes[to + 16 * t + lane] = framed(x, starts[lane] + t, t)


@inner
def products(lanes, at, stride, rows, chosen, length, column, p, count, out, fresh):
    """Add lanes . rows[chosen[c]] over p features to row c of `out`, for c < count, up to eight rows and two groups at
    a time; or write them there, where `fresh`.
    """
    c = 0
    while c < count:
        k = min(count - c, 8)
        if k == 8:
            v.dot_tile(8, lanes, at, stride, rows, chosen, c, length, column, p, out, 32 * c, fresh)
        elif k >= 6:
            k = 6
            v.dot_tile(6, lanes, at, stride, rows, chosen, c, length, column, p, out, 32 * c, fresh)
        elif k >= 4:
            k = 4
            v.dot_tile(4, lanes, at, stride, rows, chosen, c, length, column, p, out, 32 * c, fresh)
        elif k == 3:
            v.dot_tile(3, lanes, at, stride, rows, chosen, c, length, column, p, out, 32 * c, fresh)
        elif k == 2:
            v.dot_tile(2, lanes, at, stride, rows, chosen, c, length, column, p, out, 32 * c, fresh)
        else:
            v.dot_tile(1, lanes, at, stride, rows, chosen, c, length, column, p, out, 32 * c, fresh)
        c += k


@inner
def byte_products(quads, at, stride, factors, chosen, width, column, quarter, count, out, fresh):
    """As `products`, of bytes: over 4 `quarter` features, up to six rows at a time."""
    limbs, scales, c = factors.limbs, factors.scales, 0
    while c < count:
        k = min(count - c, 6)
        if k == 6:
            v.byte_tile(6, quads, at, stride, limbs, scales, chosen, c, width, column, quarter, out, 32 * c, fresh)
        elif k >= 4:
            k = 4
            v.byte_tile(4, quads, at, stride, limbs, scales, chosen, c, width, column, quarter, out, 32 * c, fresh)
        elif k >= 2:
            k = 2
            v.byte_tile(2, quads, at, stride, limbs, scales, chosen, c, width, column, quarter, out, 32 * c, fresh)
        else:
            v.byte_tile(1, quads, at, stride, limbs, scales, chosen, c, width, column, quarter, out, 32 * c, fresh)
        c += k


@by_type_of_points
def full_products(x, scratch, factors, chosen, count, out):
    """Write the products of a tile, once `spread`, with some rows into `out`, summed in chunks of features."""
    return _products_of_bytes, _products_of_rounded if TAKES_BYTES else _products_of_floats


@inlined
def _products_of_bytes(x, scratch, factors, chosen, count, out):
    d, width = x.d, (x.d + 63) // 64 * 64
    for t in range(0, d, BYTES):
        quarter = (min(BYTES, d - t) + 3) // 4
        byte_products(scratch.quads, 16 * t, 16 * width, factors, chosen, width, t, quarter, count, out, t == 0)


def _products_of_rounded(x, scratch, factors, chosen, count, out):
    if x.grain.step == 0:
        _products_of_floats(x, scratch, factors, chosen, count, out)
    else:
        _products_of_bytes(x, scratch, factors, chosen, count, out)


@inlined
def _products_of_floats(x, scratch, factors, chosen, count, out):
    d, size = x.d, chunk(x.d)
    for t in range(0, d, size):
        products(scratch.lanes, 16 * t, 16 * d, factors.rows, chosen, d, t, min(size, d - t), count, out, t == 0)


@inner
def halve(row, j, d, factors):
    """Round a row of d float64 to two signed bytes a feature, row j of the factors; returns |row rounded - row|."""
    most = 0.0
    for t in range(d):
        most = max(most, abs(row[t]))
    scale, per_scale = 1.0, 0.0
    if most > FLAT:
        scale = math.ldexp(1.0, math.frexp(most / MOST)[1])
        per_scale = 1.0 / scale
    rest, width = 0.0, (d + 63) // 64 * 64
    at = 2 * j * width
    for t in range(d):
        q = np.int32(np.rint(row[t] * per_scale))
        high = (q + 64) >> 7
        factors.limbs[at + t], factors.limbs[at + width + t] = high, q - 128 * high
        off = row[t] - scale * q
        rest += off * off
    factors.scales[j] = scale
    return math.sqrt(rest)


@inner
def total(factors, j, d):
    """The sum of row j, as `halve` rounded it."""
    width, whole = (d + 63) // 64 * 64, np.int64(0)
    for t in range(2 * j * width, 2 * j * width + d):
        whole += 128 * np.int64(factors.limbs[t]) + factors.limbs[t + width]
    return np.float64(factors.scales[j]) * whole


@compiled
def halved(rows, factors):
    """Round rows, (k, d) float64, to the bytes of Factors, handed over; returns by how much, (k,) float64."""
    k, d = rows.shape
    rest, factors, view = np.empty(k), taken(factors), v.pointer(rows)
    for j in range(k):
        rest[j] = halve(v.offset(view, j * d), j, d, factors)
    return rest
