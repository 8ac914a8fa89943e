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
    """

    def __init__(self, histories: Sequence[Sequence[float]], best: int) -> None:
        self.histories, self.best = histories, best

    @classmethod
    def from_estimator(cls, estimator: Any, *, ax: Axes | None = None) -> Self:
        """Draw the restarts of a fitted KMeans."""
        costs = [run.inertia for run in estimator.runs_]
        display = cls([run.inertia_history for run in estimator.runs_], costs.index(min(costs)))
        display.plot(ax)
        return display

    @classmethod
    def from_study(cls, study: Any, k: int, *, ax: Axes | None = None) -> Self:
        """Draw the restarts of one K of a study (a `StudyResult`); inertia in squared units of pixels in 0..1."""
        runs = [run for run in study.record.runs if run.k == k]
        restarts = [run.restart for run in runs]
        display = cls([run.inertia for run in runs], restarts.index(best_of(study.record, k).restart))
        display.plot(ax)
        return display

    def _draw(self, ax: Axes) -> None:
        lines = inertia.curves(ax, self.histories, self.best)
        ax.set_title(f"Inertia of {len(self.histories)} restarts")
        ax.legend([lines[self.best]], [f"restart {self.best}, the best"], frameon=False)
