"""Points with weights: a weight of 2 counts as two points, bit for bit; the oracle; the grid of weights."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

import naive
from problems import problems
from steinhaus import KMeans, MiniBatchKMeans
from steinhaus.engines import opened
from steinhaus.engines.exact.weighing import weigh
from steinhaus.errors import DataError
from steinhaus.lloyd import lloyd
from steinhaus.points import Run, drawn


def run(x, start, *, weights, threads=1, max_iter=6, tol=0.0, company=()):
    starts = [Run("it", start), *(Run(i, other) for i, other in enumerate(company))]
    with opened(x, weights=weights, threads=threads) as points:
        for fit in lloyd(points, starts, max_iter=max_iter, tol=tol):
            if fit.key == "it":
                outcome = points.labels("it").tolist(), fit.centroids.tobytes(), fit.history, fit.inertia, fit.stop.name
    return outcome


@settings(max_examples=60, deadline=None)
@given(problems(), st.sampled_from([1, 2, 7]), st.sampled_from([0.0, 1e-2]), st.integers(0, 2**32 - 1))
def test_the_oracle_agrees_bit_for_bit(problem, threads, tol, seed):
    x, start = problem
    weights = np.random.default_rng(seed).integers(0, 4, len(x)).astype(float)
    weights[0] = 3.0
    labels, centroids, history, inertia, stop = naive.lloyd(x, start, weights=weights, max_iter=6, tol=tol)
    expected = labels.tolist(), centroids.tobytes(), tuple(history), inertia, stop
    found = run(x, start, weights=weights, threads=threads, tol=tol)
    assert naive.same(found, expected, 3 * np.square(x.astype(float)).sum())


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
@pytest.mark.parametrize("sparse", [False, True])
def test_a_whole_weight_is_so_many_rows(rng, dtype, sparse):
    x = (rng.integers(0, 256, (300, 30)) * (rng.random((300, 30)) < 0.3)).astype(dtype) / dtype(1)
    weights = rng.integers(1, 5, 300)
    copies = np.repeat(x.astype(dtype), weights, axis=0)
    kind = sp.csr_array if sparse else np.asarray
    # The tolerance counts rows, not weights, as scikit-learn's does: 0 makes the two agree.
    kmeans = KMeans(6, init=x[:6].astype(float), tol=0)
    by_weight = kmeans.fit(kind(x.astype(dtype)), sample_weight=weights)
    found = by_weight.cluster_centers_.tobytes(), by_weight.inertia_, by_weight.inertia_history_.tolist()
    labels = np.repeat(by_weight.labels_, weights)
    by_copies = kmeans.fit(kind(copies))
    assert (by_copies.cluster_centers_.tobytes(), by_copies.inertia_, by_copies.inertia_history_.tolist()) == found
    assert by_copies.labels_.tolist() == labels.tolist()


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("init", ["k-means++", "random"])
def test_threads_change_nothing(rng, init, sparse):
    x = rng.normal(size=(2000, 40)) * (rng.random((2000, 40)) < 0.4)
    weights = rng.random(2000)
    kmeans = KMeans(8, init=init, n_init=3, random_state=0)
    outcomes = set()
    for threads in (1, 2, 7):
        kmeans.set_params(n_threads=threads).fit(sp.csr_array(x) if sparse else x, sample_weight=weights)
        outcomes.add((kmeans.cluster_centers_.tobytes(), kmeans.labels_.tobytes(), kmeans.inertia_, kmeans.n_iter_))
    assert len(outcomes) == 1


def test_company_changes_nothing(rng):
    x, weights = rng.normal(size=(500, 20)), rng.random(500)
    alone = run(x, x[:4], weights=weights)
    assert run(x, x[:4], weights=weights, threads=2, company=[x[5:7].copy(), x[9:20].copy()]) == alone


@pytest.mark.parametrize("init", ["k-means++", "random"])
def test_scaled_weights_and_equal_ones_change_nothing(rng, init):
    x, weights = rng.normal(size=(300, 5)), rng.random(300)
    kmeans = KMeans(5, init=init, n_init=2, random_state=0)

    def outcome(sample_weight):
        kmeans.fit(x, sample_weight=sample_weight)
        return kmeans.labels_.tolist(), kmeans.cluster_centers_.tobytes()

    assert outcome(weights) == outcome(weights / 4) == outcome(weights * 2.0**200)
    assert outcome(np.ones(300)) == outcome(None)


@pytest.mark.parametrize("init", ["k-means++", "random"])
def test_rows_without_weight_are_labelled_but_never_chosen_nor_counted(rng, init):
    x = rng.normal(size=(200, 3))
    weights = rng.random(200)
    weights[::2] = 0.0
    x[::2] += 100.0
    kmeans = KMeans(4, init=init, n_init=3, random_state=0).fit(x, sample_weight=weights)
    assert np.abs(kmeans.cluster_centers_).max() < 10
    assert kmeans.labels_.tolist() == naive.labels(x, kmeans.cluster_centers_).tolist()
    distances = naive.squared_distances(x, kmeans.cluster_centers_).min(1)
    assert kmeans.inertia_ == pytest.approx((weights * distances).sum(), rel=1e-9)
    assert kmeans.score(x, sample_weight=weights) == -kmeans.inertia_


def test_fewer_rows_with_weight_than_clusters(rng):
    x = rng.normal(size=(20, 3))
    weights = np.zeros(20)
    weights[:2] = 1.5
    for init in ("k-means++", "random"):
        kmeans = KMeans(4, init=init, n_init=1, random_state=0).fit(x, sample_weight=weights)
        assert kmeans.inertia_ == 0.0


WIDE = [
    ([1e8, 1e8, 1e8, 1e8, 1e-8, 1e-8], 1.805e-4), ([1e8, 1e8, 1e-8, 1e-8, 1e8, 1e8], 3.2e-7),
    ([1e-8, 1e-8, 1e8, 1e8, 1e-8, 1e-8], 1.805e-4),
]  # fmt: skip
KINDS = [np.asarray, sp.csr_array]


@pytest.mark.parametrize("kind", KINDS, ids=["dense", "sparse"])
@pytest.mark.parametrize(("weights", "inertia"), WIDE)
def test_weights_of_1e8_and_1e_8_both_count(kind, weights, inertia):
    x = kind(np.array([[1.0], [1.0], [5.0], [5.0], [100.0], [100.0]]))
    three = KMeans(3, init=[[0.0], [4.0], [90.0]], tol=0).fit(x, sample_weight=weights)
    assert three.cluster_centers_.ravel().tolist() == [1.0, 5.0, 100.0]
    assert three.inertia_ == 0.0
    two = KMeans(2, init=[[0.0], [4.0]], tol=0).fit(x, sample_weight=weights)
    assert two.inertia_ == pytest.approx(inertia, rel=1e-9)


@pytest.mark.parametrize("kind", KINDS, ids=["dense", "sparse"])
@pytest.mark.parametrize("lightest", [1e-6, 1e-12, 1e-14, 1e-20, 1e-60, 1e-300])
def test_clusters_of_light_points_have_right_centres(rng, kind, lightest):
    x = np.concatenate([rng.normal(0, 1, (40, 2)), rng.normal(1000, 1, (40, 2))])
    weights = rng.uniform(0.5, 1.5, 80) * np.repeat([1.0, lightest], 40)
    kmeans = KMeans(2, init=x[[0, 60]], tol=0).fit(kind(x), sample_weight=weights)
    means = [np.average(x[part], axis=0, weights=weights[part]) for part in (slice(40), slice(40, 80))]
    assert np.abs(kmeans.cluster_centers_ - means).max() < 1e-6
    assert kmeans.score(kind(x), sample_weight=weights) == -kmeans.inertia_


@settings(max_examples=18, deadline=None)
@given(problems(), st.sampled_from([1, 7]), st.booleans(), st.integers(0, 2**32 - 1))
def test_the_oracle_agrees_bit_for_bit_on_weights_of_any_size(problem, threads, sparse, seed):
    x, start = problem
    drawn = np.random.default_rng(seed)
    whole = drawn.integers(0, 4, len(x)).astype(object) * [1 << power for power in drawn.choice([0, 50, 130], len(x))]
    whole[0] = 3 << 130
    placed = naive.sparse_grid(x) if sparse else None
    labels, centroids, history, inertia, stop = naive.lloyd(x, start, weights=whole, max_iter=6, placed=placed)
    weights = whole.astype(float)
    found = run(sp.csr_array(x) if sparse else x, start, weights=weights, threads=threads)
    expected = labels.tolist(), centroids.tobytes(), tuple(history), inertia, stop
    assert naive.same(found, expected, 2.0**132 * np.square(x.astype(float)).sum())


def test_batches_and_starts_know_of_light_points(rng):
    x, weights = np.repeat([[0.0], [5.0], [9.0]], 20, axis=0), np.repeat([1.0, 1.0, 1e-30], 20)
    for init in ("k-means++", "random"):
        found = KMeans(3, init=init, n_init=20, random_state=0).fit(x, sample_weight=weights)
        assert sorted(found.cluster_centers_.ravel().tolist()) == [0.0, 5.0, 9.0]
    learnt = MiniBatchKMeans(3, init=np.array([[0.0], [5.0], [8.0]]), reassignment_ratio=0).partial_fit(
        x, sample_weight=weights
    )
    assert learnt.cluster_centers_.ravel().tolist() == [0.0, 5.0, 9.0]


def test_weights_on_a_grid():
    assert weigh(None).counts is None
    assert weigh(np.ones(5)).counts is None
    whole = weigh(np.array([2.0, 0.0, 7.0]))
    assert (whole.counts.tolist(), whole.unit) == ([2, 0, 7], 1.0)
    for scale in (1.0, 1e-280, 1e300):
        weights = np.array([0.1, 0.25, 0.7]) * scale
        put = weigh(weights)
        assert np.allclose(put.counts * put.unit, weights, rtol=2.0**-43, atol=0.0)
        assert 2**45 <= put.counts.sum() <= 2**46 + 3
    large = weigh(np.array([2.0**50, 1.0]))
    assert large.counts.sum() <= 2**46


@pytest.mark.parametrize("n", [1, 2, 3, 1000])
def test_levels_of_weights_add_up_to_the_weights_and_no_level_overflows(rng, n):
    weights = np.ldexp(rng.random(n), rng.integers(-1000, 1000, n))
    put = weigh(weights)
    unit, total = Fraction(put.unit), [Fraction(0)] * n
    for place, level in enumerate(put.levels):
        assert level.min() >= 0
        assert level.sum() <= 2**46 + n
        total = [a + b * unit / 2 ** (place * put.digits) for a, b in zip(total, level.tolist(), strict=True)]
    assert max(abs(a / Fraction(b) - 1) for a, b in zip(total, weights.tolist(), strict=True)) <= Fraction(1, 2**21)
    assert ((put.levels[0] > 0) | (weights < put.unit)).all()
    counted = drawn(put.levels)
    assert (counted > 0).all()


@pytest.mark.parametrize(
    "bad", [[1.0, -1.0], [0.0, 0.0], [1.0, np.nan], [1.0, np.inf], [1e308, 1e308], [1e-305, 2e-305], [5e-324, 0.0]]
)
def test_weights_out_of_range_are_refused(bad):
    with pytest.raises(DataError, match=r"[Ww]eights"):
        weigh(np.array(bad))
    with pytest.raises(ValueError, match=r"(?i)weight"):
        KMeans(1).fit([[1.0], [2.0]], sample_weight=bad)
