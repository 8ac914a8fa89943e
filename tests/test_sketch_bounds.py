"""The bounds of sketches against exact arithmetic, in float32 and on real points."""

from __future__ import annotations

from contextlib import closing
from fractions import Fraction

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import sketch_kernels as kernels
from fitting import listing
from rational import dot, exactly, minus, root
from steinhaus.engines.dense.points import MemoryPoints
from steinhaus.points import Run
from test_neighbours import labels_of, on_bytes
from test_screening import exact_scores

SCALE = {"min_value": -(2.0**30), "max_value": 2.0**30, "width": 32}


# Steps


@given(st.lists(st.floats(**SCALE), min_size=3, max_size=3), st.floats(2.0**-20, 2.0**20, width=32))
def test_integers_never_leave_out_what_reaches_a_limit(values, scale):
    """b s >= raised + reach, and T s <= limit, unless they are beyond all products."""
    raised, reach, limit = values[0], abs(values[1]), values[2]
    out = np.empty(32, np.int32)
    per_scale = np.float32(1.0) / np.float32(scale)
    kernels.integers(*(np.full(16, value, np.float32) for value in (raised, reach, limit)), per_scale, out)
    bias, needed = int(out[0]), int(out[16])
    assert bias == 2**30 or bias * Fraction(scale) >= Fraction(raised) + Fraction(reach)
    assert needed == -(2**30) or needed * Fraction(scale) <= Fraction(limit)
    slack = (abs(Fraction(raised)) + Fraction(reach)) / Fraction(scale) / 2**19 + 4
    assert abs(bias) == 2**30 or bias <= (Fraction(raised) + Fraction(reach)) / Fraction(scale) + slack
    slack = abs(Fraction(limit)) / Fraction(scale) / 2**19 + 4
    assert needed in (2**29, -(2**30)) or needed >= Fraction(limit) / Fraction(scale) - slack


def test_integers_of_infinite_bounds_leave_nothing_out():
    out = np.empty(32, np.int32)
    infinite = np.full(16, np.inf, np.float32)
    kernels.integers(infinite, infinite, -infinite, np.float32(3.0), out)
    assert (out[:16] == 2**30).all()
    assert (out[16:] == -(2**30)).all()
    assert 2**30 - 255 * 127 * 256 > 2**29  # the least sum with this bias is above all limits


@given(st.integers(0, 2**32 - 1), st.sampled_from([1, 64, 256]), st.floats(0, 0.5, width=32))
def test_the_rest_of_a_point_is_never_too_short(seed, m, delta):
    """With coordinates rounded as `sketch_tile` rounds them, |y^|^2 - |a|^2 + |a - a'|^2 + delta |a'|^2 is covered."""
    rng = np.random.default_rng(seed)
    exact = [Fraction(int(value)) * 3 / 7 for value in rng.integers(-(2**20), 2**20, m)]
    spread = Fraction(2**20, int(rng.choice([100, 2**12])))
    exact = [value / spread for value in exact]
    alpha = np.array([float(value) for value in exact], np.float32) * np.float32(1 + 2e-7)  # off by two roundings more
    z = np.clip(np.rint(alpha), -128, 127)
    size, square = np.float32(0), np.float32(0)
    for value, byte in zip(alpha, z, strict=True):
        size, square = np.float32(size + value * value), np.float32(square + (value - byte) * (value - byte))
    off2 = sum((value - int(byte)) ** 2 for value, byte in zip(exact, z, strict=True))
    beyond = Fraction(int(rng.integers(0, 1000)))
    whole = sum(value * value for value in exact) + beyond
    given_whole = np.float32(float(whole * (1 + 2 * Fraction(2) ** -12) * (1 - Fraction(3, 2**24))))
    out = np.empty(48, np.float32)
    step, rho = np.float32(0.3), np.float32(rng.random())
    kernels.rests(np.full(16, given_whole), np.full(16, size), np.full(16, square), rho, np.float32(delta), step, out)
    off, rest, length = (Fraction(float(out[16 * row])) for row in range(3))
    assert off**2 >= off2
    needed = beyond + off2 + Fraction(float(delta)) * sum(int(byte) ** 2 for byte in z)
    assert rest**2 >= needed
    assert length >= (root(whole) * Fraction(float(step)) + Fraction(float(rho))) * (1 + Fraction(1, 2**20))
    longest = root(whole) + root(off2) + 1  # at least |z|
    assert rest**2 <= beyond + off2 + Fraction(float(delta)) * longest**2 + (whole + off2) / 100 + Fraction(1, 100)


# Sketches of real points


@st.composite
def attacks(draw):
    """Points and centroids: few and many features, near ties, far points, low ranks, extreme scales."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n, d, k = draw(st.integers(2, 40)), draw(st.sampled_from([3, 64, 67])), draw(st.integers(2, 70))
    x = rng.normal(size=(n, d)) + draw(st.sampled_from([0.0, 5.0])) * rng.normal(size=(4, d))[rng.integers(0, 4, n)]
    if draw(st.booleans()):
        x = x[:, :2] @ rng.normal(size=(2, d))
    if draw(st.booleans()):
        x[rng.integers(n)] *= 1e3
    x = x * draw(st.sampled_from([1.0, 1e-30, 1e12])) + draw(st.sampled_from([0.0, 1e4]))
    x = np.ascontiguousarray(x.astype(draw(st.sampled_from([np.float32, np.float64]))))
    spread = float(x.astype(float).std())
    centroids = x[rng.integers(0, n, k)] + spread * rng.normal(size=(k, d)) * draw(st.sampled_from([0.0, 0.3]))
    if draw(st.booleans()):
        centroids[rng.integers(k)] *= 100.0
    return x, centroids


@on_bytes
@settings(max_examples=15, deadline=None)
@given(attacks())
def test_no_bound_of_a_sketch_is_ever_broken(case):
    hold(*case)


@on_bytes
def test_bounds_hold_for_points_that_are_sketched(rng):
    x = rng.normal(size=(40, 70))
    assert hold(x, x[:30] + 0.3 * rng.normal(size=(30, 70)))


def hold(x, centroids):
    """Hold all bounds of sketches to exact arithmetic; return whether there were any."""
    with listing(sketched_features=1), closing(MemoryPoints(x, threads=1)) as points:
        points.assign([Run(0, centroids)])
        np.testing.assert_array_equal(points.labels(0), labels_of(x, centroids))
        sketches, sketched = points._sketching.made, points._batch.sketched
        if not sketches.m:
            return False
        m, k, d = sketches.m, len(centroids), x.shape[1]
        gram = sketches.gram + np.diag(np.diag(sketches.gram) == 0.0)
        assert np.abs(np.linalg.eigvalsh(gram - np.eye(m))).max() <= float(sketches.delta)
        quads = sketches.quads.reshape(-1, 2, m // 4, 16, 4).transpose(0, 1, 3, 2, 4).reshape(-1, m)
        sigma = Fraction(float(sketches.step))
        rows = [exactly(row) for row in sketches.along.T]
        for place in range(0, len(x), 17):
            i = points._tiles.order[place]
            y = placed(points, x[i])
            z = [int(byte) - 128 for byte in quads[place]]
            length, rest, off = (float(table[place]) for table in (sketches.sizes, sketches.rests, sketches.offs))
            assert length >= root(dot(y, y))
            near = [sigma * sum((b * row[t] for b, row in zip(z, rows, strict=True)), Fraction(0)) for t in range(d)]
            if np.isfinite(off):  # |y - V'a'| <= |r| + |rho|, and rho is no longer than `off`
                far = minus(y, near)
                assert root(dot(far, far)) <= Fraction(rest) + Fraction(off)
            scores = exact_scores(points, x[i : i + 1], centroids)[0]
            for j in range(0, k, 7):
                h = sketched.factors.high[j].tolist()
                half, slope, lag, ext, floor = (float(table[j]) for table in sketched[1:])
                scale = Fraction(float(sketched.factors.scales[j]))
                product = sum((b + 128) * c for b, c in zip(z, h, strict=True)) * scale
                error = length * slope + rest * lag + off * ext + floor
                if np.isfinite(error):
                    assert abs(product - Fraction(half) - scores[j]) <= Fraction(error)
    return True


def placed(points, row):
    """y of a point, as rationals."""
    frame = points._frame
    shifted = minus(exactly(row), exactly(frame.offset))
    return minus([value * Fraction(frame.scale) for value in shifted], exactly(frame.reference))
