"""Labels alone, screened by BLAS, against the oracle."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import naive
from problems import problems
from steinhaus.engines.nearest import nearest


@settings(max_examples=150, deadline=None)
@given(problems(), st.sampled_from([None, 1, 2]), st.sampled_from([1.0, 1e-25, 1e25, 1e-160, 1e120]), st.booleans())
def test_the_oracle_agrees(problem, threads, scale, close):
    x, centroids = problem
    kind = x.dtype if x.dtype.kind == "f" else np.float64
    if float(np.abs(x.astype(np.float64)).max()) * scale < min(float(np.finfo(kind).max) / 2, 2.0**480):
        x, centroids = (x.astype(np.float64) * scale).astype(kind), centroids * scale
    x = x.astype(kind)
    if close:  # centroids next to each other, which only float64 tells apart
        centroids = np.concatenate([centroids, centroids * (1 + 1e-12), centroids])
    assert nearest(x, centroids, threads=threads).tolist() == naive.labels(x, centroids).tolist()


def test_ties_go_to_the_lowest():
    x = np.array([[0.0], [1.0], [2.0]])
    assert nearest(x, np.array([[2.0], [0.0], [2.0]])).tolist() == [1, 0, 0]


def test_several_blocks(rng, monkeypatch):
    monkeypatch.setattr("steinhaus.engines.nearest._SCORES", 1)
    x = rng.normal(size=(1500, 20))
    assert nearest(x, x[:7]).tolist() == naive.labels(x, x[:7]).tolist()
