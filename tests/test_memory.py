"""The engines in memory against the oracle: the same bits for any screen, threads and other runs."""

from __future__ import annotations

from contextlib import closing
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import naive
from problems import ALL_DTYPES, ROOMY, problems
from steinhaus.engines import choose
from steinhaus.engines.dense.points import MemoryPoints
from steinhaus.engines.dense.records import PAIRS, SCREENED
from steinhaus.errors import DataError
from steinhaus.jit.target import BYTE_LANES
from steinhaus.lloyd import lloyd
from steinhaus.points import Run

SCREENS = ("auto", "compact", "drift", "plain", "none")


def run(x, start, *, screen="auto", threads=1, max_iter=20, tol=0.0, company=()):
    """One run's outcome, everything that must be the same: labels, centroids, counts, history, inertia, stop."""
    points = choose(x, screen=screen, threads=threads, memory=ROOMY)
    starts = [Run("it", start), *(Run(i, other) for i, other in enumerate(company))]
    try:
        for fit in lloyd(points, starts, max_iter=max_iter, tol=tol):
            if fit.key == "it":
                counts = np.bincount(points.labels("it"), minlength=len(start))
                assert counts.tolist() == fit.counts.tolist()
                outcome = points.labels("it").tolist(), fit.centroids.tobytes(), fit.history, fit.inertia, fit.stop.name
    finally:
        points.close()
    return outcome


def expected(x, start, **options):
    labels, centroids, history, inertia, stop = naive.lloyd(x, start, **options)
    return labels.tolist(), centroids.tobytes(), tuple(history), inertia, stop


def squares(x):
    """The points' squares, from the middle of each column: what the engine's sums of squares are as large as."""
    wide = x.astype(float)
    return (
        float(((wide - (wide.min(0) + wide.max(0)) / 2) ** 2).sum()) if x.dtype.kind == "f" else float((wide**2).sum())
    )


@settings(max_examples=60, deadline=None)
@given(problems(), st.sampled_from(SCREENS), st.sampled_from([1, 2, 7]), st.sampled_from([0.0, 1e-2]))
def test_the_oracle_agrees_bit_for_bit(problem, screen, threads, tol):
    x, start = problem
    found = run(x, start, screen=screen, threads=threads, max_iter=6, tol=tol)
    assert naive.same(found, expected(x, start, max_iter=6, tol=tol), squares(x))


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(problems(ALL_DTYPES), st.sampled_from(SCREENS), st.sampled_from([1, 2, 7]), st.sampled_from([0.0, 1e-2]))
def test_the_oracle_agrees_on_every_type(problem, screen, threads, tol):
    x, start = problem
    found = run(x, start, screen=screen, threads=threads, max_iter=12, tol=tol)
    assert naive.same(found, expected(x, start, max_iter=12, tol=tol), squares(x))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(30))
def test_large_problems_are_the_same_under_every_screen(seed):
    rng = np.random.default_rng(seed)
    n, d, k = int(rng.integers(500, 6000)), int(rng.choice([8, 33, 64, 100, 150, 300])), int(rng.integers(2, 200))
    dtype = (np.uint8, np.float32, np.float64)[seed % 3]
    many = int(rng.integers(2, 60))
    x = rng.random((many, d))[rng.integers(many, size=n)] + rng.normal(size=(n, d)) * rng.choice([0.01, 0.1, 0.3])
    x = 255 * (x - x.min()) / (x.max() - x.min())
    x = np.rint(x).astype(dtype) if dtype == np.uint8 else (x + rng.choice([0, 1e4])).astype(dtype)
    start = x[rng.choice(n, k, replace=False)].astype(float)
    plain = run(x, start, screen="none", threads=2)
    for screen in ("auto", "drift"):
        assert run(x, start, screen=screen, threads=2, company=[start[: max(1, k // 2)]]) == plain


@pytest.mark.parametrize("screen", SCREENS)
@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
def test_screens_threads_and_company_change_nothing(screen, dtype, rng):
    centres = rng.integers(0, 255, (7, 200))
    x = np.clip(centres[rng.integers(7, size=3000)] + rng.normal(0, 60, (3000, 200)), 0, 255).astype(dtype)
    start, other = x[:9].astype(float), x[100:103].astype(float)
    alone = run(x, start, screen="none", threads=1, max_iter=40)
    assert len(alone[2]) > 5
    assert run(x, start, screen=screen, threads=2, max_iter=40) == alone
    assert run(x, start, screen=screen, threads=7, max_iter=40, company=[other, start[::-1]]) == alone


def test_the_screen_certifies_what_has_structure(rng):
    centres = rng.integers(0, 255, (5, 256))
    x = np.clip(centres[rng.integers(5, size=4000)] + rng.normal(0, 20, (4000, 256)), 0, 255).astype(np.uint8)
    points = choose(x, threads=1)
    points.assign([Run(0, x[:5].astype(float))])
    assert points.work[PAIRS].sum() < 50


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_points_that_are_not_finite_are_named(bad, rng):
    x = rng.random((100, 5))
    x[70, 3] = bad
    with pytest.raises(DataError, match="row 70, column 3"):
        choose(x)


def test_rows_and_distances(rng):
    x = rng.integers(0, 255, (50, 33)).astype(np.uint8)
    points = choose(x)
    chosen = np.array([3, 49, 3])
    assert points.rows(chosen).tolist() == x[chosen].astype(float).tolist()
    assert points.squared_distances(chosen).tolist() == naive.squared_distances(x, x[chosen]).T.tolist()


def test_labels_of_an_unknown_run_are_refused():
    with pytest.raises(KeyError, match="never assigned"):
        choose(np.zeros((3, 2))).labels("nobody")


def test_auto_leaves_noise_to_the_plain_screen(rng):
    x = rng.random((4000, 256), dtype=np.float32)
    points = choose(x)
    runs = [Run(0, x[:20].astype(float))]
    for _ in range(3):
        points.assign(runs)
        assert points.work[SCREENED].sum() == 0


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("alike", [False, True])
def test_floats_are_rounded_to_bytes_where_that_pays(rng, dtype, alike):
    """Alike: the points differ by less than a step, which is all that rounding leaves of them."""
    centres, kinds = rng.normal(size=(64, 256)), np.arange(4000) % 64
    x = (centres[kinds] + rng.normal(size=(4000, 256)) * 0.5).astype(dtype)
    if alike:
        x[64:] = x[0] + rng.normal(size=(3936, 256)) * 1e-4
    start = x[64:128].astype(float) if alike else x[:64].astype(float)
    points = choose(x, threads=2, memory=ROOMY)
    points.assign([Run(0, start)])
    assert bool(points._framed.quantiser.step) == (bool(BYTE_LANES) and not alike)
    assert ("points are rounded" in points.explain(64)) == bool(points._framed.quantiser.step)
    points.close()
    assert run(x, start, threads=2) == run(x, start, screen="none")


def test_explain_says_what_happens(rng):
    x = rng.random((4000, 256), dtype=np.float32)
    assert "32 leading directions" in choose(x).explain(10)
    assert "48 leading directions" in choose(x).explain(100)
    assert "Allow more with memory=" in choose(x, memory=1000).explain(10)
    assert choose(x, screen="plain").explain(10) == "Asked for: plain."
    noise = choose(x)
    for _ in range(2):
        noise.assign([Run(0, x[:20].astype(float))])
    assert "hold too little" in noise.explain(20)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sums_do_not_overflow_when_many_points_move_in_one_pass(dtype):
    """Each value is as far from its column's offset as the grid allows, and 70,000 of them exceed an int64."""
    n, d = 70_000, 20
    x = np.ones((n, d), dtype)
    x[0] = -1
    ends = np.array([np.ones(d), -np.ones(d)])
    with closing(MemoryPoints(x, threads=1)) as points:
        for centroids, counts in ((ends, [n - 1, 1]), (-ends, [1, n - 1]), (ends, [n - 1, 1])):
            (tally,) = points.assign([Run(0, centroids)])
            assert tally.counts.tolist() == counts
            high, low = tally.sums.astype(object)
            step, offset = Fraction(float(points.grid.step[0])), Fraction(float(points.grid.offset[0]))
            wanted = np.array(counts)[:, np.newaxis] * (centroids.astype(int) - offset)
            assert (((high << 32) + low) * step == wanted).all()
