"""Sums of the members of clusters, and their distances: the naive way's bits, on any number of threads."""

from __future__ import annotations

import numpy as np
import pytest

import naive
from steinhaus import engines


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
def test_sums_and_distances_are_the_naive_ones_on_any_threads(dtype: type) -> None:
    rng = np.random.default_rng(0)
    n, d, k = 700, 201, 5
    x = np.ascontiguousarray(rng.integers(0, 256, (n, d)) / (1 if dtype is np.uint8 else 7), dtype)
    labels, weights = rng.integers(0, k - 1, n).astype(np.int32), rng.random(n)  # the last cluster is empty
    centroids = rng.random((k, d)) * 100
    sums = np.ones((k, d))
    for row, label, weight in zip(x, labels, weights, strict=True):
        sums[label] += weight * row.astype(np.float64)
    squares = naive.squared_distances(x, centroids)[np.arange(n), labels]
    for threads in (1, 2, 7):
        found = np.ones((k, d))
        engines.add_members(found, x, labels, weights, threads=threads)
        assert np.array_equal(found, sums)
        assert np.array_equal(engines.distances_to_own(x, labels, centroids, threads=threads), np.sqrt(squares))
