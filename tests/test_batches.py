"""Batches of points on one grid: labels, sums and inertia are those of the oracle, screened or not."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import naive
from problems import ALL_DTYPES, problems
from steinhaus.centroids import inertia, means
from steinhaus.engines import choose
from steinhaus.engines.dense import batches
from steinhaus.engines.dense.batches import Batches
from steinhaus.engines.exact import scoring
from steinhaus.errors import DataError
from steinhaus.estimators.clusterer import labels_and_inertia
from steinhaus.points import Run


def plain(x, rows, centroids):
    """Means, counts and inertia of a batch: sums of rational numbers, rounded once."""
    offset, step = naive.grid(x)
    distances = naive.squared_distances(x[rows], centroids)
    labels, q = distances.argmin(1), naive.integers(x[rows], (offset, step))
    means, counts = np.array(centroids), np.bincount(labels, minlength=len(centroids))
    for j in np.flatnonzero(counts):
        sums = q[labels == j].sum(0)
        means[j] = [o + s * float(Fraction(int(t), int(counts[j]))) for o, s, t in zip(offset, step, sums, strict=True)]
    total = 0.0
    for cost in distances.min(1).tolist():
        total += cost
    return means, counts, total


@pytest.mark.parametrize("screened", [False, True])
@settings(deadline=None, max_examples=60)
@given(problem=problems(), seed=st.integers(0, 2**32 - 1), m=st.integers(1, 60), threads=st.sampled_from([1, 3]))
def test_a_batch_is_what_the_oracle_makes_of_it(screened, problem, seed, m, threads):
    x, centroids = problem
    rows = np.random.default_rng(seed).integers(0, len(x), m)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batches, "_SCREENED", 0 if screened else 2**62)
        patch.setattr(batches, "_SHARE", 1)
        every = Batches(x, threads=threads)
        tally, cost = every.add(rows, centroids)
    wanted, counts, inertia = plain(x, rows, centroids)
    assert means(every.grid, tally, centroids).tobytes() == wanted.tobytes()
    assert tally.counts.tolist() == counts.tolist()
    assert cost == inertia


@settings(deadline=None, max_examples=18)
@given(problem=problems(ALL_DTYPES), threads=st.sampled_from([1, 3]))
def test_labels_and_their_inertia_are_those_of_an_engine(problem, threads):
    x, centroids = problem
    labels, cost = labels_and_inertia(x, centroids, threads)
    points = choose(x, threads=1)
    (tally,) = points.assign([Run(0, centroids)])
    assert labels.tolist() == points.labels(0).tolist()
    assert cost == inertia(points.grid, points.totals, tally, centroids)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
def test_inertia_of_many_points_is_that_of_an_engine(dtype, rng):
    x = (255 * rng.random((40_000, 11))).astype(dtype)
    points = choose(x)
    (tally,) = points.assign([Run(0, x[:7].astype(np.float64))])
    wanted = inertia(points.grid, points.totals, tally, x[:7].astype(np.float64))
    for threads in (1, 2, 7):
        assert labels_and_inertia(x, x[:7].astype(np.float64), threads)[1] == wanted


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("n", "d", "k"), [(1, 3, 2), (100, 40, 20), (1003, 300, 3)])
def test_labels_and_ranges_that_are_found_together_give_the_inertia_of_an_engine(dtype, n, d, k, rng):
    x = (rng.normal(size=(n, d)) * 10.0 ** rng.integers(-3, 4, d)).astype(dtype)
    centroids = rng.normal(size=(k, d))
    points = choose(x, threads=1)
    (tally,) = points.assign([Run(0, centroids)])
    wanted = inertia(points.grid, points.totals, tally, centroids)
    for threads in (1, 2):
        labels, cost = labels_and_inertia(x, centroids, threads)
        assert (labels.tolist(), cost) == (points.labels(0).tolist(), wanted)
    x[n // 2, d - 1] = np.nan
    with pytest.raises(DataError, match=f"row {n // 2}, column {d - 1} holds nan"):
        labels_and_inertia(x, centroids, 1)


def test_squares_of_the_largest_integers_of_a_grid_are_exact(rng):
    x = (2.0 - 2.0**-52) * rng.choice([-1.0, 1.0], (100, 19))
    labels = rng.integers(0, 3, 100).astype(np.int32)
    told = scoring.labelled(x, labels, 3)
    q = np.rint((x - told.grid.offset) / told.grid.step).astype(np.int64)
    assert np.abs(q).max() == 2**48
    exact = sum(int(one) ** 2 for one in q.ravel()) * Fraction(told.grid.step[0]) ** 2
    assert Fraction(told.totals.squares[0]) + Fraction(told.totals.squares[1]) == exact
    for j in range(3):
        high, low = told.tally.sums[:, j].astype(object)
        assert (high * 2**32 + low).tolist() == q[labels == j].sum(axis=0).tolist()


def test_points_that_are_not_finite_are_found_at_once():
    x = np.ones((40, 3))
    x[31, 2] = np.inf
    with pytest.raises(ValueError, match="row 31, column 2 holds inf"):
        Batches(x)
