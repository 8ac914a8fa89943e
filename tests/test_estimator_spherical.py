"""The parts of SphericalKMeans that other estimators do not have."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

import steinhaus
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


def test_rows_whose_squares_overflow_or_underflow_get_length_1():
    tiny = 2.0**-1060
    x = [[3e200, -4e200], [3e-200, 4e-200], [3 * tiny, 4 * tiny], [1e300, 1e-300], [0.0, 0.0], [5e-324, 0.0]]
    expected = [[0.6, -0.8], [0.6, 0.8], [0.6, 0.8], [1.0, 0.0], [0.0, 0.0], [1.0, 0.0]]
    np.testing.assert_allclose(unit(np.array(x * 2)), expected * 2, rtol=1e-15)


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.float32, np.float64])
@pytest.mark.parametrize("shape", [(1, 1), (7, 3), (8, 17), (70_001, 5)])
def test_lengths_are_summed_in_the_order_of_the_features(dtype, shape, rng):
    x = np.where(rng.random((shape[0], 1)) < 0.1, 0, 100 * rng.random(shape)).astype(dtype)
    squares = np.zeros(shape[0])
    for column in x.astype(np.float64).T:
        squares += column * column
    lengths = np.sqrt(np.where(squares > 0, squares, 1.0))
    wanted = (x.astype(np.float64) / lengths[:, np.newaxis]).astype(np.float32 if dtype is np.float32 else np.float64)
    for threads in (1, 3):
        assert unit(x, threads=threads).tobytes() == wanted.tobytes()


def test_spherical_models_are_saved(x, tmp_path):
    spherical = SphericalKMeans(3, random_state=0).fit(x)
    spherical.save(tmp_path / "a")
    again = steinhaus.load(tmp_path / "a")
    assert type(again) is SphericalKMeans
    assert again.predict(x).tolist() == spherical.labels_.tolist()
