"""Vectors of rational numbers, to check bounds with exact arithmetic."""

from __future__ import annotations

from fractions import Fraction


def exactly(row):
    return [Fraction(float(value)) for value in row]


def dot(a, b):
    return sum((x * y for x, y in zip(a, b, strict=True)), Fraction(0))


def minus(a, b):
    return [x - y for x, y in zip(a, b, strict=True)]
