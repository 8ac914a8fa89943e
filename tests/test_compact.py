"""The compact engine equals the engine that settles every pair, `lloyd` and `seeding`, bit for bit."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import naive
from comparing import Plain, outcomes, scaled
from problems import ALL_DTYPES, problems
from rational import root
from steinhaus.engines import choose, opened
from steinhaus.engines.bounds.doubles import score_floor, score_stretch
from steinhaus.engines.bounds.rounding import UNIT64, gamma
from steinhaus.engines.compact import points as compact
from steinhaus.engines.compact import policy
from steinhaus.engines.exact.weighing import weigh
from steinhaus.engines.exact.weighted import WeightedPoints
from steinhaus.errors import DataError
from steinhaus.lloyd import lloyd
from steinhaus.points import Advancing, Run, Seeding
from steinhaus.seeding import Stream, plus_plus, starts

SCALES = [1.0, 1e-25, 1e25, 1e-160, 1e120]


@pytest.fixture(params=["few points", "alone, in order, with boxes or gaps", "threads together"])
def order(request, monkeypatch):
    """The ways in which points stand, and go ahead: those of few points, and those of many."""
    if request.param != "few points":
        limits = policy.LIMITS._replace(task=1, gap_products=0, gap_centroids=1, gap_features=1)
        if request.param == "threads together":
            limits = limits._replace(alone=0)
        else:
            limits = limits._replace(ordered_points=1, ordered_centroids=1)
        monkeypatch.setattr(policy, "LIMITS", limits)
        monkeypatch.setattr(compact, "LIMITS", limits)


@pytest.mark.usefixtures("order")
@settings(max_examples=100, deadline=None)
@given(problems(ALL_DTYPES), st.sampled_from(SCALES), st.sampled_from([1, 2, 7]), st.sampled_from([0.0, 1e-3]))
def test_both_engines_agree(problem, scale, threads, tol):
    x, start = problem
    x = scaled(x, scale)
    begin = [start, start[:1], x[: len(start)].astype(np.float64)]
    wanted = outcomes(choose(x, threads=1, screen="none"), begin, max_iter=8, tol=tol)
    assert outcomes(choose(x, threads=threads, screen="compact"), begin, max_iter=8, tol=tol) == wanted


@pytest.mark.usefixtures("order")
@settings(max_examples=60, deadline=None)
@given(problems(ALL_DTYPES))
def test_the_oracle_agrees(problem):
    x, start = problem
    points = choose(x, threads=2, screen="compact")
    for fit in lloyd(points, [Run(0, start)], max_iter=5):
        found = points.labels(0).tolist(), fit.centroids.tobytes(), [*fit.history], fit.inertia, fit.stop.name
    labels, centroids, *rest = naive.lloyd(x, start, max_iter=5)
    squares = float(points.totals.squares[0])
    points.close()
    assert naive.same(found, (labels.tolist(), centroids.tobytes(), *rest), squares)


@pytest.mark.parametrize("dtype", ALL_DTYPES)
@pytest.mark.parametrize(("n", "d", "k"), [(30_000, 2, 40), (9_000, 3, 100), (5_000, 15, 17), (6_000, 40, 5)])
def test_both_engines_agree_on_many_points_and_threads(rng, dtype, n, d, k):
    x = (100 * rng.random((k, d))[rng.integers(k, size=n)] + 20 * rng.random((n, d))).astype(dtype)
    begin = [x[:k].astype(np.float64), x[: k // 2].astype(np.float64)]
    wanted = outcomes(choose(x, threads=2, screen="plain"), begin, max_iter=12)
    for threads in (1, 2, 7):
        assert outcomes(choose(x, threads=threads, screen="compact"), begin, max_iter=12) == wanted


@pytest.mark.usefixtures("order")
@settings(max_examples=100, deadline=None)
@given(problems(ALL_DTYPES), st.sampled_from([0.0, 0.0, 1e-3, 0.1]), st.integers(1, 12))
def test_going_ahead_does_what_lloyd_does_after_every_number_of_iterations(problem, tol, limit):
    x, start = problem
    begin = [start, x[: len(start)].astype(np.float64), np.repeat(start[:1], len(start), axis=0)]
    ahead = outcomes(choose(x, threads=2, screen="compact"), begin, max_iter=limit, tol=tol)
    assert ahead == outcomes(Plain(choose(x, threads=1, screen="compact")), begin, max_iter=limit, tol=tol)
    watched = outcomes(choose(x, threads=1, screen="compact"), begin, max_iter=limit, tol=tol, watch=list)
    assert ahead == watched


def test_an_engine_says_what_it_can_do(rng):
    points = choose(rng.random((50, 2)), screen="compact")
    assert isinstance(points, Advancing)
    assert isinstance(points, Seeding)
    assert not isinstance(Plain(points), Advancing | Seeding)


def test_what_was_labelled_while_going_ahead_is_not_labelled_again(rng, monkeypatch):
    points = choose(rng.random((400, 3)), threads=1, screen="compact")
    labelled = []
    monkeypatch.setattr(points, "_label", labelled.append)  # one thread goes ahead in one call
    (fit,) = lloyd(points, [Run(0, points.rows(np.arange(5)))])
    assert fit.iterations > 1
    assert not labelled


HARD = ("noise", "duplicates", "few distinct", "zeros", "offset", "tiny", "line", "huge", "far apart")


def seeding_problem(seed):
    """Points of a hard kind, K, and weights or none."""
    rng = np.random.default_rng(seed)
    kind, dtype = HARD[seed % len(HARD)], ALL_DTYPES[seed // len(HARD) % len(ALL_DTYPES)]
    n, d = int(rng.integers(1, 400)), int(rng.choice([1, 2, 3, 5, 15, 16, 33]))
    x = rng.normal(size=(n, d))
    if kind == "duplicates":
        x = x[rng.integers(max(1, n // 5), size=n)]
    elif kind == "few distinct":
        x = x[rng.integers(min(n, 3), size=n)]
    elif kind == "zeros":
        x = x * 0
    elif kind == "line":
        x = np.linspace(0, 1, n)[:, np.newaxis] * np.ones(d)
    if np.dtype(dtype).kind == "f":
        factors = {"tiny": 1e-170 if dtype == np.float64 else 1e-30, "huge": 1e120 if dtype == np.float64 else 1e25}
        x = x * factors.get(kind, 1.0) + (1e7 if kind == "offset" else 0.0)
        if kind == "far apart":  # distances that a scale cannot hold together
            x = x * (10.0 ** rng.integers(-15, 15, (n, 1)))
    else:
        x = np.abs(np.rint(x * 20))
    x = np.ascontiguousarray(x.astype(dtype))
    k = int(rng.integers(1, min(n, 40) + 1))
    weights = None
    if seed % 3 == 0:
        weights = rng.integers(0, 5, n) * (10 ** rng.integers(0, 9) if seed % 2 else 1)
        weights[rng.integers(n)] = 3
    return x, k, weights


@pytest.mark.usefixtures("order")
@pytest.mark.parametrize("block", range(12))
def test_starts_are_those_of_seeding_and_the_stream_stands_where_it_would(block):
    for seed in range(40 * block, 40 * (block + 1)):
        x, k, weights = seeding_problem(seed)
        points = choose(x, threads=1, screen="compact")
        found, wanted = Stream(seed, k), Stream(seed, k)
        rows = plus_plus(points, k, found, weights)
        with np.errstate(invalid="ignore", over="ignore"):
            assert rows.tolist() == plus_plus(Plain(points), k, wanted, weights).tolist(), seed
        assert found.raw(3).tolist() == wanted.raw(3).tolist(), seed
        points.close()


@pytest.mark.parametrize(("n", "d", "k"), [(40_000, 2, 60), (10_000, 10, 30), (3_000, 20, 9)])
def test_starts_of_many_points_are_those_of_both_engines(rng, n, d, k):
    x = rng.normal(size=(k, d))[rng.integers(k, size=n)] + 0.1 * rng.normal(size=(n, d))
    points, other = choose(x, screen="compact"), choose(x, screen="plain")
    assert starts(points, k, "k-means++", Stream(4)).tolist() == starts(other, k, "k-means++", Stream(4)).tolist()
    points.close()
    other.close()


def test_words_that_come_are_not_drawn():
    stream, other = Stream(3), Stream(3)
    ahead = stream.ahead(7).tolist()
    assert ahead == other.raw(7).tolist() == stream.raw(7).tolist()
    stream.skip(5)
    other.raw(5)
    assert stream.raw(2).tolist() == other.raw(2).tolist()


@pytest.mark.usefixtures("order")
@settings(max_examples=60, deadline=None)
@given(problems(ALL_DTYPES), st.sampled_from(SCALES))
def test_distances_are_those_of_the_oracle(problem, scale):
    x, _ = problem
    x = scaled(x, scale)
    points = choose(x, threads=2, screen="compact")
    indices = np.array([0, len(x) // 2, len(x) - 1])
    points.assign([Run(0, points.rows(indices))])  # which may put them in another order
    found, labels = points.squared_distances(indices), points.labels(0)
    points.close()
    wanted = naive.squared_distances(x, x[indices].astype(np.float64))
    np.testing.assert_array_equal(found, wanted.T)
    assert labels.tolist() == wanted.argmin(1).tolist()


def test_runs_keep_their_labels_when_points_are_put_in_order(rng):
    x = rng.random((5_000, 2))
    points = choose(x, screen="compact")
    few, many = Run("few", x[:3]), Run("many", x[:50])
    points.assign([few])
    points.assign([many])
    (tally,) = points.assign([Run("few", x[1:4])])
    assert points.labels("few").tolist() == naive.labels(x, x[1:4]).tolist()
    assert points.labels("many").tolist() == naive.labels(x, x[:50]).tolist()
    assert tally.counts.tolist() == np.bincount(naive.labels(x, x[1:4])).tolist()
    points.close()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("row", [0, 333, 999])
def test_what_is_not_finite_is_found(rng, dtype, bad, row):
    x = rng.normal(size=(1000, 7)).astype(dtype)
    x[row, 5] = bad
    with pytest.raises(DataError, match=f"row {row}, column 5 holds"):
        choose(x, screen="compact")


def test_what_is_too_large_to_be_squared_is_refused():
    with pytest.raises(DataError, match="below 2\\^480"):
        choose(np.array([[1e200], [0.0]]), screen="compact")


def test_the_choice_and_why():
    assert choose(np.zeros((300, 3))).explain(7).startswith("Compact, because there are only 3 features: all distances")
    assert "a box around 64 near points" in choose(np.zeros((5000, 3))).explain(70)
    assert "12000 values in all: scores in float64" in choose(np.zeros((300, 40))).explain(7)
    assert "only 40 features and 9 centroids: scores or distances" in choose(np.zeros((50_000, 40)), k=9).explain(9)
    assert "float32" in choose(np.full((50_000, 40), 0.5), k=90).explain(90)
    assert "2 runs one after the other" in choose(np.zeros((300, 3))).explain(7, 2)
    assert "float32" in choose(np.full((3000, 300), 0.5)).explain(7)
    assert "float32" in choose(np.full((50_000, 12), 0.5), k=100).explain(100)


@pytest.mark.parametrize("weights", [None, "whole", "real"])
def test_weights_and_restarts(rng, weights):
    x = rng.random((300, 3))
    counted = {None: None, "whole": rng.integers(0, 4, 300).astype(float), "real": rng.random(300)}[weights]
    with opened(x, weights=counted, threads=1) as points:
        begin = [starts(points, 5, "k-means++", Stream(r), weights=points.totals.weights) for r in range(6)]
        found = outcomes(points, begin)
    with opened(x, weights=counted, threads=7) as points:
        assert outcomes(Plain(points), begin) == found


@pytest.mark.usefixtures("order")
@settings(max_examples=60, deadline=None)
@given(problems(ALL_DTYPES), st.integers(0, 2**32 - 1), st.sampled_from([1.0, 0.3, 1e6]))
def test_weighted_points_are_those_of_the_screened_engine(problem, seed, unit):
    x, start = problem
    weights = np.random.default_rng(seed).integers(0, 4, len(x)) * unit
    weights[0] = unit
    put = weigh(weights)
    counts = np.ones(len(x), np.int64) if put.counts is None else put.counts
    other = WeightedPoints(choose(x, threads=1, screen="plain"), x, put._replace(counts=counts), threads=1)
    wanted = outcomes(other, [start, start[:1]], max_iter=8)
    points = compact.CompactPoints(x, threads=2, weights=put)
    assert outcomes(points, [start, start[:1]], max_iter=8) == wanted


@settings(max_examples=120, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([1e-3, 1.0, 1e6, 1e-150]), st.sampled_from([0.0, 1.0, 1e9]))
def test_scores_and_distances_are_off_by_no_more_than_is_said(seed, scale, offset):
    rng = np.random.default_rng(seed)
    d = int(rng.integers(1, 70))
    x = scale * (rng.normal(size=d) * 10.0 ** rng.integers(-8, 8, d) + offset)
    c = x * (1 + 1e-9 * rng.normal(size=d)) if seed % 3 == 0 else scale * (rng.normal(size=d) + offset)
    exact_x, exact_c = ([Fraction(float(value)) for value in of] for of in (x, c))
    large = sum(value**2 for value in exact_x) + sum(value**2 for value in exact_c)
    lost = Fraction(score_floor(d)) / 4
    one = Fraction(gamma(d + 3, UNIT64))
    score = sum(value**2 for value in exact_c) / 2 - sum(a * b for a, b in zip(exact_x, exact_c, strict=True))
    for order in (np.arange(d), np.arange(d)[::-1], rng.permutation(d)):
        product, square = 0.0, 0.0
        for t in order.tolist():
            product, square = product + x[t] * c[t], square + c[t] * c[t]
        assert abs(Fraction(square / 2 - product) - score) <= one * large + lost
    distance = sum((a - b) ** 2 for a, b in zip(exact_x, exact_c, strict=True))
    measured = Fraction(float(naive.squared_distances(x[np.newaxis], c[np.newaxis])[0, 0]))
    assert abs(measured - distance) <= one * distance + lost
    # Half the difference of two such distances, and two such scores, are off by less than the margin.
    assert 4 * one < Fraction(score_stretch(d)) * (1 - one)


@pytest.mark.parametrize("seed", range(4))
def test_gaps_are_never_too_large(monkeypatch, seed):
    """A gap, after steps, is at most what it stands for, in exact arithmetic."""
    monkeypatch.setattr(policy, "LIMITS", policy.LIMITS._replace(gap_products=0, gap_centroids=1))
    rng = np.random.default_rng(seed)
    scale, offset = [1.0, 1e-150, 1e120][seed % 3], [0.0, 1e3, 1e8][seed // 3]
    n, d, k = 40, int(rng.integers(16, 40)), 4
    x = scale * (rng.normal(size=(n, d)) * 10.0 ** rng.integers(-3, 3, (n, 1)) + offset)
    points, centroids = choose(x, screen="compact", threads=1), x[:k].copy()
    for _ in range(6):
        points.assign([Run(0, centroids)])
        held, labels = points._held[0], points.labels(0)
        held.gaps.state[:] = 0  # they do not rest
        roots = np.array([[root(_exact(x[i], centroids[j])) for j in range(k)] for i in range(n)], object)
        for tile, row in enumerate(held.gaps.gaps):
            for j in range(k):
                inside = [i for i in range(16 * tile, min(16 * tile + 16, n)) if labels[i] != j]
                if inside and np.isfinite(row[j]):
                    least = min(roots[i][j] - roots[i][labels[i]] for i in inside)
                    assert Fraction(float(row[j])) <= least * Fraction(held.gaps.root) + Fraction(1, 2**200)
        centroids = centroids + scale * 10.0 ** rng.integers(-6, 1, (k, 1)) * rng.normal(size=(k, d))
    points.close()


def _exact(a, b):
    return sum((Fraction(float(u)) - Fraction(float(v))) ** 2 for u, v in zip(a, b, strict=True))


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint8])
@pytest.mark.parametrize("apart", [0.0, 1e-15, 1e-12, 1e-7])
def test_what_scores_cannot_tell_is_measured(rng, dtype, apart):
    x = (100 * rng.random((700, 30)) + 1e3 * (np.dtype(dtype).kind == "f")).astype(dtype)
    centroids = np.repeat(x[:3].astype(np.float64), 4, axis=0)
    centroids *= 1 + apart * rng.normal(size=centroids.shape)
    points = choose(x, screen="compact")
    points.assign([Run(0, centroids)])
    assert points.labels(0).tolist() == naive.labels(x, centroids).tolist()
    points.close()


def test_scores_that_underflow_are_measured(rng):
    """Products and squares are near 2^-1074, where rounding takes as much as they are."""
    x = 2.0**-537 * rng.random((700, 30))
    centroids = x[:12] * (1 + rng.random((12, 30)))
    points = choose(x, screen="compact")
    points.assign([Run(0, centroids)])
    assert points.labels(0).tolist() == naive.labels(x, centroids).tolist()
    points.close()
