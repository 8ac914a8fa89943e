"""Sketches: a bound of each score from a few directions, for points rounded to bytes. Mathematics only.

Points and centroids are compared along m directions, the rows v_t = s_t b_t of V, with b_t of signed bytes. The rest of
a product is bounded by Cauchy-Schwarz, as in `scores.drift_bound`, but with the directions of bytes themselves, so that
they need not be orthonormal. Let y = y^ + rho be a point as in `bounds.bytes`, y^ = w (q - 128), and

    a = V y^,   a' = sigma z (z: bytes),   r = y^ - V'a',   c = V e,   g = gamma h (h: bytes),   n = e - V'g,   G = VV'.

z is the point's sketch, and h is the centroid's. Then y^ . V'g = a . g, and y^ . n = r . n + a' . Vn, so

    |y . e - a' . g| <= |a - a'| |g| + |a'| |Vn| + |r| |n| + |rho| |e|,       Vn = c - Gg,
    |n|^2 = |e|^2 - 2 g . c + g . Gg,       |r|^2 <= |y^|^2 - |a|^2 + |a - a'|^2 + delta |a'|^2,

with delta at least the norm of G - I. (The last line expands |y^ - V'a'|^2.) Also |a'| <= (1 + delta) (|y| + off), with
off = |a - a'| + |rho|. So the error of a score is at most

    |y| slope + |r| lag + off ext + floor,   slope = (1 + delta) |Vn|,   lag = |n|,   ext = max(|e|, |g|) + slope.

**Points** (`rest_of`, `off_of`, `length_of`). In float32, in units of sigma. |q - 128|^2 and V y^ / (w s) are integers,
and exact. The coordinates alpha = a / sigma are off by three roundings, and sums of m <= 256 squares by gamma_(m + 1):
less than `_SHARE` in all. The difference alpha - z is off by 3.1 u |alpha| and one rounding; `_BLUR` |alpha| exceeds
the former. A direction of zeros has alpha = z = h = 0, so that its row and column of G - I do not count.

**Centroids** (`sketched_bound`). In float64. c is off by gamma_d |e| |v_t| each, G by gamma_d, and a sum over m^2 terms
by gamma_(2 m) m. For d <= 2^14 and m <= 256, all that is less than `_FLOOR` of |e|^2, or of |e|.

**The norm of G - I** (`spread`). |M|_2^8 = |M^4|_2^2 <= |M^4|_F^2 for M = G - I, which is symmetric.

**Kernels** compute product * scale + (rest lag + (E - half)), where E is the largest |y| slope + off ext + floor of a
tile's lanes (see `bytes.WIDER`), and `half` is h_j and what 128 sum(h) took off. The product is an integer below 2^24.
Its scale is rounded, as are two sums; `OPS` exceeds this for |a'| |g| + 128 sigma sqrt(m) |g|, and `SLACK` for E and
rest lag.

**Integers first** (`ceiling_of`, `floor_of`). All centroids of a run have one scale s. Let b s >= (largest rest) lag +
E - half, and T s <= R for the limit R of a lane. If product + b < T, the upper bound is below R. Each operation is off
by u of its result, and the roundings to an integer by 1/2. Both functions allow 16 u of their operands, and 2 more.
They stay within 2^30 and 2^29, which is beyond all products; then the pair is not left out.
"""

from __future__ import annotations

import math

import numpy as np

from steinhaus.engines.bounds.gaps import SURPLUS
from steinhaus.engines.bounds.rounding import OPS, SLACK, UNIT32, Float64
from steinhaus.engines.bounds.scores import Rates, plain_floor
from steinhaus.jit.annotations import f64, i64
from steinhaus.jit.build import inlined
from steinhaus.jit.operations import convert, maximum, minimum
from steinhaus.jit.types import I32x16, Number, f32, i32

WIDEST = 0.5  # the largest delta for which sketches are used
SKEWED = 0.01  # rows of V have larger products with each other only if rounding made them
_SHARE = 2.0**-12
_BLUR = 2.0**-21
_FLOOR = 2.0**-30


def fits(step: float) -> bool:
    """Whether products of steps are normal float32 numbers."""
    return 2.0**-60 < step < 2.0**60


def spread(matrix: Float64) -> float:
    """delta, from (G - I)^4, (m, m), as computed in float64."""
    return float(np.square(matrix).sum() ** 0.125 * SLACK + _FLOOR)


@inlined
def off_of(square: Number, size: Number) -> Number:
    """At least |a - a'| / sigma. square: the sum of (alpha - z)^2; size: the sum of alpha^2."""
    return np.sqrt(square) * (1.0 + _SHARE) + np.sqrt(size) * _BLUR


@inlined
def rest_of(whole: Number, size: Number, off: Number, delta: f32) -> Number:
    """At least |r| / sigma. whole: |y^|^2 / sigma^2, by `enlarged`; size: the sum of alpha^2; off: see `off_of`."""
    sketch = np.sqrt(size) * (1.0 + _SHARE) + off
    square = whole - size * (1.0 - _SHARE) + (off * off + delta * sketch * sketch) * (1.0 + _SHARE)
    return np.sqrt(maximum(square, 0.0)) * (1.0 + _SHARE)


@inlined
def ceiling_of(raised: Number, reach: Number, per_scale: f32) -> I32x16:
    """b: at least (raised + reach) / s. raised: E - half; reach: rest lag; per_scale: 1 / s."""
    value = (raised + reach) * per_scale + ((abs(raised) + reach) * per_scale * SURPLUS + 2.0)
    return convert(np.rint(minimum(maximum(value, -(2.0**30)), 2.0**30)), i32)


@inlined
def floor_of(limit: Number, per_scale: f32) -> I32x16:
    """T: at most limit / s. per_scale: 1 / s."""
    value = limit * per_scale
    return convert(np.rint(minimum(maximum(value - (abs(value) * SURPLUS + 2.0), -(2.0**30)), 2.0**29)), i32)


@inlined
def length_of(whole: Number, step: f32, rho: Number) -> Number:
    """At least |y|, by |y^| + |rho|. whole: as in `rest_of`; step: sigma; rho: at least |rho|."""
    return (np.sqrt(whole) * step + rho) * (1.0 + _SHARE)


def enlarged(ratio: float) -> np.float32:
    """The factor that makes `whole` of |q - 128|^2. ratio: w / sigma."""
    return np.float32(ratio * ratio * (1.0 + 2.0 * _SHARE))


@inlined
def sketched_bound(
    square: f64, shared: f64, kept: f64, size: f64, leak: f64, half: f64, step: f64, delta: f64, m: i64, rates: Rates
) -> tuple[f64, f64, f64, f64]:
    """The slope, lag, ext and floor of a score from sketches.

    square: |e|^2; shared: g . c; kept: g . Gg; size: |g|; leak: |c - Gg|; half: h_j, and what was taken off; step:
    sigma.
    """
    norm = np.sqrt(square) * SLACK
    lag = np.sqrt(max(square - 2.0 * shared + kept, 0.0) + _FLOOR * square)
    slope = (1.0 + delta) * (leak + _FLOOR * norm)
    ext = max(norm, size) + slope
    rounded = OPS * UNIT32 * (1.0 + delta) * size
    floor = 128.0 * step * math.sqrt(f64(m)) * rounded + plain_floor(norm, half, rates)
    return (slope + rounded + rates.exact * norm) * SLACK, lag * SLACK, (ext + rounded) * SLACK, floor * SLACK
