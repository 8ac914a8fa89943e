"""Exact sums of weighted points and of squares: integers wider than 64 bits, in limbs.

A point's integer has |q| <= 2^48, or 2^16 if sums have one limb. The weights of all points add up to at most 2^46 and a
little (`weighing`). So no limb below overflows, whatever the number of points.
"""

from __future__ import annotations

from fractions import Fraction

from steinhaus.engines.exact.totals import two_float
from steinhaus.jit.build import inlined
from steinhaus.jit.declared import unroll
from steinhaus.jit.types import Array, i64
from steinhaus.points import Float64, Int64

PIECES = 4  # of 16 bits, in each of three limbs of a square


@inlined
def add(q: i64, weight: i64, sign: i64, sums: Array[i64], at: i64, other: i64) -> None:
    """Add q * weight to a sum (sign 1), or subtract it (sign -1).

    sums: any shape. The high limb stands at `at`, the low limb, of radix 2^32, at `at + other`. If `other` is 0, there
    is one limb.
    """
    if other == 0:
        sums[at] += sign * (q * weight)
        return
    high, low = q >> 32, q & 0xFFFFFFFF
    upper = (low >> 16) * weight + ((low & 0xFFFF) * weight >> 16)  # low * weight, without its last 16 bits
    sums[at] += sign * (high * weight + (upper >> 16))
    sums[other + at] += sign * (((upper & 0xFFFF) << 16) | ((low & 0xFFFF) * weight & 0xFFFF))


@inlined
def add_square(q: i64, weight: i64, squares: Array[i64], t: i64, d: i64) -> None:
    """Add q^2 * weight to column t of the sums `squares`, (3, 4, d); see `squares_of`.

    With |q| = a 2^24 + b, q^2 = a^2 2^48 + 2ab 2^24 + b^2. Each of the three terms is added in four pieces of 16 bits.
    """
    a, b = abs(q) >> 24, abs(q) & 0xFFFFFF
    first, second, third = a * a, 2 * a * b, b * b
    for piece in unroll(PIECES):
        squares[piece * d + t] += ((first >> 16 * piece) & 0xFFFF) * weight
        squares[(PIECES + piece) * d + t] += ((second >> 16 * piece) & 0xFFFF) * weight
        squares[(2 * PIECES + piece) * d + t] += ((third >> 16 * piece) & 0xFFFF) * weight


def squares_of(sums: Int64, step: Float64) -> Float64:
    """The sum of squares over all columns, in units of the points, as high + low, (2,) float64.

    sums: (3, 4, d) as `add_square` fills them; step: (d,) of the grid.
    """
    columns = sum(
        sums[part, piece].astype(object) << 24 * (2 - part) + 16 * piece for part in range(3) for piece in range(PIECES)
    )
    scales = (Fraction(value) ** 2 for value in step.tolist())
    return two_float(sum((column * scale for column, scale in zip(columns, scales, strict=True)), Fraction(0)))
