"""Slacks alone, against exact rational arithmetic. For bounds as the engine uses them, see `test_screening`; sums from
pass to pass: `test_gaps`.
"""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

import naive
from rational import dot, exactly, minus
from steinhaus.engines.bounds import distances, gaps, rounding, scores
from steinhaus.engines.dense.factors import factors_of
from steinhaus.engines.dense.products import halve_rows
from steinhaus.jit.handed import Handed


def hard(rng, *shape):
    """Values that differ by up to 2^60 in magnitude."""
    return rng.normal(size=shape) * 2.0 ** rng.integers(-30, 31, shape)


@pytest.mark.parametrize("value", [0.0, 1.0, -1.0, 1 / 3, -1 / 3, 1e-50, 3.4e38, 2.0**-149, 1 + 2.0**-30])
def test_upward_never_rounds_down(value):
    assert float(rounding.upward(np.array([value]))[0]) >= value


@pytest.mark.parametrize("d", [1, 17, 784])
@pytest.mark.parametrize("scale", [1e-39, 1e-20, 1.0, 1e15])
def test_norms_are_those_of_points_as_float32_holds_them(d, scale, rng):
    x = rng.normal(size=(40, d)) * scale
    z = x.astype(np.float32)
    above = rounding.norms_above(np.square(x).sum(axis=1))
    lengths = rounding.length_above(np.square(x).sum(axis=1))
    squares = np.square(z).sum(axis=1, dtype=np.float32)  # loses what underflows
    kept = [rounding.norm_above(np.float64(square), rounding.stretch(d)) for square in squares]
    for i in range(40):
        placed, held = dot(exactly(x[i]), exactly(x[i])), dot(exactly(z[i]), exactly(z[i]))
        assert Fraction(float(above[i])) ** 2 >= placed
        assert (Fraction(float(above[i])) + Fraction(rounding.TINY)) ** 2 >= held  # float32 rounds up what underflows
        assert Fraction(float(lengths[i])) ** 2 >= placed
        assert Fraction(float(kept[i])) ** 2 >= held


def test_norms_of_points_that_are_all_rounded_up(rng):
    for d in range(1, 200):
        x = np.full((1, d), 1.0 + 2.0**-24 + 2.0**-40)
        above = rounding.norms_above(np.square(x).sum(axis=1))[0]
        assert Fraction(float(above)) ** 2 >= d * Fraction(1 + 2.0**-23) ** 2


def test_a_norm_whose_small_squares_are_all_lost():
    """Of 2^18 features each lane's first is 1, and the squares of the others are below half its last place."""
    small, many = np.float32(2.0**-12.55), 2**14
    lanes = np.ones(16, np.float32)
    for _ in range(many - 1):
        lanes += small * small
    squares = 16 * (1 + (many - 1) * Fraction(float(small)) ** 2)
    above = rounding.norm_above(np.float64(lanes.sum()), rounding.stretch(16 * many))
    assert lanes.sum() == 16
    assert Fraction(float(above)) ** 2 >= squares


@pytest.mark.parametrize("d", [1, 15, 16, 100, 1024, 1100, 3000])
@pytest.mark.parametrize("kind", ["alike", "mixed", "one large"])
def test_no_sum_has_a_longer_chain_than_is_counted(d, kind, rng):
    """Products summed in parts, as the kernels do, with every product and every sum rounded by itself."""
    x, y = (rng.random((2, d)) + 1).astype(np.float32)
    if kind == "mixed":
        x, y = hard(rng, 2, d).astype(np.float32)
    elif kind == "one large":
        x[0] = 2.0**20
    exact, size = dot(exactly(x), exactly(y)), dot(exactly(np.abs(x)), exactly(np.abs(y)))

    chunk, total = int(rounding.chunk(d)), np.float32(0)
    for first in range(0, d, chunk):
        part = np.float32(0)
        for t in range(first, min(first + chunk, d)):
            part += x[t] * y[t]
        total = total + part
    bound = Fraction(rounding.gamma(rounding.chunked(d) + 1)) * size  # one more, as these products are not fused
    assert abs(Fraction(float(total)) - exact) <= bound


@pytest.mark.parametrize("d", [3, 64, 130])
@pytest.mark.parametrize("scale", [1e-40, 1e-25, 1.0, 1e30])
def test_rows_are_off_from_two_bytes_a_feature_by_no_more_than_is_said(d, scale, rng):
    rows = rng.normal(size=(6, d)) * scale
    rows[1] *= 2.0 ** -rng.integers(0, 20, d)
    factors = factors_of(6, d, True)
    rest = np.empty(6)
    halve_rows(rows, 6, d, Handed(factors), rest)
    for row, high, low, per, off in zip(rows, factors.high, factors.low, factors.scales, rest, strict=True):
        whole = 128 * high[:d].astype(np.int64) + low[:d]
        left = minus(exactly(row), [Fraction(float(per)) * int(value) for value in whole])
        assert dot(left, left) <= (Fraction(float(off)) * Fraction(rounding.SLACK)) ** 2
        assert abs(whole).max() <= rounding.MOST


def stepped(rng, d, kind):
    """A centroid before and after a step, less the reference."""
    before = hard(rng, d) if kind == "mixed" else rng.normal(size=d)
    size = {"mixed": 1.0, "tiny": 1e-12, "turned": 1e-3, "far": 1e4, "none": 0.0, "lost": 1e-60}[kind]
    after = before + size * rng.normal(size=d)
    if kind == "turned":  # the length hardly changes
        after *= np.sqrt(np.square(before).sum() / np.square(after).sum())
    if kind == "lost":
        before, after = 1e-62 * before, 1e-62 * after
    return before, after


def tight(square):
    """The least float32 that is at least the root of a rational."""
    size = np.float32(math.sqrt(square))
    while Fraction(float(size)) ** 2 < square:
        size = np.nextafter(size, np.float32(np.inf))
    return size


def check_step(before, after, ys):
    """Hold the step's bounds, as the kernels use them, to how these points' scores change."""
    d = len(before)
    frame = scores.Frame(np.zeros(d), 1.0, np.zeros(d), rounded=True)
    rates = scores.rates(frame, scores.Basis(np.empty((d, 0), np.float32), 0.0))
    moved, turned = np.sqrt(np.square(after - before).sum()), 0.5 * ((after + before) * (after - before)).sum()
    scale = np.sqrt(np.square(before).sum()) + np.sqrt(np.square(after).sum())
    length, rise, fall = (np.float32(part) for part in gaps.step_bound(moved, turned, scale, rates))
    e, f = exactly(after), exactly(before)
    for y in ys:
        exact = exactly(y)
        change = dot(exact, minus(e, f)) - (dot(e, e) - dot(f, f)) / 2
        size = tight(dot(exact, exact))
        up = Fraction(float(size)) * Fraction(float(length)) + Fraction(float(rise))
        fused = np.float32(np.float64(size) * np.float64(length) + np.float64(fall))  # the product is exact
        assert change <= up
        assert -change <= Fraction(float(size * length + fall))
        assert -change <= Fraction(float(fused))


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("kind", ["mixed", "tiny", "turned", "far", "none", "lost"])
def test_no_score_changes_by_more_than_a_step_allows(kind, seed):
    rng = np.random.default_rng(seed)
    d = int(rng.integers(1, 40))
    before, after = stepped(rng, d, kind)
    along = after - before
    check_step(before, after, (rng.normal(size=d), along, -along, hard(rng, d), np.zeros(d)))


@pytest.mark.parametrize("scale", [1.0, 1e-44, 1e-60])
@pytest.mark.parametrize("norm", [1.0, 2.0**40, 2.0**-30])
def test_no_score_changes_by_more_where_all_lies_on_a_line(scale, norm, rng):
    """From one side of the reference to the other: nothing but the step's own length allows for what happens."""
    for _ in range(200):
        e = rng.normal(size=1) * scale
        check_step(-e, e, ([norm], [-norm]))


def test_a_gap_is_at_most_what_lies_between_two_bounds_in_any_lane(rng):
    for _ in range(3000):
        low = np.float32(rng.normal(size=3) * 10.0 ** rng.uniform(-30, 30))
        above = np.float32([rng.choice([of * (1 + rng.normal() * 1e-7), -of, rng.normal(), 0.0]) for of in low])
        exact = min(Fraction(float(a)) - Fraction(float(b)) for a, b in zip(low, above, strict=True))
        assert Fraction(float(gaps.gap((low - above).min()))) <= exact


def near_tie(rng, d, scale):
    """A point and two centroids that lie about as far from it, at very different places or almost at one."""
    x = rng.normal(size=d) * scale
    off = rng.normal(size=d) * scale * 10.0 ** rng.integers(-14, 2)
    other = off[::-1] if rng.random() < 0.5 else off * (1 + rng.normal() * 2.0**-40)
    return x, x + off, x + other


@pytest.mark.parametrize("scale", [1e-160, 1e-30, 1.0, 1e100])
def test_scores_that_tell_the_nearer_centroid_are_right(scale, rng):
    told = 0
    for _ in range(400):
        d = int(rng.integers(1, 60))
        x, a, b = near_tie(rng, d, scale)
        rate, squares = distances.score_rate(d), [float(np.square(c).sum()) for c in (a, b)]
        reach = np.sqrt(np.square(x).sum()) * rounding.CLOSE + np.sqrt(max(squares)) * rounding.CLOSE
        error = distances.score_error(rate, reach)
        first, second = (float((x * c).sum()) - square / 2 for c, square in zip((a, b), squares, strict=True))
        one, other = naive.squared_distances(x[np.newaxis], np.stack([a, b]))[0]
        if first - second > 2 * error:
            told += 1
            assert one < other
        about = np.square(x).sum() - 2 * first
        assert abs(about - one) <= distances.about_error(rate, np.array(reach))
        exact = minus(exactly(x), exactly(a))
        score = dot(exactly(x), exactly(a)) - dot(exactly(a), exactly(a)) / 2
        off = abs(Fraction(first) - score) + abs(Fraction(float(one)) - dot(exact, exact)) / 2
        assert off <= Fraction(float(error))
    assert told or scale < 1e-100


@pytest.mark.parametrize("place", [0.0, 1.0, 1e6])
def test_the_floor_is_above_what_float64_makes_of_a_gap(place, rng):
    told = 0
    for _ in range(400):
        d = int(rng.integers(1, 60))
        x, a, b = near_tie(rng, d, 1.0)
        x, a, b = (row + place for row in (x, a, b))
        m = np.full(d, place)
        y, e, f = (minus(exactly(row), exactly(m)) for row in (x, a, b))
        gap = dot(y, minus(e, f)) - (dot(e, e) - dot(f, f)) / 2
        room = Fraction(distances.float64_floor(d)) * (dot(y, y) + max(dot(e, e), dot(f, f)))
        one, other = naive.squared_distances(x[np.newaxis], np.stack([a, b]))[0]
        if gap > room:
            told += 1
            assert one < other
    assert told


def test_distances_that_are_left_out_are_not_below_the_limit(rng):
    """Products in float32, limits at the very distance or next to it."""
    left_out = 0
    for _ in range(300):
        d = int(rng.integers(1, 60))
        x, c, _ = near_tie(rng, d, 1.0)
        c = rng.choice([c, x + hard(rng, d), rng.normal(size=d)])
        frame = scores.Frame(np.zeros(d), 1.0, np.zeros(d), rounded=True)
        rates = scores.rates(frame, scores.Basis(np.empty((d, 0), np.float32), 0.0))
        length, norm = (rounding.length_above(np.square(row).sum()) for row in (x, c))
        product = np.float64((x.astype(np.float32) * c.astype(np.float32)).sum(dtype=np.float32))
        slope = scores.product_slope(norm, 0.0, rates.plain, rates)
        floor = scores.plain_floor(norm, 0.0, rates)
        error = distances.product_error(length, norm, slope, floor, distances.float64_floor(d))
        least = np.square(x).sum() + np.square(c).sum() - 2.0 * product - error
        distance = naive.squared_distances(x[np.newaxis], c[np.newaxis])[0, 0]
        assert least <= distance
        for limit in (distance, np.nextafter(distance, np.inf), distance * 1.5, distance / 2):
            if distances.is_beyond(least, limit):
                left_out += 1
                assert distance >= limit
    assert left_out
