"""The bounds of lists of neighbours against exact arithmetic, in 16 bits, float32 and float64."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

import neighbour_kernels as kernels
from steinhaus.engines.bounds.neighbours import most_risen

U = 2.0**-24
FLOATS = st.floats(width=32, allow_nan=False)


def sixteen(*values):
    return np.resize(np.array(values, np.float32), 16)


@given(FLOATS, FLOATS)
def test_sixteen_bits_keep_the_order_and_give_an_upper_bound(a, b):
    out = np.empty(32, np.float32)
    kernels.halves(sixteen(a), out)
    left, above = float(out[0]), float(out[16])
    assert abs(left) <= abs(a)
    assert left == 0.0 or (left > 0) == (a > 0)
    if a > -np.inf:  # else it is not a number, which is below nothing
        assert above >= a - 2.0**-133
        assert above - a <= abs(a) * 2.0**-6 + 2.0**-133 or a > 2.0**127
    if a > b:
        assert kernels.reaches(sixteen(a), sixteen(b)) == 0xFFFF


def test_what_is_not_in_order_in_16_bits_is_far_apart():
    for a in (1.0, -1.0, 3e-20, -7e30):
        lower = a - abs(a) / 32
        assert kernels.reaches(sixteen(lower, a), sixteen(a, a)) == 0b1010101010101010


@given(st.lists(FLOATS.filter(np.isfinite), min_size=16, max_size=16), st.floats(0, 2.0**60, width=32))
def test_the_skin_only_gets_lower_limits_for_lower_bounds(least, size):
    """Also in rounded arithmetic: else a centroid could be missing from a list."""
    ordered, out = np.sort(np.array(least, np.float32)), np.empty(16, np.float32)
    for share in (0.2, 0.0125):
        kernels.limits(ordered, sixteen(size), np.float32(share), out)
        assert not (out > ordered).any()
        assert not (out[1:] < out[:-1]).any()


def test_the_skin_is_a_share_of_the_squared_distance():
    out = np.empty(16, np.float32)
    kernels.limits(sixteen(3.0), sixteen(4.0), np.float32(0.2), out)  # 16 - 2 x 3 = 10
    np.testing.assert_allclose(out, 1.0, rtol=1e-6)


RATIONAL = {"min_value": -(2.0**40), "max_value": 2.0**40, "width": 32}


@given(st.floats(**RATIONAL), st.floats(0, 2.0**40, width=32), st.floats(0, 2.0**40, width=32), st.floats(**RATIONAL))
def test_the_bound_of_a_neighbour_that_moved_is_never_too_low(upper, length, size, rise):
    exact = Fraction(upper) + Fraction(length) * Fraction(size) + Fraction(rise)
    bound = Fraction(float(kernels.risen_bound(*(np.float32(value) for value in (upper, length, size, rise)))))
    assert bound >= exact - Fraction(2) ** -149
    terms = abs(Fraction(upper)) + Fraction(length) * Fraction(size) + abs(Fraction(rise))
    assert bound <= exact + Fraction(24 * U) * terms + Fraction(2) ** -140


@given(st.floats(**RATIONAL), st.floats(**RATIONAL), st.floats(0, 2.0**30, width=32), st.floats(**RATIONAL))
def test_whatever_may_have_come_near_is_counted_as_needed(least, rest, size, rise):
    """Also if both sides are nearly equal: a rise of exactly the difference, as far as numbers allow."""
    for up in (rise, np.float32(np.float64(least) - rest)):
        size32, up32 = np.array([size, 0.0], np.float32), np.array([up, up], np.float32)
        most = most_risen(3.0, size32, up32)
        bar = float(kernels.needed_rise(np.float32(least), np.float32(rest)))
        for j in range(2):
            rises = 3 * Fraction(float(size32[j])) + Fraction(float(up32[j]))
            if Fraction(rest) + rises >= Fraction(least):
                assert most[j] >= bar


def test_what_is_not_a_number_is_always_needed():
    infinite, none = np.float32(np.inf), np.float32(np.nan)
    assert kernels.needed_rise(-infinite, infinite) == -np.inf
    assert kernels.needed_rise(infinite, infinite) == -np.inf
    assert kernels.needed_rise(none, np.float32(0)) == -np.inf
    assert (most_risen(np.inf, np.zeros(2, np.float32), np.array([0, -1], np.float32)) == np.inf).all()
