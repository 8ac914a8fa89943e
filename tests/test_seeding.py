"""Random streams never change, and starts depend only on their stream."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
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


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([np.uint8, np.int16, np.float32, np.float64]), st.booleans())
def test_distances_that_are_not_below_alone_may_be_left_out(seed, dtype, extreme):
    rng = np.random.default_rng(seed)
    n, d = int(rng.integers(3, 90)), int(rng.choice([1, 3, 64, 70, 130]))
    x = rng.integers(0, 256, (n, d)).astype(dtype)
    if np.dtype(dtype).kind == "f":
        x = (x * (10.0 ** rng.integers(-30, 15) if extreme else 1.0) + (1e6 if extreme else 0.0)).astype(dtype)
    elif dtype is np.int16:
        x -= 128
    x[n // 2] = x[0]
    indices = rng.integers(0, n, 3)
    points = choose(x, threads=1, screen="plain")
    exact = points.squared_distances(indices)
    for below in (points.squared_distances(np.array([0]))[0], exact[0], np.nextafter(exact[1], np.inf), np.zeros(n)):
        np.testing.assert_array_equal(
            np.minimum(points.squared_distances(indices, below), below), np.minimum(exact, below)
        )
    points.close()


def test_few_distances_are_measured_where_most_cannot_be_below(rng):
    x = np.concatenate([rng.integers(0, 100, (200, 64)), rng.integers(150, 256, (200, 64))]).astype(np.uint8)
    points = choose(x, threads=1, screen="plain")
    below = points.squared_distances(np.array([0]))[0]
    measured = np.isfinite(points.squared_distances(np.array([399]), below)[0])
    points.close()
    assert not measured[:200].any()
    assert measured[200:].all()
