"""With an array as init, KMeans follows scikit-learn's in float64: labels, iterations, inertia."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.cluster import KMeans as Theirs
from sklearn.exceptions import ConvergenceWarning

from steinhaus import KMeans


@st.composite
def problems(draw):
    """X, weights and starting centroids. Values are from a continuum: no two distances are equal by accident."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n, d = draw(st.integers(8, 150)), draw(st.sampled_from([1, 2, 5, 16, 33, 70]))
    k = draw(st.integers(1, 7))
    kind = draw(st.sampled_from(["noise", "clusters", "duplicates", "sparse"]))
    x = rng.normal(size=(n, d))
    if kind == "clusters":
        x = 3 * rng.normal(size=(k, d))[rng.integers(k, size=n)] + 0.5 * x
    elif kind == "duplicates":
        x = x[rng.integers(max(k + 1, n // 3), size=n)]
    elif kind == "sparse":
        x[rng.random((n, d)) < 0.6] = 0.0
    assume(len(np.unique(x, axis=0)) > 2 * k)  # with fewer distinct rows than clusters, empty ones stay elsewhere
    x = (x * draw(st.sampled_from([1.0, 1e-3, 255.0]))).astype(draw(st.sampled_from([np.float32, np.float64])))
    distinct = np.unique(x, axis=0, return_index=True)[1]  # of two starts near copies of one row, one comes out empty
    start = x[rng.choice(distinct, k, replace=False)].astype(np.float64) + 1e-3 * x.std() * rng.normal(size=(k, d))
    if kind != "duplicates" and draw(st.booleans()):  # of equally far rows, theirs takes any
        start[-1] = 1e3 * np.abs(x).max()  # this cluster comes out empty
    weights = draw(st.sampled_from([None, "whole", "real"]))
    if weights == "whole":
        weights = rng.integers(1, 9, n).astype(np.float64)
    elif weights == "real":
        weights = rng.random(n) + 1e-3
    return x, weights, start


@settings(max_examples=100, deadline=None)
@given(problems(), st.booleans(), st.sampled_from([1e-4, 0.0, 1e-2]), st.sampled_from([1, 2, 7]))
def test_the_trajectory_is_scikit_learns(problem, sparse, tol, threads):
    x, weights, start = problem
    if np.abs(start).max() > 2 * np.abs(x).max() or len(np.unique(x, axis=0)) < len(x):
        # Once a cluster has been refilled, ours may end where no centroid moves; theirs may still move by rounding.
        tol = max(tol, 1e-12)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        theirs = Theirs(len(start), init=start, tol=tol).fit(x.astype(np.float64), sample_weight=weights)
        ours = KMeans(len(start), init=start, tol=tol, n_threads=threads).fit(
            sp.csr_array(x) if sparse else x, sample_weight=weights
        )
    assert ours.labels_.tolist() == theirs.labels_.tolist()
    assert ours.n_iter_ == theirs.n_iter_
    # Centroids of float32 points are rounded to float32 at the end, and the inertia is theirs.
    rel = 1e-9 if x.dtype == np.float64 else 1e-6
    scale = float((x.astype(np.float64) ** 2).sum() * (1.0 if weights is None else weights.max()))
    assert ours.inertia_ == pytest.approx(theirs.inertia_, rel=rel, abs=1e-14 * scale)
    assert ours.inertia_history_[-1] == pytest.approx(theirs.inertia_, rel=1e-9, abs=1e-14 * scale) or tol > 0
    assert np.allclose(ours.cluster_centers_, theirs.cluster_centers_, rtol=1e-6, atol=1e-6 * np.abs(x).max())
