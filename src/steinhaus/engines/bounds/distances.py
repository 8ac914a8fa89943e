"""Float64: the rounding of the distances that decide.

From it follows how far apart scores or distances must be, so that the distances that decide need not be measured.

`distances.squared_distance` sums d squares of rounded differences: off by gamma_(d + 3) of the distance D, relatively
(Higham 2002, section 3.1), in any order; u = 2^-53 here. D <= (|x| + |c|)^2 =: M, wherever both are seen from.
"""

from __future__ import annotations

from steinhaus.engines.bounds.rounding import UNIT64, Float64
from steinhaus.jit.build import inlined
from steinhaus.jit.types import boolean, f64

LOST = 2.0**-1000  # more than all underflows of a score can add up to: 2^-1074 for each of up to 2^70 terms
SMALL = 2.0**-100  # a limit in the frame, where points are about 1, is rounded by less than this where it underflows


def float64_floor(d: int) -> float:
    """What float64's own rounding can make of a score's gap, relative to (|z| + |m|)^2 and to |e_j|^2.

    D <= 2 |y|^2 + 2 |e|^2; both sides of a comparison count, and half of that is a gap of scores. e, h and m carry a
    few roundings of (|c'| + |m|)^2 more.
    """
    return 8.0 * (d + 16) * UNIT64


def settled_floor(d: int) -> float:
    """The same for two scores, that of the label and that of another centroid; relative to (|z| + |m|)^2."""
    return 2.0 * float64_floor(d)


def score_rate(d: int) -> float:
    """E / M, where a score x . c - |c|^2 / 2 is summed in float64 over at most d entries.

    The product is off by gamma_d |x| |c|, the square by gamma_d |c|^2 / 2, their difference by u of itself: gamma_(d +
    1) M / 2 in all. The distance that would settle it: gamma_(d + 3) M, of which half counts among scores. So E =
    gamma_(d + 2) M; twice (d + 16) u is more than that, and than what M itself is rounded by.
    """
    return 2.0 * (d + 16) * UNIT64


@inlined
def score_error(rate: f64, reach: f64) -> f64:
    """E: two scores that differ by more than 2 E tell the nearer one. reach: at least |x| + |c| of either centroid."""
    return rate * reach * reach + LOST


def about_error(rate: float, reach: Float64) -> Float64:
    """What |x|^2 - 2 s is off by from `distances.squared_distance`, s a score as above.

    gamma_d |x|^2 and gamma_(d + 1) M from the score, u M from the difference, gamma_(d + 3) M from the distance: below
    3 (d + 3) u M, and this is 8 (d + 16) u M.
    """
    return 4.0 * rate * reach**2 + LOST


@inlined
def product_error(length: f64, norm: f64, slope: f64, floor: f64, rate: f64) -> f64:
    """What |x'|^2 + |c'|^2 - 2 x' . c' can exceed `distances.squared_distance` in the frame by, where the product came
    in float32 with a slope and a floor (see `scores`): twice its error; and float64's, (4 d + 12) u M of sums, squares
    and the distance itself.

    length: at least |x'|; norm: at least |c'|; rate: `float64_floor`.
    """
    size = length + norm
    return 2.0 * (length * slope + floor) + rate * size * size


@inlined
def is_beyond(least: f64, limit: f64) -> boolean:
    """Whether a distance of at least `least`, in the frame, is certainly not below a limit that was scaled to it."""
    return least > limit and least > SMALL
