"""Few points with many features, read without a copy: bit for bit the engine that settles every pair."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import naive
from comparing import outcomes, scaled
from problems import ALL_DTYPES, problems
from steinhaus.engines import choose, opened
from steinhaus.engines.exact.weighing import weigh
from steinhaus.engines.exact.weighted import WeightedPoints
from steinhaus.engines.wide import kernels
from steinhaus.engines.wide.policy import LIMITS, serves
from steinhaus.errors import DataError
from steinhaus.lloyd import lloyd
from steinhaus.points import Run
from steinhaus.seeding import Stream, scalable, starts

SCALES = [1.0, 1e-25, 1e25, 1e-160, 1e120]


@settings(max_examples=150, deadline=None)
@given(problems(ALL_DTYPES), st.sampled_from(SCALES), st.sampled_from([1, 2, 7]), st.sampled_from([0.0, 1e-3]))
def test_both_engines_agree(problem, scale, threads, tol):
    x, start = problem
    x = scaled(x, scale)
    begin = [start, start[:1], x[: len(start)].astype(np.float64)]
    wanted = outcomes(choose(x, threads=1, screen="none"), begin, max_iter=8, tol=tol)
    assert outcomes(choose(x, threads=threads, screen="wide"), begin, max_iter=8, tol=tol) == wanted


@settings(max_examples=40, deadline=None)
@given(problems(ALL_DTYPES))
def test_the_oracle_agrees(problem):
    x, start = problem
    points = choose(x, threads=2, screen="wide")
    for fit in lloyd(points, [Run(0, start)], max_iter=5):
        found = points.labels(0).tolist(), fit.centroids.tobytes(), [*fit.history], fit.inertia, fit.stop.name
    labels, centroids, *rest = naive.lloyd(x, start, max_iter=5)
    squares = float(points.totals.squares[0])
    points.close()
    assert naive.same(found, (labels.tolist(), centroids.tobytes(), *rest), squares)


@pytest.mark.parametrize("dtype", ALL_DTYPES)
@pytest.mark.parametrize(("n", "d", "k"), [(300, 900, 7), (40, 5003, 4)])
def test_strips_and_threads_change_nothing(rng, dtype, n, d, k):
    x = (100 * rng.random((k, d))[rng.integers(k, size=n)] + 20 * rng.random((n, d))).astype(dtype)
    points, others = choose(x, k=k, threads=7), choose(x, screen="plain", threads=1)
    assert "Wide" in points.explain(k)
    begin = [starts(each, k, "k-means++", Stream(3)) for each in (points, others)]
    assert begin[0].tobytes() == begin[1].tobytes()
    assert scalable(points, k, Stream(1)).tobytes() == scalable(others, k, Stream(1)).tobytes()
    for name in ("sums", "squares"):
        assert getattr(points.totals, name).tolist() == getattr(others.totals, name).tolist()
    assert points.grid.offset.tobytes() == others.grid.offset.tobytes()
    assert outcomes(points, begin) == outcomes(others, begin)


def test_more_points_than_can_be_added_up_at_once(rng):
    x = rng.normal(size=(kernels.ROWS + 500, 17))
    found, wanted = choose(x, screen="wide").totals, choose(x, screen="none").totals
    assert found.sums.tolist() == wanted.sums.tolist()
    assert found.squares.tolist() == wanted.squares.tolist()


@pytest.mark.parametrize("weights", ["whole", "real"])
def test_weights_and_restarts(rng, weights):
    x = rng.random((60, 700))
    counted = {"whole": rng.integers(0, 4, 60).astype(float), "real": rng.random(60)}[weights]
    with opened(x, weights=counted, k=4) as points:
        assert "Wide" in points.explain(4, 3)
        begin = [starts(points, 4, "k-means++", Stream(r), weights=points.totals.weights) for r in range(3)]
        found = outcomes(points, begin)
    others = WeightedPoints(choose(x, screen="none"), x, weigh(counted))
    assert outcomes(others, begin) == found


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize(("row", "column"), [(0, 0), (33, 597), (49, 599)])
def test_what_is_not_finite_is_found(rng, dtype, bad, row, column):
    x = rng.normal(size=(50, 600)).astype(dtype)
    x[row, column] = bad
    with pytest.raises(DataError, match=f"row {row}, column {column} holds"):
        choose(x, screen="wide")


def test_what_is_too_large_to_be_squared_is_refused():
    with pytest.raises(DataError, match="below 2\\^480"):
        choose(np.array([[1e200] * 600, [0.0] * 600]), screen="wide")


def test_the_choice():
    n = LIMITS.points
    assert serves(n, LIMITS.features, 3)
    assert not serves(n + 1, LIMITS.features, 3)
    assert not serves(n, LIMITS.features - 1, 3)
    assert not serves(n, LIMITS.features, 100)
    assert serves(50, 20_000)
    assert "Compact" in choose(np.zeros((300, 400))).explain(3)
    assert "First pass" in choose(np.zeros((2000, 600)), k=100).explain(100)


def test_labels_of_a_run_that_is_not_known():
    points = choose(np.zeros((5, 600)), screen="wide")
    with pytest.raises(KeyError, match="No labels"):
        points.labels("other")
    points.close()
