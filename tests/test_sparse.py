"""Points in compressed sparse rows against the oracle on the dense rows: same bits, with weights, for any threads."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

import naive
from problems import problems
from steinhaus.engines import opened
from steinhaus.errors import DataError
from steinhaus.lloyd import lloyd
from steinhaus.points import Run


def run(x, start, *, weights=None, threads=1, max_iter=20, tol=0.0, company=()):
    """One run's outcome, everything that must be the same: labels, centroids, history, inertia, stop."""
    starts = [Run("it", start), *(Run(i, other) for i, other in enumerate(company))]
    with opened(x, weights=weights, threads=threads) as points:
        for fit in lloyd(points, starts, max_iter=max_iter, tol=tol):
            if fit.key == "it":
                outcome = points.labels("it").tolist(), fit.centroids.tobytes(), fit.history, fit.inertia, fit.stop.name
    return outcome


def expected(x, start, **options):
    labels, centroids, history, inertia, stop = naive.lloyd(x, start, placed=naive.sparse_grid(x), **options)
    return labels.tolist(), centroids.tobytes(), tuple(history), inertia, stop


@settings(max_examples=60, deadline=None)
@given(problems(), st.sampled_from([1, 2, 7]), st.sampled_from([0.0, 1e-2]), st.booleans(), st.integers(0, 2**32 - 1))
def test_the_oracle_agrees_bit_for_bit(problem, threads, tol, weighted, seed):
    x, start = problem
    weights = np.random.default_rng(seed).integers(0, 4, len(x)).astype(float) if weighted else None
    if weighted:
        weights[0] = 2.0
    options = {"weights": weights, "max_iter": 6, "tol": tol}
    found = run(sp.csr_array(x), start, threads=threads, **options)
    assert naive.same(found, expected(x, start, **options), 3 * np.square(x.astype(float)).sum())


def test_threads_and_company_change_nothing(rng):
    x = rng.normal(size=(3000, 300)) * (rng.random((3000, 300)) < 0.05)
    weights = rng.random(3000)
    start, other = x[:9], x[100:103]
    alone = run(sp.csr_array(x), start, weights=weights)
    assert run(sp.csr_array(x), start, weights=weights, threads=2) == alone
    assert run(sp.csr_array(x), start, weights=weights, threads=7, company=[other, start[::-1].copy()]) == alone


def test_pixels_have_the_same_bits_dense_and_sparse(rng):
    x = (rng.integers(0, 256, (500, 60)) * (rng.random((500, 60)) < 0.2)).astype(np.uint8)
    weights = rng.integers(1, 5, 500).astype(float)
    start = x[:6].astype(float)
    assert run(sp.csr_array(x), start, weights=weights) == run(x, start, weights=weights)


def test_entries_in_any_order_and_twice(rng):
    x = sp.random(60, 20, 0.3, format="csr", random_state=1)
    start = x[:4].toarray()
    expected = run(x, start)
    halves = sp.csr_matrix((np.repeat(x.data / 2, 2), np.repeat(x.indices, 2)[:], 2 * x.indptr), x.shape)
    backwards = sp.csr_matrix((60, 20))
    backwards.data = np.concatenate([x[i].data[::-1] for i in range(60)])
    backwards.indices = np.concatenate([x[i].indices[::-1] for i in range(60)])
    backwards.indptr = x.indptr
    before = halves.data.copy()
    assert run(halves, start) == run(backwards, start) == expected
    assert np.array_equal(halves.data, before)


def test_rows_and_distances(rng):
    x = rng.integers(0, 9, (50, 33)) * (rng.random((50, 33)) < 0.3)
    with opened(sp.csr_array(x)) as points:
        chosen = np.array([3, 49, 3])
        assert points.rows(chosen).tolist() == x[chosen].astype(float).tolist()
        assert points.squared_distances(chosen).tolist() == naive.squared_distances(x, x[chosen]).T.tolist()
        real = points.distances_to(np.full((1, 33), 0.3))
        assert np.allclose(real, naive.squared_distances(x, np.full((1, 33), 0.3)).T, rtol=1e-14)
        with pytest.raises(KeyError, match="never assigned"):
            points.labels("nobody")


@pytest.mark.parametrize(("bad", "message"), [(np.nan, "row 7"), (np.inf, "row 7"), (1e200, "2\\^480")])
def test_points_out_of_range_are_refused(bad, message):
    x = sp.random(20, 5, 0.9, format="lil", random_state=0)
    x[7, 3] = bad
    with pytest.raises(DataError, match=message), opened(sp.csr_array(x)):
        pass
