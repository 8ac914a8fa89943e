"""Errors by rounding: units, the longest chain of roundings of every product, and slack above them.

u = 2^-24 in float32, 2^-53 in float64; a sum of q products has |fl(x . y) - x . y| <= gamma_q |x|.|y| <=
gamma_q |x| |y|, gamma_q = q u / (1 - q u), in any order, with or without fused products (N. J. Higham, Accuracy and
Stability of Numerical Algorithms, 2nd ed. 2002, sections 3.1 and 3.5; |.| of vectors componentwise, then
Cauchy-Schwarz). For a product summed in parts, q is the longest chain of additions that any term goes through.

Bounds themselves are computed in float64, and kept in float32. `SLACK` is above what that takes from them: 2^-24 for
the nearest float32, gamma_(d + 8) for norms and sums of d terms; 1e-4 holds for d < 2^39.
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
CLOSE = 1.0 + 1e-6  # the same where a bound shall be closer: for d < 2^32
OPS = 10  # roundings of the terms of a score that are not counted one by one
TINY = 2.0**-120  # more than d underflows can add up to, for values of magnitude about 1
_LOST = 2.0**-60  # more than the root of what d < 2^30 squares can lose to underflow in float32, 2^-149 each
BYTES = 2**15  # features whose products of bytes are summed exactly, in int32
MOST = 127 * 128  # the largest integer of a row for products of bytes: 128 high + low, two signed bytes
FLAT = 2.0**-50  # rows of no greater value are rounded to 0, so that the scale of the others, times a step of `bytes`
# above 2^-60, is a normal float32
CHAIN = 1024  # features summed at a time by `predict_kernels`: four points and a few centroids stay in 32 KiB
_CHUNK = 112  # features summed at a time by `products.full_products`, about: lanes and rows stay in 32 KiB


def gamma(q: float, unit: float = UNIT32) -> float:
    """Higham's gamma_q = q u / (1 - q u); infinite where q u reaches 1, so that nothing is certified."""
    return q * unit / (1.0 - q * unit) if q * unit < 1.0 else np.inf


@inlined
def chunk(d: i64) -> i64:
    """How many features of d are summed at a time: a multiple of 16, in parts about alike (a million embeddings of 128
    features, K = 256: 5.8 s in one part, 6.3 s in parts of 112 and 16).
    """
    parts = max(1, (d + _CHUNK // 2) // _CHUNK)
    return ((d + parts - 1) // parts + 15) // 16 * 16


def chunked(d: int) -> int:
    """The longest chain of roundings in a product over d features as `products.full_products` sums it."""
    size = int(chunk(d))
    return min(d, size) + -(-d // size) + 1


def byted(d: int) -> float:
    """The same for products of bytes, z . e~ with e~ = s (128 high + low) and s a power of two, in units of u |z| |e~|.

    The sums H of z high and L of z low are exact. Conversions, 128 H + L, a fold of lanes where there is one, and the
    sum of c parts are rounded: in all, at most (8 + c) u s (sum of 128 |H| + |L|) <= (8 + c) u |z| (|128 s high| + |s
    low|) <= (8 + c) u |z| (|e~| + 2 |s low|). As |low| <= 64 and s <= 2 max |e| / MOST, |s low| <= |e| sqrt(d) / 127.
    """
    return (-(-d // BYTES) + 8) * (1.0 + math.sqrt(d) / 60.0)


def laned(d: int) -> int:
    """The longest chain in a product over d features as `lanes.product` sums it: 64 lanes, folded, then the rest."""
    return d // 64 + 6 + 1 + d % 64


def rowed(d: int) -> float:
    """The same as `predict_kernels` sums it: 16 lanes over `CHAIN` features, folded, then the parts."""
    return CHAIN / 16 + 5 + d // CHAIN


@inlined
def length_above(square: f64) -> f64:
    """At least the root of a sum of squares, as float64 summed them up."""
    return np.sqrt(square) * SLACK + TINY


def norms_above(squares: Float64) -> Float32:
    """At least |z_i| and |x'_i|, from |x'_i|^2 as float64 summed it up: z is off by 2 u of x', u = 2^-24, and `CLOSE`
    is above that and gamma_(d + 4). Components that float32 loses, below 2^-150, are the business of `TINY`.
    """
    return upward(np.sqrt(squares) * CLOSE)


def stretch(d: int) -> float:
    """The factor of `norm_above` where d squares were summed in float32, in 16 lanes and two parts."""
    return SLACK * (1.0 + gamma(d / 16 + 21))


@inlined
def norm_above(square: f64, factor: f64) -> f64:
    """At least |z|, from |z|^2 as float32 summed it up. The root of 1 + gamma is below 1 + gamma."""
    return (np.sqrt(square) + _LOST) * factor


def upward(values: Float64) -> Float32:
    """Round to float32, never down."""
    with np.errstate(over="ignore"):
        return np.nextafter(np.asarray(values).astype(np.float32), np.float32(np.inf))
