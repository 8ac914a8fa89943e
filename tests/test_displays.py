"""Displays draw the values of estimators and studies."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pytest
from sklearn.metrics import davies_bouldin_score, silhouette_samples

from steinhaus import KMeans, MiniBatchKMeans, SteinhausError
from steinhaus.displays import (
    CentroidsDisplay,
    ConfusionDisplay,
    ElbowDisplay,
    InertiaDisplay,
    KAdvice,
    SilhouetteDisplay,
)  # fmt: skip
from steinhaus.displays.silhouette import silhouettes


@pytest.fixture(autouse=True)
def _close_figures():
    mpl.use("agg")
    yield
    mpl.pyplot.close("all")


@pytest.fixture(scope="module")
def x():
    rng = np.random.default_rng(0)
    return rng.normal(scale=4, size=(3, 64))[rng.integers(3, size=120)] + rng.normal(size=(120, 64))


@pytest.fixture(scope="module")
def kmeans(x):
    return KMeans(3, init="random", n_init=4, random_state=0).fit(x)


@pytest.fixture(scope="module")
def study():
    from steinhaus import Study
    from steinhaus.images import open_images

    return Study(k=(2, 4), restarts=2, max_iter=5).run(open_images("digits"))


def test_inertia_of_every_restart(kmeans):
    display = InertiaDisplay.from_estimator(kmeans)
    lines = display.ax_.get_lines()
    assert [line.get_ydata().tolist() for line in lines] == [list(run.inertia_history) for run in kmeans.runs_]
    assert f"restart {display.best}, the best" in [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert kmeans.runs_[display.best].inertia == kmeans.inertia_


def test_elbow_shows_every_restart_and_joins_the_best(x):
    estimators = [KMeans(k, init="random", n_init=3, random_state=0).fit(x) for k in (4, 2)]
    display = ElbowDisplay.from_estimator(estimators)
    assert list(display.inertias) == [2, 4]
    joined = display.ax_.get_lines()[-1]
    assert list(joined.get_ydata()) == [estimators[1].inertia_, estimators[0].inertia_]


def test_centroids_of_one_shape(kmeans):
    display = CentroidsDisplay.from_estimator(kmeans)
    assert display.images.shape == (3, 8, 8)
    assert [text.get_text() for text in display.ax_.texts] == [
        f"{j}: {size}" for j, size in enumerate(np.bincount(kmeans.labels_))
    ]
    assert CentroidsDisplay.from_estimator(kmeans, image_shape=(4, 16)).images.shape == (3, 4, 16)
    with pytest.raises(SteinhausError, match=r"\(7, 7\), but there are 64 features"):
        CentroidsDisplay.from_estimator(kmeans, image_shape=(7, 7))
    with pytest.raises(SteinhausError, match="compute_labels=True"):
        CentroidsDisplay.from_estimator(MiniBatchKMeans(2, compute_labels=False).fit(kmeans.cluster_centers_))


def test_silhouettes_say_which_they_are(x, kmeans):
    exact = SilhouetteDisplay.from_estimator(kmeans, x, kind="exact")
    assert np.allclose(exact.values, silhouette_samples(x, kmeans.labels_))
    assert "exact" in exact.ax_.get_title()
    simple = SilhouetteDisplay.from_estimator(kmeans, x)
    assert "simplified" in simple.ax_.get_title()
    distances = np.sqrt(((x[:, np.newaxis] - kmeans.cluster_centers_) ** 2).sum(2))
    nearest = np.sort(distances, axis=1)
    assert np.allclose(simple.values, 1 - nearest[:, 0] / nearest[:, 1])
    with pytest.raises(SteinhausError, match="at least 2 clusters"):
        silhouettes(x, np.zeros(120, np.int32))


def test_confusion_counts_points(x, kmeans):
    y = np.where(kmeans.labels_ == 1, "one", "rest")
    display = ConfusionDisplay.from_estimator(kmeans, x, y)
    sizes = np.bincount(kmeans.labels_)
    assert display.table.tolist() == [[0, sizes[0]], [sizes[1], 0], [0, sizes[2]]]
    assert [tick.get_text() for tick in display.ax_.get_xticklabels()] == ["one", "rest"]


def test_displays_of_a_study(study):
    record = study.record
    assert InertiaDisplay.from_study(study, 4).histories == [run.inertia for run in record.runs if run.k == 4]
    assert list(ElbowDisplay.from_study(study).inertias) == [2, 4]
    assert CentroidsDisplay.from_study(study, 4).images.shape == (4, 8, 8)
    assert ConfusionDisplay.from_study(study, 2).table.sum() == record.data.n_train
    assert SilhouetteDisplay.from_study(study, 2).labels.tolist() == study.labels(2).tolist()
    with pytest.raises(SteinhausError, match=r"no finished run of K = 3. Its K are \[2, 4\]"):
        InertiaDisplay.from_study(study, 3)


def test_they_draw_on_axes_that_are_given(kmeans):
    _, ax = mpl.pyplot.subplots()
    display = InertiaDisplay.from_estimator(kmeans, ax=ax)
    assert display.ax_ is ax
    assert display.figure_ is ax.figure
    assert display.plot() is not ax


def test_advice_shows_four_criteria_and_says_when_they_disagree(x):
    estimators = [KMeans(k, n_init=3, random_state=0).fit(x) for k in (2, 3, 4, 6)]
    advice = KAdvice.from_estimator(estimators, x)
    assert advice.favourites == dict.fromkeys(("knee", "silhouette", "Calinski-Harabasz", "Davies-Bouldin"), 3)
    assert "All four favour the same K" in str(advice)
    assert advice.davies_bouldin[1] == davies_bouldin_score(x, estimators[1].labels_)
    advice.silhouette[3] = 1.0
    assert "The criteria disagree" in str(advice)
    assert "silhouette K = 6" in str(advice)
    ax = advice.plot()
    assert len(ax.child_axes) == 4
    with pytest.raises(SteinhausError, match="at least three"):
        KAdvice.from_estimator(estimators[:2], x)
