"""The screen of the compact engine: scores in float64, s_j = |c_j|^2 / 2 - x . c_j.

The nearest centroid has the least score. Let X = |x|^2, C the greatest |c_j|^2, u = 2^-53, and gamma_q as in
`rounding`. In any order, with or without fused products, a product x . c of d features is off by at most gamma_d |x|
|c| <= gamma_d (X + C) / 2, and |c|^2 / 2 by gamma_d C / 2. Their difference is at most X / 2 + C, and is rounded once
more. So a score is off by at most gamma_(d+2) (X + C).

The squared distances that decide are off by at most gamma_(d+3) of themselves (a difference, a square and d sums), and
are at most 2 (X + C). A gap of squared distances is twice a gap of scores. Hence the centroid of the least score is
the label if the next score is larger by more than

    2 gamma_(d+2) (X + C) + (gamma_(d+3) / 2) 4 (X + C) <= 4 gamma_(d+3) (X + C),

plus underflow. The bound is 6 (d + 8) u (X + C). For d < 2^40 this leaves room for its own rounding, for that of the
difference of the scores, and for gamma's denominator. Each of 4 d products may lose 2^-1075 to underflow.
"""

from __future__ import annotations

from steinhaus.engines.bounds.rounding import UNIT64
from steinhaus.jit.build import inlined
from steinhaus.jit.types import f64, i64

SMALLEST = 2.0**-900  # below this, the factor that scales a squared distance to 62 bits may overflow


@inlined
def score_stretch(d: i64) -> f64:
    """The least gap of the two least scores that decides, divided by X + C."""
    return f64(d + 8) * (6.0 * UNIT64)


@inlined
def score_floor(d: i64) -> f64:
    """The part of that gap that underflow needs."""
    return f64(d + 8) * 2.0**-1070


@inlined
def far_stretch(d: i64) -> f64:
    """Far above the relative error of a distance in d features, the root of a squared distance.

    A squared distance is off by at most gamma_(d+3) of itself, as above. Its root is off by half of that, and by u.
    """
    return f64(d + 8) * (16.0 * UNIT64)


FAR = 2.0**-450  # a distance must exceed another by this much more, so that its square is far from underflow
