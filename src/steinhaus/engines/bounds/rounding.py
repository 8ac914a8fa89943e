"""What rounding can take: units, the longest chains of roundings of every product, and room above them.

u = 2^-24 in float32, 2^-53 in float64; a sum of q products has |fl(x . y) - x . y| <= gamma_q |x|.|y| <=
gamma_q |x| |y|, gamma_q = q u / (1 - q u), in any order, with or without fused products (N. J. Higham, Accuracy and
Stability of Numerical Algorithms, 2nd ed. 2002, sections 3.1 and 3.5; |.| of vectors componentwise, then
Cauchy-Schwarz). For a product summed in parts, q is the longest chain of additions that any term goes through.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from steinhaus.compiled import inlined

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

UNIT32 = 2.0**-24
UNIT64 = 2.0**-53
SLACK = 1.0 + 1e-4
OPS = 10
TINY = 2.0**-120  # more than d underflows can add up to, for values of magnitude about 1
BYTES = 2**15  # features whose products of bytes are summed exactly, in int32
MOST = 127 * 128  # the largest integer of a row for products of bytes: 128 high + low, two signed bytes
_CHUNK = 112  # features summed at a time by `products.full_products`, about: lanes and rows stay in 32 KiB


def gamma(q: float, unit: float = UNIT32) -> float:
    """Higham's gamma_q = q u / (1 - q u); infinite where q u reaches 1, so that nothing is certified."""
    return q * unit / (1.0 - q * unit) if q * unit < 1.0 else np.inf


@inlined
def chunk(d: int) -> int:
    """How many features of d are summed at a time: a multiple of 16, in parts about alike (a million embeddings of 128
    features, K = 256: 5.8 s in one part, 6.3 s in parts of 112 and 16).
    """
    parts = max(1, (d + _CHUNK // 2) // _CHUNK)
    return ((d + parts - 1) // parts + 15) // 16 * 16


def chunked(d: int) -> int:
    """The longest chain of roundings in a product over d features as `products.full_products` sums it."""
    size = int(chunk.py_func(d))
    return min(d, size) + -(-d // size) + 1


def byted(d: int) -> float:
    """The same for products of bytes, z . e~ with e~ = s (128 high + low) and s a power of two, in units of u |z| |e~|.

    The sums H of z high and L of z low are exact. Conversions, 128 H + L, a fold of lanes where there is one, and the
    sum of c parts are rounded: in all, at most (8 + c) u s (sum of 128 |H| + |L|) <= (8 + c) u |z| (|128 s high| + |s
    low|) <= (8 + c) u |z| (|e~| + 2 |s low|). As |low| <= 64 and s <= 2 max |e| / MOST, |s low| <= |e| sqrt(d) / 127.
    """
    return (-(-d // BYTES) + 8) * (1.0 + math.sqrt(d) / 60.0)


def laned(d: int) -> int:
    """The longest chain in a product over d features as `products.product` sums it: 64 lanes, folded, then the rest."""
    return d // 64 + 6 + 1 + d % 64


def float64_floor(d: int) -> float:
    """What float64's own rounding can make of a score's gap, relative to (|z| + |m|)^2 and to |e_j|^2.

    `products.squared_distance` is off by gamma_(d + 3) of the distance D, relatively, and D <= 2 |y|^2 + 2 |e|^2; both
    sides of a comparison count, and half of that is a gap of scores. e, h and m carry a few roundings of (|c'| +
    |m|)^2 more.
    """
    return 8.0 * (d + 16) * UNIT64


def upward(values: Float64) -> Float32:
    """Round to float32, never down."""
    with np.errstate(over="ignore"):
        return np.nextafter(np.asarray(values).astype(np.float32), np.float32(np.inf))
