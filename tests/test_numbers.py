"""Numbers that went wrong in other k-means libraries, and rules that hold for all numbers."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import naive
from problems import problems
from steinhaus import KMeans, MiniBatchKMeans, SphericalKMeans, seeding
from steinhaus.engines import choose, opened
from steinhaus.engines.dense.points import MemoryPoints
from steinhaus.errors import DataError, PlanError
from steinhaus.images import Images
from steinhaus.lloyd import lloyd
from steinhaus.points import Run
from steinhaus.seeding import Stream
from steinhaus.study import Study
from steinhaus.study.run import run_study

EXAMPLES = [20, pytest.param(250, marks=pytest.mark.slow)]
SCREENS = ("auto", "drift", "plain", "none")


@dataclass(frozen=True)
class Outcome:
    """What came of a run; equal where every bit is."""

    labels: list[int]
    bits: bytes  # of the centroids
    counts: list[int]
    history: tuple[float, ...]
    inertia: float
    stop: str
    centroids: np.ndarray = field(compare=False)
    refilled: bool = field(compare=False)  # whether a cluster ever came out empty


def follow(points, start, max_iter=30, tol=0.0):
    """The outcome of one run."""
    assign, empties = points.assign, []

    def watched(runs):
        tallies = assign(runs)
        empties.extend(bool((tally.counts == 0).any()) for tally in tallies)
        return tallies

    points.assign = watched
    for fit in lloyd(points, [Run(0, np.asarray(start, np.float64))], max_iter=max_iter, tol=tol):
        labels, bits = points.labels(0).tolist(), fit.centroids.tobytes()
        outcome = Outcome(
            labels, bits, fit.counts.tolist(), fit.history, fit.inertia, fit.stop.name, fit.centroids, any(empties)
        )
    points.close()
    return outcome


def run(x, start, *, threads=1, screen="auto", memory=None, block=None, **options):
    points = choose(x, threads=threads, screen=screen, memory=memory)
    if block is not None:
        points._tiles_a_task = block
    return follow(points, start, **options)


def weighted(x, weights, start, **options):
    with opened(x, weights=np.asarray(weights, np.float64), threads=1) as points:
        return follow(points, start, **options)


# Failures of others, each a test of its own


def test_near_points_in_many_dimensions_do_not_cancel():
    """|x|^2 - 2 x.c + |c|^2 in float32 gives 0, or less, for two points of 1,000 features 1.000 and 1.001."""
    x = np.repeat(np.float32([[1.000], [1.001]]), 1000, axis=1)
    assert run(x, x[::-1]).labels == [1, 0]
    apart = 1000 * (Fraction(float(np.float32(1.001))) - 1) ** 2
    points = choose(x)
    assert points.squared_distances(np.array([0]))[0].tolist() == [0, pytest.approx(float(apart), rel=1e-13)]
    points.close()
    assert run(x, x[:1]).inertia == pytest.approx(float(apart / 2), rel=1e-9)
    chosen = seeding.starts(choose(x), 2, "k-means++", Stream(0))
    assert len(np.unique(chosen, axis=0)) == 2, "a distance that cancels to 0 is never drawn"


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("max_iter", "tol"), [(1, 0.0), (2, 0.0), (300, 0.0), (300, 1.0), (300, 1e-4)])
def test_inertia_is_that_of_the_final_labels(dtype, max_iter, tol):
    x = np.array([[-1.0001], [-0.9999], [0.9999], [1.0001]], dtype)
    for first in range(3):
        outcome = run(x, x[first : first + 2], max_iter=max_iter, tol=tol)
        labels = np.array(outcome.labels)
        assert labels.tolist() == naive.labels(x, outcome.centroids).tolist()
        exact = naive.cost(naive.integers(x), labels, outcome.centroids, *naive.grid(x))
        assert outcome.inertia == exact
        assert outcome.inertia == pytest.approx(((x - outcome.centroids[labels]) ** 2).sum(), rel=1e-3, abs=1e-12)


class Extreme(Stream):
    """A stream whose every draw is the least, or the greatest, that there is."""

    def __init__(self, greatest):
        super().__init__(0)
        self.greatest = greatest

    def below(self, bounds):
        return bounds - 1 if self.greatest else np.zeros_like(bounds)

    def uniform(self):
        return 1 - 2.0**-53 if self.greatest else 0.0


@pytest.mark.parametrize("greatest", [True, False])
@pytest.mark.parametrize("spread", [1e-30, 1.0, 1e30])
def test_kmeans_plus_plus_never_draws_past_the_ends(greatest, spread, rng):
    """The last points lie on the first one chosen: their share of the cumulative sum is empty."""
    x = rng.random((50, 3)) * spread
    x[:3] = x[47:] = x[49]
    points = choose(x)
    chosen = seeding.starts(points, 5, "k-means++", Extreme(greatest))
    points.close()
    assert len(np.unique(chosen, axis=0)) == 5
    assert all((row == x).all(1).any() for row in chosen)


def test_sums_do_not_saturate():
    """In float32 a sum of ones stops at 2^24, and the mean of 100 million equal points is 0.17."""
    x = np.array([[1.0], [1.0], [3.0], [9.0]], np.float32)
    weights = np.array([1e8, 1e8, 2e8, 1])
    outcome = weighted(x, weights, [[0.0], [9.0]])
    assert outcome.centroids.tolist() == [[2.0], [9.0]]
    assert outcome.inertia == 4e8
    assert outcome.counts[1] in (0, 1)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_sums_of_many_points_do_not_saturate(dtype):
    n = 2**24 + 3
    x = np.ones((n, 1), dtype)
    x[: n // 2] = 3
    outcome = run(x, [[0.0], [3.0]], threads=2)
    assert outcome.centroids.tolist() == [[1.0], [3.0]]
    assert outcome.counts == [n - n // 2, n // 2]
    assert outcome.inertia == 0
    assert run(x, [[0.0]], threads=2).centroids[0, 0] == float(Fraction(n + 2 * (n // 2), n))


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
def test_labels_are_not_stale_after_a_refill(dtype, rng):
    x = rng.integers(0, 256, (300, 20)).astype(dtype)
    start = np.concatenate([x[:3], np.full((4, 20), 4000.0)])
    for max_iter in (1, 2, 3, 50):
        outcome = run(x, start, max_iter=max_iter)
        assert outcome.refilled
        assert outcome.labels == naive.labels(x, outcome.centroids).tolist()
        assert outcome.counts == np.bincount(outcome.labels, minlength=7).tolist()
        assert max_iter < 50 or min(outcome.counts) > 0


@pytest.mark.parametrize("k", [3, 4, 7])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_fewer_distinct_points_than_clusters(k, dtype):
    x = np.tile(np.array([[5, 5], [9, 1]], dtype), (10, 1))
    for init in ("random", "k-means++"):
        points = choose(x)
        start = seeding.starts(points, k, init, Stream(1))
        points.close()
        outcome = run(x, start)
        assert outcome.stop == "CONVERGED"
        assert outcome.inertia == 0
        assert sum(count > 0 for count in outcome.counts) == 2
        assert {tuple(row) for row in outcome.centroids.tolist()} <= {(5.0, 5.0), (9.0, 1.0)}


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32, np.float64])
def test_an_empty_cluster_does_not_turn_into_zeros(dtype, rng):
    x = rng.integers(100, 200, (60, 5)).astype(dtype)
    outcome = run(x, np.concatenate([x[:2], [[9000.0] * 5]]))
    assert outcome.refilled
    assert outcome.centroids.min() >= 100
    same = np.full((10, 5), 150, dtype)
    outcome = run(same, [[150.0] * 5, [170.0] * 5])
    assert outcome.centroids.tolist() == [[150.0] * 5, [170.0] * 5], "it stays where it was"


@pytest.mark.parametrize("scale", [1e-38, 1e-30, 1e-20, 1e18, 1e20, 1e30, 3e38])
@pytest.mark.parametrize("screen", SCREENS)
def test_float32_neither_overflows_nor_vanishes(scale, screen, rng):
    x = (rng.random((80, 33)) * scale).astype(np.float32)
    start = x[:4].astype(np.float64)
    outcome = run(x, start, screen=screen)
    labels, centroids, history, inertia, stop = naive.lloyd(x, start, 30)
    assert np.isfinite(outcome.inertia)
    assert outcome.inertia > 0
    assert (outcome.labels, outcome.stop, outcome.inertia) == (labels.tolist(), stop, inertia)
    assert outcome.bits == centroids.tobytes()
    assert outcome.history == tuple(history)


@pytest.mark.parametrize("scale", [1e-140, 1e-60, 1e60, 1e100, 1e140])
@pytest.mark.parametrize("d", [3, 70])
@pytest.mark.parametrize("screen", SCREENS)
def test_what_float32_cannot_hold_is_screened_all_the_same(scale, d, screen, rng):
    x = rng.random((80, d)) * scale
    start = x[:4].copy()
    outcome = run(x, start, screen=screen)
    labels, centroids, history, _, stop = naive.lloyd(x, start, 30)
    assert (outcome.labels, outcome.stop, outcome.history) == (labels.tolist(), stop, tuple(history))
    assert outcome.bits == centroids.tobytes()


def test_what_float64_cannot_square_is_refused():
    with pytest.raises(DataError, match="Scale them down"):
        choose(np.array([[1e200], [-1e200]]))


def test_a_large_common_offset_costs_no_label(rng):
    x = 1e8 + rng.integers(0, 2, (60, 7)) + np.linspace(0, 0.5, 60)[:, np.newaxis]
    outcome = run(x, x[:3])
    labels, centroids, *_ = naive.lloyd(x, x[:3], 30)
    assert (outcome.labels, outcome.bits) == (labels.tolist(), centroids.tobytes())


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_thread_counts_change_nothing(dtype, rng):
    x = rng.integers(0, 256, (2500, 70)).astype(dtype)
    outcomes = [run(x, x[:8], threads=threads, max_iter=12) for threads in (1, 2, 3, 16)]
    assert all(outcome == outcomes[0] for outcome in outcomes)


# What holds of all numbers


@pytest.mark.parametrize("examples", EXAMPLES)
def test_inertia_never_rises(examples):
    @settings(max_examples=examples, deadline=None)
    @given(problems())
    def holds(problem):
        x, start = problem
        history = run(x, start).history
        for before, after in pairwise(history):
            rounding = 2.0**-98 * float((np.asarray(x).astype(float) ** 2).sum())
            assert after <= before * (1 + 2.0**-46) + rounding, (before, after)

    holds()


@pytest.mark.parametrize("examples", EXAMPLES)
def test_permuting_points_permutes_labels_and_nothing_else(examples):
    @settings(max_examples=examples, deadline=None)
    @given(problems(), st.integers(0, 2**32 - 1))
    def holds(problem, seed):
        x, start = problem
        order = np.random.default_rng(seed).permutation(len(x))
        one, other = run(x, start), run(np.ascontiguousarray(x[order]), start)
        assume(not one.refilled)  # among points equally far, a refill takes the first
        assert [one.labels[i] for i in order] == other.labels
        assert replace(one, labels=other.labels) == other

    holds()


@pytest.mark.parametrize("examples", EXAMPLES)
def test_scaling_by_a_power_of_two_scales_exactly(examples):
    @settings(max_examples=examples, deadline=None)
    @given(problems(), st.integers(-60, 60))
    def holds(problem, exponent):
        x, start = problem
        if x.dtype.kind != "f":
            x = x.astype(np.float64)
        with np.errstate(over="ignore", under="ignore"):
            larger = np.ldexp(x, exponent)
            assume(np.isfinite(larger).all() and (np.ldexp(larger, -exponent) == x).all())
        one, other = run(x, start), run(larger, np.ldexp(start, exponent))
        assert one.labels == other.labels
        assert one.stop == other.stop
        assert np.ldexp(one.centroids, exponent).tobytes() == other.bits
        assert np.ldexp(one.history, 2 * exponent).tolist() == list(other.history)
        assert np.ldexp(one.inertia, 2 * exponent) == other.inertia

    holds()


@pytest.mark.parametrize("examples", EXAMPLES)
def test_every_point_twice_is_every_weight_two(examples):
    @settings(max_examples=examples, deadline=None)
    @given(problems())
    def holds(problem):
        x, start = problem
        one = run(np.concatenate([x, x]), start)
        other = weighted(x, np.full(len(x), 2.0), start)
        assume(not one.refilled)  # a refill takes one point: one of two, or both at once
        assert one.labels == other.labels * 2
        assert one.bits == other.bits
        assert (one.history, one.inertia, one.stop) == (other.history, other.inertia, other.stop)

    holds()


@pytest.mark.parametrize("examples", EXAMPLES)
def test_any_screen_threads_memory_and_blocks_give_the_same_bits(examples):
    @settings(max_examples=examples, deadline=None)
    @given(
        problems(),
        st.sampled_from(SCREENS),
        st.sampled_from([1, 2, 5]),
        st.sampled_from([None, 0]),
        st.sampled_from([1, 2, 3, 100]),
    )
    def holds(problem, screen, threads, memory, block):
        x, start = problem
        plain = run(x, start, screen="none")
        assert run(x, start, screen=screen, threads=threads, memory=memory, block=block) == plain

    holds()


# What is refused before any work


def never(*args, **named):
    raise AssertionError("an engine was asked for before the input was checked")


GOOD = np.arange(60, dtype=np.float64).reshape(12, 5)

BAD_PIXELS = {
    "NaN": (np.where(GOOD == 7, np.nan, GOOD), r"image 1 has the value nan at \[2\]"),
    "infinity": (np.where(GOOD == 7, np.inf, GOOD), r"image 1 has the value inf at \[2\]"),
    "complex": (GOOD * 1j, "complex numbers"),
    "strings": (GOOD.astype(str), "not text"),
    "objects": (GOOD.astype(object), "not Python objects"),
    "ragged": ([[1.0, 2.0], [3.0]], "do not all have the same shape"),
    "zero rows": (GOOD[:0], "holds no images"),
    "zero columns": (GOOD[:, :0], "holds no images"),
    "one number": (3.0, "holds no images"),
    "dates": (GOOD.astype("M8[s]"), "must be integers or floats"),
}


@pytest.mark.parametrize("case", BAD_PIXELS)
def test_what_cannot_be_clustered_is_refused(case):
    pixels, words = BAD_PIXELS[case]
    with pytest.raises(DataError, match=words):
        Images.from_arrays(pixels)


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        ({"k": (0,)}, "at least 1"),
        ({"k": (2, -3)}, "at least 1"),
        ({"k": (2.5,)}, r"2\.5"),
        ({"k": 2}, "list of whole numbers"),
        ({"k": "five"}, "five"),
        ({"k": ()}, "at least one number of clusters"),
        ({"k": (13,)}, "at most the number of training images, 12, but the plan has K = 13"),
        ({"k": (2,), "restarts": 0}, "restarts"),
        ({"k": (2,), "max_iter": 0}, "max_iter"),
        ({"k": (2,), "tol": -1.0}, "tol"),
        ({"k": (2,), "tol": float("nan")}, "tol"),
        ({"k": (2,), "train": 0.0}, "train"),
        ({"k": (2,), "train": float("nan")}, "train"),
        ({"k": (2,), "restarts": 1, "init": {2: [np.zeros((2, 4))]}}, "must have 5 features"),
        ({"k": (2,), "restarts": 1, "init": {2: [np.full((2, 5), np.nan)]}}, "NaN"),
    ],
)
def test_a_plan_that_cannot_be_is_refused(plan, words):
    with pytest.raises(PlanError, match=words):
        run_study(Study(**{"train": 1.0, **plan}), Images.from_arrays(GOOD), choose=never)


@pytest.mark.parametrize("weights", [[-1.0, 1, 1], [0.0, 0, 0], [np.nan, 1, 1], [np.inf, 1, 1]])
def test_weights_that_weigh_nothing_are_refused(weights):
    with (
        pytest.raises(DataError, match="Weights must be finite, at least 0, and not all 0"),
        opened(np.eye(3), weights=np.array(weights)),
    ):
        raise AssertionError


BAD_FITS = {
    "NaN": (np.where(GOOD == 7, np.nan, GOOD), 2, "NaN"),
    "infinity": (np.where(GOOD == 7, np.inf, GOOD), 2, "infinity"),
    "complex": (GOOD * 1j, 2, "Complex data not supported"),
    "strings": (np.full((12, 5), "a"), 2, "could not convert string|dtype='numeric'"),
    "objects": (np.full((12, 5), {}, object), 2, "must be a string or a real number|float\\(\\) argument"),
    "ragged": ([[1.0, 2.0], [3.0]], 2, "inhomogeneous|setting an array element with a sequence"),
    "zero rows": (GOOD[:0], 2, "0 sample"),
    "zero columns": (GOOD[:, :0], 2, "0 feature"),
    "no clusters": (GOOD, 0, "n_clusters"),
    "half a cluster": (GOOD, 2.5, "n_clusters"),
    "more clusters than rows": (GOOD, 13, "n_samples=12 should be >= n_clusters=13"),
}


@pytest.mark.parametrize("kind", [KMeans, MiniBatchKMeans, SphericalKMeans])
@pytest.mark.parametrize("case", BAD_FITS)
def test_what_an_estimator_cannot_fit_is_refused(case, kind, monkeypatch):
    x, k, words = BAD_FITS[case]
    monkeypatch.setattr(MemoryPoints, "tallies", never)  # NaN is found by what learns the points' range, before
    with pytest.raises((ValueError, TypeError), match=words):
        kind(k).fit(x)


@pytest.mark.parametrize("kind", [KMeans, MiniBatchKMeans, SphericalKMeans])
@pytest.mark.parametrize("weights", [[-1.0] + [1.0] * 11, [0.0] * 12, [np.nan] + [1.0] * 11, [1.0] * 11])
def test_an_estimator_refuses_weights_that_weigh_nothing(weights, kind):
    with pytest.raises(ValueError, match=r"[Ww]eight|NaN"):
        kind(2).fit(GOOD, sample_weight=np.array(weights))


@pytest.mark.parametrize("kind", [KMeans, MiniBatchKMeans, SphericalKMeans])
def test_another_number_of_features_is_refused(kind):
    fitted = kind(2, random_state=0).fit(GOOD)
    for method in (fitted.predict, fitted.transform, fitted.score):
        with pytest.raises(ValueError, match="X has 4 features"):
            method(GOOD[:, :4])
