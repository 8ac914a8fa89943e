"""The starts of runs: the random stream of each run, and the rows that it starts from.

Random numbers are drawn here, outside the engines, from one stream per (seed, K, restart). So a start depends neither
on the other runs of a study, nor on threads, nor on the engine.
"""

from __future__ import annotations

from contextlib import closing
from fractions import Fraction
from typing import Literal, cast

import numpy as np

from steinhaus.errors import PlanError
from steinhaus.points import Float64, Int64, Points, Sampling, Seeding, offers

Init = Literal["random", "k-means++", "k-means||"]
_ROUNDS = 5  # rounds of k-means||
_OVER = 2.0  # a round of k-means|| draws about this many times k points
_LARGEST = Fraction(np.finfo(np.float64).max)
AHEAD = 16  # the most rows for which k-means++ draws candidates at once
AGE = 8  # and at most one row for this many rows chosen, so that few candidates become invalid
UInt64 = np.ndarray[tuple[int, ...], np.dtype[np.uint64]]


class Stream:
    """A random stream that gives the same numbers with every version of NumPy.

    NumPy promises stable raw bits from `PCG64` and `SeedSequence` (NEP 19), but not from the distributions of
    `Generator`. So the distributions are computed here, from raw bits.

    Parameters
    ----------
    *key
        Non-negative integers that identify the stream; (seed, k, restart) for a run.

    Examples
    --------
    >>> Stream(0, 10, 3).distinct(3, 100).tolist()
    [66, 47, 74]
    """

    def __init__(self, *key: int) -> None:
        self._bits = np.random.PCG64(np.random.SeedSequence(key))

    def raw(self, n: int) -> UInt64:
        """Draw n words of 64 random bits, (n,) uint64."""
        return np.asarray(self._bits.random_raw(n), dtype=np.uint64)

    def ahead(self, n: int) -> UInt64:
        """The next n words, (n,) uint64, without drawing them: the same words come again."""
        words = self.raw(n)
        self._bits.advance(-n)
        return words

    def skip(self, n: int) -> None:
        """Pass over n words, which `ahead` has shown."""
        self._bits.advance(n)

    def uniform(self) -> float:
        """Draw a float in [0, 1), a multiple of 2^-53."""
        return int(self.raw(1)[0] >> np.uint64(11)) * 2.0**-53

    def below(self, bounds: Int64) -> Int64:
        """Draw one integer in [0, bound) for each of the bounds, evenly, (m,) -> (m,).

        Words at or above the largest multiple of the bound are rejected and drawn again.
        """
        span = bounds.astype(np.uint64)
        last = np.uint64(2**64 - 1)
        rejected = (last % span + np.uint64(1)) % span  # the top 2^64 mod bound words would favour small numbers
        words = self.raw(len(span))
        while (again := np.flatnonzero(words > last - rejected)).size:
            words[again] = self.raw(again.size)
        return (words % span).astype(np.int64)

    def integers(self, n: int, below: int) -> Int64:
        """Draw n integers in [0, below), evenly, (n,) int64."""
        return self.below(np.full(n, below, np.int64))

    def distinct(self, m: int, n: int) -> Int64:
        """Draw m of the integers 0..n-1 without replacement, in random order, (m,) int64.

        These are the first m steps of Fisher and Yates's shuffle.
        """
        swaps = self.below(n - np.arange(m, dtype=np.int64)) + np.arange(m)
        moved: dict[int, int] = {}
        drawn = np.empty(m, np.int64)
        for place, swap in enumerate(swaps.tolist()):
            drawn[place] = moved.get(swap, swap)
            moved[swap] = moved.get(place, place)
        return drawn

    def permutation(self, n: int) -> Int64:
        """Shuffle the integers 0..n-1, (n,) int64. The result is that of `distinct(n, n)`, in less time."""
        swaps = self.below(n - np.arange(n, dtype=np.int64))
        swaps += np.arange(n)
        order = np.arange(n)
        view = memoryview(order)  # type: ignore[arg-type]
        for place, swap in enumerate(memoryview(swaps)):  # type: ignore[arg-type]
            view[place], view[swap] = view[swap], view[place]
        return order


def starts(points: Points, k: int, init: Init, stream: Stream, *, weights: Int64 | None = None) -> Float64:
    """Choose k rows of the points to start from, (k, d) float64.

    Parameters
    ----------
    points
        The engine that holds the points.
    k
        The number of rows.
    init
        "random": k distinct rows, drawn evenly. "k-means++": greedy k-means++ (D. Arthur and S. Vassilvitskii,
        k-means++: the advantages of careful seeding, SODA 2007, section 2). Each step takes the best of 2 + ln k
        candidates (their section 5). "k-means||": see `scalable`.
    stream
        The random numbers of the run.
    weights
        (n,) the count of each point; None: 1 each. A point of count c is drawn as often as c copies of it would be.
    """
    if init == "k-means++":
        return points.rows(plus_plus(points, k, stream, weights))
    if init == "k-means||":
        if not isinstance(points, Sampling):
            raise PlanError('init="k-means||" needs dense points. Use "k-means++".')
        return scalable(points, k, stream, weights)
    return points.rows(stream.distinct(k, points.n) if weights is None else _distinct(weights, k, stream))


def _distinct(weights: Int64, k: int, stream: Stream, but: Int64 | None = None) -> Int64:
    """Draw k rows without replacement, each by its weight among the rows that are left: weights (n,) -> (k,).

    but: (m,) rows that are not drawn.
    """
    left = weights.copy()
    but = np.empty(0, np.int64) if but is None else but
    left[but] = 0
    chosen = np.empty(k, np.int64)
    for place in range(k):
        if not left.any():  # fewer rows than k have weight
            rest = np.setdiff1d(np.arange(len(weights)), np.concatenate([but, chosen[:place]]))
            chosen[place:] = rest[stream.distinct(k - place, len(rest))]
            break
        ends = np.cumsum(left)
        chosen[place] = np.searchsorted(ends, stream.integers(1, int(ends[-1]))[0], side="right")
        left[chosen[place]] = 0
    return chosen


def plus_plus(
    points: Points, k: int, stream: Stream, weights: Int64 | None = None, *, trials: int | None = None
) -> Int64:
    """Choose k rows by greedy k-means++, (k,) int64.

    The probability of a row is proportional to its squared distance from the nearest row chosen so far, times its
    weight. These products are rounded to integers whose sum stays below 2^62. Sums of integers do not depend on their
    order.

    Candidates are drawn for several rows at once (`ahead`). A candidate is a random number below the sum of all
    integers. The integers divide the numbers below their sum into one interval a row, and the number lies in the
    interval of one row. Later choices only shorten intervals. If the number is not in the shorter interval, the
    candidate is passed over. All other candidates are distributed as if they were drawn at that moment. This is
    rejection sampling (V. Cohen-Addad et al., Fast and accurate k-means++ via rejection sampling, NeurIPS 2020). So an
    engine can compare all candidates with the points in one pass.

    If all integers are 0, every distinct row with weight has been chosen. The remaining rows are then drawn evenly from
    those not chosen.

    weights: (n,). trials: the number of candidates for each row, of which the best is taken; None: 2 + ln k.
    """
    trials = trials or trials_of(k)
    times = 1.0 if weights is None else weights.astype(np.float64)
    can = offers(type(points), Seeding)
    chosen = cast(Seeding, points).plus_plus(k, stream, weights, trials).tolist() if can else []
    if not chosen:
        chosen = [first_row(points.n, stream, weights)]
    if len(chosen) == k:
        return np.array(chosen, np.int64)
    closest = np.full(points.n, np.inf)
    for first in range(0, len(chosen), trials):  # a few at a time: thousands would take too much memory
        closest = np.minimum(closest, points.squared_distances(np.array(chosen[first : first + trials])).min(axis=0))
    while len(chosen) < k:
        largest = float((closest * times).max())
        values = integers_of(closest * times, largest)
        ends = np.cumsum(values)
        if not ends[-1]:
            rest = np.setdiff1d(np.arange(points.n), chosen)
            return np.concatenate([chosen, rest[stream.distinct(k - len(chosen), len(rest))]])
        numbers = stream.integers(trials * ahead(len(chosen), k), int(ends[-1]))
        drawn = np.searchsorted(ends, numbers, side="right")
        within = numbers - (ends - values)[drawn]
        while len(chosen) < k and len(valid := np.flatnonzero(within < values[drawn])) >= trials:
            candidates = drawn[valid[:trials]]
            within[: valid[trials - 1] + 1] = ends[-1]  # not below any integer, so that they are not used again
            nearer = np.minimum(points.squared_distances(candidates, closest), closest)
            best = int(np.argmin([integers_of(row * times, largest).sum() for row in nearer]))
            chosen.append(int(candidates[best]))
            closest = nearer[best]
            values = integers_of(closest * times, largest)
    return np.array(chosen, np.int64)


def trials_of(k: int) -> int:
    """The number of candidates for each of k rows."""
    return 2 + int(np.log(k))


def ahead(chosen: int, k: int) -> int:
    """The number of rows, of k, for which candidates are drawn at once after `chosen` rows."""
    return min(max(1, chosen // AGE), AHEAD, k - chosen)


def most_ahead(k: int, few: int) -> int:
    """The most rows, of k, for which candidates are drawn at once while fewer than `few` are chosen."""
    return max((ahead(chosen, k) for chosen in range(1, few)), default=1)


def first_row(n: int, stream: Stream, weights: Int64 | None) -> int:
    """The first row of k-means++: one of n rows, drawn by its weight. weights: (n,); None: 1 each."""
    return int((stream.integers(1, n) if weights is None else _distinct(weights, 1, stream))[0])


def scalable(points: Points, k: int, stream: Stream, weights: Int64 | None = None) -> Float64:
    """Choose k rows by k-means||, (k, d) float64, in six passes over the points for any k.

    B. Bahmani et al., Scalable k-means++, PVLDB 5(7), 2012. It starts from one row. Each of five rounds draws about 2k
    rows, a row with the probability 2k times its share of the cost. Each row drawn is then weighted by the number of
    points that are nearest to it, and k-means++ chooses k of these rows. Costs are exact sums, so the result does not
    depend on a partition of the points. A round compares the points only with the rows that the last one drew.

    weights: (n,) the count of each point; None: 1 each.
    """
    assert isinstance(points, Sampling)
    nearest = points.nearest(weights)
    chosen = more = np.array([first_row(points.n, stream, weights)], np.int64)
    for _ in range(_ROUNDS):
        potential = nearest.add(more)
        if not potential:
            more = chosen[:0]
            break
        factor = float(min(Fraction(_OVER * k) / potential, _LARGEST))
        more = nearest.draw(factor, int(stream.raw(1)[0]))
        chosen = np.concatenate([chosen, more])
    if len(chosen) <= k:
        return points.rows(np.concatenate([chosen, _others(points.n, chosen, k - len(chosen), stream, weights)]))
    if len(more):
        nearest.add(more)
    with closing(nearest.few()) as few:
        return few.rows(plus_plus(few, k, stream, nearest.sizes()))


def _others(n: int, chosen: Int64, m: int, stream: Stream, weights: Int64 | None) -> Int64:
    """Draw m of n rows that are not chosen, (m,) int64. chosen: (c,); weights: (n,)."""
    if weights is not None:
        return _distinct(weights, m, stream, chosen)
    return np.setdiff1d(stream.distinct(min(2 * (len(chosen) + m), n), n), chosen)[:m]


def integers_of(distances: Float64, largest: float | None = None) -> Int64:
    """Squared distances, (n,), as integers, scaled by a power of two so that their sum stays below 2^62."""
    largest = float(distances.max()) if largest is None else largest
    exponent = sum_bits(len(distances)) - 1 - int(np.frexp(largest)[1])  # 2^exponent itself may overflow
    return np.floor(np.ldexp(distances, exponent)).astype(np.int64)


def sum_bits(n: int) -> int:
    """The bits that each of n integers may have, so that the sum of all stays below 2^62."""
    return 62 - int(np.ceil(np.log2(n + 1)))
