"""Starts in two levels: the shares, the same bits everywhere, and the iterations that follow."""

from __future__ import annotations

from contextlib import closing

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from naive_points import NaivePoints
from steinhaus import KMeans, Study
from steinhaus.cli import main
from steinhaus.engines import choose, in_parts, opened
from steinhaus.engines.dense.points import MemoryPoints
from steinhaus.engines.splitting.parts import PointsInParts
from steinhaus.hierarchy import best_gains, hierarchical, shares
from steinhaus.images import open_images
from steinhaus.lloyd import lloyd
from steinhaus.points import Run
from steinhaus.seeding import Stream
from steinhaus.study.run import run_study


def started(x, k, *, threads=1, weights=None, seed=0):
    with opened(x, weights=weights, threads=threads) as points:
        return started_on(points, x, k, seed=seed, threads=threads)


def started_on(points, x, k, *, seed=0, threads=1):
    counts = points.totals.draws
    with in_parts(points, x, counts, threads=threads) as parts:
        return hierarchical(points, k, Stream(seed, k, 0), parts, weights=counts)


@pytest.mark.parametrize(
    ("sizes", "weights", "k", "wanted"),
    [
        ([10, 10, 10], [1, 1, 1], 6, [2, 2, 2]),
        ([10, 10, 10], [1, 1, 1], 7, [3, 2, 2]),
        ([10, 10, 10], [50, 30, 20], 4, [2, 1, 1]),
        ([10, 10, 10], [70, 20, 10], 10, [7, 2, 1]),
        ([10, 10, 10], [98, 1, 1], 10, [8, 1, 1]),  # at least one each
        ([2, 10, 10], [98, 1, 1], 10, [2, 4, 4]),  # at most a cluster a point
        ([0, 5, 5], [0, 5, 5], 3, [0, 2, 1]),
        ([1, 1, 1], [5, 1, 1], 3, [1, 1, 1]),
    ],
)
def test_shares_by_hand(sizes, weights, k, wanted):
    assert shares(np.array(sizes), np.array(weights), k).tolist() == wanted


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 2**40)), min_size=1, max_size=20), st.data())
def test_shares_come_to_k_and_go_round(parts, data):
    sizes = np.array([size for size, _ in parts])
    weights = np.array([weight if size else 0 for size, weight in parts])
    if not sizes.any():
        return
    k = data.draw(st.integers(np.count_nonzero(sizes), sizes.sum()))
    found = shares(sizes, weights, k)
    assert found.sum() == k
    assert (found <= sizes).all()
    assert (found[sizes > 0] >= 1).all()


def test_shares_are_within_one_of_the_quota_if_nothing_stands_in_the_way(rng):
    for _ in range(200):
        sizes = rng.integers(1000, 9000, 30)
        k = int(rng.integers(300, 900))
        quotas = k * sizes / sizes.sum()
        assert (abs(shares(sizes, sizes, k) - quotas) < 1).all()


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
@pytest.mark.parametrize("shape", [(3000, 4), (2000, 300)], ids=["compact", "dense"])
def test_the_start_is_the_same_for_any_number_of_threads(shape, dtype, rng):
    centres = rng.integers(0, 255, (30, shape[1]))
    x = (centres[rng.integers(30, size=shape[0])] + rng.random(shape)).clip(0, 255).astype(dtype)
    found = [started(x, 60, threads=threads) for threads in (1, 2, 7)]
    assert found[0].shape == (60, shape[1])
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])
    assert not np.array_equal(found[0], started(x, 60, seed=1))


def test_the_start_is_the_same_for_any_engine(rng):
    x = rng.normal(size=(1500, 12))
    found = [
        started_on(points, x, 40)
        for points in (choose(x, threads=1), MemoryPoints(x, threads=1), MemoryPoints(x, threads=2, screen="none"))
    ]
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])


def test_rows_that_the_engine_hands_out_give_the_same_start(rng):
    """So do points on disk, on Dask, and in compressed rows."""
    x = rng.normal(size=(3000, 20)).astype(np.float32)
    weights = rng.integers(0, 3, 3000)
    with opened(x) as points:
        for counts in (None, weights):
            found = []
            for held in (x, None):
                with closing(PointsInParts(points, held, counts, 2)) as parts:
                    found.append(hierarchical(points, 30, Stream(1), parts, weights=counts))
            np.testing.assert_array_equal(found[0], found[1])


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([np.uint8, np.float64]), st.booleans())
def test_hard_points_get_k_finite_centroids(seed, dtype, weighted):
    rng = np.random.default_rng(seed)
    n, d = int(rng.integers(1, 120)), int(rng.integers(1, 6))
    x = rng.integers(0, int(rng.choice([1, 2, 200])), (n, d)).astype(dtype)
    weights = rng.integers(0, 3, n).astype(np.float64) if weighted else None
    if weighted:
        weights[rng.integers(n)] = 1.0
    k = int(rng.integers(1, n + 1))
    start = started(x, k, weights=weights, seed=seed)
    assert start.shape == (k, d)
    assert np.isfinite(start).all()
    rounding = 1e-6 * np.ptp(x, axis=0)  # of float32
    assert (start >= x.min(axis=0) - rounding).all()
    assert (start <= x.max(axis=0) + rounding).all()


def test_points_without_weight_are_left_out(rng):
    x = np.concatenate([rng.normal(size=(400, 3)), 1e6 + rng.normal(size=(400, 3))])
    weights = np.repeat([1.0, 0.0], 400)
    assert np.abs(started(x, 50, weights=weights)).max() < 10
    np.testing.assert_array_equal(started(x, 50, weights=weights), started(x[:400], 50, weights=np.full(400, 1.0)))


def test_many_points_are_sampled(rng, monkeypatch):
    monkeypatch.setattr("steinhaus.hierarchy._VALUES", 40)  # of 2 features
    monkeypatch.setattr("steinhaus.hierarchy._PER_CLUSTER", (5, 100))
    monkeypatch.setattr("steinhaus.hierarchy._AT_LEAST", 0)
    monkeypatch.setattr("steinhaus.hierarchy._COARSE_FROM", 10)
    x, chosen, iterated = rng.normal(size=(5000, 2)), [], []
    choose, iterate = PointsInParts.choose, PointsInParts.iterate

    def choose_noted(self, parts, *rest):
        chosen.append(parts)
        return choose(self, parts, *rest)

    def iterate_noted(self, parts, *rest):
        iterated.append(parts)
        return iterate(self, parts, *rest)

    monkeypatch.setattr(PointsInParts, "choose", choose_noted)
    monkeypatch.setattr(PointsInParts, "iterate", iterate_noted)
    assert started(x, 25).shape == (25, 2)
    (half,), some, *_ = chosen
    (coarse,) = iterated[0]
    assert len(coarse) == 50
    np.testing.assert_array_equal(half, coarse[::2])
    assert (np.diff(coarse) > 0).all()
    drawn = np.sort(np.concatenate(iterated[1]))
    assert len(drawn) == 500
    assert (drawn // 10 == np.arange(500)).all()  # one of each ten
    assert all(few.tolist() == part[::2].tolist() for few, part in zip(some, iterated[1], strict=True))


def test_rows_are_kept_by_their_gains():
    gains = [np.array([9.0, 2.0, 3.0]), np.array([9.0, 1.0, 8.0]), np.empty(0), np.array([9.0, 2.0])]
    assert best_gains(gains, 3) == [1, 1, 0, 1]
    assert best_gains(gains, 4) == [2, 1, 0, 1]
    assert best_gains(gains, 5) == [3, 1, 0, 1]  # a row counts no more than the rows before it
    assert best_gains(gains, 6) == [3, 1, 0, 2]
    assert best_gains(gains, 8) == [3, 3, 0, 2]


def test_a_wide_part_and_small_groups_far_away_get_their_clusters(rng):
    """Shares in proportion to points would leave 25 far groups, of a fortieth of the points, with 3 of 100 clusters."""
    near, far = rng.normal(size=(7800, 8)), 100 * rng.normal(size=(25, 8))
    x = np.concatenate([near, np.repeat(far, 8, axis=0) + 0.1 * rng.normal(size=(200, 8))])
    found = np.mean(
        [KMeans(100, init="hierarchical", random_state=seed, max_iter=5).fit(x).inertia_ for seed in range(3)]
    )
    assert found < 1.1 * KMeans(100, random_state=0, max_iter=5).fit(x).inertia_


def test_an_estimator_goes_on_from_it(rng):
    """The fit is that of exact iterations from this start."""
    x = rng.normal(size=(3000, 20)).astype(np.float32)
    model = KMeans(50, init="hierarchical", random_state=3, tol=0).fit(x)
    assert len(model.runs_) == 1
    with opened(x) as points:
        (fit,) = lloyd(points, [Run(0, started(x, 50, seed=3))])
        assert model.inertia_history_.tolist() == list(fit.history)
    assert model.stop_reason_.name == "CONVERGED"


def test_it_is_about_as_good_a_start_as_greedy_plus_plus(rng):
    centres = 10 * rng.normal(size=(100, 8))
    x = centres[rng.integers(100, size=5000)] + rng.normal(size=(5000, 8))
    inertia = {
        init: np.mean([KMeans(100, init=init, random_state=seed).fit(x).inertia_ for seed in range(12)])
        for init in ("hierarchical", "k-means++", "random")
    }
    assert inertia["hierarchical"] < 1.25 * inertia["k-means++"] < inertia["random"] / 2


def test_sparse_rows_and_weights(rng):
    x = csr_array(np.where(rng.random((600, 30)) < 0.2, rng.random((600, 30)), 0.0))
    assert KMeans(20, init="hierarchical", random_state=0).fit(x).cluster_centers_.shape == (20, 30)
    weights = rng.random(600)
    dense = [
        KMeans(20, init="hierarchical", random_state=0, n_threads=threads).fit(x.toarray(), sample_weight=weights)
        for threads in (1, 7)
    ]
    np.testing.assert_array_equal(dense[0].cluster_centers_, dense[1].cluster_centers_)


def test_a_study_begins_so_in_memory_and_on_disk(tmp_path, rng):
    pixels = rng.integers(0, 255, (300, 6, 5)).astype(np.uint8)
    np.save(tmp_path / "images.npy", pixels)
    study = Study(k=(4, 30), restarts=2, init="hierarchical", seed=5)
    kept, stored = (open_images(str(tmp_path / "images.npy"), stored=stored) for stored in (False, True))
    naive = run_study(study, kept, tmp_path / "naive", choose=NaivePoints)
    for name, images in (("memory", kept), ("disk", stored)):
        found = study.run(images, out=tmp_path / name)
        assert found.record.runs == naive.record.runs
        assert found.record.plan["init"] == "hierarchical"
        np.testing.assert_array_equal(found.centroids(30), naive.centroids(30))


def test_the_command_line_has_it(tmp_path, rng):
    np.save(tmp_path / "images.npy", rng.integers(0, 255, (200, 3, 3)).astype(np.uint8))
    asked = ["study", str(tmp_path / "images.npy"), "--k", "20", "--restarts", "1", "--init", "hierarchical"]
    assert main([*asked, "--out", str(tmp_path / "out")]) == 0
    assert '"init": "hierarchical"' in (tmp_path / "out" / "study.json").read_text()
