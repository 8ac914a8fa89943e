"""Points of floats, rounded to bytes: how they are rounded, and the error of their products. Mathematics only.

Products of bytes are twice as fast as products of float32. So if many are needed, points are rounded on their way into
lanes: y = x' - m = w (q - 128) + rho, q in 0 .. 255, one step w for all features, and |rho| known of every
point (notation: see `bounds`). With e~ = e + r, e rounded to two bytes a feature,

    w q . e~ - 128 w sum(e~) = (y - rho) . e~ = y . e + y . r - rho . e~,

off from y . e by at most (|y| + |rho|) |r| + |rho| |e|, and by what rounding makes of w q . e~: gamma (`byted`, and
`OPS`) of w |q| |e~| <= (|y| + |rho| + 128 w sqrt(d)) |e~|.

The kernels know an error as n' slope, slope >= rate (|e| + |r|) + |r| (see `product_slope`). So they get

    n' = |z| + |m| + |rho| + |rho| / rate + 128 w sqrt(d) gamma / rate,    rate >= gamma,

for |z|: the fourth term covers |rho| |e|, the fifth with the first three the rounding. A rate far above gamma costs
|y| rate, and keeps |rho| / rate from enlarging what else is in the slope of a drift.

rho is computed in float32, as z - m - w (q - 128): off by at most 8 u (|z| + |m|) + 3 u |rho|, and the sum of its
squares by gamma_(d / 16 + 6). `Quantiser.factor` is enlarged by two `SLACK` for the latter; `BLUR` (|z| + |m|) is
added.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from steinhaus.engines.bounds.rounding import OPS, SLACK, UNIT32, Float64, byted, gamma, upward
from steinhaus.engines.bounds.scores import Frame
from steinhaus.jit.annotations import f32, f64

BLUR = 16.0 * UNIT32
SAMPLE = 1024  # points that tell how long a step is
_MOST = 2**14  # features of points that are rounded: `SLACK` covers the sum of their squares


class Quantiser(NamedTuple):
    """How points are rounded: n' = (|z| + |m|) share + tail + |rho| factor."""

    step: f32  # w; 0: they are not rounded
    per_step: f32
    factor: f32
    share: f32
    tail: f32
    rate: f64


_NOUGHT = np.float32(0)
NOT_ROUNDED = Quantiser(_NOUGHT, _NOUGHT, _NOUGHT, _NOUGHT, _NOUGHT, 0.0)


def quantiser_of(frame: Frame, sample: Float64) -> Quantiser:
    """A quantiser for points of which this is a sample, (m, d) in the frame less the reference.

    `NOT_ROUNDED` if no step would do. The step is such that no point of the sample is cut off. Points beyond it have a
    large rho, and are settled.
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
    factor_, share, tail_ = upward(np.array([factor, 1.0 + BLUR * factor, tail]))
    return Quantiser(step, np.float32(1.0 / step), factor_, share, tail_, rate)
