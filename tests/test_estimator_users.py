"""KMeans in code written for scikit-learn: usual uses, and usual mistakes."""

from __future__ import annotations

import copy
import pickle
import threading
import warnings

import joblib
import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from steinhaus import KMeans, MiniBatchKMeans, SphericalKMeans

ALL = [KMeans, MiniBatchKMeans, SphericalKMeans]


@pytest.fixture(scope="module")
def digits():
    return load_digits(as_frame=True).data


def test_lists_and_plain_mistakes():
    assert KMeans(2).fit([[0, 0], [1, 1], [9, 9]]).labels_.tolist() in ([0, 0, 1], [1, 1, 0])
    for x, message in (
        ([1, 2, 3], "Expected 2D array"),
        ([["a"], ["b"]], "could not convert string"),
        ([[1.0, 2.0]] * 3, "n_samples=3 should be >= n_clusters=8"),
    ):
        with pytest.raises(ValueError, match=message):
            KMeans(n_clusters=8).fit(x)


def test_names_of_features_must_be_those_of_the_fit(digits):
    kmeans = KMeans(3, random_state=0).fit(digits)
    for other in (digits.rename(columns={"pixel_0_0": "other"}), digits[digits.columns[::-1]]):
        with pytest.raises(ValueError, match="feature names should match"):
            kmeans.predict(other)
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        labels = kmeans.predict(digits.to_numpy())
    assert labels.tolist() == kmeans.labels_.tolist()
    with pytest.raises(ValueError, match="X has 5 features, but KMeans is expecting 64"):
        KMeans(3, random_state=0).fit(digits.to_numpy()).predict(digits.to_numpy()[:, :5])


def named(x):
    return pd.DataFrame(x, columns=[f"f{t}" for t in range(x.shape[1])])


PLAIN = np.arange(12.0).reshape(4, 3)
ARRAYS = {
    "as it is": PLAIN, "one row": PLAIN[:1], "float32": PLAIN.astype(np.float32), "bytes": PLAIN.astype(np.uint8),
    "another order": np.asfortranarray(PLAIN), "every other row": PLAIN[::2], "swapped bytes": PLAIN.astype(">f8"),
    "float16": PLAIN.astype(np.float16), "booleans": PLAIN > 5, "objects": PLAIN.astype(object),
    "strings": PLAIN.astype(str), "complex": PLAIN.astype(complex), "one dimension": PLAIN[0],
    "three dimensions": PLAIN[np.newaxis], "a number": np.array(1.0), "no rows": PLAIN[:0], "no columns": PLAIN[:, :0],
    "too few columns": PLAIN[:, :2].copy(), "masked": np.ma.masked_array(PLAIN), "a matrix": PLAIN.view(np.matrix),
    "dates": PLAIN.astype("M8[s]"), "NaN": np.where(PLAIN == 7, np.nan, PLAIN),
    "infinity": np.where(PLAIN == 7, np.inf, PLAIN),
    "large": np.where(PLAIN == 7, 1e300, PLAIN),
}  # fmt: skip


@pytest.mark.parametrize("fitted", [PLAIN, named(PLAIN)], ids=["array", "frame"])
@pytest.mark.parametrize("reset", [True, False])
@pytest.mark.parametrize("name", ARRAYS)
def test_what_needs_no_change_is_what_scikit_learn_would_have_left(name, reset, fitted, monkeypatch):
    def outcome():
        kmeans = KMeans(1).fit(fitted)
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            try:
                x = kmeans._validated(ARRAYS[name], reset=reset)
            except (ValueError, TypeError) as error:
                return type(error), str(error)
        kept = getattr(kmeans, "feature_names_in_", None)
        told = [str(warning.message) for warning in warned]
        return type(x), x.dtype, x.tobytes(), kmeans.n_features_in_, kept is None, told

    ours = outcome()
    monkeypatch.setattr(KMeans, "_needs_no_change", lambda *_, **__: False)
    assert outcome() == ours


@pytest.mark.parametrize("estimator", ALL)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_what_is_not_finite_is_named_as_by_scikit_learn(estimator, dtype, rng):
    x = rng.normal(size=(50, 20)).astype(dtype)
    fitted = estimator(2, random_state=0).fit(x)
    for bad, message in ((np.nan, "Input X contains NaN"), (np.inf, "Input X contains infinity")):
        spoilt = x.copy()
        spoilt[41, 17] = bad
        for call in (estimator(2, random_state=0).fit, fitted.predict, fitted.transform, fitted.score):
            with pytest.raises(ValueError, match=message):
                call(spoilt)


def test_columns_of_several_types_and_missing_values(digits):
    plain = KMeans(3, random_state=0).fit(digits)
    mixed = digits.assign(pixel_0_1=digits.pixel_0_1.astype("float32"), pixel_0_2=digits.pixel_0_2.astype("int8"))
    for x in (mixed, digits.convert_dtypes()):
        assert KMeans(3, random_state=0).fit(x).labels_.tolist() == plain.labels_.tolist()
    with pytest.raises(ValueError, match="contains NaN"):
        KMeans(3).fit(digits.convert_dtypes().mask(digits == 3))
    columns = ColumnTransformer([("k", KMeans(2, random_state=0), ["pixel_3_3", "pixel_4_4"])])
    assert columns.set_output(transform="pandas").fit_transform(digits).columns.tolist() == ["k__kmeans0", "k__kmeans1"]


@pytest.mark.parametrize("estimator", ALL)
def test_copies_predict_the_same(estimator, digits):
    kmeans = estimator(4, random_state=0).fit(digits)
    for again in (copy.deepcopy(kmeans), pickle.loads(pickle.dumps(kmeans))):
        assert again.predict(digits).tolist() == kmeans.predict(digits).tolist()
        assert repr(again) == repr(kmeans)


def test_weights_are_routed(digits):
    weights = np.arange(len(digits)) % 3
    with sklearn.config_context(enable_metadata_routing=True):
        pipe = make_pipeline(
            StandardScaler().set_fit_request(sample_weight=False),
            KMeans(3, random_state=0).set_fit_request(sample_weight=True).set_score_request(sample_weight=True),
        )
        score = pipe.fit(digits, sample_weight=weights).score(digits, sample_weight=weights)
    scaled = StandardScaler().fit_transform(digits)
    assert score == KMeans(3, random_state=0).fit(scaled, sample_weight=weights).score(scaled, sample_weight=weights)


def threads_used(seed):
    """How many threads of ours a fit of joblib's process begins."""
    begun = []
    start = threading.Thread.start
    threading.Thread.start = lambda thread: (begun.append(thread.name), start(thread))[1]
    x = np.random.default_rng(seed).random((20_000, 16))
    try:
        KMeans(3, random_state=0, max_iter=2).fit(x).predict(x)
    finally:
        threading.Thread.start = start
    return [name for name in begun if name.startswith("steinhaus")]


@pytest.mark.slow
def test_processes_of_joblib_do_not_take_the_cores_from_each_other():
    with joblib.parallel_config("loky", n_jobs=2, inner_max_num_threads=1):
        assert joblib.Parallel()(joblib.delayed(threads_used)(seed) for seed in range(2)) == [[], []]


@pytest.mark.parametrize(("said", "threads"), [("1", 1), ("64", None), ("", None), ("0", None), ("2,3", None)])
def test_threads_by_default(said, threads, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", said)
    monkeypatch.setattr("steinhaus.estimators.clusterer.available_cores", lambda: 6)
    assert KMeans()._threads == (6 if said == "64" else threads)
    assert KMeans(n_threads=3)._threads == 3


@pytest.mark.slow
def test_searches_in_processes(digits):
    pipe = make_pipeline(StandardScaler(), PCA(8, random_state=0), KMeans(random_state=0))
    grid = {"kmeans__n_clusters": [2, 10]}
    searches = [GridSearchCV(pipe, grid, cv=2, n_jobs=jobs).fit(pd.DataFrame(digits)) for jobs in (None, 2)]
    assert searches[0].cv_results_["mean_test_score"].tolist() == searches[1].cv_results_["mean_test_score"].tolist()
