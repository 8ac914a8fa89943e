"""The parts of MiniBatchKMeans that other estimators do not have."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.cluster import MiniBatchKMeans as Theirs

import naive
import steinhaus
from steinhaus import KMeans, MiniBatchKMeans
from steinhaus.estimators.improving import Improvement
from steinhaus.estimators.supply import Supply
from steinhaus.seeding import Stream


@pytest.fixture
def x(rng):
    return rng.normal(size=(4, 10))[rng.integers(4, size=500)] + 0.3 * rng.normal(size=(500, 10))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_saved_stream_goes_on_where_it_was(x, dtype, tmp_path):
    x = x.astype(dtype)
    kmeans = MiniBatchKMeans(3, random_state=0).partial_fit(x[:200])
    kmeans.save(tmp_path / "a")
    again = steinhaus.load(tmp_path / "a")
    assert (
        again.partial_fit(x[200:]).cluster_centers_.tobytes() == kmeans.partial_fit(x[200:]).cluster_centers_.tobytes()
    )
    assert (again.n_steps_, again.counts_.tolist()) == (kmeans.n_steps_, kmeans.counts_.tolist())


def test_a_mini_batch_of_everything_is_one_iteration(x):
    start = x[:4].copy()
    once = MiniBatchKMeans(4, init=start).partial_fit(x)
    labels = naive.labels(x, start)
    assert np.allclose(once.cluster_centers_, [x[labels == j].mean(0) for j in range(4)])
    assert once.counts_.tolist() == np.bincount(labels).tolist()


def test_centroids_are_means_of_all_that_was_given_to_them(x):
    kmeans = MiniBatchKMeans(4, init=x[:4].copy())
    centroids, sums, counts = x[:4].copy(), np.zeros((4, 10)), np.zeros(4)
    for batch in np.split(x, 10):
        labels = naive.labels(batch, centroids)
        for j in range(4):
            sums[j] += batch[labels == j].sum(0)
            counts[j] += (labels == j).sum()
        centroids = np.where(counts[:, np.newaxis] > 0, sums / np.maximum(counts, 1)[:, np.newaxis], centroids)
        kmeans.partial_fit(batch)
        assert np.allclose(kmeans.cluster_centers_, centroids)
        assert kmeans.labels_.tolist() == naive.labels(batch, kmeans.cluster_centers_).tolist()
    assert kmeans.n_steps_ == 10


@pytest.mark.parametrize("sparse", [False, True])
def test_mini_batches_come_close_and_are_reproducible(x, sparse):
    full = KMeans(4, n_init=5, random_state=0).fit(x)
    rows = sp.csr_array(x) if sparse else x
    outcomes = set()
    for threads in (1, 2, 7):
        kmeans = MiniBatchKMeans(4, batch_size=64, random_state=0, n_threads=threads).fit(rows)
        outcomes.add((kmeans.cluster_centers_.tobytes(), kmeans.labels_.tobytes(), kmeans.inertia_, kmeans.n_steps_))
    assert len(outcomes) == 1
    assert 0.999 * full.inertia_ < kmeans.inertia_ < 1.05 * full.inertia_
    assert kmeans.score(rows) == -kmeans.inertia_
    assert kmeans.labels_.tolist() == kmeans.predict(x).tolist()


def test_fit_ends_by_scikit_learns_rules(x):
    def steps(**options):
        kmeans = MiniBatchKMeans(8, batch_size=50, random_state=0, max_iter=30, **options).fit(x)
        assert kmeans.n_iter_ == -(-kmeans.n_steps_ * 50 // 500)
        return kmeans.n_steps_

    assert steps(max_no_improvement=None) == 300
    assert steps(max_no_improvement=None, tol=1e-3) < 300
    assert steps(max_no_improvement=None, tol=1e9) == 2
    assert steps(max_no_improvement=2) < steps(max_no_improvement=10) < 300
    assert MiniBatchKMeans(4, batch_size=70, max_iter=1, max_no_improvement=None).fit(x).n_steps_ == 500 // 70


@pytest.mark.parametrize(("patience", "tolerance"), [(3, 0.0), (None, 0.02), (0, 0.0)])
def test_improvement_is_scikit_learns(patience, tolerance, rng):
    theirs = Theirs(max_no_improvement=patience)
    theirs._batch_size, theirs._tol, theirs._no_improvement = 20, tolerance, 0
    theirs._ewa_inertia = theirs._ewa_inertia_min = None
    ours = Improvement(batch_size=20, n=100, steps=60, tolerance=tolerance, patience=patience, verbose=False)
    for step in range(60):
        inertia, moved = 20 / (step + 1) + rng.random(), rng.random()
        ends = theirs._mini_batch_convergence(step, 60, 100, moved, inertia)
        assert ours.ends(inertia, moved) == ends
        if step:
            assert ours.smoothed == pytest.approx(theirs._ewa_inertia, rel=1e-14)
        if ends:
            return
    assert patience is None


def test_parameters_and_defaults_are_scikit_learns():
    theirs, ours = (inspect.signature(kind).parameters for kind in (Theirs, MiniBatchKMeans))
    told = {name: parameter.default for name, parameter in ours.items()}
    assert {name: parameter.default for name, parameter in theirs.items()}.items() <= told.items()
    assert set(ours) - set(theirs) == {"n_threads"}


def test_small_clusters_are_begun_anew(x):
    start = np.vstack([x[:3], np.full((1, 10), 1e3)])
    kept = MiniBatchKMeans(4, init=start, reassignment_ratio=0, random_state=0).fit(x)
    assert kept.cluster_centers_[3].tolist() == start[3].tolist()
    assert kept.counts_[3] == 0
    anew = MiniBatchKMeans(4, init=start, random_state=0).fit(x)
    assert anew.counts_.min() > 0
    assert np.abs(anew.cluster_centers_).max() < 10
    once = MiniBatchKMeans(4, init=start, random_state=0).partial_fit(x)
    assert once.cluster_centers_[3].tolist() in x.tolist()
    assert once.counts_[3] == once.counts_[:3].min()


def test_reassignment_of_all_but_the_largest_and_of_half_a_batch(x):
    counts = np.bincount(naive.labels(x, x[:4]))
    once = MiniBatchKMeans(4, init=x[:4].copy(), reassignment_ratio=5.0, random_state=0).partial_fit(x)
    assert once.counts_.tolist() == [counts.max()] * 4
    moved = MiniBatchKMeans(4, init=x[:4].copy(), reassignment_ratio=0).partial_fit(x).cluster_centers_
    same = (once.cluster_centers_ == moved).all(axis=1)
    assert same.tolist() == (np.arange(4) == counts.argmax()).tolist()
    kmeans = MiniBatchKMeans(6, init=x[:6].copy(), reassignment_ratio=1.0, random_state=0).partial_fit(x[:6])
    kmeans.counts_[:] = [9, 1, 2, 3, 4, 5]
    before = kmeans.cluster_centers_
    kmeans._since = 10**6
    kmeans.partial_fit(x[:4])
    assert (kmeans.cluster_centers_ != before).any(axis=1).sum() <= 4 + 2


def test_the_best_of_several_starts_is_taken(x, capsys):
    MiniBatchKMeans(4, init="random", random_state=3, n_init=5, verbose=1, max_iter=1, batch_size=100).fit(x)
    lines = capsys.readouterr().out.splitlines()
    draws = Stream(3, 4, 0, 1)
    rows, batch = draws.integers(300, 500), draws.integers(100, 500)
    streams = [Stream(3, 4, restart) for restart in range(5)]
    starts = [x[stream.distinct(300, 500)][stream.distinct(4, 300)] for stream in streams]
    costs = [naive.squared_distances(x[rows], start).min(1).sum() for start in starts]
    assert [float(line.split(": ")[1]) for line in lines[:5]] == pytest.approx(costs, rel=1e-13)
    mean = naive.squared_distances(x[batch], starts[np.argmin(costs)]).min(1).mean()
    assert lines[5].startswith("Minibatch step 1/5: mean batch inertia: ")
    assert float(lines[5].split(": ")[2]) == pytest.approx(mean, rel=1e-13)


def test_no_labels_where_none_are_asked_for(x, tmp_path):
    options = {"random_state": 0, "batch_size": 100}
    full = MiniBatchKMeans(4, **options).fit(x)
    bare = MiniBatchKMeans(4, compute_labels=False, **options).fit(x)
    assert not hasattr(bare, "labels_")
    assert bare.cluster_centers_.tobytes() == full.cluster_centers_.tobytes()
    assert bare.inertia_ == pytest.approx(full.inertia_, rel=0.1)
    assert bare._repr_html_()
    bare.save(tmp_path / "a")
    again = steinhaus.load(tmp_path / "a")
    assert not hasattr(again, "labels_")
    assert again.predict(x).tolist() == full.labels_.tolist()
    assert not hasattr(full.set_params(compute_labels=False).fit(x), "labels_")
    once = MiniBatchKMeans(4, compute_labels=False, batch_size=500, max_iter=1).fit(x)
    assert once.inertia_ > 0


def test_rows_are_drawn_by_weight(x, rng):
    weights = np.where(np.arange(500) % 3, rng.random(500), 0.0)
    spoilt = np.where(weights[:, np.newaxis] > 0, x, 1e6)
    kmeans = MiniBatchKMeans(4, random_state=0).fit(spoilt, sample_weight=weights)
    assert np.abs(kmeans.cluster_centers_).max() < 10
    full = KMeans(4, random_state=0).fit(spoilt, sample_weight=weights)
    assert kmeans.inertia_ < 1.1 * full.inertia_
    few = np.eye(500)[:3].sum(0)
    assert MiniBatchKMeans(5, random_state=0).fit(x, sample_weight=few).cluster_centers_.shape == (5, 10)


@pytest.mark.parametrize(("m", "n"), [(1, 2), (2, 4), (3, 5), (5, 10), (4, 40)])
def test_rows_to_start_from_are_drawn_evenly(m, n):
    supply = Supply(np.zeros((n, 1)), None, 1)
    drawn = np.array([supply.distinct(m, 1, Stream(seed)) for seed in range(3000)])
    assert all(len(set(rows)) == m for rows in drawn.tolist())
    for place in range(m):  # each row in each place as often as any other, within five standard deviations
        counts = np.bincount(drawn[:, place], minlength=n)
        assert np.abs(counts - 3000 / n).max() < 5 * np.sqrt(3000 / n)


def test_init_may_be_a_function_of_the_rows_that_are_looked_at(x):
    shapes = []

    def first_rows(rows, n_clusters, random_state):
        shapes.append(rows.shape)
        return rows[:n_clusters] + random_state.random()

    MiniBatchKMeans(4, init=first_rows, init_size=30, random_state=0).fit(x)
    assert shapes == [(30, 10)] * 3
    with pytest.warns(RuntimeWarning, match=r"init_size=3 should be larger than n_clusters=4") as warned:
        MiniBatchKMeans(4, init=first_rows, init_size=3, random_state=0).fit(x)
    assert warned[0].filename == __file__
    assert shapes[3:] == [(12, 10)] * 3
    with pytest.warns(
        RuntimeWarning, match="performing only one init in MiniBatchKMeans instead of n_init=2"
    ) as warned:
        MiniBatchKMeans(4, init=x[:4], n_init=2).partial_fit(x)
    assert warned[0].filename == __file__


def test_a_dask_collection_is_refused_with_the_way_out(x):
    collection = pytest.importorskip("dask.array").from_array(x, chunks=100)
    with pytest.raises(ValueError, match="partial_fit"):
        MiniBatchKMeans(4).fit(collection)


def test_weights_count_in_batches(x, rng):
    weights = rng.integers(1, 4, 500)
    by_weight = MiniBatchKMeans(3, init=x[:3]).partial_fit(x, sample_weight=weights)
    by_copies = MiniBatchKMeans(3, init=x[:3]).partial_fit(np.repeat(x, weights, axis=0))
    assert by_weight.counts_.tolist() == by_copies.counts_.tolist()
    assert by_weight.cluster_centers_.tobytes() == by_copies.cluster_centers_.tobytes()


def test_a_first_batch_needs_a_row_for_each_cluster(x):
    with pytest.raises(ValueError, match="n_samples=5 should be >= n_clusters=8"):
        MiniBatchKMeans(8).partial_fit(x[:5])
    kmeans = MiniBatchKMeans(4, random_state=0).partial_fit(x[:100])
    assert len(kmeans.partial_fit(x[100:102]).labels_) == 2
    with pytest.raises(ValueError, match="expecting 10 features"):
        kmeans.partial_fit(x[:, :5])
