"""Inertia against iterations, one curve per restart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

from matplotlib.axes import Axes

from steinhaus.displays.display import Display, best_of
from steinhaus.plots import inertia


class InertiaDisplay(Display):
    """The inertia of every restart after each iteration.

    Parameters
    ----------
    histories
        For each restart, the inertia after each iteration.
    best
        The index of the best restart, which is marked.

    Examples
    --------
    >>> from steinhaus import KMeans
    >>> from steinhaus.displays import InertiaDisplay
    >>> X = [[1, 2], [1, 4], [1, 0], [10, 2], [10, 4], [10, 0]]
    >>> display = InertiaDisplay.from_estimator(KMeans(2, n_init=3, random_state=0).fit(X))
    >>> len(display.histories)
    3
    """

    def __init__(self, histories: Sequence[Sequence[float]], best: int) -> None:
        self.histories, self.best = histories, best

    @classmethod
    def from_estimator(cls, estimator: Any, *, ax: Axes | None = None) -> Self:
        """Draw the restarts of a fitted estimator.

        Parameters
        ----------
        estimator
            A fitted `KMeans`.
        ax
            The axes to draw on. Default: those of a new figure.
        """
        costs = [run.inertia for run in estimator.runs_]
        display = cls([run.inertia_history for run in estimator.runs_], costs.index(min(costs)))
        display.plot(ax)
        return display

    @classmethod
    def from_study(cls, study: Any, k: int, *, ax: Axes | None = None) -> Self:
        """Draw the restarts of one K of a study, with inertia in the units of the study.

        Parameters
        ----------
        study
            A `StudyResult`.
        k
            The number of clusters.
        ax
            The axes to draw on. Default: those of a new figure.
        """
        runs = [run for run in study.record.runs if run.k == k]
        restarts = [run.restart for run in runs]
        display = cls([run.inertia for run in runs], restarts.index(best_of(study.record, k).restart))
        display.plot(ax)
        return display

    def _draw(self, ax: Axes) -> None:
        lines = inertia.curves(ax, self.histories, self.best)
        ax.set_title(f"Inertia of {len(self.histories)} restarts")
        ax.legend([lines[self.best]], [f"restart {self.best}, the best"], frameon=False)
