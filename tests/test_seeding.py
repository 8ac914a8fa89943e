"""Streams that never change, and starts that depend on nothing but their stream."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from steinhaus.engines import choose
from steinhaus.seeding import Stream, starts


def test_a_stream_is_the_same_for_ever():
    # Written down once: if these change, so do all studies that anybody has run.
    assert Stream(0, 10, 3).raw(2).tolist() == [
        int(v) for v in np.random.PCG64(np.random.SeedSequence((0, 10, 3))).random_raw(2)
    ]
    assert Stream(0, 10, 3).distinct(3, 100).tolist() == [66, 47, 74]


@given(st.integers(0, 2**64), st.integers(1, 300), st.data())
def test_distinct_rows_are_distinct_and_within(seed, n, data):
    m = data.draw(st.integers(0, n))
    drawn = Stream(seed).distinct(m, n).tolist()
    assert len(set(drawn)) == m
    assert all(0 <= i < n for i in drawn)


def test_draws_are_even():
    counts = np.bincount(Stream(1).integers(60_000, 6), minlength=6)
    assert abs(counts - 10_000).max() < 400
    assert 0.49 < np.mean([Stream(s).uniform() for s in range(2000)]) < 0.51
    places = np.array([Stream(s).permutation(4) for s in range(4000)])
    assert abs(np.array([np.bincount(column, minlength=4) for column in places.T]) - 1000).max() < 130


@pytest.mark.parametrize("init", ["random", "k-means++"])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_starts_are_rows_and_the_same_for_any_number_of_threads(init, dtype, rng):
    x = rng.integers(0, 255, (500, 30)).astype(dtype)
    found = [starts(choose(x, threads=threads), 12, init, Stream(0, 12, 1)).tolist() for threads in (1, 2, 7)]
    assert found[0] == found[1] == found[2]
    rows = {tuple(row) for row in x.astype(float).tolist()}
    assert all(tuple(row) in rows for row in found[0])
    assert found[0] != starts(choose(x), 12, init, Stream(0, 12, 2)).tolist()


def test_plus_plus_finds_clusters_that_lie_apart(rng):
    x = np.concatenate([rng.normal(100 * j, 1, (50, 3)) for j in range(6)])
    chosen = starts(choose(x), 6, "k-means++", Stream(0))
    assert sorted(np.rint(chosen[:, 0] / 100).tolist()) == [0, 1, 2, 3, 4, 5]


def test_plus_plus_goes_on_where_all_points_are_chosen():
    x = np.array([[1.0], [1.0], [2.0], [2.0]])
    assert sorted(starts(choose(x), 4, "k-means++", Stream(0)).ravel().tolist()) == [1.0, 1.0, 2.0, 2.0]
