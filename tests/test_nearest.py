"""Labels alone, in one pass, against the oracle."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import naive
from problems import ALL_DTYPES, problems
from steinhaus import engines
from steinhaus.engines.compact import predict as compact
from steinhaus.engines.dense import predict as dense
from steinhaus.engines.wide import distances as wide
from steinhaus.errors import DataError

BOTH = pytest.mark.parametrize(
    "nearest", [compact.nearest, dense.nearest, wide.nearest], ids=["compact", "dense", "wide"]
)


@BOTH
@settings(max_examples=150, deadline=None)
@given(problems(), st.sampled_from([None, 1, 2]), st.sampled_from([1.0, 1e-25, 1e25, 1e-160, 1e120]), st.booleans())
def test_the_oracle_agrees(nearest, problem, threads, scale, close):
    x, centroids = problem
    kind = x.dtype if x.dtype.kind == "f" else np.float64
    if float(np.abs(x.astype(np.float64)).max()) * scale < min(float(np.finfo(kind).max) / 2, 2.0**480):
        x, centroids = (x.astype(np.float64) * scale).astype(kind), centroids * scale
    x = x.astype(kind)
    if close:  # centroids next to each other, which only float64 tells apart
        centroids = np.concatenate([centroids, centroids * (1 + 1e-12), centroids])
    assert nearest(x, centroids, threads=threads).tolist() == naive.labels(x, centroids).tolist()


@BOTH
def test_ties_go_to_the_lowest(nearest):
    x = np.array([[0.0], [1.0], [2.0]])
    assert nearest(x, np.array([[2.0], [0.0], [2.0]])).tolist() == [1, 0, 0]


@BOTH
@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.float32, np.float64])
@pytest.mark.parametrize(("n", "d", "k"), [(1500, 784, 13), (3000, 300, 7), (40, 2100, 5), (33, 3, 31)])
def test_several_tasks_and_chunks(nearest, rng, dtype, n, d, k):
    x = (100 * rng.random((n, d))).astype(dtype)
    centroids = rng.normal(x[:k].astype(np.float64), 1.0)
    labels = naive.labels(x, centroids).tolist()
    assert [nearest(x, centroids, threads=threads).tolist() for threads in (1, 2, 7)] == [labels] * 3


@BOTH
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("place", [(0, 0), (70, 36), (99, 39)])
def test_what_is_not_finite_is_found(nearest, rng, dtype, bad, place):
    x = rng.normal(size=(100, 40)).astype(dtype)
    x[place] = bad
    with pytest.raises(DataError, match=f"row {place[0]} holds"):
        nearest(x, x[40:44].astype(np.float64))
    x[place] = np.finfo(dtype).max / 4  # finite, and yet it overflows float32
    labels = naive.squared_distances(x, x[40:44]).argmin(1) if dtype == np.float32 else None
    found = nearest(x, x[40:44].astype(np.float64))
    assert labels is None or found.tolist() == labels.tolist()


@settings(max_examples=100, deadline=None)
@given(problems(ALL_DTYPES), st.sampled_from([1, 2]))
def test_distances_are_roots_of_those_that_decide(problem, threads):
    x, centroids = problem
    found = engines.distances(x, centroids, threads=threads)
    assert found.tolist() == np.sqrt(naive.squared_distances(x, centroids)).tolist()
    assert engines.nearest(x, centroids, threads=threads).tolist() == naive.labels(x, centroids).tolist()
