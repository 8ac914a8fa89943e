"""Seeding: bounds by which a candidate cannot be nearer to a point than every row chosen so far.

Let D be the squared distance of point i to its nearest chosen row, as `distances.squared_distance` measured it, and E
that to a candidate c. The candidate matters only if E < D. Both are off by gamma_(d + 3) of themselves, u = 2^-53.

By scores. In the frame E = |y|^2 - 2 s, with s = y . e - |e|^2 / 2 the candidate's score (see `bounds`). If an upper
bound of s is below (|y|^2 - D) / 2, less float64's rounding, E >= D. `threshold` is that number, rounded down.

By one byte a feature. Points as bytes are multiplied with e^ = e + r, which is e rounded to one signed byte a feature.
So r is not small. For pixels, x' . e^ differs from x' . e by |z| |r|. For points rounded to bytes (see `bytes`), the
product stands for (y - rho) . e^. It differs from y . e by |y| |r| + |rho| (|e| + |r|). The `product_slope` of a row of
norm |e| + |r| without a rest covers all terms but |y| |r|: n' rate >= |rho| + gamma (|z| + |m| + |rho| + 128 w
sqrt(d)). The sum of products is exact, and three roundings follow, fewer than `byted`. So the error is n' slope + l |r|
+ floor, with l = |z| for pixels and l = |z| + |m| for rounded points. n' |r| would be a looser bound than l |r|, since
n' contains |rho| / rate.

By one byte a direction. With g = P'e, b . g stands for y . e, off by n slope + r lag + floor (`scores.drift_bound` with
a = 0). Points are kept as b^ = b - rho = w q, q whole, and candidates as g^ = g + r; q + 128 is multiplied. b^ . g^
differs from b . g by |rho| |g| + |b^| |r|, with |b^| <= |b| + |rho| and |b| <= 1.01 (n + |m|). The sum of products is
an integer below 2^24, exact in float32. At most `OPS` roundings follow, each of at most (|b^| + 128 w sqrt(p)) |g^| and
the half. `direction_slopes` are these terms.

Before these, by the largest error of any lane of a tile, as in `bytes`: three more roundings, so 8 u of the error. This
is below `WIDER`.

How much a candidate gains. An upper bound a of s and the threshold t give D - E <= 2 (a - t): t is at most (|y|^2 - D)
/ 2, less the rounding of both distances, and |y|^2 - 2 a is at most E without rounding. For points with a < t, D - E is
not above 0. So 2 sum (a - t) over all others is at least the sum of D - E over all points with E < D. No term is
negative, so float32 sums over a tile, and float64 sums of these, are off by at most 40 u32 of themselves, which `SLACK`
covers. The integers of D and E are floor(f D) and floor(f E) for a power of two f, so that their difference is at most
f (D - E) + 1. `most_gained` is this bound.

By the chosen rows. Let r be the row that D belongs to. |x - c| >= |c - r| - |x - r|, so that E >= D if |c - r|^2 >= 4 D
(E. Raff, Exact acceleration of k-means++ and k-means||, IJCAI 2021, section 3). Take F >= D + `LOST`, a measured
|c - r|^2 > 4 S^2 F, S = `SLACK`, and g = gamma_(d + 3). Then |c - r| >= 2 S sqrt((1 - g) F) and |x - r| <=
sqrt((1 + g) F), so that E >= F (2 S sqrt(1 - g) - sqrt(1 + g))^2 > F (1 + 3e-4) for d < 2^38. This exceeds the error g.
`LOST` exceeds all underflows of the three distances. F may be the largest D of many points, if r is the nearest chosen
row of each of them.
"""

from __future__ import annotations

import math

import numpy as np

from steinhaus.engines.bounds.distances import LOST, float64_floor, settled_floor
from steinhaus.engines.bounds.rounding import OPS, SLACK, TINY, UNIT32, Float64, gamma
from steinhaus.engines.bounds.scores import Frame
from steinhaus.jit.build import inlined
from steinhaus.jit.types import boolean, f32, f64, i64

_DOWN = 4.0 * UNIT32  # of |value|: more than rounding to the nearest float32 takes


@inlined
def cannot_improve(between: f64, farthest: f64) -> boolean:
    """Whether a candidate cannot be nearer to any of some points than r, the nearest chosen row of all of them.

    between: the squared distance of the candidate and r; farthest: at least that of each point and r.
    """
    return between > 4.0 * SLACK * SLACK * (farthest + LOST)


def direction_step(largest: float) -> float:
    """The step to which coordinates are rounded, from their largest value.

    It is 0 if they are too small or too large to be rounded: see `rounding.FLAT`.
    """
    step = largest / 127.0
    return step if 2.0**-60 < step < 2.0**60 else 0.0


@inlined
def direction_slopes(size: f64, rest: f64, half: f64, step: f64, p: i64, reach: f64) -> tuple[f64, f64, f64]:
    """The terms that one byte a direction adds to the error of a score: factor of n, factor of |rho|, and floor.

    size: |g|. rest: |r|. half: the number that is subtracted from the product. step: w. reach: at least |m|.
    """
    off = rest + OPS * UNIT32 * (size + rest)
    floor = 1.01 * reach * off + OPS * UNIT32 * (128.0 * step * math.sqrt(f64(p)) * (size + rest) + abs(half))
    return 1.01 * off * SLACK, (size + off) * SLACK, floor * SLACK + TINY


@inlined
def threshold(half: f64, closest: f64) -> f32:
    """At most (|y|^2 - D) / 2, less float64's rounding. half: from `halves_below`; closest: D in the frame."""
    value = half - 0.5 * closest * SLACK_CLOSEST
    return f32(value - _DOWN * abs(value) - TINY)


def most_gained(excess: Float64, points: Float64, factor: float) -> Float64:
    """At least how much the sum of all integers falls if a candidate is chosen, (m,); infinite if that is not known.

    excess: (m,) sums of a - t over the points that a candidate may improve, in float32 over a tile; points: (m,) their
    number; factor: f in units of the frame.
    """
    bound = (2.0 * SLACK * factor) * excess + points
    return np.where(np.isnan(bound), np.inf, bound)


SLACK_CLOSEST = 1.0 + 1e-9  # above the error gamma_(d + 3) of D, for d < 2^22; scaling to the frame is exact


def halves_below(frame: Frame, norms: Float64, lengths: Float64, along_reference: Float64, rest: float) -> Float64:
    """At most |y_i|^2 / 2, less float64's rounding of two distances.

    |y|^2 = |x'|^2 - 2 x' . m + |m|^2. The product x' . m came in float32, off by (gamma_q + entry + 2 u) |z| |m|. If m
    was rounded to bytes, it is also off by |z| `rest`. |x'|^2 came in float64.

    norms: (n,) at least |z_i|; lengths: (n,) |x'_i|^2; along_reference: (n,) z_i . m.
    """
    d = len(frame.reference)
    size = (norms + frame.reach) ** 2
    slack = 2.0 * (gamma(frame.chain) + frame.entry + 4 * UNIT32) + 4.0 * float64_floor(d)
    square = lengths - 2.0 * along_reference + float(np.square(frame.reference).sum())
    square -= slack * size + 2.0 * rest * SLACK * norms
    return 0.5 * square - settled_floor(d) * size
