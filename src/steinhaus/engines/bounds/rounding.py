"""Errors by rounding: units, the longest chain of roundings of each product, and the slacks above them.

u = 2^-24 in float32, 2^-53 in float64. A sum of q products has |fl(x . y) - x . y| <= gamma_q |x|.|y| <=
gamma_q |x| |y|, gamma_q = q u / (1 - q u), in any order, with or without fused products (N. J. Higham, Accuracy and
Stability of Numerical Algorithms, 2nd ed. 2002, sections 3.1 and 3.5; |.| of vectors componentwise, then
Cauchy-Schwarz). For a product summed in parts, q is the longest chain of additions that any term goes through.

Bounds are computed in float64 and stored in float32. `SLACK` exceeds the rounding of both steps: 2^-24 for the nearest
float32, and gamma_(d + 8) for norms and sums of d terms. 1e-4 is enough for d < 2^39.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from steinhaus.jit.build import inlined
from steinhaus.jit.types import f64, i64

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

UNIT32 = 2.0**-24
UNIT64 = 2.0**-53
SLACK = 1.0 + 1e-4
CLOSE = 1.0 + 1e-6  # a smaller slack, for closer bounds; enough for d < 2^32
OPS = 10  # roundings of the terms of a score that are not counted one by one
TINY = 2.0**-120  # above the sum of d underflows, for values of magnitude about 1
_LOST = 2.0**-60  # above the root of the underflows of d < 2^30 squares in float32, 2^-149 each
BYTES = 2**15  # the most features whose products of bytes are summed exactly in int32
MOST = 127 * 128  # the largest integer of a row for products of bytes: 128 high + low, two signed bytes
FLAT = 2.0**-50  # rows whose largest value is no greater are rounded to 0. For all others, their scale times a step of
# `bytes`, which is above 2^-60, is a normal float32
_CHUNK = 112  # features that `products.full_products` sums at a time, about; lanes and rows stay in 32 KiB


def gamma(q: float, unit: float = UNIT32) -> float:
    """Higham's gamma_q = q u / (1 - q u). It is infinite from q u = 1 on, so that nothing is certified."""
    return q * unit / (1.0 - q * unit) if q * unit < 1.0 else np.inf


@inlined
def chunk(d: i64) -> i64:
    """The number of features of d that are summed at a time: a multiple of 16.

    The parts have about the same size, because a short last part costs more time than longer chunks do.
    """
    parts = max(1, (d + _CHUNK // 2) // _CHUNK)
    return ((d + parts - 1) // parts + 15) // 16 * 16


def chunked(d: int) -> int:
    """The longest chain of roundings in a product over d features, as `products.full_products` sums it."""
    size = int(chunk(d))
    return min(d, size) + -(-d // size) + 1


def byted(d: int) -> float:
    """The error of products of bytes in units of u |z| |e~|: z . e~ with e~ = s (128 high + low), s a power of two.

    The sums H of z high and L of z low are exact. The conversions, 128 H + L, the fold of lanes if there is one, and
    the sum of c parts are rounded. In all, this is at most (8 + c) u s (sum of 128 |H| + |L|) <= (8 + c) u |z| (|128 s
    high| + |s low|) <= (8 + c) u |z| (|e~| + 2 |s low|). As |low| <= 64 and s <= 2 max |e| / MOST, |s low| <= |e|
    sqrt(d) / 127.
    """
    return (-(-d // BYTES) + 8) * (1.0 + math.sqrt(d) / 60.0)


def laned(d: int) -> int:
    """The longest chain in a product over d features, as `lanes.product` sums it: 64 lanes, folded, then the rest."""
    return d // 64 + 6 + 1 + d % 64


@inlined
def length_above(square: f64) -> f64:
    """At least the root of a sum of squares that float64 summed up."""
    return np.sqrt(square) * SLACK + TINY


def norms_above(squares: Float64) -> Float32:
    """At least |z_i| and |x'_i|, from squares |x'_i|^2 that float64 summed up, (n,) -> (n,).

    z differs from x' by 2 u, u = 2^-24. `CLOSE` exceeds this and gamma_(d + 4). float32 loses components below 2^-150;
    `TINY` covers these.
    """
    return upward(np.sqrt(squares) * CLOSE)


def stretch(d: int) -> float:
    """The factor of `norm_above` for d squares that were summed in float32, in 16 lanes and two parts."""
    return SLACK * (1.0 + gamma(d / 16 + 21))


@inlined
def norm_above(square: f64, factor: f64) -> f64:
    """At least |z|, from |z|^2 that float32 summed up. The root of 1 + gamma is below 1 + gamma."""
    return (np.sqrt(square) + _LOST) * factor


def upward(values: Float64) -> Float32:
    """Round values of any shape to float32, never down."""
    with np.errstate(over="ignore"):
        return np.nextafter(np.asarray(values).astype(np.float32), np.float32(np.inf))
