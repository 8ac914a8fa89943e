"""A step of refining that an engine can make in one call: the protocol `Breathing`, and what it takes and returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from steinhaus.points import Fit


@dataclass(frozen=True)
class Trial:
    """A step of refining that an engine is asked to make; see `refining`.

    Attributes
    ----------
    added
        The number of centroids to add, and then to remove.
    tried
        The number of clusters with larger errors that are left out.
    around
        Of two centroids whose squared distance is less than `around` times the mean squared distance of the points to
        their centroids, only one is removed.
    stream
        A `seeding.Stream`, by which the rows to add are drawn. The engine draws from it by `ahead` alone.
    tolerance
        A half step ends when the centroids move by a sum of squares of at most this.
    most
        The most iterations of half a step.
    exchanging
        Whether points are exchanged if the step lowers the inertia: see `exchanges`.
    """

    added: int
    tried: int
    around: float
    stream: Any
    tolerance: float
    most: int
    exchanging: bool


@dataclass(frozen=True)
class Found:
    """What a step of refining found.

    Attributes
    ----------
    fit
        The clustering, without a history. The engine holds its labels.
    added
        The number of centroids that were added; 0: no cluster has an error, and there was no step.
    iterations
        Iterations of Lloyd's algorithm.
    """

    fit: Fit
    added: int
    iterations: int


@runtime_checkable
class Breathing(Protocol):
    """Points that can make a step of refining in one call."""

    def breathe(self, fit: Fit, trial: Trial) -> Found | None:
        """Make a step from a clustering.

        The result is that of `refining`. None: the engine cannot make this step, as if a cluster becomes empty. Nothing
        is then drawn from the stream, and `refining` makes the step by other calls.
        """
        ...
