"""The seam between the algorithm and the engines: what a collection of points must be able to do.

`lloyd`, `seeding` and `centroids` know these records and nothing about hardware; an engine (`engines/`) is one class
that implements `Points`. What an engine remembers between passes is a cache: losing it costs time and never changes a
result.
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
Int64 = NDArray[np.int64]
Int32 = NDArray[np.int32]


class Stop(Enum):
    """Why a run ended; the value is the sentence that the user reads."""

    CONVERGED = "No centroid moved: the run has converged."
    TOLERANCE = "The centroids moved by no more than the tolerance."
    MAX_ITER = "The iteration limit was reached before convergence; raise max_iter to go on."
    ASKED = "A callback asked the run to stop."


@dataclass(frozen=True)
class Run:
    """One run of the algorithm, in progress or about to begin: all that is needed to go on with it.

    Attributes
    ----------
    key
        Names the run within its study, (k, restart) there; engines key their caches by it.
    centroids
        (k, d) float64, C-contiguous, in the units of the points; `lloyd` takes them in any memory order.
    history
        Inertia after each iteration so far, one float an iteration, in squared units of the points.
    stop
        Why the run stops early, once it does: it still owes one assignment, so that its labels belong to its centroids.
    """

    key: Hashable
    centroids: Float64  # (k, d)
    history: tuple[float, ...] = ()
    stop: Stop | None = None

    def __post_init__(self) -> None:
        """Let centroids be contiguous, as kernels read them."""
        object.__setattr__(self, "centroids", np.ascontiguousarray(self.centroids))


@dataclass(frozen=True)
class Fit:
    """A finished run. Labels are the engine's: ask `Points.labels(key)` before it forgets the run.

    `inertia` is that of the final labels with the returned centroids; it equals `history[-1]` where the run
    converged, and is at most that where it was stopped earlier.
    """

    key: Hashable
    centroids: Float64  # (k, d)
    counts: Int64  # (k,) points in each cluster
    history: tuple[float, ...]  # inertia after each iteration's update
    inertia: float
    stop: Stop

    @property
    def iterations(self) -> int:
        """The number of iterations: one assignment of every point and one update of the centroids each."""
        return len(self.history)


@dataclass(frozen=True)
class Step:
    """One step of refining: some centroids added, as many removed.

    Attributes
    ----------
    added
        How many centroids were added, and as many removed.
    inertia
        Of the clustering that the step found, in squared units of the points, weighted.
    kept
        Whether that was better than all before, and taken.
    iterations
        Iterations of Lloyd's algorithm.
    seconds
        How long the step took.
    """

    added: int
    inertia: float
    kept: bool
    iterations: int
    seconds: float


@dataclass(frozen=True)
class Grid:
    """Where integer sums stand for real ones: feature t of a point is offset[t] + step[t] * q, q an integer.

    Pixels are their own grid: offset 0, step 1. Steps are powers of two, so that scaling never rounds.
    """

    offset: Float64  # (d,)
    step: Float64  # (d,)

    def limbs(self, rows: Float64, limbs: int, weights: Int64 | None = None) -> Int64:
        """The integers of these rows, (m, d) float64 -> (limbs, m, d) int64; each row times its weight, (m,) int64."""
        q = np.rint((rows - self.offset) / self.step).astype(np.int64)
        exact = q if weights is None else q.astype(object) * weights[:, np.newaxis].astype(object)
        parts = [exact] if limbs == 1 else [exact >> 32, exact & 0xFFFFFFFF]
        return np.stack([part.astype(np.int64) for part in parts])


@dataclass(frozen=True)
class Totals:
    """What never changes about the points: exact sums over all of them, of the grid's integers q = (x - offset) / step.

    Weights are whole numbers times a unit: in a tally, and in `weighted`, a point of weight w stands for w / unit
    points.
    """

    sums: Int64  # (limbs, 1, d): of all points, each counted once
    squares: Float64  # (2,) sum of (step q)^2 over all points and features, as a two-float: high + low
    n: int
    weights: Int64 | None = None  # (n,) what each point counts for in tallies, at least 0; None: 1 each
    weighted: Float64 | None = None  # (2,) as squares, each point counted by its weight; None: there are no weights
    unit: float = 1.0  # the weight that one count stands for
    finer: tuple[tuple[Int64, Float64], ...] = ()  # `weights` and `weighted` of the levels below: see `Tally.finer`

    @property
    def draws(self) -> Int64 | None:
        """What each point counts for where points are drawn, (n,); None: 1 each."""
        return None if self.weights is None else drawn([self.weights, *(weights for weights, _ in self.finer)])


def drawn(levels: Sequence[Int64]) -> Int64:
    """The coarsest counts of weights, (n,), but at least 1 for whatever has weight, so that it can be drawn."""
    if len(levels) == 1:
        return levels[0]
    return np.maximum(levels[0], np.any([finer > 0 for finer in levels[1:]], axis=0))


@dataclass(frozen=True)
class Tally:
    """What one assignment of all points amounts to, for one run. Tallies of parts of the points add up.

    Integers throughout, so no order of summation, number of threads or partition can change a bit.
    """

    sums: Int64  # (limbs, k, d): the integer sums of each cluster's points; one limb, or two: value = high * 2^32 + low
    counts: Int64  # (k,) points, or the whole numbers that their weights amount to
    farthest: Int64 = field(
        default_factory=lambda: np.empty((0, 2), np.int64)
    )  # (e, 2) point, its cluster: see Points.assign
    finer: tuple[Tally, ...] = ()  # of weights in more digits than one level holds: the levels below, ever finer
    digits: int = 0  # binary digits from one level to the next: 2^digits of its counts are one of the level above

    @property
    def empty(self) -> NDArray[np.bool_]:
        """Which clusters nothing counts for, (k,)."""
        is_empty: NDArray[np.bool_] = self.counts == 0
        for level in self.finer:
            is_empty &= level.counts == 0
        return is_empty


class Points(Protocol):
    """Points in R^d wherever they live. One implementation a file in `engines/`; implementations are final."""

    n: int  # points
    d: int  # features
    grid: Grid

    @property
    def totals(self) -> Totals:
        """Exact sums over all points."""
        ...

    def assign(self, runs: Sequence[Run]) -> list[Tally]:
        """Give every point the label of its nearest centroid, for every run, in one pass over the data.

        Nearest is by the float64 squared distance sum_t (x_t - c_t)^2, summed in the order that
        `products.squared_distance` fixes; ties go to the lowest cluster. Where a tally has e empty clusters,
        `farthest` names the e points that lie farthest from their centroid by the same distance, and their clusters
        (farthest first, ties to the lowest index), without those at distance 0 or of weight 0. A cluster is empty
        where its count is 0.
        """
        ...

    def rows(self, indices: Int64) -> Float64:
        """The points of these indices, (m, d) float64."""
        ...

    def squared_distances(self, indices: Int64, below: Float64 | None = None) -> Float64:
        """The squared distances of all points to m points of their own, (m, n) float64, as `assign` measures them.

        below: (n,) what alone is of interest. A distance that is not below may come as any other that is not, infinite
        ones included, so that it need not be measured.
        """
        ...

    def labels(self, key: Hashable) -> Int32:
        """The labels of the last assignment of a run, (n,) int32."""
        ...

    def explain(self, k: int, runs: int = 1) -> str:
        """Say how `runs` runs with k centroids each would be labelled, and why in this way."""
        ...

    def forget(self, key: Hashable) -> None:
        """Drop what is remembered of a run."""
        ...

    def close(self) -> None:
        """Give back threads and caches."""
        ...


# Abilities that some engines have besides. Callers ask for them by type: isinstance(points, Sampling).


class Nearest(Protocol):
    """The nearest of some rows to each point, while rows are added.

    Distances are measured as `Points.assign` measures them; ties go to the row that was added first.
    """

    def add(self, indices: Int64) -> Fraction:
        """Add rows, the points of these indices, at least one at first.

        Returns the potential: the exact sum of all points' squared distances to their nearest row, each rounded times
        the point's weight.
        """
        ...

    def draw(self, factor: float, seed: int) -> Int64:
        """Draw each point with a chance of `factor` times what it adds to the potential, ascending.

        Whether a point is drawn depends on the seed, its number and this chance alone.
        """
        ...

    def sizes(self) -> Int64:
        """What the points nearest to each row count for, (m,)."""
        ...

    def few(self) -> Points:
        """The rows themselves as points, in memory, to be closed by who asks."""
        ...


@runtime_checkable
class Sampling(Protocol):
    """Points that can be drawn by their squared distances to the nearest of some rows."""

    def nearest(self, weights: Int64 | None) -> Nearest:
        """The nearest of rows that are yet to come. weights: (n,) what points count for; None: 1 each."""
        ...


@runtime_checkable
class Seeding(Protocol):
    """Points that choose starts by themselves."""

    def plus_plus(self, k: int, stream: Any, weights: Int64 | None, trials: int) -> Int64:
        """The first rows that `seeding.plus_plus` chooses with these random numbers: k, or as many as go this way.

        Parameters
        ----------
        stream
            A `seeding.Stream`; what these rows take of it is drawn, and no more.
        weights
            (n,) how often each point counts; None: once.
        trials
            How many candidates are drawn for each row.
        """
        ...


@runtime_checkable
class Advancing(Protocol):
    """Points that can go ahead by themselves, while nobody watches."""

    def advance(self, runs: Sequence[Run], *, tolerance: float, most: Sequence[int]) -> list[Run]:
        """Move each run on by complete iterations, as `lloyd` would do them: as many as suit the engine.

        It stops before an iteration that ends the run, because no centroid moves, or all together by a sum of squares
        of at most `tolerance`, or that has an empty cluster; and after the `most` that are given for it, (R,).
        """
        ...


@runtime_checkable
class TwoNearest(Protocol):
    """Points whose second nearest centroids are found without measuring all distances.

    Their runs may come back with another number of centroids.
    """

    def two_nearest(self, run: Run) -> tuple[Float64, Float64]:
        """The squared distances of each point to its centroid and to the nearest of the others, (n,) each.

        The run was just assigned. Infinite, where there is no other.
        """
        ...


@cache
def finds_two(kind: type) -> bool:
    """Whether points of a class have the ability `TwoNearest`: remembered, as small steps ask often."""
    return issubclass(kind, TwoNearest)


@runtime_checkable
class LabelsArray(Protocol):
    """Points whose labels can stay where the points are."""

    def labels_array(self, key: Hashable) -> Any:
        """The labels of the last assignment of a run, as a Dask array, (n,) int32."""
        ...


@runtime_checkable
class WithLabels(Protocol):
    """Points in parts, where work can be done beside the labels of each part."""

    def with_labels(
        self, runs: Sequence[Run], work: Callable[[Int32, Any], Any], own: Callable[[int, Int64], Any]
    ) -> list[Any]:
        """Have something done with the labels of each part; what came of it, part by part.

        Parameters
        ----------
        runs
            Those of the last assignment.
        work
            Is given the labels, (runs, m) int32, and the part's own argument.
        own
            Makes that argument of the part's number and its points, (m,).
        """
        ...


@runtime_checkable
class TimedReading(Protocol):
    """Points that are read from disk in every pass."""

    @property
    def reading(self) -> Any:
        """How long reading took; its `text()` says it in a sentence."""
        ...
