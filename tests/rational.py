"""Vectors of rational numbers, to check bounds with exact arithmetic."""

from __future__ import annotations

import math
from fractions import Fraction


def exactly(row):
    return [Fraction(float(value)) for value in row]


def dot(a, b):
    return sum((x * y for x, y in zip(a, b, strict=True)), Fraction(0))


def minus(a, b):
    return [x - y for x, y in zip(a, b, strict=True)]


def root(square):
    """The root of a rational, to 300 binary digits, rounded down."""
    if square == 0:
        return Fraction(0)
    bits = max(0, 600 - (square.numerator.bit_length() - square.denominator.bit_length()))
    bits += bits % 2
    return Fraction(math.isqrt((square.numerator << bits) // square.denominator), 1 << bits // 2)
