"""All restarts in one call: the bits of `lloyd` after every number of iterations."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comparing import Plain, outcomes
from problems import ALL_DTYPES, problems
from steinhaus import KMeans
from steinhaus.engines import choose, opened
from steinhaus.engines.compact import placing, policy, restarting
from steinhaus.estimators.checking import rounding_to
from steinhaus.points import Stop
from steinhaus.restarts import Restarting, restarted
from steinhaus.seeding import Stream, starts


def together(points, begin, **options):
    """The outcomes of restarts in one call, by their number; labels of the best one alone. None: left to `lloyd`."""
    fits = restarted(points, len(begin[0]), begin, single=False, **options)
    found = {
        fit.key: (fit.centroids.tobytes(), fit.counts.tobytes(), fit.history, fit.inertia, fit.stop) for fit in fits
    }
    labels = points.labels(fits[0].key).tobytes() if fits else b""
    points.close()
    return [fit.key for fit in fits], labels, found


@pytest.fixture(params=["as they are", "with boxes, a run a call"])
def order(request, monkeypatch):
    """The ways in which points stand: those of few points, and those of many."""
    if request.param != "as they are":
        limits = policy.LIMITS._replace(task=1, ordered_points=1, ordered_centroids=1)
        monkeypatch.setattr(policy, "LIMITS", limits)
        monkeypatch.setattr(restarting, "LIMITS", limits)
    assert placing.ordered(20, 2, 3) == (request.param != "as they are")


@pytest.mark.usefixtures("order")
@settings(max_examples=25, deadline=None)
@given(problems(ALL_DTYPES), st.sampled_from([0.0, 0.0, 1e-3, 0.1]), st.integers(1, 12), st.sampled_from([1, 2]))
def test_restarts_do_what_lloyd_does_after_every_number_of_iterations(problem, tol, limit, threads):
    x, start = problem
    begin = [start, x[: len(start)].astype(np.float64), x[-len(start) :].astype(np.float64)]
    wanted = outcomes(Plain(choose(x, threads=1, screen="compact")), begin, max_iter=limit, tol=tol)
    order, labels, found = together(choose(x, threads=threads, screen="compact"), begin, max_iter=limit, tol=tol)
    if order:  # no cluster was empty
        assert found == {key: tuple(one[1:]) for key, one in wanted.items()}
        assert order == sorted(wanted, key=lambda key: (wanted[key][4], key))
        assert labels == wanted[order[0]][0]


@pytest.mark.usefixtures("order")
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("d", "dtype"), [(2, np.float64), (20, np.float64), (3, np.float32), (4, np.uint8)])
def test_starts_are_chosen_as_by_seeding(rng, d, dtype, weighted):
    x = (10 * rng.random((4, d))[rng.integers(4, size=90)] + rng.random((90, d))).astype(dtype)
    weights = rng.integers(1, 4, 90).astype(np.float64) if weighted else None
    for k, many in ((1, 2), (3, 6), (17, 2)):
        streams = [Stream(5, k, restart) for restart in range(many)]
        with opened(x, k=k, weights=weights, threads=2) as points:
            begin = [starts(points, k, "k-means++", Stream(5, k, r), weights=points.totals.draws) for r in range(many)]
            _, labels, found = together(points, begin)
        with opened(x, k=k, weights=weights, threads=2) as points:
            fits = restarted(points, k, streams, single=False)
            assert len(fits) == many == len(found)
            assert points.labels(fits[0].key).tobytes() == labels
            assert {fit.key: fit.centroids.tobytes() for fit in fits} == {key: one[0] for key, one in found.items()}


@pytest.mark.parametrize("init", ["k-means++", "random"])
@pytest.mark.parametrize("dtype", [np.float32, np.int16])
def test_a_fit_that_nobody_watches_has_the_bits_of_one_that_is_watched(rng, init, dtype):
    x = (50 * rng.random((120, 3))).astype(dtype)
    for options in ({}, {"max_iter": 3}, {"tol": 0.05}, {"sample_weight": rng.random(120) + 0.1}):
        weights = options.pop("sample_weight", None)
        how = {"n_init": 4, "init": init, "random_state": 2, **options}
        alone, watched = KMeans(5, **how), KMeans(5, callback=lambda _: None, **how)
        for kmeans in (alone, watched):
            kmeans.fit(x, sample_weight=weights)
        for name in ("cluster_centers_", "labels_", "inertia_", "n_iter_", "inertia_history_"):
            assert np.array_equal(getattr(alone, name), getattr(watched, name)), (name, options)
        assert alone.runs_ == watched.runs_


def test_what_takes_lloyd_is_left_to_it(rng):
    line = np.arange(12.0).reshape(-1, 1)
    far = np.array([[0.0], [100.0]])
    points = choose(line, screen="compact")
    assert isinstance(points, Restarting)
    assert restarted(points, 2, [far], single=False) == []  # a cluster is empty
    (fit,) = restarted(points, 2, [line[:2]], max_iter=1, single=False)
    assert fit.stop is Stop.MAX_ITER
    assert restarted(points, 3, [Stream(0)], single=False)
    points.close()
    points = choose(np.repeat(line[:2], 6, axis=0), screen="compact")
    assert restarted(points, 3, [Stream(0)], single=False) == []  # there are only two distinct rows
    assert [fit.key for fit in restarted(points, 1, [Stream(0), Stream(1)], single=False)] == [0, 1]  # a tie
    large = choose(rng.random((70_000, 2)), screen="compact")
    assert restarted(large, 16, [large.rows(np.arange(16))], single=False) == []  # threads share each pass
    large.close()
    assert restarted(Plain(points), 2, [line[:2]], single=False) == []
    points.close()


def test_centroids_of_a_run_that_stops_early_are_rounded(rng):
    x = rng.random((60, 3)).astype(np.float32)
    begin, points = [x[:4].astype(np.float64), x[4:8].astype(np.float64)], choose(x, screen="compact")
    wanted = outcomes(Plain(choose(x, screen="compact")), begin, max_iter=2, rounded=rounding_to(np.dtype(np.float32)))
    for fit in restarted(points, 4, begin, max_iter=2, single=True):
        assert (fit.centroids.tobytes(), fit.inertia) == (wanted[fit.key][1], wanted[fit.key][4])
    points.close()
