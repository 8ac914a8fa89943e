"""Points of floats, rounded to bytes: how they are rounded, and the error of their products. Mathematics only.

Products of bytes are faster than products of float32 (docs/benchmarks.md, "Rounding floats to bytes"). So if many are
needed, points are rounded when they are put into lanes: y = x' - m = w (q - 128) + rho, with q in 0 .. 255 and one step
w for all features. |rho| is known for every point (notation: see `bounds`). With e~ = e + r, which is e rounded to two
bytes a feature,

    w q . e~ - 128 w sum(e~) = (y - rho) . e~ = y . e + y . r - rho . e~.

This differs from y . e by at most (|y| + |rho|) |r| + |rho| |e|. The rounding of w q . e~ comes on top: gamma (`byted`,
and `OPS`) of w |q| |e~| <= (|y| + |rho| + 128 w sqrt(d)) |e~|.

Kernels compute an error as n' slope, slope >= rate (|e| + |r|) + |r| (see `product_slope`). So in place of |z| they get

    n' = |z| + |m| + |rho| + |rho| / rate + 128 w sqrt(d) gamma / rate,    rate >= gamma.

The fourth term covers |rho| |e|. The fifth, with the first three, covers the rounding. A rate far above gamma adds
|y| rate to the error. In return, |rho| / rate enlarges the other parts of a drift's slope less.

rho is computed in float32, as z - m - w (q - 128). It is off by at most 8 u (|z| + |m|) + 3 u |rho|, and the sum of its
squares by gamma_(d / 16 + 6). For the latter, `Quantiser.factor` is enlarged by two `SLACK`. For the former, `BLUR`
(|z| + |m|) is added.

**One byte.** If products serve no other purpose than one screen, only the high byte of a centroid's feature is used.
Then r is about as long as rho, and |rho| |r| / rate above would be too much. So the parts of the error stay apart:

    (|z| + |m|) (|r| + g |e~|) + |rho| (1 + g) |e~| + 128 w sqrt(d) g |e~|,    |e~| <= |e| + |r|,

with g for the rounding. `halved_bound` computes the factors. Only one conversion and one product are rounded, fewer
than `byted` counts.

**All lanes of a tile at once.** The error E_j for the largest |z| + |m| and the largest |rho| of a tile's lanes is at
least that of every lane. So product + (E_j - h_j) is an upper bound of all their scores. E_j takes three roundings, its
difference from h_j one, and the sum one, whether its product is rounded before or not. `WIDER` exceeds the share of E_j
in them, 5 u E_j. `OPS`, in `halved_bound` and its rates, exceeds those of h_j and the product.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from steinhaus.engines.bounds.rounding import OPS, SLACK, UNIT32, Float64, byted, gamma, upward
from steinhaus.engines.bounds.scores import Frame, Rates, plain_floor
from steinhaus.jit.annotations import f32, f64, i64
from steinhaus.jit.build import inlined

BLUR = 16.0 * UNIT32
WIDER = 1.0 + 16.0 * UNIT32
SAMPLE = 1024  # points from which the step is found
_MOST = 2**14  # features: points with more are not rounded, since `SLACK` would not cover the sum of squares


class Quantiser(NamedTuple):
    """The rounding of points to bytes, and the terms of n' = (|z| + |m|) share + tail + |rho| factor."""

    step: f32  # w; 0: points are not rounded
    per_step: f32  # 1 / w
    factor: f32
    share: f32
    tail: f32
    rate: f64
    wider: f32  # |rho| <= wider |rho computed| + blur (|z| + |m|)
    blur: f32


_NOUGHT = np.float32(0)
NOT_ROUNDED = Quantiser(_NOUGHT, _NOUGHT, _NOUGHT, _NOUGHT, _NOUGHT, 0.0, _NOUGHT, _NOUGHT)


def quantiser_of(frame: Frame, sample: Float64) -> Quantiser:
    """The quantiser for points, from a sample of y, (m, d); `NOT_ROUNDED` if there is no fitting step.

    The step is chosen so that all values of the sample fit into bytes. Other points may have larger values; their rho
    is large, so that they are settled.
    """
    m, d = sample.shape
    step = np.float32(np.abs(sample).max() / 127.0)
    size = math.sqrt(float(np.square(sample).sum()) / m) + frame.reach
    if not (2.0**-60 < step < 2.0**60 and size < 2.0**60 and d <= _MOST):
        return NOT_ROUNDED
    least = frame.entry + (OPS + 1) * UNIT32 + gamma(byted(d))
    rate = least + float(step) * math.sqrt(d / 12.0) / size / 32.0
    factor = (1.0 + 1.0 / rate) * SLACK * SLACK
    tail = 128.0 * float(step) * math.sqrt(d) * least / rate
    factor_, share, tail_, wider, blur = upward(np.array([factor, 1.0 + BLUR * factor, tail, SLACK**3, BLUR * SLACK]))
    return Quantiser(step, np.float32(1.0 / step), factor_, share, tail_, rate, wider, blur)


@inlined
def halved_bound(norm: f64, rest: f64, half: f64, step: f64, d: i64, rates: Rates) -> tuple[f64, f64, f64]:
    """The slope, lag and floor of a score from one byte a feature: factors of |z| + |m| and of |rho|, and the rest.

    norm: |e_j|, enlarged by `SLACK`; rest: |e~_j - e_j|, as computed in float64; half: h_j, and what was taken off;
    step: of the quantiser.
    """
    size = norm + rest * SLACK
    slope = rest + rates.bytes * size + rates.exact * norm
    floor = 128.0 * step * math.sqrt(f64(d)) * rates.bytes * size + plain_floor(norm, half, rates)
    return slope * SLACK, (1.0 + rates.bytes) * size * SLACK, floor * SLACK
