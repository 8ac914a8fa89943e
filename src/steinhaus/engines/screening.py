"""The bounds: how far a cheap estimate of a score can be from the score itself. Mathematics only; the loops are
`kernels`.

Notation. The frame shifts and scales: x' = (x - o) s, s a power of two (o = 0, s = 1 for pixels). z = x' rounded to
float32. m is a reference point, the mean of the points; e_j = c'_j - m, y = x' - m. The score of centroid j for a
point is

    s_j = x' . e_j - h_j,    h_j = (|c'_j|^2 - |m|^2) / 2 = m . e_j + |e_j|^2 / 2,

so that |x' - c'_j|^2 = |x' - m|^2 + 2 x' . m - |m|^2 - 2 s_j ... differs from -2 s_j by what does not depend on j:
the nearest centroid has the largest score, and a gap of g between scores is one of 2 g between squared distances.

Rounding. u = 2^-24 in float32, 2^-53 in float64; a sum of q products has |fl(x . y) - x . y| <= gamma_q |x|.|y| <=
gamma_q |x| |y|, gamma_q = q u / (1 - q u), in any order, with or without fused products (N. J. Higham, Accuracy and
Stability of Numerical Algorithms, 2nd ed. 2002, sections 3.1 and 3.5; |.| of vectors componentwise, then
Cauchy-Schwarz). For a product summed in parts, q is the longest chain of additions that any term goes through.

Gaps. Where points stand in tiles near to each other, most centroids are out of the question for a whole tile.
Whenever a tile's bounds for centroid j are computed, it records a gap: every lane's best score exceeds s_j by at
least so much. Until the next time, s_j rises, step by step, by at most what `step_bound` says for the tile's largest
|y|, and the best score of any lane sinks by at most what that of the worst label present in the tile sinks. While the
gap is greater than both sums, j is no candidate for any lane. This is Elkan's lower bound (C. Elkan, Using the
triangle inequality to accelerate k-means, ICML 2003) in scores instead of distances and for tiles instead of points:
T x K numbers, and loops that stay dense.

Gaps in float32. A tile whose size is at least |y| of its lanes and a centroid have three sums over all steps: travelled,
of the centroid's lengths; risen, of its rises; sunk, of the greatest size length + fall among the labels present, or 0.
With S = size travelled + risen + sunk, a gap g at step R is written down as G = g + S_R, less a slack, and at a step T >
R the centroid is no candidate where G > S_T. It must follow that g > D, the exact sum of size length + rise +
sink over the steps after R up to T. Write M for size travelled + |risen| + sunk, and m for size length + |rise| + sink.

1. A step. Length, rise and fall are rounded to the nearest float32, and size length + fall is rounded once or twice.
   Length carries two `SLACK`, rise and fall 4 u |turned|; that takes less of either. `_TINY` keeps a length from
   underflow, and a rise exceeds what it must be by so much.
2. A sum. `accumulated` adds total, step and 16 u of |total| and |step| in some order. Three roundings of partial sums
   below 1.001 (|total| + |step|) take at most 3.1 u of these, so 12 u and more are left over. Hence S_t - S_(t - 1) >=
   size length + rise + sink + 12 u (M_(t - 1) + m_t), while M_t <= (1 + 20 u) (M_(t - 1) + m_t). Over all steps,
   S_T - S_R >= D + 6 u M_R + 5.9 u M_T: one step has both parts in its 12 u, of several the first has one and the
   last the other.
3. A comparison. A product and two sums, fused or not, take at most 3.1 u M from S. (`select` adds to sunk how far
   centroids may go until the next anchors; that is at least 0, and more than what rounding takes from it.)
4. A record. G = g + S_R - 16 u (|g| + |S_R|), S_R as in 3, by three more sums: G <= g + S_R + 3.1 u M_R, exactly.

Where G > S_T as computed, g > S_T - S_R - 3.1 u M_R - 3.1 u M_T >= D. This holds however large S is beside g, and for
any number of steps. An underflow takes 2^-149 (2^-126, were subnormal numbers flushed to 0), less than the `_TINY` of
the rise pays for; a sum that overflows is infinite or not a number, so that G > S is false, and the centroid stays a
candidate.

The error of a score has three parts, n slope_j + r lag_j + floor_j, with n >= |z| and r >= |y - P b| of the point.
Each part is computed in float64, enlarged by `SLACK` for its own rounding, and rounded up to float32; that the
kernels add them in float32, and subtract and add them to the score, is covered by `OPS` roundings of the terms.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from steinhaus.compiled import inlined

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

BYTES = 2**15  # features whose products of bytes are summed exactly, in int32
MOST = 127 * 128  # the largest integer of a row for products of bytes: 128 high + low, two signed bytes
_CHUNK = 112  # features summed at a time by `products.full_products`, about: lanes and rows stay in 32 KiB
UNIT32 = 2.0**-24
UNIT64 = 2.0**-53
SLACK = 1.0 + 1e-4
FAR = 2.0**40  # centroids of a greater norm in the frame are not screened: no product may overflow float32
UNKNOWN = np.float32(2.0**120)  # the error of such a centroid's score: it is a candidate of every point
OPS = 10
SURPLUS = 2.0**-20
_TINY = 2.0**-120  # more than d underflows can add up to, for values of magnitude about 1


def gamma(q: float, unit: float = UNIT32) -> float:
    """Higham's gamma_q = q u / (1 - q u); infinite where q u reaches 1, so that nothing is certified."""
    return q * unit / (1.0 - q * unit) if q * unit < 1.0 else np.inf


@inlined
def chunk(d: int) -> int:
    """How many features of d are summed at a time: a multiple of 16, in parts about alike (a million embeddings of 128
    features, K = 256: 5.8 s in one part, 6.3 s in parts of 112 and 16).
    """
    parts = max(1, (d + _CHUNK // 2) // _CHUNK)
    return ((d + parts - 1) // parts + 15) // 16 * 16


def chunked(d: int) -> int:
    """The longest chain of roundings in a product over d features as `products.full_products` sums it."""
    size = int(chunk.py_func(d))
    return min(d, size) + -(-d // size) + 1


def byted(d: int) -> float:
    """The same for products of bytes, z . e~ with e~ = s (128 high + low) and s a power of two, in units of u |z| |e~|.

    The sums H of z high and L of z low are exact. Conversions, 128 H + L, a fold of lanes where there is one, and the
    sum of c parts are rounded: in all, at most (8 + c) u s (sum of 128 |H| + |L|) <= (8 + c) u |z| (|128 s high| + |s
    low|) <= (8 + c) u |z| (|e~| + 2 |s low|). As |low| <= 64 and s <= 2 max |e| / MOST, |s low| <= |e| sqrt(d) / 127.
    """
    return (-(-d // BYTES) + 8) * (1.0 + math.sqrt(d) / 60.0)


def laned(d: int) -> int:
    """The longest chain in a product over d features as `products.product` sums it: 64 lanes, folded, then the rest."""
    return d // 64 + 6 + 1 + d % 64


def float64_floor(d: int) -> float:
    """What float64's own rounding can make of a score's gap, relative to (|z| + |m|)^2 and to |e_j|^2.

    `products.squared_distance` is off by gamma_(d + 3) of the distance D, relatively, and D <= 2 |y|^2 + 2 |e|^2; both
    sides of a comparison count, and half of that is a gap of scores. e, h and m carry a few roundings of (|c'| +
    |m|)^2 more.
    """
    return 8.0 * (d + 16) * UNIT64


def upward(values: Float64) -> Float32:
    """Round to float32, never down."""
    with np.errstate(over="ignore"):
        return np.nextafter(np.asarray(values).astype(np.float32), np.float32(np.inf))


class Rates(NamedTuple):
    """The factors of the bounds that depend on no centroid."""

    plain: float  # of n |e|, products in chunks
    fine: float  # of n |e|, products in lanes
    leak: float  # of (n + |m|) |P'delta|
    half: float  # of |h|
    exact: float  # float64's floor
    reach: float  # at least |m|
    skew: float  # of the basis


def rates(frame: Frame, basis: Basis, rounded: float = 0.0) -> Rates:
    """The factors for a frame and a basis; rounded: the `rate` of the grain, where points are rounded to bytes.

    plain, fine: |fl(z . e32) - x' . e| <= |z - x'| |e| + |z| |e32 - e| + gamma_q |z| |e32| <= n |e| (entry + u +
    gamma_q), and `OPS` more. Of bytes, |e~ - e| takes the place of |e32 - e|: see `product_slope`. leak: see
    `Basis.leak`; the sum of p products adds gamma_(p + 2) |b| |P'delta|, |b| <= 1.01 (n + |m|), and `OPS` more.
    """
    d = len(frame.reference)
    common = frame.entry + (OPS + 1) * UNIT32
    return Rates(
        plain=rounded or common + gamma(frame.chain),
        fine=common + gamma(frame.chain if frame.bytewise else laned(d)),
        leak=basis.leak(frame) + 1.01 * gamma(basis.p + 2) + OPS * UNIT32,
        half=OPS * UNIT32,
        exact=float64_floor(d),
        reach=frame.reach,
        skew=basis.skew,
    )


@inlined
def product_slope(norm: float, rest: float, rate: float, rates: Rates) -> float:
    """Slope of a product computed from the features, norm |e_j|: rate is `Rates.plain` or `Rates.fine`, rest what
    the row was rounded by to two bytes a feature, |e~_j - e_j|, as computed in float64; 0 where it was not.
    """
    return ((norm + rest) * rate + rest + rates.exact * norm) * SLACK


@inlined
def plain_floor(norm: float, half: float, rates: Rates) -> float:
    """Floor of a score computed from the features: norm |e_j|, half h_j."""
    return (abs(half) * rates.half + rates.exact * norm * norm + _TINY * (1.0 + norm)) * SLACK


@inlined
def across_bound(moved: float, size: float, scale: float, p: int, rates: Rates) -> float:
    """At least |delta - P P'delta|, from moved |delta|^2, size |P'delta|^2 and scale |e| + |a|.

    |delta - P P'delta|^2 = |delta|^2 - 2 |P'delta|^2 + P'delta . P'P P'delta <= |delta|^2 - (1 - skew) |P'delta|^2;
    P'delta is a difference of two products, off by float64's gamma_d scale.
    """
    return math.sqrt(max(moved - (1.0 - rates.skew) * size, 0.0) + rates.exact * (1.0 + p) * scale * math.sqrt(size))


@inlined
def drift_bound(
    norm: float, held: float, taken: float, size: float, across: float, half: float, p: int, rates: Rates
) -> tuple[float, float, float]:
    """Slope, lag and floor of a score from anchors: x' . e_j = x' . a_j + m . delta_j + y . delta_j, delta_j = e_j -
    a_j.

    x' . a_j came from the features when the anchors were taken. Along the directions y = P b + rho, and

        y . delta = b . (P'delta) + rho . (delta - P P'delta) + (P'rho) . (P'delta):

    the first term is computed; the second is at most |rho| |delta - P P'delta|, lag; the third, with the rounding of
    the first, `Rates.leak` (n + |m|) |P'delta|, of which the part with |m| goes into the floor. P'delta is the
    difference of P'e and P'a, each off by float64's gamma_d of its norm.

    With a_j = 0 this is the bound from the directions alone, for candidates that have no anchor.

    norm |e_j|, held |a_j|, taken the slope of x' . a_j, size |P'delta_j|, across >= |delta_j - P P'delta_j|, half
    h_j - m . delta_j.
    """
    leak = size * rates.leak
    whole = norm + held + size + across
    floor = abs(half) * rates.half + rates.reach * leak + rates.exact * whole * (whole + (1.0 + p) * rates.reach)
    slope = taken + leak + rates.exact * (1.0 + p) * (norm + held)
    return slope * SLACK, across * SLACK, (floor + _TINY * (1.0 + norm + held)) * SLACK


@inlined
def step_bound(moved: float, turned: float, scale: float, rates: Rates) -> tuple[float, float, float]:
    """How much a score can change as a centroid takes a step: by at most |y| size + rise up, |y| size + fall down.

    s_j - s_j(before) = y . (e_j - f_j) - (|e_j|^2 - |f_j|^2) / 2 for a step from f to e, and the second term is
    (e_j + f_j) . (e_j - f_j) / 2. Float64's floor covers the rounding of the terms, and what settling j would round.

    moved |e_j - f_j|, turned (e_j + f_j) . (e_j - f_j) / 2, scale |e_j| + |f_j| -> size, rise, fall.
    """
    slack = abs(turned) * 4.0 * UNIT32 + 4.0 * rates.exact * scale * scale + _TINY
    return moved * SLACK * SLACK + _TINY, slack - turned, slack + turned


@inlined
def accumulated(total: np.float32, step: np.float32) -> np.float32:
    """A sum of steps after one more, float32: it exceeds total + step by at least 12 u (|total| + |step|)."""
    return np.float32(total + step + np.float32(SURPLUS) * (abs(total) + abs(step)))


@inlined
def recorded(
    gap: np.float32, size: np.float32, travelled: np.float32, risen: np.float32, sunk: np.float32
) -> np.float32:
    """What a gap is written down as, relative to all steps so far."""
    since = size * travelled + risen + sunk
    return np.float32(gap + since - np.float32(SURPLUS) * (abs(gap) + abs(since)))


@dataclass(frozen=True)
class Frame:
    """Where the screens see the points from: x' = (x - offset) * scale, and the reference point m in these
    coordinates.
    """

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
        """How many roundings, of |z| |e|, a product over all features takes at most."""
        d = len(self.reference)
        return byted(d) if self.bytewise else chunked(d)

    @property
    def entry(self) -> float:
        """Relative error of z as an image of x': one subtraction, one rounding."""
        return 2.0 * UNIT32 if self.rounded else 0.0

    def place(self, centroids: Float64) -> Float64:
        """e = (c - o) s - m, (K, d) float64."""
        return (centroids - self.offset) * self.scale - self.reference


@dataclass(frozen=True)
class Basis:
    """Leading directions of the points, P, (d, p) float32, orthonormal up to `skew` = |P'P - I| (Frobenius)."""

    directions: Float32  # (d, p)
    skew: float

    @property
    def p(self) -> int:
        """How many directions; 0 leaves the bounds to Cauchy-Schwarz alone."""
        return int(self.directions.shape[1])

    def leak(self, frame: Frame) -> float:
        """Theta: at least |P'(y - P b)| / (|z| + |m|), for coordinates b computed from z in float32.

        P'(y - P b) = (P'y - b) - (P'P - I) b. Each of p coordinates is off by (gamma_q + entry + 4 u) (|z| + |m|)
        |P_q|: the product, z itself, and P'm, which is subtracted; and |b| <= (1 + skew) (|z| + |m|) or so.
        """
        return (
            float(np.sqrt(self.p) * (gamma(frame.chain) + frame.entry + 4 * UNIT32) * (1 + self.skew) + 2 * self.skew)
            * SLACK
        )


def residuals(
    frame: Frame, basis: Basis, norms: Float64, along_reference: Float64, rest: float, squares: Float64
) -> Float32:
    """At least |rho_i| = |y_i - P b_i|: |rho|^2 = |y|^2 - 2 b . P'y + |P b|^2 <= |y|^2 - |b|^2 + 3 theta (|z| + |m|)^2.

    |y|^2 = |x'|^2 - 2 x' . m + |m|^2, where x' . m came in float32, off by (gamma_q + entry + 2 u) |z| |m| and, where m
    was rounded to bytes, by |z| `rest`.

    norms: (N,) at least |z_i|; along_reference: (N,) z_i . m; squares: (N,) |b_i|^2, float64 each -> (N,) float32.
    """
    d = len(frame.reference)
    size = (norms + frame.reach) ** 2
    slack = 3.0 * basis.leak(frame) + 2.0 * (gamma(frame.chain) + frame.entry + 4 * UNIT32) + 4.0 * float64_floor(d)
    square = norms**2 - 2.0 * along_reference + float(np.square(frame.reference).sum()) - squares + slack * size
    square += 2.0 * rest * SLACK * norms
    return upward(np.sqrt(np.maximum(square, 0.0)) * SLACK + _TINY)
