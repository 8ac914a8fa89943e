"""k-means||: the rows that the naive way draws, with weights, by bounds or without, wherever the points are."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

import naive
from steinhaus.engines import choose, weighted
from steinhaus.engines.dense.points import MemoryPoints
from steinhaus.engines.exact.closest import Closest, by_distances
from steinhaus.engines.exact.float_sums import exact_sum
from steinhaus.engines.exact.weighing import weigh
from steinhaus.engines.stream.points import BlockPoints
from steinhaus.seeding import Stream, starts
from test_blocks import Stored, enough
from test_seeding_dense import DTYPES, KINDS, Slow, points_of, weights_of


@pytest.fixture
def always(monkeypatch):
    """Even a few rows are compared by the bounds."""
    from steinhaus.engines.dense import framed

    monkeypatch.setattr(framed, "THRESHOLDS", framed.THRESHOLDS._replace(rows_added=1))


def on_disk(x, weights=None, **how):
    source = Stored(x, [len(x) // 3, len(x) // 2])
    return BlockPoints(source, weights=None if weights is None else weigh(weights.astype(float)), threads=1, **how)


EVERY = [(dtype, kind) for dtype in DTYPES for kind in KINDS]
QUICK = [(np.uint8, "clusters"), (np.int16, "few rows"), (np.float32, "blobs"), (np.float32, "near ties")]


@pytest.mark.parametrize(
    ("dtype", "kind"),
    [*QUICK, *(pytest.param(*each, marks=pytest.mark.slow) for each in EVERY if each not in QUICK)],
)
@pytest.mark.usefixtures("always")
def test_the_nearest_rows_are_those_of_all_distances(dtype, kind):
    """Rows of the points and others between them, some of them twice; added some at a time."""
    for seed in range(2):
        rng = np.random.default_rng([seed, KINDS.index(kind), 11])
        n, d = int(rng.choice([1, 33, 250, 600])), int(rng.choice([1, 17, 64, 130]))
        x = points_of(rng, dtype, kind, n, d)
        rows = x[rng.integers(0, n, 40)].astype(np.float64)
        rows[::7] = rows[::7] / 2 + rows[1::7][: len(rows[::7])].mean(0) / 2
        points = MemoryPoints(x, threads=(1, 7)[seed], screen=("auto", "drift")[seed])
        fast = Closest(n, None)
        for many in (1, 3, 4, 40):
            points.bring(rows[:many], fast)
            distances = naive.squared_distances(x, rows[:many])
            np.testing.assert_array_equal(fast.labels, distances.argmin(1))
            np.testing.assert_array_equal(fast.distances, distances.min(1))
            assert fast.many == many
        points.close()


def scalable(x, k, stream, weights):
    """The naive way: all distances in every round, sums as rationals; k rows are thinned out the slow way."""
    n = len(x)
    times = np.ones(n, np.int64) if weights is None else weights
    chosen = starts(choose(np.arange(n, dtype=np.float64)[:, np.newaxis]), 1, "random", stream, weights=weights)
    chosen = chosen[0].astype(int).tolist()
    for _ in range(5):
        costs = naive.squared_distances(x, x[chosen]).min(1) * times
        potential = sum(map(Fraction, costs.tolist()))
        if not potential:
            break
        factor = float(2 * k / potential)
        seed, numbers = int(stream.raw(1)[0]), np.arange(n, dtype=np.uint64)
        with np.errstate(over="ignore"):
            z = numbers * np.uint64(0x9E3779B97F4A7C15) + np.uint64(seed)
            z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        even = ((z ^ (z >> np.uint64(31))) >> np.uint64(11)).astype(np.float64) * 2.0**-53
        chosen += np.flatnonzero(even < factor * costs).tolist()
    nearest = naive.squared_distances(x, x[chosen]).argmin(1)
    sizes = np.array([times[nearest == j].sum() for j in range(len(chosen))])
    few = x[chosen]
    from steinhaus.seeding import plus_plus

    return few[plus_plus(Slow(choose(few)), k, stream, sizes)].astype(np.float64)


@pytest.mark.parametrize(
    ("dtype", "heavy"), [(np.float32, True), *(pytest.param(dtype, False, marks=pytest.mark.slow) for dtype in DTYPES)]
)
def test_rows_are_those_of_the_naive_way_wherever_the_points_are(dtype, heavy, rng):
    x = points_of(rng, dtype, "clusters", 300, 70)
    weights = rng.integers(0, 5, 300).astype(np.int64) if heavy else None
    wanted = scalable(x, 9, Stream(4), weights)
    for points in (choose(x), MemoryPoints(x, threads=2), on_disk(x, weights), on_disk(x, weights, memory=enough(x))):
        np.testing.assert_array_equal(starts(points, 9, "k-means||", Stream(4), weights=weights), wanted)
        points.close()


@pytest.mark.slow
@pytest.mark.usefixtures("always")
def test_bounds_threads_and_places_change_no_row(rng):
    for kind in ("blobs", "outlier"):
        x = points_of(rng, np.float32, kind, 300, 90)
        weights = weights_of(rng, 300)
        every = [MemoryPoints(x, threads=threads) for threads in (1, 2, 7)]
        every += [MemoryPoints(x, screen="none"), on_disk(x, weights), on_disk(x, weights, memory=enough(x))]
        found = [starts(points, 8, "k-means||", Stream(1), weights=weights) for points in every]
        assert all(np.array_equal(found[0], other) for other in found)
        for points in every:
            points.close()


def test_points_without_weight_are_never_drawn_and_fewer_with_weight_than_rows_are_filled_up(rng):
    x, weights = rng.random((60, 5)), np.zeros(60)
    weights[:20] = rng.integers(1, 4, 20)
    for points in (weighted(x, weights), on_disk(x, weights)):
        found = starts(points, 6, "k-means||", Stream(0), weights=points.totals.draws)
        assert all((x[:20] == row).all(axis=1).any() for row in found)
        every = starts(points, 30, "k-means||", Stream(0), weights=points.totals.draws)
        assert len(np.unique(every, axis=0)) == 30
        points.close()


def test_exact_sums_have_no_order(rng):
    values = np.ldexp(rng.random(3000), rng.integers(-1000, 900, 3000))
    values[:3] = 0.0, 5e-324, 1e300
    assert exact_sum(values) == sum(map(Fraction, values.tolist()))
    assert exact_sum(np.zeros(4)) == exact_sum(np.empty(0)) == 0


def test_rows_are_read_once_a_round(rng):
    x = rng.random((3000, 20))
    source = Stored(x, range(0, 3000, 500))
    points = BlockPoints(source, threads=1)
    before = points.reading.passes
    starts(points, 40, "k-means||", Stream(0))
    assert points.reading.passes - before == 6
    points.close()


def test_distances_measured_some_rows_at_a_time_are_all_of_them(rng, monkeypatch):
    monkeypatch.setattr("steinhaus.engines.exact.closest._VALUES", 100)
    x = rng.integers(0, 3, (30, 4)).astype(np.float64)
    closest, points = Closest(30, None), choose(x)
    by_distances(lambda rows, _: naive.squared_distances(x, rows).T, x[:20], closest)
    assert closest.labels.tolist() == naive.labels(x, x[:20]).tolist()
    assert closest.sizes().tolist() == np.bincount(closest.labels, minlength=20).tolist()
    points.close()
