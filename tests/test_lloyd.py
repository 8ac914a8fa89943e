"""The algorithm: answers worked out by hand, and the promises of a run in any surroundings."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings

from problems import problems
from steinhaus.engines import choose
from steinhaus.lloyd import lloyd
from steinhaus.points import Run, Stop


def fits(x, starts, **options):
    points = choose(np.asarray(x), threads=1)
    found = {}
    for fit in lloyd(points, [Run(key, np.asarray(c, float)) for key, c in starts.items()], **options):
        found[fit.key] = fit, points.labels(fit.key).tolist()
    return found


def test_four_points_by_hand():
    # 0, 1 | 10, 12 from centroids 0 and 1: {0}, {1, 10, 12}; means 0, 23/3; {0, 1}, {10, 12}; means 0.5, 11; the same.
    fit, labels = fits(np.array([[0], [1], [10], [12]], np.uint8), {"a": [[0], [1]]})["a"]
    assert labels == [0, 0, 1, 1]
    assert fit.centroids.ravel().tolist() == [0.5, 11.0]
    assert fit.counts.tolist() == [2, 2]
    assert fit.stop is Stop.CONVERGED
    assert fit.iterations == 3
    assert fit.history == (pytest.approx(206 / 3), 2.5, 2.5)
    assert fit.inertia == 2.5


def test_the_first_inertia_is_that_of_the_first_means():
    fit, _ = fits(np.array([[0], [2]], np.uint8), {"a": [[7]]})["a"]
    assert fit.history[0] == 2.0


def test_an_empty_cluster_takes_the_farthest_point():
    x = np.array([[0], [1], [2], [50]], np.uint8)
    fit, labels = fits(x, {"a": [[1], [200]]})["a"]
    assert labels == [0, 0, 0, 1]
    assert fit.centroids.ravel().tolist() == [1.0, 50.0]


def test_fewer_distinct_points_than_clusters_end_with_empty_clusters_where_they_were():
    x = np.array([[3], [3], [3]], np.uint8)
    fit, labels = fits(x, {"a": [[3], [3], [9]]})["a"]
    assert labels == [0, 0, 0]
    assert fit.counts.tolist() == [3, 0, 0]
    assert fit.centroids.ravel().tolist() == [3.0, 3.0, 9.0]
    assert fit.inertia == 0.0


def test_ties_go_to_the_lowest_cluster():
    _, labels = fits(np.array([[1], [0], [2]], np.uint8), {"a": [[0], [2]]}, max_iter=1)["a"]
    assert labels[1:] == [0, 1]


@pytest.mark.parametrize(("options", "stop"), [({"max_iter": 2}, Stop.MAX_ITER), ({"tol": 0.5}, Stop.TOLERANCE)])
def test_labels_belong_to_the_centroids_of_a_run_that_stops_early(options, stop, rng):
    x = rng.random((300, 5)).astype(np.float32)
    fit, labels = fits(x, {"a": x[:6]}, **options)["a"]
    assert fit.stop is stop
    assert labels == ((x[:, None].astype(float) - fit.centroids) ** 2).sum(2).argmin(1).tolist()
    assert fit.inertia <= fit.history[-1]
    assert fit.iterations == len(fit.history) == (2 if stop is Stop.MAX_ITER else fit.iterations)


@settings(max_examples=25, deadline=None)
@given(problems())
def test_inertia_never_rises(problem):
    x, start = problem
    fit, _ = fits(x, {"a": start}, max_iter=15)["a"]
    rounding = 2.0**-98 * float((x.astype(float) ** 2).sum())  # of the two-float sums
    assert all(b <= a + rounding for a, b in zip(fit.history, fit.history[1:], strict=False))
    assert fit.inertia <= fit.history[-1] + rounding


def test_a_run_goes_on_from_anywhere_to_the_same_bits(rng):
    x = rng.random((500, 20)).astype(np.float32)
    seen = []
    points = choose(x)
    (whole,) = lloyd(points, [Run("a", x[:8].astype(float))], watch=lambda runs: seen.extend(runs) and None)
    for run in seen:
        (rest,) = lloyd(choose(x), [run])
        assert (rest.centroids.tobytes(), rest.history, rest.inertia) == (
            whole.centroids.tobytes(),
            whole.history,
            whole.inertia,
        )


def test_a_run_that_owes_its_last_assignment_is_only_assigned(rng):
    x = rng.random((50, 3))
    run = Run("a", x[:2], history=(9.0,), stop=Stop.TOLERANCE)
    (fit,) = lloyd(choose(x), [run])
    assert (fit.centroids.tolist(), fit.history, fit.stop) == (x[:2].tolist(), (9.0,), Stop.TOLERANCE)


def test_runs_leave_as_they_end(rng):
    x = rng.random((400, 4))
    points = choose(x)
    lengths = []
    runs = [Run(i, x[i : i + 4]) for i in range(5)]
    ended = [fit.key for fit in lloyd(points, runs, watch=lambda active: lengths.append(len(active)))]
    assert sorted(ended) == [0, 1, 2, 3, 4]
    assert lengths == sorted(lengths, reverse=True)
    assert lengths[-1] == 0
    with pytest.raises(KeyError):
        points.labels(0)


def test_a_limit_already_reached_ends_at_once(rng):
    x = rng.random((30, 2))
    (fit,) = lloyd(choose(x), [replace(Run("a", x[:2]), history=(5.0, 4.0))], max_iter=2)
    assert fit.stop is Stop.MAX_ITER
    assert fit.history == (5.0, 4.0)
