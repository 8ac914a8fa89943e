"""Two-float sums against exact rationals."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from steinhaus import arithmetic


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([1, 2]), st.sampled_from([1, 7, 9, 25, 40]), st.integers(1, 5))
def test_means_and_inertia_are_exact_rationals_rounded_once(seed, limbs, d, k):
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, 1000, k)
    sums = rng.integers(-(2**40), 2**40, (limbs, k, d))
    if limbs == 1:
        sums = np.abs(sums)
    value = [
        [sum(int(sums[limb, j, t]) << 32 * (limbs - 1 - limb) for limb in range(limbs)) for t in range(d)]
        for j in range(k)
    ]
    offset, step = np.zeros(d), np.ldexp(1.0, rng.integers(-50, 5, d))
    centroids = np.full((k, d), 7.0)
    arithmetic.means(sums, counts, offset, step, centroids)
    for j in range(k):
        for t in range(d):
            expected = float(Fraction(value[j][t], int(counts[j]))) * step[t] if counts[j] else 7.0
            assert centroids[j, t] == expected
    squares = sum(
        Fraction(value[j][t]) ** 2 / max(int(counts[j]), 1) * Fraction(step[t]) ** 2 for j in range(k) for t in range(d)
    )
    high = float(squares + 1)
    pair = np.array([high, float(squares + 1 - Fraction(high))])
    cost = squares + 1
    for j in range(k):
        for t in range(d):
            c = Fraction(centroids[j, t]) / Fraction(step[t])
            cost += c * (int(counts[j]) * c - 2 * value[j][t]) * Fraction(step[t]) ** 2
    found = arithmetic.inertia(pair, sums, counts, centroids, offset, step)
    assert found == pytest.approx(max(float(cost), 0.0), rel=1e-12, abs=1e-28 * high)


def test_inertia_survives_a_cancellation_of_thirty_digits():
    # Two points, 1 apart, at 2^45 steps from the offset: sum q^2 is 2^91, the inertia 1/2.
    q = 2**45
    sums = np.array([[[(2 * q + 1) >> 32]], [[(2 * q + 1) & 0xFFFFFFFF]]])
    squares = Fraction(q**2 + (q + 1) ** 2)
    high = float(squares)
    pair = np.array([high, float(squares - Fraction(high))])
    one = np.ones(1)
    assert arithmetic.inertia(pair, sums, np.array([2]), np.array([[q + 0.5]]), np.zeros(1), one) == 0.5


def test_shift_and_variance(rng):
    old, new = rng.random((2, 3, 4))
    assert arithmetic.shift(old, new) == pytest.approx(((old - new) ** 2).sum())
    total = arithmetic.shift(old, new)
    for most in (0.0, total / 2, np.nextafter(total, 0.0), total, 2 * total):
        assert bool(arithmetic.has_moved(old, new, old.size, most)) == (total > most)
    x = rng.integers(0, 100, (50, 4))
    squares = np.array([float((x**2).sum()), 0.0])
    found = arithmetic.mean_variance(squares, x.sum(0)[None, None], 50, np.ones(4))
    assert found == pytest.approx(x.var(0).mean())
