"""Neighbours: the centroids near each point, listed in a full pass and used in later ones. Mathematics only.

A full pass computes an upper bound U_ij of each score s_ij, and L_i, which the upper bound of a candidate must reach.
Point i lists the centroids with U_ij > R_i, for some R_i <= L_i, and maybe more. Hence s_ij <= R_i for all others. In a
later pass, centroids have moved, and

    s_ij <= U_ij + |y_i| size_j + rise_j    (neighbours),        s_ij <= R_i + |y_i| size_j + rise_j    (all others).

`gaps.step_bound` gives size and rise, for one step from the centroid of the full pass to the present one, no matter
how many steps lie between. A product with the centroid of the last label gives the present L_i. If the right side is
below L_i, j is no candidate. Molecular dynamics lists neighbours like this, up to a skin beyond the range of forces
(L. Verlet, Computer experiments on classical fluids I, Physical Review 159, 1967, section II). Here the skin is L_i -
R_i.

**The skin** (`limit`). Any R_i is right, as long as what is listed follows from comparing U_ij with it. `limit`
lowers L_i by a share of |y_i|^2 - 2 L_i, which is at least the squared distance to the nearest centroid. During the
pass, L_i grows. What is set aside then is compared with R_i for the L_i of that time. Each operation of `limit` is
monotone in L_i, also when it is rounded, so R_i only grows, and nothing that belongs into the list is left out.

**Upper bounds in 16 bits** (`whole`). `jit.short.shortened` keeps sign, exponent and 7 bits of the fraction of a
float32. What it drops is less than 2^-7 of what is left, or below 2^-133. It is monotone, so U_ij > R_i as float32
implies U_ij >= R_i in 16 bits. `whole` is exact: its sum has 16 bits. Underflow is less than the `TINY` of a
rise.

**Neighbours** (`risen`). In float32. Let M = |U_ij| + |y_i| size + |rise|. A product and two sums take at most 3.1 u
M, and adding the slack takes 1.1 u M more. The slack of 16 u M, as computed, exceeds this. Size and rise are rounded
to the nearest float32; this is covered as in `gaps`, 1.

**All others** (`most_risen`, `needed`). In float64, from float32 numbers. A tile needs the centroids with |y| size +
rise >= L_i - R_i for any of its points. They are looked up in descending order of this sum for the largest |y| of all
points. The product is exact, and the sum is off by 2^-53 of itself; the slack of 2^-50 (|y| size + |rise|) exceeds
this and the rounding of L_i - R_i by 2^-53 of itself. If the sum is not a number, or infinite, the centroid is needed
everywhere. If the difference is not a number, the tile needs all.
"""

from __future__ import annotations

import numpy as np

from steinhaus.engines.bounds.gaps import SURPLUS
from steinhaus.engines.bounds.rounding import Float32, Float64
from steinhaus.jit.build import inlined
from steinhaus.jit.operations import minimum
from steinhaus.jit.types import Number, f32, f64

SKIN = 0.2  # of the squared distance to the nearest centroid, measured: docs/benchmarks.md, "Thresholds"
THINNEST = 0.02  # a thinner skin is not tried
_SLACK64 = 2.0**-50
_INFINITY = float("inf")


@inlined
def limit(least: Number, size: Number, share: f32) -> Number:
    """R_i: lower than L_i by a share of the squared distance to the nearest centroid. size: at least |y_i|."""
    return minimum(least, least - share * (size * size - 2.0 * least))


@inlined
def whole(half: Number) -> Number:
    """At least the number of which `shortened` has left `half`."""
    return half + abs(half) * 2.0**-7


@inlined
def risen(upper: f32, length: f32, size: f32, rise: f32) -> f32:
    """An upper bound of the score of a centroid that has moved. upper: the bound before; length: at least |y_i|."""
    step = length * size
    return upper + step + rise + SURPLUS * (abs(upper) + step + abs(rise))


@inlined
def needed(least: f32, rest: f32) -> f64:
    """At most L_i - R_i, but for its rounding."""
    return max(-_INFINITY, f64(least) - f64(rest))


def most_risen(length: float, size: Float32, rise: Float32) -> Float64:
    """At least |y| size + rise, (k,), for all points. length: at least |y| of all points."""
    with np.errstate(invalid="ignore", over="ignore"):
        step = length * size.astype(np.float64)
        most = step + rise + (step + np.abs(rise)) * _SLACK64
    return np.where(np.isnan(most), np.inf, most)
