"""Gaps over many passes, against exact rational arithmetic: no closed gap may count as open."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

import naive
import screening_kernels as kernels
from steinhaus.engines import choose
from steinhaus.engines.bounds.gaps import accumulated, recorded
from steinhaus.engines.bounds.scores import UNKNOWN
from steinhaus.points import Run


def lost(total, share, sign=1):
    """A step of this share of the least that an addition to `total` does not lose."""
    return np.float32(sign * share * np.spacing(np.float32(abs(total))) / 2)


def test_plain_python_gives_the_bits_of_compiled_code(rng):
    """So the tests here, which call these functions as plain Python, are about the code that runs."""
    values = (rng.normal(size=(5, 3000)) * 10.0 ** rng.integers(-15, 15, (5, 3000))).astype(np.float32)
    sums, records = np.empty((2, 3000), np.float32)
    kernels.sum_and_record(values, 3000, sums, records)
    columns = list(values.T)
    np.testing.assert_array_equal(sums, [accumulated(total, step) for total, step, *_ in columns])
    np.testing.assert_array_equal(records, [recorded(*column) for column in columns])


@pytest.mark.parametrize("share", [0.3, 0.9, 0.999, 1.0, 1.1, 2.9])
@pytest.mark.parametrize("start", [1.0, 1.9999999, 8450.0, 1e-30, 3e20])
def test_sums_of_steps_that_are_lost_in_rounding_stay_bounds(start, share):
    total = np.float32(start)
    exact = Fraction(float(total))
    for _ in range(1000):
        step = lost(total, share)
        total, exact = accumulated(total, step), exact + Fraction(float(step))
        assert type(total) is np.float32
        assert Fraction(float(total)) >= exact


@pytest.mark.parametrize("start", [-1.0, -8450.0, 1.0, 0.0])
def test_rises_that_cancel_stay_bounds(start, rng):
    total = np.float32(start)
    exact = Fraction(float(total))
    for pass_ in range(1000):
        step = (
            lost(total, 0.9, -1 if pass_ % 2 else 1)
            if pass_ % 3
            else np.float32(rng.normal() * 10.0 ** rng.integers(-8, 4))
        )
        total, exact = accumulated(total, step), exact + Fraction(float(step))
        assert Fraction(float(total)) >= exact


def compared(size, travelled, risen, sunk):
    """What a recorded gap is compared with: without and with a fused product."""
    fused = np.float32(np.float64(size) * np.float64(travelled) + np.float64(risen))  # the product is exact
    return size * travelled + risen + sunk, fused + sunk


@pytest.mark.parametrize("seed", range(400))
def test_no_gap_is_open_once_it_has_closed(seed):
    """Sums that cancel, or are huge beside the gap; steps of all sizes, among them such as are lost."""
    rng = np.random.default_rng(seed)
    size, reach = np.float32(10.0 ** rng.uniform(-3, 3)), 10.0 ** rng.uniform(-3, 6)
    share, of = rng.choice([1e-4, 1.0]), rng.choice([-1.0, -1 + 1e-6, -0.5, 0.0, 1.0])
    travelled, sunk = np.float32(share * reach / size), np.float32(reach * rng.choice([0.0, 1e-6, 1.0]))
    risen = np.float32(of * share * reach)
    before = sums = [travelled, risen, sunk]
    closed_by, scale = Fraction(0), reach * 10.0 ** rng.uniform(-9, -3)
    for _ in range(int(rng.choice([1, 2, 30, 300]))):
        steps = (rng.random(3) * scale * [1 / size, rng.choice([-1, 1]), 1]).astype(np.float32)
        if seed % 2:
            steps = [
                lost(total, rng.uniform(0.5, 1)) if total else step for total, step in zip(sums, steps, strict=True)
            ]
        sums = [accumulated(total, step) for total, step in zip(sums, steps, strict=True)]
        length, rise, sink = (Fraction(float(step)) for step in steps)
        closed_by += length * Fraction(float(size)) + rise + sink
    for less in (0.0, 1e-7, 1e-6, 1e-4):
        gap = np.float32(float(closed_by) - less * abs(float(closed_by)))
        if Fraction(float(gap)) <= closed_by:
            written = recorded(gap, size, *before)
            assert type(written) is np.float32
            assert not any(written > now for now in compared(size, *sums)), (gap, written)


@np.errstate(over="ignore", invalid="ignore")
def test_sums_that_overflow_leave_every_gap_open():
    """A centroid that is not screened rises by `UNKNOWN`, pass after pass; the sums become infinite."""
    zero = np.float32(0)
    risen = zero
    for _ in range(1000):
        written = recorded(np.float32(5), np.float32(1), zero, risen, zero)
        risen = accumulated(risen, np.float32(UNKNOWN))
        assert not any(written > now for now in compared(np.float32(1), zero, risen, zero))
    assert np.isinf(risen)


def sinking(passes):
    """Centroids of a run, pass by pass, over points at -1 and 1: the first goes far away and comes back, and then away
    from the points at 1 by steps that are small beside that, until the second is the nearest.
    """
    for first in (1.0, 1.0, 1.0, 520.0, 1.0, *np.linspace(1.0, 0.0, passes)):
        yield [first, 0.17, -1.0]


def test_a_centroid_that_leaves_by_steps_too_small_to_be_added_up_is_noticed():
    x = np.repeat(np.float32([[1.0], [-1.0]]), 32, axis=0)
    points = choose(x, threads=1, screen="drift")
    for centroids in sinking(300):
        rows = np.array(centroids)[:, np.newaxis]
        points.assign([Run(0, rows)])
        np.testing.assert_array_equal(points.labels(0), naive.labels(x, rows))
    points.close()
