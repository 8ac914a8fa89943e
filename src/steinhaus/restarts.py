"""All restarts of a small problem, made by the engine in one call: the fits that `lloyd` gives, run by run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, cast, runtime_checkable

from steinhaus.centroids import tolerance_of
from steinhaus.points import Fit, Float64, Points, offers
from steinhaus.seeding import Stream

Starts = Sequence[Stream] | Sequence[Float64]  # of runs 0, 1, ...


@runtime_checkable
class Restarting(Protocol):
    """Points that make all restarts of a small problem in one call."""

    def restarted(self, k: int, starts: Starts, *, max_iter: int, tolerance: float, single: bool) -> list[Fit] | None:
        """The fits of runs 0, 1, ... that begin from `starts`; None: they are left to `lloyd`.

        The engine then holds the labels of the best one: the least inertia, ties to the lowest number.

        Parameters
        ----------
        k, starts, max_iter, single
            As in the function `restarted`.
        tolerance
            See `points.Advancing.advance`.
        """
        ...


def restarted(
    points: Points, k: int, starts: Starts, *, max_iter: int = 300, tol: float = 0.0, single: bool
) -> list[Fit]:
    """Let the engine make all restarts in one call, if it can and if the problem is small enough.

    Parameters
    ----------
    points, max_iter, tol
        As in `lloyd`.
    k
        The centroids of a run.
    starts
        The random stream of each run, from which `seeding.plus_plus` chooses its rows; or the centroids of each, (k, d)
        float64. Streams may be used up.
    single
        Whether the centroids of a run that stops before it has converged are rounded to float32.

    Returns
    -------
    list of Fit
        The best one first; the engine holds its labels alone. Keys are the numbers of the starts. Empty: the restarts
        are left to `lloyd`, which gives the same.
    """
    if not offers(type(points), Restarting):
        return []
    tolerance = tolerance_of(points, tol)
    made = cast(Restarting, points).restarted(k, starts, max_iter=max_iter, tolerance=tolerance, single=single)
    return sorted(made or [], key=lambda fit: (fit.inertia, fit.key))
