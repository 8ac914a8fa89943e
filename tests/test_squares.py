"""Sums of squares equal those of Python's integers."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from steinhaus.engines.exact.squares import squares_of

PLACES = (80, 48, 56, 24, 32, 0)  # of the limbs, in bits


def test_sums_of_squares_are_those_of_integers_for_any_steps(rng):
    for d in (1, 2, 5, 40, 300):
        for spread in (0, 3, 900):
            exponents = rng.integers(-spread // 2, spread // 2 + 1, d) - (30 if spread else 0)
            parts = rng.integers(-(2**62), 2**62, (6, d))
            parts[0] = np.abs(parts[0])  # the sum is not negative
            parts[2] >>= 8
            wanted = sum(
                Fraction(sum(int(part) << place for part, place in zip(column, PLACES, strict=True)))
                * Fraction(4) ** int(e)
                for column, e in zip(parts.T, exponents, strict=True)
            )
            assert wanted >= 0
            assert squares_of(parts, np.ldexp(1.0, exponents)) == wanted


def test_the_sum_of_equal_points_is_zero():
    assert squares_of(np.zeros((6, 3), np.int64), np.array([1.0, 0.5, 2.0**-400])) == 0
