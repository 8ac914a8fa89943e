"""Lists of neighbours: what they hold against exact arithmetic, and labels against all distances."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fitting import listing
from steinhaus.engines.dense import points as dense_points
from steinhaus.engines.dense import policy
from steinhaus.engines.dense.factors import TILE
from steinhaus.engines.dense.points import MemoryPoints
from steinhaus.engines.dense.records import COMPUTED, FEATURES, GATHERED, LISTED, PAIRS, RENEW
from steinhaus.jit.target import BYTE_LANES
from steinhaus.lloyd import lloyd
from steinhaus.points import Run
from test_screening import exact_scores

SKETCHED = [1, 2**20]  # features from which on sketches are used: always, and never
on_bytes = pytest.mark.skipif(not BYTE_LANES, reason="this processor does not multiply bytes")


def modes(points):
    return set(points._batch.orders.modes.tolist())


# Lists of real points


@st.composite
def moves(draw):
    """Points, centroids of a full pass, and those of a later one."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n, d, k = draw(st.integers(2, 70)), draw(st.sampled_from([2, 17, 64, 90])), draw(st.integers(2, 12))
    x = rng.normal(size=(n, d)) + draw(st.sampled_from([0.0, 5.0])) * rng.normal(size=(4, d))[rng.integers(0, 4, n)]
    x = x * draw(st.sampled_from([1.0, 1e-30, 1e12])) + draw(st.sampled_from([0.0, 1e4]))
    x = np.ascontiguousarray(x.astype(draw(st.sampled_from([np.float32, np.float64]))))
    spread = float(x.astype(float).std())
    before = x[rng.integers(0, n, k)] + spread * rng.normal(size=(k, d)) * draw(st.sampled_from([0.0, 0.1]))
    step = draw(st.sampled_from([0.0, 1e-6, 1e-2, 1.0])) * rng.choice([0.0, 1.0, 10.0], size=(k, 1))
    return x, before, before + spread * step * rng.normal(size=(k, d))


@on_bytes
@settings(max_examples=40, deadline=None)
@given(moves(), st.sampled_from([2, 100, 384]), st.sampled_from(SKETCHED))
def test_no_bound_of_a_list_is_ever_broken(case, room, sketched):
    """Each centroid is in a point's list, or its exact score is below the bound of all others; moves are covered."""
    x, before, after = case
    with listing(room=room, sketched_features=sketched), closing(MemoryPoints(x, threads=1)) as points:
        points.assign([Run(0, before)])
        if points._framed.quantiser.step > 0.0:
            points.assign([Run(0, after)])
            assert modes(points) == {LISTED}
            near, tiles = points._batch.neighbours, points._tiles
            norms = (tiles.norms + tiles.reach).astype(float)
            most = dict(zip(near.order.tolist(), near.most.tolist(), strict=True))
            for place in range(0, len(x), 9):
                i = tiles.order[place]
                first, second = (exact_scores(points, x[i : i + 1], rows)[0] for rows in (before, after))
                tile, lane = divmod(place, TILE)
                ends = [0, *near.ends[tile, 0].tolist()]
                names = near.names[tile, 0, ends[lane] : ends[lane + 1]].tolist()
                uppers = near.upper[tile, 0, ends[lane] : ends[lane + 1]].tolist()
                assert len(set(names)) == len(names)
                rest, listed = float(near.rest[tile, 0, lane]), dict(zip(names, uppers, strict=True))
                for j in range(len(before)):
                    upper = listed.get(j, rest)
                    rise = Fraction(norms[place]) * Fraction(float(near.size[j])) + Fraction(float(near.rise[j]))
                    assert upper == np.inf or Fraction(upper) >= first[j]
                    assert second[j] - first[j] <= rise <= most[j]
            np.testing.assert_array_equal(points.labels(0), labels_of(x, after))


@on_bytes
def test_lists_hold_all_centroids_within_the_skin(rng):
    """Centroids at growing distances, compared after the nearest one: a list ends where the skin ends, not before."""
    direction = rng.normal(size=64) / 8.0
    x = (3.0 + rng.normal(size=(64, 64)) / 8.0).astype(np.float32)  # about 1 from their mean
    before = np.full(64, 3.0) + np.linspace(0.0, 2.0, 60)[:, np.newaxis] * direction / np.linalg.norm(direction)
    with listing(room=20_000), closing(MemoryPoints(x, threads=1)) as points:
        points.assign([Run(0, before)])
        near, tiles = points._batch.neighbours, points._tiles
        lengths = []
        for place in range(0, 64, 21):
            tile, lane = divmod(place, TILE)
            start, end = [0, *near.ends[tile, 0].tolist()][lane : lane + 2]
            exact = exact_scores(points, x[tiles.order[place]][np.newaxis], before)[0]
            rest = set(range(60)) - set(near.names[tile, 0, start:end].tolist())
            assert all(exact[j] <= Fraction(float(near.rest[tile, 0, lane])) for j in rest)
            lengths.append(end - start)
        assert 12 < min(lengths) <= max(lengths) < 48


@on_bytes
def test_a_centroid_that_comes_straight_from_just_beyond_the_skin_is_noticed():
    """Points, centroids and moves lie on one line, so that the bound of the rise is the rise."""
    line = np.ones(64) / 8.0
    x = np.outer(np.repeat([-5.0, 5.0], 64), line).astype(np.float32)
    x += np.random.default_rng(0).normal(size=x.shape).astype(np.float32) * 1e-3
    unlisted = 0
    for distance in np.linspace(4.0, 6.0, 20):
        before = np.outer([-9.0, distance - 5.0, 9.0], line)
        after = np.outer([-9.0, -1.02, 9.0], line)  # nearer than the first, by a little
        with listing(), closing(MemoryPoints(x, threads=1)) as points:
            points.assign([Run(0, before)])
            unlisted += 1 not in points._batch.neighbours.names[0, 0, : points._batch.neighbours.ends[0, 0, 0]]
            points.assign([Run(0, after)])
            assert modes(points) == {LISTED}
            np.testing.assert_array_equal(points.labels(0), labels_of(x, after))
            assert (points.labels(0)[:64] == 1).all()
    assert 4 < unlisted < 18


def labels_of(x, centroids):
    with closing(MemoryPoints(x, threads=1, screen="none")) as points:
        points.assign([Run(0, centroids)])
        return points.labels(0)


def clustered(rng, n, d, groups, spread=0.3):
    return (rng.normal(size=(groups, d))[rng.integers(0, groups, n)] + spread * rng.normal(size=(n, d))).astype("f4")


def fits(x, starts, passes, **options):
    """The fits of some starts together, as bits, and the modes of all passes."""
    with closing(MemoryPoints(x, **options)) as points:
        out, seen = {}, []
        pass_ = points._pass

        def watched(batch, active, left):
            pass_(batch, active, left)
            seen.extend(batch.orders.modes[active].tolist())

        points._pass = watched
        for fit in lloyd(points, [Run(key, start) for key, start in enumerate(starts)], max_iter=passes):
            out[fit.key] = (points.labels(fit.key).tobytes(), fit.centroids.tobytes(), fit.history, fit.inertia)
        return out, seen


@on_bytes
@pytest.mark.parametrize("threads", [1, 2, 7])
@pytest.mark.parametrize("sketched", SKETCHED)
@pytest.mark.parametrize(("n", "d", "k", "room"), [(1111, 64, 50, 384), (700, 130, 97, 384), (1500, 70, 200, 40)])
def test_fits_by_lists_have_the_bits_of_all_distances(rng, threads, sketched, n, d, k, room):
    x = clustered(rng, n, d, 40)
    starts = [x[rng.choice(n, size, replace=False)].astype(float) for size in (k, k + 5, 31)]
    slow, _ = fits(x, starts, 12, threads=threads, screen="none")
    with listing(room=room, sketched_features=sketched):
        fast, seen = fits(x, starts, 12, threads=threads)
    assert fast == slow
    assert {LISTED, RENEW} <= set(seen)


@on_bytes
@pytest.mark.parametrize("sketched", SKETCHED)
def test_ties_go_to_the_lowest_cluster_from_lists_too(rng, sketched):
    """Centroids that are equal, or come to be equal, in an order that moves reverse."""
    x = np.repeat(clustered(rng, 300, 64, 30), 2, axis=0)
    before = np.concatenate([x[:60:2], x[:60:2] + 0.01]).astype(float)
    after = np.concatenate([x[:60:2], x[:60:2]]).astype(float)[::-1].copy()
    with listing(sketched_features=sketched), closing(MemoryPoints(x, threads=1)) as points:
        for centroids in (before, np.concatenate([before[:30], before[:30]]), before, after):
            points.assign([Run(0, centroids)])
            np.testing.assert_array_equal(points.labels(0), labels_of(x, centroids))
            points._batch.debts[:] = 0.0  # so that no lists are taken anew
        assert modes(points) == {LISTED}


@on_bytes
@pytest.mark.parametrize("sketched", SKETCHED)
def test_points_and_centroids_beyond_all_bounds_are_labelled_right(rng, sketched):
    x = clustered(rng, 400, 64, 20).astype(float)
    x[7], x[90] = 1e30, -1e25
    before = x[:40].copy()
    after = before + 0.1 * rng.normal(size=before.shape)
    after[3], after[11] = 1e28, x[90]
    with listing(sketched_features=sketched), closing(MemoryPoints(x, threads=1)) as points:
        for centroids in (before, after, before):
            points.assign([Run(0, centroids)])
            np.testing.assert_array_equal(points.labels(0), labels_of(x, centroids))


@on_bytes
def test_lists_leave_most_products_out(rng):
    """In a later pass, only the nine centroids that come from afar are compared with all points."""
    k, n, tiles = 300, 3000, 94
    x = clustered(rng, n, 64, k, 0.1)
    start = x[rng.choice(n, k, replace=False)].astype(float)
    start[40:49] += 30.0
    after = start + 1e-3 * rng.normal(size=start.shape)
    far = after.copy()
    far[40:49] = x[:9] + 0.05
    with listing(), closing(MemoryPoints(x, threads=1)) as points:
        for centroids, compared in ((start, k), (after, 0), (far, 9)):
            points.assign([Run(0, centroids)])
            assert points.work[COMPUTED, 0] == compared * tiles
            assert points.work[GATHERED, 0] == (tiles if compared else 0)
            assert points.work[PAIRS, 0] < 5 * n
            np.testing.assert_array_equal(points.labels(0), labels_of(x, centroids))


@on_bytes
def test_lists_without_room_get_thinner_and_then_none(rng):
    """And then the pass compares all centroids, and no more."""
    x = clustered(rng, 640, 64, 30)
    start = x[:90].astype(float)
    shares = {}
    for room in (384, 140, 90, 1):
        with listing(room=room), closing(MemoryPoints(x, threads=1)) as points:
            points.assign([Run(0, start)])
            near = points._batch.neighbours
            shares[room] = float(near.ends[:, 0, -1].mean()), bool(np.isinf(near.rest).all())
            assert (near.ends <= room).all()
            points.assign([Run(0, start + 1e-3)])
            assert modes(points) == {LISTED}
            np.testing.assert_array_equal(points.labels(0), labels_of(x, start + 1e-3))
            if room == 1:
                assert points.work[COMPUTED, 0] == 90 * 20
    assert shares[384][0] > shares[140][0] > shares[90][0] > 0
    assert shares[1] == (0.0, True)


# When lists are kept


def test_lists_need_memory_and_many_clusters():
    rules = policy.Policy(10_000, 128, 2**30, "auto", bytewise=False, integers=False)
    assert rules.room(np.array([1000])) == policy.THRESHOLDS.room
    assert rules.room(np.array([1000, 1000, 400])) == policy.THRESHOLDS.room
    assert rules.room(np.array([500, 1000])) == 0
    sizes = np.array([1000])
    for memory in (rules.listing_bytes(1), rules.table_bytes(sizes) + rules.listing_bytes(1)):
        assert replace(rules, memory=memory).room(sizes) == policy.THRESHOLDS.room
        assert replace(rules, memory=memory - 1).room(sizes) == 0
    assert replace(rules, screen="drift").room(sizes) == 0


@on_bytes
def test_listing_bytes_are_those_of_the_lists(rng):
    x = clustered(rng, 640, 64, 30)
    with listing(), closing(MemoryPoints(x, threads=1)) as points:
        points.assign([Run(0, x[:40].astype(float)), Run(1, x[:70].astype(float))])
        near = points._batch.neighbours
        tables = sum(table.nbytes for table in (near.names, near.upper, near.ends, near.rest))
        assert tables == points._policy.listing_bytes(2)
        assert points.nbytes > tables


@on_bytes
def test_the_first_pass_lists_only_points_of_many_features(rng):
    x = clustered(rng, 640, 64, 30)
    for features, kinds in ((64, [RENEW, LISTED]), (65, [FEATURES, RENEW, LISTED])):
        with listing(listed_features=features), closing(MemoryPoints(x, threads=1)) as points:
            for kind in kinds:
                points.assign([Run(0, x[:40].astype(float))])
                assert modes(points) == {kind}


@on_bytes
def test_no_lists_are_written_in_a_last_pass(rng):
    x = clustered(rng, 640, 64, 30)
    start = x[:40].astype(float)
    with listing():
        _, seen = fits(x, [start], 1, threads=1)
        assert seen == [RENEW, LISTED]
        _, seen = fits(x, [start], 0, threads=1)
        assert seen == [FEATURES]


@on_bytes
def test_lists_are_dropped_when_rounding_is_given_up(rng):
    """Points then stay floats, and take up gaps."""
    x = clustered(rng, 640, 64, 30)
    start = x[:100].astype(float)
    with listing(), closing(MemoryPoints(x, threads=1)) as points:
        points.assign([Run(0, start)])
        assert len(points._batch.neighbours.names)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(dense_points, "rounding_pays", lambda *_: False)
            points._batch.debts[:] = np.inf
            points.assign([Run(0, start)])
        assert not len(points._batch.neighbours.names)
        for centroids in (start, start + 0.01, start):
            points.assign([Run(0, centroids)])
            assert not modes(points) & {LISTED}
            np.testing.assert_array_equal(points.labels(0), labels_of(x, centroids))


@on_bytes
def test_explain_tells_about_lists(rng):
    with closing(MemoryPoints(clustered(rng, 640, 128, 30), threads=1)) as points:
        told = points.explain(800, 3)
        assert "128 features in bytes (points are rounded to them). Each point lists" in told
        assert f"Lists: {20 * 3 * 8 * (384 + 32) / 2**20:,.0f} MiB" in told
        assert "lists" not in points.explain(700)
