"""Float64's rounding of the distances that decide labels.

If two scores or distances are further apart than this rounding, the exact distances need not be measured.

`distances.squared_distance` sums d squares of rounded differences. Its relative error is at most gamma_(d + 3), in any
order of summation (Higham 2002, section 3.1); u = 2^-53 here. With D the distance, D <= (|x| + |c|)^2 =: M, for any
origin of the coordinates.
"""

from __future__ import annotations

from steinhaus.engines.bounds.rounding import UNIT64, Float64
from steinhaus.jit.build import inlined
from steinhaus.jit.types import boolean, f64

LOST = 2.0**-1000  # above the sum of all underflows of a score: 2^-1074 for each of up to 2^70 terms
SMALL = 2.0**-100  # above the rounding of a limit that underflows in the frame, where points are about 1


def float64_floor(d: int) -> float:
    """The most that float64's rounding can change a gap of scores, relative to (|z| + |m|)^2 and to |e_j|^2.

    D <= 2 |y|^2 + 2 |e|^2. Both distances of a comparison are rounded, and a gap of scores is half a gap of distances.
    e, h and m carry a few more roundings of (|c'| + |m|)^2.
    """
    return 8.0 * (d + 16) * UNIT64


def settled_floor(d: int) -> float:
    """`float64_floor` for two scores, of the label and of another centroid, relative to (|z| + |m|)^2."""
    return 2.0 * float64_floor(d)


def score_rate(d: int) -> float:
    """E / M for a score x . c - |c|^2 / 2 that is summed in float64 over at most d entries.

    The product is off by gamma_d |x| |c|, the square by gamma_d |c|^2 / 2, and their difference by u of itself: in all,
    gamma_(d + 1) M / 2. The distance that settles the point is off by gamma_(d + 3) M. Half of this counts, since a gap
    of scores is half a gap of distances. So E = gamma_(d + 2) M. Twice (d + 16) u exceeds this and the rounding of M.
    """
    return 2.0 * (d + 16) * UNIT64


@inlined
def score_error(rate: f64, reach: f64) -> f64:
    """E: if two scores differ by more than 2 E, the larger one is the nearer centroid's.

    reach: at least |x| + |c|, for both centroids.
    """
    return rate * reach * reach + LOST


def about_error(rate: float, reach: Float64) -> Float64:
    """At least the difference of |x|^2 - 2 s and `distances.squared_distance`, s a score as in `score_rate`.

    It is gamma_d |x|^2 and gamma_(d + 1) M from the score, u M from the difference, and gamma_(d + 3) M from the
    distance. The sum is below 3 (d + 3) u M; the bound is 8 (d + 16) u M. reach: (n,) at least |x| + |c|.
    """
    return 4.0 * rate * reach**2 + LOST


@inlined
def product_error(length: f64, norm: f64, slope: f64, floor: f64, rate: f64) -> f64:
    """The most by which |x'|^2 + |c'|^2 - 2 x' . c' can exceed `distances.squared_distance` in the frame.

    The product came in float32, with a slope and a floor (see `scores`). Its error counts twice. Float64's rounding of
    sums, squares and the distance itself adds (4 d + 12) u M.

    length: at least |x'|; norm: at least |c'|; rate: `float64_floor`.
    """
    size = length + norm
    return 2.0 * (length * slope + floor) + rate * size * size


@inlined
def is_beyond(least: f64, limit: f64) -> boolean:
    """Whether a distance of at least `least`, in the frame, cannot be below a limit that was scaled to the frame."""
    return least > limit and least > SMALL
