"""The bounds of a centroid's score, computed from all features, from anchors, or from the directions alone.

Notation as in `bounds`. The error of a score has three parts, n slope_j + r lag_j + floor_j, with n >= |z| and
r >= |y - P b| of the point. Each part is computed in float64, enlarged by `SLACK` for its own rounding, and rounded up
to float32. Kernels add the parts, and add them to and subtract them from the score, in float32. `OPS` roundings of the
terms cover this.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from steinhaus.engines.bounds.distances import float64_floor
from steinhaus.engines.bounds.rounding import (
    OPS,
    SLACK,
    TINY,
    UNIT32,
    Float32,
    Float64,
    byted,
    chunked,
    gamma,
    laned,
    upward,
)
from steinhaus.jit.annotations import f64, i64
from steinhaus.jit.build import inlined

FAR = 2.0**40  # centroids of a greater norm in the frame are not screened, since products could overflow float32
UNKNOWN = 2.0**120  # the error of the score of a centroid beyond `FAR`; it makes it a candidate of every point


class Rates(NamedTuple):
    """Factors of the bounds. They depend on no centroid."""

    plain: f64  # factor of n |e|, for products in chunks
    fine: f64  # factor of n |e|, for products in lanes
    bytes: f64  # factor of |w q| |e~|, for products of points rounded to bytes: see `bounds.bytes`
    leak: f64  # factor of (n + |m|) |P'delta|
    half: f64  # factor of |h|
    exact: f64  # float64's floor
    reach: f64  # at least |m|
    skew: f64  # of the basis


def rates(frame: Frame, basis: Basis, rounded: float = 0.0) -> Rates:
    """The factors for a frame and a basis; rounded: the `rate` of the quantiser, if points are rounded to bytes.

    plain, fine: |fl(z . e32) - x' . e| <= |z - x'| |e| + |z| |e32 - e| + gamma_q |z| |e32| <= n |e| (entry + u +
    gamma_q), and `OPS` more. For products of bytes, |e~ - e| takes the place of |e32 - e|: see `product_slope`.

    leak: see `Basis.leak`. The sum of p products adds gamma_(p + 2) |b| |P'delta|, |b| <= 1.01 (n + |m|), and `OPS`
    more.
    """
    d = len(frame.reference)
    common = frame.entry + (OPS + 1) * UNIT32
    return Rates(
        plain=rounded or common + gamma(frame.chain),
        fine=common + gamma(frame.chain if frame.bytewise else laned(d)),
        bytes=common + gamma(byted(d)),
        leak=basis.leak(frame) + 1.01 * gamma(basis.p + 2) + OPS * UNIT32,
        half=OPS * UNIT32,
        exact=float64_floor(d),
        reach=frame.reach,
        skew=basis.skew,
    )


@inlined
def product_slope(norm: f64, rest: f64, rate: f64, rates: Rates) -> f64:
    """The slope of a product of all features.

    norm: |e_j|. rest: |e~_j - e_j|, as computed in float64, if the row was rounded to two bytes a feature; else 0.
    rate: `Rates.plain` or `Rates.fine`.
    """
    return ((norm + rest) * rate + rest + rates.exact * norm) * SLACK


@inlined
def plain_floor(norm: f64, half: f64, rates: Rates) -> f64:
    """The floor of a score computed from all features. norm: |e_j|; half: h_j."""
    return (abs(half) * rates.half + rates.exact * norm * norm + TINY * (1.0 + norm)) * SLACK


@inlined
def across_bound(moved: f64, size: f64, scale: f64, p: i64, rates: Rates) -> f64:
    """At least |delta - P P'delta|. moved: |delta|^2; size: |P'delta|^2; scale: |e| + |a|.

    |delta - P P'delta|^2 = |delta|^2 - 2 |P'delta|^2 + P'delta . P'P P'delta <= |delta|^2 - (1 - skew) |P'delta|^2.
    P'delta is a difference of two products, and off by float64's gamma_d scale.
    """
    return math.sqrt(
        max(moved - (1.0 - rates.skew) * size, 0.0) + rates.exact * (1.0 + f64(p)) * scale * math.sqrt(size)
    )


@inlined
def drift_bound(
    norm: f64, held: f64, taken: f64, size: f64, across: f64, half: f64, p: i64, rates: Rates
) -> tuple[f64, f64, f64]:
    """The slope, lag and floor of a score from anchors.

    With delta_j = e_j - a_j, x' . e_j = x' . a_j + m . delta_j + y . delta_j. The products x' . a_j were computed from
    all features when the anchors were taken. Along the directions y = P b + rho, and

        y . delta = b . (P'delta) + rho . (delta - P P'delta) + (P'rho) . (P'delta).

    The first term is computed. The second is at most |rho| |delta - P P'delta|: the lag. The third, with the rounding
    of the first, is at most `Rates.leak` (n + |m|) |P'delta|; its part with |m| goes into the floor. P'delta is the
    difference of P'e and P'a, and each of these is off by float64's gamma_d of its norm.

    With a_j = 0 this is the bound from the directions alone, for candidates without an anchor.

    norm: |e_j|. held: |a_j|. taken: the slope of x' . a_j. size: |P'delta_j|. across: at least |delta_j - P P'delta_j|.
    half: h_j - m . delta_j.
    """
    leak = size * rates.leak
    whole = norm + held + size + across
    floor = abs(half) * rates.half + rates.reach * leak + rates.exact * whole * (whole + (1.0 + f64(p)) * rates.reach)
    slope = taken + leak + rates.exact * (1.0 + f64(p)) * (norm + held)
    return slope * SLACK, across * SLACK, (floor + TINY * (1.0 + norm + held)) * SLACK


@dataclass(frozen=True)
class Frame:
    """The coordinates of the screens, x' = (x - offset) * scale, and the reference point m in these coordinates."""

    offset: Float64  # (d,)
    scale: float  # a power of two
    reference: Float64  # (d,), m
    rounded: bool  # whether float32 rounds x' (not for small integers)
    bytewise: bool = False  # whether products of all features are those of bytes

    @property
    def reach(self) -> float:
        """At least |m|."""
        return math.sqrt(float(np.square(self.reference).sum())) * SLACK

    @property
    def chain(self) -> float:
        """The most roundings of a product over all features, each of |z| |e|."""
        d = len(self.reference)
        return byted(d) if self.bytewise else chunked(d)

    @property
    def entry(self) -> float:
        """The relative error of z from x': one subtraction and one rounding."""
        return 2.0 * UNIT32 if self.rounded else 0.0

    def place(self, centroids: Float64) -> Float64:
        """The rows e of centroids, (c - o) s - m, (K, d) -> (K, d)."""
        return (centroids - self.offset) * self.scale - self.reference


@dataclass(frozen=True)
class Basis:
    """The leading directions of the points, P, (d, p) float32, orthonormal up to `skew` = |P'P - I| (Frobenius).

    A column may be 0. Then all coordinates along it are 0, and `skew` is that of the other columns.
    """

    directions: Float32  # (d, p)
    skew: float

    @property
    def p(self) -> int:
        """The number of directions. With 0, the bounds are Cauchy-Schwarz alone."""
        return int(self.directions.shape[1])

    def leak(self, frame: Frame) -> float:
        """Theta: at least |P'(y - P b)| / (|z| + |m|), for coordinates b that were computed from z in float32.

        P'(y - P b) = (P'y - b) - (P'P - I) b. Each of p coordinates is off by (gamma_q + entry + 4 u) (|z| + |m|)
        |P_q|, from the product, from z itself, and from P'm, which is subtracted. |b| <= (1 + skew) (|z| + |m|), about.
        """
        return (
            float(np.sqrt(self.p) * (gamma(frame.chain) + frame.entry + 4 * UNIT32) * (1 + self.skew) + 2 * self.skew)
            * SLACK
        )


def residuals(
    frame: Frame, basis: Basis, norms: Float64, along_reference: Float64, rest: float, squares: Float64
) -> Float32:
    """At least |rho_i| = |y_i - P b_i|: |rho|^2 = |y|^2 - 2 b . P'y + |P b|^2 <= |y|^2 - |b|^2 + 3 theta (|z| + |m|)^2.

    |y|^2 = |x'|^2 - 2 x' . m + |m|^2. The product x' . m came in float32, off by (gamma_q + entry + 2 u) |z| |m|. If m
    was rounded to bytes, it is also off by |z| `rest`.

    norms: (N,) at least |z_i|; along_reference: (N,) z_i . m; squares: (N,) |b_i|^2; all float64 -> (N,) float32.
    """
    d = len(frame.reference)
    size = (norms + frame.reach) ** 2
    slack = 3.0 * basis.leak(frame) + 2.0 * (gamma(frame.chain) + frame.entry + 4 * UNIT32) + 4.0 * float64_floor(d)
    square = norms**2 - 2.0 * along_reference + float(np.square(frame.reference).sum()) - squares + slack * size
    square += 2.0 * rest * SLACK * norms
    return upward(np.sqrt(np.maximum(square, 0.0)) * SLACK + TINY)
