"""Kernels of points of any type, for `test_jit`: a module is compiled once for each type."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from steinhaus.jit.build import apart, inner, kernel
from steinhaus.jit.declared import unroll
from steinhaus.jit.operations import (
    bits_of,
    convert,
    floating,
    fold,
    from_bits,
    load,
    local,
    size_of,
    small_integer,
    store,
    vector,
)
from steinhaus.jit.types import Array, Point, boolean, bundle, f32, f64, i64, u8


@kernel
def converted(
    x: Array[Point], n: i64, wide: Array[f64], whole: Array[i64], back: Array[Point], bits: Array[i64]
) -> None:
    for i in range(n):
        wide[i], whole[i], back[i] = f64(x[i]), i64(x[i]), Point(i64(x[i]))
    bits[0], bits[1], bits[2] = i64(floating(Point)), i64(size_of(Point)), i64(small_integer(Point))


@kernel
def of_points(x: Array[Point], out: Array[f64], whole: Array[i64]) -> None:
    v = convert(load(x, 0, 8), f64)
    store(out, 0, v * v)
    q = convert(np.floor(v * 0.3), i64)
    store(whole, 0, (q >> 1) + (q & 3) - (q << 2) + (q | 1) + (q ^ 5))
    out[8] = fold(v)
    sums = local(vector(f64, 8), 2)
    for s in unroll(2):
        sums[s] = load(out, 0, 8) + f64(s)
    store(out, 9, sums[0] + sums[1])
    store(out, 17, load(out, 8, 1))
    whole[8] = bits_of(out[0])
    out[18] = from_bits(whole[8])


class Inner(NamedTuple):
    scale: f32
    offset: Array[f64]


class Outer(NamedTuple):
    values: Array[Point]
    n: i64
    inner: Inner
    flag: boolean
    small: u8


@bundle
class Slice:
    x: Outer
    first: i64
    out: Array[f64]


@apart
def sum_of(part: Slice, end: i64) -> f64:
    total = f64(part.x.inner.scale) if part.x.flag else -1.0
    for i in range(part.first, end):
        total += f64(part.x.values[i]) - part.x.inner.offset[i]
    part.out[0] = f64(part.x.small)
    return total


@inner
def of_inner(x: Inner) -> f64:
    return x.offset[1] * f64(x.scale)


@kernel
def of_records(x: Outer, out: Array[f64]) -> f64:
    part = Slice(x, 1, out)
    out[1] = of_inner(x.inner)
    scale, offset = x.inner
    out[2] = f64(scale) + offset[0]
    return sum_of(part, x.n)
