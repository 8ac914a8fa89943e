"""Batches of points on one grid: labels, sums and inertia as the oracle has them, screened or not."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import naive
from problems import problems
from steinhaus.engines.dense import batches
from steinhaus.engines.dense.batches import Batches


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
        added = Batches(x, threads=threads).add(rows, centroids)
    means, counts, inertia = plain(x, rows, centroids)
    assert added.means.tobytes() == means.tobytes()
    assert added.weights.tolist() == counts.tolist()
    assert added.inertia == inertia


def test_points_that_are_not_finite_are_found_at_once():
    x = np.ones((40, 3))
    x[31, 2] = np.inf
    with pytest.raises(ValueError, match="row 31, column 2 holds inf"):
        Batches(x)
