"""The bounds: how far a cheap estimate of a score can be from the score itself. Mathematics only; the loops are `kernels`.

Notation. The frame shifts and scales: x' = (x - o) s, s a power of two (o = 0, s = 1 for pixels). z = x' rounded to float32.
m is a reference point, the mean of the points; e_j = c'_j - m, y = x' - m. The score of centroid j for a point is

    s_j = x' . e_j - h_j,    h_j = (|c'_j|^2 - |m|^2) / 2 = m . e_j + |e_j|^2 / 2,

so that |x' - c'_j|^2 = |x'|^2 - |m|^2 - 2 x' . m + ... - 2 s_j differs from -2 s_j by what does not depend on j: the nearest
centroid has the largest score, and a gap of g between scores is one of 2 g between squared distances.

Rounding. u = 2^-24 in float32, 2^-53 in float64; a sum of q products has |fl(x . y) - x . y| <= gamma_q |x|.|y| <= gamma_q |x| |y|,
gamma_q = q u / (1 - q u), in any order, with or without fused products (Higham, Accuracy and Stability of Numerical
Algorithms, 2nd ed. 2002, sections 3.1 and 3.5; |.| of vectors componentwise, then Cauchy-Schwarz). A product summed in chunks
(`kernels.full_products`) meets the longest chain of additions that any term sees: q = chunk + number of chunks.

Every bound below is computed in float64, enlarged by `_SLACK` for its own rounding, and rounded up to float32. The three parts
of an error, n_i slope_j + r_i lag_j + floor_j, are added in float32 by the kernel; `_OPS` roundings of the terms cover that.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from steinhaus.engines.kernels import CHUNK, Scores

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

UNIT32 = 2.0**-24
UNIT64 = 2.0**-53
_SLACK = 1.0 + 1e-4  # for the rounding of the bounds themselves and for products of two small terms
_OPS = 10  # float32 roundings of score, error, their sum and difference, in units of the terms
_FAR = 2.0**40  # centroids of a greater norm in the frame are not screened: no product may overflow
_TINY = 2.0**-120  # more than d underflows can add up to, for values of magnitude about 1


def gamma(q: float, unit: float = UNIT32) -> float:
    """Higham's gamma_q = q u / (1 - q u); infinite where q u reaches 1, so that nothing is certified."""
    return q * unit / (1.0 - q * unit) if q * unit < 1.0 else np.inf


def summation(d: int) -> int:
    """The longest chain of roundings in a product over d features, as `kernels.full_products` sums it."""
    return min(d, CHUNK) + -(-d // CHUNK) + 1


def _scores(rows: Float64, half: Float64, slope: Float64, lag: Float64, floor: Float64, norm: Float64) -> Scores:
    """Round the parts to float32. A centroid too far off to be screened becomes a candidate of every point: error 2^120."""
    far = ~(norm < _FAR)
    if far.any():
        rows, half, slope, lag, floor = (
            np.where(far[..., *[np.newaxis] * (part.ndim - far.ndim)], 0.0, part)
            for part in (rows, half, slope, lag, floor)
        )
        floor = np.where(far, 2.0**120, floor)
    return Scores(
        rows=rows.astype(np.float32),
        half=half.astype(np.float32),
        slope=upward(slope * _SLACK),
        lag=upward(lag * _SLACK),
        floor=upward(floor * _SLACK),
    )


def upward(values: Float64) -> Float32:
    """Round to float32, never down."""
    with np.errstate(over="ignore"):
        return np.nextafter(np.asarray(values).astype(np.float32), np.float32(np.inf))


@dataclass(frozen=True)
class Frame:
    """Where the screens see the points from: x' = (x - offset) * scale, and the reference point m in these coordinates."""

    offset: Float64  # (d,)
    scale: float  # a power of two
    reference: Float64  # (d,), m
    rounded: bool  # whether float32 rounds x' (not for small integers)

    @property
    def reach(self) -> float:
        """At least |m|."""
        return float(np.linalg.norm(self.reference)) * _SLACK

    @property
    def entry(self) -> float:
        """Relative error of z as an image of x': one subtraction, one rounding."""
        return 2.0 * UNIT32 if self.rounded else 0.0

    def place(self, centroids: Float64) -> Float64:
        """e = (c - o) s - m, (K, d) float64."""
        return (centroids - self.offset) * self.scale - self.reference

    def half(self, e: Float64) -> Float64:
        """h = m . e + |e|^2 / 2, (K,) float64."""
        return np.asarray(e @ self.reference + 0.5 * np.einsum("kd,kd->k", e, e))


def float64_floor(d: int) -> float:
    """What float64's own rounding can make of a score's gap, relative to (|z_i| + |m|)^2 and to |e_j|^2.

    `kernels.squared_distance` is off by gamma_(d + 3) of the distance, relatively, D <= 2 |y|^2 + 2 |e|^2; both sides of a comparison
    count, and half of that is a gap of scores. e, h and m carry a few roundings of (|c'| + |m|) more. 8 (d + 16) u covers all.
    """
    return 8.0 * (d + 16) * UNIT64


def plain(frame: Frame, e: Float64) -> Scores:
    """Bounds for products z . e computed from the features in float32.

    |fl(z . e32) - x' . e| <= |z - x'| |e| + |z| |e32 - e| + gamma_q |z| |e32| <= n |e| (entry + u + gamma_q), then h rounds to float32
    and the score, its error, their sum and difference round once each: `_OPS` u of n |e| + |h|.

    e: (K, d) float64 -> rows (K, d), half, slope, lag = 0, floor (K,) float32.
    """
    d = e.shape[1]
    norm = np.linalg.norm(e, axis=1)
    half = frame.half(e)
    slope = norm * (frame.entry + gamma(summation(d)) + (_OPS + 1) * UNIT32)
    floor = np.abs(half) * _OPS * UNIT32 + float64_floor(d) * norm**2 + _TINY * (1.0 + norm)
    return _scores(e, half, slope, np.zeros(len(e)), floor, norm)


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

        P'(y - P b) = (P'y - b) - (P'P - I) b. Each of p coordinates is off by (gamma_q + entry + 4 u) (|z| + |m|) |P_q|: the product, z
        itself, and P'm, which is subtracted; and |b| <= (1 + skew) (|z| + |m|) or so.
        """
        q = summation(len(self.directions))
        return float(np.sqrt(self.p) * (gamma(q) + frame.entry + 4 * UNIT32) * (1 + self.skew) + 2 * self.skew) * _SLACK


def drift(frame: Frame, basis: Basis, e: Float64, anchors: Float64) -> Scores:
    """Bounds for scores from anchors: x' . e_j = x' . a_j + m . delta_j + y . delta_j, delta_j = e_j - a_j.

    x' . a_j was computed in float32 when the anchors were taken, with the error of `plain`. Along the directions, y = P b + rho:

        y . delta = b . (P'delta) + rho . (delta - P P'delta) + (P'rho) . (P'delta),

    the first term is computed, the second is at most |rho| |delta - P P'delta| (lag), the third theta (|z| + |m|) |P'delta|
    (`Basis.leak`). The sum of p products adds gamma_(p + 2) |b| |P'delta|, |b| <= 1.01 (|z| + |m|); then roundings as in `plain`.
    The part of these that goes with |m| rather than |z| belongs to the floor.

    e: (K, d), anchors: (S, K, d) float64 -> rows (S, K, p), half, slope, lag, floor (S, K) float32.
    """
    d = e.shape[1]
    delta = e - anchors
    directions = basis.directions.astype(np.float64)
    along = delta @ directions
    across = np.linalg.norm(delta - along @ directions.T, axis=2)
    size = np.linalg.norm(along, axis=2)
    held = np.linalg.norm(anchors, axis=2)
    half = frame.half(e) - delta @ frame.reference
    leak = size * (basis.leak(frame) + 1.01 * gamma(basis.p + 2) + _OPS * UNIT32)
    slope = held * (frame.entry + gamma(summation(d)) + (_OPS + 1) * UNIT32) + leak
    norm = np.linalg.norm(e, axis=1)
    floor = np.abs(half) * _OPS * UNIT32 + frame.reach * leak + float64_floor(d) * (norm + held + size + across) ** 2
    # Cancellation in m . delta and in delta itself, in float64: far below float64_floor's (norm + held)^2 times reach.
    floor = floor + float64_floor(d) * frame.reach * (norm + held) + _TINY * (1.0 + norm + held)
    return _scores(along, half, slope, across, floor, norm + held)


def residuals(frame: Frame, basis: Basis, norms: Float64, along_reference: Float64, squares: Float64) -> Float32:
    """At least |rho_i| = |y_i - P b_i|: |rho|^2 = |y|^2 - 2 b . P'y + |P b|^2 <= |y|^2 - |b|^2 + 3 theta (|z| + |m|)^2.

    |y|^2 = |x'|^2 - 2 x' . m + |m|^2, where x' . m came in float32, off by (gamma_q + entry + 2 u) |z| |m|.

    norms: (N,) at least |z_i|; along_reference: (N,) z_i . m; squares: (N,) |b_i|^2, float64 each -> (N,) float32.
    """
    d = len(frame.reference)
    size = (norms + frame.reach) ** 2
    slack = 3.0 * basis.leak(frame) + 2.0 * (gamma(summation(d)) + frame.entry + 4 * UNIT32) + 4.0 * float64_floor(d)
    square = norms**2 - 2.0 * along_reference + float(frame.reference @ frame.reference) - squares + slack * size
    return upward(np.sqrt(np.maximum(square, 0.0)) * _SLACK + _TINY)


def leading_directions(sample: Float64, p: int, sweeps: int = 2) -> Basis:
    """Leading principal directions of a sample of y, by subspace iteration (Golub and Van Loan, Matrix Computations, 8.2.4).

    How good they are decides how much the screen certifies, never what it certifies.

    sample: (m, d) float64, m >= p.
    """
    rows = sample.astype(np.float32)
    directions = np.linalg.qr(rows[:p].T)[0]
    for _ in range(sweeps):
        directions = np.linalg.qr(rows.T @ (rows @ directions))[0]
    directions = np.ascontiguousarray(directions, np.float32)
    exact = directions.astype(np.float64)
    return Basis(directions, float(np.linalg.norm(exact.T @ exact - np.eye(p))) * _SLACK)
