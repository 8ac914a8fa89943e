"""The slacks of the compact engine's gaps, against exact rational arithmetic. Its gaps themselves: `test_compact`."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

import doubles_kernels as kernels
from rational import root
from steinhaus.engines.bounds.rounding import UNIT64

N = 768
TINY = [2.0**-1022, 2.0**-400, 2.0**-150, 2.0**-149, 2.0**-126]  # among them such as float32 loses


def exact(values):
    return [Fraction(float(value)) for value in values]


def gamma(q):
    """Higham's, exactly."""
    return q * Fraction(UNIT64) / (1 - q * Fraction(UNIT64))


def squared(rng):
    """X + 2 s and M: squared distances of all sizes; near M; and 0."""
    margins = 10.0 ** rng.uniform(-30, 10, N) * 2.0 ** rng.integers(-400, 1, N)
    about = margins * np.choose(rng.integers(0, 3, N), [rng.uniform(-4, 4, N), 10.0 ** rng.uniform(0, 15, N), 0.0])
    about[: len(TINY) * 16] = np.repeat(TINY, 16) * rng.uniform(0.3, 3, len(TINY) * 16)
    margins[: len(TINY) * 16] = 0.0
    return about, margins


@pytest.mark.parametrize("scale", [1.0, 4.0**-20, 4.0**30, 4.0**200])
def test_distances_to_labels_are_at_least_what_their_scores_allow(scale, rng):
    """The label's score may be M above the least, and X + 2 s is off by M."""
    about, margins = squared(rng)
    own = np.empty(N, np.float32)
    kernels.own_distances(about, margins, scale, N, own)
    for x, m, found in zip(exact(about), exact(margins), own, strict=True):
        assert np.isinf(found) or Fraction(float(found)) ** 2 >= (x + 3 * m) * Fraction(scale)


@pytest.mark.parametrize("scale", [1.0, 4.0**-20, 4.0**30, 4.0**200])
@pytest.mark.parametrize("apart", [0.0, 1e-7, 1e-3, 1.0])
def test_gaps_are_at_most_what_their_scores_allow(scale, apart, rng):
    about, margins = squared(rng)
    least = np.sqrt(np.minimum(np.maximum((about - margins) * scale, 0.0), 2.0**126))
    own = (least * (1 - apart * rng.random(N))).astype(np.float32)
    own[::7] = 0.0
    own[1::7] *= np.float32(1e7)
    gaps = np.empty(N, np.float32)
    kernels.gaps(about, margins, scale, own, N, gaps)
    for x, m, of, found in zip(exact(about), exact(margins), exact(own), exact(gaps), strict=True):
        assert (found + of) <= 0 or (found + of) ** 2 <= max(Fraction(0), (x - m) * Fraction(scale))


def test_gaps_less_steps_are_rounded_down(rng):
    gaps = (rng.normal(size=N) * 10.0 ** rng.integers(-15, 15, N)).astype(np.float32)
    steps = (np.abs(gaps) * rng.choice([1e-9, 1e-7, 0.3, 1.0, 1e7], N) * rng.random(N)).astype(np.float32)
    low = np.empty(N, np.float32)
    kernels.lowered(gaps, steps, N, low)
    for gap, step, found in zip(exact(gaps), exact(steps), exact(low), strict=True):
        assert found <= gap - step


@pytest.mark.parametrize("d", [16, 784, 2**30, 2**38])
@pytest.mark.parametrize("scale", [2.0**-500, 2.0**-20, 1.0, 2.0**40, 2.0**500])
def test_steps_are_at_least_as_long_as_their_sums_of_squares_allow(d, scale, rng):
    """A sum of squares is off by gamma_(d + 3) of itself, and by what underflows in each of d squares."""
    lost = d * Fraction(2) ** -1075
    for size in [0.0, *TINY, *rng.uniform(0.5, 2, 40)]:
        square, before = float(size) / scale / scale, np.float32(rng.choice([0.0, 1e-9, 1.0, 3e4]) * rng.random())
        length = kernels.step_length(square, d, scale, before)
        least = root(Fraction(square) * (1 + gamma(d + 3)) + lost) * Fraction(scale)
        assert Fraction(float(length)) >= least + Fraction(float(before))


@pytest.mark.parametrize("d", [16, 784, 2**38])
@pytest.mark.parametrize("scale", [2.0**-450, 1.0, 2.0**440, 2.0**500])
def test_farther_for_sure_is_farther_than_two_distances_are_off(d, scale, rng):
    for reach in [0.0, *TINY, *(10.0 ** rng.uniform(-250, 250, 100)).tolist(), *(2.0**-800 * rng.random(30)).tolist()]:
        found = kernels.surely_farther(reach, d, scale)
        least = root(2 * Fraction(reach)) * gamma(d + 3) * Fraction(11, 10) + Fraction(2) ** -450
        assert np.isinf(found) or Fraction(float(found)) >= least * Fraction(scale)
