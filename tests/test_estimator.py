"""KMeans with the scikit-learn API: the contract, inputs, restarts, callbacks, and attributes that belong together."""

from __future__ import annotations

import inspect
import re

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.cluster import KMeans as Theirs
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import naive
from steinhaus import KMeans
from steinhaus.engines import choose
from steinhaus.points import Stop
from steinhaus.seeding import Stream, starts


@pytest.fixture
def blobs(rng):
    return rng.normal(size=(5, 20))[rng.integers(5, size=400)] + 0.3 * rng.normal(size=(400, 20))


def everything(kmeans):
    """What must be the same, bit for bit."""
    return (
        kmeans.cluster_centers_.tobytes(), kmeans.labels_.tobytes(), kmeans.inertia_, kmeans.n_iter_,
        kmeans.inertia_history_.tobytes(), [run.inertia for run in kmeans.runs_],
    )  # fmt: skip


def test_parameters_and_defaults_are_scikit_learns():
    """All but `init`: what is best by itself depends on where rows are, and "k-means++" means what it says."""
    theirs = inspect.signature(Theirs).parameters
    ours = inspect.signature(KMeans).parameters
    defaults = {name: parameter.default for name, parameter in theirs.items()}
    assert {**defaults, "init": "auto"}.items() <= {name: parameter.default for name, parameter in ours.items()}.items()
    added = {"n_threads", "callback", "refine", "refine_steps", "refine_time"}
    assert set(ours) - set(theirs) == added


def test_an_example_worked_by_hand():
    # Two pairs a unit apart: the first means are the pairs' middles, each 0.5 from both its points.
    x = np.array([[0.0, 0.0], [1.0, 0.0], [10.0, 0.0], [11.0, 0.0]])
    kmeans = KMeans(2, init=[[0.0, 0.0], [11.0, 0.0]]).fit(x)
    assert kmeans.cluster_centers_.tolist() == [[0.5, 0.0], [10.5, 0.0]]
    assert kmeans.labels_.tolist() == [0, 0, 1, 1]
    assert (kmeans.inertia_, kmeans.n_iter_) == (1.0, 2)
    assert kmeans.inertia_history_.tolist() == [1.0, 1.0]
    assert kmeans.stop_reason_ is Stop.CONVERGED
    assert kmeans.predict([[4.0, 3.0], [5.5, 0.0]]).tolist() == [0, 0]  # a tie goes to the lowest
    assert kmeans.transform([[0.5, 3.0]]).tolist() == [[3.0, np.hypot(10.0, 3.0)]]
    assert kmeans.score([[0.5, 3.0]]) == -9.0


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.float32, np.float64])
@pytest.mark.parametrize("max_iter", [1, 3, 300])
def test_labels_and_inertia_belong_to_the_centroids(blobs, dtype, max_iter):
    x = (30 * blobs + 120).astype(dtype)
    kmeans = KMeans(6, init="random", n_init=2, random_state=1, max_iter=max_iter).fit(x)
    assert kmeans.cluster_centers_.dtype == (np.float32 if dtype is np.float32 else np.float64)
    assert kmeans.labels_.dtype == np.int32
    distances = naive.squared_distances(x, kmeans.cluster_centers_)
    assert kmeans.labels_.tolist() == distances.argmin(1).tolist() == kmeans.predict(x).tolist()
    assert kmeans.inertia_ == pytest.approx(distances.min(1).sum(), rel=1e-13)
    assert kmeans.score(x) == -kmeans.inertia_
    assert np.array_equal(kmeans.transform(x), np.sqrt(distances).astype(kmeans.cluster_centers_.dtype))


def test_any_layout_of_the_same_rows_gives_the_same_bits(blobs, tmp_path):
    kmeans = KMeans(4, n_init=2, random_state=0)
    expected = everything(kmeans.fit(blobs))
    readonly = blobs.copy()
    readonly.flags.writeable = False
    np.save(tmp_path / "x.npy", blobs)
    wide = np.zeros((400, 40))
    wide[:, ::2] = blobs
    layouts = [
        np.asfortranarray(blobs), readonly, np.load(tmp_path / "x.npy", mmap_mode="r"), wide[:, ::2], blobs.tolist(),
        pd.DataFrame(blobs), pl.DataFrame(blobs, schema=[f"f{t}" for t in range(20)]),
    ]  # fmt: skip
    for x in layouts:
        assert everything(clone(kmeans).fit(x)) == expected
    assert np.array_equal(readonly, blobs)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int64, np.float32, np.float64])
def test_no_input_is_copied_or_widened(dtype, tmp_path):
    x = np.memmap(tmp_path / "x", dtype, "w+", shape=(50, 4))
    checked = KMeans()._validated(x, reset=True)
    assert checked.dtype == dtype
    assert np.shares_memory(checked, x)
    matrix = sp.csr_array(np.eye(5, dtype=dtype))
    assert np.shares_memory(KMeans()._validated(matrix, reset=True).data, matrix.data)


def test_restarts_that_advance_together_are_what_each_is_alone(blobs):
    together = KMeans(5, init="random", n_init=4, random_state=3).fit(blobs)
    points = choose(blobs)
    for restart, run in enumerate(together.runs_):
        start = starts(points, 5, "random", Stream(3, 5, restart))
        alone = KMeans(5, init=start).fit(blobs)
        assert (run.inertia_history, run.inertia) == (tuple(alone.inertia_history_.tolist()), alone.inertia_)
    costs = [run.inertia for run in together.runs_]
    assert together.inertia_ == min(costs)
    assert together.n_iter_ == together.runs_[costs.index(min(costs))].n_iter == len(together.inertia_history_)


@pytest.mark.parametrize("init", ["k-means++", "random"])
def test_the_seed_decides(blobs, init):
    kmeans = KMeans(7, init=init, n_init=2)
    by_seed = [everything(clone(kmeans).set_params(random_state=seed).fit(blobs)) for seed in (0, 0, 1)]
    assert by_seed[0] == by_seed[1] != by_seed[2]
    by_state = [
        everything(clone(kmeans).set_params(random_state=np.random.RandomState(5)).fit(blobs)) for _ in range(2)
    ]
    assert by_state[0] == by_state[1]


def test_init_may_be_a_function(blobs):
    told = []

    def first_rows(x, n_clusters, random_state):
        told.append(random_state.randint(100))
        return x[:n_clusters]

    by_function = KMeans(3, init=first_rows, n_init=2, random_state=0).fit(blobs)
    assert everything(KMeans(3, init=blobs[:3]).fit(blobs))[:4] == everything(by_function)[:4]
    assert len(set(told)) == 2
    sparse = KMeans(3, init=first_rows, n_init=1).fit(sp.csr_array(np.maximum(blobs, 0)))
    assert sparse.cluster_centers_.shape == (3, 20)


def test_the_number_of_restarts(blobs):
    def restarts(**options):
        return len(KMeans(2, max_iter=1, **options).fit(blobs).runs_)

    assert [restarts(), restarts(init="random"), restarts(init=blobs[:2]), restarts(n_init=3)] == [1, 10, 1, 3]


def test_warnings(blobs):
    with pytest.warns(RuntimeWarning, match="performing only one init in KMeans instead of n_init=5") as warned:
        KMeans(2, init=blobs[:2], n_init=5).fit(blobs)
    assert warned[0].filename == __file__
    with pytest.warns(RuntimeWarning, match="'elkan' doesn't make sense for a single cluster"):
        KMeans(1, algorithm="elkan").fit(blobs)
    with pytest.warns(
        ConvergenceWarning, match=r"distinct clusters \(2\) found smaller than n_clusters \(3\)"
    ) as warned:
        KMeans(3, random_state=0).fit([[0.0], [1.0], [1.0], [0.0]])
    assert warned[0].filename == __file__


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"n_clusters": 500}, "n_samples=400 should be >= n_clusters=500"),
        ({"init": np.zeros((3, 20))}, r"\(3, 20\) does not match the number of clusters 2"),
        ({"init": np.zeros((2, 19))}, r"\(2, 19\) does not match the number of features of the data 20"),
        ({"init": np.full((2, 20), np.nan)}, "contains NaN"),
        ({"init": "corners"}, "'init' parameter of KMeans"),
        ({"tol": -1.0}, "'tol' parameter of KMeans"),
        ({"n_threads": 0}, "'n_threads' parameter of KMeans"),
        ({"callback": 3}, "'callback' parameter of KMeans"),
    ],
)
def test_parameters_out_of_range(blobs, parameters, message):
    with pytest.raises(ValueError, match=message):
        KMeans(2).set_params(**parameters).fit(blobs)


def test_points_that_are_not_finite_or_too_large(blobs):
    for bad, message in ((np.nan, "contains NaN"), (np.inf, "contains infinity"), (1e200, "below 2\\^480")):
        x = blobs.copy()
        x[3, 4] = bad
        with pytest.raises(ValueError, match=message):
            KMeans(2).fit(x)


def test_in_pipelines_searches_and_frames(blobs):
    pipe = make_pipeline(StandardScaler(), PCA(3), KMeans(4, random_state=0)).set_output(transform="pandas")
    frame = pipe.fit_transform(pd.DataFrame(blobs))
    assert list(frame.columns) == ["kmeans0", "kmeans1", "kmeans2", "kmeans3"]
    search = GridSearchCV(KMeans(random_state=0), {"n_clusters": [2, 5]}, cv=3).fit(blobs)
    assert search.best_params_ == {"n_clusters": 5}
    names = [f"f{t}" for t in range(20)]
    kmeans = KMeans(2, random_state=0).fit(pd.DataFrame(blobs, columns=names)).set_output(transform="polars")
    assert kmeans.feature_names_in_.tolist() == names
    assert isinstance(kmeans.transform(pd.DataFrame(blobs, columns=names)), pl.DataFrame)


def test_verbose_prints_every_iteration(blobs, capsys):
    KMeans(3, random_state=0, verbose=1, tol=0).fit(blobs)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "Initialization complete"
    assert re.fullmatch(r"Iteration 0, inertia [\d.]+\.", lines[1])
    assert lines[-1].startswith("Converged at iteration")


def test_a_callback_is_told_of_every_iteration_and_may_stop_a_restart(blobs):
    told = []

    def callback(iteration):
        told.append(iteration)
        return iteration.restart == 1 and iteration.n_iter == 2

    kmeans = KMeans(5, init="random", n_init=3, random_state=0, tol=0, callback=callback).fit(blobs)
    for restart, run in enumerate(kmeans.runs_):
        heard = [iteration for iteration in told if iteration.restart == restart]
        assert [iteration.inertia for iteration in heard] == list(run.inertia_history)
        assert [iteration.n_iter for iteration in heard] == list(range(1, run.n_iter + 1))
    assert kmeans.runs_[1].n_iter == 2
    assert [run.stop_reason for run in kmeans.runs_] == [Stop.CONVERGED, Stop.ASKED, Stop.CONVERGED]
    stopped = KMeans(5, random_state=0, callback=lambda iteration: True).fit(blobs)
    assert stopped.labels_.tolist() == naive.labels(blobs, stopped.cluster_centers_).tolist()


def test_scikit_learns_callbacks(blobs, capsys):
    callback = pytest.importorskip("sklearn.callback", reason="scikit-learn before 1.9 has no callbacks")

    class Listener:
        def __init__(self):
            self.tasks, self.scores = [], []

        def setup(self, estimator, context):
            self.tasks.append("setup")

        def teardown(self, estimator, context):
            self.tasks.append("teardown")

        def on_fit_task_begin(self, estimator, context):
            self.tasks.append(f"begin {context.task_name}")

        def on_fit_task_end(self, estimator, context, *, X, fitted_estimator):
            self.tasks.append(f"end {context.task_name}")
            if fitted_estimator is not None:
                self.scores.append(fitted_estimator.score(X))
            return context.task_name == "iteration" and context.task_id == 1

    listener = Listener()
    kmeans = KMeans(5, init="random", n_init=2, random_state=0, tol=0).set_callbacks(listener).fit(blobs)
    assert [run.n_iter for run in kmeans.runs_] == [2, 2]
    assert listener.tasks[0] == "setup"
    assert listener.tasks[-2:] == ["end fit", "teardown"]
    assert listener.tasks.count("begin iteration") == listener.tasks.count("end iteration") == 4
    assert listener.tasks.count("begin restart") == listener.tasks.count("end restart") == 2
    assert listener.scores[-1] == kmeans.score(blobs)
    KMeans(3, n_init=2).set_callbacks(callback.ProgressBar()).fit(blobs)
    assert "KMeans - restart #1" in capsys.readouterr().out
