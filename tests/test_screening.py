"""The bounds against exact rational arithmetic, with data made to break them."""

from __future__ import annotations

from contextlib import closing
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import screening_kernels as kernels
from steinhaus.engines import choose
from steinhaus.engines.bounds.rounding import gamma
from steinhaus.engines.bounds.scores import UNKNOWN
from steinhaus.engines.dense.direction_kernels import Places, halfway, split
from steinhaus.engines.dense.directions import Reading, leading_directions
from steinhaus.engines.dense.factors import TILE
from steinhaus.engines.dense.points import MemoryPoints
from steinhaus.engines.dense.records import PAIRS
from steinhaus.jit.handed import Handed
from steinhaus.points import Run

PRODUCTS = {
    "features": kernels.from_features,
    "single": kernels.singly,
    "anchored": kernels.from_anchors,
    "directed": kernels.from_directions,
}


def source(points):
    """What kernels are handed: the points, how they are read, and a worker's arrays."""
    return points._points, points._handed_readers, points._view, Handed(points._batch.workers[0].scratch)


def bounds(points, kind):
    """Upper bounds (k, 32) and the best lower bound (32,) of the first tile, and the order of its points."""
    batch, tiles, chosen = points._batch, points._tiles, np.arange(len(points._batch.counts))
    norms = tiles.rounded_norms if kind in ("features", "anchored") else tiles.norms
    PRODUCTS[kind](*source(points), chosen)
    kernels.bounds(*source(points), Handed(getattr(batch, kind)), norms, chosen)
    scratch = batch.workers[0].scratch
    return scratch.upper.reshape(-1, 32), scratch.least, tiles.order[:32]


def exact_scores(points, x, centroids):
    """x' . e_j - h_j as rationals, (n, k)."""
    frame = points._frame
    scale, m = Fraction(frame.scale), [Fraction(float(value)) for value in frame.reference]
    offset = [Fraction(float(value)) for value in frame.offset]

    def place(row):
        return [(Fraction(float(value)) - o) * scale for value, o in zip(row, offset, strict=True)]

    placed = [place(row) for row in centroids]
    out = []
    for row in x:
        z = place(row)
        scores = []
        for c in placed:
            product = sum(a * (b - r) for a, b, r in zip(z, c, m, strict=True))
            scores.append(product - (sum(b * b for b in c) - sum(r * r for r in m)) / 2)
        out.append(scores)
    return out


@st.composite
def attacks(draw):
    """A tile of points, centroids of a first pass and of a second one: offsets, cancellation, near ties, extreme
    scales.
    """
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n, d, k = draw(st.integers(2, 32)), draw(st.sampled_from([2, 17, 64, 90])), draw(st.integers(2, 5))
    k = min(k, n)
    x = rng.normal(size=(n, d))
    kind = draw(st.sampled_from(["noise", "near ties", "one direction", "mixed columns", "pixels", "sparse"]))
    if kind == "near ties":
        x = 1.0 + x * 1e-7
    elif kind == "one direction":
        x = rng.normal(size=(n, 1)) * rng.normal(size=d) + x * 1e-6
    elif kind == "mixed columns":
        x = x * 10.0 ** rng.integers(-8, 8, d)
    elif kind == "sparse":
        x[rng.random((n, d)) < 0.9] = 0
    dtype = np.uint8 if kind == "pixels" else draw(st.sampled_from([np.float32, np.float64]))
    if kind == "pixels":
        x = np.clip(np.rint(128 + 60 * x), 0, 255)
    else:
        x = x * draw(st.sampled_from([1.0, 1e-30, 1e30, 1e-40])) + draw(st.sampled_from([0.0, 1e4, 1e8]))
    x = np.ascontiguousarray(x.astype(dtype))
    before = x[:k].astype(np.float64)
    spread = float(x.astype(np.float64).std())
    after = before + rng.normal(size=(k, d)) * spread * draw(st.sampled_from([0.0, 1e-6, 1e-2, 1.0, 1e3]))
    return x, before, after


@settings(max_examples=60, deadline=None)
@given(attacks())
def test_no_bound_is_ever_broken(attack):
    x, before, after = attack
    points = choose(x, threads=1, screen="drift")
    points.assign([Run(0, before)])
    points.assign([Run(0, after)])
    exact = exact_scores(points, x, after)
    anchored = (points._batch.anchors.slots[0, : len(after)] > 0).all()
    for kind in PRODUCTS if anchored else ("features", "single", "directed"):
        upper, least, order = bounds(points, kind)
        for lane, i in enumerate(order.tolist()):
            assert all(Fraction(float(upper[j, lane])) >= exact[i][j] for j in range(len(after))), kind
            if least[lane] > -UNKNOWN / 2:  # else all centroids are too far away to be screened, and are settled
                assert Fraction(float(least[lane])) <= max(exact[i]), kind
    points.close()


def from_halves(points, first, k, labels=None):
    """The candidates of the first tile among k centroids by one byte a feature, (m,), and their bounds, (m, 32)."""
    worker, none = points._batch.workers[0], np.full(TILE, -1, np.int32)
    many = kernels.from_halves(*source(points), Handed(worker.group), first, k, none if labels is None else labels)
    scratch = worker.scratch
    return scratch.chosen[:many].copy(), scratch.upper[: 32 * many].reshape(-1, 32).copy(), scratch.least.copy()


@settings(max_examples=60, deadline=None)
@given(attacks())
def test_no_bound_from_one_byte_a_feature_is_ever_broken(attack):
    """Neither those of each lane, nor those of the largest error of any lane, nor those that leave centroids out."""
    x, before, after = attack
    points = choose(x, threads=1, screen="drift")
    points.assign([Run(0, before)])
    points.assign([Run(0, after)])
    if points._framed.quantiser.step > 0.0:  # else the points are not rounded, and both bytes are used
        exact, group, order = exact_scores(points, x, after), points._batch.workers[0].group, points._tiles.order[:32]
        for j in range(len(after)):
            chosen, upper, least = from_halves(points, j, 1)
            assert chosen.tolist() == [j]  # the only one
            above = (
                group.sums[TILE * TILE :][:TILE].astype(np.float32).astype(float) * group.scaled[0] + group.raised[0]
            )
            for lane, i in enumerate(order.tolist()):
                assert Fraction(float(upper[0, lane])) >= exact[i][j] >= Fraction(float(least[lane]))
                assert Fraction(float(np.float32(above[lane]))) >= exact[i][j]
        chosen, upper, least = from_halves(points, 0, len(after))
        for lane, i in enumerate(order.tolist()):
            reached = chosen[upper[:, lane] >= least[lane]].tolist()
            assert all(exact[i][j] < max(exact[i]) for j in range(len(after)) if j not in reached)
        labels = np.resize(np.arange(len(after), dtype=np.int32), TILE)
        _, _, least = from_halves(points, 0, len(after), labels)
        for lane, i in enumerate(order.tolist()):
            assert Fraction(float(least[lane])) <= max(exact[i])
    points.close()


def test_one_byte_a_feature_lists_what_the_final_bounds_leave_open(rng):
    """And no more, with a margin for the rounding of distances that is far larger than it must be."""
    k = 77
    x = (rng.normal(size=(k, 100))[np.arange(400) % k] + 0.1 * rng.normal(size=(400, 100))).astype(np.float32)
    with closing(MemoryPoints(x, threads=1, screen="drift")) as points:
        points._tiles = points._tiles._replace(floor=np.float32(0.05))
        points.assign([Run(0, x[:k].astype(float))])
        singly = [from_halves(points, j, 1) for j in range(k)]
        uppers = np.array([upper[0] for _, upper, _ in singly])
        leasts = np.array([least for _, _, least in singly])
        sizes = points._batch.workers[0].group.sizes[TILE : 2 * TILE]
        assert (leasts <= uppers - 0.049 * sizes**2).all()
        chosen, upper, least = from_halves(points, 0, k)
        np.testing.assert_array_equal(least, leasts.max(axis=0))
        reached = (uppers >= leasts.max(axis=0)).any(axis=1)
        np.testing.assert_array_equal(chosen, np.flatnonzero(reached))
        np.testing.assert_array_equal(upper, uppers[reached])
        assert 0 < reached.sum() < k
        again, _, sharper = from_halves(points, 0, k, points._batch.labels[0, 0])
        assert (sharper >= least).all()
        assert set(again) <= set(chosen)
        assert set(points._batch.labels[0, 0]) <= set(again)


@pytest.mark.parametrize("k", [64, 95, 131])  # with blocks of 32, 12, 8, 2 and 1 rows
def test_one_byte_a_feature_leaves_few_candidates_and_the_nearest_among_them(rng, k):
    centres = rng.normal(size=(k, 100))
    x = (centres[np.arange(3000) % k] + 0.3 * rng.normal(size=(3000, 100))).astype(np.float32)
    start = x[:k].astype(float)
    with closing(MemoryPoints(x, threads=1)) as points:
        points.assign([Run(0, start)])
        assert points._framed.quantiser.step > 0.0
        assert points.work[PAIRS].sum() < len(x) * k / 4
        chosen, upper, least = from_halves(points, 0, k)
        order = points._tiles.order[:32]
        distances = np.square(x[order].astype(float)[:, np.newaxis] - start).sum(axis=2)
        opened = np.zeros((k, 32), bool)
        opened[chosen] = upper >= least
        assert opened[distances.argmin(axis=1), np.arange(32)].all()
        assert 0 < opened.mean() < 0.1
        np.testing.assert_array_equal(points.labels(0)[order], distances.argmin(axis=1))


def check_open(points, x, after):
    """Pairs of the first tile that `list_open` leaves out must be farther than the best, in exact arithmetic."""
    scratch, anchors = points._batch.workers[0].scratch, points._batch.anchors
    exact, anchored = exact_scores(points, x, after), (anchors.slots[0, : len(after)] > 0).all()
    for kind in ("features", "anchored") if anchored else ("features",):
        _, _, order = bounds(points, kind)
        scratch.chosen[:] = np.arange(len(after))
        many = kernels.list_open(*source(points), 0xFFFFFFFF)
        left = dict(zip(scratch.others[:many].tolist(), scratch.kept[:many].tolist(), strict=True))
        for lane, i in enumerate(order.tolist()):
            best = int(scratch.found[lane])
            for j in range(len(after)):
                assert j == best or left.get(j, 0) >> lane & 1 or exact[i][j] < exact[i][best], kind


@pytest.mark.parametrize("k", [5, 128, 130, 300])
@pytest.mark.parametrize("kind", ["uint8", "float32"])
def test_two_sweeps_leave_open_what_bounds_leave_open(rng, kind, k):
    """With gaps measured or not, and for candidates in one block or in several. Some centroids coincide."""
    x = rng.integers(0, 256, (400, 64)).astype(kind)
    j = np.arange(k)
    points, start = choose(x, threads=1, screen="drift"), x[j % (3 * k // 4 + 1)].astype(float)
    points.assign([Run(0, start)])
    scratch = points._batch.workers[0].scratch
    upper, least, _ = (of.copy() for of in bounds(points, "features"))
    opened = kernels.bounds(*source(points), Handed(points._batch.features), points._tiles.rounded_norms, j)
    found, many = scratch.found.copy(), kernels.list_open(*source(points), opened)
    left = scratch.others[:many].tolist(), scratch.kept[:many].tolist()
    certified = ~opened >> np.arange(32) & 1 == 1
    for measured in (0, 1):
        scratch.chosen[:] = j
        assert kernels.screen(*source(points), measured) == opened
        np.testing.assert_array_equal(scratch.upper.reshape(-1, 32), upper)
        np.testing.assert_array_equal(scratch.least, least)
        np.testing.assert_array_equal(scratch.found[certified], found[certified])
        many = int(scratch.starts[0])
        assert (scratch.others[:many].tolist(), scratch.kept[:many].tolist()) == left
    assert certified.any()
    assert opened
    points.close()


@pytest.mark.parametrize("moved", [0.0, 0.05])
@pytest.mark.parametrize("apart", [1e-3, 0.1, 4.0, 16.0])
def test_points_that_are_rounded_alike_but_lie_on_both_sides(rng, apart, moved):
    """Rounding takes off these points what decides between the two centroids."""
    d = 64
    q = rng.integers(-100, 100, d).astype(float)
    some = q + np.linspace(0.0, 0.4, 15)[:, np.newaxis]
    x = np.concatenate([some, -some, [np.full(d, -127.0), np.full(d, 127.0)]])  # steps of 1 around 0
    before = np.stack([q + 0.2 - apart, q + 0.2 + apart])
    points = choose(x.astype(np.float32), threads=1, screen="drift")
    points.assign([Run(0, before)])
    points.assign([Run(0, before + moved)])
    check_open(points, x.astype(np.float32), before + moved)
    points.close()


def test_bounds_are_sharp_enough_to_be_of_use(rng):
    x = rng.integers(0, 256, (32, 784)).astype(np.uint8)
    points = choose(x, threads=1, screen="drift")
    points.assign([Run(0, x[:3].astype(float))])
    upper, least, order = bounds(points, "features")
    exact = exact_scores(points, x[order[:4]], x[:3].astype(float))
    size = float(points._tiles.norms.max()) ** 2
    for lane, scores in enumerate(exact):
        assert max(scores) - Fraction(float(least[lane])) < 1e-4 * size
        assert max(Fraction(float(upper[j, lane])) - scores[j] for j in range(3)) < 1e-4 * size


def test_directions_without_features_leave_the_bounds_of_bytes_as_sharp(rng):
    """Twenty features along 32 directions: twelve of these are zeros, which are no skew."""
    x = (rng.integers(0, 2, (640, 20)) * 255).astype(np.uint8)
    points, start = MemoryPoints(x, threads=1, screen="drift"), x[:4].astype(float)
    for step in (0.0, 0.0, 1e-3):
        points.assign([Run(0, start + step)])
    assert points._basis.p == 32
    assert points._basis.skew < 1e-6
    points.close()


@pytest.mark.parametrize(("q", "expected"), [(1, 2.0**-24), (2**24, np.inf)])
def test_gamma(q, expected):
    assert gamma(q) == pytest.approx(expected)


@pytest.mark.parametrize("values", [1, 2, 5, 1000])
@pytest.mark.parametrize("n", [33, 64, 500])
def test_a_split_puts_the_lower_points_of_an_axis_first(n, values, rng):
    """With ties, too: one value alone, or few."""
    rows = rng.integers(0, values, (n, 16)).astype(np.float32)
    order, middle = rng.permutation(n), halfway(0, n)
    split(Handed(Places(rows, np.ascontiguousarray(rows.T), 16, n, order, np.empty(n, np.float32))), 0, middle, n)
    assert sorted(order) == list(range(n))
    assert (rows[order[:middle]].max(axis=0) <= rows[order[middle:]].min(axis=0)).any()


def test_leading_directions_find_the_plane_that_points_lie_in(rng):
    plane = np.linalg.qr(rng.normal(size=(40, 16)))[0]
    points = MemoryPoints(rng.normal(size=(200, 16)) @ plane.T, threads=1)
    reading = Reading(points._framed, points._readers, points._frame, points._tiles, points._workers)
    basis = leading_directions(reading, 16)
    points.close()
    inside = plane.T @ basis.directions
    np.testing.assert_allclose(np.linalg.svd(inside)[1], 1.0, atol=1e-5)
    assert basis.skew < 1e-5
