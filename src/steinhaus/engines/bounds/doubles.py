"""The screen of the compact engine: scores in float64, s_j = |c_j|^2 / 2 - x . c_j, of which the least is the nearest.

Let X = |x|^2, C the greatest |c_j|^2, u = 2^-53, and gamma_q as in `rounding`. In any order, with or without fused
products, a product x . c of d features is off by at most gamma_d |x| |c| <= gamma_d (X + C) / 2, and |c|^2 / 2 by
gamma_d C / 2; the difference of the two, at most X / 2 + C large, is rounded once more. So a score is off by at most
gamma_(d+2) (X + C). The squared distances that decide are off by at most gamma_(d+3) of themselves (a difference,
a square and d sums), and are at most 2 (X + C). They differ by twice what the scores differ by. Hence the label of the
least score is the one that decides, where the next score is larger by more than

    2 gamma_(d+2) (X + C) + (gamma_(d+3) / 2) 4 (X + C) <= 4 gamma_(d+3) (X + C),

and what underflow takes. The bound is 6 (d + 8) u (X + C), which leaves room for its own rounding, that of the
difference of the scores, and gamma's denominator, for d < 2^40. Each of 4 d products may lose 2^-1075 to underflow.
"""

from __future__ import annotations

from steinhaus.engines.bounds.rounding import UNIT64
from steinhaus.jit.build import inlined
from steinhaus.jit.types import f64, i64

SMALLEST = 2.0**-900  # a squared distance below which the scale that makes 62 bits of it may overflow


@inlined
def score_stretch(d: i64) -> f64:
    """How far apart the least two scores must be, over X + C."""
    return f64(d + 8) * (6.0 * UNIT64)


@inlined
def score_floor(d: i64) -> f64:
    """And in any case, because of underflow."""
    return f64(d + 8) * 2.0**-1070


@inlined
def far_stretch(d: i64) -> f64:
    """The relative error that a distance in d features may have, many times over: the root of a squared distance.

    A squared distance is off by at most gamma_(d+3) of itself, see above; its root by half of that, and another u.
    """
    return f64(d + 8) * (16.0 * UNIT64)


FAR = 2.0**-450  # by so much more a distance must exceed another: its square is then far from underflow
