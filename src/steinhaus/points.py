"""The interface between the algorithm and the engines: the protocol `Points`, and the records that pass through it.

`lloyd`, `seeding` and `centroids` use these alone. An engine (`engines/`) is a class that implements `Points`. Its
state between passes is a cache: losing it costs time and never changes a result.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from fractions import Fraction
from functools import cache
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]
Float32 = NDArray[np.float32]
Int64 = NDArray[np.int64]
Int32 = NDArray[np.int32]


class Stop(Enum):
    """The reason why a run ended. The value is the sentence for the user."""

    CONVERGED = "No centroid moved: the run has converged."
    TOLERANCE = "The centroids moved by no more than the tolerance."
    MAX_ITER = "The iteration limit was reached before convergence; raise max_iter to go on."
    ASKED = "A callback asked the run to stop."


@dataclass(frozen=True)
class Run:
    """The state of one run, at its start or later. A run can be continued from it.

    Attributes
    ----------
    key
        Identifies the run; in a study it is (k, restart). Engines keep their caches by it.
    centroids
        (k, d) float64, C-contiguous, in the units of the points. Other memory orders are copied.
    history
        Inertia after each iteration so far, in squared units of the points.
    stop
        The reason why the run stops before it has converged; None while it goes on. A run with a `stop` needs one more
        assignment, so that its labels belong to its centroids.
    """

    key: Hashable
    centroids: Float64  # (k, d)
    history: tuple[float, ...] = ()
    stop: Stop | None = None

    def __post_init__(self) -> None:
        """Make the centroids C-contiguous, as kernels read them."""
        object.__setattr__(self, "centroids", np.ascontiguousarray(self.centroids))


@dataclass(frozen=True)
class Fit:
    """A finished run. The engine holds its labels: call `Points.labels(key)` before the engine forgets the run.

    `inertia` belongs to the final labels and the returned centroids. If the run converged, it equals `history[-1]`. If
    the run was stopped earlier, it is at most `history[-1]`.
    """

    key: Hashable
    centroids: Float64  # (k, d)
    counts: Int64  # (k,) points in each cluster
    history: tuple[float, ...]  # inertia after each iteration's update
    inertia: float
    stop: Stop

    @property
    def iterations(self) -> int:
        """The number of iterations. An iteration is an assignment of all points and an update of the centroids."""
        return len(self.history)


@dataclass(frozen=True)
class Step:
    """One step of refining: some centroids are added, and as many are removed.

    Attributes
    ----------
    added
        The number of centroids that were added, and then removed.
    inertia
        Inertia of the clustering that the step found, weighted, in squared units of the points.
    kept
        Whether this clustering was better than all before, and was kept.
    iterations
        Iterations of Lloyd's algorithm.
    seconds
        Duration of the step.
    """

    added: int
    inertia: float
    kept: bool
    iterations: int
    seconds: float


@dataclass(frozen=True)
class Grid:
    """The grid of exact sums: an integer q stands for the value offset[t] + step[t] * q of feature t.

    Pixels have offset 0 and step 1. Steps are powers of two, so that scaling never rounds.
    """

    offset: Float64  # (d,)
    step: Float64  # (d,)

    def limbs(self, rows: Float64, limbs: int, weights: Int64 | None = None) -> Int64:
        """The integers of rows, (m, d) -> (limbs, m, d), each row times its weight. weights: (m,); None: 1 each."""
        q = np.rint((rows - self.offset) / self.step).astype(np.int64)
        if weights is None or (weights == 1).all():
            exact = q
        else:  # products may exceed an int64
            exact = q.astype(object) * weights[:, np.newaxis].astype(object)
        parts = [exact] if limbs == 1 else [exact >> 32, exact & 0xFFFFFFFF]
        return np.stack([part.astype(np.int64) for part in parts])


@dataclass(frozen=True)
class Totals:
    """Exact sums over all points, of the grid's integers q = (x - offset) / step. They never change.

    Weights are whole numbers times a unit: in a tally, and in `weighted`, a point of weight w counts as w / unit
    points.
    """

    sums: Int64  # (limbs, 1, d), each point counted once
    squares: Float64  # (2,) sum of (step q)^2 over all points and features, as a two-float: high + low
    n: int  # points
    weights: Int64 | None = None  # (n,) count of each point in tallies, at least 0; None: 1 each
    weighted: Float64 | None = None  # (2,) as `squares`, each point times its count; None: there are no weights
    unit: float = 1.0  # the weight of one count
    finer: tuple[tuple[Int64, Float64], ...] = ()  # `weights` and `weighted` of the levels below: see `Tally.finer`

    @property
    def draws(self) -> Int64 | None:
        """The counts by which points are drawn at random, (n,); None: 1 each."""
        return None if self.weights is None else drawn([self.weights, *(weights for weights, _ in self.finer)])


def drawn(levels: Sequence[Int64]) -> Int64:
    """The coarsest counts of weights, (n,), but at least 1 for each point with weight, so that it can be drawn."""
    if len(levels) == 1:
        return levels[0]
    return np.maximum(levels[0], np.any([finer > 0 for finer in levels[1:]], axis=0))


@dataclass(frozen=True)
class Tally:
    """The sums and counts of all clusters of one run, after one assignment.

    The tallies of parts of the points add up to the tally of all points. All numbers are integers, so the order of
    summation, the number of threads and the partition cannot change a bit.
    """

    sums: Int64  # (limbs, k, d) integer sums of each cluster's points; with two limbs, value = high * 2^32 + low
    counts: Int64  # (k,) the number of points, or the sum of their counts if there are weights
    farthest: Int64 = field(
        default_factory=lambda: np.empty((0, 2), np.int64)
    )  # (e, 2) point, its cluster: see Points.assign
    finer: tuple[Tally, ...] = ()  # the finer levels, if weights have more digits than one level holds
    digits: int = 0  # 2^digits counts of a level are one count of the level above

    @property
    def empty(self) -> NDArray[np.bool_]:
        """Whether each cluster is empty, (k,): all its counts are 0."""
        is_empty: NDArray[np.bool_] = self.counts == 0
        for level in self.finer:
            is_empty &= level.counts == 0
        return is_empty


class Points(Protocol):
    """Points in R^d, in memory, on disk or on a cluster. Each engine in `engines/` is an implementation, and final."""

    n: int  # points
    d: int  # features
    grid: Grid

    @property
    def totals(self) -> Totals:
        """Exact sums over all points."""
        ...

    def assign(self, runs: Sequence[Run]) -> list[Tally]:
        """Give every point the label of its nearest centroid, for every run, in one pass over the data.

        The nearest centroid has the least squared distance sum_t (x_t - c_t)^2, computed in float64 by
        `engines.exact.distances.squared_distance`, which fixes the order of summation. Ties go to the lowest cluster.

        If a tally has e empty clusters, `farthest` holds the e points that are farthest from their centroids, and their
        clusters: farthest first, ties to the lowest index. Points at distance 0 or of weight 0 are left out. A cluster
        is empty if its count is 0. A run that has a `stop` is not refilled, so its tally may leave them out.
        """
        ...

    def rows(self, indices: Int64) -> Float64:
        """The points with these indices, (m,) -> (m, d) float64."""
        ...

    def squared_distances(self, indices: Int64, below: Float64 | None = None) -> Float64:
        """The squared distances of all points to some of them, indices (m,), -> (m, n) float64, as `assign` measures.

        below: (n,) a limit for each point. Only distances below the limit need to be measured. For any other the engine
        may return any number that is not below it, as infinity.
        """
        ...

    def labels(self, key: Hashable) -> Int32:
        """The labels of the last assignment of a run, (n,) int32."""
        ...

    def explain(self, k: int, runs: int = 1) -> str:
        """Say how the engine would label points for `runs` runs with k centroids each, and why."""
        ...

    def forget(self, key: Hashable) -> None:
        """Drop the state of a run."""
        ...

    def close(self) -> None:
        """Release threads and caches."""
        ...


# Further protocols, which some engines implement. Callers test for them: isinstance(points, Sampling).


class Nearest(Protocol):
    """The nearest of some rows to each point, while rows are added.

    Distances are measured as `Points.assign` measures them; ties go to the row that was added first.
    """

    def add(self, indices: Int64) -> Fraction:
        """Add rows: the points of these indices, (m,). The first call needs at least one.

        Returns the potential: the exact sum of all points' squared distances to their nearest row, each rounded times
        the point's weight.
        """
        ...

    def draw(self, factor: float, seed: int) -> Int64:
        """Draw each point with the probability `factor` times its share of the potential: (m,), ascending.

        Whether a point is drawn depends only on the seed, its number and this probability.
        """
        ...

    def sizes(self) -> Int64:
        """The total weight of the points that are nearest to each row, (m,)."""
        ...

    def few(self) -> Points:
        """The rows themselves as points in memory. The caller closes them."""
        ...


@runtime_checkable
class Sampling(Protocol):
    """Points that can be drawn by their squared distances to the nearest of some rows."""

    def nearest(self, weights: Int64 | None) -> Nearest:
        """The nearest of rows that will be added. weights: (n,); None: 1 each."""
        ...


@runtime_checkable
class Seeding(Protocol):
    """Points that choose the starts of k-means++ by themselves, faster than `seeding.plus_plus` can."""

    def plus_plus(self, k: int, stream: Any, weights: Int64 | None, trials: int) -> Int64:
        """The first rows that `seeding.plus_plus` chooses with these random numbers: k of them, or fewer, (m,).

        Parameters
        ----------
        k
            The rows that are wanted.
        stream
            A `seeding.Stream`. Only the random numbers for the rows that are returned are drawn from it.
        weights
            (n,) the count of each point; None: 1 each.
        trials
            The number of candidates for each row.
        """
        ...


@runtime_checkable
class Advancing(Protocol):
    """Points that can do several iterations in one call."""

    def advance(self, runs: Sequence[Run], *, tolerance: float, most: Sequence[int]) -> list[Run]:
        """Advance each run by complete iterations of `lloyd`, as many as suit the engine.

        It stops before an iteration that ends the run, which is one that moves the centroids by a sum of squares of at
        most `tolerance`. It also stops before an iteration with an empty cluster, and after `most` iterations, one
        limit a run.
        """
        ...


@runtime_checkable
class TwoNearest(Protocol):
    """Points that find the second nearest centroids without measuring all distances.

    Between passes, a run may change its number of centroids.
    """

    def own_distances(self, run: Run) -> Float64:
        """The squared distance of each point to its centroid, (n,). The run must be the one that was just assigned."""
        ...

    def two_nearest(self, run: Run) -> tuple[Float64, Float64]:
        """The squared distances of each point to its centroid and to the nearest other centroid, (n,) each.

        The second is infinite if there is no other centroid. The run must be the one that was just assigned.
        """
        ...


@dataclass(frozen=True)
class Margins:
    """Bounds on the margins of points: how much farther the second nearest centroid is than the nearest, squared.

    Attributes
    ----------
    least, most
        (n,) bounds of the margins that `measured` gives.
    measured
        Points, (m,) -> their margins, (m,): the difference of the two squared distances of `TwoNearest.two_nearest`.
    """

    least: Float64
    most: Float64
    measured: Callable[[Int64], Float64]


@runtime_checkable
class BoundedMargins(Protocol):
    """Points that bound margins faster than they measure them."""

    def margins(self, run: Run) -> Margins:
        """The margins of a run with at least two centroids. The run must be the one that was just assigned."""
        ...


@cache
def offers(kind: type, ability: type) -> bool:
    """Whether points of a class have an ability. The answer is cached, as `isinstance` takes long."""
    return issubclass(kind, ability)


@runtime_checkable
class LabelsArray(Protocol):
    """Points on a cluster whose labels can stay on the workers."""

    def labels_array(self, key: Hashable) -> Any:
        """The labels of the last assignment of a run, as a Dask array, (n,) int32."""
        ...


@runtime_checkable
class WithLabels(Protocol):
    """Points in parts, which can call a function where the labels of each part are."""

    def with_labels(
        self, runs: Sequence[Run], work: Callable[[Int32, Any], Any], own: Callable[[int, Int64], Any]
    ) -> list[Any]:
        """Call a function with the labels of each part; return the results, part by part.

        Parameters
        ----------
        runs
            The runs of the last assignment.
        work
            The function: `work(labels, argument)`, with labels (runs, m) int32 and the part's argument.
        own
            Makes the argument of a part: `own(part, points)`, with the number of the part and its points, (m,).
        """
        ...


@runtime_checkable
class TimedReading(Protocol):
    """Points that are read from disk in every pass."""

    @property
    def reading(self) -> Any:
        """The time that reading took. Its `text()` is a sentence for the user."""
        ...
