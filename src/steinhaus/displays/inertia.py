"""Inertia against iterations, one curve a restart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from steinhaus.displays.display import ACCENT, MUTED, Display, best_of


class InertiaDisplay(Display):
    """How the inertia of every restart fell.

    Parameters
    ----------
    histories
        For each restart, its inertia after each iteration.
    best
        Which restart is the best one; it is marked.
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
        for restart, history in enumerate(self.histories):
            mark = {"color": ACCENT, "zorder": 3} if restart == self.best else {"color": MUTED}
            label = f"restart {restart}, the best" if restart == self.best else None
            ax.plot(range(1, len(history) + 1), history, marker="o", markevery=[-1], markersize=4, label=label, **mark)
        ax.set(xlabel="iteration", ylabel="inertia", title=f"Inertia of {len(self.histories)} restarts")
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        ax.legend(frameon=False)
