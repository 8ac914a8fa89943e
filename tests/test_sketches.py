"""Sketches: labels against all distances, and when they are taken up and given up."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest

from fitting import listing
from steinhaus.engines.dense import points as dense_points
from steinhaus.engines.dense import policy, sketches
from steinhaus.engines.dense.points import MemoryPoints
from steinhaus.engines.dense.records import COMPUTED, GATHERED, LISTED, PAIRS, SCREENED, SINGLES
from steinhaus.points import Run
from test_neighbours import clustered, fits, labels_of, on_bytes


def sketching(**thresholds):
    return listing(sketched_features=1, **thresholds)


# Fits


def grouped(rng, n, d, groups, spread=0.2):
    """Points around some centres; the first ones are of one group each."""
    return rng.normal(size=(groups, d))[np.arange(n) % groups] + spread * rng.normal(size=(n, d))


def leading(rng, n, d, groups):
    """As `grouped`, along 32 directions of d but for a little noise."""
    turn = np.linalg.qr(rng.normal(size=(d, 32)))[0].T
    return (grouped(rng, n, 32, groups) @ turn + 0.02 * rng.normal(size=(n, d))).astype(np.float32)


@on_bytes
def test_sketches_leave_most_products_out(rng):
    """Points around many centres: few pairs are left, and a later pass gathers nothing."""
    n, k = 3000, 300
    x = leading(rng, n, 256, k)
    start = x[:k].astype(float)
    with sketching(), closing(MemoryPoints(x, threads=1)) as points:
        tiles = points._policy.tiles
        points.assign([Run(0, start)])
        work = points.work[:, 0]
        assert points._sketching.made.m == 64
        assert work[SCREENED] == k * tiles
        assert work[COMPUTED] == 0
        assert work[SINGLES] < n * k / 10
        assert work[GATHERED] == tiles
        np.testing.assert_array_equal(points.labels(0), labels_of(x, start))
        after = start + 0.1 * rng.normal(size=start.shape)
        points.assign([Run(0, after)])
        assert points.work[SCREENED, 0] > 0
        assert points.work[GATHERED, 0] == 0
        assert points.work[PAIRS, 0] < 3 * n
        np.testing.assert_array_equal(points.labels(0), labels_of(x, after))


@on_bytes
def test_tiles_in_which_sketches_leave_many_pairs_are_compared_by_all_features(rng):
    """Some tiles are probed first. If they lie in every direction, sketches are given up for all."""
    n, k = 1504, 400
    few, many = 8 * leading(rng, n // 2, 256, k // 2), grouped(rng, n // 2, 256, k // 2, 2.0).astype(np.float32)
    start = np.concatenate([few[: k // 2], many[: k // 2]]).astype(float)
    for x, probed, kept in (
        (np.concatenate([few, many]), 4, True),
        (np.concatenate([many[::-1], few]), 4, False),
        (np.concatenate([many[::-1], few]), 2**20, True),
    ):
        with sketching(probed=probed, sketches_kept=False), closing(MemoryPoints(x, threads=2)) as points:
            for centroids in (start, start + 0.01):
                points.assign([Run(0, centroids)])
                assert (points._sketching.made.m > 0) == kept
                np.testing.assert_array_equal(points.labels(0), labels_of(x, centroids))
                assert kept or points.work[SCREENED, 0] <= 4 * k
            points.forget(0)
            points.assign([Run(1, start)])  # what was given up is not taken up again
            assert (points._sketching.made.m > 0) == kept
            assert (points.work[SCREENED, 0] > points.work[COMPUTED, 0] > 0) == kept


@on_bytes
def test_lists_without_room_get_thinner_and_then_none_with_sketches_too(rng):
    """And then a later pass compares all centroids."""
    x = leading(rng, 640, 130, 30)
    start = x[:90].astype(float)
    after, listed = start + 0.1 * rng.normal(size=start.shape), []
    for room in (20_000, 60, 1):
        with sketching(room=room), closing(MemoryPoints(x, threads=1)) as points:
            points.assign([Run(0, start)])
            near = points._batch.neighbours
            listed.append(float(near.ends[:, 0, -1].mean()))
            assert (near.ends <= room).all()
            assert np.isinf(near.rest).all() == (room == 1)
            points._batch.debts[:] = 0.0
            points.assign([Run(0, after)])
            assert set(points._batch.orders.modes.tolist()) == {LISTED}
            assert room > 1 or points.work[SCREENED, 0] == 90 * 20
            np.testing.assert_array_equal(points.labels(0), labels_of(x, after))
    assert listed[0] > listed[1] > listed[2] == 0.0


@on_bytes
def test_sketches_serve_later_runs_with_other_numbers_of_clusters(rng):
    x = leading(rng, 900, 130, 60)
    with sketching(), closing(MemoryPoints(x, threads=2)) as points:
        points.assign([Run(0, x[:70].astype(float))])
        first = points._sketching.made
        assert first.known
        points.forget(0)
        runs = [Run(key, x[key : key + size].astype(float)) for key, size in ((1, 100), (2, 33))]
        points.assign(runs)
        assert points._sketching.made.quads is first.quads
        for run in runs:
            np.testing.assert_array_equal(points.labels(run.key), labels_of(x, run.centroids))


@on_bytes
def test_an_interrupted_pass_leaves_sketches_unknown(rng, monkeypatch):
    x = leading(rng, 640, 130, 70)
    start = x[:70].astype(float)
    with sketching(), closing(MemoryPoints(x, threads=1)) as points:
        whole = points._label

        def interrupted(*given):
            whole(*given)
            raise KeyboardInterrupt

        monkeypatch.setattr(points, "_label", interrupted)
        with pytest.raises(KeyboardInterrupt):
            points.assign([Run(0, start)])
        assert points._sketching.made.m > 0
        assert not points._sketching.made.known


@on_bytes
def test_sketches_that_are_taken_up_later_are_those_of_all_points(rng):
    """Memory is allowed between two passes. In the second one, nothing has moved, so no tile is compared."""
    x = leading(rng, 900, 130, 40)
    start = x[:40].astype(float)
    with sketching(), closing(MemoryPoints(x, threads=1)) as points:
        sizes = np.array([40])
        lists = points._policy.table_bytes(sizes) + points._policy.listing_bytes(1)
        points.allow(lists)
        points.assign([Run(0, start)])
        assert not points._sketching.made.m
        points.allow(2**30)
        for centroids in (start, start + 0.3 * rng.normal(size=start.shape)):
            points._batch.debts[:] = 0.0
            points.assign([Run(0, centroids)])
            assert set(points._batch.orders.modes.tolist()) == {LISTED}
            assert points._sketching.made.known
            assert points.work[GATHERED, 0] == (29 if centroids is start else 0)
            np.testing.assert_array_equal(points.labels(0), labels_of(x, centroids))


def test_sketches_need_memory_many_features_and_many_clusters():
    rules = policy.Policy(100_000, 128, 2**30, "auto", bytewise=False, integers=False)
    sizes = np.array([2000])
    assert rules.sketched(sizes) == 64
    assert [replace(rules, d=d).sketched(sizes) for d in (127, 256, 257, 512, 784, 1024)] == [0, 64, 128, 128, 192, 192]
    assert [rules.sketched(np.array([k])) for k in (1562, 1563)] == [0, 64]
    assert [replace(rules, d=1024).sketched(np.array([k])) for k in (767, 768)] == [0, 192]
    assert rules.sketched(np.array([1000, 2200])) == 64
    assert [rules.lists_at_once(left, sketched=True) for left in (2, 3)] == [True, False]
    assert [replace(rules, d=d).lists_at_once(2, sketched=False) for d in (255, 256)] == [False, True]
    assert replace(rules, screen="drift").sketched(sizes) == 0
    needed = rules.table_bytes(sizes) + rules.listing_bytes(1) + rules.sketch_bytes(64)
    assert replace(rules, memory=needed).sketched(sizes) == 64
    assert replace(rules, memory=needed - 1).sketched(sizes) == 0


@on_bytes
def test_sketch_bytes_are_those_of_the_sketches(rng):
    x = leading(rng, 640, 130, 40)
    with sketching(), closing(MemoryPoints(x, threads=1)) as points:
        points.assign([Run(0, x[:40].astype(float))])
        sketches = points._sketching.made
        tables = sum(table.nbytes for table in (sketches.quads, sketches.rests, sketches.offs, sketches.sizes))
        assert tables == points._policy.sketch_bytes(64)
        assert points.nbytes > tables


@pytest.mark.parametrize(("d", "m", "most"), [(128, 64, 15), (1024, 192, 86)])
def test_sketches_pay_up_to_so_many_products_of_a_point(d, m, most):
    """Of 1,000 centroids, for each of 32 points, and if no tile needs all features."""
    assert policy.sketches_pay(0, 1000, 32 * most, m, d)
    assert not policy.sketches_pay(0, 1000, 32 * (most + 1), m, d)
    assert not policy.sketches_pay(500, 1000, 32 * most, m, d)


@on_bytes
def test_a_pass_that_gives_up_sketches_does_not_give_up_rounding(rng):
    x = leading(rng, 640, 256, 40)
    start = x[:70].astype(float)
    with sketching(), closing(MemoryPoints(x, threads=1)) as points:
        points.assign([Run(0, start)])
        assert points._sketching.made.m
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(dense_points, "rounding_pays", lambda _, computed, d: computed >= 70 * 20)
            patch.setattr(sketches, "sketches_pay", lambda *_: False)
            points._batch.debts[:] = np.inf
            points.assign([Run(0, start)])
        assert not points._sketching.made.m
        assert points._framed.quantiser.step > 0.0
        np.testing.assert_array_equal(points.labels(0), labels_of(x, start))


@on_bytes
def test_explain_tells_about_sketches(rng):
    with closing(MemoryPoints(clustered(rng, 640, 128, 30), threads=1)) as points:
        told = points.explain(2000, 3)
        assert "products along 64 directions in bytes (points are rounded to them)" in told
        assert f"Sketches and lists: {20 * (32 * 76 + 3 * 8 * (384 + 32)) / 2**20:,.0f} MiB" in told
        assert "directions" not in points.explain(1000)


@on_bytes
def test_sketches_are_dropped_when_rounding_is_given_up(rng):
    x = leading(rng, 640, 130, 40)
    start = x[:100].astype(float)
    with sketching(), closing(MemoryPoints(x, threads=1)) as points:
        points.assign([Run(0, start)])
        assert points._sketching.made.m
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(dense_points, "rounding_pays", lambda *_: False)
            points._batch.debts[:] = np.inf
            points.assign([Run(0, start)])
        assert not points._sketching.made.m
        for centroids in (start, start + 0.01, start):
            points.assign([Run(0, centroids)])
            np.testing.assert_array_equal(points.labels(0), labels_of(x, centroids))


@on_bytes
@pytest.mark.parametrize("threads", [1, 2, 7])
def test_fits_by_sketches_have_the_bits_of_all_distances(rng, threads):
    """Several runs at once; points of many leading directions, and of few."""
    x = leading(rng, 1100, 200, 150)
    starts = [x[rng.choice(len(x), size, replace=False)].astype(float) for size in (130, 64, 97)]
    slow, _ = fits(x, starts, 8, threads=threads, screen="none")
    with sketching():
        fast, _ = fits(x, starts, 8, threads=threads)
    assert fast == slow
