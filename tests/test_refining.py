"""Breathing k-means: the two nearest centroids of points, which an engine follows, and the search on top."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse
from sklearn.exceptions import ConvergenceWarning

import naive
from problems import DTYPES, ROOMY
from steinhaus import KMeans, load, refining
from steinhaus.engines import choose, opened, two_nearest
from steinhaus.engines.compact.points import CompactPoints
from steinhaus.engines.dense.factors import TILE
from steinhaus.engines.dense.records import COMPUTED
from steinhaus.lloyd import lloyd
from steinhaus.points import Run, TwoNearest
from steinhaus.refining import Budget, Lloyd, Search, refine, streams
from steinhaus.seeding import Stream, starts


def made(seed):
    """Points of a hard kind, and how many centroids to begin with."""
    rng = np.random.default_rng(seed)
    n, d = int(rng.integers(5, 200)), int(rng.choice([1, 2, 3, 15, 16, 17, 33]))
    x = rng.random((n, d))
    kind = seed % 5
    if kind == 0:
        x = rng.integers(0, 3, (n, d)) / 2.0
    elif kind == 1:
        x = rng.normal(size=(7, d))[rng.integers(7, size=n)] + 1e-3 * x
    elif kind == 2:
        x = x[rng.integers(max(1, n // 5), size=n)]
    dtype = DTYPES[seed // 5 % len(DTYPES)]
    if np.dtype(dtype).kind == "f":
        x = x * [1.0, 1e-30, 1e30][seed % 3] + [0.0, 1e4][seed % 2]
    else:
        x = np.rint(np.abs(x) * 9)
    return rng, np.ascontiguousarray(x.astype(dtype)), int(rng.integers(1, min(n, 12) + 1))


def changed(rng, x, centroids):
    """Other centroids: some added, removed, moved or in another order."""
    how = rng.integers(4)
    if how == 0:
        return np.concatenate([centroids, x[rng.choice(len(x), rng.integers(1, 3))].astype(np.float64)])
    if how == 1 and len(centroids) > 2:
        return np.delete(centroids, rng.integers(len(centroids)), axis=0)
    if how == 2:
        moved = centroids.copy()
        moved[rng.integers(len(moved))] += rng.normal(size=x.shape[1]) * (float(x.astype(np.float64).std()) + 1e-300)
        return moved
    return centroids[rng.permutation(len(centroids))]


def of_two(x, centroids):
    """Labels and the squared distances to the nearest two centroids, by all distances."""
    distances = naive.squared_distances(x, centroids)
    ordered = np.sort(distances, axis=1)
    second = ordered[:, 1] if len(centroids) > 1 else np.full(len(x), np.inf)
    return distances.argmin(1), ordered[:, 0], second


def sums_of(tally):
    """A tally's sums as Python's integers."""
    high, low = tally.sums.astype(object) if len(tally.sums) == 2 else (0, tally.sums[0].astype(object))
    return ((high << 32 if len(tally.sums) == 2 else 0) + low).tolist()


@pytest.mark.parametrize("screen", ["compact", "auto", "drift"])
@pytest.mark.parametrize("block", range(4))
def test_what_is_known_of_a_run_outlives_centroids_that_come_and_go(screen, block):
    for seed in range(15 * block, 15 * (block + 1)):
        rng, x, k = made(seed)
        points = choose(x, threads=1 + seed % 2, screen=screen, memory=ROOMY)
        oracle = choose(x, threads=1, screen="none")
        centroids = points.rows(rng.choice(len(x), k, replace=False))
        points.assign([Run("it", centroids)])
        for _ in range(8):
            labels, first, second = of_two(x, centroids)
            if rng.random() < 0.6:
                found = points.two_nearest(Run("it", centroids))
                assert [of.tolist() for of in found] == [first.tolist(), second.tolist()], seed
            assert points.labels("it").tolist() == labels.tolist(), seed
            centroids = changed(rng, x, centroids)
            (tally,), (wanted,) = points.assign([Run("it", centroids)]), oracle.assign([Run(0, centroids)])
            assert sums_of(tally) == sums_of(wanted), seed
            assert tally.counts.tolist() == wanted.counts.tolist(), seed
            assert tally.farthest.tolist() == wanted.farthest.tolist(), seed
            if rng.random() < 0.5:
                limit = int(rng.integers(1, 8))
                fit = next(lloyd(points, [Run("it", centroids)], max_iter=limit))
                other = next(lloyd(oracle, [Run(0, centroids)], max_iter=limit))
                assert fit.centroids.tobytes() == other.centroids.tobytes(), seed
                assert (fit.history, fit.inertia, fit.stop) == (other.history, other.inertia, other.stop), seed
                centroids = fit.centroids
            oracle.forget(0)
        points.close()
        oracle.close()


def test_gaps_and_anchors_outlive_centroids_that_come_and_go(rng):
    x = np.rint(rng.normal(size=(9, 40))[rng.integers(9, size=3000)] * 40 + rng.normal(size=(3000, 40)) * 30 + 128)
    x = np.clip(x, 0, 255).astype(np.uint8)
    points, again = (choose(x, threads=2, memory=ROOMY) for _ in range(2))
    fit = next(lloyd(points, [Run(0, points.rows(rng.choice(3000, 20, replace=False)))]))
    grown = np.concatenate([fit.centroids, points.rows(rng.choice(3000, 3, replace=False))])
    for centroids in (grown, np.delete(grown, [4, 21], axis=0), grown[::-1], fit.centroids + 0.25):
        points.assign([Run(0, centroids)])
        assert points.labels(0).tolist() == naive.labels(x, centroids).tolist()
        assert points.work[COMPUTED].sum() < len(x) // TILE * len(centroids) // 2, "most products are spared"
        found = points.two_nearest(Run(0, centroids))
        assert [of.tolist() for of in found] == [of.tolist() for of in of_two(x, centroids)[1:]]
    ended, wanted = (next(lloyd(of, [Run(0, grown)])) for of in (points, again))
    assert (ended.centroids.tobytes(), ended.history) == (wanted.centroids.tobytes(), wanted.history)
    points.close()
    again.close()


def test_other_runs_keep_their_labels_when_points_are_put_in_another_order(rng):
    x = rng.normal(size=(6000, 3))
    points = choose(x, threads=2, screen="compact")
    first, second = (points.rows(rng.choice(6000, 20, replace=False)) for _ in range(2))
    points.assign([Run("a", first), Run("b", second)])
    points.two_nearest(Run("a", first))
    assert points.labels("b").tolist() == naive.labels(x, second).tolist()
    points.two_nearest(Run("b", second))
    moved = first + 0.01
    points.assign([Run("a", moved)])
    assert points.labels("a").tolist() == naive.labels(x, moved).tolist()
    points.close()


def search_of(points, k, *, steps=None, tol=1e-4):
    fit = next(lloyd(points, [Run(0, starts(points, k, "k-means++", Stream(0, k, 0)))], tol=tol))
    found = refine(points, Search(fit), streams(0, k, 0), Lloyd(tol=tol), Budget(steps))
    told = [(step.added, step.inertia, step.kept, step.iterations) for step in found.steps]
    return fit, found, (found.best.centroids.tobytes(), points.labels(0).tolist(), found.best.inertia, told)


@pytest.fixture(scope="module")
def blobs():
    rng = np.random.default_rng(1)
    return (rng.normal(size=(40, 5))[rng.integers(40, size=1500)] * 9 + rng.normal(size=(1500, 5))).round(3)


def test_it_finds_better_clusters_and_says_how(blobs):
    points = choose(blobs)
    fit, search, _ = search_of(points, 40)
    points.close()
    assert search.best.inertia < 0.98 * fit.inertia
    kept = [step.inertia for step in search.steps if step.kept]
    assert kept == sorted(kept, reverse=True)
    assert search.added == 0
    assert all(step.iterations >= 2 and step.seconds > 0 for step in search.steps)


def test_the_same_bits_on_any_threads_and_engine(blobs):
    found = []
    for how in (
        {"threads": 1},
        {"threads": 2},
        {"threads": 7},
        {"screen": "none"},
        {"screen": "drift", "memory": ROOMY},
    ):
        points = choose(blobs, **how)
        found.append(search_of(points, 12, steps=4)[2])
        points.close()
    assert found[1:] == found[:-1]


class Shy:
    """Points that do not tell the second nearest centroids."""

    def __init__(self, points):
        self._points = points

    def __getattr__(self, name):
        if name in ("two_nearest", "own_distances", "advance", "breathe"):
            raise AttributeError(name)
        return getattr(self._points, name)


def test_points_without_the_ability_give_the_same(blobs):
    points = choose(blobs)
    assert isinstance(points, TwoNearest)
    assert not isinstance(Shy(points), TwoNearest)
    wanted, found = (search_of(of, 10, steps=3)[2] for of in (points, Shy(choose(blobs))))
    points.close()
    assert found == wanted


def steps_of(x, k, weights, seed, *, in_one_call):
    """What every step of a search finds, to the bit, and how many steps an engine made in one call."""
    tol, limit, made, told = [0.0, 1e-4, 1e-2][seed % 3], [300, 1, 2, 5][seed % 4], [], []

    def breathe(self, fit, trial):
        found = breathes(self, fit, trial) if in_one_call else None
        made.append(found is not None)
        return found

    def hear(search):
        step, fit = search.steps[-1], search.best
        bits = fit.centroids.tobytes(), fit.counts.tolist(), fit.inertia, fit.stop
        told.append((step.added, step.inertia, step.kept, step.iterations, *bits))

    with pytest.MonkeyPatch.context() as patch, opened(x, weights=weights, threads=1 + seed % 2) as points:
        breathes = CompactPoints.breathe
        patch.setattr(CompactPoints, "breathe", breathe)
        chosen = starts(points, k, "k-means++", Stream(seed, k, 0), weights=points.totals.draws)
        fit = next(lloyd(points, [Run(0, chosen)], tol=tol, max_iter=limit))
        best = refine(points, Search(fit), streams(seed, k, 0), Lloyd(limit, tol), Budget(8), hear).best
        told.append((best.centroids.tobytes(), points.labels(0).tolist(), best.inertia, best.history, best.stop))
    return told, made


@pytest.mark.parametrize("seeds", [range(4), pytest.param(range(4, 150), marks=pytest.mark.slow)], ids=["few", "many"])
def test_a_step_in_one_call_is_that_of_other_calls(seeds):
    in_all = []
    for seed in seeds:
        rng, x, _ = made(seed)
        k = int(rng.integers(2, min(len(x), 30) + 1))
        weights = [None, rng.integers(0, 5, len(x)) + 0.0, rng.random(len(x)) + 0.01][seed % 3]
        if weights is not None and np.count_nonzero(weights) < k:
            weights = None
        found, calls = steps_of(x, k, weights, seed, in_one_call=True)
        assert found == steps_of(x, k, weights, seed, in_one_call=False)[0], seed
        in_all += calls
    assert np.mean(in_all) > 0.9, "few steps have an empty cluster"


def test_two_nearest_of_sparse_and_weighted_points_is_that_of_their_rows(rng):
    x = rng.integers(0, 4, (60, 7)).astype(np.float64) * (rng.random((60, 7)) < 0.4)
    for given, weights in ((scipy.sparse.csr_array(x), None), (x, rng.integers(0, 3, 60).astype(np.float64) + 1)):
        with opened(given, weights=weights) as points:
            run = Run(0, x[:5] + 0.25)
            points.assign([run])
            _, first, second = of_two(x, run.centroids)
            assert [of.tolist() for of in two_nearest(points, run)] == [first.tolist(), second.tolist()]


def test_a_search_goes_on_from_where_it_stood(blobs):
    points, told = choose(blobs), []
    fit = search_of(points, 15, steps=1)[0]
    whole = refine(points, Search(fit), streams(0, 15, 0), Lloyd(tol=1e-4), watch=told.append)
    assert len(told) > 6
    for stood in told[:: len(told) // 3]:
        points.forget(0)
        search = refine(points, stood, streams(0, 15, 0), Lloyd(tol=1e-4))
        assert search.best.centroids.tobytes() == whole.best.centroids.tobytes()
        assert [step.inertia for step in search.steps] == [step.inertia for step in whole.steps]
    points.close()


def test_a_budget_ends_a_search_with_a_finished_clustering(blobs):
    points = choose(blobs)
    fit, search, _ = search_of(points, 12, steps=2)
    assert len(search.steps) == 2
    assert points.labels(0).tolist() == naive.labels(blobs, search.best.centroids).tolist()
    at_once = refine(points, Search(fit), streams(0, 12, 0), Lloyd(), Budget(seconds=1e-9))
    assert len(at_once.steps) == 1
    asked = refine(points, Search(fit), streams(0, 12, 0), Lloyd(), watch=lambda search: len(search.steps) == 3)
    assert len(asked.steps) == 3
    points.close()


def test_one_cluster_leaves_nothing_to_search(blobs):
    kmeans = KMeans(1, random_state=0, refine="breathing").fit(blobs)
    assert kmeans.refine_ == []


def test_clusters_of_equal_rows_are_kept(rng):
    same = np.repeat(rng.integers(0, 9, (3, 2)) / 4.0, 20, axis=0)
    with pytest.warns(ConvergenceWarning, match="distinct clusters"):
        kmeans = KMeans(5, random_state=0, refine="breathing").fit(same)
    assert kmeans.inertia_ == 0.0
    assert not any(step.kept for step in kmeans.refine_)


def test_removed_centroids_are_not_neighbours(blobs):
    points = choose(blobs)
    fit = search_of(points, 40, steps=1)[0]
    points.assign([Run(0, fit.centroids)])
    stays = refining._missed(points, fit, 4, 1.21)
    points.close()
    assert len(stays) == 36
    assert stays.tolist() == sorted(set(stays.tolist()))


def test_the_estimator_is_never_worse_and_tells_its_steps(blobs, capsys):
    plain = KMeans(20, random_state=3).fit(blobs)
    told = []
    refined = KMeans(20, random_state=3, refine="breathing", verbose=1, callback=told.append).fit(blobs)
    assert refined.inertia_ < plain.inertia_
    assert (refined.n_iter_, refined.inertia_history_.tolist()) == (plain.n_iter_, plain.inertia_history_.tolist())
    assert refined.labels_.tolist() == refined.predict(blobs).tolist()
    steps = [iteration for iteration in told if iteration.step]
    assert [iteration.step for iteration in steps] == list(range(1, len(refined.refine_) + 1))
    assert steps[-1].inertia >= refined.inertia_
    assert "Refining step 1, 5 added and removed" in capsys.readouterr().out
    stopped = KMeans(20, random_state=3, refine="breathing", callback=lambda told: told.step == 2).fit(blobs)
    assert len(stopped.refine_) == 2


def test_refined_estimators_are_saved_and_loaded(blobs, tmp_path):
    refined = KMeans(9, random_state=0, refine="breathing", refine_steps=2).fit(blobs)
    refined.save(tmp_path / "it.safetensors")
    again = load(tmp_path / "it.safetensors")
    assert again.refine_ == refined.refine_
    assert again.get_params() == refined.get_params()


@pytest.mark.parametrize("given", [{"refine_steps": 3}, {"refine_time": 1.0}])
def test_limits_without_refining_are_refused(given):
    with pytest.raises(ValueError, match="but refine is None"):
        KMeans(2, **given).fit([[0.0], [1.0], [2.0]])
