"""Greedy k-means++ on the dense engine: it chooses the rows of the slow way, and uses the same random numbers."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from sklearn.cluster import kmeans_plusplus

from steinhaus.engines import choose
from steinhaus.engines.dense import directions, policy
from steinhaus.engines.dense import seeding_kernels as kernels
from steinhaus.engines.dense.points import MemoryPoints
from steinhaus.engines.dense.seeding import _Seeder as Seeder
from steinhaus.engines.exact.weighing import weigh
from steinhaus.engines.exact.weighted import WeightedPoints
from steinhaus.jit.target import takes_bytes
from steinhaus.points import Seeding
from steinhaus.seeding import Stream, plus_plus

DTYPES = (np.uint8, np.int16, np.float32, np.float64)
SCREENS = ("auto", "drift", "plain")
KINDS = (
    "noise", "clusters", "blobs", "tiny blobs", "near ties", "corners", "few rows", "zeros", "line", "norms", "outlier",
)  # fmt: skip


BOUNDS_ALONE = policy.THRESHOLDS._replace(few_rows=0, few_rows_directed=0, first_rows=0)


class Slow:
    """Points that leave everything to `seeding.plus_plus`, and measure every distance."""

    def __init__(self, points):
        self.n, self._points = points.n, points

    def rows(self, indices):
        """See `Points.rows`."""
        return self._points.rows(indices)

    def squared_distances(self, indices, below=None):
        """See `Points.squared_distances`."""
        return self._points.squared_distances(indices)


def shaped(rng, kind, n, d):
    """Points with values from 0 to 120 or so, (n, d) float64."""
    x = 120 * rng.random((n, d))
    if kind == "clusters":
        x = x[rng.integers(max(1, n // 8), size=n)] + rng.normal(size=(n, d))
    elif kind == "blobs":  # a few directions hold nearly all
        x = 60 + 20 * rng.normal(size=(n, 5)) @ rng.normal(size=(5, d)) / np.sqrt(5) + 0.1 * rng.normal(size=(n, d))
    elif kind == "tiny blobs":
        x = x[rng.integers(min(n, 6), size=n)] + 1e-4 * rng.normal(size=(n, d))
    elif kind == "near ties":  # every two rows are almost or exactly as far apart as others
        x = 100.0 * rng.integers(0, 2, (n, d)) + rng.integers(-1, 2, (n, d)) * (rng.random((n, d)) < 0.05) + 1
    elif kind == "corners":
        x = 100.0 * rng.integers(0, 2, (n, d)) * (1 + 1e-7 * rng.normal(size=(n, d)))
    elif kind == "few rows":
        x = np.rint(x[rng.integers(int(rng.integers(1, min(n, 12) + 1)), size=n)])
    elif kind == "zeros":
        x[rng.random((n, d)) < 0.9] = 0.0
        x[rng.random(n) < 0.3] = 0.0
    elif kind == "line":
        x = np.linspace(0, 120, n)[rng.permutation(n), np.newaxis] * np.ones(d)
    elif kind == "norms":  # some rows are far longer than others
        x = 1 + x / 120 * np.where(rng.random((n, 1)) < 0.5, 100.0, 1.0)
    elif kind == "outlier":
        x[rng.integers(n)] *= 1e3
    return x


def points_of(rng, dtype, kind, n, d):
    """Points of a type, with an offset and a scale that may hurt."""
    x = shaped(rng, kind, n, d)
    if np.dtype(dtype).kind == "f":
        largest = 2.0**110 if dtype is np.float32 else 2.0**470
        x = x * rng.choice([1.0, 1.0, 1e-30, 1e25, largest / 1e6]) if kind == "outlier" else x * _scale(rng, largest)
        x = x + rng.choice([0.0, 0.0, 1e4])
    else:
        most = np.iinfo(dtype).max
        x = np.clip(np.rint(x * (200 if dtype is np.int16 and rng.random() < 0.5 else 1)), -most, most)
        if dtype is np.int16 and rng.random() < 0.5:
            x = x - 60
    x = np.clip(x, 0, 255) if dtype is np.uint8 else x
    return np.ascontiguousarray(x.astype(dtype))


def _scale(rng, largest):
    return rng.choice([1.0, 1.0, 1.0, 1e-30, 1e25, largest / 1e3])


def weights_of(rng, n):
    """How often points count: none, once, or not at all."""
    kind = rng.integers(4)
    if kind < 2:
        return None
    weights = rng.integers(0, 4, n) if kind == 2 else rng.integers(1, 2**30, n)
    weights[rng.integers(n)] = 1
    return weights.astype(np.int64)


def held_to_the_slow_way(x, k, *, threads=1, screen="auto", weights=None, seed=0, trials=None):
    """Check the rows and the stream; returns how many rows the fast way chose. Bytes have two fast ways."""
    if takes_bytes(x.dtype) and screen == "auto" and policy.THRESHOLDS.first_rows:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(policy, "THRESHOLDS", BOUNDS_ALONE)
            held_to_the_slow_way(x, k, threads=threads, weights=weights, seed=seed, trials=trials)
    points = MemoryPoints(x, threads=threads, screen=screen)
    assert isinstance(points, Seeding)
    fast, slow, alone = Stream(seed), Stream(seed), Stream(seed)
    chosen = plus_plus(points, k, fast, weights, trials=trials)
    wanted = plus_plus(Slow(points), k, slow, weights, trials=trials)
    np.testing.assert_array_equal(chosen, wanted)
    assert fast.raw(1) == slow.raw(1)
    by_itself = points.plus_plus(k, alone, weights, trials or 2 + int(np.log(k)))
    points.close()
    np.testing.assert_array_equal(by_itself, wanted[: len(by_itself)])
    return len(by_itself)


@pytest.mark.parametrize("screen", SCREENS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_the_rows_are_those_of_the_slow_way(dtype, kind, screen):
    for seed in range(4):
        rng = np.random.default_rng([seed, KINDS.index(kind), SCREENS.index(screen)])
        n = int(rng.choice([1, 2, 20, 32, 33, 64, 100, 250, 600]))
        d = int(rng.choice([1, 2, 15, 16, 17, 31, 64, 65, 100, 130, 300, 600]))
        k = (
            int(rng.choice([1, 2, n, min(n, 40), int(rng.integers(1, n + 1))]))
            if n <= 100
            else int(rng.integers(1, 60))
        )
        x = points_of(rng, dtype, kind, n, d)
        held_to_the_slow_way(
            x, min(k, n), threads=(1, 2, 7)[seed % 3], screen=screen, weights=weights_of(rng, n), seed=seed
        )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_no_candidate_gains_more_than_its_bound(dtype, kind, monkeypatch):
    """Of all candidates, also those that are not measured: at each look, and after each row."""
    best, looked = Seeder._best, []

    def checked(self, improved, bounds, tried):
        for j in range(len(bounds)):
            self._measure(improved, j)
            looked.append((-int(kernels.gain_of(self._placed, self._handed, improved, j)), bounds[j]))
        return best(self, improved, bounds, tried)

    monkeypatch.setattr(Seeder, "_best", checked)
    monkeypatch.setattr(policy, "THRESHOLDS", BOUNDS_ALONE)
    for seed, screen in enumerate(SCREENS):
        rng = np.random.default_rng([seed, KINDS.index(kind)])
        n, d = int(rng.choice([33, 64, 250])), int(rng.choice([2, 16, 65, 130, 300]))
        points = MemoryPoints(points_of(rng, dtype, kind, n, d), threads=1, screen=screen)
        plus_plus(points, 30, Stream(seed))
        points.close()
    assert looked
    assert all(gain <= bound for gain, bound in looked)


@pytest.mark.parametrize("dtype", DTYPES)
def test_few_candidates_are_measured(dtype, rng, monkeypatch):
    measure, measured, looks = Seeder._measure, [], []
    monkeypatch.setattr(Seeder, "_measure", lambda self, *of: (measured.append(1), measure(self, *of)))
    drawn = Seeder.chosen_among
    monkeypatch.setattr(Seeder, "chosen_among", lambda self, of, *_: (looks.append(of.many), drawn(self, of, *_))[1])
    held_to_the_slow_way(points_of(rng, dtype, "blobs", 3000, 70), 80)
    assert len(measured) < sum(looks) / 2


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_more_rows_are_those_of_the_slow_way(dtype, kind):
    for seed in range(30):
        rng = np.random.default_rng([seed, KINDS.index(kind), 7])
        n, d = int(rng.integers(1, 1500)), int(rng.integers(1, 301))
        x = points_of(rng, dtype, kind, n, d)
        held_to_the_slow_way(
            x, int(rng.integers(1, min(n, 90) + 1)), threads=(1, 2, 7)[seed % 3], screen=SCREENS[seed // 3 % 3],
            weights=weights_of(rng, n), seed=seed, trials=int(rng.choice([1, 2, 5, 20])) if seed % 2 else None,
        )  # fmt: skip


@pytest.mark.parametrize("dtype", DTYPES)
def test_all_rows_are_chosen_by_the_engine_itself(dtype, rng):
    """Of points with shape and of points without any: nothing is left to the slow way."""
    for x in (points_of(rng, dtype, "noise", 500, 200), shaped(rng, "blobs", 500, 200).clip(0, 255).astype(dtype)):
        assert held_to_the_slow_way(x, 40, threads=2) == 40


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_more_candidates_than_a_piece_of_memory_holds(dtype, rng):
    """A tile with all of its candidates takes more than the least room for what is found."""
    assert held_to_the_slow_way(points_of(rng, dtype, "noise", 300, 20), 200, trials=150) == 200


def test_no_more_rows_are_chosen_than_there_are_distinct_ones(rng):
    x = np.repeat(rng.random((9, 40)), 30, axis=0)
    assert held_to_the_slow_way(x, 50) == 9


@pytest.mark.parametrize("scale", [1e-140, 1e-150, 1e-158, 1e-161, 1e-170, 1e-300])
def test_distances_that_underflow_are_no_exception(scale, rng):
    """Below 2^-900 the engine leaves the rest to the slow way; below 1e-162 all distances are 0."""
    for seed in range(10):
        x = rng.random((100, 20)) * scale * 10.0 ** rng.integers(-2, 2, (100, 1))
        held_to_the_slow_way(x, 30, seed=seed)


def test_points_that_are_far_from_the_others_and_close_to_each_other(rng):
    """A large scale, and distances that underflow in the frame, or nearly so."""
    x = np.concatenate([rng.random((60, 20)) * 10.0**-s for s in (0, 70, 140, 155)])
    x[0] = 1e10
    for seed in range(10):
        held_to_the_slow_way(x, 100, seed=seed)


@pytest.mark.skipif(not takes_bytes(np.dtype(np.uint8)), reason="bytes are not multiplied on this processor")
@pytest.mark.parametrize("d", [2**15 + 100, 80_000])
def test_bytes_of_very_many_features(d, rng):
    """More than int32 holds the products of: bright points, far from the mean all in the same way."""
    x = np.where(rng.random((70, 1)) < 0.5, 255, rng.integers(0, 3, (70, d))).astype(np.uint8)
    x[:, :50] = rng.integers(0, 255, (70, 50))
    assert held_to_the_slow_way(x, 12, threads=2) == 12


def test_points_in_tiles_keep_their_norms(rng):
    """A point's bound is made of its own norm, wherever it is placed, also where it is not rounded to bytes."""
    x = shaped(rng, "norms", 300, 40).astype(np.int16)
    points = MemoryPoints(x, threads=1)
    reading = points._reading()
    tiles = directions.arranged(reading, directions.projected(reading, 32, forced=True))
    exact = np.sqrt(np.square(x[tiles.order].astype(np.float64)).sum(axis=1))
    assert (tiles.norms >= exact).all()
    assert (tiles.rounded_norms >= exact).all()
    assert (tiles.rounded_norms <= 1.0001 * exact + 1e-3).all()
    points.close()


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_weighted_points_seed_as_the_engine_below_them(dtype, rng):
    x, weights = points_of(rng, dtype, "blobs", 400, 70), rng.integers(0, 5, 400)
    points = MemoryPoints(x, threads=1)
    weighted = WeightedPoints(points, x, weigh(weights.astype(float)), threads=1)
    fast, slow = Stream(3), Stream(3)
    assert isinstance(weighted, Seeding)
    chosen = weighted.plus_plus(25, fast, weights, 5)
    np.testing.assert_array_equal(chosen, plus_plus(Slow(points), 25, slow, weights))
    assert fast.raw(1) == slow.raw(1)
    assert (weights[chosen] > 0).all()
    weighted.close()


@pytest.mark.parametrize("n", [48, 64, 65])
def test_as_many_directions_as_points(n, rng):
    assert held_to_the_slow_way(rng.random((n, 150)), 30, screen="drift") == 30


@pytest.fixture
def sets():
    """The folder of numeric sets, beside MNIST's."""
    folder = Path(os.environ.get("STEINHAUS_DATA", "")) / "clustering"
    if not os.environ.get("STEINHAUS_DATA") or not folder.is_dir():
        pytest.skip("STEINHAUS_DATA does not name a folder with the folder `clustering`")
    return folder


def potential(x, rows):
    return cdist(x, x[rows], "sqeuclidean").min(axis=1).sum()


@pytest.mark.slow
@pytest.mark.parametrize(("name", "k"), [("s2", 15), ("d31", 31), ("cloud", 50)])
def test_potentials_are_distributed_as_those_of_scikit_learn(name, k, sets):
    """The means of a few hundred starts differ by less than three of their standard errors."""
    x, many = np.ascontiguousarray(np.load(sets / f"{name}.npz")["x"]), 400
    points = choose(x, threads=1)
    ours = np.array([potential(x, plus_plus(points, k, Stream(seed, k, 0))) for seed in range(many)])
    dense = MemoryPoints(x, threads=1)
    assert [potential(x, plus_plus(dense, k, Stream(seed, k, 0))) for seed in range(3)] == ours[:3].tolist()
    dense.close()
    theirs = np.array([potential(x, kmeans_plusplus(x, k, random_state=seed)[1]) for seed in range(many)])
    error = np.sqrt((ours.var(ddof=1) + theirs.var(ddof=1)) / many)
    assert abs(ours.mean() - theirs.mean()) < 3 * error
    single = np.array([potential(x, plus_plus(points, k, Stream(seed, k, 0), trials=1)) for seed in range(50)])
    points.close()
    assert single.mean() - ours.mean() > 3 * single.std(ddof=1) / np.sqrt(50)  # the test would tell another algorithm
