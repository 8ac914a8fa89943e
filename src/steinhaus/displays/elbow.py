"""Inertia against the number of clusters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Self

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from steinhaus.displays.display import ACCENT, MUTED, Display


class ElbowDisplay(Display):
    """The best inertia for each K, and the spread over its restarts.

    Parameters
    ----------
    inertias
        K -> the final inertia of each restart.
    """

    def __init__(self, inertias: Mapping[int, Sequence[float]]) -> None:
        self.inertias = dict(sorted(inertias.items()))

    @classmethod
    def from_estimator(cls, estimators: Iterable[Any], *, ax: Axes | None = None) -> Self:
        """Draw fitted KMeans of several n_clusters on the same data."""
        display = cls({len(e.cluster_centers_): [run.inertia for run in e.runs_] for e in estimators})
        display.plot(ax)
        return display

    @classmethod
    def from_study(cls, study: Any, *, ax: Axes | None = None) -> Self:
        """Draw every K of a study (a `StudyResult`)."""
        inertias: dict[int, list[float]] = {}
        for run in study.record.runs:
            inertias.setdefault(run.k, []).append(run.final_inertia)
        display = cls(inertias)
        display.plot(ax)
        return display

    def _draw(self, ax: Axes) -> None:
        for k, costs in self.inertias.items():
            ax.plot([k] * len(costs), costs, "o", color=MUTED, markersize=3)
        ax.plot(list(self.inertias), [min(costs) for costs in self.inertias.values()], "-o", color=ACCENT)
        ax.set(xlabel="number of clusters", ylabel="inertia", title="Inertia: every restart, the best joined")
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
