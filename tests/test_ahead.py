"""The screened engine runs iterations ahead, with the same bits as `lloyd`."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comparing import Plain, outcomes
from problems import ALL_DTYPES, ROOMY, problems
from steinhaus.engines import choose
from steinhaus.engines.dense.points import MemoryPoints
from steinhaus.engines.workers import Workers
from steinhaus.lloyd import lloyd
from steinhaus.points import Advancing, Run

SCREENS = ("auto", "drift", "plain", "none")


def screened(x, screen, threads=1):
    return choose(x, screen=screen, threads=threads, memory=ROOMY)


@settings(max_examples=15, deadline=None)
@given(problems(ALL_DTYPES), st.sampled_from(SCREENS), st.sampled_from([0.0, 0.0, 1e-3, 0.1]), st.integers(1, 12))
def test_going_ahead_does_what_lloyd_does_after_every_number_of_iterations(problem, screen, tol, limit):
    x, start = problem
    begin = [start, x[: len(start)].astype(np.float64), np.repeat(start[:1], len(start), axis=0)]  # one has empty ones
    ahead = outcomes(screened(x, screen, threads=2), begin, max_iter=limit, tol=tol)
    assert ahead == outcomes(Plain(screened(x, screen)), begin, max_iter=limit, tol=tol)
    assert ahead == outcomes(screened(x, screen), begin, max_iter=limit, tol=tol, watch=list)


def test_what_was_labelled_while_going_ahead_is_not_labelled_again(rng, monkeypatch):
    points = screened(rng.random((3000, 20)), "auto")
    assert isinstance(points, Advancing)
    passes, count = [], points._count
    monkeypatch.setattr(points, "_count", lambda work: passes.append(count(work)))
    (fit,) = lloyd(points, [Run(0, points.rows(np.arange(7)))])
    assert fit.iterations > 3
    assert len(passes) == fit.iterations
    points.close()


@pytest.mark.parametrize("present", [[0], [2, 0], [1, 1, 2]])
def test_iterations_are_made_by_the_threads_that_come(present, rng):
    """Of three threads some come late, when all is done, or never: no thread waits for them."""

    class Few(Workers):
        def each(self, work, end, step):
            if (end, step) != (self.count, 1):
                return super().each(work, end, step)
            for worker in present:
                work(worker, worker, end)

    x = rng.integers(0, 256, (2000, 70)).astype(np.uint8)
    starts = [x[:9].astype(np.float64), x[20:25].astype(np.float64)]
    few = MemoryPoints(x, screen="drift", workers=Few(3))
    assert outcomes(few, starts, max_iter=12) == outcomes(Plain(screened(x, "none")), starts, max_iter=12)


def test_other_centroids_are_labelled_after_going_ahead(rng):
    x = rng.random((500, 20))
    points, other = screened(x, "auto"), screened(x, "none")
    run = Run(0, points.rows(np.arange(5)))
    (gone,) = points.advance([run], tolerance=np.inf, most=[9])  # the first iteration would end it
    assert gone.history == ()
    for here in (run, Run(0, run.centroids[::-1].copy()), run):
        (found,), (wanted,) = points.assign([here]), other.assign([here])
        assert found.counts.tolist() == wanted.counts.tolist()
        assert points.labels(0).tolist() == other.labels(0).tolist()
    points.close()
    other.close()


@pytest.mark.parametrize("most", [[0], [3, 0]])
def test_no_further_than_asked(rng, most):
    points = screened(rng.random((500, 20)), "auto")
    runs = [Run(number, points.rows(np.arange(number, number + 5))) for number in range(len(most))]
    gone = points.advance(runs, tolerance=0.0, most=most)
    assert all(
        after.history == () and after.centroids is before.centroids for after, before in zip(gone, runs, strict=True)
    )
    assert points.advance([], tolerance=0.0, most=[]) == []
    points.close()
