"""`k_means` and `kmeans_plusplus`, compared with scikit-learn's."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn import cluster

from steinhaus import KMeans, k_means, kmeans_plusplus


@pytest.fixture
def x(rng):
    return 10 * rng.normal(size=(5, 6))[rng.integers(5, size=300)] + rng.normal(size=(300, 6))


@pytest.mark.parametrize("ours", [k_means, kmeans_plusplus])
def test_parameters_and_defaults_are_scikit_learns(ours):
    def told(function):
        parameters = inspect.signature(function).parameters.values()
        return [(parameter.name, parameter.kind, parameter.default) for parameter in parameters]

    assert told(ours) == told(getattr(cluster, ours.__name__))


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_k_means_from_a_start_is_scikit_learns(x, dtype, weighted, rng):
    x = x.astype(dtype)
    options = {"init": x[:5], "sample_weight": rng.integers(1, 4, 300) if weighted else None, "return_n_iter": True}
    ours, theirs = k_means(x, 5, **options), cluster.k_means(x, 5, **options)
    assert [np.shape(part) for part in ours] == [np.shape(part) for part in theirs]
    assert [np.asarray(part).dtype for part in ours] == [np.asarray(part).dtype for part in theirs]
    assert np.allclose(ours[0], theirs[0], rtol=1e-5, atol=1e-5)
    assert ours[1].tolist() == theirs[1].tolist()
    assert ours[2] == pytest.approx(theirs[2], rel=1e-5)
    assert ours[3] == theirs[3]


def test_k_means_is_a_fit_of_kmeans(x, rng):
    weights = rng.random(300)
    options = {"init": "random", "n_init": 2, "max_iter": 4, "tol": 0.0, "random_state": 3}
    kmeans = KMeans(4, **options).fit(x, sample_weight=weights)
    centroids, labels, inertia = k_means(x, 4, sample_weight=weights, **options)
    assert centroids.tobytes() == kmeans.cluster_centers_.tobytes()
    assert labels.tobytes() == kmeans.labels_.tobytes()
    assert inertia == kmeans.inertia_


@pytest.mark.parametrize("kind", [np.asarray, sp.csr_array, sp.csc_matrix, np.ndarray.tolist])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint8])
def test_rows_that_kmeans_plusplus_chooses(x, kind, dtype):
    x = np.abs(x).astype(dtype)
    centers, indices = kmeans_plusplus(kind(x), 5, random_state=0)
    assert indices.shape == (5,)
    assert len(set(indices.tolist())) == 5
    assert np.array_equal(centers, x[indices])
    if kind is not np.ndarray.tolist:
        assert centers.dtype == dtype


def test_kmeans_begins_with_the_same_rows(x):
    centers, _ = kmeans_plusplus(x, 5, random_state=7)
    begun = KMeans(5, init=centers, max_iter=1).fit(x)
    assert KMeans(5, random_state=7, max_iter=1).fit(x).cluster_centers_.tobytes() == begun.cluster_centers_.tobytes()


def test_more_trials_find_better_rows_and_rows_without_weight_are_not_taken(x):
    def cost(trials):
        found = [kmeans_plusplus(x, 5, random_state=seed, n_local_trials=trials)[0] for seed in range(30)]
        return sum(KMeans(5, init=start, max_iter=1).fit(x).inertia_history_[0] for start in found)

    assert cost(20) < cost(1)
    weights = np.arange(300) % 2
    for seed in range(10):
        assert all(kmeans_plusplus(x, 9, sample_weight=weights, random_state=seed)[1] % 2 == 1)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: kmeans_plusplus(x, 301), "n_samples=300 should be >= n_clusters=301"),
        (lambda x: kmeans_plusplus(x, 0), "'n_clusters' parameter of kmeans_plusplus"),
        (lambda x: kmeans_plusplus(x, 2, n_local_trials=0), "'n_local_trials' parameter of kmeans_plusplus"),
        (lambda x: kmeans_plusplus(x, 2, x_squared_norms=x[:3, 0]), "length of x_squared_norms 3 should be equal"),
        (lambda x: kmeans_plusplus(np.where(x > 5, np.nan, x), 2), "contains NaN"),
        (lambda x: k_means(x, 301), "n_samples=300 should be >= n_clusters=301"),
        (lambda x: k_means(x, 2, return_n_iter=3), "'return_n_iter' parameter of k_means"),
        (lambda x: k_means(x, 2, tol=-1), "'tol' parameter of k_means"),
    ],
)
def test_what_is_refused(x, call, message):
    with pytest.raises(ValueError, match=message):
        call(x)
