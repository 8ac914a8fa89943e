"""Inertia against the number of clusters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Self

from matplotlib.axes import Axes

from steinhaus.displays.display import Display
from steinhaus.plots import inertia


class ElbowDisplay(Display):
    """The best inertia for each K, and the spread over its restarts.

    Parameters
    ----------
    inertias
        The final inertia of each restart, for each K: {k: [inertia, ...]}.

    Examples
    --------
    >>> from steinhaus import KMeans
    >>> from steinhaus.displays import ElbowDisplay
    >>> X = [[1, 2], [1, 4], [1, 0], [10, 2], [10, 4], [10, 0]]
    >>> display = ElbowDisplay.from_estimator(KMeans(k, random_state=0).fit(X) for k in (1, 2, 3))
    >>> sorted(display.inertias)
    [1, 2, 3]
    """

    def __init__(self, inertias: Mapping[int, Sequence[float]]) -> None:
        self.inertias = dict(sorted(inertias.items()))

    @classmethod
    def from_estimator(cls, estimators: Iterable[Any], *, ax: Axes | None = None) -> Self:
        """Draw the inertia of fitted estimators.

        Parameters
        ----------
        estimators
            Fitted `KMeans` with several n_clusters, all on the same data.
        ax
            The axes to draw on. Default: those of a new figure.
        """
        display = cls({len(e.cluster_centers_): [run.inertia for run in e.runs_] for e in estimators})
        display.plot(ax)
        return display

    @classmethod
    def from_study(cls, study: Any, *, ax: Axes | None = None) -> Self:
        """Draw every K of a study.

        Parameters
        ----------
        study
            A `StudyResult`.
        ax
            The axes to draw on. Default: those of a new figure.
        """
        inertias: dict[int, list[float]] = {}
        for run in study.record.runs:
            inertias.setdefault(run.k, []).append(run.final_inertia)
        display = cls(inertias)
        display.plot(ax)
        return display

    def _draw(self, ax: Axes) -> None:
        inertia.by_k(ax, self.inertias)
        ax.set_title("Inertia: every restart, the best joined")
