"""Starts in two levels, for K in the thousands: a few coarse clusters, each split into some of the K clusters.

About sqrt(K) coarse clusters are found on a sample, or twice as many if K is large, because parts of unequal size take
longer. Each is a part that is then clustered by itself. So a step on either level compares a point with about sqrt(K)
centroids instead of K. The result is a start like any other, from which Lloyd's algorithm runs on all points.

Each part chooses more rows by k-means++ than its share in proportion to its points. Each row lowers the potential of
its part by its gain. The K rows with the largest gains are kept. So a part that holds many small groups, or is wider
than others, gets more clusters.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from steinhaus.points import Float32, Float64, Int64, Points
from steinhaus.seeding import Stream

_VALUES = 2**14  # sampled values for each cluster; they are of
_PER_CLUSTER = 16, 128  # so many rows at least and at most: the wider rows are, the fewer are sampled
_AT_LEAST = 2**15  # rows are sampled in any case, because few take little time
_HALF = 2  # one of so many rows takes part when rows are chosen
_COARSE_FROM = 64  # sampled rows for each coarse cluster
_MORE, _AND = 2, 3  # a part first chooses 2 q + 3 rows if q is its share in proportion to its points
_MANY = 1000  # clusters; from twice as many on, there are 2 sqrt(K) coarse clusters
_ITERATIONS = 4  # iterations of Lloyd's algorithm on each level


class Seeds(NamedTuple):
    """Rows that a part can start from, best first."""

    rows: Float32  # (s, width) less the centre of the part, times a scale, and padded
    gains: Float64  # (s,) by how much each row lowered the potential of the part


class Parts(Protocol):
    """Parts of the points, each clustered by itself. Results do not depend on the number of threads."""

    def choose(
        self,
        parts: Sequence[Int64],
        centres: Float64,
        sizes: Sequence[int],
        words: Callable[[int], NDArray[np.uint64]],
    ) -> list[Seeds]:
        """Choose rows of each part by k-means++.

        Parameters
        ----------
        parts
            The numbers of the points of each part, (m,).
        centres
            (p, d) a point near each part. Its points are rounded to float32 after it is subtracted.
        sizes
            The number of rows of each part, at most m; 0: none.
        words
            Draws so many random numbers.
        """
        ...

    def label(self, numbers: Int64, centre: Float64, centroids: Float64) -> NDArray[np.uint16]:
        """Label some points by centroids, (k, d), k < 2^16 -> (m,), ties to the lowest.

        numbers: (m,) of the points; centre: (d,) a point near all of them. Distances are rounded to float32 after it is
        subtracted, so that a point that is about as near to two centroids may get the label of the farther one.
        """
        ...

    def iterate(self, parts: Sequence[Int64], centres: Float64, starts: Sequence[Float32], many: int) -> Float64:
        """Do some iterations of Lloyd's algorithm in each part -> the centroids of all parts, (k, d).

        starts: for each part the rows that it starts from, (s, width), as `choose` returned them.
        """
        ...


def hierarchical(points: Points, k: int, stream: Stream, parts: Parts, *, weights: Int64 | None = None) -> Float64:
    """Choose k centroids to start from, in two levels, (k, d) float64.

    Parameters
    ----------
    points
        The engine with all points.
    k
        The number of centroids.
    stream
        The random numbers of the run.
    parts
        The same points in parts.
    weights
        (n,) the count of each point; None: 1 each. Points of weight 0 are left out if there are k others.
    """
    rows = np.arange(points.n) if weights is None else _weighty(weights, k)
    first = _drawn(rows, _COARSE_FROM * _coarse(k), stream)
    centre = points.rows(first[len(first) // 2 :][:1])
    half = np.ascontiguousarray(first[::_HALF]) if len(first) >= _HALF * _coarse(k) else first
    (found,) = parts.choose([half], centre, [min(_coarse(k), len(half))], stream.raw)
    coarse = parts.iterate([first], centre, [found.rows], _ITERATIONS)
    rows = _drawn(rows, max(_AT_LEAST, k * int(np.clip(_VALUES // points.d, *_PER_CLUSTER))), stream)
    labels = parts.label(rows, centre[0], coarse)  # NumPy sorts short integers in linear time
    ends = np.cumsum(np.bincount(labels, minlength=len(coarse)))
    members = np.split(rows[np.argsort(labels, kind="stable")], ends[:-1])
    every = _HALF if len(rows) >= _HALF * k else 1
    some = [np.ascontiguousarray(part[::every]) for part in members]
    sizes = np.array([len(part) for part in some])
    heavy = sizes if weights is None else np.array([int(weights[part].sum()) for part in some])
    seeds, kept = _shared_out(parts, some, coarse, _MORE * shares(sizes, heavy, k) + _AND, k, stream)
    begun = [each.rows[:many] for each, many in zip(seeds, kept, strict=True)]
    return parts.iterate(members, coarse, begun, _ITERATIONS)


def _shared_out(
    parts: Parts, some: Sequence[Int64], centres: Float64, most: Int64, k: int, stream: Stream
) -> tuple[list[Seeds], list[int]]:
    """Rows of each part, and how many of them are kept. A part of which all rows are kept chooses twice as many.

    some: the numbers of the points of each part, (m,); centres: (p, d); most: (p,) the rows that each chooses first.
    """
    sizes = np.array([len(part) for part in some])
    most = again = np.minimum(most, sizes)
    seeds = [Seeds(np.empty((0, 0), np.float32), np.empty(0))] * len(some)
    while again.any():
        found = parts.choose(some, centres, again.tolist(), stream.raw)
        seeds = [new if many else old for new, old, many in zip(found, seeds, again.tolist(), strict=True)]
        kept = best_gains([each.gains for each in seeds], k)
        more = np.minimum(np.where(kept == most, 2 * most, most), sizes)
        again = np.where(more > most, more, 0)
        most = more
    return seeds, kept


def best_gains(gains: Sequence[Float64], k: int) -> list[int]:
    """The number of rows that each part keeps, so that the k rows with the largest gains are kept.

    A row is kept only with all rows before it, so it counts as the least gain up to it. Ties go to the first part.
    gains: (s,) of each part; at least k in all.
    """
    parts = np.repeat(np.arange(len(gains)), [len(part) for part in gains])
    lowered = np.concatenate([np.minimum.accumulate(part) for part in gains])
    kept: list[int] = np.bincount(parts[np.argsort(-lowered, kind="stable")[:k]], minlength=len(gains)).tolist()
    return kept


def shares(sizes: Int64, weights: Int64, k: int) -> Int64:
    """Share out k clusters among parts in proportion to their weights, by the largest remainder: (m,) int64.

    Ties go to the first part. A part that is not empty gets at least one cluster, and at most as many as it has points.

    Parameters
    ----------
    sizes
        (m,) points in each part; at least k in all, and m is at most k.
    weights
        (m,) the weight of each part, not all 0.
    k
        The number of clusters.
    """
    quotas = k * (weights / weights.sum())
    found: Int64 = np.minimum(np.maximum(np.floor(quotas).astype(np.int64), 1), sizes)
    while left := k - int(found.sum()):
        owed = quotas - found
        if left > 0:
            found[np.argmax(np.where(found < sizes, owed, -np.inf))] += 1
        else:
            found[np.argmin(np.where(found > 1, owed, np.inf))] -= 1
    return found


def _coarse(k: int) -> int:
    """The number of coarse clusters for k clusters."""
    return round(math.sqrt(k) * min(max(1.0, k / _MANY), 2.0))


def _weighty(weights: Int64, k: int) -> Int64:
    """The points whose weight is above 0; all points, if fewer than k have such a weight. weights: (n,)."""
    rows = np.flatnonzero(weights > 0)
    return rows if len(rows) >= k else np.arange(len(weights))


def _drawn(rows: Int64, many: int, stream: Stream) -> Int64:
    """Draw `many` of the rows, (m,), one from each of as many stretches of equal length; all rows if they are fewer."""
    if len(rows) <= many:
        return rows
    ends = np.arange(many + 1) * len(rows) // many
    drawn: Int64 = rows[ends[:-1] + stream.below(np.diff(ends))]
    return drawn
