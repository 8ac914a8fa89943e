"""The screen of the compact engine: scores in float64, s_j = |c_j|^2 / 2 - x . c_j.

The nearest centroid has the least score. Let X = |x|^2, C the greatest |c_j|^2, u = 2^-53, and gamma_q as in
`rounding`. In any order, with or without fused products, a product x . c of d features is off by at most gamma_d |x|
|c| <= gamma_d (X + C) / 2, and |c|^2 / 2 by gamma_d C / 2. Their difference is at most X / 2 + C, and is rounded once
more. So a score is off by at most gamma_(d+2) (X + C).

The squared distances that decide are off by at most gamma_(d+3) of themselves (a difference, a square and d sums), and
are at most 2 (X + C). A gap of squared distances is twice a gap of scores. So the centroid of the least score is
the label if the next score is larger by more than

    2 gamma_(d+2) (X + C) + (gamma_(d+3) / 2) 4 (X + C) <= 4 gamma_(d+3) (X + C),

plus underflow. The bound is 6 (d + 8) u (X + C), which leaves room for its own rounding, that of the
difference of the scores, and gamma's denominator, for d < 2^40. Each of 4 d products may lose 2^-1075 to underflow.

Gaps of tiles. Let M be that bound and D_j the squared distance of a point to c_j, exactly. X + 2 s_j, computed, is off
from D_j by at most gamma_d X + 2 gamma_(d+2) (X + C) + 4 u (X + C) < M, with room for the rounding of M and of another
sum: D_j is at least X + 2 s_j - M. The score of the point's label is at most M above the least, so its D is at most
X + 2 s + 3 M, s the least score. Squared distances are scaled by a power of 4, which rounds nothing but underflows, and
roots are taken in float32, v = 2^-24: they are off by at most 2 v of themselves and 2^-63. So

1. their difference is at least the computed one, less 4 v of their sum and 2^-62, and `gap` takes 16 v and 2^-60;
2. a computed sum of squares of rounded differences is off by gamma_(d+3) of itself, its root by less than
   `far_stretch`, and `step_length` adds 16 v for the roundings to float32 and of a sum;
3. a gap less a step is rounded by at most 3 v of both, the step itself by 2 v, and `lowered` takes 16 v of both.

Let r be the root of the distance to a point's label; r^2 <= 2 (X + C). Another centroid is certainly farther, as
distances are computed, if its distance exceeds r by 1.1 gamma_(d+3) r and 2^-450: `surely_farther`. If a label changes,
the new centroid may by the same token be that much farther than the old one, so a pass lowers gaps by as much.
"""

from __future__ import annotations

import math

import numpy as np

from steinhaus.engines.bounds.rounding import UNIT64
from steinhaus.jit.build import inlined
from steinhaus.jit.operations import convert, maximum, minimum, splat
from steinhaus.jit.types import F32x16, f32, f64, i64

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


F64x16 = f64.of(16)
FAR = 2.0**-450  # a distance must exceed another by this much more, so that its square is far from underflow

_ROOM = 2.0**-20  # 16 v
_LEAST = 2.0**-60
_MOST = 2.0**100  # of a scaled squared distance below, so that it is finite in float32
FARTHEST = 2.0**100  # the gap of a centroid that is every point's own


@inlined
def own_distance(about: F64x16, margin: F64x16, scale: f64) -> F32x16:
    """At least the distances of points to their labels, scaled. about: X + 2 s for the least score s; margin: M."""
    root = np.sqrt(convert(maximum((about + 3.0 * margin) * scale, splat(0.0, f64, 16)), f32))
    return root + root * _ROOM + _LEAST


@inlined
def gap(about: F64x16, margin: F64x16, scale: f64, own: F32x16) -> F32x16:
    """A lower bound on how much farther than `own` a centroid of score s is. about: X + 2 s; margin: M."""
    scaled = minimum(maximum((about - margin) * scale, splat(0.0, f64, 16)), splat(_MOST, f64, 16))
    root = np.sqrt(convert(scaled, f32))
    return (root - own) - (root + own) * _ROOM - _LEAST


@inlined
def step_length(square: f64, d: i64, root: f64, before: f32) -> f32:
    """At least the length of a step, scaled, after the steps before; square: the sum of squares, as computed."""
    length = f32((math.sqrt(square) * (1.0 + far_stretch(d)) + FAR) * root)
    return (length + before) * f32(1.0 + _ROOM) + f32(_LEAST)


@inlined
def lowered(gap: F32x16, step: F32x16) -> F32x16:
    """At most a gap less a step."""
    return (gap - step) - (abs(gap) + step) * _ROOM


@inlined
def surely_farther(reach: f64, d: i64, root: f64) -> f32:
    """By how much a distance must exceed another, scaled; reach: at least X + C."""
    return f32((math.sqrt(2.0 * reach) * far_stretch(d) + FAR) * root) * f32(1.0 + _ROOM) + f32(_LEAST)
