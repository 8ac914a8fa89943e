"""Bounds on margins: how much farther a point's second nearest centroid is than its nearest, squared.

Notation as in `bounds`. In the frame, D_j - D_o = 2 (s_o - s_j), with o the nearest centroid. Let low_j <= s_j <=
above_j, from `scores`, with floors that cover float64's rounding of the distances relative to |e|^2. Let j be any other
centroid. Then, with A the greatest above_j and L the greatest low_j of the others,

    2 (low_o - A) <= margin <= 2 (above_o - L),

up to float64's rounding of both distances, which moves half their difference by at most gamma_(d + 3) (|x'| + |m|)^2,
beside the part relative to |e|^2. The tile's floor, `settled_floor` times (|z| + |m|)^2, is more than seven times as
large. The rest covers the rounding of the floor itself, and of the difference of the two distances.

Each difference is computed in float32 with two or three roundings, less than 2.1 u of |low_o| + |A| and u of the floor:
`SURPLUS` is 16 u.

Distances are in the units of the points, D' = D / scale^2, and scale is a power of two between 2^-400 and 2^400. So D'
is normal if D > 2^-100, and scaling does not round. Squares that underflow in a distance lose at most d 2^-1074 in all,
in the frame d 2^-274, and d < 2^170. `SMALL` covers them.
"""

from __future__ import annotations

import numpy as np

from steinhaus.engines.bounds.distances import SMALL
from steinhaus.engines.bounds.gaps import SURPLUS
from steinhaus.engines.bounds.rounding import Float32, Float64
from steinhaus.jit.build import inlined
from steinhaus.jit.types import Number

LIMIT = 2.0**400  # the greatest scale of a frame; 1 / LIMIT is the least
_MORE = 2.0**-40  # above the rounding of a sum with `SMALL`, relative to it


@inlined
def half_margin_below(low: Number, above: Number, floor: Number) -> Number:
    """At most half a margin, lane by lane. low: of the nearest centroid; above: the greatest of the others."""
    return (low - above) - (abs(low) + abs(above)) * SURPLUS - floor


@inlined
def half_margin_above(above: Number, low: Number, floor: Number) -> Number:
    """At least half a margin, lane by lane. above: of the nearest centroid; low: the greatest of the others."""
    return (above - low) + (abs(low) + abs(above)) * SURPLUS + floor


def in_units(least: Float32, most: Float32, scale: float) -> tuple[Float64, Float64]:
    """Bounds of half margins in the frame as bounds of margins in the units of the points, (n,) each.

    A bound that is not a number becomes 0 or infinite.
    """
    with np.errstate(invalid="ignore"):
        below = 2.0 * (least.astype(np.float64) - SMALL) * (1.0 - _MORE) / scale**2
        above = 2.0 * (most.astype(np.float64) + SMALL) * (1.0 + _MORE) / scale**2
    return np.where(below > 0.0, below, 0.0), np.where(above >= 0.0, above, np.inf)
