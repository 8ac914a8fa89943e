"""SphericalKMeans and MiniBatchKMeans: what is theirs alone."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

import naive
import steinhaus
from steinhaus import KMeans, MiniBatchKMeans
from steinhaus.estimators.spherical import SphericalKMeans, unit


@pytest.fixture
def x(rng):
    return rng.normal(size=(4, 10))[rng.integers(4, size=500)] + 0.3 * rng.normal(size=(500, 10))


def plain_spherical(x, centroids, iterations):
    """Spherical k-means in so many words."""
    x = x / np.linalg.norm(x, axis=1, keepdims=True)
    for _ in range(iterations):
        labels = (x @ centroids.T).argmax(1)
        sums = np.stack([x[labels == j].sum(0) for j in range(len(centroids))])
        centroids = sums / np.linalg.norm(sums, axis=1, keepdims=True)
    return (x @ centroids.T).argmax(1), centroids


def test_spherical_goes_by_angles(x, rng):
    x = x * rng.uniform(0.1, 10, (500, 1))
    start = unit(x[:4])
    spherical = SphericalKMeans(4, init=start, tol=0).fit(x)
    labels, centroids = plain_spherical(x, start, spherical.n_iter_)
    assert spherical.labels_.tolist() == labels.tolist()
    assert np.allclose(spherical.cluster_centers_, centroids)
    assert np.allclose(np.linalg.norm(spherical.cluster_centers_, axis=1), 1)
    cosines = unit(x) @ spherical.cluster_centers_.T
    assert np.allclose(spherical.transform(x) ** 2, 2 - 2 * cosines)
    assert spherical.inertia_ == pytest.approx((2 - 2 * cosines.max(1)).sum())
    assert np.all(np.diff(spherical.inertia_history_) <= 1e-12)


def test_spherical_does_not_see_lengths(x, rng):
    spherical = SphericalKMeans(4, random_state=0)
    labels = spherical.fit(x).labels_.tolist()
    stretched = x * 2.0 ** rng.integers(-5, 5, (500, 1))
    assert spherical.fit(stretched).labels_.tolist() == spherical.predict(5 * x).tolist() == labels


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_unit_rows(dtype, rng):
    x = (rng.normal(size=(30, 7)) * (rng.random((30, 7)) < 0.5)).astype(dtype)
    x[3] = 0
    rows = unit(x)
    assert rows.dtype == dtype
    assert np.allclose(np.linalg.norm(rows, axis=1), np.where(x.any(1), 1, 0))
    sparse = unit(sp.csr_array(x))
    assert sparse.dtype == dtype
    assert np.array_equal(sparse.toarray(), rows)


def test_spherical_models_are_saved(x, tmp_path):
    spherical = SphericalKMeans(3, random_state=0).fit(x)
    spherical.save(tmp_path / "a")
    again = steinhaus.load(tmp_path / "a")
    assert type(again) is SphericalKMeans
    assert again.predict(x).tolist() == spherical.labels_.tolist()


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
    for threads in (1, 2):
        kmeans = MiniBatchKMeans(4, batch_size=64, random_state=0, n_threads=threads).fit(rows)
        outcomes.add((kmeans.cluster_centers_.tobytes(), kmeans.labels_.tobytes(), kmeans.inertia_, kmeans.n_steps_))
    assert len(outcomes) == 1
    assert 0.999 * full.inertia_ < kmeans.inertia_ < 1.05 * full.inertia_
    assert kmeans.score(rows) == -kmeans.inertia_
    assert kmeans.labels_.tolist() == kmeans.predict(x).tolist()


def test_passes_end_where_the_inertia_falls_too_little(x):
    passes = {
        tol: MiniBatchKMeans(8, batch_size=50, random_state=0, tol=tol, max_iter=30).fit(x).n_iter_
        for tol in (0.0, 1e-3, 0.5)
    }
    assert 2 == passes[0.5] < passes[1e-3] < passes[0.0]
    assert MiniBatchKMeans(4, batch_size=50, random_state=0, max_iter=1).fit(x).n_iter_ == 1


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
